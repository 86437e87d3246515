-- Configuration proposals for access gateways: what a gateway must know of the model, in the
-- language of its maker. A language (dialect) is rows of netgw_format.

ALTER TABLE nmsp.netgw
    ADD COLUMN dialect text,
    ADD COLUMN interface text
        CONSTRAINT netgw_interface_is_a_word CHECK (interface ~ '^[A-Za-z0-9][A-Za-z0-9 ./:_-]{0,63}$');
COMMENT ON COLUMN nmsp.netgw.dialect IS 'Language of its configuration, of nmsp.netgw_format; null: by vendor and model.';
COMMENT ON COLUMN nmsp.netgw.interface IS 'Interface, or number of the bundle or MAC domain, that the pools are on; null: 1.';

CREATE TABLE nmsp.netgw_format (
    dialect  text NOT NULL CONSTRAINT netgw_format_dialect_is_a_word CHECK (dialect ~ '^[a-z][a-z0-9_]{0,30}$'),
    subject  text NOT NULL CONSTRAINT netgw_format_subject_is_known CHECK (subject IN (
        'name', 'secret', 'interface', 'address', 'address_secondary', 'address6', 'helper', 'helper_cm', 'helper_mta', 'helper_cpe', 'helper6',
        'cm_network', 'cpe_network', 'snmp_read', 'snmp_write', 'time_server', 'log_server', 'delegated')),
    position int NOT NULL DEFAULT 1,
    context  text NOT NULL DEFAULT '',
    line     text NOT NULL CONSTRAINT netgw_format_line_is_one_line CHECK (line <> '' AND line !~ '[\n\r]'),
    CONSTRAINT netgw_format_is_already_there PRIMARY KEY (dialect, subject, position)
);
COMMENT ON TABLE nmsp.netgw_format IS 'How a subject is said in the language of a gateway''s maker. Add rows for a language of your own.';
COMMENT ON COLUMN nmsp.netgw_format.dialect IS 'The language: cisco, casa, arris, router, or one of your own.';
COMMENT ON COLUMN nmsp.netgw_format.subject IS
'What is said: name, secret, interface, address (first cm pool), address_secondary (other IPv4 pools), address6, helper (always), helper_cm, helper_mta, helper_cpe (once per kind of pool), helper6, cm_network, cpe_network, delegated, snmp_read, snmp_write, time_server, log_server.';
COMMENT ON COLUMN nmsp.netgw_format.position IS 'Order of the lines of one subject.';
COMMENT ON COLUMN nmsp.netgw_format.context IS 'Line that it stands below, e.g. interface Bundle{interface}; empty: none.';
COMMENT ON COLUMN nmsp.netgw_format.line IS
'The line, with {name}, {interface}, {address}, {mask}, {length}, {network}, {wildcard}, {server}, {community}, {secret}, {purpose}, {domain}.';

-- Subscribers behind a BRAS, an OLT or a DSLAM, and what FreeRADIUS writes. What it reads are views
-- (sql/views/62_radius.sql) of these tables.

ALTER TABLE nmsp.netgw
    ADD COLUMN coa_port int CONSTRAINT netgw_coa_port_is_a_port CHECK (coa_port BETWEEN 1 AND 65535);
COMMENT ON COLUMN nmsp.netgw.coa_port IS 'UDP port for RADIUS Disconnect and CoA requests (RFC 5176), usually 3799; null: it takes none.';

ALTER TABLE nmsp.netgw_secret ALTER COLUMN shared_secret DROP NOT NULL;
ALTER TABLE nmsp.netgw_secret
    ADD COLUMN radius_secret text
        CONSTRAINT netgw_radius_secret_is_1_to_128_plain_characters CHECK (radius_secret ~ '^[!-~]{1,128}$' AND radius_secret !~ '["''`\\%$]'),
    ADD CONSTRAINT netgw_secret_has_one CHECK (shared_secret IS NOT NULL OR radius_secret IS NOT NULL);
COMMENT ON COLUMN nmsp.netgw_secret.shared_secret IS 'Key of the CMTS MIC, 1 to 64 bytes: what the CMTS has as "cable shared-secret"; null for gateways that are no CMTS.';
COMMENT ON COLUMN nmsp.netgw_secret.radius_secret IS 'RADIUS secret: makes the gateway a client of FreeRADIUS.';

CREATE TABLE nmsp.ppp_account (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username         text NOT NULL CONSTRAINT ppp_account_username_is_already_used UNIQUE
        CONSTRAINT ppp_account_username_is_1_to_253_bytes CHECK (octet_length(username) BETWEEN 1 AND 253)
        CONSTRAINT ppp_account_username_is_printable CHECK (username !~ '[[:cntrl:]]' AND username = btrim(username))
        CONSTRAINT ppp_account_username_has_no_quotes CHECK (username !~ '["''\\`]'),
    authentication   text NOT NULL DEFAULT 'password' CONSTRAINT ppp_account_authentication_is_known CHECK (authentication IN ('password', 'port')),
    circuit_id       text CONSTRAINT ppp_account_circuit_id_is_1_to_63_bytes CHECK (octet_length(circuit_id) BETWEEN 1 AND 63),
    netgw_id         bigint CONSTRAINT ppp_account_needs_an_existing_netgw REFERENCES nmsp.netgw,
    service_class_id bigint CONSTRAINT ppp_account_needs_an_existing_service_class REFERENCES nmsp.service_class,
    internet_access  boolean NOT NULL DEFAULT true,
    public_cpe       boolean NOT NULL DEFAULT false,
    address          inet CONSTRAINT ppp_account_address_is_already_used UNIQUE
        CONSTRAINT ppp_account_address_is_an_ipv4_host CHECK (family(address) = 4 AND masklen(address) = 32),
    framed_prefix    cidr CONSTRAINT ppp_account_framed_prefix_is_already_used UNIQUE
        CONSTRAINT ppp_account_framed_prefix_is_ipv6 CHECK (family(framed_prefix) = 6),
    delegated_prefix cidr CONSTRAINT ppp_account_delegated_prefix_is_already_used UNIQUE
        CONSTRAINT ppp_account_delegated_prefix_is_ipv6 CHECK (family(delegated_prefix) = 6),
    created_at       timestamptz NOT NULL DEFAULT now(),
    description      text,
    CONSTRAINT ppp_account_port_needs_a_gateway CHECK (authentication <> 'port' OR netgw_id IS NOT NULL)
);
CREATE INDEX ppp_account_netgw_id ON nmsp.ppp_account (netgw_id);
CREATE INDEX ppp_account_service_class_id ON nmsp.ppp_account (service_class_id);
COMMENT ON TABLE nmsp.ppp_account IS 'Subscribers behind a BRAS, OLT or DSLAM (PPPoE, IPoE). A row is all it takes: FreeRADIUS reads it at each request.';
COMMENT ON COLUMN nmsp.ppp_account.id IS 'Key.';
COMMENT ON COLUMN nmsp.ppp_account.username IS 'User-Name, exactly as the gateway sends it.';
COMMENT ON COLUMN nmsp.ppp_account.authentication IS 'password: the subscriber proves nmsp.ppp_account_secret.password; port: the gateway vouches for the line, without a password.';
COMMENT ON COLUMN nmsp.ppp_account.circuit_id IS 'Agent-Circuit-Id of the line; when set, a request from any other line is refused.';
COMMENT ON COLUMN nmsp.ppp_account.netgw_id IS 'The gateway it is behind: its pools hold the fixed address, and authentication by port counts there only; null: any.';
COMMENT ON COLUMN nmsp.ppp_account.service_class_id IS 'Service class; null: no attributes but the default group''s.';
COMMENT ON COLUMN nmsp.ppp_account.internet_access IS 'false: every request is rejected.';
COMMENT ON COLUMN nmsp.ppp_account.public_cpe IS 'true: dynamic addresses are from cpe_public pools; false: from cpe_private.';
COMMENT ON COLUMN nmsp.ppp_account.address IS 'Fixed IPv4 address (see nmsp.allocate_address); null: a dynamic one.';
COMMENT ON COLUMN nmsp.ppp_account.framed_prefix IS 'Fixed IPv6 prefix of the line itself (Framed-IPv6-Prefix).';
COMMENT ON COLUMN nmsp.ppp_account.delegated_prefix IS 'Fixed delegated IPv6 prefix (Delegated-IPv6-Prefix).';
COMMENT ON COLUMN nmsp.ppp_account.created_at IS 'When the row was made.';
COMMENT ON COLUMN nmsp.ppp_account.description IS 'Free text.';

CREATE TABLE nmsp.ppp_account_secret (
    ppp_account_id bigint PRIMARY KEY CONSTRAINT ppp_account_secret_needs_an_existing_account REFERENCES nmsp.ppp_account ON DELETE CASCADE,
    password       text NOT NULL CONSTRAINT ppp_account_password_is_1_to_128_bytes CHECK (octet_length(password) BETWEEN 1 AND 128)
        CONSTRAINT ppp_account_password_is_printable CHECK (password !~ '[[:cntrl:]]')
        -- FreeRADIUS expands and even executes values that begin with one
        CONSTRAINT ppp_account_password_begins_with_no_quote CHECK (password !~ '^["''`]')
);
COMMENT ON TABLE nmsp.ppp_account_secret IS 'Passwords of PPP accounts, in clear as CHAP needs them; readable only for administrators and, through nmsp_radius.radcheck, for FreeRADIUS.';
COMMENT ON COLUMN nmsp.ppp_account_secret.ppp_account_id IS 'The account.';
COMMENT ON COLUMN nmsp.ppp_account_secret.password IS 'The password, 1 to 128 bytes.';

CREATE SCHEMA nmsp_radius;
COMMENT ON SCHEMA nmsp_radius IS 'What FreeRADIUS reads (views with the names its queries use) and writes (accounting, leases).';

CREATE TABLE nmsp_radius.setting (
    id                  boolean PRIMARY KEY DEFAULT true CONSTRAINT setting_has_exactly_one_row CHECK (id),
    address_source      text NOT NULL DEFAULT 'gateway' CONSTRAINT setting_address_source_is_known CHECK (address_source IN ('gateway', 'database')),
    framed_pool_public  text CONSTRAINT setting_framed_pool_public_is_a_name CHECK (framed_pool_public ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}$'),
    framed_pool_private text CONSTRAINT setting_framed_pool_private_is_a_name CHECK (framed_pool_private ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}$'),
    archive_after       interval NOT NULL DEFAULT '1 day' CONSTRAINT setting_archive_after_is_at_least_an_hour CHECK (archive_after >= '1 hour'),
    keep_session        int NOT NULL DEFAULT 90 CONSTRAINT setting_keep_session_between_1_and_3650_days CHECK (keep_session BETWEEN 1 AND 3650),
    keep_authentication int NOT NULL DEFAULT 30 CONSTRAINT setting_keep_authentication_between_1_and_3650_days CHECK (keep_authentication BETWEEN 1 AND 3650),
    days_ahead          int NOT NULL DEFAULT 7 CONSTRAINT setting_days_ahead_between_1_and_100 CHECK (days_ahead BETWEEN 1 AND 100)
);
COMMENT ON TABLE nmsp_radius.setting IS 'Settings of RADIUS; always exactly one row.';
COMMENT ON COLUMN nmsp_radius.setting.id IS 'Always true.';
COMMENT ON COLUMN nmsp_radius.setting.address_source IS 'Who chooses dynamic addresses: gateway (from its own pools; it is told a Framed-Pool by name), or database (from nmsp.pool, by FreeRADIUS''s sqlippool).';
COMMENT ON COLUMN nmsp_radius.setting.framed_pool_public IS 'Name of the gateways'' own pool of public addresses (Framed-Pool); null: none is named.';
COMMENT ON COLUMN nmsp_radius.setting.framed_pool_private IS 'Name of the gateways'' own pool of private addresses (Framed-Pool); null: none is named.';
COMMENT ON COLUMN nmsp_radius.setting.archive_after IS 'A session that ended longer ago moves from nmsp_radius.session to nmsp_radius.session_archive.';
COMMENT ON COLUMN nmsp_radius.setting.keep_session IS 'Days that ended sessions are kept.';
COMMENT ON COLUMN nmsp_radius.setting.keep_authentication IS 'Days that nmsp_radius.authentication is kept.';
COMMENT ON COLUMN nmsp_radius.setting.days_ahead IS 'Days that partitions are made ahead.';
INSERT INTO nmsp_radius.setting DEFAULT VALUES;

CREATE TABLE nmsp_radius.attribute (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope     text NOT NULL CONSTRAINT attribute_scope_is_known CHECK (scope IN ('default', 'service_class')),
    list      text NOT NULL DEFAULT 'reply' CONSTRAINT attribute_list_is_known CHECK (list IN ('reply', 'check')),
    position  int NOT NULL DEFAULT 100,
    attribute text NOT NULL CONSTRAINT attribute_name_is_a_name CHECK (attribute ~ '^[A-Za-z0-9][A-Za-z0-9/._:-]{0,63}$')
        CONSTRAINT attribute_fall_through_is_made CHECK (lower(attribute) <> 'fall-through'),
    op        text NOT NULL DEFAULT ':=' CONSTRAINT attribute_op_is_known CHECK (op IN ('=', ':=', '+=', '==', '!=', '<', '<=', '>', '>=', '=~', '!~', '=*', '!*')),
    value     text NOT NULL CONSTRAINT attribute_value_begins_with_no_quote CHECK (value !~ '^["''`]'),
    active    boolean NOT NULL DEFAULT true,
    note      text
);
COMMENT ON TABLE nmsp_radius.attribute IS 'Attributes of the RADIUS groups: what every account gets, and what accounts of a service class get. Yours to edit.';
COMMENT ON COLUMN nmsp_radius.attribute.id IS 'Key.';
COMMENT ON COLUMN nmsp_radius.attribute.scope IS 'default: the group of all accounts; service_class: the group of each service class.';
COMMENT ON COLUMN nmsp_radius.attribute.list IS 'reply: sent to the gateway; check: compared with the request or set for FreeRADIUS, e.g. Simultaneous-Use.';
COMMENT ON COLUMN nmsp_radius.attribute.position IS 'Order within the group.';
COMMENT ON COLUMN nmsp_radius.attribute.attribute IS 'Name as in FreeRADIUS''s dictionaries.';
COMMENT ON COLUMN nmsp_radius.attribute.op IS 'Operator of FreeRADIUS: := sets, += adds another one, = sets where there is none yet.';
COMMENT ON COLUMN nmsp_radius.attribute.value IS 'Value; {qos....} placeholders of nmsp.template_placeholder for scope service_class. A row with a placeholder that has no value is left out.';
COMMENT ON COLUMN nmsp_radius.attribute.active IS 'false: left out.';
COMMENT ON COLUMN nmsp_radius.attribute.note IS 'For people.';
INSERT INTO nmsp_radius.attribute (scope, position, attribute, op, value, note) VALUES
    ('default', 10, 'Service-Type', ':=', 'Framed-User', NULL),
    ('default', 20, 'Framed-Protocol', ':=', 'PPP', NULL),
    ('default', 30, 'Framed-MTU', ':=', '1492', NULL),
    ('default', 40, 'Port-Limit', ':=', '1', NULL),
    ('default', 50, 'Session-Timeout', ':=', '86400', 'seconds; the gateway ends the session then'),
    ('default', 60, 'Acct-Interim-Interval', ':=', '600', 'seconds between accounting updates'),
    ('service_class', 10, 'Ascend-Xmit-Rate', ':=', '{qos.ds_rate_max_help.0}', 'downstream, bit/s'),
    ('service_class', 20, 'Ascend-Data-Rate', ':=', '{qos.us_rate_max_help.0}', 'upstream, bit/s'),
    ('service_class', 30, 'WISPr-Bandwidth-Max-Down', ':=', '{qos.ds_rate_max_help.0}', NULL),
    ('service_class', 40, 'WISPr-Bandwidth-Max-Up', ':=', '{qos.us_rate_max_help.0}', NULL),
    ('service_class', 50, 'Cisco-AVPair', '+=', 'ip:qos-policy-out=add-class(sub,(class-default),police({qos.ds_rate_max_help.0}))', NULL),
    ('service_class', 60, 'Cisco-AVPair', '+=', 'ip:qos-policy-in=add-class(sub,(class-default),police({qos.us_rate_max_help.0}))', NULL),
    ('service_class', 70, 'Cisco-AVPair', '+=', 'ip:sub-qos-policy-out={qos.ds_name.0}', 'only where the service class has a name for it'),
    ('service_class', 80, 'Cisco-AVPair', '+=', 'ip:sub-qos-policy-in={qos.us_name.0}', 'only where the service class has a name for it');

-- Accounting: open sessions and those that ended lately. One plain table, because FreeRADIUS's
-- INSERT ... ON CONFLICT (AcctUniqueId) needs a unique index on that column alone, which a table
-- partitioned by time cannot have. It stays small: nmsp_radius.maintain() moves what has ended.
CREATE TABLE nmsp_radius.session (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id         text NOT NULL,
    unique_id          text NOT NULL CONSTRAINT session_unique_id_is_already_used UNIQUE,
    username           text,
    realm              text,
    nas_address        inet NOT NULL,
    nas_port_id        text,
    nas_port_type      text,
    started_at         timestamptz,
    updated_at         timestamptz,
    stopped_at         timestamptz,
    update_interval    bigint,
    duration           bigint,
    authentic          text,
    connect_info_start text,
    connect_info_stop  text,
    input_octets       bigint,
    output_octets      bigint,
    called_station     text,
    calling_station    text,
    terminate_cause    text,
    service_type       text,
    framed_protocol    text,
    address            inet,
    address6           inet,
    framed_prefix      inet,
    interface_id       text,
    delegated_prefix   inet,
    class              text
) WITH (fillfactor = 80);
CREATE INDEX session_open_username ON nmsp_radius.session (username) WHERE stopped_at IS NULL;
CREATE INDEX session_open_nas_address ON nmsp_radius.session (nas_address, started_at) WHERE stopped_at IS NULL;
CREATE INDEX session_stopped_at ON nmsp_radius.session (stopped_at) WHERE stopped_at IS NOT NULL;
COMMENT ON TABLE nmsp_radius.session IS 'Accounting: sessions that are open or ended lately, written through nmsp_radius.radacct. nmsp_radius.accounting shows them with the archive.';
COMMENT ON COLUMN nmsp_radius.session.id IS 'Key.';
COMMENT ON COLUMN nmsp_radius.session.session_id IS 'Acct-Session-Id.';
COMMENT ON COLUMN nmsp_radius.session.unique_id IS 'Acct-Unique-Session-Id, made by FreeRADIUS.';
COMMENT ON COLUMN nmsp_radius.session.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.session.realm IS 'Realm.';
COMMENT ON COLUMN nmsp_radius.session.nas_address IS 'NAS-IP-Address or NAS-IPv6-Address.';
COMMENT ON COLUMN nmsp_radius.session.nas_port_id IS 'NAS-Port-Id or NAS-Port.';
COMMENT ON COLUMN nmsp_radius.session.nas_port_type IS 'NAS-Port-Type.';
COMMENT ON COLUMN nmsp_radius.session.started_at IS 'Begin.';
COMMENT ON COLUMN nmsp_radius.session.updated_at IS 'Last accounting packet.';
COMMENT ON COLUMN nmsp_radius.session.stopped_at IS 'End; null: it is open.';
COMMENT ON COLUMN nmsp_radius.session.update_interval IS 'Seconds between the last two updates.';
COMMENT ON COLUMN nmsp_radius.session.duration IS 'Seconds, as the gateway counts them.';
COMMENT ON COLUMN nmsp_radius.session.authentic IS 'Acct-Authentic.';
COMMENT ON COLUMN nmsp_radius.session.connect_info_start IS 'Connect-Info at the begin.';
COMMENT ON COLUMN nmsp_radius.session.connect_info_stop IS 'Connect-Info at the end.';
COMMENT ON COLUMN nmsp_radius.session.input_octets IS 'Bytes from the subscriber.';
COMMENT ON COLUMN nmsp_radius.session.output_octets IS 'Bytes to the subscriber.';
COMMENT ON COLUMN nmsp_radius.session.called_station IS 'Called-Station-Id.';
COMMENT ON COLUMN nmsp_radius.session.calling_station IS 'Calling-Station-Id, usually the subscriber''s MAC.';
COMMENT ON COLUMN nmsp_radius.session.terminate_cause IS 'Acct-Terminate-Cause.';
COMMENT ON COLUMN nmsp_radius.session.service_type IS 'Service-Type.';
COMMENT ON COLUMN nmsp_radius.session.framed_protocol IS 'Framed-Protocol.';
COMMENT ON COLUMN nmsp_radius.session.address IS 'Framed-IP-Address.';
COMMENT ON COLUMN nmsp_radius.session.address6 IS 'Framed-IPv6-Address.';
COMMENT ON COLUMN nmsp_radius.session.framed_prefix IS 'Framed-IPv6-Prefix.';
COMMENT ON COLUMN nmsp_radius.session.interface_id IS 'Framed-Interface-Id.';
COMMENT ON COLUMN nmsp_radius.session.delegated_prefix IS 'Delegated-IPv6-Prefix.';
COMMENT ON COLUMN nmsp_radius.session.class IS 'Class.';

-- The archive has the same columns and the day it is kept under. That day comes from our clock where
-- the gateway's is off, so that a wrong date never needs a partition of its own.
CREATE TABLE nmsp_radius.session_archive (
    LIKE nmsp_radius.session INCLUDING COMMENTS,
    day date NOT NULL
) PARTITION BY RANGE (day);
CREATE INDEX session_archive_username ON nmsp_radius.session_archive (username, started_at);
CREATE INDEX session_archive_address ON nmsp_radius.session_archive (address, started_at);
COMMENT ON TABLE nmsp_radius.session_archive IS 'Accounting: sessions that ended, one partition a day (UTC), made and dropped by nmsp_radius.maintain().';
COMMENT ON COLUMN nmsp_radius.session_archive.day IS 'Day of stopped_at (UTC), not after the day it was archived.';

CREATE TABLE nmsp_radius.authentication (
    id              bigint GENERATED ALWAYS AS IDENTITY,
    username        text NOT NULL,
    password        text,
    reply           text,
    called_station  text,
    calling_station text,
    at              timestamptz NOT NULL DEFAULT now(),
    class           text
) PARTITION BY RANGE (at);
CREATE INDEX authentication_username ON nmsp_radius.authentication (username, at);
COMMENT ON TABLE nmsp_radius.authentication IS 'Answers to requests for access, written through nmsp_radius.radpostauth; one partition a day (UTC), made and dropped by nmsp_radius.maintain().';
COMMENT ON COLUMN nmsp_radius.authentication.id IS 'Key.';
COMMENT ON COLUMN nmsp_radius.authentication.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.authentication.password IS 'Always null: FreeRADIUS hands over the password it was sent, a trigger drops it.';
COMMENT ON COLUMN nmsp_radius.authentication.reply IS 'Access-Accept or Access-Reject.';
COMMENT ON COLUMN nmsp_radius.authentication.called_station IS 'Called-Station-Id, where the query writes it.';
COMMENT ON COLUMN nmsp_radius.authentication.calling_station IS 'Calling-Station-Id, where the query writes it.';
COMMENT ON COLUMN nmsp_radius.authentication.at IS 'When, by the clock of FreeRADIUS.';
COMMENT ON COLUMN nmsp_radius.authentication.class IS 'Class, where the query writes it.';
CREATE TABLE nmsp_radius.authentication_default PARTITION OF nmsp_radius.authentication DEFAULT;
COMMENT ON TABLE nmsp_radius.authentication_default IS 'Rows of nmsp_radius.authentication for whose day there is no partition yet; nmsp_radius.maintain() moves them.';

CREATE TABLE nmsp_radius.gateway_restart (
    nas_address inet PRIMARY KEY,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE nmsp_radius.gateway_restart IS 'When gateways restarted, where the queries of FreeRADIUS note it: sessions begun before do not count for Simultaneous-Use.';
COMMENT ON COLUMN nmsp_radius.gateway_restart.nas_address IS 'Address of the gateway.';
COMMENT ON COLUMN nmsp_radius.gateway_restart.at IS 'When it restarted.';

CREATE TABLE nmsp_radius.lease (
    id              bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lease_id_is_already_used UNIQUE,
    address         inet PRIMARY KEY,
    pool_name       text NOT NULL,
    nas_address     text NOT NULL DEFAULT '',
    pool_key        text NOT NULL DEFAULT '',
    called_station  text NOT NULL DEFAULT '',
    calling_station text NOT NULL DEFAULT '',
    expires_at      timestamptz NOT NULL DEFAULT now(),
    username        text DEFAULT ''
) WITH (fillfactor = 80);
CREATE INDEX lease_pool_key ON nmsp_radius.lease (nas_address, pool_key);
CREATE INDEX lease_expires_at ON nmsp_radius.lease (expires_at);
COMMENT ON TABLE nmsp_radius.lease IS 'Addresses given out by nmsp_radius.lease_address, one row for each that was ever leased; free addresses have none.';
COMMENT ON COLUMN nmsp_radius.lease.id IS 'Number.';
COMMENT ON COLUMN nmsp_radius.lease.address IS 'The address.';
COMMENT ON COLUMN nmsp_radius.lease.pool_name IS 'Purpose of its pool: cpe_public or cpe_private.';
COMMENT ON COLUMN nmsp_radius.lease.nas_address IS 'NAS-IP-Address of the gateway.';
COMMENT ON COLUMN nmsp_radius.lease.pool_key IS 'What tells the subscribers of a gateway apart: pool_key of FreeRADIUS''s sqlippool.';
COMMENT ON COLUMN nmsp_radius.lease.called_station IS 'Called-Station-Id.';
COMMENT ON COLUMN nmsp_radius.lease.calling_station IS 'Calling-Station-Id.';
COMMENT ON COLUMN nmsp_radius.lease.expires_at IS 'Until when it is taken; renewed by accounting updates.';
COMMENT ON COLUMN nmsp_radius.lease.username IS 'User-Name.';

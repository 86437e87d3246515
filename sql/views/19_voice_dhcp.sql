-- Option 122 of DHCP (RFC 3495): what a modem tells its embedded MTA, and what the MTA is told.

CREATE OR REPLACE FUNCTION nmsp.fqdn_wire(name text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT pg_catalog.string_agg(pg_catalog.set_byte('\x00', 0, octet_length(l)) || convert_to(l, 'UTF8'), '' ORDER BY n)
          FROM pg_catalog.string_to_table(pg_catalog.rtrim(name, '.'), '.') WITH ORDINALITY u(l, n)) || '\x00';
COMMENT ON FUNCTION nmsp.fqdn_wire(text) IS 'A domain name as DNS writes it (RFC 1035 3.1): labels with their lengths, a zero at the end.';

CREATE OR REPLACE FUNCTION nmsp.address_wire(address inet) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.substr(pg_catalog.inet_send(address), 5);
COMMENT ON FUNCTION nmsp.address_wire(inet) IS 'An address as packets hold it: 4 or 16 bytes.';

CREATE OR REPLACE FUNCTION nmsp.suboption(code int, value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.set_byte(pg_catalog.set_byte('\x0000', 0, code), 1, octet_length(value)) || value;
COMMENT ON FUNCTION nmsp.suboption(int, bytea) IS 'A sub-option: code, length, value.';

CREATE OR REPLACE FUNCTION nmsp.cm_option_122(v nmsp.voice_setting, provisioning_server inet) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN nmsp.suboption(1, nmsp.address_wire(coalesce((v).dhcp_server, CASE pg_catalog.family(provisioning_server) WHEN 4 THEN provisioning_server END)))
    || coalesce(nmsp.suboption(2, nmsp.address_wire((v).second_dhcp_server)), '');
COMMENT ON FUNCTION nmsp.cm_option_122(nmsp.voice_setting, inet) IS
'Option 122 of a modem that has an MTA: sub-option 1 (and 2) with the DHCP servers that the MTA is to take offers from. Without the option an embedded MTA stays silent. Null: there is no IPv4 server.';

CREATE OR REPLACE FUNCTION nmsp.mta_option_122(v nmsp.voice_setting, provisioning_server inet, provisioning text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nmsp.suboption(3, CASE WHEN (v).provisioning_host IS NOT NULL THEN '\x00'::bytea || nmsp.fqdn_wire((v).provisioning_host)
                                       WHEN pg_catalog.family(provisioning_server) = 4 THEN '\x01'::bytea || nmsp.address_wire(provisioning_server) END), '')
    || nmsp.suboption(6, nmsp.fqdn_wire(pg_catalog.upper(CASE coalesce(provisioning, (v).provisioning) WHEN 'secure' THEN (v).kerberos_realm ELSE coalesce(provisioning, (v).provisioning) END)));
COMMENT ON FUNCTION nmsp.mta_option_122(nmsp.voice_setting, inet, text) IS
'Option 122 of an MTA: sub-option 3, its provisioning server (as FQDN, or as address where nmsp.voice_setting.provisioning_host is null), and 6, the realm, which tells the flow (BASIC.1 and so on, or the Kerberos realm of the secure one). provisioning: the MTA''s own flow, or null.';

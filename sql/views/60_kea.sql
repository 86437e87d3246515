-- The host database of Kea 2.2 (its schema 13.0) as views over the model: a commit is in force at
-- the next DISCOVER. Kea opens it with "readonly", as a role of level kea (see nmsp.grant_to).
--
-- Kinds of hosts; the key is 8 * id + kind, with the id of the modem or of the endpoint:
--   0  a modem, behind whatever gateway: class modem, its file and options; no address (DHCPv4)
--   1  a modem with a fixed IPv4 address: the same, in the subnet of the address
--   2  whoever is behind a modem (identifier 'C' and the modem's MAC, see workers/kea): the class
--      that its contract gives
--   3  a modem with a fixed IPv6 address, in the subnet of the address
--   4  an endpoint with a fixed IPv4 address, by its MAC or by its modem
--   5  an endpoint with a fixed IPv6 address or prefix
--   6  as 0, for DHCPv6: apart, because one of Kea's statements joins the options of both
--   7  an MTA: the key is 32 * id of the MTA + 7 (as 0), 15 (as 1), 23 (as 6) or 31 (as 3); class adapter
-- In subnet 0 modems and MTAs say in their user context whether they have a fixed IPv4 address, in which
-- subnet, and which: the hook takes it from there, and Kea need not be answered two more times.
-- Whoever is behind a modem says there that no fixed address goes by that modem; where one does, Kea asks.
-- A subnet's number is the id of its pool; 0 is Kea's word for a reservation that counts everywhere.
-- Each branch has constants where it can and a key with an index of its own, so that Kea's
-- statements, which are prepared once, are one index scan per branch that can answer. DHCPv6 also
-- asks whose an address is, joining hosts by key: those branches are nothing but one table each,
-- for only then is the planner able to look into each with a key (a device without an IPv6 address
-- has no subnet there, and is never found). All branches have the same types, casts and all.
-- Settings are joined to what the branches found, and the class of CPEs is one column of one branch:
-- starting a plan takes longer than running it, and a function of a branch runs once. The
-- condition s.id tells the planner that there is one row of settings, analyzed or not.

CREATE OR REPLACE VIEW nmsp_kea.schema_version AS SELECT 13 AS version, 0 AS minor;
COMMENT ON VIEW nmsp_kea.schema_version IS 'The version of Kea''s schema that these views are: 13.0, that of Kea 2.2.';
COMMENT ON COLUMN nmsp_kea.schema_version.version IS 'Always 13.';
COMMENT ON COLUMN nmsp_kea.schema_version.minor IS 'Always 0.';

CREATE OR REPLACE VIEW nmsp_kea.hosts AS
SELECT h.host_id, h.dhcp_identifier, h.dhcp_identifier_type, h.dhcp4_subnet_id, h.dhcp6_subnet_id, h.ipv4_address, h.hostname,
       coalesce(h.class4, h.cpe_class) AS dhcp4_client_classes, coalesce(h.class6, h.cpe_class) AS dhcp6_client_classes,
       CASE WHEN h.class4 IS NOT NULL AND family(s.provisioning_server) = 4 THEN s.provisioning_server - '0.0.0.0'::inet END AS dhcp4_next_server,
       NULL::text AS dhcp4_server_hostname,
       CASE h.class4 WHEN 'modem' THEN nmsp.modem_path(h.device_id, x.download_key)
                     WHEN 'adapter' THEN nmsp.mta_path(h.device_id, x.download_key) END AS dhcp4_boot_file_name,
       h.user_context, NULL::text AS auth_key
  FROM (
SELECT m.id * 8 AS host_id, macaddr_send(m.mac) AS dhcp_identifier, 0::smallint AS dhcp_identifier_type,
       0::bigint AS dhcp4_subnet_id, NULL::bigint AS dhcp6_subnet_id, NULL::bigint AS ipv4_address, 'cm-' || m.id AS hostname,
       'modem'::text AS class4, NULL::text AS class6, NULL::text AS cpe_class, m.id AS device_id,
       coalesce(CASE WHEN m.address IS NOT NULL THEN (SELECT '{"fixed-subnet":' || p.id || ',"fixed-address":"' || host(m.address) || '"}' FROM nmsp.pool p WHERE p.network >>= m.address) END,
                '{"fixed-subnet":0}') AS user_context
  FROM nmsp.modem m
UNION ALL
SELECT m.id * 8 + 1, macaddr_send(m.mac), 0::smallint, p.id, NULL, m.address - '0.0.0.0'::inet, 'cm-' || m.id,
       'modem', NULL, NULL, m.id, NULL
  FROM nmsp.modem m JOIN nmsp.pool p ON p.network >>= m.address
 WHERE m.address IS NOT NULL
UNION ALL
SELECT m.id * 8 + 2, '\x43'::bytea || macaddr_send(m.mac), 4::smallint, 0::bigint, 0::bigint, NULL, NULL,
       NULL, NULL, nmsp.cpe_class(m.id, m.internet_access, m.public_cpe), NULL,
       CASE WHEN NOT EXISTS (SELECT FROM nmsp.endpoint e WHERE e.modem_id = m.id AND e.address IS NOT NULL AND e.mac IS NULL) THEN '{"fixed-subnet":0}' END
  FROM nmsp.modem m
UNION ALL
SELECT m.id * 8 + 3, macaddr_send(m.mac), 0::smallint, NULL, (SELECT p.id FROM nmsp.pool p WHERE p.network >>= m.address6), NULL, 'cm-' || m.id,
       NULL, 'modem', NULL, NULL, NULL
  FROM nmsp.modem m
UNION ALL
SELECT e.id * 8 + 4, macaddr_send(e.mac), 0::smallint, p.id, NULL, e.address - '0.0.0.0'::inet, e.name, NULL, NULL, NULL, NULL, NULL
  FROM nmsp.endpoint e JOIN nmsp.pool p ON p.network >>= e.address
 WHERE e.address IS NOT NULL AND e.mac IS NOT NULL
UNION ALL
SELECT e.id * 8 + 4, '\x43'::bytea || macaddr_send(m.mac), 4::smallint, p.id, NULL, e.address - '0.0.0.0'::inet, e.name, NULL, NULL, NULL, NULL, NULL
  FROM nmsp.endpoint e JOIN nmsp.modem m ON m.id = e.modem_id JOIN nmsp.pool p ON p.network >>= e.address
 WHERE e.address IS NOT NULL AND e.mac IS NULL
UNION ALL
-- A prefix without an address belongs to no network: it is reserved in the gateway's first IPv6 cpe
-- pool; the others are in the same shared network.
SELECT e.id * 8 + 5, macaddr_send(e.mac), 0::smallint, NULL,
       CASE WHEN e.address6 IS NOT NULL THEN (SELECT p.id FROM nmsp.pool p WHERE p.network >>= e.address6)
            WHEN e.delegated_prefix IS NOT NULL THEN
                (SELECT min(p.id) FROM nmsp.modem m JOIN nmsp.pool p ON p.netgw_id = m.netgw_id
                  WHERE m.id = e.modem_id AND p.purpose IN ('cpe_public', 'cpe_private') AND family(p.network) = 6) END,
       NULL, e.name, NULL, NULL, NULL, NULL, NULL
  FROM nmsp.endpoint e
UNION ALL
SELECT m.id * 8 + 6, macaddr_send(m.mac), 0::smallint, NULL, 0::bigint, NULL, 'cm-' || m.id, NULL, 'modem', NULL, NULL, NULL
  FROM nmsp.modem m
UNION ALL
SELECT t.id * 32 + 7, macaddr_send(t.mac), 0::smallint, 0::bigint, NULL, NULL, 'mta-' || t.id, 'adapter', NULL, NULL, t.id,
       coalesce(CASE WHEN t.address IS NOT NULL THEN (SELECT '{"fixed-subnet":' || p.id || ',"fixed-address":"' || host(t.address) || '"}' FROM nmsp.pool p WHERE p.network >>= t.address) END,
                '{"fixed-subnet":0}')
  FROM nmsp.mta t
UNION ALL
SELECT t.id * 32 + 15, macaddr_send(t.mac), 0::smallint, p.id, NULL, t.address - '0.0.0.0'::inet, 'mta-' || t.id, 'adapter', NULL, NULL, t.id, NULL
  FROM nmsp.mta t JOIN nmsp.pool p ON p.network >>= t.address
 WHERE t.address IS NOT NULL
UNION ALL
SELECT t.id * 32 + 23, macaddr_send(t.mac), 0::smallint, NULL, 0::bigint, NULL, 'mta-' || t.id, NULL, 'adapter', NULL, NULL, NULL
  FROM nmsp.mta t
UNION ALL
SELECT t.id * 32 + 31, macaddr_send(t.mac), 0::smallint, NULL, (SELECT p.id FROM nmsp.pool p WHERE p.network >>= t.address6), NULL, 'mta-' || t.id,
       NULL, 'adapter', NULL, NULL, NULL
  FROM nmsp.mta t) h
  LEFT JOIN nmsp.setting s ON s.id LEFT JOIN nmsp.setting_secret x ON x.id;
COMMENT ON VIEW nmsp_kea.hosts IS 'Kea''s hosts: modems, what is behind them, MTAs, endpoints. See the head of sql/views/60_kea.sql for the kinds.';
COMMENT ON COLUMN nmsp_kea.hosts.host_id IS '8 * id + kind; of an MTA 32 * id + kind.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp_identifier IS 'Hardware address, or ''C'' and the modem''s hardware address.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp_identifier_type IS '0 hardware address, 4 flexible identifier.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp4_subnet_id IS 'Id of the pool; 0: everywhere; null: not for DHCPv4.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp6_subnet_id IS 'Id of the pool; 0: everywhere; null: not for DHCPv6.';
COMMENT ON COLUMN nmsp_kea.hosts.ipv4_address IS 'Fixed IPv4 address as a number.';
COMMENT ON COLUMN nmsp_kea.hosts.hostname IS 'Host name (option 12).';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp4_client_classes IS 'modem, adapter, public, private or blocked; the classes that pools look at are made of these by nmsp_kea.dhcp4_config.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp6_client_classes IS 'The same for DHCPv6.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp4_next_server IS 'TFTP server (siaddr) as a number.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp4_server_hostname IS 'Always null.';
COMMENT ON COLUMN nmsp_kea.hosts.dhcp4_boot_file_name IS 'File of a modem or an MTA.';
COMMENT ON COLUMN nmsp_kea.hosts.user_context IS 'In subnet 0 fixed-subnet and fixed-address, which workers/kea reads; null: Kea is to ask.';
COMMENT ON COLUMN nmsp_kea.hosts.auth_key IS 'Always null.';

-- Joined to a host by its key: the branches of the inner UNION ALL are one table each as well.
CREATE OR REPLACE VIEW nmsp_kea.dhcp4_options AS
SELECT h.host_id * 256 + o.code AS option_id, o.code::smallint AS code, o.value, o.formatted_value, 'dhcp4'::text AS space, o.persistent,
       NULL::text AS user_context, h.host_id, 3::smallint AS scope_id
  FROM (SELECT m.id * 8 AS host_id, m.id, 'cm'::text AS device, NULL::text AS provisioning FROM nmsp.modem m
        UNION ALL SELECT m.id * 8 + 1, m.id, 'cm'::text, NULL::text FROM nmsp.modem m
        UNION ALL SELECT t.id * 32 + 7, t.id, 'mta'::text, t.provisioning FROM nmsp.mta t
        UNION ALL SELECT t.id * 32 + 15, t.id, 'mta'::text, t.provisioning FROM nmsp.mta t) h
 JOIN nmsp.setting s ON s.id JOIN nmsp.setting_secret x ON x.id JOIN nmsp.voice_setting v ON v.id = 1
 CROSS JOIN LATERAL (VALUES
       (2, nmsp_kea.time_offset(s.time_zone)::text, true, NULL::bytea),
       (4, CASE family(s.provisioning_server) WHEN 4 THEN host(s.provisioning_server) END, true, NULL),
       (7, coalesce(nmsp_kea.address_list(s.log_server, 4), CASE family(s.provisioning_server) WHEN 4 THEN host(s.provisioning_server) END), true, NULL),
       (15, CASE h.device WHEN 'mta' THEN coalesce(v.mta_domain, s.domain_name) ELSE s.domain_name END, false, NULL),
       (42, nmsp_kea.address_list(s.ntp_server, 4), false, NULL),
       (66, CASE family(s.provisioning_server) WHEN 4 THEN host(s.provisioning_server) END, false, NULL),
       (67, CASE h.device WHEN 'mta' THEN nmsp.mta_path(h.id, x.download_key) ELSE nmsp.modem_path(h.id, x.download_key) END, false, NULL),
       (122, NULL, true, CASE WHEN h.device = 'mta' THEN nmsp.mta_option_122(v, s.provisioning_server, h.provisioning)
                              WHEN EXISTS (SELECT FROM nmsp.mta t WHERE t.modem_id = h.id) THEN nmsp.cm_option_122(v, s.provisioning_server) END)
       ) o(code, formatted_value, persistent, value)
 WHERE o.formatted_value IS NOT NULL OR o.value IS NOT NULL;
COMMENT ON VIEW nmsp_kea.dhcp4_options IS 'DHCPv4 options of modems and MTAs, from nmsp.setting, nmsp.voice_setting and the device. Those of a network (3 router, 6 name servers) are in Kea''s subnets.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.option_id IS '256 * host_id + code. Kea skips an option whose number is not above the one before, also that of another host.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.code IS 'Number of the option.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.value IS 'Value of option 122 in bytes; null: it is written as text.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.formatted_value IS 'Value as Kea writes it.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.space IS 'Always dhcp4.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.persistent IS 'true: sent even when the client does not ask for it.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.user_context IS 'Always null.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.host_id IS 'The host.';
COMMENT ON COLUMN nmsp_kea.dhcp4_options.scope_id IS 'Always 3: options of a host.';

-- Numbers of the sub-options of option 17 (RFC 8415 21.17), enterprise 4491, are those of CableLabs' registry
-- CL-SP-CANN-DHCP-Reg. Kea has definitions of all that are sent here, with the same numbers and types
-- (docsis3_option_defs.h of kea-dev), so values are written as text:
--   32 TFTP servers: IPv6 addresses                     33 name of the configfile: text
--   34 syslog servers: IPv6 addresses                   37 time servers (RFC 868): IPv6 addresses
--   38 offset to UTC: seconds, signed, 32 bits
-- Not sent, because they are the client's or the CMTS's to say: 35 capabilities (as TLV 5), 36 device
-- identifier (the modem's MAC; what Kea's mac-sources "docsis-modem" reads), 1026 MAC of the modem (from the CMTS).
CREATE OR REPLACE VIEW nmsp_kea.dhcp6_options AS
SELECT h.host_id * 256 + o.code AS option_id, o.code, NULL::bytea AS value, o.formatted_value, o.space, true AS persistent,
       NULL::text AS user_context, h.host_id, 3::smallint AS scope_id
  FROM (SELECT m.id * 8 + 6 AS host_id, m.id, 'cm'::text AS device FROM nmsp.modem m UNION ALL SELECT m.id * 8 + 3, m.id, 'cm'::text FROM nmsp.modem m
        UNION ALL SELECT t.id * 32 + 23, t.id, 'mta'::text FROM nmsp.mta t UNION ALL SELECT t.id * 32 + 31, t.id, 'mta'::text FROM nmsp.mta t) h
 JOIN nmsp.setting s ON s.id JOIN nmsp.setting_secret x ON x.id
 CROSS JOIN LATERAL (VALUES
       (17, '4491', 'dhcp6'),
       (32, host(s.provisioning_server6), 'vendor-4491'),
       (33, CASE h.device WHEN 'mta' THEN nmsp.mta_path(h.id, x.download_key) ELSE nmsp.modem_path(h.id, x.download_key) END, 'vendor-4491'),
       (34, coalesce(nmsp_kea.address_list(s.log_server, 6), host(s.provisioning_server6)), 'vendor-4491'),
       (37, host(s.provisioning_server6), 'vendor-4491'),
       (38, nmsp_kea.time_offset(s.time_zone)::text, 'vendor-4491')) o(code, formatted_value, space)
 WHERE o.formatted_value IS NOT NULL;
COMMENT ON VIEW nmsp_kea.dhcp6_options IS 'DHCPv6 options of modems and MTAs: option 17 of enterprise 4491 with its sub-options 32 TFTP server, 33 file, 34 syslog server, 37 time server, 38 time offset.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.option_id IS '256 * host_id + code. Kea skips an option whose number is not above the one before, also that of another host.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.code IS 'Number of the option or sub-option.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.value IS 'Always null: all are written as text.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.formatted_value IS 'Value as Kea writes it.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.space IS 'dhcp6, or vendor-4491 for sub-options.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.persistent IS 'Always true: sent even when the client does not ask for it.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.user_context IS 'Always null.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.host_id IS 'The host.';
COMMENT ON COLUMN nmsp_kea.dhcp6_options.scope_id IS 'Always 3: options of a host.';

CREATE OR REPLACE VIEW nmsp_kea.ipv6_reservations AS
SELECT r.reservation_id, r.address, r.prefix_len, r.type, NULL::int AS dhcp6_iaid, r.host_id FROM nmsp_kea.ipv6_reservation r;
COMMENT ON VIEW nmsp_kea.ipv6_reservations IS 'Fixed IPv6 addresses and prefixes of Kea''s hosts.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.reservation_id IS 'Key.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.prefix_len IS '128, or the length of the prefix.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.type IS '0 address, 2 delegated prefix.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.dhcp6_iaid IS 'Always null: any identity association.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservations.host_id IS 'The host.';

-- nmsp_kea.ipv6_reservation ---------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_kea.due_reservation6 AS
SELECT m.id * 8 + 3 AS host_id, host(m.address6) AS address, 128::smallint AS prefix_len, 0::smallint AS type
  FROM nmsp.modem m WHERE m.address6 IS NOT NULL
UNION ALL
SELECT t.id * 32 + 31, host(t.address6), 128::smallint, 0::smallint FROM nmsp.mta t WHERE t.address6 IS NOT NULL
UNION ALL
SELECT e.id * 8 + 5, host(e.address6), 128::smallint, 0::smallint FROM nmsp.endpoint e WHERE e.address6 IS NOT NULL
UNION ALL
SELECT e.id * 8 + 5, host(e.delegated_prefix), masklen(e.delegated_prefix)::smallint, 2::smallint
  FROM nmsp.endpoint e WHERE e.delegated_prefix IS NOT NULL;
COMMENT ON VIEW nmsp_kea.due_reservation6 IS 'What nmsp_kea.ipv6_reservation is to hold.';
COMMENT ON COLUMN nmsp_kea.due_reservation6.host_id IS 'The host of nmsp_kea.hosts.';
COMMENT ON COLUMN nmsp_kea.due_reservation6.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp_kea.due_reservation6.prefix_len IS '128, or the length of the prefix.';
COMMENT ON COLUMN nmsp_kea.due_reservation6.type IS '0 address, 2 delegated prefix.';

CREATE OR REPLACE FUNCTION nmsp_kea.keep_reservation6() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever may change a device need not have rights on the table
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    kind CONSTANT bigint := TG_ARGV[0];
    step CONSTANT bigint := CASE TG_TABLE_NAME WHEN 'mta' THEN 32 ELSE 8 END;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM nmsp_kea.ipv6_reservation r WHERE r.host_id % step = kind;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM nmsp_kea.ipv6_reservation r WHERE r.host_id = OLD.id * step + kind;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.address6 IS NOT NULL THEN
            INSERT INTO nmsp_kea.ipv6_reservation (host_id, address, prefix_len, type)
            VALUES (NEW.id * step + kind, host(NEW.address6), 128, 0);
        END IF;
        IF TG_TABLE_NAME = 'endpoint' THEN
            INSERT INTO nmsp_kea.ipv6_reservation (host_id, address, prefix_len, type)
            SELECT NEW.id * step + kind, host(NEW.delegated_prefix), masklen(NEW.delegated_prefix), 2
             WHERE NEW.delegated_prefix IS NOT NULL;
        END IF;
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_kea.keep_reservation6() FROM PUBLIC;
COMMENT ON FUNCTION nmsp_kea.keep_reservation6() IS 'Trigger: nmsp_kea.ipv6_reservation follows the device. The argument is the kind of host.';

-- ALWAYS: rows that come by logical replication count too.
CREATE OR REPLACE TRIGGER kea_insert AFTER INSERT ON nmsp.modem
    FOR EACH ROW WHEN (NEW.address6 IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('3');
CREATE OR REPLACE TRIGGER kea_update AFTER UPDATE ON nmsp.modem
    FOR EACH ROW WHEN (OLD.address6 IS DISTINCT FROM NEW.address6 OR OLD.id <> NEW.id) EXECUTE FUNCTION nmsp_kea.keep_reservation6('3');
CREATE OR REPLACE TRIGGER kea_delete AFTER DELETE ON nmsp.modem
    FOR EACH ROW WHEN (OLD.address6 IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('3');
CREATE OR REPLACE TRIGGER kea_truncate AFTER TRUNCATE ON nmsp.modem
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp_kea.keep_reservation6('3');
CREATE OR REPLACE TRIGGER kea_insert AFTER INSERT ON nmsp.endpoint
    FOR EACH ROW WHEN (NEW.address6 IS NOT NULL OR NEW.delegated_prefix IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('5');
CREATE OR REPLACE TRIGGER kea_update AFTER UPDATE ON nmsp.endpoint
    FOR EACH ROW WHEN (OLD.address6 IS DISTINCT FROM NEW.address6 OR OLD.delegated_prefix IS DISTINCT FROM NEW.delegated_prefix OR OLD.id <> NEW.id)
    EXECUTE FUNCTION nmsp_kea.keep_reservation6('5');
CREATE OR REPLACE TRIGGER kea_delete AFTER DELETE ON nmsp.endpoint
    FOR EACH ROW WHEN (OLD.address6 IS NOT NULL OR OLD.delegated_prefix IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('5');
CREATE OR REPLACE TRIGGER kea_truncate AFTER TRUNCATE ON nmsp.endpoint
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp_kea.keep_reservation6('5');
CREATE OR REPLACE TRIGGER kea_insert AFTER INSERT ON nmsp.mta
    FOR EACH ROW WHEN (NEW.address6 IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('31');
CREATE OR REPLACE TRIGGER kea_update AFTER UPDATE ON nmsp.mta
    FOR EACH ROW WHEN (OLD.address6 IS DISTINCT FROM NEW.address6 OR OLD.id <> NEW.id) EXECUTE FUNCTION nmsp_kea.keep_reservation6('31');
CREATE OR REPLACE TRIGGER kea_delete AFTER DELETE ON nmsp.mta
    FOR EACH ROW WHEN (OLD.address6 IS NOT NULL) EXECUTE FUNCTION nmsp_kea.keep_reservation6('31');
CREATE OR REPLACE TRIGGER kea_truncate AFTER TRUNCATE ON nmsp.mta
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp_kea.keep_reservation6('31');
ALTER TABLE nmsp.mta ENABLE ALWAYS TRIGGER kea_insert, ENABLE ALWAYS TRIGGER kea_update, ENABLE ALWAYS TRIGGER kea_delete,
    ENABLE ALWAYS TRIGGER kea_truncate;
ALTER TABLE nmsp.modem ENABLE ALWAYS TRIGGER kea_insert, ENABLE ALWAYS TRIGGER kea_update, ENABLE ALWAYS TRIGGER kea_delete,
    ENABLE ALWAYS TRIGGER kea_truncate;
ALTER TABLE nmsp.endpoint ENABLE ALWAYS TRIGGER kea_insert, ENABLE ALWAYS TRIGGER kea_update, ENABLE ALWAYS TRIGGER kea_delete,
    ENABLE ALWAYS TRIGGER kea_truncate;

DELETE FROM nmsp_kea.ipv6_reservation r
 WHERE NOT EXISTS (SELECT FROM nmsp_kea.due_reservation6 d
                    WHERE (d.host_id, d.type, d.address, d.prefix_len) = (r.host_id, r.type, r.address, r.prefix_len));
INSERT INTO nmsp_kea.ipv6_reservation (host_id, address, prefix_len, type)
SELECT d.host_id, d.address, d.prefix_len, d.type FROM nmsp_kea.due_reservation6 d
 WHERE NOT EXISTS (SELECT FROM nmsp_kea.ipv6_reservation r WHERE (r.host_id, r.type) = (d.host_id, d.type));

-- rights ----------------------------------------------------------------------------------------

CREATE OR REPLACE PROCEDURE nmsp_kea.grant_to(grantee regrole)
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    value text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA nmsp_kea TO %s', grantee);
    EXECUTE format('GRANT SELECT ON nmsp_kea.schema_version, nmsp_kea.hosts, nmsp_kea.dhcp4_options, nmsp_kea.dhcp6_options, nmsp_kea.ipv6_reservations TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp.address_list(inet[], int), nmsp_kea.address_list(inet[], int), nmsp_kea.time_offset(text), nmsp.cpe_class(bigint, boolean, boolean) TO %s', grantee);
    -- Kea names tables without a schema, prepares its statements once per connection, and only ever
    -- looks a few rows up: no plan but one of index scans is right, whatever the statistics say.
    FOREACH value IN ARRAY ARRAY['search_path TO nmsp_kea', 'plan_cache_mode TO force_generic_plan', 'jit TO off', 'enable_seqscan TO off',
                                 'enable_hashjoin TO off', 'enable_mergejoin TO off', 'max_parallel_workers_per_gather TO 0'] LOOP
        EXECUTE format('ALTER ROLE %s IN DATABASE %I SET %s', grantee, current_database(), value);
    END LOOP;
END
$fn$;
REVOKE ALL ON PROCEDURE nmsp_kea.grant_to(regrole) FROM PUBLIC;
COMMENT ON PROCEDURE nmsp_kea.grant_to(regrole) IS
'Level kea of nmsp.grant_to: the role reads the views that Kea reads, and gets its search_path and planner settings for this database.';

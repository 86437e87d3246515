-- Kea's own tables (schema kea_native, made by Kea's script before) with what the views say: the same
-- reservations, the same options. Indexes are made after the rows, which is faster and no worse.
SET search_path TO kea_native;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET session_replication_role = replica;
CREATE TEMP TABLE later AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS sql FROM pg_index i
     WHERE i.indrelid IN ('hosts'::regclass, 'dhcp4_options'::regclass)
       AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM later LOOP EXECUTE 'DROP INDEX ' || r.name; END LOOP; END $$;
INSERT INTO hosts (host_id, dhcp_identifier, dhcp_identifier_type, dhcp4_subnet_id, dhcp6_subnet_id, ipv4_address, hostname,
                   dhcp4_client_classes, dhcp4_next_server, dhcp4_boot_file_name)
    SELECT host_id, dhcp_identifier, dhcp_identifier_type, dhcp4_subnet_id, dhcp6_subnet_id, ipv4_address, hostname,
           dhcp4_client_classes, dhcp4_next_server, dhcp4_boot_file_name
      FROM nmsp_kea.hosts WHERE dhcp4_subnet_id IS NOT NULL;
INSERT INTO dhcp4_options (code, value, formatted_value, space, persistent, host_id, scope_id)
    SELECT o.code, o.value, o.formatted_value, o.space, o.persistent, o.host_id, o.scope_id
      FROM nmsp_kea.dhcp4_options o JOIN hosts h ON h.host_id = o.host_id ORDER BY o.host_id, o.code;
DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM later LOOP EXECUTE r.sql; END LOOP; END $$;
RESET session_replication_role;
VACUUM (FREEZE, ANALYZE) hosts;
VACUUM (FREEZE, ANALYZE) dhcp4_options;
CREATE ROLE kea_native LOGIN;
ALTER ROLE kea_native SET search_path TO kea_native;
GRANT USAGE ON SCHEMA kea_native TO kea_native;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kea_native TO kea_native;

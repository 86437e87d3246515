-- From rows to the files of MTAs: what the placeholders of their templates read, and the file.

CREATE OR REPLACE FUNCTION nmsp.mta_path(mta_id bigint, download_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'mta/' || nmsp.file_folder(mta_id) || 'mta-' || mta_id
    || coalesce('-' || "left"(encode(sha256(convert_to(download_key || ' mta ' || mta_id || ' ' || download_key, 'UTF8')), 'hex'), 16), '') || '.cfg';
COMMENT ON FUNCTION nmsp.mta_path(bigint, text) IS
'Name of an MTA''s file; with a key (nmsp.setting_secret.download_key) nobody can guess it.';

CREATE OR REPLACE FUNCTION nmsp.mta_config(t nmsp.mta) RETURNS docsis.config
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER -- who may have files need not be able to read secrets
SET search_path TO pg_catalog, pg_temp
SET plan_cache_mode TO force_generic_plan -- a plan of this size takes longer to make than to run
AS $fn$
DECLARE
    config docsis.config;
BEGIN
    -- One statement, without functions in SQL that would be planned for each MTA anew.
    WITH RECURSIVE chain(next_id, depth, name, dial_plan_id, source) AS (
        SELECT e.parent_id, 1, e.name, e.dial_plan_id, e.source FROM nmsp.template e WHERE e.id = t.template_id
        UNION ALL
        SELECT e.parent_id, c.depth + 1, c.name, c.dial_plan_id, e.source FROM chain c JOIN nmsp.template e ON e.id = c.next_id),
    template AS (
        SELECT nmsp.join_templates(array_agg(c.source ORDER BY c.depth)) AS source, max(c.name) AS name, coalesce(t.dial_plan_id, max(c.dial_plan_id)) AS dial_plan_id FROM chain c)
    SELECT docsis.mta(
               nmsp.encode_mta(e.source, e.name,
                   jsonb_build_object(
                       'provbase.provisioning_server.0', host(s.provisioning_server), 'provbase.ro_community.0', x.ro_community, 'provbase.rw_community.0', x.rw_community,
                       'provbase.domain_name.0', s.domain_name, 'provbase.dhcp_def_lease_time.0', s.default_lease_time, 'provbase.dhcp_max_lease_time.0', s.max_lease_time,
                       'provbase.max_cpe.0', s.max_cpe, 'provbase.ds_rate_coefficient.0', s.ds_rate_coefficient, 'provbase.us_rate_coefficient.0', s.us_rate_coefficient)
                   || (SELECT jsonb_object_agg('voice.' || j.key || '.0', j.value) FROM jsonb_each(to_jsonb(v)) j)
                   || (SELECT jsonb_object_agg('mta.' || j.key || '.0', j.value) FROM jsonb_each(to_jsonb(t)) j)
                   || jsonb_build_object('mta.hostname.0', 'mta-' || t.id, 'mta.configfile_id.0', t.template_id, 'mta.is_dummy.0', '')
                   || coalesce(l.numbers, '{}')),
               coalesce(t.hash, v.hash),
               (SELECT docsis.dialplan(d.digit_map) FROM nmsp.dial_plan d WHERE d.id = e.dial_plan_id))
      INTO config
      FROM template e CROSS JOIN nmsp.setting s CROSS JOIN nmsp.setting_secret x CROSS JOIN nmsp.voice_setting v
     CROSS JOIN LATERAL (
           SELECT jsonb_object_agg('phonenumber.' || k.key || '.' || n.port, k.value) AS numbers
             FROM nmsp.phone_line n LEFT JOIN nmsp.phone_number_secret c ON c.phone_number_id = n.phone_number_id
            CROSS JOIN LATERAL (VALUES
                  ('id', n.phone_number_id::text), ('mta_id', n.mta_id::text), ('port', n.port::text), ('e164', n.number::text),
                  ('country_code', n.country_code), ('prefix_number', n.prefix_number), ('number', n.subscriber_number), ('username', n.username),
                  -- AVM's lines have no switch of their own: the password is it.
                  ('password', CASE WHEN n.state = 'suspended' AND e.source LIKE '%872.1.4.3.1.5.%' THEN 'deactivated number' ELSE c.password END),
                  ('sipdomain', n.sip_domain), ('sip_registrar', n.sip_registrar), ('active', CASE n.state WHEN 'active' THEN '1' ELSE '2' END),
                  ('trc_class', n.trc_class::text), ('contract_external_id', n.external_id)) k(key, value)
            WHERE n.mta_id = t.id AND n.state IN ('active', 'suspended')) l
     WHERE e.source IS NOT NULL;
    RETURN config;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.mta_config(nmsp.mta) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.mta_config(nmsp.mta) IS
'The file that a row of nmsp.mta calls for at this moment, with its dial plan and hash: SELECT t.mac, nmsp.mta_config(t) FROM nmsp.mta t. The row need not be stored. Errors: as nmsp.encode_mta.';

CREATE OR REPLACE FUNCTION nmsp.mta_config(mta_id bigint) RETURNS docsis.config
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT nmsp.mta_config(t) FROM nmsp.mta t WHERE t.id = mta_config.mta_id);
REVOKE ALL ON FUNCTION nmsp.mta_config(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.mta_config(bigint) IS 'The file of an MTA as it is due now; null when there is no such MTA. Errors: as nmsp.encode_mta.';

CREATE OR REPLACE VIEW nmsp.mta_file AS
SELECT t.id AS mta_id, nmsp.mta_path(t.id, x.download_key) AS path, nmsp.mta_config(t) AS config FROM nmsp.mta t, nmsp.setting_secret x;
COMMENT ON VIEW nmsp.mta_file IS 'Every MTA''s file as it is due now; computed, never stored.';
COMMENT ON COLUMN nmsp.mta_file.mta_id IS 'The MTA.';
COMMENT ON COLUMN nmsp.mta_file.path IS 'Name under the TFTP root, as DHCP announces it.';
COMMENT ON COLUMN nmsp.mta_file.config IS 'The file; see nmsp.mta_config.';

INSERT INTO nmsp_feed.boundary_source (name, source_function) VALUES ('voice', 'nmsp.phone_number_boundary')
ON CONFLICT (name) DO UPDATE SET source_function = excluded.source_function;

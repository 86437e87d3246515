-- From rows to the files of MTAs: what the placeholders of their templates read, and the file.

CREATE OR REPLACE FUNCTION nmsp.mta_path(mta_id bigint, download_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'mta/' || nmsp.file_folder(mta_id) || 'mta-' || mta_id
    || coalesce('-' || "left"(encode(sha256(convert_to(download_key || ' mta ' || mta_id || ' ' || download_key, 'UTF8')), 'hex'), 16), '') || '.cfg';
COMMENT ON FUNCTION nmsp.mta_path(bigint, text) IS
'Name of an MTA''s file; with a key (nmsp.setting_secret.download_key) nobody can guess it.';

CREATE OR REPLACE FUNCTION nmsp.mta_values(t nmsp.mta) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT pg_catalog.jsonb_object_agg('mta.' || e.key || '.0', e.value) FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(t)) e)
    || pg_catalog.jsonb_build_object('mta.hostname.0', 'mta-' || (t).id, 'mta.configfile_id.0', (t).template_id, 'mta.is_dummy.0', '');
COMMENT ON FUNCTION nmsp.mta_values(nmsp.mta) IS 'Values of the mta placeholders: each column of nmsp.mta, and the predecessor''s names.';

CREATE OR REPLACE FUNCTION nmsp.line_values(mta_id bigint, hide_suspended boolean) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg('phonenumber.' || x.key || '.' || l.port, x.value)
      FROM nmsp.phone_line l JOIN nmsp.phone_number n ON n.id = l.phone_number_id LEFT JOIN nmsp.phone_number_secret s ON s.phone_number_id = l.phone_number_id
     CROSS JOIN LATERAL (VALUES
           ('id', l.phone_number_id::text), ('mta_id', l.mta_id::text), ('port', l.port::text), ('e164', l.number::text),
           ('country_code', l.country_code), ('prefix_number', l.prefix_number), ('number', l.subscriber_number), ('username', l.username),
           ('password', CASE WHEN l.state = 'suspended' AND hide_suspended THEN 'deactivated number' ELSE s.password END),
           ('sipdomain', l.sip_domain), ('sip_registrar', l.sip_registrar), ('active', CASE l.state WHEN 'active' THEN '1' ELSE '2' END),
           ('trc_class', n.trc_class::text), ('contract_external_id', n.external_id)) x(key, value)
     WHERE l.mta_id = line_values.mta_id AND l.state IN ('active', 'suspended');
END;
REVOKE ALL ON FUNCTION nmsp.line_values(bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.line_values(bigint, boolean) IS
'Values of the phonenumber placeholders of an MTA, passwords among them: its numbers that are active or suspended now, by port. hide_suspended: suspended ones have no password.';

CREATE OR REPLACE FUNCTION nmsp.voice_values() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg('voice.' || e.key || '.0', e.value) FROM nmsp.voice_setting v, pg_catalog.jsonb_each(pg_catalog.to_jsonb(v)) e WHERE e.key <> 'id';
END;
COMMENT ON FUNCTION nmsp.voice_values() IS 'Values of the voice placeholders: each column of nmsp.voice_setting.';

CREATE OR REPLACE FUNCTION nmsp.mta_config(t nmsp.mta) RETURNS docsis.config
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER -- who may have files need not be able to read secrets
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT docsis.mta(
               nmsp.encode_mta(p.source, p.name, (nmsp.setting_values()).placeholders || nmsp.voice_values() || nmsp.mta_values(t)
                   -- AVM's lines have no switch of their own: the password is it.
                   || coalesce(nmsp.line_values((t).id, p.source LIKE '%872.1.4.3.1.5.%'), '{}')),
               coalesce((t).hash, v.hash),
               (SELECT docsis.dialplan(d.digit_map) FROM nmsp.dial_plan d WHERE d.id = coalesce((t).dial_plan_id, e.dial_plan_id)))
      FROM nmsp.template e CROSS JOIN LATERAL nmsp.template_parts(e.id) p CROSS JOIN nmsp.voice_setting v WHERE e.id = (t).template_id;
END;
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

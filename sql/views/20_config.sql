-- From rows to configfiles: the placeholders of templates and what they read, and the sealed file.

-- What nmsp.modem_config asks is PL/pgSQL: its plans are kept, while the body of an SQL function that
-- cannot become a part of its query is planned at each call.
CREATE OR REPLACE FUNCTION nmsp.template_parts(template_id bigint, OUT source text, OUT name text, OUT version int)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    WITH RECURSIVE chain(next_id, depth, name, version, source) AS (
        SELECT t.parent_id, 1, t.name, t.version, t.source FROM nmsp.template t WHERE t.id = template_parts.template_id
        UNION ALL
        SELECT t.parent_id, c.depth + 1, c.name, t.version, t.source FROM chain c JOIN nmsp.template t ON t.id = c.next_id)
    SELECT nmsp.join_templates(pg_catalog.array_agg(c.source ORDER BY c.depth)), max(c.name), sum(c.version)::int
      INTO source, name, version FROM chain c;
END
$fn$;
COMMENT ON FUNCTION nmsp.template_parts(bigint) IS 'A template''s whole text (its own, then its parents'' without what it overrides), its name, and a version that grows whenever a text of the chain changes.';

CREATE OR REPLACE VIEW nmsp.template_text AS
SELECT t.id, t.name, t.device, p.version, p.source FROM nmsp.template t CROSS JOIN LATERAL nmsp.template_parts(t.id) p;
COMMENT ON VIEW nmsp.template_text IS 'Each template''s whole text: its own, then its parents'' up to the root.';
COMMENT ON COLUMN nmsp.template_text.id IS 'Key of the template.';
COMMENT ON COLUMN nmsp.template_text.name IS 'Its name.';
COMMENT ON COLUMN nmsp.template_text.device IS 'cm or mta.';
COMMENT ON COLUMN nmsp.template_text.version IS 'Grows whenever a text of the chain changes.';
COMMENT ON COLUMN nmsp.template_text.source IS 'The whole text.';

CREATE OR REPLACE FUNCTION nmsp.template_placeholders(OUT placeholder text, OUT reads text, OUT note text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    VALUES
    ('provbase.provisioning_server.0', 'nmsp.setting.provisioning_server', 'address without mask'),
    ('provbase.ro_community.0',        'nmsp.setting_secret.ro_community', NULL),
    ('provbase.rw_community.0',        'nmsp.setting_secret.rw_community', NULL),
    ('provbase.domain_name.0',         'nmsp.setting.domain_name', NULL),
    ('provbase.dhcp_def_lease_time.0', 'nmsp.setting.default_lease_time', 'seconds'),
    ('provbase.dhcp_max_lease_time.0', 'nmsp.setting.max_lease_time', 'seconds'),
    ('provbase.max_cpe.0',             'nmsp.setting.max_cpe', NULL),
    ('provbase.ds_rate_coefficient.0', 'nmsp.setting.ds_rate_coefficient', NULL),
    ('provbase.us_rate_coefficient.0', 'nmsp.setting.us_rate_coefficient', NULL),
    ('qos.id.0',                       'nmsp.service_class.id', NULL),
    ('qos.name.0',                     'nmsp.service_class.name', NULL),
    ('qos.ds_rate_max.0',              'nmsp.service_class.ds_rate', 'Mbit/s'),
    ('qos.us_rate_max.0',              'nmsp.service_class.us_rate', 'Mbit/s'),
    ('qos.ds_rate_max_help.0',         'nmsp.service_class.ds_rate', 'bit/s, times nmsp.setting.ds_rate_coefficient'),
    ('qos.us_rate_max_help.0',         'nmsp.service_class.us_rate', 'bit/s, times nmsp.setting.us_rate_coefficient'),
    ('qos.ds_name.0',                  'nmsp.service_class.ds_name', NULL),
    ('qos.us_name.0',                  'nmsp.service_class.us_name', NULL),
    ('qos.ds_peak_rate.0',                     'nmsp.service_class.ds_peak_rate', 'bit/s, times nmsp.setting.ds_rate_coefficient'),
    ('qos.us_peak_rate.0',                     'nmsp.service_class.us_peak_rate', 'bit/s, times nmsp.setting.us_rate_coefficient'),
    ('qos.ds_max_burst.0',                     'nmsp.service_class.ds_max_burst', 'bytes'),
    ('qos.us_max_burst.0',                     'nmsp.service_class.us_max_burst', 'bytes'),
    ('qos.ds_min_reserved_rate.0',             'nmsp.service_class.ds_min_reserved_rate', 'bit/s, times nmsp.setting.ds_rate_coefficient'),
    ('qos.us_min_reserved_rate.0',             'nmsp.service_class.us_min_reserved_rate', 'bit/s, times nmsp.setting.us_rate_coefficient'),
    ('qos.ds_min_packet_size.0',               'nmsp.service_class.ds_min_packet_size', 'bytes'),
    ('qos.us_min_packet_size.0',               'nmsp.service_class.us_min_packet_size', 'bytes'),
    ('qos.ds_traffic_priority.0',              'nmsp.service_class.ds_traffic_priority', NULL),
    ('qos.us_traffic_priority.0',              'nmsp.service_class.us_traffic_priority', NULL),
    ('qos.ds_attributes_required.0',           'nmsp.service_class.ds_attributes_required', '0x and 8 digits'),
    ('qos.us_attributes_required.0',           'nmsp.service_class.us_attributes_required', '0x and 8 digits'),
    ('qos.ds_attributes_forbidden.0',          'nmsp.service_class.ds_attributes_forbidden', '0x and 8 digits'),
    ('qos.us_attributes_forbidden.0',          'nmsp.service_class.us_attributes_forbidden', '0x and 8 digits'),
    ('qos.ds_tos_overwrite.0',                 'nmsp.service_class.ds_tos_overwrite', '0x and 4 digits'),
    ('qos.us_tos_overwrite.0',                 'nmsp.service_class.us_tos_overwrite', '0x and 4 digits'),
    ('qos.ds_aqm_disabled.0',                  'nmsp.service_class.ds_aqm_disabled', '1 or 0'),
    ('qos.us_aqm_disabled.0',                  'nmsp.service_class.us_aqm_disabled', '1 or 0'),
    ('qos.ds_aqm_latency_target.0',            'nmsp.service_class.ds_aqm_latency_target', 'ms'),
    ('qos.us_aqm_latency_target.0',            'nmsp.service_class.us_aqm_latency_target', 'ms'),
    ('qos.ds_aqm_algorithm.0',                 'nmsp.service_class.ds_aqm_algorithm', NULL),
    ('qos.us_aqm_algorithm.0',                 'nmsp.service_class.us_aqm_algorithm', NULL),
    ('qos.ds_aqm_max_threshold.0',             'nmsp.service_class.ds_aqm_max_threshold', 'us'),
    ('qos.us_aqm_max_threshold.0',             'nmsp.service_class.us_aqm_max_threshold', 'us'),
    ('qos.ds_aqm_range_exponent.0',            'nmsp.service_class.ds_aqm_range_exponent', NULL),
    ('qos.us_aqm_range_exponent.0',            'nmsp.service_class.us_aqm_range_exponent', NULL),
    ('qos.ds_buffer_minimum.0',                'nmsp.service_class.ds_buffer_minimum', 'bytes'),
    ('qos.us_buffer_minimum.0',                'nmsp.service_class.us_buffer_minimum', 'bytes'),
    ('qos.ds_buffer_target.0',                 'nmsp.service_class.ds_buffer_target', 'bytes'),
    ('qos.us_buffer_target.0',                 'nmsp.service_class.us_buffer_target', 'bytes'),
    ('qos.ds_buffer_maximum.0',                'nmsp.service_class.ds_buffer_maximum', 'bytes'),
    ('qos.us_buffer_maximum.0',                'nmsp.service_class.us_buffer_maximum', 'bytes'),
    ('qos.ds_aggregate_name.0',                'nmsp.service_class.ds_aggregate_name', NULL),
    ('qos.us_aggregate_name.0',                'nmsp.service_class.us_aggregate_name', NULL),
    ('qos.ds_classic_name.0',                  'nmsp.service_class.ds_classic_name', NULL),
    ('qos.us_classic_name.0',                  'nmsp.service_class.us_classic_name', NULL),
    ('qos.ds_low_latency_name.0',              'nmsp.service_class.ds_low_latency_name', NULL),
    ('qos.us_low_latency_name.0',              'nmsp.service_class.us_low_latency_name', NULL),
    ('qos.ds_coupling_factor.0',               'nmsp.service_class.ds_coupling_factor', NULL),
    ('qos.us_coupling_factor.0',               'nmsp.service_class.us_coupling_factor', NULL),
    ('qos.ds_scheduling_weight.0',             'nmsp.service_class.ds_scheduling_weight', NULL),
    ('qos.us_scheduling_weight.0',             'nmsp.service_class.us_scheduling_weight', NULL),
    ('qos.ds_queue_protection.0',              'nmsp.service_class.ds_queue_protection', '1 or 0'),
    ('qos.us_queue_protection.0',              'nmsp.service_class.us_queue_protection', '1 or 0'),
    ('qos.ds_max_latency.0',                   'nmsp.service_class.ds_max_latency', 'us'),
    ('qos.ds_resequencing.0',                  'nmsp.service_class.ds_resequencing', '1 or 0'),
    ('qos.us_max_concatenated_burst.0',        'nmsp.service_class.us_max_concatenated_burst', 'bytes'),
    ('qos.us_scheduling_type.0',               'nmsp.service_class.us_scheduling_type', NULL),
    ('qos.us_request_policy.0',                'nmsp.service_class.us_request_policy', '0x and 8 digits'),
    ('qos.us_poll_interval.0',                 'nmsp.service_class.us_poll_interval', 'us'),
    ('qos.us_poll_jitter.0',                   'nmsp.service_class.us_poll_jitter', 'us'),
    ('qos.us_grant_size.0',                    'nmsp.service_class.us_grant_size', 'bytes'),
    ('qos.us_grant_interval.0',                'nmsp.service_class.us_grant_interval', 'us'),
    ('qos.us_grant_jitter.0',                  'nmsp.service_class.us_grant_jitter', 'us'),
    ('qos.us_grants_per_interval.0',           'nmsp.service_class.us_grants_per_interval', NULL),
    ('qos.us_guaranteed_grant_interval.0',     'nmsp.service_class.us_guaranteed_grant_interval', 'us'),
    ('qos.us_guaranteed_grant_rate.0',         'nmsp.service_class.us_guaranteed_grant_rate', 'bit/s'),
    ('qos.us_guaranteed_request_interval.0',   'nmsp.service_class.us_guaranteed_request_interval', 'us'),
    ('modem.id.0',                     'nmsp.modem.id', NULL),
    ('modem.hostname.0',               'nmsp.modem.id', 'cm-<id>'),
    ('modem.name.0',                   'nmsp.modem.name', NULL),
    ('modem.mac.0',                    'nmsp.modem.mac', NULL),
    ('modem.netgw_id.0',               'nmsp.modem.netgw_id', NULL),
    ('modem.configfile_id.0',          'nmsp.modem.template_id', NULL),
    ('modem.qos_id.0',                 'nmsp.modem.service_class_id', NULL),
    ('modem.internet_access.0',        'nmsp.modem.internet_access', '1 or nothing'),
    ('modem.public.0',                 'nmsp.modem.public_cpe', '1 or nothing'),
    ('modem.ipv4.0',                   'nmsp.modem.address', 'the fixed address, without mask'),
    ('modem.serial_num.0',             'nmsp.modem.serial_number', NULL),
    ('modem.model.0',                  'nmsp.modem.model', NULL),
    ('modem.<key>.0',                  'nmsp.modem_option.value', 'the option of this key, unless nmsp.modem has a column of that name'),
    ('modem.<column>.0',               'nmsp.modem.<column>', 'any other column, those of your own too'),
    ('mta.id.0',                       'nmsp.mta.id', 'templates of device mta, as all that follow'),
    ('mta.hostname.0',                 'nmsp.mta.id', 'mta-<id>'),
    ('mta.mac.0',                      'nmsp.mta.mac', NULL),
    ('mta.modem_id.0',                 'nmsp.mta.modem_id', NULL),
    ('mta.configfile_id.0',            'nmsp.mta.template_id', NULL),
    ('mta.type.0',                     'nmsp.mta.type', 'sip or packetcable'),
    ('mta.is_dummy.0',                 'nmsp.mta.id', 'always nothing'),
    ('mta.<column>.0',                 'nmsp.mta.<column>', 'any other column, those of your own too'),
    ('phonenumber.id.<port>',          'nmsp.phone_number.id', 'numbers that are active or suspended now, by port'),
    ('phonenumber.mta_id.<port>',      'nmsp.phone_number.mta_id', NULL),
    ('phonenumber.port.<port>',        'nmsp.phone_number.port', NULL),
    ('phonenumber.country_code.<port>', 'nmsp.phone_number.country_code', 'behind nmsp.voice_setting.international_prefix: 0049'),
    ('phonenumber.prefix_number.<port>', 'nmsp.phone_number.area_code', 'behind nmsp.voice_setting.trunk_prefix: 0372'),
    ('phonenumber.number.<port>',      'nmsp.phone_number.number', 'what follows country and area code'),
    ('phonenumber.e164.<port>',        'nmsp.phone_number.number', 'the whole number: +49372555001'),
    ('phonenumber.username.<port>',    'nmsp.phone_number.username', NULL),
    ('phonenumber.password.<port>',    'nmsp.phone_number_secret.password', 'of a suspended number "deactivated number" in templates of AVM Fritz!Box (872.1.4.3.1.5)'),
    ('phonenumber.sipdomain.<port>',   'nmsp.phone_number.sip_domain', 'or that of nmsp.voice_setting'),
    ('phonenumber.sip_registrar.<port>', 'nmsp.phone_number.sip_registrar', 'or that of nmsp.voice_setting'),
    ('phonenumber.active.<port>',      'nmsp.phone_number.active', '1, or 2 of a suspended number: a value of ifAdminStatus'),
    ('phonenumber.trc_class.<port>',   'nmsp.phone_number.trc_class', NULL),
    ('phonenumber.contract_external_id.<port>', 'nmsp.phone_number.external_id', NULL),
    ('voice.<column>.0',               'nmsp.voice_setting.<column>', 'any column');
END;
COMMENT ON FUNCTION nmsp.template_placeholders() IS
'Which column each placeholder of the template language reads. Without a service class the qos placeholders have no value and their lines are left out; so is the line of a flow''s parameter that the class does not set. Any other null column is an empty value.';

CREATE OR REPLACE VIEW nmsp.template_placeholder AS SELECT * FROM nmsp.template_placeholders();
COMMENT ON VIEW nmsp.template_placeholder IS 'The placeholders of the template language and the columns they read.';
COMMENT ON COLUMN nmsp.template_placeholder.placeholder IS 'As written in braces.';
COMMENT ON COLUMN nmsp.template_placeholder.reads IS 'The column.';
COMMENT ON COLUMN nmsp.template_placeholder.note IS 'Unit or condition.';

-- What nmsp.modem_config asks, each once per statement and key.

CREATE OR REPLACE FUNCTION nmsp.setting_values(OUT placeholders jsonb, OUT max_cpe int)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    SELECT pg_catalog.jsonb_build_object(
        'provbase.provisioning_server.0', host(s.provisioning_server),
        'provbase.ro_community.0', x.ro_community,
        'provbase.rw_community.0', x.rw_community,
        'provbase.domain_name.0', s.domain_name,
        'provbase.dhcp_def_lease_time.0', s.default_lease_time,
        'provbase.dhcp_max_lease_time.0', s.max_lease_time,
        'provbase.max_cpe.0', s.max_cpe,
        'provbase.ds_rate_coefficient.0', s.ds_rate_coefficient,
        'provbase.us_rate_coefficient.0', s.us_rate_coefficient), s.max_cpe
      INTO placeholders, max_cpe FROM nmsp.setting s, nmsp.setting_secret x;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.setting_values() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.setting_values() IS 'Values of the provbase placeholders, communities among them, and the MaxCPE of modems.';

CREATE OR REPLACE FUNCTION nmsp.service_class_values(service_class_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    -- The parameters of flows by the names of their columns; one that is not set has no value.
    RETURN (SELECT (SELECT coalesce(pg_catalog.jsonb_object_agg('qos.' || p.key || '.0',
                CASE p.value WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE p.value END), '{}')
            FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(c)) p
           WHERE p.value <> 'null' AND p.key <> ALL ('{id,name,ds_rate,us_rate,ds_name,us_name,description}'))
     || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'qos.ds_peak_rate.0', pg_catalog.round(c.ds_peak_rate * s.ds_rate_coefficient),
        'qos.us_peak_rate.0', pg_catalog.round(c.us_peak_rate * s.us_rate_coefficient),
        'qos.ds_min_reserved_rate.0', pg_catalog.round(c.ds_min_reserved_rate * s.ds_rate_coefficient),
        'qos.us_min_reserved_rate.0', pg_catalog.round(c.us_min_reserved_rate * s.us_rate_coefficient)))
     || pg_catalog.jsonb_build_object(
        'qos.id.0', c.id,
        'qos.name.0', c.name,
        'qos.ds_rate_max.0', pg_catalog.trim_scale(c.ds_rate / 1000000.0),
        'qos.us_rate_max.0', pg_catalog.trim_scale(c.us_rate / 1000000.0),
        'qos.ds_rate_max_help.0', pg_catalog.round(c.ds_rate * s.ds_rate_coefficient),
        'qos.us_rate_max_help.0', pg_catalog.round(c.us_rate * s.us_rate_coefficient),
        'qos.ds_name.0', c.ds_name,
        'qos.us_name.0', c.us_name)
      FROM nmsp.service_class c, nmsp.setting s WHERE c.id = service_class_values.service_class_id);
END
$fn$;
COMMENT ON FUNCTION nmsp.service_class_values(bigint) IS 'Values of the qos placeholders of a service class.';

CREATE OR REPLACE FUNCTION nmsp.modem_options(modem_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN (SELECT pg_catalog.jsonb_object_agg('modem.' || o.key || '.0', o.value) FROM nmsp.modem_option o WHERE o.modem_id = modem_options.modem_id);
END
$fn$;
COMMENT ON FUNCTION nmsp.modem_options(bigint) IS 'Values of a modem''s options as placeholders; null when it has none.';

CREATE OR REPLACE FUNCTION nmsp.shared_secret(netgw_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    secret text := (SELECT x.shared_secret FROM nmsp.netgw_secret x WHERE x.netgw_id = shared_secret.netgw_id);
BEGIN
    IF secret IS NULL THEN
        PERFORM nmsp.refuse('55000', format('"%s" has no shared secret',
                coalesce((SELECT g.name FROM nmsp.netgw g WHERE g.id = shared_secret.netgw_id), 'the gateway')),
            'The CMTS MIC of its modems'' files is made with it.',
            format('INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) VALUES (%s, ''...'').', netgw_id), 'netgw_secret');
    END IF;
    RETURN secret;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.shared_secret(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.shared_secret(bigint) IS 'The key of a gateway''s CMTS MIC. Errors: 55000 when it has none.';

CREATE OR REPLACE FUNCTION nmsp.file_folder(id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN id >= 1000 THEN (id / 1000)::text || '/' ELSE '' END;
COMMENT ON FUNCTION nmsp.file_folder(bigint) IS
'Folder of the file of a device, by thousands: no folder for 7, 1234/ for 1234567. Files made one after the other lie together, and no folder gets large.';

CREATE OR REPLACE FUNCTION nmsp.modem_path(modem_id bigint, download_key text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
-- STABLE, as convert_to() is: so it becomes a part of the query that calls it.
RETURN 'cm/' || nmsp.file_folder(modem_id) || 'cm-' || modem_id::text
    || coalesce('-' || "left"(encode(sha256(convert_to(download_key || ' ' || modem_id::text || ' ' || download_key, 'UTF8')), 'hex'), 16), '') || '.cfg';
COMMENT ON FUNCTION nmsp.modem_path(bigint, text) IS
'Name of a modem''s configfile; with a key (nmsp.setting_secret.download_key) nobody can guess it.';

CREATE OR REPLACE VIEW nmsp.modem_file AS
SELECT m.id AS modem_id, nmsp.modem_path(m.id, x.download_key) AS path, nmsp.modem_config(m) AS config FROM nmsp.modem m, nmsp.setting_secret x;
COMMENT ON VIEW nmsp.modem_file IS 'Every modem''s sealed configfile as it is due now; computed, never stored.';
COMMENT ON COLUMN nmsp.modem_file.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_file.path IS 'Name under the TFTP root, as DHCP announces it.';
COMMENT ON COLUMN nmsp.modem_file.config IS 'The file; see nmsp.modem_config.';

CREATE OR REPLACE FUNCTION nmsp.modem_config(modem_id bigint) RETURNS docsis.config
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT nmsp.modem_config(m) FROM nmsp.modem m WHERE m.id = modem_config.modem_id);
REVOKE ALL ON FUNCTION nmsp.modem_config(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.modem_config(bigint) IS
'The sealed configfile of a modem as it is due now; null when there is no such modem. Over many modems use nmsp.modem_config(m) or nmsp.modem_file. Errors: as nmsp.modem_config(record).';

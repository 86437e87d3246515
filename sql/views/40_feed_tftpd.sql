-- Feed tftpd: the configfiles of cable modems and MTAs as files below the root of tftpd-hpa.

CREATE OR REPLACE FUNCTION nmsp_feed.tftpd_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    below CONSTANT text := 'IN (WITH RECURSIVE below(id) AS (
        SELECT unnest($1) UNION SELECT t.id FROM below JOIN nmsp.template t ON t.parent_id = below.id) SELECT below.id FROM below)';
    -- Which modems, and which MTAs; null: none of them.
    modems CONSTANT text := CASE cause
        WHEN 'modem' THEN 'SELECT unnest($1) AS id'
        WHEN 'netgw' THEN 'SELECT m.id FROM nmsp.modem m WHERE m.netgw_id = ANY ($1)'
        -- of its own, or by its contract; both in the order of their keys
        WHEN 'service_class' THEN 'SELECT m.id FROM nmsp.modem m WHERE m.service_class_id = ANY ($1)
                                   UNION ALL
                                   SELECT m.id FROM nmsp.modem m WHERE coalesce(m.service_class_id <> ALL ($1), true) AND EXISTS (
                                       SELECT FROM nmsp.contract_modem x JOIN nmsp.entitlement e ON e.contract_id = x.contract_id
                                        WHERE x.modem_id = m.id AND e.service_class_id = ANY ($1))'
        WHEN 'contract' THEN 'SELECT DISTINCT x.modem_id AS id FROM nmsp.contract_modem x WHERE x.contract_id = ANY ($1)'
        WHEN 'mta' THEN 'SELECT DISTINCT t.modem_id AS id FROM nmsp.mta t WHERE t.id = ANY ($1)'
        WHEN 'template' THEN 'SELECT m.id FROM nmsp.modem m WHERE m.template_id ' || below
        WHEN 'firmware_image' THEN 'SELECT r.modem_id AS id FROM nmsp.firmware_release r WHERE r.image_id = ANY ($1)'
        WHEN 'all' THEN 'SELECT m.id FROM nmsp.modem m' END;
    mtas CONSTANT text := CASE cause
        WHEN 'mta' THEN 'SELECT unnest($1) AS id'
        WHEN 'phone_number' THEN 'SELECT DISTINCT n.mta_id AS id FROM nmsp.phone_number n WHERE n.id = ANY ($1)'
        WHEN 'dial_plan' THEN 'SELECT t.id FROM nmsp.mta t WHERE t.dial_plan_id = ANY ($1)
                                   OR t.template_id IN (SELECT p.id FROM nmsp.template p WHERE p.dial_plan_id = ANY ($1))'
        WHEN 'template' THEN 'SELECT t.id FROM nmsp.mta t WHERE t.template_id ' || below
        WHEN 'voice_setting' THEN 'SELECT t.id FROM nmsp.mta t'
        WHEN 'all' THEN 'SELECT t.id FROM nmsp.mta t' END;
    room int := max_rows;
    given int;
    p record;
BEGIN
    FOR p IN SELECT x.name, x.query FROM (VALUES ('cm', modems), ('mta', mtas)) x(name, query)
              WHERE x.query IS NOT NULL AND (after_part IS NULL OR x.name >= after_part) ORDER BY x.name LOOP
        EXIT WHEN room <= 0;
        RETURN QUERY EXECUTE format('SELECT %L, k.id FROM (%s) k WHERE k.id > $2 ORDER BY k.id LIMIT $3', p.name, p.query)
            USING ids, CASE WHEN p.name = after_part THEN after_id ELSE -1 END, room;
        GET DIAGNOSTICS given = ROW_COUNT;
        room := room - given;
    END LOOP;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.tftpd_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.tftpd_keys(bigint, text, bigint[], text, bigint, int) IS
'Feed tftpd: the modems and MTAs whose files a change touches (part cm, id of the modem; part mta, id of the MTA).';

CREATE OR REPLACE FUNCTION nmsp_feed.tftpd_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.modem_id, f.path, f.config::bytea FROM nmsp.modem_file f WHERE part = 'cm' AND f.modem_id = ANY (ids)
    UNION ALL
    SELECT f.mta_id, f.path, f.config::bytea FROM nmsp.mta_file f WHERE part = 'mta' AND f.mta_id = ANY (ids);
END;
REVOKE ALL ON FUNCTION nmsp_feed.tftpd_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.tftpd_render(bigint, text, bigint[]) IS 'Feed tftpd: the sealed configfiles of these modems, or the files of these MTAs.';

INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, rank, naming_causes)
VALUES ('tftpd', 'file', 'nmsp_feed.tftpd_keys', 'nmsp_feed.tftpd_render', 10, '{modem,mta,all,artifact}')
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function,
    naming_causes = excluded.naming_causes;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('tftpd', 'nmsp.modem', '{mac,name,netgw_id,template_id,service_class_id,internet_access,public_cpe,address,serial_number,model}', '{"modem": "id"}'),
    ('tftpd', 'nmsp.modem_option', NULL, '{"modem": "modem_id"}'),
    ('tftpd', 'nmsp.netgw_secret', NULL, '{"netgw": "netgw_id"}'),
    ('tftpd', 'nmsp.service_class', '{name,ds_rate,us_rate,ds_name,us_name,ds_peak_rate,us_peak_rate,ds_max_burst,us_max_burst,ds_min_reserved_rate,us_min_reserved_rate,ds_min_packet_size,us_min_packet_size,ds_traffic_priority,us_traffic_priority,ds_attributes_required,us_attributes_required,ds_attributes_forbidden,us_attributes_forbidden,ds_tos_overwrite,us_tos_overwrite,ds_aqm_disabled,us_aqm_disabled,ds_aqm_latency_target,us_aqm_latency_target,ds_aqm_algorithm,us_aqm_algorithm,ds_aqm_max_threshold,us_aqm_max_threshold,ds_aqm_range_exponent,us_aqm_range_exponent,ds_buffer_minimum,us_buffer_minimum,ds_buffer_target,us_buffer_target,ds_buffer_maximum,us_buffer_maximum,ds_aggregate_name,us_aggregate_name,ds_classic_name,us_classic_name,ds_low_latency_name,us_low_latency_name,ds_coupling_factor,us_coupling_factor,ds_scheduling_weight,us_scheduling_weight,ds_queue_protection,us_queue_protection,ds_max_latency,ds_resequencing,us_max_concatenated_burst,us_scheduling_type,us_request_policy,us_poll_interval,us_poll_jitter,us_grant_size,us_grant_interval,us_grant_jitter,us_grants_per_interval,us_guaranteed_grant_interval,us_guaranteed_grant_rate,us_guaranteed_request_interval}', '{"service_class": "id"}'),
    ('tftpd', 'nmsp.template', '{source,parent_id,device,dial_plan_id}', '{"template": "id"}'),
    ('tftpd', 'nmsp.mta', NULL, '{"mta": "id", "modem": "modem_id"}'),
    ('tftpd', 'nmsp.contract', '{validity}', '{"contract": "id"}'),
    ('tftpd', 'nmsp.entitlement', '{contract_id,kind,validity,service_class_id,quantity}', '{"contract": "contract_id"}'),
    ('tftpd', 'nmsp.contract_modem', NULL, '{"modem": "modem_id"}'),
    ('tftpd', 'nmsp.service_block', '{contract_id,modem_id,scope,during}', '{"contract": "contract_id", "modem": "modem_id"}'),
    ('tftpd', 'nmsp.phone_number', NULL, '{"mta": "mta_id"}'),
    ('tftpd', 'nmsp.phone_number_secret', NULL, '{"phone_number": "phone_number_id"}'),
    ('tftpd', 'nmsp.dial_plan', '{digit_map}', '{"dial_plan": "id"}'),
    ('tftpd', 'nmsp.voice_setting', '{hash,provisioning,kerberos_realm,provisioning_host,mta_domain,sip_registrar,sip_proxy,sip_domain,call_agent,trunk_prefix,international_prefix}', '{"voice_setting": "id"}'),
    ('tftpd', 'nmsp.firmware_release', '{image_id}', '{"modem": "modem_id"}'),
    ('tftpd', 'nmsp.firmware_image', '{file_name,cvc,cvc_chain,cosigner_cvc}', '{"firmware_image": "id"}'),
    ('tftpd', 'nmsp.setting', '{provisioning_server,domain_name,default_lease_time,max_lease_time,max_cpe,ds_rate_coefficient,us_rate_coefficient,time_zone,firmware_server}', NULL),
    ('tftpd', 'nmsp.setting_secret', NULL, NULL),
    ('tftpd', 'nmsp.mib_object', '{name,module,oid,type,ranges,enums,index_columns,index_implied}', NULL)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;

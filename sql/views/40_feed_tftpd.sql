-- Feed tftpd: the configfiles of cable modems as files below the root of tftpd-hpa.

CREATE OR REPLACE FUNCTION nmsp_feed.tftpd_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    after bigint := CASE WHEN after_part > 'cm' THEN 9223372036854775807 WHEN after_part = 'cm' THEN after_id ELSE -1 END;
BEGIN
    RETURN QUERY EXECUTE $q$SELECT 'cm', k.id FROM ($q$ || CASE cause
        WHEN 'modem' THEN 'SELECT unnest($1) AS id'
        WHEN 'netgw' THEN 'SELECT m.id FROM nmsp.modem m WHERE m.netgw_id = ANY ($1)'
        WHEN 'service_class' THEN 'SELECT m.id FROM nmsp.modem m WHERE m.service_class_id = ANY ($1)'
        WHEN 'template' THEN
            'SELECT m.id FROM nmsp.modem m WHERE m.template_id IN (
                 WITH RECURSIVE below(id) AS (
                     SELECT unnest($1) UNION SELECT t.id FROM below JOIN nmsp.template t ON t.parent_id = below.id)
                 SELECT below.id FROM below)'
        ELSE 'SELECT m.id FROM nmsp.modem m' END || ') k WHERE k.id > $2 ORDER BY k.id LIMIT $3'
    USING ids, after, max_rows;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_feed.tftpd_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.tftpd_keys(bigint, text, bigint[], text, bigint, int) IS
'Feed tftpd: the modems whose files a change of a modem, gateway, service class, template, setting or MIB object touches (part cm, id of the modem).';

CREATE OR REPLACE FUNCTION nmsp_feed.tftpd_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.modem_id, f.path, f.config::bytea FROM nmsp.modem_file f WHERE f.modem_id = ANY (ids);
END;
REVOKE ALL ON FUNCTION nmsp_feed.tftpd_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.tftpd_render(bigint, text, bigint[]) IS 'Feed tftpd: the sealed configfiles of these modems.';

INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, rank)
VALUES ('tftpd', 'file', 'nmsp_feed.tftpd_keys', 'nmsp_feed.tftpd_render', 10)
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('tftpd', 'nmsp.modem', '{mac,name,netgw_id,template_id,service_class_id,internet_access,public_cpe,address,serial_number,model}', '{"modem": "id"}'),
    ('tftpd', 'nmsp.modem_option', NULL, '{"modem": "modem_id"}'),
    ('tftpd', 'nmsp.netgw_secret', NULL, '{"netgw": "netgw_id"}'),
    ('tftpd', 'nmsp.service_class', '{name,ds_rate,us_rate,ds_name,us_name}', '{"service_class": "id"}'),
    ('tftpd', 'nmsp.template', '{source,parent_id,device}', '{"template": "id"}'),
    ('tftpd', 'nmsp.setting', '{provisioning_server,domain_name,default_lease_time,max_lease_time,max_cpe,ds_rate_coefficient,us_rate_coefficient}', NULL),
    ('tftpd', 'nmsp.setting_secret', NULL, NULL),
    ('tftpd', 'nmsp.mib_object', '{name,module,oid,type,ranges,enums,index_columns,index_implied}', NULL)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;

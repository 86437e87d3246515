-- Feed netgw: the proposals of access gateways as files, for their "copy tftp:" or for people. They
-- contain secrets: give the target a folder that only gateways may read.

CREATE OR REPLACE FUNCTION nmsp_feed.netgw_keys(target bigint, cause text, ids bigint[], after_part text, after_id bigint, max_rows int)
RETURNS TABLE (part text, id bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'netgw', k.id
      FROM (SELECT pg_catalog.unnest(ids) AS id WHERE cause = 'netgw'
            UNION
            SELECT g.id FROM nmsp.netgw g WHERE cause <> 'netgw') k
     WHERE after_id IS NULL OR k.id > after_id ORDER BY k.id LIMIT max_rows;
END;
REVOKE ALL ON FUNCTION nmsp_feed.netgw_keys(bigint, text, bigint[], text, bigint, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.netgw_keys(bigint, text, bigint[], text, bigint, int) IS
'Feed netgw: the gateways whose proposal a change touches (part netgw, id of the gateway).';

CREATE OR REPLACE FUNCTION nmsp_feed.netgw_render(target bigint, part text, ids bigint[])
RETURNS TABLE (id bigint, path text, content bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT g.id, g.name || '.cfg', convert_to(nmsp.netgw_config(g.id), 'UTF8') FROM nmsp.netgw g WHERE g.id = ANY (ids);
END;
REVOKE ALL ON FUNCTION nmsp_feed.netgw_render(bigint, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_feed.netgw_render(bigint, text, bigint[]) IS 'Feed netgw: <name>.cfg of these gateways.';

INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function, rank)
VALUES ('netgw', 'file', 'nmsp_feed.netgw_keys', 'nmsp_feed.netgw_render', 10)
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, keys_function = excluded.keys_function, render_function = excluded.render_function;

INSERT INTO nmsp_feed.dependency (feed, relation, columns, causes) VALUES
    ('netgw', 'nmsp.netgw', '{name,kind,vendor,model,dialect,interface}', '{"netgw": "id"}'),
    ('netgw', 'nmsp.netgw_secret', '{shared_secret}', '{"netgw": "netgw_id"}'),
    ('netgw', 'nmsp.pool', '{netgw_id,purpose,network,router,delegated_prefix,delegated_length,active}', '{"netgw": "netgw_id"}'),
    ('netgw', 'nmsp.netgw_format', NULL, NULL),
    ('netgw', 'nmsp.setting', '{provisioning_server,provisioning_server6,domain_name,ntp_server,log_server}', NULL),
    ('netgw', 'nmsp.setting_secret', '{ro_community,rw_community}', NULL)
ON CONFLICT (feed, relation) DO UPDATE SET columns = excluded.columns, causes = excluded.causes;
PERFORM nmsp_feed.install_triggers();

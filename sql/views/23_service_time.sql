-- The moments at which contracts, entitlements, assignments and blocks begin or end.

CREATE OR REPLACE FUNCTION nmsp.service_boundary(after timestamptz, upto timestamptz)
RETURNS TABLE (at timestamptz, cause text, id bigint, feeds text[], note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Midnight of day d lies in (after, upto] when d is later than the day of after and not later
    -- than that of upto: what began earlier today is not looked at again and again.
    SELECT nmsp.midnight(b.day), b.cause, b.id, NULL::text[], b.note FROM (
        SELECT lower(c.validity) AS day, 'contract' AS cause, c.id, format('contract %s begins', c.number) AS note
          FROM nmsp.contract c WHERE lower(c.validity) > nmsp.day(after) AND lower(c.validity) <= nmsp.day(upto)
        UNION ALL
        SELECT upper(c.validity), 'contract', c.id, format('contract %s ends', c.number)
          FROM nmsp.contract c WHERE upper(c.validity) > nmsp.day(after) AND upper(c.validity) <= nmsp.day(upto)
        UNION ALL
        SELECT lower(e.validity), 'contract', e.contract_id, format('%s begins', e.kind)
          FROM nmsp.entitlement e WHERE lower(e.validity) > nmsp.day(after) AND lower(e.validity) <= nmsp.day(upto)
        UNION ALL
        SELECT upper(e.validity), 'contract', e.contract_id, format('%s ends', e.kind)
          FROM nmsp.entitlement e WHERE upper(e.validity) > nmsp.day(after) AND upper(e.validity) <= nmsp.day(upto)
        UNION ALL
        SELECT lower(x.validity), 'modem', x.modem_id, 'serves a contract'
          FROM nmsp.contract_modem x WHERE lower(x.validity) > nmsp.day(after) AND lower(x.validity) <= nmsp.day(upto)
        UNION ALL
        SELECT upper(x.validity), 'modem', x.modem_id, 'serves a contract no more'
          FROM nmsp.contract_modem x WHERE upper(x.validity) > nmsp.day(after) AND upper(x.validity) <= nmsp.day(upto)) b
    UNION ALL
    SELECT s.at, CASE WHEN b.contract_id IS NULL THEN 'modem' ELSE 'contract' END, coalesce(b.contract_id, b.modem_id), NULL, s.word || b.reason
      FROM (SELECT x.id, lower(x.during) AS at, 'block begins: ' AS word FROM nmsp.service_block x WHERE lower(x.during) > after AND lower(x.during) <= upto
            UNION ALL
            SELECT x.id, upper(x.during), 'block ends: ' FROM nmsp.service_block x WHERE upper(x.during) > after AND upper(x.during) <= upto) s
      JOIN nmsp.service_block b ON b.id = s.id;
END;
COMMENT ON FUNCTION nmsp.service_boundary(timestamptz, timestamptz) IS
'Source of nmsp_feed.boundary: what of contracts, entitlements, modems'' assignments and blocks begins or ends later than after, not later than upto.';

INSERT INTO nmsp_feed.boundary_source (name, source_function) VALUES ('service', 'nmsp.service_boundary')
ON CONFLICT (name) DO UPDATE SET source_function = excluded.source_function;

CREATE OR REPLACE FUNCTION nmsp.next_modem_change(horizon interval DEFAULT '31 days')
RETURNS TABLE (at timestamptz, modem_id bigint, mac macaddr, before text, after text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    moment timestamptz;
BEGIN
    FOR moment IN SELECT DISTINCT b.at FROM nmsp.service_boundary(now(), now() + horizon) b ORDER BY b.at LOOP
        RETURN QUERY
        SELECT moment, o.modem_id, o.mac, o.why, n.why
          FROM (SELECT DISTINCT m.id FROM nmsp.service_boundary(moment - interval '1 us', moment) b
                  JOIN LATERAL (SELECT b.id WHERE b.cause = 'modem' UNION ALL
                                SELECT x.modem_id FROM nmsp.contract_modem x WHERE b.cause = 'contract' AND x.contract_id = b.id) m(id) ON true) k
         CROSS JOIN LATERAL (SELECT s.* FROM nmsp.modem_service_at(moment - interval '1 us') s WHERE s.modem_id = k.id) o
         CROSS JOIN LATERAL (SELECT s.* FROM nmsp.modem_service_at(moment) s WHERE s.modem_id = k.id) n
         WHERE o.why <> n.why OR (o.internet, o.voice, o.max_cpe, o.public_cpe) IS DISTINCT FROM (n.internet, n.voice, n.max_cpe, n.public_cpe)
         ORDER BY o.modem_id;
    END LOOP;
END
$fn$;
COMMENT ON FUNCTION nmsp.next_modem_change(interval) IS 'What will change by itself for which modem, and when: the reason (nmsp.modem_service.why) before and after each moment within the horizon.';

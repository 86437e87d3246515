-- What DHCP tells that depends on the clock: the time offset (option 2) and lease times ahead of a
-- renumbering; and when it changes next, so that what is written to files is written again then.

CREATE OR REPLACE FUNCTION nmsp.time_offset(time_zone text, at timestamptz) RETURNS int
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (extract(epoch FROM (at AT TIME ZONE time_zone) - (at AT TIME ZONE 'UTC')))::int;
COMMENT ON FUNCTION nmsp.time_offset(text, timestamptz) IS 'Seconds between UTC and a time zone at a moment (option 2, CableLabs DHCPv6 option 38).';

CREATE OR REPLACE FUNCTION nmsp.next_time_offset(time_zone text, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    -- The first day in whose course the offset changes, then the minute of it.
    SELECT (SELECT min(m.at) FROM pg_catalog.generate_series(d.day, d.day + interval '24 hours', interval '1 minute') m(at)
             WHERE m.at > after AND nmsp.time_offset(time_zone, m.at) <> nmsp.time_offset(time_zone, d.day))
      FROM (SELECT x.day FROM pg_catalog.generate_series(date_trunc('minute', after), after + interval '9600 hours', interval '24 hours') x(day)
             WHERE nmsp.time_offset(time_zone, x.day) <> nmsp.time_offset(time_zone, x.day + interval '24 hours') ORDER BY x.day LIMIT 1) d;
END;
COMMENT ON FUNCTION nmsp.next_time_offset(text, timestamptz) IS 'When the offset of a time zone changes next (daylight saving); null: not within 400 days.';

CREATE OR REPLACE FUNCTION nmsp.renumber_lease_time(lease_time int, renumber_at timestamptz, at timestamptz) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN renumber_at IS NULL OR renumber_at - at > pg_catalog.make_interval(secs => 2 * lease_time::double precision) THEN lease_time
    -- 300 s times the largest power of two that is no more than half the time left: a server's file
    -- changes a dozen times before the day, not with each second
    ELSE least(lease_time, 300 * (2 ^ floor(log(2, greatest(1, extract(epoch FROM renumber_at - at) / 600))))::int) END;
COMMENT ON FUNCTION nmsp.renumber_lease_time(int, timestamptz, timestamptz) IS
'Lease time of a pool whose addresses change at renumber_at: at most half the time that is left, in steps of powers of two, five minutes at last.';

CREATE OR REPLACE FUNCTION nmsp.pool_lease_time(pool nmsp.pool, at timestamptz) RETURNS int
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN (pool).renumber_at IS NULL THEN (pool).lease_time
    ELSE nmsp.renumber_lease_time(coalesce((pool).lease_time, (SELECT s.default_lease_time FROM nmsp.setting s)), (pool).renumber_at, at) END;
COMMENT ON FUNCTION nmsp.pool_lease_time(nmsp.pool, timestamptz) IS 'Lease time of a pool at a moment in seconds; null: that of nmsp.setting.';

CREATE OR REPLACE FUNCTION nmsp.next_dhcp_change(after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- A step of a renumbering lies 600 s times a power of two before its day.
    SELECT min(c.at) FROM (
        SELECT nmsp.next_time_offset(s.time_zone, after) AS at FROM nmsp.setting s
        UNION ALL
        SELECT p.renumber_at - pg_catalog.make_interval(secs => 600 * 2 ^ k) FROM nmsp.pool p, pg_catalog.generate_series(1, 13) k WHERE p.renumber_at > after) c
     WHERE c.at > after;
END;
REVOKE ALL ON FUNCTION nmsp.next_dhcp_change(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.next_dhcp_change(timestamptz) IS
'When a DHCP server''s files change by the clock alone: the time offset, a step of a renumbering. Null: nothing is in sight.';

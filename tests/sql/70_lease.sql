-- Leases as agents tell them: present and past, whose they are, pools, odd ones.
BEGIN;
SELECT * FROM no_plan();
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT id AS g FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES
    (:g, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.19', '10.1.0.1'), (:g, 'cpe_private', '10.2.0.0/24', '10.2.0.10', '10.2.0.200', '10.2.0.1'),
    (:g2, 'cm', '10.3.0.0/24', '10.3.0.10', '10.3.0.200', '10.3.0.1');
INSERT INTO nmsp.pool (netgw_id, purpose, network, delegated_prefix, delegated_length) VALUES (:g, 'cpe_private', '2001:db8:1::/64', '2001:db8:100::/40', 56);
INSERT INTO nmsp.template (name, source) VALUES ('t', 'GlobalPrivacyEnable 1;');
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT '02:00:00:00:00:01', :g, id FROM nmsp.template;
SELECT id AS m FROM nmsp.modem \gset
CREATE FUNCTION pg_temp.tell(address text, mac text, starts text, ends text, state text DEFAULT 'active', remote text DEFAULT NULL, daemon text DEFAULT 'kea4') RETURNS void LANGUAGE sql AS
$$SELECT nmsp.record_leases('a', daemon, ARRAY[host(address::inet)::inet], ARRAY[masklen(address::inet)], ARRAY[mac::macaddr], ARRAY[NULL::bytea], ARRAY['h'], ARRAY[remote],
    ARRAY[date_trunc('hour', now()) + starts::interval], ARRAY[date_trunc('hour', now()) + ends::interval], ARRAY[state])$$;
CREATE FUNCTION pg_temp.had(address text, at text) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(mac::text, ',') FROM nmsp.who_had(address::inet, date_trunc('hour', now()) + at::interval)$$;

-- ---- whose it is
SELECT pg_temp.tell('10.1.0.10', '02:00:00:00:00:01', '-5 h', '2 h');
SELECT pg_temp.tell('10.2.0.10', '04:00:00:00:00:01', '-5 h', '2 h', 'active', '020000000001');
SELECT results_eq('SELECT host(address), kind, modem_mac::text, netgw FROM nmsp.active_lease ORDER BY address',
    $$VALUES ('10.1.0.10', 'cm', '02:00:00:00:00:01', 'cmts-1'), ('10.2.0.10', 'cpe', '02:00:00:00:00:01', 'cmts-1')$$, 'a modem, and a CPE behind it');
-- ---- renewals, hand-over, release, gaps
SELECT pg_temp.tell('10.2.0.10', '04:00:00:00:00:01', '-4 h', '3 h');
SELECT is((SELECT (since, starts, remote_id)::text FROM nmsp.lease WHERE address = '10.2.0.10'),
          (SELECT (date_trunc('hour', now()) - interval '5 h', date_trunc('hour', now()) - interval '4 h', '020000000001')::text), 'a renewal goes on; what it does not tell stays');
SELECT pg_temp.tell('10.2.0.10', '04:00:00:00:00:01', '-3 h', '-3 h', 'released');
SELECT is_empty($$SELECT FROM nmsp.active_lease WHERE address = '10.2.0.10'$$, 'released');
SELECT pg_temp.tell('10.2.0.10', '04:00:00:00:00:02', '-2 h', '4 h');
SELECT is(pg_temp.had('10.2.0.10', '-6 h'), NULL, 'nobody had it before');
SELECT is(pg_temp.had('10.2.0.10', '-5 h'), '04:00:00:00:00:01', 'the first one');
SELECT is(pg_temp.had('10.2.0.10', '-150 min'), NULL, 'nobody in between');
SELECT is(pg_temp.had('10.2.0.10', '-1 h'), '04:00:00:00:00:02', 'the second one');
SELECT pg_temp.tell('10.2.0.10', '04:00:00:00:00:03', '-30 min', '5 h');
SELECT is(pg_temp.had('10.2.0.10', '-31 min'), '04:00:00:00:00:02', 'handed over: the second');
SELECT is(pg_temp.had('10.2.0.10', '-30 min'), '04:00:00:00:00:03', 'the third');
-- ---- told again, in one batch, from the beginning: nothing changes
CREATE TEMP TABLE seen AS SELECT * FROM nmsp.lease;
CREATE TEMP TABLE seen_history AS SELECT * FROM nmsp.lease_history;
SELECT nmsp.record_leases('a', 'kea4', array_fill('10.2.0.10'::inet, ARRAY[5]), array_fill(32, ARRAY[5]),
    '{04:00:00:00:00:01,04:00:00:00:00:01,04:00:00:00:00:01,04:00:00:00:00:02,04:00:00:00:00:03}', array_fill(NULL::bytea, ARRAY[5]), array_fill('h'::text, ARRAY[5]), array_fill(NULL::text, ARRAY[5]),
    ARRAY[h - interval '5 h', h - interval '4 h', h - interval '3 h', h - interval '2 h', h - interval '30 min'],
    ARRAY[h + interval '2 h', h + interval '3 h', h - interval '3 h', h + interval '4 h', h + interval '5 h'], '{active,active,released,active,active}')
  FROM (SELECT date_trunc('hour', now()) AS h) x;
SELECT results_eq('SELECT l.* FROM nmsp.lease l ORDER BY address', 'SELECT s.* FROM seen s ORDER BY address', 'the whole file again: leases are the same');
SELECT results_eq('SELECT h::text FROM nmsp.lease_history h ORDER BY 1', 'SELECT h::text FROM seen_history h ORDER BY 1', 'and history');
-- the same, told for the first time in one batch
SELECT nmsp.record_leases('a', 'dhcpd', array_fill('10.2.0.11'::inet, ARRAY[3]), array_fill(32, ARRAY[3]), '{04:00:00:00:00:11,04:00:00:00:00:12,04:00:00:00:00:11}',
    array_fill(NULL::bytea, ARRAY[3]), array_fill(NULL::text, ARRAY[3]), array_fill('020000000001'::text, ARRAY[3]),
    ARRAY[h - interval '9 h', h - interval '6 h', h - interval '1 h'], ARRAY[h - interval '7 h', h - interval '2 h', h + interval '1 h'], '{active,active,active}')
  FROM (SELECT date_trunc('hour', now()) AS h) x;
SELECT is(concat_ws(' ', pg_temp.had('10.2.0.11', '-8 h'), coalesce(pg_temp.had('10.2.0.11', '-390 min'), '-'), pg_temp.had('10.2.0.11', '-3 h'), pg_temp.had('10.2.0.11', '0')),
    '04:00:00:00:00:11 - 04:00:00:00:00:12 04:00:00:00:00:11', 'several lines of one address in one batch');
-- ---- prefixes
SELECT pg_temp.tell('2001:db8:100:100::/56', '04:00:00:00:00:05', '-1 h', '1 h', 'active', '020000000001', 'kea6');
SELECT is(pg_temp.had('2001:db8:100:1ab:cd::1', '0'), '04:00:00:00:00:05', 'an address inside a delegated prefix');
SELECT is(pg_temp.had('2001:db8:100:200::1', '0'), NULL, 'one outside');
-- ---- whose contract
INSERT INTO nmsp.customer (number, name) VALUES ('K1', 'Anna');
INSERT INTO nmsp.contract (number, customer_id, validity) SELECT 'C1', id, '[2020-01-01,)' FROM nmsp.customer;
INSERT INTO nmsp.contract_modem (modem_id, contract_id) SELECT :m, id FROM nmsp.contract;
SELECT results_eq($$SELECT modem_mac::text, contract, customer FROM nmsp.who_had('10.2.0.11', now())$$, $$VALUES ('02:00:00:00:00:01', 'C1', 'K1')$$, 'contract and customer');
-- ---- pools
SELECT results_eq($$SELECT fixed, leased, free, percent FROM nmsp.pool_usage WHERE network = '10.1.0.0/24'$$, $$VALUES (0::bigint, 1::bigint, 9::numeric, 10.0)$$, 'usage of a pool');
DELETE FROM nmsp.pool_sample;
INSERT INTO nmsp.pool_sample SELECT p.id, now() - make_interval(hours => i), 0, 10 FROM nmsp.pool p, generate_series(1, 23) i WHERE p.network = '10.1.0.0/24';
SELECT is((SELECT full_at FROM nmsp.pool_usage WHERE network = '10.1.0.0/24'), NULL, 'too few samples for a forecast');
DELETE FROM nmsp.pool_sample;
INSERT INTO nmsp.pool_sample SELECT p.id, now() - make_interval(hours => i), 100 - i, 10 FROM nmsp.pool p, generate_series(0, 99) i WHERE p.network = '10.1.0.0/24';
SELECT ok((SELECT full_at - now() FROM nmsp.pool_usage WHERE network = '10.1.0.0/24') BETWEEN '539 min' AND '541 min', 'one more each hour: full in nine');
-- ---- a fixed address that is leased to another
SELECT test.refused(format($$INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) SELECT '02:00:00:00:00:02', %s, id, '10.1.0.10' FROM nmsp.template$$, :g), '23514',
    'address 10.1.0.10 is leased to another device', '02:00:00:00:00:01 has it until%modem 02:00:00:00:00:02 would get it too.', '%nmsp.allocate_address%', 'an address that is leased');
SELECT lives_ok(format($$UPDATE nmsp.modem SET address = '10.1.0.10' WHERE id = %s$$, :m), 'its own lease is no hindrance');
SELECT pg_temp.tell('10.1.0.19', '02:00:00:00:00:77', '-1 h', '1 h');
SELECT is(nmsp.allocate_address(id), '10.1.0.18'::inet, 'what is leased is not allocated') FROM nmsp.pool WHERE network = '10.1.0.0/24' AND (SELECT address FROM nmsp.modem WHERE id = :m) = '10.1.0.10';
-- ---- unknown and odd ones
SELECT set_eq('SELECT mac::text, netgw, host(address) FROM nmsp.unknown_modem', $$VALUES ('02:00:00:00:00:77', 'cmts-1', '10.1.0.19')$$, 'an unknown modem');
SELECT pg_temp.tell('10.2.0.30', '04:00:00:00:00:30', '-1 h', '1 h', 'active', '0200000000aa');
SELECT set_has('SELECT mac::text FROM nmsp.unknown_modem', $$VALUES ('02:00:00:00:00:aa')$$, 'one that somebody is behind');
SELECT ok(nmsp.adopt_modem('02:00:00:00:00:77', id) > 0, 'adopted') FROM nmsp.template;
SELECT is((SELECT g.name FROM nmsp.modem m JOIN nmsp.netgw g ON g.id = m.netgw_id WHERE m.mac = '02:00:00:00:00:77'), 'cmts-1', 'behind the gateway where it was seen');
SELECT test.refused($$SELECT nmsp.adopt_modem('02:00:00:00:00:77', 1)$$, 'P0002', 'no unknown modem%', 'It has a row already.', '%', 'adopted twice');
SELECT pg_temp.tell('10.3.0.10', '02:00:00:00:00:01', '-1 h', '1 h');
SELECT matches((SELECT note FROM nmsp.lease_anomaly WHERE kind = 'two gateways'), '02:00:00:00:00:01 has leases behind "cmts-1" .* and "cmts-2"', 'one address behind two gateways');
SELECT pg_temp.tell('10.2.0.4' || i, '04:00:00:00:00:4' || i, '-1 h', '1 h', 'active', '020000000001') FROM generate_series(1, 3) i;
SELECT is((SELECT note FROM nmsp.lease_anomaly WHERE kind = 'too many CPEs'), '5 CPEs have leases behind 02:00:00:00:00:01, 2 may', 'more CPEs than it may have') ;
UPDATE nmsp.netgw SET lease_policy = 'ignore';
SELECT is_empty('TABLE nmsp.lease_anomaly', 'where nobody cares');
-- ---- upkeep
INSERT INTO nmsp.lease_history (address, prefix_length, kind, since, until) VALUES ('10.2.0.99', 32, 'cpe', now() - interval '200 days', now() - interval '199 days');
SELECT nmsp.keep_leases();
SELECT is(pg_temp.had('10.2.0.99', '-4782 h'), NULL, 'what is too old is gone');
SELECT * FROM finish();
ROLLBACK;

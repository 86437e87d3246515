-- Feed bind in SQL alone: the records of the model, zones, the input of nsupdate, what dig prints.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages TO warning;
BEGIN;
SELECT * FROM no_plan();

-- ---- names
SELECT is(nmsp.reverse_name('10.1.20.3'), '3.20.1.10.in-addr.arpa.', 'the reverse name of an IPv4 address');
SELECT is(nmsp.reverse_name('2001:db8::567:89ab'), 'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.', 'of an IPv6 address (RFC 3596)');
SELECT is(nmsp.reverse_name(NULL), NULL, 'of none');
SELECT is(nmsp_feed.bind_reverse_zone(n::cidr), z, 'zone of pool ' || n) FROM (VALUES
    ('10.0.0.0/8', '10.in-addr.arpa.'), ('10.1.0.0/20', '1.10.in-addr.arpa.'), ('10.1.2.0/24', '2.1.10.in-addr.arpa.'), ('203.0.113.64/26', '113.0.203.in-addr.arpa.'),
    ('100.64.0.0/10', '100.in-addr.arpa.'), ('2001:db8::/32', '8.b.d.0.1.0.0.2.ip6.arpa.'), ('2001:db8:1:2::/64', '1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.'),
    ('2001:db8:4000::/35', '8.b.d.0.1.0.0.2.ip6.arpa.')) v(n, z);
SELECT is(nmsp_feed.bind_network(z), n::cidr, 'network of zone ' || z) FROM (VALUES
    ('in-addr.arpa.', '0.0.0.0/0'), ('10.in-addr.arpa.', '10.0.0.0/8'), ('2.1.10.in-addr.arpa.', '10.1.2.0/24'), ('8.b.d.0.1.0.0.2.ip6.arpa.', '2001:db8::/32'),
    ('ip6.arpa.', '::/0'), ('example.test.', NULL)) v(z, n);
-- RFC 4231, test case 2
SELECT is(sha256(nmsp.hmac_pad('Jefe', 92) || sha256(nmsp.hmac_pad('Jefe', 54) || 'what do ya want for nothing?')),
          '\x5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'HMAC with SHA-256');
SELECT is(nmsp.stable_label('\x666f6f626172'), 'mzxw6y', 'base 32 of RFC 4648');
SELECT is(array_agg(a) FILTER (WHERE nmsp.is_public(a::inet)), '{9.255.255.255,172.32.0.0,100.128.0.1,192.169.0.1,2001:db8::1}', 'public addresses')
  FROM unnest('{9.255.255.255,10.0.0.1,172.31.255.255,172.32.0.0,100.64.0.1,100.127.255.255,100.128.0.1,192.168.1.1,192.169.0.1,fd00::1,fe80::1,2001:db8::1}'::text[]) a;

-- ---- the model's records
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
SELECT id AS g1 FROM nmsp.netgw \gset
UPDATE nmsp.setting SET domain_name = 'Example.TEST', provisioning_server = '172.20.0.1', dns_ttl = 900;
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (:g1, 'cm', '10.1.0.0/16'), (:g1, 'cpe_public', '203.0.113.0/25'), (:g1, 'cm', '10.2.3.0/24'),
    (:g1, 'cpe_private', '100.64.0.0/22'), (:g1, 'cm', '2001:db8:1::/64');
INSERT INTO nmsp.template (name, source) VALUES ('base', 'MaxCPE 3;');
SELECT id AS t1 FROM nmsp.template \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id, address, address6) VALUES ('02:00:00:00:00:01', :g1, :t1, '10.1.0.5', '2001:db8:1::5');
INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('02:00:00:00:00:02', :g1, :t1);
SELECT min(id) AS m1, max(id) AS m2 FROM nmsp.modem \gset
INSERT INTO nmsp.endpoint (name, modem_id, mac, address) VALUES ('Shop', :m1, '00:aa:bb:cc:dd:ee', '203.0.113.20'), ('till', :m1, '00:aa:bb:cc:dd:ef', '100.64.0.9');
SELECT min(id) AS e1 FROM nmsp.endpoint \gset
SELECT results_eq('SELECT name, type, ttl, data FROM nmsp.dns_record ORDER BY name COLLATE "C", type', format($$VALUES
    ('20.113.0.203.in-addr.arpa.', 'PTR', 900, 'shop.cpe.example.test.'),
    ('5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.', 'PTR', 900, 'cm-%1$s.example.test.'),
    ('5.0.1.10.in-addr.arpa.', 'PTR', 900, 'cm-%1$s.example.test.'),
    ('9.0.64.100.in-addr.arpa.', 'PTR', 900, 'till.cpe.example.test.'),
    ('cm-%1$s.example.test.', 'A', 900, '10.1.0.5'),
    ('cm-%1$s.example.test.', 'AAAA', 900, '2001:db8:1::5'),
    ('shop.cpe.example.test.', 'A', 900, '203.0.113.20'),
    ('till.cpe.example.test.', 'A', 900, '100.64.0.9')$$, :m1), 'nmsp.dns_record lists names and addresses in both directions');
UPDATE nmsp.setting_secret SET cpe_name_key = '\x000102030405060708090a0b0c0d0e0f';
SELECT results_eq('SELECT name, type, data FROM nmsp.dns_record WHERE name !~ ''^(cm-|shop|till|\d)''', $$VALUES ('mxui3m.cpe.example.test.', 'A', '203.0.113.20')$$,
                  'with a key public CPEs have a stable name, private ones have none');
SELECT test.violates('UPDATE nmsp.setting SET dns_ttl = -1', '23514', 'setting_dns_ttl_between_0_and_604800', '%', 'a time to live is not negative');
SELECT test.violates('UPDATE nmsp.setting_secret SET cpe_name_key = ''\x00''', '23514', 'setting_secret_cpe_name_key_is_16_to_64_bytes', '%', 'a key has at least 16 bytes');
SELECT throws_ok($$INSERT INTO nmsp_feed.feed (name, mode, keys_function, render_function) VALUES ('x', 'record', 'a.b', 'a.b')$$, '23514',
                 NULL, 'a feed of records needs a way to apply them');

-- ---- who may read them
CREATE ROLE bind_reader;
CALL nmsp.grant_to('bind_reader', 'reader');
SET ROLE bind_reader;
SELECT lives_ok('SELECT * FROM nmsp.dns_record', 'a reader may read them');
SELECT throws_ok('SELECT cpe_name_key FROM nmsp.setting_secret', '42501', NULL, 'but not the key of the stable names');
SELECT throws_ok('SELECT nmsp_feed.bind_script(1, NULL, NULL, NULL)', '42501', NULL, 'nor play the feeder');
RESET ROLE;

-- ---- zones of a target
INSERT INTO nmsp_feed.target (feed, root) VALUES ('bind', '/nowhere/bind');
SELECT id AS t FROM nmsp_feed.target \gset
SELECT is((SELECT array_agg(zone ORDER BY zone COLLATE "C") FROM nmsp_feed.bind_zone(:t)),
          '{1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.,1.10.in-addr.arpa.,113.0.203.in-addr.arpa.,3.2.10.in-addr.arpa.,64.100.in-addr.arpa.,example.test.}',
          'the domain and a reverse zone per pool');
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (:g1, 'mta', '10.128.0.0/9');
SELECT is((SELECT array_agg(zone ORDER BY zone COLLATE "C") FROM nmsp_feed.bind_zone(:t) WHERE zone ~ '10.in-addr'), '{10.in-addr.arpa.}',
          'a zone that lies in another of them is left out');
SELECT results_eq(format('SELECT file, left(content, 62) FROM nmsp_feed.bind_zones(%s) LIMIT 2', :t), $$VALUES
    ('named.conf', E'zone "example.test" {\n    type primary;\n    file "/var/lib/bin'),
    ('/var/lib/bind/example.test.db', E'$TTL 3600\n@ IN SOA ns.example.test. hostmaster.example.test. 1')$$, 'bind_zones() prints them for named');
SELECT test.refused('SELECT * FROM nmsp_feed.bind_zones(0)', '23503', 'target 0 of feed bind does not exist', '%', 'INSERT INTO nmsp_feed.target%', 'of a target that exists');
UPDATE nmsp_feed.target SET settings = '{"zones": ["Example.test", "cpe.example.test.", "10.in-addr.arpa"], "server": "192.0.2.53", "port": 5353}';
SELECT is((SELECT array_agg(zone || ' ' || coalesce(network::text, '-') ORDER BY zone) FROM nmsp_feed.bind_zone(:t)),
          '{"10.in-addr.arpa. 10.0.0.0/8","cpe.example.test. -","example.test. -"}', 'the setting zones names others');

-- ---- changes as nsupdate reads them
SELECT results_eq(format($$SELECT name, script FROM nmsp_feed.script(%s, '{put,drop,put,put,put}',
        '{cm-1.example.test. A,cm-2.example.test. A,shop.cpe.example.test. AAAA,elsewhere.net. A,5.0.1.10.in-addr.arpa. PTR}',
        ARRAY['900 10.1.0.5'||E'\n', NULL, '900 ::1'||E'\n', '900 1.2.3.4'||E'\n', '900 cm-1.example.test.'||E'\n']::bytea[])$$, :t), $$VALUES
    ('zone cpe.example.test', E'server 192.0.2.53 5353\nzone cpe.example.test.\nupdate delete shop.cpe.example.test. AAAA\nupdate add shop.cpe.example.test. 900 AAAA ::1\nsend\n'),
    ('zone example.test', E'server 192.0.2.53 5353\nzone example.test.\nupdate delete cm-2.example.test. A\nupdate delete cm-1.example.test. A\nupdate add cm-1.example.test. 900 A 10.1.0.5\nsend\n'),
    ('zone 10.in-addr.arpa', E'server 192.0.2.53 5353\nzone 10.in-addr.arpa.\nupdate delete 5.0.1.10.in-addr.arpa. PTR\nupdate add 5.0.1.10.in-addr.arpa. 900 PTR cm-1.example.test.\nsend\n')$$,
    'a run per zone, the narrowest one; what goes, goes first; other zones are left alone');
SELECT results_eq(format($$SELECT script FROM nmsp_feed.script(%s, '{probe}', '{cm-1.example.test. A}', '{NULL}')$$, :t),
    $$VALUES (E'server 192.0.2.53 5353\nzone example.test.\nprereq yxrrset example.test. SOA\nsend\n')$$, 'a probe changes nothing');
SELECT is(count(*), 1::bigint, 'a zone is one run') FROM nmsp_feed.script(:t, array_fill('put'::text, ARRAY[2000]), (SELECT array_agg(format('cm-%s.example.test. A', g)) FROM generate_series(1, 2000) g),
    array_fill('900 10.0.0.1'::bytea, ARRAY[2000]));
SELECT cmp_ok(max(length(m)), '<', 60000, 'of messages that fit in 64 KB') FROM nmsp_feed.script(:t, array_fill('put'::text, ARRAY[2000]), (SELECT array_agg(format('cm-%s.example.test. A', g)) FROM generate_series(1, 2000) g),
    array_fill('900 10.0.0.1'::bytea, ARRAY[2000])) s, regexp_split_to_table(s.script, 'send\n') m;
UPDATE nmsp_feed.target SET settings = '{"zones": ["x\nsend"]}';
SELECT test.refused(format('SELECT * FROM nmsp_feed.bind_zone(%s)', :t), '22023', '"x%send" is not the name of a zone', '%', 'Give zones%', 'a zone is a name');
UPDATE nmsp_feed.target SET settings = '{"server": "127.0.0.1\nsend"}';
SELECT throws_ok(format($$SELECT nmsp_feed.bind_question(%s)$$, :t), '22P02', NULL, 'a server is an address');

-- ---- what dig prints
UPDATE nmsp_feed.target SET settings = '{"zones": ["example.test", "10.in-addr.arpa"]}';
SELECT is(nmsp_feed.question(:t), E'@172.20.0.1 -p 53 10.in-addr.arpa. axfr +noall +answer +time=5 +tries=1\n@172.20.0.1 -p 53 example.test. axfr +noall +answer +time=5 +tries=1\n',
          'dig is asked for every zone');
SELECT is((SELECT string_agg(concat_ws('|', path, content, owned), E'\n') FROM nmsp_feed.bind_seen(:t, E'example.test.\t\t3600\tIN\tSOA\tns. h. 1 2 3 4 5\ncm-7.Example.test.\t900\tIN\tA\t10.1.0.5\n'
    'cm-7.example.test. 900 IN AAAA 2001:DB8:1:0:0::5\nwww.example.test. 60 IN A 192.0.2.1\n1.0.1.10.in-addr.arpa. 60 IN PTR CM-8.example.test.\n'
    '2.0.1.10.in-addr.arpa. 60 IN PTR router.example.net.\nshop.cpe.example.test. 60 IN CNAME www.example.test.\na.b.cpe.example.test. 60 IN A 1.2.3.4\n'
    'shop.cpe.example.test. 60 IN TXT "x  y"\n; Transfer failed.\nnonsense\n')),
    E'example.test. SOA|3600 ns.|f\ncm-7.example.test. A|900 10.1.0.5|t\ncm-7.example.test. AAAA|900 2001:db8:1::5|t\n'
    'www.example.test. A|60 192.0.2.1|f\n1.0.1.10.in-addr.arpa. PTR|60 cm-8.example.test.|t\n2.0.1.10.in-addr.arpa. PTR|60 router.example.net.|f\n'
    'shop.cpe.example.test. CNAME|60 www.example.test.|t\na.b.cpe.example.test. A|60 1.2.3.4|f\n'
    ';|; Transfer failed.|f', 'what dig prints is read; owned is what only this feed makes');
SELECT nmsp_feed.see(:t, E'; Transfer failed.\nexample.test. 1 IN SOA x\nexample.test. 1 IN SOA x\n', true);
SELECT throws_ok(format('SELECT nmsp_feed.seen_all(%s)', :t), '22000', 'zone "10.in-addr.arpa" could not be read', 'a transfer that fails is no empty zone');

-- ---- compared with the manifest
INSERT INTO nmsp_feed.artifact (target_id, part, id, path, sha256) VALUES
    (:t, 'cm-a', 1, 'cm-1.example.test. A', sha256(E'900 10.0.0.1\n')), (:t, 'cm-a', 2, 'cm-2.example.test. A', sha256(E'900 10.0.0.2\n')),
    (:t, 'cm-a', 3, 'cm-3.example.test. A', sha256(E'900 10.0.0.3\n'));
DELETE FROM nmsp_feed.bulk;
SELECT nmsp_feed.see(:t, E'example.test. 1 IN SOA x\n10.in-addr.arpa. 1 IN SOA x\ncm-1.example.test. 900 IN A 10.0.0.1\ncm-2.example.test. 900 IN A 10.0.0.9\n', true);
SELECT nmsp_feed.see(:t, E'cm-4.example.test. 900 IN A 10.0.0.4\nwww.example.test. 900 IN A 10.0.0.4\nexample.test. 1 IN SOA x\n10.in-addr.arpa. 1 IN SOA x\n', false);
SELECT nmsp_feed.seen_all(:t);
SELECT results_eq('SELECT part, ids FROM nmsp_feed.bulk', $$VALUES ('cm-a'::text, '{2,3}'::bigint[])$$, 'what differs and what is missing is put again');
SELECT results_eq('SELECT path FROM nmsp_feed.gone', $$VALUES ('cm-4.example.test. A')$$, 'what nobody wants goes');
SELECT is_empty('SELECT FROM nmsp_feed.seen', 'nothing is kept of it');

-- ---- keys
SELECT results_eq(format('SELECT * FROM nmsp_feed.bind_keys(%s, ''modem'', ARRAY[%s, %s], ''cm-aaaa'', %s, 3)', :t, :m1, :m2, :m1),
    format($$VALUES ('cm-aaaa', %2$s::bigint), ('cm-ptr4', %1$s), ('cm-ptr4', %2$s)$$, :m1, :m2), 'a page of the record sets of modems');
SELECT results_eq(format('SELECT * FROM nmsp_feed.bind_keys(%s, ''all'', NULL, NULL, NULL, 5)', :t),
    format($$VALUES ('cm-a', %1$s::bigint), ('cm-aaaa', %1$s), ('cm-ptr4', %1$s), ('cm-ptr6', %1$s), ('ep-a', %2$s)$$, :m1, :e1), 'of all, those with an address');
SELECT results_eq(format('SELECT id, path, convert_from(content, ''UTF8'') COLLATE "default" FROM nmsp_feed.bind_render(%s, ''cm-ptr4'', ARRAY[%s, %s])', :t, :m1, :m2),
    format($$VALUES (%1$s::bigint, '5.0.1.10.in-addr.arpa. PTR', E'900 cm-%1$s.example.test.\n')$$, :m1), 'a record set as an artifact');
SELECT is_empty(format('SELECT * FROM nmsp_feed.bind_render(%s, ''cm-ptr6'', ARRAY[%s])', :t, :m1), 'none outside the target''s zones');

-- ---- what is recorded
DELETE FROM nmsp_feed.change;
UPDATE nmsp.modem SET name = 'other', model = 'x' WHERE id = :m1;
SELECT is_empty($$SELECT FROM nmsp_feed.change WHERE feed = 'bind'$$, 'a change that touches no record records nothing');
UPDATE nmsp.modem SET address = '10.1.0.6' WHERE id = :m1;
UPDATE nmsp.endpoint SET name = 'store' WHERE name = 'Shop';
UPDATE nmsp.setting SET dns_ttl = 60;
SELECT results_eq($$SELECT cause, ids FROM nmsp_feed.change WHERE feed = 'bind' ORDER BY id$$,
    format($$VALUES ('modem', ARRAY[%s]::bigint[]), ('endpoint', ARRAY[%s]), ('all', NULL)$$, :m1, :e1), 'one that does, does');

SELECT * FROM finish();
ROLLBACK;

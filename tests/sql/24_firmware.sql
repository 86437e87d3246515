-- Firmware: images and their certificates, who is told which, campaigns.
BEGIN;
SELECT * FROM no_plan();
INSERT INTO nmsp_feed.target (feed, root) VALUES ('tftpd', '/tmp/nowhere');
SET LOCAL client_min_messages TO warning;

-- A manufacturer's CVC issued by a CA, and a co-signer's; code files signed by one and by both.
\set pki `d=$(mktemp -d) && cd "$d" && { openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj '/CN=CVC CA' -days 2 -out ca.pem && for n in maker cosigner; do openssl req -new -newkey rsa:2048 -nodes -keyout $n.key -utf8 -subj "/O=Büro/CN=$n CVC" -out $n.csr && openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $n.pem && openssl x509 -in $n.pem -outform DER -out $n.der; done && echo image > image && openssl smime -sign -in image -signer maker.pem -inkey maker.key -outform DER -binary -noattr -out one.p7 && openssl smime -sign -in image -signer maker.pem -inkey maker.key -certfile ca.pem -outform DER -binary -noattr -out long.p7 && openssl smime -sign -in image -signer maker.pem -inkey maker.key -signer cosigner.pem -inkey cosigner.key -outform DER -binary -noattr -out two.p7; } >/dev/null 2>&1; for f in maker.der cosigner.der one.p7 two.p7 long.p7; do od -An -v -tx1 $f | tr -d ' \n'; printf ' '; done; cd / && rm -r "$d"`
CREATE TEMP TABLE pki AS SELECT f.name, decode(f.hex, 'hex') AS bytes
  FROM unnest(ARRAY['maker', 'cosigner', 'one', 'two', 'long'], string_to_array(rtrim(:'pki'), ' ')) f(name, hex);
CREATE FUNCTION pg_temp.pki(name text) RETURNS bytea LANGUAGE sql AS 'SELECT p.bytes FROM pg_temp.pki p WHERE p.name = $1';

-- ---- certificates
SELECT results_eq('SELECT n, signer, subject, issuer, valid_until - valid_from, certificate FROM docsis.certificates(pg_temp.pki(''one'') || ''image'')',
    $$SELECT 1, 1, 'CN=maker CVC,O=Büro', 'CN=CVC CA', interval '2 days', pg_temp.pki('maker')$$, 'the certificate of a code file');
SELECT results_eq('SELECT signer, subject FROM docsis.certificates(pg_temp.pki(''two'')) ORDER BY 1',
    $$VALUES (1, 'CN=maker CVC,O=Büro'), (2, 'CN=cosigner CVC,O=Büro')$$, 'the manufacturer signs first, then the co-signer');
SELECT results_eq('SELECT signer, subject FROM docsis.certificates(pg_temp.pki(''long'')) ORDER BY 1',
    $$VALUES (1, 'CN=maker CVC,O=Büro'), (NULL, 'CN=CVC CA')$$, 'an issuer is nobody''s signature');
SELECT is((SELECT (valid_from BETWEEN now() - interval '1 h' AND now() + interval '1 h') FROM docsis.certificates(pg_temp.pki('maker'))), true, 'dates are those of the certificate');
SELECT throws_like('SELECT * FROM docsis.certificates(''image'')', 'not a certificate%', 'what is none is refused');

-- ---- images
CREATE FUNCTION pg_temp.image(name text, content bytea, more text DEFAULT '') RETURNS text LANGUAGE sql AS
$$SELECT format('SELECT nmsp.register_firmware(''Arris'', ''{TM1602}'', ''9.1'', %L, %L::bytea%s)', name, content, more)$$;
SELECT lives_ok(pg_temp.image('tm.bin', pg_temp.pki('two') || repeat('x', 1000)::bytea), 'a signed image is registered');
SELECT results_eq('SELECT cvc, cvc_chain, cvc_subject, cosigner_cvc, cosigner_subject, size, sha256, cvc_valid_until > now() FROM nmsp.firmware_image',
    $$SELECT pg_temp.pki('maker'), false, 'CN=maker CVC,O=Büro', pg_temp.pki('cosigner'), 'CN=cosigner CVC,O=Büro', octet_length(pg_temp.pki('two')) + 1000::bigint,
             sha256(pg_temp.pki('two') || repeat('x', 1000)::bytea), true$$, 'with its certificates, size and hash');
SELECT test.violates(pg_temp.image('plain.bin', 'no signature'), '23514', 'firmware_image_needs_a_cvc', 'image "plain.bin" has no code verification certificate', 'without a certificate: refused');
SELECT lives_ok(pg_temp.image('plain.bin', 'no signature', ', unsigned => true'), 'unless it is said to be unsigned');
SELECT test.refused(pg_temp.image('other.bin', pg_temp.pki('one'), ', unsigned => true'), '22023', 'image "other.bin" is signed', '%maker CVC%', '%', 'a signed one said to be unsigned');
SELECT test.violates(pg_temp.image('tm.bin', pg_temp.pki('one')), '23505', 'firmware_image_file_name_is_already_used', 'file name "tm.bin" is that of another image', 'the file name of another image');
SELECT test.violates(pg_temp.image(n, pg_temp.pki('one')), '23514', c, '%', n) FROM (VALUES ('../x.bin', 'firmware_image_file_name_has_no_path'), ('fw/x.bin', 'firmware_image_file_name_has_no_path'),
    ('.x', 'firmware_image_file_name_is_1_to_61_plain_characters'), (repeat('x', 62), 'firmware_image_file_name_is_1_to_61_plain_characters')) x(n, c);
SELECT nmsp.register_firmware('Arris', '{TM3402}', '31.2', 'chain.bin', pg_temp.pki('long')) AS chained \gset
SELECT ok((SELECT cvc_chain FROM nmsp.firmware_image WHERE id = :chained), 'with its issuers it is a chain');
SELECT is(docsis.parse(convert_to('Main { ' || nmsp.image_statements(:chained) || ' }', 'UTF8')) OPERATOR(docsis.->>) '81' IS NOT NULL, true, 'which goes into TLV 81');

-- ---- rules
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2');
SELECT id AS g1 FROM nmsp.netgw WHERE name = 'cmts-1' \gset
SELECT id AS g2 FROM nmsp.netgw WHERE name = 'cmts-2' \gset
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) VALUES (:g1, 'a'), (:g2, 'b');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES (:g1, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250', '10.1.0.1'), (:g2, 'cm', '10.2.0.0/24', '10.2.0.10', '10.2.0.250', '10.2.0.1');
INSERT INTO nmsp.template (name, source) VALUES ('modem', 'GlobalPrivacyEnable 0;');
SELECT id AS t FROM nmsp.template WHERE name = 'modem' \gset
INSERT INTO nmsp.modem (mac, netgw_id, template_id) SELECT ('02:00:00:00:00:' || to_hex(n))::macaddr, CASE WHEN n % 2 = 0 THEN :g1 ELSE :g2 END, :t FROM generate_series(16, 35) n;
SELECT id AS image FROM nmsp.firmware_image WHERE file_name = 'tm.bin' \gset
CREATE FUNCTION pg_temp.report(version text, at timestamptz, macs text DEFAULT '%', problem text DEFAULT NULL) RETURNS int LANGUAGE sql AS
$$SELECT nmsp.report_versions(array_agg(m.mac), array_agg(version), array_agg('ARRIS'::text), array_agg('tm1602'::text), array_agg(at), NULL, array_agg(problem))
    FROM nmsp.modem m WHERE m.mac::text LIKE macs$$;
SELECT is(pg_temp.report('9.0', '2026-01-01 12:00+00'), 20, '20 modems report');
SELECT is(nmsp.report_version('02:00:00:00:00:10', '8.0', at => '2025-12-31 12:00+00'), false, 'an older report is passed over');
SELECT is(nmsp.report_version('02:00:00:ff:00:10', '8.0'), false, 'so is one of an unknown modem');
SELECT results_eq('SELECT DISTINCT state, why FROM nmsp.modem_firmware', $$VALUES ('none', 'no rule with an image for its vendor, model and hardware matches')$$, 'without a rule: none');
INSERT INTO nmsp.firmware_rule (image_id, netgw_id) VALUES (:image, :g1) RETURNING id AS rule \gset
SELECT results_eq('SELECT state, target_version, count(*)::int FROM nmsp.modem_firmware GROUP BY 1, 2 ORDER BY 1', $$VALUES ('none', NULL, 10), ('waiting', '9.1', 10)$$, 'a rule of one gateway');
SELECT is_empty('SELECT FROM nmsp.firmware_release', 'tells nobody by itself');
SELECT is((SELECT nmsp.firmware_statements(min(id)) FROM nmsp.modem), NULL, 'configfiles say nothing');
INSERT INTO nmsp.firmware_rule (image_id, modem_id, rank, at_boot) SELECT :image, id, 10, true FROM nmsp.modem WHERE mac = '02:00:00:00:00:11' RETURNING id AS single, modem_id AS m11 \gset
SELECT results_eq('SELECT modem_id, image_id FROM nmsp.firmware_release', format('VALUES (%s::bigint, %s::bigint)', :m11, :image), 'a rule at boot tells its modem');
SELECT is((SELECT docsis.parse(convert_to('Main { ' || nmsp.firmware_statements(:m11) || ' }', 'UTF8')) OPERATOR(docsis.->>) '9'), 'fw/tm.bin', 'TLV 9 names the file');
SELECT is((SELECT docsis.parse(convert_to('Main { ' || nmsp.firmware_statements(:m11) || ' }', 'UTF8')) OPERATOR(docsis.->>) '21'), '172.20.0.1', 'TLV 21 the server');
SELECT is(nmsp.joined_tlvs(docsis.cvc(pg_temp.pki('one'))), (SELECT string_agg(data, '\x'::bytea ORDER BY "offset")
    FROM docsis.tlvs(docsis.parse(convert_to('Main { ' || nmsp.firmware_statements(:m11) || ' }', 'UTF8'))) WHERE path = '32'), 'TLV 32 is the certificate');
SELECT is((SELECT string_agg(DISTINCT c.path, ' ') FROM docsis.tlvs(nmsp.modem_config(:m11)) c WHERE c.path IN ('9', '21', '32', '33')), '21 32 33 9',
    'its configfile has them');
SELECT is_empty('SELECT t FROM nmsp.modem m, docsis.tlvs(nmsp.modem_config(m)) t WHERE t.path IN (''9'', ''21'', ''32'') AND m.mac <> ''02:00:00:00:00:11''', 'nobody else''s has');
SELECT is((SELECT format('%s %s %s %s', verdict, convert_from(content, 'UTF8'), note, netgw_id) FROM nmsp.download('fw/tm.bin', '10.1.0.77', now())),
    (SELECT format('file %s fw/tm.bin  %s', size, :g1) FROM nmsp.firmware_image WHERE file_name = 'tm.bin'), 'the image may be had from a modem''s address');
SELECT is((nmsp.download('/fw/nothing.bin', '10.1.0.77', now())).verdict, 'unknown', 'a file that is no image may not');
INSERT INTO nmsp.pool (netgw_id, purpose, network) VALUES (:g1, 'cpe_public', '198.51.100.0/24');
SELECT is((SELECT verdict || ': ' || note FROM nmsp.download('fw/tm.bin', '198.51.100.7', now())), 'refused: the address lies in pool 198.51.100.0/24 (cpe_public)', 'nor from a CPE''s');
SELECT results_eq('SELECT device, item FROM nmsp.preview(''DELETE FROM nmsp.firmware_rule WHERE at_boot'') WHERE item LIKE ''TLV 9 %''', $$VALUES ('02:00:00:00:00:11', 'TLV 9 SwUpgradeFilename')$$,
    'a preview shows what becomes of its file without the rule');
INSERT INTO nmsp.dial_plan (name, digit_map) VALUES ('plan', '(0x.T)') RETURNING id AS plan \gset
SELECT is((SELECT format('%s %s', verdict, convert_from(content, 'UTF8')) FROM nmsp.download(format('dialplan/%s.txt', :plan), '10.1.0.77', now())), 'served (0x.T)', 'a dial plan may be had too');
SELECT is((SELECT verdict FROM nmsp.download(format('dialplan/%s.txt', :plan), '198.51.100.7', now())), 'refused', 'not by a CPE');
SELECT is((SELECT verdict FROM nmsp.download('dialplan/999999.txt', '10.1.0.77', now())), 'unknown', 'one that there is');
SELECT is(nmsp.report_version('02:00:00:00:00:11', '9.0', NULL, 'TM9999', '2026-01-01 13:00+00'), true, 'it turns out to be another model');
SELECT is_empty('SELECT FROM nmsp.firmware_release', 'and is told nothing: the image is not for it');
SELECT nmsp.report_version('02:00:00:00:00:11', '9.0', NULL, 'TM1602', '2026-01-01 13:00+00');
SELECT is((SELECT count(*) FROM nmsp.firmware_release), 1::bigint, 'the right model is');
UPDATE nmsp.modem SET mac = '02:00:00:00:00:ff' WHERE id = :m11;
SELECT is_empty('SELECT FROM nmsp.firmware_release', 'with another hardware address it is another modem');
DELETE FROM nmsp.firmware_rule WHERE id = :single;

-- ---- campaigns
SELECT test.refused('SELECT nmsp.start_campaign(0)', '42704', 'campaign 0 does not exist', '%', '%', 'no campaign');
INSERT INTO nmsp.firmware_campaign (name, rule_id, batch_size, canary_share, canary_wait, abort_share, abort_minimum, patience, window_start, window_end)
VALUES ('spring', :rule, 4, 0.2, '2 h', 0.25, 4, '1 h', '22:00', '04:00') RETURNING id AS c \gset
UPDATE nmsp.setting SET time_zone = 'Europe/Berlin';
SELECT is(nmsp.start_campaign(:c, '2026-01-02 12:00+00'), 10, 'begins with ten modems');
SELECT test.refused(format('SELECT nmsp.start_campaign(%s)', :c), '55000', 'campaign "spring" cannot be started', 'It is in state canary%', '%', 'only once');
SELECT is((SELECT count(*) FROM nmsp.firmware_campaign_modem WHERE canary), 2::bigint, 'two are canaries');
CREATE FUNCTION pg_temp.step(at timestamptz) RETURNS text LANGUAGE sql AS
$$SELECT format('released %s, finished %s', released, finished) FROM nmsp.advance_campaigns(at)$$;
CREATE FUNCTION pg_temp.progress() RETURNS text LANGUAGE sql AS
$$SELECT format('%s: %s waiting, %s released, %s done, %s failed, %s absent', state, waiting, released, done, failed, absent) FROM nmsp.firmware_campaign_progress$$;
CREATE FUNCTION pg_temp.upgrade(n int, version text, at timestamptz, problem text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
$$SELECT count(nmsp.report_version(x.mac, version, NULL, NULL, at, NULL, problem)) FROM (
    SELECT m.mac FROM nmsp.firmware_campaign_modem c JOIN nmsp.modem m ON m.id = c.modem_id JOIN nmsp.modem_version v ON v.modem_id = m.id
     WHERE c.state = 'released' AND v.version <> '9.1' ORDER BY c.turn LIMIT n) x$$;
SELECT coalesce(max(id), 0) AS last FROM nmsp_feed.change \gset
SELECT is(pg_temp.step('2026-01-02 20:59:59+00'), 'released 0, finished 0', 'before its window nobody is released');
SELECT is(pg_temp.step('2026-01-02 21:00+00'), 'released 2, finished 0', '22:00 in Berlin: the canaries');
SELECT is((SELECT count(*) FROM nmsp.firmware_release), 2::bigint, 'whose configfiles name the image');
SELECT set_eq('SELECT unnest(c.ids) FROM nmsp_feed.change c WHERE c.feed = ''tftpd'' AND c.cause = ''modem'' AND c.id > ' || :last,
    'SELECT modem_id FROM nmsp.firmware_release', 'feeds are told of these two, of no others');
SELECT is(pg_temp.step('2026-01-02 21:00:10+00'), 'released 0, finished 0', 'a second step does nothing');
SELECT pg_temp.upgrade(2, '9.1', '2026-01-02 21:10+00');
SELECT is(pg_temp.step('2026-01-02 21:10+00'), 'released 0, finished 2', 'they report the new version');
SELECT is((SELECT count(*) FROM nmsp.firmware_release), 2::bigint, 'their files stay as they are');
SELECT is(pg_temp.step('2026-01-02 23:09+00'), 'released 0, finished 0', 'the others wait');
SELECT is(pg_temp.step('2026-01-02 23:10+00'), 'released 4, finished 0', 'two hours, then a batch');
SELECT is(pg_temp.progress(), 'running: 4 waiting, 4 released, 2 done, 0 failed, 0 absent', 'progress says so');
SELECT pg_temp.upgrade(1, '9.0', '2026-01-02 23:20+00', 'signature refused');
SELECT is(pg_temp.step('2026-01-02 23:20+00'), 'released 1, finished 1', 'one fails, another takes its place');
SELECT is((SELECT note FROM nmsp.firmware_campaign_result WHERE state = 'failed'), 'signature refused', 'with its reason');
SELECT pg_temp.upgrade(1, '9.0', '2026-01-02 23:30+00');
SELECT is(pg_temp.step('2026-01-03 00:09:59+00'), 'released 0, finished 0', 'an old version is no failure before the patience ends');
SELECT is(pg_temp.step('2026-01-03 00:10+00'), 'released 0, finished 3', 'then it is; who was not heard of is absent');
SELECT is(pg_temp.progress(), 'aborted: 4 waiting, 0 released, 2 done, 2 failed, 2 absent', 'half of four failed: aborted');
SELECT is((SELECT reason FROM nmsp.firmware_campaign WHERE id = :c), '2 of 4 modems failed, more than 25 %', 'and says why');
SELECT is((SELECT message FROM nmsp.health() WHERE component = 'firmware'), 'campaign "spring" is aborted: 2 of 4 modems failed, more than 25 %', 'health says so');
SELECT is((SELECT count(*) FROM nmsp.firmware_release), 2::bigint, 'the one under way is called back, the failed ones are told nothing');
SELECT is(pg_temp.step('2026-01-03 00:11+00'), 'released 0, finished 0', 'it stays so');
SELECT nmsp.resume_campaign(:c, now => '2026-01-03 00:20+00');
SELECT is(pg_temp.step('2026-01-03 00:20+00'), 'released 4, finished 0', 'resumed: it counts afresh');
SELECT nmsp.pause_campaign(:c, 'lunch');
SELECT pg_temp.upgrade(3, '9.1', '2026-01-03 00:30+00');
SELECT is(pg_temp.step('2026-01-03 00:30+00'), 'released 0, finished 3', 'paused: results are taken, nobody is released');
SELECT nmsp.resume_campaign(:c, true, '2026-01-03 00:31+00');
SELECT is(pg_temp.step('2026-01-03 00:31+00'), 'released 3, finished 0', 'resumed with another try for the failed and the absent');
SELECT pg_temp.upgrade(10, '9.1', '2026-01-03 00:40+00');
SELECT is(pg_temp.step('2026-01-03 00:40+00'), 'released 1, finished 4', 'on it goes');
SELECT pg_temp.upgrade(10, '9.1', '2026-01-03 00:50+00');
SELECT is(pg_temp.step('2026-01-03 00:50+00'), 'released 0, finished 1', 'the last one');
SELECT is(pg_temp.progress(), 'done: 0 waiting, 0 released, 10 done, 0 failed, 0 absent', 'all done');
SELECT results_eq('SELECT state, count(*)::int FROM nmsp.modem_firmware GROUP BY 1 ORDER BY 1', $$VALUES ('current', 10), ('none', 9), ('unknown', 1)$$, 'modem_firmware agrees');
INSERT INTO nmsp.firmware_campaign (name, rule_id) VALUES ('again', :rule) RETURNING id AS c2 \gset
SELECT test.refused(format('SELECT nmsp.start_campaign(%s)', :c2), '55000', 'campaign "again" has no modem to upgrade', '%', '%modem_firmware%', 'nothing to do is refused');
SELECT * FROM finish();
ROLLBACK;

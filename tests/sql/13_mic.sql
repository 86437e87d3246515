-- Whole files through SQL: seals with the Extended CMTS MIC, settings added at download, certificates,
-- dial plans, two-byte lengths.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error; -- warnings of the codec are expected here

CREATE TEMP TABLE sample (name text PRIMARY KEY, config docsis.config);
INSERT INTO sample VALUES
    ('plain', 'Main { NetworkAccess 1; MaxCPE 5; }'),
    -- Candidate vector: its digests were computed by one implementation only, before this one.
    ('candidate', '\x0301011807010200010601071907010200020601073b1000000000000000000000000000000000'::bytea::docsis.config),
    ('explicit', '\x0301011807010200010601071907010200020601073b10000000000000000000000000000000002b260803ffffff061f0101010208100000c000100010031000000000000000000000000000000000'::bytea::docsis.config),
    ('implicit', '\x0301011807010200010601071907010200020601073b10000000000000000000000000000000002b140803ffffff060d0101010208100000c000100010'::bytea::docsis.config),
    ('mmh', 'Main { NetworkAccess 1; VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 2; ExtendedCMTSMICHMACBitmap 0x10; } } }'),
    ('elsewhere', 'Main { NetworkAccess 1; UsPacketClass { VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfigurationSetting { ExtendedCMTSMICHMACtype 2; } } } }'),
    ('mta', 'Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String "mta"; MtaConfigDelimiter 255; }');
CREATE FUNCTION pg_temp.sample(name text) RETURNS docsis.config LANGUAGE sql AS $$SELECT config FROM sample s WHERE s.name = sample.name$$;
CREATE FUNCTION pg_temp.data(config docsis.config, path text) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(encode(data, 'hex'), ' ' ORDER BY "offset") FROM docsis.tlvs(config) t WHERE t.path = data.path$$;
CREATE FUNCTION pg_temp.verdict(config docsis.config, secret text DEFAULT 'DOCSIS') RETURNS text LANGUAGE sql AS
$$SELECT docsis.verify(config, secret)::text$$;

-- ---- Extended CMTS MIC
SELECT is(pg_temp.data(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS'), '43.6.3'), '770fce9ece7dfa55b7c7b6e3d6c7afc3', 'candidate vector, explicit: the digest is filled in');
SELECT is(pg_temp.data(docsis.seal(pg_temp.sample('candidate'), 'DOCSIS', extended => 'explicit'), '43.6.3'), '770fce9ece7dfa55b7c7b6e3d6c7afc3', 'candidate vector, explicit: made anew');
SELECT is(pg_temp.data(docsis.seal(pg_temp.sample('implicit'), 'DOCSIS'), '7'), 'e87f3c11c2693008406aa3b6719c53cd', 'candidate vector, implicit: in TLV 7');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS')), '(t,t,t)', 'explicit: all three are right');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('implicit'), 'DOCSIS')), '(t,,t)', 'implicit: TLV 7 is the extended one');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS'), 'other'), '(t,f,f)', 'explicit with a wrong secret');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('implicit'), 'DOCSIS'), 'other'), '(t,,f)', 'implicit with a wrong secret');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', extended => 'none')), '(t,t,f)', 'none: the digest stays as it stands');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('implicit'), 'DOCSIS', extended => 'none')), '(t,,f)', 'none: TLV 7 is no extended digest');
SELECT is(pg_temp.verdict(pg_temp.sample('implicit')), '(,,)', 'implicit without TLV 7 is absent');
SELECT is(pg_temp.verdict(pg_temp.sample('explicit')), '(,,f)', 'explicit is there, and wrong');
SELECT is(docsis.seal(pg_temp.sample('plain'), 'DOCSIS'), docsis.seal(pg_temp.sample('plain'), 'DOCSIS', extended => 'none'), 'keep makes none where there is none');
SELECT is_empty($$SELECT name, e FROM sample, unnest(ARRAY['keep', 'none', 'explicit', 'implicit']) e WHERE name <> 'mmh'
                     AND docsis.seal(docsis.seal(config, 'DOCSIS', extended => e), 'DOCSIS', extended => e) <> docsis.seal(config, 'DOCSIS', extended => e)$$,
                'sealing twice is sealing once, in every form');
SELECT is_empty($$SELECT name, e FROM sample, unnest(ARRAY['explicit', 'implicit']) e WHERE name <> 'mta'
                     AND docsis.seal(docsis.seal(config, 'old', extended => e), 'DOCSIS') <> docsis.seal(config, 'DOCSIS', extended => e)$$,
                'what was made is kept with another secret');
SELECT is_empty($$SELECT name, e, v FROM sample, unnest(ARRAY['explicit', 'implicit']) e, docsis.verify(docsis.seal(config, 'DOCSIS', extended => e), 'DOCSIS') v
                   WHERE name <> 'mta' AND (NOT cm_mic OR NOT extended_cmts_mic OR extended_cmts_mic IS NULL OR cmts_mic IS DISTINCT FROM (CASE e WHEN 'explicit' THEN true END))$$,
                'what was made verifies');
SELECT is((SELECT string_agg(path || ' ' || encode(data, 'hex'), ', ' ORDER BY "offset") FROM docsis.tlvs(docsis.seal(
              'Main { NetworkAccess 1; SnmpMibObject sysContact.0 String "x"; GenericTLV TlvCode 70 TlvLength 1 TlvValue 0x00; }', 'DOCSIS', extended => 'implicit'))
             WHERE path LIKE '43.%' AND path <> '43.6'), '43.8 ffffff, 43.6.1 01, 43.6.2 120000000010000002', 'the bitmap: 3, 6, 43 and 70, not 11');
SELECT is((SELECT array_agg(path ORDER BY "offset") FROM docsis.tlvs(docsis.seal(pg_temp.sample('explicit') OPERATOR(docsis.||) pg_temp.sample('plain'), 'DOCSIS', extended => 'explicit')) WHERE depth = 0 AND path <> '0'),
          ARRAY['3', '24', '25', '59', '3', '18', '43', '6', '7', '255'], 'made anew it is the last setting');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('elsewhere'), 'DOCSIS')), '(t,t,)', 'a 43.6 inside of 22 is none');
SELECT is(docsis.seal(pg_temp.sample('elsewhere'), 'DOCSIS')::bytea, docsis.encode(convert_to(pg_temp.sample('elsewhere')::text, 'UTF8'), 'DOCSIS'), 'and is untouched');
SELECT is(docsis.encode(convert_to(pg_temp.sample('explicit')::text, 'UTF8'), 'DOCSIS'), docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', extended => 'none')::bytea, 'docsis.encode leaves 43.6 as the text has it');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('mmh'), 'DOCSIS', extended => 'none')), '(t,,)', 'an implicit one of MMH cannot be checked');
SELECT test.refused($$SELECT docsis.seal(pg_temp.sample('mmh'), 'DOCSIS')$$, '0A000', 'cannot compute the Extended CMTS MIC', '%MMH16%', '%none%', 'MMH is refused');
SELECT test.refused($$SELECT docsis.seal('Main { VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 43; } } }', 'x')$$, '0A000', 'cannot compute the Extended CMTS MIC', '%vendor%', '%none%', 'a vendor''s own is refused');
SELECT test.refused($$SELECT docsis.seal('Main { VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; } } }', 'x')$$, '22023', 'cannot compute the Extended CMTS MIC', '%no bitmap%', '%none%', 'one without a bitmap is refused');
SELECT test.refused($$SELECT docsis.seal(pg_temp.sample('plain'), 'DOCSIS', extended => 'both')$$, '22023', 'unknown form of the Extended CMTS MIC "both"', '%43.6%', '%implicit%', 'an unknown form');
-- 59 in the place of 20 changes the older MIC; an extended one goes by its bitmap.
SELECT isnt(pg_temp.data(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', true), '7'), pg_temp.data(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', false), '7'), 'ipv6_address changes TLV 7');
SELECT is(pg_temp.data(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', true), '43.6.3'), pg_temp.data(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', false), '43.6.3'), 'and not the extended digest');
SELECT is(docsis.verify(docsis.seal(pg_temp.sample('explicit'), 'DOCSIS', true), 'DOCSIS', true)::text, '(t,t,t)', 'both right with ipv6_address');

-- The modem of the test bed has an implementation of its own (tests/modem/docsis_check.py).
\getenv root NMSP_ROOT
SELECT string_agg(e || '=' || encode(docsis.seal(config, 'DOCSIS', extended => e)::bytea, 'hex'), ' ' ORDER BY e) AS files
  FROM (VALUES ('Main { NetworkAccess 1; MaxCPE 5; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } SnmpMibObject sysContact.0 String "x"; VendorSpecific { VendorIdentifier 0x00000c; GenericTLV TlvCode 1 TlvLength 1 TlvValue 0x07; } GenericTLV TlvCode 70 TlvLength 3 TlvValue 0x060107; }'::docsis.config)) f(config),
       unnest(ARRAY['none', 'explicit', 'implicit']) e \gset
\setenv FILES :files
\setenv FOLDER :root
\set answers `PYTHONDONTWRITEBYTECODE=1 python3 -c 'import os,sys; sys.path.insert(0, os.environ["FOLDER"] + "/tests/modem"); import docsis_check; print(" ".join("%s=%s" % (n, docsis_check.check(bytes.fromhex(h), "DOCSIS").extended_mic) for n, h in (f.split("=") for f in os.environ["FILES"].split())))' 2>&1`
SELECT is(:'answers'::text, 'explicit=explicit implicit=implicit none=None', 'another implementation agrees with each form');

-- ---- settings added at download
SELECT is(docsis.with_download('Main { NetworkAccess 1; }', '1900-01-01 00:01:40+00', '10.0.0.7')::bytea, '\x030101130400000064' || '\x14040a000007'::bytea, 'timestamp and IPv4 address');
SELECT is(docsis.with_download('Main { NetworkAccess 1; }', modem => '2001:db8::7')::bytea, '\x0301013b1020010db8000000000000000000000007'::bytea, 'IPv6 address alone');
SELECT is(docsis.with_download(docsis.seal('Main { TftpTimestamp 1; NetworkAccess 1; TftpModemAddress 1.2.3.4; TftpModemAddress 1.2.3.5; }', 'x'), '2026-01-02 03:04:05+00', '10.0.0.8/24')::bytea,
          '\x0301011304ed01b42514040a000008'::bytea, 'those that are there are replaced, the seal goes');
SELECT is(docsis.with_download(c, now(), '10.0.0.7'), docsis.with_download(docsis.with_download(c, now(), '10.0.0.7'), now(), '10.0.0.7'), 'never doubled') FROM (SELECT pg_temp.sample('plain')) x(c);
SELECT is(docsis.with_download(pg_temp.sample('plain')), pg_temp.sample('plain'), 'nothing given, nothing added');
SELECT is(docsis.with_download(NULL, now(), '10.0.0.7'), NULL, 'null in, null out');
SELECT is((SELECT array_agg(path ORDER BY "offset") FROM docsis.tlvs(docsis.with_download(docsis.seal(pg_temp.sample('plain'), 'x', extended => 'explicit'), now(), '10.0.0.7')) WHERE depth = 0),
          ARRAY['3', '18', '19', '20', '43'], 'the Extended CMTS MIC stays the last setting');
SELECT is(docsis.verify(docsis.seal(docsis.with_download(pg_temp.sample('plain'), now(), '10.0.0.7'), 'x', extended => 'explicit'), 'x')::text, '(t,t,t)', 'sealed after');
SELECT is(docsis.with_download('Main { NetworkAccess 1; }', '2036-02-07 06:28:15+00')::bytea, '\x0301011304ffffffff'::bytea, 'the last second of 32 bits');
SELECT test.refused($$SELECT docsis.with_download('Main { NetworkAccess 1; }', '2036-02-07 06:28:16+00')$$, '22008', 'time of sending is out of range', '%2036%', '%now()%', 'the second after');
SELECT test.refused($$SELECT docsis.with_download('Main { NetworkAccess 1; }', 'infinity')$$, '22008', 'time of sending is out of range', '%2036%', '%now()%', 'no time at all');
SELECT test.refused($$SELECT docsis.with_download(pg_temp.sample('mta'), now())$$, '22023', 'not a CM configuration', '%MtaConfigDelimiter%', '%', 'an MTA file');

-- ---- certificates, made here by openssl
\set pki `d=$(mktemp -d) && cd "$d" && { openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj '/CN=CVC CA' -days 2 -out ca.pem && openssl req -new -newkey rsa:2048 -nodes -keyout cvc.key -subj '/CN=Manufacturer CVC' -out cvc.csr && openssl x509 -req -in cvc.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cvc.pem && openssl x509 -in ca.pem -outform DER -out ca.der && openssl x509 -in cvc.pem -outform DER -out cvc.der && openssl crl2pkcs7 -nocrl -certfile cvc.pem -certfile ca.pem -outform DER -out chain.p7 && echo image > image && openssl smime -sign -in image -signer cvc.pem -inkey cvc.key -outform DER -binary -noattr -out code.p7; } >/dev/null 2>&1; for f in ca.der cvc.der chain.p7 code.p7 cvc.pem; do od -An -v -tx1 $f | tr -d ' \n'; printf ' '; done; cd / && rm -r "$d"`
CREATE TEMP TABLE pki AS SELECT f.name, decode(f.hex, 'hex') AS bytes
  FROM unnest(ARRAY['ca', 'cvc', 'chain', 'code', 'pem'], string_to_array(rtrim(:'pki'), ' ')) f(name, hex);
CREATE FUNCTION pg_temp.pki(name text) RETURNS bytea LANGUAGE sql AS $$SELECT bytes FROM pki p WHERE p.name = pki.name$$;
CREATE FUNCTION pg_temp.joined(config docsis.config, path text) RETURNS bytea LANGUAGE sql AS
$$SELECT string_agg(data, '' ORDER BY "offset") FROM docsis.tlvs(config) t WHERE t.path = joined.path$$;
SELECT cmp_ok((SELECT min(length(bytes)) FROM pki), '>', 500, 'openssl made certificates');
SELECT is(pg_temp.joined(docsis.cvc(pg_temp.pki('cvc')), '32'), pg_temp.pki('cvc'), 'a certificate in TLVs 32');
SELECT is(pg_temp.joined(docsis.cvc(pg_temp.pki('cvc'), true), '33'), pg_temp.pki('cvc'), 'that of a co-signer in TLVs 33');
SELECT is((SELECT array_agg(length ORDER BY "offset") FROM docsis.tlvs(docsis.cvc(pg_temp.pki('cvc')))),
          array_fill(254, ARRAY[(length(pg_temp.pki('cvc')) - 1) / 254]) || (length(pg_temp.pki('cvc')) - 1) % 254 + 1, 'pieces of 254 bytes and a rest');
SELECT is(pg_temp.joined(docsis.cvc(pg_temp.pki('code') || pg_temp.pki('ca')), '32'), pg_temp.pki('cvc'), 'out of a code file, whatever follows its signature');
SELECT is(pg_temp.joined(docsis.cvc(pg_temp.pki('chain')), '32'), pg_temp.pki('cvc'), 'out of a chain');
SELECT is(pg_temp.joined(docsis.cvc_chain(pg_temp.pki('chain')), '81'), pg_temp.pki('chain'), 'a PKCS#7 chain as it is');
SELECT is(pg_temp.joined(docsis.cvc_chain(pg_temp.pki('cvc') || pg_temp.pki('ca'), true), '82'), pg_temp.pki('chain'), 'a chain of certificates in a row is the PKCS#7 that openssl makes of them');
SELECT is(pg_temp.verdict(docsis.seal(pg_temp.sample('plain') OPERATOR(docsis.||) docsis.cvc(pg_temp.pki('cvc')), 'DOCSIS')), '(t,t,)', 'settings like any other');
SELECT test.refused($$SELECT docsis.cvc('\x3003020101')$$, '22P03', 'not a certificate', 'Byte 0.%', '%DER%', 'garbage');
SELECT test.refused($$SELECT docsis.cvc('')$$, '22P03', 'not a certificate', 'Byte 0.%', '%DER%', 'nothing');
SELECT test.refused($$SELECT docsis.cvc(pg_temp.pki('pem'))$$, '22P03', 'not a certificate', '%PEM%', '%-outform DER%', 'PEM');
SELECT test.refused($$SELECT docsis.cvc(pg_temp.pki('cvc') || '\x00')$$, '22P03', 'not a certificate', '%', '%DER%', 'bytes behind a certificate');
SELECT test.refused($$SELECT docsis.cvc(substr(pg_temp.pki('cvc'), 1, 300))$$, '22P03', 'not a certificate', '%', '%DER%', 'a cut certificate');
SELECT test.refused($$SELECT docsis.cvc_chain(pg_temp.pki('cvc'))$$, '22023', 'not a chain of certificates', '%one certificate%', '%docsis.cvc%', 'a chain of one');

-- ---- dial plans
SELECT is(docsis.dialplan('x', 'digitmap'), 'Main { MtaConfigDelimiter 1; SnmpMibObject .1.3.6.1.4.1.4491.2.2.8.2.1.1.3.1.1.2.1 String "x"; MtaConfigDelimiter 255; }'::docsis.config, 'digitmap: an ordinary varbind');
SELECT is(docsis.dialplan('x'::text)::bytea, '\xfe0101' || '\x400019301706122b06010401a30b02020802010103010102010401'::bytea || 'x'::bytea || '\xfe01ff'::bytea, 'option: always TLV 64');
SELECT is(docsis.dialplan('ö'), docsis.dialplan('\xc3b6'::bytea), 'text means its UTF-8 bytes');
SELECT is(docsis.mta(pg_temp.sample('mta'), dialplan => docsis.dialplan('x'))::bytea,
          overlay(pg_temp.sample('mta')::bytea PLACING substr(docsis.dialplan('x')::bytea, 4) FROM octet_length(pg_temp.sample('mta')) - 2), 'put in before the closing delimiter');
SELECT is(docsis.mta(pg_temp.sample('mta'), 'eu', docsis.dialplan('x')), docsis.mta(docsis.mta(pg_temp.sample('mta'), 'none', docsis.dialplan('x')), 'eu'), 'and before the hash');
SELECT is(docsis.mta(docsis.mta(pg_temp.sample('mta'), 'eu', docsis.dialplan('y')), 'eu', docsis.dialplan('x')), docsis.mta(pg_temp.sample('mta'), 'eu', docsis.dialplan('x')), 'plan and hash of before are replaced');
SELECT is_empty($$SELECT n, f FROM unnest(ARRAY[1, 100, 101, 105, 106, 127, 128, 255, 256, 8192]) n, unnest(ARRAY['option', 'digitmap']) f, docsis.dialplan(repeat('x', n), f) d
                   WHERE d::text::docsis.config <> d OR d::jsonb::docsis.config <> d$$, 'as text and JSON and back, at every length form');
SELECT is(docsis.mta(NULL, 'na', docsis.dialplan('x')), NULL, 'null in, null out');
SELECT is(docsis.mta(pg_temp.sample('mta'), NULL), NULL, 'no hash said, null out');
SELECT test.refused($$SELECT docsis.dialplan('')$$, '22023', 'dial plan is empty', '%', '%', 'an empty plan');
SELECT test.refused($$SELECT docsis.dialplan(repeat('x', 8193), 'digitmap')$$, '22023', 'dial plan is too long', '%8192%', '%', 'a long plan');
SELECT test.refused($$SELECT docsis.dialplan('x', 'other')$$, '22023', 'unknown form of a dial plan "other"', '%', '%digitmap%', 'an unknown form');
SELECT test.refused($$SELECT docsis.mta(pg_temp.sample('plain'), 'na', docsis.dialplan('x'))$$, '22023', 'not an MTA configuration', '%', '%', 'no MTA file');
SELECT test.refused($$SELECT docsis.mta(pg_temp.sample('mta'), 'na', pg_temp.sample('plain'))$$, '22023', 'not an MTA configuration', '%', '%', 'no dial plan');

-- ---- DOCSIS 4.0: lengths of two bytes
SELECT is_empty($$SELECT n FROM unnest(ARRAY[1, 255, 256, 1000]) n,
                     LATERAL (SELECT format('Main { NetworkAccess 1; CMSSHServerConfigurationSettings { SSHServerParameters { NewConnectionTimeout 60; } SSHCredentialSet { SshCmCdsCredentialSet 0x%1$s; CDSDownloadURL "v"; } } SecurityConfigurationSettings { CVCValidation { OCSPResponsesForCVCValidation 0x%1$s; CodeFileAuthenticationHeader 0xaa; } } MaxCPE 2; }', repeat('ab', n))::docsis.config AS c) x
                   WHERE c::text::docsis.config <> c OR c::jsonb::docsis.config <> c OR octet_length(c) <> 38 + 2 * n OR docsis.verify(docsis.seal(c, 'x'), 'x')::text <> '(t,t,)'
                      OR docsis.verify(docsis.config(set_byte(docsis.seal(c, 'x')::bytea, octet_length(c) - 1, 9)), 'x')::text <> '(f,f,)'$$,
                'text, JSON, seal, and the CMTS MIC covers what follows them');

SELECT * FROM finish();
ROLLBACK;

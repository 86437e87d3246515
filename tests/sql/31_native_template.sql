-- Templates: what a service class says of its flows, and the native form.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error; -- warnings of the codec are expected here

-- ---- a small network
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1');
SELECT id AS g1 FROM nmsp.netgw \gset
INSERT INTO nmsp.netgw_secret VALUES (:g1, 'DOCSIS');
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) VALUES (:g1, 'cm', '10.1.0.0/24', '10.1.0.10', '10.1.0.250');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('plain', 100000000, 10000000);
SELECT id AS c1 FROM nmsp.service_class \gset
INSERT INTO nmsp.template (name, source) VALUES ('first', 'GlobalPrivacyEnable 0;');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, name) SELECT '00:11:22:00:00:01', :g1, id, :c1, 'one' FROM nmsp.template;
SELECT id AS m1 FROM nmsp.modem \gset
-- The modem's file with this template, as text of the TLVs before the MICs
CREATE FUNCTION pg_temp.file(source text, parent text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $fn$
BEGIN
    UPDATE nmsp.template SET source = file.source, parent_id = (SELECT id FROM nmsp.template WHERE name = parent) WHERE name = 'first';
    RETURN (SELECT string_agg(concat_ws(' ', repeat('>', depth) || name, value), '; ' ORDER BY "offset")
              FROM docsis.tlvs(nmsp.modem_config((SELECT min(id) FROM nmsp.modem))) WHERE name NOT IN ('CmMic', 'CmtsMic', 'EndOfDataMkr', 'Pad'));
END
$fn$;

-- ---- parameters of flows: each column is a placeholder, and fits the TLV it is named after
CREATE TEMP TABLE flow_tlv (suffix text, tlv text, sample text);
INSERT INTO flow_tlv VALUES
    ('peak_rate', '%PeakTrafficRate', '120000000'), ('max_burst', 'MaxTrafficBurst', '3044'), ('min_reserved_rate', 'MinReservedRate', '64000'),
    ('min_packet_size', 'MinResPacketSize', '64'), ('traffic_priority', 'TrafficPriority', '5'), ('max_latency', 'MaxDsLatency', '9000'),
    ('attributes_required', 'ServiceFlowRequiredAttributeMask', '0x00000001'), ('attributes_forbidden', 'ServiceFlowForbiddenAttributeMask', '0x80000000'),
    ('tos_overwrite', 'IpTosOverwrite', '0x00b8'), ('resequencing', 'DsResequencing', '1'),
    ('max_concatenated_burst', 'MaxConcatenatedBurst', '1600'), ('scheduling_type', 'SchedulingType', '6'), ('request_policy', 'RequestOrTxPolicy', '0x0000017f'),
    ('poll_interval', 'NominalPollInterval', '20000'), ('poll_jitter', 'ToleratedPollJitter', '800'), ('grant_size', 'UnsolicitedGrantSize', '232'),
    ('grant_interval', 'NominalGrantInterval', '20000'), ('grant_jitter', 'ToleratedGrantJitter', '800'), ('grants_per_interval', 'GrantsPerInterval', '1'),
    ('guaranteed_grant_interval', 'GuaranteedGrantInterval', '2000'), ('guaranteed_grant_rate', 'GuaranteedGrantRate', '1000000'),
    ('guaranteed_request_interval', 'GuaranteedRequestInterval', '4000'),
    ('aqm_disabled', 'SFAQMDisable', '0'), ('aqm_latency_target', 'SFAQMLatencyTarget', '10'), ('aqm_algorithm', 'AQMAlgorithm', '1'),
    ('aqm_max_threshold', 'ImmediateAQMMaxThreshold', '1000'), ('aqm_range_exponent', 'ImmediateAQMRangeExponent', '19'),
    ('buffer_minimum', 'MinimumBuffer', '1000'), ('buffer_target', 'TargetBuffer', '2000'), ('buffer_maximum', 'MaximumBuffer', '3000'),
    ('aggregate_name', 'ASFQoSProfileName', 'asf-100'), ('classic_name', 'ClassicSFSCN', 'classic'), ('low_latency_name', 'LowLatencySFSCN', 'fast'),
    ('coupling_factor', 'AQMCouplingFactor', '20'), ('scheduling_weight', 'SchedulingWeight', '230'), ('queue_protection', 'QueueProtectionEnable', '1');
CREATE TEMP VIEW flow_column AS
SELECT a.attname::text AS name, left(a.attname, 2) AS direction, substr(a.attname, 4) AS suffix, a.atttypid::regtype AS type, a.attnum
  FROM pg_attribute a WHERE a.attrelid = 'nmsp.service_class'::regclass AND a.attnum > 7 AND NOT a.attisdropped;
SELECT set_eq('SELECT DISTINCT suffix FROM flow_column', 'SELECT suffix FROM flow_tlv', 'the parameters are those this test knows');
SELECT set_eq('SELECT ''qos.'' || name || ''.0'' FROM flow_column', 'SELECT placeholder FROM nmsp.template_placeholder JOIN flow_column ON reads = ''nmsp.service_class.'' || name', 'each is a placeholder');
SELECT is_empty($$SELECT f.name FROM flow_column f WHERE f.name <> ALL ((SELECT columns::text[] FROM nmsp_feed.dependency WHERE feed = 'tftpd' AND relation = 'nmsp.service_class')::text[])$$, 'and makes files due when it changes');
-- The text of a flow, each placeholder on a line of its own
CREATE FUNCTION pg_temp.flow(f text) RETURNS text LANGUAGE sql AS $fn$
    WITH line AS (
        SELECT c.attnum, t.suffix, format('  %s %s;', replace(t.tlv, '%', CASE c.direction WHEN 'ds' THEN 'Downstream' ELSE 'Upstream' END),
                      CASE WHEN t.suffix LIKE '%name' THEN format('"{qos.%s.0}"', c.name) ELSE format('{qos.%s.0}', c.name) END) AS text
          FROM flow_column c JOIN flow_tlv t USING (suffix) WHERE c.direction = f)
    SELECT format(E'%sServiceFlow\n{\n%s\n  AQMEncodings\n  {\n%s\n  }\n  BufferControl\n  {\n%s\n  }\n}\n%sstreamAggregateServiceFlow\n{\n%s\n  LowLatencyAggregateSFEncodings\n  {\n%s\n  }\n}\n',
                  initcap(f), string_agg(text, E'\n' ORDER BY attnum) FILTER (WHERE suffix !~ '^(aqm|buffer|aggregate|classic|low_lat|coupling|scheduling_w|queue)'),
                  string_agg(text, E'\n' ORDER BY attnum) FILTER (WHERE suffix ~ '^aqm'), string_agg(text, E'\n' ORDER BY attnum) FILTER (WHERE suffix ~ '^buffer'),
                  CASE f WHEN 'ds' THEN 'Down' ELSE 'Up' END,
                  string_agg(text, E'\n' ORDER BY attnum) FILTER (WHERE suffix ~ '^aggregate'), string_agg(text, E'\n' ORDER BY attnum) FILTER (WHERE suffix ~ '^(classic|low_lat|coupling|scheduling_w|queue)'))
      FROM line
$fn$;
SELECT is(pg_temp.file((SELECT string_agg(format(E'UsServiceFlow\n{\n  UsServiceFlowRef %s;\n  ServiceClassName "{qos.%s.0}";\n}', attnum, name), E'\n' ORDER BY attnum) FROM flow_column)),
          (SELECT 'NetworkAccess 1; MaxCPE 2; ' || string_agg('UsServiceFlow; >UsServiceFlowRef ' || attnum, '; ' ORDER BY attnum) FROM flow_column), 'a parameter that is not set leaves its line out');
DO $$
BEGIN
    EXECUTE (SELECT 'UPDATE nmsp.service_class SET ' || string_agg(format('%I = %L', c.name, t.sample), ', ') FROM flow_column c JOIN flow_tlv t USING (suffix));
END
$$;
SELECT is(pg_temp.file(pg_temp.flow('ds')),
          'NetworkAccess 1; MaxCPE 2; DsServiceFlow; >DownstreamPeakTrafficRate 120000000; >MaxTrafficBurst 3044; >MinReservedRate 64000; >MinResPacketSize 64; >TrafficPriority 5; '
          '>ServiceFlowRequiredAttributeMask 0x00000001; >ServiceFlowForbiddenAttributeMask 0x80000000; >IpTosOverwrite 0x00b8; >MaxDsLatency 9000; >DsResequencing 1; '
          '>AQMEncodings; >>SFAQMDisable 0; >>SFAQMLatencyTarget 10; >>AQMAlgorithm 1; >>ImmediateAQMMaxThreshold 1000; >>ImmediateAQMRangeExponent 19; '
          '>BufferControl; >>MinimumBuffer 1000; >>TargetBuffer 2000; >>MaximumBuffer 3000; '
          'DownstreamAggregateServiceFlow; >ASFQoSProfileName "asf-100"; >LowLatencyAggregateSFEncodings; >>ClassicSFSCN "classic"; >>LowLatencySFSCN "fast"; >>AQMCouplingFactor 20; >>SchedulingWeight 230; >>QueueProtectionEnable 1',
          'all parameters of a downstream flow');
SELECT is(pg_temp.file(pg_temp.flow('us')),
          'NetworkAccess 1; MaxCPE 2; UsServiceFlow; >UpstreamPeakTrafficRate 120000000; >MaxTrafficBurst 3044; >MinReservedRate 64000; >MinResPacketSize 64; >TrafficPriority 5; '
          '>ServiceFlowRequiredAttributeMask 0x00000001; >ServiceFlowForbiddenAttributeMask 0x80000000; >IpTosOverwrite 0x00b8; '
          '>MaxConcatenatedBurst 1600; >SchedulingType 6; >RequestOrTxPolicy 0x0000017f; >NominalPollInterval 20000; >ToleratedPollJitter 800; >UnsolicitedGrantSize 232; '
          '>NominalGrantInterval 20000; >ToleratedGrantJitter 800; >GrantsPerInterval 1; >GuaranteedGrantInterval 2000; >GuaranteedGrantRate 1000000; >GuaranteedRequestInterval 4000; '
          '>AQMEncodings; >>SFAQMDisable 0; >>SFAQMLatencyTarget 10; >>AQMAlgorithm 1; >>ImmediateAQMMaxThreshold 1000; >>ImmediateAQMRangeExponent 19; '
          '>BufferControl; >>MinimumBuffer 1000; >>TargetBuffer 2000; >>MaximumBuffer 3000; '
          'UpstreamAggregateServiceFlow; >ASFQoSProfileName "asf-100"; >LowLatencyAggregateSFEncodings; >>ClassicSFSCN "classic"; >>LowLatencySFSCN "fast"; >>AQMCouplingFactor 20; >>SchedulingWeight 230; >>QueueProtectionEnable 1',
          'and of an upstream flow');
UPDATE nmsp.setting SET ds_rate_coefficient = 1.05;
SELECT alike(pg_temp.file(E'DsServiceFlow\n{\n DownstreamPeakTrafficRate {qos.ds_peak_rate.0};\n MinReservedRate {qos.ds_min_reserved_rate.0};\n}'), '%>DownstreamPeakTrafficRate 126000000; >MinReservedRate 67200', 'rates are multiplied as the main one is');
-- RADIUS attributes read them, too
INSERT INTO nmsp_radius.attribute (scope, position, attribute, op, value) VALUES
    ('service_class', 900, 'Cisco-AVPair', '+=', 'peak={qos.ds_peak_rate.0} burst={qos.us_max_burst.0} off={qos.ds_aqm_disabled.0}');
SELECT results_eq('SELECT value FROM nmsp_radius.group_attribute WHERE value LIKE ''peak=%''', ARRAY['peak=126000000 burst=3044 off=0'], 'attributes of RADIUS read them');
UPDATE nmsp.setting SET ds_rate_coefficient = DEFAULT;

-- ---- what does not fit is refused, with a cure
CREATE FUNCTION pg_temp.bad_class(assignment text, name text) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE d test.diagnostics := test.error_of('UPDATE nmsp.service_class SET ' || assignment);
BEGIN
    RETURN is(concat_ws(' ', d.code, substring(d.message FROM '"([a-z_0-9]+)"$'), CASE WHEN coalesce(d.hint, '') = '' THEN 'no hint' END), '23514 service_class_' || name, assignment);
END
$fn$;
SELECT pg_temp.bad_class('ds_peak_rate = 4294967296', 'peak_rate_fits_32_bits');
SELECT pg_temp.bad_class('ds_peak_rate = 99999999', 'peak_rate_is_not_below_its_rate');
SELECT pg_temp.bad_class('us_min_reserved_rate = 10000001', 'min_reserved_rate_is_not_above_its_rate');
SELECT pg_temp.bad_class('us_max_burst = 1521', 'max_burst_is_1522_bytes_or_more');
SELECT pg_temp.bad_class('us_traffic_priority = 8', 'traffic_priority_between_0_and_7');
SELECT pg_temp.bad_class('ds_traffic_priority = 8, us_traffic_priority = NULL', 'traffic_priority_between_0_and_7');
SELECT pg_temp.bad_class('us_request_policy = ''17f''', 'request_policy_is_a_mask_of_8_digits');
SELECT pg_temp.bad_class('ds_tos_overwrite = ''0xb8''', 'tos_overwrite_is_a_mask_of_4_digits');
SELECT pg_temp.bad_class('ds_buffer_target = 3001', 'buffers_are_in_order');
SELECT pg_temp.bad_class('ds_aggregate_name = ''a"b''', 'aggregate_name_is_1_to_15_characters');
SELECT pg_temp.bad_class('us_scheduling_type = 1', 'scheduling_type_between_2_and_7');
SELECT lives_ok('UPDATE nmsp.service_class SET ds_peak_rate = 0, us_peak_rate = NULL', '0 is no limit, null is not set');
-- ---- conditions, alone
CREATE TEMP TABLE form (condition text, truth boolean);
INSERT INTO form VALUES
    ('a.n.0 set', true), ('a.none.0 set', false), ('a.null.0 set', false), ('a.n.0 unset', false), ('a.none.0 unset', true), ('a.null.0 unset', true),
    ('a.n.0 = 7', true), ('a.n.0 = 7.0', true), ('a.n.0 <> 7', false), ('a.n.0 < 10', true), ('a.n.0 > 10', false), ('a.n.0 <= 7', true), ('a.n.0 >= 7', true),
    ('a.n.0 > -1', true), ('a.n.0 < "10"', false), ('a.s.0 = "abc"', true), ('a.s.0 = "ab"', false), ('a.s.0 > "ab"', true), ('a.s.0 <> "abc"', false), ('a.s.0 < "b c"', true),
    ('a.s.0 = 7', false), ('a.s.0 <> 7', true), ('a.s.0 < 7', false), ('a.none.0 = 7', false), ('a.none.0 <> 7', true), ('a.null.0 = ""', true), ('a.none.0 = ""', false),
    ('a.ip.0 = 10.0.0.9', true), ('a.ip.0 < 10.0.0.10', true), ('a.ip.0 >= 10.0.0.100', false), ('a.mac.0 = 00:11:22:AA:bb:cc', true), ('a.mac.0 > 00:11:22:00:00:00', true),
    ('a.yes.0 = true', true), ('a.no.0 = true', false), ('a.no.0 = false', true), ('a.n.0 = true', false), ('a.none.0 = false', false);
SELECT is(nmsp.expand_template(format(E'A 1;\n  #if %s\nB {a.n.0};\n#else\nC {a.s.0};\n#endif  \nD 4;', condition),
                               '{"a.n.0": 7, "a.s.0": "abc", "a.null.0": null, "a.yes.0": true, "a.no.0": false, "a.ip.0": "10.0.0.9", "a.mac.0": "00:11:22:aa:bb:cc"}'),
          format(E'A 1;\n\n%s\n\n%s\n\nD 4;', CASE WHEN truth THEN 'B 7;' ELSE '' END, CASE WHEN truth THEN '' ELSE 'C abc;' END), condition) FROM form;
SELECT is(nmsp.expand_template(E'#if a.n.0 = 1\n#if a.n.0 = 2\nA;\n#else\nB;\n#endif\n#else\n#if a.n.0 = 2\nC;\n#else\nD;\n#endif\nE;\n#endif\nF;', format('{"a.n.0": %s}', n)::jsonb),
          format(E'\n\n%s\n\n%s\n\n\n\n%s\n\n%s\n\n%s\n\nF;', '', CASE n WHEN 1 THEN 'B;' ELSE '' END, CASE n WHEN 2 THEN 'C;' ELSE '' END, CASE n WHEN 3 THEN 'D;' ELSE '' END, CASE WHEN n > 1 THEN 'E;' ELSE '' END),
          'nested conditions ' || n) FROM generate_series(1, 3) n;
-- What the placeholder language makes of such lines stays
SELECT is(nmsp.expand_template(t, '{"a.n.0": 7}'), t, 'no directive: ' || t) FROM unnest(ARRAY[E'/*\n#if a.n.0 = 1\n*/ A;\n/* #endif\n#else */', E'A "\n#if a.n.0 = 1\n";', E'A "\\"\n#endif\n";', '#iffy', '# if', 'A #if']) t;
SELECT is(nmsp.expand_template(E'#if {a.none.0}\nA;', '{"a.n.0": 7}'), E'\nA;', 'a line with braces is dropped as ever');

-- ---- in files
SELECT is(pg_temp.file(E'UsServiceFlow\n{\n UsServiceFlowRef 1;\n#if qos.us_rate_max_help.0 >= 10000000\n AQMEncodings\n {\n  SFAQMLatencyTarget 10;\n }\n#endif\n}\n#if modem.name.0 = "one"\nMaxCPE 7;\n#else\nMaxCPE 8;\n#endif'),
          'NetworkAccess 1; UsServiceFlow; >UsServiceFlowRef 1; >AQMEncodings; >>SFAQMLatencyTarget 10; MaxCPE 7', 'conditions on class and modem');
UPDATE nmsp.service_class SET us_rate = 5000000, us_min_reserved_rate = NULL;
UPDATE nmsp.modem SET name = 'two';
SELECT is((SELECT string_agg(concat_ws(' ', repeat('>', depth) || name, value), '; ' ORDER BY "offset") FROM docsis.tlvs(nmsp.modem_config(:m1)) WHERE name NOT IN ('CmMic', 'CmtsMic', 'EndOfDataMkr', 'Pad')),
          'NetworkAccess 1; UsServiceFlow; >UsServiceFlowRef 1; MaxCPE 8', 'and when they change');
SELECT is(pg_temp.file(E'GlobalPrivacyEnable 0;\n#if qos.id.0 unset\nMaxCPE 7;\n#endif\n#if modem.wifi.0 set\nSwUpgradeFilename "{modem.wifi.0}";\n#endif'), 'NetworkAccess 1; MaxCPE 2; GlobalPrivacyEnable 0', 'no branch');

-- ---- the same bytes fast and plain
INSERT INTO nmsp.service_class (name, ds_rate, us_rate, us_max_burst) SELECT 'c' || g, g * 1000000, g * 500000, CASE WHEN g % 2 = 0 THEN g * 3044 END FROM generate_series(1, 5) g;
INSERT INTO nmsp.template (name, source) VALUES ('many', E'#if qos.id.0 set\nUsServiceFlow\n{\n UsServiceFlowRef 1;\n MaxTrafficBurst {qos.us_max_burst.0};\n#if qos.us_max_burst.0 unset\n TrafficPriority 1;\n#endif\n}\n#endif\nGlobalPrivacyEnable 0;\n'
    '#if modem.n.0 > 4\nMaxCPE {modem.n.0};\n#else\n SwUpgradeFilename "few";\n#endif\n#if modem.internet_access.0 = true\nSnmpMibObject sysContact.0 String "on";\n#endif');
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, internet_access)
SELECT ('00:11:44:00:00:' || lpad(to_hex(g), 2, '0'))::macaddr, :g1, (SELECT id FROM nmsp.template WHERE name = 'many'),
       CASE WHEN g % 7 > 0 THEN (SELECT id FROM nmsp.service_class WHERE name = 'c' || 1 + g % 5) END, g % 3 > 0 FROM generate_series(1, 60) g;
INSERT INTO nmsp.modem_option SELECT id, 'n', (id % 9 + 1)::text FROM nmsp.modem WHERE id % 2 = 0;
CREATE FUNCTION pg_temp.plain(m nmsp.modem) RETURNS bytea LANGUAGE plpgsql AS $fn$
DECLARE
    body text := nmsp.expand_template((nmsp.template_parts(m.template_id)).source, (nmsp.setting_values()).placeholders
        || coalesce(nmsp.service_class_values(m.service_class_id), '{}') || jsonb_build_object('modem.internet_access.0', m.internet_access) || coalesce(nmsp.modem_options(m.id), '{}'));
BEGIN
    RETURN docsis.encode(convert_to(format(E'Main { NetworkAccess %s; %s\n%s\n}', m.internet_access::int, CASE WHEN body !~ '\yMaxCPE\y' THEN 'MaxCPE 2;' END, body), 'UTF8'), 'DOCSIS');
END
$fn$;
SELECT is_empty($$SELECT m.id FROM nmsp.modem m JOIN nmsp.template t ON t.id = m.template_id WHERE t.name = 'many' AND nmsp.modem_config(m)::bytea <> pg_temp.plain(m)$$, 'files made fast are those made the plain way');
SELECT cmp_ok((SELECT count(DISTINCT docsis.text(nmsp.modem_config(m))) FROM nmsp.modem m JOIN nmsp.template t ON t.id = m.template_id WHERE t.name = 'many'), '>', 10::bigint, 'they differ');

-- ---- the check on saving
CREATE FUNCTION pg_temp.bad(source text, message text, place text) RETURNS text LANGUAGE sql AS
$$SELECT test.refused(format('INSERT INTO nmsp.template (name, source) VALUES (''new one'', %L)', source), '22P02', message, place || ' of template "new one".', '_%', message)$$;
SELECT pg_temp.bad(E'MaxCPE 2;\n  #if\n#endif', 'the condition does not begin with the name of a placeholder', 'Line 2, column 6');
SELECT pg_temp.bad(E'#if a.b.0\n#endif', 'the condition has no operator', 'Line 1, column 10');
SELECT pg_temp.bad(E'#if a.b.0 == 1\n#endif', 'the condition has no operator', 'Line 1, column 11');
SELECT pg_temp.bad(E'#if a.b.0 = one\n#endif', 'the condition compares with no value', 'Line 1, column 13');
SELECT pg_temp.bad(E'#if a.b.0 set 1\n#endif', 'the condition goes on behind its end', 'Line 1, column 15');
SELECT pg_temp.bad(E'MaxCPE 1;\n#if a.b.0 set\n#if a.b.0 set\n#endif\nGlobalPrivacyEnable 0;', '#if without an #endif', 'Line 2, column 1');
SELECT pg_temp.bad(E'#if {a.b.0} set\n#endif', '#endif without an #if', 'Line 2, column 1');
SELECT pg_temp.bad(E'  #else', '#else without an #if', 'Line 1, column 3');
SELECT pg_temp.bad(E'#if a.b.0 set\n#else\n#else\n#endif', 'a second #else', 'Line 3, column 1');
SELECT pg_temp.bad(E'#if a.b.0 set\n#endif now', 'nothing may follow #else and #endif', 'Line 2, column 8');
SELECT pg_temp.bad(E'MaxCPE\n#if a.b.0 set\n2;\n#endif', 'a directive within a statement', 'Line 2, column 1');
SELECT pg_temp.bad(E'#if a.b.0 set\nUsServiceFlow\n{\n#endif\n UsServiceFlowRef 1;\n}', 'a group reaches across a condition', 'Line 4, column 1');
SELECT pg_temp.bad(string_agg('#if a.b.0 set', E'\n'), '#if is nested too deeply', 'Line 33, column 1') FROM generate_series(1, 33);
SELECT test.refused($$INSERT INTO nmsp.template (name, source) VALUES ('new one', E'#if a.b.0 set\nMaxCPE 2;\n#else\nNope 1;\n#endif')$$, '42704', 'unknown symbol "Nope"', 'Line 4, column 1 of template "new one".', '%', 'every branch is checked');
SELECT lives_ok($$INSERT INTO nmsp.template (name, device, source) VALUES ('mta one', 'mta', E'#if mta.id.0 set\nSnmpMibObject sysContact.0 String "mta";\n#endif')$$, 'in an MTA''s template');

-- ---- what a template leaves out of its parents
INSERT INTO nmsp.template (name, source) VALUES ('root', E'MaxCPE 4; /* MaxCPE 5; */ SwUpgradeFilename "MaxCPE 6;";\nMaxCPE\n  5;\nUsServiceFlow\n{\n UsServiceFlowRef 1;\n TrafficPriority 1;\n}\nUsServiceFlow\n{\n UsServiceFlowRef  2;\n}\n'
    'SnmpMibObject sysContact.0 String "a;b";\nSnmpMibObject sysLocation.0 String "{modem.name.0}";\nGlobalPrivacyEnable {modem.none.0};');
CREATE FUNCTION pg_temp.joined(child text) RETURNS text LANGUAGE sql AS $fn$
    SELECT regexp_replace(substr(nmsp.join_templates(ARRAY[child, (SELECT source FROM nmsp.template WHERE name = 'root')]), length(child) + 2), '\s+', ' ', 'g')
$fn$;
SELECT is(pg_temp.joined(o), w, o) FROM (VALUES
    ('#override MaxCPE', ' /* MaxCPE 5; */ SwUpgradeFilename "MaxCPE 6;"; UsServiceFlow { UsServiceFlowRef 1; TrafficPriority 1; } UsServiceFlow { UsServiceFlowRef 2; } SnmpMibObject sysContact.0 String "a;b"; SnmpMibObject sysLocation.0 String "{modem.name.0}"; GlobalPrivacyEnable {modem.none.0};'),
    (E'#override MaxCPE 5;\n#override UsServiceFlow UsServiceFlowRef 2', 'MaxCPE 4; /* MaxCPE 5; */ SwUpgradeFilename "MaxCPE 6;"; UsServiceFlow { UsServiceFlowRef 1; TrafficPriority 1; } SnmpMibObject sysContact.0 String "a;b"; SnmpMibObject sysLocation.0 String "{modem.name.0}"; GlobalPrivacyEnable {modem.none.0};'),
    (E'#override UsServiceFlow\n#override SnmpMibObject sysLocation.0\n#override GlobalPrivacyEnable', 'MaxCPE 4; /* MaxCPE 5; */ SwUpgradeFilename "MaxCPE 6;"; MaxCPE 5; SnmpMibObject sysContact.0 String "a;b"; '),
    ('#override SnmpMibObject', 'MaxCPE 4; /* MaxCPE 5; */ SwUpgradeFilename "MaxCPE 6;"; MaxCPE 5; UsServiceFlow { UsServiceFlowRef 1; TrafficPriority 1; } UsServiceFlow { UsServiceFlowRef 2; } GlobalPrivacyEnable {modem.none.0};')) v(o, w);
SELECT is(nmsp.join_templates(ARRAY['a', E'#override b\nb;', E'b 1;\nc 2;', E'/*\n#override c\n*/', 'c;']), E'a\n#override b\nb;\n    \nc 2;\n/*\n#override c\n*/\nc;', 'a parent overrides its own parents, not itself');
SELECT is(regexp_replace(pg_temp.file(E'#override MaxCPE\n#override UsServiceFlow UsServiceFlowRef 1\n#override SwUpgradeFilename\nMaxCPE 9;', 'root'), 'SnmpMib.*', ''),
          'NetworkAccess 1; MaxCPE 9; UsServiceFlow; >UsServiceFlowRef 2; ', 'in the file');
CREATE FUNCTION pg_temp.bad_override(source text, place text, parent text DEFAULT 'root') RETURNS text LANGUAGE sql AS
$$SELECT test.refused(format('INSERT INTO nmsp.template (name, source, parent_id) VALUES (''new one'', %L, (SELECT id FROM nmsp.template WHERE name = %L))', source, parent), '42704', '#override meets no statement of a parent', place || ' of template "new one".', 'Write #override and%', source)$$;
SELECT pg_temp.bad_override(E'Pad;\n  #override DsServiceFlow', 'Line 2, column 13');
SELECT pg_temp.bad_override(E'#override UsServiceFlow UsServiceFlowRef 3', 'Line 1, column 11');
SELECT pg_temp.bad_override(E'#override UsServiceFlowRef', 'Line 1, column 11');
SELECT pg_temp.bad_override(E'#override TrafficPriority 1', 'Line 1, column 11');
SELECT pg_temp.bad_override(E'#override MaxCPE', 'Line 1, column 11', 'no such template');
SELECT pg_temp.bad_override(E'#override', 'Line 1, column 10');
SELECT pg_temp.bad(E'#if a.b.0 set\n#override MaxCPE\n#endif', '#override within a group or condition', 'Line 2, column 1');
SELECT * FROM finish();
ROLLBACK;

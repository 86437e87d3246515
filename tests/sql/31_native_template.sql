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
SELECT * FROM finish();
ROLLBACK;

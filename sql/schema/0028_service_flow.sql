-- What else a service class says of its flows: parameters of DOCSIS 3.1 flows, as MULPI annex C.2.2 names them.

ALTER TABLE nmsp.service_class
    ADD COLUMN ds_peak_rate bigint,
    ADD COLUMN us_peak_rate bigint,
    ADD COLUMN ds_max_burst bigint,
    ADD COLUMN us_max_burst bigint,
    ADD COLUMN ds_min_reserved_rate bigint,
    ADD COLUMN us_min_reserved_rate bigint,
    ADD COLUMN ds_min_packet_size int,
    ADD COLUMN us_min_packet_size int,
    ADD COLUMN ds_traffic_priority int,
    ADD COLUMN us_traffic_priority int,
    ADD COLUMN ds_attributes_required text,
    ADD COLUMN us_attributes_required text,
    ADD COLUMN ds_attributes_forbidden text,
    ADD COLUMN us_attributes_forbidden text,
    ADD COLUMN ds_tos_overwrite text,
    ADD COLUMN us_tos_overwrite text,
    ADD COLUMN ds_aqm_disabled boolean,
    ADD COLUMN us_aqm_disabled boolean,
    ADD COLUMN ds_aqm_latency_target int,
    ADD COLUMN us_aqm_latency_target int,
    ADD COLUMN ds_aqm_algorithm int,
    ADD COLUMN us_aqm_algorithm int,
    ADD COLUMN ds_aqm_max_threshold int,
    ADD COLUMN us_aqm_max_threshold int,
    ADD COLUMN ds_aqm_range_exponent int,
    ADD COLUMN us_aqm_range_exponent int,
    ADD COLUMN ds_buffer_minimum bigint,
    ADD COLUMN us_buffer_minimum bigint,
    ADD COLUMN ds_buffer_target bigint,
    ADD COLUMN us_buffer_target bigint,
    ADD COLUMN ds_buffer_maximum bigint,
    ADD COLUMN us_buffer_maximum bigint,
    ADD COLUMN ds_aggregate_name text,
    ADD COLUMN us_aggregate_name text,
    ADD COLUMN ds_classic_name text,
    ADD COLUMN us_classic_name text,
    ADD COLUMN ds_low_latency_name text,
    ADD COLUMN us_low_latency_name text,
    ADD COLUMN ds_coupling_factor int,
    ADD COLUMN us_coupling_factor int,
    ADD COLUMN ds_scheduling_weight int,
    ADD COLUMN us_scheduling_weight int,
    ADD COLUMN ds_queue_protection boolean,
    ADD COLUMN us_queue_protection boolean,
    ADD COLUMN ds_max_latency bigint,
    ADD COLUMN ds_resequencing boolean,
    ADD COLUMN us_max_concatenated_burst int,
    ADD COLUMN us_scheduling_type int,
    ADD COLUMN us_request_policy text,
    ADD COLUMN us_poll_interval bigint,
    ADD COLUMN us_poll_jitter bigint,
    ADD COLUMN us_grant_size int,
    ADD COLUMN us_grant_interval bigint,
    ADD COLUMN us_grant_jitter bigint,
    ADD COLUMN us_grants_per_interval int,
    ADD COLUMN us_guaranteed_grant_interval int,
    ADD COLUMN us_guaranteed_grant_rate bigint,
    ADD COLUMN us_guaranteed_request_interval int,
    ADD CONSTRAINT service_class_peak_rate_fits_32_bits CHECK (ds_peak_rate >= 0 AND ds_peak_rate <= 4294967295 AND us_peak_rate >= 0 AND us_peak_rate <= 4294967295),
    ADD CONSTRAINT service_class_max_burst_is_1522_bytes_or_more CHECK (ds_max_burst >= 1522 AND ds_max_burst <= 4294967295 AND us_max_burst >= 1522 AND us_max_burst <= 4294967295),
    ADD CONSTRAINT service_class_min_reserved_rate_fits_32_bits CHECK (ds_min_reserved_rate >= 0 AND ds_min_reserved_rate <= 4294967295 AND us_min_reserved_rate >= 0 AND us_min_reserved_rate <= 4294967295),
    ADD CONSTRAINT service_class_min_packet_size_fits_16_bits CHECK (ds_min_packet_size >= 0 AND ds_min_packet_size <= 65535 AND us_min_packet_size >= 0 AND us_min_packet_size <= 65535),
    ADD CONSTRAINT service_class_traffic_priority_between_0_and_7 CHECK (ds_traffic_priority >= 0 AND ds_traffic_priority <= 7 AND us_traffic_priority >= 0 AND us_traffic_priority <= 7),
    ADD CONSTRAINT service_class_attributes_required_is_a_mask_of_8_digits CHECK (ds_attributes_required ~ '^0x[0-9A-Fa-f]{8}$' AND us_attributes_required ~ '^0x[0-9A-Fa-f]{8}$'),
    ADD CONSTRAINT service_class_attributes_forbidden_is_a_mask_of_8_digits CHECK (ds_attributes_forbidden ~ '^0x[0-9A-Fa-f]{8}$' AND us_attributes_forbidden ~ '^0x[0-9A-Fa-f]{8}$'),
    ADD CONSTRAINT service_class_tos_overwrite_is_a_mask_of_4_digits CHECK (ds_tos_overwrite ~ '^0x[0-9A-Fa-f]{4}$' AND us_tos_overwrite ~ '^0x[0-9A-Fa-f]{4}$'),
    ADD CONSTRAINT service_class_aqm_latency_target_between_0_and_255 CHECK (ds_aqm_latency_target >= 0 AND ds_aqm_latency_target <= 255 AND us_aqm_latency_target >= 0 AND us_aqm_latency_target <= 255),
    ADD CONSTRAINT service_class_aqm_algorithm_between_0_and_2 CHECK (ds_aqm_algorithm >= 0 AND ds_aqm_algorithm <= 2 AND us_aqm_algorithm >= 0 AND us_aqm_algorithm <= 2),
    ADD CONSTRAINT service_class_aqm_max_threshold_fits_16_bits CHECK (ds_aqm_max_threshold >= 0 AND ds_aqm_max_threshold <= 65535 AND us_aqm_max_threshold >= 0 AND us_aqm_max_threshold <= 65535),
    ADD CONSTRAINT service_class_aqm_range_exponent_between_0_and_25 CHECK (ds_aqm_range_exponent >= 0 AND ds_aqm_range_exponent <= 25 AND us_aqm_range_exponent >= 0 AND us_aqm_range_exponent <= 25),
    ADD CONSTRAINT service_class_buffer_minimum_fits_32_bits CHECK (ds_buffer_minimum >= 0 AND ds_buffer_minimum <= 4294967295 AND us_buffer_minimum >= 0 AND us_buffer_minimum <= 4294967295),
    ADD CONSTRAINT service_class_buffer_target_fits_32_bits CHECK (ds_buffer_target >= 0 AND ds_buffer_target <= 4294967295 AND us_buffer_target >= 0 AND us_buffer_target <= 4294967295),
    ADD CONSTRAINT service_class_buffer_maximum_fits_32_bits CHECK (ds_buffer_maximum >= 0 AND ds_buffer_maximum <= 4294967295 AND us_buffer_maximum >= 0 AND us_buffer_maximum <= 4294967295),
    ADD CONSTRAINT service_class_aggregate_name_is_1_to_15_characters CHECK (ds_aggregate_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$' AND us_aggregate_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$'),
    ADD CONSTRAINT service_class_classic_name_is_1_to_15_characters CHECK (ds_classic_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$' AND us_classic_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$'),
    ADD CONSTRAINT service_class_low_latency_name_is_1_to_15_characters CHECK (ds_low_latency_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$' AND us_low_latency_name ~ '^[A-Za-z0-9 _.:+/-]{1,15}$'),
    ADD CONSTRAINT service_class_coupling_factor_between_0_and_255 CHECK (ds_coupling_factor >= 0 AND ds_coupling_factor <= 255 AND us_coupling_factor >= 0 AND us_coupling_factor <= 255),
    ADD CONSTRAINT service_class_scheduling_weight_between_1_and_255 CHECK (ds_scheduling_weight >= 1 AND ds_scheduling_weight <= 255 AND us_scheduling_weight >= 1 AND us_scheduling_weight <= 255),
    ADD CONSTRAINT service_class_max_latency_fits_32_bits CHECK (ds_max_latency BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_max_concatenated_burst_fits_16_bits CHECK (us_max_concatenated_burst BETWEEN 0 AND 65535),
    ADD CONSTRAINT service_class_scheduling_type_between_2_and_7 CHECK (us_scheduling_type BETWEEN 2 AND 7),
    ADD CONSTRAINT service_class_request_policy_is_a_mask_of_8_digits CHECK (us_request_policy ~ '^0x[0-9A-Fa-f]{8}$'),
    ADD CONSTRAINT service_class_poll_interval_fits_32_bits CHECK (us_poll_interval BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_poll_jitter_fits_32_bits CHECK (us_poll_jitter BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_grant_size_fits_16_bits CHECK (us_grant_size BETWEEN 0 AND 65535),
    ADD CONSTRAINT service_class_grant_interval_fits_32_bits CHECK (us_grant_interval BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_grant_jitter_fits_32_bits CHECK (us_grant_jitter BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_grants_per_interval_between_0_and_127 CHECK (us_grants_per_interval BETWEEN 0 AND 127),
    ADD CONSTRAINT service_class_guaranteed_grant_interval_fits_16_bits CHECK (us_guaranteed_grant_interval BETWEEN 0 AND 65535),
    ADD CONSTRAINT service_class_guaranteed_grant_rate_fits_32_bits CHECK (us_guaranteed_grant_rate BETWEEN 0 AND 4294967295),
    ADD CONSTRAINT service_class_guaranteed_request_interval_fits_16_bits CHECK (us_guaranteed_request_interval BETWEEN 0 AND 65535),
    ADD CONSTRAINT service_class_peak_rate_is_not_below_its_rate CHECK ((ds_peak_rate = 0 OR ds_peak_rate >= ds_rate) AND (us_peak_rate = 0 OR us_peak_rate >= us_rate)),
    ADD CONSTRAINT service_class_min_reserved_rate_is_not_above_its_rate CHECK ((ds_rate = 0 OR ds_min_reserved_rate <= ds_rate) AND (us_rate = 0 OR us_min_reserved_rate <= us_rate)),
    ADD CONSTRAINT service_class_buffers_are_in_order CHECK (ds_buffer_minimum <= ds_buffer_maximum AND ds_buffer_target BETWEEN coalesce(ds_buffer_minimum, 0) AND coalesce(ds_buffer_maximum, 4294967295)
        AND us_buffer_minimum <= us_buffer_maximum AND us_buffer_target BETWEEN coalesce(us_buffer_minimum, 0) AND coalesce(us_buffer_maximum, 4294967295));
COMMENT ON COLUMN nmsp.service_class.ds_peak_rate IS 'Downstream: peak rate of the flow in bit/s (DownstreamPeakTrafficRate); 0 is no limit; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_peak_rate IS 'Upstream: peak rate of the flow in bit/s (UpstreamPeakTrafficRate); 0 is no limit; null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_max_burst IS 'Downstream: largest burst in bytes (MaxTrafficBurst); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_max_burst IS 'Upstream: largest burst in bytes (MaxTrafficBurst); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_min_reserved_rate IS 'Downstream: reserved rate in bit/s (MinReservedRate); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_min_reserved_rate IS 'Upstream: reserved rate in bit/s (MinReservedRate); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_min_packet_size IS 'Downstream: packet size in bytes that the reserved rate is reckoned with (MinResPacketSize); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_min_packet_size IS 'Upstream: packet size in bytes that the reserved rate is reckoned with (MinResPacketSize); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_traffic_priority IS 'Downstream: priority among flows, 7 the highest (TrafficPriority); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_traffic_priority IS 'Upstream: priority among flows, 7 the highest (TrafficPriority); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_attributes_required IS 'Downstream: attributes that channels of the flow must have (ServiceFlowRequiredAttributeMask), as 0x and 8 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_attributes_required IS 'Upstream: attributes that channels of the flow must have (ServiceFlowRequiredAttributeMask), as 0x and 8 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_attributes_forbidden IS 'Downstream: attributes that channels of the flow must not have (ServiceFlowForbiddenAttributeMask), as 0x and 8 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_attributes_forbidden IS 'Upstream: attributes that channels of the flow must not have (ServiceFlowForbiddenAttributeMask), as 0x and 8 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_tos_overwrite IS 'Downstream: AND and OR mask of the TOS byte (IpTosOverwrite), as 0x and 4 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_tos_overwrite IS 'Upstream: AND and OR mask of the TOS byte (IpTosOverwrite), as 0x and 4 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aqm_disabled IS 'Downstream: active queue management is switched off (SFAQMDisable); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aqm_disabled IS 'Upstream: active queue management is switched off (SFAQMDisable); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aqm_latency_target IS 'Downstream: latency that active queue management aims at, in ms (SFAQMLatencyTarget); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aqm_latency_target IS 'Upstream: latency that active queue management aims at, in ms (SFAQMLatencyTarget); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aqm_algorithm IS 'Downstream: algorithm of active queue management (AQMAlgorithm): 0 the default, 1 DOCSIS-PIE, 2 immediate; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aqm_algorithm IS 'Upstream: algorithm of active queue management (AQMAlgorithm): 0 the default, 1 DOCSIS-PIE, 2 immediate; null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aqm_max_threshold IS 'Downstream: upper threshold of immediate queue management in us (ImmediateAQMMaxThreshold); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aqm_max_threshold IS 'Upstream: upper threshold of immediate queue management in us (ImmediateAQMMaxThreshold); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aqm_range_exponent IS 'Downstream: ramp of immediate queue management: 2^n ns (ImmediateAQMRangeExponent); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aqm_range_exponent IS 'Upstream: ramp of immediate queue management: 2^n ns (ImmediateAQMRangeExponent); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_buffer_minimum IS 'Downstream: smallest buffer in bytes (MinimumBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_buffer_minimum IS 'Upstream: smallest buffer in bytes (MinimumBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_buffer_target IS 'Downstream: wanted buffer in bytes (TargetBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_buffer_target IS 'Upstream: wanted buffer in bytes (TargetBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_buffer_maximum IS 'Downstream: largest buffer in bytes (MaximumBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_buffer_maximum IS 'Upstream: largest buffer in bytes (MaximumBuffer); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_aggregate_name IS 'Downstream: profile of the aggregate flow on the CMTS (ASFQoSProfileName); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_aggregate_name IS 'Upstream: profile of the aggregate flow on the CMTS (ASFQoSProfileName); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_classic_name IS 'Downstream: service class on the CMTS of the aggregates classic flow (ClassicSFSCN); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_classic_name IS 'Upstream: service class on the CMTS of the aggregates classic flow (ClassicSFSCN); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_low_latency_name IS 'Downstream: service class on the CMTS of the aggregates low-latency flow (LowLatencySFSCN); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_low_latency_name IS 'Upstream: service class on the CMTS of the aggregates low-latency flow (LowLatencySFSCN); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_coupling_factor IS 'Downstream: coupling of the aggregates two queues, in tenths (AQMCouplingFactor); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_coupling_factor IS 'Upstream: coupling of the aggregates two queues, in tenths (AQMCouplingFactor); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_scheduling_weight IS 'Downstream: weight of the aggregates low-latency flow, of 256 (SchedulingWeight); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_scheduling_weight IS 'Upstream: weight of the aggregates low-latency flow, of 256 (SchedulingWeight); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_queue_protection IS 'Downstream: queue protection of the low-latency flow is on (QueueProtectionEnable); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_queue_protection IS 'Upstream: queue protection of the low-latency flow is on (QueueProtectionEnable); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_max_latency IS 'Downstream: longest time in the CMTS in us (MaxDsLatency); null: not set.';
COMMENT ON COLUMN nmsp.service_class.ds_resequencing IS 'Downstream: frames of bonded channels come without resequencing (DsResequencing 1); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_max_concatenated_burst IS 'Upstream: largest concatenated burst in bytes (MaxConcatenatedBurst); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_scheduling_type IS 'Upstream: scheduling (SchedulingType): 2 best effort, 3 non-real-time polling, 4 real-time polling, 5 UGS with activity detection, 6 UGS, 7 proactive grants; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_request_policy IS 'Upstream: which transmit opportunities the flow may use (RequestOrTxPolicy), as 0x and 8 digits; null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_poll_interval IS 'Upstream: time between polls in us (NominalPollInterval); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_poll_jitter IS 'Upstream: longest delay of a poll in us (ToleratedPollJitter); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_grant_size IS 'Upstream: size of unsolicited grants in bytes (UnsolicitedGrantSize); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_grant_interval IS 'Upstream: time between unsolicited grants in us (NominalGrantInterval); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_grant_jitter IS 'Upstream: longest delay of an unsolicited grant in us (ToleratedGrantJitter); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_grants_per_interval IS 'Upstream: unsolicited grants in an interval (GrantsPerInterval); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_guaranteed_grant_interval IS 'Upstream: longest time between proactive grants in us (GuaranteedGrantInterval); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_guaranteed_grant_rate IS 'Upstream: rate of proactive grants in bit/s (GuaranteedGrantRate); null: not set.';
COMMENT ON COLUMN nmsp.service_class.us_guaranteed_request_interval IS 'Upstream: longest time between opportunities to request in us (GuaranteedRequestInterval); null: not set.';

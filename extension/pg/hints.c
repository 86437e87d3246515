/*
 * HINTs for constraint violations. PostgreSQL says what a violated constraint is called and which
 * row is in the way (DETAIL); only the product knows the cure. While a statement runs, an error
 * context callback looks at an error that is being raised and adds the hint of its constraint. That
 * costs nothing as long as nothing fails, and unlike a trigger that looks first it leaves
 * INSERT ... ON CONFLICT alone. Without the library in the session there is no hint, no more.
 */
#include "extension/pg/glue.h"

#include "executor/executor.h"
#include "tcop/utility.h"

typedef struct constraint_hint {
    const char *constraint;
    const char *hint;
} constraint_hint;

#define HOST_NAME                                                                                  \
    "Use letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit."

#define DOMAIN_NAME "Use letters, digits, '-' and '.', as in voice.example.net."
#define SIP_HOST "Give a host name or address, with a port if need be, as in sip.example.net:5060."
#define CARRIER_CODE                                                                               \
    "SELECT * FROM nmsp.carrier_code lists those that exist; the manual says how to load them."
#define EKP_CODE                                                                                   \
    "SELECT * FROM nmsp.ekp_code lists those that exist; the manual says how to load them."

static const constraint_hint constraint_hints[] = {
    {"setting_has_exactly_one_row", "UPDATE the row that is there."},
    {"setting_pkey", "UPDATE the row that is there."},
    {"setting_secret_has_exactly_one_row", "UPDATE the row that is there."},
    {"setting_secret_pkey", "UPDATE the row that is there."},
    {"setting_provisioning_server_is_a_host", "Give an address without a mask."},
    {"setting_domain_name_is_a_domain", "Use letters, digits, '-' and '.', as in example.net."},
    {"setting_default_lease_time_is_positive", "Lease times are in seconds, at least 1."},
    {"setting_max_lease_time_not_below_default",
     "Set max_lease_time to default_lease_time or more; both can be changed in one UPDATE."},
    {"setting_dns_ttl_between_0_and_604800", "Give seconds, at most a week."},
    {"setting_secret_cpe_name_key_is_16_to_64_bytes",
     "UPDATE nmsp.setting_secret SET cpe_name_key = sha256(gen_random_uuid()::text::bytea);"},
    {"setting_max_cpe_between_1_and_254", "Use 1 to 254."},
    {"setting_ds_rate_coefficient_is_positive", "1 leaves rates as they are."},
    {"setting_us_rate_coefficient_is_positive", "1 leaves rates as they are."},
    {"setting_secret_community_is_not_empty", "Choose a community."},
    {"setting_download_check_is_known", "Use off, known or strict."},
    {"setting_download_once_is_positive", "Use an interval such as '30 s', or null."},
    {"setting_download_retention_is_a_day_or_more", "Use an interval such as '180 days'."},
    {"setting_secret_download_key_is_16_characters_or_more",
     "Use a random text: SELECT gen_random_uuid(); or null for plain names."},
    {"download_result_is_known", "Rows are written by nmsp.record_downloads."},
    {"modem_download_needs_an_existing_modem", "SELECT id, mac FROM nmsp.modem lists those that exist."},
    {"modem_download_pkey", "Rows are written by nmsp.record_downloads."},

    {"mib_object_is_already_in_this_module", "Change that object's row, or load the whole module again."},
    {"mib_object_oid_is_an_object_identifier",
     "Write it numerically and without a dot in front: 1.3.6.1.4.1.99999.1."},
    {"mib_object_name_is_a_label", "Use letters, digits, '-' and '_', beginning with a letter."},
    {"mib_object_module_is_a_label", "Use letters, digits, '-' and '_', beginning with a letter."},
    {"mib_object_type_is_known",
     "Use INTEGER, Integer32, Unsigned32, Gauge32, Counter32, Counter64, TimeTicks, IpAddress, "
     "OCTET STRING, OBJECT IDENTIFIER, BITS or NOTIFICATION."},
    {"mib_object_access_is_known",
     "Use not-accessible, accessible-for-notify, read-only, read-write or read-create."},
    {"mib_object_ranges_are_a_list", "Write them as in 0..255,300..400."},
    {"mib_object_enums_map_labels_to_numbers", "Write them as in {\"up\": 1, \"down\": 2}."},
    {"mib_object_index_columns_are_labels", "Name the columns of the INDEX: '{ifIndex}'."},
    {"customer_number_is_already_used", "Change that customer's row, or choose another number."},
    {"contract_number_is_already_used", "Change that contract's row, or choose another number."},
    {"contract_needs_an_existing_customer",
     "SELECT id, number, name FROM nmsp.customer lists those that exist; a customer with contracts "
     "is not deleted."},
    {"contract_validity_is_not_empty",
     "Give the first day and the first day after it: daterange('2026-01-01', NULL)."},
    {"entitlement_validity_is_not_empty",
     "Give the first day and the first day after it: daterange('2026-01-01', NULL)."},
    {"contract_modem_validity_is_not_empty",
     "Give the first day and the first day after it: daterange('2026-01-01', NULL)."},
    {"entitlement_needs_an_existing_contract",
     "SELECT id, number FROM nmsp.contract lists those that exist."},
    {"contract_modem_needs_an_existing_contract",
     "SELECT id, number FROM nmsp.contract lists those that exist."},
    {"service_block_needs_an_existing_contract",
     "SELECT id, number FROM nmsp.contract lists those that exist."},
    {"ppp_account_needs_an_existing_contract",
     "SELECT id, number FROM nmsp.contract lists those that exist."},
    {"contract_modem_needs_an_existing_modem",
     "SELECT id, mac FROM nmsp.modem lists those that exist."},
    {"service_block_needs_an_existing_modem",
     "SELECT id, mac FROM nmsp.modem lists those that exist."},
    {"entitlement_needs_an_existing_service_class",
     "SELECT id, name FROM nmsp.service_class lists those that exist."},
    {"entitlement_kind_is_known", "Use internet, voice, cpe, public_cpe or static_address."},
    {"entitlement_service_class_is_for_internet",
     "Kind internet has a service_class_id, the other kinds have none."},
    {"entitlement_quantity_is_for_cpe_and_address",
     "Kinds cpe and static_address have a quantity, the other kinds have none."},
    {"entitlement_quantity_between_1_and_254", "Use 1 to 254."},
    {"entitlement_is_there_twice_at_once",
     "End the one that is there first, on the day the other begins: UPDATE nmsp.entitlement SET "
     "validity = daterange(lower(validity), '<day>') WHERE id = ...; both in one transaction."},
    {"contract_modem_serves_two_contracts_at_once",
     "End the assignment that is there first: UPDATE nmsp.contract_modem SET validity = "
     "daterange(lower(validity), '<day>') WHERE id = ...; both in one transaction."},
    {"service_block_scope_is_known", "Use all or internet."},
    {"service_block_during_is_not_empty",
     "Give a range of moments: tstzrange(now(), NULL) until it is ended."},
    {"service_block_reason_is_not_empty", "Say why."},
    {"service_block_is_of_a_contract_or_a_modem", "Give contract_id or modem_id, one of them."},
    {"customer_number_is_not_empty", "Give a number."},
    {"customer_name_is_not_empty", "Give a name."},
    {"contract_number_is_not_empty", "Give a number."},
    {"netgw_name_is_already_used", "Change that gateway's row, or choose another name."},
    {"netgw_name_is_a_host_name", HOST_NAME},
    {"netgw_kind_is_known", "Use cmts, bras, olt or dslam."},
    {"netgw_secret_needs_an_existing_netgw",
     "SELECT id, name FROM nmsp.netgw lists those that exist."},
    {"netgw_secret_pkey", "UPDATE the secret that the gateway has."},

    /* triggers say it first when the gateway is missing: this is about deleting one */
    {"pool_needs_an_existing_netgw",
     "Delete its pools first, or UPDATE nmsp.pool SET netgw_id = <another gateway's id>."},
    {"pool_network_overlaps_another_pool",
     "Choose a network that no other pool has: SELECT network FROM nmsp.pool ORDER BY 1."},
    {"pool_purpose_is_known", "Use cm, mta, cpe_public, cpe_private, cpe_blocked, cpe_unknown or stb."},
    {"pool_range_has_start_and_end", "Set both range_start and range_end, or none."},
    {"pool_lease_time_is_positive", "Lease times are in seconds; null: that of nmsp.setting."},
    {"pool_stb_needs_a_vendor_class", "Set vendor_class to the beginning of the box's option 60."},
    {"pool_prefix_delegation_is_for_ipv6_cpe",
     "Put delegated_prefix into an IPv6 pool of purpose cpe_public or cpe_private."},
    {"pool_option_needs_an_existing_pool",
     "SELECT id, network, purpose FROM nmsp.pool lists those that exist."},
    {"pool_option_code_is_a_number_of_dhcp", "Give the number of the option, e.g. 122 or 125."},
    {"pool_option_suboption_is_a_number_of_dhcp",
     "Give the number of the sub-option; 0: the value is the whole option."},
    {"pool_option_enterprise_is_a_number_of_iana",
     "Give the vendor's number as IANA lists it; CableLabs is 4491."},
    {"pool_option_kind_is_known",
     "Use address, server, name, text, uint8, uint16, uint32, int32 or hex."},
    {"pool_option_is_already_given", "UPDATE the option that the pool has."},
    {"pool_delegated_length_fits_its_prefix",
     "Set both delegated_prefix and delegated_length, the latter from the prefix's length to 64."},

    {"service_class_name_is_already_used", "UPDATE that service class, or choose another name."},
    {"service_class_name_is_not_empty", "Choose a name."},
    {"service_class_ds_rate_fits_32_bits", "Rates are in bit/s, at most 4294967295."},
    {"service_class_us_rate_fits_32_bits", "Rates are in bit/s, at most 4294967295."},

    {"service_class_peak_rate_fits_32_bits",
     "Use 0 to 4294967295 (bit/s), or null to leave it out."},
    {"service_class_max_burst_is_1522_bytes_or_more",
     "Use 1522 to 4294967295 (bytes), or null to leave it out."},
    {"service_class_min_reserved_rate_fits_32_bits",
     "Use 0 to 4294967295 (bit/s), or null to leave it out."},
    {"service_class_min_packet_size_fits_16_bits",
     "Use 0 to 65535 (bytes), or null to leave it out."},
    {"service_class_traffic_priority_between_0_and_7", "Use 0 to 7, or null to leave it out."},
    {"service_class_attributes_required_is_a_mask_of_8_digits",
     "Write it as 0x and 8 hexadecimal digits."},
    {"service_class_attributes_forbidden_is_a_mask_of_8_digits",
     "Write it as 0x and 8 hexadecimal digits."},
    {"service_class_tos_overwrite_is_a_mask_of_4_digits",
     "Write it as 0x and 4 hexadecimal digits."},
    {"service_class_aqm_latency_target_between_0_and_255",
     "Use 0 to 255 (ms), or null to leave it out."},
    {"service_class_aqm_algorithm_between_0_and_2", "Use 0 to 2, or null to leave it out."},
    {"service_class_aqm_max_threshold_fits_16_bits",
     "Use 0 to 65535 (us), or null to leave it out."},
    {"service_class_aqm_range_exponent_between_0_and_25", "Use 0 to 25, or null to leave it out."},
    {"service_class_buffer_minimum_fits_32_bits",
     "Use 0 to 4294967295 (bytes), or null to leave it out."},
    {"service_class_buffer_target_fits_32_bits",
     "Use 0 to 4294967295 (bytes), or null to leave it out."},
    {"service_class_buffer_maximum_fits_32_bits",
     "Use 0 to 4294967295 (bytes), or null to leave it out."},
    {"service_class_aggregate_name_is_1_to_15_characters",
     "Use letters, digits, spaces and _.:+/-, at most 15: the class's name on the CMTS."},
    {"service_class_classic_name_is_1_to_15_characters",
     "Use letters, digits, spaces and _.:+/-, at most 15: the class's name on the CMTS."},
    {"service_class_low_latency_name_is_1_to_15_characters",
     "Use letters, digits, spaces and _.:+/-, at most 15: the class's name on the CMTS."},
    {"service_class_coupling_factor_between_0_and_255", "Use 0 to 255, or null to leave it out."},
    {"service_class_scheduling_weight_between_1_and_255", "Use 1 to 255, or null to leave it out."},
    {"service_class_max_latency_fits_32_bits",
     "Use 0 to 4294967295 (us), or null to leave it out."},
    {"service_class_max_concatenated_burst_fits_16_bits",
     "Use 0 to 65535 (bytes), or null to leave it out."},
    {"service_class_scheduling_type_between_2_and_7", "Use 2 to 7, or null to leave it out."},
    {"service_class_request_policy_is_a_mask_of_8_digits",
     "Write it as 0x and 8 hexadecimal digits."},
    {"service_class_poll_interval_fits_32_bits",
     "Use 0 to 4294967295 (us), or null to leave it out."},
    {"service_class_poll_jitter_fits_32_bits",
     "Use 0 to 4294967295 (us), or null to leave it out."},
    {"service_class_grant_size_fits_16_bits", "Use 0 to 65535 (bytes), or null to leave it out."},
    {"service_class_grant_interval_fits_32_bits",
     "Use 0 to 4294967295 (us), or null to leave it out."},
    {"service_class_grant_jitter_fits_32_bits",
     "Use 0 to 4294967295 (us), or null to leave it out."},
    {"service_class_grants_per_interval_between_0_and_127",
     "Use 0 to 127, or null to leave it out."},
    {"service_class_guaranteed_grant_interval_fits_16_bits",
     "Use 0 to 65535 (us), or null to leave it out."},
    {"service_class_guaranteed_grant_rate_fits_32_bits",
     "Use 0 to 4294967295 (bit/s), or null to leave it out."},
    {"service_class_guaranteed_request_interval_fits_16_bits",
     "Use 0 to 65535 (us), or null to leave it out."},
    {"service_class_peak_rate_is_not_below_its_rate",
     "Use ds_rate (us_rate) or more; 0 is no limit, null leaves it out."},
    {"service_class_min_reserved_rate_is_not_above_its_rate",
     "Use at most ds_rate (us_rate), or null to leave it out."},
    {"service_class_buffers_are_in_order", "The target lies between minimum and maximum."},

    {"template_name_is_already_used", "UPDATE that template instead, or choose another name."},
    {"template_name_is_not_empty", "Choose a name."},
    {"template_device_is_known", "Use cm or mta."},
    {"template_parent_must_exist", /* deleting one */
     "Give the templates below it another parent first: UPDATE nmsp.template SET parent_id = ..."
     " WHERE parent_id = <its id>."},

    {"modem_mac_is_already_used",
     "Change that modem's row (UPDATE nmsp.modem ... WHERE mac = ...) or delete it first."},
    {"modem_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address, or null for a dynamic one."},
    {"modem_address6_is_already_used", "Choose another address, or null for a dynamic one."},
    {"modem_address_is_an_ipv4_host", "Give an IPv4 address without a mask; address6 is for IPv6."},
    {"modem_address6_is_an_ipv6_host", "Give an IPv6 address without a mask; address is for IPv4."},
    {"modem_name_is_a_host_name", HOST_NAME},
    {"modem_needs_an_existing_netgw", /* deleting one */
     "Move its modems first: UPDATE nmsp.modem SET netgw_id = ... WHERE netgw_id = <its id>."},
    {"modem_needs_an_existing_template", /* deleting one */
     "Give its modems another template first: UPDATE nmsp.modem SET template_id = ..."
     " WHERE template_id = <its id>."},
    {"modem_needs_an_existing_service_class",
     "SELECT id, name FROM nmsp.service_class lists those that exist; one that modems have is not"
     " deleted."},
    {"modem_option_key_is_a_name",
     "Use letters, digits, '-' and '_', beginning with a letter or '_'."},
    {"modem_option_needs_an_existing_modem",
     "SELECT id, mac FROM nmsp.modem lists those that exist."},
    {"modem_option_pkey", "UPDATE the option that the modem has."},

    {"endpoint_mac_is_already_used", "Change that endpoint's row or delete it first."},
    {"endpoint_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address."},
    {"endpoint_address6_is_already_used", "Choose another address."},
    {"endpoint_delegated_prefix_is_already_used", "Choose another prefix."},
    {"endpoint_delegated_prefix_is_ipv6", "Give an IPv6 prefix such as 2001:db8:100::/56."},
    {"endpoint_address_is_an_ipv4_host",
     "Give an IPv4 address without a mask; address6 is for IPv6."},
    {"endpoint_address6_is_an_ipv6_host",
     "Give an IPv6 address without a mask; address is for IPv4."},
    {"endpoint_name_is_already_used", "Change that endpoint's row, or choose another name."},
    {"endpoint_name_is_a_host_label",
     "Use letters, digits and '-', at most 63; names that begin with cm- or mta- are reserved."},
    {"endpoint_has_a_fixed_address", "Give it an address, e.g. nmsp.allocate_address(<pool id>)."},
    {"endpoint_needs_a_mac_for_ipv6", "Set mac to the hardware address of the CPE."},

    {"e164_is_a_plus_and_4_to_15_digits",
     "Write it with plus, country code and national number, without the trunk prefix, as in"
     " +49372555001."},
    {"dial_plan_name_is_already_used", "UPDATE that dial plan, or choose another name."},
    {"dial_plan_name_is_not_empty", "Choose a name."},
    {"dial_plan_digit_map_is_1_to_65000_bytes", "Give the text of the digit map."},
    {"template_needs_an_existing_dial_plan",
     "SELECT id, name FROM nmsp.dial_plan lists those that exist; one that templates have is not"
     " deleted."},
    {"template_dial_plan_is_for_mta", "Only templates of device mta have a dial plan."},
    {"voice_setting_has_exactly_one_row", "UPDATE the row that is there."},
    {"voice_setting_pkey", "UPDATE the row that is there."},
    {"voice_setting_hash_is_known", "Use none, na, eu or ietf."},
    {"voice_setting_provisioning_is_known",
     "Use basic.1, basic.2, hybrid.1, hybrid.2 or secure."},
    {"voice_setting_kerberos_realm_is_a_domain", DOMAIN_NAME},
    {"voice_setting_provisioning_host_is_a_domain", DOMAIN_NAME},
    {"voice_setting_mta_domain_is_a_domain", DOMAIN_NAME},
    {"voice_setting_dhcp_server_is_an_ipv4_host", "Give an IPv4 address without a mask."},
    {"voice_setting_second_dhcp_server_is_an_ipv4_host", "Give an IPv4 address without a mask."},
    {"voice_setting_sip_registrar_is_a_host", SIP_HOST},
    {"voice_setting_sip_proxy_is_a_host", SIP_HOST},
    {"voice_setting_sip_domain_is_a_host", SIP_HOST},
    {"voice_setting_call_agent_is_a_name", "Write it as in ca@voice.example.net:2727."},
    {"voice_setting_trunk_prefix_is_digits", "Give what is dialled before an area code, as in 0."},
    {"voice_setting_international_prefix_is_digits",
     "Give what is dialled before a country code, as in 00."},
    {"voice_setting_secure_needs_a_kerberos_realm", "Set kerberos_realm in the same UPDATE."},

    {"mac_is_of_another_device",
     "Somebody else has just entered that hardware address, for a modem, an MTA or an endpoint: "
     "take the address from the device's label."},
    {"mta_mac_is_already_used",
     "Change that MTA's row (UPDATE nmsp.mta ... WHERE mac = ...) or delete it first."},
    {"mta_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address, or null for a dynamic one."},
    {"mta_address6_is_already_used", "Choose another address, or null for a dynamic one."},
    {"mta_address_is_an_ipv4_host", "Give an IPv4 address without a mask; address6 is for IPv6."},
    {"mta_address6_is_an_ipv6_host", "Give an IPv6 address without a mask; address is for IPv4."},
    {"mta_name_is_a_host_name", HOST_NAME},
    {"mta_type_is_known", "Use sip or packetcable."},
    {"mta_hash_is_known", "Use none, na, eu or ietf; null: that of nmsp.voice_setting."},
    {"mta_provisioning_is_known",
     "Use basic.1, basic.2, hybrid.1, hybrid.2 or secure; null: that of nmsp.voice_setting."},
    {"mta_needs_an_existing_template", /* deleting one */
     "Give its MTAs another template first: UPDATE nmsp.mta SET template_id = ..."
     " WHERE template_id = <its id>."},
    {"mta_needs_an_existing_dial_plan",
     "SELECT id, name FROM nmsp.dial_plan lists those that exist; one that MTAs have is not"
     " deleted."},

    {"phone_number_is_in_two_places_at_once",
     "SELECT * FROM nmsp.phone_line WHERE number = ... tells where it is; change that row, or end"
     " its validity when the new one begins."},
    {"phone_number_shares_its_port",
     "Choose another port, or end the validity of the number that is there when the new one"
     " begins."},
    {"phone_number_validity_is_not_empty",
     "Give a beginning before the end: tstzrange('2026-01-01', null)."},
    {"phone_number_area_code_is_digits", "Give digits without the trunk prefix, as in 372."},
    {"phone_number_area_code_is_part_of_the_number",
     "Give the digits that follow the country code, without the trunk prefix, or null."},
    {"phone_number_port_between_0_and_255", "Ports count from 0."},
    {"phone_number_username_is_1_to_255_bytes", "Use 1 to 255 bytes, or null."},
    {"phone_number_username_is_printable", "Leave out control characters."},
    {"phone_number_username_has_no_quotes",
     "Leave out '\"', '\\', '{' and '}': templates put it between quotes."},
    {"phone_number_password_has_no_quotes",
     "Leave out '\"', '\\', '{' and '}': templates put it between quotes."},
    {"phone_number_sip_registrar_is_a_host", SIP_HOST},
    {"phone_number_sip_domain_is_a_host", SIP_HOST},
    {"phone_number_needs_an_existing_trc_class", "SELECT * FROM nmsp.trc_class lists those that exist."},
    {"phone_number_needs_an_existing_carrier_in", CARRIER_CODE},
    {"phone_number_needs_an_existing_carrier_out", CARRIER_CODE},
    {"phone_number_needs_an_existing_ekp_in", EKP_CODE},
    {"phone_number_needs_an_existing_ekp_out", EKP_CODE},
    {"phone_number_porting_in_is_known", "Use requested, confirmed or rejected, or null."},
    {"phone_number_porting_out_is_known", "Use requested, confirmed or rejected, or null."},
    {"phone_number_secret_needs_an_existing_number",
     "SELECT id, number FROM nmsp.phone_number lists those that exist."},
    {"phone_number_secret_pkey", "UPDATE the password that the number has."},
    {"phone_number_password_is_1_to_128_bytes", "Use 1 to 128 bytes, or delete the row."},
    {"phone_number_password_is_printable", "Leave out control characters."},
    {"carrier_code_is_not_empty", "Give the code without spaces around it."},
    {"carrier_code_pkey", "Load new codes by INSERT ... ON CONFLICT (code) DO UPDATE."},
    {"ekp_code_is_not_empty", "Give the code without spaces around it."},
    {"ekp_code_pkey", "Load new codes by INSERT ... ON CONFLICT (code) DO UPDATE."},
    {"trc_class_pkey", "Load new classes by INSERT ... ON CONFLICT (class) DO UPDATE."},

    {"netgw_coa_port_is_a_port", "Use 1 to 65535, usually 3799; null: it takes no requests."},
    {"netgw_radius_secret_is_1_to_128_plain_characters",
     "Use letters, digits and punctuation without spaces, quotes, '\\', '%' and '$'."},
    {"netgw_secret_has_one",
     "Set shared_secret (for a CMTS) or radius_secret, or delete the row."},

    {"ppp_account_username_is_already_used",
     "Change that account's row (UPDATE nmsp.ppp_account ... WHERE username = ...)."},
    {"ppp_account_username_is_1_to_253_bytes", "RADIUS carries 1 to 253 bytes."},
    {"ppp_account_username_is_printable",
     "Leave out control characters, and spaces at the beginning and end."},
    {"ppp_account_username_has_no_quotes",
     "Leave out quotes and '\\': FreeRADIUS does not look up names with them."},
    {"ppp_account_authentication_is_known", "Use password or port."},
    {"ppp_account_circuit_id_is_1_to_63_bytes", "Give the line's Agent-Circuit-Id, or null."},
    {"ppp_account_needs_an_existing_netgw", /* deleting one */
     "Move its accounts first: UPDATE nmsp.ppp_account SET netgw_id = ... WHERE netgw_id ="
     " <its id>."},
    {"ppp_account_needs_an_existing_service_class",
     "SELECT id, name FROM nmsp.service_class lists those that exist; one that accounts have is not"
     " deleted."},
    {"ppp_account_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address, or null for a dynamic one."},
    {"ppp_account_address_is_an_ipv4_host", "Give an IPv4 address without a mask."},
    {"ppp_account_framed_prefix_is_already_used", "Choose another prefix."},
    {"ppp_account_framed_prefix_is_ipv6", "Give an IPv6 prefix such as 2001:db8:1::/64."},
    {"ppp_account_delegated_prefix_is_already_used", "Choose another prefix."},
    {"ppp_account_delegated_prefix_is_ipv6", "Give an IPv6 prefix such as 2001:db8:100::/56."},
    {"ppp_account_secret_needs_an_existing_account",
     "SELECT id, username FROM nmsp.ppp_account lists those that exist."},
    {"ppp_account_secret_pkey", "UPDATE the password that the account has."},
    {"ppp_account_password_is_1_to_128_bytes", "Use 1 to 128 bytes, or delete the row."},
    {"ppp_account_password_is_printable", "Leave out control characters."},
    {"ppp_account_password_begins_with_no_quote",
     "Choose a password that begins with another character: FreeRADIUS would take it for a"
     " quoted one."},

    {"attribute_scope_is_known", "Use default or service_class."},
    {"attribute_list_is_known", "Use reply or check."},
    {"attribute_name_is_a_name", "Give a name of FreeRADIUS's dictionaries."},
    {"attribute_fall_through_is_made", "It is always there, behind the default group's rows."},
    {"attribute_op_is_known", "Use an operator of FreeRADIUS such as := or +=."},
    {"attribute_value_begins_with_no_quote", "Give the value itself, without quotes around it."},
    {"setting_address_source_is_known", "Use gateway or database."},
    {"setting_framed_pool_public_is_a_name", "Use letters, digits and ._:/-, at most 63."},
    {"setting_framed_pool_private_is_a_name", "Use letters, digits and ._:/-, at most 63."},
    {"setting_archive_after_is_at_least_an_hour",
     "Gateways repeat packets for a while; leave ended sessions in place for an hour or more."},
    {"setting_keep_session_between_1_and_3650_days", "Use 1 to 3650 days."},
    {"setting_keep_authentication_between_1_and_3650_days", "Use 1 to 3650 days."},
    {"setting_days_ahead_between_1_and_100", "Use 1 to 100 days."},

    {"setting_firmware_server_is_a_host", "Give an address without a mask."},
    {"firmware_image_vendor_is_not_empty", "Give the vendor as modems report it."},
    {"firmware_image_has_a_model", "Give the models it is for as modems report them: '{TM1602}'."},
    {"firmware_image_version_is_not_empty", "Give the version as modems report it."},
    {"firmware_image_file_name_is_1_to_61_plain_characters",
     "Use 1 to 61 letters, digits and ._+-, the first a letter or digit."},
    {"firmware_image_size_is_1_byte_to_2_gigabytes", "Give the bytes of the file."},
    {"firmware_image_sha256_is_32_bytes", "Give the SHA-256 of the file: sha256(content)."},
    {"firmware_rule_needs_an_existing_image",
     "SELECT id, file_name FROM nmsp.firmware_image lists those that exist."},
    {"firmware_rule_needs_an_existing_netgw",
     "SELECT id, name FROM nmsp.netgw lists those that exist."},
    {"firmware_rule_needs_an_existing_template",
     "SELECT id, name FROM nmsp.template lists those that exist."},
    {"firmware_rule_needs_an_existing_service_class",
     "SELECT id, name FROM nmsp.service_class lists those that exist."},
    {"firmware_rule_needs_an_existing_modem",
     "SELECT id, mac FROM nmsp.modem lists those that exist."},
    {"firmware_release_needs_an_existing_image",
     "Deactivate its rules first: UPDATE nmsp.firmware_rule SET active = false."},
    {"firmware_campaign_name_is_already_used", "Give it another name."},
    {"firmware_campaign_name_is_not_empty", "Give it a name."},
    {"firmware_campaign_needs_an_existing_rule",
     "SELECT id, image_id FROM nmsp.firmware_rule lists those that exist."},
    {"firmware_campaign_needs_an_existing_image",
     "SELECT id, file_name FROM nmsp.firmware_image lists those that exist."},
    {"firmware_campaign_batch_size_is_positive", "Use 1 or more modems."},
    {"firmware_campaign_canary_share_between_0_and_1", "Use a share: 0.01 is one of a hundred."},
    {"firmware_campaign_canary_wait_is_not_negative", "Use 0 or more."},
    {"firmware_campaign_patience_is_positive", "Use more than 0; modems need half an hour or so."},
    {"firmware_campaign_abort_share_between_0_and_1", "Use a share: 0.05 is five of a hundred."},
    {"firmware_campaign_abort_minimum_is_positive", "Use 1 or more modems."},
    {"firmware_campaign_state_is_known",
     "Campaigns change their states by nmsp.start_campaign, pause_campaign and so on."},
    {"firmware_campaign_window_has_start_and_end", "Set both or neither."},
    {"firmware_campaign_window_is_not_empty", "For the whole day set both to null."},
    {"firmware_campaign_started_has_an_image", "Begin it by SELECT nmsp.start_campaign(id)."},

    {"setting_action_rate_is_positive", "Use 1 or more a minute."},
    {"setting_action_retention_is_a_day_or_more", "Use a day or more."},
    {"netgw_reset_by_is_known", "Use cmts or modem, or null."},
    {"netgw_action_rate_is_positive", "Use 1 or more a minute, or null."},
    {"netgw_snmp_write_community_is_1_to_64_plain_characters",
     "Use 1 to 64 printable ASCII characters without blanks."},
    {"reset_method_vendor_is_lower_case", "Write the vendor in lower case."},
    {"reset_method_oid_is_numeric", "Write numbers with points; {mac} stands for the modem."},
    {"reset_method_type_is_known", "Use i, u, s, x or a, as snmpset does."},
    {"reset_method_value_is_plain", "Use letters and digits; {hex} stands for the modem."},
};

static ExecutorRun_hook_type previous_run = NULL;
static ExecutorFinish_hook_type previous_finish = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

static const char *
find_hint(const char *constraint)
{
    for (int i = 0; i < lengthof(constraint_hints); i++)
        if (strcmp(constraint, constraint_hints[i].constraint) == 0)
            return constraint_hints[i].hint;
    return NULL;
}

/* Runs while an error is being put together: adds the hint, never anything else. */
static void
add_hint(void *arg)
{
    int code = geterrcode();
    MemoryContext old;
    ErrorData *error;
    const char *hint;

    if (ERRCODE_TO_CATEGORY(code) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
        return;
    old = MemoryContextSwitchTo(TopTransactionContext ? TopTransactionContext : TopMemoryContext);
    error = CopyErrorData();
    MemoryContextSwitchTo(old);
    if (error->constraint_name && error->hint == NULL && error->schema_name &&
        strncmp(error->schema_name, "nmsp", 4) == 0 && (hint = find_hint(error->constraint_name)))
        errhint("%s", hint);
    FreeErrorData(error);
}

#define WITH_HINTS(call)                                                                           \
    do {                                                                                           \
        ErrorContextCallback callback = {.previous = error_context_stack, .callback = add_hint};   \
        error_context_stack = &callback;                                                           \
        call;                                                                                      \
        error_context_stack = callback.previous;                                                   \
    } while (0)

static void
hint_run(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
{
    ExecutorRun_hook_type run = previous_run ? previous_run : standard_ExecutorRun;

    WITH_HINTS(run(query, direction, count, once));
}

static void
hint_finish(QueryDesc *query)
{
    ExecutorFinish_hook_type finish = previous_finish ? previous_finish : standard_ExecutorFinish;

    WITH_HINTS(finish(query));
}

static void
hint_utility(PlannedStmt *statement, const char *text, bool read_only, ProcessUtilityContext context,
             ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,
             QueryCompletion *completion)
{
    ProcessUtility_hook_type utility = previous_utility ? previous_utility : standard_ProcessUtility;

    WITH_HINTS(utility(statement, text, read_only, context, parameters, environment, receiver,
                       completion));
}

void
nmsp_hints_init(void)
{
    previous_run = ExecutorRun_hook;
    ExecutorRun_hook = hint_run;
    previous_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = hint_finish;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = hint_utility;
}

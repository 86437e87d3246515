-- The provisioning model. Rules are constraints; the triggers of sql/views/10_model.sql say the
-- same rules first, in words, with a hint.

CREATE TABLE nmsp.setting (
    id                  boolean PRIMARY KEY DEFAULT true CONSTRAINT setting_has_exactly_one_row CHECK (id),
    provisioning_server inet NOT NULL DEFAULT '172.20.0.1'
        CONSTRAINT setting_provisioning_server_is_a_host CHECK (masklen(provisioning_server) = CASE family(provisioning_server) WHEN 4 THEN 32 ELSE 128 END),
    domain_name         text NOT NULL DEFAULT 'nmsp.test'
        CONSTRAINT setting_domain_name_is_a_domain CHECK (domain_name ~ '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$'),
    dns_server          inet[] NOT NULL DEFAULT '{}',
    ntp_server          inet[] NOT NULL DEFAULT '{}',
    log_server          inet[] NOT NULL DEFAULT '{}',
    time_zone           text NOT NULL DEFAULT 'UTC',
    default_lease_time  int NOT NULL DEFAULT 86400 CONSTRAINT setting_default_lease_time_is_positive CHECK (default_lease_time >= 1),
    max_lease_time      int NOT NULL DEFAULT 172800,
    max_cpe             int NOT NULL DEFAULT 2 CONSTRAINT setting_max_cpe_between_1_and_254 CHECK (max_cpe BETWEEN 1 AND 254),
    ds_rate_coefficient numeric NOT NULL DEFAULT 1 CONSTRAINT setting_ds_rate_coefficient_is_positive CHECK (ds_rate_coefficient > 0),
    us_rate_coefficient numeric NOT NULL DEFAULT 1 CONSTRAINT setting_us_rate_coefficient_is_positive CHECK (us_rate_coefficient > 0),
    CONSTRAINT setting_max_lease_time_not_below_default CHECK (max_lease_time >= default_lease_time)
);
COMMENT ON TABLE nmsp.setting IS 'Settings of the whole operator; always exactly one row.';
COMMENT ON COLUMN nmsp.setting.id IS 'Always true.';
COMMENT ON COLUMN nmsp.setting.provisioning_server IS 'Address that DHCP announces as TFTP and time server (siaddr, option 4).';
COMMENT ON COLUMN nmsp.setting.domain_name IS 'Domain of the devices (option 15).';
COMMENT ON COLUMN nmsp.setting.dns_server IS 'Name servers of pools that have none of their own (option 6).';
COMMENT ON COLUMN nmsp.setting.ntp_server IS 'NTP servers (option 42).';
COMMENT ON COLUMN nmsp.setting.log_server IS 'Syslog servers (option 7); empty: the provisioning server.';
COMMENT ON COLUMN nmsp.setting.time_zone IS 'Time zone name from which the time offset (option 2) is taken.';
COMMENT ON COLUMN nmsp.setting.default_lease_time IS 'Lease time in seconds where a client asks for none.';
COMMENT ON COLUMN nmsp.setting.max_lease_time IS 'Longest lease time in seconds.';
COMMENT ON COLUMN nmsp.setting.max_cpe IS 'CPEs allowed behind a modem (TLV 18) unless its template says otherwise.';
COMMENT ON COLUMN nmsp.setting.ds_rate_coefficient IS 'Factor between a service class''s downstream rate and what the modem gets.';
COMMENT ON COLUMN nmsp.setting.us_rate_coefficient IS 'Factor between a service class''s upstream rate and what the modem gets.';
INSERT INTO nmsp.setting DEFAULT VALUES;

CREATE TABLE nmsp.setting_secret (
    id           boolean PRIMARY KEY DEFAULT true CONSTRAINT setting_secret_has_exactly_one_row CHECK (id),
    ro_community text NOT NULL DEFAULT 'public',
    rw_community text NOT NULL DEFAULT 'private',
    CONSTRAINT setting_secret_community_is_not_empty CHECK (ro_community <> '' AND rw_community <> '')
);
COMMENT ON TABLE nmsp.setting_secret IS 'Secrets of the whole operator; always exactly one row; readable only for administrators and the worker.';
COMMENT ON COLUMN nmsp.setting_secret.id IS 'Always true.';
COMMENT ON COLUMN nmsp.setting_secret.ro_community IS 'SNMP community for reading, as templates write it into modems.';
COMMENT ON COLUMN nmsp.setting_secret.rw_community IS 'SNMP community for writing, as templates write it into modems.';
INSERT INTO nmsp.setting_secret DEFAULT VALUES;

CREATE TABLE nmsp.netgw (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT netgw_name_is_already_used UNIQUE
        CONSTRAINT netgw_name_is_a_host_name CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$' AND name !~ '\.\.'),
    kind        text NOT NULL DEFAULT 'cmts' CONSTRAINT netgw_kind_is_known CHECK (kind IN ('cmts', 'bras', 'olt', 'dslam')),
    address     inet,
    vendor      text,
    model       text,
    description text
);
COMMENT ON TABLE nmsp.netgw IS 'Access gateways: CMTS, BRAS, OLT, DSLAM. Pools and modems belong to one.';
COMMENT ON COLUMN nmsp.netgw.id IS 'Key.';
COMMENT ON COLUMN nmsp.netgw.name IS 'Host name; also the name of its shared network in DHCP.';
COMMENT ON COLUMN nmsp.netgw.kind IS 'cmts, bras, olt or dslam.';
COMMENT ON COLUMN nmsp.netgw.address IS 'Management address.';
COMMENT ON COLUMN nmsp.netgw.vendor IS 'Vendor, for people.';
COMMENT ON COLUMN nmsp.netgw.model IS 'Model, for people.';
COMMENT ON COLUMN nmsp.netgw.description IS 'Free text.';

CREATE TABLE nmsp.netgw_secret (
    netgw_id      bigint PRIMARY KEY CONSTRAINT netgw_secret_needs_an_existing_netgw REFERENCES nmsp.netgw ON DELETE CASCADE,
    shared_secret text NOT NULL
        CONSTRAINT netgw_shared_secret_is_1_to_64_bytes CHECK (octet_length(shared_secret) BETWEEN 1 AND 64)
);
COMMENT ON TABLE nmsp.netgw_secret IS 'Secrets of access gateways; readable only for administrators and the worker.';
COMMENT ON COLUMN nmsp.netgw_secret.netgw_id IS 'The gateway.';
COMMENT ON COLUMN nmsp.netgw_secret.shared_secret IS 'Key of the CMTS MIC, 1 to 64 bytes: what the CMTS has as "cable shared-secret".';

CREATE TABLE nmsp.pool (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    netgw_id         bigint NOT NULL CONSTRAINT pool_needs_an_existing_netgw REFERENCES nmsp.netgw,
    purpose          text NOT NULL CONSTRAINT pool_purpose_is_known CHECK (purpose IN ('cm', 'mta', 'cpe_public', 'cpe_private', 'stb')),
    network          cidr NOT NULL,
    range_start      inet,
    range_end        inet,
    router           inet,
    dns_server       inet[] NOT NULL DEFAULT '{}',
    lease_time       int CONSTRAINT pool_lease_time_is_positive CHECK (lease_time >= 1),
    vendor_class     text,
    delegated_prefix cidr,
    delegated_length int,
    active           boolean NOT NULL DEFAULT true,
    dhcpd_text       text NOT NULL DEFAULT '',
    description      text,
    CONSTRAINT pool_network_overlaps_another_pool EXCLUDE USING gist (network inet_ops WITH &&),
    CONSTRAINT pool_range_has_start_and_end CHECK ((range_start IS NULL) = (range_end IS NULL)),
    CONSTRAINT pool_range_lies_inside_its_network CHECK (range_start << network AND range_end << network),
    CONSTRAINT pool_range_starts_before_it_ends CHECK (range_start <= range_end),
    CONSTRAINT pool_router_lies_inside_its_network CHECK (router << network),
    CONSTRAINT pool_router_lies_outside_its_range CHECK (NOT (router BETWEEN range_start AND range_end)),
    CONSTRAINT pool_stb_needs_a_vendor_class CHECK (purpose <> 'stb' OR coalesce(vendor_class, '') <> ''),
    CONSTRAINT pool_prefix_delegation_is_for_ipv6_cpe CHECK (delegated_prefix IS NULL
        OR (family(network) = 6 AND family(delegated_prefix) = 6 AND purpose IN ('cpe_public', 'cpe_private'))),
    CONSTRAINT pool_delegated_length_fits_its_prefix CHECK ((delegated_prefix IS NULL) = (delegated_length IS NULL)
        AND delegated_length BETWEEN masklen(delegated_prefix) AND 64)
);
CREATE INDEX pool_netgw_id ON nmsp.pool (netgw_id);
COMMENT ON TABLE nmsp.pool IS 'Address pools of an access gateway, by purpose. Networks never overlap. One row is one network, IPv4 or IPv6.';
COMMENT ON COLUMN nmsp.pool.id IS 'Key.';
COMMENT ON COLUMN nmsp.pool.netgw_id IS 'The gateway that relays for this network.';
COMMENT ON COLUMN nmsp.pool.purpose IS 'Who gets addresses: cm, mta, cpe_public, cpe_private or stb.';
COMMENT ON COLUMN nmsp.pool.network IS 'The network, IPv4 or IPv6.';
COMMENT ON COLUMN nmsp.pool.range_start IS 'First address to give out; null: fixed addresses only.';
COMMENT ON COLUMN nmsp.pool.range_end IS 'Last address to give out.';
COMMENT ON COLUMN nmsp.pool.router IS 'The gateway''s own address in this network (option 3, and giaddr of its first cm pool).';
COMMENT ON COLUMN nmsp.pool.dns_server IS 'Name servers (option 6); empty: those of nmsp.setting.';
COMMENT ON COLUMN nmsp.pool.lease_time IS 'Lease time in seconds; null: that of nmsp.setting.';
COMMENT ON COLUMN nmsp.pool.vendor_class IS 'For purpose stb: the beginning of option 60 that makes a client a set-top box.';
COMMENT ON COLUMN nmsp.pool.delegated_prefix IS 'IPv6: the prefix that delegated prefixes are cut from.';
COMMENT ON COLUMN nmsp.pool.delegated_length IS 'IPv6: length of a delegated prefix.';
COMMENT ON COLUMN nmsp.pool.active IS 'false: known to DHCP, but nobody gets an address.';
COMMENT ON COLUMN nmsp.pool.dhcpd_text IS 'Further statements for ISC dhcpd, put into the subnet as they are; no include, no execute, braces balanced.';
COMMENT ON COLUMN nmsp.pool.description IS 'Free text.';

CREATE TABLE nmsp.service_class (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT service_class_name_is_already_used UNIQUE
        CONSTRAINT service_class_name_is_not_empty CHECK (name <> ''),
    ds_rate     bigint NOT NULL CONSTRAINT service_class_ds_rate_fits_32_bits CHECK (ds_rate BETWEEN 0 AND 4294967295),
    us_rate     bigint NOT NULL CONSTRAINT service_class_us_rate_fits_32_bits CHECK (us_rate BETWEEN 0 AND 4294967295),
    ds_name     text,
    us_name     text,
    description text
);
COMMENT ON TABLE nmsp.service_class IS 'Service classes (QoS profiles) of modems.';
COMMENT ON COLUMN nmsp.service_class.id IS 'Key.';
COMMENT ON COLUMN nmsp.service_class.name IS 'Name.';
COMMENT ON COLUMN nmsp.service_class.ds_rate IS 'Downstream rate in bit/s.';
COMMENT ON COLUMN nmsp.service_class.us_rate IS 'Upstream rate in bit/s.';
COMMENT ON COLUMN nmsp.service_class.ds_name IS 'Name of the downstream policy on the access gateway.';
COMMENT ON COLUMN nmsp.service_class.us_name IS 'Name of the upstream policy on the access gateway.';
COMMENT ON COLUMN nmsp.service_class.description IS 'Free text.';

CREATE TABLE nmsp.template (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT template_name_is_already_used UNIQUE
        CONSTRAINT template_name_is_not_empty CHECK (name <> ''),
    device      text NOT NULL DEFAULT 'cm' CONSTRAINT template_device_is_known CHECK (device IN ('cm', 'mta')),
    parent_id   bigint CONSTRAINT template_parent_must_exist REFERENCES nmsp.template
        CONSTRAINT template_is_not_its_own_parent CHECK (parent_id <> id),
    source      text NOT NULL,
    version     int NOT NULL DEFAULT 1,
    description text
);
CREATE INDEX template_parent_id ON nmsp.template (parent_id);
COMMENT ON TABLE nmsp.template IS 'Templates of configfiles: a tree; a template''s text is followed by its parents'' texts. Checked when saved.';
COMMENT ON COLUMN nmsp.template.id IS 'Key.';
COMMENT ON COLUMN nmsp.template.name IS 'Name.';
COMMENT ON COLUMN nmsp.template.device IS 'Whose file it makes: cm or mta.';
COMMENT ON COLUMN nmsp.template.parent_id IS 'Template whose text follows this one''s.';
COMMENT ON COLUMN nmsp.template.source IS 'Text of the configuration file''s body with {placeholders}; see nmsp.template_placeholder.';
COMMENT ON COLUMN nmsp.template.version IS 'Counts the changes of source and parent_id; kept by a trigger.';
COMMENT ON COLUMN nmsp.template.description IS 'Free text.';

CREATE TABLE nmsp.modem (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mac              macaddr NOT NULL CONSTRAINT modem_mac_is_already_used UNIQUE
        CONSTRAINT modem_mac_is_a_unicast_address CHECK (mac & '01:00:00:00:00:00' = '00:00:00:00:00:00' AND mac <> '00:00:00:00:00:00'),
    name             text CONSTRAINT modem_name_is_a_host_name CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$' AND name !~ '\.\.'),
    netgw_id         bigint NOT NULL CONSTRAINT modem_needs_an_existing_netgw REFERENCES nmsp.netgw,
    template_id      bigint NOT NULL CONSTRAINT modem_needs_an_existing_template REFERENCES nmsp.template,
    service_class_id bigint CONSTRAINT modem_needs_an_existing_service_class REFERENCES nmsp.service_class,
    internet_access  boolean NOT NULL DEFAULT true,
    public_cpe       boolean NOT NULL DEFAULT false,
    address          inet CONSTRAINT modem_address_is_already_used UNIQUE
        CONSTRAINT modem_address_is_an_ipv4_host CHECK (family(address) = 4 AND masklen(address) = 32),
    address6         inet CONSTRAINT modem_address6_is_already_used UNIQUE
        CONSTRAINT modem_address6_is_an_ipv6_host CHECK (family(address6) = 6 AND masklen(address6) = 128),
    serial_number    text,
    model            text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    description      text
);
CREATE INDEX modem_netgw_id ON nmsp.modem (netgw_id, id);
CREATE INDEX modem_template_id ON nmsp.modem (template_id, id);
CREATE INDEX modem_service_class_id ON nmsp.modem (service_class_id, id);
COMMENT ON TABLE nmsp.modem IS 'Cable modems. A row is all it takes: DHCP and TFTP follow within moments of the commit.';
COMMENT ON COLUMN nmsp.modem.id IS 'Key; the modem''s host name is cm-<id>.';
COMMENT ON COLUMN nmsp.modem.mac IS 'Hardware address of the modem''s cable interface.';
COMMENT ON COLUMN nmsp.modem.name IS 'Name for people; need not be unique.';
COMMENT ON COLUMN nmsp.modem.netgw_id IS 'The CMTS the modem is behind.';
COMMENT ON COLUMN nmsp.modem.template_id IS 'Template of its configfile.';
COMMENT ON COLUMN nmsp.modem.service_class_id IS 'Service class; null: lines of the template that need one are left out.';
COMMENT ON COLUMN nmsp.modem.internet_access IS 'Network access (TLV 3).';
COMMENT ON COLUMN nmsp.modem.public_cpe IS 'true: CPEs behind it get addresses from cpe_public pools; false: from cpe_private.';
COMMENT ON COLUMN nmsp.modem.address IS 'Fixed IPv4 address (see nmsp.allocate_address); null: any from the cm pools of its CMTS.';
COMMENT ON COLUMN nmsp.modem.address6 IS 'Fixed IPv6 address.';
COMMENT ON COLUMN nmsp.modem.serial_number IS 'Serial number.';
COMMENT ON COLUMN nmsp.modem.model IS 'Model, for people.';
COMMENT ON COLUMN nmsp.modem.created_at IS 'When the row was made.';
COMMENT ON COLUMN nmsp.modem.description IS 'Free text.';

CREATE TABLE nmsp.modem_option (
    modem_id bigint NOT NULL CONSTRAINT modem_option_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    key      text NOT NULL CONSTRAINT modem_option_key_is_a_name CHECK (key ~ '^[A-Za-z_][A-Za-z0-9_-]*$'),
    value    text NOT NULL,
    PRIMARY KEY (modem_id, key)
);
COMMENT ON TABLE nmsp.modem_option IS 'Template variables of one modem: {modem.<key>.0}.';
COMMENT ON COLUMN nmsp.modem_option.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_option.key IS 'Name of the variable.';
COMMENT ON COLUMN nmsp.modem_option.value IS 'Its value, put into the template as it is.';

CREATE TABLE nmsp.endpoint (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL CONSTRAINT endpoint_name_is_already_used UNIQUE
        CONSTRAINT endpoint_name_is_a_host_label CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$' AND name !~ '^(cm|mta)-'),
    modem_id         bigint NOT NULL CONSTRAINT endpoint_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    mac              macaddr CONSTRAINT endpoint_mac_is_already_used UNIQUE
        CONSTRAINT endpoint_mac_is_a_unicast_address CHECK (mac & '01:00:00:00:00:00' = '00:00:00:00:00:00' AND mac <> '00:00:00:00:00:00'),
    address          inet CONSTRAINT endpoint_address_is_already_used UNIQUE
        CONSTRAINT endpoint_address_is_an_ipv4_host CHECK (family(address) = 4 AND masklen(address) = 32),
    address6         inet CONSTRAINT endpoint_address6_is_already_used UNIQUE
        CONSTRAINT endpoint_address6_is_an_ipv6_host CHECK (family(address6) = 6 AND masklen(address6) = 128),
    delegated_prefix cidr CONSTRAINT endpoint_delegated_prefix_is_already_used UNIQUE
        CONSTRAINT endpoint_delegated_prefix_is_ipv6 CHECK (family(delegated_prefix) = 6),
    description      text,
    CONSTRAINT endpoint_has_a_fixed_address CHECK (address IS NOT NULL OR address6 IS NOT NULL OR delegated_prefix IS NOT NULL),
    CONSTRAINT endpoint_needs_a_mac_for_ipv6 CHECK (mac IS NOT NULL OR (address6 IS NULL AND delegated_prefix IS NULL))
);
CREATE INDEX endpoint_modem_id ON nmsp.endpoint (modem_id);
COMMENT ON TABLE nmsp.endpoint IS 'CPEs with a fixed address, bound by their MAC or, without one, by the modem they are behind.';
COMMENT ON COLUMN nmsp.endpoint.id IS 'Key.';
COMMENT ON COLUMN nmsp.endpoint.name IS 'Host name.';
COMMENT ON COLUMN nmsp.endpoint.modem_id IS 'The modem it is behind.';
COMMENT ON COLUMN nmsp.endpoint.mac IS 'Hardware address of the CPE; null: whoever asks behind the modem (option 82 remote-id).';
COMMENT ON COLUMN nmsp.endpoint.address IS 'Fixed IPv4 address, inside a cpe pool of the modem''s CMTS.';
COMMENT ON COLUMN nmsp.endpoint.address6 IS 'Fixed IPv6 address.';
COMMENT ON COLUMN nmsp.endpoint.delegated_prefix IS 'Fixed delegated IPv6 prefix.';
COMMENT ON COLUMN nmsp.endpoint.description IS 'Free text.';

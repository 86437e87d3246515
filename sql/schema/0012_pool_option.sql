-- Further DHCP options of a pool, as typed values; the same for dhcpd and Kea. See sql/views/39_pool_option.sql.

CREATE TABLE nmsp.pool_option (
    pool_id     bigint NOT NULL CONSTRAINT pool_option_needs_an_existing_pool REFERENCES nmsp.pool ON DELETE CASCADE,
    code        int NOT NULL CONSTRAINT pool_option_code_is_a_number_of_dhcp CHECK (code BETWEEN 1 AND 65535),
    suboption   int NOT NULL DEFAULT 0 CONSTRAINT pool_option_suboption_is_a_number_of_dhcp CHECK (suboption BETWEEN 0 AND 65535),
    enterprise  bigint NOT NULL DEFAULT 4491 CONSTRAINT pool_option_enterprise_is_a_number_of_iana CHECK (enterprise BETWEEN 1 AND 4294967295),
    kind        text NOT NULL CONSTRAINT pool_option_kind_is_known
        CHECK (kind IN ('address', 'server', 'name', 'text', 'uint8', 'uint16', 'uint32', 'int32', 'hex')),
    value       text NOT NULL,
    description text,
    CONSTRAINT pool_option_is_already_given PRIMARY KEY (pool_id, code, suboption, enterprise)
);
COMMENT ON TABLE nmsp.pool_option IS 'Further DHCP options of a pool, e.g. CableLabs'' 122 and 125. What nmsp says of a device itself comes before them.';
COMMENT ON COLUMN nmsp.pool_option.pool_id IS 'The pool, IPv4 or IPv6.';
COMMENT ON COLUMN nmsp.pool_option.code IS 'Number of the option: DHCP or, for an IPv6 pool, DHCPv6.';
COMMENT ON COLUMN nmsp.pool_option.suboption IS 'Number of the sub-option; 0: the value is the whole option.';
COMMENT ON COLUMN nmsp.pool_option.enterprise IS 'Of vendors'' options (125; DHCPv6 17): whose sub-options these are, by IANA''s number; 4491 is CableLabs.';
COMMENT ON COLUMN nmsp.pool_option.kind IS
    'How the value is written: address (one or more, with commas), server (address or name, as sub-option 3 of option 122), name (of a host or domain), text, uint8, uint16, uint32, int32 (one or more, with commas), hex.';
COMMENT ON COLUMN nmsp.pool_option.value IS 'The value, as its kind says, e.g. 172.20.0.1, 172.20.0.2.';
COMMENT ON COLUMN nmsp.pool_option.description IS 'Free text.';

-- Voice: MTAs behind modems, the phone numbers on their ports, SIP, dial plans, and the code tables
-- that porting forms ask for. Rules in words: sql/views/16_voice.sql; files: sql/views/21_mta_config.sql.

CREATE DOMAIN nmsp.e164 AS text CONSTRAINT e164_is_a_plus_and_4_to_15_digits CHECK (VALUE ~ '^\+[1-9][0-9]{3,14}$');
COMMENT ON DOMAIN nmsp.e164 IS 'A phone number as ITU-T E.164 writes it: plus, country code, national number: +49372555001.';

CREATE TABLE nmsp.dial_plan (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT dial_plan_name_is_already_used UNIQUE
        CONSTRAINT dial_plan_name_is_not_empty CHECK (name <> ''),
    digit_map   text NOT NULL CONSTRAINT dial_plan_digit_map_is_1_to_65000_bytes CHECK (octet_length(digit_map) BETWEEN 1 AND 65000),
    description text
);
COMMENT ON TABLE nmsp.dial_plan IS 'Dial plans (digit maps) of MTAs.';
COMMENT ON COLUMN nmsp.dial_plan.id IS 'Key.';
COMMENT ON COLUMN nmsp.dial_plan.name IS 'Name.';
COMMENT ON COLUMN nmsp.dial_plan.digit_map IS 'The text of the digit map, as the MTA''s firmware reads it (pktcEUERSTDMValue.1).';
COMMENT ON COLUMN nmsp.dial_plan.description IS 'Free text.';

ALTER TABLE nmsp.template ADD COLUMN dial_plan_id bigint CONSTRAINT template_needs_an_existing_dial_plan REFERENCES nmsp.dial_plan
    CONSTRAINT template_dial_plan_is_for_mta CHECK (dial_plan_id IS NULL OR device = 'mta');
CREATE INDEX template_dial_plan_id ON nmsp.template (dial_plan_id);
COMMENT ON COLUMN nmsp.template.dial_plan_id IS 'Dial plan of the MTAs that have this template, unless they have their own; null: none.';

CREATE TABLE nmsp.voice_setting (
    id                   smallint PRIMARY KEY DEFAULT 1 CONSTRAINT voice_setting_has_exactly_one_row CHECK (id = 1),
    hash                 text NOT NULL DEFAULT 'eu' CONSTRAINT voice_setting_hash_is_known CHECK (hash IN ('none', 'na', 'eu', 'ietf')),
    provisioning         text NOT NULL DEFAULT 'basic.1'
        CONSTRAINT voice_setting_provisioning_is_known CHECK (provisioning IN ('basic.1', 'basic.2', 'hybrid.1', 'hybrid.2', 'secure')),
    kerberos_realm       text CONSTRAINT voice_setting_kerberos_realm_is_a_domain CHECK (kerberos_realm ~ '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$'),
    provisioning_host    text CONSTRAINT voice_setting_provisioning_host_is_a_domain CHECK (provisioning_host ~ '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$'),
    dhcp_server          inet CONSTRAINT voice_setting_dhcp_server_is_an_ipv4_host CHECK (family(dhcp_server) = 4 AND masklen(dhcp_server) = 32),
    second_dhcp_server   inet CONSTRAINT voice_setting_second_dhcp_server_is_an_ipv4_host CHECK (family(second_dhcp_server) = 4 AND masklen(second_dhcp_server) = 32),
    mta_domain           text CONSTRAINT voice_setting_mta_domain_is_a_domain CHECK (mta_domain ~ '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$'),
    sip_registrar        text CONSTRAINT voice_setting_sip_registrar_is_a_host CHECK (sip_registrar ~ '^[A-Za-z0-9.:_\[\]-]{1,255}$'),
    sip_proxy            text CONSTRAINT voice_setting_sip_proxy_is_a_host CHECK (sip_proxy ~ '^[A-Za-z0-9.:_\[\]-]{1,255}$'),
    sip_domain           text CONSTRAINT voice_setting_sip_domain_is_a_host CHECK (sip_domain ~ '^[A-Za-z0-9.:_\[\]-]{1,255}$'),
    call_agent           text CONSTRAINT voice_setting_call_agent_is_a_name CHECK (call_agent ~ '^[A-Za-z0-9.:_@\[\]-]{3,255}$'),
    trunk_prefix         text NOT NULL DEFAULT '0' CONSTRAINT voice_setting_trunk_prefix_is_digits CHECK (trunk_prefix ~ '^[0-9]{0,4}$'),
    international_prefix text NOT NULL DEFAULT '00' CONSTRAINT voice_setting_international_prefix_is_digits CHECK (international_prefix ~ '^[0-9]{0,6}$'),
    CONSTRAINT voice_setting_secure_needs_a_kerberos_realm CHECK (provisioning <> 'secure' OR kerberos_realm IS NOT NULL)
);
COMMENT ON TABLE nmsp.voice_setting IS 'Settings of voice; always exactly one row.';
COMMENT ON COLUMN nmsp.voice_setting.id IS 'Always 1.';
COMMENT ON COLUMN nmsp.voice_setting.hash IS 'Hash in the files of MTAs that have none of their own: none, na (CableLabs), eu (EuroPacketCable), ietf (RFC 4682).';
COMMENT ON COLUMN nmsp.voice_setting.provisioning IS 'PacketCable provisioning flow of MTAs that have none of their own: basic.1, basic.2, hybrid.1, hybrid.2 or secure (option 122 sub-option 6).';
COMMENT ON COLUMN nmsp.voice_setting.kerberos_realm IS 'Kerberos realm of the secure flow.';
COMMENT ON COLUMN nmsp.voice_setting.provisioning_host IS 'Name of the provisioning server (option 122 sub-option 3, as FQDN); null: its address, that of nmsp.setting.';
COMMENT ON COLUMN nmsp.voice_setting.dhcp_server IS 'DHCP server of the MTAs (option 122 sub-option 1, sent to modems that have an MTA); null: the provisioning server.';
COMMENT ON COLUMN nmsp.voice_setting.second_dhcp_server IS 'Second DHCP server of the MTAs (option 122 sub-option 2); null: none.';
COMMENT ON COLUMN nmsp.voice_setting.mta_domain IS 'Domain of MTAs (option 15); null: that of nmsp.setting.';
COMMENT ON COLUMN nmsp.voice_setting.sip_registrar IS 'SIP registrar: {voice.sip_registrar.0}, and of numbers that have none of their own.';
COMMENT ON COLUMN nmsp.voice_setting.sip_proxy IS 'SIP outbound proxy: {voice.sip_proxy.0}.';
COMMENT ON COLUMN nmsp.voice_setting.sip_domain IS 'SIP domain of numbers that have none of their own; null: the registrar.';
COMMENT ON COLUMN nmsp.voice_setting.call_agent IS 'NCS call agent of PacketCable MTAs: {voice.call_agent.0}, as in ca@voice.example.net:2727.';
COMMENT ON COLUMN nmsp.voice_setting.trunk_prefix IS 'What callers dial before an area code: {phonenumber.prefix_number.<port>} begins with it.';
COMMENT ON COLUMN nmsp.voice_setting.international_prefix IS 'What callers dial before a country code: {phonenumber.country_code.<port>} begins with it.';
INSERT INTO nmsp.voice_setting DEFAULT VALUES;

CREATE TABLE nmsp.mta (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mac          macaddr NOT NULL CONSTRAINT mta_mac_is_already_used UNIQUE
        CONSTRAINT mta_mac_is_a_unicast_address CHECK (mac & '01:00:00:00:00:00' = '00:00:00:00:00:00' AND mac <> '00:00:00:00:00:00'),
    modem_id     bigint NOT NULL CONSTRAINT mta_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    embedded     boolean NOT NULL DEFAULT true,
    template_id  bigint NOT NULL CONSTRAINT mta_needs_an_existing_template REFERENCES nmsp.template,
    dial_plan_id bigint CONSTRAINT mta_needs_an_existing_dial_plan REFERENCES nmsp.dial_plan,
    name         text CONSTRAINT mta_name_is_a_host_name CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$' AND name !~ '\.\.'),
    type         text NOT NULL DEFAULT 'sip' CONSTRAINT mta_type_is_known CHECK (type IN ('sip', 'packetcable')),
    hash         text CONSTRAINT mta_hash_is_known CHECK (hash IN ('none', 'na', 'eu', 'ietf')),
    provisioning text CONSTRAINT mta_provisioning_is_known CHECK (provisioning IN ('basic.1', 'basic.2', 'hybrid.1', 'hybrid.2', 'secure')),
    address      inet CONSTRAINT mta_address_is_already_used UNIQUE
        CONSTRAINT mta_address_is_an_ipv4_host CHECK (family(address) = 4 AND masklen(address) = 32),
    address6     inet CONSTRAINT mta_address6_is_already_used UNIQUE
        CONSTRAINT mta_address6_is_an_ipv6_host CHECK (family(address6) = 6 AND masklen(address6) = 128),
    created_at   timestamptz NOT NULL DEFAULT now(),
    description  text
);
CREATE INDEX mta_modem_id ON nmsp.mta (modem_id, id);
CREATE INDEX mta_template_id ON nmsp.mta (template_id, id);
CREATE INDEX mta_dial_plan_id ON nmsp.mta (dial_plan_id, id);
-- For Kea's look-ups; see sql/schema/0006_kea.sql.
CREATE INDEX mta_kea_identifier ON nmsp.mta (macaddr_send(mac));
CREATE INDEX mta_kea_address ON nmsp.mta ((address - '0.0.0.0'::inet)) WHERE address IS NOT NULL;
CREATE INDEX mta_kea_host ON nmsp.mta USING hash ((id * 32 + 7));
CREATE INDEX mta_kea_host_fixed ON nmsp.mta USING hash ((id * 32 + 15));
CREATE INDEX mta_kea_host6 ON nmsp.mta USING hash ((id * 32 + 23));
CREATE INDEX mta_kea_host_fixed6 ON nmsp.mta USING hash ((id * 32 + 31));
COMMENT ON TABLE nmsp.mta IS 'Telephone adapters (MTAs), inside of a modem or behind one. A row is all it takes: DHCP and TFTP follow within moments of the commit.';
COMMENT ON COLUMN nmsp.mta.id IS 'Key; the MTA''s host name is mta-<id>.';
COMMENT ON COLUMN nmsp.mta.mac IS 'Hardware address of the MTA (an embedded one has its own, beside that of its modem).';
COMMENT ON COLUMN nmsp.mta.modem_id IS 'The modem it is in or behind.';
COMMENT ON COLUMN nmsp.mta.embedded IS 'true: inside of the modem; false: a device of its own behind it.';
COMMENT ON COLUMN nmsp.mta.template_id IS 'Template of its file, one of device mta.';
COMMENT ON COLUMN nmsp.mta.dial_plan_id IS 'Its dial plan; null: that of its template.';
COMMENT ON COLUMN nmsp.mta.name IS 'Name for people; need not be unique.';
COMMENT ON COLUMN nmsp.mta.type IS 'sip or packetcable: how it signals.';
COMMENT ON COLUMN nmsp.mta.hash IS 'Hash in its file: none, na, eu or ietf; null: that of nmsp.voice_setting.';
COMMENT ON COLUMN nmsp.mta.provisioning IS 'Its PacketCable provisioning flow: basic.1, basic.2, hybrid.1, hybrid.2 or secure; null: that of nmsp.voice_setting.';
COMMENT ON COLUMN nmsp.mta.address IS 'Fixed IPv4 address (see nmsp.allocate_address); null: any from the mta pools of its CMTS.';
COMMENT ON COLUMN nmsp.mta.address6 IS 'Fixed IPv6 address.';
COMMENT ON COLUMN nmsp.mta.created_at IS 'When the row was made.';
COMMENT ON COLUMN nmsp.mta.description IS 'Free text.';

-- Modems, MTAs and endpoints draw from one space of hardware addresses: what is unique over three
-- tables is unique here, also for transactions that cannot see each other.
CREATE TABLE nmsp.device_mac (
    mac macaddr CONSTRAINT mac_is_of_another_device PRIMARY KEY
);
COMMENT ON TABLE nmsp.device_mac IS 'The hardware addresses of all modems, MTAs and endpoints; kept by triggers.';
COMMENT ON COLUMN nmsp.device_mac.mac IS 'The address.';

-- Codes of the telephone market, loaded from CSV; see the manual.
CREATE TABLE nmsp.carrier_code (
    code text PRIMARY KEY CONSTRAINT carrier_code_is_not_empty CHECK (code <> '' AND code = btrim(code)),
    name text NOT NULL
);
COMMENT ON TABLE nmsp.carrier_code IS 'Codes of carriers, as porting forms name them (in Germany D001 and so on). Loaded from CSV.';
COMMENT ON COLUMN nmsp.carrier_code.code IS 'The code.';
COMMENT ON COLUMN nmsp.carrier_code.name IS 'The company.';
CREATE TABLE nmsp.ekp_code (
    code text PRIMARY KEY CONSTRAINT ekp_code_is_not_empty CHECK (code <> '' AND code = btrim(code)),
    name text NOT NULL
);
COMMENT ON TABLE nmsp.ekp_code IS 'Codes of those who have the contract with the subscriber (EKP, German porting). Loaded from CSV.';
COMMENT ON COLUMN nmsp.ekp_code.code IS 'The code.';
COMMENT ON COLUMN nmsp.ekp_code.name IS 'The company.';
CREATE TABLE nmsp.trc_class (
    class       int PRIMARY KEY,
    description text NOT NULL
);
COMMENT ON TABLE nmsp.trc_class IS 'Toll restriction (call barring) classes of the voice platform. Loaded from CSV.';
COMMENT ON COLUMN nmsp.trc_class.class IS 'Number of the class.';
COMMENT ON COLUMN nmsp.trc_class.description IS 'What is barred.';

CREATE TABLE nmsp.phone_number (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number        nmsp.e164 NOT NULL,
    -- ITU-T E.164 assigns country codes so that their digits tell their length.
    country_code  text GENERATED ALWAYS AS (substring(number FROM
        '^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[7-9][0-9]|8[035789][0-9]|9[679][0-9])')) STORED,
    area_code     text CONSTRAINT phone_number_area_code_is_digits CHECK (area_code ~ '^[0-9]{1,8}$'),
    mta_id        bigint CONSTRAINT phone_number_needs_an_existing_mta REFERENCES nmsp.mta ON DELETE SET NULL,
    port          int CONSTRAINT phone_number_port_between_0_and_255 CHECK (port BETWEEN 0 AND 255),
    validity      tstzrange NOT NULL DEFAULT '[,)' CONSTRAINT phone_number_validity_is_not_empty CHECK (NOT isempty(validity)),
    active        boolean NOT NULL DEFAULT true,
    username      text CONSTRAINT phone_number_username_is_1_to_255_bytes CHECK (octet_length(username) BETWEEN 1 AND 255)
        CONSTRAINT phone_number_username_is_printable CHECK (username !~ '[[:cntrl:]]')
        -- templates put it between quotes
        CONSTRAINT phone_number_username_has_no_quotes CHECK (username !~ '["\\{}]'),
    sip_registrar text CONSTRAINT phone_number_sip_registrar_is_a_host CHECK (sip_registrar ~ '^[A-Za-z0-9.:_\[\]-]{1,255}$'),
    sip_domain    text CONSTRAINT phone_number_sip_domain_is_a_host CHECK (sip_domain ~ '^[A-Za-z0-9.:_\[\]-]{1,255}$'),
    trc_class     int CONSTRAINT phone_number_needs_an_existing_trc_class REFERENCES nmsp.trc_class,
    porting_in    text CONSTRAINT phone_number_porting_in_is_known CHECK (porting_in IN ('requested', 'confirmed', 'rejected')),
    carrier_in    text CONSTRAINT phone_number_needs_an_existing_carrier_in REFERENCES nmsp.carrier_code,
    ekp_in        text CONSTRAINT phone_number_needs_an_existing_ekp_in REFERENCES nmsp.ekp_code,
    porting_out   text CONSTRAINT phone_number_porting_out_is_known CHECK (porting_out IN ('requested', 'confirmed', 'rejected')),
    carrier_out   text CONSTRAINT phone_number_needs_an_existing_carrier_out REFERENCES nmsp.carrier_code,
    ekp_out       text CONSTRAINT phone_number_needs_an_existing_ekp_out REFERENCES nmsp.ekp_code,
    external_id   text,
    description   text,
    CONSTRAINT phone_number_is_in_two_places_at_once EXCLUDE USING gist (number WITH =, validity WITH &&),
    CONSTRAINT phone_number_shares_its_port EXCLUDE USING gist (mta_id WITH =, port WITH =, validity WITH &&),
    CONSTRAINT phone_number_on_an_mta_has_a_port CHECK (mta_id IS NULL OR port IS NOT NULL),
    CONSTRAINT phone_number_area_code_is_part_of_the_number CHECK (starts_with(number, '+' || country_code || area_code)),
    CONSTRAINT phone_number_ported_in_has_a_beginning CHECK (porting_in <> 'confirmed' OR NOT lower_inf(validity)),
    CONSTRAINT phone_number_ported_out_has_an_end CHECK (porting_out <> 'confirmed' OR NOT upper_inf(validity))
);
CREATE INDEX phone_number_mta_id ON nmsp.phone_number (mta_id, port);
CREATE INDEX phone_number_trc_class ON nmsp.phone_number (trc_class);
CREATE INDEX phone_number_carrier_in ON nmsp.phone_number (carrier_in);
CREATE INDEX phone_number_ekp_in ON nmsp.phone_number (ekp_in);
CREATE INDEX phone_number_carrier_out ON nmsp.phone_number (carrier_out);
CREATE INDEX phone_number_ekp_out ON nmsp.phone_number (ekp_out);
CREATE INDEX phone_number_begin ON nmsp.phone_number (lower(validity)) WHERE NOT lower_inf(validity);
CREATE INDEX phone_number_end ON nmsp.phone_number (upper(validity)) WHERE NOT upper_inf(validity);
COMMENT ON TABLE nmsp.phone_number IS 'Phone numbers on ports of MTAs, each with the time it is there. A number is never in two places at once, a port never has two numbers.';
COMMENT ON COLUMN nmsp.phone_number.id IS 'Key.';
COMMENT ON COLUMN nmsp.phone_number.number IS 'The number: +49372555001.';
COMMENT ON COLUMN nmsp.phone_number.country_code IS 'Country code of the number; computed.';
COMMENT ON COLUMN nmsp.phone_number.area_code IS 'The part behind the country code that is dialled with the trunk prefix from elsewhere, without that prefix: 372; null: not told apart.';
COMMENT ON COLUMN nmsp.phone_number.mta_id IS 'The MTA; null: on none (yet, or because its MTA was deleted).';
COMMENT ON COLUMN nmsp.phone_number.port IS 'Port of the MTA, as its templates count: 0 is the first one.';
COMMENT ON COLUMN nmsp.phone_number.validity IS 'When the number is there: from its activation to its deactivation (or porting out). Takes effect by itself.';
COMMENT ON COLUMN nmsp.phone_number.active IS 'false: suspended; the number stays in its place and its line is out of service.';
COMMENT ON COLUMN nmsp.phone_number.username IS 'SIP user name; the password is in nmsp.phone_number_secret.';
COMMENT ON COLUMN nmsp.phone_number.sip_registrar IS 'Its SIP registrar; null: that of nmsp.voice_setting.';
COMMENT ON COLUMN nmsp.phone_number.sip_domain IS 'Its SIP domain; null: that of nmsp.voice_setting.';
COMMENT ON COLUMN nmsp.phone_number.trc_class IS 'Toll restriction class.';
COMMENT ON COLUMN nmsp.phone_number.porting_in IS 'Porting from another carrier: null (a number of one''s own), requested, confirmed (for the beginning of validity) or rejected. Out of service until confirmed.';
COMMENT ON COLUMN nmsp.phone_number.carrier_in IS 'Carrier it comes from.';
COMMENT ON COLUMN nmsp.phone_number.ekp_in IS 'EKP it comes from.';
COMMENT ON COLUMN nmsp.phone_number.porting_out IS 'Porting to another carrier: null, requested, confirmed (for the end of validity) or rejected.';
COMMENT ON COLUMN nmsp.phone_number.carrier_out IS 'Carrier it goes to.';
COMMENT ON COLUMN nmsp.phone_number.ekp_out IS 'EKP it goes to.';
COMMENT ON COLUMN nmsp.phone_number.external_id IS 'What the carrier''s platform calls it.';
COMMENT ON COLUMN nmsp.phone_number.description IS 'Free text.';

CREATE TABLE nmsp.phone_number_secret (
    phone_number_id bigint PRIMARY KEY CONSTRAINT phone_number_secret_needs_an_existing_number REFERENCES nmsp.phone_number ON DELETE CASCADE,
    password        text NOT NULL CONSTRAINT phone_number_password_is_1_to_128_bytes CHECK (octet_length(password) BETWEEN 1 AND 128)
        CONSTRAINT phone_number_password_is_printable CHECK (password !~ '[[:cntrl:]]')
        CONSTRAINT phone_number_password_has_no_quotes CHECK (password !~ '["\\{}]')
);
COMMENT ON TABLE nmsp.phone_number_secret IS 'SIP passwords of phone numbers; readable only for administrators and the worker.';
COMMENT ON COLUMN nmsp.phone_number_secret.phone_number_id IS 'The number.';
COMMENT ON COLUMN nmsp.phone_number_secret.password IS 'The password, 1 to 128 bytes.';

CREATE TABLE nmsp.mta_download (
    mta_id   bigint PRIMARY KEY CONSTRAINT mta_download_needs_an_existing_mta REFERENCES nmsp.mta ON DELETE CASCADE,
    at       timestamptz NOT NULL,
    netgw_id bigint,
    source   inet NOT NULL,
    note     text,
    sha256   bytea NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE nmsp.mta_download IS 'The last complete download of each MTA''s file; written by nmsp.record_downloads.';
COMMENT ON COLUMN nmsp.mta_download.mta_id IS 'The MTA.';
COMMENT ON COLUMN nmsp.mta_download.at IS 'When it was asked for.';
COMMENT ON COLUMN nmsp.mta_download.netgw_id IS 'The gateway it came through; null: not known.';
COMMENT ON COLUMN nmsp.mta_download.source IS 'Address it went to.';
COMMENT ON COLUMN nmsp.mta_download.note IS 'As in nmsp.download.';
COMMENT ON COLUMN nmsp.mta_download.sha256 IS 'SHA-256 of the bytes sent.';

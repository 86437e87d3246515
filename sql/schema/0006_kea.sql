-- What Kea reads by SQL (sql/views/60_kea.sql). Everything is a view over the model except one
-- small table: Kea joins IPv6 reservations by host, and only stored rows have a key for that.

CREATE SCHEMA nmsp_kea;
COMMENT ON SCHEMA nmsp_kea IS 'The host database that Kea DHCPv4 and DHCPv6 read: views over the model, and the configuration made of it.';

CREATE TABLE nmsp_kea.ipv6_reservation (
    reservation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id        bigint NOT NULL,
    address        text NOT NULL,
    prefix_len     smallint NOT NULL,
    type           smallint NOT NULL CONSTRAINT ipv6_reservation_is_address_or_prefix CHECK (type IN (0, 2)),
    CONSTRAINT ipv6_reservation_once_per_host UNIQUE (type, host_id)
);
CREATE INDEX ipv6_reservation_host ON nmsp_kea.ipv6_reservation USING hash (host_id);
CREATE INDEX ipv6_reservation_address ON nmsp_kea.ipv6_reservation (address, prefix_len);
COMMENT ON TABLE nmsp_kea.ipv6_reservation IS 'Fixed IPv6 addresses and delegated prefixes of modems and endpoints, one row each; kept by triggers of nmsp.modem and nmsp.endpoint, mended by nmsp.migrate().';
COMMENT ON COLUMN nmsp_kea.ipv6_reservation.reservation_id IS 'Key.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservation.host_id IS 'The host of nmsp_kea.hosts.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservation.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservation.prefix_len IS '128, or the length of the prefix.';
COMMENT ON COLUMN nmsp_kea.ipv6_reservation.type IS '0 address, 2 delegated prefix.';

-- Each way by which Kea looks a host up has its index. Keys of hosts are made of the ids of modems
-- and endpoints: 8 * id + kind (see nmsp_kea.hosts). Their indexes are hash indexes, because Kea wants
-- hosts in the order of the key: a btree would tempt the planner to walk it for that.
CREATE INDEX modem_kea_identifier ON nmsp.modem (macaddr_send(mac));
CREATE INDEX modem_kea_cpe_identifier ON nmsp.modem (('\x43'::bytea || macaddr_send(mac)));
CREATE INDEX modem_kea_address ON nmsp.modem ((address - '0.0.0.0'::inet)) WHERE address IS NOT NULL;
CREATE INDEX modem_kea_host ON nmsp.modem USING hash ((id * 8));
CREATE INDEX modem_kea_host_fixed ON nmsp.modem USING hash ((id * 8 + 1));
CREATE INDEX modem_kea_host_fixed6 ON nmsp.modem USING hash ((id * 8 + 3));
CREATE INDEX modem_kea_host6 ON nmsp.modem USING hash ((id * 8 + 6));
CREATE INDEX modem_kea_host_cpe ON nmsp.modem USING hash ((id * 8 + 2));
CREATE INDEX endpoint_kea_identifier ON nmsp.endpoint (macaddr_send(mac));
CREATE INDEX endpoint_kea_address ON nmsp.endpoint ((address - '0.0.0.0'::inet)) WHERE address IS NOT NULL;
CREATE INDEX endpoint_kea_host ON nmsp.endpoint USING hash ((id * 8 + 4));
CREATE INDEX endpoint_kea_host6 ON nmsp.endpoint USING hash ((id * 8 + 5));

ALTER TABLE nmsp.setting ADD COLUMN provisioning_server6 inet
    CONSTRAINT setting_provisioning_server6_is_an_ipv6_host CHECK (family(provisioning_server6) = 6 AND masklen(provisioning_server6) = 128);
COMMENT ON COLUMN nmsp.setting.provisioning_server6 IS 'Address that DHCPv6 announces to modems as TFTP and time server (CableLabs options 32 and 37); null: none.';

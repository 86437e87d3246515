-- Leases as DHCP servers have given them, told by nmsp-agent from their lease files: the present one
-- of each address, and who had it before.

ALTER TABLE nmsp.setting ADD COLUMN lease_retention interval NOT NULL DEFAULT '180 days'
    CONSTRAINT setting_lease_retention_is_a_day_or_more CHECK (lease_retention >= '1 day'::interval);
COMMENT ON COLUMN nmsp.setting.lease_retention IS 'How long it is kept who had which address (nmsp.who_had).';
ALTER TABLE nmsp.netgw ADD COLUMN lease_policy text NOT NULL DEFAULT 'notice'
    CONSTRAINT netgw_lease_policy_is_known CHECK (lease_policy IN ('notice', 'ignore'));
COMMENT ON COLUMN nmsp.netgw.lease_policy IS 'What becomes of odd leases behind it: notice: nmsp.lease_anomaly shows them; ignore: it does not.';

CREATE TABLE nmsp.lease (
    address       inet NOT NULL,
    prefix_length int NOT NULL CONSTRAINT lease_prefix_length_fits CHECK (prefix_length BETWEEN 1 AND 128),
    mac           macaddr,
    client_id     bytea,
    hostname      text,
    remote_id     text,
    kind          text NOT NULL CONSTRAINT lease_kind_is_known CHECK (kind IN ('cm', 'mta', 'cpe', 'unknown')),
    modem_id      bigint,
    pool_id       bigint,
    netgw_id      bigint,
    state         text NOT NULL CONSTRAINT lease_state_is_known CHECK (state IN ('active', 'released', 'expired', 'declined')),
    since         timestamptz NOT NULL,
    starts        timestamptz NOT NULL,
    ends          timestamptz NOT NULL,
    daemon        text NOT NULL,
    agent         text NOT NULL,
    told_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lease_is_there_already PRIMARY KEY (address, prefix_length)
) WITH (fillfactor = 70);
CREATE INDEX lease_modem_id ON nmsp.lease (modem_id);
CREATE INDEX lease_mac ON nmsp.lease (mac);
CREATE INDEX lease_pool_id ON nmsp.lease (pool_id);
COMMENT ON TABLE nmsp.lease IS 'The last lease of each address or delegated prefix. In force: state active and ends in the future (nmsp.active_lease).';
COMMENT ON COLUMN nmsp.lease.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp.lease.prefix_length IS '32, 128, or that of a delegated prefix.';
COMMENT ON COLUMN nmsp.lease.mac IS 'Hardware address of the client; null: not told (DHCPv6).';
COMMENT ON COLUMN nmsp.lease.client_id IS 'Client identifier (option 61) or DUID.';
COMMENT ON COLUMN nmsp.lease.hostname IS 'The name the client said.';
COMMENT ON COLUMN nmsp.lease.remote_id IS 'Remote-id of the relay (option 82, option 37) in hex: the modem it is behind.';
COMMENT ON COLUMN nmsp.lease.kind IS 'cm (a modem of ours), mta, cpe (behind a modem of ours), unknown.';
COMMENT ON COLUMN nmsp.lease.modem_id IS 'The modem, or that the client is behind.';
COMMENT ON COLUMN nmsp.lease.pool_id IS 'The pool whose network holds the address.';
COMMENT ON COLUMN nmsp.lease.netgw_id IS 'The gateway of that pool.';
COMMENT ON COLUMN nmsp.lease.state IS 'active, released, expired or declined, as the server said.';
COMMENT ON COLUMN nmsp.lease.since IS 'Since when the client has had it without a gap.';
COMMENT ON COLUMN nmsp.lease.starts IS 'When it was given or renewed last.';
COMMENT ON COLUMN nmsp.lease.ends IS 'When it ends, or ended.';
COMMENT ON COLUMN nmsp.lease.daemon IS 'kea4, kea6 or dhcpd.';
COMMENT ON COLUMN nmsp.lease.agent IS 'Name of the agent that told it.';
COMMENT ON COLUMN nmsp.lease.told_at IS 'When it told it.';

CREATE TABLE nmsp.lease_history (
    address       inet NOT NULL,
    prefix_length int NOT NULL,
    mac           macaddr,
    client_id     bytea,
    hostname      text,
    remote_id     text,
    kind          text NOT NULL,
    modem_id      bigint,
    netgw_id      bigint,
    since         timestamptz NOT NULL,
    until         timestamptz NOT NULL
) PARTITION BY RANGE (until);
CREATE INDEX lease_history_address ON nmsp.lease_history (address, until);
CREATE INDEX lease_history_modem_id ON nmsp.lease_history (modem_id, until);
COMMENT ON TABLE nmsp.lease_history IS 'Who had an address before. Partitioned by week; nmsp.keep_leases() makes and drops partitions.';
COMMENT ON COLUMN nmsp.lease_history.address IS 'The address, or the first one of the prefix.';
COMMENT ON COLUMN nmsp.lease_history.prefix_length IS '32, 128, or that of a delegated prefix.';
COMMENT ON COLUMN nmsp.lease_history.mac IS 'Hardware address of the client.';
COMMENT ON COLUMN nmsp.lease_history.client_id IS 'Client identifier or DUID.';
COMMENT ON COLUMN nmsp.lease_history.hostname IS 'The name the client said.';
COMMENT ON COLUMN nmsp.lease_history.remote_id IS 'Remote-id of the relay in hex.';
COMMENT ON COLUMN nmsp.lease_history.kind IS 'cm, mta, cpe or unknown.';
COMMENT ON COLUMN nmsp.lease_history.modem_id IS 'The modem, or that the client was behind.';
COMMENT ON COLUMN nmsp.lease_history.netgw_id IS 'The gateway.';
COMMENT ON COLUMN nmsp.lease_history.since IS 'From when,';
COMMENT ON COLUMN nmsp.lease_history.until IS 'to when the client had it.';
CREATE TABLE nmsp.lease_history_other (LIKE nmsp.lease_history INCLUDING COMMENTS);
COMMENT ON TABLE nmsp.lease_history_other IS 'Partition of nmsp.lease_history: what no week was made for.';
ALTER TABLE nmsp.lease_history ATTACH PARTITION nmsp.lease_history_other DEFAULT;

CREATE TABLE nmsp.pool_sample (
    pool_id bigint NOT NULL CONSTRAINT pool_sample_needs_an_existing_pool REFERENCES nmsp.pool ON DELETE CASCADE,
    at      timestamptz NOT NULL,
    used    bigint NOT NULL,
    size    numeric NOT NULL,
    CONSTRAINT pool_sample_is_there_already PRIMARY KEY (pool_id, at)
);
COMMENT ON TABLE nmsp.pool_sample IS 'How many addresses of a pool''s range were in use, each hour for 30 days; for nmsp.pool_usage''s forecast.';
COMMENT ON COLUMN nmsp.pool_sample.pool_id IS 'The pool.';
COMMENT ON COLUMN nmsp.pool_sample.at IS 'The hour.';
COMMENT ON COLUMN nmsp.pool_sample.used IS 'Addresses in use.';
COMMENT ON COLUMN nmsp.pool_sample.size IS 'Addresses of its range.';

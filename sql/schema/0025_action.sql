-- Actions: what is done to devices from outside (reset a modem, end a session), as a queue.

ALTER TABLE nmsp.setting
    ADD COLUMN action_rate int NOT NULL DEFAULT 60 CONSTRAINT setting_action_rate_is_positive CHECK (action_rate > 0),
    ADD COLUMN reset_changed boolean NOT NULL DEFAULT false,
    ADD COLUMN action_retention interval NOT NULL DEFAULT '90 days' CONSTRAINT setting_action_retention_is_a_day_or_more CHECK (action_retention >= '1 day'::interval);
COMMENT ON COLUMN nmsp.setting.action_rate IS 'Actions per minute and access gateway, unless nmsp.netgw.action_rate says otherwise.';
COMMENT ON COLUMN nmsp.setting.reset_changed IS 'true: a modem whose configfile is another one now than the one it has is reset by itself, unless nmsp.netgw.reset_changed says otherwise.';
COMMENT ON COLUMN nmsp.setting.action_retention IS 'How long nmsp.action keeps finished rows.';

ALTER TABLE nmsp.netgw
    ADD COLUMN reset_by text CONSTRAINT netgw_reset_by_is_known CHECK (reset_by IN ('cmts', 'modem')),
    ADD COLUMN reset_changed boolean,
    ADD COLUMN action_rate int CONSTRAINT netgw_action_rate_is_positive CHECK (action_rate > 0);
COMMENT ON COLUMN nmsp.netgw.reset_by IS 'How its modems are reset: cmts (the CMTS is told), modem (docsDevResetNow of the modem); null: cmts where nmsp.reset_method knows its vendor and it has an address and a community, else modem.';
COMMENT ON COLUMN nmsp.netgw.reset_changed IS 'Whether modems whose configfile has changed are reset by themselves; null: as nmsp.setting says.';
COMMENT ON COLUMN nmsp.netgw.action_rate IS 'Actions per minute; null: as nmsp.setting says.';

ALTER TABLE nmsp.netgw_secret
    ADD COLUMN snmp_write_community text
        CONSTRAINT netgw_snmp_write_community_is_1_to_64_plain_characters CHECK (snmp_write_community ~ '^[!-~]{1,64}$'),
    DROP CONSTRAINT netgw_secret_has_one,
    ADD CONSTRAINT netgw_secret_has_one CHECK (shared_secret IS NOT NULL OR radius_secret IS NOT NULL OR snmp_write_community IS NOT NULL);
COMMENT ON COLUMN nmsp.netgw_secret.snmp_write_community IS 'SNMP community for writing on the gateway: modems are reset with it.';

CREATE TABLE nmsp.reset_method (
    vendor text PRIMARY KEY CONSTRAINT reset_method_vendor_is_lower_case CHECK (vendor = lower(vendor) AND vendor <> ''),
    oid    text NOT NULL CONSTRAINT reset_method_oid_is_numeric CHECK (replace(oid, '{mac}', '1') ~ '^1(\.[0-9]+)+$'),
    type   text NOT NULL CONSTRAINT reset_method_type_is_known CHECK (type IN ('i', 'u', 's', 'x', 'a')),
    value  text NOT NULL CONSTRAINT reset_method_value_is_plain CHECK (value ~ '^[{}A-Za-z0-9.]+$')
);
COMMENT ON TABLE nmsp.reset_method IS 'How CMTSs reset a modem: the object that is set. Yours to edit.';
COMMENT ON COLUMN nmsp.reset_method.vendor IS 'Beginning of nmsp.netgw.vendor in lower case; the longest counts.';
COMMENT ON COLUMN nmsp.reset_method.oid IS 'Object; {mac} = the six bytes of the modem''s address as numbers.';
COMMENT ON COLUMN nmsp.reset_method.type IS 'Type as snmpset writes it: i, u, s, x or a.';
COMMENT ON COLUMN nmsp.reset_method.value IS 'Value; {hex} = the modem''s address as 12 hex digits.';
INSERT INTO nmsp.reset_method VALUES
    ('cisco', '1.3.6.1.4.1.9.9.116.1.3.1.1.9.{mac}', 'i', '1'),
    ('casa', '1.3.6.1.4.1.20858.10.12.1.3.1.7.{mac}', 'i', '1'),
    ('motorola', '1.3.6.1.4.1.4981.2.2.2.0', 'x', '{hex}');

CREATE TABLE nmsp.action (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CONSTRAINT action_kind_is_known CHECK (kind IN ('reset_modem', 'disconnect_session')),
    modem_id     bigint,
    mac          macaddr,
    username     text,
    session_key  text,
    netgw_id     bigint,
    reason       text,
    requested_by text NOT NULL DEFAULT session_user,
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '1 day',
    state        text NOT NULL DEFAULT 'waiting' CONSTRAINT action_state_is_known
        CHECK (state IN ('waiting', 'running', 'done', 'failed', 'unknown', 'cancelled', 'expired')),
    method       text CONSTRAINT action_method_is_known CHECK (method IN ('cmts', 'modem', 'radius')),
    address      inet,
    agent        text,
    claimed_at   timestamptz,
    finished_at  timestamptz,
    latency_ms   real,
    message      text,
    CONSTRAINT action_has_a_subject CHECK (CASE kind WHEN 'reset_modem' THEN modem_id IS NOT NULL AND mac IS NOT NULL ELSE session_key IS NOT NULL AND username IS NOT NULL END)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX action_reset_waits_already ON nmsp.action (modem_id) WHERE kind = 'reset_modem' AND state = 'waiting';
CREATE UNIQUE INDEX action_disconnect_waits_already ON nmsp.action (session_key) WHERE kind = 'disconnect_session' AND state = 'waiting';
CREATE INDEX action_open ON nmsp.action (state, id) WHERE state IN ('waiting', 'running');
CREATE INDEX action_claimed_at ON nmsp.action (claimed_at, netgw_id);
CREATE INDEX action_modem_id ON nmsp.action (modem_id, id);
COMMENT ON TABLE nmsp.action IS 'What is done to devices, with its result: nmsp.request_reset and nmsp.request_disconnect make rows, nmsp-agent -a does them, each at most once. History: rows stay when the modem goes.';
COMMENT ON COLUMN nmsp.action.id IS 'Key.';
COMMENT ON COLUMN nmsp.action.kind IS 'reset_modem or disconnect_session.';
COMMENT ON COLUMN nmsp.action.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.action.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.action.username IS 'User-Name of the session.';
COMMENT ON COLUMN nmsp.action.session_key IS 'The session: Acct-Unique-Id of nmsp_radius.session.';
COMMENT ON COLUMN nmsp.action.netgw_id IS 'The gateway it goes through, whose limit it counts for.';
COMMENT ON COLUMN nmsp.action.reason IS 'Why.';
COMMENT ON COLUMN nmsp.action.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN nmsp.action.requested_at IS 'When.';
COMMENT ON COLUMN nmsp.action.expires_at IS 'After that it is not done any more.';
COMMENT ON COLUMN nmsp.action.state IS
'waiting; running; done; failed; unknown (its agent died amid it: whether it took place is not known, and it is not repeated); cancelled; expired.';
COMMENT ON COLUMN nmsp.action.method IS 'cmts (SNMP to the CMTS), modem (SNMP to the modem) or radius (Disconnect-Request).';
COMMENT ON COLUMN nmsp.action.address IS 'Address it was sent to.';
COMMENT ON COLUMN nmsp.action.agent IS 'Name of the agent that did it.';
COMMENT ON COLUMN nmsp.action.claimed_at IS 'When the agent took it.';
COMMENT ON COLUMN nmsp.action.finished_at IS 'When its result was there.';
COMMENT ON COLUMN nmsp.action.latency_ms IS 'Milliseconds from the agent''s start of it to the answer.';
COMMENT ON COLUMN nmsp.action.message IS 'What the device or the program said.';

CREATE TABLE nmsp.reset_walk (
    id       boolean PRIMARY KEY DEFAULT true CONSTRAINT reset_walk_has_exactly_one_row CHECK (id),
    after_id bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE nmsp.reset_walk IS 'How far nmsp.reset_changed_modems is; always exactly one row.';
COMMENT ON COLUMN nmsp.reset_walk.id IS 'Always true.';
COMMENT ON COLUMN nmsp.reset_walk.after_id IS 'The last modem it has looked at.';
INSERT INTO nmsp.reset_walk DEFAULT VALUES;

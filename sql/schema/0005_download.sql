-- Downloads: what the download service (nmsp-agent) is told, and what it tells.

ALTER TABLE nmsp.setting
    ADD COLUMN download_check text NOT NULL DEFAULT 'known'
        CONSTRAINT setting_download_check_is_known CHECK (download_check IN ('off', 'known', 'strict')),
    ADD COLUMN download_origin boolean NOT NULL DEFAULT false,
    ADD COLUMN download_once interval
        CONSTRAINT setting_download_once_is_positive CHECK (download_once > '0'::interval),
    ADD COLUMN download_retention interval NOT NULL DEFAULT '180 days'
        CONSTRAINT setting_download_retention_is_a_day_or_more CHECK (download_retention >= '1 day'::interval);
COMMENT ON COLUMN nmsp.setting.download_check IS
'Who may download a modem''s file: off = everybody; known = nobody who is known to be somebody else (another modem''s fixed address, an address of a CPE or MTA pool); strict = only the modem''s fixed address or a dynamic one of a cm pool.';
COMMENT ON COLUMN nmsp.setting.download_origin IS
'true: files get the time of sending (TLV 19) and the modem''s address (TLV 20, or 59 for IPv6), which the CMTS compares. CMTSs need the right time.';
COMMENT ON COLUMN nmsp.setting.download_once IS
'For so long after a complete download the same file is not served again; null: always served.';
COMMENT ON COLUMN nmsp.setting.download_retention IS 'How long nmsp.download keeps its rows; whole partitions are dropped.';

ALTER TABLE nmsp.setting_secret
    ADD COLUMN download_key text
        CONSTRAINT setting_secret_download_key_is_16_characters_or_more CHECK (length(download_key) >= 16);
COMMENT ON COLUMN nmsp.setting_secret.download_key IS
'Makes the names of configfiles unguessable (cm/cm-<id>-<16 hex digits>.cfg); null: cm/cm-<id>.cfg.';

CREATE TABLE nmsp.download (
    at          timestamptz NOT NULL,
    agent       text NOT NULL,
    source      inet NOT NULL,
    path        text NOT NULL,
    result      text NOT NULL CONSTRAINT download_result_is_known
        CHECK (result IN ('served', 'unconfirmed', 'broken off', 'unknown', 'refused', 'failed')),
    modem_id    bigint,
    netgw_id    bigint,
    note        text,
    bytes       int,
    duration_ms real,
    sha256      bytea,
    config_sha256 bytea
) PARTITION BY RANGE (at);
CREATE INDEX download_modem_id ON nmsp.download (modem_id, at);
COMMENT ON TABLE nmsp.download IS
'Every download the service was asked for. Partitioned by week; nmsp.keep_downloads() makes and drops partitions.';
COMMENT ON COLUMN nmsp.download.at IS 'When the request came.';
COMMENT ON COLUMN nmsp.download.agent IS 'Name of the agent that was asked.';
COMMENT ON COLUMN nmsp.download.source IS 'Address it came from.';
COMMENT ON COLUMN nmsp.download.path IS 'Name that was asked for; other than printable ASCII as ?.';
COMMENT ON COLUMN nmsp.download.result IS
'served; unconfirmed (all was sent, the last acknowledgement is missing); broken off (by the client or by silence); unknown (no such file); refused; failed (the file cannot be made).';
COMMENT ON COLUMN nmsp.download.modem_id IS 'The modem whose file it is; null: of none.';
COMMENT ON COLUMN nmsp.download.netgw_id IS 'The gateway it came through, whose secret the file is sealed with; null: not known.';
COMMENT ON COLUMN nmsp.download.note IS 'Why it was refused or failed; what is odd about a served one: unknown source, seen elsewhere.';
COMMENT ON COLUMN nmsp.download.bytes IS 'Size of the file.';
COMMENT ON COLUMN nmsp.download.duration_ms IS 'Milliseconds from the request to the end.';
COMMENT ON COLUMN nmsp.download.sha256 IS 'SHA-256 of the bytes sent.';
COMMENT ON COLUMN nmsp.download.config_sha256 IS 'SHA-256 of the file without what is added at download (TLVs 19, 20, 59).';

CREATE TABLE nmsp.download_other (LIKE nmsp.download INCLUDING CONSTRAINTS INCLUDING COMMENTS);
COMMENT ON TABLE nmsp.download_other IS 'Partition for times that have none of their own; normally empty.';
ALTER TABLE nmsp.download ATTACH PARTITION nmsp.download_other DEFAULT;

CREATE TABLE nmsp.modem_download (
    modem_id      bigint PRIMARY KEY
        CONSTRAINT modem_download_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    at            timestamptz NOT NULL,
    netgw_id      bigint,
    source        inet NOT NULL,
    note          text,
    sha256        bytea NOT NULL,
    config_sha256 bytea NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE nmsp.modem_download IS 'The last complete download of each modem''s file; written by nmsp.record_downloads.';
COMMENT ON COLUMN nmsp.modem_download.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_download.at IS 'When it was asked for.';
COMMENT ON COLUMN nmsp.modem_download.netgw_id IS 'The gateway it came through; null: not known.';
COMMENT ON COLUMN nmsp.modem_download.source IS 'Address it went to.';
COMMENT ON COLUMN nmsp.modem_download.note IS 'As in nmsp.download.';
COMMENT ON COLUMN nmsp.modem_download.sha256 IS 'SHA-256 of the bytes sent.';
COMMENT ON COLUMN nmsp.modem_download.config_sha256 IS 'SHA-256 of the file without what is added at download.';

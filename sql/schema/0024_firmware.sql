-- Firmware of modems: images, what each modem runs, which image it should run, and campaigns.

ALTER TABLE nmsp.setting
    ADD COLUMN firmware_server inet
        CONSTRAINT setting_firmware_server_is_a_host CHECK (masklen(firmware_server) = CASE family(firmware_server) WHEN 4 THEN 32 ELSE 128 END);
COMMENT ON COLUMN nmsp.setting.firmware_server IS 'Address modems are told to load images from (TLV 21 or 58); null: the provisioning server.';

CREATE TABLE nmsp.firmware_image (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor        text NOT NULL CONSTRAINT firmware_image_vendor_is_not_empty CHECK (vendor <> ''),
    model         text[] NOT NULL CONSTRAINT firmware_image_has_a_model CHECK (cardinality(model) > 0 AND NOT '' = ANY (model) AND array_position(model, NULL) IS NULL),
    hardware      text[] NOT NULL DEFAULT '{}',
    version       text NOT NULL CONSTRAINT firmware_image_version_is_not_empty CHECK (version <> ''),
    file_name     text NOT NULL CONSTRAINT firmware_image_file_name_is_already_used UNIQUE
        CONSTRAINT firmware_image_file_name_has_no_path CHECK (file_name !~ '/')
        CONSTRAINT firmware_image_file_name_is_1_to_61_plain_characters CHECK (file_name ~ '^[A-Za-z0-9][A-Za-z0-9._+-]{0,60}$'),
    size          bigint NOT NULL CONSTRAINT firmware_image_size_is_1_byte_to_2_gigabytes CHECK (size BETWEEN 1 AND 2147483647),
    sha256        bytea NOT NULL CONSTRAINT firmware_image_sha256_is_32_bytes CHECK (octet_length(sha256) = 32),
    unsigned      boolean NOT NULL DEFAULT false,
    cvc           bytea,
    cvc_chain     boolean NOT NULL DEFAULT false,
    cvc_subject   text,
    cvc_valid_from  timestamptz,
    cvc_valid_until timestamptz,
    cosigner_cvc  bytea,
    cosigner_subject text,
    cosigner_valid_until timestamptz,
    registered_at timestamptz NOT NULL DEFAULT now(),
    description   text,
    CONSTRAINT firmware_image_needs_a_cvc CHECK (unsigned OR cvc IS NOT NULL)
);
COMMENT ON TABLE nmsp.firmware_image IS 'Firmware images that modems can be told to load; nmsp.register_firmware makes the rows. The files lie below the folder fw of the download service''s download_folder.';
COMMENT ON COLUMN nmsp.firmware_image.id IS 'Key.';
COMMENT ON COLUMN nmsp.firmware_image.vendor IS 'Vendor, as modems report it; case does not count.';
COMMENT ON COLUMN nmsp.firmware_image.model IS 'Models that it is for, as modems report them; case does not count.';
COMMENT ON COLUMN nmsp.firmware_image.hardware IS 'Hardware revisions that it is for; empty: all.';
COMMENT ON COLUMN nmsp.firmware_image.version IS 'Version that a modem reports when it runs it.';
COMMENT ON COLUMN nmsp.firmware_image.file_name IS 'Name of the file, without a path; modems ask for fw/<name>, which must fit docsDevSwFilename (64 characters).';
COMMENT ON COLUMN nmsp.firmware_image.size IS 'Bytes of the file; the download service refuses a file of another size.';
COMMENT ON COLUMN nmsp.firmware_image.sha256 IS 'SHA-256 of the file.';
COMMENT ON COLUMN nmsp.firmware_image.unsigned IS 'true: the image has no signature; modems take such ones only where secure software download is off.';
COMMENT ON COLUMN nmsp.firmware_image.cvc IS 'Code verification certificate of the manufacturer as modems get it: DER of the certificate (TLV 32), or of the chain (TLV 81).';
COMMENT ON COLUMN nmsp.firmware_image.cvc_chain IS 'true: cvc and cosigner_cvc are chains (DOCSIS 3.1 certificates), TLVs 81 and 82; false: TLVs 32 and 33.';
COMMENT ON COLUMN nmsp.firmware_image.cvc_subject IS 'Subject of the manufacturer''s certificate.';
COMMENT ON COLUMN nmsp.firmware_image.cvc_valid_from IS 'Begin of its validity.';
COMMENT ON COLUMN nmsp.firmware_image.cvc_valid_until IS 'End of its validity.';
COMMENT ON COLUMN nmsp.firmware_image.cosigner_cvc IS 'The same of the co-signer; null: there is none.';
COMMENT ON COLUMN nmsp.firmware_image.cosigner_subject IS 'Subject of the co-signer''s certificate.';
COMMENT ON COLUMN nmsp.firmware_image.cosigner_valid_until IS 'End of its validity.';
COMMENT ON COLUMN nmsp.firmware_image.registered_at IS 'When it was registered.';
COMMENT ON COLUMN nmsp.firmware_image.description IS 'Free text.';

CREATE TABLE nmsp.modem_version (
    modem_id    bigint PRIMARY KEY CONSTRAINT modem_version_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    version     text NOT NULL,
    vendor      text,
    model       text,
    hardware    text,
    reported_at timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    previous    text,
    problem     text
) WITH (fillfactor = 70);
CREATE INDEX modem_version_version ON nmsp.modem_version (version);
COMMENT ON TABLE nmsp.modem_version IS 'What each modem reported last of its firmware; written by nmsp.report_version and nmsp.report_versions.';
COMMENT ON COLUMN nmsp.modem_version.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_version.version IS 'Software version (docsDevSwCurrentVers, option 43 sub-option 6).';
COMMENT ON COLUMN nmsp.modem_version.vendor IS 'Vendor (sysDescr VENDOR, option 43 sub-option 10); null: never reported.';
COMMENT ON COLUMN nmsp.modem_version.model IS 'Model (sysDescr MODEL, option 43 sub-option 9).';
COMMENT ON COLUMN nmsp.modem_version.hardware IS 'Hardware revision (sysDescr HW_REV, option 43 sub-option 5).';
COMMENT ON COLUMN nmsp.modem_version.reported_at IS 'When it was last reported.';
COMMENT ON COLUMN nmsp.modem_version.changed_at IS 'Since when it has this version.';
COMMENT ON COLUMN nmsp.modem_version.previous IS 'The version before.';
COMMENT ON COLUMN nmsp.modem_version.problem IS 'What went wrong with its last upgrade, in the reporter''s words; null: nothing.';

CREATE TABLE nmsp.firmware_rule (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rank             int NOT NULL DEFAULT 100,
    image_id         bigint NOT NULL CONSTRAINT firmware_rule_needs_an_existing_image REFERENCES nmsp.firmware_image,
    netgw_id         bigint CONSTRAINT firmware_rule_needs_an_existing_netgw REFERENCES nmsp.netgw,
    template_id      bigint CONSTRAINT firmware_rule_needs_an_existing_template REFERENCES nmsp.template,
    service_class_id bigint CONSTRAINT firmware_rule_needs_an_existing_service_class REFERENCES nmsp.service_class,
    modem_id         bigint CONSTRAINT firmware_rule_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    at_boot          boolean NOT NULL DEFAULT false,
    active           boolean NOT NULL DEFAULT true,
    description      text
);
CREATE INDEX firmware_rule_image_id ON nmsp.firmware_rule (image_id);
CREATE INDEX firmware_rule_netgw_id ON nmsp.firmware_rule (netgw_id);
CREATE INDEX firmware_rule_template_id ON nmsp.firmware_rule (template_id);
CREATE INDEX firmware_rule_service_class_id ON nmsp.firmware_rule (service_class_id);
CREATE INDEX firmware_rule_modem_id ON nmsp.firmware_rule (modem_id);
COMMENT ON TABLE nmsp.firmware_rule IS 'Which image modems should run. Of the rules that match a modem and whose image is for its vendor, model and hardware, the one of the lowest rank counts (then the older one).';
COMMENT ON COLUMN nmsp.firmware_rule.id IS 'Key.';
COMMENT ON COLUMN nmsp.firmware_rule.rank IS 'Lower ranks count first.';
COMMENT ON COLUMN nmsp.firmware_rule.image_id IS 'The image.';
COMMENT ON COLUMN nmsp.firmware_rule.netgw_id IS 'Only modems of this access gateway; null: of any.';
COMMENT ON COLUMN nmsp.firmware_rule.template_id IS 'Only modems with this template; null: with any.';
COMMENT ON COLUMN nmsp.firmware_rule.service_class_id IS 'Only modems with this service class; null: with any.';
COMMENT ON COLUMN nmsp.firmware_rule.modem_id IS 'Only this modem; null: any.';
COMMENT ON COLUMN nmsp.firmware_rule.at_boot IS 'true: every modem it counts for is told in its configfile at once and loads the image when it next boots; false: a campaign tells them.';
COMMENT ON COLUMN nmsp.firmware_rule.active IS 'false: counts for nobody.';
COMMENT ON COLUMN nmsp.firmware_rule.description IS 'Free text.';

CREATE TABLE nmsp.firmware_release (
    modem_id    bigint PRIMARY KEY CONSTRAINT firmware_release_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    image_id    bigint NOT NULL CONSTRAINT firmware_release_needs_an_existing_image REFERENCES nmsp.firmware_image,
    released_at timestamptz NOT NULL
);
CREATE INDEX firmware_release_image_id ON nmsp.firmware_release (image_id);
COMMENT ON TABLE nmsp.firmware_release IS 'The modems whose configfiles name an image, and which. Kept by rules and campaigns.';
COMMENT ON COLUMN nmsp.firmware_release.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.firmware_release.image_id IS 'The image.';
COMMENT ON COLUMN nmsp.firmware_release.released_at IS 'Since when.';

CREATE TABLE nmsp.firmware_campaign (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CONSTRAINT firmware_campaign_name_is_already_used UNIQUE
        CONSTRAINT firmware_campaign_name_is_not_empty CHECK (name <> ''),
    rule_id       bigint CONSTRAINT firmware_campaign_needs_an_existing_rule REFERENCES nmsp.firmware_rule ON DELETE SET NULL,
    image_id      bigint CONSTRAINT firmware_campaign_needs_an_existing_image REFERENCES nmsp.firmware_image,
    batch_size    int NOT NULL DEFAULT 100 CONSTRAINT firmware_campaign_batch_size_is_positive CHECK (batch_size > 0),
    window_start  time,
    window_end    time,
    canary_share  numeric NOT NULL DEFAULT 0.01 CONSTRAINT firmware_campaign_canary_share_between_0_and_1 CHECK (canary_share BETWEEN 0 AND 1),
    canary_wait   interval NOT NULL DEFAULT '1 day' CONSTRAINT firmware_campaign_canary_wait_is_not_negative CHECK (canary_wait >= '0'::interval),
    patience      interval NOT NULL DEFAULT '2 h' CONSTRAINT firmware_campaign_patience_is_positive CHECK (patience > '0'::interval),
    abort_share   numeric NOT NULL DEFAULT 0.05 CONSTRAINT firmware_campaign_abort_share_between_0_and_1 CHECK (abort_share BETWEEN 0 AND 1),
    abort_minimum int NOT NULL DEFAULT 20 CONSTRAINT firmware_campaign_abort_minimum_is_positive CHECK (abort_minimum > 0),
    reset_modem   boolean NOT NULL DEFAULT false,
    state         text NOT NULL DEFAULT 'draft' CONSTRAINT firmware_campaign_state_is_known
        CHECK (state IN ('draft', 'canary', 'running', 'paused', 'aborted', 'done')),
    reason        text,
    started_at    timestamptz,
    counted_from  timestamptz,
    canary_passed boolean NOT NULL DEFAULT false,
    finished_at   timestamptz,
    description   text,
    CONSTRAINT firmware_campaign_window_has_start_and_end CHECK ((window_start IS NULL) = (window_end IS NULL)),
    CONSTRAINT firmware_campaign_window_is_not_empty CHECK (window_start <> window_end),
    CONSTRAINT firmware_campaign_started_has_an_image CHECK (state = 'draft' OR (image_id IS NOT NULL AND started_at IS NOT NULL))
);
CREATE INDEX firmware_campaign_rule_id ON nmsp.firmware_campaign (rule_id);
CREATE INDEX firmware_campaign_image_id ON nmsp.firmware_campaign (image_id);
COMMENT ON TABLE nmsp.firmware_campaign IS 'Campaigns: the modems of a rule get its image in batches. nmsp.start_campaign begins one, nmsp.advance_campaigns takes all a step further.';
COMMENT ON COLUMN nmsp.firmware_campaign.id IS 'Key.';
COMMENT ON COLUMN nmsp.firmware_campaign.name IS 'Name.';
COMMENT ON COLUMN nmsp.firmware_campaign.rule_id IS 'The rule whose modems are upgraded; null: it is gone.';
COMMENT ON COLUMN nmsp.firmware_campaign.image_id IS 'The rule''s image when the campaign began; null: it has not begun.';
COMMENT ON COLUMN nmsp.firmware_campaign.batch_size IS 'So many modems at most are under way at once.';
COMMENT ON COLUMN nmsp.firmware_campaign.window_start IS 'Time of day, in nmsp.setting.time_zone, from which modems are released; null: always.';
COMMENT ON COLUMN nmsp.firmware_campaign.window_end IS 'Time of day until which modems are released; it may lie behind midnight.';
COMMENT ON COLUMN nmsp.firmware_campaign.canary_share IS 'Share of the modems that go first; 0: none.';
COMMENT ON COLUMN nmsp.firmware_campaign.canary_wait IS 'For so long after the last canary is done the others wait.';
COMMENT ON COLUMN nmsp.firmware_campaign.patience IS 'A modem that was released this long ago and does not run the image has failed, or was absent when nothing was heard of it.';
COMMENT ON COLUMN nmsp.firmware_campaign.abort_share IS 'When the share of failures is greater, the campaign aborts.';
COMMENT ON COLUMN nmsp.firmware_campaign.abort_minimum IS 'It takes as many finished modems before a share counts (of canaries: all of them, if they are fewer).';
COMMENT ON COLUMN nmsp.firmware_campaign.reset_modem IS 'true: a released modem is reset (nmsp.action), within the limits of its gateway; false: it loads the image when it boots next.';
COMMENT ON COLUMN nmsp.firmware_campaign.state IS 'draft, canary, running, paused, aborted or done.';
COMMENT ON COLUMN nmsp.firmware_campaign.reason IS 'Why it is paused or aborted.';
COMMENT ON COLUMN nmsp.firmware_campaign.started_at IS 'When it began.';
COMMENT ON COLUMN nmsp.firmware_campaign.counted_from IS 'Modems that finished before are not counted for the share of failures: when it was last resumed.';
COMMENT ON COLUMN nmsp.firmware_campaign.canary_passed IS 'true: the canaries are through.';
COMMENT ON COLUMN nmsp.firmware_campaign.finished_at IS 'When its last modem was through.';
COMMENT ON COLUMN nmsp.firmware_campaign.description IS 'Free text.';

CREATE TABLE nmsp.firmware_campaign_modem (
    campaign_id bigint NOT NULL CONSTRAINT firmware_campaign_modem_needs_an_existing_campaign REFERENCES nmsp.firmware_campaign ON DELETE CASCADE,
    modem_id    bigint NOT NULL CONSTRAINT firmware_campaign_modem_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    canary      boolean NOT NULL DEFAULT false,
    turn        int NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CONSTRAINT firmware_campaign_modem_state_is_known
        CHECK (state IN ('waiting', 'released', 'done', 'failed', 'absent', 'skipped')),
    before      text,
    after       text,
    released_at timestamptz,
    finished_at timestamptz,
    note        text,
    PRIMARY KEY (campaign_id, modem_id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX firmware_campaign_modem_is_in_another_campaign ON nmsp.firmware_campaign_modem (modem_id) WHERE state IN ('waiting', 'released');
CREATE INDEX firmware_campaign_modem_modem_id ON nmsp.firmware_campaign_modem (modem_id);
CREATE INDEX firmware_campaign_modem_finished_at ON nmsp.firmware_campaign_modem (campaign_id, finished_at);
CREATE INDEX firmware_campaign_modem_turn ON nmsp.firmware_campaign_modem (campaign_id, state, turn);
COMMENT ON TABLE nmsp.firmware_campaign_modem IS 'The modems of each campaign, and how far they are.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.campaign_id IS 'The campaign.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.canary IS 'true: it goes first.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.turn IS 'Order in which they are released: mixed over gateways.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.state IS 'waiting; released (its configfile names the image); done (it runs it); failed; absent (nothing was heard of it in time; not a failure); skipped (the rule counts for it no more).';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.before IS 'Version it had when it was released.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.after IS 'Version it had when it was done or had failed.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.released_at IS 'When it was released.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.finished_at IS 'When it was done or had failed.';
COMMENT ON COLUMN nmsp.firmware_campaign_modem.note IS 'Why it failed or was skipped.';

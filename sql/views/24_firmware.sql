-- Firmware: registering images, who should run which, what configfiles say of it, campaigns.

-- ---- images

CREATE OR REPLACE FUNCTION nmsp.joined_tlvs(config docsis.config) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.string_agg(t.data, '\x'::bytea ORDER BY t."offset") FROM docsis.tlvs(config) t;
END;
COMMENT ON FUNCTION nmsp.joined_tlvs(docsis.config) IS 'The values of a config''s settings one behind the other, e.g. a certificate that lies in several TLVs.';

CREATE OR REPLACE FUNCTION nmsp.image_certificate(head bytea, signer int, OUT der bytea, OUT is_chain boolean, OUT subject text, OUT valid_from timestamptz, OUT valid_until timestamptz)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    chain bytea;
    links int;
BEGIN
    SELECT c.certificate, c.subject, c.valid_from, c.valid_until INTO der, subject, valid_from, valid_until
      FROM docsis.certificates(head) c WHERE c.signer = image_certificate.signer;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- it and those that issued it, from the image itself
    WITH RECURSIVE all_of AS (SELECT c.* FROM docsis.certificates(head) c),
    up(n, issuer, certificate, depth) AS (
        SELECT a.n, a.issuer, a.certificate, 1 FROM all_of a WHERE a.signer = image_certificate.signer
        UNION ALL
        SELECT a.n, a.issuer, a.certificate, u.depth + 1 FROM up u JOIN all_of a ON a.subject = u.issuer AND a.n <> u.n WHERE u.depth < 8)
    SELECT string_agg(u.certificate, '\x'::bytea ORDER BY u.depth), count(*) INTO chain, links FROM up u;
    is_chain := links > 1;
    IF is_chain THEN
        der := nmsp.joined_tlvs(docsis.cvc_chain(chain));
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.image_certificate(bytea, int) IS
'The code verification certificate of an image''s manufacturer (signer 1) or co-signer (2) as modems get it: the certificate in DER, or its chain when the image holds its issuers; null: there is none.';

CREATE OR REPLACE FUNCTION nmsp.firmware_image_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    other record;
BEGIN
    IF NEW.file_name ~ '/' THEN
        PERFORM nmsp.refuse('23514', format('file name "%s" has a path', NEW.file_name), 'Images lie in the folder fw below the download folder, without further folders.',
            format('Use %L.', regexp_replace(NEW.file_name, '^.*/', '')), 'firmware_image', 'firmware_image_file_name_has_no_path');
    END IF;
    SELECT i.vendor, i.version, i.model INTO other FROM nmsp.firmware_image i WHERE i.file_name = NEW.file_name AND i.id <> NEW.id;
    IF FOUND THEN
        PERFORM nmsp.refuse('23505', format('file name "%s" is that of another image', NEW.file_name),
            format('It is %s %s, version %s; this one is %s %s, version %s.', other.vendor, array_to_string(other.model, ', '), other.version,
                   NEW.vendor, array_to_string(NEW.model, ', '), NEW.version),
            'Name the file otherwise: modems that know the name take it for the image they have.', 'firmware_image', 'firmware_image_file_name_is_already_used');
    END IF;
    IF NEW.cvc IS NULL AND NOT NEW.unsigned THEN
        PERFORM nmsp.refuse('23514', format('image "%s" has no code verification certificate', NEW.file_name),
            'Modems with secure software download refuse an image that is not signed; TLVs 32 and 81 are made of its certificate.',
            'Register the signed file; if it is meant to be unsigned, say so: unsigned => true.', 'firmware_image', 'firmware_image_needs_a_cvc');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.firmware_image_check() IS 'Trigger: an image has a certificate or is said to be unsigned, and a plain file name of its own.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.firmware_image FOR EACH ROW EXECUTE FUNCTION nmsp.firmware_image_check();

CREATE OR REPLACE FUNCTION nmsp.register_firmware(vendor text, model text[], version text, file_name text, head bytea, size bigint, sha256 bytea,
    unsigned boolean DEFAULT false, hardware text[] DEFAULT '{}', description text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    maker record;
    cosigner record;
    result bigint;
BEGIN
    BEGIN
        SELECT c.* INTO maker FROM nmsp.image_certificate(head, 1) c;
        SELECT c.* INTO cosigner FROM nmsp.image_certificate(head, 2) c;
    EXCEPTION WHEN untranslatable_character OR invalid_binary_representation THEN
        SELECT NULL::bytea AS der, false AS is_chain, NULL::text AS subject, NULL::timestamptz AS valid_from, NULL::timestamptz AS valid_until INTO maker;
        cosigner := maker;
    END;
    IF maker.der IS NOT NULL AND unsigned THEN
        PERFORM nmsp.refuse('22023', format('image "%s" is signed', file_name), format('It is signed by %s.', maker.subject), 'Leave out unsigned.', 'firmware_image');
    END IF;
    IF maker.valid_until < now() OR maker.valid_from > now() THEN
        RAISE WARNING USING message = format('the certificate of image "%s" is not valid today', file_name),
            detail = format('%s is valid from %s until %s.', maker.subject, maker.valid_from, maker.valid_until),
            hint = 'Modems compare it with the time of the signature; check with the manufacturer.';
    END IF;
    INSERT INTO nmsp.firmware_image (vendor, model, hardware, version, file_name, size, sha256, unsigned, cvc, cvc_chain, cvc_subject, cvc_valid_from,
        cvc_valid_until, cosigner_cvc, cosigner_subject, cosigner_valid_until, description)
    VALUES (register_firmware.vendor, register_firmware.model, register_firmware.hardware, register_firmware.version, register_firmware.file_name,
        register_firmware.size, register_firmware.sha256, register_firmware.unsigned, maker.der, coalesce(maker.is_chain, false), maker.subject, maker.valid_from,
        maker.valid_until, cosigner.der, cosigner.subject, cosigner.valid_until, register_firmware.description)
    RETURNING id INTO result;
    RETURN result;
END
$fn$;
COMMENT ON FUNCTION nmsp.register_firmware(text, text[], text, text, bytea, bigint, bytea, boolean, text[], text) IS
'Registers an image by its beginning (as much as holds its PKCS#7 signature; 64 KB are plenty), size and SHA-256; returns its id. Errors: 23514 no certificate (unless unsigned), a file name with a path; 23505 a file name of another image; 22023 a signed image that is said to be unsigned. A certificate that is not valid today gives a warning.';

CREATE OR REPLACE FUNCTION nmsp.register_firmware(vendor text, model text[], version text, file_name text, content bytea,
    unsigned boolean DEFAULT false, hardware text[] DEFAULT '{}', description text DEFAULT NULL) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    SELECT nmsp.register_firmware(vendor, model, version, file_name, content, octet_length(content)::bigint, pg_catalog.sha256(content), unsigned, hardware, description);
END;
COMMENT ON FUNCTION nmsp.register_firmware(text, text[], text, text, bytea, boolean, text[], text) IS
'Registers an image by its whole content, which is looked at and not kept: the file belongs into the download folder.';

-- ---- what configfiles say

CREATE OR REPLACE FUNCTION nmsp.cvc_statements(name text, certificate bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.string_agg(format(E'%s 0x%s;\n', name, encode(substr(certificate, 254 * n + 1, 254), 'hex')), '' ORDER BY n)
      FROM generate_series(0, (octet_length(certificate) - 1) / 254) n;
END;
COMMENT ON FUNCTION nmsp.cvc_statements(text, bytea) IS 'A certificate as statements of the text language, 254 bytes each; null: no certificate.';

CREATE OR REPLACE FUNCTION nmsp.image_statements(image_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN (SELECT format(E'SwUpgradeFilename "fw/%s";\n%s %s;\nSnmpMibObject docsDevSwAdminStatus.0 Integer 2;\n', i.file_name,
                          CASE family(x.server) WHEN 4 THEN 'SwUpgradeServer' ELSE 'SwUpgradeServer6' END, host(x.server))
                || coalesce(nmsp.cvc_statements(CASE WHEN i.cvc_chain THEN 'ManufacturerCVCChain' ELSE 'MfgCVCData' END, i.cvc), '')
                || coalesce(nmsp.cvc_statements(CASE WHEN i.cvc_chain THEN 'CoSignerCVCChain' ELSE 'CoSignerCVCData' END, i.cosigner_cvc), '')
              FROM nmsp.firmware_image i CROSS JOIN (SELECT coalesce(s.firmware_server, s.provisioning_server) AS server FROM nmsp.setting s) x
             WHERE i.id = image_statements.image_id);
END
$fn$;
COMMENT ON FUNCTION nmsp.image_statements(bigint) IS
'The statements that tell a modem to load an image: file (TLV 9), server (21 or 58), certificates (32 and 33, or 81 and 82), and docsDevSwAdminStatus allowProvisioningUpgrade. Source: MULPIv3.1 Annex C.1.2, SECv3.1 section 14.';

CREATE OR REPLACE FUNCTION nmsp.firmware_statements(modem_id bigint) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    image CONSTANT bigint := (SELECT r.image_id FROM nmsp.firmware_release r WHERE r.modem_id = firmware_statements.modem_id);
BEGIN
    IF image IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN nmsp.image_statements(image);
END
$fn$;
COMMENT ON FUNCTION nmsp.firmware_statements(bigint) IS 'What a modem''s configfile says of firmware, as statements that go into Main; null: nothing.';

-- ---- who should run which

DROP VIEW IF EXISTS nmsp.firmware_target CASCADE;
CREATE VIEW nmsp.firmware_target AS
SELECT m.id AS modem_id, t.rule_id, t.image_id, t.at_boot, t.version
  FROM nmsp.modem m JOIN nmsp.modem_version v ON v.modem_id = m.id
 CROSS JOIN LATERAL (
       SELECT r.id AS rule_id, r.image_id, r.at_boot, i.version
         FROM nmsp.firmware_rule r JOIN nmsp.firmware_image i ON i.id = r.image_id
        WHERE r.active AND (r.modem_id IS NULL OR r.modem_id = m.id) AND (r.netgw_id IS NULL OR r.netgw_id = m.netgw_id)
          AND (r.template_id IS NULL OR r.template_id = m.template_id) AND (r.service_class_id IS NULL OR r.service_class_id = m.service_class_id)
          AND lower(i.vendor) = lower(v.vendor) AND EXISTS (SELECT FROM unnest(i.model) x(model) WHERE lower(x.model) = lower(v.model))
          AND (i.hardware = '{}' OR v.hardware = ANY (i.hardware))
        ORDER BY r.rank, r.id LIMIT 1) t;
COMMENT ON VIEW nmsp.firmware_target IS 'The rule that counts for each modem, and its image. A modem whose vendor and model were never reported has none: an image of another model must not reach it.';
COMMENT ON COLUMN nmsp.firmware_target.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.firmware_target.rule_id IS 'The rule.';
COMMENT ON COLUMN nmsp.firmware_target.image_id IS 'Its image.';
COMMENT ON COLUMN nmsp.firmware_target.at_boot IS 'Whether the rule tells its modems by itself.';
COMMENT ON COLUMN nmsp.firmware_target.version IS 'The version that the modem should run.';

CREATE OR REPLACE FUNCTION nmsp.refresh_releases(modem_ids bigint[]) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER -- releases are nobody's to write by hand
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    changed int;
BEGIN
    IF EXISTS (SELECT FROM nmsp.edge) THEN
        RETURN 0; -- the centre does it
    END IF;
    WITH due AS MATERIALIZED (
        SELECT t.modem_id, t.image_id FROM nmsp.firmware_target t
         WHERE (modem_ids IS NULL OR t.modem_id = ANY (modem_ids))
           AND (t.at_boot OR EXISTS (SELECT FROM nmsp.firmware_campaign_modem x JOIN nmsp.firmware_campaign c ON c.id = x.campaign_id
                                      WHERE x.modem_id = t.modem_id AND x.state IN ('released', 'done') AND c.image_id = t.image_id))),
    removed AS (
        DELETE FROM nmsp.firmware_release r
         WHERE (modem_ids IS NULL OR r.modem_id = ANY (modem_ids)) AND NOT EXISTS (SELECT FROM due d WHERE d.modem_id = r.modem_id) RETURNING 1),
    put AS (
        INSERT INTO nmsp.firmware_release AS r (modem_id, image_id, released_at) SELECT d.modem_id, d.image_id, now() FROM due d
            ON CONFLICT ON CONSTRAINT firmware_release_pkey DO UPDATE SET image_id = excluded.image_id, released_at = excluded.released_at
            WHERE r.image_id <> excluded.image_id RETURNING 1)
    SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM put) INTO changed;
    RETURN changed;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.refresh_releases(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.refresh_releases(bigint[]) IS 'Brings nmsp.firmware_release in step with rules and campaigns, for these modems (null: all); returns how many modems'' files change.';

CREATE OR REPLACE FUNCTION nmsp.firmware_rule_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp.refresh_releases(NULL);
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.firmware_rule_changed() IS 'Trigger: what rules, images or campaigns say anew reaches the modems'' files.';
CREATE OR REPLACE TRIGGER z_release AFTER INSERT OR UPDATE OR DELETE ON nmsp.firmware_rule FOR EACH STATEMENT EXECUTE FUNCTION nmsp.firmware_rule_changed();
CREATE OR REPLACE TRIGGER z_release AFTER UPDATE OF vendor, model, hardware ON nmsp.firmware_image FOR EACH STATEMENT EXECUTE FUNCTION nmsp.firmware_rule_changed();
CREATE OR REPLACE TRIGGER z_release AFTER DELETE ON nmsp.firmware_campaign FOR EACH STATEMENT EXECUTE FUNCTION nmsp.firmware_rule_changed();

CREATE OR REPLACE FUNCTION nmsp.modem_firmware_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ids bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM nmsp.modem_version) THEN
        RETURN NULL; -- firmware is nobody's business here
    END IF;
    -- a modem with another address is another modem
    DELETE FROM nmsp.modem_version v USING old_row o JOIN new_row n USING (id) WHERE v.modem_id = n.id AND n.mac <> o.mac;
    SELECT array_agg(n.id) INTO ids FROM old_row o JOIN new_row n USING (id)
     WHERE (n.mac, n.netgw_id, n.template_id, n.service_class_id) IS DISTINCT FROM (o.mac, o.netgw_id, o.template_id, o.service_class_id);
    IF ids IS NOT NULL AND (EXISTS (SELECT FROM nmsp.firmware_rule) OR EXISTS (SELECT FROM nmsp.firmware_release)) THEN
        PERFORM nmsp.refresh_releases(ids);
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.modem_firmware_changed() IS 'Trigger: another gateway, template or service class may mean another rule; another hardware address is another modem.';
-- a trigger with transition tables cannot name columns
CREATE OR REPLACE TRIGGER z_firmware AFTER UPDATE ON nmsp.modem
    REFERENCING OLD TABLE AS old_row NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION nmsp.modem_firmware_changed();

CREATE OR REPLACE FUNCTION nmsp.report_versions(mac macaddr[], version text[], vendor text[], model text[], at timestamptz[],
    hardware text[] DEFAULT NULL, problem text[] DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    ids bigint[];
    taken int;
BEGIN
    WITH report AS (
        SELECT DISTINCT ON (m.id) m.id, left(r.version, 255) AS version, left(nullif(r.vendor, ''), 255) AS vendor, left(nullif(r.model, ''), 255) AS model, r.at,
               left(nullif(r.hardware, ''), 255) AS hardware, left(nullif(r.problem, ''), 255) AS problem
          FROM unnest(mac, version, vendor, model, at, hardware, problem) r(mac, version, vendor, model, at, hardware, problem)
          JOIN nmsp.modem m ON m.mac = r.mac WHERE r.version <> ''
         ORDER BY m.id, r.at DESC),
    old AS (SELECT r.id, v.vendor, v.model, v.hardware FROM report r LEFT JOIN nmsp.modem_version v ON v.modem_id = r.id),
    stored AS (
        INSERT INTO nmsp.modem_version AS v (modem_id, version, vendor, model, hardware, reported_at, changed_at, problem)
        SELECT r.id, r.version, r.vendor, r.model, r.hardware, coalesce(r.at, now()), coalesce(r.at, now()), r.problem FROM report r
            ON CONFLICT ON CONSTRAINT modem_version_pkey DO UPDATE SET version = excluded.version, vendor = coalesce(excluded.vendor, v.vendor),
               model = coalesce(excluded.model, v.model), hardware = coalesce(excluded.hardware, v.hardware), reported_at = excluded.reported_at,
               previous = CASE WHEN v.version <> excluded.version THEN v.version ELSE v.previous END,
               changed_at = CASE WHEN v.version <> excluded.version THEN excluded.reported_at ELSE v.changed_at END, problem = excluded.problem
            WHERE v.reported_at <= excluded.reported_at
        RETURNING v.modem_id, v.vendor, v.model, v.hardware)
    SELECT count(*), array_agg(s.modem_id) FILTER (WHERE (s.vendor, s.model, s.hardware) IS DISTINCT FROM (o.vendor, o.model, o.hardware))
      INTO taken, ids FROM stored s JOIN old o ON o.id = s.modem_id;
    IF ids IS NOT NULL AND EXISTS (SELECT FROM nmsp.firmware_rule) THEN
        PERFORM nmsp.refresh_releases(ids);
    END IF;
    RETURN taken;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.report_versions(macaddr[], text[], text[], text[], timestamptz[], text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.report_versions(macaddr[], text[], text[], text[], timestamptz[], text[], text[]) IS
'Takes what modems say of their firmware, arrays of equal length; returns how many were taken. Unknown modems and reports older than the one that is stored are passed over; a null or empty vendor, model or hardware leaves the one known. problem: why its last upgrade failed (docsDevSwOperStatus, an event), null or empty: it did not.';

CREATE OR REPLACE FUNCTION nmsp.report_version(mac macaddr, version text, vendor text DEFAULT NULL, model text DEFAULT NULL, at timestamptz DEFAULT now(),
    hardware text DEFAULT NULL, problem text DEFAULT NULL) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT nmsp.report_versions(ARRAY[mac], ARRAY[version], ARRAY[vendor], ARRAY[model], ARRAY[at], ARRAY[hardware], ARRAY[problem]) = 1;
END;
REVOKE ALL ON FUNCTION nmsp.report_version(macaddr, text, text, text, timestamptz, text, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.report_version(macaddr, text, text, text, timestamptz, text, text) IS 'nmsp.report_versions for one modem; false: it is not known, or a newer report is.';

DROP VIEW IF EXISTS nmsp.modem_firmware;
CREATE VIEW nmsp.modem_firmware AS
SELECT m.id AS modem_id, m.mac, m.name, v.vendor, v.model, v.hardware, v.version, v.reported_at, t.rule_id, t.image_id, t.version AS target_version, i.file_name,
       CASE WHEN v.modem_id IS NULL THEN 'unknown' WHEN t.modem_id IS NULL THEN 'none' WHEN v.version = t.version THEN 'current'
            WHEN r.modem_id IS NOT NULL THEN 'released' WHEN c.state IN ('failed', 'absent') THEN c.state ELSE 'waiting' END AS state,
       CASE WHEN v.modem_id IS NULL THEN 'its version was never reported'
            WHEN t.modem_id IS NULL AND (v.vendor IS NULL OR v.model IS NULL) THEN 'its vendor or model was never reported'
            WHEN t.modem_id IS NULL THEN 'no rule with an image for its vendor, model and hardware matches'
            WHEN v.version = t.version THEN format('rule %s', t.rule_id)
            WHEN r.modem_id IS NOT NULL THEN format('rule %s: its configfile names the image since %s', t.rule_id, r.released_at)
            WHEN c.state IN ('failed', 'absent', 'skipped') THEN format('campaign "%s": %s', c.name, coalesce(c.note, c.state))
            WHEN c.state = 'waiting' THEN format('waits for its turn in campaign "%s" (%s)', c.name, c.campaign_state)
            ELSE format('rule %s waits for a campaign', t.rule_id) END AS why
  FROM nmsp.modem m
  LEFT JOIN nmsp.modem_version v ON v.modem_id = m.id
  LEFT JOIN nmsp.firmware_target t ON t.modem_id = m.id
  LEFT JOIN nmsp.firmware_image i ON i.id = t.image_id
  LEFT JOIN nmsp.firmware_release r ON r.modem_id = m.id
  LEFT JOIN LATERAL (
       SELECT x.state, x.note, f.name, f.state AS campaign_state FROM nmsp.firmware_campaign_modem x JOIN nmsp.firmware_campaign f ON f.id = x.campaign_id
        WHERE x.modem_id = m.id AND f.image_id = t.image_id ORDER BY x.campaign_id DESC LIMIT 1) c ON true;
COMMENT ON VIEW nmsp.modem_firmware IS 'Each modem''s firmware: what it runs, what it should run, and why.';
COMMENT ON COLUMN nmsp.modem_firmware.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_firmware.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.modem_firmware.name IS 'Its name.';
COMMENT ON COLUMN nmsp.modem_firmware.vendor IS 'As it reported it.';
COMMENT ON COLUMN nmsp.modem_firmware.model IS 'As it reported it.';
COMMENT ON COLUMN nmsp.modem_firmware.hardware IS 'As it reported it.';
COMMENT ON COLUMN nmsp.modem_firmware.version IS 'Version it runs.';
COMMENT ON COLUMN nmsp.modem_firmware.reported_at IS 'When it last said so.';
COMMENT ON COLUMN nmsp.modem_firmware.rule_id IS 'The rule that counts for it.';
COMMENT ON COLUMN nmsp.modem_firmware.image_id IS 'The image it should run.';
COMMENT ON COLUMN nmsp.modem_firmware.target_version IS 'The version it should run.';
COMMENT ON COLUMN nmsp.modem_firmware.file_name IS 'The image''s file.';
COMMENT ON COLUMN nmsp.modem_firmware.state IS
'unknown (never reported), none (no rule), current, waiting (for a campaign), released (its configfile names the image), failed or absent (in the last campaign).';
COMMENT ON COLUMN nmsp.modem_firmware.why IS 'In words.';

-- Rules of voice in words; see the head of 10_model.sql.

-- One hardware address, one device: each of the three tables is unique in itself, the triggers look
-- into the other two. (A device of an MTA that no modem carries has no address of its own network,
-- so fixed addresses need no such look: networks of pools never overlap.)
CREATE OR REPLACE FUNCTION nmsp.mac_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    other record;
BEGIN
    IF TG_TABLE_NAME <> 'modem' THEN
        SELECT 'modem' AS kind, 'modem ' || m.id AS name, format('DELETE FROM nmsp.modem WHERE id = %s', m.id) AS cure INTO other
          FROM nmsp.modem m WHERE m.mac = NEW.mac;
    END IF;
    IF other IS NULL AND TG_TABLE_NAME <> 'mta' THEN
        SELECT 'MTA' AS kind, format('MTA %s behind modem %s', t.id, m.mac) AS name, format('DELETE FROM nmsp.mta WHERE id = %s', t.id) AS cure INTO other
          FROM nmsp.mta t JOIN nmsp.modem m ON m.id = t.modem_id WHERE t.mac = NEW.mac;
    END IF;
    IF other IS NULL AND TG_TABLE_NAME <> 'endpoint' THEN
        SELECT 'endpoint' AS kind, format('endpoint "%s" behind modem %s', e.name, m.mac) AS name, format('DELETE FROM nmsp.endpoint WHERE id = %s', e.id) AS cure INTO other
          FROM nmsp.endpoint e JOIN nmsp.modem m ON m.id = e.modem_id WHERE e.mac = NEW.mac;
    END IF;
    IF other IS NOT NULL THEN
        PERFORM nmsp.refuse('23505', format('"%s" is the address of another device', NEW.mac),
            format('It is that of %s; the %s has an address of its own.', other.name, CASE TG_TABLE_NAME WHEN 'mta' THEN 'MTA' ELSE TG_TABLE_NAME END),
            format('Take the address from the label of the %s, or remove the other one: %s.',
                   CASE TG_TABLE_NAME WHEN 'mta' THEN 'MTA' WHEN 'modem' THEN 'modem''s cable interface' ELSE 'CPE' END, other.cure),
            TG_TABLE_NAME::text, TG_TABLE_NAME || '_mac_is_of_another_device');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.mac_check() IS 'Trigger: a hardware address belongs to one modem, MTA or endpoint (23505).';
CREATE OR REPLACE TRIGGER b_mac BEFORE INSERT OR UPDATE OF mac ON nmsp.modem FOR EACH ROW EXECUTE FUNCTION nmsp.mac_check();
CREATE OR REPLACE TRIGGER b_mac BEFORE INSERT OR UPDATE OF mac ON nmsp.mta FOR EACH ROW EXECUTE FUNCTION nmsp.mac_check();
CREATE OR REPLACE TRIGGER b_mac BEFORE INSERT OR UPDATE OF mac ON nmsp.endpoint
    FOR EACH ROW WHEN (NEW.mac IS NOT NULL) EXECUTE FUNCTION nmsp.mac_check();

-- The triggers above name the other device; they do not see what another transaction is just entering.
-- This one waits for it.
CREATE OR REPLACE FUNCTION nmsp.keep_device_mac() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- nobody else writes that table
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN
            INSERT INTO nmsp.device_mac (mac) SELECT n.mac FROM new_rows n WHERE n.mac IS NOT NULL;
        WHEN 'UPDATE' THEN
            DELETE FROM nmsp.device_mac d WHERE d.mac = OLD.mac;
            INSERT INTO nmsp.device_mac (mac) SELECT NEW.mac WHERE NEW.mac IS NOT NULL;
        WHEN 'DELETE' THEN
            DELETE FROM nmsp.device_mac d USING old_rows o WHERE d.mac = o.mac;
        ELSE
            DELETE FROM nmsp.device_mac d
             WHERE NOT EXISTS (SELECT FROM nmsp.modem m WHERE m.mac = d.mac) AND NOT EXISTS (SELECT FROM nmsp.mta t WHERE t.mac = d.mac)
               AND NOT EXISTS (SELECT FROM nmsp.endpoint e WHERE e.mac = d.mac);
    END CASE;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.keep_device_mac() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.keep_device_mac() IS 'Trigger: nmsp.device_mac has the hardware addresses of all devices.';
CREATE OR REPLACE TRIGGER mac_inserted AFTER INSERT ON nmsp.modem REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_updated AFTER UPDATE OF mac ON nmsp.modem
    FOR EACH ROW WHEN (OLD.mac IS DISTINCT FROM NEW.mac) EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_deleted AFTER DELETE ON nmsp.modem REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_truncated AFTER TRUNCATE ON nmsp.modem
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_inserted AFTER INSERT ON nmsp.mta REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_updated AFTER UPDATE OF mac ON nmsp.mta
    FOR EACH ROW WHEN (OLD.mac IS DISTINCT FROM NEW.mac) EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_deleted AFTER DELETE ON nmsp.mta REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_truncated AFTER TRUNCATE ON nmsp.mta
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_inserted AFTER INSERT ON nmsp.endpoint REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_updated AFTER UPDATE OF mac ON nmsp.endpoint
    FOR EACH ROW WHEN (OLD.mac IS DISTINCT FROM NEW.mac) EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_deleted AFTER DELETE ON nmsp.endpoint REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
CREATE OR REPLACE TRIGGER mac_truncated AFTER TRUNCATE ON nmsp.endpoint
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.keep_device_mac();
INSERT INTO nmsp.device_mac (mac)
SELECT x.mac FROM (SELECT m.mac FROM nmsp.modem m UNION SELECT t.mac FROM nmsp.mta t UNION SELECT e.mac FROM nmsp.endpoint e) x
 WHERE x.mac IS NOT NULL AND NOT EXISTS (SELECT FROM nmsp.device_mac d WHERE d.mac = x.mac);

-- mta -------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.mta_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    m record;
    device text;
BEGIN
    PERFORM nmsp.check_mac(NEW.mac, 'mta');
    IF NEW.provisioning = 'secure' AND NOT EXISTS (SELECT FROM nmsp.voice_setting v WHERE v.kerberos_realm IS NOT NULL) THEN
        PERFORM nmsp.refuse('23514', 'the secure flow needs a Kerberos realm', format('MTA %s is to be provisioned by it.', NEW.mac),
            'UPDATE nmsp.voice_setting SET kerberos_realm = ... first.', 'mta', 'mta_secure_needs_a_kerberos_realm');
    END IF;
    SELECT x.id, x.mac, x.netgw_id, g.name AS netgw INTO m FROM nmsp.modem x JOIN nmsp.netgw g ON g.id = x.netgw_id WHERE x.id = NEW.modem_id;
    IF NOT FOUND THEN
        PERFORM nmsp.refuse(CASE WHEN NEW.modem_id IS NULL THEN '23502' ELSE '23503' END,
            format('modem %s does not exist', coalesce(NEW.modem_id::text, 'null')), format('MTA %s needs the modem it is in or behind.', NEW.mac),
            'SELECT id, mac FROM nmsp.modem lists those that exist.', 'mta', 'mta_needs_an_existing_modem');
    END IF;
    IF TG_OP = 'INSERT' OR NEW.template_id IS DISTINCT FROM OLD.template_id THEN
        SELECT t.device INTO device FROM nmsp.template t WHERE t.id = NEW.template_id;
        IF NOT FOUND THEN
            PERFORM nmsp.refuse(CASE WHEN NEW.template_id IS NULL THEN '23502' ELSE '23503' END,
                format('template %s does not exist', coalesce(NEW.template_id::text, 'null')), format('MTA %s needs one for its file.', NEW.mac),
                'SELECT id, name FROM nmsp.template WHERE device = ''mta'' lists those that exist.', 'mta', 'mta_needs_an_existing_template');
        END IF;
        IF device <> 'mta' THEN
            PERFORM nmsp.refuse('23514', format('template %s is not for MTAs', NEW.template_id),
                format('It makes files for %s devices; MTA %s cannot read them.', device, NEW.mac),
                'SELECT id, name FROM nmsp.template WHERE device = ''mta'' lists those that fit.', 'mta', 'mta_needs_an_mta_template');
        END IF;
    END IF;
    IF NEW.address IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.address IS DISTINCT FROM OLD.address OR NEW.modem_id <> OLD.modem_id) THEN
        PERFORM nmsp.check_fixed_address(NEW.address, m.netgw_id, ARRAY['mta'], 'MTA ' || NEW.mac, 'mta');
    END IF;
    IF NEW.address6 IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.address6 IS DISTINCT FROM OLD.address6 OR NEW.modem_id <> OLD.modem_id) THEN
        PERFORM nmsp.check_fixed_address(NEW.address6, m.netgw_id, ARRAY['mta'], 'MTA ' || NEW.mac, 'mta');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.mta_check() IS
'Trigger: MAC unicast, modem exists, template for MTAs, fixed address inside an mta pool of the modem''s gateway. Duplicates are left to the unique constraints, so that ON CONFLICT works.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.mta
    FOR EACH ROW EXECUTE FUNCTION nmsp.mta_check();

CREATE OR REPLACE TRIGGER a_check BEFORE DELETE ON nmsp.voice_setting
    FOR EACH ROW EXECUTE FUNCTION nmsp.setting_check();
CREATE OR REPLACE TRIGGER a_check_truncate BEFORE TRUNCATE ON nmsp.voice_setting
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.setting_check();

-- phone_number ----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.line_time(validity tstzrange) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN lower_inf(validity) AND upper_inf(validity) THEN 'for good'
            WHEN upper_inf(validity) THEN 'from ' || lower(validity)
            WHEN lower_inf(validity) THEN 'until ' || upper(validity)
            ELSE 'from ' || lower(validity) || ' until ' || upper(validity) END;
COMMENT ON FUNCTION nmsp.line_time(tstzrange) IS 'A validity in words, for messages.';

CREATE OR REPLACE FUNCTION nmsp.line_place(mta_id bigint, mac macaddr, port int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mta_id IS NULL THEN 'Another row' ELSE format('Port %s of MTA %s (%s)', port, mta_id, mac) END;
COMMENT ON FUNCTION nmsp.line_place(bigint, macaddr, int) IS 'The place of a phone number in words, for messages.';

CREATE OR REPLACE FUNCTION nmsp.porting_check(number text, direction text, old_state text, new_state text, old_date timestamptz, new_date timestamptz)
RETURNS void LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF old_state = 'confirmed' AND old_date <= now() AND (new_state IS DISTINCT FROM old_state OR new_date IS DISTINCT FROM old_date) THEN
        PERFORM nmsp.refuse('55000', format('number %s was ported %s already', number, direction), format('That was at %s.', old_date),
            'Its next time is another row: INSERT it with the validity of that time.', 'phone_number', 'phone_number_was_ported_already');
    END IF;
    IF new_state = 'confirmed' AND new_date IS NULL THEN
        PERFORM nmsp.refuse('23514', format('the porting of number %s has no date', number),
            format('Its porting %s is confirmed, but its validity has no %s.', direction, CASE direction WHEN 'in' THEN 'beginning' ELSE 'end' END),
            format('Set the moment in the same statement: validity = tstzrange(%s).', CASE direction WHEN 'in' THEN '<moment>, null' ELSE 'lower(validity), <moment>' END),
            'phone_number', CASE direction WHEN 'in' THEN 'phone_number_ported_in_has_a_beginning' ELSE 'phone_number_ported_out_has_an_end' END);
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.porting_check(text, text, text, text, timestamptz, timestamptz) IS
'Refuses a confirmed porting without a date (23514), and another state or date of one that took place (55000).';

CREATE OR REPLACE FUNCTION nmsp.phone_number_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    other record;
BEGIN
    IF NEW.mta_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.mta_id IS DISTINCT FROM OLD.mta_id) AND NOT EXISTS (SELECT FROM nmsp.mta t WHERE t.id = NEW.mta_id) THEN
        PERFORM nmsp.refuse('23503', format('MTA %s does not exist', NEW.mta_id), format('Number %s is to be on it.', NEW.number),
            'SELECT id, mac FROM nmsp.mta lists those that exist.', 'phone_number', 'phone_number_needs_an_existing_mta');
    END IF;
    IF NEW.mta_id IS NOT NULL AND NEW.port IS NULL THEN
        PERFORM nmsp.refuse('23514', format('number %s has no port', NEW.number), format('It is to be on MTA %s, whose ports count from 0.', NEW.mta_id),
            'Set port.', 'phone_number', 'phone_number_on_an_mta_has_a_port');
    END IF;
    -- The exclusion constraints say the same, without the place.
    SELECT l.number, l.mta_id, l.port, l.mta_mac, n.validity INTO other
      FROM nmsp.phone_number n JOIN nmsp.phone_line l ON l.phone_number_id = n.id
     WHERE n.number = NEW.number AND n.validity && NEW.validity AND n.id <> NEW.id LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23P01', format('number %s is in use', NEW.number),
            format('%s has it %s; %s is to have it %s.', nmsp.line_place(other.mta_id, other.mta_mac, other.port), nmsp.line_time(other.validity),
                   nmsp.line_place(NEW.mta_id, (SELECT t.mac FROM nmsp.mta t WHERE t.id = NEW.mta_id), NEW.port), nmsp.line_time(NEW.validity)),
            'UPDATE the row that has it, or let the one validity end where the other begins.', 'phone_number', 'phone_number_is_in_two_places_at_once');
    END IF;
    SELECT n.number, n.validity INTO other FROM nmsp.phone_number n
     WHERE n.mta_id = NEW.mta_id AND n.port = NEW.port AND n.validity && NEW.validity AND n.id <> NEW.id LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23P01', format('port %s of MTA %s has a number', NEW.port, NEW.mta_id),
            format('%s is there %s; %s is to be there %s.', other.number, nmsp.line_time(other.validity), NEW.number, nmsp.line_time(NEW.validity)),
            'Choose another port, or let the one validity end where the other begins.', 'phone_number', 'phone_number_shares_its_port');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        PERFORM nmsp.porting_check(NEW.number, 'in', OLD.porting_in, NEW.porting_in, lower(OLD.validity), lower(NEW.validity)),
                nmsp.porting_check(NEW.number, 'out', OLD.porting_out, NEW.porting_out, upper(OLD.validity), upper(NEW.validity));
    ELSE
        PERFORM nmsp.porting_check(NEW.number, 'in', NULL, NEW.porting_in, NULL, lower(NEW.validity)),
                nmsp.porting_check(NEW.number, 'out', NULL, NEW.porting_out, NULL, upper(NEW.validity));
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.phone_number_check() IS
'Trigger: the MTA exists, a number on it has a port, no number is in two places and no port has two numbers, a confirmed porting has its date and is not taken back once it took place.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.phone_number
    FOR EACH ROW EXECUTE FUNCTION nmsp.phone_number_check();

CREATE OR REPLACE FUNCTION nmsp.line_state(active boolean, validity tstzrange, porting_in text, porting_out text, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN validity << tstzrange(at, NULL) THEN CASE porting_out WHEN 'confirmed' THEN 'ported out' ELSE 'ended' END
            WHEN porting_in IN ('requested', 'rejected') THEN 'porting ' || porting_in
            WHEN NOT validity @> at THEN 'planned'
            WHEN active THEN 'active' ELSE 'suspended' END;
COMMENT ON FUNCTION nmsp.line_state(boolean, tstzrange, text, text, timestamptz) IS
'State of a number at a moment: planned, porting requested, porting rejected, active, suspended, ended or ported out.';

CREATE OR REPLACE FUNCTION nmsp.phone_number_boundary(after timestamptz, upto timestamptz)
RETURNS TABLE (at timestamptz, cause text, id bigint, feeds text[], note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT lower(n.validity), 'phone_number', n.id, NULL::text[], format('number %s begins', n.number)
      FROM nmsp.phone_number n WHERE NOT lower_inf(n.validity) AND lower(n.validity) > after AND lower(n.validity) <= upto
    UNION ALL
    SELECT upper(n.validity), 'phone_number', n.id, NULL, format('number %s %s', n.number, CASE n.porting_out WHEN 'confirmed' THEN 'is ported out' ELSE 'ends' END)
      FROM nmsp.phone_number n WHERE NOT upper_inf(n.validity) AND upper(n.validity) > after AND upper(n.validity) <= upto;
END;
COMMENT ON FUNCTION nmsp.phone_number_boundary(timestamptz, timestamptz) IS
'Source of nmsp_feed.boundary: which phone numbers begin or end later than after, not later than upto.';

CREATE OR REPLACE VIEW nmsp.phone_line AS
SELECT n.id AS phone_number_id, n.number, n.mta_id, n.port, t.mac AS mta_mac, t.modem_id,
       nmsp.line_state(n.active, n.validity, n.porting_in, n.porting_out, now()) AS state,
       CASE WHEN lower(n.validity) > now() THEN lower(n.validity) WHEN upper(n.validity) > now() THEN upper(n.validity) END AS changes_at,
       n.username, n.trc_class, n.external_id, coalesce(n.sip_registrar, v.sip_registrar) AS sip_registrar,
       coalesce(n.sip_domain, v.sip_domain, n.sip_registrar, v.sip_registrar) AS sip_domain,
       v.international_prefix || n.country_code AS country_code,
       v.trunk_prefix || coalesce(n.area_code, '') AS prefix_number,
       substr(n.number, 2 + length(n.country_code) + coalesce(length(n.area_code), 0)) AS subscriber_number
  FROM nmsp.phone_number n JOIN nmsp.voice_setting v ON v.id = 1 LEFT JOIN nmsp.mta t ON t.id = n.mta_id;
COMMENT ON VIEW nmsp.phone_line IS 'Each phone number as it is now: its place, its state, and what templates read of it.';
COMMENT ON COLUMN nmsp.phone_line.phone_number_id IS 'The number''s row.';
COMMENT ON COLUMN nmsp.phone_line.number IS 'The number (E.164).';
COMMENT ON COLUMN nmsp.phone_line.mta_id IS 'The MTA.';
COMMENT ON COLUMN nmsp.phone_line.port IS 'Its port.';
COMMENT ON COLUMN nmsp.phone_line.mta_mac IS 'Hardware address of the MTA.';
COMMENT ON COLUMN nmsp.phone_line.modem_id IS 'The modem the MTA is in or behind.';
COMMENT ON COLUMN nmsp.phone_line.state IS 'planned, porting requested, porting rejected, active, suspended, ended or ported out.';
COMMENT ON COLUMN nmsp.phone_line.changes_at IS 'When its validity begins or ends next; null: never.';
COMMENT ON COLUMN nmsp.phone_line.username IS 'SIP user name.';
COMMENT ON COLUMN nmsp.phone_line.trc_class IS 'Toll restriction class.';
COMMENT ON COLUMN nmsp.phone_line.external_id IS 'What the carrier''s platform calls it.';
COMMENT ON COLUMN nmsp.phone_line.sip_registrar IS 'SIP registrar, its own or that of nmsp.voice_setting.';
COMMENT ON COLUMN nmsp.phone_line.sip_domain IS 'SIP domain, its own or that of nmsp.voice_setting; else the registrar.';
COMMENT ON COLUMN nmsp.phone_line.country_code IS 'Country code with the international prefix, as it is dialled: 0049.';
COMMENT ON COLUMN nmsp.phone_line.prefix_number IS 'Area code with the trunk prefix, as it is dialled: 0372.';
COMMENT ON COLUMN nmsp.phone_line.subscriber_number IS 'The rest of the number.';

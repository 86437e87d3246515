-- What contracts make of modems and PPP accounts: derived at every look, for any moment.

CREATE OR REPLACE FUNCTION nmsp.day(at timestamptz) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (at AT TIME ZONE (SELECT s.time_zone FROM nmsp.setting s))::date;
COMMENT ON FUNCTION nmsp.day(timestamptz) IS 'The day of a moment in the operator''s time zone (nmsp.setting.time_zone).';

CREATE OR REPLACE FUNCTION nmsp.midnight(day date) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN day::timestamp AT TIME ZONE (SELECT s.time_zone FROM nmsp.setting s);
COMMENT ON FUNCTION nmsp.midnight(date) IS 'The moment at which a day begins in the operator''s time zone.';

-- contracts -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.contract_state_at(at timestamptz)
RETURNS TABLE (contract_id bigint, number text, in_force boolean, service_class_id bigint, voice boolean, max_cpe int, public_cpe boolean,
               static_addresses int, block text, block_reason text, blocked_since timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.number, c.validity @> d.day, CASE WHEN c.validity @> d.day THEN e.service_class_id END,
           c.validity @> d.day AND e.voice, e.max_cpe, coalesce(e.public_cpe, false), coalesce(e.static_addresses, 0)::int, b.scope, b.reason, lower(b.during)
      FROM (SELECT nmsp.day(at) AS day) d
     CROSS JOIN nmsp.contract c
      LEFT JOIN LATERAL (
           SELECT max(x.service_class_id) AS service_class_id, coalesce(bool_or(x.kind = 'voice'), false) AS voice,
                  max(x.quantity) FILTER (WHERE x.kind = 'cpe') AS max_cpe, bool_or(x.kind = 'public_cpe') AS public_cpe,
                  sum(x.quantity) FILTER (WHERE x.kind = 'static_address') AS static_addresses
             FROM nmsp.entitlement x WHERE x.contract_id = c.id AND x.validity @> d.day) e ON true
      LEFT JOIN LATERAL (
           SELECT x.scope, x.reason, x.during FROM nmsp.service_block x WHERE x.contract_id = c.id AND x.during @> at
            ORDER BY x.scope, lower(x.during) LIMIT 1) b ON true;
END;
COMMENT ON FUNCTION nmsp.contract_state_at(timestamptz) IS
'What each contract gives at a moment: whether it is in force, its service class (null: no internet), voice, number of CPEs (null: that of nmsp.setting), public CPEs, static addresses, and the block that lies on it (all, internet or null).';

-- modems ----------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.is_service_derived() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM nmsp.contract_modem) OR EXISTS (SELECT FROM nmsp.service_block WHERE modem_id IS NOT NULL) OR EXISTS (SELECT FROM nmsp.mta);
COMMENT ON FUNCTION nmsp.is_service_derived() IS 'Whether there is anything that makes a modem do other than what its row says; where there is not, nobody need look.';

CREATE OR REPLACE FUNCTION nmsp.network_access(internet boolean, voice boolean, mtas int) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN internet OR (voice AND mtas > 0);
COMMENT ON FUNCTION nmsp.network_access(boolean, boolean, int) IS 'TLV 3: for internet, or for the voice of an MTA behind the modem.';

CREATE OR REPLACE FUNCTION nmsp.max_cpe(internet boolean, voice boolean, mtas int, allowed int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(254, greatest(1, CASE WHEN mtas = 0 THEN allowed WHEN internet THEN allowed + mtas WHEN voice THEN mtas ELSE 1 END));
COMMENT ON FUNCTION nmsp.max_cpe(boolean, boolean, int, int) IS
'TLV 18: the CPEs allowed, and one for each MTA; only the MTAs where there is voice but no internet; 1 where there is neither.';

CREATE OR REPLACE FUNCTION nmsp.modem_service_at(at timestamptz)
RETURNS TABLE (modem_id bigint, mac macaddr, contract_id bigint, derived boolean, internet boolean, voice boolean, voice_only boolean, network_access boolean,
               service_class_id bigint, max_cpe int, public_cpe boolean, static_addresses int, mtas int, code text, why text, allowed_cpe int)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.id, m.mac, k.contract_id, g.derived, i.internet, i.voice, NOT i.internet AND i.voice AND t.n > 0,
           nmsp.network_access(i.internet, i.voice, t.n),
           CASE WHEN g.derived THEN k.service_class_id ELSE m.service_class_id END,
           nmsp.max_cpe(i.internet, i.voice, t.n, coalesce(k.max_cpe, s.max_cpe)),
           CASE WHEN g.derived THEN coalesce(k.public_cpe, false) ELSE m.public_cpe END,
           CASE WHEN g.derived THEN coalesce(k.static_addresses, 0) END, t.n, w.code,
           CASE w.code
               WHEN 'blocked' THEN format('blocked%s since %s: %s', CASE WHEN z.scope = 'internet' THEN ' for internet' ELSE '' END,
                                          coalesce(to_char(z.since AT TIME ZONE s.time_zone, 'YYYY-MM-DD HH24:MI'), 'ever'), z.reason)
               WHEN 'no contract' THEN 'no contract of it is in force on this day'
               WHEN 'no internet' THEN format('contract %s has no internet on this day', k.number)
               WHEN 'off' THEN 'switched off in its own row (internet_access)'
               WHEN 'own' THEN 'as its own row says'
               ELSE format('contract %s: %s', k.number, (SELECT c.name FROM nmsp.service_class c WHERE c.id = k.service_class_id)) END
           || CASE WHEN NOT i.internet AND i.voice AND t.n > 0 THEN '; voice goes on' ELSE '' END,
           coalesce(k.max_cpe, s.max_cpe)
      FROM nmsp.setting s
     CROSS JOIN nmsp.modem m
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM nmsp.contract_modem x WHERE x.modem_id = m.id) AS derived) g
      LEFT JOIN LATERAL (
           SELECT c.* FROM nmsp.contract_modem x JOIN nmsp.contract_state_at(at) c ON c.contract_id = x.contract_id
            WHERE x.modem_id = m.id AND x.validity @> nmsp.day(at) AND c.in_force) k ON true
      LEFT JOIN LATERAL (
           SELECT x.scope, x.reason, lower(x.during) AS since FROM nmsp.service_block x WHERE x.modem_id = m.id AND x.during @> at
            ORDER BY x.scope, lower(x.during) LIMIT 1) b ON true
     CROSS JOIN LATERAL (
           SELECT CASE WHEN b.scope = 'all' OR k.block IS NULL THEN b.scope ELSE k.block END AS scope,
                  CASE WHEN b.scope = 'all' OR k.block IS NULL THEN b.reason ELSE k.block_reason END AS reason,
                  CASE WHEN b.scope = 'all' OR k.block IS NULL THEN b.since ELSE k.blocked_since END AS since) z
     CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM nmsp.mta x WHERE x.modem_id = m.id) t
     CROSS JOIN LATERAL (
           SELECT z.scope IS NULL AND CASE WHEN g.derived THEN k.service_class_id IS NOT NULL ELSE m.internet_access END AS internet,
                  z.scope IS DISTINCT FROM 'all' AND t.n > 0 AND CASE WHEN g.derived THEN coalesce(k.voice, false) ELSE EXISTS (
                      SELECT FROM nmsp.mta x JOIN nmsp.phone_number p ON p.mta_id = x.id
                       WHERE x.modem_id = m.id AND p.active AND p.validity @> at) END AS voice) i
     CROSS JOIN LATERAL (
           SELECT CASE WHEN z.scope IS NOT NULL THEN 'blocked' WHEN NOT g.derived THEN CASE WHEN m.internet_access THEN 'own' ELSE 'off' END
                       WHEN k.contract_id IS NULL THEN 'no contract' WHEN NOT i.internet THEN 'no internet' ELSE 'active' END AS code) w;
END;
COMMENT ON FUNCTION nmsp.modem_service_at(timestamptz) IS
'What every modem may do at a moment, and why: see nmsp.modem_service, which is this at the present moment. Ask for some with WHERE modem_id = ...: only they are looked at.';

CREATE OR REPLACE VIEW nmsp.modem_service AS SELECT * FROM nmsp.modem_service_at(now());
COMMENT ON VIEW nmsp.modem_service IS 'What every modem may do now, and why: by its contract, or by its own row where it has none. Derived, never stored.';
COMMENT ON COLUMN nmsp.modem_service.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.modem_service.mac IS 'Its hardware address.';
COMMENT ON COLUMN nmsp.modem_service.contract_id IS 'The contract in force that it serves; null: none.';
COMMENT ON COLUMN nmsp.modem_service.derived IS 'true: contracts decide (nmsp.contract_modem has rows of it); false: its own row does.';
COMMENT ON COLUMN nmsp.modem_service.internet IS 'Whether CPEs behind it have internet; where not, DHCP treats them as blocked.';
COMMENT ON COLUMN nmsp.modem_service.voice IS 'Whether its MTAs have voice.';
COMMENT ON COLUMN nmsp.modem_service.voice_only IS 'Voice without internet: only the MTAs pass (TLV 14).';
COMMENT ON COLUMN nmsp.modem_service.network_access IS 'TLV 3.';
COMMENT ON COLUMN nmsp.modem_service.service_class_id IS 'Service class; null: none.';
COMMENT ON COLUMN nmsp.modem_service.max_cpe IS 'TLV 18, unless the template has its own.';
COMMENT ON COLUMN nmsp.modem_service.public_cpe IS 'Whether CPEs get public addresses.';
COMMENT ON COLUMN nmsp.modem_service.static_addresses IS 'How many endpoints with fixed addresses its contract allows; null: it has none.';
COMMENT ON COLUMN nmsp.modem_service.mtas IS 'MTAs behind it.';
COMMENT ON COLUMN nmsp.modem_service.code IS 'active, no internet, no contract, blocked; own, off: without contract.';
COMMENT ON COLUMN nmsp.modem_service.why IS 'The reason in words.';
COMMENT ON COLUMN nmsp.modem_service.allowed_cpe IS 'CPEs allowed beside its MTAs.';

CREATE OR REPLACE FUNCTION nmsp.modem_service_values(modem_id bigint, own_access boolean,
    OUT internet_access boolean, OUT service_class_id bigint, OUT public_cpe boolean, OUT network_access boolean, OUT max_cpe int, OUT extra text,
    OUT derived boolean)
LANGUAGE plpgsql STABLE -- keeps its plan
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    s record;
BEGIN
    SELECT x.* INTO s FROM nmsp.modem_service x WHERE x.modem_id = modem_service_values.modem_id;
    IF NOT FOUND OR NOT (s.derived OR s.code = 'blocked' OR s.mtas > 0) THEN
        RETURN;
    END IF;
    -- Own columns are those of the row at hand, which need not be the stored one.
    internet_access := CASE WHEN s.derived OR s.code = 'blocked' THEN s.internet ELSE own_access END;
    service_class_id := s.service_class_id;
    public_cpe := s.public_cpe;
    derived := s.derived;
    network_access := nmsp.network_access(internet_access, s.voice, s.mtas);
    max_cpe := nmsp.max_cpe(internet_access, s.voice, s.mtas, s.allowed_cpe);
    IF network_access AND NOT internet_access THEN
        extra := (SELECT string_agg(format('CpeMacAddress %s;', t.mac), ' ' ORDER BY t.mac) FROM nmsp.mta t
                   WHERE t.modem_id = modem_service_values.modem_id
                     AND (SELECT p.source !~ 'CpeMacAddress skip' FROM nmsp.modem m, nmsp.template_parts(m.template_id) p WHERE m.id = modem_service_values.modem_id));
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.modem_service_values(bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.modem_service_values(bigint, boolean) IS
'For nmsp.modem_config: what goes into a modem''s file in place of its own columns, and extra statements (TLV 14 of its MTAs where only they may pass, unless the template says "CpeMacAddress skip"); no values: its row is all there is to it. Service class and public_cpe count only where contracts decide.';

CREATE OR REPLACE FUNCTION nmsp.modem_services(first bigint, last bigint)
RETURNS TABLE (modem_id bigint, own_access boolean, internet_access boolean, service_class_id bigint, public_cpe boolean, network_access boolean, max_cpe int,
               extra text, derived boolean)
LANGUAGE plpgsql STABLE -- keeps its plan
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY
    SELECT m.id, m.internet_access, CASE WHEN o.counts THEN s.internet END, s.service_class_id, s.public_cpe, s.network_access, s.max_cpe,
           CASE WHEN o.counts AND s.voice_only
                THEN (SELECT string_agg(format('CpeMacAddress %s;', t.mac), ' ' ORDER BY t.mac) FROM nmsp.mta t
                       WHERE t.modem_id = m.id AND (SELECT p.source !~ 'CpeMacAddress skip' FROM nmsp.template_parts(m.template_id) p)) END,
           s.derived
      FROM nmsp.modem_service s JOIN nmsp.modem m ON m.id = s.modem_id
     CROSS JOIN LATERAL (SELECT s.derived OR s.code = 'blocked' OR s.mtas > 0 AS counts) o
     WHERE s.modem_id BETWEEN first AND last AND m.id BETWEEN first AND last;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.modem_services(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.modem_services(bigint, bigint) IS
'nmsp.modem_service_values of the modems from one id to another, with the own access of their stored rows.';

CREATE OR REPLACE FUNCTION nmsp.cpe_class(modem_id bigint, internet_access boolean, public_cpe boolean) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER -- DHCP servers need not be able to read contracts
SET search_path TO pg_catalog, pg_temp
SET jit TO off -- it is about one modem: compiling would take longer than running
AS $fn$
BEGIN
    IF nmsp.is_service_derived() THEN
        RETURN (SELECT CASE WHEN NOT s.internet THEN 'blocked' WHEN s.public_cpe THEN 'public' ELSE 'private' END
                  FROM nmsp.modem_service s WHERE s.modem_id = cpe_class.modem_id);
    END IF;
    RETURN CASE WHEN NOT internet_access THEN 'blocked' WHEN public_cpe THEN 'public' ELSE 'private' END;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.cpe_class(bigint, boolean, boolean) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.cpe_class(bigint, boolean, boolean) IS
'What DHCP takes the CPEs behind a modem for now: public, private or blocked. Takes the modem''s own columns, which count where no contract decides.';

-- PPP accounts ----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.contract_service(contract_id bigint, OUT internet boolean, OUT service_class_id bigint, OUT public_cpe boolean, OUT why text)
RETURNS SETOF record LANGUAGE plpgsql STABLE STRICT ROWS 1 SECURITY DEFINER -- RADIUS servers need not be able to read contracts
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN QUERY
    SELECT k.block IS NULL AND k.service_class_id IS NOT NULL, k.service_class_id, k.public_cpe,
           CASE WHEN k.block IS NOT NULL THEN 'blocked: ' || k.block_reason WHEN NOT k.in_force THEN format('contract %s is not in force on this day', k.number)
                WHEN k.service_class_id IS NULL THEN format('contract %s has no internet on this day', k.number) ELSE 'contract ' || k.number END
      FROM nmsp.contract_state_at(now()) k WHERE k.contract_id = contract_service.contract_id;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.contract_service(bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.contract_service(bigint) IS 'What a contract gives now: internet (false: not today, or blocked), service class, public CPEs, and why.';

CREATE OR REPLACE VIEW nmsp.ppp_service AS
SELECT a.id AS ppp_account_id, a.username, a.contract_id, a.internet_access AND coalesce(k.internet, a.contract_id IS NULL) AS internet,
       CASE WHEN a.contract_id IS NULL THEN a.service_class_id ELSE k.service_class_id END AS service_class_id,
       CASE WHEN a.contract_id IS NULL THEN a.public_cpe ELSE k.public_cpe END AS public_cpe,
       CASE WHEN NOT a.internet_access THEN 'switched off in its own row (internet_access)' WHEN a.contract_id IS NULL THEN 'as its own row says' ELSE k.why END AS why
  FROM nmsp.ppp_account a LEFT JOIN LATERAL nmsp.contract_service(a.contract_id) k ON true;
COMMENT ON VIEW nmsp.ppp_service IS 'What every PPP account may do now, and why: by its contract, or by its own row where it has none.';
COMMENT ON COLUMN nmsp.ppp_service.ppp_account_id IS 'The account.';
COMMENT ON COLUMN nmsp.ppp_service.username IS 'Its name.';
COMMENT ON COLUMN nmsp.ppp_service.contract_id IS 'Its contract; null: its own row decides.';
COMMENT ON COLUMN nmsp.ppp_service.internet IS 'Whether it may log in.';
COMMENT ON COLUMN nmsp.ppp_service.service_class_id IS 'Service class; null: none.';
COMMENT ON COLUMN nmsp.ppp_service.public_cpe IS 'Whether it gets a public address.';
COMMENT ON COLUMN nmsp.ppp_service.why IS 'The reason in words.';

-- static addresses ------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.static_address_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever enters an endpoint need not be able to read contracts
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    s record;
    n int;
BEGIN
    SELECT x.mac, x.static_addresses, x.why INTO s FROM nmsp.modem_service x WHERE x.modem_id = NEW.modem_id AND x.derived;
    IF FOUND THEN
        n := (SELECT count(*) FROM nmsp.endpoint e WHERE e.modem_id = NEW.modem_id AND e.id IS DISTINCT FROM NEW.id);
        IF n >= s.static_addresses THEN
            PERFORM nmsp.refuse('23514', format('modem %s may have %s endpoints with fixed addresses', s.mac, s.static_addresses),
                format('%s others are there; "%s" would be one too many (%s).', n, NEW.name, s.why),
                'INSERT INTO nmsp.entitlement (contract_id, kind, quantity) VALUES (..., ''static_address'', ...), or raise the quantity of the one that is there.',
                'endpoint', 'endpoint_needs_an_entitlement');
        END IF;
    END IF;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.static_address_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.static_address_check() IS 'Trigger: behind a modem under contract there are as many endpoints as its static_address entitlement says today. What is there already stays when the entitlement ends.';
CREATE OR REPLACE TRIGGER c_static_insert BEFORE INSERT ON nmsp.endpoint FOR EACH ROW EXECUTE FUNCTION nmsp.static_address_check();
CREATE OR REPLACE TRIGGER c_static_update BEFORE UPDATE OF modem_id ON nmsp.endpoint FOR EACH ROW
    WHEN (NEW.modem_id <> OLD.modem_id) EXECUTE FUNCTION nmsp.static_address_check();

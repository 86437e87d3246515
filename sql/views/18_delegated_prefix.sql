-- A fixed delegated prefix fits the pools: it is either apart from them all, or one of those that a
-- pool of the modem's own gateway delegates.

CREATE OR REPLACE FUNCTION nmsp.delegated_prefix_conflict(prefix cidr, netgw bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN prefix && p.network THEN format('It overlaps the network of pool %s (%s of "%s").', p.network, p.purpose, g.name)
                WHEN p.netgw_id <> netgw THEN format('Pool %s of "%s" delegates prefixes of %s; the modem is behind "%s".', p.network, g.name, p.delegated_prefix,
                                                     (SELECT o.name FROM nmsp.netgw o WHERE o.id = netgw))
                ELSE format('Pool %s of "%s" delegates prefixes of length %s from %s, and one of them would overlap it.', p.network, g.name, p.delegated_length, p.delegated_prefix) END
      FROM nmsp.pool p JOIN nmsp.netgw g ON g.id = p.netgw_id
     WHERE prefix && p.network
        OR (prefix && p.delegated_prefix AND (p.netgw_id <> netgw OR masklen(prefix) <> p.delegated_length))
     ORDER BY p.id LIMIT 1;
END;
REVOKE ALL ON FUNCTION nmsp.delegated_prefix_conflict(cidr, bigint) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.delegated_prefix_conflict(cidr, bigint) IS 'Why a fixed prefix behind this gateway cannot be, in a sentence; null: it can.';

CREATE OR REPLACE FUNCTION nmsp.delegated_prefix_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever may change an endpoint need not be able to call the function
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    e record;
BEGIN
    IF TG_TABLE_NAME = 'endpoint' THEN
        SELECT x.conflict, NEW.name, NEW.delegated_prefix INTO e
          FROM nmsp.modem m, nmsp.delegated_prefix_conflict(NEW.delegated_prefix, m.netgw_id) x(conflict) WHERE m.id = NEW.modem_id AND x.conflict IS NOT NULL;
    ELSE
        SELECT x.conflict, p.name, p.delegated_prefix INTO e
          FROM nmsp.endpoint p JOIN nmsp.modem m ON m.id = p.modem_id, nmsp.delegated_prefix_conflict(p.delegated_prefix, m.netgw_id) x(conflict)
         WHERE (p.delegated_prefix && NEW.delegated_prefix OR p.delegated_prefix && NEW.network) AND x.conflict IS NOT NULL LIMIT 1;
    END IF;
    IF FOUND THEN
        PERFORM nmsp.refuse('23514', format('prefix %s of endpoint "%s" does not fit the pools', e.delegated_prefix, e.name), e.conflict,
            'SELECT network, delegated_prefix, delegated_length FROM nmsp.pool WHERE delegated_prefix IS NOT NULL lists what is delegated; take one of its prefixes, or one outside of all.',
            TG_TABLE_NAME, 'endpoint_delegated_prefix_fits_the_pools');
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.delegated_prefix_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.delegated_prefix_check() IS 'Trigger: fixed prefixes and what pools delegate do not get into each other''s way (23514), from whichever side.';
CREATE OR REPLACE TRIGGER c_prefix AFTER INSERT OR UPDATE ON nmsp.endpoint
    FOR EACH ROW WHEN (NEW.delegated_prefix IS NOT NULL) EXECUTE FUNCTION nmsp.delegated_prefix_check();
CREATE OR REPLACE TRIGGER c_prefix AFTER INSERT OR UPDATE OF network, netgw_id, delegated_prefix, delegated_length ON nmsp.pool
    FOR EACH ROW WHEN (family(NEW.network) = 6) EXECUTE FUNCTION nmsp.delegated_prefix_check();

-- A modem that moves takes the prefixes of its endpoints along (addresses: nmsp.modem_move_check). At
-- the end of the transaction, so that both can be changed in it, the modem first.
CREATE OR REPLACE FUNCTION nmsp.modem_move_prefix_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- as nmsp.delegated_prefix_check
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    e record;
BEGIN
    SELECT p.id, p.name, p.delegated_prefix, m.mac, m.netgw_id, g.name AS netgw, o.name AS left_netgw,
           coalesce(x.conflict, format('"%s" has no IPv6 pool for CPEs; without one nobody there is given a prefix.', g.name)) AS conflict INTO e
      FROM nmsp.modem m JOIN nmsp.netgw g ON g.id = m.netgw_id LEFT JOIN nmsp.netgw o ON o.id = OLD.netgw_id
      JOIN nmsp.endpoint p ON p.modem_id = m.id
     CROSS JOIN LATERAL nmsp.delegated_prefix_conflict(p.delegated_prefix, m.netgw_id) x(conflict)
     WHERE m.id = NEW.id AND p.delegated_prefix IS NOT NULL
       AND (x.conflict IS NOT NULL
            OR NOT EXISTS (SELECT FROM nmsp.pool n WHERE n.netgw_id = m.netgw_id AND n.purpose IN ('cpe_public', 'cpe_private') AND family(n.network) = 6))
     ORDER BY p.id LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23514', format('modem %s cannot move from "%s" to "%s" with the prefix of its endpoint', e.mac, e.left_netgw, e.netgw),
            format('Endpoint "%s" has the fixed prefix %s. %s', e.name, e.delegated_prefix, e.conflict),
            format('In the same transaction, after the modem: UPDATE nmsp.endpoint SET delegated_prefix = <one of "%s", or null> WHERE id = %s; '
                   'SELECT network, delegated_prefix, delegated_length FROM nmsp.pool WHERE netgw_id = %s lists what is delegated there.', e.netgw, e.id, e.netgw_id),
            'modem', 'modem_moves_with_the_prefixes_of_its_endpoints');
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.modem_move_prefix_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.modem_move_prefix_check() IS
'Trigger at the end of a transaction: the fixed prefixes behind a modem that moved fit its new gateway, and that has an IPv6 network for CPEs (23514).';
DO $do$
BEGIN
    -- Constraint triggers have no OR REPLACE.
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'nmsp.modem'::regclass AND t.tgname = 'modem_moves_with_the_prefixes_of_its_endpoints') THEN
        CREATE CONSTRAINT TRIGGER modem_moves_with_the_prefixes_of_its_endpoints AFTER UPDATE OF netgw_id ON nmsp.modem
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (OLD.netgw_id IS DISTINCT FROM NEW.netgw_id) EXECUTE FUNCTION nmsp.modem_move_prefix_check();
    END IF;
END
$do$;

-- The rules of the model in words: each trigger says what the constraints of the tables say, with
-- both sides of the conflict (DETAIL) and the cure (HINT), before the constraint would. Duplicates
-- and overlaps are left to the constraints, so that INSERT ... ON CONFLICT works; their HINTs come
-- from extension/pg/hints.c.

CREATE OR REPLACE FUNCTION nmsp.check_mac(mac macaddr, relation text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF mac & '01:00:00:00:00:00' <> '00:00:00:00:00:00' OR mac = '00:00:00:00:00:00' THEN
        PERFORM nmsp.refuse('23514', format('"%s" is not the address of a device', mac),
            CASE WHEN mac = '00:00:00:00:00:00' THEN 'The address is all zeros.'
                 ELSE 'The lowest bit of the first byte is set: a multicast or broadcast address.' END,
            'Take the hardware address from the device''s label.',
            relation, relation || '_mac_is_a_unicast_address');
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.check_mac(macaddr, text) IS
'Refuses a multicast, broadcast or zero hardware address (23514).';

-- setting ---------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.setting_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        PERFORM nmsp.refuse('55000', format('the row of nmsp.%s cannot be deleted', TG_TABLE_NAME),
            'There is always exactly one row of settings.', 'UPDATE it instead.', TG_TABLE_NAME);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_timezone_names z WHERE z.name = NEW.time_zone) THEN
        PERFORM nmsp.refuse('22023', format('time zone "%s" does not exist', NEW.time_zone),
            'The time offset of DHCP is taken from it.', 'SELECT name FROM pg_timezone_names lists those that exist.', 'setting');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.setting_check() IS 'Trigger: settings stay one row; the time zone exists.';
CREATE OR REPLACE TRIGGER a_check BEFORE DELETE OR INSERT OR UPDATE OF time_zone ON nmsp.setting
    FOR EACH ROW EXECUTE FUNCTION nmsp.setting_check();
CREATE OR REPLACE TRIGGER a_check BEFORE DELETE ON nmsp.setting_secret
    FOR EACH ROW EXECUTE FUNCTION nmsp.setting_check();
CREATE OR REPLACE TRIGGER a_check_truncate BEFORE TRUNCATE ON nmsp.setting
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.setting_check();
CREATE OR REPLACE TRIGGER a_check_truncate BEFORE TRUNCATE ON nmsp.setting_secret
    FOR EACH STATEMENT EXECUTE FUNCTION nmsp.setting_check();

-- netgw_secret ----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.netgw_secret_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF octet_length(NEW.shared_secret) NOT BETWEEN 1 AND 64 THEN
        PERFORM nmsp.refuse('23514', 'the shared secret of a CMTS must be 1 to 64 bytes long',
            format('This one is %s bytes long.', octet_length(NEW.shared_secret)),
            'Use the value of "cable shared-secret" on the CMTS.',
            'netgw_secret', 'netgw_shared_secret_is_1_to_64_bytes');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.netgw_secret_check() IS 'Trigger: a shared secret is 1 to 64 bytes long.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.netgw_secret
    FOR EACH ROW EXECUTE FUNCTION nmsp.netgw_secret_check();

-- pool ------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.pool_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    column_name text;
    value  inet;
BEGIN
    IF NOT EXISTS (SELECT FROM nmsp.netgw g WHERE g.id = NEW.netgw_id) THEN
        PERFORM nmsp.refuse('23503', format('access gateway %s does not exist', coalesce(NEW.netgw_id::text, 'null')),
            format('Pool %s needs a row of nmsp.netgw.', NEW.network),
            'INSERT INTO nmsp.netgw first and use its id.', 'pool', 'pool_needs_an_existing_netgw');
    END IF;
    FOR column_name, value IN VALUES ('range_start', NEW.range_start), ('range_end', NEW.range_end), ('router', NEW.router) LOOP
        IF NOT value << NEW.network THEN
            PERFORM nmsp.refuse('23514', format('%s %s lies outside of pool %s', column_name, value, NEW.network),
                format('The network reaches from %s to %s.', host(NEW.network), host(broadcast(NEW.network))),
                'Choose an address of the network, without a mask.', 'pool',
                CASE column_name WHEN 'router' THEN 'pool_router_lies_inside_its_network'
                                 ELSE 'pool_range_lies_inside_its_network' END);
        END IF;
    END LOOP;
    IF NEW.range_start > NEW.range_end THEN
        PERFORM nmsp.refuse('23514', format('the range of pool %s ends before it starts', NEW.network),
            format('It starts at %s and ends at %s.', NEW.range_start, NEW.range_end), 'Exchange range_start and range_end.',
            'pool', 'pool_range_starts_before_it_ends');
    END IF;
    IF NEW.router BETWEEN NEW.range_start AND NEW.range_end THEN
        PERFORM nmsp.refuse('23514', format('router %s lies inside the range of pool %s', NEW.router, NEW.network),
            format('The range %s - %s would give the router''s address to a client.', NEW.range_start, NEW.range_end),
            'Move the router or cut the range.', 'pool', 'pool_router_lies_outside_its_range');
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.network, NEW.netgw_id, NEW.purpose) IS DISTINCT FROM (OLD.network, OLD.netgw_id, OLD.purpose) THEN
        PERFORM nmsp.pool_keep_addresses(OLD.id, OLD.network, NEW.network, NEW.netgw_id <> OLD.netgw_id OR NEW.purpose <> OLD.purpose);
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.pool_check() IS 'Trigger: range and router lie inside the network, fixed addresses keep their pool. Overlaps are left to the exclusion constraint, so that ON CONFLICT works.';

CREATE OR REPLACE FUNCTION nmsp.pool_keep_addresses(pool_id bigint, old_network cidr, new_network cidr, moved boolean)
RETURNS void LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    low     CONSTANT inet := host(old_network);
    high    CONSTANT inet := host(broadcast(old_network));
    address inet;
    device  text;
BEGIN
    SELECT a.address, a.device INTO address, device FROM (
        SELECT u.address, 'modem ' || m.mac AS device FROM nmsp.modem m, unnest(ARRAY[m.address, m.address6]) u(address)
         WHERE m.address BETWEEN low AND high OR m.address6 BETWEEN low AND high
        UNION ALL
        SELECT u.address, 'endpoint ' || e.name FROM nmsp.endpoint e, unnest(ARRAY[e.address, e.address6]) u(address)
         WHERE e.address BETWEEN low AND high OR e.address6 BETWEEN low AND high
        UNION ALL
        SELECT u.address, 'MTA ' || t.mac FROM nmsp.mta t, unnest(ARRAY[t.address, t.address6]) u(address)
         WHERE t.address BETWEEN low AND high OR t.address6 BETWEEN low AND high
        UNION ALL
        SELECT a.address, format('account "%s"', a.username) FROM nmsp.ppp_account a WHERE a.address BETWEEN low AND high) a
     WHERE a.address BETWEEN low AND high AND (moved OR new_network IS NULL OR NOT a.address << new_network) LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23503', format('pool %s still holds fixed addresses', old_network),
            format('%s has the fixed address %s.', upper(left(device, 1)) || substr(device, 2), address),
            'Give those devices other addresses first: UPDATE ... SET address = nmsp.allocate_address(<another pool''s id>).', 'pool');
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.pool_keep_addresses(bigint, cidr, cidr, boolean) IS
'Refuses to take a network away from devices that have fixed addresses in it (23503).';

CREATE OR REPLACE FUNCTION nmsp.pool_delete_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp.pool_keep_addresses(OLD.id, OLD.network, NULL, true);
    RETURN OLD;
END
$fn$;
COMMENT ON FUNCTION nmsp.pool_delete_check() IS 'Trigger: a pool with fixed addresses is not deleted.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.pool
    FOR EACH ROW EXECUTE FUNCTION nmsp.pool_check();
CREATE OR REPLACE TRIGGER a_check_delete BEFORE DELETE ON nmsp.pool
    FOR EACH ROW EXECUTE FUNCTION nmsp.pool_delete_check();

-- template --------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.template_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    chain text;
    loop_found boolean;
    parent record;
BEGIN
    IF NEW.parent_id IS NOT NULL THEN
        -- One tree change at a time, or two of them could close a circle together.
        PERFORM pg_advisory_xact_lock(hashtext('nmsp.template'));
        SELECT t.name, t.device INTO parent FROM nmsp.template t WHERE t.id = NEW.parent_id;
        IF NOT FOUND AND NEW.parent_id <> NEW.id THEN
            PERFORM nmsp.refuse('23503', format('template %s does not exist', NEW.parent_id),
                format('It is to be the parent of template "%s".', NEW.name),
                'SELECT id, name FROM nmsp.template lists those that exist.', 'template', 'template_parent_must_exist');
        END IF;
        IF parent.device <> NEW.device THEN
            PERFORM nmsp.refuse('23514', format('template "%s" is for %s, its parent "%s" for %s', NEW.name, NEW.device, parent.name, parent.device),
                'Both texts go into the same file.', 'Choose a parent for the same device.', 'template');
        END IF;
        WITH RECURSIVE up(id, name, parent_id, depth) AS (
            SELECT t.id, t.name, t.parent_id, 1 FROM nmsp.template t WHERE t.id = NEW.parent_id
            UNION ALL
            SELECT t.id, t.name, t.parent_id, up.depth + 1 FROM up JOIN nmsp.template t ON t.id = up.parent_id
             WHERE up.id <> NEW.id AND up.depth < 100)
        SELECT string_agg(quote_ident(up.name), ' -> ' ORDER BY up.depth), bool_or(up.id = NEW.id) INTO chain, loop_found FROM up;
        IF loop_found OR NEW.parent_id = NEW.id THEN
            PERFORM nmsp.refuse('23514', format('template "%s" would be its own ancestor', NEW.name),
                format('The parents would be: %s.', coalesce(chain, quote_ident(NEW.name))),
                'Choose a parent that is not below this template.', 'template', 'template_is_not_its_own_parent');
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.device <> OLD.device
       AND (EXISTS (SELECT FROM nmsp.modem m WHERE m.template_id = NEW.id) OR EXISTS (SELECT FROM nmsp.mta m WHERE m.template_id = NEW.id) OR EXISTS (SELECT FROM nmsp.template t WHERE t.parent_id = NEW.id)) THEN
        PERFORM nmsp.refuse('23514', format('template "%s" is in use for %s', OLD.name, OLD.device),
            'Devices or templates below it need it as it is.', format('INSERT another template for %s.', NEW.device), 'template');
    END IF;
    IF TG_OP = 'INSERT' OR NEW.source IS DISTINCT FROM OLD.source OR NEW.device <> OLD.device THEN
        PERFORM nmsp.check_template(NEW.source, NEW.device, NEW.name);
    END IF;
    IF NEW.source LIKE '%#override%' AND (TG_OP = 'INSERT' OR (NEW.source, NEW.parent_id) IS DISTINCT FROM (OLD.source, OLD.parent_id)) THEN
        PERFORM nmsp.check_override(NEW.source, coalesce((SELECT p.source FROM nmsp.template_parts(NEW.parent_id) p), ''), NEW.name);
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.source, NEW.parent_id, NEW.device) IS DISTINCT FROM (OLD.source, OLD.parent_id, OLD.device) THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.template_check() IS
'Trigger: the text encodes (with values in place of placeholders), what it overrides is there, the tree has no cycle, the version counts.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.template
    FOR EACH ROW EXECUTE FUNCTION nmsp.template_check();

-- modem -----------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.modem_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    found_netgw text;
    found_device text;
    has_pool boolean;
    has_pool6 boolean; -- one that nobody can boot from: DHCPv6 has no server to announce
BEGIN
    IF TG_OP = 'INSERT' OR NEW.mac <> OLD.mac THEN
        PERFORM nmsp.check_mac(NEW.mac, 'modem');
    END IF;
    IF TG_OP = 'INSERT' OR NEW.netgw_id IS DISTINCT FROM OLD.netgw_id OR NEW.template_id IS DISTINCT FROM OLD.template_id THEN
        -- IPv4 is always announced (setting.provisioning_server), IPv6 where provisioning_server6 says what.
        SELECT g.name, EXISTS (SELECT FROM nmsp.pool p WHERE p.netgw_id = g.id AND p.purpose = 'cm' AND p.active
                                  AND (family(p.network) = 4 OR EXISTS (SELECT FROM nmsp.setting s WHERE s.provisioning_server6 IS NOT NULL))),
               EXISTS (SELECT FROM nmsp.pool p WHERE p.netgw_id = g.id AND p.purpose = 'cm' AND p.active AND family(p.network) = 6)
          INTO found_netgw, has_pool, has_pool6 FROM nmsp.netgw g WHERE g.id = NEW.netgw_id;
        IF NOT FOUND THEN
            PERFORM nmsp.refuse(CASE WHEN NEW.netgw_id IS NULL THEN '23502' ELSE '23503' END,
                format('access gateway %s does not exist', coalesce(NEW.netgw_id::text, 'null')), format('Modem %s needs one.', NEW.mac),
                'SELECT id, name FROM nmsp.netgw lists those that exist.', 'modem', 'modem_needs_an_existing_netgw');
        END IF;
        IF NOT has_pool AND has_pool6 THEN
            PERFORM nmsp.refuse('23514', format('"%s" has no active IPv4 pool for cable modems', found_netgw),
                format('Modem %s could get an IPv6 address there, but no configfile: nmsp.setting.provisioning_server6 is null.', NEW.mac),
                'UPDATE nmsp.setting SET provisioning_server6 = <IPv6 address of the download service>, or give the gateway an IPv4 pool for modems.',
                'modem', 'modem_needs_a_pool');
        ELSIF NOT has_pool THEN
            PERFORM nmsp.refuse('23514', format('"%s" has no active pool for cable modems', found_netgw),
                format('Modem %s could not get an address there.', NEW.mac),
                format('INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router) VALUES (%s, ''cm'', ...).', NEW.netgw_id),
                'modem', 'modem_needs_a_pool');
        END IF;
        SELECT t.device INTO found_device FROM nmsp.template t WHERE t.id = NEW.template_id;
        IF NOT FOUND THEN
            PERFORM nmsp.refuse(CASE WHEN NEW.template_id IS NULL THEN '23502' ELSE '23503' END,
                format('template %s does not exist', coalesce(NEW.template_id::text, 'null')), format('Modem %s needs one for its configfile.', NEW.mac),
                'SELECT id, name FROM nmsp.template WHERE device = ''cm'' lists those that exist.', 'modem', 'modem_needs_an_existing_template');
        END IF;
        IF found_device <> 'cm' THEN
            PERFORM nmsp.refuse('23514', format('template %s is not for cable modems', NEW.template_id),
                format('It makes files for %s devices.', found_device),
                'SELECT id, name FROM nmsp.template WHERE device = ''cm'' lists those that fit.', 'modem', 'modem_needs_a_cm_template');
        END IF;
    END IF;
    IF NEW.address IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.address IS DISTINCT FROM OLD.address OR NEW.netgw_id <> OLD.netgw_id) THEN
        PERFORM nmsp.check_fixed_address(NEW.address, NEW.netgw_id, ARRAY['cm'], 'modem ' || NEW.mac, 'modem');
    END IF;
    IF NEW.address6 IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.address6 IS DISTINCT FROM OLD.address6 OR NEW.netgw_id <> OLD.netgw_id) THEN
        PERFORM nmsp.check_fixed_address(NEW.address6, NEW.netgw_id, ARRAY['cm'], 'modem ' || NEW.mac, 'modem');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.modem_check() IS
'Trigger: MAC new and unicast, gateway with a cm pool, template for modems, fixed address inside a cm pool of the gateway. Duplicates are left to the unique constraints, so that ON CONFLICT works.';

CREATE OR REPLACE FUNCTION nmsp.check_fixed_address(address inet, netgw bigint, purposes text[], device text, relation text)
RETURNS void LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    p record;
    netgw_name text := (SELECT g.name FROM nmsp.netgw g WHERE g.id = netgw);
BEGIN
    SELECT pool.network, pool.router, pool.purpose, pool.netgw_id, g.name INTO p
      FROM nmsp.pool JOIN nmsp.netgw g ON g.id = pool.netgw_id WHERE pool.network >>= check_fixed_address.address;
    IF NOT FOUND OR p.netgw_id <> netgw OR NOT p.purpose = ANY (purposes) THEN
        PERFORM nmsp.refuse('23514', format('address %s lies in no %s pool of "%s"', host(address), array_to_string(purposes, ' or '), netgw_name),
            CASE WHEN p.network IS NULL THEN format('No pool holds it; %s is behind "%s".', device, netgw_name)
                 ELSE format('It belongs to pool %s (%s of "%s"); %s is behind "%s".', p.network, p.purpose, p.name, device, netgw_name) END,
            format('Use nmsp.allocate_address(<pool id>) with a pool of this gateway (SELECT id, network FROM nmsp.pool WHERE netgw_id = %s), or null for a dynamic one.', netgw),
            relation, relation || '_address_needs_a_pool');
    END IF;
    IF address IN (p.router, host(p.network)::inet, host(broadcast(p.network))::inet) AND (address = p.router OR family(address) = 4) THEN
        PERFORM nmsp.refuse('23514', format('address %s cannot belong to a device', host(address)),
            format('It is the router, network or broadcast address of pool %s.', p.network), 'Use nmsp.allocate_address(<pool id>).',
            relation, relation || '_address_needs_a_pool');
    END IF;
END
$fn$;
COMMENT ON FUNCTION nmsp.check_fixed_address(inet, bigint, text[], text, text) IS
'Refuses a fixed address outside the pools of these purposes of the gateway (23514). That two devices share one is refused by the unique constraints.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.modem
    FOR EACH ROW EXECUTE FUNCTION nmsp.modem_check();

-- endpoint --------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.endpoint_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    netgw bigint := (SELECT m.netgw_id FROM nmsp.modem m WHERE m.id = NEW.modem_id);
BEGIN
    IF netgw IS NULL THEN
        PERFORM nmsp.refuse('23503', format('modem %s does not exist', coalesce(NEW.modem_id::text, 'null')),
            format('Endpoint "%s" needs the modem it is behind.', NEW.name), 'SELECT id, mac FROM nmsp.modem lists those that exist.',
            'endpoint', 'endpoint_needs_an_existing_modem');
    END IF;
    IF NEW.mac IS NOT NULL THEN
        PERFORM nmsp.check_mac(NEW.mac, 'endpoint');
    END IF;
    IF NEW.address IS NOT NULL THEN
        PERFORM nmsp.check_fixed_address(NEW.address, netgw, ARRAY['cpe_public', 'cpe_private', 'stb'], 'endpoint ' || NEW.name, 'endpoint');
    END IF;
    IF NEW.address6 IS NOT NULL THEN
        PERFORM nmsp.check_fixed_address(NEW.address6, netgw, ARRAY['cpe_public', 'cpe_private', 'stb'], 'endpoint ' || NEW.name, 'endpoint');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.endpoint_check() IS 'Trigger: the modem exists, the fixed address lies in a cpe pool of its gateway.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.endpoint
    FOR EACH ROW EXECUTE FUNCTION nmsp.endpoint_check();

-- A modem that moves takes its endpoints and MTAs along: their fixed addresses must fit the new gateway when
-- the transaction ends, so that both can be changed in it, the modem first.
CREATE OR REPLACE FUNCTION nmsp.modem_move_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    e record;
BEGIN
    SELECT x.kind, x.id, x.name, x.purposes, x.address, x.field, m.mac, g.id AS netgw_id, g.name AS netgw INTO e
      FROM nmsp.modem m JOIN nmsp.netgw g ON g.id = m.netgw_id
     CROSS JOIN LATERAL (
           SELECT 'endpoint' AS kind, p.id, format('endpoint "%s"', p.name) AS name, ARRAY['cpe_public', 'cpe_private', 'stb'] AS purposes, a.address, a.field
             FROM nmsp.endpoint p CROSS JOIN LATERAL (VALUES (p.address, 'address'), (p.address6, 'address6')) a(address, field) WHERE p.modem_id = m.id
           UNION ALL
           SELECT 'mta', t.id, 'MTA ' || t.mac, ARRAY['mta'], a.address, a.field
             FROM nmsp.mta t CROSS JOIN LATERAL (VALUES (t.address, 'address'), (t.address6, 'address6')) a(address, field) WHERE t.modem_id = m.id) x
     WHERE m.id = NEW.id AND x.address IS NOT NULL
       AND NOT EXISTS (SELECT FROM nmsp.pool p
                        WHERE p.netgw_id = m.netgw_id AND p.purpose = ANY (x.purposes) AND p.network >> x.address)
     LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23514', format('modem %s cannot move to "%s" without its %s', e.mac, e.netgw, CASE e.kind WHEN 'mta' THEN 'MTAs' ELSE 'endpoints' END),
            format('%s has the fixed address %s, which lies in no %s pool of "%s".', upper(left(e.name, 1)) || substr(e.name, 2), host(e.address),
                   CASE e.kind WHEN 'mta' THEN 'mta' ELSE 'cpe' END, e.netgw),
            format('In the same transaction, after the modem: UPDATE nmsp.%s SET %s = nmsp.allocate_address(<pool of gateway %s>) WHERE id = %s.', e.kind, e.field, e.netgw_id, e.id),
            'modem', 'modem_moves_with_its_endpoints');
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.modem_move_check() IS 'Trigger at the end of a transaction: the endpoints and MTAs of a modem that moved have addresses of its new gateway (23514).';
DO $do$
BEGIN
    -- Constraint triggers have no OR REPLACE.
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'nmsp.modem'::regclass AND t.tgname = 'modem_moves_with_its_endpoints') THEN
        CREATE CONSTRAINT TRIGGER modem_moves_with_its_endpoints AFTER UPDATE OF netgw_id ON nmsp.modem
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (OLD.netgw_id IS DISTINCT FROM NEW.netgw_id) EXECUTE FUNCTION nmsp.modem_move_check();
    END IF;
END
$do$;

-- addresses -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp.used_address(low inet, high inet) RETURNS SETOF inet
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.address FROM nmsp.modem m WHERE m.address BETWEEN low AND high
    UNION ALL
    SELECT m.address6 FROM nmsp.modem m WHERE m.address6 BETWEEN low AND high
    UNION ALL
    SELECT e.address FROM nmsp.endpoint e WHERE e.address BETWEEN low AND high
    UNION ALL
    SELECT e.address6 FROM nmsp.endpoint e WHERE e.address6 BETWEEN low AND high
    UNION ALL
    SELECT t.address FROM nmsp.mta t WHERE t.address BETWEEN low AND high
    UNION ALL
    SELECT t.address6 FROM nmsp.mta t WHERE t.address6 BETWEEN low AND high
    UNION ALL
    SELECT a.address FROM nmsp.ppp_account a WHERE a.address BETWEEN low AND high;
END;
COMMENT ON FUNCTION nmsp.used_address(inet, inet) IS 'The fixed addresses in use from low to high, both included.';

CREATE OR REPLACE FUNCTION nmsp.allocate_address(pool_id bigint) RETURNS inet
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    p record;
    answer inet;
BEGIN
    -- The row lock makes concurrent calls for one pool wait for each other's commit.
    SELECT pool.* INTO p FROM nmsp.pool WHERE pool.id = allocate_address.pool_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM nmsp.refuse('23503', format('pool %s does not exist', coalesce(pool_id::text, 'null')),
            'An address is taken from the range of a pool.', 'SELECT id, network, purpose FROM nmsp.pool lists those that exist.', 'pool');
    END IF;
    IF p.range_start IS NULL OR NOT p.active THEN
        PERFORM nmsp.refuse('55000', format('pool %s gives out no addresses', p.network),
            CASE WHEN p.active THEN 'It has no range.' ELSE 'It is not active.' END,
            format('UPDATE nmsp.pool SET %s WHERE id = %s.', CASE WHEN p.active THEN 'range_start = ..., range_end = ...' ELSE 'active = true' END, p.id), 'pool');
    END IF;
    -- From the end of the range down, because DHCP servers lease from its beginning. Normally the
    -- address below the lowest one in use; only when that is the beginning: the highest gap.
    answer := (SELECT min(u) - 1 FROM nmsp.used_address(p.range_start, p.range_end) u);
    answer := coalesce(answer, p.range_end);
    IF answer < p.range_start THEN
        answer := (SELECT max(free.address) FROM (
            SELECT p.range_end AS address
            UNION ALL
            SELECT u - 1 FROM nmsp.used_address(p.range_start, p.range_end) u WHERE u > p.range_start) free
            WHERE NOT EXISTS (SELECT FROM nmsp.used_address(free.address, free.address)));
    END IF;
    -- Nobody else's by a lease.
    WHILE EXISTS (SELECT FROM nmsp.lease l WHERE l.address = answer AND l.state = 'active' AND l.ends > now()) LOOP
        answer := (SELECT max(free.address) FROM (
            SELECT answer - 1 AS address
            UNION ALL
            SELECT u - 1 FROM nmsp.used_address(p.range_start, answer - 1) u) free
            WHERE free.address >= p.range_start AND NOT EXISTS (SELECT FROM nmsp.used_address(free.address, free.address)));
    END LOOP;
    IF answer IS NULL THEN
        PERFORM nmsp.refuse('53400', format('pool %s is exhausted', p.network),
            format('All addresses from %s to %s are in use.', host(p.range_start), host(p.range_end)),
            'Widen its range, or add a pool.', 'pool');
    END IF;
    RETURN answer;
END
$fn$;
COMMENT ON FUNCTION nmsp.allocate_address(bigint) IS
'A free address from the range of a pool, e.g. UPDATE nmsp.modem SET address = nmsp.allocate_address(1). Concurrent calls never get the same one. Errors: 23503 no such pool, 55000 pool without range, 53400 exhausted.';

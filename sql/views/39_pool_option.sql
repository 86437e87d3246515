-- Options of pools: how values become bytes, and the rules. Both dhcpd and Kea are given bytes, so
-- that neither's own way of writing values is anybody's business.

CREATE OR REPLACE FUNCTION nmsp.option_bytes(kind text, value text, version int, place text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    part   text;
    answer bytea := '';
    width  int := CASE kind WHEN 'uint8' THEN 1 WHEN 'uint16' THEN 2 ELSE 4 END;
    low    bigint := CASE kind WHEN 'int32' THEN -2147483648 ELSE 0 END;
    high   bigint := CASE kind WHEN 'int32' THEN 2147483647 ELSE (1::bigint << (8 * width)) - 1 END;
    server boolean := kind = 'server' AND value ~ '^\s*[0-9.]+\s*$';
BEGIN
    IF kind = 'text' AND value <> '' THEN
        RETURN convert_to(value, 'UTF8');
    ELSIF kind = 'hex' THEN
        part := regexp_replace(value, '[\s:]', '', 'g');
        IF part ~ '^([0-9A-Fa-f]{2})+$' THEN
            RETURN decode(part, 'hex');
        END IF;
    ELSIF kind = 'name' OR kind = 'server' AND NOT server THEN
        IF value ~* '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?$' AND length(value) <= 253 THEN
            RETURN CASE kind WHEN 'server' THEN '\x00'::bytea ELSE '' END || nmsp.fqdn_wire(value);
        END IF;
    ELSIF kind <> 'text' THEN
        FOREACH part IN ARRAY regexp_split_to_array(btrim(value), '\s*,\s*') LOOP
            IF kind IN ('address', 'server') THEN
                -- no mask, and nothing that inet's input would complete
                EXIT WHEN NOT CASE version WHEN 4 THEN part ~ '^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$' ELSE part ~ '^[0-9A-Fa-f:.]+$' AND part ~ ':.*:' END;
                BEGIN
                    answer := answer || CASE kind WHEN 'server' THEN '\x01'::bytea ELSE '' END || nmsp.address_wire(part::inet);
                EXCEPTION WHEN invalid_text_representation THEN
                    EXIT;
                END;
            ELSE
                EXIT WHEN NOT part ~ '^-?\d{1,10}$';
                EXIT WHEN part::bigint NOT BETWEEN low AND high;
                answer := answer || substr(int8send(part::bigint), 9 - width);
            END IF;
            part := NULL;
        END LOOP;
        IF part IS NULL AND answer <> '' THEN
            RETURN answer;
        END IF;
    END IF;
    PERFORM nmsp.refuse('22023', format('the value of %s is no %s', place, kind),
        format('"%s" is not %s.', left(value, 100), CASE kind
            WHEN 'address' THEN format('an IPv%s address, or several with commas between them', version)
            WHEN 'server' THEN 'an IPv4 address or the name of a host'
            WHEN 'name' THEN 'the name of a host or a domain'
            WHEN 'text' THEN 'text of at least one character'
            WHEN 'hex' THEN 'bytes in hexadecimal digits'
            ELSE format('a whole number from %s to %s, or several with commas between them', low, high) END),
        'Write it like ' || CASE kind WHEN 'address' THEN CASE version WHEN 4 THEN '172.20.0.1, 172.20.0.2' ELSE '2001:db8::1, 2001:db8::2' END
            WHEN 'server' THEN '172.20.0.1 or prov.example.net' WHEN 'name' THEN 'prov.example.net' WHEN 'text' THEN 'cm/default.cfg'
            WHEN 'hex' THEN '01:04:ac:14:00:01' ELSE '1, 2' END || ', or choose another kind.', 'pool_option', 'pool_option_value_fits_its_kind');
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.option_bytes(text, text, int, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.option_bytes(text, text, int, text) IS
'The bytes of an option''s value: kind as nmsp.pool_option.kind, version 4 or 6, place: what the error is to name. Errors: 22023 the value is not of that kind.';

CREATE OR REPLACE FUNCTION nmsp.pool_option_value(pool nmsp.pool) RETURNS TABLE (code int, suboption int, enterprise bigint, vendor boolean, value bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.code, o.suboption, o.enterprise, o.code = CASE pg_catalog.family((pool).network) WHEN 4 THEN 125 ELSE 17 END,
           nmsp.option_bytes(o.kind, o.value, pg_catalog.family((pool).network), format('option %s of pool %s', o.code, (pool).network))
      FROM nmsp.pool_option o WHERE o.pool_id = (pool).id ORDER BY o.code, o.enterprise, o.suboption;
END;
REVOKE ALL ON FUNCTION nmsp.pool_option_value(nmsp.pool) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.pool_option_value(nmsp.pool) IS 'The options of a pool in bytes; vendor: sub-options of an enterprise.';

CREATE OR REPLACE FUNCTION nmsp.pool_option_data(pool nmsp.pool) RETURNS TABLE (code int, value bytea)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- RFC 3925 4: per enterprise its number, the length of what follows, sub-options.
    SELECT e.code, pg_catalog.string_agg(CASE WHEN e.vendor THEN pg_catalog.substr(pg_catalog.int8send(e.enterprise), 5) || pg_catalog.substr(pg_catalog.int8send(octet_length(e.value)), 8) ELSE '' END || e.value, '' ORDER BY e.enterprise)
      FROM (SELECT o.code, o.vendor, CASE WHEN o.vendor THEN o.enterprise END AS enterprise,
                   pg_catalog.string_agg(CASE o.suboption WHEN 0 THEN o.value ELSE nmsp.suboption(o.suboption, o.value) END, '' ORDER BY o.suboption) AS value
              FROM nmsp.pool_option_value(pool) o GROUP BY 1, 2, 3) e
     GROUP BY e.code;
END;
REVOKE ALL ON FUNCTION nmsp.pool_option_data(nmsp.pool) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.pool_option_data(nmsp.pool) IS 'The options of an IPv4 pool as they go into a packet, sub-options put together.';

CREATE OR REPLACE FUNCTION nmsp.pool_option_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever may change an option need not be able to call the functions
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    p       nmsp.pool;
    version int;
    place   text;
    wrong   text;
    bytes   bytea;
BEGIN
    SELECT pool.* INTO p FROM nmsp.pool WHERE pool.id = NEW.pool_id;
    IF NOT FOUND THEN
        RETURN NULL; -- the foreign key says it
    END IF;
    version := family(p.network);
    place := format('option %s of pool %s', NEW.code || CASE NEW.suboption WHEN 0 THEN '' ELSE '.' || NEW.suboption END, p.network);
    IF version = 4 OR NEW.kind <> 'server' THEN
        bytes := nmsp.option_bytes(NEW.kind, NEW.value, version, place);
    END IF;
    wrong := CASE
        WHEN version = 4 AND (NEW.code > 254 OR NEW.suboption > 255) THEN 'DHCP has options 1 to 254 and sub-options 1 to 255.'
        WHEN version = 4 AND NEW.code IN (1, 2, 3, 4, 6, 7, 12, 15, 28, 42, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 67, 81, 82, 118)
          OR version = 6 AND NEW.code IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19, 20, 23, 24, 25, 26, 39, 79)
            THEN 'It belongs to the protocol, or is made of nmsp.pool, nmsp.setting and the device.'
        WHEN NEW.code = CASE version WHEN 4 THEN 125 ELSE 17 END AND NEW.suboption = 0 THEN 'This option consists of sub-options of an enterprise.'
        WHEN NEW.code <> CASE version WHEN 4 THEN 125 ELSE 17 END AND NEW.enterprise <> 4491 THEN format('Only option %s has enterprises.', CASE version WHEN 4 THEN 125 ELSE 17 END)
        WHEN version = 6 AND NEW.code <> 17 AND NEW.suboption <> 0 THEN 'Of DHCPv6 only option 17 is made of sub-options here.'
        WHEN version = 6 AND NEW.kind = 'server' THEN 'Kind server is for option 122 of DHCP.'
        WHEN EXISTS (SELECT FROM nmsp.pool_option o WHERE o.pool_id = NEW.pool_id AND o.code = NEW.code AND (o.suboption = 0) <> (NEW.suboption = 0))
            THEN 'The option is given as a whole and by sub-options too.'
        WHEN version = 4 AND octet_length(bytes) > 255
          OR version = 4 AND (SELECT octet_length(d.value) FROM nmsp.pool_option_data(p) d WHERE d.code = NEW.code) > 255 THEN 'It would be longer than 255 bytes.'
    END;
    IF wrong IS NOT NULL THEN
        PERFORM nmsp.refuse('23514', format('%s cannot be given', place), wrong,
            'SELECT * FROM nmsp.pool_option lists what is given; CableLabs'' options are 122 and 125, of DHCPv6 17, with sub-options.', 'pool_option', 'pool_option_is_an_option');
    END IF;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.pool_option_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.pool_option_check() IS
'Trigger: an option is one that a pool may have (23514), its value is of its kind (22023).';
CREATE OR REPLACE TRIGGER c_check AFTER INSERT OR UPDATE ON nmsp.pool_option
    FOR EACH ROW EXECUTE FUNCTION nmsp.pool_option_check();

CREATE OR REPLACE FUNCTION nmsp.pool_option_version_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    IF EXISTS (SELECT FROM nmsp.pool_option o WHERE o.pool_id = NEW.id) THEN
        PERFORM nmsp.refuse('23514', format('pool %s has options of IPv%s', OLD.network, family(OLD.network)),
            format('%s is a network of IPv%s, whose options have other numbers.', NEW.network, family(NEW.network)),
            format('DELETE FROM nmsp.pool_option WHERE pool_id = %s, or insert another pool.', NEW.id), 'pool');
    END IF;
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp.pool_option_version_check() IS 'Trigger: a pool with options does not change between IPv4 and IPv6 (23514).';
CREATE OR REPLACE TRIGGER c_option AFTER UPDATE OF network ON nmsp.pool
    FOR EACH ROW WHEN (family(OLD.network) <> family(NEW.network)) EXECUTE FUNCTION nmsp.pool_option_version_check();

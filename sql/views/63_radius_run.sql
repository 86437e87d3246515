-- Housekeeping of what FreeRADIUS writes, addresses for sqlippool, and FreeRADIUS's configuration.

CREATE OR REPLACE FUNCTION nmsp_radius.partition_bounds(parent regclass, OUT partition regclass, OUT day date)
RETURNS SETOF record LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Partitions are told by their names: <parent>_<yyyymmdd>.
    SELECT c.oid::regclass, to_date(right(c.relname::text, 8), 'YYYYMMDD')
      FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = parent AND c.relname ~ '_[0-9]{8}$';
END;
REVOKE ALL ON FUNCTION nmsp_radius.partition_bounds(regclass) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.partition_bounds(regclass) IS 'The partitions of a table that nmsp_radius.maintain() looks after, and their days (UTC).';

CREATE OR REPLACE FUNCTION nmsp_radius.make_partition(parent regclass, day date) RETURNS boolean
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    name text := format('%s_%s', (SELECT c.relname FROM pg_class c WHERE c.oid = parent), to_char(day, 'YYYYMMDD'));
    timed CONSTANT boolean := parent = 'nmsp_radius.authentication'::regclass;
    first text := CASE WHEN timed THEN format('%L', day || ' 00:00:00+00') ELSE format('%L', day) END;
    after text := CASE WHEN timed THEN format('%L', (day + 1) || ' 00:00:00+00') ELSE format('%L', day + 1) END;
BEGIN
    IF to_regclass('nmsp_radius.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Made apart and attached, so that writers of the other partitions need not wait.
    EXECUTE format('CREATE TABLE nmsp_radius.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', name, parent);
    EXECUTE format('COMMENT ON TABLE nmsp_radius.%I IS %L', name, format('Rows of %s of %s (UTC).', parent, day));
    IF timed THEN
        EXECUTE format('WITH moved AS (DELETE FROM nmsp_radius.authentication_default WHERE at >= %s AND at < %s RETURNING *) INSERT INTO nmsp_radius.%I SELECT * FROM moved',
            first, after, name);
    END IF;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION nmsp_radius.%I FOR VALUES FROM (%s) TO (%s)', parent, name, first, after);
    RETURN true;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.make_partition(regclass, date) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.make_partition(regclass, date) IS 'Makes the partition of a day, taking along what waits in the default partition; false: it was there.';

CREATE OR REPLACE FUNCTION nmsp_radius.archive_sessions(up_to timestamptz, max_rows int) RETURNS bigint
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    oldest CONSTANT date := today - (SELECT s.keep_session FROM nmsp_radius.setting s);
    d date;
    moved bigint;
BEGIN
    CREATE TEMP TABLE nmsp_radius_ended ON COMMIT DROP AS
        SELECT s.id, greatest(least((s.stopped_at AT TIME ZONE 'UTC')::date, today), oldest) AS day
          FROM nmsp_radius.session s WHERE s.stopped_at < up_to ORDER BY s.stopped_at LIMIT max_rows FOR UPDATE SKIP LOCKED;
    FOR d IN SELECT DISTINCT e.day FROM pg_temp.nmsp_radius_ended e LOOP
        PERFORM nmsp_radius.make_partition('nmsp_radius.session_archive', d);
    END LOOP;
    WITH gone AS (DELETE FROM nmsp_radius.session s USING pg_temp.nmsp_radius_ended e WHERE s.id = e.id RETURNING s.*, e.day)
    INSERT INTO nmsp_radius.session_archive (id, session_id, unique_id, username, realm, nas_address, nas_port_id, nas_port_type, started_at, updated_at,
           stopped_at, update_interval, duration, authentic, connect_info_start, connect_info_stop, input_octets, output_octets, called_station,
           calling_station, terminate_cause, service_type, framed_protocol, address, address6, framed_prefix, interface_id, delegated_prefix, class, day)
    SELECT id, session_id, unique_id, username, realm, nas_address, nas_port_id, nas_port_type, started_at, updated_at,
           stopped_at, update_interval, duration, authentic, connect_info_start, connect_info_stop, input_octets, output_octets, called_station,
           calling_station, terminate_cause, service_type, framed_protocol, address, address6, framed_prefix, interface_id, delegated_prefix, class, day
      FROM gone;
    GET DIAGNOSTICS moved = ROW_COUNT;
    DROP TABLE pg_temp.nmsp_radius_ended;
    RETURN moved;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.archive_sessions(timestamptz, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.archive_sessions(timestamptz, int) IS
'Moves sessions that ended before a time to the archive, at most max_rows, oldest first. The day a row is kept under is that of its end, but never in the future nor older than what is kept.';

CREATE OR REPLACE FUNCTION nmsp_radius.maintain(max_rows int DEFAULT 100000) RETURNS TABLE (action text, object text, amount bigint)
LANGUAGE plpgsql SECURITY DEFINER -- partitions belong to the owner of their table
SET search_path TO pg_catalog, pg_temp
SET lock_timeout TO '5s' -- never hold up FreeRADIUS behind a long query: the next call tries again
AS $fn$
DECLARE
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    s nmsp_radius.setting;
    p record;
    rows bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nmsp_radius.maintain'));
    SELECT * INTO s FROM nmsp_radius.setting;
    FOR p IN SELECT DISTINCT d.day FROM (
                 SELECT today + n AS day FROM generate_series(0, s.days_ahead) n
                 UNION ALL
                 SELECT (a.at AT TIME ZONE 'UTC')::date FROM nmsp_radius.authentication_default a
                  WHERE a.at >= (today - s.keep_authentication)::timestamp AT TIME ZONE 'UTC' AND a.at < (today + s.days_ahead)::timestamp AT TIME ZONE 'UTC') d
              ORDER BY d.day LOOP
        IF nmsp_radius.make_partition('nmsp_radius.authentication', p.day) THEN
            RETURN QUERY SELECT 'partition made'::text, format('authentication %s', p.day), 1::bigint;
        END IF;
    END LOOP;
    rows := nmsp_radius.archive_sessions(now() - s.archive_after, max_rows);
    IF rows > 0 THEN
        RETURN QUERY SELECT 'sessions archived'::text, 'session'::text, rows;
    END IF;
    FOR p IN SELECT b.partition, b.day FROM nmsp_radius.partition_bounds('nmsp_radius.session_archive') b WHERE b.day < today - s.keep_session
             UNION ALL
             SELECT b.partition, b.day FROM nmsp_radius.partition_bounds('nmsp_radius.authentication') b WHERE b.day < today - s.keep_authentication LOOP
        EXECUTE format('DROP TABLE %s', p.partition);
        RETURN QUERY SELECT 'partition dropped'::text, replace(p.partition::text, 'nmsp_radius.', ''), 1::bigint;
    END LOOP;
    DELETE FROM nmsp_radius.authentication_default a WHERE a.at < (today - s.keep_authentication)::timestamp AT TIME ZONE 'UTC';
    GET DIAGNOSTICS rows = ROW_COUNT;
    IF rows > 0 THEN
        RETURN QUERY SELECT 'rows deleted'::text, 'authentication_default'::text, rows;
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.maintain(int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.maintain(int) IS
'Makes partitions ahead, archives ended sessions (at most max_rows a call), drops what is older than nmsp_radius.setting keeps; tells what it did. To be called at least daily. Errors: 55P03 when a long query holds a table: call again.';

-- addresses -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_radius.free_address(low inet, high inet, router inet) RETURNS inet
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    candidate inet;
    gap record;
BEGIN
    -- Normally the one after the highest that was ever leased.
    candidate := coalesce((SELECT l.address + 1 FROM nmsp_radius.lease l WHERE l.address BETWEEN low AND high ORDER BY l.address DESC LIMIT 1), low);
    IF candidate <= high AND candidate IS DISTINCT FROM router AND NOT EXISTS (SELECT FROM nmsp.used_address(candidate, candidate)) THEN
        RETURN candidate;
    END IF;
    -- Else the lowest one that is neither leased nor fixed.
    SELECT min(f.address) AS address INTO gap FROM (
        SELECT low AS address
        UNION ALL SELECT l.address + 1 FROM nmsp_radius.lease l WHERE l.address BETWEEN low AND high AND l.address < high
        UNION ALL SELECT u + 1 FROM nmsp.used_address(low, high) u WHERE u < high
        UNION ALL SELECT router + 1 WHERE router BETWEEN low AND high AND router < high) f
     WHERE f.address IS DISTINCT FROM router
       AND NOT EXISTS (SELECT FROM nmsp_radius.lease l WHERE l.address = f.address)
       AND NOT EXISTS (SELECT FROM nmsp.used_address(f.address, f.address));
    RETURN gap.address;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.free_address(inet, inet, inet) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.free_address(inet, inet, inet) IS 'An address from low to high that was never leased and is nobody''s fixed one; null: there is none.';

CREATE OR REPLACE FUNCTION nmsp_radius.lease_address(pool_name text, nas_address text, pool_key text, username text, calling_station text, called_station text,
                                                     lease_seconds int) RETURNS inet
LANGUAGE plpgsql SECURITY DEFINER -- FreeRADIUS's role sees no table
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    until CONSTANT timestamptz := now() + make_interval(secs => lease_seconds);
    p record;
    answer inet;
BEGIN
    FOR p IN SELECT pool.range_start, pool.range_end, pool.router FROM nmsp.pool JOIN nmsp.netgw g ON g.id = pool.netgw_id
              WHERE host(g.address) = lease_address.nas_address AND pool.purpose = lease_address.pool_name AND pool.active
                AND pool.range_start IS NOT NULL AND family(pool.network) = 4 ORDER BY pool.id LOOP
        -- What this subscriber had last, also after its lease ended.
        UPDATE nmsp_radius.lease l SET expires_at = until, calling_station = lease_address.calling_station, called_station = lease_address.called_station
         WHERE l.address = (SELECT x.address FROM nmsp_radius.lease x
                             WHERE x.nas_address = lease_address.nas_address AND x.pool_key = lease_address.pool_key AND x.username = lease_address.username
                               AND x.address BETWEEN p.range_start AND p.range_end AND NOT EXISTS (SELECT FROM nmsp.used_address(x.address, x.address))
                             ORDER BY x.expires_at DESC LIMIT 1 FOR UPDATE)
        RETURNING l.address INTO answer;
        EXIT WHEN answer IS NOT NULL;
    END LOOP;
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    FOR p IN SELECT pool.range_start, pool.range_end, pool.router FROM nmsp.pool JOIN nmsp.netgw g ON g.id = pool.netgw_id
              WHERE host(g.address) = lease_address.nas_address AND pool.purpose = lease_address.pool_name AND pool.active
                AND pool.range_start IS NOT NULL AND family(pool.network) = 4 ORDER BY pool.id LOOP
        LOOP
            answer := nmsp_radius.free_address(p.range_start, p.range_end, p.router);
            EXIT WHEN answer IS NULL;
            -- Another session may take the same one: then there is a row now, and the next is looked for.
            INSERT INTO nmsp_radius.lease (address, pool_name, nas_address, pool_key, called_station, calling_station, expires_at, username)
            VALUES (answer, lease_address.pool_name, lease_address.nas_address, lease_address.pool_key, lease_address.called_station,
                    lease_address.calling_station, until, lease_address.username)
            ON CONFLICT DO NOTHING;
            IF FOUND THEN
                RETURN answer;
            END IF;
        END LOOP;
        UPDATE nmsp_radius.lease l SET expires_at = until, nas_address = lease_address.nas_address, pool_key = lease_address.pool_key,
               pool_name = lease_address.pool_name, username = lease_address.username, calling_station = lease_address.calling_station,
               called_station = lease_address.called_station
         WHERE l.address = (SELECT x.address FROM nmsp_radius.lease x
                             WHERE x.expires_at < now() AND x.address BETWEEN p.range_start AND p.range_end
                               AND NOT EXISTS (SELECT FROM nmsp.used_address(x.address, x.address))
                             ORDER BY x.expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING l.address INTO answer;
        IF answer IS NOT NULL THEN
            RETURN answer;
        END IF;
    END LOOP;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.lease_address(text, text, text, text, text, text, int) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.lease_address(text, text, text, text, text, text, int) IS
'A dynamic IPv4 address for a subscriber from the pools of purpose pool_name of the gateway with this address: the one it had, else one never leased, else the one that has been free the longest; null: no such gateway or pool, or all are taken. Concurrent calls never get the same one.';

-- configuration ---------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_radius.config(connection text DEFAULT NULL, networks cidr[] DEFAULT '{0.0.0.0/0}') RETURNS TABLE (path text, content text)
LANGUAGE plpgsql STABLE
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    sockets text := '/var/run/postgresql';
    conninfo text := connection;
    pooled CONSTANT boolean := (SELECT s.address_source = 'database' FROM nmsp_radius.setting s);
    clients text := '';
    listeners text := '';
    network cidr;
    protocol record;
BEGIN
    IF conninfo IS NULL THEN
        BEGIN
            sockets := coalesce(nullif(btrim(split_part(current_setting('unix_socket_directories'), ',', 1), ' "'), ''), sockets);
        EXCEPTION WHEN insufficient_privilege THEN
            NULL; -- the setting is not for everybody; Debian's folder will do
        END;
        conninfo := format('host=%s port=%s dbname=%s user=freerad', sockets, current_setting('port'), current_database());
    END IF;
    IF conninfo ~ '["\\$[:cntrl:]]' THEN
        PERFORM nmsp.refuse('22023', 'the connection string cannot stand in FreeRADIUS''s configuration', 'It has a quotation mark, a backslash, a dollar sign or a control character.',
            'Give host, port, dbname and user; keep a password in ~/.pgpass of FreeRADIUS''s user.', 'setting');
    END IF;
    FOREACH network IN ARRAY networks LOOP
        clients := clients || format($text$client gateways_%s {
	%s = %s
	dynamic_clients = nmsp_clients
	lifetime = 60
}
$text$, translate(network::text, '.:/', '___'), CASE family(network) WHEN 4 THEN 'ipv4addr' ELSE 'ipv6addr' END, network);
    END LOOP;
    FOR protocol IN SELECT DISTINCT CASE family(n) WHEN 4 THEN 'ipaddr = *' ELSE 'ipv6addr = ::' END AS address, p.type, p.port
                      FROM unnest(networks) n, (VALUES ('auth', 1812), ('acct', 1813)) p(type, port) ORDER BY 1, 3 LOOP
        listeners := listeners || format(E'\tlisten {\n\t\ttype = %s\n\t\t%s\n\t\tport = %s\n\t}\n', protocol.type, protocol.address, protocol.port);
    END LOOP;
    RETURN QUERY VALUES
    ('mods-available/nmsp', format($text$# The queries are FreeRADIUS's own; its tables are views of the schema nmsp_radius.
sql {
	dialect = "postgresql"
	driver = "rlm_sql_postgresql"
	radius_db = "%s application_name=freeradius connect_timeout=3"
	acct_table1 = "radacct"
	acct_table2 = "radacct"
	postauth_table = "radpostauth"
	authcheck_table = "radcheck"
	groupcheck_table = "radgroupcheck"
	authreply_table = "radreply"
	groupreply_table = "radgroupreply"
	usergroup_table = "radusergroup"
	client_table = "nas"
	group_attribute = "SQL-Group"
	# Others (quotes, backslash, control characters) reach the database as =XX; no name has them.
	safe_characters = "@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_: /!#$%%&()*+,;<=>?[]^{|}~"
	read_clients = no
	read_groups = yes
	delete_stale_sessions = yes
	pool {
		# starts without the database, and tries again each second when it is away
		start = 0
		min = 0
		max = ${thread[pool].max_servers}
		spare = ${thread[pool].max_spare_servers}
		uses = 0
		retry_delay = 1
		lifetime = 0
		idle_timeout = 0
		connect_timeout = 3.0
	}
	$INCLUDE ${modconfdir}/${.:name}/main/${dialect}/queries.conf
}
$text$, conninfo) || CASE WHEN pooled THEN $text$
# Addresses from nmsp.pool, without a row for each free one: the queries that look for an address
# are ours (the first of a name counts), the rest are FreeRADIUS's.
sqlippool {
	sql_module_instance = "sql"
	dialect = "postgresql"
	pool_name = "Pool-Name"
	ippool_table = "radippool"
	lease_duration = 3600
	allocate_clear_timeout = 1
	attribute_name = Framed-IP-Address
	req_attribute_name = Framed-IP-Address
	pool_key = "%{Calling-Station-Id}"
	allocate_existing = ""
	allocate_find = "\
		SELECT host(lease_address('%{control:${pool_name}}', '%{NAS-IP-Address}', '${pool_key}', \
			'%{SQL-User-Name}', '%{Calling-Station-Id}', '%{Called-Station-Id}', ${lease_duration}))"
	allocate_update = ""
	pool_check = "SELECT 1"
	$INCLUDE ${modconfdir}/sql/ippool/${dialect}/queries.conf
}
$text$ ELSE '' END),
    ('sites-available/nmsp', clients || $text$
# Who may ask is looked up when a gateway's first packet comes: a new row of nmsp.netgw and
# nmsp.netgw_secret counts at once, without a restart; a changed secret within lifetime.
server nmsp_clients {
	authorize {
		if ("%{sql: SELECT count(*) FROM nas WHERE nasname = '%{%{Packet-Src-IP-Address}:-%{Packet-Src-IPv6-Address}}'}" == "1") {
			update control {
				&FreeRADIUS-Client-Shortname = "%{sql: SELECT shortname FROM nas WHERE nasname = '%{%{Packet-Src-IP-Address}:-%{Packet-Src-IPv6-Address}}'}"
				&FreeRADIUS-Client-Secret = "%{sql: SELECT secret FROM nas WHERE nasname = '%{%{Packet-Src-IP-Address}:-%{Packet-Src-IPv6-Address}}'}"
				&FreeRADIUS-Client-NAS-Type = "other"
				&FreeRADIUS-Client-Virtual-Server = "nmsp"
			}
			if (&Packet-Src-IP-Address) {
				update control {
					&FreeRADIUS-Client-IP-Address = "%{Packet-Src-IP-Address}"
				}
			}
			else {
				update control {
					&FreeRADIUS-Client-IPv6-Address = "%{Packet-Src-IPv6-Address}"
				}
			}
			ok
		}
		else {
			reject
		}
	}
}

server nmsp {
$text$ || listeners || $text$	authorize {
		chap
		mschap
		# While the database is away nobody is rejected: the gateway hears nothing and asks again.
		sql {
			fail = 1
		}
		if (fail) {
			do_not_respond
		}
		expiration
		logintime
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
		Auth-Type MS-CHAP {
			mschap
		}
	}
	preacct {
		acct_unique
	}
	accounting {
		sql
$text$ || CASE WHEN pooled THEN E'\t\tsqlippool\n' ELSE '' END || $text$		attr_filter.accounting_response
	}
	session {
		sql
	}
	post-auth {
$text$ || CASE WHEN pooled THEN E'\t\tsqlippool\n' ELSE '' END || $text$		sql {
			fail = 1
		}
		Post-Auth-Type REJECT {
			sql {
				fail = 1
			}
			attr_filter.access_reject
		}
	}
}
$text$);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.config(text, cidr[]) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.config(text, cidr[]) IS
'FreeRADIUS''s configuration for this database: two files and where they go below /etc/freeradius/3.0. connection: libpq connection string (default: role freerad over the server''s socket); networks: where gateways may be. Errors: 22023 for a connection string that cannot be quoted.';

-- rights ----------------------------------------------------------------------------------------

CREATE OR REPLACE PROCEDURE nmsp_radius.grant_to(grantee regrole)
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA nmsp_radius TO %s', grantee);
    EXECUTE format('GRANT SELECT ON nmsp_radius.radcheck, nmsp_radius.radreply, nmsp_radius.radusergroup, nmsp_radius.radgroupcheck,
        nmsp_radius.radgroupreply, nmsp_radius.nas, nmsp_radius.radacct, nmsp_radius.radpostauth, nmsp_radius.nasreload, nmsp_radius.radippool TO %s', grantee);
    EXECUTE format('GRANT INSERT, UPDATE ON nmsp_radius.radacct, nmsp_radius.nasreload TO %s', grantee);
    EXECUTE format('GRANT INSERT ON nmsp_radius.radpostauth TO %s', grantee);
    EXECUTE format('GRANT UPDATE ON nmsp_radius.radippool TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION nmsp_radius.lease_address(text, text, text, text, text, text, int), nmsp_radius.fill(text, nmsp.service_class, numeric, numeric), nmsp.contract_service(bigint) TO %s', grantee);
    -- FreeRADIUS names tables without a schema; while a statement hangs, a thread of it does.
    EXECUTE format('ALTER ROLE %s IN DATABASE %I SET search_path TO nmsp_radius', grantee, current_database());
    EXECUTE format('ALTER ROLE %s IN DATABASE %I SET statement_timeout TO %L', grantee, current_database(), '10s');
    EXECUTE format('ALTER ROLE %s IN DATABASE %I SET jit TO off', grantee, current_database());
END
$fn$;
REVOKE ALL ON PROCEDURE nmsp_radius.grant_to(regrole) FROM PUBLIC;
COMMENT ON PROCEDURE nmsp_radius.grant_to(regrole) IS 'Level radius of nmsp.grant_to: what FreeRADIUS reads and writes, and its settings in this database.';

-- What FreeRADIUS reads and writes: views with the names and columns of its PostgreSQL queries
-- (mods-config/sql/main/postgresql/queries.conf of 3.2), which run on them unchanged. Views that it
-- writes show one table each, so that INSERT ... ON CONFLICT works on them.

-- check and reply items of an account -----------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_radius.radcheck AS
SELECT a.id * 8 + item.n AS id, a.username, item.attribute, item.op, item.value
  FROM nmsp.ppp_account a
  JOIN nmsp.ppp_service k ON k.ppp_account_id = a.id
  LEFT JOIN nmsp.ppp_account_secret s ON s.ppp_account_id = a.id
  LEFT JOIN nmsp.netgw g ON g.id = a.netgw_id
 CROSS JOIN nmsp_radius.setting c
 CROSS JOIN LATERAL (VALUES
    (0, 'Cleartext-Password', ':=', CASE WHEN a.authentication = 'password' THEN s.password END),
    (1, 'Auth-Type', ':=', CASE WHEN a.authentication = 'port' AND g.address IS NOT NULL THEN 'Accept' END),
    (2, CASE family(g.address) WHEN 6 THEN 'Packet-Src-IPv6-Address' ELSE 'Packet-Src-IP-Address' END, '==',
        CASE WHEN a.authentication = 'port' THEN host(g.address) END),
    (3, 'ADSL-Agent-Circuit-Id', '==', '0x' || encode(convert_to(a.circuit_id, 'UTF8'), 'hex')),
    (4, 'Pool-Name', ':=', CASE WHEN c.address_source = 'database' AND a.address IS NULL
                                THEN CASE WHEN k.public_cpe THEN 'cpe_public' ELSE 'cpe_private' END END)
    ) AS item(n, attribute, op, value)
 WHERE k.internet AND item.value IS NOT NULL;
COMMENT ON VIEW nmsp_radius.radcheck IS 'For FreeRADIUS: what a request of an account must meet; passwords among it. Accounts without internet access have no rows, so they are rejected.';
COMMENT ON COLUMN nmsp_radius.radcheck.id IS 'Order.';
COMMENT ON COLUMN nmsp_radius.radcheck.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.radcheck.attribute IS 'Attribute.';
COMMENT ON COLUMN nmsp_radius.radcheck.op IS 'Operator.';
COMMENT ON COLUMN nmsp_radius.radcheck.value IS 'Value.';

CREATE OR REPLACE VIEW nmsp_radius.radreply AS
SELECT a.id * 8 + item.n AS id, a.username, item.attribute, item.op, item.value
  FROM nmsp.ppp_account a
  JOIN nmsp.ppp_service k ON k.ppp_account_id = a.id
 CROSS JOIN nmsp_radius.setting c
 CROSS JOIN LATERAL (VALUES
    (0, 'Framed-IP-Address', ':=', host(a.address)),
    (1, 'Framed-IPv6-Prefix', '+=', a.framed_prefix::text),
    (2, 'Delegated-IPv6-Prefix', '+=', a.delegated_prefix::text),
    (3, 'Framed-Pool', ':=', CASE WHEN c.address_source = 'gateway' AND a.address IS NULL
                                  THEN CASE WHEN k.public_cpe THEN c.framed_pool_public ELSE c.framed_pool_private END END)
    ) AS item(n, attribute, op, value)
 WHERE k.internet AND item.value IS NOT NULL;
COMMENT ON VIEW nmsp_radius.radreply IS 'For FreeRADIUS: what an account''s gateway is told about the account itself.';
COMMENT ON COLUMN nmsp_radius.radreply.id IS 'Order.';
COMMENT ON COLUMN nmsp_radius.radreply.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.radreply.attribute IS 'Attribute.';
COMMENT ON COLUMN nmsp_radius.radreply.op IS 'Operator.';
COMMENT ON COLUMN nmsp_radius.radreply.value IS 'Value.';

-- groups ----------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_radius.radusergroup AS
SELECT a.id * 2 + item.priority AS id, a.username, item.groupname, item.priority
  FROM nmsp.ppp_account a
  JOIN nmsp.ppp_service k ON k.ppp_account_id = a.id
 CROSS JOIN LATERAL (VALUES (0, 'default'), (1, 'class-' || k.service_class_id)) AS item(priority, groupname)
 WHERE k.internet AND item.groupname IS NOT NULL;
COMMENT ON VIEW nmsp_radius.radusergroup IS 'For FreeRADIUS: the groups of an account: default, then that of its service class.';
COMMENT ON COLUMN nmsp_radius.radusergroup.id IS 'Order.';
COMMENT ON COLUMN nmsp_radius.radusergroup.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.radusergroup.groupname IS 'default or class-<id of the service class>.';
COMMENT ON COLUMN nmsp_radius.radusergroup.priority IS 'Order of the groups.';

-- Placeholders by name, not through jsonb: FreeRADIUS asks for each group of each request.
CREATE OR REPLACE FUNCTION nmsp_radius.fill(value text, c nmsp.service_class, ds_coefficient numeric, us_coefficient numeric) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 1
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    answer text := '';
    opened int;
    closed int;
    piece text;
BEGIN
    LOOP
        opened := strpos(value, '{qos.');
        closed := CASE WHEN opened > 0 THEN strpos(substr(value, opened), '}') ELSE 0 END;
        EXIT WHEN closed = 0;
        CASE substr(value, opened + 1, closed - 2)
            WHEN 'qos.id.0' THEN piece := c.id;
            WHEN 'qos.name.0' THEN piece := c.name;
            WHEN 'qos.ds_rate_max.0' THEN piece := trim_scale(c.ds_rate / 1000000.0);
            WHEN 'qos.us_rate_max.0' THEN piece := trim_scale(c.us_rate / 1000000.0);
            WHEN 'qos.ds_rate_max_help.0' THEN piece := round(c.ds_rate * ds_coefficient);
            WHEN 'qos.us_rate_max_help.0' THEN piece := round(c.us_rate * us_coefficient);
            WHEN 'qos.ds_name.0' THEN piece := c.ds_name;
            WHEN 'qos.us_name.0' THEN piece := c.us_name;
            WHEN 'qos.ds_peak_rate.0' THEN piece := round(c.ds_peak_rate * ds_coefficient);
            WHEN 'qos.us_peak_rate.0' THEN piece := round(c.us_peak_rate * us_coefficient);
            WHEN 'qos.ds_min_reserved_rate.0' THEN piece := round(c.ds_min_reserved_rate * ds_coefficient);
            WHEN 'qos.us_min_reserved_rate.0' THEN piece := round(c.us_min_reserved_rate * us_coefficient);
            ELSE -- a parameter of flows, by its column's name
                piece := to_jsonb(c) ->> substring(substr(value, opened + 1, closed - 2) FROM '^qos\.([a-z_]+)\.0$');
                piece := CASE piece WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE piece END;
        END CASE;
        IF piece IS NULL THEN
            RETURN;
        END IF;
        answer := answer || left(value, opened - 1) || piece;
        value := substr(value, opened + closed);
    END LOOP;
    answer := answer || value;
    -- FreeRADIUS expands and even executes values that begin with a quote.
    IF left(answer, 1) NOT IN ('"', '''', '`') THEN
        RETURN NEXT answer;
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp_radius.fill(text, nmsp.service_class, numeric, numeric) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.fill(text, nmsp.service_class, numeric, numeric) IS 'A value with a service class in the place of {placeholders}; no row when one of them has no value.';

CREATE OR REPLACE VIEW nmsp_radius.group_attribute AS
SELECT a.list, a.position * 4294967296 + a.id AS id, 'default'::text AS groupname, a.attribute, a.op, a.value
  FROM nmsp_radius.attribute a WHERE a.active AND a.scope = 'default'
UNION ALL -- on to the group of the service class
SELECT 'reply'::text, 9223372036854775807, 'default'::text, 'Fall-Through'::text, '='::text, 'Yes'::text
UNION ALL
SELECT a.list, a.position * 4294967296 + a.id, 'class-' || c.id, a.attribute, a.op, v.value
  FROM nmsp.service_class c CROSS JOIN nmsp.setting s CROSS JOIN nmsp_radius.attribute a
 CROSS JOIN LATERAL nmsp_radius.fill(a.value, c, s.ds_rate_coefficient, s.us_rate_coefficient) AS v(value)
 WHERE a.active AND a.scope = 'service_class';
COMMENT ON VIEW nmsp_radius.group_attribute IS 'The attributes of all groups, their placeholders filled.';
COMMENT ON COLUMN nmsp_radius.group_attribute.list IS 'reply or check.';
COMMENT ON COLUMN nmsp_radius.group_attribute.id IS 'Order within the group.';
COMMENT ON COLUMN nmsp_radius.group_attribute.groupname IS 'default or class-<id of the service class>.';
COMMENT ON COLUMN nmsp_radius.group_attribute.attribute IS 'Attribute.';
COMMENT ON COLUMN nmsp_radius.group_attribute.op IS 'Operator.';
COMMENT ON COLUMN nmsp_radius.group_attribute.value IS 'Value.';

CREATE OR REPLACE VIEW nmsp_radius.radgroupcheck AS
SELECT id, groupname, attribute, op, value FROM nmsp_radius.group_attribute WHERE list = 'check';
COMMENT ON VIEW nmsp_radius.radgroupcheck IS 'For FreeRADIUS: check items of groups, from nmsp_radius.attribute.';
COMMENT ON COLUMN nmsp_radius.radgroupcheck.id IS 'Order.';
COMMENT ON COLUMN nmsp_radius.radgroupcheck.groupname IS 'Group.';
COMMENT ON COLUMN nmsp_radius.radgroupcheck.attribute IS 'Attribute.';
COMMENT ON COLUMN nmsp_radius.radgroupcheck.op IS 'Operator.';
COMMENT ON COLUMN nmsp_radius.radgroupcheck.value IS 'Value.';

CREATE OR REPLACE VIEW nmsp_radius.radgroupreply AS
SELECT id, groupname, attribute, op, value FROM nmsp_radius.group_attribute WHERE list = 'reply';
COMMENT ON VIEW nmsp_radius.radgroupreply IS 'For FreeRADIUS: reply items of groups, from nmsp_radius.attribute and the service classes.';
COMMENT ON COLUMN nmsp_radius.radgroupreply.id IS 'Order.';
COMMENT ON COLUMN nmsp_radius.radgroupreply.groupname IS 'Group.';
COMMENT ON COLUMN nmsp_radius.radgroupreply.attribute IS 'Attribute.';
COMMENT ON COLUMN nmsp_radius.radgroupreply.op IS 'Operator.';
COMMENT ON COLUMN nmsp_radius.radgroupreply.value IS 'Value.';

-- clients ---------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_radius.nas AS
SELECT g.id, host(g.address) AS nasname, g.name AS shortname, 'other'::text AS type, NULL::int AS ports, x.radius_secret AS secret,
       NULL::text AS server, NULL::text AS community, g.description
  FROM nmsp.netgw g JOIN nmsp.netgw_secret x ON x.netgw_id = g.id
 WHERE g.address IS NOT NULL AND x.radius_secret IS NOT NULL;
COMMENT ON VIEW nmsp_radius.nas IS 'For FreeRADIUS: its clients are the gateways that have an address and a RADIUS secret.';
COMMENT ON COLUMN nmsp_radius.nas.id IS 'Key of the gateway.';
COMMENT ON COLUMN nmsp_radius.nas.nasname IS 'Address that its requests come from.';
COMMENT ON COLUMN nmsp_radius.nas.shortname IS 'Name.';
COMMENT ON COLUMN nmsp_radius.nas.type IS 'Always other.';
COMMENT ON COLUMN nmsp_radius.nas.ports IS 'Always null.';
COMMENT ON COLUMN nmsp_radius.nas.secret IS 'RADIUS secret.';
COMMENT ON COLUMN nmsp_radius.nas.server IS 'Always null: the default server.';
COMMENT ON COLUMN nmsp_radius.nas.community IS 'Always null.';
COMMENT ON COLUMN nmsp_radius.nas.description IS 'Free text.';

-- what FreeRADIUS writes ------------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_radius.radacct AS
SELECT id AS radacctid, session_id AS acctsessionid, unique_id AS acctuniqueid, username, realm, nas_address AS nasipaddress, nas_port_id AS nasportid,
       nas_port_type AS nasporttype, started_at AS acctstarttime, updated_at AS acctupdatetime, stopped_at AS acctstoptime,
       update_interval AS acctinterval, duration AS acctsessiontime, authentic AS acctauthentic, connect_info_start AS connectinfo_start,
       connect_info_stop AS connectinfo_stop, input_octets AS acctinputoctets, output_octets AS acctoutputoctets, called_station AS calledstationid,
       calling_station AS callingstationid, terminate_cause AS acctterminatecause, service_type AS servicetype, framed_protocol AS framedprotocol,
       address AS framedipaddress, address6 AS framedipv6address, framed_prefix AS framedipv6prefix, interface_id AS framedinterfaceid,
       delegated_prefix AS delegatedipv6prefix, class
  FROM nmsp_radius.session;
COMMENT ON VIEW nmsp_radius.radacct IS 'For FreeRADIUS: accounting; shows nmsp_radius.session.';
DO $do$
DECLARE
    c record;
BEGIN
    -- The columns of a view over one table mean what the table's columns mean.
    FOR c IN SELECT v.relname AS view, a.attname, col_description(t.oid, b.attnum) AS meaning
               FROM (VALUES ('radacct', 'session')) pair(view, base)
               JOIN pg_class v ON v.relname = pair.view AND v.relnamespace = 'nmsp_radius'::regnamespace
               JOIN pg_class t ON t.relname = pair.base AND t.relnamespace = 'nmsp_radius'::regnamespace
               JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
               JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = a.attnum LOOP
        EXECUTE format('COMMENT ON COLUMN nmsp_radius.%I.%I IS %L', c.view, c.attname, c.meaning);
    END LOOP;
END
$do$;

CREATE OR REPLACE VIEW nmsp_radius.radpostauth AS
SELECT id, username, password AS pass, reply, called_station AS calledstationid, calling_station AS callingstationid, at AS authdate, class
  FROM nmsp_radius.authentication;
COMMENT ON VIEW nmsp_radius.radpostauth IS 'For FreeRADIUS: answers to requests for access; shows nmsp_radius.authentication.';
COMMENT ON COLUMN nmsp_radius.radpostauth.id IS 'Key.';
COMMENT ON COLUMN nmsp_radius.radpostauth.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.radpostauth.pass IS 'Always null: what is written here is dropped.';
COMMENT ON COLUMN nmsp_radius.radpostauth.reply IS 'Access-Accept or Access-Reject.';
COMMENT ON COLUMN nmsp_radius.radpostauth.calledstationid IS 'Called-Station-Id.';
COMMENT ON COLUMN nmsp_radius.radpostauth.callingstationid IS 'Calling-Station-Id.';
COMMENT ON COLUMN nmsp_radius.radpostauth.authdate IS 'When.';
COMMENT ON COLUMN nmsp_radius.radpostauth.class IS 'Class.';

CREATE OR REPLACE VIEW nmsp_radius.nasreload AS
SELECT nas_address AS nasipaddress, at AS reloadtime FROM nmsp_radius.gateway_restart;
COMMENT ON VIEW nmsp_radius.nasreload IS 'For FreeRADIUS: restarts of gateways; shows nmsp_radius.gateway_restart.';
COMMENT ON COLUMN nmsp_radius.nasreload.nasipaddress IS 'Address of the gateway.';
COMMENT ON COLUMN nmsp_radius.nasreload.reloadtime IS 'When it restarted.';

CREATE OR REPLACE VIEW nmsp_radius.radippool AS
SELECT id, pool_name, address AS framedipaddress, nas_address AS nasipaddress, pool_key, called_station AS calledstationid,
       calling_station AS callingstationid, expires_at AS expiry_time, username
  FROM nmsp_radius.lease;
COMMENT ON VIEW nmsp_radius.radippool IS 'For FreeRADIUS''s sqlippool, which renews and ends leases here; it takes new ones from nmsp_radius.lease_address().';
COMMENT ON COLUMN nmsp_radius.radippool.id IS 'Number.';
COMMENT ON COLUMN nmsp_radius.radippool.pool_name IS 'cpe_public or cpe_private.';
COMMENT ON COLUMN nmsp_radius.radippool.framedipaddress IS 'The address.';
COMMENT ON COLUMN nmsp_radius.radippool.nasipaddress IS 'NAS-IP-Address.';
COMMENT ON COLUMN nmsp_radius.radippool.pool_key IS 'What tells subscribers apart.';
COMMENT ON COLUMN nmsp_radius.radippool.calledstationid IS 'Called-Station-Id.';
COMMENT ON COLUMN nmsp_radius.radippool.callingstationid IS 'Calling-Station-Id.';
COMMENT ON COLUMN nmsp_radius.radippool.expiry_time IS 'Until when it is taken.';
COMMENT ON COLUMN nmsp_radius.radippool.username IS 'User-Name.';
-- expiry_time is timestamptz where FreeRADIUS's own schema has timestamp: its queries mean the same.

-- for people ------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW nmsp_radius.accounting AS
SELECT id, session_id, unique_id, username, realm, nas_address, nas_port_id, nas_port_type, started_at, updated_at, stopped_at, update_interval,
       duration, authentic, connect_info_start, connect_info_stop, input_octets, output_octets, called_station, calling_station, terminate_cause,
       service_type, framed_protocol, address, address6, framed_prefix, interface_id, delegated_prefix, class
  FROM nmsp_radius.session
UNION ALL
SELECT id, session_id, unique_id, username, realm, nas_address, nas_port_id, nas_port_type, started_at, updated_at, stopped_at, update_interval,
       duration, authentic, connect_info_start, connect_info_stop, input_octets, output_octets, called_station, calling_station, terminate_cause,
       service_type, framed_protocol, address, address6, framed_prefix, interface_id, delegated_prefix, class
  FROM nmsp_radius.session_archive;
COMMENT ON VIEW nmsp_radius.accounting IS 'All sessions: open, ended lately, archived.';
DO $do$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT a.attname, col_description(a.attrelid, a.attnum) AS meaning FROM pg_attribute a
              WHERE a.attrelid = 'nmsp_radius.session'::regclass AND a.attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN nmsp_radius.accounting.%I IS %L', c.attname, c.meaning);
    END LOOP;
END
$do$;

CREATE OR REPLACE FUNCTION nmsp_radius.quote(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '"' || pg_catalog.regexp_replace(pg_catalog.replace(pg_catalog.replace(value, '\', '\\'), '"', '\"'), '[[:cntrl:]]', '?', 'g') || '"';
REVOKE ALL ON FUNCTION nmsp_radius.quote(text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp_radius.quote(text) IS 'A value as radclient reads it, in quotes; control characters become question marks.';

CREATE OR REPLACE VIEW nmsp_radius.open_session AS
SELECT s.username, s.started_at, s.updated_at, s.address, s.delegated_prefix, s.input_octets, s.output_octets, s.calling_station, g.id AS netgw_id, g.name AS netgw,
       CASE WHEN g.coa_port IS NOT NULL THEN host(g.address) || ':' || g.coa_port END AS disconnect_at,
       format('User-Name = %s, Acct-Session-Id = %s, NAS-IP-Address = %s', nmsp_radius.quote(s.username), nmsp_radius.quote(s.session_id),
              host(s.nas_address)) AS disconnect_request
  FROM nmsp_radius.session s LEFT JOIN nmsp.netgw g ON g.address = s.nas_address
 WHERE s.stopped_at IS NULL;
COMMENT ON VIEW nmsp_radius.open_session IS 'Sessions that are open, and how to end one: disconnect_request is what radclient sends to disconnect_at (RFC 5176).';
COMMENT ON COLUMN nmsp_radius.open_session.username IS 'User-Name.';
COMMENT ON COLUMN nmsp_radius.open_session.started_at IS 'Begin.';
COMMENT ON COLUMN nmsp_radius.open_session.updated_at IS 'Last accounting packet.';
COMMENT ON COLUMN nmsp_radius.open_session.address IS 'Framed-IP-Address.';
COMMENT ON COLUMN nmsp_radius.open_session.delegated_prefix IS 'Delegated-IPv6-Prefix.';
COMMENT ON COLUMN nmsp_radius.open_session.input_octets IS 'Bytes from the subscriber.';
COMMENT ON COLUMN nmsp_radius.open_session.output_octets IS 'Bytes to the subscriber.';
COMMENT ON COLUMN nmsp_radius.open_session.calling_station IS 'Calling-Station-Id.';
COMMENT ON COLUMN nmsp_radius.open_session.netgw_id IS 'Gateway with that address; null: none is known.';
COMMENT ON COLUMN nmsp_radius.open_session.netgw IS 'Its name.';
COMMENT ON COLUMN nmsp_radius.open_session.disconnect_at IS 'Address and port for Disconnect requests; null: the gateway takes none.';
COMMENT ON COLUMN nmsp_radius.open_session.disconnect_request IS 'Attributes of the Disconnect request, as radclient reads them.';

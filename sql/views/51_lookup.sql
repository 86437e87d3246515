-- What ISC dhcpd asks of each client by its look-up (ldap-method dynamic), answered by nmsp-agent.

CREATE OR REPLACE FUNCTION nmsp.lookup_host(mac macaddr, OUT name text, OUT statements text[], OUT options text[]) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path TO pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'cm-' || m.id,
           array_remove(ARRAY['fixed-address ' || host(m.address), format('filename "%s"', nmsp.modem_path(m.id, x.download_key))], NULL),
           array_remove(ARRAY[format('host-name "cm-%s"', m.id),
               CASE WHEN EXISTS (SELECT FROM nmsp.mta t WHERE t.modem_id = m.id) THEN 'cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.cm_option_122(v, s.provisioning_server)) END], NULL)
      FROM nmsp.modem m, nmsp.setting_secret x, nmsp.setting s, nmsp.voice_setting v WHERE m.mac = lookup_host.mac
    UNION ALL
    SELECT 'mta-' || t.id,
           array_remove(ARRAY['fixed-address ' || host(t.address), format('filename "%s"', nmsp.mta_path(t.id, x.download_key))], NULL),
           array_remove(ARRAY[format('host-name "mta-%s"', t.id), format('bootfile-name "%s"', nmsp.mta_path(t.id, x.download_key)),
               CASE WHEN t.provisioning IS NOT NULL THEN 'cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.mta_option_122(v, s.provisioning_server, t.provisioning)) END], NULL)
      FROM nmsp.mta t, nmsp.setting_secret x, nmsp.setting s, nmsp.voice_setting v WHERE t.mac = lookup_host.mac
    UNION ALL
    SELECT e.name, ARRAY['fixed-address ' || host(e.address)], ARRAY[]::text[]
      FROM nmsp.endpoint e JOIN nmsp.modem m ON m.id = e.modem_id
     WHERE e.mac = lookup_host.mac AND e.address IS NOT NULL AND nmsp.cpe_class(m.id, m.internet_access, m.public_cpe) <> 'blocked';
END;
REVOKE ALL ON FUNCTION nmsp.lookup_host(macaddr) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.lookup_host(macaddr) IS
'The host that ISC dhcpd asks for by its hardware address: a modem, an MTA, or an endpoint with a MAC; name, statements and options in dhcpd''s language. No row: unknown.';

CREATE OR REPLACE FUNCTION nmsp.lookup_class(remote_id macaddr, class text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
RETURN (SELECT class = 'cpe-' || nmsp.cpe_class(m.id, m.internet_access, m.public_cpe)
          FROM nmsp.modem m WHERE m.mac = lookup_class.remote_id);
REVOKE ALL ON FUNCTION nmsp.lookup_class(macaddr, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.lookup_class(macaddr, text) IS
'Whether CPEs behind this modem (option 82 remote-id) are members of dhcpd''s class cpe-public, cpe-private or cpe-blocked; null: no such modem.';

-- What ISC dhcpd asks of each client by its look-up (ldap-method dynamic), answered by nmsp-agent.

-- PL/pgSQL, for its plans are kept, and one question after the other, for most clients are modems: dhcpd
-- waits for each answer before it looks at the next packet.
CREATE OR REPLACE FUNCTION nmsp.lookup_host(mac macaddr, OUT name text, OUT statements text[], OUT options text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    SELECT 'cm-' || m.id,
           array_remove(ARRAY['fixed-address ' || host(m.address), format('filename "%s"', nmsp.modem_path(m.id, x.download_key))], NULL),
           array_remove(ARRAY[format('host-name "cm-%s"', m.id),
               (SELECT 'cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.cm_option_122(v, s.provisioning_server)) FROM nmsp.setting s, nmsp.voice_setting v
                 WHERE EXISTS (SELECT FROM nmsp.mta t WHERE t.modem_id = m.id))], NULL)
      INTO name, statements, options FROM nmsp.modem m, nmsp.setting_secret x WHERE m.mac = lookup_host.mac;
    IF FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT 'mta-' || t.id,
           array_remove(ARRAY['fixed-address ' || host(t.address), format('filename "%s"', nmsp.mta_path(t.id, x.download_key))], NULL),
           array_remove(ARRAY[format('host-name "mta-%s"', t.id), format('bootfile-name "%s"', nmsp.mta_path(t.id, x.download_key)),
               CASE WHEN t.provisioning IS NOT NULL THEN 'cablelabs ' || nmsp_feed.dhcpd_hex(nmsp.mta_option_122(v, s.provisioning_server, t.provisioning)) END], NULL)
      INTO name, statements, options FROM nmsp.mta t, nmsp.setting_secret x, nmsp.setting s, nmsp.voice_setting v WHERE t.mac = lookup_host.mac;
    IF FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT e.name, ARRAY['fixed-address ' || host(e.address)], ARRAY[]::text[] INTO name, statements, options
      FROM nmsp.endpoint e JOIN nmsp.modem m ON m.id = e.modem_id
     WHERE e.mac = lookup_host.mac AND e.address IS NOT NULL AND nmsp.cpe_class(m.id, m.internet_access, m.public_cpe) <> 'blocked';
    IF FOUND THEN
        RETURN NEXT;
    END IF;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.lookup_host(macaddr) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.lookup_host(macaddr) IS
'The host that ISC dhcpd asks for by its hardware address: a modem, an MTA, or an endpoint with a MAC; name, statements and options in dhcpd''s language. No row: unknown.';

CREATE OR REPLACE FUNCTION nmsp.lookup_class(remote_id macaddr, class text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    RETURN (SELECT class = 'cpe-' || nmsp.cpe_class(m.id, m.internet_access, m.public_cpe)
              FROM nmsp.modem m WHERE m.mac = lookup_class.remote_id);
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.lookup_class(macaddr, text) FROM PUBLIC;
COMMENT ON FUNCTION nmsp.lookup_class(macaddr, text) IS
'Whether CPEs behind this modem (option 82 remote-id) are members of dhcpd''s class cpe-public, cpe-private or cpe-blocked; null: no such modem.';

-- Just-in-time compilation never pays here: these functions are made of many small statements, whose
-- estimated cost (not their work) is high, and each would be compiled anew at each call. That is seconds
-- for milliseconds. The workers switch it off for themselves; an operator who asks in an ordinary
-- session shall not have to know. Only functions that are called as a whole are named: a function with
-- a setting of its own is never inlined, which those inside of them may well be, and they run under
-- the setting of who calls them.
DECLARE
    f regprocedure;
BEGIN
    FOR f IN
        SELECT p.oid::regprocedure FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE (n.nspname || '.' || p.proname) IN (
                   SELECT v FROM nmsp_feed.feed, LATERAL (VALUES (keys_function), (render_function)) u(v) WHERE v ~ '^nmsp(_feed)?\.'
                   UNION ALL
                   VALUES ('nmsp.preview'), ('nmsp.preview_rows'), ('nmsp.explain_modem'), ('nmsp.health'), ('nmsp.dhcp_state'),
                          ('nmsp_kea.dhcp4_config'), ('nmsp_kea.dhcp6_config'), ('nmsp_feed.dhcpd_global'), ('nmsp_feed.dhcpd_device'), ('nmsp_feed.dhcpd_subnet'))
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET jit TO off', f);
    END LOOP;
END;

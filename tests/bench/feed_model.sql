-- The operator that tests/bench/feed_bench.py measures. Variables: secret, template, modems, per_network,
-- server. dhcp_load.c knows the addresses: keep them alike.
SET synchronous_commit = off;
UPDATE nmsp.setting SET provisioning_server = :'server', dns_server = '{9.9.9.9,1.1.1.1}', ntp_server = '{9.9.9.8}',
       default_lease_time = 3600, max_lease_time = 7200, domain_name = 'example.test';
INSERT INTO nmsp.netgw (name) SELECT 'cmts-' || n FROM generate_series(1, (:modems + :per_network - 1) / :per_network) n;
INSERT INTO nmsp.netgw_secret SELECT id, :'secret' || id FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
    SELECT id, 'cm', format('10.%s.0.0/16', id)::cidr, format('10.%s.0.10', id)::inet, format('10.%s.255.240', id)::inet,
           format('10.%s.0.1', id)::inet FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
    SELECT id, 'cpe_private', format('100.%s.0.0/20', 63 + id)::cidr, format('100.%s.0.10', 63 + id)::inet,
           format('100.%s.15.240', 63 + id)::inet, format('100.%s.0.1', 63 + id)::inet FROM nmsp.netgw WHERE id < 64;
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('everybody', 100000000, 10000000);
-- Each modem has a file of its own: its host name is in it.
INSERT INTO nmsp.template (name, source) VALUES ('own', E'SnmpMibObject sysName.0 String "{modem.hostname.0}";\n' || :'template');

SET session_replication_role = replica; -- no triggers: nothing is fed yet
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address)
    SELECT ('02' || lpad(to_hex(i), 10, '0'))::macaddr, n, 1, 1,
           CASE WHEN i % 2 = 0 THEN '10.0.128.0'::inet + n * 65536 + (i - 1) % :per_network / 2 END
      FROM (SELECT i, 1 + (i - 1) / :per_network AS n FROM generate_series(1, :modems::bigint) i ORDER BY i) m;
RESET session_replication_role;
VACUUM (FREEZE, ANALYZE);

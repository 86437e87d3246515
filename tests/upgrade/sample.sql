-- Rows in every table, for a database that was just made.
INSERT INTO nmsp.netgw (name, address) VALUES ('cmts-1', '10.0.0.1'), ('cmts-2', '10.0.0.2');
INSERT INTO nmsp.netgw_secret SELECT id, 'secret of ' || name FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router, dns_server, dhcpd_text)
SELECT id, 'cm', ('10.' || id || '.0.0/16')::cidr, ('10.' || id || '.0.10')::inet, ('10.' || id || '.9.250')::inet,
       ('10.' || id || '.0.1')::inet, '{10.0.0.53,10.0.0.54}', E'# text\n\t"quoted"' FROM nmsp.netgw;
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, vendor_class) VALUES
    (1, 'cpe_public', '198.51.100.0/24', '198.51.100.10', '198.51.100.200', NULL),
    (1, 'stb', '192.0.2.0/25', '192.0.2.10', '192.0.2.100', 'STB "x"'),
    (2, 'cpe_private', '2001:db8::/64', '2001:db8::10', '2001:db8::ffff', NULL);
INSERT INTO nmsp.pool_option (pool_id, code, suboption, kind, value) VALUES (1, 150, 0, 'address', '10.0.0.7');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('gold', 1000000000, 50000000), ('silver', 100000000, 10000000);
INSERT INTO nmsp.template (name, source) VALUES ('root', E'MaxCPE {{modem.cpe.0},?,4};\nGlobalPrivacyEnable 0;');
INSERT INTO nmsp.template (name, source, parent_id) VALUES ('base', E'UsServiceFlow\n{\n  UsServiceFlowRef 1;\n  MaxRateSustained {qos.us_rate_max_help.0};\n}', 1);
INSERT INTO nmsp.template (name, source, parent_id) VALUES ('größer', 'SnmpMibObject sysContact.0 String "{modem.hostname.0} {modem.name.0}";', 2);
INSERT INTO nmsp.template (name, source) VALUES ('top', 'SwUpgradeFilename "top.bin";');
UPDATE nmsp.template SET parent_id = (SELECT id FROM nmsp.template WHERE name = 'top') WHERE name = 'root'; -- a parent that is younger
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address, name, public_cpe)
SELECT ('00:11:22:00:00:' || lpad(to_hex(g), 2, '0'))::macaddr, 1 + g % 2, 1 + g % 3, CASE WHEN g % 5 > 0 THEN 1 + g % 2 END,
       CASE WHEN g % 4 = 0 THEN nmsp.allocate_address(1 + g % 2) END, 'modem-' || g, g % 2 = 0 FROM generate_series(1, 40) g;
INSERT INTO nmsp.modem_option SELECT id, 'cpe', '7' FROM nmsp.modem WHERE id % 3 = 0;
INSERT INTO nmsp.endpoint (name, modem_id, mac, address)
SELECT 'customer-' || id, id, ('02' || substr(mac::text, 3))::macaddr, nmsp.allocate_address(3) FROM nmsp.modem WHERE netgw_id = 1;
INSERT INTO nmsp_feed.target (feed, name, root) VALUES ('tftpd', 'main', '/srv/tftp/main'), ('dhcpd', 'main', '/etc/dhcp/nmsp/main');
INSERT INTO nmsp_feed.artifact (target_id, part, id, path, sha256, size, error) SELECT 1, 'cm', id, 'cm/cm-' || id || '.cfg', '\x00', 1, CASE WHEN id = 3 THEN 'bad' END FROM nmsp.modem;
INSERT INTO nmsp_feed.bulk (target_id, cause, ids, done) VALUES (1, 'modem', '{1,2,3}', 1);
INSERT INTO nmsp_feed.gone VALUES (1, 'cm/cm-99.cfg', '2030-01-01');
INSERT INTO nmsp_feed.seen VALUES (1, 'cm-1.example.net. A', '3600 10.0.0.1', true);
INSERT INTO nmsp.mib_object (name, module, oid, type, access, ranges, enums, index_columns, index_implied) VALUES
    ('acmeMode', 'ACME-MIB', '1.3.6.1.4.1.99999.1', 'INTEGER', 'read-write', NULL, '{"slow": 1, "fast": 2}', NULL, false),
    ('acmeEntry', 'ACME-MIB', '1.3.6.1.4.1.99999.2.1', NULL, 'not-accessible', NULL, NULL, '{acmeName}', true),
    ('acmeName', 'ACME-MIB', '1.3.6.1.4.1.99999.2.1.1', 'OCTET STRING', 'not-accessible', '1..16', NULL, NULL, false);
UPDATE nmsp.setting SET dns_server = '{10.0.0.53}', time_zone = 'Europe/Berlin';
INSERT INTO nmsp.netgw (name, kind, address, coa_port) VALUES ('bras-1', 'bras', '10.0.0.9', 3799);
INSERT INTO nmsp.netgw_secret (netgw_id, radius_secret) SELECT id, 'radius-secret' FROM nmsp.netgw WHERE name = 'bras-1';
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end) SELECT id, 'cpe_private', '100.64.0.0/24', '100.64.0.10', '100.64.0.99' FROM nmsp.netgw WHERE name = 'bras-1';
INSERT INTO nmsp.ppp_account (username, netgw_id, service_class_id, delegated_prefix, authentication)
SELECT 'user-' || g, n.id, 1, ('2001:db8:' || g || '::/56')::cidr, CASE WHEN g = 3 THEN 'port' ELSE 'password' END FROM nmsp.netgw n, generate_series(1, 5) g WHERE n.name = 'bras-1';
INSERT INTO nmsp.ppp_account_secret SELECT id, 'p"w%' || id FROM nmsp.ppp_account WHERE authentication = 'password';
INSERT INTO nmsp_radius.radacct (acctsessionid, acctuniqueid, username, nasipaddress, acctstarttime, acctstoptime)
SELECT 's' || g, 'u' || g, 'user-' || g, '10.0.0.9', now() - interval '3 days', CASE WHEN g < 3 THEN now() - interval '2 days' END FROM generate_series(1, 4) g;
DO 'BEGIN PERFORM nmsp_radius.archive_sessions(now(), 10); PERFORM nmsp_radius.lease_address(''cpe_private'', ''10.0.0.9'', ''k'', ''user-1'', '''', '''', 3600); END';
INSERT INTO nmsp_radius.radpostauth (username, reply) VALUES ('user-1', 'Access-Accept');
INSERT INTO nmsp_radius.nasreload VALUES ('10.0.0.9', now());
INSERT INTO nmsp.download (at, agent, source, path, result, modem_id, netgw_id, bytes, duration_ms, sha256)
SELECT at, 'agent-1', '10.1.0.10', 'cm/cm-1.cfg', 'served', 1, 1, 104, 1.5, '\x01'
  FROM (SELECT now() + g * interval '7 days' FROM generate_series(0, 2) g UNION ALL SELECT now() + interval '1 year') x(at); -- each partition, and none
INSERT INTO nmsp.modem_download (modem_id, at, netgw_id, source, sha256, config_sha256) VALUES (1, now(), 1, '10.1.0.10', '\x01', '\x02');
INSERT INTO nmsp_feed.agent (name, work, version, serves, address, pid, began, seen) VALUES ('agent-1', 'serve', '1.0', '{download,time}', '10.0.0.5', 4711, now(), now());
-- Customers, and what the contracts of two modems say.
INSERT INTO nmsp.customer (number, name) VALUES ('C-1', 'Jürgen "Jo" Größer'), ('C-2', 'Erika Muster');
INSERT INTO nmsp.contract (number, customer_id, validity) SELECT 'V-' || c.number, c.id, CASE c.number WHEN 'C-1' THEN '[2020-01-01,)' ELSE '[2020-01-01,2020-07-01)' END::daterange FROM nmsp.customer c;
INSERT INTO nmsp.entitlement (contract_id, kind, service_class_id, quantity)
SELECT c.id, k.kind, k.service_class_id, k.quantity FROM nmsp.contract c, (VALUES ('internet', 1, NULL), ('voice', NULL, NULL), ('cpe', NULL, 3)) k(kind, service_class_id, quantity);
INSERT INTO nmsp.contract_modem (modem_id, contract_id) VALUES (7, 1), (8, 2);
INSERT INTO nmsp.service_block (contract_id, modem_id, scope, during, reason) VALUES (1, NULL, 'internet', '[2021-01-01 00:00+00,2021-01-02 00:00+00)', 'unpaid'), (NULL, 9, 'all', '[2021-01-01 00:00+00,)', 'abuse');
-- Voice.
INSERT INTO nmsp.dial_plan (name, digit_map) VALUES ('de', E'TIMER T=4\n(*xx|0[1-9]x.T)');
INSERT INTO nmsp.template (name, device, source, dial_plan_id) SELECT 'phone', 'mta', 'SnmpMibObject sysContact.0 String "{mta.hostname.0}";', id FROM nmsp.dial_plan;
INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT '00:11:22:00:01:07', 7, id FROM nmsp.template WHERE name = 'phone';
INSERT INTO nmsp.carrier_code VALUES ('D001', 'One carrier'), ('D002', 'Another');
INSERT INTO nmsp.ekp_code VALUES ('DEU.ONE', 'One of them');
INSERT INTO nmsp.trc_class VALUES (1, 'Nothing is barred'), (5, 'International calls');
INSERT INTO nmsp.phone_number (number, area_code, mta_id, port, validity, username, trc_class, porting_in, carrier_in, ekp_in)
SELECT '+49372555001', '372', id, 0, '[2030-01-01 00:00+00,)'::tstzrange, '+49372555001', 5, 'confirmed', 'D001', 'DEU.ONE' FROM nmsp.mta UNION ALL
SELECT '+49372555002', '372', id, 1, '(,)', 'user2', 1, NULL, NULL, NULL FROM nmsp.mta;
INSERT INTO nmsp.phone_number_secret SELECT id, 'p%w ' || port FROM nmsp.phone_number;
INSERT INTO nmsp.mta_download (mta_id, at, netgw_id, source, sha256) SELECT id, now(), 1, '10.1.0.77', '\x03' FROM nmsp.mta;
-- Firmware and actions.
INSERT INTO nmsp.firmware_image (vendor, model, version, file_name, size, sha256, unsigned) VALUES ('Acme', '{"Box 1",Box2}', '2.0', 'box-2.0.bin', 1000, sha256('2.0'), true);
INSERT INTO nmsp.modem_version (modem_id, version, vendor, model, reported_at, changed_at) SELECT id, '1.0', 'Acme', 'Box2', now(), now() FROM nmsp.modem WHERE id <= 20;
INSERT INTO nmsp.firmware_rule (image_id, modem_id, at_boot) SELECT i.id, 5, true FROM nmsp.firmware_image i;
INSERT INTO nmsp.firmware_rule (image_id, netgw_id, rank) SELECT i.id, 1, 200 FROM nmsp.firmware_image i;
INSERT INTO nmsp.firmware_campaign (name, rule_id, batch_size, canary_share) SELECT 'box 2.0', id, 3, 0.3 FROM nmsp.firmware_rule WHERE netgw_id = 1;
DO 'BEGIN PERFORM nmsp.start_campaign(id) FROM nmsp.firmware_campaign; PERFORM nmsp.advance_campaigns(); PERFORM nmsp.request_reset(mac, ''moved'') FROM nmsp.modem WHERE id = 4; END';
-- Leases: each partition, and none.
INSERT INTO nmsp.lease (address, prefix_length, mac, client_id, hostname, remote_id, kind, modem_id, pool_id, netgw_id, state, since, starts, ends, daemon, agent)
VALUES ('10.1.9.1', 32, '00:11:22:00:00:02', '\x01001122000002', 'cm', NULL, 'cm', 2, 1, 1, 'active', now(), now(), now() + interval '1 day', 'dhcpd', 'agent-1');
INSERT INTO nmsp.lease_history (address, prefix_length, mac, kind, modem_id, netgw_id, since, until)
SELECT '10.1.9.1', 32, '00:11:22:00:00:03', 'cm', 3, 1, until - interval '1 hour', until
  FROM (SELECT now() + g * interval '7 days' FROM generate_series(0, 2) g UNION ALL SELECT now() + interval '1 year') x(until);
DO 'BEGIN PERFORM nmsp.keep_leases(); END';

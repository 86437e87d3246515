-- Proposals for access gateways, and what differs on the gateway.
BEGIN;
SELECT * FROM no_plan();
UPDATE nmsp.setting SET provisioning_server = '172.20.0.1', domain_name = 'isp.test', ntp_server = '{172.20.0.2}';
UPDATE nmsp.setting_secret SET ro_community = 'r{o}', rw_community = 'rw';
INSERT INTO nmsp.netgw (name, vendor) VALUES ('cbr-1', 'Cisco'), ('casa-1', 'Casa Systems'), ('e6000-1', 'ARRIS');
INSERT INTO nmsp.netgw (name, kind, interface) VALUES ('olt-1', 'olt', 'GigabitEthernet0/1');
INSERT INTO nmsp.netgw_secret (netgw_id, shared_secret) SELECT id, 'topsecret' FROM nmsp.netgw WHERE kind = 'cmts';
INSERT INTO nmsp.pool (netgw_id, purpose, network, router)
    SELECT g.id, p.purpose, (replace(p.network, 'N', g.n::text))::cidr, (replace(p.router, 'N', g.n::text))::inet
      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM nmsp.netgw) g,
    (VALUES ('cpe_public', '10.N.64.0/18', '10.N.64.1'), ('cm', '10.N.0.0/20', '10.N.0.1'), ('cm', '10.N.16.0/24', '10.N.16.1'), ('mta', '10.N.32.0/24', '10.N.32.1'),
            ('cm', '2001:db8:N::/64', '2001:db8:N::1')) p(purpose, network, router);
SELECT id AS cisco FROM nmsp.netgw WHERE name = 'cbr-1' \gset
SELECT is(nmsp.netgw_config(:cisco), $$! Proposal for cbr-1 by nmsp, in the language of cisco. Lines that it does not name are yours.
hostname cbr-1
ip domain name isp.test
ip dhcp relay information option
no ip dhcp relay information check
cable shared-secret 0 topsecret
interface Bundle1
 ip address 10.1.0.1 255.255.240.0
 ip address 10.1.16.1 255.255.255.0 secondary
 ip address 10.1.32.1 255.255.255.0 secondary
 ip address 10.1.64.1 255.255.192.0 secondary
 ipv6 address 2001:db8:1::1/64
 ipv6 enable
 ipv6 nd managed-config-flag
 ipv6 nd other-config-flag
 cable ipv6 source-verify dhcp
 cable arp filter request-send 3 2
 cable arp filter reply-accept 3 2
 cable source-verify dhcp
 cable dhcp-giaddr policy
 ip access-group nmsp-cable in
 cable helper-address 172.20.0.1 cable-modem
 cable helper-address 172.20.0.1 host
 cable helper-address 172.20.0.1 mta
!
ip access-list extended nmsp-cable
 permit udp any eq bootpc any eq bootps
 permit ip 10.1.0.0 0.0.15.255 host 172.20.0.1
 deny ip any 10.1.0.0 0.0.15.255
 permit ip 10.1.16.0 0.0.0.255 host 172.20.0.1
 deny ip any 10.1.16.0 0.0.0.255
 permit ip 10.1.32.0 0.0.0.255 host 172.20.0.1
 deny ip any 10.1.32.0 0.0.0.255
 permit ip 10.1.64.0 0.0.63.255 any
!
snmp-server community r{o} RO
snmp-server community rw RW
ntp server 172.20.0.2
logging host 172.20.0.1
$$, 'Cisco');
SELECT is_empty(format('SELECT * FROM nmsp.diff_config(%s, nmsp.netgw_config(%1$s))', id), name || ': the proposal itself differs in nothing') FROM nmsp.netgw;
SELECT ok(position('interface ip-bundle 1
 ip address 10.2.0.1 255.255.240.0' IN nmsp.netgw_config(id)) > 0, 'Casa') FROM nmsp.netgw WHERE name = 'casa-1';
SELECT ok(position('configure interface cable-mac 1 ip address 10.3.16.1 255.255.255.0 secondary' IN nmsp.netgw_config(id)) > 0, 'Arris') FROM nmsp.netgw WHERE name = 'e6000-1';
SELECT ok(position('interface GigabitEthernet0/1
 ip address 10.4.0.1 255.255.240.0' IN nmsp.netgw_config(id)) > 0 AND nmsp.netgw_config(id) ~ ' ip helper-address 172.20.0.1' AND nmsp.netgw_config(id) !~ 'secret', 'an OLT as a router')
  FROM nmsp.netgw WHERE name = 'olt-1';

-- ---- what differs
SELECT is(nmsp.type_7('094F471A1A0A'), 'cisco', 'the "7" form');
SELECT results_eq(format($q$SELECT state, context, line FROM nmsp.diff_config(%s, $$
Building configuration...
!
hostname   cbr-1
ip domain name isp.test
ip dhcp relay information option
no ip dhcp relay information check
cable shared-secret 7 1506041C172F28362D27
interface Bundle1
 description customers
 ip address 10.1.0.1 255.255.240.0
 ip address 10.1.16.1 255.255.255.0 secondary
 ip address 10.1.64.1 255.255.192.0 secondary
 ip address 10.99.0.1 255.255.255.0 secondary
 ipv6 address 2001:db8:1::1/64
 ipv6 enable
 ipv6 nd managed-config-flag
 ipv6 nd other-config-flag
 cable ipv6 source-verify dhcp
 cable arp filter request-send 3 2
 cable arp filter reply-accept 3 2
 cable dhcp-giaddr policy
 ip access-group nmsp-cable in
 cable helper-address 172.20.0.9 cable-modem
 cable helper-address 172.20.0.1 host
 cable helper-address 172.20.0.1 mta
interface Cable1/0/0
 ip address 192.0.2.1 255.255.255.0
ip access-list extended nmsp-cable
 permit udp any eq bootpc any eq bootps
 permit ip 10.1.0.0 0.0.15.255 host 172.20.0.1
 deny   ip any 10.1.0.0 0.0.15.255
 permit ip 10.1.16.0 0.0.0.255 host 172.20.0.1
 deny   ip any 10.1.16.0 0.0.0.255
 permit ip 10.1.32.0 0.0.0.255 host 172.20.0.1
 deny   ip any 10.1.32.0 0.0.0.255
 permit ip 10.1.64.0 0.0.63.255 any
snmp-server community r{o} RO
snmp-server community rw RW
snmp-server community leaked RW
ntp server 172.20.0.2
logging host 172.20.0.1
$$)$q$, :cisco),
$$VALUES ('missing', 'interface Bundle1', 'ip address 10.1.32.1 255.255.255.0 secondary'),
         ('missing', 'interface Bundle1', 'cable source-verify dhcp'),
         ('missing', 'interface Bundle1', 'cable helper-address 172.20.0.1 cable-modem'),
         ('unexpected', 'interface Bundle1', 'ip address 10.99.0.1 255.255.255.0 secondary'),
         ('unexpected', 'interface Bundle1', 'cable helper-address 172.20.0.9 cable-modem'),
         ('unexpected', '', 'snmp-server community leaked RW')$$, 'missing and unexpected lines; those of the operator are left alone');
SELECT is_empty(format('SELECT * FROM nmsp.diff_config(%s, %L) WHERE line ~ ''shared-secret''', :cisco, 'cable shared-secret 7 1506041C172F28362D27'), 'the same secret in the other form')
 ;

-- ---- a language of one's own, bad input, rights
INSERT INTO nmsp.netgw_format (dialect, subject, context, line) VALUES ('mine', 'address', 'port {interface}', 'gateway {address}/{length}');
UPDATE nmsp.netgw SET dialect = 'mine' WHERE id = :cisco;
SELECT is(nmsp.netgw_config(:cisco), E'! Proposal for cbr-1 by nmsp, in the language of mine. Lines that it does not name are yours.\nport 1\n gateway 10.1.0.1/20\n!\n', 'rows make a language');
UPDATE nmsp.netgw SET dialect = 'yours' WHERE id = :cisco;
SELECT test.refused(format('SELECT nmsp.netgw_config(%s)', :cisco), '22023', '"cbr-1" has the unknown dialect "yours"', '%', '%nmsp.netgw_format%', 'an unknown language');
SELECT test.refused('SELECT nmsp.netgw_config(0)', '23503', 'access gateway 0 does not exist', '%', '%', 'no such gateway');
UPDATE nmsp.netgw SET dialect = NULL WHERE id = :cisco;
SELECT results_eq($$SELECT path, position('topsecret' IN convert_from(content, 'UTF8')) > 0 FROM nmsp_feed.netgw_render(1, 'netgw', (SELECT array_agg(id) FROM nmsp.netgw)) ORDER BY path COLLATE "C"$$,
    $$VALUES ('casa-1.cfg', true), ('cbr-1.cfg', true), ('e6000-1.cfg', true), ('olt-1.cfg', false)$$, 'files of the feed');
CREATE ROLE nmsp_t_noc;
CALL nmsp.grant_to('nmsp_t_noc', 'operator');
SELECT is(test.try('nmsp_t_noc', format('SELECT nmsp.netgw_config(%s)', :cisco)), '42501', 'a proposal holds secrets: not for operators');
SELECT * FROM finish();
ROLLBACK;

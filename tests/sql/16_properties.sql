-- What holds for every configuration: random ones made from the dictionary come back from text, JSON and bytes as they were;
-- a file made from a template's pieces is the file made from its whole text. NMSP_SEED (-1 to 1) repeats a run.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL client_min_messages TO error; -- names that bind to another group's symbol are told as warnings

\set seed 0
\getenv seed NMSP_SEED
SELECT CASE WHEN :'seed' = '0' THEN round(random()::numeric, 6) ELSE :'seed'::numeric END AS seed \gset
\echo # NMSP_SEED=:seed
SELECT setseed(:seed) \g /dev/null

-- ---- random configurations
CREATE FUNCTION pg_temp.below(n int) RETURNS int LANGUAGE sql RETURN floor(random() * n)::int;

CREATE FUNCTION pg_temp.bytes(n int) RETURNS bytea LANGUAGE sql
RETURN (SELECT coalesce(string_agg(set_byte('\x00', 0, CASE WHEN n % 2 = 0 THEN pg_temp.below(256) ELSE 32 + pg_temp.below(95) END), ''), '')
          FROM generate_series(1, n));

CREATE FUNCTION pg_temp.number(octets int, minimum bigint, maximum bigint) RETURNS bytea LANGUAGE plpgsql AS $fn$
DECLARE
    most bigint := (1::bigint << 8 * octets) - 1;
    value bigint := floor(random() * (most + 1));
BEGIN
    IF maximum IS NOT NULL AND random() < 0.8 THEN
        value := least(minimum + floor(random() * (maximum - minimum + 1))::bigint, most);
    END IF;
    RETURN substring(int8send(value) FROM 9 - octets);
END
$fn$;

CREATE FUNCTION pg_temp.tlv(code int, value bytea, length_bytes int DEFAULT 1) RETURNS bytea LANGUAGE sql
RETURN set_byte('\x00', 0, code) || substring(int4send(length(value)) FROM 5 - length_bytes) || value;

-- An OID's contents, and a varbind of any type.
CREATE FUNCTION pg_temp.oid() RETURNS bytea LANGUAGE sql
RETURN (ARRAY['\x2b06010201010400', '\x2b060102014501020105', '\x2b0601040101', '\x2b0601020101090104', '\x2b06010603100102010301'])[1 + pg_temp.below(5)]::bytea
       || set_byte('\x00', 0, pg_temp.below(128)) || CASE pg_temp.below(3) WHEN 0 THEN '\x8107'::bytea ELSE '' END;

CREATE FUNCTION pg_temp.varbind() RETURNS bytea LANGUAGE plpgsql AS $fn$
DECLARE
    tag int := (ARRAY[2, 4, 4, 6, 64, 65, 66, 67, 70])[1 + pg_temp.below(9)];
    value bytea := CASE tag WHEN 4 THEN pg_temp.bytes(pg_temp.below(60)) WHEN 6 THEN pg_temp.oid() WHEN 64 THEN pg_temp.bytes(4)
                            ELSE '\x01' || pg_temp.bytes(pg_temp.below(4)) END;
BEGIN
    RETURN pg_temp.tlv(48, pg_temp.tlv(6, pg_temp.oid()) || pg_temp.tlv(tag, value));
END
$fn$;

CREATE TEMP TABLE child AS
SELECT path, type, minimum, maximum, length_bytes, split_part(path, '.', -1)::int AS code, coalesce(regexp_replace(path, '\.?[0-9]+$', ''), '') AS parent
  FROM docsis.symbol WHERE type NOT IN ('pad', 'eod', 'generic', 'file');
CREATE INDEX ON child (parent);

-- A TLV of this symbol; values mostly fit its type.
CREATE FUNCTION pg_temp.random_tlv(s child, depth int) RETURNS bytea LANGUAGE plpgsql AS $fn$
DECLARE
    value bytea;
BEGIN
    value := CASE WHEN random() < 0.08 THEN pg_temp.bytes(pg_temp.below(20)) ELSE CASE s.type
        WHEN 'group' THEN (SELECT string_agg(pg_temp.random_tlv(c, depth + 1), '')
                             FROM (SELECT * FROM child WHERE parent = s.path ORDER BY random() LIMIT 1 + pg_temp.below(4)) c)
        WHEN 'u8' THEN pg_temp.number(1, s.minimum, s.maximum)
        WHEN 'u16' THEN pg_temp.number(2, s.minimum, s.maximum)
        WHEN 'u24' THEN pg_temp.number(3, s.minimum, s.maximum)
        WHEN 'u32' THEN pg_temp.number(4, s.minimum, s.maximum)
        WHEN 'str' THEN pg_temp.bytes(least(s.minimum::int + pg_temp.below(20), 60))
        WHEN 'strz' THEN pg_temp.bytes(1 + 2 * pg_temp.below(8)) || '\x00'
        WHEN 'hex' THEN pg_temp.bytes(least(coalesce(s.minimum::int, 1) + pg_temp.below(8), 60))
        WHEN 'mac' THEN pg_temp.bytes(6)
        WHEN 'mac_mask' THEN pg_temp.bytes(12)
        WHEN 'md5' THEN pg_temp.bytes(16)
        WHEN 'ipv4' THEN pg_temp.bytes(4)
        WHEN 'ipv4_list' THEN pg_temp.bytes(4 * (1 + pg_temp.below(3)))
        WHEN 'ipv6' THEN pg_temp.bytes(16)
        WHEN 'ipv6_list' THEN pg_temp.bytes(16 * (1 + pg_temp.below(3)))
        WHEN 'ipv6_prefix_list' THEN pg_temp.bytes(16) || pg_temp.number(1, 0, 128)
        WHEN 'ip' THEN pg_temp.bytes(4 + 12 * pg_temp.below(2))
        WHEN 'ip_port' THEN pg_temp.bytes(6 + 12 * pg_temp.below(2))
        WHEN 'inetaddr' THEN CASE pg_temp.below(2) WHEN 0 THEN '\x01' || pg_temp.bytes(4) ELSE '\x02' || pg_temp.bytes(16) END
        WHEN 'u8_list' THEN pg_temp.bytes(1 + pg_temp.below(6))
        WHEN 'u16_list' THEN pg_temp.bytes(2 * (1 + pg_temp.below(4)))
        WHEN 'u16_pair' THEN pg_temp.bytes(4)
        WHEN 'oid' THEN pg_temp.tlv(6, pg_temp.oid())
        WHEN 'snmp_write' THEN pg_temp.tlv(6, pg_temp.oid()) || set_byte('\x00', 0, pg_temp.below(3))
        WHEN 'varbind' THEN pg_temp.varbind()
        ELSE '' END END;
    IF value IS NULL OR length(value) > (CASE depth WHEN 0 THEN 250 WHEN 1 THEN 100 ELSE 40 END) THEN
        value := pg_temp.bytes(3);
    END IF;
    RETURN pg_temp.tlv(s.code, value, s.length_bytes);
END
$fn$;

CREATE FUNCTION pg_temp.random_config(n int) RETURNS bytea LANGUAGE sql
RETURN CASE WHEN n % 7 = 0 THEN '\xfe0101'::bytea ELSE '' END
       || (SELECT string_agg(CASE WHEN random() < 0.05 THEN '\xfa02'::bytea || pg_temp.bytes(2) ELSE pg_temp.random_tlv(c, 0) END, '')
             FROM (SELECT * FROM child WHERE parent = '' AND code NOT IN (64, 254) AND (n % 3 > 0 OR code IN (4, 11, 17, 22, 24, 25, 43)) AND n > 0
                    ORDER BY random() LIMIT 1 + n % 7) c)
       || CASE WHEN n % 7 = 0 THEN '\xfe01ff'::bytea WHEN n % 5 = 0 THEN '\xff0000'::bytea ELSE '' END;

CREATE TEMP TABLE made AS SELECT n, docsis.config(pg_temp.random_config(n)) AS config FROM generate_series(1, 500) n;

CREATE FUNCTION pg_temp.holds(failing text, name text) RETURNS SETOF text LANGUAGE plpgsql AS $fn$
DECLARE
    n int;
    bytes bytea;
    failed bigint;
BEGIN
    EXECUTE format('SELECT count(*) OVER (), n, config::bytea FROM made WHERE %s LIMIT 1', failing) INTO failed, n, bytes;
    RETURN NEXT ok(failed IS NULL, name);
    IF failed IS NOT NULL THEN
        RETURN NEXT diag(format('%s of 500, the first: %s', failed, bytes));
    END IF;
END
$fn$;

SELECT cmp_ok((SELECT count(DISTINCT type) FROM made m, docsis.tlvs(m.config)), '>=', 24::bigint, 'the random configurations hold every kind of value');
SELECT cmp_ok((SELECT avg(length(config::bytea))::int FROM made), '>', 40, 'and are of some size');
SELECT pg_temp.holds('config::text::docsis.config::bytea <> config::bytea', 'text and back');
SELECT pg_temp.holds('docsis.parse(convert_to(config::text, ''UTF8''), ''ietf'')::bytea <> config::bytea', 'text and back under another MIB profile');
SELECT pg_temp.holds('docsis.text(config, ''native'', ''numeric'')::docsis.config::bytea <> config::bytea', 'text with numeric OIDs and back');
SELECT pg_temp.holds('docsis.text(config, ''native'', ''iso'')::docsis.config::bytea <> config::bytea', 'text with OIDs from iso and back');
SELECT pg_temp.holds('docsis.text(config, ''docsis'') IS NULL', 'the layout of the docsis tool shows all of them');
SELECT pg_temp.holds('config::jsonb::docsis.config::bytea <> config::bytea', 'jsonb and back');
SELECT pg_temp.holds('config::jsonb::text::jsonb::docsis.config::bytea <> config::bytea', 'jsonb, its text, and back');
SELECT pg_temp.holds('config::bytea::docsis.config <> config', 'bytes and back');
SELECT pg_temp.holds('docsis.seal(docsis.seal(config, ''key''), ''key'') <> docsis.seal(config, ''key'')', 'sealing what is sealed changes nothing');
SELECT pg_temp.holds('NOT (SELECT coalesce(cm_mic AND cmts_mic, n % 7 = 0) FROM docsis.verify(docsis.seal(config, ''key''), ''key''))', 'what is sealed verifies');
SELECT pg_temp.holds('(SELECT cmts_mic FROM docsis.verify(docsis.seal(config, ''key''), ''other''))', 'and not with another secret');
SELECT pg_temp.holds('EXISTS (SELECT FROM (SELECT t.*, lead(t.offset, 1, length(config::bytea)) OVER (ORDER BY t.offset) AS next FROM docsis.tlvs(config) t
                        WHERE depth = 0) x WHERE next - x.offset - x.length NOT BETWEEN 1 AND 3 OR substring(config::bytea FROM next - x.length + 1 FOR x.length) <> data)',
                     'the top-level TLVs lie side by side and cover every byte');

-- Copies, dumps and order.
CREATE TEMP TABLE copied (n int, config docsis.config);
SELECT format('/tmp/nmsp-properties-%s', pg_backend_pid()) AS file \gset
COPY made TO :'file';
COPY copied FROM :'file';
SELECT is_empty('SELECT n FROM made JOIN copied c USING (n) WHERE made.config::bytea <> c.config::bytea', 'COPY as text and back');
TRUNCATE copied;
COPY made TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT is_empty('SELECT n FROM made JOIN copied c USING (n) WHERE made.config::bytea <> c.config::bytea', 'COPY as binary and back');
\setenv FILE :file
\! rm -f "$FILE"
SELECT is_empty('SELECT 1 FROM made a, made b WHERE (a.config < b.config) <> (a.config::bytea < b.config::bytea)', 'the order is that of the bytes');

-- ---- a file made from pieces is the file made from the whole text
INSERT INTO nmsp.netgw (name) VALUES ('properties');
INSERT INTO nmsp.netgw_secret SELECT id, 'key' FROM nmsp.netgw WHERE name = 'properties';
SELECT id AS gateway FROM nmsp.netgw WHERE name = 'properties' \gset
INSERT INTO nmsp.pool (netgw_id, purpose, network, range_start, range_end, router)
    VALUES (:gateway, 'cm', '10.99.0.0/16', '10.99.0.2', '10.99.255.254', '10.99.0.1');
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) VALUES ('properties', 50000000, 5000000);

-- Statements that decide where a template may be cut; {modem.v.0} is the modem's own value.
CREATE TEMP TABLE line (n int GENERATED ALWAYS AS IDENTITY, text text);
INSERT INTO line (text) VALUES
    ('MaxCPE 3;'), ('SnmpMibObject sysName.0 String "{modem.hostname.0}";'), ('SnmpMibObject sysContact.0 String "{modem.v.0}";'),
    (E'UsServiceFlow {\n UsServiceFlowRef 1;\n MaxRateSustained {qos.us_rate_max_help.0};\n}'),
    (E'DsServiceFlow\n{ DsServiceFlowRef 2; }'), ('MaxRateSustained {{qos.ds_rate_max.0},*,1000};'),
    ('/* {modem.v.0} */'), (E'/* a\n b */ MaxCPE 4;'), ('{modem.v.0}* ;'), ('{modem.v.0} 5;'), ('EndOfDataMkr;'), ('Pad;'),
    ('GenericTLV TlvCode 250 TlvLength 1 TlvValue 0x0{modem.public.0};'), ('SwUpgradeFilename E"\x{modem.v.0}";'),
    ('SwUpgradeFilename "{{modem.v.0},0,3}";'), ('NetworkAccess {modem.internet_access.0};'), ('MaxCPE {modem.none.0};'), (E'\r'), (E'\f'),
    ('SnmpMibObject sysLocation.0 String "{{qos.name.0},?,none}"; SwUpgradeFilename "b";'), ('MtaConfigDelimiter 1;'),
    ('Pad {modem.v.0};'), ('{qos.name.0};'), ('MaxCPE'), ('3;');

CREATE TEMP TABLE rendered (n int, source text, modem nmsp.modem, file bytea, plain bytea, problem text, plain_problem text);
SET LOCAL session_replication_role = replica; -- templates are not checked, so that what cannot be encoded is tried as well
CREATE FUNCTION pg_temp.render(n int, gateway bigint, v text) RETURNS rendered LANGUAGE plpgsql AS $fn$
DECLARE
    r rendered;
    body text;
    template bigint;
    modem_id bigint;
BEGIN
    r.n := n;
    r.source := (SELECT string_agg(text, E'\n') FROM (SELECT text FROM line ORDER BY random() LIMIT 2 + render.n % 4) x);
    INSERT INTO nmsp.template (name, source) VALUES ('properties ' || n, r.source) RETURNING id INTO template;
    INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id, address, internet_access)
        SELECT ('0299' || lpad(to_hex(render.n), 8, '0'))::macaddr, gateway, template, c.id, '10.99.1.0'::inet + render.n, render.n % 5 > 0
          FROM nmsp.service_class c WHERE c.name = 'properties' RETURNING id INTO modem_id;
    INSERT INTO nmsp.modem_option VALUES (modem_id, 'v', v);
    r.modem := (SELECT m FROM nmsp.modem m WHERE m.id = modem_id);
    BEGIN
        r.file := nmsp.modem_config(r.modem)::bytea;
    EXCEPTION WHEN OTHERS THEN
        r.problem := SQLSTATE;
    END;
    body := nmsp.expand_template(r.source, (nmsp.setting_values()).placeholders || nmsp.service_class_values((r.modem).service_class_id)
        || jsonb_build_object('modem.hostname.0', 'cm-' || modem_id, 'modem.v.0', v, 'modem.public.0', (r.modem).public_cpe,
                              'modem.internet_access.0', (r.modem).internet_access));
    BEGIN
        r.plain := docsis.seal(docsis.parse(convert_to(format(E'Main { NetworkAccess %s;%s\n%s\n}', (r.modem).internet_access::int,
            CASE WHEN regexp_replace(body, '/\*([^*]|\*+[^*/])*\*+/|"[^"\n]*"', '', 'g') ~ '\mMaxCPE\M' THEN '' ELSE ' MaxCPE 2;' END, body), 'UTF8')), 'key')::bytea;
    EXCEPTION WHEN OTHERS THEN
        r.plain_problem := SQLSTATE;
    END;
    RETURN r;
END
$fn$;
INSERT INTO rendered SELECT r.* FROM generate_series(1, 900) n,
    pg_temp.render(n, :gateway, (ARRAY['1', 'noc', '/', 'MaxCPE', 'ff', '*', '', 'a;b'])[1 + n % 8]) r;
SET LOCAL session_replication_role = origin;

SELECT cmp_ok((SELECT count(*) FROM rendered WHERE file IS NOT NULL), '>', 60::bigint, 'of the random templates some can be encoded');
SELECT cmp_ok((SELECT count(*) FROM rendered WHERE file IS NULL), '>', 20::bigint, 'and some cannot');
SELECT is_empty('SELECT n, source, file, plain FROM rendered WHERE file IS DISTINCT FROM plain AND problem IS NOT DISTINCT FROM plain_problem LIMIT 3',
                'a file made from pieces is the file made from the whole text');
SELECT is_empty('SELECT n, source, problem, plain_problem, file, plain FROM rendered WHERE problem IS DISTINCT FROM plain_problem LIMIT 3', 'and so is the error');
SELECT is_empty('SELECT n, source FROM rendered WHERE file IS NOT NULL AND nmsp.modem_config(modem)::bytea IS DISTINCT FROM file LIMIT 3', 'a second time gives the same file');

SELECT * FROM finish();
ROLLBACK;

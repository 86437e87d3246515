-- The model that tests/bench/bench.py measures, and its own schema. Variables: secret, template, modems, library.
INSERT INTO nmsp.netgw (name) VALUES ('cmts-1'), ('cmts-2'), ('cmts-3');
INSERT INTO nmsp.netgw_secret SELECT id, :'secret' FROM nmsp.netgw;
INSERT INTO nmsp.service_class (name, ds_rate, us_rate) SELECT 'class ' || i, 10000000 * i, 1000000 * i FROM generate_series(1, 20) i;

-- "shared": modems of equal settings have equal files; "own": each has its own.
INSERT INTO nmsp.template (name, source) VALUES
    ('shared', :'template'),
    ('own', E'SnmpMibObject sysName.0 String "{modem.hostname.0}";\n' || :'template');

SET session_replication_role = replica; -- no triggers: nothing is fed, no addresses are needed
INSERT INTO nmsp.modem (mac, netgw_id, template_id, service_class_id)
    SELECT ('02' || lpad(to_hex(i), 10, '0'))::macaddr, 1 + i % 3, 1, 1 + i % 20 FROM generate_series(1, :modems) i;
RESET session_replication_role;

CREATE SCHEMA bench;
CREATE FUNCTION bench.digests(files bytea[], secret text, count bigint, way text) RETURNS float8
    LANGUAGE c STRICT PARALLEL SAFE COST 100000 AS :'library', 'bench_digests';

-- The default template as one text, expanded, and what becomes of it.
CREATE TABLE bench.input AS
WITH expanded AS (
    SELECT E'Main {\nNetworkAccess 1;\nMaxCPE 2;\n' || nmsp.expand_template(t.source, s.placeholders || nmsp.service_class_values(1)) || '}' AS source
      FROM nmsp.template t, nmsp.setting_values() s WHERE t.name = 'shared')
SELECT source, convert_to(source, 'UTF8') AS bytes, docsis.parse(convert_to(source, 'UTF8')) AS config,
       docsis.seal(docsis.parse(convert_to(source, 'UTF8')), :'secret') AS sealed
  FROM expanded;
CREATE TABLE bench.rows AS SELECT i FROM generate_series(1, 100000) i;
-- Many blocks of few rows, for scans by several processes.
CREATE TABLE bench.slices WITH (fillfactor = 10) AS SELECT i, repeat('x', 500) AS pad FROM generate_series(1, 1000) i;
ALTER TABLE bench.slices SET (parallel_workers = 1);
ALTER TABLE nmsp.modem SET (parallel_workers = 1);
ANALYZE;

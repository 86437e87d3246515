-- Workers: the functions that only C can give.

CREATE FUNCTION nmsp.feed_wake() RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'nmsp_feed_wake';
COMMENT ON FUNCTION nmsp.feed_wake() IS
'Wakes the feeder of this database when the transaction commits. Does nothing when no feeder runs.';
-- PUBLIC keeps EXECUTE: it is called from triggers, and a needless wake-up only makes the feeder look once.

CREATE FUNCTION nmsp.worker_status(
    OUT worker text, OUT database text, OUT pid integer, OUT state text, OUT started_at timestamptz,
    OUT starts bigint, OUT batches bigint, OUT artifacts bigint, OUT failures bigint,
    OUT last_error text, OUT last_error_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
AS 'MODULE_PATHNAME', 'nmsp_worker_status';
COMMENT ON FUNCTION nmsp.worker_status() IS
'The workers of this server, from shared memory: launcher and one feeder for each database in nmsp.databases. The last error is shown to members of pg_read_all_stats only.';

/*
 * store_spi.c: the engine's store inside the server. One transaction per query; an ERROR becomes
 * RETRY here, so that no longjmp crosses the engine. SIGTERM ends the process from within (FATAL).
 */
#include "workers/worker.h"

#include <signal.h>
#include <time.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "catalog/pg_class.h"

#define MAX_PLANS 32
#define MAX_PARAMS 10

/* Wake-ups that were answered by a look. They are counted in shared memory since the latch alone
 * tells too little: whoever waits for a lock or a child in between resets it. */
static uint32 wakes_seen = 0;
static bool look_anyway = false;
static volatile sig_atomic_t poked = false;

static struct {
    const char *sql;
    SPIPlanPtr plan;
} plans[MAX_PLANS];

static SPIPlanPtr
get_plan(const char *sql, const feed_value *params, int n)
{
    Oid types[MAX_PARAMS];
    SPIPlanPtr plan;
    int i;

    for (i = 0; i < MAX_PLANS && plans[i].sql != NULL; i++)
        if (plans[i].sql == sql)
            return plans[i].plan;
    if (n > MAX_PARAMS)
        elog(ERROR, "too many parameters");
    for (int p = 0; p < n; p++)
        types[p] = params[p].binary ? BYTEAOID : TEXTOID;
    plan = SPI_prepare(sql, n, types);
    if (plan == NULL)
        elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
    if (i < MAX_PLANS) {
        SPI_keepplan(plan);
        plans[i].sql = sql;
        plans[i].plan = plan;
    }
    return plan;
}

/* Tables belong to a user, and so do the functions that they name: they run with the rights of the
 * tables' owner, not with those the worker connected with. */
static void
become_owner(void)
{
    Oid relation = RangeVarGetRelid(makeRangeVar("nmsp_feed", "target", -1), NoLock, true);
    HeapTuple tuple;
    Oid owner;
    Oid user;
    int context;

    if (!OidIsValid(relation))
        return;
    tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        return;
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    GetUserIdAndSecContext(&user, &context);
    if (owner != user)
        SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
                                          SECURITY_RESTRICTED_OPERATION);
}

/* Copies one column; the copy is NUL-terminated. */
static void
copy_value(feed_value *to, HeapTuple tuple, TupleDesc desc, int column)
{
    bool isnull;
    Datum datum = SPI_getbinval(tuple, desc, column, &isnull);
    char *copy;

    memset(to, 0, sizeof(*to));
    if (isnull)
        return;
    if (SPI_gettypeid(desc, column) == BYTEAOID) {
        bytea *bytes = DatumGetByteaPP(datum);

        to->len = VARSIZE_ANY_EXHDR(bytes);
        copy = palloc_extended(to->len + 1, MCXT_ALLOC_HUGE);
        memcpy(copy, VARDATA_ANY(bytes), to->len);
        copy[to->len] = '\0';
    } else {
        copy = SPI_getvalue(tuple, desc, column);
        to->len = strlen(copy);
    }
    to->data = copy;
}

static void
copy_rows(feed_rows *rows, MemoryContext block)
{
    MemoryContext old = MemoryContextSwitchTo(block);

    rows->nrows = SPI_tuptable ? SPI_tuptable->numvals : 0;
    rows->ncols = rows->nrows ? SPI_tuptable->tupdesc->natts : 0;
    rows->values =
        palloc_extended(sizeof(feed_value) * (rows->nrows * rows->ncols + 1), MCXT_ALLOC_HUGE);
    for (size_t i = 0; i < rows->nrows; i++)
        for (size_t c = 0; c < rows->ncols; c++)
            copy_value(&rows->values[i * rows->ncols + c], SPI_tuptable->vals[i],
                       SPI_tuptable->tupdesc, (int)c + 1);
    MemoryContextSwitchTo(old);
}

/* A parameter as datum. Daemons may say anything: what is no text in this database's encoding must
 * not get into a table, so wrong bytes become question marks. */
static Datum
parameter(const feed_value *value)
{
    text *result = cstring_to_text_with_len(value->data, value->len);
    char *bytes = VARDATA(result);
    int len = (int)value->len;
    int at = 0;

    if (value->binary)
        return PointerGetDatum(result);
    while ((at += pg_encoding_verifymbstr(GetDatabaseEncoding(), bytes + at, len - at)) < len)
        bytes[at++] = '?';
    return PointerGetDatum(result);
}

static void
run(const char *sql, const feed_value *params, int n, bool one_snapshot, feed_rows *rows,
    MemoryContext block)
{
    Datum values[MAX_PARAMS];
    char nulls[MAX_PARAMS + 1];
    SPIPlanPtr plan;
    int result;

    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    if (one_snapshot)
        XactIsoLevel = XACT_REPEATABLE_READ; /* before the first snapshot is taken */
    become_owner();
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, sql);
    plan = get_plan(sql, params, n);
    for (int i = 0; i < n; i++) {
        nulls[i] = params[i].data ? ' ' : 'n';
        values[i] = params[i].data ? parameter(&params[i]) : (Datum)0;
    }
    result = SPI_execute_plan(plan, values, nulls, false, 0);
    if (result < 0)
        elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(result));
    copy_rows(rows, block);
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, NULL);
}

/* One attempt; *again: the transaction lost a race and nothing else was wrong. */
static feed_status
try_query(const char *sql, const feed_value *params, int n, bool one_snapshot, feed_rows *rows,
          bool *again)
{
    MemoryContext context = CurrentMemoryContext;
    MemoryContext block =
        AllocSetContextCreate(TopMemoryContext, "nmsp feed rows", ALLOCSET_DEFAULT_SIZES);
    volatile feed_status status = FEED_OK;

    memset(rows, 0, offsetof(feed_rows, error));
    rows->error[0] = '\0';
    PG_TRY();
    {
        run(sql, params, n, one_snapshot, rows, block);
        rows->block = block;
    }
    PG_CATCH();
    {
        ErrorData *error;

        HOLD_INTERRUPTS();
        MemoryContextSwitchTo(block);
        error = CopyErrorData();
        snprintf(rows->error, sizeof(rows->error), "%s%s%s",
                 error->message ? error->message : "unknown error", error->detail ? ": " : "",
                 error->detail ? error->detail : "");
        *again = ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
        if (!*again)
            EmitErrorReport();
        FlushErrorState();
        AbortCurrentTransaction();
        pgstat_report_activity(STATE_IDLE, NULL);
        MemoryContextDelete(block);
        memset(rows, 0, offsetof(feed_rows, error));
        status = FEED_RETRY;
        RESUME_INTERRUPTS();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    return status;
}

static feed_status
query(feed_store *store, const char *sql, const feed_value *params, int n, bool one_snapshot,
      feed_rows *rows)
{
    feed_status status = FEED_RETRY;
    bool again = true;

    nmsp_slot_share(&store->feeder, &store->feeders);
    for (int attempt = 0; again && attempt < 5; attempt++) {
        again = false;
        status = try_query(sql, params, n, one_snapshot, rows, &again);
    }
    return status;
}

static void
free_rows(feed_store *store, feed_rows *rows)
{
    if (rows->block != NULL)
        MemoryContextDelete(rows->block);
    rows->block = NULL;
    rows->values = NULL;
    rows->nrows = 0;
}

static void
log_text(feed_store *store, feed_level level, const char *text, const char *hint)
{
    int elevel = level == FEED_DEBUG ? DEBUG1 : level == FEED_LOG ? LOG : WARNING;

    ereport(elevel, (errmsg("nmsp feeder: %s", text), hint ? errhint("%s", hint) : 0));
}

static void
look_at_signals(void)
{
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
        look_anyway = true;
    }
}

static void
wait_latch(long ms)
{
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    look_at_signals();
}

static feed_status
nap(feed_store *store, long ms)
{
    look_at_signals();
    if (ms > 0)
        wait_latch(ms);
    return FEED_OK;
}

static feed_status
idle(feed_store *store, long ms)
{
    int64_t end = store->now(store) + ms;

    look_at_signals();
    nmsp_brake_alive();
    while (ms > 0 && !look_anyway && !poked && nmsp_slot_wakes() == wakes_seen) {
        wait_latch(ms);
        ms = end - store->now(store);
    }
    look_anyway = false;
    poked = false;
    wakes_seen = nmsp_slot_wakes();
    return FEED_OK;
}

static int64_t
monotonic_ms(feed_store *store)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *
feed_roots(feed_store *store)
{
    return nmsp_feed_roots;
}

static const char *
command_file(feed_store *store)
{
    return nmsp_command_file;
}

static void
note(feed_store *store, long files, const char *error)
{
    nmsp_slot_note(files, error);
}

/* Called by the writer's thread: SetLatch is made for signal handlers, so it needs nothing of ours.
 */
static void
poke(feed_store *store)
{
    poked = true;
    SetLatch(MyLatch);
}

feed_store *
nmsp_store_spi(void)
{
    static feed_store store = {
        .query = query,
        .free_rows = free_rows,
        .log = log_text,
        .idle = idle,
        .nap = nap,
        .now = monotonic_ms,
        .feed_roots = feed_roots,
        .command_file = command_file,
        .note = note,
        .poke = poke,
        .relay = "SELECT nmsp_feed.relay()",
    };

    nmsp_slot_share(&store.feeder, &store.feeders);
    return &store;
}

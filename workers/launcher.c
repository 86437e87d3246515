/*
 * launcher.c: keeps nmsp.feeders feeders running for each database in nmsp.databases.
 *
 * It has no database of its own. A feeder that ends is started again after 1, 2, 4 ... 60 s (a
 * database may not exist yet, or be dropped and made again); one that ran for a minute starts anew
 * at 1 s.
 */
#include "workers/worker.h"

#include <signal.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LONGEST_BACKOFF_S 60
#define LOOK_EVERY_MS 60000

typedef struct child {
    char database[NAMEDATALEN]; /* "": unused */
    int number;                 /* of the feeders of its database, from 0 */
    bool wanted;
    BackgroundWorkerHandle *handle; /* NULL: not started */
    TimestampTz started_at;
    TimestampTz start_after;
    int backoff_s;
} child;

static child children[NMSP_SLOTS];

static child *
find_child(const char *database, int number)
{
    for (int i = 1; i < NMSP_SLOTS; i++)
        if (strcmp(children[i].database, database) == 0 &&
            (database[0] == '\0' || children[i].number == number))
            return &children[i];
    return NULL;
}

static void
want(const char *database, int number)
{
    child *c = find_child(database, number);

    if (strlen(database) >= NAMEDATALEN)
        return;
    if (c == NULL) {
        c = find_child("", 0);
        if (c == NULL) {
            ereport(LOG,
                    (errmsg("there are more than %d feeders, database \"%s\" gets no further one",
                            NMSP_SLOTS - 1, database),
                     errhint("Lower nmsp.feeders.")));
            return;
        }
        memset(c, 0, sizeof(*c));
        strlcpy(c->database, database, NAMEDATALEN);
        c->number = number;
    }
    c->wanted = true;
}

/* Reads nmsp.databases; feeders of databases that left the list are ended. */
static void
read_list(void)
{
    char *copy = pstrdup(nmsp_databases);
    List *names = NIL;
    ListCell *cell;

    for (int i = 1; i < NMSP_SLOTS; i++)
        children[i].wanted = false;
    if (!SplitIdentifierString(copy, ',', &names))
        ereport(LOG,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("setting nmsp.databases is not a list of names: \"%s\"", nmsp_databases)));
    else
        foreach (cell, names)
            for (int n = 0; n < nmsp_feeders; n++)
                want(lfirst(cell), n);
    list_free(names);
    pfree(copy);
    for (int i = 1; i < NMSP_SLOTS; i++)
        if (!children[i].wanted && children[i].handle != NULL)
            TerminateBackgroundWorker(children[i].handle);
}

static void
start_child(child *c, int slot)
{
    BackgroundWorker worker = {
        .bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
        .bgw_start_time = BgWorkerStart_RecoveryFinished,
        .bgw_restart_time = BGW_NEVER_RESTART,
        .bgw_library_name = "nmsp",
        .bgw_function_name = "nmsp_feeder_main",
        .bgw_type = "nmsp feeder",
        .bgw_main_arg = Int32GetDatum(c->number * NMSP_SLOTS + slot),
        .bgw_notify_pid = MyProcPid,
    };

    snprintf(worker.bgw_name, BGW_MAXLEN, "nmsp feeder %d of %s", c->number + 1, c->database);
    strlcpy(worker.bgw_extra, c->database, BGW_EXTRALEN);
    c->started_at = GetCurrentTimestamp();
    if (!RegisterDynamicBackgroundWorker(&worker, &c->handle)) {
        c->handle = NULL;
        c->backoff_s = LONGEST_BACKOFF_S;
        c->start_after = TimestampTzPlusMilliseconds(c->started_at, c->backoff_s * 1000L);
        ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("no background worker is free for the feeder of database \"%s\"",
                             c->database),
                      errhint("Raise max_worker_processes.")));
    }
}

/* A feeder has ended: when may it start again? */
static void
child_ended(child *c)
{
    TimestampTz now = GetCurrentTimestamp();

    pfree(c->handle);
    c->handle = NULL;
    if (TimestampDifferenceExceeds(c->started_at, now, 60000))
        c->backoff_s = 0;
    c->backoff_s = c->backoff_s == 0 ? 1 : Min(c->backoff_s * 2, LONGEST_BACKOFF_S);
    c->start_after = TimestampTzPlusMilliseconds(now, c->backoff_s * 1000L);
    if (!c->wanted)
        c->database[0] = '\0';
}

/* Looks after all children; returns the milliseconds until the next one is due. */
static long
tend(void)
{
    long wait_ms = LOOK_EVERY_MS;

    for (int i = 1; i < NMSP_SLOTS; i++) {
        child *c = &children[i];
        long left;
        pid_t pid;

        if (c->database[0] == '\0')
            continue;
        if (c->handle != NULL && GetBackgroundWorkerPid(c->handle, &pid) == BGWH_STOPPED)
            child_ended(c);
        if (c->database[0] == '\0' || c->handle != NULL)
            continue;
        if (!c->wanted) {
            c->database[0] = '\0';
            continue;
        }
        left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), c->start_after);
        if (left <= 0)
            start_child(c, i);
        else
            wait_ms = Min(wait_ms, left);
    }
    return wait_ms;
}

/* Waits for a signal, a child's end or the time; ends the process when told to. */
static void
nap(long ms)
{
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending)
        proc_exit(1); /* 0 would mean: never start me again */
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
        read_list();
    }
}

/* Feeders of a launcher that was ended have nobody who would start them again. */
static void
end_orphans(void)
{
    for (int i = 1; i < NMSP_SLOTS; i++) {
        int pid;

        while ((pid = nmsp_slot_pid(i)) != 0) {
            kill(pid, SIGTERM);
            nap(100);
        }
    }
}

void
nmsp_launcher_main(Datum arg)
{
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    pqsignal(SIGUSR1, procsignal_sigusr1_handler); /* else the end of a child goes unnoticed */
    BackgroundWorkerUnblockSignals();
    CurrentMemoryContext =
        AllocSetContextCreate(TopMemoryContext, "nmsp launcher", ALLOCSET_SMALL_SIZES);

    if (!nmsp_slot_take(0, "", 0))
        proc_exit(1);
    nmsp_slot_state("running");
    end_orphans();
    read_list();
    for (;;)
        nap(tend());
}

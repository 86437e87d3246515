/*
 * feeder.c: the process that runs the feed engine in one database.
 */
#include "workers/worker.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

void
nmsp_feeder_main(Datum arg)
{
    int slot = DatumGetInt32(arg) % NMSP_SLOTS; /* as launcher.c packs it */
    int number = DatumGetInt32(arg) / NMSP_SLOTS;
    const char *database = MyBgworkerEntry->bgw_extra;

    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die); /* reacts inside SQL too */
    pqsignal(SIGINT, StatementCancelHandler);
    BackgroundWorkerUnblockSignals();

    if (nmsp_state == NULL || !nmsp_slot_take(slot, database, number))
        proc_exit(0);
    BackgroundWorkerInitializeConnection(database, nmsp_role[0] ? nmsp_role : NULL, 0);
    nmsp_slot_database(MyDatabaseId);
    /* Losing a confirmation in a crash only means doing its batch again, which finds it done. */
    SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
    /* What it asks is short and often; compiling a plan costs more than many runs of it. */
    SetConfigOption("jit", "off", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
    nmsp_brake_enter(MyDatabaseId, number);
    nmsp_slot_state("running");
    nmsp_slot_works();
    ereport(LOG, (errmsg("nmsp feeder runs in database \"%s\"", database)));
    feed_run(nmsp_store_spi());
    proc_exit(0);
}

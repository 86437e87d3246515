/*
 * wake.c: a writer's session wakes the feeder of its database when its transaction commits.
 *
 * A flag and one callback per session; no NOTIFY (it would make commits queue). A wake-up says
 * "look", never "what": one that is lost (COMMIT PREPARED) costs time, not correctness.
 */
#include "workers/worker.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"

static bool registered = false;
static bool pending = false;

static void
wake_feeder(void)
{
    for (int i = 1; i < NMSP_SLOTS; i++) {
        nmsp_slot *slot = &nmsp_state->slots[i];
        int pgprocno = slot->pgprocno; /* read once: the owner may leave at any moment */

        if (slot->database_oid != MyDatabaseId || pgprocno < 0)
            continue;
        pg_atomic_fetch_add_u32(&slot->wakes, 1);
        SetLatch(&ProcGlobal->allProcs[pgprocno].procLatch);
    }
}

static void
at_transaction_end(XactEvent event, void *arg)
{
    if (!pending)
        return;
    switch (event) {
    case XACT_EVENT_COMMIT: /* after the rows became visible to others */
    case XACT_EVENT_PARALLEL_COMMIT:
        pending = false;
        wake_feeder();
        break;
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PARALLEL_ABORT:
    case XACT_EVENT_PREPARE:
        pending = false;
        break;
    default:
        break;
    }
}

PG_FUNCTION_INFO_V1(nmsp_feed_wake);

/* nmsp.feed_wake(): wakes the feeder of this database at commit; nothing happens without one. */
Datum
nmsp_feed_wake(PG_FUNCTION_ARGS)
{
    if (nmsp_state != NULL) {
        if (!registered) {
            RegisterXactCallback(at_transaction_end, NULL);
            registered = true;
        }
        pending = true;
    }
    PG_RETURN_VOID();
}

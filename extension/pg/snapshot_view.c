/*
 * Comparing what snapshots see, see snapshot_view.h.
 */
#include "extension/pg/snapshot_view.h"

#include "utils/memutils.h"

bool
snapshot_view_same(const snapshot_view *seen, Snapshot snapshot)
{
    return seen->xmin == snapshot->xmin && seen->xmax == snapshot->xmax &&
           seen->curcid == snapshot->curcid && seen->xcnt == snapshot->xcnt &&
           seen->subxcnt == snapshot->subxcnt &&
           (snapshot->xcnt == 0 ||
            memcmp(seen->running, snapshot->xip, snapshot->xcnt * sizeof(TransactionId)) == 0) &&
           (snapshot->subxcnt <= 0 ||
            memcmp(seen->running + snapshot->xcnt, snapshot->subxip,
                   snapshot->subxcnt * sizeof(TransactionId)) == 0);
}

void
snapshot_view_keep(snapshot_view *seen, Snapshot snapshot, MemoryContext context)
{
    int sub = Max(snapshot->subxcnt, 0);

    *seen = (snapshot_view){.xmin = snapshot->xmin, .xmax = snapshot->xmax,
                            .curcid = snapshot->curcid, .xcnt = snapshot->xcnt,
                            .subxcnt = snapshot->subxcnt};
    seen->running = MemoryContextAlloc(context, (snapshot->xcnt + sub + 1) * sizeof(TransactionId));
    memcpy(seen->running, snapshot->xip, snapshot->xcnt * sizeof(TransactionId));
    if (sub > 0)
        memcpy(seen->running + snapshot->xcnt, snapshot->subxip, sub * sizeof(TransactionId));
}

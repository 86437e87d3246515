/*
 * Which rows a snapshot sees: two snapshots with the same view see the same rows, so what was read
 * under one holds under the other.
 */
#ifndef NMSP_SNAPSHOT_VIEW_H
#define NMSP_SNAPSHOT_VIEW_H

#include "postgres.h"
#include "utils/snapshot.h"

typedef struct snapshot_view {
    TransactionId xmin, xmax;
    CommandId curcid;
    uint32 xcnt;
    int32 subxcnt;
    TransactionId *running; /* in the context given to snapshot_view_keep() */
} snapshot_view;

/* Does the snapshot see what the kept one saw? */
bool snapshot_view_same(const snapshot_view *seen, Snapshot snapshot);

/* Remembers what the snapshot sees. */
void snapshot_view_keep(snapshot_view *seen, Snapshot snapshot, MemoryContext context);

#endif

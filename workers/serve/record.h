/*
 * record.h: what was downloaded, on its way into nmsp.download. A queue of fixed size: rows are
 * stored in batches, nobody waits for them; while the database is away they are kept, and when
 * there are too many the newest are dropped and counted.
 */
#ifndef NMSP_RECORD_H
#define NMSP_RECORD_H

#include "workers/serve/serve.h"

typedef struct record {
    int64_t at_us; /* since 1970 */
    socket_address source;
    char path[256];
    const char *result; /* a literal */
    char modem_id[24];  /* "" = null, like all texts here */
    char netgw_id[24];
    char note[160];
    long bytes; /* -1: null */
    float duration_ms;
    uint8_t sha256[32], config_sha256[32];
    bool hashed;
} record;

typedef struct recorder recorder;

recorder *recorder_new(loop *l, database *d, const char *agent);
void record_add(recorder *r, const record *row);
/* Sends all that is queued and waits for it, briefly. */
void recorder_finish(recorder *r);

#endif

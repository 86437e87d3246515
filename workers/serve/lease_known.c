/*
 * lease_known.c: the last line of each address, as a hash, in a table of fixed size: a file that is
 * read whole once more does not cost the database anything.
 *
 * A table that is too small forgets; then the database is told once more what it knows.
 */
#include "workers/serve/lease.h"

#include <stdlib.h>
#include <string.h>

#define KNOWN_MAX (1u << 20) /* 32 MB of address space, of which only what is used is memory */

typedef struct known {
    uint64_t place, said; /* hashes of address and of the whole row */
    int64_t starts;
    bool ended;
    uint8_t order;
} known;

struct lease_known {
    known slot[KNOWN_MAX];
};

static uint64_t
mix(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The end of what was given back is when it was read: it does not count. */
static uint64_t
hash_of(uint64_t hash, const lease_row *row, bool ended)
{
    hash = mix(hash, &row->starts, sizeof(row->starts));
    if (!ended)
        hash = mix(hash, &row->ends, sizeof(row->ends));
    hash = mix(hash, row->mac, sizeof(row->mac));
    hash = mix(hash, row->client_id, row->client_id_len);
    hash = mix(hash, row->remote_id, row->remote_id_len);
    hash = mix(hash, row->hostname, strlen(row->hostname));
    return mix(hash, row->state, strlen(row->state));
}

lease_known *
lease_known_new(void)
{
    return calloc(1, sizeof(lease_known));
}

bool
lease_known_add(lease_known *k, const lease_row *row, unsigned *order)
{
    bool ended = strcmp(row->state, "active") != 0;
    uint64_t place = mix(mix(UINT64_C(14695981039346656037), row->address, 16), &row->prefix_len,
                         sizeof(row->prefix_len));
    uint64_t said = hash_of(place, row, ended);
    known *s = &k->slot[(place ^ place >> 32) % KNOWN_MAX];
    bool same = s->place == place && s->starts == row->starts;

    if (same && s->said == said)
        return false;
    *order = same ? s->order + (s->ended && !ended && s->order < UINT8_MAX) : 0;
    *s = (known){
        .place = place, .said = said, .starts = row->starts, .ended = ended, .order = *order};
    return true;
}

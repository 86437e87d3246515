/*
 * limiter.c: how often a source may ask. A table of fixed size: when two sources meet in one place,
 * the one that was quiet longer loses its memory, which only ever allows more.
 */
#include "workers/serve/serve.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define SETS 16384

typedef struct bucket {
    socket_address source;
    int64_t at;       /* milliseconds when tokens was right; 0: unused */
    int64_t thousand; /* tokens, in thousandths */
} bucket;

struct limiter {
    bucket buckets[SETS][WAYS];
};

limiter *
limiter_new(void)
{
    return calloc(1, sizeof(limiter));
}

/* One customer has a /64 at least: its lower half says nothing. */
static void
network_of(const socket_address *source, socket_address *to)
{
    memset(to, 0, sizeof(*to));
    to->any.sa_family = source->any.sa_family;
    if (source->any.sa_family == AF_INET)
        to->in4.sin_addr = source->in4.sin_addr;
    else
        memcpy(&to->in6.sin6_addr, &source->in6.sin6_addr, 8);
}

static bucket *
find(limiter *l, const socket_address *network, int64_t now, long burst)
{
    bucket *set = l->buckets[socket_hash(network, false) % SETS];
    bucket *oldest = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].at != 0 && socket_same(&set[i].source, network, false))
            return &set[i];
        if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    oldest->source = *network;
    oldest->at = now;
    oldest->thousand = (int64_t)burst * 1000;
    return oldest;
}

bool
limiter_take(limiter *l, const socket_address *source, int64_t now, long rate, long burst)
{
    socket_address network;
    bucket *b;

    if (rate <= 0)
        return true;
    network_of(source, &network);
    b = find(l, &network, now, burst);
    b->thousand += (now - b->at) * rate;
    if (b->thousand > (int64_t)burst * 1000)
        b->thousand = (int64_t)burst * 1000;
    b->at = now;
    if (b->thousand < 1000)
        return false;
    b->thousand -= 1000;
    return true;
}

/*
 * transfer.c: the table of transfers. It is of fixed size; when it is full, one goes whose client
 * has been silent long: who really wants a file acknowledges within moments and is not hit.
 */
#include "workers/serve/transfer.h"

#include <stdlib.h>
#include <string.h>

#define OFFER_MIN_MS 250 /* before that its acknowledgement may well be on its way */
#define STALLED_LOOKS 64

/* ---------------------------------------------------------------- the table of transfers */

static transfer **
chain_of(download_service *s, const socket_address *peer)
{
    return &s->hash[socket_hash(peer, true) % HASH_SIZE];
}

transfer *
transfer_find(download_service *s, const socket_address *peer)
{
    for (transfer *t = *chain_of(s, peer); t != NULL; t = t->next)
        if (socket_same(&t->route.peer, peer, true))
            return t;
    return NULL;
}

static transfer *
new_transfer(download_service *s, const datagram *d)
{
    transfer *t = s->free;
    transfer **chain = chain_of(s, &d->peer);
    uint32_t generation;

    if (t == NULL)
        return NULL;
    s->free = t->next;
    generation = t->generation + 1;
    memset(t, 0, sizeof(*t));
    t->generation = generation;
    t->route = *d;
    t->next = *chain;
    *chain = t;
    t->older = s->newest;
    if (s->newest != NULL)
        s->newest->newer = t;
    s->newest = t;
    return t;
}

void
transfer_free(download_service *s, transfer *t)
{
    transfer **at = chain_of(s, &t->route.peer);

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->newer != NULL)
        t->newer->older = t->older;
    else
        s->newest = t->older;
    if (t->older != NULL)
        t->older->newer = t->newer;
    free(t->content);
    folder_close(t->file);
    t->content = NULL;
    t->file = NULL;
    t->state = FREE;
    t->next = s->free;
    s->free = t;
}

transfer *
transfer_of_ticket(download_service *s, ticket k)
{
    transfer *t = &s->transfers[k.index];

    return t->generation == k.generation && t->state == ASKING ? t : NULL;
}

/* ---------------------------------------------------------------- ends */

void
transfer_finish(download_service *s, transfer *t, const char *result)
{
    t->row.result = result;
    t->row.bytes = t->content || t->file ? (long)t->len : -1;
    t->row.duration_ms = (float)(clock_us() - t->begin_us) / 1000;
    record_add(s->r, &t->row);
    transfer_free(s, t);
}

/* Nothing came back for too long. */
void
transfer_give_up(download_service *s, transfer *t)
{
    bool all_sent = t->state == SENDING && t->sent == t->blocks;

    transfer_finish(s, t, all_sent ? "unconfirmed" : "broken off");
}

/* ---------------------------------------------------------------- room for others */

/* The oldest offer that is yet to be acknowledged, NULL: there is none. Forgets those before it. */
static transfer *
oldest_offer(download_service *s)
{
    while (s->noffered > 0) {
        ticket k = s->offered[s->first_offered];
        transfer *t = &s->transfers[k.index];

        if (t->generation == k.generation && t->state == OFFERED)
            return t;
        s->first_offered = (s->first_offered + 1) % (unsigned)s->c.download_transfers;
        s->noffered--;
    }
    return NULL;
}

void
transfer_note_offer(download_service *s, transfer *t)
{
    unsigned size = (unsigned)s->c.download_transfers;
    transfer *oldest = oldest_offer(s);

    /* Full: as many came after the oldest one as there can be transfers. */
    if (s->noffered == size) {
        transfer_give_up(s, oldest);
        oldest_offer(s);
    }
    t->progress = loop_now(s->l);
    s->offered[(s->first_offered + s->noffered++) % size] =
        (ticket){(uint32_t)(t - s->transfers), t->generation};
}

/* Of the next few transfers in the table, the one that has stood still longest; NULL: none has. */
static transfer *
stalled(download_service *s)
{
    transfer *worst = NULL;

    for (int i = 0; i < STALLED_LOOKS; i++) {
        transfer *t = &s->transfers[s->hand];

        s->hand = (s->hand + 1) % (unsigned)s->c.download_transfers;
        if (t->state == SENDING && loop_now(s->l) - t->progress >= RESTART_MS &&
            (worst == NULL || t->progress < worst->progress))
            worst = t;
    }
    return worst;
}

/* A new transfer, if need be in the place of the one whose client has been silent longer. */
transfer *
transfer_make_room(download_service *s, const datagram *d)
{
    transfer *offer;
    transfer *other;

    if (s->free != NULL)
        return new_transfer(s, d);
    offer = oldest_offer(s);
    if (offer != NULL && loop_now(s->l) - offer->progress < OFFER_MIN_MS)
        offer = NULL;
    other = stalled(s);
    if (other == NULL || (offer != NULL && offer->progress < other->progress))
        other = offer;
    if (other != NULL)
        transfer_give_up(s, other);
    return new_transfer(s, d);
}

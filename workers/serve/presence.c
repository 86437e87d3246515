/*
 * presence.c: the agent tells the database every few seconds that it lives, which the health of the system is told by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workers/serve/serve.h"

#define REPORT_EVERY_MS 10000

struct presence {
    database *d;
    const config *c;
    int64_t began;
    int64_t next;
    bool told; /* the log, that it is not allowed */
    ticker t;
};

static void
on_reported(void *owner, uint64_t tag, const answer *a)
{
    presence *p = owner;

    (void)tag;
    if (a->error != NULL && !p->told)
        agent_log(AGENT_WARNING, "the database does not take reports of this agent: %s", a->error);
    p->told = a->error != NULL;
}

static void
on_tick(ticker *t, int64_t now)
{
    presence *p = t->owner;
    char serves[80];
    char pid[24];
    char age[40];
    const char *values[] = {p->c->name, NMSP_VERSION, serves, pid, age};

    if (now < p->next)
        return;
    snprintf(serves, sizeof(serves), "%s%s%s%s", p->c->download_listen.n ? "download " : "",
             p->c->time_listen.n ? "time " : "", p->c->lookup_listen.n ? "lookup " : "",
             config_leases(p->c) ? "leases " : "");
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    snprintf(age, sizeof(age), "%lld ms", (long long)(now - p->began));
    if (database_ask(p->d, ASK_PRESENCE, 5, values, on_reported, p, 0))
        p->next = now + REPORT_EVERY_MS;
}

presence *
presence_start(loop *l, const config *c, database *d)
{
    presence *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->d = d;
    p->c = c;
    p->began = loop_now(l);
    p->t = (ticker){.tick = on_tick, .owner = p};
    loop_add_ticker(l, &p->t);
    return p;
}

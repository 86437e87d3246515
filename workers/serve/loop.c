/*
 * loop.c: one epoll loop.
 */
#include "workers/serve/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

struct loop {
    int epoll;
    bool stop;
    int64_t now;
    int64_t next_tick;
    ticker *tickers;
};

int64_t
clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

loop *
loop_new(void)
{
    loop *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->now = clock_us() / 1000;
    if (l->epoll < 0) {
        free(l);
        return NULL;
    }
    return l;
}

int64_t
loop_now(const loop *l)
{
    return l->now;
}

int
loop_watch(loop *l, watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    int op = w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (w->events == events)
        return 0;
    if (epoll_ctl(l->epoll, op, w->fd, &event) != 0)
        return -1;
    w->events = events;
    return 0;
}

void
loop_close(loop *l, watch *w)
{
    if (w->fd < 0)
        return;
    if (w->events != 0)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
    w->events = 0;
}

void
loop_add_ticker(loop *l, ticker *t)
{
    t->next = l->tickers;
    l->tickers = t;
}

void
loop_stop(loop *l)
{
    l->stop = true;
}

static void
flush_all(loop *l)
{
    for (ticker *t = l->tickers; t != NULL; t = t->next)
        if (t->flush != NULL)
            t->flush(t);
}

static void
tick_all(loop *l)
{
    if (l->now < l->next_tick)
        return;
    l->next_tick = l->now + LOOP_TICK_MS;
    for (ticker *t = l->tickers; t != NULL; t = t->next)
        if (t->tick != NULL)
            t->tick(t, l->now);
}

void
loop_run(loop *l)
{
    struct epoll_event events[EVENTS];

    while (!l->stop) {
        int n;
        int64_t wait;

        tick_all(l);
        flush_all(l);
        wait = l->next_tick - clock_us() / 1000;
        n = epoll_wait(l->epoll, events, EVENTS, wait > 0 ? (int)wait : 0);
        l->now = clock_us() / 1000;
        if (n < 0 && errno != EINTR) {
            agent_log(AGENT_ERROR, "epoll_wait: %s", strerror(errno));
            return;
        }
        for (int i = 0; i < n; i++) {
            watch *w = events[i].data.ptr;

            if (w->fd >= 0)
                w->ready(w, events[i].events);
        }
    }
}

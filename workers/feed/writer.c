/*
 * writer.c: the thread that writes files of a walk. It gets one job at a time and calls nothing but
 * feed_write_files(): no store, no log, no signal reaches it. So it may run inside a server
 * process, where everything else belongs to the main thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "workers/feed/engine.h"

struct feed_writer {
    feed_store *store; /* only its poke() */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool end;
    bool busy;
    int root;
    feed_file *files;
    size_t n;
    feed_status status;
    char error[FEED_MESSAGE_MAX];
};

static void *
write_jobs(void *arg)
{
    feed_writer *w = arg;
    char error[FEED_MESSAGE_MAX];

    pthread_mutex_lock(&w->lock);
    for (;;) {
        feed_status status;

        while (!w->busy && !w->end)
            pthread_cond_wait(&w->changed, &w->lock);
        if (!w->busy)
            break;
        pthread_mutex_unlock(&w->lock);
        error[0] = '\0';
        status = feed_write_files(NULL, w->root, w->files, w->n, error, sizeof(error));
        pthread_mutex_lock(&w->lock);
        w->status = status;
        memcpy(w->error, error, sizeof(error));
        w->busy = false;
        pthread_cond_broadcast(&w->changed);
        if (w->store->poke != NULL)
            w->store->poke(w->store);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

feed_writer *
feed_writer_start(feed_store *store)
{
    feed_writer *w = calloc(1, sizeof(*w));
    sigset_t all;
    sigset_t before;
    bool started;

    if (w == NULL)
        return NULL;
    w->store = store;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    /* Signals are the main thread's: a new thread inherits what is blocked now. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&w->thread, NULL, write_jobs, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        return w;
    free(w);
    return NULL;
}

void
feed_writer_give(feed_writer *w, int root, feed_file *files, size_t n)
{
    pthread_mutex_lock(&w->lock);
    w->root = root;
    w->files = files;
    w->n = n;
    w->busy = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

bool
feed_writer_landed(feed_writer *w, feed_status *status, char *error, size_t error_size)
{
    bool landed;

    pthread_mutex_lock(&w->lock);
    landed = !w->busy;
    if (landed) {
        *status = w->status;
        feed_message(error, error_size, "%s", w->error);
    }
    pthread_mutex_unlock(&w->lock);
    return landed;
}

void
feed_writer_wait(feed_writer *w, long ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    if (w->busy)
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
}

void
feed_writer_end(feed_writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->end = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

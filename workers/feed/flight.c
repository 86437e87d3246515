/*
 * flight.c: targets of mode file. What is walked in bulk flies: a batch is written by the writer's
 * thread while the next one is rendered ahead and the one before is confirmed. Single changes are
 * served in between, at once, by the engine itself.
 *
 * Two writers of one artifact must keep their order. The token of a batch in flight says which
 * artifacts it walks; SQL answers wait when a single change meets one of them. Then the flight is
 * landed first, and what was rendered ahead is thrown away.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/feed/engine.h"

#define POLL_MS 5 /* how often to look whether a flight has landed, where nobody pokes */

/* The tokens of what is on its way, as a text[] literal; false: out of memory. */
static bool
flights_of(const memory *m, feed_buffer *flights)
{
    feed_add(flights, "{", 1);
    if (m->flight.token != NULL)
        feed_add_element(flights, m->flight.token, strlen(m->flight.token));
    if (m->ahead.token != NULL)
        feed_add_element(flights, m->ahead.token, strlen(m->ahead.token));
    feed_add(flights, "}", 1);
    return !flights->failed;
}

static void
drop_ahead(engine *e, memory *m)
{
    if (m->ahead.token != NULL)
        feed_free_batch(e, &m->ahead);
    m->at_end = false;
}

static void
free_job(memory *m)
{
    free(m->job);
    m->job = NULL;
    m->njob = 0;
}

void
feed_forget_flights(engine *e, memory *m)
{
    feed_status status;
    char error[FEED_MESSAGE_MAX];

    drop_ahead(e, m);
    if (m->flight.token == NULL)
        return;
    while (!feed_writer_landed(m->writer, &status, error, sizeof(error)))
        feed_writer_wait(m->writer, 100);
    feed_take_results(&m->flight, m->job, m->njob);
    free_job(m);
    feed_free_batch(e, &m->flight);
}

/* The flight is over: the daemon is told and the database too. */
static feed_status
finish(engine *e, target *t, feed_status status, char *error, size_t error_size)
{
    memory *m = t->memory;

    feed_take_results(&m->flight, m->job, m->njob);
    if (status == FEED_OK && m->njob > 0)
        status = feed_reload(e, t, error, error_size);
    free_job(m);
    if (status == FEED_OK)
        status = feed_confirm(e, t, &m->flight, error, error_size);
    if (status == FEED_OK) {
        m->trusted = true;
    } else {
        drop_ahead(e, m);
        if (status == FEED_RETRY)
            status = feed_fail(e, t, m->flight.token, error[0] ? error : "out of memory");
    }
    feed_free_batch(e, &m->flight);
    return status;
}

/* Finishes the flight if it has landed; wait: waits for that. */
static feed_status
land(engine *e, target *t, bool wait)
{
    memory *m = t->memory;
    char error[FEED_MESSAGE_MAX] = "";
    feed_status status;

    if (m->flight.token == NULL)
        return FEED_OK;
    while (!feed_writer_landed(m->writer, &status, error, sizeof(error))) {
        if (!wait)
            return FEED_OK;
        feed_writer_wait(m->writer, 20);
        if (e->store->nap(e->store, 0) == FEED_FATAL)
            return FEED_FATAL;
    }
    return finish(e, t, status, error, sizeof(error));
}

/* Lets the batch that is ahead fly. Where no thread can be had it is written here. */
static feed_status
launch(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    char error[FEED_MESSAGE_MAX] = "";
    bool later = false;
    feed_status status = feed_wait_for_ranks(e, t, &m->ahead, &later);

    if (status != FEED_OK || later) {
        t->wait_ms = t->wait_ms == 0 ? 1000 : t->wait_ms;
        return status;
    }
    m->job = feed_files_to_write(&m->ahead, &m->njob);
    if (m->job == NULL)
        return FEED_RETRY;
    *more = true;
    m->flight = m->ahead;
    memset(&m->ahead, 0, sizeof(m->ahead));
    m->at_end = false;
    if (m->writer == NULL && m->njob > 0)
        m->writer = feed_writer_start(e->store);
    if (m->writer != NULL && m->njob > 0) {
        feed_writer_give(m->writer, m->fd, m->job, m->njob);
        return FEED_OK;
    }
    if (m->njob > 0)
        status = feed_write_files(e->store, m->fd, m->job, m->njob, error, sizeof(error));
    return finish(e, t, status, error, sizeof(error));
}

/* Renders the next batch of a walk. */
static feed_status
look_ahead(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    feed_buffer flights = {0};
    char error[FEED_MESSAGE_MAX] = "out of memory";
    pull_answer answer = PULL_NOTHING;
    feed_status status = FEED_RETRY;

    if (flights_of(m, &flights))
        status = feed_pull(e, t, "many", flights.data, &m->ahead, &answer, error, sizeof(error));
    free(flights.data);
    if (status == FEED_RETRY)
        return feed_fail(e, t, NULL, error);
    m->at_end = answer == PULL_NOTHING;
    *more = *more || answer != PULL_NOTHING;
    return status;
}

static feed_status
count_more(engine *e, target *t, bool *more)
{
    feed_value params[1] = {text_value(t->id_text)};
    bool again = false;
    feed_status status =
        feed_ask(e->store, "SELECT nmsp_feed.count_more($1::bigint)", params, 1, &again);

    t->memory->counted = !again;
    *more = *more || again;
    return status;
}

static feed_status
serve_walk(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    bool flew = m->flight.token != NULL;
    feed_status status = land(e, t, false);

    /* what was known of the target is older than what has just been confirmed */
    *more = flew && m->flight.token == NULL;
    if (status != FEED_OK)
        return status;
    if (m->flight.token == NULL && m->ahead.token == NULL) {
        if (!t->many)
            return FEED_OK;
        m->counted = false;
        status = look_ahead(e, t, more);
    }
    if (status == FEED_OK && m->flight.token == NULL && m->ahead.token != NULL)
        return launch(e, t, more);
    if (status != FEED_OK || m->flight.token == NULL)
        return status;
    if (m->ahead.token == NULL && !m->at_end)
        status = look_ahead(e, t, more);
    else if (!m->counted)
        status = count_more(e, t, more);
    if (e->store->poke == NULL && !*more)
        t->wait_ms = POLL_MS;
    return status;
}

/* Changes, as many as wait now. */
static feed_status
serve_changes(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    char error[FEED_MESSAGE_MAX] = "out of memory";
    feed_buffer flights = {0};
    pull_answer answer = PULL_NOTHING;
    bool later = false;
    feed_status status = FEED_RETRY;
    batch b;

    *more = true;
    if (flights_of(m, &flights))
        status = feed_pull(e, t, "single", flights.data, &b, &answer, error, sizeof(error));
    free(flights.data);
    if (status == FEED_RETRY)
        return feed_fail(e, t, NULL, error);
    if (status == FEED_OK && answer == PULL_WAIT) {
        drop_ahead(e, m);
        return land(e, t, true);
    }
    if (status != FEED_OK || answer != PULL_BATCH)
        return status;
    error[0] = '\0';
    status = feed_apply(e, t, &b, &later, error, sizeof(error));
    if (status == FEED_OK && !later)
        status = feed_confirm(e, t, &b, error, sizeof(error));
    if (status == FEED_RETRY)
        status = feed_fail(e, t, b.token, error[0] ? error : "out of memory");
    if (later) {
        *more = false;
        t->wait_ms = 1000;
    }
    m->trusted = m->trusted || (status == FEED_OK && !later);
    feed_free_batch(e, &b);
    return status;
}

feed_status
feed_serve_files(engine *e, target *t, bool *more)
{
    feed_status status = FEED_OK;
    bool again = false;

    *more = false;
    if (t->single && !t->blocked)
        status = serve_changes(e, t, more);
    if (status != FEED_OK)
        return status;
    status = serve_walk(e, t, &again);
    *more = *more || again;
    return status;
}

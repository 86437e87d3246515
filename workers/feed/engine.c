/*
 * engine.c: the loop. For each target that has something to do: pull (what differs, and the
 * snapshot it belongs to) -> write -> validate -> switch -> confirm. Everything before confirm may
 * be repeated, so whatever ends the process in between, the next one does it again and finds most
 * of it done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/feed/engine.h"

#define LOOK_EVERY_MS 30000 /* safety net: a wake-up may be lost (COMMIT PREPARED) */
#define NOT_READY_MS 3000   /* the schema is absent or behind: look again */
#define PRUNE_EVERY_MS 10000
#define HAND_OVER_MS                                                                               \
    3000              /* another feeder may hold a root so long after targets were dealt anew      \
                       */
#define LATER_MS 1000 /* lower ranks are not there yet */

/* ---------------------------------------------------------------- targets */

static memory *
remember(engine *e, int64_t target)
{
    memory *m;

    for (m = e->memories; m != NULL; m = m->next)
        if (m->target == target)
            return m;
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->target = target;
    m->fd = -1;
    m->next = e->memories;
    e->memories = m;
    return m;
}

static void
close_root(memory *m)
{
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
    free(m->root);
    m->root = NULL;
}

/* Roots of targets that are gone or moved are closed, which also gives up their lock. */
static void
forget_others(engine *e)
{
    for (memory *m = e->memories; m != NULL; m = m->next) {
        bool used = false;

        for (size_t i = 0; i < e->ntargets; i++)
            if (e->targets[i].memory == m && m->root != NULL &&
                strcmp(m->root, e->targets[i].root) == 0)
                used = true;
        if (!used) {
            feed_forget_flights(e, m);
            close_root(m);
            feed_check_forget(&m->check);
            feed_session_end(&m->session);
            m->checked = false;
        }
    }
}

static void
free_targets(engine *e)
{
    if (e->targets != NULL)
        e->store->free_rows(e->store, &e->rows);
    free(e->targets);
    e->targets = NULL;
    e->ntargets = 0;
}

static bool
read_target(engine *e, size_t row, target *t)
{
    const feed_rows *rows = &e->rows;

    t->id = strtoll(feed_get(rows, row, 0)->data, NULL, 10);
    snprintf(t->id_text, sizeof(t->id_text), "%lld", (long long)t->id);
    t->name = feed_get(rows, row, 1)->data;
    t->mode = MODE_FILE;
    if (strcmp(feed_get(rows, row, 2)->data, "set") == 0)
        t->mode = MODE_SET;
    else if (strcmp(feed_get(rows, row, 2)->data, "record") == 0)
        t->mode = MODE_RECORD;
    t->rank = strtol(feed_get(rows, row, 3)->data, NULL, 10);
    t->root = feed_get(rows, row, 4)->data;
    t->validate = feed_get(rows, row, 5)->data;
    t->reload = feed_get(rows, row, 6)->data;
    t->timeout_ms = strtoll(feed_get(rows, row, 7)->data, NULL, 10);
    t->wait_ms = feed_get(rows, row, 8)->data ? strtol(feed_get(rows, row, 8)->data, NULL, 10) : -1;
    t->check_requested = feed_get(rows, row, 9)->data;
    t->blocked = feed_get(rows, row, 10)->data[0] == 't';
    t->apply = feed_get(rows, row, 11)->data;
    t->read = feed_get(rows, row, 12)->data;
    t->single = feed_get(rows, row, 13)->data[0] == 't';
    t->many = feed_get(rows, row, 14)->data[0] == 't';
    t->lowest = feed_get(rows, row, 15)->data[0] == 't';
    t->memory = remember(e, t->id);
    return t->memory != NULL;
}

static feed_status
load_targets(engine *e)
{
    char number[2][16];
    feed_value params[2] = {{number[0]}, {number[1]}};
    feed_status status;

    free_targets(e);
    params[0].len = (size_t)snprintf(number[0], sizeof(number[0]), "%d", e->store->feeder);
    params[1].len = (size_t)snprintf(number[1], sizeof(number[1]), "%d",
                                     e->store->feeders > 0 ? e->store->feeders : 1);
    status = e->store->query(e->store,
                             "SELECT id, feed || '/' || name, mode, rank, root, validate_command, "
                             "reload_command, timeout_ms, wait_ms, check_requested, blocked, "
                             "apply_command, read_command, single, many, lowest "
                             "FROM nmsp_feed.targets($1::integer, $2::integer)",
                             params, 2, true, &e->rows);
    if (status != FEED_OK)
        return status;
    e->targets = calloc(e->rows.nrows + 1, sizeof(target));
    if (e->targets == NULL) {
        e->store->free_rows(e->store, &e->rows);
        return FEED_RETRY;
    }
    for (size_t i = 0; i < e->rows.nrows; i++)
        if (read_target(e, i, &e->targets[e->ntargets]))
            e->ntargets++;
    forget_others(e);
    return FEED_OK;
}

static bool
is_same_folder(int fd, const char *path)
{
    struct stat open_one;
    struct stat named;

    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* Opens and locks the target's folder; two feeders must never write the same one. *busy: another
 * one has it, which may give it up in a moment. */
static bool
hold_root(engine *e, target *t, bool *busy, char *error, size_t error_size)
{
    memory *m = t->memory;

    *busy = false;
    if (m->fd >= 0 && is_same_folder(m->fd, t->root))
        return true;
    if (m->fd >= 0) {
        feed_forget_flights(e, m);
        close_root(m);
        m->checked = false; /* another folder has taken its place: look what is in it */
    }
    m->fd = feed_open_root(t->root, e->store->feed_roots(e->store), error, error_size);
    if (m->fd < 0)
        return false;
    if (flock(m->fd, LOCK_EX | LOCK_NB) != 0) {
        feed_message(error, error_size, "root \"%s\" is in use by another feeder: %s", t->root,
                     strerror(errno));
        close_root(m);
        if (m->busy == 0)
            m->busy = e->store->now(e->store);
        *busy = e->store->relay != NULL && e->store->now(e->store) - m->busy < HAND_OVER_MS;
        return false;
    }
    m->busy = 0;
    m->trusted = false;
    m->root = strdup(t->root);
    feed_clean_temps(m->fd);
    return true;
}

/* ---------------------------------------------------------------- one target */

feed_daemon
feed_daemon_of(const engine *e, const target *t)
{
    return (feed_daemon){e->store, t->id_text, t->root, t->apply, t->read,
                         t->timeout_ms, &t->memory->session};
}

/* Sets and records: one batch with all that is due. */
static feed_status
serve_whole(engine *e, target *t, bool *more)
{
    char error[FEED_MESSAGE_MAX] = "";
    bool later = false;
    pull_answer answer;
    batch b;
    feed_status status = feed_pull(e, t, "all", "{}", &b, &answer, error, sizeof(error));

    if (status == FEED_RETRY)
        return feed_fail(e, t, NULL, error);
    *more = answer == PULL_AGAIN;
    if (status != FEED_OK || answer != PULL_BATCH)
        return status;
    status = feed_apply(e, t, &b, &later, error, sizeof(error));
    if (status == FEED_OK && later) {
        t->wait_ms = LATER_MS;
    } else {
        if (status == FEED_OK)
            status = feed_confirm(e, t, &b, error, sizeof(error));
        *more = status == FEED_OK;
        if (status == FEED_RETRY)
            status = feed_fail(e, t, b.token, error[0] ? error : "out of memory");
    }
    feed_free_batch(e, &b);
    return status;
}

feed_status
feed_serve(engine *e, target *t, bool *more)
{
    char error[FEED_MESSAGE_MAX] = "";
    bool busy;

    *more = false;
    if (!hold_root(e, t, &busy, error, sizeof(error))) {
        t->wait_ms = 100;
        return busy ? FEED_OK : feed_fail(e, t, NULL, error);
    }
    return t->mode == MODE_FILE ? feed_serve_files(e, t, more) : serve_whole(e, t, more);
}

/* ---------------------------------------------------------------- the loop */

/* Begins and goes on with the comparison of the manifest with what is in place: a page per round.
 */
static feed_status
check(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    feed_daemon daemon = feed_daemon_of(e, t);
    char error[FEED_MESSAGE_MAX] = "";
    bool busy;
    feed_status status;

    if (!m->check.running && m->checked && t->check_requested == NULL)
        return FEED_OK;
    if (!hold_root(e, t, &busy, error, sizeof(error))) {
        t->wait_ms = 100;
        return busy ? FEED_OK : feed_fail(e, t, NULL, error);
    }
    if (!m->check.running) {
        m->checked = true;
        m->check.running = true;
        snprintf(m->check.request, sizeof(m->check.request), "%s",
                 t->check_requested ? t->check_requested : "");
        if (m->flight.token == NULL) /* else its temps are among them */
            feed_clean_temps(m->fd);
    }
    if (t->mode == MODE_RECORD)
        status = feed_check_records(&daemon, &m->check, error, sizeof(error));
    else
        status = feed_check_page(e->store, t->id, t->mode == MODE_SET, m->fd, &m->check, error,
                                 sizeof(error));
    if (status == FEED_RETRY)
        return feed_fail(e, t, NULL, error);
    *more = true;
    return status;
}

/* The code needs its tables, and functions of the version it was made for. */
static feed_status
is_ready(engine *e)
{
    bool present = false;
    bool right = e->ready;
    feed_status status =
        feed_ask(e->store,
                 "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'nmsp') "
                 "AND pg_catalog.to_regprocedure('nmsp_feed.protocol()') IS NOT NULL "
                 "AND pg_catalog.to_regclass('nmsp_feed.target') IS NOT NULL",
                 NULL, 0, &present);

    if (status == FEED_OK && present && !right)
        status = feed_ask(e->store, "SELECT nmsp_feed.protocol() = " FEED_PROTOCOL_TEXT, NULL, 0,
                          &right);
    e->ready = status == FEED_OK && present && right;
    if (e->ready && !e->begun)
        e->begun =
            feed_execute(e->store, "SELECT nmsp_feed.unblock()", NULL, 0, NULL, 0) == FEED_OK;
    if (e->ready) {
        e->told = false;
    } else if (status == FEED_OK && !e->told) {
        e->told = true;
        e->store->log(e->store, FEED_LOG,
                      "feeder waits: the schema of nmsp is absent or behind the code",
                      "CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()");
    }
    return status;
}

static feed_status
prune(engine *e)
{
    int64_t now = e->store->now(e->store);

    if (now < e->next_prune || e->store->feeder != 0)
        return FEED_OK;
    e->next_prune = now + PRUNE_EVERY_MS;
    return feed_execute(e->store, "SELECT nmsp_feed.prune()", NULL, 0, NULL, 0);
}

/* Serves each target once. *wait_ms: how long nothing is expected to be due. */
static feed_status
do_round(engine *e, long *wait_ms)
{
    feed_status status = load_targets(e);

    *wait_ms = LOOK_EVERY_MS;
    if (status == FEED_OK && e->store->relay != NULL &&
        feed_execute(e->store, e->store->relay, NULL, 0, NULL, 0) == FEED_FATAL)
        return FEED_FATAL;
    if (status != FEED_OK) {
        *wait_ms = NOT_READY_MS;
        return status == FEED_FATAL ? FEED_FATAL : FEED_OK;
    }
    for (size_t i = 0; i < e->ntargets; i++) {
        target *t = &e->targets[i];
        bool more = false;

        feed_session_tend(e->store, &t->memory->session);
        if (t->wait_ms == 0 || t->memory->flight.token != NULL)
            status = feed_serve(e, t, &more);
        if (status == FEED_OK && !t->blocked)
            status = check(e, t, &more);
        if (t->wait_ms > 0 && t->wait_ms < *wait_ms)
            *wait_ms = t->wait_ms;
        if (status == FEED_FATAL)
            return status;
        if (status == FEED_RETRY)
            *wait_ms = *wait_ms < 1000 ? *wait_ms : 1000;
        if (more)
            *wait_ms = 0;
        status = FEED_OK;
    }
    return FEED_OK;
}

void
feed_run(feed_store *store)
{
    engine e = {.store = store};
    feed_status status = FEED_OK;

    while (status != FEED_FATAL) {
        long wait_ms = NOT_READY_MS;

        status = is_ready(&e);
        if (status == FEED_OK && e.ready)
            status = do_round(&e, &wait_ms);
        if (status == FEED_OK && e.ready && wait_ms > 0)
            status = prune(&e);
        if (status != FEED_FATAL)
            status = store->idle(store, wait_ms);
    }
    free_targets(&e);
    while (e.memories != NULL) {
        memory *m = e.memories;

        e.memories = m->next;
        feed_forget_flights(&e, m);
        feed_writer_end(m->writer);
        close_root(m);
        feed_check_forget(&m->check);
        feed_session_end(&m->session);
        free(m->failure);
        free(m);
    }
}

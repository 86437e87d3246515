/*
 * batch.c: a batch's way out of the database and back: pull, confirm, or fail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/feed/engine.h"

#define TELL_EVERY_MS 300000 /* a failure that stays the same */

feed_status
feed_execute(feed_store *store, const char *sql, const feed_value *params, int n, char *error,
             size_t error_size)
{
    feed_rows rows;
    feed_status status = store->query(store, sql, params, n, false, &rows);

    if (status == FEED_OK)
        store->free_rows(store, &rows);
    else if (error != NULL)
        feed_message(error, error_size, "%s", rows.error);
    return status;
}

feed_status
feed_ask(feed_store *store, const char *sql, const feed_value *params, int n, bool *answer)
{
    feed_rows rows;
    feed_status status = store->query(store, sql, params, n, false, &rows);

    if (status == FEED_OK) {
        if (rows.nrows == 1 && feed_get(&rows, 0, 0)->data != NULL)
            *answer = feed_get(&rows, 0, 0)->data[0] == 't';
        store->free_rows(store, &rows);
    }
    return status;
}

/* A failure is logged when it is new, and now and then while it lasts. */
static void
log_failure(engine *e, target *t, const char *error)
{
    memory *m = t->memory;
    int64_t now = e->store->now(e->store);
    feed_buffer text = {0};

    if (m->failure != NULL && strcmp(m->failure, error) == 0 && now - m->told < TELL_EVERY_MS)
        return;
    free(m->failure);
    m->failure = strdup(error);
    m->told = now;
    feed_add(&text, "target ", 7);
    feed_add(&text, t->name, strlen(t->name));
    feed_add(&text, " failed: ", 9);
    feed_add(&text, error, strlen(error));
    e->store->log(e->store, FEED_WARNING, text.failed ? error : text.data,
                  "See nmsp_feed.status; it is tried again.");
    free(text.data);
}

feed_status
feed_fail(engine *e, target *t, const char *token, const char *error)
{
    feed_value params[3] = {text_value(t->id_text), text_value(token), text_value(error)};
    feed_status status;

    log_failure(e, t, error);
    e->store->note(e->store, 0, error);
    status = feed_execute(e->store, "SELECT nmsp_feed.fail($1::bigint, $2::text, $3::text)", params,
                          3, NULL, 0);
    return status == FEED_FATAL ? FEED_FATAL : FEED_RETRY;
}

void
feed_free_batch(engine *e, batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->files[i].error);
    free(b->files);
    if (b->token != NULL)
        e->store->free_rows(e->store, &b->rows);
    memset(b, 0, sizeof(*b));
}

void
feed_refuse(feed_file *file, const char *error)
{
    file->failed = true;
    free(file->error);
    file->error = strdup(error);
}

/* Turns the rows of a pull into files; unfit paths are refused here, whatever SQL says. */
static bool
read_batch(const target *t, batch *b)
{
    b->files = calloc(b->rows.nrows + 1, sizeof(feed_file));
    if (b->files == NULL)
        return false;
    for (size_t i = 0; i < b->rows.nrows; i++) {
        feed_file *file = &b->files[b->n];
        const char *action = feed_get(&b->rows, i, ACTION)->data;
        const feed_value *path = feed_get(&b->rows, i, PATH);
        const char *problem;
        char message[256];

        if (strcmp(action, "batch") == 0) {
            b->token = feed_get(&b->rows, i, TOKEN)->data;
            continue;
        }
        b->n++;
        file->path = path->data ? path->data : "";
        if (strcmp(action, "put") == 0) {
            file->content = feed_get(&b->rows, i, CONTENT)->data;
            file->len = feed_get(&b->rows, i, CONTENT)->len;
            file->old_path = feed_get(&b->rows, i, TOKEN)->data;
            file->doubt = !t->memory->trusted;
            file->vital =
                feed_get(&b->rows, i, VITAL)->data && feed_get(&b->rows, i, VITAL)->data[0] == 't';
        }
        problem = t->mode == MODE_RECORD ? feed_record_problem(file->path, path->len)
                                         : feed_path_problem(file->path, path->len);
        if (problem != NULL) {
            /* what was never written need not be removed */
            snprintf(message, sizeof(message), "path \"%.100s\" is refused: %s", file->path,
                     problem);
            feed_refuse(file, message);
            if (strcmp(action, "put") != 0) {
                free(file->error);
                file->error = NULL;
            }
        }
    }
    return b->token != NULL;
}

feed_status
feed_pull(engine *e, const target *t, const char *lane, const char *flights, batch *b,
          pull_answer *answer, char *error, size_t error_size)
{
    feed_value params[3] = {text_value(t->id_text), text_value(lane), text_value(flights)};
    feed_status status;
    const char *action;

    memset(b, 0, sizeof(*b));
    *answer = PULL_NOTHING;
    status =
        e->store->query(e->store, "SELECT * FROM nmsp_feed.pull($1::bigint, $2::text, $3::text[])",
                        params, 3, true, &b->rows);
    if (status == FEED_RETRY)
        feed_message(error, error_size, "%s", b->rows.error);
    if (status != FEED_OK)
        return status;
    action = b->rows.nrows > 0 ? feed_get(&b->rows, 0, ACTION)->data : NULL;
    if (action == NULL || strcmp(action, "again") == 0 || strcmp(action, "wait") == 0) {
        if (action != NULL)
            *answer = action[0] == 'a' ? PULL_AGAIN : PULL_WAIT;
        e->store->free_rows(e->store, &b->rows);
        return FEED_OK;
    }
    *answer = PULL_BATCH;
    if (read_batch(t, b))
        return FEED_OK;
    feed_message(error, error_size, "out of memory");
    b->token = "";
    feed_free_batch(e, b);
    return FEED_RETRY;
}

/* Tells the database what is in place now. */
static feed_status
store_results(engine *e, target *t, batch *b, char *error, size_t error_size)
{
    feed_buffer columns[7] = {{0}};
    feed_value params[9] = {text_value(t->id_text), text_value(b->token)};
    feed_status status = FEED_RETRY;
    bool failed = false;

    for (int c = 0; c < 7; c++)
        feed_add(&columns[c], "{", 1);
    for (size_t i = 0; i < b->n; i++) {
        const feed_file *file = &b->files[i];
        char size[24];

        for (int c = ACTION; c <= PATH; c++)
            feed_add_element(&columns[c], feed_get(&b->rows, i, c)->data,
                             feed_get(&b->rows, i, c)->len);
        feed_add_hex(&columns[4], feed_get(&b->rows, i, SHA256)->data,
                     feed_get(&b->rows, i, SHA256)->len);
        /* of a refused file: 0 = an empty one stands in, null = nothing new is in place */
        snprintf(size, sizeof(size), "%zu", file->failed ? 0 : file->len);
        feed_add_element(&columns[5], file->failed && !file->stand_in ? NULL : size, strlen(size));
        feed_add_element(&columns[6], file->error, file->error ? strlen(file->error) : 0);
    }
    for (int c = 0; c < 7; c++) {
        feed_add(&columns[c], "}", 1);
        failed = failed || columns[c].failed;
        params[c + 2].data = columns[c].data;
        params[c + 2].len = columns[c].len;
    }
    if (failed)
        feed_message(error, error_size, "out of memory");
    else
        status =
            feed_execute(e->store,
                         "SELECT nmsp_feed.confirm($1::bigint, $2::text, $3::text[], $4::text[], "
                         "$5::bigint[], $6::text[], $7::bytea[], $8::bigint[], $9::text[])",
                         params, 9, error, error_size);
    for (int c = 0; c < 7; c++)
        free(columns[c].data);
    return status;
}

static void
log_refused(engine *e, target *t, const batch *b)
{
    size_t refused = 0;
    const char *first = NULL;
    char text[FEED_MESSAGE_MAX];

    for (size_t i = 0; i < b->n; i++) {
        if (b->files[i].error == NULL)
            continue;
        if (refused++ == 0)
            first = b->files[i].error;
    }
    if (refused == 0)
        return;
    snprintf(text, sizeof(text), "target %s: %zu artifacts refused, the first: %s", t->name,
             refused, first);
    e->store->log(e->store, FEED_WARNING, text, "See nmsp_feed.quarantine.");
}

feed_status
feed_confirm(engine *e, target *t, batch *b, char *error, size_t error_size)
{
    feed_status status = store_results(e, t, b, error, error_size);

    if (status != FEED_OK)
        return status;
    log_refused(e, t, b);
    free(t->memory->failure);
    t->memory->failure = NULL;
    e->store->note(e->store, (long)b->n, NULL);
    return FEED_OK;
}

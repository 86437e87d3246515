/*
 * apply.c: a batch goes into service: a set is built, validated and switched, records are handed to
 * a command, files are written; before that, what it announces must be served, after it the daemon
 * is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/feed/engine.h"

#define MAX_VALIDATIONS 1000       /* of one generation: each run takes one file out */
#define QUARANTINE_MESSAGE_MAX 600 /* bytes kept of what the daemon says about one file */
#define RANKS_WAIT_MS 2000         /* for targets of other feeders, or walks; then later again */

/* The changed file which the daemon names first: what it says later may only follow from that. */
static feed_file *
first_named(batch *b, const char *output, const char **where)
{
    feed_file *first = NULL;

    for (size_t i = 0; i < b->n; i++) {
        feed_file *file = &b->files[i];
        const char *at;

        if (file->failed || file->content == NULL || file->same)
            continue;
        at = feed_find_path(output, file->path);
        if (at != NULL && (first == NULL || at < *where)) {
            first = file;
            *where = at;
        }
    }
    return first;
}

/* Takes the file that is to blame out of the generation. RETRY: nobody is, or the set cannot do
 * without it, so the old generation stays whole. */
static feed_status
quarantine_named(feed_set *set, batch *b, const char *output, char *error, size_t error_size)
{
    const char *where = output;
    feed_file *file = first_named(b, output, &where);
    char message[QUARANTINE_MESSAGE_MAX];
    feed_status status;

    if (file == NULL || file->vital)
        return FEED_RETRY;
    status = feed_set_revert(set, file, error, error_size);
    if (status != FEED_OK)
        return status;
    /* the paragraph from the line that names it: daemons begin with their version and end with
     * advice */
    while (where > output && where[-1] != '\n')
        where--;
    feed_message(message, sizeof(message), "%s", where);
    if (strstr(message, "\n\n") != NULL)
        *strstr(message, "\n\n") = '\0';
    feed_refuse(file, message);
    return FEED_OK;
}

/* Is there still anything new in the generation once refused files are out? */
static bool
still_changed(const batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!b->files[i].failed && !b->files[i].same)
            return true;
    return false;
}

/* Validates the staged generation until it passes; refused files are taken out one after the other.
 */
static feed_status
validate(engine *e, target *t, feed_set *set, batch *b, char *error, size_t error_size)
{
    char next[1100];
    feed_task run = {.cwd = next, .timeout_ms = t->timeout_ms};

    snprintf(next, sizeof(next), "%s/next", t->root);
    for (int round = 0; round < MAX_VALIDATIONS; round++) {
        feed_status status = feed_set_stage(set, error, error_size);

        if (status != FEED_OK || t->validate == NULL)
            return status;
        status = feed_run_command(e->store, t->validate, t->root, &run);
        if (status != FEED_OK || run.code == 0)
            return status;
        feed_command_message(t->validate, &run, error, error_size);
        if (run.code < 0)
            return FEED_RETRY;
        status = quarantine_named(set, b, run.output, error, error_size);
        if (status != FEED_OK)
            return status;
    }
    feed_message(error, error_size, "more than %d files of the set were refused", MAX_VALIDATIONS);
    return FEED_RETRY;
}

/* One round over the targets of lower rank that are this engine's. */
static feed_status
serve_lower_ranks(engine *e, target *t, bool *more)
{
    *more = false;
    for (size_t i = 0; i < e->ntargets; i++) {
        target *lower = &e->targets[i];
        bool again = false;
        feed_status status;

        if (lower->rank >= t->rank || lower->blocked)
            continue;
        /* what was known of it when the round began is old now */
        lower->single = true;
        status = feed_serve(e, lower, &again);
        /* A failing target never blocks another one: RETRY ends the loop, not the round. */
        if (status == FEED_FATAL)
            return status;
        if (status == FEED_RETRY)
            lower->blocked = true;
        *more = *more || again;
    }
    return FEED_OK;
}

feed_status
feed_wait_for_ranks(engine *e, target *t, const batch *b, bool *later)
{
    feed_value params[2] = {text_value(t->id_text), text_value(b->token)};
    int64_t end = e->store->now(e->store) + RANKS_WAIT_MS;
    bool served = t->lowest;

    *later = false;
    while (!served) {
        bool more = false;
        feed_status status = serve_lower_ranks(e, t, &more);

        served = true;
        if (status == FEED_OK)
            status = feed_ask(e->store, "SELECT nmsp_feed.served($1::bigint, $2::text)", params, 2,
                              &served);
        if (status != FEED_OK)
            return status;
        if (!served && e->store->now(e->store) > end) {
            *later = true;
            return FEED_OK;
        }
        if (!served && !more && e->store->nap(e->store, 10) == FEED_FATAL)
            return FEED_FATAL;
    }
    return FEED_OK;
}

feed_status
feed_reload(engine *e, target *t, char *error, size_t error_size)
{
    feed_task run = {.cwd = t->root, .timeout_ms = t->timeout_ms};
    feed_status status;

    if (t->reload == NULL)
        return FEED_OK;
    status = feed_run_command(e->store, t->reload, t->root, &run);
    if (status == FEED_OK && run.code != 0) {
        feed_command_message(t->reload, &run, error, error_size);
        status = FEED_RETRY;
    }
    return status;
}

static feed_status
apply_set(engine *e, target *t, batch *b, bool *later, char *error, size_t error_size)
{
    feed_set set;
    bool keep = true;
    feed_status status =
        feed_set_build(e->store, t->memory->fd, b->files, b->n, &set, error, error_size);

    if (status == FEED_OK && !set.changed) {
        keep = false; /* this very generation is in service already */
    } else if (status == FEED_OK) {
        status = validate(e, t, &set, b, error, error_size);
        if (status == FEED_OK)
            status = feed_wait_for_ranks(e, t, b, later);
        /* Only refused files were new: the present generation goes on, the daemon is left alone. */
        if (*later ||
            (status == FEED_OK && set.present[0] != '\0' && !set.cut_short && !still_changed(b)))
            keep = false;
        else if (status == FEED_OK)
            status = feed_set_switch(&set, error, error_size);
        if (status == FEED_OK && keep)
            status = feed_reload(e, t, error, error_size);
        if (status == FEED_OK && keep)
            status = feed_set_announced(&set, error, error_size);
    }
    feed_set_close(&set, keep);
    return status;
}

/* A removal that another artifact has made void in the meantime */
static bool
is_kept(const batch *b, size_t i)
{
    return strcmp(feed_get(&b->rows, i, ACTION)->data, "remove") == 0 &&
           feed_get(&b->rows, i, TOKEN)->data != NULL;
}

static feed_status
apply_records(engine *e, target *t, batch *b, bool *later, char *error, size_t error_size)
{
    feed_daemon daemon = feed_daemon_of(e, t);
    feed_status status = feed_wait_for_ranks(e, t, b, later);
    feed_file **files;
    size_t n = 0;

    if (status != FEED_OK || *later)
        return status;
    files = calloc(b->n + 1, sizeof(feed_file *));
    if (files == NULL)
        return FEED_RETRY;
    for (size_t i = 0; i < b->n; i++)
        if (!b->files[i].failed && !is_kept(b, i))
            files[n++] = &b->files[i];
    status = feed_apply_records(&daemon, files, n, error, error_size);
    free(files);
    if (status == FEED_OK && n > 0)
        status = feed_reload(e, t, error, error_size);
    return status;
}

feed_file *
feed_files_to_write(const batch *b, size_t *n)
{
    feed_file *files = calloc(b->n + 1, sizeof(feed_file));

    *n = 0;
    if (files == NULL)
        return NULL;
    /* A drop only leaves the manifest; its file goes when the grace time is over. */
    for (size_t i = 0; i < b->n; i++) {
        const char *action = feed_get(&b->rows, i, ACTION)->data;

        if (!b->files[i].failed && strcmp(action, "drop") != 0 && !is_kept(b, i))
            files[(*n)++] = b->files[i];
    }
    return files;
}

void
feed_take_results(batch *b, const feed_file *files, size_t n)
{
    for (size_t i = 0, j = 0; i < b->n && j < n; i++)
        if (b->files[i].path == files[j].path)
            b->files[i] = files[j++];
}

static feed_status
apply_files(engine *e, target *t, batch *b, bool *later, char *error, size_t error_size)
{
    feed_status status = feed_wait_for_ranks(e, t, b, later);
    feed_file *files;
    size_t n;

    if (status != FEED_OK || *later)
        return status;
    files = feed_files_to_write(b, &n);
    if (files == NULL)
        return FEED_RETRY;
    status = feed_write_files(e->store, t->memory->fd, files, n, error, error_size);
    feed_take_results(b, files, n);
    free(files);
    if (status == FEED_OK && n > 0)
        status = feed_reload(e, t, error, error_size);
    return status;
}

feed_status
feed_apply(engine *e, target *t, batch *b, bool *later, char *error, size_t error_size)
{
    *later = false;
    return t->mode == MODE_SET      ? apply_set(e, t, b, later, error, error_size)
           : t->mode == MODE_RECORD ? apply_records(e, t, b, later, error, error_size)
                                    : apply_files(e, t, b, later, error, error_size);
}

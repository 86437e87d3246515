/*
 * engine.c: the loop. For each target that has something to do: pull (what differs, and the
 * snapshot it belongs to) -> write -> validate -> switch -> confirm. Everything before confirm may
 * be repeated, so whatever ends the process in between, the next one does it again and finds most
 * of it done.
 */
#include "workers/feed/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 30000 /* safety net: a wake-up may be lost (COMMIT PREPARED) */
#define NOT_READY_MS 3000   /* the schema is absent or behind: look again */
#define PRUNE_EVERY_MS 10000
#define TELL_EVERY_MS 300000       /* a failure that stays the same */
#define MAX_VALIDATIONS 1000       /* of one generation: each run takes one file out */
#define QUARANTINE_MESSAGE_MAX 600 /* bytes kept of what the daemon says about one file */

/* What the engine remembers of a target between rounds; all of it may be forgotten. */
typedef struct memory {
    int64_t target;
    char *root;
    int fd; /* the open root, locked; -1 */
    feed_check check;
    bool checked;  /* the comparison at start was begun */
    char *failure; /* the last one that the log was told, NULL: none since it went well */
    int64_t told;  /* when */
    struct memory *next;
} memory;

typedef struct target {
    int64_t id;
    char id_text[24];
    const char *name;
    enum { MODE_FILE, MODE_SET, MODE_RECORD } mode;
    long rank;
    const char *root;
    const char *validate;
    const char *reload;
    const char *apply;
    const char *read;
    int64_t timeout_ms;
    long wait_ms; /* 0: now, -1: nothing in sight */
    const char *check_requested;
    bool blocked; /* failed lately, wait_ms is its back-off */
    memory *memory;
} target;

typedef struct engine {
    feed_store *store;
    memory *memories;
    target *targets;
    size_t ntargets;
    feed_rows rows; /* what the targets' texts point into */
    bool ready;
    bool told;  /* that it is not ready */
    bool begun; /* it was ready once */
    int64_t next_prune;
} engine;

/* One batch on its way. The files' texts point into rows. */
typedef struct batch {
    feed_rows rows;
    feed_file *files;
    size_t n;
    const char *token;
} batch;

enum { ACTION, PART, ID, PATH, CONTENT, SHA256, TOKEN, VITAL };

static feed_value
text_value(const char *text)
{
    feed_value value = {text, text ? strlen(text) : 0, false};

    return value;
}

/* Runs a statement whose rows do not matter. */
static feed_status
execute(feed_store *store, const char *sql, const feed_value *params, int n, char *error,
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
            close_root(m);
            feed_check_forget(&m->check);
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
    t->memory = remember(e, t->id);
    return t->memory != NULL;
}

static feed_status
load_targets(engine *e)
{
    feed_status status;

    free_targets(e);
    status = e->store->query(e->store,
                             "SELECT id, feed || '/' || name, mode, rank, root, validate_command, "
                             "reload_command, timeout_ms, wait_ms, check_requested, blocked, "
                             "apply_command, read_command "
                             "FROM nmsp_feed.targets()",
                             NULL, 0, true, &e->rows);
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

/* Opens and locks the target's folder; two feeders must never write the same one. */
static bool
hold_root(engine *e, target *t, char *error, size_t error_size)
{
    memory *m = t->memory;

    if (m->fd >= 0 && is_same_folder(m->fd, t->root))
        return true;
    if (m->fd >= 0) {
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
        return false;
    }
    m->root = strdup(t->root);
    feed_clean_temps(m->fd);
    return true;
}

/* ---------------------------------------------------------------- one batch */

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

/* Stores and tells that a target could not be served. */
static feed_status
fail(engine *e, target *t, const char *token, const char *error)
{
    feed_value params[3] = {text_value(t->id_text), text_value(token), text_value(error)};
    feed_status status;

    log_failure(e, t, error);
    e->store->note(e->store, 0, error);
    status = execute(e->store, "SELECT nmsp_feed.fail($1::bigint, $2::text, $3::text)", params, 3,
                     NULL, 0);
    return status == FEED_FATAL ? FEED_FATAL : FEED_RETRY;
}

static void
free_batch(engine *e, batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->files[i].error);
    free(b->files);
    e->store->free_rows(e->store, &b->rows);
}

static void
refuse(feed_file *file, const char *error)
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
    b->n = 0;
    b->token = NULL;
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
            file->vital =
                feed_get(&b->rows, i, VITAL)->data && feed_get(&b->rows, i, VITAL)->data[0] == 't';
        }
        problem = t->mode == MODE_RECORD ? feed_record_problem(file->path, path->len)
                                         : feed_path_problem(file->path, path->len);
        if (problem != NULL) {
            /* what was never written need not be removed */
            snprintf(message, sizeof(message), "path \"%.100s\" is refused: %s", file->path,
                     problem);
            refuse(file, message);
            if (strcmp(action, "put") != 0) {
                free(file->error);
                file->error = NULL;
            }
        }
    }
    return b->token != NULL;
}

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
    refuse(file, message);
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

static feed_status serve(engine *e, target *t, bool *more);

/* Brings targets of lower rank up to date: what this one announces must be served already. */
static feed_status
serve_lower_ranks(engine *e, target *t)
{
    for (size_t i = 0; i < e->ntargets; i++) {
        target *lower = &e->targets[i];
        bool more = true;
        feed_status status = FEED_OK;

        if (lower->rank >= t->rank)
            continue;
        /* A failing target never blocks another one: RETRY ends the loop, not the round. */
        while (more && status == FEED_OK)
            status = serve(e, lower, &more);
        if (status == FEED_FATAL)
            return status;
    }
    return FEED_OK;
}

static feed_status
reload(engine *e, target *t, char *error, size_t error_size)
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
apply_set(engine *e, target *t, batch *b, char *error, size_t error_size)
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
            status = serve_lower_ranks(e, t);
        /* Only refused files were new: the present generation goes on, the daemon is left alone. */
        if (status == FEED_OK && set.present[0] != '\0' && !still_changed(b))
            keep = false;
        else if (status == FEED_OK)
            status = feed_set_switch(&set, error, error_size);
        if (status == FEED_OK && keep)
            status = reload(e, t, error, error_size);
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

static feed_daemon
daemon_of(const engine *e, const target *t)
{
    return (feed_daemon){e->store, t->id_text, t->root, t->apply, t->read, t->timeout_ms};
}

static feed_status
apply_records(engine *e, target *t, batch *b, char *error, size_t error_size)
{
    feed_daemon daemon = daemon_of(e, t);
    feed_status status = serve_lower_ranks(e, t);
    feed_file **files;
    size_t n = 0;

    if (status != FEED_OK)
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
        status = reload(e, t, error, error_size);
    return status;
}

static feed_status
apply_files(engine *e, target *t, batch *b, char *error, size_t error_size)
{
    feed_status status = serve_lower_ranks(e, t);
    feed_file *files;
    size_t n = 0;

    if (status != FEED_OK)
        return status;
    /* A drop only leaves the manifest; its file goes when the grace time is over. */
    files = calloc(b->n + 1, sizeof(feed_file));
    if (files == NULL)
        return FEED_RETRY;
    for (size_t i = 0; i < b->n; i++) {
        const char *action = feed_get(&b->rows, i, ACTION)->data;

        if (!b->files[i].failed && strcmp(action, "drop") != 0 && !is_kept(b, i))
            files[n++] = b->files[i];
    }
    status = feed_write_files(e->store, t->memory->fd, files, n, error, error_size);
    for (size_t i = 0, j = 0; i < b->n && j < n; i++) {
        if (b->files[i].path == files[j].path)
            b->files[i] = files[j++];
    }
    free(files);
    if (status == FEED_OK && n > 0)
        status = reload(e, t, error, error_size);
    return status;
}

static feed_status
apply(engine *e, target *t, batch *b, char *error, size_t error_size)
{
    return t->mode == MODE_SET      ? apply_set(e, t, b, error, error_size)
           : t->mode == MODE_RECORD ? apply_records(e, t, b, error, error_size)
                                    : apply_files(e, t, b, error, error_size);
}

/* Tells the database what is in place now. */
static feed_status
confirm(engine *e, target *t, batch *b, char *error, size_t error_size)
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
        status = execute(e->store,
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

/* One batch of one target; *more: there may be more to do now. RETRY: it failed and was told. */
static feed_status
serve(engine *e, target *t, bool *more)
{
    feed_value params[1] = {text_value(t->id_text)};
    char error[FEED_MESSAGE_MAX] = "";
    batch b;
    feed_status status;

    *more = false;
    if (!hold_root(e, t, error, sizeof(error)))
        return fail(e, t, NULL, error);
    status = e->store->query(e->store, "SELECT * FROM nmsp_feed.pull($1::bigint)", params, 1, true,
                             &b.rows);
    if (status == FEED_RETRY)
        return fail(e, t, NULL, b.rows.error);
    if (status != FEED_OK)
        return status;
    if (b.rows.nrows == 0 || strcmp(feed_get(&b.rows, 0, ACTION)->data, "again") == 0) {
        *more = b.rows.nrows > 0;
        e->store->free_rows(e->store, &b.rows);
        return FEED_OK;
    }
    if (!read_batch(t, &b))
        status = FEED_RETRY;
    else
        status = apply(e, t, &b, error, sizeof(error));
    if (status == FEED_OK)
        status = confirm(e, t, &b, error, sizeof(error));
    if (status == FEED_OK) {
        log_refused(e, t, &b);
        free(t->memory->failure);
        t->memory->failure = NULL;
        e->store->note(e->store, (long)b.n, NULL);
        *more = true;
    } else if (status == FEED_RETRY) {
        status = fail(e, t, b.token, error[0] ? error : "out of memory");
    }
    free_batch(e, &b);
    return status;
}

/* ---------------------------------------------------------------- the loop */

/* Begins and goes on with the comparison of the manifest with what is in place: a page per round.
 */
static feed_status
check(engine *e, target *t, bool *more)
{
    memory *m = t->memory;
    feed_daemon daemon = daemon_of(e, t);
    char error[FEED_MESSAGE_MAX] = "";
    feed_status status;

    if (!m->check.running && m->checked && t->check_requested == NULL)
        return FEED_OK;
    if (!hold_root(e, t, error, sizeof(error)))
        return fail(e, t, NULL, error);
    if (!m->check.running) {
        m->checked = true;
        m->check.running = true;
        snprintf(m->check.request, sizeof(m->check.request), "%s",
                 t->check_requested ? t->check_requested : "");
        feed_clean_temps(m->fd);
    }
    if (t->mode == MODE_RECORD)
        status = feed_check_records(&daemon, &m->check, error, sizeof(error));
    else
        status = feed_check_page(e->store, t->id, t->mode == MODE_SET, m->fd, &m->check, error,
                                 sizeof(error));
    if (status == FEED_RETRY)
        return fail(e, t, NULL, error);
    *more = true;
    return status;
}

/* Reads one boolean. */
static feed_status
ask(engine *e, const char *sql, bool *answer)
{
    feed_rows rows;
    feed_status status = e->store->query(e->store, sql, NULL, 0, false, &rows);

    if (status == FEED_OK) {
        *answer =
            rows.nrows == 1 && feed_get(&rows, 0, 0)->data && feed_get(&rows, 0, 0)->data[0] == 't';
        e->store->free_rows(e->store, &rows);
    }
    return status;
}

/* The code needs its tables, and functions of the version it was made for. */
static feed_status
is_ready(engine *e)
{
    bool present = false;
    bool right = e->ready;
    feed_status status =
        ask(e,
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'nmsp') "
            "AND pg_catalog.to_regprocedure('nmsp_feed.protocol()') IS NOT NULL "
            "AND pg_catalog.to_regclass('nmsp_feed.target') IS NOT NULL",
            &present);

    if (status == FEED_OK && present && !right)
        status = ask(e, "SELECT nmsp_feed.protocol() = " FEED_PROTOCOL_TEXT, &right);
    e->ready = status == FEED_OK && present && right;
    if (e->ready && !e->begun)
        e->begun = execute(e->store, "SELECT nmsp_feed.unblock()", NULL, 0, NULL, 0) == FEED_OK;
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

    if (now < e->next_prune)
        return FEED_OK;
    e->next_prune = now + PRUNE_EVERY_MS;
    return execute(e->store, "SELECT nmsp_feed.prune()", NULL, 0, NULL, 0);
}

/* Serves each target once. *wait_ms: how long nothing is expected to be due. */
static feed_status
do_round(engine *e, long *wait_ms)
{
    feed_status status = load_targets(e);

    *wait_ms = LOOK_EVERY_MS;
    if (status != FEED_OK) {
        *wait_ms = NOT_READY_MS;
        return status == FEED_FATAL ? FEED_FATAL : FEED_OK;
    }
    for (size_t i = 0; i < e->ntargets; i++) {
        target *t = &e->targets[i];
        bool more = false;

        if (t->wait_ms > 0 && t->wait_ms < *wait_ms)
            *wait_ms = t->wait_ms;
        if (t->wait_ms == 0)
            status = serve(e, t, &more);
        if (status == FEED_OK && !t->blocked)
            status = check(e, t, &more);
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
        close_root(m);
        feed_check_forget(&m->check);
        free(m->failure);
        free(m);
    }
}

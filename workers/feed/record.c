/*
 * record.c: daemons that are fed by a protocol instead of by files. SQL turns changes into the
 * input of a command (one or more runs, each with a name), the command speaks with the daemon, its
 * exit status tells whether the daemon took all of them. A second command prints what the daemon
 * has, and SQL reads that. So a daemon with a line protocol needs functions and two commands, no C.
 *
 * Every run may be repeated: putting a record replaces it, dropping one that is gone is no error.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 1000000 /* of what the daemon has, looked at in one statement */
#define HOPELESS 32         /* so many refused in a row and none taken: the rest is not tried */

const char *
feed_record_problem(const char *path, size_t len)
{
    if (len == 0)
        return "it is empty";
    if (len > 1024)
        return "it is longer than 1024 bytes";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] < 32 || path[i] == 127)
            return "it contains a control character";
    return NULL;
}

/* ---------------------------------------------------------------- changes */

typedef struct handover {
    const feed_daemon *daemon;
    size_t taken;
    size_t refused;
    const char *last; /* why the last one was refused */
} handover;

static void
add_change(feed_buffer columns[3], const char *action, const char *path, const char *content,
           size_t len)
{
    feed_add_element(&columns[0], action, strlen(action));
    feed_add_element(&columns[1], path, strlen(path));
    feed_add_hex(&columns[2], content, len);
}

/* Asks SQL for the runs that make these changes, or (probe) that change nothing but show whether
 * the daemon would take some for these records. */
static feed_status
ask_script(const feed_daemon *daemon, feed_file **files, size_t n, bool probe, feed_rows *rows,
           char *error, size_t error_size)
{
    feed_buffer columns[3] = {{0}};
    feed_value params[4] = {{daemon->target, strlen(daemon->target)}};
    feed_status status = FEED_RETRY;
    bool failed = false;

    for (int c = 0; c < 3; c++)
        feed_add(&columns[c], "{", 1);
    for (size_t i = 0; i < n; i++) {
        const feed_file *file = files[i];

        if (file->old_path != NULL)
            add_change(columns, probe ? "probe" : "drop", file->old_path, NULL, 0);
        add_change(columns,
                   probe           ? "probe"
                   : file->content ? "put"
                                   : "drop",
                   file->path, probe ? NULL : file->content, file->len);
    }
    for (int c = 0; c < 3; c++) {
        feed_add(&columns[c], "}", 1);
        failed = failed || columns[c].failed;
        params[c + 1].data = columns[c].data;
        params[c + 1].len = columns[c].len;
    }
    if (failed)
        feed_message(error, error_size, "out of memory");
    else
        status = daemon->store->query(daemon->store,
                                      "SELECT s.name, s.script, t.opening, t.send, t.answer, "
                                      "t.taken, t.trouble FROM nmsp_feed.script($1::bigint, "
                                      "$2::text[], $3::text[], $4::bytea[]) s "
                                      "CROSS JOIN nmsp_feed.talk($1::bigint) t",
                                      params, 4, false, rows);
    if (status == FEED_RETRY && !failed)
        feed_message(error, error_size, "%s", rows->error);
    for (int c = 0; c < 3; c++)
        free(columns[c].data);
    return status;
}

static void
run_message(const feed_daemon *daemon, const char *name, const feed_task *run, char *error,
            size_t error_size)
{
    char message[FEED_MESSAGE_MAX];

    feed_command_message(daemon->apply, run, message, sizeof(message));
    feed_message(error, error_size, "%s%s%s", name ? name : "", name ? ": " : "", message);
}

static feed_status
run_one(const feed_daemon *daemon, const char *input, size_t len, feed_task *run)
{
    *run = (feed_task){
        .cwd = daemon->root, .input = input, .input_len = len, .timeout_ms = daemon->timeout_ms};
    return feed_run_command(daemon->store, daemon->apply, daemon->root, run);
}

/* By the command that stays running, where this daemon's can; *code as in feed_task, 1: not so. */
static feed_status
run_session(const feed_daemon *daemon, const feed_rows *rows, const feed_buffer *input, int *code,
            char *error, size_t error_size)
{
    feed_talk talk = {feed_get(rows, 0, 2)->data, feed_get(rows, 0, 3)->data,
                      feed_get(rows, 0, 4)->data, feed_get(rows, 0, 5)->data,
                      feed_get(rows, 0, 6)->data};
    feed_task run = {
        .input = input->data, .input_len = input->len, .timeout_ms = daemon->timeout_ms};
    bool taken;
    feed_status status;

    if (talk.begin == NULL)
        return FEED_OK;
    status = feed_session_run(daemon->store, daemon->session, daemon->apply, daemon->root, &talk,
                              &run, &taken);
    if (status == FEED_OK && run.code < 0) {
        feed_command_message(daemon->apply, &run, error, error_size);
        status = FEED_RETRY;
    }
    if (taken)
        *code = 0;
    return status;
}

/* All at once, which is one process or none for the common case. *code as in feed_task. */
static feed_status
run_joined(const feed_daemon *daemon, const feed_rows *rows, bool first, int *code, char *error,
           size_t error_size)
{
    feed_buffer input = {0};
    feed_task run;
    feed_status status = FEED_OK;

    *code = 1;
    for (size_t i = 0; i < rows->nrows; i++)
        feed_add(&input, feed_get(rows, i, 1)->data, feed_get(rows, i, 1)->len);
    if (!input.failed && input.data != NULL) {
        if (first)
            status = run_session(daemon, rows, &input, code, error, error_size);
        if (status == FEED_OK && *code != 0 && rows->nrows > 1) {
            status = run_one(daemon, input.data, input.len, &run);
            *code = run.code;
        }
    }
    free(input.data);
    return status;
}

/* Makes the runs for these changes. *good: all of them succeeded, else error says why the first
 * that did not failed; the others are made all the same. RETRY: they cannot be made. first: nothing
 * speaks against them yet. */
static feed_status
run_script(const feed_daemon *daemon, feed_file **files, size_t n, bool probe, bool first,
           bool *good, char *error, size_t error_size)
{
    feed_rows rows;
    int code = 1;
    feed_status status = ask_script(daemon, files, n, probe, &rows, error, error_size);

    *good = true;
    if (status != FEED_OK)
        return status;
    if (rows.nrows > 0)
        status = run_joined(daemon, &rows, first, &code, error, error_size);
    /* one by one where that did not work, so that it is known whom the message is about */
    for (size_t i = 0; i < rows.nrows && status == FEED_OK && code != 0; i++) {
        const feed_value *script = feed_get(&rows, i, 1);
        feed_task run;

        if (script->data == NULL)
            continue;
        status = run_one(daemon, script->data, script->len, &run);
        if (status != FEED_OK || run.code == 0)
            continue;
        if (*good)
            run_message(daemon, feed_get(&rows, i, 0)->data, &run, error, error_size);
        *good = false;
        if (run.code < 0)
            status = FEED_RETRY; /* not started or too slow: that is no record's fault */
    }
    daemon->store->free_rows(daemon->store, &rows);
    return status;
}

static void
refuse(handover *h, feed_file *file, const char *why)
{
    file->failed = true;
    free(file->error);
    file->error = strdup(why);
    h->last = file->error;
    h->refused++;
}

/* Marks the rest without asking: a daemon that refuses everything would be asked for minutes. */
static void
give_up(handover *h, feed_file **files, size_t n)
{
    char why[FEED_MESSAGE_MAX];

    feed_message(why, sizeof(why), "not tried, since the %d before it were refused, the last: %s",
                 HOPELESS, h->last ? h->last : "");
    for (size_t i = 0; i < n; i++) {
        free(files[i]->error);
        files[i]->failed = true;
        files[i]->error = strdup(why);
    }
}

/* Hands a part of the batch over, and its halves where the daemon does not take the whole. */
static feed_status
hand_over(handover *h, feed_file **files, size_t n, bool first, char *error, size_t error_size)
{
    char message[FEED_MESSAGE_MAX];
    bool good = false;
    feed_status status;

    if (h->taken == 0 && h->refused >= HOPELESS) {
        give_up(h, files, n);
        return FEED_OK;
    }
    status = run_script(h->daemon, files, n, false, first, &good, message, sizeof(message));
    if (status == FEED_RETRY)
        feed_message(error, error_size, "%s", message);
    if (status != FEED_OK)
        return status;
    if (good) {
        h->taken += n;
        return FEED_OK;
    }
    /* Is it the daemon or is it a record? Asked before any is blamed. */
    if (first || n == 1) {
        status = run_script(h->daemon, files, n, true, false, &good, error, error_size);
        if (status != FEED_OK)
            return status;
        if (!good)
            return FEED_RETRY;
    }
    if (n == 1) {
        refuse(h, files[0], message);
        return FEED_OK;
    }
    status = hand_over(h, files, n / 2, false, error, error_size);
    if (status == FEED_OK)
        status = hand_over(h, files + n / 2, n - n / 2, false, error, error_size);
    return status;
}

feed_status
feed_apply_records(const feed_daemon *daemon, feed_file **files, size_t n, char *error,
                   size_t error_size)
{
    handover h = {.daemon = daemon};

    if (daemon->apply == NULL) {
        feed_message(error, error_size, "the feed has no apply_command");
        return FEED_RETRY;
    }
    return n > 0 ? hand_over(&h, files, n, true, error, error_size) : FEED_OK;
}

/* ---------------------------------------------------------------- what the daemon has */

/* A query of one value or none; *text is malloc'ed, NULL when there is none. */
static feed_status
ask(const feed_daemon *daemon, const char *sql, const feed_value *params, int n, char **text,
    char *error, size_t error_size)
{
    feed_rows rows;
    feed_status status = daemon->store->query(daemon->store, sql, params, n, false, &rows);

    if (text != NULL)
        *text = NULL;
    if (status != FEED_OK) {
        feed_message(error, error_size, "%s", rows.error);
        return status;
    }
    if (text != NULL && rows.nrows > 0 && feed_get(&rows, 0, 0)->data != NULL)
        *text = strdup(feed_get(&rows, 0, 0)->data);
    daemon->store->free_rows(daemon->store, &rows);
    return FEED_OK;
}

/* A command that failed halfway may have printed much; what it says of it stands at the end. */
static void
keep_end(feed_task *run, const feed_buffer *seen)
{
    size_t len = seen->len < 1000 ? seen->len : 1000;

    if (run->output[0] != '\0' || len == 0)
        return;
    feed_message(run->output, sizeof(run->output), "%s", seen->data + seen->len - len);
    for (len = strlen(run->output); len > 0 && run->output[len - 1] == '\n'; len--)
        run->output[len - 1] = '\0';
}

/* Lets the daemon say what it has. */
static feed_status
read_daemon(const feed_daemon *daemon, feed_check *check, char *error, size_t error_size)
{
    feed_value params[1] = {{daemon->target, strlen(daemon->target)}};
    feed_task run = {.cwd = daemon->root, .timeout_ms = daemon->timeout_ms, .answer = &check->seen};
    char *input;
    feed_status status =
        ask(daemon, "SELECT nmsp_feed.question($1::bigint)", params, 1, &input, error, error_size);

    if (status != FEED_OK)
        return status;
    run.input = input;
    run.input_len = input ? strlen(input) : 0;
    check->seen_at = 0;
    feed_add(&check->seen, "", 0);
    status = feed_run_command(daemon->store, daemon->read, daemon->root, &run);
    free(input);
    if (status == FEED_OK && check->seen.failed) {
        feed_message(error, error_size, "command \"%s\": out of memory", daemon->read);
        status = FEED_RETRY;
    } else if (status == FEED_OK && run.code != 0) {
        keep_end(&run, &check->seen);
        feed_command_message(daemon->read, &run, error, error_size);
        status = FEED_RETRY;
    }
    return status;
}

/* Hands the next piece over, whole lines of it. */
static feed_status
look_at_piece(const feed_daemon *daemon, feed_check *check, char *error, size_t error_size)
{
    /* A daemon that has nothing leaves no text at all. */
    const char *text = check->seen.data == NULL ? "" : check->seen.data + check->seen_at;
    size_t len = check->seen.len - check->seen_at;
    feed_value params[3] = {{daemon->target, strlen(daemon->target)}};
    const char *first = check->seen_at == 0 ? "true" : "false";
    feed_status status;

    if (len > PIECE_BYTES) {
        const char *end = memrchr(text, '\n', PIECE_BYTES);

        if (end == NULL)
            end = memchr(text, '\n', len);
        if (end != NULL)
            len = (size_t)(end - text) + 1;
    }
    params[1] = (feed_value){text, len};
    params[2] = (feed_value){first, strlen(first)};
    status = ask(daemon, "SELECT nmsp_feed.see($1::bigint, $2::text, $3::boolean)", params, 3, NULL,
                 error, error_size);
    if (status == FEED_OK)
        check->seen_at += len;
    return status;
}

feed_status
feed_check_records(const feed_daemon *daemon, feed_check *check, char *error, size_t error_size)
{
    feed_value params[1] = {{daemon->target, strlen(daemon->target)}};
    feed_status status = FEED_OK;

    if (daemon->read == NULL)
        return feed_check_done(daemon->store, daemon->target, check, error, error_size);
    if (check->seen.data == NULL)
        status = read_daemon(daemon, check, error, error_size);
    if (status == FEED_OK)
        status = look_at_piece(daemon, check, error, error_size);
    if (status == FEED_OK && check->seen_at < check->seen.len)
        return FEED_OK;
    if (status == FEED_OK)
        status = ask(daemon, "SELECT nmsp_feed.seen_all($1::bigint)", params, 1, NULL, error,
                     error_size);
    if (status == FEED_OK)
        return feed_check_done(daemon->store, daemon->target, check, error, error_size);
    /* The next attempt asks the daemon again. */
    free(check->seen.data);
    memset(&check->seen, 0, sizeof(check->seen));
    return status;
}

/*
 * action.c: nmsp-agent -a. Takes actions from nmsp.action, runs snmpset or radclient for each, some
 * side by side, and stores what they said. Beside that it calls what must be called now and then:
 * the next step of firmware campaigns, resets by policy.
 *
 * Each action is done at most once: the row is "running", and that is on the server's disk, before
 * the program is started; after a kill -9 the next start of this agent turns it into "unknown".
 * Secrets are in no argument list: they are files of this user alone, in a folder of the slot that
 * the program runs in, for as long as it runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/action.h"

#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS_MAX 64
#define ARGUMENTS_MAX 80
#define PATH_ROOM (CONFIG_TEXT_MAX + 64)
#define ROUTINE_MS 5000
#define RECONNECT_MS 1000
#define LINGER_MS 5 /* a program that has closed its output is looked at this often */

typedef enum state { FREE, RUNNING, FINISHED } state;

typedef struct slot {
    state state;
    char id[24];
    pid_t pid;
    int output; /* pipe; -1: closed */
    int64_t begin_us, deadline_us;
    double latency_ms;
    bool ok;
    char text[1000];
    size_t len;
} slot;

typedef struct runner {
    const char *file;
    config c;
    PGconn *pq;
    bool told_down;
    int64_t next_connect, next_claim, next_routine, next_keep; /* microseconds */
    slot slots[SLOTS_MAX];
} runner;

static volatile sig_atomic_t stop = 0;
static volatile sig_atomic_t again = 0;

static void
on_signal(int number)
{
    if (number == SIGHUP)
        again = 1;
    else
        stop = 1;
}

/* ---------------------------------------------------------------- the database */

static void
go_down(runner *r)
{
    if (!r->told_down)
        agent_log(AGENT_WARNING, "no database: %s", r->pq ? PQerrorMessage(r->pq) : "no memory");
    r->told_down = true;
    PQfinish(r->pq);
    r->pq = NULL;
    r->next_connect = clock_us() + RECONNECT_MS * 1000;
}

/* One statement, one transaction; NULL when it failed. */
static PGresult *
ask(runner *r, const char *sql, int n, const char *const values[])
{
    PGresult *result = PQexecParams(r->pq, sql, n, NULL, values, NULL, NULL, 0);

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    if (PQstatus(r->pq) == CONNECTION_BAD)
        go_down(r);
    else
        agent_log(AGENT_ERROR, "actions: %s", PQerrorMessage(r->pq));
    PQclear(result);
    return NULL;
}

static void
connect_database(runner *r)
{
    /* A claim must not be lost in a crash of the server: it would be done twice. */
    const char *keys[] = {"dbname",          "application_name", "client_encoding",
                          "connect_timeout", "options",          NULL};
    const char *values[] = {r->c.database, "nmsp-agent actions", "UTF8", "5",
                            "-c search_path=pg_catalog,pg_temp -c jit=off "
                            "-c statement_timeout=60000 -c synchronous_commit=on",
                            NULL};
    const char *name[] = {r->c.name};
    PGresult *result;

    r->pq = PQconnectdbParams(keys, values, 1);
    if (PQstatus(r->pq) != CONNECTION_OK) {
        go_down(r);
        return;
    }
    /* Only now may what this agent had before be given up: what runs still is told below. */
    result = ask(r, "SELECT nmsp.begin_actions($1::text)", 1, name);
    if (result == NULL) {
        if (r->pq != NULL)
            go_down(r);
        return;
    }
    if (strcmp(PQgetvalue(result, 0, 0), "0") != 0)
        agent_log(AGENT_WARNING, "%s actions were under way when their agent ended",
                  PQgetvalue(result, 0, 0));
    PQclear(result);
    r->told_down = false;
    agent_log(AGENT_INFO, "database is there");
}

/* ---------------------------------------------------------------- results */

static void
finish(slot *s, bool ok, const char *text)
{
    s->state = FINISHED;
    s->ok = ok;
    if (text != NULL) {
        snprintf(s->text, sizeof(s->text), "%s", text);
        s->len = strlen(s->text);
    }
    while (s->len > 0 && (s->text[s->len - 1] == '\n' || s->text[s->len - 1] == ' '))
        s->text[--s->len] = '\0';
    for (char *c = s->text; *c; c++) /* whatever it said is text now */
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = ' ';
    s->latency_ms = (double)(clock_us() - s->begin_us) / 1000;
}

static void
store_results(runner *r)
{
    feed_buffer columns[4] = {{0}};
    const char *values[5] = {r->c.name};
    char number[32];
    int n = 0;

    for (int i = 0; i < 4; i++)
        feed_add(&columns[i], "{", 1);
    for (slot *s = r->slots; s < r->slots + SLOTS_MAX; s++) {
        if (s->state != FINISHED)
            continue;
        n++;
        snprintf(number, sizeof(number), "%.3f", s->latency_ms);
        feed_add_element(&columns[0], s->id, strlen(s->id));
        feed_add_element(&columns[1], s->ok ? "t" : "f", 1);
        feed_add_element(&columns[2], s->text, s->len);
        feed_add_element(&columns[3], number, strlen(number));
    }
    for (int i = 0; i < 4; i++) {
        feed_add(&columns[i], "}", 1);
        values[i + 1] = columns[i].data;
    }
    if (n > 0 && !columns[0].failed && !columns[1].failed && !columns[2].failed &&
        !columns[3].failed) {
        PGresult *result = ask(r, "SELECT nmsp.finish_actions($1::text, $2::bigint[], "
                                  "$3::boolean[], $4::text[], $5::real[])",
                               5, values);

        for (slot *s = r->slots; result != NULL && s < r->slots + SLOTS_MAX; s++)
            if (s->state == FINISHED)
                s->state = FREE;
        PQclear(result);
    }
    for (int i = 0; i < 4; i++)
        free(columns[i].data);
}

/* ---------------------------------------------------------------- programs */

static void
slot_path(const runner *r, const slot *s, const char *name, char *to)
{
    snprintf(to, PATH_ROOM, "%s/slot-%d%s%s", r->c.action_folder, (int)(s - r->slots),
             name[0] ? "/" : "", name);
}

static void
forget_secrets(const runner *r, const slot *s)
{
    char path[PATH_ROOM];

    slot_path(r, s, "snmp.conf", path);
    unlink(path);
    slot_path(r, s, "secret", path);
    unlink(path);
}

/* A file that only this user can read. */
static bool
write_secret(const char *path, const char *before, const char *secret, bool quoted)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (out == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    fputs(before, out);
    for (const char *c = secret; *c; c++) {
        if (quoted && (*c == '"' || *c == '\\'))
            putc('\\', out);
        putc(*c, out);
    }
    fputs(quoted ? "\"\n" : "\n", out);
    return fclose(out) == 0;
}

static bool
prepare_secrets(const runner *r, const slot *s, const char *secret)
{
    char path[PATH_ROOM];

    for (const char *c = secret; *c; c++)
        if ((unsigned char)*c < ' ') {
            errno = EINVAL;
            return false;
        }
    slot_path(r, s, "", path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return false;
    forget_secrets(r, s);
    slot_path(r, s, "snmp.conf", path);
    if (!write_secret(path, "defCommunity \"", secret, true))
        return false;
    slot_path(r, s, "secret", path);
    return write_secret(path, "", secret, false);
}

/* The command's own arguments, then the action's (one a line, cut in place). */
static bool
join_arguments(char **command, const char *secret_file, char *arguments, char **argv)
{
    int n = 0;
    char *rest = arguments;

    for (; command[n] != NULL && n < ARGUMENTS_MAX - 4; n++)
        argv[n] = command[n];
    if (secret_file != NULL) {
        argv[n++] = (char *)"-S";
        argv[n++] = (char *)secret_file;
    }
    for (char *one = strsep(&rest, "\n"); one != NULL; one = strsep(&rest, "\n")) {
        if (n == ARGUMENTS_MAX - 1)
            return false;
        argv[n++] = one;
    }
    argv[n] = NULL;
    return true;
}

static int
start_program(runner *r, slot *s, char **argv, const char *input)
{
    char folder[PATH_ROOM];
    char confpath[PATH_ROOM + 16], persistent[PATH_ROOM + 24];
    char *environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8",
                           (char *)"MIBS=", confpath, persistent, NULL};
    int pipes[2];
    int in = -1;
    int result;

    slot_path(r, s, "", folder);
    snprintf(confpath, sizeof(confpath), "SNMPCONFPATH=%s", folder);
    snprintf(persistent, sizeof(persistent), "SNMP_PERSISTENT_DIR=%s", folder);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return errno;
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    if (input != NULL)
        in = feed_make_input(input, strlen(input));
    result = input != NULL && in < 0
                 ? errno
                 : feed_start_child(&s->pid, argv, folder, environment, in, pipes[1], pipes[1]);
    if (in >= 0)
        close(in);
    close(pipes[1]);
    s->output = pipes[0];
    if (result != 0)
        close(pipes[0]);
    return result;
}

/* program, arguments, secret, input of a row of nmsp.claim_actions -> a running slot. */
static void
start_action(runner *r, slot *s, const char *program, const char *arguments, const char *secret,
             const char *input)
{
    char error[PATH_ROOM + 600];
    char path[PATH_ROOM];
    char *argv[ARGUMENTS_MAX];
    char **command = NULL;
    char *copy = strdup(arguments);
    bool radius = strcmp(program, "radclient") == 0;
    int result;

    s->begin_us = clock_us();
    s->deadline_us = s->begin_us + r->c.action_timeout_ms * 1000;
    s->len = 0;
    s->text[0] = '\0';
    slot_path(r, s, "secret", path);
    if (copy == NULL) {
        finish(s, false, "out of memory");
    } else if (feed_command(r->c.command_file, program, r->c.action_folder, &command, error,
                            sizeof(error)) != 0) {
        finish(s, false, error);
    } else if (!prepare_secrets(r, s, secret)) {
        snprintf(error, sizeof(error), "cannot write into %s: %s", r->c.action_folder,
                 strerror(errno));
        finish(s, false, error);
    } else if (!join_arguments(command, radius ? path : NULL, copy, argv)) {
        finish(s, false, "too many arguments");
    } else if ((result = start_program(r, s, argv, input)) != 0) {
        snprintf(error, sizeof(error), "could not run \"%s\": %s", argv[0], strerror(result));
        finish(s, false, error);
    } else {
        s->state = RUNNING;
    }
    if (s->state == FINISHED)
        forget_secrets(r, s);
    feed_free_command(command);
    free(copy);
}

static void
take_output(slot *s)
{
    char chunk[4096];
    ssize_t n = -1;

    while (s->output >= 0 && (n = read(s->output, chunk, sizeof(chunk))) > 0)
        for (ssize_t i = 0; i < n && s->len + 1 < sizeof(s->text); i++)
            s->text[s->len++] = chunk[i] != '\0' ? chunk[i] : ' ';
    s->text[s->len] = '\0';
    if (n == 0) {
        close(s->output);
        s->output = -1;
    }
}

static void
look_at(runner *r, slot *s)
{
    int status = 0;
    bool late = clock_us() > s->deadline_us;

    take_output(s);
    if (late)
        kill(-s->pid, SIGKILL);
    if (waitpid(s->pid, &status, late ? 0 : WNOHANG) == 0)
        return;
    take_output(s);
    if (s->output >= 0)
        close(s->output);
    s->output = -1;
    finish(s, !late && WIFEXITED(status) && WEXITSTATUS(status) == 0,
           late ? "the program took too long and was killed" : NULL);
    forget_secrets(r, s);
}

/* ---------------------------------------------------------------- the loop */

static slot *
free_slot(runner *r)
{
    for (int i = 0; i < r->c.action_parallel; i++)
        if (r->slots[i].state == FREE)
            return &r->slots[i];
    return NULL;
}

static int
count(const runner *r, state state)
{
    int n = 0;

    for (int i = 0; i < SLOTS_MAX; i++)
        n += r->slots[i].state == state;
    return n;
}

static void
claim(runner *r)
{
    int room = (int)r->c.action_parallel - count(r, RUNNING) - count(r, FINISHED);
    char text[16];
    const char *values[] = {r->c.name, text};
    PGresult *result;

    r->next_claim = clock_us() + r->c.action_poll_ms * 1000;
    if (room <= 0)
        return;
    snprintf(text, sizeof(text), "%d", room);
    result = ask(r, "SELECT id, program, array_to_string(arguments, E'\\n'), secret, input "
                    "FROM nmsp.claim_actions($1::text, $2::int)",
                 2, values);
    for (int i = 0; result != NULL && i < PQntuples(result); i++) {
        slot *s = free_slot(r);

        if (s == NULL) /* cannot be: it was not asked for more */
            break;
        snprintf(s->id, sizeof(s->id), "%s", PQgetvalue(result, i, 0));
        start_action(r, s, PQgetvalue(result, i, 1), PQgetvalue(result, i, 2),
                     PQgetvalue(result, i, 3),
                     PQgetisnull(result, i, 4) ? NULL : PQgetvalue(result, i, 4));
    }
    if (result != NULL && PQntuples(result) == room)
        r->next_claim = 0;
    PQclear(result);
}

static void
routine(runner *r)
{
    r->next_routine = clock_us() + ROUTINE_MS * 1000;
    PQclear(ask(r, "SELECT released, finished FROM nmsp.advance_campaigns()", 0, NULL));
    if (r->pq != NULL)
        PQclear(ask(r, "SELECT nmsp.reset_changed_modems()", 0, NULL));
    if (r->pq != NULL && clock_us() > r->next_keep) {
        r->next_keep = clock_us() + 3600000000;
        PQclear(ask(r, "SELECT nmsp.keep_actions()", 0, NULL));
    }
}

/* Sleeps until a program says something or ends, the next look is due, or a signal comes. */
static void
sleep_a_little(runner *r, const sigset_t *while_waiting)
{
    struct pollfd fds[SLOTS_MAX];
    int n = 0;
    int64_t ms = (r->next_claim - clock_us()) / 1000;
    struct timespec t;

    if (ms > r->c.action_poll_ms || r->pq == NULL)
        ms = r->c.action_poll_ms;
    for (slot *s = r->slots; s < r->slots + SLOTS_MAX; s++) {
        if (s->state == RUNNING && s->output >= 0)
            fds[n++] = (struct pollfd){.fd = s->output, .events = POLLIN};
        else if (s->state == RUNNING && ms > LINGER_MS)
            ms = LINGER_MS;
    }
    ms = ms > 0 ? ms : 0;
    t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    ppoll(fds, (nfds_t)n, &t, while_waiting);
}

static void
read_again(runner *r)
{
    config fresh;
    char error[600];

    again = 0;
    if (config_read(&fresh, r->file, error, sizeof(error)) != 0) {
        agent_log(AGENT_ERROR, "%s; the configuration stays as it was", error);
        return;
    }
    snprintf(fresh.name, sizeof(fresh.name), "%s", r->c.name); /* rows are in this name */
    memcpy(fresh.action_folder, r->c.action_folder, sizeof(fresh.action_folder));
    r->c = fresh;
    agent_log(AGENT_INFO, "configuration read again");
}

static void
step(runner *r)
{
    for (slot *s = r->slots; s < r->slots + SLOTS_MAX; s++)
        if (s->state == RUNNING)
            look_at(r, s);
    if (r->pq == NULL && clock_us() >= r->next_connect && count(r, RUNNING) == 0)
        connect_database(r);
    if (r->pq != NULL && count(r, FINISHED) > 0)
        store_results(r);
    if (stop || again || r->pq == NULL)
        return;
    if (clock_us() >= r->next_routine)
        routine(r);
    if (r->pq != NULL && clock_us() >= r->next_claim)
        claim(r);
}

static void
catch_signals(sigset_t *while_waiting)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, while_waiting);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int
action_run(const char *file, const config *c)
{
    static runner r;
    sigset_t while_waiting;
    struct stat is;

    if (stat(c->action_folder, &is) != 0 || !S_ISDIR(is.st_mode) ||
        access(c->action_folder, W_OK) != 0) {
        agent_log(AGENT_ERROR, "action_folder \"%s\" must be a folder that this user can write",
                  c->action_folder);
        return 1;
    }
    r.file = file;
    r.c = *c;
    for (slot *s = r.slots; s < r.slots + SLOTS_MAX; s++) {
        s->output = -1;
        forget_secrets(&r, s);
    }
    catch_signals(&while_waiting);
    agent_log(AGENT_INFO, "nmsp-agent \"%s\" does actions", r.c.name);
    /* What is under way at the end is waited for: deadlines bound that. */
    while (!stop || count(&r, RUNNING) > 0 || (r.pq != NULL && count(&r, FINISHED) > 0)) {
        if (again)
            read_again(&r);
        step(&r);
        if (!stop || count(&r, RUNNING) > 0)
            sleep_a_little(&r, &while_waiting);
    }
    PQfinish(r.pq);
    agent_log(AGENT_INFO, "nmsp-agent ends");
    return 0;
}

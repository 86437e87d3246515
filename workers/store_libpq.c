/*
 * store_libpq.c: the feed engine's store over libpq, for targets on machines without the server.
 *
 * One connection, one transaction per query. While the database is away queries answer RETRY and
 * the engine comes again; what is in place stays in service. Signals are blocked but while it
 * waits, so none is lost between looking and waiting.
 */
#include "workers/store_libpq.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTEA_OID 17
#define TEXT_OID 25
#define MAX_PARAMS 10
#define CONNECT_MS 5000
#define REPORT_EVERY_MS 10000
#define ANSWER_MS 600000 /* a first pull of a million artifacts may take long */

typedef struct libpq {
    const char *file;
    config c;
    PGconn *pq;
    sigset_t while_waiting;
    int64_t began;
    int64_t next_report;
    int poked[2]; /* a pipe: the writer's thread ends a wait by it */
} libpq;

/* What a result's values point into. */
typedef struct block {
    size_t n;
    char *copies[];
} block;

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

static int64_t
now_ms(feed_store *store)
{
    return clock_us() / 1000;
}

static void
read_again(libpq *l)
{
    config fresh;
    char error[600];

    again = 0;
    if (config_read(&fresh, l->file, error, sizeof(error)) != 0) {
        agent_log(AGENT_ERROR, "%s; the configuration stays as it was", error);
        return;
    }
    if (strcmp(fresh.database, l->c.database) != 0 ||
        strcmp(fresh.feed_agent, l->c.feed_agent) != 0) {
        PQfinish(l->pq);
        l->pq = NULL;
    }
    l->c = fresh;
    agent_log(AGENT_INFO, "configuration read again");
}

/* Waits for the socket (fd -1: only for time). Returns what poll says; 0 also after a signal. */
static int
wait_for(libpq *l, int fd, short events, int64_t ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    int n = ppoll(&p, fd < 0 ? 0 : 1, &t, &l->while_waiting);

    return n < 0 ? 0 : n;
}

/* ---------------------------------------------------------------- the connection */

static void
on_notice(void *arg, const char *message)
{
    agent_log(AGENT_DEBUG, "server: %s", message);
}

static void
drop_connection(libpq *l)
{
    PQfinish(l->pq);
    l->pq = NULL;
}

static void
pq_message(const libpq *l, char *error, size_t size)
{
    const char *text = l->pq ? PQerrorMessage(l->pq) : "out of memory";
    size_t n;

    snprintf(error, size, "%s", text);
    for (n = strlen(error); n > 0 && error[n - 1] == '\n'; n--)
        error[n - 1] = '\0';
}

static bool command(libpq *l, const char *sql);

static feed_status
connect_database(libpq *l, char *error, size_t size)
{
    char options[256];
    const char *keys[] = {"dbname", "application_name", "client_encoding", "options", NULL};
    const char *values[] = {l->c.database, "nmsp-agent feeder", "UTF8", options, NULL};
    int64_t end = now_ms(NULL) + CONNECT_MS;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    /* Losing a confirmation in a crash only means doing its batch again, which finds it done. */
    snprintf(options, sizeof(options),
             "-c search_path=pg_catalog,pg_temp -c synchronous_commit=off -c jit=off "
             "-c nmsp_feed.agent=%s",
             l->c.feed_agent);
    l->pq = PQconnectStartParams(keys, values, 1);
    if (l->pq != NULL)
        PQsetNoticeProcessor(l->pq, on_notice, NULL);
    while (l->pq != NULL && PQstatus(l->pq) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
           step != PGRES_POLLING_FAILED && now_ms(NULL) < end && !stop) {
        wait_for(l, PQsocket(l->pq), step == PGRES_POLLING_READING ? POLLIN : POLLOUT, 200);
        step = PQconnectPoll(l->pq);
    }
    if (step == PGRES_POLLING_OK) {
        /* The server's feeder notifies; where none runs, looking now and then has to do. */
        command(l, "LISTEN nmsp_feed");
        l->next_report = 0;
        return FEED_OK;
    }
    pq_message(l, error, size);
    if (error[0] == '\0')
        snprintf(error, size, "the database does not answer");
    drop_connection(l);
    return stop ? FEED_FATAL : FEED_RETRY;
}

/* ---------------------------------------------------------------- queries */

/* The last result of what was sent; NULL: the connection broke, or a signal said to stop. */
static PGresult *
wait_result(libpq *l)
{
    PGresult *last = NULL;
    int64_t end = now_ms(NULL) + ANSWER_MS;

    for (;;) {
        PGresult *result;

        if (PQflush(l->pq) < 0)
            break;
        if (PQisBusy(l->pq)) {
            if (stop || now_ms(NULL) > end)
                break;
            if (wait_for(l, PQsocket(l->pq), POLLIN, 1000) > 0 && PQconsumeInput(l->pq) != 1)
                break;
            continue;
        }
        result = PQgetResult(l->pq);
        if (result == NULL)
            return last;
        PQclear(last);
        last = result;
    }
    PQclear(last);
    return NULL;
}

static PGresult *
run(libpq *l, const char *sql, const feed_value *params, int n)
{
    const char *values[MAX_PARAMS];
    int lengths[MAX_PARAMS];
    int formats[MAX_PARAMS];
    Oid types[MAX_PARAMS];

    for (int i = 0; i < n; i++) {
        values[i] = params[i].data;
        lengths[i] = (int)params[i].len;
        formats[i] = params[i].binary;
        types[i] = params[i].binary ? BYTEA_OID : TEXT_OID;
    }
    if (PQsendQueryParams(l->pq, sql, n, types, values, lengths, formats, 0) != 1)
        return NULL;
    return wait_result(l);
}

/* A statement of the transaction itself. */
static bool
command(libpq *l, const char *sql)
{
    PGresult *result = run(l, sql, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;

    PQclear(result);
    return good;
}

/* Daemons may say anything: what is no UTF-8 must not get into a table. */
static char *
clean_text(const feed_value *from)
{
    char *copy = malloc(from->len + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, from->data, from->len);
    copy[from->len] = '\0';
    for (char *at = copy; *at;) {
        int length = PQmblenBounded(at, 6 /* UTF8 */);
        bool good = (unsigned char)*at < 0x80 || length > 1;

        for (int i = 1; good && i < length; i++)
            good = ((unsigned char)at[i] & 0xc0) == 0x80;
        if (!good)
            *at = '?';
        at += good ? length : 1;
    }
    return copy;
}

static bool
copy_value(feed_value *to, char **copy, const PGresult *result, int row, int column)
{
    size_t len = (size_t)PQgetlength(result, row, column);
    const char *value = PQgetvalue(result, row, column);

    memset(to, 0, sizeof(*to));
    if (PQgetisnull(result, row, column))
        return true;
    if (PQftype(result, column) == BYTEA_OID) {
        unsigned char *bytes = PQunescapeBytea((const unsigned char *)value, &len);

        value = (const char *)bytes;
        *copy = malloc(len + 1);
        if (bytes != NULL && *copy != NULL)
            memcpy(*copy, bytes, len);
        if (bytes == NULL) {
            free(*copy);
            *copy = NULL;
        }
        PQfreemem(bytes);
    } else {
        *copy = malloc(len + 1);
        if (*copy != NULL)
            memcpy(*copy, value, len);
    }
    if (*copy == NULL)
        return false;
    (*copy)[len] = '\0';
    to->data = *copy;
    to->len = len;
    return true;
}

static void
free_rows(feed_store *store, feed_rows *rows)
{
    block *b = rows->block;

    for (size_t i = 0; b != NULL && i < b->n; i++)
        free(b->copies[i]);
    free(b);
    free(rows->values);
    rows->block = NULL;
    rows->values = NULL;
    rows->nrows = 0;
}

static bool
copy_rows(feed_rows *rows, const PGresult *result)
{
    size_t n;
    block *b;

    rows->nrows = (size_t)PQntuples(result);
    rows->ncols = (size_t)PQnfields(result);
    n = rows->nrows * rows->ncols;
    rows->values = calloc(n + 1, sizeof(feed_value));
    b = calloc(1, sizeof(block) + n * sizeof(char *));
    rows->block = b;
    if (rows->values == NULL || b == NULL)
        return false;
    b->n = n;
    for (size_t i = 0; i < n; i++)
        if (!copy_value(&rows->values[i], &b->copies[i], result, (int)(i / rows->ncols),
                        (int)(i % rows->ncols)))
            return false;
    return true;
}

static void
result_message(const PGresult *result, char *error, size_t size)
{
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    snprintf(error, size, "%s%s%s", message ? message : "unknown error", detail ? ": " : "",
             detail ? detail : "");
}

/* One attempt; *lost_race: the transaction lost one, and nothing else was wrong. */
static feed_status
attempt(libpq *l, const char *sql, const feed_value *params, int n, bool one_snapshot,
        feed_rows *rows, bool *lost_race)
{
    PGresult *result = NULL;
    feed_status status = FEED_RETRY;

    if (!one_snapshot || command(l, "BEGIN ISOLATION LEVEL REPEATABLE READ"))
        result = run(l, sql, params, n);
    if (result == NULL) {
        pq_message(l, rows->error, sizeof(rows->error));
        drop_connection(l);
        return stop ? FEED_FATAL : FEED_RETRY;
    }
    if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK) {
        if (copy_rows(rows, result))
            status = FEED_OK;
        else
            snprintf(rows->error, sizeof(rows->error), "out of memory");
    } else {
        const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        *lost_race = code != NULL && strncmp(code, "40", 2) == 0;
        result_message(result, rows->error, sizeof(rows->error));
    }
    PQclear(result);
    if (one_snapshot && !command(l, status == FEED_OK ? "COMMIT" : "ROLLBACK")) {
        if (status == FEED_OK)
            snprintf(rows->error, sizeof(rows->error), "the transaction was not committed");
        status = FEED_RETRY;
        drop_connection(l);
    }
    if (status != FEED_OK)
        free_rows(NULL, rows);
    return status;
}

static feed_status
query(feed_store *store, const char *sql, const feed_value *params, int n, bool one_snapshot,
      feed_rows *rows)
{
    libpq *l = store->context;
    feed_value clean[MAX_PARAMS];
    feed_status status = FEED_RETRY;
    bool lost_race = true;
    bool enough = true;

    memset(rows, 0, sizeof(*rows));
    if (stop)
        return FEED_FATAL;
    if (l->pq == NULL)
        status = connect_database(l, rows->error, sizeof(rows->error));
    if (l->pq == NULL)
        return status;
    for (int i = 0; i < n; i++) {
        clean[i] = params[i];
        if (params[i].data != NULL && !params[i].binary) {
            clean[i].data = clean_text(&params[i]);
            enough = enough && clean[i].data != NULL;
        }
    }
    for (int i = 0; enough && lost_race && i < 5 && l->pq != NULL; i++) {
        lost_race = false;
        status = attempt(l, sql, clean, n, one_snapshot, rows, &lost_race);
    }
    for (int i = 0; i < n; i++)
        if (!params[i].binary)
            free((char *)clean[i].data);
    return status;
}

/* ---------------------------------------------------------------- the rest of the store */

static void
log_text(feed_store *store, feed_level level, const char *text, const char *hint)
{
    agent_level to = level == FEED_DEBUG ? AGENT_DEBUG
                     : level == FEED_LOG ? AGENT_INFO
                                         : AGENT_WARNING;

    agent_log(to, "%s%s%s%s", text, hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

static feed_status
nap(feed_store *store, long ms)
{
    libpq *l = store->context;

    wait_for(l, -1, 0, ms);
    if (again)
        read_again(l);
    return stop ? FEED_FATAL : FEED_OK;
}

/* Tells the database that this agent lives. */
static void
report(feed_store *store)
{
    libpq *l = store->context;
    char pid[24];
    char age[40];
    feed_value params[4] = {{l->c.feed_agent, strlen(l->c.feed_agent)},
                            {NMSP_VERSION, strlen(NMSP_VERSION)},
                            {pid},
                            {age}};
    feed_rows rows;

    if (l->pq == NULL || now_ms(store) < l->next_report)
        return;
    l->next_report = now_ms(store) + REPORT_EVERY_MS;
    params[2].len = (size_t)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    params[3].len =
        (size_t)snprintf(age, sizeof(age), "%lld ms", (long long)(now_ms(store) - l->began));
    if (store->query(store,
                     "SELECT nmsp.report_agent($1::text, 'feed', $2::text, '{feed}', $3::integer, "
                     "$4::interval)",
                     params, 4, false, &rows) == FEED_OK)
        store->free_rows(store, &rows);
}

/* Whether the server's feeder has notified this agent since the last look. */
static bool
was_notified(libpq *l)
{
    bool mine = false;
    PGnotify *notify;

    if (l->pq == NULL || PQconsumeInput(l->pq) != 1)
        return false;
    while ((notify = PQnotifies(l->pq)) != NULL) {
        mine = mine || strcmp(notify->extra, l->c.feed_agent) == 0;
        PQfreemem(notify);
    }
    return mine;
}

static bool
was_poked(libpq *l)
{
    char bytes[64];
    bool poked = false;

    while (read(l->poked[0], bytes, sizeof(bytes)) > 0)
        poked = true;
    return poked;
}

/* Waits for a notification, a poke, a signal or the time. */
static feed_status
idle(feed_store *store, long ms)
{
    libpq *l = store->context;
    int64_t end = now_ms(store) + (ms < l->c.feed_poll_ms ? ms : l->c.feed_poll_ms);

    report(store);
    while (!stop && !again && !was_poked(l) && !was_notified(l) && now_ms(store) < end) {
        int64_t left = end - now_ms(store);
        struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        struct pollfd fds[2] = {{.fd = l->poked[0], .events = POLLIN},
                                {.fd = l->pq ? PQsocket(l->pq) : -1, .events = POLLIN}};

        if (left > 0 && ppoll(fds, 2, &t, &l->while_waiting) > 0 &&
            (fds[1].revents & (POLLHUP | POLLERR)) != 0)
            break; /* the database went away: the next question finds out */
    }
    return nap(store, 0);
}

static void
poke(feed_store *store)
{
    libpq *l = store->context;

    if (write(l->poked[1], "", 1) < 0)
        return; /* full: it is poked already */
}

static const char *
feed_roots(feed_store *store)
{
    return ((libpq *)store->context)->c.feed_roots;
}

static const char *
command_file(feed_store *store)
{
    return ((libpq *)store->context)->c.command_file;
}

static void
note(feed_store *store, long files, const char *error)
{
    if (files > 0)
        agent_log(AGENT_DEBUG, "%ld artifacts in place", files);
}

feed_store *
store_libpq(const char *file, const config *c)
{
    static libpq l;
    static feed_store store = {
        .context = &l,
        .query = query,
        .free_rows = free_rows,
        .log = log_text,
        .idle = idle,
        .nap = nap,
        .now = now_ms,
        .feed_roots = feed_roots,
        .command_file = command_file,
        .note = note,
        .poke = poke,
    };
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    l.file = file;
    l.c = *c;
    l.began = now_ms(NULL);
    if (pipe2(l.poked, O_CLOEXEC | O_NONBLOCK) != 0)
        store.poke = NULL;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, &l.while_waiting);
    sigdelset(&l.while_waiting, SIGTERM);
    sigdelset(&l.while_waiting, SIGINT);
    sigdelset(&l.while_waiting, SIGHUP);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return &store;
}

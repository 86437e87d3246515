/*
 * database.c: questions to PostgreSQL over a few connections in pipeline mode. Each question is one
 * prepared statement in a transaction of its own; many are in flight. A connection that breaks, or
 * that is silent for too long, is made again with back-off; what was asked on it is lost, which its
 * asker is told at once.
 */
#include "workers/serve/serve.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CONNECTIONS_MAX (1 + 16) /* the first one is for what nobody waits for: it may be slow */
#define IN_FLIGHT_MAX 4096       /* per connection */
#define PARAMS_MAX 12
#define BACK_OFF_MIN_MS 50
#define BACK_OFF_MAX_MS 1000
#define CONNECT_MS 5000

typedef struct statement {
    const char *name;
    const char *sql;
} statement;

static const statement statements[ASK_COUNT] = {
    [ASK_DOWNLOAD] = {"download",
                      "SELECT n::text, verdict, content, note, modem_id::text, netgw_id::text, "
                      "config_sha256, sha256 FROM nmsp.download_batch("
                      "$1::text[], $2::inet[], pg_catalog.clock_timestamp())"},
    [ASK_RECORD] = {"record",
                    "SELECT nmsp.record_downloads($1::text, $2::timestamptz[], $3::inet[], "
                    "$4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::int[], "
                    "$10::real[], $11::bytea[], $12::bytea[])"},
    [ASK_KEEP] = {"keep", "SELECT made::text, dropped::text FROM nmsp.keep_downloads()"},
    [ASK_PRESENCE] = {"presence",
                      "SELECT nmsp.report_agent($1::text, 'serve', $2::text, "
                      "pg_catalog.string_to_array(pg_catalog.rtrim($3::text), ' '), $4::int, "
                      "$5::interval)"},
    [ASK_HOST] = {"host", "SELECT name, pg_catalog.array_to_string(statements, E'\\n'), "
                          "pg_catalog.array_to_string(options, E'\\n') "
                          "FROM nmsp.lookup_host($1::macaddr)"},
    /* Leases are not told twice: they must survive a crash of the server. */
    [ASK_LEASES] = {"leases",
                    "SELECT nmsp.record_leases($1::text, $2::text, $3::inet[], $4::int[], "
                    "$5::macaddr[], $6::bytea[], $7::text[], $8::text[], $9::timestamptz[], "
                    "$10::timestamptz[], $11::text[]), "
                    "pg_catalog.set_config('synchronous_commit', 'on', true)"},
    [ASK_CLASS] = {"class", "SELECT 1 WHERE nmsp.lookup_class($1::macaddr, $2::text)"},
};

typedef struct pending {
    answer_function f;
    void *owner;
    uint64_t tag;
    int64_t since;
    bool answered;
} pending;

typedef enum state { DOWN, CONNECTING, PREPARING, READY } state;

typedef struct connection {
    database *d;
    watch w;
    PGconn *pq;
    state state;
    bool unflushed;
    int64_t since;    /* begin of this state */
    int64_t next_try; /* DOWN: when to connect */
    long back_off;
    unsigned first, n; /* the ring of questions in flight */
    int prepared;      /* PREPARING: answers so far */
    bool failed;       /* PREPARING: the schema is absent or behind */
    pending ring[IN_FLIGHT_MAX];
} connection;

struct database {
    loop *l;
    config c;
    ticker t;
    bool told_down;
    bool leases; /* as it was at the start: what is prepared stays the same */
    int n;
    connection connections[CONNECTIONS_MAX];
};

/* ---------------------------------------------------------------- up and down */

static void
tell(pending *p, const answer *a)
{
    if (!p->answered && p->f != NULL) {
        p->answered = true;
        p->f(p->owner, p->tag, a);
    }
}

static void
lose_all(connection *c)
{
    answer lost = {.rows = -1};

    while (c->n > 0) {
        pending p = c->ring[c->first];

        c->first = (c->first + 1) % IN_FLIGHT_MAX;
        c->n--;
        tell(&p, &lost);
    }
}

static void
go_down(connection *c, const char *why)
{
    if (!c->d->told_down && !database_up(c->d)) {
        c->d->told_down = true;
        agent_log(AGENT_WARNING, "no database: %s", why);
    }
    c->w.fd = -1; /* epoll forgets the descriptor when libpq closes it */
    c->w.events = 0;
    PQfinish(c->pq);
    c->pq = NULL;
    c->state = DOWN;
    c->next_try = loop_now(c->d->l) + c->back_off;
    c->back_off = c->back_off * 2 > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : c->back_off * 2;
    lose_all(c);
}

/* libpq's message without the line feed at its end. */
static const char *
message_of(const connection *c)
{
    static char text[512];

    snprintf(text, sizeof(text), "%s", PQerrorMessage(c->pq));
    for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
        text[n - 1] = '\0';
    return text[0] ? text : "connection closed";
}

/* The descriptor may be another one after each step of connecting. */
static void
watch_connection(connection *c, uint32_t events)
{
    if (c->w.fd != PQsocket(c->pq)) {
        c->w.fd = PQsocket(c->pq);
        c->w.events = 0;
    }
    loop_watch(c->d->l, &c->w, events);
}

/* What the server says without being asked; go_down() tells of what matters. */
static void
on_notice(void *arg, const char *message)
{
    (void)arg;
    agent_log(AGENT_DEBUG, "server: %s", message);
}

static void
start_connection(connection *c)
{
    const char *keys[] = {"dbname", "application_name", "options", NULL};
    const char *values[] = {c->d->c.database, "nmsp-agent",
                            "-c search_path=pg_catalog -c jit=off -c statement_timeout=10000 "
                            "-c synchronous_commit=off",
                            NULL};

    c->since = loop_now(c->d->l);
    c->pq = PQconnectStartParams(keys, values, 1);
    c->state = CONNECTING;
    if (c->pq != NULL)
        PQsetNoticeProcessor(c->pq, on_notice, NULL);
    if (c->pq == NULL || PQstatus(c->pq) == CONNECTION_BAD) {
        go_down(c, c->pq ? message_of(c) : "out of memory");
        return;
    }
    watch_connection(c, EPOLLOUT);
}

static void
prepare_all(connection *c)
{
    if (PQsetnonblocking(c->pq, 1) != 0 || PQenterPipelineMode(c->pq) != 1) {
        go_down(c, message_of(c));
        return;
    }
    c->state = PREPARING;
    c->since = loop_now(c->d->l);
    c->prepared = 0;
    c->failed = false;
    for (int i = 0; i < ASK_COUNT; i++)
        if ((i != ASK_LEASES || c->d->leases) &&
            PQsendPrepare(c->pq, statements[i].name, statements[i].sql, 0, NULL) != 1)
            c->failed = true;
    if (c->failed || PQpipelineSync(c->pq) != 1) {
        go_down(c, message_of(c));
        return;
    }
    c->unflushed = true;
    watch_connection(c, EPOLLIN);
}

static void
go_on_connecting(connection *c)
{
    switch (PQconnectPoll(c->pq)) {
    case PGRES_POLLING_READING:
        watch_connection(c, EPOLLIN);
        break;
    case PGRES_POLLING_WRITING:
        watch_connection(c, EPOLLOUT);
        break;
    case PGRES_POLLING_OK:
        prepare_all(c);
        break;
    default:
        go_down(c, message_of(c));
    }
}

/* ---------------------------------------------------------------- answers */

static void
take_prepared(connection *c, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_PIPELINE_SYNC && !c->failed) {
        bool up = database_up(c->d);

        c->state = READY;
        if (!up && database_up(c->d)) {
            agent_log(AGENT_INFO, "database is there");
            c->d->told_down = false;
        }
        c->back_off = BACK_OFF_MIN_MS;
        return;
    }
    if (status == PGRES_FATAL_ERROR && !c->failed) {
        c->failed = true;
        if (!c->d->told_down)
            agent_log(AGENT_WARNING,
                      "the schema of nmsp is absent or behind, or rights are missing: %s",
                      PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        c->d->told_down = true;
    }
}

static void
take_answer(connection *c, PGresult *result)
{
    pending *p = &c->ring[c->first];
    ExecStatusType status = PQresultStatus(result);
    answer a = {.rows = -1, .result = result};

    if (c->n == 0)
        return;
    if (status == PGRES_PIPELINE_SYNC) {
        pending copy = *p;
        answer lost = {.rows = -1};

        c->first = (c->first + 1) % IN_FLIGHT_MAX;
        c->n--;
        tell(&copy, &lost); /* unless it was answered */
        return;
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        a.rows = PQntuples(result);
    } else if (status == PGRES_FATAL_ERROR) {
        a.error = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        a.sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (a.error == NULL)
            a.error = PQresultErrorMessage(result);
    }
    tell(p, &a);
}

/* Reads all that is there. In pipeline mode PQgetResult gives NULL between statements. */
static void
read_answers(connection *c)
{
    bool gap = false;

    if (PQconsumeInput(c->pq) != 1) {
        go_down(c, message_of(c));
        return;
    }
    while (c->state >= PREPARING && !PQisBusy(c->pq)) {
        PGresult *result = PQgetResult(c->pq);

        if (result == NULL) {
            if (gap)
                break;
            gap = true;
            continue;
        }
        gap = false;
        if (c->state == PREPARING)
            take_prepared(c, result);
        else
            take_answer(c, result);
        PQclear(result);
        if (c->state == PREPARING && c->failed) {
            go_down(c, "statements cannot be prepared");
            c->next_try = loop_now(c->d->l) + BACK_OFF_MAX_MS;
            return;
        }
    }
    if (c->state >= PREPARING && PQstatus(c->pq) == CONNECTION_BAD)
        go_down(c, message_of(c));
}

static void
flush_connection(connection *c)
{
    int left;

    if (!c->unflushed || c->state < PREPARING)
        return;
    left = PQflush(c->pq);
    if (left < 0) {
        go_down(c, message_of(c));
        return;
    }
    c->unflushed = left > 0;
    watch_connection(c, c->unflushed ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
on_ready(watch *w, uint32_t events)
{
    connection *c = w->owner;

    if (c->state == CONNECTING) {
        go_on_connecting(c);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_answers(c);
    if (c->state >= PREPARING && (events & EPOLLOUT))
        flush_connection(c);
}

/* ---------------------------------------------------------------- time */

static bool
is_stuck(const connection *c, int64_t now)
{
    if (c->state == CONNECTING || c->state == PREPARING)
        return now - c->since > CONNECT_MS;
    return c->state == READY && c->n > 0 && now - c->ring[c->first].since > c->d->c.question_ms;
}

static void
on_tick(ticker *t, int64_t now)
{
    database *d = t->owner;

    for (int i = 0; i < d->n; i++) {
        connection *c = &d->connections[i];

        if (c->state == DOWN && now >= c->next_try)
            start_connection(c);
        else if (is_stuck(c, now))
            go_down(c, "it does not answer");
    }
}

static void
on_flush(ticker *t)
{
    database *d = t->owner;

    for (int i = 0; i < d->n; i++)
        flush_connection(&d->connections[i]);
}

/* ---------------------------------------------------------------- for askers */

static void
set_connections(database *d)
{
    int wanted = 1 + (int)d->c.connections;

    for (int i = wanted; i < d->n; i++)
        if (d->connections[i].state != DOWN)
            go_down(&d->connections[i], "fewer connections are wanted");
    for (int i = d->n; i < wanted; i++) {
        connection *c = &d->connections[i];

        c->d = d;
        c->state = DOWN;
        c->back_off = BACK_OFF_MIN_MS;
        c->next_try = 0;
        c->w = (watch){.fd = -1, .ready = on_ready, .owner = c};
    }
    d->n = wanted;
}

database *
database_new(loop *l, const config *c)
{
    database *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->l = l;
    d->c = *c;
    d->leases = config_leases(c);
    d->t = (ticker){.tick = on_tick, .flush = on_flush, .owner = d};
    set_connections(d);
    loop_add_ticker(l, &d->t);
    return d;
}

void
database_reconfigure(database *d, const config *c)
{
    bool other = strcmp(d->c.database, c->database) != 0;

    d->c = *c;
    set_connections(d);
    for (int i = 0; other && i < d->n; i++) {
        if (d->connections[i].state != DOWN)
            go_down(&d->connections[i], "another one is configured");
        d->connections[i].next_try = 0;
    }
}

bool
database_up(const database *d)
{
    for (int i = 1; i < d->n; i++)
        if (d->connections[i].state == READY)
            return true;
    return false;
}

static connection *
least_busy(database *d, bool slow)
{
    connection *best = NULL;

    for (int i = slow ? 0 : 1; i < (slow ? 1 : d->n); i++) {
        connection *c = &d->connections[i];

        if (c->state == READY && c->n < IN_FLIGHT_MAX && (best == NULL || c->n < best->n))
            best = c;
    }
    return best;
}

bool
database_ask(database *d, question q, int n, const char *const values[], answer_function f,
             void *owner, uint64_t tag)
{
    connection *c = least_busy(d, q == ASK_RECORD || q == ASK_KEEP || q == ASK_PRESENCE ||
                                      q == ASK_LEASES);

    if (c == NULL || n > PARAMS_MAX)
        return false;
    if (PQsendQueryPrepared(c->pq, statements[q].name, n, values, NULL, NULL, 1) != 1 ||
        PQpipelineSync(c->pq) != 1) {
        go_down(c, message_of(c));
        return false;
    }
    c->unflushed = true;
    c->ring[(c->first + c->n) % IN_FLIGHT_MAX] =
        (pending){.f = f, .owner = owner, .tag = tag, .since = loop_now(d->l)};
    c->n++;
    return true;
}

const char *
answer_value(const answer *a, int row, int column, size_t *len)
{
    if (row >= a->rows || PQgetisnull(a->result, row, column))
        return NULL;
    if (len != NULL)
        *len = (size_t)PQgetlength(a->result, row, column);
    return PQgetvalue(a->result, row, column);
}

void
database_drain(database *d, long ms)
{
    int64_t end = clock_us() / 1000 + ms;

    for (int i = 0; i < d->n; i++) {
        connection *c = &d->connections[i];

        while (c->state == READY && (c->n > 0 || c->unflushed) && clock_us() / 1000 < end) {
            struct pollfd p = {.fd = PQsocket(c->pq),
                               .events = POLLIN | (c->unflushed ? POLLOUT : 0)};

            flush_connection(c);
            if (c->state == READY && poll(&p, 1, 50) > 0)
                read_answers(c);
        }
    }
}

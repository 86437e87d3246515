/*
 * record.c: see record.h.
 */
#include "workers/serve/record.h"

#include "workers/feed/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAX 8192
#define BATCH_MAX 1000
#define COLUMNS 11
#define KEEP_EVERY_MS (3600 * 1000)
#define AGAIN_MS 1000
/* Rows of downloads that came to nothing: anybody can ask for what is not there, without end. */
#define VAIN_PER_SECOND 100
#define VAIN_BURST 1000
#define TELL_EVERY_MS 60000

struct recorder {
    database *d;
    ticker t;
    const char *agent;
    unsigned first, n;
    unsigned under_way; /* rows at the beginning of the queue that were sent */
    uint64_t dropped;
    int64_t vain, vain_at; /* thousandths of a row that may be written; when that was right */
    uint64_t unwritten;    /* rows of downloads in vain that were not */
    int64_t next_told;
    bool told;
    int64_t next_keep, next_try;
    record queue[QUEUE_MAX];
};

static void
add_text(feed_buffer *b, const char *text)
{
    feed_add_element(b, text && text[0] ? text : NULL, text ? strlen(text) : 0);
}

static void
add_time(feed_buffer *b, int64_t us)
{
    time_t seconds = us / 1000000;
    struct tm parts;
    char text[64];
    size_t n;

    gmtime_r(&seconds, &parts);
    n = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(text + n, sizeof(text) - n, ".%06d+00", (int)(us % 1000000));
    add_text(b, text);
}

static void
add_row(feed_buffer *columns, const record *r)
{
    char text[SOCKET_TEXT_MAX];
    socket_address source = r->source;

    if (source.any.sa_family == AF_INET)
        source.in4.sin_port = 0;
    else
        source.in6.sin6_port = 0;
    add_time(&columns[0], r->at_us);
    socket_text(&source, text, sizeof(text));
    add_text(&columns[1], text);
    add_text(&columns[2], r->path);
    add_text(&columns[3], r->result);
    add_text(&columns[4], r->modem_id);
    add_text(&columns[5], r->netgw_id);
    add_text(&columns[6], r->note);
    snprintf(text, sizeof(text), "%ld", r->bytes);
    add_text(&columns[7], r->bytes < 0 ? NULL : text);
    snprintf(text, sizeof(text), "%.3f", (double)r->duration_ms);
    add_text(&columns[8], text);
    feed_add_hex(&columns[9], r->hashed ? (const char *)r->sha256 : NULL, 32);
    feed_add_hex(&columns[10], r->hashed ? (const char *)r->config_sha256 : NULL, 32);
}

static void
on_stored(void *owner, uint64_t tag, const answer *a)
{
    recorder *r = owner;

    (void)tag;
    if (a->rows < 0 && a->error == NULL) {
        r->under_way = 0; /* lost: again, when there is a database */
        r->next_try = clock_us() / 1000 + AGAIN_MS;
        return;
    }
    if (a->error != NULL)
        agent_log(AGENT_ERROR, "%u rows of nmsp.download are not stored: %s", r->under_way,
                  a->error);
    r->first = (r->first + r->under_way) % QUEUE_MAX;
    r->n -= r->under_way;
    r->under_way = 0;
}

/* Sends the next batch unless one is under way. */
static void
send_batch(recorder *r)
{
    feed_buffer columns[COLUMNS] = {{0}};
    const char *values[COLUMNS + 1] = {r->agent};
    unsigned n = r->n < BATCH_MAX ? r->n : BATCH_MAX;
    bool failed = false;

    if (n == 0 || r->under_way > 0)
        return;
    for (int c = 0; c < COLUMNS; c++)
        feed_add(&columns[c], "{", 1);
    for (unsigned i = 0; i < n; i++)
        add_row(columns, &r->queue[(r->first + i) % QUEUE_MAX]);
    for (int c = 0; c < COLUMNS; c++) {
        feed_add(&columns[c], "}", 1);
        failed = failed || columns[c].failed;
        values[c + 1] = columns[c].data;
    }
    r->under_way = n;
    if (failed || !database_ask(r->d, ASK_RECORD, COLUMNS + 1, values, on_stored, r, 0))
        r->under_way = 0;
    for (int c = 0; c < COLUMNS; c++)
        free(columns[c].data);
}

static void
on_kept(void *owner, uint64_t tag, const answer *a)
{
    recorder *r = owner;

    (void)tag;
    if (a->rows > 0)
        return;
    if (a->error != NULL)
        agent_log(AGENT_WARNING, "partitions of nmsp.download are not kept: %s", a->error);
    r->next_keep = clock_us() / 1000 + 60 * 1000;
}

static void
on_tick(ticker *t, int64_t now)
{
    recorder *r = t->owner;

    if (now >= r->next_try)
        send_batch(r);
    if (now >= r->next_keep && database_ask(r->d, ASK_KEEP, 0, NULL, on_kept, r, 0))
        r->next_keep = now + KEEP_EVERY_MS;
    if (r->dropped > 0 && r->n < QUEUE_MAX / 2) {
        agent_log(AGENT_WARNING, "%lu downloads were not recorded: the database is away or slow",
                  (unsigned long)r->dropped);
        r->dropped = 0;
    }
    if (r->unwritten > 0 && now >= r->next_told) {
        agent_log(AGENT_WARNING,
                  "%lu requests in vain have no row in nmsp.download: there were more than %d a "
                  "second",
                  (unsigned long)r->unwritten, VAIN_PER_SECOND);
        r->unwritten = 0;
        r->next_told = now + TELL_EVERY_MS;
    }
}

recorder *
recorder_new(loop *l, database *d, const char *agent)
{
    recorder *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->d = d;
    r->agent = agent;
    r->vain = VAIN_BURST * 1000;
    r->vain_at = clock_us() / 1000;
    r->t = (ticker){.tick = on_tick, .owner = r};
    loop_add_ticker(l, &r->t);
    return r;
}

/* Whether one more row of a download in vain may be written. */
static bool
may_write_vain(recorder *r)
{
    int64_t now = clock_us() / 1000;

    r->vain += (now - r->vain_at) * VAIN_PER_SECOND;
    r->vain_at = now;
    if (r->vain > VAIN_BURST * 1000)
        r->vain = VAIN_BURST * 1000;
    if (r->vain < 1000)
        return false;
    r->vain -= 1000;
    return true;
}

void
record_add(recorder *r, const record *row)
{
    if (strcmp(row->result, "served") != 0 && !may_write_vain(r)) {
        r->unwritten++;
        return;
    }
    if (r->n == QUEUE_MAX) {
        r->dropped++;
        return;
    }
    r->queue[(r->first + r->n) % QUEUE_MAX] = *row;
    r->n++;
}

void
recorder_finish(recorder *r)
{
    for (int i = 0; i < 1 + QUEUE_MAX / BATCH_MAX && r->n > 0; i++) {
        send_batch(r);
        database_drain(r->d, 1000);
    }
    if (r->n > 0)
        agent_log(AGENT_WARNING, "%u downloads were not recorded", r->n);
}

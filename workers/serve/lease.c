/*
 * lease.c: see lease.h.
 *
 * Each file has one batch: it is filled from the file, sent, and filled again when the database has
 * it. A batch that was lost is sent again; one that is refused is sent in halves until the row at
 * fault stands alone: that one the log tells of. nmsp.record_leases() is indifferent to repetition.
 */
#include "workers/serve/lease.h"

#include "workers/feed/feed.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX 1000
#define BATCH_MIN 25
#define COLUMNS 9
#define BYTES_PER_TURN                                                                             \
    (256 * 1024) /* what is read and understood between two looks at the network */
#define AGAIN_MS 1000
#define TELL_EVERY_MS 60000

typedef struct source {
    lease_service *s;
    lease_file file;
    lease_columns columns;
    bool header, odd_header; /* Kea: known; is none */
    int64_t next_try, next_told;
    uint64_t odd;  /* lines that are none, since they were told of */
    unsigned n;    /* rows in the batch */
    unsigned sent; /* the first so many are under way; 0: none */
    unsigned most; /* rows that are sent at once: fewer while the database is slow */
    lease_row row[BATCH_MAX];
    int64_t starts_us[BATCH_MAX];
} source;

struct lease_service {
    database *d;
    const char *agent;
    lease_known *known;
    ticker t;
    int n;
    source *sources[3];
};

static const char *const daemons[] = {
    [LEASE_KEA4] = "kea4", [LEASE_KEA6] = "kea6", [LEASE_DHCPD] = "dhcpd"};

/* ---------------------------------------------------------------- to the database */

static void
add_text(feed_buffer *b, const char *text)
{
    feed_add_element(b, text[0] ? text : NULL, strlen(text));
}

static void
add_time(feed_buffer *b, int64_t us)
{
    time_t seconds = us / 1000000;
    struct tm parts;
    char text[80];

    if (gmtime_r(&seconds, &parts) == NULL)
        memset(&parts, 0, sizeof(parts));
    snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d.%06d+00", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)(us % 1000000));
    add_text(b, text);
}

static void
add_remote_id(feed_buffer *b, const lease_row *r)
{
    char text[2 * LEASE_ID_MAX + 1] = "";

    for (size_t i = 0; i < r->remote_id_len; i++)
        snprintf(text + 2 * i, 3, "%02x", r->remote_id[i]);
    add_text(b, text);
}

static void
add_row(feed_buffer *columns, const lease_row *r, int64_t starts_us)
{
    char text[INET6_ADDRSTRLEN] = "";

    inet_ntop(r->v6 ? AF_INET6 : AF_INET, r->address, text, sizeof(text));
    add_text(&columns[0], text);
    snprintf(text, sizeof(text), "%d", r->prefix_len);
    add_text(&columns[1], text);
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", r->mac[0], r->mac[1], r->mac[2],
             r->mac[3], r->mac[4], r->mac[5]);
    add_text(&columns[2], r->has_mac ? text : "");
    feed_add_hex(&columns[3], r->client_id_len > 0 ? (const char *)r->client_id : NULL,
                 r->client_id_len);
    add_text(&columns[4], r->hostname);
    add_remote_id(&columns[5], r);
    add_time(&columns[6], starts_us);
    add_time(&columns[7], r->ends * 1000000);
    add_text(&columns[8], r->state);
}

static void
take_off(source *s, unsigned n)
{
    memmove(s->row, s->row + n, (s->n - n) * sizeof(s->row[0]));
    memmove(s->starts_us, s->starts_us + n, (s->n - n) * sizeof(s->starts_us[0]));
    s->n -= n;
}

/* Whether the server found fault with what was sent, and not with itself or with rights. */
static bool
is_fault_of_row(const char *sqlstate)
{
    return sqlstate != NULL && (strncmp(sqlstate, "22", 2) == 0 ||
                                strncmp(sqlstate, "23", 2) == 0 || strncmp(sqlstate, "P0", 2) == 0);
}

static void
on_refused(source *s, unsigned sent, const answer *a)
{
    if (!is_fault_of_row(a->sqlstate)) {
        int64_t now = clock_us() / 1000;

        if (now >= s->next_told)
            agent_log(AGENT_ERROR, "leases of %s are not stored yet: %s", s->file.path, a->error);
        s->next_told = now >= s->next_told ? now + TELL_EVERY_MS : s->next_told;
        s->next_try = now + AGAIN_MS;
    } else if (sent > 1) {
        s->most = sent / 2;
    } else {
        char address[INET6_ADDRSTRLEN] = "";

        inet_ntop(s->row[0].v6 ? AF_INET6 : AF_INET, s->row[0].address, address, sizeof(address));
        agent_log(AGENT_ERROR, "lease of %s in %s is not stored: %s", address, s->file.path,
                  a->error);
        take_off(s, 1);
    }
}

static void
on_stored(void *owner, uint64_t tag, const answer *a)
{
    source *s = owner;
    unsigned sent = s->sent;

    (void)tag;
    s->sent = 0;
    if (a->rows >= 0) {
        take_off(s, sent);
        s->most = s->most * 2 < BATCH_MAX ? s->most * 2 : BATCH_MAX;
    } else if (a->error != NULL) {
        on_refused(s, sent, a);
    } else { /* lost, perhaps because it took too long */
        s->most = s->most / 2 > BATCH_MIN ? s->most / 2 : BATCH_MIN;
        s->next_try = clock_us() / 1000 + AGAIN_MS;
    }
}

static void
send_batch(source *s)
{
    feed_buffer columns[COLUMNS] = {{0}};
    const char *values[COLUMNS + 2] = {s->s->agent, daemons[s->file.format]};
    unsigned n = s->n < s->most ? s->n : s->most;
    bool failed = false;

    for (int c = 0; c < COLUMNS; c++)
        feed_add(&columns[c], "{", 1);
    for (unsigned i = 0; i < n; i++)
        add_row(columns, &s->row[i], s->starts_us[i]);
    for (int c = 0; c < COLUMNS; c++) {
        feed_add(&columns[c], "}", 1);
        failed = failed || columns[c].failed;
        values[c + 2] = columns[c].data;
    }
    s->sent = n; /* before asking: a connection that breaks answers at once */
    if (failed || !database_ask(s->s->d, ASK_LEASES, COLUMNS + 2, values, on_stored, s, 0))
        s->sent = 0;
    for (int c = 0; c < COLUMNS; c++)
        free(columns[c].data);
}

/* ---------------------------------------------------------------- from the file */

static void
add_lease(source *s, const lease_row *row)
{
    unsigned order;

    if (!lease_known_add(s->s->known, row, &order))
        return;
    s->row[s->n] = *row;
    /* Files know seconds; a lease that was given back and given again within one has its order. */
    s->starts_us[s->n] = row->starts * 1000000 + order;
    s->n++;
}

static void
take_text(source *s, const char *text, size_t len)
{
    lease_row row;
    bool good;

    if (s->file.format == LEASE_DHCPD) {
        good = lease_read_dhcpd(text, len, &row);
    } else if (!s->header) {
        s->header = true;
        good = lease_read_header(text, len, &s->columns) &&
               (s->columns.duid > 0) == (s->file.format == LEASE_KEA6);
        s->odd_header = !good;
        if (!good)
            agent_log(AGENT_ERROR, "%s does not begin as a lease file of %s does", s->file.path,
                      daemons[s->file.format]);
        return;
    } else {
        good = !s->odd_header && lease_read_kea(text, len, &s->columns, time(NULL), &row);
    }
    if (good)
        add_lease(s, &row);
    else
        s->odd++;
}

static void
fill_batch(source *s, int64_t now)
{
    long budget = BYTES_PER_TURN;
    const char *text;
    size_t len;

    while (s->n < BATCH_MAX) {
        lease_found found = lease_file_next(&s->file, now, &budget, &text, &len);

        if (found == LEASE_END)
            break;
        if (found == LEASE_NEW_FILE)
            s->header = s->odd_header = false;
        else
            take_text(s, text, len);
    }
    if (s->odd > 0 && now >= s->next_told) {
        agent_log(AGENT_WARNING, "%lu lines of %s are no leases and were passed over",
                  (unsigned long)s->odd, s->file.path);
        s->odd = 0;
        s->next_told = now + TELL_EVERY_MS;
    }
}

static void
on_tick(ticker *t, int64_t now)
{
    lease_service *l = t->owner;

    for (int i = 0; i < l->n; i++) {
        source *s = l->sources[i];

        if (s->sent > 0 || now < s->next_try)
            continue;
        if (s->n == 0)
            fill_batch(s, now);
        if (s->n > 0)
            send_batch(s);
    }
}

static bool
add_source(lease_service *l, lease_format format, const char *path)
{
    source *s;

    if (path[0] == '\0')
        return true;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return false;
    s->s = l;
    s->most = BATCH_MAX;
    s->file.format = format;
    snprintf(s->file.path, sizeof(s->file.path), "%s", path);
    s->file.told = -1;
    l->sources[l->n++] = s;
    return true;
}

lease_service *
lease_start(loop *l, const config *c, database *d)
{
    lease_service *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->d = d;
    s->agent = c->name;
    s->known = lease_known_new();
    s->t = (ticker){.tick = on_tick, .owner = s};
    if (s->known == NULL || !add_source(s, LEASE_KEA4, c->lease_kea4) ||
        !add_source(s, LEASE_KEA6, c->lease_kea6) || !add_source(s, LEASE_DHCPD, c->lease_dhcpd))
        return NULL;
    loop_add_ticker(l, &s->t);
    return s;
}

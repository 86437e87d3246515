/*
 * tftp.c: the download service: TFTP (RFC 1350, 2347, 2348, 2349, 7440), files from the database.
 *
 * A request comes to a listening socket and is answered from one of a pool of sockets that were
 * bound before: client address, client port and pool socket tell transfers apart, which is what
 * RFC 1350 wants of its TIDs, and a firewall can know the pool's ports. A client endpoint has one
 * transfer at a time.
 *
 * Nobody is sent more packets than it sends until it has acknowledged one: a forged source gets one
 * small answer per request and no retransmission, so the service is no amplifier. After that a
 * timer resends; a duplicate ACK never does (the sorcerer's apprentice).
 *
 * The table of transfers is of fixed size. When it is full, one goes whose client has been silent
 * long: who really wants a file acknowledges within moments and is not hit.
 */
#include "workers/serve/record.h"
#include "workers/serve/tftp_packet.h"

#include "workers/feed/feed.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define HASH_SIZE 8192
#define BLOCK_MAX 65464 /* RFC 2348 */
#define SOCKETS_MAX 512
#define BACK_OFF_MAX_MS 8000
#define OFFER_MAX_MS                                                                               \
    30000                /* whoever has not acknowledged anything asks anew, it need not be kept */
#define OFFER_MIN_MS 250 /* before that its acknowledgement may well be on its way */
#define RESTART_MS 1000  /* a transfer that stood still for so long may be begun anew */
#define STALLED_LOOKS 64
#define PACKETS_PER_WAKE 256
#define BATCH_MAX 64 /* requests in one question to the database */
#define BATCHES_MAX 16
#define REPORT_EVERY_MS 60000

typedef enum state { FREE, ASKING, OFFERED, SENDING } state;

typedef struct transfer transfer;
struct transfer {
    state state;
    uint32_t generation;
    datagram route; /* data is not used */
    int socket;     /* of the pool */
    tftp_request request;
    tftp_grant grant;
    uint8_t *content;  /* or: */
    shared_file *file;
    size_t len;
    uint32_t blksize, window;
    uint64_t blocks; /* in the file */
    uint64_t acked, sent;
    int64_t due, back_off; /* SENDING: when to resend; OFFERED: when to give up */
    int64_t progress;      /* when it was offered, or the client last acknowledged something new */
    long tries;
    int64_t begin_us;
    record row;
    transfer *next;          /* in its hash chain, or free */
    transfer *newer, *older; /* all in use */
};

/* A transfer that may be gone by the time its answer comes. */
typedef struct ticket {
    uint32_t index, generation;
} ticket;

/* Requests that were put to the database together: what they have in common is read once. */
typedef struct batch {
    bool used;
    int n;
    ticket tickets[BATCH_MAX];
} batch;

/* What is worth a word in the log now and then. */
typedef struct counters {
    uint64_t requests, served, junk, limited, duplicates, crowded, lost;
} counters;

struct download_service {
    loop *l;
    config c;
    database *d;
    recorder *r;
    limiter *limits;
    ticker t;
    watch listeners[CONFIG_LISTEN_MAX];
    watch pool[SOCKETS_MAX];
    int pool_family[SOCKETS_MAX];
    int npool, next_socket;
    transfer *hash[HASH_SIZE];
    transfer *transfers, *free, *newest;
    ticket *asked; /* ring of those that are yet to be put to the database */
    unsigned first_asked, nasked;
    ticket *offered; /* ring of those that were answered, oldest first; some have gone on since */
    unsigned first_offered, noffered;
    unsigned hand; /* where in the table the last search for a stalled transfer ended */
    batch batches[BATCHES_MAX];
    counters count, told;
    int64_t next_report;
    uint8_t buffer[2048];
};

/* ---------------------------------------------------------------- the table of transfers */

static transfer **
chain_of(download_service *s, const socket_address *peer)
{
    return &s->hash[socket_hash(peer, true) % HASH_SIZE];
}

static transfer *
find_transfer(download_service *s, const socket_address *peer)
{
    for (transfer *t = *chain_of(s, peer); t != NULL; t = t->next)
        if (socket_same(&t->route.peer, peer, true))
            return t;
    return NULL;
}

static transfer *
new_transfer(download_service *s, const datagram *d)
{
    transfer *t = s->free;
    transfer **chain = chain_of(s, &d->peer);
    uint32_t generation;

    if (t == NULL)
        return NULL;
    s->free = t->next;
    generation = t->generation + 1;
    memset(t, 0, sizeof(*t));
    t->generation = generation;
    t->route = *d;
    t->next = *chain;
    *chain = t;
    t->older = s->newest;
    if (s->newest != NULL)
        s->newest->newer = t;
    s->newest = t;
    return t;
}

static void
free_transfer(download_service *s, transfer *t)
{
    transfer **at = chain_of(s, &t->route.peer);

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (t->newer != NULL)
        t->newer->older = t->older;
    else
        s->newest = t->older;
    if (t->older != NULL)
        t->older->newer = t->newer;
    free(t->content);
    folder_close(t->file);
    t->content = NULL;
    t->file = NULL;
    t->state = FREE;
    t->next = s->free;
    s->free = t;
}

/* ---------------------------------------------------------------- sending */

static void
send_packet(download_service *s, const transfer *t, const void *packet, size_t len)
{
    struct iovec part = {(void *)packet, len};

    socket_send(s->pool[t->socket].fd, &t->route, &part, 1);
}

static void
send_block(download_service *s, const transfer *t, uint64_t block)
{
    uint8_t header[4];
    size_t at = (size_t)(block - 1) * t->blksize;
    size_t len = t->len - at < t->blksize ? t->len - at : t->blksize;
    uint8_t piece[BLOCK_MAX];
    struct iovec parts[2] = {{header, sizeof(header)},
                             {t->file != NULL ? piece : t->content + at, len}};

    /* What cannot be read is not sent: the client asks again, and gives up in the end. */
    if (t->file != NULL && folder_read(t->file, piece, len, at) != 0)
        return;
    tftp_write_data_header(header, (uint16_t)block);
    socket_send(s->pool[t->socket].fd, &t->route, parts, 2);
}

/* Sends what the window allows from the first block that is not acknowledged. */
static void
send_window(download_service *s, transfer *t)
{
    uint64_t end = t->acked + t->window < t->blocks ? t->acked + t->window : t->blocks;

    for (uint64_t block = t->acked + 1; block <= end; block++)
        send_block(s, t, block);
    t->sent = end;
    t->due = loop_now(s->l) + t->back_off;
}

/* The first answer: OACK, or the first block when nothing was asked for. */
static void
send_offer(download_service *s, transfer *t)
{
    uint8_t packet[TFTP_OACK_MAX];
    size_t n = tftp_write_oack(packet, &t->grant);

    if (n > 0) {
        send_packet(s, t, packet, n);
        return;
    }
    send_block(s, t, 1);
    t->sent = 1;
}

static void
send_error(download_service *s, int fd, const datagram *to, tftp_error_code code, const char *text)
{
    uint8_t packet[TFTP_ERROR_MAX];
    struct iovec part = {packet, tftp_write_error(packet, code, text)};

    (void)s;
    socket_send(fd, to, &part, 1);
}

/* ---------------------------------------------------------------- ends */

static void
finish(download_service *s, transfer *t, const char *result)
{
    t->row.result = result;
    t->row.bytes = t->content || t->file ? (long)t->len : -1;
    t->row.duration_ms = (float)(clock_us() - t->begin_us) / 1000;
    record_add(s->r, &t->row);
    free_transfer(s, t);
}

/* Nothing came back for too long. */
static void
give_up(download_service *s, transfer *t)
{
    bool all_sent = t->state == SENDING && t->sent == t->blocks;

    finish(s, t, all_sent ? "unconfirmed" : "broken off");
}

/* ---------------------------------------------------------------- room for others */

/* The oldest offer that is yet to be acknowledged, NULL: there is none. Forgets those before it. */
static transfer *
oldest_offer(download_service *s)
{
    while (s->noffered > 0) {
        ticket k = s->offered[s->first_offered];
        transfer *t = &s->transfers[k.index];

        if (t->generation == k.generation && t->state == OFFERED)
            return t;
        s->first_offered = (s->first_offered + 1) % (unsigned)s->c.download_transfers;
        s->noffered--;
    }
    return NULL;
}

static void
note_offer(download_service *s, transfer *t)
{
    unsigned size = (unsigned)s->c.download_transfers;
    transfer *oldest = oldest_offer(s);

    /* Full: as many came after the oldest one as there can be transfers. */
    if (s->noffered == size) {
        give_up(s, oldest);
        oldest_offer(s);
    }
    t->progress = loop_now(s->l);
    s->offered[(s->first_offered + s->noffered++) % size] =
        (ticket){(uint32_t)(t - s->transfers), t->generation};
}

/* Of the next few transfers in the table, the one that has stood still longest; NULL: none has. */
static transfer *
stalled(download_service *s)
{
    transfer *worst = NULL;

    for (int i = 0; i < STALLED_LOOKS; i++) {
        transfer *t = &s->transfers[s->hand];

        s->hand = (s->hand + 1) % (unsigned)s->c.download_transfers;
        if (t->state == SENDING && loop_now(s->l) - t->progress >= RESTART_MS &&
            (worst == NULL || t->progress < worst->progress))
            worst = t;
    }
    return worst;
}

/* A new transfer, if need be in the place of the one whose client has been silent longer. */
static transfer *
make_room(download_service *s, const datagram *d)
{
    transfer *offer;
    transfer *other;

    if (s->free != NULL)
        return new_transfer(s, d);
    offer = oldest_offer(s);
    if (offer != NULL && loop_now(s->l) - offer->progress < OFFER_MIN_MS)
        offer = NULL;
    other = stalled(s);
    if (other == NULL || (offer != NULL && offer->progress < other->progress))
        other = offer;
    if (other != NULL)
        give_up(s, other);
    return new_transfer(s, d);
}

static void
refuse(download_service *s, transfer *t, const char *result, tftp_error_code code, const char *text)
{
    send_error(s, s->pool[t->socket].fd, &t->route, code, text);
    finish(s, t, result);
}

/* ---------------------------------------------------------------- answers of the database */

static void
copy_text(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    for (size_t i = 0; i < n; i++) /* cut texts must not end amid a character */
        to[i] = from[i] > 0x1f && from[i] < 0x7f ? from[i] : '?';
    to[n] = '\0';
}

static void
copy_column(char *to, size_t size, const answer *a, int row, int column)
{
    size_t len = 0;
    const char *value = answer_value(a, row, column, &len);

    copy_text(to, size, value ? value : "", len);
}

static bool
take_content(transfer *t, const char *content, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)content;
    bool netascii = t->request.mode == TFTP_NETASCII;

    t->len = netascii ? tftp_netascii(NULL, bytes, len) : len;
    t->content = malloc(t->len + 1);
    if (t->content == NULL)
        return false;
    if (netascii)
        tftp_netascii(t->content, bytes, len);
    else
        memcpy(t->content, bytes, len);
    return true;
}

/* An image: content is "<size> <name>" of a file in the download folder. */
static bool
take_file(download_service *s, transfer *t, const char *content, size_t len)
{
    char text[128];
    char *name = NULL;
    long long size;

    snprintf(text, sizeof(text), "%.*s", (int)len, content);
    size = strtoll(text, &name, 10);
    if (t->request.mode == TFTP_NETASCII) {
        refuse(s, t, "refused", TFTP_ILLEGAL, "an image is octets");
        return false;
    }
    t->file = *name == ' ' ? folder_open(s->c.download_folder, name + 1, size, t->row.sha256,
                                         t->row.note, sizeof(t->row.note))
                           : NULL;
    if (t->file == NULL) {
        agent_log(AGENT_WARNING, "download of \"%s\": %s", t->request.name, t->row.note);
        refuse(s, t, "failed", TFTP_UNDEFINED, "the file cannot be read");
        return false;
    }
    t->len = (size_t)size;
    return true;
}

/* What of the options the client asked for it gets. */
static void
grant_options(download_service *s, transfer *t)
{
    const tftp_request *r = &t->request;
    uint32_t blksize_max = (uint32_t)s->c.download_blksize;
    uint32_t window_max = (uint32_t)s->c.download_windowsize;

    t->blksize = 512;
    t->window = 1;
    t->back_off = s->c.download_timeout_ms;
    if (r->blksize != 0)
        t->blksize = t->grant.blksize = r->blksize < blksize_max ? r->blksize : blksize_max;
    if (r->windowsize != 0)
        t->window = t->grant.windowsize = r->windowsize < window_max ? r->windowsize : window_max;
    if (r->timeout != 0) {
        t->grant.timeout = r->timeout;
        t->back_off = r->timeout * 1000;
    }
    t->grant.tsize = r->tsize;
    t->grant.size = t->len;
    t->blocks = t->len / t->blksize + 1;
}

static void
take_hash(uint8_t to[32], const answer *a, int row, int column, bool *hashed)
{
    size_t len = 0;
    const char *value = answer_value(a, row, column, &len);

    *hashed = *hashed && value != NULL && len == 32;
    if (*hashed)
        memcpy(to, value, 32);
}

static transfer *
transfer_of(download_service *s, ticket k)
{
    transfer *t = &s->transfers[k.index];

    return t->generation == k.generation && t->state == ASKING ? t : NULL;
}

/* Row of an answer -> the first packet to the client. */
static void
take_row(download_service *s, transfer *t, const answer *a, int row)
{
    const char *verdict = answer_value(a, row, 1, NULL);
    const char *content;
    size_t len = 0;

    copy_column(t->row.note, sizeof(t->row.note), a, row, 3);
    copy_column(t->row.modem_id, sizeof(t->row.modem_id), a, row, 4);
    copy_column(t->row.netgw_id, sizeof(t->row.netgw_id), a, row, 5);
    content = answer_value(a, row, 2, &len);
    if (verdict[0] == 'u') {
        refuse(s, t, "unknown", TFTP_NOT_FOUND, "no such file");
        return;
    } else if (verdict[0] == 'r') {
        refuse(s, t, "refused", TFTP_ACCESS, "not for you");
        return;
    } else if (content == NULL) {
        refuse(s, t, "failed", TFTP_UNDEFINED, "the file cannot be made");
        return;
    }
    t->row.hashed = true;
    take_hash(t->row.config_sha256, a, row, 6, &t->row.hashed);
    take_hash(t->row.sha256, a, row, 7, &t->row.hashed);
    if (strcmp(verdict, "file") == 0) {
        if (!take_file(s, t, content, len))
            return;
    } else if (!take_content(t, content, len)) {
        free_transfer(s, t);
        return;
    }
    grant_options(s, t);
    t->state = OFFERED;
    t->due = t->back_off * (s->c.download_tries + 1);
    t->due = loop_now(s->l) + (t->due < OFFER_MAX_MS ? t->due : OFFER_MAX_MS);
    note_offer(s, t);
    send_offer(s, t);
}

static void
on_batch(void *owner, uint64_t tag, const answer *a)
{
    download_service *s = owner;
    batch *b = &s->batches[tag];

    if (a->error != NULL)
        agent_log(AGENT_ERROR, "download: %s", a->error);
    for (int row = 0; row < a->rows; row++) {
        const char *number = answer_value(a, row, 0, NULL);
        int i = number ? atoi(number) - 1 : -1;
        transfer *t = i >= 0 && i < b->n ? transfer_of(s, b->tickets[i]) : NULL;

        if (t != NULL && answer_value(a, row, 1, NULL) != NULL)
            take_row(s, t, a, row);
    }
    for (int i = 0; i < b->n; i++) { /* no answer: silence, the client asks again */
        transfer *t = transfer_of(s, b->tickets[i]);

        if (t != NULL) {
            s->count.lost++;
            free_transfer(s, t);
        }
    }
    b->used = false;
}

static void
host_text(const socket_address *peer, char *to, size_t size)
{
    socket_address host = *peer;

    if (host.any.sa_family == AF_INET)
        host.in4.sin_port = 0;
    else
        host.in6.sin6_port = 0;
    socket_text(&host, to, size);
}

/* Puts what waits to the database, as far as it goes into one question. */
static void
ask_batch(download_service *s, batch *b)
{
    feed_buffer paths = {0};
    feed_buffer sources = {0};

    b->n = 0;
    feed_add(&paths, "{", 1);
    feed_add(&sources, "{", 1);
    while (s->nasked > 0 && b->n < BATCH_MAX) {
        ticket k = s->asked[s->first_asked];
        transfer *t = transfer_of(s, k);
        char source[SOCKET_TEXT_MAX];

        s->first_asked = (s->first_asked + 1) % (unsigned)s->c.download_transfers;
        s->nasked--;
        if (t == NULL)
            continue;
        host_text(&t->route.peer, source, sizeof(source));
        feed_add_element(&paths, t->request.name, strlen(t->request.name));
        feed_add_element(&sources, source, strlen(source));
        b->tickets[b->n++] = k;
    }
    feed_add(&paths, "}", 1);
    feed_add(&sources, "}", 1);
    b->used = b->n > 0;
    if (b->used) {
        const char *values[2] = {paths.data, sources.data};

        if (paths.failed || sources.failed ||
            !database_ask(s->d, ASK_DOWNLOAD, 2, values, on_batch, s, (uint64_t)(b - s->batches)))
            on_batch(s, (uint64_t)(b - s->batches), &(answer){.rows = -1});
    }
    free(paths.data);
    free(sources.data);
}

/* One batch per connection is under way; meanwhile the next one grows. */
static void
on_flush(ticker *ticker_)
{
    download_service *s = ticker_->owner;

    for (int i = 0; i < s->c.connections && i < BATCHES_MAX && s->nasked > 0; i++)
        if (!s->batches[i].used)
            ask_batch(s, &s->batches[i]);
}

/* ---------------------------------------------------------------- requests */

static int
next_socket(download_service *s, int family)
{
    for (int i = 0; i < s->npool; i++) {
        int socket = s->next_socket;

        s->next_socket = (s->next_socket + 1) % s->npool;
        if (s->pool_family[socket] == family)
            return socket;
    }
    return -1;
}

/* A request of an endpoint that has a transfer. Returns true when nothing more is to be done. */
static bool
is_repeated(download_service *s, transfer *t, const tftp_request *r)
{
    bool same = strcmp(t->request.name, r->name) == 0;

    s->count.duplicates++;
    if (same && t->state == ASKING)
        return true;
    if (same && t->state == OFFERED) {
        send_offer(s, t);
        return true;
    }
    /* A late copy of the request must not end a transfer that runs; one that stands still, or
     * another file, means that the client has begun anew. */
    if (same && t->state == SENDING && loop_now(s->l) - t->progress < RESTART_MS)
        return true;
    if (t->state == ASKING)
        free_transfer(s, t);
    else
        give_up(s, t);
    return false;
}

static void
start_transfer(download_service *s, const datagram *d, const tftp_request *r)
{
    transfer *t = make_room(s, d);
    struct timespec wall;

    if (t == NULL) {
        s->count.crowded++;
        return;
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    t->state = ASKING;
    t->request = *r;
    t->socket = next_socket(s, d->peer.any.sa_family);
    t->begin_us = clock_us();
    t->row.at_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
    t->row.source = d->peer;
    snprintf(t->row.path, sizeof(t->row.path), "%s", r->name);
    if (t->socket < 0 || s->nasked == (unsigned)s->c.download_transfers) {
        s->count.crowded++;
        free_transfer(s, t);
        return;
    }
    s->asked[(s->first_asked + s->nasked++) % (unsigned)s->c.download_transfers] =
        (ticket){(uint32_t)(t - s->transfers), t->generation};
}

static void
on_request(download_service *s, int fd, const datagram *d)
{
    tftp_request request;
    transfer *t;

    if (!tftp_read_request(d->data, d->len, &request)) {
        s->count.junk++;
        return;
    }
    if (!limiter_take(s->limits, &d->peer, loop_now(s->l), s->c.download_rate,
                      s->c.download_burst)) {
        s->count.limited++;
        return;
    }
    s->count.requests++;
    if (request.opcode == TFTP_WRQ) {
        send_error(s, fd, d, TFTP_ACCESS, "nothing can be written here");
        return;
    }
    if (request.mode == TFTP_OTHER_MODE) {
        send_error(s, fd, d, TFTP_ILLEGAL, "mode is neither octet nor netascii");
        return;
    }
    t = find_transfer(s, &d->peer);
    if (t != NULL && is_repeated(s, t, &request))
        return;
    start_transfer(s, d, &request);
}

static void
on_listener(watch *w, uint32_t events)
{
    download_service *s = w->owner;
    datagram d = {.data = s->buffer};

    (void)events;
    for (int i = 0; i < PACKETS_PER_WAKE && socket_receive(w->fd, &d, sizeof(s->buffer)); i++)
        on_request(s, w->fd, &d);
}

/* ---------------------------------------------------------------- acknowledgements */

static void
on_ack(download_service *s, transfer *t, int32_t number)
{
    uint16_t step = (uint16_t)(number - (uint16_t)t->acked);
    bool of_oack = t->state == OFFERED && t->sent == 0;

    if (of_oack ? step != 0 : step == 0 || t->acked + step > t->sent) {
        s->count.duplicates++;
        return;
    }
    t->acked += step;
    if (t->acked == t->blocks && !of_oack) {
        s->count.served++;
        finish(s, t, "served");
        return;
    }
    t->state = SENDING;
    t->progress = loop_now(s->l);
    t->tries = 0;
    t->back_off = t->grant.timeout ? t->grant.timeout * 1000 : s->c.download_timeout_ms;
    send_window(s, t);
}

static void
on_pool_packet(download_service *s, int socket, const datagram *d)
{
    transfer *t = find_transfer(s, &d->peer);
    int32_t ack = tftp_read_ack(d->data, d->len);

    if (t == NULL || t->socket != socket || t->state < OFFERED) {
        s->count.junk++;
    } else if (ack >= 0) {
        on_ack(s, t, ack);
    } else if (tftp_packet_opcode(d->data, d->len) == TFTP_ERROR && d->len >= 4) {
        snprintf(t->row.note, sizeof(t->row.note), "the client says error %d",
                 d->data[2] << 8 | d->data[3]);
        finish(s, t, "broken off");
    } else {
        s->count.junk++;
    }
}

static void
on_pool(watch *w, uint32_t events)
{
    download_service *s = w->owner;
    datagram d = {.data = s->buffer};

    (void)events;
    for (int i = 0; i < PACKETS_PER_WAKE && socket_receive(w->fd, &d, sizeof(s->buffer)); i++)
        on_pool_packet(s, (int)(w - s->pool), &d);
}

/* ---------------------------------------------------------------- time */

static void
look_at_transfer(download_service *s, transfer *t, int64_t now)
{
    if (t->state == ASKING || now < t->due)
        return;
    if (t->state == OFFERED || ++t->tries > s->c.download_tries) {
        give_up(s, t);
        return;
    }
    t->back_off = t->back_off * 2 > BACK_OFF_MAX_MS && t->back_off <= BACK_OFF_MAX_MS
                      ? BACK_OFF_MAX_MS
                      : t->back_off * 2;
    send_window(s, t);
}

static void
report(download_service *s, int64_t now)
{
    counters c = s->count;

    if (now < s->next_report)
        return;
    s->next_report = now + REPORT_EVERY_MS;
    if (c.junk != s->told.junk || c.limited != s->told.limited || c.crowded != s->told.crowded ||
        c.lost != s->told.lost)
        agent_log(AGENT_INFO,
                  "download: %lu requests, %lu served, %lu repeated; not answered: %lu junk, %lu "
                  "over the rate, %lu too many at once, %lu without database",
                  (unsigned long)c.requests, (unsigned long)c.served, (unsigned long)c.duplicates,
                  (unsigned long)c.junk, (unsigned long)c.limited, (unsigned long)c.crowded,
                  (unsigned long)c.lost);
    s->told = c;
}

static void
on_tick(ticker *ticker_, int64_t now)
{
    download_service *s = ticker_->owner;
    transfer *older;

    for (transfer *t = s->newest; t != NULL; t = older) {
        older = t->older;
        look_at_transfer(s, t, now);
    }
    report(s, now);
}

/* ---------------------------------------------------------------- start and stop */

static bool
listen_at(download_service *s, int i)
{
    char text[SOCKET_TEXT_MAX];
    watch *w = &s->listeners[i];

    socket_text(&s->c.download_listen.address[i], text, sizeof(text));
    *w = (watch){
        .fd = socket_udp(&s->c.download_listen.address[i]), .ready = on_listener, .owner = s};
    if (w->fd < 0 || loop_watch(s->l, w, EPOLLIN) != 0) {
        agent_log(AGENT_ERROR, "cannot listen at UDP %s: %s", text, strerror(errno));
        return false;
    }
    agent_log(AGENT_INFO, "downloads at UDP %s", text);
    return true;
}

/* Binds one socket of the pool, at the next free port of the range when there is one. */
static bool
add_pool_socket(download_service *s, int family, long *port)
{
    watch *w = &s->pool[s->npool];
    socket_address any;
    int fd = -1;

    memset(&any, 0, sizeof(any));
    any.any.sa_family = (sa_family_t)family;
    do {
        if (family == AF_INET)
            any.in4.sin_port = htons((uint16_t)*port);
        else
            any.in6.sin6_port = htons((uint16_t)*port);
        fd = socket_udp(&any);
    } while (*port != 0 && ++*port <= s->c.download_ports_last && fd < 0);
    *w = (watch){.fd = fd, .ready = on_pool, .owner = s};
    if (fd < 0 || loop_watch(s->l, w, EPOLLIN) != 0)
        return false;
    s->pool_family[s->npool++] = family;
    return true;
}

static bool
make_pool(download_service *s, int family)
{
    long port = s->c.download_ports_first;
    long n = s->c.download_sockets;

    for (long i = 0; i < n && (port == 0 || port <= s->c.download_ports_last); i++)
        if (!add_pool_socket(s, family, &port) && i == 0) {
            agent_log(AGENT_ERROR, "no socket for downloads: %s", strerror(errno));
            return false;
        }
    return true;
}

static bool
make_transfers(download_service *s)
{
    s->transfers = calloc((size_t)s->c.download_transfers, sizeof(transfer));
    s->asked = calloc((size_t)s->c.download_transfers, sizeof(ticket));
    s->offered = calloc((size_t)s->c.download_transfers, sizeof(ticket));
    if (s->transfers == NULL || s->asked == NULL || s->offered == NULL)
        return false;
    for (long i = s->c.download_transfers - 1; i >= 0; i--) {
        s->transfers[i].next = s->free;
        s->free = &s->transfers[i];
    }
    return true;
}

download_service *
download_start(loop *l, const config *c, database *d)
{
    download_service *s = calloc(1, sizeof(*s));
    bool families[2] = {false, false};

    if (s == NULL)
        return NULL;
    s->l = l;
    s->c = *c;
    s->d = d;
    s->limits = limiter_new();
    s->r = recorder_new(l, d, s->c.name);
    if (s->limits == NULL || s->r == NULL || !make_transfers(s))
        return NULL;
    for (int i = 0; i < c->download_listen.n; i++) {
        if (!listen_at(s, i))
            return NULL;
        families[c->download_listen.address[i].any.sa_family == AF_INET6] = true;
    }
    if ((families[0] && !make_pool(s, AF_INET)) || (families[1] && !make_pool(s, AF_INET6)))
        return NULL;
    s->t = (ticker){.tick = on_tick, .flush = on_flush, .owner = s};
    loop_add_ticker(l, &s->t);
    return s;
}

void
download_reconfigure(download_service *s, const config *c)
{
    /* sockets and tables stay as they are */
    s->c.download_rate = c->download_rate;
    s->c.download_burst = c->download_burst;
    s->c.download_blksize = c->download_blksize;
    s->c.download_windowsize = c->download_windowsize;
    s->c.download_timeout_ms = c->download_timeout_ms;
    s->c.download_tries = c->download_tries;
    memcpy(s->c.download_folder, c->download_folder, sizeof(s->c.download_folder));
}

void
download_stop(download_service *s)
{
    while (s->newest != NULL) {
        if (s->newest->state == ASKING)
            free_transfer(s, s->newest);
        else
            give_up(s, s->newest);
    }
    recorder_finish(s->r);
}

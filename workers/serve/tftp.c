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
 * The table of transfers is in transfer.c, what the database is asked in tftp_ask.c.
 */
#include "workers/serve/transfer.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define BLOCK_MAX 65464 /* RFC 2348 */
#define BACK_OFF_MAX_MS 8000
#define PACKETS_PER_WAKE 256
#define REPORT_EVERY_MS 60000

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
void
tftp_send_offer(download_service *s, transfer *t)
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

void
tftp_send_error(download_service *s, int fd, const datagram *to, tftp_error_code code,
                const char *text)
{
    uint8_t packet[TFTP_ERROR_MAX];
    struct iovec part = {packet, tftp_write_error(packet, code, text)};

    (void)s;
    socket_send(fd, to, &part, 1);
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
        tftp_send_offer(s, t);
        return true;
    }
    /* A late copy of the request must not end a transfer that runs; one that stands still, or
     * another file, means that the client has begun anew. */
    if (same && t->state == SENDING && loop_now(s->l) - t->progress < RESTART_MS)
        return true;
    if (t->state == ASKING)
        transfer_free(s, t);
    else
        transfer_give_up(s, t);
    return false;
}

static void
start_transfer(download_service *s, const datagram *d, const tftp_request *r)
{
    transfer *t = transfer_make_room(s, d);
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
        transfer_free(s, t);
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
        tftp_send_error(s, fd, d, TFTP_ACCESS, "nothing can be written here");
        return;
    }
    if (request.mode == TFTP_OTHER_MODE) {
        tftp_send_error(s, fd, d, TFTP_ILLEGAL, "mode is neither octet nor netascii");
        return;
    }
    t = transfer_find(s, &d->peer);
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
        transfer_finish(s, t, "served");
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
    transfer *t = transfer_find(s, &d->peer);
    int32_t ack = tftp_read_ack(d->data, d->len);

    if (t == NULL || t->socket != socket || t->state < OFFERED) {
        s->count.junk++;
    } else if (ack >= 0) {
        on_ack(s, t, ack);
    } else if (tftp_packet_opcode(d->data, d->len) == TFTP_ERROR && d->len >= 4) {
        snprintf(t->row.note, sizeof(t->row.note), "the client says error %d",
                 d->data[2] << 8 | d->data[3]);
        transfer_finish(s, t, "broken off");
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
        transfer_give_up(s, t);
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
    s->t = (ticker){.tick = on_tick, .flush = tftp_ask, .owner = s};
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
            transfer_free(s, s->newest);
        else
            transfer_give_up(s, s->newest);
    }
    recorder_finish(s->r);
}

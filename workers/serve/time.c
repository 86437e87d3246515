/*
 * time.c: the time of RFC 868 over UDP and TCP: seconds since 1900, four bytes.
 */
#include "workers/serve/serve.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SINCE_1900 2208988800u
#define PER_WAKE 256
#define RATE 20 /* answers per second and source */
#define BURST 50
#define READS 16 /* of what a TCP client sends: whoever sends more does not want an answer */

typedef struct time_service {
    loop *l;
    limiter *limits;
    int n;
    watch udp[CONFIG_LISTEN_MAX], tcp[CONFIG_LISTEN_MAX];
} time_service;

static uint32_t
time_now(void)
{
    return htonl((uint32_t)((uint64_t)time(NULL) + SINCE_1900));
}

/* Ports of services that answer whatever comes: an answer to one of them could go round for ever.
 */
static bool
answers_anything(const socket_address *peer)
{
    uint16_t port =
        ntohs(peer->any.sa_family == AF_INET ? peer->in4.sin_port : peer->in6.sin6_port);

    return port == 0 || port == 7 || port == 13 || port == 17 || port == 19 || port == 37;
}

static void
on_udp(watch *w, uint32_t events)
{
    time_service *s = w->owner;
    uint8_t buffer[64];
    datagram d = {.data = buffer};

    (void)events;
    for (int i = 0; i < PER_WAKE && socket_receive(w->fd, &d, sizeof(buffer)); i++) {
        uint32_t now = time_now();
        struct iovec part = {&now, sizeof(now)};

        if (!answers_anything(&d.peer) &&
            limiter_take(s->limits, &d.peer, loop_now(s->l), RATE, BURST))
            socket_send(w->fd, &d, &part, 1);
    }
}

static void
on_tcp(watch *w, uint32_t events)
{
    (void)events;
    for (int i = 0; i < PER_WAKE; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        uint32_t now = time_now();
        uint8_t rest[256];

        if (fd < 0)
            return;
        if (send(fd, &now, sizeof(now), MSG_NOSIGNAL) == sizeof(now)) {
            shutdown(fd, SHUT_WR);
            /* what it sent must be read, or close() would reset and take the answer along */
            for (int n = 0; n < READS && recv(fd, rest, sizeof(rest), 0) > 0; n++)
                ;
        }
        close(fd);
    }
}

static bool
watch_one(time_service *s, watch *w, int fd, void (*ready)(watch *, uint32_t), const char *what,
          const socket_address *address)
{
    char text[SOCKET_TEXT_MAX];

    socket_text(address, text, sizeof(text));
    *w = (watch){.fd = fd, .ready = ready, .owner = s};
    if (fd >= 0 && loop_watch(s->l, w, EPOLLIN) == 0) {
        agent_log(AGENT_INFO, "time at %s %s", what, text);
        return true;
    }
    agent_log(AGENT_ERROR, "cannot listen at %s %s: %s", what, text, strerror(errno));
    return false;
}

struct time_service *
time_start(loop *l, const config *c)
{
    time_service *s = calloc(1, sizeof(*s));

    if (s == NULL || (s->limits = limiter_new()) == NULL)
        return NULL;
    s->l = l;
    for (s->n = 0; s->n < c->time_listen.n; s->n++) {
        const socket_address *a = &c->time_listen.address[s->n];

        if (!watch_one(s, &s->udp[s->n], socket_udp(a), on_udp, "UDP", a) ||
            !watch_one(s, &s->tcp[s->n], socket_tcp(a), on_tcp, "TCP", a))
            return NULL;
    }
    return s;
}

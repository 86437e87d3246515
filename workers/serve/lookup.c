/*
 * lookup.c: the look-up of ISC dhcpd (ldap-method dynamic): one question to the database per
 * search. Read-only; on loopback, since whoever may ask learns who has which address.
 *
 * While there is no database, searches wait and dhcpd with them. Any answer would be a wrong one:
 * to dhcpd "unavailable" and "no entry" both mean an unknown client, and it refuses (DHCPNAK) the
 * renewals of leases whose clients have become unknown.
 */
#include "workers/serve/serve.h"

#ifndef HAVE_LBER

struct lookup_service *
lookup_start(loop *l, const config *c, database *d)
{
    agent_log(AGENT_ERROR, "lookup_listen: this agent was built without liblber (libldap-dev)");
    return NULL;
}

#else

#include "workers/serve/ldap_packet.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define SEARCHES_MAX 256     /* in flight, of all clients */
#define UNSENT_MAX (1 << 20) /* a client that does not read is dropped */
#define VALUES_MAX 16
#define TRIES_MAX 3    /* of a search that the server answers with an error */
#define QUIET_MS 60000 /* a dhcpd that asked nothing for so long may have gone without a word */
#define TELL_EVERY_MS 60000

typedef struct lookup_service lookup_service;

typedef struct client {
    lookup_service *s;
    watch w;
    uint32_t generation;
    enum { SILENT, SPEAKS, ASKS } worth; /* said nothing whole yet; has; has asked for a client */
    int64_t heard;                       /* when it last said something whole, or came */
    uint8_t in[LDAP_MESSAGE_MAX + 16];
    size_t nin;
    ldap_answer out; /* not yet sent */
} client;

/* A search whose answer the database has not given yet. */
typedef struct search {
    bool used;
    bool waiting; /* for the database */
    int tries;
    int client;
    uint32_t generation; /* of the client: it may be gone */
    ldap_message m;
} search;

struct lookup_service {
    loop *l;
    database *d;
    char base[128];
    ticker t;
    int nwaiting;
    unsigned long turned_away; /* for want of room; how many the log was told */
    int64_t next_told;
    watch listeners[CONFIG_LISTEN_MAX];
    client clients[CLIENTS_MAX];
    search searches[SEARCHES_MAX];
};

/* ---------------------------------------------------------------- clients */

static void
drop(client *c)
{
    loop_close(c->s->l, &c->w);
    c->generation++;
    c->nin = 0;
    free(c->out.data);
    memset(&c->out, 0, sizeof(c->out));
}

static void
send_out(client *c)
{
    ssize_t n = 0;

    if (c->out.failed || c->out.len > UNSENT_MAX) {
        drop(c);
        return;
    }
    if (c->out.len > 0)
        n = send(c->w.fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(c);
        return;
    }
    if (n > 0) {
        memmove(c->out.data, c->out.data + n, c->out.len - (size_t)n);
        c->out.len -= (size_t)n;
    }
    loop_watch(c->s->l, &c->w, c->out.len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* ---------------------------------------------------------------- answers */

static ldap_value
value_of(const char *attribute, const char *value)
{
    ldap_value v = {attribute, value, strlen(value)};

    return v;
}

/* A name that may stand in a DN as it is. */
static bool
is_plain(const char *name)
{
    return name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789._:-") == strlen(name);
}

/* What dhcpd asks when it starts: a server of any name, and its one service. */
static void
answer_server(client *c, const ldap_message *m)
{
    char dn[512];
    char service[256];
    ldap_value values[3];

    if (is_plain(m->cn)) {
        snprintf(dn, sizeof(dn), "cn=%s,%s", m->cn, c->s->base);
        snprintf(service, sizeof(service), "cn=service,%s", c->s->base);
        values[0] = value_of("objectClass", "dhcpServer");
        values[1] = value_of("cn", m->cn);
        values[2] = value_of("dhcpServiceDN", service);
        ldap_add_entry(&c->out, m->id, dn, values, 3);
    }
    ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_SUCCESS);
}

static void
answer_service(client *c, const ldap_message *m)
{
    ldap_value values[3] = {value_of("objectClass", "dhcpService"), value_of("cn", "service"),
                            value_of("dhcpPrimaryDN", m->primary)};

    ldap_add_entry(&c->out, m->id, m->base, values, m->primary[0] ? 3 : 2);
    ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_SUCCESS);
}

static void
mac_text(const uint8_t mac[6], char to[18])
{
    snprintf(to, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

/* Adds one value per line of a column. */
static void
add_lines(ldap_value *values, size_t *n, const char *attribute, const answer *a, int column)
{
    size_t len = 0;
    const char *text = answer_value(a, 0, column, &len);

    while (text != NULL && len > 0 && *n < VALUES_MAX) {
        const char *end = memchr(text, '\n', len);
        size_t one = end ? (size_t)(end - text) : len;

        values[(*n)++] = (ldap_value){attribute, text, one};
        len -= end ? one + 1 : one;
        text += one + 1;
    }
}

static void
add_host(client *c, const search *s, const answer *a)
{
    char hardware[40] = "ethernet ";
    char dn[512];
    char name[128];
    ldap_value values[VALUES_MAX];
    size_t len = 0;
    const char *got = answer_value(a, 0, 0, &len);
    size_t n = 0;

    snprintf(name, sizeof(name), "%.*s", (int)len, got ? got : "");
    /* not below the service: dhcpd would then ask whether that is a group, for each packet */
    snprintf(dn, sizeof(dn), "cn=%s,%s", name, c->s->base);
    mac_text(s->m.mac, hardware + strlen(hardware));
    values[n++] = value_of("objectClass", "dhcpHost");
    values[n++] = value_of("cn", name);
    values[n++] = value_of("dhcpHWAddress", hardware);
    add_lines(values, &n, "dhcpStatements", a, 1);
    add_lines(values, &n, "dhcpOption", a, 2);
    ldap_add_entry(&c->out, s->m.id, dn, values, n);
}

static void
add_class(client *c, const search *s)
{
    char dn[1024];
    ldap_value values[3] = {value_of("objectClass", "dhcpSubClass"), value_of("cn", s->m.cn),
                            value_of("dhcpClassData", s->m.class_data)};

    snprintf(dn, sizeof(dn), "cn=%s,cn=service,%s", s->m.cn, c->s->base);
    ldap_add_entry(&c->out, s->m.id, dn, values, 3);
}

static void
wait_for_database(lookup_service *service, search *s)
{
    s->waiting = true;
    service->nwaiting++;
}

static void
on_answer(void *owner, uint64_t tag, const answer *a)
{
    lookup_service *service = owner;
    search *s = &service->searches[tag];
    client *c = &service->clients[s->client];
    ldap_code code = a->rows < 0 ? LDAP_CODE_UNAVAILABLE : LDAP_CODE_SUCCESS;

    if (a->error != NULL)
        agent_log(AGENT_ERROR, "look-up: %s", a->error);
    s->tries += a->error != NULL;
    if (a->rows < 0 && s->tries < TRIES_MAX) {
        wait_for_database(service, s);
        return;
    }
    s->used = false;
    if (c->w.fd < 0 || c->generation != s->generation)
        return;
    if (a->rows > 0 && s->m.kind == LDAP_FIND_HOST)
        add_host(c, s, a);
    else if (a->rows > 0)
        add_class(c, s);
    ldap_add_result(&c->out, s->m.id, s->m.operation, code);
    send_out(c);
}

/* ---------------------------------------------------------------- requests */

static search *
new_search(client *c, const ldap_message *m)
{
    lookup_service *s = c->s;

    for (int i = 0; i < SEARCHES_MAX; i++) {
        if (s->searches[i].used)
            continue;
        s->searches[i] = (search){
            .used = true, .client = (int)(c - s->clients), .generation = c->generation, .m = *m};
        return &s->searches[i];
    }
    return NULL;
}

static void
ask_database(lookup_service *service, search *s)
{
    char mac[18];
    const char *values[2] = {mac, s->m.class_data};
    bool host = s->m.kind == LDAP_FIND_HOST;

    mac_text(s->m.mac, mac);
    if (!database_ask(service->d, host ? ASK_HOST : ASK_CLASS, host ? 1 : 2, values, on_answer,
                      service, (uint64_t)(s - service->searches)))
        wait_for_database(service, s);
}

static void
ask(client *c, const ldap_message *m)
{
    search *s;

    if (!m->has_mac || (m->kind == LDAP_FIND_CLASS && strncmp(m->class_data, "cpe-", 4) != 0)) {
        ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_SUCCESS);
        return;
    }
    s = new_search(c, m);
    if (s == NULL)
        ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_BUSY);
    else
        ask_database(c->s, s);
}

/* Asks again for what waits; what its client no longer waits for is forgotten. */
static void
on_tick(ticker *t, int64_t now)
{
    lookup_service *service = t->owner;

    (void)now;
    for (int i = 0; service->nwaiting > 0 && i < SEARCHES_MAX; i++) {
        search *s = &service->searches[i];
        client *c = &service->clients[s->client];

        if (!s->used || !s->waiting)
            continue;
        if (c->w.fd >= 0 && c->generation == s->generation && !database_up(service->d))
            continue;
        s->waiting = false;
        service->nwaiting--;
        s->used = c->w.fd >= 0 && c->generation == s->generation;
        if (s->used)
            ask_database(service, s);
    }
}

/* Returns false when the client is to be dropped. */
static bool
on_message(client *c, const ldap_message *m)
{
    switch (m->kind) {
    case LDAP_UNBIND:
        return false;
    case LDAP_ABANDON:
        return true;
    case LDAP_FIND_SERVER:
        answer_server(c, m);
        return true;
    case LDAP_FIND_SERVICE:
        answer_service(c, m);
        return true;
    case LDAP_FIND_HOST:
    case LDAP_FIND_CLASS:
        c->worth = ASKS;
        ask(c, m);
        return true;
    case LDAP_BIND:
    case LDAP_FIND_NOTHING:
        ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_SUCCESS);
        return true;
    default:
        ldap_add_result(&c->out, m->id, m->operation, LDAP_CODE_PROTOCOL);
        return true;
    }
}

/* Takes whole messages out of what was received. */
static bool
take_messages(client *c)
{
    size_t at = 0;
    long n;

    while ((n = ldap_frame(c->in + at, c->nin - at)) > 0) {
        ldap_message m;

        if (!ldap_read(c->in + at, (size_t)n, &m))
            return false;
        c->heard = loop_now(c->s->l);
        c->worth = c->worth == SILENT ? SPEAKS : c->worth;
        if (!on_message(c, &m) || c->w.fd < 0)
            return false;
        at += (size_t)n;
    }
    memmove(c->in, c->in + at, c->nin - at);
    c->nin -= at;
    return n == 0 && c->nin < sizeof(c->in);
}

static void
on_client(watch *w, uint32_t events)
{
    client *c = w->owner;
    ssize_t n = 0;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        n = recv(w->fd, c->in + c->nin, sizeof(c->in) - c->nin, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            drop(c);
            return;
        }
        c->nin += n > 0 ? (size_t)n : 0;
        if (!take_messages(c)) {
            drop(c);
            return;
        }
    }
    send_out(c);
}

/* A free place, if need be that of a client that is worth less than a newcomer: one that never said
 * anything whole, then one that never asked for a host or class, the quietest first; a dhcpd only
 * when it has been quiet for a minute (it takes a lost connection for a client that is not known).
 */
static client *
find_place(lookup_service *s)
{
    client *least = NULL;

    for (int i = 0; i < CLIENTS_MAX; i++) {
        client *c = &s->clients[i];

        if (c->w.fd < 0)
            return c;
        if (c->worth == ASKS && loop_now(s->l) - c->heard < QUIET_MS)
            continue;
        if (least == NULL || c->worth < least->worth ||
            (c->worth == least->worth && c->heard < least->heard))
            least = c;
    }
    s->turned_away++;
    if (loop_now(s->l) >= s->next_told) {
        agent_log(AGENT_WARNING, "look-up: more than %d clients; %lu connections closed so far",
                  CLIENTS_MAX, s->turned_away);
        s->next_told = loop_now(s->l) + TELL_EVERY_MS;
    }
    if (least != NULL)
        drop(least);
    return least;
}

static void
on_listener(watch *w, uint32_t events)
{
    lookup_service *s = w->owner;
    int on = 1;
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    client *c;

    (void)events;
    if (fd < 0)
        return;
    c = find_place(s);
    if (c == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    c->w = (watch){.fd = fd, .ready = on_client, .owner = c};
    c->worth = SILENT;
    c->heard = loop_now(s->l);
    if (loop_watch(s->l, &c->w, EPOLLIN) != 0)
        drop(c);
}

/* ---------------------------------------------------------------- start */

static bool
is_loopback(const socket_address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohl(a->in4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

static bool
listen_at(lookup_service *s, watch *w, const socket_address *a)
{
    char text[SOCKET_TEXT_MAX];

    socket_text(a, text, sizeof(text));
    if (!is_loopback(a)) {
        agent_log(AGENT_ERROR, "the look-up is for this machine only: %s is not a loopback address",
                  text);
        return false;
    }
    *w = (watch){.fd = socket_tcp(a), .ready = on_listener, .owner = s};
    if (w->fd < 0 || loop_watch(s->l, w, EPOLLIN) != 0) {
        agent_log(AGENT_ERROR, "cannot listen at TCP %s: %s", text, strerror(errno));
        return false;
    }
    agent_log(AGENT_INFO, "look-up at TCP %s", text);
    return true;
}

struct lookup_service *
lookup_start(loop *l, const config *c, database *d)
{
    lookup_service *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->l = l;
    s->d = d;
    snprintf(s->base, sizeof(s->base), "%s", c->lookup_base);
    s->t = (ticker){.tick = on_tick, .owner = s};
    loop_add_ticker(l, &s->t);
    for (int i = 0; i < CLIENTS_MAX; i++)
        s->clients[i] = (client){.s = s, .w = {.fd = -1}};
    for (int i = 0; i < c->lookup_listen.n; i++)
        if (!listen_at(s, &s->listeners[i], &c->lookup_listen.address[i]))
            return NULL;
    return s;
}

#endif

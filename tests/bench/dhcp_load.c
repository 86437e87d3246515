/*
 * dhcp_load.c: many DHCP exchanges at once, to measure a server; every answer is checked:
 *   dhcp_load SERVER PROVISIONING_SERVER MODEMS PER_NETWORK CONCURRENT SECONDS [all|fixed]
 * It is the relay of all networks and all modems behind them (tests/bench/feed_model.sql):
 * modem i of 1 .. MODEMS has the MAC 02 and i in 5 bytes and is behind network n = 1 + (i - 1) /
 * PER_NETWORK, that is 10.n.0.0/16 with the relay address 10.n.0.1. An even i has the fixed address
 * 10.n.128.0 + (i - 1) % PER_NETWORK / 2, an odd one gets any below that. Modems are drawn at random
 * ("fixed": only even ones). An answer is right when address, next server, file name (that of i, in
 * the header or in option 67) and the options 1, 3, 4, 7, 51 and 54 are. Prints
 *   dora=N seconds=S rate=N p50=MS p99=MS wrong=N nak=N timeouts=N
 * and the first wrong answers on stderr. Must be able to bind port 67.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX 1024
#define SAMPLES (1 << 20)
#define TIMEOUT_US 2000000
#define HEADER 240 /* BOOTP and the magic cookie */
enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK };

typedef struct slot {
    long modem;
    uint32_t xid;
    uint32_t offered, server; /* network order */
    int state;                /* what was sent */
    int64_t begin, due;
} slot;

static struct sockaddr_in server;
static uint32_t provisioning; /* host order */
static long modems, per_network, done, wrong, naks, timeouts;
static int fixed_only, concurrent, sock;
static slot slots[MAX];
static float samples[SAMPLES];
static uint32_t serial;

static int64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint32_t
network_of(long modem)
{
    return 10u << 24 | (uint32_t)(1 + (modem - 1) / per_network) << 16;
}

static uint8_t *
put(uint8_t *at, uint8_t code, const void *value, uint8_t len)
{
    *at++ = code;
    *at++ = len;
    memcpy(at, value, len);
    return at + len;
}

/* Sends DISCOVER or REQUEST of a slot's modem as its relay does. */
static void
send_message(slot *s, uint8_t type)
{
    static const uint8_t wanted[] = {1, 2, 3, 4, 6, 7, 12, 15, 42, 43, 51, 54, 66, 67, 122};
    uint8_t packet[400] = {1, 1, 6, 1};
    uint8_t mac[6] = {2, 0, (uint8_t)(s->modem >> 24), (uint8_t)(s->modem >> 16), (uint8_t)(s->modem >> 8),
                      (uint8_t)s->modem};
    uint8_t remote[8] = {2, 6};
    uint32_t giaddr = htonl(network_of(s->modem) | 1);
    uint8_t *at = packet + HEADER;

    memcpy(packet + 4, &s->xid, 4);
    memcpy(packet + 24, &giaddr, 4);
    memcpy(packet + 28, mac, 6);
    memcpy(packet + 236, "\x63\x82\x53\x63", 4);
    at = put(at, 53, &type, 1);
    at = put(at, 55, wanted, sizeof(wanted));
    at = put(at, 60, "docsis3.1:", 10);
    if (type == REQUEST) {
        at = put(at, 50, &s->offered, 4);
        at = put(at, 54, &s->server, 4);
    }
    memcpy(remote + 2, mac, 6);
    at = put(at, 82, remote, sizeof(remote));
    *at++ = 255;
    if (at < packet + 300)
        at = packet + 300;
    s->state = type;
    s->due = now_us() + TIMEOUT_US;
    sendto(sock, packet, (size_t)(at - packet), 0, (struct sockaddr *)&server, sizeof(server));
}

static void
begin(slot *s)
{
    s->modem = random() % modems + 1;
    if (fixed_only && s->modem % 2 == 1)
        s->modem = s->modem == modems ? s->modem - 1 : s->modem + 1;
    s->xid = htonl(++serial << 10 | (uint32_t)(s - slots));
    s->begin = now_us();
    send_message(s, DISCOVER);
}

/* An option's value, its length in *len; NULL: it is not there. */
static const uint8_t *
option(const uint8_t *packet, size_t size, uint8_t code, size_t *len)
{
    const uint8_t *at = packet + HEADER;
    const uint8_t *end = packet + size;

    while (at + 2 <= end && *at != 255) {
        if (*at == 0) {
            at++;
            continue;
        }
        if (at + 2 + at[1] > end)
            return NULL;
        if (*at == code) {
            *len = at[1];
            return at + 2;
        }
        at += 2 + at[1];
    }
    return NULL;
}

static uint32_t
address_option(const uint8_t *packet, size_t size, uint8_t code)
{
    size_t len = 0;
    const uint8_t *value = option(packet, size, code, &len);
    uint32_t address = 0;

    if (value != NULL && len >= 4)
        memcpy(&address, value, 4);
    return ntohl(address);
}

/* Why this is not the answer that the modem is due; NULL: it is. */
static const char *
problem(const slot *s, const uint8_t *packet, size_t size, uint32_t address)
{
    uint32_t network = network_of(s->modem);
    uint32_t next;
    char file[80];
    size_t len = 0;
    const uint8_t *name = option(packet, size, 67, &len);

    memcpy(&next, packet + 20, 4);
    if (s->modem < 1000)
        snprintf(file, sizeof(file), "cm/cm-%ld.cfg", s->modem);
    else
        snprintf(file, sizeof(file), "cm/%ld/cm-%ld.cfg", s->modem / 1000, s->modem);
    if (s->modem % 2 == 0 && address != (network | 0x8000) + (uint32_t)((s->modem - 1) % per_network / 2))
        return "address is not the fixed one";
    if (s->modem % 2 == 1 && (address < network + 10 || address >= network + 0x8000))
        return "address is not of the pool";
    if (ntohl(next) != provisioning)
        return "next server";
    if ((name == NULL || len != strlen(file) || memcmp(name, file, len) != 0) &&
        strncmp((const char *)packet + 108, file, 128) != 0)
        return "file";
    if (address_option(packet, size, 1) != 0xffff0000u || address_option(packet, size, 3) != (network | 1))
        return "subnet mask or router";
    if (address_option(packet, size, 4) != provisioning || address_option(packet, size, 7) != provisioning)
        return "time or log server";
    if (address_option(packet, size, 51) == 0 || address_option(packet, size, 54) == 0)
        return "lease time or server";
    return NULL;
}

static void
finish(slot *s)
{
    if (done < SAMPLES)
        samples[done] = (float)(now_us() - s->begin) / 1000;
    done++;
    begin(s);
}

static void
take(const uint8_t *packet, size_t size)
{
    uint32_t xid, address;
    size_t len = 0;
    const uint8_t *type, *identifier;
    const char *why;
    slot *s;

    if (size < HEADER || packet[0] != 2)
        return;
    memcpy(&xid, packet + 4, 4);
    s = &slots[ntohl(xid) & (MAX - 1)];
    type = option(packet, size, 53, &len);
    if (s->xid != xid || type == NULL || *type == (s->state == DISCOVER ? ACK : OFFER))
        return;
    if (*type == NAK) {
        naks++;
        begin(s);
        return;
    }
    memcpy(&address, packet + 16, 4);
    why = problem(s, packet, size, ntohl(address));
    if (why != NULL) {
        if (wrong++ < 5)
            fprintf(stderr, "modem %ld: %s (address %s)\n", s->modem, why, inet_ntoa(*(struct in_addr *)&address));
        begin(s);
        return;
    }
    identifier = option(packet, size, 54, &len);
    memcpy(&s->server, identifier, 4);
    s->offered = address;
    if (*type == OFFER)
        send_message(s, REQUEST);
    else
        finish(s);
}

static int
by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static int
open_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(67)};
    int size = 8 << 20, on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0) {
        perror("port 67");
        exit(1);
    }
    return fd;
}

int
main(int argc, char **argv)
{
    int64_t start, end;
    size_t n;

    if (argc < 7 || (concurrent = atoi(argv[5])) < 1 || concurrent > MAX)
        return 2;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(67)};
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    provisioning = ntohl(inet_addr(argv[2]));
    modems = atol(argv[3]);
    per_network = atol(argv[4]);
    fixed_only = argc > 7 && strcmp(argv[7], "fixed") == 0;
    sock = open_socket();
    srandom((unsigned)now_us());
    start = now_us();
    end = start + (int64_t)(atof(argv[6]) * 1e6);
    for (int i = 0; i < concurrent; i++)
        begin(&slots[i]);
    while (now_us() < end) {
        struct pollfd p = {.fd = sock, .events = POLLIN};
        uint8_t packet[2048];
        ssize_t size;

        poll(&p, 1, 20);
        while ((size = recv(sock, packet, sizeof(packet), 0)) > 0)
            take(packet, (size_t)size);
        for (int i = 0; i < concurrent; i++)
            if (now_us() > slots[i].due) {
                timeouts++;
                begin(&slots[i]);
            }
    }
    n = (size_t)(done < SAMPLES ? done : SAMPLES);
    qsort(samples, n, sizeof(float), by_size);
    printf("dora=%ld seconds=%.3f rate=%.1f p50=%.3f p99=%.3f wrong=%ld nak=%ld timeouts=%ld\n", done,
           (double)(now_us() - start) / 1e6, (double)done * 1e6 / (double)(now_us() - start), (double)samples[n / 2],
           (double)samples[n * 99 / 100], wrong, naks, timeouts);
    return 0;
}

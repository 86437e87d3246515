/*
 * tftp_load.c: many TFTP downloads at once, to measure a server:
 *   tftp_load SERVER PORT NAME_FORMAT NAMES CONCURRENT SECONDS
 * NAME_FORMAT has one %s (the folder of the thousand, or nothing below 1000) and one %d, 1 .. NAMES. Modem i's file is to hold the text "cm-i" in its first block.
 * Each transfer has a socket of its own and asks for blksize
 * 1448. Prints rate=N p50=MS p99=MS errors=N wrong=N resent=N, of the time of one file.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX 1024
#define SAMPLES (1 << 20)

typedef struct slot {
    int fd;
    int64_t begin, due;
    struct sockaddr_in peer;
    int name;
    int known; /* the peer's port */
    uint16_t block;
    uint8_t sent[600];
    size_t nsent;
} slot;

static struct sockaddr_in server;
static const char *format;
static long names, files, errors, wrong, resent;
static float samples[SAMPLES];

static int64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
transmit(slot *s)
{
    sendto(s->fd, s->sent, s->nsent, 0, (struct sockaddr *)&s->peer, sizeof(s->peer));
    s->due = now_us() + 1000000;
}

static void
request(slot *s, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    size_t n = 2;
    char folder[24] = "";

    if (s->fd >= 0)
        close(s->fd);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
    s->begin = now_us();
    s->peer = server;
    s->known = 0;
    s->block = 0;
    memcpy(s->sent, "\0\1", 2);
    s->name = (int)(random() % names) + 1;
    if (s->name >= 1000)
        snprintf(folder, sizeof(folder), "%d/", s->name / 1000);
    n += (size_t)snprintf((char *)s->sent + n, 300, format, folder, s->name) + 1;
    memcpy(s->sent + n, "octet\0blksize\0001448\0", 19);
    s->nsent = n + 19;
    transmit(s);
}

static void
acknowledge(slot *s, uint16_t block)
{
    s->sent[0] = 0;
    s->sent[1] = 4;
    s->sent[2] = (uint8_t)(block >> 8);
    s->sent[3] = (uint8_t)block;
    s->nsent = 4;
    transmit(s);
}

static int
is_of(int name, const uint8_t *data, size_t len)
{
    char text[32];

    snprintf(text, sizeof(text), "cm-%d", name);
    return memmem(data, len, text, strlen(text)) != NULL;
}

/* What to show of a file that is not the right one. */
static const char *
first_name(const uint8_t *data, size_t len)
{
    const char *at = memmem(data, len, "cm-", 3);

    return at == NULL ? "(no name)" : at;
}

/* Returns 1 when the transfer is over. */
static int
receive(slot *s)
{
    uint8_t packet[2000];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(s->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);

    /* Late packets of another server, or of a transfer that had this port before, are not for us. */
    if (n < 4 || from.sin_addr.s_addr != server.sin_addr.s_addr || (s->known && from.sin_port != s->peer.sin_port))
        return 0;
    if (packet[1] == 5) {
        errors++;
        return 1;
    }
    s->peer = from;
    s->known = 1;
    if (packet[1] == 6) {
        acknowledge(s, 0);
        return 0;
    }
    if (packet[1] != 3 || (packet[2] << 8 | packet[3]) != (uint16_t)(s->block + 1))
        return 0;
    acknowledge(s, ++s->block);
    if (s->block == 1 && !is_of(s->name, packet + 4, (size_t)n - 4) && wrong++ < 5)
        fprintf(stderr, "cm-%d: another file: %.*s\n", s->name, 16, first_name(packet + 4, (size_t)n - 4));
    if (n - 4 == 1448)
        return 0;
    if (files < SAMPLES)
        samples[files] = (float)(now_us() - s->begin) / 1000;
    files++;
    return 1;
}

static int
by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
    static slot slots[MAX];
    struct epoll_event events[256];
    int epoll = epoll_create1(0);
    int concurrent;
    int64_t begin, end;

    if (argc != 7)
        return 2;
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    format = argv[3];
    names = atol(argv[4]);
    concurrent = atoi(argv[5]);
    begin = now_us();
    end = begin + (int64_t)(atof(argv[6]) * 1000000);
    for (int i = 0; i < concurrent; i++) {
        slots[i].fd = -1;
        request(&slots[i], epoll);
    }
    while (now_us() < end) {
        int n = epoll_wait(epoll, events, 256, 50);
        int64_t now = now_us();

        for (int i = 0; i < n; i++)
            if (receive(events[i].data.ptr))
                request(events[i].data.ptr, epoll);
        for (int i = 0; n < 256 && i < concurrent; i++)
            if (now > slots[i].due) {
                resent++;
                transmit(&slots[i]);
            }
    }
    qsort(samples, (size_t)(files < SAMPLES ? files : SAMPLES), sizeof(float), by_size);
    printf("rate=%.1f p50=%.3f p99=%.3f errors=%ld wrong=%ld resent=%ld\n",
           (double)files * 1e6 / (double)(now_us() - begin), (double)samples[files / 2],
           (double)samples[files * 99 / 100], errors, wrong, resent);
    return 0;
}

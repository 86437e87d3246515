/*
 * lease_line.c: see lease_line.h.
 */
#include "workers/serve/lease_line.h"

#include <arpa/inet.h>
#include <string.h>

typedef struct piece {
    const char *at;
    size_t len;
} piece;

/* Kea writes commas inside values as &#x2c, so that no value
 * has one. Returns how many there are; 0: too many, or no line. */
static int
split(const char *line, size_t len, piece to[LEASE_FIELDS_MAX])
{
    size_t begin = 0;
    int n = 0;

    if (len == 0 || len > LEASE_LINE_MAX || memchr(line, '\0', len) != NULL)
        return 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && line[i] != ',')
            continue;
        if (n == LEASE_FIELDS_MAX)
            return 0;
        to[n++] = (piece){line + begin, i - begin};
        begin = i + 1;
    }
    return n;
}

static int
find(const piece *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (p[i].len == strlen(name) && memcmp(p[i].at, name, p[i].len) == 0)
            return i;
    return -1;
}

bool
lease_read_header(const char *line, size_t len, lease_columns *to)
{
    piece p[LEASE_FIELDS_MAX];
    int n = split(line, len, p);

    *to = (lease_columns){.address = find(p, n, "address"),
                          .hwaddr = find(p, n, "hwaddr"),
                          .client_id = find(p, n, "client_id"),
                          .duid = find(p, n, "duid"),
                          .valid_lifetime = find(p, n, "valid_lifetime"),
                          .expire = find(p, n, "expire"),
                          .subnet_id = find(p, n, "subnet_id"),
                          .lease_type = find(p, n, "lease_type"),
                          .prefix_len = find(p, n, "prefix_len"),
                          .hostname = find(p, n, "hostname"),
                          .state = find(p, n, "state"),
                          .user_context = find(p, n, "user_context"),
                          .n = n};
    return to->address == 0 && to->valid_lifetime > 0 && to->expire > 0 && to->subnet_id > 0 &&
           to->state > 0 &&
           (to->duid > 0 ? to->client_id < 0 && to->lease_type > 0 && to->prefix_len > 0
                         : to->client_id > 0);
}

/* Decimal digits and nothing else, up to max. */
static bool
read_number(piece p, uint64_t max, uint64_t *to)
{
    *to = 0;
    if (p.len == 0 || p.len > 18)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        if (p.at[i] < '0' || p.at[i] > '9')
            return false;
        *to = *to * 10 + (uint64_t)(p.at[i] - '0');
    }
    return *to <= max;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
read_mac(piece p, uint8_t to[6])
{
    if (p.len != 17)
        return false;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(p.at[3 * i]);
        int low = hex_digit(p.at[3 * i + 1]);

        if (high < 0 || low < 0 || (i < 5 && p.at[3 * i + 2] != ':'))
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Octets in hex, separated by colons, or nothing. */
static bool
is_octets(piece p)
{
    if (p.len == 0)
        return true;
    if (p.len % 3 != 2)
        return false;
    for (size_t i = 0; i < p.len; i++)
        if (i % 3 == 2 ? p.at[i] != ':' : hex_digit(p.at[i]) < 0)
            return false;
    return true;
}

static bool
read_address(piece p, bool v6, uint8_t to[16])
{
    char text[INET6_ADDRSTRLEN];

    if (p.len == 0 || p.len >= sizeof(text))
        return false;
    memcpy(text, p.at, p.len);
    text[p.len] = '\0';
    memset(to, 0, 16);
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, to) == 1;
}

/* A name is for people: what is odd in it becomes "?". */
static void
read_name(piece p, char to[LEASE_NAME_MAX])
{
    size_t n = p.len < LEASE_NAME_MAX - 1 ? p.len : LEASE_NAME_MAX - 1;

    for (size_t i = 0; i < n; i++) {
        char c = p.at[i];

        to[i] = c > ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?';
    }
    to[n] = '\0';
}

/* Lease types: 0 address, 1 temporary address, 2 delegated prefix. */
static bool
read_prefix_len(const piece *p, const lease_columns *c, lease_line *to)
{
    uint64_t type, len;

    to->prefix_len = 32;
    if (!to->v6)
        return true;
    if (!read_number(p[c->lease_type], 2, &type) || !read_number(p[c->prefix_len], 128, &len))
        return false;
    to->prefix_len = (int)len;
    return type == 2 ? len > 0 : len == 128;
}

bool
lease_read_line(const char *line, size_t len, const lease_columns *c, lease_line *to)
{
    piece p[LEASE_FIELDS_MAX];
    piece id;
    uint64_t valid, expire, subnet, state;

    if (split(line, len, p) != c->n)
        return false;
    memset(to, 0, sizeof(*to));
    to->v6 = c->duid > 0;
    id = p[to->v6 ? c->duid : c->client_id];
    if (!read_address(p[0], to->v6, to->address) || !read_prefix_len(p, c, to) || !is_octets(id) ||
        !read_number(p[c->valid_lifetime], UINT32_MAX, &valid) ||
        !read_number(p[c->expire], INT64_C(1) << 40, &expire) || valid > expire ||
        !read_number(p[c->subnet_id], UINT32_MAX, &subnet) ||
        !read_number(p[c->state], LEASE_RECLAIMED, &state))
        return false;
    if (c->hwaddr > 0 && p[c->hwaddr].len > 0) {
        if (!is_octets(p[c->hwaddr]))
            return false;
        to->has_mac = read_mac(p[c->hwaddr], to->mac); /* hardware of other lengths has none */
    }
    to->ends = (int64_t)expire;
    to->starts = (int64_t)(expire - valid);
    to->subnet_id = (uint32_t)subnet;
    to->state = (lease_state)state;
    to->client_id = id.at;
    to->client_id_len = id.len;
    if (c->hostname > 0)
        read_name(p[c->hostname], to->hostname);
    if (c->user_context > 0) {
        to->user_context = p[c->user_context].at;
        to->user_context_len = p[c->user_context].len;
    }
    return true;
}

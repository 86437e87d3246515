/*
 * lease_dhcpd.c: blocks of dhcpd's lease file, dhcpd.leases(5). Times are UTC.
 *
 * What is released or has expired becomes "free" in one step; both are told as they are known.
 */
#include "workers/serve/lease_row.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NEVER INT64_C(253370764800) /* the year 9999 */

typedef struct text {
    const char *at;
    size_t len;
} text;

size_t
lease_next_dhcpd(const char *from, size_t len, bool *is_lease)
{
    const char *line = memchr(from, '\n', len);
    const char *end, *other;

    *is_lease = false;
    if (line == NULL)
        return 0;
    if (len < 6 || memcmp(from, "lease ", 6) != 0)
        return (size_t)(line - from) + 1;
    end = memmem(from, len, "\n}\n", 3);
    other = memmem(from, end != NULL ? (size_t)(end - from) : len, "\nlease ", 7);
    if (other != NULL) /* it was cut by a crash, and the file went on */
        return (size_t)(other - from) + 1;
    if (end == NULL)
        return 0;
    *is_lease = true;
    return (size_t)(end - from) + 3;
}

/* Takes a word off when it is the beginning of t. */
static bool
take(text *t, const char *word)
{
    size_t n = strlen(word);

    if (t->len < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    t->len -= n;
    return true;
}

static bool
is(text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

/* Exactly n decimal digits (n = 0: as many as there are, up to 12). */
static bool
take_number(text *t, size_t n, int64_t *to)
{
    size_t i = 0;

    *to = 0;
    while (i < t->len && i < (n ? n : 12) && t->at[i] >= '0' && t->at[i] <= '9')
        *to = *to * 10 + (t->at[i++] - '0');
    t->at += i;
    t->len -= i;
    return n ? i == n : i > 0;
}

/* "3 2026/11/25 00:45:49", "epoch 1764031549" or "never". */
static bool
read_time(text t, int64_t *to)
{
    int64_t day, v[6];
    struct tm parts;

    if (is(t, "never")) {
        *to = NEVER;
        return true;
    }
    if (take(&t, "epoch "))
        return take_number(&t, 0, to);
    if (!take_number(&t, 1, &day) || !take(&t, " ") || !take_number(&t, 4, &v[0]) ||
        !take(&t, "/") || !take_number(&t, 2, &v[1]) || !take(&t, "/") ||
        !take_number(&t, 2, &v[2]) || !take(&t, " ") || !take_number(&t, 2, &v[3]) ||
        !take(&t, ":") || !take_number(&t, 2, &v[4]) || !take(&t, ":") ||
        !take_number(&t, 2, &v[5]) || t.len > 0)
        return false;
    if (v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 ||
        v[5] > 60)
        return false;
    parts = (struct tm){.tm_year = (int)v[0] - 1900,
                        .tm_mon = (int)v[1] - 1,
                        .tm_mday = (int)v[2],
                        .tm_hour = (int)v[3],
                        .tm_min = (int)v[4],
                        .tm_sec = (int)v[5]};
    *to = timegm(&parts);
    return true;
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "2:0:0:1:0:1" */
static bool
read_octets(text t, uint8_t *to, size_t max, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < t.len;) {
        int value = 0;
        size_t digits = 0;

        for (; i < t.len && digits < 2 && hex(t.at[i]) >= 0; i++, digits++)
            value = value * 16 + hex(t.at[i]);
        if (digits == 0 || *n == max || (i < t.len && t.at[i] != ':') ||
            i + 1 == t.len * (i < t.len))
            return false;
        to[(*n)++] = (uint8_t)value;
        i += i < t.len;
    }
    return *n > 0;
}

/* "..." with \ooo, \" and \\ */
static bool
read_string(text t, uint8_t *to, size_t max, size_t *n)
{
    *n = 0;
    if (t.len < 2 || t.at[0] != '"' || t.at[t.len - 1] != '"')
        return false;
    for (size_t i = 1; i < t.len - 1; i++) {
        int value = (uint8_t)t.at[i];

        if (value == '"')
            return false;
        if (value == '\\') {
            text octal = {t.at + i + 1, 3};

            if (i + 4 < t.len && octal.at[0] >= '0' && octal.at[0] <= '3' && octal.at[1] >= '0' &&
                octal.at[1] <= '7' && octal.at[2] >= '0' && octal.at[2] <= '7') {
                value = (octal.at[0] - '0') << 6 | (octal.at[1] - '0') << 3 | (octal.at[2] - '0');
                i += 3;
            } else if (++i < t.len - 1) {
                value = (uint8_t)t.at[i];
            } else {
                return false;
            }
        }
        if (*n == max)
            return false;
        to[(*n)++] = (uint8_t)value;
    }
    return true;
}

static bool
read_bytes(text t, uint8_t *to, size_t *n)
{
    if (read_string(t, to, LEASE_ID_MAX, n) || read_octets(t, to, LEASE_ID_MAX, n))
        return true;
    *n = 0;
    return false;
}

static bool
read_name(text t, char to[LEASE_NAME_MAX])
{
    uint8_t bytes[LEASE_NAME_MAX - 1];
    size_t n;

    if (!read_string(t, bytes, sizeof(bytes), &n))
        return false;
    for (size_t i = 0; i < n; i++)
        to[i] = bytes[i] > ' ' && bytes[i] <= '~' && bytes[i] != '"' && bytes[i] != '\\'
                    ? (char)bytes[i]
                    : '?';
    to[n] = '\0';
    return true;
}

static const char *
read_state(text t)
{
    if (is(t, "active") || is(t, "bootp"))
        return "active";
    if (is(t, "abandoned"))
        return "declined";
    if (is(t, "expired"))
        return "expired";
    return is(t, "free") || is(t, "released") || is(t, "reset") || is(t, "backup") ? "released"
                                                                                   : NULL;
}

typedef struct seen {
    bool starts, ends;
} seen;

/* One statement without its semicolon; those that say nothing here are passed over. Returns false
 * when it is one of those that do, and is not as it should be. */
static bool
read_statement(text t, lease_row *to, seen *s)
{
    size_t n;

    if (take(&t, "starts "))
        return s->starts = read_time(t, &to->starts);
    if (take(&t, "ends "))
        return s->ends = read_time(t, &to->ends);
    if (take(&t, "binding state "))
        return (to->state = read_state(t)) != NULL;
    if (take(&t, "hardware ethernet "))
        return to->has_mac = read_octets(t, to->mac, sizeof(to->mac), &n) && n == sizeof(to->mac);
    if (take(&t, "uid "))
        return read_bytes(t, to->client_id, &to->client_id_len);
    if (take(&t, "option agent.remote-id "))
        return read_bytes(t, to->remote_id, &to->remote_id_len);
    if (take(&t, "client-hostname "))
        return read_name(t, to->hostname);
    return true;
}

static bool
read_head(text t, lease_row *to)
{
    char address[INET_ADDRSTRLEN];

    if (!take(&t, "lease ") || t.len < 3 || memcmp(t.at + t.len - 2, " {", 2) != 0 ||
        t.len - 2 >= sizeof(address))
        return false;
    memcpy(address, t.at, t.len - 2);
    address[t.len - 2] = '\0';
    to->prefix_len = 32;
    return inet_pton(AF_INET, address, to->address) == 1;
}

/* The next line, without blanks before it and without its line feed. */
static text
next_line(text *rest)
{
    const char *end = memchr(rest->at, '\n', rest->len);
    text line = {rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len};
    size_t n = line.len + (end != NULL);

    rest->at += n;
    rest->len -= n;
    while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
        line.at++;
        line.len--;
    }
    return line;
}

bool
lease_read_dhcpd(const char *block, size_t len, lease_row *to)
{
    text rest = {block, len};
    seen s = {false, false};

    memset(to, 0, sizeof(*to));
    if (len == 0 || memchr(block, '\0', len) != NULL || !read_head(next_line(&rest), to))
        return false;
    while (rest.len > 0) {
        text line = next_line(&rest);
        const char *comment = line.len > 0 ? memmem(line.at, line.len, "; #", 3) : NULL;

        if (comment != NULL) /* "epoch 1764031549; # Tue Nov 25 ..." */
            line.len = (size_t)(comment - line.at) + 1;
        if (line.len == 0 || line.at[line.len - 1] != ';')
            continue; /* the closing brace, statements over several lines */
        line.len--;
        if (!read_statement(line, to, &s))
            return false;
    }
    if (to->ends < to->starts && s.ends)
        to->ends = to->starts;
    return to->state != NULL && s.starts && s.ends;
}

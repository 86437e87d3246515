/*
 * lease_kea.c: what a line of Kea's lease file says, as a row.
 *
 * Kea appends a line at each change. A lease that was given back, or that is taken out of the
 * file, has a line with valid_lifetime 0 and the time it was given as its end.
 */
#include "workers/serve/lease_row.h"

#include <string.h>

#define OPTION_REMOTE_ID4 2  /* sub-option of option 82, RFC 3046 */
#define OPTION_REMOTE_ID6 37 /* RFC 4649: four bytes of enterprise number first */
/* CableLabs' vendor option with CL_CM_MAC_ADDR in it, CL-SP-CANN-DHCP-Reg */
#define OPTION_VENDOR6 17
#define CABLELABS "\0\0\x11\x8b"
#define CM_MAC 1026

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes of hex text up to the first other character; `colons` may stand between them. Returns how
 * many; what does not fit is left out. */
static size_t
read_hex(const char *text, size_t len, bool colons, uint8_t *to, size_t max)
{
    size_t n = 0;
    size_t i = 0;

    while (n < max && i + 1 < len && digit(text[i]) >= 0 && digit(text[i + 1]) >= 0) {
        to[n++] = (uint8_t)(digit(text[i]) << 4 | digit(text[i + 1]));
        i += 2;
        if (colons && i < len && text[i] == ':')
            i++;
    }
    return n;
}

/* The hex text behind "name": "0x of a JSON object; returns how many bytes, 0: there is none. */
static size_t
find_hex(const char *json, size_t len, const char *name, uint8_t *to, size_t max)
{
    const char *at = len > 0 ? memmem(json, len, name, strlen(name)) : NULL;
    const char *end = json + len;

    if (at == NULL)
        return 0;
    at += strlen(name);
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    if (end - at < 3 || memcmp(at, "\"0x", 3) != 0)
        return 0;
    return read_hex(at + 3, (size_t)(end - at - 3), false, to, max);
}

/* The value of an option in a list of them, whose code and length have `wide` bytes each. */
static const uint8_t *
find_option(const uint8_t *at, size_t len, unsigned code, size_t wide, size_t *value_len)
{
    while (len >= 2 * wide) {
        unsigned c = wide == 1 ? at[0] : (unsigned)(at[0] << 8 | at[1]);
        size_t n = wide == 1 ? at[1] : (size_t)(at[2] << 8 | at[3]);

        at += 2 * wide;
        len -= 2 * wide;
        if (n > len)
            return NULL;
        if (c == code) {
            *value_len = n;
            return at;
        }
        at += n;
        len -= n;
    }
    return NULL;
}

/* Six bytes of a modem's address as a CMTS says it where it sends no remote-id. */
static const uint8_t *
find_cm_mac(const uint8_t *options, size_t len, size_t *n)
{
    const uint8_t *value = find_option(options, len, OPTION_VENDOR6, 2, n);

    if (value == NULL || *n < 4 || memcmp(value, CABLELABS, 4) != 0)
        return NULL;
    return find_option(value + 4, *n - 4, CM_MAC, 2, n);
}

/* What the relay said, which Kea keeps with "store-extended-info": sub-options of option 82, or
 * the options of the relay nearest to the client. */
static void
read_remote_id(const lease_line *l, lease_row *to)
{
    uint8_t options[2048];
    const uint8_t *value;
    size_t n, len;
    size_t skip = l->v6 ? 4 : 0;

    if (l->v6) {
        n = find_hex(l->user_context, l->user_context_len, "\"options\"", options, sizeof(options));
        len = n;
        value = find_option(options, len, OPTION_REMOTE_ID6, 2, &n);
        if (value == NULL) {
            skip = 0;
            value = find_cm_mac(options, len, &n);
        }
    } else {
        n = find_hex(l->user_context, l->user_context_len, "\"sub-options\"", options,
                     sizeof(options));
        if (n == 0)
            n = find_hex(l->user_context, l->user_context_len, "\"relay-agent-info\"", options,
                         sizeof(options));
        value = find_option(options, n, OPTION_REMOTE_ID4, 1, &n);
    }
    if (value == NULL || n <= skip || n - skip > LEASE_ID_MAX)
        return;
    to->remote_id_len = n - skip;
    memcpy(to->remote_id, value + skip, n - skip);
}

bool
lease_read_kea(const char *line, size_t len, const lease_columns *columns, int64_t now,
               lease_row *to)
{
    lease_line l;

    if (!lease_read_line(line, len, columns, &l))
        return false;
    *to = (lease_row){.v6 = l.v6,
                      .prefix_len = l.prefix_len,
                      .has_mac = l.has_mac,
                      .starts = l.starts,
                      .ends = l.ends};
    memcpy(to->address, l.address, sizeof(to->address));
    memcpy(to->mac, l.mac, sizeof(to->mac));
    memcpy(to->hostname, l.hostname, sizeof(to->hostname));
    if (l.client_id_len <= 3 * LEASE_ID_MAX - 1)
        to->client_id_len =
            read_hex(l.client_id, l.client_id_len, true, to->client_id, LEASE_ID_MAX);
    if (l.user_context_len > 0)
        read_remote_id(&l, to);
    to->state = l.state == LEASE_RECLAIMED  ? "expired"
                : l.state == LEASE_DECLINED ? "declined"
                                            : "active";
    if (l.starts == l.ends && l.state != LEASE_DECLINED) {
        if (l.state == LEASE_ACTIVE)
            to->state = "released";
        to->ends = now > l.starts ? now : l.starts;
    }
    return true;
}

/*
 * tftp_packet.c: see tftp_packet.h.
 */
#include "workers/serve/tftp_packet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

tftp_opcode
tftp_packet_opcode(const uint8_t *packet, size_t len)
{
    if (len < 2 || packet[0] != 0 || packet[1] < TFTP_RRQ || packet[1] > TFTP_OACK)
        return 0;
    return packet[1];
}

/* The next NUL-terminated word; NULL when there is none. */
static const char *
next_word(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *begin = *at;
    const uint8_t *nul = begin < end ? memchr(begin, 0, (size_t)(end - begin)) : NULL;

    if (nul == NULL)
        return NULL;
    *at = nul + 1;
    return (const char *)begin;
}

/* A decimal number in [min, max]; 0 when it is none. */
static uint32_t
read_number(const char *text, uint32_t min, uint32_t max)
{
    uint64_t value = 0;

    if (*text == '\0')
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return 0;
    }
    return value < min ? 0 : (uint32_t)value;
}

static void
take_option(tftp_request *to, const char *key, const char *value)
{
    if (strcasecmp(key, "blksize") == 0)
        to->blksize = read_number(value, 8, 65464);
    else if (strcasecmp(key, "timeout") == 0)
        to->timeout = read_number(value, 1, 255);
    else if (strcasecmp(key, "windowsize") == 0)
        to->windowsize = read_number(value, 1, 65535);
    else if (strcasecmp(key, "tsize") == 0)
        to->tsize = strcmp(value, "0") == 0;
}

bool
tftp_read_request(const uint8_t *packet, size_t len, tftp_request *to)
{
    const uint8_t *at = packet + 2;
    const uint8_t *end = packet + len;
    const char *name;
    const char *mode;
    size_t n;

    memset(to, 0, sizeof(*to));
    to->opcode = tftp_packet_opcode(packet, len);
    if ((to->opcode != TFTP_RRQ && to->opcode != TFTP_WRQ) || len > TFTP_REQUEST_MAX)
        return false;
    name = next_word(&at, end);
    mode = name ? next_word(&at, end) : NULL;
    if (mode == NULL || (n = strlen(name)) == 0 || n > TFTP_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        to->name[i] = name[i] > 0x1f && name[i] < 0x7f ? name[i] : '?';
    to->mode = strcasecmp(mode, "octet") == 0      ? TFTP_OCTET
               : strcasecmp(mode, "netascii") == 0 ? TFTP_NETASCII
                                                   : TFTP_OTHER_MODE;
    for (int i = 0; at < end; i++) {
        const char *key = next_word(&at, end);
        const char *value = key ? next_word(&at, end) : NULL;

        /* Some modems pad their requests with zeros: an empty key ends the options. */
        if (key != NULL && *key == '\0')
            break;
        if (value == NULL || i == TFTP_OPTIONS_MAX)
            return false;
        take_option(to, key, value);
    }
    return true;
}

int32_t
tftp_read_ack(const uint8_t *packet, size_t len)
{
    if (tftp_packet_opcode(packet, len) != TFTP_ACK || len < 4)
        return -1;
    return packet[2] << 8 | packet[3];
}

static size_t
add_option(uint8_t *to, const char *key, uint64_t value)
{
    size_t n = strlen(key) + 1;

    memcpy(to, key, n);
    return n + (size_t)snprintf((char *)to + n, 24, "%" PRIu64, value) + 1;
}

size_t
tftp_write_oack(uint8_t to[TFTP_OACK_MAX], const tftp_grant *grant)
{
    size_t n = 2;

    to[0] = 0;
    to[1] = TFTP_OACK;
    if (grant->blksize != 0)
        n += add_option(to + n, "blksize", grant->blksize);
    if (grant->timeout != 0)
        n += add_option(to + n, "timeout", grant->timeout);
    if (grant->tsize)
        n += add_option(to + n, "tsize", grant->size);
    if (grant->windowsize != 0)
        n += add_option(to + n, "windowsize", grant->windowsize);
    return n == 2 ? 0 : n;
}

size_t
tftp_write_error(uint8_t to[TFTP_ERROR_MAX], tftp_error_code code, const char *message)
{
    size_t n = strnlen(message, TFTP_ERROR_MAX - 5);

    to[0] = 0;
    to[1] = TFTP_ERROR;
    to[2] = 0;
    to[3] = (uint8_t)code;
    memcpy(to + 4, message, n);
    to[4 + n] = 0;
    return n + 5;
}

void
tftp_write_data_header(uint8_t to[4], uint16_t block)
{
    to[0] = 0;
    to[1] = TFTP_DATA;
    to[2] = (uint8_t)(block >> 8);
    to[3] = (uint8_t)block;
}

size_t
tftp_netascii(uint8_t *to, const uint8_t *from, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t first = from[i] == '\n' ? '\r' : from[i];

        if (to != NULL)
            to[n] = first;
        n++;
        if (first != '\r')
            continue;
        if (to != NULL)
            to[n] = from[i] == '\n' ? '\n' : 0;
        n++;
    }
    return n;
}

/*
 * lease_line.h: one line of Kea's lease file (memfile, CSV), IPv4 or IPv6. No input or output, no
 * allocation. What stands in the file came from the network: nothing is believed.
 */
#ifndef NMSP_LEASE_LINE_H
#define NMSP_LEASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_LINE_MAX 16384 /* bytes; longer ones are refused */
#define LEASE_FIELDS_MAX 32
#define LEASE_NAME_MAX 256

typedef enum lease_state { LEASE_ACTIVE, LEASE_DECLINED, LEASE_RECLAIMED } lease_state;

/* Column of each value, as the file's own header names them; -1: the file has no such column. */
typedef struct lease_columns {
    int address, hwaddr, client_id, duid, valid_lifetime, expire, subnet_id, lease_type, prefix_len,
        hostname, state, user_context;
    int n;
} lease_columns;

typedef struct lease_line {
    bool v6;
    uint8_t address[16]; /* the first 4 bytes of an IPv4 one */
    int prefix_len;      /* 32 or 128 of an address; of a delegated prefix its length */
    bool has_mac;
    uint8_t mac[6];
    int64_t starts, ends; /* seconds since 1970; both the same when it was released */
    uint32_t subnet_id;
    lease_state state;
    char hostname[LEASE_NAME_MAX]; /* printable ASCII without quotes and backslashes, or "" */
    const char *client_id;         /* client id or DUID as the file has it, inside the line */
    size_t client_id_len;
    const char *user_context; /* JSON with &#x2c for commas, inside the line */
    size_t user_context_len;
} lease_line;

/* Reads a header. Returns false when it lacks a column that every Kea writes, or is none. */
bool lease_read_header(const char *line, size_t len, lease_columns *to);

/* Reads a line without its line feed. Returns false, and *to is not to be used, when it is not one
 * whole line of a file with these columns: it was cut, or is no such line. */
bool lease_read_line(const char *line, size_t len, const lease_columns *columns, lease_line *to);

#endif

/*
 * lease_row.h: one lease as nmsp.record_leases() takes it, and the readers of the formats that it
 * comes from. No input or output, no allocation, no libpq.
 */
#ifndef NMSP_LEASE_ROW_H
#define NMSP_LEASE_ROW_H

#include "workers/serve/lease_line.h"

#define LEASE_ID_MAX                                                                               \
    255 /* bytes of a client id, a DUID or a remote-id; longer ones are left out                   \
         */

typedef struct lease_row {
    bool v6;
    uint8_t address[16]; /* the first 4 bytes of an IPv4 one */
    int prefix_len;
    bool has_mac;
    uint8_t mac[6];
    uint8_t client_id[LEASE_ID_MAX], remote_id[LEASE_ID_MAX];
    size_t client_id_len, remote_id_len; /* 0: none */
    char hostname[LEASE_NAME_MAX];       /* "": none */
    int64_t starts, ends;                /* seconds since 1970 */
    const char *state;                   /* a literal: active, released, expired or declined */
} lease_row;

/* lease_kea.c: a line of Kea's lease file without its line feed. now: seconds since 1970, for
 * leases that were given back, as the file does not say when. false: it is no such line. */
bool lease_read_kea(const char *line, size_t len, const lease_columns *columns, int64_t now,
                    lease_row *to);

/* lease_dhcpd.c: a block "lease ADDRESS { ... }" of dhcpd.leases, from its first letter to behind
 * its closing brace; dhcpd.leases(5). false: it is no such block. */
bool lease_read_dhcpd(const char *block, size_t len, lease_row *to);

/* Bytes of the first statement at the beginning of text: a line that is to be passed over, or the
 * whole block of a lease (*is_lease). 0: it is not whole yet. */
size_t lease_next_dhcpd(const char *text, size_t len, bool *is_lease);

#endif

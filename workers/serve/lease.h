/*
 * lease.h: follows the lease files of DHCP servers and stores what they say by
 * nmsp.record_leases(). No lease is dropped: while the database is away, files are not read on.
 */
#ifndef NMSP_LEASE_H
#define NMSP_LEASE_H

#include "workers/serve/lease_row.h"
#include "workers/serve/serve.h"

/* ---- lease_file.c: the text of a lease file and of its predecessors, in the order written */

#define LEASE_CHAIN 4             /* Kea's .2, .1 and .completed, and the file itself */
#define LEASE_BUFFER (128 * 1024) /* a line or block is shorter */

typedef enum lease_format { LEASE_KEA4, LEASE_KEA6, LEASE_DHCPD } lease_format;

typedef struct lease_file {
    lease_format format;
    char path[CONFIG_TEXT_MAX];
    int fd[LEASE_CHAIN];
    int n, now;                /* how many there are (0: not open), which one is read */
    bool replaced;             /* there is another file at the path: this one is read to its end */
    int64_t offset;            /* of the file that is read */
    size_t begin, len, passed; /* of the buffer: not looked at yet from begin; thrown away */
    int64_t next_open;
    int told; /* errno the log knows of */
    char buffer[LEASE_BUFFER];
} lease_file;

/* What lease_file_next() found. */
typedef enum lease_found { LEASE_TEXT, LEASE_NEW_FILE, LEASE_END } lease_found;

/* The next whole line (Kea; without its line feed) or block (dhcpd). LEASE_NEW_FILE: another file
 * begins. LEASE_END: nothing more now, or enough for one turn: *budget bytes were read. */
lease_found lease_file_next(lease_file *f, int64_t now, long *budget, const char **text,
                            size_t *len);

/* ---- lease_known.c: what was read last of each address in this run */

typedef struct lease_known lease_known;

lease_known *lease_known_new(void);
/* Whether this says something new; then it is remembered. *order: how many leases of this address
 * with the same start there were before: two within a second. */
bool lease_known_add(lease_known *k, const lease_row *row, unsigned *order);

/* ---- lease.c */

typedef struct lease_service lease_service;

lease_service *lease_start(loop *l, const config *c, database *d);

#endif

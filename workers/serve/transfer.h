/*
 * transfer.h: the transfers of the download service, what tftp.c (packets), transfer.c (the table)
 * and tftp_ask.c (what the database says) share. Nobody else includes it.
 */
#ifndef NMSP_TRANSFER_H
#define NMSP_TRANSFER_H

#include "workers/serve/record.h"
#include "workers/serve/tftp_packet.h"

#define HASH_SIZE 8192
#define SOCKETS_MAX 512
#define RESTART_MS 1000 /* a transfer that stood still for so long may be begun anew */
#define BATCH_MAX 64    /* requests in one question to the database */
#define BATCHES_MAX 16

typedef enum state { FREE, ASKING, OFFERED, SENDING } state;

typedef struct transfer transfer;
struct transfer {
    state state;
    uint32_t generation;
    datagram route; /* data is not used */
    int socket;     /* of the pool */
    tftp_request request;
    tftp_grant grant;
    uint8_t *content; /* or: */
    shared_file *file;
    size_t len;
    uint32_t blksize, window;
    uint64_t blocks; /* in the file */
    uint64_t acked, sent;
    int64_t due, back_off; /* SENDING: when to resend; OFFERED: when to give up */
    int64_t progress;      /* when it was offered, or the client last acknowledged something new */
    long tries;
    int64_t begin_us;
    record row;
    transfer *next;          /* in its hash chain, or free */
    transfer *newer, *older; /* all in use */
};

/* A transfer that may be gone by the time its answer comes. */
typedef struct ticket {
    uint32_t index, generation;
} ticket;

/* Requests that were put to the database together: what they have in common is read once. */
typedef struct batch {
    bool used;
    int n;
    ticket tickets[BATCH_MAX];
} batch;

/* What is worth a word in the log now and then. */
typedef struct counters {
    uint64_t requests, served, junk, limited, duplicates, crowded, lost;
} counters;

struct download_service {
    loop *l;
    config c;
    database *d;
    recorder *r;
    limiter *limits;
    ticker t;
    watch listeners[CONFIG_LISTEN_MAX];
    watch pool[SOCKETS_MAX];
    int pool_family[SOCKETS_MAX];
    int npool, next_socket;
    transfer *hash[HASH_SIZE];
    transfer *transfers, *free, *newest;
    ticket *asked; /* ring of those that are yet to be put to the database */
    unsigned first_asked, nasked;
    ticket *offered; /* ring of those that were answered, oldest first; some have gone on since */
    unsigned first_offered, noffered;
    unsigned hand; /* where in the table the last search for a stalled transfer ended */
    batch batches[BATCHES_MAX];
    counters count, told;
    int64_t next_report;
    uint8_t buffer[2048];
};

/* The transfer of a client endpoint, NULL: it has none. */
transfer *transfer_find(download_service *s, const socket_address *peer);
/* A new transfer of where the packet came from, if need be in the place of the one whose client has
 * been silent longest; NULL: the table is full of transfers that go on. */
transfer *transfer_make_room(download_service *s, const datagram *d);
/* Takes it out of the table, without a record. */
void transfer_free(download_service *s, transfer *t);
/* Records how it ended (result: a literal) and takes it out of the table. */
void transfer_finish(download_service *s, transfer *t, const char *result);
/* Nothing came back for too long: records that. */
void transfer_give_up(download_service *s, transfer *t);
/* It was offered just now: queued to be the first to go when there is no room. */
void transfer_note_offer(download_service *s, transfer *t);
/* The transfer a ticket was given for, NULL: it waits for no answer any more. */
transfer *transfer_of_ticket(download_service *s, ticket k);

/* The first answer: OACK, or the first block when nothing was asked for. */
void tftp_send_offer(download_service *s, transfer *t);
/* One ERROR packet, from socket fd. */
void tftp_send_error(download_service *s, int fd, const datagram *to, tftp_error_code code,
                     const char *text);

/* Puts the requests that wait to the database. One batch per connection is under way; meanwhile the
 * next one grows. */
void tftp_ask(ticker *ticker_);

#endif

/*
 * serve.h: nmsp-agent, the process that answers the network. One event loop in one thread; what
 * comes from the network is parsed here and never in the database server.
 *
 * Rules: nothing blocks (but name resolution when a connection string holds a name); every table
 * has a fixed size; what is asked of the database comes back by a callback or is told to be lost.
 */
#ifndef NMSP_SERVE_H
#define NMSP_SERVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- log (agent.c) */

typedef enum agent_level { AGENT_ERROR, AGENT_WARNING, AGENT_INFO, AGENT_DEBUG } agent_level;

/* Writes one line to stderr or syslog. */
void agent_log(agent_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- config.c */

#define CONFIG_LISTEN_MAX 16
#define CONFIG_TEXT_MAX 1024

typedef union socket_address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
} socket_address;

typedef struct listen_list {
    socket_address address[CONFIG_LISTEN_MAX];
    int n;
} listen_list;

typedef struct config {
    char name[64]; /* of this agent, as nmsp.download.agent shows it; default: the host's */
    char user[64]; /* whom to become when started by root; "" = stay */
    bool syslog;
    bool debug;
    char database[CONFIG_TEXT_MAX]; /* libpq connection string */
    long connections;
    long question_ms; /* a question that is not answered for so long means a dead connection */
    listen_list download_listen;
    long download_sockets;                          /* pool of sockets per address family */
    long download_ports_first, download_ports_last; /* 0: any */
    long download_transfers;
    long download_rate, download_burst;         /* requests per second and source; 0: no limit */
    long download_blksize, download_windowsize; /* largest that is granted */
    long download_timeout_ms, download_tries;
    char download_folder[CONFIG_TEXT_MAX]; /* of firmware images; "" = none */
    listen_list time_listen;
    listen_list lookup_listen;
    char lookup_base[128]; /* base DN */
    char feed_roots[CONFIG_TEXT_MAX], command_file[CONFIG_TEXT_MAX], feed_agent[64];
    long feed_poll_ms;
    char lease_kea4[CONFIG_TEXT_MAX], lease_kea6[CONFIG_TEXT_MAX],
        lease_dhcpd[CONFIG_TEXT_MAX]; /* lease files to follow; "" = none */
    char action_folder[CONFIG_TEXT_MAX]; /* for secrets, while a program needs them */
    long action_parallel, action_poll_ms, action_timeout_ms;
} config;

/* Reads a configuration file over defaults: `name = value` lines, # comments. Returns 0, or -1 with
 * a message that names file and line. */
int config_read(config *to, const char *file, char *error, size_t error_size);

/* Whether lease files are to be followed. */
bool config_leases(const config *c);

/* "10.0.0.1:69", "[::]:69", "*:69" (IPv4 and IPv6), separated by commas -> addresses. Returns 0, or
 * -1 when it is no such list. */
int config_parse_listen(const char *text, listen_list *to);

/* ---- loop.c */

typedef struct loop loop;

typedef struct watch watch;
struct watch {
    int fd; /* -1: not watched; events that are still under way are dropped */
    void (*ready)(watch *w, uint32_t events);
    void *owner;
    uint32_t events;
};

typedef struct ticker ticker;
struct ticker {
    void (*tick)(ticker *t, int64_t now); /* at least every LOOP_TICK_MS */
    void (*flush)(ticker *t);             /* before the loop sleeps; may be NULL */
    void *owner;
    ticker *next;
};

#define LOOP_TICK_MS 50

loop *loop_new(void);
/* Watches w->fd for these events (EPOLLIN ...), or changes them. Returns 0 or -1 with errno. */
int loop_watch(loop *l, watch *w, uint32_t events);
/* Forgets w and closes its descriptor. */
void loop_close(loop *l, watch *w);
void loop_add_ticker(loop *l, ticker *t);
void loop_run(loop *l);
void loop_stop(loop *l);
/* Monotonic milliseconds as of the last wake-up. */
int64_t loop_now(const loop *l);
/* Monotonic microseconds, exact. */
int64_t clock_us(void);

/* ---- socket.c */

/* A datagram and where it came to: answers go from there. */
typedef struct datagram {
    socket_address peer;
    socket_address local; /* address only, the port is 0 */
    unsigned interface;   /* index, for link-local addresses */
    uint8_t *data;
    size_t len;
} datagram;

/* A bound UDP socket that tells which address a datagram came to; -1 with errno. */
int socket_udp(const socket_address *address);
/* A listening TCP socket; -1 with errno. */
int socket_tcp(const socket_address *address);
/* The next datagram; data must have room for size bytes, longer ones are cut. false: none now. */
bool socket_receive(int fd, datagram *d, size_t size);
/* Sends from d's local address to its peer; quiet when that fails: the network loses packets. */
void socket_send(int fd, const datagram *to, const struct iovec *parts, int n);
socklen_t socket_length(const socket_address *address);
bool socket_same(const socket_address *a, const socket_address *b, bool with_port);
uint32_t socket_hash(const socket_address *a, bool with_port);
/* Address as inet text, IPv4-mapped as IPv4; port 0 is left out. */
void socket_text(const socket_address *a, char *to, size_t size);
#define SOCKET_TEXT_MAX 80

/* ---- limiter.c */

typedef struct limiter limiter;

/* Token buckets per source (IPv4 address, IPv6 /64), in a table of fixed size. */
limiter *limiter_new(void);
/* May this source have one more now? rate 0: always. */
bool limiter_take(limiter *l, const socket_address *source, int64_t now, long rate, long burst);

/* ---- database.c */

typedef enum question {
    ASK_DOWNLOAD, /* paths, sources -> n, verdict, content, note, modem_id, netgw_id, two hashes */
    ASK_RECORD,
    ASK_KEEP,
    ASK_PRESENCE,
    ASK_HOST,  /* mac -> name, statements, options */
    ASK_CLASS, /* remote-id, class -> one row when the modem's CPEs are members */
    ASK_LEASES, /* asked, and prepared, only where lease files are followed: config_leases() */
    ASK_COUNT
} question;

typedef struct database database;

typedef struct answer {
    int rows;          /* -1: lost, there is no database or it said no */
    const char *error; /* of the server, NULL when there is none; valid in the callback only */
    const char *sqlstate; /* of the error; NULL when it has none */
    const void *result;
} answer;

typedef void (*answer_function)(void *owner, uint64_t tag, const answer *a);

database *database_new(loop *l, const config *c);
/* The configuration was read again. */
void database_reconfigure(database *d, const config *c);
/* Asks; values are text, NULL = SQL null. Returns false when it cannot be asked now (then the
 * callback is never called). */
bool database_ask(database *d, question q, int n, const char *const values[], answer_function f,
                  void *owner, uint64_t tag);
/* Column of a row; NULL = SQL null. Bytes of bytea and of text. */
const char *answer_value(const answer *a, int row, int column, size_t *len);
bool database_up(const database *d);
/* Waits up to ms until what was asked is answered: for the end. */
void database_drain(database *d, long ms);

/* ---- folder.c */

typedef struct shared_file shared_file;

/* Opens a file below root (links and ".." that lead out of it do not count), which must have this
 * size and SHA-256 (read whole the first time, and once it has changed). NULL with the reason. */
shared_file *folder_open(const char *root, const char *name, int64_t size, const uint8_t sha256[32],
                         char *why, size_t why_size);
/* Reads len bytes from offset `at`; returns 0, or -1 when they are not there. */
int folder_read(const shared_file *f, uint8_t *to, size_t len, uint64_t at);
/* Gives it back; NULL is allowed. */
void folder_close(shared_file *f);

/* ---- services */

typedef struct download_service download_service;
download_service *download_start(loop *l, const config *c, database *d);
void download_reconfigure(download_service *s, const config *c);
/* At the end: what is still to be recorded is sent. */
void download_stop(download_service *s);

/* Reports that this agent lives; c is read at each report. */
typedef struct presence presence;
presence *presence_start(loop *l, const config *c, database *d);

struct time_service *time_start(loop *l, const config *c);

struct lookup_service *lookup_start(loop *l, const config *c, database *d);

#endif

/*
 * The download service as a whole, with the network and the database played by the input: packets
 * of three clients in any order, answers that come late, wrong or never, time that passes.
 *
 * Promises: a client that never acknowledged anything was never sent more packets than it sent; at
 * the end of time nothing is left under way and every transfer's memory is given back.
 */
#include "fuzz.h"

#include "workers/serve/tftp.c"

#define PEERS 3
#define QUESTIONS 64

static int64_t time_ms;
static uint64_t received_from[PEERS], sent_to[PEERS];
static bool acknowledged[PEERS];
static struct {
    answer_function f;
    void *owner;
    uint64_t tag;
    int n;
} questions[QUESTIONS];
static int nquestions;
static int verdict;
static size_t content_len;
static char content[70000];

struct loop {
    int unused;
};
struct recorder {
    uint64_t rows;
};
static struct loop the_loop;
static struct recorder the_recorder;

int64_t
clock_us(void)
{
    return time_ms * 1000;
}
int64_t
loop_now(const loop *l)
{
    (void)l;
    return time_ms;
}
int
loop_watch(loop *l, watch *w, uint32_t events)
{
    (void)l;
    w->events = events;
    return 0;
}
void
loop_add_ticker(loop *l, ticker *t)
{
    (void)l;
    (void)t;
}
void
agent_log(agent_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}
recorder *
recorder_new(loop *l, database *d, const char *agent)
{
    (void)l;
    (void)d;
    (void)agent;
    return &the_recorder;
}
void
recorder_finish(recorder *r)
{
    (void)r;
}

void
record_add(recorder *r, const record *row)
{
    MUST(row->result != NULL && strlen(row->path) < sizeof(row->path));
    r->rows++;
}

int
socket_udp(const socket_address *address)
{
    (void)address;
    return 3;
}

static int
peer_number(const socket_address *a)
{
    return ntohs(a->in4.sin_port) - 1000;
}

void
socket_send(int fd, const datagram *to, const struct iovec *parts, int n)
{
    size_t len = 0;

    (void)fd;
    for (int i = 0; i < n; i++)
        for (size_t b = 0; b < parts[i].iov_len; b++)
            len += 1 + 0 * ((volatile uint8_t *)parts[i].iov_base)[b]; /* every byte is readable */
    MUST(len >= 4 && len <= 4 + 1448);
    sent_to[peer_number(&to->peer)]++;
}

bool
database_ask(database *d, question q, int n, const char *const values[], answer_function f,
             void *owner, uint64_t tag)
{
    (void)d;
    MUST(q == ASK_DOWNLOAD && n == 2 && values[0][0] == '{' && values[1][0] == '{');
    if (nquestions == QUESTIONS)
        return false;
    questions[nquestions].f = f;
    questions[nquestions].owner = owner;
    questions[nquestions].tag = tag;
    nquestions++;
    return true;
}

const char *
answer_value(const answer *a, int row, int column, size_t *len)
{
    static const char *const verdicts[] = {"served", "refused", "unknown", "failed", "served"};
    static char number[16];
    const char *value = NULL;
    size_t n = 0;

    (void)a;
    if (column == 0) {
        snprintf(number, sizeof(number), "%d", verdict == 4 ? row * 7 - 3 : row + 1);
        value = number;
        n = strlen(number);
    } else if (column == 1) {
        value = verdicts[verdict];
        n = strlen(value);
    } else if (column == 2 && (verdict == 0 || verdict == 4)) {
        value = content;
        n = content_len;
    } else if (column >= 6) {
        value = content;
        n = verdict == 4 ? 31 : 32;
    }
    if (len != NULL)
        *len = n;
    return value;
}

bool
socket_receive(int fd, datagram *d, size_t size)
{
    (void)fd;
    (void)d;
    (void)size;
    return false;
}

static void
from_peer(datagram *d, int peer)
{
    memset(d, 0, sizeof(*d));
    d->peer.in4.sin_family = AF_INET;
    d->peer.in4.sin_port = htons((uint16_t)(1000 + peer));
    d->local.in4.sin_family = AF_INET;
}

static void
packet(download_service *s, int to, int peer, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    datagram d;
    transfer *t;

    memcpy(exact, data, size);
    from_peer(&d, peer);
    d.data = exact;
    d.len = size;
    received_from[peer]++;
    t = transfer_find(s, &d.peer);
    if (to == 0) {
        on_request(s, 3, &d);
    } else {
        uint64_t before = t ? t->acked : 0;
        state was = t ? t->state : FREE;

        on_pool_packet(s, to - 1, &d);
        t = transfer_find(s, &d.peer);
        if (t == NULL ? was >= OFFERED : t->acked != before || t->state != was)
            acknowledged[peer] = true;
    }
    free(exact);
}

static void
answer_one(int how, size_t len)
{
    answer a = {.rows = how == 5 ? -1 : 3, .error = how == 6 ? "no" : NULL};

    if (nquestions == 0)
        return;
    verdict = how % 5;
    content_len = len < sizeof(content) ? len : sizeof(content);
    if (how == 6)
        a.rows = -1;
    nquestions--;
    questions[nquestions].f(questions[nquestions].owner, questions[nquestions].tag, &a);
}

static void
pass_time(download_service *s, int64_t ms)
{
    time_ms += ms;
    on_tick(&s->t, time_ms);
}

static void
check(const download_service *s)
{
    (void)s;
    for (int i = 0; i < PEERS; i++)
        MUST(acknowledged[i] || sent_to[i] <= received_from[i]);
}

static void
run(download_service *s, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 3 <= size;) {
        int op = data[at] % 4;
        int a = data[at + 1];
        int b = data[at + 2];
        size_t left;

        at += 3;
        left = size - at < (size_t)b ? size - at : (size_t)b;
        if (op == 0) {
            packet(s, a % 3, a / 3 % PEERS, data + at, left);
            at += left;
        } else if (op == 1) {
            answer_one(a % 7, (size_t)b * (a > 127 ? 300 : 5));
        } else if (op == 2) {
            pass_time(s, a * b / 8);
        }
        tftp_ask(&s->t);
        check(s);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config c = {.download_sockets = 2,
                /* for fewer than the peers somebody has to make room */
                .download_transfers = size > 0 && data[0] >= 128 ? 2 : 16,
                .download_blksize = 1448,
                .download_windowsize = 16,
                .download_timeout_ms = 1000,
                .download_tries = 3,
                .connections = 2};
    download_service *s;
    uint64_t in_use = 0;

    time_ms = 1000;
    nquestions = 0;
    memset(received_from, 0, sizeof(received_from));
    memset(sent_to, 0, sizeof(sent_to));
    memset(acknowledged, 0, sizeof(acknowledged));
    c.download_listen.n = 1;
    c.download_listen.address[0].any.sa_family = AF_INET;
    s = download_start(&the_loop, &c, NULL);
    MUST(s != NULL);
    run(s, data, size);
    while (nquestions > 0)
        answer_one(5, 0);
    tftp_ask(&s->t);
    while (nquestions > 0)
        answer_one(5, 0);
    for (int i = 0; i < 64; i++)
        pass_time(s, 300000);
    for (transfer *t = s->newest; t != NULL; t = t->older)
        in_use++;
    MUST(in_use == 0);
    download_stop(s);
    free(s->transfers);
    free(s->asked);
    free(s->offered);
    free(s->limits);
    free(s);
    return 0;
}

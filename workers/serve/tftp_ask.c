/*
 * tftp_ask.c: requests for files are put to the database together, and its answers become transfers
 * that are offered: a file made at this moment, an image of the download folder, or an error.
 */
#include "workers/serve/transfer.h"

#include "workers/feed/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFER_MAX_MS                                                                               \
    30000 /* whoever has not acknowledged anything asks anew, it need not be kept */

static void
refuse(download_service *s, transfer *t, const char *result, tftp_error_code code, const char *text)
{
    tftp_send_error(s, s->pool[t->socket].fd, &t->route, code, text);
    transfer_finish(s, t, result);
}

/* ---------------------------------------------------------------- answers of the database */

static void
copy_text(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    for (size_t i = 0; i < n; i++) /* cut texts must not end amid a character */
        to[i] = from[i] > 0x1f && from[i] < 0x7f ? from[i] : '?';
    to[n] = '\0';
}

static void
copy_column(char *to, size_t size, const answer *a, int row, int column)
{
    size_t len = 0;
    const char *value = answer_value(a, row, column, &len);

    copy_text(to, size, value ? value : "", len);
}

static bool
take_content(transfer *t, const char *content, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)content;
    bool netascii = t->request.mode == TFTP_NETASCII;

    t->len = netascii ? tftp_netascii(NULL, bytes, len) : len;
    t->content = malloc(t->len + 1);
    if (t->content == NULL)
        return false;
    if (netascii)
        tftp_netascii(t->content, bytes, len);
    else
        memcpy(t->content, bytes, len);
    return true;
}

/* An image: content is "<size> <name>" of a file in the download folder. */
static bool
take_file(download_service *s, transfer *t, const char *content, size_t len)
{
    char text[128];
    char *name = NULL;
    long long size;

    snprintf(text, sizeof(text), "%.*s", (int)len, content);
    size = strtoll(text, &name, 10);
    if (t->request.mode == TFTP_NETASCII) {
        refuse(s, t, "refused", TFTP_ILLEGAL, "an image is octets");
        return false;
    }
    t->file = *name == ' ' ? folder_open(s->c.download_folder, name + 1, size, t->row.sha256,
                                         t->row.note, sizeof(t->row.note))
                           : NULL;
    if (t->file == NULL) {
        agent_log(AGENT_WARNING, "download of \"%s\": %s", t->request.name, t->row.note);
        refuse(s, t, "failed", TFTP_UNDEFINED, "the file cannot be read");
        return false;
    }
    t->len = (size_t)size;
    return true;
}

/* What of the options the client asked for it gets. */
static void
grant_options(download_service *s, transfer *t)
{
    const tftp_request *r = &t->request;
    uint32_t blksize_max = (uint32_t)s->c.download_blksize;
    uint32_t window_max = (uint32_t)s->c.download_windowsize;

    t->blksize = 512;
    t->window = 1;
    t->back_off = s->c.download_timeout_ms;
    if (r->blksize != 0)
        t->blksize = t->grant.blksize = r->blksize < blksize_max ? r->blksize : blksize_max;
    if (r->windowsize != 0)
        t->window = t->grant.windowsize = r->windowsize < window_max ? r->windowsize : window_max;
    if (r->timeout != 0) {
        t->grant.timeout = r->timeout;
        t->back_off = r->timeout * 1000;
    }
    t->grant.tsize = r->tsize;
    t->grant.size = t->len;
    t->blocks = t->len / t->blksize + 1;
}

static void
take_hash(uint8_t to[32], const answer *a, int row, int column, bool *hashed)
{
    size_t len = 0;
    const char *value = answer_value(a, row, column, &len);

    *hashed = *hashed && value != NULL && len == 32;
    if (*hashed)
        memcpy(to, value, 32);
}

/* Row of an answer -> the first packet to the client. */
static void
take_row(download_service *s, transfer *t, const answer *a, int row)
{
    const char *verdict = answer_value(a, row, 1, NULL);
    const char *content;
    size_t len = 0;

    copy_column(t->row.note, sizeof(t->row.note), a, row, 3);
    copy_column(t->row.modem_id, sizeof(t->row.modem_id), a, row, 4);
    copy_column(t->row.netgw_id, sizeof(t->row.netgw_id), a, row, 5);
    content = answer_value(a, row, 2, &len);
    if (verdict[0] == 'u') {
        refuse(s, t, "unknown", TFTP_NOT_FOUND, "no such file");
        return;
    } else if (verdict[0] == 'r') {
        refuse(s, t, "refused", TFTP_ACCESS, "not for you");
        return;
    } else if (content == NULL) {
        refuse(s, t, "failed", TFTP_UNDEFINED, "the file cannot be made");
        return;
    }
    t->row.hashed = true;
    take_hash(t->row.config_sha256, a, row, 6, &t->row.hashed);
    take_hash(t->row.sha256, a, row, 7, &t->row.hashed);
    if (strcmp(verdict, "file") == 0) {
        if (!take_file(s, t, content, len))
            return;
    } else if (!take_content(t, content, len)) {
        transfer_free(s, t);
        return;
    }
    grant_options(s, t);
    t->state = OFFERED;
    t->due = t->back_off * (s->c.download_tries + 1);
    t->due = loop_now(s->l) + (t->due < OFFER_MAX_MS ? t->due : OFFER_MAX_MS);
    transfer_note_offer(s, t);
    tftp_send_offer(s, t);
}

static void
on_batch(void *owner, uint64_t tag, const answer *a)
{
    download_service *s = owner;
    batch *b = &s->batches[tag];

    if (a->error != NULL)
        agent_log(AGENT_ERROR, "download: %s", a->error);
    for (int row = 0; row < a->rows; row++) {
        const char *number = answer_value(a, row, 0, NULL);
        int i = number ? atoi(number) - 1 : -1;
        transfer *t = i >= 0 && i < b->n ? transfer_of_ticket(s, b->tickets[i]) : NULL;

        if (t != NULL && answer_value(a, row, 1, NULL) != NULL)
            take_row(s, t, a, row);
    }
    for (int i = 0; i < b->n; i++) { /* no answer: silence, the client asks again */
        transfer *t = transfer_of_ticket(s, b->tickets[i]);

        if (t != NULL) {
            s->count.lost++;
            transfer_free(s, t);
        }
    }
    b->used = false;
}

static void
host_text(const socket_address *peer, char *to, size_t size)
{
    socket_address host = *peer;

    if (host.any.sa_family == AF_INET)
        host.in4.sin_port = 0;
    else
        host.in6.sin6_port = 0;
    socket_text(&host, to, size);
}

/* Puts what waits to the database, as far as it goes into one question. */
static void
ask_batch(download_service *s, batch *b)
{
    feed_buffer paths = {0};
    feed_buffer sources = {0};

    b->n = 0;
    feed_add(&paths, "{", 1);
    feed_add(&sources, "{", 1);
    while (s->nasked > 0 && b->n < BATCH_MAX) {
        ticket k = s->asked[s->first_asked];
        transfer *t = transfer_of_ticket(s, k);
        char source[SOCKET_TEXT_MAX];

        s->first_asked = (s->first_asked + 1) % (unsigned)s->c.download_transfers;
        s->nasked--;
        if (t == NULL)
            continue;
        host_text(&t->route.peer, source, sizeof(source));
        feed_add_element(&paths, t->request.name, strlen(t->request.name));
        feed_add_element(&sources, source, strlen(source));
        b->tickets[b->n++] = k;
    }
    feed_add(&paths, "}", 1);
    feed_add(&sources, "}", 1);
    b->used = b->n > 0;
    if (b->used) {
        const char *values[2] = {paths.data, sources.data};

        if (paths.failed || sources.failed ||
            !database_ask(s->d, ASK_DOWNLOAD, 2, values, on_batch, s, (uint64_t)(b - s->batches)))
            on_batch(s, (uint64_t)(b - s->batches), &(answer){.rows = -1});
    }
    free(paths.data);
    free(sources.data);
}

void
tftp_ask(ticker *ticker_)
{
    download_service *s = ticker_->owner;

    for (int i = 0; i < s->c.connections && i < BATCHES_MAX && s->nasked > 0; i++)
        if (!s->batches[i].used)
            ask_batch(s, &s->batches[i]);
}

/*
 * reconcile.c: disk compared with the manifest, one page at a time, so that changes are served in
 * between. What differs is only reported here (nmsp_feed.dirty); the ordinary way mends it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 250 /* artifacts; single changes wait so long */

/* SHA-256 of an open file; false when it cannot be read. */
static bool
hash_file(int fd, unsigned char digest[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    char chunk[16384];
    ssize_t n = -1;
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    while (good && ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            good = EVP_DigestUpdate(context, chunk, (size_t)n) == 1;
    good = good && n == 0 && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool
is_in_place(int dir, const feed_value *path, const feed_value *sha256)
{
    unsigned char digest[32];
    int fd = dir >= 0 ? feed_open_file(dir, path->data) : -1;
    bool good = fd >= 0 && sha256->data != NULL && sha256->len == 32 && hash_file(fd, digest) &&
                memcmp(digest, sha256->data, 32) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

static feed_status
report(feed_store *store, const char *target, feed_buffer *parts, feed_buffer *ids, char *error,
       size_t error_size)
{
    feed_value params[3] = {
        {target, strlen(target)}, {parts->data, parts->len}, {ids->data, ids->len}};
    feed_rows rows;
    feed_status status;

    if (parts->failed || ids->failed) {
        feed_message(error, error_size, "out of memory");
        return FEED_RETRY;
    }
    status = store->query(store, "SELECT nmsp_feed.dirty($1::bigint, $2::text[], $3::bigint[])",
                          params, 3, false, &rows);
    if (status == FEED_OK)
        store->free_rows(store, &rows);
    else
        feed_message(error, error_size, "%s", rows.error);
    return status;
}

void
feed_check_forget(feed_check *check)
{
    free(check->after_part);
    free(check->seen.data);
    memset(check, 0, sizeof(*check));
}

feed_status
feed_check_done(feed_store *store, const char *target, feed_check *check, char *error,
                size_t error_size)
{
    /* A comparison that nobody asked for is one at the start. */
    const char *request = check->request[0] != '\0' ? check->request : NULL;
    feed_value params[2] = {{target, strlen(target)}, {request, request ? strlen(request) : 0}};
    feed_rows rows;
    feed_status status = store->query(
        store, "SELECT nmsp_feed.checked($1::bigint, $2::timestamptz)", params, 2, false, &rows);

    if (status == FEED_OK)
        store->free_rows(store, &rows);
    else
        feed_message(error, error_size, "%s", rows.error);
    if (status == FEED_OK)
        feed_check_forget(check);
    return status;
}

/* Moves the cursor behind the page's last row; false when out of memory. */
static bool
move_on(feed_check *check, const feed_rows *rows)
{
    char *part = strdup(feed_get(rows, rows->nrows - 1, 0)->data);

    if (part == NULL)
        return false;
    free(check->after_part);
    check->after_part = part;
    check->after_id = strtoll(feed_get(rows, rows->nrows - 1, 1)->data, NULL, 10);
    return true;
}

/* Looks at each row of a page; collects what is not as it should be. */
static feed_status
compare_page(feed_store *store, const feed_rows *rows, int dir, feed_buffer *parts,
             feed_buffer *ids, size_t *wrong)
{
    for (size_t i = 0; i < rows->nrows; i++) {
        const feed_value *path = feed_get(rows, i, 2);
        bool refused = feed_get(rows, i, 5)->data[0] == 't';

        if (store->nap(store, 0) == FEED_FATAL)
            return FEED_FATAL;
        if (!refused && (path->data == NULL || is_in_place(dir, path, feed_get(rows, i, 3))))
            continue;
        feed_add_element(parts, feed_get(rows, i, 0)->data, feed_get(rows, i, 0)->len);
        feed_add_element(ids, feed_get(rows, i, 1)->data, feed_get(rows, i, 1)->len);
        (*wrong)++;
    }
    return FEED_OK;
}

feed_status
feed_check_page(feed_store *store, int64_t target, bool is_set, int root, feed_check *check,
                char *error, size_t error_size)
{
    char id[32];
    char after[32];
    char page[16];
    feed_value params[4] = {{id, 0}, {check->after_part}, {after}, {page}};
    feed_rows rows;
    feed_buffer parts = {0};
    feed_buffer ids = {0};
    size_t wrong = 0;
    size_t seen;
    feed_status status;
    int dir = root;

    params[0].len = (size_t)snprintf(id, sizeof(id), "%lld", (long long)target);
    params[1].len = check->after_part ? strlen(check->after_part) : 0;
    params[2].len = (size_t)snprintf(after, sizeof(after), "%lld", (long long)check->after_id);
    params[3].len = (size_t)snprintf(page, sizeof(page), "%d", PAGE);
    status = store->query(store,
                          "SELECT part, id, path, sha256, size, failed "
                          "FROM nmsp_feed.manifest($1::bigint, $2::text, $3::bigint, $4::integer)",
                          params, 4, false, &rows);
    if (status != FEED_OK) {
        feed_message(error, error_size, "%s", rows.error);
        return status;
    }
    /* the present generation; the link is ours and leads to a neighbour */
    if (is_set)
        dir = openat(root, "current", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    feed_add(&parts, "{", 1);
    feed_add(&ids, "{", 1);
    seen = rows.nrows;
    status = compare_page(store, &rows, dir, &parts, &ids, &wrong);
    if (is_set && dir >= 0)
        close(dir);
    feed_add(&parts, "}", 1);
    feed_add(&ids, "}", 1);
    if (status == FEED_OK && wrong > 0)
        status = report(store, id, &parts, &ids, error, error_size);
    if (status == FEED_OK && seen > 0 && !move_on(check, &rows)) {
        feed_message(error, error_size, "out of memory");
        status = FEED_RETRY;
    }
    store->free_rows(store, &rows);
    free(parts.data);
    free(ids.data);
    if (status == FEED_OK && seen < PAGE)
        status = feed_check_done(store, id, check, error, error_size);
    return status;
}

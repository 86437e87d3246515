/*
 * folder.c: files of the download service's folder (firmware images). A file is open once however
 * many transfers send it, and blocks are read where they are needed: 500 transfers of 20 MB cost the
 * memory of 500 small ones.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct shared_file {
    int fd;
    unsigned users;
    struct stat is; /* of the moment it was opened */
    shared_file *next;
};

#define HASHED_MAX 32
#define CHUNK 65536

/* The content of a file as it was read once: it is what was registered, or it is not. */
typedef struct hashed {
    struct stat is;
    uint8_t sha256[32];
} hashed;

static shared_file *open_files;
static hashed hashed_files[HASHED_MAX]; /* the last ones, in a ring */
static unsigned next_hashed;

/* Opens name below root. What leads out of root, by ".." or by a link, is not there. */
static int
open_beneath(const char *root, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    int problem = errno;

    if (folder >= 0) {
        fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
        problem = errno;
        close(folder);
    }
    errno = problem;
    return fd;
}

/* The same file, not written to since. */
static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static shared_file *
find_open(const struct stat *is)
{
    for (shared_file *f = open_files; f != NULL; f = f->next)
        if (is_same(&f->is, is))
            return f;
    return NULL;
}

/* SHA-256 of a file; false when it cannot be read. */
static bool
hash_file(int fd, uint8_t sha256[32])
{
    static uint8_t chunk[CHUNK];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    off_t at = 0;
    ssize_t n;

    while (ok && (n = pread(fd, chunk, sizeof(chunk), at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        ok = n > 0 && EVP_DigestUpdate(context, chunk, (size_t)n) == 1;
        at += n;
    }
    ok = ok && EVP_DigestFinal_ex(context, sha256, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* Whether the file is what was registered; read once for as long as it stays as it is. */
static bool
is_registered(int fd, const struct stat *is, const uint8_t sha256[32])
{
    hashed *h = NULL;

    for (int i = 0; i < HASHED_MAX; i++)
        if (is_same(&hashed_files[i].is, is))
            h = &hashed_files[i];
    if (h == NULL) {
        h = &hashed_files[next_hashed++ % HASHED_MAX];
        memset(h, 0, sizeof(*h));
        if (!hash_file(fd, h->sha256))
            return false;
        h->is = *is;
    }
    return memcmp(h->sha256, sha256, 32) == 0;
}

static shared_file *
share(int fd, const struct stat *is)
{
    shared_file *f = find_open(is);

    if (f != NULL) {
        close(fd);
    } else {
        f = calloc(1, sizeof(*f));
        if (f == NULL) {
            close(fd);
            return NULL;
        }
        f->fd = fd;
        f->is = *is;
        f->next = open_files;
        open_files = f;
        posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    }
    f->users++;
    return f;
}

shared_file *
folder_open(const char *root, const char *name, int64_t size, const uint8_t sha256[32], char *why,
            size_t why_size)
{
    struct stat is;
    int fd;

    if (root[0] == '\0') {
        snprintf(why, why_size, "the agent has no download_folder");
        return NULL;
    }
    fd = open_beneath(root, name);
    if (fd < 0 || fstat(fd, &is) != 0) {
        snprintf(why, why_size, "cannot read %s in download_folder: %s", name, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (!S_ISREG(is.st_mode) || is.st_size != size) {
        snprintf(why, why_size, "%s in download_folder has %lld bytes, the image has %lld", name,
                 (long long)is.st_size, (long long)size);
        close(fd);
        return NULL;
    }
    if (!is_registered(fd, &is, sha256)) {
        snprintf(why, why_size, "%s in download_folder is not what was registered (SHA-256)", name);
        close(fd);
        return NULL;
    }
    return share(fd, &is);
}

int
folder_read(const shared_file *f, uint8_t *to, size_t len, uint64_t at)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(f->fd, to + done, len - done, (off_t)(at + done));

        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

void
folder_close(shared_file *f)
{
    shared_file **at = &open_files;

    if (f == NULL || --f->users > 0)
        return;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    close(f->fd);
    free(f);
}

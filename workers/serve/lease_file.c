/*
 * lease_file.c: a lease file that others write, rename and write anew.
 *
 * Kea appends to FILE. When it tidies up (kea-lfc) it renames FILE to FILE.1 and begins a new one;
 * kea-lfc makes FILE.2 of FILE.2 and FILE.1 by way of FILE.output and FILE.completed. dhcpd writes
 * a new file aside and renames it to FILE. Either has finished with the old file by then. So a file
 * is followed by its descriptor; once there is another one at its path it is read to its end. Then
 * comes the new one if it is surely the next (ours is FILE.1 now), else all there are from their
 * beginning: what is known costs the database nothing (lease_known.c).
 */
#include "workers/serve/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 1000

static const char *const kea_chain[LEASE_CHAIN] = {".2", ".1", ".completed", ""};
static const char *const dhcpd_chain[LEASE_CHAIN] = {NULL, NULL, NULL, ""};

static void
path_of(const lease_file *f, int i, char *to, size_t size)
{
    const char *end = (f->format == LEASE_DHCPD ? dhcpd_chain : kea_chain)[i];

    to[0] = '\0';
    if (end != NULL)
        snprintf(to, size, "%s%s", f->path, end);
}

static bool
is_at(const char *path, int fd)
{
    struct stat here, there;

    if (stat(path, &there) != 0)
        return fd < 0;
    return fd >= 0 && fstat(fd, &here) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

static void
close_all(lease_file *f)
{
    for (int i = 0; i < f->n; i++)
        close(f->fd[i]);
    f->n = 0;
}

static void
tell(lease_file *f, int error)
{
    if (error == f->told)
        return;
    if (error != 0)
        agent_log(AGENT_WARNING, "cannot read lease file %s: %s", f->path, strerror(error));
    else
        agent_log(AGENT_INFO, "lease file %s is followed", f->path);
    f->told = error;
}

static void
begin_file(lease_file *f, int i)
{
    f->now = i;
    f->offset = 0;
    f->begin = f->len = f->passed = 0;
    f->replaced = false;
}

/* Opens all files there are; a renaming meanwhile is seen, and then it is done again. */
static bool
open_all(lease_file *f)
{
    int fd[LEASE_CHAIN];
    char path[CONFIG_TEXT_MAX + 16];
    bool steady = true;
    int error = 0;

    for (int i = 0; i < LEASE_CHAIN; i++) {
        path_of(f, i, path, sizeof(path));
        fd[i] = path[0] ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
        if (fd[i] < 0 && path[0] && (errno != ENOENT || i == LEASE_CHAIN - 1))
            error = errno;
    }
    for (int i = 0; i < LEASE_CHAIN && error == 0; i++) {
        path_of(f, i, path, sizeof(path));
        steady = steady && (path[0] == '\0' || is_at(path, fd[i]));
    }
    f->n = 0;
    for (int i = 0; i < LEASE_CHAIN; i++)
        if (fd[i] >= 0)
            f->fd[f->n++] = fd[i];
    if (error != 0 || !steady) {
        close_all(f);
        if (error != 0)
            tell(f, error);
        return false;
    }
    tell(f, 0);
    begin_file(f, 0);
    return true;
}

/* Cuts the first whole line or block off the buffer. */
static bool
cut(lease_file *f, const char **text, size_t *len)
{
    while (f->begin < f->len) {
        const char *at = f->buffer + f->begin;
        size_t left = f->len - f->begin;
        const char *end = memchr(at, '\n', left);
        bool wanted = true;
        size_t n = end != NULL ? (size_t)(end - at) + 1 : 0;

        if (f->format == LEASE_DHCPD && f->passed == 0)
            n = lease_next_dhcpd(at, left, &wanted);
        if (n == 0)
            return false;
        f->begin += n;
        wanted = wanted && f->passed == 0;
        f->passed = 0;
        if (!wanted)
            continue;
        *text = at;
        *len = n - 1;
        return true;
    }
    return false;
}

/* Reads on; returns how many bytes, 0 at the end. */
static ssize_t
fill(lease_file *f)
{
    ssize_t n;

    memmove(f->buffer, f->buffer + f->begin, f->len - f->begin);
    f->len -= f->begin;
    f->begin = 0;
    if (f->len == sizeof(f->buffer)) { /* no lease is as long as that */
        f->passed += f->len;
        f->len = 0;
    }
    n = pread(f->fd[f->now], f->buffer + f->len, sizeof(f->buffer) - f->len, f->offset);
    if (n < 0 && errno != EINTR)
        tell(f, errno);
    if (n <= 0)
        return 0;
    f->offset += n;
    f->len += (size_t)n;
    return n;
}

/* Goes on with the file that Kea began when it renamed ours to FILE.1. Returns false when ours is
 * not there any more: then there may have been others. */
static bool
open_next(lease_file *f)
{
    char renamed[CONFIG_TEXT_MAX + 16];
    int ours = f->fd[f->now];
    int fd;

    if (f->format == LEASE_DHCPD)
        return false;
    path_of(f, 1, renamed, sizeof(renamed));
    fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    /* Asked after opening: Kea renames the next one only once FILE.1 is gone. */
    if (!is_at(renamed, ours) || is_at(f->path, ours)) {
        close(fd);
        return false;
    }
    close_all(f);
    f->fd[f->n++] = fd;
    begin_file(f, 0);
    return true;
}

/* At the end of a file: whether there is more to read, of it or of another one. */
static bool
go_on(lease_file *f)
{
    struct stat s;

    if (f->now < f->n - 1) {
        begin_file(f, f->now + 1);
        return true;
    }
    if (f->replaced && open_next(f))
        return true;
    if (f->replaced || (fstat(f->fd[f->now], &s) == 0 && s.st_size < f->offset)) {
        close_all(f);
        return true;
    }
    /* Nobody writes to it any more once another one is there: to its end, then. */
    f->replaced = access(f->path, F_OK) == 0 && !is_at(f->path, f->fd[f->now]);
    return f->replaced;
}

lease_found
lease_file_next(lease_file *f, int64_t now, long *budget, const char **text, size_t *len)
{
    for (;;) {
        ssize_t n;

        if (f->n == 0) {
            if (now < f->next_open)
                return LEASE_END;
            if (!open_all(f)) {
                f->next_open = now + LOOK_MS;
                return LEASE_END;
            }
            return LEASE_NEW_FILE;
        }
        if (cut(f, text, len))
            return LEASE_TEXT;
        if (*budget <= 0)
            return LEASE_END;
        n = fill(f);
        *budget -= n;
        if (n > 0)
            continue;
        if (!go_on(f))
            return LEASE_END;
        if (f->n > 0 && f->offset == 0)
            return LEASE_NEW_FILE;
    }
}

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

static shared_file *open_files;

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

static shared_file *
find_open(const struct stat *is)
{
    for (shared_file *f = open_files; f != NULL; f = f->next)
        if (f->is.st_dev == is->st_dev && f->is.st_ino == is->st_ino &&
            f->is.st_mtim.tv_sec == is->st_mtim.tv_sec &&
            f->is.st_mtim.tv_nsec == is->st_mtim.tv_nsec && f->is.st_size == is->st_size)
            return f;
    return NULL;
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
folder_open(const char *root, const char *name, int64_t size, char *why, size_t why_size)
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

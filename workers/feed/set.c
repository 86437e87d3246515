/*
 * set.c: generations. All artifacts of a target in mode set live in one folder <root>/g-<n>, which
 * is never changed once it is in service: a new one is made (unchanged files are hard links),
 * validated as <root>/next and put into service by switching the symlink <root>/current. The stamp
 * <root>/ready names the generation and is what restarts the daemon. <root>/announced names it once
 * the daemon's reload has succeeded too: whatever ends the process before that, all of it is done
 * again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Number of a generation's name; -1 when it is none. */
static long
generation_number(const char *name)
{
    char *end;
    long n;

    if (strncmp(name, "g-", 2) != 0 || !isdigit((unsigned char)name[2]))
        return -1;
    n = strtol(name + 2, &end, 10);
    return *end == '\0' ? n : -1;
}

static void
read_present(feed_set *set)
{
    ssize_t n = readlinkat(set->root, "current", set->present, sizeof(set->present) - 1);

    set->present[n > 0 ? n : 0] = '\0';
    set->current = -1;
    if (generation_number(set->present) >= 0)
        set->current =
            openat(set->root, set->present, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (set->current < 0)
        set->present[0] = '\0';
}

/* Removes generations not in service; returns the highest number seen, -1 with errno. */
static long
clean_generations(feed_set *set)
{
    int fd = openat(set->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    long highest = 0;

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL) {
        long n = generation_number(entry->d_name);

        if (n > highest)
            highest = n;
        if (n >= 0 && strcmp(entry->d_name, set->present) != 0)
            feed_remove_tree(set->root, entry->d_name);
    }
    closedir(dir);
    return highest;
}

/* Hard-links all files of folder from (consumed) into folder to. */
static int
link_tree(int from, int to)
{
    DIR *dir = fdopendir(from);
    struct dirent *entry;
    int result = 0;

    if (dir == NULL) {
        close(from);
        return -1;
    }
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        struct stat st;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            result = -1;
        } else if (S_ISREG(st.st_mode)) {
            result = linkat(dirfd(dir), name, to, name, 0);
        } else if (S_ISDIR(st.st_mode)) {
            int sub = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            int made = -1;

            if (sub >= 0 && mkdirat(to, name, 0755) == 0)
                made = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (made >= 0 && fchmod(made, 0755) == 0)
                result = link_tree(sub, made);
            else
                result = -1;
            if (made >= 0)
                close(made);
            else if (sub >= 0)
                close(sub);
        }
    }
    closedir(dir);
    return result;
}

static void
unlink_path(int dir, const char *path)
{
    const char *name;
    int parent = feed_open_parent(dir, path, false, &name);

    if (parent >= 0) {
        unlinkat(parent, name, 0);
        close(parent);
    }
}

static int
create_path(int dir, const feed_file *file)
{
    const char *name;
    int parent = feed_open_parent(dir, file->path, true, &name);
    int result;
    int saved;

    if (parent < 0)
        return -1;
    result = feed_create(parent, name, file->content, file->len);
    saved = errno;
    close(parent);
    errno = saved;
    return result;
}

static bool
exists(int dir, const char *path)
{
    int fd = dir >= 0 ? feed_open_file(dir, path) : -1;

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Puts the changes into the new generation: first all that goes, then all that comes. */
static feed_status
apply_files(feed_store *store, feed_set *set, feed_file *files, size_t n, char *error,
            size_t error_size)
{
    for (size_t i = 0; i < n; i++) {
        feed_file *file = &files[i];

        if (file->failed)
            continue;
        file->same = file->content != NULL && file->old_path == NULL && set->current >= 0 &&
                     feed_same_content(set->current, file->path, file->content, file->len);
        if (file->same)
            continue;
        if (file->content != NULL || exists(set->dir, file->path))
            set->changed = true;
        if (file->old_path != NULL)
            unlink_path(set->dir, file->old_path);
        unlink_path(set->dir, file->path);
    }
    for (size_t i = 0; i < n; i++) {
        feed_file *file = &files[i];

        if (store->nap(store, 0) == FEED_FATAL)
            return FEED_FATAL;
        if (file->failed || file->same || file->content == NULL)
            continue;
        if (create_path(set->dir, file) != 0) {
            feed_message(error, error_size, "could not write \"%s\": %s", file->path,
                         strerror(errno));
            return FEED_RETRY;
        }
    }
    return FEED_OK;
}

/* True when the daemon was told of the present generation. The stamp cannot tell: whoever it wakes
 * may take it away. */
static bool
is_announced(const feed_set *set)
{
    char line[40];

    snprintf(line, sizeof(line), "%s\n", set->present);
    return feed_same_content(set->root, "announced", line, strlen(line));
}

feed_status
feed_set_build(feed_store *store, int root, feed_file *files, size_t n, feed_set *set, char *error,
               size_t error_size)
{
    long highest;
    feed_status status;
    int from;

    memset(set, 0, sizeof(*set));
    set->root = root;
    set->dir = -1;
    read_present(set);
    highest = clean_generations(set);
    snprintf(set->name, sizeof(set->name), "g-%ld", highest + 1);
    if (highest < 0 || mkdirat(root, set->name, 0755) != 0 ||
        (set->dir = openat(root, set->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
        fchmod(set->dir, 0755) != 0) {
        feed_message(error, error_size, "could not make folder \"%s\": %s", set->name,
                     strerror(errno));
        return FEED_RETRY;
    }
    if (set->current >= 0) {
        from = openat(set->current, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0 || link_tree(from, set->dir) != 0) {
            feed_message(error, error_size, "could not copy \"%s\" to \"%s\": %s", set->present,
                         set->name, strerror(errno));
            return FEED_RETRY;
        }
    }
    set->cut_short = set->present[0] != '\0' && !is_announced(set);
    set->changed = set->present[0] == '\0' || set->cut_short;
    status = apply_files(store, set, files, n, error, error_size);
    return status;
}

feed_status
feed_set_revert(feed_set *set, feed_file *file, char *error, size_t error_size)
{
    const feed_file empty = {.path = file->path, .content = ""};
    const char *old = file->old_path ? file->old_path : file->path;
    const char *name;
    int from = -1;
    int to = -1;
    feed_status status = FEED_OK;

    unlink_path(set->dir, file->path);
    file->stand_in = !exists(set->current, old);
    if (file->stand_in) {
        if (create_path(set->dir, &empty) == 0)
            return FEED_OK;
        feed_message(error, error_size, "could not write \"%s\": %s", file->path, strerror(errno));
        return FEED_RETRY;
    }
    from = feed_open_parent(set->current, old, false, &name);
    to = feed_open_parent(set->dir, old, true, &name);
    if (from < 0 || to < 0 || (linkat(from, name, to, name, 0) != 0 && errno != EEXIST)) {
        feed_message(error, error_size, "could not put the old \"%s\" back: %s", old,
                     strerror(errno));
        status = FEED_RETRY;
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return status;
}

feed_status
feed_set_stage(feed_set *set, char *error, size_t error_size)
{
    if (syncfs(set->dir) == 0 && feed_replace_link(set->root, "next", set->name) == 0)
        return FEED_OK;
    feed_message(error, error_size, "could not stage \"%s\": %s", set->name, strerror(errno));
    return FEED_RETRY;
}

feed_status
feed_set_switch(feed_set *set, char *error, size_t error_size)
{
    char line[40];

    snprintf(line, sizeof(line), "%s\n", set->name);
    if (syncfs(set->dir) == 0 && feed_replace_link(set->root, "current", set->name) == 0 &&
        feed_replace(set->root, "ready", line, strlen(line)) == 0)
        return FEED_OK;
    feed_message(error, error_size, "could not put \"%s\" into service: %s", set->name,
                 strerror(errno));
    return FEED_RETRY;
}

feed_status
feed_set_announced(feed_set *set, char *error, size_t error_size)
{
    char line[40];

    snprintf(line, sizeof(line), "%s\n", set->name);
    if (feed_replace(set->root, "announced", line, strlen(line)) == 0)
        return FEED_OK;
    feed_message(error, error_size, "could not note that \"%s\" is announced: %s", set->name,
                 strerror(errno));
    return FEED_RETRY;
}

void
feed_set_close(feed_set *set, bool keep)
{
    if (set->dir >= 0)
        close(set->dir);
    if (set->current >= 0)
        close(set->current);
    if (!keep && set->dir >= 0)
        feed_remove_tree(set->root, set->name);
    set->dir = set->current = -1;
}

/* True when the text before a match ends a path that leads into a generation. */
static bool
is_generation_prefix(const char *text, const char *at)
{
    const char *end = at - 1; /* the slash */
    const char *begin = end;
    size_t n;

    while (begin > text && begin[-1] != '/' && !isspace((unsigned char)begin[-1]))
        begin--;
    n = (size_t)(end - begin);
    if ((n == 4 && strncmp(begin, "next", 4) == 0) || (n == 7 && strncmp(begin, "current", 7) == 0))
        return true;
    return n > 2 && begin[0] == 'g' && begin[1] == '-' && strspn(begin + 2, "0123456789") == n - 2;
}

static bool
is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '/';
}

const char *
feed_find_path(const char *text, const char *path)
{
    size_t len = strlen(path);
    const char *at = text;

    while ((at = strstr(at, path)) != NULL) {
        char after = at[len];
        bool starts = at == text || (at[-1] == '/' && is_generation_prefix(text, at)) ||
                      (!is_name_char(at[-1]) && at[-1] != '.') ||
                      (at[-1] == '/' && at - 1 > text && at[-2] == '.'); /* ./path */
        bool ends = !is_name_char(after) && !(after == '.' && is_name_char(at[len + 1]));

        if (starts && ends)
            return at;
        at++;
    }
    return NULL;
}

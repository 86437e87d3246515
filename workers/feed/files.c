/*
 * files.c: safe writing below a folder that is held open.
 *
 * Owns: that no symlink is followed below an allowed folder, that a final name never shows a half
 * file, that what was confirmed survives a power cut. Temps live in <root>/.nmsp-tmp (0700, same
 * file system), so that no daemon serves one and an interrupted batch is cleaned by emptying one
 * folder.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_FOLDER ".nmsp-tmp"
#define PATH_MAX_BYTES 1024
#define FEW_FILES 3 /* up to here fsync of each file is cheaper than syncfs of the file system */

const char *
feed_path_problem(const char *path, size_t len)
{
    const char *component = path;

    if (len == 0)
        return "it is empty";
    if (memchr(path, '\0', len) != NULL)
        return "it contains a NUL byte";
    if (len > PATH_MAX_BYTES)
        return "it is longer than 1024 bytes";
    if (path[0] == '/')
        return "it is absolute; it must be relative to the target's root";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] < 32 || path[i] == 127)
            return "it contains a control character";
    for (;;) {
        size_t n = strcspn(component, "/");

        if (n == 0)
            return "it has an empty component";
        if (n == 1 && component[0] == '.')
            return "it has a component \".\"";
        if (n == 2 && component[0] == '.' && component[1] == '.')
            return "it has a component \"..\", which could lead out of the target's root";
        if (n > 255)
            return "a component is longer than 255 bytes";
        if (strncmp(component, ".nmsp-", 6) == 0)
            return "names that begin with \".nmsp-\" are reserved";
        if (component[n] == '\0')
            return NULL;
        component += n + 1;
    }
}

/* Opens folder name in dir, making it when wanted; never follows a symlink. */
static int
open_folder(int dir, const char *name, bool make)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(dir, name, 0755) != 0 && errno != EEXIST)
        return -1;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* The daemon runs as another user; the server's umask is 077. */
    if (fd >= 0 && (fchmod(fd, 0755) != 0 || fsync(dir) != 0)) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Walks the components of path below dir (which stays open); returns a new descriptor. */
static int
walk(int dir, const char *path, size_t len, bool make)
{
    int fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
    size_t at = 0;

    while (fd >= 0 && at < len) {
        char name[256];
        size_t n = 0;
        int next;
        int saved;

        while (at + n < len && path[at + n] != '/')
            n++;
        if (n >= sizeof(name)) {
            close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path + at, n);
        name[n] = '\0';
        at += n + 1;
        if (n == 0)
            continue;
        next = open_folder(fd, name, make);
        saved = errno;
        close(fd);
        errno = saved;
        fd = next;
    }
    return fd;
}

int
feed_open_parent(int dir, const char *path, bool make, const char **name)
{
    const char *slash = strrchr(path, '/');

    *name = slash ? slash + 1 : path;
    return walk(dir, path, slash ? (size_t)(slash - path) : 0, make);
}

int
feed_open_file(int dir, const char *path)
{
    const char *name;
    int parent = feed_open_parent(dir, path, false, &name);
    struct stat st;
    int fd;
    int saved;

    if (parent < 0)
        return -1;
    /* O_NONBLOCK: a FIFO under that name must not stop us */
    fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    saved = errno;
    close(parent);
    errno = saved;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    return fd;
}

/* The allowed folder that holds root: length of its name in root, 0 when there is none. */
static size_t
allowed_base(const char *root, const char *roots, char *base, size_t base_size)
{
    size_t best = 0;

    while (*roots != '\0') {
        size_t n = strcspn(roots, ",");
        const char *from = roots;
        size_t len = n;

        while (len > 0 && (from[0] == ' ' || from[0] == '\t')) {
            from++;
            len--;
        }
        while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '/' || from[len - 1] == '\t'))
            len--;
        if (len > 0 && len < base_size && from[0] == '/' && strncmp(root, from, len) == 0 &&
            (root[len] == '/' || root[len] == '\0') && len > best) {
            memcpy(base, from, len);
            base[len] = '\0';
            best = len;
        }
        roots += n;
        if (*roots == ',')
            roots++;
    }
    return best;
}

int
feed_open_root(const char *root, const char *roots, char *error, size_t error_size)
{
    char base[PATH_MAX_BYTES];
    size_t len = allowed_base(root, roots, base, sizeof(base));
    const char *rest = root + len;
    const char *problem;
    int top;
    int fd;

    if (len == 0) {
        feed_message(error, error_size,
                     "root \"%s\" is not inside a folder of the setting nmsp.feed_roots (\"%s\")",
                     root, roots);
        return -1;
    }
    while (*rest == '/')
        rest++;
    problem = *rest ? feed_path_problem(rest, strlen(rest)) : NULL;
    if (problem != NULL) {
        feed_message(error, error_size, "root \"%s\" is not acceptable: %s", root, problem);
        return -1;
    }
    /* The administrator named the base; what lies below may be another's, so no symlink there. */
    top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        feed_message(error, error_size, "could not open folder \"%s\": %s", base, strerror(errno));
        return -1;
    }
    fd = walk(top, rest, strlen(rest), true);
    if (fd < 0)
        feed_message(error, error_size,
                     "could not open root \"%s\" (symlinks are not followed): %s", root,
                     strerror(errno));
    close(top);
    return fd;
}

static int
write_all(int fd, const char *content, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, content, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Makes and fills a file; sync: fsync before close. Leaves nothing behind on failure. */
static int
create_file(int dir, const char *name, const char *content, size_t len, bool sync)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int saved;

    if (fd < 0)
        return -1;
    if (fchmod(fd, 0644) == 0 && write_all(fd, content, len) == 0 && (!sync || fsync(fd) == 0)) {
        if (close(fd) == 0)
            return 0;
        fd = -1;
    }
    saved = errno;
    if (fd >= 0)
        close(fd);
    unlinkat(dir, name, 0);
    errno = saved;
    return -1;
}

int
feed_create(int dir, const char *name, const char *content, size_t len)
{
    return create_file(dir, name, content, len, false);
}

int
feed_replace(int dir, const char *name, const char *content, size_t len)
{
    char temp[64];

    snprintf(temp, sizeof(temp), ".nmsp-%.40s", name);
    unlinkat(dir, temp, 0);
    if (create_file(dir, temp, content, len, true) != 0)
        return -1;
    if (renameat(dir, temp, dir, name) != 0)
        return -1;
    return fsync(dir);
}

int
feed_replace_link(int dir, const char *name, const char *to)
{
    char temp[64];

    snprintf(temp, sizeof(temp), ".nmsp-%.40s", name);
    unlinkat(dir, temp, 0);
    if (symlinkat(to, dir, temp) != 0 || renameat(dir, temp, dir, name) != 0)
        return -1;
    return fsync(dir);
}

bool
feed_same_content(int dir, const char *path, const char *content, size_t len)
{
    int fd = feed_open_file(dir, path);
    struct stat st;
    char chunk[16384];
    size_t at = 0;
    bool same = false;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && (size_t)st.st_size == len) {
        while (at < len) {
            ssize_t n = read(fd, chunk, sizeof(chunk));

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0 || (size_t)n > len - at || memcmp(chunk, content + at, (size_t)n) != 0)
                break;
            at += (size_t)n;
        }
        same = at == len;
    }
    close(fd);
    return same;
}

/* Empties an open folder; consumes fd. */
static int
empty_folder(int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int result = 0;

    if (dir == NULL) {
        close(fd);
        return -1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0 &&
            (errno != EISDIR || feed_remove_tree(dirfd(dir), entry->d_name) != 0) &&
            errno != ENOENT)
            result = -1;
    }
    closedir(dir);
    return result;
}

int
feed_remove_tree(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || empty_folder(fd) != 0)
        return -1;
    return unlinkat(dir, name, AT_REMOVEDIR);
}

void
feed_clean_temps(int root)
{
    int fd = openat(root, TEMP_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        empty_folder(fd);
}

/* True when errno is about one name, so that other files can still be written. */
static bool
concerns_one_file(int code)
{
    return code == ELOOP || code == ENOTDIR || code == EISDIR || code == ENAMETOOLONG ||
           code == EEXIST || code == ENOTEMPTY || code == EXDEV || code == EILSEQ || code == EINVAL;
}

/* Records why a file failed; RETRY when the whole folder is concerned. */
static feed_status
file_failed(feed_file *file, const char *doing, int code, char *error, size_t error_size)
{
    if (!concerns_one_file(code)) {
        feed_message(error, error_size, "could not %s \"%s\": %s", doing, file->path,
                     strerror(code));
        return FEED_RETRY;
    }
    file->failed = true;
    if (asprintf(&file->error, "could not %s \"%s\": %s", doing, file->path, strerror(code)) < 0)
        file->error = NULL;
    return FEED_OK;
}

static feed_status
remove_file(int root, feed_file *file, bool sync, char *error, size_t error_size)
{
    const char *name;
    int parent = feed_open_parent(root, file->path, false, &name);
    int code = 0;

    if (parent < 0)
        return errno == ENOENT ? FEED_OK : file_failed(file, "remove", errno, error, error_size);
    if (unlinkat(parent, name, 0) != 0 && errno != ENOENT)
        code = errno;
    else if (sync && fsync(parent) != 0)
        code = errno;
    close(parent);
    return code ? file_failed(file, "remove", code, error, error_size) : FEED_OK;
}

/* The folder of the file placed last: files of a batch that follow each other often share it. */
typedef struct folder_cache {
    char path[PATH_MAX_BYTES + 1];
    int fd; /* -1: none */
} folder_cache;

static void
close_cached(folder_cache *cache)
{
    if (cache->fd >= 0)
        close(cache->fd);
    cache->fd = -1;
}

/* As feed_open_parent(root, path, true, name), but the descriptor stays the cache's. */
static int
cached_parent(folder_cache *cache, int root, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    *name = slash ? slash + 1 : path;
    if (cache->fd >= 0 && strncmp(cache->path, path, len) == 0 && cache->path[len] == '\0')
        return cache->fd;
    close_cached(cache);
    if (len > PATH_MAX_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(cache->path, path, len);
    cache->path[len] = '\0';
    cache->fd = feed_open_parent(root, path, true, name);
    return cache->fd;
}

static feed_status
place_file(int root, int temps, folder_cache *cache, feed_file *file, bool sync, char *error,
           size_t error_size)
{
    const char *name;
    int parent = cached_parent(cache, root, file->path, &name);
    int code = 0;

    if (parent < 0)
        code = errno;
    else if (renameat(temps, file->temp, parent, name) != 0 || (sync && fsync(parent) != 0))
        code = errno;
    if (code == 0)
        return FEED_OK;
    unlinkat(temps, file->temp, 0);
    return file_failed(file, "write", code, error, error_size);
}

/* Names of temps; two calls may go on beside each other, one of them in the writer's thread. */
static void
name_temp(const feed_store *store, size_t i, feed_file *file)
{
    snprintf(file->temp, sizeof(file->temp), "%c%zu", store ? 'm' : 'w', i);
}

static bool
told_to_stop(feed_store *store)
{
    return store != NULL && store->nap(store, 0) == FEED_FATAL;
}

/* First half of a batch: temps for all that differs. */
static feed_status
write_temps(feed_store *store, int root, int temps, feed_file *files, size_t n, bool sync,
            size_t *written, char *error, size_t error_size)
{
    for (size_t i = 0; i < n; i++) {
        feed_file *file = &files[i];

        if (told_to_stop(store))
            return FEED_FATAL;
        if (file->failed || file->content == NULL)
            continue;
        if (file->doubt && feed_same_content(root, file->path, file->content, file->len)) {
            file->same = true;
            continue;
        }
        name_temp(store, i, file);
        if (create_file(temps, file->temp, file->content, file->len, sync) != 0) {
            feed_message(error, error_size, "could not write a file for \"%s\": %s", file->path,
                         strerror(errno));
            return FEED_RETRY;
        }
        (*written)++;
    }
    return FEED_OK;
}

/* A file that was there already may be what an interrupted batch had renamed but not yet synced. */
static feed_status
sync_file(int root, feed_file *file, char *error, size_t error_size)
{
    const char *name;
    int parent = feed_open_parent(root, file->path, false, &name);
    int fd = feed_open_file(root, file->path);
    bool good = parent >= 0 && fd >= 0 && fsync(fd) == 0 && fsync(parent) == 0;

    if (!good)
        feed_message(error, error_size, "could not sync \"%s\": %s", file->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (parent >= 0)
        close(parent);
    return good ? FEED_OK : FEED_RETRY;
}

static feed_status
place_one(int root, int temps, folder_cache *cache, feed_file *file, bool sync, char *error,
          size_t error_size)
{
    if (file->same)
        return sync ? sync_file(root, file, error, error_size) : FEED_OK;
    if (file->content == NULL)
        return remove_file(root, file, sync, error, error_size);
    return place_file(root, temps, cache, file, sync, error, error_size);
}

/* Second half: renames and removals. */
static feed_status
place_files(feed_store *store, int root, int temps, feed_file *files, size_t n, bool sync,
            char *error, size_t error_size)
{
    folder_cache cache = {.fd = -1};
    feed_status status = FEED_OK;

    for (size_t i = 0; i < n && status == FEED_OK; i++) {
        if (told_to_stop(store))
            status = FEED_FATAL;
        else if (!files[i].failed)
            status = place_one(root, temps, &cache, &files[i], sync, error, error_size);
    }
    close_cached(&cache);
    return status;
}

/* Takes away what a failed call has left; what another one writes meanwhile stays. */
static void
remove_temps(const feed_store *store, int temps, size_t n)
{
    feed_file file;

    for (size_t i = 0; i < n; i++) {
        name_temp(store, i, &file);
        unlinkat(temps, file.temp, 0);
    }
}

static int
open_temps(int root)
{
    if (mkdirat(root, TEMP_FOLDER, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(root, TEMP_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

feed_status
feed_write_files(feed_store *store, int root, feed_file *files, size_t n, char *error,
                 size_t error_size)
{
    bool few = n <= FEW_FILES;
    size_t written = 0;
    feed_status status;
    int temps = open_temps(root);

    if (temps < 0) {
        feed_message(error, error_size, "could not make folder \"" TEMP_FOLDER "\": %s",
                     strerror(errno));
        return FEED_RETRY;
    }
    status = write_temps(store, root, temps, files, n, few, &written, error, error_size);
    if (status == FEED_OK && !few && written > 0 && syncfs(root) != 0) {
        feed_message(error, error_size, "could not sync: %s", strerror(errno));
        status = FEED_RETRY;
    }
    if (status == FEED_OK)
        status = place_files(store, root, temps, files, n, few, error, error_size);
    if (status == FEED_OK && !few && syncfs(root) != 0) {
        feed_message(error, error_size, "could not sync: %s", strerror(errno));
        status = FEED_RETRY;
    }
    if (status == FEED_RETRY)
        remove_temps(store, temps, n);
    close(temps);
    return status;
}

/*
 * write_files.c: what writing many files durably costs without anything else: a bare loop with the
 * policy of the feed engine (temporary files, syncfs, rename all, syncfs; batch by batch).
 *
 *   write_files ROOT [-n FILES] [-b BATCH] [-s BYTES] [-r ROUNDS] [-c FOLDER]
 *
 * Round 1 makes new files, later rounds replace them. -c FOLDER: writes what lies below FOLDER (as
 * the feed engine left it, same names, same bytes; read before the clock starts) instead of FILES
 * files of BYTES bytes; of each file the last byte is changed per round, so that all are replaced.
 * Prints one line per round: round=1 files=1000 bytes=1000000 seconds=0.25 rate=4000
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct file {
    char *path; /* relative */
    char *content;
    size_t len;
} file;

static file *files = NULL;
static size_t nfiles = 0;
static size_t room = 0;

static void
die(const char *what)
{
    fprintf(stderr, "write_files: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
add_file(const char *path, char *content, size_t len)
{
    if (nfiles == room) {
        room = room ? room * 2 : 1024;
        files = realloc(files, room * sizeof(file));
        if (files == NULL)
            die("memory");
    }
    files[nfiles++] = (file){strdup(path), content, len};
}

static void
read_tree(int dir, const char *below)
{
    DIR *d = fdopendir(dir);
    struct dirent *entry;

    if (d == NULL)
        die(below);
    while ((entry = readdir(d)) != NULL) {
        char path[4096];
        struct stat st;
        char *content;
        int fd;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s%s%s", below, *below ? "/" : "", entry->d_name);
        fd = openat(dir, entry->d_name, O_RDONLY | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) != 0)
            die(path);
        if (S_ISDIR(st.st_mode)) {
            read_tree(fd, path);
            continue;
        }
        content = malloc((size_t)st.st_size + 1);
        if (content == NULL || read(fd, content, (size_t)st.st_size) != st.st_size)
            die(path);
        add_file(path, content, (size_t)st.st_size);
        close(fd);
    }
    closedir(d);
}

static void
make_files(size_t n, size_t len)
{
    for (size_t i = 1; i <= n; i++) {
        char path[64];
        char *content = malloc(len);

        if (content == NULL)
            die("memory");
        memset(content, 'x', len);
        if (i < 1000)
            snprintf(path, sizeof(path), "cm/cm-%zu.cfg", i);
        else
            snprintf(path, sizeof(path), "cm/%zu/cm-%zu.cfg", i / 1000, i);
        add_file(path, content, len);
    }
}

/* Files of one folder follow each other, as the engine walks them: by the number in the name. */
static long
number(const char *path)
{
    const char *name = strrchr(path, '/');

    name = name ? name + 1 : path;
    name += strcspn(name, "0123456789");
    return strtol(name, NULL, 10);
}

static int
by_number(const void *a, const void *b)
{
    const file *x = a;
    const file *y = b;
    long m = number(x->path);
    long n = number(y->path);

    return m < n ? -1 : m > n ? 1 : strcmp(x->path, y->path);
}

/* The folder of a file; the last one stays open. */
static int
folder_of(int root, const char *path, const char **name)
{
    static char last[4096];
    static int fd = -1;
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    *name = slash ? slash + 1 : path;
    if (len == 0)
        return root;
    if (fd >= 0 && strncmp(last, path, len) == 0 && last[len] == '\0')
        return fd;
    if (fd >= 0)
        close(fd);
    memcpy(last, path, len);
    last[len] = '\0';
    for (size_t i = 1; i < len; i++)
        if (last[i] == '/') {
            last[i] = '\0';
            mkdirat(root, last, 0755);
            last[i] = '/';
        }
    mkdirat(root, last, 0755);
    fd = openat(root, last, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        die(last);
    return fd;
}

static void
write_batch(int root, int temps, file *batch, size_t n)
{
    char name[32];

    for (size_t i = 0; i < n; i++) {
        int fd;

        snprintf(name, sizeof(name), "%zu", i);
        fd = openat(temps, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
        if (fd < 0 || write(fd, batch[i].content, batch[i].len) != (ssize_t)batch[i].len ||
            close(fd) != 0)
            die("temporary file");
    }
    if (syncfs(root) != 0)
        die("syncfs");
    for (size_t i = 0; i < n; i++) {
        const char *to;
        int folder = folder_of(root, batch[i].path, &to);

        snprintf(name, sizeof(name), "%zu", i);
        if (renameat(temps, name, folder, to) != 0)
            die(batch[i].path);
    }
    if (syncfs(root) != 0)
        die("syncfs");
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_round(int root, int temps, int round, size_t batch)
{
    size_t bytes = 0;
    double begin;
    double took;

    for (size_t i = 0; i < nfiles; i++) {
        bytes += files[i].len;
        if (files[i].len > 0)
            files[i].content[files[i].len - 1] = (char)(files[i].content[files[i].len - 1] + round);
    }
    begin = now();
    for (size_t i = 0; i < nfiles; i += batch)
        write_batch(root, temps, files + i, nfiles - i < batch ? nfiles - i : batch);
    took = now() - begin;
    printf("round=%d files=%zu bytes=%zu seconds=%.2f rate=%.0f\n", round, nfiles, bytes, took,
           (double)nfiles / took);
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    size_t n = 100000;
    size_t batch = 1000;
    size_t len = 1000;
    int rounds = 2;
    const char *copy = NULL;
    int option;
    int root;
    int temps;

    while ((option = getopt(argc, argv, "n:b:s:r:c:")) != -1) {
        switch (option) {
        case 'n':
            n = strtoul(optarg, NULL, 10);
            break;
        case 'b':
            batch = strtoul(optarg, NULL, 10);
            break;
        case 's':
            len = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            rounds = atoi(optarg);
            break;
        case 'c':
            copy = optarg;
            break;
        default:
            return 2;
        }
    }
    if (optind != argc - 1 || batch == 0) {
        fprintf(stderr, "usage: write_files [-n FILES] [-b BATCH] [-s BYTES] [-r ROUNDS] "
                        "[-c FOLDER] ROOT\n");
        return 2;
    }
    mkdir(argv[optind], 0755);
    root = open(argv[optind], O_RDONLY | O_DIRECTORY);
    if (root < 0)
        die(argv[optind]);
    mkdirat(root, ".temps", 0700);
    temps = openat(root, ".temps", O_RDONLY | O_DIRECTORY);
    if (copy != NULL) {
        int from = open(copy, O_RDONLY | O_DIRECTORY);

        if (from < 0)
            die(copy);
        read_tree(from, "");
        qsort(files, nfiles, sizeof(file), by_number);
    } else {
        make_files(n, len);
    }
    for (int round = 1; round <= rounds; round++)
        run_round(root, temps, round, batch);
    return 0;
}

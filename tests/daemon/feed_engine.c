/*
 * feed_engine.c: the feed engine without PostgreSQL, over a fake store. Built with ASAN and UBSAN
 * by 15_feed_engine.t; writes TAP. Argument: an empty folder to work in.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int tests = 0;
static int failures = 0;
static char folder[512];
static char log_text[65536];

static void
ok(bool good, const char *format, ...)
{
    va_list args;

    printf("%sok %d - ", good ? "" : "not ", ++tests);
    failures += !good;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* ---------------------------------------------------------------- fake store */

typedef struct answer {
    const char *like; /* part of the statement */
    int ncols;
    const char *cells[64]; /* row by row; NULL = null; first NULL past ncols * nrows is not read */
    int nrows;
    feed_status status;
    int times; /* how often it is given; -1: always */
} answer;

static answer *script = NULL;
static int nscript = 0;
static int idles_left = 0;

static feed_status
fake_query(feed_store *store, const char *sql, const feed_value *params, int n, bool one,
           feed_rows *rows)
{
    memset(rows, 0, sizeof(*rows));
    strncat(log_text, sql, sizeof(log_text) - strlen(log_text) - 1);
    for (int i = 0; i < n; i++) {
        strncat(log_text, " | ", sizeof(log_text) - strlen(log_text) - 1);
        strncat(log_text, params[i].data ? params[i].data : "null",
                sizeof(log_text) - strlen(log_text) - 1);
    }
    strncat(log_text, "\n", sizeof(log_text) - strlen(log_text) - 1);
    if (strstr(sql, "nmsp_feed.script(") != NULL) {
        /* two runs: one that is always taken, one with the paths (a probe has none); behind name and
         * script stands how to talk to a command that stays: this daemon has none */
        const char *cells[] = {"part 0", "begin\n", "part 1",
                               strstr(params[1].data, "probe") ? "probe" : params[2].data};

        rows->nrows = 2;
        rows->ncols = 7;
        rows->values = calloc(2 * 7, sizeof(feed_value));
        for (int i = 0; i < 4; i++) {
            feed_value *value = &rows->values[i / 2 * 7 + i % 2];

            value->data = strdup(cells[i]);
            value->len = strlen(cells[i]);
        }
        return FEED_OK;
    }
    for (int i = 0; i < nscript; i++) {
        answer *a = &script[i];

        if (a->times == 0 || strstr(sql, a->like) == NULL)
            continue;
        a->times -= a->times > 0;
        if (a->status != FEED_OK) {
            snprintf(rows->error, sizeof(rows->error), "fake error");
            return a->status;
        }
        rows->nrows = a->nrows;
        rows->ncols = a->ncols;
        rows->values = calloc(a->nrows * a->ncols + 1, sizeof(feed_value));
        for (int c = 0; c < a->nrows * a->ncols; c++) {
            rows->values[c].data = a->cells[c] ? strdup(a->cells[c]) : NULL;
            rows->values[c].len = a->cells[c] ? strlen(a->cells[c]) : 0;
        }
        return FEED_OK;
    }
    return FEED_OK;
}

static void
fake_free(feed_store *store, feed_rows *rows)
{
    for (size_t i = 0; i < rows->nrows * rows->ncols; i++)
        free((char *)rows->values[i].data);
    free(rows->values);
    memset(rows, 0, offsetof(feed_rows, error));
}

static void
fake_log(feed_store *store, feed_level level, const char *text, const char *hint)
{
    printf("# log: %s\n", text);
}

static feed_status
fake_idle(feed_store *store, long ms)
{
    struct timespec t = {0, (ms < 10 ? ms : 10) * 1000000};

    nanosleep(&t, NULL);
    return idles_left-- > 0 ? FEED_OK : FEED_FATAL;
}

static feed_status
fake_nap(feed_store *store, long ms)
{
    struct timespec t = {0, ms * 1000000};

    nanosleep(&t, NULL);
    return FEED_OK;
}

static int64_t
fake_now(feed_store *store)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *
fake_roots(feed_store *store)
{
    return folder;
}

static char command_path[600];

static const char *
fake_commands(feed_store *store)
{
    return command_path;
}

static void
fake_note(feed_store *store, long files, const char *error)
{
}

static feed_store store = {NULL,     fake_query, fake_free,  fake_log,      fake_idle,
                           fake_nap, fake_now,   fake_roots, fake_commands, fake_note};

/* ---------------------------------------------------------------- helpers */

static char *
path_of(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool
holds(const char *name, const char *content)
{
    char text[4096];
    FILE *in = fopen(path_of(name), "r");
    size_t n;

    if (in == NULL)
        return content == NULL;
    n = fread(text, 1, sizeof(text) - 1, in);
    text[n] = '\0';
    fclose(in);
    return content != NULL && strcmp(text, content) == 0;
}

static void
put(const char *name, const char *content)
{
    FILE *out = fopen(path_of(name), "w");

    fputs(content, out);
    fclose(out);
}

/* ---------------------------------------------------------------- tests */

static void
test_paths(void)
{
    static const char *bad[] = {"",      "/etc/passwd", "..",   "a/../b", "../x",
                                "a/..",  "a//b",        "a/",   ".",      "./a",
                                "a/./b", ".nmsp-tmp/x", "a\nb", "a/\x7f"};
    static const char *good[] = {"a", "a/b/c.conf", "..a", "a..", "...", "a/..b", "\xc3\xa4"};
    char longest[1100];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ok(feed_path_problem(bad[i], strlen(bad[i])) != NULL, "path no. %zu is refused", i);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        ok(feed_path_problem(good[i], strlen(good[i])) == NULL, "path \"%s\" is taken", good[i]);
    ok(feed_path_problem("a\0b", 3) != NULL, "a NUL byte is refused");
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    ok(feed_path_problem(longest, 256) != NULL, "256 bytes in a component are refused");
    ok(feed_path_problem(longest + 1, 255) == NULL, "255 are taken");
    for (int i = 100; i < 1099; i += 100)
        longest[i] = '/';
    longest[256] = 'x';
    longest[1025] = '\0';
    ok(feed_path_problem(longest, 1025) != NULL, "1025 bytes are refused");
}

static void
test_names(void)
{
    ok(feed_find_path("pool/1.conf line 3: bad", "pool/1.conf") != NULL, "named at the beginning");
    ok(feed_find_path("pool/11.conf line 3", "pool/1.conf") == NULL, "not part of a longer name");
    ok(feed_find_path("xpool/1.conf line 3", "pool/1.conf") == NULL,
       "not the end of a longer name");
    ok(feed_find_path("a/pool/1.conf line 3", "pool/1.conf") == NULL, "not in another folder");
    ok(feed_find_path("/srv/set/next/pool/1.conf line 3", "pool/1.conf") != NULL,
       "named through next");
    ok(feed_find_path("/srv/set/g-12/pool/1.conf:3", "pool/1.conf") != NULL,
       "named through a generation");
    ok(feed_find_path("/srv/set/g-x/pool/1.conf:3", "pool/1.conf") == NULL,
       "not through another folder");
    ok(feed_find_path("in \"pool/1.conf\".", "pool/1.conf") != NULL, "named in quotes");
    ok(feed_find_path("see ./pool/1.conf.", "pool/1.conf") != NULL,
       "named with ./ and a full stop");
    ok(feed_find_path("pool/1.conf.bak", "pool/1.conf") == NULL, "another suffix");
    ok(feed_find_path("", "a") == NULL, "in nothing");
}

static void
test_roots(void)
{
    char error[512];
    char roots[1400];
    char root[700];
    int fd;

    snprintf(roots, sizeof(roots), " /nowhere , %s/ ,/tmp/x", folder);
    fd = feed_open_root(path_of("r/s"), roots, error, sizeof(error));
    ok(fd >= 0, "a root is made below an allowed folder");
    close(fd);
    snprintf(root, sizeof(root), "%s-beside", folder);
    ok(feed_open_root(root, roots, error, sizeof(error)) < 0,
       "a neighbour with the same beginning is not inside");
    ok(feed_open_root(path_of("../x"), roots, error, sizeof(error)) < 0,
       "a root with .. is refused");
    ok(feed_open_root("/etc", "", error, sizeof(error)) < 0, "no allowed folder, no root");
    ok(symlink("/tmp", path_of("link")) == 0 &&
           feed_open_root(path_of("link/x"), roots, error, sizeof(error)) < 0,
       "a symlink on the way is not followed");
}

static void
test_files(void)
{
    char error[512];
    int root = feed_open_root(path_of("files"), folder, error, sizeof(error));
    feed_file few[2] = {{.path = "a/b", .content = "one", .len = 3},
                        {.path = "c", .content = "", .len = 0}};
    feed_file many[6];
    struct stat before;
    struct stat after;

    ok(feed_write_files(&store, root, few, 2, error, sizeof(error)) == FEED_OK &&
           holds("files/a/b", "one") && holds("files/c", ""),
       "few files are written");
    stat(path_of("files/a/b"), &before);
    ok((before.st_mode & 0777) == 0644, "readable for the daemon");
    few[0].same = few[1].same = false;
    few[0].doubt = few[1].doubt = true;
    ok(feed_write_files(&store, root, few, 2, error, sizeof(error)) == FEED_OK && few[0].same &&
           few[1].same,
       "the same again is found");
    stat(path_of("files/a/b"), &after);
    ok(before.st_ino == after.st_ino, "and not touched");
    mkdir(path_of("files/folder"), 0755);
    put("files/folder/x", "x");
    memset(many, 0, sizeof(many));
    many[0] = (feed_file){.path = "a/b", .content = "two", .len = 3};
    many[1] = (feed_file){.path = "link/x", .content = "evil", .len = 4};
    many[2] = (feed_file){.path = "folder", .content = "in the way", .len = 10};
    many[3] = (feed_file){.path = "c"}; /* remove */
    many[4] = (feed_file){.path = "never/was"};
    many[5] = (feed_file){.path = "d", .content = "d", .len = 1};
    ok(symlink("/tmp", path_of("files/link")) == 0, "a symlink lies in the way");
    ok(feed_write_files(&store, root, many, 6, error, sizeof(error)) == FEED_OK,
       "many files are written");
    ok(holds("files/a/b", "two") && holds("files/c", NULL) && holds("files/d", "d"),
       "replaced, removed, new");
    ok(many[1].failed && many[1].error && many[2].failed && many[2].error && !many[4].failed &&
           !many[5].failed,
       "what cannot be written fails alone");
    free(many[1].error);
    free(many[2].error);
    put("files/.nmsp-tmp/17", "left over");
    feed_clean_temps(root);
    ok(holds("files/.nmsp-tmp/17", NULL), "left-over temps are removed");
    close(root);
}

static void
test_commands(void)
{
    char error[512];
    char **argv = NULL;

    snprintf(command_path, sizeof(command_path), "%s", path_of("commands"));
    put("commands", "# c\n\n  one /bin/echo %r/x \"a b\" 100%% # tail\ntwo relative\nthree\nfour "
                    "/bin/x \"open\n");
    ok(feed_command(command_path, "one", "/root", &argv, error, sizeof(error)) == 0 &&
           strcmp(argv[0], "/bin/echo") == 0 && strcmp(argv[1], "/root/x") == 0 &&
           strcmp(argv[2], "a b") == 0 && strcmp(argv[3], "100%") == 0 && argv[4] == NULL,
       "a command is read");
    feed_free_command(argv);
    ok(feed_command(command_path, "two", "/", &argv, error, sizeof(error)) != 0 &&
           strstr(error, "line 4"),
       "relative program: %s", error);
    ok(feed_command(command_path, "three", "/", &argv, error, sizeof(error)) != 0 &&
           strstr(error, "line 5"),
       "no program");
    ok(feed_command(command_path, "four", "/", &argv, error, sizeof(error)) != 0 &&
           strstr(error, "quote"),
       "open quote");
    ok(feed_command(command_path, "none", "/", &argv, error, sizeof(error)) != 0, "unknown name");
    ok(feed_command("", "none", "/", &argv, error, sizeof(error)) != 0, "no file set");
    chmod(command_path, 0666);
    ok(feed_command(command_path, "one", "/", &argv, error, sizeof(error)) != 0,
       "a file that others may write");
    chmod(command_path, 0644);
}

static void
test_spawn(void)
{
    feed_buffer answer = {0};
    feed_task run = {.cwd = "/", .timeout_ms = 20000};
    char *talk[] = {"/bin/sh", "-c", "echo out; echo err >&2; pwd; exit 3", NULL};
    char *flood[] = {"/bin/sh", "-c",
                     "i=0; while [ $i -lt 9000 ]; do echo 0123456789; i=$((i+1)); done", NULL};
    char *slow[] = {"/bin/sh", "-c", "sleep 60 & wait", NULL};
    char *none[] = {"/nonexistent", NULL};
    char *deaf[] = {"/bin/true", NULL};
    char *silent[] = {"/bin/sh", "-c", "exec >&- 2>&-; sleep 0.1; exit 4", NULL};
    char *descriptors[] = {"/bin/ls", "/proc/self/fd", NULL};
    char *copy[] = {"/bin/sh", "-c", "cat; echo beside >&2", NULL};
    char *input = malloc(3000000);
    int64_t begin;
    int leak = open("/dev/null", O_RDONLY);

    feed_spawn(&store, talk, &run);
    ok(run.code == 3 && strcmp(run.output, "out\nerr\n/") == 0, "status and output of a command");
    feed_spawn(&store, flood, &run);
    ok(run.code == 0 && strlen(run.output) == sizeof(run.output) - 1, "too much output is cut");
    feed_spawn(&store, descriptors, &run);
    ok(strcmp(run.output, "0\n1\n2\n3") == 0, "the child has no other descriptor (3 is its own)");
    feed_spawn(&store, none, &run);
    ok(run.code == -1 && strstr(run.output, "/nonexistent"), "a program that is not there");
    feed_spawn(&store, silent, &run);
    ok(run.code == 4 && run.output[0] == '\0', "a command that closes its output is waited for");
    memset(input, 'x', 3000000);
    run.input = input;
    run.input_len = 3000000;
    feed_spawn(&store, deaf, &run);
    ok(run.code == 0, "a command need not read its input");
    run.answer = &answer;
    feed_spawn(&store, copy, &run);
    ok(run.code == 0 && answer.len == 3000000 && memcmp(answer.data, input, answer.len) == 0 &&
           strcmp(run.output, "beside") == 0,
       "input and answer of any length, messages apart");
    descriptors[1] = "/proc/self/fd/";
    answer.len = 0;
    feed_spawn(&store, descriptors, &run);
    ok(strcmp(answer.data, "0\n1\n2\n3\n") == 0, "and no other descriptor");
    free(answer.data);
    free(input);
    run = (feed_task){.cwd = "/", .timeout_ms = 200};
    begin = fake_now(&store);
    feed_spawn(&store, slow, &run);
    ok(run.code == -2 && fake_now(&store) - begin < 5000, "a slow command is killed");
    close(leak);
}

/* The daemon of the record tests takes any path but those with "bad" in them, and nothing at all
 * while a file "down" is in the folder; what it is given it appends to a file "took". */
#define RECORD_DAEMON                                                                              \
    "daemon /bin/sh -c \"[ ! -e down ] || { echo cannot connect; exit 1; }; "                      \
    "sed s/^/+/ > input; ! grep -q bad input || { echo bad record >&2; exit 2; }; "                \
    "cat input >> took\"\nprint /bin/cat %r/has\nbreak /bin/sh -c \"echo halfway; exit 3\"\n"

static size_t
hand_over(feed_file *files, size_t n, feed_status *status, char *error, size_t error_size)
{
    feed_daemon daemon = {&store, "7", folder, "daemon", "print", 5000};
    feed_file *list[200];
    size_t refused = 0;

    for (size_t i = 0; i < n; i++)
        list[i] = &files[i];
    error[0] = '\0';
    *status = feed_apply_records(&daemon, list, n, error, error_size);
    for (size_t i = 0; i < n; i++)
        refused += files[i].failed;
    return refused;
}

static void
test_records(void)
{
    static char names[200][16];
    feed_file files[200];
    char error[FEED_MESSAGE_MAX];
    feed_check check = {.running = true};
    feed_daemon daemon = {&store, "7", folder, "daemon", "print", 5000};
    answer seen[] = {{"question", 1, {"all"}, 1, FEED_OK, -1}};
    feed_status status;
    size_t refused;

    ok(feed_record_problem("a.b A", 5) == NULL && feed_record_problem("", 0) != NULL &&
           feed_record_problem("a\nb", 3) != NULL && feed_record_problem("a\0b", 3) != NULL,
       "control characters are no part of a record's path");
    put("commands", RECORD_DAEMON);
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%d", i == 77 ? "bad" : "good", i);
        files[i] = (feed_file){.path = names[i], .content = "x", .len = 1};
    }
    refused = hand_over(files, 200, &status, error, sizeof(error));
    ok(status == FEED_OK && refused == 1 && files[77].failed &&
           strcmp(files[77].error, "part 1: command \"daemon\" failed with status 2: bad record") ==
               0,
       "of 200 records the one that is refused is found: %s", error);
    free(files[77].error);
    files[77] = (feed_file){.path = names[77], .content = "x", .len = 1};
    put("down", "");
    refused = hand_over(files, 200, &status, error, sizeof(error));
    ok(status == FEED_RETRY && refused == 0 && strstr(error, "cannot connect"),
       "when the daemon is down no record is blamed: %s", error);
    unlink(path_of("down"));
    for (int i = 0; i < 200; i++)
        snprintf(names[i], sizeof(names[i]), "bad%d", i);
    refused = hand_over(files, 200, &status, error, sizeof(error));
    ok(status == FEED_OK && refused == 200 && strstr(files[199].error, "not tried, since the 32"),
       "of a batch that is refused one after the other the rest is not tried");
    for (int i = 0; i < 200; i++)
        free(files[i].error);

    script = seen;
    nscript = 1;
    put("has", "one\ntwo\n");
    log_text[0] = '\0';
    status = feed_check_records(&daemon, &check, error, sizeof(error));
    ok(status == FEED_OK && !check.running && strstr(log_text, "see($1::bigint, $2::text, $3") &&
           strstr(log_text, "| 7 | one\ntwo\n | true") && strstr(log_text, "seen_all"),
       "what the daemon has is handed to SQL: %s", error);
    daemon.read = "break";
    check.running = true;
    status = feed_check_records(&daemon, &check, error, sizeof(error));
    ok(status == FEED_RETRY && check.running && check.seen.data == NULL &&
           strcmp(error, "command \"break\" failed with status 3: halfway") == 0,
       "reading that fails is told and begins anew: %s", error);
    nscript = 0;
}

static void
test_set(void)
{
    char error[512];
    feed_set set;
    int root = feed_open_root(path_of("set"), folder, error, sizeof(error));
    feed_file first[2] = {{.path = "x/a", .content = "a1", .len = 2},
                          {.path = "b", .content = "b1", .len = 2}};
    feed_file second[3] = {{.path = "x/a", .content = "a2", .len = 2},
                           {.path = "new", .old_path = "b", .content = "b1", .len = 2},
                           {.path = "c", .content = "c", .len = 1}};

    ok(feed_set_build(&store, root, first, 2, &set, error, sizeof(error)) == FEED_OK &&
           set.changed && feed_set_stage(&set, error, sizeof(error)) == FEED_OK &&
           holds("set/next/x/a", "a1") && holds("set/current/b", NULL) &&
           feed_set_switch(&set, error, sizeof(error)) == FEED_OK && holds("set/current/b", "b1") &&
           holds("set/ready", "g-1\n"),
       "first generation: %s", error);
    feed_set_close(&set, true);
    ok(feed_set_build(&store, root, first, 2, &set, error, sizeof(error)) == FEED_OK &&
           set.changed && set.cut_short,
       "in service, but the daemon was not told: all of it is to be done again");
    feed_set_close(&set, false);
    ok(feed_set_build(&store, root, first, 2, &set, error, sizeof(error)) == FEED_OK &&
           feed_set_switch(&set, error, sizeof(error)) == FEED_OK &&
           feed_set_announced(&set, error, sizeof(error)) == FEED_OK,
       "and is done: %s", error);
    feed_set_close(&set, true);
    ok(feed_set_build(&store, root, first, 2, &set, error, sizeof(error)) == FEED_OK &&
           !set.changed && !set.cut_short,
       "the same again changes nothing");
    feed_set_close(&set, false);
    ok(holds("set/g-3/b", NULL), "and leaves nothing");
    ok(feed_set_build(&store, root, second, 3, &set, error, sizeof(error)) == FEED_OK &&
           set.changed && feed_set_revert(&set, &second[1], error, sizeof(error)) == FEED_OK &&
           feed_set_revert(&set, &second[2], error, sizeof(error)) == FEED_OK &&
           second[2].stand_in && feed_set_stage(&set, error, sizeof(error)) == FEED_OK &&
           feed_set_switch(&set, error, sizeof(error)) == FEED_OK,
       "second generation, two files reverted: %s", error);
    ok(holds("set/current/x/a", "a2") && holds("set/current/b", "b1") &&
           holds("set/current/new", NULL) && holds("set/current/c", ""),
       "the old version came back, or an empty file");
    feed_set_close(&set, true);
    close(root);
}

static void
test_engine(void)
{
    char root[1024];
    answer answers[] = {
        {"pg_extension", 1, {"t"}, 1, FEED_OK, -1},
        {"protocol()", 1, {"t"}, 1, FEED_OK, -1},
        {"nmsp_feed.targets(",
         16,
         {"7", "toy/x", "file", "1", root, NULL, NULL, "1000", "0", NULL, "f", NULL, NULL, "t", "f",
          "t"},
         1,
         FEED_OK,
         -1},
        {"nmsp_feed.pull",
         8,
         {"put",   "p",  "1",  "one",    "content", "0123", NULL,    "f",
          "put",   "p",  "2",  "../two", "evil",    "0123", NULL,    "f",
          "batch", NULL, NULL, NULL,     NULL,      NULL,   "token", NULL},
         3,
         FEED_OK,
         1},
        {"nmsp_feed.pull", 8, {NULL}, 0, FEED_RETRY, 1},
    };

    snprintf(root, sizeof(root), "%s", path_of("engine"));
    script = answers;
    nscript = sizeof(answers) / sizeof(*answers);
    idles_left = 4;
    log_text[0] = '\0';
    feed_run(&store);
    ok(holds("engine/one", "content"), "the engine writes what it pulls");
    ok(strstr(log_text, "confirm") && strstr(log_text, "{\"one\",\"../two\"}") &&
           strstr(log_text, "{\"7\",NULL}") && strstr(log_text, "is refused"),
       "and confirms it, with what it refused");
    ok(strstr(log_text, "nmsp_feed.fail($1::bigint, $2::text, $3::text) | 7 | null | fake error") !=
           NULL,
       "an error is reported");
    nscript = 0;
}

/* A walk of two batches: the second is rendered while the first is on its way, and confirmed after
 * it. */
static void
test_flights(void)
{
    char root[1024];
    const char *first;
    const char *second;
    answer answers[] = {
        {"pg_extension", 1, {"t"}, 1, FEED_OK, -1},
        {"protocol()", 1, {"t"}, 1, FEED_OK, -1},
        {"nmsp_feed.targets(",
         16,
         {"7", "toy/x", "file", "1", root, NULL, NULL, "1000", "0", NULL, "f", NULL, NULL, "f", "t",
          "t"},
         1,
         FEED_OK,
         -1},
        {"nmsp_feed.pull",
         8,
         {"put",   "p",     "1",   "a/one", "1",   "0123", NULL,     "f",       "put", "p",
          "2",     "a/two", "2",   "0123",  NULL,  "f",    "put",    "p",       "3",   "b/three",
          "3",     "0123",  NULL,  "f",     "put", "p",    "4",      "../four", "4",   "0123",
          NULL,    "f",     "put", "p",     "5",   "five", "5",      "0123",    NULL,  "f",
          "batch", NULL,    NULL,  NULL,    NULL,  NULL,   "token1", NULL},
         6,
         FEED_OK,
         1},
        {"nmsp_feed.pull",
         8,
         {"put", "p", "6", "a/six", "6", "0123", NULL, "f", "batch", NULL, NULL, NULL, NULL, NULL,
          "token2", NULL},
         2,
         FEED_OK,
         1},
        {"nmsp_feed.pull", 8, {NULL}, 0, FEED_OK, -1},
    };

    snprintf(root, sizeof(root), "%s", path_of("flights"));
    script = answers;
    nscript = sizeof(answers) / sizeof(*answers);
    idles_left = 40;
    log_text[0] = '\0';
    feed_run(&store);
    ok(holds("flights/a/one", "1") && holds("flights/a/two", "2") &&
           holds("flights/b/three", "3") && holds("flights/five", "5") &&
           holds("flights/a/six", "6") && holds("flights/.nmsp-tmp/w0", NULL),
       "a walk is written");
    ok(strstr(log_text, "pull($1::bigint, $2::text, $3::text[]) | 7 | many | {\"token1\"}") != NULL,
       "what comes next is rendered while a batch is on its way");
    first = strstr(log_text, "| token1 |");
    second = strstr(log_text, "| token2 |");
    ok(first != NULL && second != NULL && first < second && strstr(log_text, "is refused"),
       "both are confirmed, in order");
    nscript = 0;
}

int
main(int argc, char **argv)
{
    char *resolved = argc > 1 ? realpath(argv[1], NULL) : NULL;

    if (resolved == NULL)
        return 2;
    snprintf(folder, sizeof(folder), "%s", resolved);
    free(resolved);
    test_paths();
    test_names();
    test_roots();
    test_files();
    test_commands();
    test_spawn();
    test_records();
    test_set();
    test_engine();
    test_flights();
    printf("1..%d\n", tests);
    return failures != 0;
}

/*
 * session.c: a command that stays running, so that a change does not wait for a program to start
 * (nsupdate: libraries, entropy, key). It reads messages from its input and says of each whether
 * the daemon took it. Only "all of them were taken" is believed: whatever else is said or happens
 * ends the session, and the caller makes the run in the ordinary way, whose exit status and output
 * tell what was wrong. So every message may come twice, as any run may.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_MS 300000      /* a session that has had nothing to do for so long is ended */
#define LONGEST_INPUT 30000 /* bytes: what is longer is worth a start, and may fill both pipes */
#define LOOK_MS 50          /* how often the end of the server is noticed */

struct feed_session {
    pid_t pid;
    int input;         /* socket: a child that is gone makes no SIGPIPE there */
    int output;        /* pipe of descriptor 1, not looked at */
    int answer;        /* pipe of descriptor 2 */
    char **argv;       /* what runs, to see when the command file says otherwise */
    feed_buffer files; /* what its arguments name, as it was when it started */
    int64_t used;      /* when */
};

/* ---------------------------------------------------------------- begin and end */

static void
close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
feed_session_end(feed_session **session)
{
    feed_session *s = *session;
    int status;

    if (s == NULL)
        return;
    *session = NULL;
    if (s->pid > 0) {
        kill(-s->pid, SIGKILL);
        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close_one(&s->input);
    close_one(&s->output);
    close_one(&s->answer);
    feed_free_command(s->argv);
    free(s->files.data);
    free(s);
}

void
feed_session_tend(feed_store *store, feed_session **session)
{
    if (*session != NULL && store->now(store) - (*session)->used >= IDLE_MS)
        feed_session_end(session);
}

/* A key file that was replaced must be read anew: what the arguments name is compared. */
static void
describe_files(char *const argv[], feed_buffer *files)
{
    for (char *const *at = argv; *at != NULL; at++) {
        struct stat st;
        struct {
            dev_t dev;
            ino_t ino;
            off_t size;
            struct timespec changed;
        } is;

        memset(&is, 0, sizeof(is));
        if ((*at)[0] == '/' && stat(*at, &st) == 0) {
            is.dev = st.st_dev;
            is.ino = st.st_ino;
            is.size = st.st_size;
            is.changed = st.st_ctim;
        }
        feed_add(files, (const char *)&is, sizeof(is));
    }
}

static bool
same_words(char *const a[], char *const b[])
{
    for (; *a != NULL && *b != NULL && strcmp(*a, *b) == 0; a++, b++)
        ;
    return *a == NULL && *b == NULL;
}

static bool
is_as_started(const feed_session *s, char *const argv[], const feed_buffer *files)
{
    return same_words(s->argv, argv) && !files->failed && s->files.len == files->len &&
           memcmp(s->files.data, files->data, files->len) == 0;
}

static bool
make_pipe(int *ours, int *theirs)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *ours = fds[0];
    *theirs = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

/* Starts the child; takes argv and files over. NULL: it could not be started. */
static feed_session *
begin(char **argv, feed_buffer files, const char *cwd)
{
    feed_session *s = calloc(1, sizeof(*s));
    int sockets[2] = {-1, -1};
    int output = -1;
    int answer = -1;

    if (s == NULL) {
        feed_free_command(argv);
        free(files.data);
        return NULL;
    }
    *s = (feed_session){.input = -1, .output = -1, .answer = -1, .argv = argv, .files = files};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 ||
        !make_pipe(&s->output, &output) || !make_pipe(&s->answer, &answer) ||
        feed_start_child(&s->pid, argv, cwd, feed_environment, sockets[1], output, answer) != 0)
        s->pid = 0;
    s->input = sockets[0];
    close_one(&sockets[1]);
    close_one(&output);
    close_one(&answer);
    if (s->pid == 0)
        feed_session_end(&s);
    return s;
}

/* ---------------------------------------------------------------- a conversation */

static bool
say(const feed_session *s, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(s->input, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool
begins_with(const char *line, const char *what)
{
    return strncmp(line, what, strlen(what)) == 0;
}

/* How many lines of text are exactly this. */
static size_t
count_lines(const char *text, const char *line)
{
    size_t n = 0;
    size_t len = strlen(line);

    for (; text != NULL && *text != '\0'; text = strchr(text, '\n')) {
        text += *text == '\n';
        n += strncmp(text, line, len) == 0 && (text[len] == '\n' || text[len] == '\0');
    }
    return n;
}

typedef enum { SAYS_NOTHING_YET, SAYS_TAKEN, SAYS_OTHERWISE } verdict;

/* Reads what was said so far, whole lines of it. */
static verdict
judge(const feed_talk *talk, const feed_buffer *said, size_t wanted)
{
    bool answered = false;
    const char *end;

    for (const char *line = said->data; line != NULL && (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        if (begins_with(line, talk->trouble))
            return SAYS_OTHERWISE;
        if (answered && !begins_with(line, talk->taken))
            return SAYS_OTHERWISE;
        if (answered && --wanted == 0)
            return SAYS_TAKEN;
        answered = begins_with(line, talk->answer);
    }
    return SAYS_NOTHING_YET;
}

/* Takes what the child said; false: it is at its end. */
static bool
listen_to(feed_session *s, feed_buffer *said)
{
    char chunk[8192];
    ssize_t n;

    while ((n = read(s->output, chunk, sizeof(chunk))) > 0)
        ; /* nsupdate repeats there what it sends */
    if (n == 0)
        return false;
    while ((n = read(s->answer, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (chunk[i] == '\0')
                chunk[i] = ' ';
        feed_add(said, chunk, (size_t)n);
    }
    return n != 0 && !said->failed;
}

/* Until all messages are answered, it ends, says anything else, or time is up (*late). */
static feed_status
wait_for_answers(feed_store *store, feed_session *s, const feed_talk *talk, size_t wanted,
                 int64_t timeout_ms, bool *taken, bool *late)
{
    int64_t deadline = store->now(store) + timeout_ms;
    feed_buffer said = {0};
    feed_status status = FEED_OK;
    verdict is = SAYS_NOTHING_YET;

    while (status == FEED_OK && is == SAYS_NOTHING_YET) {
        struct pollfd fds[2] = {{.fd = s->output, .events = POLLIN},
                                {.fd = s->answer, .events = POLLIN}};

        if (store->now(store) >= deadline) {
            *late = true;
            break;
        }
        poll(fds, 2, LOOK_MS);
        if (!listen_to(s, &said))
            is = SAYS_OTHERWISE;
        else
            is = judge(talk, &said, wanted);
        if (is == SAYS_NOTHING_YET)
            status = store->nap(store, 0);
    }
    free(said.data);
    *taken = is == SAYS_TAKEN;
    return status;
}

/* The session that runs this command as it stands in the command file now. NULL: none could be
 * started, which an ordinary run will explain. */
static feed_session *
current(feed_store *store, feed_session **session, const char *name, const char *root,
        const feed_talk *talk)
{
    char **argv;
    char error[FEED_MESSAGE_MAX];
    feed_buffer files = {0};
    char chunk[512];

    if (feed_command(store->command_file(store), name, root, &argv, error, sizeof(error)) != 0)
        return NULL;
    describe_files(argv, &files);
    /* What it says unasked belongs to no message: it ended, or complained. */
    if (*session != NULL &&
        (!is_as_started(*session, argv, &files) || read((*session)->output, chunk, 1) == 0 ||
         read((*session)->answer, chunk, 1) == 0))
        feed_session_end(session);
    if (*session != NULL) {
        feed_free_command(argv);
        free(files.data);
        return *session;
    }
    *session = begin(argv, files, root);
    if (*session != NULL && !say(*session, talk->begin, strlen(talk->begin)))
        feed_session_end(session);
    return *session;
}

feed_status
feed_session_run(feed_store *store, feed_session **session, const char *name, const char *root,
                 const feed_talk *talk, feed_task *run, bool *taken)
{
    size_t wanted = count_lines(run->input, talk->send);
    feed_session *s;
    bool late = false;
    feed_status status = FEED_OK;

    *taken = false;
    run->output[0] = '\0';
    run->code = 0;
    if (wanted == 0 || run->input_len > LONGEST_INPUT)
        return FEED_OK;
    s = current(store, session, name, root, talk);
    if (s == NULL)
        return FEED_OK;
    if (say(s, run->input, run->input_len))
        status = wait_for_answers(store, s, talk, wanted, run->timeout_ms, taken, &late);
    s->used = store->now(store);
    if (late)
        run->code = -2;
    if (!*taken)
        feed_session_end(session);
    return status;
}

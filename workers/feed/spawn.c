/*
 * spawn.c: child processes. posix_spawn, never a shell: the child has its own session (so that a
 * fast stop of the server does not cut it short), default signals and only descriptors 0, 1 and 2
 * (the server's open table files have no close-on-exec before PostgreSQL 16).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST_LOOK_MS 50 /* a child that says nothing is looked at this often */

/* The child's descriptors as we have them; -1 = none (any more). */
typedef struct streams {
    int input;      /* file that the child reads */
    int answer[2];  /* pipe of its descriptor 1, when that is wanted apart */
    int message[2]; /* pipe of descriptor 2, and of 1 otherwise */
    size_t len;     /* bytes of message kept so far */
} streams;

static void
close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void
close_streams(streams *s)
{
    close_one(&s->input);
    for (int i = 0; i < 2; i++) {
        close_one(&s->answer[i]);
        close_one(&s->message[i]);
    }
}

/* The input is a file without a name, not a pipe: nobody has to feed a child that reads slowly, and
 * one that does not read at all makes no SIGPIPE. */
int
feed_make_input(const char *data, size_t len)
{
    int fd = memfd_create("nmsp-input", MFD_CLOEXEC);

    while (fd >= 0 && len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static bool
make_pipe(int pipes[2])
{
    return pipe2(pipes, O_CLOEXEC) == 0 && fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0;
}

static bool
open_streams(streams *s, const feed_task *run)
{
    *s = (streams){.input = -1, .answer = {-1, -1}, .message = {-1, -1}};
    if (!make_pipe(s->message) || (run->answer != NULL && !make_pipe(s->answer)))
        return false;
    if (run->input != NULL)
        s->input = feed_make_input(run->input, run->input_len);
    return run->input == NULL || s->input >= 0;
}

char *const feed_environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};

int
feed_start_child(pid_t *pid, char *const argv[], const char *cwd, char *const environment[],
                 int input, int output, int message)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t all;
    sigset_t none;
    int result;

    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    /* Stays ignored, as in the server: if we are gone, what the child says must not end it. */
    sigdelset(&all, SIGPIPE);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&actions);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, message, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawn_file_actions_addchdir_np(&actions, cwd);
    result = posix_spawn(pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

/* Starts the child; returns 0 or an errno. */
static int
start(pid_t *pid, char *const argv[], const char *cwd, const streams *s)
{
    return feed_start_child(pid, argv, cwd, feed_environment, s->input,
                            s->answer[1] >= 0 ? s->answer[1] : s->message[1], s->message[1]);
}

static void
keep(feed_task *run, streams *s, bool whole, char *chunk, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (chunk[i] == '\0')
            chunk[i] = ' ';
    if (whole) {
        feed_add(run->answer, chunk, n);
        return;
    }
    for (size_t i = 0; i < n && s->len + 1 < sizeof(run->output); i++)
        run->output[s->len++] = chunk[i];
    run->output[s->len] = '\0';
}

/* Takes what the child has said so far; what does not fit is read and dropped. */
static void
drain(feed_task *run, streams *s)
{
    char chunk[65536];
    int *from[2] = {&s->answer[0], &s->message[0]};

    for (int i = 0; i < 2; i++) {
        ssize_t n = -1;

        while (*from[i] >= 0 && (n = read(*from[i], chunk, sizeof(chunk))) > 0)
            keep(run, s, i == 0, chunk, (size_t)n);
        if (n == 0)
            close_one(from[i]);
    }
}

/* Waits until the child says something or ends, ms at most. */
static feed_status
wait_a_little(feed_store *store, const streams *s, long ms)
{
    struct pollfd fds[2] = {{.fd = s->answer[0], .events = POLLIN},
                            {.fd = s->message[0], .events = POLLIN}};

    if (s->answer[0] < 0 && s->message[0] < 0)
        return store->nap(store, ms);
    /* a nap now and then, since only that notices the end of the server */
    return store->nap(store, poll(fds, 2, (int)ms) == 0 ? 1 : 0);
}

static int
exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : -1;
}

static void
trim(char *output, size_t len)
{
    while (len > 0 && (output[len - 1] == '\n' || output[len - 1] == ' '))
        output[--len] = '\0';
}

/* Waits for the child's end; see feed_spawn. */
static feed_status
wait_child(feed_store *store, pid_t pid, feed_task *run, streams *s)
{
    int64_t deadline = store->now(store) + run->timeout_ms;
    long ms = 2;
    int status;

    for (;;) {
        pid_t got;

        drain(run, s);
        got = waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR)) {
            run->code = got == pid ? exit_code(status) : -1;
            break;
        }
        if (store->now(store) >= deadline) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            run->code = -2;
            break;
        }
        if (wait_a_little(store, s, ms) == FEED_FATAL)
            return FEED_FATAL;
        ms = ms < LONGEST_LOOK_MS ? ms * 2 : LONGEST_LOOK_MS;
    }
    drain(run, s);
    trim(run->output, s->len);
    return FEED_OK;
}

feed_status
feed_spawn(feed_store *store, char *const argv[], feed_task *run)
{
    streams s;
    pid_t pid;
    int result;
    feed_status status = FEED_OK;

    run->output[0] = '\0';
    run->code = -1;
    if (!open_streams(&s, run)) {
        feed_message(run->output, sizeof(run->output), "could not make a pipe: %s",
                     strerror(errno));
        close_streams(&s);
        return FEED_OK;
    }
    result = start(&pid, argv, run->cwd, &s);
    close_one(&s.input);
    close_one(&s.answer[1]);
    close_one(&s.message[1]);
    if (result != 0)
        feed_message(run->output, sizeof(run->output), "could not run \"%s\": %s", argv[0],
                     strerror(result));
    else
        status = wait_child(store, pid, run, &s);
    close_streams(&s);
    return status;
}

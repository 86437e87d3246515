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
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts the child with its output into descriptor out; returns 0 or an errno. */
static int
start(pid_t *pid, char *const argv[], const char *cwd, int out)
{
    static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                        NULL};
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
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, out, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawn_file_actions_addchdir_np(&actions, cwd);
    result = posix_spawn(pid, argv[0], &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return result;
}

/* Takes what the child has said so far; what does not fit is read and dropped. True at its end. */
static bool
drain(int in, char *output, size_t output_size, size_t *len)
{
    char chunk[4096];
    ssize_t n;

    while ((n = read(in, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < n && *len + 1 < output_size; i++)
            output[(*len)++] = chunk[i] == '\0' ? ' ' : chunk[i];
        output[*len] = '\0';
    }
    return n == 0;
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

/* Waits for the child; see feed_spawn. */
static feed_status
wait_child(feed_store *store, pid_t pid, int in, int64_t deadline, int *code, char *output,
           size_t output_size)
{
    size_t len = 0;
    long nap = 2;
    int status;
    pid_t got;

    for (;;) {
        drain(in, output, output_size, &len);
        got = waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            break;
        if (store->now(store) >= deadline) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            *code = -2;
            drain(in, output, output_size, &len);
            trim(output, len);
            return FEED_OK;
        }
        if (store->nap(store, nap) == FEED_FATAL)
            return FEED_FATAL;
        nap = nap < 50 ? nap * 2 : 50;
    }
    drain(in, output, output_size, &len);
    trim(output, len);
    *code = got == pid ? exit_code(status) : -1;
    return FEED_OK;
}

feed_status
feed_spawn(feed_store *store, char *const argv[], const char *cwd, int64_t timeout_ms, int *code,
           char *output, size_t output_size)
{
    int pipes[2];
    pid_t pid;
    int result;
    feed_status status = FEED_OK;

    output[0] = '\0';
    *code = -1;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        feed_message(output, output_size, "could not make a pipe: %s", strerror(errno));
        return FEED_OK;
    }
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    result = start(&pid, argv, cwd, pipes[1]);
    close(pipes[1]);
    if (result != 0)
        feed_message(output, output_size, "could not run \"%s\": %s", argv[0], strerror(result));
    else
        status = wait_child(store, pid, pipes[0], store->now(store) + timeout_ms, code, output,
                            output_size);
    close(pipes[0]);
    return status;
}

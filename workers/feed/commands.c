/*
 * commands.c: the command file. Tables only hold names; what a name runs stands in a file outside
 * of the database, one command per line:
 *
 *     # name  program  arguments (%r = the target's root, %% = a percent sign, "..." keeps spaces)
 *     dhcpd-test  /usr/sbin/dhcpd -t -cf %r/next/dhcpd.conf
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers/feed/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ARGUMENTS 64

/* The file decides what the server's user runs: nobody else may be able to write it. */
static FILE *
open_command_file(const char *path, char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        feed_message(error, error_size,
                     "could not open command file \"%s\" (setting nmsp.command_file): %s", path,
                     strerror(errno));
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        feed_message(error, error_size,
                     "command file \"%s\" must be a regular file of root or of the server's user "
                     "that nobody else may write",
                     path);
        close(fd);
        return NULL;
    }
    return fdopen(fd, "r");
}

/* Takes the next word from *line: 1 = got one, 0 = end of line, -1 = a quote is not closed. */
static int
next_word(char **line, feed_buffer *word, const char *root)
{
    char *at = *line;
    bool quoted = false;

    word->len = 0;
    at += strspn(at, " \t\r\n");
    if (*at == '\0' || *at == '#')
        return 0;
    feed_add(word, "", 0);
    for (; *at != '\0' && (quoted || strchr(" \t\r\n", *at) == NULL); at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (*at == '%' && at[1] == 'r' && root != NULL) {
            feed_add(word, root, strlen(root));
            at++;
        } else {
            if (*at == '%' && at[1] == '%')
                at++;
            feed_add(word, at, 1);
        }
    }
    *line = at;
    return quoted ? -1 : 1;
}

/* The rest of a line as an argument array. */
static int
parse_arguments(char *line, const char *root, char ***argv, const char **problem)
{
    feed_buffer word = {0};
    char **list = calloc(MAX_ARGUMENTS + 1, sizeof(char *));
    int n = 0;
    int got;

    *problem = NULL;
    while (list != NULL && (got = next_word(&line, &word, root)) != 0) {
        if (got < 0)
            *problem = "a quote is not closed";
        else if (n == MAX_ARGUMENTS)
            *problem = "there are more than 64 arguments";
        else if (n == 0 && word.data[0] != '/')
            *problem = "the program must be an absolute path";
        else if (word.failed || (list[n] = strdup(word.data)) == NULL)
            *problem = "out of memory";
        if (*problem != NULL)
            break;
        n++;
    }
    free(word.data);
    if (list == NULL)
        *problem = "out of memory";
    else if (n == 0 && *problem == NULL)
        *problem = "the program is missing";
    if (*problem == NULL) {
        *argv = list;
        return 0;
    }
    feed_free_command(list);
    return -1;
}

int
feed_command(const char *file, const char *name, const char *root, char ***argv, char *error,
             size_t error_size)
{
    FILE *in;
    char *line = NULL;
    size_t size = 0;
    int number = 0;
    int result = -1;
    feed_buffer word = {0};

    *argv = NULL;
    if (file == NULL || file[0] == '\0') {
        feed_message(error, error_size,
                     "command \"%s\" is not known: the setting nmsp.command_file is empty", name);
        return -1;
    }
    in = open_command_file(file, error, error_size);
    if (in == NULL)
        return -1;
    feed_message(error, error_size, "command \"%s\" is not in command file \"%s\"", name, file);
    while (getline(&line, &size, in) >= 0) {
        char *rest = line;
        const char *problem = NULL;

        number++;
        if (next_word(&rest, &word, NULL) != 1 || word.failed || strcmp(word.data, name) != 0)
            continue;
        result = parse_arguments(rest, root, argv, &problem);
        if (result != 0)
            feed_message(error, error_size, "command file \"%s\", line %d: %s", file, number,
                         problem);
        break;
    }
    free(word.data);
    free(line);
    fclose(in);
    return result;
}

void
feed_free_command(char **argv)
{
    if (argv == NULL)
        return;
    for (char **at = argv; *at != NULL; at++)
        free(*at);
    free(argv);
}

feed_status
feed_run_command(feed_store *store, const char *name, const char *root, feed_task *run)
{
    char **argv;
    feed_status status;

    run->code = -1;
    if (feed_command(store->command_file(store), name, root, &argv, run->output,
                     sizeof(run->output)) != 0)
        return FEED_OK;
    status = feed_spawn(store, argv, run);
    feed_free_command(argv);
    return status;
}

void
feed_command_message(const char *name, const feed_task *run, char *error, size_t error_size)
{
    if (run->code == -1)
        feed_message(error, error_size, "command \"%s\": %s", name, run->output);
    else if (run->code == -2)
        feed_message(error, error_size, "command \"%s\" took too long and was killed: %s", name,
                     run->output);
    else if (run->code > 128)
        feed_message(error, error_size, "command \"%s\" ended by signal %d: %s", name,
                     run->code - 128, run->output);
    else
        feed_message(error, error_size, "command \"%s\" failed with status %d: %s", name, run->code,
                     run->output);
}

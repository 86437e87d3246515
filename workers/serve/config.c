/*
 * config.c: the agent's configuration file.
 */
#include "workers/serve/serve.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum kind { TEXT, NUMBER, FLAG, LISTEN, PORTS } kind;

typedef struct setting {
    const char *name;
    kind kind;
    size_t offset;
    long min, max; /* of a number; TEXT: max = room */
} setting;

#define AT(field) offsetof(config, field)
#define ROOM(field) 0, sizeof(((config *)0)->field)

static const setting settings[] = {
    {"name", TEXT, AT(name), ROOM(name)},
    {"user", TEXT, AT(user), ROOM(user)},
    {"syslog", FLAG, AT(syslog), 0, 0},
    {"debug", FLAG, AT(debug), 0, 0},
    {"database", TEXT, AT(database), ROOM(database)},
    {"connections", NUMBER, AT(connections), 1, 16},
    {"question_timeout_ms", NUMBER, AT(question_ms), 100, 60000},
    {"download_listen", LISTEN, AT(download_listen), 0, 0},
    {"download_sockets", NUMBER, AT(download_sockets), 1, 256},
    {"download_ports", PORTS, AT(download_ports_first), 0, 0},
    {"download_transfers", NUMBER, AT(download_transfers), 16, 65536},
    {"download_rate", NUMBER, AT(download_rate), 0, 1000000},
    {"download_burst", NUMBER, AT(download_burst), 1, 1000000},
    {"download_blksize", NUMBER, AT(download_blksize), 512, 65464},
    {"download_windowsize", NUMBER, AT(download_windowsize), 1, 64},
    {"download_timeout_ms", NUMBER, AT(download_timeout_ms), 100, 60000},
    {"download_tries", NUMBER, AT(download_tries), 1, 20},
    {"download_folder", TEXT, AT(download_folder), ROOM(download_folder)},
    {"time_listen", LISTEN, AT(time_listen), 0, 0},
    {"lookup_listen", LISTEN, AT(lookup_listen), 0, 0},
    {"lookup_base", TEXT, AT(lookup_base), ROOM(lookup_base)},
    {"feed_agent", TEXT, AT(feed_agent), ROOM(feed_agent)},
    {"feed_roots", TEXT, AT(feed_roots), ROOM(feed_roots)},
    {"feed_command_file", TEXT, AT(command_file), ROOM(command_file)},
    {"lease_kea4", TEXT, AT(lease_kea4), ROOM(lease_kea4)},
    {"lease_kea6", TEXT, AT(lease_kea6), ROOM(lease_kea6)},
    {"lease_dhcpd", TEXT, AT(lease_dhcpd), ROOM(lease_dhcpd)},
    {"feed_poll_ms", NUMBER, AT(feed_poll_ms), 10, 60000},
    {"action_command_file", TEXT, AT(command_file), ROOM(command_file)},
    {"action_folder", TEXT, AT(action_folder), ROOM(action_folder)},
    {"action_parallel", NUMBER, AT(action_parallel), 1, 64},
    {"action_poll_ms", NUMBER, AT(action_poll_ms), 10, 60000},
    {"action_timeout_ms", NUMBER, AT(action_timeout_ms), 100, 600000},
};

#define NSETTINGS (sizeof(settings) / sizeof(settings[0]))

/* ---------------------------------------------------------------- addresses */

static bool
add_address(listen_list *to, int family, const char *host, long port)
{
    socket_address a;

    memset(&a, 0, sizeof(a));
    a.any.sa_family = (sa_family_t)family;
    if (to->n == CONFIG_LISTEN_MAX)
        return false;
    if (family == AF_INET) {
        a.in4.sin_port = htons((uint16_t)port);
        if (host != NULL && inet_pton(AF_INET, host, &a.in4.sin_addr) != 1)
            return false;
    } else {
        a.in6.sin6_port = htons((uint16_t)port);
        if (host != NULL && inet_pton(AF_INET6, host, &a.in6.sin6_addr) != 1)
            return false;
    }
    to->address[to->n++] = a;
    return true;
}

static bool
parse_one(char *text, listen_list *to)
{
    char *colon = strrchr(text, ':');
    char *end;
    long port;

    if (colon == NULL)
        return false;
    port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port < 1 || port > 65535)
        return false;
    *colon = '\0';
    if (strcmp(text, "*") == 0)
        return add_address(to, AF_INET, NULL, port) && add_address(to, AF_INET6, NULL, port);
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        return add_address(to, AF_INET6, text + 1, port);
    }
    return add_address(to, AF_INET, text, port);
}

int
config_parse_listen(const char *text, listen_list *to)
{
    char copy[CONFIG_TEXT_MAX];
    char *save = NULL;

    to->n = 0;
    if (strlen(text) >= sizeof(copy))
        return -1;
    strcpy(copy, text);
    for (char *one = strtok_r(copy, ", \t", &save); one; one = strtok_r(NULL, ", \t", &save))
        if (!parse_one(one, to))
            return -1;
    return 0;
}

/* ---------------------------------------------------------------- values */

static bool
read_number(const char *value, long min, long max, long *to)
{
    char *end;

    errno = 0;
    *to = strtol(value, &end, 10);
    return errno == 0 && end != value && *end == '\0' && *to >= min && *to <= max;
}

static bool
read_flag(const char *value, bool *to)
{
    *to = strcmp(value, "on") == 0;
    return *to || strcmp(value, "off") == 0;
}

/* "40000-40063" */
static bool
read_ports(const char *value, config *c)
{
    char *end;

    if (*value == '\0') {
        c->download_ports_first = c->download_ports_last = 0;
        return true;
    }
    c->download_ports_first = strtol(value, &end, 10);
    if (*end != '-')
        return false;
    return read_number(end + 1, c->download_ports_first, 65535, &c->download_ports_last) &&
           c->download_ports_first >= 1;
}

static bool
take(config *c, const setting *s, const char *value, char *why, size_t size)
{
    char *at = (char *)c + s->offset;

    switch (s->kind) {
    case TEXT:
        snprintf(why, size, "is longer than %ld bytes", s->max - 1);
        if ((long)strlen(value) >= s->max)
            return false;
        strcpy(at, value);
        return true;
    case NUMBER:
        snprintf(why, size, "is not a number from %ld to %ld", s->min, s->max);
        return read_number(value, s->min, s->max, (long *)at);
    case FLAG:
        snprintf(why, size, "is neither on nor off");
        return read_flag(value, (bool *)at);
    case LISTEN:
        snprintf(why, size, "is not a list of addresses with ports, as *:69 or [::1]:69");
        return config_parse_listen(value, (listen_list *)at) == 0;
    case PORTS:
        snprintf(why, size, "is not a range of ports, as 40000-40063");
        return read_ports(value, c);
    }
    return false;
}

/* ---------------------------------------------------------------- the file */

static void
set_defaults(config *c)
{
    memset(c, 0, sizeof(*c));
    if (gethostname(c->name, sizeof(c->name) - 1) != 0)
        strcpy(c->name, "nmsp-agent");
    strcpy(c->database, "");
    c->connections = 2;
    c->question_ms = 3000;
    c->download_sockets = 64;
    c->download_transfers = 4096;
    c->download_rate = 10;
    c->download_burst = 30;
    c->download_blksize = 1448;
    c->download_windowsize = 16;
    c->download_timeout_ms = 1000;
    c->download_tries = 5;
    strcpy(c->lookup_base, "o=nmsp");
    strcpy(c->feed_roots, "/etc/dhcp/nmsp, /srv/tftp, /var/lib/nmsp");
    c->feed_poll_ms = 500;
    snprintf(c->action_folder, sizeof(c->action_folder), "/run/nmsp-action");
    c->action_parallel = 16;
    c->action_poll_ms = 500;
    c->action_timeout_ms = 10000;
}

/* Cuts blanks at both ends, and quotes around the whole. */
static char *
trim(char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        text++;
    for (n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = '\0';
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text[n - 1] = '\0';
        text++;
    }
    return text;
}

static int
read_line(config *c, char *line, char *error, size_t size)
{
    char *equals = strchr(line, '=');
    char *name;
    char *value;

    while (isspace((unsigned char)*line))
        line++;
    if (*line == '\0' || *line == '#')
        return 0;
    if (equals == NULL) {
        snprintf(error, size, "there is no \"=\"");
        return -1;
    }
    *equals = '\0';
    name = trim(line);
    value = trim(equals + 1);
    for (size_t i = 0; i < NSETTINGS; i++) {
        char why[128];

        if (strcmp(settings[i].name, name) != 0)
            continue;
        if (take(c, &settings[i], value, why, sizeof(why)))
            return 0;
        snprintf(error, size, "value \"%.100s\" of \"%s\" %s", value, name, why);
        return -1;
    }
    snprintf(error, size, "unknown setting \"%.100s\"", name);
    return -1;
}

int
config_read(config *to, const char *file, char *error, size_t error_size)
{
    FILE *in = fopen(file, "re");
    char line[2 * CONFIG_TEXT_MAX];
    char why[400];
    int number = 0;
    int status = 0;

    set_defaults(to);
    if (in == NULL) {
        snprintf(error, error_size, "cannot read %s: %s", file, strerror(errno));
        return -1;
    }
    while (status == 0 && fgets(line, sizeof(line), in) != NULL) {
        number++;
        status = read_line(to, line, why, sizeof(why));
    }
    fclose(in);
    if (status != 0)
        snprintf(error, error_size, "%s line %d: %s", file, number, why);
    return status;
}

bool
config_leases(const config *c)
{
    return c->lease_kea4[0] != '\0' || c->lease_kea6[0] != '\0' || c->lease_dhcpd[0] != '\0';
}

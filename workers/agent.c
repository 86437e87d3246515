/*
 * agent.c: nmsp-agent, the process beside the database that the network talks to:
 *   nmsp-agent -c FILE        serves downloads (TFTP), time (RFC 868) and dhcpd's look-up, and
 *                           follows lease files
 *   nmsp-agent -f -c FILE     feeds daemons on this machine, as the server's feeder does on its own
 *   nmsp-agent -a -c FILE     does actions: resets modems, ends sessions
 *   nmsp-agent -t -c FILE     checks the configuration file only
 *
 * SIGTERM and SIGINT end it, SIGHUP reads the file again (listening addresses, sockets and user
 * stay as they are until a restart).
 */
#include "workers/action.h"
#include "workers/serve/lease.h"
#include "workers/serve/serve.h"
#include "workers/store_libpq.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define FEED_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

typedef struct agent {
    const char *file;
    config c;
    loop *l;
    database *d;
    download_service *downloads;
    watch signals;
} agent;

static bool to_syslog = false;
static bool with_debug = false;

void
agent_log(agent_level level, const char *format, ...)
{
    static const char *const words[] = {"ERROR", "WARNING", "LOG", "DEBUG"};
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    char text[1024];
    va_list args;

    if (level == AGENT_DEBUG && !with_debug)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    if (to_syslog) {
        syslog(priorities[level], "%s", text);
    } else {
        fprintf(stderr, "%s:  %s\n", words[level], text);
        fflush(stderr);
    }
}

static int
usage(void)
{
    fprintf(stderr, "usage: nmsp-agent [-f|-a|-t] -c FILE\n"
                    "  -c FILE  configuration file\n"
                    "  -f       feed daemons on this machine instead of serving\n"
                    "  -a       do actions instead of serving\n"
                    "  -t       only check the file\n");
    return 2;
}

/* Who was started by root to bind low ports becomes somebody without rights. */
static bool
become_user(const config *c)
{
    struct passwd *user;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0)
        return true;
    if (c->user[0] == '\0') {
        agent_log(AGENT_ERROR,
                  "this must not run as root: name a \"user\" in the configuration file");
        return false;
    }
    user = getpwnam(c->user);
    if (user == NULL || user->pw_uid == 0) {
        agent_log(AGENT_ERROR, "user \"%s\" %s", c->user, user ? "is root" : "does not exist");
        return false;
    }
    if (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) {
        agent_log(AGENT_ERROR, "cannot become \"%s\": %s", c->user, strerror(errno));
        return false;
    }
    return true;
}

static void
read_again(agent *a)
{
    config fresh;
    char error[600];

    if (config_read(&fresh, a->file, error, sizeof(error)) != 0) {
        agent_log(AGENT_ERROR, "%s; the configuration stays as it was", error);
        return;
    }
    with_debug = fresh.debug;
    database_reconfigure(a->d, &fresh);
    if (a->downloads != NULL)
        download_reconfigure(a->downloads, &fresh);
    a->c = fresh;
    agent_log(AGENT_INFO, "configuration read again");
}

static void
on_signal(watch *w, uint32_t events)
{
    agent *a = w->owner;
    struct signalfd_siginfo info;

    (void)events;
    while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            read_again(a);
        else
            loop_stop(a->l);
    }
}

static bool
watch_signals(agent *a)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    a->signals = (watch){
        .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .ready = on_signal, .owner = a};
    return a->signals.fd >= 0 && loop_watch(a->l, &a->signals, EPOLLIN) == 0;
}

static bool
start_services(agent *a)
{
    a->d = database_new(a->l, &a->c);
    if (a->d == NULL)
        return false;
    if (presence_start(a->l, &a->c, a->d) == NULL)
        return false;
    if (a->c.download_listen.n > 0) {
        a->downloads = download_start(a->l, &a->c, a->d);
        if (a->downloads == NULL)
            return false;
    }
    if (a->c.time_listen.n > 0 && time_start(a->l, &a->c) == NULL)
        return false;
    if (a->c.lookup_listen.n > 0 && lookup_start(a->l, &a->c, a->d) == NULL)
        return false;
    if (config_leases(&a->c) && lease_start(a->l, &a->c, a->d) == NULL)
        return false;
    return true;
}

/* Core files would hold secrets of CMTSs. */
static void
no_core_files(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int
serve(agent *a)
{
    a->l = loop_new();
    if (a->l == NULL || !watch_signals(a) || !start_services(a) || !become_user(&a->c))
        return 1;
    no_core_files();
    agent_log(AGENT_INFO, "nmsp-agent \"%s\" runs", a->c.name);
    loop_run(a->l);
    if (a->downloads != NULL)
        download_stop(a->downloads);
    agent_log(AGENT_INFO, "nmsp-agent ends");
    return 0;
}

/* The feed engine. It may run as any user, root too: whoever may write the targets' folders and run
 * the commands. Nothing from the network comes near it. */
static int
feed(agent *a)
{
    if (a->c.feed_agent[0] == '\0' ||
        strspn(a->c.feed_agent, FEED_NAME) != strlen(a->c.feed_agent)) {
        agent_log(AGENT_ERROR,
                  "\"feed_agent\" must be a name of letters, digits, '_' and '-': targets "
                  "with this name in their settings are served");
        return 1;
    }
    agent_log(AGENT_INFO, "feeder of the targets of \"%s\" runs", a->c.feed_agent);
    feed_run(store_libpq(a->file, &a->c));
    agent_log(AGENT_INFO, "feeder ends");
    return 0;
}

int
main(int argc, char **argv)
{
    static agent a;
    char error[600];
    bool check = false;
    bool feeder = false;
    bool actions = false;
    int option;

    while ((option = getopt(argc, argv, "c:fat")) != -1) {
        if (option == 'c')
            a.file = optarg;
        else if (option == 'f')
            feeder = true;
        else if (option == 'a')
            actions = true;
        else if (option == 't')
            check = true;
        else
            return usage();
    }
    if (a.file == NULL || optind < argc)
        return usage();
    if (config_read(&a.c, a.file, error, sizeof(error)) != 0) {
        fprintf(stderr, "nmsp-agent: %s\n", error);
        return 1;
    }
    if (check)
        return 0;
    to_syslog = a.c.syslog;
    with_debug = a.c.debug;
    if (to_syslog)
        openlog("nmsp-agent", LOG_PID, LOG_DAEMON);
    if (actions) {
        if (!become_user(&a.c))
            return 1;
        no_core_files();
        return action_run(a.file, &a.c);
    }
    return feeder ? feed(&a) : serve(&a);
}

/*
 * socket.c: UDP sockets that answer from the address a datagram came to, and TCP listeners.
 */
#include "workers/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_BUFFER (4 * 1024 * 1024) /* a whole CMTS that comes back at once */

/* A socket with this address that systemd bound and handed over (sd_listen_fds(3)): it stays open
 * while the agent is restarted, so that nobody is turned away meanwhile. -1: there is none. */
static int
inherited(const socket_address *address, int type)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    int n = pid && count && atoi(pid) == getpid() ? atoi(count) : 0;

    for (int fd = 3; fd < 3 + n && fd < 3 + CONFIG_LISTEN_MAX; fd++) {
        socket_address bound;
        socklen_t len = sizeof(bound);
        int kind = 0;
        socklen_t kind_len = sizeof(kind);

        memset(&bound, 0, sizeof(bound));
        if (getsockname(fd, &bound.any, &len) == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &kind_len) == 0 && kind == type &&
            socket_same(&bound, address, true)) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            return fd;
        }
    }
    return -1;
}

static int
open_bound(const socket_address *address, int type)
{
    int on = 1;
    int fd = inherited(address, type);
    int saved;

    if (fd >= 0)
        return fd;
    fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address->any, socket_length(address)) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int
socket_udp(const socket_address *address)
{
    int on = 1;
    int size = UDP_BUFFER;
    int pmtu = IP_PMTUDISC_DONT; /* let routers fragment: a modem has no other way to get it */
    int fd = open_bound(address, SOCK_DGRAM);

    if (fd < 0)
        return -1;
    if (address->any.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    } else {
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return fd;
}

int
socket_tcp(const socket_address *address)
{
    int fd = open_bound(address, SOCK_STREAM);

    if (fd >= 0 && listen(fd, 128) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Finds the address the datagram came to. */
static void
read_local(struct msghdr *message, datagram *d)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            d->local.in4.sin_addr = info.ipi_spec_dst;
            d->interface = 0;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            d->local.in6.sin6_addr = info.ipi6_addr;
            d->interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
        }
    }
}

bool
socket_receive(int fd, datagram *d, size_t size)
{
    struct iovec part = {d->data, size};
    union {
        char bytes[128];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_name = &d->peer,
                             .msg_namelen = sizeof(d->peer),
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t got;

    memset(&d->peer, 0, sizeof(d->peer));
    memset(&d->local, 0, sizeof(d->local));
    do
        got = recvmsg(fd, &message, 0);
    while (got < 0 && (errno == EINTR || errno == ECONNREFUSED));
    if (got < 0)
        return false;
    d->len = (size_t)got;
    d->local.any.sa_family = d->peer.any.sa_family;
    read_local(&message, d);
    return true;
}

void
socket_send(int fd, const datagram *to, const struct iovec *parts, int n)
{
    union {
        char bytes[128];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_name = (void *)&to->peer,
                             .msg_namelen = socket_length(&to->peer),
                             .msg_iov = (struct iovec *)parts,
                             .msg_iovlen = n,
                             .msg_control = control.bytes};
    struct cmsghdr *c = &control.align;

    memset(&control, 0, sizeof(control));
    if (to->peer.any.sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = to->local.in4.sin_addr};

        message.msg_controllen = CMSG_SPACE(sizeof(info));
        *c = (struct cmsghdr){
            .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    } else {
        struct in6_pktinfo info = {.ipi6_addr = to->local.in6.sin6_addr,
                                   .ipi6_ifindex = to->interface};

        message.msg_controllen = CMSG_SPACE(sizeof(info));
        *c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
                              .cmsg_type = IPV6_PKTINFO,
                              .cmsg_len = CMSG_LEN(sizeof(info))};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    }
    sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * address.c: socket addresses: equal, hashed, as text.
 */
#include "workers/serve/serve.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

socklen_t
socket_length(const socket_address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

bool
socket_same(const socket_address *a, const socket_address *b, bool with_port)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr &&
               (!with_port || a->in4.sin_port == b->in4.sin_port);
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
           (!with_port || a->in6.sin6_port == b->in6.sin6_port);
}

static uint32_t
mix(uint32_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash ^ (hash >> 15);
}

uint32_t
socket_hash(const socket_address *a, bool with_port)
{
    uint32_t hash = 2166136261u;

    if (a->any.sa_family == AF_INET) {
        hash = mix(hash, &a->in4.sin_addr, 4);
        return with_port ? mix(hash, &a->in4.sin_port, 2) : hash;
    }
    hash = mix(hash, &a->in6.sin6_addr, 16);
    return with_port ? mix(hash, &a->in6.sin6_port, 2) : hash;
}

void
socket_text(const socket_address *a, char *to, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    uint16_t port;

    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->in4.sin_addr, text, sizeof(text));
        port = ntohs(a->in4.sin_port);
    } else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
        inet_ntop(AF_INET, &a->in6.sin6_addr.s6_addr[12], text, sizeof(text));
        port = ntohs(a->in6.sin6_port);
    } else {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
        port = ntohs(a->in6.sin6_port);
    }
    if (port == 0)
        snprintf(to, size, "%s", text);
    else
        snprintf(to, size, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port);
}

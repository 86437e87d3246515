/*
 * text.c: growing buffers, array literals and messages.
 */
#include "workers/feed/feed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
feed_add(feed_buffer *buffer, const char *data, size_t len)
{
    if (buffer->failed)
        return;
    if (len > SIZE_MAX / 2 - buffer->len - 1) {
        buffer->failed = true;
        return;
    }
    if (buffer->len + len + 1 > buffer->size) {
        size_t size = (buffer->len + len + 1) * 2;
        char *grown = realloc(buffer->data, size);

        if (grown == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->data = grown;
        buffer->size = size;
    }
    if (len > 0)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
}

static void
separate(feed_buffer *buffer)
{
    if (buffer->len > 1)
        feed_add(buffer, ",", 1);
}

void
feed_add_element(feed_buffer *buffer, const char *data, size_t len)
{
    size_t from = 0;

    separate(buffer);
    if (data == NULL) {
        feed_add(buffer, "NULL", 4);
        return;
    }
    feed_add(buffer, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '"' || data[i] == '\\') {
            feed_add(buffer, data + from, i - from);
            feed_add(buffer, "\\", 1);
            from = i;
        }
    }
    feed_add(buffer, data + from, len - from);
    feed_add(buffer, "\"", 1);
}

void
feed_add_hex(feed_buffer *buffer, const char *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    if (data == NULL) {
        feed_add_element(buffer, NULL, 0);
        return;
    }
    separate(buffer);
    feed_add(buffer, "\"\\\\x", 4);
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[(data[i] >> 4) & 15], digits[data[i] & 15]};

        feed_add(buffer, pair, 2);
    }
    feed_add(buffer, "\"", 1);
}

void
feed_message(char *error, size_t error_size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, error_size, format, args);
    va_end(args);
}

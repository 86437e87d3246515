/*
 * error.c - error values and the writer's buffer.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool docsis_grow_malloc(docsis_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : 256;
    uint8_t *data;

    while (capacity < needed)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool docsis_reserve_slow(docsis_buffer *buffer, size_t more)
{
    if (more > SIZE_MAX / 4 - buffer->length || buffer->grow == NULL)
        return false;
    return buffer->grow(buffer, buffer->length + more);
}

bool docsis_put_uint(docsis_buffer *buffer, uint64_t value)
{
    char digits[20];
    int position = sizeof(digits);

    if (value < 10)
        return docsis_put(buffer, (uint8_t) ('0' + value));
    do {
        digits[--position] = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return docsis_put_bytes(buffer, digits + position, sizeof(digits) - position);
}

bool docsis_put_int(docsis_buffer *buffer, int64_t value)
{
    if (value < 0)
        return docsis_put(buffer, '-') && docsis_put_uint(buffer, 0 - (uint64_t) value);
    return docsis_put_uint(buffer, (uint64_t) value);
}

bool docsis_put_hex(docsis_buffer *buffer, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    if (!docsis_reserve(buffer, 2 * length))
        return false;
    for (size_t i = 0; i < length; i++) {
        buffer->data[buffer->length++] = digits[bytes[i] >> 4];
        buffer->data[buffer->length++] = digits[bytes[i] & 15];
    }
    return true;
}

bool docsis_error_set(docsis_error *error, docsis_code code, size_t offset,
                      const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return false;
    memset(error, 0, sizeof(*error));
    error->code = code;
    error->offset = offset;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return false;
}

void docsis_error_detail(docsis_error *error, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(error->detail, sizeof(error->detail), format, arguments);
    va_end(arguments);
}

void docsis_error_hint(docsis_error *error, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
}

void docsis_error_symbol(docsis_error *error, const char *name)
{
    if (error != NULL)
        snprintf(error->symbol, sizeof(error->symbol), "%s", name);
}

bool docsis_error_memory(docsis_error *error)
{
    return docsis_error_set(error, DOCSIS_NO_MEMORY, 0, "out of memory");
}

/*
 * Removes what printable output must not hold: a message quotes the input, and a
 * cut may have fallen inside a multi-byte character.
 */
static void make_printable(char *text)
{
    uint8_t *p = (uint8_t *) text;

    while (*p != 0) {
        int length = docsis_utf8_length(p, strlen((char *) p));

        if (length == 0 || *p < 32 || *p == 127) {
            *p++ = '?';
            continue;
        }
        p += length;
    }
}

void docsis_error_locate(docsis_error *error, const char *text, size_t length)
{
    char detail[sizeof(error->detail)];
    size_t offset;
    size_t line_start = 0;

    if (error == NULL || error->code == DOCSIS_NO_MEMORY)
        return;
    offset = error->offset < length ? error->offset : length;
    error->line = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            error->line++;
            line_start = i + 1;
        }
    }
    error->column = (int) (offset - line_start) + 1;
    memcpy(detail, error->detail, sizeof(detail));
    if (detail[0] == '\0')
        snprintf(error->detail, sizeof(error->detail), "Line %d, column %d.", error->line,
                 error->column);
    else
        snprintf(error->detail, sizeof(error->detail), "Line %d, column %d: %.350s", error->line,
                 error->column, detail);
    make_printable(error->message);
    make_printable(error->detail);
    make_printable(error->symbol);
}

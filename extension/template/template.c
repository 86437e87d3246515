/*
 * Expansion of placeholders, see template.h. A line is appended to the output with its values
 * replaced, then its expression (if any) is computed in place.
 */
#include "extension/template/native.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct slice {
    const char *start;
    size_t length;
} slice;

static bool
append(template_buffer *out, const char *data, size_t length)
{
    if (length == 0)
        return true;
    if (length > out->capacity - out->length &&
        (length > SIZE_MAX / 2 - out->length || !out->grow(out, out->length + length)))
        return false;
    memcpy(out->data + out->length, data, length);
    out->length += length;
    return true;
}

/* A placeholder's name: letters, digits, '_', '-' and dots, as in qos.ds_rate_max.0. */
static bool
is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* Appends the line with every placeholder that has a value replaced; the others stay. */
static bool
replace_values(slice line, template_lookup lookup, void *context, template_buffer *out)
{
    const char *p = line.start, *end = line.start + line.length;

    while (p < end) {
        const char *brace = memchr(p, '{', end - p);
        const char *close;
        const char *value;
        size_t value_length;

        if (brace == NULL)
            break;
        for (close = brace + 1; close < end && is_name_character(*close); close++)
            ;
        if (close < end && *close == '}' && close > brace + 1 &&
            lookup(context, brace + 1, close - brace - 1, &value, &value_length)) {
            if (!append(out, p, brace - p) || !append(out, value, value_length))
                return false;
            p = close + 1;
        } else {
            if (!append(out, p, brace + 1 - p))
                return false;
            p = brace + 1;
        }
    }
    return append(out, p, end - p);
}

/*
 * Finds what counts as the line's expression: the first '{' that a '}' follows before the next '{';
 * it reaches to the last such '}'.
 */
static bool
find_expression(slice line, slice *found)
{
    const char *end = line.start + line.length;

    for (const char *p = line.start; p < end; p++) {
        const char *last = NULL;

        if (*p != '{')
            continue;
        for (const char *q = p + 1; q < end && *q != '{'; q++)
            if (*q == '}')
                last = q;
        if (last != NULL) {
            found->start = p;
            found->length = last + 1 - p;
            return true;
        }
    }
    return false;
}

static slice
trim_braces(slice s)
{
    while (s.length > 0 && (*s.start == '{' || *s.start == '}')) {
        s.start++;
        s.length--;
    }
    while (s.length > 0 && (s.start[s.length - 1] == '{' || s.start[s.length - 1] == '}'))
        s.length--;
    return s;
}

/* Splits at commas into at most 3 parts; returns their number, 4 when there are more. */
static int
split(slice s, slice parts[3])
{
    int count = 0;

    for (;;) {
        const char *comma = memchr(s.start, ',', s.length);
        size_t length = comma ? (size_t)(comma - s.start) : s.length;

        if (count == 3)
            return 4;
        parts[count++] = (slice){s.start, length};
        if (comma == NULL)
            return count;
        s.start += length + 1;
        s.length -= length + 1;
    }
}

static bool
to_number(slice s, double *number)
{
    char text[64];
    char *end;

    while (s.length > 0 && isspace((unsigned char)*s.start)) {
        s.start++;
        s.length--;
    }
    while (s.length > 0 && isspace((unsigned char)s.start[s.length - 1]))
        s.length--;
    if (s.length == 0 || s.length >= sizeof text)
        return false;
    for (size_t i = 0; i < s.length; i++)
        if (!isdigit((unsigned char)s.start[i]) && memchr(".+-eE", s.start[i], 5) == NULL)
            return false;
    memcpy(text, s.start, s.length);
    text[s.length] = '\0';
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

static bool
to_integer(slice s, long *integer)
{
    double number;

    if (!to_number(s, &number) || number != floor(number) || fabs(number) > 1e9)
        return false;
    *integer = (long)number;
    return true;
}

static bool
calculate(slice left, char operator, slice right, char *result, size_t size, size_t *length)
{
    double a, b, r;

    if (!to_number(left, &a) || !to_number(right, &b))
        return false;
    switch (operator) {
    case '+':
        r = a + b;
        break;
    case '-':
        r = a - b;
        break;
    case '*':
        r = a * b;
        break;
    default:
        if (b == 0)
            return false;
        r = a / b;
        break;
    }
    r = round(r);
    if (!isfinite(r) || fabs(r) > 1e18)
        return false;
    *length = snprintf(result, size, "%.0f", r == 0 ? 0.0 : r);
    return true;
}

/* Substring by byte positions: negative start counts from the end, negative count leaves a rest. */
static slice
substring(slice s, long start, long count)
{
    long length = (long)s.length;

    if (start < 0)
        start = start + length < 0 ? 0 : start + length;
    if (start > length)
        start = length;
    if (count < 0)
        count = length - start + count < 0 ? 0 : length - start + count;
    if (count > length - start)
        count = length - start;
    return (slice){s.start + start, (size_t)count};
}

/*
 * Value of an expression (its braces included). number is scratch space of at least 32 bytes.
 * Returns false when it is none of the four forms: then the line is dropped.
 */
static bool
evaluate(slice expression, char *number, slice *result)
{
    slice parts[3];
    int count = split(trim_braces(expression), parts);
    long start, length;

    if (count == 3 && parts[1].length == 1 && parts[1].start[0] == '?') {
        *result = memchr(parts[0].start, '}', parts[0].length) ? parts[2] : parts[0];
        return true;
    }
    if (count == 3 && parts[1].length == 1 && memchr("+-*/", parts[1].start[0], 4) != NULL) {
        result->start = number;
        return calculate(parts[0], parts[1].start[0], parts[2], number, 32, &result->length);
    }
    if ((count == 2 || count == 3) && memchr(parts[0].start, '}', parts[0].length) == NULL &&
        to_integer(parts[1], &start)) {
        length = (long)parts[0].length;
        if (count == 3 && !to_integer(parts[2], &length))
            return false;
        *result = substring(parts[0], start, length);
        return true;
    }
    return false;
}

/*
 * Computes the expression of the line that stands at the end of out, in place; a line whose braces
 * hold no expression is taken away.
 */
static bool
finish_line(template_buffer *out, size_t start)
{
    slice line, expression, value;
    char number[32];
    size_t open, close, rest;

    if (out->length == start)
        return true;
    line = (slice){out->data + start, out->length - start};
    if (!find_expression(line, &expression))
        return true;
    if (!evaluate(expression, number, &value)) {
        out->length = start;
        return true;
    }
    /* The value takes the place of everything from the line's first '{' to its last '}'. */
    open = (const char *)memchr(line.start, '{', line.length) - line.start;
    for (close = line.length; line.start[close - 1] != '}'; close--)
        ;
    rest = line.length - close;
    if (value.start == number) {
        size_t length = start + open + value.length + rest;

        if (length > out->capacity && !out->grow(out, length))
            return false;
        memmove(out->data + start + open + value.length, out->data + start + close, rest);
        memcpy(out->data + start + open, number, value.length);
    } else {
        memmove(out->data + start + open, value.start, value.length);
        memmove(out->data + start + open + value.length, out->data + start + close, rest);
    }
    out->length = start + open + value.length + rest;
    return true;
}

/* Which lines count, by the conditions so far. */
typedef struct branches {
    text_state state;
    int depth;         /* of #if */
    int skipped;       /* the depth whose branch is left out; 0: none */
} branches;

/* Follows the conditions; true when the line is text that counts. */
static bool
counts(branches *b, slice line, template_lookup lookup, void *context)
{
    const char *end = line.start + line.length, *rest, *rest_end;

    switch (b->state.in == IN_TEXT ? native_directive(line.start, end, &rest, &rest_end)
                                   : DIRECTIVE_NONE) {
    case DIRECTIVE_IF:
        b->depth++;
        if (b->skipped == 0 && !native_condition(rest, rest_end, lookup, context))
            b->skipped = b->depth;
        return false;
    case DIRECTIVE_ELSE:
        if (b->depth > 0 && (b->skipped == 0 || b->skipped == b->depth))
            b->skipped = b->skipped == 0 ? b->depth : 0;
        return false;
    case DIRECTIVE_ENDIF:
        if (b->skipped == b->depth)
            b->skipped = 0;
        b->depth -= b->depth > 0;
        return false;
    case DIRECTIVE_OVERRIDE:
        return false;
    default:
        native_scan_line(&b->state, line.start, end);
        return b->skipped == 0;
    }
}

bool
template_expand(const char *source, size_t length, template_lookup lookup, void *context,
                template_buffer *out)
{
    const char *p = source, *end = source + length;
    bool native = template_is_native(source, length);
    branches b = {.state.clean = true};

    while (p < end) {
        const char *newline = memchr(p, '\n', end - p);
        slice line = {p, (newline ? newline : end) - p};
        size_t start = out->length;

        if ((!native || counts(&b, line, lookup, context)) &&
            (!replace_values(line, lookup, context, out) || !finish_line(out, start)))
            return false;
        if (newline == NULL)
            break;
        if (!append(out, "\n", 1))
            return false;
        p = newline + 1;
    }
    return true;
}

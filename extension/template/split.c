/*
 * Cutting a template into pieces that can be encoded on their own, see template.h. The scanner knows
 * just enough of the text language: comments, strings, braces, and what ends a statement.
 */
#include "extension/template/native.h"

#include <ctype.h>
#include <string.h>

#define NESTING 32

typedef struct scanner {
    const char *end;
    int depth;         /* of groups */
    bool in_comment;
    bool clean;        /* between two statements */
    int conditions;    /* open ones; groups that are open where they begin: */
    int depth_of[NESTING];
} scanner;

static bool
is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

void
template_names(const char *text, size_t length,
               void (*found)(void *context, const char *name, size_t name_length), void *context)
{
    const char *end = text + length;

    for (const char *p = text; p < end; p++) {
        const char *close = p + 1;

        if (*p != '{')
            continue;
        while (close < end && is_name_character(*close))
            close++;
        if (close < end && *close == '}' && close > p + 1)
            found(context, p + 1, close - p - 1);
    }
}

bool
template_is_plain(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < 0x20 || strchr("{}\"\\;*", value[i]) != NULL)
            return false;
    return true;
}

bool
template_is_dynamic_line(const char *line, const char *end)
{
    bool open = false;

    for (; line < end; line++) {
        if (*line == '{')
            open = true;
        else if (*line == '}' && open)
            return true;
    }
    return false;
}

/* End of the balanced braces that begin at p, or NULL. */
static const char *
skip_braces(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        if (*p == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p + 1;
    }
    return NULL;
}

/* Past the string that begins at p; NULL when it does not end on this line. */
static const char *
skip_string(const char *p, const char *end, bool dynamic)
{
    for (p++; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '{' && dynamic) {
            p = skip_braces(p, end);
            if (p == NULL)
                return NULL;
            p--;
        }
    }
    return NULL;
}

/* One token or character of a line outside of comments; NULL when the line cannot be cut. */
static const char *
scan_token(scanner *s, const char *p, const char *end, bool dynamic)
{
    switch (*p) {
    case '"':
        s->clean = false;
        return skip_string(p, end, dynamic);
    case '{':
        s->clean = !dynamic;
        if (dynamic)
            return skip_braces(p, end);
        s->depth++;
        return p + 1;
    case '}':
        s->clean = true;
        return !dynamic && --s->depth >= 0 ? p + 1 : NULL;
    case ';':
        s->clean = true;
        return p + 1;
    case ' ':
    case '\t':
    case '\r':
        return p + 1;
    default:
        s->clean = false;
        return p + 1;
    }
}

static bool
scan_line(scanner *s, const char *p, const char *end, bool dynamic)
{
    if (dynamic && s->in_comment)
        return false;
    while (p < end) {
        bool mark = end - p > 1;

        if (s->in_comment) {
            if (mark && p[0] == '*' && p[1] == '/') {
                s->in_comment = false;
                p++;
            }
            p++;
        } else if (mark && p[0] == '/' && p[1] == '*') {
            s->in_comment = true;
            p += 2;
        } else {
            p = scan_token(s, p, end, dynamic);
            if (p == NULL)
                return false;
        }
    }
    return !(dynamic && s->in_comment);
}

/* A condition and its branches stay in one piece; false when they do not stand between statements. */
static bool
scan_directive(scanner *s, directive_kind kind)
{
    if (!s->clean)
        return false;
    if (kind == DIRECTIVE_IF) {
        if (s->conditions == NESTING)
            return false;
        s->depth_of[s->conditions++] = s->depth;
    } else if (kind != DIRECTIVE_OVERRIDE) {
        if (s->conditions == 0 || s->depth != s->depth_of[s->conditions - 1])
            return false;
        s->conditions -= kind == DIRECTIVE_ENDIF;
    }
    return true;
}

bool
template_split(const char *source, size_t length,
               void (*piece)(void *context, const char *start, size_t length, bool dynamic),
               void *context)
{
    scanner s = {.end = source + length, .clean = true};
    const char *constant = source; /* begin of the constant pieces not reported yet */
    const char *start = source;    /* begin of the present piece */
    bool dynamic = false, native = template_is_native(source, length);

    for (const char *p = source; p < s.end;) {
        const char *newline = memchr(p, '\n', s.end - p);
        const char *line_end = newline ? newline : s.end, *rest, *rest_end;
        directive_kind kind = native && !s.in_comment
                                  ? native_directive(p, line_end, &rest, &rest_end) : DIRECTIVE_NONE;
        bool dynamic_line = kind != DIRECTIVE_NONE || template_is_dynamic_line(p, line_end);

        if (kind != DIRECTIVE_NONE ? !scan_directive(&s, kind)
                                   : !scan_line(&s, p, line_end, dynamic_line))
            return false;
        dynamic |= dynamic_line;
        p = newline ? newline + 1 : s.end;
        if (s.depth > 0 || s.in_comment || !s.clean || s.conditions > 0)
            continue;
        if (dynamic) {
            if (start > constant)
                piece(context, constant, start - constant, false);
            piece(context, start, p - start, true);
            constant = p;
        }
        start = p;
        dynamic = false;
    }
    if (start != s.end || s.depth != 0 || s.in_comment)
        return false;
    if (s.end > constant)
        piece(context, constant, s.end - constant, false);
    return true;
}

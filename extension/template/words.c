/*
 * Words of the text language, see template.h.
 */
#include "extension/template/template.h"

#include <ctype.h>
#include <string.h>

/* Past the comment or string that begins at p, or p itself. What is not closed reaches to the end. */
static const char *
skip_comment_or_string(const char *p, const char *end)
{
    if (end - p > 1 && p[0] == '/' && p[1] == '*') {
        for (p += 2; p < end && !(end - p > 1 && p[0] == '*' && p[1] == '/'); p++)
            ;
        return end - p > 1 ? p + 2 : end;
    }
    if (*p != '"')
        return p;
    for (p++; p < end && *p != '"' && *p != '\n'; p++)
        if (*p == '\\' && end - p > 1)
            p++;
    return p < end ? p + 1 : end;
}

bool
template_contains_word(const char *text, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    const char *end = text + length;

    for (const char *p = text; p < end;) {
        const char *next = skip_comment_or_string(p, end);
        const char *start = next;

        while (next < end && isalnum((unsigned char)*next))
            next++;
        if (next - start == word_length && memcmp(start, word, word_length) == 0)
            return true;
        p = next > p ? next : p + 1;
    }
    return false;
}

/* A comment that is still open would swallow what follows: its text is no empty one. */
static bool
is_closed_comment(const char *p, const char *next)
{
    return next - p >= 4 && next[-2] == '*' && next[-1] == '/';
}

static bool
is_blank(const char *p, const char *end)
{
    return *p == ' ' || *p == '\t' || *p == '\n' || (*p == '\r' && end - p > 1 && p[1] == '\n');
}

bool
template_has_statement(const char *text, size_t length)
{
    const char *end = text + length;

    for (const char *p = text; p < end;) {
        const char *next = *p == '"' ? p : skip_comment_or_string(p, end);

        if (next == p ? !is_blank(p, end) : !is_closed_comment(p, next))
            return true;
        p = next > p ? next : p + 1;
    }
    return false;
}

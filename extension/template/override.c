/*
 * #override: statements of a template's parents that its own text replaces. See template.h.
 */
#include "extension/template/native.h"

#include <ctype.h>
#include <string.h>

typedef struct target {
    const char *name, *name_end;
    const char *words, *words_end;   /* what must stand in the statement; empty: anything */
    int found;
} target;

typedef void (*statement_visitor)(target *t, char *start, char *end);

/* Calls visit for each statement and group of the text that is in no other. */
static void
each_statement(char *text, char *end, statement_visitor visit, target *t)
{
    text_state state = {.clean = true};
    char *start = NULL;

    for (char *line = text; line < end;) {
        char *newline = memchr(line, '\n', end - line);
        char *line_end = newline ? newline : end, *next;
        bool dynamic = template_is_dynamic_line(line, line_end), brace = false;
        const char *rest, *rest_end;

        for (char *p = line; p < line_end; p = next) {
            bool text_before = state.in == IN_TEXT;

            if (p == line && text_before && native_directive(line, line_end, &rest, &rest_end))
                break;
            next = (char *)native_scan_unit(&state, line, p, line_end, dynamic);
            if (!text_before || state.in == IN_COMMENT || *p == ' ' || *p == '\t' || *p == '\r')
                continue;
            brace = *p == '{';
            if (start == NULL)
                start = p;
            if (state.depth <= 0 && state.clean && *p != '{') {
                visit(t, start, next);
                start = NULL;
            }
        }
        /* A group on one line is dropped; it has no semicolon to end it. */
        if (start != NULL && dynamic && brace && state.depth <= 0 && state.in == IN_TEXT) {
            visit(t, start, line_end);
            start = NULL;
        }
        line = newline ? newline + 1 : end;
    }
}

/* Does the text begin with these words, whatever space is between them? exact: and end with them? */
static bool
has_words(const char *p, const char *end, const char *word, const char *word_end, bool exact)
{
    for (;;) {
        while (p < end && isspace((unsigned char)*p))
            p++;
        while (word < word_end && isspace((unsigned char)*word))
            word++;
        if (word == word_end)
            return !exact || p == end;
        while (word < word_end && !isspace((unsigned char)*word))
            if (p == end || *p++ != *word++)
                return false;
        if (p < end && !isspace((unsigned char)*p))
            return false;
    }
}

static void
visit_inner(target *t, char *start, char *end)
{
    if (end[-1] == ';')
        end--;
    t->found += has_words(start, end, t->words, t->words_end, true);
}

static bool
is_meant(target *t, char *start, char *end)
{
    char *p = start, *brace;
    target inner = *t;

    while (p < end && (isalnum((unsigned char)*p) || *p == '_'))
        p++;
    if (p - start != t->name_end - t->name || memcmp(start, t->name, p - start) != 0)
        return false;
    if (t->words == t->words_end)
        return true;
    brace = memchr(p, '{', end - p);
    if (end[-1] != '}' || brace == NULL)
        return has_words(p, end[-1] == ';' ? end - 1 : end, t->words, t->words_end, false);
    inner.found = 0;
    each_statement(brace + 1, end - 1, visit_inner, &inner);
    return inner.found > 0;
}

/* Blanks the statement when it is meant; lines stay. */
static void
visit_outer(target *t, char *start, char *end)
{
    if (!is_meant(t, start, end))
        return;
    t->found++;
    for (; start < end; start++)
        if (*start != '\n')
            *start = ' ';
}

bool
template_override(const char *source, size_t length, char *parents, size_t parents_length,
                  template_problem *problem)
{
    const char *end = source + length;
    text_state state = {.clean = true};
    bool good = true;
    int number = 1;

    if (length == 0 || memchr(source, '#', length) == NULL)
        return true;
    for (const char *p = source; p < end; number++) {
        const char *newline = memchr(p, '\n', end - p);
        const char *line_end = newline ? newline : end, *rest, *rest_end;
        directive_kind kind = state.in == IN_TEXT ? native_directive(p, line_end, &rest, &rest_end)
                                                  : DIRECTIVE_NONE;

        if (kind == DIRECTIVE_NONE)
            native_scan_line(&state, p, line_end);
        if (kind == DIRECTIVE_OVERRIDE) {
            target t = {.name = rest, .name_end = rest};

            while (t.name_end < rest_end && (isalnum((unsigned char)*t.name_end) || *t.name_end == '_'))
                t.name_end++;
            for (t.words = t.name_end; t.words < rest_end && isspace((unsigned char)*t.words);)
                t.words++;
            t.words_end = rest_end > t.words && rest_end[-1] == ';' ? rest_end - 1 : rest_end;
            if (t.name_end > t.name)
                each_statement(parents, parents + parents_length, visit_outer, &t);
            if (t.found == 0 && good && problem != NULL)
                *problem = (template_problem){number, (int)(rest - p) + 1,
                                              "#override meets no statement of a parent",
                                              "Write #override and a TLV's name, then what stands "
                                              "in it if there are several: #override UsServiceFlow "
                                              "UsServiceFlowRef 1."};
            good &= t.found > 0;
        }
        p = newline ? newline + 1 : end;
    }
    return good;
}

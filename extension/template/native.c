/*
 * Conditions of templates: #if, #else, #endif. See template.h and native.h.
 */
#include "extension/template/native.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NESTING 32

/* ---- lines --------------------------------------------------------------- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

directive_kind
native_directive(const char *line, const char *end, const char **rest, const char **rest_end)
{
    static const struct {
        const char *word;
        directive_kind kind;
    } words[] = {{"if", DIRECTIVE_IF},
                 {"else", DIRECTIVE_ELSE},
                 {"endif", DIRECTIVE_ENDIF},
                 {"override", DIRECTIVE_OVERRIDE}};
    const char *word;

    while (line < end && is_blank(*line))
        line++;
    if (line == end || *line != '#' || memchr(line, '{', end - line) || memchr(line, '}', end - line))
        return DIRECTIVE_NONE;
    for (word = ++line; line < end && isalpha((unsigned char)*line); line++)
        ;
    if (line < end && !is_blank(*line))
        return DIRECTIVE_NONE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) != (size_t)(line - word) ||
            memcmp(words[i].word, word, line - word) != 0)
            continue;
        while (line < end && is_blank(*line))
            line++;
        while (end > line && is_blank(end[-1]))
            end--;
        *rest = line;
        *rest_end = end;
        return words[i].kind;
    }
    return DIRECTIVE_NONE;
}

/* Past the braces of a placeholder or expression, or to the end of the line. */
static const char *
skip_placeholder(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        if (*p == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p + 1;
    }
    return end;
}

/* The rest of a string on this line: a backslash keeps a quote, in E"..." a backslash too. */
static const char *
scan_string(text_state *state, const char *p, const char *end, bool dynamic)
{
    while (p < end) {
        if (*p == '{' && dynamic) {
            p = skip_placeholder(p, end);
        } else if (*p == '\\' && end - p > 1 &&
                   (p[1] == '"' || (p[1] == '\\' && state->in == IN_FULL_STRING))) {
            p += 2;
        } else if (*p++ == '"') {
            state->in = IN_TEXT;
            return p;
        }
    }
    return p;
}

static const char *
scan_comment(text_state *state, const char *p, const char *end)
{
    for (; p < end; p++)
        if (end - p > 1 && p[0] == '*' && p[1] == '/') {
            state->in = IN_TEXT;
            return p + 2;
        }
    return p;
}

/* One character outside of comments and strings, or a placeholder. */
static const char *
scan_character(text_state *state, const char *line, const char *p, const char *end, bool dynamic)
{
    if (is_blank(*p))
        return p + 1;
    state->clean = *p == ';' || (!dynamic && (*p == '{' || *p == '}'));
    if (*p == '"')
        state->in = p > line && p[-1] == 'E' ? IN_FULL_STRING : IN_STRING;
    else if (*p == '{' && dynamic)
        return skip_placeholder(p, end);
    else if (*p == '{')
        state->depth++;
    else if (*p == '}' && !dynamic)
        state->depth--;
    return p + 1;
}

const char *
native_scan_unit(text_state *state, const char *line, const char *p, const char *end, bool dynamic)
{
    if (state->in == IN_COMMENT)
        return scan_comment(state, p, end);
    if (state->in != IN_TEXT)
        return scan_string(state, p, end, dynamic);
    if (end - p > 1 && p[0] == '/' && p[1] == '*') {
        state->in = IN_COMMENT;
        return p + 2;
    }
    return scan_character(state, line, p, end, dynamic);
}

void
native_scan_line(text_state *state, const char *line, const char *end)
{
    bool dynamic = template_is_dynamic_line(line, end);

    for (const char *p = line; p < end;)
        p = native_scan_unit(state, line, p, end, dynamic);
}

/* ---- values -------------------------------------------------------------- */

typedef struct word {
    const char *start;
    size_t length;
} word;

typedef enum value_type { TYPE_NONE, TYPE_NUMBER, TYPE_STRING, TYPE_IP, TYPE_MAC, TYPE_BOOL } value_type;

static bool
to_number(word w, double *number)
{
    char text[64], *end;

    if (w.length == 0 || w.length >= sizeof text)
        return false;
    for (size_t i = 0; i < w.length; i++)
        if (!isdigit((unsigned char)w.start[i]) && memchr(".-", w.start[i], 2) == NULL)
            return false;
    memcpy(text, w.start, w.length);
    text[w.length] = '\0';
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

static bool
to_ip(word w, double *number)
{
    uint32_t address = 0;
    size_t i = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t start = i;

        if (part > 0 && (i == w.length || w.start[i++] != '.'))
            return false;
        start = i;
        while (i < w.length && i - start < 3 && isdigit((unsigned char)w.start[i]))
            value = value * 10 + (w.start[i++] - '0');
        if (i == start || value > 255)
            return false;
        address = address << 8 | value;
    }
    *number = address;
    return i == w.length;
}

static bool
to_mac(word w, double *number)
{
    uint64_t address = 0;

    if (w.length != 17)
        return false;
    for (size_t i = 0; i < 17; i++) {
        char c = w.start[i];

        if (i % 3 == 2) {
            if (c != ':')
                return false;
        } else if (!isxdigit((unsigned char)c)) {
            return false;
        } else {
            address = address << 4 | (isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10);
        }
    }
    *number = (double)address; /* 48 bits fit */
    return true;
}

static bool
is_word(word w, const char *text)
{
    return strlen(text) == w.length && memcmp(w.start, text, w.length) == 0;
}

/* A value of this type; everything but strings is a number. */
static bool
to_value(word w, value_type type, double *number)
{
    switch (type) {
    case TYPE_NUMBER:
        return to_number(w, number);
    case TYPE_IP:
        return to_ip(w, number);
    case TYPE_MAC:
        return to_mac(w, number);
    case TYPE_BOOL: /* columns that are true are 1, false nothing or 0 */
        *number = is_word(w, "1") || is_word(w, "true");
        return *number == 1 || w.length == 0 || is_word(w, "0") || is_word(w, "false");
    default:
        return type == TYPE_STRING;
    }
}

/* The type that the right side is written in; its quotes go. */
static value_type
literal_type(word *w)
{
    double number;

    if (w->length >= 2 && w->start[0] == '"' && w->start[w->length - 1] == '"' &&
        memchr(w->start + 1, '"', w->length - 2) == NULL) {
        *w = (word){w->start + 1, w->length - 2};
        return TYPE_STRING;
    }
    if (is_word(*w, "true") || is_word(*w, "false"))
        return TYPE_BOOL;
    for (value_type type = TYPE_NUMBER; type <= TYPE_MAC; type++)
        if (type != TYPE_STRING && to_value(*w, type, &number))
            return type;
    return TYPE_NONE;
}

static int
compare(word a, word b, value_type type, bool *comparable)
{
    double x, y;
    int order;

    *comparable = to_value(a, type, &x) && to_value(b, type, &y);
    if (!*comparable)
        return 1;
    if (type != TYPE_STRING)
        return (x > y) - (x < y);
    order = a.length + b.length > 0
                ? memcmp(a.start, b.start, a.length < b.length ? a.length : b.length) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* ---- conditions ---------------------------------------------------------- */

typedef enum operator_kind { OP_SET, OP_UNSET, OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT, OP_NONE } operator_kind;

typedef struct condition {
    word name;
    operator_kind operator;
    word value;
    value_type type;
} condition;

static const char *const operator_words[OP_NONE] = {"set", "unset", "=", "<>", "<=", ">=", "<", ">"};

static const char *
next_word(const char *p, const char *end, word *w)
{
    while (p < end && is_blank(*p))
        p++;
    w->start = p;
    while (p < end && !is_blank(*p))
        p++;
    w->length = p - w->start;
    return p;
}

static bool
is_name(word w)
{
    bool dot = false;

    for (size_t i = 0; i < w.length; i++) {
        if (!isalnum((unsigned char)w.start[i]) && memchr("_-.", w.start[i], 3) == NULL)
            return false;
        dot |= w.start[i] == '.';
    }
    return w.length > 0 && isalpha((unsigned char)w.start[0]) && dot;
}

/* Reads a condition; on failure message says what is wrong and the place is returned, else NULL. */
static const char *
read_condition(const char *p, const char *end, condition *c, const char **message)
{
    word operator;

    p = next_word(p, end, &c->name);
    *message = "the condition does not begin with the name of a placeholder";
    if (!is_name(c->name))
        return c->name.start;
    p = next_word(p, end, &operator);
    for (c->operator = OP_SET; c->operator < OP_NONE; c->operator++)
        if (is_word(operator, operator_words[c->operator]))
            break;
    *message = "the condition has no operator";
    if (c->operator == OP_NONE)
        return operator.start;
    while (p < end && is_blank(*p))
        p++;
    c->value = (word){p, end - p};
    *message = "the condition goes on behind its end";
    if (c->operator <= OP_UNSET)
        return p < end ? p : NULL;
    c->type = literal_type(&c->value);
    *message = "the condition compares with no value";
    return c->type == TYPE_NONE ? p : NULL;
}

bool
native_condition(const char *rest, const char *end, template_lookup lookup, void *context)
{
    condition c;
    const char *message;
    word value = {"", 0};
    bool known, comparable;
    int order;

    if (read_condition(rest, end, &c, &message) != NULL)
        return false;
    known = lookup(context, c.name.start, c.name.length, &value.start, &value.length);
    if (c.operator <= OP_UNSET)
        return (known && value.length > 0) == (c.operator == OP_SET);
    if (!known)
        return c.operator == OP_NE;
    order = compare(value, c.value, c.type, &comparable);
    if (!comparable)
        return c.operator == OP_NE;
    return c.operator == OP_EQ   ? order == 0
           : c.operator == OP_NE ? order != 0
           : c.operator == OP_LE ? order <= 0
           : c.operator == OP_GE ? order >= 0
           : c.operator == OP_LT ? order < 0
                                 : order > 0;
}

/* ---- whole texts --------------------------------------------------------- */

/* Calls found() for each directive outside of comments and strings; it may be NULL. False: none. */
static bool
each_directive(const char *source, size_t length,
               void (*found)(void *context, directive_kind kind, const char *rest, const char *end),
               void *context)
{
    const char *end = source + length;
    text_state state = {.clean = true};
    bool any = false;

    if (length == 0 || memchr(source, '#', length) == NULL)
        return false;
    for (const char *p = source; p < end;) {
        const char *newline = memchr(p, '\n', end - p);
        const char *line_end = newline ? newline : end, *rest, *rest_end;
        directive_kind kind = state.in == IN_TEXT ? native_directive(p, line_end, &rest, &rest_end)
                                                  : DIRECTIVE_NONE;

        if (kind == DIRECTIVE_NONE) {
            native_scan_line(&state, p, line_end);
        } else {
            any = true;
            if (found == NULL)
                return true;
            found(context, kind, rest, rest_end);
        }
        p = newline ? newline + 1 : end;
    }
    return any;
}

bool
template_is_native(const char *source, size_t length)
{
    return each_directive(source, length, NULL, NULL);
}

typedef struct name_visitor {
    void (*found)(void *context, const char *name, size_t name_length);
    void *context;
} name_visitor;

static void
visit_name(void *context, directive_kind kind, const char *rest, const char *end)
{
    name_visitor *visitor = context;
    condition c;
    const char *message;

    if (kind == DIRECTIVE_IF && read_condition(rest, end, &c, &message) == NULL)
        visitor->found(visitor->context, c.name.start, c.name.length);
}

void
template_condition_names(const char *text, size_t length,
                         void (*found)(void *context, const char *name, size_t name_length),
                         void *context)
{
    name_visitor visitor = {found, context};

    each_directive(text, length, visit_name, &visitor);
}

/* ---- the check ----------------------------------------------------------- */

typedef struct checker {
    template_problem *problem;
    text_state state;
    int line, depth;
    struct {
        int line, depth;
        bool has_else;
    } open[NESTING];
} checker;

static bool
fail(checker *c, const char *line, const char *place, const char *message, const char *hint)
{
    *c->problem = (template_problem){c->line, (int)(place - line) + 1, message, hint};
    return false;
}

static bool
check_if(checker *c, const char *line, const char *hash, const char *rest, const char *end)
{
    condition read;
    const char *message, *place = read_condition(rest, end, &read, &message);

    if (c->depth == NESTING)
        return fail(c, line, hash, "#if is nested too deeply", "At most 32 stand in each other.");
    if (place != NULL)
        return fail(c, line, place, message,
                    "Write #if qos.us_rate_max.0 > 20, or modem.name.0 set (unset); the operators are "
                    "= <> < > <= >=, a value is a number, \"text\", true, false, an IPv4 or MAC address.");
    c->open[c->depth].line = c->line;
    c->open[c->depth].has_else = false;
    c->open[c->depth++].depth = c->state.depth;
    return true;
}

/* #else or #endif */
static bool
check_branch_end(checker *c, directive_kind kind, const char *line, const char *hash,
                 const char *rest, const char *end)
{
    if (c->depth == 0)
        return fail(c, line, hash,
                    kind == DIRECTIVE_ELSE ? "#else without an #if" : "#endif without an #if",
                    "In an #if the name of the placeholder stands without braces.");
    if (rest < end)
        return fail(c, line, rest, "nothing may follow #else and #endif", "Write it on the next line.");
    if (c->state.depth != c->open[c->depth - 1].depth)
        return fail(c, line, hash, "a group reaches across a condition",
                    "Open and close it between the same two of #if, #else and #endif.");
    if (kind == DIRECTIVE_ENDIF)
        c->depth--;
    else if (c->open[c->depth - 1].has_else)
        return fail(c, line, hash, "a second #else", "An #if has at most one.");
    else
        c->open[c->depth - 1].has_else = true;
    return true;
}

static bool
check_directive(checker *c, directive_kind kind, const char *line, const char *rest, const char *end)
{
    const char *hash = memchr(line, '#', rest - line);

    if (!c->state.clean && (kind == DIRECTIVE_IF || kind == DIRECTIVE_OVERRIDE || c->depth > 0))
        return fail(c, line, hash, "a directive within a statement",
                    "Lines with # stand between whole statements; end the one above with \";\".");
    if (kind == DIRECTIVE_IF)
        return check_if(c, line, hash, rest, end);
    if (kind == DIRECTIVE_OVERRIDE)
        return c->depth == 0 && c->state.depth == 0
                   ? true
                   : fail(c, line, hash, "#override within a group or condition",
                          "It stands at the top level of the template.");
    return check_branch_end(c, kind, line, hash, rest, end);
}

bool
template_check_native(const char *source, size_t length, template_problem *problem)
{
    const char *end = source + length;
    checker c = {.problem = problem, .state.clean = true, .line = 1};

    for (const char *p = source; p < end; c.line++) {
        const char *newline = memchr(p, '\n', end - p);
        const char *line_end = newline ? newline : end, *rest, *rest_end;
        directive_kind kind = c.state.in == IN_TEXT
                                  ? native_directive(p, line_end, &rest, &rest_end) : DIRECTIVE_NONE;

        if (kind == DIRECTIVE_NONE)
            native_scan_line(&c.state, p, line_end);
        else if (!check_directive(&c, kind, p, rest, rest_end))
            return false;
        p = newline ? newline + 1 : end;
    }
    if (c.depth > 0) {
        c.line = c.open[c.depth - 1].line;
        return fail(&c, source, source, "#if without an #endif", "End it with a line #endif.");
    }
    return true;
}

/*
 * The native form of templates within extension/template: lines that begin with '#' and a word. A
 * line with a brace is never one, so placeholders stay what the placeholder language makes of them,
 * and outside of comments and strings no other text can hold '#'.
 */
#ifndef NMSP_TEMPLATE_NATIVE_H
#define NMSP_TEMPLATE_NATIVE_H

#include "extension/template/template.h"

typedef enum directive_kind {
    DIRECTIVE_NONE, DIRECTIVE_IF, DIRECTIVE_ELSE, DIRECTIVE_ENDIF, DIRECTIVE_OVERRIDE
} directive_kind;

/* Where a line of a text begins: within what, how deep in groups, between two statements? */
typedef struct text_state {
    enum { IN_TEXT, IN_COMMENT, IN_STRING, IN_FULL_STRING } in;
    int depth;
    bool clean;
} text_state;

/* Kind of a line; rest becomes what follows the word, without blanks around it. */
directive_kind native_directive(const char *line, const char *end, const char **rest,
                                const char **rest_end);

/* Takes the state past a line that is no directive. */
void native_scan_line(text_state *state, const char *line, const char *end);

/*
 * Takes the state past a comment, string, placeholder or character of a line, the part at p of it;
 * returns its end.
 */
const char *native_scan_unit(text_state *state, const char *line, const char *p, const char *end,
                             bool dynamic);

/* Is the condition true of the values? A condition that cannot be read is not. */
bool native_condition(const char *rest, const char *end, template_lookup lookup, void *context);

/* Does the line hold a placeholder or an expression: '{' that '}' follows before the next '{'? */
bool template_is_dynamic_line(const char *line, const char *end);

#endif

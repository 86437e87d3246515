/*
 * Placeholder language of configfile templates. Pure C11: no PostgreSQL header, no globals.
 *
 * A template is the text of a configuration file's body with placeholders in braces. Line by line:
 *
 *   {table.column.index}   replaced by its value, wherever the caller knows one
 *   {a,op,b}               op one of + - * /, both sides numbers: the result, rounded
 *   {x,?,default}          x, or the default when x itself is an unresolved placeholder
 *   {s,start} {s,start,n}  substring, counted in bytes from 0, negative from the end
 *
 * Values are replaced first, one expression per line is computed after that, and a line that still
 * contains braces around anything else is dropped: the language's only condition. A group written
 * on one line looks like that too, so templates keep "{" and "}" on lines of their own.
 *
 * The native form adds lines that begin with '#':
 *
 *   #if table.column.index set    or unset, or = <> < > <= >= and a value
 *   #else
 *   #endif
 *   #override Name [words]        statements of the parents that are left out (override.c)
 *
 * They stand between whole statements; conditions nest, and a group is opened and closed in the
 * same branch. A text without them takes none of this file's native paths: it has no '#' outside
 * of comments, strings and lines with braces, for the codec's language does not know that sign.
 */
#ifndef NMSP_TEMPLATE_H
#define NMSP_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

/* Output buffer; grow() must make room for at least need bytes in all, or return false. */
typedef struct template_buffer {
    char *data;
    size_t length;
    size_t capacity;
    bool (*grow)(struct template_buffer *buffer, size_t need);
} template_buffer;

/*
 * Value of the placeholder whose name (without braces) is given; returns false when there is none.
 * The value stays valid until the next call.
 */
typedef bool (*template_lookup)(void *context, const char *name, size_t name_length,
                                const char **value, size_t *value_length);

/*
 * Appends the expansion of source to out. A dropped line leaves an empty one, so that line numbers
 * of the output are those of the source. Returns false only when the buffer could not grow.
 */
bool template_expand(const char *source, size_t length, template_lookup lookup, void *context,
                     template_buffer *out);

/* Does the text have a line of the native form, outside of comments and strings? */
bool template_is_native(const char *source, size_t length);

/* What is wrong with a directive, and where: both count from 1, columns in bytes. */
typedef struct template_problem {
    int line, column;
    const char *message, *hint;
} template_problem;

/* Checks the directives of a text; false and the first problem when one is wrong. */
bool template_check_native(const char *source, size_t length, template_problem *problem);

/*
 * Blanks what the #override lines of a text mean in the text of its parents; lines keep their
 * numbers. False, and the first problem, when one of them meets no statement. problem may be NULL.
 */
bool template_override(const char *source, size_t length, char *parents, size_t parents_length,
                       template_problem *problem);

/* Calls found() for the name in each condition of the text, as template_names does. */
void template_condition_names(const char *text, size_t length,
                              void (*found)(void *context, const char *name, size_t name_length),
                              void *context);

/*
 * Calls found() for each {name} of the text, repeats included; names point into the text.
 */
void template_names(const char *text, size_t length,
                    void (*found)(void *context, const char *name, size_t name_length),
                    void *context);

/*
 * Cuts a template into pieces that can be encoded apart from each other: whole lines that begin and
 * end between two top-level statements. dynamic tells the pieces that hold placeholders; what is
 * constant between two of them is one piece. Returns false when the text does not allow it (a
 * placeholder within a comment or beside a group's brace, unbalanced braces): then it must be
 * expanded and parsed whole. Pieces that were reported before are void in that case.
 *
 * Encoding the expanded pieces one by one gives the bytes of the expanded whole, as long as no value
 * holds a character of template_is_plain()'s refusal and each piece encodes.
 */
bool template_split(const char *source, size_t length,
                    void (*piece)(void *context, const char *start, size_t length, bool dynamic),
                    void *context);

/* False when the value holds characters that could change the structure of the text around it. */
bool template_is_plain(const char *value, size_t length);

/* Does the word stand in the text outside of comments and strings? */
bool template_contains_word(const char *text, size_t length, const char *word);

/* Does the text hold anything but what the language counts as white space, and comments? */
bool template_has_statement(const char *text, size_t length);

#endif

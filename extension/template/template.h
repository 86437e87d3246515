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

#endif

/*
 * What the template functions share: growing text, values in jsonb.
 */
#ifndef NMSP_TEMPLATE_TEXT_H
#define NMSP_TEMPLATE_TEXT_H

#include "extension/pg/glue.h"
#include "extension/template/template.h"
#include "utils/jsonb.h"

/* A template_buffer in CurrentMemoryContext; appending raises 54000 when it grows too long. */
void nmsp_text_buffer_init(template_buffer *buffer, Size expected);
void nmsp_text_append(template_buffer *buffer, const char *data, size_t length);

/*
 * An error behind the last line of a template stands in what encloses it; it becomes one of the
 * template's end. line_shift: lines of the parsed text before the template's first.
 */
void nmsp_place_in_template(docsis_error *error, const char *text, size_t length, int line_shift);

/* template_lookup over a flat jsonb object: {"qos.ds_rate_max.0": ...}; null is the empty value. */
bool nmsp_lookup_jsonb(void *context, const char *name, size_t name_length, const char **value,
                       size_t *value_length);
/* A jsonb argument that must be an object (22023). */
Jsonb *nmsp_getarg_object(FunctionCallInfo fcinfo, int n);

#endif

/*
 * Templates in SQL: expansion of placeholders, and the check of a template when it is saved.
 * render.c has the way from template and values to a sealed file.
 */
#include "extension/pg/glue.h"

#include <ctype.h>

#include "catalog/pg_type.h"
#include "extension/pg/mib_overlay.h"
#include "extension/pg/template_text.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(nmsp_expand_template);
PG_FUNCTION_INFO_V1(nmsp_check_template);
PG_FUNCTION_INFO_V1(nmsp_encode_mta);
PG_FUNCTION_INFO_V1(nmsp_join_templates);
PG_FUNCTION_INFO_V1(nmsp_check_override);

static bool
grow_text(template_buffer *buffer, size_t need)
{
    size_t capacity = Max(need, Min(buffer->capacity * 2, MaxAllocSize));

    if (need > MaxAllocSize)
        return false;
    buffer->data = repalloc(buffer->data, capacity);
    buffer->capacity = capacity;
    return true;
}

void
nmsp_text_buffer_init(template_buffer *buffer, Size expected)
{
    *buffer = (template_buffer){palloc(expected + 64), 0, expected + 64, grow_text};
}

void
nmsp_text_append(template_buffer *buffer, const char *data, size_t length)
{
    if (length > buffer->capacity - buffer->length && !grow_text(buffer, buffer->length + length))
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the expanded template is too long")));
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

static void
append_cstring(template_buffer *buffer, const char *s)
{
    nmsp_text_append(buffer, s, strlen(s));
}

bool
nmsp_lookup_jsonb(void *context, const char *name, size_t name_length, const char **value,
                  size_t *value_length)
{
    JsonbValue found;

    if (getKeyJsonValueFromContainer((JsonbContainer *)context, name, name_length, &found) == NULL)
        return false;
    switch (found.type) {
    case jbvNull:
        *value = "";
        break;
    case jbvString:
        *value = found.val.string.val;
        *value_length = found.val.string.len;
        return true;
    case jbvNumeric:
        *value = DatumGetCString(DirectFunctionCall1(numeric_out,
                                                     NumericGetDatum(found.val.numeric)));
        break;
    case jbvBool:
        /* as the predecessor wrote booleans into templates: 1 or nothing */
        *value = found.val.boolean ? "1" : "";
        break;
    default:
        return false;
    }
    *value_length = strlen(*value);
    return true;
}

Jsonb *
nmsp_getarg_object(FunctionCallInfo fcinfo, int n)
{
    Jsonb *values = PG_GETARG_JSONB_P(n);

    if (!JB_ROOT_IS_OBJECT(values))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the values of a template must be a JSON object"),
                        errhint("Use names as keys: {\"qos.ds_rate_max_help.0\": 100000000}.")));
    return values;
}

/* nmsp.expand_template(source text, placeholders jsonb) returns text */
Datum
nmsp_expand_template(PG_FUNCTION_ARGS)
{
    text *source = PG_GETARG_TEXT_PP(0);
    Jsonb *values = nmsp_getarg_object(fcinfo, 1);
    template_buffer out;

    nmsp_text_buffer_init(&out, VARSIZE_ANY_EXHDR(source) * 2);
    if (!template_expand(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), nmsp_lookup_jsonb,
                         &values->root, &out))
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the expanded template is too long")));
    PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.length));
}

void
nmsp_place_in_template(docsis_error *error, const char *text, size_t length, int line_shift)
{
    int lines = 1, last_line = 1;
    size_t start_of_last = 0, end = 0;

    for (size_t i = 0, start = 0; i < length; i++) {
        if (text[i] == '\n') {
            lines++;
            start = i + 1;
        } else if (!isspace((unsigned char)text[i])) {
            last_line = lines;
            start_of_last = start;
            end = i + 1;
        }
    }
    if (error->line - line_shift <= lines)
        return;
    error->line = last_line + line_shift;
    error->column = (int)(end - start_of_last) + 1;
    strlcpy(error->message,
            strstr(error->detail, "end of the text") ? "a closing brace without an opening one"
                                                     : "unexpected end of the text",
            sizeof error->message);
    if (strstr(error->detail, "end of the text"))
        strlcpy(error->detail, "More groups are closed than were opened.", sizeof error->detail);
}

/* A value that any line of this kind takes, in place of what only a device's row knows. */
static bool
lookup_sample(void *context, const char *name, size_t name_length, const char **value,
              size_t *value_length)
{
    *value = context;
    *value_length = strlen(*value);
    return true;
}

static void
raise_problem(const template_problem *problem, int code, const char *name)
{
    ereport(ERROR, (errcode(code), errmsg("%s", problem->message),
                    errdetail("Line %d, column %d of template \"%s\".", problem->line,
                              problem->column, name),
                    errhint("%s", problem->hint)));
}

/* Refuses a text whose directives are wrong (22P02). */
static void
check_directives(const char *text, size_t length, const char *name)
{
    template_problem problem;

    if (template_is_native(text, length) && !template_check_native(text, length, &problem))
        raise_problem(&problem, ERRCODE_INVALID_TEXT_REPRESENTATION, name);
}

/* One line of the template with samples for its placeholders; tells whether there were any. */
static bool
append_sample_line(template_buffer *out, const char *line, size_t length)
{
    static const char *const samples[][2] = {{"IPAddress", "1.1.1.1"}, {"HexString", "0x01"}};
    const char *sample = "1";
    size_t start = out->length;

    for (int i = 0; i < lengthof(samples); i++)
        if (template_contains_word(line, length, samples[i][0]))
            sample = samples[i][1];
    template_expand(line, length, lookup_sample, (void *)sample, out);
    return out->length - start != length || memcmp(out->data + start, line, length) != 0;
}

/* Blanks line number (1-based) of the text when it held placeholders; false if it held none. */
static bool
blank_sampled_line(template_buffer *text, const bool *sampled, int lines, int number)
{
    char *p = text->data, *end = text->data + text->length;

    if (number < 1 || number > lines || !sampled[number - 1])
        return false;
    for (int n = 1; n < number && p < end; n++)
        p = (char *)memchr(p, '\n', end - p) + 1;
    if (p == end || *p == '\n')
        return false;
    while (p < end && *p != '\n') {
        if (strspn(p, " \t\r") == 0)
            *p = ' ';
        p++;
    }
    return true;
}

/*
 * nmsp.check_template(source, device, name): refuses a text that could not be encoded for any
 * device. Placeholders get samples; a line whose sample has the wrong type or size is left to the
 * real value, every other error is the template's. All branches of conditions are looked at.
 */
Datum
nmsp_check_template(PG_FUNCTION_ARGS)
{
    text *source = PG_GETARG_TEXT_PP(0);
    bool mta = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "mta") == 0;
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(2));
    size_t length;
    const char *text_start = (const char *)nmsp_text_bytes(source, &length);
    const char *p = text_start, *end = p + length;
    template_buffer full;
    bool *sampled;
    int lines = 1;
    docsis_options options = {.mib = nmsp_mib_overlay(NULL)};
    docsis_buffer out;
    docsis_error error;

    check_directives(p, length, name);
    for (const char *q = p; q < end; q++)
        lines += *q == '\n';
    sampled = palloc0(lines + 2);
    nmsp_text_buffer_init(&full, length * 2 + 128);
    append_cstring(&full, !mta                                              ? "Main { NetworkAccess 1;\n"
                          : template_contains_word(p, length, "MtaConfigDelimiter") ? "Main {\n"
                                                                           : "Main { MtaConfigDelimiter 1;\n");
    for (int line = 1;; line++) {
        const char *newline = memchr(p, '\n', end - p);

        sampled[line] = append_sample_line(&full, p, (newline ? newline : end) - p);
        append_cstring(&full, "\n");
        if (newline == NULL)
            break;
        p = newline + 1;
    }
    append_cstring(&full, "}");

    nmsp_buffer_init(&out, 1024);
    while (!docsis_parse_text(full.data, full.length, &options, &out, &error)) {
        bool depends_on_value = error.code == DOCSIS_TYPE_MISMATCH ||
                                error.code == DOCSIS_OUT_OF_RANGE || error.code == DOCSIS_TOO_LONG;

        if (depends_on_value && blank_sampled_line(&full, sampled, lines + 1, error.line))
            continue;
        nmsp_place_in_template(&error, text_start, length, 1);
        nmsp_raise(&error, psprintf("template \"%s\"", name), 1);
    }
    PG_RETURN_VOID();
}

/*
 * nmsp.encode_mta(source, name, placeholders): an MTA's file without its hash. The delimiters are
 * put around a template that does not have them. Raises what docsis.parse raises, with line and
 * column of the template.
 */
Datum
nmsp_encode_mta(PG_FUNCTION_ARGS)
{
    text *source = PG_GETARG_TEXT_PP(0);
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Jsonb *values = nmsp_getarg_object(fcinfo, 2);
    docsis_options options = {.mib = nmsp_mib_overlay(NULL)};
    template_buffer body, full;
    const uint8_t *utf8;
    size_t utf8_length;
    bool own_delimiters;
    docsis_buffer out;
    docsis_error error;

    nmsp_text_buffer_init(&body, VARSIZE_ANY_EXHDR(source) * 2);
    if (!template_expand(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), nmsp_lookup_jsonb,
                         &values->root, &body))
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the expanded template is too long")));
    own_delimiters = template_contains_word(body.data, body.length, "MtaConfigDelimiter");
    nmsp_text_buffer_init(&full, body.length + 80);
    append_cstring(&full, own_delimiters ? "Main {\n" : "Main { MtaConfigDelimiter 1;\n");
    nmsp_text_append(&full, body.data, body.length);
    append_cstring(&full, own_delimiters ? "\n}" : "\nMtaConfigDelimiter 255; }");
    utf8 = nmsp_utf8(full.data, full.length, &utf8_length);
    nmsp_buffer_init(&out, 1024);
    if (!docsis_parse_text((const char *)utf8, utf8_length, &options, &out, &error)) {
        nmsp_place_in_template(&error, body.data, body.length, 1);
        nmsp_raise(&error, psprintf("template \"%s\"", name), 1);
    }
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/*
 * nmsp.join_templates(sources text[]): the texts one after the other, each followed by a line feed
 * but the last; what a text overrides is blank in those that follow.
 */
Datum
nmsp_join_templates(PG_FUNCTION_ARGS)
{
    Datum *sources;
    bool *nulls;
    int count;
    template_buffer out;
    size_t *start;

    deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &sources, &nulls, &count);
    nmsp_text_buffer_init(&out, 1024);
    start = palloc((count + 1) * sizeof *start);
    for (int i = 0; i < count; i++) {
        text *source = nulls[i] ? cstring_to_text("") : DatumGetTextPP(sources[i]);

        if (i > 0)
            append_cstring(&out, "\n");
        start[i] = out.length;
        nmsp_text_append(&out, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));
    }
    for (int i = 0; i + 1 < count; i++)
        template_override(out.data + start[i], start[i + 1] - 1 - start[i], out.data + start[i + 1],
                          out.length - start[i + 1], NULL);
    PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.length));
}

/* nmsp.check_override(source, parents, name): refuses an #override that meets nothing (42704). */
Datum
nmsp_check_override(PG_FUNCTION_ARGS)
{
    text *source = PG_GETARG_TEXT_PP(0);
    text *parents = PG_GETARG_TEXT_P_COPY(1);
    template_problem problem;

    if (!template_override(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), VARDATA(parents),
                           VARSIZE(parents) - VARHDRSZ, &problem))
        raise_problem(&problem, ERRCODE_UNDEFINED_OBJECT, text_to_cstring(PG_GETARG_TEXT_PP(2)));
    PG_RETURN_VOID();
}

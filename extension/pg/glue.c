/*
 * Buffers and errors between the codec core and PostgreSQL, see glue.h.
 */
#include "extension/pg/glue.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

static bool
grow_palloc(docsis_buffer *buffer, size_t needed)
{
    size_t capacity = Max(needed, Min(buffer->capacity * 2, MaxAllocSize));

    if (needed > MaxAllocSize)
        return false;
    buffer->data = repalloc(buffer->data, capacity);
    buffer->capacity = capacity;
    return true;
}

void
nmsp_buffer_init(docsis_buffer *buffer, Size expected)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->capacity = VARHDRSZ + Max(expected, 64);
    buffer->data = palloc(buffer->capacity);
    buffer->length = VARHDRSZ;
    buffer->grow = grow_palloc;
}

struct varlena *
nmsp_buffer_varlena(docsis_buffer *buffer)
{
    struct varlena *result = (struct varlena *)buffer->data;

    SET_VARSIZE(result, buffer->length);
    return result;
}

void
nmsp_buffer_chomp(docsis_buffer *buffer)
{
    if (buffer->length > VARHDRSZ && buffer->data[buffer->length - 1] == '\n')
        buffer->length--;
}

char *
nmsp_buffer_cstring(docsis_buffer *buffer)
{
    if (buffer->length == buffer->capacity)
        grow_palloc(buffer, buffer->length + 1);
    /* Type output functions must return a chunk of their own: callers such as EXPLAIN free it. */
    memmove(buffer->data, buffer->data + VARHDRSZ, buffer->length - VARHDRSZ);
    buffer->data[buffer->length - VARHDRSZ] = '\0';
    return (char *)buffer->data;
}

static int
sqlstate_of(docsis_code code)
{
    switch (code) {
    case DOCSIS_SYNTAX:
    case DOCSIS_INVALID_JSON:
        return ERRCODE_INVALID_TEXT_REPRESENTATION;
    case DOCSIS_UNKNOWN_NAME:
    case DOCSIS_UNKNOWN_OID:
        return ERRCODE_UNDEFINED_OBJECT;
    case DOCSIS_TYPE_MISMATCH:
        return ERRCODE_DATATYPE_MISMATCH;
    case DOCSIS_OUT_OF_RANGE:
        return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
    case DOCSIS_TOO_LONG:
        return ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
    case DOCSIS_LIMIT:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case DOCSIS_REFUSED:
        return ERRCODE_FEATURE_NOT_SUPPORTED;
    case DOCSIS_MALFORMED:
        return ERRCODE_INVALID_BINARY_REPRESENTATION;
    case DOCSIS_INVALID_ARGUMENT:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case DOCSIS_NO_MEMORY:
        return ERRCODE_OUT_OF_MEMORY;
    case DOCSIS_CRYPTO:
        return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
    default:
        return ERRCODE_INTERNAL_ERROR;
    }
}

/* The core's detail without the place that the core puts first; full_detail() says it in its way. */
static const char *
detail_without_place(const docsis_error *error)
{
    char end;
    int length = 0;

    if (sscanf(error->detail, "Line %*d, column %*d%c%n", &end, &length) != 1 ||
        (end != '.' && end != ':'))
        return error->detail;
    return error->detail + length + (error->detail[length] == ' ');
}

/* The core's hint, or where to look when it has none. */
static const char *
full_hint(const docsis_error *error)
{
    const docsis_symbol *symbol;

    if (error->hint[0])
        return error->hint;
    switch (error->code) {
    case DOCSIS_SYNTAX:
        return "A statement is Name value; and a group is Name { ... }.";
    case DOCSIS_TYPE_MISMATCH:
    case DOCSIS_OUT_OF_RANGE:
        symbol = docsis_symbol_find(NULL, error->symbol, strlen(error->symbol));
        if (symbol && docsis_symbol_type(symbol) != DOCSIS_T_GENERIC)
            return psprintf("SELECT * FROM docsis.symbol WHERE name = '%s' shows what it takes.",
                            error->symbol);
        return "Give a value of that kind and size.";
    case DOCSIS_TOO_LONG:
        return "Shorten it, or split it into several statements.";
    case DOCSIS_INVALID_JSON:
        return "The cast of any docsis.config to jsonb shows the form.";
    case DOCSIS_MALFORMED:
        return "Is the file complete, and a modem's configuration file?";
    case DOCSIS_LIMIT:
        return "Make it smaller.";
    default:
        return "";
    }
}

/* "Line 3, column 9 of template "base". <detail>", or "Byte 17. <detail>" for binary input. */
static char *
full_detail(const docsis_error *error, const char *where, int line_shift)
{
    const char *detail = detail_without_place(error);
    const char *space = detail[0] ? " " : "";

    if (error->line > 0 && where)
        return psprintf("Line %d, column %d of %s.%s%s", Max(error->line - line_shift, 1),
                        error->column, where, space, detail);
    if (error->line > 0)
        return psprintf("Line %d, column %d.%s%s", error->line, error->column, space, detail);
    if (error->code == DOCSIS_MALFORMED)
        return psprintf("Byte %zu.%s%s", error->offset, space, detail);
    return pstrdup(detail);
}

void
nmsp_raise(const docsis_error *error, const char *where, int line_shift)
{
    char *detail = full_detail(error, where, line_shift);
    const char *hint = full_hint(error);

    /* Of a template the place in its text is told; the triggers on the way to it are of no help. */
    if (where)
        error_context_stack = NULL;
    ereport(ERROR, (errcode(sqlstate_of(error->code)), errmsg("%s", error->message),
                    detail[0] ? errdetail("%s", detail) : 0,
                    hint[0] ? errhint("%s", hint) : 0));
}

#define TOLD_NAMES 64

/* Was this name told in this statement? Remembers it. Beyond TOLD_NAMES names nothing more is told. */
static bool
was_told(const char *name)
{
    static TimestampTz statement = 0;
    static uint32 told[TOLD_NAMES];
    static int count = 0;
    uint32 hash = hash_bytes((const unsigned char *)name, (int)strlen(name));

    if (statement != GetCurrentStatementStartTimestamp()) {
        statement = GetCurrentStatementStartTimestamp();
        count = 0;
    }
    for (int i = 0; i < count; i++)
        if (told[i] == hash)
            return true;
    if (count == TOLD_NAMES)
        return true;
    told[count++] = hash;
    return false;
}

static void
warn(void *context, const docsis_error *warning)
{
    char *detail;

    if (warning->code == DOCSIS_AMBIGUOUS && was_told(warning->symbol))
        return;
    detail = full_detail(warning, NULL, 0);
    ereport(warning->code == DOCSIS_AMBIGUOUS ? NOTICE : WARNING, (errcode(ERRCODE_WARNING), errmsg("%s", warning->message),
                      errdetail("%s", detail), warning->hint[0] ? errhint("%s", warning->hint) : 0));
}

docsis_options
nmsp_parse_options(const char *profile, const char *limits)
{
    docsis_options options = {.warn = warn};

    if (strcmp(profile, "ietf") == 0)
        options.profile = DOCSIS_PROFILE_IETF;
    else if (strcmp(profile, "excentis") == 0)
        options.profile = DOCSIS_PROFILE_EXCENTIS;
    else if (strcmp(profile, "cablelabs") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown MIB profile \"%s\"", profile),
                        errdetail("It decides which MIB wins where several define the same name."),
                        errhint("Use cablelabs, ietf or excentis.")));
    if (strcmp(limits, "docsis") == 0)
        options.limits = DOCSIS_LIMITS_TOOL;
    else if (strcmp(limits, "current") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown limits \"%s\"", limits),
                        errdetail("They bound the values of TLVs."),
                        errhint("Use current, or docsis for those of the docsis tool.")));
    return options;
}

const uint8_t *
nmsp_utf8(const char *server, size_t length, size_t *utf8_length)
{
    char *utf8 = pg_server_to_any(server, (int)length, PG_UTF8);

    *utf8_length = utf8 == server ? length : strlen(utf8);
    return (const uint8_t *)utf8;
}

const uint8_t *
nmsp_text_bytes(const text *t, size_t *length)
{
    return nmsp_utf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), length);
}

void
nmsp_buffer_append(docsis_buffer *buffer, const char *data, size_t length)
{
    if (length > buffer->capacity - buffer->length && !grow_palloc(buffer, buffer->length + length))
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the configuration is too long")));
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

/*
 * The type docsis.config: a varlena that holds exactly the bytes of a configuration file. Text form
 * is the operators' language, binary form the file, JSON form an array of TLVs in file order.
 * Its output never fails: whatever is stored was checked on the way in.
 */
#include "extension/pg/docsis_value.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(docsis_config_in);
PG_FUNCTION_INFO_V1(docsis_config_out);
PG_FUNCTION_INFO_V1(docsis_config_recv);
PG_FUNCTION_INFO_V1(docsis_config_send);
PG_FUNCTION_INFO_V1(docsis_config_from_bytea);
PG_FUNCTION_INFO_V1(docsis_config_to_jsonb);
PG_FUNCTION_INFO_V1(docsis_config_from_jsonb);

/* Refuses bytes that are not a sequence of TLVs. */
static void
check_config(const struct varlena *config)
{
    docsis_error error;

    if (!docsis_check(CONFIG_BYTES(config), CONFIG_LENGTH(config), &error))
        nmsp_raise(&error, NULL, 0);
}

/* docsis.config input: 'Main { ... }' */
Datum
docsis_config_in(PG_FUNCTION_ARGS)
{
    char *text = PG_GETARG_CSTRING(0);
    char *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
    docsis_options options = nmsp_parse_options("cablelabs", "current");
    docsis_buffer out;
    docsis_error error;

    nmsp_buffer_init(&out, 1024);
    if (!docsis_parse_text(utf8, strlen(utf8), &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/*
 * docsis.config output: text that reads back to the same bytes. Where the database's encoding lacks
 * characters of UTF-8, strings are escaped: pg_dump must never meet an error here.
 */
Datum
docsis_config_out(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    int encoding = GetDatabaseEncoding();
    docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE,
                                   .ascii = encoding != PG_UTF8 && encoding != PG_SQL_ASCII};
    docsis_buffer out;
    docsis_error error;
    char *text;

    nmsp_buffer_init(&out, CONFIG_LENGTH(config) * 6);
    if (!docsis_write_text(CONFIG_BYTES(config), CONFIG_LENGTH(config), &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    nmsp_buffer_chomp(&out);
    text = nmsp_buffer_cstring(&out);
    PG_RETURN_CSTRING(pg_any_to_server(text, strlen(text), PG_UTF8));
}

/* docsis.config binary input: the file */
Datum
docsis_config_recv(PG_FUNCTION_ARGS)
{
    bytea *config = DatumGetByteaPP(DirectFunctionCall1(bytearecv, PG_GETARG_DATUM(0)));

    check_config(config);
    PG_RETURN_POINTER(config);
}

/* docsis.config binary output: the file */
Datum
docsis_config_send(PG_FUNCTION_ARGS)
{
    return DirectFunctionCall1(byteasend, PG_GETARG_DATUM(0));
}

/* docsis.config(bytea): cast from a file's bytes */
Datum
docsis_config_from_bytea(PG_FUNCTION_ARGS)
{
    bytea *config = PG_GETARG_BYTEA_PP(0);

    check_config(config);
    PG_RETURN_POINTER(config);
}

/* docsis.jsonb(config): cast to jsonb */
Datum
docsis_config_to_jsonb(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);

    PG_RETURN_JSONB_P(nmsp_config_jsonb(CONFIG_BYTES(config), CONFIG_LENGTH(config)));
}

/* docsis.config(jsonb): cast from jsonb */
Datum
docsis_config_from_jsonb(PG_FUNCTION_ARGS)
{
    Jsonb *jsonb = PG_GETARG_JSONB_P(0);
    char *json = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
    char *utf8 = pg_server_to_any(json, strlen(json), PG_UTF8);
    docsis_options options = nmsp_parse_options("cablelabs", "current");
    docsis_buffer out;
    docsis_error error;

    nmsp_buffer_init(&out, 1024);
    /* The place in an error is that in the value's text form. */
    if (!docsis_read_json(utf8, strlen(utf8), &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

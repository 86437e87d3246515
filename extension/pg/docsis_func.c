/*
 * SQL functions of the codec: parse, encode, text, rows of TLVs, the dictionary.
 */
#include "extension/pg/glue.h"

#include "extension/pg/mib_overlay.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(docsis_parse);
PG_FUNCTION_INFO_V1(nmsp_parse);
PG_FUNCTION_INFO_V1(docsis_encode);
PG_FUNCTION_INFO_V1(docsis_text);
PG_FUNCTION_INFO_V1(nmsp_text);
PG_FUNCTION_INFO_V1(docsis_tlvs);
PG_FUNCTION_INFO_V1(docsis_dictionary);

#define BYTES(v) ((const uint8_t *)VARDATA_ANY(v))
#define LENGTH(v) ((size_t)VARSIZE_ANY_EXHDR(v))

static Datum
parse(FunctionCallInfo fcinfo, const docsis_mib_overlay *mib)
{
    bytea *source = PG_GETARG_BYTEA_PP(0);
    docsis_options options = nmsp_parse_options(text_to_cstring(PG_GETARG_TEXT_PP(1)),
                                                text_to_cstring(PG_GETARG_TEXT_PP(2)));
    docsis_buffer out;
    docsis_error error;

    options.mib = mib;
    nmsp_buffer_init(&out, 1024);
    if (!docsis_parse_text((const char *)BYTES(source), LENGTH(source), &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/* docsis.parse(source bytea, profile text, limits text): the text language in any encoding */
Datum
docsis_parse(PG_FUNCTION_ARGS)
{
    return parse(fcinfo, NULL);
}

/* nmsp.parse(source bytea, profile text, limits text): the same with the operator's MIB objects */
Datum
nmsp_parse(PG_FUNCTION_ARGS)
{
    return parse(fcinfo, nmsp_mib_overlay(NULL));
}

/*
 * docsis.encode(source bytea, secret text, profile text, long_varbind boolean, limits text): text to
 * sealed file in one step. The result is bytea: with long_varbind a CM file may hold a TLV 64 with a two-byte
 * length, which is no docsis.config.
 */
Datum
docsis_encode(PG_FUNCTION_ARGS)
{
    bytea *source = PG_GETARG_BYTEA_PP(0);
    size_t secret_length;
    const uint8_t *secret = nmsp_text_bytes(PG_GETARG_TEXT_PP(1), &secret_length);
    docsis_options options = nmsp_parse_options(text_to_cstring(PG_GETARG_TEXT_PP(2)),
                                                text_to_cstring(PG_GETARG_TEXT_PP(4)));
    docsis_buffer parsed, out;
    docsis_error error;

    options.allow_long_varbind = PG_GETARG_BOOL(3);
    nmsp_buffer_init(&parsed, 1024);
    nmsp_buffer_init(&out, 1024);
    if (!docsis_parse_text((const char *)BYTES(source), LENGTH(source), &options, &parsed,
                           &error) ||
        !docsis_seal_keyed(parsed.data + VARHDRSZ, parsed.length - VARHDRSZ,
                           nmsp_key(secret, secret_length),
                           options.allow_long_varbind ? DOCSIS_MIC_LONG_VARBIND : 0, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

static Datum
write_text(FunctionCallInfo fcinfo, const docsis_mib_overlay *mib)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    char *style = text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *oid = text_to_cstring(PG_GETARG_TEXT_PP(2));
    docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE};
    docsis_buffer out;
    docsis_error error;
    char *text;

    options.valid_utf8 = true;
    options.mib = mib;
    if (strcmp(style, "docsis") == 0)
        options.style = DOCSIS_STYLE_DOCSIS;
    else if (strcmp(style, "native") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown text style \"%s\"", style),
                        errdetail("The style is the layout of the text."),
                        errhint("Use native or docsis.")));
    if (strcmp(oid, "numeric") == 0)
        options.oid_form = DOCSIS_OID_NUMERIC;
    else if (strcmp(oid, "iso") == 0)
        options.oid_form = DOCSIS_OID_ISO;
    else if (strcmp(oid, "names") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown form of object identifiers \"%s\"", oid),
                        errdetail("SNMP objects are written in this form."),
                        errhint("Use names, numeric or iso.")));
    nmsp_buffer_init(&out, LENGTH(config) * 6);
    if (!docsis_write_text(BYTES(config), LENGTH(config), &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    if (options.style == DOCSIS_STYLE_NATIVE)
        nmsp_buffer_chomp(&out);
    text = nmsp_buffer_cstring(&out);
    PG_RETURN_TEXT_P(cstring_to_text(pg_any_to_server(text, strlen(text), PG_UTF8)));
}

/* docsis.text(config, style text, oid text): text for people and for comparison */
Datum
docsis_text(PG_FUNCTION_ARGS)
{
    return write_text(fcinfo, NULL);
}

/* nmsp.text(config, style text, oid text): the same with the operator's MIB objects */
Datum
nmsp_text(PG_FUNCTION_ARGS)
{
    return write_text(fcinfo, nmsp_mib_overlay(NULL));
}

/* Text of a buffer's contents, or NULL when a string in it is not valid in this database. */
static Datum
buffer_text(docsis_buffer *buffer, bool *null)
{
    char *s = nmsp_buffer_cstring(buffer);

    *null = false;
    return PointerGetDatum(cstring_to_text(pg_any_to_server(s, strlen(s), PG_UTF8)));
}

/* docsis.tlvs(config): one row per TLV, groups before their members */
Datum
docsis_tlvs(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE};
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_error error;
    docsis_buffer value;
    int state;

    InitMaterializedSRF(fcinfo, 0);
    nmsp_buffer_init(&value, 256);
    docsis_cursor_init(&cursor, BYTES(config), LENGTH(config));
    while ((state = docsis_cursor_next(&cursor, &tlv, &error)) == 1) {
        char path[4 * DOCSIS_MAX_DEPTH + 1];
        Datum row[8];
        bool nulls[8] = {false};
        const char *name = docsis_symbol_name(tlv.symbol);

        CHECK_FOR_INTERRUPTS();
        docsis_tlv_path(&tlv, path, sizeof path);
        row[0] = CStringGetTextDatum(path);
        row[1] = CStringGetTextDatum(name);
        nulls[1] = name[0] == '\0';
        row[2] = CStringGetTextDatum(docsis_type_name(tlv.generic ? DOCSIS_T_GENERIC
                                                                  : docsis_symbol_type(tlv.symbol)));
        nulls[3] = tlv.is_group;
        if (!tlv.is_group) {
            value.length = VARHDRSZ;
            if (!docsis_tlv_value(&tlv, &options, &value, &error))
                nmsp_raise(&error, NULL, 0);
            row[3] = buffer_text(&value, &nulls[3]);
        }
        row[4] = Int32GetDatum((int32)tlv.offset);
        row[5] = Int32GetDatum((int32)tlv.length);
        row[6] = Int32GetDatum(tlv.depth);
        {
            bytea *raw = palloc(VARHDRSZ + tlv.length);

            SET_VARSIZE(raw, VARHDRSZ + tlv.length);
            memcpy(VARDATA(raw), tlv.value, tlv.length);
            row[7] = PointerGetDatum(raw);
        }
        tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
    }
    if (state < 0)
        nmsp_raise(&error, NULL, 0);
    return (Datum)0;
}

/* docsis.symbols(): the dictionary of TLVs */
Datum
docsis_dictionary(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < docsis_symbol_count(); i++) {
        const docsis_symbol *symbol = docsis_symbol_at(i);
        uint32_t minimum = 0, maximum = 0;
        uint32_t tool_minimum, tool_maximum = 0;
        bool limited = docsis_symbol_limits(symbol, DOCSIS_LIMITS_CURRENT, &minimum, &maximum) &&
                       docsis_symbol_limits(symbol, DOCSIS_LIMITS_TOOL, &tool_minimum,
                                            &tool_maximum);
        Datum row[9];
        bool nulls[9] = {false};

        row[0] = CStringGetTextDatum(docsis_symbol_path(symbol));
        row[1] = CStringGetTextDatum(docsis_symbol_name(symbol));
        row[2] = CStringGetTextDatum(docsis_type_name(docsis_symbol_type(symbol)));
        row[3] = Int64GetDatum(minimum);
        row[4] = Int64GetDatum(maximum);
        nulls[3] = nulls[4] = !limited;
        row[5] = CStringGetTextDatum(docsis_symbol_spec(symbol));
        nulls[5] = docsis_symbol_spec(symbol)[0] == '\0';
        row[6] = CStringGetTextDatum(docsis_symbol_unit(symbol));
        nulls[6] = docsis_symbol_unit(symbol)[0] == '\0';
        row[7] = Int32GetDatum(docsis_symbol_length_bytes(symbol));
        row[8] = Int64GetDatum(tool_maximum);
        nulls[8] = !limited;
        tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
    }
    return (Datum)0;
}

/*
 * Operators of docsis.config as a value: -> and ->> by path, || , and numbers for indexes.
 * Paths: docsis_path.c. Containment: docsis_pattern.c. Subscripts: docsis_subscript.c.
 */
#include "extension/pg/docsis_value.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(docsis_config_get);
PG_FUNCTION_INFO_V1(docsis_config_get_text);
PG_FUNCTION_INFO_V1(docsis_config_get_code);
PG_FUNCTION_INFO_V1(docsis_config_get_code_text);
PG_FUNCTION_INFO_V1(docsis_config_concat);
PG_FUNCTION_INFO_V1(docsis_config_numbers);
PG_FUNCTION_INFO_V1(docsis_config_min_number);
PG_FUNCTION_INFO_V1(docsis_config_max_number);

/* ---- -> and ->> --------------------------------------------------------- */

static text *
text_of_leaf(const nmsp_leaf *leaf)
{
    char digits[24], *server;

    if (leaf->is_number) {
        pg_lltoa(leaf->number, digits);
        return cstring_to_text(digits);
    }
    if (leaf->length == 0)
        return cstring_to_text_with_len("", 0);
    server = pg_any_to_server((char *)leaf->string, leaf->length, PG_UTF8);
    return cstring_to_text_with_len(
        server, server == (char *)leaf->string ? leaf->length : strlen(server));
}

/* The first TLV that the path means, as jsonb or as text; NULL when there is none. */
static Datum
get(FunctionCallInfo fcinfo, const nmsp_path *path, bool as_text)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    bool by_oid = path->oid_length > 0;
    nmsp_match match;
    docsis_tlv tlv;
    nmsp_leaf leaf;
    docsis_buffer scratch;
    Jsonb *jsonb;

    nmsp_match_begin(&match, path, CONFIG_BYTES(config), CONFIG_LENGTH(config));
    if (!nmsp_match_next(&match, &tlv))
        PG_RETURN_NULL();
    if (!as_text)
        PG_RETURN_JSONB_P(nmsp_tlv_jsonb(&match.cursor, &tlv, by_oid));
    if (!tlv.is_group) {
        nmsp_buffer_init(&scratch, 128);
        nmsp_leaf_read(&tlv, &scratch, &leaf);
        if (leaf.kind == NMSP_LEAF_NONE)
            PG_RETURN_NULL();
        if (leaf.kind == NMSP_LEAF_NUMBER || leaf.kind == NMSP_LEAF_STRING ||
            (leaf.kind == NMSP_LEAF_VARBIND && by_oid))
            PG_RETURN_TEXT_P(text_of_leaf(&leaf));
    }
    jsonb = nmsp_tlv_jsonb(&match.cursor, &tlv, by_oid);
    PG_RETURN_TEXT_P(cstring_to_text(JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb))));
}

/* config -> path text */
Datum
docsis_config_get(PG_FUNCTION_ARGS)
{
    return get(fcinfo, nmsp_path_cached(fcinfo->flinfo, PG_GETARG_VARLENA_PP(1)), false);
}

/* config ->> path text */
Datum
docsis_config_get_text(PG_FUNCTION_ARGS)
{
    return get(fcinfo, nmsp_path_cached(fcinfo->flinfo, PG_GETARG_VARLENA_PP(1)), true);
}

/* config -> code int */
Datum
docsis_config_get_code(PG_FUNCTION_ARGS)
{
    nmsp_path path;

    nmsp_path_of_code(PG_GETARG_INT32(1), &path);
    return get(fcinfo, &path, false);
}

/* config ->> code int */
Datum
docsis_config_get_code_text(PG_FUNCTION_ARGS)
{
    nmsp_path path;

    nmsp_path_of_code(PG_GETARG_INT32(1), &path);
    return get(fcinfo, &path, true);
}

/* ---- || ----------------------------------------------------------------- */

/* A delimiter of an MTA file: 254 with the given value. */
static bool
is_delimiter(const docsis_tlv *tlv, bool is_mta, uint8_t value)
{
    return is_mta && tlv->code == DOCSIS_CODE_MTA && tlv->length == 1 && tlv->value[0] == value;
}

/* Appends the TLVs of a config without its seal; of an MTA file without the named delimiter. */
static void
append(docsis_buffer *out, const struct varlena *config, bool is_mta, int dropped_delimiter)
{
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_error error;
    int state;

    docsis_cursor_init(&cursor, CONFIG_BYTES(config), CONFIG_LENGTH(config));
    while ((state = docsis_cursor_next(&cursor, &tlv, &error)) == 1) {
        docsis_cursor_skip(&cursor, &tlv);
        if (nmsp_is_seal(&tlv, is_mta) ||
            (dropped_delimiter > 0 && is_delimiter(&tlv, is_mta, (uint8_t)dropped_delimiter)))
            continue;
        docsis_put_bytes(out, CONFIG_BYTES(config) + tlv.offset, tlv.header_length + tlv.length);
    }
    if (state < 0)
        nmsp_raise(&error, NULL, 0);
}

/*
 * config || config: the TLVs of both in order, unsealed. Of two MTA files one pair of delimiters
 * stays. An empty config goes with both kinds.
 */
Datum
docsis_config_concat(PG_FUNCTION_ARGS)
{
    struct varlena *left = PG_GETARG_VARLENA_PP(0), *right = PG_GETARG_VARLENA_PP(1);
    bool left_mta = docsis_is_mta(CONFIG_BYTES(left), CONFIG_LENGTH(left));
    bool right_mta = docsis_is_mta(CONFIG_BYTES(right), CONFIG_LENGTH(right));
    bool both_mta = left_mta && right_mta;
    docsis_buffer out;

    if (left_mta != right_mta && CONFIG_LENGTH(left) > 0 && CONFIG_LENGTH(right) > 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("cannot concatenate a CM and an MTA configuration"),
                        errdetail("The %s one is of an MTA.", left_mta ? "left" : "right"),
                        errhint("Concatenate configurations of the same kind of device.")));
    nmsp_buffer_init(&out, CONFIG_LENGTH(left) + CONFIG_LENGTH(right));
    append(&out, left, left_mta, both_mta ? 255 : 0);
    append(&out, right, right_mta, both_mta ? 1 : 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/* ---- numbers ------------------------------------------------------------ */

/* The next number that the path means; what is no number is passed over. */
static bool
next_number(nmsp_match *match, docsis_buffer *scratch, int64 *number)
{
    docsis_tlv tlv;
    nmsp_leaf leaf;

    while (nmsp_match_next(match, &tlv)) {
        nmsp_leaf_read(&tlv, scratch, &leaf);
        if (leaf.is_number && (leaf.kind == NMSP_LEAF_NUMBER || match->path->oid_length > 0)) {
            *number = leaf.number;
            return true;
        }
    }
    return false;
}

/* docsis.numbers(config, path): every occurrence in file order; empty when there is none */
Datum
docsis_config_numbers(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    ArrayBuildState *state = initArrayResult(INT8OID, CurrentMemoryContext, false);
    docsis_buffer scratch;
    nmsp_match match;
    int64 number;

    nmsp_buffer_init(&scratch, 128);
    nmsp_match_begin(&match, nmsp_path_cached(fcinfo->flinfo, PG_GETARG_VARLENA_PP(1)),
                     CONFIG_BYTES(config), CONFIG_LENGTH(config));
    while (next_number(&match, &scratch, &number))
        state = accumArrayResult(state, Int64GetDatum(number), false, INT8OID,
                                 CurrentMemoryContext);
    return makeArrayResult(state, CurrentMemoryContext);
}

static Datum
extreme_number(FunctionCallInfo fcinfo, bool greatest)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    docsis_buffer scratch;
    nmsp_match match;
    int64 number, result = 0;
    bool found = false;

    nmsp_buffer_init(&scratch, 128);
    nmsp_match_begin(&match, nmsp_path_cached(fcinfo->flinfo, PG_GETARG_VARLENA_PP(1)),
                     CONFIG_BYTES(config), CONFIG_LENGTH(config));
    while (next_number(&match, &scratch, &number)) {
        if (!found || (greatest ? number > result : number < result))
            result = number;
        found = true;
    }
    if (!found)
        PG_RETURN_NULL();
    PG_RETURN_INT64(result);
}

/* docsis.min_number(config, path) */
Datum
docsis_config_min_number(PG_FUNCTION_ARGS)
{
    return extreme_number(fcinfo, false);
}

/* docsis.max_number(config, path) */
Datum
docsis_config_max_number(PG_FUNCTION_ARGS)
{
    return extreme_number(fcinfo, true);
}

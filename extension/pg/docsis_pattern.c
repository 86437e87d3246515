/*
 * Containment: config @> jsonb, config @> config, config ? path.
 *
 * A jsonb pattern names values by path and says what they are:
 *   {"MaxCPE": 2}                                  somewhere in the file
 *   {"UsServiceFlow": {"UsServiceFlowRef": 1, "MaxRateSustained": 5}}   in the same group;
 *                                                  paths inside are relative to the group
 *   {"DsServiceFlow": [{...}, {...}]}              each of them, maybe the same
 *   {"sysContact.0": "noc"}                        the value of an SNMP object
 * A pattern is compiled once per query and kept in fn_extra.
 */
#include "extension/pg/docsis_value.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(docsis_config_contains_jsonb);
PG_FUNCTION_INFO_V1(docsis_config_contains_text);
PG_FUNCTION_INFO_V1(docsis_config_contains_config);
PG_FUNCTION_INFO_V1(docsis_config_exists);

#define PATTERN_HINT                                                                               \
    "Write an object of paths and values, such as {\"MaxCPE\": 2} or "                           \
    "{\"UsServiceFlow\": {\"UsServiceFlowRef\": 1}}."

/* ---- compiling ---------------------------------------------------------- */

static void pg_attribute_noreturn()
bad_pattern(const char *detail)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid pattern of a configuration"), errdetail("%s", detail),
                    errhint(PATTERN_HINT)));
}

static nmsp_condition *
add_condition(nmsp_pattern *pattern, const nmsp_path *path, const nmsp_places *places)
{
    nmsp_condition *condition;

    if (pattern->count == pattern->capacity) {
        pattern->capacity = Max(4, 2 * pattern->capacity);
        pattern->condition =
            pattern->condition
                ? repalloc(pattern->condition, pattern->capacity * sizeof(nmsp_condition))
                : palloc(pattern->capacity * sizeof(nmsp_condition));
    }
    condition = &pattern->condition[pattern->count++];
    memset(condition, 0, sizeof *condition);
    condition->path = *path;
    condition->places = *places;
    return condition;
}

/* A jsonb number as int64; false when it is none. */
static bool
whole_number(Numeric numeric, int64 *value)
{
    char *text = numeric_normalize(numeric), *end;

    errno = 0;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static void compile_object(nmsp_pattern *pattern, JsonbContainer *object, const nmsp_places *scope);

static void
compile_value(nmsp_pattern *pattern, const nmsp_path *path, const nmsp_places *places,
              const JsonbValue *value)
{
    nmsp_condition *condition;
    JsonbIterator *it;
    JsonbIteratorToken token;
    JsonbValue element;

    check_stack_depth();
    switch (value->type) {
    case jbvNumeric:
        condition = add_condition(pattern, path, places);
        condition->kind =
            whole_number(value->val.numeric, &condition->number) ? NMSP_NUMBER : NMSP_NEVER;
        return;
    case jbvString: {
        char *utf8 = pg_server_to_any(value->val.string.val, value->val.string.len, PG_UTF8);
        bool same = utf8 == value->val.string.val;

        condition = add_condition(pattern, path, places);
        condition->kind = NMSP_STRING;
        condition->length = same ? value->val.string.len : strlen(utf8);
        condition->string = memcpy(palloc(condition->length + 1), utf8, condition->length);
        return;
    }
    case jbvBinary:
        break;
    default:
        bad_pattern("Values are numbers, strings, objects and arrays of them.");
    }
    if (JsonContainerSize(value->val.binary.data) == 0) {
        add_condition(pattern, path, places)->kind = NMSP_EXISTS;
        return;
    }
    if (JsonContainerIsObject(value->val.binary.data)) {
        nmsp_pattern *members = palloc0(sizeof *members);

        if (path->oid_length > 0)
            bad_pattern("An SNMP object has no members.");
        compile_object(members, value->val.binary.data, places);
        condition = add_condition(pattern, path, places);
        condition->kind = NMSP_MEMBERS;
        condition->members = members;
        return;
    }
    it = JsonbIteratorInit(value->val.binary.data);
    while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
        if (token == WJB_ELEM)
            compile_value(pattern, path, places, &element);
}

static void
compile_object(nmsp_pattern *pattern, JsonbContainer *object, const nmsp_places *scope)
{
    JsonbIterator *it = JsonbIteratorInit(object);
    JsonbIteratorToken token;
    JsonbValue key, value;

    check_stack_depth();
    while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE) {
        nmsp_path path;
        nmsp_places places = {0};

        if (token != WJB_KEY)
            continue;
        nmsp_path_parse(key.val.string.val, key.val.string.len, &path);
        if (path.oid_length == 0)
            places = nmsp_path_places(&path, scope);
        if (path.oid_length == 0 && places.count == 0)
            bad_pattern(psprintf("\"%.*s\" is no member of the group it stands in.",
                                 key.val.string.len, key.val.string.val));
        if (JsonbIteratorNext(&it, &value, true) == WJB_VALUE)
            compile_value(pattern, &path, &places, &value);
    }
}

static void
compile_root(nmsp_pattern *pattern, JsonbContainer *root)
{
    JsonbIterator *it;
    JsonbIteratorToken token;
    JsonbValue element;

    check_stack_depth();
    if (JsonContainerIsScalar(root))
        bad_pattern("It is a single value.");
    if (JsonContainerIsObject(root)) {
        compile_object(pattern, root, NULL);
        return;
    }
    it = JsonbIteratorInit(root);
    while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE) {
        if (token != WJB_ELEM)
            continue;
        if (element.type != jbvBinary)
            bad_pattern("An element of the array is no object.");
        compile_root(pattern, element.val.binary.data);
    }
}

nmsp_pattern *
nmsp_pattern_compile(const Jsonb *jsonb)
{
    nmsp_pattern *pattern = palloc0(sizeof *pattern);

    compile_root(pattern, (JsonbContainer *)&jsonb->root);
    return pattern;
}

/* ---- evaluation --------------------------------------------------------- */

static bool
leaf_is(const nmsp_condition *condition, const docsis_tlv *tlv, docsis_buffer *scratch)
{
    nmsp_leaf leaf;

    if (tlv->is_group)
        return false;
    nmsp_leaf_read(tlv, scratch, &leaf);
    /* A varbind's value is asked for by its OID; by the TLV's path it is an object. */
    if (leaf.kind == NMSP_LEAF_NONE || leaf.kind == NMSP_LEAF_WRITE ||
        (leaf.kind == NMSP_LEAF_VARBIND && condition->path.oid_length == 0))
        return false;
    if (condition->kind == NMSP_NUMBER)
        return leaf.is_number && leaf.number == condition->number;
    return !leaf.is_number && leaf.length == condition->length &&
           memcmp(leaf.string, condition->string, leaf.length) == 0;
}

static bool holds_in(const nmsp_pattern *pattern, const docsis_cursor *cursor,
                     const docsis_tlv *group, docsis_buffer *scratch);

/* Does any TLV that the path means fulfill the condition? group NULL: of the whole config. */
static bool
condition_holds(const nmsp_condition *condition, const docsis_cursor *cursor,
                const docsis_tlv *group, docsis_buffer *scratch)
{
    nmsp_match match;
    docsis_tlv tlv;

    if (condition->kind == NMSP_NEVER)
        return false;
    if (group)
        nmsp_match_begin_in(&match, &condition->path, cursor, group);
    else
        nmsp_match_begin(&match, &condition->path, cursor->config, cursor->length);
    while (nmsp_match_next(&match, &tlv)) {
        if (condition->kind == NMSP_EXISTS)
            return true;
        if (condition->kind == NMSP_MEMBERS
                ? tlv.is_group && holds_in(condition->members, &match.cursor, &tlv, scratch)
                : leaf_is(condition, &tlv, scratch))
            return true;
    }
    return false;
}

static bool
holds_in(const nmsp_pattern *pattern, const docsis_cursor *cursor, const docsis_tlv *group,
         docsis_buffer *scratch)
{
    for (int i = 0; i < pattern->count; i++)
        if (!condition_holds(&pattern->condition[i], cursor, group, scratch))
            return false;
    return true;
}

bool
nmsp_pattern_holds(const nmsp_pattern *pattern, const uint8_t *config, size_t length)
{
    docsis_cursor cursor;
    docsis_buffer scratch;
    bool result;

    docsis_cursor_init(&cursor, config, length);
    nmsp_buffer_init(&scratch, 256);
    result = holds_in(pattern, &cursor, NULL, &scratch);
    pfree(scratch.data);
    return result;
}

/* ---- config in config --------------------------------------------------- */

bool
nmsp_is_seal(const docsis_tlv *tlv, bool is_mta)
{
    if (tlv->depth > 0)
        return false;
    return tlv->code == 0 || tlv->code == DOCSIS_CODE_EOD ||
           (!is_mta && (tlv->code == DOCSIS_CODE_CM_MIC || tlv->code == DOCSIS_CODE_CMTS_MIC));
}

bool
nmsp_is_vendor_group(const docsis_symbol *symbol)
{
    for (int code = symbol->child_min; code <= symbol->child_max; code++) {
        const docsis_symbol *child = docsis_child(symbol, (uint8_t)code);

        if (child != NULL && child->is_vendor_id)
            return true;
    }
    return false;
}

static size_t
end_of(const docsis_tlv *tlv)
{
    return tlv->offset + tlv->header_length + tlv->length;
}

/* Is each TLV of part up to its end among those of whole up to its end? Both are at members. */
static bool
contains_run(docsis_cursor whole, size_t whole_end, docsis_cursor part, size_t part_end)
{
    docsis_tlv wanted, tlv;

    while (part.position < part_end && docsis_cursor_next(&part, &wanted, NULL) == 1) {
        docsis_cursor members = part, search = whole;
        bool found = false;

        docsis_cursor_skip(&part, &wanted);
        if (nmsp_is_seal(&wanted, part.is_mta))
            continue;
        CHECK_FOR_INTERRUPTS();
        while (!found && search.position < whole_end &&
               docsis_cursor_next(&search, &tlv, NULL) == 1) {
            docsis_cursor inside = search;

            docsis_cursor_skip(&search, &tlv);
            if (tlv.code != wanted.code || tlv.header_length != wanted.header_length)
                continue;
            found = (tlv.length == wanted.length &&
                     memcmp(tlv.value, wanted.value, tlv.length) == 0) ||
                    (tlv.is_group && wanted.is_group &&
                     contains_run(inside, end_of(&tlv), members, end_of(&wanted)));
        }
        if (!found)
            return false;
    }
    return true;
}

/* ---- functions ---------------------------------------------------------- */

/* What fn_extra keeps of the last pattern. */
typedef struct pattern_cache {
    MemoryContext context;       /* holds the pattern; child of the caller's */
    nmsp_pattern *pattern;
    Size size;
    void *source;                /* its bytes */
} pattern_cache;

/* The pattern of a jsonb, or of a text when text is set; compiled anew when the bytes change. */
static nmsp_pattern *
cached_pattern(FmgrInfo *flinfo, const void *source, Size size, bool text)
{
    pattern_cache *cache = flinfo->fn_extra;
    MemoryContext old;

    if (cache && cache->pattern && cache->size == size && memcmp(cache->source, source, size) == 0)
        return cache->pattern;
    if (cache == NULL) {
        cache = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof *cache);
        cache->context = AllocSetContextCreate(flinfo->fn_mcxt, "pattern of a configuration",
                                               ALLOCSET_SMALL_SIZES);
        flinfo->fn_extra = cache;
    }
    cache->size = 0;
    cache->source = NULL;
    cache->pattern = NULL;
    MemoryContextReset(cache->context);
    old = MemoryContextSwitchTo(cache->context);
    {
        const Jsonb *jsonb = text ? DatumGetJsonbP(DirectFunctionCall1(
                                        jsonb_in, CStringGetDatum(pnstrdup(source, size))))
                                  : source;

        cache->pattern = nmsp_pattern_compile(jsonb);
    }
    cache->source = memcpy(palloc(size + 1), source, size);
    MemoryContextSwitchTo(old);
    cache->size = size;
    return cache->pattern;
}

/* config @> jsonb */
Datum
docsis_config_contains_jsonb(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    Jsonb *jsonb = PG_GETARG_JSONB_P(1);
    nmsp_pattern *pattern = cached_pattern(fcinfo->flinfo, jsonb, VARSIZE(jsonb), false);

    PG_RETURN_BOOL(nmsp_pattern_holds(pattern, CONFIG_BYTES(config), CONFIG_LENGTH(config)));
}

/* config @> text: a literal of unknown type is taken for this one; the text is JSON */
Datum
docsis_config_contains_text(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    struct varlena *text = PG_GETARG_VARLENA_PP(1);
    nmsp_pattern *pattern =
        cached_pattern(fcinfo->flinfo, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), true);

    PG_RETURN_BOOL(nmsp_pattern_holds(pattern, CONFIG_BYTES(config), CONFIG_LENGTH(config)));
}

/* config @> config: each TLV of the right one is in the left one, a group in a group */
Datum
docsis_config_contains_config(PG_FUNCTION_ARGS)
{
    struct varlena *left = PG_GETARG_VARLENA_PP(0);
    struct varlena *right = PG_GETARG_VARLENA_PP(1);
    docsis_cursor whole, part;
    docsis_error error;

    if (!docsis_check(CONFIG_BYTES(right), CONFIG_LENGTH(right), &error))
        nmsp_raise(&error, NULL, 0);
    docsis_cursor_init(&whole, CONFIG_BYTES(left), CONFIG_LENGTH(left));
    docsis_cursor_init(&part, CONFIG_BYTES(right), CONFIG_LENGTH(right));
    PG_RETURN_BOOL(contains_run(whole, CONFIG_LENGTH(left), part, CONFIG_LENGTH(right)));
}

/* config ? path */
Datum
docsis_config_exists(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    nmsp_match match;
    docsis_tlv tlv;

    nmsp_match_begin(&match, nmsp_path_cached(fcinfo->flinfo, PG_GETARG_VARLENA_PP(1)),
                     CONFIG_BYTES(config), CONFIG_LENGTH(config));
    PG_RETURN_BOOL(nmsp_match_next(&match, &tlv));
}

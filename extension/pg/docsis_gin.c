/*
 * GIN for docsis.config: keys are hashes, one for each place that is taken and one for each place
 * with its value, likewise for the OIDs of SNMP objects. So one index answers config ? path and
 * config @> pattern for every path. Hashes collide and know nothing of occurrences and of which
 * group a member stands in: every match is rechecked.
 *
 * The keys are on disk. A place is its codes, never a number of the dictionary, so that a newer
 * dictionary finds what an older one stored; names are turned into places when a query comes.
 */
#include "extension/pg/docsis_value.h"

#include "access/gin.h"
#include "access/stratnum.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(docsis_gin_extract_value);
PG_FUNCTION_INFO_V1(docsis_gin_extract_query);
PG_FUNCTION_INFO_V1(docsis_gin_consistent);
PG_FUNCTION_INFO_V1(docsis_gin_triconsistent);

/* Strategies, as in the operator class. */
#define CONTAINS_JSONB 7
#define CONTAINS_TEXT 8
#define EXISTS_PATH 9
#define CONTAINS_CONFIG 10

/* ---- keys --------------------------------------------------------------- */

/* A list of keys; clause says for a query's key which of the conditions it may fulfill. */
typedef struct keys {
    int count;
    int capacity;
    Datum *key;
    int *clause;
    int clauses;
} keys;

static void
add_key(keys *k, uint64 hash)
{
    if (k->count == k->capacity) {
        int capacity = Max(64, 2 * k->capacity);

        k->key = k->key ? repalloc(k->key, capacity * sizeof(Datum))
                        : palloc(capacity * sizeof(Datum));
        k->clause = k->clause ? repalloc(k->clause, capacity * sizeof(int))
                              : palloc(capacity * sizeof(int));
        k->capacity = capacity;
    }
    k->clause[k->count] = k->clauses;
    k->key[k->count++] = Int64GetDatum((int64)hash);
}

static uint64
place_hash(const uint8 *codes, int depth)
{
    return hash_bytes_extended(codes, depth, 1);
}

static uint64
object_hash(const uint8 *oid, size_t length)
{
    return hash_bytes_extended(oid, length, 2);
}

/* The hash of a place or OID with a value. */
static uint64
value_hash(uint64 base, bool is_number, int64 number, const uint8 *string, size_t length)
{
    if (is_number)
        return hash_bytes_extended((const unsigned char *)&number, sizeof number, base);
    return hash_bytes_extended(string, length, ~base);
}

static void
add_tlv_at(keys *k, const uint8 *codes, int depth, const nmsp_leaf *leaf)
{
    uint64 base = place_hash(codes, depth);

    add_key(k, base);
    if (leaf->kind == NMSP_LEAF_NUMBER || leaf->kind == NMSP_LEAF_STRING)
        add_key(k, value_hash(base, leaf->is_number, leaf->number, leaf->string, leaf->length));
}

/* The keys of one TLV. */
static void
add_tlv(keys *k, const docsis_tlv *tlv, bool is_mta, docsis_buffer *scratch)
{
    nmsp_leaf leaf;

    nmsp_leaf_read(tlv, scratch, &leaf);
    add_tlv_at(k, tlv->path, tlv->depth + 1, &leaf);
    /* The varbinds 64 of an MTA go by the name of 11. */
    if (tlv->symbol != NULL && tlv->symbol->code != tlv->code) {
        uint8 codes[DOCSIS_MAX_DEPTH];

        memcpy(codes, tlv->path, tlv->depth + 1);
        codes[tlv->depth] = tlv->symbol->code;
        add_tlv_at(k, codes, tlv->depth + 1, &leaf);
    }
    if (leaf.kind == NMSP_LEAF_VARBIND) {
        const uint8 *oid;
        size_t length;

        if (nmsp_varbind_oid(tlv, &oid, &length)) {
            uint64 base = object_hash(oid, length);

            add_key(k, base);
            add_key(k, value_hash(base, leaf.is_number, leaf.number, leaf.string, leaf.length));
        }
    }
}

/* extractValue(config, OUT nkeys, OUT null flags) */
Datum
docsis_gin_extract_value(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    int32 *count = (int32 *)PG_GETARG_POINTER(1);
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_buffer scratch;
    keys k = {0};
    int before = -1;

    nmsp_buffer_init(&scratch, 256);
    docsis_cursor_init(&cursor, CONFIG_BYTES(config), CONFIG_LENGTH(config));
    while (docsis_cursor_next(&cursor, &tlv, NULL) == 1) {
        if (tlv.code != 0 || before != 0)
            add_tlv(&k, &tlv, cursor.is_mta, &scratch);
        before = tlv.depth == 0 ? tlv.code : -1;
    }
    *count = k.count;
    PG_RETURN_POINTER(k.key);
}

/* ---- queries ------------------------------------------------------------ */

static uint64
condition_hash(const nmsp_condition *condition, uint64 base)
{
    if (condition->kind == NMSP_EXISTS)
        return base;
    return value_hash(base, condition->kind == NMSP_NUMBER, condition->number, condition->string,
                      condition->length);
}

/* One clause per leaf: any of the places that its path can mean. Groups are implied by them. */
static void
add_pattern(keys *k, const nmsp_pattern *pattern)
{
    for (int i = 0; i < pattern->count; i++) {
        const nmsp_condition *condition = &pattern->condition[i];

        if (condition->kind == NMSP_MEMBERS) {
            add_pattern(k, condition->members);
            continue;
        }
        if (condition->kind == NMSP_NEVER) {
            add_key(k, hash_bytes_extended((const unsigned char *)"never", 5, 3));
        } else if (condition->path.oid_length > 0) {
            add_key(k, condition_hash(condition, object_hash(condition->path.oid,
                                                          condition->path.oid_length)));
        } else {
            for (int p = 0; p < condition->places.count; p++)
                add_key(k, condition_hash(condition,
                                          place_hash(condition->places.place[p].code,
                                                     condition->places.place[p].depth)));
        }
        k->clauses++;
    }
}

/*
 * Each TLV of a config is a condition of its own. Members of vendor groups are left out: how they
 * read depends on what stands beside them.
 */
static void
add_config(keys *k, const struct varlena *config)
{
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_buffer scratch;
    docsis_error error;

    if (!docsis_check(CONFIG_BYTES(config), CONFIG_LENGTH(config), &error))
        nmsp_raise(&error, NULL, 0);
    nmsp_buffer_init(&scratch, 256);
    docsis_cursor_init(&cursor, CONFIG_BYTES(config), CONFIG_LENGTH(config));
    while (docsis_cursor_next(&cursor, &tlv, NULL) == 1) {
        keys own = {0};

        if (nmsp_is_seal(&tlv, cursor.is_mta))
            continue;
        if (tlv.is_group && nmsp_is_vendor_group(tlv.symbol))
            docsis_cursor_skip(&cursor, &tlv);
        add_tlv(&own, &tlv, cursor.is_mta, &scratch);
        for (int i = 0; i < own.count; i++, k->clauses++)
            add_key(k, (uint64)DatumGetInt64(own.key[i]));
    }
}

static void
add_path(keys *k, const struct varlena *text)
{
    nmsp_path path;
    nmsp_places places;

    nmsp_path_parse(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &path);
    if (path.oid_length > 0) {
        add_key(k, object_hash(path.oid, path.oid_length));
    } else {
        places = nmsp_path_places(&path, NULL);
        for (int i = 0; i < places.count; i++)
            add_key(k, place_hash(places.place[i].code, places.place[i].depth));
    }
    k->clauses++;
}

/* extractQuery(query, OUT nkeys, strategy, OUT partial, OUT extra, OUT nulls, OUT search mode) */
Datum
docsis_gin_extract_query(PG_FUNCTION_ARGS)
{
    int32 *count = (int32 *)PG_GETARG_POINTER(1);
    StrategyNumber strategy = PG_GETARG_UINT16(2);
    Pointer **extra = (Pointer **)PG_GETARG_POINTER(4);
    int32 *search_mode = (int32 *)PG_GETARG_POINTER(6);
    keys k = {0};

    switch (strategy) {
    case CONTAINS_JSONB:
        add_pattern(&k, nmsp_pattern_compile(PG_GETARG_JSONB_P(0)));
        break;
    case CONTAINS_TEXT: {
        char *json = text_to_cstring(PG_GETARG_TEXT_PP(0));

        add_pattern(&k, nmsp_pattern_compile(DatumGetJsonbP(
                            DirectFunctionCall1(jsonb_in, CStringGetDatum(json)))));
        break;
    }
    case EXISTS_PATH:
        add_path(&k, PG_GETARG_VARLENA_PP(0));
        break;
    case CONTAINS_CONFIG:
        add_config(&k, PG_GETARG_VARLENA_PP(0));
        break;
    default:
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("unknown strategy %d of docsis.config_path_ops", strategy),
                        errhint("Use the operators @> and ?.")));
    }
    /* Nothing is asked, as in config @> '{}': all rows. */
    if (k.count == 0)
        *search_mode = GIN_SEARCH_MODE_ALL;
    else
        *extra = palloc(k.count * sizeof(Pointer));
    for (int i = 0; i < k.count; i++)
        (*extra)[i] = (Pointer)&k.clause[i];
    *count = k.count;
    PG_RETURN_POINTER(k.key);
}

static int
clause_of(Pointer *extra, int i)
{
    return *(int *)extra[i];
}

/* consistent(check, strategy, query, nkeys, extra, OUT recheck, keys, nulls) */
Datum
docsis_gin_consistent(PG_FUNCTION_ARGS)
{
    bool *check = (bool *)PG_GETARG_POINTER(0);
    int32 count = PG_GETARG_INT32(3);
    Pointer *extra = (Pointer *)PG_GETARG_POINTER(4);
    bool *recheck = (bool *)PG_GETARG_POINTER(5);

    *recheck = true;
    /* The keys of a clause stand together. */
    for (int i = 0; i < count;) {
        int clause = clause_of(extra, i);
        bool any = false;

        for (; i < count && clause_of(extra, i) == clause; i++)
            any |= check[i];
        if (!any)
            PG_RETURN_BOOL(false);
    }
    PG_RETURN_BOOL(true);
}

/* triConsistent(check, strategy, query, nkeys, extra, keys, nulls) */
Datum
docsis_gin_triconsistent(PG_FUNCTION_ARGS)
{
    GinTernaryValue *check = (GinTernaryValue *)PG_GETARG_POINTER(0);
    int32 count = PG_GETARG_INT32(3);
    Pointer *extra = (Pointer *)PG_GETARG_POINTER(4);

    for (int i = 0; i < count;) {
        int clause = clause_of(extra, i);
        bool any = false;

        for (; i < count && clause_of(extra, i) == clause; i++)
            any |= check[i] != GIN_FALSE;
        if (!any)
            PG_RETURN_GIN_TERNARY_VALUE(GIN_FALSE);
    }
    /* Always to be rechecked, so never TRUE. */
    PG_RETURN_GIN_TERNARY_VALUE(GIN_MAYBE);
}

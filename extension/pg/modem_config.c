/*
 * nmsp.modem_config(row): the sealed file of a modem, from a row of nmsp.modem (or one like it, such
 * as NEW in a trigger) and what the tables say of its template, service class and gateway.
 *
 * What the tables say is read by SQL functions of the model, once per statement and key: as long as
 * the snapshot is the same the answers are, so a query over a million modems asks a handful of
 * times. The tables are read with the rights of their owner: who may have files need not be able to
 * read secrets.
 */
#include "extension/pg/render.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/pg/snapshot_view.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(nmsp_modem_config);

/* The questions to the model: $1 is a key, $2 a modem's own access, where they matter. */
typedef enum question {
    ASK_SETTING, ASK_TEMPLATE, ASK_CLASS, ASK_SECRET, ASK_OPTIONS, ASK_DERIVED, ASK_SERVICE,
    ASK_SERVICES, ASK_RELEASED, ASK_RELEASE, ASK_IMAGE,
    WITH_IMAGE             /* none: a template's text with an image's statements */
} question;

#define ASK_COLUMNS 7
#define SERVICES 256
#define SERVICES_TEXT "256"

static const char *const question_sql[] = {
    [ASK_SETTING] = "SELECT placeholders, max_cpe FROM nmsp.setting_values() WHERE $1 IS NOT NULL",
    [ASK_TEMPLATE] = "SELECT source, name FROM nmsp.template_parts($1)",
    [ASK_CLASS] = "SELECT nmsp.service_class_values($1)",
    [ASK_SECRET] = "SELECT nmsp.shared_secret($1)",
    [ASK_OPTIONS] = "SELECT nmsp.modem_options($1)",
    [ASK_DERIVED] = "SELECT nullif(nmsp.is_service_derived(), false)",
    [ASK_SERVICE] = "SELECT internet_access, service_class_id, public_cpe, network_access, max_cpe, extra, derived "
                    "FROM nmsp.modem_service_values($1, $2)",
    /* the same for the modems from $1 on, with the own access that was taken */
    [ASK_SERVICES] = "SELECT internet_access, service_class_id, public_cpe, network_access, max_cpe, extra, derived, "
                     "modem_id, own_access FROM nmsp.modem_services($1, $1 + " SERVICES_TEXT " - 1)",
    [ASK_RELEASED] = "SELECT 1 FROM nmsp.firmware_release LIMIT 1",
    [ASK_RELEASE] = "SELECT r.image_id FROM nmsp.firmware_release r WHERE r.modem_id = $1",
    [ASK_IMAGE] = "SELECT nmsp.image_statements($1)",
};

static SPIPlanPtr question_plan[lengthof(question_sql)];

typedef struct answer {
    question kind;     /* key, with id; no padding may differ */
    int32 unused;
    int64 id;
    int64 image_id;    /* of WITH_IMAGE, else 0 */
    Datum values[2];
    bool nulls[2];
} answer;

/* What is to be put back when a question has been answered. */
typedef struct asking {
    Oid user;
    int security, level;
} asking;

/* The answer to ASK_SERVICE for one modem. */
typedef struct service {
    int64 id;          /* key */
    bool own;
    Datum values[ASK_COLUMNS];
    bool nulls[ASK_COLUMNS];
} service;

/* State of one call site, in fn_extra. */
typedef struct config_cache {
    MemoryContext context;
    HTAB *answers;
    MemoryContext site; /* of the call site itself */
    MemoryContext services_context;
    HTAB *services;     /* of the last ASK_SERVICES, or NULL */
    int64 last_service; /* id of the modem that was asked for last */
    snapshot_view seen;
    Oid row_type;
    int32 row_typmod;
    TupleDesc row_desc;
    int id, netgw_id, template_id, service_class_id, internet_access, public_cpe; /* attribute numbers */
    render_memo memos[RENDER_MEMOS];
} config_cache;

typedef struct config_input {
    render_input render;   /* first: options() gets this back */
    config_cache *cache;
    int64 modem_id;
    bool options_read;
    bool network_access_known; /* network_access and max_cpe are not for gather() to fill in */
    Jsonb *options;
} config_input;

static bytes
text_bytes(Datum value)
{
    return (bytes){VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value))};
}

/* ---- asking the model ---------------------------------------------------- */

/* Empties the cache when the present snapshot may see other rows than the last one. */
static void
follow_snapshot(config_cache *cache)
{
    Snapshot snapshot = GetActiveSnapshot();
    HASHCTL control = {.keysize = offsetof(answer, values), .entrysize = sizeof(answer)};

    if (cache->answers && snapshot_view_same(&cache->seen, snapshot))
        return;
    memset(cache->memos, 0, sizeof cache->memos);
    MemoryContextReset(cache->context);
    control.hcxt = cache->context;
    cache->answers = hash_create("nmsp.modem_config", 64, &control,
                                 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    cache->services = NULL;
    cache->last_service = 0;
    cache->row_type = InvalidOid;
    snapshot_view_keep(&cache->seen, snapshot, cache->context);
}

/* The owner of the tables; their existence shows that nmsp.migrate() was run. */
static Oid
table_owner(void)
{
    Oid namespace = get_namespace_oid("nmsp", true);
    Oid relation = OidIsValid(namespace) ? get_relname_relid("netgw_secret", namespace) : InvalidOid;
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    Oid owner;

    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the tables of nmsp have not been made in this database"),
                        errhint("SELECT nmsp.migrate();")));
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

/*
 * Questions are about one row and take microseconds; where statistics are absent their costs look
 * great, and compiling them would take seconds. Returns what with_jit() needs.
 */
static int
without_jit(void)
{
    int level = NewGUCNestLevel();

    if (jit_enabled)
        (void)set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                                false);
    return level;
}

static void
with_jit(int level)
{
    AtEOXact_GUC(true, level);
}

/* Puts the question to the database; what it says is in SPI_tuptable until asked() is called. */
static void
begin_ask(question kind, int64 id, bool own, long rows, asking *state)
{
    Oid types[2] = {INT8OID, BOOLOID};
    Datum arguments[2] = {Int64GetDatum(id), BoolGetDatum(own)};

    GetUserIdAndSecContext(&state->user, &state->security);
    SetUserIdAndSecContext(table_owner(), state->security | SECURITY_LOCAL_USERID_CHANGE);
    state->level = without_jit();
    SPI_connect();
    if (question_plan[kind] == NULL) {
        SPIPlanPtr plan = SPI_prepare(question_sql[kind], 2, types);

        if (plan == NULL || SPI_keepplan(plan) != 0)
            elog(ERROR, "could not prepare \"%s\"", question_sql[kind]);
        question_plan[kind] = plan;
    }
    if (SPI_execute_plan(question_plan[kind], arguments, NULL, true, rows) != SPI_OK_SELECT)
        elog(ERROR, "could not execute \"%s\"", question_sql[kind]);
}

static void
end_ask(const asking *state)
{
    SPI_finish();
    with_jit(state->level);
    SetUserIdAndSecContext(state->user, state->security);
}

/* The first n values of a row, copied into context; null where there is none. */
static void
row_values(uint64 row, int n, MemoryContext context, Datum values[], bool nulls[])
{
    memset(nulls, true, n * sizeof *nulls);
    for (int i = 0; row < SPI_processed && i < SPI_tuptable->tupdesc->natts && i < n; i++) {
        Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, i);
        Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1,
                                    &nulls[i]);
        MemoryContext old;

        if (nulls[i])
            continue;
        if (attribute->attlen == -1)
            value = PointerGetDatum(PG_DETOAST_DATUM(value));
        old = MemoryContextSwitchTo(context);
        values[i] = datumCopy(value, attribute->attbyval, attribute->attlen);
        MemoryContextSwitchTo(old);
    }
}

/* Asks for one row; the first n values are copied into context. Null without a row. */
static void
ask(question kind, int64 id, bool own, MemoryContext context, int n, Datum values[], bool nulls[])
{
    asking state;

    begin_ask(kind, id, own, 1, &state);
    row_values(0, n, context, values, nulls);
    end_ask(&state);
}

/* Asks for a row of modems at once. */
static void
ask_services(config_cache *cache, int64 first)
{
    HASHCTL control = {.keysize = sizeof(int64), .entrysize = sizeof(service)};
    asking state;

    /* Those of before are not asked for again. */
    if (cache->services_context)
        MemoryContextReset(cache->services_context);
    else
        cache->services_context = AllocSetContextCreate(cache->site, "nmsp.modem_service",
                                                        ALLOCSET_SMALL_SIZES);
    control.hcxt = cache->services_context;
    cache->services = hash_create("nmsp.modem_service", SERVICES, &control,
                                  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    begin_ask(ASK_SERVICES, first, false, 0, &state);
    for (uint64 i = 0; i < SPI_processed; i++) {
        Datum values[ASK_COLUMNS + 2];
        bool nulls[ASK_COLUMNS + 2];
        service *entry;

        row_values(i, ASK_COLUMNS + 2, cache->services_context, values, nulls);
        entry = hash_search(cache->services, &values[ASK_COLUMNS], HASH_ENTER, NULL);
        entry->own = DatumGetBool(values[ASK_COLUMNS + 1]);
        memcpy(entry->values, values, sizeof entry->values);
        memcpy(entry->nulls, nulls, sizeof entry->nulls);
    }
    end_ask(&state);
}

/*
 * What contracts, blocks and MTAs make of a modem. Where modems are asked for one behind the other,
 * those that follow are asked for along with it: many at once cost a tenth of as many alone.
 */
static void
ask_service(config_cache *cache, int64 id, bool own, Datum values[], bool nulls[])
{
    const service *found =
        cache->services ? hash_search(cache->services, &id, HASH_FIND, NULL) : NULL;

    if (found == NULL && id > cache->last_service && id - cache->last_service <= 16 &&
        cache->last_service > 0) {
        ask_services(cache, id);
        found = hash_search(cache->services, &id, HASH_FIND, NULL);
    }
    cache->last_service = id;
    if (found == NULL || found->own != own) {
        ask(ASK_SERVICE, id, own, CurrentMemoryContext, ASK_COLUMNS, values, nulls);
        return;
    }
    memcpy(values, found->values, sizeof found->values);
    memcpy(nulls, found->nulls, sizeof found->nulls);
}

static const answer *
answer_of(config_cache *cache, question kind, int64 id)
{
    answer key = {.kind = kind, .id = id};
    answer *found = hash_search(cache->answers, &key, HASH_FIND, NULL);

    if (found == NULL) {
        /* Asked first, entered after: an error leaves nothing half done. */
        ask(kind, id, false, cache->context, 2, key.values, key.nulls);
        found = hash_search(cache->answers, &key, HASH_ENTER, NULL);
        *found = key;
    }
    return found;
}

/*
 * The text of a template, followed by the statements of the image that a modem is to load, if any.
 * Once joined it is one text for all modems of both, so they share what is compiled of it.
 */
static bytes
with_firmware(config_cache *cache, int64 modem_id, int64 template_id, bytes source)
{
    answer key = {.kind = WITH_IMAGE, .id = template_id, .nulls = {false, true}};
    Datum image;
    bool null;
    const answer *statements;
    answer *found;

    if (answer_of(cache, ASK_RELEASED, 0)->nulls[0])
        return source;
    ask(ASK_RELEASE, modem_id, false, CurrentMemoryContext, 1, &image, &null);
    if (null)
        return source;
    statements = answer_of(cache, ASK_IMAGE, DatumGetInt64(image));
    if (statements->nulls[0])
        return source;
    key.image_id = DatumGetInt64(image);
    found = hash_search(cache->answers, &key, HASH_FIND, NULL);
    if (found == NULL) {
        bytes tail = text_bytes(statements->values[0]);
        text *joined = MemoryContextAlloc(cache->context, VARHDRSZ + source.length + 1 + tail.length);

        SET_VARSIZE(joined, VARHDRSZ + source.length + 1 + tail.length);
        memcpy(VARDATA(joined), source.data, source.length);
        VARDATA(joined)[source.length] = '\n';
        memcpy(VARDATA(joined) + source.length + 1, tail.data, tail.length);
        key.values[0] = PointerGetDatum(joined);
        found = hash_search(cache->answers, &key, HASH_ENTER, NULL);
        *found = key;
    }
    return text_bytes(found->values[0]);
}

/* The modem's options: read only when a template asks for one, and not kept. */
static Jsonb *
options_of(render_input *render)
{
    config_input *input = (config_input *)render;
    Datum values[2];
    bool nulls[2];

    if (!input->options_read) {
        ask(ASK_OPTIONS, input->modem_id, false, CurrentMemoryContext, 2, values, nulls);
        input->options = nulls[0] ? NULL : DatumGetJsonbP(values[0]);
        input->options_read = true;
    }
    return input->options;
}

/* ---- the row ------------------------------------------------------------- */

/* 0: there is no such column. */
static int
find_attribute(TupleDesc desc, const char *name, Oid type)
{
    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(desc, i);

        if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0 &&
            attribute->atttypid == type)
            return i + 1;
    }
    return 0;
}

static int
attribute_number(TupleDesc desc, const char *name, Oid type)
{
    int number = find_attribute(desc, name, type);

    if (number > 0)
        return number;
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("the row has no column \"%s\" of type %s", name, format_type_be(type)),
                    errhint("Pass a row of nmsp.modem: SELECT nmsp.modem_config(m) FROM nmsp.modem m.")));
}

static void
follow_row_type(config_cache *cache, HeapTupleHeader row)
{
    Oid type = HeapTupleHeaderGetTypeId(row);
    int32 typmod = HeapTupleHeaderGetTypMod(row);
    TupleDesc desc;
    MemoryContext old;

    if (cache->row_type == type && cache->row_typmod == typmod)
        return;
    desc = lookup_rowtype_tupdesc(type, typmod);
    old = MemoryContextSwitchTo(cache->context);
    cache->row_desc = CreateTupleDescCopy(desc);
    MemoryContextSwitchTo(old);
    ReleaseTupleDesc(desc);
    cache->id = attribute_number(cache->row_desc, "id", INT8OID);
    cache->netgw_id = attribute_number(cache->row_desc, "netgw_id", INT8OID);
    cache->template_id = attribute_number(cache->row_desc, "template_id", INT8OID);
    cache->service_class_id = attribute_number(cache->row_desc, "service_class_id", INT8OID);
    cache->internet_access = attribute_number(cache->row_desc, "internet_access", BOOLOID);
    cache->public_cpe = find_attribute(cache->row_desc, "public_cpe", BOOLOID);
    cache->row_type = type;
    cache->row_typmod = typmod;
}

static config_cache *
call_site_cache(FunctionCallInfo fcinfo)
{
    config_cache *cache = fcinfo->flinfo->fn_extra;

    if (cache == NULL) {
        cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof *cache);
        cache->site = fcinfo->flinfo->fn_mcxt;
        cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "nmsp.modem_config",
                                               ALLOCSET_SMALL_SIZES);
        fcinfo->flinfo->fn_extra = cache;
    }
    follow_snapshot(cache);
    return cache;
}

static int64
int8_column(config_input *input, int attribute, bool *null)
{
    return DatumGetInt64(heap_getattr(&input->render.modem, attribute, input->cache->row_desc,
                                      null));
}

/*
 * What contracts, blocks and MTAs make of the modem takes the place of its own columns, so that
 * placeholders read it too. Network access and MaxCPE follow from both.
 */
static void
follow_service(config_input *input)
{
    config_cache *cache = input->cache;
    render_input *render = &input->render;
    Datum values[ASK_COLUMNS];
    bool nulls[ASK_COLUMNS], access_null, own;
    int columns[3] = {cache->internet_access, cache->service_class_id, cache->public_cpe};
    HeapTuple changed;
    bytes text;

    if (answer_of(cache, ASK_DERIVED, 0)->nulls[0])
        return;
    own = DatumGetBool(heap_getattr(&render->modem, cache->internet_access, cache->row_desc,
                                    &access_null));
    if (access_null)
        return;
    ask_service(cache, input->modem_id, own, values, nulls);
    if (nulls[0])
        return;
    /* Without a contract service class and public_cpe stay those of the row. */
    changed = heap_modify_tuple_by_cols(&render->modem, cache->row_desc,
                                        !DatumGetBool(values[6]) ? 1 : cache->public_cpe > 0 ? 3 : 2,
                                        columns, values, nulls);
    render->modem = *changed;
    input->network_access_known = true;
    render->network_access = DatumGetBool(values[3]);
    render->max_cpe = DatumGetInt32(values[4]);
    if (!nulls[5]) {
        text = text_bytes(values[5]);
        render->extra = pnstrdup(text.data, text.length);
    }
}

/* Fills in what the tables say. False when the row or the tables have no template for it. */
static bool
gather(config_input *input)
{
    config_cache *cache = input->cache;
    render_input *render = &input->render;
    const answer *setting, *template, *class, *secret;
    bool null, access_null;
    int64 key;

    key = int8_column(input, cache->template_id, &null);
    if (null)
        return false;
    template = answer_of(cache, ASK_TEMPLATE, key);
    setting = answer_of(cache, ASK_SETTING, 0);
    if (template->nulls[0] || setting->nulls[0])
        return false;
    render->source = with_firmware(cache, input->modem_id, key, text_bytes(template->values[0]));
    render->name = text_bytes(template->values[1]);
    render->setting = DatumGetJsonbP(setting->values[0]);
    if (!input->network_access_known)
        render->max_cpe = DatumGetInt32(setting->values[1]);
    key = int8_column(input, cache->service_class_id, &null);
    if (!null) {
        class = answer_of(cache, ASK_CLASS, key);
        render->service_class = class->nulls[0] ? NULL : DatumGetJsonbP(class->values[0]);
    }
    key = int8_column(input, cache->netgw_id, &null);
    secret = answer_of(cache, ASK_SECRET, null ? -1 : key);
    if (secret->nulls[0])
        return false;
    render->secret = text_bytes(secret->values[0]);
    if (input->network_access_known)
        return true;
    render->network_access = DatumGetBool(heap_getattr(&render->modem, cache->internet_access,
                                                       cache->row_desc, &access_null));
    return !access_null;
}

/* nmsp.modem_config(modem record) */
Datum
nmsp_modem_config(PG_FUNCTION_ARGS)
{
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
    config_input input = {.render.options = options_of};
    char hostname[32];
    bool null;

    input.cache = call_site_cache(fcinfo);
    follow_row_type(input.cache, row);
    input.render.modem.t_len = HeapTupleHeaderGetDatumLength(row);
    input.render.modem.t_data = row;
    input.render.modem_desc = input.cache->row_desc;
    input.modem_id = int8_column(&input, input.cache->id, &null);
    memcpy(hostname, "cm-", 4);
    if (!null)
        pg_lltoa(input.modem_id, hostname + 3);
    input.render.hostname = hostname;
    input.render.memos = input.cache->memos;
    if (!null)
        follow_service(&input);
    if (!gather(&input))
        PG_RETURN_NULL();
    PG_RETURN_POINTER(nmsp_render(&input.render));
}

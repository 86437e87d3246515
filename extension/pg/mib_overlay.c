/*
 * nmsp.mib_object in the backend's memory, see mib_overlay.h.
 *
 * When is what was loaded still right? Each statement that changes the table gives the one row of
 * nmsp.mib_version a new random value (a trigger does). Reading that row under the active snapshot
 * answers exactly, in every isolation level, inside the transaction that made the change and after
 * its end; invalidation messages could not: they say that something was committed, not which
 * snapshots see it. While the snapshot sees the same rows, not even that row is read.
 *
 * The table is read with the rights of its owner: whoever may encode may use the names.
 */
#include "extension/pg/mib_overlay.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "extension/pg/snapshot_view.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

/* Every name is qualified: it runs as the table's owner, whatever the caller's search_path. */
static const char load_sql[] =
    "SELECT o.name, o.module, o.oid, o.type, o.ranges, "
    "       (SELECT pg_catalog.string_agg(pg_catalog.concat(e.key, '=', e.value), ',' "
    "                                     ORDER BY e.value::pg_catalog.numeric) "
    "          FROM pg_catalog.jsonb_each_text(o.enums) e), "
    "       pg_catalog.array_to_string(o.index_columns, ','), o.index_implied "
    "  FROM nmsp.mib_object o "
    " ORDER BY o.name COLLATE pg_catalog.\"C\", o.module COLLATE pg_catalog.\"C\"";
enum { COL_NAME = 1, COL_MODULE, COL_OID, COL_TYPE, COL_RANGES, COL_ENUMS, COL_INDEX, COL_IMPLIED };

typedef struct mib_set {
    docsis_mib_overlay core;
    MemoryContext context;
    pg_uuid_t version;
    int count;
    docsis_mib_object *objects; /* ordered by name */
    char **index_columns;       /* of each object, as in the table; or NULL */
    int *by_oid;                /* numbers of objects, ordered by arcs */
    uint32 mask;
    int *by_name;               /* hash table: number + 1 of the first object of a name; 0 = free */
} mib_set;

static mib_set *current = NULL;         /* the last one loaded */
static uint64 generation_of_current = 1;
static bool seen_is_valid = false;      /* seen answers for current, or for no table */
static snapshot_view seen;
static MemoryContext seen_context = NULL;

/* ---- looking up ---------------------------------------------------------- */

static bool
is_named(const docsis_mib_object *object, const char *name, size_t length)
{
    return strncmp(object->syntax.name, name, length) == 0 && object->syntax.name[length] == '\0';
}

static const docsis_mib_object *
find_by_name(void *context, const char *name, size_t length, int n)
{
    const mib_set *set = context;
    uint32 slot = hash_bytes((const unsigned char *)name, (int)length) & set->mask;

    for (; set->by_name[slot] != 0; slot = (slot + 1) & set->mask) {
        int number = set->by_name[slot] - 1;

        if (!is_named(&set->objects[number], name, length))
            continue;
        number += n;
        return number < set->count && is_named(&set->objects[number], name, length)
                   ? &set->objects[number] : NULL;
    }
    return NULL;
}

static int
compare_arcs(const uint32_t *a, int a_count, const uint32_t *b, int b_count)
{
    for (int i = 0; i < a_count && i < b_count; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return a_count - b_count;
}

/* The object with exactly these arcs, or NULL. */
static const docsis_mib_object *
find_exact(const mib_set *set, const uint32_t *arcs, int count)
{
    int low = 0, high = set->count - 1;

    while (low <= high) {
        int middle = (low + high) / 2;
        const docsis_mib_object *object = &set->objects[set->by_oid[middle]];
        int order = compare_arcs(object->arcs, object->arc_count, arcs, count);

        if (order == 0)
            return object;
        if (order < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return NULL;
}

static const docsis_mib_object *
find_by_oid(void *context, const uint32_t *arcs, int count)
{
    for (; count > 1; count--) {
        const docsis_mib_object *object = find_exact(context, arcs, count);

        if (object)
            return object;
    }
    return NULL;
}

/* ---- loading ------------------------------------------------------------- */

static int
count_items(const char *list)
{
    int items = 1;

    if (list == NULL || *list == '\0')
        return 0;
    for (; *list; list++)
        items += *list == ',';
    return items;
}

/* The next item of a comma list, cut out in place; NULL = no more. */
static char *
next_item(char **list)
{
    char *item = *list, *comma;

    if (item == NULL || *item == '\0')
        return NULL;
    comma = strchr(item, ',');
    if (comma)
        *comma = '\0';
    *list = comma ? comma + 1 : NULL;
    return item;
}

static void
load_arcs(docsis_mib_object *object, char *oid)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    uint32_t *kept;
    char *end = oid;

    for (object->arc_count = 0; object->arc_count < DOCSIS_MAX_ARCS; oid = end + 1) {
        arcs[object->arc_count++] = (uint32_t)strtoul(oid, &end, 10);
        if (*end != '.')
            break;
    }
    kept = palloc(object->arc_count * sizeof *kept);
    memcpy(kept, arcs, object->arc_count * sizeof *kept);
    object->arcs = kept;
}

static void
load_ranges(docsis_mib_syntax *syntax, char *text)
{
    docsis_range *ranges = palloc((count_items(text) + 1) * sizeof *ranges);
    char *item, *end;

    while ((item = next_item(&text)) != NULL) {
        docsis_range *range = &ranges[syntax->range_count++];

        range->low = strtoll(item, &end, 10);
        range->high = strncmp(end, "..", 2) == 0 ? strtoll(end + 2, NULL, 10) : range->low;
    }
    syntax->ranges = ranges;
}

static void
load_enums(docsis_mib_syntax *syntax, char *text)
{
    docsis_enum *enums = palloc((count_items(text) + 1) * sizeof *enums);
    char *item;

    while ((item = next_item(&text)) != NULL) {
        char *equals = strrchr(item, '=');

        if (equals == NULL)
            continue;
        *equals = '\0';
        enums[syntax->enum_count++] = (docsis_enum){(int32_t)strtol(equals + 1, NULL, 10),
                                                    pstrdup(item)};
    }
    syntax->enums = enums;
}

static void
load_object(mib_set *set, int number, HeapTuple row, TupleDesc desc)
{
    docsis_mib_object *object = &set->objects[number];
    char *type = SPI_getvalue(row, desc, COL_TYPE), *implied = SPI_getvalue(row, desc, COL_IMPLIED);
    char *ranges = SPI_getvalue(row, desc, COL_RANGES), *enums = SPI_getvalue(row, desc, COL_ENUMS);

    object->syntax.name = SPI_getvalue(row, desc, COL_NAME);
    object->module = SPI_getvalue(row, desc, COL_MODULE);
    object->syntax.type = type ? docsis_mib_type_of(type, strlen(type)) : DOCSIS_MIB_NONE;
    object->implied = implied && implied[0] == 't';
    load_arcs(object, SPI_getvalue(row, desc, COL_OID));
    load_ranges(&object->syntax, ranges);
    load_enums(&object->syntax, enums);
    set->index_columns[number] = SPI_getvalue(row, desc, COL_INDEX);
}

/* What an index column takes: of the same module, else of any in the table, else built in. */
static docsis_mib_syntax
column_syntax(mib_set *set, const char *name, const char *module)
{
    const docsis_mib_object *found, *best = NULL;
    docsis_mib_syntax syntax;

    for (int n = 0; (found = find_by_name(set, name, strlen(name), n)) != NULL; n++)
        if (best == NULL || strcmp(found->module, module) == 0)
            best = found;
    if (best)
        return best->syntax;
    docsis_mib_object_find(name, strlen(name), DOCSIS_PROFILE_CABLELABS, &syntax);
    return syntax;
}

/* Gives the columns of a table the INDEX of its row, which is the object above them. */
static void
link_index(mib_set *set, docsis_mib_object *object)
{
    const docsis_mib_object *row = find_exact(set, object->arcs, object->arc_count - 1);
    docsis_mib_syntax *index;
    char *columns, *name;

    if (row == NULL || set->index_columns[row - set->objects] == NULL)
        return;
    columns = pstrdup(set->index_columns[row - set->objects]);
    index = palloc0((count_items(columns) + 1) * sizeof *index);
    while ((name = next_item(&columns)) != NULL)
        index[object->index_count++] = column_syntax(set, name, row->module);
    object->index = index;
    object->implied = row->implied;
}

static int
order_by_oid(const void *a, const void *b, void *arg)
{
    const docsis_mib_object *objects = arg;
    const docsis_mib_object *left = &objects[*(const int *)a], *right = &objects[*(const int *)b];

    return compare_arcs(left->arcs, left->arc_count, right->arcs, right->arc_count);
}

static void
make_tables(mib_set *set)
{
    uint32 size = 16;

    while (size < (uint32)set->count * 2)
        size *= 2;
    set->mask = size - 1;
    set->by_name = MemoryContextAllocHuge(set->context, size * sizeof(int));
    memset(set->by_name, 0, size * sizeof(int));
    set->by_oid = MemoryContextAllocHuge(set->context, (set->count + 1) * sizeof(int));
    for (int i = 0; i < set->count; i++) {
        const char *name = set->objects[i].syntax.name;
        uint32 slot = hash_bytes((const unsigned char *)name, (int)strlen(name)) & set->mask;

        set->by_oid[i] = i;
        if (i > 0 && strcmp(set->objects[i - 1].syntax.name, name) == 0)
            continue;
        while (set->by_name[slot] != 0)
            slot = (slot + 1) & set->mask;
        set->by_name[slot] = i + 1;
    }
    qsort_arg(set->by_oid, set->count, sizeof(int), order_by_oid, set->objects);
}

static Oid
table_owner(Oid relation)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    Oid owner;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for relation %u", relation);
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

/* Reads the table's rows into set. */
static void
load_rows(mib_set *set, Oid relation)
{
    Oid user;
    int security;
    MemoryContext old;

    GetUserIdAndSecContext(&user, &security);
    SetUserIdAndSecContext(table_owner(relation), security | SECURITY_LOCAL_USERID_CHANGE);
    SPI_connect();
    if (SPI_execute(load_sql, true, 0) != SPI_OK_SELECT)
        elog(ERROR, "could not read nmsp.mib_object");
    old = MemoryContextSwitchTo(set->context);
    set->objects = MemoryContextAllocHuge(set->context, (SPI_processed + 1) * sizeof *set->objects);
    memset(set->objects, 0, (SPI_processed + 1) * sizeof *set->objects);
    set->index_columns = palloc0((SPI_processed + 1) * sizeof *set->index_columns);
    set->count = (int)SPI_processed;
    for (int i = 0; i < set->count; i++) {
        CHECK_FOR_INTERRUPTS();
        load_object(set, i, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
    }
    MemoryContextSwitchTo(old);
    SPI_finish();
    SetUserIdAndSecContext(user, security);
}

static mib_set *
load(Oid relation, const pg_uuid_t *version)
{
    /* A child of the caller's context until it is whole: an error leaves nothing behind. */
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nmsp MIB objects",
                                                  ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    mib_set *set = palloc0(sizeof *set);

    set->context = context;
    set->core = (docsis_mib_overlay){find_by_name, find_by_oid, set};
    set->version = *version;
    load_rows(set, relation);
    make_tables(set);
    for (int i = 0; i < set->count; i++)
        link_index(set, &set->objects[i]);
    MemoryContextSwitchTo(old);
    MemoryContextSetParent(context, TopMemoryContext);
    return set;
}

/* ---- is it still right? --------------------------------------------------- */

/* A table of schema nmsp, or InvalidOid. */
static Oid
find_table(const char *name)
{
    Oid namespace = get_namespace_oid("nmsp", true);

    return OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;
}

/* The version that the snapshot sees; false when there is none: the row is gone, or the table is. */
static bool
read_version(Oid relation, Snapshot snapshot, pg_uuid_t *version)
{
    Relation table = table_open(relation, AccessShareLock);
    AttrNumber column = get_attnum(relation, "version");
    TupleTableSlot *slot;
    TableScanDesc scan;
    bool null = true;

    memset(version, 0, sizeof *version);
    if (table->rd_rel->relkind != RELKIND_RELATION || column <= 0 ||
        get_atttype(relation, column) != UUIDOID) {
        table_close(table, AccessShareLock);
        return false;
    }
    slot = table_slot_create(table, NULL);
    scan = table_beginscan(table, snapshot, 0, NULL);
    if (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        Datum value = slot_getattr(slot, column, &null);

        if (!null)
            *version = *DatumGetUUIDP(value);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    table_close(table, AccessShareLock);
    return !null;
}

/* What a (sub)transaction that ends saw may be gone, though the next snapshot looks the same. */
static void
forget_view(XactEvent event, void *arg)
{
    seen_is_valid = false;
}

static void
forget_subview(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
    seen_is_valid = false;
}

static void
keep_view(Snapshot snapshot)
{
    if (seen_context == NULL) {
        seen_context = AllocSetContextCreate(TopMemoryContext, "nmsp MIB snapshot",
                                             ALLOCSET_SMALL_SIZES);
        RegisterXactCallback(forget_view, NULL);
        RegisterSubXactCallback(forget_subview, NULL);
    }
    MemoryContextReset(seen_context);
    snapshot_view_keep(&seen, snapshot, seen_context);
    seen_is_valid = true;
}

/* Replaces what was loaded. */
static void
replace(mib_set *set)
{
    mib_set *old = current;

    current = set;
    generation_of_current++;
    if (old)
        MemoryContextDelete(old->context);
}

static void
follow(Snapshot snapshot)
{
    Oid objects = find_table("mib_object");
    Oid versions = find_table("mib_version");
    pg_uuid_t version;

    if (!OidIsValid(objects) || !OidIsValid(versions)) {
        if (current)
            replace(NULL);
    } else {
        if (!read_version(versions, snapshot, &version) || current == NULL ||
            memcmp(&current->version, &version, sizeof version) != 0)
            replace(load(objects, &version));
    }
    keep_view(snapshot);
}

const docsis_mib_overlay *
nmsp_mib_overlay(uint64 *generation)
{
    Snapshot snapshot = GetActiveSnapshot();

    if (!seen_is_valid || !snapshot_view_same(&seen, snapshot))
        follow(snapshot);
    if (generation)
        *generation = generation_of_current;
    return current && current->count > 0 ? &current->core : NULL;
}

/*
 * docsis.diff(a, b): what is different, for people.
 *
 * TLVs of both sides are paired level by level: flows and classifiers by their reference, vendor
 * groups by their vendor, SNMP objects by their OID, the rest by occurrence. A group that only one
 * side has is one row; a group that both have is compared inside. MICs, the end mark and padding
 * do not count.
 */
#include "extension/pg/docsis_value.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(docsis_config_diff);

/* A TLV of one level on one side. */
typedef struct entry {
    docsis_tlv tlv;
    docsis_cursor inside;    /* of a group: at its first member */
    const uint8_t *key;      /* what it is paired by beside its code; NULL = occurrence alone */
    size_t key_length;
    int order;               /* in the file */
    int occurrence;          /* among the same code in the same group, from 1 */
    struct entry *partner;
} entry;

typedef struct level {
    int count;
    int capacity;
    entry *entries;
} level;

/* Where a level is: path and names of the groups around it, and which of the outermost. */
typedef struct place {
    char *path;
    char *name;
    int occurrence;          /* 0 = top level */
} place;

/* ---- reading a level ---------------------------------------------------- */

static bool
is_reference(const docsis_symbol *symbol)
{
    const char *name = symbol->name;
    size_t length = strlen(name);

    return symbol->code == 1 && ((length > 3 && strcmp(name + length - 3, "Ref") == 0) ||
                                 (length > 9 && strcmp(name + length - 9, "Reference") == 0));
}

/* The member of a group that says which one it is. */
static void
group_key(entry *e)
{
    docsis_cursor cursor = e->inside;
    size_t end = e->tlv.offset + e->tlv.header_length + e->tlv.length;
    docsis_tlv tlv;

    while (cursor.position < end && docsis_cursor_next(&cursor, &tlv, NULL) == 1) {
        docsis_cursor_skip(&cursor, &tlv);
        if (tlv.symbol != NULL && !tlv.is_group &&
            (tlv.symbol->is_vendor_id || is_reference(tlv.symbol))) {
            e->key = tlv.value;
            e->key_length = tlv.length;
            return;
        }
    }
}

static int
compare(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    int order = x->tlv.code - y->tlv.code;

    if (order == 0)
        order = (x->key != NULL) - (y->key != NULL);
    if (order == 0 && x->key_length != y->key_length)
        order = x->key_length < y->key_length ? -1 : 1;
    if (order == 0 && x->key_length > 0)
        order = memcmp(x->key, y->key, x->key_length);
    return order;
}

static int
compare_stable(const void *a, const void *b)
{
    int order = compare(a, b);

    return order != 0 ? order : (*(entry *const *)a)->order - (*(entry *const *)b)->order;
}

static level
read_level(docsis_cursor cursor, size_t end)
{
    level l = {0};
    int seen[256] = {0};

    while (cursor.position < end) {
        entry e = {0};

        if (docsis_cursor_next(&cursor, &e.tlv, NULL) != 1)
            break;
        e.inside = cursor;
        docsis_cursor_skip(&cursor, &e.tlv);
        if (nmsp_is_seal(&e.tlv, cursor.is_mta))
            continue;
        if (e.tlv.is_group)
            group_key(&e);
        else
            nmsp_varbind_oid(&e.tlv, &e.key, &e.key_length);
        e.order = l.count;
        e.occurrence = ++seen[e.tlv.code];
        if (l.count == l.capacity) {
            l.capacity = Max(32, 2 * l.capacity);
            l.entries = l.entries ? repalloc(l.entries, l.capacity * sizeof(entry))
                                  : palloc(l.capacity * sizeof(entry));
        }
        l.entries[l.count++] = e;
    }
    return l;
}

static entry **
sorted(level *l)
{
    entry **list = palloc(Max(1, l->count) * sizeof *list);

    for (int i = 0; i < l->count; i++)
        list[i] = &l->entries[i];
    qsort(list, l->count, sizeof *list, compare_stable);
    return list;
}

/* Pairs the first of a key with the first of the same key, and so on. */
static void
pair(level *a, level *b)
{
    entry **x = sorted(a), **y = sorted(b);
    int i = 0, j = 0;

    while (i < a->count && j < b->count) {
        int order = compare(&x[i], &y[j]);

        if (order == 0) {
            x[i]->partner = y[j];
            y[j]->partner = x[i];
        }
        i += order <= 0;
        j += order >= 0;
    }
    pfree(x);
    pfree(y);
}

/* ---- rows --------------------------------------------------------------- */

static void put_tlv_text(docsis_buffer *out, const entry *e, bool with_name);

/* `{ UsServiceFlowRef 1; MaxRateSustained 5; }` */
static void
put_group_text(docsis_buffer *out, const entry *group)
{
    level l = read_level(group->inside,
                         group->tlv.offset + group->tlv.header_length + group->tlv.length);

    docsis_put_text(out, "{ ");
    for (int i = 0; i < l.count; i++) {
        put_tlv_text(out, &l.entries[i], true);
        docsis_put_text(out, l.entries[i].tlv.is_group ? " " : "; ");
    }
    docsis_put(out, '}');
    if (l.entries)
        pfree(l.entries);
}

static void
put_tlv_text(docsis_buffer *out, const entry *e, bool with_name)
{
    static const docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE};
    docsis_error error;
    size_t start;

    if (with_name && e->tlv.symbol != NULL)
        docsis_put_text(out, e->tlv.symbol->name);
    else if (with_name)
        docsis_put_uint(out, e->tlv.code);
    if (with_name)
        docsis_put(out, ' ');
    if (e->tlv.is_group) {
        put_group_text(out, e);
        return;
    }
    start = out->length;
    if (!docsis_tlv_value(&e->tlv, &options, out, &error))
        nmsp_raise(&error, NULL, 0);
    /* Of an SNMP object the row's name has the OID: the value begins behind it. */
    if (!with_name && e->key != NULL && docsis_value_is_typed(&e->tlv)) {
        uint8_t *blank = memchr(out->data + start, ' ', out->length - start);

        if (blank != NULL) {
            size_t rest = out->data + out->length - (blank + 1);

            memmove(out->data + start, blank + 1, rest);
            out->length = start + rest;
        }
    }
}

static Datum
to_text(docsis_buffer *buffer)
{
    char *s = nmsp_buffer_cstring(buffer);

    return CStringGetTextDatum(pg_any_to_server(s, strlen(s), PG_UTF8));
}

static Datum
value_text(const entry *e)
{
    docsis_buffer out;

    nmsp_buffer_init(&out, 128);
    put_tlv_text(&out, e, false);
    return to_text(&out);
}

/* The numeric OID with a leading dot, or its name. */
static char *
oid_text(const entry *e, docsis_oid_form form)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    docsis_buffer out;

    nmsp_buffer_init(&out, 128);
    if (!docsis_oid_from_ber(e->key, e->key_length, arcs, &count))
        return NULL;
    docsis_oid_text(arcs, count, form, NULL, &out);
    return nmsp_buffer_cstring(&out);
}

/* Path and name of an entry; a path that -> understands. */
static place
place_of(const place *around, const entry *e)
{
    place p;
    const char *dot = around->path[0] ? "." : "";
    const char *name = e->tlv.symbol ? e->tlv.symbol->name : psprintf("%d", e->tlv.code);
    char *oid = NULL, *label = NULL;

    if (!e->tlv.is_group && e->key != NULL && docsis_value_is_typed(&e->tlv)) {
        oid = oid_text(e, DOCSIS_OID_NUMERIC);
        label = oid_text(e, DOCSIS_OID_NAMES);
    }
    if (e->occurrence > 1)
        p.path = psprintf("%s%s%d[%d]", around->path, dot, e->tlv.code, e->occurrence);
    else
        p.path = psprintf("%s%s%d", around->path, dot, e->tlv.code);
    if (oid)
        p.path = oid;
    p.name = psprintf("%s%s%s", around->name, dot, label ? label : name);
    p.occurrence = around->occurrence > 0 ? around->occurrence : e->occurrence;
    return p;
}

static void
put_row(ReturnSetInfo *result, const char *change, const place *around, const entry *old,
        const entry *new)
{
    place p = place_of(around, new ? new : old);
    Datum row[6] = {0};
    bool nulls[6] = {false};

    row[0] = CStringGetTextDatum(change);
    row[1] = CStringGetTextDatum(p.path);
    row[2] = CStringGetTextDatum(p.name);
    row[3] = Int32GetDatum(p.occurrence);
    nulls[4] = old == NULL;
    nulls[5] = new == NULL;
    if (old)
        row[4] = value_text(old);
    if (new)
        row[5] = value_text(new);
    tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
}

static void diff_level(ReturnSetInfo *result, const place *around, docsis_cursor a, size_t a_end,
                       docsis_cursor b, size_t b_end);

static size_t
end_of(const entry *e)
{
    return e->tlv.offset + e->tlv.header_length + e->tlv.length;
}

static void
diff_pair(ReturnSetInfo *result, const place *around, const entry *old, const entry *new)
{
    place p;

    if (old->tlv.length == new->tlv.length &&
        memcmp(old->tlv.value, new->tlv.value, old->tlv.length) == 0)
        return;
    if (!old->tlv.is_group || !new->tlv.is_group) {
        put_row(result, "changed", around, old, new);
        return;
    }
    p = place_of(around, new);
    diff_level(result, &p, old->inside, end_of(old), new->inside, end_of(new));
}

/* Rows of one level: what a has, in its order, then what only b has, in its order. */
static void
diff_level(ReturnSetInfo *result, const place *around, docsis_cursor a, size_t a_end,
           docsis_cursor b, size_t b_end)
{
    level x = read_level(a, a_end), y = read_level(b, b_end);

    CHECK_FOR_INTERRUPTS();
    pair(&x, &y);
    for (int i = 0; i < x.count; i++) {
        if (x.entries[i].partner)
            diff_pair(result, around, &x.entries[i], x.entries[i].partner);
        else
            put_row(result, "removed", around, &x.entries[i], NULL);
    }
    for (int i = 0; i < y.count; i++)
        if (y.entries[i].partner == NULL)
            put_row(result, "added", around, NULL, &y.entries[i]);
    if (x.entries)
        pfree(x.entries);
    if (y.entries)
        pfree(y.entries);
}

/* docsis.diff(a, b) */
Datum
docsis_config_diff(PG_FUNCTION_ARGS)
{
    struct varlena *a = PG_GETARG_VARLENA_PP(0), *b = PG_GETARG_VARLENA_PP(1);
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    place top = {.path = "", .name = ""};
    docsis_cursor x, y;

    InitMaterializedSRF(fcinfo, 0);
    docsis_cursor_init(&x, CONFIG_BYTES(a), CONFIG_LENGTH(a));
    docsis_cursor_init(&y, CONFIG_BYTES(b), CONFIG_LENGTH(b));
    diff_level(result, &top, x, CONFIG_LENGTH(a), y, CONFIG_LENGTH(b));
    return (Datum)0;
}

/*
 * docsis.config as jsonb, written directly: no JSON text, no parser, no sorting. The result equals
 * jsonb_in of docsis_write_json()'s text bit for bit, because
 *   - keys stand in jsonb's order (by length, then bytes: n t v, n t hex, oid name type value),
 *   - integers are the numerics that numeric_in makes,
 *   - strings are spelled by the functions of the core that write the text.
 * The layout (JEntry arrays before the data, an offset instead of a length at every
 * JB_OFFSET_STRIDE-th entry, containers and numerics aligned to four bytes) is that of
 * PostgreSQL's utils/jsonb.h, which is an on-disk format and so cannot change under us.
 */
#include "extension/pg/docsis_value.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(docsis_config_to_json);

/* Larger configs take the way over JSON text; it meets jsonb's limits with jsonb's own errors. */
#define DIRECT_LIMIT ((size_t)1024 * 1024)

/* ---- leaves ------------------------------------------------------------- */

static void
spelled(nmsp_leaf *leaf, const docsis_buffer *scratch)
{
    leaf->string = scratch->data;
    leaf->length = scratch->length;
}

static void
read_hex(const uint8_t *bytes, size_t length, docsis_buffer *scratch, nmsp_leaf *leaf)
{
    docsis_put_text(scratch, "0x");
    docsis_put_hex(scratch, bytes, length);
    spelled(leaf, scratch);
}

/* The value of a varbind whose parts are in leaf->varbind. */
static void
read_varbind(docsis_buffer *scratch, nmsp_leaf *leaf)
{
    const docsis_varbind *vb = &leaf->varbind;
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    int64_t number;

    leaf->kind = NMSP_LEAF_VARBIND;
    leaf->snmp_type = docsis_tag_keyword(vb->tag,
                                         docsis_is_plain_text(vb->value, vb->value_length));
    switch (vb->tag) {
    case DOCSIS_TAG_STRING:
        if (leaf->snmp_type[0] == 'H') {
            read_hex(vb->value, vb->value_length, scratch, leaf);
        } else {
            leaf->string = vb->value;
            leaf->length = vb->value_length;
        }
        break;
    case DOCSIS_TAG_IPADDRESS:
        docsis_put_ip4(scratch, vb->value);
        spelled(leaf, scratch);
        break;
    case DOCSIS_TAG_OID:
        if (docsis_oid_from_ber(vb->value, vb->value_length, arcs, &count))
            docsis_put_oid_numeric(scratch, arcs, count, false);
        spelled(leaf, scratch);
        break;
    default:
        leaf->is_number = docsis_ber_number(vb, &number);
        leaf->number = number;
    }
}

/* A JSON string has no zero character and is UTF-8. */
static bool
is_json_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        int n = docsis_utf8_length(bytes + i, length - i);

        if (n == 0 || bytes[i] == 0)
            return false;
        i += n;
    }
    return true;
}

static int64
big_endian(const docsis_tlv *tlv)
{
    int64 value = 0;

    for (size_t i = 0; i < tlv->length; i++)
        value = value << 8 | tlv->value[i];
    return value;
}

void
nmsp_leaf_read(const docsis_tlv *tlv, docsis_buffer *scratch, nmsp_leaf *leaf)
{
    static const docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE};
    size_t length = tlv->length;

    scratch->length = 0;
    leaf->kind = NMSP_LEAF_NONE;
    leaf->hex = leaf->is_number = false;
    leaf->number = 0;
    leaf->length = 0;
    if (tlv->is_group || tlv->header_length == 1)
        return;
    if (tlv->symbol != NULL && tlv->symbol->type == DOCSIS_T_VARBIND && !tlv->generic &&
        docsis_varbind_read_typed(tlv, &leaf->varbind)) {
        read_varbind(scratch, leaf);
        return;
    }
    leaf->kind = NMSP_LEAF_STRING;
    if (!docsis_value_is_typed(tlv)) {
        leaf->hex = true;
        read_hex(tlv->value, length, scratch, leaf);
        return;
    }
    switch ((docsis_type)tlv->symbol->type) {
    case DOCSIS_T_U8:
    case DOCSIS_T_U16:
    case DOCSIS_T_U24:
    case DOCSIS_T_U32:
        leaf->kind = NMSP_LEAF_NUMBER;
        leaf->is_number = true;
        leaf->number = big_endian(tlv);
        break;
    case DOCSIS_T_STRZ:
        length--;
        /* fall through */
    case DOCSIS_T_STR:
        if (is_json_text(tlv->value, length)) {
            leaf->string = tlv->value;
            leaf->length = length;
        } else {
            leaf->hex = true;
            read_hex(tlv->value, tlv->length, scratch, leaf);
        }
        break;
    case DOCSIS_T_SNMP_WRITE:
        leaf->kind = NMSP_LEAF_WRITE;
        docsis_oid_from_tlv(tlv->value, tlv->length, 1, leaf->varbind.arcs,
                            &leaf->varbind.arc_count);
        leaf->is_number = true;
        leaf->number = tlv->value[length - 1];
        break;
    default:
        docsis_put_value(scratch, tlv, &options);
        spelled(leaf, scratch);
    }
}

/* ---- containers --------------------------------------------------------- */

/* Where the members of a container go: its JEntry array and what was written so far. */
typedef struct container {
    size_t entries;      /* offset of its JEntry array in the buffer */
    uint32 total;        /* bytes of its data */
    int next;            /* index of the next entry */
} container;

static void
pad_to_int(docsis_buffer *out)
{
    int padding = INTALIGN(out->length) - out->length;

    docsis_reserve(out, 8);
    for (; padding > 0; padding--)
        out->data[out->length++] = 0;
}

/* Header and room for the JEntries. The caller has noted out->length before, for finish(). */
static container
open_container(docsis_buffer *out, uint32 header, int entries)
{
    container c = {0};

    pad_to_int(out);
    docsis_reserve(out, sizeof(uint32) * (1 + (size_t)entries));
    memcpy(out->data + out->length, &header, sizeof header);
    c.entries = out->length + sizeof header;
    out->length = c.entries + sizeof(JEntry) * entries;
    return c;
}

/* The member that was written from start on is complete. */
static inline void
finish(docsis_buffer *out, container *c, uint32 type, size_t start)
{
    uint32 length = out->length - start;
    JEntry entry;

    c->total += length;
    entry = c->next % JB_OFFSET_STRIDE == 0 ? (type | c->total | JENTRY_HAS_OFF) : (type | length);
    memcpy(out->data + c->entries + sizeof entry * c->next, &entry, sizeof entry);
    c->next++;
}

/* A key or a string that is the same in every encoding. */
static inline void
put_ascii(docsis_buffer *out, container *c, const char *s, size_t length)
{
    size_t start = out->length;

    docsis_put_bytes(out, s, length);
    finish(out, c, JENTRY_ISSTRING, start);
}

static void
put_utf8(docsis_buffer *out, container *c, const uint8_t *s, size_t length)
{
    size_t start = out->length;

    if (length == 0 || GetDatabaseEncoding() == PG_UTF8) {
        docsis_put_bytes(out, s, length);
    } else {
        char *server = pg_any_to_server((char *)s, length, PG_UTF8);

        docsis_put_bytes(out, server, server == (char *)s ? length : strlen(server));
    }
    finish(out, c, JENTRY_ISSTRING, start);
}

/* Numerics made before; most numbers of configs come again and again. */
#define NUMERICS 512
#define NUMERIC_ROOM 24

typedef struct known_numeric {
    int64 value;
    uint32 size;         /* 0 = free */
    char numeric[NUMERIC_ROOM];
} known_numeric;

static void
put_number(docsis_buffer *out, container *c, int64 value)
{
    static known_numeric known[NUMERICS];
    known_numeric *n = &known[((uint64)value ^ (uint64)value >> 9) % NUMERICS];
    size_t start = out->length;

    if (n->size == 0 || n->value != value) {
        Numeric numeric = int64_to_numeric(value);
        uint32 size = VARSIZE(numeric);

        if (size > NUMERIC_ROOM)
            elog(ERROR, "an integer is larger than expected");
        memcpy(n->numeric, numeric, size);
        n->value = value;
        n->size = size;
        pfree(numeric);
    }
    pad_to_int(out);
    docsis_put_bytes(out, n->numeric, n->size);
    finish(out, c, JENTRY_ISNUMERIC, start);
}

/* ---- TLVs --------------------------------------------------------------- */

/* A TLV in pre-order with the number of its members; of a run of pads, one with its size there. */
typedef struct node {
    docsis_tlv tlv;
    int members;
} node;

typedef struct tree {
    int count;
    int capacity;
    int roots;           /* nodes of the least depth */
    node *nodes;
    docsis_buffer scratch;
} tree;

#define TREE_INLINE 96

/* Reads all TLVs up to `end`; raises what the core says of a malformed top level. */
static void
tree_read(tree *t, node *room, docsis_cursor *cursor, size_t end)
{
    int open[DOCSIS_MAX_DEPTH + 1];
    int base = -1, state = 1;
    docsis_error error;

    memset(t, 0, sizeof *t);
    t->nodes = room;
    t->capacity = TREE_INLINE;
    while (cursor->position < end) {
        node *n;

        if (t->count == t->capacity) {
            node *more = palloc(2 * t->capacity * sizeof(node));

            memcpy(more, t->nodes, t->count * sizeof(node));
            if (t->nodes != room)
                pfree(t->nodes);
            t->nodes = more;
            t->capacity *= 2;
        }
        n = &t->nodes[t->count];
        if ((state = docsis_cursor_next(cursor, &n->tlv, &error)) != 1)
            break;
        if (base < 0)
            base = n->tlv.depth;
        if (n->tlv.depth == 0 && n->tlv.code == 0 && t->count > 0 && n[-1].tlv.depth == 0 &&
            n[-1].tlv.code == 0) {
            n[-1].members++;
            continue;
        }
        n->members = n->tlv.depth == 0 && n->tlv.code == 0;
        if (n->tlv.depth == base)
            t->roots++;
        else
            t->nodes[open[n->tlv.depth - 1]].members++;
        open[n->tlv.depth] = t->count++;
    }
    if (state < 0)
        nmsp_raise(&error, NULL, 0);
    nmsp_buffer_init(&t->scratch, 1024);
}

static void
put_varbind(docsis_buffer *out, const nmsp_leaf *leaf)
{
    container c = open_container(out, JB_FOBJECT | 4, 8);
    size_t start;

    put_ascii(out, &c, "oid", 3);
    put_ascii(out, &c, "name", 4);
    put_ascii(out, &c, "type", 4);
    put_ascii(out, &c, "value", 5);
    start = out->length;
    docsis_put_oid_numeric(out, leaf->varbind.arcs, leaf->varbind.arc_count, false);
    finish(out, &c, JENTRY_ISSTRING, start);
    start = out->length;
    docsis_put_oid_text(out, leaf->varbind.arcs, leaf->varbind.arc_count, DOCSIS_OID_NAMES,
                        DOCSIS_STYLE_DOCSIS, NULL);
    finish(out, &c, JENTRY_ISSTRING, start);
    put_ascii(out, &c, leaf->snmp_type, strlen(leaf->snmp_type));
    if (leaf->is_number)
        put_number(out, &c, leaf->number);
    else
        put_utf8(out, &c, leaf->string, leaf->length);
}

static void
put_write(docsis_buffer *out, const nmsp_leaf *leaf)
{
    container c = open_container(out, JB_FOBJECT | 2, 4);
    size_t start;

    put_ascii(out, &c, "oid", 3);
    put_ascii(out, &c, "value", 5);
    start = out->length;
    docsis_put_oid_numeric(out, leaf->varbind.arcs, leaf->varbind.arc_count, false);
    finish(out, &c, JENTRY_ISSTRING, start);
    put_number(out, &c, leaf->number);
}

/* The value of a leaf as the next member of c. */
static void
put_leaf(docsis_buffer *out, container *c, const nmsp_leaf *leaf)
{
    size_t start = out->length;

    switch (leaf->kind) {
    case NMSP_LEAF_NUMBER:
        put_number(out, c, leaf->number);
        break;
    case NMSP_LEAF_STRING:
        put_utf8(out, c, leaf->string, leaf->length);
        break;
    case NMSP_LEAF_VARBIND:
        put_varbind(out, leaf);
        finish(out, c, JENTRY_ISCONTAINER, start);
        break;
    case NMSP_LEAF_WRITE:
        put_write(out, leaf);
        finish(out, c, JENTRY_ISCONTAINER, start);
        break;
    case NMSP_LEAF_NONE:
        finish(out, c, JENTRY_ISNULL, start);
        break;
    }
}

static int put_array(docsis_buffer *out, tree *t, int first, int count);

/* "n" and "t" as values; the keys are there already. */
static void
put_head(docsis_buffer *out, container *c, const docsis_tlv *tlv)
{
    size_t start;

    if (tlv->symbol != NULL)
        put_ascii(out, c, tlv->symbol->name, strlen(tlv->symbol->name));
    start = out->length;
    docsis_reserve(out, 4 * DOCSIS_MAX_DEPTH);
    for (int i = 0; i <= tlv->depth; i++) {
        uint8 code = tlv->path[i];

        if (i > 0)
            out->data[out->length++] = '.';
        if (code >= 100)
            out->data[out->length++] = '0' + code / 100;
        if (code >= 10)
            out->data[out->length++] = '0' + code / 10 % 10;
        out->data[out->length++] = '0' + code % 10;
    }
    finish(out, c, JENTRY_ISSTRING, start);
}

/* The object of node i; returns the index of the node behind it and its members. */
static int
put_node(docsis_buffer *out, tree *t, int i)
{
    const node *n = &t->nodes[i];
    bool pads = n->tlv.depth == 0 && n->tlv.code == 0;
    int pairs = 1 + (n->tlv.symbol != NULL);
    nmsp_leaf leaf;
    container c;
    size_t start;

    if (!n->tlv.is_group)
        nmsp_leaf_read(&n->tlv, &t->scratch, &leaf);
    if (n->tlv.is_group || pads || leaf.kind != NMSP_LEAF_NONE)
        pairs++;
    c = open_container(out, JB_FOBJECT | pairs, 2 * pairs);
    if (n->tlv.symbol != NULL)
        put_ascii(out, &c, "n", 1);
    put_ascii(out, &c, "t", 1);
    if (pairs == 2 + (n->tlv.symbol != NULL)) {
        if (!n->tlv.is_group && !pads && leaf.hex)
            put_ascii(out, &c, "hex", 3);
        else
            put_ascii(out, &c, "v", 1);
    }
    put_head(out, &c, &n->tlv);
    if (pads) {
        put_number(out, &c, n->members);
    } else if (n->tlv.is_group) {
        start = out->length;
        i = put_array(out, t, i + 1, n->members);
        finish(out, &c, JENTRY_ISCONTAINER, start);
        return i;
    } else if (leaf.kind != NMSP_LEAF_NONE && leaf.hex) {
        put_ascii(out, &c, (const char *)leaf.string + 2, leaf.length - 2);
    } else if (leaf.kind != NMSP_LEAF_NONE) {
        put_leaf(out, &c, &leaf);
    }
    return i + 1;
}

/* An array of `count` nodes from the index `first`; returns the index behind them. */
static int
put_array(docsis_buffer *out, tree *t, int first, int count)
{
    container c = open_container(out, JB_FARRAY | count, count);
    int i = first;

    for (int k = 0; k < count; k++) {
        size_t start = out->length;

        i = put_node(out, t, i);
        finish(out, &c, JENTRY_ISCONTAINER, start);
    }
    return i;
}

/* JSON text in the database's encoding. */
static char *
json_text(const uint8_t *config, size_t length)
{
    static const docsis_text_options options = {.style = DOCSIS_STYLE_NATIVE};
    docsis_buffer out;
    docsis_error error;
    char *json;

    nmsp_buffer_init(&out, length * 10);
    if (!docsis_write_json(config, length, &options, &out, &error))
        nmsp_raise(&error, NULL, 0);
    json = nmsp_buffer_cstring(&out);
    return pg_any_to_server(json, strlen(json), PG_UTF8);
}

/* docsis.json(config): the JSON text of the core, keys in the order of the manual */
Datum
docsis_config_to_json(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);

    PG_RETURN_TEXT_P(cstring_to_text(json_text(CONFIG_BYTES(config), CONFIG_LENGTH(config))));
}

Jsonb *
nmsp_config_jsonb(const uint8_t *config, size_t length)
{
    node room[TREE_INLINE];
    docsis_cursor cursor;
    docsis_buffer out;
    tree t;

    if (length > DIRECT_LIMIT)
        return DatumGetJsonbP(
            DirectFunctionCall1(jsonb_in, CStringGetDatum(json_text(config, length))));
    docsis_cursor_init(&cursor, config, length);
    tree_read(&t, room, &cursor, length);
    nmsp_buffer_init(&out, length * 12 + 64);
    put_array(&out, &t, 0, t.roots);
    pfree(t.scratch.data);
    return (Jsonb *)nmsp_buffer_varlena(&out);
}

Jsonb *
nmsp_tlv_jsonb(const docsis_cursor *cursor, const docsis_tlv *tlv, bool by_oid)
{
    docsis_buffer out, scratch;
    container c;
    nmsp_leaf leaf;

    if (tlv->is_group) {
        node room[TREE_INLINE];
        docsis_cursor inside = *cursor;
        tree t;

        tree_read(&t, room, &inside, tlv->offset + tlv->header_length + tlv->length);
        nmsp_buffer_init(&out, tlv->length * 12 + 64);
        put_array(&out, &t, 0, t.roots);
        return (Jsonb *)nmsp_buffer_varlena(&out);
    }
    nmsp_buffer_init(&scratch, 256);
    nmsp_leaf_read(tlv, &scratch, &leaf);
    nmsp_buffer_init(&out, tlv->length * 2 + 256);
    if (leaf.kind == NMSP_LEAF_VARBIND && !by_oid) {
        put_varbind(&out, &leaf);
        return (Jsonb *)nmsp_buffer_varlena(&out);
    }
    if (leaf.kind == NMSP_LEAF_WRITE) {
        put_write(&out, &leaf);
        return (Jsonb *)nmsp_buffer_varlena(&out);
    }
    if (leaf.kind == NMSP_LEAF_VARBIND)
        leaf.kind = leaf.is_number ? NMSP_LEAF_NUMBER : NMSP_LEAF_STRING;
    c = open_container(&out, JB_FARRAY | JB_FSCALAR | 1, 1);
    put_leaf(&out, &c, &leaf);
    return (Jsonb *)nmsp_buffer_varlena(&out);
}

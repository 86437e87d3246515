/*
 * lint_snmp.c - SNMP objects of a file (TLV 11, 64 of MTA files, 202.11) against the MIB tree:
 * known, settable, the instance of the form that INDEX calls for (RFC 2578 7.7), the value of
 * the type, range and size of SYNTAX; set once; its row made. MULPIv3.1 C.1.2.5.
 */
#include "lint.h"

#define TAG_COUNTER64 0x46

/* An object's name in messages. */
typedef struct object_name {
    char text[160];
} object_name;

static const char *name_of(const docsis_linter *l, const docsis_varbind *vb, object_name *name)
{
    docsis_buffer out = {.data = (uint8_t *) name->text, .capacity = sizeof(name->text) - 1};

    /* A name that is too long is cut where the buffer ends. */
    docsis_put_oid_text(&out, vb->arcs, vb->arc_count, DOCSIS_OID_NAMES, DOCSIS_STYLE_DOCSIS,
                        l->mib);
    name->text[out.length] = '\0';
    return name->text;
}

/* The same in numbers, for what has no name. */
static const char *number_of(const docsis_varbind *vb, object_name *name)
{
    docsis_buffer out = {.data = (uint8_t *) name->text, .capacity = sizeof(name->text) - 1};

    docsis_put_oid_numeric(&out, vb->arcs, vb->arc_count, true);
    name->text[out.length] = '\0';
    return name->text;
}

/* ---- what is known of an object ------------------------------------------------------- */

#define MAX_INDEX 8

/* The object that a varbind names: of the built-in tree, or of the caller's. */
typedef struct subject {
    docsis_mib_syntax syntax;      /* type NONE: none, or none with a value */
    const docsis_mib_node *node;   /* NULL: not of the built-in tree */
    const char *reference;
    int used;                      /* arcs of its name; what follows is the instance */
    int index_count;               /* 0 = a scalar */
    bool implied;                  /* the last index has no length of its own */
    const docsis_mib_syntax *index;
    docsis_mib_syntax room[MAX_INDEX];
} subject;

/* The columns of a built-in table's index. */
static void fill_index(subject *s)
{
    const docsis_mib_node *entry = docsis_mib_entry(s->node);

    if (entry == NULL)
        return;
    s->index_count = entry->index_count < MAX_INDEX ? entry->index_count : MAX_INDEX;
    s->implied = entry->implied;
    s->index = s->room;
    for (int i = 0; i < s->index_count; i++) {
        int column = docsis_mib_indexes[entry->index_base + i];

        s->room[i] = docsis_mib_syntax_of(column >= 0 ? &docsis_mib_nodes[column] : NULL);
    }
}

static void find_subject(const docsis_linter *l, const docsis_varbind *vb, subject *s)
{
    const docsis_mib_object *own = NULL;

    s->node = docsis_mib_walk(vb->arcs, vb->arc_count, &s->used);
    if (l->mib != NULL && l->mib->by_oid != NULL)
        own = l->mib->by_oid(l->mib->context, vb->arcs, vb->arc_count);
    s->index_count = 0;
    s->implied = false;
    s->reference = NULL;
    if (own != NULL && own->arc_count >= s->used) {
        s->syntax = own->syntax;
        s->node = NULL;
        s->used = own->arc_count;
        s->index_count = own->index_count;
        s->implied = own->implied;
        s->index = own->index;
        return;
    }
    s->syntax = docsis_mib_syntax_of(s->node);
    if (s->node == NULL)
        return;
    if (docsis_mib_modules[s->node->module].reference[0] != '\0')
        s->reference = docsis_mib_modules[s->node->module].reference;
    fill_index(s);
}

/* ---- instances -------------------------------------------------------------------- */

/* What is left of an instance while its index is read. */
typedef struct instance {
    const uint32_t *arcs;
    int left;
} instance;

static bool in_ranges(const docsis_mib_syntax *syntax, int64_t value)
{
    for (int i = 0; i < syntax->range_count; i++) {
        if (value >= syntax->ranges[i].low && value <= syntax->ranges[i].high)
            return true;
    }
    return syntax->range_count == 0;
}

static int64_t fixed_size(const docsis_mib_syntax *column)
{
    if (column->range_count != 1 || column->ranges[0].low != column->ranges[0].high)
        return -1;
    return column->ranges[0].low;
}

/* Takes n octets, each an arc; false = not so many, or an arc is none. */
static bool take_octets(instance *rest, int64_t n)
{
    if (n > rest->left)
        return false;
    for (int i = 0; i < n; i++) {
        if (rest->arcs[i] > 255)
            return false;
    }
    rest->arcs += n;
    rest->left -= (int) n;
    return true;
}

/* Number of arcs that a string or object identifier of variable length takes; -1 = broken. */
static int64_t variable_length(instance *rest, bool implied)
{
    int64_t n;

    if (implied)
        return rest->left;
    if (rest->left == 0)
        return -1;
    n = rest->arcs[0];
    rest->arcs++;
    rest->left--;
    return n;
}

/* Takes one column of an index. *odd: the form is right, but not the value. */
static bool take_column(instance *rest, const docsis_mib_syntax *column, bool implied, bool *odd)
{
    int64_t n;

    switch (column->type) {
        case DOCSIS_MIB_BITS:
        case DOCSIS_MIB_OCTETSTR:
            n = fixed_size(column);
            if (n >= 0)
                return take_octets(rest, n);
            n = variable_length(rest, implied);
            *odd |= n >= 0 && !in_ranges(column, n);
            return n >= 0 && take_octets(rest, n);
        case DOCSIS_MIB_OBJECTID:
            n = variable_length(rest, implied);
            if (n < 0 || n > rest->left)
                return false;
            rest->arcs += n;
            rest->left -= (int) n;
            return true;
        case DOCSIS_MIB_IPADDR:
            return take_octets(rest, 4);
        default:
            if (rest->left == 0)
                return false;
            *odd |= column->enum_count > 0
                    ? docsis_mib_enum_label(column, rest->arcs[0]) == NULL
                    : !in_ranges(column, rest->arcs[0]);
            rest->arcs++;
            rest->left--;
            return true;
    }
}

/* The arcs behind a scalar or column. */
static void check_instance(docsis_linter *l, const docsis_varbind *vb, const subject *s)
{
    instance rest = {vb->arcs + s->used, vb->arc_count - s->used};
    bool odd = false;
    object_name name;

    if (s->index_count == 0) {
        if (rest.left != 1 || rest.arcs[0] != 0)
            docsis_lint_report(l, LINT_SNMP_INDEX, NULL, "%s: a scalar ends with .0",
                               name_of(l, vb, &name));
        return;
    }
    for (int i = 0; i < s->index_count; i++) {
        if (s->index[i].type == DOCSIS_MIB_NONE)
            return;
        if (!take_column(&rest, &s->index[i], s->implied && i == s->index_count - 1, &odd)) {
            docsis_lint_report(l, LINT_SNMP_INDEX, NULL, "%s: the index has no %s",
                               name_of(l, vb, &name), s->index[i].name);
            return;
        }
    }
    if (rest.left > 0)
        docsis_lint_report(l, LINT_SNMP_INDEX, NULL, "%s: %d more arcs than the index has",
                           name_of(l, vb, &name), rest.left);
    else if (odd)
        docsis_lint_report(l, LINT_SNMP_INDEX_VALUE, NULL,
                           "%s: the index has a value that its MIB does not allow",
                           name_of(l, vb, &name));
}

/* ---- values ------------------------------------------------------------------------- */

static const struct {
    uint8_t tag;
    const char *name;
} mib_types[] = {
    [DOCSIS_MIB_BITS] = {DOCSIS_TAG_STRING, "HexString"},
    [DOCSIS_MIB_COUNTER] = {DOCSIS_TAG_COUNTER, "Counter32"},
    [DOCSIS_MIB_COUNTER64] = {TAG_COUNTER64, "Counter64"},
    [DOCSIS_MIB_GAUGE] = {DOCSIS_TAG_GAUGE, "Gauge32"},
    [DOCSIS_MIB_INTEGER] = {DOCSIS_TAG_INTEGER, "Integer"},
    [DOCSIS_MIB_INTEGER32] = {DOCSIS_TAG_INTEGER, "Integer"},
    [DOCSIS_MIB_IPADDR] = {DOCSIS_TAG_IPADDRESS, "IPAddress"},
    [DOCSIS_MIB_OBJECTID] = {DOCSIS_TAG_OID, "ObjectID"},
    [DOCSIS_MIB_OCTETSTR] = {DOCSIS_TAG_STRING, "String"},
    [DOCSIS_MIB_TICKS] = {DOCSIS_TAG_TICKS, "TimeTicks"},
    [DOCSIS_MIB_UNSIGNED32] = {DOCSIS_TAG_GAUGE, "Gauge32"}
};

static bool is_number(uint8_t tag)
{
    return tag == DOCSIS_TAG_INTEGER || tag == DOCSIS_TAG_GAUGE || tag == DOCSIS_TAG_COUNTER ||
           tag == DOCSIS_TAG_TICKS;
}

/* Is the value encoded as its own tag calls for? */
static bool is_encoded(const docsis_varbind *vb)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    size_t n = vb->value_length;
    int count;

    switch (vb->tag) {
        case DOCSIS_TAG_INTEGER:
            return n >= 1 && n <= 4;
        case DOCSIS_TAG_GAUGE:
        case DOCSIS_TAG_COUNTER:
        case DOCSIS_TAG_TICKS:
            return n >= 1 && (n <= 4 || (n == 5 && vb->value[0] == 0));
        case DOCSIS_TAG_IPADDRESS:
            return n == 4;
        case DOCSIS_TAG_OID:
            return docsis_oid_from_ber(vb->value, n, arcs, &count);
        default:
            return true;
    }
}

static void check_number(docsis_linter *l, const docsis_varbind *vb,
                         const docsis_mib_syntax *syntax)
{
    int64_t value;
    object_name name;

    if (!docsis_ber_number(vb, &value))
        return;
    if (syntax->enum_count > 0) {
        if (docsis_mib_enum_label(syntax, value) == NULL)
            docsis_lint_report(l, LINT_SNMP_ENUM, NULL,
                               "%s is %lld, which is none of its %d values", name_of(l, vb, &name),
                               (long long) value, syntax->enum_count);
    } else if (!in_ranges(syntax, value)) {
        docsis_lint_report(l, LINT_SNMP_RANGE, NULL, "%s is %lld; the MIB allows %lld to %lld%s",
                           name_of(l, vb, &name), (long long) value,
                           (long long) syntax->ranges[0].low, (long long) syntax->ranges[0].high,
                           syntax->range_count > 1 ? " and others" : "");
    }
}

static void check_value(docsis_linter *l, const docsis_varbind *vb,
                        const docsis_mib_syntax *syntax)
{
    uint8_t tag = mib_types[syntax->type].tag;
    object_name name;

    if (!is_encoded(vb)) {
        docsis_lint_report(l, LINT_SNMP_MALFORMED, NULL,
                           "%s: the value of tag 0x%02x is not encoded as one",
                           name_of(l, vb, &name), vb->tag);
        return;
    }
    if (vb->tag != tag)
        docsis_lint_report(l, is_number(tag) && is_number(vb->tag) ? LINT_SNMP_NUMBER_TYPE
                                                                   : LINT_SNMP_TYPE,
                           NULL, "%s has a value of tag 0x%02x; its type is %s",
                           name_of(l, vb, &name), vb->tag, mib_types[syntax->type].name);
    if (is_number(vb->tag) && is_number(tag))
        check_number(l, vb, syntax);
    else if (vb->tag == tag && syntax->type == DOCSIS_MIB_OCTETSTR &&
             !in_ranges(syntax, (int64_t) vb->value_length))
        docsis_lint_report(l, LINT_SNMP_SIZE, NULL, "%s has %zu bytes; the MIB allows %lld to "
                           "%lld%s", name_of(l, vb, &name), vb->value_length,
                           (long long) syntax->ranges[0].low, (long long) syntax->ranges[0].high,
                           syntax->range_count > 1 ? " and others" : "");
}

/* ---- objects of the file -------------------------------------------------------------- */

/* Which agent an object is for: that of the modem, or of an embedded device. */
static uint8_t agent_of(const docsis_lint_object *o)
{
    return o->depth == 0 ? DOCSIS_CODE_VARBIND : o->code[0];
}

static uint32_t hash_oid(const uint8_t *oid, size_t length, uint8_t agent)
{
    return (docsis_hash((const char *) oid, length) ^ agent) * 2654435761u >> 16;
}

/*
 * Slot of the object with this OID and agent: of it, or the free one where it belongs. There are
 * always free slots.
 */
static uint16_t *find_slot(docsis_linter *l, const uint8_t *oid, size_t length, uint8_t agent)
{
    uint32_t i = hash_oid(oid, length, agent) & (LINT_SLOTS - 1);

    for (; l->slot[i] != 0; i = (i + 1) & (LINT_SLOTS - 1)) {
        const docsis_lint_object *o = &l->object[l->slot[i] - 1];

        if (o->oid_length == length && agent_of(o) == agent &&
            memcmp(l->config + o->oid, oid, length) == 0)
            break;
    }
    return &l->slot[i];
}

static bool is_row_status(const docsis_mib_node *node)
{
    return node->enum_count == 6 &&
           strcmp(docsis_mib_enums[node->enum_base + 3].label, "createAndGo") == 0;
}

/* The status column of the table of a column that can be created; -1 = none, or it is the one. */
static int status_column(const docsis_mib_node *node)
{
    const docsis_mib_node *entry = docsis_mib_entry(node);

    if (entry == NULL || node->access != DOCSIS_MIB_READ_CREATE || is_row_status(node))
        return -1;
    for (int i = 0; i < entry->child_count; i++) {
        if (is_row_status(&docsis_mib_nodes[entry->first_child + i]))
            return entry->first_child + i;
    }
    return -1;
}

/* Octets of the BER form of the first n arcs. */
static uint16_t ber_length(const uint32_t *arcs, int n)
{
    uint16_t length = 0;

    for (int i = 1; i < n; i++) {
        uint32_t arc = i == 1 ? arcs[0] * 40 + arcs[1] : arcs[i];

        do {
            length++;
            arc >>= 7;
        } while (arc != 0);
    }
    return length;
}

/* node: of a built-in object, `used` arcs deep, or NULL. */
static void note_object(docsis_linter *l, const docsis_varbind *vb, const docsis_mib_node *node,
                        int used)
{
    const docsis_tlv *tlv = l->tlv;
    const uint8_t *oid = vb->oid;
    docsis_lint_object *o;
    uint16_t *slot;
    int outer = tlv->depth > 0 ? tlv->depth - 1 : 0;

    if (l->objects == LINT_MAX_OBJECTS) {
        l->objects_many = true;
        return;
    }
    o = &l->object[l->objects];
    o->offset = (uint32_t) tlv->offset;
    o->oid = (uint32_t) (oid - l->config);
    o->oid_length = (uint16_t) vb->oid_length;
    o->value = (uint32_t) (vb->value - l->config);
    o->value_length = (uint32_t) vb->value_length;
    o->tag = vb->tag;
    o->depth = tlv->depth > 0;
    o->code[0] = l->here.code[outer];
    o->occurrence[0] = l->here.occurrence[outer];
    o->code[1] = l->here.code[tlv->depth];
    o->occurrence[1] = l->here.occurrence[tlv->depth];
    o->status_column = -1;
    if (node != NULL) {
        o->status_column = (int16_t) status_column(node);
        o->column = (uint16_t) node->arc;
        o->column_at = ber_length(vb->arcs, used - 1);
    }
    slot = find_slot(l, oid, vb->oid_length, agent_of(o));
    if (*slot != 0) {
        const docsis_lint_object *first = &l->object[*slot - 1];
        bool same = first->tag == vb->tag && first->value_length == vb->value_length &&
                    memcmp(l->config + first->value, vb->value, vb->value_length) == 0;
        object_name name;

        docsis_lint_report(l, same ? LINT_SNMP_REPEATED : LINT_SNMP_DUPLICATE, NULL,
                           "%s is set again, to %s value; first at offset %u",
                           name_of(l, vb, &name), same ? "the same" : "another", first->offset);
        return;
    }
    *slot = (uint16_t) ++l->objects;
}

/* Object of a column in the row of o; NULL = not in the file. */
static const docsis_lint_object *row_member(docsis_linter *l, const docsis_lint_object *o,
                                            const docsis_mib_node *column)
{
    uint8_t oid[5 * DOCSIS_MAX_ARCS];
    uint16_t *slot;

    /* One octet for one octet; columns beyond 127 do not occur in tables that files write to. */
    if (column->arc > 127 || o->column > 127 || o->oid_length > sizeof(oid))
        return o;
    memcpy(oid, l->config + o->oid, o->oid_length);
    oid[o->column_at] = (uint8_t) column->arc;
    slot = find_slot(l, oid, o->oid_length, agent_of(o));
    return *slot != 0 ? &l->object[*slot - 1] : NULL;
}

/* Is o the first of its row, and is the row's status not set? */
static bool is_rowless(docsis_linter *l, const docsis_lint_object *o)
{
    const docsis_mib_node *status = &docsis_mib_nodes[o->status_column];
    const docsis_mib_node *entry = docsis_mib_entry(status);

    if (row_member(l, o, status) != NULL)
        return false;
    for (int i = 0; i < entry->child_count; i++) {
        const docsis_lint_object *other =
            row_member(l, o, &docsis_mib_nodes[entry->first_child + i]);

        if (other != NULL && other < o)
            return false;
    }
    return true;
}

void docsis_lint_rows(docsis_linter *l)
{
    for (int i = 0; i < l->objects; i++) {
        const docsis_lint_object *o = &l->object[i];
        docsis_lint_place place = {.offset = o->offset, .depth = o->depth};
        docsis_varbind vb;
        object_name name;

        if (o->status_column < 0 || !is_rowless(l, o) ||
            !docsis_oid_from_ber(l->config + o->oid, o->oid_length, vb.arcs, &vb.arc_count))
            continue;
        memcpy(place.code, o->code, sizeof(o->code));
        memcpy(place.occurrence, o->occurrence, sizeof(o->occurrence));
        docsis_lint_report_at(l, LINT_SNMP_ROW, &place, NULL,
                              "%s is set, but %s of its row is not", name_of(l, &vb, &name),
                              docsis_mib_nodes[o->status_column].label);
    }
    if (l->objects_many)
        docsis_lint_report_at(l, LINT_SNMP_MANY, NULL, NULL,
                              "only the first %d SNMP objects are compared", LINT_MAX_OBJECTS);
}

/* ---- one object ------------------------------------------------------------------------ */

static void not_an_object(docsis_linter *l, const docsis_varbind *vb, const subject *s)
{
    object_name name;

    if (s->used < vb->arc_count)
        docsis_lint_report(l, LINT_SNMP_UNKNOWN, NULL, "no MIB known here defines %s",
                           number_of(vb, &name));
    else
        docsis_lint_report(l, LINT_SNMP_NOT_AN_OBJECT, NULL,
                           "%s is no object that has a value", name_of(l, vb, &name));
}

static void check_object(docsis_linter *l, const docsis_varbind *vb, const subject *s)
{
    object_name name;

    if (s->node != NULL && s->node->access != DOCSIS_MIB_ACCESS_NONE &&
        s->node->access < DOCSIS_MIB_READ_WRITE)
        docsis_lint_report(l, LINT_SNMP_NOT_WRITABLE, NULL, "%s cannot be set",
                           name_of(l, vb, &name));
    check_instance(l, vb, s);
    check_value(l, vb, &s->syntax);
}

void docsis_lint_varbind(docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;
    docsis_varbind vb;
    bool is_hash;
    subject s;

    if (tlv->length == 0)
        return;
    if (!docsis_varbind_read(tlv->value, tlv->length, &vb)) {
        docsis_lint_report(l, LINT_SNMP_MALFORMED, tlv->symbol,
                           "%s holds no SEQUENCE of an object identifier and a value",
                           docsis_symbol_name(tlv->symbol));
        return;
    }
    find_subject(l, &vb, &s);
    is_hash = l->is_mta && docsis_lint_mta_hash(l, &vb);
    if (s.syntax.type == DOCSIS_MIB_NONE || s.syntax.type == DOCSIS_MIB_NOTIF) {
        if (!is_hash)
            not_an_object(l, &vb, &s);
        note_object(l, &vb, NULL, 0);
        return;
    }
    l->mib_reference = s.reference;
    check_object(l, &vb, &s);
    l->mib_reference = NULL;
    note_object(l, &vb, s.node, s.used);
}

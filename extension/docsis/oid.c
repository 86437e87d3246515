/*
 * oid.c - object identifiers: text, arcs and BER (X.690 8.19).
 *
 * Names resolve from the built-in MIB tree and from the caller's overlay; no MIB
 * file is ever parsed. Of several objects of a name those that the profile prefers
 * come first, and among those the overlay's before the built-in ones.
 */
#include "internal.h"

#include <stdio.h>

/* ---- BER ----------------------------------------------------------------- */

size_t docsis_oid_to_ber(const uint32_t *arcs, int count, uint8_t *out)
{
    size_t length = 0;

    if (count < 2 || count > DOCSIS_MAX_ARCS || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39) ||
        arcs[1] > UINT32_MAX - 80)
        return 0;
    for (int i = 1; i < count; i++) {
        uint32_t arc = i == 1 ? arcs[0] * 40 + arcs[1] : arcs[i];

        for (int shift = 28; shift > 0; shift -= 7) {
            if (arc >> shift != 0)
                out[length++] = (uint8_t) (0x80 | (arc >> shift & 0x7f));
        }
        out[length++] = arc & 0x7f;
    }
    return length;
}

bool docsis_oid_from_ber(const uint8_t *ber, size_t length, uint32_t arcs[DOCSIS_MAX_ARCS],
                         int *count)
{
    size_t i = 0;
    int n = 0;

    while (i < length) {
        uint64_t arc = 0;

        if (ber[i] < 0x80 && n > 0 && n < DOCSIS_MAX_ARCS) {
            arcs[n++] = ber[i++];   /* nearly all arcs are one octet */
            continue;
        }
        if (ber[i] == 0x80)
            return false;
        do {
            if (i == length)
                return false;
            arc = arc << 7 | (ber[i] & 0x7f);
            if (arc > UINT32_MAX)
                return false;
        } while (ber[i++] & 0x80);
        if (n == 0) {
            arcs[0] = arc < 40 ? 0 : arc < 80 ? 1 : 2;
            arcs[1] = (uint32_t) arc - 40 * arcs[0];
            n = 2;
        } else {
            if (n == DOCSIS_MAX_ARCS)
                return false;
            arcs[n++] = (uint32_t) arc;
        }
    }
    *count = n;
    return n > 0;
}

/* Octets of a definite length field in minimal form. */
static int length_octets(size_t length)
{
    return length < 128 ? 1 : length < 256 ? 2 : 3;
}

static bool put_length(docsis_buffer *out, size_t length)
{
    if (!docsis_reserve(out, 3))
        return false;
    if (length >= 256) {
        out->data[out->length++] = 0x82;
        out->data[out->length++] = (uint8_t) (length >> 8);
    } else if (length >= 128) {
        out->data[out->length++] = 0x81;
    }
    out->data[out->length++] = (uint8_t) length;
    return true;
}

bool docsis_put_oid_tlv(docsis_buffer *out, const uint32_t *arcs, int count)
{
    uint8_t ber[5 * DOCSIS_MAX_ARCS];
    size_t length = docsis_oid_to_ber(arcs, count, ber);

    return docsis_put(out, DOCSIS_TAG_OID) && put_length(out, length) &&
           docsis_put_bytes(out, ber, length);
}

bool docsis_oid_from_tlv(const uint8_t *bytes, size_t length, size_t rest,
                         uint32_t arcs[DOCSIS_MAX_ARCS], int *count)
{
    size_t header = 2;
    size_t contents;

    if (length < 2 + rest || bytes[0] != DOCSIS_TAG_OID)
        return false;
    contents = bytes[1];
    if (contents == 0x81 && length > 3) {
        contents = bytes[2];
        header = 3;
    }
    if (contents + header + rest != length || 1 + length_octets(contents) != (int) header)
        return false;
    return docsis_oid_from_ber(bytes + header, contents, arcs, count) && arcs[1] <= UINT32_MAX - 80;
}

/* ---- text -> arcs -------------------------------------------------------- */

/* Where a resolver stands. */
typedef struct resolver {
    docsis_context *context;
    const char *text;
    size_t length;
    uint32_t *arcs;
    int count;
    const docsis_mib_node *node;     /* the node of arcs, NULL when it has none */
    const docsis_mib_node *object;   /* deepest known node on the way */
    const docsis_mib_node *entry;    /* rules the index of a column, once it is reached */
    const docsis_mib_object *own;    /* the overlay's object; its index counts, then */
    int column;                      /* index column at hand */
    int pending;                     /* arcs of it still to come; -1 = none begun */
    bool walk_first;                 /* the first label may be of the root or of mib-2 */
} resolver;

static bool oid_error(resolver *r, const char *piece, size_t piece_length, const char *why)
{
    docsis_error *error = r->context->error;

    docsis_error_set(error, DOCSIS_UNKNOWN_OID, (size_t) (r->text - r->context->text),
                     "cannot resolve \"%.*s\"", (int) (r->length < 200 ? r->length : 200),
                     r->text);
    docsis_error_detail(error, "\"%.*s\" %s.", (int) (piece_length < 100 ? piece_length : 100),
                        piece, why);
    docsis_error_hint(error, "Write the object numerically, as in .1.3.6.1.4.1.872.1, or add its "
                      "MIB name.");
    return false;
}

/* The overlay's n-th object of a name, or NULL. */
static const docsis_mib_object *own_object(const resolver *r, const char *name, size_t length,
                                           int n)
{
    const docsis_mib_overlay *mib = r->context->options->mib;

    return mib != NULL && mib->by_name != NULL ? mib->by_name(mib->context, name, length, n)
                                               : NULL;
}

static bool add_arc(resolver *r, uint32_t arc)
{
    if (r->count == DOCSIS_MAX_ARCS) {
        docsis_error_set(r->context->error, DOCSIS_LIMIT,
                         (size_t) (r->text - r->context->text), "OID has too many arcs");
        docsis_error_detail(r->context->error, "At most %d arcs are possible.", DOCSIS_MAX_ARCS);
        return false;
    }
    r->arcs[r->count++] = arc;
    return true;
}

static void enter_node(resolver *r, const docsis_mib_node *node)
{
    r->node = node;
    if (node == NULL)
        return;
    r->object = node;
    r->entry = docsis_mib_entry(node);
    r->column = 0;
    r->pending = -1;
}

/* The index column at hand; false when there is none. */
static bool index_column(const resolver *r, docsis_mib_syntax *column)
{
    if (r->own != NULL) {
        if (r->column >= r->own->index_count)
            return false;
        *column = r->own->index[r->column];
        return true;
    }
    if (r->entry == NULL || r->column >= r->entry->index_count ||
        docsis_mib_indexes[r->entry->index_base + r->column] < 0)
        return false;
    *column = docsis_mib_syntax_of(&docsis_mib_nodes[docsis_mib_indexes[r->entry->index_base +
                                                                        r->column]]);
    return true;
}

static bool is_implied(const resolver *r)
{
    if (r->own != NULL)
        return r->own->implied && r->column == r->own->index_count - 1;
    return r->entry->implied && r->column == r->entry->index_count - 1;
}

int64_t docsis_fixed_size(const docsis_mib_syntax *column)
{
    if (column->type != DOCSIS_MIB_OCTETSTR || column->range_count != 1 ||
        column->ranges->low != column->ranges->high)
        return -1;
    return column->ranges->low;
}

/* Follows numeric index arcs, so that a later quoted piece meets its column. */
static void index_arc(resolver *r, uint32_t arc)
{
    docsis_mib_syntax column;

    if (!index_column(r, &column))
        return;
    if (r->pending > 0) {
        if (--r->pending == 0) {
            r->column++;
            r->pending = -1;
        }
        return;
    }
    if (column.type == DOCSIS_MIB_OCTETSTR || column.type == DOCSIS_MIB_OBJECTID) {
        int64_t size = docsis_fixed_size(&column);

        if (is_implied(r))
            r->column++;    /* the last one: it takes all that follows */
        else if (size > 1)
            r->pending = (int) size - 1;
        else if (size < 0 && arc > 0)
            r->pending = arc > DOCSIS_MAX_ARCS ? DOCSIS_MAX_ARCS : (int) arc;
        else
            r->column++;
    } else if (column.type == DOCSIS_MIB_IPADDR) {
        r->pending = 3;
    } else {
        r->column++;
    }
}

static void enter_own(resolver *r, const docsis_mib_object *object)
{
    r->own = object;
    r->column = 0;
    r->pending = -1;
}

/* Numbers behind an overlay's object without index may lead to another one of it. */
static void enter_own_below(resolver *r)
{
    const docsis_mib_overlay *mib = r->context->options->mib;
    const docsis_mib_object *object = mib->by_oid != NULL
                                      ? mib->by_oid(mib->context, r->arcs, r->count) : NULL;

    if (object != NULL && object->arc_count == r->count)
        enter_own(r, object);
}

static bool number_piece(resolver *r, const char *piece, size_t length)
{
    uint64_t arc = 0;

    for (size_t i = 0; i < length; i++) {
        arc = arc * 10 + (uint64_t) (piece[i] - '0');
        if (arc > UINT32_MAX) {
            docsis_error_set(r->context->error, DOCSIS_OUT_OF_RANGE,
                             (size_t) (piece - r->context->text), "OID arc \"%.*s\" is too large",
                             (int) (length < 100 ? length : 100), piece);
            docsis_error_detail(r->context->error, "An arc is at most 4294967295.");
            return false;
        }
    }
    if (!add_arc(r, (uint32_t) arc))
        return false;
    if (r->count == 1 || r->node != NULL) {
        const docsis_mib_node *next = docsis_mib_child(r->node, (uint32_t) arc);

        if (next != NULL) {
            enter_node(r, next);
            return true;
        }
        r->node = NULL;
    }
    if (r->own != NULL && r->own->index_count == 0) {
        enter_own_below(r);
        return true;
    }
    index_arc(r, (uint32_t) arc);
    return true;
}

/* A label of the root, or of mib-2, where names without a leading dot begin. */
static const docsis_mib_node *walkable(const char *piece, size_t length)
{
    static const uint32_t mib_2[] = {1, 3, 6, 1, 2, 1};
    const docsis_mib_node *node = docsis_mib_child_by_label(NULL, piece, length);
    int used;

    if (node != NULL)
        return node;
    return docsis_mib_child_by_label(docsis_mib_walk(mib_2, 6, &used), piece, length);
}

/* ---- names with several meanings ----------------------------------------- */

/* One meaning of a name: an object of the overlay, or a built-in node. */
typedef struct candidate {
    const docsis_mib_object *own;
    const docsis_mib_node *node;
    int rank;
} candidate;

static const char *candidate_module(const candidate *c)
{
    return c->own != NULL ? c->own->module : docsis_mib_modules[c->node->module].name;
}

static int candidate_arcs(const candidate *c, uint32_t arcs[DOCSIS_MAX_ARCS])
{
    if (c->own == NULL)
        return docsis_mib_arcs(c->node, arcs);
    memcpy(arcs, c->own->arcs, (size_t) c->own->arc_count * sizeof(*arcs));
    return c->own->arc_count;
}

/* The n-th meaning of a name: first the overlay's, then the built-in ones. False = no more. */
static bool nth_candidate(const resolver *r, const char *name, size_t length, int n,
                          candidate *c)
{
    docsis_profile profile = r->context->options->profile;
    int own = 0;

    *c = (candidate) {.own = own_object(r, name, length, n)};
    if (c->own != NULL) {
        c->rank = docsis_mib_rank(docsis_mib_family(c->own->module, c->own->arcs,
                                                    c->own->arc_count), profile);
        return true;
    }
    while (own < n && own_object(r, name, length, own) != NULL)
        own++;
    c->node = docsis_mib_first(name, length);
    for (int i = own; c->node != NULL && i < n; i++)
        c->node = c->node->next_same >= 0 ? &docsis_mib_nodes[c->node->next_same] : NULL;
    if (c->node != NULL)
        c->rank = docsis_mib_rank(c->node->family, profile);
    return c->node != NULL;
}

static void put_candidate(const candidate *c, const char *name, size_t length, char *text,
                          size_t size)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    uint8_t oid[160];
    docsis_buffer buffer = {.data = oid, .capacity = sizeof(oid)};
    int count = candidate_arcs(c, arcs);

    if (!docsis_put_oid_numeric(&buffer, arcs, count < 14 ? count : 14, false))
        buffer.length = 0;
    snprintf(text, size, "%s::%.*s (%.*s)", candidate_module(c),
             (int) (length < 60 ? length : 60), name, (int) buffer.length, (char *) oid);
}

static bool same_oid(const candidate *a, const candidate *b)
{
    uint32_t left[DOCSIS_MAX_ARCS], right[DOCSIS_MAX_ARCS];
    int count = candidate_arcs(a, left);

    return candidate_arcs(b, right) == count &&
           memcmp(left, right, (size_t) count * sizeof(*left)) == 0;
}

/* Tells the caller that a name could mean another object as well. */
static void warn_ambiguous(resolver *r, const char *name, size_t length, const candidate *taken,
                           const candidate *other)
{
    docsis_context *context = r->context;
    docsis_error warning;
    char one[200], two[200];

    put_candidate(taken, name, length, one, sizeof(one));
    put_candidate(other, name, length, two, sizeof(two));
    docsis_error_set(&warning, DOCSIS_AMBIGUOUS, (size_t) (r->text - context->text),
                     "MIB name \"%.*s\" is ambiguous", (int) (length < 60 ? length : 60), name);
    snprintf(warning.symbol, sizeof(warning.symbol), "%.*s", (int) (length < 60 ? length : 60),
             name);
    docsis_error_detail(&warning, "Taken is %s; another is %s.", one, two);
    docsis_error_hint(&warning, "Write the module in front, or choose the profile.");
    docsis_error_locate(&warning, context->text, context->text_length);
    context->options->warn(context->options->warn_context, &warning);
}

/* What an unambiguous built-in name means: the usual case, and quick. */
static const docsis_mib_node *plain_name(const resolver *r, const char *name, size_t length)
{
    const docsis_mib_node *node = docsis_mib_first(name, length);

    return node != NULL && !node->ambiguous && own_object(r, name, length, 0) == NULL ? node
                                                                                      : NULL;
}

/* The meaning of a name under the profile; module NULL = none was written. */
static bool choose_candidate(resolver *r, const char *name, size_t length, const char *module,
                             size_t module_length, candidate *best)
{
    candidate c, other = {NULL};
    bool found = false;

    for (int n = 0; nth_candidate(r, name, length, n, &c); n++) {
        const char *m = candidate_module(&c);

        if (module != NULL && (strlen(m) != module_length || memcmp(m, module, module_length) != 0))
            continue;
        if (!found || c.rank > best->rank)
            *best = c;
        found = true;
    }
    if (!found || module != NULL || r->context->options->warn == NULL)
        return found;
    for (int n = 0; other.own == NULL && other.node == NULL &&
                    nth_candidate(r, name, length, n, &c); n++) {
        if (!same_oid(&c, best))
            other = c;
    }
    if (other.own != NULL || other.node != NULL)
        warn_ambiguous(r, name, length, best, &other);
    return true;
}

/* "is not a name of module X", and which modules have it. */
static bool module_error(resolver *r, const char *name, size_t length, const char *module,
                         size_t module_length)
{
    char why[120], modules[300];
    size_t used = 0;
    candidate c;

    snprintf(why, sizeof(why), "is not a known name of module \"%.*s\"",
             (int) (module_length < 60 ? module_length : 60), module);
    oid_error(r, name, length, why);
    for (int n = 0; nth_candidate(r, name, length, n, &c) && used < 200; n++)
        used += (size_t) snprintf(modules + used, sizeof(modules) - used, "%s%.80s",
                                  n > 0 ? ", " : "", candidate_module(&c));
    if (used > 0)
        docsis_error_hint(r->context->error, "The name is defined by %s.", modules);
    return false;
}

/* The first label, with or without its module: an object of any depth. */
static bool first_label(resolver *r, const char *piece, size_t length)
{
    const char *colons = memchr(piece, ':', length);
    const char *name = colons != NULL ? colons + 2 : piece;
    size_t name_length = (size_t) (piece + length - name);
    const docsis_mib_node *node = NULL;
    candidate found;
    int used;

    if (colons != NULL && (piece + length < name || colons[1] != ':'))
        return oid_error(r, piece, length, "is not a name");
    if (colons == NULL) {
        node = r->walk_first ? walkable(name, name_length) : NULL;
        if (node == NULL)
            node = plain_name(r, name, name_length);
    }
    if (node != NULL) {
        r->count = docsis_mib_arcs(node, r->arcs);
        enter_node(r, node);
        return true;
    }
    if (!choose_candidate(r, name, name_length, colons != NULL ? piece : NULL,
                          colons != NULL ? (size_t) (colons - piece) : 0, &found))
        return colons != NULL
               ? module_error(r, name, name_length, piece, (size_t) (colons - piece))
               : oid_error(r, piece, length, "is not a known MIB name");
    r->count = candidate_arcs(&found, r->arcs);
    node = found.own != NULL ? docsis_mib_walk(r->arcs, r->count, &used) : found.node;
    if (found.own == NULL || used == r->count)
        enter_node(r, node);
    if (found.own != NULL)
        enter_own(r, found.own);
    return true;
}

/* A name of the overlay right below the arcs so far. */
static const docsis_mib_object *own_child(const resolver *r, const char *name, size_t length)
{
    const docsis_mib_object *object;

    for (int n = 0; (object = own_object(r, name, length, n)) != NULL; n++) {
        if (object->arc_count == r->count + 1 &&
            memcmp(object->arcs, r->arcs, (size_t) r->count * sizeof(*r->arcs)) == 0)
            return object;
    }
    return NULL;
}

static bool label_piece(resolver *r, const char *piece, size_t length)
{
    const docsis_mib_node *next;
    const docsis_mib_object *own;
    docsis_mib_syntax column;

    if (r->count == 0)
        return first_label(r, piece, length);
    next = r->node != NULL ? docsis_mib_child_by_label(r->node, piece, length) : NULL;
    own = next == NULL ? own_child(r, piece, length) : NULL;
    if (next != NULL || own != NULL) {
        if (!add_arc(r, next != NULL ? next->arc : own->arcs[r->count]))
            return false;
        r->node = NULL;
        if (next != NULL)
            enter_node(r, next);
        else
            enter_own(r, own);
        return true;
    }
    if (r->pending < 0 && index_column(r, &column)) {
        for (int i = 0; i < column.enum_count; i++) {
            const docsis_enum *value = &column.enums[i];

            if (docsis_name_is(value->label, piece, length)) {
                r->node = NULL;
                r->column++;
                return add_arc(r, (uint32_t) value->value);
            }
        }
    }
    return oid_error(r, piece, length, "is not a name below what stands before it");
}

/* 'x' or "x": an index of type octet string. */
static bool quoted_piece(resolver *r, const char *piece, size_t length)
{
    docsis_mib_syntax column;
    const char *text = piece + 1;
    size_t octets = length - 2;
    int64_t size;
    bool with_length;

    if (!index_column(r, &column) || r->pending > 0 || column.type != DOCSIS_MIB_OCTETSTR)
        return oid_error(r, piece, length, "stands where no string index is known");
    size = docsis_fixed_size(&column);
    with_length = !is_implied(r) && size < 0;
    if (size >= 0 && (int64_t) octets != size)
        return oid_error(r, piece, length, "has not the length of the index");
    if (*piece == '"' && !with_length)
        return oid_error(r, piece, length, "needs single quotes: the index has no length of "
                         "its own");
    if (*piece == '\'' && with_length && r->column > 0)
        return oid_error(r, piece, length, "needs double quotes: the index has a length of "
                         "its own");
    if (with_length && !add_arc(r, (uint32_t) octets))
        return false;
    for (size_t i = 0; i < octets; i++) {
        if (!add_arc(r, (uint8_t) text[i]))
            return false;
    }
    r->node = NULL;
    r->column++;
    return true;
}

static bool all_digits(const char *piece, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (piece[i] < '0' || piece[i] > '9')
            return false;
    }
    return length > 0;
}

/* What is known of the values of the object whose instance was resolved. */
static docsis_mib_syntax resolved_syntax(const resolver *r)
{
    const docsis_mib_overlay *mib = r->context->options->mib;
    const docsis_mib_object *own = r->own;

    if (own == NULL && mib != NULL && mib->by_oid != NULL &&
        (r->object == NULL || r->object->type == DOCSIS_MIB_NONE))
        own = mib->by_oid(mib->context, r->arcs, r->count);
    return own != NULL ? own->syntax : docsis_mib_syntax_of(r->object);
}

static bool resolve(docsis_context *context, const char *text, size_t length,
                    uint32_t arcs[DOCSIS_MAX_ARCS], int *count, docsis_mib_syntax *syntax,
                    bool walk_first)
{
    resolver r = {.context = context, .text = text, .length = length, .arcs = arcs,
                  .pending = -1, .walk_first = walk_first};
    const char *p = text;
    const char *end = text + length;
    bool ok;

    while (p < end && *p == '.')
        p++;
    while (p < end) {
        const char *piece = p;

        if (*p == '\'' || *p == '"') {
            p = memchr(p + 1, *p, (size_t) (end - p - 1));
            p = p != NULL ? p + 1 : end;
            if (p - piece < 2)
                return oid_error(&r, piece, (size_t) (p - piece), "is not closed");
            ok = quoted_piece(&r, piece, (size_t) (p - piece));
        } else {
            while (p < end && *p != '.')
                p++;
            ok = all_digits(piece, (size_t) (p - piece))
                 ? number_piece(&r, piece, (size_t) (p - piece))
                 : label_piece(&r, piece, (size_t) (p - piece));
        }
        if (!ok)
            return false;
        if (p < end && *p == '.')
            p++;
    }
    if (r.count < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39) || arcs[1] > UINT32_MAX - 80) {
        docsis_error_set(context->error, DOCSIS_UNKNOWN_OID, (size_t) (text - context->text),
                         "\"%.*s\" is not an OID", (int) (length < 200 ? length : 200), text);
        docsis_error_detail(context->error, "An OID has at least two arcs, the first is 0, 1 or "
                            "2, and below 0 and 1 the second is at most 39.");
        docsis_error_hint(context->error, "Write the whole OID from its root, as in "
                          ".1.3.6.1.3.83.");
        return false;
    }
    *count = r.count;
    if (syntax != NULL)
        *syntax = resolved_syntax(&r);
    return true;
}

bool docsis_resolve_oid(docsis_context *context, const char *text, size_t length,
                        uint32_t arcs[DOCSIS_MAX_ARCS], int *count, docsis_mib_syntax *syntax)
{
    return resolve(context, text, length, arcs, count, syntax, false);
}

bool docsis_resolve_value_oid(docsis_context *context, const char *text, size_t length,
                              uint32_t arcs[DOCSIS_MAX_ARCS], int *count)
{
    return resolve(context, text, length, arcs, count, NULL, true);
}

bool docsis_oid_parse(const char *text, size_t length, const docsis_options *options,
                      uint32_t arcs[DOCSIS_MAX_ARCS], int *count, docsis_error *error)
{
    static const docsis_options defaults;
    docsis_context context = {.options = options != NULL ? options : &defaults, .error = error,
                              .text = text, .text_length = length};

    if (!docsis_resolve_oid(&context, text, length, arcs, count, NULL)) {
        docsis_error_locate(error, text, length);
        return false;
    }
    return true;
}

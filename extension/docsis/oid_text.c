/*
 * oid_text.c - object identifiers as text: numeric, or by the name of their MIB object with the
 * indexes that its table has.
 */
#include "internal.h"

bool docsis_put_oid_numeric(docsis_buffer *out, const uint32_t *arcs, int count, bool leading_dot)
{
    uint8_t *p;

    /* A dot and ten digits at most, so that no arc need ask for room. */
    if (!docsis_reserve(out, 11 * (size_t) (count > 0 ? count : 0)))
        return false;
    p = out->data + out->length;
    for (int i = 0; i < count; i++) {
        uint32_t arc = arcs[i];
        int digits = 1;

        if (i > 0 || leading_dot)
            *p++ = '.';
        for (uint32_t rest = arc; rest >= 10; rest /= 10)
            digits++;
        for (int k = digits - 1; k >= 0; k--, arc /= 10)
            p[k] = (uint8_t) ('0' + arc % 10);
        p += digits;
    }
    out->length = (size_t) (p - out->data);
    return true;
}

/* May the arcs stand in quotes? native: only what the lexer reads back. */
static bool quotable(const uint32_t *arcs, int count, char quote, bool native)
{
    for (int i = 0; i < count; i++) {
        if (arcs[i] < 32 || arcs[i] > 126 || arcs[i] == (uint32_t) quote)
            return false;
        if (native && !((arcs[i] >= '0' && arcs[i] <= '9') || (arcs[i] >= 'a' && arcs[i] <= 'z') ||
                        (arcs[i] >= 'A' && arcs[i] <= 'Z') || arcs[i] == '_' || arcs[i] == '-' ||
                        arcs[i] == '.'))
            return false;
    }
    return true;
}

/* ".'x'" or ".\"x\"" for a string index; returns the arcs used, 0 = not possible, -1 = memory. */
static int put_string_index(docsis_buffer *out, const uint32_t *arcs, int count,
                            const docsis_mib_syntax *column, bool implied, bool native)
{
    int64_t size = docsis_fixed_size(column);
    char quote = implied || size >= 0 ? '\'' : '"';
    int start = quote == '"' ? 1 : 0;
    int64_t octets = implied ? count : size >= 0 ? size : (int64_t) arcs[0];

    if (octets + start > count || (quote == '\'' && octets == 0) ||
        !quotable(arcs + start, (int) octets, quote, native))
        return 0;
    if (!docsis_put(out, '.') || !docsis_put(out, (uint8_t) quote))
        return -1;
    for (int i = 0; i < octets; i++) {
        if (!docsis_put(out, (uint8_t) arcs[start + i]))
            return -1;
    }
    return docsis_put(out, (uint8_t) quote) ? (int) octets + start : -1;
}

/* The arcs behind a column, by its table's INDEX clause as far as that is possible. */
static bool put_index(docsis_buffer *out, const uint32_t *arcs, int count,
                      const docsis_mib_node *entry, bool native)
{
    for (int i = 0; entry != NULL && i < entry->index_count && count > 0; i++) {
        int16_t node = docsis_mib_indexes[entry->index_base + i];
        docsis_mib_syntax column = docsis_mib_syntax_of(node >= 0 ? &docsis_mib_nodes[node]
                                                                  : NULL);
        int used = 1;

        if (node < 0 || column.type == DOCSIS_MIB_OBJECTID)
            break;
        if (column.type == DOCSIS_MIB_OCTETSTR) {
            used = put_string_index(out, arcs, count, &column,
                                    entry->implied && i == entry->index_count - 1, native);
            if (used < 0)
                return false;
            if (used == 0)
                break;
        } else {
            const char *label = native ? NULL : docsis_mib_enum_label(&column, arcs[0]);

            if (column.type == DOCSIS_MIB_IPADDR)
                used = count < 4 ? count : 4;
            if (label != NULL && column.type == DOCSIS_MIB_INTEGER) {
                if (!docsis_put(out, '.') || !docsis_put_text(out, label))
                    return false;
            } else if (!docsis_put_oid_numeric(out, arcs, used, true)) {
                return false;
            }
        }
        arcs += used;
        count -= used;
    }
    return docsis_put_oid_numeric(out, arcs, count, true);
}

/* The docsis tool's name of a node: of a nameless one its number. */
static bool put_label(docsis_buffer *out, const docsis_mib_node *node)
{
    return node->label != NULL ? docsis_put_text(out, node->label)
                               : docsis_put_uint(out, node->arc);
}

bool docsis_put_oid_text(docsis_buffer *out, const uint32_t *arcs, int count,
                         docsis_oid_form form, docsis_style style, const docsis_mib_overlay *mib)
{
    const docsis_mib_node *node;
    int used;

    if (form == DOCSIS_OID_NUMERIC)
        return docsis_put_oid_numeric(out, arcs, count, true);
    if (form == DOCSIS_OID_ISO) {
        static const char *const roots[] = {"ccitt", "iso", "joint-iso-ccitt"};

        return docsis_put_text(out, roots[arcs[0] > 2 ? 2 : arcs[0]]) &&
               docsis_put_oid_numeric(out, arcs + 1, count - 1, true);
    }
    node = docsis_mib_walk(arcs, count, &used);
    return docsis_put_oid_name(out, arcs, count, node, used, style, mib);
}

bool docsis_put_oid_name(docsis_buffer *out, const uint32_t *arcs, int count,
                         const docsis_mib_node *node, int used, docsis_style style,
                         const docsis_mib_overlay *mib)
{
    bool native = style == DOCSIS_STYLE_NATIVE;

    if (mib != NULL && mib->by_oid != NULL && !native) {
        const docsis_mib_object *own = mib->by_oid(mib->context, arcs, count);

        if (own != NULL && own->arc_count > used)
            return docsis_put_text(out, own->syntax.name) &&
                   docsis_put_oid_numeric(out, arcs + own->arc_count, count - own->arc_count,
                                          true);
    }
    while (native && node != NULL && node->label == NULL) {
        node = node->parent >= 0 ? &docsis_mib_nodes[node->parent] : NULL;
        used--;
    }
    /* The name must read back, whatever the profile; a bare label is not an OID token. */
    if (node == NULL || (native && (node->ambiguous || used == count)))
        return docsis_put_oid_numeric(out, arcs, count, true);
    return put_label(out, node) &&
           put_index(out, arcs + used, count - used, docsis_mib_entry(node), native);
}

bool docsis_oid_text(const uint32_t *arcs, int count, docsis_oid_form form,
                     const docsis_mib_overlay *mib, docsis_buffer *out)
{
    return docsis_put_oid_text(out, arcs, count, form,
                               mib != NULL ? DOCSIS_STYLE_DOCSIS : DOCSIS_STYLE_NATIVE, mib);
}

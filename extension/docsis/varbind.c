/*
 * varbind.c - SNMP varbinds of TLV 11: SEQUENCE { OID, value } in BER.
 *
 * The encoder writes the docsis tool's form, which is not DER: with n octets of
 * a string and an OID of a arcs, the sequence has a one-byte length while
 * n + a + 8 < 127 and 82 hh ll from there on, even for lengths below 128.
 */
#include "internal.h"

#include <stdio.h>

static size_t length_octets(size_t length)
{
    return length < 128 ? 1 : length < 256 ? 2 : 3;
}

/* Octets of the sequence's length field as the encoder writes it. */
static size_t sequence_octets(const docsis_varbind *vb, size_t contents)
{
    if (vb->tag == DOCSIS_TAG_STRING)
        return vb->value_length + (size_t) vb->arc_count + 8 < 127 ? 1 : 3;
    return contents < 128 ? 1 : 3;
}

static size_t put_length(uint8_t *out, size_t length, size_t octets)
{
    size_t n = 0;

    if (octets == 3) {
        out[n++] = 0x82;
        out[n++] = (uint8_t) (length >> 8);
    } else if (octets == 2) {
        out[n++] = 0x81;
    }
    out[n++] = (uint8_t) length;
    return n;
}

size_t docsis_varbind_prefix(const docsis_varbind *vb, uint8_t out[DOCSIS_VARBIND_PREFIX])
{
    uint8_t oid[5 * DOCSIS_MAX_ARCS];
    size_t oid_length = docsis_oid_to_ber(vb->arcs, vb->arc_count, oid);
    size_t value_octets = length_octets(vb->value_length);
    size_t contents = 2 + length_octets(oid_length) + oid_length + value_octets +
                      vb->value_length;
    size_t n = 0;

    out[n++] = DOCSIS_TAG_SEQUENCE;
    n += put_length(out + n, contents, sequence_octets(vb, contents));
    out[n++] = DOCSIS_TAG_OID;
    n += put_length(out + n, oid_length, length_octets(oid_length));
    memcpy(out + n, oid, oid_length);
    n += oid_length;
    out[n++] = vb->tag;
    n += put_length(out + n, vb->value_length, value_octets);
    return n;
}

/* A definite length at *position; any form up to two octets of length. */
static bool read_length(const uint8_t *bytes, size_t length, size_t *position, size_t *value)
{
    size_t i = *position;

    if (i >= length)
        return false;
    *value = bytes[i++];
    if (*value == 0x81) {
        if (i >= length)
            return false;
        *value = bytes[i++];
    } else if (*value == 0x82) {
        if (length - i < 2)
            return false;
        *value = (size_t) bytes[i] << 8 | bytes[i + 1];
        i += 2;
    } else if (*value >= 0x80) {
        return false;
    }
    *position = i;
    return *value <= length - i;
}

bool docsis_varbind_read(const uint8_t *bytes, size_t length, docsis_varbind *vb)
{
    size_t i = 1;
    size_t n;

    if (length < 2 || bytes[0] != DOCSIS_TAG_SEQUENCE || !read_length(bytes, length, &i, &n) ||
        i + n != length)
        return false;
    if (i >= length || bytes[i++] != DOCSIS_TAG_OID || !read_length(bytes, length, &i, &n) ||
        !docsis_oid_from_ber(bytes + i, n, vb->arcs, &vb->arc_count))
        return false;
    vb->oid = bytes + i;
    vb->oid_length = n;
    i += n;
    if (i >= length)
        return false;
    vb->tag = bytes[i++];
    if (!read_length(bytes, length, &i, &n) || i + n != length)
        return false;
    vb->value = bytes + i;
    vb->value_length = n;
    return true;
}

/* Is the value the minimal form of a number of its type? */
static bool is_minimal_number(const docsis_varbind *vb)
{
    const uint8_t *v = vb->value;
    size_t n = vb->value_length;
    size_t most = vb->tag == DOCSIS_TAG_INTEGER ? 4 : 5;

    if (n == 0 || n > most)
        return false;
    if (vb->tag != DOCSIS_TAG_INTEGER && (v[0] & 0x80 || (n == 5 && v[0] != 0)))
        return false;
    if (n > 1 && v[0] == 0 && !(v[1] & 0x80))
        return false;
    return !(n > 1 && v[0] == 0xff && (v[1] & 0x80));
}

bool docsis_varbind_is_canonical(const docsis_varbind *vb, const uint8_t *bytes, size_t length)
{
    size_t oid_octets = length_octets(vb->oid_length);
    size_t value_octets = length_octets(vb->value_length);
    size_t contents = 2 + oid_octets + vb->oid_length + value_octets + vb->value_length;
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;

    if (vb->arcs[1] > UINT32_MAX - 80)
        return false;
    /* The lengths add up only if each has the number of octets that is written. */
    if (1 + sequence_octets(vb, contents) + contents != length ||
        bytes[1] == 0x81 || (bytes[1] == 0x82) != (sequence_octets(vb, contents) == 3))
        return false;
    if (bytes[1 + sequence_octets(vb, contents) + 1] != (oid_octets == 1 ? vb->oid_length : 0x81) ||
        vb->value[-(ptrdiff_t) value_octets - 1] != vb->tag)
        return false;
    switch (vb->tag) {
        case DOCSIS_TAG_INTEGER:
        case DOCSIS_TAG_GAUGE:
        case DOCSIS_TAG_COUNTER:
        case DOCSIS_TAG_TICKS:
            return is_minimal_number(vb);
        case DOCSIS_TAG_IPADDRESS:
            return vb->value_length == 4;
        case DOCSIS_TAG_OID:
            return docsis_oid_from_ber(vb->value, vb->value_length, arcs, &count) &&
                   arcs[1] <= UINT32_MAX - 80;
        default:
            return vb->tag == DOCSIS_TAG_STRING;
    }
}

int docsis_ber_signed(int32_t value, uint8_t out[5])
{
    int n = 4;

    while (n > 1) {
        int32_t top = value >> (8 * (n - 1) - 1);   /* the first nine bits */

        if (top != 0 && top != -1)
            break;
        n--;
    }
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t) (value >> (8 * (n - 1 - i)));
    return n;
}

int docsis_ber_unsigned(uint32_t value, uint8_t out[5])
{
    int n = 5;

    while (n > 1 && (uint64_t) value >> (8 * (n - 1) - 1) == 0)
        n--;
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t) ((uint64_t) value >> (8 * (n - 1 - i)));
    return n;
}

bool docsis_ber_number(const docsis_varbind *vb, int64_t *value)
{
    uint64_t number;

    if (vb->value_length == 0 || vb->value_length > 8)
        return false;
    number = vb->tag == DOCSIS_TAG_INTEGER && (vb->value[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < vb->value_length; i++)
        number = number << 8 | vb->value[i];
    *value = (int64_t) number;
    return true;
}

bool docsis_check_size(docsis_context *context, const docsis_mib_syntax *syntax, size_t octets,
                       size_t offset)
{
    int64_t most = -1;
    char text[96];
    docsis_error *error = context->error;

    if (syntax->type != DOCSIS_MIB_OCTETSTR || syntax->range_count == 0)
        return true;
    for (int i = 0; i < syntax->range_count; i++) {
        const docsis_range *range = &syntax->ranges[i];

        if ((int64_t) octets >= range->low && (int64_t) octets <= range->high)
            return true;
        if (range->high > most)
            most = range->high;
    }
    if ((int64_t) octets > most) {
        docsis_error_set(error, DOCSIS_OUT_OF_RANGE, offset, "value too long for \"%s\"",
                         syntax->name);
        docsis_error_symbol(error, syntax->name);
        docsis_error_detail(error, "The value has %zu bytes; the MIB allows at most %lld.", octets,
                            (long long) most);
        return false;
    }
    /* The tool refuses only what is too long; a shorter one may be meant. */
    if (context->options->warn != NULL) {
        snprintf(text, sizeof(text), "The value has %zu bytes.", octets);
        docsis_warn(context, DOCSIS_OUT_OF_RANGE, offset, syntax->name,
                    "length of the value is not one that the MIB allows", text);
    }
    return true;
}

bool docsis_size_fits(const docsis_varbind *vb)
{
    const docsis_mib_node *node;
    int used;

    if (vb->tag != DOCSIS_TAG_STRING)
        return true;
    node = docsis_mib_walk(vb->arcs, vb->arc_count, &used);
    if (node == NULL || node->type != DOCSIS_MIB_OCTETSTR)
        return true;
    for (int i = 0; i < node->range_count; i++) {
        if ((int64_t) vb->value_length <= docsis_mib_ranges[node->range_base + i].high)
            return true;
    }
    return node->range_count == 0;
}

bool docsis_varbind_read_typed(const docsis_tlv *tlv, docsis_varbind *vb)
{
    return (tlv->header_length == 2 || tlv->length > 255) &&
           docsis_varbind_read(tlv->value, tlv->length, vb) &&
           docsis_varbind_is_canonical(vb, tlv->value, tlv->length) && docsis_size_fits(vb);
}

const char *docsis_tag_keyword(uint8_t tag, bool as_string)
{
    switch (tag) {
        case DOCSIS_TAG_INTEGER:
            return "Integer";
        case DOCSIS_TAG_GAUGE:
            return "Gauge32";
        case DOCSIS_TAG_COUNTER:
            return "Counter32";
        case DOCSIS_TAG_TICKS:
            return "TimeTicks";
        case DOCSIS_TAG_IPADDRESS:
            return "IPAddress";
        case DOCSIS_TAG_OID:
            return "ObjectID";
        default:
            return as_string ? "String" : "HexString";
    }
}

static bool is_printable(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < 32 || bytes[i] > 126)
            return false;
    }
    return true;
}

static bool put_raw_string(docsis_buffer *out, const docsis_varbind *vb)
{
    return docsis_put(out, '"') && docsis_put_bytes(out, vb->value, vb->value_length) &&
           docsis_put(out, '"');
}

/* Label of an enumerated value of the object, or NULL. */
static const char *enum_label_of(const docsis_varbind *vb, int64_t number,
                                 const docsis_text_options *options)
{
    const docsis_mib_overlay *mib = options->mib;
    docsis_mib_syntax syntax = docsis_mib_syntax_of(vb->node);

    if (options->style != DOCSIS_STYLE_NATIVE && mib != NULL && mib->by_oid != NULL) {
        const docsis_mib_object *object = mib->by_oid(mib->context, vb->arcs, vb->arc_count);

        if (object != NULL && (vb->node == NULL || object->arc_count >= vb->node->depth))
            syntax = object->syntax;
    }
    return docsis_mib_enum_label(&syntax, number);
}

/* `oid ` */
static bool put_oid(docsis_buffer *out, docsis_varbind *vb, const docsis_text_options *options)
{
    int used;

    vb->node = NULL;
    if (options->oid_form != DOCSIS_OID_NAMES)
        return docsis_put_oid_text(out, vb->arcs, vb->arc_count, options->oid_form,
                                   options->style, options->mib) && docsis_put(out, ' ');
    vb->node = docsis_mib_walk(vb->arcs, vb->arc_count, &used);
    return docsis_put_oid_name(out, vb->arcs, vb->arc_count, vb->node, used, options->style,
                               options->mib) && docsis_put(out, ' ');
}

bool docsis_put_varbind_text(docsis_buffer *out, docsis_varbind *vb,
                             const docsis_text_options *options, const char **enum_label)
{
    bool native = options->style == DOCSIS_STYLE_NATIVE;
    bool as_string = native ? docsis_is_plain_text(vb->value, vb->value_length)
                            : is_printable(vb->value, vb->value_length);
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    int64_t number;

    *enum_label = NULL;
    if (!put_oid(out, vb, options) || !docsis_put_text(out, docsis_tag_keyword(vb->tag, as_string)) ||
        !docsis_put(out, ' '))
        return false;
    switch (vb->tag) {
        case DOCSIS_TAG_INTEGER:
        case DOCSIS_TAG_GAUGE:
        case DOCSIS_TAG_COUNTER:
        case DOCSIS_TAG_TICKS:
            if (!docsis_ber_number(vb, &number))
                return true;
            if (vb->tag == DOCSIS_TAG_INTEGER && options->oid_form == DOCSIS_OID_NAMES)
                *enum_label = enum_label_of(vb, number, options);
            return docsis_put_int(out, number);
        case DOCSIS_TAG_IPADDRESS:
            return vb->value_length == 4 ? docsis_put_ip4(out, vb->value) : true;
        case DOCSIS_TAG_OID:
            if (!docsis_oid_from_ber(vb->value, vb->value_length, arcs, &count))
                return true;
            return docsis_put_oid_numeric(out, arcs, count, true);
        default:
            if (!as_string)
                return docsis_put_text(out, "0x") &&
                       docsis_put_hex(out, vb->value, vb->value_length);
            return native ? docsis_put_quoted(out, vb->value, vb->value_length, options->ascii)
                          : put_raw_string(out, vb);
    }
}

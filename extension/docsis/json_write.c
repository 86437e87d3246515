/*
 * json_write.c - config -> JSON text, one object per TLV. The form is described
 * in docsis.h; nothing is lost: what has no typed form is "hex".
 */
#include "internal.h"

/* A JSON string; the bytes are valid UTF-8 without zeros. */
static bool put_json_string(docsis_buffer *out, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    if (!docsis_reserve(out, 6 * length + 2))
        return false;
    out->data[out->length++] = '"';
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];

        if (byte < 32 || byte == 127) {
            memcpy(out->data + out->length, "\\u00", 4);
            out->data[out->length + 4] = digits[byte >> 4];
            out->data[out->length + 5] = digits[byte & 15];
            out->length += 6;
            continue;
        }
        if (byte == '"' || byte == '\\')
            out->data[out->length++] = '\\';
        out->data[out->length++] = byte;
    }
    out->data[out->length++] = '"';
    return true;
}

/* Can the bytes be a JSON string? jsonb has no zero character. */
static bool is_json_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        int n = docsis_utf8_length(bytes + i, length - i);

        if (n == 0 || bytes[i] == 0)
            return false;
        i += (size_t) n;
    }
    return true;
}

static bool put_varbind(docsis_buffer *out, const docsis_varbind *vb,
                        const docsis_text_options *options)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    int64_t number;
    docsis_text_options names = *options;
    const char *type;

    names.oid_form = DOCSIS_OID_NAMES;
    names.style = DOCSIS_STYLE_DOCSIS;
    if (!docsis_put_text(out, "{\"oid\":\"") ||
        !docsis_put_oid_numeric(out, vb->arcs, vb->arc_count, false) ||
        !docsis_put_text(out, "\",\"name\":\""))
        return false;
    /* The name holds a double quote at most, from a string index. */
    {
        size_t start = out->length;

        if (!docsis_put_oid_text(out, vb->arcs, vb->arc_count, DOCSIS_OID_NAMES, names.style,
                                 names.mib))
            return false;
        for (size_t i = start; i < out->length; i++) {
            if (out->data[i] != '"' && out->data[i] != '\\')
                continue;
            if (!docsis_reserve(out, 1))
                return false;
            memmove(out->data + i + 1, out->data + i, out->length - i);
            out->data[i++] = '\\';
            out->length++;
        }
    }
    type = docsis_tag_keyword(vb->tag, docsis_is_plain_text(vb->value, vb->value_length));
    if (!docsis_put_text(out, "\",\"type\":\"") || !docsis_put_text(out, type) ||
        !docsis_put_text(out, "\",\"value\":"))
        return false;
    switch (vb->tag) {
        case DOCSIS_TAG_STRING:
            if (type[0] == 'S')
                return put_json_string(out, vb->value, vb->value_length) && docsis_put(out, '}');
            return docsis_put_text(out, "\"0x") &&
                   docsis_put_hex(out, vb->value, vb->value_length) && docsis_put_text(out, "\"}");
        case DOCSIS_TAG_IPADDRESS:
            return docsis_put(out, '"') && docsis_put_ip4(out, vb->value) &&
                   docsis_put_text(out, "\"}");
        case DOCSIS_TAG_OID:
            return docsis_oid_from_ber(vb->value, vb->value_length, arcs, &count) &&
                   docsis_put(out, '"') && docsis_put_oid_numeric(out, arcs, count, false) &&
                   docsis_put_text(out, "\"}");
        default:
            return docsis_ber_number(vb, &number) && docsis_put_int(out, number) &&
                   docsis_put(out, '}');
    }
}

/* {"oid":"1.3.6","value":1} of TLV 10 */
static bool put_snmp_write(docsis_buffer *out, const docsis_tlv *tlv)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;

    return docsis_oid_from_tlv(tlv->value, tlv->length, 1, arcs, &count) &&
           docsis_put_text(out, "{\"oid\":\"") &&
           docsis_put_oid_numeric(out, arcs, count, false) &&
           docsis_put_text(out, "\",\"value\":") &&
           docsis_put_uint(out, tlv->value[tlv->length - 1]) && docsis_put(out, '}');
}

/* Has the value a JSON form of its type? Sets *length to a string's length. */
static bool has_json_form(const docsis_tlv *tlv, size_t *length)
{
    *length = tlv->length;
    if (!docsis_value_is_typed(tlv))
        return false;
    if (tlv->symbol->type == DOCSIS_T_STRZ)
        --*length;
    if (tlv->symbol->type == DOCSIS_T_STR || tlv->symbol->type == DOCSIS_T_STRZ)
        return is_json_text(tlv->value, *length);
    return true;
}

static bool put_value(docsis_buffer *out, const docsis_tlv *tlv,
                      const docsis_text_options *options)
{
    docsis_varbind vb;
    size_t length;

    if (!has_json_form(tlv, &length))
        return docsis_put_text(out, ",\"hex\":\"") &&
               docsis_put_hex(out, tlv->value, tlv->length) && docsis_put(out, '"');
    if (tlv->symbol->type == DOCSIS_T_EOD)
        return true;
    if (!docsis_put_text(out, ",\"v\":"))
        return false;
    switch ((docsis_type) tlv->symbol->type) {
        case DOCSIS_T_U8:
        case DOCSIS_T_U16:
        case DOCSIS_T_U24:
        case DOCSIS_T_U32:
            return docsis_put_value(out, tlv, options);
        case DOCSIS_T_STR:
        case DOCSIS_T_STRZ:
            return put_json_string(out, tlv->value, length);
        case DOCSIS_T_VARBIND:
            return docsis_varbind_read(tlv->value, tlv->length, &vb) &&
                   put_varbind(out, &vb, options);
        case DOCSIS_T_SNMP_WRITE:
            return put_snmp_write(out, tlv);
        default:
            return docsis_put(out, '"') && docsis_put_value(out, tlv, options) &&
                   docsis_put(out, '"');
    }
}

static bool put_head(docsis_buffer *out, const docsis_tlv *tlv)
{
    char path[4 * DOCSIS_MAX_DEPTH + 1];

    docsis_tlv_path(tlv, path, sizeof(path));
    if (!docsis_put_text(out, "{\"t\":\"") || !docsis_put_text(out, path) ||
        !docsis_put(out, '"'))
        return false;
    if (tlv->symbol == NULL)
        return true;
    return docsis_put_text(out, ",\"n\":\"") && docsis_put_text(out, tlv->symbol->name) &&
           docsis_put(out, '"');
}

/* {"t":"0","n":"Pad","v":n} */
static bool put_pads(docsis_buffer *out, size_t pads, bool *first)
{
    if (pads == 0)
        return true;
    if (!*first && !docsis_put(out, ','))
        return false;
    *first = false;
    return docsis_put_text(out, "{\"t\":\"0\",\"n\":\"Pad\",\"v\":") &&
           docsis_put_uint(out, pads) && docsis_put(out, '}');
}

bool docsis_write_json(const uint8_t *config, size_t length, const docsis_text_options *options,
                       docsis_buffer *out, docsis_error *error)
{
    static const docsis_text_options defaults;
    docsis_text_options form = options != NULL ? *options : defaults;
    docsis_cursor cursor;
    docsis_tlv tlv;
    size_t start = out->length;
    size_t pads = 0;
    int depth = 0;
    bool first = true;
    bool ok = docsis_put(out, '[');
    int next = 0;

    form.style = DOCSIS_STYLE_NATIVE;
    docsis_cursor_init(&cursor, config, length);
    while (ok && (next = docsis_cursor_next(&cursor, &tlv, error)) > 0) {
        for (; ok && depth > tlv.depth; depth--, first = false)
            ok = docsis_put_text(out, "]}");
        if (tlv.depth == 0 && tlv.code == 0) {
            pads++;
            continue;
        }
        ok = ok && put_pads(out, pads, &first) && (first || docsis_put(out, ',')) &&
             put_head(out, &tlv);
        pads = 0;
        first = tlv.is_group;
        if (tlv.is_group) {
            depth++;
            ok = ok && docsis_put_text(out, ",\"v\":[");
        } else {
            ok = ok && put_value(out, &tlv, &form) && docsis_put(out, '}');
        }
    }
    for (; ok && depth > 0; depth--, first = false)
        ok = docsis_put_text(out, "]}");
    ok = ok && put_pads(out, pads, &first) && docsis_put(out, ']');
    if (ok && next == 0)
        return true;
    out->length = start;
    return next < 0 ? false : docsis_error_memory(error);
}

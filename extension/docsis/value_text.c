/*
 * value_text.c - the types of leaf values: bytes -> text.
 */
#include "internal.h"

int docsis_utf8_length(const uint8_t *p, size_t available)
{
    int length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4 : 0;

    if (length == 0 || (size_t) length > available)
        return 0;
    for (int i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

/* Control characters: C0, DEL and C1. */
static bool is_control(const uint8_t *p, int length)
{
    return (length == 1 && (p[0] < 32 || p[0] == 127)) ||
           (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

bool docsis_is_plain_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        int n = docsis_utf8_length(bytes + i, length - i);

        if (n == 0 || is_control(bytes + i, n))
            return false;
        i += (size_t) n;
    }
    return true;
}

static bool is_ascii(const uint8_t *bytes, size_t length)
{
    uint8_t all = 0;

    for (size_t i = 0; i < length; i++)
        all |= bytes[i];
    return all < 128;
}

bool docsis_put_quoted(docsis_buffer *out, const uint8_t *bytes, size_t length, bool ascii)
{
    static const char digits[] = "0123456789ABCDEF";
    bool escaped = memchr(bytes, '\\', length) != NULL || !docsis_is_plain_text(bytes, length) ||
                   (ascii && !is_ascii(bytes, length));

    if (!docsis_reserve(out, 4 * length + 3))
        return false;
    if (escaped)
        out->data[out->length++] = 'E';
    out->data[out->length++] = '"';
    for (size_t i = 0; i < length;) {
        int n = docsis_utf8_length(bytes + i, length - i);

        if (n == 0 || is_control(bytes + i, n) || (ascii && n > 1)) {
            out->data[out->length++] = '\\';
            out->data[out->length++] = 'x';
            out->data[out->length++] = digits[bytes[i] >> 4];
            out->data[out->length++] = digits[bytes[i] & 15];
            i++;
            continue;
        }
        if (bytes[i] == '"' || bytes[i] == '\\')
            out->data[out->length++] = '\\';
        while (n-- > 0)
            out->data[out->length++] = bytes[i++];
    }
    out->data[out->length++] = '"';
    return true;
}

bool docsis_put_ip4(docsis_buffer *out, const uint8_t address[4])
{
    for (int i = 0; i < 4; i++) {
        if ((i > 0 && !docsis_put(out, '.')) || !docsis_put_uint(out, address[i]))
            return false;
    }
    return true;
}

/* The first longest run of two or more zero words; returns its length. */
static int zero_run(const uint16_t word[8], int *start)
{
    int best = 0;

    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && word[i + n] == 0)
            n++;
        if (n >= 2 && n > best) {
            best = n;
            *start = i;
        }
        i += n;
    }
    return best;
}

static bool put_hex_word(docsis_buffer *out, uint16_t word)
{
    static const char digits[] = "0123456789abcdef";

    for (int shift = 12; shift >= 0; shift -= 4) {
        if ((word >> shift != 0 || shift == 0) && !docsis_put(out, digits[word >> shift & 15]))
            return false;
    }
    return true;
}

bool docsis_put_ip6(docsis_buffer *out, const uint8_t address[16], bool embedded)
{
    uint16_t word[8];
    int start = -1;
    int run;

    for (int i = 0; i < 8; i++)
        word[i] = (uint16_t) (address[2 * i] << 8 | address[2 * i + 1]);
    run = zero_run(word, &start);
    for (int i = 0; i < 8; i++) {
        if (run > 0 && i == start) {
            if (!docsis_put_text(out, i == 0 ? "::" : ":"))
                return false;
            i += run - 1;
            if (i == 7)
                break;
            continue;
        }
        if (embedded && i == 6 && start == 0 && (run == 6 || (run == 5 && word[5] == 0xffff)))
            return docsis_put_ip4(out, address + 12);
        if (!put_hex_word(out, word[i]) || (i < 7 && !docsis_put(out, ':')))
            return false;
    }
    return true;
}

/* Big-endian number of up to four bytes. */
static uint32_t number(const uint8_t *bytes, size_t length)
{
    uint32_t value = 0;

    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool prefixes_are_valid(const docsis_tlv *tlv)
{
    if (tlv->length == 0 || tlv->length % 17 != 0)
        return false;
    for (size_t i = 16; i < tlv->length; i += 17) {
        if (tlv->value[i] > 128)
            return false;
    }
    return true;
}

bool docsis_value_is_typed(const docsis_tlv *tlv)
{
    const docsis_symbol *symbol = tlv->symbol;
    size_t n = tlv->length;
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    docsis_varbind vb;

    if (symbol == NULL || tlv->generic || tlv->is_group)
        return false;
    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_PAD:
        case DOCSIS_T_EOD:
            return tlv->header_length == 1;
        case DOCSIS_T_U8:
            return n == 1 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, tlv->value[0]);
        case DOCSIS_T_U16:
            return n == 2 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, number(tlv->value, 2));
        case DOCSIS_T_U24:
            return n == 3 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, number(tlv->value, 3));
        case DOCSIS_T_U32:
            return n == 4 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, number(tlv->value, 4));
        case DOCSIS_T_STR:
        case DOCSIS_T_HEX:
            return docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, (uint32_t) n);
        case DOCSIS_T_STRZ:
            return n > 0 && tlv->value[n - 1] == 0 &&
                   docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, (uint32_t) n - 1);
        case DOCSIS_T_MD5:
        case DOCSIS_T_IPV6:
            return n == 16;
        case DOCSIS_T_MAC:
            return n == 6;
        case DOCSIS_T_MAC_MASK:
            return n == 12;
        case DOCSIS_T_IPV4:
            return n == 4;
        case DOCSIS_T_IPV4_LIST:
            return n > 0 && n % 4 == 0;
        case DOCSIS_T_IPV6_LIST:
            return n > 0 && n % 16 == 0;
        case DOCSIS_T_IPV6_PREFIX_LIST:
            return prefixes_are_valid(tlv);
        case DOCSIS_T_IP:
            return n == 4 || n == 16;
        case DOCSIS_T_INETADDR:
            return (n == 5 && tlv->value[0] == 1) || (n == 17 && tlv->value[0] == 2);
        case DOCSIS_T_IP_PORT:
            return n == 6 || n == 18;
        case DOCSIS_T_U8_LIST:
            return n >= 1 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, (uint32_t) n);
        case DOCSIS_T_U16_LIST:
            return n >= 2 && n % 2 == 0 && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, (uint32_t) n / 2);
        case DOCSIS_T_U16_PAIR:
            return n == 4;
        case DOCSIS_T_OID:
            return docsis_oid_from_tlv(tlv->value, n, 0, arcs, &count);
        case DOCSIS_T_SNMP_WRITE:
            return docsis_oid_from_tlv(tlv->value, n, 1, arcs, &count);
        case DOCSIS_T_EMPTY:
            return n == 0;
        case DOCSIS_T_VARBIND:
            return docsis_varbind_read_typed(tlv, &vb);
        default:
            return false;
    }
}

static bool put_mac(docsis_buffer *out, const uint8_t *mac)
{
    for (int i = 0; i < 6; i++) {
        if ((i > 0 && !docsis_put(out, ':')) || !docsis_put_hex(out, mac + i, 1))
            return false;
    }
    return true;
}

static bool put_number_list(docsis_buffer *out, const docsis_tlv *tlv, size_t octets)
{
    for (size_t i = 0; i + octets <= tlv->length; i += octets) {
        if ((i > 0 && !docsis_put(out, ',')) ||
            !docsis_put_uint(out, number(tlv->value + i, octets)))
            return false;
    }
    return true;
}

static bool put_address(docsis_buffer *out, const uint8_t *bytes, size_t length, bool embedded)
{
    return length == 4 ? docsis_put_ip4(out, bytes) : docsis_put_ip6(out, bytes, embedded);
}

static bool put_address_list(docsis_buffer *out, const docsis_tlv *tlv, size_t octets,
                             bool prefixes, bool embedded)
{
    size_t step = octets + (prefixes ? 1 : 0);

    for (size_t i = 0; i + step <= tlv->length; i += step) {
        if ((i > 0 && !docsis_put(out, ',')) ||
            !put_address(out, tlv->value + i, octets, embedded))
            return false;
        if (prefixes && (!docsis_put(out, '/') || !docsis_put_uint(out, tlv->value[i + octets])))
            return false;
    }
    return true;
}

/* A string as the docsis tool prints it: raw, up to the first zero. */
static bool put_tool_string(docsis_buffer *out, const docsis_tlv *tlv,
                            const docsis_text_options *options)
{
    const uint8_t *zero = tlv->length > 0 ? memchr(tlv->value, 0, tlv->length) : NULL;
    size_t length = zero != NULL ? (size_t) (zero - tlv->value) : tlv->length;

    if (!docsis_put(out, '"'))
        return false;
    if (!options->valid_utf8)
        return docsis_put_bytes(out, tlv->value, length) && docsis_put(out, '"');
    for (size_t i = 0; i < length;) {
        int n = docsis_utf8_length(tlv->value + i, length - i);

        if (n > 0 && !is_control(tlv->value + i, n)) {
            if (!docsis_put_bytes(out, tlv->value + i, (size_t) n))
                return false;
            i += (size_t) n;
        } else if (!docsis_put_text(out, "\\x") || !docsis_put_hex(out, tlv->value + i++, 1)) {
            return false;
        }
    }
    return docsis_put(out, '"');
}

bool docsis_put_value(docsis_buffer *out, const docsis_tlv *tlv,
                      const docsis_text_options *options)
{
    bool tool = options->style == DOCSIS_STYLE_DOCSIS;
    const uint8_t *v = tlv->value;
    size_t n = tlv->length;
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    docsis_varbind vb;
    const char *label;

    switch ((docsis_type) tlv->symbol->type) {
        case DOCSIS_T_U8:
        case DOCSIS_T_U16:
        case DOCSIS_T_U24:
        case DOCSIS_T_U32:
            return docsis_put_uint(out, number(v, n));
        case DOCSIS_T_STR:
            return tool ? put_tool_string(out, tlv, options)
                        : docsis_put_quoted(out, v, n, options->ascii);
        case DOCSIS_T_STRZ:
            return tool ? put_tool_string(out, tlv, options)
                        : docsis_put_quoted(out, v, n - 1, options->ascii);
        case DOCSIS_T_HEX:
        case DOCSIS_T_MD5:
            return docsis_put_text(out, "0x") && docsis_put_hex(out, v, n);
        case DOCSIS_T_MAC:
            return put_mac(out, v);
        case DOCSIS_T_MAC_MASK:
            return put_mac(out, v) && docsis_put(out, '/') && put_mac(out, v + 6);
        case DOCSIS_T_IPV4:
        case DOCSIS_T_IPV6:
        case DOCSIS_T_IP:
            return put_address(out, v, n, tool);
        case DOCSIS_T_INETADDR:
            return put_address(out, v + 1, n - 1, tool);
        case DOCSIS_T_IPV4_LIST:
            return put_address_list(out, tlv, 4, false, tool);
        case DOCSIS_T_IPV6_LIST:
            return put_address_list(out, tlv, 16, false, tool);
        case DOCSIS_T_IPV6_PREFIX_LIST:
            return put_address_list(out, tlv, 16, true, tool);
        case DOCSIS_T_IP_PORT:
            return put_address(out, v, n - 2, tool) && docsis_put(out, '/') &&
                   docsis_put_uint(out, number(v + n - 2, 2));
        case DOCSIS_T_U8_LIST:
            return put_number_list(out, tlv, 1);
        case DOCSIS_T_U16_LIST:
        case DOCSIS_T_U16_PAIR:
            return put_number_list(out, tlv, 2);
        case DOCSIS_T_OID:
            return docsis_oid_from_tlv(v, n, 0, arcs, &count) &&
                   docsis_put_oid_numeric(out, arcs, count, true);
        case DOCSIS_T_SNMP_WRITE:
            return docsis_oid_from_tlv(v, n, 1, arcs, &count) &&
                   docsis_put_oid_numeric(out, arcs, count, true) && docsis_put(out, ' ') &&
                   docsis_put_uint(out, v[n - 1]);
        case DOCSIS_T_EMPTY:
            return docsis_put_text(out, "0x00");
        case DOCSIS_T_VARBIND:
            return docsis_varbind_read(v, n, &vb) &&
                   docsis_put_varbind_text(out, &vb, options, &label);
        default:
            return true;
    }
}

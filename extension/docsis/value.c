/*
 * value.c - the types of leaf values: text token -> bytes.
 */
#include "internal.h"

#include <stdio.h>

int64_t docsis_number(const char *text, size_t length, bool *overflow)
{
    bool negative = length > 0 && text[0] == '-';
    uint64_t value = 0;

    *overflow = false;
    for (size_t i = negative ? 1 : 0; i < length; i++) {
        value = value * 10 + (uint64_t) (text[i] - '0');
        if (value > (uint64_t) INT64_MAX / 16) {
            *overflow = true;
            return 0;
        }
    }
    return negative ? -(int64_t) value : (int64_t) value;
}

static inline uint32_t maximum(const docsis_symbol *symbol, docsis_limits limits)
{
    return limits == DOCSIS_LIMITS_TOOL ? symbol->tool_maximum : symbol->maximum;
}

bool docsis_within_limits(const docsis_symbol *symbol, docsis_limits limits, uint32_t value)
{
    const docsis_symbol *first = &docsis_symbols[symbol->first];

    if (!symbol->checked || (value >= symbol->minimum && value <= maximum(symbol, limits)))
        return true;
    return !first->checked || (value >= first->minimum && value <= maximum(first, limits));
}

/* The same by the limits that the caller chose. */
static bool is_allowed(const docsis_context *context, const docsis_symbol *symbol, uint32_t value)
{
    return docsis_within_limits(symbol, context->options->limits, value);
}

void docsis_warn(docsis_context *context, docsis_code code, size_t offset, const char *symbol,
                 const char *message, const char *detail)
{
    docsis_error warning;

    if (context->options->warn == NULL)
        return;
    docsis_error_set(&warning, code, offset, "%s", message);
    docsis_error_symbol(&warning, symbol);
    docsis_error_detail(&warning, "%s", detail);
    docsis_error_locate(&warning, context->text, context->text_length);
    context->options->warn(context->options->warn_context, &warning);
}

/* ---- errors --------------------------------------------------------------- */

static const char *wanted(docsis_type type)
{
    switch (type) {
        case DOCSIS_T_U8: case DOCSIS_T_U16: case DOCSIS_T_U24: case DOCSIS_T_U32:
            return "a number";
        case DOCSIS_T_STR: case DOCSIS_T_STRZ:
            return "a string in double quotes";
        case DOCSIS_T_HEX: case DOCSIS_T_MD5:
            return "a hex string such as 0x0102";
        case DOCSIS_T_MAC:
            return "a MAC address such as 00:11:22:aa:bb:cc";
        case DOCSIS_T_MAC_MASK:
            return "a MAC address and mask such as 00:11:22:aa:bb:cc/ff:ff:ff:00:00:00";
        case DOCSIS_T_IPV4:
            return "an IPv4 address";
        case DOCSIS_T_IPV6:
            return "an IPv6 address";
        case DOCSIS_T_IPV4_LIST:
            return "a list of IPv4 addresses, with commas and without blanks";
        case DOCSIS_T_IPV6_LIST:
            return "a list of IPv6 addresses, with commas and without blanks";
        case DOCSIS_T_IPV6_PREFIX_LIST:
            return "a list of IPv6 prefixes such as 2001:db8::/32,2001:db8:1::/48";
        case DOCSIS_T_IP: case DOCSIS_T_INETADDR:
            return "an IPv4 or IPv6 address";
        case DOCSIS_T_IP_PORT:
            return "an address with port such as 192.0.2.1/162";
        case DOCSIS_T_U8_LIST: case DOCSIS_T_U16_LIST:
            return "a list of numbers, with commas and without blanks";
        case DOCSIS_T_U16_PAIR:
            return "two numbers with a comma";
        case DOCSIS_T_OID:
            return "an OID";
        case DOCSIS_T_GROUP:
            return "a group in braces";
        case DOCSIS_T_EMPTY:
            return "0x00";
        default:
            return "no value";
    }
}

bool docsis_error_type(docsis_context *context, const docsis_symbol *symbol,
                       const docsis_token *token)
{
    docsis_error *error = context->error;

    docsis_error_set(error, DOCSIS_TYPE_MISMATCH, token->offset,
                     "value of \"%s\" has the wrong type", symbol->name);
    docsis_error_symbol(error, symbol->name);
    docsis_error_detail(error, "\"%s\" takes %s, not %s.", symbol->name, wanted(symbol->type),
                        docsis_token_name(token->kind));
    return false;
}

static bool range_error(docsis_context *context, const docsis_symbol *symbol, size_t offset,
                        const char *what, long long value, long long low, long long high)
{
    docsis_error *error = context->error;

    if (value == INT64_MAX)
        docsis_error_set(error, DOCSIS_OUT_OF_RANGE, offset, "%s of \"%s\" is out of range", what,
                         symbol->name);
    else
        docsis_error_set(error, DOCSIS_OUT_OF_RANGE, offset, "%s %lld of \"%s\" is out of range",
                         what, value, symbol->name);
    docsis_error_symbol(error, symbol->name);
    docsis_error_detail(error, "\"%s\" allows %lld to %lld.", symbol->name, low, high);
    return false;
}

static bool number_error(docsis_context *context, const docsis_symbol *symbol, size_t offset,
                         int64_t value, uint32_t largest)
{
    const docsis_symbol *first = &docsis_symbols[symbol->first];
    docsis_limits limits = context->options->limits;
    int64_t low = 0;
    int64_t high = largest;

    if (symbol->checked && first->checked) {
        low = symbol->minimum < first->minimum ? symbol->minimum : first->minimum;
        high = maximum(symbol, limits) > maximum(first, limits) ? maximum(symbol, limits)
                                                                : maximum(first, limits);
        if (high > largest)
            high = largest;
    }
    return range_error(context, symbol, offset, "value", value, low, high);
}

/* ---- numbers --------------------------------------------------------------- */

bool docsis_encode_number(docsis_context *context, const docsis_symbol *symbol, int64_t value,
                          bool overflow, size_t offset)
{
    int octets = symbol->type == DOCSIS_T_U8 ? 1 : symbol->type == DOCSIS_T_U16 ? 2
                 : symbol->type == DOCSIS_T_U24 ? 3 : 4;
    uint32_t largest = (uint32_t) ((1ull << (8 * octets)) - 1);

    if (overflow)
        return number_error(context, symbol, offset, INT64_MAX, largest);
    /* A negative number of 32 bits keeps all its bits, as in the docsis tool. */
    if (octets == 4 && value < 0 && value >= INT32_MIN) {
        if (!is_allowed(context, symbol, (uint32_t) value))
            return number_error(context, symbol, offset, value, largest);
        docsis_warn(context, DOCSIS_OUT_OF_RANGE, offset, symbol->name,
                    "negative number is written as its 32-bit complement",
                    "The value is unsigned.");
        value = (uint32_t) value;
    }
    if (value < 0 || value > largest || !is_allowed(context, symbol, (uint32_t) value))
        return number_error(context, symbol, offset, value, largest);
    if (!docsis_reserve(context->out, 4))
        return docsis_error_memory(context->error);
    for (int i = octets - 1; i >= 0; i--)
        context->out->data[context->out->length++] = (uint8_t) (value >> (8 * i));
    return true;
}

static bool encode_numbers(docsis_context *context, const docsis_symbol *symbol,
                           const docsis_token *token)
{
    int octets = symbol->type == DOCSIS_T_U8_LIST ? 1 : 2;
    int64_t largest = octets == 1 ? 255 : 65535;
    const char *p = token->start;
    const char *end = p + token->length;
    uint32_t count = 0;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t) (end - p));
        const char *stop = comma != NULL ? comma : end;
        bool overflow;
        int64_t value = docsis_number(p, (size_t) (stop - p), &overflow);

        if (overflow || value > largest)
            return range_error(context, symbol, (size_t) (p - context->text), "number",
                               overflow ? INT64_MAX : value, 0, largest);
        if (octets == 2 && !docsis_put(context->out, (uint8_t) (value >> 8)))
            return docsis_error_memory(context->error);
        if (!docsis_put(context->out, (uint8_t) value))
            return docsis_error_memory(context->error);
        count++;
        p = stop + 1;
    }
    if (symbol->type == DOCSIS_T_U16_PAIR && count != 2)
        return range_error(context, symbol, token->offset, "number of items", count, 2, 2);
    if (!is_allowed(context, symbol, count))
        return range_error(context, symbol, token->offset, "number of items", count,
                           symbol->minimum, symbol->maximum);
    return true;
}

/* ---- strings --------------------------------------------------------------- */

bool docsis_finish_string(docsis_context *context, const docsis_symbol *symbol, size_t start,
                          size_t offset)
{
    size_t length = context->out->length - start;

    if (!is_allowed(context, symbol, (uint32_t) length))
        return range_error(context, symbol, offset, "length", (long long) length, symbol->minimum,
                           symbol->maximum);
    if (symbol->type == DOCSIS_T_STRZ && !docsis_put(context->out, 0))
        return docsis_error_memory(context->error);
    return true;
}

static bool encode_string(docsis_context *context, const docsis_symbol *symbol,
                          const docsis_token *token)
{
    size_t start = context->out->length;
    bool ok;

    if (token->kind == DOCSIS_TOK_INT)
        return docsis_error_type(context, symbol, token);
    if (token->kind == DOCSIS_TOK_STRING) {
        ok = docsis_put_string(context->out, token);
    } else {
        /* The docsis tool takes such words literally. */
        docsis_warn(context, DOCSIS_TYPE_MISMATCH, token->offset, symbol->name,
                    "value without quotes is taken literally", "A string is expected.");
        ok = docsis_put_bytes(context->out, token->start, token->length);
    }
    if (!ok)
        return docsis_error_memory(context->error);
    return docsis_finish_string(context, symbol, start, token->offset);
}

static bool encode_hex(docsis_context *context, const docsis_symbol *symbol,
                       const docsis_token *token)
{
    const char *digits = token->start + 2;
    size_t octets = (token->length - 2) / 2;

    if (token->kind != DOCSIS_TOK_HEX)
        return docsis_error_type(context, symbol, token);
    if (token->length % 2 != 0) {
        docsis_error_set(context->error, DOCSIS_SYNTAX, token->offset,
                         "hex string of \"%s\" has an odd number of digits", symbol->name);
        docsis_error_symbol(context->error, symbol->name);
        docsis_error_hint(context->error, "Each byte takes two digits.");
        return false;
    }
    if (!is_allowed(context, symbol, (uint32_t) octets))
        return range_error(context, symbol, token->offset, "length", (long long) octets,
                           symbol->minimum, symbol->maximum);
    if (symbol->type == DOCSIS_T_MD5 && octets != 16)
        return range_error(context, symbol, token->offset, "length", (long long) octets, 16, 16);
    if (!docsis_reserve(context->out, octets))
        return docsis_error_memory(context->error);
    for (size_t i = 0; i < octets; i++, digits += 2)
        context->out->data[context->out->length++] =
            (uint8_t) (docsis_hex_digit(digits[0]) << 4 | docsis_hex_digit(digits[1]));
    return true;
}

/* ---- addresses ------------------------------------------------------------- */

/* Parts with a leading zero are octal, as inet_aton() and so the docsis tool have it. */
bool docsis_ip4_parse(const char *text, size_t length, uint8_t address[4])
{
    const char *end = text + length;

    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        unsigned base = 10;
        int digits = 0;

        if (i > 0 && (text == end || *text++ != '.'))
            return false;
        if (end - text >= 2 && *text == '0' && text[1] != '.')
            base = 8;
        while (text < end && *text >= '0' && *text < (char) ('0' + base) && digits < 10) {
            value = value * base + (unsigned) (*text++ - '0');
            digits++;
            if (value > 255)
                return false;
        }
        if (digits == 0)
            return false;
        address[i] = (uint8_t) value;
    }
    return text == end;
}

bool docsis_ip6_parse(const char *text, size_t length, uint8_t address[16])
{
    const char *end = text + length;
    int words = 0;
    int gap = -1;
    uint16_t word[8];

    if (length < 2 || (text[0] == ':' && text[1] != ':'))
        return false;
    while (text < end) {
        unsigned value = 0;
        int digits = 0;

        if (*text == ':' && text + 1 < end && text[1] == ':') {
            if (gap >= 0)
                return false;
            gap = words;
            text += 2;
            continue;
        }
        if (words > 0 && gap != words && (*text++ != ':' || text == end))
            return false;
        while (text + digits < end && docsis_hex_digit(text[digits]) >= 0) {
            value = value << 4 | (unsigned) docsis_hex_digit(text[digits]);
            if (++digits > 4)
                return false;
        }
        if (text + digits < end && text[digits] == '.') {
            uint8_t tail[4];

            if (words > 6 || !docsis_ip4_parse(text, (size_t) (end - text), tail))
                return false;
            word[words++] = (uint16_t) (tail[0] << 8 | tail[1]);
            word[words++] = (uint16_t) (tail[2] << 8 | tail[3]);
            break;
        }
        text += digits;
        if (digits == 0 || words == 8)
            return false;
        word[words++] = (uint16_t) value;
    }
    if (gap < 0 ? words != 8 : words > 7)
        return false;
    memset(address, 0, 16);
    for (int i = 0; i < words; i++) {
        int at = gap >= 0 && i >= gap ? 8 - words + i : i;

        address[2 * at] = (uint8_t) (word[i] >> 8);
        address[2 * at + 1] = (uint8_t) word[i];
    }
    return true;
}

static bool address_error(docsis_context *context, const docsis_symbol *symbol, const char *text,
                          size_t length)
{
    docsis_error *error = context->error;

    docsis_error_set(error, DOCSIS_OUT_OF_RANGE, (size_t) (text - context->text),
                     "invalid address \"%.*s\" for \"%s\"", (int) (length < 64 ? length : 64),
                     text, symbol->name);
    docsis_error_symbol(error, symbol->name);
    docsis_error_detail(error, "Each part of an IPv4 address is at most 255; a prefix length is "
                        "at most 128, a port at most 65535.");
    return false;
}

static size_t part_length(const char *p, const char *end, char separator)
{
    const char *found = memchr(p, separator, (size_t) (end - p));

    return found != NULL ? (size_t) (found - p) : (size_t) (end - p);
}

/* One address; the kind byte of the inetaddr type in front of it. */
static bool put_address(docsis_context *context, const docsis_symbol *symbol, const char *text,
                        size_t length, bool with_kind)
{
    bool v6 = memchr(text, ':', length) != NULL;
    uint8_t address[16];

    if (v6 ? !docsis_ip6_parse(text, length, address) : !docsis_ip4_parse(text, length, address))
        return address_error(context, symbol, text, length);
    if ((with_kind && !docsis_put(context->out, v6 ? 2 : 1)) ||
        !docsis_put_bytes(context->out, address, v6 ? 16 : 4))
        return docsis_error_memory(context->error);
    return true;
}

static bool encode_address_list(docsis_context *context, const docsis_symbol *symbol,
                                const docsis_token *token)
{
    const char *p = token->start;
    const char *end = p + token->length;
    bool prefixes = symbol->type == DOCSIS_T_IPV6_PREFIX_LIST;

    while (p < end) {
        size_t item = part_length(p, end, ',');
        size_t address = part_length(p, p + item, '/');

        if (!put_address(context, symbol, p, address, false))
            return false;
        if (prefixes) {
            bool overflow;
            int64_t bits = docsis_number(p + address + 1, item - address - 1, &overflow);

            if (overflow || bits > 128)
                return address_error(context, symbol, p, item);
            if (!docsis_put(context->out, (uint8_t) bits))
                return docsis_error_memory(context->error);
        }
        p += item + 1;
    }
    return true;
}

static bool encode_ip_port(docsis_context *context, const docsis_symbol *symbol,
                           const docsis_token *token)
{
    size_t address = part_length(token->start, token->start + token->length, '/');
    bool overflow = false;
    int64_t port = 0;

    if (address < token->length)
        port = docsis_number(token->start + address + 1, token->length - address - 1, &overflow);
    else
        docsis_warn(context, DOCSIS_TYPE_MISMATCH, token->offset, symbol->name,
                    "address without a port is written with port 0",
                    "An address with a port is written as 192.0.2.1/162.");
    if (overflow || port > 65535)
        return address_error(context, symbol, token->start, token->length);
    if (!put_address(context, symbol, token->start, address, false))
        return false;
    if (!docsis_put(context->out, (uint8_t) (port >> 8)) ||
        !docsis_put(context->out, (uint8_t) port))
        return docsis_error_memory(context->error);
    return true;
}

static bool encode_mac(docsis_context *context, const docsis_token *token)
{
    const char *end = token->start + token->length;

    if (!docsis_reserve(context->out, 12))
        return docsis_error_memory(context->error);
    for (const char *p = token->start; p < end; p++) {
        int byte = docsis_hex_digit(*p++);

        if (p < end && docsis_hex_digit(*p) >= 0)
            byte = byte << 4 | docsis_hex_digit(*p++);
        context->out->data[context->out->length++] = (uint8_t) byte;
    }
    return true;
}

static bool encode_oid(docsis_context *context, const docsis_token *token)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;

    if (!docsis_resolve_oid(context, token->start, token->length, arcs, &count, NULL))
        return false;
    if (!docsis_put_oid_tlv(context->out, arcs, count))
        return docsis_error_memory(context->error);
    return true;
}

bool docsis_encode_token(docsis_context *context, const docsis_symbol *symbol,
                         const docsis_token *token)
{
    docsis_token_kind kind = token->kind;
    docsis_token inner;
    bool overflow;
    int64_t value;

    if (kind == DOCSIS_TOK_STRING && symbol->type != DOCSIS_T_STR &&
        symbol->type != DOCSIS_T_STRZ) {
        inner = docsis_unquote(context->text, token);
        token = &inner;
        kind = inner.kind;
    }
    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_U8:
        case DOCSIS_T_U16:
        case DOCSIS_T_U24:
        case DOCSIS_T_U32:
            if (kind != DOCSIS_TOK_INT)
                break;
            value = docsis_number(token->start, token->length, &overflow);
            return docsis_encode_number(context, symbol, value, overflow, token->offset);
        case DOCSIS_T_STR:
        case DOCSIS_T_STRZ:
            return encode_string(context, symbol, token);
        case DOCSIS_T_HEX:
        case DOCSIS_T_MD5:
            return encode_hex(context, symbol, token);
        case DOCSIS_T_MAC:
            if (kind != DOCSIS_TOK_MAC)
                break;
            return encode_mac(context, token);
        case DOCSIS_T_MAC_MASK:
            if (kind != DOCSIS_TOK_MAC_MASK)
                break;
            return encode_mac(context, token);
        case DOCSIS_T_IPV4:
            if (kind != DOCSIS_TOK_IP)
                break;
            return put_address(context, symbol, token->start, token->length, false);
        case DOCSIS_T_IPV6:
            if (kind != DOCSIS_TOK_IP6)
                break;
            return put_address(context, symbol, token->start, token->length, false);
        case DOCSIS_T_IP:
        case DOCSIS_T_INETADDR:
            if (kind != DOCSIS_TOK_IP && kind != DOCSIS_TOK_IP6)
                break;
            return put_address(context, symbol, token->start, token->length,
                               symbol->type == DOCSIS_T_INETADDR);
        case DOCSIS_T_IPV4_LIST:
            if (kind != DOCSIS_TOK_IP && kind != DOCSIS_TOK_IPS)
                break;
            return encode_address_list(context, symbol, token);
        case DOCSIS_T_IPV6_LIST:
            if (kind != DOCSIS_TOK_IP6 && kind != DOCSIS_TOK_IP6S)
                break;
            return encode_address_list(context, symbol, token);
        case DOCSIS_T_IPV6_PREFIX_LIST:
            if (kind != DOCSIS_TOK_IP6_SLASH && kind != DOCSIS_TOK_IP6_SLASHES)
                break;
            return encode_address_list(context, symbol, token);
        case DOCSIS_T_IP_PORT:
            if (kind != DOCSIS_TOK_IP_PORT && kind != DOCSIS_TOK_IP6_SLASH &&
                kind != DOCSIS_TOK_IP && kind != DOCSIS_TOK_IP6)
                break;
            return encode_ip_port(context, symbol, token);
        case DOCSIS_T_U8_LIST:
        case DOCSIS_T_U16_LIST:
        case DOCSIS_T_U16_PAIR:
            if (kind != DOCSIS_TOK_NUMBERS &&
                (kind != DOCSIS_TOK_INT || *token->start == '-' ||
                 symbol->type == DOCSIS_T_U16_PAIR))
                break;
            return encode_numbers(context, symbol, token);
        case DOCSIS_T_OID:
            if (!docsis_is_oid(kind))
                break;
            return encode_oid(context, token);
        case DOCSIS_T_EMPTY:
            return true;    /* whatever the value: the docsis tool's rule */
        default:
            break;
    }
    return docsis_error_type(context, symbol, token);
}

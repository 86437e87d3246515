/*
 * snmp.c - SNMP statements of the text language -> TLV 11 (or 64) and 10.
 */
#include "internal.h"

#include <stdio.h>

typedef struct snmp_type {
    const char *word;
    uint8_t tag;
    docsis_token_kind kind;
} snmp_type;

static const snmp_type snmp_types[] = {
    {"Integer", DOCSIS_TAG_INTEGER, DOCSIS_TOK_INT},
    {"String", DOCSIS_TAG_STRING, DOCSIS_TOK_STRING},
    {"IPAddress", DOCSIS_TAG_IPADDRESS, DOCSIS_TOK_IP},
    {"HexString", DOCSIS_TAG_STRING, DOCSIS_TOK_HEX},
    {"Gauge32", DOCSIS_TAG_GAUGE, DOCSIS_TOK_INT},
    {"Gauge", DOCSIS_TAG_GAUGE, DOCSIS_TOK_INT},
    {"Unsigned32", DOCSIS_TAG_GAUGE, DOCSIS_TOK_INT},
    {"Counter32", DOCSIS_TAG_COUNTER, DOCSIS_TOK_INT},
    {"TimeTicks", DOCSIS_TAG_TICKS, DOCSIS_TOK_INT},
    {"ObjectID", DOCSIS_TAG_OID, DOCSIS_TOK_OID}
};

static const snmp_type *find_type(docsis_context *context, const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(snmp_types) / sizeof(snmp_types[0]); i++) {
        if (docsis_name_is(snmp_types[i].word, word, length))
            return &snmp_types[i];
    }
    docsis_error_set(context->error, DOCSIS_SYNTAX, (size_t) (word - context->text),
                     "unknown SNMP type \"%.*s\"", (int) (length < 40 ? length : 40), word);
    docsis_error_detail(context->error, "The types are Integer, Unsigned32, Gauge32, Counter32, "
                        "TimeTicks, IPAddress, String, HexString and ObjectID.");
    return NULL;
}

/* ---- labels of enumerations ---------------------------------------------- */

/* "readWrite(3), none(1)" for a hint; as many as fit. */
static void list_labels(const docsis_mib_syntax *syntax, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < syntax->enum_count; i++) {
        int n = snprintf(text + used, size - used, "%s%s(%d)", i > 0 ? ", " : "",
                         syntax->enums[i].label, (int) syntax->enums[i].value);

        if (n < 0 || used + (size_t) n + 5 > size) {
            snprintf(text + used, size - used, ", ...");
            return;
        }
        used += (size_t) n;
    }
}

static bool label_error(docsis_context *context, const docsis_mib_syntax *syntax,
                        const docsis_token *token, docsis_code code, const char *message)
{
    docsis_error *error = context->error;
    char labels[330];

    docsis_error_set(error, code, token->offset, "%s", message);
    if (syntax->enum_count == 0) {
        docsis_error_symbol(error, "Integer");
        docsis_error_detail(error, "\"%.60s\" has no labels, as far as is known here.",
                            syntax->name != NULL ? syntax->name : "The object");
        docsis_error_hint(error, "Write the number.");
        return false;
    }
    docsis_error_symbol(error, syntax->name);
    list_labels(syntax, labels, sizeof(labels));
    docsis_error_detail(error, "It is not a value of \"%.60s\".", syntax->name);
    docsis_error_hint(error, "Its values are %s.", labels);
    return false;
}

/* `label` or `label(number)` -> number, which must be the label's. */
static bool enum_value(docsis_context *context, const docsis_mib_syntax *syntax,
                       const docsis_token *token, int64_t *value)
{
    const char *bracket = memchr(token->start, '(', token->length);
    size_t length = bracket != NULL ? (size_t) (bracket - token->start) : token->length;
    char message[160];
    bool overflow;

    for (int i = 0; i < syntax->enum_count; i++) {
        const char *label = syntax->enums[i].label;

        if (strlen(label) != length || memcmp(label, token->start, length) != 0)
            continue;
        *value = syntax->enums[i].value;
        if (bracket == NULL ||
            (docsis_number(bracket + 1, token->length - length - 2, &overflow) == *value &&
             !overflow))
            return true;
        snprintf(message, sizeof(message), "label and number of \"%.*s\" do not agree",
                 (int) (token->length < 80 ? token->length : 80), token->start);
        return label_error(context, syntax, token, DOCSIS_OUT_OF_RANGE, message);
    }
    snprintf(message, sizeof(message), "unknown label \"%.*s\"",
             (int) (length < 80 ? length : 80), token->start);
    return label_error(context, syntax, token,
                       syntax->enum_count > 0 ? DOCSIS_UNKNOWN_NAME : DOCSIS_TYPE_MISMATCH,
                       message);
}

/* ---- values --------------------------------------------------------------- */

static bool put_number(docsis_context *context, const snmp_type *type, const docsis_token *token,
                       const docsis_mib_syntax *syntax)
{
    bool is_signed = type->tag == DOCSIS_TAG_INTEGER;
    bool overflow = false;
    int64_t value = 0;
    uint8_t octets[5];
    int length;

    if (token->kind == DOCSIS_TOK_INT)
        value = docsis_number(token->start, token->length, &overflow);
    else if (!enum_value(context, syntax, token, &value))
        return false;
    if (overflow || value > UINT32_MAX || value < INT32_MIN) {
        docsis_error_set(context->error, DOCSIS_OUT_OF_RANGE, token->offset,
                         "value %.*s of type \"%s\" is out of range",
                         (int) (token->length < 40 ? token->length : 40), token->start,
                         type->word);
        docsis_error_symbol(context->error, type->word);
        docsis_error_detail(context->error, "\"%s\" allows %s.", type->word,
                            is_signed ? "-2147483648 to 2147483647" : "0 to 4294967295");
        return false;
    }
    /* All 32 bits are kept, as in the docsis tool; the sign is not. */
    if (is_signed ? value > INT32_MAX : value < 0)
        docsis_warn(context, DOCSIS_OUT_OF_RANGE, token->offset, type->word,
                    "number outside the range of its type is written as its 32-bit complement",
                    is_signed ? "\"Integer\" is at most 2147483647." : "The type is unsigned.");
    length = is_signed ? docsis_ber_signed((int32_t) (uint32_t) value, octets)
                       : docsis_ber_unsigned((uint32_t) value, octets);
    return docsis_put_bytes(context->out, octets, (size_t) length) ||
           docsis_error_memory(context->error);
}

static bool put_ip(docsis_context *context, const snmp_type *type, const docsis_token *token)
{
    uint8_t address[4];

    if (!docsis_ip4_parse(token->start, token->length, address)) {
        docsis_error_set(context->error, DOCSIS_OUT_OF_RANGE, token->offset,
                         "invalid IPv4 address \"%.*s\"",
                         (int) (token->length < 40 ? token->length : 40), token->start);
        docsis_error_symbol(context->error, type->word);
        docsis_error_detail(context->error, "Each part is at most 255.");
        return false;
    }
    return docsis_put_bytes(context->out, address, 4) || docsis_error_memory(context->error);
}

static bool put_oid(docsis_context *context, const docsis_token *token)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    uint8_t ber[5 * DOCSIS_MAX_ARCS];
    int count;

    if (!docsis_resolve_value_oid(context, token->start, token->length, arcs, &count))
        return false;
    return docsis_put_bytes(context->out, ber, docsis_oid_to_ber(arcs, count, ber)) ||
           docsis_error_memory(context->error);
}

/* Appends the value's octets, without tag and length. */
static bool put_octets(docsis_context *context, const snmp_type *type, const docsis_token *token,
                       const docsis_mib_syntax *syntax)
{
    static const docsis_symbol hex = {.name = "HexString", .type = DOCSIS_T_HEX};
    size_t start = context->out->length;

    switch (type->tag) {
        case DOCSIS_TAG_IPADDRESS:
            return put_ip(context, type, token);
        case DOCSIS_TAG_OID:
            return put_oid(context, token);
        case DOCSIS_TAG_STRING:
            break;
        default:
            return put_number(context, type, token, syntax);
    }
    if (type->kind == DOCSIS_TOK_HEX) {
        if (!docsis_encode_token(context, &hex, token))
            return false;
    } else if (!docsis_put_string(context->out, token)) {
        return docsis_error_memory(context->error);
    }
    return docsis_check_size(context, syntax, context->out->length - start, token->offset);
}

static bool too_long(docsis_context *context, const docsis_varbind_place *place, size_t length)
{
    docsis_error *error = context->error;

    docsis_error_set(error, DOCSIS_TOO_LONG, place->offset, "varbind of \"%s\" is too long",
                     place->name);
    docsis_error_symbol(error, place->name);
    docsis_error_detail(error, "It has %zu bytes; at most %d are possible.", length,
                        place->may_be_long ? 65535 : 255);
    if (!place->may_be_long)
        docsis_error_hint(error, "In a cable modem's file TLV 64 means something else. Where "
                          "modems are known to read long varbinds, an option allows them.");
    return false;
}

/* May a token be the value of a type? */
static bool fits_type(const snmp_type *type, docsis_token_kind kind)
{
    if (kind == type->kind)
        return true;
    if (type->tag == DOCSIS_TAG_INTEGER)
        return kind == DOCSIS_TOK_WORD || kind == DOCSIS_TOK_LABEL;
    return type->tag == DOCSIS_TAG_OID && (docsis_is_oid(kind) || kind == DOCSIS_TOK_WORD);
}

bool docsis_encode_varbind(docsis_context *context, const docsis_varbind_place *place,
                           const char *oid, size_t oid_length, const char *word,
                           size_t word_length, const docsis_token *value)
{
    docsis_buffer *out = context->out;
    size_t start = out->length;
    const snmp_type *type = find_type(context, word, word_length);
    docsis_mib_syntax syntax;
    docsis_token inner;
    uint8_t prefix[4 + DOCSIS_VARBIND_PREFIX];
    size_t header, length, total;
    docsis_varbind vb;

    if (type == NULL)
        return false;
    if (value->kind == DOCSIS_TOK_STRING && type->kind != DOCSIS_TOK_STRING) {
        inner = docsis_unquote(context->text, value);
        value = &inner;
    }
    if (!fits_type(type, value->kind)) {
        docsis_error_set(context->error, DOCSIS_TYPE_MISMATCH, value->offset,
                         "value of type \"%s\" expected", type->word);
        docsis_error_symbol(context->error, type->word);
        docsis_error_detail(context->error, "\"%s\" takes %s, not %s.", type->word,
                            docsis_token_name(type->kind), docsis_token_name(value->kind));
        return false;
    }
    if (!docsis_resolve_oid(context, oid, oid_length, vb.arcs, &vb.arc_count, &syntax) ||
        !put_octets(context, type, value, &syntax))
        return false;
    vb.tag = type->tag;
    vb.value_length = out->length - start;
    if (vb.value_length > 65535)
        return too_long(context, place, vb.value_length);
    /* The value is in place; what stands before it depends on its length. */
    length = docsis_varbind_prefix(&vb, prefix + 4);
    total = length + vb.value_length;
    if (total > (place->may_be_long ? 65535 : 255))
        return too_long(context, place, total);
    header = total > 255 ? 3 : 2;
    prefix[4 - header] = total > 255 ? DOCSIS_CODE_LONG : place->code;
    if (header == 3)
        prefix[2] = (uint8_t) (total >> 8);
    prefix[3] = (uint8_t) total;
    if (!docsis_reserve(out, header + length))
        return docsis_error_memory(context->error);
    memmove(out->data + start + header + length, out->data + start, vb.value_length);
    memcpy(out->data + start, prefix + 4 - header, header + length);
    out->length += header + length;
    return true;
}

bool docsis_encode_snmp_write(docsis_context *context, const docsis_symbol *symbol,
                              const char *oid, size_t oid_length, int64_t value, bool overflow,
                              size_t offset)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;

    if (overflow || value < 0 || value > 255) {
        docsis_error_set(context->error, DOCSIS_OUT_OF_RANGE, offset,
                         "value of \"%s\" is out of range", symbol->name);
        docsis_error_symbol(context->error, symbol->name);
        docsis_error_detail(context->error, "\"%s\" allows 0 to 255.", symbol->name);
        return false;
    }
    if (!docsis_resolve_oid(context, oid, oid_length, arcs, &count, NULL))
        return false;
    if (!docsis_put_oid_tlv(context->out, arcs, count) ||
        !docsis_put(context->out, (uint8_t) value))
        return docsis_error_memory(context->error);
    return true;
}

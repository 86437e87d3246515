/*
 * lint_value.c - one TLV: is it known here, and is its value of the length, range and characters
 * that its type calls for? MULPIv3.1 Annex C; the TLV dictionary has the limits.
 */
#include "lint.h"

/* Limits of the dictionary that texts keep to, and files of newer modems need not. */
static const struct {
    const char *path;
    uint32_t maximum;
} raised[] = {
    {"56.2", 1794000000},          /* downstream spectrum of DOCSIS 3.1 */
    {"22.11.2", 65535}             /* a VLAN ID fills the upper twelve bits */
};

static uint32_t maximum_of(const docsis_symbol *symbol)
{
    for (size_t i = 0; i < sizeof(raised) / sizeof(raised[0]); i++) {
        if (strcmp(raised[i].path, symbol->path) == 0)
            return raised[i].maximum;
    }
    return symbol->maximum;
}

/* Lengths of a type: from least to most in steps; most 0 = no fixed one. */
typedef struct lengths {
    uint8_t least, most, step;
    const char *text;
} lengths;

static const lengths type_lengths[] = {
    [DOCSIS_T_U8] = {1, 1, 1, "1 byte"},
    [DOCSIS_T_U16] = {2, 2, 1, "2 bytes"},
    [DOCSIS_T_U24] = {3, 3, 1, "3 bytes"},
    [DOCSIS_T_U32] = {4, 4, 1, "4 bytes"},
    [DOCSIS_T_MAC] = {6, 6, 1, "6 bytes"},
    [DOCSIS_T_MAC_MASK] = {12, 12, 1, "12 bytes"},
    [DOCSIS_T_IPV4] = {4, 4, 1, "4 bytes"},
    [DOCSIS_T_IPV6] = {16, 16, 1, "16 bytes"},
    [DOCSIS_T_IPV4_LIST] = {4, 252, 4, "4 bytes for each address"},
    [DOCSIS_T_IPV6_LIST] = {16, 240, 16, "16 bytes for each address"},
    [DOCSIS_T_IPV6_PREFIX_LIST] = {17, 255, 17, "17 bytes for each prefix"},
    [DOCSIS_T_IP] = {4, 16, 12, "4 or 16 bytes"},
    [DOCSIS_T_INETADDR] = {5, 17, 12, "5 or 17 bytes"},
    [DOCSIS_T_IP_PORT] = {6, 18, 12, "6 or 18 bytes"},
    [DOCSIS_T_U16_LIST] = {2, 254, 2, "2 bytes for each number"},
    [DOCSIS_T_U16_PAIR] = {4, 4, 1, "4 bytes"},
    [DOCSIS_T_MD5] = {16, 16, 1, "16 bytes"},
    [DOCSIS_T_EMPTY] = {0, 0, 1, "no value"}
};

static bool check_length(docsis_linter *l, const docsis_symbol *symbol)
{
    const lengths *t;
    size_t n = l->tlv->length;

    if (symbol->type >= sizeof(type_lengths) / sizeof(type_lengths[0]) ||
        type_lengths[symbol->type].text == NULL)
        return true;
    t = &type_lengths[symbol->type];
    if (n >= t->least && n <= t->most && (n - t->least) % t->step == 0)
        return true;
    docsis_lint_report(l, LINT_VALUE_LENGTH, symbol, "%s has %zu byte%s; it takes %s", symbol->name,
                       n, n == 1 ? "" : "s", t->text);
    return false;
}

/* What the limits are about: the number, the bytes or the numbers of a list. */
static bool measure(const docsis_tlv *tlv, const docsis_symbol *symbol, uint32_t *value,
                    const char **unit)
{
    *unit = "";
    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_U8:
        case DOCSIS_T_U16:
        case DOCSIS_T_U24:
        case DOCSIS_T_U32:
            *value = docsis_lint_number(tlv->value, tlv->length);
            return true;
        case DOCSIS_T_STR:
        case DOCSIS_T_HEX:
            *value = (uint32_t) tlv->length;
            *unit = *value == 1 ? " byte" : " bytes";
            return true;
        case DOCSIS_T_STRZ:
            *value = (uint32_t) (tlv->value[tlv->length - 1] == 0 ? tlv->length - 1 : tlv->length);
            *unit = *value == 1 ? " byte" : " bytes";
            return true;
        case DOCSIS_T_U8_LIST:
        case DOCSIS_T_U16_LIST:
            *value = (uint32_t) (symbol->type == DOCSIS_T_U8_LIST ? tlv->length : tlv->length / 2);
            *unit = *value == 1 ? " number" : " numbers";
            return true;
        default:
            return false;
    }
}

static void check_range(docsis_linter *l, const docsis_symbol *symbol)
{
    uint32_t value;
    const char *unit;

    if (!symbol->limited || !measure(l->tlv, symbol, &value, &unit) ||
        (value >= symbol->minimum && value <= symbol->maximum))
        return;
    /* Where a name has limits of two kinds, the text language allows both everywhere. */
    if ((value > symbol->maximum && value <= maximum_of(symbol)) ||
        (symbol->checked && docsis_within_limits(symbol, DOCSIS_LIMITS_CURRENT, value)))
        return;
    docsis_lint_report(l, LINT_VALUE_RANGE, symbol, "%s %s %u%s; it allows %u to %u", symbol->name,
                       unit[0] == '\0' ? "is" : "has", value, unit, symbol->minimum,
                       maximum_of(symbol));
}

static void check_string(docsis_linter *l, const docsis_symbol *symbol)
{
    const docsis_tlv *tlv = l->tlv;
    size_t n = tlv->length;

    if (symbol->type == DOCSIS_T_STRZ && n > 0) {
        if (tlv->value[n - 1] == 0)
            n--;
        else
            docsis_lint_report(l, LINT_STRING_TERMINATOR, symbol,
                               "%s does not end with a zero byte", symbol->name);
    }
    if (!docsis_is_plain_text(tlv->value, n))
        docsis_lint_report(l, LINT_STRING_CHARACTERS, symbol,
                           "%s has control characters or is not UTF-8", symbol->name);
}

static void check_encoding(docsis_linter *l, const docsis_symbol *symbol)
{
    const docsis_tlv *tlv = l->tlv;
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;

    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_STR:
        case DOCSIS_T_STRZ:
            check_string(l, symbol);
            break;
        case DOCSIS_T_INETADDR:
            if (tlv->value[0] != (tlv->length == 5 ? 1 : 2))
                docsis_lint_report(l, LINT_VALUE_RANGE, symbol,
                                   "%s has address type %d with an address of %zu bytes",
                                   symbol->name, tlv->value[0], tlv->length - 1);
            break;
        case DOCSIS_T_OID:
        case DOCSIS_T_SNMP_WRITE:
            if (!docsis_oid_from_tlv(tlv->value, tlv->length,
                                     symbol->type == DOCSIS_T_SNMP_WRITE ? 1 : 0, arcs, &count))
                docsis_lint_report(l, LINT_SNMP_MALFORMED, symbol,
                                   "%s has no object identifier of BER", symbol->name);
            else if (symbol->type == DOCSIS_T_SNMP_WRITE && tlv->value[tlv->length - 1] > 1)
                docsis_lint_report(l, LINT_VALUE_RANGE, symbol,
                                   "%s has %d behind its object; it allows 0 to 1", symbol->name,
                                   tlv->value[tlv->length - 1]);
            break;
        default:
            break;
    }
}

/* A code that the group does not know. Does the top level know it with such a value? */
static void unknown(docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;
    docsis_tlv moved = *tlv;
    const docsis_symbol *group = l->frame[tlv->depth].symbol;

    if (tlv->depth == 0) {
        docsis_lint_report(l, LINT_UNKNOWN_TLV, NULL, "TLV %d is unknown", tlv->code);
        return;
    }
    moved.symbol = docsis_child(NULL, tlv->code);
    if (moved.symbol != NULL && tlv->length > 0 && docsis_value_is_typed(&moved))
        docsis_lint_report(l, LINT_MISPLACED_TLV, NULL,
                           "TLV %d is unknown in %s; at the top level it is %s", tlv->code,
                           docsis_symbol_name(group), moved.symbol->name);
    else
        docsis_lint_report(l, LINT_UNKNOWN_TLV, NULL, "TLV %d is unknown in %s", tlv->code,
                           docsis_symbol_name(group));
}

void docsis_lint_value(docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;
    const docsis_symbol *symbol = tlv->symbol;

    if (tlv->header_length == 1)
        return;
    if (tlv->header_length == 2 && tlv->length == 255)
        docsis_lint_report(l, LINT_VALUE_255, NULL, "TLV %d has 255 bytes; at most 254 are allowed",
                           tlv->code);
    if (tlv->is_group || tlv->generic)
        return;
    if (symbol == NULL) {
        unknown(l);
        return;
    }
    if (tlv->length == 0 && symbol->type != DOCSIS_T_EMPTY) {
        docsis_lint_report(l, LINT_VALUE_EMPTY, symbol, "%s has no value", symbol->name);
        return;
    }
    if (symbol->type == DOCSIS_T_GROUP) {
        if (tlv->depth + 1 < DOCSIS_MAX_DEPTH)
            docsis_lint_report(l, LINT_GROUP_MALFORMED, symbol,
                               "the contents of %s are no run of whole TLVs", symbol->name);
        return;
    }
    if (!check_length(l, symbol))
        return;
    check_range(l, symbol);
    check_encoding(l, symbol);
}

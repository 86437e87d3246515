/*
 * ldap_packet.c: see ldap_packet.h.
 */
#ifdef HAVE_LBER
#include "workers/serve/ldap_packet.h"

#include <lber.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OP_BIND 0x60
#define OP_UNBIND 0x42
#define OP_SEARCH 0x63
#define OP_ABANDON 0x50
#define OP_ENTRY 0x64
#define OP_EXTENDED 0x77
#define FILTER_AND 0xa0
#define FILTER_OR 0xa1
#define FILTER_EQUALITY 0xa3
#define DEPTH_MAX 8
#define TERMS_MAX 64

/* What a filter says, whichever way its terms are combined: dhcpd asks in a few fixed forms. */
typedef struct terms {
    int n;
    bool server, service, subclass;
    ldap_message *to;
} terms;

long
ldap_frame(const uint8_t *data, size_t len)
{
    size_t n;
    size_t bytes;

    if (len < 2)
        return 0;
    if (data[0] != 0x30)
        return -1;
    if (data[1] < 0x80)
        return len >= data[1] + 2u ? (long)data[1] + 2 : 0;
    bytes = data[1] & 0x7f;
    if (bytes == 0 || bytes > 4)
        return -1;
    if (len < 2 + bytes)
        return 0;
    n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | data[2 + i];
    if (n > LDAP_MESSAGE_MAX)
        return -1;
    n += 2 + bytes;
    return len >= n ? (long)n : 0;
}

static void
copy(char to[LDAP_TEXT_MAX], const struct berval *from)
{
    size_t n = from->bv_len < LDAP_TEXT_MAX - 1 ? from->bv_len : LDAP_TEXT_MAX - 1;

    for (size_t i = 0; i < n; i++)
        to[i] = from->bv_val[i] > 0x1f && from->bv_val[i] < 0x7f ? from->bv_val[i] : '?';
    to[n] = '\0';
}

static bool
is(const struct berval *value, const char *word)
{
    return value->bv_len == strlen(word) && strncasecmp(value->bv_val, word, value->bv_len) == 0;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "00:10:95:00:00:01", or "\"ABCDEF\"" as dhcpd writes bytes that are all printable. */
static bool
read_mac(const char *text, uint8_t mac[6])
{
    size_t n = strlen(text);

    if (n == 8 && text[0] == '"' && text[7] == '"') {
        memcpy(mac, text + 1, 6);
        return true;
    }
    if (n != 17)
        return false;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]);
        int low = hex_digit(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void
take_hardware(ldap_message *to, const struct berval *value)
{
    static const char prefix[] = "ethernet ";
    char text[LDAP_TEXT_MAX];

    to->kind = LDAP_FIND_HOST;
    copy(text, value);
    if (strncasecmp(text, prefix, sizeof(prefix) - 1) == 0)
        to->has_mac = read_mac(text + sizeof(prefix) - 1, to->mac);
}

static void
take_term(terms *t, const struct berval *attribute, const struct berval *value)
{
    if (is(attribute, "objectClass")) {
        t->server = t->server || is(value, "dhcpServer");
        t->service = t->service || is(value, "dhcpService");
        t->subclass = t->subclass || is(value, "dhcpSubClass");
    } else if (is(attribute, "cn")) {
        copy(t->to->cn, value);
    } else if (is(attribute, "dhcpClassData")) {
        copy(t->to->class_data, value);
    } else if (is(attribute, "dhcpPrimaryDN")) {
        copy(t->to->primary, value);
    } else if (is(attribute, "dhcpHWAddress")) {
        take_hardware(t->to, value);
    }
}

static bool
read_filter(BerElement *ber, terms *t, int depth)
{
    struct berval attribute;
    struct berval value;
    ber_len_t len;
    ber_tag_t tag = ber_peek_tag(ber, &len);
    char *last;

    if (depth > DEPTH_MAX || ++t->n > TERMS_MAX || tag == LBER_ERROR)
        return false;
    if (tag == FILTER_EQUALITY) {
        if (ber_scanf(ber, "{mm}", &attribute, &value) == LBER_ERROR)
            return false;
        take_term(t, &attribute, &value);
        return true;
    }
    if (tag != FILTER_AND && tag != FILTER_OR)
        return ber_scanf(ber, "x") != LBER_ERROR;
    for (tag = ber_first_element(ber, &len, &last); tag != LBER_DEFAULT && tag != LBER_ERROR;
         tag = ber_next_element(ber, &len, last))
        if (!read_filter(ber, t, depth + 1))
            return false;
    return true;
}

static bool
read_search(BerElement *ber, ldap_message *to)
{
    struct berval base;
    ber_int_t scope, deref, size, time, types_only;
    terms t = {.to = to};

    if (ber_scanf(ber, "{meeiib", &base, &scope, &deref, &size, &time, &types_only) == LBER_ERROR)
        return false;
    copy(to->base, &base);
    to->kind = LDAP_FIND_NOTHING;
    if (!read_filter(ber, &t, 0))
        return false;
    if (to->kind == LDAP_FIND_HOST)
        return true;
    if (t.subclass) {
        to->kind = LDAP_FIND_CLASS;
        to->has_mac = read_mac(to->cn, to->mac);
    } else if (t.server) {
        to->kind = LDAP_FIND_SERVER;
    } else if (t.service && scope == 0) {
        to->kind = LDAP_FIND_SERVICE;
    }
    return true;
}

bool
ldap_read(const uint8_t *data, size_t len, ldap_message *to)
{
    struct berval whole = {.bv_len = len, .bv_val = (char *)data};
    BerElement *ber;
    ber_int_t id = 0;
    ber_len_t inner;
    ber_tag_t tag;
    bool good = false;

    memset(to, 0, sizeof(*to));
    if (ldap_frame(data, len) != (long)len)
        return false;
    ber = ber_init(&whole);
    if (ber == NULL)
        return false;
    if (ber_scanf(ber, "{i", &id) != LBER_ERROR && id >= 0) {
        tag = ber_peek_tag(ber, &inner);
        to->id = id;
        to->operation = (uint8_t)tag;
        good = tag != LBER_ERROR && tag < 0x100;
        to->kind = tag == OP_BIND      ? LDAP_BIND
                   : tag == OP_UNBIND  ? LDAP_UNBIND
                   : tag == OP_ABANDON ? LDAP_ABANDON
                                       : LDAP_UNKNOWN;
        if (tag == OP_SEARCH)
            good = read_search(ber, to);
    }
    ber_free(ber, 1);
    return good;
}

/* ---------------------------------------------------------------- answers */

static void
append(ldap_answer *a, BerElement *ber, bool good)
{
    struct berval bytes = {0};

    if (ber == NULL || !good || a->failed || ber_flatten2(ber, &bytes, 0) != 0) {
        a->failed = true;
    } else {
        if (a->len + bytes.bv_len > a->size) {
            size_t size = (a->len + bytes.bv_len) * 2;
            char *data = realloc(a->data, size);

            if (data == NULL) {
                a->failed = true;
                ber_free(ber, 1);
                return;
            }
            a->data = data;
            a->size = size;
        }
        memcpy(a->data + a->len, bytes.bv_val, bytes.bv_len);
        a->len += bytes.bv_len;
    }
    if (ber != NULL)
        ber_free(ber, 1);
}

void
ldap_add_entry(ldap_answer *a, int32_t id, const char *dn, const ldap_value *values, size_t n)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    bool good = ber != NULL && ber_printf(ber, "{it{s{", id, (ber_tag_t)OP_ENTRY, dn) >= 0;

    for (size_t i = 0; i < n && good; i++) {
        bool first = i == 0 || strcmp(values[i - 1].attribute, values[i].attribute) != 0;
        bool last = i + 1 == n || strcmp(values[i + 1].attribute, values[i].attribute) != 0;

        good = (!first || ber_printf(ber, "{s[", values[i].attribute) >= 0) &&
               ber_printf(ber, "o", values[i].value, (ber_len_t)values[i].len) >= 0 &&
               (!last || ber_printf(ber, "]}") >= 0);
    }
    append(a, ber, good && ber_printf(ber, "}}}") >= 0);
}

void
ldap_add_result(ldap_answer *a, int32_t id, uint8_t operation, ldap_code code)
{
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    ber_tag_t tag = operation == OP_SEARCH ? 0x65 : operation == OP_EXTENDED ? 0x78 : operation + 1;

    append(a, ber,
           ber != NULL && ber_printf(ber, "{it{ess}}", id, tag, (ber_int_t)code, "", "") >= 0);
}

#endif

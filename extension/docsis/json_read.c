/*
 * json_read.c - JSON text (RFC 8259) -> config. The form is described in docsis.h.
 *
 * The text is read in place. An object's members may come in any order, so its
 * "v" is skipped first and read when the object's end has been seen; nesting is
 * bounded, so that costs a bounded factor.
 */
#include "internal.h"

#include <stdio.h>

#define MAX_JSON_DEPTH 64
#define MAX_GROUP_DEPTH 40

typedef struct json_reader {
    const char *text;
    const char *end;
    docsis_context context;
    docsis_buffer *out;
    docsis_error *error;
    size_t start;                    /* of this config in out */
    bool ended;                      /* EndOfDataMkr was written */
    uint8_t path[MAX_GROUP_DEPTH];
} json_reader;

/* Values of an object's members that matter; NULL = absent. */
typedef struct members {
    const char *t, *n, *v, *hex, *oid, *name, *type, *value;
} members;

/* ---- JSON syntax --------------------------------------------------------------- */

static bool bad_json(json_reader *r, const char *p, const char *wanted)
{
    docsis_error_set(r->error, DOCSIS_INVALID_JSON, (size_t) (p - r->text), "invalid JSON");
    docsis_error_detail(r->error, "Expected is %s.", wanted);
    return false;
}

/* JSON of another form than ours. */
static bool bad_form(json_reader *r, const char *p, const char *detail)
{
    docsis_error_set(r->error, DOCSIS_INVALID_JSON, (size_t) (p - r->text),
                     "JSON is not of the form of a DOCSIS configuration");
    docsis_error_detail(r->error, "%s", detail);
    return false;
}

static const char *blanks(const json_reader *r, const char *p)
{
    while (p < r->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

static bool is_json_escape(const json_reader *r, const char *p, int *length)
{
    if (r->end - p < 2 || p[1] == '\0')
        return false;
    if (p[1] != 'u') {
        *length = 2;
        return strchr("\"\\/bfnrt", p[1]) != NULL;
    }
    *length = 6;
    if (r->end - p < 6)
        return false;
    for (int i = 2; i < 6; i++) {
        if (docsis_hex_digit(p[i]) < 0)
            return false;
    }
    return true;
}

/* The unit of \uHHHH at p. */
static int unit_at(const char *p)
{
    return docsis_hex_digit(p[2]) << 12 | docsis_hex_digit(p[3]) << 8 |
           docsis_hex_digit(p[4]) << 4 | docsis_hex_digit(p[5]);
}

/* A string at p; *token covers its contents. Returns its end or NULL. */
static const char *json_string(json_reader *r, const char *p, docsis_token *token)
{
    if (p == r->end || *p != '"') {
        bad_json(r, p, "a string");
        return NULL;
    }
    *token = (docsis_token) {.kind = DOCSIS_TOK_STRING, .start = p + 1,
                             .offset = (size_t) (p - r->text), .escapes = DOCSIS_ESCAPES_JSON};
    for (p++; p < r->end && *p != '"'; p++) {
        int length = 0;
        int low_length = 0;

        if ((uint8_t) *p < 32) {
            bad_json(r, p, "an escape for this control character");
            return NULL;
        }
        if (*p != '\\')
            continue;
        token->has_backslash = true;
        if (!is_json_escape(r, p, &length)) {
            bad_json(r, p, "a valid escape");
            return NULL;
        }
        if (length == 6 && (unit_at(p) & 0xf800) == 0xd800) {
            /* A surrogate: the high half, then the low half. */
            if (unit_at(p) >= 0xdc00 || p + 6 >= r->end || p[6] != '\\' ||
                !is_json_escape(r, p + 6, &low_length) || low_length != 6 ||
                (unit_at(p + 6) & 0xfc00) != 0xdc00) {
                bad_json(r, p, "a pair of surrogates");
                return NULL;
            }
            length = 12;
        }
        p += length - 1;
    }
    if (p >= r->end) {
        bad_json(r, p < r->end ? p : r->end, "the end of the string");
        return NULL;
    }
    token->length = (size_t) (p - token->start);
    return p + 1;
}

static const char *json_number(json_reader *r, const char *p)
{
    const char *start = p;

    if (p < r->end && *p == '-')
        p++;
    if (p < r->end && *p == '0') {
        p++;
    } else {
        const char *digits = p;

        while (p < r->end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits) {
            bad_json(r, start, "a value");
            return NULL;
        }
    }
    if (p < r->end && (*p == '.' || *p == 'e' || *p == 'E')) {
        bad_form(r, start, "Numbers are whole and without exponent.");
        return NULL;
    }
    if (p < r->end && *p >= '0' && *p <= '9') {
        bad_json(r, start, "a number without leading zeros");
        return NULL;
    }
    return p;
}

/* A member's key and colon at p; returns where its value begins, or NULL. */
static const char *member_key(json_reader *r, const char *p, docsis_token *key)
{
    p = json_string(r, p, key);
    if (p == NULL)
        return NULL;
    p = blanks(r, p);
    if (p == r->end || *p != ':') {
        bad_json(r, p, "\":\"");
        return NULL;
    }
    return blanks(r, p + 1);
}

static const char *skip_value(json_reader *r, const char *p, int depth);

static const char *skip_members(json_reader *r, const char *p, int depth)
{
    bool object = *p == '{';
    char close = object ? '}' : ']';
    docsis_token key;

    p = blanks(r, p + 1);
    if (p < r->end && *p == close)
        return p + 1;
    for (;;) {
        if (object) {
            p = member_key(r, p, &key);
            if (p == NULL)
                return NULL;
        }
        p = skip_value(r, p, depth + 1);
        if (p == NULL)
            return NULL;
        p = blanks(r, p);
        if (p < r->end && *p == close)
            return p + 1;
        if (p == r->end || *p != ',') {
            bad_json(r, p, object ? "\",\" or \"}\"" : "\",\" or \"]\"");
            return NULL;
        }
        p = blanks(r, p + 1);
    }
}

static const char *skip_value(json_reader *r, const char *p, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    docsis_token token;

    if (depth > MAX_JSON_DEPTH) {
        docsis_error_set(r->error, DOCSIS_LIMIT, (size_t) (p - r->text),
                         "JSON is nested too deeply");
        docsis_error_detail(r->error, "At most %d levels are possible.", MAX_JSON_DEPTH);
        return NULL;
    }
    if (p == r->end) {
        bad_json(r, p, "a value");
        return NULL;
    }
    if (*p == '{' || *p == '[')
        return skip_members(r, p, depth);
    if (*p == '"')
        return json_string(r, p, &token);
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);

        if ((size_t) (r->end - p) >= length && memcmp(p, words[i], length) == 0)
            return p + length;
    }
    return json_number(r, p);
}

/* Notes where the members' values are; returns the object's end or NULL. */
static const char *read_members(json_reader *r, const char *p, members *m)
{
    static const char *const names[] = {"t", "n", "v", "hex", "oid", "name", "type", "value"};
    const char **slots[] = {&m->t, &m->n, &m->v, &m->hex, &m->oid, &m->name, &m->type, &m->value};
    docsis_token key;

    *m = (members) {NULL};
    if (p == r->end || *p != '{') {
        bad_json(r, p, "an object");
        return NULL;
    }
    p = blanks(r, p + 1);
    if (p < r->end && *p == '}')
        return p + 1;
    for (;;) {
        p = member_key(r, p, &key);
        if (p == NULL)
            return NULL;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (docsis_name_is(names[i], key.start, key.length))
                *slots[i] = p;
        }
        p = skip_value(r, p, 2);
        if (p == NULL)
            return NULL;
        p = blanks(r, p);
        if (p < r->end && *p == '}')
            return p + 1;
        if (p == r->end || *p != ',') {
            bad_json(r, p, "\",\" or \"}\"");
            return NULL;
        }
        p = blanks(r, p + 1);
    }
}

/* ---- TLVs ------------------------------------------------------------------------ */

static bool in_mta(const json_reader *r)
{
    return r->out->length > r->start && r->out->data[r->start] == DOCSIS_CODE_MTA;
}

/* "24.8", "8" or 8 -> code; a path must be that of the place. */
static bool read_code(json_reader *r, const char *p, int depth, uint8_t *code)
{
    docsis_token token;
    const char *end;
    uint8_t path[MAX_GROUP_DEPTH];
    int count = 0;

    if (*p == '"') {
        if (json_string(r, p, &token) == NULL)
            return false;
        end = token.start + token.length;
    } else {
        end = json_number(r, p);
        if (end == NULL)
            return false;
        token.start = p;
    }
    for (const char *q = token.start; ; q++) {
        int value = 0;
        int digits = 0;

        while (q < end && *q >= '0' && *q <= '9' && digits < 4) {
            value = 10 * value + (*q++ - '0');
            digits++;
        }
        if (digits == 0 || value > 255 || count == MAX_GROUP_DEPTH || (q < end && *q != '.'))
            return bad_form(r, p, "\"t\" is a TLV code, 0 to 255, or a path of them such as "
                            "\"24.8\".");
        path[count++] = (uint8_t) value;
        if (q == end)
            break;
    }
    *code = path[count - 1];
    if (count > 1 && (count != depth + 1 || memcmp(path, r->path, (size_t) depth) != 0))
        return bad_form(r, p, "The path in \"t\" is not that of the group around it.");
    return true;
}

static bool read_name(json_reader *r, const char *p, const docsis_symbol *group,
                      const docsis_symbol **symbol)
{
    docsis_token token;

    if (json_string(r, p, &token) == NULL)
        return false;
    *symbol = docsis_symbol_find(group, token.start, token.length);
    if (*symbol != NULL && (*symbol)->type != DOCSIS_T_GENERIC && (*symbol)->type != DOCSIS_T_FILE)
        return true;
    docsis_error_set(r->error, DOCSIS_UNKNOWN_NAME, token.offset, "unknown symbol \"%.*s\"",
                     (int) (token.length < 80 ? token.length : 80), token.start);
    docsis_error_hint(r->error, "An unknown TLV can be written as "
                      "{\"t\":\"code\",\"hex\":\"...\"}.");
    return false;
}

/* Hex digits, with or without 0x. */
static bool read_hex(json_reader *r, const char *p)
{
    docsis_token token;
    const char *digits;

    if (json_string(r, p, &token) == NULL)
        return false;
    digits = token.start;
    if (token.length >= 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x') {
        digits += 2;
        token.length -= 2;
    }
    if (token.length % 2 != 0)
        return bad_form(r, p, "\"hex\" has an even number of digits.");
    if (!docsis_reserve(r->out, token.length / 2))
        return docsis_error_memory(r->error);
    for (size_t i = 0; i < token.length; i += 2) {
        int high = docsis_hex_digit(digits[i]);
        int low = docsis_hex_digit(digits[i + 1]);

        if (high < 0 || low < 0)
            return bad_form(r, p, "\"hex\" has hex digits only.");
        r->out->data[r->out->length++] = (uint8_t) (high << 4 | low);
    }
    return true;
}

/* The token of a scalar: numbers, strings, and what is written as a string. */
static bool scalar_token(json_reader *r, const char *p, docsis_token *token, bool is_text)
{
    docsis_lexer lexer;
    const char *end;

    if (*p != '"') {
        if (*p != '-' && (*p < '0' || *p > '9'))
            return bad_form(r, p, "The value is a number or a string.");
        end = json_number(r, p);
        *token = (docsis_token) {.kind = DOCSIS_TOK_INT, .start = p,
                                 .offset = (size_t) (p - r->text)};
        token->length = end != NULL ? (size_t) (end - p) : 0;
        return end != NULL;
    }
    if (json_string(r, p, token) == NULL)
        return false;
    if (is_text)
        return true;
    lexer = (docsis_lexer) {.text = r->text, .position = token->start,
                            .end = token->start + token->length, .error = r->error};
    end = lexer.end;
    if (!docsis_lex(&lexer, token))
        return false;
    if (lexer.position != end || token->kind == DOCSIS_TOK_END)
        return bad_form(r, p, "The string is not one value in the form of the text language.");
    return true;
}

static bool read_varbind(json_reader *r, const char *p, const docsis_symbol *symbol, bool top)
{
    members m;
    docsis_token oid, type, value;
    docsis_varbind_place place = {.name = symbol->name, .code = symbol->code,
                                  .offset = (size_t) (p - r->text)};
    bool is_text;

    if (*p != '{')
        return bad_form(r, p, "The value of a varbind is an object.");
    if (read_members(r, p, &m) == NULL)
        return false;
    if (m.oid == NULL)
        m.oid = m.name;
    if (m.oid == NULL || m.type == NULL || m.value == NULL)
        return bad_form(r, p, "A varbind has \"oid\" (or \"name\"), \"type\" and \"value\".");
    if (json_string(r, m.oid, &oid) == NULL || json_string(r, m.type, &type) == NULL)
        return false;
    if (oid.has_backslash && memchr(oid.start, '\\', oid.length) != NULL && m.oid == m.name)
        return bad_form(r, m.oid, "A name with a string index is written in \"oid\" numerically.");
    is_text = type.length == 6 && memcmp(type.start, "String", 6) == 0;
    if (!scalar_token(r, m.value, &value, is_text ||
                      (type.length == 8 && memcmp(type.start, "ObjectID", 8) == 0)))
        return false;
    if (!is_text && value.kind == DOCSIS_TOK_STRING)
        value.kind = DOCSIS_TOK_OID;
    place.may_be_long = top && symbol->code == DOCSIS_CODE_VARBIND &&
                        (in_mta(r) || r->context.options->allow_long_varbind);
    return docsis_encode_varbind(&r->context, &place, oid.start, oid.length, type.start,
                                 type.length, &value);
}

static bool read_snmp_write(json_reader *r, const char *p, const docsis_symbol *symbol)
{
    members m;
    docsis_token oid, value;
    bool overflow;
    int64_t number;

    if (*p != '{')
        return bad_form(r, p, "The value is an object with \"oid\" and \"value\".");
    if (read_members(r, p, &m) == NULL)
        return false;
    if (m.oid == NULL || m.value == NULL)
        return bad_form(r, p, "The value is an object with \"oid\" and \"value\".");
    if (json_string(r, m.oid, &oid) == NULL || !scalar_token(r, m.value, &value, true))
        return false;
    if (value.kind != DOCSIS_TOK_INT)
        return bad_form(r, m.value, "The value is a number.");
    number = docsis_number(value.start, value.length, &overflow);
    return docsis_encode_snmp_write(&r->context, symbol, oid.start, oid.length, number, overflow,
                                    value.offset);
}

static bool read_array(json_reader *r, const char *p, const docsis_symbol *group, int depth);

static bool read_value(json_reader *r, const char *p, const docsis_symbol *symbol, int depth)
{
    docsis_token token;

    if (*p == '[') {
        if (!docsis_may_nest(symbol))
            return bad_form(r, p, "This TLV is not a group.");
        return read_array(r, p, symbol, depth + 1);
    }
    if (symbol->type == DOCSIS_T_GROUP)
        return bad_form(r, p, "The value of a group is an array.");
    if (symbol->type == DOCSIS_T_SNMP_WRITE)
        return read_snmp_write(r, p, symbol);
    if (!scalar_token(r, p, &token, symbol->type == DOCSIS_T_STR || symbol->type == DOCSIS_T_STRZ))
        return false;
    return docsis_encode_token(&r->context, symbol, &token);
}

static bool read_single_byte(json_reader *r, const char *p, const members *m,
                             const docsis_symbol *symbol, int depth)
{
    docsis_token token;
    bool overflow = false;
    int64_t count = 1;

    if (symbol->type == DOCSIS_T_PAD && m->v != NULL) {
        if (!scalar_token(r, m->v, &token, true))
            return false;
        count = docsis_number(token.start, token.kind == DOCSIS_TOK_INT ? token.length : 0,
                              &overflow);
        if (token.kind != DOCSIS_TOK_INT || overflow || count < 0 || count > 1 << 24)
            return bad_form(r, m->v, "The value of \"Pad\" is a number of bytes.");
    }
    if (m->hex != NULL)
        return bad_form(r, p, "The codes 0 and 255 have no value.");
    if (symbol->type == DOCSIS_T_EOD && depth == 0)
        r->ended = true;
    if (!docsis_reserve(r->out, (size_t) count))
        return docsis_error_memory(r->error);
    if (count > 0)
        memset(r->out->data + r->out->length, symbol->code, (size_t) count);
    r->out->length += (size_t) count;
    return true;
}

static bool end_tlv(json_reader *r, const char *p, size_t header, int octets,
                    const docsis_symbol *symbol)
{
    size_t length = r->out->length - header - 1 - (size_t) octets;
    size_t most = octets == 2 ? 65535 : 255;
    char code[16];

    if (length > most) {
        snprintf(code, sizeof(code), "%d", r->out->data[header]);
        docsis_error_set(r->error, DOCSIS_TOO_LONG, (size_t) (p - r->text),
                         "value of \"%s\" is too long", symbol != NULL ? symbol->name : code);
        docsis_error_symbol(r->error, symbol != NULL ? symbol->name : code);
        docsis_error_detail(r->error, "It has %zu bytes, but its length field allows at most %zu.",
                            length, most);
        return false;
    }
    if (octets == 2)
        r->out->data[header + 1] = (uint8_t) (length >> 8);
    r->out->data[header + (size_t) octets] = (uint8_t) length;
    return true;
}

/* One TLV object; *after = its end. */
static bool read_tlv(json_reader *r, const char *p, const docsis_symbol *group, int depth,
                     const char **after)
{
    members m;
    const docsis_symbol *symbol = NULL;
    const docsis_symbol *here;
    uint8_t code = 0;
    size_t header = r->out->length;
    bool is_long;
    int octets;

    *after = read_members(r, p, &m);
    if (*after == NULL)
        return false;
    if (m.t == NULL && m.n == NULL)
        return bad_form(r, p, "A TLV has \"t\" (its code or path) or \"n\" (its name).");
    if (m.t != NULL ? !read_code(r, m.t, depth, &code) : !read_name(r, m.n, group, &symbol))
        return false;
    if (symbol != NULL)
        code = symbol->code;
    here = docsis_child(group, code);
    if (symbol == NULL)
        symbol = here;
    r->path[depth] = code;
    if (r->ended && code != 0)
        return bad_form(r, p, "Only \"Pad\" may follow the end-of-data mark.");
    if (here != NULL && (here->type == DOCSIS_T_PAD || here->type == DOCSIS_T_EOD))
        return read_single_byte(r, p, &m, here, depth);
    is_long = depth == 0 && code == DOCSIS_CODE_LONG && in_mta(r);
    if (is_long)
        symbol = docsis_child(NULL, DOCSIS_CODE_VARBIND);
    if (m.hex == NULL && m.v == NULL)
        return bad_form(r, p, "A TLV has \"v\" (its value) or \"hex\" (its bytes).");
    if (m.hex == NULL && (symbol == NULL || symbol->type == DOCSIS_T_PAD ||
                          symbol->type == DOCSIS_T_EOD))
        return bad_form(r, p, "An unknown TLV needs \"hex\".");
    if (m.hex == NULL && symbol->type == DOCSIS_T_VARBIND)
        return read_varbind(r, m.v, symbol, depth == 0);
    octets = is_long || (here != NULL && here->length_bytes == 2) ? 2 : 1;
    if (!docsis_reserve(r->out, 3))
        return docsis_error_memory(r->error);
    r->out->data[r->out->length++] = code;
    for (int i = 0; i < octets; i++)
        r->out->data[r->out->length++] = 0;
    if (m.hex != NULL ? !read_hex(r, m.hex) : !read_value(r, m.v, symbol, depth))
        return false;
    return end_tlv(r, p, header, octets, symbol);
}

/* An array of TLVs. Its syntax has been checked, except at the top. */
static bool read_array(json_reader *r, const char *p, const docsis_symbol *group, int depth)
{
    if (depth >= MAX_GROUP_DEPTH) {
        docsis_error_set(r->error, DOCSIS_LIMIT, (size_t) (p - r->text),
                         "groups are nested too deeply");
        docsis_error_detail(r->error, "At most %d levels are possible.", MAX_GROUP_DEPTH);
        return false;
    }
    if (p == r->end || *p != '[')
        return bad_json(r, p, "an array");
    p = blanks(r, p + 1);
    if (p < r->end && *p == ']') {
        if (group != NULL)
            return bad_form(r, p, "A group is not empty; one without contents is {\"hex\":\"\"}.");
        p++;
    } else {
        for (;;) {
            if (!read_tlv(r, p, group, depth, &p))
                return false;
            p = blanks(r, p);
            if (p < r->end && *p == ']')
                break;
            if (p == r->end || *p != ',')
                return bad_json(r, p, "\",\" or \"]\"");
            p = blanks(r, p + 1);
        }
        p++;
    }
    p = blanks(r, p);
    return depth > 0 || p == r->end || bad_json(r, p, "the end of the text");
}

bool docsis_read_json(const char *json, size_t length, const docsis_options *options,
                      docsis_buffer *out, docsis_error *error)
{
    static const docsis_options defaults;
    docsis_error ignored;
    json_reader r = {.text = json, .end = json + length, .out = out, .start = out->length};

    if (error == NULL)
        error = &ignored;
    r.error = error;
    r.context = (docsis_context) {.options = options != NULL ? options : &defaults, .out = out,
                                  .error = error, .text = json, .text_length = length};
    if (read_array(&r, blanks(&r, json), NULL, 0))
        return true;
    out->length = r.start;
    docsis_error_locate(error, json, length);
    return false;
}

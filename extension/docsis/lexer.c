/*
 * lexer.c - tokens of the text language.
 *
 * The longest match wins, and of two equally long ones the rule that stands
 * first in scan_word(). Positions are found again from the offset when an error
 * is made, so the scanner counts no lines.
 */
#include "internal.h"

/* Classes of ASCII characters: half of the time of encoding is spent in telling them apart. */
#define DIGIT 1
#define LETTER 2
#define HEX_DIGIT 4
#define JOINER 8    /* minus and underscore, inside labels */

static const uint8_t classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0,
    5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0,
    0, 6, 6, 6, 6, 6, 6, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 8,
    0, 6, 6, 6, 6, 6, 6, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0
};

static inline bool is_of(char c, int class)
{
    return (classes[(uint8_t) c] & class) != 0;
}

static inline bool is_digit(char c)
{
    return is_of(c, DIGIT);
}

static inline bool is_letter(char c)
{
    return is_of(c, LETTER);
}

static inline bool is_alnum(char c)
{
    return is_of(c, DIGIT | LETTER);
}

static inline bool is_label(char c)
{
    return is_of(c, DIGIT | LETTER | JOINER);
}

static inline bool is_hex_digit(char c)
{
    return is_of(c, HEX_DIGIT);
}

const char *docsis_token_name(docsis_token_kind kind)
{
    static const char *const names[] = {
        "the end of the text", "\"{\"", "\"}\"", "\";\"", "a list of numbers", "an IPv4 address",
        "a list of IPv4 addresses", "a hex string", "a MAC address", "a MAC address and mask",
        "an IPv4 address with port", "an IPv6 address", "a list of IPv6 addresses",
        "an IPv6 address with port or prefix length", "a list of IPv6 prefixes", "an OID",
        "a word", "a number", "a string", "a label of an enumeration"
    };

    return names[kind];
}

/* ---- scanners: each returns the end of its match, or NULL ---------------- */

static const char *scan_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && is_digit(*p))
        p++;
    return p > start ? p : NULL;
}

static const char *scan_ip4(const char *p, const char *end)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (p == end || *p++ != '.'))
            return NULL;
        if ((p = scan_digits(p, end)) == NULL)
            return NULL;
    }
    return p;
}

static const char *scan_numbers(const char *p, const char *end)
{
    int count = 0;

    for (;;) {
        const char *next = scan_digits(p, end);

        if (next == NULL)
            return NULL;
        count++;
        if (next == end || *next != ',' || scan_digits(next + 1, end) == NULL)
            return count > 1 ? next : NULL;
        p = next + 1;
    }
}

static const char *scan_hex(const char *p, const char *end)
{
    if (end - p < 2 || p[0] != '0' || (p[1] != 'x' && p[1] != 'X'))
        return NULL;
    p += 2;
    while (p < end && is_hex_digit(*p))
        p++;
    return p;
}

static const char *scan_mac(const char *p, const char *end)
{
    for (int i = 0; i < 6; i++) {
        if (i > 0 && (p == end || *p++ != ':'))
            return NULL;
        if (p == end || !is_hex_digit(*p++))
            return NULL;
        if (p < end && is_hex_digit(*p))
            p++;
    }
    return p;
}

static const char *scan_ip6(const char *p, const char *end)
{
    const char *start = p;
    uint8_t address[16];

    while (p < end && (*p == ':' || is_hex_digit(*p)))
        p++;
    if (p < end && *p == '.') {
        const char *tail = p;

        while (tail > start && tail[-1] != ':')
            tail--;
        tail = tail > start ? scan_ip4(tail, end) : NULL;
        if (tail != NULL && docsis_ip6_parse(start, (size_t) (tail - start), address))
            return tail;
    }
    return docsis_ip6_parse(start, (size_t) (p - start), address) ? p : NULL;
}

static const char *scan_slash_number(const char *p, const char *end)
{
    return p < end && *p == '/' ? scan_digits(p + 1, end) : NULL;
}

/* A quoted piece of an OID, at its opening quote. */
static const char *scan_oid_quoted(const char *p, const char *end)
{
    char quote = *p++;

    while (p < end && *p != quote) {
        if (!is_alnum(*p) && strchr(quote == '\'' ? " @,:_-.[]" : ",:_-.", *p) == NULL)
            return NULL;
        if (*p == '\0')
            return NULL;
        p++;
    }
    return p < end ? p + 1 : NULL;
}

/*
 * Does p, behind a label, go on as "::name"? A name of hex digits alone does not count: a
 * word and an IPv6 address may stand without a blank between them.
 */
static bool is_module_end(const char *p, const char *end)
{
    if (end - p < 3 || p[0] != ':' || p[1] != ':' || !is_letter(p[2]))
        return false;
    for (p += 2; p < end && is_label(*p); p++) {
        if (!is_hex_digit(*p))
            return true;
    }
    return false;
}

/* [.][MODULE::]piece.piece...; a piece is a label, '...' or "...". A dot or a module. */
static const char *scan_oid(const char *p, const char *end)
{
    bool dots = false;
    const char *match = NULL;

    while (p < end && *p == '.') {
        dots = true;
        p++;
    }
    if (p == end || !is_label(*p) || *p == '-')
        return NULL;
    for (;;) {
        if (p < end && (*p == '\'' || *p == '"') && match != NULL) {
            p = scan_oid_quoted(p, end);
            if (p == NULL)
                break;
        } else if (p < end && is_label(*p)) {
            while (p < end && is_label(*p))
                p++;
            if (p < end && *p == ':' && match == NULL && !dots && is_module_end(p, end)) {
                dots = true;
                p += 2;
                continue;
            }
        } else {
            break;
        }
        match = p;
        if (p == end || *p != '.' || p + 1 == end ||
            !(is_label(p[1]) || p[1] == '\'' || p[1] == '"'))
            break;
        dots = true;
        p++;
    }
    return dots ? match : NULL;
}

/* A comma list of what `one` scans, from `first`, the end of the first item. */
static const char *scan_list(const char *first, const char *end,
                             const char *(*one)(const char *, const char *))
{
    const char *match = NULL;

    while (first < end && *first == ',') {
        first = one(first + 1, end);
        if (first == NULL)
            break;
        match = first;
    }
    return match;
}

static const char *scan_ip6_slash(const char *p, const char *end)
{
    p = scan_ip6(p, end);
    return p != NULL ? scan_slash_number(p, end) : NULL;
}

static void offer(docsis_token *token, docsis_token_kind kind, const char *match)
{
    if (match != NULL && (size_t) (match - token->start) > token->length) {
        token->kind = kind;
        token->length = (size_t) (match - token->start);
    }
}

static void scan_ip6_forms(docsis_token *token, const char *p, const char *end)
{
    const char *match = scan_ip6(p, end);
    const char *slash;

    if (match == NULL)
        return;
    offer(token, DOCSIS_TOK_IP6, match);
    offer(token, DOCSIS_TOK_IP6S, scan_list(match, end, scan_ip6));
    slash = scan_slash_number(match, end);
    offer(token, DOCSIS_TOK_IP6_SLASH, slash);
    if (slash != NULL)
        offer(token, DOCSIS_TOK_IP6_SLASHES, scan_list(slash, end, scan_ip6_slash));
}

/*
 * label(number) of an enumeration, or a label with hyphens inside. Before a digit a hyphen
 * is a minus: a word and a number may stand without a blank between them.
 */
static const char *scan_enum(const char *p, const char *end)
{
    const char *label = NULL;

    while (p < end && is_alnum(*p))
        p++;
    while (end - p > 1 && *p == '-' && is_letter(p[1])) {
        for (p++; p < end && is_alnum(*p); p++)
            ;
        label = p;
    }
    if (p == end || *p++ != '(')
        return label;
    if (p < end && *p == '-')
        p++;
    p = scan_digits(p, end);
    return p != NULL && p < end && *p == ')' ? p + 1 : label;
}

/* All the tokens that begin with a letter, a digit, a dot, a colon or a minus. */
static bool scan_word(docsis_token *token, const char *p, const char *end)
{
    const char *match = p;

    token->length = 0;
    if (is_digit(*p)) {
        offer(token, DOCSIS_TOK_NUMBERS, scan_numbers(p, end));
        match = scan_ip4(p, end);
        if (match != NULL) {
            offer(token, DOCSIS_TOK_IP, match);
            offer(token, DOCSIS_TOK_IPS, scan_list(match, end, scan_ip4));
            offer(token, DOCSIS_TOK_IP_PORT, scan_slash_number(match, end));
        }
        offer(token, DOCSIS_TOK_HEX, scan_hex(p, end));
    }
    match = scan_mac(p, end);
    if (match != NULL) {
        offer(token, DOCSIS_TOK_MAC, match);
        if (match < end && *match == '/')
            offer(token, DOCSIS_TOK_MAC_MASK, scan_mac(match + 1, end));
    }
    scan_ip6_forms(token, p, end);
    offer(token, DOCSIS_TOK_OID, scan_oid(p, end));
    if (is_letter(*p)) {
        for (match = p; match < end && is_alnum(*match); match++)
            ;
        offer(token, DOCSIS_TOK_WORD, match);
        if (match < end && (*match == '(' || *match == '-'))
            offer(token, DOCSIS_TOK_LABEL, scan_enum(p, end));
    }
    offer(token, DOCSIS_TOK_INT, scan_digits(*p == '-' ? p + 1 : p, end));
    return token->length > 0;
}

/* Could this character behind letters or digits make a longer token? */
static inline bool goes_on(char c)
{
    return is_label(c) || c == '.' || c == ':' || c == ',' || c == '/' || c == '(';
}

static bool scan_string(docsis_lexer *lexer, docsis_token *token, const char *p)
{
    bool full = token->escapes == DOCSIS_ESCAPES_FULL;

    token->kind = DOCSIS_TOK_STRING;
    token->has_backslash = false;
    token->start = p;
    for (; p < lexer->end && *p != '"'; p++) {
        if (*p == '\\') {
            token->has_backslash = true;
            if (full && lexer->end - p >= 4 && p[1] == 'x' &&
                is_hex_digit(p[2]) && is_hex_digit(p[3])) {
                p += 3;
            } else if (lexer->end - p >= 2 &&
                       (p[1] == '"' || (full && p[1] == '\\'))) {
                p++;
            } else if (full) {
                docsis_error_set(lexer->error, DOCSIS_SYNTAX, (size_t) (p - lexer->text),
                                 "invalid escape in a string of the form E\"...\"");
                docsis_error_hint(lexer->error,
                                  "The escapes are \\\" and \\\\ and \\x with two hex digits.");
                return false;
            }
        } else if (*p == '\n' || *p == '\t' || *p == '\0') {
            docsis_error_set(lexer->error, DOCSIS_SYNTAX, token->offset,
                             "%s in a string",
                             *p == '\n' ? "line break" : *p == '\t' ? "tab" : "zero byte");
            docsis_error_detail(lexer->error, "A string ends on the line where it begins and "
                                "holds no tab.");
            docsis_error_hint(lexer->error, "Is the closing quote missing? Such bytes can be "
                              "written as \\x09 or \\x0a in a string of the form E\"...\".");
            return false;
        }
    }
    if (p >= lexer->end)
        return docsis_error_set(lexer->error, DOCSIS_SYNTAX, token->offset,
                                "unterminated string");
    token->length = (size_t) (p - token->start);
    lexer->position = p + 1;
    return true;
}

/* Skips blanks and comments. A comment that is not closed reaches to the end. */
static bool skip_blanks(docsis_lexer *lexer)
{
    const char *p = lexer->position;
    const char *end = lexer->end;

    for (; p < end; p++) {
        if (*p == ' ' || *p == '\t' || *p == '\n')
            continue;
        if (*p == '\r' && p + 1 < end && p[1] == '\n')
            continue;
        if (*p != '/' || p + 1 == end || p[1] != '*')
            break;
        for (p += 2; p < end && !(*p == '*' && p + 1 < end && p[1] == '/'); p++)
            ;
        if (p == end)
            break;
        p++;
    }
    lexer->position = p;
    return p < end;
}

static bool unexpected_character(docsis_lexer *lexer, docsis_token *token)
{
    unsigned char c = (unsigned char) *lexer->position;

    if (c > 32 && c < 127)
        docsis_error_set(lexer->error, DOCSIS_SYNTAX, token->offset, "unexpected character \"%c\"",
                         c);
    else
        docsis_error_set(lexer->error, DOCSIS_SYNTAX, token->offset,
                         "unexpected character \"\\x%02x\"", c);
    if (c == '#' || c == '/')
        docsis_error_hint(lexer->error, "Comments are written /* ... */.");
    else if (c == '+')
        docsis_error_hint(lexer->error, "Positive numbers are written without a sign.");
    else if (c == '\r')
        docsis_error_hint(lexer->error, "Lines end with a line feed or with carriage return and "
                          "line feed.");
    return false;
}

bool docsis_lex(docsis_lexer *lexer, docsis_token *token)
{
    const char *p;
    const char *end = lexer->end;

    token->escapes = DOCSIS_ESCAPES_TOOL;
    if (!skip_blanks(lexer)) {
        token->kind = DOCSIS_TOK_END;
        token->start = end;
        token->length = 0;
        token->offset = (size_t) (end - lexer->text);
        return true;
    }
    p = lexer->position;
    token->start = p;
    token->offset = (size_t) (p - lexer->text);
    if (is_alnum(*p)) {
        bool letter = is_letter(*p);
        const char *q = p + 1;

        while (q < end && (letter ? is_alnum(*q) : is_digit(*q)))
            q++;
        if (q == end || !goes_on(*q)) {
            if (letter && q - p == 1 && *p == 'E' && q < end && *q == '"') {
                token->escapes = DOCSIS_ESCAPES_FULL;
                return scan_string(lexer, token, q + 1);
            }
            token->kind = letter ? DOCSIS_TOK_WORD : DOCSIS_TOK_INT;
            token->length = (size_t) (q - p);
            lexer->position = q;
            return true;
        }
    } else if (*p == ';' || *p == '{' || *p == '}') {
        token->kind = *p == ';' ? DOCSIS_TOK_SEMICOLON : *p == '{' ? DOCSIS_TOK_OPEN
                                                                   : DOCSIS_TOK_CLOSE;
        token->length = 1;
        lexer->position = p + 1;
        return true;
    } else if (*p == '"') {
        return scan_string(lexer, token, p + 1);
    }
    if ((is_alnum(*p) || *p == '.' || *p == ':' || *p == '-' || *p == '_') &&
        scan_word(token, p, end)) {
        lexer->position = p + token->length;
        return true;
    }
    return unexpected_character(lexer, token);
}

docsis_token docsis_unquote(const char *text, const docsis_token *token)
{
    docsis_lexer lexer = {.text = text, .position = token->start,
                          .end = token->start + token->length};
    docsis_token inner;

    if (token->kind != DOCSIS_TOK_STRING || token->has_backslash || token->length == 0 ||
        !docsis_lex(&lexer, &inner) || inner.start != token->start || lexer.position != lexer.end)
        return *token;
    switch (inner.kind) {
        case DOCSIS_TOK_HEX: case DOCSIS_TOK_MAC: case DOCSIS_TOK_MAC_MASK:
        case DOCSIS_TOK_IP: case DOCSIS_TOK_IPS: case DOCSIS_TOK_IP_PORT:
        case DOCSIS_TOK_IP6: case DOCSIS_TOK_IP6S:
        case DOCSIS_TOK_IP6_SLASH: case DOCSIS_TOK_IP6_SLASHES:
            return inner;
        default:
            return *token;
    }
}

/* Code point of \uHHHH, with the second half of a surrogate pair when there is one. */
static uint32_t json_unicode(const char **position, const char *end)
{
    uint32_t code = 0;

    for (int half = 0; half < 2; half++) {
        uint32_t unit = 0;

        for (int i = 0; i < 4; i++)
            unit = unit << 4 | (uint32_t) docsis_hex_digit((*position)[i]);
        *position += 4;
        if (half == 1)
            return 0x10000 + ((code - 0xd800) << 10) + (unit - 0xdc00);
        code = unit;
        if (code < 0xd800 || code > 0xdbff || end - *position < 6)
            return code;
        *position += 2;
    }
    return code;
}

static void put_utf8(docsis_buffer *out, uint32_t code)
{
    if (code >= 0x10000) {
        out->data[out->length++] = (uint8_t) (0xf0 | code >> 18);
        out->data[out->length++] = (uint8_t) (0x80 | (code >> 12 & 0x3f));
    } else if (code >= 0x800) {
        out->data[out->length++] = (uint8_t) (0xe0 | code >> 12);
    }
    if (code >= 0x800)
        out->data[out->length++] = (uint8_t) (0x80 | (code >> 6 & 0x3f));
    else if (code >= 0x80)
        out->data[out->length++] = (uint8_t) (0xc0 | code >> 6);
    out->data[out->length++] = (uint8_t) (code < 0x80 ? code : 0x80 | (code & 0x3f));
}

/* One escape of a JSON string that the reader has checked; p is behind the backslash. */
static const char *put_json_escape(docsis_buffer *out, const char *p, const char *end)
{
    static const char names[] = "bfnrt";
    static const char bytes[] = "\b\f\n\r\t";
    const char *found;

    if (*p == 'u') {
        p++;
        put_utf8(out, json_unicode(&p, end));
        return p;
    }
    found = strchr(names, *p);
    out->data[out->length++] = (uint8_t) (found != NULL ? bytes[found - names] : *p);
    return p + 1;
}

bool docsis_put_string(docsis_buffer *out, const docsis_token *token)
{
    const char *p = token->start;
    const char *end = p + token->length;

    if (!token->has_backslash)
        return docsis_put_bytes(out, p, token->length);
    if (!docsis_reserve(out, token->length))
        return false;
    while (p < end) {
        uint8_t byte = (uint8_t) *p++;

        if (byte == '\\' && token->escapes == DOCSIS_ESCAPES_JSON) {
            p = put_json_escape(out, p, end);
            continue;
        }
        if (byte == '\\') {
            if (p < end && *p == '"') {
                byte = (uint8_t) *p++;
            } else if (token->escapes == DOCSIS_ESCAPES_TOOL) {
                byte = ' ';
            } else if (*p == 'x') {
                byte = (uint8_t) (docsis_hex_digit(p[1]) << 4 | docsis_hex_digit(p[2]));
                p += 3;
            } else {
                byte = (uint8_t) *p++;
            }
        }
        out->data[out->length++] = byte;
    }
    return true;
}

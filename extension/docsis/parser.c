/*
 * parser.c - the text language -> config.
 *
 * One pass, no tree: TLVs are appended as they are read, and a group's length is
 * written back when its brace closes. Nesting is bounded by MAX_NESTING, which
 * no config within the length limits can exceed.
 */
#include "internal.h"

#include <stdio.h>

#define MAX_NESTING 127

typedef struct frame {
    const docsis_symbol *symbol;   /* the group; NULL = unknown code of a GenericTLV group */
    size_t header;                 /* offset of its code in out */
    size_t text;                   /* offset of its name in the text */
    uint8_t length_bytes;
    bool generic;                  /* made by GenericTLV: only simple GenericTLV inside */
    bool empty;                    /* nothing inside yet */
} frame;

typedef struct parser {
    docsis_lexer lexer;
    docsis_token token;            /* the next one */
    docsis_context context;
    docsis_buffer *out;
    docsis_error *error;
    size_t start;                  /* of this config in out */
    bool ended;                    /* EndOfDataMkr was written */
    int depth;
    frame frames[MAX_NESTING + 1];
} parser;

/* ---- tokens ---------------------------------------------------------------- */

static bool advance(parser *p)
{
    return docsis_lex(&p->lexer, &p->token);
}

static bool token_is(const docsis_token *token, const char *word)
{
    return token->kind == DOCSIS_TOK_WORD && docsis_name_is(word, token->start, token->length);
}

/* Token text for messages, cut to a reasonable length. */
static int shown(const docsis_token *token)
{
    return (int) (token->length < 80 ? token->length : 80);
}

static bool unexpected(parser *p, const char *wanted)
{
    const docsis_token *token = &p->token;

    if (token->kind == DOCSIS_TOK_END)
        docsis_error_set(p->error, DOCSIS_SYNTAX, token->offset, "unexpected end of the text");
    else if (token->kind == DOCSIS_TOK_STRING)
        docsis_error_set(p->error, DOCSIS_SYNTAX, token->offset, "unexpected string");
    else
        docsis_error_set(p->error, DOCSIS_SYNTAX, token->offset, "unexpected \"%.*s\"",
                         shown(token), token->start);
    docsis_error_detail(p->error, "Expected is %s.", wanted);
    return false;
}

static bool expect(parser *p, docsis_token_kind kind, const char *wanted)
{
    if (p->token.kind != kind)
        return unexpected(p, wanted);
    return advance(p);
}

static bool expect_word(parser *p, const char *word)
{
    char wanted[40];

    if (token_is(&p->token, word))
        return advance(p);
    snprintf(wanted, sizeof(wanted), "\"%s\"", word);
    return unexpected(p, wanted);
}

/* ---- TLVs ------------------------------------------------------------------ */

static bool no_memory(parser *p)
{
    return docsis_error_memory(p->error);
}

static bool in_mta(const parser *p)
{
    return p->out->length > p->start && p->out->data[p->start] == DOCSIS_CODE_MTA;
}

/* Octets of the length field of a code at this place. */
static uint8_t length_bytes(const parser *p, const docsis_symbol *symbol, uint8_t code)
{
    if (p->depth == 0 && code == DOCSIS_CODE_LONG && in_mta(p))
        return 2;
    return symbol != NULL ? symbol->length_bytes : 1;
}

static bool begin_tlv(parser *p, uint8_t code, uint8_t octets)
{
    if (!docsis_reserve(p->out, 3))
        return no_memory(p);
    p->out->data[p->out->length++] = code;
    for (int i = 0; i < octets; i++)
        p->out->data[p->out->length++] = 0;
    p->frames[p->depth].empty = false;
    return true;
}

static bool too_long(parser *p, const char *name, size_t length, size_t most, size_t offset,
                     bool group)
{
    docsis_error_set(p->error, DOCSIS_TOO_LONG, offset, "%s \"%s\" is too long",
                     group ? "group" : "value of", name);
    docsis_error_symbol(p->error, name);
    docsis_error_detail(p->error, "\"%s\" has %zu bytes, but its length field allows at most %zu.",
                        name, length, most);
    if (group)
        docsis_error_hint(p->error, "Split the group in two, or shorten what is inside.");
    return false;
}

/* Writes the length of the TLV whose code stands at header. */
static bool end_tlv(parser *p, size_t header, uint8_t octets, const char *name, size_t offset,
                    bool group)
{
    size_t length = p->out->length - header - 1 - octets;
    size_t most = octets == 2 ? 65535 : 255;

    if (length > most)
        return too_long(p, name, length, most, offset, group);
    if (octets == 2)
        p->out->data[header + 1] = (uint8_t) (length >> 8);
    p->out->data[header + octets] = (uint8_t) length;
    return true;
}

/* ---- GenericTLV ------------------------------------------------------------ */

static const docsis_symbol *group_symbol(const parser *p)
{
    return p->depth > 0 ? p->frames[p->depth].symbol : NULL;
}

static bool parse_code(parser *p, uint8_t *code, const docsis_symbol **symbol)
{
    bool overflow;
    int64_t value;
    size_t offset = p->token.offset;
    bool outer_generic = p->depth > 0 && p->frames[p->depth].symbol == NULL;

    if (p->token.kind != DOCSIS_TOK_INT)
        return unexpected(p, "a TLV code");
    value = docsis_number(p->token.start, p->token.length, &overflow);
    if (overflow || value < 0 || value > 255) {
        docsis_error_set(p->error, DOCSIS_OUT_OF_RANGE, offset, "TLV code %.*s is out of range",
                         shown(&p->token), p->token.start);
        docsis_error_symbol(p->error, "GenericTLV");
        docsis_error_detail(p->error, "\"TlvCode\" allows 0 to 255.");
        return false;
    }
    *code = (uint8_t) value;
    *symbol = outer_generic ? NULL : docsis_child(group_symbol(p), *code);
    if ((p->depth == 0 && (value == 0 || value == DOCSIS_CODE_EOD)) ||
        (*symbol != NULL && (*symbol)->type == DOCSIS_T_EOD)) {
        docsis_error_set(p->error, DOCSIS_TYPE_MISMATCH, offset, "TLV code %d has no value",
                         *code);
        docsis_error_symbol(p->error, "GenericTLV");
        docsis_error_detail(p->error, "The codes 0 (Pad) and 255 (EndOfDataMkr) are single bytes.");
        docsis_error_hint(p->error, "Write \"Pad;\" or \"EndOfDataMkr;\".");
        return false;
    }
    return advance(p);
}

/* TlvLength n TlvValue 0x... */
static bool parse_generic_hex(parser *p)
{
    static const docsis_symbol hex = {.name = "TlvValue", .type = DOCSIS_T_HEX};
    docsis_token length_token;
    bool overflow;
    int64_t length;
    size_t octets;

    if (!advance(p))
        return false;
    if (p->token.kind != DOCSIS_TOK_INT)
        return unexpected(p, "a length");
    length_token = p->token;
    length = docsis_number(p->token.start, p->token.length, &overflow);
    if (!advance(p) || !expect_word(p, "TlvValue"))
        return false;
    if (p->token.kind != DOCSIS_TOK_HEX)
        return unexpected(p, "a hex string such as 0x0102");
    octets = (p->token.length - 2) / 2;
    if (!docsis_encode_token(&p->context, &hex, &p->token))
        return false;
    if (overflow || length != (int64_t) octets) {
        docsis_error_set(p->error, DOCSIS_OUT_OF_RANGE, length_token.offset,
                         "length of \"GenericTLV\" does not match its value");
        docsis_error_symbol(p->error, "GenericTLV");
        docsis_error_detail(p->error, "\"TlvLength\" is %.*s, \"TlvValue\" has %zu bytes.",
                            shown(&length_token), length_token.start, octets);
        return false;
    }
    return advance(p);
}

/* TlvType Integer|Short|Char|IPAddress TlvValue v */
static bool parse_generic_type(parser *p)
{
    static const struct {
        const char *word;
        int octets;
    } types[] = {{"Integer", 4}, {"Short", 2}, {"Char", 1}, {"IPAddress", 0}};
    int type = 0;
    bool overflow;
    int64_t value;
    int64_t most;
    uint8_t address[4];

    if (!advance(p))
        return false;
    while (type < 4 && !token_is(&p->token, types[type].word))
        type++;
    if (type == 4)
        return unexpected(p, "\"Integer\", \"Short\", \"Char\" or \"IPAddress\"");
    if (!advance(p) || !expect_word(p, "TlvValue"))
        return false;
    if (types[type].octets == 0) {
        if (p->token.kind != DOCSIS_TOK_IP)
            return unexpected(p, "an IPv4 address");
        if (!docsis_ip4_parse(p->token.start, p->token.length, address)) {
            docsis_error_set(p->error, DOCSIS_OUT_OF_RANGE, p->token.offset,
                             "invalid IPv4 address \"%.*s\"", shown(&p->token), p->token.start);
            docsis_error_symbol(p->error, "GenericTLV");
            docsis_error_detail(p->error, "Each part is at most 255.");
            return false;
        }
        return docsis_put_bytes(p->out, address, 4) ? advance(p) : no_memory(p);
    }
    if (p->token.kind != DOCSIS_TOK_INT)
        return unexpected(p, "a number");
    value = docsis_number(p->token.start, p->token.length, &overflow);
    most = (1ll << (8 * types[type].octets)) - 1;
    if (overflow || value > most || value < -(most / 2) - 1) {
        docsis_error_set(p->error, DOCSIS_OUT_OF_RANGE, p->token.offset,
                         "value %.*s of \"GenericTLV\" is out of range", shown(&p->token),
                         p->token.start);
        docsis_error_symbol(p->error, "GenericTLV");
        docsis_error_detail(p->error, "\"%s\" allows 0 to %lld.", types[type].word,
                            (long long) most);
        return false;
    }
    for (int i = types[type].octets - 1; i >= 0; i--) {
        if (!docsis_put(p->out, (uint8_t) (value >> (8 * i))))
            return no_memory(p);
    }
    return advance(p);
}

static bool parse_generic_string(parser *p, bool zero)
{
    if (!advance(p))
        return false;
    if (p->token.kind != DOCSIS_TOK_STRING)
        return unexpected(p, "a string in double quotes");
    if (!docsis_put_string(p->out, &p->token) || (zero && !docsis_put(p->out, 0)))
        return no_memory(p);
    return advance(p);
}

static bool open_group(parser *p, const docsis_symbol *symbol, uint8_t code, size_t text,
                       bool generic)
{
    uint8_t octets = length_bytes(p, symbol, code);
    size_t header = p->out->length;

    if (p->depth == MAX_NESTING) {
        docsis_error_set(p->error, DOCSIS_LIMIT, text, "groups are nested too deeply");
        docsis_error_detail(p->error, "At most %d levels are possible.", MAX_NESTING);
        return false;
    }
    if (!begin_tlv(p, code, octets))
        return false;
    p->depth++;
    p->frames[p->depth] = (frame) {.symbol = symbol, .header = header, .text = text,
                                   .length_bytes = octets, .generic = generic, .empty = true};
    return advance(p);   /* the brace */
}

static bool parse_generic(parser *p, size_t text)
{
    uint8_t code = 0;
    const docsis_symbol *symbol = NULL;
    size_t header;
    uint8_t octets;
    bool inner = p->depth > 0 && p->frames[p->depth].generic;
    bool ok;

    if (!expect_word(p, "TlvCode") || !parse_code(p, &code, &symbol))
        return false;
    if (p->token.kind == DOCSIS_TOK_OPEN && !inner)
        return open_group(p, symbol, code, text, true);
    header = p->out->length;
    octets = length_bytes(p, symbol, code);
    if (!begin_tlv(p, code, octets))
        return false;
    if (token_is(&p->token, "TlvLength"))
        ok = parse_generic_hex(p);
    else if (token_is(&p->token, "TlvType"))
        ok = parse_generic_type(p);
    else if (!inner && token_is(&p->token, "TlvString"))
        ok = parse_generic_string(p, false);
    else if (!inner && token_is(&p->token, "TlvStringZero"))
        ok = parse_generic_string(p, true);
    else
        ok = unexpected(p, inner ? "\"TlvLength\" or \"TlvType\""
                                 : "\"TlvLength\", \"TlvType\", \"TlvString\" or a group");
    return ok && end_tlv(p, header, octets, "GenericTLV", text, false) &&
           expect(p, DOCSIS_TOK_SEMICOLON, "\";\"");
}

/* ---- statements ------------------------------------------------------------ */

/* Is symbol a member of the group at hand? */
static bool belongs_here(const parser *p, const docsis_symbol *symbol)
{
    const docsis_symbol *group = group_symbol(p);

    if (group == NULL)
        return symbol->parent < 0;
    return symbol->parent >= 0 && &docsis_symbols[symbol->parent] == group;
}

static void warn_global(parser *p, const docsis_symbol *symbol, size_t offset)
{
    char detail[200];
    const docsis_symbol *group = group_symbol(p);

    if (p->context.options->warn == NULL)
        return;
    snprintf(detail, sizeof(detail), "\"%s\" is TLV %s; it is written with code %d inside \"%s\".",
             symbol->name, symbol->path, symbol->code, group != NULL ? group->name : "Main");
    docsis_warn(&p->context, DOCSIS_UNKNOWN_NAME, offset, symbol->name,
                "symbol does not belong to this group", detail);
}

static bool parse_varbind(parser *p, const docsis_symbol *symbol, size_t text)
{
    docsis_token oid, type;
    docsis_varbind_place place = {.name = symbol->name, .code = symbol->code, .offset = text};

    if (!docsis_is_oid(p->token.kind)) {
        unexpected(p, "an OID");
        if (p->token.kind == DOCSIS_TOK_INT)
            docsis_error_hint(p->error, "Write a numeric OID with a dot in front, as in .1.3.6.1.");
        else if (p->token.kind == DOCSIS_TOK_WORD)
            docsis_error_hint(p->error, "Add the instance, as in sysContact.0.");
        return false;
    }
    oid = p->token;
    if (!advance(p))
        return false;
    if (p->token.kind != DOCSIS_TOK_WORD)
        return unexpected(p, "an SNMP type such as \"Integer\" or \"String\"");
    type = p->token;
    if (!advance(p))
        return false;
    place.may_be_long = p->depth == 0 && symbol->code == DOCSIS_CODE_VARBIND &&
                        (in_mta(p) || p->context.options->allow_long_varbind);
    p->frames[p->depth].empty = false;
    return docsis_encode_varbind(&p->context, &place, oid.start, oid.length, type.start,
                                 type.length, &p->token) && advance(p);
}

static bool parse_snmp_write(parser *p, const docsis_symbol *symbol)
{
    docsis_token oid = p->token;
    bool overflow;
    int64_t value;

    if (!docsis_is_oid(p->token.kind)) {
        unexpected(p, "an OID");
        if (p->token.kind == DOCSIS_TOK_INT)
            docsis_error_hint(p->error, "Write a numeric OID with a dot in front, as in .1.3.6.1.");
        return false;
    }
    if (!advance(p))
        return false;
    if (p->token.kind != DOCSIS_TOK_INT)
        return unexpected(p, "a number");
    value = docsis_number(p->token.start, p->token.length, &overflow);
    return docsis_encode_snmp_write(&p->context, symbol, oid.start, oid.length, value, overflow,
                                    p->token.offset) && advance(p);
}

static bool refuse_file(parser *p, const docsis_symbol *symbol, size_t text)
{
    const docsis_symbol *hex = docsis_child(NULL, symbol->code);

    docsis_error_set(p->error, DOCSIS_REFUSED, text, "\"%s\" would read a file", symbol->name);
    docsis_error_symbol(p->error, symbol->name);
    docsis_error_detail(p->error, "Statements that take a path are not carried out here.");
    if (symbol->code == DOCSIS_CODE_VARBIND)
        docsis_error_hint(p->error, "Write the contents as SnmpMibObject "
                          ".1.3.6.1.4.1.4491.2.2.8.2.1.1.3.1.1.2.1 String \"...\".");
    else if (hex != NULL)
        docsis_error_hint(p->error, "Write the contents as \"%s 0x...;\", in pieces of at most 254 "
                          "bytes.", hex->name);
    return false;
}

/* Pad; Pad n; EndOfDataMkr; */
static bool parse_single_byte(parser *p, const docsis_symbol *symbol, size_t text)
{
    int64_t count = 1;
    bool overflow = false;

    if (!belongs_here(p, symbol)) {
        docsis_error_set(p->error, DOCSIS_TYPE_MISMATCH, text, "\"%s\" inside a group",
                         symbol->name);
        docsis_error_symbol(p->error, symbol->name);
        docsis_error_detail(p->error, "It stands at the top level only.");
        return false;
    }
    if (symbol->type == DOCSIS_T_PAD && p->token.kind == DOCSIS_TOK_INT) {
        count = docsis_number(p->token.start, p->token.length, &overflow);
        if (overflow || count < 0 || count > 65535) {
            docsis_error_set(p->error, DOCSIS_OUT_OF_RANGE, p->token.offset,
                             "number of \"Pad\" bytes is out of range");
            docsis_error_symbol(p->error, symbol->name);
            docsis_error_detail(p->error, "\"Pad\" allows 0 to 65535.");
            return false;
        }
        if (!advance(p))
            return false;
    }
    p->frames[p->depth].empty = false;
    if (symbol->type == DOCSIS_T_EOD && p->depth == 0)
        p->ended = true;
    if (!docsis_reserve(p->out, (size_t) count))
        return no_memory(p);
    if (count > 0)
        memset(p->out->data + p->out->length, symbol->code, (size_t) count);
    p->out->length += (size_t) count;
    return expect(p, DOCSIS_TOK_SEMICOLON, "\";\"");
}

static bool parse_leaf(parser *p, const docsis_symbol *symbol, size_t text)
{
    size_t header = p->out->length;
    const docsis_symbol *here = belongs_here(p, symbol) ? symbol
                                : docsis_child(group_symbol(p), symbol->code);
    uint8_t octets = length_bytes(p, here, symbol->code);
    bool ok;

    if (p->token.kind == DOCSIS_TOK_END || p->token.kind == DOCSIS_TOK_SEMICOLON ||
        p->token.kind == DOCSIS_TOK_CLOSE)
        return unexpected(p, "a value");
    if (p->token.kind == DOCSIS_TOK_WORD && symbol->type != DOCSIS_T_STR &&
        symbol->type != DOCSIS_T_STRZ && symbol->type != DOCSIS_T_EMPTY)
        return docsis_error_type(&p->context, symbol, &p->token);
    if (p->token.kind == DOCSIS_TOK_WORD)
        return unexpected(p, "a string in double quotes");
    if (!begin_tlv(p, symbol->code, octets))
        return false;
    ok = symbol->type == DOCSIS_T_SNMP_WRITE
         ? parse_snmp_write(p, symbol)
         : docsis_encode_token(&p->context, symbol, &p->token) && advance(p);
    return ok && end_tlv(p, header, octets, symbol->name, text, false) &&
           expect(p, DOCSIS_TOK_SEMICOLON, "\";\"");
}

static bool unknown_name(parser *p, const docsis_token *name)
{
    docsis_error *error = p->error;

    docsis_error_set(error, DOCSIS_UNKNOWN_NAME, name->offset, "unknown symbol \"%.*s\"",
                     shown(name), name->start);
    if (error != NULL)
        snprintf(error->symbol, sizeof(error->symbol), "%.*s", shown(name), name->start);
    docsis_error_hint(error, "Names are case-sensitive. An unknown TLV can be written as "
                      "\"GenericTLV TlvCode c TlvLength n TlvValue 0x...;\".");
    return false;
}

static bool parse_statement(parser *p)
{
    docsis_token name = p->token;
    const docsis_symbol *symbol;

    if (name.kind != DOCSIS_TOK_WORD)
        return unexpected(p, p->frames[p->depth].empty ? "a TLV name"
                                                       : "a TLV name or a closing brace");
    symbol = docsis_symbol_find(group_symbol(p), name.start, name.length);
    if (symbol == NULL)
        return unknown_name(p, &name);
    if (p->ended && symbol->type != DOCSIS_T_PAD) {
        docsis_error_set(p->error, DOCSIS_SYNTAX, name.offset,
                         "statement after \"EndOfDataMkr\"");
        docsis_error_symbol(p->error, symbol->name);
        docsis_error_detail(p->error, "Only \"Pad\" may follow the end-of-data mark.");
        return false;
    }
    if (symbol->type != DOCSIS_T_GENERIC && p->depth > 0 && p->frames[p->depth].generic)
        return unexpected(p, "\"GenericTLV\" or a closing brace");
    if (!advance(p))
        return false;
    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_GENERIC:
            return parse_generic(p, name.offset);
        case DOCSIS_T_FILE:
            return refuse_file(p, symbol, name.offset);
        case DOCSIS_T_PAD:
        case DOCSIS_T_EOD:
            return parse_single_byte(p, symbol, name.offset);
        default:
            break;
    }
    if (!belongs_here(p, symbol))
        warn_global(p, symbol, name.offset);
    if (symbol->type == DOCSIS_T_VARBIND)
        return parse_varbind(p, symbol, name.offset) &&
               expect(p, DOCSIS_TOK_SEMICOLON, "\";\"");
    if (p->token.kind == DOCSIS_TOK_OPEN && docsis_may_nest(symbol))
        return open_group(p, symbol, symbol->code, name.offset, false);
    return parse_leaf(p, symbol, name.offset);
}

static bool close_group(parser *p)
{
    frame *f = &p->frames[p->depth];
    char code[24];

    if (f->empty)
        return unexpected(p, "a TLV name");
    snprintf(code, sizeof(code), "%d", p->out->data[f->header]);
    if (!end_tlv(p, f->header, f->length_bytes, f->symbol != NULL ? f->symbol->name : code,
                 f->text, true))
        return false;
    p->depth--;
    return advance(p);
}

static bool parse_main(parser *p)
{
    static const char word[] = "main";
    bool is_main;

    if (!advance(p))
        return false;
    is_main = p->token.kind == DOCSIS_TOK_WORD && p->token.length == 4;
    for (int i = 0; is_main && i < 4; i++)
        is_main = (p->token.start[i] | 0x20) == word[i];
    if (!is_main)
        return unexpected(p, "\"Main\"");
    if (!advance(p) || !expect(p, DOCSIS_TOK_OPEN, "\"{\""))
        return false;
    p->frames[0].empty = true;
    while (p->depth > 0 || p->token.kind != DOCSIS_TOK_CLOSE || p->frames[0].empty) {
        if (p->depth > 0 && p->token.kind == DOCSIS_TOK_CLOSE) {
            if (!close_group(p))
                return false;
        } else if (!parse_statement(p)) {
            return false;
        }
    }
    if (!advance(p))
        return false;
    return p->token.kind == DOCSIS_TOK_END || unexpected(p, "the end of the text");
}

bool docsis_parse_text(const char *text, size_t length, const docsis_options *options,
                       docsis_buffer *out, docsis_error *error)
{
    static const docsis_options defaults;
    docsis_error ignored;
    parser p;

    if (error == NULL)
        error = &ignored;
    p.lexer = (docsis_lexer) {.text = text, .end = text + length, .position = text,
                              .error = error};
    p.context = (docsis_context) {.options = options != NULL ? options : &defaults, .out = out,
                                  .error = error, .text = text, .text_length = length};
    p.out = out;
    p.error = error;
    p.start = out->length;
    p.ended = false;
    p.depth = 0;
    p.frames[0] = (frame) {.symbol = NULL};
    if (parse_main(&p))
        return true;
    out->length = p.start;
    docsis_error_locate(error, text, length);
    return false;
}

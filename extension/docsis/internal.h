/*
 * internal.h - what the files of the codec share and nobody else sees.
 */
#ifndef DOCSIS_INTERNAL_H
#define DOCSIS_INTERNAL_H

#include <string.h>

#include "symbol.h"

/* Is the text (not zero-terminated, any bytes) this name? */
static inline bool docsis_name_is(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}


#define DOCSIS_CODE_CM_MIC      6
#define DOCSIS_CODE_CMTS_MIC    7
#define DOCSIS_CODE_VARBIND     11
#define DOCSIS_CODE_LONG        64     /* in MTA configs: a varbind with a two-byte length */
#define DOCSIS_CODE_MTA         254
#define DOCSIS_CODE_EOD         255

/* ---- buffers ------------------------------------------------------------ */

/* Makes room for `more` bytes; false = the buffer cannot grow. */
bool docsis_reserve_slow(docsis_buffer *buffer, size_t more);

static inline bool docsis_reserve(docsis_buffer *buffer, size_t more)
{
    return buffer->capacity - buffer->length >= more || docsis_reserve_slow(buffer, more);
}

static inline bool docsis_put(docsis_buffer *buffer, uint8_t byte)
{
    if (!docsis_reserve(buffer, 1))
        return false;
    buffer->data[buffer->length++] = byte;
    return true;
}

static inline bool docsis_put_bytes(docsis_buffer *buffer, const void *bytes, size_t length)
{
    if (!docsis_reserve(buffer, length))
        return false;
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

static inline bool docsis_put_text(docsis_buffer *buffer, const char *text)
{
    return docsis_put_bytes(buffer, text, strlen(text));
}

/* Decimal digits. */
bool docsis_put_uint(docsis_buffer *buffer, uint64_t value);
bool docsis_put_int(docsis_buffer *buffer, int64_t value);
/* Lower case hex digits, without 0x. */
bool docsis_put_hex(docsis_buffer *buffer, const uint8_t *bytes, size_t length);

/* ---- errors ------------------------------------------------------------- */

/* Sets code and message and clears the rest; always returns false. error may be NULL. */
bool docsis_error_set(docsis_error *error, docsis_code code, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void docsis_error_detail(docsis_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void docsis_error_hint(docsis_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void docsis_error_symbol(docsis_error *error, const char *name);
/* "out of memory"; always returns false. */
bool docsis_error_memory(docsis_error *error);
/* Line and column of error->offset in text, also at the start of the detail. */
void docsis_error_locate(docsis_error *error, const char *text, size_t length);

/* ---- lexer -------------------------------------------------------------- */

typedef enum docsis_token_kind {
    DOCSIS_TOK_END = 0, DOCSIS_TOK_OPEN, DOCSIS_TOK_CLOSE, DOCSIS_TOK_SEMICOLON,
    DOCSIS_TOK_NUMBERS, DOCSIS_TOK_IP, DOCSIS_TOK_IPS, DOCSIS_TOK_HEX, DOCSIS_TOK_MAC,
    DOCSIS_TOK_MAC_MASK, DOCSIS_TOK_IP_PORT, DOCSIS_TOK_IP6, DOCSIS_TOK_IP6S,
    DOCSIS_TOK_IP6_SLASH, DOCSIS_TOK_IP6_SLASHES, DOCSIS_TOK_OID, DOCSIS_TOK_WORD,
    DOCSIS_TOK_INT, DOCSIS_TOK_STRING, DOCSIS_TOK_LABEL
} docsis_token_kind;

typedef enum docsis_escapes {
    DOCSIS_ESCAPES_TOOL = 0, /* "...": \" and every other backslash a blank */
    DOCSIS_ESCAPES_FULL,     /* E"...": \" \\ \xHH */
    DOCSIS_ESCAPES_JSON
} docsis_escapes;

typedef struct docsis_token {
    docsis_token_kind kind;
    const char *start;      /* for strings: behind the opening quote */
    size_t length;          /* for strings: up to the closing quote */
    size_t offset;          /* of the token in the text */
    docsis_escapes escapes; /* of a string: which ones it may hold */
    bool has_backslash;     /* a string with a backslash in it */
} docsis_token;

typedef struct docsis_lexer {
    const char *text;
    const char *end;
    const char *position;
    docsis_error *error;
} docsis_lexer;

/* Next token; false = error set. At the end of the text the kind is DOCSIS_TOK_END. */
bool docsis_lex(docsis_lexer *lexer, docsis_token *token);
/* Kind as it reads in messages: "a number", ... */
const char *docsis_token_name(docsis_token_kind kind);
/* Appends a string token's bytes with its escapes resolved. */
bool docsis_put_string(docsis_buffer *out, const docsis_token *token);
/*
 * A string that holds a hex string or an address, which then is the token; any other
 * token stays what it is. text: the start of the input, for offsets.
 */
docsis_token docsis_unquote(const char *text, const docsis_token *token);

/* ---- values ------------------------------------------------------------- */

/* What an encoder of a value needs. text is the start of the input, for offsets. */
typedef struct docsis_context {
    const docsis_options *options;
    docsis_buffer *out;
    docsis_error *error;
    const char *text;
    size_t text_length;
} docsis_context;

/* Is value inside the symbol's limits, or those of the first symbol of its name? */
bool docsis_within_limits(const docsis_symbol *symbol, docsis_limits limits, uint32_t value);
/* Appends the value of a leaf; the token is of any value kind. */
bool docsis_encode_token(docsis_context *context, const docsis_symbol *symbol,
                         const docsis_token *token);
/* Checks and appends a number. overflow: the text's number did not fit. */
bool docsis_encode_number(docsis_context *context, const docsis_symbol *symbol, int64_t value,
                          bool overflow, size_t offset);
/* Checks the length of the string at out[start..] against the limits; adds strz's zero. */
bool docsis_finish_string(docsis_context *context, const docsis_symbol *symbol, size_t start,
                          size_t offset);
/* "value of the wrong type" */
bool docsis_error_type(docsis_context *context, const docsis_symbol *symbol,
                       const docsis_token *token);
/* Issues *warning if somebody listens; the location is filled in. */
void docsis_warn(docsis_context *context, docsis_code code, size_t offset, const char *symbol,
                 const char *message, const char *detail);

/* Decimal text -> number; *overflow when it exceeds 64 bits or is not inside int64. */
int64_t docsis_number(const char *text, size_t length, bool *overflow);
/* One hex digit's value, or -1. */
static inline int docsis_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
/* Text -> 16 bytes; the last 32 bits may be in IPv4 form. */
bool docsis_ip6_parse(const char *text, size_t length, uint8_t address[16]);
bool docsis_ip4_parse(const char *text, size_t length, uint8_t address[4]);
/* Appends an address; embedded: as inet_ntop does, with IPv4 tails. */
bool docsis_put_ip6(docsis_buffer *out, const uint8_t address[16], bool embedded);
bool docsis_put_ip4(docsis_buffer *out, const uint8_t address[4]);

/*
 * Can the value be written in its type's text form so that it reads back to the
 * same bytes?
 */
bool docsis_value_is_typed(const docsis_tlv *tlv);
/* Appends the type's text form of a value for which docsis_value_is_typed() holds. */
bool docsis_put_value(docsis_buffer *out, const docsis_tlv *tlv,
                      const docsis_text_options *options);

/* ---- text pieces shared by the writers ---------------------------------- */

/* Length of the UTF-8 sequence at p (1..4), or 0 when it is not one. */
int docsis_utf8_length(const uint8_t *p, size_t available);
/* Valid UTF-8 without control characters? */
bool docsis_is_plain_text(const uint8_t *bytes, size_t length);
/* The language's word for a varbind's type; as_string: of the two for octet strings, String. */
const char *docsis_tag_keyword(uint8_t tag, bool as_string);
/* "..." when that form carries the bytes (and they are ASCII, if so wished), else E"...". */
bool docsis_put_quoted(docsis_buffer *out, const uint8_t *bytes, size_t length, bool ascii);

/* ---- OIDs and varbinds -------------------------------------------------- */

typedef struct docsis_varbind {
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int arc_count;
    uint8_t tag;
    const uint8_t *value;
    size_t value_length;
    const uint8_t *oid;     /* its BER contents; set by docsis_varbind_read() only */
    size_t oid_length;
    const docsis_mib_node *node;  /* docsis_put_varbind_text() found it for a name; or NULL */
} docsis_varbind;

#define DOCSIS_TAG_INTEGER   0x02
#define DOCSIS_TAG_STRING    0x04
#define DOCSIS_TAG_OID       0x06
#define DOCSIS_TAG_SEQUENCE  0x30
#define DOCSIS_TAG_IPADDRESS 0x40
#define DOCSIS_TAG_COUNTER   0x41
#define DOCSIS_TAG_GAUGE     0x42
#define DOCSIS_TAG_TICKS     0x43

/* Can a token of this kind be an OID? Four arcs without a dot in front look like an address. */
static inline bool docsis_is_oid(docsis_token_kind kind)
{
    return kind == DOCSIS_TOK_OID || kind == DOCSIS_TOK_IP;
}
/*
 * Text of an OID token -> arcs, by the resolver rules; errors with location. *syntax
 * (may be NULL): that of the object whose instance it is, as far as one is known.
 */
bool docsis_resolve_oid(docsis_context *context, const char *text, size_t length,
                        uint32_t arcs[DOCSIS_MAX_ARCS], int *count, docsis_mib_syntax *syntax);
/*
 * The same for an OID that is a value: its names are walked from the root or from
 * mib-2, as the docsis tool does; only what is not found so is looked up.
 */
bool docsis_resolve_value_oid(docsis_context *context, const char *text, size_t length,
                              uint32_t arcs[DOCSIS_MAX_ARCS], int *count);
/* Arcs -> BER contents; 0 = cannot be encoded. out holds 5 * DOCSIS_MAX_ARCS bytes. */
size_t docsis_oid_to_ber(const uint32_t *arcs, int count, uint8_t *out);
/* BER contents -> arcs; false when not minimal or too many. */
bool docsis_oid_from_ber(const uint8_t *ber, size_t length, uint32_t arcs[DOCSIS_MAX_ARCS],
                         int *count);
/* An OID with tag and length filling exactly `length` bytes, or followed by `rest` more. */
bool docsis_oid_from_tlv(const uint8_t *bytes, size_t length, size_t rest,
                         uint32_t arcs[DOCSIS_MAX_ARCS], int *count);
bool docsis_put_oid_tlv(docsis_buffer *out, const uint32_t *arcs, int count);
/* style NATIVE prints only names that every profile reads back to the same arcs. */
bool docsis_put_oid_text(docsis_buffer *out, const uint32_t *arcs, int count,
                         docsis_oid_form form, docsis_style style, const docsis_mib_overlay *mib);
/* The same for form NAMES, when docsis_mib_walk() found node and used. */
bool docsis_put_oid_name(docsis_buffer *out, const uint32_t *arcs, int count,
                         const docsis_mib_node *node, int used, docsis_style style,
                         const docsis_mib_overlay *mib);
/* Octets of an index column of fixed size, or -1. */
int64_t docsis_fixed_size(const docsis_mib_syntax *column);
bool docsis_put_oid_numeric(docsis_buffer *out, const uint32_t *arcs, int count, bool leading_dot);

/* Bytes of a varbind's sequence -> parts; false = not a varbind. */
bool docsis_varbind_read(const uint8_t *bytes, size_t length, docsis_varbind *varbind);
/* Does the encoder below write exactly these bytes for these parts? */
bool docsis_varbind_is_canonical(const docsis_varbind *varbind, const uint8_t *bytes,
                                 size_t length);
/* Everything of the sequence in front of the value's octets; returns its length. */
#define DOCSIS_VARBIND_PREFIX (5 * DOCSIS_MAX_ARCS + 12)
size_t docsis_varbind_prefix(const docsis_varbind *varbind, uint8_t out[DOCSIS_VARBIND_PREFIX]);
/* Where a varbind statement stands. */
typedef struct docsis_varbind_place {
    const char *name;       /* of the symbol, for messages */
    uint8_t code;
    bool may_be_long;       /* TLV 64 with a two-byte length is possible */
    size_t offset;          /* of the statement in the text */
} docsis_varbind_place;
/*
 * Appends a whole varbind TLV. oid and type are texts ("sysContact.0", "String");
 * the value token is of the kind that belongs to the type.
 */
bool docsis_encode_varbind(docsis_context *context, const docsis_varbind_place *place,
                           const char *oid, size_t oid_length, const char *type,
                           size_t type_length, const docsis_token *value);
/* Appends the value of TLV 10: OID and one byte. */
bool docsis_encode_snmp_write(docsis_context *context, const docsis_symbol *symbol,
                              const char *oid, size_t oid_length, int64_t value, bool overflow,
                              size_t offset);
/* Numbers of SNMP: value octets of an integer in minimal form; returns their number. */
int docsis_ber_signed(int32_t value, uint8_t out[5]);
int docsis_ber_unsigned(uint32_t value, uint8_t out[5]);
bool docsis_ber_number(const docsis_varbind *varbind, int64_t *value);
/* `octets` against the SIZE of a MIB object: error when too long, else maybe a warning. */
bool docsis_check_size(docsis_context *context, const docsis_mib_syntax *syntax, size_t octets,
                       size_t offset);
/* Reads the varbind of a TLV; false when its text form would not read back to the same bytes. */
bool docsis_varbind_read_typed(const docsis_tlv *tlv, docsis_varbind *varbind);
/* Would docsis_check_size() accept the string of this varbind? True for other types. */
bool docsis_size_fits(const docsis_varbind *varbind);
/* `oid Type value` of a varbind; without semicolon. */
bool docsis_put_varbind_text(docsis_buffer *out, docsis_varbind *varbind,
                             const docsis_text_options *options, const char **enum_label);

/* ---- reader ------------------------------------------------------------- */

/*
 * Header of a top-level TLV at position. long_64: TLV 64 has a two-byte length.
 * Returns false when it does not fit; else *header and *value_length are set.
 */
static inline bool docsis_top_header(const uint8_t *config, size_t length, size_t position,
                                     bool long_64, size_t *header, size_t *value_length)
{
    uint8_t code = config[position];
    const docsis_symbol *symbol;

    if (code == 0 || code == DOCSIS_CODE_EOD) {
        *header = 1;
        *value_length = 0;
        return true;
    }
    /* Codes below 64 are spared the look-up: none of them has a two-byte length. */
    if (code >= DOCSIS_CODE_LONG &&
        ((code == DOCSIS_CODE_LONG && long_64) ||
         ((symbol = docsis_child(NULL, code)) != NULL && symbol->length_bytes == 2))) {
        if (length - position < 3)
            return false;
        *header = 3;
        *value_length = (size_t) config[position + 1] << 8 | config[position + 2];
    } else {
        if (length - position < 2)
            return false;
        *header = 2;
        *value_length = config[position + 1];
    }
    return *value_length <= length - position - *header;
}
/* Well-formed top level? */
bool docsis_check_top(const uint8_t *config, size_t length, bool long_64, docsis_error *error);

#endif

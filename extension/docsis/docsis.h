/*
 * docsis.h - DOCSIS and PacketCable configfiles: text, JSON and binary.
 *
 * The codec core. Pure C11: no PostgreSQL header, no global that changes,
 * re-entrant, errors as values. libcrypto is used for digests and certificates only.
 *
 * Words: a "config" is the byte string of a configfile, exactly as a modem
 * downloads it (with or without MICs, end-of-data and padding). A CM config is
 * a run of TLVs; a config whose first byte is 254 is an MTA config, in which
 * a top-level TLV 64 has a two-byte length.
 *
 * Every function that can fail returns bool: true = done, false = *error says
 * why. A failing function leaves out->length as it found it.
 *
 *
 * The text language
 * -----------------
 * Accepted: the language of the open "docsis" tool, for every text that the
 * tool encodes faithfully, with the same bytes. What the tool truncates, drops
 * or crashes on is an error here. Text is bytes: values of 0x80 and above pass.
 *
 * Names bind by parent first; a name that the parent does not know binds to the
 * first symbol of that name anywhere, with a warning.
 *
 * Statements and tokens beyond the tool's language (all of them are errors in
 * the tool, so no old text changes its meaning):
 *
 *   CmMic 0x<32 digits>;       TLV 6 as given (sealing replaces it)
 *   CmtsMic 0x<32 digits>;     TLV 7 as given
 *   EndOfDataMkr;              the single byte 255
 *   Pad;   Pad 3;              1 or n zero bytes, one byte each
 *   0x                         the empty hex string
 *   E"..."                     a string with escapes: \" \\ and \xHH (two hex
 *                              digits); any other backslash is an error. In the
 *                              plain form "..." the tool's rule holds: \" is a
 *                              quote, every other backslash becomes a blank.
 *   TlvLength 0 TlvValue 0x    a generic TLV without a value
 *   GroupID 1;                 a list with one item
 *   SwUpgradeServer "1.2.3.4"; a hex string or an address in double quotes
 *   0:1a:2:3:4:5               a MAC address with one-digit groups
 *   ::ffff:192.0.2.1           an IPv6 address that ends in IPv4 form
 *   SNMPv1v2cTransportAddress 192.0.2.1;  without a port: port 0, with a warning
 *   SnmpMibObject 1.3.6.1 ...  an OID of four arcs without a dot in front
 *   IF-MIB::ifAlias.1          a MIB name with its module
 *   Integer readWrite          a label of the object's enumeration, also with
 *   Integer readWrite(3)       its number; both must agree
 *   ObjectID sysDescr.0        MIB names in values, looked up as in object names
 *
 * docsis_write_text() in DOCSIS_STYLE_NATIVE uses them so that its output always
 * reads back to the same bytes; what no typed statement can carry (unknown
 * codes, values of a wrong size, groups with broken contents or without any) is
 * a GenericTLV statement followed by a comment with the symbol's name.
 */
#ifndef DOCSIS_H
#define DOCSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- buffers ------------------------------------------------------------ */

/*
 * A growing byte buffer of the caller. The codec appends at data + length.
 * grow() must make capacity >= needed and keep the first `length` bytes; it
 * returns false when it cannot (the call then fails with DOCSIS_NO_MEMORY). It
 * may also not return at all (longjmp): the codec holds nothing to release.
 * grow == NULL: the buffer is of fixed size.
 */
typedef struct docsis_buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
    bool (*grow)(struct docsis_buffer *buffer, size_t needed);
    void *context;
} docsis_buffer;

/* grow() for plain C programs: realloc. Free buffer->data with free(). */
bool docsis_grow_malloc(docsis_buffer *buffer, size_t needed);

/* ---- errors and warnings ------------------------------------------------ */

typedef enum docsis_code {
    DOCSIS_OK = 0,
    DOCSIS_SYNTAX,            /* the text is not of the language */
    DOCSIS_UNKNOWN_NAME,      /* no TLV symbol of this name */
    DOCSIS_TYPE_MISMATCH,     /* a value of the wrong kind for the symbol */
    DOCSIS_OUT_OF_RANGE,      /* a number or length outside the symbol's limits */
    DOCSIS_TOO_LONG,          /* a value, group or varbind does not fit its length field */
    DOCSIS_LIMIT,             /* a limit of this codec: nesting, arcs, input size */
    DOCSIS_UNKNOWN_OID,       /* a MIB name that does not resolve */
    DOCSIS_REFUSED,           /* a statement that this codec will not carry out (files) */
    DOCSIS_MALFORMED,         /* bytes that are not a config */
    DOCSIS_INVALID_ARGUMENT,  /* secret, option or kind of config */
    DOCSIS_INVALID_JSON,      /* not JSON, or not JSON of the config form */
    DOCSIS_NO_MEMORY,         /* buffer->grow() said no */
    DOCSIS_CRYPTO,            /* libcrypto refused a digest */
    DOCSIS_AMBIGUOUS          /* warning only: a MIB name with several meanings; symbol = it */
} docsis_code;

/*
 * What went wrong, worded as PostgreSQL words it: message in lower case without
 * full stop, detail and hint as sentences (empty string = none). line and
 * column are 1-based, column counts bytes, both point at the offending token
 * and are 0 for binary input. offset is the byte offset in the input.
 */
typedef struct docsis_error {
    docsis_code code;
    int line;
    int column;
    size_t offset;
    char symbol[80];   /* the TLV symbol concerned, if any */
    char message[400];
    char detail[400];
    char hint[400];
} docsis_error;

/* A warning has the shape of an error; the call goes on. */
typedef void (*docsis_warning_fn)(void *context, const docsis_error *warning);

/* ---- options ------------------------------------------------------------ */

/*
 * Which MIB wins where several define the same name. CABLELABS: the CableLabs
 * modules, and all others that are not of the following two. IETF: modules with
 * -IETF- in their name. EXCENTIS: objects below enterprise 7432 (EuroPacketCable).
 * A name that the profile's modules lack is taken from the others.
 */
typedef enum docsis_profile {
    DOCSIS_PROFILE_CABLELABS = 0,
    DOCSIS_PROFILE_IETF,
    DOCSIS_PROFILE_EXCENTIS
} docsis_profile;

/* Of which profile is an object with this module and these arcs? */
docsis_profile docsis_mib_family(const char *module, const uint32_t *arcs, int count);

/*
 * Which limits numbers and lengths have: those of the newest specifications, or
 * those of the docsis tool, some of which later specifications have raised.
 */
typedef enum docsis_limits {
    DOCSIS_LIMITS_CURRENT = 0,
    DOCSIS_LIMITS_TOOL
} docsis_limits;

/* ---- MIB objects --------------------------------------------------------- */

#define DOCSIS_MAX_ARCS 128

typedef enum docsis_mib_type {
    DOCSIS_MIB_NONE = 0, DOCSIS_MIB_BITS, DOCSIS_MIB_COUNTER, DOCSIS_MIB_COUNTER64,
    DOCSIS_MIB_GAUGE, DOCSIS_MIB_INTEGER, DOCSIS_MIB_INTEGER32, DOCSIS_MIB_IPADDR,
    DOCSIS_MIB_NOTIF, DOCSIS_MIB_OBJECTID, DOCSIS_MIB_OCTETSTR, DOCSIS_MIB_TICKS,
    DOCSIS_MIB_UNSIGNED32
} docsis_mib_type;

typedef enum docsis_mib_access {
    DOCSIS_MIB_ACCESS_NONE = 0,    /* not an object with a value */
    DOCSIS_MIB_NOT_ACCESSIBLE, DOCSIS_MIB_NOTIFY, DOCSIS_MIB_READ_ONLY, DOCSIS_MIB_READ_WRITE,
    DOCSIS_MIB_READ_CREATE
} docsis_mib_access;

typedef struct docsis_range {
    int64_t low;
    int64_t high;
} docsis_range;

typedef struct docsis_enum {
    int32_t value;
    const char *label;
} docsis_enum;

/* What values an object takes. ranges: of the number, or of the length in bytes. */
typedef struct docsis_mib_syntax {
    const char *name;
    docsis_mib_type type;
    const docsis_range *ranges;
    int range_count;
    const docsis_enum *enums;
    int enum_count;
} docsis_mib_syntax;

/* A MIB object. index: the INDEX columns of the table that a column belongs to. */
typedef struct docsis_mib_object {
    docsis_mib_syntax syntax;
    const char *module;
    const uint32_t *arcs;
    int arc_count;
    const docsis_mib_syntax *index;
    int index_count;
    bool implied;                  /* the last index has no length of its own */
} docsis_mib_object;

/* SMI's words: "OCTET STRING", "read-create"; "" for none. */
const char *docsis_mib_type_name(docsis_mib_type type);
const char *docsis_mib_access_name(docsis_mib_access access);
/* Of a type's word of these many bytes; DOCSIS_MIB_NONE when unknown. */
docsis_mib_type docsis_mib_type_of(const char *word, size_t length);

/*
 * MIB objects that the built-in table lacks (an operator's own MIBs), or that are
 * to win over it. Both functions may be NULL.
 * by_name(): the n-th object (0, 1, ...) of this name, which is not
 * zero-terminated; NULL = no more. by_oid(): the object that owns the longest
 * known prefix of arcs, or NULL.
 */
typedef struct docsis_mib_overlay {
    const docsis_mib_object *(*by_name)(void *context, const char *name, size_t length, int n);
    const docsis_mib_object *(*by_oid)(void *context, const uint32_t *arcs, int count);
    void *context;
} docsis_mib_overlay;

/* The built-in MIB objects: 0 .. count - 1. A nameless node has the name NULL. */
int docsis_mib_object_count(void);
/* Fills *object, except for its index; the arcs stand in arcs. False: no such object. */
bool docsis_mib_object_at(int number, docsis_mib_object *object, uint32_t arcs[DOCSIS_MAX_ARCS]);
docsis_mib_access docsis_mib_object_access(int number);
/* Document that defines an object's module ("RFC 4639"); "" = unknown. */
const char *docsis_mib_object_reference(int number);
/* The k-th INDEX column of a table's row; false = no more. *implied as above. */
bool docsis_mib_object_index(int number, int k, docsis_mib_syntax *column, bool *implied);
/* The first built-in object of this name under a profile; false = none. */
bool docsis_mib_object_find(const char *name, size_t length, docsis_profile profile,
                            docsis_mib_syntax *syntax);

typedef struct docsis_options {
    docsis_profile profile;
    docsis_limits limits;
    bool allow_long_varbind;          /* CM config: varbind > 255 bytes as TLV 64 with a
                                         two-byte length, as the docsis tool writes it */
    docsis_warning_fn warn;           /* or NULL */
    void *warn_context;
    const docsis_mib_overlay *mib;    /* or NULL */
} docsis_options;                     /* all zero = defaults; a NULL pointer = defaults */

/* ---- text --------------------------------------------------------------- */

/*
 * Text -> config: exactly the TLVs of the text, in its order. Nothing is sealed.
 * The text need not be zero-terminated.
 */
bool docsis_parse_text(const char *text, size_t length, const docsis_options *options,
                       docsis_buffer *out, docsis_error *error);

typedef enum docsis_style {
    DOCSIS_STYLE_NATIVE = 0,  /* reads back to the same bytes, always */
    DOCSIS_STYLE_DOCSIS       /* the layout of the docsis tool's decoder */
} docsis_style;

typedef enum docsis_oid_form {
    DOCSIS_OID_NAMES = 0,     /* docsDevNmAccessIp.1 (names unknown: enterprises.872.1) */
    DOCSIS_OID_NUMERIC,       /* .1.3.6.1.2.1.69.1.2.1.2.1 */
    DOCSIS_OID_ISO            /* iso.3.6.1.2.1.69.1.2.1.2.1 */
} docsis_oid_form;

typedef struct docsis_text_options {
    docsis_style style;
    docsis_oid_form oid_form;         /* NATIVE: only unambiguous built-in names are used */
    const docsis_mib_overlay *mib;    /* DOCSIS style only; or NULL */
    bool body_only;                   /* without the enclosing Main { } */
    bool ascii;                       /* NATIVE: bytes above 127 are escaped in strings */
    bool valid_utf8;                  /* DOCSIS style: bytes of strings that are not UTF-8, and
                                         control characters, as \xHH; the tool writes them raw */
} docsis_text_options;

/* Config -> text. Fails only when the top level is malformed, or for lack of memory. */
bool docsis_write_text(const uint8_t *config, size_t length, const docsis_text_options *options,
                       docsis_buffer *out, docsis_error *error);

/* ---- JSON --------------------------------------------------------------- */

/*
 * Config -> JSON text, and back. An array of objects in file order:
 *   {"t":"24","n":"UsServiceFlow","v":[{"t":"24.8","n":"MaxRateSustained","v":1000}]}
 *   {"t":"11","n":"SnmpMibObject","v":{"oid":"1.3.6.1.2.1.1.4.0","name":"sysContact.0",
 *                                      "type":"String","value":"noc"}}
 *   {"t":"250","hex":"0102"}            unknown code, or a value of no typed form
 *   {"t":"255","n":"EndOfDataMkr"}      {"t":"0","n":"Pad","v":3}
 * Numbers are JSON numbers; strings, addresses, lists and hex values (0x...) are
 * JSON strings in the text language's form. Reading: "t" may be the path or the
 * last code alone; "n" alone binds like a name in text; members in any order;
 * "name" and unknown members are ignored when "oid" or "t" is there; an "oid"
 * may be a MIB name. bytes -> JSON -> bytes is the identity.
 */
bool docsis_write_json(const uint8_t *config, size_t length, const docsis_text_options *options,
                       docsis_buffer *out, docsis_error *error);
bool docsis_read_json(const char *json, size_t length, const docsis_options *options,
                      docsis_buffer *out, docsis_error *error);

/* ---- reading TLVs ------------------------------------------------------- */

typedef enum docsis_type {
    DOCSIS_T_GENERIC = 0, DOCSIS_T_PAD, DOCSIS_T_EOD, DOCSIS_T_U8, DOCSIS_T_U16, DOCSIS_T_U24,
    DOCSIS_T_U32, DOCSIS_T_STR, DOCSIS_T_STRZ, DOCSIS_T_HEX, DOCSIS_T_MAC, DOCSIS_T_MAC_MASK,
    DOCSIS_T_IPV4, DOCSIS_T_IPV6, DOCSIS_T_IPV4_LIST, DOCSIS_T_IPV6_LIST,
    DOCSIS_T_IPV6_PREFIX_LIST, DOCSIS_T_IP, DOCSIS_T_INETADDR, DOCSIS_T_IP_PORT,
    DOCSIS_T_U8_LIST, DOCSIS_T_U16_LIST, DOCSIS_T_U16_PAIR, DOCSIS_T_OID, DOCSIS_T_EMPTY,
    DOCSIS_T_GROUP, DOCSIS_T_VARBIND, DOCSIS_T_SNMP_WRITE, DOCSIS_T_FILE, DOCSIS_T_MD5
} docsis_type;

typedef struct docsis_symbol docsis_symbol;   /* see symbol.h */

/* Facts of a symbol; NULL-safe: "" / DOCSIS_T_GENERIC for NULL. */
const char *docsis_symbol_name(const docsis_symbol *symbol);
const char *docsis_symbol_path(const docsis_symbol *symbol);      /* "24.8" */
const char *docsis_symbol_spec(const docsis_symbol *symbol);      /* "MULPIv3.0-I24 Annex C..." */
docsis_type docsis_symbol_type(const docsis_symbol *symbol);
const char *docsis_symbol_unit(const docsis_symbol *symbol);      /* "bit/s"; "" = unknown */
const char *docsis_type_name(docsis_type type);                   /* "u8", "ipv4_list", ... */
bool docsis_symbol_limits(const docsis_symbol *symbol, docsis_limits limits, uint32_t *minimum,
                          uint32_t *maximum);
int docsis_symbol_length_bytes(const docsis_symbol *symbol);      /* of the length field: 1 or 2 */

/* The whole dictionary: symbols 0 .. count - 1. */
int docsis_symbol_count(void);
const docsis_symbol *docsis_symbol_at(int index);
/* Child of a group by code (parent NULL = top level), or NULL. */
const docsis_symbol *docsis_symbol_child(const docsis_symbol *parent, uint8_t code);
/* By name: the parent's child of that name, else the first of that name, else NULL. */
const docsis_symbol *docsis_symbol_find(const docsis_symbol *parent, const char *name,
                                        size_t length);

#define DOCSIS_MAX_DEPTH 12

typedef struct docsis_tlv {
    const docsis_symbol *symbol;   /* NULL = unknown code */
    uint8_t code;
    uint8_t header_length;         /* 1 (Pad, EndOfDataMkr), 2 or 3 */
    uint8_t depth;                 /* 0 = top level */
    bool is_group;                 /* value is a sequence of TLVs, visited next */
    bool generic;                  /* to be shown as a generic entry */
    uint8_t path[DOCSIS_MAX_DEPTH];/* codes; path[depth] == code */
    size_t offset;                 /* of the first header byte in the config */
    size_t length;                 /* of the value */
    const uint8_t *value;          /* points into the config */
} docsis_tlv;

/* Walks all TLVs of a config in pre-order (a group, then its members). */
typedef struct docsis_cursor {
    const uint8_t *config;
    size_t length;
    size_t position;
    bool is_mta;
    bool ended;                    /* 255 seen */
    uint8_t path[DOCSIS_MAX_DEPTH];
    int depth;
    struct {
        size_t end;
        const docsis_symbol *symbol;
        bool generic;              /* after a foreign VendorIdentifier */
    } frame[DOCSIS_MAX_DEPTH];
} docsis_cursor;

void docsis_cursor_init(docsis_cursor *cursor, const uint8_t *config, size_t length);
/* 1: *tlv is the next one; 0: no more; -1: malformed top level, *error says where. */
int docsis_cursor_next(docsis_cursor *cursor, docsis_tlv *tlv, docsis_error *error);
/* Do not visit the members of the group that next() just returned. */
void docsis_cursor_skip(docsis_cursor *cursor, const docsis_tlv *tlv);

/* "24.8" of a visited TLV. size >= 4 * DOCSIS_MAX_DEPTH; returns the length. */
int docsis_tlv_path(const docsis_tlv *tlv, char *path, size_t size);
/*
 * The value as the text language writes it, without name and semicolon
 * (`7`, `"abc"`, `sysContact.0 String "noc"`); 0x... for generic entries, nothing
 * for groups. Appends to out.
 */
bool docsis_tlv_value(const docsis_tlv *tlv, const docsis_text_options *options,
                      docsis_buffer *out, docsis_error *error);

/* Is this a well-formed config (top level)? */
bool docsis_check(const uint8_t *config, size_t length, docsis_error *error);
/* Does it start with 254? */
bool docsis_is_mta(const uint8_t *config, size_t length);

/* ---- MICs and hashes ---------------------------------------------------- */

/* CMTS MIC: TLV 59 stands in the place of 20 when present (MULPI 4.0). */
#define DOCSIS_MIC_IPV6_ADDRESS  0x01
/* TLV 64 has a two-byte length, as allow_long_varbind writes it into CM configs. */
#define DOCSIS_MIC_LONG_VARBIND  0x02
/*
 * Compute the Extended CMTS MIC where the config asks for one by a TLV 43.6: an
 * explicit digest (43.6.3 present, any 16 bytes) is filled in; without one, TLV 7
 * carries the extended digest. Without this flag 43.6 stays as it was given.
 */
#define DOCSIS_MIC_EXTENDED      0x04
/*
 * Make the Extended CMTS MIC anew: any 43.6 of the config goes, and a TLV 43 with
 * one of HMAC-MD5 becomes the last setting, with or without a digest of its own.
 * Its bitmap covers the settings that are there and of which the modem tells the
 * CMTS (MULPI Annex C.1.1 and C.2); the implicit form covers the CM MIC as well.
 */
#define DOCSIS_MIC_EXPLICIT      0x08
#define DOCSIS_MIC_IMPLICIT      0x10
/* Internal, for comparisons only: an empty secret is allowed. */
#define DOCSIS_MIC_EMPTY_SECRET  0x100

/*
 * A shared secret made ready for HMAC-MD5: its first block is behind it, inside and
 * outside. The caller owns it and cleanses it; it is as secret as the secret. Any
 * number of threads may use it at a time. Its members are not for callers.
 */
typedef struct docsis_key {
    uint32_t inner[4];
    uint32_t outer[4];
} docsis_key;

/* secret: 1..64 bytes, else DOCSIS_INVALID_ARGUMENT. RFC 2104. */
bool docsis_key_init(docsis_key *key, const uint8_t *secret, size_t length, unsigned flags,
                     docsis_error *error);
void docsis_key_cleanse(docsis_key *key);

/*
 * Config -> sealed config: without any 6, 7, 255 and padding of the input, then
 * CM MIC, CMTS MIC, 255 and zeros to a multiple of four. An MTA config is
 * returned unchanged. Sealing what was sealed gives the same bytes. Errors: those
 * of docsis_key_init(); with DOCSIS_MIC_EXTENDED also DOCSIS_INVALID_ARGUMENT for
 * a 43.6 that makes no sense, DOCSIS_REFUSED for one of another kind than
 * HMAC-MD5. MULPIv3.1 Annex D.1.3, D.2. The keyed form saves two of the MD5's
 * blocks per file.
 */
bool docsis_seal(const uint8_t *config, size_t length, const uint8_t *secret,
                 size_t secret_length, unsigned flags, docsis_buffer *out, docsis_error *error);
bool docsis_seal_keyed(const uint8_t *config, size_t length, const docsis_key *key,
                       unsigned flags, docsis_buffer *out, docsis_error *error);

typedef enum docsis_mic_state {
    DOCSIS_MIC_ABSENT = 0,
    DOCSIS_MIC_OK,
    DOCSIS_MIC_WRONG,
    DOCSIS_MIC_UNSUPPORTED         /* Extended CMTS MIC of another kind than HMAC-MD5 */
} docsis_mic_state;

typedef struct docsis_verification {
    docsis_mic_state cm_mic;
    docsis_mic_state cmts_mic;     /* also ok when TLV 7 is the right implicit extended MIC */
    docsis_mic_state extended_mic; /* TLV 43.6, MULPIv3.1 C.1.1.18.1.6 */
    bool extended_implicit;        /* 43.6 without a digest of its own */
    bool is_mta;                   /* MTA configs have no MIC: both absent */
} docsis_verification;

/*
 * Checks the MICs of a config. A 43.6 that is not of HMAC-MD5 is UNSUPPORTED; one
 * without a digest of its own in a config without TLV 7 is ABSENT.
 */
bool docsis_verify(const uint8_t *config, size_t length, const uint8_t *secret,
                   size_t secret_length, unsigned flags, docsis_verification *result,
                   docsis_error *error);
bool docsis_verify_keyed(const uint8_t *config, size_t length, const docsis_key *key,
                         unsigned flags, docsis_verification *result, docsis_error *error);

typedef enum docsis_mta_hash_kind {
    DOCSIS_MTA_HASH_NONE = 0,
    DOCSIS_MTA_HASH_NA,            /* pktcMtaDevProvConfigHash.0, CableLabs MIB */
    DOCSIS_MTA_HASH_EU,            /* the European MIB, enterprise 7432 */
    DOCSIS_MTA_HASH_IETF           /* RFC 4682 */
} docsis_mta_hash_kind;

/*
 * MTA config -> MTA config with its SHA-1 in a varbind before the closing
 * delimiter. The config must start with 254 1 and end with 254 255. A hash that
 * this function made before (last, and right) is replaced, so hashing is
 * idempotent; any other hash varbind in the settings stays.
 */
bool docsis_mta_hash(const uint8_t *config, size_t length, docsis_mta_hash_kind kind,
                     docsis_buffer *out, docsis_error *error);

/* ---- dial plans -------------------------------------------------------------- */

/*
 * The docsis tool has two ways to write pktcEUERSTDMValue.1; their bytes differ.
 */
typedef enum docsis_dialplan_form {
    DOCSIS_DIALPLAN_OPTION = 0,    /* as its option -dialplan: always TLV 64 */
    DOCSIS_DIALPLAN_DIGITMAP       /* as its statement DigitMap: TLV 11, or 64 when long */
} docsis_dialplan_form;

/*
 * Text of a digit map -> an MTA config with nothing but the dial plan between its
 * delimiters (a TLV 64 with a two-byte length exists in MTA configs only). 1 to
 * 65,000 bytes, as DigitMap 1 to 8,192; else DOCSIS_INVALID_ARGUMENT.
 */
bool docsis_dialplan(const uint8_t *plan, size_t length, docsis_dialplan_form form,
                     docsis_buffer *out, docsis_error *error);
/*
 * MTA config -> the same with the settings of dialplan (an MTA config as well)
 * before the closing delimiter. A dial plan that was there is replaced; a hash that
 * docsis_mta_hash() made goes, since it would no longer be right: hash afterwards.
 */
bool docsis_mta_dialplan(const uint8_t *config, size_t length, const uint8_t *dialplan,
                         size_t dialplan_length, docsis_buffer *out, docsis_error *error);

/* ---- settings added at download, and certificates ----------------------------- */

typedef struct docsis_download {
    bool has_timestamp;
    uint32_t timestamp;            /* TLV 19: seconds since 1900-01-01 00:00 UTC, RFC 868 */
    uint8_t address_length;        /* 4: TLV 20, 16: TLV 59, 0: none */
    uint8_t address[16];           /* of the modem */
} docsis_download;

/*
 * CM config -> its settings with these, ready to be sealed: MICs, 255 and padding
 * are gone. The new TLVs are the last ones, before a TLV 43 of an Extended CMTS MIC
 * that is last; those they replace (20 and 59 replace each other) are gone.
 * An MTA config is DOCSIS_INVALID_ARGUMENT. MULPIv3.1 C.1.1.8, C.1.1.9, C.1.1.10.
 */
bool docsis_put_download(const uint8_t *config, size_t length, const docsis_download *download,
                         docsis_buffer *out, docsis_error *error);

typedef enum docsis_cvc_kind {
    DOCSIS_CVC_CERTIFICATE = 0,    /* TLV 32, cosigner: 33 */
    DOCSIS_CVC_CHAIN               /* TLV 81, cosigner: 82 */
} docsis_cvc_kind;

/*
 * Code verification certificate -> TLVs of 254 bytes and a rest. bytes: X.509
 * certificates in DER, one behind the other, or a PKCS#7 SignedData with them (what
 * follows it when it is signed, the image of a code file, is ignored).
 * CERTIFICATE takes the one that issued none of the others. CHAIN takes two or more
 * and writes a PKCS#7 SignedData of certificates only; one that is given stays as it
 * is. DOCSIS_MALFORMED: no certificates; DOCSIS_INVALID_ARGUMENT: too many or too
 * few; DOCSIS_TOO_LONG. Nothing is verified: the modem does that.
 */
bool docsis_put_cvc(const uint8_t *bytes, size_t length, docsis_cvc_kind kind, bool cosigner,
                    docsis_buffer *out, docsis_error *error);

/* A certificate of what docsis_put_cvc reads. Texts are UTF-8; all is valid in the callback only. */
typedef struct docsis_certificate {
    const char *subject, *issuer, *serial; /* names as RFC 2253, the serial number in hex */
    int64_t valid_from, valid_until;       /* seconds since 1970, UTC */
    int signer;                            /* SECv3.1 14: 1 = the manufacturer's, 2 = the
                                              co-signer's, 0 = of neither (an issuer) */
    const uint8_t *der;
    size_t der_length;
} docsis_certificate;

/*
 * Calls visit for each certificate, in their order. Whose one is: in a signed code file by the
 * order of its signers, the manufacturer first; elsewhere the one that issued none of the others is
 * the manufacturer's. DOCSIS_MALFORMED: no certificates; visit returning false: DOCSIS_CRYPTO
 * unless it has set an error of its own.
 */
bool docsis_read_certificates(const uint8_t *bytes, size_t length,
                              bool (*visit)(void *owner, const docsis_certificate *c),
                              void *owner, docsis_error *error);

/* ---- OIDs --------------------------------------------------------------- */

/*
 * An OID as text (`.1.3.6`, `1.3.6.1`, `sysContact.0`, `iso.3.6`,
 * `vacmGroupName.1."public"`, `IF-MIB::ifAlias.1`) -> arcs. *count = their number.
 */
bool docsis_oid_parse(const char *text, size_t length, const docsis_options *options,
                      uint32_t arcs[DOCSIS_MAX_ARCS], int *count, docsis_error *error);
/* Arcs -> text in the given form. */
bool docsis_oid_text(const uint32_t *arcs, int count, docsis_oid_form form,
                     const docsis_mib_overlay *mib, docsis_buffer *out);

/* ---- lint ----------------------------------------------------------------------- */

typedef enum docsis_severity {
    DOCSIS_ERROR = 0,              /* the file is refused, or does not do what it says */
    DOCSIS_WARNING,                /* allowed, but hardly meant, or not everywhere understood */
    DOCSIS_NOTICE                  /* worth knowing */
} docsis_severity;

/* What the file is checked for. */
typedef enum docsis_version {
    DOCSIS_1_0 = 10, DOCSIS_1_1 = 11, DOCSIS_2_0 = 20, DOCSIS_3_0 = 30, DOCSIS_3_1 = 31,
    DOCSIS_4_0 = 40
} docsis_version;

/* "1.0" ... "4.0"; false = another text. */
bool docsis_version_parse(const char *text, docsis_version *version);

/* A rule of the linter. Identifiers are stable: they may be stored and filtered by. */
typedef struct docsis_lint_rule {
    const char *id;                /* "cm-mic-wrong" */
    docsis_severity severity;
    const char *meaning;           /* one sentence */
    const char *spec;              /* where it is specified; "" = by reason, not by a text */
    const char *hint;              /* the cure, as a sentence; "" = none */
} docsis_lint_rule;

int docsis_lint_rule_count(void);
const docsis_lint_rule *docsis_lint_rule_at(int index);

#define DOCSIS_FINDING_PATH (10 * DOCSIS_MAX_DEPTH)

/* One finding. path and spec, hint and message are zero-terminated and void after the call. */
typedef struct docsis_finding {
    const docsis_lint_rule *rule;
    bool has_place;                /* false = about the file as a whole: no path, no offset */
    char path[DOCSIS_FINDING_PATH];/* "24[2].8": the n-th of several from the second on */
    int occurrence;                /* which of the same code in its group; 1 = the first */
    size_t offset;                 /* of the TLV's first byte */
    const char *spec;              /* of the TLV or MIB object where it has one, else of the rule */
    const char *hint;
    char message[240];             /* lower case, no full stop */
} docsis_finding;

/* Called for each finding; may longjmp, the linter holds nothing. */
typedef void (*docsis_finding_fn)(void *context, const docsis_finding *finding);

typedef struct docsis_lint_options {
    docsis_version version;
    const docsis_mib_overlay *mib; /* objects of its own, or NULL */
} docsis_lint_options;

/*
 * Checks a CM or MTA config, byte strings that are none as well, in the order of the file; what
 * needs the whole file comes last. Allocates nothing (about 110 KB of stack). Returns the number
 * of findings that are errors. A file of more than 1,024 SNMP objects or 512 references is
 * checked for duplicates and references up to there only, and a finding says so.
 */
int docsis_lint(const uint8_t *config, size_t length, const docsis_lint_options *options,
                docsis_finding_fn report, void *context);

#endif

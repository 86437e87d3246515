/*
 * A docsis.config as a value: paths, leaves as JSON scalars, jsonb without JSON text. Shared by the
 * operators (docsis_ops.c), subscripts, containment and its GIN index, and docsis.diff.
 *
 * The core's internal header is used here on purpose: what a value is in JSON must be decided by
 * the same functions that write JSON text, or the two forms would drift apart.
 */
#ifndef NMSP_DOCSIS_VALUE_H
#define NMSP_DOCSIS_VALUE_H

#include "extension/pg/glue.h"

#include "utils/jsonb.h"

#include "extension/docsis/internal.h"

#define CONFIG_BYTES(v) ((const uint8_t *)VARDATA_ANY(v))
#define CONFIG_LENGTH(v) ((size_t)VARSIZE_ANY_EXHDR(v))

/* ---- leaves ------------------------------------------------------------- */

typedef enum nmsp_leaf_kind {
    NMSP_LEAF_NONE,      /* no value: end-of-data, padding, groups */
    NMSP_LEAF_NUMBER,
    NMSP_LEAF_STRING,    /* UTF-8; a value of no typed form is "0x..." and hex is set */
    NMSP_LEAF_VARBIND,   /* an SNMP object; its value is in number or string */
    NMSP_LEAF_WRITE      /* SNMP write control (TLV 10): an OID and a number */
} nmsp_leaf_kind;

/*
 * The value of a TLV as JSON knows it. string points into the config or into the scratch buffer
 * that nmsp_leaf_read() was given; it is valid until that buffer is written again.
 */
typedef struct nmsp_leaf {
    nmsp_leaf_kind kind;
    bool hex;
    bool is_number;             /* the value is in number, else in string */
    int64 number;
    const uint8_t *string;
    size_t length;
    const char *snmp_type;      /* "Integer", ... of a varbind */
    docsis_varbind varbind;     /* of a varbind; of a write: arcs only */
} nmsp_leaf;

/* Reads the value of a TLV that is no group; scratch: reset and used for what must be spelled. */
void nmsp_leaf_read(const docsis_tlv *tlv, docsis_buffer *scratch, nmsp_leaf *leaf);

/* The BER octets of a varbind's OID, not decoded; false, and nothing set, when it is no varbind. */
bool nmsp_varbind_oid(const docsis_tlv *tlv, const uint8_t **oid, size_t *length);

/* ---- paths -------------------------------------------------------------- */

/* Where a TLV stands: the codes from the top. */
typedef struct nmsp_place {
    uint8 depth;
    uint8 code[DOCSIS_MAX_DEPTH];
} nmsp_place;

typedef struct nmsp_places {
    int count;
    int capacity;
    nmsp_place *place;
} nmsp_places;

typedef struct nmsp_segment {
    int name;            /* index of the first symbol of this name, or -1: by code */
    uint8 code;
    int occurrence;      /* 1-based; 0 = any */
} nmsp_segment;

/* '24.8', 'UsServiceFlow.MaxRateSustained', 'MaxCPE', '24[2].8', 'sysContact.0', '.1.3.6.1...' */
typedef struct nmsp_path {
    int count;
    nmsp_segment segment[DOCSIS_MAX_DEPTH];
    size_t oid_length;   /* > 0: the OID of an SNMP object, segments are unused */
    uint8 oid[5 * DOCSIS_MAX_ARCS];
} nmsp_path;

/* Text (database encoding) to path. Errors: 22023 malformed path, unknown name. */
void nmsp_path_parse(const char *text, size_t length, nmsp_path *path);
/* The path of a top-level code. Errors: 22023 not 0 to 255. */
void nmsp_path_of_code(int code, nmsp_path *path);
/* Adds the occurrence to the last segment. Errors: 22023 below 1, or there is one already. */
void nmsp_path_occurrence(nmsp_path *path, int occurrence);
/* Adds the segments of more. Errors: 22023 too deep, SNMP objects have no members. */
void nmsp_path_append(nmsp_path *path, const nmsp_path *more);
/* Refuses a name that is no member of what stands before it. Errors: 22023. */
void nmsp_path_check(const nmsp_path *path);
/* As nmsp_path_parse(), remembered in fn_extra for as long as the text stays the same. */
const nmsp_path *nmsp_path_cached(FmgrInfo *flinfo, const struct varlena *text);

/*
 * All places that a path can mean, below any of scope (NULL = the whole file). A superset where
 * the path counts occurrences. Nothing for OIDs.
 */
nmsp_places nmsp_path_places(const nmsp_path *path, const nmsp_places *scope);

/* A search in file order; begin, then next until it says false. */
typedef struct nmsp_match {
    const nmsp_path *path;
    docsis_cursor cursor;
    size_t end;          /* of what is searched */
    int base;            /* depth of its TLVs */
    int level;           /* segments matched by the groups that are open */
    int depth[DOCSIS_MAX_DEPTH];
    int seen[DOCSIS_MAX_DEPTH + 1];
} nmsp_match;

void nmsp_match_begin(nmsp_match *match, const nmsp_path *path, const uint8_t *config,
                      size_t length);
/* Inside a group: cursor as next() left it when it returned the group. */
void nmsp_match_begin_in(nmsp_match *match, const nmsp_path *path, const docsis_cursor *cursor,
                         const docsis_tlv *group);
bool nmsp_match_next(nmsp_match *match, docsis_tlv *tlv);

/* ---- jsonb -------------------------------------------------------------- */

/* The whole config as an array of TLVs; the same as jsonb_in of docsis_write_json(). */
Jsonb *nmsp_config_jsonb(const uint8_t *config, size_t length);
/*
 * The value of one TLV: "v" of its object in the above, "0x..." for what is "hex" there, null for
 * what has none. cursor: as next() left it when it returned the TLV. by_oid: the value alone of a
 * varbind.
 */
Jsonb *nmsp_tlv_jsonb(const docsis_cursor *cursor, const docsis_tlv *tlv, bool by_oid);

/* ---- patterns of containment -------------------------------------------- */

typedef enum nmsp_condition_kind {
    NMSP_EXISTS,         /* something is there */
    NMSP_NUMBER,
    NMSP_STRING,
    NMSP_NEVER,          /* a number that no TLV can hold */
    NMSP_MEMBERS         /* a group that fulfills all of members */
} nmsp_condition_kind;

typedef struct nmsp_condition {
    nmsp_path path;      /* inside a group: relative to it */
    nmsp_places places;  /* all that the path can mean; empty for OIDs */
    nmsp_condition_kind kind;
    int64 number;
    const uint8_t *string;
    size_t length;
    struct nmsp_pattern *members;
} nmsp_condition;

/* All conditions must hold. */
typedef struct nmsp_pattern {
    int count;
    int capacity;
    nmsp_condition *condition;
} nmsp_pattern;

/*
 * {"MaxCPE": 2, "UsServiceFlow": {"24.1" ...}, "24.8": [1, 2]} to conditions, in
 * CurrentMemoryContext. Errors: 22023 no pattern, unknown names.
 */
nmsp_pattern *nmsp_pattern_compile(const Jsonb *jsonb);
bool nmsp_pattern_holds(const nmsp_pattern *pattern, const uint8_t *config, size_t length);

/* Does a group that stands in a config without its VendorIdentifier read in another way? */
bool nmsp_is_vendor_group(const docsis_symbol *symbol);

/* Is the TLV one that sealing adds or takes away? */
bool nmsp_is_seal(const docsis_tlv *tlv, bool is_mta);

#endif

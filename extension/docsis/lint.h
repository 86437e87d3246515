/*
 * lint.h - what the files of the linter share.
 *
 *   lint.c        the walk, and the rules of the file as a whole: order, mandatory settings, MICs
 *   lint_rules.c  the list of rules: identifier, severity, meaning, specification, cure
 *   lint_value.c  one value: length, range, characters
 *   lint_group.c  members of groups: required, repeated, references between flows and classifiers
 *   lint_snmp.c   SNMP objects against the MIB tree
 *   lint_mta.c    MTA files
 *
 * A new rule is a row of lint_rules.c and a row of a table or a small function in one of the
 * others, which calls docsis_lint_report().
 */
#ifndef DOCSIS_LINT_H
#define DOCSIS_LINT_H

#include "internal.h"

/* In the order of the list in lint_rules.c, which has the texts. */
typedef enum docsis_lint_id {
    LINT_MALFORMED_FILE, LINT_NOT_SEALED, LINT_MANDATORY_MISSING, LINT_MIC_ORDER,
    LINT_CM_MIC_WRONG, LINT_PADDING, LINT_PADDING_EXCESS, LINT_PADDING_INSIDE, LINT_FILE_SIZE,
    LINT_DUPLICATE_SETTING, LINT_REPEATED_SETTING, LINT_CPE_MAC_COUNT, LINT_CLASS_OF_SERVICE,
    LINT_MIXED_QOS, LINT_REMOVED_SETTING, LINT_NEWER_THAN_VERSION, LINT_NEEDS_EXTENDED_MIC,
    LINT_EXTENDED_MIC, LINT_PRIVACY_DISABLED, LINT_LONG_VARBIND,
    LINT_UNKNOWN_TLV, LINT_MISPLACED_TLV, LINT_GROUP_MALFORMED, LINT_VALUE_LENGTH,
    LINT_VALUE_RANGE, LINT_VALUE_255, LINT_VALUE_EMPTY, LINT_STRING_CHARACTERS,
    LINT_STRING_TERMINATOR,
    LINT_VENDOR_ID, LINT_MEMBER_MISSING, LINT_REFERENCE_DUPLICATE, LINT_REFERENCE_UNKNOWN,
    LINT_REFERENCE_DIRECTION, LINT_REFERENCES_MANY, LINT_QOS_SET_TYPE, LINT_RATE_ORDER,
    LINT_SNMP_MALFORMED, LINT_SNMP_UNKNOWN, LINT_SNMP_NOT_AN_OBJECT, LINT_SNMP_NOT_WRITABLE,
    LINT_SNMP_INDEX, LINT_SNMP_INDEX_VALUE, LINT_SNMP_TYPE, LINT_SNMP_NUMBER_TYPE,
    LINT_SNMP_RANGE, LINT_SNMP_ENUM, LINT_SNMP_SIZE, LINT_SNMP_DUPLICATE, LINT_SNMP_REPEATED,
    LINT_SNMP_ROW, LINT_SNMP_MANY,
    LINT_MTA_DELIMITER, LINT_MTA_SETTING, LINT_MTA_HASH_MISSING, LINT_MTA_HASH_WRONG,
    LINT_COUNT
} docsis_lint_id;

extern const docsis_lint_rule docsis_lint_rules[LINT_COUNT];

/* Where a finding is: codes and occurrences from the top level. */
typedef struct docsis_lint_place {
    uint32_t offset;
    uint8_t depth;
    uint8_t code[DOCSIS_MAX_DEPTH];
    uint16_t occurrence[DOCSIS_MAX_DEPTH];
} docsis_lint_place;

/* ---- references ------------------------------------------------------------------- */

/* What a number refers to. Bits, so that a reference may allow several. */
typedef enum docsis_lint_kind {
    LINT_US_FLOW = 0x01, LINT_DS_FLOW = 0x02, LINT_CLASSIFIER = 0x04, LINT_US_AGGREGATE = 0x08,
    LINT_DS_AGGREGATE = 0x10, LINT_MESP = 0x20
} docsis_lint_kind;

typedef enum docsis_lint_role { LINT_NO_REFERENCE = 0, LINT_DEFINES, LINT_USES } docsis_lint_role;

/* What is known of a group's members. */
typedef struct docsis_lint_group {
    const char *path;
    uint8_t required[3];           /* 0 = none */
    uint8_t repeated[3];           /* may occur more than once */
    struct {
        uint8_t code;
        uint8_t role;              /* docsis_lint_role */
        uint8_t kind;              /* docsis_lint_kind */
    } reference[3];
} docsis_lint_group;

typedef struct docsis_lint_reference {
    uint32_t number;
    uint8_t role;
    uint8_t kind;
    const docsis_symbol *symbol;
    docsis_lint_place place;
} docsis_lint_reference;

#define LINT_MAX_REFERENCES 512

/* ---- SNMP objects ------------------------------------------------------------------- */

/* One object of the file, for those that come later. Offsets are of the config. */
typedef struct docsis_lint_object {
    uint32_t offset;               /* of its TLV */
    uint32_t oid;                  /* of the OID's BER contents */
    uint32_t value;                /* of the value's contents */
    uint32_t value_length;
    uint16_t oid_length;
    uint8_t tag;
    uint8_t depth;                 /* 0 or 1 */
    uint8_t code[2];
    uint16_t occurrence[2];
    uint16_t column;               /* its column's number in the BER, when row is set */
    uint16_t column_at;            /* ... and where in the OID it is */
    int16_t status_column;         /* node of the row's RowStatus; -1 = none */
} docsis_lint_object;

#define LINT_MAX_OBJECTS 1024
#define LINT_SLOTS       2048      /* open addressing, at most half full */

/* ---- the linter ---------------------------------------------------------------------- */

/* A group whose members are being visited; [0] = the file. */
typedef struct docsis_lint_frame {
    const docsis_symbol *symbol;
    const docsis_lint_group *group;    /* or NULL: nothing known */
    bool generic;                      /* a foreign vendor's members follow */
    uint16_t members;
    uint16_t count[256];               /* per code */
    uint32_t first[256];               /* offset of the first of the code; void when count is 0 */
} docsis_lint_frame;

typedef struct docsis_linter {
    const uint8_t *config;
    size_t length;
    docsis_version version;
    const docsis_mib_overlay *mib;     /* or NULL */
    docsis_finding_fn report;
    void *context;
    int errors;
    bool is_mta;
    const docsis_tlv *tlv;             /* being visited */
    const char *mib_reference;         /* of the MIB object being checked, or NULL */
    int depth;                         /* of the innermost open group's members */
    docsis_lint_place here;            /* of tlv; depths above are those of the groups */
    uint32_t group_offset[DOCSIS_MAX_DEPTH];
    /* The file as a whole. */
    int stage;                         /* 1 behind TLV 6, 2 behind 7, 3 behind 255 */
    bool order_told, padding_told;
    size_t trailing_pads;
    uint8_t last_code;                 /* of the top level */
    size_t last_length;
    docsis_lint_place hash;            /* MTA: the hash varbind */
    size_t hash_size;                  /* of its TLV; 0 = none */
    size_t hash_digest;                /* offset; 0 = not of 20 bytes */
    int references;
    bool references_many;
    int objects;
    bool objects_many;
    docsis_lint_frame frame[DOCSIS_MAX_DEPTH + 1];
    docsis_lint_reference reference[LINT_MAX_REFERENCES];
    docsis_lint_object object[LINT_MAX_OBJECTS];
    uint16_t slot[LINT_SLOTS];         /* object index + 1; 0 = free */
} docsis_linter;

/* A finding at the TLV that is being visited. symbol: whose specification it is, or NULL. */
void docsis_lint_report(docsis_linter *l, docsis_lint_id id, const docsis_symbol *symbol,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A finding elsewhere; place NULL = the file as a whole. */
void docsis_lint_report_at(docsis_linter *l, docsis_lint_id id, const docsis_lint_place *place,
                           const docsis_symbol *symbol, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Big-endian number of 1 to 4 bytes, 0 for others. */
uint32_t docsis_lint_number(const uint8_t *value, size_t length);
/* Value of the first member of this code; false = none, or not of 1 to 4 bytes. */
bool docsis_lint_member(const docsis_linter *l, const docsis_lint_frame *frame, uint8_t code,
                        uint32_t *number);

/* lint_value.c: length, range and characters of the TLV being visited. */
void docsis_lint_value(docsis_linter *l);

/* lint_group.c */
const docsis_lint_group *docsis_lint_find_group(const docsis_symbol *symbol);
void docsis_lint_repeated(docsis_linter *l, docsis_lint_frame *frame);
void docsis_lint_in_group(docsis_linter *l, docsis_lint_frame *frame);
/* Its members are all seen; place = of the group. */
void docsis_lint_close_group(docsis_linter *l, const docsis_lint_frame *frame,
                             const docsis_lint_place *place);
void docsis_lint_references(docsis_linter *l);

/* lint_snmp.c */
void docsis_lint_varbind(docsis_linter *l);
void docsis_lint_rows(docsis_linter *l);

/* lint_mta.c */
void docsis_lint_mta_setting(docsis_linter *l);
/* Is the object a hash of the file? The last one counts. */
bool docsis_lint_mta_hash(docsis_linter *l, const docsis_varbind *vb);
void docsis_lint_mta_end(docsis_linter *l);

#endif

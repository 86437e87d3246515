/*
 * symbol.h - shape of the generated tables: the TLV dictionary and the MIB tree.
 *
 * The tables are made at build time from extension/symbols/{tlv,mib}.tsv:
 *
 *     python3 extension/symbols/generate.py extension/symbols BUILD_DIR
 *
 * writes BUILD_DIR/symbols_generated.c, which compiles on its own with
 * -Iextension/docsis. All tables are constant.
 */
#ifndef DOCSIS_SYMBOL_H
#define DOCSIS_SYMBOL_H

#include "docsis.h"

struct docsis_symbol {
    const char *name;
    const char *path;        /* "24.8" */
    const char *tool_name;   /* name in the docsis tool's decoder, where it differs; or NULL;
                                "" = the tool shows it as a generic TLV */
    const char *reference;   /* of the specification; "" = unknown */
    const char *unit;        /* of the number; "" = none or unknown */
    uint32_t minimum;        /* of the number, or of the length in bytes or items */
    uint32_t maximum;
    uint32_t tool_maximum;   /* the docsis tool's, where a later specification raised it */
    int16_t parent;          /* index; -1 = top level */
    int16_t first;           /* first symbol of this name, in table order */
    int16_t next_same;       /* next symbol of this name; -1 = none */
    uint8_t code;
    uint8_t type;            /* docsis_type */
    bool limited;            /* minimum and maximum hold */
    bool checked;            /* ... and are enforced: the docsis tool never enforces some */
    bool is_vendor_id;       /* VendorIdentifier: rules how its siblings are read */
    uint8_t length_bytes;    /* 1, or 2 for some TLVs of DOCSIS 4.0 */
    uint8_t child_min;       /* codes of the children; min > max = none */
    uint8_t child_max;
    int16_t child_base;      /* child of code c: docsis_child_pool[base + c - min] */
};

extern const docsis_symbol docsis_symbols[];
extern const int docsis_symbols_count;
extern const int16_t docsis_child_pool[];      /* symbol index or -1 */
extern const docsis_symbol docsis_root;        /* parent of the top level */
/* Open addressing with linear probing, hash = docsis_hash(); -1 = free. */
extern const int16_t docsis_name_hash[];
extern const uint32_t docsis_name_hash_mask;

/* ---- MIB tree ----------------------------------------------------------- */

typedef struct docsis_mib_module {
    const char *name;
    const char *reference;   /* the document that defines it; "" = unknown */
} docsis_mib_module;

typedef struct docsis_mib_node {
    const char *label;       /* NULL = a node without a name */
    uint32_t arc;            /* its last arc */
    int16_t parent;          /* -1 = root */
    int16_t first_child;     /* children are consecutive and ordered by arc */
    int16_t child_count;
    int16_t next_same;       /* next node of this label; -1 = none */
    int16_t range_base;      /* docsis_mib_ranges */
    int16_t range_count;
    int16_t enum_base;       /* docsis_mib_enums */
    int16_t enum_count;
    int16_t index_base;      /* docsis_mib_indexes: node of each index column */
    int8_t index_count;
    uint8_t type;            /* docsis_mib_type */
    uint8_t depth;           /* number of arcs */
    bool implied;            /* the last index has no length */
    uint8_t family;          /* docsis_profile that prefers it */
    bool ambiguous;          /* another node has the same label */
    uint8_t module;          /* docsis_mib_modules */
    uint8_t access;          /* docsis_mib_access */
} docsis_mib_node;

extern const docsis_mib_module docsis_mib_modules[];   /* the first one is that of nameless nodes */
extern const docsis_mib_node docsis_mib_nodes[];
extern const int docsis_mib_count;
extern const int16_t docsis_mib_2;             /* node 1.3.6.1.2.1, where most walks pass */
extern const int16_t docsis_mib_top[3];        /* nodes 0, 1 and 2; -1 = none */
extern const docsis_range docsis_mib_ranges[];
extern const docsis_enum docsis_mib_enums[];
extern const int16_t docsis_mib_indexes[];
extern const int16_t docsis_mib_hash[];        /* by label; first node in table order */
extern const uint32_t docsis_mib_hash_mask;

/* ---- look-ups (symbol.c) ------------------------------------------------ */

/* FNV-1a; generate.py computes the same. */
static inline uint32_t docsis_hash(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t) name[i]) * 16777619u;
    return hash;
}

/* Child by code; parent NULL = top level. NULL = unknown. */
static inline const docsis_symbol *docsis_child(const docsis_symbol *parent, uint8_t code)
{
    const docsis_symbol *p = parent != NULL ? parent : &docsis_root;
    int16_t index;

    if (code < p->child_min || code > p->child_max)
        return NULL;
    index = docsis_child_pool[p->child_base + code - p->child_min];
    return index < 0 ? NULL : &docsis_symbols[index];
}

/* Can the symbol be a group? One leaf type (83) has a second meaning with members. */
static inline bool docsis_may_nest(const docsis_symbol *symbol)
{
    return symbol->type == DOCSIS_T_GROUP || symbol->child_min <= symbol->child_max;
}

/* Node by label under the profile; NULL = unknown. */
const docsis_mib_node *docsis_mib_find(const char *label, size_t length, docsis_profile profile);
/* First node of a label, whatever the profile; the others follow by next_same. NULL = unknown. */
const docsis_mib_node *docsis_mib_first(const char *label, size_t length);
/* How much a profile prefers objects of a family; the greatest wins. */
int docsis_mib_rank(int family, docsis_profile profile);
/* Child of a node by arc; node NULL = root. */
const docsis_mib_node *docsis_mib_child(const docsis_mib_node *node, uint32_t arc);
/* Child of a node by label, also through nameless nodes; NULL = none. */
const docsis_mib_node *docsis_mib_child_by_label(const docsis_mib_node *node, const char *label,
                                                 size_t length);
/* Deepest known node on the way of arcs; *used = its depth. NULL = none. */
const docsis_mib_node *docsis_mib_walk(const uint32_t *arcs, int count, int *used);
/* Arcs of a node; returns their number. */
int docsis_mib_arcs(const docsis_mib_node *node, uint32_t arcs[DOCSIS_MAX_ARCS]);
/* The values of a node; node NULL = of no type. */
static inline docsis_mib_syntax docsis_mib_syntax_of(const docsis_mib_node *node)
{
    if (node == NULL)
        return (docsis_mib_syntax) {NULL};
    return (docsis_mib_syntax) {node->label, (docsis_mib_type) node->type,
                                &docsis_mib_ranges[node->range_base], node->range_count,
                                &docsis_mib_enums[node->enum_base], node->enum_count};
}

/* Label of an enumerated value, or NULL. */
const char *docsis_mib_enum_label(const docsis_mib_syntax *syntax, int64_t value);
/* The entry whose INDEX clause governs a column, or NULL. */
const docsis_mib_node *docsis_mib_entry(const docsis_mib_node *column);

#endif

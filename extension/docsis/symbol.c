/*
 * symbol.c - look-ups in the TLV dictionary and the MIB tree.
 */
#include "internal.h"

static const char *const type_names[] = {
    "generic", "pad", "eod", "u8", "u16", "u24", "u32", "str", "strz", "hex", "mac", "mac_mask",
    "ipv4", "ipv6", "ipv4_list", "ipv6_list", "ipv6_prefix_list", "ip", "inetaddr", "ip_port",
    "u8_list", "u16_list", "u16_pair", "oid", "empty", "group", "varbind", "snmp_write", "file",
    "md5"
};

const char *docsis_type_name(docsis_type type)
{
    if ((unsigned) type >= sizeof(type_names) / sizeof(type_names[0]))
        return "generic";
    return type_names[type];
}

const char *docsis_symbol_name(const docsis_symbol *symbol)
{
    return symbol != NULL ? symbol->name : "";
}

const char *docsis_symbol_path(const docsis_symbol *symbol)
{
    return symbol != NULL ? symbol->path : "";
}

const char *docsis_symbol_spec(const docsis_symbol *symbol)
{
    return symbol != NULL ? symbol->reference : "";
}

docsis_type docsis_symbol_type(const docsis_symbol *symbol)
{
    return symbol != NULL ? (docsis_type) symbol->type : DOCSIS_T_GENERIC;
}

const char *docsis_symbol_unit(const docsis_symbol *symbol)
{
    return symbol != NULL ? symbol->unit : "";
}

bool docsis_symbol_limits(const docsis_symbol *symbol, docsis_limits limits, uint32_t *minimum,
                          uint32_t *maximum)
{
    if (symbol == NULL || !symbol->limited)
        return false;
    *minimum = symbol->minimum;
    *maximum = limits == DOCSIS_LIMITS_TOOL ? symbol->tool_maximum : symbol->maximum;
    return true;
}

int docsis_symbol_length_bytes(const docsis_symbol *symbol)
{
    return symbol != NULL ? symbol->length_bytes : 1;
}

int docsis_symbol_count(void)
{
    return docsis_symbols_count;
}

const docsis_symbol *docsis_symbol_at(int index)
{
    if (index < 0 || index >= docsis_symbols_count)
        return NULL;
    return &docsis_symbols[index];
}

const docsis_symbol *docsis_symbol_child(const docsis_symbol *parent, uint8_t code)
{
    return docsis_child(parent, code);
}

/* Is symbol a child of parent (NULL = top level)? */
static bool has_parent(const docsis_symbol *symbol, const docsis_symbol *parent)
{
    if (parent == NULL)
        return symbol->parent < 0;
    return symbol->parent >= 0 && &docsis_symbols[symbol->parent] == parent;
}

const docsis_symbol *docsis_symbol_find(const docsis_symbol *parent, const char *name,
                                        size_t length)
{
    uint32_t slot = docsis_hash(name, length) & docsis_name_hash_mask;
    int first = -1;

    while (docsis_name_hash[slot] >= 0) {
        const docsis_symbol *symbol = &docsis_symbols[docsis_name_hash[slot]];

        if (docsis_name_is(symbol->name, name, length)) {
            first = docsis_name_hash[slot];
            break;
        }
        slot = (slot + 1) & docsis_name_hash_mask;
    }
    for (int i = first; i >= 0; i = docsis_symbols[i].next_same) {
        if (has_parent(&docsis_symbols[i], parent))
            return &docsis_symbols[i];
    }
    return first >= 0 ? &docsis_symbols[first] : NULL;
}

const docsis_mib_node *docsis_mib_first(const char *label, size_t length)
{
    uint32_t slot = docsis_hash(label, length) & docsis_mib_hash_mask;

    for (; docsis_mib_hash[slot] >= 0; slot = (slot + 1) & docsis_mib_hash_mask) {
        const docsis_mib_node *node = &docsis_mib_nodes[docsis_mib_hash[slot]];

        if (docsis_name_is(node->label, label, length))
            return node;
    }
    return NULL;
}

const docsis_mib_node *docsis_mib_find(const char *label, size_t length, docsis_profile profile)
{
    const docsis_mib_node *first = docsis_mib_first(label, length);
    const docsis_mib_node *best = first;

    if (first == NULL || !first->ambiguous)
        return first;
    for (const docsis_mib_node *node = first; ; node = &docsis_mib_nodes[node->next_same]) {
        if (docsis_mib_rank(node->family, profile) > docsis_mib_rank(best->family, profile))
            best = node;
        if (node->next_same < 0)
            return best;
    }
}

docsis_profile docsis_mib_family(const char *module, const uint32_t *arcs, int count)
{
    static const uint32_t excentis[] = {1, 3, 6, 1, 4, 1, 7432};

    if (count >= 7 && memcmp(arcs, excentis, sizeof(excentis)) == 0)
        return DOCSIS_PROFILE_EXCENTIS;
    return strstr(module, "-IETF-") != NULL ? DOCSIS_PROFILE_IETF : DOCSIS_PROFILE_CABLELABS;
}

int docsis_mib_rank(int family, docsis_profile profile)
{
    return family == (int) profile ? 2 : family == DOCSIS_PROFILE_CABLELABS ? 1 : 0;
}

const docsis_mib_node *docsis_mib_child(const docsis_mib_node *node, uint32_t arc)
{
    int low, high;
    uint32_t guess;

    if (node == NULL) {
        if (arc > 2 || docsis_mib_top[arc] < 0)
            return NULL;
        return &docsis_mib_nodes[docsis_mib_top[arc]];
    }
    if (node->child_count == 0)
        return NULL;
    low = node->first_child;
    if (arc < docsis_mib_nodes[low].arc)
        return NULL;
    /* Mostly the children are 1..n without gaps; with gaps the child is before its guess. */
    guess = arc - docsis_mib_nodes[low].arc;
    high = low + (guess < (uint32_t) node->child_count ? (int) guess : node->child_count - 1);
    if (docsis_mib_nodes[high].arc == arc)
        return &docsis_mib_nodes[high];
    while (low <= high) {
        int middle = (low + high) / 2;

        if (docsis_mib_nodes[middle].arc == arc)
            return &docsis_mib_nodes[middle];
        if (docsis_mib_nodes[middle].arc < arc)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return NULL;
}

const docsis_mib_node *docsis_mib_child_by_label(const docsis_mib_node *node, const char *label,
                                                 size_t length)
{
    for (int i = 0; i < 3 && node == NULL; i++) {
        const docsis_mib_node *top = docsis_mib_child(NULL, (uint32_t) i);

        if (top != NULL && docsis_name_is(top->label, label, length))
            return top;
    }
    for (int i = 0; node != NULL && i < node->child_count; i++) {
        const docsis_mib_node *child = &docsis_mib_nodes[node->first_child + i];

        if (child->label != NULL && docsis_name_is(child->label, label, length))
            return child;
    }
    return NULL;
}

const docsis_mib_node *docsis_mib_walk(const uint32_t *arcs, int count, int *used)
{
    static const uint32_t mib_2[] = {1, 3, 6, 1, 2, 1};
    const docsis_mib_node *node = NULL;
    int first = 0;

    *used = 0;
    if (count >= 6 && memcmp(arcs, mib_2, sizeof(mib_2)) == 0) {
        node = &docsis_mib_nodes[docsis_mib_2];
        *used = first = 6;
    }
    for (int i = first; i < count; i++) {
        const docsis_mib_node *next = docsis_mib_child(node, arcs[i]);

        if (next == NULL)
            break;
        node = next;
        *used = i + 1;
    }
    return node;
}

int docsis_mib_arcs(const docsis_mib_node *node, uint32_t arcs[DOCSIS_MAX_ARCS])
{
    int count = node->depth;

    for (int i = count - 1; i >= 0; i--) {
        arcs[i] = node->arc;
        if (node->parent >= 0)
            node = &docsis_mib_nodes[node->parent];
    }
    return count;
}

const char *docsis_mib_enum_label(const docsis_mib_syntax *syntax, int64_t value)
{
    for (int i = 0; i < syntax->enum_count; i++) {
        if (syntax->enums[i].value == value)
            return syntax->enums[i].label;
    }
    return NULL;
}

const docsis_mib_node *docsis_mib_entry(const docsis_mib_node *column)
{
    const docsis_mib_node *entry;

    if (column == NULL || column->parent < 0)
        return NULL;
    entry = &docsis_mib_nodes[column->parent];
    return entry->index_count > 0 ? entry : NULL;
}

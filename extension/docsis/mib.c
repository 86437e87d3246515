/*
 * mib.c - the built-in MIB objects for those who look them up: types, access,
 * documents. Resolving names is oid.c's.
 */
#include "internal.h"

static const char *const type_words[] = {
    [DOCSIS_MIB_NONE] = "", [DOCSIS_MIB_BITS] = "BITS", [DOCSIS_MIB_COUNTER] = "Counter32",
    [DOCSIS_MIB_COUNTER64] = "Counter64", [DOCSIS_MIB_GAUGE] = "Gauge32",
    [DOCSIS_MIB_INTEGER] = "INTEGER", [DOCSIS_MIB_INTEGER32] = "Integer32",
    [DOCSIS_MIB_IPADDR] = "IpAddress", [DOCSIS_MIB_NOTIF] = "NOTIFICATION",
    [DOCSIS_MIB_OBJECTID] = "OBJECT IDENTIFIER", [DOCSIS_MIB_OCTETSTR] = "OCTET STRING",
    [DOCSIS_MIB_TICKS] = "TimeTicks", [DOCSIS_MIB_UNSIGNED32] = "Unsigned32"
};

static const char *const access_words[] = {
    "", "not-accessible", "accessible-for-notify", "read-only", "read-write", "read-create"
};

const char *docsis_mib_type_name(docsis_mib_type type)
{
    return type_words[type];
}

const char *docsis_mib_access_name(docsis_mib_access access)
{
    return access_words[access];
}

docsis_mib_type docsis_mib_type_of(const char *word, size_t length)
{
    for (int i = 0; i < (int) (sizeof(type_words) / sizeof(type_words[0])); i++) {
        if (docsis_name_is(type_words[i], word, length))
            return (docsis_mib_type) i;
    }
    return DOCSIS_MIB_NONE;
}

static const docsis_mib_node *node_at(int number)
{
    return number >= 0 && number < docsis_mib_count ? &docsis_mib_nodes[number] : NULL;
}

int docsis_mib_object_count(void)
{
    return docsis_mib_count;
}

bool docsis_mib_object_at(int number, docsis_mib_object *object, uint32_t arcs[DOCSIS_MAX_ARCS])
{
    const docsis_mib_node *node = node_at(number);

    if (node == NULL)
        return false;
    *object = (docsis_mib_object) {.syntax = docsis_mib_syntax_of(node), .arcs = arcs,
                                   .module = docsis_mib_modules[node->module].name};
    object->arc_count = docsis_mib_arcs(node, arcs);
    return true;
}

docsis_mib_access docsis_mib_object_access(int number)
{
    const docsis_mib_node *node = node_at(number);

    return node != NULL ? (docsis_mib_access) node->access : DOCSIS_MIB_ACCESS_NONE;
}

const char *docsis_mib_object_reference(int number)
{
    const docsis_mib_node *node = node_at(number);

    return node != NULL ? docsis_mib_modules[node->module].reference : "";
}

bool docsis_mib_object_index(int number, int k, docsis_mib_syntax *column, bool *implied)
{
    const docsis_mib_node *node = node_at(number);
    int16_t index;

    if (node == NULL || k < 0 || k >= node->index_count)
        return false;
    index = docsis_mib_indexes[node->index_base + k];
    *column = docsis_mib_syntax_of(index >= 0 ? &docsis_mib_nodes[index] : NULL);
    *implied = node->implied && k == node->index_count - 1;
    return true;
}

bool docsis_mib_object_find(const char *name, size_t length, docsis_profile profile,
                            docsis_mib_syntax *syntax)
{
    const docsis_mib_node *node = docsis_mib_find(name, length, profile);

    *syntax = docsis_mib_syntax_of(node);
    return node != NULL;
}

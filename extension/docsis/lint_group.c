/*
 * lint_group.c - members of groups: which are required, which may repeat, and what refers to what.
 * MULPIv3.1 Annex C.1.1 (settings), C.2.1 (classifiers), C.2.2 (flows), C.2.3 (PHS).
 */
#include "lint.h"

#define FLOW(kind, aggregate) \
    {{1, LINT_DEFINES, kind}, {36, LINT_USES, aggregate}, {37, LINT_USES, LINT_MESP}}
#define CLASSIFIER(flow) {{1, LINT_DEFINES, LINT_CLASSIFIER}, {3, LINT_USES, flow}}
#define AGGREGATE(kind) {{1, LINT_DEFINES, kind}, {37, LINT_USES, LINT_MESP}}

/*
 * Groups whose members may occur once, but for those in the third column: path, required members,
 * members that may repeat, references. Of groups that are not here nothing is known.
 */
static const docsis_lint_group groups[] = {
    {"4", {0}, {0}, {{0}}},
    {"17", {0}, {0}, {{0}}},
    {"22", {1, 3}, {43}, CLASSIFIER(LINT_US_FLOW)},
    {"22.9", {0}, {0}, {{0}}},
    {"22.10", {0}, {0}, {{0}}},
    {"22.11", {0}, {0}, {{0}}},
    {"22.12", {0}, {0}, {{0}}},
    {"23", {1, 3}, {43}, CLASSIFIER(LINT_DS_FLOW)},
    {"23.9", {0}, {0}, {{0}}},
    {"23.10", {0}, {0}, {{0}}},
    {"23.11", {0}, {0}, {{0}}},
    {"23.12", {0}, {0}, {{0}}},
    {"24", {1, 6}, {43}, FLOW(LINT_US_FLOW, LINT_US_AGGREGATE)},
    {"24.35", {0}, {0}, {{0}}},
    {"24.40", {0}, {0}, {{0}}},
    {"25", {1, 6}, {43}, FLOW(LINT_DS_FLOW, LINT_DS_AGGREGATE)},
    {"25.35", {0}, {0}, {{0}}},
    {"25.40", {0}, {0}, {{0}}},
    {"26", {0}, {43}, {{1, LINT_USES, LINT_CLASSIFIER},
                       {3, LINT_USES, LINT_US_FLOW | LINT_DS_FLOW}}},
    {"34", {0}, {0}, {{0}}},
    {"38", {0}, {0}, {{0}}},
    {"43.6", {1, 2}, {0}, {{0}}},
    {"53", {0}, {2}, {{0}}},
    {"53.2", {0}, {0}, {{0}}},
    {"54", {0}, {0}, {{0}}},
    {"60", {1}, {43}, {{1, LINT_DEFINES, LINT_CLASSIFIER}}},
    {"60.9", {0}, {0}, {{0}}},
    {"60.10", {0}, {0}, {{0}}},
    {"60.11", {0}, {0}, {{0}}},
    {"60.12", {0}, {0}, {{0}}},
    {"70", {1}, {38, 43}, AGGREGATE(LINT_US_AGGREGATE)},
    {"70.42", {0}, {0}, {{1, LINT_USES, LINT_US_FLOW}}},
    {"71", {1}, {38, 43}, AGGREGATE(LINT_DS_AGGREGATE)},
    {"71.42", {0}, {0}, {{1, LINT_USES, LINT_DS_FLOW}}},
    {"72", {0}, {2, 43}, {{1, LINT_DEFINES, LINT_MESP}}}
};

const docsis_lint_group *docsis_lint_find_group(const docsis_symbol *symbol)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        const char *path = groups[i].path;

        if (path[0] == symbol->path[0] && path[1] == symbol->path[1] &&
            strcmp(path, symbol->path) == 0)
            return &groups[i];
    }
    return NULL;
}

static bool is_in(const uint8_t *codes, size_t count, uint8_t code)
{
    return memchr(codes, code, count) != NULL;
}

/* ---- repeats ---------------------------------------------------------------------- */

/* Settings of the top level that may occur once. */
static const uint8_t single_settings[] = {
    1, 2, 3, 5, 6, 7, 9, 12, 17, 18, 19, 20, 21, 28, 29, 35, 37, 39, 40, 41, 55, 56, 58, 59, 62,
    63, 66, 68, 74, 75, 76, 91, 92, 97, 106
};

static bool may_repeat(const docsis_linter *l, const docsis_lint_frame *frame)
{
    if (l->tlv->depth == 0)
        return l->is_mta || !is_in(single_settings, sizeof(single_settings), l->tlv->code);
    return frame->group == NULL || l->tlv->symbol == NULL ||
           is_in(frame->group->repeated, sizeof(frame->group->repeated), l->tlv->code);
}

void docsis_lint_repeated(docsis_linter *l, docsis_lint_frame *frame)
{
    const docsis_tlv *tlv = l->tlv;
    const uint8_t *first = l->config + frame->first[tlv->code];
    size_t n = tlv->header_length + tlv->length;

    if (frame->count[tlv->code] < 2 || may_repeat(l, frame))
        return;
    /* Same header, same length: the header holds the length. */
    if (memcmp(first, l->config + tlv->offset, tlv->header_length) == 0 &&
        memcmp(first, l->config + tlv->offset, n) == 0)
        docsis_lint_report(l, LINT_REPEATED_SETTING, tlv->symbol, "%s occurs again",
                           docsis_symbol_name(tlv->symbol));
    else
        docsis_lint_report(l, LINT_DUPLICATE_SETTING, tlv->symbol,
                           "%s occurs again, with another value",
                           docsis_symbol_name(tlv->symbol));
}

/* ---- members ------------------------------------------------------------------------ */

static void note_reference(docsis_linter *l, uint8_t role, uint8_t kind)
{
    docsis_lint_reference *r;

    if (l->tlv->length < 1 || l->tlv->length > 4)
        return;
    if (l->references == LINT_MAX_REFERENCES) {
        l->references_many = true;
        return;
    }
    r = &l->reference[l->references++];
    r->number = docsis_lint_number(l->tlv->value, l->tlv->length);
    r->role = role;
    r->kind = kind;
    r->symbol = l->tlv->symbol;
    r->place = l->here;
}

/* QosParamSetType of a flow in a file: the provisioned set, alone or with others. */
static void check_set_type(docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;

    if (tlv->length == 1 && (tlv->value[0] > 7 || !(tlv->value[0] & 1)))
        docsis_lint_report(l, LINT_QOS_SET_TYPE, tlv->symbol,
                           "%s is %d; a flow of a file has 1, 3, 5 or 7", tlv->symbol->name,
                           tlv->value[0]);
}

static bool is_flow(const docsis_lint_frame *frame)
{
    return frame->group->reference[0].kind == LINT_US_FLOW ||
           frame->group->reference[0].kind == LINT_DS_FLOW;
}

void docsis_lint_in_group(docsis_linter *l, docsis_lint_frame *frame)
{
    const docsis_tlv *tlv = l->tlv;

    if (tlv->symbol == NULL)
        return;
    for (int i = 0; i < 3; i++) {
        if (frame->group->reference[i].code == tlv->code &&
            frame->group->reference[i].role != LINT_NO_REFERENCE)
            note_reference(l, frame->group->reference[i].role, frame->group->reference[i].kind);
    }
    if (tlv->code == 6 && is_flow(frame) && frame->group->reference[0].role == LINT_DEFINES)
        check_set_type(l);
}

static void check_rates(docsis_linter *l, const docsis_lint_frame *frame,
                        const docsis_lint_place *place)
{
    uint32_t most, least;

    if (docsis_lint_member(l, frame, 8, &most) && docsis_lint_member(l, frame, 10, &least) &&
        most != 0 && least > most)
        docsis_lint_report_at(l, LINT_RATE_ORDER, place, NULL,
                              "MinReservedRate %u is above MaxRateSustained %u", least, most);
}

/* 43 at any place: its first member is VendorIdentifier; that of 43.6 is alone with it. */
static void check_vendor(docsis_linter *l, const docsis_lint_frame *frame,
                         const docsis_lint_place *place)
{
    const docsis_symbol *id = docsis_child(frame->symbol, 8);

    if (id == NULL || !id->is_vendor_id)
        return;
    if (frame->count[8] == 0)
        docsis_lint_report_at(l, LINT_VENDOR_ID, place, frame->symbol,
                              "%s has no VendorIdentifier (8)", frame->symbol->name);
    else if (l->config[place->offset + 2] != 8)
        docsis_lint_report_at(l, LINT_VENDOR_ID, place, frame->symbol,
                              "VendorIdentifier (8) is not the first TLV of %s",
                              frame->symbol->name);
    if (place->depth == 0 && frame->symbol->code == 43 && frame->count[6] > 0 && frame->members > 2)
        docsis_lint_report_at(l, LINT_EXTENDED_MIC, place, NULL,
                              "Extended CMTS MIC: it must be alone in its %s, with "
                              "VendorIdentifier", frame->symbol->name);
}

void docsis_lint_close_group(docsis_linter *l, const docsis_lint_frame *frame,
                             const docsis_lint_place *place)
{
    const docsis_lint_group *group = frame->group;

    check_vendor(l, frame, place);
    if (group == NULL)
        return;
    for (int i = 0; i < 3 && group->required[i] != 0; i++) {
        const docsis_symbol *member = docsis_child(frame->symbol, group->required[i]);

        if (frame->count[group->required[i]] == 0)
            docsis_lint_report_at(l, LINT_MEMBER_MISSING, place, member, "%s lacks %s (%d)",
                                  frame->symbol->name, docsis_symbol_name(member),
                                  group->required[i]);
    }
    if (group->reference[0].role == LINT_DEFINES && group->reference[0].kind != LINT_CLASSIFIER)
        check_rates(l, frame, place);
}

/* ---- references ---------------------------------------------------------------------- */

#define ANY_FLOW      (LINT_US_FLOW | LINT_DS_FLOW)
#define ANY_AGGREGATE (LINT_US_AGGREGATE | LINT_DS_AGGREGATE)

/* Kinds that are numbered together. */
static unsigned number_space(unsigned kind)
{
    return kind & ANY_FLOW ? ANY_FLOW : kind & ANY_AGGREGATE ? ANY_AGGREGATE : kind;
}

static const char *kind_name(unsigned kind)
{
    switch (kind) {
        case LINT_US_FLOW:
            return "upstream service flow";
        case LINT_DS_FLOW:
            return "downstream service flow";
        case LINT_CLASSIFIER:
            return "classifier";
        case LINT_US_AGGREGATE:
            return "upstream aggregate service flow";
        case LINT_DS_AGGREGATE:
            return "downstream aggregate service flow";
        case LINT_MESP:
            return "Metro Ethernet service profile";
        default:
            return "service flow";
    }
}

/* The first definition of this number among kinds, up to reference `end`; -1 = none. */
static int find_definition(const docsis_linter *l, unsigned kinds, uint32_t number, int end)
{
    for (int i = 0; i < end; i++) {
        if (l->reference[i].number == number && l->reference[i].role == LINT_DEFINES &&
            (l->reference[i].kind & kinds) != 0)
            return i;
    }
    return -1;
}

static void check_reference(docsis_linter *l, int index)
{
    const docsis_lint_reference *r = &l->reference[index];
    unsigned space = number_space(r->kind);
    int other;

    if (r->role == LINT_DEFINES) {
        other = find_definition(l, space, r->number, index);
        if (other >= 0)
            docsis_lint_report_at(l, LINT_REFERENCE_DUPLICATE, &r->place, r->symbol,
                                  "%s %u is taken by the %s at offset %u", r->symbol->name,
                                  r->number, kind_name(l->reference[other].kind),
                                  l->reference[other].place.offset);
        return;
    }
    if (find_definition(l, r->kind, r->number, l->references) >= 0)
        return;
    other = find_definition(l, space, r->number, l->references);
    if (other >= 0)
        docsis_lint_report_at(l, LINT_REFERENCE_DIRECTION, &r->place, r->symbol,
                              "%s %u is a reference to a %s", r->symbol->name, r->number,
                              kind_name(l->reference[other].kind));
    else if (!l->references_many)
        docsis_lint_report_at(l, LINT_REFERENCE_UNKNOWN, &r->place, r->symbol,
                              "%s %u: there is no such %s", r->symbol->name, r->number,
                              kind_name(r->kind));
}

void docsis_lint_references(docsis_linter *l)
{
    for (int i = 0; i < l->references; i++)
        check_reference(l, i);
    if (l->references_many)
        docsis_lint_report_at(l, LINT_REFERENCES_MANY, NULL, NULL,
                              "only the first %d references are checked", LINT_MAX_REFERENCES);
}

/*
 * Paths into a configuration and the search for what they mean.
 *
 *   path     = segment { "." segment } | OID
 *   segment  = (code | name) [ "[" occurrence "]" ]
 *
 * A code that stands first is of the top level; a name that stands first is looked for at every
 * depth. What follows a dot is a member of the group before it. Occurrences count from one, among
 * the TLVs that fit the segment in the same group. A first name that is no TLV is that of a MIB
 * object; a leading dot begins a numeric OID.
 */
#include "extension/pg/docsis_value.h"

#include "mb/pg_wchar.h"

#define PATH_HINT                                                                                  \
    "Use codes (24.8), names (UsServiceFlow.MaxRateSustained), the n-th of several "              \
    "(24[2].8), or an SNMP object (sysContact.0, .1.3.6.1.2.1.1.4.0)."

static void pg_attribute_noreturn()
malformed_path(const char *text, size_t length, const char *detail)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("malformed path \"%.*s\"", (int)Min(length, 200), text),
                    errdetail("%s", detail), errhint(PATH_HINT)));
}

static void pg_attribute_noreturn()
unknown_name(const char *name, size_t length, const char *detail)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown name \"%.*s\" in a path", (int)Min(length, 200), name),
                    errdetail("%s", detail),
                    errhint("SELECT * FROM docsis.symbol lists the names of TLVs; SNMP objects are "
                            "written with their instance (sysContact.0) or numerically "
                            "(.1.3.6.1.2.1.1.4.0).")));
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '+';
}

/* A decimal number at *p, at most nine digits; -1 when there is none or it is too long. */
static int
read_number(const char **p, const char *end)
{
    const char *start = *p;
    int value = 0;

    while (*p < end && is_digit(**p) && *p - start < 10)
        value = value * 10 + (*(*p)++ - '0');
    return *p == start || *p - start > 9 ? -1 : value;
}

static void
parse_oid(const char *text, size_t length, nmsp_path *path)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count;
    docsis_error error;
    char *utf8 = pg_server_to_any((char *)text, length, PG_UTF8);
    size_t utf8_length = utf8 == text ? length : strlen(utf8);

    if (!docsis_oid_parse(utf8, utf8_length, NULL, arcs, &count, &error))
        unknown_name(text, length, "Neither a TLV nor an SNMP object is called so.");
    path->oid_length = docsis_oid_to_ber(arcs, count, path->oid);
    if (path->oid_length == 0)
        malformed_path(text, length, "It is no object identifier.");
}

/* One segment at *p. False: a name that is no TLV's (only the first may be a MIB object's). */
static bool
parse_segment(const char *text, size_t length, const char **p, nmsp_segment *segment)
{
    const char *end = text + length, *start = *p;

    segment->name = -1;
    segment->code = 0;
    segment->occurrence = 0;
    while (*p < end && is_name_char(**p))
        (*p)++;
    if (*p == start)
        malformed_path(text, length, "A code or a name is missing.");
    if (strspn(start, "0123456789") >= (size_t)(*p - start)) {
        const char *digits = start;
        int code = read_number(&digits, *p);

        if (code < 0 || code > 255)
            malformed_path(text, length, "The code of a TLV is at most 255.");
        segment->code = (uint8)code;
    } else {
        const docsis_symbol *symbol = docsis_symbol_find(NULL, start, *p - start);

        if (symbol == NULL)
            return false;
        segment->name = symbol->first;
    }
    if (*p < end && **p == '[') {
        (*p)++;
        segment->occurrence = read_number(p, end);
        if (segment->occurrence < 1 || *p == end || **p != ']')
            malformed_path(text, length, "An occurrence is a number from 1 in brackets.");
        (*p)++;
    }
    return true;
}

void
nmsp_path_parse(const char *text, size_t length, nmsp_path *path)
{
    const char *p, *end;

    text = pnstrdup(text, length); /* strspn() needs the zero */
    length = strlen(text);
    p = text;
    end = text + length;
    path->count = 0;
    path->oid_length = 0;
    if (length == 0)
        malformed_path(text, length, "It is empty.");
    if (text[0] == '.') {
        parse_oid(text, length, path);
        return;
    }
    for (;;) {
        const char *start = p;

        if (path->count == DOCSIS_MAX_DEPTH)
            malformed_path(text, length, "It is deeper than any configuration.");
        if (!parse_segment(text, length, &p, &path->segment[path->count])) {
            if (path->count > 0)
                unknown_name(start, p - start, "No TLV is called so.");
            parse_oid(text, length, path);
            return;
        }
        path->count++;
        if (p == end)
            break;
        if (*p++ != '.')
            malformed_path(text, length, "Segments are separated by dots.");
    }
    nmsp_path_check(path);
}

void
nmsp_path_of_code(int code, nmsp_path *path)
{
    if (code < 0 || code > 255)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%d is not the code of a TLV", code),
                        errdetail("Codes are 0 to 255."), errhint(PATH_HINT)));
    path->count = 1;
    path->oid_length = 0;
    path->segment[0] = (nmsp_segment){.name = -1, .code = (uint8)code};
}

void
nmsp_path_occurrence(nmsp_path *path, int occurrence)
{
    if (path->oid_length > 0 || path->segment[path->count - 1].occurrence > 0 || occurrence < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%d is not an occurrence here", occurrence),
                        errhint("Occurrences of a TLV count from 1: config['UsServiceFlow'][2].")));
    path->segment[path->count - 1].occurrence = occurrence;
}

void
nmsp_path_append(nmsp_path *path, const nmsp_path *more)
{
    if (path->oid_length > 0 || more->oid_length > 0 ||
        path->count + more->count > DOCSIS_MAX_DEPTH)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a path of these subscripts is not possible"),
                        errdetail("SNMP objects stand alone, and groups nest at most %d deep.",
                                  DOCSIS_MAX_DEPTH),
                        errhint(PATH_HINT)));
    memcpy(path->segment + path->count, more->segment, more->count * sizeof(nmsp_segment));
    path->count += more->count;
}

typedef struct path_cache {
    Size length;
    nmsp_path path;
    char text[FLEXIBLE_ARRAY_MEMBER];
} path_cache;

const nmsp_path *
nmsp_path_cached(FmgrInfo *flinfo, const struct varlena *text)
{
    const char *bytes = VARDATA_ANY(text);
    Size length = VARSIZE_ANY_EXHDR(text);
    path_cache *cache = flinfo->fn_extra;

    if (cache && cache->length == length && memcmp(cache->text, bytes, length) == 0)
        return &cache->path;
    if (cache) {
        flinfo->fn_extra = NULL;
        pfree(cache);
    }
    {
        nmsp_path path;

        nmsp_path_parse(bytes, length, &path); /* may fail: nothing is remembered yet */
        cache = MemoryContextAlloc(flinfo->fn_mcxt, offsetof(path_cache, text) + length);
        cache->path = path;
    }
    cache->length = length;
    memcpy(cache->text, bytes, length);
    flinfo->fn_extra = cache;
    return &cache->path;
}

/* ---- places ------------------------------------------------------------- */

static void
add_place(nmsp_places *places, const nmsp_place *place)
{
    if (places->count == places->capacity) {
        places->capacity = Max(8, 2 * places->capacity);
        places->place = places->place
                            ? repalloc(places->place, places->capacity * sizeof(nmsp_place))
                            : palloc(places->capacity * sizeof(nmsp_place));
    }
    places->place[places->count++] = *place;
}

/* Where the dictionary has a symbol. */
static nmsp_place
symbol_place(const docsis_symbol *symbol)
{
    nmsp_place place = {0};
    int depth = 0;

    for (const docsis_symbol *s = symbol;; s = &docsis_symbols[s->parent]) {
        depth++;
        if (s->parent < 0)
            break;
    }
    place.depth = (uint8)depth;
    for (const docsis_symbol *s = symbol; depth > 0; s = &docsis_symbols[s->parent]) {
        place.code[--depth] = s->code;
        if (s->parent < 0)
            break;
    }
    return place;
}

static bool
is_below(const nmsp_place *place, const nmsp_place *above)
{
    return place->depth > above->depth && memcmp(place->code, above->code, above->depth) == 0;
}

/* The places of one segment. first: a name is of any depth below. */
static nmsp_places
segment_places(const nmsp_segment *segment, const nmsp_places *scope, bool first)
{
    static const nmsp_place top = {0};
    nmsp_places result = {0};

    for (int i = 0; i < (scope ? scope->count : 1); i++) {
        const nmsp_place *above = scope ? &scope->place[i] : &top;

        if (segment->name < 0) {
            nmsp_place place = *above;

            if (place.depth == DOCSIS_MAX_DEPTH)
                continue;
            place.code[place.depth++] = segment->code;
            add_place(&result, &place);
            continue;
        }
        for (int s = segment->name; s >= 0; s = docsis_symbols[s].next_same) {
            nmsp_place place = symbol_place(&docsis_symbols[s]);

            if (is_below(&place, above) && (first || place.depth == above->depth + 1))
                add_place(&result, &place);
        }
    }
    return result;
}

nmsp_places
nmsp_path_places(const nmsp_path *path, const nmsp_places *scope)
{
    nmsp_places places = {0};

    for (int i = 0; i < path->count; i++)
        places = segment_places(&path->segment[i], i == 0 ? scope : &places, i == 0);
    return places;
}

/* Without a name behind the first segment there is nothing that could be wrong. */
void
nmsp_path_check(const nmsp_path *path)
{
    nmsp_path part = *path;

    for (int i = 1; i < path->count; i++) {
        const char *name;

        if (path->segment[i].name < 0)
            continue;
        part.count = i + 1;
        if (nmsp_path_places(&part, NULL).count > 0)
            continue;
        name = docsis_symbols[path->segment[i].name].name;
        unknown_name(name, strlen(name), "The group before it has no such member.");
    }
}

/* ---- search ------------------------------------------------------------- */

void
nmsp_match_begin(nmsp_match *match, const nmsp_path *path, const uint8_t *config, size_t length)
{
    match->path = path;
    docsis_cursor_init(&match->cursor, config, length);
    match->end = length;
    match->base = 0;
    match->level = 0;
    match->seen[0] = 0;
}

void
nmsp_match_begin_in(nmsp_match *match, const nmsp_path *path, const docsis_cursor *cursor,
                    const docsis_tlv *group)
{
    match->path = path;
    match->cursor = *cursor;
    match->end = group->offset + group->header_length + group->length;
    match->base = group->depth + 1;
    match->level = 0;
    match->seen[0] = 0;
}

bool
nmsp_varbind_oid(const docsis_tlv *tlv, const uint8_t **oid, size_t *length)
{
    const uint8_t *v = tlv->value;
    size_t i = 1, n = tlv->length, octets;

    if (tlv->symbol == NULL || tlv->generic || tlv->symbol->type != DOCSIS_T_VARBIND || n < 4 ||
        v[0] != DOCSIS_TAG_SEQUENCE)
        return false;
    i += v[i] < 0x80 ? 1 : 1 + (v[i] & 0x7f);
    if (i + 2 > n || v[i] != DOCSIS_TAG_OID)
        return false;
    octets = v[++i];
    if (octets == 0x81 && i + 1 < n)
        octets = v[++i];
    if (octets >= n - i)
        return false;
    *oid = v + i + 1;
    *length = octets;
    return true;
}

/* Does the TLV fit the next segment, whatever its occurrence? */
static bool
fits(const nmsp_match *match, const docsis_tlv *tlv)
{
    const nmsp_segment *segment = &match->path->segment[match->level];

    if (segment->name >= 0)
        return tlv->symbol != NULL && tlv->symbol->first == segment->name &&
               (match->level == 0 || tlv->depth == match->depth[match->level - 1] + 1);
    return tlv->code == segment->code &&
           tlv->depth == (match->level == 0 ? match->base : match->depth[match->level - 1] + 1);
}

bool
nmsp_match_next(nmsp_match *match, docsis_tlv *tlv)
{
    const nmsp_path *path = match->path;

    while (match->cursor.position < match->end &&
           docsis_cursor_next(&match->cursor, tlv, NULL) == 1) {
        const nmsp_segment *segment;

        if (path->oid_length > 0) {
            const uint8_t *oid;
            size_t length;

            if (nmsp_varbind_oid(tlv, &oid, &length) && length == path->oid_length &&
                memcmp(oid, path->oid, length) == 0 && docsis_value_is_typed(tlv))
                return true;
            continue;
        }
        while (match->level > 0 && match->depth[match->level - 1] >= tlv->depth)
            match->level--;
        segment = &path->segment[match->level];
        if (!fits(match, tlv)) {
            if (match->level > 0 || segment->name < 0)
                docsis_cursor_skip(&match->cursor, tlv);
            continue;
        }
        match->seen[match->level]++;
        if (segment->occurrence > 0 && segment->occurrence != match->seen[match->level]) {
            docsis_cursor_skip(&match->cursor, tlv);
            continue;
        }
        if (match->level + 1 == path->count)
            return true;
        if (tlv->is_group) {
            match->depth[match->level++] = tlv->depth;
            match->seen[match->level] = 0;
        }
    }
    return false;
}

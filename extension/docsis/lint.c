/*
 * lint.c - the linter: walks the file once, lets the other files look at each TLV, and knows the
 * rules of the file as a whole. MULPIv3.1 Annex C, D.1.3 and D.2.
 */
#include "lint.h"

#include <stdarg.h>
#include <stdio.h>

#include "mic.h"

#define CODE_CLASS_OF_SERVICE 4
#define CODE_CPE_MAC          14
#define CODE_PRIVACY          17
#define CODE_MAX_CPE          18
#define CODE_US_FLOW          24
#define CODE_DS_FLOW          25
#define CODE_PRIVACY_ENABLE   29
#define CODE_EXTENSION        43
#define MAX_FILE_SIZE         8192

bool docsis_version_parse(const char *text, docsis_version *version)
{
    static const docsis_version versions[] = {
        DOCSIS_1_0, DOCSIS_1_1, DOCSIS_2_0, DOCSIS_3_0, DOCSIS_3_1, DOCSIS_4_0
    };

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strlen(text) == 3 && text[1] == '.' && text[0] == '0' + (char) (versions[i] / 10) &&
            text[2] == '0' + (char) (versions[i] % 10)) {
            *version = versions[i];
            return true;
        }
    }
    return false;
}

/* ---- findings ------------------------------------------------------------------- */

/* "24[2].8" */
static void put_path(const docsis_lint_place *place, char path[DOCSIS_FINDING_PATH])
{
    docsis_buffer out = {.data = (uint8_t *) path, .capacity = DOCSIS_FINDING_PATH - 1};

    for (int i = 0; i <= place->depth; i++) {
        if (i > 0)
            docsis_put(&out, '.');
        docsis_put_uint(&out, place->code[i]);
        if (place->occurrence[i] > 1) {
            docsis_put(&out, '[');
            docsis_put_uint(&out, place->occurrence[i]);
            docsis_put(&out, ']');
        }
    }
    path[out.length] = '\0';
}

__attribute__((format(printf, 5, 0)))
static void report(docsis_linter *l, docsis_lint_id id, const docsis_lint_place *place,
                   const docsis_symbol *symbol, const char *format, va_list arguments)
{
    docsis_finding f;

    f.rule = &docsis_lint_rules[id];
    f.has_place = place != NULL;
    f.path[0] = '\0';
    f.occurrence = 0;
    f.offset = 0;
    if (place != NULL) {
        put_path(place, f.path);
        f.occurrence = place->occurrence[place->depth];
        f.offset = place->offset;
    }
    if (symbol != NULL && symbol->reference[0] != '\0')
        f.spec = symbol->reference;
    else
        f.spec = l->mib_reference != NULL ? l->mib_reference : f.rule->spec;
    f.hint = f.rule->hint;
    vsnprintf(f.message, sizeof(f.message), format, arguments);
    if (f.rule->severity == DOCSIS_ERROR)
        l->errors++;
    l->report(l->context, &f);
}

void docsis_lint_report_at(docsis_linter *l, docsis_lint_id id, const docsis_lint_place *place,
                           const docsis_symbol *symbol, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report(l, id, place, symbol, format, arguments);
    va_end(arguments);
}

void docsis_lint_report(docsis_linter *l, docsis_lint_id id, const docsis_symbol *symbol,
                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report(l, id, &l->here, symbol, format, arguments);
    va_end(arguments);
}

/* ---- numbers ---------------------------------------------------------------------- */

uint32_t docsis_lint_number(const uint8_t *value, size_t length)
{
    uint32_t number = 0;

    if (length > 4)
        return 0;
    for (size_t i = 0; i < length; i++)
        number = number << 8 | value[i];
    return number;
}

bool docsis_lint_member(const docsis_linter *l, const docsis_lint_frame *frame, uint8_t code,
                        uint32_t *number)
{
    const uint8_t *tlv;

    if (frame->count[code] == 0)
        return false;
    tlv = l->config + frame->first[code];
    *number = docsis_lint_number(tlv + 2, tlv[1]);
    return tlv[1] >= 1 && tlv[1] <= 4;
}

/* ---- the top level ------------------------------------------------------------------ */

/* Since when a setting exists: ranges of codes of which it is known for certain. */
static void check_version(docsis_linter *l)
{
    static const struct {
        uint8_t first, last;
        uint8_t since;             /* docsis_version */
    } ranges[] = {
        {22, 26, DOCSIS_1_1}, {28, 29, DOCSIS_1_1}, {32, 38, DOCSIS_1_1}, {39, 40, DOCSIS_2_0},
        {56, 56, DOCSIS_3_0}, {58, 64, DOCSIS_3_0}, {66, 72, DOCSIS_3_0}, {74, 76, DOCSIS_3_0},
        {81, 84, DOCSIS_3_1}, {88, 88, DOCSIS_3_1}, {91, 94, DOCSIS_3_1}, {96, 97, DOCSIS_4_0},
        {103, 104, DOCSIS_4_0}, {106, 106, DOCSIS_4_0}
    };
    const docsis_tlv *tlv = l->tlv;

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (tlv->code >= ranges[i].first && tlv->code <= ranges[i].last &&
            ranges[i].since > (unsigned) l->version)
            docsis_lint_report(l, LINT_NEWER_THAN_VERSION, tlv->symbol,
                               "%s is of DOCSIS %d.%d; the file is checked for %d.%d",
                               docsis_symbol_name(tlv->symbol), ranges[i].since / 10,
                               ranges[i].since % 10, l->version / 10, l->version % 10);
    }
    if (l->version >= DOCSIS_4_0 && (tlv->code == CODE_CLASS_OF_SERVICE || tlv->code == 26))
        docsis_lint_report(l, LINT_REMOVED_SETTING, NULL, "%s does not exist in DOCSIS 4.0",
                           docsis_symbol_name(tlv->symbol));
    else if (tlv->code == CODE_CLASS_OF_SERVICE && l->version >= DOCSIS_1_1 &&
             l->frame[0].count[CODE_CLASS_OF_SERVICE] == 1)
        docsis_lint_report(l, LINT_CLASS_OF_SERVICE, NULL,
                           "%s makes the modem register as one of DOCSIS 1.0",
                           docsis_symbol_name(tlv->symbol));
}

/* Settings, 6, 7, 255, padding. */
static void check_order(docsis_linter *l)
{
    uint8_t code = l->tlv->code;
    int stage = code == DOCSIS_CODE_CM_MIC ? 1 : code == DOCSIS_CODE_CMTS_MIC ? 2
                : code == DOCSIS_CODE_EOD ? 3 : 0;

    if (code == 0) {
        if (l->stage == 3)
            l->trailing_pads++;
        else if (!l->padding_told)
            docsis_lint_report(l, LINT_PADDING_INSIDE, NULL, "Pad between settings");
        l->padding_told |= l->stage < 3;
        return;
    }
    if (stage < l->stage && !l->order_told) {
        l->order_told = true;
        docsis_lint_report(l, LINT_MIC_ORDER, NULL, "%s (%d) stands behind %s",
                           l->tlv->symbol != NULL ? l->tlv->symbol->name : "TLV", code,
                           l->stage == 1 ? "CmMic" : "CmtsMic");
    }
    if (stage > l->stage)
        l->stage = stage;
}

/*
 * The docsis tool writes an SNMP object of more than 255 bytes as TLV 64 with a two-byte length
 * into CM files too, where 64 has one of one byte. Steps behind it.
 */
static bool is_long_varbind(docsis_linter *l, docsis_cursor *cursor)
{
    const docsis_tlv *tlv = l->tlv;
    const uint8_t *p = l->config + tlv->offset;
    size_t left = l->length - tlv->offset;
    docsis_varbind vb;
    size_t n;

    if (l->is_mta || tlv->code != DOCSIS_CODE_LONG || left < 4 || p[1] == 0 ||
        p[3] != DOCSIS_TAG_SEQUENCE)
        return false;
    n = (size_t) p[1] << 8 | p[2];
    if (n > left - 3 || !docsis_varbind_read(p + 3, n, &vb))
        return false;
    docsis_lint_report(l, LINT_LONG_VARBIND, NULL,
                       "an SNMP object of %zu bytes is written as TLV 64 with a two-byte length",
                       n);
    l->frame[0].count[DOCSIS_CODE_LONG]--;
    docsis_cursor_skip(cursor, tlv);
    cursor->position = tlv->offset + 3 + n;
    return true;
}

/* A large setting of an embedded device goes on in the next TLV of its code. */
static bool is_fragment(const docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;

    return tlv->depth == 0 && tlv->code >= 201 && tlv->code <= 223 &&
           (tlv->length >= 254 || (l->last_code == tlv->code && l->last_length >= 254));
}

/* ---- the walk --------------------------------------------------------------------- */

static void open_frame(docsis_linter *l, int depth, const docsis_symbol *symbol)
{
    docsis_lint_frame *frame = &l->frame[depth];

    frame->symbol = symbol;
    frame->group = symbol != NULL ? docsis_lint_find_group(symbol) : NULL;
    frame->generic = false;
    frame->members = 0;
    memset(frame->count, 0, sizeof(frame->count));
}

static void close_frames(docsis_linter *l, int depth)
{
    while (l->depth > depth) {
        docsis_lint_place place = l->here;

        place.depth = (uint8_t) (l->depth - 1);
        place.offset = l->group_offset[place.depth];
        docsis_lint_close_group(l, &l->frame[l->depth], &place);
        l->depth--;
    }
}

static void count_member(docsis_linter *l, docsis_lint_frame *frame)
{
    const docsis_tlv *tlv = l->tlv;

    if (frame->count[tlv->code] == 0)
        frame->first[tlv->code] = (uint32_t) tlv->offset;
    if (frame->count[tlv->code] < UINT16_MAX)
        frame->count[tlv->code]++;
    if (frame->members < UINT16_MAX)
        frame->members++;
    l->here.depth = tlv->depth;
    l->here.offset = (uint32_t) tlv->offset;
    l->here.code[tlv->depth] = tlv->code;
    l->here.occurrence[tlv->depth] = frame->count[tlv->code];
}

static void visit(docsis_linter *l, docsis_cursor *cursor)
{
    const docsis_tlv *tlv = l->tlv;
    docsis_lint_frame *frame;
    bool fragment;

    close_frames(l, tlv->depth);
    frame = &l->frame[tlv->depth];
    count_member(l, frame);
    fragment = is_fragment(l);
    if (tlv->depth == 0) {
        if (is_long_varbind(l, cursor))
            return;
        if (l->is_mta) {
            docsis_lint_mta_setting(l);
        } else {
            check_order(l);
            check_version(l);
        }
        l->last_code = tlv->code;
        l->last_length = tlv->length;
    }
    if (!fragment)
        docsis_lint_value(l);
    if (!tlv->generic)
        docsis_lint_repeated(l, frame);
    if (frame->group != NULL)
        docsis_lint_in_group(l, frame);
    if (tlv->is_group) {
        l->group_offset[tlv->depth] = (uint32_t) tlv->offset;
        l->depth = tlv->depth + 1;
        open_frame(l, l->depth, tlv->symbol);
    } else if (docsis_symbol_type(tlv->symbol) == DOCSIS_T_VARBIND && !tlv->generic) {
        docsis_lint_varbind(l);
    }
}

/* ---- the whole file ------------------------------------------------------------------ */

static void missing(docsis_linter *l, uint8_t code)
{
    const docsis_symbol *symbol = docsis_child(NULL, code);

    docsis_lint_report_at(l, LINT_MANDATORY_MISSING, NULL, NULL, "%s (%d) is missing",
                          symbol->name, code);
}

static void check_mandatory(docsis_linter *l)
{
    const uint16_t *count = l->frame[0].count;
    bool old = count[CODE_CLASS_OF_SERVICE] > 0;

    if (count[3] == 0)
        missing(l, 3);
    if (l->version == DOCSIS_1_0) {
        if (!old)
            missing(l, CODE_CLASS_OF_SERVICE);
    } else if (!old || l->version >= DOCSIS_4_0) {
        if (count[CODE_US_FLOW] == 0)
            missing(l, CODE_US_FLOW);
        if (count[CODE_DS_FLOW] == 0)
            missing(l, CODE_DS_FLOW);
    }
    if (old && (count[CODE_US_FLOW] > 0 || count[CODE_DS_FLOW] > 0))
        docsis_lint_report_at(l, LINT_MIXED_QOS, NULL, NULL,
                              "ClassOfService stands beside service flows");
    if (count[DOCSIS_CODE_CM_MIC] + count[DOCSIS_CODE_CMTS_MIC] + count[DOCSIS_CODE_EOD] == 0) {
        docsis_lint_report_at(l, LINT_NOT_SEALED, NULL, NULL,
                              "no MICs and no end-of-data mark");
        return;
    }
    if (count[DOCSIS_CODE_CM_MIC] == 0)
        missing(l, DOCSIS_CODE_CM_MIC);
    if (count[DOCSIS_CODE_CMTS_MIC] == 0)
        missing(l, DOCSIS_CODE_CMTS_MIC);
    if (count[DOCSIS_CODE_EOD] == 0)
        missing(l, DOCSIS_CODE_EOD);
}

static void check_end(docsis_linter *l)
{
    size_t needed = (4 - (l->length - l->trailing_pads) % 4) % 4;

    if (l->stage < 3)
        return;
    if (l->length % 4 != 0)
        docsis_lint_report_at(l, LINT_PADDING, NULL, NULL,
                              "the file has %zu bytes, no multiple of four", l->length);
    if (l->trailing_pads > needed)
        docsis_lint_report_at(l, LINT_PADDING_EXCESS, NULL, NULL,
                              "%zu zeros follow the end-of-data mark, %zu would do",
                              l->trailing_pads, needed);
}

static void check_cm_mic(docsis_linter *l)
{
    static const docsis_key any_key;
    docsis_verification v;
    docsis_error error;
    docsis_lint_place place = {.code = {DOCSIS_CODE_CM_MIC}, .occurrence = {1}};

    /* What is in the wrong order cannot have a right MIC; one finding is enough. */
    if (l->frame[0].count[DOCSIS_CODE_CM_MIC] != 1 || l->order_told)
        return;
    place.offset = l->frame[0].first[DOCSIS_CODE_CM_MIC];
    if (l->config[place.offset + 1] == 16 &&
        docsis_verify_keyed(l->config, l->length, &any_key, 0, &v, &error) &&
        v.cm_mic == DOCSIS_MIC_WRONG)
        docsis_lint_report_at(l, LINT_CM_MIC_WRONG, &place, NULL,
                              "CmMic is not the MD5 of the settings");
}

static bool is_covered(const docsis_extended *e, uint8_t code)
{
    return code / 8u < e->bitmap_length && (e->bitmap[code / 8] & 0x80 >> code % 8) != 0;
}

static void check_extended(docsis_linter *l, const docsis_extended *e)
{
    const char *why = NULL;

    if (!e->found)
        return;
    if (e->hmac_type != 1 && e->hmac_type != 2 && e->hmac_type != 43)
        why = "its HMAC type (43.6.1) is none of 1, 2 and 43";
    else if (e->bitmap == NULL || e->bitmap_length == 0)
        why = "it has no bitmap (43.6.2)";
    else if (is_covered(e, 0))
        why = "bit 0 of its bitmap (43.6.2) is set, which stands for no TLV";
    else if (e->is_explicit && e->hmac_type == 1 && e->digest_length != 16)
        why = "its digest (43.6.3) does not have the 16 bytes of HMAC-MD5";
    else if (e->is_explicit && is_covered(e, DOCSIS_CODE_CM_MIC))
        why = "a digest of its own (43.6.3) cannot cover the CM MIC (bit 6)";
    if (why != NULL)
        docsis_lint_report_at(l, LINT_EXTENDED_MIC, NULL, NULL, "Extended CMTS MIC: %s", why);
}

/*
 * Settings that the CMTS is told and that the CMTS MIC of old does not cover. 41, 56, 62 and 74
 * need no cover, and what only the modem acts on is not here.
 */
static void check_coverage(docsis_linter *l)
{
    static const uint8_t codes[] = {61, 63, 64, 67, 70, 71, 72, 92, 93, 94};
    const docsis_lint_frame *file = &l->frame[0];
    docsis_extended e = {.found = false};

    if (file->count[CODE_EXTENSION] > 0)
        e = docsis_find_extended(l->config, l->length, false);
    check_extended(l, &e);
    for (size_t i = 0; i < sizeof(codes); i++) {
        docsis_lint_place place = {.code = {codes[i]}, .occurrence = {1}};

        if (file->count[codes[i]] == 0 || is_covered(&e, codes[i]))
            continue;
        place.offset = file->first[codes[i]];
        docsis_lint_report_at(l, LINT_NEEDS_EXTENDED_MIC, &place, NULL,
                              "no Extended CMTS MIC covers %s (%d), so the CMTS ignores it",
                              docsis_symbol_name(docsis_child(NULL, codes[i])), codes[i]);
    }
}

static void check_settings(docsis_linter *l)
{
    const docsis_lint_frame *file = &l->frame[0];
    uint32_t most = 1;
    uint32_t privacy;

    if (file->count[CODE_MAX_CPE] > 0)
        docsis_lint_member(l, file, CODE_MAX_CPE, &most);
    if (file->count[CODE_CPE_MAC] > most)
        docsis_lint_report_at(l, LINT_CPE_MAC_COUNT, NULL, NULL,
                              "%d CPE MAC addresses, but MaxCPE is %u%s",
                              file->count[CODE_CPE_MAC], most,
                              file->count[CODE_MAX_CPE] > 0 ? "" : " when it is missing");
    if (file->count[CODE_PRIVACY] > 0 &&
        docsis_lint_member(l, file, CODE_PRIVACY_ENABLE, &privacy) && privacy == 0) {
        docsis_lint_place place = {.code = {CODE_PRIVACY}, .occurrence = {1}};

        place.offset = file->first[CODE_PRIVACY];
        docsis_lint_report_at(l, LINT_PRIVACY_DISABLED, &place, NULL,
                              "BaselinePrivacy has no effect: GlobalPrivacyEnable is 0");
    }
}

static void check_malformed(docsis_linter *l, const docsis_error *error)
{
    docsis_lint_place place = {.code = {l->config[error->offset]}, .occurrence = {1}};

    place.offset = (uint32_t) error->offset;
    if (l->frame[0].count[place.code[0]] < UINT16_MAX)
        place.occurrence[0] = (uint16_t) (l->frame[0].count[place.code[0]] + 1);
    if (l->stage == 3)
        docsis_lint_report_at(l, LINT_MALFORMED_FILE, &place, NULL,
                              "other bytes than zeros behind the end-of-data mark");
    else
        docsis_lint_report_at(l, LINT_MALFORMED_FILE, &place, NULL,
                              "TLV %d at offset %zu does not fit into the file of %zu bytes",
                              place.code[0], error->offset, l->length);
}

int docsis_lint(const uint8_t *config, size_t length, const docsis_lint_options *options,
                docsis_finding_fn report_fn, void *context)
{
    docsis_linter l;
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_error error;
    int state;

    memset(&l, 0, offsetof(docsis_linter, frame));
    memset(l.slot, 0, sizeof(l.slot));
    l.config = config;
    l.length = length;
    l.version = options->version;
    l.mib = options->mib;
    l.report = report_fn;
    l.context = context;
    l.is_mta = docsis_is_mta(config, length);
    l.tlv = &tlv;
    open_frame(&l, 0, NULL);
    docsis_cursor_init(&cursor, config, length);
    while ((state = docsis_cursor_next(&cursor, &tlv, &error)) > 0)
        visit(&l, &cursor);
    close_frames(&l, 0);
    if (state < 0)
        check_malformed(&l, &error);
    if (length > MAX_FILE_SIZE)
        docsis_lint_report_at(&l, LINT_FILE_SIZE, NULL, NULL,
                              "the file has %zu bytes, more than %d", length, MAX_FILE_SIZE);
    docsis_lint_references(&l);
    docsis_lint_rows(&l);
    /* What is missing or wrong in a file that was not read to its end, nobody knows. */
    if (state < 0)
        return l.errors;
    if (l.is_mta) {
        docsis_lint_mta_end(&l);
        return l.errors;
    }
    check_mandatory(&l);
    check_settings(&l);
    check_coverage(&l);
    check_cm_mic(&l);
    check_end(&l);
    return l.errors;
}

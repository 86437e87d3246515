/*
 * fuzz_decoder - bytes as a config. Whatever they are, they are read within their bounds, and all
 * readers agree whether they are one. A config comes back unchanged from text and JSON; a sealed
 * one verifies, with the same settings.
 */
#include "fuzz.h"

static const uint8_t secret[] = "s3cret";

/* Walks all TLVs; each lies within what holds it and has a value that can be shown. */
static bool walk(const uint8_t *data, size_t size, bool skip)
{
    fuzz_buffer value = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_error error;
    char path[4 * DOCSIS_MAX_DEPTH];
    size_t last = 0;
    int next;

    docsis_cursor_init(&cursor, data, size);
    while ((next = docsis_cursor_next(&cursor, &tlv, &error)) > 0) {
        MUST(tlv.offset >= last && tlv.offset < size && tlv.depth < DOCSIS_MAX_DEPTH);
        MUST(tlv.offset + tlv.header_length + tlv.length <= size);
        MUST(tlv.value == data + tlv.offset + tlv.header_length);
        MUST(docsis_tlv_path(&tlv, path, sizeof(path)) == (int) strlen(path) && path[0] != '\0');
        last = tlv.offset;
        if (skip)
            docsis_cursor_skip(&cursor, &tlv);
        value.buffer.length = 0;
        MUST(docsis_tlv_value(&tlv, NULL, &value.buffer, &error) ||
             error.code == DOCSIS_NO_MEMORY);
    }
    if (next < 0)
        fuzz_check_error(&error, false, size);
    fuzz_buffer_free(&value);
    return next == 0;
}

/* An object of a MIB that is not built in: the first seven arcs of every other OID. */
static const docsis_mib_object *by_oid(void *context, const uint32_t *arcs, int count)
{
    static uint32_t own[7];
    static const docsis_mib_object object = {.syntax = {.name = "fuzzedObject"}, .module = "X",
                                             .arcs = own, .arc_count = 7};

    (void) context;
    if (count < 7 || arcs[6] % 2 == 0)
        return NULL;
    memcpy(own, arcs, sizeof(own));
    return &object;
}

/* Text of the docsis style is for people: it is made of every config, in every form. */
static void show(const uint8_t *data, size_t size, uint32_t draw, bool formed)
{
    docsis_mib_overlay mib = {.by_oid = by_oid};
    docsis_text_options options = {.style = DOCSIS_STYLE_DOCSIS, .oid_form = draw % 3,
                                   .body_only = draw >> 2 & 1, .valid_utf8 = draw >> 3 & 1};
    fuzz_buffer text = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    options.mib = draw >> 4 & 1 ? &mib : NULL;
    if (!docsis_write_text(data, size, &options, &text.buffer, &error)) {
        MUST(!formed || error.code == DOCSIS_NO_MEMORY);
        MUST(text.buffer.length == 0);
        fuzz_check_error(&error, false, size);
    } else {
        MUST(formed);
    }
    fuzz_buffer_free(&text);
}

/* A writer that runs out of memory says so and leaves the buffer as it was. */
static void run_short(const uint8_t *data, size_t size, fuzz_writer write, uint32_t draw)
{
    fuzz_buffer out = fuzz_buffer_new(draw % 512);
    size_t before = fuzz_put_mark(&out);
    docsis_error error;

    if (!write(data, size, NULL, &out.buffer, &error)) {
        MUST(error.code == DOCSIS_NO_MEMORY);
        MUST(out.buffer.length == before);
    }
    fuzz_buffer_free(&out);
}

static void check_seal(const uint8_t *data, size_t size, unsigned flags)
{
    fuzz_buffer sealed = fuzz_buffer_new(FUZZ_LIMIT), again = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_verification v;
    docsis_error error;

    if (!docsis_seal(data, size, secret, 6, flags, &sealed.buffer, &error)) {
        MUST(sealed.buffer.length == 0);
        fuzz_check_error(&error, false, size);
    } else {
        const docsis_buffer *s = &sealed.buffer;

        MUST(docsis_verify(s->data, s->length, secret, 6, flags, &v, &error));
        MUST(v.is_mta == docsis_is_mta(data, size));
        if (v.is_mta) {
            MUST(fuzz_equal(s, data, size));
        } else {
            MUST(v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_OK);
            MUST(s->length % 4 == 0);
            if (flags & (DOCSIS_MIC_EXPLICIT | DOCSIS_MIC_IMPLICIT))
                MUST(v.extended_mic == DOCSIS_MIC_OK &&
                     v.extended_implicit == !(flags & DOCSIS_MIC_EXPLICIT));
            else if (flags & DOCSIS_MIC_EXTENDED)
                MUST(v.extended_mic == DOCSIS_MIC_OK || v.extended_mic == DOCSIS_MIC_ABSENT);
            MUST(docsis_seal(s->data, s->length, secret, 6, flags, &again.buffer, &error));
            MUST(fuzz_equal(&again.buffer, s->data, s->length));
        }
    }
    fuzz_buffer_free(&sealed);
    fuzz_buffer_free(&again);
}

static void check_mta_hash(const uint8_t *data, size_t size)
{
    for (int kind = DOCSIS_MTA_HASH_NONE; kind <= DOCSIS_MTA_HASH_IETF; kind++) {
        fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT), again = fuzz_buffer_new(FUZZ_LIMIT);
        docsis_error error;

        if (!docsis_mta_hash(data, size, (docsis_mta_hash_kind) kind, &out.buffer, &error)) {
            MUST(out.buffer.length == 0);
            fuzz_check_error(&error, false, size);
        } else {
            MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
            MUST(docsis_mta_hash(out.buffer.data, out.buffer.length, (docsis_mta_hash_kind) kind,
                                 &again.buffer, &error));
            MUST(fuzz_equal(&again.buffer, out.buffer.data, out.buffer.length));
        }
        fuzz_buffer_free(&out);
        fuzz_buffer_free(&again);
    }
}

/* What is added at download is there once; adding it again changes nothing. */
static void check_download(const uint8_t *data, size_t size, uint32_t draw)
{
    docsis_download download = {.has_timestamp = draw >> 3 & 1, .timestamp = draw,
                                .address_length = (draw >> 4 & 1) * (draw >> 5 & 1 ? 4 : 16)};
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT), again = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    if (!docsis_put_download(data, size, &download, &out.buffer, &error)) {
        MUST(out.buffer.length == 0);
        fuzz_check_error(&error, false, size);
    } else {
        MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
        MUST(docsis_put_download(out.buffer.data, out.buffer.length, &download, &again.buffer,
                                 &error));
        MUST(fuzz_equal(&again.buffer, out.buffer.data, out.buffer.length));
    }
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&again);
}

/* The bytes as a dial plan in an MTA config of its own, and put into what they are themselves. */
static void check_dialplan(const uint8_t *data, size_t size, uint32_t draw)
{
    fuzz_buffer plan = fuzz_buffer_new(FUZZ_LIMIT), out = fuzz_buffer_new(FUZZ_LIMIT);
    fuzz_buffer again = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    if (docsis_dialplan(data, size, (docsis_dialplan_form) (draw >> 6 & 1), &plan.buffer, &error)) {
        const docsis_buffer *p = &plan.buffer;

        MUST(docsis_check(p->data, p->length, &error));
        if (docsis_mta_dialplan(data, size, p->data, p->length, &out.buffer, &error)) {
            MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
            MUST(docsis_mta_dialplan(out.buffer.data, out.buffer.length, p->data, p->length,
                                     &again.buffer, &error));
            MUST(fuzz_equal(&again.buffer, out.buffer.data, out.buffer.length));
        } else {
            MUST(out.buffer.length == 0);
        }
    }
    fuzz_buffer_free(&plan);
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&again);
}

/* Certificates out of anything: TLVs, or an error. */
static void check_certificates(const uint8_t *data, size_t size, uint32_t draw)
{
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    if (docsis_put_cvc(data, size, (docsis_cvc_kind) (draw >> 7 & 1), draw >> 8 & 1, &out.buffer,
                       &error)) {
        MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
    } else {
        MUST(out.buffer.length == 0);
        MUST(error.message[0] != '\0');
    }
    fuzz_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    docsis_text_options native = {.style = DOCSIS_STYLE_NATIVE, .oid_form = draw % 3};
    docsis_profile profile = draw >> 8 & 1 ? DOCSIS_PROFILE_IETF : DOCSIS_PROFILE_CABLELABS;
    docsis_verification v;
    docsis_error error;
    bool formed = docsis_check(data, size, &error);

    if (!formed)
        fuzz_check_error(&error, false, size);
    MUST(walk(data, size, false) == formed);
    MUST(walk(data, size, true) == formed);
    show(data, size, draw, formed);
    MUST(docsis_verify(data, size, secret, 6, 0, &v, &error) == formed);
    check_seal(data, size, draw >> 9 & 0x1f);
    check_download(data, size, draw);
    check_dialplan(data, size, draw);
    check_certificates(data, size, draw);
    check_mta_hash(data, size);
    if (formed) {
        fuzz_round_trip(data, size, docsis_write_text, &native, docsis_parse_text, profile);
        fuzz_round_trip(data, size, docsis_write_json, &native, docsis_read_json, profile);
        run_short(data, size, draw >> 12 & 1 ? docsis_write_text : docsis_write_json, draw >> 13);
    }
    return 0;
}

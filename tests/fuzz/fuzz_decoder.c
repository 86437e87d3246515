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

/* Text of the docsis style is for people: it is made of every config, in every form. */
static void show(const uint8_t *data, size_t size, uint32_t draw, bool formed)
{
    docsis_text_options options = {.style = DOCSIS_STYLE_DOCSIS, .oid_form = draw % 3,
                                   .body_only = draw >> 2 & 1, .valid_utf8 = draw >> 3 & 1};
    fuzz_buffer text = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    options.mib = draw >> 4 & 1 ? &fuzz_mib : NULL;
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

/* What was sealed verifies and seals to itself; with a key that is kept as with the secret. */
static void check_seal(const uint8_t *data, size_t size, unsigned flags)
{
    fuzz_buffer sealed = fuzz_buffer_new(FUZZ_LIMIT), again = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_key key;
    docsis_verification v;
    docsis_error error;
    bool done = docsis_seal(data, size, secret, 6, flags, &sealed.buffer, &error);

    MUST(docsis_key_init(&key, secret, 6, 0, &error));
    MUST(docsis_seal_keyed(data, size, &key, flags, &again.buffer, &error) == done);
    if (!done) {
        MUST(sealed.buffer.length == 0 && again.buffer.length == 0);
        fuzz_check_error(&error, false, size);
    } else {
        const docsis_buffer *s = &sealed.buffer;

        MUST(fuzz_equal(&again.buffer, s->data, s->length));
        again.buffer.length = 0;
        MUST(docsis_verify_keyed(s->data, s->length, &key, flags, &v, &error));
        MUST(v.is_mta == docsis_is_mta(data, size));
        if (v.is_mta) {
            MUST(fuzz_equal(s, data, size));
        } else {
            MUST(v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_OK && s->length % 4 == 0);
            if (flags & (DOCSIS_MIC_EXPLICIT | DOCSIS_MIC_IMPLICIT))
                MUST(v.extended_mic == DOCSIS_MIC_OK &&
                     v.extended_implicit == !(flags & DOCSIS_MIC_EXPLICIT));
            else if (flags & DOCSIS_MIC_EXTENDED)
                MUST(v.extended_mic == DOCSIS_MIC_OK || v.extended_mic == DOCSIS_MIC_ABSENT);
            MUST(docsis_seal(s->data, s->length, secret, 6, flags, &again.buffer, &error));
            MUST(fuzz_equal(&again.buffer, s->data, s->length));
        }
    }
    docsis_key_cleanse(&key);
    fuzz_buffer_free(&sealed);
    fuzz_buffer_free(&again);
}

/* Settings of the download are added once: a second time changes nothing. */
static void check_download(const uint8_t *data, size_t size, uint32_t draw)
{
    docsis_download download = {.has_timestamp = draw & 1, .timestamp = draw,
                                .address_length = draw & 2 ? 4 : draw & 4 ? 16 : 0};
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

/* The bytes as a digit map, and put into the config that they are. */
static void check_dialplan(const uint8_t *data, size_t size, uint32_t draw)
{
    docsis_dialplan_form form = draw & 1 ? DOCSIS_DIALPLAN_OPTION : DOCSIS_DIALPLAN_DIGITMAP;
    fuzz_buffer plan = fuzz_buffer_new(FUZZ_LIMIT), out = fuzz_buffer_new(FUZZ_LIMIT);
    fuzz_buffer again = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    if (!docsis_dialplan(data, size, form, &plan.buffer, &error)) {
        MUST(plan.buffer.length == 0);
        fuzz_check_error(&error, false, size);
    } else {
        const docsis_buffer *b = &plan.buffer;

        MUST(docsis_check(b->data, b->length, &error) && docsis_is_mta(b->data, b->length));
        if (!docsis_mta_dialplan(data, size, b->data, b->length, &out.buffer, &error)) {
            MUST(out.buffer.length == 0);
        } else {
            MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
            MUST(docsis_mta_dialplan(out.buffer.data, out.buffer.length, b->data, b->length,
                                     &again.buffer, &error));
            MUST(fuzz_equal(&again.buffer, out.buffer.data, out.buffer.length));
        }
    }
    fuzz_buffer_free(&plan);
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&again);
}

/* The bytes as certificates. */
static void check_certificates(const uint8_t *data, size_t size)
{
    for (int i = 0; i < 4; i++) {
        fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
        docsis_error error;

        if (docsis_put_cvc(data, size, i & 1 ? DOCSIS_CVC_CHAIN : DOCSIS_CVC_CERTIFICATE, i & 2,
                           &out.buffer, &error)) {
            MUST(docsis_check(out.buffer.data, out.buffer.length, &error));
        } else {
            MUST(out.buffer.length == 0);
            fuzz_check_error(&error, false, size);
        }
        fuzz_buffer_free(&out);
    }
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    docsis_text_options native = {.style = DOCSIS_STYLE_NATIVE, .oid_form = draw % 3};
    docsis_profile profile = (draw >> 7) % 3;
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
    check_mta_hash(data, size);
    check_download(data, size, draw >> 5);
    check_dialplan(data, size, draw >> 6);
    if (size > 0 && data[0] == 0x30)
        check_certificates(data, size);
    if (formed) {
        fuzz_round_trip(data, size, docsis_write_text, &native, docsis_parse_text, profile);
        fuzz_round_trip(data, size, docsis_write_json, &native, docsis_read_json, profile);
        run_short(data, size, draw >> 12 & 1 ? docsis_write_text : docsis_write_json, draw >> 13);
    }
    return 0;
}

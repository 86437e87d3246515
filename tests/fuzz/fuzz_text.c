/*
 * fuzz_text - bytes as the text language: a config that comes back from text and JSON, or an error
 * with its place. The same without memory: an error that leaves nothing behind.
 */
#include "fuzz.h"

/* The text as an OID: what is one comes back from its numbers, and can be shown with names. */
static void check_oid(const char *text, size_t size, const docsis_options *options, uint32_t draw)
{
    uint32_t arcs[DOCSIS_MAX_ARCS], again[DOCSIS_MAX_ARCS];
    int count, again_count;
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error;

    if (docsis_oid_parse(text, size, options, arcs, &count, &error)) {
        MUST(count >= 0 && count <= DOCSIS_MAX_ARCS);
        MUST(docsis_oid_text(arcs, count, DOCSIS_OID_NUMERIC, NULL, &out.buffer));
        if (count > 0) {
            MUST(docsis_oid_parse((char *) out.buffer.data, out.buffer.length, options, again,
                                  &again_count, &error));
            MUST(again_count == count && memcmp(arcs, again, (size_t) count * 4) == 0);
        }
        out.buffer.length = 0;
        MUST(docsis_oid_text(arcs, count, draw % 3, draw & 64 ? &fuzz_mib : NULL, &out.buffer));
    } else {
        MUST(error.message[0] != '\0');
    }
    fuzz_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    int warnings = 0;
    docsis_options options = fuzz_options(draw, &warnings);

    fuzz_read(data, size, &options, draw, docsis_parse_text);
    if (size < 200)
        check_oid((const char *) data, size, &options, draw >> 16);
    return 0;
}

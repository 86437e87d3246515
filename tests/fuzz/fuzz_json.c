/*
 * fuzz_json - bytes as JSON: a config that comes back from text and JSON, or an error with its
 * place. The same without memory: an error that leaves nothing behind.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    int warnings = 0;
    docsis_options options = {.profile = draw % 3, .warn = fuzz_warn, .warn_context = &warnings,
                              .limits = draw >> 3 & 1, .mib = draw & 4 ? &fuzz_mib : NULL};
    docsis_options with_long = options;
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
    fuzz_buffer tight = fuzz_buffer_new(draw >> 4 & 127);
    size_t before = fuzz_put_mark(&tight);
    docsis_error error;

    if (docsis_read_json((const char *) data, size, &options, &out.buffer, &error)) {
        const docsis_buffer *b = &out.buffer;

        MUST(docsis_check(b->data, b->length, &error));
        fuzz_round_trip(b->data, b->length, docsis_write_json, NULL, docsis_read_json,
                        options.profile);
        fuzz_round_trip(b->data, b->length, docsis_write_text, NULL, docsis_parse_text,
                        options.profile);
    } else {
        MUST(out.buffer.length == 0);
        if (error.code != DOCSIS_NO_MEMORY)
            fuzz_check_error(&error, true, size);
    }
    if (!docsis_read_json((const char *) data, size, &options, &tight.buffer, &error))
        MUST(tight.buffer.length == before);
    if (before > 0)
        MUST(tight.buffer.data[0] == 0x5a);
    with_long.allow_long_varbind = true;
    out.buffer.length = 0;
    docsis_read_json((const char *) data, size, &with_long, &out.buffer, &error);
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&tight);
    return 0;
}

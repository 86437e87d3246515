/*
 * fuzz_text - bytes as the text language: a config that comes back from text and JSON, or an error
 * with its place. The same without memory: an error that leaves nothing behind.
 */
#include "fuzz.h"

/* Names of an operator's own MIB: those that begin with x, and an answer without sense for y. */
static const docsis_mib_object *by_name(void *context, const char *name, size_t length, int n)
{
    static const uint32_t sense[7] = {1, 3, 6, 6, 6, 6, 6};
    static uint32_t none[DOCSIS_MAX_ARCS] = {1, 3};
    static const docsis_mib_object x = {.syntax = {.name = "x"}, .module = "X", .arcs = sense,
                                        .arc_count = 7};
    static const docsis_mib_object y = {.syntax = {.name = "y"}, .module = "Y", .arcs = none,
                                        .arc_count = DOCSIS_MAX_ARCS};

    (void) context;
    if (length == 0 || n > 0 || (name[0] != 'x' && name[0] != 'y'))
        return NULL;
    for (int i = 2; i < DOCSIS_MAX_ARCS; i++)
        none[i] = UINT32_MAX;
    return name[0] == 'x' ? &x : &y;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    docsis_mib_overlay mib = {.by_name = by_name};
    int warnings = 0;
    docsis_options options = {.profile = draw & 1 ? DOCSIS_PROFILE_IETF : DOCSIS_PROFILE_CABLELABS,
                              .warn = fuzz_warn, .warn_context = &warnings,
                              .mib = draw & 2 ? &mib : NULL};
    docsis_options with_long = options;
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
    fuzz_buffer tight = fuzz_buffer_new(draw >> 4 & 127);
    size_t before = fuzz_put_mark(&tight);
    docsis_error error;

    if (docsis_parse_text((const char *) data, size, &options, &out.buffer, &error)) {
        const docsis_buffer *b = &out.buffer;

        MUST(docsis_check(b->data, b->length, &error));
        fuzz_round_trip(b->data, b->length, docsis_write_text, NULL, docsis_parse_text,
                        options.profile);
        fuzz_round_trip(b->data, b->length, docsis_write_json, NULL, docsis_read_json,
                        options.profile);
    } else {
        MUST(out.buffer.length == 0);
        if (error.code != DOCSIS_NO_MEMORY)
            fuzz_check_error(&error, true, size);
    }
    if (!docsis_parse_text((const char *) data, size, &options, &tight.buffer, &error))
        MUST(tight.buffer.length == before);
    if (before > 0)
        MUST(tight.buffer.data[0] == 0x5a);
    with_long.allow_long_varbind = true;
    out.buffer.length = 0;
    docsis_parse_text((const char *) data, size, &with_long, &out.buffer, &error);
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&tight);
    return 0;
}

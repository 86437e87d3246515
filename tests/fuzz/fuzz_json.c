/*
 * fuzz_json - bytes as JSON: a config that comes back from text and JSON, or an error with its
 * place. The same without memory: an error that leaves nothing behind.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t draw = fuzz_draw(data, size);
    int warnings = 0;
    docsis_options options = fuzz_options(draw, &warnings);

    fuzz_read(data, size, &options, draw, docsis_read_json);
    return 0;
}

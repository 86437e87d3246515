/*
 * fuzz_json - bytes as JSON: a config, or an error with its place.
 */
#include <stdlib.h>

#include "docsis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    docsis_buffer out = {.grow = docsis_grow_malloc};
    docsis_error error;

    if (docsis_read_json((const char *) data, size, NULL, &out, &error)) {
        if (!docsis_check(out.data, out.length, &error))
            abort();
    } else if (error.line < 1 || error.column < 1 || out.length != 0) {
        abort();
    }
    free(out.data);
    return 0;
}

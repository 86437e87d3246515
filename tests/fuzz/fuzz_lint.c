/*
 * fuzz_lint - bytes as a file to be checked, whatever they are: each finding lies within the file
 * and is written as findings are, errors are counted, and bytes that are no config are told so.
 */
#include "fuzz.h"

typedef struct tally {
    size_t size;
    int errors;
    bool malformed;
} tally;

static void count(void *context, const docsis_finding *f)
{
    tally *t = context;
    size_t length = strlen(f->message);

    MUST(length > 0 && f->message[length - 1] != '.');
    MUST(f->rule->id[0] != '\0' && f->spec != NULL && f->hint != NULL);
    MUST(f->has_place == (f->path[0] != '\0') && f->has_place == (f->occurrence > 0));
    MUST(!f->has_place || f->offset < t->size);
    MUST(strlen(f->path) < DOCSIS_FINDING_PATH);
    t->errors += f->rule->severity == DOCSIS_ERROR;
    t->malformed |= strcmp(f->rule->id, "malformed-file") == 0 ||
                    strcmp(f->rule->id, "long-varbind") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const docsis_version versions[] = {
        DOCSIS_1_0, DOCSIS_1_1, DOCSIS_2_0, DOCSIS_3_0, DOCSIS_3_1, DOCSIS_4_0
    };
    uint32_t draw = fuzz_draw(data, size);
    docsis_lint_options options = {.version = versions[draw % 6],
                                   .mib = draw >> 4 & 1 ? &fuzz_mib : NULL};
    tally t = {.size = size};
    docsis_error error;

    MUST(docsis_lint(data, size, &options, count, &t) == t.errors);
    MUST(t.malformed || docsis_check(data, size, &error));
    return 0;
}

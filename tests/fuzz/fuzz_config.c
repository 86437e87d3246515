/*
 * fuzz_config - bytes as a config: whatever they are, they are read within their
 * bounds; a well-formed config comes back from text and JSON unchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "docsis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    docsis_text_options tool = {.style = DOCSIS_STYLE_DOCSIS, .valid_utf8 = true};
    docsis_buffer text = {.grow = docsis_grow_malloc};
    docsis_buffer back = {.grow = docsis_grow_malloc};
    docsis_error error;
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_verification v;
    bool formed = docsis_check(data, size, &error);
    int next;

    docsis_cursor_init(&cursor, data, size);
    while ((next = docsis_cursor_next(&cursor, &tlv, &error)) > 0)
        ;
    must((next == 0) == formed);
    must(docsis_write_text(data, size, &tool, &text, &error) == formed);
    must(docsis_verify(data, size, (const uint8_t *) "x", 1, 0, &v, &error) == formed);
    if (formed) {
        text.length = 0;
        must(docsis_write_text(data, size, NULL, &text, &error));
        must(docsis_parse_text((char *) text.data, text.length, NULL, &back, &error));
        must(back.length == size && (size == 0 || memcmp(back.data, data, size) == 0));
        text.length = back.length = 0;
        must(docsis_write_json(data, size, NULL, &text, &error));
        must(docsis_read_json((char *) text.data, text.length, NULL, &back, &error));
        must(back.length == size && (size == 0 || memcmp(back.data, data, size) == 0));
        back.length = 0;
        if (docsis_seal(data, size, (const uint8_t *) "x", 1, 0, &back, &error) && !v.is_mta) {
            must(docsis_verify(back.data, back.length, (const uint8_t *) "x", 1, 0, &v, &error));
            must(v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_OK);
        }
        back.length = 0;
        docsis_mta_hash(data, size, DOCSIS_MTA_HASH_EU, &back, &error);
    }
    free(text.data);
    free(back.data);
    return 0;
}

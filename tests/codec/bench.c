/*
 * bench - operations per second and core of the codec, on one text.
 *
 *   bench [TEXT_FILE]     default: templates/base-cm.rendered.txt of NMSP_VECTORS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "docsis.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

#define MEASURE(name, statement) \
    do { \
        double best = 0; \
        for (int round = 0; round < 5; round++) { \
            int count = 0; \
            double start = now(); \
            double spent; \
            do { \
                for (int i = 0; i < 200; i++) { \
                    statement; \
                } \
                count += 200; \
                spent = now() - start; \
            } while (spent < 0.2); \
            if (count / spent > best) \
                best = count / spent; \
        } \
        printf("%-28s %10.0f /s\n", name, best); \
    } while (0)

int main(int argc, char **argv)
{
    static char text[65536];
    char path[4096];
    const char *folder = getenv("NMSP_VECTORS");
    size_t length;
    FILE *file;
    docsis_buffer config = {.grow = docsis_grow_malloc};
    docsis_buffer sealed = {.grow = docsis_grow_malloc};
    docsis_buffer out = {.grow = docsis_grow_malloc};
    docsis_buffer json = {.grow = docsis_grow_malloc};
    docsis_text_options tool = {.style = DOCSIS_STYLE_DOCSIS};
    docsis_verification result;
    docsis_error error;
    docsis_cursor cursor;
    docsis_tlv tlv;
    const uint8_t *secret = (const uint8_t *) "DOCSIS";

    snprintf(path, sizeof(path), "%s/templates/base-cm.rendered.txt", 
             folder != NULL ? folder : ".");
    file = fopen(argc > 1 ? argv[1] : path, "rb");
    if (file == NULL) {
        printf("no text at %s\n", argc > 1 ? argv[1] : path);
        return 0;
    }
    length = fread(text, 1, sizeof(text), file);
    fclose(file);
    if (!docsis_parse_text(text, length, NULL, &config, &error) ||
        !docsis_seal(config.data, config.length, secret, 6, 0, &sealed, &error) ||
        !docsis_write_json(sealed.data, sealed.length, NULL, &json, &error)) {
        printf("%d:%d: %s\n", error.line, error.column, error.message);
        return 1;
    }
    printf("text %zu bytes, file %zu bytes\n", length, sealed.length);
    MEASURE("text -> config", out.length = 0;
            docsis_parse_text(text, length, NULL, &out, &error));
    MEASURE("config -> text, native", out.length = 0;
            docsis_write_text(sealed.data, sealed.length, NULL, &out, &error));
    MEASURE("config -> text, docsis", out.length = 0;
            docsis_write_text(sealed.data, sealed.length, &tool, &out, &error));
    MEASURE("config -> JSON", out.length = 0;
            docsis_write_json(sealed.data, sealed.length, NULL, &out, &error));
    MEASURE("JSON -> config", out.length = 0;
            docsis_read_json((char *) json.data, json.length, NULL, &out, &error));
    MEASURE("walk", docsis_cursor_init(&cursor, sealed.data, sealed.length);
            while (docsis_cursor_next(&cursor, &tlv, &error) > 0));
    MEASURE("seal", out.length = 0;
            docsis_seal(config.data, config.length, secret, 6, 0, &out, &error));
    MEASURE("verify", docsis_verify(sealed.data, sealed.length, secret, 6, 0, &result, &error));
    free(config.data);
    free(sealed.data);
    free(out.data);
    free(json.data);
    return 0;
}

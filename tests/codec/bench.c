/*
 * bench - operations per second and core of the codec, on one text.
 *
 *   bench [TEXT_FILE]     default: templates/base-cm.rendered.txt of NMSP_VECTORS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#include "docsis.h"

/* What the CMTS MIC covers of a sealed file, in its order. */
static size_t covered(const uint8_t *file, size_t length, uint8_t *out)
{
    static const uint8_t codes[] = {1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26,
                                    35, 36, 37, 40};
    size_t n = 0;
    docsis_cursor cursor;
    docsis_tlv tlv;
    docsis_error error;

    for (size_t i = 0; i < sizeof(codes); i++) {
        docsis_cursor_init(&cursor, file, length);
        while (docsis_cursor_next(&cursor, &tlv, &error) > 0) {
            size_t size = tlv.header_length + tlv.length;

            if (tlv.depth == 0 && tlv.code == codes[i]) {
                memcpy(out + n, file + tlv.offset, size);
                n += size;
            }
        }
    }
    return n;
}

/* The least that sealing costs: MD5 of the settings, HMAC-MD5 with both key states kept. */
static void bare_digests(const uint8_t *settings, size_t length, const uint8_t *hmac, size_t n,
                         const MD5_CTX *inner, const MD5_CTX *outer, uint8_t digest[16])
{
    MD5_CTX md5;

    MD5_Init(&md5);
    MD5_Update(&md5, settings, length);
    MD5_Final(digest, &md5);
    md5 = *inner;
    MD5_Update(&md5, hmac, n);
    MD5_Final(digest, &md5);
    md5 = *outer;
    MD5_Update(&md5, digest, 16);
    MD5_Final(digest, &md5);
}

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

/* Sealing and the bare digests in turns, so that both meet the same machine. */
static void compare_seal(const docsis_buffer *config, const docsis_buffer *sealed)
{
    enum { CALLS = 2000, ROUNDS = 200 };
    uint8_t pad[64], digest[16];
    uint8_t *hmac = malloc(sealed->length);
    size_t n = covered(sealed->data, sealed->length, hmac);
    double best_bare = 1e9, best_seal = 1e9, best_verify = 1e9;
    docsis_buffer out = {.grow = docsis_grow_malloc};
    docsis_verification result;
    docsis_error error;
    docsis_key key;
    MD5_CTX inner, outer;

    for (int i = 0; i < 64; i++)
        pad[i] = 0x36 ^ (uint8_t) (i < 6 ? "DOCSIS"[i] : 0);
    MD5_Init(&inner);
    MD5_Update(&inner, pad, 64);
    for (int i = 0; i < 64; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    MD5_Init(&outer);
    MD5_Update(&outer, pad, 64);
    docsis_key_init(&key, (const uint8_t *) "DOCSIS", 6, 0, &error);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();

        for (int i = 0; i < CALLS; i++)
            bare_digests(config->data, config->length, hmac, n, &inner, &outer, digest);
        start = now() - start;
        best_bare = start < best_bare ? start : best_bare;
        start = now();
        for (int i = 0; i < CALLS; i++) {
            out.length = 0;
            docsis_seal_keyed(config->data, config->length, &key, 0, &out, &error);
        }
        start = now() - start;
        best_seal = start < best_seal ? start : best_seal;
        start = now();
        for (int i = 0; i < CALLS; i++)
            docsis_verify_keyed(sealed->data, sealed->length, &key, 0, &result, &error);
        start = now() - start;
        best_verify = start < best_verify ? start : best_verify;
    }
    printf("%-28s %10.0f /s  (%zu + %zu bytes)%s\n", "bare digests", CALLS / best_bare,
           config->length, n,
           memcmp(digest, out.data + config->length + 20, 16) == 0 ? "" : "  OTHER DIGEST");
    printf("%-28s %10.0f /s  = bare digests %+.1f %%\n", "seal, key kept", CALLS / best_seal,
           100 * (best_seal / best_bare - 1));
    printf("%-28s %10.0f /s  = bare digests %+.1f %%\n", "verify, key kept",
           CALLS / best_verify, 100 * (best_verify / best_bare - 1));
    free(hmac);
    free(out.data);
}

static void on_finding(void *context, const docsis_finding *finding)
{
}

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
    docsis_lint_options lint = {.version = DOCSIS_3_1};
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
    MEASURE("lint", docsis_lint(sealed.data, sealed.length, &lint, on_finding, NULL));
    compare_seal(&config, &sealed);
    free(config.data);
    free(sealed.data);
    free(out.data);
    free(json.data);
    return 0;
}

/*
 * codec_cli - the codec as a filter, for tests and experiments.
 *
 *   codec_cli OPERATION [ARGUMENT...] < input > output
 *   codec_cli batch
 *
 * Operations: encode, decode, tojson, fromjson, seal SECRET, verify SECRET,
 * hash na|eu|ietf, tlvs. Arguments in between: long (allow long varbinds), ietf
 * (profile), tool-limits, docsis (style), numeric, iso (form of OIDs). Exit status 1 and
 * "line:column: message" on stderr when refused.
 *
 * batch reads lines "OPERATION[,ARGUMENT...] HEX" and answers each with
 * "ok HEX" or "err CODE LINE COLUMN OFFSET HEX-OF-MESSAGE HEX-OF-DETAIL HEX-OF-HINT".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docsis.h"

typedef struct request {
    const char *operation;
    const char *argument;     /* secret or kind */
    docsis_options options;
    docsis_text_options text;
    unsigned mic_flags;
} request;

static void parse_word(request *r, const char *word)
{
    if (strcmp(word, "long") == 0) {
        r->options.allow_long_varbind = true;
        r->mic_flags |= DOCSIS_MIC_LONG_VARBIND;
    } else if (strcmp(word, "ietf") == 0 && strcmp(r->operation, "hash") != 0) {
        r->options.profile = DOCSIS_PROFILE_IETF;
    } else if (strcmp(word, "tool-limits") == 0) {
        r->options.limits = DOCSIS_LIMITS_TOOL;
    } else if (strcmp(word, "docsis") == 0) {
        r->text.style = DOCSIS_STYLE_DOCSIS;
    } else if (strcmp(word, "numeric") == 0) {
        r->text.oid_form = DOCSIS_OID_NUMERIC;
    } else if (strcmp(word, "iso") == 0) {
        r->text.oid_form = DOCSIS_OID_ISO;
    } else if (strcmp(word, "ipv6") == 0) {
        r->mic_flags |= DOCSIS_MIC_IPV6_ADDRESS;
    } else {
        r->argument = word;
    }
}

static void put(docsis_buffer *out, const char *text)
{
    size_t length = strlen(text);

    if (out->capacity - out->length < length && !docsis_grow_malloc(out, out->length + length))
        abort();
    memcpy(out->data + out->length, text, length);
    out->length += length;
}

static bool list_tlvs(const uint8_t *input, size_t length, const request *r, docsis_buffer *out,
                      docsis_error *error)
{
    docsis_cursor cursor;
    docsis_tlv tlv;
    int next;
    char line[300];
    char path[64];

    docsis_cursor_init(&cursor, input, length);
    while ((next = docsis_cursor_next(&cursor, &tlv, error)) > 0) {
        docsis_tlv_path(&tlv, path, sizeof(path));
        snprintf(line, sizeof(line), "%s\t%s\t%s\t%zu\t%d\t%zu\t", path,
                 docsis_symbol_name(tlv.symbol), docsis_type_name(docsis_symbol_type(tlv.symbol)),
                 tlv.offset, tlv.header_length, tlv.length);
        put(out, line);
        if (!docsis_tlv_value(&tlv, &r->text, out, error))
            return false;
        put(out, "\n");
    }
    return next == 0;
}

static bool verify(const uint8_t *input, size_t length, const request *r, docsis_buffer *out,
                   docsis_error *error)
{
    static const char *const states[] = {"absent", "ok", "wrong"};
    docsis_verification result;

    if (!docsis_verify(input, length, (const uint8_t *) r->argument, strlen(r->argument),
                       r->mic_flags, &result, error))
        return false;
    put(out, states[result.cm_mic]);
    put(out, " ");
    put(out, states[result.cmts_mic]);
    return true;
}

static bool perform(const uint8_t *input, size_t length, const request *r, docsis_buffer *out,
                    docsis_error *error)
{
    const char *op = r->operation;

    if (strcmp(op, "encode") == 0)
        return docsis_parse_text((const char *) input, length, &r->options, out, error);
    if (strcmp(op, "decode") == 0)
        return docsis_write_text(input, length, &r->text, out, error);
    if (strcmp(op, "tojson") == 0)
        return docsis_write_json(input, length, &r->text, out, error);
    if (strcmp(op, "fromjson") == 0)
        return docsis_read_json((const char *) input, length, &r->options, out, error);
    if (strcmp(op, "tlvs") == 0)
        return list_tlvs(input, length, r, out, error);
    if (strcmp(op, "seal") == 0)
        return docsis_seal(input, length, (const uint8_t *) r->argument, strlen(r->argument),
                           r->mic_flags, out, error);
    if (strcmp(op, "verify") == 0)
        return verify(input, length, r, out, error);
    if (strcmp(op, "hash") == 0)
        return docsis_mta_hash(input, length,
                               strcmp(r->argument, "na") == 0   ? DOCSIS_MTA_HASH_NA
                               : strcmp(r->argument, "eu") == 0 ? DOCSIS_MTA_HASH_EU
                                                                : DOCSIS_MTA_HASH_IETF,
                               out, error);
    fprintf(stderr, "unknown operation \"%s\"\n", op);
    exit(2);
}

static void print_hex(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < length; i++)
        printf("%02x", p[i]);
}

static void answer(char *line)
{
    request r = {.argument = ""};
    char *space = strchr(line, ' ');
    char *hex = space + 1;
    size_t length = strlen(hex) / 2;
    /* Exactly as large as the input, so that a sanitizer sees a read beyond it. */
    uint8_t *input = malloc(length > 0 ? length : 1);
    docsis_buffer out = {.grow = docsis_grow_malloc};
    docsis_error error;

    *space = '\0';
    for (size_t i = 0; i < length; i++)
        sscanf(hex + 2 * i, "%2hhx", &input[i]);
    r.operation = strtok(line, ",");
    for (char *word = strtok(NULL, ","); word != NULL; word = strtok(NULL, ","))
        parse_word(&r, word);
    if (perform(input, length, &r, &out, &error)) {
        printf("ok ");
        print_hex(out.data, out.length);
    } else {
        printf("err %d %d %d %zu ", error.code, error.line, error.column, error.offset);
        print_hex(error.message, strlen(error.message));
        printf(" ");
        print_hex(error.detail, strlen(error.detail));
        printf(" ");
        print_hex(error.hint, strlen(error.hint));
    }
    printf("\n");
    fflush(stdout);
    free(input);
    free(out.data);
}

static int batch(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (strchr(line, ' ') == NULL)
            return 2;
        answer(line);
    }
    free(line);
    return 0;
}

int main(int argc, char **argv)
{
    request r = {.argument = ""};
    docsis_buffer in = {.grow = docsis_grow_malloc};
    docsis_buffer out = {.grow = docsis_grow_malloc};
    docsis_error error;
    size_t n;

    if (argc < 2) {
        fprintf(stderr, "usage: codec_cli OPERATION [ARGUMENT...]\n");
        return 2;
    }
    if (strcmp(argv[1], "batch") == 0)
        return batch();
    r.operation = argv[1];
    for (int i = 2; i < argc; i++)
        parse_word(&r, argv[i]);
    do {
        if (!docsis_grow_malloc(&in, in.length + 65536))
            return 2;
        n = fread(in.data + in.length, 1, in.capacity - in.length, stdin);
        in.length += n;
    } while (n > 0);
    if (!perform(in.data, in.length, &r, &out, &error)) {
        fprintf(stderr, "%d:%d: %s\n", error.line, error.column, error.message);
        if (error.detail[0] != '\0')
            fprintf(stderr, "DETAIL: %s\n", error.detail);
        if (error.hint[0] != '\0')
            fprintf(stderr, "HINT: %s\n", error.hint);
        free(in.data);
        return 1;
    }
    fwrite(out.data, 1, out.length, stdout);
    free(in.data);
    free(out.data);
    return 0;
}

/*
 * fuzz.h - what the fuzz targets share: a promise that must hold, buffers of bounded size, options
 * drawn from the input.
 *
 * Each target states what must hold for every input. A broken promise aborts, and so does what the
 * sanitizers see.
 */
#ifndef NMSP_FUZZ_H
#define NMSP_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docsis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The promise in words, then abort(). */
#define MUST(promise) \
    do { \
        if (!(promise)) { \
            fprintf(stderr, "BROKEN PROMISE %s:%d: %s\n", __FILE__, __LINE__, #promise); \
            abort(); \
        } \
    } while (0)

/* Outputs of more bytes than this are not looked at: Pad 16777216; is legal, but slow. */
#define FUZZ_LIMIT ((size_t) 1 << 20)

/*
 * A buffer that grows by exactly what is asked for as long as it is short (so each byte written
 * behind it is seen), and up to a limit only.
 */
typedef struct fuzz_buffer {
    docsis_buffer buffer;   /* first: grow() gets this back */
    size_t limit;
} fuzz_buffer;

static inline bool fuzz_grow(docsis_buffer *buffer, size_t needed)
{
    uint8_t *data;

    if (needed > ((fuzz_buffer *) buffer)->limit)
        return false;
    if (needed > 1024)
        needed += needed / 2;
    data = malloc(needed);
    if (data == NULL)
        return false;
    if (buffer->length > 0)
        memcpy(data, buffer->data, buffer->length);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = needed;
    return true;
}

static inline fuzz_buffer fuzz_buffer_new(size_t limit)
{
    return (fuzz_buffer) {.buffer.grow = fuzz_grow, .limit = limit};
}

static inline void fuzz_buffer_free(fuzz_buffer *b)
{
    free(b->buffer.data);
    *b = fuzz_buffer_new(b->limit);
}

/* One byte in front of what a function appends, as far as the limit allows: it must stay. */
static inline size_t fuzz_put_mark(fuzz_buffer *b)
{
    if (!fuzz_grow(&b->buffer, 1))
        return 0;
    b->buffer.data[0] = 0x5a;
    return b->buffer.length = 1;
}

static inline bool fuzz_equal(const docsis_buffer *buffer, const uint8_t *data, size_t size)
{
    return buffer->length == size && (size == 0 || memcmp(buffer->data, data, size) == 0);
}

/* A number that depends on all of the input: it draws what does not matter for validity. */
static inline uint32_t fuzz_draw(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* Every error is told in words, with its place when it is one of text. */
static inline void fuzz_check_error(const docsis_error *error, bool of_text, size_t size)
{
    MUST(error->code != DOCSIS_OK);
    MUST(error->message[0] != '\0');
    MUST(error->offset <= size);
    if (of_text)
        MUST(error->line >= 1 && error->column >= 1);
}

static inline void fuzz_warn(void *context, const docsis_error *warning)
{
    MUST(warning->message[0] != '\0');
    ++*(int *) context;
}

/* ---- MIB objects that are not built in: those whose name begins with x ------ */

static const docsis_range fuzz_ranges[] = {{-3, 5}, {100, 100}};
static const docsis_enum fuzz_enums[] = {{1, "on"}, {2, "off"}, {-1, "other-one"}};
static const docsis_mib_syntax fuzz_index[] = {
    {.name = "xIndex", .type = DOCSIS_MIB_INTEGER32, .ranges = fuzz_ranges, .range_count = 2},
    {.name = "xName", .type = DOCSIS_MIB_OCTETSTR}
};
static const uint32_t fuzz_arcs[3][9] = {{1, 3, 6, 1, 4, 1, 99999, 1, 1},
                                         {1, 3, 6, 1, 4, 1, 99999, 1, 2},
                                         {1, 3, 6, 1, 4, 1, 99999, UINT32_MAX, 0}};
static const uint32_t fuzz_long[DOCSIS_MAX_ARCS] = {1, 3, 6, 1, UINT32_MAX};
static const docsis_mib_object fuzz_objects[] = {
    {{"xLong", DOCSIS_MIB_COUNTER64, NULL, 0, NULL, 0}, "X-MIB", fuzz_long, DOCSIS_MAX_ARCS,
     NULL, 0, false},
    {{"xNumber", DOCSIS_MIB_INTEGER, fuzz_ranges, 2, fuzz_enums, 3}, "X-MIB", fuzz_arcs[0], 9,
     NULL, 0, false},
    {{"xColumn", DOCSIS_MIB_OCTETSTR, fuzz_ranges, 2, NULL, 0}, "X-MIB", fuzz_arcs[1], 9,
     fuzz_index, 2, true},
    {{"xColumn", DOCSIS_MIB_OBJECTID, NULL, 0, NULL, 0}, "X-IETF-MIB", fuzz_arcs[2], 9,
     fuzz_index, 1, false}
};

#define FUZZ_OBJECTS ((int) (sizeof(fuzz_objects) / sizeof(fuzz_objects[0])))

static const docsis_mib_object *fuzz_by_name(void *context, const char *name, size_t length, int n)
{
    (void) context;
    for (int i = 0; i < FUZZ_OBJECTS; i++)
        if (strlen(fuzz_objects[i].syntax.name) == length &&
            memcmp(fuzz_objects[i].syntax.name, name, length) == 0 && n-- == 0)
            return &fuzz_objects[i];
    return NULL;
}

static const docsis_mib_object *fuzz_by_oid(void *context, const uint32_t *arcs, int count)
{
    (void) context;
    for (int i = 0; i < FUZZ_OBJECTS; i++)
        if (count >= fuzz_objects[i].arc_count &&
            memcmp(arcs, fuzz_objects[i].arcs, (size_t) fuzz_objects[i].arc_count * 4) == 0)
            return &fuzz_objects[i];
    return NULL;
}

static const docsis_mib_overlay fuzz_mib = {fuzz_by_name, fuzz_by_oid, NULL};

typedef bool (*fuzz_writer)(const uint8_t *, size_t, const docsis_text_options *, docsis_buffer *,
                            docsis_error *);
typedef bool (*fuzz_reader)(const char *, size_t, const docsis_options *, docsis_buffer *,
                            docsis_error *);

/* A config comes back from what the writer makes of it, byte for byte, under either MIB profile. */
static inline void fuzz_round_trip(const uint8_t *config, size_t size, fuzz_writer write,
                                   const docsis_text_options *text_options, fuzz_reader read,
                                   docsis_profile profile)
{
    docsis_options options = {.profile = profile};
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT), back = fuzz_buffer_new(FUZZ_LIMIT);
    docsis_error error = {0};
    bool written = write(config, size, text_options, &out.buffer, &error);

    MUST(written || error.code == DOCSIS_NO_MEMORY);
    if (written) {
        bool done = read((const char *) out.buffer.data, out.buffer.length, &options, &back.buffer,
                         &error);

        if (!done)
            fprintf(stderr, "%d:%d: %s\n%s\n%.*s\n", error.line, error.column, error.message,
                    error.detail, (int) out.buffer.length, (char *) out.buffer.data);
        MUST(done);
        MUST(fuzz_equal(&back.buffer, config, size));
    }
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&back);
}

/* Options that the input draws; warnings are counted. */
static inline docsis_options fuzz_options(uint32_t draw, int *warnings)
{
    return (docsis_options) {.profile = draw % 3, .warn = fuzz_warn, .warn_context = warnings,
                             .limits = draw >> 3 & 1, .mib = draw & 4 ? &fuzz_mib : NULL};
}

/*
 * Bytes to a reader of text: a config that comes back from text and JSON, or an error with its
 * place. The same without memory: an error that leaves nothing behind.
 */
static inline void fuzz_read(const uint8_t *data, size_t size, const docsis_options *options,
                             uint32_t draw, fuzz_reader read)
{
    docsis_options with_long = *options;
    fuzz_buffer out = fuzz_buffer_new(FUZZ_LIMIT);
    fuzz_buffer tight = fuzz_buffer_new(draw >> 4 & 127);
    size_t before = fuzz_put_mark(&tight);
    docsis_error error;

    if (read((const char *) data, size, options, &out.buffer, &error)) {
        const docsis_buffer *b = &out.buffer;

        MUST(docsis_check(b->data, b->length, &error));
        fuzz_round_trip(b->data, b->length, docsis_write_text, NULL, docsis_parse_text,
                        options->profile);
        fuzz_round_trip(b->data, b->length, docsis_write_json, NULL, docsis_read_json,
                        options->profile);
    } else {
        MUST(out.buffer.length == 0);
        if (error.code != DOCSIS_NO_MEMORY)
            fuzz_check_error(&error, true, size);
    }
    if (!read((const char *) data, size, options, &tight.buffer, &error))
        MUST(tight.buffer.length == before);
    if (before > 0)
        MUST(tight.buffer.data[0] == 0x5a);
    with_long.allow_long_varbind = true;
    out.buffer.length = 0;
    read((const char *) data, size, &with_long, &out.buffer, &error);
    fuzz_buffer_free(&out);
    fuzz_buffer_free(&tight);
}

#endif

/*
 * fuzz_template - the promise that files rest on: a template that is cut into pieces, each expanded
 * and encoded on its own, gives the bytes of the expanded whole.
 *
 * Conditions are part of that, and what the check of directives says of them is looked at.
 *
 * An input is four lines, the values of {a.0} to {d.0}, and a template.
 */
#include "fuzz.h"

#include "extension/template/template.h"

#define VALUES 4
#define PIECES 256

typedef struct input {
    struct {
        const char *start;
        size_t length;
    } value[VALUES];
    const char *source;
    size_t length;
} input;

typedef struct pieces {
    struct {
        const char *start;
        size_t length;
        bool dynamic;
    } piece[PIECES];
    int count;
} pieces;

static input read_input(const uint8_t *data, size_t size)
{
    input in = {.source = (const char *) data, .length = size};

    for (int i = 0; i < VALUES; i++) {
        const char *newline = in.length > 0 ? memchr(in.source, '\n', in.length) : NULL;

        if (newline == NULL)
            break;
        in.value[i].start = in.source;
        in.value[i].length = (size_t) (newline - in.source);
        in.length -= in.value[i].length + 1;
        in.source = newline + 1;
    }
    return in;
}

/* Values are copied, so that reading behind them is seen, and live until the next call only. */
static char *handed_out;

static bool lookup(void *context, const char *name, size_t name_length, const char **value,
                   size_t *value_length)
{
    const input *in = context;
    int i = name_length == 3 && name[1] == '.' && name[2] == '0' ? name[0] - 'a' : -1;

    if (i < 0 || i >= VALUES || in->value[i].start == NULL)
        return false;
    free(handed_out);
    handed_out = malloc(in->value[i].length + (in->value[i].length == 0));
    memcpy(handed_out, in->value[i].start, in->value[i].length);
    *value = handed_out;
    *value_length = in->value[i].length;
    return true;
}

static bool grow(template_buffer *buffer, size_t need)
{
    char *data = need <= FUZZ_LIMIT ? malloc(need) : NULL;

    if (data == NULL)
        return false;
    if (buffer->length > 0)
        memcpy(data, buffer->data, buffer->length);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = need;
    return true;
}

static template_buffer expand(const input *in, const char *start, size_t length)
{
    template_buffer out = {.grow = grow};

    MUST(grow(&out, 1)); /* not even nothing is at NULL */
    MUST(template_expand(start, length, lookup, (void *) in, &out));
    return out;
}

/* Appends what the text between begin and end encodes to. */
static bool encode(const char *begin, const char *text, size_t length, const char *end,
                   fuzz_buffer *out)
{
    size_t before = strlen(begin), behind = strlen(end);
    char *whole = malloc(before + length + behind);
    docsis_error error;
    bool done;

    memcpy(whole, begin, before);
    if (length > 0)
        memcpy(whole + before, text, length);
    memcpy(whole + before + length, end, behind);
    done = docsis_parse_text(whole, before + length + behind, NULL, &out->buffer, &error);
    free(whole);
    return done;
}

/* A whole file has a head; so an expansion without a statement is one, too. */
static bool encode_whole(const char *text, size_t length, fuzz_buffer *out)
{
    return encode("Main { NetworkAccess 1;\n", text, length, "\n}", out);
}

/* A piece stands between other statements, as render.c has it. */
static bool encode_between(const char *text, size_t length, fuzz_buffer *out)
{
    size_t start = out->buffer.length;

    if (!encode("Main { Pad;\n", text, length, "\nNetworkAccess 1; }", out))
        return false;
    if (out->buffer.length < start + 4)
        return false;
    out->buffer.length -= 4;
    memmove(out->buffer.data + start, out->buffer.data + start + 1, out->buffer.length - start);
    return true;
}

static void add_piece(void *context, const char *start, size_t length, bool dynamic)
{
    pieces *p = context;

    if (p->count < PIECES) {
        p->piece[p->count].start = start;
        p->piece[p->count].length = length;
        p->piece[p->count].dynamic = dynamic;
    }
    p->count++;
}

static void count_name(void *context, const char *name, size_t length)
{
    MUST(length > 0 && memchr(name, '}', length) == NULL);
    ++*(int *) context;
}

static bool names_in(const char *text, size_t length)
{
    int count = 0;

    template_names(text, length, count_name, &count);
    return count > 0;
}

/* Expands and encodes the pieces one by one; false when one does not encode. */
static bool encode_pieces(const input *in, const pieces *p, template_buffer *text, fuzz_buffer *out,
                          bool *has_word)
{
    bool done = true;

    *has_word = false;
    for (int i = 0; i < p->count; i++) {
        template_buffer part = expand(in, p->piece[i].start, p->piece[i].length);

        if (!p->piece[i].dynamic) {
            MUST(!names_in(p->piece[i].start, p->piece[i].length));
            MUST(part.length == p->piece[i].length &&
                 memcmp(part.data, p->piece[i].start, part.length) == 0);
        }
        *has_word |= template_contains_word(part.data, part.length, "MaxCPE");
        if (template_has_statement(part.data, part.length))
            done &= encode_between(part.data, part.length, out);
        if (part.length > 0) {
            MUST(text->length + part.length <= text->capacity ||
                 grow(text, text->length + part.length));
            memcpy(text->data + text->length, part.data, part.length);
            text->length += part.length;
        }
        free(part.data);
    }
    return done;
}

static void check_pieces(const input *in, const pieces *p)
{
    const char *end = in->source;
    template_buffer whole = expand(in, in->source, in->length), joined = {.grow = grow};
    fuzz_buffer apart = fuzz_buffer_new(FUZZ_LIMIT), together = fuzz_buffer_new(FUZZ_LIMIT);
    bool plain = true, done, has_word;

    for (int i = 0; i < p->count; i++) {
        MUST(p->piece[i].start == end && p->piece[i].length > 0);
        MUST(i == 0 || p->piece[i].dynamic || p->piece[i - 1].dynamic);
        end += p->piece[i].length;
    }
    MUST(end == in->source + in->length);
    MUST(grow(&joined, 1));
    for (int i = 0; i < VALUES; i++)
        plain &= in->value[i].start == NULL ||
                 template_is_plain(in->value[i].start, in->value[i].length);
    MUST(encode_whole("", 0, &apart));
    done = encode_pieces(in, p, &joined, &apart, &has_word);
    if (plain) {
        MUST(joined.length == whole.length &&
             (whole.length == 0 || memcmp(joined.data, whole.data, whole.length) == 0));
        if (done) {
            MUST(encode_whole(whole.data, whole.length, &together));
            MUST(fuzz_equal(&together.buffer, apart.buffer.data, apart.buffer.length));
            MUST(has_word == template_contains_word(whole.data, whole.length, "MaxCPE"));
        }
    }
    free(whole.data);
    free(joined.data);
    fuzz_buffer_free(&apart);
    fuzz_buffer_free(&together);
}

static int lines_in(const char *text, size_t length)
{
    int lines = 0;

    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Directives: what is none is no fault, places are in the text, lines keep their numbers. */
static void check_native(const input *in, const template_buffer *whole)
{
    template_problem problem;
    bool good = template_check_native(in->source, in->length, &problem), plain = true;
    int names = 0;

    template_condition_names(in->source, in->length, count_name, &names);
    if (!template_is_native(in->source, in->length)) {
        MUST(good && names == 0);
        return;
    }
    MUST(good || (problem.line >= 1 && problem.line <= 1 + lines_in(in->source, in->length) &&
                  problem.column >= 1 && problem.column <= (int) in->length + 1));
    for (int i = 0; i < VALUES; i++)
        plain &= in->value[i].start == NULL ||
                 template_is_plain(in->value[i].start, in->value[i].length);
    if (plain)
        MUST(lines_in(in->source, in->length) == lines_in(whole->data, whole->length));
}

/* A text as its own parent: what is left out is blank, lines keep their numbers. */
static void check_override(const input *in)
{
    char *parents = malloc(in->length);
    template_problem problem;

    memcpy(parents, in->source, in->length);
    if (!template_override(in->source, in->length, parents, in->length, &problem))
        MUST(problem.line >= 1 && problem.line <= 1 + lines_in(in->source, in->length));
    for (size_t i = 0; i < in->length; i++)
        MUST(parents[i] == in->source[i] || (parents[i] == ' ' && in->source[i] != '\n'));
    free(parents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = read_input(data, size);
    pieces p = {.count = 0};
    template_buffer whole;

    /* Long inputs of many values would only be slow. */
    if (size > 4096)
        return 0;
    whole = expand(&in, in.source, in.length);
    if (in.length > 0)
        check_native(&in, &whole);
    if (in.length > 0)
        check_override(&in);
    free(whole.data);
    if (in.length > 0 && template_split(in.source, in.length, add_piece, &p) && p.count <= PIECES)
        check_pieces(&in, &p);
    free(handed_out);
    handed_out = NULL;
    return 0;
}

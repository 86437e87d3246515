/*
 * properties - what holds for every config: round trips over random configs made
 * from the dictionary, and totality over mutated bytes, texts and JSON.
 *
 *   properties [SEED [ROUNDS]]
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "symbol.h"
#include "tap.h"

static uint64_t state;
static uint64_t seed;

static uint32_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t) (state >> 16);
}

static uint32_t below(uint32_t n)
{
    return any() % n;
}

/* ---- random configs ------------------------------------------------------------ */

typedef struct bytes {
    uint8_t data[200000];
    size_t length;
} bytes;

static void add(bytes *b, uint8_t byte)
{
    if (b->length < sizeof(b->data))
        b->data[b->length++] = byte;
}

static void add_random(bytes *b, size_t n)
{
    uint32_t kind = below(4);

    while (n-- > 0)
        add(b, (uint8_t) (kind == 0 ? any() : kind == 1 ? 32 + below(95)
                          : kind == 2 ? 'a' + below(26)
                                                                          : below(4)));
}

static void add_number(bytes *b, const docsis_symbol *symbol, int octets)
{
    uint32_t value = any() >> below(32);

    if (symbol->limited && below(8) > 0)
        value = symbol->minimum + (uint32_t) (((uint64_t) any()) %
                                              ((uint64_t) symbol->maximum - symbol->minimum + 1));
    for (int i = octets - 1; i >= 0; i--)
        add(b, (uint8_t) (value >> (8 * i)));
}

static void add_oid(bytes *b)
{
    static const uint8_t prefixes[][12] = {
        {0x2b, 6, 1, 2, 1, 0x45, 1, 2, 1, 5}, {0x2b, 6, 1, 2, 1, 1, 4, 0}, {0x2b, 6, 1, 4, 1},
        {0x2b, 6, 1, 6, 3, 16, 1, 2, 1, 3}, {0x2b, 6, 1, 6, 3, 12, 1, 2, 1, 2}, {0x2b, 6, 1, 3, 83},
        {0x2b, 6, 1, 6, 3, 16, 1, 4, 1, 4}
    };
    const uint8_t *prefix = prefixes[below(7)];
    size_t length_at = b->length + 1;
    int arcs = (int) below(10);

    add(b, 6);
    add(b, 0);
    for (int i = 0; prefix[i] != 0 || (i > 0 && prefix[i - 1] == 4 && i < 8 && prefix[5] == 1); i++)
        add(b, prefix[i]);
    while (arcs-- > 0) {
        if (below(6) == 0) {
            add(b, (uint8_t) (0x81 + below(126)));
            add(b, (uint8_t) below(128));
        } else {
            add(b, (uint8_t) below(128));
        }
    }
    b->data[length_at] = (uint8_t) (b->length - length_at - 1);
}

static void add_varbind(bytes *b)
{
    static const uint8_t tags[] = {2, 4, 4, 4, 6, 0x40, 0x41, 0x42, 0x43, 0x46};
    uint8_t tag = tags[below(10)];
    size_t length_at = b->length + 1;
    size_t n = tag == 0x40 ? 4 : tag == 4 ? below(200) : 1 + below(5);
    size_t contents;

    add(b, 0x30);
    add(b, 0);
    if (tag == 4 && below(2) == 0) {
        b->data[length_at] = 0x82;
        add(b, 0);
        add(b, 0);
    }
    contents = b->length;
    add_oid(b);
    add(b, tag);
    if (n >= 128)
        add(b, 0x81);
    add(b, (uint8_t) n);
    if (tag >= 0x41 || tag == 2)
        add(b, (uint8_t) (1 + below(127))), n--;
    add_random(b, n);
    if (b->data[length_at] == 0x82)
        b->data[length_at + 2] = (uint8_t) (b->length - contents);
    else
        b->data[length_at] = (uint8_t) (b->length - contents);
}

static void add_tlv(bytes *b, const docsis_symbol *symbol, int depth);

static void add_members(bytes *b, const docsis_symbol *group, int depth)
{
    int count = 1 + (int) below(5);

    while (count-- > 0) {
        int code = group->child_min > group->child_max
                   ? (int) below(256)
                   : group->child_min +
                     (int) below((uint32_t) (group->child_max - group->child_min + 1));
        const docsis_symbol *child = docsis_child(group, (uint8_t) code);

        for (int tries = 0; child == NULL && tries < 3; tries++) {
            code = group->child_min + (int) below(20);
            child = docsis_child(group, (uint8_t) code);
        }
        if (child != NULL) {
            add_tlv(b, child, depth + 1);
        } else {
            add(b, (uint8_t) code);
            add(b, 2);
            add_random(b, 2);
        }
    }
}

static void add_value(bytes *b, const docsis_symbol *symbol, int depth)
{
    size_t n;

    if (below(12) == 0) {
        add_random(b, below(20));
        return;
    }
    switch ((docsis_type) symbol->type) {
        case DOCSIS_T_GROUP:
            add_members(b, symbol, depth);
            break;
        case DOCSIS_T_U8:
            add_number(b, symbol, 1);
            break;
        case DOCSIS_T_U16:
            add_number(b, symbol, 2);
            break;
        case DOCSIS_T_U24:
            add_number(b, symbol, 3);
            break;
        case DOCSIS_T_U32:
            add_number(b, symbol, 4);
            break;
        case DOCSIS_T_STR:
        case DOCSIS_T_STRZ:
        case DOCSIS_T_HEX:
            n = below(24);
            if (symbol->is_vendor_id && below(3) > 0) {
                add(b, 0xff), add(b, 0xff), add(b, 0xff);
                break;
            }
            if (symbol->limited && symbol->maximum - symbol->minimum < 1000 && below(8) > 0)
                n = symbol->minimum + below(symbol->maximum - symbol->minimum + 1);
            add_random(b, n < 60 ? n : 60);
            if (symbol->type == DOCSIS_T_STRZ)
                add(b, 0);
            break;
        case DOCSIS_T_VARBIND:
            add_varbind(b);
            break;
        case DOCSIS_T_OID:
            add_oid(b);
            break;
        case DOCSIS_T_SNMP_WRITE:
            add_oid(b);
            add(b, (uint8_t) any());
            break;
        case DOCSIS_T_INETADDR:
            n = below(2);
            add(b, (uint8_t) (1 + n));
            add_random(b, n == 0 ? 4 : 16);
            break;
        default: {
            static const uint8_t sizes[] = {4, 16, 6, 12, 18, 17, 34, 5, 1, 0, 8, 32};

            add_random(b, sizes[below(sizeof(sizes))]);
        }
    }
}

static void add_tlv(bytes *b, const docsis_symbol *symbol, int depth)
{
    size_t header = b->length;
    int octets = symbol->length_bytes;

    add(b, symbol->code);
    if (symbol->type == DOCSIS_T_PAD || symbol->type == DOCSIS_T_EOD)
        return;
    for (int i = 0; i < octets; i++)
        add(b, 0);
    add_value(b, symbol, depth);
    if (b->length - header - 1 - (size_t) octets > 255)
        b->length = header + 1 + (size_t) octets + below(100);
    if (octets == 2)
        b->data[header + 1] = (uint8_t) ((b->length - header - 3) >> 8);
    b->data[header + (size_t) octets] = (uint8_t) (b->length - header - 1 - (size_t) octets);
}

static void make_config(bytes *b)
{
    int count = 1 + (int) below(8);
    bool mta = below(6) == 0;

    b->length = 0;
    if (mta)
        add(b, 254), add(b, 1), add(b, 1);
    while (count-- > 0) {
        static const uint8_t usual[] = {11, 11, 22, 24, 25, 43, 60, 74, 103, 202};
        uint8_t code = below(2) == 0 ? usual[below(sizeof(usual))] : (uint8_t) any();
        const docsis_symbol *symbol = docsis_child(NULL, code);

        for (int tries = 0; symbol == NULL && tries < 4; tries++)
            symbol = docsis_child(NULL, (uint8_t) any());
        if (mta && below(3) == 0) {
            size_t n = below(600);

            add(b, 64), add(b, (uint8_t) (n >> 8)), add(b, (uint8_t) n);
            add_random(b, n);
        } else if (symbol == NULL || below(10) == 0) {
            add(b, (uint8_t) (240 + below(12))), add(b, 3);
            add_random(b, 3);
        } else if (symbol->type != DOCSIS_T_EOD && !(mta && symbol->code == 64)) {
            add_tlv(b, symbol, 0);
        }
    }
    if (mta)
        add(b, 254), add(b, 1), add(b, 255);
    if (below(3) == 0) {
        add(b, 255);
        for (int i = (int) below(5); i > 0; i--)
            add(b, 0);
    }
}

static void mutate(bytes *b)
{
    int count = 1 + (int) below(4);

    while (count-- > 0 && b->length > 0) {
        size_t at = below((uint32_t) b->length);

        switch (below(4)) {
            case 0:
                b->data[at] = (uint8_t) any();
                break;
            case 1:
                b->data[at] ^= (uint8_t) (1u << below(8));
                break;
            case 2:
                b->length = at;
                break;
            default:
                memmove(b->data + at, b->data + at + 1, b->length - at - 1);
                b->length--;
        }
    }
}

/* ---- checks --------------------------------------------------------------------- */

static docsis_buffer text_buffer = {.grow = docsis_grow_malloc};
static docsis_buffer back_buffer = {.grow = docsis_grow_malloc};
static int reported;

static void report(const char *what, const uint8_t *config, size_t length,
                   const docsis_error *error)
{
    if (reported++ > 5)
        return;
    tap_note("seed %llu: %s: %s; %s", (unsigned long long) seed, what, error->message,
             error->detail);
    printf("# ");
    for (size_t i = 0; i < length && i < 400; i++)
        printf("%02x", config[i]);
    printf("\n# %.*s\n", (int) (text_buffer.length < 1500 ? text_buffer.length : 1500),
           (char *) text_buffer.data);
}

typedef bool (*writer)(const uint8_t *, size_t, const docsis_text_options *, docsis_buffer *,
                       docsis_error *);
typedef bool (*reader)(const char *, size_t, const docsis_options *, docsis_buffer *,
                       docsis_error *);

static bool round_trip(const char *what, const uint8_t *config, size_t length, writer write,
                       reader read, const docsis_text_options *options)
{
    docsis_error error = {0};
    docsis_options profile = {.profile = below(2) == 0 ? DOCSIS_PROFILE_CABLELABS
                                                       : DOCSIS_PROFILE_IETF};
    char *copy;
    bool ok;

    text_buffer.length = 0;
    back_buffer.length = 0;
    if (!write(config, length, options, &text_buffer, &error)) {
        report(what, config, length, &error);
        return false;
    }
    copy = malloc(text_buffer.length + 1);
    memcpy(copy, text_buffer.data, text_buffer.length);
    ok = read(copy, text_buffer.length, &profile, &back_buffer, &error) &&
         back_buffer.length == length && memcmp(back_buffer.data, config, length) == 0;
    free(copy);
    if (!ok)
        report(what, config, length, &error);
    return ok;
}

/* Everything that reads, for bytes of any kind. */
static bool read_all(const uint8_t *config, size_t length)
{
    docsis_text_options tool = {.style = DOCSIS_STYLE_DOCSIS};
    docsis_text_options numeric = {.oid_form = DOCSIS_OID_NUMERIC};
    docsis_error error = {0};
    docsis_cursor cursor;
    docsis_tlv tlv;
    size_t last = 0;
    int next;
    bool formed = docsis_check(config, length, &error);

    if (!formed && (error.code != DOCSIS_MALFORMED || error.offset > length)) {
        report("error of the check", config, length, &error);
        return false;
    }
    docsis_cursor_init(&cursor, config, length);
    while ((next = docsis_cursor_next(&cursor, &tlv, &error)) > 0) {
        text_buffer.length = 0;
        if ((tlv.offset < last) || tlv.offset + tlv.header_length + tlv.length > length ||
            !docsis_tlv_value(&tlv, NULL, &text_buffer, &error)) {
            report("cursor", config, length, &error);
            return false;
        }
        last = tlv.offset;
    }
    if ((next == 0) != formed) {
        report("cursor and check differ", config, length, &error);
        return false;
    }
    text_buffer.length = 0;
    if (docsis_write_text(config, length, &tool, &text_buffer, &error) != formed) {
        report("docsis style", config, length, &error);
        return false;
    }
    if (!formed)
        return true;
    return round_trip("text", config, length, docsis_write_text, docsis_parse_text, NULL) &&
           round_trip("numeric", config, length, docsis_write_text, docsis_parse_text, &numeric) &&
           round_trip("json", config, length, docsis_write_json, docsis_read_json, NULL);
}

static bool on_exact_copy(const bytes *b)
{
    uint8_t *copy = malloc(b->length > 0 ? b->length : 1);
    bool ok;

    memcpy(copy, b->data, b->length);
    ok = read_all(copy, b->length);
    free(copy);
    return ok;
}

/* Sealing, and that a change of any byte in the settings shows. */
static bool seal_holds(const bytes *b)
{
    static const uint8_t secret[] = "secret";
    docsis_verification result;
    docsis_error error = {0};
    size_t at;

    if (docsis_is_mta(b->data, b->length))
        return true;
    back_buffer.length = 0;
    if (!docsis_seal(b->data, b->length, secret, 6, 0, &back_buffer, &error)) {
        /* The one reason: 254 comes first once padding and MICs are gone. */
        if (error.code == DOCSIS_INVALID_ARGUMENT && back_buffer.length == 0)
            return true;
        report("seal", b->data, b->length, &error);
        return false;
    }
    if (back_buffer.length % 4 != 0 ||
        !docsis_verify(back_buffer.data, back_buffer.length, secret, 6, 0, &result, &error) ||
        result.cm_mic != DOCSIS_MIC_OK || result.cmts_mic != DOCSIS_MIC_OK) {
        report("seal", b->data, b->length, &error);
        return false;
    }
    if (!docsis_verify(back_buffer.data, back_buffer.length, secret, 5, 0, &result, &error) ||
        result.cmts_mic != DOCSIS_MIC_WRONG)
        return false;
    if (back_buffer.length <= 40)
        return true;
    at = below((uint32_t) back_buffer.length - 40);
    back_buffer.data[at] ^= (uint8_t) (1u << below(8));
    if (docsis_verify(back_buffer.data, back_buffer.length, secret, 6, 0, &result, &error) &&
        result.cm_mic == DOCSIS_MIC_OK && result.cmts_mic == DOCSIS_MIC_OK) {
        report("changed file verifies", back_buffer.data, back_buffer.length, &error);
        return false;
    }
    return true;
}

/* A mutated text or JSON: a config that reads everywhere, or an error with a place. */
static bool read_mutant(bytes *b, reader read, writer write)
{
    docsis_buffer config = {.grow = docsis_grow_malloc};
    docsis_error error = {0};
    char *copy;
    bool ok;

    text_buffer.length = 0;
    if (!write(b->data, b->length, NULL, &text_buffer, &error))
        return error.code == DOCSIS_MALFORMED;   /* 254 came first by chance */
    b->length = text_buffer.length < sizeof(b->data) ? text_buffer.length : sizeof(b->data);
    memcpy(b->data, text_buffer.data, b->length);
    mutate(b);
    copy = malloc(b->length > 0 ? b->length : 1);
    memcpy(copy, b->data, b->length);
    if (read(copy, b->length, NULL, &config, &error)) {
        uint8_t *exact = malloc(config.length > 0 ? config.length : 1);

        if (config.length > 0)
            memcpy(exact, config.data, config.length);
        ok = docsis_check(exact, config.length, &error) && read_all(exact, config.length);
        free(exact);
    } else {
        ok = error.line >= 1 && error.column >= 1 && error.message[0] != '\0' &&
             config.length == 0;
    }
    if (!ok)
        report("mutant", (uint8_t *) copy, b->length, &error);
    free(copy);
    free(config.data);
    return ok;
}

int main(int argc, char **argv)
{
    static bytes b;
    int rounds = argc > 2 ? atoi(argv[2]) : 4000;
    int bad[6] = {0};

    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t) time(NULL);
    state = seed * 2862933555777941757ull + 3037000493ull;
    tap_note("seed %llu, %d rounds", (unsigned long long) seed, rounds);
    for (int i = 0; i < rounds; i++) {
        make_config(&b);
        bad[0] += !on_exact_copy(&b);
        bad[1] += !seal_holds(&b);
        mutate(&b);
        bad[2] += !on_exact_copy(&b);
        b.length = 0;
        add_random(&b, below(60));
        bad[3] += !on_exact_copy(&b);
        make_config(&b);
        bad[4] += !read_mutant(&b, docsis_parse_text, docsis_write_text);
        make_config(&b);
        bad[5] += !read_mutant(&b, docsis_read_json, docsis_write_json);
    }
    tap_ok(bad[0] == 0, "random configs round-trip: text, numeric text, JSON (%d failures)",
           bad[0]);
    tap_ok(bad[1] == 0, "random configs seal and verify, changes show (%d failures)", bad[1]);
    tap_ok(bad[2] == 0, "mutated configs are read or refused (%d failures)", bad[2]);
    tap_ok(bad[3] == 0, "random bytes are read or refused (%d failures)", bad[3]);
    tap_ok(bad[4] == 0, "mutated texts are read or refused (%d failures)", bad[4]);
    tap_ok(bad[5] == 0, "mutated JSON is read or refused (%d failures)", bad[5]);
    free(text_buffer.data);
    free(back_buffer.data);
    return tap_done();
}

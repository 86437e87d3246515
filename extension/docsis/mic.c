/*
 * mic.c - seals CM configs with their MICs and verifies them.
 *
 * MULPIv3.1 Annex D.1.3 (order of the file), D.2 (CMTS MIC). The top level is walked once; the
 * walk notes where what the CMTS MIC covers stands, since its order is not that of the file.
 */
#include "mic.h"

#define CODE_IPV4_ADDRESS 20
#define CODE_EXTENSION    43
#define CODE_IPV6_ADDRESS 59

/* What the CMTS MIC covers, in this order; of each code all TLVs in file order. */
static const uint8_t cmts_codes[] = {
    1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40
};

/* Place of a code in that order plus one; 0 = not covered. 59 may stand in the place of 20. */
#define RANKS    23
#define RANK_59  22
static const uint8_t rank_of[64] = {
    [1] = 1, [2] = 2, [3] = 3, [4] = 4, [17] = 5, [43] = 6, [18] = 8, [19] = 9, [20] = 10,
    [22] = 11, [23] = 12, [24] = 13, [25] = 14, [28] = 15, [29] = 16, [26] = 17, [35] = 18,
    [36] = 19, [37] = 20, [40] = 21, [59] = RANK_59
};

/* ---- keys -------------------------------------------------------------------- */

static bool check_secret(size_t length, unsigned flags, docsis_error *error)
{
    if (length == 0 && (flags & DOCSIS_MIC_EMPTY_SECRET) == 0) {
        docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "shared secret is empty");
        docsis_error_detail(error, "A shared secret has 1 to 64 bytes.");
        docsis_error_hint(error, "Use the shared secret that is configured on the CMTS.");
        return false;
    }
    if (length > 64) {
        docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "shared secret is too long");
        docsis_error_detail(error, "It has %zu bytes; a shared secret has 1 to 64.", length);
        docsis_error_hint(error, "Use the shared secret that is configured on the CMTS.");
        return false;
    }
    return true;
}

/* MD5 after one block: the secret, filled up with zeros, XOR mask. */
static bool prepare(uint32_t state[4], const uint8_t *secret, size_t length, uint8_t mask)
{
    uint8_t block[64];
    MD5_CTX md5;
    bool ok;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = mask ^ (i < length ? secret[i] : 0);
    ok = MD5_Init(&md5) && MD5_Update(&md5, block, sizeof(block));
    state[0] = md5.A;
    state[1] = md5.B;
    state[2] = md5.C;
    state[3] = md5.D;
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&md5, sizeof(md5));
    return ok;
}

bool docsis_key_init(docsis_key *key, const uint8_t *secret, size_t length, unsigned flags,
                     docsis_error *error)
{
    if (!check_secret(length, flags, error))
        return false;
    return (prepare(key->inner, secret, length, 0x36) &&
            prepare(key->outer, secret, length, 0x5c)) || docsis_digest_error(error);
}

void docsis_key_cleanse(docsis_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

/* Goes on behind the first block. */
static void resume(MD5_CTX *md5, const uint32_t state[4])
{
    md5->A = state[0];
    md5->B = state[1];
    md5->C = state[2];
    md5->D = state[3];
    md5->Nl = 512;
    md5->Nh = 0;
    md5->num = 0;
}

void docsis_hmac_begin(MD5_CTX *h, const docsis_key *key)
{
    resume(h, key->inner);
}

bool docsis_hmac_end(MD5_CTX *h, const docsis_key *key, uint8_t digest[16])
{
    bool ok = MD5_Final(digest, h);

    resume(h, key->outer);
    ok = ok && MD5_Update(h, digest, 16) && MD5_Final(digest, h);
    OPENSSL_cleanse(h, sizeof(*h));
    return ok;
}

bool docsis_hmac_cm_mic(MD5_CTX *h, const uint8_t cm_mic[16])
{
    uint8_t tlv[18] = {DOCSIS_CODE_CM_MIC, 16};

    memcpy(tlv + 2, cm_mic, 16);
    return MD5_Update(h, tlv, sizeof(tlv));
}

bool docsis_digest_error(docsis_error *error)
{
    return docsis_error_set(error, DOCSIS_CRYPTO, 0, "could not compute a digest");
}

/* ---- the walk ---------------------------------------------------------------- */

/* So many runs are noted; a config with more is walked once per code instead. */
#define MAX_RUNS 96
#define NO_RUN   0xff

/* What one walk over the top level found. */
typedef struct layout {
    size_t settings;            /* they end here, if not scattered */
    bool scattered;             /* there are settings behind a MIC or padding */
    bool has_extension;         /* TLV 43 */
    bool has_ipv6_address;      /* TLV 59 */
    int cm_count, cmts_count;   /* TLVs 6 and 7; values of the last ones, NULL = wrong size */
    const uint8_t *cm_mic, *cmts_mic;
    /* Runs of TLVs of one code that the CMTS MIC covers, by rank in file order. */
    bool overflow;
    int count;
    uint8_t first[RANKS], last[RANKS];
    uint8_t next[MAX_RUNS];
    struct {
        size_t offset, size;
    } run[MAX_RUNS];
} layout;

static void note_mic(layout *l, const uint8_t *tlv, size_t size)
{
    const uint8_t *value = size == 18 ? tlv + 2 : NULL;

    if (tlv[0] == DOCSIS_CODE_CM_MIC) {
        l->cm_count++;
        l->cm_mic = value;
    } else {
        l->cmts_count++;
        l->cmts_mic = value;
    }
}

static void note_run(layout *l, uint8_t rank, size_t offset, size_t size)
{
    uint8_t last = l->last[rank];

    if (last != NO_RUN && l->run[last].offset + l->run[last].size == offset) {
        l->run[last].size += size;
        return;
    }
    if (l->count == MAX_RUNS) {
        l->overflow = true;
        return;
    }
    l->run[l->count].offset = offset;
    l->run[l->count].size = size;
    l->next[l->count] = NO_RUN;
    if (last == NO_RUN)
        l->first[rank] = (uint8_t) l->count;
    else
        l->next[last] = (uint8_t) l->count;
    l->last[rank] = (uint8_t) l->count++;
}

/* False = the top level is malformed: docsis_check_top() says how. */
static bool scan(const uint8_t *config, size_t length, bool long_64, layout *l)
{
    size_t position = 0;
    size_t header, value_length;

    memset(l, 0, offsetof(layout, first));
    memset(l->first, NO_RUN, sizeof(l->first));
    memset(l->last, NO_RUN, sizeof(l->last));
    l->settings = SIZE_MAX;
    while (position < length && config[position] != DOCSIS_CODE_EOD) {
        uint8_t code = config[position];
        size_t size;

        if (!docsis_top_header(config, length, position, long_64, &header, &value_length))
            return false;
        size = header + value_length;
        if (docsis_is_dropped(code)) {
            if (code != 0)
                note_mic(l, config + position, size);
            if (l->settings == SIZE_MAX)
                l->settings = position;
        } else {
            l->scattered |= l->settings != SIZE_MAX;
            l->has_extension |= code == CODE_EXTENSION;
            l->has_ipv6_address |= code == CODE_IPV6_ADDRESS;
            if (code < sizeof(rank_of) && rank_of[code] != 0)
                note_run(l, rank_of[code], position, size);
        }
        position += size;
    }
    if (l->settings == SIZE_MAX)
        l->settings = position;
    while (++position < length) {
        if (config[position] != 0)
            return false;
    }
    return true;
}

static bool malformed(const uint8_t *config, size_t length, bool long_64, docsis_error *error)
{
    return docsis_check_top(config, length, long_64, error) &&
           docsis_error_set(error, DOCSIS_MALFORMED, 0, "malformed DOCSIS configuration");
}

static bool is_long_64(const uint8_t *config, size_t length, unsigned flags)
{
    return docsis_is_mta(config, length) || (flags & DOCSIS_MIC_LONG_VARBIND) != 0;
}

/* ---- the CMTS MIC ------------------------------------------------------------- */

/* For configs with more runs than a layout holds. */
static bool feed_by_walking(MD5_CTX *h, const uint8_t *config, size_t length, bool long_64,
                            uint8_t code)
{
    size_t position = 0;
    docsis_item tlv;

    while (docsis_next_item(config, length, long_64, &position, &tlv)) {
        if (tlv.code == code && !MD5_Update(h, config + tlv.offset, tlv.size))
            return false;
    }
    return true;
}

/* The CMTS MIC of config; cm_mic NULL = there is none. */
static bool cmts_mic(const uint8_t *config, size_t length, bool long_64, const layout *l,
                     const docsis_key *key, unsigned flags, const uint8_t *cm_mic,
                     uint8_t digest[16])
{
    bool ok = true;
    MD5_CTX h;

    docsis_hmac_begin(&h, key);
    for (size_t i = 0; ok && i < sizeof(cmts_codes); i++) {
        uint8_t code = cmts_codes[i];
        uint8_t rank = (uint8_t) (i + 1);

        if (code == DOCSIS_CODE_CM_MIC) {
            ok = cm_mic == NULL || docsis_hmac_cm_mic(&h, cm_mic);
            continue;
        }
        if (code == CODE_IPV4_ADDRESS && (flags & DOCSIS_MIC_IPV6_ADDRESS) != 0 &&
            l->has_ipv6_address) {
            code = CODE_IPV6_ADDRESS;
            rank = RANK_59;
        }
        if (l->overflow)
            ok = feed_by_walking(&h, config, length, long_64, code);
        else
            for (uint8_t r = l->first[rank]; ok && r != NO_RUN; r = l->next[r])
                ok = MD5_Update(&h, config + l->run[r].offset, l->run[r].size);
    }
    return docsis_hmac_end(&h, key, digest) && ok;
}

/* MD5 of what stands before the MICs, which need not be the last TLVs of a broken file. */
static bool settings_digest(const uint8_t *config, size_t length, bool long_64, const layout *l,
                            uint8_t digest[16])
{
    size_t position = 0;
    size_t run = 0;
    docsis_item tlv;
    MD5_CTX md5;
    bool ok = MD5_Init(&md5);

    if (!l->scattered)
        return ok && MD5_Update(&md5, config, l->settings) && MD5_Final(digest, &md5);
    while (ok && docsis_next_item(config, length, long_64, &position, &tlv)) {
        if (!docsis_is_dropped(tlv.code))
            continue;
        ok = MD5_Update(&md5, config + run, tlv.offset - run);
        run = tlv.offset + tlv.size;
    }
    return ok && MD5_Update(&md5, config + run, position - run) && MD5_Final(digest, &md5);
}

/* ---- sealing ------------------------------------------------------------------ */

bool docsis_put_settings(const uint8_t *config, size_t length, bool long_64, docsis_buffer *out)
{
    size_t position = 0;
    size_t run = 0;
    docsis_item tlv;

    while (docsis_next_item(config, length, long_64, &position, &tlv)) {
        if (!docsis_is_dropped(tlv.code))
            continue;
        if (!docsis_put_bytes(out, config + run, tlv.offset - run))
            return false;
        run = tlv.offset + tlv.size;
    }
    return docsis_put_bytes(out, config + run, position - run);
}

static bool became_mta(docsis_error *error)
{
    docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0,
                     "cannot seal: the first setting is \"MtaConfigDelimiter\"");
    docsis_error_detail(error, "It makes the file an MTA configuration, which has no MICs.");
    docsis_error_hint(error, "Remove what stands before MtaConfigDelimiter, or remove it.");
    return false;
}

/*
 * Puts both MICs behind settings[0 .. length), where there is room for them. l is the layout of
 * the settings.
 */
static bool put_mics(uint8_t *settings, size_t length, bool long_64, const layout *l,
                     const docsis_key *key, unsigned flags, docsis_error *error)
{
    docsis_extended e = {.found = false};
    uint8_t *tail = settings + length;
    MD5_CTX md5;
    bool ok = true;

    if ((flags & DOCSIS_MIC_EXTENDED) != 0 && l->has_extension)
        e = docsis_find_extended(settings, length, long_64);
    if (e.found && !docsis_check_extended(&e, error))
        return false;
    if (e.found && e.is_explicit)
        ok = docsis_extended_mic(settings, length, long_64, &e, key, NULL, settings + e.digest);
    tail[0] = DOCSIS_CODE_CM_MIC;
    tail[1] = 16;
    tail[18] = DOCSIS_CODE_CMTS_MIC;
    tail[19] = 16;
    ok = ok && MD5_Init(&md5) && MD5_Update(&md5, settings, length) && MD5_Final(tail + 2, &md5);
    if (e.found && !e.is_explicit)
        ok = ok && docsis_extended_mic(settings, length, long_64, &e, key, tail + 2, tail + 20);
    else
        ok = ok && cmts_mic(settings, length, long_64, l, key, flags, tail + 2, tail + 20);
    return ok || docsis_digest_error(error);
}

bool docsis_seal_keyed(const uint8_t *config, size_t length, const docsis_key *key,
                       unsigned flags, docsis_buffer *out, docsis_error *error)
{
    size_t start = out->length;
    bool long_64 = is_long_64(config, length, flags);
    bool make = (flags & (DOCSIS_MIC_EXPLICIT | DOCSIS_MIC_IMPLICIT)) != 0;
    size_t settings;
    layout l;

    if (!scan(config, length, long_64, &l))
        return malformed(config, length, long_64, error);
    if (!docsis_reserve(out, length + 40 + (make ? DOCSIS_EXTENDED_ROOM : 0)))
        return docsis_error_memory(error);
    if (docsis_is_mta(config, length))
        return docsis_put_bytes(out, config, length);
    if (!l.scattered)
        docsis_put_bytes(out, config, l.settings);
    else
        docsis_put_settings(config, length, long_64, out);
    settings = out->length - start;
    if (make) {
        docsis_replace_extended(out->data + start, &settings, long_64,
                                (flags & DOCSIS_MIC_EXPLICIT) != 0);
        flags |= DOCSIS_MIC_EXTENDED;
    }
    if (docsis_is_mta(out->data + start, settings)) {
        /* Padding, a MIC or the replaced TLV 43 stood before it; without them the file is of
         * the other kind. */
        out->length = start;
        return became_mta(error);
    }
    if (make || l.scattered)
        scan(out->data + start, settings, long_64, &l);
    if (!put_mics(out->data + start, settings, long_64, &l, key, flags, error)) {
        out->length = start;
        return false;
    }
    out->length = start + settings + 36;
    out->data[out->length++] = DOCSIS_CODE_EOD;
    while ((out->length - start) % 4 != 0)
        out->data[out->length++] = 0;
    return true;
}

bool docsis_seal(const uint8_t *config, size_t length, const uint8_t *secret,
                 size_t secret_length, unsigned flags, docsis_buffer *out, docsis_error *error)
{
    docsis_key key;
    bool ok;

    /* No cleansing when grow() does not return: such callers keep their keys themselves. */
    if (!docsis_key_init(&key, secret, secret_length, flags, error))
        return false;
    ok = docsis_seal_keyed(config, length, &key, flags, out, error);
    docsis_key_cleanse(&key);
    return ok;
}

/* ---- verifying ---------------------------------------------------------------- */

static docsis_mic_state compare(const uint8_t *stored, const uint8_t digest[16])
{
    return stored != NULL && CRYPTO_memcmp(stored, digest, 16) == 0 ? DOCSIS_MIC_OK
                                                                    : DOCSIS_MIC_WRONG;
}

static bool verify_extended(const uint8_t *config, size_t length, bool long_64,
                            const layout *l, const docsis_key *key, const uint8_t *cm_mic,
                            const uint8_t *stored, docsis_verification *result)
{
    docsis_extended e = docsis_find_extended(config, length, long_64);
    uint8_t digest[16];

    if (!e.found)
        return true;
    result->extended_implicit = !e.is_explicit;
    if (!docsis_knows_extended(&e)) {
        result->extended_mic = DOCSIS_MIC_UNSUPPORTED;
        return true;
    }
    if (!e.is_explicit && l->cmts_count == 0)
        return true;
    if (e.is_explicit)
        stored = e.digest_length == 16 ? config + e.digest : NULL;
    if (!docsis_extended_mic(config, length, long_64, &e, key, cm_mic, digest))
        return false;
    result->extended_mic = compare(stored, digest);
    /* The implicit form stands in TLV 7, in the place of the older MIC. */
    if (!e.is_explicit && result->extended_mic == DOCSIS_MIC_OK)
        result->cmts_mic = DOCSIS_MIC_OK;
    return true;
}

bool docsis_verify_keyed(const uint8_t *config, size_t length, const docsis_key *key,
                         unsigned flags, docsis_verification *result, docsis_error *error)
{
    bool long_64 = is_long_64(config, length, flags);
    const uint8_t *cm, *cmts;
    uint8_t digest[16];
    bool ok = true;
    layout l;

    *result = (docsis_verification) {.cm_mic = DOCSIS_MIC_ABSENT};
    if (!scan(config, length, long_64, &l))
        return malformed(config, length, long_64, error);
    result->is_mta = docsis_is_mta(config, length);
    if (result->is_mta)
        return true;
    cm = l.cm_count == 1 ? l.cm_mic : NULL;
    cmts = l.cmts_count == 1 ? l.cmts_mic : NULL;
    if (l.cm_count > 0) {
        ok = settings_digest(config, length, long_64, &l, digest);
        result->cm_mic = compare(cm, digest);
    }
    if (ok && l.cmts_count > 0) {
        ok = cmts_mic(config, length, long_64, &l, key, flags, cm, digest);
        result->cmts_mic = compare(cmts, digest);
    }
    if (ok && l.has_extension)
        ok = verify_extended(config, length, long_64, &l, key, cm, cmts, result);
    return ok || docsis_digest_error(error);
}

bool docsis_verify(const uint8_t *config, size_t length, const uint8_t *secret,
                   size_t secret_length, unsigned flags, docsis_verification *result,
                   docsis_error *error)
{
    docsis_key key;
    bool ok;

    *result = (docsis_verification) {.cm_mic = DOCSIS_MIC_ABSENT};
    if (!docsis_key_init(&key, secret, secret_length, flags, error))
        return false;
    ok = docsis_verify_keyed(config, length, &key, flags, result, error);
    docsis_key_cleanse(&key);
    return ok;
}

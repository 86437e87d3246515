/*
 * mic.c - message integrity checks of CM configs, hash of MTA configs.
 *
 * MULPIv3.1 Annex D.1.3 (order of the file), D.2 (CMTS MIC); PKT-SP-PROV1.5
 * section 9.1 (MTA hash). The only file that uses libcrypto. The plain MD5 and
 * SHA-1 functions are deprecated, but cost half of what an EVP context does at
 * these sizes.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "internal.h"

/* What the CMTS MIC covers, in this order; of each code all TLVs in file order. */
static const uint8_t cmts_codes[] = {
    1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40
};

#define CODE_IPV4_ADDRESS 20
#define CODE_IPV6_ADDRESS 59

/* One top-level TLV. */
typedef struct item {
    size_t offset;
    size_t size;     /* with its header */
    uint8_t code;
} item;

/* Steps to the TLV at *position; the top level has been checked. */
static bool next_item(const uint8_t *config, size_t length, bool long_64, size_t *position,
                      item *next)
{
    size_t header, value_length;

    if (*position >= length || config[*position] == DOCSIS_CODE_EOD ||
        !docsis_top_header(config, length, *position, long_64, &header, &value_length))
        return false;
    next->offset = *position;
    next->size = header + value_length;
    next->code = config[*position];
    *position += next->size;
    return true;
}

static bool is_long_64(const uint8_t *config, size_t length, unsigned flags)
{
    return docsis_is_mta(config, length) || (flags & DOCSIS_MIC_LONG_VARBIND) != 0;
}

/* HMAC-MD5, RFC 2104; the secret has at most 64 bytes. */
typedef struct hmac {
    MD5_CTX md5;
    uint8_t pad[64];
} hmac;

static bool hmac_begin(hmac *h, const uint8_t *secret, size_t secret_length)
{
    for (size_t i = 0; i < sizeof(h->pad); i++)
        h->pad[i] = 0x36 ^ (i < secret_length ? secret[i] : 0);
    return MD5_Init(&h->md5) && MD5_Update(&h->md5, h->pad, sizeof(h->pad));
}

static bool hmac_end(hmac *h, uint8_t digest[16])
{
    bool ok = MD5_Final(digest, &h->md5);

    for (size_t i = 0; i < sizeof(h->pad); i++)
        h->pad[i] ^= 0x36 ^ 0x5c;
    ok = ok && MD5_Init(&h->md5) && MD5_Update(&h->md5, h->pad, sizeof(h->pad)) &&
         MD5_Update(&h->md5, digest, 16) && MD5_Final(digest, &h->md5);
    OPENSSL_cleanse(h, sizeof(*h));
    return ok;
}

static bool hmac_cm_mic(hmac *h, const uint8_t cm_mic[16])
{
    static const uint8_t header[2] = {DOCSIS_CODE_CM_MIC, 16};

    return MD5_Update(&h->md5, header, 2) && MD5_Update(&h->md5, cm_mic, 16);
}

/* The CMTS MIC of config; cm_mic NULL = there is none. */
static bool cmts_mic(const uint8_t *config, size_t length, bool long_64, const uint8_t *secret,
                     size_t secret_length, unsigned flags, const uint8_t cm_mic[16],
                     uint8_t digest[16])
{
    bool present[256] = {false};
    size_t position = 0;
    item tlv;
    hmac h;
    bool ok;

    while (next_item(config, length, long_64, &position, &tlv))
        present[tlv.code] = true;
    ok = hmac_begin(&h, secret, secret_length);
    for (size_t i = 0; ok && i < sizeof(cmts_codes); i++) {
        uint8_t code = cmts_codes[i];

        if (code == DOCSIS_CODE_CM_MIC) {
            if (cm_mic != NULL)
                ok = hmac_cm_mic(&h, cm_mic);
            continue;
        }
        if (code == CODE_IPV4_ADDRESS && (flags & DOCSIS_MIC_IPV6_ADDRESS) != 0 &&
            present[CODE_IPV6_ADDRESS])
            code = CODE_IPV6_ADDRESS;
        position = 0;
        while (present[code] && ok && next_item(config, length, long_64, &position, &tlv)) {
            if (tlv.code == code)
                ok = MD5_Update(&h.md5, config + tlv.offset, tlv.size);
        }
    }
    return hmac_end(&h, digest) && ok;
}

/* ---- Extended CMTS MIC, TLV 43.6: MULPIv3.1 C.1.1.18.1.6 and D.2.1 -------------- */

#define HMAC_TYPE_MD5 1

typedef struct extended {
    bool found;
    uint8_t hmac_type;
    const uint8_t *bitmap;       /* bit t, from the top of the first byte: TLV t is covered */
    size_t bitmap_length;
    size_t digest;               /* offset of the explicit digest in the config */
    size_t digest_length;
    bool is_explicit;
} extended;

/* The sub-TLV of a run of TLVs with one-byte lengths; false = none, or a broken run. */
static bool find_member(const uint8_t *config, size_t position, size_t end, uint8_t code,
                        size_t *value, size_t *value_length)
{
    bool found = false;

    while (position < end) {
        if (end - position < 2 || config[position + 1] > end - position - 2)
            return false;
        if (config[position] == code && !found) {
            found = true;
            *value = position + 2;
            *value_length = config[position + 1];
        }
        position += 2u + config[position + 1];
    }
    return found;
}

/* Looks for 43.6 in a TLV 43 of CableLabs (8 = ffffff). */
static extended find_extended(const uint8_t *config, size_t length, bool long_64)
{
    extended e = {.found = false};
    size_t position = 0;
    size_t at, n, vendor, vendor_length;
    item tlv;

    while (!e.found && next_item(config, length, long_64, &position, &tlv)) {
        size_t end = tlv.offset + tlv.size;

        if (tlv.code != 43 ||
            !find_member(config, tlv.offset + 2, end, 8, &vendor, &vendor_length) ||
            vendor_length != 3 || memcmp(config + vendor, "\xff\xff\xff", 3) != 0 ||
            !find_member(config, tlv.offset + 2, end, 6, &at, &n))
            continue;
        end = at + n;
        e.found = true;
        e.is_explicit = find_member(config, at, end, 3, &e.digest, &e.digest_length);
        if (find_member(config, at, end, 1, &vendor, &vendor_length) && vendor_length == 1)
            e.hmac_type = config[vendor];
        if (find_member(config, at, end, 2, &vendor, &vendor_length)) {
            e.bitmap = config + vendor;
            e.bitmap_length = vendor_length;
        }
    }
    return e;
}

static bool is_covered(const extended *e, uint8_t code)
{
    return code / 8u < e->bitmap_length && (e->bitmap[code / 8] & 0x80 >> code % 8) != 0;
}

/* Its digest: the covered TLVs in file order, an explicit digest counted as zeros. */
static bool extended_mic(const uint8_t *config, size_t length, bool long_64, const extended *e,
                         const uint8_t *secret, size_t secret_length, const uint8_t *cm_mic,
                         uint8_t digest[16])
{
    static const uint8_t zeros[255];
    size_t position = 0;
    item tlv;
    hmac h;
    bool ok = hmac_begin(&h, secret, secret_length);

    while (ok && next_item(config, length, long_64, &position, &tlv)) {
        size_t end = tlv.offset + tlv.size;

        if (tlv.code == 0 || tlv.code == DOCSIS_CODE_CM_MIC || tlv.code == DOCSIS_CODE_CMTS_MIC ||
            !is_covered(e, tlv.code))
            continue;
        if (e->is_explicit && e->digest >= tlv.offset && e->digest < end) {
            size_t behind = e->digest + e->digest_length;

            ok = MD5_Update(&h.md5, config + tlv.offset, e->digest - tlv.offset) &&
                 MD5_Update(&h.md5, zeros, e->digest_length) &&
                 MD5_Update(&h.md5, config + behind, end - behind);
        } else {
            ok = MD5_Update(&h.md5, config + tlv.offset, tlv.size);
        }
    }
    if (ok && cm_mic != NULL && !e->is_explicit && is_covered(e, DOCSIS_CODE_CM_MIC))
        ok = hmac_cm_mic(&h, cm_mic);
    return hmac_end(&h, digest) && ok;
}

static bool digest_error(docsis_error *error)
{
    return docsis_error_set(error, DOCSIS_CRYPTO, 0, "could not compute a digest");
}

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

/* Appends config without 6, 7, 255 and padding. */
static bool put_settings(const uint8_t *config, size_t length, bool long_64, docsis_buffer *out)
{
    size_t position = 0;
    size_t run = 0;
    item tlv = {0};

    while (next_item(config, length, long_64, &position, &tlv)) {
        if (tlv.code != 0 && tlv.code != DOCSIS_CODE_CM_MIC && tlv.code != DOCSIS_CODE_CMTS_MIC)
            continue;
        if (!docsis_put_bytes(out, config + run, tlv.offset - run))
            return false;
        run = tlv.offset + tlv.size;
    }
    return docsis_put_bytes(out, config + run, position - run);
}

/* Can this Extended CMTS MIC be computed? */
static bool check_extended(const extended *e, docsis_error *error)
{
    const char *why = NULL;

    if (e->hmac_type != HMAC_TYPE_MD5)
        why = "Its HMAC type (43.6.1) is not 1, HMAC-MD5.";
    else if (e->bitmap == NULL)
        why = "It has no bitmap (43.6.2).";
    else if (e->is_explicit && e->digest_length != 16)
        why = "Its digest (43.6.3) must have 16 bytes, for example zeros.";
    else if (e->is_explicit && is_covered(e, DOCSIS_CODE_CM_MIC))
        why = "An explicit digest cannot cover TLV 6: bit 6 of the bitmap must be clear.";
    if (why == NULL)
        return true;
    docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "cannot compute the Extended CMTS MIC");
    docsis_error_detail(error, "%s", why);
    return false;
}

bool docsis_seal(const uint8_t *config, size_t length, const uint8_t *secret,
                 size_t secret_length, unsigned flags, docsis_buffer *out, docsis_error *error)
{
    size_t start = out->length;
    bool long_64 = is_long_64(config, length, flags);
    extended e = {.found = false};
    size_t settings;
    uint8_t *tail;
    bool ok;

    if (!check_secret(secret_length, flags, error) ||
        !docsis_check_top(config, length, long_64, error))
        return false;
    if (!docsis_reserve(out, length + 40))
        return docsis_error_memory(error);
    if (docsis_is_mta(config, length)) {
        docsis_put_bytes(out, config, length);
        return true;
    }
    put_settings(config, length, long_64, out);
    settings = out->length - start;
    if (docsis_is_mta(out->data + start, settings)) {
        /* Padding or a MIC stood before it; without them the file is of the other kind. */
        out->length = start;
        docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0,
                         "cannot seal: the first setting is \"MtaConfigDelimiter\"");
        docsis_error_detail(error, "It makes the file an MTA configuration, which has no MICs.");
        docsis_error_hint(error, "Remove what stands before MtaConfigDelimiter, or remove it.");
        return false;
    }
    tail = out->data + out->length;
    if ((flags & DOCSIS_MIC_EXTENDED) != 0)
        e = find_extended(out->data + start, settings, long_64);
    if (e.found && !check_extended(&e, error)) {
        out->length = start;
        return false;
    }
    ok = !e.found || !e.is_explicit ||
         extended_mic(out->data + start, settings, long_64, &e, secret, secret_length, NULL,
                      out->data + start + e.digest);
    tail[0] = DOCSIS_CODE_CM_MIC;
    tail[1] = 16;
    tail[18] = DOCSIS_CODE_CMTS_MIC;
    tail[19] = 16;
    ok = ok && MD5(out->data + start, settings, tail + 2) != NULL;
    if (e.found && !e.is_explicit)
        ok = ok && extended_mic(out->data + start, settings, long_64, &e, secret, secret_length,
                                tail + 2, tail + 20);
    else
        ok = ok && cmts_mic(out->data + start, settings, long_64, secret, secret_length, flags,
                            tail + 2, tail + 20);
    if (!ok) {
        out->length = start;
        return digest_error(error);
    }
    out->length += 36;
    out->data[out->length++] = DOCSIS_CODE_EOD;
    while ((out->length - start) % 4 != 0)
        out->data[out->length++] = 0;
    return true;
}

/* MD5 of what stands before the MICs, which need not be the last TLVs of a broken file. */
static bool settings_digest(const uint8_t *config, size_t length, bool long_64,
                            uint8_t digest[16])
{
    size_t position = 0;
    size_t run = 0;
    item tlv;
    MD5_CTX md5;

    if (!MD5_Init(&md5))
        return false;
    while (next_item(config, length, long_64, &position, &tlv)) {
        if (tlv.code != 0 && tlv.code != DOCSIS_CODE_CM_MIC && tlv.code != DOCSIS_CODE_CMTS_MIC)
            continue;
        if (!MD5_Update(&md5, config + run, tlv.offset - run))
            return false;
        run = tlv.offset + tlv.size;
    }
    return MD5_Update(&md5, config + run, position - run) && MD5_Final(digest, &md5);
}

/* The one TLV of this code: its value, or NULL; *count = how many there are. */
static const uint8_t *find_mic(const uint8_t *config, size_t length, bool long_64, uint8_t code,
                               int *count)
{
    const uint8_t *value = NULL;
    size_t position = 0;
    item tlv;

    *count = 0;
    while (next_item(config, length, long_64, &position, &tlv)) {
        if (tlv.code != code)
            continue;
        ++*count;
        value = tlv.size == 18 ? config + tlv.offset + 2 : NULL;
    }
    return *count == 1 ? value : NULL;
}

static bool verify_extended(const uint8_t *config, size_t length, bool long_64,
                            const uint8_t *secret, size_t secret_length, const uint8_t *cm_mic,
                            const uint8_t *cmts_mic, docsis_verification *result)
{
    extended e = find_extended(config, length, long_64);
    const uint8_t *stored;
    uint8_t digest[16];

    if (!e.found)
        return true;
    result->extended_implicit = !e.is_explicit;
    if (e.hmac_type != HMAC_TYPE_MD5 || e.bitmap == NULL) {
        result->extended_mic = DOCSIS_MIC_UNSUPPORTED;
        return true;
    }
    stored = !e.is_explicit ? cmts_mic : e.digest_length == 16 ? config + e.digest : NULL;
    if (!extended_mic(config, length, long_64, &e, secret, secret_length, cm_mic, digest))
        return false;
    result->extended_mic = stored != NULL && CRYPTO_memcmp(stored, digest, 16) == 0
                           ? DOCSIS_MIC_OK : DOCSIS_MIC_WRONG;
    /* The implicit form stands in TLV 7, in the place of the older MIC. */
    if (!e.is_explicit && result->extended_mic == DOCSIS_MIC_OK)
        result->cmts_mic = DOCSIS_MIC_OK;
    return true;
}

bool docsis_verify(const uint8_t *config, size_t length, const uint8_t *secret,
                   size_t secret_length, unsigned flags, docsis_verification *result,
                   docsis_error *error)
{
    bool long_64 = is_long_64(config, length, flags);
    int cm_count, cmts_count;
    const uint8_t *cm, *cmts;
    uint8_t digest[16];

    *result = (docsis_verification) {.cm_mic = DOCSIS_MIC_ABSENT};
    if (!check_secret(secret_length, flags, error) ||
        !docsis_check_top(config, length, long_64, error))
        return false;
    result->is_mta = docsis_is_mta(config, length);
    if (result->is_mta)
        return true;
    cm = find_mic(config, length, long_64, DOCSIS_CODE_CM_MIC, &cm_count);
    cmts = find_mic(config, length, long_64, DOCSIS_CODE_CMTS_MIC, &cmts_count);
    if (cm_count > 0) {
        if (!settings_digest(config, length, long_64, digest))
            return digest_error(error);
        result->cm_mic = cm != NULL && CRYPTO_memcmp(cm, digest, 16) == 0 ? DOCSIS_MIC_OK
                                                                         : DOCSIS_MIC_WRONG;
    }
    if (cmts_count > 0) {
        if (!cmts_mic(config, length, long_64, secret, secret_length, flags, cm, digest))
            return digest_error(error);
        result->cmts_mic = cmts != NULL && CRYPTO_memcmp(cmts, digest, 16) == 0
                           ? DOCSIS_MIC_OK : DOCSIS_MIC_WRONG;
    }
    return verify_extended(config, length, long_64, secret, secret_length, cm, cmts, result) ||
           digest_error(error);
}

/* ---- MTA hash ---------------------------------------------------------------- */

/* The hash TLV up to its 20 digest bytes. */
static const struct {
    uint8_t length;
    uint8_t bytes[22];
} hash_prefix[] = {
    [DOCSIS_MTA_HASH_NA] = {22, {0x0b, 0x28, 0x30, 0x26, 0x06, 0x0e, 0x2b, 0x06, 0x01, 0x04, 0x01,
                                 0xa3, 0x0b, 0x02, 0x02, 0x01, 0x01, 0x02, 0x07, 0x00, 0x04, 0x14}},
    [DOCSIS_MTA_HASH_EU] = {20, {0x0b, 0x26, 0x30, 0x24, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x04, 0x01,
                                 0xba, 0x08, 0x01, 0x01, 0x02, 0x09, 0x00, 0x04, 0x14}},
    [DOCSIS_MTA_HASH_IETF] = {19, {0x0b, 0x25, 0x30, 0x23, 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x02,
                                   0x01, 0x81, 0x0c, 0x01, 0x02, 0x0b, 0x00, 0x04, 0x14}}
};

static bool not_mta(const char *why, docsis_error *error)
{
    docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "not an MTA configuration");
    docsis_error_detail(error, "%s", why);
    docsis_error_hint(error, "An MTA configuration begins with MtaConfigDelimiter 1 and ends with "
                      "MtaConfigDelimiter 255.");
    return false;
}

static const uint8_t closing[3] = {DOCSIS_CODE_MTA, 1, 255};

/*
 * Size of the hash TLV in front of the closing delimiter, if it is one that
 * docsis_mta_hash() made: its digest is that of the rest. Else 0. A hash that
 * stands in the settings for other reasons stays.
 */
static size_t own_hash_size(const uint8_t *config, size_t length)
{
    for (int kind = DOCSIS_MTA_HASH_NA; kind <= DOCSIS_MTA_HASH_IETF; kind++) {
        size_t size = hash_prefix[kind].length + 20u;
        uint8_t digest[20];
        SHA_CTX sha;

        if (length < size + 6 ||
            memcmp(config + length - 3 - size, hash_prefix[kind].bytes,
                   hash_prefix[kind].length) != 0)
            continue;
        if (SHA1_Init(&sha) && SHA1_Update(&sha, config, length - 3 - size) &&
            SHA1_Update(&sha, closing, 3) && SHA1_Final(digest, &sha) &&
            memcmp(digest, config + length - 3 - 20, 20) == 0)
            return size;
    }
    return 0;
}

bool docsis_mta_hash(const uint8_t *config, size_t length, docsis_mta_hash_kind kind,
                     docsis_buffer *out, docsis_error *error)
{
    size_t start = out->length;
    size_t position = 0;
    item tlv = {0};
    uint8_t digest[20];

    if ((unsigned) kind > DOCSIS_MTA_HASH_IETF)
        return docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "unknown kind of MTA hash");
    if (!docsis_check(config, length, error))
        return false;
    if (length < 3 || memcmp(config, "\xfe\x01\x01", 3) != 0)
        return not_mta("Its first TLV is not MtaConfigDelimiter 1.", error);
    while (next_item(config, length, true, &position, &tlv))
        ;
    if (position != length || tlv.size != 3 || memcmp(config + length - 3, closing, 3) != 0)
        return not_mta("Its last TLV is not MtaConfigDelimiter 255.", error);
    if (!docsis_reserve(out, length + 64))
        return docsis_error_memory(error);
    if (kind == DOCSIS_MTA_HASH_NONE)
        return docsis_put_bytes(out, config, length);
    docsis_put_bytes(out, config, length - 3 - own_hash_size(config, length));
    docsis_put_bytes(out, closing, 3);
    if (SHA1(out->data + start, out->length - start, digest) == NULL) {
        out->length = start;
        return digest_error(error);
    }
    out->length -= 3;
    docsis_put_bytes(out, hash_prefix[kind].bytes, hash_prefix[kind].length);
    docsis_put_bytes(out, digest, 20);
    docsis_put_bytes(out, closing, 3);
    return true;
}

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

/* HMAC-MD5 of RFC 2104 over the covered TLVs of config; secret <= 64 bytes. */
static bool cmts_mic(const uint8_t *config, size_t length, bool long_64, const uint8_t *secret,
                     size_t secret_length, unsigned flags, const uint8_t cm_mic[16],
                     uint8_t digest[16])
{
    uint8_t pad[64];
    bool present[256] = {false};
    size_t position = 0;
    item tlv;
    MD5_CTX md5;
    bool ok;

    while (next_item(config, length, long_64, &position, &tlv))
        present[tlv.code] = true;
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] = 0x36 ^ (i < secret_length ? secret[i] : 0);
    ok = MD5_Init(&md5) && MD5_Update(&md5, pad, sizeof(pad));
    for (size_t i = 0; ok && i < sizeof(cmts_codes); i++) {
        uint8_t code = cmts_codes[i];

        if (code == DOCSIS_CODE_CM_MIC) {
            static const uint8_t header[2] = {DOCSIS_CODE_CM_MIC, 16};

            if (cm_mic != NULL)
                ok = MD5_Update(&md5, header, 2) && MD5_Update(&md5, cm_mic, 16);
            continue;
        }
        if (code == CODE_IPV4_ADDRESS && (flags & DOCSIS_MIC_IPV6_ADDRESS) != 0 &&
            present[CODE_IPV6_ADDRESS])
            code = CODE_IPV6_ADDRESS;
        position = 0;
        while (present[code] && ok && next_item(config, length, long_64, &position, &tlv)) {
            if (tlv.code == code)
                ok = MD5_Update(&md5, config + tlv.offset, tlv.size);
        }
    }
    ok = ok && MD5_Final(digest, &md5);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ok = ok && MD5_Init(&md5) && MD5_Update(&md5, pad, sizeof(pad)) &&
         MD5_Update(&md5, digest, 16) && MD5_Final(digest, &md5);
    OPENSSL_cleanse(pad, sizeof(pad));
    OPENSSL_cleanse(&md5, sizeof(md5));
    return ok;
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

bool docsis_seal(const uint8_t *config, size_t length, const uint8_t *secret,
                 size_t secret_length, unsigned flags, docsis_buffer *out, docsis_error *error)
{
    size_t start = out->length;
    bool long_64 = is_long_64(config, length, flags);
    size_t settings;
    uint8_t *tail;

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
    tail[0] = DOCSIS_CODE_CM_MIC;
    tail[1] = 16;
    tail[18] = DOCSIS_CODE_CMTS_MIC;
    tail[19] = 16;
    if (MD5(out->data + start, settings, tail + 2) == NULL ||
        !cmts_mic(out->data + start, settings, long_64, secret, secret_length, flags, tail + 2,
                  tail + 20)) {
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
    return true;
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
        const uint8_t *tlv = config + length - 3 - size;
        uint8_t digest[20];
        SHA_CTX sha;

        if (length < size + 6 || memcmp(tlv, hash_prefix[kind].bytes, hash_prefix[kind].length) != 0)
            continue;
        if (SHA1_Init(&sha) && SHA1_Update(&sha, config, length - 3 - size) &&
            SHA1_Update(&sha, closing, 3) && SHA1_Final(digest, &sha) &&
            memcmp(digest, tlv + hash_prefix[kind].length, 20) == 0)
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

/*
 * mic.h - what the files around the MICs share: the walk over the top level, HMAC-MD5 with a
 * prepared key, and the Extended CMTS MIC.
 *
 * libcrypto is used in mic.c, mic_extended.c, mta.c, cvc.c and lint_mta.c only. The plain MD5 and
 * SHA-1 functions are deprecated, but cost half of what an EVP context does at these sizes.
 */
#ifndef DOCSIS_MIC_H
#define DOCSIS_MIC_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/md5.h>

#include "internal.h"

/* One top-level TLV. */
typedef struct docsis_item {
    size_t offset;
    size_t size;     /* with its header */
    uint8_t code;
} docsis_item;

/* Steps to the TLV at *position, not beyond 255; the top level has been checked. */
static inline bool docsis_next_item(const uint8_t *config, size_t length, bool long_64,
                                    size_t *position, docsis_item *next)
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

/* Not a setting: padding and both MICs, which sealing makes anew. */
static inline bool docsis_is_dropped(uint8_t code)
{
    return code == 0 || code == DOCSIS_CODE_CM_MIC || code == DOCSIS_CODE_CMTS_MIC;
}

/* HMAC-MD5, RFC 2104: begin, MD5_Update(&h, ...), end. */
void docsis_hmac_begin(MD5_CTX *h, const docsis_key *key);
bool docsis_hmac_end(MD5_CTX *h, const docsis_key *key, uint8_t digest[16]);
/* Feeds TLV 6 with this value. */
bool docsis_hmac_cm_mic(MD5_CTX *h, const uint8_t cm_mic[16]);

/* "could not compute a digest"; always returns false. */
bool docsis_digest_error(docsis_error *error);

/* Appends config without 6, 7, 255 and padding. */
bool docsis_put_settings(const uint8_t *config, size_t length, bool long_64, docsis_buffer *out);

/* ---- Extended CMTS MIC, TLV 43.6 ------------------------------------------------- */

/* The first 43.6 of a config. */
typedef struct docsis_extended {
    bool found;
    uint8_t hmac_type;
    const uint8_t *bitmap;       /* bit t, from the top of the first byte: TLV t is covered */
    size_t bitmap_length;
    size_t digest;               /* offset of the explicit digest in the config */
    size_t digest_length;
    bool is_explicit;
} docsis_extended;

/* Room that docsis_replace_extended() takes at most behind the settings. */
#define DOCSIS_EXTENDED_ROOM 80

docsis_extended docsis_find_extended(const uint8_t *config, size_t length, bool long_64);
/* Can it be computed? Else *error says why not. */
bool docsis_check_extended(const docsis_extended *e, docsis_error *error);
/* Is it a kind that this codec computes? */
bool docsis_knows_extended(const docsis_extended *e);
/*
 * Its digest: the covered TLVs in file order, an explicit digest counted as zeros. cm_mic: the
 * value of a TLV 6 that is not in the config (or NULL).
 */
bool docsis_extended_mic(const uint8_t *config, size_t length, bool long_64,
                         const docsis_extended *e, const docsis_key *key, const uint8_t *cm_mic,
                         uint8_t digest[16]);
/*
 * Makes the 43.6 of settings[0 .. *length) anew, as their last TLV, with a bitmap of what is
 * there. The buffer behind them has DOCSIS_EXTENDED_ROOM bytes of room.
 */
void docsis_replace_extended(uint8_t *settings, size_t *length, bool long_64, bool is_explicit);

#endif

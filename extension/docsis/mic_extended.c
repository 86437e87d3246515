/*
 * mic_extended.c - the Extended CMTS MIC, TLV 43.6: MULPIv3.1 C.1.1.18.1.6 and D.2.1.
 *
 * It stands in a TLV 43 of CableLabs (43.8 = ffffff). What has the same shape in other places
 * (22.43.6, 60.43.6, ...) is no Extended CMTS MIC and is left alone.
 */
#include "mic.h"

#define CODE_EXTENSION   43
#define HMAC_TYPE_MD5    1
#define HMAC_TYPE_MMH    2
#define HMAC_TYPE_VENDOR 43

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

/* Is the TLV a 43 of CableLabs with a 43.6? Then *value is that of the 43.6. */
static bool holds_extended(const uint8_t *config, const docsis_item *tlv, size_t *value,
                           size_t *value_length)
{
    size_t start = tlv->offset + 2;
    size_t end = tlv->offset + tlv->size;
    size_t vendor, vendor_length;

    return tlv->code == CODE_EXTENSION &&
           find_member(config, start, end, 8, &vendor, &vendor_length) &&
           vendor_length == 3 && memcmp(config + vendor, "\xff\xff\xff", 3) == 0 &&
           find_member(config, start, end, 6, value, value_length);
}

docsis_extended docsis_find_extended(const uint8_t *config, size_t length, bool long_64)
{
    docsis_extended e = {.found = false};
    size_t position = 0;
    size_t at, n, value, value_length;
    docsis_item tlv;

    while (!e.found && docsis_next_item(config, length, long_64, &position, &tlv)) {
        size_t end;

        if (!holds_extended(config, &tlv, &at, &n))
            continue;
        end = at + n;
        e.found = true;
        e.is_explicit = find_member(config, at, end, 3, &e.digest, &e.digest_length);
        if (find_member(config, at, end, 1, &value, &value_length) && value_length == 1)
            e.hmac_type = config[value];
        if (find_member(config, at, end, 2, &value, &value_length)) {
            e.bitmap = config + value;
            e.bitmap_length = value_length;
        }
    }
    return e;
}

static bool is_covered(const docsis_extended *e, uint8_t code)
{
    return code / 8u < e->bitmap_length && (e->bitmap[code / 8] & 0x80 >> code % 8) != 0;
}

bool docsis_knows_extended(const docsis_extended *e)
{
    return e->hmac_type == HMAC_TYPE_MD5 && e->bitmap != NULL;
}

bool docsis_check_extended(const docsis_extended *e, docsis_error *error)
{
    bool other_kind = e->hmac_type == HMAC_TYPE_MMH || e->hmac_type == HMAC_TYPE_VENDOR;
    const char *why = NULL;

    if (e->hmac_type == HMAC_TYPE_MMH)
        why = "Its HMAC type (43.6.1) is 2, MMH16-sigma-n; only 1, HMAC-MD5, is computed.";
    else if (e->hmac_type == HMAC_TYPE_VENDOR)
        why = "Its HMAC type (43.6.1) is 43, a vendor's own; only 1, HMAC-MD5, is computed.";
    else if (e->hmac_type != HMAC_TYPE_MD5)
        why = "Its HMAC type (43.6.1) is not 1, HMAC-MD5.";
    else if (e->bitmap == NULL)
        why = "It has no bitmap (43.6.2).";
    else if (e->is_explicit && e->digest_length != 16)
        why = "Its digest (43.6.3) must have 16 bytes, for example zeros.";
    else if (e->is_explicit && is_covered(e, DOCSIS_CODE_CM_MIC))
        why = "An explicit digest cannot cover TLV 6: bit 6 of the bitmap must be clear.";
    if (why == NULL)
        return true;
    docsis_error_set(error, other_kind ? DOCSIS_REFUSED : DOCSIS_INVALID_ARGUMENT, 0,
                     "cannot compute the Extended CMTS MIC");
    docsis_error_detail(error, "%s", why);
    docsis_error_hint(error, "Correct ExtendedCMTSMICConfiguration, or seal with extended => "
                      "'none', which leaves it as it stands.");
    return false;
}

bool docsis_extended_mic(const uint8_t *config, size_t length, bool long_64,
                         const docsis_extended *e, const docsis_key *key, const uint8_t *cm_mic,
                         uint8_t digest[16])
{
    static const uint8_t zeros[255];
    size_t position = 0;
    docsis_item tlv;
    bool ok = true;
    MD5_CTX h;

    docsis_hmac_begin(&h, key);
    while (ok && docsis_next_item(config, length, long_64, &position, &tlv)) {
        size_t end = tlv.offset + tlv.size;

        if (docsis_is_dropped(tlv.code) || !is_covered(e, tlv.code))
            continue;
        if (e->is_explicit && e->digest >= tlv.offset && e->digest < end) {
            size_t behind = e->digest + e->digest_length;

            ok = MD5_Update(&h, config + tlv.offset, e->digest - tlv.offset) &&
                 MD5_Update(&h, zeros, e->digest_length) &&
                 MD5_Update(&h, config + behind, end - behind);
        } else {
            ok = MD5_Update(&h, config + tlv.offset, tlv.size);
        }
    }
    if (ok && cm_mic != NULL && !e->is_explicit && is_covered(e, DOCSIS_CODE_CM_MIC))
        ok = docsis_hmac_cm_mic(&h, cm_mic);
    return docsis_hmac_end(&h, key, digest) && ok;
}

/* ---- making it ----------------------------------------------------------------- */

/*
 * Settings of which the modem tells the CMTS: those of MULPI Annex C.1.1 and C.2. The others are
 * for the modem alone; the CMTS never sees them, and a digest over them would never match.
 */
static bool is_registered(uint8_t code)
{
    static const uint8_t codes[] = {
        1, 2, 3, 4, 17, 18, 19, 20, 22, 23, 24, 25, 26, 28, 29, 35, 36, 37, 39, 40, 41, 42, 43,
        45, 56, 59, 60, 61, 62, 63, 64, 67, 70, 71, 72, 74, 83, 91, 92, 93, 94
    };

    return memchr(codes, code, sizeof(codes)) != NULL;
}

static void remove_bytes(uint8_t *bytes, size_t *length, size_t offset, size_t count)
{
    memmove(bytes + offset, bytes + offset + count, *length - offset - count);
    *length -= count;
}

/* Takes every 43.6 away, with its TLV 43 when nothing else than 43.8 is in there. */
static void remove_extended(uint8_t *settings, size_t *length, bool long_64)
{
    size_t position = 0;
    size_t value, value_length;
    docsis_item tlv;

    while (docsis_next_item(settings, *length, long_64, &position, &tlv)) {
        if (!holds_extended(settings, &tlv, &value, &value_length))
            continue;
        if (tlv.size == 2 + 5 + 2 + value_length) {
            remove_bytes(settings, length, tlv.offset, tlv.size);
        } else {
            settings[tlv.offset + 1] -= (uint8_t) (2 + value_length);
            remove_bytes(settings, length, value - 2, 2 + value_length);
        }
        position = tlv.offset;
    }
}

void docsis_replace_extended(uint8_t *settings, size_t *length, bool long_64, bool is_explicit)
{
    static const uint8_t header[] = {CODE_EXTENSION, 0, 8, 3, 0xff, 0xff, 0xff, 6, 0,
                                     1, 1, HMAC_TYPE_MD5, 2, 0};
    uint8_t bitmap[32] = {0};
    size_t position = 0;
    size_t bitmap_length = sizeof(bitmap);
    size_t size = sizeof(header);
    docsis_item tlv;
    uint8_t *out;

    remove_extended(settings, length, long_64);
    while (docsis_next_item(settings, *length, long_64, &position, &tlv)) {
        if (is_registered(tlv.code))
            bitmap[tlv.code / 8] |= (uint8_t) (0x80 >> tlv.code % 8);
    }
    bitmap[CODE_EXTENSION / 8] |= 0x80 >> CODE_EXTENSION % 8;
    /* Nothing else ties the CM MIC, and by it the whole file, to the secret in this form. */
    if (!is_explicit)
        bitmap[0] |= 0x80 >> DOCSIS_CODE_CM_MIC;
    while (bitmap[bitmap_length - 1] == 0)
        bitmap_length--;
    out = settings + *length;
    memcpy(out, header, size);
    memcpy(out + size, bitmap, bitmap_length);
    out[size - 1] = (uint8_t) bitmap_length;
    size += bitmap_length;
    if (is_explicit) {
        out[size] = 3;
        out[size + 1] = 16;
        memset(out + size + 2, 0, 16);
        size += 18;
    }
    out[1] = (uint8_t) (size - 2);
    out[8] = (uint8_t) (size - 9);
    *length += size;
}

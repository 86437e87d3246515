/*
 * mta.c - MTA configs: the hash that provisioning flows ask for, and dial plans.
 *
 * PKT-SP-PROV1.5 section 9.1 (hash).
 */
#include "mic.h"

#include <openssl/sha.h>

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

static const uint8_t opening[3] = {DOCSIS_CODE_MTA, 1, 1};
static const uint8_t closing[3] = {DOCSIS_CODE_MTA, 1, 255};

/* Is it an MTA config, from 254 1 to 254 255? */
static bool check_mta(const uint8_t *config, size_t length, docsis_error *error)
{
    size_t position = 0;
    docsis_item tlv = {0};

    if (!docsis_check(config, length, error))
        return false;
    if (length < 3 || memcmp(config, opening, 3) != 0)
        return not_mta("Its first TLV is not MtaConfigDelimiter 1.", error);
    while (docsis_next_item(config, length, true, &position, &tlv))
        ;
    if (position != length || tlv.size != 3 || memcmp(config + length - 3, closing, 3) != 0)
        return not_mta("Its last TLV is not MtaConfigDelimiter 255.", error);
    return true;
}

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
    uint8_t digest[20];

    if ((unsigned) kind > DOCSIS_MTA_HASH_IETF)
        return docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "unknown kind of MTA hash");
    if (!check_mta(config, length, error))
        return false;
    if (!docsis_reserve(out, length + 64))
        return docsis_error_memory(error);
    if (kind == DOCSIS_MTA_HASH_NONE)
        return docsis_put_bytes(out, config, length);
    docsis_put_bytes(out, config, length - 3 - own_hash_size(config, length));
    docsis_put_bytes(out, closing, 3);
    if (SHA1(out->data + start, out->length - start, digest) == NULL) {
        out->length = start;
        return docsis_digest_error(error);
    }
    out->length -= 3;
    docsis_put_bytes(out, hash_prefix[kind].bytes, hash_prefix[kind].length);
    docsis_put_bytes(out, digest, 20);
    docsis_put_bytes(out, closing, 3);
    return true;
}

/* ---- dial plans ---------------------------------------------------------------- */

/* pktcEUERSTDMValue.1 of CL-PKTC-EUE-RST-MIB: as arcs and as BER contents. */
static const uint32_t dialplan_arcs[] = {
    1, 3, 6, 1, 4, 1, 4491, 2, 2, 8, 2, 1, 1, 3, 1, 1, 2, 1
};
#define DIALPLAN_ARCS (sizeof(dialplan_arcs) / sizeof(dialplan_arcs[0]))
static const uint8_t dialplan_oid[18] = {
    0x2b, 6, 1, 4, 1, 0xa3, 0x0b, 2, 2, 8, 2, 1, 1, 3, 1, 1, 2, 1
};

#define MAX_DIGITMAP 8192
#define MAX_DIALPLAN 65000

/* The TLV up to the plan's bytes as the docsis tool's option -dialplan writes it. */
static size_t option_prefix(size_t n, uint8_t *out)
{
    bool long_value = n >= 128;
    bool long_sequence = n >= 106;
    size_t contents = 2 + sizeof(dialplan_oid) + (long_value ? 4 : 2) + n;
    size_t value = contents + (long_sequence ? 4 : 2);
    size_t i = 0;

    out[i++] = DOCSIS_CODE_LONG;
    out[i++] = (uint8_t) (value >> 8);
    out[i++] = (uint8_t) value;
    out[i++] = DOCSIS_TAG_SEQUENCE;
    if (long_sequence) {
        out[i++] = 0x82;
        out[i++] = (uint8_t) (contents >> 8);
    }
    out[i++] = (uint8_t) contents;
    out[i++] = DOCSIS_TAG_OID;
    out[i++] = sizeof(dialplan_oid);
    memcpy(out + i, dialplan_oid, sizeof(dialplan_oid));
    i += sizeof(dialplan_oid);
    out[i++] = DOCSIS_TAG_STRING;
    if (long_value) {
        out[i++] = 0x82;
        out[i++] = (uint8_t) (n >> 8);
    }
    out[i++] = (uint8_t) n;
    return i;
}

/* The same as the statement DigitMap writes it: a string like any other. */
static size_t digitmap_prefix(const uint8_t *plan, size_t n, uint8_t *out)
{
    docsis_varbind vb = {.arc_count = DIALPLAN_ARCS, .tag = DOCSIS_TAG_STRING, .value = plan,
                         .value_length = n};
    uint8_t prefix[DOCSIS_VARBIND_PREFIX];
    size_t prefix_length, value;
    size_t i = 0;

    memcpy(vb.arcs, dialplan_arcs, sizeof(dialplan_arcs));
    prefix_length = docsis_varbind_prefix(&vb, prefix);
    value = prefix_length + n;
    out[i++] = value > 255 ? DOCSIS_CODE_LONG : DOCSIS_CODE_VARBIND;
    if (value > 255)
        out[i++] = (uint8_t) (value >> 8);
    out[i++] = (uint8_t) value;
    memcpy(out + i, prefix, prefix_length);
    return i + prefix_length;
}

bool docsis_dialplan(const uint8_t *plan, size_t length, docsis_dialplan_form form,
                     docsis_buffer *out, docsis_error *error)
{
    size_t most = form == DOCSIS_DIALPLAN_DIGITMAP ? MAX_DIGITMAP : MAX_DIALPLAN;
    uint8_t prefix[DOCSIS_VARBIND_PREFIX + 3];
    size_t prefix_length;

    if (length == 0 || length > most) {
        docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0,
                         length == 0 ? "dial plan is empty" : "dial plan is too long");
        docsis_error_detail(error, "It has %zu bytes; a dial plan has 1 to %zu.", length, most);
        docsis_error_hint(error, "Give the text of the digit map.");
        return false;
    }
    if (!docsis_reserve(out, length + sizeof(prefix) + 6))
        return docsis_error_memory(error);
    prefix_length = form == DOCSIS_DIALPLAN_DIGITMAP ? digitmap_prefix(plan, length, prefix)
                                                     : option_prefix(length, prefix);
    docsis_put_bytes(out, opening, 3);
    docsis_put_bytes(out, prefix, prefix_length);
    docsis_put_bytes(out, plan, length);
    docsis_put_bytes(out, closing, 3);
    return true;
}

static bool is_dialplan(const uint8_t *config, const docsis_item *tlv)
{
    size_t header = tlv->code == DOCSIS_CODE_LONG ? 3 : 2;
    docsis_varbind vb;

    return (tlv->code == DOCSIS_CODE_VARBIND || tlv->code == DOCSIS_CODE_LONG) &&
           docsis_varbind_read(config + tlv->offset + header, tlv->size - header, &vb) &&
           vb.arc_count == DIALPLAN_ARCS &&
           memcmp(vb.arcs, dialplan_arcs, sizeof(dialplan_arcs)) == 0;
}

bool docsis_mta_dialplan(const uint8_t *config, size_t length, const uint8_t *dialplan,
                         size_t dialplan_length, docsis_buffer *out, docsis_error *error)
{
    size_t position = 0;
    docsis_item tlv;
    size_t end;

    if (!check_mta(config, length, error) || !check_mta(dialplan, dialplan_length, error))
        return false;
    if (!docsis_reserve(out, length + dialplan_length))
        return docsis_error_memory(error);
    end = length - 3 - own_hash_size(config, length);
    while (docsis_next_item(config, end, true, &position, &tlv)) {
        if (!is_dialplan(config, &tlv))
            docsis_put_bytes(out, config + tlv.offset, tlv.size);
    }
    docsis_put_bytes(out, dialplan + 3, dialplan_length - 6);
    docsis_put_bytes(out, closing, 3);
    return true;
}

/*
 * download.c - the settings that a provisioning server adds when a modem fetches its file.
 *
 * MULPIv3.1 C.1.1.8 (19 TFTP Server Timestamp), C.1.1.9 (20, IPv4) and C.1.1.10 (59, IPv6 TFTP
 * Server Provisioned Modem Address).
 */
#include "mic.h"

#define CODE_TIMESTAMP    19
#define CODE_IPV4_ADDRESS 20
#define CODE_IPV6_ADDRESS 59

/* Length of the TLV 43 of an Extended CMTS MIC at the end of settings, 0 = there is none. */
static size_t extended_tail(const uint8_t *settings, size_t length)
{
    size_t position = 0;
    docsis_item tlv = {0};

    while (docsis_next_item(settings, length, false, &position, &tlv))
        ;
    return length > 0 && docsis_find_extended(settings + tlv.offset, tlv.size, false).found
           ? tlv.size : 0;
}

static size_t make_tlvs(const docsis_download *download, uint8_t out[24])
{
    size_t n = 0;

    if (download->has_timestamp) {
        out[n++] = CODE_TIMESTAMP;
        out[n++] = 4;
        for (int shift = 24; shift >= 0; shift -= 8)
            out[n++] = (uint8_t) (download->timestamp >> shift);
    }
    if (download->address_length > 0) {
        out[n++] = download->address_length == 4 ? CODE_IPV4_ADDRESS : CODE_IPV6_ADDRESS;
        out[n++] = download->address_length;
        memcpy(out + n, download->address, download->address_length);
        n += download->address_length;
    }
    return n;
}

bool docsis_put_download(const uint8_t *config, size_t length, const docsis_download *download,
                         docsis_buffer *out, docsis_error *error)
{
    size_t start = out->length;
    size_t position = 0;
    size_t tail, added;
    uint8_t tlvs[24];
    docsis_item tlv;

    if (download->address_length != 0 && download->address_length != 4 &&
        download->address_length != 16)
        return docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "not an IPv4 or IPv6 address");
    if (!docsis_check_top(config, length, false, error))
        return false;
    if (!docsis_reserve(out, length + sizeof(tlvs)))
        return docsis_error_memory(error);
    while (docsis_next_item(config, length, false, &position, &tlv)) {
        if (docsis_is_dropped(tlv.code) ||
            (download->has_timestamp && tlv.code == CODE_TIMESTAMP) ||
            (download->address_length > 0 &&
             (tlv.code == CODE_IPV4_ADDRESS || tlv.code == CODE_IPV6_ADDRESS)))
            continue;
        docsis_put_bytes(out, config + tlv.offset, tlv.size);
    }
    if (docsis_is_mta(config, length) || docsis_is_mta(out->data + start, out->length - start)) {
        out->length = start;
        docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "not a CM configuration");
        docsis_error_detail(error, "Its first setting is MtaConfigDelimiter; an MTA's file holds "
                            "no TFTP timestamp and no modem address.");
        docsis_error_hint(error, "Give the file of the cable modem.");
        return false;
    }
    /* The Extended CMTS MIC is the last of the settings, and may cover what is added. */
    tail = extended_tail(out->data + start, out->length - start);
    added = make_tlvs(download, tlvs);
    memmove(out->data + out->length - tail + added, out->data + out->length - tail, tail);
    memcpy(out->data + out->length - tail, tlvs, added);
    out->length += added;
    return true;
}

/*
 * lint_mta.c - MTA files: delimiters, settings and the hash. PKT-SP-PROV1.5 chapter 9.1.
 */
#include "lint.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define CODE_TRAP_RECEIVER 38
#define CODE_VENDOR        43

void docsis_lint_mta_setting(docsis_linter *l)
{
    const docsis_tlv *tlv = l->tlv;

    if (tlv->code == DOCSIS_CODE_MTA) {
        bool first = tlv->offset == 0 && tlv->length == 1 && tlv->value[0] == 1;
        bool last = tlv->offset + 3 == l->length && tlv->length == 1 && tlv->value[0] == 255;

        if (!first && !last)
            docsis_lint_report(l, LINT_MTA_DELIMITER, tlv->symbol,
                               tlv->offset == 0 ? "the file does not begin with %s 1"
                                                : "%s other than 255 at the end of the file",
                               docsis_symbol_name(tlv->symbol));
        return;
    }
    if (tlv->code != DOCSIS_CODE_VARBIND && tlv->code != DOCSIS_CODE_LONG &&
        tlv->code != CODE_TRAP_RECEIVER && tlv->code != CODE_VENDOR)
        docsis_lint_report(l, LINT_MTA_SETTING, tlv->symbol, "%s (%d) is no setting of an MTA",
                           tlv->symbol != NULL ? tlv->symbol->name : "TLV", tlv->code);
}

/* pktcMtaDevProvConfigHash.0 of the CableLabs MIB, its European and its IETF counterpart. */
static bool is_hash(const docsis_varbind *vb)
{
    static const struct {
        uint8_t length;
        uint8_t oid[14];
    } hashes[] = {
        {14, {0x2b, 6, 1, 4, 1, 0xa3, 0x0b, 2, 2, 1, 1, 2, 7, 0}},
        {12, {0x2b, 6, 1, 4, 1, 0xba, 0x08, 1, 1, 2, 9, 0}},
        {11, {0x2b, 6, 1, 2, 1, 0x81, 0x0c, 1, 2, 11, 0}}
    };

    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (vb->oid_length == hashes[i].length &&
            memcmp(vb->oid, hashes[i].oid, vb->oid_length) == 0)
            return true;
    }
    return false;
}

bool docsis_lint_mta_hash(docsis_linter *l, const docsis_varbind *vb)
{
    if (l->tlv->depth > 0 || !is_hash(vb))
        return false;
    l->hash = l->here;
    l->hash_size = l->tlv->header_length + l->tlv->length;
    l->hash_digest = vb->tag == DOCSIS_TAG_STRING && vb->value_length == 20
                     ? (size_t) (vb->value - l->config) : 0;
    return true;
}

static bool is_right(const docsis_linter *l)
{
    size_t behind = l->hash.offset + l->hash_size;
    uint8_t digest[20];
    SHA_CTX sha;

    return l->hash_digest != 0 && SHA1_Init(&sha) && SHA1_Update(&sha, l->config, l->hash.offset) &&
           SHA1_Update(&sha, l->config + behind, l->length - behind) && SHA1_Final(digest, &sha) &&
           memcmp(digest, l->config + l->hash_digest, 20) == 0;
}

void docsis_lint_mta_end(docsis_linter *l)
{
    static const uint8_t closing[3] = {DOCSIS_CODE_MTA, 1, 255};

    if (l->length < 6 || memcmp(l->config + l->length - 3, closing, 3) != 0)
        docsis_lint_report_at(l, LINT_MTA_DELIMITER, NULL, NULL,
                              "the file does not end with MtaConfigDelimiter 255");
    if (l->hash_size == 0)
        docsis_lint_report_at(l, LINT_MTA_HASH_MISSING, NULL, NULL, "the file has no hash");
    else if (!is_right(l))
        docsis_lint_report_at(l, LINT_MTA_HASH_WRONG, &l->hash, NULL,
                              "the hash is not that of the file");
}

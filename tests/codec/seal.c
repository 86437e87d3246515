/*
 * seal - MICs against an implementation of their own here, keys, the Extended CMTS MIC, settings
 * added at download, certificates, dial plans, lengths of two bytes.
 *
 *   seal [SEED [ROUNDS]]
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "docsis.h"
#include "tap.h"

static docsis_buffer config = {.grow = docsis_grow_malloc};
static docsis_buffer sealed = {.grow = docsis_grow_malloc};
static docsis_buffer other = {.grow = docsis_grow_malloc};
static docsis_error error;
static const uint8_t *const secret = (const uint8_t *) "DOCSIS";

static bool same(const docsis_buffer *a, const docsis_buffer *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static bool parse(const char *text)
{
    config.length = 0;
    memset(&error, 0, sizeof(error));
    return docsis_parse_text(text, strlen(text), NULL, &config, &error);
}

static void from_hex(docsis_buffer *out, const char *hex)
{
    out->length = 0;
    docsis_grow_malloc(out, strlen(hex) / 2 + 1);
    for (size_t i = 0; hex[i] != '\0'; i += 2) {
        unsigned byte;

        sscanf(hex + i, "%2x", &byte);
        out->data[out->length++] = (uint8_t) byte;
    }
}

static bool is_hex(const uint8_t *bytes, size_t length, const char *hex)
{
    char pair[3];

    if (strlen(hex) != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        snprintf(pair, sizeof(pair), "%02x", bytes[i]);
        if (memcmp(pair, hex + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

static bool seal_with(unsigned flags)
{
    sealed.length = 0;
    memset(&error, 0, sizeof(error));
    return docsis_seal(config.data, config.length, secret, 6, flags, &sealed, &error);
}

static docsis_verification verify_with(const docsis_buffer *file, unsigned flags)
{
    docsis_verification v = {.cm_mic = DOCSIS_MIC_ABSENT};

    docsis_verify(file->data, file->length, secret, 6, flags, &v, &error);
    return v;
}

/* ---- another implementation: TLVs with lengths of one byte, no MICs, no padding ---- */

static void naive_seal(const docsis_buffer *settings, bool ipv6, docsis_buffer *out)
{
    static const int codes[] = {1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35,
                                36, 37, 40};
    static uint8_t covered[1 << 20];
    size_t n = 0;
    bool has_59 = false;
    unsigned int length = 16;

    out->length = 0;
    docsis_grow_malloc(out, settings->length + 64);
    memcpy(out->data, settings->data, settings->length);
    out->length = settings->length;
    out->data[out->length] = 6;
    out->data[out->length + 1] = 16;
    MD5(settings->data, settings->length, out->data + out->length + 2);
    out->length += 18;
    for (size_t at = 0; at < out->length; at += 2u + out->data[at + 1])
        has_59 |= out->data[at] == 59;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        int code = codes[i] == 20 && ipv6 && has_59 ? 59 : codes[i];

        for (size_t at = 0; at < out->length; at += 2u + out->data[at + 1]) {
            if (out->data[at] == code) {
                memcpy(covered + n, out->data + at, 2u + out->data[at + 1]);
                n += 2u + out->data[at + 1];
            }
        }
    }
    out->data[out->length] = 7;
    out->data[out->length + 1] = 16;
    HMAC(EVP_md5(), secret, 6, covered, n, out->data + out->length + 2, &length);
    out->length += 18;
    out->data[out->length++] = 255;
    while (out->length % 4 != 0)
        out->data[out->length++] = 0;
}

/* ---- random configs ------------------------------------------------------------- */

static uint64_t state;

static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned) (state >> 33) % n;
}

static void random_settings(docsis_buffer *out)
{
    int count = (int) below(below(20) == 0 ? 400 : 40);

    out->length = 0;
    docsis_grow_malloc(out, 400 * 40);
    for (int i = 0; i < count; i++) {
        unsigned code = 1 + below(below(2) ? 62 : 44);
        unsigned length = below(30);

        if (code == 6 || code == 7)
            continue;
        for (unsigned repeat = below(3) == 0 ? 3 : 1; repeat > 0; repeat--) {
            if (out->length + length + 2 > out->capacity)
                return;
            out->data[out->length++] = (uint8_t) code;
            out->data[out->length++] = (uint8_t) length;
            for (unsigned k = 0; k < length; k++)
                out->data[out->length++] = (uint8_t) below(256);
        }
    }
}

/* The same settings with a CM MIC, a CMTS MIC and padding thrown in. */
static void scatter(const docsis_buffer *settings, docsis_buffer *out)
{
    out->length = 0;
    docsis_grow_malloc(out, settings->length * 3 + 64);
    for (size_t at = 0; at < settings->length; at += 2u + settings->data[at + 1]) {
        if (below(4) == 0)
            out->data[out->length++] = 0;
        if (below(8) == 0) {
            out->data[out->length++] = (uint8_t) (6 + below(2));
            out->data[out->length++] = 1;
            out->data[out->length++] = 9;
        }
        memcpy(out->data + out->length, settings->data + at, 2u + settings->data[at + 1]);
        out->length += 2u + settings->data[at + 1];
    }
}

static void test_against_naive(int rounds)
{
    static const unsigned all[] = {0, DOCSIS_MIC_IPV6_ADDRESS, DOCSIS_MIC_EXPLICIT,
                                   DOCSIS_MIC_IMPLICIT};
    docsis_buffer loose = {.grow = docsis_grow_malloc};
    docsis_verification v;
    int bad = 0;

    for (int round = 0; round < rounds && bad == 0; round++) {
        unsigned ipv6 = below(2) ? DOCSIS_MIC_IPV6_ADDRESS : 0;
        unsigned flags = all[below(4)];

        random_settings(&config);
        naive_seal(&config, ipv6 != 0, &other);
        bad = !seal_with(ipv6) || !same(&sealed, &other);
        v = verify_with(&sealed, ipv6);
        bad |= v.cm_mic != DOCSIS_MIC_OK || v.cmts_mic != DOCSIS_MIC_OK;
        scatter(&config, &loose);
        sealed.length = 0;
        bad |= !docsis_seal(loose.data, loose.length, secret, 6, ipv6, &sealed, &error) ||
               !same(&sealed, &other);
        /* Any way of sealing twice is sealing once. */
        bad |= !seal_with(flags);
        other.length = 0;
        bad |= !docsis_seal(sealed.data, sealed.length, secret, 6, flags, &other, &error) ||
               !same(&sealed, &other);
        v = verify_with(&sealed, flags);
        bad |= v.cmts_mic != DOCSIS_MIC_OK;
        if ((flags & (DOCSIS_MIC_EXPLICIT | DOCSIS_MIC_IMPLICIT)) != 0) {
            other.length = 0;
            bad |= v.extended_mic != DOCSIS_MIC_OK ||
                   !docsis_seal(sealed.data, sealed.length, secret, 6, DOCSIS_MIC_EXTENDED,
                                &other, &error) || !same(&sealed, &other);
        }
        if (bad)
            tap_note("round %d, flags %u, %zu bytes: %s", round, flags, config.length,
                     error.message);
    }
    tap_ok(!bad, "%d random configs: the same MICs as another implementation; sealing twice is "
           "sealing once", rounds);
    free(loose.data);
}

static void test_keys(void)
{
    docsis_key key = {{0}, {0}};
    docsis_key zero = {{0}, {0}};

    tap_ok(!docsis_key_init(&key, secret, 0, 0, &error) && error.code == DOCSIS_INVALID_ARGUMENT,
           "a key of an empty secret");
    tap_ok(!docsis_key_init(&key, secret, 65, 0, &error) && error.code == DOCSIS_INVALID_ARGUMENT,
           "a key of 65 bytes");
    parse("Main { NetworkAccess 1; MaxCPE 2; }");
    seal_with(0);
    other.length = 0;
    tap_ok(docsis_key_init(&key, secret, 6, 0, &error) &&
           docsis_seal_keyed(config.data, config.length, &key, 0, &other, &error) &&
           same(&other, &sealed), "with a key as with its secret");
    docsis_key_cleanse(&key);
    tap_ok(memcmp(&key, &zero, sizeof(key)) == 0, "a key is cleansed");
}

/* ---- Extended CMTS MIC ----------------------------------------------------------- */

#define SETTINGS "NetworkAccess 1; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } " \
    "DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } "
#define EXTENDED(type, rest) "VendorSpecific { VendorIdentifier 0xffffff; " \
    "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType " type "; " rest " } } "

static void refuses(const char *text, docsis_code code, const char *detail)
{
    bool ok = parse(text) && !seal_with(DOCSIS_MIC_EXTENDED) && error.code == code &&
              strstr(error.detail, detail) != NULL && error.hint[0] != '\0' &&
              sealed.length == 0;

    if (!tap_ok(ok, "refuse to compute: %s", detail))
        tap_note("%d %s; %s", error.code, error.message, error.detail);
}

static void test_extended_kinds(void)
{
    docsis_verification v;

    refuses("Main { " EXTENDED("2", "ExtendedCMTSMICHMACBitmap 0x10;") "}", DOCSIS_REFUSED,
            "MMH16");
    refuses("Main { " EXTENDED("43", "ExtendedCMTSMICHMACBitmap 0x10;") "}", DOCSIS_REFUSED,
            "vendor");
    refuses("Main { " EXTENDED("3", "ExtendedCMTSMICHMACBitmap 0x10;") "}",
            DOCSIS_INVALID_ARGUMENT, "not 1");
    refuses("Main { " EXTENDED("1", "ExtendedCMTSMICHMACDigest 0x00;") "}",
            DOCSIS_INVALID_ARGUMENT, "bitmap");
    refuses("Main { " EXTENDED("1", "ExtendedCMTSMICHMACBitmap 0x10; "
                               "ExtendedCMTSMICHMACDigest 0x00;") "}",
            DOCSIS_INVALID_ARGUMENT, "16 bytes");
    refuses("Main { " EXTENDED("1", "ExtendedCMTSMICHMACBitmap 0x12; ExtendedCMTSMICHMACDigest "
                               "0x00000000000000000000000000000000;") "}",
            DOCSIS_INVALID_ARGUMENT, "TLV 6");
    parse("Main { " EXTENDED("2", "ExtendedCMTSMICHMACBitmap 0x10;") "}");
    tap_ok(seal_with(0), "without being computed it seals");
    v = verify_with(&sealed, 0);
    tap_ok(v.extended_mic == DOCSIS_MIC_UNSUPPORTED && v.cmts_mic == DOCSIS_MIC_OK,
           "one of MMH is told as unsupported");
    parse("Main { " EXTENDED("1", "ExtendedCMTSMICHMACBitmap 0x10;") "}");
    v = verify_with(&config, 0);
    tap_ok(v.extended_mic == DOCSIS_MIC_ABSENT && v.extended_implicit,
           "an implicit one without TLV 7 is absent");
}

/* A candidate vector: computed by one implementation, that of the research, before this one. */
static void test_candidate_vector(void)
{
    static const char settings[] = "030101" "1807010200010601" "07" "1907010200020601" "07"
                                   "3b1000000000000000000000000000000000";
    static const char explicit_43[] = "2b260803ffffff061f0101010208100000c0001000100310"
                                      "770fce9ece7dfa55b7c7b6e3d6c7afc3";
    static const char implicit_43[] = "2b140803ffffff060d0101010208100000c000100010";
    static const char implicit_7[] = "e87f3c11c2693008406aa3b6719c53cd";
    char hex[300];
    size_t end;

    snprintf(hex, sizeof(hex), "%s%s", settings, explicit_43);
    from_hex(&config, hex);
    memset(config.data + config.length - 16, 0, 16);
    end = config.length;
    tap_ok(seal_with(DOCSIS_MIC_EXTENDED) &&
           is_hex(sealed.data + end - 40, 40, explicit_43), "candidate vector, explicit, kept");
    from_hex(&config, settings);
    tap_ok(seal_with(DOCSIS_MIC_EXPLICIT) &&
           is_hex(sealed.data + end - 40, 40, explicit_43), "candidate vector, explicit, made");
    snprintf(hex, sizeof(hex), "%s%s", settings, implicit_43);
    from_hex(&config, hex);
    tap_ok(seal_with(DOCSIS_MIC_EXTENDED) &&
           is_hex(sealed.data + config.length + 20, 16, implicit_7),
           "candidate vector, implicit, kept");
    /* The form that is made covers the CM MIC as well: bit 6. */
    from_hex(&config, settings);
    tap_ok(seal_with(DOCSIS_MIC_IMPLICIT) &&
           is_hex(sealed.data + config.length, 22,
                  "2b140803ffffff060d0101010208120000c000100010") &&
           verify_with(&sealed, 0).extended_mic == DOCSIS_MIC_OK, "implicit, made");
}

static void test_extended_making(void)
{
    docsis_verification v;

    /* 11 is for the modem alone; 70 goes to the CMTS; 22.43.6 is no Extended CMTS MIC. */
    parse("Main { NetworkAccess 1; SnmpMibObject sysContact.0 String \"x\"; "
          "GenericTLV TlvCode 70 TlvLength 1 TlvValue 0x00; "
          "UsPacketClass { VendorSpecific { VendorIdentifier 0xffffff; "
          "ExtendedCMTSMICConfigurationSetting { ExtendedCMTSMICHMACtype 1; } } } }");
    tap_ok(seal_with(DOCSIS_MIC_EXPLICIT) &&
           memcmp(sealed.data, config.data, config.length) == 0 &&
           is_hex(sealed.data + config.length, 25,
                  "2b270803ffffff06200101010209100002000010000002" "0310"),
           "the bitmap holds what the CMTS is told, and 43");
    v = verify_with(&sealed, 0);
    tap_ok(v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_OK &&
           v.extended_mic == DOCSIS_MIC_OK && !v.extended_implicit, "it verifies");
    sealed.data[config.data[4] + 4]++;
    v = verify_with(&sealed, 0);
    tap_ok(v.cm_mic == DOCSIS_MIC_WRONG && v.cmts_mic == DOCSIS_MIC_OK &&
           v.extended_mic == DOCSIS_MIC_OK, "TLV 11 is covered by the CM MIC only");
    /* A 43 that holds more keeps the rest; the new 43.6 is the last setting. */
    parse("Main { " SETTINGS "VendorSpecific { VendorIdentifier 0xffffff; "
          "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 2; } "
          "GenericTLV TlvCode 200 TlvLength 1 TlvValue 0x05; } MaxCPE 3; }");
    tap_ok(seal_with(DOCSIS_MIC_IMPLICIT) &&
           is_hex(sealed.data + 21, 10, "2b080803ffffffc80105") &&
           is_hex(sealed.data + 31, 5, "1201032b12"), "an old 43.6 goes, its neighbours stay");
    other.length = 0;
    tap_ok(docsis_seal(sealed.data, sealed.length, secret, 6, DOCSIS_MIC_EXPLICIT, &other,
                       &error) &&
           verify_with(&other, 0).extended_mic == DOCSIS_MIC_OK &&
           !verify_with(&other, 0).extended_implicit, "from implicit to explicit");
    from_hex(&config, "2b0a0803ffffff0603010102" "fe0101");
    tap_ok(!seal_with(DOCSIS_MIC_EXPLICIT) && error.code == DOCSIS_INVALID_ARGUMENT &&
           sealed.length == 0, "a file that is an MTA's without its old 43.6 is refused");
}

/* ---- download --------------------------------------------------------------------- */

static void test_download(void)
{
    docsis_download d = {.has_timestamp = true, .timestamp = 0xdeadbeef, .address_length = 4,
                         .address = {10, 0, 0, 7}};
    static const uint8_t mta[] = {254, 1, 1, 254, 1, 255};

    parse("Main { NetworkAccess 1; TftpTimestamp 5; TftpModemAddress 1.2.3.4; "
          "TFTPProvisionedModemIPv6Address 2001:db8::1; MaxCPE 2; }");
    seal_with(0);
    other.length = 0;
    tap_ok(docsis_put_download(sealed.data, sealed.length, &d, &other, &error) &&
           is_hex(other.data, other.length, "0301011201021304deadbeef14040a000007"),
           "timestamp and address replace what was there; the seal is gone");
    sealed.length = 0;
    tap_ok(docsis_put_download(other.data, other.length, &d, &sealed, &error) &&
           same(&sealed, &other), "they are never doubled");
    d.has_timestamp = false;
    d.address_length = 16;
    sealed.length = 0;
    tap_ok(docsis_put_download(other.data, other.length, &d, &sealed, &error) &&
           is_hex(sealed.data, sealed.length,
                  "0301011201021304deadbeef3b100a000007000000000000000000000000"),
           "an IPv6 address takes the place of the IPv4 one");
    from_hex(&config, "030101");
    seal_with(DOCSIS_MIC_EXPLICIT);
    d.has_timestamp = true;
    d.address_length = 0;
    other.length = 0;
    tap_ok(docsis_put_download(sealed.data, sealed.length, &d, &other, &error) &&
           is_hex(other.data, 11, "0301011304deadbeef2b24"),
           "the Extended CMTS MIC stays the last setting");
    other.length = 0;
    tap_ok(!docsis_put_download(mta, sizeof(mta), &d, &other, &error) &&
           error.code == DOCSIS_INVALID_ARGUMENT && other.length == 0, "not for MTA configs");
}

/* ---- certificates ------------------------------------------------------------------ */

static X509 *make_certificate(const char *name, X509 *issuer, EVP_PKEY *key, int filler)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *) name, -1, -1, 0);
    for (int i = 0; i < filler; i++)
        X509_NAME_add_entry_by_txt(subject, "OU", MBSTRING_ASC, (const uint8_t *) "x", 1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer != NULL ? issuer
                                                                           : certificate));
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

static void put_certificate(docsis_buffer *out, X509 *certificate)
{
    size_t length = (size_t) i2d_X509(certificate, NULL);
    unsigned char *at;

    docsis_grow_malloc(out, out->length + length);
    at = out->data + out->length;
    i2d_X509(certificate, &at);
    out->length += length;
}

/* The values of all TLVs of a buffer joined; 0 = another code, or a piece of a wrong size. */
static size_t join(const docsis_buffer *tlvs, uint8_t code, uint8_t *out)
{
    size_t n = 0;

    for (size_t at = 0; at < tlvs->length; at += 2u + tlvs->data[at + 1]) {
        bool last = at + 2 + tlvs->data[at + 1] == tlvs->length;

        if (tlvs->data[at] != code || tlvs->data[at + 1] == 0 || tlvs->data[at + 1] > 254 ||
            (tlvs->data[at + 1] != 254 && !last))
            return 0;
        memcpy(out + n, tlvs->data + at + 2, tlvs->data[at + 1]);
        n += tlvs->data[at + 1];
    }
    return n;
}

static bool cvc(const docsis_buffer *input, docsis_cvc_kind kind, bool cosigner)
{
    other.length = 0;
    memset(&error, 0, sizeof(error));
    return docsis_put_cvc(input->data, input->length, kind, cosigner, &other, &error);
}

static void test_certificates(void)
{
    static uint8_t joined[70000];
    EVP_PKEY *key = EVP_RSA_gen(1024);
    X509 *root = make_certificate("CVC CA", NULL, key, 0);
    X509 *leaf = make_certificate("Manufacturer CVC", root, key, 0);
    docsis_buffer der = {.grow = docsis_grow_malloc};
    docsis_buffer both = {.grow = docsis_grow_malloc};
    docsis_buffer chain = {.grow = docsis_grow_malloc};
    X509 *another = make_certificate("Another", root, key, 0);
    X509 *exact = NULL;
    const unsigned char *at;
    unsigned char *signed_der = NULL;
    PKCS7 *pkcs7, *code;
    BIO *nothing = BIO_new_mem_buf("", 0);
    int length;

    put_certificate(&der, leaf);
    tap_ok(cvc(&der, DOCSIS_CVC_CERTIFICATE, false) && join(&other, 32, joined) == der.length &&
           memcmp(joined, der.data, der.length) == 0, "a certificate in pieces of 254");
    tap_ok(cvc(&der, DOCSIS_CVC_CERTIFICATE, true) && join(&other, 33, joined) == der.length,
           "that of a co-signer");
    /* OU=x costs 12 bytes: some number of them makes the length a multiple of 254. */
    for (int filler = 0; exact == NULL && filler < 400; filler++) {
        X509 *padded = make_certificate("Manufacturer", root, key, filler);

        if (i2d_X509(padded, NULL) % 254 == 0)
            exact = padded;
        else
            X509_free(padded);
    }
    if (exact != NULL) {
        both.length = 0;
        put_certificate(&both, exact);
        tap_ok(cvc(&both, DOCSIS_CVC_CERTIFICATE, false) &&
               join(&other, 32, joined) == both.length && both.length % 254 == 0 &&
               other.length == both.length / 254 * 256, "a multiple of 254 has no empty rest");
    }
    tap_ok(!cvc(&der, DOCSIS_CVC_CHAIN, false) && error.code == DOCSIS_INVALID_ARGUMENT,
           "one certificate is no chain");

    both.length = 0;
    put_certificate(&both, leaf);
    put_certificate(&both, root);
    tap_ok(cvc(&both, DOCSIS_CVC_CERTIFICATE, false) && join(&other, 32, joined) == der.length &&
           memcmp(joined, der.data, der.length) == 0, "of two the one that issued nothing");
    tap_ok(cvc(&both, DOCSIS_CVC_CHAIN, false) &&
           (chain.length = join(&other, 81, joined)) > both.length, "a chain");
    at = joined;
    pkcs7 = d2i_PKCS7(NULL, &at, (long) chain.length);
    tap_ok(pkcs7 != NULL && PKCS7_type_is_signed(pkcs7) && at == joined + chain.length &&
           sk_X509_num(pkcs7->d.sign->cert) == 2 &&
           sk_PKCS7_SIGNER_INFO_num(pkcs7->d.sign->signer_info) <= 0,
           "is a PKCS#7 SignedData of certificates only");
    PKCS7_free(pkcs7);
    docsis_grow_malloc(&chain, chain.length);
    memcpy(chain.data, joined, chain.length);
    tap_ok(cvc(&chain, DOCSIS_CVC_CHAIN, true) && join(&other, 82, joined) == chain.length &&
           memcmp(joined, chain.data, chain.length) == 0, "given as PKCS#7 it stays as it is");
    tap_ok(cvc(&chain, DOCSIS_CVC_CERTIFICATE, false) &&
           join(&other, 32, joined) == der.length &&
           memcmp(joined, der.data, der.length) == 0, "a certificate out of a PKCS#7");

    /* A code file: signature, then the image. */
    code = PKCS7_sign(leaf, key, NULL, nothing, PKCS7_BINARY | PKCS7_DETACHED);
    length = i2d_PKCS7(code, &signed_der);
    both.length = 0;
    docsis_grow_malloc(&both, (size_t) length + 100);
    memcpy(both.data, signed_der, (size_t) length);
    memset(both.data + length, 0x5a, 100);
    both.length = (size_t) length + 100;
    tap_ok(cvc(&both, DOCSIS_CVC_CERTIFICATE, false) && join(&other, 32, joined) == der.length &&
           memcmp(joined, der.data, der.length) == 0, "a certificate out of a code file");

    both.length = 0;
    put_certificate(&both, leaf);
    put_certificate(&both, another);
    tap_ok(!cvc(&both, DOCSIS_CVC_CERTIFICATE, false) &&
           error.code == DOCSIS_INVALID_ARGUMENT && error.hint[0] != '\0', "two ends: which?");
    der.data[der.length++] = 0;
    tap_ok(!cvc(&der, DOCSIS_CVC_CERTIFICATE, false) && error.code == DOCSIS_MALFORMED &&
           error.offset == der.length - 1 && other.length == 0, "bytes behind a certificate");
    der.length -= 2;
    tap_ok(!cvc(&der, DOCSIS_CVC_CERTIFICATE, false) && error.code == DOCSIS_MALFORMED,
           "a cut certificate");
    from_hex(&der, "2d2d2d2d2d424547494e204345525449464943415445");
    tap_ok(!cvc(&der, DOCSIS_CVC_CERTIFICATE, false) && error.code == DOCSIS_MALFORMED &&
           strstr(error.hint, "DER") != NULL, "PEM: the hint says how to convert it");
    der.length = 0;
    tap_ok(!cvc(&der, DOCSIS_CVC_CERTIFICATE, false) && error.code == DOCSIS_MALFORMED,
           "nothing");
    BIO_free(nothing);
    OPENSSL_free(signed_der);
    PKCS7_free(code);
    X509_free(leaf);
    X509_free(root);
    X509_free(exact);
    X509_free(another);
    EVP_PKEY_free(key);
    free(der.data);
    free(both.data);
    free(chain.data);
}

/* ---- dial plans --------------------------------------------------------------------- */

#define PLAN_OID "06122b06010401a30b0202080201010301010201"

static void plan_starts(size_t n, docsis_dialplan_form form, const char *hex)
{
    static uint8_t plan[9000];
    size_t prefix = strlen(hex) / 2;
    bool ok;

    memset(plan, 'x', n);
    other.length = 0;
    ok = docsis_dialplan(plan, n, form, &other, &error);
    if (!tap_ok(ok && other.length == 3 + prefix + n + 3 && is_hex(other.data + 3, prefix, hex) &&
                memcmp(other.data + 3 + prefix, plan, n) == 0 &&
                is_hex(other.data, 3, "fe0101") &&
                is_hex(other.data + other.length - 3, 3, "fe01ff") &&
                docsis_check(other.data, other.length, &error), "dial plan of %zu bytes, form %d",
                n, form))
        tap_note("%zu bytes, %s", other.length, error.message);
}

static void test_dialplans(void)
{
    docsis_buffer hashed = {.grow = docsis_grow_malloc};
    size_t length;

    plan_starts(1, DOCSIS_DIALPLAN_OPTION, "400019" "3017" PLAN_OID "0401");
    plan_starts(105, DOCSIS_DIALPLAN_OPTION, "400081" "307f" PLAN_OID "0469");
    plan_starts(106, DOCSIS_DIALPLAN_OPTION, "400084" "30820080" PLAN_OID "046a");
    plan_starts(127, DOCSIS_DIALPLAN_OPTION, "400099" "30820095" PLAN_OID "047f");
    plan_starts(128, DOCSIS_DIALPLAN_OPTION, "40009c" "30820098" PLAN_OID "04820080");
    plan_starts(300, DOCSIS_DIALPLAN_OPTION, "400148" "30820144" PLAN_OID "0482012c");
    plan_starts(100, DOCSIS_DIALPLAN_DIGITMAP, "0b7c" "307a" PLAN_OID "0464");
    plan_starts(101, DOCSIS_DIALPLAN_DIGITMAP, "0b7f" "3082007b" PLAN_OID "0465");
    plan_starts(128, DOCSIS_DIALPLAN_DIGITMAP, "0b9b" "30820097" PLAN_OID "048180");
    plan_starts(8192, DOCSIS_DIALPLAN_DIGITMAP, "40201c" "30822018" PLAN_OID "04822000");
    tap_ok(!docsis_dialplan(config.data, 0, DOCSIS_DIALPLAN_OPTION, &other, &error) &&
           error.code == DOCSIS_INVALID_ARGUMENT, "an empty dial plan");

    parse("Main { MtaConfigDelimiter 1; "
          "SnmpMibObject .1.3.6.1.4.1.4491.2.2.8.2.1.1.3.1.1.2.1 String \"xx\"; "
          "MtaConfigDelimiter 255; }");
    other.length = 0;
    tap_ok(docsis_dialplan((const uint8_t *) "xx", 2, DOCSIS_DIALPLAN_DIGITMAP, &other, &error) &&
           same(&other, &config), "the DigitMap form is an ordinary varbind");
    parse("Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String \"a\"; "
          "MtaConfigDelimiter 255; }");
    length = config.length;
    docsis_mta_hash(config.data, config.length, DOCSIS_MTA_HASH_NA, &hashed, &error);
    sealed.length = 0;
    tap_ok(docsis_mta_dialplan(hashed.data, hashed.length, other.data, other.length, &sealed,
                               &error) &&
           sealed.length == length + other.length - 6 &&
           memcmp(sealed.data + length - 3, other.data + 3, other.length - 3) == 0,
           "a dial plan goes before the closing delimiter, an old hash goes away");
    hashed.length = 0;
    tap_ok(docsis_mta_dialplan(sealed.data, sealed.length, other.data, other.length, &hashed,
                               &error) && same(&hashed, &sealed), "a dial plan is replaced");
    parse("Main { NetworkAccess 1; }");
    tap_ok(!docsis_mta_dialplan(config.data, config.length, other.data, other.length, &hashed,
                                &error) && error.code == DOCSIS_INVALID_ARGUMENT,
           "no dial plan for a CM config");
    free(hashed.data);
}

/* ---- DOCSIS 4.0: lengths of two bytes ------------------------------------------------- */

#define LONG_TEXT "Main { NetworkAccess 1; " \
    "CMSSHServerConfigurationSettings { SSHServerParameters { NewConnectionTimeout 60; } " \
    "SCCAParameters { SCCARESTAPIURL \"u\"; } " \
    "SSHCredentialSet { SshCmCdsCredentialSet 0x%s; CDSDownloadURL \"v\"; } } " \
    "SecurityConfigurationSettings { CVCValidation { OCSPResponsesForCVCValidation 0x%s; " \
    "CodeFileAuthenticationHeader 0xaa; } } MaxCPE 2; }"

static void long_lengths(size_t n)
{
    static char hex[2100], text[8000];
    docsis_buffer back = {.grow = docsis_grow_malloc};
    docsis_cursor cursor;
    docsis_tlv tlv;
    int headers = 0;
    bool ok;

    memset(hex, 'b', 2 * n);
    hex[2 * n] = '\0';
    snprintf(text, sizeof(text), LONG_TEXT, hex, hex);
    ok = parse(text) && config.length == 43 + 2 * n;
    if (!tap_ok(ok, "two-byte lengths, %zu bytes: text", n))
        tap_note("%zu bytes; %s; %s", config.length, error.message, error.detail);
    docsis_cursor_init(&cursor, config.data, config.length);
    while (docsis_cursor_next(&cursor, &tlv, &error) > 0)
        headers += tlv.header_length == 3;
    tap_ok(headers == 6, "103, 103.3, 103.3.1, 104, 104.1 and 104.1.1 have them");
    other.length = 0;
    tap_ok(docsis_write_text(config.data, config.length, NULL, &other, &error) &&
           docsis_parse_text((char *) other.data, other.length, NULL, &back, &error) &&
           same(&back, &config), "text and back");
    other.length = back.length = 0;
    tap_ok(docsis_write_json(config.data, config.length, NULL, &other, &error) &&
           docsis_read_json((char *) other.data, other.length, NULL, &back, &error) &&
           same(&back, &config), "JSON and back");
    /* MaxCPE behind them must be found by the walk of the CMTS MIC. */
    seal_with(0);
    tap_ok(verify_with(&sealed, 0).cmts_mic == DOCSIS_MIC_OK, "sealed and verified");
    sealed.data[config.length - 1]++;
    tap_ok(verify_with(&sealed, 0).cmts_mic == DOCSIS_MIC_WRONG,
           "the CMTS MIC covers what follows them");
    free(back.data);
}

static void test_long_lengths(void)
{
    int wrong = 0;

    long_lengths(1);
    long_lengths(255);
    long_lengths(1000);
    /* What docsis_top_header() relies on. */
    for (int code = 0; code < 64; code++) {
        uint8_t two[2] = {(uint8_t) code, 0};

        wrong += code != 0 && !docsis_check(two, 2, NULL);
    }
    tap_ok(wrong == 0, "codes below 64 have lengths of one byte");
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    tap_note("seed %llu", (unsigned long long) state);
    test_keys();
    test_against_naive(argc > 2 ? atoi(argv[2]) : 3000);
    test_extended_kinds();
    test_candidate_vector();
    test_extended_making();
    test_download();
    test_certificates();
    test_dialplans();
    test_long_lengths();
    free(config.data);
    free(sealed.data);
    free(other.data);
    return tap_done();
}

/*
 * cvc.c - code verification certificates for secure software download: TLVs 32, 33, 81, 82.
 *
 * MULPIv3.1 C.1.2.10, C.1.2.11 (certificates), C.1.2.21, C.1.2.22 (chains); SECv3.1 section 14
 * (a chain is a PKCS#7 SignedData that holds certificates only). Input is what an operator has:
 * DER of certificates, or a PKCS#7 SignedData, as it stands at the start of a code file.
 */
#include "mic.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#define CODE_MANUFACTURER_CVC   32
#define CODE_COSIGNER_CVC       33
#define CODE_MANUFACTURER_CHAIN 81
#define CODE_COSIGNER_CHAIN     82

#define PIECE    254      /* of a TLV; the specification allows no 255 */
#define MAX_DER  65000    /* a config of more is of no use: modems must take 8,192 bytes */

/* What the input turned out to be. Nothing in it is the buffer's: see done(). */
typedef struct material {
    STACK_OF(X509) *certificates;
    PKCS7 *pkcs7;
    bool certs_only;        /* pkcs7 has no signer */
    size_t used;            /* bytes of the input */
} material;

static void done(material *m)
{
    if (m->pkcs7 == NULL)
        sk_X509_pop_free(m->certificates, X509_free);
    else
        PKCS7_free(m->pkcs7);
    ERR_clear_error();
}

static bool not_certificate(const uint8_t *bytes, size_t length, size_t offset,
                            docsis_error *error)
{
    static const char pem[] = "-----BEGIN";

    docsis_error_set(error, DOCSIS_MALFORMED, offset, "not a certificate");
    if (length >= sizeof(pem) - 1 && memcmp(bytes, pem, sizeof(pem) - 1) == 0) {
        docsis_error_detail(error, "This is PEM, the text form.");
        docsis_error_hint(error, "Convert it to DER: openssl x509 -in FILE -outform DER.");
    } else {
        docsis_error_detail(error, "Neither an X.509 certificate nor a PKCS#7 SignedData with "
                            "certificates, in DER, begins there.");
        docsis_error_hint(error, "Give the certificate in DER, or the first bytes of the code "
                          "file that is signed with it.");
    }
    return false;
}

/* One or more certificates in a row. */
static bool read_certificates(const uint8_t *bytes, size_t length, material *m)
{
    const unsigned char *at = bytes;

    m->certificates = sk_X509_new_null();
    while (m->certificates != NULL && m->used < length) {
        X509 *certificate = d2i_X509(NULL, &at, (long) (length - m->used));

        if (certificate == NULL)
            break;
        if (!sk_X509_push(m->certificates, certificate)) {
            X509_free(certificate);
            break;
        }
        m->used = (size_t) (at - bytes);
    }
    return m->certificates != NULL && sk_X509_num(m->certificates) > 0;
}

static bool read_pkcs7(const uint8_t *bytes, size_t length, material *m)
{
    const unsigned char *at = bytes;

    m->pkcs7 = d2i_PKCS7(NULL, &at, (long) length);
    if (m->pkcs7 == NULL || !PKCS7_type_is_signed(m->pkcs7) || m->pkcs7->d.sign == NULL)
        return false;
    m->used = (size_t) (at - bytes);
    m->certificates = m->pkcs7->d.sign->cert;
    m->certs_only = sk_PKCS7_SIGNER_INFO_num(m->pkcs7->d.sign->signer_info) <= 0;
    return sk_X509_num(m->certificates) > 0;
}

static bool read_material(const uint8_t *bytes, size_t length, material *m, docsis_error *error)
{
    size_t failed = 0;

    memset(m, 0, sizeof(*m));
    if (length <= INT_MAX) {
        if (read_certificates(bytes, length, m)) {
            if (m->used == length)
                return true;
            failed = m->used;
        } else {
            done(m);
            memset(m, 0, sizeof(*m));
            /* A code file goes on with the image behind the signature. */
            if (read_pkcs7(bytes, length, m) && (m->used == length || !m->certs_only))
                return true;
            failed = m->used;
        }
    }
    done(m);
    return not_certificate(bytes, length, failed, error);
}

/* The one certificate that issued none of the others; NULL = there are several. */
static X509 *end_certificate(STACK_OF(X509) *certificates)
{
    X509 *end = NULL;

    for (int i = 0; i < sk_X509_num(certificates); i++) {
        X509 *one = sk_X509_value(certificates, i);
        bool is_issuer = false;

        for (int j = 0; j < sk_X509_num(certificates); j++)
            is_issuer |= i != j && X509_NAME_cmp(X509_get_subject_name(one),
                             X509_get_issuer_name(sk_X509_value(certificates, j))) == 0;
        if (is_issuer)
            continue;
        if (end != NULL)
            return NULL;
        end = one;
    }
    return end;
}

/* PKCS#7 SignedData without signers and contents; the caller frees *der with OPENSSL_free. */
static int encode_chain(STACK_OF(X509) *certificates, unsigned char **der)
{
    PKCS7 *pkcs7 = PKCS7_new();
    int length = -1;
    bool ok = pkcs7 != NULL && PKCS7_set_type(pkcs7, NID_pkcs7_signed);

    if (ok)
        pkcs7->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
    for (int i = 0; ok && i < sk_X509_num(certificates); i++)
        ok = PKCS7_add_certificate(pkcs7, sk_X509_value(certificates, i));
    if (ok)
        length = i2d_PKCS7(pkcs7, der);
    PKCS7_free(pkcs7);
    return length;
}

static bool refuse(const char *message, const char *detail, const char *hint,
                   docsis_error *error)
{
    docsis_error_set(error, DOCSIS_INVALID_ARGUMENT, 0, "%s", message);
    docsis_error_detail(error, "%s", detail);
    docsis_error_hint(error, "%s", hint);
    return false;
}

/* The bytes that belong into the TLVs: *der, to be freed with OPENSSL_free. */
static bool encode_material(const material *m, const uint8_t *bytes, bool is_chain,
                            unsigned char **der, int *length, docsis_error *error)
{
    X509 *end;

    if (is_chain) {
        if (sk_X509_num(m->certificates) < 2)
            return refuse("not a chain of certificates", "It holds one certificate.",
                          "Give the certificate and those of its issuers one behind the other, "
                          "or use docsis.cvc.", error);
        if (m->pkcs7 != NULL && m->certs_only) {
            *der = OPENSSL_memdup(bytes, m->used);
            *length = *der != NULL ? (int) m->used : -1;
        } else {
            *length = encode_chain(m->certificates, der);
        }
        return true;
    }
    end = end_certificate(m->certificates);
    if (end == NULL)
        return refuse("several certificates", "More than one of them issued none of the others.",
                      "Give the one certificate of the manufacturer or of the co-signer.", error);
    *length = i2d_X509(end, der);
    return true;
}

static bool put_pieces(uint8_t code, const uint8_t *bytes, size_t length, docsis_buffer *out)
{
    for (size_t i = 0; i < length; i += PIECE) {
        size_t size = length - i < PIECE ? length - i : PIECE;

        if (!docsis_put(out, code) || !docsis_put(out, (uint8_t) size) ||
            !docsis_put_bytes(out, bytes + i, size))
            return false;
    }
    return true;
}

bool docsis_put_cvc(const uint8_t *bytes, size_t length, docsis_cvc_kind kind, bool cosigner,
                    docsis_buffer *out, docsis_error *error)
{
    bool is_chain = kind == DOCSIS_CVC_CHAIN;
    size_t start = out->length;
    size_t room = (length < MAX_DER ? length + 256 : MAX_DER);
    unsigned char *der = NULL;
    int der_length = -1;
    material m;
    bool ok;
    uint8_t code = is_chain ? (cosigner ? CODE_COSIGNER_CHAIN : CODE_MANUFACTURER_CHAIN)
                            : (cosigner ? CODE_COSIGNER_CVC : CODE_MANUFACTURER_CVC);

    /* Room first: from here on there are objects of libcrypto to release. */
    if (!docsis_reserve(out, room + 2 * (room / PIECE + 1)))
        return docsis_error_memory(error);
    if (!read_material(bytes, length, &m, error))
        return false;
    ok = encode_material(&m, bytes, is_chain, &der, &der_length, error);
    if (ok && der_length > (int) room) {
        docsis_error_set(error, DOCSIS_TOO_LONG, 0, "certificates are too long");
        docsis_error_detail(error, "They have %d bytes; modems take files of about 8,192.",
                            der_length);
        docsis_error_hint(error, "Give the code verification certificate and its issuers only.");
        ok = false;
    } else if (ok) {
        ok = (der_length > 0 && put_pieces(code, der, (size_t) der_length, out)) ||
             docsis_error_set(error, DOCSIS_CRYPTO, 0, "could not encode the certificates");
    }
    OPENSSL_free(der);
    done(&m);
    if (!ok)
        out->length = start;
    return ok;
}

/* ---- what the certificates say ----------------------------------------------------- */

/* 1 or 2 when it is that of a signer, in the order of the signatures; 0 = of none. */
static int signer_of(const material *m, X509 *certificate)
{
    STACK_OF(PKCS7_SIGNER_INFO) *signers;

    if (m->pkcs7 == NULL || m->certs_only)
        return end_certificate(m->certificates) == certificate ? 1 : 0;
    signers = m->pkcs7->d.sign->signer_info;
    for (int i = 0; i < sk_PKCS7_SIGNER_INFO_num(signers); i++) {
        PKCS7_ISSUER_AND_SERIAL *id = sk_PKCS7_SIGNER_INFO_value(signers, i)->issuer_and_serial;

        if (X509_NAME_cmp(id->issuer, X509_get_issuer_name(certificate)) == 0 &&
            ASN1_INTEGER_cmp(id->serial, X509_get0_serialNumber(certificate)) == 0)
            return i + 1;
    }
    return 0;
}

/* The name as text in memory of bio, ended by a zero. */
static const char *name_text(BIO *bio, const X509_NAME *name)
{
    char *text = NULL;
    /* RFC 2253, but UTF-8 as it is */
    bool ok = X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0 &&
              BIO_write(bio, "", 1) == 1;

    return ok && BIO_get_mem_data(bio, &text) > 0 ? text : NULL;
}

static bool seconds_of(const ASN1_TIME *time, int64_t *seconds)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int rest = 0;
    bool ok = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time);

    *seconds = (int64_t)days * 86400 + rest;
    ASN1_TIME_free(epoch);
    return ok;
}

static char *serial_text(X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;

    BN_free(number);
    return text;
}

static bool visit_certificate(const material *m, X509 *certificate,
                              bool (*visit)(void *owner, const docsis_certificate *c), void *owner)
{
    docsis_certificate c = {.signer = signer_of(m, certificate)};
    BIO *subject = BIO_new(BIO_s_mem());
    BIO *issuer = BIO_new(BIO_s_mem());
    char *serial = serial_text(certificate);
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    bool ok = subject != NULL && issuer != NULL && serial != NULL && length > 0;

    if (ok) {
        c.subject = name_text(subject, X509_get_subject_name(certificate));
        c.issuer = name_text(issuer, X509_get_issuer_name(certificate));
        c.serial = serial;
        c.der = der;
        c.der_length = (size_t)length;
        ok = c.subject != NULL && c.issuer != NULL &&
             seconds_of(X509_get0_notBefore(certificate), &c.valid_from) &&
             seconds_of(X509_get0_notAfter(certificate), &c.valid_until) && visit(owner, &c);
    }
    BIO_free(subject);
    BIO_free(issuer);
    OPENSSL_free(serial);
    OPENSSL_free(der);
    return ok;
}

bool docsis_read_certificates(const uint8_t *bytes, size_t length,
                              bool (*visit)(void *owner, const docsis_certificate *c),
                              void *owner, docsis_error *error)
{
    material m;
    bool ok = true;

    if (!read_material(bytes, length, &m, error))
        return false;
    for (int i = 0; ok && i < sk_X509_num(m.certificates); i++)
        ok = visit_certificate(&m, sk_X509_value(m.certificates, i), visit, owner);
    done(&m);
    return ok || docsis_error_set(error, DOCSIS_CRYPTO, 0, "could not read the certificates");
}

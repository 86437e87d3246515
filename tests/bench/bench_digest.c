/*
 * The floor of sealing, for measurements only: both digests of real sealed files, back to back, in
 * the fastest way there is here. Never installed; loaded by its path into a throw-away server.
 *
 * What is digested is found before the clock starts: MD5 over the settings, HMAC-MD5 over the TLVs
 * that the CMTS MIC covers in their order, with the key's state kept. The first round checks that
 * the results are the MICs in the file: it is the same work, on the same bytes.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/md5.h"
#include "fmgr.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include <openssl/evp.h>
#include <openssl/md5.h>

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(bench_digests);

typedef struct job {
    const uint8 *settings;
    size_t settings_length;
    uint8 *covered;          /* TLV 6 is the CM MIC's, filled in per run as sealing does */
    size_t covered_length;
    size_t cm_mic_at;        /* of its 16 bytes in covered */
    const uint8 *cm_mic, *cmts_mic;
} job;

/* ---- what is digested ------------------------------------------------------ */

/* TLVs of a code, in the order of the file, appended to the job's covered bytes. */
static void
cover(job *j, const uint8 *file, size_t length, int code)
{
    for (size_t p = 0; p < length && file[p] != 255; p += 2 + file[p + 1]) {
        if (file[p] != code)
            continue;
        if (code == 6)
            j->cm_mic_at = j->covered_length + 2;
        memcpy(j->covered + j->covered_length, file + p, 2 + file[p + 1]);
        j->covered_length += 2 + file[p + 1];
    }
}

/* MULPIv3.1 Annex D.2. The file is one of ours: whole, with settings before its MICs. */
static void
prepare(job *j, const uint8 *file, size_t length)
{
    static const uint8 order[] = {1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26,
                                  35, 36, 37, 40};
    size_t p = 0;

    j->settings = file;
    while (p < length && file[p] != 6)
        p += 2 + file[p + 1];
    j->settings_length = p;
    j->cm_mic = file + p + 2;
    j->cmts_mic = file + p + 20;
    j->covered = palloc(length);
    j->covered_length = 0;
    for (int i = 0; i < lengthof(order); i++)
        cover(j, file, length, order[i]);
}

/* ---- ways ------------------------------------------------------------------ */

typedef void (*way)(const job *j, uint8 digests[2][16]);

static EVP_MD_CTX *evp, *evp_inner, *evp_outer;
static MD5_CTX md5_inner, md5_outer;
static pg_cryptohash_ctx *plain;   /* these two last as long as a query */
static pg_hmac_ctx *keyed;
static const uint8 *key;
static int key_length;

static void
set_key(const uint8 *secret, int length)
{
    uint8 inner[64], outer[64];

    key = secret;
    key_length = length;
    memset(inner, 0x36, 64);
    memset(outer, 0x5c, 64);
    for (int i = 0; i < length; i++) {
        inner[i] ^= secret[i];
        outer[i] ^= secret[i];
    }
    if (evp == NULL) {
        evp = EVP_MD_CTX_new();
        evp_inner = EVP_MD_CTX_new();
        evp_outer = EVP_MD_CTX_new();
    }
    plain = pg_cryptohash_create(PG_MD5);
    keyed = pg_hmac_create(PG_MD5);
    EVP_DigestInit_ex(evp_inner, EVP_md5(), NULL);
    EVP_DigestUpdate(evp_inner, inner, 64);
    EVP_DigestInit_ex(evp_outer, EVP_md5(), NULL);
    EVP_DigestUpdate(evp_outer, outer, 64);
    EVP_DigestInit_ex(evp, EVP_md5(), NULL);
    MD5_Init(&md5_inner);
    MD5_Update(&md5_inner, inner, 64);
    MD5_Init(&md5_outer);
    MD5_Update(&md5_outer, outer, 64);
}

static void
by_evp(const job *j, uint8 digests[2][16])
{
    EVP_DigestInit_ex(evp, NULL, NULL);
    EVP_DigestUpdate(evp, j->settings, j->settings_length);
    EVP_DigestFinal_ex(evp, digests[0], NULL);
    memcpy(j->covered + j->cm_mic_at, digests[0], 16);
    EVP_MD_CTX_copy_ex(evp, evp_inner);
    EVP_DigestUpdate(evp, j->covered, j->covered_length);
    EVP_DigestFinal_ex(evp, digests[1], NULL);
    EVP_MD_CTX_copy_ex(evp, evp_outer);
    EVP_DigestUpdate(evp, digests[1], 16);
    EVP_DigestFinal_ex(evp, digests[1], NULL);
}

static void
by_md5(const job *j, uint8 digests[2][16])
{
    MD5_CTX md5;

    MD5_Init(&md5);
    MD5_Update(&md5, j->settings, j->settings_length);
    MD5_Final(digests[0], &md5);
    memcpy(j->covered + j->cm_mic_at, digests[0], 16);
    md5 = md5_inner;
    MD5_Update(&md5, j->covered, j->covered_length);
    MD5_Final(digests[1], &md5);
    md5 = md5_outer;
    MD5_Update(&md5, digests[1], 16);
    MD5_Final(digests[1], &md5);
}

/* The server's own interface; it has no way to keep a key's state. */
static void
by_cryptohash(const job *j, uint8 digests[2][16])
{
    if (pg_cryptohash_init(plain) < 0 ||
        pg_cryptohash_update(plain, j->settings, j->settings_length) < 0 ||
        pg_cryptohash_final(plain, digests[0], 16) < 0)
        elog(ERROR, "cryptohash failed");
    memcpy(j->covered + j->cm_mic_at, digests[0], 16);
    if (pg_hmac_init(keyed, key, key_length) < 0 ||
        pg_hmac_update(keyed, j->covered, j->covered_length) < 0 ||
        pg_hmac_final(keyed, digests[1], 16) < 0)
        elog(ERROR, "hmac failed");
}

static way
way_of(const char *name)
{
    if (strcmp(name, "evp") == 0)
        return by_evp;
    if (strcmp(name, "md5") == 0)
        return by_md5;
    if (strcmp(name, "cryptohash") == 0)
        return by_cryptohash;
    elog(ERROR, "unknown way \"%s\"", name);
}

/* bench_digests(files bytea[], secret text, count bigint, way text): seconds for count files */
Datum
bench_digests(PG_FUNCTION_ARGS)
{
    text *secret = PG_GETARG_TEXT_PP(1);
    int64 count = PG_GETARG_INT64(2);
    way run = way_of(text_to_cstring(PG_GETARG_TEXT_PP(3)));
    Datum *files;
    int n;
    job *jobs;
    uint8 digests[2][16];
    instr_time start, end;

    deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), BYTEAOID, -1, false, TYPALIGN_INT, &files, NULL,
                      &n);
    jobs = palloc(n * sizeof(job));
    set_key((uint8 *)VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret));
    for (int i = 0; i < n; i++) {
        bytea *file = DatumGetByteaPP(files[i]);

        prepare(&jobs[i], (uint8 *)VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file));
        run(&jobs[i], digests);
        if (memcmp(digests[0], jobs[i].cm_mic, 16) != 0 ||
            memcmp(digests[1], jobs[i].cmts_mic, 16) != 0)
            elog(ERROR, "the digests are not the MICs of file %d", i);
    }
    INSTR_TIME_SET_CURRENT(start);
    for (int64 i = 0, at = 0; i < count; i++) {
        run(&jobs[at], digests);
        at = at + 1 == n ? 0 : at + 1;
    }
    INSTR_TIME_SET_CURRENT(end);
    INSTR_TIME_SUBTRACT(end, start);
    pg_cryptohash_free(plain);
    pg_hmac_free(keyed);
    PG_RETURN_FLOAT8(INSTR_TIME_GET_DOUBLE(end));
}

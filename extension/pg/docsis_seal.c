/*
 * SQL functions of whole files: seal, verify, MTA hash and dial plan, settings added at download,
 * certificates.
 */
#include "extension/pg/glue.h"

#include <sys/socket.h>

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(docsis_seal_config);
PG_FUNCTION_INFO_V1(docsis_verify_config);
PG_FUNCTION_INFO_V1(docsis_mta);
PG_FUNCTION_INFO_V1(docsis_dialplan_config);
PG_FUNCTION_INFO_V1(docsis_with_download);
PG_FUNCTION_INFO_V1(docsis_cvc);
PG_FUNCTION_INFO_V1(docsis_cvc_chain);

#define BYTES(v) ((const uint8_t *)VARDATA_ANY(v))
#define LENGTH(v) ((size_t)VARSIZE_ANY_EXHDR(v))

/* ---- keys ---------------------------------------------------------------- */

#define KEY_SLOTS 64     /* direct mapped by hash; an operator has a secret per CMTS */
#define MAX_SECRET 64

typedef struct key_slot {
    uint8 length;        /* 0 = free: secrets have at least one byte */
    uint8 secret[MAX_SECRET];
    docsis_key key;
} key_slot;

static key_slot key_slots[KEY_SLOTS];

const docsis_key *
nmsp_key(const uint8_t *secret, size_t length)
{
    key_slot *slot = &key_slots[hash_bytes(secret, (int)Min(length, MAX_SECRET)) % KEY_SLOTS];
    docsis_error error;

    if (slot->length == length && length > 0 && memcmp(slot->secret, secret, length) == 0)
        return &slot->key;
    slot->length = 0;
    if (!docsis_key_init(&slot->key, secret, length, 0, &error))
        nmsp_raise(&error, NULL, 0);
    memcpy(slot->secret, secret, length);
    slot->length = (uint8)length;
    return &slot->key;
}

/* ---- seal, verify -------------------------------------------------------- */

/* Index of a word in a list, or 22023: unknown <what> "<word>". */
static int
choose(const text *word, const char *const names[], int count, const char *what,
       const char *detail, const char *hint)
{
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == LENGTH(word) && memcmp(names[i], BYTES(word), LENGTH(word)) == 0)
            return i;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown %s \"%s\"", what, text_to_cstring(word)),
                    errdetail("%s", detail), errhint("%s", hint)));
}

/* docsis.seal(config, secret text, ipv6_address boolean, extended text) */
Datum
docsis_seal_config(PG_FUNCTION_ARGS)
{
    static const char *const names[] = {"keep", "none", "explicit", "implicit"};
    static const unsigned extended[] = {DOCSIS_MIC_EXTENDED, 0, DOCSIS_MIC_EXPLICIT,
                                        DOCSIS_MIC_IMPLICIT};
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    size_t secret_length;
    const uint8_t *secret = nmsp_text_bytes(PG_GETARG_TEXT_PP(1), &secret_length);
    unsigned flags = PG_GETARG_BOOL(2) ? DOCSIS_MIC_IPV6_ADDRESS : 0;
    docsis_buffer out;
    docsis_error error;

    flags |= extended[choose(PG_GETARG_TEXT_PP(3), names, lengthof(names),
                             "form of the Extended CMTS MIC",
                             "It says what becomes of TLV 43.6.",
                             "Use keep, none, explicit or implicit.")];
    nmsp_buffer_init(&out, LENGTH(config) + 128);
    if (!docsis_seal_keyed(BYTES(config), LENGTH(config), nmsp_key(secret, secret_length), flags,
                           &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/* The row type of the result, looked up once per query. */
static TupleDesc
result_type(FunctionCallInfo fcinfo)
{
    FmgrInfo *info = fcinfo->flinfo;
    MemoryContext old;
    TupleDesc desc;

    if (info->fn_extra)
        return info->fn_extra;
    old = MemoryContextSwitchTo(info->fn_mcxt);
    if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    info->fn_extra = BlessTupleDesc(desc);
    MemoryContextSwitchTo(old);
    return info->fn_extra;
}

/* true, false, or null: absent, or of a kind that is not computed */
static Datum
mic_datum(docsis_mic_state state, bool *null)
{
    *null = state != DOCSIS_MIC_OK && state != DOCSIS_MIC_WRONG;
    return BoolGetDatum(state == DOCSIS_MIC_OK);
}

/* docsis.verify(config, secret text, ipv6_address boolean, OUT cm_mic, OUT cmts_mic, ...) */
Datum
docsis_verify_config(PG_FUNCTION_ARGS)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    size_t secret_length;
    const uint8_t *secret = nmsp_text_bytes(PG_GETARG_TEXT_PP(1), &secret_length);
    unsigned flags = PG_GETARG_BOOL(2) ? DOCSIS_MIC_IPV6_ADDRESS : 0;
    TupleDesc desc = result_type(fcinfo);
    docsis_verification result;
    docsis_error error;
    Datum values[3];
    bool nulls[3];

    if (!docsis_verify_keyed(BYTES(config), LENGTH(config), nmsp_key(secret, secret_length), flags,
                             &result, &error))
        nmsp_raise(&error, NULL, 0);
    /* In the implicit form TLV 7 is not the older MIC: there is none. */
    if (result.extended_implicit)
        result.cmts_mic = DOCSIS_MIC_ABSENT;
    values[0] = mic_datum(result.cm_mic, &nulls[0]);
    values[1] = mic_datum(result.cmts_mic, &nulls[1]);
    values[2] = mic_datum(result.extended_mic, &nulls[2]);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* ---- MTA files ------------------------------------------------------------ */

/* docsis.mta(config, hash text, dialplan docsis.config): dialplan may be null */
Datum
docsis_mta(PG_FUNCTION_ARGS)
{
    static const char *const names[] = {"none", "na", "eu", "ietf"};
    struct varlena *config, *dialplan;
    const uint8_t *bytes;
    size_t length;
    docsis_buffer with_plan, out;
    docsis_error error;
    int kind;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    config = PG_GETARG_VARLENA_PP(0);
    bytes = BYTES(config);
    length = LENGTH(config);
    kind = choose(PG_GETARG_TEXT_PP(1), names, lengthof(names), "hash of an MTA file",
                  "The hash says which provisioning flow the MTA follows.",
                  "Use none, na, eu or ietf.");
    if (!PG_ARGISNULL(2)) {
        dialplan = PG_GETARG_VARLENA_PP(2);
        nmsp_buffer_init(&with_plan, length + LENGTH(dialplan));
        if (!docsis_mta_dialplan(bytes, length, BYTES(dialplan), LENGTH(dialplan), &with_plan,
                                 &error))
            nmsp_raise(&error, NULL, 0);
        bytes = with_plan.data + VARHDRSZ;
        length = with_plan.length - VARHDRSZ;
    }
    nmsp_buffer_init(&out, length + 64);
    if (!docsis_mta_hash(bytes, length, (docsis_mta_hash_kind)kind, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/* docsis.dialplan(plan bytea, form text) */
Datum
docsis_dialplan_config(PG_FUNCTION_ARGS)
{
    static const char *const names[] = {"option", "digitmap"};
    bytea *plan = PG_GETARG_BYTEA_PP(0);
    int form = choose(PG_GETARG_TEXT_PP(1), names, lengthof(names), "form of a dial plan",
                      "The docsis tool has two ways to write dial plans.",
                      "Use option (as its -dialplan) or digitmap (as its statement DigitMap).");
    docsis_buffer out;
    docsis_error error;

    nmsp_buffer_init(&out, LENGTH(plan) + 64);
    if (!docsis_dialplan(BYTES(plan), LENGTH(plan), (docsis_dialplan_form)form, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

/* ---- what is added to CM files --------------------------------------------- */

/* RFC 868: seconds since 1900, in 32 bits, so until February 2036. */
static uint32_t
rfc868(TimestampTz when)
{
    const int64 from_1900 = INT64CONST(3155673600); /* 1900 to 2000, PostgreSQL's epoch */
    int64 seconds = 0;

    if (!TIMESTAMP_NOT_FINITE(when))
        seconds = (when >= 0 ? when : when - (USECS_PER_SEC - 1)) / USECS_PER_SEC + from_1900;
    if (seconds <= 0 || seconds > PG_UINT32_MAX)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                        errmsg("time of sending is out of range"),
                        errdetail("TLV 19 counts seconds since 1900 in 32 bits, until "
                                  "2036-02-07 06:28:15 UTC."),
                        errhint("Give the moment of sending, for example now().")));
    return (uint32_t)seconds;
}

/* docsis.with_download(config, sent_at timestamptz, modem inet): either may be null */
Datum
docsis_with_download(PG_FUNCTION_ARGS)
{
    docsis_download download = {.has_timestamp = false};
    struct varlena *config;
    docsis_buffer out;
    docsis_error error;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    config = PG_GETARG_VARLENA_PP(0);
    if (!PG_ARGISNULL(1)) {
        download.has_timestamp = true;
        download.timestamp = rfc868(PG_GETARG_TIMESTAMPTZ(1));
    }
    if (!PG_ARGISNULL(2)) {
        inet *modem = PG_GETARG_INET_PP(2);

        download.address_length = (uint8_t)ip_addrsize(modem);
        memcpy(download.address, ip_addr(modem), download.address_length);
    }
    nmsp_buffer_init(&out, LENGTH(config) + 32);
    if (!docsis_put_download(BYTES(config), LENGTH(config), &download, &out, &error))
        nmsp_raise(&error, NULL, 0);
    PG_RETURN_POINTER(nmsp_buffer_varlena(&out));
}

static Datum
certificate_tlvs(bytea *certificate, docsis_cvc_kind kind, bool cosigner)
{
    docsis_buffer out;
    docsis_error error;

    nmsp_buffer_init(&out, 2048);
    if (!docsis_put_cvc(BYTES(certificate), LENGTH(certificate), kind, cosigner, &out, &error))
        nmsp_raise(&error, NULL, 0);
    return PointerGetDatum(nmsp_buffer_varlena(&out));
}

/* docsis.cvc(certificate bytea, cosigner boolean) */
Datum
docsis_cvc(PG_FUNCTION_ARGS)
{
    return certificate_tlvs(PG_GETARG_BYTEA_PP(0), DOCSIS_CVC_CERTIFICATE, PG_GETARG_BOOL(1));
}

/* docsis.cvc_chain(certificates bytea, cosigner boolean) */
Datum
docsis_cvc_chain(PG_FUNCTION_ARGS)
{
    return certificate_tlvs(PG_GETARG_BYTEA_PP(0), DOCSIS_CVC_CHAIN, PG_GETARG_BOOL(1));
}

/*
 * docsis.certificates: what the certificates of a code file say.
 */
#include "extension/pg/glue.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(docsis_certificates);

#define COLUMNS 8

/* One certificate, copied: rows are made when libcrypto's objects are gone, for an ereport() would
 * never give those back. */
typedef struct row {
    char *subject, *issuer, *serial;
    int64_t valid_from, valid_until;
    int signer;
    bytea *der;
} row;

typedef struct rows {
    row *list;
    int n, room;
} rows;

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = palloc_extended(size, MCXT_ALLOC_NO_OOM);

    return copy ? memcpy(copy, text, size) : NULL;
}

static bytea *
copy_bytes(const uint8_t *bytes, size_t length)
{
    bytea *copy = palloc_extended(VARHDRSZ + length, MCXT_ALLOC_NO_OOM);

    if (copy == NULL)
        return NULL;
    SET_VARSIZE(copy, VARHDRSZ + length);
    memcpy(VARDATA(copy), bytes, length);
    return copy;
}

/* Never raises an error. */
static bool
keep(void *owner, const docsis_certificate *c)
{
    rows *all = owner;
    row *one = &all->list[all->n];

    if (all->n == all->room)
        return false;
    *one = (row){copy_text(c->subject), copy_text(c->issuer), copy_text(c->serial),
                 c->valid_from, c->valid_until, c->signer, copy_bytes(c->der, c->der_length)};
    if (one->subject == NULL || one->issuer == NULL || one->serial == NULL || one->der == NULL)
        return false;
    all->n++;
    return true;
}

static Datum
server_text(const char *utf8)
{
    return PointerGetDatum(cstring_to_text(pg_any_to_server(utf8, (int)strlen(utf8), PG_UTF8)));
}

static Datum
timestamp_of(int64_t seconds)
{
    int64_t days = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;

    return TimestampTzGetDatum((seconds - days * SECS_PER_DAY) * USECS_PER_SEC);
}

/* docsis.certificates(bytes bytea): a row of each */
Datum
docsis_certificates(PG_FUNCTION_ARGS)
{
    bytea *bytes = PG_GETARG_BYTEA_PP(0);
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    docsis_error error;
    row list[64];
    rows all = {.list = list, .room = lengthof(list)};

    InitMaterializedSRF(fcinfo, 0);
    if (!docsis_read_certificates((const uint8_t *)VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
                                  keep, &all, &error))
        nmsp_raise(&error, NULL, 0);
    for (int i = 0; i < all.n; i++) {
        row *r = &list[i];
        bool nulls[COLUMNS] = {[1] = r->signer == 0};
        Datum values[COLUMNS] = {
            Int32GetDatum(i + 1), Int32GetDatum(r->signer), server_text(r->subject),
            server_text(r->issuer), CStringGetTextDatum(r->serial), timestamp_of(r->valid_from),
            timestamp_of(r->valid_until), PointerGetDatum(r->der)};

        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return (Datum)0;
}

/*
 * docsis.lint and nmsp.lint: what is wrong or odd about a configuration, one row per finding.
 */
#include "extension/pg/mib_overlay.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(docsis_lint_config);
PG_FUNCTION_INFO_V1(nmsp_lint_config);
PG_FUNCTION_INFO_V1(docsis_lint_rules_list);

static const char *const severities[] = {"error", "warning", "notice"};

/* Text of the codec, which is UTF-8, in the encoding of the database; null when empty. */
static Datum
text_or_null(const char *utf8, bool *null)
{
    *null = utf8[0] == '\0';
    if (*null)
        return (Datum)0;
    return CStringGetTextDatum(pg_any_to_server(utf8, strlen(utf8), PG_UTF8));
}

static void
put_finding(void *context, const docsis_finding *f)
{
    ReturnSetInfo *result = context;
    Datum row[8];
    bool nulls[8] = {false};

    CHECK_FOR_INTERRUPTS();
    row[0] = CStringGetTextDatum(severities[f->rule->severity]);
    row[1] = text_or_null(f->path, &nulls[1]);
    row[2] = Int32GetDatum(f->occurrence);
    row[3] = Int32GetDatum((int32)f->offset);
    nulls[2] = nulls[3] = !f->has_place;
    row[4] = CStringGetTextDatum(f->rule->id);
    row[5] = text_or_null(f->message, &nulls[5]);
    row[6] = text_or_null(f->spec, &nulls[6]);
    row[7] = text_or_null(f->hint, &nulls[7]);
    tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
}

static Datum
lint(FunctionCallInfo fcinfo, const docsis_mib_overlay *mib)
{
    struct varlena *config = PG_GETARG_VARLENA_PP(0);
    char *version = text_to_cstring(PG_GETARG_TEXT_PP(1));
    docsis_lint_options options = {.mib = mib};

    if (!docsis_version_parse(version, &options.version))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("unknown DOCSIS version \"%s\"", version),
                        errdetail("A file is checked for the modems of one version."),
                        errhint("Use 1.0, 1.1, 2.0, 3.0, 3.1 or 4.0.")));
    InitMaterializedSRF(fcinfo, 0);
    docsis_lint((const uint8_t *)VARDATA_ANY(config), VARSIZE_ANY_EXHDR(config), &options,
                put_finding, fcinfo->resultinfo);
    return (Datum)0;
}

/* docsis.lint(config, version text) */
Datum
docsis_lint_config(PG_FUNCTION_ARGS)
{
    return lint(fcinfo, NULL);
}

/* nmsp.lint(config, version text): the same with the operator's MIB objects */
Datum
nmsp_lint_config(PG_FUNCTION_ARGS)
{
    return lint(fcinfo, nmsp_mib_overlay(NULL));
}

/* docsis.lint_rules(): what is checked */
Datum
docsis_lint_rules_list(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < docsis_lint_rule_count(); i++) {
        const docsis_lint_rule *rule = docsis_lint_rule_at(i);
        Datum row[5];
        bool nulls[5] = {false};

        row[0] = CStringGetTextDatum(rule->id);
        row[1] = CStringGetTextDatum(severities[rule->severity]);
        row[2] = CStringGetTextDatum(rule->meaning);
        row[3] = text_or_null(rule->spec, &nulls[3]);
        row[4] = text_or_null(rule->hint, &nulls[4]);
        tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
    }
    return (Datum)0;
}

/*
 * nmsp.refuse: how SQL code of the product says no. In C because the error should look like one of
 * PostgreSQL's own: message, DETAIL, HINT, table and constraint, without a CONTEXT of our triggers.
 */
#include "extension/pg/glue.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(nmsp_refuse);

static char *
argument(FunctionCallInfo fcinfo, int n)
{
    return PG_ARGISNULL(n) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* nmsp.refuse(code, message, detail, hint, relation, constraint_name) */
Datum
nmsp_refuse(PG_FUNCTION_ARGS)
{
    char *code = argument(fcinfo, 0), *message = argument(fcinfo, 1);
    char *detail = argument(fcinfo, 2), *hint = argument(fcinfo, 3);
    char *relation = argument(fcinfo, 4), *constraint = argument(fcinfo, 5);

    if (strlen(code) != 5 || strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("\"%s\" is not an SQLSTATE", code)));
    error_context_stack = NULL;
    ereport(ERROR,
            (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
             errmsg("%s", message), detail[0] ? errdetail("%s", detail) : 0,
             hint[0] ? errhint("%s", hint) : 0,
             err_generic_string(PG_DIAG_SCHEMA_NAME, "nmsp"),
             relation[0] ? err_generic_string(PG_DIAG_TABLE_NAME, relation) : 0,
             constraint[0] ? err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint) : 0));
}

/*
 * Subscripts of docsis.config: config['MaxCPE'], config[24][2]['MaxRateSustained'].
 *
 * A text is a path, an integer a code; an integer behind either is an occurrence, as in the path
 * '24[2].8': config[24][2][8] is config -> '24[2].8', config[24][8] the eighth 24. The result is
 * jsonb, as that of ->. Values are fetched only.
 */
#include "extension/pg/docsis_value.h"

#include "catalog/pg_type.h"
#include "executor/execExpr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/subscripting.h"
#include "parser/parse_coerce.h"
#include "parser/parse_expr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(docsis_config_subscript);

/* What the executor keeps of one subscripting expression. */
typedef struct workspace {
    Oid *types;              /* INT4OID or TEXTOID of each subscript */
    bool known;              /* path belongs to key */
    StringInfoData key;      /* the subscripts of the last call, spelled out */
    StringInfoData next;
    nmsp_path path;
} workspace;

static Node *
transform_subscript(ParseState *pstate, Node *raw)
{
    Node *subscript = transformExpr(pstate, raw, pstate->p_expr_kind);
    Oid type = exprType(subscript), targets[] = {TEXTOID, INT4OID};

    if (type == UNKNOWNOID)
        return coerce_type(pstate, subscript, type, TEXTOID, -1, COERCION_IMPLICIT,
                           COERCE_IMPLICIT_CAST, -1);
    for (int i = 0; i < lengthof(targets); i++)
        if (can_coerce_type(1, &type, &targets[i], COERCION_IMPLICIT))
            return coerce_type(pstate, subscript, type, targets[i], -1, COERCION_IMPLICIT,
                               COERCE_IMPLICIT_CAST, -1);
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("subscript type %s is not supported", format_type_be(type)),
                    errhint("A subscript of docsis.config is a text (a path) or an integer."),
                    parser_errposition(pstate, exprLocation(subscript))));
}

static void
transform(SubscriptingRef *ref, List *indirection, ParseState *pstate, bool is_slice,
          bool is_assignment)
{
    ListCell *cell;

    if (is_assignment)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("a part of a configuration cannot be assigned to"),
                 errhint("Change its text or JSON form and cast it back, or put together a new "
                         "value with ||.")));
    if (is_slice)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("docsis.config has no slices"),
                        errhint("Subscript with a path or a code: config['24[2].8'].")));
    foreach (cell, indirection) {
        A_Indices *index = lfirst_node(A_Indices, cell);

        ref->refupperindexpr =
            lappend(ref->refupperindexpr, transform_subscript(pstate, index->uidx));
    }
    ref->refrestype = JSONBOID;
    ref->reftypmod = -1;
}

/* The path of the subscripts. */
static void
build_path(const workspace *w, const SubscriptingRefState *state, nmsp_path *path)
{
    bool after_selector = false;

    path->count = 0;
    path->oid_length = 0;
    for (int i = 0; i < state->numupper; i++) {
        Datum value = state->upperindex[i];
        nmsp_path more;

        if (w->types[i] == INT4OID && after_selector) {
            nmsp_path_occurrence(path, DatumGetInt32(value));
            after_selector = false;
            continue;
        }
        if (w->types[i] == INT4OID) {
            nmsp_path_of_code(DatumGetInt32(value), &more);
        } else {
            struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

            nmsp_path_parse(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &more);
        }
        if (i == 0)
            *path = more;
        else
            nmsp_path_append(path, &more);
        after_selector = true;
    }
    nmsp_path_check(path);
}

/* Subscripts as bytes, to see whether they are those of the call before. */
static void
spell(const workspace *w, const SubscriptingRefState *state, StringInfo out)
{
    resetStringInfo(out);
    for (int i = 0; i < state->numupper; i++) {
        int32 length = sizeof(int32);
        int32 number = DatumGetInt32(state->upperindex[i]);
        const void *bytes = &number;

        if (w->types[i] == TEXTOID) {
            struct varlena *text = PG_DETOAST_DATUM_PACKED(state->upperindex[i]);

            bytes = VARDATA_ANY(text);
            length = VARSIZE_ANY_EXHDR(text);
        }
        appendBinaryStringInfo(out, (const char *)&length, sizeof length);
        appendBinaryStringInfo(out, bytes, length);
    }
}

static bool
check_subscripts(ExprState *expression, ExprEvalStep *op, ExprContext *context)
{
    SubscriptingRefState *state = op->d.sbsref_subscript.state;
    workspace *w = state->workspace;
    StringInfoData swap;

    for (int i = 0; i < state->numupper; i++)
        if (state->upperindexnull[i]) {
            *op->resnull = true;
            return false;
        }
    spell(w, state, &w->next);
    if (w->known && w->next.len == w->key.len &&
        memcmp(w->next.data, w->key.data, w->key.len) == 0)
        return true;
    w->known = false;
    build_path(w, state, &w->path);
    swap = w->key;
    w->key = w->next;
    w->next = swap;
    w->known = true;
    return true;
}

static void
fetch(ExprState *expression, ExprEvalStep *op, ExprContext *context)
{
    SubscriptingRefState *state = op->d.sbsref.state;
    workspace *w = state->workspace;
    struct varlena *config = PG_DETOAST_DATUM_PACKED(*op->resvalue);
    nmsp_match match;
    docsis_tlv tlv;

    nmsp_match_begin(&match, &w->path, CONFIG_BYTES(config), CONFIG_LENGTH(config));
    *op->resnull = !nmsp_match_next(&match, &tlv);
    if (!*op->resnull)
        *op->resvalue =
            JsonbPGetDatum(nmsp_tlv_jsonb(&match.cursor, &tlv, w->path.oid_length > 0));
}

static void
exec_setup(const SubscriptingRef *ref, SubscriptingRefState *state, SubscriptExecSteps *methods)
{
    workspace *w = palloc0(sizeof *w);
    ListCell *cell;
    int i = 0;

    w->types = palloc0(Max(1, state->numupper) * sizeof(Oid));
    foreach (cell, ref->refupperindexpr)
        w->types[i++] = exprType(lfirst(cell));
    initStringInfo(&w->key);
    initStringInfo(&w->next);
    state->workspace = w;
    methods->sbs_check_subscripts = check_subscripts;
    methods->sbs_fetch = fetch;
    methods->sbs_assign = NULL;
    methods->sbs_fetch_old = NULL;
}

/* Handler of the type's subscripts. */
Datum
docsis_config_subscript(PG_FUNCTION_ARGS)
{
    static const SubscriptRoutines routines = {
        .transform = transform,
        .exec_setup = exec_setup,
        .fetch_strict = true,
        .fetch_leakproof = false,
        .store_leakproof = false,
    };

    PG_RETURN_POINTER(&routines);
}

/*
 * docsis.mib_objects(): the built-in MIB objects as rows.
 */
#include "extension/pg/glue.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(docsis_mib_objects);

enum { NAME, MODULE, OID, TYPE, ACCESS, RANGES, ENUMS, INDEX_COLUMNS, INDEX_IMPLIED, SPEC, COLUMNS };

static void
set_text(Datum *row, bool *nulls, int column, const char *value)
{
    nulls[column] = value == NULL || value[0] == '\0';
    if (!nulls[column])
        row[column] = CStringGetTextDatum(value);
}

/* "0..255,300..400" */
static char *
ranges_text(const docsis_mib_syntax *syntax)
{
    StringInfoData text;

    initStringInfo(&text);
    for (int i = 0; i < syntax->range_count; i++)
        appendStringInfo(&text, "%s%lld..%lld", i ? "," : "", (long long)syntax->ranges[i].low,
                         (long long)syntax->ranges[i].high);
    return text.data;
}

/* {"none": 1, "read": 2}; labels are letters, digits and hyphens. */
static Datum
enums_jsonb(const docsis_mib_syntax *syntax)
{
    StringInfoData text;

    initStringInfo(&text);
    for (int i = 0; i < syntax->enum_count; i++)
        appendStringInfo(&text, "%s\"%s\":%d", i ? "," : "{", syntax->enums[i].label,
                         syntax->enums[i].value);
    appendStringInfoChar(&text, '}');
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

static Datum
index_array(int number, bool *null, bool *implied)
{
    Datum names[32];
    docsis_mib_syntax column;
    int count = 0;

    *implied = false;
    while (count < lengthof(names) && docsis_mib_object_index(number, count, &column, implied))
        names[count++] = CStringGetTextDatum(column.name ? column.name : "");
    *null = count == 0;
    return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static char *
oid_text(const docsis_mib_object *object)
{
    StringInfoData text;

    initStringInfo(&text);
    for (int i = 0; i < object->arc_count; i++)
        appendStringInfo(&text, "%s%u", i ? "." : "", object->arcs[i]);
    return text.data;
}

static void
put_object(ReturnSetInfo *result, int number, const docsis_mib_object *object)
{
    Datum row[COLUMNS];
    bool nulls[COLUMNS] = {false};
    bool implied;

    set_text(row, nulls, NAME, object->syntax.name);
    set_text(row, nulls, MODULE, object->module);
    set_text(row, nulls, OID, oid_text(object));
    set_text(row, nulls, TYPE, docsis_mib_type_name(object->syntax.type));
    set_text(row, nulls, ACCESS, docsis_mib_access_name(docsis_mib_object_access(number)));
    set_text(row, nulls, RANGES, ranges_text(&object->syntax));
    nulls[ENUMS] = object->syntax.enum_count == 0;
    if (!nulls[ENUMS])
        row[ENUMS] = enums_jsonb(&object->syntax);
    row[INDEX_COLUMNS] = index_array(number, &nulls[INDEX_COLUMNS], &implied);
    row[INDEX_IMPLIED] = BoolGetDatum(implied);
    set_text(row, nulls, SPEC, docsis_mib_object_reference(number));
    tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
}

/* docsis.mib_objects(): one row per named object */
Datum
docsis_mib_objects(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    MemoryContext row_context, old;

    InitMaterializedSRF(fcinfo, 0);
    row_context = AllocSetContextCreate(CurrentMemoryContext, "docsis.mib_objects",
                                        ALLOCSET_DEFAULT_SIZES);
    old = MemoryContextSwitchTo(row_context);
    for (int i = 0; i < docsis_mib_object_count(); i++) {
        docsis_mib_object object;
        uint32_t arcs[DOCSIS_MAX_ARCS];

        CHECK_FOR_INTERRUPTS();
        if (!docsis_mib_object_at(i, &object, arcs) || object.syntax.name == NULL)
            continue;
        put_object(result, i, &object);
        MemoryContextReset(row_context);
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(row_context);
    return (Datum)0;
}

/*
 * HINTs for constraint violations. PostgreSQL says what a violated constraint is called and which
 * row is in the way (DETAIL); only the product knows the cure. While a statement runs, an error
 * context callback looks at an error that is being raised and adds the hint of its constraint. That
 * costs nothing as long as nothing fails, and unlike a trigger that looks first it leaves
 * INSERT ... ON CONFLICT alone. Without the library in the session there is no hint, no more.
 */
#include "extension/pg/glue.h"

#include "executor/executor.h"
#include "tcop/utility.h"

typedef struct constraint_hint {
    const char *constraint;
    const char *hint;
} constraint_hint;

static const constraint_hint constraint_hints[] = {
    {"modem_mac_is_already_used",
     "Change that modem's row (UPDATE nmsp.modem ... WHERE mac = ...) or delete it first."},
    {"modem_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address, or null for a dynamic one."},
    {"modem_address6_is_already_used", "Choose another address, or null for a dynamic one."},
    {"modem_name_is_a_host_name",
     "Use letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit."},
    {"modem_needs_an_existing_service_class",
     "SELECT id, name FROM nmsp.service_class lists those that exist."},
    {"endpoint_mac_is_already_used", "Change that endpoint's row or delete it first."},
    {"endpoint_address_is_already_used",
     "Use nmsp.allocate_address(<pool id>) to get a free address."},
    {"endpoint_name_is_a_host_label",
     "Use letters, digits and '-', at most 63; names that begin with cm- or mta- are reserved."},
    {"endpoint_has_a_fixed_address", "Give it an address, e.g. nmsp.allocate_address(<pool id>)."},
    {"pool_network_overlaps_another_pool",
     "Choose a network that no other pool has: SELECT network FROM nmsp.pool ORDER BY 1."},
    {"pool_stb_needs_a_vendor_class", "Set vendor_class to the beginning of the box's option 60."},
    {"pool_purpose_is_known", "Use cm, mta, cpe_public, cpe_private or stb."},
    {"netgw_name_is_already_used", "Change that gateway's row, or choose another name."},
    {"netgw_name_is_a_host_name",
     "Use letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit."},
    {"netgw_kind_is_known", "Use cmts, bras, olt or dslam."},
    {"template_name_is_already_used", "UPDATE that template instead, or choose another name."},
    {"service_class_name_is_already_used", "UPDATE that service class, or choose another name."},
    {"service_class_ds_rate_fits_32_bits", "Rates are in bit/s, at most 4294967295."},
    {"service_class_us_rate_fits_32_bits", "Rates are in bit/s, at most 4294967295."},
};

static ExecutorRun_hook_type previous_run = NULL;
static ExecutorFinish_hook_type previous_finish = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

static const char *
find_hint(const char *constraint)
{
    for (int i = 0; i < lengthof(constraint_hints); i++)
        if (strcmp(constraint, constraint_hints[i].constraint) == 0)
            return constraint_hints[i].hint;
    return NULL;
}

/* Runs while an error is being put together: adds the hint, never anything else. */
static void
add_hint(void *arg)
{
    int code = geterrcode();
    MemoryContext old;
    ErrorData *error;
    const char *hint;

    if (ERRCODE_TO_CATEGORY(code) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
        return;
    old = MemoryContextSwitchTo(TopTransactionContext ? TopTransactionContext : TopMemoryContext);
    error = CopyErrorData();
    MemoryContextSwitchTo(old);
    if (error->constraint_name && error->hint == NULL && error->schema_name &&
        strncmp(error->schema_name, "nmsp", 4) == 0 && (hint = find_hint(error->constraint_name)))
        errhint("%s", hint);
    FreeErrorData(error);
}

#define WITH_HINTS(call)                                                                           \
    do {                                                                                           \
        ErrorContextCallback callback = {.previous = error_context_stack, .callback = add_hint};   \
        error_context_stack = &callback;                                                           \
        call;                                                                                      \
        error_context_stack = callback.previous;                                                   \
    } while (0)

static void
hint_run(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
{
    ExecutorRun_hook_type run = previous_run ? previous_run : standard_ExecutorRun;

    WITH_HINTS(run(query, direction, count, once));
}

static void
hint_finish(QueryDesc *query)
{
    ExecutorFinish_hook_type finish = previous_finish ? previous_finish : standard_ExecutorFinish;

    WITH_HINTS(finish(query));
}

static void
hint_utility(PlannedStmt *statement, const char *text, bool read_only, ProcessUtilityContext context,
             ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,
             QueryCompletion *completion)
{
    ProcessUtility_hook_type utility = previous_utility ? previous_utility : standard_ProcessUtility;

    WITH_HINTS(utility(statement, text, read_only, context, parameters, environment, receiver,
                       completion));
}

void
nmsp_hints_init(void)
{
    previous_run = ExecutorRun_hook;
    ExecutorRun_hook = hint_run;
    previous_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = hint_finish;
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = hint_utility;
}

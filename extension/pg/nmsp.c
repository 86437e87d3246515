/*
 * The shared library's entry. Loaded by shared_preload_libraries it also brings the background
 * workers; loaded by a session's first call it brings the functions alone.
 */
#include "postgres.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "extension/pg/glue.h"
#include "workers/worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
    if (IsBinaryUpgrade)
        return;
    nmsp_hints_init();
    nmsp_worker_init();
    MarkGUCPrefixReserved("nmsp");
}

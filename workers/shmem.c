/*
 * shmem.c: the workers' slots in shared memory, and the function that shows them.
 */
#include "workers/worker.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "catalog/pg_authid.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

nmsp_shared *nmsp_state = NULL;

static nmsp_slot *my_slot = NULL;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
request_memory(void)
{
    if (previous_request)
        previous_request();
    RequestAddinShmemSpace(MAXALIGN(sizeof(nmsp_shared)));
}

static void
make_memory(void)
{
    bool found;

    if (previous_startup)
        previous_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    nmsp_state = ShmemInitStruct("nmsp", sizeof(nmsp_shared), &found);
    if (!found) {
        memset(nmsp_state, 0, sizeof(*nmsp_state));
        for (int i = 0; i < NMSP_SLOTS; i++) {
            SpinLockInit(&nmsp_state->slots[i].mutex);
            pg_atomic_init_u32(&nmsp_state->slots[i].wakes, 0);
            nmsp_state->slots[i].pgprocno = -1;
        }
    }
    LWLockRelease(AddinShmemInitLock);
}

void
nmsp_shmem_init(void)
{
    previous_request = shmem_request_hook;
    shmem_request_hook = request_memory;
    previous_startup = shmem_startup_hook;
    shmem_startup_hook = make_memory;
}

/* The other feeders of a slot's database look again: targets are dealt anew. */
static void
wake_others(const nmsp_slot *mine)
{
    for (int i = 1; i < NMSP_SLOTS; i++) {
        nmsp_slot *slot = &nmsp_state->slots[i];
        int pgprocno = slot->pgprocno;

        if (slot == mine || slot->database_oid != mine->database_oid || pgprocno < 0)
            continue;
        pg_atomic_fetch_add_u32(&slot->wakes, 1);
        SetLatch(&ProcGlobal->allProcs[pgprocno].procLatch);
    }
}

void
nmsp_slot_works(void)
{
    my_slot->works = true;
    wake_others(my_slot);
}

void
nmsp_slot_share(int *feeder, int *feeders)
{
    *feeder = *feeders = 0;
    for (int i = 1; i < NMSP_SLOTS; i++) {
        const nmsp_slot *slot = &nmsp_state->slots[i];

        if (slot == my_slot)
            *feeder = *feeders;
        if (slot == my_slot || (slot->works && slot->database_oid == my_slot->database_oid))
            (*feeders)++;
    }
}

static void
give_back(int code, Datum arg)
{
    nmsp_slot *slot = my_slot;

    if (slot == NULL)
        return;
    my_slot = NULL;
    slot->works = false;
    wake_others(slot);
    SpinLockAcquire(&slot->mutex);
    slot->pgprocno = -1;
    slot->database_oid = InvalidOid;
    slot->pid = 0;
    strlcpy(slot->state, "stopped", sizeof(slot->state));
    SpinLockRelease(&slot->mutex);
}

bool
nmsp_slot_take(int at, const char *database, int number)
{
    nmsp_slot *slot = &nmsp_state->slots[at];
    bool taken;

    SpinLockAcquire(&slot->mutex);
    taken = slot->pid != 0;
    if (!taken) {
        if (strcmp(slot->database, database) != 0 || slot->number != number) {
            slot->starts = slot->batches = slot->artifacts = slot->failures = 0;
            slot->last_error[0] = '\0';
            strlcpy(slot->database, database, NAMEDATALEN);
            slot->number = number;
        }
        slot->works = false;
        slot->pid = MyProcPid;
        slot->pgprocno = MyProc->pgprocno;
        slot->started_at = GetCurrentTimestamp();
        slot->starts++;
        strlcpy(slot->state, "starting", sizeof(slot->state));
        my_slot = slot;
    }
    SpinLockRelease(&slot->mutex);
    if (!taken)
        before_shmem_exit(give_back, 0);
    return !taken;
}

void
nmsp_slot_database(Oid database_oid)
{
    my_slot->database_oid = database_oid;
}

void
nmsp_slot_state(const char *state)
{
    SpinLockAcquire(&my_slot->mutex);
    strlcpy(my_slot->state, state, sizeof(my_slot->state));
    SpinLockRelease(&my_slot->mutex);
}

uint32
nmsp_slot_wakes(void)
{
    return pg_atomic_read_u32(&my_slot->wakes);
}

/* Every database shows these texts, whatever its encoding: only ASCII is kept. */
static void
copy_ascii(char *to, const char *from)
{
    size_t i;

    for (i = 0; from[i] != '\0' && i < NMSP_ERROR_MAX - 1; i++)
        to[i] = from[i] >= 32 && from[i] < 127 ? from[i] : from[i] == '\n' ? ' ' : '?';
    to[i] = '\0';
}

void
nmsp_slot_note(long artifacts, const char *error)
{
    TimestampTz now = GetCurrentTimestamp();

    SpinLockAcquire(&my_slot->mutex);
    if (error == NULL) {
        my_slot->batches++;
        my_slot->artifacts += artifacts;
    } else {
        my_slot->failures++;
        copy_ascii(my_slot->last_error, error);
        my_slot->last_error_at = now;
    }
    SpinLockRelease(&my_slot->mutex);
}

int
nmsp_slot_pid(int number)
{
    nmsp_slot *slot = &nmsp_state->slots[number];
    int pid;

    SpinLockAcquire(&slot->mutex);
    pid = slot->pid;
    SpinLockRelease(&slot->mutex);
    return pid;
}

static void
put_slot(ReturnSetInfo *result, const nmsp_slot *slot, bool launcher)
{
    Datum values[11];
    bool nulls[11] = {false};

    values[0] = CStringGetTextDatum(launcher ? "launcher" : "feeder");
    values[1] = CStringGetTextDatum(slot->database);
    nulls[1] = launcher;
    values[2] = Int32GetDatum(slot->pid);
    nulls[2] = slot->pid == 0;
    values[3] = CStringGetTextDatum(slot->state);
    values[4] = TimestampTzGetDatum(slot->started_at);
    values[5] = Int64GetDatum(slot->starts);
    values[6] = Int64GetDatum(slot->batches);
    values[7] = Int64GetDatum(slot->artifacts);
    values[8] = Int64GetDatum(slot->failures);
    values[9] = CStringGetTextDatum(slot->last_error);
    /* it may name paths and rows of another database */
    nulls[9] =
        slot->last_error[0] == '\0' || !has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
    values[10] = TimestampTzGetDatum(slot->last_error_at);
    nulls[10] = nulls[9];
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(nmsp_worker_status);

/* nmsp.worker_status(): one row per worker that runs or ran; none when the library is not
 * preloaded. */
Datum
nmsp_worker_status(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; nmsp_state != NULL && i < NMSP_SLOTS; i++) {
        nmsp_slot copy;

        SpinLockAcquire(&nmsp_state->slots[i].mutex);
        copy = nmsp_state->slots[i];
        SpinLockRelease(&nmsp_state->slots[i].mutex);
        if (copy.starts > 0)
            put_slot((ReturnSetInfo *)fcinfo->resultinfo, &copy, i == 0);
    }
    return (Datum)0;
}

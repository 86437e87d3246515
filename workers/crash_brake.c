/*
 * crash_brake.c: a worker that crashes (SIGSEGV, SIGKILL) makes the postmaster restart the whole
 * server, at once and for ever. A file in the data directory tells the next run that the last one
 * did not end cleanly; it then waits before work: 2, 4, 8 ... 256 s. The file also stays when
 * another process crashed the server; those 2 s do no harm.
 */
#include "workers/worker.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#define FORGET_AFTER_MS 60000
#define LONGEST_WAIT_S 256

static char file_name[64] = "";
static int crashes = 0;
static bool waiting = false;
static TimestampTz work_began = 0;

static int
read_count(void)
{
    FILE *in = fopen(file_name, "r");
    int count = 0;

    if (in == NULL)
        return -1;
    if (fscanf(in, "%d", &count) != 1 || count < 0 || count > 1000)
        count = 0;
    fclose(in);
    return count;
}

static void
write_count(int count)
{
    FILE *out = fopen(file_name, "w");

    if (out == NULL || fprintf(out, "%d\n", count) < 0)
        ereport(LOG,
                (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", file_name),
                 errdetail("A crashing worker would not be slowed down.")));
    if (out != NULL)
        fclose(out);
}

/* A clean end, FATAL included. Not reached when the process is killed. A run that ended while it
 * waited proved nothing: the next one waits as long. */
static void
release(int code, Datum arg)
{
    if (waiting)
        write_count(crashes - 1);
    else
        unlink(file_name);
}

void
nmsp_brake_enter(Oid database_oid, int number)
{
    TimestampTz until;
    int wait_s;

    snprintf(file_name, sizeof(file_name), "nmsp_running.%u.%d", database_oid, number);
    crashes = read_count() + 1;
    write_count(crashes);
    waiting = crashes > 0;
    on_proc_exit(release, 0);
    wait_s = crashes < 8 ? 1 << crashes : LONGEST_WAIT_S;
    if (crashes > 0 && nmsp_crash_brake) {
        ereport(LOG, (errmsg("nmsp feeder: the last %d runs did not end cleanly, waiting %d s",
                             crashes, wait_s),
                      errhint("Look for the crash earlier in this log; nmsp.crash_brake = off "
                              "skips the wait.")));
        nmsp_slot_state("crash brake");
        until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_s * 1000L);
        while (GetCurrentTimestamp() < until) {
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000,
                      PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
    }
    waiting = false;
    work_began = GetCurrentTimestamp();
}

void
nmsp_brake_alive(void)
{
    if (crashes > 0 &&
        TimestampDifferenceExceeds(work_began, GetCurrentTimestamp(), FORGET_AFTER_MS)) {
        crashes = 0;
        write_count(0);
    }
}

/*
 * guc.c: the workers' settings. None may be set by a session: they decide where files are written,
 * what is run and as whom.
 */
#include "workers/worker.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"

char *nmsp_databases;
int nmsp_feeders = 2;
char *nmsp_role;
char *nmsp_feed_roots;
char *nmsp_command_file;
bool nmsp_crash_brake = true;

void
nmsp_define_settings(void)
{
    DefineCustomStringVariable("nmsp.databases",
                               "Databases that get a feeder, separated by commas.", NULL,
                               &nmsp_databases, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
    DefineCustomIntVariable(
        "nmsp.feeders", "Feeders of each database, which share its targets.",
        "A command that hangs or a slow disk delays the targets of its own feeder only.",
        &nmsp_feeders, 2, 1, 16, PGC_SIGHUP, 0, NULL, NULL, NULL);
    DefineCustomStringVariable(
        "nmsp.role", "Role that workers connect as.",
        "Empty: the bootstrap superuser. In a database, workers run SQL with the "
        "rights of the owner of nmsp_feed.target.",
        &nmsp_role, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
    DefineCustomStringVariable("nmsp.feed_roots",
                               "Folders that feeders may write in, separated by commas.",
                               "The root of each target must be one of them or lie inside one.",
                               &nmsp_feed_roots, "/etc/dhcp/nmsp, /srv/tftp, /var/lib/nmsp",
                               PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
    DefineCustomStringVariable(
        "nmsp.command_file", "File that says what the names of commands run.",
        "Lines of: name /path/of/program argument ...; %r in an argument is the "
        "target's root.",
        &nmsp_command_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
    DefineCustomBoolVariable(
        "nmsp.crash_brake", "Slows down a worker that crashed the server.",
        "Waits 2, 4, 8 ... 256 s before work when the last runs did not end cleanly.",
        &nmsp_crash_brake, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static void
register_launcher(void)
{
    BackgroundWorker worker = {
        .bgw_name = "nmsp launcher",
        .bgw_type = "nmsp launcher",
        .bgw_flags = BGWORKER_SHMEM_ACCESS,
        .bgw_start_time = BgWorkerStart_RecoveryFinished,
        .bgw_restart_time = 5,
        .bgw_library_name = "nmsp",
        .bgw_function_name = "nmsp_launcher_main",
    };

    RegisterBackgroundWorker(&worker);
}

void
nmsp_worker_init(void)
{
    if (IsBinaryUpgrade)
        return;
    nmsp_define_settings();
    if (!process_shared_preload_libraries_in_progress)
        return;
    nmsp_shmem_init();
    register_launcher();
}

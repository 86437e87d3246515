/*
 * worker.h: background workers of the extension: a launcher and one feeder per database.
 *
 * Everything here needs shared_preload_libraries = 'nmsp'; without it the functions still work and
 * find no slot.
 */
#ifndef NMSP_WORKER_H
#define NMSP_WORKER_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/spin.h"

#include "workers/feed/feed.h"

#define NMSP_SLOTS 65 /* slot 0 is the launcher's, the others are feeders' */
#define NMSP_ERROR_MAX 256

/* What one worker tells about itself. Only its owner writes; pid and pgprocno 0 / -1 = not running.
 */
typedef struct nmsp_slot {
    slock_t mutex;
    char database[NAMEDATALEN];
    int number;             /* of the feeders of its database, from 0 */
    bool works;             /* it takes its share of the targets */
    Oid database_oid;       /* read without lock by writers' sessions at commit */
    volatile int pgprocno;  /* whose latch to set; PGPROCs never vanish, so no race to a NULL */
    pg_atomic_uint32 wakes; /* by writers' sessions */
    int pid;
    char state[32];
    TimestampTz started_at;
    int64 starts;
    int64 batches;
    int64 artifacts;
    int64 failures;
    char last_error[NMSP_ERROR_MAX];
    TimestampTz last_error_at;
} nmsp_slot;

typedef struct nmsp_shared {
    nmsp_slot slots[NMSP_SLOTS];
} nmsp_shared;

/* NULL unless the library was preloaded. */
extern nmsp_shared *nmsp_state;

/* Settings; see guc.c. */
extern char *nmsp_databases;
extern int nmsp_feeders;
extern char *nmsp_role;
extern char *nmsp_feed_roots;
extern char *nmsp_command_file;
extern bool nmsp_crash_brake;

/* Defines the settings and, when preloaded, registers shared memory and the launcher. */
extern void nmsp_worker_init(void);
extern void nmsp_define_settings(void);
extern void nmsp_shmem_init(void);

/* Takes a slot for this process; false when a live process has it. Given back at exit. */
extern bool nmsp_slot_take(int slot, const char *database, int number);
extern void nmsp_slot_database(Oid database_oid);
extern void nmsp_slot_state(const char *state);
/* Counts a batch of so many artifacts, or a failure with its message. */
extern void nmsp_slot_note(long artifacts, const char *error);
/* This feeder takes its share of the targets from now on; the others of its database look again. */
extern void nmsp_slot_works(void);
/* Which of how many feeders of its database that work this one is. */
extern void nmsp_slot_share(int *feeder, int *feeders);
/* How often this process was woken by writers. */
extern uint32 nmsp_slot_wakes(void);
/* Process id in a slot, 0 when none runs. */
extern int nmsp_slot_pid(int slot);

/* Slows down a worker that took the server down: waits, longer each time, until it is safe to work.
 * See crash_brake.c. */
extern void nmsp_brake_enter(Oid database_oid, int number);
/* Call now and then: after a minute alive past crashes are forgotten. */
extern void nmsp_brake_alive(void);

/* The engine's store over SPI; wake-ups seen while it waited elsewhere are not lost. */
extern feed_store *nmsp_store_spi(void);

/* Entry points of the processes. */
extern PGDLLEXPORT void nmsp_launcher_main(Datum arg);
extern PGDLLEXPORT void nmsp_feeder_main(Datum slot);

#endif

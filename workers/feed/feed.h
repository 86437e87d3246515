/*
 * feed.h: the feed engine keeps targets (folders that daemons read, or record sets that they hold)
 * equal to what SQL says.
 *
 * The engine knows no PostgreSQL header. It reaches the database through struct feed_store, which
 * has an adapter for a background worker (store_spi.c) and may have others (libpq). Rules:
 *  - each query is one transaction; none is open while files are written or a command runs
 *  - no longjmp crosses the engine: an adapter returns a status, or ends the process
 *  - every step may be repeated: a crash between any two of them loses nothing
 */
#ifndef NMSP_FEED_H
#define NMSP_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FEED_MESSAGE_MAX 4096  /* bytes kept of an error or of a command's output */
#define FEED_PROTOCOL_TEXT "4" /* what nmsp_feed.protocol() must return */

typedef enum feed_status {
    FEED_OK,
    FEED_RETRY, /* this attempt failed; the same may be tried again later */
    FEED_FATAL  /* stop the engine */
} feed_status;

typedef enum feed_level { FEED_DEBUG, FEED_LOG, FEED_WARNING } feed_level;

/* A parameter or a column: text (NUL-terminated after len bytes) or bytes. data NULL = SQL null. */
typedef struct feed_value {
    const char *data;
    size_t len;
    bool binary; /* parameter is bytea; ignored in results */
} feed_value;

typedef struct feed_rows {
    size_t nrows;
    size_t ncols;
    feed_value *values; /* nrows * ncols, row by row */
    void *block;        /* the adapter's own */
    char error[FEED_MESSAGE_MAX];
} feed_rows;

typedef struct feed_store feed_store;
struct feed_store {
    void *context;
    /* Runs one statement in its own transaction; bytea columns come as bytes, others as text. sql
     * must be a string that lives for ever (plans are kept by its address). one_snapshot: all that
     * the statement calls sees one snapshot. On RETRY rows->error holds the message. */
    feed_status (*query)(feed_store *store, const char *sql, const feed_value *params, int nparams,
                         bool one_snapshot, feed_rows *rows);
    void (*free_rows)(feed_store *store, feed_rows *rows);
    void (*log)(feed_store *store, feed_level level, const char *text, const char *hint);
    /* Waits until ms passed or someone woke the store, also if that was since the last idle(). */
    feed_status (*idle)(feed_store *store, long ms);
    /* Waits ms at most whatever happens (0: only looks for signals). Both: FATAL = stop. */
    feed_status (*nap)(feed_store *store, long ms);
    int64_t (*now)(feed_store *store); /* monotonic milliseconds */
    /* What the server's settings say now; strings live until the next call of idle() or nap(). */
    const char *(*feed_roots)(feed_store *store);
    const char *(*command_file)(feed_store *store);
    /* A batch went into service (files > 0) or failed (error not NULL): for the worker's status. */
    void (*note)(feed_store *store, long files, const char *error);
    /* Ends an idle() that is under way or comes next. May be called from another thread. NULL: the
     * engine looks often instead. */
    void (*poke)(feed_store *store);
    /* Which of how many feeders that share the targets this is, from 0; they may change with
     * each query(). feeders 0 counts as 1. */
    int feeder;
    int feeders;
    /* Others that are fed from here by engines elsewhere are told of changes. NULL: none are. */
    const char *relay; /* a statement */
};

/* Column of a row; never NULL, its data may be. */
static inline const feed_value *
feed_get(const feed_rows *rows, size_t row, size_t column)
{
    return &rows->values[row * rows->ncols + column];
}

/* text.c: small helpers */
typedef struct feed_buffer {
    char *data; /* NUL-terminated once something was added */
    size_t len, size;
    bool failed; /* out of memory */
} feed_buffer;

void feed_add(feed_buffer *buffer, const char *data, size_t len);
/* Appends one element of a text[] literal, quoted; data NULL: NULL. Start with "{", end with "}".
 */
void feed_add_element(feed_buffer *buffer, const char *data, size_t len);
void feed_add_hex(feed_buffer *buffer, const char *data, size_t len);
void feed_message(char *error, size_t error_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* engine.c */

/* Serves all targets of the store until it says FATAL. */
void feed_run(feed_store *store);

/* files.c: safe writing below a folder that is held open */

/* Opens (and makes, below an allowed folder) a target's root. Returns the folder's descriptor, -1
 * with a message. roots: folders separated by commas, the root must be one of them or inside. */
int feed_open_root(const char *root, const char *roots, char *error, size_t error_size);

/* NULL when path is fit for an artifact: relative, no empty, "." or ".." component, no control
 * character, at most 1,024 bytes and 255 per component, none starting with ".nmsp-"; else why not.
 */
const char *feed_path_problem(const char *path, size_t len);

/* One file to put in place or to take away. */
typedef struct feed_file {
    const char *path;
    const char *old_path; /* mode set: where the artifact was, when its path changed; else NULL */
    const char *content;  /* NULL: remove */
    size_t len;
    bool vital;    /* mode set: without it the whole set is refused */
    bool doubt;    /* it may be in place already: look before writing */
    bool same;     /* out: disk had it already */
    bool stand_in; /* out: refused, and an empty file is in place since there was no old one */
    bool failed;   /* out: this file cannot be written (error says why), others can */
    char *error;   /* out: malloc'ed */
    char temp[32]; /* own use */
} feed_file;

/* Puts files in place below root, durably: all temps, one syncfs, all renames, one syncfs; few
 * files one by one with fsync. A file that is there already with the same content is not touched.
 * Returns OK; RETRY with a message when the folder as a whole failed (disk full, no rights); FATAL.
 * store NULL: called by the writer's thread, beside another call for the same root.
 */
feed_status feed_write_files(feed_store *store, int root, feed_file *files, size_t n, char *error,
                             size_t error_size);

/* Removes what an interrupted batch left behind. */
void feed_clean_temps(int root);

/* Opens the folder of path below dir without following symlinks, making folders when make is set;
 * *name points to the last component. Returns a descriptor, or -1 with errno. */
int feed_open_parent(int dir, const char *path, bool make, const char **name);

/* Opens a regular file below dir for reading, without following symlinks; -1 with errno. */
int feed_open_file(int dir, const char *path);

/* True when path below dir is a regular file with exactly this content. */
bool feed_same_content(int dir, const char *path, const char *content, size_t len);

/* Writes all bytes into a new file name in dir (0644), no fsync; -1 with errno. */
int feed_create(int dir, const char *name, const char *content, size_t len);

/* Replaces one small file in dir: temp, fsync, rename, fsync of the folder; -1 with errno. */
int feed_replace(int dir, const char *name, const char *content, size_t len);

/* Replaces a symlink in dir by rename and fsyncs the folder; -1 with errno. */
int feed_replace_link(int dir, const char *name, const char *to);

/* Removes a folder with all it holds, never following symlinks; -1 with errno. */
int feed_remove_tree(int dir, const char *name);

/* set.c: generations */
typedef struct feed_set {
    int root;
    int dir;          /* the new generation */
    int current;      /* the present one; -1: none */
    char name[32];    /* g-<n> */
    char present[32]; /* name of the present generation, or "" */
    bool changed;     /* differs from the present one, or that was cut short */
    bool cut_short;   /* the present one was put into service, but the daemon was not told */
} feed_set;

feed_status feed_set_build(feed_store *store, int root, feed_file *files, size_t n, feed_set *set,
                           char *error, size_t error_size);
/* Takes a refused file out of the new generation again: its old version comes back, or an empty
 * file (others may include it). */
feed_status feed_set_revert(feed_set *set, feed_file *file, char *error, size_t error_size);
/* Makes the generation durable and lets <root>/next point to it. */
feed_status feed_set_stage(feed_set *set, char *error, size_t error_size);
/* Puts it into service: <root>/current, then the stamp <root>/ready. */
feed_status feed_set_switch(feed_set *set, char *error, size_t error_size);
/* Notes that the daemon was told of it. */
feed_status feed_set_announced(feed_set *set, char *error, size_t error_size);
void feed_set_close(feed_set *set, bool keep);
/* Where text names path first (a whole name, not part of a longer one); NULL: nowhere. */
const char *feed_find_path(const char *text, const char *path);

/* commands.c */

/* A run of one of the commands: what it needs and what became of it. */
typedef struct feed_task {
    const char *cwd;   /* folder it runs in */
    const char *input; /* what it reads from descriptor 0, in a file; NULL: nothing */
    size_t input_len;
    int64_t timeout_ms;
    feed_buffer *answer; /* what it writes to descriptor 1, whole; NULL: goes into output too */
    int code;            /* out: exit status, 128 + signal, -1 not started, -2 timeout (killed) */
    char output[FEED_MESSAGE_MAX]; /* out: the beginning of what it said, NUL-terminated */
} feed_task;

/* Looks name up in the command file; argv gets a malloc'ed, NULL-terminated array with %r replaced
 * by root. Returns 0, or -1 with a message. */
int feed_command(const char *file, const char *name, const char *root, char ***argv, char *error,
                 size_t error_size);
void feed_free_command(char **argv);

/* Runs the command called name of a target whose root is given; see feed_spawn. A command that is
 * not known or not allowed is one that could not be started. */
feed_status feed_run_command(feed_store *store, const char *name, const char *root, feed_task *run);

/* Says why a run was no success, with the daemon's own words. */
void feed_command_message(const char *name, const feed_task *run, char *error, size_t error_size);

/* spawn.c */

/* Runs argv as run says and fills in its code and output. The child has its own session and
 * survives the end of this process. FATAL when told to stop. */
feed_status feed_spawn(feed_store *store, char *const argv[], feed_task *run);

/* Starts a child in a session of its own, with these descriptors as 0 (-1: nothing), 1 and 2 and no
 * others. Returns 0 or an errno. */
int feed_start_child(pid_t *pid, char *const argv[], const char *cwd, char *const environment[],
                     int input, int output, int message);
/* What commands find in their environment. */
extern char *const feed_environment[];
/* A file without a name that holds data, to be read from its begin; -1 with errno. */
int feed_make_input(const char *data, size_t len);

/* session.c: a command that stays running */
typedef struct feed_session feed_session;

/* How it is talked to: nmsp_feed.feed.session. */
typedef struct feed_talk {
    const char *begin;   /* input before the first message */
    const char *send;    /* the line that ends a message */
    const char *answer;  /* an answer's line on descriptor 2 begins so; the next one tells */
    const char *taken;   /* how that begins when the daemon took the message */
    const char *trouble; /* how a line begins that says that something is wrong */
} feed_talk;

/* Hands run's input to the session of a command, which is started where there is none (*session
 * NULL) or where the command or a file that it names is another now. *taken: the daemon took all of
 * it; code is -2 where it did not answer in time (killed). Else nothing is known, code 0: make the
 * run in the ordinary way. FATAL when told to stop. */
feed_status feed_session_run(feed_store *store, feed_session **session, const char *name,
                             const char *root, const feed_talk *talk, feed_task *run, bool *taken);
/* Ends a session that has had nothing to do for some minutes. */
void feed_session_tend(feed_store *store, feed_session **session);
/* Kills it. */
void feed_session_end(feed_session **session);

/* record.c: daemons that take changes by a command's input and can be read by another's output */
typedef struct feed_daemon {
    feed_store *store;
    const char *target; /* its id, as text */
    const char *root;   /* folder the commands run in */
    const char *apply;  /* name of the command that takes changes */
    const char *read;   /* name of the command that shows what the daemon has; NULL: none does */
    int64_t timeout_ms;
    feed_session **session; /* the command that takes changes, where it stays running */
} feed_daemon;

/* NULL when path is fit for a record: not empty, no control character, at most 1,024 bytes. */
const char *feed_record_problem(const char *path, size_t len);

/* Hands changes over: content NULL = drop the record of this path; old_path = one to drop beside.
 * What the daemon refuses is found by halving and marked failed with its message, the others are in
 * place. RETRY with a message when the daemon as a whole does not work; then some may be in place.
 */
feed_status feed_apply_records(const feed_daemon *daemon, feed_file **files, size_t n, char *error,
                               size_t error_size);

/* reconcile.c */
typedef struct feed_check {
    bool running;
    char *after_part; /* malloc'ed */
    int64_t after_id;
    char request[64]; /* check_requested as it was when the check began, or "" */
    feed_buffer seen; /* records: what the daemon has, as it says */
    size_t seen_at;   /* how much of it was handed over */
} feed_check;

/* Compares one page of the manifest with disk and reports what differs to the database. Returns OK
 * (look at check->running whether there is more), RETRY with a message, FATAL. */
feed_status feed_check_page(feed_store *store, int64_t target, bool is_set, int root,
                            feed_check *check, char *error, size_t error_size);

/* The same for records (record.c): the daemon is asked first, then its answer is looked at piece by
 * piece. */
feed_status feed_check_records(const feed_daemon *daemon, feed_check *check, char *error,
                               size_t error_size);

/* Reports that a comparison is done, and forgets it. */
feed_status feed_check_done(feed_store *store, const char *target, feed_check *check, char *error,
                            size_t error_size);

/* Forgets a comparison. */
void feed_check_forget(feed_check *check);

#endif

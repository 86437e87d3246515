/*
 * engine.h: what the parts of the feed engine share: targets, batches, what is remembered.
 */
#ifndef NMSP_FEED_ENGINE_H
#define NMSP_FEED_ENGINE_H

#include "workers/feed/feed.h"

typedef struct feed_writer feed_writer;

/* One batch. The files' texts point into rows. */
typedef struct batch {
    feed_rows rows;
    feed_file *files;
    size_t n;
    const char *token; /* NULL: no batch */
} batch;

/* Columns of nmsp_feed.pull() */
enum { ACTION, PART, ID, PATH, CONTENT, SHA256, TOKEN, VITAL };

/* What the engine remembers of a target between rounds; all of it may be forgotten. */
typedef struct memory {
    int64_t target;
    char *root;
    int fd; /* the open root, locked; -1 */
    feed_check check;
    feed_session *session; /* mode record */
    bool checked;  /* the comparison at start was begun */
    char *failure; /* the last one that the log was told, NULL: none since it went well */
    int64_t told;  /* when */
    int64_t busy;  /* since when another feeder has the root; 0: none has */
    /* mode file: what is walked in bulk; see flight.c */
    feed_writer *writer;
    batch flight;   /* the writer's */
    batch ahead;    /* rendered, to be given to it next */
    feed_file *job; /* the flight's files */
    size_t njob;
    bool at_end;  /* nothing is to be rendered ahead of the flight */
    bool counted; /* the walks' totals are known */
    bool trusted; /* something was confirmed since the root was opened: no batch is half done */
    struct memory *next;
} memory;

typedef struct target {
    int64_t id;
    char id_text[24];
    const char *name;
    enum { MODE_FILE, MODE_SET, MODE_RECORD } mode;
    long rank;
    const char *root;
    const char *validate;
    const char *reload;
    const char *apply;
    const char *read;
    int64_t timeout_ms;
    long wait_ms; /* 0: now, -1: nothing in sight */
    const char *check_requested;
    bool blocked; /* failed lately, wait_ms is its back-off */
    bool single;  /* changes wait */
    bool many;    /* a walk, or files to remove */
    bool lowest;  /* no other target must be served before it */
    memory *memory;
} target;

typedef struct engine {
    feed_store *store;
    memory *memories;
    target *targets;
    size_t ntargets;
    feed_rows rows; /* what the targets' texts point into */
    bool ready;
    bool told;  /* that it is not ready */
    bool begun; /* it was ready once */
    int64_t next_prune;
} engine;

static inline feed_value
text_value(const char *text)
{
    feed_value value = {text, text ? strlen(text) : 0, false};

    return value;
}

/* batch.c */

/* Runs a statement whose rows do not matter; error may be NULL. */
feed_status feed_execute(feed_store *store, const char *sql, const feed_value *params, int n,
                         char *error, size_t error_size);

/* Reads one boolean; left as it is when there is no row. */
feed_status feed_ask(feed_store *store, const char *sql, const feed_value *params, int n,
                     bool *answer);

/* Pulls what differs. lane: single, many, all; flights: tokens of batches on their way, as a text[]
 * literal. *answer: PULL_NOTHING (up to date), PULL_AGAIN (look again), PULL_WAIT (meets a flight)
 * or PULL_BATCH (then *b must be freed). RETRY: failed, error says why. */
typedef enum { PULL_NOTHING, PULL_AGAIN, PULL_WAIT, PULL_BATCH } pull_answer;
feed_status feed_pull(engine *e, const target *t, const char *lane, const char *flights, batch *b,
                      pull_answer *answer, char *error, size_t error_size);

/* Tells the database what is in place now, and the log what was refused. */
feed_status feed_confirm(engine *e, target *t, batch *b, char *error, size_t error_size);
void feed_free_batch(engine *e, batch *b);
/* Marks a file as refused. */
void feed_refuse(feed_file *file, const char *error);
/* Stores and tells that a target could not be served. RETRY, or FATAL. */
feed_status feed_fail(engine *e, target *t, const char *token, const char *error);

/* engine.c */

/* Serves one target once; *more: there may be more to do now. RETRY: it failed and was told. */
feed_status feed_serve(engine *e, target *t, bool *more);
feed_daemon feed_daemon_of(const engine *e, const target *t);

/* apply.c */

/* Puts a batch into service: validated, in the order of ranks, with a reload. *later: the ranks
 * below are not there yet and nothing was done. */
feed_status feed_apply(engine *e, target *t, batch *b, bool *later, char *error, size_t error_size);
/* The files of a batch that are to be written or removed, in an array to be freed; n of them. */
feed_file *feed_files_to_write(const batch *b, size_t *n);
/* What became of them goes back into the batch. */
void feed_take_results(batch *b, const feed_file *files, size_t n);
/* Waits a little until the targets of lower rank have what this batch may announce. */
feed_status feed_wait_for_ranks(engine *e, target *t, const batch *b, bool *later);
feed_status feed_reload(engine *e, target *t, char *error, size_t error_size);

/* flight.c */

/* Serves a target of mode file: changes at once, walks by the writer beside. */
feed_status feed_serve_files(engine *e, target *t, bool *more);
/* Gives up what is on its way (waits for the writer); it is done again later. */
void feed_forget_flights(engine *e, memory *m);

/* writer.c: a thread that writes files, so that the engine can render, confirm and serve single
 * changes meanwhile. It calls nothing but the functions of files.c. */
feed_writer *feed_writer_start(feed_store *store);
/* Hands files over; they and root are the writer's until feed_writer_landed() says true. */
void feed_writer_give(feed_writer *w, int root, feed_file *files, size_t n);
/* True when nothing is on its way. Then *status and error say what became of the last job. */
bool feed_writer_landed(feed_writer *w, feed_status *status, char *error, size_t error_size);
/* Waits ms at most. */
void feed_writer_wait(feed_writer *w, long ms);
/* Ends the thread, once it has done its job. */
void feed_writer_end(feed_writer *w);

#endif

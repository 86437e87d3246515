/*
 * From template and values to a modem's sealed file.
 */
#ifndef NMSP_RENDER_H
#define NMSP_RENDER_H

#include "extension/pg/glue.h"

#include "access/htup_details.h"
#include "utils/jsonb.h"

typedef struct bytes {
    const char *data;
    size_t length;
} bytes;

/*
 * What nmsp_render() found for a source and values that it was given before, so that it need not
 * compare them again. The caller keeps RENDER_MEMOS of them, all zero at first, and zeroes them when
 * what the pointers of its inputs point to may have changed.
 */
typedef struct render_memo {
    uint64 epoch;                    /* of the programs */
    const char *source;
    Jsonb *service_class, *setting;
    int max_cpe;
    bool network_access;
    struct program *program;
    struct variant *variant;
} render_memo;

#define RENDER_MEMOS 128             /* by hash, two places for each */

/* What one file is made of. Placeholders read, in this order: */
typedef struct render_input {
    HeapTupleData modem;             /* {modem.<column>.0}: a row of nmsp.modem or one like it */
    TupleDesc modem_desc;
    const char *hostname;            /* {modem.hostname.0} */
    Jsonb *(*options)(struct render_input *input); /* {modem.<key>.0}: an object, or NULL */
    Jsonb *service_class;            /* an object, or NULL */
    Jsonb *setting;                  /* an object, or NULL */

    bytes source;                    /* the template's whole text */
    bytes name;                      /* its name, for messages */
    bool network_access;
    int max_cpe;
    const char *extra;               /* further statements, or NULL */
    bytes secret;
    render_memo *memos;

    /* private */
    bool refused;                    /* a value was met that is not plain */
    char number[32];
} render_input;

/*
 * The sealed file, in CurrentMemoryContext. Raises what docsis.parse and docsis.seal raise, with
 * line and column of the template.
 */
struct varlena *nmsp_render(render_input *input);

#endif

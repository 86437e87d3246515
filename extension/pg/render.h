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
    bytes secret;

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

/*
 * lookup.c: placeholder of the look-up service.
 */
#include "workers/serve/serve.h"

struct lookup_service *
lookup_start(loop *l, const config *c, database *d)
{
    agent_log(AGENT_ERROR, "lookup_listen: this agent was built without the look-up");
    return NULL;
}

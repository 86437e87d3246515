/*
 * action.h: nmsp-agent -a, which does what waits in nmsp.action.
 */
#ifndef NMSP_ACTION_H
#define NMSP_ACTION_H

#include "workers/serve/serve.h"

/* Runs until SIGTERM or SIGINT; file is read again upon SIGHUP. What is under way then is waited for.
 * Returns the exit status. */
int action_run(const char *file, const config *c);

#endif

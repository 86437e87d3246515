/*
 * store_libpq.h: the feed engine outside the server, over libpq.
 */
#ifndef NMSP_STORE_LIBPQ_H
#define NMSP_STORE_LIBPQ_H

#include "workers/feed/feed.h"
#include "workers/serve/serve.h"

/* A store that connects when it is first asked, and again when the connection breaks. file: the
 * configuration, read again at SIGHUP. Catches SIGTERM and SIGINT (FATAL) and SIGHUP. */
feed_store *store_libpq(const char *file, const config *c);

#endif

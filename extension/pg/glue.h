/*
 * What the fmgr glue shares: buffers that grow by palloc, and errors of the codec core as
 * PostgreSQL errors. The core (extension/docsis, extension/template) knows nothing of PostgreSQL.
 */
#ifndef NMSP_GLUE_H
#define NMSP_GLUE_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/memutils.h"

#include "extension/docsis/docsis.h"

/* A buffer in CurrentMemoryContext whose first VARHDRSZ bytes are left for a varlena header. */
void nmsp_buffer_init(docsis_buffer *buffer, Size expected);

/*
 * The buffer as a varlena (bytea, text, docsis.config), or as a zero-terminated string that may be
 * freed; its contents are void after that.
 */
struct varlena *nmsp_buffer_varlena(docsis_buffer *buffer);
char *nmsp_buffer_cstring(docsis_buffer *buffer);

/* Takes a newline at the end away: a value in a table of psql needs none. */
void nmsp_buffer_chomp(docsis_buffer *buffer);

/*
 * Raises a codec error with its SQLSTATE, DETAIL (line, column or offset first) and HINT. where
 * says what the text is ("template \"base\""), or is NULL; line_shift is subtracted from its line.
 */
void nmsp_raise(const docsis_error *error, const char *where, int line_shift) pg_attribute_noreturn();

/*
 * Options whose warnings become WARNINGs, and of ambiguous MIB names a NOTICE once per statement.
 * profile: "cablelabs", "ietf" or "excentis"; limits: "current" or "docsis" (22023 otherwise).
 */
docsis_options nmsp_parse_options(const char *profile, const char *limits);

/* The bytes a text stands for: UTF-8, whatever the database's encoding. */
const uint8_t *nmsp_text_bytes(const text *t, size_t *length);
const uint8_t *nmsp_utf8(const char *server, size_t length, size_t *utf8_length);

/*
 * The prepared key of a shared secret; valid until the next call. Raises 22023 when the secret is
 * empty or too long.
 */
const docsis_key *nmsp_key(const uint8_t *secret, size_t length);

/* Appends to a palloc'd buffer. */
void nmsp_buffer_append(docsis_buffer *buffer, const char *data, size_t length);

/* Installs the hooks that add a HINT to violations of this product's constraints (hints.c). */
void nmsp_hints_init(void);

#endif

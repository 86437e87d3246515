/*
 * The operator's own MIB objects, table nmsp.mib_object, for the codec.
 */
#ifndef NMSP_MIB_OVERLAY_H
#define NMSP_MIB_OVERLAY_H

#include "extension/pg/glue.h"

/*
 * The objects as the active snapshot sees them, or NULL when there are none (or no table yet). Valid
 * until the next call. *generation (may be NULL) is another number whenever the objects are others:
 * what was made with their help holds as long as it stays.
 */
const docsis_mib_overlay *nmsp_mib_overlay(uint64 *generation);

#endif

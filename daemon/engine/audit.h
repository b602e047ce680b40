/* SPDX-License-Identifier: MIT
 *
 * Audits of orders that have taken effect: the outbox stores them. Loop thread.
 */
#ifndef ETLD_AUDIT_H
#define ETLD_AUDIT_H

#include <bson/bson.h>

#include "engine/engine.h"

/* Takes what `details` owns, and adds when it was asked for: the audit's own time is the store's.
 */
void etld_audit(struct etld *etld, const char *who, const char *what, bson_t *details);

/* One that never will be stored: into the journal. */
void etld_audit_lost(const char *who, const char *what, const struct etl_error *err);

#endif

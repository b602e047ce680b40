/* SPDX-License-Identifier: MIT
 *
 * Audits in the order of their orders. A lost answer leaves one there once:
 * its `_id` is made with the order.
 *
 * Example: a host is released while MongoDB is unreachable. The host is asked again at once; the
 * audit waits in the outbox with `asked`, the time of the order, and when MongoDB is back it is
 * stored, with `at` by the store's clock. All audits share the key "" of the outbox, so that they
 * are stored in the order in which the orders took effect, of whatever job.
 */
#include "engine/audit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/outbox.h"
#include "io/journal.h"
#include "state/state.h"

struct audit {
	struct etld_entry entry;
	char id[ETL_UUID_BYTES];
	char *who;
	const char *what; /* static */
	bson_t *details;
};

static struct audit *audit_of(struct etld_entry *entry)
{
	return ETL_OF(struct audit, entry, entry);
}

/* Added without an id of ours: after a lost answer a second one may be stored. Twice is a nuisance
 * to a reader, none would be a hole in the record. */
static int audit_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	const struct audit *a = audit_of(entry);

	return etl_audit_add(etld->state, a->id, a->who, a->what, a->details, err);
}

/* The journal is the last place: what could not be stored must not vanish. */
void etld_audit_lost(const char *who, const char *what, const struct etl_error *err)
{
	etld_log(ETLD_WARNING, NULL, (struct etld_field[]){{"ETL_WHO", who, 0}}, 1,
		"the audit of '%s' by %s could not be stored: %s", what, who, err->message);
}

static void audit_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	const struct audit *a = audit_of(entry);

	(void)etld;
	if (err)
		etld_audit_lost(a->who, a->what, err);
}

static void audit_free(struct etld_entry *entry)
{
	struct audit *a = audit_of(entry);

	bson_destroy(a->details);
	free(a->who);
	free(a);
}

static const struct etld_entry_kind audit_kind = {
	.id = ETLD_ENTRY_AUDIT, .send = audit_send, .sent = audit_sent,
	.free = audit_free};

/* `details` is copied: libbson may have built it on the caller's stack. */
void etld_audit(struct etld *etld, const char *who, const char *what, bson_t *details)
{
	struct audit *a = ETL_NEW(struct audit);

	etl_uuid7(etl_now(etld->clock).ms, a->id);
	a->who = etl_strdup(who);
	a->what = what;
	a->details = bson_copy(details);
	bson_destroy(details);
	BSON_APPEND_DATE_TIME(a->details, "asked", etl_now(etld->clock).ms);
	etld_outbox_put(etld, "", &audit_kind, &a->entry);
	etld_outbox_flush(etld);
}

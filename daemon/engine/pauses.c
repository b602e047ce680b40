/* SPDX-License-Identifier: MIT
 *
 * Orders to pause or resume, an entry for the outbox for each job of them.
 *
 * Example: `etlctl pause --group fast` of 200 jobs. Each stops taking slots as soon as the walk
 * reaches it; each is an entry of the outbox under its own key, with the order that they share.
 * When the last of them is stored, the order ends and its operator has the answer. If MongoDB is
 * lost in the middle, the operator is told at once that it holds here and is kept, and the entries
 * go on waiting.
 */
#include "engine/pauses.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/str.h"
#include "engine/audit.h"
#include "engine/backend.h"
#include "engine/deadline.h"
#include "engine/outbox.h"
#include "engine/picture.h"
#include "io/journal.h"
#include "time/civil.h"

#define PAUSES_TOGETHER 100 /* jobs that one task stores */
/* What is stored within this is the newest order, and is not held against clocks. */
#define AS_IT_IS_GIVEN ETL_SECONDS(10)

struct etld_pause_order {
	struct etld_pause_order *prev, *next; /* in etld->pauses, while somebody waits for it */
	struct etld *etld;
	bool pause;
	char *who, *why;
	etl_wall from, asked;
	etl_mono since; /* `asked`, by a clock that nobody sets */
	size_t users; /* its entries, and whoever adds to it */
	etld_pause_fn *told;
	void *ctx;
	struct etl_error error; /* the first of what could not be stored */
};

struct pause {
	struct etld_entry entry;
	struct etld_pause_order *order;
	char *job;
	char audit[ETL_UUID_BYTES];
	bool set; /* the store has it, but for the audit */
	bool overtaken; /* a newer order is there, and stays */
};

static struct pause *pause_of(struct etld_entry *entry)
{
	return ETL_OF(struct pause, entry, entry);
}

/* ---- the order ------------------------------------------------------------------------------ */

/* Once: whoever is told is out of the list before, since it may give another order within the call.
 */
static void tell(struct etld_pause_order *order, enum etld_pause_end how, const char *reason)
{
	etld_pause_fn *told = ETL_TAKE(order->told);

	if (!told)
		return;
	DL_DELETE(order->etld->pauses, order);
	told(order->ctx, how, reason);
}

/* Its entries and whoever adds to it each hold the order: while jobs are still being added, entries
 * that are stored already must not end it. */
static void release(struct etld_pause_order *order)
{
	bool refused = order->error.kind != ETL_OK;

	if (--order->users)
		return;
	tell(order, refused ? ETLD_PAUSE_REFUSED : ETLD_PAUSE_STORED, order->error.message);
	free(order->who);
	free(order->why);
	free(order);
}

struct etld_pause_order *etld_pauses_begin(struct etld *etld, bool pause, const char *who,
	const char *why, etl_wall from)
{
	struct etld_pause_order *order = ETL_NEW(struct etld_pause_order);

	order->etld = etld;
	order->pause = pause;
	order->who = etl_strdup(who);
	order->why = etl_strdup(why);
	order->from = from;
	order->asked = etl_now(etld->clock);
	order->since = etl_mono_now(etld->clock);
	order->users = 1;
	order->error = (struct etl_error)ETL_ERROR_INIT;
	return order;
}

/* ---- its jobs ------------------------------------------------------------------------------- */

/* The fault point holds a test's pause on its way. What is stored already is not stored again for
 * an audit that failed: somebody else may have changed it since. */
static int pause_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	struct pause *p = pause_of(entry);
	const struct etld_pause_order *order = p->order;
	const struct etl_pause what = {p->job, order->who, order->why, order->asked, order->pause};
	bool late = etl_mono_diff(etl_mono_now(etld->clock), order->since).us > AS_IT_IS_GIVEN.us;
	bson_t details = BSON_INITIALIZER;
	int rc;

	(void)etl_fault("pause.store", NULL);
	rc = p->set ? !p->overtaken : etl_pause_set(etld->state, &what, late, err);
	if (rc < 0)
		return -1;
	p->set = true;
	p->overtaken = rc == 0;
	BSON_APPEND_UTF8(&details, "job", p->job);
	BSON_APPEND_UTF8(&details, "reason", order->why);
	BSON_APPEND_DATE_TIME(&details, "asked", order->asked.ms);
	BSON_APPEND_BOOL(&details, "overtaken", p->overtaken);
	rc = etl_audit_add(etld->state, p->audit, order->who, order->pause ? "pause" : "resume",
		&details, err);
	bson_destroy(&details);
	return rc;
}

/* What is on record is read again, and holds here as well from then on. */
static void tell_overtaken(struct etld *etld, const struct pause *p)
{
	char asked[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(p->order->asked, asked);
	etld_log(ETLD_NOTICE, NULL, (struct etld_field[]){{"ETL_JOB", p->job, 0}}, 1,
		"%s: the %s of %s is not stored: a newer order is on record, and holds. etlctl status %s "
		"shows it", p->job, p->order->pause ? "pause" : "resume", asked, p->job);
	etld_picture_hurry(etld);
}

/* From here on what the store holds counts (picture.h), but for pauses that it never heard of. */
static void pause_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	struct pause *p = pause_of(entry);
	struct etld_job *job = etld_job_find(etld, p->job);

	if (err && p->set) /* the pause is stored, and says so; its audit is not */
		etld_audit_lost(p->order->who, p->order->pause ? "pause" : "resume", err);
	else if (err && p->order->error.kind == ETL_OK)
		p->order->error = *err;
	if (!job || !job->pausing)
		return; /* it went, or went and came back */
	job->pausing--;
	job->pause_unsaved = err && !p->set;
	etld_job_changed(etld, job);
	if (p->overtaken)
		tell_overtaken(etld, p);
}

/* The order may end by this, and its operator be told within the call. */
static void pause_free(struct etld_entry *entry)
{
	struct pause *p = pause_of(entry);

	release(p->order);
	free(p->job);
	free(p);
}

static const struct etld_entry_kind pause_kind = {
	.id = ETLD_ENTRY_PAUSE, .together = PAUSES_TOGETHER, .send = pause_send, .sent = pause_sent,
	.free = pause_free};

/* The scheduler first, so that no slot starts between the order and its record. `pausing` counts
 * changes that the store does not have yet: as long as it is not 0, a reading of the store says
 * nothing about this job's pause (picture_take.c). */
bool etld_pauses_add(struct etld_pause_order *order, struct etld_job *job)
{
	struct etld *etld = order->etld;
	bool changed = job->sched.paused != order->pause;
	struct pause *p = ETL_NEW(struct pause);

	if (order->pause)
		etl_sched_pause(etld->sched, &job->sched);
	else
		etl_sched_resume(etld->sched, &job->sched, order->from);
	etld_job_note_pause(job, order->pause ? order->who : NULL, order->pause ? order->why : NULL,
		order->asked);
	etld_deadline_look(etld, job);
	job->pausing++;
	p->order = order;
	p->job = etl_strdup(job->name);
	etl_uuid7(order->asked.ms, p->audit);
	order->users++;
	etld_outbox_put(etld, job->name, &pause_kind, &p->entry);
	return changed;
}

/* Listed before the flush: an outbox that could store all of it within the call would else end an
 * order that nobody waits for yet. */
void etld_pauses_end(struct etld_pause_order *order, etld_pause_fn *told, void *ctx)
{
	struct etld *etld = order->etld;

	order->told = told;
	order->ctx = ctx;
	if (told)
		DL_APPEND(etld->pauses, order);
	etld_outbox_flush(etld);
	if (!etld->mongodb_up)
		etld_pauses_down(etld);
	release(order);
}

/* Nobody waits at a terminal for a database that may be back tomorrow. */
void etld_pauses_down(struct etld *etld)
{
	while (etld->pauses)
		tell(etld->pauses, ETLD_PAUSE_KEPT,
			etld_mongodb_reason(etld));
}

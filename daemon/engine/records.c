/* SPDX-License-Identifier: MIT
 *
 * Records of runs that ended while MongoDB was unreachable: kept in memory, told, and saved in
 * their order when it is back. A restart in between loses them; whoever takes the job's lease next
 * then writes down that the run was interrupted. Loop thread, but for what is sent.
 *
 * Example: MongoDB is lost while a run commits its last slice. The run ends as failed, its record
 * cannot be saved, and the run itself is kept, with its generation, in the outbox. When MongoDB is
 * back the record is made from it and stored with the lease, which then ends as after any run; the
 * windows are still due, and the next run finds out by the ledger what of them is in.
 */
#include "engine/records.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "engine/outbox.h"
#include "io/journal.h"
#include "io/loop.h"

#define RECORDS_MAX 256 /* a run is large; the oldest goes first */
#define RECORDS_TOGETHER 16

/* The run itself is kept: it has ended, and its record is made from it. */
struct record {
	struct etld_entry entry;
	struct etld_generation *generation;
	struct etl_run *run;
};

static struct record *record_of(struct etld_entry *entry)
{
	return ETL_OF(struct record, entry, entry);
}

static void tell(enum etld_level level, const struct etl_run *run, const char *what,
	const char *why)
{
	struct etld_field fields[] = {
		{"ETL_JOB", run->job->name, 0}, {"ETL_RUN_ID", run->run_id, 0}};

	etld_log(level, NULL, fields, 2, "%s: the record of run %s %s%s", run->job->name,
		run->run_id, what, why);
}

/* The very run and not a copy: its record names steps and partitions that are its parts. */
static int record_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	(void)etld;
	return etl_run_save_again(record_of(entry)->run, err);
}

static void record_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	(void)etld;
	if (err)
		tell(ETLD_WARNING, record_of(entry)->run, "could not be saved: ", err->message);
	else
		tell(ETLD_NOTICE, record_of(entry)->run, "is saved now", "");
}

static void record_lost(struct etld_entry *entry)
{
	tell(ETLD_WARNING, record_of(entry)->run, "is lost", ": etld ends before MongoDB is back");
}

static void record_free(struct etld_entry *entry)
{
	struct record *r = record_of(entry);

	etl_run_free(r->run);
	etld_generation_unref(r->generation);
	free(r);
}

static const struct etld_entry_kind record_kind = {
	.id = ETLD_ENTRY_RECORD, .max = RECORDS_MAX, .together = RECORDS_TOGETHER,
	.send = record_send,
	.sent = record_sent, .lost = record_lost, .free = record_free};

/* Only what may pass is kept: a record that the store refuses (too large, no rights) would be
 * refused again. */
struct etl_run *etld_records_failed(struct etld *etld, struct etl_run *run,
	struct etld_generation *generation, const struct etl_error *error)
{
	struct record *r;

	etld_on_loop(etld->loop);
	if (error->kind != ETL_TRANSIENT) {
		tell(ETLD_WARNING, run, "could not be saved: ", error->message);
		return run;
	}
	tell(ETLD_WARNING, run, "is kept until MongoDB is back: ", error->message);
	r = ETL_NEW(struct record);
	r->generation = etld_generation_ref(generation);
	r->run = run;
	etld_outbox_put(etld, run->job->name, &record_kind, &r->entry);
	etld_outbox_flush(etld);
	return NULL;
}

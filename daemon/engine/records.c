/* SPDX-License-Identifier: MIT
 *
 * Records of runs that ended while MongoDB was unreachable: kept in memory, told, and saved in
 * their order when it is back. A restart in between loses them; whoever takes the job's lease next
 * then writes down that the run was interrupted. Loop thread, but for the work of the task.
 */
#include "engine/records.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/alloc.h"
#include "engine/backend.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/pool.h"

#define RECORDS_MAX 256 /* the oldest goes first */

/* The run itself is kept: it has ended, and its record is made from it. */
struct etld_record {
	struct etld_task task;
	struct etld_record *prev, *next;
	struct etld *etld;
	struct etld_generation *generation;
	struct etl_run *run;
	struct etl_error error;
	bool on_worker;
};

struct etld_records {
	struct etld_record *list;
	size_t n;
};

static void record_free(struct etld_record *r)
{
	etl_run_free(r->run);
	etld_generation_unref(r->generation);
	free(r);
}

static void tell(enum etld_level level, const struct etl_run *run, const char *what, const char *why)
{
	struct etld_field fields[] = {{"ETL_JOB", run->job->name, 0}, {"ETL_RUN_ID", run->run_id, 0}};

	etld_log(level, NULL, fields, 2, "%s: the record of run %s %s%s", run->job->name, run->run_id,
		what, why);
}

static void drop(struct etld_record *r)
{
	DL_DELETE(r->etld->records->list, r);
	r->etld->records->n--;
	record_free(r);
}

static void save_work(struct etld_task *task)
{
	struct etld_record *r = (struct etld_record *)task;

	etld_on_worker();
	etl_error_clear(&r->error);
	etl_run_save_again(r->run, &r->error);
}

static void save_done(struct etld_task *task)
{
	struct etld_record *r = (struct etld_record *)task;
	struct etld *etld = r->etld;

	r->on_worker = false;
	if (etl_store_is_away(&r->error)) {
		etld_backend_lost(etld, &r->error);
		return; /* whoever finds it again goes on here */
	}
	if (r->error.kind == ETL_OK)
		tell(ETLD_NOTICE, r->run, "is saved now", "");
	else
		tell(ETLD_WARNING, r->run, "could not be saved: ", r->error.message);
	drop(r);
	etld_records_flush(etld);
}

void etld_records_flush(struct etld *etld)
{
	struct etld_record *r = etld->records->list;

	etld_on_loop(etld->loop);
	if (!r || r->on_worker || !etld->mongodb_up)
		return;
	r->on_worker = true;
	r->task = (struct etld_task){.work = save_work, .done = save_done, .name = "record",
		.of = r->run->job->name};
	etld_pool_submit(etld->pool, &r->task);
}

static void make_room(struct etld *etld)
{
	struct etld_record *oldest = etld->records->list;

	if (etld->records->n < RECORDS_MAX)
		return;
	if (oldest->on_worker)
		oldest = oldest->next;
	tell(ETLD_WARNING, oldest->run, "is given up", ": too many wait for MongoDB");
	drop(oldest);
}

struct etl_run *etld_records_failed(struct etld *etld, struct etl_run *run,
	struct etld_generation *generation, const struct etl_error *error)
{
	struct etld_record *r;

	etld_on_loop(etld->loop);
	if (!etl_store_is_away(error) || etld->draining) {
		tell(ETLD_WARNING, run, "could not be saved: ", error->message);
		return run;
	}
	make_room(etld);
	r = ETL_NEW(struct etld_record);
	r->etld = etld;
	r->generation = etld_generation_ref(generation);
	r->run = run;
	r->error = (struct etl_error)ETL_ERROR_INIT;
	DL_APPEND(etld->records->list, r);
	etld->records->n++;
	tell(ETLD_WARNING, run, "is kept until MongoDB is back: ", error->message);
	return NULL;
}

void etld_records_open(struct etld *etld)
{
	etld->records = ETL_NEW(struct etld_records);
}

void etld_records_free(struct etld *etld)
{
	struct etld_record *r, *next;

	if (!etld->records)
		return;
	DL_FOREACH_SAFE(etld->records->list, r, next) {
		tell(ETLD_WARNING, r->run, "is lost", ": etld ends before MongoDB is back");
		drop(r);
	}
	free(ETL_TAKE(etld->records));
}

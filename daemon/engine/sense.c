/* SPDX-License-Identifier: MIT
 *
 * Sensors (`wait_for`): a worker asks MongoDB how new the newest document is, the loop tells
 * the scheduler, which decides. A question belongs to its job until its answer is there, the
 * job asks anew, or goes; the configuration that it was asked with lives as long as it does.
 * Loop thread, but for the work of the task.
 */
#include "engine/sense.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/backend.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/pool.h"
#include "mongo/newest.h"
#include "run/run.h"
#include "time/civil.h"
#include "time/duration.h"

struct etld_question {
	struct etld_task task;
	struct etld *etld;
	struct etld_job *job; /* NULL = nobody waits for the answer any more */
	struct etld_generation *generation;
	const struct etl_wait_for *wait_for;
	int found;
	etl_wall newest;
	struct etl_error error;
};

/* The job's own if it names one, else that of the daemon's file. */
static const char *database_of(const struct etld_question *q)
{
	return q->wait_for->database ? q->wait_for->database : q->etld->database;
}

static void question_work(struct etld_task *task)
{
	struct etld_question *q = (struct etld_question *)task;
	struct etl_newest_query query = {
		.database = database_of(q),
		.collection = q->wait_for->collection,
		.field = q->wait_for->field,
		.filter = q->wait_for->filter,
	};

	etld_on_worker();
	q->found = etl_mongo_newest(q->etld->mongo, &query, &q->newest, &q->error);
}

/* True if the newest document is new enough. `said`: what was seen, in words. Example:
 * newer_than 1h, asked at 10:00: a newest document of 09:10 satisfies, one of 08:50 does not. */
static bool judge(const struct etld_question *q, char *said, size_t size)
{
	etl_dur age = etl_wall_age(etl_now(q->etld->clock), q->newest);
	char at[ETL_TIME_TEXT_BYTES], old[ETL_DURATION_TEXT_BYTES];

	if (q->found < 0) {
		snprintf(said, size, "%.200s", q->error.message);
		return false;
	}
	if (!q->found) {
		snprintf(said, size, "nothing in %.63s.%.64s fits yet", database_of(q),
			q->wait_for->collection);
		return false;
	}
	etl_time_format_rfc3339(q->newest, at);
	etl_duration_format((etl_dur){age.us - age.us % 1000000}, old, sizeof old);
	snprintf(said, size, "newest %.63s.%.64s is from %s, %s old", database_of(q),
		q->wait_for->collection, at, old);
	return age.us <= q->wait_for->newer_than.us;
}

/* Only the first refusal of a slot is logged; a sensor that is asked every minute for a day
 * would fill the log. Status has the newest answer. */
static void tell(const struct etld_job *job, const char *said)
{
	struct etld_field fields[] = {{"ETL_JOB", job->name, 0}, {"ETL_REASON", said, 0}};

	etld_log(ETLD_INFO, NULL, fields, 2, "%s: waits for %s: %s", job->name,
		job->sched.job->wait_for->collection, said);
}

/* The answer to a question that was dropped changes nothing: the job asked anew, or is gone. */
static void question_done(struct etld_task *task)
{
	struct etld_question *q = (struct etld_question *)task;
	struct etld_job *job = q->job;
	struct etld *etld = q->etld;
	char said[ETL_SENSE_SAID_BYTES];
	bool satisfied;

	if (job) {
		job->question = NULL;
		if (etl_store_is_unreachable(&q->error))
			etld_backend_lost(etld, &q->error);
		satisfied = judge(q, said, sizeof said);
		if (job->sched.sensing && !satisfied && !job->sched.sense_said)
			tell(job, said);
		etl_sched_sensed(etld->sched, &job->sched, satisfied, said);
		etld->news->changed(etld);
	}
	etld_generation_unref(q->generation);
	free(q);
}

/* The worker may still be at it: the question is cut off from the job and freed when its answer
 * comes. */
void etld_sense_drop(struct etld_job *job)
{
	if (job->question)
		job->question->job = NULL;
	job->question = NULL;
}

/* Only where the workers are gone; else see etld_sense_drop. */
void etld_sense_free(struct etld_job *job)
{
	if (job->question)
		etld_generation_unref(job->question->generation);
	free(ETL_TAKE(job->question));
}

/* The generation is kept for as long as the worker reads `wait_for`: a reload must not free it
 * under the question. */
void etld_sense_ask(struct etld *etld, struct etld_job *job)
{
	struct etld_question *q = ETL_NEW(struct etld_question);

	etld_on_loop(etld->loop);
	etld_sense_drop(job);
	*q = (struct etld_question){
		.task = {.work = question_work, .done = question_done, .name = "sensor",
			.of = job->sched.job->name},
		.etld = etld,
		.job = job,
		.generation = etld_generation_ref(etld->generation),
		.wait_for = job->sched.job->wait_for,
		.error = ETL_ERROR_INIT,
	};
	job->question = q;
	etld_pool_submit(etld->pool, &q->task);
}

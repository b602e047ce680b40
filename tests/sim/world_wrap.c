/* SPDX-License-Identifier: MIT
 *
 * What the linker wraps (Makefile): the driver's calls, which have no server here, and those of
 * the daemon that the book has to see pass by.
 */
#include <stdio.h>

#include "base/uuid.h"
#include "engine/runs.h"
#include "engine/runs_watch.h"
#include "engine/jobs.h"
#include "engine/sense.h"
#include "etld.h"
#include "laws.h"
#include "mongo/mongo.h"
#include "mongo/newest.h"
#include "world_sensor.h"
#include "world_store.h"

void __wrap_etl_uuid7(int64_t unix_ms, char out[ETL_UUID_BYTES]);
void __wrap_etl_mongo_global_init(void);
void __wrap_etl_mongo_global_cleanup(void);
struct etl_mongo *__wrap_etl_mongo_new(const char *uri, const char *app_name, unsigned pool_max,
	struct etl_error *err);
struct etl_mongo *__wrap_etl_mongo_new_within(const char *uri, const char *app_name,
	unsigned pool_max, int32_t answer_ms, struct etl_error *err);
void __wrap_etl_mongo_free(struct etl_mongo *mongo);
int __wrap_etl_mongo_ping(struct etl_mongo *mongo, struct etl_mongo_topology *out,
	struct etl_error *err);
void __wrap_etl_mongo_diagnose(struct etl_mongo *mongo, struct etl_error *err);
void __wrap_etl_mongo_hurry(struct etl_mongo *mongo);
int __wrap_etl_mongo_newest(struct etl_mongo *mongo, const struct etl_newest_query *query,
	etl_wall *at, struct etl_error *err);
void __wrap_etld_sense_ask(struct etld *etld, struct etld_job *job);
void __real_etld_sense_ask(struct etld *etld, struct etld_job *job);
struct etl_state *__wrap_etl_state_mongodb_new(struct etl_mongo *mongo, const char *database);
struct etld_run *__wrap_etld_run_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger);
struct etld_run *__real_etld_run_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger);
void __wrap_etld_run_orphan(struct etld_run *run);
void __real_etld_run_orphan(struct etld_run *run);

void __wrap_etl_sched_pause(struct etl_sched *sched, struct etl_sched_job *job);
void __real_etl_sched_pause(struct etl_sched *sched, struct etl_sched_job *job);
void __wrap_etl_sched_resumed_elsewhere(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info);
void __real_etl_sched_resumed_elsewhere(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info);

void __wrap_etl_uuid7(int64_t unix_ms, char out[ETL_UUID_BYTES])
{
	unsigned long long ms = (unsigned long long)unix_ms & 0xffffffffffff;
	unsigned long long a = dice(), b = dice();

	snprintf(out, ETL_UUID_BYTES, "%08llx-%04llx-7%03llx-8%03llx-%012llx", ms >> 16, ms & 0xffff,
		a & 0xfff, a >> 12 & 0xfff, b & 0xffffffffffff);
}

void __wrap_etl_mongo_global_init(void)
{
}

void __wrap_etl_mongo_global_cleanup(void)
{
}

struct etl_mongo *__wrap_etl_mongo_new(const char *uri, const char *app_name, unsigned pool_max,
	struct etl_error *err)
{
	(void)uri;
	(void)app_name;
	(void)pool_max;
	(void)err;
	return (struct etl_mongo *)(void *)&world;
}

void __wrap_etl_mongo_hurry(struct etl_mongo *mongo)
{
	(void)mongo;
}

void __wrap_etl_mongo_diagnose(struct etl_mongo *mongo, struct etl_error *err)
{
	(void)mongo;
	(void)err;
}

struct etl_mongo *__wrap_etl_mongo_new_within(const char *uri, const char *app_name,
	unsigned pool_max, int32_t answer_ms, struct etl_error *err)
{
	(void)answer_ms;
	return __wrap_etl_mongo_new(uri, app_name, pool_max, err);
}

void __wrap_etl_mongo_free(struct etl_mongo *mongo)
{
	(void)mongo;
}

int __wrap_etl_mongo_ping(struct etl_mongo *mongo, struct etl_mongo_topology *out,
	struct etl_error *err)
{
	(void)mongo;
	*out = (struct etl_mongo_topology){world.mood.transactions, "simulated", "1"};
	return way_there("ping", err);
}

int __wrap_etl_mongo_newest(struct etl_mongo *mongo, const struct etl_newest_query *query,
	etl_wall *at, struct etl_error *err)
{
	(void)mongo;
	return way_there("newest", err) < 0 ? -1 : sensor_answers(query->collection, at, err);
}

void __wrap_etld_sense_ask(struct etld *etld, struct etld_job *job)
{
	law_asks(world.acting, job);
	__real_etld_sense_ask(etld, job);
}

struct etl_state *__wrap_etl_state_mongodb_new(struct etl_mongo *mongo, const char *database)
{
	(void)mongo;
	(void)database;
	return world.state;
}

struct etld_run *__wrap_etld_run_start(struct etld *etld, struct etld_job *job,
	struct etl_trigger *trigger)
{
	struct etld_run *run;

	law_starts(world.acting, job->job, trigger);
	law_sensed(world.acting, &conf.specs[job_index(job->name)], trigger);
	run = __real_etld_run_start(etld, job, trigger);
	book_started(world.acting, etld->sched, etld_run_of(run));
	return run;
}

void __wrap_etld_run_orphan(struct etld_run *run)
{
	struct book_run *b = book_run_of(etld_run_of(run)->run_id);

	if (b)
		b->orphan = true;
	__real_etld_run_orphan(run);
}

/* By an operator here, or as the store says of one elsewhere. */
void __wrap_etl_sched_pause(struct etl_sched *sched, struct etl_sched_job *job)
{
	if (!job->paused && !world.acting->paused[job_index(job->name)])
		tell("%s is paused elsewhere", job->name);
	world.acting->paused[job_index(job->name)] = true;
	__real_etl_sched_pause(sched, job);
}

void __wrap_etl_sched_resumed_elsewhere(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_schedule_info *info)
{
	if (job->paused)
		tell("%s is resumed elsewhere", job->name);
	world.acting->paused[job_index(job->name)] = false;
	world.acting->fit_since = world.now;
	__real_etl_sched_resumed_elsewhere(sched, job, info);
}

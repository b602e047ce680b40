/* SPDX-License-Identifier: MIT
 *
 * MongoDB there or not. The daemon lives without it, says so, and looks out for it with
 * growing pauses; when it is back, what was due runs. An absent MongoDB is a state, not an
 * error of the daemon: the watchdog is fed all the while.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "etld.h"
#include "hosts.h"
#include "instance.h"
#include "journal.h"
#include "message_ids.h"
#include "notify.h"
#include "picture.h"
#include "records.h"
#include "time/backoff.h"

/* A renewal that takes longer is given up and asked for again: a lease has time for three. */
#define LEASE_ANSWER_MS 5000

/* What one look at MongoDB brings home from a worker. */
struct connect {
	struct etld_task task;
	struct etld *etld;
	bool first; /* also read hosts, and where the slots stand */
	int rc;
	struct etl_error error;
	struct etl_mongo_topology topology;
	struct etld_picture *picture;
	struct etl_source_state *hosts;
	size_t n_hosts, hosts_cap;
};

static int keep_host(void *ctx, const void *thing)
{
	const struct etl_source_state *state = thing;
	struct connect *c = ctx;

	ETL_GROW(c->hosts, c->n_hosts, c->hosts_cap);
	c->hosts[c->n_hosts++] = *state;
	return 0;
}

static void connect_work(struct etld_task *task)
{
	struct connect *c = (struct connect *)task;
	struct etl_state *state = c->etld->state;

	etld_on_worker();
	c->rc = etl_mongo_ping(c->etld->mongo, &c->topology, &c->error);
	if (c->rc < 0)
		etl_mongo_diagnose(c->etld->mongo, &c->error);
	if (c->rc == 0)
		c->rc = state->ops->prepare(state, &c->error);
	if (c->rc == 0)
		c->rc = etld_picture_read(c->picture, &c->error);
	if (c->rc == 0 && c->first)
		c->rc = etl_doc_list(state, &etl_hosts, NULL, keep_host, c, &c->error);
}

/* The job may come back by a reload, and then goes on from there. */
static void keep_slots(struct etld_job *job, const struct etl_schedule_info *info)
{
	free(job->slots);
	job->slots = ETL_NEW(struct etl_schedule_info);
	*job->slots = *info;
}

/* Where the slots of a job stand. What is no job any more is retired, so that it does not
 * replay old slots if it comes back. */
static void take_schedule(void *ctx, const char *name, const struct etl_schedule_info *info)
{
	struct etld *etld = ctx;
	struct etld_job *job = etld_job_find(etld, name);

	if (job) {
		etl_sched_restore(etld->sched, &job->sched, info);
		if (job->job->left_out)
			keep_slots(job, info);
		job->restored = true;
		job->interrupted = *info->holder && etld_instance_dead(info->holder);
	} else if (*info->schedule) {
		etld_slots_retire(etld, name, info->slot);
	}
}

static void take_first(struct etld *etld, const struct connect *c)
{
	etld_picture_schedules(c->picture, take_schedule, etld);
	for (size_t i = 0; i < c->n_hosts; i++)
		etld_hosts_restore(etld->hosts, &c->hosts[i]);
}

static void connect_free(struct connect *c)
{
	etld_picture_free(c->picture);
	free(c->hosts);
	free(c);
}

static void try_later(struct etld *etld)
{
	unsigned attempt = ++etld->mongodb_attempts;
	etl_dur wait = etl_backoff(attempt, ETL_SECONDS(1), ETL_SECONDS(15),
		etl_hash64(etld->holder, strlen(etld->holder), attempt));

	etld->mongodb_next = etl_wall_add(etl_now(etld->clock), wait);
	etl_timer_arm(etld_loop_wheel(etld->loop), &etld->backend_timer,
		etl_mono_add(etl_mono_now(etld->clock), wait));
}

static void is_down(struct etld *etld, const struct etl_error *err)
{
	bool was_up = etld->mongodb_up || !etld->mongodb_tried;
	bool other = strcmp(etld->mongodb_reason, err->message) != 0;

	if (was_up)
		etld->mongodb_away = etl_now(etld->clock);
	etld->mongodb_up = false;
	etl_sched_store(etld->sched, false);
	etld->mongodb_tried = true;
	memcpy(etld->mongodb_reason, err->message, sizeof etld->mongodb_reason);
	if (was_up || other) /* a run says that it is gone; the first look at the hosts says why */
		etld_log(ETLD_WARNING, ETLD_MSG_MONGODB_DOWN, NULL, 0,
			"MongoDB cannot be %s, runs wait for it: %s",
			err->kind == ETL_TRANSIENT ? "reached" : "used", err->message);
	try_later(etld);
}

static void is_up(struct etld *etld, const struct connect *c)
{
	bool first = c->first;

	etld->mongodb_up = true;
	etld->mongodb_tried = true;
	etld->mongodb_attempts = 0;
	etld->mongodb_reason[0] = '\0';
	etld->topology = c->topology;
	etld_log(ETLD_NOTICE, ETLD_MSG_MONGODB_UP, NULL, 0, "MongoDB %s is there (%s), guarantee: %s",
		c->topology.version, c->topology.kind,
		c->topology.transactions ? "effectively-once" : "idempotent at-least-once");
	if (first)
		take_first(etld, c);
	etld_picture_take(c->picture);
	etld->marks_known = true;
	etld_hosts_connected(etld->hosts);
	etld_sched_up(etld, first);
	etld_picture_watch(etld);
	etld_records_flush(etld);
}

static void connect_done(struct etld_task *task)
{
	struct connect *c = (struct connect *)task;
	struct etld *etld = c->etld;

	etld->backend_busy = false;
	if (!etld->draining) {
		if (c->rc == 0)
			is_up(etld, c);
		else
			is_down(etld, &c->error);
	}
	if (!etld->ready_told) { /* up or down, from now on the daemon does what it can */
		etld->ready_told = true;
		etld_notify_ready();
	}
	connect_free(c);
	etld_tell_status(etld);
	etld_maybe_stopped(etld);
}

void etld_backend_connect(struct etld *etld)
{
	struct connect *c;

	if (etld->backend_busy || etld->mongodb_up || etld->draining)
		return;
	c = ETL_NEW(struct connect);
	c->task = (struct etld_task){.work = connect_work, .done = connect_done, .name = "connect"};
	c->etld = etld;
	c->error = (struct etl_error)ETL_ERROR_INIT;
	c->first = !etld->marks_known;
	c->picture = etld_picture_new(etld, NULL);
	etld->backend_busy = true;
	etld_pool_submit(etld->pool, &c->task);
}

static void on_backend_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_backend_connect(ctx);
}

void etld_backend_lost(struct etld *etld, const struct etl_error *err)
{
	if (!etld->mongodb_up || etld->draining)
		return;
	is_down(etld, err);
	etld_tell_status(etld);
}

static void tell_overrides(const char *uri)
{
	char words[256];

	etl_mongo_uri_overrides(uri, words, sizeof words);
	if (*words)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"mongodb.uri says %s, which is overridden: etld reads from the primary, what a "
			"majority has, and writes with w=majority and journal",
			words);
}

int etld_backend_open(struct etld *etld, struct etl_error *err)
{
	const struct etld_settings *settings = &etld->generation->settings;

	etld->backend_timer =
		(struct etl_timer){.fire = on_backend_timer, .ctx = etld, .name = "mongodb"};
	etl_mongo_global_init();
	etld->mongo = etl_mongo_new(settings->mongodb.uri, "etld",
		(unsigned)(2 * settings->limits.workers + settings->limits.max_active), err);
	if (!etld->mongo)
		return -1;
	etld->lease_mongo = etl_mongo_new_within(
		settings->mongodb.uri, "etld leases", 1, LEASE_ANSWER_MS, err);
	if (!etld->lease_mongo)
		return -1;
	tell_overrides(settings->mongodb.uri);
	etld->database = etl_strdup(settings->mongodb.database);
	etld->metadata = etl_strdup(settings->metadata.database);
	etld->state = etl_state_mongodb_new(etld->mongo, etld->metadata);
	etld->lease_state = etl_state_mongodb_new(etld->lease_mongo, etld->metadata);
	etld->run_env = (struct etl_run_env){
		.state = etld->state,
		.lease_state = etld->lease_state,
		.mongo = etld->mongo,
		.database = etld->database,
		.clock = etld->clock,
		.host = etld->host,
		.holder = etld->holder,
		.dead_holder = etld_instance_dead,
		.memory_max = settings->limits.memory / (uint64_t)settings->limits.workers,
	};
	return 0;
}

void etld_backend_close(struct etld *etld)
{
	if (etld->state)
		etld->state->ops->free(etld->state);
	if (etld->lease_state)
		etld->lease_state->ops->free(etld->lease_state);
	etl_mongo_free(etld->mongo);
	etl_mongo_free(etld->lease_mongo);
	free(etld->database);
	free(etld->metadata);
	etl_mongo_global_cleanup();
}

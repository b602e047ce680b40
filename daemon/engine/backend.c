/* SPDX-License-Identifier: MIT
 *
 * MongoDB there or not. The daemon lives without it, says so, and looks out for it with
 * growing pauses; when it is back, what was due runs. An absent MongoDB is a state, not an
 * error of the daemon: the watchdog is fed all the while.
 *
 * Two clients of one server: one for everything, and one with a single connection for renewals of
 * leases alone. A worker that waits ten seconds for a slow query, or a pool without a free
 * connection, must not make a run lose its lease (30 s), for then another etld would load the same
 * windows at the same time.
 */
#include "engine/backend.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "config/generation.h"
#include "engine/picture_read.h"
#include "io/instance.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "io/notify.h"
#include "io/pool.h"
#include "mongo/mongo.h"
#include "run/run.h"
#include "time/backoff.h"

/* A renewal that takes longer is given up and asked for again: a lease has time for three. */
#define LEASE_ANSWER_MS 5000

struct etld_backend {
	struct etl_mongo *lease_mongo;	/* renewals have a connection of their own, */
	struct etl_state *lease_state;	/* to the same */
	char *database, *metadata;
	struct etl_run_env run_env;
	struct etl_mongo_topology topology;
	struct etl_timer timer; /* the next look */
	unsigned attempts;
	bool busy, ready_told;
};

/* One look at MongoDB, by a worker. */
struct connect {
	struct etld_task task;
	struct etld *etld;
	int rc;
	struct etl_error error;
	struct etl_mongo_topology topology;
	struct etld_found found;
	size_t hosts_cap;
};

static int keep_host(void *ctx, const void *thing)
{
	const struct etl_source_state *state = thing;
	struct connect *c = ctx;

	ETL_GROW(c->found.hosts, c->found.n_hosts, c->hosts_cap);
	c->found.hosts[c->found.n_hosts++] = *state;
	return 0;
}

/* In this order, and no further after a failure: is it there and what is it; are our indexes and
 * the version of the metadata right; what does it hold. Only all of it is "up": a store that can be
 * reached and not used must not let runs begin. Hosts are read at the first time alone; later this
 * etld's own word is newer. */
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
		c->rc = etld_picture_read(c->found.picture, &c->error);
	if (c->rc == 0 && c->found.first)
		c->rc = etl_doc_list(state, &etl_hosts, NULL, keep_host, c, &c->error);
}

static void connect_free(struct connect *c)
{
	etld_picture_free(c->found.picture);
	free(c->found.hosts);
	free(c);
}

/* 1 s, 2 s, 4 s … 15 s, spread by a hash of who we are: ten etlds that have lost the same server do
 * not all ask it in the same instant. */
static void try_later(struct etld *etld)
{
	unsigned attempt = ++etld->backend->attempts;
	etl_dur wait = etl_backoff(attempt, ETL_SECONDS(1), ETL_SECONDS(15),
		etl_hash64(etld->holder, strlen(etld->holder), attempt));

	etld->mongodb_next = etl_wall_add(etl_now(etld->clock), wait);
	etl_timer_arm(etld_loop_wheel(etld->loop), &etld->backend->timer,
		etl_mono_add(etl_mono_now(etld->clock), wait));
}

/* `mongodb_since` is the first failure of this outage, not the last look. News is given at each
 * look, since parts may have begun to wait in between; the journal tells it once, and again when
 * the reason is another. */
static void is_down(struct etld *etld, const struct etl_error *err)
{
	bool was_up = etld->mongodb_up || !etld->mongodb_tried;
	bool other = strcmp(etld->mongodb_reason, err->message) != 0;

	if (was_up)
		etld->mongodb_since = etl_now(etld->clock);
	etld->mongodb_up = false;
	etld->mongodb_tried = true;
	memcpy(etld->mongodb_reason, err->message, sizeof etld->mongodb_reason);
	etld->news->down(etld);
	if (was_up || other) /* a run says that it is gone; the first look at the hosts says why */
		etld_log(ETLD_WARNING, ETLD_MSG_MONGODB_DOWN, NULL, 0,
			"MongoDB cannot be %s, runs wait for it: %s",
			err->kind == ETL_TRANSIENT ? "reached" : "used", err->message);
	try_later(etld);
}

/* All that MongoDB's return means for the rest is in news.c. */
static void is_up(struct etld *etld, const struct connect *c)
{
	etld->mongodb_up = true;
	etld->mongodb_tried = true;
	etld->backend->attempts = 0;
	etld->mongodb_reason[0] = '\0';
	etld->backend->topology = c->topology;
	etld_log(ETLD_NOTICE, ETLD_MSG_MONGODB_UP, NULL, 0,
		"MongoDB %s is there (%s), guarantee: %s", c->topology.version, c->topology.kind,
		c->topology.transactions ? "effectively-once" : "idempotent at-least-once");
	etld->news->up(etld, &c->found);
}

/* READY follows the first answer, whatever it is (Type=notify): a daemon without MongoDB answers
 * etlctl and keeps time, and the service manager must not kill it for a database that is being
 * restarted. */
static void connect_done(struct etld_task *task)
{
	struct connect *c = (struct connect *)task;
	struct etld *etld = c->etld;

	etld->backend->busy = false;
	if (!etld->draining) {
		if (c->rc == 0)
			is_up(etld, c);
		else
			is_down(etld, &c->error);
	}
	if (!etld->backend->ready_told) { /* up or down, from now on the daemon does what it can */
		etld->backend->ready_told = true;
		etld_notify_ready();
	}
	connect_free(c);
	etld->news->changed(etld);
}

/* One look at a time; the timer and whoever lost MongoDB may ask for one at once. */
void etld_backend_connect(struct etld *etld)
{
	struct connect *c;

	etld_on_loop(etld->loop);
	if (etld->backend->busy || etld->mongodb_up || etld->draining)
		return;
	c = ETL_NEW(struct connect);
	c->task = (struct etld_task){.work = connect_work, .done = connect_done, .name = "connect"};
	c->etld = etld;
	c->error = (struct etl_error)ETL_ERROR_INIT;
	c->found.first = !etld->marks_known;
	c->found.picture = etld_picture_new(etld, NULL);
	etld->backend->busy = true;
	etld_pool_submit(etld->pool, &c->task);
}

static void on_backend_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_backend_connect(ctx);
}

/* Whoever was refused says so, so that nobody else has to find out by waiting five seconds. Not
 * while draining: the runs that end tell their own failures. */
void etld_backend_lost(struct etld *etld, const struct etl_error *err)
{
	etld_on_loop(etld->loop);
	if (!etld->mongodb_up || etld->draining)
		return;
	is_down(etld, err);
	etld->news->changed(etld);
}

void etld_backend_drain(struct etld *etld)
{
	etl_timer_cancel(etld_loop_wheel(etld->loop), &etld->backend->timer);
}

bool etld_backend_is_busy(const struct etld *etld)
{
	return etld->backend->busy;
}

/* The laws of commit need what a majority has; a URI that asks for less is not refused, for it may
 * be shared with other programs, but it is not silently obeyed either. */
static void tell_overrides(const char *uri)
{
	char words[256];

	etl_mongo_uri_overrides(uri, words, sizeof words);
	if (*words)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"mongodb.uri says %s, which is overridden: etld reads from the primary, "
			"what a "
			"majority has, and writes with w=majority and journal",
			words);
}

/* What runs may use, lent to all of them; memory_max is one worker's share of limits.memory. */
static void fill_run_env(struct etld *etld, const struct etld_settings *settings)
{
	etld->backend->run_env = (struct etl_run_env){
		.state = etld->state,
		.lease_state = etld->backend->lease_state,
		.mongo = etld->mongo,
		.database = etld->database,
		.clock = etld->clock,
		.host = etld->host,
		.holder = etld->holder,
		.dead_holder = etld_instance_dead,
		.memory_max = settings->limits.memory / (uint64_t)settings->limits.workers,
	};
	etld->run_env = &etld->backend->run_env;
}

/* Connections: a worker may hold one for its run, one for a session and one for a look, and
 * `max_active` runs keep a few beside. The driver opens them as they are needed. */
int etld_backend_open(struct etld *etld, struct etl_error *err)
{
	const struct etld_settings *settings = &etld->generation->settings;
	struct etld_backend *backend = etld->backend = ETL_NEW(struct etld_backend);

	backend->timer =
		(struct etl_timer){.fire = on_backend_timer, .ctx = etld, .name = "mongodb"};
	etld->topology = &backend->topology;
	etl_mongo_global_init();
	etld->mongo = etl_mongo_new(settings->mongodb.uri, "etld",
		(unsigned)(3 * settings->limits.workers + settings->limits.max_active), err);
	if (!etld->mongo)
		return -1;
	backend->lease_mongo = etl_mongo_new_within(settings->mongodb.uri, "etld leases", 1,
		LEASE_ANSWER_MS, err);
	if (!backend->lease_mongo)
		return -1;
	tell_overrides(settings->mongodb.uri);
	etld->database = backend->database = etl_strdup(settings->mongodb.database);
	backend->metadata = etl_strdup(settings->metadata.database);
	etld->state = etl_state_mongodb_new(etld->mongo, backend->metadata);
	backend->lease_state = etl_state_mongodb_new(backend->lease_mongo, backend->metadata);
	fill_run_env(etld, settings);
	return 0;
}

const char *etld_mongodb_reason(const struct etld *etld)
{
	return *etld->mongodb_reason ? etld->mongodb_reason : "etld is still starting";
}

/* After the workers: the driver's pool must not be taken down under a thread that has a client of
 * it. */
void etld_backend_close(struct etld *etld)
{
	struct etld_backend *backend = etld->backend;

	if (!backend)
		return;
	etl_timer_cancel(etld_loop_wheel(etld->loop), &backend->timer);
	if (etld->state)
		etld->state->ops->free(etld->state);
	if (backend->lease_state)
		backend->lease_state->ops->free(backend->lease_state);
	etl_mongo_free(etld->mongo);
	etl_mongo_free(backend->lease_mongo);
	free(backend->database);
	free(backend->metadata);
	free(backend);
	etl_mongo_global_cleanup();
}

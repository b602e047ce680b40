/* SPDX-License-Identifier: MIT
 *
 * The manager: makes everything in order, runs the loop, stops everything in reverse. Start:
 * loop, workers, HTTP, control socket, then MongoDB from a worker. Stop: no new runs, runs
 * end within drain.timeout, then they are cancelled; their windows stay due.
 *
 * Everything that belongs to the loop is touched by the loop alone, from etld_run on; before it and
 * after it there is no other thread that could touch it.
 */
#include "etld.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "doors/control.h"
#include "engine/backend.h"
#include "engine/backfill.h"
#include "engine/counters.h"
#include "engine/deadline.h"
#include "engine/hosts.h"
#include "engine/news.h"
#include "engine/picture.h"
#include "engine/outbox.h"
#include "engine/pauses.h"
#include "engine/runs.h"
#include "engine/sched.h"
#include "engine/shares.h"
#include "engine/strands.h"
#include "engine/walk.h"
#include "io/http.h"
#include "io/instance.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "io/notify.h"
#include "io/pool.h"
#include "io/zones.h"
#include "methods/methods.h"
#include "methods/request.h"
#include "reload.h"

/* A worker that is at one task for longer than this hangs: MongoDB calls end within a
 * minute, decoding is cut into batches. It is told much earlier, in half of the watchdog's time. */
#define WORKER_STUCK ETL_MINUTES(5)

/* The manager, and what nobody but it looks at. */
struct manager {
	struct etld etld; /* first */
	struct etl_timer drain_timer, watchdog_timer;
	etl_dur watchdog;   /* systemd's; us == 0 = none */
	etl_mono slow_told; /* when the task began that was told last as taking long, */
	bool stuck_told;    /* and whether as one that hangs */
	etl_mono load_told; /* the same of the loader's thread, which is never given up */
};

/* For what a cancelled run leaves to be stored. Below what is asked of systemd beyond drain.timeout. */
#define LAST_MOMENT ETL_SECONDS(5)

/* One wake for all three pools: a task that is done says so by one write, whichever thread it was
 * on. */
static void on_wake(void *ctx)
{
	struct etld *etld = ctx;

	etld_pool_collect(etld->pool);
	etld_pool_collect(etld->lease_pool);
	etld_pool_collect(etld->load_pool);
}

/* The one function of the loop that a worker may call. */
static void wake_loop(void *ctx)
{
	struct etld *etld = ctx;

	etld_loop_wake(etld->loop);
}

/* SIGTERM and SIGINT drain; a second one ends the runs at once. */
static void on_signal(void *ctx, int number)
{
	if (number == SIGHUP)
		etld_reload(ctx);
	else
		etld_drain(ctx);
}

/* Slots are wall-clock instants on a timing wheel that runs by the monotonic clock: when the
 * relation between the two changes, every slot is in the wrong place. Example: at 10:00 the clock
 * is set to 12:00; the slots 10:10 to 11:50 are missed ones, by each job's misfire rule. */
static void on_clock_stepped(void *ctx)
{
	struct etld *etld = ctx;

	etld_log(ETLD_NOTICE, ETLD_MSG_CLOCK_STEPPED, NULL, 0,
		"the wall clock was set; all slots are planned again");
	etl_sched_replan(etld->sched);
	etld_deadline_look_all(etld);
}

/* ---- watchdog ------------------------------------------------------------------------------ */

/* Half of systemd's time, so that one turn that comes late is no death. */
static void arm_watchdog(struct manager *m)
{
	etl_timer_arm(etld_loop_wheel(m->etld.loop), &m->watchdog_timer,
		etl_mono_add(etl_mono_now(m->etld.clock), (etl_dur){m->watchdog.us / 2}));
}

/* By name and job: "a worker has been at the task 'strand' of job airqino for 90 s". */
static void tell_slow(const struct etld_pool_facts *facts, bool stuck)
{
	const char *of = *facts->of ? facts->of : "-";
	long long seconds = (long long)facts->oldest.us / 1000000;
	struct etld_field fields[] = {{"ETL_TASK", facts->name, 0}, {"ETL_JOB", of, 0},
		{"ETL_SECONDS", NULL, seconds}};

	etld_log(stuck ? ETLD_ERR : ETLD_WARNING, ETLD_MSG_WORKER_HANGS, fields, 3,
		"a worker has been at the task '%s' of job %s for %lld s%s", facts->name, of,
		seconds,
		stuck ? ": it hangs, and the watchdog is not fed any more" : "");
}

/* Each task that takes so long is told once, and again when it is given up. By the time at which
 * the task began: it is the same task as long as that is the same. */
static void look_at_oldest(struct manager *m, const struct etld_pool_facts *facts, bool stuck)
{
	bool slow = facts->oldest.us >= m->watchdog.us / 2;
	bool told = facts->since.us == m->slow_told.us;

	if (slow && (!told || stuck != m->stuck_told)) {
		tell_slow(facts, stuck);
		m->slow_told = facts->since;
		m->stuck_told = stuck;
	}
}

/* A configuration that cannot be read through, as on a share that hangs. All else goes on. Only
 * told, and the watchdog is fed: a hanging share must not end a daemon that loads on time. */
static void look_at_loader(struct manager *m)
{
	struct etld_pool_facts facts;

	etld_pool_facts(m->etld.load_pool, &facts);
	if (facts.oldest.us < m->watchdog.us / 2 || facts.since.us == m->load_told.us)
		return;
	tell_slow(&facts, false);
	m->load_told = facts.since;
}

/* Fires on the loop, so the loop turns; the workers are asked for. Not fed while a worker hangs:
 * systemd restarts etld, and the windows of what hung are still due. A slow MongoDB is no hang,
 * since each of its calls ends within a minute. */
static void on_watchdog(struct etl_timer *timer, void *ctx)
{
	struct manager *m = ctx;
	struct etld_pool_facts facts;
	bool stuck;

	(void)timer;
	etld_pool_facts(m->etld.pool, &facts);
	stuck = facts.oldest.us >= WORKER_STUCK.us;
	look_at_oldest(m, &facts, stuck);
	look_at_loader(m);
	if (!stuck)
		etld_notify_watchdog();
	arm_watchdog(m);
}

/* ---- stopping ------------------------------------------------------------------------------ */

/* The flag is heard between two steps only: a worker that asks again and again what became of its
 * commit is told apart. Renewals and finishes go on: a run that ends has to write its record. */
static void end_now(struct etld *etld)
{
	etl_mongo_hurry(etld->mongo);
	etld_runs_cancel_all(etld, ETL_CANCEL_SHUTDOWN);
}

/* Nothing is torn by it: a commit that was sent has its answer or is found out by the next run. What
 * the outbox has not stored is told when it is freed. */
static void store_no_more(struct etl_timer *timer, void *ctx)
{
	struct etld *etld = ctx;

	(void)timer;
	etld_outbox_give_up(etld);
	etld_maybe_stopped(etld);
}

/* Runs that are cancelled have a moment to end; behind it, or if there is none, nothing is stored any
 * more. Within that moment MongoDB mostly takes what a cancelled run leaves. */
static void on_drain_timeout(struct etl_timer *timer, void *ctx)
{
	struct etld *etld = ctx;

	if (!etld->runs) {
		store_no_more(timer, etld);
		return;
	}
	etld_log(ETLD_WARNING, NULL, NULL, 0,
		"drain.timeout has passed: the runs that are left are cancelled, their windows "
		"stay due");
	end_now(etld);
	timer->fire = store_no_more;
	etl_timer_arm(etld_loop_wheel(etld->loop), timer,
		etl_mono_add(etl_mono_now(etld->clock), LAST_MOMENT));
}

/* The order: nothing new is read, armed or started; then systemd is told how long it may take; then
 * runs that only wait for a retry end. When the last run has ended and the outbox has sent what it
 * had, the loop ends (news.c). */
void etld_drain(struct etld *etld)
{
	struct manager *m = ETL_OF(struct manager, etld, etld);
	etl_dur limit = etld->generation->settings.drain.timeout;

	if (etld->draining) {
		etld_log(ETLD_NOTICE, NULL, NULL, 0,
			"asked twice to stop: runs are cancelled, and nothing more is stored");
		end_now(etld);
		store_no_more(NULL, etld);
		return;
	}
	etld->draining = true;
	etld_reloads_drain(etld->reloads);
	etld_zones_stop(etld->zones);
	etld_log(ETLD_NOTICE, ETLD_MSG_DRAINING, NULL, 0, "stopping: %u runs are ending",
		etld_active_runs(etld));
	etld_notify_stopping();
	etld_notify_extend((etl_dur){limit.us + ETL_SECONDS(10).us});
	etld_tell_status(etld);
	etl_sched_stop(etld->sched);
	etld_backend_drain(etld);
	m->drain_timer = (struct etl_timer){.fire = on_drain_timeout, .ctx = etld, .name = "drain"};
	etl_timer_arm(etld_loop_wheel(etld->loop), &m->drain_timer,
		etl_mono_add(etl_mono_now(etld->clock), limit));
	etld_runs_drain(etld);
	etld_maybe_stopped(etld);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Slots and windows of local days follow from a zone's file: a new one is a new configuration. */
static void on_zones_changed(void *ctx)
{
	etld_reload(ctx);
}

/* Each part may use those above it, none below; etld_free takes them down in the reverse order and
 * accepts a half-built manager. The control socket is last: who is let in finds all of it. Lanes:
 * as many threads for blocking sources as workers, one for leases, one for reloads. */
static int open_parts(struct etld *etld, struct etl_error *err)
{
	const struct etld_settings *settings = &etld->generation->settings;
	const struct etld_loop_events events = {on_wake, on_signal, on_clock_stepped, etld};
	struct etld_http_options http;

	etld->loop = etld_loop_new(etld->clock, &events, err);
	if (!etld->loop)
		return -1;
	etld->pool = etld_pool_new((unsigned)settings->limits.workers,
		(unsigned)settings->limits.workers, etld->clock, wake_loop, etld);
	etld->lease_pool = etld_pool_new(1, 0, etld->clock, wake_loop, etld);
	etld->load_pool = etld_pool_new(1, 0, etld->clock, wake_loop, etld);
	etld->shares = ETL_NEW(struct etld_shares);
	etld_shares_init(etld->shares, (unsigned)settings->limits.workers, etld_strand_granted);
	etld->counters = ETL_NEW(struct etld_counters);
	etld_sched_open(etld);
	etld_outbox_open(etld);
	etld_picture_open(etld);
	etld->backfills = etld_backfills_new(etld);
	etld->zones =
		etld_zones_new(etld->loop, etld->clock, etld->load_pool, on_zones_changed, etld);
	etld->reloads = etld_reloads_new(etld);
	etld_settings_http(settings, &http);
	etld->http = etld_http_new(etld->loop, etld->clock, &http, err);
	if (!etld->http)
		return -1;
	etld->hosts = etld_hosts_new(etld);
	if (etld_backend_open(etld, err) < 0)
		return -1;
	etld->control = etld_control_open(etld, settings, err);
	return etld->control ? 0 : -1;
}

/* Others, in other folders, are told this path. As `etlctl version` and `config check` show it:
 * etlctl may run anywhere. */
static char *whole_path(const char *path)
{
	etl_cleanup(free) char *here = *path == '/' ? NULL : getcwd(NULL, 0);

	return here ? etl_strf("%s/%s", here, path) : etl_strdup(path);
}

/* Nothing is asked of MongoDB yet: a daemon starts, and answers, without it. */
struct etld *etld_new(struct etld_generation *generation, const struct etl_clock *clock,
	struct etl_error *err)
{
	struct etld *etld = &ETL_NEW(struct manager)->etld;

	etld->clock = clock;
	etld->news = &etld_engine_news;
	etld->generation = generation;
	generation->number = 1;
	etld->config_path = whole_path(generation->path);
	etld->started = etl_now(etld->clock);
	etld->began = etl_mono_now(etld->clock);
	etld_instance_name(etld->holder, sizeof etld->holder, etld->host, sizeof etld->host);
	if (open_parts(etld, err) < 0) {
		etld_free(etld);
		return NULL;
	}
	return etld;
}

/* Each with its first error; etlctl config check tells all. At the start alone: a reload with
 * errors is refused, and left-out jobs stay in status. */
static void tell_left_out(const struct etld_generation *g)
{
	for (size_t i = 0; i < g->n_jobs; i++) {
		struct etld_field fields[] = {{"ETL_JOB", g->jobs[i]->name, 0}};

		if (g->jobs[i]->left_out)
			etld_log(ETLD_ERR, ETLD_MSG_JOB_LEFT_OUT, fields, 1,
				"%s: is left out, the other jobs run: %s", g->jobs[i]->name,
				g->jobs[i]->left_out);
	}
}

/* Jobs are adopted before MongoDB is asked: their slots are armed and wait for the store, so that
 * none that falls due in between is lost. */
void etld_run(struct etld *etld)
{
	struct manager *m = ETL_OF(struct manager, etld, etld);

	etld_log(ETLD_NOTICE, ETLD_MSG_STARTED, NULL, 0, "etld %s started: %zu jobs from %s",
		ETL_VERSION, etld->generation->n_jobs, etld->config_path);
	tell_left_out(etld->generation);
	etld_sched_adopt(etld, etld->generation);
	etld_zones_watch(etld->zones, etld->generation->zones);
	m->watchdog = etld_notify_watchdog_interval();
	if (m->watchdog.us) {
		m->watchdog_timer =
			(struct etl_timer){.fire = on_watchdog, .ctx = m, .name = "watchdog"};
		arm_watchdog(m);
	}
	etld_tell_status(etld);
	etld_backend_connect(etld);
	etld_loop_run(etld->loop);
	etld_log(ETLD_NOTICE, ETLD_MSG_STOPPED, NULL, 0, "stopped");
}

/* The reverse of open_parts. Workers go first: nothing may be used below them. What was put into
 * the outbox and is not stored is told there as lost. */
void etld_free(struct etld *etld)
{
	if (!etld)
		return;
	etld_control_close(etld->control);
	while (etld->walks)
		etld_walk_drop(etld->walks);
	etld_pool_free(etld->pool);
	etld_pool_free(etld->lease_pool);
	etld_pool_free(etld->load_pool);
	etld_requests_drop(etld);
	etld_reloads_free(etld->reloads);
	etld_backfills_free(etld);
	etld_pauses_down(etld);
	etld_outbox_free(etld);
	etld_picture_close(etld);
	etld_zones_free(etld->zones);
	etld_sched_free(etld);
	etld_hosts_free(etld->hosts);
	etld_http_free(etld->http);
	etld_backend_close(etld);
	etld_generation_unref(etld->generation);
	etld_loop_free(etld->loop);
	free(etld->config_path);
	free(etld->config_error);
	free(etld->shares);
	free(etld->counters);
	free(ETL_OF(struct manager, etld, etld));
}

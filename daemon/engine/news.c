/* SPDX-License-Identifier: MIT
 *
 * Carries news on: one function for each piece of news, which calls who has to know in the order in
 * which they have to. Decides nothing.
 */
#include "engine/news.h"

#include <stdio.h>

#include "engine/backend.h"
#include "engine/backfill.h"
#include "engine/counters.h"
#include "engine/deadline.h"
#include "engine/hosts.h"
#include "engine/outbox.h"
#include "engine/outcome.h"
#include "engine/pauses.h"
#include "engine/picture.h"
#include "engine/records.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/sched.h"
#include "io/loop.h"
#include "io/notify.h"

/* ---- MongoDB --------------------------------------------------------------------------------- */

static void know_slots(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	etld_sched_known(ctx, job, info);
}

/* All that happens when MongoDB is there, the first time (`first`) or again. The law of its order:
 * what was read is in the jobs before anything may start by it, and what was decided while MongoDB
 * was unreachable is on its way to it before the scheduler decides anything new. Example: `orders`
 * was paused on another host while this etld was down. Were the scheduler told first, missed slots
 * of `orders` would run before its pause is known. And a slot that was skipped while MongoDB was
 * unreachable would be recorded behind the run of a later one, were the outbox flushed last. */
static void mongodb_up(struct etld *etld, const struct etld_found *found)
{
	if (found->first)
		etld_picture_schedules(found->picture, know_slots, etld);
	for (size_t i = 0; i < found->n_hosts; i++)
		etld_hosts_restore(etld->hosts, &found->hosts[i]);
	etld_picture_take(found->picture);
	etld->marks_known = true;
	etld_hosts_save(etld->hosts);
	if (found->first)
		etld_sched_unheard(etld);
	etld_outbox_up(etld);
	etl_sched_store(etld->sched, true);
	if (found->first)
		etld_sched_catch_up(etld);
	etld_backfills_up(etld);
	etld_deadline_look_all(etld);
	etld_picture_watch(etld);
}

/* The scheduler keeps what falls due, and whoever waits at a terminal for a pause to be stored is
 * told. */
static void mongodb_down(struct etld *etld)
{
	etl_sched_store(etld->sched, false);
	etld_pauses_down(etld);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The run or its record was refused: MongoDB is unreachable, and looked out for. */
static void notice_lost_mongodb(const struct etld_run *run)
{
	if (etl_store_is_unreachable(&run->run->error))
		etld_backend_lost(run->etld, &run->run->error);
	else if (etl_store_is_unreachable(&run->finish_error))
		etld_backend_lost(run->etld, &run->finish_error);
}

/* MongoDB was lost to the run itself, or to the record of its end. */
static void tell_sched(struct etld *etld, const struct etld_run *run)
{
	struct etl_run_outcome outcome;

	etl_run_tell_outcome(run->run, &outcome);
	outcome.store_lost |= etl_store_is_unreachable(&run->finish_error);
	etl_sched_ended(etld->sched, &run->job->sched, &outcome);
}

/* The scheduler comes late: within its call it may start the job's next run, which goes by what
 * this one has left in the job, and give the place to another backfill than the one that had it. */
static void run_ended(struct etld *etld, struct etld_run *run)
{
	struct etld_job *job = run->job;

	notice_lost_mongodb(run);
	if (job)
		etld_job_remember(etld, job, run->run, run->picture);
	etld_count_ended(etld->counters, run->run);
	etld_report_run(etld, run->run);
	etld_run_tell(run, true);
	if (job) {
		etld_backfills_run_ended(etld, run->run);
		tell_sched(etld, run);
		etld_deadline_look(etld, job);
	}
	if (run->finish_error.kind != ETL_OK)
		run->run = etld_records_failed(etld, run->run, run->generation, &run->finish_error);
}

/* ---- status, and the end --------------------------------------------------------------------- */

/* The line of `systemctl status etld`: what an operator sees who does not know etlctl yet. */
void etld_tell_status(struct etld *etld)
{
	size_t left_out = etld->generation->n_left_out;
	char config[80] = "";

	if (left_out)
		snprintf(config, sizeof config, ", %zu left out for errors in %s", left_out,
			left_out == 1 ? "its file" : "their files");
	if (etld->draining)
		etld_notify_status("stopping: %u runs are ending", etld_active_runs(etld));
	else if (!etld->mongodb_tried)
		etld_notify_status("starting: asking MongoDB");
	else if (!etld->mongodb_up)
		etld_notify_status("degraded: MongoDB cannot be reached: %s%s",
			etld->mongodb_reason, config);
	else
		etld_notify_status("%zu jobs%s, %u running, configuration %lld%s%s",
			etld->generation->n_jobs, config, etld_active_runs(etld),
			(long long)etld->generation->number,
			etld->config_error ? ", the one on disk has errors" : "",
			etld->reloading ? ", it is being read again" : "");
}

/* The outbox comes last: runs that end put their last records into it. */
void etld_maybe_stopped(struct etld *etld)
{
	if (!etld->draining || etld->runs || etld_backend_is_busy(etld))
		return;
	etld_hosts_save(etld->hosts);
	if (!etld_outbox_settling(etld))
		etld_loop_stop(etld->loop);
}

static void changed(struct etld *etld)
{
	etld_on_loop(etld->loop);
	etld_tell_status(etld);
	etld_maybe_stopped(etld);
}

const struct etld_news etld_engine_news = {
	.up = mongodb_up,
	.down = mongodb_down,
	.ended = run_ended,
	.changed = changed,
};

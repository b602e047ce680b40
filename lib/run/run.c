/* SPDX-License-Identifier: MIT
 *
 * A run's own steps: the lease at its begin, sums, record and the lease again at its end. Asks its
 * work for parts and never what they do.
 */
#include "run/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "run/lease.h"
#include "state/run_record.h"
#include "time/civil.h"

/* These words are stored, shown and matched by scripts: they never change. */
const char *etl_run_state_word(enum etl_run_state state)
{
	static const char *const words[] = {
		[ETL_RUN_RUNNING] = "running",
		[ETL_RUN_OK] = "ok",
		[ETL_RUN_PARTIAL] = "partial",
		[ETL_RUN_FAILED] = "failed",
		[ETL_RUN_BLOCKED] = "blocked",
		[ETL_RUN_CANCELLED] = "cancelled",
		[ETL_RUN_FENCED] = "fenced",
		[ETL_RUN_BUSY] = "busy",
	};

	return words[state];
}

void etl_part_init(struct etl_part *part, const struct etl_partition *partition)
{
	*part = (struct etl_part){
		.partition = partition,
		.step = ETL_STEP_PLAN,
		.error = ETL_ERROR_INIT,
		.last = ETL_ERROR_INIT,
	};
}

void etl_part_fini(struct etl_part *part)
{
	free(ETL_TAKE(part->elsewhere));
	free(ETL_TAKE(part->targets));
	etl_tally_fini(&part->rejects);
	etl_tally_fini(&part->warned);
}

/* One "now" for all window decisions of the run: partitions that are planned minutes apart see the
 * same set of final windows. `as_of` may set it back, never forward. */
struct etl_run *etl_run_new(const struct etl_job *job, const struct etl_run_env *env,
	int64_t generation, struct etl_trigger *trigger)
{
	struct etl_run *run = ETL_NEW(struct etl_run);

	run->job = job;
	run->env = env;
	run->generation = generation;
	run->trigger = *trigger;
	*trigger = (struct etl_trigger){0};
	run->started = etl_now(env->clock);
	run->planned = run->present = run->started;
	if (run->trigger.as_of.ms && run->trigger.as_of.ms < run->planned.ms)
		run->planned = run->trigger.as_of;
	run->began = etl_mono_now(env->clock);
	etl_uuid7(run->started.ms, run->run_id);
	return run;
}

/* Parts are the work's: it frees them. */
void etl_run_free(struct etl_run *run)
{
	if (!run)
		return;
	if (run->work)
		run->job->work->free(run);
	free(run->parts);
	free(run->targets);
	etl_tally_fini(&run->rejects);
	etl_tally_fini(&run->warned);
	for (size_t i = 0; i < run->n_verdicts; i++)
		etl_free_const(run->verdicts[i].message);
	free(run->verdicts);
	etl_trigger_fini(&run->trigger);
	free(run);
}

/* Before the lease: slots that do not run are on record even if this run never begins. */
static int record_passed_over(struct etl_run *run)
{
	char schedule[ETL_SCHEDULE_BYTES];

	if (!run->trigger.skip.last.ms)
		return 0;
	etl_job_schedule_key(run->job, schedule);
	return etl_skip_save(run->env, run->job->name, &run->trigger.skip, schedule, &run->error);
}

/* The store's clock is a second witness: windows are never closed ahead of it. It is the same for
 * all, so it also says what the present is. Example: this host is two hours ahead, and 14:00 here
 * is 12:00 in the store. The run plans up to 12:00, and rejects a record dated 12:30 as of the
 * future. */
static void heed_store_clock(struct etl_run *run)
{
	if (run->lease.now.ms)
		run->present = run->lease.now;
	if (run->lease.now.ms && run->lease.now.ms < run->planned.ms)
		run->planned = run->lease.now;
}

/* The lease was not given. Either somebody holds it, and the slot may be asked for again when it
 * ends; or the slot is decided, by an etld that was faster, and there is nothing left to do. A
 * decision by another schedule is that of an edit: what lies between it and this slot is put on
 * record first. */
static int refuse(struct etl_run *run, const char *schedule)
{
	bool decided = run->trigger.slot.ms && run->lease.slot.ms >= run->trigger.slot.ms;
	char slot[ETL_TIME_TEXT_BYTES], holder[ETL_HOLDER_BYTES];

	if (decided && !etl_streq(schedule, run->lease.schedule) &&
		etl_skip_refused(run->env, run->job->name, run->trigger.slot, schedule,
			&run->error) < 0)
		return -1;
	run->state = ETL_RUN_BUSY;
	etl_time_format_rfc3339(run->trigger.slot, slot);
	if (decided)
		return etl_error_set(&run->error, ETL_CONFLICT, "slot.decided",
			"another etld has decided the slot %s already", slot);
	etl_lease_words(run->lease.holder, holder, sizeof holder);
	return etl_error_set(&run->error, ETL_CONFLICT, "lease.held",
		"another etld runs this job: %s", holder);
}

/* The law of the lease: the lease and the claim of the slot are one write, so that a slot is run
 * once by one etld. The write gives a fence, a number that only grows; each later write of the run
 * carries it, and the store refuses one that is lower than what it has seen. Example: etld A has
 * fence 7 and hangs; its lease runs out, B takes it with 8 and loads. A wakes up and commits with
 * 7: refused, the run ends as fenced, and nothing of it is written. 0 = ours; -1 = refused (state
 * BUSY) or the store failed. */
static int take_lease(struct etl_run *run)
{
	char schedule[ETL_SCHEDULE_BYTES];
	struct etl_lease_ask ask = {
		.job = run->job->name,
		.holder = run->env->holder,
		.run_id = run->run_id,
		.ttl = ETL_LEASE_TTL,
		.slot = run->trigger.slot,
		.schedule = schedule,
	};
	struct etl_error ignored = ETL_ERROR_INIT;
	int got;

	etl_job_schedule_key(run->job, schedule);
	got = etl_lease_take(run->env, &ask, &run->lease, &run->error);
	if (got < 0)
		return -1;
	if (got == 0)
		return refuse(run, schedule);
	run->fence = run->lease.fence;
	run->leased = true;
	run->claimed = true;
	(void)etl_lease_record_lost(run->env, run->job->name, &run->lease,
		&ignored); /* see save_record */
	heed_store_clock(run);
	return 0;
}

/* In the order of the job's partitions, which answers and records keep. */
void etl_run_add_part(struct etl_run *run, struct etl_part *part)
{
	ETL_GROW(run->parts, run->n_parts, run->parts_cap);
	run->parts[run->n_parts++] = part;
}

/* BUSY stays what it is; anything else that went wrong is a failure. */
int etl_run_begin(struct etl_run *run)
{
	if (record_passed_over(run) < 0 || take_lease(run) < 0 ||
		run->job->work->begin(run, &run->error) < 0) {
		if (run->state == ETL_RUN_RUNNING)
			run->state = ETL_RUN_FAILED;
		return -1;
	}
	return 0;
}

/* Over a connection of its own: see daemon/engine/backend.c. */
int etl_run_renew(struct etl_run *run, struct etl_error *err)
{
	struct etl_state *state = run->env->lease_state ? run->env->lease_state : run->env->state;

	return state->ops->lease_renew(state, run->job->name, run->fence, ETL_LEASE_TTL, err);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Made with the first part: a run whose begin failed has none. */
static void add_targets(struct etl_run *run, const struct etl_part *part)
{
	if (!run->targets && run->job->n_loads > 1)
		run->targets = etl_calloc(run->job->n_loads, sizeof *run->targets);
	for (size_t i = 0; part->targets && i < run->job->n_loads; i++)
		etl_counts_add(&run->targets[i], &part->targets[i]);
}

/* The only place where what parts counted becomes the run's. */
static void add_up(struct etl_run *run, const struct etl_part *part)
{
	etl_counts_add(&run->counts, &part->counts);
	add_targets(run, part);
	etl_window_counts_add(&run->windows, &part->windows);
	run->windows_blocked += part->windows_blocked;
	run->missing += part->missing;
	run->waiting += part->waiting;
	run->windows_changed += part->windows_changed;
	etl_tally_merge(&run->rejects, &part->rejects);
	etl_tally_merge(&run->warned, &part->warned);
	run->warnings += part->warnings;
	run->checks_failed |= part->checks_failed;
	run->requests += part->requests;
	run->bytes += part->bytes;
	run->unfolded += part->unfolded;
	run->folded += part->folded;
}

/* The run's state follows from its parts, and "ok" has to be earned by every one of them: there is
 * no state that a run has unless something contradicts it. Example: of three partitions one is in,
 * one waits for its upstream, one has failed: the run is partial. Had the third been cancelled:
 * cancelled. A run that has no part at all (its begin failed) is never ok. */
static void settle_state(struct etl_run *run)
{
	size_t ok = 0, blocked = 0, cancelled = 0, failed = 0;

	for (size_t i = 0; i < run->n_parts; i++) {
		const struct etl_part *part = run->parts[i];

		add_up(run, part);
		ok += part->state == ETL_PART_OK;
		blocked += part->state == ETL_PART_BLOCKED;
		cancelled += part->state == ETL_PART_CANCELLED || part->state == ETL_PART_WAITING;
		failed += part->state == ETL_PART_FAILED;
		if (part->error.kind != ETL_OK && run->error.kind == ETL_OK) {
			run->error = part->error;
			if (run->job->partition_names[0])
				etl_error_prefix(&run->error, "%s", part->partition->name);
		}
	}
	if (run->state != ETL_RUN_RUNNING)
		return;
	if (atomic_load(&run->fenced))
		run->state = ETL_RUN_FENCED;
	else if (cancelled)
		run->state = ETL_RUN_CANCELLED;
	else if (failed)
		run->state = ok + blocked ? ETL_RUN_PARTIAL : ETL_RUN_FAILED;
	else
		run->state = ok ? ETL_RUN_OK : blocked ? ETL_RUN_BLOCKED : ETL_RUN_FAILED;
}

void etl_run_add_verdict(struct etl_run *run, const char *check, const char *verdict,
	const char *message)
{
	ETL_GROW(run->verdicts, run->n_verdicts, run->verdicts_cap);
	run->verdicts[run->n_verdicts++] =
		(struct etl_run_verdict){check, verdict, etl_strdup(message)};
	if (etl_streq(verdict, "warn")) {
		run->warnings++;
		etl_tally_add(&run->warned, "check", check, "", message, 1);
	} else if (etl_streq(verdict, "fail")) {
		run->checks_failed = run->judged_bad = true;
		if (run->error.kind == ETL_OK)
			etl_error_set(&run->error, ETL_DATA, "check.failed", "check %s: %s", check, message);
		run->state = ETL_RUN_FAILED;
	}
}

/* What the work says of the run as a whole. A verdict takes "ok" away and never gives it. */
static void judge(struct etl_run *run)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (!run->n_parts || !run->job->work->finish || run->state == ETL_RUN_CANCELLED ||
		run->state == ETL_RUN_FENCED || run->state == ETL_RUN_BUSY ||
		run->job->work->finish(run, &err) == 0)
		return;
	if (run->error.kind == ETL_OK)
		run->error = err;
	run->state = ETL_RUN_FAILED;
	run->judged_bad = true;
}

/* "nothing_due" is an ok that did nothing: told apart, since an operator who expected data asks
 * about it. */
static const char *part_word(const struct etl_part *part)
{
	switch (part->state) {
	case ETL_PART_OK:
		return part->windows_due ? "ok" : "nothing_due";
	case ETL_PART_BLOCKED:
		return "blocked";
	case ETL_PART_FAILED:
		return "failed";
	case ETL_PART_CANCELLED:
		return "cancelled";
	case ETL_PART_WAITING:
	case ETL_PART_GOING:
		break;
	}
	return "cancelled";
}

/* Texts are lent by the part: the record is made, encoded and gone while the part lives. */
static void fill_partition(const struct etl_part *part, struct etl_run_partition *out)
{
	*out = (struct etl_run_partition){
		.partition = part->partition->name,
		.state = part_word(part),
		.windows = part->windows,
		.missing = part->missing,
		.waiting = part->waiting,
		.warnings = part->warnings,
		.counts = part->counts,
		.reason = part->error.kind != ETL_OK ? part->error.message : part->reason,
		.error_kind = part->error.kind ? etl_error_kind_name(part->error.kind) : "",
		.error_code = part->error.kind ? part->error.code : "",
		.http_status = part->error.status,
		.requests = part->requests,
		.pages = part->pages,
		.bytes = part->bytes,
	};
}

/* Of the committing target the run's own counts tell, but for what others refused. */
static void fill_targets(const struct etl_run *run, struct etl_run_record *out)
{
	const struct etl_job *job = run->job;

	etl_job_target(job, run->env->database, out->target);
	if (!run->targets)
		return;
	out->targets = etl_calloc(job->n_loads, sizeof *out->targets);
	out->n_targets = job->n_loads;
	for (size_t i = 0; i < job->n_loads; i++) {
		struct etl_run_target *to = &out->targets[i];

		etl_load_name(&job->loads[i], run->env->database, to->name);
		to->counts = i == job->committing ? run->counts : run->targets[i];
		to->counts.rejected = run->targets[i].rejected;
	}
}

/* The error; else what a partition waits for. */
static const char *reason_of(const struct etl_run *run)
{
	if (run->error.kind)
		return run->error.message;
	for (size_t i = 0; i < run->n_parts; i++)
		if (run->parts[i]->state == ETL_PART_BLOCKED)
			return run->parts[i]->reason;
	return "";
}

/* Steps are summed over the parts, which overlap: what each cost, not when it was. */
static void fill_record(const struct etl_run *run, struct etl_run_record *out)
{
	*out = (struct etl_run_record){
		.run_id = run->run_id,
		.job = run->job->name,
		.trigger = etl_trigger_word(run->trigger.kind),
		.cause = run->trigger.cause,
		.state = etl_run_state_word(run->state),
		.reason = run->error.kind || run->state == ETL_RUN_BLOCKED ? reason_of(run) : "",
		.host = run->env->host,
		.generation = run->generation,
		.fence = run->fence,
		.slot = run->trigger.slot,
		.started = run->started,
		.ended = run->ended,
		.took = run->took,
		.window = run->trigger.asked,
		.counts = run->counts,
		.windows = run->windows,
		.missing = run->missing,
		.waiting = run->waiting,
		.warnings = run->warnings,
		.rejects = &run->rejects,
		.warned = &run->warned,
		.unfolded = run->unfolded,
		.folded = run->folded,
		.verdicts = run->verdicts,
		.n_verdicts = run->n_verdicts,
		.n_steps = ETL_STEP_MAX,
	};
	if (run->trigger.skip.last.ms) {
		out->passed_over.first = run->trigger.skip.first;
		out->passed_over.last = run->trigger.skip.last;
		out->passed_over.slots = run->trigger.skip.slots;
		out->passed_over.code = etl_skip_word(run->trigger.skip.code);
	}
	for (int s = 0; s < ETL_STEP_MAX; s++) {
		out->steps[s].name = etl_steps[s].name;
		for (size_t i = 0; i < run->n_parts; i++) {
			out->steps[s].visits += run->parts[i]->steps[s].visits;
			out->steps[s].busy.us += run->parts[i]->steps[s].busy.us;
		}
	}
	out->partitions = etl_calloc(run->n_parts, sizeof *out->partitions);
	out->n_partitions = run->n_parts;
	for (size_t i = 0; i < run->n_parts; i++)
		fill_partition(run->parts[i], &out->partitions[i]);
	fill_targets(run, out);
}

/* What is shown of a run is the document that is stored: one form, one place. */
void etl_run_to_bson(const struct etl_run *run, bson_t *out)
{
	struct etl_run_record record;

	fill_record(run, &record);
	etl_run_record_to_bson(&record, out);
	free(record.partitions);
	free(record.targets);
}

/* The ledger has nothing of this failure: it came before any window, when closed ones were read
 * again, or is the word of a check of the run. */
static bool failed_unitless(const struct etl_run *run)
{
	if (run->state != ETL_RUN_FAILED && run->state != ETL_RUN_PARTIAL)
		return false;
	if (run->judged_bad)
		return true;
	for (size_t i = 0; i < run->n_parts; i++)
		if (run->parts[i]->state == ETL_PART_FAILED && !run->parts[i]->windows_left_open)
			return true;
	return !run->n_parts;
}

/* A run for a range has read again what was refused there, and it is in now: the range is taken
 * back, from either end, and with the last of it the count. Example: of six days three had refused
 * records; the job is mended, and `etlctl run JOB --from --to` is asked for these three, as dead
 * list says. */
static void take_back(const struct etl_run *run, struct etl_last_run *last)
{
	const struct etl_window *asked = &run->trigger.asked;
	struct etl_window *in = &last->rejected_in;

	if (!etl_run_is_asked(run) || run->trigger.partition || run->state != ETL_RUN_OK ||
		in->start.ms == in->end.ms || !etl_run_has_read_all(run))
		return;
	if (asked->start.ms <= in->start.ms && asked->end.ms > in->start.ms)
		in->start = asked->end;
	if (asked->end.ms >= in->end.ms && asked->start.ms < in->end.ms)
		in->end = asked->start;
	if (in->start.ms >= in->end.ms) {
		last->rejected = 0;
		*in = (struct etl_window){{0}, {0}};
	}
}

/* A run that had nothing to read says nothing about the records. Example: yesterday's run refused 3
 * records and today's whole run read 24 good ones: 0 from now on. Had today's run found nothing
 * due, or been asked for one window, the 3 would stay. */
static void fill_last_counts(struct etl_run *run, bool whole)
{
	bool has_read = run->counts.seen || run->windows.empty;
	const struct etl_last_run *before = &run->before;
	struct etl_last_run *last = &run->last;
	bool keep = !whole || !has_read;

	last->rejected = keep ? before->rejected : 0;
	last->warnings = keep ? before->warnings : 0;
	if (last->rejected) {
		last->rejected_in = before->rejected_in;
		take_back(run, last);
	}
	if (last->rejected)
		memcpy(last->first_reject, before->first_reject, sizeof last->first_reject);
	else if (run->rejects.n)
		etl_text_shorten(last->first_reject, sizeof last->first_reject,
			run->rejects.rows[0].first);
	for (size_t i = 0; i < run->n_parts; i++)
		if (!last->rejected || last->rejected_in.start.ms < last->rejected_in.end.ms)
			etl_window_join(&last->rejected_in, run->parts[i]->rejected_in);
	last->rejected += run->counts.rejected;
	/* What a listing warns of it warns of each time: it was counted by the run that read something. */
	last->warnings += run->job->window.object && !has_read ? 0 : run->warnings;
}

/* What status and health say of the job from now on. A run for a part of the work takes nothing
 * back: "failing" stays after one good window, and what was refused yesterday is not forgotten for
 * it. */
static void fill_last(struct etl_run *run)
{
	struct etl_last_run *last = &run->last;
	bool whole = etl_run_is_whole(run) && run->state != ETL_RUN_CANCELLED &&
		run->state != ETL_RUN_FENCED && run->state != ETL_RUN_BUSY;

	*last = (struct etl_last_run){.started = run->started, .ended = run->ended};
	memcpy(last->run_id, run->run_id, sizeof last->run_id);
	snprintf(last->state, sizeof last->state, "%s", etl_run_state_word(run->state));
	etl_text_shorten(last->reason, sizeof last->reason, reason_of(run));
	last->unitless = whole ? failed_unitless(run) : run->before.unitless;
	fill_last_counts(run, whole);
}

/* The run's record, and before it that of the run whose lease it took, should MongoDB have been
 * unreachable just then. Example: etld dies under run 1; run 2 takes the lease, and the next
 * message is lost: nobody but run 2 knows of run 1, so that it is asked again here, and by whoever
 * saves the record later. */
static int save_record(const struct etl_run *run, struct etl_error *err)
{
	struct etl_run_record record;
	int rc;

	if (run->fence && etl_lease_record_lost(run->env, run->job->name, &run->lease, err) < 0)
		return -1;
	fill_record(run, &record);
	rc = etl_doc_put(run->env->state, &etl_runs, &record, err);
	free(record.partitions);
	free(record.targets);
	return rc;
}

/* Whoever gave an order looks for its record, also if it could not begin. */
static bool asked_by_somebody(const struct etl_run *run)
{
	return run->trigger.kind == ETL_TRIGGER_MANUAL || run->trigger.kind == ETL_TRIGGER_BACKFILL;
}

/* The order: times, state, what is told from now on; then the record; the lease last, so that
 * nobody takes the job before the record is there. With MongoDB unreachable all of it is tried
 * again by the outbox. */
int etl_run_finish(struct etl_run *run, struct etl_error *err)
{
	struct etl_state *state = run->env->state;
	struct etl_error ignored = ETL_ERROR_INIT;
	int rc;

	run->ended = etl_now(run->env->clock);
	run->took = etl_mono_diff(etl_mono_now(run->env->clock), run->began);
	settle_state(run);
	judge(run);
	fill_last(run);
	/* What another etld does has its record there, and one that waits for that asks every half
	 * minute. */
	rc = run->state == ETL_RUN_BUSY && !asked_by_somebody(run) ? 0 : save_record(run, err);
	/* A lease that cannot be given back runs out by itself. One whose run has no record is
	 * kept: whoever takes it next writes down that there was a run. */
	if (run->leased && rc == 0)
		(void)state->ops->lease_end(state, run->job->name, run->fence, &run->last,
			&ignored);
	run->leased = false;
	return rc;
}

/* Minutes or hours later: the fence tells the store whether the lease is still this run's to give
 * back. */
int etl_run_save_again(const struct etl_run *run, struct etl_error *err)
{
	struct etl_state *state = run->env->state;
	struct etl_error ignored = ETL_ERROR_INIT;
	int rc = save_record(run, err);

	if (rc == 0 && run->fence)
		(void)state->ops->lease_end(state, run->job->name, run->fence, &run->last, &ignored);
	return rc;
}

/* By the codes, not by the kind: a transaction that lost to another is TRANSIENT too, and its
 * server is well. */
bool etl_store_is_unreachable(const struct etl_error *err)
{
	static const char *const away[] = {"mongodb.unreachable", "mongodb.network",
		"mongodb.election"};

	for (size_t i = 0; err->kind == ETL_TRANSIENT && i < sizeof away / sizeof *away; i++)
		if (strcmp(err->code, away[i]) == 0)
			return true;
	return false;
}

/* `moved` is what dependants wait for: windows that closed, or closed ones that changed. */
void etl_run_tell_outcome(const struct etl_run *run, struct etl_run_outcome *out)
{
	*out = (struct etl_run_outcome){
		.moved = run->windows.loaded || run->windows.empty || run->windows_changed,
		.claimed = run->claimed,
		.busy = run->state == ETL_RUN_BUSY,
		.store_lost = etl_store_is_unreachable(&run->error),
		.decided = run->lease.slot,
	};
	/* By our clock: if it differs from the store's we ask too soon, or a little late. */
	if (out->busy)
		out->held_for = etl_wall_diff(run->lease.expires, etl_now(run->env->clock));
	if (out->held_for.us > ETL_LEASE_TTL.us)
		out->held_for = ETL_LEASE_TTL;
}

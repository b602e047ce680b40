/* SPDX-License-Identifier: MIT
 *
 * Why, word by word: each phase of the scheduler, each trigger, each rule that skips and each
 * end of a run has a row here. The rows are counted against the enums, so that none can be
 * forgotten.
 */
#include "why_text.h"

#include "run/run.h"

/* ---- phases ----------------------------------------------------------------------------------- */

static void test_each_phase(void **state)
{
	static const char *const wanted[] = {
		[ETL_PHASE_IDLE] =
			"idle until its slot 2026-07-01T11:10:00Z, which fires at "
			"2026-07-01T11:10:26.500Z (jitter 26s500ms on this host) > its slot "
			"2026-07-01T11:10:00Z fires @ 2026-07-01T11:10:26.500Z | etlctl run "
			"a",
		[ETL_PHASE_PAUSED] =
			"paused by uid 7 (pid 1) since 2026-06-30T08:00:00Z: service moves; this etld alone "
			"knows of the pause: MongoDB does not have it yet | "
			"etlctl resume a | etlctl run a --force",
		[ETL_PHASE_RUNNING] =
			"run " RUN " goes since 2026-07-01T10:10:27Z, because its slot "
			"2026-07-01T10:10:00Z had come; it is at step load; 24 records and 3 "
			"windows so far; 1 of its partitions waits for a retry "
			"(retry.backoff, or as long as the source asked for); it failed: "
			"HTTP 503; another trigger waits behind it > it is tried again at "
			"2026-07-01T10:12:00Z @ 2026-07-01T10:12:00Z | etlctl logs a -f",
		[ETL_PHASE_SENSING] =
			"its slot 2026-07-01T10:10:00Z waits for its sensor: wait_for "
			"collection orders; the sensor saw: the newest is 2h old; it waits "
			"until 2026-07-01T11:10:00Z, then the slot is skipped "
			"(wait_for.timeout) > the sensor is asked again (wait_for.poke: 5m) "
			"@ 2026-07-01T10:35:00Z",
		[ETL_PHASE_PLACE] =
			"ready, but 16 of 16 places for runs are taken (limits.max_active); "
			"3 jobs are before it > a run ends and those before it have had "
			"their turn | schedule.jitter spreads slots that meet: etlctl simulate",
		[ETL_PHASE_STORE] =
			"MongoDB is unreachable since 2026-07-01T10:00:00Z: connection refused; no "
			"slot is lost: they are decided when MongoDB is back > MongoDB is "
			"asked again @ 2026-07-01T10:30:15Z | etlctl status",
		[ETL_PHASE_HELD] =
			"another etld has the lease of the job, until 2026-07-01T10:30:30Z "
			"if it does not renew it > the lease is asked for again @ "
			"2026-07-01T10:30:30Z | etlctl runs a",
		[ETL_PHASE_STOPPING] =
			"etld is stopping: nothing starts any more > etld is started again; "
			"missed slots are decided then (misfire)",
	};
	struct etl_job job = hourly();
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE,
		.slot = at("2026-07-01T10:10:00Z")};

	(void)state;
	assert_int_equal(sizeof wanted / sizeof *wanted, ETL_PHASE_MAX);
	for (int phase = 0; phase < ETL_PHASE_MAX; phase++) {
		struct etl_why_job f = {
			.name = "a",
			.job = &job,
			.now = at("2026-07-01T10:30:00Z"),
			.phase = (enum etl_sched_phase)phase,
			.slot = at("2026-07-01T11:10:00Z"),
			.jitter = ETL_MS(26500),
			.waiting = true,
			.paused_by = "uid 7 (pid 1)",
			.pause_why = "service moves",
			.paused_at = at("2026-06-30T08:00:00Z"),
			.pause_unsaved = 1,
			.run_id = RUN,
			.step = "load",
			.partition = "x",
			.started = at("2026-07-01T10:10:27Z"),
			.trigger = &trigger,
			.records = 24,
			.windows = 3,
			.retrying = 1,
			.retry_at = at("2026-07-01T10:12:00Z"),
			.retry_why = "HTTP 503",
			.ahead = 3,
			.active = 16,
			.max_active = 16,
			.mongodb_why = "connection refused",
			.mongodb_since = at("2026-07-01T10:00:00Z"),
			.mongodb_next = at("2026-07-01T10:30:15Z"),
			.held_until = at("2026-07-01T10:30:30Z"),
			.sense_said = "the newest is 2h old",
			.sense_slot = at("2026-07-01T10:10:00Z"),
			.sense_next = at("2026-07-01T10:35:00Z"),
			.sense_until = at("2026-07-01T11:10:00Z"),
		};
		struct etl_why why = {0};

		assert_non_null(wanted[phase]);
		assert_non_null(etl_sched_phase_word((enum etl_sched_phase)phase));
		etl_why_of_job(&f, &why);
		says(&why, wanted[phase]);
	}
	unmake(&job);
}

static void test_retries(void **state)
{
	struct etl_job job = hourly();
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_AFTER, .cause = "up"};
	struct etl_why_job f = {.name = "a", .job = &job, .phase = ETL_PHASE_RUNNING, .run_id = RUN,
		.step = "extract", .partition = "x", .started = at("2026-07-01T10:10:27Z"),
		.trigger = &trigger, .retrying = 2, .retry_at = at("2026-07-01T10:12:00Z"),
		.retry_why = ""};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_job(&f, &why);
	assert_string_equal(why.because.items[2], "2 of its partitions wait for a retry "
		"(retry.backoff, or as long as the source asked for)");
	assert_int_equal(why.because.n, 3); /* the failure is not known */
	assert_string_equal(why.next, "the first of them is tried again at 2026-07-01T10:12:00Z");
	etl_why_fini(&why);
	f.retrying = 0;
	etl_why_of_job(&f, &why);
	assert_int_equal(why.because.n, 2);
	assert_string_equal(why.next, "the run ends, or is ended by schedule.timeout (10m)");
	etl_why_fini(&why);
	unmake(&job);
}

static void test_backfills(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_backfill list[ETL_WHY_BACKFILLS] = {
		{.facts = {.id = "0197c5d2", .windows = 1416, .done = 24,
			 .range = {at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z")}},
			.waits_for = "its rate", .until = at("2026-07-01T10:31:00Z")},
		{.facts = {.id = "0197c5d3"}, .waits_for = ""},
	};
	struct etl_why_job f = {.name = "a", .job = &job, .phase = ETL_PHASE_PLACE, .active = 4,
		.max_active = 4, .active_backfills = 2, .only_backfill = true, .backfills = list,
		.n_backfills = 2};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_job(&f, &why);
	says(&why, "a piece of its backfill is ready; 4 of 4 places for runs are taken "
		"(limits.max_active), 2 of them by backfills, which get half, behind live "
		"runs; no job is before it; backfill 0197c5d2 of windows from "
		"2026-01-01T00:00:00Z to 2026-03-01T00:00:00Z goes on: 24 of 1416 windows "
		"are done; it waits: its rate, until 2026-07-01T10:31:00Z; backfill 0197c5d3 "
		"of windows from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z goes on: 0 of "
		"0 windows are done; a piece of it runs > a run ends | schedule.jitter "
		"spreads slots that meet: etlctl simulate | etlctl backfills a");
	for (size_t i = 2; i < ETL_WHY_BACKFILLS; i++)
		list[i] = list[1];
	f.n_backfills = ETL_WHY_BACKFILLS + 3;
	etl_why_of_job(&f, &why);
	assert_string_equal(why.because.items[why.because.n - 1], "3 more backfills go on");
	etl_why_fini(&why);
	unmake(&job);
}

static void test_deadlines(void **state)
{
	struct etl_job job = hourly();
	struct etl_deadline due = {{at("2026-07-01T08:00:00Z"), at("2026-07-01T09:00:00Z")},
		at("2026-07-01T09:20:00Z")};
	struct etl_why_job f = {.name = "a", .job = &job, .phase = ETL_PHASE_IDLE,
		.now = at("2026-07-01T09:19:59Z"), .deadline = &due, .deadline_of = job.partitions};
	struct etl_why why = {0};

	(void)state;
	job.deadline = ETL_MINUTES(20);
	etl_why_of_job(&f, &why);
	assert_string_equal(why.because.items[1], "window 2026-07-01T08:00:00Z has to be "
		"closed by 2026-07-01T09:20:00Z (deadline: window.end + 20m)");
	etl_why_fini(&why);
	f.now = due.due;
	etl_why_of_job(&f, &why);
	assert_string_equal(why.because.items[1], "window 2026-07-01T08:00:00Z was not "
		"closed by its deadline 2026-07-01T09:20:00Z (deadline: window.end + 20m)");
	etl_why_fini(&why);
	unmake(&job);
}

static void test_a_job_without_slots(void **state)
{
	struct etl_job up = {.name = "up"}, other = {.name = "other"};
	const struct etl_job *both[] = {&up, &other};
	struct etl_job job = {.name = "b", .n_upstream = 2, .upstream = both, .host = ""};
	struct etl_why_job f = {.name = "b", .job = &job, .phase = ETL_PHASE_IDLE};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_job(&f, &why);
	says(&why, "idle: it has no slots of its own; it also runs when a window of up, "
		"other is closed or changed > a window of up, other is closed or changed | "
		"etlctl run b");
}

static void test_what_else_is_told_of_a_job(void **state)
{
	struct etl_job job = hourly();
	struct etl_skip skip = {at("2026-07-01T08:10:00Z"), at("2026-07-01T09:10:00Z"), 2,
		ETL_SKIP_MISFIRE};
	struct etl_why_run last = {.run_id = RUN, .job = "a", .state = "failed",
		.reason = "HTTP 500",
		.trigger = "manual", .cause = "uid 0 (pid 9)", .ended = at("2026-07-01T10:00:00Z")};
	struct etl_why_job f = {.name = "a", .job = &job, .phase = ETL_PHASE_IDLE,
		.slot = at("2026-07-01T11:10:00Z"), .host_why = "5 failed requests in a row, "
			"the last: HTTP 503",
		.host_until = at("2026-07-01T10:40:00Z"), .skip = &skip, .last = &last};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_job(&f, &why);
	says(&why, "idle until its slot 2026-07-01T11:10:00Z; its host api.example.org is "
		"left alone until 2026-07-01T10:40:00Z: 5 failed requests in a row, the "
		"last: HTTP 503; its last run " RUN " ended failed at 2026-07-01T10:00:00Z: "
		"HTTP 500; it ran because it was started manually, by uid 0 (pid 9); slots "
		"2026-07-01T08:10:00Z to 2026-07-01T09:10:00Z (2) did not run: missed while "
		"etld was down, MongoDB unreachable or the clock jumped (schedule.misfire: "
		"run_latest) > its slot 2026-07-01T11:10:00Z fires @ 2026-07-01T11:10:00Z | "
		"etlctl run a | etlctl status | etlctl why "
		RUN " | schedule.misfire: run_each makes up each missed slot");
	unmake(&job);
}

/* ---- triggers and rules ------------------------------------------------------------------------ */

static void test_each_trigger(void **state)
{
	static const struct {
		const char *with_slot, *without;
	} wanted[] = {
		[ETL_TRIGGER_SCHEDULE] = {"its slot 2026-07-01T10:10:00Z had come", NULL},
		[ETL_TRIGGER_CATCH_UP] = {"its slot 2026-07-01T10:10:00Z was missed and made "
			"up (schedule.misfire: run_each)",
			"windows were due: a run before it had failed, or MongoDB or etld "
			"was down"},
		[ETL_TRIGGER_AFTER] = {NULL, "job cause had closed or changed windows"},
		[ETL_TRIGGER_MANUAL] = {NULL, "it was started manually, by cause, for windows "
			"from 2026-06-01T00:00:00Z to 2026-06-02T00:00:00Z"},
		[ETL_TRIGGER_BACKFILL] = {NULL, "it is a piece of backfill cause, for "
			"windows from 2026-06-01T00:00:00Z to 2026-06-02T00:00:00Z"},
	};
	struct etl_job job = {.name = "a", .misfire = ETL_MISFIRE_RUN_EACH};
	char text[ETL_WHY_TRIGGER_BYTES];

	(void)state;
	assert_int_equal(sizeof wanted / sizeof *wanted, ETL_TRIGGER_MAX);
	for (int kind = 0; kind < ETL_TRIGGER_MAX; kind++) {
		struct etl_why_run f = {.trigger = etl_trigger_word((enum etl_trigger_kind)kind),
			.cause = "cause", .slot = at("2026-07-01T10:10:00Z"), .config = &job,
			.asked = {at("2026-06-01T00:00:00Z"), at("2026-06-02T00:00:00Z")}};

		if (wanted[kind].with_slot) {
			etl_why_trigger(&f, text);
			assert_string_equal(text, wanted[kind].with_slot);
		}
		f.slot.ms = 0;
		if (wanted[kind].without) {
			etl_why_trigger(&f, text);
			assert_string_equal(text, wanted[kind].without);
		}
		assert_true(wanted[kind].with_slot || wanted[kind].without);
	}
	etl_why_trigger(&(struct etl_why_run){.trigger = "moon"}, text);
	assert_string_equal(text, "of trigger moon");
}

static void test_each_rule_that_skips(void **state)
{
	static const char *const wanted[] = {
		[ETL_SKIP_MISFIRE] = "missed while etld was down, MongoDB unreachable or the clock "
			"jumped (schedule.misfire: skip) | schedule.misfire: run_each makes "
			"up each missed slot",
		[ETL_SKIP_TOO_OLD] = "missed, and older than misfire run_if_younger allows "
			"(schedule.misfire: run_if_younger(2h)) | schedule.misfire: run_each "
			"makes up each missed slot",
		[ETL_SKIP_TOO_MANY] = "missed, and beyond the slots that run_each makes up "
			"(schedule.misfire: run_each, at most 1000)",
		[ETL_SKIP_OVERLAP] = "the run before was still going (overlap: skip) | "
			"schedule.overlap: queue_one lets one slot wait for the run before",
		[ETL_SKIP_QUEUE] = "a newer slot took the one place behind the run before "
			"(schedule.overlap: queue_one) | runs take longer than the time "
			"between two slots: a wider schedule, or a smaller window.max_span",
		[ETL_SKIP_PAUSED] = "the job was paused (etlctl resume without --from) | "
			"its slots since TIME count as missed after: etlctl resume a --from TIME",
		[ETL_SKIP_EDITED] = "the schedule was changed: slots of the old one are not "
			"replayed (the new schedule counts from when it was loaded)",
		[ETL_SKIP_CLOCK] = "decided by a clock that was ahead, and has been set back "
			"since (more than a day ahead)",
		[ETL_SKIP_SENSOR] = "what it waits for did not come in time "
			"(wait_for.timeout: 1h) | a longer wait_for.timeout lets it wait "
			"longer",
	};
	struct etl_job job = {.name = "a", .wait_for = &sensor};

	(void)state;
	assert_int_equal(sizeof wanted / sizeof *wanted, ETL_SKIP_MAX);
	for (int code = 0; code < ETL_SKIP_MAX; code++) {
		struct etl_skip skip = {at("2026-07-01T10:10:00Z"), at("2026-07-01T10:10:00Z"),
			1,
			(enum etl_skip_code)code};
		struct etl_why why = {0};
		char expected[512];

		assert_non_null(wanted[code]);
		job.misfire = code == ETL_SKIP_TOO_OLD ? ETL_MISFIRE_RUN_IF_YOUNGER : ETL_MISFIRE_SKIP;
		job.misfire_age = ETL_HOURS(2);
		job.overlap = code == ETL_SKIP_QUEUE ? ETL_OVERLAP_QUEUE_ONE : ETL_OVERLAP_SKIP;
		etl_why_skip(&job, &skip, &why);
		snprintf(expected, sizeof expected, "slot 2026-07-01T10:10:00Z did not run: "
			"%s", wanted[code]);
		says(&why, expected);
		etl_why_skip(NULL, &skip, &why); /* the job is gone: no setting, no hint */
		assert_int_equal(why.hints.n, 0);
		assert_non_null(strstr(why.because.items[0],
			etl_skip_text((enum etl_skip_code)code)));
		etl_why_fini(&why);
	}
}

/* ---- runs ---------------------------------------------------------------------------------------- */

static const struct {
	const char *state, *wanted;
} ends[] = {
	{"running", "it is running > the job's next slot @ 2026-07-01T11:10:00Z"},
	{"ok", "it ended ok: everything that was due is in, or nothing was due > the job's "
		"next slot @ 2026-07-01T11:10:00Z"},
	{"partial", "it ended partial: some partitions failed, the others are in: because; 2 "
		"windows failed; they stay due > the next slot runs the windows that stayed "
		"due @ 2026-07-01T11:10:00Z | etlctl run a"},
	{"failed", "it failed: because; 2 windows failed; they stay due > the next slot runs "
		"the windows that stayed due @ 2026-07-01T11:10:00Z | etlctl run a"},
	{"blocked", "it was blocked: windows of jobs that it comes after are missing: "
		"because > the next slot runs the windows that stayed due @ "
		"2026-07-01T11:10:00Z | etlctl run a"},
	{"cancelled", "it was cancelled: because > the next slot runs the windows that "
		"stayed due @ 2026-07-01T11:10:00Z | etlctl run a"},
	{"fenced", "it was fenced: another etld has taken over the job; it wrote nothing "
		"after that: because > the job's next slot @ 2026-07-01T11:10:00Z"},
	{"busy", "it did not start: another etld has the job, or has decided the slot: "
		"because > the job's next slot @ 2026-07-01T11:10:00Z"},
	{"interrupted", "it was interrupted: its etld died under it: because > the next slot "
		"runs the windows that stayed due @ 2026-07-01T11:10:00Z | etlctl run a"},
};

static void test_each_end_of_a_run(void **state)
{
	struct etl_job job = {.name = "a"};

	(void)state;
	for (int i = 0; i <= ETL_RUN_BUSY; i++) { /* each word of the enum has its row */
		size_t k = 0;

		while (k < sizeof ends / sizeof *ends &&
			strcmp(ends[k].state, etl_run_state_word((enum etl_run_state)i)) != 0)
			k++;
		assert_true(k < sizeof ends / sizeof *ends);
	}
	for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
		bool fine = strcmp(ends[k].state, "ok") == 0 || strcmp(ends[k].state,
			"running") == 0;
		bool some = strcmp(ends[k].state, "partial") == 0 || strcmp(ends[k].state,
			"failed") == 0;
		struct etl_why_run f = {.run_id = RUN, .job = "a", .state = ends[k].state,
			.reason = fine ? "" : "because", .trigger = "schedule", .cause = "",
				.code = "",
			.slot = at("2026-07-01T10:10:00Z"), .windows_failed = some ? 2 : 0,
				.config = &job,
			.next_fire = at("2026-07-01T11:10:00Z")};
		struct etl_why why = {0};
		char expected[1024];

		etl_why_of_run(&f, &why);
		snprintf(expected, sizeof expected,
			"it ran because its slot 2026-07-01T10:10:00Z had come; %s | etlctl "
			"show " RUN, ends[k].wanted);
		says(&why, expected);
	}
}

static void test_a_run_that_refused_records(void **state)
{
	struct etl_why_run f = {.run_id = RUN, .job = "a", .state = "ok", .reason = "", .trigger = "manual",
		.cause = "", .code = "", .rejected = 7};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_run(&f, &why);
	says(&why, "it ran because it was started manually; it ended ok: everything that was due is in, or "
		"nothing was due; 7 records were refused: they are dead letters | etlctl show " RUN
		" | etlctl dead list " RUN);
}

static void test_runs_of_jobs_that_cannot_go_on(void **state)
{
	struct etl_job job = {.name = "a"};
	struct etl_why_run f = {.run_id = RUN, .job = "a", .state = "failed", .reason = "",
		.trigger = "manual",
		.cause = "", .code = "", .config = &job, .paused = true};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_run(&f, &why);
	says(&why, "it ran because it was started manually; it failed; its windows stay due, "
		"but the job is paused | etlctl resume a | etlctl show " RUN);
	f.config = NULL;
	etl_why_of_run(&f, &why);
	says(&why, "it ran because it was started manually; it failed; the job is not "
		"configured any more: nothing follows | etlctl show " RUN);
}

static void test_slots_passed_over_and_skipped(void **state)
{
	struct etl_job job = {.name = "a", .misfire = ETL_MISFIRE_RUN_LATEST};
	struct etl_why_run f = {.run_id = RUN, .job = "a", .state = "ok", .reason = "",
		.trigger = "catch_up",
		.cause = "", .code = "", .slot = at("2026-07-01T10:10:00Z"), .config = &job,
		.passed_over = {at("2026-07-01T07:10:00Z"), at("2026-07-01T09:10:00Z"), 3,
			ETL_SKIP_MISFIRE}};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_run(&f, &why);
	says(&why, "it ran because its slot 2026-07-01T10:10:00Z was missed and made up "
		"(schedule.misfire: run_latest); slots 2026-07-01T07:10:00Z to "
		"2026-07-01T09:10:00Z (3) did not run: missed while etld was down, MongoDB "
		"unreachable or the clock jumped (schedule.misfire: run_latest); it ended ok: "
		"everything that was due is in, or nothing was due | schedule.misfire: "
		"run_each makes up each missed slot | etlctl show " RUN);
	f = (struct etl_why_run){.run_id = RUN, .job = "a", .state = "skipped", .reason = "",
		.code = "paused",
		.slot_first = at("2026-07-01T07:10:00Z"), .slot = at("2026-07-01T09:10:00Z"),
			.slots = 3,
		.config = &job, .trigger = "schedule", .cause = "",
			.next_fire = at("2026-07-01T11:10:00Z")};
	etl_why_of_run(&f, &why);
	says(&why, "this is no run, but the record of slots that did not run; slots "
		"2026-07-01T07:10:00Z to 2026-07-01T09:10:00Z (3) did not run: the job was "
		"paused (etlctl resume without --from); no data is lost by it: windows are "
		"planned from the ledger, by the next run > the job's next slot @ "
		"2026-07-01T11:10:00Z | its slots since TIME count as missed after: "
		"etlctl resume a --from TIME");
	f.code = "eclipse";
	f.reason = "the moon stood before it";
	f.slots = 0;
	etl_why_of_run(&f, &why);
	assert_string_equal(why.because.items[1],
		"slots 2026-07-01T07:10:00Z to 2026-07-01T09:10:00Z did not run");
	assert_string_equal(why.because.items[2], "the record says: the moon stood before it");
	etl_why_fini(&why);
}

static void test_a_command_is_told_once(void **state)
{
	struct etl_why why = {0};

	(void)state;
	etl_why_hint(&why, "etlctl run %s", "a");
	etl_why_hint(&why, "etlctl run %s", "b");
	etl_why_hint(&why, "etlctl run %s", "a");
	assert_int_equal(why.hints.n, 2);
	assert_string_equal(why.hints.items[0], "etlctl run a");
	assert_string_equal(why.hints.items[1], "etlctl run b");
	etl_why_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_phase),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_backfills),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_a_job_without_slots),
		cmocka_unit_test(test_what_else_is_told_of_a_job),
		cmocka_unit_test(test_each_trigger),
		cmocka_unit_test(test_each_rule_that_skips),
		cmocka_unit_test(test_each_end_of_a_run),
		cmocka_unit_test(test_a_run_that_refused_records),
		cmocka_unit_test(test_runs_of_jobs_that_cannot_go_on),
		cmocka_unit_test(test_slots_passed_over_and_skipped),
		cmocka_unit_test(test_a_command_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

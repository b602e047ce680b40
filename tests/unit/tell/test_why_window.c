/* SPDX-License-Identifier: MIT
 *
 * Why of windows, word by word: each state of the ledger and each reason to be due has a row
 * here. The rows are counted against the enums, so that none can be forgotten.
 */
#include "why_text.h"

static struct etl_why_window window_of(const struct etl_job *job)
{
	struct etl_why_window f = {.job = job, .partition = "-",
		.window = {at("2026-07-01T08:00:00Z"), at("2026-07-01T09:00:00Z")},
		.now = at("2026-07-01T12:00:00Z"), .phase = ETL_PHASE_IDLE,
		.fire = at("2026-07-01T12:10:00Z"),
		.entry = {.run_id = RUN, .attempt = 2, .reason = "because",
			.updated = at("2026-07-01T11:10:00Z"),
			.counts = {.out = 24}}};

	f.entry.window = f.window;
	return f;
}

static void test_each_state_of_a_window(void **state)
{
	static const struct {
		bool due;
		const char *wanted;
	} rows[] = {
		[ETL_WINDOW_PENDING] = {true, "pending since 2026-07-01T11:10:00Z: because: "
			"it is due"},
		[ETL_WINDOW_RUNNING] = {true, "running: it is large, and some slices of it "
			"are in (run " RUN ", attempt 2, at 2026-07-01T11:10:00Z)"},
		[ETL_WINDOW_LOADED] = {false, "loaded by run " RUN " at "
			"2026-07-01T11:10:00Z: 24 records, attempt 2"},
		[ETL_WINDOW_EMPTY] = {false, "empty: the source proved to run " RUN " at "
			"2026-07-01T11:10:00Z that there is nothing"},
		[ETL_WINDOW_HELD] = {true, "held: a check in run " RUN " held it back at "
			"2026-07-01T11:10:00Z: because (attempt 2)"},
		[ETL_WINDOW_FAILED] = {true, "failed: attempt 2 in run " RUN " at "
			"2026-07-01T11:10:00Z: because"},
		[ETL_WINDOW_UNRECOVERABLE] = {false, "unrecoverable: given up by run " RUN
			" at 2026-07-01T11:10:00Z: because"},
		[ETL_WINDOW_SKIPPED] = {false, "skipped at 2026-07-01T11:10:00Z: because"},
	};
	struct etl_job job = hourly();

	(void)state;
	assert_int_equal(sizeof rows / sizeof *rows, ETL_WINDOW_STATE_MAX);
	for (int s = 0; s < ETL_WINDOW_STATE_MAX; s++) {
		struct etl_why_window f = window_of(&job);
		struct etl_why why = {0};

		f.has_entry = true;
		f.entry.state = (enum etl_window_state)s;
		f.due = rows[s].due;
		f.why = ETL_DUE_OPEN;
		etl_why_of_window(&f, &why);
		assert_string_equal(why.because.items[0], rows[s].wanted);
		/* of a held one it is told before that somebody may decide */
		assert_string_equal(why.because.items[s == ETL_WINDOW_HELD ? 2 : 1],
			rows[s].due ? "it is due: it is still open" : "it is not due: it is "
				"closed");
		assert_true(!why.next == !rows[s].due);
		etl_why_fini(&why);
	}
	unmake(&job);
}

/* Who asks for 2026-10-25 has to find that date again: in UTC the window begins the day before. */
static void test_a_local_window_is_told_by_its_dates(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *paris = etl_zone_load("Europe/Paris", &err);
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	assert_non_null(paris);
	assert_true(etl_grid_init(&job.window.grid, at("2026-10-19T22:00:00Z"),
		(struct etl_grid_step){.length = ETL_DAYS(1)}, paris));
	f.window = f.entry.window = etl_grid_at(&job.window.grid, at("2026-10-25T12:00:00Z"));
	f.has_entry = true;
	f.entry.state = ETL_WINDOW_LOADED;
	f.entry.counts.out = 1;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[0], "in Europe/Paris it goes from 2026-10-25 until "
		"2026-10-26, which begins at 2026-10-25T23:00:00Z");
	assert_string_equal(why.because.items[1], "loaded by run " RUN " at 2026-07-01T11:10:00Z: "
		"1 record, attempt 2");
	etl_why_fini(&why);
	unmake(&job);
}

/* The commands of a decision stand alone: they are pasted as they are. */
static void test_decisions_are_offered(void **state)
{
	static const char *const dimensions[] = {"station", NULL};
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	job.partition_names = dimensions;
	f.partition = "station=a b";
	f.has_entry = f.due = true;
	f.why = ETL_DUE_OPEN;
	f.entry.state = ETL_WINDOW_HELD;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.hints.items[0], "etlctl held release a 2026-07-01T08:00:00Z "
		"--partition 'station=a b' --reason TEXT");
	assert_string_equal(why.hints.items[1], "etlctl held discard a 2026-07-01T08:00:00Z "
		"--partition 'station=a b' --reason TEXT");
	etl_why_fini(&why);
	f.entry.state = ETL_WINDOW_FAILED; /* by a source that does not answer: it may yet */
	f.entry.counts = (struct etl_counts){0};
	etl_why_of_window(&f, &why);
	for (size_t i = 0; i < why.hints.n; i++)
		assert_null(strstr(why.hints.items[i], "accept"));
	etl_why_fini(&why);
	f.entry.counts.rejected = 3;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.hints.items[1], "etlctl windows accept a 2026-07-01T08:00:00Z "
		"--partition 'station=a b' --reason TEXT");
	etl_why_fini(&why);
	job.partition_names = no_names;
	unmake(&job);
}

/* Of one partition that was asked about, not of all that the job has. */
static void test_a_run_of_the_window_is_of_its_partition(void **state)
{
	static const char *const dimensions[] = {"station", NULL};
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	job.partition_names = dimensions;
	f.partition = "station=a b";
	f.has_entry = true;
	f.entry.state = ETL_WINDOW_EMPTY;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.hints.items[0], "etlctl run a --window 2026-07-01T08:00:00Z "
		"--partition 'station=a b'");
	etl_why_fini(&why);
	f.due = true;
	f.why = ETL_DUE_OPEN;
	f.entry.state = ETL_WINDOW_RUNNING;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.hints.items[why.hints.n - 1], "etlctl run a --window "
		"2026-07-01T08:00:00Z --partition 'station=a b'");
	etl_why_fini(&why);
	job.partition_names = no_names;
	unmake(&job);
}

static void test_each_reason_to_be_due(void **state)
{
	static const char *const wanted[] = {
		[ETL_DUE_NEW] = "it is due: it was never loaded",
		[ETL_DUE_OPEN] = "it is due: it is still open",
		[ETL_DUE_DIRTY] = "it is due: it is closed, but marked to be read again: "
			"because",
		[ETL_DUE_AGAIN] = "it is due: each run reads it again (window.lookback or "
			"window.reread)",
		[ETL_DUE_ASKED] = "it is due: an operator asked for it",
	};
	struct etl_job job = hourly();

	(void)state;
	assert_int_equal(sizeof wanted / sizeof *wanted, ETL_DUE_ASKED + 1);
	for (int d = 0; d <= ETL_DUE_ASKED; d++) {
		struct etl_why_window f = window_of(&job);
		struct etl_why why = {0};

		f.has_entry = true;
		f.entry.state = ETL_WINDOW_LOADED;
		f.due = true;
		f.why = (enum etl_due)d;
		etl_why_of_window(&f, &why);
		assert_string_equal(why.because.items[1], wanted[d]);
		assert_string_equal(why.next, "the next run of job a takes it");
		assert_int_equal(why.next_at.ms, at("2026-07-01T12:10:00Z").ms);
		etl_why_fini(&why);
	}
	unmake(&job);
}

/* Only of what is closed, and in another target than its job's. */
static void test_a_window_elsewhere(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	f.has_entry = f.has_mark = true;
	f.entry.state = ETL_WINDOW_LOADED;
	etl_targets_note(&f.mark.targets, "etl.a", f.window);
	strcpy(f.target, "etl.b");
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[1],
		"it was loaded into 'a', and its job loads into 'b' now, which does not have it");
	assert_string_equal(why.hints.items[0], "etlctl restate a --from 2026-07-01T08:00:00Z --to "
						"2026-07-01T09:00:00Z");
	etl_why_fini(&why);
	strcpy(f.target, "etl.a");
	f.definition = UINT64_C(0x0100000000000002);
	f.entry.definition = UINT64_C(0x0100000000000001);
	f.entry.updated = at("2026-07-01T09:30:00Z");
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[1], "it was made by another definition of 2026-07-01: extract, "
		"transform, check or load have changed since");
	etl_why_fini(&why);
	f.definition = f.entry.definition = 0;
	strcpy(f.target, "etl.b");
	f.entry.state = ETL_WINDOW_PENDING;
	f.due = true;
	etl_why_of_window(&f, &why);
	assert_null(strstr(why.because.items[1], "etl.a"));
	etl_why_fini(&why);
	f.entry.state = ETL_WINDOW_LOADED;
	f.due = false;
	strcpy(f.target, "etl.a");
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[1], "it is not due: it is closed");
	etl_why_fini(&why);
	unmake(&job);
}

static void test_windows_that_nobody_has_tried(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	f.due = true;
	f.why = ETL_DUE_NEW;
	etl_why_of_window(&f, &why);
	says(&why, "the ledger has no entry of it: no run has closed it or failed at it; it "
		"is due: it was never loaded > the next run of job a takes it @ "
		"2026-07-01T12:10:00Z | etlctl why a");
	f.due = false; /* its end + 70 minutes = 10:10, that very slot is late enough */
	f.now = at("2026-07-01T09:30:00Z");
	f.jitter = ETL_SECONDS(5);
	etl_why_of_window(&f, &why);
	says(&why, "the ledger has no entry of it: no run has closed it or failed at it; it "
		"is not final before 2026-07-01T10:10:00Z: its end and window.settle (1h10m) "
		"> the first run after 2026-07-01T10:10:00Z takes it @ 2026-07-01T10:10:05Z");
	job.window.end = at("2026-07-01T08:00:00Z");
	etl_why_of_window(&f, &why);
	says(&why, "the ledger has no entry of it: no run has closed it or failed at it; it "
		"is never due: it ends behind window.end");
	job.window.end.ms = 0;
	f.now = at("2026-07-01T12:00:00Z");
	f.has_mark = true;
	f.mark = (struct etl_watermark){.origin = job.window.grid.start,
		.processed = at("2026-07-01T10:00:00Z")};
	etl_why_of_window(&f, &why);
	assert_non_null(strstr(why.because.items[0], "one of the next runs looks for such "
		"holes"));
	etl_why_fini(&why);
	f.has_mark = false;
	f.due = f.lost = true;
	f.why = ETL_DUE_NEW;
	f.phase = ETL_PHASE_PAUSED;
	etl_why_of_window(&f, &why);
	says(&why, "the ledger has no entry of it: no run has closed it or failed at it; it "
		"is due: it was never loaded; it is older than the source keeps "
		"(window.retention); job a is paused | etlctl resume a | etlctl why a | "
		"etlctl run a --window 2026-07-01T08:00:00Z");
	unmake(&job);
}

/* A run is about to start: when the next slot is does not say when it takes the window. */
static void test_what_the_job_waits_for(void **state)
{
	static const char *const wanted[] = {
		[ETL_PHASE_IDLE] = "the next run of job a takes it",
		[ETL_PHASE_PAUSED] = NULL,
		[ETL_PHASE_RUNNING] = "the run that goes may take it, else the next one",
		[ETL_PHASE_SENSING] = "a run of job a takes it, when what it waits for has come",
		[ETL_PHASE_PLACE] = "a run of job a takes it, when a place is free",
		[ETL_PHASE_STORE] = "a run of job a takes it, when MongoDB is back",
		[ETL_PHASE_HELD] = "a run of job a takes it, when another etld gives its lease back",
		[ETL_PHASE_STOPPING] = "a run of job a takes it, when etld is started again",
	};
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);

	(void)state;
	assert_int_equal(sizeof wanted / sizeof *wanted, ETL_PHASE_MAX);
	f.due = true;
	f.why = ETL_DUE_NEW;
	for (int phase = 0; phase < ETL_PHASE_MAX; phase++) {
		struct etl_why why = {0};

		f.phase = (enum etl_sched_phase)phase;
		etl_why_of_window(&f, &why);
		if (wanted[phase])
			assert_string_equal(why.next, wanted[phase]);
		else
			assert_null(why.next);
		assert_int_equal(why.next_at.ms, phase == ETL_PHASE_IDLE ? f.fire.ms : 0);
		etl_why_fini(&why);
	}
	unmake(&job);
}

static void test_its_deadline(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	job.deadline = ETL_HOURS(3);
	f.due = true;
	f.why = ETL_DUE_NEW;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[2], "it was not closed by its deadline "
		"2026-07-01T12:00:00Z (deadline: window.end + 3h)");
	etl_why_fini(&why);
	f.now.ms--;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[2], "it has to be closed by 2026-07-01T12:00:00Z "
		"(deadline: window.end + 3h)");
	etl_why_fini(&why);
	f.has_entry = true; /* read again: it was closed in time or not, nobody waits for it now */
	f.entry.state = ETL_WINDOW_LOADED;
	f.why = ETL_DUE_AGAIN;
	etl_why_of_window(&f, &why);
	assert_int_equal(why.because.n, 2);
	etl_why_fini(&why);
	unmake(&job);
}

static void test_a_change_of_the_watermark_is_told(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	f.has_entry = true;
	f.entry.state = ETL_WINDOW_SKIPPED;
	snprintf(f.change_kind, sizeof f.change_kind, "set");
	snprintf(f.change_who, sizeof f.change_who, "uid 0 (pid 3)");
	snprintf(f.change_why, sizeof f.change_why, "will never come");
	f.change_at = at("2026-07-01T11:00:00Z");
	etl_why_of_window(&f, &why);
	says(&why, "skipped at 2026-07-01T11:10:00Z: because; a change of the watermark "
		"(set) touched it, made by uid 0 (pid 3) at 2026-07-01T11:00:00Z: will never "
		"come; it is not due: it is closed | etlctl watermark undo a | etlctl run a "
		"--window 2026-07-01T08:00:00Z");
	unmake(&job);
}

static void test_a_chain_of_windows(void **state)
{
	struct etl_job c = hourly(), b = hourly(), a = hourly();
	static const char *const stations[] = {"station", NULL};
	static struct etl_partition x = {.name = "x"};
	struct etl_why_window f;
	struct etl_why why = {0};

	(void)state;
	c.name = "c";
	b.name = "b";
	b.partition_names = stations;
	f = window_of(&c);
	f.due = true;
	f.why = ETL_DUE_NEW;
	f.n_links = 2;
	f.links[0] = (struct etl_why_link){.job = &b, .partition = &x, .window = f.window,
		.is_final = true};
	f.links[1] = (struct etl_why_link){.job = &a, .partition = one_partition,
		.window = f.window,
		.why = "failed: HTTP 500", .is_final = true, .fire = at("2026-07-01T12:20:00Z")};
	etl_why_of_window(&f, &why);
	says(&why, "the ledger has no entry of it: no run has closed it or failed at it; it "
		"is due: it was never loaded; it is blocked: it waits for window "
		"2026-07-01T08:00:00Z of job b, partition x, which no run has closed; that "
		"one waits for window 2026-07-01T08:00:00Z of job a, which is failed: HTTP "
		"500 > job a runs @ 2026-07-01T12:20:00Z | etlctl why a");
	f.links[1].phase = ETL_PHASE_SENSING;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.next, "job a runs, when what it waits for has come");
	assert_int_equal(why.next_at.ms, 0);
	etl_why_fini(&why);
	f.links[1].phase = ETL_PHASE_PAUSED;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[4], "job a is paused");
	assert_string_equal(why.hints.items[0], "etlctl resume a");
	assert_null(why.next);
	etl_why_fini(&why);
	f.n_links = 1;
	f.links[0].is_final = false;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[3], "window 2026-07-01T08:00:00Z of job b, "
		"partition x is not final before 2026-07-01T10:10:00Z (window.settle)");
	etl_why_fini(&why);
	unmake(&a);
	unmake(&b);
	unmake(&c);
}

static void test_a_job_without_windows(void **state)
{
	struct etl_job job = {.name = "users", .window = {.none = true}};
	struct etl_why_window f = {.job = &job, .partition = "-", .due = true,
		.why = ETL_DUE_AGAIN,
		.has_entry = true, .entry = {.state = ETL_WINDOW_LOADED, .run_id = RUN,
			.attempt = 1,
			.updated = at("2026-07-01T11:10:00Z"), .counts = {.out = 10}},
		.fire = at("2026-07-01T12:10:00Z")};
	struct etl_why why = {0};

	(void)state;
	etl_why_of_window(&f, &why);
	says(&why, "loaded by run " RUN " at 2026-07-01T11:10:00Z: 10 records, attempt 1; it "
		"is due: each run reads everything > the next run of job users takes it @ "
		"2026-07-01T12:10:00Z | etlctl why users");
}

/* Closed with some left out, and open: the first is loaded again by a command, the other by itself. */
static void test_refused_records_of_a_window(void **state)
{
	struct etl_job job = hourly();
	struct etl_why_window f = window_of(&job);
	struct etl_why why = {0};

	(void)state;
	f.has_entry = true;
	f.entry.state = ETL_WINDOW_LOADED;
	f.entry.counts.rejected = 3;
	f.partition = "station=a b";
	etl_why_of_window(&f, &why);
	says(&why, "loaded by run " RUN " at 2026-07-01T11:10:00Z: 24 records, attempt 2; 3 records of it "
		"were refused: they are dead letters; it is not due: it is closed | etlctl dead list a "
		"--window 2026-07-01T08:00:00Z --partition 'station=a b' | etlctl run a --from "
		"2026-07-01T08:00:00Z --to 2026-07-01T09:00:00Z --partition 'station=a b' | etlctl run a "
		"--window 2026-07-01T08:00:00Z");
	f.entry.state = ETL_WINDOW_FAILED;
	f.partition = "-";
	f.due = true;
	f.why = ETL_DUE_OPEN;
	etl_why_of_window(&f, &why);
	assert_string_equal(why.because.items[1], "3 records of it were refused: they are dead letters");
	assert_string_equal(why.hints.items[1], "etlctl dead list a --window 2026-07-01T08:00:00Z");
	for (size_t i = 0; i < why.hints.n; i++)
		assert_null(strstr(why.hints.items[i], "--from"));
	etl_why_fini(&why);
	unmake(&job);
}

static void need_again(const struct etl_job *job, const char *partition, const char *from, const char *to,
	const char *wanted)
{
	struct etl_window range = {at(from), at(to)};
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_why_again(job, partition, &range, &out);
	assert_string_equal(etl_buf_text(&out), wanted);
	etl_buf_fini(&out);
}

static void test_what_loads_windows_again(void **state)
{
	struct etl_job job = hourly(), whole = {.name = "users", .window.none = true};

	(void)state;
	job.window.max_span = ETL_SECONDS(3 * 3600);
	need_again(&job, NULL, "2026-07-01T08:00:00Z", "2026-07-01T11:00:00Z",
		"etlctl run a --from 2026-07-01T08:00:00Z --to 2026-07-01T11:00:00Z");
	need_again(&job, "station=1", "2026-07-01T08:00:00Z", "2026-07-01T12:00:00Z",
		"etlctl backfill a --from 2026-07-01T08:00:00Z --to 2026-07-01T12:00:00Z "
		"--partition station=1 --reprocess all");
	need_again(&whole, "-", "", "", "etlctl run users");
	unmake(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_state_of_a_window),
		cmocka_unit_test(test_a_local_window_is_told_by_its_dates),
		cmocka_unit_test(test_decisions_are_offered),
		cmocka_unit_test(test_a_run_of_the_window_is_of_its_partition),
		cmocka_unit_test(test_each_reason_to_be_due),
		cmocka_unit_test(test_a_window_elsewhere),
		cmocka_unit_test(test_windows_that_nobody_has_tried),
		cmocka_unit_test(test_what_the_job_waits_for),
		cmocka_unit_test(test_its_deadline),
		cmocka_unit_test(test_a_change_of_the_watermark_is_told),
		cmocka_unit_test(test_a_chain_of_windows),
		cmocka_unit_test(test_a_job_without_windows),
		cmocka_unit_test(test_refused_records_of_a_window),
		cmocka_unit_test(test_what_loads_windows_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

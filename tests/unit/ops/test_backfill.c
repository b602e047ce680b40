/* SPDX-License-Identifier: MIT
 *
 * Backfills: the survey and the pieces against a naive reading of a random ledger, what the
 * run of a piece means, and whole pieces through the real engine: the live watermark stays.
 */
#include "../flow/run_rig.h"

#include "ops/backfill.h"

static uint64_t next_random(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

static struct etl_backfill whole(const struct rig *rig, int from, int to, enum etl_reprocess which)
{
	struct etl_backfill b = {.id = "0190a0b0-0000-7000-8000-000000000001",
		.range = {hour(from), hour(to)}, .reprocess = which, .at = hour(from), .attempt = 1};

	snprintf(b.job, sizeof b.job, "%s", rig->job->name);
	return b;
}

static int64_t hours_at(etl_wall t)
{
	return (t.ms - hour(0).ms) / HOUR_MS;
}

/* ---- the ledger ------------------------------------------------------------------------------ */

enum { HOURS = 300 };

/* A ledger with holes and every state; -1 = no entry. */
static void random_ledger(struct rig *rig, const char *partition, uint64_t *r, int states[HOURS])
{
	static const enum etl_window_state marks[] = {ETL_WINDOW_FAILED, ETL_WINDOW_HELD,
		ETL_WINDOW_SKIPPED, ETL_WINDOW_UNRECOVERABLE};
	struct etl_state *s = rig->driver.state;
	struct etl_watermark mark;
	struct etl_error err = ETL_ERROR_INIT;

	assert_int_equal(s->ops->watermark_claim(s, "job", partition, 1, hour(0), HOUR_MS, &mark, &err), 0);
	for (int h = 0; h < HOURS; h++) {
		struct etl_ledger_entry e = {.window = {hour(h), hour(h + 1)}};
		struct etl_commit c = {.job = "job", .partition = partition, .run_id = "r", .fence = 1,
			.entries = &e, .n_entries = 1, .origin = hour(0), .window_ms = HOUR_MS};
		int dice = (int)(next_random(r) % 12);

		states[h] = -1;
		if (dice < 4) {
			e.state = dice % 2 ? ETL_WINDOW_LOADED : ETL_WINDOW_EMPTY;
			assert_int_equal(s->ops->commit(s, NULL, &c, &err), 0);
		} else if (dice < 8) {
			e.state = marks[dice - 4];
			assert_int_equal(s->ops->ledger_mark(s, "job", partition, 1, &e, 1, &err), 0);
		} else {
			continue;
		}
		states[h] = (int)e.state;
	}
}

/* A backfill's questions about the rig's store. */
#define OF(job, backfill) (&(struct etl_backfill_of){rig->driver.state, "etl", job, backfill})

static bool naive_wants(enum etl_reprocess which, int state)
{
	bool missing = state < 0 || state == ETL_WINDOW_SKIPPED;
	bool failed = state == ETL_WINDOW_FAILED || state == ETL_WINDOW_HELD;

	if (which == ETL_REPROCESS_STALE) /* the rig's job has one definition, and one target */
		return false;
	return which == ETL_REPROCESS_ALL || missing || (which == ETL_REPROCESS_FAILED && failed);
}

/* All pieces, one after the other: together exactly what is wanted, each short enough. */
static void walk_pieces(struct rig *rig, struct etl_backfill b, const bool wanted[HOURS],
	uint64_t expected)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_window piece;
	bool seen[HOURS] = {false};
	uint64_t most = etl_backfill_piece_windows(rig->job, &b), pieces = 0;
	int rc;

	if (b.newest_first)
		b.at = b.range.end;
	while ((rc = etl_backfill_next(OF(rig->job, &b), &piece, &err)) == 1) {
		int64_t from = hours_at(piece.start), to = hours_at(piece.end);

		assert_true(from < to && (uint64_t)(to - from) <= most);
		assert_true(wanted[from] && wanted[to - 1]); /* no longer than it has to be */
		assert_true(b.newest_first ? piece.end.ms <= b.at.ms : piece.start.ms >= b.at.ms);
		for (int64_t h = from; h < to; h++)
			seen[h] = true;
		b.at = b.newest_first ? piece.start : piece.end;
		pieces++;
	}
	assert_int_equal(rc, 0);
	for (int h = 0; h < HOURS; h++)
		assert_true(seen[h] || !wanted[h]);
	if (!b.newest_first)
		assert_int_equal(pieces, expected);
}

static void test_pieces_and_survey_against_a_naive_reading(void **state)
{
	struct rig *rig = rig_new(yaml_with("[a]", "[a, b]"), HOURS + 10);
	uint64_t seed = (uint64_t)rig->driver.clock.wall.ms | 1, r = seed;
	int states[2][HOURS];

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	random_ledger(rig, "a", &r, states[0]);
	random_ledger(rig, "b", &r, states[1]);
	for (int which = 0; which < ETL_REPROCESS_MAX; which++)
		for (int newest = 0; newest < 2; newest++) {
			struct etl_backfill b = whole(rig, 0, HOURS, (enum etl_reprocess)which);
			struct etl_backfill_survey survey;
			struct etl_error err = ETL_ERROR_INIT;
			bool wanted[HOURS];
			uint64_t n = 0;

			b.newest_first = newest;
			for (int h = 0; h < HOURS; h++) {
				bool a = naive_wants(b.reprocess, states[0][h]);
				bool c = naive_wants(b.reprocess, states[1][h]);

				wanted[h] = a || c;
				n += (uint64_t)a + c;
			}
			assert_int_equal(etl_backfill_survey(OF(rig->job, &b), hour(HOURS + 10), &survey,
				&err), 0);
			assert_int_equal(survey.windows, 2 * HOURS);
			assert_int_equal(survey.wanted, n);
			walk_pieces(rig, b, wanted, survey.pieces);
		}
	rig_free(rig);
}

static void need_piece(struct rig *rig, const struct etl_job *job, struct etl_backfill *b, int from, int to)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_window piece;

	assert_int_equal(etl_backfill_next(OF(job, b), &piece, &err), 1);
	assert_int_equal(hours_at(piece.start), from);
	assert_int_equal(hours_at(piece.end), to);
	b->at = b->newest_first ? piece.start : piece.end;
}

/* The example of backfill.c: 03, 04, 09 and 20 o'clock are wanted, ten windows a piece. */
static void test_pieces_begin_and_end_with_what_is_wanted(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 30);
	struct etl_job job = *rig->job;
	struct etl_state *s = rig->driver.state;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;

	(void)state;
	assert_int_equal(s->ops->watermark_claim(s, "job", "a", 1, hour(0), HOUR_MS, &mark, &err), 0);
	for (int h = 0; h < 24; h++) {
		struct etl_ledger_entry e = {.window = {hour(h), hour(h + 1)}, .state = ETL_WINDOW_LOADED};
		struct etl_commit c = {.job = "job", .partition = "a", .run_id = "r", .fence = 1,
			.entries = &e, .n_entries = 1, .origin = hour(0), .window_ms = HOUR_MS};

		if (h != 3 && h != 4 && h != 9 && h != 20)
			assert_int_equal(s->ops->commit(s, NULL, &c, &err), 0);
	}
	job.window.max_span = ETL_HOURS(2);
	for (int newest = 0; newest < 2; newest++) {
		struct etl_backfill b = whole(rig, 0, 24, ETL_REPROCESS_MISSING);

		b.newest_first = newest;
		b.at = newest ? hour(24) : hour(0);
		assert_int_equal(etl_backfill_piece_windows(&job, &b), 10);
		need_piece(rig, &job, &b, newest ? 20 : 3, newest ? 21 : 10);
		need_piece(rig, &job, &b, newest ? 3 : 20, newest ? 10 : 21);
	}
	rig_free(rig);
}

/* A window of an older grid that begins where one of ours does is not ours. */
static void test_windows_of_an_older_grid(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 30);
	struct etl_state *s = rig->driver.state;
	struct etl_backfill b = whole(rig, 0, 4, ETL_REPROCESS_MISSING);
	struct etl_ledger_entry e = {.window = {hour(0), hour(2)}, .state = ETL_WINDOW_LOADED};
	struct etl_commit c = {.job = "job", .partition = "a", .run_id = "r", .fence = 1, .entries = &e,
		.n_entries = 1, .origin = hour(0), .window_ms = 2 * HOUR_MS};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;

	(void)state;
	assert_int_equal(s->ops->watermark_claim(s, "job", "a", 1, hour(0), HOUR_MS, &mark, &err), 0);
	assert_int_equal(s->ops->commit(s, NULL, &c, &err), 0);
	snprintf(b.partition, sizeof b.partition, "a");
	need_piece(rig, rig->job, &b, 0, 4);
	rig_free(rig);
}

static void test_cut_to_the_grid_and_to_what_is_final(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_window range = {{hour(2).ms + 5}, hour(500)};
	struct etl_window none = {hour(400), hour(500)};

	(void)state;
	assert_true(etl_backfill_cut(rig->job, hour(20), &range));
	assert_int_equal(range.start.ms, hour(2).ms);
	assert_int_equal(range.end.ms, etl_window_limit(&rig->job->window, hour(20)).ms);
	assert_false(etl_backfill_cut(rig->job, hour(20), &none));
	rig_free(rig);
}

/* A reload made the job one with window: none while its backfill was under way. */
static void test_a_job_that_has_no_windows_any_more(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = whole(rig, 0, 5, ETL_REPROCESS_ALL);
	struct etl_job job = *rig->job;
	struct etl_window range = {hour(0), hour(5)}, piece;
	struct etl_backfill_survey survey;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	job.window = (struct etl_window_rules){.none = true};
	assert_false(etl_backfill_cut(&job, hour(20), &range));
	assert_int_equal(etl_backfill_survey(OF(&job, &b), hour(20), &survey, &err), 0);
	assert_int_equal(survey.windows, 0);
	assert_int_equal(etl_backfill_next(OF(&job, &b), &piece, &err), 0);
	assert_true(etl_backfill_piece_windows(&job, &b) >= 1);
	rig_free(rig);
}

static void test_the_rate_bounds_a_piece(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = {.rate = 0};
	uint64_t free_one = etl_backfill_piece_windows(rig->job, &b);

	(void)state;
	assert_true(free_one >= ETL_BACKFILL_PIECE_MIN && free_one <= ETL_BACKFILL_PIECE_MAX);
	b.rate = 2.0 / 60;
	assert_int_equal(etl_backfill_piece_windows(rig->job, &b), 2);
	b.rate = 1.0 / 3600;
	assert_int_equal(etl_backfill_piece_windows(rig->job, &b), 1);
	rig_free(rig);
}

/* ---- what a run means ---------------------------------------------------------------------- */

static struct etl_run finished(const struct rig *rig, enum etl_run_state state, enum etl_error_kind kind)
{
	struct etl_run run = {.job = rig->job, .state = state, .planned = hour(1000),
		.error = ETL_ERROR_INIT};

	if (kind != ETL_OK)
		etl_error_set(&run.error, kind, "test", "it failed");
	return run;
}

static void test_a_piece_that_went_well(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = whole(rig, 0, 100, ETL_REPROCESS_ALL);
	struct etl_run run = finished(rig, ETL_RUN_OK, ETL_OK);
	struct etl_window piece = {hour(3), hour(13)};
	etl_dur wait;

	(void)state;
	run.windows.loaded = 7;
	run.windows.empty = 2;
	run.windows.held = 1;
	b.rate = 1;
	b.attempt = 3;
	assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(4), &wait), ETL_BACKFILL_ON);
	assert_int_equal(wait.us, ETL_SECONDS(5).us); /* nine windows at one a second, four are over */
	assert_int_equal(b.at.ms, hour(13).ms);
	assert_int_equal(b.done, 9);
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.attempt, 1);
	b.newest_first = true;
	assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(60), &wait), ETL_BACKFILL_ON);
	assert_int_equal(wait.us, 0);
	assert_int_equal(b.at.ms, hour(3).ms);
	rig_free(rig);
}

static void test_a_piece_that_may_work_later(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = whole(rig, 0, 100, ETL_REPROCESS_ALL);
	struct etl_run run = finished(rig, ETL_RUN_FAILED, ETL_TRANSIENT);
	struct etl_window piece = {hour(3), hour(13)};
	etl_dur wait, before = {0};

	(void)state;
	run.windows.failed = 10;
	for (int i = 1; i < ETL_BACKFILL_ATTEMPTS; i++) {
		assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(1), &wait),
			ETL_BACKFILL_AGAIN);
		assert_true(wait.us > 0 && wait.us + ETL_HOURS(1).us > before.us);
		assert_int_equal(b.at.ms, hour(0).ms);
		assert_string_equal(b.reason, "it failed");
		before = wait;
	}
	assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_END);
	assert_int_equal(b.state, ETL_BACKFILL_FAILED);
	rig_free(rig);
}

static void test_bad_data_is_passed_and_others_turns_cost_nothing(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = whole(rig, 0, 100, ETL_REPROCESS_ALL);
	struct etl_run bad = finished(rig, ETL_RUN_FAILED, ETL_DATA);
	struct etl_run busy = finished(rig, ETL_RUN_BUSY, ETL_CONFLICT);
	struct etl_run ended = finished(rig, ETL_RUN_CANCELLED, ETL_CANCELLED);
	struct etl_window piece = {hour(3), hour(13)};
	etl_dur wait;

	(void)state;
	bad.windows.failed = 2;
	assert_int_equal(etl_backfill_judge(&b, &bad, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_ON);
	assert_int_equal(b.failed, 2);
	for (int i = 0; i < 20; i++)
		assert_int_equal(etl_backfill_judge(&b, &busy, &piece, ETL_SECONDS(1), &wait),
			ETL_BACKFILL_AGAIN);
	assert_int_equal(b.attempt, 1);
	ended.cancel = ETL_CANCEL_SHUTDOWN;
	assert_int_equal(etl_backfill_judge(&b, &ended, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_AGAIN);
	ended.cancel = ETL_CANCEL_OPERATOR;
	assert_int_equal(etl_backfill_judge(&b, &ended, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_END);
	assert_int_equal(b.state, ETL_BACKFILL_CANCELLED);
	rig_free(rig);
}

/* The run's clock was set back, and it found nothing to do: that is not the end of the piece. */
static void test_a_piece_that_is_not_over_yet(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 10);
	struct etl_backfill b = whole(rig, 0, 100, ETL_REPROCESS_MISSING);
	struct etl_run run = finished(rig, ETL_RUN_OK, ETL_OK);
	struct etl_window piece = {hour(3), hour(13)};
	etl_dur wait;

	(void)state;
	run.planned = hour(12);
	assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_AGAIN);
	assert_int_equal(wait.us, ETL_MINUTES(15).us);
	run.planned.ms = hour(13).ms + etl_dur_ms(rig->job->window.settle) - 1;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(1), &wait),
			ETL_BACKFILL_AGAIN);
		assert_int_equal(wait.us, ETL_LEASE_TTL.us);
	}
	assert_int_equal(b.at.ms, hour(0).ms);
	assert_int_equal(b.pieces, 0);
	assert_int_equal(b.attempt, 1);
	run.planned.ms++;
	assert_int_equal(etl_backfill_judge(&b, &run, &piece, ETL_SECONDS(1), &wait), ETL_BACKFILL_ON);
	assert_int_equal(b.at.ms, hour(13).ms);
	assert_string_equal(b.reason, "");
	rig_free(rig);
}

static void test_eta(void **state)
{
	struct etl_backfill b = {.windows = 100, .created = hour(0)};

	(void)state;
	assert_int_equal(etl_backfill_eta(&b, hour(1)).us, -1);
	b.done = 20;
	b.failed = 5;
	assert_int_equal(etl_backfill_eta(&b, hour(1)).us, ETL_HOURS(3).us);
	b.done = 200;
	assert_int_equal(etl_backfill_eta(&b, hour(1)).us, 0);
}

/* ---- whole pieces ---------------------------------------------------------------------------- */

/* Hours 0 to 20 were loaded, the source then changed some and the ledger lost others: the pieces
 * bring all of it, and the watermark does not move. */
static void test_pieces_leave_the_watermark_alone(void **state)
{
	struct rig *rig = rig_new(rig_yaml, 20);
	struct etl_backfill b = whole(rig, 0, 40, ETL_REPROCESS_MISSING);
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_window piece;
	int64_t mark;
	etl_dur wait;

	(void)state;
	service_fill(rig, "a", 0, 40);
	NEED_RUN(rig, ETL_RUN_OK);
	mark = watermark_of(rig, "job", "a").ms;
	pass_hours(rig, 20);
	assert_true(etl_backfill_cut(rig->job, etl_now(&rig->driver.clock.clock), &b.range));
	while (etl_backfill_next(OF(rig->job, &b), &piece, &err) == 1) {
		struct etl_trigger trigger = {.kind = ETL_TRIGGER_BACKFILL, .asked = piece,
			.reprocess = b.reprocess};

		etl_run_free(rig->run);
		rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
		assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
		assert_int_equal(rig->run->state, ETL_RUN_OK);
		assert_int_equal(etl_backfill_judge(&b, rig->run, &piece, ETL_SECONDS(0), &wait),
			ETL_BACKFILL_ON);
		assert_int_equal(watermark_of(rig, "job", "a").ms, mark);
	}
	assert_int_equal(b.done, (b.range.end.ms - mark) / HOUR_MS);
	assert_int_equal(rig->target->n, hours_at(b.range.end));
	/* The next live run has nothing to fetch for them: it moves the watermark over them. */
	NEED_RUN(rig, ETL_RUN_OK);
	assert_int_equal(watermark_of(rig, "job", "a").ms, b.range.end.ms);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_and_survey_against_a_naive_reading),
		cmocka_unit_test(test_pieces_begin_and_end_with_what_is_wanted),
		cmocka_unit_test(test_windows_of_an_older_grid),
		cmocka_unit_test(test_cut_to_the_grid_and_to_what_is_final),
		cmocka_unit_test(test_a_job_that_has_no_windows_any_more),
		cmocka_unit_test(test_the_rate_bounds_a_piece),
		cmocka_unit_test(test_a_piece_that_went_well),
		cmocka_unit_test(test_a_piece_that_may_work_later),
		cmocka_unit_test(test_bad_data_is_passed_and_others_turns_cost_nothing),
		cmocka_unit_test(test_a_piece_that_is_not_over_yet),
		cmocka_unit_test(test_eta),
		cmocka_unit_test(test_pieces_leave_the_watermark_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

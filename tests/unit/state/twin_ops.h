/* SPDX-License-Identifier: MIT
 *
 * The operations of state.h (with twin_change.h, twin_dead.h, twin_docs.h: all) with arguments by
 * dice, told as text. Both stores get the same dice. The universe is small, so that fences go stale,
 * windows meet and marks come in between.
 */
#ifndef TESTS_STATE_TWIN_OPS_H
#define TESTS_STATE_TWIN_OPS_H

#include "twin.h"

static const char *const jobs[JOBS] = {"a", "b", "$c"};
static const char *const partitions[PARTITIONS] = {"-", "p/q", "$r"};
static const char *const runs[] = {"01234567-89ab-7def-8123-456789abcde0",
	"11234567-89ab-7def-8123-456789abcde1", "21234567-89ab-7def-8123-456789abcde2",
	"31234567-89ab-7def-8123-456789abcde3"};
static const char *const reasons[] = {"", "$because", "it said 503"};

#define ANY(list) (list)[roll(sizeof(list) / sizeof *(list))]

/* Most happens to the first: leases change hands, changes lie over one another. */
static uint64_t favoured(uint64_t n)
{
	return roll(2) ? 0 : roll(n);
}

/* The one that is right, or one before or after it. */
static int64_t about(int64_t right)
{
	uint64_t d = roll(8);

	return d == 0 && right > 0 ? right - 1 : d == 1 ? right + 1 : right;
}

static struct etl_watermark mark_of(struct side *side, uint64_t job, uint64_t partition)
{
	struct etl_watermark w = {.fence = 1};
	struct etl_error err = ETL_ERROR_INIT;

	if (side->s->ops->watermark_get(side->s, jobs[job], partitions[partition], &w, &err) < 0)
		fail_msg("%s", err.message);
	return w;
}

/* ---- leases and slots -------------------------------------------------------------------- */

static void acquire(struct side *side, struct etl_error *err)
{
	static const char *const holders[] = {"h1", "h1; change", "$h2"};
	static const char *const dead[] = {NULL, NULL, "h1", "$h2"};
	uint64_t job = favoured(JOBS);
	struct etl_lease_ask ask = {.job = jobs[job], .holder = ANY(holders), .dead_holder = ANY(dead),
		.run_id = ANY(runs), .ttl = roll(3) ? ETL_HOURS(1) : ETL_MS(0),
		.slot = H(roll(2) ? roll(HOURS) + 1 : 0), .schedule = ANY(reasons)};
	struct etl_lease lease = {0};
	int rc = side->s->ops->lease_acquire(side->s, &ask, &lease, err);
	bool lasts = lease.expires.ms > etl_now(etl_clock_real()).ms + 60000;

	say_answer(side, "acquire", rc, err);
	SAY(side, "fence %" PRId64 " holder %s%s slot %" PRId64 " of '%s' lost '%s' %" PRId64 " %s\n",
		lease.fence, lease.holder, lasts ? " lasts" : "", lease.slot.ms, lease.schedule,
		lease.lost_run, lease.lost_slot.ms, TIME(lease.lost_since));
	side->lease[job] = lease.fence;
}

static void give_back(struct side *side, struct etl_error *err)
{
	struct etl_last_run last = {.state = "ok", .started = H(roll(9)), .ended = H(roll(9)),
		.unitless = roll(2), .rejected = roll(3), .warnings = roll(3), .first_reject = "$r"};
	const struct etl_state_ops *ops = side->s->ops;
	uint64_t job = favoured(JOBS), how = roll(8);
	int64_t fence = about(side->lease[job]);

	snprintf(last.run_id, sizeof last.run_id, "%s", ANY(runs));
	snprintf(last.reason, sizeof last.reason, "%s", ANY(reasons));
	if (how < 3)
		say_answer(side, "renew", ops->lease_renew(side->s, jobs[job], fence,
			roll(3) ? ETL_HOURS(1) : ETL_MS(0), err), err);
	else if (how < 5)
		say_answer(side, "release", ops->lease_release(side->s, jobs[job], fence, err), err);
	else if (how < 7)
		say_answer(side, "end", ops->lease_end(side->s, jobs[job], fence, &last, err), err);
	else
		say_answer(side, "drop", ops->lease_drop(side->s, jobs[job], fence, err), err);
}

static void save_slots(struct side *side, struct etl_error *err)
{
	struct etl_slot_note notes[JOBS];
	size_t n = roll(JOBS + 1);

	for (size_t i = 0; i < n; i++)
		notes[i] = (struct etl_slot_note){jobs[i], H(roll(HOURS) + 1), ANY(reasons), roll(3) == 0};
	say_answer(side, "slots", side->s->ops->slots_save(side->s, notes, n, err), err);
}

static void schedules(struct side *side, struct etl_error *err)
{
	const char *job = roll(4) ? jobs[roll(JOBS)] : "nobody";
	struct etl_schedule_info info = {.holder = ""};
	int rc = side->s->ops->schedule_get(side->s, job, &info, err);

	say_answer(side, "schedule", rc, err);
	if (rc > 0)
		keep_schedule(side, job, &info);
	say_answer(side, "schedules", side->s->ops->schedule_list(side->s, keep_schedule, side, err), err);
	say_list(side, true);
}

/* ---- watermarks and the ledger ----------------------------------------------------------- */

static void claim(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	struct etl_watermark w = mark_of(side, job, partition);
	int64_t fence = about(roll(2) ? w.fence : side->lease[job]);
	int rc = side->s->ops->watermark_claim(side->s, jobs[job], partitions[partition], fence,
		H(roll(3)), 60000 * (int64_t)(roll(2) + 1), &w, err);

	say_answer(side, "claim", rc, err);
	if (rc == 0)
		add_line(side, say_watermark("", "", &w));
	say_list(side, false);
}

static void watermarks(struct side *side, struct etl_error *err)
{
	int rc = side->s->ops->watermark_list(side->s, keep_watermark, side, err);

	say_answer(side, "watermarks", rc, err);
	say_list(side, true);
}

static struct etl_window window_at(uint64_t hour)
{
	return (struct etl_window){H(hour), H(hour + (roll(3) ? 1 : roll(4)))};
}

/* No rule twice; who released is told if something is. */
static struct etl_held any_held(void)
{
	static const char *const checks[] = {"range", "$not_null", "drift"}, *const limits[] = {"1", "$max"};
	struct etl_held held = {.n = 1 + roll(3), .more = roll(8) == 0, .since = H(roll(3))};

	snprintf(held.content, sizeof held.content, "%s", roll(2) ? "$def" : "");
	for (size_t i = 0; i < held.n; i++) {
		snprintf(held.checks[i].check, sizeof held.checks[i].check, "%s", checks[i]);
		snprintf(held.checks[i].field, sizeof held.checks[i].field, "%s", roll(3) ? "$v" : "");
		snprintf(held.checks[i].value, sizeof held.checks[i].value, "%d", (int)roll(3));
		snprintf(held.checks[i].limit, sizeof held.checks[i].limit, "%s",
			roll(4) ? "9" : ANY(limits));
	}
	return held;
}

/* Some of the rules, or all; as an operator does who has read them. */
static void release_some(struct etl_held *held)
{
	bool all = roll(2);

	for (size_t i = 0; i < held->n; i++)
		held->checks[i].released |= all || roll(2);
	snprintf(held->by, sizeof held->by, "%s", roll(2) ? "$me" : "you");
	held->at = H(500 + roll(9));
}

/* What a caller fills in of an entry; some of it is not his to say. */
static struct etl_ledger_entry any_entry(uint64_t hour)
{
	struct etl_ledger_entry e = {.window = window_at(hour),
		.state = (enum etl_window_state)roll(ETL_WINDOW_STATE_MAX), .dirty = roll(5) == 0,
		.attempt = (int64_t)roll(4), .fence = (int64_t)roll(3),
		.counts = {.in = roll(3), .rejected = roll(2), .stale = roll(2)},
		.fetched = H(roll(2) * 5), .updated = H(hour + 1), .was = ETL_WINDOW_HELD};

	snprintf(e.run_id, sizeof e.run_id, "%s", ANY(runs));
	snprintf(e.hash, sizeof e.hash, "%s", roll(2) ? "abc" : "");
	e.definition = roll(2) ? UINT64_C(0x0100000000000000) + roll(3) : 0;
	snprintf(e.reason, sizeof e.reason, "%s", ANY(reasons));
	snprintf(e.writer, sizeof e.writer, "%s", roll(4) ? "" : ANY(runs));
	snprintf(e.change_id, sizeof e.change_id, "%s", roll(4) ? "" : ANY(runs));
	if (roll(2)) {
		e.held = any_held();
		if (roll(4) == 0)
			release_some(&e.held);
		else
			e.state = ETL_WINDOW_HELD;
	}
	return e;
}

static size_t any_entries(struct etl_ledger_entry *out)
{
	uint64_t first = roll(HOURS);
	size_t n = roll(4);

	for (size_t i = 0; i < n; i++)
		out[i] = any_entry((first + i) % HOURS);
	return n;
}

static void note_one(struct etl_targets *targets, const char *target, struct etl_window window)
{
	struct etl_maker by = {.definition = roll(3) ? UINT64_C(0x0100000000000000) + roll(6) : 0,
		.since = H(roll(2) * 7)};

	snprintf(by.target, sizeof by.target, "%s", target);
	etl_targets_note_by(targets, &by, window);
}

/* As they are with these entries in; and with some of a finer grid, so that the list gets full. */
static void any_targets(struct etl_targets *targets, const struct etl_ledger_entry *entries, size_t n)
{
	static const char *const names[] = {"etl.a", "$etl.b", ETL_TARGET_UNKNOWN};
	size_t finer = roll(4);

	for (size_t i = 0; i < n; i++)
		if (etl_window_is_closed(entries[i].state))
			note_one(targets, ANY(names), entries[i].window);
	for (size_t i = 0; i < finer; i++) {
		etl_wall at = {H(roll(HOURS)).ms + (int64_t)roll(60) * 60000};

		note_one(targets, ANY(names), (struct etl_window){at, {at.ms + 60000}});
	}
}

/* What changes have left in these entries is gone. */
static void forget_layers(int layers[HOURS], const struct etl_commit *c)
{
	for (size_t i = 0; i < c->n_entries; i++)
		layers[c->entries[i].window.start.ms / H(1).ms] = 0;
}

static void commit(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	struct etl_watermark w = mark_of(side, job, partition);
	struct etl_ledger_entry entries[4];
	struct etl_dirty_mark marks[3];
	struct etl_commit c = {.job = jobs[job], .partition = partitions[partition],
		.run_id = ANY(runs), .fence = about(w.fence), .entries = entries,
		.n_entries = any_entries(entries), .origin = H(roll(2)), .watermark = H(roll(HOURS)),
		.window_ms = 60000, .dirty = marks, .n_dirty = roll(3)};
	struct etl_txn *txn = NULL;

	any_targets(&w.targets, entries, c.n_entries);
	c.targets = roll(4) ? &w.targets : NULL;
	for (size_t i = 0; i < c.n_entries; i++)
		if (roll(4))
			memcpy(entries[i].dirty_token,
				side->seen[job][partition][entries[i].window.start.ms / H(1).ms],
				sizeof entries[i].dirty_token);
	for (size_t i = 0; i < c.n_dirty; i++)
		marks[i] = (struct etl_dirty_mark){ANY(jobs), ANY(partitions), window_at(roll(HOURS))};
	assert_int_equal(side->s->ops->begin(side->s, &txn, err), 0);
	if (roll(10) == 0) {
		side->s->ops->abort(side->s, txn);
		return;
	}
	say_answer(side, "commit", side->s->ops->commit(side->s, txn, &c, err), err);
	if (err->kind == ETL_OK)
		forget_layers(side->layers[job][partition], &c);
}

static void mark(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	int64_t fence = about(mark_of(side, job, partition).fence);
	struct etl_ledger_entry entries[4];
	size_t n = any_entries(entries);

	for (size_t i = 0; i < n && roll(8); i++)
		while (entries[i].state == ETL_WINDOW_LOADED || entries[i].state == ETL_WINDOW_EMPTY)
			entries[i].state = (enum etl_window_state)roll(ETL_WINDOW_STATE_MAX);
	say_answer(side, "mark", side->s->ops->ledger_mark(side->s, jobs[job], partitions[partition],
		fence, entries, n, err), err);
}

static void doubt(struct side *side, struct etl_error *err)
{
	uint64_t first = roll(HOURS);
	struct etl_unit_key units[] = {{window_at(first), NULL}, {window_at((first + 1) % HOURS), NULL}};

	say_answer(side, "doubt", side->s->ops->ledger_doubt(side->s, ANY(jobs), ANY(partitions),
		ANY(runs), units, roll(3), err), err);
}

struct look {
	struct side *side;
	char (*seen)[ETL_UUID_BYTES];
};

static int see(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct look *look = ctx;

	memcpy(look->seen[e->window.start.ms / H(1).ms], e->dirty_token, ETL_UUID_BYTES);
	return keep_entry(look->side, e, err);
}

/* As a plan does: the marks that it sees are what a later commit may clear. */
static void plan(struct side *side, struct etl_error *err)
{
	uint64_t job = favoured(JOBS), partition = favoured(PARTITIONS);
	struct look look = {side, side->seen[job][partition]};
	struct etl_window range = {H(0), H(100)};

	say_answer(side, "plan", side->s->ops->ledger_scan(side->s, jobs[job], partitions[partition],
		&range, ETL_LEDGER_ALL, see, &look, err), err);
	say_list(side, false);
}

/* Which of them are given, if not all, is the store's choice. */
static void say_some(struct side *side, const char *what, int rc, const struct etl_error *err)
{
	say_answer(side, what, rc, err);
	SAY(side, "%zu of them\n", side->n_lines);
	while (rc == 0 && side->n_lines)
		free(side->lines[--side->n_lines]);
	say_list(side, true);
}

static void held(struct side *side, struct etl_error *err)
{
	const char *job = roll(2) ? ANY(jobs) : NULL;

	say_some(side, "held", side->s->ops->ledger_held(side->s, job, roll(20), keep_unit, side, err), err);
}

static void look(struct side *side, struct etl_error *err)
{
	const char *job = ANY(jobs), *partition = roll(2) ? ANY(partitions) : NULL;
	uint64_t first = roll(HOURS), n = 0;
	struct etl_window range = {H(first), H(first + roll(4))};
	const struct etl_window *within = roll(4) ? &range : NULL;
	const struct etl_state_ops *ops = side->s->ops;
	size_t max = roll(12);

	say_answer(side, "scan", ops->ledger_scan(side->s, job, partition, within,
		(enum etl_ledger_select)roll(4), keep_entry, side, err), err);
	say_list(side, partition == NULL);
	say_some(side, "open", ops->ledger_open(side->s, job, max, keep_open, side, err), err);
	say_answer(side, "sums", ops->open_sums(side->s, roll(2) ? job : NULL, within, keep_sum, side, err),
		err);
	say_list(side, true);
	say_answer(side, "count", ops->ledger_count(side->s, job, ANY(partitions), &range, &n, err), err);
	SAY(side, "%" PRIu64 "\n", n);
}

#endif

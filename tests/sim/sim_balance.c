/* SPDX-License-Identifier: MIT
 *
 * No record is unaccounted for: random jobs (limits, spans, checks, an aggregate) over a source
 * that lies about its range, its times and its fields, a target that refuses rows, faults on all
 * ways. After each run the laws of state/counts.h are asked of the run, of its record and of
 * each ledger entry; what the source really gave and what the target really holds are counted
 * here, and never asked of the engine. Half of the jobs have a second target beside the first: it
 * has what the first one has, and as long as no commit has failed, nothing else.
 *
 *   sim_balance               ETLD_SIM_HISTORIES histories (10,000) from a seed of the clock
 *   sim_balance SEED [COUNT]  those again
 */
#include <inttypes.h>
#include <time.h>

#include "../unit/flow/run_rig.h"
#include "conf/load.h"

#define HOURS 30
#define ROWS_MAX 6

static uint64_t dice;

static uint64_t draw(void)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return dice * UINT64_C(2685821657736338717);
}

static int roll(int n)
{
	return (int)(draw() >> 33) % n;
}

static bool one_in(int n)
{
	return roll(n) == 0;
}

/* ---- the source ----------------------------------------------------------------------------- */

enum row_kind { ROW_GOOD, ROW_HIGH, ROW_TIMELESS };
enum manner { HONEST, INCLUSIVE, SHIFTED, ELSEWHERE, CUT, DOWN, GARBAGE, MANNERS };

static struct hour {
	struct {
		enum row_kind kind;
		int second, v;
	} rows[ROWS_MAX];
	int n;
	/* of the run at hand */
	int asked;
	enum manner manner; /* of the last answer */
	bool alone;	    /* which was for this hour only */
	bool exposed;	    /* which had a record beyond its range: a lie that can be seen */
} hours[HOURS];

static struct {
	int lies; /* one answer in so many is none, or a wrong one; 0 = never */
	uint64_t sent; /* records in whole answers of this run */
	uint64_t failed_answers;
	bool exposed; /* of the answer at hand */
} source;

static void fill_source(void)
{
	for (int h = 0; h < HOURS; h++) {
		hours[h].n = one_in(3) ? 0 : roll(ROWS_MAX);
		for (int i = 0; i < hours[h].n; i++) {
			hours[h].rows[i].kind = one_in(8) ? ROW_TIMELESS : one_in(8) ? ROW_HIGH : ROW_GOOD;
			hours[h].rows[i].second = i * 600 + roll(600);
			hours[h].rows[i].v = roll(100);
		}
		if (one_in(5) && hours[h].n)
			hours[h].rows[0].second = 0; /* on the border */
		if (one_in(12))
			for (int i = 0; i < hours[h].n; i++)
				hours[h].rows[i].kind = one_in(2) ? ROW_TIMELESS : ROW_HIGH;
	}
}

static void put_row(struct etl_buf *body, int64_t at_ms, enum row_kind kind, int v, int n)
{
	struct etl_civil c;

	etl_civil_from_utc((etl_wall){at_ms}, &c);
	etl_buf_printf(body, "%s{\"%s\":\"%04d-%02d-%02d %02d:%02d:%02d\",\"v\":%d,\"n\":%d}",
		source.sent + (uint64_t)n ? "," : "", kind == ROW_TIMELESS ? "time" : "ts", (int)c.year,
		c.month, c.day, c.hour, c.minute, c.second, kind == ROW_HIGH ? v + 1000 : v, n);
}

static int put_rows(struct etl_buf *body, struct etl_window w, enum manner manner)
{
	int64_t shift = manner == SHIFTED ? 2 * HOUR_MS : manner == ELSEWHERE ? -999 * HOUR_MS : 0;
	uint64_t sent = source.sent;
	int n = 0;

	source.sent = 0;
	for (int h = 0; h < HOURS; h++)
		for (int i = 0; i < hours[h].n; i++) {
			int64_t at = hour(h).ms + hours[h].rows[i].second * 1000;
			bool ends = manner == INCLUSIVE && at == w.end.ms &&
				hours[h].rows[i].kind != ROW_TIMELESS;

			if ((at >= w.start.ms && at < w.end.ms) || ends)
				source.exposed |= hours[h].rows[i].kind != ROW_TIMELESS &&
					(at + shift < w.start.ms || at + shift > w.end.ms);
			if ((at >= w.start.ms && at < w.end.ms) || ends)
				put_row(body, at + shift, hours[h].rows[i].kind, hours[h].rows[i].v, n++);
		}
	source.sent = sent;
	return n;
}

static void answers(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	struct etl_window w = request_window(&strand->request);
	bool lies = source.lies && one_in(source.lies);
	enum manner manner = lies ? (enum manner)(SHIFTED + roll(MANNERS - SHIFTED)) :
				    (enum manner)roll(2);

	(void)ctx;
	for (int64_t h = (w.start.ms - T0) / HOUR_MS; h < (w.end.ms - T0) / HOUR_MS && h < HOURS; h++) {
		hours[h].asked++;
		hours[h].manner = manner;
		hours[h].alone = w.end.ms - w.start.ms == HOUR_MS;
	}
	source.failed_answers += manner >= CUT;
	if (manner == DOWN) {
		out->status = 503;
		return;
	}
	etl_buf_str(&out->body, manner == GARBAGE ? "{\"data\":[{,}" : "{\"data\":[");
	source.exposed = false;
	int n = put_rows(&out->body, w, manner);
	etl_buf_str(&out->body, "]}");
	for (int64_t h = (w.start.ms - T0) / HOUR_MS; h < (w.end.ms - T0) / HOUR_MS && h < HOURS; h++)
		hours[h].exposed = source.exposed;
	out->cut = manner == CUT;
	if (out->cut)
		etl_error_set(&out->error, ETL_TRANSIENT, "http.cut", "the answer broke off");
	if (manner < CUT)
		source.sent += (uint64_t)n;
}

/* ---- the job -------------------------------------------------------------------------------- */

static const char *pick(const char *const *words, int n)
{
	return words[roll(n)];
}

static bool covers_all, aggregates;

static const char *draw_job(void)
{
	static const char *const max[] = {"0", "2", "10"}, *const ratio[] = {"0", "0.05", "0.3", "1"};
	static const char *const whole[] = {"fail", "fail", "close"}, *const span[] = {"1h", "4h", "1d"};
	static const char *const on[] = {"warn", "reject", "reject", "hold", "fail"};
	static const char *const back[] = {"0h", "2h"};
	static char text[4096];

	covers_all = one_in(5);
	aggregates = one_in(4);
	snprintf(text, sizeof text,
		"schedule: {cron: '10 * * * *', timeout: 10h}\n"
		"retry: {max: 2, backoff: 5s, max_backoff: 10m}\n"
		"rejects: {max: %s, max_ratio: %s, whole_unit: %s}\n"
		"partitions: {station: [a]}\n"
		"window: {size: 1h, settle: 10m, lookback: %s, max_span: %s, start: 2024-01-01}\n"
		"extract:\n%s"
		"  http:\n"
		"    url: 'http://peer.test/{station}'\n"
		"    query: {from: '{window.start:%%Y%%m%%d%%H}', to: '{window.end:%%Y%%m%%d%%H}'}\n"
		"    records: /data\n"
		"    time: {field: ts, format: '%%Y-%%m-%%d %%H:%%M:%%S', timezone: UTC}\n"
		"transform:\n%s"
		"  - set: {station_id: '{station}'}\n"
		"check:\n"
		"  - range: {field: v, max: 900, on_fail: %s}\n"
		"load: {\"null\": {}}\n",
		pick(max, 3), pick(ratio, 4), pick(whole, 3), pick(back, 2), pick(span, 3),
		covers_all ? "  covers: all\n" : "",
		aggregates ? "  - aggregate: {every: 1h, mean: [v]}\n" : "", pick(on, 5));
	return text;
}

/* ---- the laws -------------------------------------------------------------------------------- */

static uint64_t seed_now;

#define NEED(cond, ...)                                                                         \
	do {                                                                                    \
		if (!(cond)) {                                                                  \
			print_error("law broken: %s\n", #cond);                                 \
			print_error(__VA_ARGS__);                                               \
			fail_msg("play it again: sim_balance %" PRIu64, seed_now);               \
		}                                                                               \
	} while (0)

static void law_counts(const struct etl_counts *c, const char *what)
{
	uint64_t mid = c->rejected - c->unplaced - c->refused;

	NEED(c->seen == c->in + c->outside + c->unplaced, "%s\n", what);
	NEED(c->in + c->made == c->out + c->filtered + c->merged + mid, "%s\n", what);
	NEED(c->out == c->inserted + c->updated + c->unchanged + c->overwritten + c->stale +
				c->refused + c->withheld, "%s\n", what);
}

/* Between two hours of which the same answer gave something, none was hidden. */
static bool is_bracketed(const struct ledger_view *view, const struct rig *rig, int64_t h)
{
	bool before = false, after = false;

	for (size_t i = 0; i < view->n; i++) {
		const struct etl_ledger_entry *e = &view->entries[i];
		int64_t at = (e->window.start.ms - T0) / HOUR_MS;

		if (e->counts.in && etl_streq(e->run_id, rig->run->run_id)) {
			before |= at < h;
			after |= at > h;
		}
	}
	return before && after;
}

/* A unit that this run closed: what the source had for it is in the counts, and none is closed
 * on a lie. */
static void law_unit(const struct ledger_view *view, const struct rig *rig,
	const struct etl_ledger_entry *e)
{
	int64_t h = (e->window.start.ms - T0) / HOUR_MS;
	const struct hour *truth = &hours[h];
	uint64_t timeless = 0;

	for (int i = 0; i < truth->n; i++)
		timeless += truth->rows[i].kind == ROW_TIMELESS;
	NEED(truth->asked && truth->manner < CUT, "hour %d: no whole answer\n", (int)h);
	if (truth->manner == HONEST || truth->manner == INCLUSIVE) {
		NEED(e->counts.in == (uint64_t)truth->n - timeless,
			"hour %d: %d rows, %" PRIu64 " in (%s: %s)\n",
			(int)h, truth->n, e->counts.in, etl_window_state_word(e->state), e->reason);
		if (truth->alone)
			NEED(e->counts.unplaced == timeless, "hour %d\n", (int)h);
		if (e->state == ETL_WINDOW_EMPTY)
			NEED(truth->n == 0, "hour %d is called empty\n", (int)h);
	} else if (!covers_all && truth->exposed && !e->counts.in && !e->counts.rejected) {
		NEED(is_bracketed(view, rig, h),
			"hour %d is closed on a lie: %d, alone %d, %" PRIu64 " sent, outside %" PRIu64 "\n",
			(int)h, truth->manner, truth->alone, source.sent, e->counts.outside);
	}
	if (e->state == ETL_WINDOW_EMPTY)
		NEED(!e->counts.in && !e->counts.rejected, "hour %d\n", (int)h);
	else if (!rig->job->close_refused && e->counts.seen)
		NEED(e->counts.out > e->counts.refused, "hour %d: every record was refused\n", (int)h);
}

static void law_record(const struct rig *rig)
{
	struct etl_counts counts;
	bson_t doc;

	bson_init(&doc);
	etl_run_to_bson(rig->run, &doc);
	etl_counts_read(&doc, "counts", &counts);
	NEED(memcmp(&counts, &rig->run->counts, sizeof counts) == 0, "the record differs\n");
	NEED(memcmp(&counts, &rig->run->parts[0]->counts, sizeof counts) == 0,
		"the partition differs\n");
	bson_destroy(&doc);
}

static void law_tally(const struct rig *rig)
{
	uint64_t rejects = rig->run->rejects.others, warned = rig->run->warned.others;

	for (size_t i = 0; i < rig->run->rejects.n; i++)
		rejects += rig->run->rejects.rows[i].n;
	for (size_t i = 0; i < rig->run->warned.n; i++)
		warned += rig->run->warned.rows[i].n;
	NEED(rejects == rig->run->counts.rejected, "%" PRIu64 " by rule, %" PRIu64 " in all\n",
		rejects, rig->run->counts.rejected);
	NEED(warned == rig->run->warnings, "%" PRIu64 " by check, %" PRIu64 " in all\n", warned,
		rig->run->warnings);
}

struct target_sums {
	uint64_t inserts, updates;
};

/* The second target, of half of the jobs: its rows are in before the first one's. */
static struct {
	struct memory_target target;
	struct etl_job_load loads[2];
	bool there;
	bool apart; /* a commit has failed behind it: it may have more than the first one */
	struct target_sums before;
} beside;

static void draw_beside(struct rig *rig)
{
	beside.there = one_in(2);
	beside.apart = false;
	if (!beside.there)
		return;
	beside.loads[0] = (struct etl_job_load){&memory_target_type, &beside.target};
	beside.loads[1] = rig->job->loads[0];
	rig->job->loads = beside.loads;
	rig->job->n_loads = 2;
	rig->job->committing = 1;
}

static void law_beside(const struct rig *rig)
{
	const struct memory_target *t = &beside.target;
	const struct etl_counts *told = rig->run->targets;

	for (size_t i = 0; i < rig->target->n; i++) {
		const struct target_row *row = &rig->target->rows[i];
		const struct target_row *twin = target_find(t, row->station, row->ts);

		NEED(twin, "row %zu of the first target is not in the second\n", i);
		NEED(beside.apart || (twin->len == row->len && !memcmp(twin->bson, row->bson, row->len)),
			"row %zu is another one in the second target\n", i);
	}
	if (beside.apart || !told)
		return;
	NEED(t->n == rig->target->n, "%zu rows and %zu\n", t->n, rig->target->n);
	NEED(told[0].inserted == t->inserts - beside.before.inserts &&
		told[0].updated == t->updates - beside.before.updates,
		"told are %" PRIu64 " + %" PRIu64 " of the second target\n", told[0].inserted,
		told[0].updated);
	if (rig->run->state == ETL_RUN_OK)
		NEED(told[0].rejected + told[1].rejected == rig->run->counts.refused,
			"refused %" PRIu64 " + %" PRIu64 ", in all %" PRIu64 "\n", told[0].rejected,
			told[1].rejected, rig->run->counts.refused);
}

static void laws(struct rig *rig, struct target_sums before)
{
	const struct etl_counts *c = &rig->run->counts;
	struct etl_counts sum = {0};
	struct ledger_view view;
	bool once = !source.failed_answers;

	law_counts(c, "the run");
	law_record(rig);
	law_tally(rig);
	for (int h = 0; h < HOURS; h++)
		once &= hours[h].asked < 2;
	NEED(c->seen <= source.sent, "the run has seen more than there was\n");
	/* What does not fit memory is let go unread: such an attempt counts for nothing. */
	if (once && !rig->driver.timers && rig->driver.env.memory_max > 1)
		NEED(c->seen == source.sent, "%" PRIu64 " were sent, %" PRIu64 " seen\n", source.sent,
			c->seen);
	NEED(rig->target->inserts - before.inserts == c->inserted, "%" PRIu64 " of the target\n",
		rig->target->inserts - before.inserts);
	NEED(rig->target->updates - before.updates == c->updated, "%" PRIu64 " of the target\n",
		rig->target->updates - before.updates);
	ledger_read(rig, rig->job->name, "a", &view);
	for (size_t i = 0; i < view.n; i++) {
		struct etl_ledger_entry *e = &view.entries[i];

		/* What was loaded stays, though the source has nothing any more: no rows flowed. */
		if (strstr(e->reason, "any more"))
			continue;
		law_counts(&e->counts, "an entry");
		if (!etl_streq(e->run_id, rig->run->run_id))
			continue;
		etl_counts_add(&sum, &e->counts);
		/* A failure is noted at a window that was closed before, and closes nothing. */
		if (etl_window_is_closed(e->state) && !*e->reason)
			law_unit(&view, rig, e);
	}
	/* What is held or fails again behind the watermark is told by the run alone. */
	if (rig->run->state == ETL_RUN_OK && !rig->run->windows.held) {
		NEED(sum.in == c->in, "units %" PRIu64 ", run %" PRIu64 "\n", sum.in, c->in);
		NEED(sum.inserted == c->inserted, "units %" PRIu64 ", run %" PRIu64 "\n", sum.inserted,
			c->inserted);
	}
	free(view.entries);
}

/* ---- a history ------------------------------------------------------------------------------- */

static void draw_faults(struct rig *rig)
{
	struct memory_target *t = rig->target;

	source.lies = one_in(3) ? 3 : one_in(2) ? 12 : 0;
	t->refuse_from = t->refuse_to = (etl_wall){0};
	if (one_in(4)) {
		t->refuse_from = hour(roll(HOURS));
		t->refuse_to = etl_wall_add(t->refuse_from, ETL_MINUTES(1 + roll(120)));
	}
	t->write_fault = t->commit_fault = (struct target_fault){0};
	if (one_in(4))
		t->commit_fault = (struct target_fault){(unsigned)roll(3), 1, ETL_TRANSIENT, "test.down"};
	if (one_in(6))
		t->write_fault = (struct target_fault){(unsigned)roll(3), 1, ETL_TRANSIENT, "txn.retry"};
	rig->driver.env.memory_max = one_in(6) ? 1 : 8 << 20;
	beside.apart |= t->commit_fault.times > 0;
	beside.target.refuse_from = beside.target.refuse_to = (etl_wall){0};
	if (one_in(4)) {
		beside.target.refuse_from = hour(roll(HOURS));
		beside.target.refuse_to = etl_wall_add(beside.target.refuse_from, ETL_MINUTES(1 + roll(120)));
	}
	beside.before = (struct target_sums){beside.target.inserts, beside.target.updates};
}

static void history(uint64_t seed)
{
	struct rig *rig;

	seed_now = seed;
	dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	fill_source();
	rig = rig_new(draw_job(), 3 + roll(10));
	rig->driver.answer = answers;
	draw_beside(rig);
	for (int run = 0; run < 4; run++) {
		struct target_sums before = {rig->target->inserts, rig->target->updates};

		for (int h = 0; h < HOURS; h++)
			hours[h].asked = 0;
		source.sent = source.failed_answers = 0;
		draw_faults(rig);
		run_due(rig);
		laws(rig, before);
		if (beside.there)
			law_beside(rig);
		pass_hours(rig, 1 + roll(4));
		if (one_in(3))
			fill_source(); /* recalibrated, mended, broken */
	}
	rig_free(rig);
	target_fini(&beside.target);
}

static uint64_t first, n_histories;

static void test_balance(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < n_histories; i++)
		history(first + i);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_balance)};
	const char *asked = getenv("ETLD_SIM_HISTORIES"), *seed = getenv("ETLD_SIM_SEED");

	n_histories = asked ? strtoull(asked, NULL, 10) : 10000;
	first = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 1000000;
	if (argc > 1) {
		first = strtoull(argv[1], NULL, 10);
		n_histories = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	}
	print_message("# sim_balance %" PRIu64 " %" PRIu64 "\n", first, n_histories);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

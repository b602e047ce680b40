/* SPDX-License-Identifier: MIT
 *
 * One of the two stores of test_state_twin.c, and how its answers are told as lines of text. What
 * the stores may differ in is left out: marks' tokens, what their clocks say, the order of lists
 * that have none.
 */
#ifndef TESTS_STATE_TWIN_H
#define TESTS_STATE_TWIN_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "../../lib/dice.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "state/state.h"
#include "time/clock.h"

enum { JOBS = 3, PARTITIONS = 3, HOURS = 8, CHANGES_MAX = 160, LINES_MAX = 4096,
	WAS_KEPT = 8 };

struct change_made {
	char id[ETL_UUID_BYTES];
	struct etl_change change;
	struct etl_held held; /* of a release */
	const char *reason;
	uint64_t job, partition;
	int first, last; /* its windows, by hours */
};

struct side {
	struct etl_state *s;
	struct etl_buf said;
	char *lines[LINES_MAX]; /* of a list that is being told */
	size_t n_lines;
	bool too_many; /* of them */
	int64_t last_start;
	/* What an etld would remember. */
	int64_t lease[JOBS];
	char seen[JOBS][PARTITIONS][HOURS][ETL_UUID_BYTES];
	struct change_made changes[CHANGES_MAX];
	int n_changes;
	int layers[JOBS][PARTITIONS][HOURS]; /* of changes over a window since its commit, at most */
};

#define H(n) ((etl_wall){(int64_t)(n) * 3600000})

/* Where a TTL counts from: a server may sweep out at any moment what is older. */
static inline etl_wall recent(int n)
{
	static int64_t base;

	if (!base)
		base = etl_now(etl_clock_real()).ms / 3600000 - 24;
	return H(base + n);
}

#define SAY(side, ...) ((void)etl_buf_printf(&(side)->said, __VA_ARGS__))

/* An hour that the test gave, or "now" for what a store's clock said. */
static inline const char *say_time(etl_wall t, char out[32])
{
	if (t.ms > H(1000).ms && t.ms > recent(20).ms)
		return "now";
	snprintf(out, 32, "%" PRId64, t.ms > H(1000).ms ? t.ms - recent(0).ms : t.ms);
	return out;
}
#define TIME(t) say_time(t, (char[32]){0})

/* A success that leaves an error behind is a difference as well. */
static inline void say_answer(struct side *side, const char *what, int rc, const struct etl_error *err)
{
	SAY(side, "%s: %d %s %s\n", what, rc, etl_error_kind_name(err->kind), err->code);
}

/* Also called by a store that holds its lock: nothing here jumps out of it. */
static inline void add_line(struct side *side, char *line)
{
	side->too_many |= side->n_lines == LINES_MAX;
	if (side->too_many)
		free(line);
	else
		side->lines[side->n_lines++] = line;
}

static inline void say_held(struct etl_buf *text, const struct etl_held *held)
{
	for (size_t i = 0; i < held->n; i++)
		etl_buf_printf(text, " check '%s' of '%s' value '%s' limit '%s'%s", held->checks[i].check,
			held->checks[i].field, held->checks[i].value, held->checks[i].limit,
			held->checks[i].released ? " released" : "");
	etl_buf_printf(text, " held%s since %s content '%s' by '%s' at %s", held->more ? " by more" : "",
		TIME(held->since), held->content, held->by, TIME(held->at));
}

static inline char *say_entry(const char *partition, const struct etl_ledger_entry *e)
{
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_buf_printf(&text, "%020" PRId64 "+%" PRId64 " %s %s%s run %.4s attempt %" PRId64
		" fence %" PRId64, e->window.start.ms, e->window.end.ms - e->window.start.ms, partition,
		etl_window_state_word(e->state), e->dirty ? " dirty" : "", e->run_id, e->attempt, e->fence);
#define X(name, help) etl_buf_printf(&text, e->counts.name ? " " #name " %" PRIu64 : "", e->counts.name);
	ETL_COUNTS(X)
#undef X
	if (e->object.name)
		etl_buf_printf(&text, " object '%s' size %" PRIu64 " of %" PRId64 " etag '%s'",
			e->object.name, e->object.size, e->object.mtime.ms, e->object.etag);
	for (uint32_t i = 0; i < e->token.len; i++)
		etl_buf_printf(&text, "%s%02x", i ? "" : " token ", e->token.data[i]);
	etl_buf_printf(&text, " hash '%s' reason '%s'%s writer '%s' fetched %s updated %s change '%s' was %s",
		e->hash, e->reason, *e->dirty_token ? " token" : "", e->writer, TIME(e->fetched),
		TIME(e->updated), e->change_id, etl_window_state_word(e->was));
	etl_buf_printf(&text, " definition %" PRIx64, e->definition);
	say_held(&text, &e->held);
	return etl_buf_take(&text);
}

static inline int keep_entry(void *ctx, const struct etl_ledger_entry *e, struct etl_error *err)
{
	struct side *side = ctx;

	(void)err;
	if (e->window.start.ms < side->last_start)
		SAY(side, "not in order of start\n");
	side->last_start = e->window.start.ms;
	add_line(side, say_entry("", e));
	return 0;
}

static inline int keep_open(void *ctx, const char *partition, const struct etl_ledger_entry *e)
{
	add_line(ctx, say_entry(partition, e));
	return 0;
}

static inline int keep_unit(void *ctx, const char *job, const char *partition,
	const struct etl_ledger_entry *e)
{
	char whose[64];

	snprintf(whose, sizeof whose, "%s/%s", job, partition);
	add_line(ctx, say_entry(whose, e));
	return 0;
}

static inline int keep_sum(void *ctx, const struct etl_open_sum *sum)
{
	add_line(ctx, etl_strf("%s %s %s%s size %" PRId64 " phase %" PRId64 " n %" PRIu64
		" oldest %" PRId64 " newest %" PRId64 " '%s'", sum->job, sum->partition,
		etl_window_state_word(sum->state), sum->dirty ? " dirty" : "", sum->size_ms, sum->phase_ms,
		sum->n, sum->oldest.ms, sum->newest.ms, sum->reason));
	return 0;
}

/* The names by range: where a store keeps them is its own affair. */
static inline char *say_watermark(const char *job, const char *partition, const struct etl_watermark *w)
{
	static const struct etl_maker several = {.target = "*"};
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_buf_printf(&text, "%s %s origin %" PRId64 " processed %" PRId64 " grid %" PRId64 " fence %" PRId64
		" run '%s' updated %s%s", job, partition, w->origin.ms, w->processed.ms, w->window_ms,
		w->fence, w->run_id, TIME(w->updated), w->targets.absent ? " no targets" : "");
	for (size_t i = 0; i < w->targets.n; i++) {
		const struct etl_target_range *r = &w->targets.ranges[i];
		const struct etl_maker *by = r->maker == ETL_TARGET_MIXED ? &several :
									    &w->targets.makers[r->maker];

		etl_buf_printf(&text, " %" PRId64 "-%" PRId64 "%s in '%s' by %" PRIx64 " since %" PRId64,
			r->windows.start.ms, r->windows.end.ms, r->loose ? " loose" : "", by->target,
			by->definition, by->since.ms);
	}
	return etl_buf_take(&text);
}

static inline int keep_watermark(void *ctx, const char *job, const char *partition,
	const struct etl_watermark *w)
{
	add_line(ctx, say_watermark(job, partition, w));
	return 0;
}

static inline int keep_schedule(void *ctx, const char *job, const struct etl_schedule_info *i)
{
	const struct etl_last_run *last = &i->last;

	add_line(ctx, etl_strf("%s holder '%s' slot %" PRId64 " of '%s' last '%s' %s %s-%s %d %" PRIu64
		" %" PRIu64 " '%s' '%s'", job, i->holder, i->slot.ms, i->schedule, last->run_id,
		last->state, TIME(last->started), TIME(last->ended), last->unitless, last->rejected,
		last->warnings, last->first_reject, last->reason));
	return 0;
}

static inline int keep_change(void *ctx, const void *thing)
{
	const struct etl_change *c = thing;
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_buf_printf(&text, "%s %s %s %s %s who '%s' why '%s' at %" PRId64 " %" PRId64 ">%" PRId64, c->id,
		c->command, etl_change_kind_word(c->kind), c->job, c->partition, c->who, c->why, c->at.ms,
		c->from.ms, c->to.ms);
	etl_buf_printf(&text, " reached %" PRId64 " windows %" PRId64 "%s undoes '%s' undone by '%s'",
		c->reached.ms, c->windows, c->done ? " done" : "", c->undoes, c->undone_by);
	etl_buf_printf(&text, " unit %" PRId64 "-%" PRId64 " '%s' run '%s'", c->unit.start.ms,
		c->unit.end.ms, c->object ? c->object : "", c->run_id);
	add_line(ctx, etl_buf_take(&text));
	return 0;
}

static inline int keep_document(void *ctx, const bson_t *doc)
{
	char *json = bson_as_canonical_extended_json(doc, NULL);

	add_line(ctx, etl_strf("%s", json));
	bson_free(json);
	return 0;
}

static inline int keep_backfill(void *ctx, const void *thing)
{
	const struct etl_backfill *b = thing;
	add_line(ctx, etl_strf("%s %s '%s' %s-%s %d %d %g %s at %s n %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " '%s' '%s' %s %s %s", b->id, b->job,
		b->partition, TIME(b->range.start), TIME(b->range.end), b->newest_first, (int)b->reprocess,
		b->rate, etl_backfill_state_word(b->state), TIME(b->at), b->windows, b->done, b->failed,
		b->lost, b->blocked, b->pieces, b->attempt, b->who, b->reason, TIME(b->created),
		TIME(b->updated), TIME(b->ended)));
	return 0;
}

static inline int keep_pause(void *ctx, const void *thing)
{
	const struct etl_pause *p = thing;
	add_line(ctx, etl_strf("%s '%s' '%s' %s", p->job, p->who, p->why, TIME(p->at)));
	return 0;
}

static inline int keep_source(void *ctx, const void *thing)
{
	const struct etl_source_state *s = thing;
	add_line(ctx, etl_strf("%s %s %" PRId64 " %" PRId64 " %s %s '%s' hold %s '%s' full %s updated %s",
		s->host, s->breaker.state, s->breaker.failures, s->breaker.openings,
		TIME(s->breaker.opened), TIME(s->breaker.until), s->breaker.reason, TIME(s->hold_until),
		s->hold_reason, TIME(s->full_at), TIME(s->updated)));
	return 0;
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The list that was kept, as it came or, if its order says nothing, sorted. */
static inline void say_list(struct side *side, bool sorted)
{
	assert_false(side->too_many);
	if (sorted)
		qsort(side->lines, side->n_lines, sizeof *side->lines, by_text);
	for (size_t i = 0; i < side->n_lines; i++) {
		SAY(side, "  %s\n", side->lines[i]);
		free(side->lines[i]);
	}
	side->n_lines = 0;
	side->last_start = INT64_MIN;
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * Dead letters: written down, listed in pages, counted, looked up. As twin_ops.h.
 */
#ifndef TESTS_STATE_TWIN_DEAD_H
#define TESTS_STATE_TWIN_DEAD_H

#include "base/str.h"
#include "twin_ops.h"

struct page {
	struct side *side;
	char last[40]; /* the id of the letter that was given last; "" = none */
	etl_wall last_at;
};

static void say_raw(struct etl_buf *text, const struct etl_dead_letter *l)
{
	etl_buf_printf(text, " raw %s%s%s", l->raw ? "given " : "", l->raw_is_bson ? "bson " : "",
		l->raw_cut ? "cut " : "");
	for (uint32_t i = 0; l->raw && i < l->raw_len; i++)
		etl_buf_printf(text, "%02x", l->raw[i]);
}

static int keep_letter(void *ctx, const void *thing)
{
	const struct etl_dead_letter *l = thing;
	struct page *page = ctx;
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_buf_printf(&text, "%s %s %s run '%s' %s/%s '%s' '%s' at %s first %s times %" PRId64
		" window %" PRId64 "-%" PRId64 " time %" PRId64 " position %" PRId64, l->id, l->job,
		l->partition, l->run_id, l->step, l->rule, l->path, l->message, TIME(l->at),
		TIME(l->first_at), l->times, l->window.start.ms, l->window.end.ms, l->time.ms, l->position);
	for (size_t i = 0; i < l->n_also; i++)
		etl_buf_printf(&text, " also '%s' '%s' '%s'", l->also[i].rule, l->also[i].path,
			l->also[i].message);
	say_raw(&text, l);
	add_line(page->side, etl_buf_take(&text));
	etl_text_copy(page->last, sizeof page->last, l->id);
	page->last_at = l->at;
	return 0;
}

static int keep_letters_sum(void *ctx, const struct etl_dead_sum *sum)
{
	add_line(ctx, etl_strf("%s/%s n %" PRIu64 " oldest %" PRId64 " newest %" PRId64, sum->step,
		sum->rule, sum->n, sum->oldest.ms, sum->newest.ms));
	return 0;
}

/* Of few, so that the same one is refused again. */
static struct etl_reject any_reject(struct etl_violation also[2])
{
	static const char *const steps[] = {"decode", "$check"};
	static const char *const messages[] = {"bad \xff byte", "too much"};
	static const uint8_t raw[] = "{\xff";

	for (int i = 0; i < 2; i++)
		also[i] = (struct etl_violation){ANY(reasons), "/b", ANY(messages)};
	return (struct etl_reject){.step = ANY(steps), .rule = ANY(reasons), .path = "/a",
		.message = ANY(messages), .position = roll(3), .raw = raw, .raw_len = (uint32_t)roll(4),
		.raw_is_bson = roll(2), .raw_cut = roll(2), .time = {roll(2) ? ETL_NO_TIME : H(1).ms},
		.also = also, .n_also = roll(3)};
}

static void add_letters(struct side *side, struct etl_error *err)
{
	struct etl_window windows[3];
	struct etl_violation also[3][2];
	struct etl_reject rejects[3];
	struct etl_dead_letter_info info = {jobs[favoured(JOBS)], ANY(partitions), ANY(runs),
		recent(roll(9)), roll(4) ? windows : NULL};
	size_t n = roll(4);

	for (size_t i = 0; i < n; i++) {
		uint64_t hour = roll(4);

		windows[i] = (struct etl_window){H(hour), H(hour + (roll(4) != 0))};
		rejects[i] = any_reject(also[i]);
	}
	say_answer(side, "letters", etl_dead_letters_add(side->s, &info, rejects, n, err), err);
}

/* Page by page, as who reads a long list; then the same counted. */
static void list_letters(struct side *side, struct etl_error *err)
{
	struct etl_window window = window_at(roll(4));
	struct etl_dead_query query = {.run_id = roll(4) ? NULL : ANY(runs), .limit = (int)roll(6)};
	struct page page = {.side = side};
	bool more;

	if (roll(4)) {
		query.job = jobs[favoured(JOBS)];
		query.partition = roll(2) ? ANY(partitions) : NULL;
		query.window = roll(3) ? NULL : &window;
	}
	say_answer(side, "letter sums", etl_dead_letter_sums(side->s, &query, keep_letters_sum,
		side, err), err);
	say_list(side, false);
	do {
		char before[40];

		snprintf(before, sizeof before, "%s", page.last);
		query.before = *before ? before : NULL;
		query.before_at = page.last_at;
		say_answer(side, "page", etl_dead_letter_list(side->s, &query, keep_letter, &page,
			err), err);
		more = query.limit && side->n_lines == (size_t)query.limit;
		say_list(side, false);
	} while (more);
}

static void find_letters(struct side *side, struct etl_error *err)
{
	static const char *const prefixes[] = {"", "0", "3", "7", "a", "c", "e", "f", "g"};
	struct page page = {.side = side};
	char prefix[40];

	say_answer(side, "find", etl_dead_letter_find(side->s, ANY(prefixes), 1 + (int)roll(9),
		keep_letter, &page, err), err);
	say_list(side, false);
	if (!*page.last)
		return;
	snprintf(prefix, sizeof prefix, "%.*s", roll(2) ? 32 : 12, page.last);
	say_answer(side, "find one", etl_dead_letter_find(side->s, prefix, 2, keep_letter, &page,
		err), err);
	say_list(side, false);
}

static void whole_letters(struct side *side, struct etl_error *err)
{
	const struct etl_dead_query all = {.limit = 0};
	struct page page = {.side = side};

	say_answer(side, "sums of all", etl_dead_letter_sums(side->s, &all, keep_letters_sum,
		side, err), err);
	say_list(side, false);
	say_answer(side, "find all", etl_dead_letter_find(side->s, "", LINES_MAX, keep_letter,
		&page, err), err);
	say_list(side, false);
}

#endif

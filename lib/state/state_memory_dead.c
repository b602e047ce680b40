/* SPDX-License-Identifier: MIT
 *
 * Dead letters in memory: the same documents as in MongoDB, looked through one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/dead_letter.h"
#include "state/memory.h"

static void put(struct memory *m, const struct etl_dead_letter_info *info,
	const struct etl_reject *reject, const struct etl_window *window)
{
	struct etl_dead_letter before = {.first_at = info->at};
	char id[ETL_HASH_TEXT_BYTES];
	struct doc_row *row;
	bson_t *doc = bson_new();

	etl_dead_letter_id(info, reject, id);
	row = etl_memory_doc_find(&m->letters, id);
	if (row)
		etl_dead_letter_read(row->doc, &before);
	BSON_APPEND_UTF8(doc, "_id", id);
	etl_dead_letter_append(doc, info, reject, window);
	BSON_APPEND_DATE_TIME(doc, "first_at", before.first_at.ms);
	BSON_APPEND_INT64(doc, "times", before.times + 1);
	etl_memory_doc_put(&m->letters, true, id, info->job, info->at, doc);
}

int etl_memory_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	for (size_t i = 0; i < n; i++)
		put(m, info, &rejects[i], info->windows ? &info->windows[i] : NULL);
	return etl_memory_unlock(m, 0);
}

static bool is_or_any(const char *wanted, const char *text)
{
	return !wanted || etl_streq(wanted, text);
}

static bool is_asked_for(const struct etl_dead_query *q, const struct etl_dead_letter *letter)
{
	return is_or_any(q->job, letter->job) && is_or_any(q->run_id, letter->run_id) &&
		is_or_any(q->partition, letter->partition) &&
		(!q->window || (letter->window.start.ms < letter->window.end.ms &&
				       letter->window.start.ms == q->window->start.ms));
}

static bool is_behind(const struct etl_dead_query *q, const struct etl_dead_letter *letter)
{
	return !q->before || letter->at.ms < q->before_at.ms ||
		(letter->at.ms == q->before_at.ms && strcmp(letter->id, q->before) < 0);
}

/* The rows that are asked for, newest first; `n` of them. Gives. */
static struct doc_row *collect(const struct memory *m, const struct etl_dead_query *q, size_t *n)
{
	struct doc_row *found = etl_calloc(m->letters.n + 1, sizeof *found);
	struct etl_dead_letter letter;

	*n = 0;
	for (size_t i = 0; i < m->letters.n; i++) {
		etl_dead_letter_read(m->letters.rows[i].doc, &letter);
		if (is_asked_for(q, &letter))
			found[(*n)++] = m->letters.rows[i];
	}
	if (*n > 1)
		qsort(found, *n, sizeof *found, etl_memory_newest_first);
	return found;
}

int etl_memory_dead_letter_list(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	size_t n, given = 0;
	struct doc_row *found = collect(m, query, &n);

	(void)err;
	for (size_t i = 0; i < n && (query->limit <= 0 || given < (size_t)query->limit); i++) {
		struct etl_dead_letter letter;

		etl_dead_letter_read(found[i].doc, &letter);
		letter.raw = NULL;
		letter.raw_len = 0;
		if (!is_behind(query, &letter))
			continue;
		given++;
		if (fn(ctx, &letter) != 0)
			break;
	}
	free(found);
	return etl_memory_unlock(m, 0);
}

struct counted {
	struct etl_dead_sum sum;
	bool has_window; /* one that begins at 0 is one as well */
};

static void count(struct counted **all, size_t *n, size_t *cap, const struct etl_dead_letter *letter)
{
	struct counted *c = NULL;
	struct etl_dead_sum *sum;

	for (size_t i = 0; i < *n && !c; i++)
		if (etl_streq((*all)[i].sum.step, letter->step) &&
			etl_streq((*all)[i].sum.rule, letter->rule))
			c = &(*all)[i];
	if (!c) {
		ETL_GROW(*all, *n, *cap);
		c = &(*all)[(*n)++];
		*c = (struct counted){.sum = {.step = letter->step, .rule = letter->rule}};
	}
	sum = &c->sum;
	sum->n++;
	if (letter->window.start.ms == letter->window.end.ms)
		return;
	if (!c->has_window || letter->window.start.ms < sum->oldest.ms)
		sum->oldest = letter->window.start;
	if (!c->has_window || letter->window.start.ms > sum->newest.ms)
		sum->newest = letter->window.start;
	c->has_window = true;
}

static int most_first(const void *a, const void *b)
{
	const struct etl_dead_sum *x = &((const struct counted *)a)->sum;
	const struct etl_dead_sum *y = &((const struct counted *)b)->sum;
	int order = strcmp(x->step, y->step);

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return order ? order : strcmp(x->rule, y->rule);
}

int etl_memory_dead_letter_sums(struct etl_state *s, const struct etl_dead_query *query,
	etl_dead_sum_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct counted *sums = NULL;
	size_t n, n_sums = 0, cap = 0;
	struct doc_row *found = collect(m, query, &n);

	(void)err;
	for (size_t i = 0; i < n && i < ETL_DEAD_COUNTED; i++) {
		struct etl_dead_letter letter;

		etl_dead_letter_read(found[i].doc, &letter);
		count(&sums, &n_sums, &cap, &letter);
	}
	if (n_sums > 1)
		qsort(sums, n_sums, sizeof *sums, most_first);
	for (size_t i = 0; i < n_sums && fn(ctx, &sums[i].sum) == 0; i++)
		;
	free(sums);
	free(found);
	return etl_memory_unlock(m, 0);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct doc_row *)a)->key, ((const struct doc_row *)b)->key);
}

int etl_memory_dead_letter_find(struct etl_state *s, const char *prefix, int limit,
	etl_dead_letter_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct doc_row *found = etl_calloc(m->letters.n + 1, sizeof *found);
	size_t n = 0;

	(void)err;
	for (size_t i = 0; i < m->letters.n; i++)
		if (etl_starts_with(m->letters.rows[i].key, prefix))
			found[n++] = m->letters.rows[i];
	if (n > 1)
		qsort(found, n, sizeof *found, by_id);
	for (size_t i = 0; i < n && i < (size_t)limit; i++) {
		struct etl_dead_letter letter;

		etl_dead_letter_read(found[i].doc, &letter);
		if (fn(ctx, &letter) != 0)
			break;
	}
	free(found);
	return etl_memory_unlock(m, 0);
}

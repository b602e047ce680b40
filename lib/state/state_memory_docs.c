/* SPDX-License-Identifier: MIT
 *
 * Documents by rows in memory (rows.h): the same documents as in MongoDB, looked through one by
 * one.
 *
 * One list of documents per collection, in order of arrival and without an index. Every question
 * looks through all of them, which is what makes this simple enough to be the measure for the
 * MongoDB store: same order, same limit, same heavy field left out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/doc_read.h"
#include "state/memory.h"

/* Those of one kind, made at the first question. A collection is known by the address of its row,
 * as in MongoDB by its name. */
static struct memory_docs *docs_of(struct memory *m, const struct etl_collection *c)
{
	for (size_t i = 0; i < m->n_docs; i++)
		if (m->docs[i].of == c)
			return &m->docs[i];
	ETL_GROW(m->docs, m->n_docs, m->docs_cap);
	m->docs[m->n_docs] = (struct memory_docs){.of = c};
	return &m->docs[m->n_docs++];
}

/* NULL: there is none. The pointer is good until a document is added or removed. */
static struct doc_row *row_of(struct memory_docs *docs, const char *id)
{
	for (size_t i = 0; i < docs->n; i++)
		if (etl_streq(docs->rows[i].id, id))
			return &docs->rows[i];
	return NULL;
}

void etl_memory_docs_fini(struct memory *m)
{
	for (size_t k = 0; k < m->n_docs; k++) {
		for (size_t i = 0; i < m->docs[k].n; i++)
			bson_destroy(m->docs[k].rows[i].doc);
		free(m->docs[k].rows);
	}
	free(m->docs);
}

/* Takes the document over. Its id and its date are kept beside it, because sorting compares them
 * thousands of times. */
static void set_doc(const struct etl_collection *c, struct doc_row *row, bson_t *doc)
{
	if (row->doc)
		bson_destroy(row->doc);
	*row = (struct doc_row){.doc = doc, .id = etl_doc_text(doc, "_id"),
		.at = c->newest_by ? etl_doc_date(doc, c->newest_by) : (etl_wall){0}};
}

static struct doc_row *row_new(struct memory_docs *docs)
{
	ETL_GROW(docs->rows, docs->n, docs->cap);
	docs->rows[docs->n] = (struct doc_row){.doc = NULL};
	return &docs->rows[docs->n++];
}

/* A condition without a value is none and is met by every document; one whose field is missing or
 * of another type is not met. */
static bool is_equal(const bson_t *doc, const struct etl_equal *equal)
{
	bson_iter_t it;

	if (!equal->text && !equal->date)
		return true;
	if (!bson_iter_init_find(&it, doc, equal->field))
		return false;
	if (equal->text)
		return BSON_ITER_HOLDS_UTF8(&it) && etl_streq(bson_iter_utf8(&it, NULL), equal->text);
	if (!BSON_ITER_HOLDS_DATE_TIME(&it))
		return false;
	return equal->or_before ? bson_iter_date_time(&it) <= equal->date->ms :
				  bson_iter_date_time(&it) == equal->date->ms;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* Borrowed, until the lock is given back. */
const bson_t *etl_memory_doc(struct memory *m, const struct etl_collection *c, const char *id)
{
	const struct doc_row *row = row_of(docs_of(m, c), id);

	return row ? row->doc : NULL;
}

/* One with the same `_id` is replaced whole. Without an `_id` each is a document of its own, as the
 * audit's notes are. */
void etl_memory_doc_put(struct memory *m, const struct etl_collection *c, const bson_t *doc)
{
	struct memory_docs *docs = docs_of(m, c);
	struct doc_row *row = bson_has_field(doc, "_id") ? row_of(docs, etl_doc_text(doc, "_id")) : NULL;

	set_doc(c, row ? row : row_new(docs), bson_copy(doc));
}

/* For what may come twice and is counted: a dead letter that the same record makes in each run.
 * Example: first seen on Monday, again on Tuesday, gives `at` Tuesday, `first_at` Monday, `times`
 * 2. The twin of again_update in state_mongodb_docs.c. */
static void put_again(struct memory *m, const struct etl_collection *c, const bson_t *given)
{
	const bson_t *stored = etl_memory_doc(m, c, etl_doc_text(given, "_id"));
	bson_t *doc = bson_copy(given);

	BSON_APPEND_DATE_TIME(doc, c->again.first, (stored ? etl_doc_date(stored, c->again.first) :
		etl_doc_date(given, c->newest_by)).ms);
	BSON_APPEND_INT64(doc, c->again.count, 1 + (stored ? etl_doc_int(stored, c->again.count) : 0));
	etl_memory_doc_put(m, c, doc);
	bson_destroy(doc);
}

/* Under one lock for all, while MongoDB writes them one by one: a caller may not rely on all or
 * none. */
int etl_memory_put(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs, size_t n,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);

	(void)err;
	for (size_t i = 0; i < n; i++)
		(c->again.count ? put_again : etl_memory_doc_put)(m, c, docs[i]);
	return etl_memory_unlock(m, 0);
}

/* 1 = written; 0 = there is one, and it is not as wanted. Without `when` only a document that is
 * not there yet is written: so that of two etlds only one tells of it. */
int etl_memory_put_if(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
	const struct etl_equal *when, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	const bson_t *stored = etl_memory_doc(m, c, etl_doc_text(doc, "_id"));

	(void)err;
	if (stored && (!when || !is_equal(stored, when)))
		return etl_memory_unlock(m, 0);
	etl_memory_doc_put(m, c, doc);
	return etl_memory_unlock(m, 1);
}

/* Its own fields, and behind them those that are given: as a $set, but for their order. */
static bson_t *merged(const bson_t *doc, const bson_t *fields)
{
	bson_t *out = bson_new();
	bson_iter_t it;

	if (bson_iter_init(&it, doc))
		while (bson_iter_next(&it))
			if (!bson_has_field(fields, bson_iter_key(&it)))
				bson_append_iter(out, NULL, 0, &it);
	bson_concat(out, fields);
	return out;
}

/* 1 = changed; 0 = there is none, or it is not as wanted. It never makes one. */
int etl_memory_update(struct etl_state *s, const struct etl_collection *c, const char *id,
	const struct etl_equal *when, const bson_t *fields, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct doc_row *row = row_of(docs_of(m, c), id);

	(void)err;
	if (!row || !is_equal(row->doc, when))
		return etl_memory_unlock(m, 0);
	set_doc(c, row, merged(row->doc, fields));
	return etl_memory_unlock(m, 1);
}

/* What is not there is removed already: no error, as in MongoDB. */
int etl_memory_remove(struct etl_state *s, const struct etl_collection *c, const char *id,
	struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct memory_docs *docs = docs_of(m, c);
	struct doc_row *row = row_of(docs, id);

	(void)err;
	if (row) {
		bson_destroy(row->doc);
		*row = docs->rows[--docs->n];
	}
	return etl_memory_unlock(m, 0);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* By date, and among equal dates by `_id`, both falling: that makes the order total, so that a page
 * can go on behind the last one that was seen. */
static int newest_first(const void *a, const void *b)
{
	const struct doc_row *x = a, *y = b;

	if (x->at.ms != y->at.ms)
		return x->at.ms > y->at.ms ? -1 : 1;
	return strcmp(y->id, x->id);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct doc_row *)a)->id, ((const struct doc_row *)b)->id);
}

/* `before` is where the last page ended: its date and its id. A document of the same millisecond
 * with a smaller id comes after it and belongs to this page. */
static bool is_asked_for(const struct doc_row *row, const struct etl_doc_query *q)
{
	if ((q->id && !etl_streq(row->id, q->id)) || (q->prefix && !etl_starts_with(row->id, q->prefix)))
		return false;
	if (q->before && (row->at.ms > q->before_at.ms ||
			(row->at.ms == q->before_at.ms && strcmp(row->id, q->before) >= 0)))
		return false;
	for (size_t i = 0; i < ETL_EQUALS; i++)
		if (!is_equal(row->doc, &q->equal[i]))
			return false;
	return true;
}

/* The rows that are asked for, in their order, at most as many as the limit; `n` of them. Gives. By
 * prefix it is sorted by `_id`, since whoever asks so wants to know whether the shortened id that
 * he typed stands for one document or for several. */
static struct doc_row *collect(const struct memory_docs *docs, const struct etl_doc_query *q, size_t *n)
{
	struct doc_row *found = etl_calloc(docs->n + 1, sizeof *found);
	bool newest = docs->of->newest_by && !q->prefix;

	*n = 0;
	for (size_t i = 0; i < docs->n; i++)
		if (is_asked_for(&docs->rows[i], q))
			found[(*n)++] = docs->rows[i];
	qsort(found, *n, sizeof *found, newest ? newest_first : by_id);
	if (q->limit > 0 && *n > (size_t)q->limit)
		*n = (size_t)q->limit;
	return found;
}

/* `heavy` is a field that only a question for one document gets (a dead letter's raw bytes, up to
 * 64 KiB): a list of a thousand would be 64 MiB. */
static int give(const bson_t *doc, const char *heavy, etl_doc_fn fn, void *ctx)
{
	bson_t light = BSON_INITIALIZER;
	int rc;

	if (!heavy)
		return fn(ctx, doc);
	bson_copy_to_excluding_noinit(doc, &light, heavy, NULL);
	rc = fn(ctx, &light);
	bson_destroy(&light);
	return rc;
}

/* The lock is held while `fn` runs, which must not ask the store. */
int etl_memory_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	const char *heavy = query->prefix || query->id ? NULL : c->heavy;
	size_t n;
	struct doc_row *found = collect(docs_of(m, c), query, &n);

	(void)err;
	for (size_t i = 0; i < n && give(found[i].doc, heavy, fn, ctx) == 0; i++)
		;
	free(found);
	return etl_memory_unlock(m, 0);
}

/* Documents that agree in both fields of the collection's row, letters for one by step and rule. */
struct sum {
	const char *by[2]; /* the documents' */
	int64_t n;
	bool has_span; /* a date of 0 is one as well */
	etl_wall oldest, newest;
};

struct sums {
	struct sum *sums;
	size_t n, cap;
};

/* The row names fields as an aggregation does ("$step"): + 1 leaves the dollar out. */
static struct sum *sum_of(struct sums *all, const struct etl_collection *c, const bson_t *doc)
{
	const char *a = etl_doc_text(doc, c->sum.by[0] + 1), *b = etl_doc_text(doc, c->sum.by[1] + 1);

	for (size_t i = 0; i < all->n; i++)
		if (etl_streq(all->sums[i].by[0], a) && etl_streq(all->sums[i].by[1], b))
			return &all->sums[i];
	ETL_GROW(all->sums, all->n, all->cap);
	all->sums[all->n] = (struct sum){.by = {a, b}};
	return &all->sums[all->n++];
}

static void count(struct sums *all, const struct etl_collection *c, const bson_t *doc)
{
	struct sum *sum = sum_of(all, c, doc);
	bson_iter_t it;
	etl_wall at;

	sum->n++;
	if (!bson_iter_init_find(&it, doc, c->sum.span + 1) || !BSON_ITER_HOLDS_DATE_TIME(&it))
		return;
	at.ms = bson_iter_date_time(&it);
	if (!sum->has_span || at.ms < sum->oldest.ms)
		sum->oldest = at;
	if (!sum->has_span || at.ms > sum->newest.ms)
		sum->newest = at;
	sum->has_span = true;
}

/* The largest sum first, and among equals by their fields, so that two calls print the same. */
static int most_first(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = strcmp(x->by[0], y->by[0]);

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return order ? order : strcmp(x->by[1], y->by[1]);
}

/* The document that MongoDB's $group would give:
 *
 *   {_id: {step: "check", rule: "type"}, n: 12, oldest: <date>, newest: <date>}
 */
static int give_sum(const struct etl_collection *c, const struct sum *sum, etl_doc_fn fn, void *ctx)
{
	bson_t *doc = BCON_NEW("_id", "{", c->sum.by[0] + 1, BCON_UTF8(sum->by[0]), c->sum.by[1] + 1,
		BCON_UTF8(sum->by[1]), "}", "n", BCON_INT64(sum->n));
	int rc;

	if (sum->has_span)
		BCON_APPEND(doc, "oldest", BCON_DATE_TIME(sum->oldest.ms), "newest",
			BCON_DATE_TIME(sum->newest.ms));
	rc = fn(ctx, doc);
	bson_destroy(doc);
	return rc;
}

/* Summed are at most as many documents as the limit says, the newest: a question costs the same
 * with a million letters. */
int etl_memory_sums(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	struct memory *m = etl_memory_lock(s);
	struct sums all = {.n = 0};
	size_t n;
	struct doc_row *found = collect(docs_of(m, c), query, &n);

	(void)err;
	for (size_t i = 0; i < n; i++)
		count(&all, c, found[i].doc);
	if (all.n > 1)
		qsort(all.sums, all.n, sizeof *all.sums, most_first);
	for (size_t i = 0; i < all.n && give_sum(c, &all.sums[i], fn, ctx) == 0; i++)
		;
	free(all.sums);
	free(found);
	return etl_memory_unlock(m, 0);
}

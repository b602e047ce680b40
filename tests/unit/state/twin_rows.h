/* SPDX-License-Identifier: MIT
 *
 * Documents by rows: each operation with each row that there is, on a collection beside the true one
 * so that no kind reads what it could not have written. As twin_ops.h.
 */
#ifndef TESTS_STATE_TWIN_ROWS_H
#define TESTS_STATE_TWIN_ROWS_H

#include "twin_ops.h"
#include "state/doc_read.h"

enum { ROWS_MAX = 32 };

/* Copies of all rows with names of their own; `n` of them. */
static const struct etl_collection *scratch_rows(size_t *n)
{
	static struct etl_collection rows[ROWS_MAX];
	static char names[ROWS_MAX][64];

	for (*n = 0; etl_collections[*n]; ++*n) {
		assert_true(*n < ROWS_MAX);
		snprintf(names[*n], sizeof names[*n], "scratch_%s", etl_collections[*n]->name);
		rows[*n] = *etl_collections[*n];
		rows[*n].name = names[*n];
	}
	return rows;
}

/* Documents without an `_id`: whoever makes one up differs, and with it what comes first. */
static bool is_added_only(const struct etl_collection *c)
{
	return c->newest_by && !c->encode && !c->decode;
}

static const struct etl_collection *listed; /* the row of the list that is being told */

static int keep_fields(void *ctx, const bson_t *doc)
{
	const char *names[] = {"_id", "job", "state", "n", listed->newest_by, listed->heavy,
		listed->again.count, listed->again.first, listed->again.may_lack};
	bson_t fields = BSON_INITIALIZER;
	bson_iter_t it;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i] && bson_iter_init_find(&it, doc, names[i]) && !BSON_ITER_HOLDS_OID(&it))
			bson_append_iter(&fields, NULL, 0, &it);
	keep_document(ctx, &fields);
	bson_destroy(&fields);
	return 0;
}

/* The servers' numbers are of any width. */
static int keep_count(void *ctx, const bson_t *doc)
{
	add_line(ctx, etl_strf("%s %s n %" PRId64 " oldest %s newest %s", etl_doc_text(doc, "_id.step"),
		etl_doc_text(doc, "_id.rule"), etl_doc_int(doc, "n"), TIME(etl_doc_date(doc, "oldest")),
		TIME(etl_doc_date(doc, "newest"))));
	return 0;
}

static bson_t *any_document(const struct etl_collection *c)
{
	bson_t *doc = bson_new();

	if (!is_added_only(c))
		BSON_APPEND_UTF8(doc, "_id", ANY(runs));
	BCON_APPEND(doc, "job", BCON_UTF8(ANY(jobs)), "state", BCON_UTF8(ANY(reasons)), "n",
		BCON_INT64((int64_t)roll(9)));
	if (c->newest_by)
		BSON_APPEND_DATE_TIME(doc, c->newest_by, recent((int)roll(4)).ms);
	if (c->heavy)
		BSON_APPEND_INT64(doc, c->heavy, (int64_t)roll(9));
	if (c->again.may_lack && roll(2))
		BSON_APPEND_INT64(doc, c->again.may_lack, (int64_t)roll(9));
	if (c->sum.span)
		BCON_APPEND(doc, c->sum.by[0] + 1, BCON_UTF8(ANY(reasons)), c->sum.by[1] + 1,
			BCON_UTF8(ANY(reasons)));
	if (c->sum.span && roll(3))
		BSON_APPEND_DATE_TIME(doc, c->sum.span + 1, recent((int)roll(4)).ms);
	else if (c->sum.span)
		BSON_APPEND_NULL(doc, c->sum.span + 1);
	return doc;
}

static void put_rows(struct side *side, const struct etl_collection *c, struct etl_error *err)
{
	const struct etl_equal when = {"state", ANY(reasons)};
	bson_t *docs[] = {any_document(c), any_document(c), any_document(c)};

	if (roll(2) || c->again.count || is_added_only(c))
		say_answer(side, "put", side->s->ops->put(side->s, c, docs, 1 + roll(3), err), err);
	else
		say_answer(side, "put if", side->s->ops->put_if(side->s, c, docs[0], roll(3) ? &when : NULL,
			err), err);
	for (int i = 0; i < 3; i++)
		bson_destroy(docs[i]);
}

static void change_rows(struct side *side, const struct etl_collection *c, struct etl_error *err)
{
	const struct etl_equal when = {"state", ANY(reasons)};
	bson_t *fields = BCON_NEW("state", BCON_UTF8(ANY(reasons)), "n", BCON_INT64(7));

	if (roll(3))
		say_answer(side, "update", side->s->ops->update(side->s, c, ANY(runs), &when, fields, err),
			err);
	else
		say_answer(side, "remove", side->s->ops->remove(side->s, c, ANY(runs), err), err);
	bson_destroy(fields);
}

static void list_rows(struct side *side, const struct etl_collection *c, struct etl_error *err)
{
	etl_wall at = recent((int)roll(4));
	struct etl_doc_query query = {.id = roll(5) ? NULL : ANY(runs),
		.equal = {{"job", roll(3) ? NULL : ANY(jobs)}, {"state", roll(3) ? NULL : ANY(reasons)}}};
	char prefix[ETL_UUID_BYTES];

	snprintf(prefix, sizeof prefix, "%.*s", (int)roll(ETL_UUID_BYTES), ANY(runs));
	if (!query.id && !roll(4))
		query.prefix = prefix;
	else if (c->newest_by && !is_added_only(c) && roll(2))
		query.before = ANY(runs);
	if (c->newest_by && !query.before && !roll(3))
		query.equal[2] = (struct etl_equal){c->newest_by, .date = &at};
	query.before_at = recent((int)roll(4));
	if (!is_added_only(c))
		query.limit = (int)roll(4);
	listed = c;
	say_answer(side, "list", side->s->ops->list(side->s, c, &query, keep_fields, side, err), err);
	say_list(side, is_added_only(c));
	if (!c->sum.span)
		return;
	query = (struct etl_doc_query){.equal = {query.equal[0]}, .limit = 1 + (int)roll(9)};
	say_answer(side, "sums", side->s->ops->sums(side->s, c, &query, keep_count, side, err), err);
	say_list(side, false);
}

static void any_row(struct side *side, struct etl_error *err)
{
	void (*const plays[])(struct side *, const struct etl_collection *, struct etl_error *) = {
		put_rows, put_rows, change_rows, list_rows, list_rows};
	size_t n;
	const struct etl_collection *rows = scratch_rows(&n);

	ANY(plays)(side, &rows[roll(n)], err);
}

/* Each to its end, in its order. */
static void whole_rows(struct side *side, struct etl_error *err)
{
	static const struct etl_doc_query all;
	size_t n;
	const struct etl_collection *rows = scratch_rows(&n);

	for (size_t i = 0; i < n; i++) {
		listed = &rows[i];
		say_answer(side, rows[i].name, side->s->ops->list(side->s, &rows[i], &all, keep_fields, side,
			err), err);
		say_list(side, is_added_only(&rows[i]));
	}
}

#endif

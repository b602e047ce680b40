/* SPDX-License-Identifier: MIT
 *
 * Dead letters: their row, a reject -> its document, a document -> a letter, and what is asked of
 * them.
 *
 * A dead letter is a record that a step refused, kept with its raw bytes so that an operator can
 * see why. As a document:
 *
 *   {_id: <hash>, job: "orders", partition: "eu", run_id: ..., at: <date>, first_at: <date>,
 *    times: 3, step: "check", rule: "type", path: "price", message: "'x' is no number",
 *    also: [<further violations>], window_start: ..., window_end: ..., raw: <bytes>}
 *
 * `etlctl dead list` shows them without the bytes, `etlctl dead show ID` one with them. A letter is
 * no part of the commit: it is written before, and what is written twice counts up `times` instead
 * of being two letters.
 */
#include "state/dead_letter.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/doc_read.h"
#include "state/state.h"

/* With the final NUL, so that no two lists of words are the same bytes. Example: ("ab", "c") and
 * ("a", "bc") would both be "abc" without it. */
static void add_word(struct etl_hash_state *h, const char *word)
{
	word = word ? word : "";
	etl_hash_add(h, word, strlen(word) + 1);
}

/* The same record that is refused for the same reason has the same id in every run, so that a unit
 * that is read again each hour does not make 24 letters a day. With bytes, they tell records apart;
 * without (a load that the target refused gives none), place, time and message have to. */
void etl_dead_letter_id(const struct etl_dead_letter_info *info, const struct etl_reject *reject,
	char out[ETL_HASH_TEXT_BYTES])
{
	struct etl_hash_state *h = etl_hash_new();

	add_word(h, info->job);
	add_word(h, info->partition);
	add_word(h, reject->step);
	add_word(h, reject->rule);
	add_word(h, reject->path);
	if (reject->raw_len) {
		etl_hash_add(h, reject->raw, reject->raw_len);
	} else {
		etl_hash_add(h, &reject->position, sizeof reject->position);
		etl_hash_add(h, &reject->time.ms, sizeof reject->time.ms);
		add_word(h, reject->message);
	}
	etl_hash_text(h, out);
	etl_hash_free(h);
}

/* BSON text must be UTF-8; a message may quote what was not. */
static void append_text(bson_t *out, const char *field, const char *text)
{
	size_t len, bad;
	char *copy;

	text = text ? text : "";
	len = strlen(text);
	copy = etl_memdup0(text, len);
	while ((bad = etl_utf8_check(copy, len)) < len)
		copy[bad] = '?';
	bson_append_utf8(out, field, -1, copy, (int)len);
	free(copy);
}

/* A letter that comes again without a window loses the one that it had. */
static void append_window(bson_t *out, const struct etl_window *window)
{
	if (window && window->start.ms < window->end.ms) {
		BSON_APPEND_DATE_TIME(out, "window_start", window->start.ms);
		BSON_APPEND_DATE_TIME(out, "window_end", window->end.ms);
	} else {
		BSON_APPEND_NULL(out, "window_start");
		BSON_APPEND_NULL(out, "window_end");
	}
}

/* What else was wrong with the same record, so that an operator does not mend one field and meet
 * the next. */
static void append_also(bson_t *out, const struct etl_reject *reject)
{
	bson_t list, one;
	char key[24];

	BSON_APPEND_ARRAY_BEGIN(out, "also", &list);
	for (size_t i = 0; i < reject->n_also; i++) {
		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_text(&one, "rule", reject->also[i].rule);
		append_text(&one, "path", reject->also[i].path);
		append_text(&one, "message", reject->also[i].message);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}

/* The `_id`, `first_at` and `times` are not here: the first is the caller's, the others are the
 * store's (etl_collection.again), which alone knows whether the letter has been there before. */
void etl_dead_letter_append(bson_t *out, const struct etl_dead_letter_info *info,
	const struct etl_reject *reject, const struct etl_window *window)
{
	append_text(out, "job", info->job);
	append_text(out, "partition", info->partition);
	append_text(out, "run_id", info->run_id);
	BSON_APPEND_DATE_TIME(out, "at", info->at.ms);
	append_text(out, "step", reject->step);
	append_text(out, "rule", reject->rule);
	append_text(out, "path", reject->path);
	append_text(out, "message", reject->message);
	append_also(out, reject);
	BSON_APPEND_INT64(out, "position", (int64_t)reject->position);
	if (reject->time.ms != ETL_NO_TIME)
		BSON_APPEND_DATE_TIME(out, "time", reject->time.ms);
	append_window(out, window);
	if (info->object)
		BSON_APPEND_UTF8(out, "object", info->object);
	BSON_APPEND_BOOL(out, "raw_is_bson", reject->raw_is_bson);
	BSON_APPEND_BOOL(out, "raw_cut", reject->raw_cut);
	BSON_APPEND_BINARY(out, "raw", BSON_SUBTYPE_BINARY,
		reject->raw ? reject->raw : (const uint8_t *)"", reject->raw_len);
}

/* A list leaves the bytes out, not what is told of them. */
static void read_raw(const bson_t *doc, struct etl_dead_letter *out)
{
	bson_subtype_t subtype;
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "raw") && BSON_ITER_HOLDS_BINARY(&it))
		bson_iter_binary(&it, &subtype, &out->raw_len, &out->raw);
	if (bson_iter_init_find(&it, doc, "raw_is_bson"))
		out->raw_is_bson = BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it);
	/* Letters of before do not say it: one that fills its room was cut, at a whole character.
	 */
	if (bson_iter_init_find(&it, doc, "raw_cut") && BSON_ITER_HOLDS_BOOL(&it))
		out->raw_cut = bson_iter_bool(&it);
	else
		out->raw_cut = !out->raw_is_bson && out->raw_len > ETL_REJECT_RAW_MAX - 4;
}

static void read_also(const bson_t *doc, struct etl_dead_letter *out)
{
	const uint8_t *data;
	bson_iter_t it, item;
	uint32_t len;
	bson_t one;

	if (!bson_iter_init_find(&it, doc, "also") || !BSON_ITER_HOLDS_ARRAY(&it) ||
		!bson_iter_recurse(&it, &item))
		return;
	while (out->n_also < ETL_ALSO_MAX && bson_iter_next(&item)) {
		if (!BSON_ITER_HOLDS_DOCUMENT(&item))
			continue;
		bson_iter_document(&item, &len, &data);
		if (bson_init_static(&one, data, len))
			out->also[out->n_also++] = (struct etl_violation){etl_doc_text(&one, "rule"),
				etl_doc_text(&one, "path"), etl_doc_text(&one, "message")};
	}
}

/* Everything in `out` points into `doc` and is good as long as that is. Lenient: a field that is
 * missing is empty, since a letter that cannot be read in full is still worth being shown. */
void etl_dead_letter_read(const bson_t *doc, struct etl_dead_letter *out)
{
	bson_iter_t it;

	*out = (struct etl_dead_letter){
		.id = etl_doc_text(doc, "_id"),
		.job = etl_doc_text(doc, "job"),
		.partition = etl_doc_text(doc, "partition"),
		.run_id = etl_doc_text(doc, "run_id"),
		.step = etl_doc_text(doc, "step"),
		.rule = etl_doc_text(doc, "rule"),
		.path = etl_doc_text(doc, "path"),
		.message = etl_doc_text(doc, "message"),
		.at = etl_doc_date(doc, "at"),
		.first_at = etl_doc_date(doc, "first_at"),
		.times = etl_doc_int(doc, "times"),
		.object = etl_doc_text(doc, "object"),
		.window = {etl_doc_date(doc, "window_start"), etl_doc_date(doc, "window_end")},
		.time = {ETL_NO_TIME},
		.position = etl_doc_int(doc, "position"),
	};
	if (out->window.start.ms >= out->window.end.ms)
		out->window = (struct etl_window){{0}, {0}};
	if (bson_iter_init_find(&it, doc, "time") && BSON_ITER_HOLDS_DATE_TIME(&it))
		out->time.ms = bson_iter_date_time(&it);
	read_also(doc, out);
	read_raw(doc, out);
}

static int decode(const bson_t *doc, void *out, struct etl_error *err)
{
	(void)err;
	etl_dead_letter_read(doc, out);
	return 1;
}

/* ---- the collection ---------------------------------------------------------------------------- */

#define COUNTED {"step", 1}, {"rule", 1}, {"window_start", 1}

/* A list goes along one of these indexes; counting by rule looks at nothing but the index, since
 * what was refused may be 64 KiB a letter. */
const struct etl_collection etl_dead_letters = {
	.name = "dead_letters",
	.newest_by = "at",
	.heavy = "raw",
	.indexes = {
		{"at_id", {{"at", -1}, {"_id", -1}, COUNTED}},
		{"job_at_id", {{"job", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
		{"job_partition_at_id", {{"job", 1}, {"partition", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
		{"job_window_at_id", {{"job", 1}, {"window_start", 1}, {"at", -1}, {"_id", -1},
			{"step", 1}, {"rule", 1}, {"partition", 1}}},
		{"run_at_id", {{"run_id", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
		{"keep", {{"at", 1}}, .keep_days = 90},
	},
	.decode = decode,
	.size = sizeof(struct etl_dead_letter),
	.again = {.count = "times", .first = "first_at", .may_lack = "time"},
	.sum = {.by = {"$step", "$rule"}, .span = "$window_start"},
};

/* The caller destroys it. */
static bson_t *document_of(const struct etl_dead_letter_info *info, const struct etl_reject *reject,
	const struct etl_window *window)
{
	char id[ETL_HASH_TEXT_BYTES];
	bson_t *doc = bson_new();

	etl_dead_letter_id(info, reject, id);
	BSON_APPEND_UTF8(doc, "_id", id);
	etl_dead_letter_append(doc, info, reject, window);
	return doc;
}

/* So that 100,000 refused records never are more than 100 documents, 6.4 MiB, besides the rejects
 * themselves. */
#define LETTERS_AT_ONCE 100 /* of at most 64 KiB each */

/* When MongoDB is unreachable in the middle, some are written and some not. The run then fails,
 * reads the unit again, and those that are there are counted up: none is lost, none is double. */
int etl_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err)
{
	bson_t *docs[LETTERS_AT_ONCE];
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0;) {
		size_t some = 0;

		for (; some < LETTERS_AT_ONCE && i < n; some++, i++)
			docs[some] = document_of(info, &rejects[i], info->windows ? &info->windows[i] : NULL);
		rc = s->ops->put(s, &etl_dead_letters, docs, some, err);
		while (some)
			bson_destroy(docs[--some]);
	}
	return rc;
}

/* A member that is NULL asks for nothing: {"job", NULL} is all jobs. */
static struct etl_doc_query query_of(const struct etl_dead_query *q)
{
	return (struct etl_doc_query){.equal = {{"job", q->job}, {"run_id", q->run_id},
			{"partition", q->partition},
			{"window_start", .date = q->window ? &q->window->start : NULL}},
		.before = q->before, .before_at = q->before_at, .limit = q->limit};
}

int etl_dead_letter_list(struct etl_state *s, const struct etl_dead_query *query, etl_thing_fn fn,
	void *ctx, struct etl_error *err)
{
	const struct etl_doc_query q = query_of(query);

	return etl_doc_list(s, &etl_dead_letters, &q, fn, ctx, err);
}

/* By the first characters of an id, as a terminal shows it. Two found with `limit` 2 mean that the
 * prefix is not enough. */
int etl_dead_letter_find(struct etl_state *s, const char *prefix, int limit, etl_thing_fn fn, void *ctx,
	struct etl_error *err)
{
	const struct etl_doc_query q = {.prefix = prefix, .limit = limit};

	return etl_doc_list(s, &etl_dead_letters, &q, fn, ctx, err);
}

struct counting {
	etl_dead_sum_fn fn;
	void *ctx;
};

/* The group's id is {step, rule}, hence the path with a dot. */
static int tell(void *ctx, const bson_t *doc)
{
	const struct counting *to = ctx;
	const struct etl_dead_sum sum = {.step = etl_doc_text(doc, "_id.step"),
		.rule = etl_doc_text(doc, "_id.rule"),
		.n = (uint64_t)etl_doc_int(doc, "n"),
		.oldest = etl_doc_date(doc, "oldest"),
		.newest = etl_doc_date(doc, "newest")};

	return to->fn(to->ctx, &sum);
}

/* The newest ETL_DEAD_COUNTED letters are looked at, not all; `before` would begin a page, and a
 * sum has no pages. */
int etl_dead_letter_sums(struct etl_state *s, const struct etl_dead_query *query, etl_dead_sum_fn fn,
	void *ctx, struct etl_error *err)
{
	struct etl_doc_query q = query_of(query);
	struct counting to = {fn, ctx};

	q.before = NULL;
	q.limit = ETL_DEAD_COUNTED;
	return s->ops->sums(s, &etl_dead_letters, &q, tell, &to, err);
}

/* SPDX-License-Identifier: MIT
 *
 * What holds a unit back, and what an operator has released of it: the fields `held` and `waiver`
 * of a ledger entry. The waiver is a field of its own, so that an undo takes it back whole.
 *
 * Example: a check of a range has held 10:00 back, an operator has released it:
 *
 *   held: [{check: "range", field: "v", value: "2000", limit: "max 100"}], held_since: ...,
 *   waiver: {who: "anna", at: ..., checks: [{check: "range", field: "v", limit: "max 100"}]}
 *
 * The next run loads the unit although the check fails again, as long as its content is the same
 * (the entry's hash) and the limit is the one that was released. With another limit in the
 * configuration the waiver does not count: anna has not seen that one.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "state/doc_read.h"
#include "state/ledger_doc.h"

/* The value is not compared: the release is of the rule, and that the content is the same is seen
 * by its hash. */
bool etl_held_is_same(const struct etl_held_check *a, const struct etl_held_check *b)
{
	return etl_streq(a->check, b->check) && etl_streq(a->field, b->field) &&
		etl_streq(a->limit, b->limit);
}

/* With `more`, checks that had no room are not known by name and cannot have been released. */
bool etl_held_is_free(const struct etl_held *held)
{
	for (size_t i = 0; i < held->n; i++)
		if (!held->checks[i].released)
			return false;
	return held->n && !held->more && *held->by;
}

/* Those that are released or those that are not: "check range v (1000, max 100), check range n (0,
 * min 900)". */
void etl_held_text(const struct etl_held *held, bool released, char *out, size_t size)
{
	struct etl_buf text;
	bool first = true;

	etl_buf_init(&text, 4096);
	for (size_t i = 0; i < held->n; i++) {
		const struct etl_held_check *c = &held->checks[i];

		if (c->released != released)
			continue;
		etl_buf_printf(&text, "%scheck %s%s%s (%s, %s)", first ? "" : ", ", c->check,
			*c->field ? " " : "", c->field, c->value, c->limit);
		first = false;
	}
	if (held->more && !released)
		etl_buf_str(&text, first ? "other checks" : " and other checks");
	etl_text_copy(out, size, etl_buf_text(&text));
	etl_buf_fini(&text);
}

/* A waiver has no value: see etl_held_is_same. */
static void append_rule(bson_t *list, size_t i, const struct etl_held_check *check, bool value)
{
	const char *key;
	char room[16];
	bson_t one;

	bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
	BSON_APPEND_DOCUMENT_BEGIN(list, key, &one);
	BSON_APPEND_UTF8(&one, "check", check->check);
	BSON_APPEND_UTF8(&one, "field", check->field);
	if (value)
		BSON_APPEND_UTF8(&one, "value", check->value);
	BSON_APPEND_UTF8(&one, "limit", check->limit);
	bson_append_document_end(list, &one);
}

/* `held_more` is stored only when it is so, as most are not. */
void etl_held_to_bson(const struct etl_held *held, bson_t *out)
{
	bson_t list;

	BSON_APPEND_ARRAY_BEGIN(out, "held", &list);
	for (size_t i = 0; i < held->n; i++)
		append_rule(&list, i, &held->checks[i], true);
	bson_append_array_end(out, &list);
	if (held->more)
		BSON_APPEND_BOOL(out, "held_more", true);
	if (held->since.ms)
		BSON_APPEND_DATE_TIME(out, "held_since", held->since.ms);
	if (*held->content)
		BSON_APPEND_UTF8(out, "held_content", held->content);
}

/* A document of its own and not a flag in each check: an undo sets the whole of it to null in one
 * write. */
void etl_waiver_to_bson(const struct etl_held *held, bson_t *out)
{
	bson_t waiver, list;
	size_t n = 0;

	BSON_APPEND_DOCUMENT_BEGIN(out, "waiver", &waiver);
	BSON_APPEND_UTF8(&waiver, "who", held->by);
	BSON_APPEND_DATE_TIME(&waiver, "at", held->at.ms);
	BSON_APPEND_ARRAY_BEGIN(&waiver, "checks", &list);
	for (size_t i = 0; i < held->n; i++)
		if (held->checks[i].released)
			append_rule(&list, n++, &held->checks[i], false);
	bson_append_array_end(&waiver, &list);
	bson_append_document_end(out, &waiver);
}

/* ---- reading ------------------------------------------------------------------------------- */

static void read_text(const bson_t *doc, const char *field, char *out, size_t size)
{
	etl_text_copy(out, size, etl_doc_text(doc, field));
}

/* One that is no document was written by somebody else and is left out. */
static bool read_rule(const bson_iter_t *it, struct etl_held_check *out)
{
	const uint8_t *data;
	uint32_t len;
	bson_t doc;

	if (!BSON_ITER_HOLDS_DOCUMENT(it))
		return false;
	bson_iter_document(it, &len, &data);
	if (!bson_init_static(&doc, data, len))
		return false;
	*out = (struct etl_held_check){0};
	read_text(&doc, "check", out->check, sizeof out->check);
	read_text(&doc, "field", out->field, sizeof out->field);
	read_text(&doc, "value", out->value, sizeof out->value);
	read_text(&doc, "limit", out->limit, sizeof out->limit);
	return true;
}

/* More than ETL_HELD_MAX can come from a newer etld that has more room. */
static void read_held(bson_iter_t *list, struct etl_held *out)
{
	struct etl_held_check check;

	while (bson_iter_next(list)) {
		if (!read_rule(list, &check))
			continue;
		if (out->n == ETL_HELD_MAX)
			out->more = true;
		else
			out->checks[out->n++] = check;
	}
}

/* A released check that holds nothing back any more matches none and is forgotten with the next
 * commit. */
static void read_released(bson_iter_t *list, struct etl_held *out)
{
	struct etl_held_check check;

	while (bson_iter_next(list))
		for (size_t i = 0; read_rule(list, &check) && i < out->n; i++)
			out->checks[i].released |= etl_held_is_same(&out->checks[i], &check);
}

static void read_waiver(const bson_iter_t *it, struct etl_held *out)
{
	bson_iter_t list, at;
	const uint8_t *data;
	uint32_t len;
	bson_t doc;

	if (!BSON_ITER_HOLDS_DOCUMENT(it)) /* null: an undo took it back */
		return;
	bson_iter_document(it, &len, &data);
	if (!bson_init_static(&doc, data, len))
		return;
	read_text(&doc, "who", out->by, sizeof out->by);
	out->at = etl_doc_date(&doc, "at");
	if (bson_iter_init_find(&at, &doc, "checks") && BSON_ITER_HOLDS_ARRAY(&at) &&
		bson_iter_recurse(&at, &list))
		read_released(&list, out);
}

/* `held` has to be read before `waiver`, which marks what it finds there. */
void etl_held_from_bson(const bson_t *doc, struct etl_held *out)
{
	bson_iter_t it, list;

	if (bson_iter_init_find(&it, doc, "held_more"))
		out->more = bson_iter_as_bool(&it);
	out->since = etl_doc_date(doc, "held_since");
	read_text(doc, "held_content", out->content, sizeof out->content);
	if (bson_iter_init_find(&it, doc, "held") && BSON_ITER_HOLDS_ARRAY(&it) &&
		bson_iter_recurse(&it, &list))
		read_held(&list, out);
	if (bson_iter_init_find(&it, doc, "waiver"))
		read_waiver(&it, out);
}

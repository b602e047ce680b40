/* SPDX-License-Identifier: MIT
 *
 * From a record to the document that is stored: its `_id` made of the key, names that a
 * document may not have, size. Pure: no server.
 *
 * key: [station, t] and {"station": "a", "t": date 10:00Z, "v": 1} is stored as
 * {"_id": "a|@2026-07-01T10:00:00Z", "station": "a", "t": ..., "v": 1}
 * The same record again is the same document, so loading it twice stores it once.
 */
#include <stdlib.h>

#include "base/str.h"
#include "record/path.h"
#include "sink/mongodb.h"

#define TYPE_TEXT 0x02
#define TYPE_ARRAY 0x04
#define TYPE_REGEX 0x0b
#define TYPE_DECIMAL 0x13

/* The limit is ours and not the server's (since 4.2 there is none): long keys make
 * large indexes. */
#define IDENTITY_MAX 900 /* bytes; an index key of old servers holds 1,024 */

/* A refusal is the record's alone; the others of its batch are written. */
static void refuse(struct etl_sink_item *out, const char *rule, const char *path,
	const char *message)
{
	out->verdict = ETL_VERDICT_REFUSED;
	out->rule = rule;
	out->path = path;
	out->message = message;
}

/* The message names the field: people see it where the path is not told, as in status. */
static void refuse_key(struct etl_sink_item *out, struct etl_arena *arena, const char *name,
	const char *what)
{
	refuse(out, "key", name, etl_arena_strf(arena, "the key field '%s' is %s", name, what));
}

/* Missing, null and an array are three different mistakes of a source, so each is told
 * in its words. */
static bool find_key_field(const struct etl_record *record, const char *name,
	struct etl_arena *arena, struct etl_element *e, struct etl_sink_item *out)
{
	if (!etl_path_find_field(name, record->bson, record->len, e))
		refuse_key(out, arena, name, "missing");
	else if (etl_element_is_null(e))
		refuse_key(out, arena, name, "null");
	else if (e->type == TYPE_ARRAY || e->type == TYPE_REGEX)
		/* The server refuses both as `_id`. */
		refuse_key(out, arena, name, "an array or a regular expression");
	else
		return true;
	return false;
}

/* {"$set": ...} as a stored field would be read as an operator by whoever uses the
 * document in an update. */
static bool name_is_allowed(const struct etl_element *e, struct etl_arena *arena,
	struct etl_sink_item *out)
{
	if (e->key_len == 0 || e->key[0] != '$')
		return true;
	refuse(out, "name", etl_arena_memdup0(arena, e->key, e->key_len),
		"a field name that begins with '$'");
	return false;
}

/* One key field: its value. Several: their canonical text (mongodb_identity.c). */
static bool write_id(const struct etl_sink_mongodb_options *o, const struct etl_record *record,
	struct etl_arena *arena, struct etl_buf *key, struct etl_element *id,
	struct etl_sink_item *out)
{
	ETL_BUF_CLEANUP struct etl_buf text;
	struct etl_element e;
	uint8_t *value;
	uint32_t len;

	etl_buf_init(&text, IDENTITY_MAX);
	/* key: [id] stores the id itself, with its type: people query {_id: 7}. */
	if (o->key.n == 1) {
		if (!find_key_field(record, o->key.items[0], arena, id, out))
			return false;
		etl_key_add(key, id);
		return true;
	}
	for (size_t i = 0; i < o->key.n; i++) {
		if (!find_key_field(record, o->key.items[i], arena, &e, out))
			return false;
		if (!etl_sink_identity_add(&text, &e, i == 0)) {
			refuse_key(out, arena, o->key.items[i],
				"too long, or no text, number, date, bool or ObjectId");
			return false;
		}
	}
	len = (uint32_t)text.len + 1;
	value = etl_arena_alloc(arena, len + 4);
	memcpy(value, &(uint32_t){BSON_UINT32_TO_LE(len)}, 4);
	memcpy(value + 4, etl_buf_text(&text), len);
	/* The length of BSON's string counts its NUL. */
	*id = (struct etl_element){.type = TYPE_TEXT, .key = "_id", .key_len = 3, .value = value,
		.value_len = len + 4};
	etl_key_add(key, id);
	return true;
}

static bool same_value(const struct etl_element *a, const struct etl_element *b)
{
	return a->type == b->type && a->value_len == b->value_len &&
		memcmp(a->value, b->value, a->value_len) == 0;
}

/* Both walks are over the record's own fields: names first, since a refused record is
 * not written. */
void etl_sink_document(const struct etl_sink_mongodb_options *o, const struct etl_record *record,
	struct etl_arena *arena, struct etl_buf *key, struct etl_sink_item *out)
{
	struct etl_element id, e;
	struct etl_cursor cursor;
	struct etl_writer w;

	*out = (struct etl_sink_item){.verdict = ETL_VERDICT_NEW, .path = ""};
	if (!write_id(o, record, arena, key, &id, out))
		return;
	etl_cursor_init(&cursor, record->bson, record->len);
	while (etl_cursor_next(&cursor, &e))
		if (!name_is_allowed(&e, arena, out))
			return;
	/* `_id` leads the document, as the server itself would put it: then what is
	 * stored compares byte for byte with what is loaded again. */
	etl_writer_begin(&w, arena, record->len + id.value_len + 16);
	etl_writer_raw(&w, "_id", 3, id.type, id.value, id.value_len);
	etl_cursor_init(&cursor, record->bson, record->len);
	while (etl_cursor_next(&cursor, &e))
		if (e.key_len != 3 || memcmp(e.key, "_id", 3) != 0)
			etl_writer_copy(&w, &e);
		else
			/* The record's own `_id` is left out; that it was another one
			 * is told. */
			out->had_id = !same_value(&e, &id);
	out->doc = etl_writer_end(&w, &out->len);
	if (o->version)
		out->version = etl_sink_version_fault(o->version, out->doc, out->len);
	if (out->len > ETL_DOCUMENT_BYTES_MAX)
		refuse(out, "size", "", "the document is larger than MongoDB stores");
}

/* The same canonical bytes as of a record: 5 stored as a double meets 5 that comes as
 * an integer. */
bool etl_sink_stored_key(const bson_t *doc, struct etl_buf *key)
{
	struct etl_element id;

	if (!etl_doc_find(bson_get_data(doc), doc->len, "_id", &id))
		return false;
	etl_key_add(key, &id);
	return true;
}

static bool is_number(const struct etl_element *e)
{
	double v;

	return e->type == TYPE_DECIMAL || etl_element_double(e, &v);
}

/* As near as a double comes; the server's order differs from it in the last digit at
 * most. */
static double number_of(const struct etl_element *e)
{
	bson_decimal128_t decimal;
	char text[BSON_DECIMAL128_STRING];
	double v = 0;

	if (etl_element_double(e, &v) || e->type != TYPE_DECIMAL)
		return v;
	memcpy(&decimal.low, e->value, 8);
	memcpy(&decimal.high, e->value + 8, 8);
	bson_decimal128_to_string(&decimal, text);
	return strtod(text, NULL);
}

/* By bytes, as the server compares without a collation. */
static int compare_text(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* -1, 0, 1. Whole numbers exactly; a double and a whole number, or decimals, as the server
 * orders them but for the last digit.
 * Two whole numbers are compared as such, because 2^53 and 2^53 + 1 are one double. */
static int compare_numbers(const struct etl_element *a, const struct etl_element *b)
{
	int64_t int_a, int_b;
	double x, y;

	if (etl_element_int64(a, &int_a) && etl_element_int64(b, &int_b))
		return (int_a > int_b) - (int_a < int_b);
	x = number_of(a);
	y = number_of(b);
	return (x > y) - (x < y);
}

/* version: rev; stored 5, ours 4: true, and ours is stale. Stored 5, ours 5: false, it
 * is replaced, which changes nothing if it is the same. */
bool etl_sink_is_newer(const char *version, const bson_t *stored, const uint8_t *doc, uint32_t len)
{
	struct etl_element there, ours;
	const char *text_a, *text_b;
	uint32_t len_a, len_b;
	etl_wall date_a, date_b;

	if (!etl_path_find_field(version, bson_get_data(stored), stored->len, &there) ||
		!etl_path_find_field(version, doc, len, &ours))
		return false;
	/* Kinds that differ (a date and a number) are not comparable: the load then
	 * replaces, and the warning of etl_sink_version_fault says so. */
	if (is_number(&there) && is_number(&ours))
		return compare_numbers(&there, &ours) > 0;
	if (etl_element_date(&there, &date_a) && etl_element_date(&ours, &date_b))
		return date_a.ms > date_b.ms;
	if (etl_element_text(&there, &text_a, &len_a) && etl_element_text(&ours, &text_b, &len_b))
		return compare_text(text_a, len_a, text_b, len_b) > 0;
	return false;
}

/* "12", "-3.5", "1e9": whoever sees these as numbers expects 9 before 10.
 * A version of "10" behind one of "9": text says that it is older. */
static bool looks_like_number(const char *text, uint32_t len)
{
	char copy[40], *end;

	if (!len || len >= sizeof copy || !strchr("+-.0123456789", text[0]))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	(void)strtod(copy, &end);
	return !*end;
}

/* Told once a slice: the load goes on, because a version that cannot be compared is
 * still data. */
const char *etl_sink_version_fault(const char *version, const uint8_t *doc, uint32_t len)
{
	struct etl_element e;
	const char *text;
	uint32_t n;

	if (!etl_path_find_field(version, doc, len, &e) || etl_element_is_null(&e))
		return "it is missing: nothing is compared";
	if (etl_element_text(&e, &text, &n))
		return looks_like_number(text, n) ?
			"a text that looks like a number is compared letter by letter, so that "
			"\"10\" is before \"9\": cast it" : NULL;
	if (is_number(&e) || etl_element_date(&e, &(etl_wall){0}))
		return NULL;
	return "it is no number, date or text: nothing is compared";
}

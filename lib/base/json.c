/* SPDX-License-Identifier: MIT
 *
 * The face over cJSON, and the only file that includes it. struct etl_json is a cJSON item
 * under another name: it is never defined, only cast. Printing is our own, because cJSON
 * compares numbers with a tolerance and so loses the last digit of 2^53 - 1.
 *
 * The order of a parse: size, grammar (json_check.c), then cJSON, then what neither
 * grammar nor cJSON refuse (duplicate names, numbers beyond a double). cJSON is thereby
 * never shown a text that it would read otherwise than RFC 8259 does.
 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/str.h"

static cJSON *item_of(struct etl_json *json)
{
	return (cJSON *)(void *)json;
}

static const cJSON *const_item_of(const struct etl_json *json)
{
	return (const cJSON *)(const void *)json;
}

static struct etl_json *json_of(cJSON *item)
{
	return (struct etl_json *)(void *)item;
}

static const struct etl_json *const_json_of(const cJSON *item)
{
	return (const struct etl_json *)(const void *)item;
}

/* cJSON answers NULL when memory ran out, and only then, where this is used. */
static struct etl_json *made(cJSON *item)
{
	if (!item)
		abort();
	return json_of(item);
}

/* ---- parsing ---------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* {"a": 1, "a": 2}: RFC 8259 section 4 leaves open which one counts, and two readers may
 * disagree. A method that decides about data must not depend on it: the text is refused.
 * Sorting makes it n log n: a client may send an object with a hundred thousand names. */
static int check_keys(const cJSON *object, struct etl_error *err)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	etl_cleanup(free) char *memory = etl_calloc(n, sizeof(char *));
	const char **keys = (const char **)(void *)memory;
	const cJSON *member;

	cJSON_ArrayForEach(member, object)
		keys[i++] = member->string;
	qsort(keys, n, sizeof *keys, compare_keys);
	for (i = 1; i < n; i++)
		if (etl_streq(keys[i - 1], keys[i]))
			return etl_error_set(err, ETL_DATA, "json.duplicate_key",
				"JSON: the name \"%.64s\" appears twice in one object", keys[i]);
	return 0;
}

/* What the grammar cannot say; the depth is known to be bounded.
 * The recursion is as deep as the text, and that is at most ETL_JSON_DEPTH_MAX, which
 * the guard has counted. */
static int check_tree(const cJSON *item, struct etl_error *err)
{
	const cJSON *child;

	if (cJSON_IsNumber(item) && !isfinite(item->valuedouble))
		return etl_error_set(err, ETL_DATA, "json.number",
			"JSON: a number is too large for a double");
	if (cJSON_IsObject(item) && check_keys(item, err) < 0)
		return -1;
	cJSON_ArrayForEach(child, item)
		if (check_tree(child, err) < 0)
			return -1;
	return 0;
}

struct etl_json *etl_json_parse(const char *text, size_t len, size_t max_bytes,
	struct etl_error *err)
{
	cJSON *item;

	if (len > max_bytes) {
		etl_error_set(err, ETL_LIMIT, "json.size",
			"JSON: %zu bytes, at most %zu are taken", len, max_bytes);
		return NULL;
	}
	if (etl_json_check(text, len, err) < 0)
		return NULL;
	/* The guard checks each \uXXXX for itself; that D83D and DE00 belong together (RFC 8259
	 * section 7) only a decoder sees. It is the one thing left that cJSON can refuse. */
	item = cJSON_ParseWithLength(text, len);
	if (!item) {
		etl_error_set(err, ETL_DATA, "json.syntax",
			"JSON: half a surrogate pair in text");
		return NULL;
	}
	if (check_tree(item, err) < 0) {
		cJSON_Delete(item);
		return NULL;
	}
	return json_of(item);
}

void etl_json_free(struct etl_json *json)
{
	cJSON_Delete(item_of(json));
}

struct etl_json *etl_json_copy(const struct etl_json *json)
{
	return json ? made(cJSON_Duplicate(const_item_of(json), true)) : NULL;
}

/* ---- reading ---------------------------------------------------------------------------- */

enum etl_json_type etl_json_type(const struct etl_json *json)
{
	if (!json)
		return ETL_JSON_NONE;
	switch (const_item_of(json)->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return ETL_JSON_BOOL;
	case cJSON_Number:
		return ETL_JSON_NUMBER;
	case cJSON_String:
		return ETL_JSON_TEXT;
	case cJSON_Array:
		return ETL_JSON_ARRAY;
	case cJSON_Object:
		return ETL_JSON_OBJECT;
	default:
		return ETL_JSON_NULL;
	}
}

const char *etl_json_type_name(enum etl_json_type type)
{
	static const char *const names[] = {
		[ETL_JSON_NONE] = "nothing",
		[ETL_JSON_NULL] = "null",
		[ETL_JSON_BOOL] = "true or false",
		[ETL_JSON_NUMBER] = "a number",
		[ETL_JSON_TEXT] = "text",
		[ETL_JSON_ARRAY] = "an array",
		[ETL_JSON_OBJECT] = "an object",
	};

	return (unsigned)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

const struct etl_json *etl_json_get(const struct etl_json *json, const char *key)
{
	if (etl_json_type(json) != ETL_JSON_OBJECT)
		return NULL;
	return const_json_of(cJSON_GetObjectItemCaseSensitive(const_item_of(json), key));
}

const char *etl_json_as_text(const struct etl_json *json, const char *or_else)
{
	return etl_json_type(json) == ETL_JSON_TEXT ? const_item_of(json)->valuestring : or_else;
}

/* 1, 1.0 and 1e0 are one and the same number of JSON: 1. "9007199254740993", as text, is taken
 * whole; the number 9007199254740993 is not, because a double has already made ...992 of it and
 * nobody can say which was meant. */
int64_t etl_json_as_int(const struct etl_json *json, int64_t or_else)
{
	int64_t v = or_else;

	if (etl_json_type(json) == ETL_JSON_NUMBER) {
		double number = const_item_of(json)->valuedouble;

		if (fabs(number) <= (double)ETL_JSON_INT_MAX && number == trunc(number))
			return (int64_t)number;
	} else if (etl_json_type(json) == ETL_JSON_TEXT &&
		etl_parse_int64(const_item_of(json)->valuestring, &v)) {
		return v;
	}
	return or_else;
}

double etl_json_as_double(const struct etl_json *json, double or_else)
{
	return etl_json_type(json) == ETL_JSON_NUMBER ? const_item_of(json)->valuedouble : or_else;
}

bool etl_json_as_bool(const struct etl_json *json, bool or_else)
{
	return etl_json_type(json) == ETL_JSON_BOOL ? cJSON_IsTrue(const_item_of(json)) : or_else;
}

const char *etl_json_text(const struct etl_json *json, const char *key, const char *or_else)
{
	return etl_json_as_text(etl_json_get(json, key), or_else);
}

int64_t etl_json_int(const struct etl_json *json, const char *key, int64_t or_else)
{
	return etl_json_as_int(etl_json_get(json, key), or_else);
}

double etl_json_double(const struct etl_json *json, const char *key, double or_else)
{
	return etl_json_as_double(etl_json_get(json, key), or_else);
}

bool etl_json_bool(const struct etl_json *json, const char *key, bool or_else)
{
	return etl_json_as_bool(etl_json_get(json, key), or_else);
}

/* Counted and not stored: messages are small, and one truth about the length is enough. */
size_t etl_json_size(const struct etl_json *json)
{
	size_t n = 0;

	ETL_JSON_EACH(item, json)
		n++;
	return n;
}

const struct etl_json *etl_json_item(const struct etl_json *json, size_t index)
{
	const struct etl_json *item = etl_json_first(json);

	while (item && index--)
		item = etl_json_next(item);
	return item;
}

const struct etl_json *etl_json_first(const struct etl_json *json)
{
	return json ? const_json_of(const_item_of(json)->child) : NULL;
}

const struct etl_json *etl_json_next(const struct etl_json *item)
{
	return item ? const_json_of(const_item_of(item)->next) : NULL;
}

const char *etl_json_key(const struct etl_json *item)
{
	return item ? const_item_of(item)->string : NULL;
}

/* ---- building --------------------------------------------------------------------------- */

struct etl_json *etl_json_object(void)
{
	return made(cJSON_CreateObject());
}

struct etl_json *etl_json_array(void)
{
	return made(cJSON_CreateArray());
}

void etl_json_add_item(struct etl_json *to, const char *key, struct etl_json *item)
{
	/* cJSON copies the name. It does not look whether the name is there already:
	 * "new in that object" is the caller's promise. */
	bool added = key ? cJSON_AddItemToObject(item_of(to), key, item_of(item)) :
			   cJSON_AddItemToArray(item_of(to), item_of(item));

	if (!added)
		abort(); /* memory, or an item put into itself */
}

void etl_json_add_text(struct etl_json *to, const char *key, const char *text)
{
	etl_json_add_item(to, key, made(text ? cJSON_CreateString(text) : cJSON_CreateNull()));
}

/* A reader of JSON may hold numbers as doubles (RFC 8259 section 6); beyond 2^53 - 1 it would
 * round. So 9007199254740991 is printed as a number, 9007199254740992 as "9007199254740992". */
void etl_json_add_int(struct etl_json *to, const char *key, int64_t v)
{
	char text[24];

	if (v >= -ETL_JSON_INT_MAX && v <= ETL_JSON_INT_MAX) {
		etl_json_add_item(to, key, made(cJSON_CreateNumber((double)v)));
		return;
	}
	snprintf(text, sizeof text, "%lld", (long long)v);
	etl_json_add_text(to, key, text);
}

void etl_json_add_double(struct etl_json *to, const char *key, double v)
{
	etl_json_add_item(to, key, made(isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull()));
}

void etl_json_add_bool(struct etl_json *to, const char *key, bool v)
{
	etl_json_add_item(to, key, made(cJSON_CreateBool(v)));
}

void etl_json_add_null(struct etl_json *to, const char *key)
{
	etl_json_add_item(to, key, made(cJSON_CreateNull()));
}

struct etl_json *etl_json_add_object(struct etl_json *to, const char *key)
{
	struct etl_json *child = etl_json_object();

	etl_json_add_item(to, key, child);
	return child;
}

struct etl_json *etl_json_add_array(struct etl_json *to, const char *key)
{
	struct etl_json *child = etl_json_array();

	etl_json_add_item(to, key, child);
	return child;
}

void etl_json_add_printed(struct etl_json *to, const char *key, struct etl_buf *text)
{
	struct etl_json *item = made(cJSON_CreateNull());

	item_of(item)->type = cJSON_Raw;
	item_of(item)->valuestring = etl_buf_take(text); /* cJSON_Delete frees it */
	etl_json_add_item(to, key, item);
}

struct etl_json *etl_json_detach(struct etl_json *json, const char *key)
{
	if (etl_json_type(json) != ETL_JSON_OBJECT)
		return NULL;
	return json_of(cJSON_DetachItemFromObjectCaseSensitive(item_of(json), key));
}

/* ---- printing --------------------------------------------------------------------------- */


/* A part of a text; bytes that are no UTF-8 become U+FFFD.
 * "a\xffb" becomes "a\ufffdb". One bad byte becomes one replacement; the text around it stays
 * readable. The length of the good stretch is looked up again behind each bad byte. */
static void print_part(const char *text, size_t len, struct etl_buf *out)
{
	size_t good = etl_utf8_check(text, len);

	for (size_t i = 0; i < len; i++) {
		if (i == good) {
			etl_buf_str(out, "\xef\xbf\xbd");
			good = i + 1 + etl_utf8_check(text + i + 1, len - i - 1);
			continue;
		}
		etl_encode_json_char(out, text[i]);
	}
}

/* Stretches that are clean, and between them single characters that could deceive a terminal:
 * U+202E (right-to-left override) is printed as \u202e, which any parser reads as the same text. */
static void print_text(const char *text, struct etl_buf *out)
{
	size_t len = strlen(text), from = 0;

	etl_buf_char(out, '"');
	while (from < len) {
		size_t n = 0;
		uint32_t point = 0;
		size_t clean = etl_text_deceiver(text + from, len - from, &n, &point);

		print_part(text + from, clean, out);
		from += clean;
		if (from == len)
			break;
		etl_buf_printf(out, "\\u%04x", point);
		from += n;
	}
	etl_buf_char(out, '"');
}

/* Whole numbers without a point and without an exponent: 3 and not 3.0, 9007199254740991 and
 * not 9.00719925474099e+15. The comparison is exact, unlike cJSON's own, which has a tolerance. */
static void print_number(double v, struct etl_buf *out)
{
	char text[ETL_DOUBLE_TEXT_BYTES];

	if (fabs(v) <= (double)ETL_JSON_INT_MAX && v == trunc(v)) {
		etl_buf_printf(out, "%.0f", v + 0.0); /* -0 becomes 0 */
		return;
	}
	etl_encode_double(v, text);
	etl_buf_str(out, text);
}

static void print_break(struct etl_buf *out, int indent)
{
	if (indent >= 0)
		etl_buf_printf(out, "\n%*s", 2 * indent, "");
}

/* `indent` < 0: one line.
 * Raw text was printed before and is put in as it is, also in the indented form: it may
 * then stand on one line among indented ones, which is ugly and right. */
static void print_item(const cJSON *item, struct etl_buf *out, int indent)
{
	bool object = cJSON_IsObject(item);
	int inner = indent < 0 ? -1 : indent + 1;

	if (cJSON_IsString(item)) {
		print_text(item->valuestring, out);
	} else if (cJSON_IsNumber(item)) {
		print_number(item->valuedouble, out);
	} else if (cJSON_IsBool(item)) {
		etl_buf_str(out, cJSON_IsTrue(item) ? "true" : "false");
	} else if (cJSON_IsRaw(item)) {
		etl_buf_str(out, item->valuestring);
	} else if (!object && !cJSON_IsArray(item)) {
		etl_buf_str(out, "null");
	} else if (!item->child) {
		etl_buf_str(out, object ? "{}" : "[]");
	} else {
		etl_buf_char(out, object ? '{' : '[');
		for (const cJSON *child = item->child; child; child = child->next) {
			print_break(out, inner);
			if (object) {
				print_text(child->string, out);
				etl_buf_str(out, indent < 0 ? ":" : ": ");
			}
			print_item(child, out, inner);
			if (child->next)
				etl_buf_char(out, ',');
		}
		print_break(out, indent);
		etl_buf_char(out, object ? '}' : ']');
	}
}

bool etl_json_print(const struct etl_json *json, struct etl_buf *out)
{
	print_item(const_item_of(json), out, -1);
	return etl_buf_ok(out);
}

bool etl_json_print_pretty(const struct etl_json *json, struct etl_buf *out)
{
	print_item(const_item_of(json), out, 0);
	return etl_buf_ok(out);
}

/* SPDX-License-Identifier: MIT
 *
 * cast: {field: type} or {field: {to: type, on_bad: …, decimal: …, thousands: …}}. A missing field
 * stays missing, null stays null, a value that already has the type stays as it is. Nothing
 * is lost in silence: what does not fit exactly is a bad value. The rules of each pair of
 * types stand in README.md of this folder and in the functions to_... below.
 *
 * {v: int, ok: bool, t: date} of {"v": "12", "ok": "true", "t": "2026-07-01T10:00:00Z"}
 * gives int32 12, true and a date. {"v": "12.5"} is refused: nothing is rounded. {"v":
 * null} and {} pass.
 */
#include <math.h>

#include "base/encode.h"
#include "base/str.h"
#include "conf/canon.h"
#include "time/civil.h"
#include "time/iso8601.h"
#include "record/number.h"
#include "record/number_marks.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

/* Room for the widest value that a cast makes: text of a number or an instant. */
struct value {
	uint8_t type;
	uint32_t len;
	uint8_t bytes[8 + ETL_NUMBER_TEXT_BYTES];
};

/* All values that a cast makes fit into one small buffer: nothing is allocated for a
 * record. */
static bool put(struct value *v, uint8_t type, const void *p, size_t len)
{
	v->type = type;
	v->len = (uint32_t)len;
	memcpy(v->bytes, p, len);
	return true;
}

/* 12, 12.0, "12" and true are 12, 12, 12 and 1; 12.5, 3000000000, "abc" and NaN are bad. */
static bool to_int(const struct etl_element *e, struct value *v)
{
	int64_t whole;
	int32_t small;

	if (!etl_number_int64(e, &whole) || whole < INT32_MIN || whole > INT32_MAX)
		return false;
	small = (int32_t)whole;
	return put(v, BSON_TYPE_INT32, &small, sizeof small);
}

/* A date becomes its milliseconds since 1970.
 * A date becomes its milliseconds, since that is how BSON keeps it. */
static bool to_long(const struct etl_element *e, struct value *v)
{
	int64_t whole;
	etl_wall t;

	if (etl_element_date(e, &t))
		whole = t.ms;
	else if (!etl_number_int64(e, &whole))
		return false;
	return put(v, BSON_TYPE_INT64, &whole, sizeof whole);
}

/* "0.1" is the double nearest to 0.1, as anywhere. 2^53 + 1 as int64 is bad: no double
 * is that number. */
static bool to_double(const struct etl_element *e, struct value *v)
{
	double real;

	return etl_number_double(e, &real) && put(v, BSON_TYPE_DOUBLE, &real, sizeof real);
}

/* 0.1 as a double is the decimal 0.1, not 0.1000000000000000055: the shortest text that
 * reads back is what somebody wrote. */
static bool to_decimal(const struct etl_element *e, struct value *v)
{
	bson_decimal128_t decimal;

	if (!etl_number_decimal(e, &decimal))
		return false;
	uint64_t words[] = {decimal.low, decimal.high};
	return put(v, BSON_TYPE_DECIMAL128, words, sizeof words);
}

/* Only the words true and false and the numbers 0 and 1: "NO", "yes" and "1" stay text. */
static bool to_bool(const struct etl_element *e, struct value *v)
{
	const char *text;
	uint32_t len;
	int64_t whole;
	uint8_t b;

	if (etl_element_text(e, &text, &len)) {
		b = len == 4 && memcmp(text, "true", 4) == 0;
		if (!b && !(len == 5 && memcmp(text, "false", 5) == 0))
			return false;
	} else {
		if (!etl_number_int64(e, &whole) || whole < 0 || whole > 1)
			return false;
		b = (uint8_t)whole;
	}
	return put(v, BSON_TYPE_BOOL, &b, 1);
}

/* ISO 8601 with its offset, or a date alone. A number has no unit: parse_time asks for one.
 * "2026-07-01T10:00:00+02:00" and "2026-07-01" (midnight UTC) are good;
 * "2026-07-01T10:00:00" is bad: whose ten o'clock? Beyond the years 1 to 9999 there is
 * no text for it, so no date either. */
static bool to_date(const struct etl_element *e, struct value *v)
{
	struct etl_iso8601 iso;
	const char *text;
	uint32_t len;
	etl_wall t;

	if (!etl_element_text(e, &text, &len) || !etl_iso8601_parse(text, len, &iso) ||
		(iso.has_time && !iso.has_offset))
		return false;
	t.ms = iso.local.ms - (int64_t)iso.offset * 1000;
	if (!etl_wall_is_civil(t))
		return false;
	return put(v, BSON_TYPE_DATE_TIME, &t.ms, sizeof t.ms);
}

/* The element as text; false if it has no text of its own.
 * What has one obvious text. NaN, infinities, documents and binary have none, or more
 * than one. */
static bool value_text(const struct etl_element *e, char text[ETL_NUMBER_TEXT_BYTES])
{
	int64_t whole;
	double real;
	etl_wall t;
	bson_oid_t oid;

	if (etl_element_int64(e, &whole)) {
		snprintf(text, ETL_NUMBER_TEXT_BYTES, "%lld", (long long)whole);
	} else if (etl_element_double(e, &real)) {
		if (!isfinite(real))
			return false;
		etl_encode_double(real, text);
	} else if (e->type == BSON_TYPE_DECIMAL128) {
		etl_element_decimal_text(e, text);
		return etl_number_is_text(text, strlen(text));
	} else if (e->type == BSON_TYPE_BOOL) {
		snprintf(text, ETL_NUMBER_TEXT_BYTES, "%s", *e->value ? "true" : "false");
	} else if (etl_element_date(e, &t)) {
		if (!etl_wall_is_civil(t))
			return false;
		etl_time_format_rfc3339(t, text);
	} else if (e->type == BSON_TYPE_OID) {
		memcpy(oid.bytes, e->value, sizeof oid.bytes);
		bson_oid_to_string(&oid, text);
	} else {
		return false;
	}
	return true;
}

/* BSON's string: length with the NUL, text, NUL. */
static bool to_string(const struct etl_element *e, struct value *v)
{
	char text[ETL_NUMBER_TEXT_BYTES];
	uint32_t stored;

	if (!value_text(e, text))
		return false;
	stored = (uint32_t)strlen(text) + 1;
	v->type = BSON_TYPE_UTF8;
	v->len = 4 + stored;
	memcpy(v->bytes, &stored, 4);
	memcpy(v->bytes + 4, text, stored);
	return true;
}

/* 24 digits, as every tool prints it; the twelve raw bytes are not taken for one. */
static bool to_object_id(const struct etl_element *e, struct value *v)
{
	const char *text;
	uint32_t len;
	bson_oid_t oid;

	if (!etl_element_text(e, &text, &len) || !bson_oid_is_valid(text, len) || len != 24)
		return false;
	bson_oid_init_from_string(&oid, text);
	return put(v, BSON_TYPE_OID, oid.bytes, sizeof oid.bytes);
}

/* The order is that of target_words, whose index the option table stores. */
static const struct target {
	const char *name;
	uint8_t type;
	bool (*convert)(const struct etl_element *e, struct value *v);
} targets[] = {
	{"int", BSON_TYPE_INT32, to_int},
	{"long", BSON_TYPE_INT64, to_long},
	{"double", BSON_TYPE_DOUBLE, to_double},
	{"decimal", BSON_TYPE_DECIMAL128, to_decimal},
	{"bool", BSON_TYPE_BOOL, to_bool},
	{"date", BSON_TYPE_DATE_TIME, to_date},
	{"string", BSON_TYPE_UTF8, to_string},
	{"objectId", BSON_TYPE_OID, to_object_id},
};
static const char *const target_words[] = {
	"int", "long", "double", "decimal", "bool", "date", "string", "objectId", NULL};
_Static_assert(sizeof target_words / sizeof *target_words ==
		sizeof targets / sizeof *targets + 1,
	"a word for every target");

/* on_bad: null keeps the record with a null in the field, drop without the field. Both
 * are choices of the owner: by default the record is refused and becomes a dead letter. */
enum on_bad { BAD_REJECT, BAD_NULL, BAD_DROP };
static const char *const on_bad_words[] = {"reject", "null", "drop", NULL};

/* How a text writes numbers. By the words of enum etl_thousands. */
static const char *const decimal_words[] = {"point", "comma", NULL};
static const char *const thousands_words[] = {"none", "blank", "point", "comma", "quote", NULL};

struct rule {
	int to; /* index into targets */
	int decimal, thousands; /* indexes into their words; texts alone have marks */
	enum on_bad on_bad;
	const struct etl_node *on_bad_node; /* a plain null is a word here, so we read it */
};

static const struct etl_option rule_options[] = {
	{.name = "to", .type = ETL_OPT_WORD, .offset = offsetof(struct rule, to),
		.words = target_words, .required = true, .help = "the type"},
	{.name = "on_bad", .type = ETL_OPT_NODE, .offset = offsetof(struct rule, on_bad_node),
		.help = "a value that does not fit: reject the record, null, drop the field"},
	{.name = "decimal", .type = ETL_OPT_WORD, .offset = offsetof(struct rule, decimal),
		.words = decimal_words, .fallback = "point",
		.help = "what stands before the fraction of a number that is text"},
	{.name = "thousands", .type = ETL_OPT_WORD, .offset = offsetof(struct rule, thousands),
		.words = thousands_words, .fallback = "none",
		.help = "what stands between groups of three digits of such a number"},
	{0}};

struct options {
	const struct etl_node *body;
	struct etl_fields fields;
	struct rule *rules;
};

static bool has_marks(const struct rule *rule)
{
	return rule->decimal || rule->thousands;
}

/* Each field is cast for itself: their order means nothing. */
static void canon(struct etl_canon *to, const void *options)
{
	const struct options *o = options;
	const char **keys = etl_arena_alloc(to->scratch, (o->fields.n + 1) * sizeof *keys);
	const char **values = etl_arena_alloc(to->scratch, (o->fields.n + 1) * sizeof *values);

	for (size_t i = 0; i < o->fields.n; i++) {
		keys[i] = o->fields.names[i];
		values[i] = etl_arena_strf(to->scratch, "%s, %s", target_words[o->rules[i].to],
			on_bad_words[o->rules[i].on_bad]);
		if (has_marks(&o->rules[i]))
			values[i] = etl_arena_strf(to->scratch, "%s, %s, %s", values[i],
				decimal_words[o->rules[i].decimal],
				thousands_words[o->rules[i].thousands]);
	}
	etl_canon_pairs(to, &(struct etl_pairs){o->fields.n, keys, values, NULL, NULL}, true);
}

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_NODE, .offset = offsetof(struct options, body), .canon = canon,
		.required = true,
		.help = "field: int, long, double, decimal, bool, date, string, objectId; "
			"or field: {to: type, on_bad: reject | null | drop}"},
	{0}};

/* By hand, because `on_bad: null` is YAML's null, which a table of words would take for
 * no value. */
static bool compile_on_bad(struct rule *rule, const struct etl_conf_env *env)
{
	const struct etl_node *node = rule->on_bad_node;

	for (int i = 0; node && node->kind == ETL_NODE_SCALAR && on_bad_words[i]; i++)
		if (etl_streq(node->text, on_bad_words[i])) {
			rule->on_bad = (enum on_bad)i;
			return true;
		}
	if (!node)
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_WORD, "reject, null or drop", NULL,
		"'on_bad' in 'cast' of %s is '%s'", env->what,
		node->kind == ETL_NODE_SCALAR ? node->text : "no word");
	return false;
}

/* Marks belong to numbers, and one character cannot be both. */
static bool check_marks(const struct rule *rule, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	bool is_same = etl_streq(decimal_words[rule->decimal], thousands_words[rule->thousands]);
	uint8_t type = targets[rule->to].type;

	if (has_marks(rule) && type != BSON_TYPE_INT32 && type != BSON_TYPE_INT64 &&
		type != BSON_TYPE_DOUBLE && type != BSON_TYPE_DECIMAL128)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, "int, long, double or decimal", NULL,
			"'decimal' and 'thousands' in 'cast' of %s are about numbers", env->what);
	else if (has_marks(rule) && is_same)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, NULL, NULL,
			"'decimal' and 'thousands' in 'cast' of %s are the same mark", env->what);
	else
		return true;
	return false;
}

/* Both forms: `v: int`, and `v: {to: int, on_bad: drop}`. */
static bool compile_rule(struct rule *rule, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	size_t n = sizeof targets / sizeof *targets;

	if (node->kind == ETL_NODE_MAP)
		return etl_options_fill(rule_options, node, rule, "transform.cast", env) &&
			compile_on_bad(rule, env) && check_marks(rule, node, env);
	if (node->kind == ETL_NODE_LIST) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "a type's name", NULL,
			"'cast' of %s takes one type for a field", env->what);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (etl_streq(node->text, targets[i].name)) {
			rule->to = (int)i;
			return true;
		}

	const char *near = etl_nearest(node->text, target_words, n);
	char hint[64];
	snprintf(hint, sizeof hint, "did you mean '%s'?", near ? near : "");
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_WORD, near ? hint : NULL,
		"types: int, long, double, decimal, bool, date, string, objectId",
		"unknown type '%s' in 'cast' of %s", node->text, env->what);
	return false;
}

/* All rules are read even after an error, and used only if none had one. */
static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	const struct etl_node *body = o->body;
	bool ok = true;

	(void)node;
	if (!body || body->kind != ETL_NODE_MAP) {
		etl_diag_add(env->diag, body ? &body->mark : NULL, ETL_DIAG_TYPE,
			"field: type", NULL, "'cast' of %s is a mapping", env->what);
		return;
	}
	const char **names = etl_arena_alloc(env->arena, (body->n + 1) * sizeof *names);
	o->rules = etl_arena_zalloc(env->arena, (body->n + 1) * sizeof *o->rules);
	for (size_t i = 0; i < body->n; i++) {
		names[i] = body->keys[i]->text;
		ok &= etl_field_name_ok(names[i], body->keys[i], "cast", env);
		ok &= compile_rule(&o->rules[i], body->items[i], env);
	}
	if (ok)
		etl_fields_build(&o->fields, names, body->n, env->arena);
}

struct cast {
	const struct options *options;
	struct etl_hits hits;
};

static int open_cast(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct cast *c = self;

	(void)env, (void)err;
	c->options = opts;
	return 0;
}

/* v is string "12.5", not an int */
static void reject(struct etl_batch *batch, size_t i, const struct etl_hit *hit,
	const struct rule *rule)
{
	char shown[128];

	etl_element_describe(&hit->e, shown, sizeof shown);
	etl_batch_reject_record(batch, i, "transform", "cast", hit->e.key,
		"%s is %s, not %s %s", hit->e.key, shown,
		strchr("aeiou", *targets[rule->to].name) ? "an" : "a", targets[rule->to].name);
}

/* The element, or where it is a text with marks one without them, in `room`. False: it has other marks. */
static bool unmark(const struct etl_element *e, const struct rule *rule,
	uint8_t room[4 + ETL_NUMBER_TEXT_BYTES], struct etl_element *out)
{
	const struct etl_number_marks marks = {rule->decimal, (enum etl_thousands)rule->thousands};
	const char *text;
	uint32_t len, size;

	*out = *e;
	if (!has_marks(rule) || !etl_element_text(e, &text, &len))
		return true;
	if (!etl_number_unmark(&marks, text, len, (char *)room + 4, &len))
		return false;
	size = BSON_UINT32_TO_LE(len + 1);
	memcpy(room, &size, sizeof size);
	out->value = room;
	out->value_len = 4 + len + 1;
	return true;
}

/* What one hit becomes. False = its record is refused.
 * EOD (type 0) is no BSON type: it says that nothing is to be written. */
static bool convert(const struct etl_hit *hit, const struct rule *rule, struct value *v)
{
	uint8_t room[4 + ETL_NUMBER_TEXT_BYTES];
	struct etl_element plain;

	if (unmark(&hit->e, rule, room, &plain) && targets[rule->to].convert(&plain, v))
		return true;
	v->len = 0;
	v->type = rule->on_bad == BAD_NULL ? BSON_TYPE_NULL : BSON_TYPE_EOD;
	return rule->on_bad != BAD_REJECT;
}

/* Left alone to the byte: a record in which all values have their types is not
 * rewritten at all. */
static bool stays(const struct etl_hit *hit, const struct rule *rule)
{
	return hit->e.type == targets[rule->to].type || etl_element_is_null(&hit->e);
}

/* Writes the record with all its values cast; a reject leaves the half-written one behind
 * in the arena.
 * Slices of what stays, and between them the new values, in the order of the record. */
static void write_cast(struct cast *c, struct etl_batch *batch, size_t i)
{
	const struct etl_record *record = &batch->records[i];
	const uint8_t *from = etl_record_start(record);
	struct etl_writer w;
	struct value v;

	etl_writer_begin(&w, batch->arena, record->len + 16 * c->hits.n);
	for (size_t h = 0; h < c->hits.n; h++) {
		const struct etl_hit *hit = &c->hits.items[h];
		const struct rule *rule = &c->options->rules[hit->field];

		if (stays(hit, rule))
			continue;
		if (!convert(hit, rule, &v)) {
			reject(batch, i, hit, rule);
			return;
		}
		etl_rewrite_slice(&w, from, etl_element_start(&hit->e));
		from = etl_element_end(&hit->e);
		if (v.type != BSON_TYPE_EOD)
			etl_writer_raw(&w, hit->e.key, hit->e.key_len, v.type, v.bytes, v.len);
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	etl_rewrite_done(batch, i, "cast", &w);
}

/* Two walks over the hits: most records of a well-behaved source need no change, and
 * the first walk says so without a copy. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct cast *c = self;
	size_t n_rejects = etl_fields_lift(&c->options->fields, batch, "cast");

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		bool any = false;

		etl_hits_find(&c->hits, &c->options->fields, &batch->records[i]);
		for (size_t h = 0; h < c->hits.n; h++)
			any |= !stays(&c->hits.items[h],
				&c->options->rules[c->hits.items[h].field]);
		if (any)
			write_cast(c, batch, i);
	}
	etl_batch_compact(batch);
	etl_fields_lower(&c->options->fields, batch, n_rejects, true, "cast");
	return 0;
}

static void close_cast(void *self)
{
	etl_hits_fini(&((struct cast *)self)->hits);
}

const struct etl_transform_type etl_transform_cast = {
	.name = "cast",
	.summary = "gives fields another type, without silent loss",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct cast),
	.check = compile,
	.open = open_cast,
	.apply = apply,
	.close = close_cast,
};

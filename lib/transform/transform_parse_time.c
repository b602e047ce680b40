/* SPDX-License-Identifier: MIT
 *
 * parse_time: {field: {format, timezone, to}} or {field: format}. Text or a number becomes
 * a date, in place or (to: name) in another field, which is overwritten or put at the end.
 * A missing field stays missing, null and dates are taken as they are; what the format does
 * not read rejects the record. The record's event time is not touched.
 */
#include <math.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/zones.h"
#include "record/number.h"
#include "time/civil.h"
#include "time/timefmt.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

enum kind { KIND_FORMAT, KIND_ISO8601, KIND_EPOCH, KIND_EPOCH_MS };

struct rule {
	const char *format, *timezone, *to; /* to: NULL = in place */
	const struct etl_zone *zone;
	enum kind kind;
	struct etl_timefmt compiled;
	int field, to_field; /* in the options' fields; to_field -1 = in place */
};

static const struct etl_option rule_options[] = {
	{.name = "format", .type = ETL_OPT_STRING, .offset = offsetof(struct rule, format),
		.fallback = "iso8601",
		.help = "strptime-like, or iso8601, epoch (seconds), epoch_ms"},
	{.name = "timezone", .type = ETL_OPT_STRING, .offset = offsetof(struct rule, timezone),
		.fallback = "UTC", .help = "IANA zone of texts that name none"},
	{.name = "to", .type = ETL_OPT_STRING, .offset = offsetof(struct rule, to),
		.help = "the field that gets the date; without it the same"},
	{0}};

struct options {
	const struct etl_node *body;
	struct etl_fields fields; /* all that are read or written */
	struct rule *rules;
	size_t n;
};

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_NODE, .offset = offsetof(struct options, body),
		.required = true, .help = "field: {format, timezone, to}"},
	{0}};

struct parse_time {
	const struct options *options;
	struct etl_hits hits;
	const struct etl_hit **at;   /* for each field: its place in the record, or NULL */
	struct etl_element
		*result; /* for each field: what is to stand there; key NULL = as it is */
	int64_t *values;	     /* the bytes of the results */
};

static bool compile_format(struct rule *rule, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_streq(rule->format, "iso8601")) {
		rule->kind = KIND_ISO8601;
	} else if (etl_streq(rule->format, "epoch")) {
		rule->kind = KIND_EPOCH;
	} else if (etl_streq(rule->format, "epoch_ms")) {
		rule->kind = KIND_EPOCH_MS;
	} else if (etl_timefmt_compile(rule->format, &rule->compiled, &err) < 0 ||
		!etl_timefmt_is_complete(&rule->compiled)) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, NULL,
			"a format such as \"%Y-%m-%d %H:%M:%S\", or iso8601, epoch, epoch_ms",
			"format '%s' in 'parse_time' of %s: %s", rule->format, env->what,
			err.kind ? err.message : "it names no full date");
		return false;
	}
	return true;
}

static bool compile_rule(struct rule *rule, const char *name, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_node *at;

	if (node->kind == ETL_NODE_SCALAR)
		*rule = (struct rule){.format = node->text, .timezone = "UTC"};
	else if (!etl_options_fill(rule_options, node, rule, "transform.parse_time", env))
		return false;
	at = etl_node_get(node, "format");
	if (!compile_format(rule, at ? at : node, env))
		return false;
	rule->zone = etl_conf_zone(rule->timezone, env, &err);
	if (!rule->zone) {
		at = etl_node_get(node, "timezone");
		etl_diag_add(env->diag, at ? &at->mark : &node->mark, ETL_DIAG_REFERENCE, NULL,
			NULL, "'parse_time' of %s: %s", env->what, err.message);
		return false;
	}
	if (rule->to && etl_streq(rule->to, name))
		rule->to = NULL;
	return !rule->to ||
	       etl_field_name_ok(rule->to, etl_node_get(node, "to"), "parse_time", env);
}

/* The number of `name` among the fields, added if need be. */
static int field_of(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (etl_streq(names[i], name))
			return (int)i;
	names[*n] = name;
	return (int)(*n)++;
}

/* Two rules that write one field contradict each other. */
static bool targets_ok(const struct options *o, const struct etl_conf_env *env)
{
	for (size_t i = 0; i < o->n; i++)
		for (size_t k = 0; k < i; k++) {
			const struct rule *a = &o->rules[i], *b = &o->rules[k];
			int to_a = a->to_field < 0 ? a->field : a->to_field;
			int to_b = b->to_field < 0 ? b->field : b->to_field;

			if (to_a != to_b)
				continue;
			etl_diag_add(env->diag, &o->body->items[i]->mark, ETL_DIAG_CONFLICT,
				"is taken", NULL,
				"two dates for field '%s' in 'parse_time' of %s",
				o->fields.names[to_a], env->what);
			return false;
		}
	return true;
}

static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;
	const struct etl_node *body = o->body;
	size_t n = 0;

	(void)node;
	if (!body || body->kind != ETL_NODE_MAP) {
		etl_diag_add(env->diag, body ? &body->mark : NULL, ETL_DIAG_TYPE,
			"field: {format, timezone, to}", NULL,
			"'parse_time' of %s is a mapping", env->what);
		return;
	}
	const char **names = etl_arena_alloc(env->arena, (2 * body->n + 1) * sizeof *names);
	o->rules = etl_arena_zalloc(env->arena, (body->n + 1) * sizeof *o->rules);
	for (size_t i = 0; i < body->n; i++) {
		const char *name = body->keys[i]->text;
		struct rule *rule = &o->rules[i];

		if (!etl_field_name_ok(name, body->keys[i], "parse_time", env) ||
			!compile_rule(rule, name, body->items[i], env))
			return;
		rule->field = field_of(names, &n, name);
		rule->to_field = rule->to ? field_of(names, &n, rule->to) : -1;
	}
	o->n = body->n;
	etl_fields_build(&o->fields, names, n, env->arena);
	targets_ok(o, env);
}

static int open_parse_time(void *self, const void *opts, const struct etl_vars *vars,
	struct etl_error *err)
{
	struct parse_time *p = self;
	const struct options *o = opts;

	(void)vars;
	(void)err;
	p->options = o;
	p->at = etl_calloc(o->fields.n + 1, sizeof *p->at);
	p->result = etl_calloc(o->fields.n + 1, sizeof *p->result);
	p->values = etl_calloc(o->fields.n + 1, sizeof *p->values);
	return 0;
}

static bool in_years(double ms)
{
	return ms >= (double)ETL_CIVIL_SECONDS_MIN * 1000 &&
		ms < ((double)ETL_CIVIL_SECONDS_MAX + 1) * 1000;
}

/* Seconds may have a fraction, milliseconds are cut; a number outside years 1 to 9999 is
 * more likely in the wrong unit than true. */
static bool read_epoch(const struct etl_element *e, enum kind kind, etl_wall *out)
{
	int64_t whole;
	double v;

	if (e->type == BSON_TYPE_BOOL)
		return false;
	if (etl_number_int64(e, &whole)) {
		if (kind == KIND_EPOCH && __builtin_mul_overflow(whole, 1000, &whole))
			return false;
		if (!in_years((double)whole))
			return false;
		out->ms = whole;
		return true;
	}
	if (!etl_number_double(e, &v))
		return false;
	/* 1.001 s is a hair less as a double: a microsecond is added before the cut. */
	v = floor((kind == KIND_EPOCH ? v * 1000 : v) + 1e-3);
	if (!in_years(v))
		return false;
	out->ms = (int64_t)v;
	return true;
}

/* RFC 3339, the same without zone (then local time of `zone`), or a date alone. */
static bool read_iso8601(
	const char *text, size_t len, const struct etl_zone *zone, etl_wall *out)
{
	char whole[ETL_TIME_TEXT_BYTES + 8];
	etl_wall local, second;

	if (etl_time_parse_rfc3339(text, len, out))
		return true;
	if (len + 1 > sizeof whole)
		return false;
	memcpy(whole, text, len);
	whole[len] = 'Z';
	if (!etl_time_parse_rfc3339(whole, len + 1, &local) &&
		!etl_time_parse_date(text, len, &local))
		return false;
	/* In a gap it is the first instant after it, to which no fraction belongs. */
	if (etl_zone_to_utc(zone, etl_wall_seconds(local), out, &second) != ETL_LOCAL_GAP)
		out->ms += etl_wall_ms_part(local);
	return true;
}

static bool read_time(const struct etl_element *e, const struct rule *rule,
	const struct etl_zone *zone, etl_wall *out)
{
	const char *text;
	uint32_t len;

	if (rule->kind == KIND_EPOCH || rule->kind == KIND_EPOCH_MS)
		return read_epoch(e, rule->kind, out);
	if (!etl_element_text(e, &text, &len))
		return false;
	if (rule->kind == KIND_FORMAT)
		return etl_timefmt_parse(&rule->compiled, text, len, zone, out);
	return read_iso8601(text, len, zone, out);
}

static void reject(struct etl_batch *batch, size_t i, const struct etl_element *e,
	const struct rule *rule)
{
	char shown[128];

	etl_element_describe(e, shown, sizeof shown);
	etl_batch_reject_record(batch, i, "transform", "parse_time", e->key,
		"%s is %s, not a time of the format %s", e->key, shown, rule->format);
}

/* Works out the results of record `i`: 1 = there are some, 0 = none, -1 = rejected. */
static int read_record(struct parse_time *p, struct etl_batch *batch, size_t i)
{
	const struct options *o = p->options;
	int any = 0;

	memset(p->at, 0, o->fields.n * sizeof *p->at);
	memset(p->result, 0, o->fields.n * sizeof *p->result);
	for (size_t h = 0; h < p->hits.n; h++)
		p->at[p->hits.items[h].field] = &p->hits.items[h];
	for (size_t r = 0; r < o->n; r++) {
		const struct rule *rule = &o->rules[r];
		int to = rule->to_field < 0 ? rule->field : rule->to_field;
		const struct etl_hit *hit = p->at[rule->field];
		struct etl_element *result = &p->result[to];
		bool as_it_is = hit && (etl_element_is_null(&hit->e) ||
					hit->e.type == BSON_TYPE_DATE_TIME);
		etl_wall t;

		if (!hit || (as_it_is && rule->to_field < 0))
			continue;
		if (as_it_is) {
			*result = hit->e;
		} else if (read_time(&hit->e, rule, rule->zone, &t)) {
			p->values[to] = t.ms;
			*result = (struct etl_element){.type = BSON_TYPE_DATE_TIME,
				.value = (const uint8_t *)&p->values[to], .value_len = 8};
		} else {
			reject(batch, i, &hit->e, rule);
			return -1;
		}
		result->key = o->fields.names[to];
		result->key_len = o->fields.lens[to];
		any = 1;
	}
	return any;
}

static void write_record(struct parse_time *p, struct etl_batch *batch, size_t i)
{
	const struct etl_record *record = &batch->records[i];
	const struct etl_fields *fields = &p->options->fields;
	const uint8_t *from = etl_record_start(record);
	struct etl_writer w;

	etl_writer_begin(&w, batch->arena, record->len + 32 * fields->n);
	for (size_t h = 0; h < p->hits.n; h++) {
		const struct etl_hit *hit = &p->hits.items[h];

		if (!p->result[hit->field].key)
			continue;
		etl_rewrite_slice(&w, from, etl_element_start(&hit->e));
		from = etl_element_end(&hit->e);
		etl_writer_copy(&w, &p->result[hit->field]);
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	for (size_t f = 0; f < fields->n; f++)
		if (p->result[f].key && !p->at[f])
			etl_writer_copy(&w, &p->result[f]);
	etl_rewrite_done(batch, i, "parse_time", &w);
}

static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct parse_time *p = self;

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		etl_hits_find(&p->hits, &p->options->fields, &batch->records[i]);
		if (p->hits.n && read_record(p, batch, i) > 0)
			write_record(p, batch, i);
	}
	etl_batch_compact(batch);
	return 0;
}

static void close_parse_time(void *self)
{
	struct parse_time *p = self;

	free(p->at);
	free(p->result);
	free(p->values);
	etl_hits_fini(&p->hits);
}

const struct etl_transform_type etl_transform_parse_time = {
	.name = "parse_time",
	.summary = "reads text or numbers as dates",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct parse_time),
	.check = compile,
	.open = open_parse_time,
	.apply = apply,
	.close = close_parse_time,
};

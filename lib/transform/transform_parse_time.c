/* SPDX-License-Identifier: MIT
 *
 * parse_time: {field: {format, timezone, fold, gap, on_bad, absent, to}} or {field: format}. Text
 * or a number becomes a date, in place or (to: name) in another field, which is overwritten or
 * put at the end. Null and dates are taken as they are; what the format does not read is what
 * on_bad says, a field that is missing what absent says. The record's event time is not touched.
 *
 * {t: "%d/%m/%Y %H:%M", stamp: {format: epoch, to: at}} of {"t": "01/07/2026 10:00", "stamp":
 * 1782900000} gives t as a date, and beside the number in stamp the same date in `at`.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "conf/canon.h"
#include "record/time_format.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

/* What becomes of a value that is no time, or of a field that is not there. KEEP: the value as
 * it stands (a text stays text), or no field. */
enum rule_for { RULE_REJECT, RULE_NULL, RULE_DROP, RULE_KEEP };
static const char *const on_bad_words[] = {"reject", "null", "drop", "text", NULL};
static const char *const absent_words[] = {"reject", "null", "drop", "keep", NULL};

/* One field of the configuration. `field` and `to_field` are numbers among all names,
 * so that a record is looked through once for all rules. */
struct rule {
	const char *format_text, *timezone, *to; /* to: NULL = in place */
	int fold, gap;
	const struct etl_node *on_bad_node, *absent_node; /* a plain null is a word here */
	enum rule_for on_bad, absent;
	struct etl_time_format format;
	int field, to_field; /* in the options' fields; to_field -1 = in place */
};

#define AT(member) offsetof(struct rule, member)
static const struct etl_option rule_options[] = {
	{.name = "format", .type = ETL_OPT_STRING, .offset = AT(format_text), .fallback = "iso8601",
		.help = "strptime-like, or iso8601, epoch (seconds), epoch_ms, epoch_us, epoch_ns"},
	{.name = "timezone", .type = ETL_OPT_STRING, .offset = AT(timezone), .fallback = "UTC",
		.help = "IANA zone of texts that name none"},
	{.name = "fold", .type = ETL_OPT_WORD, .offset = AT(fold), .fallback = "reject",
		.words = etl_fold_words, .help = ETL_FOLD_HELP},
	{.name = "gap", .type = ETL_OPT_WORD, .offset = AT(gap), .fallback = "reject",
		.words = etl_gap_words, .help = ETL_GAP_HELP},
	{.name = "on_bad", .type = ETL_OPT_NODE, .offset = AT(on_bad_node),
		.aside = true, /* canon() has what was made of it */
		.help = "what is no time: reject (default), null, drop, or text (as it stands)"},
	{.name = "absent", .type = ETL_OPT_NODE, .offset = AT(absent_node),
		.aside = true,
		.help = "a field that is missing: keep (default: it stays so), null, or reject"},
	{.name = "to", .type = ETL_OPT_STRING, .offset = AT(to),
		.help = "the field that gets the date; without it the same"},
	{0}};
#undef AT

struct options {
	const struct etl_node *body;
	struct etl_fields fields; /* all that are read or written */
	struct rule *rules;
	size_t n;
};

/* In this order, in which new fields are put at the end. */
static void canon(struct etl_canon *to, const void *options)
{
	const struct options *o = options;

	for (size_t i = 0; i < o->n; i++) {
		const struct rule *rule = &o->rules[i];

		etl_canon_text(to, o->fields.names[rule->field]);
		etl_canon_options(to, rule_options, rule, sizeof *rule);
		etl_canon_text(to, on_bad_words[rule->on_bad]);
		etl_canon_text(to, absent_words[rule->absent]);
	}
}

static const struct etl_option options[] = {
	{.name = "", .type = ETL_OPT_NODE, .offset = offsetof(struct options, body), .canon = canon,
		.required = true, .help = "field: {format, timezone, to}"},
	{0}};

struct parse_time {
	const struct options *options;
	struct etl_hits hits;
	const struct etl_hit **at;   /* for each field: its place in the record, or NULL */
	struct etl_element
		*result; /* for each field: what is to stand there; key NULL = as it is */
	int64_t *values;	     /* the bytes of the results */
	const struct etl_stage_env *env;
	/* For fold: sequence, for each unit and rule: the last time; of a unit's first record
	 * the unit's begin, so that an hour of the second pass that is asked for alone is read
	 * as such. */
	etl_wall *last;
	size_t n_last, cap_last;     /* n_last: units * rules */
};

/* `null` is written plain and means the word here, as in cast. */
static bool compile_word(const struct etl_node *node, const char *const *words,
	enum rule_for *out, const char *what, const struct etl_conf_env *env)
{
	for (int i = 0; node && node->kind == ETL_NODE_SCALAR && words[i]; i++)
		if (etl_streq(node->text, words[i])) {
			*out = (enum rule_for)i;
			return true;
		}
	if (!node)
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, NULL, NULL,
		"'%s' in 'parse_time' of %s is one of %s, %s, %s, %s", what, env->what, words[0],
		words[1], words[2], words[3]);
	return false;
}

static const struct etl_mark *mark_of(const struct etl_node *node, const char *key)
{
	const struct etl_node *at = etl_node_get(node, key);

	return at ? &at->mark : &node->mark;
}

/* Zone and format are compiled here, once for all partitions. */
static bool compile_rule(struct rule *rule, const char *name, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_conf_env named = *env;

	/* `t: iso8601` is the short form: everything else is the default. */
	if (node->kind == ETL_NODE_SCALAR)
		*rule = (struct rule){.format_text = node->text, .timezone = "UTC"};
	else if (!etl_options_fill(rule_options, node, rule, "transform.parse_time", env))
		return false;
	rule->absent = RULE_KEEP;
	if (!compile_word(rule->on_bad_node, on_bad_words, &rule->on_bad, "on_bad", env) ||
		!compile_word(rule->absent_node, absent_words, &rule->absent, "absent", env))
		return false;
	rule->format.fold = (enum etl_fold)rule->fold;
	rule->format.gap = (enum etl_gap)rule->gap;
	/* An error of the format names the transform: "'parse_time' of job 'a': ...". */
	named.what = etl_arena_strf(env->arena, "'parse_time' of %s", env->what);
	if (!etl_time_format_compile(&rule->format, rule->format_text, rule->timezone,
		    mark_of(node, "format"), mark_of(node, "timezone"), &named))
		return false;
	/* `to` its own name is in place. */
	if (rule->to && etl_streq(rule->to, name))
		rule->to = NULL;
	return !rule->to ||
	       etl_field_name_ok(rule->to, etl_node_get(node, "to"), "parse_time", env);
}

/* The number of `name` among the fields, added if need be.
 * A field may be read by one rule and written by another. */
static int field_of(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (etl_streq(names[i], name))
			return (int)i;
	names[*n] = name;
	return (int)(*n)++;
}

/* Two rules that write one field contradict each other.
 * {a: {to: t}, b: {to: t}}: which of the two would stand there would depend on the
 * order of fields. */
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

/* Arrays by field number: nothing is allocated for a record. */
static int open_parse_time(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct parse_time *p = self;
	const struct options *o = opts;

	(void)err;
	p->options = o;
	p->env = env;
	p->at = etl_calloc(o->fields.n + 1, sizeof *p->at);
	p->result = etl_calloc(o->fields.n + 1, sizeof *p->result);
	p->values = etl_calloc(o->fields.n + 1, sizeof *p->values);
	return 0;
}

/* The last time that rule `r` read in the unit of a record. NULL: nobody asks.
 * One memory for each unit and rule, since units of one request must not know of one
 * another. */
static etl_wall *last_of(struct parse_time *p, size_t r, etl_wall time)
{
	struct etl_record_unit unit;
	etl_wall *last;

	if (p->options->rules[r].format.fold != ETL_FOLD_SEQUENCE)
		return NULL;
	unit = p->env->unit(p->env->ctx, time);
	while (p->n_last < (unit.number + 1) * p->options->n) {
		ETL_GROW(p->last, p->n_last, p->cap_last);
		p->last[p->n_last++].ms = ETL_NO_TIME;
	}
	last = &p->last[unit.number * p->options->n + r];
	/* A unit 01:00Z to 02:00Z in Paris, on the night when the clocks go back: its
	 * first record says 02:05, which is 00:05Z or 01:05Z. As the unit begins at
	 * 01:00Z it is the second: asked for with the hour before, or alone, the answer
	 * is the same. */
	if (last->ms == ETL_NO_TIME)
		last->ms = unit.window.start.ms - 1;
	return last;
}

/* What a rule says of one value: 1 = *result is to stand, 0 = nothing changes, -1 = reject.
 * on_bad text: in place the text stays as it stands (nothing changes), with `to` it is
 * copied there. */
static int settle(enum rule_for how, const struct etl_element *is, struct etl_element *result)
{
	switch (how) {
	case RULE_NULL:
		*result = (struct etl_element){.type = BSON_TYPE_NULL};
		return 1;
	case RULE_DROP:
		*result = (struct etl_element){.type = BSON_TYPE_EOD};
		return 1;
	case RULE_KEEP:
		if (is)
			*result = *is;
		return is != NULL;
	case RULE_REJECT:
	default:
		return -1;
	}
}

/* t is string "x", which is not a time of its format (%d/%m/%Y %H:%M) */
static void reject(struct etl_batch *batch, size_t i, const char *field,
	const struct rule *rule, const struct etl_element *e, const char *why)
{
	char shown[128];

	if (!e) {
		etl_batch_reject_record(batch, i, "transform", "parse_time", field,
			"the record has no field '%s'", field);
		return;
	}
	etl_element_describe(e, shown, sizeof shown);
	etl_batch_reject_record(batch, i, "transform", "parse_time", field,
		"%s is %s, which %s (%s)", field, shown, why, rule->format.text);
}

/* One rule on record `i`; as settle().
 * In place or elsewhere, the bytes of the date lie in the instance until the record is
 * written. */
static int read_field(struct parse_time *p, size_t r, struct etl_batch *batch, size_t i,
	struct etl_element *result)
{
	const struct rule *rule = &p->options->rules[r];
	int to = rule->to_field < 0 ? rule->field : rule->to_field;
	const struct etl_hit *hit = p->at[rule->field];
	const struct etl_element *e = hit ? &hit->e : NULL;
	const char *why = NULL;
	etl_wall t, *last;
	int said;

	/* A date needs no reading, a null is no bad value. */
	if (e && (etl_element_is_null(e) || e->type == BSON_TYPE_DATE_TIME)) {
		*result = *e;
		return rule->to_field >= 0;
	}
	last = last_of(p, r, batch->records[i].time);
	if (e)
		why = etl_time_format_read(&rule->format, e, last, &t);
	if (e && !why) {
		if (last)
			*last = t;
		p->values[to] = t.ms;
		*result = (struct etl_element){.type = BSON_TYPE_DATE_TIME,
			.value = (const uint8_t *)&p->values[to], .value_len = 8};
		return 1;
	}
	said = settle(e ? rule->on_bad : rule->absent, rule->to_field < 0 ? NULL : e, result);
	if (said < 0)
		reject(batch, i, p->options->fields.names[rule->field], rule, e, why);
	return said;
}

/* Works out the results of record `i`: 1 = there are some, 0 = none, -1 = rejected.
 * All rules before anything is written: a record that is refused by the last rule is
 * not half changed. */
static int read_record(struct parse_time *p, struct etl_batch *batch, size_t i)
{
	const struct options *o = p->options;
	int any = 0;

	memset(p->at, 0, o->fields.n * sizeof *p->at);
	memset(p->result, 0, o->fields.n * sizeof *p->result);
	for (size_t h = 0; h < p->hits.n; h++)
		p->at[p->hits.items[h].field] = &p->hits.items[h];
	for (size_t r = 0; r < o->n; r++) {
		int to = o->rules[r].to_field < 0 ? o->rules[r].field : o->rules[r].to_field;
		struct etl_element result;
		int said = read_field(p, r, batch, i, &result);

		if (said < 0)
			return -1;
		if (!said)
			continue;
		p->result[to] = result;
		p->result[to].key = o->fields.names[to];
		p->result[to].key_len = o->fields.lens[to];
		any = 1;
	}
	return any;
}

/* EOD says that the field goes. */
static void write_result(struct etl_writer *w, const struct etl_element *result)
{
	if (result->type != BSON_TYPE_EOD)
		etl_writer_copy(w, result);
}

/* Fields that are there change in their place; new ones come behind, in the order of
 * the rules. */
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
		write_result(&w, &p->result[hit->field]);
	}
	etl_rewrite_slice(&w, from, etl_record_end(record));
	for (size_t f = 0; f < fields->n; f++)
		if (p->result[f].key && !p->at[f])
			write_result(&w, &p->result[f]);
	etl_rewrite_done(batch, i, "parse_time", &w);
}

static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct parse_time *p = self;
	size_t n_rejects = etl_fields_lift(&p->options->fields, batch, "parse_time");

	(void)err;
	for (size_t i = 0; i < batch->n; i++) {
		etl_hits_find(&p->hits, &p->options->fields, &batch->records[i]);
		if (read_record(p, batch, i) > 0)
			write_record(p, batch, i);
	}
	etl_batch_compact(batch);
	etl_fields_lower(&p->options->fields, batch, n_rejects, true, "parse_time");
	return 0;
}

static void close_parse_time(void *self)
{
	struct parse_time *p = self;

	free(p->at);
	free(p->result);
	free(p->values);
	free(p->last);
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

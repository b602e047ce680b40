/* SPDX-License-Identifier: MIT
 *
 * Event time: compiled once for each generation, applied to each batch after decoding. A
 * field that already is a date needs no format, but its label still counts. Here is no
 * clock: nothing is judged by "now".
 */
#include "record/event_time.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "conf/zones.h"
#include "record/doc.h"
#include "time/civil.h"
#include "time/timefmt.h"

enum form { FORM_ISO8601, FORM_EPOCH, FORM_EPOCH_MS, FORM_PATTERN };
enum { LOCAL_FORMS = 4, ISO_MAX = 40 };

/* ISO 8601 without a zone is local time of the configured one. */
static const char *const local_forms[LOCAL_FORMS] = {
	"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

struct etl_event_time {
	const char *field;
	enum form form;
	struct etl_timefmt *formats; /* the pattern, or LOCAL_FORMS; NULL for epochs */
	const struct etl_zone *zone;
	etl_dur back; /* what a stamp at the interval's end is moved back by */
};

static const char *const labels[] = {"start", "end", NULL};

#define ROW(member) .offset = offsetof(struct etl_event_time_options, member)
const struct etl_option etl_event_time_table[] = {
	{.name = "field", .type = ETL_OPT_STRING, ROW(field),
		.help = "the field that holds the event time"},
	{.name = "format", .type = ETL_OPT_STRING, ROW(format), .fallback = "iso8601",
		.help = "iso8601, epoch, epoch_ms, or a pattern such as \"%Y-%m-%d %H:%M:%S\""},
	{.name = "timezone", .type = ETL_OPT_STRING, ROW(timezone), .fallback = "UTC",
		.help = "IANA zone of stamps that name none"},
	{.name = "label", .type = ETL_OPT_WORD, ROW(label), .fallback = "start",
		.words = labels, .help = "which end of its interval a stamp names"},
	{.name = "interval", .type = ETL_OPT_DURATION, ROW(interval), .max = 366 * 86400.0,
		.help = "length of the interval, for label: end"},
	{0}};
#undef ROW

static const struct etl_mark *mark_of(const struct etl_node *node, const char *key)
{
	const struct etl_node *value = etl_node_get(node, key);

	return value ? &value->mark : node ? &node->mark : NULL;
}

static bool compile_format(struct etl_event_time *spec, const char *format,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	size_t n;

	if (etl_streq(format, "iso8601"))
		spec->form = FORM_ISO8601;
	else if (etl_streq(format, "epoch"))
		spec->form = FORM_EPOCH;
	else if (etl_streq(format, "epoch_ms"))
		spec->form = FORM_EPOCH_MS;
	else
		spec->form = FORM_PATTERN;
	if (spec->form == FORM_EPOCH || spec->form == FORM_EPOCH_MS)
		return true;
	n = spec->form == FORM_ISO8601 ? LOCAL_FORMS : 1;
	spec->formats = etl_arena_zalloc(env->arena, n * sizeof *spec->formats);
	for (size_t i = 0; i < n; i++)
		if (etl_timefmt_compile(spec->form == FORM_ISO8601 ? local_forms[i] : format,
			    &spec->formats[i], &err) != 0)
			goto bad;
	if (etl_timefmt_is_complete(&spec->formats[0]))
		return true;
	etl_error_set(&err, ETL_CONFIG, "time.format", "the format '%s' does not name a date",
		format);
bad:
	etl_diag_add(env->diag, mark_of(node, "format"), ETL_DIAG_TYPE, NULL,
		"iso8601, epoch, epoch_ms or a pattern with year, month and day", "%s: %s",
		env->what, err.message);
	return false;
}

static bool compile_zone(struct etl_event_time *spec, const char *name,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;

	spec->zone = etl_conf_zone(name, env, &err);
	if (spec->zone)
		return true;
	etl_diag_add(env->diag, mark_of(node, "timezone"), ETL_DIAG_REFERENCE, NULL, NULL,
		"%s: %s", env->what, err.message);
	return false;
}

static bool check_label(const struct etl_event_time_options *options,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	if (!options->field) {
		if (node)
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_MISSING, NULL, NULL,
				"%s: 'time' needs a 'field'", env->what);
		return false;
	}
	if (!options->label || options->interval.us > 0)
		return true;
	etl_diag_add(env->diag, mark_of(node, "label"), ETL_DIAG_MISSING, NULL,
		"interval: 1h says how long the interval is that the stamp ends",
		"%s: 'label: end' needs an 'interval'", env->what);
	return false;
}

const struct etl_event_time *etl_event_time_compile(
	const struct etl_event_time_options *options, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_event_time *spec;
	bool ok;

	if (!check_label(options, node, env))
		return NULL;
	spec = etl_arena_zalloc(env->arena, sizeof *spec);
	spec->field = etl_arena_strdup(env->arena, options->field);
	if (options->label)
		spec->back = options->interval;
	ok = compile_format(spec, options->format ? options->format : "iso8601", node, env);
	ok &= compile_zone(spec, options->timezone ? options->timezone : "UTC", node, env);
	return ok ? spec : NULL;
}

const char *etl_event_time_field(const struct etl_event_time *spec)
{
	return spec->field;
}

bool etl_event_time_present(const struct etl_event_time *spec, const struct etl_record *record)
{
	struct etl_element e;

	return etl_doc_find(record->bson, record->len, spec->field, &e);
}

static bool parse_iso(const struct etl_event_time *spec, const char *s, size_t len,
	etl_wall *out)
{
	char text[ISO_MAX];

	if (etl_time_parse_rfc3339(s, len, out))
		return true;
	if (len < 10 || len >= sizeof text)
		return false;
	memcpy(text, s, len);
	if (len > 10 && text[10] == ' ')
		text[10] = 'T';
	for (size_t i = 0; i < LOCAL_FORMS; i++)
		if (etl_timefmt_parse(&spec->formats[i], text, len, spec->zone, out))
			return true;
	return false;
}

/* Seconds or milliseconds since 1970; false beyond the years 1 to 9999. */
static bool from_number(const struct etl_event_time *spec, double v, etl_wall *out)
{
	double ms = floor(spec->form == FORM_EPOCH ? v * 1000.0 + 0.5 : v);

	/* Asked as a double: to convert what no int64 holds is undefined (C11 6.3.1.4). */
	if (!(ms >= (double)ETL_CIVIL_SECONDS_MIN * 1000 &&
		    ms <= (double)ETL_CIVIL_SECONDS_MAX * 1000 + 999))
		return false;
	out->ms = (int64_t)ms;
	return true;
}

static bool from_text(const struct etl_event_time *spec, const char *s, size_t len,
	etl_wall *out)
{
	char text[ISO_MAX];
	double v;

	if (spec->form == FORM_ISO8601)
		return parse_iso(spec, s, len, out);
	if (spec->form == FORM_PATTERN)
		return etl_timefmt_parse(&spec->formats[0], s, len, spec->zone, out);
	if (len >= sizeof text)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return strlen(text) == len && etl_parse_double(text, &v) && from_number(spec, v, out);
}

static bool read_time(const struct etl_event_time *spec, const struct etl_element *e,
	etl_wall *out)
{
	bool by_number = spec->form == FORM_EPOCH || spec->form == FORM_EPOCH_MS;
	const char *text;
	uint32_t len;
	double v;

	if (etl_element_text(e, &text, &len)) {
		if (!from_text(spec, text, len, out))
			return false;
	} else if (!etl_element_date(e, out) &&
		(!by_number || !etl_element_double(e, &v) || !from_number(spec, v, out))) {
		return false;
	}
	if (!etl_wall_is_civil(*out))
		return false;
	*out = etl_wall_sub(*out, spec->back);
	return etl_wall_is_civil(*out);
}

/* The document with the element's value replaced by a date. */
static void replace(struct etl_arena *arena, struct etl_record *record,
	const struct etl_element *e, etl_wall time)
{
	uint32_t before = (uint32_t)(e->value - record->bson);
	uint32_t after = record->len - before - e->value_len;
	uint32_t len = before + (uint32_t)sizeof time.ms + after;
	uint8_t *doc = etl_arena_alloc(arena, len);

	memcpy(doc, record->bson, before);
	memcpy(doc, &len, sizeof len);
	doc[before - e->key_len - 2] = 0x09;
	memcpy(doc + before, &time.ms, sizeof time.ms);
	memcpy(doc + before + sizeof time.ms, e->value + e->value_len, after);
	record->bson = doc;
	record->len = len;
}

static void apply_one(const struct etl_event_time *spec, struct etl_batch *batch, size_t i)
{
	struct etl_record *record = &batch->records[i];
	struct etl_element e;
	etl_wall time, stored;
	char value[96];

	if (!record->len)
		return;
	if (!etl_doc_find(record->bson, record->len, spec->field, &e)) {
		etl_batch_reject_record(batch, i, "decode", "time", spec->field,
			"the record has no field '%s'", spec->field);
		return;
	}
	if (read_time(spec, &e, &time)) {
		record->time = time;
		if (!etl_element_date(&e, &stored) || stored.ms != time.ms)
			replace(batch->arena, record, &e, time);
		return;
	}
	etl_element_describe(&e, value, sizeof value);
	etl_batch_reject_record(batch, i, "decode", "time", spec->field,
		"'%s' is not a time of the configured format: %s", spec->field, value);
}

void etl_event_time_apply(const struct etl_event_time *spec, struct etl_batch *batch,
	size_t first)
{
	for (size_t i = first; i < batch->n; i++)
		apply_one(spec, batch, i);
	etl_batch_compact(batch);
}

/* SPDX-License-Identifier: MIT
 *
 * Event time: compiled once for each generation, applied to each batch after decoding. A
 * field that already is a date needs no format, but its label still counts. Here is no
 * clock: nothing is judged by "now".
 *
 * time: {field: time, timezone: Europe/Paris, label: end, interval: 1h}
 * {"time": "2026-07-01T13:00:00", "v": 1}  ->  {"time": date 10:00Z, "v": 1}, event time 10:00Z
 * 13:00 in Paris is 11:00Z, the end of an hour that begins at 10:00Z: that is the hour's window.
 */
#include "record/event_time.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "record/doc.h"
#include "record/path.h"
#include "record/time_format.h"
#include "time/civil.h"

/* Offsets of so many documents around the field are kept on the stack for each record. */
enum { DEPTH_MAX = 16 }; /* names that lead to the field */

struct etl_event_time {
	const char *field, *dotted;
	struct etl_path path;	/* the pointer, or the literal name */
	struct etl_path parted; /* a name with dots, as a path; n = 0: none */
	struct etl_time_format format;
	etl_dur back; /* what a stamp at the interval's end is moved back by */
};

static const char *const labels[] = {"start", "end", NULL};

#define ROW(member) .offset = offsetof(struct etl_event_time_options, member)
const struct etl_option etl_event_time_table[] = {
	{.name = "field", .type = ETL_OPT_STRING, ROW(field),
		.help = "the field that holds the event time, or a JSON Pointer to it"},
	{.name = "format", .type = ETL_OPT_STRING, ROW(format), .fallback = "iso8601",
		.help = "iso8601, epoch, epoch_ms, epoch_us, epoch_ns, or a pattern such as "
			"\"%Y-%m-%d %H:%M:%S\""},
	{.name = "timezone", .type = ETL_OPT_STRING, ROW(timezone), .fallback = "UTC",
		.help = "IANA zone of stamps that name none"},
	{.name = "fold", .type = ETL_OPT_WORD, ROW(fold), .fallback = "reject",
		.words = etl_fold_words, .help = ETL_FOLD_HELP},
	{.name = "gap", .type = ETL_OPT_WORD, ROW(gap), .fallback = "reject",
		.words = etl_gap_words, .help = ETL_GAP_HELP},
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

/* "meta.t" as "/meta/t"; parts are literal.
 * A name with dots is tried as it is first ("PM2.5" is a field), and then as a way into documents.
 * Slashes and tildes of a part are escaped for the pointer (RFC 6901 section 3): "a/b.c" becomes
 * "/a~1b/c". */
static bool compile_dots(struct etl_event_time *spec, const char *field, struct etl_arena *arena)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf pointer ETL_BUF_CLEANUP;

	etl_buf_init(&pointer, 3 * strlen(field) + 2);
	etl_buf_char(&pointer, '/');
	for (const char *p = field; *p; p++) {
		if (*p == '~' || *p == '/')
			etl_buf_str(&pointer, *p == '~' ? "~0" : "~1");
		else
			etl_buf_char(&pointer, *p == '.' ? '/' : *p);
	}
	return etl_path_compile_pointer(etl_buf_text(&pointer), arena, &spec->parted, &err) == 0;
}

/* "/meta/t" -> "meta.t", for queries and indexes. "/a.b/t" has none: MongoDB would look for t in b
 * in a. */
static const char *dotted(const struct etl_path *path, struct etl_arena *arena)
{
	struct etl_buf out ETL_BUF_CLEANUP;

	etl_buf_init(&out, 4096);
	for (size_t i = 0; i < path->n; i++) {
		const char *name = path->tokens[i].name;

		if (!*name || *name == '$' || strchr(name, '.'))
			return NULL;
		if (i)
			etl_buf_char(&out, '.');
		etl_buf_str(&out, name);
	}
	return etl_buf_ok(&out) ? etl_arena_strdup(arena, etl_buf_text(&out)) : NULL;
}

/* Two ways are compiled at the start, so that a record costs one or two walks and no
 * thought. */
static bool compile_field(struct etl_event_time *spec, const char *field,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_path_compile(field, env->arena, &spec->path, &err) != 0 || spec->path.has_any ||
		!spec->path.n || spec->path.n > DEPTH_MAX) {
		etl_diag_add(env->diag, mark_of(node, "field"), ETL_DIAG_RANGE,
			"a field's name, or a pointer such as /meta/time without '*'", NULL,
			"%s: '%s' names no field for the event time", env->what, field);
		return false;
	}
	spec->field = etl_arena_strdup(env->arena, field);
	spec->dotted = *field == '/' ? dotted(&spec->path, env->arena) : spec->field;
	if (*field != '/' && strchr(field, '.') &&
		(!compile_dots(spec, field, env->arena) || spec->parted.n > DEPTH_MAX))
		spec->parted.n = 0;
	return true;
}

/* A stamp that names the end of its interval can only be moved back by a known length;
 * 13:00 alone does not say whether its hour or its day ended. */
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
	if (options->label)
		spec->back = options->interval;
	spec->format.fold = (enum etl_fold)options->fold;
	spec->format.gap = (enum etl_gap)options->gap;
	ok = compile_field(spec, options->field, node, env);
	ok &= etl_time_format_compile(&spec->format,
		options->format ? options->format : "iso8601",
		options->timezone ? options->timezone : "UTC", mark_of(node, "format"),
		mark_of(node, "timezone"), env);
	return ok ? spec : NULL;
}

const char *etl_event_time_field(const struct etl_event_time *spec)
{
	return spec->field;
}

const char *etl_event_time_dotted(const struct etl_event_time *spec)
{
	return spec->dotted;
}

/* Where a field lies: its element, and where the documents around it begin.
 * Documents around the field are noted on the way down: each has a length that has to
 * change. */
struct place {
	struct etl_element e;
	uint32_t documents[DEPTH_MAX]; /* offsets in the record; the record itself is the first */
	size_t n;
};

/* Array elements have their index as a name in BSON, so "/rows/0/t" is walked like any
 * other. */
static bool find_path(const struct etl_path *path, const struct etl_record *record,
	struct place *place)
{
	const uint8_t *bson = record->bson;
	uint32_t len = record->len;

	place->n = 0;
	for (size_t i = 0; i < path->n; i++) {
		place->documents[place->n++] = (uint32_t)(bson - record->bson);
		if (!etl_doc_find(bson, len, path->tokens[i].name, &place->e))
			return false;
		if (i + 1 == path->n)
			return true;
		if (place->e.type != BSON_TYPE_DOCUMENT && place->e.type != BSON_TYPE_ARRAY)
			return false;
		bson = place->e.value;
		len = place->e.value_len;
	}
	return false;
}

/* The literal name first: a source that really has a field "meta.t" means that one. */
static bool find_field(
	const struct etl_event_time *spec, const struct etl_record *record, struct place *place)
{
	return find_path(&spec->path, record, place) ||
	       (spec->parted.n && find_path(&spec->parted, record, place));
}

bool etl_event_time_present(const struct etl_event_time *spec, const struct etl_record *record)
{
	struct place place;

	return find_field(spec, record, &place);
}

/* The record with the field's value replaced by a date: the lengths of all documents around
 * it change with it.
 * {"m": {"t": "2026-07-01"}}: the text of 15 bytes becomes a date of 8, so both documents are 7
 * bytes shorter. The type byte stands in front of the name, hence the minus 2. */
static void replace(struct etl_arena *arena, struct etl_record *record, const struct place *place,
	etl_wall time)
{
	const struct etl_element *e = &place->e;
	uint32_t before = (uint32_t)(e->value - record->bson);
	uint32_t after = record->len - before - e->value_len;
	uint32_t len = before + (uint32_t)sizeof time.ms + after;
	uint8_t *doc = etl_arena_alloc(arena, len);

	memcpy(doc, record->bson, before);
	for (size_t i = 0; i < place->n; i++) {
		uint32_t own;

		memcpy(&own, record->bson + place->documents[i], sizeof own);
		own += (uint32_t)sizeof time.ms - e->value_len;
		memcpy(doc + place->documents[i], &own, sizeof own);
	}
	doc[before - e->key_len - 2] = BSON_TYPE_DATE_TIME;
	memcpy(doc + before, &time.ms, sizeof time.ms);
	memcpy(doc + before + sizeof time.ms, e->value + e->value_len, after);
	record->bson = doc;
	record->len = len;
}

/* A record without a readable time has no window, so it can be placed nowhere: a
 * reject, with the value that was found and the format that it should have had. */
static void apply_one(
	const struct etl_event_time *spec, struct etl_batch *batch, size_t i, etl_wall *last)
{
	struct etl_record *record = &batch->records[i];
	struct place place;
	etl_wall time, stored;
	const char *why;
	char value[96];

	if (!record->len)
		return;
	if (!find_field(spec, record, &place)) {
		etl_batch_reject_record(batch, i, "decode", "time", spec->field,
			"the record has no field '%s'", spec->field);
		return;
	}
	why = etl_time_format_read(&spec->format, &place.e, last, &time);
	/* *last is the time as it was read, before the label moves it: the order of the
	 * stamps tells the pass of a fold, and they are what the source wrote. */
	if (!why) {
		*last = time;
		time = etl_wall_sub(time, spec->back);
		if (!etl_wall_is_civil(time))
			why = "lies beyond the years 1 to 9999";
	}
	if (why) {
		etl_element_describe(&place.e, value, sizeof value);
		etl_batch_reject_record(batch, i, "decode", "time", spec->field,
			"'%s' is %s, which %s (%s)", spec->field, value, why, spec->format.text);
		return;
	}
	record->time = time;
	/* A date that stays what it is needs no new document. */
	if (!etl_element_date(&place.e, &stored) || stored.ms != time.ms)
		replace(batch->arena, record, &place, time);
}

/* From `first` on, since earlier ones have their time already: `label: end` would move
 * them twice. */
void etl_event_time_apply(const struct etl_event_time *spec, struct etl_batch *batch,
	size_t first, etl_wall *last)
{
	for (size_t i = first; i < batch->n; i++)
		apply_one(spec, batch, i, last);
	etl_batch_compact(batch);
}

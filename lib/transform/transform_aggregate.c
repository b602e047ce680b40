/* SPDX-License-Identifier: MIT
 *
 * aggregate: buckets of event time, on a grid of their own (time/grid.h); whole days, weeks, months
 * and years are those of `timezone`. One record for each bucket and each combination of the `by`
 * values, given when all records have been seen. A bucket lies within one unit, so that state by
 * bucket is state by unit. It grows with the number of buckets and not of records, and has caps.
 *
 * {every: 1h, by: [station], mean: [t], max: [t], count: n} of
 *   {station: a, t: 1} at 10:05   {station: a, t: 3} at 10:55   {station: b, t: 5} at 10:30
 * gives
 *   {station: a, timestamp: 10:00, t_mean: 2.0, t_max: 3, n: 2}
 *   {station: b, timestamp: 10:00, t_mean: 5.0, t_max: 5, n: 1}
 * and with `mean: [t]` alone the mean is called t.
 */
#include <math.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/zones.h"
#include "record/keyset.h"
#include "time/grid.h"
#include "transform/moments.h"
#include "transform/rewrite.h"
#include "transform/transform.h"

/* A million groups are nearly a year of minutes for two stations. Their keys and states are
 * bounded apart. */
enum { GROUPS_MAX = 1000000, KEY_BYTES_MAX = 64 * 1024 };
#define STATE_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* One result: a function over a field, and the name it gets. */
struct result {
	enum etl_function function;
	size_t value; /* number of the field among the values */
	const char *name;
};

struct options {
	struct etl_grid_step every;
	const char *timezone, *count, *time;
	struct etl_grid grid;
	const char *cuts; /* what is wrong with windows that cut buckets */
	struct etl_strings by;
	struct etl_strings of[ETL_FUNCTIONS];
	struct etl_fields fields; /* the by fields, then the values */
	struct etl_pointers out;  /* of the names of what is given */
	struct result *results;
	size_t n_values, n_results;
};

/* The row of a function's fields. */
#define FUNCTION(word, id, text)                                                               \
	{.name = word, .type = ETL_OPT_STRINGS, .offset = offsetof(struct options, of[id]),    \
		.help = text}

static const struct etl_option options[] = {
	{.name = "every", .type = ETL_OPT_STEP, .offset = offsetof(struct options, every),
		.required = true, .min = 1, .max = 3660 * 86400.0,
		.help = "length of a bucket: 1h, 1d, 1w, 1mo, 1y"},
	{.name = "timezone", .type = ETL_OPT_STRING,
		.offset = offsetof(struct options, timezone), .fallback = "UTC",
		.help = "whose days, when every is whole days, weeks, months or years"},
	{.name = "by", .type = ETL_OPT_STRINGS, .offset = offsetof(struct options, by),
		.help = "fields whose values are kept apart"},
	FUNCTION("mean", ETL_MEAN, "fields to average"),
	FUNCTION("min", ETL_MIN, "fields of which to take the least value"),
	FUNCTION("max", ETL_MAX, "fields of which to take the greatest value"),
	FUNCTION("sum", ETL_SUM, "fields to add up"),
	FUNCTION("first", ETL_FIRST, "fields of which to take the earliest value"),
	FUNCTION("last", ETL_LAST, "fields of which to take the latest value"),
	FUNCTION("stddev", ETL_STDDEV, "fields to take the standard deviation of (n - 1)"),
	{.name = "count", .type = ETL_OPT_STRING, .offset = offsetof(struct options, count),
		.help = "name of a field for the number of records"},
	{.name = "time", .type = ETL_OPT_STRING, .offset = offsetof(struct options, time),
		.fallback = "timestamp", .help = "name of the field for the bucket's start"},
	{0}};

static const char *const function_names[] = {
	"mean", "min", "max", "sum", "first", "last", "stddev"};
_Static_assert(sizeof function_names / sizeof *function_names == ETL_FUNCTIONS,
	"a name for every function");

/* ---- configuration --------------------------------------------------------------------- */

/* Before anything is built of them: a pointer that is wrong must not reach the tables. */
static bool names_ok(const struct options *o, const struct etl_conf_env *env)
{
	bool ok = etl_field_names_ok(&o->by, "aggregate", env);

	for (int f = 0; f < ETL_FUNCTIONS; f++)
		ok &= etl_field_names_ok(&o->of[f], "aggregate", env);
	return ok;
}

/* A field may be asked for by several functions; it is read once. */
static bool wants(const struct options *o, int function, const char *name)
{
	for (size_t i = 0; i < o->of[function].n; i++)
		if (etl_streq(o->of[function].items[i], name))
			return true;
	return false;
}

/* The results over one field: under its own name if the mean is all that is asked.
 * mean alone: t. mean and max: t_mean, t_max. So the commonest use, an average that
 * takes the place of the values, needs no rename. */
static void add_results(struct options *o, size_t value, const char *name,
	struct etl_arena *arena)
{
	size_t first = o->n_results;

	for (int f = 0; f < ETL_FUNCTIONS; f++)
		if (wants(o, f, name))
			o->results[o->n_results++] = (struct result){.function = f,
				.value = value,
				.name = etl_arena_strf(
					arena, "%s_%s", name, function_names[f])};
	if (o->n_results == first + 1 && o->results[first].function == ETL_MEAN)
		o->results[first].name = name;
}

/* At the key where there is one, else at the transform. */
static void conflict(const struct etl_node *node, const char *key,
	const struct etl_conf_env *env, const char *what)
{
	const struct etl_node *at = etl_node_get(node, key);

	if (!at)
		at = node;
	etl_diag_add(env->diag, at ? &at->mark : NULL, ETL_DIAG_CONFLICT, NULL, NULL,
		"'aggregate' of %s: %s", env->what, what);
}

/* A record's field has one number, so that it is a key or a value, never both.
 * All names of `by` come first, so a field's number says at once what it is. */
static void add_fields(struct options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_arena *arena = env->arena;
	size_t most = o->by.n;

	for (int f = 0; f < ETL_FUNCTIONS; f++)
		most += o->of[f].n;

	const char **names = etl_arena_alloc(arena, (most + 1) * sizeof *names);
	o->results = etl_arena_alloc(arena, (most + 1) * sizeof *o->results);
	for (size_t i = 0; i < o->by.n; i++)
		names[i] = o->by.items[i];
	for (int f = 0; f < ETL_FUNCTIONS; f++)
		for (size_t i = 0; i < o->of[f].n; i++) {
			const char *name = o->of[f].items[i];
			/* A field is numbered when it is seen first; later functions
			 * over it find its number in the results. */
			bool known = false;

			for (int earlier = 0; earlier < f; earlier++)
				known |= wants(o, earlier, name);
			if (known)
				continue;
			names[o->by.n + o->n_values] = name;
			add_results(o, o->n_values++, name, arena);
		}
	for (size_t v = 0; v < o->n_values; v++)
		for (size_t i = 0; i < o->by.n; i++)
			if (etl_streq(names[i], names[o->by.n + v])) {
				conflict(node, "by", env,
					etl_arena_strf(env->arena,
						"'%s' is in 'by' and is to be worked out",
						names[i]));
				return;
			}
	etl_fields_build(&o->fields, names, o->by.n + o->n_values, arena);
}

/* All names of the output, in its order; each may stand there once.
 * mean: [t], max: [t] and count: t_mean: two fields of one name would be a document
 * that no reader understands alike. */
static void check_output(const struct options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	size_t n = 0;
	const char **names =
		etl_arena_alloc(env->arena, (o->by.n + o->n_results + 2) * sizeof *names);

	for (size_t i = 0; i < o->by.n; i++)
		names[n++] = o->by.items[i];
	names[n++] = o->time;
	for (size_t i = 0; i < o->n_results; i++)
		names[n++] = o->results[i].name;
	if (o->count)
		names[n++] = o->count;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (etl_streq(names[i], names[k])) {
				conflict(node, "", env,
					etl_arena_strf(env->arena,
						"two results would be named '%s'", names[i]));
				return;
			}
}

/* The first instant of the local day or month from which buckets are counted: that of window.start, so
 * that weeks of buckets and of windows are the same weeks; without windows 1970-01-01, and for weeks the
 * Monday behind it. What is counted in hours has begun with 1970 in UTC in any case.
 *
 * Examples, every 1w: windows of 1w from Saturday 2024-01-06 on: each bucket begins on a Saturday. With
 * window: none each begins on a Monday. Every 3mo with years from 2024-04-01 on: April, July, October. */
static etl_wall bucket_start(const struct options *o, const struct etl_zone *zone,
	const struct etl_grid *windows)
{
	struct etl_grid_step one = {.length = o->every.months ? (etl_dur){0} : ETL_DAYS(1),
		.months = o->every.months ? 1 : 0};
	int64_t day = !o->every.months && o->every.length.us % ETL_DAYS(7).us == 0 ? 4 : 0;
	etl_wall start, second;
	struct etl_grid units;

	if (!etl_grid_step_is_local(o->every))
		return (etl_wall){0};
	etl_zone_to_utc(zone, day * 86400, &start, &second);
	etl_grid_init(&units, start, one, zone);
	return windows ? etl_grid_floor(&units, windows->start) : start;
}

/* What comes first if windows are cut: days of two zones never fit, whatever start and size are. "" if the
 * zones are the same, or have no say. Example: windows of local days of Europe/Paris, and every: 1d
 * without a timezone, whose buckets are days of UTC. */
static const char *zones_differ(const struct options *o, const struct etl_zone *zone,
	const struct etl_conf_env *env)
{
	const struct etl_zone *windows = env->grid && env->grid->zone ? env->grid->zone : etl_zone_utc();

	if (!env->grid || !etl_grid_step_is_local(o->every) ||
		etl_streq(etl_zone_name(windows), etl_zone_name(zone)))
		return "";
	return etl_arena_strf(env->arena,
		"these are of %s and the windows of %s, give both the same timezone; ",
		etl_zone_name(zone), etl_zone_name(windows));
}

/*   every 15m                 10:07 lies in 10:00 to 10:15
 *   every 1d, Europe/Paris    2026-03-29T12:00Z lies in 2026-03-28T23:00Z to 2026-03-29T22:00Z:
 *                             a day of 23 hours */
static void load_grid(struct options *o, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_node *at = etl_node_get(node, "timezone");
	const struct etl_zone *zone = etl_conf_zone(o->timezone, env, &err);
	char text[ETL_GRID_TEXT_BYTES];

	if (!zone) {
		etl_diag_add(env->diag, at ? &at->mark : NULL, ETL_DIAG_REFERENCE, NULL, NULL,
			"'aggregate' of %s: %s", env->what, err.message);
		return;
	}
	/* UTC fits every length, and is what stands here where nothing is said. */
	if (zone != etl_zone_utc() && !etl_grid_step_is_local(o->every))
		conflict(node, "timezone", env,
			"a timezone counts for whole days, weeks, months and years only; buckets of "
			"hours start in UTC");
	etl_grid_init(&o->grid, bucket_start(o, zone, env->grid), o->every, zone);
	etl_grid_text(&o->grid, text);
	o->cuts = etl_arena_strf(env->arena, "the windows cut its buckets (%s) in two: %swindow.start and "
		"window.size must be whole buckets", text, zones_differ(o, zone, env));
}

/* What is given may have pointers for names: they are lowered behind the writing, as
 * all are. */
static void build_out(struct options *o, struct etl_arena *arena)
{
	const char **names = etl_arena_alloc(arena, (o->by.n + o->n_results + 2) * sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < o->by.n; i++)
		names[n++] = o->by.items[i];
	for (size_t i = 0; i < o->n_results; i++)
		names[n++] = o->results[i].name;
	names[n++] = o->time;
	if (o->count)
		names[n++] = o->count;
	etl_pointers_build(&o->out, names, n, arena);
}

/* The order of the checks is that in which their words make sense to a reader. */
static void compile(void *self, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = self;

	/* A table that was filled with errors is not judged further. */
	if (!o->timezone || !o->time || (o->every.length.us <= 0 && !o->every.months))
		return; /* reported already */
	if (o->every.length.us % 1000 != 0)
		conflict(node, "every", env, "'every' is a whole number of milliseconds");
	if (!names_ok(o, env) || !etl_field_name_ok(o->time, node, "aggregate", env) ||
		(o->count && !etl_field_name_ok(o->count, node, "aggregate", env)))
		return;
	load_grid(o, node, env);
	add_fields(o, node, env);
	if (!o->n_results && !o->count)
		conflict(node, "", env, "nothing to work out: give mean, min, ... or count");
	check_output(o, node, env);
	build_out(o, env->arena);
}

/* ---- state ----------------------------------------------------------------------------- */

/* One bucket of one combination of `by`. Values follow it in the same piece of memory. */
struct group {
	etl_wall start;
	size_t number; /* of appearance */
	uint64_t n;
	const struct etl_element *by; /* value copies; key NULL = missing */
	struct etl_moments values[];
};

struct aggregate {
	const struct options *options;
	const struct etl_stage_env *env;
	struct etl_keyset *keys;
	struct etl_arena *arena; /* groups; forgotten by flush */
	struct group **groups;	 /* by the key's number */
	size_t n_groups, cap_groups;
	struct etl_buf key;
	struct etl_hits hits;
	const struct etl_element **by; /* of the record at hand; NULL = missing */
	struct etl_number *numbers;    /* of the record at hand */
	bool *present;
	struct etl_window bucket; /* the one last asked for */
};

/* Windows of a job that begin or end inside of a bucket are refused at load: each
 * window would give its own half of the bucket, and the later one would replace the
 * earlier. */
static const char *window_fault(const void *opts, const struct etl_window *window)
{
	const struct options *o = opts;

	return etl_grid_floor(&o->grid, window->start).ms == window->start.ms &&
			etl_grid_floor(&o->grid, window->end).ms == window->end.ms ? NULL : o->cuts;
}

/* Makes a->bucket the one that holds `t`. A bucket that the windows cut would be given from half of
 * its records; a full read (start 0) has no edges.
 * The loader has tried the windows of a year; a zone whose rules change later is found
 * here. */
static int find_bucket(struct aggregate *a, etl_wall t, struct etl_error *err)
{
	struct etl_window unit;

	/* Records come nearly always in the order of time: the bucket of the one before
	 * is asked first. */
	if (etl_window_holds(&a->bucket, t))
		return 0;
	a->bucket = etl_grid_at(&a->options->grid, t);
	unit = a->env->unit(a->env->ctx, t).window;
	if (unit.start.ms == 0 ||
		(a->bucket.start.ms >= unit.start.ms && a->bucket.end.ms <= unit.end.ms))
		return 0;
	return etl_error_set(err, ETL_DATA, "aggregate.every", "%s", a->options->cuts);
}

/* Half of the memory is for keys, half for groups. */
static int open_aggregate(void *self, const void *opts, const struct etl_stage_env *env,
	struct etl_error *err)
{
	struct aggregate *a = self;
	const struct options *o = opts;

	(void)err;
	a->options = o;
	a->env = env;
	a->keys = etl_keyset_new(GROUPS_MAX, STATE_BYTES_MAX / 2);
	a->arena = etl_arena_new(0);
	etl_buf_init(&a->key, KEY_BYTES_MAX);
	a->by = etl_calloc(o->by.n + 1, sizeof *a->by);
	a->numbers = etl_calloc(o->n_values + 1, sizeof *a->numbers);
	a->present = etl_calloc(o->n_values + 1, sizeof *a->present);
	return 0;
}

/* Copies the by values: they outlive the batch.
 * One copy a group, at its first record. */
static const struct etl_element *copy_by(struct aggregate *a)
{
	size_t n = a->options->by.n;
	struct etl_element *copy = etl_arena_zalloc(a->arena, (n + 1) * sizeof *copy);

	for (size_t i = 0; i < n; i++) {
		if (!a->by[i])
			continue;
		copy[i] = *a->by[i];
		copy[i].key = a->options->by.items[i];
		copy[i].value = (const uint8_t *)etl_arena_memdup0(a->arena, a->by[i]->value,
			a->by[i]->value_len);
	}
	return copy;
}

/* An arena aligns to 8 bytes, wide numbers may want 16.
 * Zeroed memory is an empty group: no function has seen a value. */
static struct group *new_group(struct aggregate *a, etl_wall start)
{
	size_t align = _Alignof(struct group);
	char *room = etl_arena_zalloc(
		a->arena, sizeof(struct group) +
				  a->options->n_values * sizeof(struct etl_moments) + align);
	struct group *group = (void *)(room + (align - (uintptr_t)room % align) % align);

	group->start = start;
	group->number = a->n_groups;
	group->by = copy_by(a);
	ETL_GROW(a->groups, a->n_groups, a->cap_groups);
	a->groups[a->n_groups++] = group;
	return group;
}

/* A fault of the configuration, in effect, and told as one: with the three things that
 * help. */
static int too_many(const struct aggregate *a, struct etl_error *err)
{
	return etl_error_set(err, ETL_LIMIT, "transform.aggregate",
		"aggregate holds %zu groups in %zu MiB and cannot take more (%d groups, %zu "
		"MiB): "
		"make 'every' longer, 'by' coarser or the window smaller",
		a->n_groups, etl_arena_bytes(a->arena) >> 20, GROUPS_MAX,
		STATE_BYTES_MAX >> 20);
}

/* The record's group; NULL with ETL_LIMIT if there are too many.
 * A new group that passes the limit is in already, but its run fails, and with it all
 * groups. */
static struct group *find_group(struct aggregate *a, etl_wall start, struct etl_error *err)
{
	struct group *group = NULL;
	size_t number;
	int rc = etl_keyset_put(a->keys, a->key.data, a->key.len, &number);

	/* The group is known: nothing is allocated, and no limit can be passed. */
	if (rc == 0)
		return a->groups[number];
	if (rc > 0)
		group = new_group(a, start);
	if (rc < 0 || etl_arena_bytes(a->arena) > STATE_BYTES_MAX / 2) {
		too_many(a, err);
		return NULL;
	}
	return group;
}

/* ---- records --------------------------------------------------------------------------- */

/* Reads the record's fields into a->by, a->numbers, a->present and a->key. False if it was
 * rejected.
 * What was left of the record before is cleared first: a missing field must not show
 * the last one's. */
static bool read_record(struct aggregate *a, struct etl_batch *batch, size_t i)
{
	const struct options *o = a->options;
	char shown[128];

	memset(a->by, 0, o->by.n * sizeof *a->by);
	memset(a->present, 0, o->n_values * sizeof *a->present);
	etl_hits_find(&a->hits, &o->fields, &batch->records[i]);
	for (size_t h = 0; h < a->hits.n; h++) {
		const struct etl_hit *hit = &a->hits.items[h];
		size_t field = (size_t)hit->field;

		if (field < o->by.n) {
			a->by[field] = &hit->e;
			continue;
		}
		int got = etl_moments_read(&hit->e, &a->numbers[field - o->by.n]);
		if (got < 0) {
			/* A text in a field of numbers: the record is refused whole,
			 * since a mean over the others would be silently wrong. */
			etl_element_describe(&hit->e, shown, sizeof shown);
			etl_batch_reject_record(batch, i, "transform", "aggregate", hit->e.key,
				"%s is %s, not a number to aggregate", hit->e.key, shown);
			return false;
		}
		a->present[field - o->by.n] = got > 0;
	}
	return true;
}

/* The bucket's start leads the key, so two buckets never share a group. */
static bool make_key(struct aggregate *a, struct etl_batch *batch, size_t i, etl_wall start)
{
	etl_buf_clear(&a->key);
	etl_buf_append(&a->key, &start.ms, sizeof start.ms);
	for (size_t k = 0; k < a->options->by.n; k++)
		etl_key_add(&a->key, a->by[k]);
	if (etl_buf_ok(&a->key))
		return true;
	etl_batch_reject_record(batch, i, "transform", "aggregate", "",
		"the values of 'by' have more than %d bytes", KEY_BYTES_MAX);
	return false;
}

/* A record is taken out of its batch as soon as it has been added: what goes on are the
 * groups. */
static int add_record(struct aggregate *a, struct etl_batch *batch, size_t i,
	struct etl_error *err)
{
	etl_wall time = batch->records[i].time;
	struct group *group;

	if (time.ms == ETL_NO_TIME) {
		etl_batch_reject_record(batch, i, "transform", "aggregate", "",
			"the record has no event time: it belongs to no bucket");
		return 0;
	}
	if (find_bucket(a, time, err) < 0)
		return -1;
	if (!read_record(a, batch, i) || !make_key(a, batch, i, a->bucket.start))
		return 0;
	group = find_group(a, a->bucket.start, err);
	if (!group)
		return -1;
	group->n++;
	/* Values that are missing or null are not counted by any function; `count` counts
	 * records. */
	for (size_t v = 0; v < a->options->n_values; v++)
		if (a->present[v])
			etl_moments_add(&group->values[v], &a->numbers[v], time,
				a->options->of[ETL_STDDEV].n > 0, a->arena);
	etl_batch_remove(batch, i);
	return 0;
}

/* Pointers are lifted for reading alone; the batch is empty behind this, but for
 * rejects. */
static int apply(void *self, struct etl_batch *batch, struct etl_error *err)
{
	struct aggregate *a = self;
	size_t n_rejects = etl_fields_lift(&a->options->fields, batch, "aggregate");
	int rc = 0;

	for (size_t i = 0; i < batch->n && rc == 0; i++)
		rc = add_record(self, batch, i, err);
	etl_batch_compact(batch);
	etl_fields_lower(&a->options->fields, batch, n_rejects, false, "aggregate");
	return rc;
}

/* In the order of time, then of appearance: a stable output, whatever order the groups
 * were found in. */
static int by_bucket(const void *pa, const void *pb)
{
	const struct group *a = *(const struct group *const *)pa;
	const struct group *b = *(const struct group *const *)pb;

	if (a->start.ms != b->start.ms)
		return a->start.ms < b->start.ms ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

/* The record's time is the bucket's start, so it falls into the same unit as all that
 * it was made of. */
static void emit(const struct aggregate *a, const struct group *group, uint64_t position,
	struct etl_batch *out)
{
	const struct options *o = a->options;
	struct etl_writer w;
	const uint8_t *bson;
	uint32_t len;

	etl_writer_begin(&w, out->arena, 64 + 32 * (o->by.n + o->n_results));
	for (size_t i = 0; i < o->by.n; i++)
		if (group->by[i].key)
			etl_writer_copy(&w, &group->by[i]);
	etl_writer_date(&w, o->time, group->start);
	for (size_t i = 0; i < o->n_results; i++)
		etl_moments_write(&group->values[o->results[i].value], o->results[i].function,
			o->results[i].name, &w);
	if (o->count)
		etl_writer_int64(&w, o->count, (int64_t)group->n);
	bson = etl_writer_end(&w, &len);
	etl_batch_add(out, bson, len, group->start, position);
}

/* State is forgotten here: a second read of the same run begins anew. */
static int flush(void *self, struct etl_batch *out, struct etl_error *err)
{
	struct aggregate *a = self;

	(void)err;
	if (a->n_groups)
		qsort(a->groups, a->n_groups, sizeof *a->groups, by_bucket);
	for (size_t i = 0; i < a->n_groups; i++)
		emit(a, a->groups[i], i, out);
	etl_pointers_lower(&a->options->out, out, out->n_rejects, false, "aggregate");
	a->n_groups = 0;
	etl_keyset_reset(a->keys);
	etl_arena_reset(a->arena);
	return 0;
}

/* For the run's budget of memory: groups and keys live until all records have been
 * seen. */
static size_t held(const void *self)
{
	const struct aggregate *a = self;

	return etl_arena_used(a->arena) + etl_keyset_held(a->keys) +
		a->cap_groups * sizeof *a->groups;
}

/* Groups lie in the arena: one free for a million of them. */
static void close_aggregate(void *self)
{
	struct aggregate *a = self;

	etl_keyset_free(a->keys);
	etl_arena_free(a->arena);
	etl_buf_fini(&a->key);
	etl_hits_fini(&a->hits);
	free(a->groups);
	free(a->by);
	free(a->numbers);
	free(a->present);
}

const struct etl_transform_type etl_transform_aggregate = {
	.name = "aggregate",
	.summary = "mean, min, max, ... of each bucket of event time",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct aggregate),
	.check = compile,
	.window_fault = window_fault,
	.open = open_aggregate,
	.apply = apply,
	.flush = flush,
	.held = held,
	.close = close_aggregate,
};

/* SPDX-License-Identifier: MIT
 *
 * Random jobs for test_cuts.c: transforms and checks by the registries, each with options that its
 * generator draws. A plugin without a generator fails the test: add one here that draws what could
 * depend on its neighbours (state, templates, order).
 *
 * Records have station_id, ts, k, n and v, which stay what they are, so that the target and the
 * checks have something to go by; the generators change s, w, at and o, and make fields of their own.
 */
#ifndef ETL_TEST_CUTS_DRAW_H
#define ETL_TEST_CUTS_DRAW_H

#include <unistd.h>

#include "../../lib/dice.h"
#include "run_rig.h"

/* How the answer has its records, and what makes records of it. */
enum shape { PLAIN, COLUMNS, LISTS, KEYED, HEADER_ROWS, NAMES_AND_VALUES, SHAPES };
static const char *const shape_reshape[] = {
	[PLAIN] = "",
	[COLUMNS] = "  reshape: [columns: {fields: [ts, at, v, s, station_id, k, w, o, l, n]}]\n",
	[LISTS] = "  reshape: [explode: {field: rows}]\n",
	[KEYED] = "  reshape: [{keyed: {key: station_id}}, {explode: {field: rows}}]\n",
	[HEADER_ROWS] = "  reshape: [rows: {header: head, rows: rows}]\n",
	[NAMES_AND_VALUES] = "  reshape: [pivot: {by: [ts, at, station_id, n], name: p, value: x}]\n",
};
_Static_assert(sizeof shape_reshape / sizeof *shape_reshape == SHAPES, "each shape has its stages");

static struct {
	enum shape shape;
	struct etl_buf yaml;
	/* The order of a unit's records counts: a shuffle has to keep it. */
	bool order_counts;
} draw;

static const char *pick(const char *const *words, size_t n)
{
	return words[roll(n)];
}
#define PICK(...)                                                                               \
	pick((const char *const[]){__VA_ARGS__},                                                \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool one_in(uint64_t n)
{
	return roll(n) == 0;
}

/* ---- transforms -------------------------------------------------------------------------- */

static void draw_rename(struct etl_buf *out)
{
	etl_buf_str(out, PICK("{w: w2}", "{s: w, w: s}", "{/o/p: lifted}", "{s: k2, w2: w}"));
}

static void draw_keep(struct etl_buf *out)
{
	etl_buf_printf(out, "[station_id, ts, timestamp, k, n, v, l%s%s%s]", one_in(2) ? ", s" : "",
		one_in(2) ? ", w, w2" : "", one_in(2) ? ", at, from" : "");
}

static void draw_drop(struct etl_buf *out)
{
	etl_buf_str(out, PICK("[s]", "[w, o]", "[at, from, c]", "[nothing]"));
}

static void draw_set(struct etl_buf *out)
{
	etl_buf_printf(out, "{%s, %s}",
		PICK("from: \"{window.start}\"", "from: \"{window.start:%H} to {window.end:%H}\"",
			"unit: {till: [\"{window.end}\", x]}"),
		PICK("s: 7", "place: \"{station}\"", "w: \"{window.end:%Y%m%d%H}\"", "o: null"));
}

static void draw_cast(struct etl_buf *out)
{
	etl_buf_str(out, PICK("{s: int}", "{s: {to: double, on_bad: 'null'}}", "{w: string}",
		"{s: {to: long, on_bad: drop}, n: double}", "{from: string}"));
}

static void draw_parse_time(struct etl_buf *out)
{
	const char *fold = PICK("sequence", "sequence", "first", "second", "reject");

	draw.order_counts |= etl_streq(fold, "sequence");
	etl_buf_printf(out, "{at: {format: '%%Y-%%m-%%d %%H:%%M:%%S', timezone: Europe/Paris, fold: %s%s}}",
		fold, one_in(2) ? ", to: at_utc" : "");
}

/* Never two rows with one station and one time: the target has them by these. */
static void draw_aggregate(struct etl_buf *out)
{
	const char *function = PICK("mean: [v]", "sum: [v, n]", "min: [v], max: [v]", "first: [k], count: c",
		"last: [v], mean: [n]", "stddev: [v]", "count: c");

	if (strstr(function, "first: [k]")) /* a text is no number: all are rejects */
		function = one_in(3) ? function : "first: [n], count: c";
	etl_buf_printf(out, "{every: %s, by: [station_id], %s}", PICK("1h", "30m", "20m"), function);
}

/* Its elements have the key of their record: of those the last stays. */
static void draw_explode(struct etl_buf *out)
{
	draw.order_counts = true;
	etl_buf_printf(out, "{field: l, %s%s%s}", PICK("absent: text", "absent: null"),
		one_in(2) ? ", as: e" : "", one_in(2) ? ", keep_empty: true" : "");
}

static void draw_pivot(struct etl_buf *out)
{
	const char *duplicates = PICK("reject", "first", "last");

	draw.order_counts = true; /* which of two with one name came first */
	etl_buf_printf(out, "{by: [%s], name: k, value: %s, duplicates: %s}",
		PICK("station_id", "station_id, ts", "station_id, n"), PICK("v", "n", "w"), duplicates);
}

/* A file that all jobs look into, written once. */
static const char *lookup_file(void)
{
	static char path[] = "/tmp/etld_cuts_XXXXXX";
	static const char text[] = "{\"_id\":\"s0\",\"geo\":{\"lat\":5.5},\"at\":0}\n"
				   "{\"_id\":\"s1\",\"geo\":{\"lat\":7}}\n{\"_id\":\"k3\",\"geo\":{}}\n";
	static bool written;
	int fd;

	if (written)
		return path;
	fd = mkstemp(path);
	written = fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1;
	assert_true(written);
	close(fd);
	return path;
}

static void draw_lookup(struct etl_buf *out)
{
	etl_buf_printf(out, "{from: {file: '%s'}, on: {%s: _id}, take: {%s}%s}", lookup_file(),
		PICK("station_id", "station_id", "k"), PICK("lat: /geo/lat", "w: /geo/lat, at2: at"),
		PICK("", ", absent: text", ", absent: null", ", absent: default, default: 0"));
}

/* ---- checks ------------------------------------------------------------------------------ */

static void draw_not_null(struct etl_buf *out)
{
	etl_buf_str(out, PICK("fields: [v]", "fields: [/s, v]", "fields: [/o/p]"));
}

static void draw_range(struct etl_buf *out)
{
	etl_buf_str(out, PICK("field: v, max: 900", "field: n, min: 3", "field: /w, min: 1, max: 80"));
}

static void draw_unique(struct etl_buf *out)
{
	draw.order_counts = true; /* the second one is the bad one */
	etl_buf_str(out, PICK("fields: [k]", "fields: [station_id, k]", "fields: [/s]", "fields: [v]"));
}

static void draw_freshness(struct etl_buf *out)
{
	etl_buf_printf(out, "max_age: %s", PICK("30m", "1h", "2h", "5h", "1d"));
}

/* ---- the registries ---------------------------------------------------------------------- */

static struct plugin {
	const char *name;
	void (*draw)(struct etl_buf *out);
	uint64_t used;
} transforms[] = {
	{"aggregate", draw_aggregate}, {"cast", draw_cast}, {"drop", draw_drop},
	{"explode", draw_explode}, {"keep", draw_keep}, {"lookup", draw_lookup},
	{"parse_time", draw_parse_time},
	{"pivot", draw_pivot}, {"rename", draw_rename}, {"set", draw_set},
}, checks[] = {
	{"freshness", draw_freshness}, {"not_null", draw_not_null}, {"range", draw_range},
	{"unique", draw_unique},
};

static struct plugin *generator(struct plugin *plugins, size_t n, const char *kind, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (etl_streq(plugins[i].name, name))
			return &plugins[i];
	fail_msg("the %s '%s' has no generator of options: add one to cuts_draw.h", kind, name);
	return NULL;
}
#define GENERATOR(kind, name) generator(kind##s, sizeof kind##s / sizeof *kind##s, #kind, name)

static void draw_transforms(struct etl_buf *out)
{
	size_t types = 0, n = roll(5);

	while (etl_transforms[types])
		types++;
	if (n)
		etl_buf_str(out, "transform:\n");
	while (n--) {
		struct plugin *p = GENERATOR(transform, etl_transforms[roll(types)]->name);

		etl_buf_printf(out, "  - %s: ", p->name);
		p->draw(out);
		etl_buf_char(out, '\n');
		p->used++;
	}
}

static void draw_checks(struct etl_buf *out)
{
	size_t types = 0, n = roll(4), word;

	while (etl_checks[types])
		types++;
	if (n)
		etl_buf_str(out, "check:\n");
	while (n--) {
		const struct etl_check_type *type;
		struct plugin *p;

		do /* a verdict on a run is of that run, and nothing that is loaded hangs on it */
			type = etl_checks[roll(types)];
		while (type->run);
		p = GENERATOR(check, type->name);
		do
			word = roll(ETL_ON_FAIL_FAIL + 1);
		while (!(type->on_fail_allowed & 1u << word));
		etl_buf_printf(out, "  - %s: {", p->name);
		p->draw(out);
		etl_buf_printf(out, ", on_fail: %s}\n", etl_on_fail_words[word]);
		p->used++;
	}
}

static const char *draw_text(void)
{
	struct etl_buf *out = &draw.yaml;

	if (!out->max)
		etl_buf_init(out, 65536);
	etl_buf_clear(out);
	draw.order_counts = false;
	draw.shape = one_in(2) ? PLAIN : (enum shape)roll(SHAPES);
	etl_buf_printf(out,
		"schedule: {cron: '10 * * * *', timeout: 10h}\n"
		"retry: {max: 0}\n"
		"rejects: {max: %s, max_ratio: %s, whole_unit: %s}\n"
		"partitions: {station: [a]}\n"
		"window: {size: 1h, settle: 10m, lookback: 2d, max_span: 30d, start: 2024-01-01}\n"
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/{station}'\n"
		"    query: {from: '{window.start:%%Y%%m%%d%%H}', to: '{window.end:%%Y%%m%%d%%H}'}\n"
		"    records: /data\n"
		"    time: {field: ts, format: '%%Y-%%m-%%d %%H:%%M:%%S', timezone: UTC}\n",
		PICK("0", "1", "2", "10"), PICK("0", "0.2", "0.5", "1"), PICK("fail", "fail", "close"));
	etl_buf_str(out, shape_reshape[draw.shape]);
	draw_transforms(out);
	draw_checks(out);
	etl_buf_str(out, "load: {\"null\": {}}\n");
	return etl_buf_text(out);
}

/* The loader refuses what contradicts itself, such as a check of a field that is dropped before. */
static bool loader_takes(const char *yaml)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 'job'"};
	const struct etl_conf_load_options options = {.texts = arena};
	struct etl_node *root = etl_conf_parse(arena, "job", yaml, strlen(yaml), &options, diag);
	bool taken;

	assert_non_null(root);
	etl_job_fini(etl_job_load("job", root, &env));
	taken = !etl_diag_count(diag);
	etl_diag_free(diag);
	etl_arena_free(arena);
	return taken;
}

/* Lent until the next one. */
static const char *draw_job(void)
{
	for (int tries = 0; tries < 1000; tries++) {
		const char *yaml = draw_text();

		if (loader_takes(yaml))
			return yaml;
	}
	fail_msg("the loader takes none of the jobs that are drawn: %s", etl_buf_text(&draw.yaml));
	return NULL;
}

#endif

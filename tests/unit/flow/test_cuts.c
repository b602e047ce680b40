/* SPDX-License-Identifier: MIT
 *
 * What is loaded never depends on how requests were cut. Random jobs of all transforms and checks
 * that there are, over random records, load the same units in eight ways: each alone, in one span,
 * in halves of spans that fail, by backfills, in shuffled order, with their records in shuffled
 * order, and with slices that are refused. Then the source changes, and all is loaded once
 * more. Documents, hashes, counts, verdicts, dead letters and dirty marks have to be the same.
 *
 *   ETLD_SEED=N               from another history on (20261122)
 *   ETLD_CUTS_HISTORIES=N     so many at the most (200), and
 *   ETLD_CUTS_SECONDS=N       no more once so many seconds have gone (5), but for the first 60
 */
#include "cuts_draw.h"

#include <time.h>

#define UNITS 12
#define HISTORIES_MIN 60 /* enough for the planted bugs (tests/mutants) */

enum way {
	ALONE,
	SPAN,
	HALVES,
	BACKFILL,
	BACKFILL_AGAIN,
	SHUFFLED_UNITS,
	REFUSED_SLICES,
	SHUFFLED_RECORDS,
	WAYS
};
static const char *const way_words[] = {"each alone", "one span", "halves", "a backfill",
	"a backfill of what was loaded", "units in shuffled order", "refused slices",
	"records in shuffled order"};
_Static_assert(sizeof way_words / sizeof *way_words == WAYS, "a word for every way");

/* ---- the source -------------------------------------------------------------------------- */

struct row {
	int64_t second; /* since T0 */
	int n, station, tenths, w, l; /* l: elements of a list; 4 = there is none */
	bool no_v, no_s, text_s, timeless;
};

static struct row rows[4000];
static size_t n_rows, order[4000]; /* of the answers */
static int64_t hours_max;	   /* a request for more gets no JSON; 0 = none does */
static etl_wall refuse_from, refuse_to; /* rows that the target refuses */
static bool some_timeless;	   /* some rows have no time: words tell of them where they are known */

static void add_row(int64_t hour, bool may_repeat)
{
	struct row *row = &rows[n_rows];

	*row = (struct row){.second = hour * 3600 + (int64_t)roll(3600), .n = (int)n_rows,
		.station = (int)roll(3), .tenths = (int)roll(1000), .w = (int)roll(90), .l = (int)roll(5),
		.no_v = one_in(9), .no_s = one_in(6), .text_s = one_in(6),
		.timeless = some_timeless && one_in(15)};
	if (one_in(8))
		row->tenths += 10000;
	if (one_in(6))
		row->second = hour * 3600; /* on the border */
	for (size_t i = 0; i < n_rows; i++) {
		if (rows[i].second != row->second || rows[i].station != row->station)
			continue;
		if (!may_repeat)
			return; /* the target would have one of the two: which one, the order tells */
		draw.order_counts = true;
	}
	n_rows++;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->second != y->second ? (x->second > y->second) - (x->second < y->second) :
					(x->n > y->n) - (x->n < y->n);
}

static void draw_rows(void)
{
	bool may_repeat = one_in(3);
	int64_t crowded = one_in(8) ? (int64_t)roll(UNITS) : -1; /* several batches and slices */

	some_timeless = one_in(3);
	/* Of a unit of several slices that the target refuses, those of the first slice are told. */
	draw.order_counts |= crowded >= 0 && refuse_to.ms > refuse_from.ms;
	n_rows = 0;
	for (int64_t h = 0; h < UNITS; h++) {
		uint64_t n = one_in(4) ? 0 : h == crowded ? 1500 : roll(7);

		while (n--)
			add_row(h, may_repeat);
	}
	qsort(rows, n_rows, sizeof *rows, by_time);
	for (size_t i = 0; i < n_rows; i++)
		order[i] = i;
}

/* Some units have other records now, some more, some none. */
static void change_rows(void)
{
	size_t kept = 0, before = n_rows;
	int64_t gone = (int64_t)roll(UNITS);

	for (size_t i = 0; i < before; i++) {
		if (rows[i].second / 3600 == gone && !one_in(3))
			continue;
		rows[kept] = rows[i];
		if (rows[kept].second / 3600 % 4 == 1)
			rows[kept].tenths++;
		kept++;
	}
	n_rows = kept;
	for (size_t i = 0; i < n_rows; i++)
		order[i] = i;
}

static void swap(size_t *items, size_t a, size_t b)
{
	size_t item = items[a];

	items[a] = items[b];
	items[b] = item;
}

/* Any order, or, if it counts within a unit, the units' records among one another. */
static void shuffle_rows(void)
{
	size_t fresh[sizeof rows / sizeof *rows], next[UNITS] = {0};

	for (size_t i = n_rows; i > 1; i--)
		swap(order, i - 1, roll(i));
	if (!draw.order_counts)
		return;
	for (size_t i = 0; i < n_rows; i++) {
		int64_t unit = rows[order[i]].second / 3600;

		while (rows[next[unit]].second / 3600 != unit)
			next[unit]++;
		fresh[i] = next[unit]++;
	}
	memcpy(order, fresh, n_rows * sizeof *order);
}

/* ---- its answers ------------------------------------------------------------------------- */

static void put_text_time(struct etl_buf *body, int64_t ms)
{
	struct etl_civil c;

	etl_civil_from_utc((etl_wall){ms}, &c);
	etl_buf_printf(body, "\"%04d-%02d-%02d %02d:%02d:%02d\"", (int)c.year, c.month, c.day, c.hour,
		c.minute, c.second);
}

/* `at` walks through the night in which the clocks of Paris are set back, eight times as slowly. */
static void put_at(struct etl_buf *body, const struct row *row)
{
	int64_t autumn = INT64_C(1729987200000) + row->second * 1000 / 8; /* 2024-10-27T00:00:00Z on */
	int64_t offset = autumn < INT64_C(1729990800000) ? 2 * HOUR_MS : HOUR_MS;

	put_text_time(body, autumn + offset);
}

static const char *const fields[] = {"ts", "at", "v", "s", "station_id", "k", "w", "o", "l", "n"};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static bool has_field(const struct row *row, const char *field)
{
	return !(row->timeless && etl_streq(field, "ts")) && !(row->no_s && etl_streq(field, "s")) &&
		!(row->l == 4 && etl_streq(field, "l"));
}

static void put_value(struct etl_buf *body, const struct row *row, const char *field)
{
	if (etl_streq(field, "ts"))
		put_text_time(body, T0 + row->second * 1000);
	else if (etl_streq(field, "at"))
		put_at(body, row);
	else if (etl_streq(field, "v") && row->no_v)
		etl_buf_str(body, "null");
	else if (etl_streq(field, "v"))
		etl_buf_printf(body, "%g", row->tenths / 10.0);
	else if (etl_streq(field, "s"))
		etl_buf_printf(body, "\"%s%d\"", row->text_s ? "x" : "", row->tenths % 5);
	else if (etl_streq(field, "station_id"))
		etl_buf_printf(body, "\"s%d\"", row->station);
	else if (etl_streq(field, "k"))
		etl_buf_printf(body, "\"k%d\"", row->tenths % 7);
	else if (etl_streq(field, "o"))
		etl_buf_printf(body, "{\"p\":%d}", row->w / 2);
	else if (etl_streq(field, "l"))
		etl_buf_str(body, (const char *const[]){"[]", "[1]", "[{\"q\":2},3]", "[null,4,{}]"}[row->l]);
	else
		etl_buf_printf(body, "%d", etl_streq(field, "w") ? row->w : row->n);
}

static void put_value_or_null(struct etl_buf *body, const struct row *row, const char *field)
{
	if (has_field(row, field))
		put_value(body, row, field);
	else
		etl_buf_str(body, "null");
}

static void put_row(struct etl_buf *body, const struct row *row)
{
	const char *comma = "";

	etl_buf_char(body, '{');
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!has_field(row, fields[i]))
			continue;
		etl_buf_printf(body, "%s\"%s\":", comma, fields[i]);
		put_value(body, row, fields[i]);
		comma = ",";
	}
	etl_buf_char(body, '}');
}

/* A row's fields that say what it is about, and one that says something of it. */
static void put_name_and_value(struct etl_buf *body, const struct row *row, const char *field)
{
	static const char *const by[] = {"ts", "at", "station_id", "n"};

	etl_buf_char(body, '{');
	for (size_t i = 0; i < 4; i++) {
		if (!has_field(row, by[i]))
			continue;
		etl_buf_printf(body, "\"%s\":", by[i]);
		put_value(body, row, by[i]);
		etl_buf_char(body, ',');
	}
	etl_buf_printf(body, "\"p\":\"%s\",\"x\":", field);
	put_value(body, row, field);
	etl_buf_char(body, '}');
}

/* The rows that were asked for, one after another. */
struct asked {
	const struct row *rows[4000];
	size_t n;
};

static void ask(struct etl_window w, struct asked *out)
{
	out->n = 0;
	for (size_t i = 0; i < n_rows; i++)
		if (etl_window_holds(&w, (etl_wall){T0 + rows[order[i]].second * 1000}))
			out->rows[out->n++] = &rows[order[i]];
}

static void put_plain(struct etl_buf *body, const struct asked *asked, int station)
{
	const char *comma = "";

	for (size_t i = 0; i < asked->n; i++) {
		if (station >= 0 && asked->rows[i]->station != station)
			continue;
		etl_buf_str(body, comma);
		put_row(body, asked->rows[i]);
		comma = ",";
	}
}

static void put_columns(struct etl_buf *body, const struct asked *asked)
{
	for (size_t f = 0; f < N_FIELDS; f++) {
		etl_buf_printf(body, "%s\"%s\":[", f ? "," : "", fields[f]);
		for (size_t i = 0; i < asked->n; i++) {
			etl_buf_str(body, i ? "," : "");
			put_value_or_null(body, asked->rows[i], fields[f]);
		}
		etl_buf_char(body, ']');
	}
}

static void put_header_rows(struct etl_buf *body, const struct asked *asked)
{
	etl_buf_str(body, "\"head\":[");
	for (size_t f = 0; f < N_FIELDS; f++)
		etl_buf_printf(body, "%s\"%s\"", f ? "," : "", fields[f]);
	etl_buf_str(body, "],\"rows\":[");
	for (size_t i = 0; i < asked->n; i++) {
		etl_buf_str(body, i ? ",[" : "[");
		for (size_t f = 0; f < N_FIELDS; f++) {
			etl_buf_str(body, f ? "," : "");
			put_value_or_null(body, asked->rows[i], fields[f]);
		}
		etl_buf_char(body, ']');
	}
	etl_buf_char(body, ']');
}

/* Field by field: what belongs together lies far apart. */
static void put_names_and_values(struct etl_buf *body, const struct asked *asked)
{
	static const char *const said[] = {"v", "s", "k", "w", "o", "l"};
	const char *comma = "";

	for (size_t f = 0; f < sizeof said / sizeof *said; f++)
		for (size_t i = 0; i < asked->n; i++) {
			if (!has_field(asked->rows[i], said[f]))
				continue;
			etl_buf_str(body, comma);
			put_name_and_value(body, asked->rows[i], said[f]);
			comma = ",";
		}
}

static void put_stations(struct etl_buf *body, const struct asked *asked, bool keyed)
{
	for (int station = 0; station < 3; station++) {
		etl_buf_printf(body, "%s", station ? "," : "");
		if (keyed)
			etl_buf_printf(body, "\"s%d\":", station);
		etl_buf_str(body, "{\"rows\":[");
		put_plain(body, asked, station);
		etl_buf_str(body, "]}");
	}
}

static void put_shape(struct etl_buf *body, const struct asked *asked)
{
	switch (draw.shape) {
	case COLUMNS:
		put_columns(body, asked);
		break;
	case LISTS:
	case KEYED:
		put_stations(body, asked, draw.shape == KEYED);
		break;
	case HEADER_ROWS:
		put_header_rows(body, asked);
		break;
	case NAMES_AND_VALUES:
		put_names_and_values(body, asked);
		break;
	case PLAIN:
	case SHAPES:
		put_plain(body, asked, -1);
		break;
	}
}

static void cut_answer(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	struct etl_window w = request_window(&strand->request);
	bool list = draw.shape == PLAIN || draw.shape == LISTS || draw.shape == NAMES_AND_VALUES;
	static struct asked asked;

	(void)ctx;
	if (hours_max && w.end.ms - w.start.ms > hours_max * HOUR_MS) {
		etl_buf_str(&out->body, "{\"data\":[{\"ts\":nonsense");
		return;
	}
	ask(w, &asked);
	etl_buf_str(&out->body, list ? "{\"data\":[" : "{\"data\":{");
	put_shape(&out->body, &asked);
	etl_buf_str(&out->body, list ? "]}" : "}}");
}

/* ---- what was seen ----------------------------------------------------------------------- */

#define DAYPART 3 /* hours of a dependant's window */

static struct {
	bool marks[UNITS / DAYPART];
	struct etl_tally rejects, warned;
	struct etl_counts counts;
	uint64_t warnings;
} seen;

static void see_commit(void *ctx, const struct etl_commit *c)
{
	(void)ctx;
	for (size_t i = 0; i < c->n_dirty; i++)
		seen.marks[(c->dirty[i].window.start.ms - T0) / HOUR_MS / DAYPART] = true;
}

static void see_run(const struct etl_run *run)
{
	etl_tally_merge(&seen.rejects, &run->rejects);
	etl_tally_merge(&seen.warned, &run->warned);
	etl_counts_add(&seen.counts, &run->counts);
	seen.warnings += run->warnings;
}

/* What of it is told: words of the first reject go by the borders of batches, a first value by the
 * order of a unit's records. */
enum detail { ALL, NO_WORDS, NO_ORDER };

/* Lines in order, so that the order in which they came does not count. */
struct lines {
	char **items;
	size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_line(struct lines *lines, char *line)
{
	ETL_GROW(lines->items, lines->n, lines->cap);
	lines->items[lines->n++] = line;
}

static void put_lines(struct lines *lines, struct etl_buf *out)
{
	if (lines->n)
		qsort(lines->items, lines->n, sizeof *lines->items, by_text);
	for (size_t i = 0; i < lines->n; i++) {
		etl_buf_printf(out, "%s\n", lines->items[i]);
		free(lines->items[i]);
	}
	free(lines->items);
}

static void put_target(const struct memory_target *t, struct etl_buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		bson_t doc;
		char *json;

		assert_true(bson_init_static(&doc, t->rows[i].bson, t->rows[i].len));
		json = bson_as_canonical_extended_json(&doc, NULL);
		etl_buf_printf(out, "%s %lld %s\n", t->rows[i].station, (long long)t->rows[i].ts.ms, json);
		bson_free(json);
	}
}

/* What has no place belongs to the request: it is left out. So is what was beside it. */
static void put_counts(const struct etl_counts *c, struct etl_buf *out)
{
	struct etl_counts own = *c;

	own.rejected -= own.unplaced;
	own.seen = own.outside = own.unplaced = 0;
	for (size_t i = 0; i < etl_counts_n; i++)
		if (etl_counts_get(&own, &etl_counts_rows[i]))
			etl_buf_printf(out, " %s %llu", etl_counts_rows[i].name,
				(unsigned long long)etl_counts_get(&own, &etl_counts_rows[i]));
	etl_buf_char(out, '\n');
}

/* Which rules hold it, and, if the order of records is the same, which value came first. */
static void put_held(const struct etl_held *held, enum detail detail, struct etl_buf *out)
{
	struct lines lines = {0};

	for (size_t i = 0; i < held->n; i++)
		add_line(&lines, etl_strf("  held by %s %s %s (%s)", held->checks[i].check,
			held->checks[i].field, held->checks[i].limit,
			detail != NO_ORDER ? held->checks[i].value : ""));
	put_lines(&lines, out);
}

static void put_ledger(struct rig *rig, enum detail detail, struct etl_buf *out)
{
	struct ledger_view view;

	ledger_read(rig, "job", "a", &view);
	for (size_t i = 0; i < view.n; i++) {
		const struct etl_ledger_entry *e = &view.entries[i];

		etl_buf_printf(out, "hour %d %s %s%s%s:", (int)((e->window.start.ms - T0) / HOUR_MS),
			etl_window_state_word(e->state), e->hash, e->dirty ? " dirty " : " ",
			detail == ALL && !some_timeless ? e->reason : "");
		put_counts(&e->counts, out);
		put_held(&e->held, detail, out);
	}
	free(view.entries);
}

static int take_letter(void *ctx, const void *thing)
{
	const struct etl_dead_letter *letter = thing;
	char at[ETL_TIME_TEXT_BYTES] = "no time";

	if (letter->time.ms != ETL_NO_TIME)
		etl_time_format_rfc3339(letter->window.start, at);
	add_line(ctx, etl_strf("letter %s %s %s %s %s %s", at, letter->step, letter->rule, letter->path,
		letter->message, letter->id));
	return 0;
}

static void put_letters(struct rig *rig, struct etl_buf *out)
{
	struct etl_dead_query query = {.job = "job", .limit = 100000};
	struct lines lines = {0};

	assert_int_equal(etl_dead_letter_list(rig->driver.state, &query, take_letter, &lines, &rig->err), 0);
	put_lines(&lines, out);
}

static void put_tally(const struct etl_tally *tally, const char *what, struct etl_buf *out)
{
	struct lines lines = {0};

	for (size_t i = 0; i < tally->n; i++)
		if (!etl_streq(tally->rows[i].step, "decode"))
			add_line(&lines, etl_strf("%s %s %s %s %llu", what, tally->rows[i].step,
				tally->rows[i].rule, tally->rows[i].field,
				(unsigned long long)tally->rows[i].n));
	put_lines(&lines, out);
}

static void put_all(struct rig *rig, enum detail detail, struct etl_buf *out)
{
	put_target(rig->target, out);
	put_ledger(rig, detail, out);
	put_letters(rig, out);
	put_tally(&seen.rejects, "rejects", out);
	put_tally(&seen.warned, "warned", out);
	etl_buf_printf(out, "warnings %llu, all:", (unsigned long long)seen.warnings);
	put_counts(&seen.counts, out);
	for (int i = 0; i < UNITS / DAYPART; i++)
		etl_buf_printf(out, "dependant %d %s\n", i, seen.marks[i] ? "marked" : "clean");
	etl_tally_fini(&seen.rejects);
	etl_tally_fini(&seen.warned);
	memset(&seen, 0, sizeof seen);
}

/* ---- ways -------------------------------------------------------------------------------- */

static void load(struct rig *rig, enum etl_trigger_kind kind, int64_t from, int64_t to)
{
	struct etl_trigger trigger = {.kind = kind, .reprocess = ETL_REPROCESS_ALL};

	if (to > from)
		trigger.asked = (struct etl_window){hour(from), hour(to)};
	etl_run_free(rig->run);
	rig->run = etl_run_new(rig->job, &rig->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	see_run(rig->run);
}

/* Pieces of one to `most` units; the last one of them has the newest unit and stays the last: a check
 * that looks back sees what is there then. */
static void load_pieces(struct rig *rig, enum etl_trigger_kind kind, uint64_t most, bool shuffled)
{
	size_t begins[UNITS + 1], places[UNITS], n = 0;

	for (size_t at = 0; at < UNITS; at += 1 + roll(most)) {
		places[n] = n;
		begins[n++] = at;
	}
	begins[n] = UNITS;
	for (size_t i = n - 1; shuffled && i > 1; i--)
		swap(places, i - 1, roll(i));
	for (size_t i = 0; i < n; i++)
		load(rig, kind, (int64_t)begins[places[i]], (int64_t)begins[places[i] + 1]);
}

/* All at once. What was loaded before is asked for: what is only read again is not compared row by
 * row, and counts otherwise. */
static void load_span(struct rig *rig, int phase)
{
	load(rig, phase ? ETL_TRIGGER_MANUAL : ETL_TRIGGER_SCHEDULE, 0, phase ? UNITS : 0);
}

static void load_all(struct rig *rig, enum way way, int phase)
{
	hours_max = way == HALVES ? 1 + (int64_t)roll(4) : 0;
	rig->driver.piece_max = 1 + roll(5000);
	switch (way) {
	case ALONE:
		load_pieces(rig, ETL_TRIGGER_MANUAL, 1, false);
		break;
	case BACKFILL:
	case BACKFILL_AGAIN:
		if (phase || way == BACKFILL)
			load_pieces(rig, ETL_TRIGGER_BACKFILL, 5, false);
		else
			load_span(rig, phase);
		break;
	case SHUFFLED_UNITS:
		load_pieces(rig, ETL_TRIGGER_MANUAL, 3, true);
		break;
	case SHUFFLED_RECORDS:
		shuffle_rows();
		load_span(rig, phase);
		break;
	case REFUSED_SLICES:
		rig->target->write_fault =
			(struct target_fault){(unsigned)roll(3), 1, ETL_TRANSIENT, "txn.retry"};
		load_span(rig, phase);
		break;
	case SPAN:
	case HALVES:
	case WAYS:
		load_span(rig, phase);
		break;
	}
}

/* ---- histories --------------------------------------------------------------------------- */

static const char dependant[] =
	"after: [job]\n"
	"partitions: {station: [a]}\n"
	"window: {size: 3h, start: 2024-01-01}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'http://peer.test/{station}'\n"
	"    records: /data\n"
	"    time: {field: ts, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
	"load: {\"null\": {}}\n";

static const char *yaml_now;

/* Loads all in one way, with the source as it is, and as it is then; `out` holds what came of it. */
static void play(uint64_t world, enum way way, enum detail detail, struct etl_buf *out)
{
	struct rig *rig;

	dice_state = world;
	draw_rows();
	rig = rig_new(yaml_now, UNITS);
	job_rig_add(&rig->jobs, "dependant", dependant);
	job_rig_link(&rig->jobs);
	rig->driver.answer = cut_answer;
	rig->driver.after_commit = see_commit;
	rig->target->refuse_from = refuse_from;
	rig->target->refuse_to = refuse_to;
	/* A backfill leaves the watermark where it is: what it reads again is open ground to it. */
	for (int phase = 0; phase < (way == BACKFILL ? 1 : 2); phase++) {
		uint64_t then = dice_state;

		load_all(rig, way, phase);
		etl_buf_printf(out, "---- %s\n", phase ? "the source has changed" : "first");
		put_all(rig, detail, out);
		dice_state = then;
		qsort(rows, n_rows, sizeof *rows, by_time);
		change_rows();
	}
	rig_free(rig);
}

/* The first line in which they differ. */
static void need_the_same(const char *a, const char *b, enum way way, uint64_t seed)
{
	const char *line = a;

	if (strncmp(a, b, way == BACKFILL ? strlen(b) : SIZE_MAX) == 0)
		return;
	for (; *a && *a == *b; a++, b++)
		if (*a == '\n')
			line = a + 1;
	b -= a - line;
	print_error("%s", yaml_now);
	fail_msg("ETLD_SEED=%llu ETLD_CUTS_HISTORIES=1, %s\neach alone: %.*s\n%s: %.*s",
		(unsigned long long)seed, way_words[way], (int)strcspn(line, "\n"), line, way_words[way],
		(int)strcspn(b, "\n"), b);
}

static void compare(const struct etl_buf *alone, uint64_t world, enum way way, enum detail detail,
	uint64_t seed)
{
	struct etl_buf other;

	etl_buf_init(&other, 64 << 20);
	play(world, way, detail, &other);
	need_the_same(etl_buf_text(alone), etl_buf_text(&other), way, seed);
	etl_buf_fini(&other);
}

static void history(uint64_t seed)
{
	struct etl_buf alone;
	enum detail detail;
	uint64_t world;

	dice_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
	etl_buf_init(&alone, 64 << 20);
	yaml_now = draw_job();
	refuse_from = refuse_to = hour((int64_t)roll(UNITS));
	if (one_in(4))
		refuse_to = etl_wall_add(refuse_from, ETL_MINUTES(1 + (int64_t)roll(120)));
	world = dice_state;
	play(world, ALONE, ALL, &alone);
	for (enum way way = SPAN; way < SHUFFLED_RECORDS; way++)
		compare(&alone, world, way, ALL, seed);
	detail = draw.order_counts ? NO_WORDS : NO_ORDER;
	etl_buf_clear(&alone);
	play(world, ALONE, detail, &alone);
	compare(&alone, world, SHUFFLED_RECORDS, detail, seed);
	etl_buf_fini(&alone);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_cuts(void **state)
{
	uint64_t most = number_of("ETLD_CUTS_HISTORIES", 200), n = 0;
	time_t until = time(NULL) + (time_t)number_of("ETLD_CUTS_SECONDS", 5);

	(void)state;
	dice_seed();
	for (size_t i = 0; etl_transforms[i]; i++)
		(void)GENERATOR(transform, etl_transforms[i]->name);
	for (size_t i = 0; etl_checks[i]; i++)
		if (!etl_checks[i]->run)
			(void)GENERATOR(check, etl_checks[i]->name);
	for (; n < most && (n < HISTORIES_MIN || time(NULL) < until); n++)
		history(dice_given + n);
	printf("## test_cuts: %llu histories of %d ways\n", (unsigned long long)n, WAYS);
	for (size_t i = 0; n >= HISTORIES_MIN && i < sizeof transforms / sizeof *transforms; i++)
		assert_true(transforms[i].used);
	for (size_t i = 0; n >= HISTORIES_MIN && i < sizeof checks / sizeof *checks; i++)
		assert_true(checks[i].used);
	etl_buf_fini(&draw.yaml);
	unlink(lookup_file());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts)};

	return cmocka_run_group_tests_name("flow/cuts", tests, NULL, NULL);
}

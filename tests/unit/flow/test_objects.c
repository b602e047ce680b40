/* SPDX-License-Identifier: MIT
 *
 * Whole runs of a job with `window: object` over real files: what is new, changed, broken, gone or still
 * being written; and that the documents are the same however the objects came to their runs.
 */
#include "run_rig.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../lib/dice.h"

#define NOW_MS (T0 + INT64_C(1000) * HOUR_MS)

static char root[64];

struct objects {
	struct job_rig jobs;
	struct driver driver;
	struct etl_job *job;
	struct memory_target *target;
	struct etl_run *run;
};

static void begin(struct objects *o, uint64_t memory)
{
	etl_cleanup(free) char *yaml = etl_strf(
		"schedule: {every: 1h}\n"
		"retry: {max: 0}\n"
		"window: object\n"
		"extract:\n"
		"  file: {path: '%s/*.jsonl', min_age: 10s}\n"
		"  format: jsonl\n"
		"  time: {field: ts, format: epoch}\n"
		"transform:\n"
		"  - set: {file: '{object.basename}'}\n"
		"load: {\"null\": {}}\n", root);

	*o = (struct objects){.run = NULL};
	job_rig_init(&o->jobs);
	o->job = job_rig_add(&o->jobs, "files", yaml);
	job_rig_link(&o->jobs);
	o->target = &o->jobs.targets[0];
	driver_init(&o->driver, (etl_wall){NOW_MS}, 7);
	if (memory)
		o->driver.env.memory_max = memory;
}

static void end(struct objects *o)
{
	etl_run_free(o->run);
	driver_fini(&o->driver);
	job_rig_fini(&o->jobs);
}

static const struct etl_part *run(struct objects *o, const char *object)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL, .object = etl_strdup(object),
		.reprocess = ETL_REPROCESS_ALL};
	struct etl_error err = ETL_ERROR_INIT;

	etl_clock_virtual_advance(&o->driver.clock, ETL_SECONDS(60));
	etl_run_free(o->run);
	o->run = etl_run_new(o->job, &o->driver.env, 1, &trigger);
	assert_int_equal(driver_run(&o->driver, o->run, &err), 0);
	return o->run->parts[0];
}

/* Written `age` seconds before the first run. */
static void put(const char *name, const char *text, int age)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);
	FILE *file = fopen(path, "w");
	struct timeval times[2] = {{.tv_sec = NOW_MS / 1000 - age}, {.tv_sec = NOW_MS / 1000 - age}};

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
	assert_int_equal(utimes(path, times), 0);
}

static void drop(const char *name)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);

	assert_int_equal(unlink(path), 0);
}

struct seen {
	const char *name;
	struct etl_ledger_entry entry;
	bool found;
};

static int see(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct seen *seen = ctx;

	(void)err;
	seen->found = etl_streq(entry->object.name, seen->name);
	seen->entry = *entry;
	return 0;
}

/* PENDING with attempt 0: the ledger has none. */
static struct etl_ledger_entry entry_of(struct objects *o, const char *name)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);
	struct seen seen = {.name = path};
	struct etl_error err = ETL_ERROR_INIT;

	assert_true(o->driver.state->ops->ledger_objects(o->driver.state, "files", "all", path, 1, see, &seen,
			    &err) >= 0);
	return seen.found ? seen.entry : (struct etl_ledger_entry){.state = ETL_WINDOW_PENDING};
}

#define ROW(station, ts) "{\"station_id\": \"" station "\", \"ts\": " ts "}\n"

/* ---- what becomes of a folder ---------------------------------------------------------------- */

static void each_file_is_a_unit(void **state)
{
	struct objects o;
	const struct etl_part *part;
	struct etl_ledger_entry e;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100") ROW("s1", "200"), 60);
	put("b.jsonl", ROW("s2", "100"), 60);
	put("c.txt", "no", 60);
	put("empty.jsonl", "", 60);
	part = run(&o, NULL);
	assert_int_equal(part->state, ETL_PART_OK);
	assert_int_equal(part->windows.loaded, 2);
	assert_int_equal(part->windows.empty, 1);
	assert_int_equal(o.target->n, 3);
	e = entry_of(&o, "a.jsonl");
	assert_int_equal(e.state, ETL_WINDOW_LOADED);
	assert_int_equal(e.counts.out, 2);
	assert_int_equal(e.object.size, strlen(ROW("s1", "100") ROW("s1", "200")));
	assert_int_equal(e.object.mtime.ms, NOW_MS - 60000);
	part = run(&o, NULL);
	assert_int_equal(part->windows_due, 0);
	assert_int_equal(o.target->commits, 3); /* a run with nothing to read writes nothing */
	end(&o);
}

static void what_changed_is_read_again(void **state)
{
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	run(&o, NULL);
	put("a.jsonl", ROW("s1", "100"), 30); /* touched: the same content closes it without a write */
	assert_int_equal(run(&o, NULL)->windows.loaded, 1);
	assert_int_equal(o.target->inserts, 1);
	assert_int_equal(o.run->counts.unchanged, 1);
	assert_int_equal(entry_of(&o, "a.jsonl").object.mtime.ms, NOW_MS - 30000);
	put("a.jsonl", ROW("s1", "100") ROW("s1", "200"), 20);
	run(&o, NULL);
	assert_int_equal(o.target->n, 2);
	assert_int_equal(entry_of(&o, "a.jsonl").attempt, 3);
	assert_int_equal(run(&o, NULL)->windows_due, 0);
	end(&o);
}

static void a_broken_file_fails_alone(void **state)
{
	const struct etl_part *part;
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	put("b.jsonl", ROW("s2", "100") "{\"station_id\": ", 60); /* cut */
	put("c.jsonl", ROW("s3", "100"), 60);
	part = run(&o, NULL);
	assert_int_equal(part->state, ETL_PART_FAILED);
	assert_int_equal(part->windows.loaded, 2);
	assert_int_equal(part->windows.failed, 1);
	assert_non_null(strstr(part->error.message, "b.jsonl")); /* it says which */
	assert_int_equal(o.target->n, 2); /* nothing of what is not proven complete */
	assert_int_equal(entry_of(&o, "b.jsonl").state, ETL_WINDOW_FAILED);
	put("b.jsonl", ROW("s2", "100"), 50);
	part = run(&o, NULL);
	assert_int_equal(part->state, ETL_PART_OK);
	assert_int_equal(part->windows_due, 1);
	assert_int_equal(o.target->n, 3);
	end(&o);
}

/* A loaded file that is broken now: what it had stays, and it is tried again until it is whole. */
static void a_loaded_file_that_breaks_stays_loaded(void **state)
{
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	run(&o, NULL);
	put("a.jsonl", "{\"station_id\": ", 50);
	assert_int_equal(run(&o, NULL)->state, ETL_PART_FAILED);
	assert_int_equal(entry_of(&o, "a.jsonl").state, ETL_WINDOW_LOADED);
	assert_int_equal(entry_of(&o, "a.jsonl").attempt, 2);
	assert_int_equal(run(&o, NULL)->windows_due, 1);
	assert_int_equal(o.target->n, 1);
	end(&o);
}

static void what_is_young_waits(void **state)
{
	const struct etl_part *part;
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), -55); /* 5 s before the first run */
	part = run(&o, NULL);
	assert_int_equal(part->windows_due, 0);
	assert_int_equal(part->waiting, 1);
	assert_int_equal(entry_of(&o, "a.jsonl").attempt, 0);
	assert_int_equal(run(&o, NULL)->windows.loaded, 1);
	end(&o);
}

static void what_vanished_is_told(void **state)
{
	const struct etl_part *part;
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	put("b.jsonl", "{", 60);
	run(&o, NULL);
	drop("a.jsonl");
	drop("b.jsonl");
	part = run(&o, NULL);
	assert_int_equal(part->missing, 1);
	assert_int_equal(part->windows.lost, 1);
	assert_int_equal(entry_of(&o, "a.jsonl").state, ETL_WINDOW_LOADED);
	assert_int_equal(entry_of(&o, "b.jsonl").state, ETL_WINDOW_UNRECOVERABLE);
	assert_int_equal(o.target->n, 1);
	put("b.jsonl", ROW("s2", "100"), 60);
	assert_int_equal(run(&o, NULL)->windows.loaded, 1); /* it came back */
	end(&o);
}

static void what_is_no_file_is_told(void **state)
{
	etl_cleanup(free) char *folder = etl_strf("%s/d.jsonl", root), *fifo = etl_strf("%s/f.jsonl", root),
		*link = etl_strf("%s/l.jsonl", root), *odd = etl_strf("%s/\xff.jsonl", root);
	const struct etl_part *part;
	struct objects o;
	FILE *file;

	(void)state;
	begin(&o, 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0); /* nobody ever writes to it */
	assert_int_equal(symlink("/etc/passwd", link), 0);
	file = fopen(odd, "w");
	assert_non_null(file);
	fclose(file);
	put("a.jsonl", ROW("s1", "100"), 60);
	part = run(&o, NULL);
	assert_int_equal(part->windows.loaded, 1);
	assert_int_equal(part->warnings, 4);
	assert_int_equal(part->warned.n, 1);
	assert_string_equal(part->warned.rows[0].rule, "refused");
	assert_int_equal(part->warned.rows[0].n, 4);
	end(&o);
}

static void an_operator_names_one(void **state)
{
	etl_cleanup(free) char *b = etl_strf("%s/b.jsonl", root), *none = etl_strf("%s/none.jsonl", root);
	struct objects o;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	put("b.jsonl", ROW("s2", "100"), 60);
	assert_int_equal(run(&o, b)->windows.loaded, 1);
	assert_int_equal(entry_of(&o, "a.jsonl").attempt, 0);
	assert_int_equal(run(&o, b)->windows.loaded, 1); /* closed: compared with what is there */
	assert_int_equal(o.run->counts.unchanged, 1);
	assert_int_equal(run(&o, none)->warnings, 1);
	end(&o);
}

/* Larger than a slice, and than memory: the entry says running until the last slice is in. */
static void a_large_file_goes_in_by_slices(void **state)
{
	enum { ROWS = 5000 };
	struct etl_buf text;
	struct objects o;
	char row[80];

	(void)state;
	etl_buf_init(&text, 1 << 20);
	for (int i = 0; i < ROWS; i++) {
		snprintf(row, sizeof row, "{\"station_id\": \"s\", \"ts\": %d, \"v\": %d}\n", 1000 + i, i);
		etl_buf_str(&text, row);
	}
	begin(&o, 128 << 10);
	put("big.jsonl", etl_buf_text(&text), 60);
	put("small.jsonl", ROW("t", "100"), 60);
	assert_int_equal(run(&o, NULL)->state, ETL_PART_OK);
	assert_int_equal(o.target->n, ROWS + 1);
	assert_true(o.target->commits > ROWS / 1000);
	assert_int_equal(o.run->counts.inserted, ROWS + 1);
	assert_int_equal(entry_of(&o, "big.jsonl").counts.out, ROWS);
	assert_int_equal(entry_of(&o, "small.jsonl").counts.out, 1);
	end(&o);
	etl_buf_fini(&text);
}

/* A target in MongoDB without transactions: what is being written is on record before, by its name. */
static void a_write_without_an_answer_has_its_object_read_again(void **state)
{
	struct etl_sink_type sink = memory_target_type;
	struct objects o;

	(void)state;
	begin(&o, 0);
	sink.joins_transaction = true;
	o.job->loads[0].type = &sink;
	put("a.jsonl", ROW("s1", "100"), 60);
	put("b.jsonl", ROW("s2", "100"), 60);
	o.target->write_fault = (struct target_fault){.after = 1, .times = 1, .kind = ETL_DATA,
		.code = "target.late"};
	assert_int_equal(run(&o, NULL)->state, ETL_PART_FAILED);
	assert_false(entry_of(&o, "a.jsonl").dirty);
	assert_true(entry_of(&o, "b.jsonl").dirty);
	assert_int_equal(run(&o, NULL)->windows_due, 1);
	assert_int_equal(entry_of(&o, "b.jsonl").state, ETL_WINDOW_LOADED);
	while (entry_of(&o, "b.jsonl").dirty)
		assert_int_equal(run(&o, NULL)->windows_due, 1);
	assert_int_equal(run(&o, NULL)->windows_due, 0);
	end(&o);
}

/* ---- the mark of a job with objects ------------------------------------------------------------ */

/* It says that all there was had been read once (`after` asks for it), and is no event time. */
static void the_mark_moves_when_all_is_in(void **state)
{
	struct objects o;
	etl_wall mark;

	(void)state;
	begin(&o, 0);
	put("a.jsonl", ROW("s1", "100"), 60);
	put("b.jsonl", "{", 60);
	put("c.jsonl", ROW("s3", "100"), 60);
	assert_int_equal(run(&o, NULL)->watermark.ms, 0);
	put("b.jsonl", ROW("s2", "100"), 50);
	mark = run(&o, NULL)->watermark;
	assert_int_equal(mark.ms, o.run->planned.ms);
	end(&o);
}

/* ---- whatever the order -------------------------------------------------------------------------- */

enum { FILES = 12 };

static void name_of(int file, char out[24])
{
	snprintf(out, 24, "f%02d.jsonl", file);
}

static void write_file(int file, int version)
{
	char name[24], row[80];
	struct etl_buf text;

	etl_buf_init(&text, 4096);
	for (int i = 0; i < file % 4 + version; i++) {
		snprintf(row, sizeof row, "{\"station_id\": \"s%d\", \"ts\": %d, \"v\": %d}\n", file, i,
			version);
		etl_buf_str(&text, row);
	}
	name_of(file, name);
	put(name, etl_buf_text(&text), 5000 - version * 10);
	etl_buf_fini(&text);
}

static void drop_all(void)
{
	char name[24];

	for (int i = 0; i < FILES; i++) {
		name_of(i, name);
		drop(name);
	}
}

/* All at once, in one run. */
static void load_at_once(struct objects *o)
{
	begin(o, 0);
	for (int i = 0; i < FILES; i++)
		write_file(i, 2);
	assert_int_equal(run(o, NULL)->state, ETL_PART_OK);
	drop_all();
}

/* File by file in any order, some first in an older version, runs in between, some asked for by name. */
static void load_by_dice(struct objects *o)
{
	bool there[FILES] = {false};
	int left = FILES;

	begin(o, 0);
	while (left) {
		int file = (int)roll(FILES);
		char name[24];

		name_of(file, name);
		if (!there[file]) {
			there[file] = true;
			write_file(file, roll(2) ? 2 : 1);
			left--;
		}
		if (roll(3) == 0) {
			etl_cleanup(free) char *path = etl_strf("%s/%s", root, name);

			assert_int_equal(run(o, roll(2) ? path : NULL)->state, ETL_PART_OK);
		}
	}
	for (int i = 0; i < FILES; i++)
		write_file(i, 2);
	assert_int_equal(run(o, NULL)->state, ETL_PART_OK);
	assert_int_equal(run(o, NULL)->windows_due, 0);
	drop_all();
}

static void need_the_same(struct objects *a, struct objects *b)
{
	assert_int_equal(a->target->n, b->target->n);
	for (size_t i = 0; i < a->target->n; i++) {
		assert_int_equal(a->target->rows[i].len, b->target->rows[i].len);
		assert_memory_equal(a->target->rows[i].bson, b->target->rows[i].bson, a->target->rows[i].len);
	}
	for (int i = 0; i < FILES; i++) {
		char name[24];

		name_of(i, name);
		assert_string_equal(entry_of(a, name).hash, entry_of(b, name).hash);
		assert_int_equal(entry_of(a, name).counts.out, entry_of(b, name).counts.out);
	}
}

static void documents_do_not_depend_on_the_order(void **state)
{
	(void)state;
	dice_seed();
	for (int round = 0; round < 20; round++) {
		struct objects *whole = ETL_NEW(struct objects), *dice = ETL_NEW(struct objects);

		load_at_once(whole);
		load_by_dice(dice);
		driver_now = &dice->driver;
		need_the_same(whole, dice);
		end(dice);
		end(whole);
		free(whole);
		free(dice);
	}
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/etl-objects-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	return system(command); /* NOLINT: our own folder */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_file_is_a_unit),
		CASE(what_changed_is_read_again),
		CASE(a_broken_file_fails_alone),
		CASE(a_loaded_file_that_breaks_stays_loaded),
		CASE(what_is_young_waits),
		CASE(what_vanished_is_told),
		CASE(what_is_no_file_is_told),
		CASE(an_operator_names_one),
		CASE(a_large_file_goes_in_by_slices),
		CASE(a_write_without_an_answer_has_its_object_read_again),
		CASE(the_mark_moves_when_all_is_in),
		CASE(documents_do_not_depend_on_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * Which windows are in which target: noting one moves it, neighbours join, the list stays short,
 * and documents give back what they were given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

#include "state/targets.h"

#define H(n) ((etl_wall){(int64_t)(n) * 3600000})

static void note(struct etl_targets *t, const char *target, int from, int until)
{
	for (int hour = from; hour < until; hour++)
		etl_targets_note(t, target, (struct etl_window){H(hour), H(hour + 1)});
}

static const char *name_of(const struct etl_targets *t, size_t range)
{
	size_t maker = t->ranges[range].maker;

	return maker == ETL_TARGET_MIXED ? "*" : t->makers[maker].target;
}

/* "a:0-19 b:19-22" */
static const char *text(const struct etl_targets *t)
{
	static char out[2048];
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < t->n; i++)
		at += (size_t)snprintf(out + at, sizeof out - at, "%s%s:%d-%d", i ? " " : "", name_of(t, i),
			(int)(t->ranges[i].windows.start.ms / 3600000),
			(int)(t->ranges[i].windows.end.ms / 3600000));
	return out;
}

static void test_noting_moves(void **state)
{
	struct etl_targets t = {.n = 0};

	(void)state;
	note(&t, "a", 0, 19);
	assert_string_equal(text(&t), "a:0-19");
	note(&t, "b", 19, 22);
	assert_string_equal(text(&t), "a:0-19 b:19-22");
	note(&t, "b", 16, 19); /* a lookback */
	assert_string_equal(text(&t), "a:0-16 b:16-22");
	note(&t, "b", 5, 6); /* in the middle */
	assert_string_equal(text(&t), "a:0-5 b:5-6 a:6-16 b:16-22");
	note(&t, "a", 5, 6);
	assert_string_equal(text(&t), "a:0-16 b:16-22");
	note(&t, "a", 30, 31); /* a gap: nothing is known of it */
	assert_string_equal(text(&t), "a:0-16 b:16-22 a:30-31");
	assert_null(etl_targets_at(&t, H(25)));
	assert_string_equal(etl_targets_at(&t, H(21)), "b");
	etl_targets_note(&t, "c", (struct etl_window){H(-1), H(40)}); /* of a larger grid */
	assert_string_equal(text(&t), "c:-1-40");
}

/* Of a job without windows there is one, which is replaced as a whole. */
static void test_the_one_window(void **state)
{
	struct etl_targets t = {.n = 0};

	(void)state;
	etl_targets_note(&t, "a", (struct etl_window){{0}, {0}});
	assert_string_equal(etl_targets_at(&t, (etl_wall){0}), "a");
	etl_targets_note(&t, "b", (struct etl_window){{0}, {0}});
	assert_string_equal(etl_targets_at(&t, (etl_wall){0}), "b");
	assert_int_equal(t.n, 1);
}

static void test_a_full_list(void **state)
{
	struct etl_targets t = {.n = 0};

	(void)state;
	note(&t, "a", 0, 1000);
	for (int i = 0; i < 100; i++)
		note(&t, "b", 10 * i + 5, 10 * i + 6);
	assert_true(t.n <= ETL_TARGET_RANGES_MAX);
	assert_string_equal(etl_targets_at(&t, H(995)), "b");
	note(&t, "b", 0, 1000); /* in order, as a backfill does */
	assert_string_equal(text(&t), "b:0-1000");
}

static void test_more_targets_than_places(void **state)
{
	struct etl_targets t = {.n = 0};
	char name[16];

	(void)state;
	note(&t, "first", 0, 100);
	for (int i = 0; i < ETL_TARGETS_MAX + 3; i++) {
		snprintf(name, sizeof name, "t%d", i);
		note(&t, name, 100 + 2 * i, 102 + 2 * i);
	}
	assert_string_equal(etl_targets_at(&t, H(50)), "first");
	assert_string_equal(etl_targets_at(&t, H(100 + 2 * (ETL_TARGETS_MAX + 2))), name);
	assert_null(etl_targets_at(&t, H(100)));
}

static void test_documents(void **state)
{
	struct etl_targets t = {.n = 0}, back;
	bson_t doc = BSON_INITIALIZER, other = BSON_INITIALIZER;

	(void)state;
	etl_targets_read(&doc, &back);
	assert_int_equal(back.n, 0);
	note(&t, "etl.a", 0, 19);
	note(&t, "etl.b", 19, 22);
	etl_targets_append(&t, &doc);
	etl_targets_read(&doc, &back);
	assert_string_equal(text(&back), "etl.a:0-19 etl.b:19-22");
	bson_destroy(&doc);

	assert_true(bson_init_from_json(&other,
		"{\"targets\": [1, {}, {\"target\": \"x\"}, "
		"{\"target\": \"\", \"from\": {\"$date\": 0}, \"until\": {\"$date\": 5}}, "
		"{\"target\": \"x\", \"from\": {\"$date\": 5}, \"until\": {\"$date\": 5}}, "
		"{\"target\": \"etl.c\", \"from\": {\"$date\": 0}, \"until\": {\"$date\": 3600000}}]}",
		-1, NULL));
	etl_targets_read(&other, &back);
	assert_string_equal(text(&back), "etl.c:0-1");
	bson_destroy(&other);
}

/* Random notes against a plain table of hours: what the list claims is what was noted last. */
static void test_against_a_table(void **state)
{
	unsigned seed = (unsigned)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 200; round++) {
		struct etl_targets t = {.n = 0};
		int table[40] = {0};
		char name[2] = "a";

		for (int i = 0; i < 60; i++) {
			int from = rand_r(&seed) % 40, until = from + 1 + rand_r(&seed) % (40 - from);
			int who = 1 + rand_r(&seed) % 3;

			name[0] = (char)('a' + who);
			etl_targets_note(&t, name, (struct etl_window){H(from), H(until)});
			for (int k = from; k < until; k++)
				table[k] = who;
		}
		for (int k = 0; k < 40; k++) {
			const char *at = etl_targets_at(&t, H(k));

			if (at && (!table[k] || at[0] != 'a' + table[k]))
				fail_msg("hour %d is in %s, not in %c", k, at, 'a' + table[k]);
		}
	}
}

#define MANY 200

/* Whatever was noted last: a sharp range says so, or a mixed one says nothing and an entry knows. */
static void need_true(const struct etl_targets *t, const unsigned table[MANY], unsigned seed)
{
	for (int h = 0; h < MANY; h++) {
		const struct etl_target_range *range = etl_targets_range(t, H(h));
		const struct etl_maker *by = etl_targets_maker(t, H(h), table[h] ? 100 + table[h] : 0);

		if (table[h] && !range)
			fail_msg("seed %u: hour %d is in no range", seed, h);
		if (!table[h] && range && !range->loose)
			fail_msg("seed %u: nothing was noted of hour %d", seed, h);
		if (table[h] && by && by->definition != 100 + table[h])
			fail_msg("seed %u: hour %d is of %u", seed, h, table[h]);
	}
}

/* More makers and more ranges than the list takes; documents give back the same, with the makers that
 * are in no range of their own. */
static void nothing_that_is_said_is_wrong(void **state)
{
	unsigned seed = (unsigned)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 60; round++) {
		struct etl_targets t = {.n = 0}, back;
		unsigned table[MANY] = {0};

		for (int i = 0; i < 120; i++) {
			int from = rand_r(&seed) % MANY, until = from + 1 + rand_r(&seed) % 5;
			unsigned who = 1 + (unsigned)rand_r(&seed) % (ETL_TARGETS_MAX + 3);
			struct etl_maker by = {.definition = 100 + who, .since = H(who)};
			bson_t doc = BSON_INITIALIZER;

			snprintf(by.target, sizeof by.target, "t%u", who % 3);
			for (int h = from; h < until && h < MANY; h++) {
				etl_targets_note_by(&t, &by, (struct etl_window){H(h), H(h + 1)});
				table[h] = who;
			}
			need_true(&t, table, seed);
			etl_targets_append(&t, &doc);
			etl_targets_read(&doc, &back);
			need_true(&back, table, seed);
			assert_string_equal(text(&back), text(&t));
			if (i % 3 == 0)
				t = back;
			bson_destroy(&doc);
		}
		assert_true(t.n <= ETL_TARGET_RANGES_MAX);
	}
}

/* Its place in any range, also through a document. */
static void need_maker(const struct etl_targets *t, int hour, uint64_t definition, const char *target)
{
	const struct etl_maker *by = etl_targets_maker(t, H(hour), definition);
	bson_t doc = BSON_INITIALIZER;
	struct etl_targets back;

	assert_non_null(by);
	assert_string_equal(by->target, target);
	etl_targets_append(t, &doc);
	etl_targets_read(&doc, &back);
	by = etl_targets_maker(&back, H(hour), definition);
	assert_non_null(by);
	assert_string_equal(by->target, target);
	bson_destroy(&doc);
}

/* A maker that is in no range of its own any more is known where an entry of a mixed one names it. */
static void test_a_mixed_range_knows_its_makers(void **state)
{
	const struct etl_maker a = {.target = "etl.a", .definition = 100},
			       b = {.target = "etl.b", .definition = 200};
	struct etl_targets t = {.n = 0};
	size_t mixed = 0;

	(void)state;
	for (int h = 0; h < 1000; h++)
		etl_targets_note_by(&t, &a, (struct etl_window){H(h), H(h + 1)});
	for (int h = 5; h < 1000; h += 10)
		etl_targets_note_by(&t, &b, (struct etl_window){H(h), H(h + 1)});
	for (size_t i = 0; i < t.n; i++) { /* all that is known to be of b is of a again */
		const struct etl_target_range r = t.ranges[i];

		if (r.maker != ETL_TARGET_MIXED && t.makers[r.maker].definition == b.definition) {
			etl_targets_note_by(&t, &a, r.windows);
			i = (size_t)-1;
		}
	}
	while (mixed < t.n && t.ranges[mixed].maker != ETL_TARGET_MIXED)
		mixed++;
	assert_true(mixed < t.n);
	mixed = (size_t)(t.ranges[mixed].windows.start.ms / 3600000);
	need_maker(&t, (int)mixed, a.definition, "etl.a");
	need_maker(&t, (int)mixed, b.definition, "etl.b");
	assert_null(etl_targets_at(&t, H(mixed)));
}

/* Of makers with as much each the one that began first goes, wherever it stands. */
static void test_the_older_maker_goes(void **state)
{
	struct etl_targets t = {.n = 0};

	(void)state;
	for (int i = 0; i <= ETL_TARGETS_MAX; i++) {
		struct etl_maker by = {.definition = 100 + (uint64_t)i,
			.since = H(i == 5 ? 1 : 10 + i)};

		snprintf(by.target, sizeof by.target, "t%d", i);
		etl_targets_note_by(&t, &by, (struct etl_window){H(i), H(i + 1)});
	}
	for (int i = 0; i <= ETL_TARGETS_MAX; i++)
		assert_int_equal(etl_targets_at(&t, H(i)) != NULL, i != 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noting_moves),
		cmocka_unit_test(test_the_one_window),
		cmocka_unit_test(test_a_full_list),
		cmocka_unit_test(test_more_targets_than_places),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_against_a_table),
		cmocka_unit_test(test_a_mixed_range_knows_its_makers),
		cmocka_unit_test(test_the_older_maker_goes),
		cmocka_unit_test(nothing_that_is_said_is_wrong),
	};

	return cmocka_run_group_tests_name("targets", tests, NULL, NULL);
}

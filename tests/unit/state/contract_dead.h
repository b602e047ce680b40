/* SPDX-License-Identifier: MIT
 *
 * What every store must do about reading dead letters. Included by contract.h.
 */
#ifndef TESTS_STATE_CONTRACT_DEAD_H
#define TESTS_STATE_CONTRACT_DEAD_H

#define DEAD_KEPT 16

struct letters {
	struct {
		char id[40], job[16], partition[16], run_id[40], step[16], rule[16], path[16], message[64],
			raw[16];
		struct etl_dead_letter letter; /* its pointers are of the call */
	} items[DEAD_KEPT];
	size_t n; /* that there were */
};

#define DEAD_TEXT(field) snprintf(to->items[to->n].field, sizeof to->items[0].field, "%s", l->field)

static int keep_letter(void *ctx, const void *thing)
{
	const struct etl_dead_letter *l = thing;
	struct letters *to = ctx;

	if (to->n >= DEAD_KEPT) {
		to->n++;
		return 0;
	}
	DEAD_TEXT(id);
	DEAD_TEXT(job);
	DEAD_TEXT(partition);
	DEAD_TEXT(run_id);
	DEAD_TEXT(step);
	DEAD_TEXT(rule);
	DEAD_TEXT(path);
	DEAD_TEXT(message);
	if (l->raw)
		memcpy(to->items[to->n].raw, l->raw, l->raw_len < 16 ? l->raw_len : 16);
	to->items[to->n++].letter = *l;
	return 0;
}

static struct letters letters_of(struct etl_dead_query query)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct letters found = {.n = 0};

	if (etl_dead_letter_list(store, &query, keep_letter, &found, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(found.n <= DEAD_KEPT);
	return found;
}

static struct letters letters_that_begin(const char *prefix, int limit)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct letters found = {.n = 0};

	if (etl_dead_letter_find(store, prefix, limit, keep_letter, &found, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(found.n <= DEAD_KEPT);
	return found;
}

/* One record, refused at an hour, by a rule; `window` < 0: no window owns it. */
static void refuse(const char *job, const char *partition, const char *run, int at, int window,
	const char *rule, const char *raw)
{
	struct etl_window of = {H(window), H(window + 1)};
	struct etl_dead_letter_info info = {job, partition, run, recent(at), window < 0 ? NULL : &of};
	struct etl_reject r = {.step = "check", .rule = rule, .path = "/v", .message = "too much",
		.raw = (const uint8_t *)raw, .raw_len = (uint32_t)strlen(raw), .position = 7,
		.time = H(5)};
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_dead_letters_add(store, &info, &r, 1, &err) < 0)
		fail_msg("%s", err.message);
}

/* "raw raw ...", as they are listed; a list has no raw bytes, so their letters are looked up. */
static void need_letters(struct etl_dead_query query, const char *wanted)
{
	struct letters found = letters_of(query);
	char text[256] = "";

	for (size_t i = 0; i < found.n; i++) {
		struct letters whole = letters_that_begin(found.items[i].id, 2);

		assert_null(found.items[i].letter.raw);
		assert_int_equal(whole.n, 1);
		strcat(text, *text ? " " : "");
		strcat(text, whole.items[0].raw);
	}
	assert_string_equal(text, wanted);
}

static void dead_letters_are_told_whole(void **state)
{
	struct etl_window of[2] = {{H(3), H(4)}, {H(0), H(0)}};
	struct etl_dead_letter_info info = {"d1", "p", RUN_A, recent(2), of};
	struct etl_reject r[2] = {
		{.step = "check", .rule = "range", .path = "/v", .message = "too much",
			.raw = (const uint8_t *)"{\xff}", .raw_len = 3, .raw_cut = true, .position = 7,
			.time = H(3)},
		{.step = "decode", .rule = "json", .path = "", .message = "no",
			.raw = (const uint8_t *)"\x05\0\0\0", .raw_len = 5, .raw_is_bson = true,
			.time = {ETL_NO_TIME}},
	};
	struct etl_error err = ETL_ERROR_INIT;
	struct letters found;
	size_t check;

	(void)state;
	assert_int_equal(etl_dead_letters_add(store, &info, r, 2, &err), 0);
	found = letters_of((struct etl_dead_query){.job = "d1"});
	assert_int_equal(found.n, 2);
	check = strcmp(found.items[0].step, "check") != 0;
	assert_true(found.items[check].letter.raw_cut); /* a list tells it without the bytes */
	assert_false(found.items[check].letter.raw_is_bson);
	assert_true(found.items[!check].letter.raw_is_bson);
	found = letters_that_begin(found.items[check].id, 2);
	assert_int_equal(found.n, 1);
	assert_int_equal(strlen(found.items[0].id), 32);
	assert_string_equal(found.items[0].job, "d1");
	assert_string_equal(found.items[0].partition, "p");
	assert_string_equal(found.items[0].run_id, RUN_A);
	assert_string_equal(found.items[0].step, "check");
	assert_string_equal(found.items[0].rule, "range");
	assert_string_equal(found.items[0].path, "/v");
	assert_string_equal(found.items[0].message, "too much");
	assert_int_equal(found.items[0].letter.at.ms, recent(2).ms);
	assert_int_equal(found.items[0].letter.first_at.ms, recent(2).ms);
	assert_int_equal(found.items[0].letter.times, 1);
	assert_int_equal(found.items[0].letter.window.start.ms, H(3).ms);
	assert_int_equal(found.items[0].letter.window.end.ms, H(4).ms);
	assert_int_equal(found.items[0].letter.time.ms, H(3).ms);
	assert_int_equal(found.items[0].letter.position, 7);
	assert_int_equal(found.items[0].letter.raw_len, 3);
	assert_memory_equal(found.items[0].raw, "{\xff}", 3);
	assert_true(found.items[0].letter.raw_cut);
	assert_false(found.items[0].letter.raw_is_bson);
	found = letters_of((struct etl_dead_query){.job = "d1"});
	found = letters_that_begin(found.items[!check].id, 2);
	assert_int_equal(found.items[0].letter.window.start.ms, found.items[0].letter.window.end.ms);
	assert_int_equal(found.items[0].letter.time.ms, ETL_NO_TIME);
	assert_true(found.items[0].letter.raw_is_bson);
	assert_false(found.items[0].letter.raw_cut);
}

static void a_letter_that_comes_again_is_counted(void **state)
{
	struct letters found;

	(void)state;
	refuse("d2", "p", RUN_A, 1, 5, "range", "one");
	refuse("d2", "p", RUN_B, 3, 5, "range", "one");
	found = letters_of((struct etl_dead_query){.job = "d2"});
	assert_int_equal(found.n, 1);
	assert_int_equal(found.items[0].letter.times, 2);
	assert_int_equal(found.items[0].letter.first_at.ms, recent(1).ms);
	assert_int_equal(found.items[0].letter.at.ms, recent(3).ms);
	assert_string_equal(found.items[0].run_id, RUN_B);
}

#define RUN_C "01234567-89ab-7def-8123-456789abcde1"
#define RUN_D "01234567-89ab-7def-8123-456789abcde2"

static void dead_letters_are_listed_newest_first(void **state)
{
	struct etl_window fourth = {H(4), H(5)}, sixth = {H(6), H(7)};

	(void)state;
	refuse("d3", "p", RUN_C, 1, 4, "range", "a");
	refuse("d3", "q", RUN_C, 3, 4, "range", "b");
	refuse("d3", "p", RUN_D, 2, 5, "cast", "c");
	refuse("d3", "p", RUN_D, 4, -1, "json", "d");
	refuse("d4", "p", RUN_D, 5, 4, "range", "e");
	need_letters((struct etl_dead_query){.job = "d3"}, "d b c a");
	need_letters((struct etl_dead_query){.job = "d3", .limit = 2}, "d b");
	need_letters((struct etl_dead_query){.job = "d3", .partition = "q"}, "b");
	need_letters((struct etl_dead_query){.job = "d3", .window = &fourth}, "b a");
	need_letters((struct etl_dead_query){.job = "d3", .window = &fourth, .partition = "p"}, "a");
	need_letters((struct etl_dead_query){.job = "d3", .window = &sixth}, "");
	need_letters((struct etl_dead_query){.run_id = RUN_C}, "b a");
	need_letters((struct etl_dead_query){.run_id = RUN_D}, "e d c");
	need_letters((struct etl_dead_query){.job = "nobody"}, "");
	assert_true(letters_of((struct etl_dead_query){.limit = 5}).n == 5);
	need_letters((struct etl_dead_query){.limit = 1}, "e"); /* of all jobs */
}

/* Letters of one moment are parted by their ids: none is left out, none comes twice. */
static void a_list_of_letters_goes_on_behind_one(void **state)
{
	static const char *const raws[] = {"1", "2", "3", "4", "5", "6", "7"};
	struct etl_dead_query query = {.job = "d5", .limit = 2};
	struct letters page, all;
	size_t seen = 0;
	char last[40];

	(void)state;
	for (int i = 0; i < 7; i++)
		refuse("d5", "p", RUN_A, i < 5 ? 1 : 2, 5, "range", raws[i]);
	all = letters_of((struct etl_dead_query){.job = "d5"});
	assert_int_equal(all.n, 7);
	while ((page = letters_of(query)).n) {
		for (size_t i = 0; i < page.n; i++)
			assert_string_equal(page.items[i].id, all.items[seen++].id);
		strcpy(last, page.items[page.n - 1].id);
		query.before = last;
		query.before_at = page.items[page.n - 1].letter.at;
	}
	assert_int_equal(seen, 7);
}

static int keep_sums(void *ctx, const struct etl_dead_sum *sum)
{
	char *text = ctx, one[128];

	snprintf(one, sizeof one, "%s/%s %d %d-%d;", sum->step, sum->rule, (int)sum->n,
		(int)(sum->oldest.ms / 3600000), (int)(sum->newest.ms / 3600000));
	strcat(text, one);
	return 0;
}

static void need_sums(struct etl_dead_query query, const char *wanted)
{
	struct etl_error err = ETL_ERROR_INIT;
	char text[512] = "";

	if (etl_dead_letter_sums(store, &query, keep_sums, text, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(text, wanted);
}

static void dead_letters_are_counted_by_rule(void **state)
{
	struct etl_window fourth = {H(4), H(5)};

	(void)state; /* the letters of the list above */
	need_sums((struct etl_dead_query){.job = "d3"},
		"check/range 2 4-4;check/cast 1 5-5;check/json 1 0-0;");
	need_sums((struct etl_dead_query){.job = "d3", .partition = "p"},
		"check/cast 1 5-5;check/json 1 0-0;check/range 1 4-4;");
	need_sums((struct etl_dead_query){.job = "d3", .window = &fourth}, "check/range 2 4-4;");
	need_sums((struct etl_dead_query){.run_id = RUN_D},
		"check/cast 1 5-5;check/json 1 0-0;check/range 1 4-4;");
	need_sums((struct etl_dead_query){.job = "nobody"}, "");
}

/* It is a window as any other, not the lack of one. */
static void letters_of_the_first_window_of_all_are_counted(void **state)
{
	(void)state;
	refuse("d6", "p", RUN_A, 3, 0, "range", "one");
	refuse("d6", "p", RUN_A, 2, 5, "range", "two");
	refuse("d6", "p", RUN_A, 1, -1, "range", "three");
	need_sums((struct etl_dead_query){.job = "d6"}, "check/range 3 0-5;");
	refuse("d6", "q", RUN_A, 2, 5, "range", "two");
	refuse("d6", "q", RUN_A, 1, 0, "range", "one");
	need_sums((struct etl_dead_query){.job = "d6", .partition = "q"}, "check/range 2 0-5;");
}

static void letters_are_found_by_the_beginning_of_their_id(void **state)
{
	struct letters all = letters_of((struct etl_dead_query){.job = "d5"});
	char prefix[40];

	(void)state;
	snprintf(prefix, sizeof prefix, "%.12s", all.items[3].id);
	assert_int_equal(letters_that_begin(prefix, 2).n, 1);
	assert_string_equal(letters_that_begin(prefix, 2).items[0].id, all.items[3].id);
	assert_int_equal(letters_that_begin("", 3).n, 3);
	assert_int_equal(letters_that_begin("ffffffffffffffffffffffffffffffff", 3).n, 0);
	assert_int_equal(letters_that_begin("xyz", 3).n, 0);
}

#endif

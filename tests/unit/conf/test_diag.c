/* SPDX-License-Identifier: MIT
 *
 * The printed form: excerpts, order, cap, what is masked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/json.h"
#include "sample.h"

static struct etl_node *parse(struct etl_arena *arena, struct etl_diag *diag, const char *name,
	const char *text)
{
	return etl_conf_parse(arena, name, text, strlen(text), NULL, diag);
}

static void assert_printed(struct etl_diag *diag, const char *expected)
{
	struct etl_buf out;

	etl_buf_init(&out, 1 << 16);
	etl_diag_print(diag, &out);
	assert_string_equal(etl_buf_text(&out), expected);
	etl_buf_fini(&out);
	etl_diag_free(diag);
}

static void the_form_is_the_documented_one(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "/etc/etld/jobs.d/airqino.yaml",
		"description: x\nshedule: \"@hourly\"\n");

	(void)state;
	etl_diag_add(diag, &root->keys[1]->mark, ETL_DIAG_UNKNOWN, "did you mean 'schedule'?",
		"man etld.yaml, job", "unknown key '%s' in %s", "shedule", "job 'airqino'");
	etl_arena_free(arena);
	assert_printed(diag,
		"error[E012]: unknown key 'shedule' in job 'airqino'\n"
		"  --> /etc/etld/jobs.d/airqino.yaml:2:1\n"
		"   2 | shedule: \"@hourly\"\n"
		"     | ^^^^^^^ did you mean 'schedule'?\n"
		"  help: man etld.yaml, job\n");
}

static void errors_are_sorted_and_repeated_ones_kept_once(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *b = parse(arena, diag, "b", "- x\n- y\n");
	struct etl_node *a = parse(arena, diag, "a", "[p,  q]\n");

	(void)state;
	etl_diag_add(diag, &b->items[1]->mark, ETL_DIAG_TYPE, NULL, NULL, "four");
	etl_diag_add(diag, &b->items[0]->mark, ETL_DIAG_TYPE, NULL, NULL, "three");
	etl_diag_add(diag, &b->items[0]->mark, ETL_DIAG_TYPE, NULL, NULL, "three");
	etl_diag_add(diag, &a->items[1]->mark, ETL_DIAG_TYPE, NULL, NULL, "two");
	etl_diag_add(diag, NULL, ETL_DIAG_CYCLE, "a hint", NULL, "one");
	assert_int_equal(etl_diag_count(diag), 5);
	etl_arena_free(arena);
	assert_printed(diag,
		"error[E019]: one\n  hint: a hint\n\n"
		"error[E014]: two\n  --> a:1:6\n   1 | [p,  q]\n     |      ^\n\n"
		"error[E014]: three\n  --> b:1:3\n   1 | - x\n     |   ^\n\n"
		"error[E014]: four\n  --> b:2:3\n   2 | - y\n     |   ^\n");
}

static void after_fifty_they_are_counted(void **state)
{
	struct etl_diag *diag = etl_diag_new();
	struct etl_buf out;

	(void)state;
	for (int i = 0; i < ETL_DIAG_ERRORS_MAX; i++)
		etl_diag_add(diag, NULL, ETL_DIAG_TYPE, NULL, NULL, "error %d", i);
	etl_buf_init(&out, 1 << 16);
	etl_diag_print(diag, &out);
	assert_null(strstr(etl_buf_text(&out), "more error"));
	etl_diag_add(diag, NULL, ETL_DIAG_TYPE, NULL, NULL, "one too many");
	etl_buf_clear(&out);
	etl_diag_print(diag, &out);
	assert_non_null(strstr(etl_buf_text(&out), "\n1 more error\n"));
	assert_null(strstr(etl_buf_text(&out), "one too many"));
	etl_diag_add(diag, NULL, ETL_DIAG_TYPE, NULL, NULL, "two too many");
	etl_buf_clear(&out);
	etl_diag_print(diag, &out);
	assert_non_null(strstr(etl_buf_text(&out), "\n2 more errors\n"));
	assert_int_equal(etl_diag_count(diag), 52);
	etl_buf_fini(&out);
	etl_diag_free(diag);
}

static void control_bytes_never_reach_the_output(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "evil\n\x1b[2J.yaml", "a:\tb\n");

	(void)state;
	etl_diag_add(diag, &root->items[0]->mark, ETL_DIAG_TYPE, "\r", "\n", "x\ny\xffz");
	etl_arena_free(arena);
	assert_printed(diag,
		"error[E014]: x?y?z\n  --> evil??[2J.yaml:1:4\n   1 | a: b\n     |    ^ ?\n"
		"  help: ?\n");
}

/* What turns text around, and control characters of two bytes. */
static void no_text_deceives(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "\xe2\x80\xae" "f", "a: \xe2\x81\xa6" "b\n");

	(void)state;
	etl_diag_add(diag, &root->items[0]->mark, ETL_DIAG_TYPE, NULL, NULL, "x\xc2\x9b" "2J");
	etl_arena_free(arena);
	assert_printed(diag, "error[E014]: x?2J\n  --> ?f:1:4\n   1 | a: ?b\n     |    ^^\n");
}

static void what_is_hidden_is_hidden_in_every_excerpt(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "f", "{a: sécret, b: c}\n");

	(void)state;
	etl_diag_add(diag, &root->items[1]->mark, ETL_DIAG_TYPE, NULL, NULL, "before");
	etl_diag_hide(diag, &root->items[0]->mark);
	etl_arena_free(arena);
	assert_printed(diag,
		"error[E014]: before\n  --> f:1:16\n   1 | {a: ******, b: c}\n"
		"     |                ^\n");
}

static void warnings_beyond_the_cap_are_counted(void **state)
{
	struct etl_diag *diag = etl_diag_new();
	struct etl_buf out;

	(void)state;
	for (int i = 0; i < ETL_DIAG_ERRORS_MAX + 2; i++)
		etl_diag_file(diag, ETL_DIAG_WARNING, "x.yml", ETL_DIAG_UNREAD, NULL, "%d", i);
	etl_buf_init(&out, 1 << 16);
	etl_diag_warnings(diag, &out);
	assert_non_null(strstr(etl_buf_text(&out), "warning[W001]: 49\n2 more warnings\n"));
	etl_buf_fini(&out);
	etl_diag_free(diag);
}

static void the_first_error_on_one_line(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "f", "a: b\n");
	struct etl_buf out;

	(void)state;
	etl_buf_init(&out, 4096);
	etl_diag_first(diag, &out);
	assert_string_equal(etl_buf_text(&out), "");
	etl_diag_add(diag, &root->items[0]->mark, ETL_DIAG_WORD, "hint", "help", "second");
	etl_diag_add(diag, &root->keys[0]->mark, ETL_DIAG_WORD, "hint", "help", "first");
	etl_diag_first(diag, &out);
	assert_string_equal(etl_buf_text(&out), "f:1:1: error[E017]: first");
	etl_buf_fini(&out);
	etl_arena_free(arena);
	etl_diag_free(diag);
}

/* Warnings and notes stand among the errors and are none; each has its own cap. */
static void severities_are_told_apart(void **state)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_diag *diag = etl_diag_new(), *all = etl_diag_new();
	struct etl_node *root = parse(arena, diag, "f", "- a\n- b\n");
	struct etl_json *list = etl_json_array();
	struct etl_buf out ETL_BUF_CLEANUP;

	(void)state;
	etl_buf_init(&out, 1 << 16);
	etl_diag_say(diag, ETL_DIAG_NOTE, &root->items[0]->mark, ETL_DIAG_SECRET, NULL, NULL, "a note");
	etl_diag_first(diag, &out);
	assert_string_equal(etl_buf_text(&out), "f:1:3: note[E021]: a note");
	for (int i = 0; i < 60; i++)
		etl_diag_file(diag, ETL_DIAG_WARNING, "g", ETL_DIAG_UNREAD, "a help", "warning %d", i);
	etl_diag_add(diag, &root->items[1]->mark, ETL_DIAG_WORD, "a hint", NULL, "an error");
	etl_diag_absorb(all, diag);
	assert_int_equal(etl_diag_count(all), 2);
	assert_int_equal(etl_diag_count_of(all, ETL_DIAG_ERROR), 1);
	assert_int_equal(etl_diag_count_of(all, ETL_DIAG_WARNING), 60);
	etl_buf_clear(&out);
	etl_diag_first(all, &out);
	assert_string_equal(etl_buf_text(&out), "f:2:3: error[E017]: an error");
	etl_buf_clear(&out);
	etl_diag_warnings(all, &out);
	assert_int_equal(strncmp(etl_buf_text(&out), "g: warning[W001]: warning 0; a help\n", 36), 0);
	etl_diag_to_json(all, list);
	assert_int_equal(etl_json_size(list), 52);
	etl_buf_clear(&out);
	etl_json_print(etl_json_first(list), &out);
	assert_string_equal(etl_buf_text(&out),
		"{\"file\":\"f\",\"line\":1,\"column\":3,\"code\":\"E021\",\"severity\":\"note\","
		"\"message\":\"a note\",\"hint\":null,\"help\":null}");
	etl_buf_clear(&out);
	etl_diag_print(all, &out);
	assert_non_null(strstr(etl_buf_text(&out), "warning[W001]: warning 49\n  --> g\n  help: a help\n"));
	assert_non_null(strstr(etl_buf_text(&out), "\n10 more warnings\n"));
	etl_json_free(list);
	etl_arena_free(arena);
	etl_diag_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_is_the_documented_one),
		cmocka_unit_test(errors_are_sorted_and_repeated_ones_kept_once),
		cmocka_unit_test(after_fifty_they_are_counted),
		cmocka_unit_test(control_bytes_never_reach_the_output),
		cmocka_unit_test(no_text_deceives),
		cmocka_unit_test(what_is_hidden_is_hidden_in_every_excerpt),
		cmocka_unit_test(warnings_beyond_the_cap_are_counted),
		cmocka_unit_test(the_first_error_on_one_line),
		cmocka_unit_test(severities_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

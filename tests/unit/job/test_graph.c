/* SPDX-License-Identifier: MIT
 *
 * `after`: names to pointers, unknown names with a guess, circles of any length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "job/job.h"

struct rig {
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env env;
	struct etl_job *jobs[8];
	size_t n;
};

/* Each pair is a name and its `after`, as YAML; NULL ends. */
static void link_jobs(struct rig *rig, const char *const pairs[][2])
{
	*rig = (struct rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	rig->env = (struct etl_conf_env){.arena = rig->arena, .diag = rig->diag};
	for (size_t i = 0; pairs[i][0]; i++) {
		char *text = etl_strf("after: %s\nwindow: none\nschedule: {cron: '@hourly'}\n"
				      "extract: {http: {url: 'http://a.test/'}}\n"
				      "load: {\"null\": {}}\n", pairs[i][1]);
		struct etl_node *root =
			etl_conf_parse(rig->arena, pairs[i][0], text, strlen(text), NULL, rig->diag);

		rig->env.what = pairs[i][0];
		rig->jobs[rig->n] = etl_job_load(pairs[i][0], root, &rig->env);
		assert_non_null(rig->jobs[rig->n++]);
		free(text);
	}
	rig->env.what = "the jobs";
	etl_graph_link(rig->jobs, rig->n, &rig->env);
}

static void rig_free(struct rig *rig)
{
	for (size_t i = 0; i < rig->n; i++)
		etl_job_fini(rig->jobs[i]);
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
}

static void need_error(struct rig *rig, const char *code, const char *words)
{
	struct etl_buf text;

	etl_buf_init(&text, 65536);
	etl_diag_print(rig->diag, &text);
	if (!strstr(etl_buf_text(&text), code) || !strstr(etl_buf_text(&text), words))
		fail_msg("wanted %s with '%s', got: %s", code, words, etl_buf_text(&text));
	etl_buf_fini(&text);
	rig_free(rig);
}

static void test_links(void **state)
{
	static const char *const pairs[][2] = {
		{"a", "[]"}, {"b", "[a]"}, {"c", "a"}, {"d", "[c, b]"}, {NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, pairs);
	assert_int_equal(etl_diag_count(rig.diag), 0);
	assert_int_equal(rig.jobs[0]->n_upstream, 0);
	assert_int_equal(rig.jobs[0]->n_dependants, 2);
	assert_ptr_equal(rig.jobs[0]->dependants[0], rig.jobs[1]);
	assert_ptr_equal(rig.jobs[0]->dependants[1], rig.jobs[2]);
	assert_int_equal(rig.jobs[3]->n_upstream, 2);
	assert_ptr_equal(rig.jobs[3]->upstream[0], rig.jobs[2]);
	assert_int_equal(rig.jobs[3]->n_dependants, 0);
	rig_free(&rig);
}

static void test_unknown(void **state)
{
	static const char *const near[][2] = {
		{"airqino", "[]"}, {"daily", "[airquino]"}, {NULL, NULL}};
	static const char *const far[][2] = {
		{"airqino", "[]"}, {"daily", "[airqino, weather]"}, {NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, near);
	need_error(&rig, "error[E018]", "did you mean 'airqino'?");
	link_jobs(&rig, near);
	need_error(&rig, "--> daily:1:9", "job 'daily' waits for 'airquino'");
	link_jobs(&rig, far);
	need_error(&rig, "error[E018]", "'weather', and there is no such job");
}

static void test_circles(void **state)
{
	static const char *const one[][2] = {{"a", "[a]"}, {NULL, NULL}};
	static const char *const two[][2] = {{"a", "[b]"}, {"b", "[a]"}, {NULL, NULL}};
	static const char *const three[][2] = {
		{"x", "[]"}, {"a", "[x, c]"}, {"b", "[a]"}, {"c", "[b]"}, {NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, one);
	need_error(&rig, "error[E019]", "this closes the circle");
	link_jobs(&rig, two);
	assert_int_equal(etl_diag_count(rig.diag), 1);
	need_error(&rig, "error[E019]", "'b' after 'a'");
	link_jobs(&rig, three);
	assert_int_equal(etl_diag_count(rig.diag), 1);
	need_error(&rig, "error[E019]", "jobs wait for each other");
}

/* A diamond is no circle. */
static void test_diamond(void **state)
{
	static const char *const pairs[][2] = {{"d", "[b, c]"}, {"b", "[a]"}, {"c", "[a]"},
		{"a", "[]"}, {NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, pairs);
	assert_int_equal(etl_diag_count(rig.diag), 0);
	assert_int_equal(rig.jobs[3]->n_dependants, 2);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_diamond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

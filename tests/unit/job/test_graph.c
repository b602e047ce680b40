/* SPDX-License-Identifier: MIT
 *
 * `after`: names and groups to pointers, unknown ones with a guess, circles of any length,
 * chains of any depth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
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
	need_error(&rig, "error[E019]", "jobs wait for each other: 'b' after 'a' after 'b'");
	link_jobs(&rig, three);
	assert_int_equal(etl_diag_count(rig.diag), 1);
	need_error(&rig, "--> b:1:9", "'b' after 'a' after 'c' after 'b'");
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

/* ---- groups ------------------------------------------------------------------------------ */

static void test_groups(void **state)
{
	static const char *const pairs[][2] = {
		{"n", "[]\ngroup: cities"}, {"s", "[]\ngroup: cities"}, {"x", "[]\ngroup: other"},
		{"all", "[group:cities, n]\ngroup: cities"}, {"two", "[x, 'group:cities']"},
		{NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, pairs);
	assert_int_equal(etl_diag_count(rig.diag), 0);
	assert_string_equal(rig.jobs[0]->group, "cities");
	assert_null(rig.jobs[4]->group);
	/* not itself, and each once */
	assert_int_equal(rig.jobs[3]->n_upstream, 2);
	assert_ptr_equal(rig.jobs[3]->upstream[0], rig.jobs[0]);
	assert_ptr_equal(rig.jobs[3]->upstream[1], rig.jobs[1]);
	assert_int_equal(rig.jobs[0]->n_dependants, 2);
	assert_int_equal(rig.jobs[4]->n_upstream, 4);
	assert_ptr_equal(rig.jobs[4]->upstream[0], rig.jobs[2]);
	assert_ptr_equal(rig.jobs[4]->upstream[3], rig.jobs[3]);
	rig_free(&rig);
}

static void test_wrong_groups(void **state)
{
	static const char *const near[][2] = {
		{"a", "[]\ngroup: stations"}, {"b", "['group:station']"}, {NULL, NULL}};
	static const char *const alone[][2] = {
		{"a", "['group:mine']\ngroup: mine"}, {NULL, NULL}};
	static const char *const nameless[][2] = {{"a", "[]"}, {"b", "['group:']"}, {NULL, NULL}};
	static const char *const bad[][2] = {{"a", "[]\ngroup: 'two words'"}, {NULL, NULL}};
	static const char *const circle[][2] = {{"a", "['group:g']\ngroup: g"},
		{"b", "['group:g']\ngroup: g"}, {NULL, NULL}};
	struct rig rig;

	(void)state;
	link_jobs(&rig, near);
	need_error(&rig, "error[E018]", "did you mean 'stations'?");
	link_jobs(&rig, alone);
	need_error(&rig, "--> a:1:9", "waits for the group 'mine', and no other job is in it");
	link_jobs(&rig, nameless);
	need_error(&rig, "error[E018]", "no other job is in it");
	link_jobs(&rig, bad);
	need_error(&rig, "error[E015]", "wrong name of a group");
	link_jobs(&rig, circle);
	need_error(&rig, "error[E019]", "'b' after 'a' after 'b'");
}

/* ---- depth ------------------------------------------------------------------------------- */

enum { CHAIN = 100000 };

struct chain {
	struct etl_conf_env env;
	struct etl_job *jobs, **list;
	const char **after;
	const struct etl_node **nodes;
	struct etl_node node;
};

/* Job i waits for job i - 1; the names are in no order. */
static void chain_init(struct chain *c)
{
	*c = (struct chain){.env = {.arena = etl_arena_new(0), .diag = etl_diag_new()},
		.jobs = etl_calloc(CHAIN, sizeof *c->jobs), .list = etl_calloc(CHAIN, sizeof *c->list),
		.after = etl_calloc(CHAIN, sizeof *c->after),
		.nodes = etl_calloc(CHAIN, sizeof *c->nodes)};
	for (size_t i = 0; i < CHAIN; i++) {
		c->jobs[i].name = etl_arena_strf(c->env.arena, "j%zu", i * 7919 % CHAIN);
		c->list[i] = &c->jobs[i];
		c->nodes[i] = &c->node;
	}
	for (size_t i = 1; i < CHAIN; i++) {
		c->after[i] = c->jobs[i - 1].name;
		c->jobs[i].after = (struct etl_strings){1, &c->after[i], &c->nodes[i]};
	}
}

static void chain_fini(struct chain *c)
{
	free(c->nodes);
	free(c->after);
	free(c->list);
	free(c->jobs);
	etl_diag_free(c->env.diag);
	etl_arena_free(c->env.arena);
}

/* A stack that holds no walk in depth, and so many jobs that a walk of each over all of them
 * would take minutes. */
static void *link_chain(void *ctx)
{
	struct chain *c = ctx;

	etl_graph_link(c->list, CHAIN, &c->env);
	return NULL;
}

static void link_on_a_small_stack(struct chain *c)
{
	pthread_attr_t attr;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, 4 * PTHREAD_STACK_MIN), 0);
	assert_int_equal(pthread_create(&thread, &attr, link_chain, c), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}

static void test_a_long_chain(void **state)
{
	struct chain c;

	(void)state;
	chain_init(&c);
	link_on_a_small_stack(&c);
	assert_int_equal(etl_diag_count(c.env.diag), 0);
	for (size_t i = 1; i < CHAIN; i++) {
		assert_int_equal(c.jobs[i].n_upstream, 1);
		assert_ptr_equal(c.jobs[i].upstream[0], &c.jobs[i - 1]);
		assert_ptr_equal(c.jobs[i - 1].dependants[0], &c.jobs[i]);
	}
	assert_int_equal(c.jobs[CHAIN - 1].n_dependants, 0);
	chain_fini(&c);
}

static void test_a_long_circle(void **state)
{
	struct etl_buf text;
	struct chain c;

	(void)state;
	chain_init(&c);
	c.after[0] = c.jobs[CHAIN - 1].name;
	c.jobs[0].after = (struct etl_strings){1, &c.after[0], &c.nodes[0]};
	link_on_a_small_stack(&c);
	assert_int_equal(etl_diag_count(c.env.diag), 1);
	etl_buf_init(&text, 65536);
	etl_diag_print(c.env.diag, &text);
	assert_non_null(strstr(etl_buf_text(&text), " after 99988 others after "));
	etl_buf_fini(&text);
	chain_fini(&c);
}

/* What is wrong is left out and tied to nobody; who waits for it stays tied to it. */
static void wrong_ones_are_left_out(void **state)
{
	struct rig rig;

	(void)state;
	link_jobs(&rig, (const char *const[][2]){{"a", "[b]"}, {"b", "[c]"}, {"c", "[a]"},
		{"d", "[nobody]"}, {"e", "[d, f]"}, {"f", "[]"}, {NULL, NULL}});
	assert_int_equal(etl_diag_count(rig.diag), 2);
	assert_null(rig.jobs[0]->left_out);
	assert_null(rig.jobs[1]->left_out);
	assert_non_null(strstr(rig.jobs[2]->left_out, "error[E019]: jobs wait for each other"));
	assert_non_null(strstr(rig.jobs[3]->left_out, "d:1:9: error[E018]"));
	assert_null(rig.jobs[4]->left_out);
	assert_int_equal(rig.jobs[0]->n_upstream, 1);
	assert_ptr_equal(rig.jobs[1]->upstream[0], rig.jobs[2]);
	assert_int_equal(rig.jobs[2]->n_upstream, 0);
	assert_int_equal(rig.jobs[0]->n_dependants, 0);
	assert_null(rig.jobs[2]->calendar);
	assert_true(rig.jobs[2]->window.none);
	assert_string_equal(rig.jobs[2]->partitions[0].name, "all");
	assert_int_equal(rig.jobs[4]->n_upstream, 2);
	assert_ptr_equal(rig.jobs[4]->upstream[0], rig.jobs[3]);
	assert_int_equal(rig.jobs[3]->n_dependants, 1);
	rig_free(&rig);
}

/* A file that nobody can read may be of the group that is waited for. */
static void what_cannot_be_read_is_of_each_group(void **state)
{
	struct etl_job *jobs[2];
	char target[ETL_TARGET_BYTES];
	struct rig rig;

	(void)state;
	link_jobs(&rig, (const char *const[][2]){{"x", "['group:hours']"}, {NULL, NULL}});
	assert_int_equal(etl_diag_count(rig.diag), 1); /* nobody is in it */
	rig_free(&rig);

	rig = (struct rig){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	rig.env = (struct etl_conf_env){.arena = rig.arena, .diag = rig.diag, .what = "x"};
	{
		static const char text[] = "after: ['group:hours']\nwindow: none\n"
			"schedule: {cron: '@hourly'}\nextract: {http: {url: 'http://a.test/'}}\n"
			"load: {\"null\": {}}\n";

		jobs[0] = etl_job_load("x", etl_conf_parse(rig.arena, "x", text, sizeof text - 1,
			NULL, rig.diag), &rig.env);
		jobs[1] = etl_job_load("y", NULL, &rig.env);
		etl_job_leave_out(jobs[1], "y:1:1: error[E001]: not YAML", &rig.env);
		etl_job_target(jobs[1], "etl", target);
		assert_string_equal(target, "");
	}
	etl_graph_link(jobs, 2, &rig.env);
	assert_int_equal(etl_diag_count(rig.diag), 0);
	assert_int_equal(jobs[0]->n_upstream, 1);
	assert_ptr_equal(jobs[0]->upstream[0], jobs[1]);
	assert_int_equal(jobs[1]->n_dependants, 1);
	etl_job_fini(jobs[0]);
	etl_job_fini(jobs[1]);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_wrong_groups),
		cmocka_unit_test(test_a_long_chain),
		cmocka_unit_test(test_a_long_circle),
		cmocka_unit_test(wrong_ones_are_left_out),
		cmocka_unit_test(what_cannot_be_read_is_of_each_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * The graph as people see it: what belongs to a job, and the order of a tree, each job once.
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
#include "tell/graph_view.h"

#define JOBS 8

struct rig {
	struct etl_conf_env env;
	struct etl_job jobs[JOBS], *list[JOBS];
	const char *after[JOBS][4];
	const struct etl_node *nodes[4];
	struct etl_node node;
	size_t n;
};

/* "b a" is a job b after a; in the order given. */
static void link_jobs(struct rig *rig, const char *const *lines)
{
	memset(rig, 0, sizeof *rig);
	rig->env = (struct etl_conf_env){.arena = etl_arena_new(0), .diag = etl_diag_new()};
	for (size_t k = 0; k < 4; k++)
		rig->nodes[k] = &rig->node;
	for (; lines[rig->n]; rig->n++) {
		struct etl_job *job = &rig->jobs[rig->n];
		char *text = etl_arena_strdup(rig->env.arena, lines[rig->n]), *rest = NULL;
		size_t n = 0;

		job->name = strtok_r(text, " ", &rest);
		for (const char *up; (up = strtok_r(NULL, " ", &rest));)
			rig->after[rig->n][n++] = up;
		job->after = (struct etl_strings){n, rig->after[rig->n], rig->nodes};
		rig->list[rig->n] = job;
	}
	etl_graph_link(rig->list, rig->n, &rig->env);
	assert_int_equal(etl_diag_count(rig->env.diag), 0);
}

static void rig_free(struct rig *rig)
{
	etl_diag_free(rig->env.diag);
	etl_arena_free(rig->env.arena);
}

/* "a 0, b 1": the names with their depths. */
static void need_tree(struct rig *rig, const bool *shown, const char *want)
{
	struct etl_graph_node out[JOBS];
	size_t n = etl_graph_tree(rig->list, rig->n, shown, out);
	char got[256] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s %zu", i ? ", " : "",
			out[i].job->name, out[i].depth);
	assert_string_equal(got, want);
}

static const bool all[JOBS] = {true, true, true, true, true, true, true, true};

static void test_trees(void **state)
{
	static const char *const lone[] = {"a", "b", NULL};
	static const char *const chain[] = {"a b", "b c", "c", NULL};
	static const char *const diamond[] = {"a", "b a", "c a", "d b c", "e d", NULL};
	static const char *const two_roots[] = {"a", "b", "x a b", "y b", NULL};
	struct rig rig;

	(void)state;
	link_jobs(&rig, lone);
	need_tree(&rig, all, "a 0, b 0");
	rig_free(&rig);
	link_jobs(&rig, chain);
	need_tree(&rig, all, "c 0, b 1, a 2");
	rig_free(&rig);
	link_jobs(&rig, diamond); /* d once, below b */
	need_tree(&rig, all, "a 0, b 1, d 2, e 3, c 1");
	rig_free(&rig);
	link_jobs(&rig, two_roots);
	need_tree(&rig, all, "a 0, x 1, b 0, y 1");
	rig_free(&rig);
}

/* Who is not shown is no root of anybody and ties nobody. */
static void test_parts_of_a_tree(void **state)
{
	static const char *const chain[] = {"a", "b a", "c b", "d c", NULL};
	static const bool without_b[JOBS] = {true, false, true, true}, none[JOBS] = {false};
	struct rig rig;

	(void)state;
	link_jobs(&rig, chain);
	need_tree(&rig, without_b, "a 0, c 0, d 1");
	need_tree(&rig, none, "");
	rig_free(&rig);
}

static void need_related(struct rig *rig, size_t job, const char *want)
{
	bool shown[JOBS] = {false};
	char got[JOBS * 4] = "";

	etl_graph_related(rig->list, rig->n, rig->list[job], shown);
	for (size_t i = 0; i < rig->n; i++)
		if (shown[i])
			strcat(got, rig->list[i]->name);
	assert_string_equal(got, want);
}

static void test_related(void **state)
{
	/* a - b - d - e
	 *  \- c -/   f - g, and h behind c alone */
	static const char *const lines[] = {"a", "b a", "c a", "d b c", "e d", "f", "g f", "h c", NULL};
	struct rig rig;

	(void)state;
	link_jobs(&rig, lines);
	need_related(&rig, 0, "abcdeh");
	need_related(&rig, 1, "abde"); /* not c: it is a brother */
	need_related(&rig, 3, "abcde");
	need_related(&rig, 7, "ach");
	need_related(&rig, 6, "fg");
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_parts_of_a_tree),
		cmocka_unit_test(test_related),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

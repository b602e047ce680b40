/* SPDX-License-Identifier: MIT
 *
 * The tree and its marks, variables, limits, files that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sample.h"

struct fixture {
	struct etl_arena *arena;
	struct etl_diag *diag;
};

static int setup(void **state)
{
	struct fixture *fx = ETL_NEW(struct fixture);

	fx->arena = etl_arena_new(0);
	fx->diag = etl_diag_new();
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	etl_arena_free(fx->arena);
	etl_diag_free(fx->diag);
	free(fx);
	return 0;
}

static struct etl_node *parse(struct fixture *fx, const char *text)
{
	return etl_conf_parse(fx->arena, "t.yaml", text, strlen(text), &sample_load, fx->diag);
}

static void assert_first(struct fixture *fx, const char *expected)
{
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_diag_first(fx->diag, &out);
	assert_string_equal(etl_buf_text(&out), expected);
	etl_buf_fini(&out);
}

static void assert_mark(const struct etl_node *node, unsigned line, unsigned column,
	unsigned width)
{
	assert_int_equal(node->mark.line, line);
	assert_int_equal(node->mark.column, column);
	assert_int_equal(node->mark.width, width);
}

static void every_node_has_its_place(void **state)
{
	const struct etl_node *root = parse(*state,
		"a: word\n"
		"città: {x: \"quoted\", y: [1, è, 3]}\n"
		"empty:\n");
	const struct etl_node *map = etl_node_get(root, "città");

	assert_int_equal(root->n, 3);
	assert_mark(root, 1, 1, 1);
	assert_mark(root->keys[1], 2, 1, 5);
	assert_mark(etl_node_get(root, "a"), 1, 4, 4);
	assert_mark(map, 2, 8, 1);
	assert_mark(etl_node_get(map, "x"), 2, 12, 8);
	assert_mark(etl_node_get(map, "y")->items[2], 2, 32, 1);
	assert_true(etl_node_is_null(etl_node_get(root, "empty")));
	assert_int_equal(etl_node_get(root, "empty")->mark.line, 3);
	assert_null(etl_node_get(root, "nothing"));
	assert_null(etl_node_get(etl_node_get(root, "a"), "a"));
	assert_null(etl_node_get(NULL, "a"));
}

static void scalars_stay_text(void **state)
{
	const struct etl_node *root =
		parse(*state, "[NO, off, 010, 1.10, 12:30:45, 2024-01-01, 'null', null, ~, \"\"]");
	static const char *const texts[] = {
		"NO", "off", "010", "1.10", "12:30:45", "2024-01-01", "null", "null", "~", ""};

	assert_int_equal(root->n, 10);
	for (size_t i = 0; i < root->n; i++)
		assert_string_equal(root->items[i]->text, texts[i]);
	assert_false(root->items[6]->plain);
	assert_false(etl_node_is_null(root->items[6]));
	assert_true(etl_node_is_null(root->items[7]));
	assert_true(etl_node_is_null(root->items[8]));
	assert_false(etl_node_is_null(root->items[9]));
}

static void variables_fill_scalars_and_nothing_else(void **state)
{
	struct fixture *fx = *state;
	const struct etl_node *root = parse(fx,
		"a: ${HOST_NAME}:80\n"
		"b: \"${MISSING:-none at all}|${EMPTY:-e}|${EMPTY}|${RETRIES:?x}\"\n"
		"c: '$${HOST_NAME} $$ROOT $x ${HOST_NAME}${HOST_NAME}'\n"
		"d: ${TRICKY}\n"
		"${HOST_NAME}: key\n");

	assert_int_equal(etl_diag_count(fx->diag), 0);
	assert_int_equal(root->n, 5);
	assert_string_equal(root->items[0]->text, "api.example.org:80");
	assert_true(root->items[0]->expanded);
	assert_string_equal(root->items[1]->text, "none at all|e||5");
	assert_string_equal(root->items[2]->text,
		"${HOST_NAME} $$ROOT $x api.example.orgapi.example.org");
	assert_int_equal(root->items[3]->kind, ETL_NODE_SCALAR);
	assert_string_equal(root->items[3]->text, sample_variable("TRICKY"));
	assert_string_equal(root->keys[4]->text, "${HOST_NAME}");
}

static void an_unset_variable_is_one_error(void **state)
{
	struct fixture *fx = *state;
	struct etl_conf_env env = {.arena = fx->arena, .diag = fx->diag, .what = "job 'x'"};
	etl_wall t;
	const struct etl_node *root = parse(fx, "timeout: ${MISSING}\n");

	assert_int_equal(etl_conf_time(etl_node_get(root, "timeout"), &t, &env), -1);
	assert_int_equal(etl_diag_count(fx->diag), 1);
	assert_first(fx, "t.yaml:1:10: error[E020]: environment variable 'MISSING' is not set");
}

static const char *large_variable(const char *name)
{
	static char text[100001];

	(void)name;
	memset(text, 'x', sizeof text - 1);
	return text;
}

static void expanded_text_has_a_cap(void **state)
{
	static const struct etl_conf_load_options options = {.env = large_variable};
	struct fixture *fx = *state;
	const char *ten = "[${A},${A},${A},${A},${A},${A},${A},${A},${A},${A}]";
	struct etl_buf text;

	etl_buf_init(&text, 4096);
	for (const char *p = ten; *p; p++) /* flow lists need quotes around braces */
		etl_buf_printf(&text, "%s%c%s", *p == '$' ? "\"" : "", *p,
			*p == '}' ? "\"" : "");
	assert_non_null(etl_conf_parse(fx->arena, "t", text.data, text.len, &options, fx->diag));
	assert_int_equal(etl_diag_count(fx->diag), 0);
	text.data[text.len - 1] = ',';
	etl_buf_str(&text, "\"${A}\"]");
	assert_null(etl_conf_parse(fx->arena, "t", text.data, text.len, &options, fx->diag));
	assert_first(fx, "t:1:72: error[E024]: more than 1048576 bytes of text with variables");
	etl_buf_fini(&text);
}

static void an_alias_is_the_node_it_names(void **state)
{
	struct fixture *fx = *state;
	const struct etl_node *root = parse(fx, "a: &x {k: [1, 2]}\nb: *x\n&k c: 1\n*k : 2\n");

	/* "*k" names the key "c", which then appears twice. */
	assert_first(fx, "t.yaml:3:1: error[E010]: the key 'c' appears twice; first at line 3, "
			 "column 1");
	assert_ptr_equal(root->items[0], root->items[1]);
	assert_int_equal(root->n, 3);
}

static void limits_are_exact(void **state)
{
	struct fixture *fx = *state;
	char text[2 * 33 + 1];

	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	text[64] = '\0';
	assert_non_null(parse(fx, text));
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	text[66] = '\0';
	assert_null(parse(fx, text));
	assert_first(fx,
		"t.yaml:1:33: error[E024]: more than 32 mappings and lists in one another");
}

static void the_number_of_nodes_is_exact(void **state)
{
	struct fixture *fx = *state;
	struct etl_buf text;

	/* One list, one list of 9, aliases of 10 each, filled up with words. */
	etl_buf_init(&text, ETL_CONF_FILE_MAX);
	etl_buf_str(&text, "- &a [1,2,3,4,5,6,7,8,9]\n");
	for (int i = 1; i < ETL_CONF_NODES_MAX / 10; i++)
		etl_buf_str(&text, "- *a\n");
	text.len -= strlen("- *a\n");
	for (int i = 0; i < 9; i++)
		etl_buf_str(&text, "- w\n");
	assert_non_null(parse(fx, etl_buf_text(&text)));
	assert_int_equal(etl_diag_count(fx->diag), 0);
	etl_buf_str(&text, "- w\n");
	assert_null(parse(fx, etl_buf_text(&text)));
	assert_int_equal(etl_diag_count(fx->diag), 1);
	etl_buf_fini(&text);
}

static void too_many_anchors_and_bytes(void **state)
{
	struct fixture *fx = *state;
	char *large = etl_calloc(1, ETL_CONF_FILE_MAX + 2);
	struct etl_buf text;

	etl_buf_init(&text, ETL_CONF_FILE_MAX);
	for (int i = 0; i <= ETL_CONF_ANCHORS_MAX; i++)
		etl_buf_printf(&text, "- &a%d x\n", i);
	assert_null(parse(fx, etl_buf_text(&text)));
	assert_first(fx, "t.yaml:1001:3: error[E024]: more than 1000 anchors");
	etl_buf_fini(&text);

	memset(large, '#', ETL_CONF_FILE_MAX + 1);
	assert_null(parse(fx, large));
	assert_int_equal(etl_diag_count(fx->diag), 2);
	large[ETL_CONF_FILE_MAX] = '\0';
	assert_true(etl_node_is_null(parse(fx, large)));
	assert_int_equal(etl_diag_count(fx->diag), 2);
	free(large);
}

static void only_regular_readable_files(void **state)
{
	struct fixture *fx = *state;
	char folder[] = "/tmp/etl-conf-XXXXXX";
	etl_cleanup(free) char *file = NULL;
	etl_cleanup(free) char *fifo = NULL;
	FILE *f;

	assert_non_null(mkdtemp(folder));
	file = etl_strf("%s/a.yaml", folder);
	fifo = etl_strf("%s/fifo.yaml", folder);
	assert_null(etl_conf_load(fx->arena, file, NULL, fx->diag));
	assert_null(etl_conf_load(fx->arena, folder, NULL, fx->diag));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(etl_conf_load(fx->arena, fifo, NULL, fx->diag));
	assert_int_equal(etl_diag_count(fx->diag), 3);
	f = fopen(file, "w");
	fputs("a: b\n", f);
	fclose(f);
	assert_string_equal(
		etl_node_get(etl_conf_load(fx->arena, file, NULL, fx->diag), "a")->text, "b");
	assert_int_equal(chmod(file, 0666), 0); /* whoever can write it decides what is loaded */
	assert_null(etl_conf_load(fx->arena, file, NULL, fx->diag));
	assert_int_equal(etl_diag_count(fx->diag), 4);
	assert_int_equal(chmod(file, 0664), 0);
	assert_non_null(etl_conf_load(fx->arena, file, NULL, fx->diag));
	assert_int_equal(truncate(file, ETL_CONF_FILE_MAX + 1), 0);
	assert_null(etl_conf_load(fx->arena, file, NULL, fx->diag));
	assert_int_equal(etl_diag_count(fx->diag), 5);
	unlink(file);
	unlink(fifo);
	rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_node_has_its_place),
		TEST(scalars_stay_text),
		TEST(variables_fill_scalars_and_nothing_else),
		TEST(an_unset_variable_is_one_error),
		TEST(expanded_text_has_a_cap),
		TEST(an_alias_is_the_node_it_names),
		TEST(limits_are_exact),
		TEST(the_number_of_nodes_is_exact),
		TEST(too_many_anchors_and_bytes),
		TEST(only_regular_readable_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

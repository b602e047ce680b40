/* SPDX-License-Identifier: MIT
 *
 * The command table is in order with itself; command lines and parameters are judged by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/message.h"

static const struct etl_command *find(const char *line, char **argv, int *argc, int *used,
	struct etl_error *err)
{
	static char copy[256];
	char *p;

	memset(copy, 0, sizeof copy);
	memcpy(copy, line, strlen(line));
	*argc = 0;
	for (p = copy; *p; p += *p == ' ' ? (*p = '\0', 1) : 1)
		if (*p != ' ' && (p == copy || !p[-1]))
			argv[(*argc)++] = p;
	return etl_command_find(*argc, argv, used, err);
}

static const struct etl_command *named(const char *name)
{
	ETL_COMMANDS_EACH(c)
		if (etl_streq(c->name, name))
			return c;
	fail_msg("no command %s", name);
	return NULL;
}

static void the_table_is_in_order(void **state)
{
	(void)state;
	ETL_COMMANDS_EACH(c) {
		bool optional = false;
		char method[128];

		assert_true(*c->summary && c->summary[strlen(c->summary) - 1] != '.');
		assert_non_null(strstr(c->help, "  etlctl "));
		assert_true(!c->method == !c->reply);
		assert_true(c->method || c->access == ETL_ACCESS_READ);
		for (const struct etl_command_arg *arg = c->args; arg->wire; arg++) {
			assert_non_null(arg->help);
			assert_true((arg->type == ETL_ARG_FLAG) == !arg->value);
			assert_true(arg->option || arg->value);
			assert_true(c->method || (arg->flags & ETL_ARG_LOCAL));
			if (!arg->option) {
				assert_false(optional && (arg->flags & ETL_ARG_REQUIRED));
				optional |= !(arg->flags & ETL_ARG_REQUIRED);
			}
			for (const struct etl_command_arg *other = c->args; other != arg; other++) {
				assert_string_not_equal(other->wire, arg->wire);
				assert_true(!arg->letter || other->letter != arg->letter);
			}
		}
		if (!c->method)
			continue;
		assert_true(strlen(c->method) < 60);
		strncpy(method, ETL_CTL_INTERFACE ".", sizeof method - 1);
		memcpy(method + sizeof ETL_CTL_INTERFACE, c->method, strlen(c->method) + 1);
		assert_ptr_equal(etl_command_by_method(method), c);
	}
	assert_null(etl_command_by_method("io.etld.Control."));
	assert_null(etl_command_by_method("Status"));
	assert_null(etl_command_by_method("io.etld.Control.status"));
}

static void commands_are_found(void **state)
{
	char *argv[16];
	int argc, used;

	(void)state;
	ETL_COMMANDS_EACH(c) {
		struct etl_error err = ETL_ERROR_INIT;

		assert_ptr_equal(find(c->name, argv, &argc, &used, &err), c);
		assert_int_equal(used, strchr(c->name, ' ') ? 2 : 1);
	}
}

static void unknown_commands_get_a_hint(void **state)
{
	static const struct {
		const char *line, *hint;
	} rows[] = {
		{"stauts", "\"status\""}, {"watermark", "another word: show, set, rewind, undo, history"},
		{"watermark shwo x", "\"watermark show\""}, {"watermark rewnd x", "\"watermark rewind\""},
		{"wtaermark show", "\"watermark show\""},
		{"config chekc", "\"config check\""}, {"rn x", "\"run\""}, {"statuss", "\"status\""},
	};
	char *argv[16];
	int argc, used;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_null(find(rows[i].line, argv, &argc, &used, &err));
		assert_string_equal(err.code, "ctl.usage");
		assert_non_null(strstr(err.message, rows[i].hint));
	}
	assert_null(find("", argv, &argc, &used, &err));
	assert_null(find("frobnicate", argv, &argc, &used, &err));
	assert_null(strstr(err.message, "mean"));
}

static void parses(const char *line, const char *expected)
{
	char *argv[16];
	int argc, used;
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_command *c = find(line, argv, &argc, &used, &err);
	struct etl_json *values;
	struct etl_buf out;

	assert_non_null(c);
	values = etl_command_parse(c, argc - used, argv + used, &err);
	if (!expected) {
		if (values)
			fail_msg("%s was taken", line);
		assert_string_equal(err.code, "ctl.usage");
		return;
	}
	if (!values)
		fail_msg("%s: %s", line, err.message);
	etl_buf_init(&out, 4096);
	etl_json_print(values, &out);
	assert_string_equal(etl_buf_text(&out), expected);
	etl_buf_fini(&out);
	etl_json_free(values);
}

static void command_lines_become_values(void **state)
{
	(void)state;
	parses("status", "{}");
	parses("status --check a", "{\"check\":true,\"job\":\"a\"}");
	parses("next a -n 3", "{\"job\":\"a\",\"count\":3}");
	parses("next -n3 --from=2026-01-01 a", "{\"count\":3,\"from\":\"2026-01-01\",\"job\":\"a\"}");
	parses("next -- -n", "{\"job\":\"-n\"}");
	parses("next -", "{\"job\":\"-\"}");
	parses("windows accept a 2026-01-01 --reason x",
		"{\"job\":\"a\",\"window\":\"2026-01-01\",\"reason\":\"x\"}");
	parses("windows accept a -", NULL);
	parses("windows -- accept", "{\"job\":\"accept\"}");
	parses("windows a --state held", "{\"job\":\"a\",\"state\":\"held\"}");
	parses("help watermark show", "{\"command\":\"watermark show\"}");
	parses("logs a -f -n 10000", "{\"job\":\"a\",\"follow\":true,\"lines\":10000}");
	parses("next", NULL);
	parses("next a b", NULL);
	parses("next a -n", NULL);
	parses("next a -n 0", NULL);
	parses("next a -n 10001", NULL);
	parses("next a -n 1x", NULL);
	parses("next a -n 1 -n 2", NULL);
	parses("next a -x", NULL);
	parses("status --check=1", NULL);
	parses("status --chec", NULL);
	parses("windows a --state hel", NULL);
	parses("windows a --state held|failed", NULL);
	parses("windows a --state=", NULL);
	parses("next \xff", NULL);
}

static void local_values_stay_here(void **state)
{
	char *argv[] = {(char[]){"--check"}, (char[]){"a"}};
	const struct etl_command *c = named("status");
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *values = etl_command_parse(c, 2, argv, &err);
	struct etl_json *parameters = etl_command_parameters(c, values);

	(void)state;
	assert_int_equal(etl_json_size(values), 2);
	assert_int_equal(etl_json_size(parameters), 1);
	assert_string_equal(etl_json_text(parameters, "job", ""), "a");
	etl_json_free(values);
	etl_json_free(parameters);
}

static void judged(const char *name, const char *text, const char *wrong_expected)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = text ? etl_json_parse(text, strlen(text), 4096, &err) : NULL;
	const char *wrong = NULL;
	int rc = etl_command_check(named(name), json, &wrong, &err);

	assert_true(!text || json);
	assert_int_equal(rc, wrong_expected ? -1 : 0);
	if (wrong_expected) {
		assert_string_equal(wrong, wrong_expected);
		assert_int_equal(err.kind, ETL_DATA);
		assert_string_equal(err.code, "ctl.parameter");
	}
	etl_json_free(json);
}

static void parameters_are_judged(void **state)
{
	(void)state;
	judged("status", NULL, NULL);
	judged("status", "{}", NULL);
	judged("status", "{\"job\":null}", NULL);
	judged("status", "{\"job\":\"a\"}", NULL);
	judged("status", "{\"job\":7}", "job");
	judged("status", "{\"job\":\"\"}", "job");
	judged("status", "{\"check\":true}", "check"); /* local to etlctl */
	judged("next", NULL, "job");
	judged("next", "{\"job\":null}", "job");
	judged("next", "{\"job\":\"a\",\"count\":10000}", NULL);
	judged("next", "{\"job\":\"a\",\"count\":10001}", "count");
	judged("next", "{\"job\":\"a\",\"count\":1.5}", "count");
	judged("next", "{\"job\":\"a\",\"count\":\"5\"}", "count");
	judged("run", "{\"job\":\"a\",\"wait\":true}", NULL);
	judged("run", "{\"job\":\"a\",\"wait\":1}", "wait");
	judged("run", "{\"job\":\"a\",\"Wait\":true}", "Wait");
	judged("windows", "{\"job\":\"a\",\"state\":\"held\"}", NULL);
	judged("windows", "{\"job\":\"a\",\"state\":\"lost\"}", "state");
}

static void synopses_show_what_may_be_left_out(void **state)
{
	struct etl_buf out;

	(void)state;
	etl_buf_init(&out, 1000);
	etl_command_synopsis(named("next"), &out);
	assert_string_equal(etl_buf_text(&out), "next JOB [-n N] [--from TIME]");
	etl_buf_clear(&out);
	etl_command_synopsis(named("status"), &out);
	assert_string_equal(etl_buf_text(&out), "status [JOB] [--check]");
	etl_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_in_order),
		cmocka_unit_test(commands_are_found),
		cmocka_unit_test(unknown_commands_get_a_hint),
		cmocka_unit_test(command_lines_become_values),
		cmocka_unit_test(local_values_stay_here),
		cmocka_unit_test(parameters_are_judged),
		cmocka_unit_test(synopses_show_what_may_be_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

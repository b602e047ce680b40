/* SPDX-License-Identifier: MIT
 *
 * Introspection: every method and error stands in the text; the service answers as Varlink
 * wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/interface.h"

static void every_method_stands_in_the_text(void **state)
{
	struct etl_buf text;

	(void)state;
	etl_buf_init(&text, 1 << 20);
	etl_ctl_interface_text(&text);
	assert_true(etl_buf_ok(&text));
	assert_non_null(strstr(text.data, "\ninterface io.etld.Control\n"));
	ETL_COMMANDS_EACH(c) {
		char *line;

		if (!c->method)
			continue;
		line = etl_strf("\nmethod %s(", c->method);
		assert_non_null(strstr(text.data, line));
		free(line);
	}
	assert_non_null(strstr(text.data,
		"\nmethod Next(job: string, count: ?int, from: ?string) -> (schema: string, "));
	assert_non_null(strstr(text.data, "\nmethod Status(job: ?string) -> "));
	assert_non_null(strstr(text.data, "\nerror NoSuchJob (message: string, hint: ?string)\n"));
	assert_null(strstr(text.data, "error MethodNotFound"));
	etl_buf_fini(&text);
}

/* The reply to a request, or false if the service leaves it to others. */
static bool ask(const char *text, struct etl_ctl_reply *reply)
{
	struct etl_ctl_request request;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;
	bool answered;

	assert_int_equal(etl_ctl_request_parse(text, strlen(text), &request, &err), 0);
	etl_buf_init(&out, 1 << 20);
	answered = etl_ctl_service_answer(&request, "1.2.3", &out);
	assert_int_equal(answered && !request.oneway, out.len != 0);
	if (out.len)
		assert_int_equal(etl_ctl_reply_parse(out.data, out.len - 1, reply, &err), 0);
	etl_buf_fini(&out);
	etl_ctl_request_fini(&request);
	return answered;
}

static void the_service_answers(void **state)
{
	struct etl_ctl_reply reply = {0};

	(void)state;
	assert_true(ask("{\"method\":\"org.varlink.service.GetInfo\"}", &reply));
	assert_string_equal(etl_json_text(reply.parameters, "version", ""), "1.2.3");
	assert_int_equal(etl_json_size(etl_json_get(reply.parameters, "interfaces")), 2);
	etl_ctl_reply_fini(&reply);
	assert_true(ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"io.etld.Control\"}}", &reply));
	assert_non_null(strstr(etl_json_text(reply.parameters, "description", ""), "method Run("));
	etl_ctl_reply_fini(&reply);
	assert_true(ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"org.varlink.service\"}}", &reply));
	assert_non_null(strstr(etl_json_text(reply.parameters, "description", ""), "GetInfo()"));
	etl_ctl_reply_fini(&reply);
	assert_true(ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\"}", &reply));
	assert_int_equal(reply.error, ETL_CTL_INVALID_PARAMETER);
	etl_ctl_reply_fini(&reply);
}

static void unknown_methods_are_named(void **state)
{
	struct etl_ctl_reply reply = {0};

	(void)state;
	assert_true(ask("{\"method\":\"io.etld.Control.Frobnicate\"}", &reply));
	assert_int_equal(reply.error, ETL_CTL_METHOD_NOT_FOUND);
	assert_string_equal(etl_json_text(reply.parameters, "method", ""),
		"io.etld.Control.Frobnicate");
	etl_ctl_reply_fini(&reply);
	assert_false(ask("{\"method\":\"io.etld.Control.Status\"}", &reply));
	assert_true(ask("{\"method\":\"io.etld.Control.Frobnicate\",\"oneway\":true}", &reply));
	assert_true(ask("{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}", &reply));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_stands_in_the_text),
		cmocka_unit_test(the_service_answers),
		cmocka_unit_test(unknown_methods_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * Messages: what is written is read back; what is no message is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "ctl/message.h"

static void requests_come_back(void **state)
{
	struct etl_json *parameters = etl_json_object();
	struct etl_ctl_request request;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;

	(void)state;
	etl_json_add_text(parameters, "job", "airqino");
	etl_buf_init(&out, 1000);
	assert_true(etl_ctl_request_append(&out, "io.etld.Control.Run", parameters, true));
	assert_int_equal(strlen(out.data) + 1, out.len);
	assert_int_equal(etl_ctl_request_parse(out.data, out.len - 1, &request, &err), 0);
	assert_string_equal(request.method, "io.etld.Control.Run");
	assert_string_equal(etl_json_text(request.parameters, "job", ""), "airqino");
	assert_true(request.more);
	assert_false(request.oneway);
	etl_ctl_request_fini(&request);
	etl_ctl_request_fini(&request);

	etl_buf_clear(&out);
	assert_true(etl_ctl_request_append(&out, "a.B", NULL, false));
	assert_string_equal(out.data, "{\"method\":\"a.B\"}");
	assert_int_equal(etl_ctl_request_parse(out.data, out.len - 1, &request, &err), 0);
	assert_null(request.parameters);
	etl_ctl_request_fini(&request);
	etl_json_free(parameters);
	etl_buf_fini(&out);
}

static void what_is_no_request_is_refused(void **state)
{
	static const char *const texts[] = {"", "[]", "7", "{}", "{\"method\":7}", "{\"method\":null}",
		"{\"method\":\"a\",\"parameters\":[]}", "{\"method\":\"a\",\"parameters\":null}",
		"{\"method\":\"a\",\"more\":1}", "{\"method\":\"a\",\"oneway\":\"x\"}",
		"{\"method\":\"a\",\"method\":\"b\"}", "{\"method\":\"a\"} x"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct etl_ctl_request request = {.method = "untouched"};
		struct etl_error err = ETL_ERROR_INIT;

		assert_int_equal(etl_ctl_request_parse(texts[i], strlen(texts[i]), &request, &err), -1);
		assert_int_equal(err.kind, ETL_DATA);
		assert_string_equal(request.method, "untouched");
	}
}

static void replies_come_back(void **state)
{
	struct etl_json *parameters = etl_json_object();
	struct etl_ctl_reply reply;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;

	(void)state;
	etl_json_add_int(parameters, "n", 7);
	etl_buf_init(&out, 1000);
	assert_true(etl_ctl_reply_append(&out, parameters, true));
	assert_int_equal(etl_ctl_reply_parse(out.data, out.len - 1, &reply, &err), 0);
	assert_true(reply.continues);
	assert_int_equal(reply.error, ETL_CTL_OK);
	assert_int_equal(etl_json_int(reply.parameters, "n", 0), 7);
	etl_ctl_reply_fini(&reply);
	etl_buf_clear(&out);
	assert_true(etl_ctl_reply_append(&out, NULL, false));
	assert_string_equal(out.data, "{\"parameters\":{}}");
	etl_buf_fini(&out);
}

static void errors_come_back(void **state)
{
	(void)state;
	for (int i = ETL_CTL_OK + 1; i < ETL_CTL_ERROR_MAX; i++) {
		struct etl_json *details = etl_json_object();
		struct etl_ctl_reply reply;
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_buf out;

		etl_json_add_text(details, "job", "x");
		etl_json_add_text(details, "message", "not this one");
		etl_buf_init(&out, 1000);
		assert_true(etl_ctl_error_append(&out, (enum etl_ctl_error)i, "what", i % 2 ? "do" : NULL,
			details));
		assert_int_equal(etl_ctl_reply_parse(out.data, out.len - 1, &reply, &err), 0);
		assert_int_equal(reply.error, i);
		assert_string_equal(reply.error_name, etl_ctl_error_name((enum etl_ctl_error)i));
		assert_string_equal(reply.message, "what");
		assert_string_equal(reply.hint ? reply.hint : "", i % 2 ? "do" : "");
		assert_string_equal(etl_json_text(reply.parameters, "job", ""), "x");
		assert_int_not_equal(etl_ctl_error_exit((enum etl_ctl_error)i), 0);
		etl_ctl_reply_fini(&reply);
		etl_buf_fini(&out);
	}
	assert_int_equal(etl_ctl_error_parse("io.etld.Control.Busy"), ETL_CTL_BUSY);
	assert_int_equal(etl_ctl_error_parse("io.etld.Control.Newer"), ETL_CTL_FAILED);
	assert_int_equal(etl_ctl_error_parse("Busy"), ETL_CTL_FAILED);
	assert_int_equal(etl_ctl_error_parse("com.other.Busy"), ETL_CTL_FAILED);
	assert_string_equal(etl_ctl_error_name(ETL_CTL_METHOD_NOT_FOUND),
		"org.varlink.service.MethodNotFound");
}

/* A method's name of a mebibyte comes back in the details: the client waits for an answer even so. */
static void details_that_are_too_long_are_left_out(void **state)
{
	struct etl_json *details = etl_json_object();
	char *text = etl_calloc(ETL_CTL_MESSAGE_MAX + 1, 1);
	struct etl_ctl_reply reply;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf out;

	(void)state;
	memset(text, 'x', ETL_CTL_MESSAGE_MAX);
	etl_json_add_text(details, "method", text);
	free(text);
	etl_buf_init(&out, ETL_CTL_REPLY_MAX);
	assert_true(etl_ctl_error_append(&out, ETL_CTL_METHOD_NOT_FOUND, "there is none", NULL, details));
	assert_int_equal(etl_ctl_reply_parse(out.data, out.len - 1, &reply, &err), 0);
	assert_int_equal(reply.error, ETL_CTL_METHOD_NOT_FOUND);
	assert_string_equal(reply.message, etl_ctl_error_meaning(ETL_CTL_METHOD_NOT_FOUND));
	etl_ctl_reply_fini(&reply);
	etl_buf_fini(&out);
}

static void an_error_without_words_gets_its_meaning(void **state)
{
	static const char text[] = "{\"error\":\"io.etld.Control.NoSuchJob\"}";
	struct etl_ctl_reply reply;
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	assert_int_equal(etl_ctl_reply_parse(text, sizeof text - 1, &reply, &err), 0);
	assert_string_equal(reply.message, etl_ctl_error_meaning(ETL_CTL_NO_SUCH_JOB));
	assert_null(reply.hint);
	etl_ctl_reply_fini(&reply);
}

static void too_much_becomes_an_error(void **state)
{
	struct etl_json *large = etl_json_object();
	struct etl_ctl_reply reply;
	struct etl_error err = ETL_ERROR_INIT;
	char *text = etl_calloc(ETL_CTL_REPLY_MAX + 1, 1);
	struct etl_buf out;

	(void)state;
	memset(text, 'x', ETL_CTL_REPLY_MAX);
	etl_json_add_text(large, "text", text);
	etl_buf_init(&out, 2 * ETL_CTL_REPLY_MAX);
	assert_false(etl_ctl_request_append(&out, "a.B", large, false));
	assert_int_equal(out.len, 0);
	assert_true(etl_ctl_reply_append(&out, large, false));
	assert_int_equal(etl_ctl_reply_parse(out.data, out.len - 1, &reply, &err), 0);
	assert_int_equal(reply.error, ETL_CTL_FAILED);
	etl_ctl_reply_fini(&reply);
	etl_buf_fini(&out);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_come_back),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(replies_come_back),
		cmocka_unit_test(errors_come_back),
		cmocka_unit_test(details_that_are_too_long_are_left_out),
		cmocka_unit_test(an_error_without_words_gets_its_meaning),
		cmocka_unit_test(too_much_becomes_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

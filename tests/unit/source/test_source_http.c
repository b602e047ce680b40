/* SPDX-License-Identifier: MIT
 *
 * The http source: requests, statuses, bodies. Tokens are tested in test_http_auth.c.
 */
#include "http_rig.h"

#include "base/str.h"
#include "record/doc.h"
#include "source/http/text.h"

#define URL "url: https://api.example.org/v3/avg/{station}\n"
#define AIRQINO                                                                                \
	URL "records: /data\n"                                                                 \
	    "attach: {name: /header/station_name}\n"                                           \
	    "time: {field: timestamp, format: \"%Y-%m-%d %H:%M:%S\", timezone: UTC, label: "   \
	    "start}\n"
#define BODY                                                                                   \
	"{\"header\":{\"station_name\":\"SMART999\",\"station_lat\":5.3},\"data\":["           \
	"{\"timestamp\":\"2027-01-15 08:00:00\",\"CO\":0.1,\"PM2.5\":7.0},"                    \
	"{\"timestamp\":\"2027-01-15 09:00:00\",\"CO\":0.2,\"PM2.5\":8.5}]}"

static int setup(void **state)
{
	struct rig *rig = etl_calloc(1, sizeof *rig);

	rig_new(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	free(*state);
	return 0;
}

/* ---- the request ---- */

static void test_get(void **state)
{
	char host[64];
	struct rig *rig = *state;
	const struct etl_request *request = &rig->request;

	rig_start(rig, URL "query:\n  start_date: \"{window.start:%Y%m%d-%H%M}\"\n"
			   "  end date: \"a b&c={window.end}\"\ntimeout: 90s\nipv4_only: true\n"
			   "max_bytes: 2MiB\nheaders: {X-Run: \"{run_id}\"}\n");
	assert_string_equal(request->method, "GET");
	assert_string_equal(request->url,
		"https://api.example.org/v3/avg/283164601?start_date=20270115-0800"
		"&end%20date=a%20b%26c%3D2027-01-15T09%3A00%3A00Z");
	assert_string_equal(request->url_shown, request->url);
	assert_string_equal(header_of(request, "X-Run"), "run-1");
	assert_string_equal(header_of(request, "Accept"), "application/json");
	assert_null(header_of(request, "Authorization"));
	assert_null(header_of(request, "Content-Type"));
	assert_null(request->body);
	assert_int_equal(request->timeout.us, 90 * 1000000);
	assert_int_equal(request->response_bytes_max, 2 << 20);
	assert_int_equal(request->ip, ETL_IP_4_ONLY);
	assert_ptr_equal(request->arena, rig->request_arena);
	assert_true(rig->spec->layout.records[0] == '\0');
	assert_null(rig->spec->time);
	assert_true(etl_source_http.host(&rig->options, host, sizeof host));
	assert_string_equal(host, "api.example.org");
	assert_false(etl_source_http.host(&rig->options, host, 15)); /* does not fit */
}

static void test_defaults(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL);
	assert_int_equal(rig->request.timeout.us, 0);
	assert_int_equal(rig->request.response_bytes_max, UINT64_C(1) << 30);
	assert_int_equal(rig->request.ip, ETL_IP_ANY);
}

static void test_query_joins_the_url(void **state)
{
	static const char *const cases[][2] = {
		{"https://h/p", "https://h/p?a=1"},
		{"https://h/p?", "https://h/p?a=1"},
		{"https://h/p?x=2", "https://h/p?x=2&a=1"},
		{"https://h/p?x=2&", "https://h/p?x=2&a=1"},
		{"http://[::1]:8080", "http://[::1]:8080?a=1"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig;
		char yaml[128];

		rig_new(&rig);
		snprintf(yaml, sizeof yaml, "url: \"%s\"\nquery: {a: 1}\n", cases[i][0]);
		rig_start(&rig, yaml);
		assert_string_equal(rig.request.url, cases[i][1]);
		rig_free(&rig);
	}
	(void)state;
}

static void test_partition_is_escaped(void **state)
{
	struct rig *rig = *state;

	partition_values[0] = "a/b?c#d e%\xc3\xa9";
	rig_start(rig, URL "query: {q: \"{station}\"}\n");
	partition_values[0] = "283164601";
	assert_string_equal(rig->request.url,
		"https://api.example.org/v3/avg/"
		"a%2Fb%3Fc%23d%20e%25%C3%A9?q=a%2Fb%3Fc%23d%20e%25%C3%A9");
}

static void test_partition_cannot_climb(void **state)
{
	struct rig *rig = *state;
	const char *const values[] = {"..", "."};

	rig_open(rig, "url: \"https://h/v3/{station}/x\"\n");
	for (size_t i = 0; i < 2; i++) {
		partition_values[0] = values[i];
		assert_int_equal(rig_first(rig), -1);
	}
	partition_values[0] = "283164601";
	assert_int_equal(rig_first(rig), 0);
}

static void test_partition_cannot_split_a_header(void **state)
{
	struct rig *rig = *state;

	rig_open(rig, URL "headers: {X-Station: \"{station}\"}\n");
	partition_values[0] = "1\r\nX-Evil: 1";
	assert_int_equal(rig_first(rig), -1);
	partition_values[0] = "283164601";
	assert_non_null(strstr(rig->err.message, "X-Station"));
}

static void test_url_has_a_cap(void **state)
{
	struct rig *rig = *state;
	char *large = etl_calloc(1, 20000);

	memset(large, 'a', 19999);
	rig_open(rig, URL);
	partition_values[0] = large;
	assert_int_equal(rig_first(rig), -1);
	assert_int_equal(rig->err.kind, ETL_LIMIT);
	partition_values[0] = "283164601";
	free(large);
}

static void test_post(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "method: POST\nbody: '{{\"station\": \"{station}\"}}'\n");
	assert_string_equal(rig->request.method, "POST");
	assert_string_equal(rig->request.body, "{\"station\": \"283164601\"}");
	assert_int_equal(rig->request.body_len, strlen(rig->request.body));
	assert_string_equal(header_of(&rig->request, "Content-Type"), "application/json");
}

static void test_own_headers_win(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "method: POST\nbody: a=1\nheaders: {accept: text/x, "
			   "content-type: application/x-www-form-urlencoded}\n");
	assert_string_equal(header_of(&rig->request, "Accept"), "text/x");
	assert_string_equal(
		header_of(&rig->request, "Content-Type"), "application/x-www-form-urlencoded");
	assert_int_equal(rig->request.n_headers, 2);
}

static void test_key_like_parameters_are_not_shown(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "query: {appKey: open, access_token: \"{station}\", a: 1}\n");
	assert_string_equal(rig->request.url_shown,
		"https://api.example.org/v3/avg/283164601?appKey=***&access_token=***&a=1");
	assert_non_null(strstr(rig->request.url, "appKey=open&access_token=283164601"));
}

/* ---- configuration errors ---- */

static void test_configuration_errors(void **state)
{
	static const char *const wrong[] = {
		"records: /data\n",
		"url: ftp://h/\n",
		"url: api.example.org/x\n",
		"url: \"https://{station}.example.org/\"\n",
		"url: \"https://h:{station}/\"\n",
		"url: https://user:pw@h/\n",
		"url: https:///x\n",
		"url: \"https://h/#part\"\n",
		"url: \"https://h/a b\"\n",
		"url: \"https://h/{statoin}\"\n",
		URL "method: PUT\n",
		URL "body: x\n",
		URL "format: xml\n",
		URL "records: data\n",
		URL "records: /a~2\n",
		URL "attach: {name: header}\n",
		URL "expect: {pointer: status}\n",
		URL "expect: {equals: OK}\n",
		URL "expect: [{pointer: /a, equal: OK}]\n",
		URL "timeout: 60\n",
		URL "max_bytes: 0B\n",
		URL "headers: {\"a b\": c}\n",
		URL "headers: {Host: c}\n",
		URL "headers: {content-length: 3}\n",
		URL "headers: {Authorization: Bearer x}\n",
		URL "headers: {X: \"a\\r\\nB: c\"}\n",
		URL "query: {q: \"{nothing}\"}\n",
		URL "time: {format: iso8601}\n",
		URL "time: {field: t, timezone: Nowhere/Else}\n",
		URL "pages: {max: 3}\n",
		URL "auth: {}\n",
		URL "auth: none\n",
		URL "auth: {basic: {password: {credential: secret}}}\n",
		URL "auth: {basic: {username: \"a:b\"}}\n",
		URL "auth: {basic: {username: u}, bearer: {token: {credential: secret}}}\n",
		URL "auth: {bearer: {token: open}}\n",
		URL "auth: {bearer: {}}\n",
		URL "auth: {api_key: {value: {credential: secret}}}\n",
		URL "auth: {api_key: {header: A, query: b, value: {credential: secret}}}\n",
		URL "auth: {api_key: {header: \"A B\", value: {credential: secret}}}\n",
		URL "auth: {api_key: {header: A}}\n",
		URL "auth: {oauth2: {client_id: c}}\n",
		URL "auth: {oauth2: {token_url: https://h/t}}\n",
		URL "auth: {oauth2: {token_url: \"file:///t\", client_id: c}}\n",
		URL "auth: {oauth2: {grant: password, token_url: https://h/t, client_id: c}}\n",
		URL "auth: {oauth2: {grant: implicit, token_url: https://h/t, client_id: c}}\n",
		URL "auth: {oauth2: {token_url: https://h/t, client_id: c, username: u}}\n",
		URL
		"auth: {oauth2: {token_url: https://h/t, client_id: c, auth_style: basic}}\n",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rig rig;

		rig_new(&rig);
		if (rig_load(&rig, wrong[i]) == 0)
			fail_msg("accepted: %s", wrong[i]);
		rig_free(&rig);
	}
	(void)state;
}

/* ---- statuses ---- */

struct status_case {
	int status;
	int64_t retry_after_s; /* -1 = none */
	enum etl_error_kind kind;
	int64_t retry_after_ms;
};

static void test_statuses(void **state)
{
	static const struct status_case cases[] = {
		{100, -1, ETL_PERMANENT, 0},
		{304, -1, ETL_PERMANENT, 0},
		{400, -1, ETL_PERMANENT, 0},
		{401, -1, ETL_AUTH, 0},
		{402, -1, ETL_PERMANENT, 0},
		{403, -1, ETL_AUTH, 0},
		{403, 60, ETL_THROTTLED, 60000},
		{404, -1, ETL_PERMANENT, 0},
		{407, -1, ETL_AUTH, 0},
		{408, -1, ETL_TRANSIENT, 0},
		{410, -1, ETL_PERMANENT, 0},
		{422, -1, ETL_PERMANENT, 0},
		{425, -1, ETL_TRANSIENT, 0},
		{429, -1, ETL_THROTTLED, 0},
		{429, 0, ETL_THROTTLED, 0},
		{429, 7, ETL_THROTTLED, 7000},
		{429, 1000000, ETL_THROTTLED, 3600000},
		{500, -1, ETL_TRANSIENT, 0},
		{500, 7, ETL_TRANSIENT, 0},
		{502, -1, ETL_TRANSIENT, 0},
		{503, -1, ETL_TRANSIENT, 0},
		{503, 60, ETL_THROTTLED, 60000},
		{504, -1, ETL_TRANSIENT, 0},
		{599, -1, ETL_TRANSIENT, 0},
		{600, -1, ETL_PERMANENT, 0},
	};
	struct rig *rig = *state;

	rig_open(rig, AIRQINO);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct status_case *c = &cases[i];
		struct etl_response response = response_of(rig, c->status);
		char text[8];

		if (c->retry_after_s >= 0)
			response.retry_after = ETL_SECONDS(c->retry_after_s);
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(
			answer_in_pieces(rig, &response, BODY, strlen(BODY), 7), FAILED);
		snprintf(text, sizeof text, "%d", c->status);
		assert_message(rig, c->kind, text);
		assert_int_equal(rig->err.status, c->status);
		assert_int_equal(rig->err.retry_after_ms, c->retry_after_ms);
		assert_true(*rig->err.code);
	}
	assert_int_equal(rig->batch->n, 0);
}

static void test_redirects_are_not_followed(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 302);

	rig_start(rig, AIRQINO);
	response.location = "https://user:word@elsewhere.example:444/x?token=tok-1";
	assert_int_equal(answer_in_pieces(rig, &response, "", 0, 1), FAILED);
	assert_message(
		rig, ETL_PERMANENT, "to https://elsewhere.example:444/x?token=***: redirects are"
			" not followed");
	assert_int_equal(rig_first(rig), 0);
	response.status = 308;
	response.location = "/other";
	assert_int_equal(answer_in_pieces(rig, &response, "", 0, 1), FAILED);
	assert_message(rig, ETL_PERMANENT, "308 to /other: redirects");
}

static void test_no_content_is_a_proven_end(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, AIRQINO);
	assert_int_equal(answer(rig, 204, ""), ENDED);
	assert_int_equal(rig->batch->n, 0);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 204, "{}"), FAILED);
	assert_int_equal(rig->err.kind, ETL_DATA);
}

/* ---- bodies ---- */

static void assert_two_records(const struct rig *rig)
{
	assert_int_equal(rig->batch->n, 2);
	assert_int_equal(rig->batch->n_rejects, 0);
	for (size_t i = 0; i < 2; i++) {
		const struct etl_record *record = &rig->batch->records[i];
		struct etl_element e;
		const char *text;
		uint32_t len;
		double v;
		etl_wall t;

		assert_int_equal(record->position, i);
		assert_int_equal(
			record->time.ms, INT64_C(1800000000000) + (int64_t)i * 3600000);
		assert_true(etl_doc_find(record->bson, record->len, "timestamp", &e));
		assert_true(etl_element_date(&e, &t) && t.ms == record->time.ms);
		assert_true(etl_doc_find(record->bson, record->len, "PM2.5", &e));
		assert_true(etl_element_double(&e, &v) && v == (i ? 8.5 : 7.0));
		assert_true(etl_doc_find(record->bson, record->len, "name", &e));
		assert_true(etl_element_text(&e, &text, &len) && len == 8);
		assert_memory_equal(text, "SMART999", 8);
	}
}

static void test_body_in_pieces_of_every_size(void **state)
{
	struct rig *rig = *state;

	rig_open(rig, AIRQINO);
	assert_non_null(rig->spec->time);
	for (size_t piece = 1; piece <= strlen(BODY); piece++) {
		struct etl_response response = response_of(rig, 200);

		etl_batch_reset(rig->batch);
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(
			answer_in_pieces(rig, &response, BODY, strlen(BODY), piece), ENDED);
		assert_two_records(rig);
	}
}

static void test_truncated_everywhere(void **state)
{
	struct rig *rig = *state;

	rig_open(rig, AIRQINO);
	for (size_t len = 0; len < strlen(BODY); len++) {
		struct etl_response response = response_of(rig, 200);

		etl_batch_reset(rig->batch);
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(answer_in_pieces(rig, &response, BODY, len, 9), FAILED);
		assert_int_equal(rig->err.kind, ETL_DATA);
	}
}

static void test_empty_list_is_fine(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, AIRQINO);
	assert_int_equal(
		answer(rig, 200, "{\"header\":{\"station_name\":\"A\"},\"data\":[]}"), ENDED);
	assert_int_equal(rig->batch->n, 0);
}

static void test_many_blanks_before_the_body(void **state)
{
	struct rig *rig = *state;
	char body[2000];

	memset(body, ' ', 1000);
	strncpy(body + 1000, BODY, 999);
	rig_start(rig, AIRQINO);
	assert_int_equal(answer(rig, 200, body), ENDED);
	assert_two_records(rig);
}

struct body_case {
	const char *type;
	const char *body;
	const char *message;
};

static void test_bodies_that_are_no_data(void **state)
{
	static const char json[] = "application/json";
	static const char html[] =
		"<!DOCTYPE html>\n<html>\t<head></head>"
		"<body>Down for maintenance, please come back later. "
		"Down for maintenance, please come back later. "
		"Down for maintenance, please come back later.</body></html>\n";
	static const struct body_case cases[] = {
		{json, "", "the answer is empty"},
		{json, html, "the answer is not JSON: '<!DOCTYPE html> <html> <head></head>"},
		{"text/html; charset=utf-8", "<html>", "the answer is not JSON: '<html>'"},
		{"Text/HTML", BODY, "the answer is not JSON: '{\"header\":"},
		{"text/plain", "Wrong ip address",
			"the answer is not JSON: 'Wrong ip address'"},
		{json, "\xff\xfe{", "the answer is not JSON: '??{'"},
		{json, "not found", "the answer is not JSON: 'not found'"},
		{json, "null", "/data"},
		{json, "{}", "'/data', where its records should be (the answer begins '{}')"},
		{json, "{\"error\":\"quota\"}", "(the answer begins '{\"error\":\"quota\"}')"},
		{json, "[1,2", "the answer begins '[1,2'"},
		{json, BODY "x", "the answer begins"},
	};
	struct rig *rig = *state;

	rig_open(rig, AIRQINO);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece = 1; piece < 400; piece += 57) {
			const struct body_case *c = &cases[i];
			struct etl_response response = response_of(rig, 200);

			response.content_type = c->type;
			etl_batch_reset(rig->batch);
			assert_int_equal(rig_first(rig), 0);
			assert_int_equal(answer_in_pieces(rig, &response, c->body,
						 strlen(c->body), piece),
				FAILED);
			assert_message(rig, ETL_DATA, c->message);
		}
}

static void test_a_bad_row_is_only_a_reject(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, AIRQINO);
	assert_int_equal(
		answer(rig, 200,
			"{\"header\":{\"station_name\":\"A\"},\"data\":["
			"{\"timestamp\":\"2027-01-15 08:00:00\",\"a\":1},"
			"{\"timestamp\":\"yesterday\",\"a\":1},"
			"{\"a\":1},7,"
			"{\"timestamp\":\"2027-01-15 09:00:00\",\"a\":1,\"a\":2},"
			"{\"timestamp\":\"2027-01-15 10:00:00\",\"a\":9007199254740993}]}"),
		ENDED);
	assert_int_equal(rig->batch->n, 2);
	assert_int_equal(rig->batch->n_rejects, 4);
	struct etl_element e;
	int64_t v;
	const struct etl_record *last = &rig->batch->records[1];

	assert_true(etl_doc_find(last->bson, last->len, "a", &e));
	assert_true(etl_element_int64(&e, &v) && v == INT64_C(9007199254740993));
}

static void test_times_are_given_only_to_new_records(void **state)
{
	struct rig *rig = *state;
	bson_t doc = BSON_INITIALIZER;

	rig_start(rig, AIRQINO);
	BSON_APPEND_INT32(&doc, "earlier", 1);
	etl_batch_add_copy(rig->batch, &doc, (etl_wall){5}, 0);
	assert_int_equal(answer(rig, 200, BODY), ENDED);
	assert_int_equal(rig->batch->n, 3);
	assert_int_equal(rig->batch->records[0].time.ms, 5);
	bson_destroy(&doc);
}

static void test_expect(void **state)
{
	struct rig *rig = *state;

	rig_open(rig, URL "records: /data\nexpect:\n  - {pointer: /status, equals: OK}\n"
			  "  - {pointer: /data}\n");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"status\":\"OK\",\"data\":[{\"a\":1}]}"), ENDED);
	assert_int_equal(rig->batch->n, 1);
	assert_int_equal(rig->batch->records[0].time.ms, ETL_NO_TIME);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"status\":\"KO\",\"data\":[{\"a\":1}]}"), FAILED);
	assert_message(rig, ETL_DATA, "/status");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"data\":[{\"a\":1}]}"), FAILED);
	assert_message(rig, ETL_DATA, "/status");
}

static void test_expect_one(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "records: /data\nexpect: {pointer: /n, equals: 3}\n");
	assert_int_equal(answer(rig, 200, "{\"n\":3,\"data\":[]}"), ENDED);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"n\":4,\"data\":[]}"), FAILED);
	for (size_t i = 0; i < 4; i++) { /* a number by its value, a string by its text */
		static const char *const same[] = {"3.0", "30e-1", "3", "\"3\""};
		etl_cleanup(free) char *body = etl_strf("{\"n\":%s,\"data\":[]}", same[i]);

		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(answer(rig, 200, body), ENDED);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const others[] = {"-3", "\"3.0\"", "3.01", "true"};
		etl_cleanup(free) char *body = etl_strf("{\"n\":%s,\"data\":[]}", others[i]);

		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(answer(rig, 200, body), FAILED);
	}
}

static void test_max_bytes(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "max_bytes: 100B\nrecords: /data\n");
	assert_int_equal(answer(rig, 200, BODY), FAILED);
	assert_message(rig, ETL_LIMIT, "max_bytes");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"data\":[]}"), ENDED);
}

static void test_users(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "url: https://h/users\n");
	assert_int_equal(answer(rig, 200, "[{\"id\":1},{\"id\":2},{\"id\":3}]"), ENDED);
	assert_int_equal(rig->batch->n, 3);
	assert_int_equal(rig->requests, 1);
}

/* ---- small text work ---- */

static void test_quote(void **state)
{
	char out[ETL_HTTP_QUOTE_BYTES], large[200];

	etl_http_quote(out, " a\r\n\tb\0c\x7f\xc3\xa9\xff", 12);
	assert_string_equal(out, "a b c \xc3\xa9?");
	memset(large, 'x', sizeof large);
	etl_http_quote(out, large, sizeof large);
	assert_int_equal(strlen(out), 80);
	for (size_t i = 0; i + 1 < sizeof large; i += 2)
		memcpy(large + i, "\xc3\xa9", 2);
	etl_http_quote(out, large + 1, sizeof large - 1);
	assert_int_equal(etl_utf8_check(out, strlen(out)), strlen(out));
	(void)state;
}

static void test_dot_segments(void **state)
{
	static const char *const bad[] = {
		"https://h/..", "https://h/a/../b", "https://h/./", "http://h/a/..?x"};
	static const char *const good[] = {
		"https://h", "https://h/", "https://h/a..b/...", "https://h/a?b=/../c"};
	struct etl_error err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(etl_http_url_check_path(bad[i], &err), -1);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(etl_http_url_check_path(good[i], &err), 0);
	(void)state;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_defaults),
		cmocka_unit_test(test_query_joins_the_url),
		TEST(test_partition_is_escaped),
		TEST(test_partition_cannot_climb),
		TEST(test_partition_cannot_split_a_header),
		TEST(test_url_has_a_cap),
		TEST(test_post),
		TEST(test_own_headers_win),
		TEST(test_key_like_parameters_are_not_shown),
		cmocka_unit_test(test_configuration_errors),
		TEST(test_statuses),
		TEST(test_redirects_are_not_followed),
		TEST(test_no_content_is_a_proven_end),
		TEST(test_body_in_pieces_of_every_size),
		TEST(test_truncated_everywhere),
		TEST(test_empty_list_is_fine),
		TEST(test_many_blanks_before_the_body),
		TEST(test_bodies_that_are_no_data),
		TEST(test_a_bad_row_is_only_a_reject),
		TEST(test_times_are_given_only_to_new_records),
		TEST(test_expect),
		TEST(test_expect_one),
		TEST(test_max_bytes),
		TEST(test_users),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_dot_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

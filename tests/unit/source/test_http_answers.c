/* SPDX-License-Identifier: MIT
 *
 * Answers that are no proof: whatever says of itself that it is an error, a part, or a page of
 * more leaves the unit open, with the URL, the service's words and what to write in the job.
 */
#include "http_rig.h"

#include "record/doc.h"
#include "format/charset.h"
#include "source/http/paging.h"
#include "source/http/text.h"

static int setup(void **state)
{
	struct rig *rig = malloc(sizeof *rig);

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

#define JOB "url: https://api.example.org/v1/x\nrecords: /data\ntime: {field: t}\n"
#define ROW "{\"id\":1,\"t\":\"2027-01-15T08:00:00Z\"}"

/* Each is answered whole and byte by byte; `says` is a part of the message, NULL = it is fine. */
struct answer {
	int status;
	const char *range, *hints, *body, *says;
};

static void check_answer(struct rig *rig, const struct answer *a)
{
	struct etl_response response = response_of(rig, a->status);

	response.content_range = a->range ? a->range : "";
	response.hints = a->hints ? a->hints : "";
	for (size_t piece = 1; piece <= 1000; piece += 999) {
		enum outcome got;

		assert_int_equal(rig_first(rig), 0);
		got = answer_in_pieces(rig, &response, a->body, strlen(a->body), piece);
		if (got != (a->says ? FAILED : ENDED))
			fail_msg("%d %s: %s %s", a->status, a->body,
				a->says ? "was taken as proof" : "was refused:", rig->err.message);
		if (a->says && (!strstr(rig->err.message, a->says) ||
				       !strstr(rig->err.message, "https://api.example.org/v1/x: ")))
			fail_msg("%d %s: '%s' is not in '%s'", a->status, a->body, a->says,
				rig->err.message);
		etl_batch_reset(rig->batch);
	}
}

static void check_answers(struct rig *rig, const char *job, const struct answer *answers, size_t n)
{
	rig_open(rig, job);
	for (size_t i = 0; i < n; i++)
		check_answer(rig, &answers[i]);
}
#define CHECK(rig, job, list) check_answers(rig, job, list, sizeof list / sizeof *list)

static void test_statuses_that_prove_nothing(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, NULL, "{\"data\":[" ROW "]}", NULL},
		{201, NULL, NULL, "{\"data\":[]}", NULL},
		{204, NULL, NULL, "", NULL},
		{202, NULL, NULL, "{\"state\":\"queued\"}", "status 202"},
		{202, NULL, NULL, "{\"state\":\"queued\"}", "begins '{\"state\":\"queued\"}'"},
		{206, NULL, NULL, "{\"data\":[" ROW "]}",
			"status 206: the answer is a part of unknown"},
		{206, "items 0-0/3", NULL, "{\"data\":[" ROW "]}", "Content-Range: items 0-0/3"},
		{206, "0-24/*", NULL, "{\"data\":[" ROW "]}", "status 206"},
		{206, "items 5-9/10", NULL, "{\"data\":[" ROW "]}", "status 206"},
		{206, "items 0-0/1", NULL, "{\"data\":[" ROW "]}", NULL},
		{206, "*/0", NULL, "{\"data\":[]}", NULL},
		{207, NULL, NULL, "{\"data\":[]}", "status 207"},
		{226, NULL, NULL, "{\"data\":[]}", "status 226"},
		{200, "0-24/3573", "Content-Range: 0-24/3573\n", "{\"data\":[]}",
			"'Content-Range' is '0-24/3573'"},
		{404, NULL, NULL, "{\"error\":\"no such thing\"}",
			"status 404: there is no such resource (the answer begins '{\"error\":"
				"\"no such thing\"}')"},
		{500, NULL, NULL, "", "https://api.example.org/v1/x: status 500"},
	};

	CHECK(*state, JOB, answers);
}

static void test_errors_where_records_are_due(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, NULL, "{\"error\":{\"code\":104}}", "nothing at '/data'"},
		{200, NULL, NULL, "{\"data\":null}", "null where its records should be"},
		{200, NULL, NULL, "{\"data\":null}", "'null_records: empty'"},
		{200, NULL, NULL, "{\"data\":\"none\"}", "a text where"},
		{200, NULL, NULL, "{\"data\":0}", "a number where"},
		{200, NULL, NULL, "\"over quota\"", "nothing at '/data'"},
		{200, NULL, NULL, "{\"data\":{\"error\":\"limit\"}}", "tells of an error"},
		{200, NULL, NULL, "{\"data\":{\"message\":\"slow down\",\"code\":7}}",
			"tells of an error"},
		{200, NULL, NULL, "{\"data\":{\"count\":7}}", "an object without 't'"},
		{200, NULL, NULL, "{\"data\":" ROW "}", NULL},
		{200, NULL, NULL, "{\"data\":[],\"error\":\"quota exceeded\"}",
			"'/error' is 'quota exceeded'"},
		{200, NULL, NULL, "{\"data\":[],\"error\":\"quota exceeded\"}", "'errors: ignore'"},
		{200, NULL, NULL, "{\"data\":[" ROW "],\"errors\":[{\"message\":\"a part failed"
			"\"}]}", "a part failed"},
		{200, NULL, NULL, "{\"success\":false,\"data\":[]}", "'/success' is 'false'"},
		{200, NULL, NULL, "{\"status\":\"ERROR\",\"data\":[]}", "'/status' is 'ERROR'"},
		{200, NULL, NULL, "{\"status\":\"OK\",\"errors\":[],\"error\":null,\"errcode\":0"
			",\"data\":[]}", NULL},
		{200, NULL, NULL, "{\"error\":false,\"success\":true,\"errmsg\":\"\",\"data\":"
			"[" ROW "]}", NULL},
		/* an error deeper in what wraps the answer, or as another type */
		{200, NULL, NULL, "{\"meta\":{\"error\":\"quota\"},\"data\":[]}", "'/meta/error' is 'quota'"},
		{200, NULL, NULL, "{\"response\":{\"status\":{\"errorCode\":17}},\"data\":[]}",
			"'/response/status/errorCode' is '17'"},
		{200, NULL, NULL, "{\"meta\":{\"success\":false},\"data\":[" ROW "]}", "'/meta/success'"},
		{200, NULL, NULL, "{\"errno\":-1,\"data\":[]}", "'/errno' is '-1'"},
		{200, NULL, NULL, "{\"errno\":0,\"err\":\"ok\",\"data\":[]}", NULL},
		{200, NULL, NULL, "{\"success\":\"false\",\"data\":[]}", "'/success' is 'false'"},
		{200, NULL, NULL, "{\"success\":0,\"data\":[]}", "'/success' is '0'"},
		{200, NULL, NULL, "{\"code\":429,\"msg\":\"slow down\",\"data\":[]}", "'/code' is '429'"},
		{200, NULL, NULL, "{\"cod\":\"404\",\"data\":[]}", "'/cod' is '404'"},
		{200, NULL, NULL, "{\"meta\":{\"statusCode\":503},\"data\":[]}", "'/meta/statusCode'"},
		{200, NULL, NULL, "{\"status\":\"PENDING\",\"data\":[]}", "'/status' is 'PENDING'"},
		{200, NULL, NULL, "{\"status\":\"OVER_QUERY_LIMIT\",\"data\":[]}", "OVER_QUERY_LIMIT"},
		/* which beside records says nothing of them, nor what is of something else */
		{200, NULL, NULL, "{\"code\":450,\"status\":\"running\",\"success\":0,"
			"\"data\":[" ROW "]}", NULL},
		{200, NULL, NULL, "{\"code\":200,\"status\":\"ZERO_RESULTS\",\"data\":[]}", NULL},
		{200, NULL, NULL, "{\"units\":{\"error\":\"m/s\"},\"devices\":[{\"error\":\"low\"}],"
			"\"station\":{\"code\":450,\"status\":\"running\"},\"data\":[]}", NULL},
		/* what a record says of itself is its own */
		{200, NULL, NULL, "{\"data\":[{\"error\":\"sensor\",\"next\":5,\"t\":\"2027-01-1"
			"5T08:00:00Z\"}]}", NULL},
	};

	CHECK(*state, JOB, answers);
}

/* One of several lists is missing, and its place says why. */
static void test_an_error_beside_a_list_of_many(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, NULL, "{\"stations\":{\"a\":{\"v\":[" ROW "]},\"b\":{\"error\":\"offline\"}}}",
			"'/stations/b/error' is 'offline'"},
		{200, NULL, NULL, "{\"stations\":[{\"v\":[" ROW "]},{\"error\":{\"message\":\"gone\"}}]}",
			"'/stations/*/error/message' is 'gone'"},
		{200, NULL, NULL, "{\"stations\":[{\"v\":[" ROW "],\"error\":null},{\"v\":[],"
			"\"code\":450,\"sensors\":{\"error\":\"low\"}}]}", NULL},
	};

	CHECK(*state,
		"url: https://api.example.org/v1/x\nrecords: /stations/*/v\ntime: {field: t}\n", answers);
}

/* Without a pointer and without event time an object may be a record; a refusal is none. */
static void test_a_document_that_is_an_error(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, NULL, "{\"error\":{\"code\":104,\"info\":\"monthly limit\"}}",
			"tells of an error"},
		{200, NULL, NULL, "{\"message\":\"API rate limit exceeded\",\"documentation_url"
			"\":\"x\"}", "tells of an error"},
		{200, NULL, NULL, "{\"status\":\"fail\",\"message\":\"no\",\"extra\":{}}",
			"tells of an error"},
		{200, NULL, NULL, "true", "true or false where"},
		{200, NULL, NULL, "null", "null where"},
		{200, NULL, NULL, "{\"temperature\":5,\"error\":0}", NULL},
		{200, NULL, NULL, "{\"build\":7,\"status\":\"failed\"}", NULL},
		{200, NULL, NULL, "[]", NULL},
	};

	CHECK(*state, "url: https://api.example.org/v1/x\n", answers);
}

static void test_what_is_announced(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, NULL, "{\"data\":[" ROW "],\"next\":\"/v1/x?page=2\"}",
			"'/next' is '/v1/x?page=2'"},
		{200, NULL, NULL, "{\"data\":[" ROW "],\"next\":\"/v1/x?page=2\"}",
			"'pagination: none'"},
		{200, NULL, NULL, "{\"@odata.nextLink\":\"https://h/x?$skip=5\",\"data\":[]}",
			"odata.nextLink"},
		{200, NULL, NULL, "{\"meta\":{\"next_page\":2},\"data\":[]}", "/meta/next_page"},
		{200, NULL, NULL, "{\"nextCursor\":\"abc\",\"data\":[]}", "nextCursor"},
		{200, NULL, NULL, "{\"_links\":{\"next\":{\"href\":\"/x/2\"}},\"data\":[]}",
			"/_links/next/href"},
		{200, NULL, NULL, "{\"link\":[{\"relation\":\"self\",\"url\":\"/1\"},{\"relation"
			"\":\"next\",\"url\":\"/2\"}],\"data\":[]}", "relation"},
		{200, NULL, NULL, "{\"paging\":{\"next\":{\"after\":\"77\"}},\"data\":[]}",
			"/paging/next/after"},
		{200, NULL, NULL, "{\"has_more\":true,\"data\":[]}", "has_more"},
		{200, NULL, NULL, "{\"pageInfo\":{\"hasNextPage\":true},\"data\":[]}",
			"hasNextPage"},
		{200, NULL, NULL, "{\"IsTruncated\":true,\"data\":[]}", "IsTruncated"},
		{200, NULL, NULL, "{\"done\":false,\"data\":[]}", "'/done' is 'false'"},
		{200, NULL, NULL, "{\"total\":2,\"data\":[" ROW "]}",
			"'/total' is '2', 1 records came"},
		{200, NULL, NULL, "{\"meta\":{\"found\":\">1000\"},\"data\":[" ROW "]}", ">1000"},
		{200, NULL, NULL, "{\"total_pages\":3,\"page\":1,\"data\":[" ROW "]}",
			"total_pages"},
		{200, NULL, NULL, "{\"nextPageKey\":\"a\",\"data\":[]}", "nextPageKey"},
		{200, NULL, NULL, "{\"cursor\":\"CAsS\",\"data\":[" ROW "]}", "'/cursor' is 'CAsS'"},
		{200, NULL, NULL, "{\"data\":[" ROW "],\"offset\":\"itr9/rec4\"}",
			"'/offset' is 'itr9/rec4'"},
		{200, NULL, NULL, "{\"timed_out\":true,\"data\":[" ROW "]}", "timed_out"},
		{200, NULL, "Link: <https://h/x?page=1>; rel=\"prev\", <https://h/x?page=3>; tit"
			"le=\"a;b\"; rel=\"last next\"\n",
			"{\"data\":[]}", "Link: rel=next"},
		{200, NULL, "X-Total-Count: 5000\n", "{\"data\":[" ROW "]}",
			"'X-Total-Count' is '5000'"},
		{200, NULL, "X-Next-Page: 2\n", "{\"data\":[" ROW "]}", "X-Next-Page"},
		/* nothing more */
		{200, NULL, NULL, "{\"next\":null,\"next_page\":\"\",\"nextCursor\":\"none\",\"h"
			"as_more\":false,\"done\":true,\"data\":[]}", NULL},
		{200, NULL, NULL, "{\"total\":1,\"count\":1,\"total_pages\":1,\"page\":1,\"found"
			"\":1,\"data\":[" ROW "]}", NULL},
		{200, NULL, NULL, "{\"cursor\":\"\",\"offset\":0,\"after\":null,\"timed_out\":false,"
			"\"paging\":{\"cursors\":{\"after\":\"MTAx\"}},\"data\":[" ROW "]}", NULL},
		{200, NULL, NULL, "{\"offset\":\"20\",\"after\":\"2027-01-15\",\"data\":[" ROW "]}", NULL},
		{200, NULL, NULL, "{\"total_pages\":3,\"page\":3,\"total\":\"many\",\"data\":"
			"[" ROW "]}", NULL},
		{200, NULL, "Link: <https://h/x?page=1>; rel=\"prev\", <https://h/next>; rel=las"
			"t\nX-Next-Page: \nX-Total: 1\n",
			"{\"data\":[" ROW "]}", NULL},
	};

	CHECK(*state, JOB, answers);
}

static void test_what_the_job_says_is_known(void **state)
{
	static const struct answer answers[] = {
		{200, NULL, "Link: <https://h/x?page=3>; rel=next\n",
			"{\"total\":9,\"next\":\"x\",\"data\":[" ROW "]}", NULL},
		{200, NULL, NULL, "{\"data\":null,\"error\":\"none of ours\"}", NULL},
		{206, "0-0/3", NULL, "{\"data\":[]}", "status 206"},
	};

	CHECK(*state, JOB "pagination: none\nerrors: ignore\nnull_records: empty\n", answers);
}

/* A refusal whose body breaks off, or is long, is still told as what it is. */
static void test_refusals_without_their_end(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 503);
	enum etl_source_verdict verdict = ETL_SOURCE_RETRY;
	char body[200];

	rig_start(rig, JOB);
	response.retry_after = ETL_SECONDS(7);
	assert_int_equal(etl_source_http.head(rig->self, &response, &verdict, &rig->request,
		&rig->err), 0);
	assert_int_equal(verdict, ETL_SOURCE_BODY);
	assert_int_equal(etl_source_http.decode(rig->self, "<b>mainten", 10, rig->batch,
		&rig->err), 0);
	etl_error_set(&rig->err, ETL_TRANSIENT, "http.cut", "cut");
	etl_source_http.broken(rig->self, &rig->err);
	assert_message(rig, ETL_THROTTLED, "status 503: asked to wait 7 s (the answer begins '<b"
		">mainten')");
	assert_int_equal(rig->err.retry_after_ms, 7000);
	assert_int_equal(rig->err.status, 503);
	/* enough is enough: the rest of a huge page is not waited for */
	memset(body, 'x', sizeof body);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(etl_source_http.head(rig->self, &response, &verdict, &rig->request,
		&rig->err), 0);
	assert_int_equal(etl_source_http.decode(rig->self, body, sizeof body, rig->batch,
		&rig->err), -1);
	assert_message(rig, ETL_THROTTLED, "begins 'xxxx");
	/* an answer that is fine and breaks off keeps the network's error */
	assert_int_equal(rig_first(rig), 0);
	response = response_of(rig, 200);
	assert_int_equal(etl_source_http.head(rig->self, &response, &verdict, &rig->request,
		&rig->err), 0);
	etl_error_set(&rig->err, ETL_TRANSIENT, "http.cut", "cut");
	etl_source_http.broken(rig->self, &rig->err);
	assert_string_equal(rig->err.message, "cut");
}

static void test_urls_in_messages(void **state)
{
	static const struct {
		const char *url, *shown;
	} urls[] = {
		{"https://h/p?a=1&api_key=s3cr3t&b", "https://h/p?a=1&api_key=***&b"},
		{"https://u:s3cr3t@h:8/p#frag", "https://h:8/p"},
		{"https://u@v:s3cr3t@h/p", "https://h/p"},
		{"/p?X-Amz-Signature=s3cr3t&X-Amz-Credential=s3cr3t;sig=s3cr3t",
			"/p?X-Amz-Signature=***&X-Amz-Credential=***;sig=***"},
		{"http://h?code=s3cr3t#x?token=s3cr3t", "http://h?code=***"},
		{"/p\n\x1b[2J", "/p??[2J"},
		{"", ""},
	};
	char shown[ETL_HTTP_SHOWN_BYTES], longest[1000];

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		etl_http_url_show(urls[i].url, shown);
		assert_string_equal(shown, urls[i].shown);
	}
	memset(longest, 'p', sizeof longest);
	memcpy(longest, "https://h/", 10);
	longest[sizeof longest - 1] = '\0';
	etl_http_url_show(longest, shown);
	assert_int_equal(strlen(shown), ETL_HTTP_SHOWN_BYTES - 1);
	assert_string_equal(shown + ETL_HTTP_SHOWN_BYTES - 4, "...");
}

/* A URL with a secret in the open: the message has it masked, and so is what the service echoes. */
static void test_secrets_are_masked_in_failures(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 302);

	rig_start(rig, "url: \"https://api.example.org/x\"\nrecords: /data\n"
		       "auth: {api_key: {query: appid, value: {credential: secret}}}\n");
	response.location = "https://api.example.org/login/" SECRET_VALUE "?token=tok-1";
	assert_int_equal(answer_in_pieces(rig, &response, "see " SECRET_VALUE,
		4 + strlen(SECRET_VALUE), 3), FAILED);
	assert_message(rig, ETL_PERMANENT, "https://api.example.org/x?appid=***: stat"
		"us 302 to https://api.example.org/login/***?token=***");
}

/* Another format: what is asked for, what is no answer at all, and what a line is worth. */
static void test_lines(void **state)
{
	struct rig *rig = *state;
	struct etl_response response;

	rig_start(rig, "url: https://h/p\nformat: jsonl\ntime: {field: t}\n");
	assert_string_equal(header_of(&rig->request, "Accept"), "application/x-ndjson");
	assert_int_equal(answer(rig, 200, "{\"t\":\"2027-01-15T08:00:00Z\",\"error\":\"\"}\nno\n"), ENDED);
	assert_int_equal(rig->batch->n, 1);
	assert_int_equal(rig->batch->n_rejects, 1);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"t\":\"2027-01-15T08:00:00Z\"}\n{\"t\":"), FAILED);
	assert_message(rig, ETL_DATA, "the last line, which no line break ends");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, ""), FAILED);
	assert_string_equal(rig->err.code, "http.empty");
	assert_non_null(strstr(rig->err.message, "an option of format 'jsonl' takes it so"));
	assert_int_equal(rig_first(rig), 0);
	response = response_of(rig, 200);
	response.content_type = "text/html";
	assert_int_equal(answer_in_pieces(rig, &response, "<p>", 3, 3), FAILED);
	assert_message(rig, ETL_DATA, "the answer is not JSON: '<p>'");
}

static void test_no_lines(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "url: https://h/p\nformat: {jsonl: {no_lines: empty}}\n");
	assert_int_equal(answer(rig, 200, ""), ENDED);
	assert_int_equal(rig->batch->n + rig->batch->n_rejects, 0);
}

static void test_charsets(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 200);
	static const char latin[] = "{\"data\":[{\"t\":\"2027-01-15T08:00:00Z\",\"n\":\"Z\xfcric"
		"h\"}]}";
	static const struct {
		const char *type, *name;
	} good[] = {{"application/json; charset=ISO-8859-1", "Z\xc3\xbcrich"},
		{"application/json;a=b; Charset=\"windows-1252\"", "Z\xc3\xbcrich"},
		{"application/json; charset=iso-8859-5", "Z\xd1\x9crich"}};

	rig_open(rig, JOB);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		for (size_t piece = 1; piece < sizeof latin; piece++) {
			struct etl_element e;
			const char *text;
			uint32_t len;

			etl_batch_reset(rig->batch);
			assert_int_equal(rig_first(rig), 0);
			response.content_type = good[i].type;
			assert_int_equal(answer_in_pieces(rig, &response, latin,
				sizeof latin - 1, piece), ENDED);
			assert_int_equal(rig->batch->n, 1);
			assert_true(etl_doc_find(rig->batch->records[0].bson,
				rig->batch->records[0].len, "n", &e));
			assert_true(etl_element_text(&e, &text, &len));
			assert_string_equal(text, good[i].name);
		}
	response.content_type = "application/json; charset=klingon-1";
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer_in_pieces(rig, &response, latin, sizeof latin - 1, 9), FAILED);
	assert_message(rig, ETL_DATA, "the charset 'klingon-1' of the answer is not known");
	assert_string_equal(rig->err.code, "http.charset");
	response.content_type = "application/json; charset=shift_jis";
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer_in_pieces(rig, &response, "{\"a\":\"\xff\"}", 9, 1), FAILED);
	assert_message(rig, ETL_DATA, "byte 6 of the answer is no character of the charset 'shif"
		"t_jis'");
	response.content_type = "application/json; charset=utf-16le";
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer_in_pieces(rig, &response, "{\0\"\0d\0a\0t\0a\0\"\0:\0[\0]\0}\0",
		22, 3), ENDED);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer_in_pieces(rig, &response,
		"{\0\"\0d\0a\0t\0a\0\"\0:\0[\0]\0}\0x", 23, 4), FAILED);
	assert_message(rig, ETL_DATA, "no character of the charset");
}

static void test_a_charset_of_the_job(void **state)
{
	struct rig *rig = *state;

	assert_true(rig_load(rig, JOB "charset: klingon-1\n") > 0);
	assert_true(etl_charset_is_known("latin1"));
	assert_false(etl_charset_is_known("latin1//TRANSLIT"));
	assert_false(etl_charset_is_known(""));
	assert_false(etl_charset_is_known("../../x"));
}

static void test_attach_that_means_nothing_is_refused(void **state)
{
	struct rig *rig = *state;

	assert_true(rig_load(rig, "url: https://h/x\nrecords: /a/*/v\nattach: {s: /b/*/id}\n") > 0);
	assert_true(rig_load(rig, "url: https://h/x\nrecords: /a\nattach: {s: /a/0/id}\n") > 0);
}

/* A value stays one value, whatever it holds and wherever the body puts it. */
static void test_values_in_bodies(void **state)
{
	static const struct {
		const char *type, *body, *value, *sent; /* sent NULL = refused */
	} bodies[] = {
		{"application/json", "{{\"c\": \"{station}\"}}", "Ville \"neuve\"\\\n\t\x01",
			"{\"c\": \"Ville \\\"neuve\\\"\\\\\\n\\t\\u0001\"}"},
		{"", "{{\"c\": \"{station}\"}}", "a\"b", "{\"c\": \"a\\\"b\"}"},
		{"application/vnd.api+json; charset=utf-8", "[\"\\\"{station}\", {station}]",
			"7", "[\"\\\"7\", 7]"},
		{"application/json", "{{\"c\": {station}}}", "-12.5e3", "{\"c\": -12.5e3}"},
		{"application/json", "{{\"c\": {station}}}", "true", "{\"c\": true}"},
		{"application/json", "{{\"c\": {station}}}", "1, \"admin\": true", NULL},
		{"application/json", "{{\"c\": {station}}}", "1,2", NULL},
		{"application/json", "{{\"c\": {station}}}", "007", NULL},
		{"application/json", "{{\"c\": {station}}}", "", NULL},
		{"application/x-www-form-urlencoded", "a=1&c={station}", "x&admin=1 \xc3\xa9",
			"a=1&c=x%26admin%3D1%20%C3%A9"},
		{"application/soap+xml", "<c n='{station}'/>", "<'&\">",
			"<c n='&lt;&#39;&amp;&quot;&gt;'/>"},
		{"text/plain", "{station}", "a\"&<", "a\"&<"},
	};
	struct rig *rig = *state;
	const char *before = partition_values[0];

	rig_open(rig, "url: https://h/x\nmethod: POST\n");
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct etl_node at = {.mark = {NULL, 1, 1, 1}};
		struct etl_http_pair type = {.name = "content-type"};
		int rc;

		type.value = etl_template_parse(bodies[i].type, &at, &rig->conf);
		rig->options.headers = &type;
		rig->options.n_headers = *bodies[i].type != 0;
		rig->options.body = etl_template_parse(bodies[i].body, &at, &rig->conf);
		partition_values[0] = bodies[i].value;
		rc = rig_first(rig);
		if (!bodies[i].sent) {
			assert_int_equal(rc, -1);
			assert_string_equal(rig->err.code, "template.json");
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(rig->request.body, bodies[i].sent);
		}
	}
	partition_values[0] = before;
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_statuses_that_prove_nothing),
		TEST(test_errors_where_records_are_due),
		TEST(test_an_error_beside_a_list_of_many),
		TEST(test_a_document_that_is_an_error),
		TEST(test_what_is_announced),
		TEST(test_what_the_job_says_is_known),
		TEST(test_refusals_without_their_end),
		TEST(test_urls_in_messages),
		TEST(test_secrets_are_masked_in_failures),
		TEST(test_lines),
		TEST(test_no_lines),
		TEST(test_charsets),
		TEST(test_a_charset_of_the_job),
		TEST(test_attach_that_means_nothing_is_refused),
		TEST(test_values_in_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

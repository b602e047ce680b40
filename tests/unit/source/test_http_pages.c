/* SPDX-License-Identifier: MIT
 *
 * A walk over pages: each style asks for the right next page and ends only where the end is proven; each
 * guard stops a walk that would not end, or would end too early, with its own name.
 */
#include "http_rig.h"

#include "source/http/link.h"
#include "source/http/pages.h"

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

#define URL "https://api.example.org/v1/x"
#define JOB "url: " URL "\nrecords: /data\npagination:\n"
#define R(n) "{\"id\":" #n "}"
#define DATA(rows) "{\"data\":[" rows "]}"

/* A page: what has to be asked for it ("" = do not look), and the answer. */
struct page {
	const char *url;
	const char *hints;
	const char *body;
};

static enum outcome give(struct rig *rig, const struct page *page, size_t piece)
{
	struct etl_response response = response_of(rig, *page->body ? 200 : 204);

	if (*page->url)
		assert_string_equal(rig->request.url, page->url);
	response.hints = page->hints ? page->hints : "";
	return answer_in_pieces(rig, &response, page->body, strlen(page->body), piece);
}

/* All pages, the last of which has to be the end with NULL, or to fail with the code; twice, in small
 * pieces and whole, so that nothing stays from one span to the next. */
static void walk(struct rig *rig, const char *job, const struct page *pages, size_t n,
	const char *code, size_t records)
{
	rig_open(rig, job);
	for (size_t piece = 3; piece <= 3000; piece *= 1000) {
		assert_int_equal(rig_first(rig), 0);
		etl_batch_reset(rig->batch);
		for (size_t i = 0; i < n; i++) {
			enum outcome got = give(rig, &pages[i], piece);

			if (got != (i + 1 < n ? ANOTHER : code ? FAILED : ENDED))
				fail_msg("page %zu: %d %s", i + 1, (int)got, rig->err.message);
		}
		if (code) {
			char begin[64];

			assert_string_equal(rig->err.code, code);
			snprintf(begin, sizeof begin, "page %zu of https://", n);
			assert_memory_equal(rig->err.message, begin, strlen(begin));
			assert_hides(rig->err.message);
			continue;
		}
		assert_int_equal(rig->batch->n, records);
		for (size_t i = 0; i < records; i++) /* numbers go on over pages */
			assert_int_equal(rig->batch->records[i].position, i);
	}
}
#define WALK(job, list, code, records)                                                         \
	walk(*state, job, list, sizeof list / sizeof *list, code, records)

/* ---- styles ---- */

static void test_page(void **state)
{
	static const struct page pages[] = {
		{URL "?page=1&per_page=2", NULL, DATA(R(1) "," R(2))},
		{URL "?page=2&per_page=2", NULL, DATA(R(3))},
		{URL "?page=3&per_page=2", NULL, DATA("")},
	};

	WALK(JOB " page: {param: page, size: {param: per_page, value: 2}}\n", pages, NULL, 3);
}

static void test_page_short(void **state)
{
	static const struct page pages[] = {
		{URL "?p=0", NULL, DATA(R(1) "," R(2))},
		{URL "?p=1", NULL, DATA(R(3))},
	};

	WALK(JOB " page: {param: p, first: 0, size: {value: 2}}\n end: short\n", pages, NULL, 3);
}

/* By what came, not by what was asked for. */
static void test_offset(void **state)
{
	static const struct page pages[] = {
		{URL "?offset=0&limit=100", NULL, DATA(R(1) "," R(2))},
		{URL "?offset=2&limit=100", NULL, DATA(R(3))},
		{URL "?offset=3&limit=100", NULL, DATA("")},
	};

	WALK(JOB " offset: {param: offset, limit: {param: limit, value: 100}}\n", pages, NULL, 3);
}

static void test_cursor(void **state)
{
	static const struct page pages[] = {
		{URL, NULL, "{\"meta\":{\"next\":\"a\\/b\\u00e9 &=\"},\"data\":[" R(1) "]}"},
		{URL "?cursor=a%2Fb%C3%A9%20%26%3D", NULL, "{\"data\":[" R(2) "],\"meta\":{\"next\":17}}"},
		{URL "?cursor=17", NULL, "{\"data\":[],\"meta\":{\"next\":\"z\"}}"},
		{URL "?cursor=z", NULL, "{\"data\":[" R(3) "],\"meta\":{\"next\":null}}"},
	};

	WALK(JOB " cursor: {pointer: /meta/next, param: cursor}\n", pages, NULL, 3);
}

/* Each word that says "no further page"; and one that is absent. */
static void test_cursor_ends(void **state)
{
	static const char *const bodies[] = {"{\"data\":[],\"c\":null}", "{\"data\":[],\"c\":\"\"}",
		"{\"data\":[],\"c\":false}", "{\"data\":[]}", ""};
	struct rig *rig = *state;

	rig_open(rig, JOB " cursor: {pointer: /c, param: c}\n");
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(give(rig, &(struct page){"", NULL, bodies[i]}, 5), ENDED);
	}
}

/* A cursor of 4,096 bytes is sent whole; one of 4,097 is refused, never cut. */
static void test_long_cursors(void **state)
{
	struct rig *rig = *state;
	char body[ETL_PAGES_VALUE_MAX + 64], cursor[ETL_PAGES_VALUE_MAX + 2];

	rig_open(rig, JOB " cursor: {pointer: /c, param: c}\n");
	for (size_t more = 0; more < 2; more++) {
		memset(cursor, 'x', sizeof cursor);
		cursor[ETL_PAGES_VALUE_MAX + more] = '\0';
		snprintf(body, sizeof body, "{\"c\":\"%s\",\"data\":[" R(1) "]}", cursor);
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(give(rig, &(struct page){"", NULL, body}, 1000), more ? FAILED : ANOTHER);
		if (more)
			assert_string_equal(rig->err.code, "http.pages_cursor");
		else
			assert_string_equal(rig->request.url + strlen(URL "?c="), cursor);
	}
}

static void test_last_record(void **state)
{
	static const struct page pages[] = {
		{URL, NULL, DATA(R(5) "," R(9))},
		{URL "?after=9", NULL, DATA("{\"id\":\"a b\"}")},
		{URL "?after=a%20b", NULL, DATA("")},
	};

	WALK(JOB " last_record: {field: id, param: after}\n", pages, NULL, 3);
}

static void test_link(void **state)
{
	static const struct page pages[] = {
		{URL "?q=1", "Link: <?q=1&page=2>; rel=\"next\", </v1/x?page=9>; rel=last\n", DATA(R(1))},
		{URL "?q=1&page=2", "Link: <https://API.example.org:443/w/../v1/x?page=3>;title=\"a, b\""
			";rel=\"prev next\"\n", DATA(R(2))},
		{"https://API.example.org:443/v1/x?page=3", "Link: </v1/x?page=1>; rel=first\n", DATA(R(3))},
	};

	WALK("url: " URL "\nquery: {q: 1}\nrecords: /data\npagination: {link: {}}\n", pages, NULL, 3);
}

static void test_next_url(void **state)
{
	static const struct page pages[] = {
		{URL, NULL, "{\"next\":\"\\/v1\\/x?s=2\",\"data\":[" R(1) "]}"},
		{URL "?s=2", NULL, "{\"next\":\"y\",\"data\":[" R(2) "]}"},
		{"https://api.example.org/v1/y", NULL, "{\"next\":null,\"data\":[" R(3) "]}"},
	};

	WALK(JOB " next_url: {pointer: /next}\n", pages, NULL, 3);
}

static void test_odata(void **state)
{
	static const struct page pages[] = {
		{URL, NULL, "{\"data\":[" R(1) "],\"@odata.nextLink\":\"" URL "?$skiptoken=2\"}"},
		{URL "?$skiptoken=2", NULL, "{\"data\":[" R(2) "]}"},
	};

	WALK(JOB " odata: {}\n", pages, NULL, 2);
}

static void test_header(void **state)
{
	struct rig *rig = *state;
	static const struct page pages[] = {
		{URL, "x-my-more:  t/1 \n", DATA(R(1))},
		{URL "?token=t%2F1", "X-My-More: \n", DATA(R(2))},
	};

	WALK(JOB " header: {name: X-My-More, param: token}\n", pages, NULL, 2);
	assert_string_equal(rig->request.kept_header, "X-My-More");
	assert_string_equal(rig->request.url_shown, URL "?token=***");
}

static void test_other_formats(void **state)
{
	static const struct page csv[] = {
		{URL "?page=1", NULL, "id,v\n1,2\n3,4\n"},
		{URL "?page=2", NULL, "id,v\n5,6\n"},
		{URL "?page=3", NULL, "id,v\n"},
	};

	WALK("url: " URL "\nformat: csv\npagination: {page: {param: page}}\n", csv, NULL, 3);
}

static void test_lines(void **state)
{
	static const struct page lines[] = {
		{URL, NULL, "{\"id\":1}\n{\"id\":2}\n"},
		{URL "?after=2", NULL, "{\"id\":3}\n"},
	};

	WALK("url: " URL "\nformat: jsonl\npagination: {end: short, last_record: "
		"{field: id, param: after, size: {value: 2}}}\n", lines, NULL, 3);
}

/* ---- guards ---- */

#define CURSOR " cursor: {pointer: /c, param: c}\n"
#define AT(c, rows) "{\"c\":\"" c "\",\"data\":[" rows "]}"

static void test_the_same_cursor(void **state)
{
	static const struct page pages[] = {{"", NULL, AT("a", R(1))}, {"", NULL, AT("a", R(2))}};

	WALK(JOB CURSOR, pages, "http.pages_loop", 0);
}

static void test_a_circle_of_cursors(void **state)
{
	static const struct page pages[] = {{"", NULL, AT("a", R(1))}, {"", NULL, AT("b", R(2))},
		{"", NULL, AT("c", R(3))}, {"", NULL, AT("a", R(4))}};

	WALK(JOB CURSOR, pages, "http.pages_loop", 0);
}

/* A service that does not know the parameter gives its first page for ever. */
static void test_the_same_page(void **state)
{
	static const struct page pages[] = {
		{URL "?page=1", NULL, "{\"at\":1,\"data\":[" R(1) "," R(2) "]}"},
		{URL "?page=2", NULL, "{\"at\":2,\"data\":[" R(1) "," R(2) "]}"},
	};

	WALK(JOB " page: {param: page}\n", pages, "http.pages_same", 0);
}

static void test_too_many_pages(void **state)
{
	static const struct page pages[] = {{"", NULL, DATA(R(1))}, {"", NULL, DATA(R(2))}};

	WALK(JOB " page: {param: page}\n max_pages: 2\n", pages, "http.pages_max", 0);
}

static void test_too_many_bytes(void **state)
{
	static const struct page pages[] = {{"", NULL, DATA(R(1))}, {"", NULL, DATA(R(2))}};

	WALK(JOB " page: {param: page}\n max_bytes: 30B\n", pages, "http.pages_bytes", 0);
}

/* Page 1 spoke of three records; two came. A total that shrinks meanwhile is no excuse. */
static void test_a_total_that_does_not_come(void **state)
{
	static const struct page pages[] = {
		{"", NULL, "{\"total\":3,\"data\":[" R(1) "]}"},
		{"", NULL, "{\"total\":2,\"data\":[" R(2) "]}"},
		{"", NULL, "{\"total\":2,\"data\":[]}"},
	};

	WALK(JOB " page: {param: page}\n", pages, "http.more", 0);
}

static void test_a_total_that_is_ignored(void **state)
{
	static const struct page pages[] = {
		{"", NULL, "{\"total\":3,\"data\":[" R(1) "]}"},
		{"", NULL, "{\"total\":3,\"data\":[]}"},
	};

	WALK(JOB " page: {param: page}\n announced: ignore\n", pages, NULL, 1);
}

/* No cursor, but more is said: nobody guesses which of them is right. */
static void test_more_without_a_cursor(void **state)
{
	static const struct page pages[] = {{"", NULL, "{\"has_more\":true,\"data\":[" R(1) "]}"}};

	WALK(JOB CURSOR, pages, "http.more", 0);
}

static void test_a_short_page_of_more(void **state)
{
	static const struct page pages[] = {{"", NULL, "{\"pages\":3,\"page\":1,\"data\":[" R(1) "]}"}};

	WALK(JOB " page: {param: p, size: {value: 2}}\n end: short\n", pages, "http.more", 0);
}

static void test_a_cursor_that_is_none(void **state)
{
	static const struct page pages[] = {{"", NULL, "{\"c\":{\"x\":1},\"data\":[" R(1) "]}"}};

	WALK(JOB CURSOR, pages, "http.pages_cursor", 0);
}

static void test_a_cursor_twice_in_a_page(void **state)
{
	static const struct page pages[] = {{"", NULL, "{\"c\":1,\"c\":2,\"data\":[" R(1) "]}"}};

	WALK(JOB CURSOR, pages, "json.duplicate", 0);
}

static void test_a_last_record_without_the_field(void **state)
{
	static const struct page pages[] = {{"", NULL, DATA(R(1) ",{\"x\":1}")}};

	WALK(JOB " last_record: {field: id, param: after}\n", pages, "http.pages_cursor", 0);
}

/* Going on behind the record before it would ask for the same page again. */
static void test_a_last_record_that_cannot_be_read(void **state)
{
	static const struct page pages[] = {{"", NULL, DATA(R(1) ",5")}};

	WALK(JOB " last_record: {field: id, param: after}\n", pages, "http.pages_cursor", 0);
}

static void test_other_hosts(void **state)
{
	static const char *const hosts[] = {"https://evil.example/x", "//evil.example/x",
		"http://api.example.org/v1/x?page=2", "https://api.example.org:8443/x",
		"https://api.example.org.evil.example/"};
	static const char *const odd[] = {"https://me:pw@api.example.org/", "ftp://api.example.org/",
		"https://api.example.org/a b", "https:///x", "javascript:alert(1)"};
	struct rig *rig = *state;
	char link[300];

	rig_open(rig, JOB " link: {}\n");
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts + sizeof odd / sizeof *odd; i++) {
		bool is_host = i < sizeof hosts / sizeof *hosts;
		const char *url = is_host ? hosts[i] : odd[i - sizeof hosts / sizeof *hosts];

		snprintf(link, sizeof link, "Link: <%s>; rel=next\n", url);
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(give(rig, &(struct page){URL, link, DATA(R(1))}, 9), FAILED);
		assert_string_equal(rig->err.code, is_host ? "http.pages_host" : "http.pages_url");
	}
}

/* An allowed host is asked, but gets no credentials; back on the own one they are sent again. */
static void test_credentials_stay_at_home(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "url: " URL "\nheaders: {X-Tenant: t1}\nrecords: /data\n"
		"auth: {bearer: {token: {credential: secret}}}\n"
		"pagination: {link: {}, hosts: [cdn.example.org]}\n");
	assert_non_null(header_of(&rig->request, "Authorization"));
	assert_int_equal(give(rig, &(struct page){URL,
		"Link: <https://cdn.example.org/2>; rel=next\n", DATA(R(1))}, 9), ANOTHER);
	assert_string_equal(rig->request.url, "https://cdn.example.org/2");
	assert_null(header_of(&rig->request, "Authorization"));
	assert_null(header_of(&rig->request, "X-Tenant"));
	assert_non_null(header_of(&rig->request, "Accept"));
	assert_int_equal(give(rig, &(struct page){"", "Link: <" URL "?p=3>; rel=next\n", DATA(R(2))}, 9),
		ANOTHER);
	assert_non_null(header_of(&rig->request, "Authorization"));
	assert_int_equal(give(rig, &(struct page){"", "Link: <http://cdn.example.org/4>; rel=next\n",
		DATA(R(3))}, 9), FAILED);
	assert_string_equal(rig->err.code, "http.pages_host");
}

/* A key in the query is sent with each page, once, and never shown. */
static void test_a_key_in_the_query(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "url: " URL "\nrecords: /data\n"
		"auth: {api_key: {query: k, value: {credential: secret}}}\npagination: {link: {}}\n");
	assert_int_equal(give(rig, &(struct page){"", "Link: <?p=2>; rel=next\n", DATA(R(1))}, 9), ANOTHER);
	assert_string_equal(rig->request.url, URL "?p=2&k=s3cr3t%2Fvalue%26more");
	assert_string_equal(rig->request.url_shown, URL "?p=2&k=***");
	assert_int_equal(give(rig, &(struct page){"", "Link: <?p=3&k=s3cr3t%2Fvalue%26more>; rel=next\n",
		DATA(R(2))}, 9), ANOTHER);
	assert_string_equal(rig->request.url, URL "?p=3&k=s3cr3t%2Fvalue%26more");
	assert_string_equal(rig->request.url_shown, URL "?p=3&k=***");
}

/* Neither where it is quoted, nor in what the reason says of the next page. */
static void test_a_secret_that_is_echoed(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "url: " URL "\nrecords: /data\nauth: {bearer: {token: {credential: secret}}}\n"
		"pagination: {link: {}}\n");
	assert_int_equal(give(rig, &(struct page){"", "Link: <ftp://x/s3cr3t/value&more>; rel=next\n",
		"{\"me\":\"s3cr3t/value&more\",\"data\":[]}"}, 9), FAILED);
	assert_message(rig, ETL_DATA, "not usable");
	assert_message(rig, ETL_DATA, "the answer begins '{\"me\":\"***");
}

#define TOKEN(n) "{\"access_token\":\"tok-" #n "\",\"token_type\":\"Bearer\",\"expires_in\":3600}"

/* 401 at page 2: a fresh token, and page 2 again; the same at page 3, since that is another page. A fresh
 * token that is refused is the end. */
static void test_a_token_that_ends_meanwhile(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, JOB CURSOR
		"auth: {oauth2: {token_url: https://api.example.org/token, client_id: c}}\n");
	assert_int_equal(answer(rig, 200, TOKEN(1)), ANOTHER);
	assert_int_equal(answer(rig, 200, AT("a", R(1))), ANOTHER);
	for (int page = 2; page <= 3; page++) {
		char url[100];

		snprintf(url, sizeof url, URL "?c=%s", page == 2 ? "a" : "b");
		assert_string_equal(rig->request.url, url);
		assert_int_equal(answer(rig, 401, ""), AGAIN);
		assert_string_equal(rig->request.url, "https://api.example.org/token");
		assert_int_equal(answer(rig, 200, page == 2 ? TOKEN(2) : TOKEN(3)), ANOTHER);
		assert_string_equal(rig->request.url, url);
		assert_int_equal(answer(rig, 200, page == 2 ? AT("b", R(2)) : AT("d", R(3))), ANOTHER);
	}
	assert_int_equal(answer(rig, 401, ""), AGAIN);
	assert_int_equal(answer(rig, 200, TOKEN(4)), ANOTHER);
	assert_int_equal(answer(rig, 401, ""), FAILED);
	assert_message(rig, ETL_AUTH, "page 4 of " URL);
	assert_int_equal(rig->batch->n, 3);
}

static void test_a_page_that_fails(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, JOB CURSOR);
	assert_int_equal(answer(rig, 200, AT("a", R(1))), ANOTHER);
	assert_int_equal(answer(rig, 500, "broken"), FAILED);
	assert_message(rig, ETL_TRANSIENT, "page 2 of " URL "?c=a: status 500");
}

/* ---- configuration ---- */

static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *job, *says;
	} wrong[] = {
		{"pagination: non\n", "none"},
		{"pagination: {}\n", "takes one of page"},
		{"pagination: {page: {param: p}, link: {}}\n", "takes one of page"},
		{"pagination: {curser: {pointer: /c, param: c}}\n", "cursor"},
		{"pagination: {page: {}}\n", "param"},
		{"query: {p: 1}\npagination: {page: {param: p}}\n", "stands in query and in pagination"},
		{"query: {n: 1}\npagination: {page: {param: p, size: {param: n, value: 5}}}\n",
			"stands in query and in pagination"},
		{"pagination: {page: {param: u}}\n", "stands in url and in pagination"},
		{"pagination: {page: {param: p, size: {param: p, value: 5}}}\n", "two parameters"},
		{"pagination: {page: {param: p}, end: short}\n", "how many records"},
		{"pagination: {link: {}, end: short}\n", "'end' is for"},
		{"pagination: {page: {param: p}, hosts: [x]}\n", "'hosts' is for"},
		{"pagination: {link: {}, hosts: [\"https://x\"]}\n", "no URLs"},
		{"pagination: {page: {param: p}, max_pages: 0}\n", "max_pages"},
		{"format: csv\npagination: {cursor: {pointer: /c, param: c}}\n", "needs format: json"},
		{"format: jsonl\npagination: {odata: {}}\n", "needs format: json"},
		{"pagination: {cursor: {pointer: c, param: c}}\n", "no pointer to one value"},
		{"pagination: {cursor: {pointer: \"/*/c\", param: c}}\n", "no pointer to one value"},
		{"records: /data\npagination: {cursor: {pointer: /data/c, param: c}}\n",
			"inside of the records"},
		{"method: POST\npagination: {link: {}}\n", "with GET"},
		{"pagination: {header: {name: \"X Y\", param: t}}\n", "no name of a header"},
		{"auth: {api_key: {query: t, value: {credential: secret}}}\n"
			"pagination: {header: {name: X-Y, param: t}}\n", "auth.api_key"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rig rig;
		char yaml[300];
		struct etl_buf text ETL_BUF_CLEANUP;

		rig_new(&rig);
		snprintf(yaml, sizeof yaml, "url: https://x/a?u=1\n%s", wrong[i].job);
		if (rig_load(&rig, yaml) == 0)
			fail_msg("no error: %s", yaml);
		etl_buf_init(&text, 1 << 16);
		etl_diag_print(rig.diag, &text);
		if (!strstr(etl_buf_text(&text), wrong[i].says) || !strstr(etl_buf_text(&text), "test.yaml:"))
			fail_msg("'%s' is not in: %s", wrong[i].says, etl_buf_text(&text));
		rig_free(&rig);
	}
}

/* ---- links and URLs ---- */

static void test_relative_urls(void **state)
{
	/* RFC 3986, 5.4.1 and 5.4.2, without those that have ';' or another scheme. */
	static const char *const urls[][2] = {{"g", "http://a/b/c/g"}, {"./g", "http://a/b/c/g"},
		{"g/", "http://a/b/c/g/"}, {"/g", "http://a/g"}, {"//g", "http://g"},
		{"?y", "http://a/b/c/d?y"}, {"g?y", "http://a/b/c/g?y"}, {"#s", "http://a/b/c/d?q"},
		{"g#s", "http://a/b/c/g"}, {"", "http://a/b/c/d?q"}, {".", "http://a/b/c/"},
		{"./", "http://a/b/c/"}, {"..", "http://a/b/"}, {"../", "http://a/b/"},
		{"../g", "http://a/b/g"}, {"../..", "http://a/"}, {"../../g", "http://a/g"},
		{"../../../g", "http://a/g"}, {"/./g", "http://a/g"}, {"/../g", "http://a/g"},
		{"g.", "http://a/b/c/g."}, {"..g", "http://a/b/c/..g"}, {"./../g", "http://a/b/g"},
		{"g/./h", "http://a/b/c/g/h"}, {"g/../h", "http://a/b/c/h"},
		{"g?y/../x", "http://a/b/c/g?y/../x"}, {"https://z/x", "https://z/x"}};
	struct etl_buf out ETL_BUF_CLEANUP;

	(void)state;
	etl_buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		assert_null(etl_link_resolve("http://a/b/c/d?q", urls[i][0], &out));
		assert_string_equal(etl_buf_text(&out), urls[i][1]);
	}
	assert_null(etl_link_resolve("http://a", "g", &out));
	assert_string_equal(etl_buf_text(&out), "http://a/g");
	assert_non_null(etl_link_resolve("http://a/b", "mailto:x", &out));
}

static void test_links(void **state)
{
	static const struct {
		const char *value, *next;
	} links[] = {
		{"<u>; rel=next", "u"},
		{"<u>;rel=\"NEXT\"", "u"},
		{" , <v>; rel=prev ,<u> ; REL = \"a\tnext\" ; x", "u"},
		{"<v>; rel=nextish, <w>; title=\"rel=next\", <x>; rel=prev; rel=next", NULL},
		{"<v>; title=\"a, <w>; rel=next\"", NULL},
		{"<v>; title=\"\\\"; rel=next\"", NULL},
		{"<u,1>; rel=next", "u,1"},
		{"<u; rel=next", NULL},
		{"u; rel=next, <w>; rel=\"next", "w"},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		char *copy = etl_memdup0(links[i].value, strlen(links[i].value));
		const char *at = copy, *end = copy + strlen(copy);
		struct etl_link link, found = {.target = NULL};

		while (etl_link_read(&at, end, &link))
			if (link.is_next && !found.target)
				found = link;
		if (!links[i].next != !found.target)
			fail_msg("%s", links[i].value);
		if (found.target)
			assert_memory_equal(found.target, links[i].next, found.target_len);
		free(copy);
	}
}

static void test_origins(void **state)
{
	static const char *const same[][2] = {{"HTTPS://X.org/a", "https://x.org:443"},
		{"http://x.org?b", "http://x.org:80"}, {"http://[::1]/", "http://[::1]:80"},
		{"http://[::1]:8080/", "http://[::1]:8080"}};
	char origin[ETL_LINK_ORIGIN_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		assert_true(etl_link_origin(same[i][0], origin));
		assert_string_equal(origin, same[i][1]);
	}
	assert_false(etl_link_origin("x.org", origin));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_page),
		T(test_page_short),
		T(test_offset),
		T(test_cursor),
		T(test_cursor_ends),
		T(test_long_cursors),
		T(test_last_record),
		T(test_link),
		T(test_next_url),
		T(test_odata),
		T(test_header),
		T(test_other_formats),
		T(test_lines),
		T(test_the_same_cursor),
		T(test_a_circle_of_cursors),
		T(test_the_same_page),
		T(test_too_many_pages),
		T(test_too_many_bytes),
		T(test_a_total_that_does_not_come),
		T(test_a_total_that_is_ignored),
		T(test_more_without_a_cursor),
		T(test_a_short_page_of_more),
		T(test_a_cursor_that_is_none),
		T(test_a_cursor_twice_in_a_page),
		T(test_a_last_record_without_the_field),
		T(test_a_last_record_that_cannot_be_read),
		T(test_other_hosts),
		T(test_credentials_stay_at_home),
		T(test_a_key_in_the_query),
		T(test_a_secret_that_is_echoed),
		T(test_a_token_that_ends_meanwhile),
		T(test_a_page_that_fails),
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_relative_urls),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

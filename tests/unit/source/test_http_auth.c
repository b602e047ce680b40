/* SPDX-License-Identifier: MIT
 *
 * Authorization of the http source: fixed credentials, OAuth 2 token flows, and that no
 * secret is ever shown.
 */
#include "http_rig.h"

#define URL "url: https://api.example.org/v3/avg/{station}\nrecords: /data\n"
#define TOKEN_URL "https://auth.example.org/token"
#define CLIENT                                                                                 \
	URL "auth: {oauth2: {token_url: " TOKEN_URL ", client_id: etl&1, "                     \
	    "client_secret: {credential: secret}}}\n"
#define PASSWORD                                                                               \
	URL "timeout: 5s\nauth: {oauth2: {grant: password, token_url: " TOKEN_URL ", "         \
	    "client_id: etl, client_secret: {credential: secret}, username: me@x, "            \
	    "password: {credential: password}, scope: \"openid mail\"}}\n"
#define DATA "{\"data\":[{\"a\":1}]}"
#define SECRET_CODED "s3cr3t%2Fvalue%26more"

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

static void assert_asks_token(const struct rig *rig, const char *form)
{
	assert_string_equal(rig->request.url, TOKEN_URL);
	assert_string_equal(rig->request.method, "POST");
	assert_string_equal(
		header_of(&rig->request, "Content-Type"), "application/x-www-form-urlencoded");
	assert_string_equal(rig->request.body, form);
	assert_int_equal(rig->request.body_len, strlen(form));
	assert_hides(rig->request.url_shown);
}

static void assert_asks_data(const struct rig *rig, const char *token)
{
	assert_string_equal(rig->request.url, "https://api.example.org/v3/avg/283164601");
	assert_string_equal(rig->request.method, "GET");
	if (token)
		assert_string_equal(header_of(&rig->request, "Authorization"), token);
	else
		assert_null(header_of(&rig->request, "Authorization"));
	assert_hides(rig->request.url_shown);
}

/* ---- fixed credentials ---- */

static void test_none(void **state)
{
	rig_start(*state, URL);
	assert_asks_data(*state, NULL);
}

static void test_basic(void **state)
{
	rig_start(
		*state, URL "auth: {basic: {username: Aladdin, password: {file: password}}}\n");
	assert_asks_data(*state, "Basic QWxhZGRpbjpwYTU1IHdvcmQreA==");
}

static void test_basic_without_password(void **state)
{
	rig_start(*state, URL "auth: {basic: {username: key}}\n");
	assert_asks_data(*state, "Basic a2V5Og==");
}

static void test_bearer(void **state)
{
	rig_start(*state, URL "auth: {bearer: {token: {credential: secret}}}\n");
	assert_asks_data(*state, "Bearer " SECRET_VALUE);
}

static void test_key_in_a_header(void **state)
{
	struct rig *rig = *state;

	rig_start(
		rig, URL "auth: {api_key: {header: X-API-Key, value: {credential: secret}}}\n");
	assert_asks_data(rig, NULL);
	assert_string_equal(header_of(&rig->request, "X-API-Key"), SECRET_VALUE);
}

static void test_key_in_the_query(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "query: {a: 1}\nauth: {api_key: {query: appid, value: {credential: "
			   "secret}}}\n");
	assert_string_equal(rig->request.url,
		"https://api.example.org/v3/avg/283164601?a=1&appid=" SECRET_CODED);
	assert_string_equal(rig->request.url_shown,
		"https://api.example.org/v3/avg/283164601?a=1&appid=***");
}

static void test_fixed_credentials_refused(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "auth: {bearer: {token: {credential: secret}}}\n");
	assert_int_equal(answer(rig, 401, "{}"), FAILED);
	assert_message(rig, ETL_AUTH, "401");
	assert_int_equal(rig->requests, 1);
}

/* ---- token flows ---- */

static void test_client_credentials(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, CLIENT);
	assert_asks_token(rig,
		"grant_type=client_credentials&client_id=etl%261&client_secret=" SECRET_CODED);
	assert_int_equal(answer(rig, 200,
				 "{\"access_token\":\"tok-1\",\"token_type\":\"bearer\","
				 "\"expires_in\":300}"),
		ANOTHER);
	assert_asks_data(rig, "Bearer tok-1");
	assert_int_equal(answer(rig, 200, DATA), ENDED);
	assert_int_equal(rig->batch->n, 1);
	assert_int_equal(rig->requests, 2);
}

static void test_token_is_kept_until_its_margin(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, CLIENT);
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-1\",\"expires_in\":300}"), ANOTHER);
	rig->now.ms += 270 * 1000 - 1;
	assert_int_equal(rig_first(rig), 0);
	assert_asks_data(rig, "Bearer tok-1");
	rig->now.ms += 1;
	assert_int_equal(rig_first(rig), 0);
	assert_string_equal(rig->request.url, TOKEN_URL);
}

static void test_expiry_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t holds_s;
	} cases[] = {
		{"\"expires_in\":\"3600\"", 3570},
		{"\"expires_in\":null", 270},
		{"\"expires_in\":-5", 270},
		{"\"expires_in\":0", 270},
		{"\"expires_in\":10", 5}, /* the margin would leave nothing */
		{"\"expires_in\":9007199254740991", 366 * 86400 - 30},
		{"\"other\":1", 270},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig rig;
		char body[128];

		rig_new(&rig);
		rig_start(&rig, CLIENT);
		snprintf(body, sizeof body, "{\"access_token\":\"tok-1\",%s}", cases[i].text);
		assert_int_equal(answer(&rig, 200, body), ANOTHER);
		rig.now.ms += cases[i].holds_s * 1000 - 1;
		assert_int_equal(rig_first(&rig), 0);
		assert_asks_data(&rig, "Bearer tok-1");
		rig.now.ms += 1;
		assert_int_equal(rig_first(&rig), 0);
		assert_string_equal(rig.request.url, TOKEN_URL);
		rig_free(&rig);
	}
	(void)state;
}

#define PASSWORD_FORM                                                                          \
	"grant_type=password&username=me%40x&password=pa55%20word%2Bx&client_id=etl"           \
	"&client_secret=" SECRET_CODED "&scope=openid%20mail"

static void test_password_then_refresh(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, PASSWORD);
	assert_asks_token(rig, PASSWORD_FORM);
	assert_int_equal(rig->request.timeout.us, 5000000);
	assert_int_equal(answer(rig, 200,
				 "{\"access_token\":\"tok-1\",\"refresh_token\":\"tok-r1\","
				 "\"expires_in\":300}"),
		ANOTHER);
	assert_int_equal(answer(rig, 200, DATA), ENDED);
	rig->now.ms += 400 * 1000;
	assert_int_equal(rig_first(rig), 0);
	assert_asks_token(rig, "grant_type=refresh_token&refresh_token=tok-r1&client_id=etl"
			       "&client_secret=" SECRET_CODED "&scope=openid%20mail");
	/* The answer has no new refresh token: the old one goes on (RFC 6749 section 6). */
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-2\",\"expires_in\":300}"), ANOTHER);
	assert_asks_data(rig, "Bearer tok-2");
	rig->now.ms += 400 * 1000;
	assert_int_equal(rig_first(rig), 0);
	assert_non_null(strstr(rig->request.body, "refresh_token=tok-r1"));
}

static void start_with_token(struct rig *rig)
{
	rig_start(rig, PASSWORD);
	assert_int_equal(answer(rig, 200,
				 "{\"access_token\":\"tok-1\",\"refresh_token\":\"tok-r1\","
				 "\"expires_in\":300}"),
		ANOTHER);
	assert_asks_data(rig, "Bearer tok-1");
}

static void test_refused_refresh_falls_back(void **state)
{
	struct rig *rig = *state;

	start_with_token(rig);
	rig->now.ms += 400 * 1000;
	assert_int_equal(rig_first(rig), 0);
	assert_non_null(strstr(rig->request.body, "grant_type=refresh_token"));
	assert_int_equal(answer(rig, 400,
				 "{\"error\":\"invalid_grant\","
				 "\"error_description\":\"Token is not active\"}"),
		ANOTHER);
	assert_asks_token(rig, PASSWORD_FORM);
	assert_int_equal(rig->request.timeout.us, 5000000);
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-2\",\"expires_in\":300}"), ANOTHER);
	assert_asks_data(rig, "Bearer tok-2");
	assert_int_equal(answer(rig, 200, DATA), ENDED);
	/* It is not tried again. */
	rig->now.ms += 400 * 1000;
	assert_int_equal(rig_first(rig), 0);
	assert_asks_token(rig, PASSWORD_FORM);
}

static void test_401_renews_once(void **state)
{
	struct rig *rig = *state;

	start_with_token(rig);
	assert_int_equal(answer(rig, 401, "{}"), AGAIN);
	assert_non_null(strstr(rig->request.body, "refresh_token=tok-r1"));
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-2\",\"refresh_token\":\"tok-r2\"}"),
		ANOTHER);
	assert_asks_data(rig, "Bearer tok-2");
	assert_int_equal(answer(rig, 200, DATA), ENDED);
	assert_int_equal(rig->requests, 4);
	assert_int_equal(rig->batch->n, 1);
}

static void test_401_twice_is_final(void **state)
{
	struct rig *rig = *state;

	start_with_token(rig);
	assert_int_equal(answer(rig, 401, "{}"), AGAIN);
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-2\",\"expires_in\":300}"), ANOTHER);
	assert_int_equal(answer(rig, 401, "{}"), FAILED);
	assert_message(rig, ETL_AUTH, "fresh token");
	assert_int_equal(rig->err.status, 401);
	/* The next run begins with the full grant. */
	assert_int_equal(rig_first(rig), 0);
	assert_asks_token(rig, PASSWORD_FORM);
}

static void test_403_does_not_renew(void **state)
{
	struct rig *rig = *state;

	start_with_token(rig);
	assert_int_equal(answer(rig, 403, "{}"), FAILED);
	assert_int_equal(rig->err.kind, ETL_AUTH);
	assert_int_equal(rig_first(rig), 0);
	assert_asks_data(rig, "Bearer tok-1");
}

/* Two partitions of a job: the one takes what the other got. */
static void test_tokens_are_shared(void **state)
{
	struct rig *rig = *state;
	void *first_instance, *other = etl_calloc(1, etl_source_http.size);
	struct etl_source_env env;

	start_with_token(rig);
	env = rig->env;
	assert_int_equal(etl_decode_new(rig->spec, 0, &env.decode, &rig->err), 0);
	assert_int_equal(etl_source_http.open(other, &rig->options, &env, &rig->err), 0);
	first_instance = rig->self;
	rig->self = other;
	assert_int_equal(rig_first(rig), 0);
	assert_asks_data(rig, "Bearer tok-1");
	/* The other one renews it ... */
	assert_int_equal(answer(rig, 401, "{}"), AGAIN);
	assert_int_equal(
		answer(rig, 200, "{\"access_token\":\"tok-2\",\"expires_in\":300}"), ANOTHER);
	/* ... and the first one's 401 is answered with that, without a question more. */
	rig->self = first_instance;
	assert_int_equal(answer(rig, 401, "{}"), AGAIN);
	assert_asks_data(rig, "Bearer tok-2");
	assert_int_equal(answer(rig, 200, DATA), ENDED);
	etl_source_http.close(other);
	free(other);
	etl_decode_free(env.decode);
}

static void test_basic_style(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "auth: {oauth2: {token_url: " TOKEN_URL ", client_id: \"e:t\", "
			   "client_secret: {credential: secret}, auth_style: basic}}\n");
	assert_asks_token(rig, "grant_type=client_credentials");
	/* base64 of e%3At:s3cr3t%2Fvalue%26more */
	assert_string_equal(header_of(&rig->request, "Authorization"),
		"Basic ZSUzQXQ6czNjcjN0JTJGdmFsdWUlMjZtb3Jl");
}

static void test_public_client(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, URL "auth: {oauth2: {token_url: " TOKEN_URL ", client_id: etl}}\n");
	assert_asks_token(rig, "grant_type=client_credentials&client_id=etl");
}

/* ---- what the token endpoint may answer ---- */

static void test_endpoint_refuses(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, PASSWORD);
	assert_int_equal(answer(rig, 401,
				 "{\"error\":\"invalid_grant\",\"error_description\":"
				 "\"Invalid user credentials\"}"),
		FAILED);
	assert_message(rig, ETL_AUTH, "(status 401): invalid_grant: Invalid user credentials");
	assert_int_equal(rig->err.status, 401);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 400, "<html>"), FAILED);
	assert_message(rig, ETL_AUTH, "refused the credentials (status 400)");
}

static void test_endpoint_echoes_secrets(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, PASSWORD);
	assert_int_equal(
		answer(rig, 400,
			"{\"error\":\"bad " SECRET_VALUE "\",\"error_description\":"
			"\"password " PASSWORD_VALUE " is wrong, sent " PASSWORD_VALUE "\"}"),
		FAILED);
	assert_message(rig, ETL_AUTH, "bad ***: password *** is wrong, sent ***");
}

static void test_endpoint_statuses(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 429);

	response.retry_after = ETL_SECONDS(9);
	rig_start(rig, PASSWORD);
	assert_int_equal(answer_in_pieces(rig, &response, "", 0, 1), FAILED);
	assert_message(rig, ETL_THROTTLED, "the token endpoint: status 429");
	assert_int_equal(rig->err.retry_after_ms, 9000);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 503, ""), FAILED);
	assert_message(rig, ETL_TRANSIENT, "the token endpoint: status 503");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 404, ""), FAILED);
	assert_message(rig, ETL_PERMANENT, "the token endpoint: status 404");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 302, ""), FAILED);
	assert_message(rig, ETL_PERMANENT, "redirects are not followed");
}

static void test_endpoint_answers_nonsense(void **state)
{
	static const char *const bodies[] = {"", "{}", "null", "[]", "<html>tok-1</html>",
		"{\"access_token\":7}", "{\"access_token\":\"\"}", "{\"access_token\":null}",
		"{\"access_token\":\"tok-1\\r\\nX: 1\"}", "{\"access_token\":\"tok-1 x\"}",
		"{\"access_token\":\"tok-\\u00e9\"}", "{\"access_token\":\"tok-1\"",
		"{\"access_token\":\"tok-1\",\"token_type\":\"mac\"}",
		"{\"access_token\":\"tok-1\",\"access_token\":\"tok-2\"}"};
	struct rig *rig = *state;

	rig_open(rig, PASSWORD);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_int_equal(rig_first(rig), 0);
		assert_int_equal(answer(rig, 200, bodies[i]), FAILED);
		assert_message(rig, ETL_DATA, "token endpoint");
	}
}

/* With status 200, as some do: its own words are told, and nothing else of its answer. */
static void test_endpoint_refuses_with_200(void **state)
{
	struct rig *rig = *state;

	rig_open(rig, PASSWORD);
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"error\":\"invalid_client\",\"error_description\":\"no such "
		"client\",\"id_token\":\"tok-1\"}"), FAILED);
	assert_message(rig, ETL_AUTH, "no usable access_token: invalid_client: no such client");
	assert_null(strstr(rig->err.message, "tok-1"));
}

static void test_endpoint_answers_without_end(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 200);
	char *large = etl_calloc(1, 100001);

	memset(large, ' ', 100000);
	rig_start(rig, PASSWORD);
	assert_int_equal(answer_in_pieces(rig, &response, large, 100000, 1000), FAILED);
	assert_int_equal(rig->err.kind, ETL_LIMIT);
	free(large);
}

/* ---- nothing secret is shown ---- */

static void test_service_echoes_secrets(void **state)
{
	struct rig *rig = *state;
	struct etl_response response = response_of(rig, 200);
	const char *html = "<p>wrong key " SECRET_VALUE "</p> or " SECRET_CODED " or what";
	char half[400];

	rig_start(rig, URL "auth: {api_key: {query: key, value: {credential: secret}}}\n");
	response.content_type = "text/html";
	assert_int_equal(answer_in_pieces(rig, &response, html, strlen(html), 5), FAILED);
	assert_message(rig, ETL_DATA, "'<p>wrong key ***</p> or *** or what'");
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, "{\"error\":\"" SECRET_VALUE "\"}"), FAILED);
	assert_message(rig, ETL_DATA, "***");
	/* The kept bytes end inside the secret, behind blanks that the quotation leaves out. */
	memset(half, ' ', sizeof half);
	memcpy(half, "<p>", 3);
	memcpy(half + 150, SECRET_VALUE, strlen(SECRET_VALUE));
	half[sizeof half - 1] = '\0';
	assert_int_equal(rig_first(rig), 0);
	assert_int_equal(answer(rig, 200, half), FAILED);
	assert_message(rig, ETL_DATA, "'<p> '");
}

static void test_service_echoes_the_token(void **state)
{
	struct rig *rig = *state;

	start_with_token(rig);
	assert_int_equal(answer(rig, 200, "Bearer tok-1 is not welcome"), FAILED);
	assert_message(rig, ETL_DATA, "'Bearer *** is not welcome'");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_basic),
		TEST(test_basic_without_password),
		TEST(test_bearer),
		TEST(test_key_in_a_header),
		TEST(test_key_in_the_query),
		TEST(test_fixed_credentials_refused),
		TEST(test_client_credentials),
		TEST(test_token_is_kept_until_its_margin),
		cmocka_unit_test(test_expiry_forms),
		TEST(test_password_then_refresh),
		TEST(test_refused_refresh_falls_back),
		TEST(test_401_renews_once),
		TEST(test_401_twice_is_final),
		TEST(test_403_does_not_renew),
		TEST(test_tokens_are_shared),
		TEST(test_basic_style),
		TEST(test_public_client),
		TEST(test_endpoint_refuses),
		TEST(test_endpoint_echoes_secrets),
		TEST(test_endpoint_statuses),
		TEST(test_endpoint_answers_nonsense),
		TEST(test_endpoint_refuses_with_200),
		TEST(test_endpoint_answers_without_end),
		TEST(test_service_echoes_secrets),
		TEST(test_service_echoes_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

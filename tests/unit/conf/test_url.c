/* SPDX-License-Identifier: MIT
 *
 * Secrets inside of URLs: found, masked, and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "conf/open_secret.h"
#include "conf/option.h"
#include "conf/url.h"

static void users_are_found_and_masked(void **state)
{
	static const char *const pairs[][2] = {
		{"http://me:pw@h/x", "http://*****@h/x"},
		{"see 'mongodb://u:p@h1,h2/?a=b'.", "see 'mongodb://***@h1,h2/?a=b'."},
		{"https://token@h", "https://*****@h"},
		{"http://me:a/b@h/", "http://******@h/"},
		{"http://me:a@b@h/", "http://******@h/"},
		{"a http://u:p@h b http://v:q@h", "a http://***@h b http://***@h"},
		{"http://me:pw@[::1]:80/", "http://*****@[::1]:80/"},
		/* nothing to hide */
		{"http://h/x@y", NULL},
		{"http://h:80/x?mail=a@b.c", NULL},
		{"mongodb://h1:1,h2:27018/db?x=a@b", NULL},
		{"http://[::1]:80/a@b", NULL},
		{"http://[::1]/a@b", NULL},
		{"me@h", NULL},
		{"://", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char *text = etl_strdup(pairs[i][0]);

		etl_url_mask(text);
		assert_string_equal(text, pairs[i][1] ? pairs[i][1] : pairs[i][0]);
		free(text);
	}
}

static void names_of_secrets(void **state)
{
	static const char *const yes[] = {"password", "API_KEY", "apiKey", "X-Api-Key", "x-auth-token",
		"client_secret", "Ocp-Apim-Subscription-Key", "access_token"};
	static const char *const no[] = {"page_token", "key", "x", "x-", "", "monkey", "secretary",
		"passwords"};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		assert_true(etl_is_secret_name(yes[i], strlen(yes[i])));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(etl_is_secret_name(no[i], strlen(no[i])));
}

static bool is_refused(const char *text)
{
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_conf_env env = {.arena = arena, .diag = etl_diag_new(), .what = "etld.yaml"};
	etl_cleanup(free) char *yaml = etl_strf("'%s'", text);
	struct etl_node *node = etl_conf_parse(arena, "f", yaml, strlen(yaml), NULL, env.diag);
	bool good = etl_url_check_secret(text, node, "uri", &env);
	struct etl_buf shown ETL_BUF_CLEANUP;

	etl_buf_init(&shown, 65536);
	etl_diag_print(env.diag, &shown);
	assert_int_equal(etl_diag_count(env.diag), !good);
	assert_null(strstr(etl_buf_text(&shown), "swordfish"));
	etl_diag_free(env.diag);
	etl_arena_free(arena);
	return !good;
}

static void what_is_refused(void **state)
{
	(void)state;
	assert_true(is_refused("mongodb://u:swordfish@h/"));
	assert_true(is_refused("mongodb+srv://u:swordfish@h/"));
	assert_true(is_refused("mongodb://h/?tls=true&tlsCertificateKeyFilePassword=swordfish"));
	assert_true(is_refused("mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:swordfish"));
	assert_true(is_refused("https://swordfish@h/"));
	assert_true(is_refused("https://h/?apikey=swordfish"));
	/* a user of whom the server wants a certificate or a ticket */
	assert_false(is_refused("mongodb://CN=client@h/?authMechanism=MONGODB-X509"));
	assert_false(is_refused("mongodb://u%40REALM@h/?authMechanismProperties=SERVICE_NAME:x"));
	assert_false(is_refused("mongodb://u:@h/"));
	assert_false(is_refused("https://h/?apikey="));
	assert_false(is_refused("https://h/?apikey={station}&q=a@b"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_found_and_masked),
		cmocka_unit_test(names_of_secrets),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 *
 * The options of `extract: http:`, as the file said them and as check() compiled them.
 * Immutable after check(), shared by all instances of a job; lives in its generation's arena.
 */
#ifndef ETL_SOURCE_HTTP_OPTIONS_H
#define ETL_SOURCE_HTTP_OPTIONS_H

#include "conf/option.h"
#include "conf/secret.h"
#include "conf/template.h"
#include "source/http/pages.h"

enum etl_http_method { ETL_HTTP_GET, ETL_HTTP_POST };
enum etl_http_pagination { ETL_PAGINATION_UNKNOWN, ETL_PAGINATION_NONE, ETL_PAGINATION_STYLE };
enum etl_http_errors { ETL_ERRORS_FAIL, ETL_ERRORS_IGNORE };
enum etl_oauth_grant { ETL_OAUTH_CLIENT_CREDENTIALS, ETL_OAUTH_PASSWORD };
enum etl_oauth_style { ETL_OAUTH_FORM, ETL_OAUTH_BASIC };

struct etl_oauth_options {
	enum etl_oauth_grant grant;
	const char *token_url;
	const char *client_id;
	struct etl_secret *client_secret; /* NULL = a public client */
	const char *username;
	struct etl_secret *password;
	const char *scope; /* NULL = not sent */
	struct etl_pairs params; /* more fields of the form, such as audience */
	enum etl_oauth_style auth_style; /* where client_id and client_secret go */
	etl_dur expiry_margin;
};

/* At most one of the four is there (has_*). */
struct etl_auth_options {
	struct {
		const char *username;
		struct etl_secret *password; /* NULL = empty */
	} basic;
	struct {
		struct etl_secret *token;
	} bearer;
	struct {
		const char *header; /* one of the two */
		const char *query;
		struct etl_secret *value;
	} api_key;
	struct etl_oauth_options oauth2;
	bool has_basic, has_bearer, has_api_key, has_oauth2;
};

struct etl_http_pair {
	const char *name;
	const struct etl_template *value;
};

struct etl_http_options {
	/* as the file said */
	const char *url_text;
	enum etl_http_method method;
	struct etl_pairs headers_text;
	struct etl_pairs query_text;
	const char *body_text; /* NULL = none */
	struct etl_auth_options auth;
	etl_dur timeout;
	uint64_t max_bytes;
	bool ipv4_only;
	const struct etl_node *pagination_node; /* what of it counts; only as long as there is a tree */
	int errors;

	/* compiled */
	enum etl_http_pagination pagination;
	struct etl_pages_options pages; /* of ETL_PAGINATION_STYLE */
	const struct etl_template *url;
	struct etl_http_pair *headers;
	size_t n_headers;
	struct etl_http_pair *query;
	size_t n_query;
	const struct etl_template *body;
	const struct etl_secret *secrets[5]; /* all that may not be shown; NULL-terminated */
};

extern const struct etl_option etl_http_option_table[];

/* The check() of the source: cross-checks, templates, pointers. Loader's thread. */
void etl_http_options_compile(struct etl_http_options *options, const struct etl_node *node,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env);

#endif

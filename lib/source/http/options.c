/* SPDX-License-Identifier: MIT
 *
 * The option table of `extract: http:` and what has to be right across its rows. Whatever
 * can be wrong in a request without knowing the window is found here, when the job is loaded.
 *
 *    extract:
 *      http:
 *        url: https://api.example.org/v1/stations/{station}/values
 *        query: {from: "{window.start}", to: "{window.end}"}
 *        auth: {bearer: {token: {credential: api-token}}}
 *        timeout: 30s
 *
 * A host is fixed, since limits and breakers are kept by host; all else may be filled from the
 * window and the partition.
 */
#include "source/http/options.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/open_secret.h"
#include "conf/url.h"
#include "source/http/text.h"

#define ROW(s, m) .offset = offsetof(struct s, m)

/* The order of words is that of the enum behind each: the option table stores an index. */
static const char *const method_words[] = {"GET", "POST", NULL};
static const char *const grant_words[] = {"client_credentials", "password", NULL};
static const char *const style_words[] = {"form", "basic", NULL};

static const char *const pagination_words[] = {"unknown", "none", NULL};
static const char *const errors_words[] = {"fail", "ignore", NULL};

static const struct etl_option basic_table[] = {
	{.name = "username",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, basic.username),
		.required = true,
		.help = "user name"},
	{.name = "password",
		.type = ETL_OPT_SECRET,
		ROW(etl_auth_options, basic.password),
		.help = "password; empty if absent"},
	{0},
};
static const struct etl_option bearer_table[] = {
	{.name = "token",
		.type = ETL_OPT_SECRET,
		ROW(etl_auth_options, bearer.token),
		.required = true,
		.help = "the token"},
	{0},
};
/* One of `header` and `query`, which check_api_key sees to: a table knows no rule
 * across its rows. */
static const struct etl_option api_key_table[] = {
	{.name = "header",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, api_key.header),
		.help = "the header that carries the key, or"},
	{.name = "query",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, api_key.query),
		.help = "the query parameter that carries it"},
	{.name = "value",
		.type = ETL_OPT_SECRET,
		ROW(etl_auth_options, api_key.value),
		.required = true,
		.help = "the key"},
	{0},
};
static const struct etl_option oauth2_table[] = {
	{.name = "grant",
		.type = ETL_OPT_WORD,
		ROW(etl_auth_options, oauth2.grant),
		.words = grant_words,
		.fallback = "client_credentials",
		.help = "how a token is asked for; a refresh token is used where one was "
			"given"},
	{.name = "token_url",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, oauth2.token_url),
		.required = true,
		.help = "the token endpoint"},
	{.name = "client_id",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, oauth2.client_id),
		.required = true,
		.help = "the client's name"},
	{.name = "client_secret",
		.type = ETL_OPT_SECRET,
		ROW(etl_auth_options, oauth2.client_secret),
		.help = "absent for a public client"},
	{.name = "username",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, oauth2.username),
		.help = "for grant: password"},
	{.name = "password",
		.type = ETL_OPT_SECRET,
		ROW(etl_auth_options, oauth2.password),
		.help = "for grant: password"},
	{.name = "scope",
		.type = ETL_OPT_STRING,
		ROW(etl_auth_options, oauth2.scope),
		.help = "scopes, separated by blanks"},
	{.name = "params",
		.type = ETL_OPT_PAIRS,
		ROW(etl_auth_options, oauth2.params),
		.unordered = true,
		.help = "more fields for the token endpoint, such as audience or resource"},
	{.name = "auth_style",
		.type = ETL_OPT_WORD,
		ROW(etl_auth_options, oauth2.auth_style),
		.words = style_words,
		.fallback = "form",
		.aside = true,
		.help = "client_id and client_secret in the form or as Basic authorization"},
	{.name = "expiry_margin",
		.type = ETL_OPT_DURATION,
		ROW(etl_auth_options, oauth2.expiry_margin),
		.fallback = "30s",
		.min = 0,
		.max = 3600,
		.aside = true,
		.help = "a token is renewed so long before it runs out"},
	{0},
};

/* The rows above count from etl_auth_options: each sub-table is filled at its beginning. */
static const struct etl_option auth_table[] = {
	{.name = "basic",
		.type = ETL_OPT_TABLE,
		.sub = basic_table,
		.present = offsetof(struct etl_auth_options, has_basic),
		.help = "user name and password with each request"},
	{.name = "bearer",
		.type = ETL_OPT_TABLE,
		.sub = bearer_table,
		.present = offsetof(struct etl_auth_options, has_bearer),
		.help = "a fixed token"},
	{.name = "api_key",
		.type = ETL_OPT_TABLE,
		.sub = api_key_table,
		.present = offsetof(struct etl_auth_options, has_api_key),
		.help = "a key in a header or in the query"},
	{.name = "oauth2",
		.type = ETL_OPT_TABLE,
		.sub = oauth2_table,
		.present = offsetof(struct etl_auth_options, has_oauth2),
		.help = "tokens from an OAuth 2 endpoint (RFC 6749)"},
	{0},
};

/* Texts with {name} are kept as they are written, and compiled when all rows are read
 * (compile_request). */
const struct etl_option etl_http_option_table[] = {
	{.name = "url",
		.type = ETL_OPT_STRING,
		ROW(etl_http_options, url_text),
		.required = true,
		.help = "where to ask, http or https; {name} behind the host"},
	{.name = "method",
		.type = ETL_OPT_WORD,
		ROW(etl_http_options, method),
		.words = method_words,
		.fallback = "GET",
		.help = "GET or POST"},
	{.name = "headers",
		.type = ETL_OPT_PAIRS,
		ROW(etl_http_options, headers_text),
		.unordered = true,
		.help = "headers to send; {name} in values is filled"},
	{.name = "query",
		.type = ETL_OPT_PAIRS,
		ROW(etl_http_options, query_text),
		.help = "query parameters in this order; {name} in values is filled"},
	{.name = "body",
		.type = ETL_OPT_STRING,
		ROW(etl_http_options, body_text),
		.help = "the body of a POST; {name} in it is filled"},
	{.name = "auth",
		.type = ETL_OPT_TABLE,
		ROW(etl_http_options, auth),
		.sub = auth_table,
		.aside = true, /* a new password or login brings the same records */
		.help = "one of basic, bearer, api_key, oauth2; none if absent"},
	{.name = "pagination",
		.type = ETL_OPT_NODE,
		ROW(etl_http_options, pagination_node),
		.help = "how further pages are asked for; none: one request is all there is, whatever "
			"the answer announces; if absent, an answer that announces further pages fails"},
	{.name = "errors",
		.type = ETL_OPT_WORD,
		ROW(etl_http_options, errors),
		.words = errors_words,
		.fallback = "fail",
		.help = "ignore: members such as 'error' in an answer with status 200 mean "
			"nothing"},
	{.name = "timeout",
		.type = ETL_OPT_DURATION,
		ROW(etl_http_options, timeout),
		.aside = true,
		.min = 0,
		.max = 86400,
		.help = "for one whole answer; the daemon's http.timeout if absent"},
	{.name = "max_bytes",
		.type = ETL_OPT_SIZE,
		ROW(etl_http_options, max_bytes),
		.aside = true,
		.fallback = "1GiB",
		.min = 1,
		.help = "largest answer, decompressed"},
	{.name = "ipv4_only",
		.type = ETL_OPT_BOOL,
		ROW(etl_http_options, ipv4_only),
		.aside = true,
		.help = "never ask over IPv6"},
	{0},
};

/* The mark of map[key], or of the map.
 * An error points at the line to mend: the key where it is given, else the mapping that
 * lacks it. */
static const struct etl_mark *mark_of(const struct etl_node *map, const char *key)
{
	const struct etl_node *node = etl_node_get(map, key);

	return node ? &node->mark : map ? &map->mark : NULL;
}

/* grant: password needs 'username' in job 'sample' */
static void missing(const struct etl_conf_env *env, const struct etl_node *map,
	const char *where, const char *key)
{
	etl_diag_add(env->diag, map ? &map->mark : NULL, ETL_DIAG_MISSING, NULL, NULL,
		"%s needs '%s' in %s", where, key, env->what);
}

/* `node` is the mapping that has it under `key`.
 * A password in the URL is told by its own error, with the text hidden; else what is
 * wrong with it. */
static void check_url(const char *url, const struct etl_node *node, const char *key,
	const struct etl_conf_env *env)
{
	const struct etl_node *at = etl_node_get(node, key);
	const char *fault;

	if (!url || !at || !etl_url_check_secret(url, at, key, env))
		return;
	fault = etl_http_url_fault(url);
	if (fault)
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_RANGE, fault, NULL,
			"%s is no usable URL in %s", key, env->what);
}

/* ---- auth ---- */

/* A key in a header is no part of any URL that a proxy logs; one in the query is for
 * services that know nothing else, and is shown as "***". */
static void check_api_key(const struct etl_auth_options *auth, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	/* Both or none. */
	if (!auth->api_key.header == !auth->api_key.query)
		etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_CONFLICT, NULL,
			NULL, "auth.api_key takes one of 'header' and 'query' in %s",
			env->what);
	if (auth->api_key.header && !etl_http_is_token(auth->api_key.header))
		etl_diag_add(env->diag, mark_of(node, "header"), ETL_DIAG_RANGE, NULL, NULL,
			"'%s' is no name of a header in %s", auth->api_key.header, env->what);
}

/* `params` could otherwise overwrite what the grant itself needs.
 * `audience` and `resource` (RFC 8707) are what it is for. */
static void check_param(
	const char *name, const struct etl_node *node, const struct etl_conf_env *env)
{
	static const char *const ours[] = {"grant_type", "client_id", "client_secret", "username",
		"password", "refresh_token", "scope"};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (etl_streq(name, ours[i]))
			etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, NULL, NULL,
				"'%s' in 'params' has an option of its own or is written by etld "
				"itself in %s",
				name, env->what);
}

/* client_credentials with a user name is most likely a grant: password that was
 * forgotten. */
static void check_oauth2(const struct etl_oauth_options *oauth2, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	bool password = oauth2->grant == ETL_OAUTH_PASSWORD;

	if (password && !oauth2->username)
		missing(env, node, "grant: password", "username");
	if (password && !oauth2->password)
		missing(env, node, "grant: password", "password");
	if (!password && (oauth2->username || oauth2->password))
		etl_diag_add(env->diag,
			mark_of(node, oauth2->username ? "username" : "password"),
			ETL_DIAG_CONFLICT, NULL, NULL,
			"only grant: password takes a user name and a password in %s",
			env->what);
	for (size_t i = 0; i < oauth2->params.n; i++)
		check_param(oauth2->params.keys[i], oauth2->params.key_nodes[i], env);
	if (oauth2->auth_style == ETL_OAUTH_BASIC && !oauth2->client_secret)
		missing(env, node, "auth_style: basic", "client_secret");
	check_url(oauth2->token_url, node, "token_url", env);
}

/* RFC 7617 section 2: the first colon ends the user name. */
static void check_auth(const struct etl_auth_options *auth, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	int n = auth->has_basic + auth->has_bearer + auth->has_api_key + auth->has_oauth2;

	if (n > 1 || (node && !n))
		etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_CONFLICT, NULL,
			NULL, "auth takes one of basic, bearer, api_key and oauth2 in %s",
			env->what);
	if (auth->has_basic && auth->basic.username && strchr(auth->basic.username, ':'))
		etl_diag_add(env->diag, mark_of(etl_node_get(node, "basic"), "username"),
			ETL_DIAG_RANGE, NULL, NULL, "a user name holds no ':' (RFC 7617) in %s",
			env->what);
	if (auth->has_api_key)
		check_api_key(auth, etl_node_get(node, "api_key"), env);
	if (auth->has_oauth2)
		check_oauth2(&auth->oauth2, etl_node_get(node, "oauth2"), env);
}

/* What redaction looks for in everything that a service sends back.
 * The list ends with a NULL, for which its last place is kept free. */
static void collect_secrets(struct etl_http_options *options)
{
	const struct etl_auth_options *auth = &options->auth;
	const struct etl_secret *all[] = {auth->basic.password, auth->bearer.token,
		auth->api_key.value, auth->oauth2.client_secret, auth->oauth2.password};
	size_t n = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] && n + 1 < sizeof options->secrets / sizeof *options->secrets)
			options->secrets[n++] = all[i];
	options->secrets[n] = NULL;
}

/* ---- headers, query, body ---- */

/* A key that stands in the open would be seen by all who read the file, and in every request's URL.
 * headers: {X-Api-Key: "abc"} is refused; {X-Api-Key: "{key}"} is not, since a
 * template's value is a partition's. */
static void check_secret(const char *kind, const char *name, const struct etl_node *value,
	const struct etl_conf_env *env)
{
	if (!etl_is_secret_name(name, strlen(name)) || !*value->text || strchr(value->text, '{'))
		return;
	etl_diag_hide(env->diag, &value->mark);
	etl_diag_add(env->diag, &value->mark, ETL_DIAG_SECRET,
		"use auth: {api_key: {...}}",
		"auth: {api_key: {header: NAME, value: {credential: NAME}}}, or query: NAME",
		"the %s '%s' would stand in the open in %s", kind, name, env->what);
}

/* Those five are the transport's: two Content-Lengths are how requests are smuggled.
 * X-Forwarded-For: me     passes
 * content-length: 5       is written by etld itself (names know no case)
 * Cookie: session=1       would stand in the open: use auth
 * X-Api-Key: abc          the same, by its name */
static void check_header(const char *name, const char *value, const struct etl_node *name_node,
	const struct etl_node *value_node, const struct etl_conf_env *env)
{
	static const char *const ours[] = {
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding"};

	if (!etl_http_is_token(name))
		etl_diag_add(env->diag, &name_node->mark, ETL_DIAG_RANGE, NULL, NULL,
			"'%s' is no name of a header in %s", name, env->what);
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcasecmp(name, ours[i]) == 0)
			etl_diag_add(env->diag, &name_node->mark, ETL_DIAG_CONFLICT, NULL, NULL,
				"the header '%s' is written by etld itself in %s", ours[i],
				env->what);
	if (strcasecmp(name, "Authorization") == 0 ||
		strcasecmp(name, "Proxy-Authorization") == 0 || strcasecmp(name, "Cookie") == 0)
		etl_diag_add(env->diag, &name_node->mark, ETL_DIAG_SECRET, "use 'auth'", NULL,
			"the header '%s' would stand in the open in %s", name, env->what);
	check_secret("header", name, value_node, env);
	if (!etl_http_is_header_value(value))
		etl_diag_add(env->diag, &value_node->mark, ETL_DIAG_RANGE, NULL, NULL,
			"the header '%s' holds a control byte in %s", name, env->what);
}

/* In the order of the file: some services sign the query as it is written. */
static struct etl_http_pair *compile_pairs(
	const struct etl_pairs *pairs, const struct etl_conf_env *env)
{
	struct etl_http_pair *out = etl_arena_zalloc(env->arena, (pairs->n + 1) * sizeof *out);

	for (size_t i = 0; i < pairs->n; i++) {
		out[i].name = pairs->keys[i];
		out[i].value = etl_template_parse(pairs->values[i], pairs->nodes[i], env);
	}
	return out;
}

/* Where the URL is missing, the option table has told it already; the rest is looked at
 * all the same. */
static void compile_request(
	struct etl_http_options *o, const struct etl_node *node, const struct etl_conf_env *env)
{
	const struct etl_node *url = etl_node_get(node, "url");
	const struct etl_node *body = etl_node_get(node, "body");

	check_url(o->url_text, node, "url", env);
	if (o->url_text)
		o->url = etl_template_parse(o->url_text, url, env);
	for (size_t i = 0; i < o->headers_text.n; i++)
		check_header(o->headers_text.keys[i], o->headers_text.values[i],
			o->headers_text.key_nodes[i], o->headers_text.nodes[i], env);
	o->headers = compile_pairs(&o->headers_text, env);
	o->n_headers = o->headers_text.n;
	for (size_t i = 0; i < o->query_text.n; i++)
		check_secret("parameter", o->query_text.keys[i], o->query_text.nodes[i], env);
	o->query = compile_pairs(&o->query_text, env);
	o->n_query = o->query_text.n;
	if (!o->body_text)
		return;
	if (o->method != ETL_HTTP_POST)
		etl_diag_add(env->diag, mark_of(node, "body"), ETL_DIAG_CONFLICT,
			"add 'method: POST'", NULL, "a GET has no body in %s", env->what);
	o->body = etl_template_parse(o->body_text, body, env);
}

/* A word, or a mapping with a style. What the pages' parameters may not be: one that is sent anyhow. */
static void compile_pagination(struct etl_http_options *o, const struct etl_decode_spec *decode,
	const struct etl_conf_env *env)
{
	const struct etl_node *node = o->pagination_node;
	int word = ETL_PAGINATION_UNKNOWN;

	if (!node)
		return;
	if (node->kind != ETL_NODE_MAP) {
		etl_conf_word(node, "pagination", "extract.http", pagination_words, &word, env);
		o->pagination = (enum etl_http_pagination)word;
		if (word == ETL_PAGINATION_UNKNOWN)
			o->pagination_node = NULL;
		return;
	}
	o->pagination = ETL_PAGINATION_STYLE;
	o->pagination_node = etl_pages_definition(node, env);
	etl_pages_compile(&o->pages, node, &o->query_text, o->url_text ? o->url_text : "",
		o->method == ETL_HTTP_GET, decode, env);
	if (o->auth.has_api_key && o->auth.api_key.query &&
		etl_pages_has_param(&o->pages, o->auth.api_key.query))
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, NULL, NULL,
			"the parameter '%s' is that of auth.api_key as well in %s",
			o->auth.api_key.query, env->what);
}

/* All parts are looked at, so one pass shows all that is wrong. */
void etl_http_options_compile(struct etl_http_options *options, const struct etl_node *node,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env)
{
	check_auth(&options->auth, etl_node_get(node, "auth"), env);
	collect_secrets(options);
	compile_request(options, node, env);
	compile_pagination(options, decode, env);
}

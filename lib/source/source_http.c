/* SPDX-License-Identifier: MIT
 *
 * The source `http`: asks one URL for a span of windows and decodes the JSON that comes.
 * It sees no socket: it fills requests and is given heads and pieces of bodies. What is in
 * the air is either a question to the token endpoint or the request for data; a refused
 * token is renewed once for a span. More pages than one would begin in end_of_data().
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "source/http/answer.h"
#include "source/http/oauth.h"
#include "source/http/options.h"
#include "source/http/request.h"
#include "source/http/text.h"
#include "source/source.h"

enum in_the_air { NOTHING, TOKEN, DATA };

struct http {
	const struct etl_http_options *options;
	const struct etl_source_env *env;
	struct etl_json_decoder *decoder;
	struct etl_oauth oauth;
	struct etl_window span;
	enum in_the_air asked;
	bool renewed;    /* a token was renewed after a 401; a second 401 is final */
	bool no_content; /* status 204 or 205: proven empty */
	struct etl_http_opening opening;
};

static void check(void *options, const struct etl_node *node, const struct etl_conf_env *env)
{
	etl_http_options_compile(options, node, env);
}

static bool has_time(const void *options)
{
	return ((const struct etl_http_options *)options)->time;
}

static bool host(const void *options, char *out, size_t size)
{
	return etl_http_url_host(((const struct etl_http_options *)options)->url_text, out, size);
}

static void *shared_new(const void *options)
{
	const struct etl_http_options *o = options;

	return o->auth.has_oauth2 ? etl_oauth_store_new() : NULL;
}

static void shared_free(void *shared)
{
	etl_oauth_store_free(shared);
}

static int open_instance(void *self, const void *options, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct http *http = self;

	(void)err;
	http->options = options;
	http->env = env;
	http->decoder = etl_json_decoder_new(&http->options->json);
	etl_json_decoder_bound(http->decoder, env->memory_max);
	if (http->options->auth.has_oauth2) {
		assert(env->shared);
		etl_oauth_init(&http->oauth, &http->options->auth.oauth2,
			http->options->secrets, env->shared);
	}
	return 0;
}

static void close_instance(void *self)
{
	struct http *http = self;

	etl_json_decoder_free(http->decoder);
	etl_oauth_fini(&http->oauth);
}

/* ---- requests ---- */

static int ask_data(struct http *http, struct etl_request *out, struct etl_error *err)
{
	struct etl_vars vars = *http->env->vars;

	vars.window = http->span;
	if (etl_http_request_fill(http->options, &vars, http->oauth.access, out, err))
		return -1;
	http->asked = DATA;
	return 0;
}

static void token_limits(const struct http *http, struct etl_request *out)
{
	out->timeout = http->options->timeout;
	out->ip = http->options->ipv4_only ? ETL_IP_4_ONLY : ETL_IP_ANY;
}

static int ask(struct http *http, etl_wall now, struct etl_request *out, struct etl_error *err)
{
	if (!http->options->auth.has_oauth2 || etl_oauth_ready(&http->oauth, now))
		return ask_data(http, out, err);
	if (etl_oauth_ask(&http->oauth, out, err))
		return -1;
	token_limits(http, out);
	http->asked = TOKEN;
	return 0;
}

static int first(void *self, const struct etl_window *span, etl_wall now,
	struct etl_request *out, struct etl_error *err)
{
	struct http *http = self;

	http->span = *span;
	http->asked = NOTHING;
	http->renewed = false;
	etl_json_decoder_reset(http->decoder);
	return ask(http, now, out, err);
}

/* ---- heads ---- */

/* 401 to a token: it may have been revoked, so a fresh one is tried once. */
static int token_rejected(struct http *http, const struct etl_response *response,
	enum etl_source_verdict *verdict, struct etl_request *again, struct etl_error *err)
{
	bool final = http->renewed;

	etl_oauth_drop(&http->oauth, final);
	if (final)
		return etl_http_status_check(response, "the service, to a fresh token", err);
	http->renewed = true;
	if (ask(http, response->received, again, err))
		return -1;
	*verdict = ETL_SOURCE_RETRY;
	return 0;
}

static int head(void *self, const struct etl_response *response,
	enum etl_source_verdict *verdict, struct etl_request *again, struct etl_error *err)
{
	struct http *http = self;

	if (http->asked == TOKEN) {
		if (etl_oauth_head(&http->oauth, response, err))
			return -1;
		*verdict = ETL_SOURCE_BODY;
		return 0;
	}
	if (response->status == 401 && http->options->auth.has_oauth2)
		return token_rejected(http, response, verdict, again, err);
	if (etl_http_status_check(response, "the service", err))
		return -1;
	http->no_content = response->status == 204 || response->status == 205;
	etl_http_opening_init(&http->opening, response->content_type);
	etl_json_decoder_reset(http->decoder);
	*verdict = ETL_SOURCE_BODY;
	return 0;
}

/* ---- bodies ---- */

/* What a service may echo and nobody may see: the configured secrets and the token. */
struct hidden {
	const struct etl_secret *list[sizeof((struct etl_http_options *)0)->secrets /
					      sizeof(struct etl_secret *) +
				      1];
	struct etl_secret token;
};

static const struct etl_secret *const *hide(const struct http *http, struct hidden *hidden)
{
	char *token = http->oauth.access;
	size_t n = 0;

	for (size_t i = 0; http->options->secrets[i]; i++)
		hidden->list[n++] = http->options->secrets[i];
	if (token) {
		hidden->token = (struct etl_secret){.value = token, .len = strlen(token)};
		hidden->list[n++] = &hidden->token;
	}
	hidden->list[n] = NULL;
	return hidden->list;
}

static int explain(const struct http *http, struct etl_error *err)
{
	struct hidden hidden;

	if (err->kind != ETL_DATA)
		return -1;
	return etl_http_opening_explain(&http->opening, hide(http, &hidden), err);
}

static void give_times(const struct http *http, struct etl_batch *out, size_t from)
{
	if (http->options->time)
		etl_event_time_apply(http->options->time, out, from);
}

static int decode_data(struct http *http, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	const struct etl_http_options *o = http->options;
	struct hidden hidden;
	size_t from = out->n;
	int rc;

	if (http->no_content && len)
		return etl_error_set(err, ETL_DATA, "http.content",
			"the answer has a body although its status says that there is none");
	if (o->max_bytes && len > o->max_bytes - http->opening.bytes)
		return etl_error_set(err, ETL_LIMIT, "http.size",
			"the answer is larger than max_bytes (%llu)",
			(unsigned long long)o->max_bytes);
	if (etl_http_opening_feed(&http->opening, bytes, len, hide(http, &hidden), err))
		return -1;
	if (http->opening.is_other)
		return 0;
	rc = etl_json_decoder_feed(http->decoder, bytes, len, out, err);
	give_times(http, out, from);
	return rc ? explain(http, err) : 0;
}

static int decode(
	void *self, const char *bytes, size_t len, struct etl_batch *out, struct etl_error *err)
{
	struct http *http = self;

	if (http->asked == TOKEN)
		return etl_oauth_feed(&http->oauth, bytes, len, err);
	return decode_data(http, bytes, len, out, err);
}

/* ---- ends ---- */

static int end_of_token(struct http *http, struct etl_request *out, struct etl_error *err)
{
	int rc = etl_oauth_finish(&http->oauth, out, err);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		token_limits(http, out);
		return 1;
	}
	return ask_data(http, out, err) == 0 ? 1 : -1;
}

static int end_of_data(struct http *http, struct etl_batch *batch, struct etl_error *err)
{
	struct hidden hidden;
	size_t from = batch->n;

	http->asked = NOTHING;
	if (http->no_content)
		return 0;
	if (etl_http_opening_end(&http->opening, hide(http, &hidden), err))
		return -1;
	if (etl_json_decoder_finish(http->decoder, batch, err))
		return explain(http, err);
	give_times(http, batch, from);
	return 0;
}

static int next(void *self, etl_wall now, struct etl_batch *batch, struct etl_request *out,
	struct etl_error *err)
{
	struct http *http = self;

	(void)now;
	assert(http->asked != NOTHING);
	if (http->asked == TOKEN)
		return end_of_token(http, out, err);
	return end_of_data(http, batch, err);
}

static size_t held(const void *self)
{
	return etl_json_decoder_held(((const struct http *)self)->decoder);
}

const struct etl_source_type etl_source_http = {
	.name = "http",
	.summary = "records from a JSON answer of a web service",
	.options = etl_http_option_table,
	.options_size = sizeof(struct etl_http_options),
	.size = sizeof(struct http),
	.check = check,
	.has_time = has_time,
	.host = host,
	.shared_new = shared_new,
	.shared_free = shared_free,
	.open = open_instance,
	.first = first,
	.head = head,
	.decode = decode,
	.next = next,
	.held = held,
	.close = close_instance,
};

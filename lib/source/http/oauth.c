/* SPDX-License-Identifier: MIT
 *
 * OAuth 2 tokens. The store's lock is held for copies only. A token's life is counted on the
 * wall clock: should that step back, the service's 401 is what renews it.
 *
 * A hundred partitions begin at once: the first asks for a token and keeps it, those
 * that come later find it; two that ask in the same moment get two tokens, of which the
 * later is kept. A 401 drops the token that was sent, unless another instance has
 * renewed it meanwhile (serial).
 */
#include "source/http/oauth.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/str.h"
#include "source/http/answer.h"
#include "source/http/text.h"

enum {
	ANSWER_MAX = 64 * 1024, /* bytes of a token endpoint's answer */
	FORM_MAX = 64 * 1024,
	/* RFC 6749 section 5.1 recommends expires_in and does not demand it. Five
	 * minutes are short enough for any service and long enough for a run. */
	EXPIRES_DEFAULT = 300, /* seconds, where the answer does not say */
	EXPIRES_MAX = 366 * 86400,
};

struct etl_oauth_store {
	pthread_mutex_t lock;
	char *access;      /* NULL = none */
	char *refresh;     /* NULL = none */
	etl_wall renew_at; /* from here on it is renewed */
	uint64_t serial;   /* counts the tokens */
};

/* Tokens are secrets as well, and as short-lived as possible in memory. */
static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

struct etl_oauth_store *etl_oauth_store_new(void)
{
	struct etl_oauth_store *store = ETL_NEW(struct etl_oauth_store);

	pthread_mutex_init(&store->lock, NULL);
	return store;
}

void etl_oauth_store_free(struct etl_oauth_store *store)
{
	if (!store)
		return;
	wipe(&store->access);
	wipe(&store->refresh);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* All that the buffer ever held, not only its length of now. */
static void wipe_answer(struct etl_oauth *oauth)
{
	if (oauth->answer.data)
		explicit_bzero(oauth->answer.data, oauth->answer.cap);
	etl_buf_clear(&oauth->answer);
}

void etl_oauth_init(struct etl_oauth *oauth, const struct etl_oauth_options *options,
	const struct etl_secret *const *secrets, struct etl_oauth_store *store)
{
	*oauth = (struct etl_oauth){.options = options, .secrets = secrets, .store = store};
	etl_buf_init(&oauth->answer, ANSWER_MAX);
}

/* What is left in the store is for the job's other instances and for its next run. */
void etl_oauth_fini(struct etl_oauth *oauth)
{
	wipe(&oauth->access);
	wipe(&oauth->refresh);
	wipe_answer(oauth);
	etl_buf_fini(&oauth->answer);
}

/* Copied under the lock: the store's own may be wiped by another instance at any time. */
bool etl_oauth_ready(struct etl_oauth *oauth, etl_wall now)
{
	struct etl_oauth_store *store = oauth->store;

	wipe(&oauth->access);
	pthread_mutex_lock(&store->lock);
	if (store->access && now.ms < store->renew_at.ms) {
		oauth->access = etl_strdup(store->access);
		oauth->serial = store->serial;
	}
	pthread_mutex_unlock(&store->lock);
	return oauth->access;
}

void etl_oauth_drop(struct etl_oauth *oauth, bool entirely)
{
	struct etl_oauth_store *store = oauth->store;

	pthread_mutex_lock(&store->lock);
	/* Another instance may have renewed it meanwhile: that one stays. */
	if (store->serial == oauth->serial) {
		wipe(&store->access);
		if (entirely)
			wipe(&store->refresh);
	}
	pthread_mutex_unlock(&store->lock);
	wipe(&oauth->access);
}

/* ---- the request ---- */

/* An option that is not there leaves no field: "scope=" would ask for an empty scope. */
static void form_add(struct etl_buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	if (form->len)
		etl_buf_char(form, '&');
	etl_buf_str(form, name);
	etl_buf_char(form, '=');
	etl_encode_percent(form, value);
}

/* A refresh token goes before the grant: it does not need the password, and the
 * password may be one that only works once.
 *   grant_type=client_credentials&client_id=me&client_secret=s3cr%20et&scope=read
 * A blank is "%20" and not "+": every decoder of forms reads it (RFC 3986 section 2.1). */
static void fill_form(const struct etl_oauth *oauth, struct etl_buf *form)
{
	const struct etl_oauth_options *o = oauth->options;

	if (oauth->refresh) {
		form_add(form, "grant_type", "refresh_token");
		form_add(form, "refresh_token", oauth->refresh);
	} else if (o->grant == ETL_OAUTH_PASSWORD) {
		form_add(form, "grant_type", "password");
		form_add(form, "username", o->username);
		form_add(form, "password", o->password->value);
	} else {
		form_add(form, "grant_type", "client_credentials");
	}
	if (o->auth_style == ETL_OAUTH_FORM) {
		form_add(form, "client_id", o->client_id);
		form_add(form, "client_secret",
			o->client_secret ? o->client_secret->value : NULL);
	}
	form_add(form, "scope", o->scope);
	for (size_t i = 0; i < o->params.n; i++)
		form_add(form, o->params.keys[i], o->params.values[i]);
}

/* RFC 6749 2.3.1: both halves are form-encoded before base64.
 * "me:x" and "s" are "me%3Ax:s", so that a colon in the client's name ends nothing. */
static char *basic_value(const struct etl_oauth_options *o, struct etl_arena *arena)
{
	struct etl_buf pair ETL_BUF_CLEANUP;
	struct etl_buf value ETL_BUF_CLEANUP;

	etl_buf_init(&pair, FORM_MAX);
	etl_buf_init(&value, 2 * FORM_MAX);
	etl_encode_percent(&pair, o->client_id);
	etl_buf_char(&pair, ':');
	etl_encode_percent(&pair, o->client_secret->value);
	etl_buf_str(&value, "Basic ");
	etl_encode_base64(&value, etl_buf_text(&pair), pair.len);
	return etl_arena_strdup(arena, etl_buf_text(&value));
}

/* The token endpoint's URL is shown as it is: the loader refuses one with a password in
 * it. */
static void fill_request(
	const struct etl_oauth *oauth, const struct etl_buf *form, struct etl_request *out)
{
	const struct etl_oauth_options *o = oauth->options;
	struct etl_arena *arena = out->arena;
	struct etl_header *headers = etl_arena_zalloc(arena, 3 * sizeof *headers);
	size_t n = 0;

	headers[n++] = (struct etl_header){"Content-Type", "application/x-www-form-urlencoded"};
	headers[n++] = (struct etl_header){"Accept", "application/json"};
	if (o->auth_style == ETL_OAUTH_BASIC)
		headers[n++] = (struct etl_header){"Authorization", basic_value(o, arena)};
	*out = (struct etl_request){
		.arena = arena,
		.method = "POST",
		.url = etl_arena_strdup(arena, o->token_url),
		.url_shown = etl_arena_strdup(arena, o->token_url),
		.headers = headers,
		.n_headers = n,
		.body = etl_arena_memdup0(arena, etl_buf_text(form), form->len),
		.body_len = form->len,
		.response_bytes_max = ANSWER_MAX,
	};
}

/* One POST, with the full grant or with the refresh token that etl_oauth_ask copied. */
static int ask(struct etl_oauth *oauth, struct etl_request *out, struct etl_error *err)
{
	struct etl_buf form ETL_BUF_CLEANUP;

	etl_buf_init(&form, FORM_MAX);
	fill_form(oauth, &form);
	if (!etl_buf_ok(&form))
		return etl_error_set(err, ETL_LIMIT, "oauth.size",
			"the request to the token endpoint is larger than %d bytes", FORM_MAX);
	fill_request(oauth, &form, out);
	/* The copy in the request's arena lives until the request is sent. */
	explicit_bzero(form.data, form.len);
	return 0;
}

int etl_oauth_ask(struct etl_oauth *oauth, struct etl_request *out, struct etl_error *err)
{
	struct etl_oauth_store *store = oauth->store;

	wipe(&oauth->refresh);
	pthread_mutex_lock(&store->lock);
	oauth->refresh = etl_strdup(store->refresh);
	pthread_mutex_unlock(&store->lock);
	return ask(oauth, out, err);
}

/* ---- the answer ---- */

/* A refusal says why in its body (RFC 6749 5.2), whatever its status. */
void etl_oauth_head(struct etl_oauth *oauth, const struct etl_response *response)
{
	wipe_answer(oauth);
	oauth->status = response->status;
	oauth->received = response->received;
	etl_error_clear(&oauth->refusal);
	etl_http_status_check(response, "the token endpoint", &oauth->refusal);
}

int etl_oauth_feed(
	struct etl_oauth *oauth, const char *bytes, size_t len, struct etl_error *err)
{
	/* A refusal may be as long as it likes: its beginning is enough for the
	 * message. */
	if (!etl_buf_append(&oauth->answer, bytes, len) && oauth->refusal.kind == ETL_OK)
		return etl_error_set(err, ETL_LIMIT, "oauth.size",
			"the token endpoint's answer is larger than %d bytes", ANSWER_MAX);
	return 0;
}

/* Copies the endpoint's words without anything that was sent to it. */
static void add_words(const struct etl_oauth *oauth, struct etl_buf *out, const char *words)
{
	struct etl_secret refresh = {
		.value = oauth->refresh, .len = oauth->refresh ? strlen(oauth->refresh) : 0};
	const struct etl_secret *sent[] = {oauth->refresh ? &refresh : NULL, NULL};
	struct etl_buf once ETL_BUF_CLEANUP;
	char quote[ETL_HTTP_QUOTE_BYTES];

	/* Masked before it is cut: half a secret would not be found. */
	etl_buf_init(&once, 2 * ANSWER_MAX);
	etl_redact(&once, words, oauth->secrets);
	char *masked = etl_buf_take(&once);
	etl_redact(&once, masked, sent);
	etl_http_quote(quote, etl_buf_text(&once), once.len);
	etl_buf_printf(out, ": %s", quote);
	free(masked);
}

/* What the service itself says of a refusal (RFC 6749 5.2); false if it says nothing.
 *   {"error": "invalid_grant", "error_description": "wrong password"}
 *   ->  ": invalid_grant: wrong password" */
static bool add_told(const struct etl_oauth *oauth, const struct etl_json *json, struct etl_buf *words)
{
	const char *error = etl_json_text(json, "error", NULL);
	const char *more = etl_json_text(json, "error_description", NULL);

	if (error)
		add_words(oauth, words, error);
	if (more)
		add_words(oauth, words, more);
	return error || more;
}

/* 400, 401 and 403 are about the credentials; any other status is told as it is, with the
 * words of its body.
 * 400 means `invalid_grant` (RFC 6749 section 5.2): what every service answers to a
 * wrong password. */
static int token_refused(const struct etl_oauth *oauth, struct etl_error *err)
{
	bool credentials = oauth->status == 400 || oauth->status == 401 || oauth->status == 403;
	int64_t retry_after_ms = oauth->refusal.retry_after_ms;
	struct etl_error ignored;
	struct etl_json *json = etl_json_parse(
		etl_buf_text(&oauth->answer), oauth->answer.len, ANSWER_MAX, &ignored);
	struct etl_buf words ETL_BUF_CLEANUP;

	etl_buf_init(&words, ETL_ERROR_MESSAGE_MAX);
	if (!add_told(oauth, json, &words) && oauth->answer.len)
		add_words(oauth, &words, etl_buf_text(&oauth->answer));
	etl_json_free(json);
	if (credentials && oauth->refusal.kind != ETL_THROTTLED)
		etl_error_set(err, ETL_AUTH, "oauth.refused",
			"the token endpoint refused the credentials (status %d)%s", oauth->status,
			etl_buf_text(&words));
	else
		etl_error_set(err, oauth->refusal.kind, oauth->refusal.code, "%s%s",
			oauth->refusal.message, etl_buf_text(&words));
	err->status = oauth->status;
	err->retry_after_ms = retry_after_ms;
	return -1;
}

/* RFC 6750 2.1 allows no blank or control byte in a token.
 * A line break in a token would begin a header of the service's choice in all later
 * requests. */
static bool is_sendable(const char *token)
{
	if (!token || !*token)
		return false;
	for (; *token; token++)
		if ((unsigned char)*token <= 0x20 || (unsigned char)*token >= 0x7f)
			return false;
	return true;
}

/* When a token received at `received` is to be renewed. A margin longer than half of its
 * life would leave it no use.
 * With a margin of 30 s: expires_in 3600 is renewed after 3570 s, 40 after 20 s (half
 * of its life), and an answer without it after 270 s. */
static etl_wall renewal(const struct etl_oauth *oauth, int64_t seconds)
{
	etl_dur life, margin = oauth->options->expiry_margin;

	if (seconds <= 0)
		seconds = EXPIRES_DEFAULT;
	life = ETL_SECONDS(seconds < EXPIRES_MAX ? seconds : EXPIRES_MAX);
	if (margin.us > life.us / 2)
		margin.us = life.us / 2;
	return etl_wall_sub(etl_wall_add(oauth->received, life), margin);
}

/* The newest token wins, whichever instance got it.
 * The serial tells the tokens apart: a 401 to token 3 does not drop token 4. */
static void keep(
	struct etl_oauth *oauth, const char *access, const char *refresh, etl_wall renew_at)
{
	struct etl_oauth_store *store = oauth->store;

	wipe(&oauth->access);
	oauth->access = etl_strdup(access);
	pthread_mutex_lock(&store->lock);
	wipe(&store->access);
	store->access = etl_strdup(access);
	if (refresh ||
		!oauth->refresh) { /* an answer to a refresh may leave the old one valid */
		wipe(&store->refresh);
		store->refresh = etl_strdup(refresh);
	}
	store->renew_at = renew_at;
	oauth->serial = ++store->serial;
	pthread_mutex_unlock(&store->lock);
	wipe(&oauth->refresh);
}

/* Some services refuse with status 200. Nothing is quoted but what they say of it: the rest of such
 * an answer may hold a token.
 * {"error": "invalid_client"} with status 200 is told as a refusal of the credentials;
 * an answer of another form, such as a page of a proxy, as data that cannot be read. */
static int no_token(const struct etl_oauth *oauth, const struct etl_json *json, struct etl_error *err)
{
	struct etl_buf words ETL_BUF_CLEANUP;
	bool told;

	etl_buf_init(&words, ETL_ERROR_MESSAGE_MAX);
	told = add_told(oauth, json, &words);
	return etl_error_set(err, told ? ETL_AUTH : ETL_DATA, told ? "oauth.refused" : "oauth.token",
		"the token endpoint's answer has no usable access_token%s", etl_buf_text(&words));
}

/* "Bearer" in any case of letters (RFC 6749 section 5.1); any other type has to be
 * signed or bound, which we cannot. */
static int read_token(struct etl_oauth *oauth, struct etl_error *err)
{
	struct etl_json *json = etl_json_parse(
		etl_buf_text(&oauth->answer), oauth->answer.len, ANSWER_MAX, err);
	const char *access = etl_json_text(json, "access_token", NULL);
	const char *refresh = etl_json_text(json, "refresh_token", NULL);
	const char *type = etl_json_text(json, "token_type", "Bearer");
	int rc = 0;

	if (!json) /* the parser's message quotes nothing but offsets */
		rc = etl_error_prefix(err, "the token endpoint's answer");
	else if (!is_sendable(access))
		rc = no_token(oauth, json, err);
	else if (strcasecmp(type, "Bearer") != 0)
		rc = etl_error_set(err, ETL_DATA, "oauth.token",
			"the token endpoint gave a token that is not of type Bearer");
	else
		keep(oauth, access, refresh && *refresh ? refresh : NULL,
			renewal(oauth, etl_json_int(json, "expires_in", 0)));
	etl_json_free(json);
	return rc;
}

/* The refresh token that was sent is of no use: forget it, unless it was replaced.
 * Only the very token that was refused: another instance may have been given a new one. */
static void forget_refresh(struct etl_oauth *oauth)
{
	struct etl_oauth_store *store = oauth->store;

	pthread_mutex_lock(&store->lock);
	if (store->refresh && etl_streq(store->refresh, oauth->refresh))
		wipe(&store->refresh);
	pthread_mutex_unlock(&store->lock);
	wipe(&oauth->refresh);
}

int etl_oauth_finish(struct etl_oauth *oauth, struct etl_request *again, struct etl_error *err)
{
	int rc;

	if (oauth->refusal.kind == ETL_OK) {
		rc = read_token(oauth, err);
	} else if (oauth->refresh && (oauth->status == 400 || oauth->status == 401)) {
		/* A refresh token that has run out is nothing wrong: the full grant is
		 * asked for, once, by the same exchange. */
		forget_refresh(oauth);
		rc = ask(oauth, again, err) == 0 ? 1 : -1;
	} else {
		rc = token_refused(oauth, err);
	}
	wipe_answer(oauth);
	return rc;
}

/* SPDX-License-Identifier: MIT
 *
 * OAuth 2 tokens (RFC 6749) without I/O: a store that all instances of a job share, and the
 * exchange one instance has with the token endpoint. A refresh token is used where one was
 * given; when it is refused the full grant follows. Nothing here is ever shown.
 */
#ifndef ETL_SOURCE_HTTP_OAUTH_H
#define ETL_SOURCE_HTTP_OAUTH_H

#include "base/buf.h"
#include "source/http/options.h"
#include "source/source.h"

struct etl_oauth_store; /* the newest tokens of a job; any thread */

struct etl_oauth_store *etl_oauth_store_new(void);
void etl_oauth_store_free(struct etl_oauth_store *store); /* NULL is fine; wipes */

/* One instance's side. */
struct etl_oauth {
	const struct etl_oauth_options *options;
	const struct etl_secret *const *secrets;
	struct etl_oauth_store *store;
	char *access;    /* the token to send now, or NULL */
	uint64_t serial; /* which one of the store it is */
	char *refresh;   /* the refresh token that was sent, or NULL */
	struct etl_buf answer;
	int status;
	struct etl_error refusal; /* what the status means; ETL_OK for a token */
	etl_wall received;
};

/* Everything given is lent until fini. */
void etl_oauth_init(struct etl_oauth *oauth, const struct etl_oauth_options *options,
	const struct etl_secret *const *secrets, struct etl_oauth_store *store);
void etl_oauth_fini(struct etl_oauth *oauth);

/* True if the store has a token that holds at `now`; it is in oauth->access then. */
bool etl_oauth_ready(struct etl_oauth *oauth, etl_wall now);

/* Fills a request to the token endpoint (all but timeout and ip). 0 or -1. */
int etl_oauth_ask(struct etl_oauth *oauth, struct etl_request *out, struct etl_error *err);

/* The token endpoint's answer: head, body, end. finish: 1 = `again` was filled because the
 * refresh token was refused, 0 = oauth->access is new, -1 (ETL_AUTH when refused). */
void etl_oauth_head(struct etl_oauth *oauth, const struct etl_response *response);
int etl_oauth_feed(
	struct etl_oauth *oauth, const char *bytes, size_t len, struct etl_error *err);
int etl_oauth_finish(struct etl_oauth *oauth, struct etl_request *again, struct etl_error *err);

/* The service refused our token: no instance gets it again. `entirely` drops the refresh
 * token too. */
void etl_oauth_drop(struct etl_oauth *oauth, bool entirely);

#endif

/* SPDX-License-Identifier: MIT
 *
 * HTTP for sources: takes an etl_request, gives head, pieces and end. One curl multi handle on
 * the loop's descriptors; a gate for each host (http_gate.h), which is told what the answers
 * say about it. http.c is the only includer of curl.h; it parses no payload. Loop thread.
 */
#ifndef ETLD_HTTP_H
#define ETLD_HTTP_H

#include <stddef.h>

#include "base/error.h"
#include "io/http_gate.h"
#include "io/loop.h"
#include "source/source.h"

struct etld_http;
struct etld_transfer;

/* The others never fire inside etld_http_start; `end` is the last one and frees the transfer
 * (unless it was aborted, then none fires any more). */
struct etld_transfer_events {
	void (*begun)(void *ctx); /* its host's gate let it through; also inside etld_http_start */
	void (*head)(void *ctx, const struct etl_response *response); /* texts lent for the call */
	void (*chunk)(void *ctx, const char *bytes, size_t len);
	void (*end)(void *ctx, const struct etl_error *err); /* kind ETL_OK: all bytes came */
};

struct etld_http_options {
	etl_dur timeout;
	const char *user_agent;
	bool ipv4_only;
	const struct etld_host_rule *other_hosts; /* those without a rule */
	const struct etld_host_rule *rules;
	size_t n_rules;
};

/* Options are lent and may be replaced at a reload. */
struct etld_http *etld_http_new(struct etld_loop *loop, const struct etl_clock *clock,
	const struct etld_http_options *options, struct etl_error *err);
/* Replaces the options, which are lent until the next call; transfers under way keep theirs. */
void etld_http_options(struct etld_http *http, const struct etld_http_options *options);
/* Frees every transfer without calling its `end`. NULL is fine. */
void etld_http_free(struct etld_http *http);

/* Starts as soon as the host's gate lets it, or ends with the gate's refusal. It would wait
 * for a host that asked to be left alone as long as for an answer. The request is lent until
 * the end. */
struct etld_transfer *etld_http_start(struct etld_http *http, const struct etl_request *request,
	enum etld_priority priority, const struct etld_transfer_events *events, void *ctx);
void etld_http_abort(struct etld_transfer *transfer); /* NULL is fine */

/* Back-pressure: a paused transfer's socket fills up and the other side waits. */
void etld_http_pause(struct etld_transfer *transfer, bool pause);

/* Ends a host's hold and closes its breaker; what waits goes on. False if it had neither. */
bool etld_http_release(struct etld_http *http, const char *host);

/* The hosts, to be watched, kept and shown. */
struct etld_gates *etld_http_gates(struct etld_http *http);

#endif

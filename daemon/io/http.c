/* SPDX-License-Identifier: MIT
 *
 * HTTP transfers on the loop: libcurl's multi-socket interface. libcurl is never called from
 * inside its own callbacks, except to pause.
 *
 * A transfer's life: etld_http_start makes it and asks its host's gate; the gate lets it in now or
 * later, or refuses it; libcurl calls on_header and on_body as bytes come; the first byte of the
 * body gives the head; the end is told once and frees it. Who reads too slowly pauses it: the
 * socket's buffer fills, the kernel's window closes, and the other side waits, so that an answer of
 * 5 GiB takes no more memory than one of 5 MiB. Example of a turn: a socket is readable, libcurl
 * reads, on_body gives a chunk to a strand, which pauses the transfer from inside;
 * curl_multi_socket_action returns; what has finished is told; gates let others in.
 */
#include "io/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/descriptors.h"
#include "base/str.h"
#include "io/http_failure.h"
#include "io/http_head.h"
#include "io/journal.h"
#include "source/http/hold.h"
#include "source/http/text.h"

/* Servers take 8 KiB as a rule; beyond twice that a template has gone wrong. */
#define URL_BYTES_MAX (16 * 1024)

/* The three timers are apart because each has its own cause: libcurl's clock, a host's clock, and
 * failures that must not be told from inside etld_http_start. */
struct etld_http {
	struct etld_loop *loop;
	const struct etl_clock *clock;
	struct etld_http_options options;
	CURLM *multi;
	struct etl_timer timer;	   /* libcurl's own timeouts */
	struct etl_timer gate_timer; /* the next host that may go on */
	struct etl_timer deliver_timer; /* transfers that failed before they began */
	struct etld_gates *gates;
	struct etld_transfer *transfers;
};

/* `running` says that libcurl has it; before that it waits at its host's gate, or for a refusal to
 * be told. */
struct etld_transfer {
	struct etld_transfer *prev, *next;
	struct etld_http *http;
	/* Copies: the request may be freed while a worker still has the strand. */
	char url_shown[ETL_HTTP_SHOWN_BYTES];
	uint64_t bytes_max;
	struct etld_transfer_events events;
	void *ctx;
	CURL *easy;
	struct curl_slist *headers;
	struct etld_gate_ticket ticket;
	bool head_given, running, paused, was_paused;
	int status; /* once the head was given */
	struct etld_http_head head;
	uint64_t bytes;
	struct etl_error failure; /* found by us: it counts instead of libcurl's code */
	int socket_errno;	  /* errno of the last socket that libcurl wanted; 0 = opened */
	char detail[CURL_ERROR_SIZE];
};

/* ---- the multi handle on the loop ---------------------------------------------------------- */

static void check_finished(struct etld_http *http);

/* One socket at a time, as libcurl wants it; what finished by it is told behind the call, never in
 * it. */
static void on_socket_ready(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_http *http = ctx;
	int running;

	curl_multi_socket_action(http->multi, fd,
		(readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0), &running);
	check_finished(http);
}

/* libcurl says which descriptors it cares for, and keeps our io beside its own state
 * (curl_multi_assign). */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct etld_http *http = ctx;
	struct etld_io *io = socket_ctx;
	bool read = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
	bool write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		etld_io_remove(io);
		curl_multi_assign(http->multi, fd, NULL);
	} else if (io) {
		etld_io_change(io, read, write);
	} else {
		io = etld_io_add(http->loop, fd, read, write, on_socket_ready, http, "http");
		curl_multi_assign(http->multi, fd, io);
	}
	return 0;
}

/* -1 means none. libcurl asks for one timer at a time, and the newest wish counts. */
static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
	struct etld_http *http = ctx;
	struct etl_wheel *wheel = etld_loop_wheel(http->loop);

	(void)multi;
	if (ms < 0)
		etl_timer_cancel(wheel, &http->timer);
	else
		etl_timer_arm(wheel, &http->timer, etl_mono_add(etl_mono_now(http->clock),
			ETL_MS(ms)));
	return 0;
}

/* libcurl's own timeouts, connects and retries of names. */
static void on_timer(struct etl_timer *timer, void *ctx)
{
	struct etld_http *http = ctx;
	int running;

	(void)timer;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_finished(http);
}

/* ---- one transfer -------------------------------------------------------------------------- */

/* Out of libcurl first, which may else call back into what is being freed; out of the gate, so that
 * the next one may go; then its memory. */
static void transfer_free(struct etld_transfer *t)
{
	struct etld_http *http = t->http;

	if (t->running)
		curl_multi_remove_handle(http->multi, t->easy);
	etld_gate_leave(http->gates, &t->ticket);
	if (t->prev)
		t->prev->next = t->next;
	else
		http->transfers = t->next;
	if (t->next)
		t->next->prev = t->prev;
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	etld_http_head_fini(&t->head);
	free(t);
}

/* A hold counts for every request to the host, whatever becomes of the run that met it. Told in the
 * journal only if the host asked for longer than we obey: an operator may know better. */
static etl_dur hold_host(struct etld_transfer *t, etl_wall now)
{
	const char *header;
	etl_dur told, asked = etl_hold_asked(&t->head.hold, t->status, now, &header, &told);
	char reason[ETL_HOLD_WORDS_BYTES];

	if (asked.us > 0) {
		etl_hold_words(reason, t->status, told, header);
		if (told.us > asked.us)
			etld_log(ETLD_WARNING, NULL, NULL, 0,
				"%s: %s at most; 'etlctl host release' ends it", t->url_shown,
				reason);
		etld_gate_hold(t->http->gates, &t->ticket, asked, reason);
	}
	return asked;
}

/* Once, before the first byte of the body or at the end of an answer without one. A probe that got
 * an answer lets the host's others go at once, and not only when its body has come to its end. */
static void give_head(struct etld_transfer *t)
{
	struct etl_response response = {
		.received = etl_now(t->http->clock),
		.retry_after = {-1},
	};
	etl_dur asked;
	long status = 0;

	if (t->head_given)
		return;
	t->head_given = true;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	response.status = t->status = (int)status;
	etld_http_head_tell(&t->head, &response);
	asked = hold_host(t, response.received);
	if (status >= 400)
		response.retry_after = asked;
	if (t->ticket.probe && status < 500) /* the host is well: others go */
		etld_gate_answered(t->http->gates, &t->ticket);
	t->events.head(t->ctx, &response);
}

/* 0 makes libcurl end the transfer; `failure` says why. */
static size_t on_header(char *bytes, size_t one, size_t len, void *ctx)
{
	struct etld_transfer *t = ctx;

	(void)one;
	return etld_http_head_line(&t->head, bytes, len, t->head_given, &t->failure) ? len : 0;
}

/* A pause is said by the return value and not by curl_easy_pause, so that these bytes are not lost.
 * The cap is the request's own: what is larger is no answer to it, or would fill the memory of all.
 */
static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct etld_transfer *t = ctx;
	(void)one;
	if (t->paused)
		return CURL_WRITEFUNC_PAUSE; /* libcurl keeps these bytes and gives them again */
	t->bytes += len;
	if (t->bytes_max && t->bytes > t->bytes_max) {
		etl_error_set(&t->failure, ETL_LIMIT, "http.too_large",
			"the answer is larger than %llu bytes", (unsigned long long)t->bytes_max);
		return 0;
	}
	give_head(t);
	if (len)
		t->events.chunk(t->ctx, bytes, len);
	return len;
}

/* A descriptor that we lack ourselves is not the host's fault. */
static void note_lack(struct etld_transfer *t, CURLcode code)
{
	if (t->failure.kind == ETL_OK && etld_http_lacks(code, t->socket_errno))
		etl_descriptors_error(&t->failure);
}

/* What we found ourselves counts instead of libcurl's code, which then only says that a callback
 * refused. */
static void explain(struct etld_transfer *t, CURLcode code, struct etl_error *err)
{
	const struct etld_http_failure *failure = etld_http_failure_of(code);

	if (t->failure.kind != ETL_OK)
		*err = t->failure;
	else
		etl_error_set(err, failure->kind, failure->name, "%s",
			*t->detail ? t->detail : curl_easy_strerror(code));
	etl_error_prefix(err, "%s", t->url_shown);
}

/* Tells the gate what this transfer has learnt about its host. Our own limits say nothing of
 * it, and a transfer that we paused may have run out of time by our doing. */
static void judge_host(struct etld_transfer *t, CURLcode code)
{
	const struct etld_http_failure *failure = etld_http_failure_of(code);
	bool failed = code != CURLE_OK && t->failure.kind == ETL_OK && failure->by_host &&
		!(code == CURLE_OPERATION_TIMEDOUT && t->was_paused);
	struct etl_error why = ETL_ERROR_INIT; /* for its clean text */

	if (!t->ticket.inside)
		return;
	if (t->status >= 500)
		etl_error_set(&why, ETL_TRANSIENT, "http.status", "status %d", t->status);
	else if (failed)
		etl_error_set(&why, failure->kind, failure->name, "%s: %s", failure->name,
			*t->detail ? t->detail : curl_easy_strerror(code));
	if (why.kind != ETL_OK)
		etld_gate_failed(t->http->gates, &t->ticket, why.message);
	else if (t->head_given)
		etld_gate_answered(t->http->gates, &t->ticket);
}

/* Freed before it is told: the one who hears of the end may start the next transfer, and take the
 * same place at the gate. */
static void finish(struct etld_transfer *t, const struct etl_error *err)
{
	struct etld_transfer_events events = t->events;
	void *ctx = t->ctx;

	transfer_free(t);
	events.end(ctx, err);
}

static void start_waiting(struct etld_http *http);

/* Messages are read until none is left; each may start or abort others. What the gates allow by
 * that is started last. */
static void check_finished(struct etld_http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etld_transfer *t;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		note_lack(t, code);
		if (code != CURLE_OK)
			explain(t, code, &err);
		else
			give_head(t);
		judge_host(t, code);
		finish(t, &err);
	}
	start_waiting(http);
}

/* ---- starting ------------------------------------------------------------------------------ */

/* A line break in a value would be another header, of whoever wrote that value. */
static bool header_is_sane(const struct etl_header *h)
{
	return !strpbrk(h->name, "\r\n:") && !strpbrk(h->value, "\r\n");
}

/* Everything is copied by libcurl (COPYPOSTFIELDS, the list): the request may be freed while a
 * transfer goes. */
static void set_request(struct etld_transfer *t, const struct etl_request *r)
{
	CURL *easy = t->easy;

	for (size_t i = 0; i < r->n_headers; i++) {
		char *line;

		if (!header_is_sane(&r->headers[i]))
			continue;
		line = etl_strf("%s: %s", r->headers[i].name, r->headers[i].value);
		t->headers = curl_slist_append(t->headers, line);
		free(line);
	}
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
	if (etl_streq(r->method, "POST")) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->body ? r->body : "");
	} else if (!etl_streq(r->method, "GET")) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	}
}

/* Sets what holds for every transfer. No redirect is followed: where an answer sends us is the
 * source's decision, and may be a private address. No proxy and no netrc out of the environment:
 * what the daemon talks to is what its file says. TLS 1.2 is the least; certificates are verified
 * by libcurl's default. A name has ten seconds to be reached, so that a host that is down does not
 * take the whole time of an answer. Connections are kept for an hour, as long as a balancer may
 * take to move its address. */
static void set_rules(struct etld_transfer *t, const struct etl_request *r)
{
	const struct etld_http_options *o = &t->http->options;
	etl_dur timeout = r->timeout.us ? r->timeout : o->timeout;
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->detail);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)etl_dur_ms(timeout));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(timeout.us < 10000000 ? etl_dur_ms(timeout) : 10000));
	curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, 3600L);
	if (o->ipv4_only || r->ip == ETL_IP_4_ONLY)
		curl_easy_setopt(easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	etld_http_open_sockets(easy, &t->socket_errno);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

/* `begun` before libcurl has it: the clock of the fetch starts with the first thing that the host
 * may delay. */
static void run(struct etld_transfer *t)
{
	t->running = true;
	t->events.begun(t->ctx);
	if (curl_multi_add_handle(t->http->multi, t->easy) == CURLM_OK)
		return;
	t->running = false;
	note_lack(t, CURLE_FAILED_INIT);
	if (t->failure.kind == ETL_OK)
		etl_error_set(&t->failure, ETL_TRANSIENT, "http.failed",
			"libcurl refused the transfer");
}

/* Lets through what the gates allow now, and sets the timer for what they allow later. */
static void start_waiting(struct etld_http *http)
{
	struct etl_wheel *wheel = etld_loop_wheel(http->loop);
	struct etl_error refusal = ETL_ERROR_INIT;
	struct etld_gate_ticket *ticket;
	etl_mono next;

	etld_on_loop(http->loop);
	while ((ticket = etld_gate_next(http->gates, &refusal)) != NULL) {
		struct etld_transfer *t = ticket->owner;

		if (refusal.kind == ETL_OK) {
			run(t);
			continue;
		}
		t->failure = refusal;
		etl_error_clear(&refusal);
		etl_timer_arm(wheel, &http->deliver_timer, etl_mono_now(http->clock));
	}
	if (etld_gate_wake(http->gates, &next))
		etl_timer_arm(wheel, &http->gate_timer, next);
	else
		etl_timer_cancel(wheel, &http->gate_timer);
}

/* A hold is over, or a bucket has a token. */
static void on_gate_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	start_waiting(ctx);
}

/* Refusals of gates come here: told from a timer, they reach a strand that expects nothing inside
 * its own call. */
static void on_deliver(struct etl_timer *timer, void *ctx)
{
	struct etld_http *http = ctx;
	struct etld_transfer *t = http->transfers;

	(void)timer;
	while (t) {
		struct etld_transfer *next = t->next;

		if (!t->running && t->failure.kind != ETL_OK) {
			struct etl_error err = t->failure;

			finish(t, &err);
			next = http->transfers; /* the callback may have changed the list */
		}
		t = next;
	}
}

/* A URL that is too long never asks a gate: it would take a token for nothing. */
struct etld_transfer *etld_http_start(struct etld_http *http, const struct etl_request *request,
	enum etld_priority priority, const struct etld_transfer_events *events, void *ctx)
{
	etl_dur patience = request->timeout.us ? request->timeout : http->options.timeout;
	struct etld_transfer *t = ETL_NEW(struct etld_transfer);

	t->http = http;
	etl_http_url_show(request->url_shown ? request->url_shown : "", t->url_shown);
	t->bytes_max = request->response_bytes_max;
	t->events = *events;
	t->ctx = ctx;
	t->failure = (struct etl_error)ETL_ERROR_INIT;
	etld_http_head_init(&t->head, request->kept_header);
	t->easy = curl_easy_init();
	if (!t->easy)
		abort();
	t->next = http->transfers;
	if (t->next)
		t->next->prev = t;
	http->transfers = t;
	set_rules(t, request);
	set_request(t, request);
	if (strlen(request->url) > URL_BYTES_MAX)
		etl_error_set(&t->failure, ETL_PERMANENT, "http.url",
			"the URL is longer than %d bytes", URL_BYTES_MAX);
	else
		etld_gate_enter(http->gates, &t->ticket, request->url, priority, patience, t);
	start_waiting(http);
	if (t->failure.kind != ETL_OK)
		etl_timer_arm(etld_loop_wheel(http->loop), &http->deliver_timer,
			etl_mono_now(http->clock));
	return t;
}

/* What it had learnt about its host counts: an answer that began well closes a breaker although
 * nobody wanted the rest of it. */
void etld_http_abort(struct etld_transfer *transfer)
{
	struct etld_http *http;

	if (!transfer)
		return;
	http = transfer->http;
	judge_host(transfer, CURLE_OK);
	transfer_free(transfer);
	start_waiting(http);
}

void etld_http_pause(struct etld_transfer *transfer, bool pause)
{
	struct etld_http *http = transfer->http;

	etld_on_loop(http->loop);
	if (transfer->paused == pause)
		return;
	transfer->paused = pause;
	transfer->was_paused = true;
	if (pause || !transfer->running)
		return; /* on_body says PAUSE by itself */
	/* libcurl delivers what it held back from inside this call; the rest goes on with the
	 * next turn's timeout action. */
	curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
	etl_timer_arm(etld_loop_wheel(http->loop), &http->timer, etl_mono_now(http->clock));
}

bool etld_http_release(struct etld_http *http, const char *host)
{
	bool released = etld_gates_release(http->gates, host);

	if (released)
		start_waiting(http);
	return released;
}

/* For those who watch, keep and show hosts (engine/hosts.c, status). */
struct etld_gates *etld_http_gates(struct etld_http *http)
{
	return http->gates;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* The gates keep their state: a reload neither opens nor closes a breaker. */
void etld_http_options(struct etld_http *http, const struct etld_http_options *options)
{
	http->options = *options;
	etld_gates_rules(http->gates, options->other_hosts, options->rules, options->n_rules);
}

/* Without an asynchronous resolver each look-up of a name would stop the loop, and with it every
 * job's slot. */
struct etld_http *etld_http_new(struct etld_loop *loop, const struct etl_clock *clock,
	const struct etld_http_options *options, struct etl_error *err)
{
	struct etld_http *http = ETL_NEW(struct etld_http);

	http->loop = loop;
	http->clock = clock;
	http->timer = (struct etl_timer){.fire = on_timer, .ctx = http, .name = "http"};
	http->gate_timer =
		(struct etl_timer){.fire = on_gate_timer, .ctx = http, .name = "host gate"};
	http->deliver_timer =
		(struct etl_timer){.fire = on_deliver, .ctx = http, .name = "http failure"};
	http->gates = etld_gates_new(clock);
	etld_http_options(http, options);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		http->multi = curl_multi_init();
	if (!http->multi ||
		!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)) {
		etl_error_set(err, ETL_CONFIG, "http.libcurl",
			"this libcurl cannot be used: it has no asynchronous resolver");
		etld_http_free(http);
		return NULL;
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return http;
}

/* No `end` is called: the strands are gone by then. */
void etld_http_free(struct etld_http *http)
{
	if (!http)
		return;
	while (http->transfers)
		transfer_free(http->transfers);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	etl_timer_cancel(etld_loop_wheel(http->loop), &http->timer);
	etl_timer_cancel(etld_loop_wheel(http->loop), &http->gate_timer);
	etl_timer_cancel(etld_loop_wheel(http->loop), &http->deliver_timer);
	etld_gates_free(http->gates);
	curl_global_cleanup();
	free(http);
}

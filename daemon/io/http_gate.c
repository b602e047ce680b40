/* SPDX-License-Identifier: MIT
 *
 * Gates of hosts. A gate is made when its host is first named and stays: hosts are few. Sends
 * nothing and knows no curl; it says which request may go.
 */
#include "io/http_gate.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "source/http/hold.h"
#include "time/civil.h"

/* A hold or an empty bucket that is over sooner is gone before a restart could see it. */
#define WORTH_KEEPING ETL_SECONDS(5)

struct queue {
	struct etld_gate_ticket *first, *last;
};

struct etld_gate {
	struct etld_gate *next;
	char *host; /* "api.example.org" or "api.example.org:8443", in lower case */
	const struct etld_host_rule *rule;
	int64_t active, waiting;
	struct etl_breaker breaker;
	struct etl_bucket bucket;
	etl_mono hold; /* no request before; the past = none */
	char hold_reason[128];
	bool ask_patience; /* the hold may be too long for somebody in the queue */
	bool changed;	   /* since it was kept */
	struct queue queues[ETLD_PRIORITIES];
};

struct etld_gates {
	const struct etl_clock *clock;
	struct etld_gate *gates;
	const struct etld_host_rule *others, *rules;
	size_t n_rules;
	etld_gate_fn fn;
	void *ctx;
	uint64_t draws; /* random numbers drawn so far */
};

/* Rules and watcher come later: gates can be tested on a virtual clock with nothing else. */
struct etld_gates *etld_gates_new(const struct etl_clock *clock)
{
	struct etld_gates *gates = ETL_NEW(struct etld_gates);

	gates->clock = clock;
	return gates;
}

/* Tickets are their owners'. */
void etld_gates_free(struct etld_gates *gates)
{
	if (!gates)
		return;
	while (gates->gates) {
		struct etld_gate *next = gates->gates->next;

		free(gates->gates->host);
		free(gates->gates);
		gates->gates = next;
	}
	free(gates);
}

/* ---- rules --------------------------------------------------------------------------------- */

/* A rule names a host, with or without a port; the one with the port is the closer one.
 * Example: for "api.example.org:8443" a rule for "api.example.org" fits, and one for
 * "api.example.org:8443" fits better. */
static bool rule_fits(const struct etld_host_rule *rule, const char *host, bool *exactly)
{
	size_t n = strlen(rule->host);

	*exactly = strcasecmp(rule->host, host) == 0;
	return strncasecmp(rule->host, host, n) == 0 && (host[n] == '\0' || host[n] == ':');
}

const struct etld_host_rule *etld_host_rule_of(const struct etld_host_rule *others,
	const struct etld_host_rule *rules, size_t n, const char *host)
{
	const struct etld_host_rule *found = others;
	bool exactly = false;

	for (size_t i = 0; i < n && !exactly; i++)
		if (rule_fits(&rules[i], host, &exactly))
			found = &rules[i];
	return found;
}

static void apply_rules(const struct etld_gates *gates, struct etld_gate *gate)
{
	gate->rule = etld_host_rule_of(gates->others, gates->rules, gates->n_rules, gate->host);
}

/* All gates, also those whose requests wait: a reload that raises a limit lets them go by the next
 * look. */
void etld_gates_rules(struct etld_gates *gates, const struct etld_host_rule *others,
	const struct etld_host_rule *rules, size_t n)
{
	gates->others = others;
	gates->rules = rules;
	gates->n_rules = n;
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next)
		apply_rules(gates, gate);
}

/* One watcher; NULL ends it. */
void etld_gates_watch(struct etld_gates *gates, etld_gate_fn fn, void *ctx)
{
	gates->fn = fn;
	gates->ctx = ctx;
}

/* ---- hosts and their state ----------------------------------------------------------------- */

/* A list is searched, since hosts are few: a daemon with a thousand jobs asks some dozens of
 * them. */
static struct etld_gate *gate_find(const struct etld_gates *gates, const char *host, size_t n)
{
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next)
		if (strlen(gate->host) == n && strncasecmp(gate->host, host, n) == 0)
			return gate;
	return NULL;
}

/* In lower case, since names of hosts are: "API.example.org" is the same host. */
static struct etld_gate *gate_make(struct etld_gates *gates, const char *host, size_t n)
{
	struct etld_gate *gate = gate_find(gates, host, n);

	if (gate)
		return gate;
	gate = ETL_NEW(struct etld_gate);
	gate->host = etl_memdup0(host, n);
	for (char *c = gate->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	gate->next = gates->gates;
	gates->gates = gate;
	apply_rules(gates, gate);
	return gate;
}

/* What is before an '@' may be a password and is no part of the host. */
static struct etld_gate *gate_of_url(struct etld_gates *gates, const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/?#");
	for (const char *at = memchr(host, '@', n); at; at = memchr(host, '@', n)) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return gate_make(gates, host, n);
}

/* The wall time that is `left` from now; 0 if nothing is left. */
static etl_wall wall_in(etl_wall now, int64_t left_us)
{
	return (etl_wall){left_us > 0 ? now.ms + (left_us + 999) / 1000 : 0};
}

/* Monotonic times are turned into wall times here: what is kept has to make sense to another
 * process. */
static void state_of(const struct etld_gates *gates, const struct etld_gate *gate,
	struct etld_host_state *out)
{
	etl_wall now = etl_now(gates->clock);
	etl_mono mono = etl_mono_now(gates->clock);

	memset(out, 0, sizeof *out);
	etl_text_copy(out->host, sizeof out->host, gate->host);
	out->breaker = gate->breaker;
	out->hold_until = wall_in(now, gate->hold.us - mono.us);
	if (out->hold_until.ms)
		etl_text_copy(out->hold_reason, sizeof out->hold_reason, gate->hold_reason);
	out->full_at = wall_in(now, etl_bucket_debt(&gate->bucket, &gate->rule->bucket, mono).us);
	out->updated = now;
}

/* Whoever watches keeps the state over a restart: a daemon that restarts must not ask a host
 * that asked to be left alone. */
static void tell(struct etld_gates *gates, struct etld_gate *gate, enum etld_gate_event event)
{
	struct etld_host_state state;

	gate->changed = true;
	if (!gates->fn)
		return;
	state_of(gates, gate, &state);
	gates->fn(gates->ctx, event, &state);
}

/* Times of the store are wall times of another process, perhaps of a wrong clock: a hold is cut
 * to the longest that a host may ask for. */
void etld_gates_restore(struct etld_gates *gates, const struct etld_host_state *state)
{
	struct etld_gate *gate = gate_make(gates, state->host, strlen(state->host));
	etl_wall now = etl_now(gates->clock);
	etl_mono mono = etl_mono_now(gates->clock);

	if (gate->changed || gate->active) /* what this process saw itself is newer */
		return;
	etl_breaker_restore(&gate->breaker, &gate->rule->breaker, &state->breaker, now);
	if (etl_wall_is_civil(state->hold_until) && state->hold_until.ms > now.ms) {
		etl_dur left = etl_wall_diff(state->hold_until, now);

		gate->hold = etl_mono_add(mono, left.us < ETL_HOLD_MAX.us ? left : ETL_HOLD_MAX);
		etl_text_copy(gate->hold_reason, sizeof gate->hold_reason, state->hold_reason);
	}
	if (etl_wall_is_civil(state->full_at) && state->full_at.ms > now.ms)
		etl_bucket_restore(&gate->bucket, &gate->rule->bucket, mono,
			etl_wall_diff(state->full_at, now));
}

/* A changed gate is taken once: the outbox keeps its state until it is stored. */
bool etld_gates_take_changed(struct etld_gates *gates, struct etld_host_state *out)
{
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		if (!gate->changed)
			continue;
		gate->changed = false;
		if (strlen(gate->host) >= sizeof out->host) /* no such host can exist */
			continue;
		state_of(gates, gate, out);
		return true;
	}
	return false;
}

/* Texts are lent for the call. */
void etld_gates_each(struct etld_gates *gates,
	void (*fn)(void *ctx, const struct etld_gate_facts *facts), void *ctx)
{
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		struct etld_gate_facts facts = {.active = gate->active, .waiting = gate->waiting};

		state_of(gates, gate, &facts.state);
		fn(ctx, &facts);
	}
}

/* ---- the queue ----------------------------------------------------------------------------- */

/* Behind all of its priority. A request that is new may have less patience than the hold is long.
 */
void etld_gate_enter(struct etld_gates *gates, struct etld_gate_ticket *ticket, const char *url,
	enum etld_priority priority, etl_dur patience, void *owner)
{
	struct etld_gate *gate = gate_of_url(gates, url);
	struct queue *queue = &gate->queues[priority];

	*ticket = (struct etld_gate_ticket){.gate = gate, .prev = queue->last, .owner = owner,
		.patience = patience, .priority = priority};
	if (queue->last)
		queue->last->next = ticket;
	else
		queue->first = ticket;
	queue->last = ticket;
	gate->waiting++;
	gate->ask_patience = true;
}

/* Whether it is let in, refused or gone. */
static void unlink_ticket(struct etld_gate *gate, struct etld_gate_ticket *ticket)
{
	struct queue *queue = &gate->queues[ticket->priority];

	if (ticket->prev)
		ticket->prev->next = ticket->next;
	else
		queue->first = ticket->next;
	if (ticket->next)
		ticket->next->prev = ticket->prev;
	else
		queue->last = ticket->prev;
	gate->waiting--;
}

/* A probe that leaves without a verdict (its run was cancelled) has told nothing about the
 * host; the next request is the probe then. */
void etld_gate_leave(struct etld_gates *gates, struct etld_gate_ticket *ticket)
{
	struct etld_gate *gate = ticket->gate;

	(void)gates;
	if (!gate)
		return;
	if (ticket->probe)
		etl_breaker_probe_lost(&gate->breaker);
	if (ticket->inside)
		gate->active--;
	else
		unlink_ticket(gate, ticket);
	ticket->gate = NULL;
}

/* Live requests first: a backfill that fills a host's queue with thousands of requests delays
 * no slot by more than the ones that are inside. */
static struct etld_gate_ticket *foremost(const struct etld_gate *gate)
{
	for (int p = 0; p < ETLD_PRIORITIES; p++)
		if (gate->queues[p].first)
			return gate->queues[p].first;
	return NULL;
}

/* The first request that would not wait for the hold's end; NULL if all would. `ask_patience`
 * spares the walk over the queue until a request or a longer hold has come. */
static struct etld_gate_ticket *impatient(struct etld_gate *gate, etl_dur left)
{
	if (!gate->ask_patience)
		return NULL;
	for (int p = 0; p < ETLD_PRIORITIES; p++)
		for (struct etld_gate_ticket *t = gate->queues[p].first; t; t = t->next)
			if (t->patience.us < left.us)
				return t;
	gate->ask_patience = false;
	return NULL;
}

/* Its ticket is out of the queue and of the gate: etld_gate_leave finds nothing to do. */
static void turn_away(struct etld_gate *gate, struct etld_gate_ticket *ticket)
{
	unlink_ticket(gate, ticket);
	ticket->gate = NULL;
}

/* The error says when the host may be asked again, and the retry waits that long instead of its
 * own pause. */
static void refuse_open(const struct etld_gate *gate, etl_wall now, etl_dur hold,
	struct etl_error *refusal)
{
	const struct etl_breaker *b = &gate->breaker;
	etl_dur left = etl_breaker_left(b, now);
	char until[ETL_TIME_TEXT_BYTES];

	left = hold.us > left.us ? hold : left;
	etl_time_format_rfc3339(etl_wall_add(now, left), until);
	etl_error_set(refusal, ETL_TRANSIENT, "http.breaker_open",
		"%s is left alone until %s, its breaker is open: %lld failed request%s in a row, "
		"the last: %s", gate->host, until, (long long)b->failures,
		b->failures == 1 ? "" : "s", b->reason);
	refusal->retry_after_ms = etl_dur_ms(left);
}

/* The words are the host's own, with what it said and when. */
static void refuse_held(const struct etld_gate *gate, etl_wall now, etl_dur hold,
	struct etl_error *refusal)
{
	char until[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(wall_in(now, hold.us), until);
	etl_error_set(refusal, ETL_THROTTLED, "http.host_held",
		"%s asked for no request before %s: %s", gate->host, until, gate->hold_reason);
	refusal->retry_after_ms = (hold.us + 999) / 1000;
}

/* A bucket that is nearly empty is worth keeping over a restart; one that fills within seconds is
 * not. */
static void let_in(struct etld_gates *gates, struct etld_gate *gate,
	struct etld_gate_ticket *ticket, bool as_probe, etl_mono now)
{
	const struct etl_bucket_rules *rules = &gate->rule->bucket;

	unlink_ticket(gate, ticket);
	ticket->inside = true;
	ticket->probe = as_probe;
	gate->active++;
	if (as_probe)
		etl_breaker_probe(&gate->breaker);
	etl_bucket_take(&gate->bucket, rules, now);
	if (etl_bucket_debt(&gate->bucket, rules, now).us > WORTH_KEEPING.us)
		tell(gates, gate, ETLD_GATE_DRAWN);
}

/* Asking may change the breaker by the passing of time alone: open becomes half open, which is
 * told. */
static enum etl_breaker_verdict ask_breaker(struct etld_gates *gates, struct etld_gate *gate,
	etl_wall now)
{
	enum etl_breaker_state before = gate->breaker.state;
	enum etl_breaker_verdict verdict =
		etl_breaker_ask(&gate->breaker, &gate->rule->breaker, now);

	if (gate->breaker.state != before)
		tell(gates, gate, gate->breaker.state == ETL_BREAKER_CLOSED ? ETLD_GATE_CLOSED :
									      ETLD_GATE_CHANGED);
	return verdict;
}

/* The law of a gate, in this order: the breaker, the hold, requests at once, the bucket. Example:
 * api.example.org has max_active 2 and a bucket of one request a second.
 *
 *    breaker open                  the first of the queue is turned away, and learns until when
 *    half open                     one request goes as a probe, the others wait for its verdict
 *    "Retry-After: 60"             whoever has less than 60 s of patience is turned away, others
 *                                  wait; a request that came with 30 s is not kept for nothing
 *    two requests are inside       wait for one to leave
 *    the last began 0.4 s ago      wait 0.6 s (etld_gate_wake tells the loop)
 *
 * The breaker comes first, since a host that fails is not asked even when its hold is over; the
 * bucket comes last, so that a request that may not go for another reason takes no token. */
static struct etld_gate_ticket *serve(struct etld_gates *gates, struct etld_gate *gate,
	struct etl_error *refusal)
{
	struct etld_gate_ticket *ticket = foremost(gate);
	etl_wall now = etl_now(gates->clock);
	etl_mono mono = etl_mono_now(gates->clock);
	etl_dur hold = etl_mono_diff(gate->hold, mono);
	enum etl_breaker_verdict verdict;

	if (!ticket)
		return NULL;
	verdict = ask_breaker(gates, gate, now);
	if (verdict == ETL_BREAKER_REFUSE) {
		refuse_open(gate, now, hold, refusal);
		turn_away(gate, ticket);
		return ticket;
	}
	if (hold.us > 0) {
		ticket = impatient(gate, hold);
		if (ticket) {
			refuse_held(gate, now, hold, refusal);
			turn_away(gate, ticket);
		}
		return ticket;
	}
	if (verdict == ETL_BREAKER_WAIT || gate->active >= gate->rule->max_active ||
		etl_bucket_next(&gate->bucket, &gate->rule->bucket, mono).us > mono.us)
		return NULL;
	let_in(gates, gate, ticket, verdict == ETL_BREAKER_PROBE, mono);
	return ticket;
}

/* One at a time: what the caller does with it may change any gate. */
struct etld_gate_ticket *etld_gate_next(struct etld_gates *gates, struct etl_error *refusal)
{
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		struct etld_gate_ticket *ticket = serve(gates, gate, refusal);

		if (ticket)
			return ticket;
	}
	return NULL;
}

/* Only time is told here. A gate that waits for a request to leave, or for a probe's verdict,
 * is served when that happens. */
bool etld_gate_wake(struct etld_gates *gates, etl_mono *at)
{
	etl_mono now = etl_mono_now(gates->clock);
	bool found = false;

	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		etl_mono when = etl_bucket_next(&gate->bucket, &gate->rule->bucket, now);

		if (!gate->waiting || gate->active >= gate->rule->max_active ||
			gate->breaker.probing)
			continue;
		when = gate->hold.us > when.us ? gate->hold : when;
		if (!found || when.us < at->us)
			*at = when;
		found = true;
	}
	return found;
}

/* ---- what requests learn ------------------------------------------------------------------- */

/* An answer of any status below 500 says that the host is well; whether it is the one that was
 * wanted is not the gate's business. */
void etld_gate_answered(struct etld_gates *gates, struct etld_gate_ticket *ticket)
{
	struct etld_gate *gate = ticket->gate;
	int64_t failures = gate->breaker.failures;
	bool closed = etl_breaker_answered(&gate->breaker, ticket->probe);

	assert(ticket->inside);
	ticket->probe = false;
	if (closed)
		tell(gates, gate, ETLD_GATE_CLOSED);
	else if (gate->breaker.failures != failures)
		tell(gates, gate, ETLD_GATE_CHANGED);
}

/* The random number spreads the breaker's pause, so that several etlds do not return to a host
 * at the same moment. */
void etld_gate_failed(struct etld_gates *gates, struct etld_gate_ticket *ticket, const char *reason)
{
	struct etld_gate *gate = ticket->gate;
	int64_t failures = gate->breaker.failures;
	uint64_t random = etl_hash64(gate->host, strlen(gate->host),
		(uint64_t)etl_mono_now(gates->clock).us + gates->draws++);
	bool opened = etl_breaker_failed(&gate->breaker, &gate->rule->breaker, ticket->probe,
		etl_now(gates->clock), random, reason);

	assert(ticket->inside);
	ticket->probe = false;
	if (opened)
		tell(gates, gate, ETLD_GATE_OPENED);
	else if (gate->breaker.failures != failures)
		tell(gates, gate, ETLD_GATE_CHANGED);
}

/* Holds only grow: of two answers that ask for 60 s and 10 s the longer one rules, in whichever
 * order they come. */
void etld_gate_hold(struct etld_gates *gates, const struct etld_gate_ticket *ticket, etl_dur d,
	const char *reason)
{
	struct etld_gate *gate = ticket->gate;
	etl_mono until = etl_mono_add(etl_mono_now(gates->clock), d);

	if (until.us <= gate->hold.us)
		return;
	gate->hold = until;
	gate->ask_patience = true;
	etl_text_copy(gate->hold_reason, sizeof gate->hold_reason, reason);
	if (d.us > WORTH_KEEPING.us)
		tell(gates, gate, ETLD_GATE_CHANGED);
}

/* Failures are forgotten with the pause, or the next failed request would open the breaker
 * again at once. A probe that is under way keeps its place. An operator ends a hold and closes the
 * breaker: the next request is an ordinary one and no probe, unless one is out, whose verdict is
 * still heard. */
bool etld_gates_release(struct etld_gates *gates, const char *host)
{
	etl_mono now = etl_mono_now(gates->clock);

	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		bool open = gate->breaker.state != ETL_BREAKER_CLOSED;

		if (strcasecmp(gate->host, host) != 0 || (gate->hold.us <= now.us && !open))
			continue;
		gate->hold = now;
		gate->hold_reason[0] = '\0';
		gate->breaker = (struct etl_breaker){
			.state = ETL_BREAKER_CLOSED, .probing = gate->breaker.probing};
		tell(gates, gate, open ? ETLD_GATE_CLOSED : ETLD_GATE_CHANGED);
		return true;
	}
	return false;
}

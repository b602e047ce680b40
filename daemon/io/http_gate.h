/* SPDX-License-Identifier: MIT
 *
 * Gates of hosts: which request may go to a host now. What rules, in this order: the breaker
 * (open: turned away; half open: one goes, the others wait), what the host asked for (a hold:
 * wait, or be turned away if that takes longer than one's patience), requests at once, the
 * token bucket. Within a host live requests go before backfill, first come, first served;
 * hosts do not wait for each other. Knows no curl. Loop thread.
 */
#ifndef ETLD_HTTP_GATE_H
#define ETLD_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "source/http/breaker.h"
#include "source/http/budget.h"
#include "time/clock.h"

struct etld_gates;
struct etld_gate;

struct etld_host_rule {
	const char *host; /* with or without a port; NULL = every host without a rule */
	int64_t max_active;
	struct etl_bucket_rules bucket;
	struct etl_breaker_rules breaker;
};

enum etld_priority { ETLD_LIVE, ETLD_BACKFILL, ETLD_PRIORITIES };

/* A place in a host's queue; embedded in its owner. */
struct etld_gate_ticket {
	struct etld_gate *gate;
	struct etld_gate_ticket *prev, *next;
	void *owner;
	etl_dur patience;
	enum etld_priority priority;
	bool inside, probe;
};

/* How a host is, and what of it is worth keeping over a restart. */
#define ETLD_HOST_BYTES 272
struct etld_host_state {
	char host[ETLD_HOST_BYTES]; /* "api.example.org", "api.example.org:8443" */
	struct etl_breaker breaker;
	etl_wall hold_until; /* the host asked for no request before; ms == 0 = it did not */
	char hold_reason[128];
	etl_wall full_at; /* when its token bucket is full again; ms == 0 = it is full */
	etl_wall updated;
};

/* What happened to a host. The state is lent for the call. */
enum etld_gate_event {
	ETLD_GATE_OPENED, /* its breaker, for the first time or again */
	ETLD_GATE_CLOSED,
	ETLD_GATE_CHANGED, /* worth keeping: failures, a hold, half open */
	ETLD_GATE_DRAWN,   /* its bucket lost a token that is long in coming back */
};
typedef void (*etld_gate_fn)(void *ctx, enum etld_gate_event event,
	const struct etld_host_state *state);

/* Without hosts and rules: etld_gates_rules comes before the first ticket. */
struct etld_gates *etld_gates_new(const struct etl_clock *clock);
/* Tickets stay their owners' and must not be used any more. NULL is fine. */
void etld_gates_free(struct etld_gates *gates);
/* Lent until the next call. `others` is for hosts without a rule. */
void etld_gates_rules(struct etld_gates *gates, const struct etld_host_rule *others,
	const struct etld_host_rule *rules, size_t n);
/* The rule that fits the host best, or `others`. */
const struct etld_host_rule *etld_host_rule_of(const struct etld_host_rule *others,
	const struct etld_host_rule *rules, size_t n, const char *host);
/* `fn` is told of every change of a host that is worth keeping; one watcher, NULL = none. */
void etld_gates_watch(struct etld_gates *gates, etld_gate_fn fn, void *ctx);

/* Queues at the gate of the URL's host and port. `patience`: how long it would wait for a hold
 * to end. */
void etld_gate_enter(struct etld_gates *gates, struct etld_gate_ticket *ticket, const char *url,
	enum etld_priority priority, etl_dur patience, void *owner);
/* Leaves the queue or the inside; fine for a ticket that never entered. */
void etld_gate_leave(struct etld_gates *gates, struct etld_gate_ticket *ticket);

/* The next ticket whose time has come, NULL if none: let in, or turned away for good with
 * `refusal` (else untouched): TRANSIENT "http.breaker_open" or THROTTLED "http.host_held",
 * with retry_after_ms. */
struct etld_gate_ticket *etld_gate_next(struct etld_gates *gates, struct etl_error *refusal);
/* When a waiting ticket may go in because time has passed; false if only a leave can help. */
bool etld_gate_wake(struct etld_gates *gates, etl_mono *at);

/* What a ticket that is inside has learnt about its host; once each at most. */
void etld_gate_answered(struct etld_gates *gates, struct etld_gate_ticket *ticket);
void etld_gate_failed(struct etld_gates *gates, struct etld_gate_ticket *ticket,
	const char *reason);
/* The host asked for no request before `d` has passed. */
void etld_gate_hold(struct etld_gates *gates, const struct etld_gate_ticket *ticket, etl_dur d,
	const char *reason);

/* An operator ends a host's hold and closes its breaker. `host` as status shows it. False if
 * there is no such host or it is neither held nor left alone. */
bool etld_gates_release(struct etld_gates *gates, const char *host);

/* What is kept of the hosts over a restart. */
void etld_gates_restore(struct etld_gates *gates, const struct etld_host_state *state);
/* The next host that has changed since it was taken; false if none has. */
bool etld_gates_take_changed(struct etld_gates *gates, struct etld_host_state *out);

/* Of every host, for status. */
struct etld_gate_facts {
	struct etld_host_state state;
	int64_t active, waiting;
};
void etld_gates_each(struct etld_gates *gates,
	void (*fn)(void *ctx, const struct etld_gate_facts *facts), void *ctx);

#endif

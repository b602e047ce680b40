/* SPDX-License-Identifier: MIT
 *
 * Gates of hosts: how many requests at once, how many a second, and not before. First come,
 * first served within a host; hosts do not wait for each other. Knows no curl. Loop thread.
 */
#ifndef ETLD_HTTP_GATE_H
#define ETLD_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/clock.h"

struct etld_gates;
struct etld_gate;
struct etld_host_rule;

/* A place in a host's queue; embedded in its owner. */
struct etld_gate_ticket {
	struct etld_gate *gate;
	struct etld_gate_ticket *prev, *next;
	void *owner;
	bool inside;
};

struct etld_gates *etld_gates_new(void);
void etld_gates_free(struct etld_gates *gates);
void etld_gates_rules(struct etld_gates *gates, int64_t max_active,
	const struct etld_host_rule *rules, size_t n);

/* Queues at the gate of the URL's host and port. */
void etld_gate_enter(struct etld_gates *gates, struct etld_gate_ticket *ticket, const char *url,
	void *owner);
/* Leaves the queue or the inside; fine for a ticket that never entered. */
void etld_gate_leave(struct etld_gates *gates, struct etld_gate_ticket *ticket);

/* The next ticket that may go in now, let in; NULL if none. */
struct etld_gate_ticket *etld_gate_next(struct etld_gates *gates, etl_mono now);
/* When a waiting ticket may go in because time has passed; false if only a leave can help. */
bool etld_gate_wake(struct etld_gates *gates, etl_mono now, etl_mono *at);

void etld_gate_hold(struct etld_gates *gates, const char *url, etl_mono until);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Gates of hosts. A gate is made when its host is first named and stays: hosts are few.
 */
#include "http_gate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http.h"

struct etld_gate {
	struct etld_gate *next;
	char *host; /* "api.example.org" or "api.example.org:8443" */
	int64_t max_active, active;
	double rate;
	etl_mono not_before;
	struct etld_gate_ticket *first, *last;
};

struct etld_gates {
	struct etld_gate *gates;
	int64_t max_active;
	const struct etld_host_rule *rules;
	size_t n_rules;
};

struct etld_gates *etld_gates_new(void)
{
	return ETL_NEW(struct etld_gates);
}

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

/* A rule names a host, with or without a port. */
static bool rule_fits(const struct etld_host_rule *rule, const char *host)
{
	size_t n = strlen(rule->host);

	return strncasecmp(rule->host, host, n) == 0 && (host[n] == '\0' || host[n] == ':');
}

static void apply_rules(const struct etld_gates *gates, struct etld_gate *gate)
{
	gate->max_active = gates->max_active;
	gate->rate = 0;
	for (size_t i = 0; i < gates->n_rules; i++)
		if (rule_fits(&gates->rules[i], gate->host)) {
			gate->max_active = gates->rules[i].max_active;
			gate->rate = gates->rules[i].rate;
		}
}

void etld_gates_rules(struct etld_gates *gates, int64_t max_active,
	const struct etld_host_rule *rules, size_t n)
{
	gates->max_active = max_active;
	gates->rules = rules;
	gates->n_rules = n;
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next)
		apply_rules(gates, gate);
}

static struct etld_gate *gate_of(struct etld_gates *gates, const char *url)
{
	const char *host = strstr(url, "://");
	struct etld_gate *gate;
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/?#");
	for (const char *at = memchr(host, '@', n); at; at = memchr(host, '@', n)) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	for (gate = gates->gates; gate; gate = gate->next)
		if (strlen(gate->host) == n && strncasecmp(gate->host, host, n) == 0)
			return gate;
	gate = ETL_NEW(struct etld_gate);
	gate->host = etl_memdup0(host, n);
	gate->next = gates->gates;
	gates->gates = gate;
	apply_rules(gates, gate);
	return gate;
}

void etld_gate_enter(struct etld_gates *gates, struct etld_gate_ticket *ticket, const char *url,
	void *owner)
{
	struct etld_gate *gate = gate_of(gates, url);

	*ticket = (struct etld_gate_ticket){.gate = gate, .prev = gate->last, .owner = owner};
	if (gate->last)
		gate->last->next = ticket;
	else
		gate->first = ticket;
	gate->last = ticket;
}

static void unlink_ticket(struct etld_gate *gate, struct etld_gate_ticket *ticket)
{
	if (ticket->prev)
		ticket->prev->next = ticket->next;
	else
		gate->first = ticket->next;
	if (ticket->next)
		ticket->next->prev = ticket->prev;
	else
		gate->last = ticket->prev;
}

void etld_gate_leave(struct etld_gates *gates, struct etld_gate_ticket *ticket)
{
	struct etld_gate *gate = ticket->gate;

	(void)gates;
	if (!gate)
		return;
	if (ticket->inside)
		gate->active--;
	else
		unlink_ticket(gate, ticket);
	ticket->gate = NULL;
}

static bool is_open(const struct etld_gate *gate, etl_mono now)
{
	return gate->first && gate->active < gate->max_active && gate->not_before.us <= now.us;
}

struct etld_gate_ticket *etld_gate_next(struct etld_gates *gates, etl_mono now)
{
	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next) {
		struct etld_gate_ticket *ticket = gate->first;

		if (!is_open(gate, now))
			continue;
		unlink_ticket(gate, ticket);
		ticket->inside = true;
		gate->active++;
		if (gate->rate > 0) /* the next one no sooner than 1/rate after this one */
			gate->not_before.us = now.us + (int64_t)(1e6 / gate->rate);
		return ticket;
	}
	return NULL;
}

bool etld_gate_wake(struct etld_gates *gates, etl_mono now, etl_mono *at)
{
	bool found = false;

	for (struct etld_gate *gate = gates->gates; gate; gate = gate->next)
		if (gate->first && gate->active < gate->max_active && gate->not_before.us > now.us &&
			(!found || gate->not_before.us < at->us)) {
			*at = gate->not_before;
			found = true;
		}
	return found;
}

void etld_gate_hold(struct etld_gates *gates, const char *url, etl_mono until)
{
	struct etld_gate *gate = gate_of(gates, url);

	if (until.us > gate->not_before.us)
		gate->not_before = until;
}

/* SPDX-License-Identifier: MIT
 *
 * Hosts in the metadata and the journal. Of many states of a host only the newest is stored.
 *
 * Example: api.example.org answers 429 with "Retry-After: 3600". Its gate holds all requests, the
 * state is saved at once, and after a restart a minute later the host is still left alone: without
 * this each restart would ask it again. A token bucket is saved every five seconds at the most; a
 * kill may draw what five seconds give.
 */
#include "engine/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/engine.h"
#include "engine/host_record.h"
#include "engine/outbox.h"
#include "io/http.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "time/civil.h"

/* A bucket changes with every request: it is saved this often at most. What a kill takes
 * with it is what was drawn in so long. */
#define DRAWN_DELAY ETL_SECONDS(5)
#define HOSTS_TOGETHER 100 /* hosts that one task saves */

struct etld_hosts {
	struct etld *etld;
	struct etl_timer timer; /* the next save */
	bool complained; /* of a save that failed; once until one succeeds */
};

/* A host as it was when it was put into the outbox, or since. */
struct host {
	struct etld_entry entry;
	struct etl_source_state state;
};

static void arm(struct etld_hosts *hosts, etl_dur delay)
{
	etl_timer_arm(etld_loop_wheel(hosts->etld->loop), &hosts->timer,
		etl_mono_add(etl_mono_now(hosts->etld->clock), delay));
}

/* ---- saving -------------------------------------------------------------------------------- */

static struct host *host_of(struct etld_entry *entry)
{
	return ETL_OF(struct host, entry, entry);
}

static int host_send(const struct etld *etld, struct etld_entry *entry, struct etl_error *err)
{
	return etl_doc_put(etld->state, &etl_hosts, &host_of(entry)->state, err);
}

/* Only the newest state of a host says anything: of a hundred that wait while MongoDB is
 * unreachable one is left. */
static bool host_merge(struct etld_entry *old, struct etld_entry *fresh)
{
	host_of(old)->state = host_of(fresh)->state;
	return true;
}

/* Once until a save succeeds: a store that refuses would fill the journal every five seconds. */
static void host_sent(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	if (err && !etld->hosts->complained)
		etld_log(ETLD_WARNING, NULL, NULL, 0, "the state of host %s could not be saved: %s",
			host_of(entry)->state.host, err->message);
	etld->hosts->complained = err != NULL;
}

static void host_free(struct etld_entry *entry)
{
	free(host_of(entry));
}

static const struct etld_entry_kind host_kind = {
	.id = ETLD_ENTRY_HOST, .together = HOSTS_TOGETHER, .send = host_send, .merge = host_merge,
	.sent = host_sent, .free = host_free};

/* Not before what the store has of them was read: it would be overwritten. */
void etld_hosts_save(struct etld_hosts *hosts)
{
	struct etld_gates *gates = etld_http_gates(hosts->etld->http);
	struct etld_host_state state;
	struct host *host;

	etld_on_loop(hosts->etld->loop);
	while (hosts->etld->marks_known && etld_gates_take_changed(gates, &state)) {
		host = ETL_NEW(struct host);
		etld_host_record(&state, &host->state);
		etld_outbox_put(hosts->etld, host->state.host, &host_kind, &host->entry);
	}
	etld_outbox_flush(hosts->etld);
}

static void on_timer(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_hosts_save(ctx);
}

void etld_hosts_restore(struct etld_hosts *hosts, const struct etl_source_state *record)
{
	struct etld_host_state state;

	etld_host_of_record(record, &state);
	etld_gates_restore(etld_http_gates(hosts->etld->http), &state);
}

/* ---- what happens to them ------------------------------------------------------------------ */

/* The first opening is a warning, those that follow are the same trouble going on. */
static void report(enum etld_gate_event event, const struct etld_host_state *state)
{
	char until[ETL_TIME_TEXT_BYTES];
	struct etld_field fields[] = {{"ETL_HOST", state->host, 0}, {"ETL_UNTIL", until, 0},
		{"ETL_REASON", state->breaker.reason, 0}};

	if (event == ETLD_GATE_CLOSED) {
		etld_log(ETLD_NOTICE, ETLD_MSG_BREAKER_CLOSED, fields, 1,
			"%s answers again, its breaker is closed", state->host);
		return;
	}
	etl_time_format_rfc3339(state->breaker.until, until);
	etld_log(state->breaker.openings > 1 ? ETLD_INFO : ETLD_WARNING, ETLD_MSG_BREAKER_OPENED,
		fields, 3, "%s is left alone until %s: %lld failed requests in a row, the last: %s",
		state->host, until, (long long)state->breaker.failures, state->breaker.reason);
}

/* What an operator could ask about (opened, closed, held) is saved in the next turn; what a request
 * draws from a bucket may wait. */
static void on_event(void *ctx, enum etld_gate_event event, const struct etld_host_state *state)
{
	struct etld_hosts *hosts = ctx;
	bool lazy = event == ETLD_GATE_DRAWN;

	if (event == ETLD_GATE_OPENED || event == ETLD_GATE_CLOSED)
		report(event, state);
	if (!lazy || !etl_timer_is_armed(&hosts->timer))
		arm(hosts, lazy ? DRAWN_DELAY : (etl_dur){0});
}

/* ---- life ---------------------------------------------------------------------------------- */

struct etld_hosts *etld_hosts_new(struct etld *etld)
{
	struct etld_hosts *hosts = ETL_NEW(struct etld_hosts);

	hosts->etld = etld;
	hosts->timer = (struct etl_timer){.fire = on_timer, .ctx = hosts, .name = "hosts"};
	etld_gates_watch(etld_http_gates(etld->http), on_event, hosts);
	return hosts;
}

void etld_hosts_free(struct etld_hosts *hosts)
{
	if (!hosts)
		return;
	etl_timer_cancel(etld_loop_wheel(hosts->etld->loop), &hosts->timer);
	etld_gates_watch(etld_http_gates(hosts->etld->http), NULL, NULL);
	free(hosts);
}

/* SPDX-License-Identifier: MIT
 *
 * Hosts in the metadata and the journal. At most one save is under way; changes that
 * come meanwhile are in the next one, so of many states of a host only the newest is written.
 */
#include "engine/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/engine.h"
#include "engine/host_record.h"
#include "io/http.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/message_ids.h"
#include "io/pool.h"
#include "time/civil.h"

/* A bucket changes with every request: it is saved this often at most. What a kill takes
 * with it is what was drawn in so long. */
#define DRAWN_DELAY ETL_SECONDS(5)
#define RETRY_DELAY ETL_SECONDS(15)

struct etld_hosts {
	struct etld *etld;
	struct etl_timer timer; /* the next save */
	bool saving, again; /* `again`: what came meanwhile shall follow at once */
	bool gave_up; /* a stopping daemon could not save */
	bool complained; /* of a save that failed; once until one succeeds */
};

struct save {
	struct etld_task task;
	struct etld_hosts *hosts;
	struct etl_source_state *states;
	size_t n, cap, saved;
	struct etl_error error;
};

static void arm(struct etld_hosts *hosts, etl_dur delay)
{
	etl_timer_arm(etld_loop_wheel(hosts->etld->loop), &hosts->timer,
		etl_mono_add(etl_mono_now(hosts->etld->clock), delay));
}

/* ---- saving -------------------------------------------------------------------------------- */

static void save_work(struct etld_task *task)
{
	struct save *save = (struct save *)task;
	struct etl_state *state = save->hosts->etld->state;

	etld_on_worker();
	while (save->saved < save->n) {
		if (etl_doc_put(state, &etl_hosts, &save->states[save->saved], &save->error) < 0)
			return;
		save->saved++;
	}
}

static void complain(struct etld_hosts *hosts, const struct etl_error *err)
{
	if (!hosts->complained)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"the state of hosts could not be saved, it is tried again: %s", err->message);
	hosts->complained = true;
}

static void save_changed(struct etld_hosts *hosts);

static void save_done(struct etld_task *task)
{
	struct save *save = (struct save *)task;
	struct etld_hosts *hosts = save->hosts;
	struct etld *etld = hosts->etld;

	hosts->saving = false;
	for (size_t i = save->saved; i < save->n; i++)
		etld_gates_put_back(etld_http_gates(etld->http), save->states[i].host);
	if (save->error.kind == ETL_OK) {
		hosts->complained = false;
		if (hosts->again)
			save_changed(hosts);
	} else {
		complain(hosts, &save->error);
		hosts->gave_up = etld->draining;
		arm(hosts, RETRY_DELAY);
	}
	free(save->states);
	free(save);
	etld->news->changed(etld);
}

/* Nothing while MongoDB is unreachable: etld_hosts_connected comes back to it. */
static void save_changed(struct etld_hosts *hosts)
{
	struct etld_gates *gates = etld_http_gates(hosts->etld->http);
	struct etld_host_state state;
	struct save *save;

	if (hosts->saving || !hosts->etld->mongodb_up || !etld_gates_take_changed(gates, &state))
		return;
	save = ETL_NEW(struct save);
	save->task = (struct etld_task){.work = save_work, .done = save_done, .name = "hosts"};
	save->hosts = hosts;
	save->error = (struct etl_error)ETL_ERROR_INIT;
	do {
		ETL_GROW(save->states, save->n, save->cap);
		etld_host_record(&state, &save->states[save->n++]);
	} while (etld_gates_take_changed(gates, &state));
	hosts->saving = true;
	hosts->again = false;
	etld_pool_submit(hosts->etld->pool, &save->task);
}

static void on_timer(struct etl_timer *timer, void *ctx)
{
	struct etld_hosts *hosts = ctx;

	(void)timer;
	hosts->again = hosts->saving;
	save_changed(hosts);
}

void etld_hosts_connected(struct etld_hosts *hosts)
{
	etld_on_loop(hosts->etld->loop);
	save_changed(hosts);
}

bool etld_hosts_settling(struct etld_hosts *hosts)
{
	if (!hosts->gave_up)
		save_changed(hosts);
	return hosts->saving;
}

void etld_hosts_restore(struct etld_hosts *hosts, const struct etl_source_state *record)
{
	struct etld_host_state state;

	etld_host_of_record(record, &state);
	etld_gates_restore(etld_http_gates(hosts->etld->http), &state);
}

/* ---- what happens to them ------------------------------------------------------------------ */

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

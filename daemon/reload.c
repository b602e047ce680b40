/* SPDX-License-Identifier: MIT
 *
 * What of a loading runs where:
 *  - on the loader's thread: the list of job files, reading, parsing and checking them, the time
 *    zones and secrets that they name (all of it into the arena of the new generation, which nobody
 *    else has yet), and the look-up of the control socket's groups, which may ask a directory
 *    service. It sees its task and the path alone.
 *  - on the loop: numbering the generation, counting who holds it, the limits of hosts, the
 *    level of the journal, jobs and slots, and the watch on the files of time zones (that they have
 *    not changed since is found out by the loader's thread again: zones.c).
 *
 * Example: SIGHUP, then two `etlctl reload`, while a share is slow. The first loading is going;
 * both requests wait for one that begins behind it, since the files may have changed after the
 * first was read; both are answered by that one, with `waited`.
 */
#include "reload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ctl/message.h"
#include "engine/news.h"
#include "engine/sched.h"
#include "io/http.h"
#include "io/journal.h"
#include "io/message_ids.h"
#include "io/notify.h"
#include "io/pool.h"
#include "io/zones.h"
#include "methods/reloading.h"

struct etld_reload_wait {
	struct etld_reload_wait *prev, *next;
	struct loading *of;
	etld_reloaded_fn fn;
	void *ctx;
};

/* From when it was asked for until it is taken or refused. */
struct loading {
	struct etld_task task;
	struct etld *etld;
	const char *path; /* the daemon's, which outlives the thread */
	/* The loop says so to the thread: the one field that both look at. */
	atomic_bool stop;
	/* what the thread makes */
	struct etld_generation *fresh; /* NULL: there are errors */
	struct etld_access access;
	struct etl_buf report, first; /* warnings, or else all errors; the first one on a line */

	struct etld_reload_wait *waits; /* the loop's */
};

struct etld_reloads {
	struct etld *etld;
	struct loading *going, *next;
};

/* NULL and "" are the same here: a key that was left out and one that is empty. */
static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

/* Keys that are bound to open things: the change is taken up at the next start. They are told in
 * the answer of the reload and in the journal: silence would read as "taken". */
static void warn_of_restart(const struct etld_settings *was, const struct etld_settings *is,
	struct etl_buf *report)
{
	const struct {
		const char *key;
		bool changed;
	} keys[] = {
		{"mongodb.uri", differs(was->mongodb.uri, is->mongodb.uri)},
		{"mongodb.database", differs(was->mongodb.database, is->mongodb.database)},
		{"metadata.database", differs(was->metadata.database, is->metadata.database)},
		{"control.socket", differs(was->control.socket, is->control.socket)},
		{"limits.workers", was->limits.workers != is->limits.workers},
		{"limits.memory", was->limits.memory != is->limits.memory},
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i].changed)
			etl_buf_printf(report,
				"%s has changed and takes effect at the next start\n", keys[i].key);
}

/* A line each, so that each has its own message id. */
void etld_tell_warnings(const char *warnings)
{
	char *text = etl_strdup(warnings), *next;

	for (char *line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		etld_log(ETLD_WARNING, ETLD_MSG_CONFIG_WARNING, NULL, 0, "%s", line);
	}
	free(text);
}

/* The old configuration goes on, and status says that the one on disk is another. */
static void refuse(struct etld *etld, const struct etl_buf *first)
{
	free(etld->config_error);
	etld->config_error = etl_strdup(etl_buf_text(first));
	etld_log(ETLD_ERR, ETLD_MSG_CONFIG_RELOAD_FAILED, NULL, 0,
		"the configuration on disk is not taken, the old one goes on: %s",
		etl_buf_text(first));
}

/* In one turn of the loop: no slot fires between the first and the last line. The limits of hosts
 * come before the jobs, so that a run that starts by this goes by the new ones. */
static void swap_in(struct etld *etld, struct loading *loading)
{
	struct etld_generation *fresh = ETL_TAKE(loading->fresh);
	struct etld_http_options options;

	fresh->number = etld->generation->number + 1;
	etld_tell_warnings(etl_buf_text(&loading->report));
	warn_of_restart(&etld->generation->settings, &fresh->settings, &loading->report);
	etld_settings_http(&fresh->settings, &options);
	etld_http_options(etld->http, &options);
	etld_journal_level(etld_settings_log_priority(&fresh->settings));
	etld_sched_adopt(etld, fresh);
	etld->access = loading->access;
	etld_zones_watch(etld->zones, fresh->zones);
	free(ETL_TAKE(etld->config_error));
	etld_log(ETLD_NOTICE, ETLD_MSG_CONFIG_RELOADED, NULL, 0,
		"configuration %lld is in force: %zu jobs", (long long)fresh->number,
		fresh->n_jobs);
}

/* ---- one loading ----------------------------------------------------------------------------- */

/* The path is the daemon's for its whole life. */
static struct loading *loading_new(struct etld *etld)
{
	struct loading *loading = ETL_NEW(struct loading);

	loading->etld = etld;
	loading->path = etld->config_path;
	etl_buf_init(&loading->report, ETL_CTL_MESSAGE_MAX / 2); /* an answer has to hold it */
	etl_buf_init(&loading->first, 4096);
	return loading;
}

/* Each is out of the list before it is told: it may ask again within the call. */
static void tell_waits(struct loading *loading, enum etld_reloaded how)
{
	struct etld_reload_wait *wait;

	while ((wait = loading->waits) != NULL) {
		DL_DELETE(loading->waits, wait);
		wait->fn(wait->ctx, how, etl_buf_text(&loading->report));
		free(wait);
	}
}

/* Whoever waits for it is told first. */
static void loading_free(struct loading *loading)
{
	if (!loading)
		return;
	etld_generation_unref(loading->fresh);
	etl_buf_fini(&loading->report);
	etl_buf_fini(&loading->first);
	free(loading);
}

/* Warnings of a good configuration, or all errors of a bad one with the first on a line of its own
 * for status. */
static void report(struct loading *loading, const struct etl_diag *diag)
{
	if (loading->fresh) {
		etl_diag_warnings(diag, &loading->report);
		return;
	}
	etl_diag_print(diag, &loading->report);
	etl_diag_first(diag, &loading->first);
}

/* The loader's thread. Groups are looked up here too, since a directory service may take seconds.
 */
static void load_work(struct etld_task *task)
{
	struct loading *loading = (struct loading *)task;
	struct etl_diag *diag = etl_diag_new();

	etld_on_worker();
	loading->fresh = etld_generation_load(loading->path, &loading->stop, diag);
	report(loading, diag);
	etl_diag_free(diag);
	if (loading->fresh)
		etld_access_look(loading->fresh->settings.control.group,
			loading->fresh->settings.control.admin_group, &loading->access);
}

static void load_done(struct etld_task *task);

/* systemd shows the unit as reloading until READY is told (load_done). */
static void begin(struct etld_reloads *reloads)
{
	struct loading *loading = reloads->going = ETL_TAKE(reloads->next);

	reloads->etld->reloading = true;
	etld_notify_reloading();
	etld_tell_status(reloads->etld);
	loading->task = (struct etld_task){.work = load_work, .done = load_done, .name = "reload"};
	etld_pool_submit(reloads->etld->load_pool, &loading->task);
}

/* READY before those who wait are told: an operator whose command has ended may look at systemctl
 * next. */
static void load_done(struct etld_task *task)
{
	struct loading *loading = (struct loading *)task;
	struct etld *etld = loading->etld;
	struct etld_reloads *reloads = etld->reloads;
	bool taken = loading->fresh != NULL;

	etld_on_loop(etld->loop);
	reloads->going = NULL;
	etld->reloading = false;
	if (etld->draining) { /* nobody waits any more, and no job may begin anew */
		loading_free(loading);
		return;
	}
	if (taken)
		swap_in(etld, loading);
	else
		refuse(etld, &loading->first);
	etld_notify_ready();
	etld_tell_status(etld);
	tell_waits(loading, taken ? ETLD_RELOAD_TAKEN : ETLD_RELOAD_REFUSED);
	loading_free(loading);
	if (reloads->next)
		begin(reloads);
	etld_loop_did(etld->loop, "reload");
}

/* ---- who asks ------------------------------------------------------------------------------- */

/* The loading that begins after this call, now or behind the one that goes; NULL: none will. One
 * waits behind the one that goes, never two: all who ask meanwhile share it. */
static struct loading *ask(struct etld *etld)
{
	struct etld_reloads *reloads = etld->reloads;

	etld_on_loop(etld->loop);
	if (etld->draining) {
		etld_log(ETLD_NOTICE, NULL, NULL, 0,
			"etld is stopping: the configuration is not read again");
		return NULL;
	}
	if (!reloads->next)
		reloads->next = loading_new(etld);
	if (reloads->going)
		etld_log(ETLD_NOTICE, NULL, NULL, 0,
			"a reload is going: the configuration is read once more behind it");
	return reloads->next;
}

/* By a signal or a zone's file: nobody waits for it. */
void etld_reload(struct etld *etld)
{
	if (ask(etld) && !etld->reloads->going)
		begin(etld->reloads);
}

/* Never told from inside this call: the thread has to read first. */
static struct etld_reload_wait *wait_for(struct etld *etld, etld_reloaded_fn fn, void *ctx,
	bool *behind)
{
	struct loading *loading = ask(etld);
	struct etld_reload_wait *wait;

	if (!loading)
		return NULL;
	wait = ETL_NEW(struct etld_reload_wait);
	wait->of = loading;
	wait->fn = fn;
	wait->ctx = ctx;
	DL_APPEND(loading->waits, wait);
	*behind = etld->reloads->going != NULL;
	if (!*behind)
		begin(etld->reloads);
	return wait;
}

/* Its client has gone; the loading goes on for whoever else waits, and for the configuration. */
static void forget(struct etld_reload_wait *wait)
{
	DL_DELETE(wait->of->waits, wait);
	free(wait);
}

/* ---- the manager's side --------------------------------------------------------------------- */

/* Methods stand below the manager and may not include it: it hands in what they may ask
 * (methods/reloading.h). */
struct etld_reloads *etld_reloads_new(struct etld *etld)
{
	static const struct etld_reload_hands hands = {wait_for, forget};
	struct etld_reloads *reloads = ETL_NEW(struct etld_reloads);

	reloads->etld = etld;
	etld->reload = &hands;
	return reloads;
}

/* The thread stops before its next file; what it made until then is freed when it comes back. */
void etld_reloads_drain(struct etld_reloads *reloads)
{
	if (reloads->going) {
		atomic_store(&reloads->going->stop, true);
		tell_waits(reloads->going, ETLD_RELOAD_STOPPING);
	}
	if (reloads->next)
		tell_waits(reloads->next, ETLD_RELOAD_STOPPING);
	loading_free(ETL_TAKE(reloads->next));
}

/* After the pool: the thread has ended. */
void etld_reloads_free(struct etld_reloads *reloads)
{
	if (!reloads)
		return;
	loading_free(reloads->going); /* it ended, or nobody has begun it */
	free(reloads);
}

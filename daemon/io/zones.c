/* SPDX-License-Identifier: MIT
 *
 * Time-zone files that change under a running daemon. The folders through which the files of
 * the configuration's zones are looked up are watched (inotify); when it has become quiet
 * there and a file is not what was read, the configuration is taken up again as a reload
 * does, so that all slots are planned anew. Loop thread; the files are read by the loader's.
 *
 * Example: tzdata is upgraded because a country gives up summer time by a law of last week. Without
 * this etld would run its jobs an hour early from October on until somebody restarts it.
 */
#include "io/zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "io/journal.h"
#include "io/message_ids.h"

/* An upgrade renames hundreds of files, one after the other. */
#define QUIET ETL_SECONDS(2)
#define QUIET_MAX ETL_SECONDS(30)
#define NAMES_MAX 200 /* bytes of names in a message */

/* A name in a folder on the way to a zone's file. Example: where Europe/Paris in
 * /usr/share/zoneinfo is a link to ../posix/Europe/Paris, the names in both folders are places,
 * and a change of either is seen. */
struct place {
	int folder; /* inotify's number of it */
	char *entry;
};

struct zone_file {
	char *name;
	/* state_of the file when the configuration was taken up last, or when that was tried */
	uint64_t seen;
};

/* A look at the files, taken by a worker: reading dozens of files would hold up the loop. */
struct zone_look {
	struct etld_task task;
	struct etld_zones *zones;
	struct zone_file *files; /* seen: as they are now */
	size_t n;
	bool is_quiet; /* true: taken after QUIET, so that changes are taken up */
};

struct etld_zones {
	struct etld_loop *loop;
	const struct etl_clock *clock;
	struct etld_pool *pool;
	void (*changed)(void *ctx);
	void *ctx;
	bool stopped;
	int fd; /* -1 = nothing is watched */
	struct etld_io *io;
	struct place *places;
	size_t n_places, cap_places;
	struct zone_file *files;
	size_t n_files, cap_files;
	struct etl_timer quiet_timer;
	etl_mono since; /* the first change that was not looked at yet; us == 0 = none */
	struct zone_look *looking; /* the look that is taken; NULL = none */
	bool look_again;	   /* a change came while a look was under way */
};

/* The state of a zone's file as one number: its digest, or a hash of the error that reading it
 * gives. */
static uint64_t state_of(const char *name)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone = etl_zone_load(name, &err);

	return zone ? etl_zone_digest(zone) : etl_hash64(err.code, strlen(err.code), 1);
}

/* ---- changes ------------------------------------------------------------------------------- */

/* Waits until nothing has changed for QUIET, but no longer than QUIET_MAX after the first
 * change. Example: an upgrade renames files for 10 s: one look, 2 s after the last of them.
 * Something that touches the folder each second: a look every 30 s. */
static void wait_for_quiet(struct etld_zones *zones)
{
	etl_mono now = etl_mono_now(zones->clock), at, last;

	if (!zones->since.us)
		zones->since = now;
	at = etl_mono_add(now, QUIET);
	last = etl_mono_add(zones->since, QUIET_MAX);
	etl_timer_arm(etld_loop_wheel(zones->loop), &zones->quiet_timer,
		at.us < last.us ? at : last);
}

/* True if a place of ours is meant, or if events were lost or the folder itself is gone: then
 * anything may have changed. */
static bool matters(const struct etld_zones *zones, const struct inotify_event *event)
{
	if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
		return true;
	for (size_t i = 0; event->len && i < zones->n_places; i++)
		if (zones->places[i].folder == event->wd &&
			etl_streq(zones->places[i].entry, event->name))
			return true;
	return false;
}

/* All that can be read at once: hundreds of events are one change. */
static void on_change(void *ctx, int fd, bool readable, bool writable)
{
	_Alignas(struct inotify_event) char buf[16 * 1024];
	struct etld_zones *zones = ctx;
	ssize_t n = read(fd, buf, sizeof buf);
	bool changed = false;

	(void)readable;
	(void)writable;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buf + at);

		changed |= matters(zones, event);
		at += (ssize_t)(sizeof *event + event->len);
	}
	if (changed)
		wait_for_quiet(zones);
}

/* ---- watching ------------------------------------------------------------------------------ */

/* One descriptor holds all watches: closing it ends them. */
static void unwatch(struct etld_zones *zones)
{
	etld_io_remove(ETL_TAKE(zones->io));
	if (zones->fd >= 0)
		close(zones->fd);
	zones->fd = -1;
	for (size_t i = 0; i < zones->n_places; i++)
		free(zones->places[i].entry);
	zones->n_places = 0;
}

static void add_place(void *ctx, const char *folder, const char *entry)
{
	struct etld_zones *zones = ctx;
	int number = inotify_add_watch(zones->fd, folder,
		IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
			IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);

	if (number < 0) /* a folder that may not be read, or was taken away just now */
		return;
	for (size_t i = 0; i < zones->n_places; i++)
		if (zones->places[i].folder == number && etl_streq(zones->places[i].entry, entry))
			return;
	ETL_GROW(zones->places, zones->n_places, zones->cap_places);
	zones->places[zones->n_places++] = (struct place){number, etl_strdup(entry)};
}

/* Watches anew each time: a folder on the way may have been replaced by another one, which
 * inotify does not follow. */
static void watch(struct etld_zones *zones)
{
	unwatch(zones);
	if (!zones->n_files)
		return;
	zones->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (zones->fd < 0) {
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"time-zone files are not watched, a new one needs a reload: %s",
			strerror(errno));
		return;
	}
	for (size_t i = 0; i < zones->n_files; i++)
		etl_zone_places(zones->files[i].name, add_place, zones);
	zones->io = etld_io_add(zones->loop, zones->fd, true, false, on_change, zones, "zones");
}

/* A reload like any other: if the configuration on disk has errors by now, the old zones go on, and
 * that is told. */
static void take_up(struct etld_zones *zones, const char *names)
{
	struct etld_field fields[] = {{"ETL_TIMEZONES", names, 0}};

	etld_log(ETLD_NOTICE, ETLD_MSG_ZONES_CHANGED, fields, 1,
		"time-zone files have changed (%s): the configuration is taken up again", names);
	zones->changed(zones->ctx); /* watches again, if it is taken */
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* NULL is fine: nothing is looked at. */
static void look_free(struct zone_look *look)
{
	if (!look)
		return;
	for (size_t i = 0; i < look->n; i++)
		free(look->files[i].name);
	free(look->files);
	free(look);
}

/* On the loader's thread: a zone's file is small, but it may lie on a share. */
static void look_work(struct etld_task *task)
{
	struct zone_look *look = (struct zone_look *)task;

	etld_on_worker();
	for (size_t i = 0; i < look->n; i++)
		look->files[i].seen = state_of(look->files[i].name);
}

static void look_done(struct etld_task *task);

/* One look at a time. If one is under way it may have read the files too early, so another one
 * follows, which only finds out whether to wait for quiet again. */
static void look(struct etld_zones *zones, bool is_quiet)
{
	struct zone_look *look;

	if (zones->looking) {
		zones->look_again = true;
		return;
	}
	look = zones->looking = ETL_NEW(struct zone_look);
	look->zones = zones;
	look->is_quiet = is_quiet;
	look->files = etl_calloc(zones->n_files + 1, sizeof *look->files);
	for (; look->n < zones->n_files; look->n++)
		look->files[look->n].name = etl_strdup(zones->files[look->n].name);
	look->task = (struct etld_task){.work = look_work, .done = look_done, .name = "zones"};
	etld_pool_submit(zones->pool, &look->task);
}

/* The file of this name, if the configuration that is in force now has it and it was seen as
 * something else. */
static struct zone_file *changed_file(struct etld_zones *zones, const struct zone_file *now)
{
	for (size_t i = 0; i < zones->n_files; i++)
		if (etl_streq(zones->files[i].name, now->name))
			return zones->files[i].seen != now->seen ? &zones->files[i] : NULL;
	return NULL;
}

/* Gathers the names of what has changed. What is taken up now counts as seen, so that a file
 * that cannot be loaded is tried once for each of its states and not for ever. */
static bool compare(struct etld_zones *zones, const struct zone_look *look, struct etl_buf *names)
{
	bool any = false;

	for (size_t i = 0; i < look->n; i++) {
		struct zone_file *file = changed_file(zones, &look->files[i]);

		if (!file)
			continue;
		etl_buf_printf(names, "%s%s", any ? " " : "", file->name);
		any = true;
		if (look->is_quiet)
			file->seen = look->files[i].seen;
	}
	return any;
}

static void look_done(struct etld_task *task)
{
	struct zone_look *taken = (struct zone_look *)task;
	struct etld_zones *zones = taken->zones;
	bool again = zones->look_again;
	struct etl_buf names;

	etl_buf_init(&names, NAMES_MAX);
	zones->looking = NULL;
	zones->look_again = false;
	if (!zones->stopped && compare(zones, taken, &names)) {
		if (taken->is_quiet)
			take_up(zones, etl_buf_text(&names));
		else
			wait_for_quiet(zones);
	}
	if (again && !zones->stopped)
		look(zones, false);
	etl_buf_fini(&names);
	look_free(taken);
}

/* Watched again before the look: what changes after the look is seen by the new watches. */
static void on_quiet(struct etl_timer *timer, void *ctx)
{
	struct etld_zones *zones = ctx;

	(void)timer;
	zones->since.us = 0;
	if (zones->stopped)
		return;
	watch(zones);
	look(zones, true);
}

/* ---- the manager's side -------------------------------------------------------------------- */

/* Names are copies: the generation that they came from may be gone. */
static void forget_files(struct etld_zones *zones)
{
	for (size_t i = 0; i < zones->n_files; i++)
		free(zones->files[i].name);
	zones->n_files = 0;
}

/* Nothing is watched before the first configuration is in force. */
struct etld_zones *etld_zones_new(struct etld_loop *loop, const struct etl_clock *clock,
	struct etld_pool *pool, void (*changed)(void *ctx), void *ctx)
{
	struct etld_zones *zones = ETL_NEW(struct etld_zones);

	*zones = (struct etld_zones){.loop = loop, .clock = clock, .pool = pool, .changed = changed,
		.ctx = ctx, .fd = -1};
	zones->quiet_timer = (struct etl_timer){.fire = on_quiet, .ctx = zones, .name = "zones"};
	return zones;
}

/* The files as they were read for this configuration are what counts as seen. */
void etld_zones_watch(struct etld_zones *zones, const struct etl_conf_zone *list)
{
	etld_on_loop(zones->loop);
	forget_files(zones);
	for (const struct etl_conf_zone *z = list; z; z = z->next) {
		ETL_GROW(zones->files, zones->n_files, zones->cap_files);
		zones->files[zones->n_files++] = (struct zone_file){
			etl_strdup(etl_zone_name(z->zone)), etl_zone_digest(z->zone)};
	}
	watch(zones);
	if (zones->n_files)
		look(zones, false); /* what changed between reading and watching sent no event */
}

/* A stopping daemon takes nothing up any more; a look that is out comes back to nothing. */
void etld_zones_stop(struct etld_zones *zones)
{
	zones->stopped = true;
}

void etld_zones_free(struct etld_zones *zones)
{
	if (!zones)
		return;
	etl_timer_cancel(etld_loop_wheel(zones->loop), &zones->quiet_timer);
	unwatch(zones);
	forget_files(zones);
	look_free(zones->looking); /* the pool is gone, so nobody reads it */
	free(zones->places);
	free(zones->files);
	free(zones);
}

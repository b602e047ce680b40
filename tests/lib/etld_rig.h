/* SPDX-License-Identifier: MIT
 *
 * A whole etld in the process of a test: configuration in a folder of its own, loop, workers, control
 * socket; its MongoDB was never asked. The test turns the loop. Header only; include after cmocka.h.
 */
#ifndef TESTS_LIB_ETLD_RIG_H
#define TESTS_LIB_ETLD_RIG_H

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/diag.h"
#include "config/generation.h"
#include "engine/engine.h"
#include "engine/sched.h"
#include "etld.h"
#include "io/loop.h"
#include "methods/reloading.h"
#include "mongo/mongo.h"

enum { ETLD_RIG_TURNS = 20000 }; /* of a millisecond each, until a test gives up */

struct etld_rig {
	char folder[64];
	struct etld *etld;
	struct etl_timer timer;
};

static inline void etld_rig_write(const struct etld_rig *rig, const char *name, const char *text)
{
	etl_cleanup(free) char *path = etl_strf("%s/%s", rig->folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline struct etld_generation *etld_rig_load(const struct etld_rig *rig)
{
	etl_cleanup(free) char *path = etl_strf("%s/etld.yaml", rig->folder);
	struct etl_diag *diag = etl_diag_new();
	struct etld_generation *generation = etld_generation_load(path, NULL, diag);
	struct etl_buf text;

	etl_buf_init(&text, 1 << 20);
	etl_diag_print(diag, &text);
	if (!generation)
		fail_msg("%s", etl_buf_text(&text));
	etl_buf_fini(&text);
	etl_diag_free(diag);
	return generation;
}

/* `jobs`: pairs of a file's name and its text; ends with NULL. */
static inline void etld_rig_open(struct etld_rig *rig, const char *const *jobs)
{
	const struct group *group = getgrgid(getgid());
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(free) char *main_file = NULL, *jobs_folder = NULL;

	*rig = (struct etld_rig){.folder = "/tmp/etld-rig-XXXXXX"};
	assert_non_null(mkdtemp(rig->folder));
	jobs_folder = etl_strf("%s/jobs", rig->folder);
	assert_int_equal(mkdir(jobs_folder, 0700), 0);
	main_file = etl_strf("mongodb: {uri: \"mongodb://127.0.0.1:1\", database: rig}\n"
		"metadata: {database: rig_metadata}\njobs: \"jobs/*.yaml\"\n"
		"control: {socket: %s/control, group: \"%s\", admin_group: \"%s\"}\n",
		rig->folder, group ? group->gr_name : "root", group ? group->gr_name : "root");
	etld_rig_write(rig, "etld.yaml", main_file);
	for (; *jobs; jobs += 2)
		etld_rig_write(rig, jobs[0], jobs[1]);
	etl_mongo_global_init();
	rig->etld = etld_new(etld_rig_load(rig), etl_clock_real(), &err);
	if (!rig->etld)
		fail_msg("%s", err.message);
	etld_sched_adopt(rig->etld, rig->etld->generation);
}

static inline void etld_rig_close(struct etld_rig *rig)
{
	etl_cleanup(free) char *remove = etl_strf("rm -r '%s'", rig->folder);

	etld_free(rig->etld);
	etl_mongo_global_cleanup();
	assert_int_equal(system(remove), 0);
}

static inline void etld_rig_on_turn(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	etld_loop_stop(((struct etld_rig *)ctx)->etld->loop);
}

/* Lets the loop turn for about a millisecond: once at least. */
static inline void etld_rig_turn(struct etld_rig *rig)
{
	struct etld *etld = rig->etld;
	etl_mono now = etl_mono_now(etld->clock);

	rig->timer = (struct etl_timer){.fire = etld_rig_on_turn, .ctx = rig, .name = "turn"};
	etl_timer_arm(etld_loop_wheel(etld->loop), &rig->timer, etl_mono_add(now, ETL_MS(1)));
	etld_loop_run(etld->loop);
}

/* ---- reloads that end when a test says so ---------------------------------------------------- */

struct etld_reload_wait {
	etld_reloaded_fn fn;
	void *ctx;
	bool forgotten;
};

static struct etld_reload_wait etld_rig_reloads[4];
static size_t etld_rig_reloads_n;

static inline struct etld_reload_wait *etld_rig_reload(struct etld *etld, etld_reloaded_fn fn, void *ctx,
	bool *behind)
{
	(void)etld;
	assert_true(etld_rig_reloads_n < 4);
	*behind = etld_rig_reloads_n > 0;
	etld_rig_reloads[etld_rig_reloads_n] = (struct etld_reload_wait){fn, ctx, false};
	return &etld_rig_reloads[etld_rig_reloads_n++];
}

static inline void etld_rig_forget(struct etld_reload_wait *wait)
{
	wait->forgotten = true;
}

static inline void etld_rig_hold_reloads(struct etld_rig *rig)
{
	static const struct etld_reload_hands hands = {etld_rig_reload, etld_rig_forget};

	rig->etld->reload = &hands;
	etld_rig_reloads_n = 0;
}

static inline void etld_rig_end_reload(size_t i, enum etld_reloaded how, const char *report)
{
	assert_true(i < etld_rig_reloads_n && !etld_rig_reloads[i].forgotten);
	etld_rig_reloads[i].fn(etld_rig_reloads[i].ctx, how, report);
}

#endif

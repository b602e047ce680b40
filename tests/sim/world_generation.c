/* SPDX-License-Identifier: MIT
 *
 * A generation made of the jobs as they are configured now: YAML text through the real loader.
 * The daemon asks for one when it starts and at each reload.
 */
#include "world_generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/load.h"
#include "config/generation.h"
#include "job/job.h"
#include "world_conf.h"
#include "world_source.h"

static void window_yaml(const struct spec *s, struct etl_buf *out)
{
	if (s->full) {
		etl_buf_str(out, "window: none\n");
		return;
	}
	etl_buf_printf(out, "window: {size: %llds, settle: %llds, lookback: %llds, max_span: %llds, "
		"start: '%s'", (long long)s->size / 1000, (long long)s->settle / 1000,
		(long long)s->lookback / 1000, (long long)s->size * s->span / 1000,
		time_text(s->start));
	if (s->zone)
		etl_buf_printf(out, ", timezone: %s", etl_zone_name(s->zone));
	if (s->reread)
		etl_buf_printf(out, ", reread: {every: %llds, span: 4000d}", (long long)s->reread / 1000);
	etl_buf_str(out, "}\n");
}

static void job_yaml(const struct spec *s, struct etl_buf *out)
{
	etl_buf_printf(out, "schedule: {%s%sjitter: %llds, misfire: %s, overlap: %s, timeout: %llds}\n",
		s->schedule < 0 ? "" : schedules[s->schedule].yaml, s->schedule < 0 ? "" : ", ",
		(long long)s->jitter, misfires[s->misfire], overlaps[s->overlap],
		(long long)s->timeout / 1000);
	if (s->up >= 0)
		etl_buf_printf(out, "after: [%s]\n", conf.specs[s->up].name);
	if (s->newer_than)
		etl_buf_printf(out, "wait_for: {collection: %s, newer_than: %llds, poke: %llds, "
			"timeout: %llds}\n", s->name, (long long)s->newer_than / 1000,
			(long long)s->poke / 1000, (long long)s->patience / 1000);
	if (s->deadline)
		etl_buf_printf(out, "deadline: window.end + %llds\n", (long long)s->deadline / 1000);
	etl_buf_printf(out, "retry: {max: 1, backoff: 5s}\npartitions: {station: [s0%s]}\n",
		s->stations > 1 ? ", s1" : "");
	window_yaml(s, out);
	etl_buf_printf(out,
		"extract:\n"
		"  http:\n"
		"    url: 'http://peer.test/%s/{station}'\n"
		"    query: {run: '{run_id}', from: '{window.start:%%s}', to: '{window.end:%%s}'}\n"
		"    records: /data\n"
		"    time: {field: t, format: '%%s'}\n"
		"transform: [{set: {station_id: '{station}'}}]\n"
		"load: {\"null\": {}}\n", s->name);
}

static void need_clean(const struct etl_diag *diag, const char *yaml)
{
	struct etl_buf text;

	if (!etl_diag_count(diag))
		return;
	etl_buf_init(&text, 1 << 20);
	etl_diag_print(diag, &text);
	broken("the simulation's own configuration is good", "%s\n%s", yaml, etl_buf_text(&text));
}

static struct etl_job *load_one(struct etld_generation *g, const struct spec *s,
	struct etl_conf_env *env)
{
	struct etl_buf yaml;
	struct etl_node *root;
	struct etl_job *job;

	etl_buf_init(&yaml, 1 << 16);
	job_yaml(s, &yaml);
	root = etl_conf_parse(g->arena, s->name, etl_buf_text(&yaml), yaml.len, NULL, env->diag);
	env->what = s->name;
	job = etl_job_load(s->name, root, env);
	need_clean(env->diag, etl_buf_text(&yaml));
	etl_buf_fini(&yaml);
	world_plugins(job, (int)(s - conf.specs));
	return job;
}

static void load_settings(struct etld_generation *g, struct etl_conf_env *env)
{
	char *yaml = etl_strf("mongodb: {uri: 'mongodb://sim', database: sim}\n"
			      "limits: {max_active: %u, workers: 2}\n", world.mood.max_active);

	env->what = "etld.yaml";
	etld_settings_load(&g->settings, etl_conf_parse(g->arena, "etld.yaml", yaml, strlen(yaml),
		NULL, env->diag), env);
	need_clean(env->diag, yaml);
	free(yaml);
}

struct etld_generation *__wrap_etld_generation_load(const char *path, const atomic_bool *stop,
	struct etl_diag *diag)
{
	struct etld_generation *g = ETL_NEW(struct etld_generation);
	struct etl_conf_env env = {.diag = etl_diag_new()};

	(void)stop;
	(void)diag;
	g->arena = etl_arena_new(0);
	g->secrets = etl_secrets_new();
	g->path = etl_strdup(path);
	g->refs = 1;
	env.arena = g->arena;
	env.secrets = g->secrets;
	load_settings(g, &env);
	g->jobs = etl_arena_zalloc(g->arena, JOBS * sizeof *g->jobs);
	for (int i = 0; i < conf.n; i++)
		if (conf.specs[i].there)
			g->jobs[g->n_jobs++] = load_one(g, &conf.specs[i], &env);
	etl_graph_link(g->jobs, g->n_jobs, &env);
	need_clean(env.diag, "graph");
	etl_diag_free(env.diag);
	return g;
}

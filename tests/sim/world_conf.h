/* SPDX-License-Identifier: MIT
 *
 * The jobs of a history as they are configured, and a generation made from them: YAML text
 * through the real loader. What the laws need to know of them is kept here too, apart from
 * the engine: when which schedule was in force.
 */
#ifndef TESTS_SIM_WORLD_CONF_H
#define TESTS_SIM_WORLD_CONF_H

#include "conf/load.h"
#include "world.h"

struct schedule {
	int64_t unit;
	const char *yaml;
};

/* Four of each unit. */
static const struct schedule schedules[] = {
	{20 * SECOND, "every: 20s"},
	{20 * SECOND, "cron: '*/20 * * * * *'"},
	{20 * SECOND, "cron: '7,27,47 * * * * *', timezone: Europe/Paris"},
	{20 * SECOND, "every: 20s, offset: 4s"},
	{5 * MINUTE, "every: 5m"},
	{5 * MINUTE, "cron: '*/5 * * * *'"},
	{5 * MINUTE, "cron: '2-59/5 * * * *'"},
	{5 * MINUTE, "cron: '30 */5 * * * *', timezone: Asia/Kathmandu"},
	{15 * MINUTE, "every: 15m"},
	{15 * MINUTE, "cron: '7,22,37,52 * * * *'"},
	{15 * MINUTE, "every: 15m, offset: 4m"},
	{15 * MINUTE, "cron: '*/15 * * * *', timezone: America/St_Johns"},
	{HOUR, "cron: '10 * * * *'"},
	{HOUR, "cron: '@hourly', timezone: Europe/Paris"},
	{HOUR, "every: 1h, offset: 17m"},
	{HOUR, "cron: '0 * * * *', timezone: Australia/Lord_Howe"},
	{6 * HOUR, "cron: '30 */6 * * *'"},
	{6 * HOUR, "cron: '15 1,7,13,19 * * *', timezone: America/New_York"},
	{6 * HOUR, "every: 6h"},
	{6 * HOUR, "cron: '30 2,8,14,20 * * *', timezone: Europe/Paris"},
	{DAY, "cron: '30 2 * * *', timezone: Europe/Paris"},
	{DAY, "cron: '@daily'"},
	{DAY, "every: 1d, offset: 3h"},
	{DAY, "cron: '0 1 * * *', timezone: America/New_York"},
};
#define SCHEDULES ((int)(sizeof schedules / sizeof *schedules))
#define UNITS (SCHEDULES / 4)

static const char *const misfires[] = {"run_each", "run_latest", "run_if_younger(2h)", "skip"};
static const char *const overlaps[] = {"skip", "queue_one", "cancel_running"};

/* A time for which a job had one schedule. Machines take up a change one after the other. */
struct interval {
	int schedule;
	int64_t from, to; /* as the operator wanted it; NEVER = it goes on */
	int64_t known;	  /* all processes had it from here on */
	int64_t let_go;	  /* none had it any more */
	int64_t heard;	  /* the slot from which the store knows of it; 0 = it does not yet */
	int64_t heard_at;
	int64_t wall;  /* the furthest clock by which slots count from now on */
	int64_t last_wall; /* the clock furthest behind by which they end */
	bool removed;	  /* it ended because the job left the configuration, */
	bool retired;	  /* and the store has heard of that */
	struct etl_calendar *calendar;
	struct etl_zone *zone;
};

/* A job as its operator wants it now. */
struct spec {
	char name[8];
	bool there;
	int schedule; /* -1: only after another */
	int misfire, overlap;
	int64_t jitter; /* seconds */
	int stations;
	int64_t size, settle, lookback; /* of its windows; with a zone so many local days */
	int64_t start;
	const struct etl_zone *zone; /* whose days they are; NULL = of fixed length */
	struct etl_grid grid;	     /* size, start and zone */
	int64_t reread; /* how often; 0 = never */
	int span;	/* windows of one request */
	int up;		/* the job that it waits for; -1 = none */
	int64_t timeout;
	int64_t newer_than, poke, patience; /* what it waits for; newer_than == 0: nothing */
	bool full; /* window: none; size and start are only the grid of the source's rows */
	int64_t deadline; /* its windows are promised so long after their end; 0 = not */

	struct interval *intervals;
	size_t n_intervals, intervals_cap;
};

static struct conf {
	struct spec specs[JOBS];
	int n;
	unsigned version;	    /* grows with each edit */
	unsigned taken[MACHINES]; /* the version that a machine's process has */
} conf;

/* With clocks that change at midnight, by half an hour, and in both halves of the year. */
static inline const struct etl_zone *local_zone(unsigned i)
{
	static const char *const names[] = {"Europe/Paris", "Africa/Cairo", "America/Santiago",
		"Australia/Lord_Howe", "America/St_Johns"};
	static struct etl_zone *zones[sizeof names / sizeof *names];
	struct etl_error err = ETL_ERROR_INIT;

	i %= sizeof names / sizeof *names;
	if (!zones[i])
		zones[i] = etl_zone_load(names[i], &err);
	if (!zones[i])
		broken("the zones are there", "%s", err.message);
	return zones[i];
}

static inline int job_index(const char *name)
{
	return name[0] - 'a';
}

/* No window of the job is longer. */
static inline int64_t longest_of(const struct spec *s)
{
	return etl_dur_ms(etl_grid_longest(&s->grid));
}

/* The end of the window that begins there. */
static inline int64_t end_of(const struct spec *s, int64_t start)
{
	return etl_grid_at(&s->grid, (etl_wall){start}).end.ms;
}

static inline int64_t period_of(const struct spec *spec)
{
	while (spec->schedule < 0)
		spec = &conf.specs[spec->up];
	return schedules[spec->schedule].unit;
}

/* ---- generations --------------------------------------------------------------------------- */

static inline void window_yaml(const struct spec *s, struct etl_buf *out)
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

static inline void job_yaml(const struct spec *s, struct etl_buf *out)
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

static inline void need_clean(const struct etl_diag *diag, const char *yaml)
{
	struct etl_buf text;

	if (!etl_diag_count(diag))
		return;
	etl_buf_init(&text, 1 << 20);
	etl_diag_print(diag, &text);
	broken("the simulation's own configuration is good", "%s\n%s", yaml, etl_buf_text(&text));
}

/* source and sink in place of http's peer and MongoDB: world_source.h */
static void world_plugins(struct etl_job *job, int index);

static inline struct etl_job *load_one(struct etld_generation *g, const struct spec *s,
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

static inline void load_settings(struct etld_generation *g, struct etl_conf_env *env)
{
	char *yaml = etl_strf("mongodb: {uri: 'mongodb://sim', database: sim}\n"
			      "limits: {max_active: %u, workers: 2}\n", w.mood.max_active);

	env->what = "etld.yaml";
	etld_settings_load(&g->settings, etl_conf_parse(g->arena, "etld.yaml", yaml, strlen(yaml),
		NULL, env->diag), env);
	need_clean(env->diag, yaml);
	free(yaml);
}

/* What etld_generation_load makes of files; the daemon calls it at a reload. */
struct etld_generation *__wrap_etld_generation_load(const char *path, const atomic_bool *stop,
	struct etl_diag *diag);
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

/* ---- which schedule was in force ------------------------------------------------------------- */

static inline int64_t length_of(char unit)
{
	return unit == 's' ? SECOND : unit == 'm' ? MINUTE : unit == 'h' ? HOUR : DAY;
}

/* Runs may be longer than the shortest periods: leases are held, slots overlap. */
static inline bool is_dense(void)
{
	return w.mood.unit < MINUTE;
}

/* cancel_running where runs are longer than the period never comes to an end. */
static inline int draw_overlap(void)
{
	return (int)roll(is_dense() ? 2 : 3);
}

/* A calendar of the laws' own, from the words of the table above. */
static inline void open_interval(struct spec *s)
{
	struct interval *in;
	struct etl_error err = ETL_ERROR_INIT;
	char cron[40] = "", zone[40] = "UTC";
	const char *yaml = s->schedule < 0 ? "" : schedules[s->schedule].yaml, *at;
	int every = 0, offset = 0;
	char unit = 'm', offset_unit = 'm';

	ETL_GROW(s->intervals, s->n_intervals, s->intervals_cap);
	in = &s->intervals[s->n_intervals++];
	*in = (struct interval){.schedule = s->schedule, .from = w.now, .to = NEVER,
		.known = NEVER, .let_go = NEVER, .last_wall = NEVER};
	if (s->schedule < 0)
		return;
	if ((at = strstr(yaml, "timezone: ")))
		snprintf(zone, sizeof zone, "%s", at + 10);
	if ((at = strstr(yaml, "offset: ")))
		sscanf(at, "offset: %d%c", &offset, &offset_unit);
	if (sscanf(yaml, "every: %d%c", &every, &unit) == 2) {
		in->calendar = etl_calendar_every(
			ETL_MS(every * length_of(unit)), ETL_MS(offset * length_of(offset_unit)), &err);
	} else {
		sscanf(yaml, "cron: '%39[^']'", cron);
		in->zone = etl_zone_load(zone, &err);
		in->calendar = etl_calendar_cron(cron, in->zone, &err);
	}
	if (!in->calendar)
		broken("the simulation's own calendars are good", "%s: %s", yaml, err.message);
}

static inline void close_interval(struct spec *s, bool removed)
{
	struct interval *in = &s->intervals[s->n_intervals - 1];

	in->to = w.now;
	in->removed = removed;
}

/* If all processes have the newest version, nobody acts by an older one any more. */
static inline void settle_intervals(void)
{
	bool any = false;

	for (int i = 0; i < MACHINES; i++) {
		any |= w.machines[i].etld != NULL;
		if (w.machines[i].etld && conf.taken[i] != conf.version)
			return;
	}
	for (int i = 0; any && i < conf.n; i++)
		for (size_t k = 0; k < conf.specs[i].n_intervals; k++) {
			struct interval *in = &conf.specs[i].intervals[k];

			if (in->known == NEVER)
				in->known = w.now;
			if (in->to != NEVER && in->let_go == NEVER)
				in->let_go = w.now;
		}
}

/* The schedule of an interval ends by the clock of whoever takes up the next one, and then brings it into
 * the store. As long as the store has heard of nothing that came after, that may be any that starts:
 * what the others saw of the end may die with them. Example: slots up to 15:00 ran, the store is
 * unreachable, and an edit at 17:48 passes over 16:00 and 17:00. Before that can be recorded the process
 * dies, and the next one starts by a clock that says 12:53. It finds a cursor of another schedule at
 * 15:00 and counts by the new one from there: of slots that are to come it knows nothing. */
static inline bool may_end_yet(const struct spec *s, size_t k)
{
	if (s->intervals[k].to == NEVER)
		return false;
	if (s->intervals[k].let_go == NEVER)
		return true;
	for (size_t i = k + 1; i < s->n_intervals; i++)
		if (s->intervals[i].heard)
			return false;
	return k + 1 < s->n_intervals;
}

/* A machine's process has taken up what is configured now. */
static inline void taken_up(const struct machine *m)
{
	conf.taken[m->index] = conf.version;
	for (int i = 0; i < conf.n; i++) {
		struct spec *s = &conf.specs[i];
		struct interval *in = s->n_intervals ? &s->intervals[s->n_intervals - 1] : NULL;

		if (in && in->known == NEVER && wall_of(m) > in->wall)
			in->wall = wall_of(m);
		for (size_t k = 0; k < s->n_intervals; k++) {
			in = &s->intervals[k];
			if (may_end_yet(s, k) && wall_of(m) < in->last_wall)
				in->last_wall = wall_of(m);
		}
	}
	settle_intervals();
}

/* The store has heard of the job's slots: before this nobody could have told it. */
static inline void heard_of(struct spec *s, int64_t slot)
{
	struct interval *in = s->n_intervals ? &s->intervals[s->n_intervals - 1] : NULL;

	if (!in || in->heard)
		return;
	in->heard = slot;
	in->heard_at = w.now;
}

static inline void heard_of_removal(struct spec *s)
{
	for (size_t k = s->n_intervals; k-- > 0;)
		if (s->intervals[k].removed) {
			s->intervals[k].retired |= s->intervals[k].let_go != NEVER;
			return;
		}
}

static inline void conf_fini(void)
{
	for (int i = 0; i < conf.n; i++) {
		for (size_t k = 0; k < conf.specs[i].n_intervals; k++) {
			etl_calendar_free(conf.specs[i].intervals[k].calendar);
			etl_zone_free(conf.specs[i].intervals[k].zone);
		}
		free(conf.specs[i].intervals);
	}
	conf = (struct conf){0};
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * A job from its file: the option rows of everything but the plugins' own, and the checks
 * that need more than one key.
 */
#include "job/job.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"

const char *const etl_misfire_words[] = {"run_each", "run_latest", "skip", NULL};
const char *const etl_overlap_words[] = {"skip", "queue_one", "cancel_running", NULL};

struct schedule_options {
	const char *cron;
	etl_dur every, offset;
	const char *timezone;
	etl_dur jitter, timeout;
	int misfire, overlap;
	int64_t max_active;
};

#define AT(type, member) offsetof(struct type, member)

static const struct etl_option schedule_table[] = {
	{.name = "cron", .type = ETL_OPT_STRING, .offset = AT(schedule_options, cron),
		.help = "5 or 6 fields, or @hourly, @daily ..."},
	{.name = "every", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, every), .min = 1,
		.help = "instead of cron: each multiple of this length, counted from 1970 UTC"},
	{.name = "offset", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, offset),
		.help = "with every: how long after the multiple"},
	{.name = "timezone", .type = ETL_OPT_STRING, .offset = AT(schedule_options, timezone),
		.fallback = "UTC", .help = "IANA zone in which cron is read"},
	{.name = "jitter", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, jitter),
		.fallback = "0s", .max = 86400,
		.help = "spread: a shift below this, always the same for a job on a host"},
	{.name = "misfire", .type = ETL_OPT_WORD, .offset = AT(schedule_options, misfire),
		.words = etl_misfire_words, .fallback = "run_latest",
		.help = "slots missed while the daemon was down"},
	{.name = "overlap", .type = ETL_OPT_WORD, .offset = AT(schedule_options, overlap),
		.words = etl_overlap_words, .fallback = "queue_one",
		.help = "a slot that comes while a run is still going"},
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, timeout),
		.fallback = "1h", .min = 1, .max = 7 * 86400, .help = "the longest run"},
	{.name = "max_active", .type = ETL_OPT_INT, .offset = AT(schedule_options, max_active),
		.fallback = "8", .min = 1, .max = 1000,
		.help = "partitions of this job that are fetched at once"},
	{0},
};

struct retry_options {
	int64_t max;
	etl_dur backoff, max_backoff;
};

static const struct etl_option retry_table[] = {
	{.name = "max", .type = ETL_OPT_INT, .offset = AT(retry_options, max), .fallback = "3",
		.min = 0, .max = 100, .help = "tries after the first, for errors that may pass"},
	{.name = "backoff", .type = ETL_OPT_DURATION, .offset = AT(retry_options, backoff),
		.fallback = "5s", .max = 86400, .help = "before the first retry; doubles"},
	{.name = "max_backoff", .type = ETL_OPT_DURATION, .offset = AT(retry_options, max_backoff),
		.fallback = "10m", .max = 86400, .help = "the longest wait of our own"},
	{0},
};

struct reread_options {
	etl_dur every, span;
};

static const struct etl_option reread_table[] = {
	{.name = "every", .type = ETL_OPT_DURATION, .offset = AT(reread_options, every),
		.required = true, .min = 1, .help = "how often"},
	{.name = "span", .type = ETL_OPT_DURATION, .offset = AT(reread_options, span),
		.required = true, .min = 1, .help = "how far back"},
	{0},
};

struct window_options {
	etl_dur size, settle, lookback, max_span, retention;
	etl_wall start, end;
	bool has_start;
	struct reread_options reread;
};

static const struct etl_option window_table[] = {
	{.name = "size", .type = ETL_OPT_DURATION, .offset = AT(window_options, size),
		.required = true, .min = 1, .max = 366 * 86400.0, .help = "length of a window"},
	{.name = "settle", .type = ETL_OPT_DURATION, .offset = AT(window_options, settle),
		.fallback = "0s", .help = "how long after its end a window counts as final"},
	{.name = "lookback", .type = ETL_OPT_DURATION, .offset = AT(window_options, lookback),
		.fallback = "0s", .help = "how far back each run reads again"},
	{.name = "max_span", .type = ETL_OPT_DURATION, .offset = AT(window_options, max_span),
		.help = "the longest request (default: one window)"},
	{.name = "retention", .type = ETL_OPT_DURATION, .offset = AT(window_options, retention),
		.help = "how long the source keeps its data; older holes become unrecoverable"},
	{.name = "start", .type = ETL_OPT_TIME, .offset = AT(window_options, start),
		.required = true, .help = "start of the first window; the grid is anchored here"},
	{.name = "end", .type = ETL_OPT_TIME, .offset = AT(window_options, end),
		.help = "no window ends later"},
	{.name = "reread", .type = ETL_OPT_TABLE, .offset = AT(window_options, reread),
		.sub = reread_table, .help = "deep re-read of what the source may rewrite"},
	{0},
};

struct reject_options {
	double max_ratio;
	int64_t max;
};

static const struct etl_option reject_table[] = {
	{.name = "max_ratio", .type = ETL_OPT_DOUBLE, .offset = AT(reject_options, max_ratio),
		.fallback = "0.05", .min = 0, .max = 1,
		.help = "a span with a larger share of rejected records fails"},
	{.name = "max", .type = ETL_OPT_INT, .offset = AT(reject_options, max), .fallback = "10",
		.min = 0, .max = 1e9, .help = "up to this many rejects never fail a span"},
	{0},
};

struct job_options {
	const char *description;
	const struct etl_node *schedule, *window;
	struct retry_options retry;
	struct reject_options rejects;
	struct etl_strings after;
	const struct etl_node *partitions, *extract, *transform, *check, *load;
};

static const struct etl_option job_table[] = {
	{.name = "description", .type = ETL_OPT_STRING, .offset = AT(job_options, description),
		.help = "one line for people"},
	{.name = "schedule", .type = ETL_OPT_NODE, .offset = AT(job_options, schedule),
		.help = "when it runs"},
	{.name = "after", .type = ETL_OPT_STRINGS, .offset = AT(job_options, after),
		.help = "jobs whose same windows must be closed first"},
	{.name = "retry", .type = ETL_OPT_TABLE, .offset = AT(job_options, retry),
		.sub = retry_table, .help = "errors that may pass"},
	{.name = "rejects", .type = ETL_OPT_TABLE, .offset = AT(job_options, rejects),
		.sub = reject_table, .help = "how many bad records are too many"},
	{.name = "partitions", .type = ETL_OPT_NODE, .offset = AT(job_options, partitions),
		.help = "independent slices, such as stations"},
	{.name = "window", .type = ETL_OPT_NODE, .offset = AT(job_options, window),
		.required = true, .help = "the grid of windows, or none"},
	{.name = "extract", .type = ETL_OPT_NODE, .offset = AT(job_options, extract),
		.required = true, .help = "one source"},
	{.name = "transform", .type = ETL_OPT_NODE, .offset = AT(job_options, transform),
		.help = "list of transforms, in order"},
	{.name = "check", .type = ETL_OPT_NODE, .offset = AT(job_options, check),
		.help = "list of checks"},
	{.name = "load", .type = ETL_OPT_NODE, .offset = AT(job_options, load), .required = true,
		.help = "one sink"},
	{0},
};

const struct etl_option *const etl_job_tables[] = {job_table, schedule_table, window_table, NULL};

static void fail_at(const struct etl_conf_env *env, const struct etl_node *node,
	enum etl_diag_code code, const char *hint, const char *text)
{
	etl_diag_add(env->diag, node ? &node->mark : NULL, code, hint, NULL, "%s in %s", text,
		env->what);
}

/* ---- schedule ---------------------------------------------------------------------------- */

static void load_calendar(struct etl_job *job, const struct schedule_options *o,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;

	if (o->cron && o->every.us) {
		fail_at(env, etl_node_get(node, "every"), ETL_DIAG_CONFLICT, "cron stands there too",
			"a schedule is either cron or every");
		return;
	}
	if (o->cron) {
		job->calendar = etl_calendar_cron(o->cron, job->zone, &err);
		job->schedule_text = o->cron;
	} else if (o->every.us) {
		job->calendar = etl_calendar_every(o->every, o->offset, &err);
		job->schedule_text = etl_arena_strf(env->arena, "every %s",
			etl_node_get(node, "every")->text);
	} else if (!job->after.n) {
		fail_at(env, node, ETL_DIAG_MISSING, "needs cron or every", "no schedule");
	}
	if (err.kind)
		etl_diag_add(env->diag, &etl_node_get(node, o->cron ? "cron" : "every")->mark,
			ETL_DIAG_RANGE, NULL, "man etld.yaml, schedule", "%s", err.message);
}

/* `node` may be NULL; then `body`, the job, is where it is missing. */
static void load_schedule(struct etl_job *job, const struct etl_node *body,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct schedule_options o = {0};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone;

	if (!node && !job->after.n) {
		etl_diag_add(env->diag, &body->mark, ETL_DIAG_MISSING, NULL,
			"schedule: {cron: \"10 * * * *\"}, or after: [other_job]",
			"%s has no schedule and waits for no other job", env->what);
		return;
	}
	if (!etl_options_fill(schedule_table, node, &o, "schedule", env))
		return;
	zone = etl_zone_load(o.timezone, &err);
	if (!zone) {
		etl_diag_add(env->diag, &etl_node_get(node, "timezone")->mark, ETL_DIAG_REFERENCE,
			NULL, "timedatectl list-timezones prints the names", "%s", err.message);
		return;
	}
	job->zone = zone;
	job->timezone = o.timezone;
	job->jitter = o.jitter;
	job->misfire = o.misfire;
	job->overlap = o.overlap;
	job->timeout = o.timeout;
	job->max_active = o.max_active;
	if (node)
		load_calendar(job, &o, node, env);
	if (!job->schedule_text)
		job->schedule_text = etl_arena_strf(env->arena, "after %s", job->after.items[0]);
}

/* ---- windows ----------------------------------------------------------------------------- */

static void check_window(const struct window_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (o->end.ms && o->end.ms <= o->start.ms)
		fail_at(env, etl_node_get(node, "end"), ETL_DIAG_RANGE, "not after start",
			"the last window ends before the first begins");
	if (o->max_span.us && o->max_span.us < o->size.us)
		fail_at(env, etl_node_get(node, "max_span"), ETL_DIAG_RANGE, "shorter than size",
			"a request cannot be shorter than one window");
	if (o->size.us % 1000)
		fail_at(env, etl_node_get(node, "size"), ETL_DIAG_RANGE, NULL,
			"a window is a whole number of milliseconds");
}

static void load_window(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct window_options o = {0};

	if (node->kind == ETL_NODE_SCALAR && etl_streq(node->text, "none")) {
		job->window.none = true;
		return;
	}
	if (node->kind != ETL_NODE_MAP) {
		fail_at(env, node, ETL_DIAG_TYPE, "a mapping with size and start, or none",
			"wrong window");
		return;
	}
	if (!etl_options_fill(window_table, node, &o, "window", env))
		return;
	check_window(&o, node, env);
	job->window = (struct etl_window_rules){
		.start = o.start,
		.end = o.end,
		.size = o.size,
		.settle = o.settle,
		.lookback = o.lookback,
		.max_span = o.max_span,
		.retention = o.retention,
		.reread_every = o.reread.every,
		.reread_span = o.reread.span,
	};
}

/* ---- plugins ----------------------------------------------------------------------------- */

static void unknown_plugin(const struct etl_node *key, const char *kind, const char *const *names,
	size_t n, const struct etl_conf_env *env)
{
	const char *near = etl_nearest(key->text, names, n);
	struct etl_buf all;
	char hint[128] = "";

	etl_buf_init(&all, 1024);
	for (size_t i = 0; i < n; i++)
		etl_buf_printf(&all, "%s%s", i ? ", " : "there are: ", names[i]);
	if (near)
		snprintf(hint, sizeof hint, "did you mean '%s'?", near);
	etl_diag_add(env->diag, &key->mark, ETL_DIAG_UNKNOWN, near ? hint : NULL,
		etl_buf_text(&all), "unknown %s '%s' in %s", kind, key->text, env->what);
	etl_buf_fini(&all);
}

#define NAMES_MAX 64

/* `{name: body}`: one key. Returns the key's node, or NULL with an error. */
static const struct etl_node *single_key(const struct etl_node *node, const char *kind,
	const struct etl_conf_env *env)
{
	if (node->kind == ETL_NODE_MAP && node->n == 1)
		return node->keys[0];
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, NULL, NULL,
		"%s expects one mapping with one %s in it, such as `http: {...}`", env->what, kind);
	return NULL;
}

/* Finds the type by name or says what there is. `T` is source, transform, check or sink. */
#define DEFINE_FIND(T)                                                                          \
	static const struct etl_##T##_type *find_##T(const struct etl_node *key,                \
		const struct etl_conf_env *env)                                                 \
	{                                                                                       \
		const struct etl_##T##_type *type = etl_##T##_find(key->text);                  \
		const char *names[NAMES_MAX];                                                   \
		size_t n = 0;                                                                   \
                                                                                                \
		for (; !type && etl_##T##s[n] && n < NAMES_MAX; n++)                            \
			names[n] = etl_##T##s[n]->name;                                         \
		if (!type)                                                                      \
			unknown_plugin(key, #T, names, n, env);                                 \
		return type;                                                                    \
	}
DEFINE_FIND(source)
DEFINE_FIND(transform)
DEFINE_FIND(check)
DEFINE_FIND(sink)

/* Fills a plugin's options and lets it check them. NULL if something is wrong. */
static void *load_options(const struct etl_option *table, size_t size,
	void (*check)(void *, const struct etl_node *, const struct etl_conf_env *),
	const struct etl_node *body, const char *context, const struct etl_conf_env *env)
{
	void *options = etl_arena_zalloc(env->arena, size ? size : 1);

	if (!etl_options_fill(table, body, options, context, env))
		return NULL;
	if (check)
		check(options, body, env);
	return options;
}

static void load_source(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *key = single_key(node, "source", env);
	size_t before = etl_diag_count(env->diag);

	if (!key)
		return;
	job->source = find_source(key, env);
	if (!job->source)
		return;
	job->source_options = load_options(job->source->options, job->source->options_size,
		job->source->check, node->items[0], etl_arena_strf(env->arena, "extract.%s", key->text),
		env);
	if (!job->source_options || etl_diag_count(env->diag) != before)
		return;
	if (!job->window.none && job->source->has_time && !job->source->has_time(job->source_options))
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_MISSING, NULL,
			"time: {field: timestamp, format: ...}, or window: none",
			"%s has windows, but its source says no event time", env->what);
	if (job->source->shared_new)
		job->source_shared = job->source->shared_new(job->source_options);
}

static uint64_t digest(const struct etl_node *node, uint64_t seed)
{
	if (node->kind == ETL_NODE_SCALAR)
		return etl_hash64(node->text, strlen(node->text), seed);
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == ETL_NODE_MAP)
			seed = digest(node->keys[i], seed + 1);
		seed = digest(node->items[i], seed + 2);
	}
	return seed;
}

static void load_sink(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *key = single_key(node, "sink", env);

	if (!key)
		return;
	job->sink = find_sink(key, env);
	job->load_digest = digest(node, 0);
	if (job->sink)
		job->sink_options = load_options(job->sink->options, job->sink->options_size,
			job->sink->check, node->items[0],
			etl_arena_strf(env->arena, "load.%s", key->text), env);
}

static bool expect_list(const struct etl_node *node, const char *what,
	const struct etl_conf_env *env)
{
	if (node->kind == ETL_NODE_LIST)
		return true;
	etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "a list, each line with a dash", NULL,
		"`%s` in %s is a list", what, env->what);
	return false;
}

static void load_transforms(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (!node || !expect_list(node, "transform", env))
		return;
	job->transforms = etl_arena_zalloc(env->arena, (node->n + 1) * sizeof *job->transforms);
	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *key = single_key(node->items[i], "transform", env);
		struct etl_job_stage *stage = &job->transforms[job->n_transforms];

		if (!key || !(stage->type = find_transform(key, env)))
			continue;
		stage->options = load_options(stage->type->options, stage->type->options_size,
			stage->type->check, node->items[i]->items[0],
			etl_arena_strf(env->arena, "transform.%s", key->text), env);
		job->n_transforms++;
	}
}

/* Takes `on_fail` out of a check's body: it is the framework's own key. */
static const struct etl_node *split_on_fail(const struct etl_node *body,
	const struct etl_check_type *type, enum etl_on_fail *on_fail, const struct etl_conf_env *env)
{
	const struct etl_node *word = etl_node_get(body, "on_fail");
	struct etl_node *rest;
	int found = -1;

	*on_fail = type->on_fail_default;
	if (!word)
		return body;
	for (int i = 0; etl_on_fail_words[i]; i++)
		if (word->kind == ETL_NODE_SCALAR && etl_streq(etl_on_fail_words[i], word->text))
			found = i;
	if (found < 0)
		fail_at(env, word, ETL_DIAG_WORD, "warn, reject, hold or fail", "unknown on_fail");
	else if (!(type->on_fail_allowed & (1u << found)))
		fail_at(env, word, ETL_DIAG_WORD, "this check judges windows, not single records",
			"on_fail does not fit the check");
	else
		*on_fail = (enum etl_on_fail)found;

	rest = etl_arena_zalloc(env->arena, sizeof *rest);
	*rest = *body;
	rest->n = 0;
	rest->items = etl_arena_alloc(env->arena, body->n * sizeof *rest->items);
	rest->keys = etl_arena_alloc(env->arena, body->n * sizeof *rest->keys);
	for (size_t i = 0; i < body->n; i++)
		if (body->items[i] != word) {
			rest->keys[rest->n] = body->keys[i];
			rest->items[rest->n++] = body->items[i];
		}
	return rest;
}

static void load_checks(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (!node || !expect_list(node, "check", env))
		return;
	job->checks = etl_arena_zalloc(env->arena, (node->n + 1) * sizeof *job->checks);
	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *key = single_key(node->items[i], "check", env);
		struct etl_job_check *rule = &job->checks[job->n_checks];

		if (!key || !(rule->type = find_check(key, env)))
			continue;
		rule->options = load_options(rule->type->options, rule->type->options_size,
			rule->type->check,
			split_on_fail(node->items[i]->items[0], rule->type, &rule->on_fail, env),
			etl_arena_strf(env->arena, "check.%s", key->text), env);
		job->n_checks++;
	}
}

/* ---- the whole --------------------------------------------------------------------------- */

struct etl_job *etl_job_load(const char *name, const struct etl_node *root,
	struct etl_conf_env *env)
{
	struct etl_job *job = etl_arena_zalloc(env->arena, sizeof *job);
	struct job_options o = {0};

	job->name = etl_arena_strdup(env->arena, name);
	if (!root)
		return job;
	etl_options_fill(job_table, root, &o, "job", env);
	job->description = o.description ? o.description : "";
	job->retry_max = o.retry.max;
	job->retry_backoff = o.retry.backoff;
	job->retry_max_backoff = o.retry.max_backoff;
	job->max_reject_ratio = o.rejects.max_ratio;
	job->max_rejects = o.rejects.max;
	job->after = o.after;
	etl_job_load_partitions(job, o.partitions, env);
	load_schedule(job, root, o.schedule, env);
	if (o.window)
		load_window(job, o.window, env);
	if (o.extract)
		load_source(job, o.extract, env);
	load_transforms(job, o.transform, env);
	load_checks(job, o.check, env);
	if (o.load)
		load_sink(job, o.load, env);
	return job;
}

static void *writable(const void *p)
{
	return (void *)(uintptr_t)p; /* the job owns what it shows as const */
}

void etl_job_fini(struct etl_job *job)
{
	if (job->source_shared)
		job->source->shared_free(job->source_shared);
	job->source_shared = NULL;
	etl_calendar_free(writable(job->calendar));
	job->calendar = NULL;
	etl_zone_free(writable(job->zone));
	job->zone = NULL;
}

const struct etl_partition *etl_job_partition(const struct etl_job *job, const char *name)
{
	for (size_t i = 0; i < job->n_partitions; i++)
		if (etl_streq(job->partitions[i].name, name))
			return &job->partitions[i];
	return NULL;
}

etl_dur etl_job_jitter(const struct etl_job *job, const char *host)
{
	uint64_t hash = etl_hash64(job->name, strlen(job->name),
		etl_hash64(host, strlen(host), 0x65746c64));

	if (job->jitter.us <= 0)
		return (etl_dur){0};
	return (etl_dur){(int64_t)(hash % (uint64_t)job->jitter.us)};
}

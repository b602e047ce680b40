/* SPDX-License-Identifier: MIT
 *
 * `after`: who waits for whom. Names and groups become pointers, circles become errors. Time
 * grows with the number of jobs and of their ties, the stack with neither.
 *
 * after: [raw, group:stations] of `daily`: raw and each job whose group is stations
 * become its upstreams, and daily becomes a dependant of each. In a circle ('a' after
 * 'b' after 'a') nobody could ever run: it is an error of the job that closes it, and
 * the others run without that one.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/job.h"

#define GROUP_PREFIX "group:"
#define CIRCLE_SHOWN_MAX 12 /* names of a circle that are told, the first and the last ones */

struct graph {
	struct etl_job **jobs;
	size_t n;
	struct etl_job **by_name, **by_group; /* sorted; those without a group come first */
	size_t *taken; /* for each job: number + 1 of the one that has it as upstream already */
	const struct etl_node ***ties; /* for each job and upstream: where that stands */
	const struct etl_conf_env *env;
	char **errors; /* by number: the first one of a job, NULL = none */
	bool any_unknown; /* a left-out job may be of any group */
};

static const char *group_of(const struct etl_job *job)
{
	return job->group ? job->group : "";
}

static int by_name(const void *a, const void *b)
{
	const struct etl_job *x = *(struct etl_job *const *)a, *y = *(struct etl_job *const *)b;

	return strcmp(x->name, y->name);
}

/* By number behind the group, so that the order of upstreams is that of the files on
 * every machine. */
static int by_group(const void *a, const void *b)
{
	const struct etl_job *x = *(struct etl_job *const *)a, *y = *(struct etl_job *const *)b;
	int order = strcmp(group_of(x), group_of(y));

	return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

/* The first place in a sorted list whose key is not before `key`. */
static size_t first_not_before(struct etl_job *const *list, size_t n, const char *key,
	const char *(*key_of)(const struct etl_job *job))
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(key_of(list[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What was found in `own` is an error of the job. It is left out when all are tied: until then its
 * ties are needed.
 * All errors are collected before anybody is left out: a job that has two is told of
 * both, and a circle is found although one of its members is wrong in another way. */
static void blame(const struct graph *g, const struct etl_job *job, struct etl_diag *own)
{
	struct etl_buf first ETL_BUF_CLEANUP;

	etl_buf_init(&first, 4096);
	etl_diag_first(own, &first);
	if (!g->errors[job->number])
		g->errors[job->number] = etl_strdup(etl_buf_text(&first));
	etl_diag_absorb(g->env->diag, own);
}

static const char *name_of(const struct etl_job *job)
{
	return job->name;
}

/* ---- names to pointers ------------------------------------------------------------------- */

/* "did you mean 'X'?" into `hint`, "" if nothing is near.
 * "after: [row]" with a job raw: did you mean 'raw'? For groups the same among groups. */
static void guess(const struct graph *g, const char *word,
	const char *(*key_of)(const struct etl_job *job), char hint[128])
{
	const char **names = etl_calloc(g->n, sizeof *names);
	const char *near;

	for (size_t i = 0; i < g->n; i++)
		names[i] = key_of(g->jobs[i]);
	near = etl_nearest(word, names, g->n);
	hint[0] = '\0';
	if (near && *near)
		snprintf(hint, 128, "did you mean '%s'?", near);
	free(names);
}

static void unknown_job(const struct graph *g, struct etl_job *job, size_t k)
{
	struct etl_diag *own = etl_diag_new();
	char hint[128];

	guess(g, job->after.items[k], name_of, hint);
	etl_diag_add(own, &job->after.nodes[k]->mark, ETL_DIAG_REFERENCE, *hint ? hint : NULL,
		"`after` names other jobs: files in the jobs folder, without .yaml",
		"job '%s' waits for '%s', and there is no such job", job->name,
		job->after.items[k]);
	blame(g, job, own);
}

static void unknown_group(const struct graph *g, struct etl_job *job, size_t k, const char *group)
{
	struct etl_diag *own = etl_diag_new();
	char hint[128];

	guess(g, group, group_of, hint);
	etl_diag_add(own, &job->after.nodes[k]->mark, ETL_DIAG_REFERENCE, *hint ? hint : NULL,
		"a job is put into a group by its key `group`",
		"job '%s' waits for the group '%s', and no other job is in it", job->name, group);
	blame(g, job, own);
}

/* Named twice, by name and by group, is waited for once.
 * `taken` remembers for each job who tied it last: a look, where a search through the
 * upstreams would make a group of a thousand jobs a matter of a million comparisons. */
static void tie(struct graph *g, struct etl_job *job, struct etl_job *up, size_t k, size_t *cap)
{
	if (g->taken[up->number] == job->number + 1)
		return;
	g->taken[up->number] = job->number + 1;
	if (job->n_upstream == *cap) {
		size_t more = *cap ? 2 * *cap : job->after.n;
		const struct etl_job **list =
			etl_arena_zalloc(g->env->arena, more * sizeof *job->upstream);

		if (*cap)
			memcpy(list, job->upstream, *cap * sizeof *list);
		job->upstream = list;
		g->ties[job->number] =
			etl_realloc(g->ties[job->number], more, sizeof **g->ties);
		*cap = more;
	}
	g->ties[job->number][job->n_upstream] = job->after.nodes[k];
	job->upstream[job->n_upstream++] = up;
	up->n_dependants++; /* counted now, filled below */
}

/* A job that is in the group it waits for does not wait for itself. One that is left
 * out and whose group the file cannot even tell may be of this group: its dependants
 * wait, rather than run without. */
static void tie_group(struct graph *g, struct etl_job *job, size_t k, const char *group,
	size_t *cap)
{
	size_t i = *group ? first_not_before(g->by_group, g->n, group, group_of) : g->n;
	bool any = false;

	for (; i < g->n && etl_streq(group_of(g->by_group[i]), group); i++) {
		if (g->by_group[i] == job)
			continue;
		tie(g, job, g->by_group[i], k, cap);
		any = true;
	}
	for (i = 0; g->any_unknown && i < g->n; i++)
		if (g->jobs[i]->group_unknown && g->jobs[i] != job)
			tie(g, job, g->jobs[i], k, cap);
	if (!any && !g->any_unknown)
		unknown_group(g, job, k, group);
}

static void tie_job(struct graph *g, struct etl_job *job, size_t k, size_t *cap)
{
	const char *name = job->after.items[k];
	size_t i = first_not_before(g->by_name, g->n, name, name_of);

	if (i < g->n && etl_streq(g->by_name[i]->name, name))
		tie(g, job, g->by_name[i], k, cap);
	else
		unknown_job(g, job, k);
}

static void tie_all(struct graph *g, struct etl_job *job)
{
	size_t cap = 0;

	for (size_t k = 0; k < job->after.n; k++) {
		if (etl_starts_with(job->after.items[k], GROUP_PREFIX))
			tie_group(g, job, k, job->after.items[k] + sizeof GROUP_PREFIX - 1, &cap);
		else
			tie_job(g, job, k, &cap);
	}
}

/* Twice over the ties: the first walk has counted them, so each list is made once, in
 * its size. */
static void fill_dependants(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct etl_job *job = g->jobs[i];

		job->dependants = etl_arena_zalloc(g->env->arena,
			(job->n_dependants + 1) * sizeof *job->dependants);
		job->n_dependants = 0;
	}
	for (size_t i = 0; i < g->n; i++)
		for (size_t k = 0; k < g->jobs[i]->n_upstream; k++) {
			struct etl_job *up = g->jobs[g->jobs[i]->upstream[k]->number];

			up->dependants[up->n_dependants++] = g->jobs[i];
		}
}

/* ---- circles ----------------------------------------------------------------------------- */

/* White: not seen. Grey: on the path, so a tie to it closes a circle. Black: done, and
 * in no circle that has not been told. */
enum colour { WHITE, GREY, BLACK };

/* Depth-first with three colours, over a path of our own in place of the stack. */
struct walk {
	struct graph *graph;
	enum colour *colours; /* by number: not seen, on the path, done */
	struct step {
		const struct etl_job *job;
		size_t next; /* the upstream to look at next */
	} *path;
	size_t n;
};

/* The last job of the path waits for `up`, which stands on the path: names all between.
 * 'a' after 'b' after 'c' after 'a'. Of more than twelve the middle is counted: "...
 * after 'f' after 20 others after 'y' ...". The mark is at the tie that closes it. */
static void tell_circle(const struct walk *walk, const struct etl_job *up)
{
	const struct step *last = &walk->path[walk->n - 1];
	size_t from = walk->n - 1, hidden = 0, length;
	struct etl_diag *own = etl_diag_new();
	struct etl_buf text ETL_BUF_CLEANUP;

	while (walk->path[from].job != up)
		from--;
	length = walk->n - from;
	if (length > CIRCLE_SHOWN_MAX)
		hidden = length - CIRCLE_SHOWN_MAX;
	etl_buf_init(&text, 4096);
	etl_buf_printf(&text, "'%s'", last->job->name);
	for (size_t i = from; i < walk->n; i++) {
		if (hidden && i == from + CIRCLE_SHOWN_MAX / 2) {
			etl_buf_printf(&text, " after %zu others", hidden);
			i += hidden;
		}
		etl_buf_printf(&text, " after '%s'", walk->path[i].job->name);
	}
	etl_diag_add(own, &walk->graph->ties[last->job->number][last->next - 1]->mark,
		ETL_DIAG_CYCLE, "this closes the circle", NULL, "jobs wait for each other: %s",
		etl_buf_text(&text));
	blame(walk->graph, last->job, own);
}

static void enter(struct walk *walk, const struct etl_job *job)
{
	walk->colours[job->number] = GREY;
	walk->path[walk->n++] = (struct step){job, 0};
}

/* Depth-first without recursion: a chain of ten thousand jobs must not need ten
 * thousand frames of a stack. `next` of a step is where its job goes on when it is on
 * top again. */
static void walk_from(struct walk *walk, const struct etl_job *job)
{
	enter(walk, job);
	while (walk->n) {
		struct step *at = &walk->path[walk->n - 1];
		const struct etl_job *up;

		if (at->next == at->job->n_upstream) {
			walk->colours[at->job->number] = BLACK;
			walk->n--;
			continue;
		}
		up = at->job->upstream[at->next++];
		if (walk->colours[up->number] == GREY)
			tell_circle(walk, up);
		else if (walk->colours[up->number] == WHITE)
			enter(walk, up);
	}
}

static void find_circles(struct graph *g)
{
	struct walk walk = {
		.graph = g,
		.colours = etl_calloc(g->n, sizeof *walk.colours),
		.path = etl_calloc(g->n, sizeof *walk.path),
	};

	for (size_t i = 0; i < g->n; i++)
		if (walk.colours[i] == WHITE)
			walk_from(&walk, g->jobs[i]);
	free(walk.path);
	free(walk.colours);
}

/* ---- the whole --------------------------------------------------------------------------- */

static struct etl_job **sorted(const struct graph *g, int (*order)(const void *, const void *))
{
	struct etl_job **list = etl_calloc(g->n, sizeof *list);

	memcpy(list, g->jobs, g->n * sizeof *list);
	qsort(list, g->n, sizeof *list, order);
	return list;
}

/* Called a second time when jobs were left out: everything is built anew, since half a
 * graph is none. */
static void link_once(struct graph *g)
{
	g->taken = etl_calloc(g->n, sizeof *g->taken);
	g->ties = etl_calloc(g->n, sizeof *g->ties);
	for (size_t i = 0; i < g->n; i++)
		tie_all(g, g->jobs[i]);
	fill_dependants(g);
	find_circles(g);
	for (size_t i = 0; i < g->n; i++)
		free(g->ties[i]);
	free(g->ties);
	free(g->taken);
}

/* A job that has two errors tells both: so all are tied first, also those that are left out. Then
 * they come apart, and the others are tied again, which finds nothing any more: each circle has
 * lost the job that closed it.
 * `after` of a job that is left out is emptied, since it waits for nobody; those that
 * wait for it keep their tie and are blocked, which is what people should see. */
static void untie_left_out(struct graph *g)
{
	bool any = false;

	for (size_t i = 0; i < g->n; i++) {
		struct etl_job *job = g->jobs[i];

		if (g->errors[i] && !job->left_out)
			etl_job_leave_out(job, g->errors[i], g->env);
		free(g->errors[i]);
		g->errors[i] = NULL;
		any |= job->left_out != NULL;
	}
	for (size_t i = 0; any && i < g->n; i++) {
		struct etl_job *job = g->jobs[i];

		job->upstream = job->dependants = NULL;
		job->n_upstream = job->n_dependants = 0;
		if (job->left_out)
			job->after = (struct etl_strings){0};
	}
	if (any)
		link_once(g);
}

/* A configuration without any `after` pays nothing. */
void etl_graph_link(struct etl_job **jobs, size_t n, const struct etl_conf_env *env)
{
	struct graph g = {.jobs = jobs, .n = n, .env = env};
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		jobs[i]->number = i;
		any |= jobs[i]->after.n > 0;
		g.any_unknown |= jobs[i]->group_unknown;
	}
	if (!any)
		return;
	g.by_name = sorted(&g, by_name);
	g.by_group = sorted(&g, by_group);
	g.errors = etl_calloc(n, sizeof *g.errors);
	link_once(&g);
	untie_left_out(&g);
	free(g.errors);
	free(g.by_group);
	free(g.by_name);
}

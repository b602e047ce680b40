/* SPDX-License-Identifier: MIT
 *
 * Walks over the graph of jobs, each over a list of its own in place of the stack: a chain of
 * ten thousand jobs must not end the daemon. Each job is taken once, so that no graph makes a
 * walk endless.
 *
 * Example: raw → hourly → daily and hourly → report. `graph hourly` marks raw (up), daily and
 * report (down), and hourly. The tree is raw, hourly, daily, report, with depths 0, 1, 2, 2; a job
 * that has two upstreams stands under the one that is reached first, once.
 */
#include "tell/graph_view.h"

#include "base/alloc.h"

/* Marks everything that is reached over upstream, or over dependants. The two are walked
 * separately: the dependants of an upstream job are no relatives. */
static void spread(const struct etl_job *job, size_t n, bool up, bool *shown)
{
	const struct etl_job **list = etl_calloc(n, sizeof *list);
	bool *seen = etl_calloc(n, sizeof *seen);
	size_t used = 0;

	list[used++] = job;
	seen[job->number] = true;
	for (size_t at = 0; at < used; at++) {
		const struct etl_job *const *next = up ? list[at]->upstream : list[at]->dependants;
		size_t n_next = up ? list[at]->n_upstream : list[at]->n_dependants;

		shown[list[at]->number] = true;
		for (size_t i = 0; i < n_next; i++)
			if (!seen[next[i]->number]) {
				seen[next[i]->number] = true;
				list[used++] = next[i];
			}
	}
	free(seen);
	free(list);
}

/* `jobs` is not needed: ties are pointers. */
void etl_graph_related(struct etl_job *const *jobs, size_t n, const struct etl_job *job, bool *shown)
{
	(void)jobs;
	spread(job, n, true, shown);
	spread(job, n, false, shown);
}

/* Nothing that is shown stands above it: a job whose upstream is not asked for begins a tree of its
 * own. */
static bool is_root(const struct etl_job *job, const bool *shown)
{
	for (size_t i = 0; i < job->n_upstream; i++)
		if (shown[job->upstream[i]->number])
			return false;
	return true;
}

struct tree {
	const bool *shown;
	bool *taken;
	struct etl_graph_node *out;
	size_t n;
	struct step {
		const struct etl_job *job;
		size_t next;
	} *path;
};

/* The path holds one step for each depth, with the number of the dependant that comes next:
 * where a recursion would return to. */
static void take(struct tree *t, const struct etl_job *job, size_t depth)
{
	t->taken[job->number] = true;
	t->out[t->n++] = (struct etl_graph_node){job, depth};
	t->path[depth] = (struct step){job, 0};
}

/* Back up by one where a job has no dependant left; done where the root has none. */
static void grow(struct tree *t, const struct etl_job *root)
{
	size_t depth = 0;

	take(t, root, 0);
	for (;;) {
		struct step *at = &t->path[depth];

		if (at->next < at->job->n_dependants) {
			const struct etl_job *next = at->job->dependants[at->next++];

			if (t->shown[next->number] && !t->taken[next->number])
				take(t, next, ++depth);
		} else if (depth-- == 0) {
			return;
		}
	}
}

/* In the order of the configuration, which is by name. A circle cannot be: the loader refuses it.
 */
size_t etl_graph_tree(struct etl_job *const *jobs, size_t n, const bool *shown,
	struct etl_graph_node *out)
{
	struct tree t = {.shown = shown,
		.taken = etl_calloc(n, sizeof *t.taken),
		.out = out,
		.path = etl_calloc(n, sizeof *t.path)};

	for (size_t i = 0; i < n; i++)
		if (shown[i] && !t.taken[i] && is_root(jobs[i], shown))
			grow(&t, jobs[i]);
	free(t.path);
	free(t.taken);
	return t.n;
}

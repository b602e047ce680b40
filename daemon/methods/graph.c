/* SPDX-License-Identifier: MIT
 *
 * Graph: who waits for whom, in the order of a tree, with the state of each. Answered from what
 * the loop knows, in pieces (walk.h): ties and order are those of the configuration that it began
 * with, the states those of when a job was looked at. Loop thread.
 *
 * Example: raw → hourly → daily, and raw fails. The nodes come as raw (depth 0), hourly (1), daily
 * (2); hourly is blocked and waits for a window of raw; daily waits for hourly, and names raw as
 * the culprit: what has to be mended is one job, however long the chain behind it is.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "facts/facts.h"
#include "methods/methods.h"
#include "tell/graph_view.h"

/* Which jobs are asked for; NULL: there are none, and the request is refused. */
static bool *choose(struct etld_request *request)
{
	const struct etld_generation *g = request->generation;
	bool *shown = etl_calloc(g->n_jobs + 1, sizeof *shown), any = false;

	if (request->job)
		etl_graph_related(g->jobs, g->n_jobs, request->job, shown);
	for (size_t i = 0; i < g->n_jobs; i++) {
		shown[i] = (!request->job || shown[i]) &&
			(!request->group || etld_job_is_in(g->jobs[i], request->group));
		any |= shown[i];
	}
	if (any || !request->group)
		return shown;
	free(shown);
	etld_refuse_group(request, request->group);
	return NULL;
}

/* `waits_for` is the window of the direct upstream, `culprit` the job along the chain that is not
 * well. They are the same job if the chain has one link; null if all of it is only waiting for its
 * time. */
static void add_block(struct etl_json *node, const struct etld_facts *facts)
{
	const struct etld_job *up = facts->block.upstream;
	struct etl_json *item;
	char name[256];

	if (!facts->is_blocked) {
		etl_json_add_null(node, "waits_for");
		return;
	}
	item = etl_json_add_object(node, "waits_for");
	etl_json_add_text(item, "job", up->name);
	etl_partition_text(up->job, &up->job->partitions[facts->block.partition], name,
		sizeof name);
	etl_json_add_text(item, "partition", name);
	etld_json_window(item, "window", &facts->block.window);
	etl_json_add_text(item, "culprit", facts->culprit ? facts->culprit->name : NULL);
}

/* The health is that of `etlctl status` by construction: both ask facts.h. */
static struct etl_json *node_of(const struct etld *etld, const struct etld_job *job,
	const struct etl_graph_node *at)
{
	struct etl_json *node = etl_json_object();
	struct etld_facts facts;
	struct etl_json *after;

	etld_facts_of(etld, job, &facts);
	etl_json_add_text(node, "name", job->name);
	etl_json_add_text(node, "group", job->job->group);
	etl_json_add_int(node, "depth", (int64_t)at->depth);
	etl_json_add_text(node, "health", etld_health_word(facts.health.id));
	etl_json_add_text(node, "reason", facts.health.reason);
	etl_json_add_int(node, "late_by_s", facts.health.late_by.us / 1000000);
	etl_json_add_bool(node, "running", facts.running != NULL);
	after = etl_json_add_array(node, "after");
	for (size_t i = 0; i < at->job->n_upstream; i++)
		etl_json_add_text(after, NULL, at->job->upstream[i]->name);
	add_block(node, &facts);
	return node;
}

struct drawing {
	struct etld_walk walk;
	bool *shown;
	struct etl_graph_node *tree;
	struct etl_buf nodes, edges; /* lists (methods.h) */
};

/* Only between jobs that are shown: an edge to a node that is not in the answer could not be drawn.
 */
static void add_edges(struct drawing *d, const struct etl_job *job)
{
	for (size_t i = 0; i < job->n_upstream; i++)
		if (d->shown[job->upstream[i]->number]) {
			struct etl_json *edge = etl_json_object();

			etl_json_add_text(edge, "from", job->upstream[i]->name);
			etl_json_add_text(edge, "to", job->name);
			etld_list_add(&d->edges, edge);
		}
}

/* The walk goes in the order of the tree, so that nodes are printed as they are looked at and no
 * second pass sorts them. */
static const struct etl_job *in_tree(const struct etld_walk *walk, size_t i)
{
	return ((const struct drawing *)walk)->tree[i].job;
}

/* `next` has moved on by one already (walk.h): the node in hand is the one before it. */
static void draw(struct etld_walk *walk, struct etld_job *job)
{
	struct drawing *d = (struct drawing *)walk;
	const struct etl_graph_node *at = &d->tree[walk->next - 1];

	etld_list_add(&d->nodes, node_of(walk->etld, job, at));
	add_edges(d, at->job);
}

/* Thousands of jobs with long reasons may exceed a message. A cut graph would lie about what waits
 * for what, so that there is none, and a hint how to ask for less. */
static void draw_end(struct etld_walk *walk, struct etld_request *request)
{
	struct drawing *d = (struct drawing *)walk;

	if (!etld_list_end(&d->nodes) || !etld_list_end(&d->edges)) {
		etld_refuse(request, ETL_CTL_FAILED, "ask for one job, or a group",
			"the answer is longer than a message may be");
		return;
	}
	etl_json_add_printed(etld_reply(request), "nodes", &d->nodes);
	etl_json_add_printed(etld_reply(request), "edges", &d->edges);
	etld_answer(request);
}

static void draw_free(struct etld_walk *walk)
{
	struct drawing *d = (struct drawing *)walk;

	etl_buf_fini(&d->nodes);
	etl_buf_fini(&d->edges);
	free(d->tree);
	free(d->shown);
	free(d);
}

/* The order is made at once, from the configuration alone: cheap for thousands of jobs, and it
 * cannot change while the walk goes. Only the states are read in pieces. */
static void graph(struct etld_request *request)
{
	const struct etld_generation *g = request->generation;
	bool *shown = choose(request);
	struct drawing *d;

	if (!shown)
		return;
	d = ETL_NEW(struct drawing);
	d->shown = shown;
	d->tree = etl_calloc(g->n_jobs + 1, sizeof *d->tree);
	d->walk =
		(struct etld_walk){.look = draw, .end = draw_end, .free = draw_free, .at = in_tree};
	d->walk.n = etl_graph_tree(g->jobs, g->n_jobs, shown, d->tree);
	etl_buf_init(&d->nodes, ETL_CTL_REPLY_MAX);
	etl_buf_init(&d->edges, ETL_CTL_REPLY_MAX);
	etld_request_walk(&d->walk, request);
}

const struct etld_method etld_method_graph = {"Graph", "etl.graph/1", .call = graph};

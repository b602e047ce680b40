/* SPDX-License-Identifier: MIT
 *
 * Graph: who waits for whom, in the order of a tree, with the state of each. Answered from what
 * the loop knows. Loop thread.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "handlers.h"
#include "health.h"
#include "job/graph_view.h"

/* Which jobs are asked for; NULL: there are none, and the request is answered. */
static bool *choose(struct etld_request *request)
{
	const struct etld_generation *g = request->etld->generation;
	const char *group = etl_json_text(request->parameters, "group", NULL);
	struct etld_job *job = NULL;
	bool *shown, any = false;

	if (etl_json_get(request->parameters, "job") && !(job = etld_request_job(request)))
		return NULL;
	shown = etl_calloc(g->n_jobs + 1, sizeof *shown);
	if (job)
		etl_graph_related(g->jobs, g->n_jobs, job->job, shown);
	for (size_t i = 0; i < g->n_jobs; i++) {
		const char *is = g->jobs[i]->group;

		shown[i] = (!job || shown[i]) && (!group || (is && etl_streq(is, group)));
		any |= shown[i];
	}
	if (any || !group)
		return shown;
	free(shown);
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "etlctl graph", "no job is in group '%s'", group);
	return NULL;
}

static void add_block(struct etl_json *node, const struct etld *etld, const struct etld_job *job)
{
	struct etl_json *item, *window;
	struct etld_block block;
	char name[256];

	if (!etld_blocked_by(etld, job, &block)) {
		etl_json_add_null(node, "waits_for");
		return;
	}
	item = etl_json_add_object(node, "waits_for");
	etl_json_add_text(item, "job", block.upstream->name);
	etld_partition_text(block.upstream->job, &block.upstream->job->partitions[block.partition],
		name, sizeof name);
	etl_json_add_text(item, "partition", name);
	window = etl_json_add_object(item, "window");
	etld_json_time(window, "start", block.window.start);
	etld_json_time(window, "end", block.window.end);
	etl_json_add_text(item, "culprit", block.culprit ? block.culprit->name : NULL);
}

static void add_node(struct etl_json *nodes, const struct etld *etld, const struct etld_job *job,
	size_t depth)
{
	struct etl_json *node = etl_json_add_object(nodes, NULL);
	struct etld_health health;
	struct etl_json *after;

	etl_json_add_text(node, "name", job->name);
	etl_json_add_text(node, "group", job->job->group);
	etl_json_add_int(node, "depth", (int64_t)depth);
	etld_job_health(etld, job, &health);
	etl_json_add_text(node, "health", etld_health_word(health.id));
	etl_json_add_text(node, "reason", health.reason);
	etl_json_add_int(node, "late_by_s", health.late_by.us / 1000000);
	etl_json_add_bool(node, "running", etld_running(job) != NULL);
	after = etl_json_add_array(node, "after");
	for (size_t i = 0; i < job->job->n_upstream; i++)
		etl_json_add_text(after, NULL, job->job->upstream[i]->name);
	add_block(node, etld, job);
}

static void add_edges(struct etl_json *edges, const struct etl_job *job, const bool *shown)
{
	for (size_t i = 0; i < job->n_upstream; i++)
		if (shown[job->upstream[i]->number]) {
			struct etl_json *edge = etl_json_add_object(edges, NULL);

			etl_json_add_text(edge, "from", job->upstream[i]->name);
			etl_json_add_text(edge, "to", job->name);
		}
}

void etld_handle_graph(struct etld_request *request)
{
	struct etld *etld = request->etld;
	const struct etld_generation *g = etld->generation;
	bool *shown = choose(request);
	struct etl_graph_node *tree;
	struct etl_json *reply, *nodes, *edges;
	size_t n;

	if (!shown)
		return;
	tree = etl_calloc(g->n_jobs + 1, sizeof *tree);
	n = etl_graph_tree(g->jobs, g->n_jobs, shown, tree);
	reply = etld_reply_object(etld, "etl.graph/1");
	nodes = etl_json_add_array(reply, "nodes");
	edges = etl_json_add_array(reply, "edges");
	for (size_t i = 0; i < n; i++) {
		struct etld_job *job = etld_job_find(etld, tree[i].job->name);

		if (!job)
			continue;
		add_node(nodes, etld, job, tree[i].depth);
		add_edges(edges, tree[i].job, shown);
	}
	free(tree);
	free(shown);
	etld_answer(request, reply);
}

/* SPDX-License-Identifier: MIT
 *
 * Metrics: what the daemon counts, as text. Answered by the loop.
 */
#include "base/alloc.h"
#include "facts/metrics.h"
#include "methods/methods.h"

struct measure {
	struct etld_walk walk;
	struct etld_job_sums sums;
};

static void measure_job(struct etld_walk *walk, struct etld_job *job)
{
	etld_metrics_look(&((struct measure *)walk)->sums, walk->etld, job);
}

/* Daemon, hosts, pool and outbox are read now, in one turn, the sums over jobs as each was looked
 * at: figures of one scrape may be some milliseconds apart, which is less than the time between two
 * scrapes. */
static void measure_end(struct etld_walk *walk, struct etld_request *request)
{
	struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_REPLY_MAX / 2);
	etld_metrics_write(walk->etld, &((struct measure *)walk)->sums, &text);
	etl_json_add_text(etld_reply(request), "text", etl_buf_text(&text));
	etl_buf_fini(&text);
	etld_answer(request);
}

static void measure_free(struct etld_walk *walk)
{
	etl_buf_fini(&((struct measure *)walk)->sums.lags);
	etl_buf_fini(&((struct measure *)walk)->sums.lates);
	free(walk);
}

/* Two lists are kept beside the sums, of the lag and of the lateness of each partition: they have a
 * line for each partition, and are capped so that all of it fits into one reply. */
static void metrics(struct etld_request *request)
{
	struct measure *m = ETL_NEW(struct measure);

	m->walk = (struct etld_walk){.look = measure_job, .end = measure_end, .free = measure_free};
	etl_buf_init(&m->sums.lags, ETL_CTL_REPLY_MAX / 8);
	etl_buf_init(&m->sums.lates, ETL_CTL_REPLY_MAX / 8);
	etld_request_walk(&m->walk, request);
}

const struct etld_method etld_method_metrics = {"Metrics", "etl.metrics/1", .call = metrics};

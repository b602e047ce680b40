/* SPDX-License-Identifier: MIT
 *
 * What is kept as whole documents: runs, audit, backfills, pauses, hosts, alerts. As
 * twin_ops.h.
 */
#ifndef TESTS_STATE_TWIN_DOCS_H
#define TESTS_STATE_TWIN_DOCS_H

#include "twin_ops.h"

static void save_run(struct side *side, struct etl_error *err)
{
	struct etl_run_partition part = {.partition = ANY(partitions), .state = "ok",
		.reason = ANY(reasons), .error_kind = "", .error_code = "", .windows.loaded = roll(3)};
	struct etl_run_record run = {.run_id = ANY(runs), .job = ANY(jobs), .trigger = "schedule",
		.state = "ok", .reason = ANY(reasons), .code = ANY(reasons), .host = "h",
		.fence = (int64_t)roll(5), .slot = H(roll(3)), .slots = roll(2), .started = recent(roll(3)),
		.ended = roll(2) ? recent(roll(9)) : H(0), .counts = {.in = roll(9)},
		.steps = {{"plan", 1, ETL_MS(3)}}, .n_steps = roll(2), .partitions = &part,
		.n_partitions = roll(2)};

	say_answer(side, "run", etl_doc_put(side->s, &etl_runs, &run, err), err);
}

static void see_runs(struct side *side, struct etl_error *err)
{
	const char *job = roll(2) ? ANY(jobs) : NULL;
	bson_t doc;
	int rc = etl_run_list(side->s, job, (int)roll(4), keep_document, side, err);

	say_answer(side, "runs", rc, err);
	rc = etl_doc_get(side->s, &etl_runs, ANY(runs), &doc, err);
	say_answer(side, "run", rc, err);
	if (rc > 0) {
		keep_document(side, &doc);
		bson_destroy(&doc);
	}
	say_list(side, false);
}

static void audit(struct side *side, struct etl_error *err)
{
	bson_t *details = roll(2) ? BCON_NEW("$n", BCON_INT32((int)roll(9))) : NULL;

	say_answer(side, "audit", etl_audit_add(side->s, ANY(jobs), ANY(jobs), ANY(reasons), details, err),
		err);
	bson_destroy(details);
}

static void backfills(struct side *side, struct etl_error *err)
{
	struct etl_backfill b = {.range = {H(roll(3)), H(9)}, .newest_first = roll(2),
		.reprocess = (enum etl_reprocess)roll(ETL_REPROCESS_MAX), .rate = (double)roll(3) / 4,
		.state = roll(3) ? ETL_BACKFILL_RUNNING : ETL_BACKFILL_DONE, .at = H(roll(9)),
		.windows = roll(9), .done = roll(9), .lost = roll(2), .attempt = 1, .who = "uid 0",
		.created = recent(roll(3)), .updated = recent(9)};
	struct etl_backfill got = {.id = ""};
	const char *job = ANY(jobs);
	int rc;

	snprintf(b.id, sizeof b.id, "%s", ANY(runs));
	b.id[8] = (char)('a' + roll(8));
	snprintf(b.job, sizeof b.job, "%s", job);
	snprintf(b.reason, sizeof b.reason, "%s", ANY(reasons));
	if (roll(3) == 0)
		say_answer(side, "end", etl_backfill_end(side->s, b.id,
			(enum etl_backfill_state)(1 + roll(3)), ANY(reasons), recent(10), err), err);
	else if (roll(2))
		say_answer(side, "backfill", etl_backfill_save(side->s, &b, err), err);
	etl_error_clear(err);
	rc = etl_doc_get(side->s, &etl_backfills, b.id, &got, err);
	say_answer(side, "get", rc, err);
	if (rc > 0)
		keep_backfill(side, &got);
	say_answer(side, "backfills", etl_backfill_list(side->s, roll(2) ? job : NULL, roll(2), (int)roll(4),
		keep_backfill, side, err), err);
	say_list(side, false);
}

static void pauses(struct side *side, struct etl_error *err)
{
	const struct etl_pause pause = {
		ANY(jobs), ANY(jobs), roll(2) ? ANY(reasons) : NULL, H(roll(9)), roll(2)};

	say_answer(side, "pause", etl_pause_set(side->s, &pause, roll(2), err), err);
	say_answer(side, "pauses", etl_doc_list(side->s, &etl_pauses, NULL, keep_pause, side, err), err);
	say_list(side, false);
}

static void sources(struct side *side, struct etl_error *err)
{
	struct etl_source_state host = {.breaker = {.state = "open", .failures = (int64_t)roll(3),
		.openings = (int64_t)roll(3), .opened = H(roll(9)), .until = H(roll(9))},
		.hold_until = H(roll(2)), .full_at = H(roll(2)), .updated = recent(roll(9))};

	snprintf(host.host, sizeof host.host, "%s.example.org", ANY(jobs));
	snprintf(host.hold_reason, sizeof host.hold_reason, "%s", ANY(reasons));
	snprintf(host.breaker.reason, sizeof host.breaker.reason, "%s", ANY(reasons));
	say_answer(side, "source", etl_doc_put(side->s, &etl_hosts, &host, err), err);
	say_answer(side, "sources", etl_doc_list(side->s, &etl_hosts, NULL, keep_source, side, err), err);
	say_list(side, false);
}

static void alert(struct side *side, struct etl_error *err)
{
	char key[64];

	snprintf(key, sizeof key, "deadline/%s/%s/%d", ANY(jobs), ANY(partitions), (int)roll(20));
	say_answer(side, "alert", etl_alert_once(side->s, key, err), err);
}

static void prepare(struct side *side, struct etl_error *err)
{
	say_answer(side, "prepare", side->s->ops->prepare(side->s, err), err);
}

#endif

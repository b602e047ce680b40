/* SPDX-License-Identifier: MIT
 *
 * What is noted with the store's clock: the audit trail, the paused jobs, and what was told once.
 */
#include "state/doc_read.h"
#include "state/state.h"

/* Who did what by etlctl or HTTP, never removed by us: no index with a TTL. */
const struct etl_collection etl_audit = {
	.name = "audit", .newest_by = "at", .indexes = {{"at", {{"at", -1}}}}};

/* A backfill and a change of a watermark write it before anything else and are refused without it,
 * so that no change is without its author. What could be done without MongoDB (a pause, the release
 * of a host) is noted when it can be. */
int etl_audit_add(struct etl_state *s, const char *who, const char *what, const bson_t *details,
	struct etl_error *err)
{
	bson_t *doc = BCON_NEW("at", BCON_DATE_TIME(etl_now(s->clock).ms), "who", BCON_UTF8(who), "what",
		BCON_UTF8(what));
	int rc;

	if (details)
		BSON_APPEND_DOCUMENT(doc, "details", details);
	rc = s->ops->put(s, &etl_audit, &doc, 1, err);
	bson_destroy(doc);
	return rc;
}

static void encode_pause(const void *thing, bson_t *out)
{
	const struct etl_pause *pause = thing;

	BCON_APPEND(out, "_id", BCON_UTF8(pause->job), "who", BCON_UTF8(pause->who ? pause->who : ""),
		"why", BCON_UTF8(pause->why ? pause->why : ""), "at", BCON_DATE_TIME(pause->at.ms));
}

static int decode_pause(const bson_t *doc, void *out, struct etl_error *err)
{
	(void)err;
	*(struct etl_pause *)out = (struct etl_pause){etl_doc_text(doc, "_id"), etl_doc_text(doc, "who"),
		etl_doc_text(doc, "why"), etl_doc_date(doc, "at")};
	return 1;
}

/* One document per paused job; a job that goes on has none. */
const struct etl_collection etl_pauses = {.name = "pauses", .encode = encode_pause,
	.decode = decode_pause, .size = sizeof(struct etl_pause)};

int etl_pause_set(struct etl_state *s, const char *job, bool paused, const char *who, const char *why,
	struct etl_error *err)
{
	const struct etl_pause pause = {job, who, why, etl_now(s->clock)};

	return paused ? etl_doc_put(s, &etl_pauses, &pause, err) : s->ops->remove(s, &etl_pauses, job, err);
}

const struct etl_collection etl_alerts = {
	.name = "alerts", .indexes = {{"keep", {{"at", 1}}, .keep_days = 90}}};

/* 1 = ours to tell; 0 = another etld, or we before a restart, has told it. The key names what has
 * happened, "deadline/orders/eu/2026-05-01T10:00:00Z"; after 90 days it is forgotten and may be
 * told again. */
int etl_alert_once(struct etl_state *s, const char *key, struct etl_error *err)
{
	bson_t *doc = BCON_NEW("_id", BCON_UTF8(key), "at", BCON_DATE_TIME(etl_now(s->clock).ms));
	int rc = s->ops->put_if(s, &etl_alerts, doc, NULL, err);

	bson_destroy(doc);
	return rc;
}

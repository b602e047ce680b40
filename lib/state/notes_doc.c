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
int etl_audit_add(struct etl_state *s, const char *id, const char *who, const char *what,
	const bson_t *details, struct etl_error *err)
{
	bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "at", BCON_DATE_TIME(etl_now(s->clock).ms), "who",
		BCON_UTF8(who), "what", BCON_UTF8(what));
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
		"why", BCON_UTF8(pause->why ? pause->why : ""), "at", BCON_DATE_TIME(pause->at.ms),
		"paused", BCON_BOOL(pause->paused));
}

static int decode_pause(const bson_t *doc, void *out, struct etl_error *err)
{
	bson_iter_t it;

	(void)err;
	*(struct etl_pause *)out = (struct etl_pause){etl_doc_text(doc, "_id"), etl_doc_text(doc, "who"),
		etl_doc_text(doc, "why"), etl_doc_date(doc, "at"), true};
	/* There was no such field when a resume removed the document. */
	return !bson_iter_init_find(&it, doc, "paused") || bson_iter_as_bool(&it);
}

/* One document a job that was ever paused; one that goes on says so, for the order of two orders
 * is decided by it. */
const struct etl_collection etl_pauses = {.name = "pauses", .encode = encode_pause,
	.decode = decode_pause, .size = sizeof(struct etl_pause)};

/* The law of late orders: the order that was given later stands, whenever each is stored. Example: A
 * pauses at 10:00 while it cannot reach MongoDB, B resumes at 10:05, A's pause arrives at 10:10: it is
 * refused. An order that is stored as it is given is the newest, whatever a clock says that was ahead
 * once. A resume stays as a document too, or the late pause would find nothing to be held against. */
int etl_pause_set(struct etl_state *s, const struct etl_pause *pause, bool late, struct etl_error *err)
{
	const struct etl_equal older = {.field = "at", .date = &pause->at, .or_before = true};
	bson_t doc = BSON_INITIALIZER;
	int rc;

	if (!late)
		return etl_doc_put(s, &etl_pauses, pause, err) < 0 ? -1 : 1;
	encode_pause(pause, &doc);
	rc = s->ops->put_if(s, &etl_pauses, &doc, &older, err);
	bson_destroy(&doc);
	return rc;
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

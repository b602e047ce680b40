/* SPDX-License-Identifier: MIT
 *
 * An operator's change of a watermark as a document of watermark_changes, its row and its list. It
 * is written with each slice (change_apply) and never removed.
 *
 * It says what the operator wanted and how far that is done, in slices: `reached` is the end of the
 * last slice, `done` that there are no more. `etlctl watermark undo` looks for it here; the
 * entries' old states stand in the entries themselves (`was`), so that an undo needs no second copy
 * of the ledger.
 */
#include "state/doc_read.h"
#include "state/state.h"

/* A decision about one held unit (release, discard) has the unit and the run that found it beside
 * it. */
static void encode(const void *thing, bson_t *out)
{
	const struct etl_change *c = thing;

	BCON_APPEND(out, "_id", BCON_UTF8(c->id), "command", BCON_UTF8(c->command), "job",
		BCON_UTF8(c->job), "partition", BCON_UTF8(c->partition), "kind",
		BCON_UTF8(etl_change_kind_word(c->kind)), "from", BCON_DATE_TIME(c->from.ms), "to",
		BCON_DATE_TIME(c->to.ms), "reached", BCON_DATE_TIME(c->reached.ms), "windows",
		BCON_INT64(c->windows), "who", BCON_UTF8(c->who), "why", BCON_UTF8(c->why), "at",
		BCON_DATE_TIME(c->at.ms), "done", BCON_BOOL(c->done), "undoes", BCON_UTF8(c->undoes),
		"undone_by", BCON_UTF8(c->undone_by));
	if (etl_change_is_decision(c->kind) && c->object)
		BCON_APPEND(out, "unit", "{", "object", BCON_UTF8(c->object), "start",
			BCON_DATE_TIME(c->unit.start.ms), "end", BCON_DATE_TIME(c->unit.end.ms), "}",
			"run_id", BCON_UTF8(c->run_id));
	else if (etl_change_is_decision(c->kind))
		BCON_APPEND(out, "unit", "{", "start", BCON_DATE_TIME(c->unit.start.ms), "end",
			BCON_DATE_TIME(c->unit.end.ms), "}", "run_id", BCON_UTF8(c->run_id));
}

/* A kind that we do not know is refused: undoing it by guess would write wrong states. */
static int decode(const bson_t *doc, void *thing, struct etl_error *err)
{
	struct etl_change *out = thing;
	bson_iter_t it;

	*out = (struct etl_change){
		.id = etl_doc_text(doc, "_id"),
		.command = etl_doc_text(doc, "command"),
		.job = etl_doc_text(doc, "job"),
		.partition = etl_doc_text(doc, "partition"),
		.who = etl_doc_text(doc, "who"),
		.why = etl_doc_text(doc, "why"),
		.at = etl_doc_date(doc, "at"),
		.from = etl_doc_date(doc, "from"),
		.to = etl_doc_date(doc, "to"),
		.reached = etl_doc_date(doc, "reached"),
		.windows = etl_doc_int(doc, "windows"),
		.done = bson_iter_init_find(&it, doc, "done") && bson_iter_as_bool(&it),
		.undoes = etl_doc_text(doc, "undoes"),
		.undone_by = etl_doc_text(doc, "undone_by"),
		.unit = {etl_doc_date(doc, "unit.start"), etl_doc_date(doc, "unit.end")},
		.run_id = etl_doc_text(doc, "run_id"),
	};
	if (*etl_doc_text(doc, "unit.object"))
		out->object = etl_doc_text(doc, "unit.object");
	if (!etl_change_kind_parse(etl_doc_text(doc, "kind"), &out->kind))
		return etl_error_set(err, ETL_DATA, "change.kind",
			"watermark_changes holds a change of the unknown kind '%s'",
			etl_doc_text(doc, "kind"));
	return 1;
}

const struct etl_collection etl_changes = {
	.name = "watermark_changes",
	.newest_by = "at",
	.indexes = {{"job_at", {{"job", 1}, {"at", -1}}}},
	.encode = encode,
	.decode = decode,
	.size = sizeof(struct etl_change),
};

/* One that undoes another is no undo's business, nor is one that was undone. */
int etl_change_list(struct etl_state *s, const struct etl_change_query *q, etl_thing_fn fn, void *ctx,
	struct etl_error *err)
{
	const char *none = q->standing ? "" : NULL;
	const struct etl_doc_query query = {.limit = q->limit,
		.equal = {{"job", q->job}, {"partition", q->partition}, {"command", q->command},
			{"undone_by", none}, {"undoes", none}}};

	return etl_doc_list(s, &etl_changes, &query, fn, ctx, err);
}

/* SPDX-License-Identifier: MIT
 *
 * Things to documents and back by the row of their kind, and the list of all kinds.
 */
#include "state/rows.h"

#include "base/alloc.h"
#include "state/state.h"

const struct etl_collection *const etl_collections[] = {
	&etl_changes, &etl_runs, &etl_dead_letters, &etl_audit, &etl_backfills, &etl_hosts,
	&etl_alerts, &etl_pauses, NULL,
};

int etl_doc_put(struct etl_state *s, const struct etl_collection *c, const void *thing,
	struct etl_error *err)
{
	bson_t doc = BSON_INITIALIZER;
	bson_t *docs[] = {&doc};
	int rc;

	c->encode(thing, &doc);
	rc = s->ops->put(s, c, docs, 1, err);
	bson_destroy(&doc);
	return rc;
}

/* One question under way: where its answers go. */
struct asked {
	const struct etl_collection *c;
	void *thing; /* room for one */
	etl_thing_fn fn;
	void *ctx;
	struct etl_error *err;
	int rc;
};

static int take(void *ctx, const bson_t *doc)
{
	struct asked *asked = ctx;

	memset(asked->thing, 0, asked->c->size);
	asked->rc = asked->c->decode(doc, asked->thing, asked->err);
	if (asked->rc <= 0)
		return asked->rc;
	return asked->fn(asked->ctx, asked->thing);
}

int etl_doc_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_thing_fn fn, void *ctx, struct etl_error *err)
{
	static const struct etl_doc_query all;
	struct asked asked = {.c = c, .thing = etl_calloc(1, c->size), .fn = fn, .ctx = ctx, .err = err};
	int rc = s->ops->list(s, c, query ? query : &all, take, &asked, err);

	free(asked.thing);
	return asked.rc < 0 ? -1 : rc;
}

static int take_one(void *ctx, const bson_t *doc)
{
	struct asked *asked = ctx;

	asked->rc = 1;
	if (asked->c->decode)
		asked->rc = asked->c->decode(doc, asked->thing, asked->err);
	else
		bson_copy_to(doc, asked->thing);
	return 1;
}

int etl_doc_get(struct etl_state *s, const struct etl_collection *c, const char *id, void *out,
	struct etl_error *err)
{
	const struct etl_doc_query query = {.id = id, .limit = 1};
	struct asked asked = {.c = c, .thing = out, .err = err};
	int rc = s->ops->list(s, c, &query, take_one, &asked, err);

	if (rc < 0 && asked.rc == 1 && !c->decode) /* it came, and the end of the list was lost */
		bson_destroy(out);
	return rc < 0 ? -1 : asked.rc;
}

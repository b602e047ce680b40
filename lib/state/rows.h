/* SPDX-License-Identifier: MIT
 *
 * Kinds of documents that no fence guards. A kind is one row: its collection, its order, its
 * indexes, how it becomes a document and how it is read. The stores know rows, not kinds; those
 * that there are stand in etl_collections[]. Worker threads; everything here blocks.
 */
#ifndef ETL_STATE_ROWS_H
#define ETL_STATE_ROWS_H

#include <bson/bson.h>

#include "base/error.h"
#include "time/clock.h"

struct etl_state;

enum { ETL_INDEX_KEYS = 7, ETL_INDEXES = 7, ETL_EQUALS = 5 };

struct etl_doc_index {
	const char *name;
	struct {
		const char *field;
		int direction;
	} keys[ETL_INDEX_KEYS];
	int keep_days; /* TTL on its first key; 0 = none */
};

struct etl_collection {
	const char *name;
	/* A date: lists have its newest first, of equals the greater `_id`. NULL = by `_id`. */
	const char *newest_by;
	const char *heavy; /* a field that such lists leave out; NULL = none */
	struct etl_doc_index indexes[ETL_INDEXES]; /* besides `_id`; end with one without a name */

	/* A thing -> its document, into an empty `out`. Without `_id` it is only ever added to. */
	void (*encode)(const void *thing, bson_t *out);
	/* Back into `size` zeroed bytes, which may point into `doc`. 1; 0 = it is not of this kind and
	 * is passed over; -1. NULL: who reads takes the document as it is. */
	int (*decode)(const bson_t *doc, void *out, struct etl_error *err);
	size_t size;

	/* One that comes again counts itself and keeps the `newest_by` of its first coming: the
	 * fields for that, and the only one that `encode` may leave out. */
	struct {
		const char *count, *first, *may_lack;
	} again;
	/* What sums are made of: two texts and a date, as paths ("$step"). */
	struct {
		const char *by[2], *span;
	} sum;
};

/* A field that holds just this; with neither text nor date it is not looked at. Not `newest_by` in
 * a query with `before`. `or_before`, of put_if alone: the date, or an earlier one. */
struct etl_equal {
	const char *field, *text;
	const etl_wall *date;
	bool or_before;
};

/* Which documents of a collection; all of it lent for the call. */
struct etl_doc_query {
	const char *id;	    /* the one with this `_id` */
	const char *prefix; /* those whose `_id` begins so, in its order, with the heavy field */
	struct etl_equal equal[ETL_EQUALS];
	const char *before; /* an `_id`: only what comes behind it in the list, its date being */
	etl_wall before_at; /* ... this one */
	int limit;	    /* 0 = none */
};

/* Lent for the call; not 0 ends the list without an error. */
typedef int (*etl_doc_fn)(void *ctx, const bson_t *doc);
typedef int (*etl_thing_fn)(void *ctx, const void *thing);

/* Inserts, or replaces the document with its `_id`. */
int etl_doc_put(struct etl_state *s, const struct etl_collection *c, const void *thing,
	struct etl_error *err);
/* 1 = found, 0 = none, -1. Not for kinds that point into their document; of a kind without `decode`
 * `out` is a bson_t, which is initialised if it is found. */
int etl_doc_get(struct etl_state *s, const struct etl_collection *c, const char *id, void *out,
	struct etl_error *err);
/* Gives `fn` each as `decode` made it; `query` NULL = all. */
int etl_doc_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_thing_fn fn, void *ctx, struct etl_error *err);

/* All kinds; ends with NULL. What is not here gets no collection and no index. */
extern const struct etl_collection *const etl_collections[];

#endif

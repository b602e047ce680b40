/* SPDX-License-Identifier: MIT
 *
 * What the stages share that make several records out of one: the fields that all of these have in
 * common, and writing one of them. A field that is made goes before a common one of the same name,
 * which is left out there. Private to lib/reshape. Worker.
 */
#ifndef ETL_RESHAPE_PARENT_H
#define ETL_RESHAPE_PARENT_H

#include "record/doc.h"
#include "record/path.h"
#include "reshape/reshape.h"

struct etl_parent {
	const struct etl_reshape_env *env;
	const char *rule; /* the stage's name */
	struct etl_arena *arena; /* of the fields in common; until the next record */
	const struct etl_record *record;
	struct etl_parent_field {
		struct etl_element e;
		uint32_t order; /* in the record */
		bool hidden;	/* a made field of this name goes before it */
	} *fields, **by_key;
	size_t n, cap, by_key_cap;
	size_t bytes; /* of the fields */
	struct etl_element *made; /* of the record at hand */
	size_t n_made, made_cap, made_bytes;
};

void etl_parent_open(struct etl_parent *parent, const struct etl_reshape_env *env,
	const char *rule);
void etl_parent_close(struct etl_parent *parent);

/* Another record: its fields, but for what these lead to (NULL = nothing), are in common. `record`
 * is lent until the next one. */
void etl_parent_take(struct etl_parent *parent, const struct etl_record *record,
	const struct etl_path *without, const struct etl_path *nor);
/* Another record, of which only the fields with these names are in common. */
void etl_parent_take_only(struct etl_parent *parent, const struct etl_record *record,
	const struct etl_strings *names);

/* False, and the record is a reject of `out`, if `n` records, with the fields in common and `more`
 * bytes in each, would be more than one may make. */
bool etl_parent_fits(const struct etl_parent *parent, size_t more, uint64_t n,
	struct etl_batch *out);

/* A field of the record that is made next; lent until etl_parent_give. `key` takes the place of its
 * own name, NULL = it keeps it. */
void etl_parent_put(struct etl_parent *parent, const char *key, size_t key_len,
	const struct etl_element *value);
/* Nothing was made. */
static inline void etl_parent_forget(struct etl_parent *parent)
{
	parent->n_made = parent->made_bytes = 0;
}
/* All members of a document. */
void etl_parent_put_members(struct etl_parent *parent, const struct etl_element *document);
/* The record goes to `out`: common fields, then the made ones. One that is too large is a
 * reject. */
void etl_parent_give(struct etl_parent *parent, struct etl_batch *out);
/* What was made so far, without the fields in common, is a reject of `out`. */
void etl_parent_refuse(struct etl_parent *parent, struct etl_batch *out, const char *path,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

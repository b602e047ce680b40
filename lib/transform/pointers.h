/* SPDX-License-Identifier: MIT
 *
 * JSON Pointers as names of fields, the same for each transform: while one works, what a pointer leads
 * to stands at the top of the record under the pointer's own text ("/meta/id"), a name like others;
 * then it goes where the pointer leads. A transform whose names are no pointers pays nothing.
 */
#ifndef ETL_TRANSFORM_POINTERS_H
#define ETL_TRANSFORM_POINTERS_H

#include "record/batch.h"
#include "record/path.h"

struct etl_pointers {
	size_t n;
	const struct etl_path *paths; /* `text` is the name at the top */
};

/* Those of `names` that are pointers; etl_field_name_ok found them right. Loader's thread. */
void etl_pointers_build(struct etl_pointers *pointers, const char *const *names, size_t n,
	struct etl_arena *arena);

/* True if `field` is a pointer to, or into, the field `name` at the top. */
bool etl_pointer_leads_into(const char *field, const char *name);

/* Puts copies of what the pointers lead to at the end of each record. A record that has a field of
 * that very name is a reject: nobody could tell them apart. */
void etl_pointers_lift(const struct etl_pointers *pointers, struct etl_batch *batch, const char *rule);

/* Moves what stands at the top under a pointer's text to where it leads. `gone`: where nothing stands
 * there any more, what the pointer leads to goes as well. Rejects from `n_rejects` on lose what was
 * lifted. A record whose value has no place is a reject of `rule`, the transform's name. */
void etl_pointers_lower(const struct etl_pointers *pointers, struct etl_batch *batch,
	size_t n_rejects, bool gone, const char *rule);

#endif

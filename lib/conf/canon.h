/* SPDX-License-Identifier: MIT
 *
 * Options in a canonical form: what they mean and not how they were written. Two files that mean the
 * same give the same bytes. An option at its default is left out, so that one that is written out, or
 * that a later release adds, changes nothing. Nothing of a secret but its reference is in it. For
 * fingerprints; loader's thread, while the tree is there.
 */
#ifndef ETL_CONF_CANON_H
#define ETL_CONF_CANON_H

#include "base/buf.h"
#include "conf/option.h"

struct etl_canon {
	struct etl_buf text;
	struct etl_arena *scratch; /* of the defaults; goes with it */
};

void etl_canon_init(struct etl_canon *c);
void etl_canon_fini(struct etl_canon *c);

/* One value behind the other; each says where it ends. NULL is another text than "". */
void etl_canon_text(struct etl_canon *c, const char *text);
void etl_canon_int(struct etl_canon *c, int64_t n);
void etl_canon_double(struct etl_canon *c, double n);
/* The subtree as conf/document.h reads it: 5 and "5" are two values, 'a' and a are one. The order of
 * keys is part of it. */
void etl_canon_node(struct etl_canon *c, const struct etl_node *node);
/* Keys and values; in the order of the keys, or as they stand. */
void etl_canon_pairs(struct etl_canon *c, const struct etl_pairs *pairs, bool sorted);

/* The rows of a table, each under its name: what differs from the default and is no `aside`. `size`:
 * of the struct that the table fills. */
void etl_canon_options(struct etl_canon *c, const struct etl_option *table, const void *options,
	size_t size);

#endif

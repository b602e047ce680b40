/* SPDX-License-Identifier: MIT
 *
 * The configuration tree: what a YAML file said, with the place of every word. Scalars are
 * text; nothing is converted here. A tree goes when its file was read; the texts of its
 * scalars stay as long as what was made of them.
 */
#ifndef ETL_CONF_NODE_H
#define ETL_CONF_NODE_H

#include <stdbool.h>
#include <stddef.h>

enum etl_node_kind { ETL_NODE_SCALAR, ETL_NODE_LIST, ETL_NODE_MAP };

struct etl_conf_file; /* path and text of a file, kept for error messages */

struct etl_mark {
	const struct etl_conf_file *file;
	unsigned line;	 /* from 1 */
	unsigned column; /* from 1, in characters */
	unsigned width;	 /* characters to underline; at least 1 */
};

struct etl_node {
	enum etl_node_kind kind;
	struct etl_mark mark;
	bool plain;	   /* scalar written without quotes */
	bool expanded;	   /* scalar that held a ${VAR}: converts like a plain one */
	bool unset;	   /* ... that has no value: reported, the text is "" */
	const char *text;  /* scalar: its text after ${VAR} expansion; "" when empty */
	size_t n;	   /* list and map: number of items */
	struct etl_node **items; /* list: elements; map: values */
	struct etl_node **keys;	 /* map: scalars, in the file's order */
};

/* The value of `key` in a map, or NULL (also when `map` is NULL or no map). */
const struct etl_node *etl_node_get(const struct etl_node *map, const char *key);

/* True for an empty plain scalar, `~` and `null`. */
bool etl_node_is_null(const struct etl_node *node);

#endif

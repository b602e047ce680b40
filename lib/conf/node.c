/* SPDX-License-Identifier: MIT
 *
 * Questions to the configuration tree.
 */
#include "conf/node.h"

#include "base/str.h"

const struct etl_node *etl_node_get(const struct etl_node *map, const char *key)
{
	if (!map || map->kind != ETL_NODE_MAP)
		return NULL;
	/* In order, without an index: mappings of a configuration have a handful of
	 * keys. */
	for (size_t i = 0; i < map->n; i++)
		if (etl_streq(map->keys[i]->text, key))
			return map->items[i];
	return NULL;
}

/* "Null" and "NULL" are words here, although YAML's core schema has them: three
 * spellings of nothing are one too many to remember, and ~ is already there. */
bool etl_node_is_null(const struct etl_node *node)
{
	return node->kind == ETL_NODE_SCALAR && node->plain &&
		(!*node->text || etl_streq(node->text, "~") || etl_streq(node->text, "null"));
}

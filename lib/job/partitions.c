/* SPDX-License-Identifier: MIT
 *
 * Partitions: each list under `partitions` is a dimension, several make their product.
 * `values` gives further text to each value of a dimension, usable as a variable in braces:
 *
 *   partitions:
 *     station: ["283164601", "283181971"]
 *     values: {longitude: {"283164601": "-3.99", "283181971": "-3.957"}}
 *
 * station: [a, b] and kind: [x, y] make a/x, a/y, b/x, b/y: four ledgers, four
 * watermarks. A name is part of the key of each ledger entry, so it must not depend on
 * the order of dimensions in memory, only on that in the file.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "job/job.h"
#include "record/keyset.h"

/* Eight dimensions and 64 names are far more than any job has; products are capped
 * besides. */
#define DIMENSIONS_MAX 8
#define NAMES_MAX 64

struct dimensions {
	const struct etl_node *lists[DIMENSIONS_MAX];
	const char *names[NAMES_MAX + 1]; /* dimensions first, then extra values */
	const struct etl_node *extra[NAMES_MAX]; /* map of an extra value, by index */
	size_t n, n_names;
};

/* An empty text would make a partition without a name. */
static bool is_list_of_scalars(const struct etl_node *node)
{
	if (node->kind != ETL_NODE_LIST || !node->n)
		return false;
	for (size_t i = 0; i < node->n; i++)
		if (node->items[i]->kind != ETL_NODE_SCALAR || !*node->items[i]->text)
			return false;
	return true;
}

/* Two partitions of one name would share a ledger: each would close the other's windows. A set,
 * since a list may have a hundred thousand values. */
static void repeated_values(const struct etl_node *list, const struct etl_conf_env *env)
{
	struct etl_keyset *seen = etl_keyset_new(list->n, SIZE_MAX);
	size_t number;

	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->items[i]->text;

		if (etl_keyset_put(seen, text, strlen(text), &number) == 0)
			etl_diag_add(env->diag, &list->items[i]->mark, ETL_DIAG_DUPLICATE,
				"it is in the list already", NULL,
				"partition '%s' appears twice in %s", text, env->what);
	}
	etl_keyset_free(seen);
}

/* {window.start} and {run_id} are variables of every template: a dimension of that name
 * could not be told from them. */
static bool name_is_free(const struct dimensions *d, const struct etl_node *key,
	const struct etl_conf_env *env)
{
	bool taken = etl_streq(key->text, "run_id") || etl_starts_with(key->text, "window");

	for (size_t i = 0; i < d->n_names; i++)
		taken |= etl_streq(d->names[i], key->text);
	if (d->n_names == NAMES_MAX)
		etl_diag_add(env->diag, &key->mark, ETL_DIAG_LIMIT, NULL, NULL,
			"more than %d names under `partitions` in %s", NAMES_MAX, env->what);
	else if (taken || !etl_is_name(key->text, 64))
		etl_diag_add(env->diag, &key->mark, ETL_DIAG_CONFLICT, NULL,
			"letters, digits, _ and -; not run_id or window...",
			"'%s' cannot name a partition or its value in %s", key->text, env->what);
	else
		return true;
	return false;
}

static void read_dimensions(struct dimensions *d, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *values = etl_node_get(node, "values");

	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *list = node->items[i];

		if (list == values || !name_is_free(d, node->keys[i], env))
			continue;
		if (!is_list_of_scalars(list) || d->n == DIMENSIONS_MAX) {
			etl_diag_add(env->diag, &list->mark, ETL_DIAG_TYPE, "a list such as [a, b]",
				NULL, "partition '%s' in %s is a list of at least one value",
				node->keys[i]->text, env->what);
			continue;
		}
		repeated_values(list, env);
		d->names[d->n_names++] = node->keys[i]->text;
		d->lists[d->n++] = list;
	}
	if (values && values->kind != ETL_NODE_MAP)
		etl_diag_add(env->diag, &values->mark, ETL_DIAG_TYPE, "a mapping of mappings",
			"a dimension needs another name: `values` gives further text to partitions",
			"`values` in %s is no mapping", env->what);
	for (size_t i = 0; values && values->kind == ETL_NODE_MAP && i < values->n; i++) {
		if (values->items[i]->kind != ETL_NODE_MAP) {
			etl_diag_add(env->diag, &values->items[i]->mark, ETL_DIAG_TYPE, NULL, NULL,
				"`values` in %s maps a name to a mapping from partition to text",
				env->what);
			continue;
		}
		if (!name_is_free(d, values->keys[i], env))
			continue;
		d->extra[d->n_names] = values->items[i];
		d->names[d->n_names++] = values->keys[i]->text;
	}
}

/* Values joined by '/' must come apart again: two partitions of one name share a ledger. */
static void slashes(const struct dimensions *d, const struct etl_conf_env *env)
{
	for (size_t k = 0; d->n > 1 && k < d->n; k++)
		for (size_t i = 0; i < d->lists[k]->n; i++)
			if (strchr(d->lists[k]->items[i]->text, '/'))
				etl_diag_add(env->diag, &d->lists[k]->items[i]->mark,
					ETL_DIAG_CONFLICT, "holds a '/'", NULL,
					"with several dimensions no value in %s may hold a '/'",
					env->what);
}

/* The text of an extra value for a partition: by the value of any of its dimensions.
 * Dimensions are asked in their order: with {lon: {a: east}} a partition a/x has the
 * lon of a. */
static const char *extra_value(const struct dimensions *d, size_t name,
	const char *const *values, const struct etl_conf_env *env)
{
	for (size_t k = 0; k < d->n; k++) {
		const struct etl_node *node = etl_node_get(d->extra[name], values[k]);

		if (node && node->kind == ETL_NODE_SCALAR)
			return node->text;
	}
	etl_diag_add(env->diag, &d->extra[name]->mark, ETL_DIAG_MISSING, NULL, NULL,
		"value '%s' says nothing for partition '%s' in %s", d->names[name],
		d->n ? values[0] : "all", env->what);
	return "";
}

/* Partition number `index` of the product: the last dimension turns fastest. */
static void make_partition(const struct dimensions *d, size_t index, struct etl_partition *out,
	const struct etl_conf_env *env)
{
	const char **values = etl_arena_zalloc(env->arena, (d->n_names + 1) * sizeof *values);
	struct etl_buf name;

	/* index 3 of 2 x 2: 3 % 2 = 1 is y, 3 / 2 = 1 is b: "b/y". */
	for (size_t k = d->n; k-- > 0;) {
		values[k] = d->lists[k]->items[index % d->lists[k]->n]->text;
		index /= d->lists[k]->n;
	}
	etl_buf_init(&name, 1024);
	for (size_t k = 0; k < d->n; k++)
		etl_buf_printf(&name, "%s%s", k ? "/" : "", values[k]);
	out->name = d->n ? etl_arena_strdup(env->arena, etl_buf_text(&name)) : "all";
	etl_buf_fini(&name);
	for (size_t k = d->n; k < d->n_names; k++)
		values[k] = extra_value(d, k, values, env);
	out->values = values;
}

void etl_job_load_partitions(struct etl_job *job, const struct etl_node *node,
	struct etl_conf_env *env)
{
	struct dimensions d = {.n = 0};
	const char **names;
	size_t total = 1;

	if (node && node->kind == ETL_NODE_MAP)
		read_dimensions(&d, node, env);
	else if (node)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, "station: [a, b]", NULL,
			"`partitions` in %s is a mapping from a name to a list", env->what);
	slashes(&d, env);
	/* It stops as soon as it is too much: 10,000 values in each of eight dimensions
	 * would overflow. */
	for (size_t k = 0; k < d.n && total <= ETL_PARTITIONS_MAX; k++)
		total *= d.lists[k]->n;
	if (total > ETL_PARTITIONS_MAX) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_LIMIT, NULL, NULL,
			"%s has more than %d partitions", env->what, ETL_PARTITIONS_MAX);
		/* One is made even so, because the rest of the job is still to be
		 * judged, and templates ask for names. */
		total = 1;
	}
	names = etl_arena_zalloc(env->arena, (d.n_names + 1) * sizeof *names);
	memcpy(names, d.names, d.n_names * sizeof *names);
	job->partition_names = names;
	env->partition_names = names;
	job->partitions = etl_arena_zalloc(env->arena, total * sizeof *job->partitions);
	job->n_partitions = total;
	for (size_t i = 0; i < total; i++)
		make_partition(&d, i, &job->partitions[i], env);
}

void etl_job_partition_option(const char *partition, struct etl_buf *out)
{
	if (!partition || etl_streq(partition, "-"))
		return;
	etl_buf_str(out, " --partition ");
	etl_encode_shell(out, partition);
}

/* The name of the first dimension stands for all: "station=a/x" is what
 * etl_partition_find reads. */
void etl_partition_text(const struct etl_job *job, const struct etl_partition *partition, char *out,
	size_t size)
{
	if (job->n_partitions == 1 && !job->partition_names[0])
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%s=%s", job->partition_names[0], partition->name);
}

/* The whole text first: a value may hold a '=' itself ("x=y"). */
const struct etl_partition *etl_partition_find(const struct etl_job *job, const char *text)
{
	const char *equals = strchr(text, '=');
	const struct etl_partition *found;

	if (etl_streq(text, "-") && !job->partition_names[0])
		return &job->partitions[0];
	found = etl_job_partition(job, text);
	return found || !equals ? found : etl_job_partition(job, equals + 1);
}

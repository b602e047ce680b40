/* SPDX-License-Identifier: MIT
 *
 * Where a job's rows go: one sink or a list of them, which of them commits with the ledger, and
 * the names of the places.
 *
 * load: [{mongodb: {collection: raw, ...}}, {mongodb: {collection: hourly, ...}}] goes
 * to "etl.raw" and "etl.hourly". The first that can join the store's transaction
 * commits with the ledger; its name leads the target: "etl.raw + etl.hourly".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/str.h"
#include "job/job_parts.h"

/* ---- loading --------------------------------------------------------------------------------- */

/* The text under `load`, keys and values in their order: an edited target, mode or key
 * makes the hash of what was loaded before void, so that the next re-read writes
 * instead of comparing. +1 and +2 tell keys from values. */
static uint64_t digest(const struct etl_node *node, uint64_t seed)
{
	if (node->kind == ETL_NODE_SCALAR)
		return etl_hash64(node->text, strlen(node->text), seed);
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == ETL_NODE_MAP)
			seed = digest(node->keys[i], seed + 1);
		seed = digest(node->items[i], seed + 2);
	}
	return seed;
}

/* Exactly-once rests on the one load whose rows and ledger go in together; the others
 * are written before it and may see a row again. A load that keeps nothing (null)
 * commits only if there is no other. */
static size_t committing_of(const struct etl_job *job)
{
	for (size_t i = 0; i < job->n_loads; i++)
		if (job->loads[i].type->joins_transaction)
			return i;
	for (size_t i = 0; i < job->n_loads; i++)
		if (!job->loads[i].type->discards)
			return i;
	return 0;
}

/* A row would be written twice, or one of two modes would undo what the other one did.
 * The places are compared by their names with the daemon's database filled in: "raw"
 * and "etl.raw" are one place. */
static void refuse_same_place(const struct etl_job *job, size_t at, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const char *database = env->database ? env->database : "";
	char place[ETL_TARGET_BYTES], other[ETL_TARGET_BYTES];

	etl_load_target(&job->loads[at], database, place);
	for (size_t i = 0; *place && i < at; i++) {
		etl_load_target(&job->loads[i], database, other);
		if (etl_streq(place, other))
			etl_diag_add(env->diag, &node->keys[0]->mark, ETL_DIAG_CONFLICT, NULL, NULL,
				"two loads of %s go to the same place, %s", env->what,
				*place == '.' ? place + 1 : place);
	}
}

/* At most eight: each is a write before the commit, and a run waits for all of them. */
static bool is_list(const struct etl_node *node, const struct etl_conf_env *env)
{
	if (!node->n)
		etl_job_fail_at(env, node, ETL_DIAG_MISSING, NULL, "'load' names no sink");
	else if (node->n > ETL_LOADS_MAX)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_LIMIT, NULL, NULL,
			"'load' of %s is a list of at most %d", env->what, ETL_LOADS_MAX);
	return node->n && node->n <= ETL_LOADS_MAX;
}

void etl_job_load_loads(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *const *items = node->kind == ETL_NODE_LIST ?
		(const struct etl_node *const *)node->items : &node;
	size_t n = node->kind == ETL_NODE_LIST ? node->n : 1;

	if (node->kind == ETL_NODE_LIST && !is_list(node, env))
		return;
	job->loads = etl_arena_zalloc(env->arena, n * sizeof *job->loads);
	for (size_t i = 0; i < n; i++) {
		if (!etl_job_load_sink(&job->loads[job->n_loads], items[i], env))
			continue;
		refuse_same_place(job, job->n_loads++, items[i], env);
		job->load_digest = digest(items[i], job->load_digest);
	}
	/* Decided once, for all threads that run the job. */
	job->committing = committing_of(job);
}

const struct etl_node *etl_job_load_body(const struct etl_node *node, size_t i)
{
	return node->kind == ETL_NODE_LIST ? node->items[i]->items[0] : node->items[0];
}

/* ---- places ---------------------------------------------------------------------------------- */

void etl_load_target(const struct etl_job_load *load, const char *database,
	char out[ETL_TARGET_BYTES])
{
	*out = '\0';
	if (load->type->target)
		load->type->target(load->options, database, out, ETL_TARGET_BYTES);
}

void etl_load_name(const struct etl_job_load *load, const char *database,
	char out[ETL_TARGET_BYTES])
{
	etl_load_target(load, database, out);
	if (!*out)
		etl_text_copy(out, ETL_TARGET_BYTES, load->type->name);
}

/* Places that are too many for one name end with a hash of all: still another name for other
 * places. */
static void copy_places(const struct etl_buf *places, char out[ETL_TARGET_BYTES])
{
	const char *text = etl_buf_text(places);
	/* '~', 16 hexadecimal digits and the NUL. */
	size_t room = ETL_TARGET_BYTES - 18;

	etl_text_copy(out, ETL_TARGET_BYTES, text);
	if (places->len >= ETL_TARGET_BYTES)
		snprintf(out + room, ETL_TARGET_BYTES - room, "~%016" PRIx64,
			etl_hash64(text, places->len, 0));
}

void etl_job_target(const struct etl_job *job, const char *database, char out[ETL_TARGET_BYTES])
{
	ETL_BUF_CLEANUP struct etl_buf places;
	char place[ETL_TARGET_BYTES];

	etl_buf_init(&places, ETL_LOADS_MAX * (ETL_TARGET_BYTES + sizeof ETL_TARGET_AND));
	*out = '\0';
	if (job->left_out || !job->n_loads)
		return;
	etl_load_target(&job->loads[job->committing], database, place);
	etl_buf_str(&places, place);
	for (size_t i = 0; i < job->n_loads; i++) {
		if (i == job->committing)
			continue;
		etl_load_target(&job->loads[i], database, place);
		if (*place)
			etl_buf_printf(&places, "%s%s", places.len ? ETL_TARGET_AND : "", place);
	}
	copy_places(&places, out);
}

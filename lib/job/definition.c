/* SPDX-License-Identifier: MIT
 *
 * Writes a job down in canonical form and hashes it. Judges nothing.
 */
#include "job/definition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "conf/canon.h"

void etl_definition_text(uint64_t definition, char out[ETL_DEFINITION_TEXT_BYTES])
{
	*out = '\0';
	if (definition)
		snprintf(out, ETL_DEFINITION_TEXT_BYTES, "%016" PRIx64, definition);
}

bool etl_definition_is_known(uint64_t definition)
{
	return definition >> 56 == ETL_DEFINITION_FORM;
}

/* ---- the canonical form -------------------------------------------------------------------- */

static void put_extract(const struct etl_job *job, struct etl_canon *c)
{
	etl_canon_text(c, "extract");
	etl_canon_text(c, job->source->name);
	etl_canon_options(c, job->source->options, job->source_options, job->source->options_size);
	etl_decode_canon(job->decode, c);
	etl_canon_int(c, job->covers_all);
}

static void put_stages(const struct etl_job *job, struct etl_canon *c)
{
	for (size_t i = 0; i < job->n_transforms; i++) {
		const struct etl_job_stage *stage = &job->transforms[i];

		etl_canon_text(c, "transform");
		etl_canon_text(c, stage->type->name);
		etl_canon_options(c, stage->type->options, stage->options, stage->type->options_size);
	}
	for (size_t i = 0; i < job->n_checks; i++) {
		const struct etl_job_check *check = &job->checks[i];

		etl_canon_text(c, "check");
		etl_canon_text(c, check->type->name);
		etl_canon_int(c, (int64_t)check->on_fail);
		etl_canon_options(c, check->type->options, check->options, check->type->options_size);
	}
}

struct piece {
	char *text;
	size_t len;
};

static struct piece piece_of(const struct etl_job_load *load, const char *database)
{
	char target[ETL_TARGET_BYTES];
	struct piece piece;
	struct etl_canon c;

	etl_canon_init(&c);
	etl_load_target(load, database, target);
	etl_canon_text(&c, load->type->name);
	etl_canon_text(&c, target);
	etl_canon_options(&c, load->type->options, load->options, load->type->options_size);
	piece.len = c.text.len;
	piece.text = etl_buf_take(&c.text);
	etl_canon_fini(&c);
	return piece;
}

static int by_bytes(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Each gets the same rows: their order says which commits, and nothing of what is in them. */
static void put_loads(const struct etl_job *job, const char *database, struct etl_canon *c)
{
	struct piece pieces[ETL_LOADS_MAX];

	for (size_t i = 0; i < job->n_loads; i++)
		pieces[i] = piece_of(&job->loads[i], database);
	if (job->n_loads)
		qsort(pieces, job->n_loads, sizeof *pieces, by_bytes);
	for (size_t i = 0; i < job->n_loads; i++) {
		etl_canon_text(c, "load");
		etl_buf_append(&c->text, pieces[i].text, pieces[i].len);
		free(pieces[i].text);
	}
}

static void put_job(const struct etl_job *job, const struct etl_conf_env *env, struct etl_canon *c)
{
	put_extract(job, c);
	put_stages(job, c);
	put_loads(job, env->database ? env->database : "", c);
}

char *etl_job_canon(const struct etl_job *job, const struct etl_conf_env *env, size_t *len)
{
	struct etl_canon c;
	char *text;

	etl_canon_init(&c);
	put_job(job, env, &c);
	*len = c.text.len;
	text = etl_buf_take(&c.text);
	etl_canon_fini(&c);
	return text;
}

/* ---- fingerprints -------------------------------------------------------------------------- */

/* Its values, in whatever order the file names them. */
static uint64_t with_partition(const struct etl_job *job, const struct etl_partition *partition,
	uint64_t base)
{
	struct etl_hash_set values = {0};
	char text[ETL_HASH_TEXT_BYTES];

	for (size_t i = 0; job->partition_names[i]; i++) {
		etl_cleanup(free) char *value = etl_strf("%zu:%s=%s", strlen(job->partition_names[i]),
			job->partition_names[i], partition->values[i]);

		etl_hash_set_add(&values, value, strlen(value));
	}
	etl_hash_set_text(&values, base, text);
	return etl_hash64(text, strlen(text), 0);
}

/* The law of the definition: one that changes says that other documents may come out. It is made of what
 * the loader understood, partition by partition. Example: a station's latitude is corrected under
 * `partitions`: the units of that station are of another definition, and those of the others are not; a
 * station that is added changes nothing for those that were there. */
void etl_job_define(struct etl_job *job, const struct etl_conf_env *env)
{
	etl_cleanup(free) char *text = NULL;
	uint64_t base;
	size_t len;

	if (!job->source) /* another kind of work than flow: the definition stays unknown */
		return;
	text = etl_job_canon(job, env, &len);
	base = etl_hash64(text, len, 0);
	for (size_t i = 0; i < job->n_partitions; i++)
		job->partitions[i].definition = (uint64_t)ETL_DEFINITION_FORM << 56 |
			with_partition(job, &job->partitions[i], base) >> 8;
}

/* SPDX-License-Identifier: MIT
 *
 * Up before a transform, down behind it: one copy of the record for each pointer and way.
 *
 * cast: {/meta/v: int} of {"meta": {"v": "1"}}: lifted to {"meta": {"v": "1"},
 * "/meta/v": "1"}, cast at the top like any field to "/meta/v": 1, and lowered to
 * {"meta": {"v": 1}}.
 */
#include "transform/pointers.h"

#include "record/doc.h"

/* Names without a slash need nothing: a transform that uses none pays nothing. */
void etl_pointers_build(struct etl_pointers *pointers, const char *const *names, size_t n,
	struct etl_arena *arena)
{
	struct etl_path *paths = etl_arena_zalloc(arena, (n + 1) * sizeof *paths);
	struct etl_error err = ETL_ERROR_INIT;

	*pointers = (struct etl_pointers){.paths = paths};
	for (size_t i = 0; i < n; i++)
		if (*names[i] == '/' && etl_path_compile(names[i], arena, &paths[pointers->n], &err) == 0)
			pointers->n++;
}

/* "/meta/v" leads into "meta", "/metadata/v" does not. */
bool etl_pointer_leads_into(const char *field, const char *name)
{
	size_t len = strlen(name);

	return *field == '/' && strncmp(field + 1, name, len) == 0 &&
	       (!field[1 + len] || field[1 + len] == '/');
}

/* The field at the top that stands for the pointer.
 * A name with one token, which is the pointer's own text: slashes and all. */
static struct etl_path top_of(const struct etl_path *pointer, struct etl_path_token *token)
{
	*token = (struct etl_path_token){
		.name = pointer->text, .len = (uint32_t)strlen(pointer->text), .index = -1};
	return (struct etl_path){.text = pointer->text, .n = 1, .tokens = token};
}

/* A record that has a field of the pointer's own text would be lowered wrongly: it is
 * refused. */
static void lift_one(const struct etl_path *pointer, struct etl_batch *batch, size_t i,
	const char *rule)
{
	struct etl_record *record = &batch->records[i];
	struct etl_path_token token;
	struct etl_path top = top_of(pointer, &token);
	struct etl_element e;

	if (etl_doc_find(record->bson, record->len, pointer->text, &e))
		etl_batch_reject_record(batch, i, "transform", rule, pointer->text,
			"the record has a field of the name '%s', which is a JSON Pointer here",
			pointer->text);
	else if (etl_path_find(pointer, record->bson, record->len, &e))
		etl_path_put(&top, record->bson, record->len, &e, batch->arena, &record->bson,
			&record->len);
}

/* Pointer by pointer over the whole batch; rejects of one are passed by the next. */
void etl_pointers_lift(const struct etl_pointers *pointers, struct etl_batch *batch, const char *rule)
{
	for (size_t p = 0; p < pointers->n; p++)
		for (size_t i = 0; i < batch->n; i++)
			if (batch->records[i].len)
				lift_one(&pointers->paths[p], batch, i, rule);
	if (pointers->n)
		etl_batch_compact(batch);
}

/* Taken from the top first: the pointer may lead into a document that is then written
 * anew. */
static void lower_one(const struct etl_path *pointer, struct etl_batch *batch, size_t i, bool gone,
	const char *rule)
{
	struct etl_record *record = &batch->records[i];
	struct etl_path_token token;
	struct etl_path top = top_of(pointer, &token);
	struct etl_element e;
	bool there = etl_doc_find(record->bson, record->len, pointer->text, &e);
	const char *why = NULL;

	if (there)
		etl_path_put(&top, record->bson, record->len, NULL, batch->arena, &record->bson,
			&record->len);
	if (there || gone)
		why = etl_path_put(pointer, record->bson, record->len, there ? &e : NULL, batch->arena,
			&record->bson, &record->len);
	/* Documents that lead there are made, so a record may grow here as well. */
	if (!why && record->len > ETL_DOCUMENT_BYTES_MAX)
		why = "the record is larger than a document may be";
	if (why)
		etl_batch_reject_record(batch, i, "transform", rule, pointer->text,
			"'%s' cannot be written: %s", pointer->text, why);
}

/* A dead letter shows the record as it came.
 * What was lifted is taken out of the bytes that a dead letter shows: an operator
 * compares them with what the service sent. */
static void clean_reject(const struct etl_path *pointer, struct etl_batch *batch,
	struct etl_reject *reject)
{
	struct etl_path_token token;
	struct etl_path top = top_of(pointer, &token);

	if (reject->raw_is_bson && !reject->raw_cut)
		etl_path_put(&top, reject->raw, reject->raw_len, NULL, batch->arena, &reject->raw,
			&reject->raw_len);
}

/* Only rejects of this transform are cleaned: earlier ones never had the field. */
void etl_pointers_lower(const struct etl_pointers *pointers, struct etl_batch *batch,
	size_t n_rejects, bool gone, const char *rule)
{
	for (size_t p = 0; p < pointers->n; p++) {
		for (size_t i = n_rejects; i < batch->n_rejects; i++)
			clean_reject(&pointers->paths[p], batch, &batch->rejects[i]);
		for (size_t i = 0; i < batch->n; i++)
			if (batch->records[i].len)
				lower_one(&pointers->paths[p], batch, i, gone, rule);
	}
	if (pointers->n)
		etl_batch_compact(batch);
}

/* SPDX-License-Identifier: MIT
 *
 * Reads tables from collections and files. Why when the run begins, and not with the first record:
 * strands overlap, and what one of them finds must not depend on which came first. All of a run's
 * tables together hold no more than one strand's share of limits.memory.
 */
#include "flow/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "mongo/scan.h"
#include "record/decode_json.h"

void etl_tables_fini(struct etl_tables *tables)
{
	for (size_t i = 0; i < tables->n; i++)
		etl_table_free(tables->items[i].table);
	free(tables->items);
	*tables = (struct etl_tables){0};
}

const struct etl_table *etl_tables_find(const struct etl_tables *tables,
	const struct etl_table_place *place)
{
	for (size_t i = 0; i < tables->n; i++)
		if (tables->items[i].place == place)
			return tables->items[i].table;
	return NULL;
}

/* ---- a collection ------------------------------------------------------------------------ */

static int add_document(void *table, const bson_t *doc, struct etl_error *err)
{
	return etl_table_add(table, bson_get_data(doc), doc->len, err);
}

/* A path's first name stands at the top; one that is empty, the document itself, wants all. */
static const char *top_of(const struct etl_path *path)
{
	return path->n ? path->tokens[0].name : "";
}

static int read_collection(const struct etl_run *run, const struct etl_table_place *place,
	struct etl_table *table, struct etl_error *err)
{
	const char **fields = etl_calloc(place->n_on + place->n_take + 1, sizeof *fields);
	const struct etl_scan_query query = {
		.database = place->database ? place->database : run->env->database,
		.collection = place->collection,
		.fields = fields,
	};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < place->n_on; i++)
		fields[n++] = top_of(&place->on[i]);
	for (size_t i = 0; i < place->n_take; i++)
		fields[n++] = top_of(&place->take[i]);
	rc = run->env->mongo ? etl_mongo_scan(run->env->mongo, &query, add_document, table, err) :
		etl_error_set(err, ETL_PERMANENT, "lookup.mongodb", "there is no MongoDB here");
	free(fields);
	return rc;
}

/* ---- a file ------------------------------------------------------------------------------ */

struct lines {
	const struct etl_table_place *place;
	struct etl_table *table;
	struct etl_json_decoder *decoder;
	struct etl_batch *batch;
	struct etl_buf line;
	uint64_t number; /* of the line, from 1 */
};

static int bad_line(const struct lines *lines, const char *why, struct etl_error *err)
{
	return etl_error_set(err, ETL_DATA, "lookup.line", "line %llu is no document: %s",
		(unsigned long long)lines->number, why);
}

static bool is_blank(const struct etl_buf *line)
{
	return strspn(etl_buf_text(line), " \t\r") == line->len;
}

static int take_line(struct lines *lines, struct etl_error *err)
{
	struct etl_error why = ETL_ERROR_INIT;
	struct etl_batch *batch = lines->batch;
	int rc = 0;

	lines->number++;
	if (is_blank(&lines->line))
		return 0;
	etl_json_decoder_reset(lines->decoder);
	if (etl_json_decoder_feed(lines->decoder, lines->line.data, lines->line.len, batch, &why) <
		0 ||
		etl_json_decoder_finish(lines->decoder, batch, &why) < 0)
		rc = bad_line(lines, why.message, err);
	else if (batch->n_rejects)
		rc = bad_line(lines, batch->rejects[0].message, err);
	else if (batch->n != 1)
		rc = bad_line(lines, "it is a list", err);
	else
		rc = etl_table_add(lines->table, batch->records[0].bson, batch->records[0].len,
			err);
	etl_batch_reset(batch);
	etl_buf_clear(&lines->line);
	return rc;
}

static int take_bytes(struct lines *lines, const char *bytes, size_t len, struct etl_error *err)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) : len;

		if (!etl_buf_append(&lines->line, bytes, n)) {
			lines->number++;
			return bad_line(lines, "it is longer than a document may be", err);
		}
		if (end && take_line(lines, err) < 0)
			return -1;
		bytes += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return 0;
}

static int read_bytes(struct lines *lines, int fd, struct etl_error *err)
{
	char bytes[16384];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		if (take_bytes(lines, bytes, (size_t)n, err) < 0)
			return -1;
	if (n < 0)
		return etl_error_set(err, ETL_PERMANENT, "lookup.file", "%s", strerror(errno));
	return lines->line.len ? take_line(lines, err) : 0; /* the last one needs no line break */
}

/* A device or a pipe might never end. */
static int open_file(const char *path, struct etl_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return etl_error_set(err, ETL_PERMANENT, "lookup.file",
			"%s: mend the path, or the rights of the file, and run the job again",
			strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return etl_error_set(err, ETL_PERMANENT, "lookup.file", "it is no regular file");
}

static int read_file(const struct etl_table_place *place, struct etl_table *table,
	struct etl_error *err)
{
	const struct etl_layout whole = {.records = ""};
	struct lines lines = {.place = place, .table = table};
	int fd = open_file(place->file, err), rc;

	if (fd < 0)
		return -1;
	lines.decoder = etl_json_decoder_new(&whole);
	lines.batch = etl_batch_new();
	etl_buf_init(&lines.line, ETL_DOCUMENT_BYTES_MAX);
	rc = read_bytes(&lines, fd, err);
	close(fd);
	etl_json_decoder_free(lines.decoder);
	etl_batch_free(lines.batch);
	etl_buf_fini(&lines.line);
	return rc;
}

/* ---- all of them ------------------------------------------------------------------------- */

/* A wrong name of a collection is an empty one to MongoDB: every record would be a reject, or get
 * nothing without a word. */
static int check_filled(const struct etl_table *table, struct etl_error *err)
{
	if (etl_table_documents(table))
		return 0;
	return etl_error_set(err, ETL_PERMANENT, "lookup.empty",
		"there is no document that 'on' could find: is the name right?");
}

static int load(const struct etl_run *run, const struct etl_table_place *place,
	struct etl_table *table, struct etl_error *err)
{
	int rc = place->file ? read_file(place, table, err) :
			       read_collection(run, place, table, err);

	if (rc == 0)
		rc = check_filled(table, err);
	return rc < 0 ? etl_error_prefix(err, "looking up in %s", place->name) : 0;
}

int etl_tables_load(const struct etl_run *run, struct etl_tables *tables, struct etl_error *err)
{
	const struct etl_job *job = run->job;
	size_t left = run->env->memory_max;

	tables->items = etl_calloc(job->n_transforms + 1, sizeof *tables->items);
	for (size_t i = 0; i < job->n_transforms; i++) {
		const struct etl_transform_type *type = job->transforms[i].type;
		const struct etl_table_place *place = type->place ?
			type->place(job->transforms[i].options) : NULL;
		struct etl_table_of *item = &tables->items[tables->n];
		size_t held;

		if (!place)
			continue;
		*item = (struct etl_table_of){place, etl_table_new(place, left)};
		tables->n++;
		if (load(run, place, item->table, err) < 0)
			return -1;
		held = etl_table_held(item->table);
		left -= held < left ? held : left;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * What methods share: times, partitions and BSON in answers, and what an operator means by them.
 */
#include "methods/methods.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "record/encode_json.h"
#include "time/civil.h"

void etld_json_time(struct etl_json *to, const char *key, etl_wall t)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (!t.ms) {
		etl_json_add_null(to, key);
		return;
	}
	etl_time_format_rfc3339(t, text);
	etl_json_add_text(to, key, text);
}

void etld_json_window(struct etl_json *to, const char *key, const struct etl_window *window)
{
	struct etl_json *item = etl_json_add_object(to, key);

	etld_json_time(item, "start", window->start);
	etld_json_time(item, "end", window->end);
}

/* "2026-07-01T10:00Z" lacks the seconds that RFC 3339 wants. */
static bool parse_without_seconds(const char *text, etl_wall *out)
{
	char full[48];

	if (strlen(text) < 17 || strlen(text) > 30 || text[13] != ':' || text[16] == ':')
		return false;
	snprintf(full, sizeof full, "%.16s:00%s", text, text + 16);
	return etl_time_parse_rfc3339(full, strlen(full), out);
}

bool etld_parse_time(const char *text, etl_wall *out)
{
	char with_zone[48];
	size_t n = strlen(text);

	if (etl_time_parse_date(text, n, out) || etl_time_parse_rfc3339(text, n, out) ||
		parse_without_seconds(text, out))
		return true;
	snprintf(with_zone, sizeof with_zone, "%.40sZ", text); /* without an offset it is UTC */
	return etl_time_parse_rfc3339(with_zone, strlen(with_zone), out) ||
		parse_without_seconds(with_zone, out);
}

void etld_partition_text(const struct etl_job *job, const struct etl_partition *partition,
	char *out, size_t size)
{
	if (job->n_partitions == 1 && !job->partition_names[0])
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%s=%s", job->partition_names[0], partition->name);
}

void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name)
{
	const struct etl_partition *partition = job ? etl_job_partition(job, name) : NULL;
	char shown[ETLD_PARTITION_BYTES];

	if (partition)
		etld_partition_text(job, partition, shown, sizeof shown);
	etl_json_add_text(to, "partition", partition ? shown : name);
}

const struct etl_partition *etld_partition_find(const struct etl_job *job, const char *text)
{
	const char *equals = strchr(text, '=');
	const struct etl_partition *found;

	if (etl_streq(text, "-") && !job->partition_names[0])
		return &job->partitions[0];
	found = etl_job_partition(job, text);
	return found || !equals ? found : etl_job_partition(job, equals + 1);
}

bool etld_job_is_in(const struct etl_job *job, const char *group)
{
	return job->group && etl_streq(job->group, group);
}

bool etld_id_matches(const char *id, const char *part)
{
	size_t n = strlen(part), all = strlen(id);

	return n >= 6 && n <= all && (strncmp(id, part, n) == 0 || strcmp(id + all - n, part) == 0);
}

void etld_list_add(struct etl_buf *list, struct etl_json *item)
{
	etl_buf_char(list, list->len ? ',' : '[');
	etl_json_print(item, list);
	etl_json_free(item);
}

bool etld_list_end(struct etl_buf *list)
{
	etl_buf_str(list, list->len ? "]" : "[]");
	return etl_buf_ok(list);
}

struct etl_json *etld_json_of_bson(const bson_t *doc)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_json *json = NULL;
	struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX);
	if (etl_json_encode(bson_get_data(doc), doc->len, 0, &text))
		json = etl_json_parse(etl_buf_text(&text), text.len, ETL_CTL_MESSAGE_MAX, &err);
	etl_buf_fini(&text);
	return json ? json : etl_json_object();
}

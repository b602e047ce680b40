/* SPDX-License-Identifier: MIT
 *
 * Lines of "key value" and the counts of a run, for the commands that tell of one at length.
 */
#include "etlctl/print.h"

void print_key(const char *key, struct etl_buf *out)
{
	etl_buf_printf(out, "  %-12s", key);
}

void print_line(const char *key, const char *text, struct etl_buf *out)
{
	if (!text || !*text)
		return;
	print_key(key, out);
	print_clean(text, out);
	etl_buf_char(out, '\n');
}

int64_t print_count_of(const struct etl_json *json, const char *group, const char *name)
{
	return etl_json_int(etl_json_get(json, group), name, 0);
}

/* "3 in, 0 rejected, ...": each count with its own name behind it. */
static void put_counts(const struct etl_json *run, const char *key, const char *group,
	const char *const *names, struct etl_buf *out)
{
	print_key(key, out);
	for (size_t i = 0; names[i]; i++)
		etl_buf_printf(out, "%s%lld %s", i ? ", " : "",
			(long long)print_count_of(run, group, names[i]), names[i]);
	etl_buf_char(out, '\n');
}

void print_counts(const struct etl_json *run, struct etl_buf *out)
{
	static const char *const windows[] = {"loaded", "empty", "failed", "unrecoverable",
		NULL};
	static const char *const records[] = {"in", "rejected", "out", "inserted", "updated",
		"unchanged", NULL};
	int64_t warnings = etl_json_int(run, "warnings", 0);

	put_counts(run, "windows", "windows", windows, out);
	put_counts(run, "records", "counts", records, out);
	if (warnings) {
		print_key("warnings", out);
		etl_buf_printf(out, "%lld\n", (long long)warnings);
	}
}

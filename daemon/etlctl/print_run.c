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

/* "3 in, 0 rejected, ...": each count with its own name behind it. What stands in `often` is
 * told in any case, the others if they are not 0. */
static void put_counts(const struct etl_json *run, const char *key, const char *group,
	const char *const *names, size_t often, struct etl_buf *out)
{
	const char *comma = "";

	print_key(key, out);
	for (size_t i = 0; names[i]; i++) {
		long long n = (long long)print_count_of(run, group, names[i]);

		if (!n && i >= often)
			continue;
		etl_buf_printf(out, "%s%lld %s", comma, n, names[i]);
		comma = ", ";
	}
	etl_buf_char(out, '\n');
}

/* "12 by decode/time ts: the first one's message" */
static void put_tally(const struct etl_json *run, const char *key, const char *group,
	struct etl_buf *out)
{
	ETL_JSON_EACH(row, etl_json_get(run, group)) {
		int64_t others = etl_json_int(row, "others", 0);

		print_key(key, out);
		key = "";
		if (others) {
			etl_buf_printf(out, "%lld by other rules\n", (long long)others);
			continue;
		}
		etl_buf_printf(out, "%lld by ", (long long)etl_json_int(row, "n", 0));
		print_clean(etl_json_text(row, "step", ""), out);
		etl_buf_char(out, '/');
		print_clean(etl_json_text(row, "rule", ""), out);
		if (*etl_json_text(row, "field", "")) {
			etl_buf_char(out, ' ');
			print_clean(etl_json_text(row, "field", ""), out);
		}
		etl_buf_str(out, ", the first: ");
		print_clean(etl_json_text(row, "first", ""), out);
		etl_buf_char(out, '\n');
	}
}

void print_counts(const struct etl_json *run, struct etl_buf *out)
{
	static const char *const windows[] = {"loaded", "empty", "failed", "unrecoverable", "held",
		"discarded", "missing", "waiting", NULL};
	static const char *const records[] = {"in", "rejected", "out", "inserted", "updated",
		"unchanged", "outside", "overwritten", "stale", "filtered", "merged", "made",
		"withheld", NULL};
	int64_t warnings = etl_json_int(run, "warnings", 0);

	put_counts(run, "windows", "windows", windows, 4, out);
	put_counts(run, "records", "counts", records, 6, out);
	put_tally(run, "rejected", "rejects", out);
	if (warnings) {
		print_key("warnings", out);
		etl_buf_printf(out, "%lld\n", (long long)warnings);
	}
	put_tally(run, "warned", "warned", out);
}

static void note(struct etl_buf *out, int64_t n, const char *one, const char *many)
{
	if (n)
		etl_buf_printf(out, "%s%lld %s", out->len ? ", " : "", (long long)n, n == 1 ? one : many);
}

/* What a run that is ok has to tell all the same. */
void print_notes(const struct etl_json *run, struct etl_buf *out)
{
	note(out, print_count_of(run, "counts", "rejected"), "record rejected", "records rejected");
	note(out, print_count_of(run, "windows", "held"), "window held (etlctl held list)",
		"windows held (etlctl held list)");
	note(out, print_count_of(run, "windows", "discarded"),
		"window read and thrown away (load: null closes nothing)",
		"windows read and thrown away (load: null closes nothing)");
	note(out, print_count_of(run, "counts", "outside"), "record outside of what was asked for",
		"records outside of what was asked for");
	note(out, etl_json_int(run, "warnings", 0), "warning", "warnings");
}

/* SPDX-License-Identifier: MIT
 *
 * Lines of "key value" and the counts of a run, for the commands that tell of one at length.
 */
#include <stdio.h>
#include <unistd.h>

#include "etlctl/print.h"

/* Twelve columns: the longest key is "refused by", and all blocks of one program line up. */
void print_key(const char *key, struct etl_buf *out)
{
	etl_buf_printf(out, "  %-12s", key);
}

/* A line without a value says nothing and is left out: what is there can be read at a glance. */
void print_line(const char *key, const char *text, struct etl_buf *out)
{
	if (!text || !*text)
		return;
	print_key(key, out);
	print_clean(text, out);
	etl_buf_char(out, '\n');
}

void print_window(const char *key, const struct etl_json *window, struct etl_buf *out)
{
	if (etl_json_type(window) != ETL_JSON_OBJECT)
		return;
	print_key(key, out);
	print_range(etl_json_text(window, "start", NULL), etl_json_text(window, "end", NULL), out);
	etl_buf_char(out, '\n');
}

void print_progress(const char *text)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%s", text ? text : "");
	fflush(stderr);
}

/* 0 where there is none: records of an older version lack counts that came later. */
int64_t print_count_of(const struct etl_json *json, const char *group, const char *name)
{
	return etl_json_int(etl_json_get(json, group), name, 0);
}

/* "3 in, 0 rejected, ...": each count with its own name behind it. What stands in `often` is
 * told in any case, the others if they are not 0. By name, so that a figure can be looked up in the
 * manual: `etlctl show` and `-o json` use the same words. */
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

/* "12 by decode/time ts: the first one's message" The key stands on the first line alone; a row of
 * others (rules beyond the twentieth) has only a number. */
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

/* "expected_partitions: warn, 1 of 2 partitions ..." */
static void put_verdicts(const struct etl_json *run, struct etl_buf *out)
{
	const char *key = "checks";

	ETL_JSON_EACH(row, etl_json_get(run, "verdicts")) {
		const char *message = etl_json_text(row, "message", "");

		print_key(key, out);
		key = "";
		print_clean(etl_json_text(row, "check", ""), out);
		etl_buf_str(out, ": ");
		print_clean(etl_json_text(row, "verdict", ""), out);
		etl_buf_str(out, *message ? ", " : "");
		print_clean(message, out);
		etl_buf_char(out, '\n');
	}
}

/* Of all partitions; nothing is said of a source that is not asked in pages. */
static void put_pages(const struct etl_json *run, struct etl_buf *out)
{
	int64_t pages = 0;

	ETL_JSON_EACH(partition, etl_json_get(run, "partitions"))
		pages += etl_json_int(partition, "pages", 0);
	if (!pages)
		return;
	print_key("pages", out);
	etl_buf_printf(out, "%lld\n", (long long)pages);
}

/* The first four of the windows and six of the records are always there: "0 failed" is an answer.
 */
void print_counts(const struct etl_json *run, struct etl_buf *out)
{
	static const char *const windows[] = {"loaded", "empty", "failed", "unrecoverable", "held",
		"discarded", NULL};
	static const char *const objects[] = {"missing", "waiting", NULL};
	static const char *const shaped[] = {"unfolded", "folded", NULL};
	static const char *const records[] = {"in", "rejected", "out", "inserted", "updated",
		"unchanged", "outside", "overwritten", "stale", "filtered", "merged", "made",
		"withheld", NULL};
	int64_t warnings = etl_json_int(run, "warnings", 0);

	put_counts(run, "windows", "windows", windows, 4, out);
	put_pages(run, out);
	if (etl_json_get(run, "objects"))
		put_counts(run, "objects", "objects", objects, 2, out);
	if (etl_json_get(run, "reshape"))
		put_counts(run, "reshape", "reshape", shaped, 2, out);
	put_counts(run, "records", "counts", records, 6, out);
	put_tally(run, "rejected", "rejects", out);
	if (warnings) {
		print_key("warnings", out);
		etl_buf_printf(out, "%lld\n", (long long)warnings);
	}
	put_tally(run, "warned", "warned", out);
	put_verdicts(run, out);
}

/* In words, since a REASON cell stands alone: "2 records rejected, 1 warning". */
static void note(struct etl_buf *out, int64_t n, const char *one, const char *many)
{
	if (n)
		etl_buf_printf(out, "%s%lld %s", out->len ? ", " : "", (long long)n,
			n == 1 ? one : many);
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

/* SPDX-License-Identifier: MIT
 *
 * simulate: a summary, hosts, where runs meet, what the clocks do, then the slots.
 *
 * Example:
 *   slots: 72, of 3 jobs, from 2026-10-25 00:00Z to 2026-10-26 00:00Z
 *   places for runs: 16
 * |
 *   HOST             JOBS  RUNS  REQUESTS  AT ONCE  PEAK/H  HOUR               PEAK/MIN  MINUTE
 *   api.example.org     2    48        96        2       4  2026-10-25 00:00Z         4  ...
 * |
 *   COLLISION          AT ONCE  LIMIT  OF
 *   2026-10-25 00:10Z        4      2  api.example.org
 * which is read as: at ten past each hour four requests meet at a host that takes two at once, so
 * that two of them wait; an `offset` or a `jitter` of one of the jobs would spread them.
 */
#include <stdio.h>

#include "etlctl/print.h"

/* More rows of these tables are not read; -o json has up to a thousand. */
enum { SHOWN = 10 }; /* rows of a table that is not the slots' */

/* On stdout, since it belongs to the table: what was cut must not be lost by redirecting the words.
 */
static void say_more(int64_t total, size_t shown, const char *what)
{
	if (total > (int64_t)shown)
		printf("  ... and %lld more %s\n", (long long)total - (long long)shown, what);
}

/* Jobs that are not in the figures are counted by their reason, so that "only three jobs?" is
 * answered here. */
static void print_summary(const struct etl_json *reply)
{
	const char *cut = etl_json_text(reply, "cut_at", NULL);
	int64_t jobs = etl_json_int(reply, "jobs", 0);
	int64_t paused = etl_json_int(reply, "paused", 0);
	int64_t left_out = etl_json_int(reply, "left_out", 0);
	int64_t without = etl_json_int(reply, "without_slots", 0);
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 4096);
	etl_buf_printf(&out, "slots: %lld, of %lld job%s, from ",
		(long long)etl_json_int(reply, "total", 0), (long long)jobs, jobs == 1 ? "" : "s");
	print_range(etl_json_text(reply, "from", NULL), etl_json_text(reply, "to", NULL), &out);
	etl_buf_printf(&out, "\nplaces for runs: %lld\n",
		(long long)etl_json_int(reply, "max_active", 0));
	if (paused)
		etl_buf_printf(&out, "paused and left out: %lld\n", (long long)paused);
	if (left_out)
		etl_buf_printf(&out, "left out for errors in their files (etlctl jobs): %lld\n",
			(long long)left_out);
	if (without)
		etl_buf_printf(&out, "without slots of their own, they run after others: %lld\n",
			(long long)without);
	if (cut) {
		etl_buf_str(&out, "cut at ");
		print_time(cut, &out);
		etl_buf_str(&out, ": there are too many slots; ask for a shorter range\n");
	}
	print_out(&out);
}

/* AT ONCE is the host's limit, PEAK/MIN what comes in the fullest minute: the second above the
 * first is what makes requests wait. */
static void print_hosts(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"HOST", ">JOBS", ">RUNS", ">REQUESTS", ">AT ONCE",
		">PEAK/H", "HOUR", ">PEAK/MIN", "MINUTE", NULL};
	const struct etl_json *list = etl_json_get(reply, "hosts");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);
	size_t n = 0;

	ETL_JSON_EACH(host, list) {
		if (n++ == SHOWN)
			break;
		table_text(table, etl_json_text(host, "host", "?"));
		table_int(table, etl_json_int(host, "jobs", 0));
		table_int(table, etl_json_int(host, "runs", 0));
		table_int(table, etl_json_int(host, "requests", 0));
		table_int(table, etl_json_int(host, "max_active", 0));
		table_int(table, etl_json_int(host, "hour_peak", 0));
		table_time(table, etl_json_text(host, "hour", NULL));
		table_int(table, etl_json_int(host, "minute_peak", 0));
		table_time(table, etl_json_text(host, "minute", NULL));
	}
	if (n)
		putchar('\n');
	table_print(table, NULL);
	say_more((int64_t)etl_json_size(list), SHOWN, "hosts");
}

/* Without a host the limit is that of the daemon: places for runs (limits.max_active). */
static void print_collisions(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"COLLISION", ">AT ONCE", ">LIMIT", "OF", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);
	size_t n = 0;

	ETL_JSON_EACH(collision, etl_json_get(reply, "collisions")) {
		const char *host = etl_json_text(collision, "host", NULL);

		if (n++ == SHOWN)
			break;
		table_time(table, etl_json_text(collision, "minute", NULL));
		table_int(table, etl_json_int(collision, "n", 0));
		table_int(table, etl_json_int(collision, "limit", 0));
		table_text(table, host ? host : "places for runs");
	}
	if (n)
		putchar('\n');
	table_print(table, NULL);
	say_more(etl_json_int(reply, "collisions_total", 0), SHOWN, "minutes");
}

/* Nothing to see where each run starts alone in its minute. */
static void print_busiest(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"BUSIEST MINUTES", ">STARTS", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);
	int64_t first = etl_json_int(etl_json_first(etl_json_get(reply, "busiest")), "starts", 0);

	if (first < 2) /* nothing meets */
		return;
	ETL_JSON_EACH(minute, etl_json_get(reply, "busiest")) {
		table_time(table, etl_json_text(minute, "minute", NULL));
		table_int(table, etl_json_int(minute, "starts", 0));
	}
	putchar('\n');
	table_print(table, NULL);
}

/* In sentences, for no column could say it: a slot that falls into an hour which does not exist, or
 * comes twice, and which instants come of it. */
static void print_clocks(const struct etl_json *reply)
{
	ETL_BUF_CLEANUP struct etl_buf out;
	size_t n = 0;

	etl_buf_init(&out, 64 * 1024);
	ETL_JSON_EACH(clock, etl_json_get(reply, "clocks")) {
		if (n++ == SHOWN)
			break;
		etl_buf_str(&out, n == 1 ? "\n" : "");
		print_clean(etl_json_text(clock, "job", "?"), &out);
		etl_buf_str(&out, ": ");
		print_clean(etl_json_text(clock, "text", ""), &out);
		etl_buf_char(&out, '\n');
	}
	print_out(&out);
	say_more(etl_json_int(reply, "clocks_total", 0), SHOWN, "changes of clocks");
}

/* Times as they are, with seconds: jitter is in FIRES AT and not in SLOT, and whoever compares two
 * jobs wants to see it. ON THE WALL is the slot as a clock of the job's zone shows it. */
static void print_slots(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {
		"FIRES AT", "JOB", "SLOT", "ON THE WALL", "ZONE", NULL};
	const struct etl_json *list = etl_json_get(reply, "slots");
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(slot, list) {
		table_text(table, etl_json_text(slot, "fires_at", "?"));
		table_text(table, etl_json_text(slot, "job", "?"));
		table_text(table, etl_json_text(slot, "slot", "?"));
		table_text(table, etl_json_text(slot, "local", "?"));
		table_text(table, etl_json_text(slot, "timezone", "?"));
	}
	putchar('\n');
	table_print(table, "no slots in this range");
	say_more(etl_json_int(reply, "total", 0), etl_json_size(list), "slots (-n lists more)");
}

static void print_simulation(const struct etlctl *ctl, const struct etl_json *reply)
{
	print_summary(reply);
	print_hosts(ctl, reply);
	print_collisions(ctl, reply);
	print_busiest(ctl, reply);
	print_clocks(reply);
	print_slots(ctl, reply);
}

/* A simulation without the daemon could only guess: jitter follows from the host's name, zones from
 * its files, and what is paused from the store. */
static int simulate(const struct etlctl *ctl)
{
	int status = etlctl_call_and_print(ctl, print_simulation);

	if (status == EXIT_NO_DAEMON)
		etlctl_say("simulate needs the daemon: it knows the configuration, its zones and "
			   "this host's jitter");
	return status;
}

const struct etlctl_command etlctl_command_simulate = {"simulate", .run = simulate};

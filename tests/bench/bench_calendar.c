/* SPDX-License-Identifier: MIT
 *
 * What one question "when is the next slot?" costs: common expressions, and the dearest that
 * there are, which search 40 years in vain. Each as a multiple of the commonest, in turns.
 *
 *   bench_calendar                  medians
 *   bench_calendar --count NAME N   asks N times and prints nothing: for callgrind.sh
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "time/calendar.h"

enum { ROUNDS = 101, ASKED = 50 };

static struct question {
	const char *name, *cron, *zone;
	int64_t after; /* seconds */
	struct etl_calendar *calendar;
	double ns[ROUNDS];
} questions[] = {
	{"hourly", "10 * * * *", "UTC", 1795360200},
	{"hourly-zone", "10 * * * *", "Europe/Paris", 1795360200},
	{"daily-zone", "30 2 * * *", "Europe/Paris", 1795360200},
	{"leap-sunday", "0 0 29 2 */7", "Europe/Paris", 1078012800},  /* 28 years ahead */
	{"second-pass", "* * 0-23 * * *", "Europe/Paris", 1729990801}, /* inside a fold */
	{"impossible", "0 0 30 2 *", "Europe/Paris", 1795360200},
	{"impossible-any", "0 0 */31 * 5#2", "Africa/Casablanca", 1795360200},
	{"impossible-wild", "* * * */31 * 5#2", "Africa/Casablanca", 1795360200},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

__attribute__((noinline)) static void ask(const struct question *q, long times)
{
	etl_wall out;

	for (long i = 0; i < times; i++)
		etl_calendar_next(q->calendar, (etl_wall){q->after * 1000}, &out);
}

static double ns_of(const struct question *q)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	ask(q, ASKED);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / ASKED;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void prepare(struct question *q)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone = etl_zone_load(q->zone, &err); /* lives as long as we do */

	q->calendar = zone ? etl_calendar_cron(q->cron, zone, &err) : NULL;
	if (!q->calendar) {
		fprintf(stderr, "bench_calendar: %s\n", err.message);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	for (int i = 0; i < QUESTIONS; i++)
		prepare(&questions[i]);
	if (argc == 4 && strcmp(argv[1], "--count") == 0) {
		for (int i = 0; i < QUESTIONS; i++)
			if (strcmp(argv[2], questions[i].name) == 0) {
				ask(&questions[i], strtol(argv[3], NULL, 10));
				return 0;
			}
		fprintf(stderr, "bench_calendar: no question \"%s\"\n", argv[2]);
		return 2;
	}
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < QUESTIONS; i++)
			questions[i].ns[r] = ns_of(&questions[i]);
	for (int i = 0; i < QUESTIONS; i++)
		qsort(questions[i].ns, ROUNDS, sizeof(double), by_value);
	for (int i = 0; i < QUESTIONS; i++)
		printf("calendar %-15s %-18s %8.0f ns, %6.1f x %s\n", questions[i].name,
			questions[i].cron, questions[i].ns[ROUNDS / 2],
			questions[i].ns[ROUNDS / 2] / questions[0].ns[ROUNDS / 2],
			questions[0].name);
	return 0;
}

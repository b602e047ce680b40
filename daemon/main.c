/* SPDX-License-Identifier: MIT
 *
 * etld: arguments, configuration, then the manager from start to stop. Read this first.
 *
 * The exit statuses that systemd knows: 78 (the configuration) is not restarted, since it would
 * fail again; 1 is. A daemon without MongoDB is no failure and runs.
 */
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/json.h"
#include "etld.h"
#include "io/journal.h"
#include "io/message_ids.h"
#include "io/notify.h"
#include "reload.h"

#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h: systemd does not restart on it */
#define REPORT_MAX (4 * 1024 * 1024)

struct arguments {
	const char *config;
	bool check, json;
};

/* To stdout if it was asked for, to stderr if the arguments were wrong. */
static void usage(FILE *to)
{
	fputs("usage: etld [--config FILE] [--check [--json]] [--version]\n"
	      "  --config FILE  the main configuration file (default /etc/etld/etld.yaml)\n"
	      "  --check        read the configuration as a start would, print errors, exit\n"
	      "  --json         with --check: what was found as data\n"
	      "  --version      print the version, exit\n",
		to);
}

/* -1 = go on; else the exit status. --version ends at once, whatever stands behind it. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
	/* Few on purpose: what a daemon does is said in its file, where it can be reviewed. */
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->config = optarg;
			break;
		case 'k':
			out->check = true;
			break;
		case 'j':
			out->json = true;
			break;
		case 'V':
			printf("etld %s\n", ETL_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (out->json && !out->check) {
		fputs("etld: --json goes with --check\n", stderr);
		return 2;
	}
	if (optind < argc) {
		fprintf(stderr, "etld: unexpected argument '%s'\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return -1;
}

/* ---- a check alone -------------------------------------------------------------------------- */

/* "2 errors, 1 warning"; "no error" if there are none. By severity, the worst first. For a person;
 * -o json has the numbers. */
static void say_counts(const struct etl_diag *diag, struct etl_buf *out)
{
	for (int k = 0; k < ETL_DIAG_SEVERITIES; k++) {
		size_t n = etl_diag_count_of(diag, (enum etl_diag_severity)k);
		const char *word = etl_diag_severity_word((enum etl_diag_severity)k);

		if (n)
			etl_buf_printf(out, "%s%zu %s%s", k ? ", " : "", n, word,
				n == 1 ? "" : "s");
		else if (k == ETL_DIAG_ERROR)
			etl_buf_str(out, "no error");
	}
}

/* The result on stdout only if the configuration is good: a script that checks the status and one
 * that reads the output agree. */
static void print_check(const char *path, const struct etld_generation *g,
	const struct etl_diag *diag)
{
	struct etl_buf report ETL_BUF_CLEANUP, counts ETL_BUF_CLEANUP;

	etl_buf_init(&report, REPORT_MAX);
	etl_buf_init(&counts, 256);
	etl_diag_print(diag, &report);
	say_counts(diag, &counts);
	fputs(etl_buf_text(&report), stderr);
	if (g)
		printf("%s: %zu job%s, %s\n", path, g->n_jobs, g->n_jobs == 1 ? "" : "s",
			etl_buf_text(&counts));
	else
		fprintf(stderr, "\n%s: %s\n", path, etl_buf_text(&counts));
}

/* For editors and CI: one document, errors or not, on stdout; the status says the same. */
static void print_check_json(const char *path, const struct etld_generation *g,
	const struct etl_diag *diag)
{
	static const char *const keys[] = {"errors", "warnings", "notes"};
	struct etl_json *result = etl_json_object();
	struct etl_buf text ETL_BUF_CLEANUP;

	_Static_assert(sizeof keys / sizeof *keys == ETL_DIAG_SEVERITIES, "each is counted");
	etl_json_add_text(result, "schema", "etl.config_check/1");
	etl_json_add_text(result, "file", path);
	if (g)
		etl_json_add_int(result, "jobs", (int64_t)g->n_jobs);
	else
		etl_json_add_null(result, "jobs");
	for (int k = 0; k < ETL_DIAG_SEVERITIES; k++)
		etl_json_add_int(result, keys[k],
			(int64_t)etl_diag_count_of(diag, (enum etl_diag_severity)k));
	etl_diag_to_json(diag, etl_json_add_array(result, "diagnostics"));
	etl_buf_init(&text, REPORT_MAX);
	etl_json_print(result, &text);
	puts(etl_buf_text(&text));
	etl_json_free(result);
}

/* The very loader that a start and a reload use: what it accepts, they accept. */
static int check_only(const struct arguments *arguments)
{
	struct etl_diag *diag = etl_diag_new();
	struct etld_generation *g = etld_generation_check(arguments->config, diag);
	int status = g ? 0 : EXIT_CONFIG;

	(arguments->json ? print_check_json : print_check)(arguments->config, g, diag);
	if (g)
		etld_generation_unref(g);
	etl_diag_free(diag);
	return status;
}

/* ---- a start -------------------------------------------------------------------------------- */

/* Twice when it is refused: all errors on stderr, for whoever started it by hand, and the first one
 * in the journal with its message id. The level of the journal is set as soon as it is known. */
static struct etld_generation *load(const struct arguments *arguments)
{
	struct etl_buf report ETL_BUF_CLEANUP, first ETL_BUF_CLEANUP;
	struct etl_diag *diag = etl_diag_new();
	struct etld_generation *generation;

	etl_buf_init(&report, REPORT_MAX);
	etl_buf_init(&first, 4096);
	generation = etld_generation_start(arguments->config, diag);
	if (generation) {
		etld_journal_level(etld_settings_log_priority(&generation->settings));
		etl_diag_warnings(diag, &report);
		etld_tell_warnings(etl_buf_text(&report));
	} else {
		etl_diag_print(diag, &report);
		etl_diag_first(diag, &first);
		fputs(etl_buf_text(&report), stderr);
		etld_log(ETLD_ERR, ETLD_MSG_CONFIG_REFUSED, NULL, 0,
			"the configuration has errors, etld does not start: %s",
			etl_buf_text(&first));
	}
	etl_diag_free(diag);
	return generation;
}

/* Signals that nobody waits for, and those that only kill by accident. A client that closes its
 * socket must not end the daemon. What it makes (the socket, spools) is nobody else's. */
static void set_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	umask(0077);
}

/* glibc raises these two as it goes: after the first record of 16 MiB all later ones would come
 * from the heap, and leave holes in it that are never given back. A block of a batch is mapped by
 * itself too: a strand goes from worker to worker, each worker has a heap of its own, and from those
 * four heaps would each come to hold what one share of limits.memory allows. Measured with 600,000
 * records in one window: a peak of 34 MiB for 42, at 8 % more of the processor. What is smaller is
 * reused. 256 KiB at the end of a heap may stay: given back at each run they would be asked for again
 * by the next. */
static void bound_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 192 * 1024);
	/* Of each thread's heap: what a reading of all jobs took there goes back. */
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

/* The locale is C: numbers in messages and formats are the same on every machine. A failure to
 * start is told to systemd as its reason (notify), in the journal and on stderr. */
int main(int argc, char **argv)
{
	struct arguments arguments = {.config = "/etc/etld/etld.yaml"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etld_generation *generation;
	struct etld *etld;
	int status = read_arguments(argc, argv, &arguments);

	if (status >= 0)
		return status;
	setlocale(LC_ALL, "C");
	bound_heap();
	if (arguments.check)
		return check_only(&arguments);
	etld_journal_open(ETLD_INFO);
	generation = load(&arguments);
	if (!generation) {
		etld_notify_failed(EXIT_CONFIG);
		return EXIT_CONFIG;
	}
	set_signals();
	etld = etld_new(generation, etl_clock_real(), &err);
	if (!etld) {
		fprintf(stderr, "etld: %s\n", err.message);
		etld_log(ETLD_ERR, NULL, NULL, 0, "etld does not start: %s", err.message);
		etld_notify_failed(err.kind == ETL_CONFIG ? EXIT_CONFIG : 1);
		return err.kind == ETL_CONFIG ? EXIT_CONFIG : 1;
	}
	etld_run(etld);
	etld_free(etld);
	return 0;
}

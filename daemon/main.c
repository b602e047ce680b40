/* SPDX-License-Identifier: MIT
 *
 * etld: arguments, configuration, then the manager from start to stop. Read this first.
 */
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "etld.h"
#include "journal.h"
#include "message_ids.h"
#include "notify.h"

#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h: systemd does not restart on it */
#define REPORT_MAX (4 * 1024 * 1024)

struct arguments {
	const char *config;
	bool check;
};

static void usage(FILE *to)
{
	fputs("usage: etld [--config FILE] [--check] [--version]\n"
	      "  --config FILE  the main configuration file (default /etc/etld/etld.yaml)\n"
	      "  --check        read the configuration as a start would, print errors, exit\n"
	      "  --version      print the version, exit\n",
		to);
}

/* -1 = go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
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
	if (optind < argc) {
		fprintf(stderr, "etld: unexpected argument '%s'\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return -1;
}

static struct etld_generation *load(const struct arguments *arguments)
{
	struct etl_buf report, first;
	struct etld_generation *generation;

	etl_buf_init(&report, REPORT_MAX);
	etl_buf_init(&first, 4096);
	if (arguments->check)
		generation = etld_generation_load(arguments->config, &report, &first, NULL);
	else
		generation = etld_generation_start(arguments->config, &report, &first);
	if (!generation) {
		fputs(etl_buf_text(&report), stderr);
		if (!arguments->check)
			etld_log(ETLD_ERR, ETLD_MSG_CONFIG_REFUSED, NULL, 0,
				"the configuration has errors, etld does not start: %s",
				etl_buf_text(&first));
	}
	etl_buf_fini(&report);
	etl_buf_fini(&first);
	return generation;
}

static int check_only(struct etld_generation *generation)
{
	printf("%s: %zu jobs, no error\n", generation->path, generation->n_jobs);
	etld_generation_unref(generation);
	return 0;
}

/* Signals that nobody waits for, and those that only kill by accident. */
static void set_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	umask(0077);
}

/* glibc raises these two as it goes: after the first record of 16 MiB all later ones would come
 * from the heap, and leave holes in it that are never given back. */
static void bound_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 512 * 1024); /* above what a batch takes at once */
	mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
}

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
	etld_journal_open(ETLD_INFO);
	generation = load(&arguments);
	if (!generation) {
		etld_notify_failed(EXIT_CONFIG);
		return EXIT_CONFIG;
	}
	if (arguments.check)
		return check_only(generation);
	etld_journal_level(etld_settings_log_priority(&generation->settings));
	set_signals();
	etld = etld_new(generation, &err);
	if (!etld) {
		fprintf(stderr, "etld: %s\n", err.message);
		etld_log(ETLD_ERR, NULL, NULL, 0, "etld does not start: %s", err.message);
		etld_notify_failed(err.kind == ETL_CONFIG ? EXIT_CONFIG : 1);
		return err.kind == ETL_CONFIG ? EXIT_CONFIG : 1;
	}
	status = etld_run(etld);
	etld_free(etld);
	return status;
}

/* SPDX-License-Identifier: MIT
 *
 * config check: gives way to `etld --check`, so that the very loader of the daemon judges.
 * Its output and its exit status are this command's. Without a file it is the one of the etld that
 * answers, or etld's default if none does.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "etlctl/etlctl.h"

enum { LIMIT_MS = 1000 }; /* for the daemon to say which file it reads */

/* etld beside this program, or in the sbin next to its bin; NULL if in neither. Where it is
 * installed, or beside this one in a build: the same version as this program, not the one that PATH
 * finds. */
static char *find_etld(void)
{
	static const char *const places[] = {"/etld", "/../sbin/etld"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	*(slash ? slash : self) = '\0';
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		etl_cleanup(free) char *path = etl_strf("%s%s", self, places[i]);

		if (access(path, X_OK) == 0)
			return ETL_TAKE(path);
	}
	return NULL;
}

/* No daemon is needed: the files are checked before the first start too. The file of the daemon
 * that answers is asked for first, since an operator who runs etld with --config would else check
 * the wrong one. */
static int config_check(const struct etlctl *ctl)
{
	const char *file = etl_json_text(ctl->values, "file", NULL);
	etl_cleanup(free) char *etld = find_etld();
	etl_cleanup(etl_json_free) struct etl_json *daemon = NULL;
	const char *argv[6] = {"etld", "--check"};
	size_t n = 2;

	if (!etld) {
		etlctl_say("etld, whose loader checks the files, "
			   "is not installed beside etlctl");
		return EXIT_FAILED;
	}
	if (!file) {
		daemon = etlctl_ask(ctl, ETL_CTL_INTERFACE ".Version", NULL, LIMIT_MS);
		file = etl_json_text(daemon, "config", NULL);
	}
	if (ctl->json)
		argv[n++] = "--json";
	if (file) {
		argv[n++] = "--config";
		argv[n] = file;
	}
	fflush(stdout);
	execv(etld, (char *const *)(uintptr_t)argv);
	etlctl_say("%s: %s", etld, strerror(errno));
	return EXIT_FAILED;
}

const struct etlctl_command etlctl_command_config_check = {"config check", .run = config_check};

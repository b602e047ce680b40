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

/* etld beside this program, or in the sbin next to its bin; NULL if in neither. */
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

static int config_check(const struct etlctl *ctl)
{
	const char *file = etl_json_text(ctl->values, "file", NULL);
	etl_cleanup(free) char *etld = find_etld();
	etl_cleanup(free) char *daemons = NULL;
	const char *argv[6] = {"etld", "--check"};
	size_t n = 2;

	if (!etld) {
		etlctl_say("etld, whose loader checks the files, "
			   "is not installed beside etlctl");
		return EXIT_FAILED;
	}
	if (!file)
		file = daemons = etlctl_daemons_file(ctl);
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

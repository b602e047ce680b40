/* SPDX-License-Identifier: MIT
 *
 * logs: gives way to journalctl with the job's field.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "etlctl/etlctl.h"

/* By the field that the daemon sends with each line about the job. journalctl's own paging, colours
 * and rights apply: this program reads no journal itself, and a user who may not read it is told so
 * by journalctl. */
static int logs(const struct etlctl *ctl)
{
	int64_t lines = etl_json_int(ctl->values, "lines", 0);
	etl_cleanup(free) char *match =
		etl_strf("ETL_JOB=%s", etl_json_text(ctl->values, "job", ""));
	etl_cleanup(free) char *count = etl_strf("--lines=%lld", (long long)lines);
	const char *argv[8] = {"journalctl", match};
	int n = 2;

	if (etl_json_bool(ctl->values, "follow", false))
		argv[n++] = "--follow";
	if (lines)
		argv[n++] = count;
	if (ctl->json)
		argv[n++] = "--output=json";
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	if (errno == ENOENT)
		etlctl_say("there is no journalctl here; without a journal etld writes JSON "
			   "lines to its stderr, with the job in ETL_JOB");
	else
		etlctl_say("journalctl: %s", strerror(errno));
	return EXIT_FAILED;
}

const struct etlctl_command etlctl_command_logs = {"logs", .run = logs};

/* SPDX-License-Identifier: MIT
 *
 * File descriptors that are left, and the words for having none.
 *
 * Why it is asked at all: libcurl, c-ares and the MongoDB driver report "could not
 * resolve host" or "no suitable servers" when in truth the process had no descriptor
 * left. Such a message would send an operator to the network, and the retry rules would
 * count a failure of a host that was never asked.
 */
#include "base/descriptors.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* A resolver's thread has a pair to tell of its end and a socket, or a file, of its own. */
enum { WANTED = 3 };

bool etl_descriptors_lack(int number)
{
	return number == EMFILE || number == ENFILE;
}

/* It takes descriptors and gives them back instead of counting /proc/self/fd: the count
 * says nothing about the system's own limit (ENFILE), and a limit that is nearly
 * reached may be passed by another thread between count and use. Any other failure of
 * eventfd() is no answer, so it counts as "no". */
bool etl_descriptors_short(void)
{
	int fds[WANTED], n = 0;
	bool lack = false;

	while (n < WANTED && !lack) {
		fds[n] = eventfd(0, EFD_CLOEXEC);
		lack = fds[n] < 0 && etl_descriptors_lack(errno);
		if (fds[n] < 0)
			break;
		n++;
	}
	while (n > 0)
		close(fds[--n]);
	return lack;
}

/* TRANSIENT: descriptors come free when other runs end, so a retry is right. The words
 * name both ways out, the unit's limit and our own. */
int etl_descriptors_error(struct etl_error *err)
{
	struct rlimit limit = {0};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return etl_error_set(err, ETL_TRANSIENT, "daemon.descriptors",
		"no file descriptors left: LimitNOFILE is %llu; raise it or lower "
		"limits.max_active",
		(unsigned long long)limit.rlim_cur);
}

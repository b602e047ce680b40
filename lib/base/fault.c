/* SPDX-License-Identifier: MIT
 *
 * Named fault points of test builds (see fault.h).
 *
 * A point is a passage, not a place in time: "commit.before=kill:3" kills at the third
 * commit of this process, however long that takes, so a test that uses it is
 * repeatable. Passages are counted under a lock, since workers pass the same point at
 * once.
 */
#include "base/fault.h"

#ifdef ETL_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POINTS_MAX = 32 };

struct point {
	char name[64];
	char action[16];
	long at; /* act at this passage; 0 = at each */
	long passed;
};

static struct point points[POINTS_MAX];
static int n_points;
static pthread_once_t parsed = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* "commit.before=kill:3,load.after=error": name, action, at which passage (without: at each).
 * What cannot be read ends the list instead of being skipped, so a test with a mistake in it
 * sees that nothing happens; an action of an unknown name fails like `error`. */
static void parse(void)
{
	const char *text = getenv("ETLD_FAULTS");

	while (text && *text && n_points < POINTS_MAX) {
		struct point *p = &points[n_points];
		int used = 0;

		if (sscanf(text, "%63[^=,]=%15[a-z]%n", p->name, p->action, &used) != 2)
			break;
		text += used;
		if (*text == ':') {
			char *end;

			p->at = strtol(text + 1, &end, 10);
			text = end;
		}
		n_points++;
		text += *text == ',';
	}
}

/* Whoever opens the FIFO for writing knows that this thread has come here; it goes on when the
 * other side has closed it. */
static void hold(void)
{
	const char *path = getenv("ETLD_FAULT_HOLD");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char byte;

	while (fd >= 0 && read(fd, &byte, 1) > 0)
		;
	if (fd >= 0)
		close(fd);
}

/* Several rules may name one point; each counts its own passages, and the first that is
 * due acts. */
int etl_fault(const char *name, struct etl_error *err)
{
	const char *action = NULL;

	pthread_once(&parsed, parse);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < n_points && !action; i++)
		if (strcmp(points[i].name, name) == 0 &&
			(++points[i].passed == points[i].at || !points[i].at))
			action = points[i].action;
	pthread_mutex_unlock(&lock);
	if (!action)
		return 0;
	/* SIGKILL and not exit(): no destructor, no flush, no farewell to the server.
	 * That is what a lost power supply looks like. pause() below covers the moment
	 * until the signal arrives. */
	if (strcmp(action, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(action, "abort") == 0)
		abort();
	if (strcmp(action, "hold") == 0) {
		hold();
		return 0;
	}
	while (strcmp(action, "stall") == 0 || strcmp(action, "kill") == 0)
		pause();
	return err ? etl_error_set(err, ETL_TRANSIENT, "fault.injected", "fault point %s", name) :
		     -1;
}

#else
typedef int etl_fault_is_compiled_out;
#endif

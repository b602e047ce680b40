/* SPDX-License-Identifier: MIT
 *
 * Who we are in leases. A pid alone is no identity: it is used again. Start time, boot id and
 * pid namespace make it one. Says "dead" only of what it can see to be dead: a wrong guess
 * would give one job to two etlds.
 */
#include "io/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct identity {
	char host[65];
	long pid;
	unsigned long long start; /* clock ticks after boot, field 22 of /proc/PID/stat */
	char boot[40];
	unsigned long long pid_namespace;
};

static void read_text(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* 0 if the process is hidden or gone. */
static unsigned long long start_of(long pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;
	const char *p;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	read_text(path, text, sizeof text);
	p = strrchr(text, ')'); /* the process's name before it may hold blanks and brackets */
	if (!p ||
		sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
			"%*d %*d %*d %*d %*d %*d %llu", &start) != 1)
		return 0;
	return start;
}

/* A boot id tells two starts of one machine apart, a pid namespace two containers on it. */
static void own_surroundings(struct identity *id)
{
	struct stat st;

	read_text("/proc/sys/kernel/random/boot_id", id->boot, sizeof id->boot);
	if (stat("/proc/self/ns/pid", &st) == 0)
		id->pid_namespace = st.st_ino;
}

/* The host's name is for people: what makes it one is the rest. */
void etld_instance_name(char *out, size_t size, char *host, size_t host_size)
{
	struct identity id = {.pid = getpid()};

	if (gethostname(id.host, sizeof id.host - 1) != 0 || !*id.host)
		snprintf(id.host, sizeof id.host, "localhost");
	id.start = start_of(id.pid);
	own_surroundings(&id);
	snprintf(out, size, "%s %ld %llu %s %llu", id.host, id.pid, id.start,
		*id.boot ? id.boot : "-", id.pid_namespace);
	snprintf(host, host_size, "%s", id.host);
}

/* Example: the lease says "web1 812 4711 BOOT 4026531836". Another boot id or pid namespace:
 * nothing can be told from here, and the lease is waited for. Pid 812 is gone: dead. Pid 812
 * began at tick 9000 and not at 4711: the number was given to another process, and the holder
 * is dead. */
const char *etld_instance_dead(const char *holder)
{
	struct identity theirs = {.pid = 0}, ours = {.pid = 0};
	unsigned long long start;

	own_surroundings(&ours);
	if (sscanf(holder, "%64s %ld %llu %39s %llu", theirs.host, &theirs.pid, &theirs.start,
		    theirs.boot, &theirs.pid_namespace) != 5)
		return NULL;
	if (theirs.pid <= 0 || strcmp(theirs.boot, ours.boot) != 0 || !*ours.boot ||
		theirs.pid_namespace != ours.pid_namespace)
		return NULL;
	if (kill((pid_t)theirs.pid, 0) != 0 && errno == ESRCH)
		return holder;
	start = start_of(theirs.pid);
	return start && start != theirs.start ? holder : NULL;
}

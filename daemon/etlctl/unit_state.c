/* SPDX-License-Identifier: MIT
 *
 * What the service manager knows about the daemon that does not answer. systemctl is asked,
 * with a short limit: a hint must not delay the report that it belongs to.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "etlctl/etlctl.h"

enum { LIMIT_MS = 300 };

/* Over execvp and pipes, not over D-Bus: this program links nothing that could keep it from
 * starting. */
static _Noreturn void ask(int out)
{
	static const char *const argv[] = {"systemctl", "show", "--property",
		"LoadState,ActiveState,Result", "etld.service", NULL};
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* All that comes until the end or the limit, NUL-terminated. The limit is for each piece that
 * comes: systemctl answers in one, and a bus that hangs gives none. */
static void read_all(int fd, char *text, size_t size)
{
	struct pollfd in = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && poll(&in, 1, LIMIT_MS) > 0 &&
		(n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* The value of "Key=value" among lines, copied; "" if it is not there. */
static void value_of(const char *text, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);
	const char *p = text;

	*out = '\0';
	for (; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == '=') {
			p += n + 1;
			snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
			return;
		}
}

/* Whatever goes wrong is NULL: the report that etld does not answer stands without it. */
const char *etlctl_unit_state(void)
{
	static char state[160];
	char text[512], active[64], load[64], result[64];
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	child = fork();
	if (child == 0)
		ask(fds[1]);
	close(fds[1]);
	read_all(fds[0], text, sizeof text);
	close(fds[0]);
	if (child < 0)
		return NULL;
	kill(child, SIGKILL); /* it has ended, or it is late */
	waitpid(child, NULL, 0);

	value_of(text, "ActiveState", active, sizeof active);
	value_of(text, "LoadState", load, sizeof load);
	value_of(text, "Result", result, sizeof result);
	if (!*active)
		return NULL;
	if (etl_streq(load, "not-found"))
		return "not installed";
	snprintf(state, sizeof state, "%s%s%s%s", active, *result ? " (" : "", result,
		*result ? ")" : "");
	return state;
}

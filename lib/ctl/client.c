/* SPDX-License-Identifier: MIT
 *
 * The blocking client. The descriptor does not block; each wait is a poll until the deadline.
 *
 * Why a deadline and not a timeout for each call: an answer may come in many pieces,
 * and a daemon that sends one byte a second must not keep etlctl for ever. Why
 * CLOCK_MONOTONIC: a clock that is set back while we wait would make the wait longer.
 */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "ctl/frame.h"

struct etl_client {
	int fd;
	int watched; /* -1 = none */
	struct etl_frame_reader reader;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* No limit is a deadline that never comes, which keeps the arithmetic below free of a
 * second case. */
static int64_t deadline_after(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
}

static int io_error(struct etl_error *err, const char *what)
{
	return etl_error_set(err, ETL_TRANSIENT, "ctl.io", "%s: %s", what, strerror(errno));
}

/* 0 = the socket is ready for `events`; -1 = deadline, interruption, failure. */
static int wait_for(struct etl_client *client, short events, int64_t deadline,
	struct etl_error *err)
{
	/* poll() passes over a negative descriptor, so "none is watched" needs no
	 * branch. */
	struct pollfd fds[2] = {
		{.fd = client->fd, .events = events},
		{.fd = client->watched, .events = POLLIN},
	};

	for (;;) {
		int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ms();
		int n;

		/* Once more without waiting: what is there already is taken even after
		 * the deadline. */
		if (deadline != INT64_MAX && left < 0)
			left = 0;
		n = poll(fds, 2, (int)left);
		if (n < 0 && errno != EINTR)
			return io_error(err, "poll");
		if (n == 0)
			return etl_error_set(err, ETL_TRANSIENT, "ctl.timeout",
				"no answer within the time limit");
		if (n > 0 && fds[1].revents)
			return etl_error_set(err, ETL_CANCELLED, "ctl.interrupted",
				"interrupted");
		if (n > 0 && fds[0].revents)
			return 0;
	}
}

/* Each word leads to another next step: "no socket" that etld is not running (or runs
 * elsewhere), "nobody listens" that it died, "no permission" that the caller is not in
 * the group. */
static int connect_error(const char *path, struct etl_error *err)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return etl_error_set(err, ETL_TRANSIENT, "ctl.absent", "there is no socket %s",
			path);
	case ECONNREFUSED:
		return etl_error_set(err, ETL_TRANSIENT, "ctl.absent",
			"nobody listens on the socket %s", path);
	case EACCES:
	case EPERM:
		return etl_error_set(err, ETL_AUTH, "ctl.not_permitted",
			"no permission for the socket %s", path);
	case EAGAIN: /* a unix socket's full backlog: connect does not wait for it */
		return etl_error_set(err, ETL_TRANSIENT, "ctl.timeout",
			"the socket %s takes no more callers", path);
	default:
		return io_error(err, path);
	}
}

/* sun_path has 108 bytes (unix(7)), the NUL included; a longer path would be cut by
 * whoever copies it. */
struct etl_client *etl_client_open(const char *path, int timeout_ms, struct etl_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int fd;

	if (!len || len >= sizeof address.sun_path) {
		etl_error_set(err, ETL_CONFIG, "ctl.path",
			"a socket's path has 1 to %zu bytes, this one %zu",
			sizeof address.sun_path - 1, len);
		return NULL;
	}
	memcpy(address.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		io_error(err, "socket");
		return NULL;
	}
	/* A blocking connect waits for room in the backlog, up to the send limit (unix(7)). */
	if ((timeout_ms > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) ||
		connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		connect_error(path, err);
		close(fd);
		return NULL;
	}
	struct etl_client *client = ETL_NEW(struct etl_client);
	client->fd = fd;
	client->watched = -1;
	etl_frame_reader_init(&client->reader, ETL_CTL_REPLY_MAX);
	return client;
}

void etl_client_close(struct etl_client *client)
{
	if (!client)
		return;
	close(client->fd);
	etl_frame_reader_fini(&client->reader);
	free(client);
}

void etl_client_watch(struct etl_client *client, int fd)
{
	client->watched = fd;
}

static int closed_error(struct etl_error *err)
{
	return etl_error_set(err, ETL_TRANSIENT, "ctl.closed",
		"the daemon closed the connection without an answer");
}

/* A request of a mebibyte does not fit into the socket's buffer: it goes out in pieces, with the
 * rest moved to the front of ours each time. */
int etl_client_send(struct etl_client *client, const char *method,
	const struct etl_json *parameters, bool more, int timeout_ms, struct etl_error *err)
{
	int64_t deadline = deadline_after(timeout_ms);
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, ETL_CTL_MESSAGE_MAX + 1);
	if (!etl_ctl_request_append(&out, method, parameters, more))
		return etl_error_set(err, ETL_LIMIT, "ctl.frame", "the request is too long");
	while (out.len) {
		/* MSG_NOSIGNAL: a daemon that closed is an error code here and no
		 * SIGPIPE. */
		ssize_t n = send(client->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			etl_buf_consume(&out, (size_t)n);
		else if (errno == EPIPE || errno == ECONNRESET)
			return 0; /* refused: why stands in its answer, or there is none */
		else if (errno != EAGAIN && errno != EINTR)
			return io_error(err, "send");
		else if (errno == EAGAIN && wait_for(client, POLLOUT, deadline, err) < 0)
			return -1;
	}
	return 0;
}

/* Reads what is there. 0 or -1.
 * 16 KiB a call: most answers are one piece. */
static int fill(struct etl_client *client, int64_t deadline, struct etl_error *err)
{
	char chunk[16 * 1024];
	ssize_t n;

	if (wait_for(client, POLLIN, deadline, err) < 0)
		return -1;
	n = recv(client->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return closed_error(err);
	/* Woken for nothing (select(2), BUGS): the caller looks at its frames again and comes
	 * back. */
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : io_error(err, "receive");
	return etl_frame_reader_feed(&client->reader, chunk, (size_t)n, err);
}

/* The reply's texts lie in `out`, not in the reader: they stay when the next frame
 * comes. */
int etl_client_receive(struct etl_client *client, int timeout_ms, struct etl_ctl_reply *out,
	struct etl_error *err)
{
	int64_t deadline = deadline_after(timeout_ms);
	const char *text;
	size_t len;
	int rc;

	/* What an earlier call read too much is a reply too: frames first, then the
	 * socket. */
	while ((rc = etl_frame_reader_next(&client->reader, &text, &len, err)) == 0)
		if (fill(client, deadline, err) < 0)
			return -1;
	if (rc < 0)
		return -1;
	if (etl_ctl_reply_parse(text, len, out, err) < 0) {
		etl_error_prefix(err, "the answer is not one of etld's");
		err->code = "ctl.garbage";
		return -1;
	}
	return 0;
}

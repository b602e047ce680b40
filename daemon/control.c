/* SPDX-License-Identifier: MIT
 *
 * The control socket. Each client has a frame reader, one request at a time, and an output
 * buffer with a cap: who does not read is dropped. The peer's uid decides: the kernel gives
 * it, and group membership is looked up by name.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ctl/frame.h"
#include "ctl/interface.h"
#include "handlers.h"
#include "journal.h"

#define OUTPUT_MAX (ETL_CTL_REPLY_MAX + 64 * 1024) /* unread bytes of one client */
#define IDLE_LIMIT ETL_SECONDS(30)   /* with half a message, or not reading */

struct etld_client {
	struct etld_client *prev, *next;
	struct etld_control *control;
	int fd;
	struct etld_io *io;
	struct etl_timer idle;
	struct etl_frame_reader reader;
	struct etl_buf output;
	struct etld_request *request; /* the one being answered */
	struct ucred peer;
	bool may_read, may_operate, closing, serving;
};

struct etld_control {
	struct etld *etld;
	int fd;
	char *path;
	struct etld_io *io;
	struct etld_client *clients;
	unsigned n_clients;
	char *group, *admin_group;
	int spare_fd; /* let go to refuse a client when descriptors have run out */
};

/* ---- who may ------------------------------------------------------------------------------- */

static bool is_member(const struct ucred *peer, const char *name)
{
	struct group *group = getgrnam(name);
	struct passwd *user = getpwuid(peer->uid);
	gid_t gids[128];
	int n = 128;

	if (!group)
		return false;
	if (peer->gid == group->gr_gid)
		return true;
	if (!user || getgrouplist(user->pw_name, peer->gid, gids, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (gids[i] == group->gr_gid)
			return true;
	return false;
}

static void decide_access(struct etld_client *client)
{
	const struct etld_control *control = client->control;
	bool is_self = client->peer.uid == 0 || client->peer.uid == geteuid();

	client->may_operate = is_self || is_member(&client->peer, control->admin_group);
	client->may_read = client->may_operate || is_member(&client->peer, control->group);
}

/* ---- output -------------------------------------------------------------------------------- */

static void drop(struct etld_client *client)
{
	struct etld_control *control = client->control;
	struct etld_request *request = client->request;

	if (request) {
		client->request = NULL;
		request->client = NULL;
		if (request->gone)
			request->gone(request);
	}
	etl_timer_cancel(etld_loop_wheel(control->etld->loop), &client->idle);
	etld_io_remove(client->io);
	close(client->fd);
	if (client->prev)
		client->prev->next = client->next;
	else
		control->clients = client->next;
	if (client->next)
		client->next->prev = client->prev;
	control->n_clients--;
	etl_frame_reader_fini(&client->reader);
	etl_buf_fini(&client->output);
	free(client);
}

static void watch_idle(struct etld_client *client)
{
	struct etl_wheel *wheel = etld_loop_wheel(client->control->etld->loop);

	if (client->output.len || etl_frame_reader_is_partial(&client->reader))
		etl_timer_arm(wheel, &client->idle,
			etl_mono_add(etl_mono_now(client->control->etld->clock), IDLE_LIMIT));
	else
		etl_timer_cancel(wheel, &client->idle);
}

/* False if the client is gone. */
static bool flush(struct etld_client *client)
{
	while (client->output.len) {
		ssize_t n = send(client->fd, client->output.data, client->output.len,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			drop(client);
			return false;
		}
		etl_buf_consume(&client->output, (size_t)n);
	}
	if (client->closing && !client->output.len) {
		drop(client);
		return false;
	}
	etld_io_change(client->io, !client->closing, client->output.len > 0);
	watch_idle(client);
	return true;
}

static void request_free(struct etld_request *request)
{
	if (request->client)
		request->client->request = NULL;
	etl_ctl_request_fini(&request->message);
	free(request);
}

static void serve(struct etld_client *client);

/* Sends what was appended, ends the request and looks for the client's next one. */
static void finish(struct etld_request *request, bool appended)
{
	struct etld_client *client = request->client;

	request_free(request);
	if (!client)
		return;
	if (!appended)
		client->closing = true; /* it does not read: its buffer is full */
	if (!client->serving && flush(client))
		serve(client);
}

void etld_answer(struct etld_request *request, struct etl_json *parameters)
{
	bool appended = true;

	if (request->client && !request->message.oneway)
		appended = etl_ctl_reply_append(&request->client->output, parameters, false);
	else
		etl_json_free(parameters);
	finish(request, appended);
}

bool etld_answer_more(struct etld_request *request, struct etl_json *parameters)
{
	if (!request->client || !request->more || request->client->output.len > ETL_CTL_MESSAGE_MAX) {
		etl_json_free(parameters);
		return false;
	}
	if (!etl_ctl_reply_append(&request->client->output, parameters, true))
		return false;
	/* Not flush(): it could drop the client under the caller's feet. */
	etld_io_change(request->client->io, true, true);
	return true;
}

static void refuse(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, va_list ap)
{
	char message[ETL_ERROR_MESSAGE_MAX];
	bool appended = true;

	vsnprintf(message, sizeof message, fmt, ap);
	if (request->client && !request->message.oneway)
		appended = etl_ctl_error_append(&request->client->output, error, message, hint, details);
	else
		etl_json_free(details);
	finish(request, appended);
}

void etld_refuse(struct etld_request *request, enum etl_ctl_error error, const char *hint,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, NULL, hint, fmt, ap);
	va_end(ap);
}

void etld_refuse_with(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refuse(request, error, details, hint, fmt, ap);
	va_end(ap);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void audit(const struct etld_request *request, const struct etl_command *command)
{
	struct etl_buf arguments;
	struct etld_field fields[2];

	if (command->access != ETL_ACCESS_OPERATE)
		return;
	etl_buf_init(&arguments, 4096);
	if (request->parameters)
		etl_json_print(request->parameters, &arguments);
	fields[0] = (struct etld_field){"ETL_WHO", request->who, 0};
	fields[1] = (struct etld_field){"ETL_METHOD", request->message.method, 0};
	etld_log(ETLD_NOTICE, NULL, fields, 2, "%s: %s %s", request->who, command->name,
		etl_buf_text(&arguments));
	etl_buf_fini(&arguments);
}

static void dispatch(struct etld_request *request)
{
	const struct etl_command *command = etl_command_by_method(request->message.method);
	etld_handler handler = command ? etld_handler_of(etl_command_id_of(command)) : NULL;
	struct etl_error err = ETL_ERROR_INIT;
	const char *wrong = "";

	if (!handler) {
		etld_refuse(request, ETL_CTL_METHOD_NOT_FOUND, NULL, "there is no method %s",
			request->message.method);
	} else if (etl_command_check(command, request->parameters, &wrong, &err) < 0) {
		struct etl_json *details = etl_json_object();

		etl_json_add_text(details, "parameter", wrong);
		etld_refuse_with(request, ETL_CTL_INVALID_PARAMETER, details, NULL, "%s", err.message);
	} else if (command->access == ETL_ACCESS_OPERATE && !request->client->may_operate) {
		etld_refuse(request, ETL_CTL_NOT_PERMITTED,
			"ask root or a member of control.admin_group",
			"%s may read, but not change anything", request->who);
	} else {
		audit(request, command);
		handler(request);
	}
}

/* What stands behind it in the stream cannot be trusted any more: an answer, and the end. */
static void unreadable(struct etld_client *client, const struct etl_error *err)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, "parameter", "message");
	etl_ctl_error_append(&client->output, ETL_CTL_INVALID_PARAMETER, err->message,
		"a message is one JSON object of at most 1 MiB and a NUL byte", details);
	client->closing = true;
}

static void take_message(struct etld_client *client, const char *text, size_t len)
{
	struct etld_request *request = ETL_NEW(struct etld_request);
	struct etl_error err = ETL_ERROR_INIT;

	request->etld = client->control->etld;
	request->client = client;
	if (etl_ctl_request_parse(text, len, &request->message, &err) < 0) {
		free(request);
		unreadable(client, &err);
		return;
	}
	request->parameters = request->message.parameters;
	request->more = request->message.more;
	request->uid = (long)client->peer.uid;
	snprintf(request->who, sizeof request->who, "uid %ld (pid %ld)", (long)client->peer.uid,
		(long)client->peer.pid);
	if (etl_ctl_service_answer(&request->message, ETL_VERSION, &client->output)) {
		request->client = NULL;
		request_free(request);
		return;
	}
	client->request = request;
	dispatch(request);
}

static bool is_here(const struct etld_control *control, const struct etld_client *client)
{
	for (const struct etld_client *c = control->clients; c; c = c->next)
		if (c == client)
			return true;
	return false;
}

/* One message after the other; a request that takes its time holds those behind it back. An
 * answer may end the client, so after each it is looked for. */
static void serve(struct etld_client *client)
{
	struct etld_control *control = client->control;
	struct etl_error err = ETL_ERROR_INIT;
	const char *text;
	size_t len;

	if (client->serving) /* an answer given inside this very loop */
		return;
	client->serving = true;
	while (!client->request && !client->closing) {
		int rc = etl_frame_reader_next(&client->reader, &text, &len, &err);

		if (rc < 0)
			unreadable(client, &err);
		if (rc != 1)
			break;
		take_message(client, text, len);
		if (!is_here(control, client) || !flush(client))
			return;
	}
	client->serving = false;
	flush(client);
}

static void on_client(void *ctx, int fd, bool readable, bool writable)
{
	struct etld_client *client = ctx;
	struct etl_error err = ETL_ERROR_INIT;
	char bytes[16 * 1024];
	ssize_t n;

	if (writable && !flush(client))
		return;
	if (!readable)
		return;
	n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(client);
		return;
	}
	if (etl_frame_reader_feed(&client->reader, bytes, (size_t)n, &err) < 0) {
		unreadable(client, &err);
		flush(client);
		return;
	}
	watch_idle(client);
	serve(client);
}

static void on_idle(struct etl_timer *timer, void *ctx)
{
	(void)timer;
	drop(ctx);
}

/* ---- clients ------------------------------------------------------------------------------- */

static void refuse_client(int fd, enum etl_ctl_error error, const char *message)
{
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	if (etl_ctl_error_append(&out, error, message, NULL, NULL))
		(void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	etl_buf_fini(&out);
	close(fd);
}

static void add_client(struct etld_control *control, int fd)
{
	struct etld_client *client = ETL_NEW(struct etld_client);
	socklen_t len = sizeof client->peer;

	client->control = control;
	client->fd = fd;
	etl_buf_init(&client->output, OUTPUT_MAX);
	etl_frame_reader_init(&client->reader, ETL_CTL_MESSAGE_MAX);
	client->idle = (struct etl_timer){.fire = on_idle, .ctx = client, .name = "client"};
	client->next = control->clients;
	if (client->next)
		client->next->prev = client;
	control->clients = client;
	control->n_clients++;
	client->io = etld_io_add(control->etld->loop, fd, true, false, on_client, client, "client");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &len) != 0) {
		drop(client);
		return;
	}
	decide_access(client);
	if (client->may_read)
		return;
	etl_ctl_error_append(&client->output, ETL_CTL_NOT_PERMITTED,
		"you are not a member of the group that may ask this daemon", NULL, NULL);
	client->closing = true;
	flush(client);
}

/* Out of descriptors accept() would fail for ever and the loop spin: the spare one is given
 * up to take the client and turn it away. */
static void turn_away(struct etld_control *control)
{
	int fd;

	close(control->spare_fd);
	fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_listen(void *ctx, int listen_fd, bool readable, bool writable)
{
	struct etld_control *control = ctx;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)readable;
	(void)writable;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(control);
		return;
	}
	if (control->n_clients >= ETLD_CLIENTS_MAX)
		refuse_client(fd, ETL_CTL_NOT_READY, "too many clients at once, try again");
	else
		add_client(control, fd);
}

/* ---- the socket ---------------------------------------------------------------------------- */

static int fill_address(struct sockaddr_un *address, const char *path, struct etl_error *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->sun_path)
		return etl_error_set(err, ETL_CONFIG, "control.path",
			"control.socket is longer than %zu bytes: %s", sizeof address->sun_path - 1, path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* A socket file that nobody answers on is left over from a dead daemon. */
static int clear_way(const struct sockaddr_un *address, struct etl_error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
	struct stat st;

	close(fd);
	if (rc == 0)
		return etl_error_set(err, ETL_PERMANENT, "control.taken",
			"another etld answers on %s", address->sun_path);
	if (lstat(address->sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return etl_error_set(err, ETL_CONFIG, "control.path",
				"%s exists and is no socket", address->sun_path);
		unlink(address->sun_path);
	}
	return 0;
}

/* The unit forbids chown, and where the group is already ours there is nothing to change.
 * Without that group on this machine only root and our own user get in. */
static void open_to_group(const char *path, const struct group *group)
{
	struct stat st;

	(void)chmod(path, 0600);
	if (!group || stat(path, &st) != 0)
		return;
	if (st.st_gid != group->gr_gid && chown(path, (uid_t)-1, group->gr_gid) != 0) {
		etld_log(ETLD_WARNING, NULL, NULL, 0, "%s cannot be given to the group %s (%s): "
			"only root and etld's own user may ask", path, group->gr_name, strerror(errno));
		return;
	}
	(void)chmod(path, 0660);
}

/* Made with no rights for others (umask), then opened for the group. */
static int listen_on(struct etld_control *control, struct etl_error *err)
{
	struct sockaddr_un address;
	struct group *group = getgrnam(control->group);

	if (fill_address(&address, control->path, err) < 0 || clear_way(&address, err) < 0)
		return -1;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0 || bind(control->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(control->fd, 64) != 0)
		return etl_error_set(err, ETL_PERMANENT, "control.listen", "cannot listen on %s: %s",
			control->path, strerror(errno));
	open_to_group(control->path, group);
	return 0;
}

struct etld_control *etld_control_open(struct etld *etld, const struct etld_settings *settings,
	struct etl_error *err)
{
	struct etld_control *control = ETL_NEW(struct etld_control);

	control->etld = etld;
	control->fd = -1;
	control->path = etl_strdup(settings->control.socket);
	control->group = etl_strdup(settings->control.group);
	control->admin_group = etl_strdup(settings->control.admin_group);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (listen_on(control, err) < 0) {
		free(ETL_TAKE(control->path)); /* not ours to remove */
		etld_control_close(control);
		return NULL;
	}
	control->io = etld_io_add(etld->loop, control->fd, true, false, on_listen, control, "control");
	return control;
}

void etld_control_close(struct etld_control *control)
{
	if (!control)
		return;
	while (control->clients)
		drop(control->clients);
	etld_io_remove(control->io);
	if (control->fd >= 0)
		close(control->fd);
	if (control->path)
		unlink(control->path);
	if (control->spare_fd >= 0)
		close(control->spare_fd);
	free(control->path);
	free(control->group);
	free(control->admin_group);
	free(control);
}

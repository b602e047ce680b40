/* SPDX-License-Identifier: MIT
 *
 * The control socket: it listens, lets clients in by rank and number, and tells each one that
 * it sends away why. What a client does is in control_client.c; nothing is read from a client
 * here.
 *
 * Why a file's rights and a rank both: the file lets in the group (0660), and the kernel's word
 * about the peer says what of that he may.
 */
#include "doors/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "doors/control_client.h"
#include "io/journal.h"
#include "io/message_ids.h"

/* The law of places: readers leave places for operators, and operators for root and etld's own
 * user, so that whoever has to act gets in when many look. Example: of 64 places readers get 48
 * and operators 60; the last 4 are for root and etld. */
#define READERS_MAX (ETLD_CLIENTS_MAX * 3 / 4)
#define OPERATORS_MAX (ETLD_CLIENTS_MAX - 4)
#define LOG_EVERY ETL_SECONDS(10) /* at most one message about refused clients in this time */

struct etld_control {
	int fd;
	char *path;
	struct etld_io *io;
	struct etld_clients clients;
	/* closed for a moment to accept and answer a client when descriptors have run out */
	int spare_fd;
	etl_mono logged; /* when a refused client was logged last; us == 0 = never */
	unsigned untold; /* since then */
};

/* Half of what is here is control_client.c's: the list of clients and their sums. */
struct etld_clients *etld_control_clients(struct etld_control *control)
{
	return &control->clients;
}

/* ---- clients that come ----------------------------------------------------------------------- */

/* One line in ten seconds with how many there were: a script that knocks all day must not fill the
 * journal. */
static void log_refused(struct etld_control *control, const struct etld_peer *peer, const char *why)
{
	etl_mono now = etl_mono_now(control->clients.etld->clock);
	char who[80], more[64] = "";
	struct etld_field field = {"ETL_WHO", who, 0};

	if (control->logged.us && etl_mono_diff(now, control->logged).us < LOG_EVERY.us) {
		control->untold++;
		return;
	}
	snprintf(who, sizeof who, "uid %ld (pid %ld)", peer->uid, peer->pid);
	if (control->untold)
		snprintf(more, sizeof more, "; %u more before it", control->untold);
	etld_log(ETLD_WARNING, ETLD_MSG_CLIENT_REFUSED, &field, 1,
		"%s was sent away from the control socket: %s%s", who, why, more);
	control->logged = now;
	control->untold = 0;
}

/* A refused client always gets an answer: its socket is new, so there is room in it. In the
 * protocol's own form: etlctl prints it as any refusal, with the hint. */
static void refuse_client(int fd, enum etl_ctl_error error, const char *message, const char *hint)
{
	struct etl_buf out;

	etl_buf_init(&out, 4096);
	if (etl_ctl_error_append(&out, error, message, hint, NULL))
		(void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	etl_buf_fini(&out);
	close(fd);
}

/* The last four are for who can end a flood. */
static bool has_place(const struct etld_clients *clients, enum etld_rank rank)
{
	if (rank == ETLD_RANK_READER)
		return clients->n_readers < READERS_MAX && clients->n < OPERATORS_MAX;
	return clients->n < (rank == ETLD_RANK_SELF ? ETLD_CLIENTS_MAX : OPERATORS_MAX);
}

/* A place may be made free by letting go a client that has said nothing for a second, of no higher
 * rank. */
static void on_peer(struct etld_control *control, int fd, const struct etld_peer *peer)
{
	static const char many[] = "too many clients at once";

	if (peer->rank == ETLD_RANK_NOBODY) {
		log_refused(control, peer, "it is in neither of the groups of the control socket");
		refuse_client(fd, ETL_CTL_NOT_PERMITTED,
			"you are not a member of the group that may query this daemon",
			"control.group and control.admin_group in the main configuration file");
	} else if (has_place(&control->clients, peer->rank) ||
		etld_clients_give_place(&control->clients, peer->rank)) {
		etld_client_add(control, fd, peer);
	} else {
		log_refused(control, peer, many);
		refuse_client(fd, ETL_CTL_NOT_READY, many, "try again");
	}
}

/* Without a free descriptor accept() would fail for ever, and the loop would spin on a socket
 * that stays readable. The spare descriptor is given up to accept the client, tell it, and turn
 * it away. */
static void turn_away(struct etld_control *control)
{
	static const char why[] = "etld has no file descriptor left for another client";
	struct etld_peer peer = {0};
	int fd;

	close(control->spare_fd);
	fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		(void)etld_access_of(&control->clients.etld->access, fd, &peer);
		log_refused(control, &peer, why);
		refuse_client(fd, ETL_CTL_NOT_READY, why, "LimitNOFILE in the unit; try again");
	}
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* One client a turn: the loop comes back here at once if more wait, with timers in between. */
static void on_listen(void *ctx, int listen_fd, bool readable, bool writable)
{
	struct etld_control *control = ctx;
	struct etld_peer peer;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)readable;
	(void)writable;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(control);
		return;
	}
	if (etld_access_of(&control->clients.etld->access, fd, &peer) < 0)
		close(fd);
	else
		on_peer(control, fd, &peer);
}

/* ---- the socket ---------------------------------------------------------------------------- */

/* 108 bytes are the kernel's limit of a path; the configuration may hold any text. */
static int fill_address(struct sockaddr_un *address, const char *path, struct etl_error *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->sun_path)
		return etl_error_set(err, ETL_CONFIG, "control.path",
			"control.socket is longer than %zu bytes: %s", sizeof address->sun_path - 1,
			path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* A socket file on which nobody answers is left over from a daemon that died; a file of another
 * kind is not ours to remove. */
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

/* chown is avoided where the group is right already, because the unit forbids it. Without that
 * group on this machine only root and etld's own user get in. */
static void open_to_group(const char *path, const struct etld_access *access, const char *name)
{
	struct stat st;

	(void)chmod(path, 0600);
	if (!access->has_group || stat(path, &st) != 0)
		return;
	if (st.st_gid != access->group && chown(path, (uid_t)-1, access->group) != 0) {
		etld_log(ETLD_WARNING, NULL, NULL, 0, "%s cannot be given to the group %s (%s): "
			"only root and etld's own user may ask", path, name, strerror(errno));
		return;
	}
	(void)chmod(path, 0660);
}

/* Made with no rights for others (umask), then opened for the group. A backlog of 64, as many as
 * there are places. */
static int listen_on(struct etld_control *control, const char *group, struct etl_error *err)
{
	struct sockaddr_un address;

	if (fill_address(&address, control->path, err) < 0 || clear_way(&address, err) < 0)
		return -1;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0 ||
		bind(control->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(control->fd, 64) != 0)
		return etl_error_set(err, ETL_PERMANENT, "control.listen",
			"cannot listen on %s: %s", control->path, strerror(errno));
	open_to_group(control->path, &control->clients.etld->access, group);
	return 0;
}

/* The spare descriptor is taken before any client comes (turn_away). */
struct etld_control *etld_control_open(struct etld *etld, const struct etld_settings *settings,
	struct etl_error *err)
{
	struct etld_control *control = ETL_NEW(struct etld_control);

	control->clients.etld = etld;
	control->fd = -1;
	control->path = etl_strdup(settings->control.socket);
	etld_access_look(settings->control.group, settings->control.admin_group, &etld->access);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (listen_on(control, settings->control.group, err) < 0) {
		free(ETL_TAKE(control->path)); /* not ours to remove */
		etld_control_close(control);
		return NULL;
	}
	control->io =
		etld_io_add(etld->loop, control->fd, true, false, on_listen, control, "control");
	return control;
}

/* Clients first: their requests are told while all that they point to is still there. */
void etld_control_close(struct etld_control *control)
{
	if (!control)
		return;
	etld_clients_close(&control->clients);
	etld_io_remove(control->io);
	if (control->fd >= 0)
		close(control->fd);
	if (control->path)
		unlink(control->path);
	if (control->spare_fd >= 0)
		close(control->spare_fd);
	free(control->path);
	free(control);
}

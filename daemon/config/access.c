/* SPDX-License-Identifier: MIT
 *
 * Ranks of peers. No name service is asked here but in etld_access_look.
 *
 * Example: a dashboard's user is in `etl`, an operator in `etladmin`. The first may ask and is
 * refused with NotPermitted for `pause`; the second may do both; somebody in neither is sent away
 * as he connects. root and etld's own user always may: whoever is one of these could stop the
 * daemon anyway.
 */
#include "config/access.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"

/* A directory service may answer with thousands of members: the buffer grows until it fits, up to a
 * bound. */
static bool gid_of(const char *name, gid_t *out)
{
	size_t size = 4096;
	struct group group, *found = NULL;
	char *text = NULL;
	int rc;

	do { /* a group with many members */
		text = etl_realloc(text, size, 1);
		rc = getgrnam_r(name, &group, text, size, &found);
		size *= 2;
	} while (rc == ERANGE && size <= 64 * 1024 * 1024);
	if (found)
		*out = found->gr_gid;
	free(text);
	return found != NULL;
}

/* The one place that may block on a name service; the fault point makes it as slow as a test wants.
 */
void etld_access_look(const char *group, const char *admin_group, struct etld_access *out)
{
	*out = (struct etld_access){0};
	(void)etl_fault("groups.look", NULL);
	out->has_group = gid_of(group, &out->group);
	out->has_admin_group = gid_of(admin_group, &out->admin_group);
}

/* The peer's own gid is not always among its supplementary groups. */
static bool is_in(gid_t gid, gid_t own, const gid_t *gids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (gids[i] == gid)
			return true;
	return own == gid;
}

/* Supplementary groups (SO_PEERGROUPS, Linux 4.13). Where they are not told only the gid counts. 64
 * are enough for nearly everybody; the kernel says how many bytes more it takes. */
static gid_t *groups_of(int fd, size_t *n)
{
	socklen_t bytes = 64 * sizeof(gid_t);
	gid_t *gids = etl_calloc(64, sizeof *gids);
	int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &bytes);

	if (rc != 0 && errno == ERANGE) { /* `bytes` says how many it takes */
		gids = etl_realloc(gids, bytes, 1);
		rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &bytes);
	}
	*n = rc == 0 ? bytes / sizeof *gids : 0;
	return gids;
}

/* By the kernel's word of the moment of connecting, not by /proc: a process could have changed
 * since. A group that this machine does not have matches nobody, for a gid of 0 in its place would
 * let root's group in. */
int etld_access_of(const struct etld_access *access, int fd, struct etld_peer *out)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	gid_t *gids;
	size_t n;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return -1;
	gids = groups_of(fd, &n);
	*out = (struct etld_peer){.uid = (long)peer.uid, .pid = (long)peer.pid};
	if (peer.uid == 0 || peer.uid == geteuid())
		out->rank = ETLD_RANK_SELF;
	else if (access->has_admin_group && is_in(access->admin_group, peer.gid, gids, n))
		out->rank = ETLD_RANK_OPERATOR;
	else if (access->has_group && is_in(access->group, peer.gid, gids, n))
		out->rank = ETLD_RANK_READER;
	free(gids);
	return 0;
}

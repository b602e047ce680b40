/* SPDX-License-Identifier: MIT
 *
 * Who may query and who may control this daemon. Groups are looked up by name when a configuration
 * is loaded (that may ask a directory service, on a worker); of a peer the kernel tells the rest.
 */
#ifndef ETLD_ACCESS_H
#define ETLD_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* In the order of what they may: who comes later has places of his own. */
enum etld_rank {
	ETLD_RANK_NOBODY,   /* neither */
	ETLD_RANK_READER,   /* of control.group: may query */
	ETLD_RANK_OPERATOR, /* of control.admin_group: may control */
	ETLD_RANK_SELF,	    /* root, and etld's own user */
};

/* The groups of one configuration. One that this machine does not have lets nobody in. */
struct etld_access {
	bool has_group, has_admin_group;
	gid_t group, admin_group;
};

/* Blocks: the start, or a worker. */
void etld_access_look(const char *group, const char *admin_group, struct etld_access *out);

struct etld_peer {
	enum etld_rank rank;
	long uid, pid;
};

/* The other side of a connected unix socket: by its uid, its gid and its supplementary groups, as
 * they were when it connected. 0, or -1 if the kernel does not tell. Does not block; any thread. */
int etld_access_of(const struct etld_access *access, int fd, struct etld_peer *out);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Where a look-up of a zone's file passes: the places at which a change leads to another file.
 * Only names and links are looked at; the file itself is not opened.
 *
 * Why it exists: tzdata is exchanged by renaming files and links. A watch on the file
 * alone misses a new file put in the place of a link on the way to it:
 * /usr/share/zoneinfo/Europe/Paris may be a link, and so may /usr/share/zoneinfo. Each
 * name on the way is therefore told as (folder, entry).
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "time/zone_internal.h"

enum { LINKS_MAX = 40 }; /* as the kernel has it */

/* Example: /a/b with b -> ../c: places (/, a), (/a, b), then up, and (/, c). */
struct walk {
	char at[PATH_MAX];   /* a folder, free of links; "" = the root */
	char rest[PATH_MAX]; /* the names that are still to be looked up from there */
	int links;
};

static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->at, '/');

	if (slash)
		*slash = '\0';
}

/* Takes the next name off the rest; false at its end. */
static bool next_name(struct walk *walk, char name[NAME_MAX + 1])
{
	size_t skip = strspn(walk->rest, "/");
	size_t len = strcspn(walk->rest + skip, "/");

	if (!len || len > NAME_MAX)
		return false;
	memcpy(name, walk->rest + skip, len);
	name[len] = '\0';
	memmove(walk->rest, walk->rest + skip + len, strlen(walk->rest + skip + len) + 1);
	return true;
}

/* Puts what the link names before the rest. A name that does not fit ends the look-up: the
 * kernel would refuse it too. */
static bool follow(struct walk *walk, const char *link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof target - 1);
	int n;

	if (len <= 0 || ++walk->links > LINKS_MAX)
		return false;
	target[len] = '\0';
	n = snprintf(rest, sizeof rest, "%s/%s", target, walk->rest);
	if (n < 0 || (size_t)n >= sizeof rest)
		return false;
	memcpy(walk->rest, rest, (size_t)n + 1);
	if (*target == '/')
		walk->at[0] = '\0';
	return true;
}

void etl_zone_walk(const char *path, etl_place_fn place, void *ctx)
{
	struct walk walk = {.links = 0};
	char name[NAME_MAX + 1];

	snprintf(walk.rest, sizeof walk.rest, "%s", path);
	while (next_name(&walk, name)) {
		char full[sizeof walk.at + sizeof name + 1];
		struct stat st;

		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			go_up(&walk);
			continue;
		}
		place(ctx, *walk.at ? walk.at : "/", name);
		if (snprintf(full, sizeof full, "%s/%s", walk.at, name) >= (int)sizeof walk.at ||
			lstat(full, &st) != 0)
			return; /* when it comes it is seen at this place */
		if (!S_ISLNK(st.st_mode))
			memcpy(walk.at, full, strlen(full) + 1);
		else if (!follow(&walk, full))
			return;
	}
}

void etl_zone_places(const char *name, etl_place_fn place, void *ctx)
{
	char path[sizeof ETL_ZONE_FOLDER + ETL_ZONE_NAME_MAX + 1];

	if (strcmp(name, "UTC") == 0)
		return;
	snprintf(path, sizeof path, "%s/%s", ETL_ZONE_FOLDER, name);
	etl_zone_walk(path, place, ctx);
}

/* SPDX-License-Identifier: MIT
 *
 * The walk along a pattern's components, and the page: a heap with the greatest name on top, so that
 * the least ones stay when it is full.
 */
#include "source/file/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "time/object.h"

#define NAME_COSTS 32 /* bytes beside its text: the pointer, the allocator's own */

/* ---- patterns ---------------------------------------------------------------------------- */

static bool is_wild(const char *text, size_t len)
{
	return memchr(text, '*', len) || memchr(text, '?', len);
}

bool etl_glob_is_pattern(const char *pattern, const char **why)
{
	*why = NULL;
	if (*pattern != '/')
		*why = "it is not absolute: it begins with '/'";
	else if (strlen(pattern) > ETL_OBJECT_NAME_MAX)
		*why = "it is longer than 1024 bytes";
	for (const char *p = pattern; *p == '/' && !*why;) {
		size_t n = strcspn(++p, "/");

		if (!n)
			*why = p[0] ? "it has an empty component: '//'" : "it ends with '/': files are named";
		else if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			*why = "'.' and '..' are no names";
		else if (n > 1 && strstr(p, "**") && strstr(p, "**") < p + n)
			*why = "'**' is not understood: write one '*' for each folder";
		p += n;
	}
	return !*why;
}

bool etl_glob_matches(const char *pattern, const char *name)
{
	return (*name != '.' || *pattern == '.') && etl_object_matches(pattern, name);
}

/* ---- the page ---------------------------------------------------------------------------- */

static void swap(char **a, char **b)
{
	char *c = *a;

	*a = *b;
	*b = c;
}

static void sift_up(char **names, size_t at)
{
	while (at && strcmp(names[at], names[(at - 1) / 2]) > 0) {
		swap(&names[at], &names[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void sift_down(char **names, size_t n)
{
	for (size_t at = 0, next; (next = 2 * at + 1) < n; at = next) {
		if (next + 1 < n && strcmp(names[next + 1], names[next]) > 0)
			next++;
		if (strcmp(names[next], names[at]) <= 0)
			return;
		swap(&names[next], &names[at]);
	}
}

/* The law of the page: it has the least names of all that came. Once one was let go, the greatest that
 * is kept only gets less, and whatever is greater than that goes as well: nothing between two names of
 * the page is ever missing. */
static void page_add(struct etl_glob_page *page, char *name, size_t max_bytes)
{
	if (page->more && strcmp(name, page->names[0]) > 0) {
		free(name);
		return;
	}
	ETL_GROW(page->names, page->n, page->cap);
	page->names[page->n++] = name;
	page->bytes += strlen(name) + NAME_COSTS;
	sift_up(page->names, page->n - 1);
	while (page->bytes > max_bytes && page->n > 1) {
		char *last = page->names[0];

		page->names[0] = page->names[--page->n];
		sift_down(page->names, page->n);
		page->bytes -= strlen(last) + NAME_COSTS;
		page->more = true;
		free(last);
	}
}

void etl_glob_page_fini(struct etl_glob_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		free(page->names[i]);
	free(page->names);
	*page = (struct etl_glob_page){.n = 0};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the walk ---------------------------------------------------------------------------- */

struct walk {
	const char *after;
	size_t max_bytes;
	struct etl_glob_page *page;
	struct etl_error *err;
};

static int folder_error(const struct walk *walk, const char *folder)
{
	char shown[200];

	etl_object_show(*folder ? folder : "/", shown, sizeof shown);
	if (errno == EACCES || errno == EPERM)
		return etl_error_set(walk->err, ETL_PERMANENT, "file.denied",
			"the folder '%s' may not be read by this user: give the right to read and search it; "
			"under systemd see ProtectHome and InaccessiblePaths of the unit", shown);
	if (errno == ENOENT || errno == ENOTDIR)
		return etl_error_set(walk->err, ETL_PERMANENT, "file.no_folder",
			"there is no folder '%s': see extract.file.path", shown);
	return etl_error_set(walk->err, ETL_TRANSIENT, "file.folder", "reading the folder '%s': %s", shown,
		strerror(errno));
}

static int visit(struct walk *walk, const char *folder, const char *rest, bool wild);

static void found(struct walk *walk, char *name)
{
	if (walk->after && strcmp(name, walk->after) <= 0)
		free(name);
	else
		page_add(walk->page, name, walk->max_bytes);
}

/* All that lies in a folder comes before `after`: it need not be opened again. */
static bool is_behind_us(const struct walk *walk, const char *folder)
{
	size_t n = strlen(folder);

	return walk->after && (strncmp(folder, walk->after, n) < 0 ||
		(strncmp(folder, walk->after, n) == 0 && (unsigned char)walk->after[n] > '/'));
}

/* `name` fits this component: the file itself, or a folder on the way. Takes. */
static int step(struct walk *walk, char *name, const char *rest, bool wild)
{
	int rc = 0;

	if (!*rest) {
		found(walk, name);
		return 0;
	}
	if (!is_behind_us(walk, name))
		rc = visit(walk, name, rest, wild);
	free(name);
	return rc;
}

/* What stands in `name` behind "folder/", or NULL if it lies elsewhere. */
static const char *within(const char *name, const char *folder, size_t n)
{
	return name && strncmp(name, folder, n) == 0 && name[n] == '/' ? name + n + 1 : NULL;
}

/* False: the page would not keep this file of the folder. Asked before its name is made: of a folder of a
 * million each page takes some ten thousand. */
static bool may_be_kept(const struct walk *walk, const char *folder, size_t n, const char *file)
{
	const char *after = within(walk->after, folder, n);
	const char *last = walk->page->more ? within(walk->page->names[0], folder, n) : NULL;

	return (!after || strcmp(file, after) > 0) && (!last || strcmp(file, last) <= 0);
}

static int read_folder(struct walk *walk, DIR *dir, const char *folder, const char *pattern,
	const char *rest)
{
	size_t n = strlen(folder);
	struct dirent *entry;
	int rc = 0;

	while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (!etl_streq(entry->d_name, ".") && !etl_streq(entry->d_name, "..") &&
			(*rest || may_be_kept(walk, folder, n, entry->d_name)) &&
			etl_glob_matches(pattern, entry->d_name))
			rc = step(walk, etl_strf("%s/%s", folder, entry->d_name), rest, true);
	return rc == 0 && errno ? folder_error(walk, folder) : rc;
}

/* A folder that a pattern has found may be a file, a link or gone: then it has nothing for us. Links
 * are followed where the path names them, never where a pattern finds them. */
static int open_folder(struct walk *walk, const char *folder, bool wild, DIR **out)
{
	int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC | (wild ? O_NOFOLLOW : 0));

	*out = NULL;
	if (fd < 0 && wild && (errno == ENOTDIR || errno == ENOENT || errno == ELOOP))
		return 0;
	if (fd < 0)
		return folder_error(walk, folder);
	*out = fdopendir(fd);
	return *out ? 0 : folder_error(walk, folder);
}

/* A file that is named in full. Takes. */
static int look_for(struct walk *walk, const char *folder, char *name)
{
	struct stat st;

	if (lstat(name, &st) == 0) {
		found(walk, name);
		return 0;
	}
	free(name);
	return errno == ENOENT || errno == ENOTDIR ? 0 : folder_error(walk, folder);
}

/* `rest` begins with the '/' of the component that is looked for in `folder`. `wild`: a pattern stood
 * on the way to it. */
static int visit(struct walk *walk, const char *folder, const char *rest, bool wild)
{
	size_t n = strcspn(rest + 1, "/");
	etl_cleanup(free) char *part = etl_strf("%.*s", (int)n, rest + 1);
	bool reads = is_wild(part, n);
	DIR *dir = NULL;
	int rc = 0;

	rest += 1 + n;
	if (reads || wild) { /* also where a name is known: what a pattern found may be a link */
		rc = open_folder(walk, folder, wild, &dir);
		if (!dir)
			return rc;
	}
	if (reads)
		rc = read_folder(walk, dir, folder, part, rest);
	else if (*rest)
		rc = step(walk, etl_strf("%s/%s", folder, part), rest, wild);
	else
		rc = look_for(walk, folder, etl_strf("%s/%s", folder, part));
	if (dir)
		closedir(dir);
	return rc;
}

int etl_glob_page_read(const char *pattern, const char *after, size_t max_bytes,
	struct etl_glob_page *page, struct etl_error *err)
{
	struct walk walk = {after, max_bytes, page, err};

	if (visit(&walk, "", pattern, false) < 0) {
		etl_glob_page_fini(page);
		return -1;
	}
	if (page->n)
		qsort(page->names, page->n, sizeof *page->names, by_text);
	return 0;
}

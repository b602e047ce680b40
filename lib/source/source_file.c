/* SPDX-License-Identifier: MIT
 *
 * file: regular files of this machine by name or pattern, whole. With `window: object` each is a unit,
 * else all of them are one answer. Blocking kind. Never follows a link that a pattern found, never
 * writes, never waits for a writer: what is too young is left alone, and what changed while it was
 * read proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/str.h"
#include "source/file/glob.h"
#include "source/source.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define RENDERED_MAX 4096

struct options {
	const char *path_text;
	etl_dur min_age;
	const struct etl_template *path; /* compiled */
};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "path", .type = ETL_OPT_STRING, .offset = AT(path_text), .required = true,
		.help = "a file, absolute; '*' and '?' stand for bytes of one name"},
	{.name = "min_age", .type = ETL_OPT_DURATION, .offset = AT(min_age), .fallback = "10s", .max = 86400,
		.help = "a file that was written to later than this ago waits: it may be half written"},
	{0}};

struct source {
	const struct options *options;
	const struct etl_source_env *env;
	char *pattern; /* owned; with the partition's values */
	/* The file at hand. */
	int fd; /* -1 = none */
	char *name;
	struct etl_object as_was; /* when it was opened; no name */
	uint64_t got;
	char *piece;
	/* Of a full read: the names to come. */
	struct etl_glob_page page;
	size_t next;
	bool listed, any;
};

/* ---- configuration ---------------------------------------------------------------------- */

static void check(void *opts, const struct etl_node *node, const struct etl_decode_spec *decode,
	const struct etl_conf_env *env)
{
	struct options *o = opts;
	const struct etl_node *at = etl_node_get(node, "path");
	const char *why;

	(void)decode;
	if (!at)
		return;
	o->path = etl_template_parse(o->path_text, at, env);
	if (o->path && !etl_glob_is_pattern(o->path_text, &why))
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_RANGE, "/var/lib/app/*.jsonl",
			"man etld.yaml, file", "'path' of %s is no pattern for files: %s", env->what, why);
	else if (o->path && (etl_template_has_window(o->path) || strstr(o->path_text, "{object.")))
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_TEMPLATE, "write '*' where names differ",
			"man etld.yaml, file", "'path' of %s may have values of the partition alone",
			env->what);
}

/* ---- paths ------------------------------------------------------------------------------ */

static size_t count(const char *text, const char *set)
{
	size_t n = 0;

	for (; *text; text++)
		n += strchr(set, *text) != NULL;
	return n;
}

/* A value fills its place and no more: it makes no further component and no pattern. */
static int render(struct source *s, struct etl_error *err)
{
	const struct options *o = s->options;
	ETL_BUF_CLEANUP struct etl_buf text;
	const char *why;

	etl_buf_init(&text, RENDERED_MAX);
	if (etl_template_render(o->path, s->env->vars, ETL_ESCAPE_NONE, &text, err) < 0)
		return -1;
	s->pattern = etl_buf_take(&text);
	if (!etl_glob_is_pattern(s->pattern, &why))
		return etl_error_set(err, ETL_CONFIG, "file.path",
			"the path '%s' is no pattern for files: %s", s->pattern, why);
	if (count(s->pattern, "/*?") != count(o->path_text, "/*?"))
		return etl_error_set(err, ETL_CONFIG, "file.path",
			"a value of the partition would change the path '%s': it holds '/', '*' or '?'",
			s->pattern);
	return 0;
}

static int open_source(void *self, const void *opts, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct source *s = self;

	s->fd = -1;
	s->options = opts;
	s->env = env;
	return render(s, err);
}

static struct etl_object facts_of(const struct stat *st)
{
	return (struct etl_object){.size = (uint64_t)st->st_size,
		.mtime = {(int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000}};
}

static const char *kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return NULL;
	if (S_ISDIR(mode))
		return "is a folder";
	if (S_ISLNK(mode))
		return "is a symbolic link, which is not followed";
	return "is no regular file (a pipe, a socket or a device)";
}

/* One whose time lies ahead of our clock waits for that clock as well. */
static bool is_young(const struct options *o, etl_wall mtime, etl_wall now)
{
	return o->min_age.us && etl_wall_diff(now, mtime).us < o->min_age.us;
}

/* ---- what there is ----------------------------------------------------------------------- */

/* False: it went in between. */
static bool look(const struct source *s, const char *name, etl_wall now, struct etl_listed *out)
{
	const char *why = NULL;
	struct stat st;

	*out = (struct etl_listed){.object.name = name};
	if (lstat(name, &st) < 0) {
		out->refused = "may not be looked at: a folder on the way to it forbids it";
		return errno != ENOENT && errno != ENOTDIR;
	}
	out->object = facts_of(&st);
	out->object.name = name;
	out->refused = kind_of(st.st_mode);
	if (!out->refused && !etl_object_is_name(name, strlen(name), &why))
		out->refused = why;
	if (!out->refused && is_young(s->options, out->object.mtime, now))
		out->waits = "is younger than min_age";
	return true;
}

static int list(void *self, const char *after, etl_wall now, etl_listed_fn fn, void *ctx,
	struct etl_error *err)
{
	struct source *s = self;
	struct etl_glob_page page = {.n = 0};
	struct etl_listed listed;
	int rc = etl_glob_page_read(s->pattern, after, ETL_GLOB_PAGE_BYTES, &page, err);

	for (size_t i = 0; i < page.n && rc == 0; i++)
		if (look(s, page.names[i], now, &listed))
			rc = fn(ctx, &listed, err);
	if (rc == 0)
		rc = page.more;
	etl_glob_page_fini(&page);
	return rc;
}

/* ---- reading ----------------------------------------------------------------------------- */

static void close_file(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(ETL_TAKE(s->name));
}

static int file_error(const struct source *s, struct etl_error *err)
{
	char shown[300];
	int code = errno;

	etl_object_show(s->name, shown, sizeof shown);
	if (code == ENOENT || code == ENOTDIR)
		return etl_error_set(err, ETL_TRANSIENT, "object.gone",
			"the file '%s' was there a moment ago and is not any more", shown);
	if (code == ELOOP)
		return etl_error_set(err, ETL_DATA, "object.kind",
			"'%s' is a symbolic link, which is not followed", shown);
	if (code == EACCES || code == EPERM)
		return etl_error_set(err, ETL_DATA, "object.denied",
			"the file '%s' may not be read by this user: give the right to read it", shown);
	return etl_error_set(err, ETL_TRANSIENT, "object.read", "reading the file '%s': %s", shown,
		strerror(code));
}

static int changed(const struct source *s, struct etl_error *err)
{
	char shown[300];

	etl_object_show(s->name, shown, sizeof shown);
	return etl_error_set(err, ETL_TRANSIENT, "object.changed",
		"the file '%s' changed while it was read: it is read again by the next run", shown);
}

static int stat_open(struct source *s, struct etl_object *out, struct etl_error *err)
{
	const char *kind;
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return file_error(s, err);
	kind = kind_of(st.st_mode);
	if (kind)
		return etl_error_set(err, ETL_DATA, "object.kind", "'%s' %s", s->name, kind);
	*out = facts_of(&st);
	return 0;
}

/* Takes. Without waiting: of a pipe in the place of a file nobody may ever open the other end. A unit's
 * file has to be the one that the plan saw. */
static int open_file(struct source *s, char *name, struct etl_error *err)
{
	const struct etl_object *unit = s->env->vars->object;

	s->name = name;
	s->got = 0;
	s->fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s->fd < 0)
		return file_error(s, err);
	if (stat_open(s, &s->as_was, err) < 0)
		return -1;
	if (unit && !etl_object_is_same(unit, &s->as_was))
		return changed(s, err);
	if (!s->piece)
		s->piece = etl_calloc(1, PIECE_BYTES);
	return etl_fault("file.opened", err) < 0 ? -1 : etl_decode_begin(s->env->decode, NULL, err);
}

/* The proof: all bytes that the file had when it was opened, none more, and nobody wrote to it since. */
static int end_file(struct source *s, struct etl_batch *out, struct etl_error *err)
{
	struct etl_object is;

	if (stat_open(s, &is, err) < 0)
		return -1;
	if (s->got != s->as_was.size || !etl_object_is_same(&is, &s->as_was))
		return changed(s, err);
	close_file(s);
	return etl_decode_end(s->env->decode, out, err);
}

/* 1 = there is more of it, 0 = it ended well, -1. */
static int read_file(struct source *s, struct etl_batch *out, struct etl_error *err)
{
	ssize_t n;

	while (!etl_batch_is_full(out)) {
		n = read(s->fd, s->piece, PIECE_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(s, err);
		if (n == 0)
			return end_file(s, out, err);
		s->got += (uint64_t)n;
		if (s->got > s->as_was.size)
			return changed(s, err);
		if (etl_decode_feed(s->env->decode, s->piece, (size_t)n, out, err) < 0)
			return -1;
	}
	return 1;
}

/* ---- a full read: one file after the other ------------------------------------------------- */

static int next_page(struct source *s, struct etl_error *err)
{
	char *last = s->page.n ? etl_strdup(s->page.names[s->page.n - 1]) : NULL;
	int rc;

	etl_glob_page_fini(&s->page);
	s->next = 0;
	rc = etl_glob_page_read(s->pattern, last, ETL_GLOB_PAGE_BYTES, &s->page, err);
	s->listed = true;
	free(last);
	return rc;
}

static int nothing_there(const struct source *s, struct etl_error *err)
{
	char shown[300];

	etl_object_show(s->pattern, shown, sizeof shown);
	return etl_error_set(err, ETL_PERMANENT, "file.none",
		"no file is named '%s': nothing was read, which proves nothing", shown);
}

/* 1 = the next file is open, 0 = there is none, -1. What is no file of ours is passed over where a
 * pattern found it; what is named in full has to be one. */
static int next_file(struct source *s, struct etl_error *err)
{
	struct etl_listed listed;
	char *name;

	for (;;) {
		if (s->next == s->page.n) {
			if (s->listed && !s->page.more)
				return s->any ? 0 : nothing_there(s, err);
			if (next_page(s, err) < 0)
				return -1;
			continue;
		}
		name = s->page.names[s->next++];
		if (!look(s, name, s->env->now, &listed))
			continue;
		if (listed.refused && count(s->pattern, "*?"))
			continue;
		if (listed.refused)
			return etl_error_set(err, ETL_DATA, "object.kind", "'%s' %s", name, listed.refused);
		if (listed.waits)
			return etl_error_set(err, ETL_TRANSIENT, "file.young",
				"the file '%s' %s: it may be half written", name, listed.waits);
		s->any = true;
		return open_file(s, etl_strdup(name), err) < 0 ? -1 : 1;
	}
}

static int open_next(struct source *s, struct etl_error *err)
{
	const struct etl_object *unit = s->env->vars->object;

	if (!unit)
		return next_file(s, err);
	if (s->any)
		return 0;
	s->any = true;
	return open_file(s, etl_strdup(unit->name), err) < 0 ? -1 : 1;
}

static int read_batch(void *self, const struct etl_window *span, struct etl_batch *out,
	struct etl_error *err)
{
	struct source *s = self;
	int rc = 1;

	(void)span;
	while (rc == 1 && !etl_batch_is_full(out)) {
		if (s->fd < 0) {
			rc = open_next(s, err);
			if (rc != 1)
				break;
		}
		rc = read_file(s, out, err);
		if (rc == 0) /* of the file, not of all */
			rc = 1;
	}
	if (rc < 0)
		close_file(s);
	return rc;
}

static size_t held(const void *self)
{
	const struct source *s = self;

	return (s->piece ? PIECE_BYTES : 0) + s->page.bytes;
}

static void close_source(void *self)
{
	struct source *s = self;

	if (!s->options)
		return;
	close_file(s);
	etl_glob_page_fini(&s->page);
	free(s->pattern);
	free(s->piece);
}

const struct etl_source_type etl_source_file = {
	.name = "file",
	.summary = "files of this machine, by name or pattern",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct source),
	.whole = true,
	.check = check,
	.open = open_source,
	.read = read_batch,
	.list = list,
	.held = held,
	.close = close_source,
};

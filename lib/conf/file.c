/* SPDX-License-Identifier: MIT
 *
 * Reading a configuration file, and its lines and columns. YAML 1.1 has more line breaks
 * than LF: a caret would point to the wrong line if they were not counted as the parser
 * counts them.
 */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

/* Bytes of the line break at `p`, 0 if there is none: LF, CR, CR LF, NEL, LS, PS.
 * YAML 1.1 section 5.4: NEL (U+0085), LS (U+2028) and PS (U+2029) end a line as well. "a: 1"
 * NEL "b: 2" is two lines to the parser, and a caret counted by LF alone would point to line 1. */
static size_t break_at(const char *p, const char *end)
{
	size_t left = (size_t)(end - p);

	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if (left > 1 && memcmp(p, "\xc2\x85", 2) == 0)
		return 2;
	if (left > 2 && memcmp(p, "\xe2\x80", 2) == 0 && (p[2] == '\xa8' || p[2] == '\xa9'))
		return 3;
	return 0;
}

const char *etl_conf_file_line(const struct etl_conf_file *file, unsigned line, size_t *len)
{
	const char *end = file->text + file->len;
	const char *p = file->text;
	const char *stop;

	/* From the top each time: errors are rare, files small, and an index would have
	 * to be kept. */
	for (unsigned at = 1; at < line && p < end;) {
		size_t n = break_at(p, end);

		p += n ? n : 1;
		at += n != 0;
	}
	for (stop = p; stop < end && !break_at(stop, end);)
		stop++;
	*len = (size_t)(stop - p);
	return p;
}

/* Only the reader's errors (a byte that is no UTF-8) come with an offset; all others
 * have a line. */
void etl_conf_file_place(const struct etl_conf_file *file, size_t offset, unsigned *line,
	unsigned *column)
{
	const char *end = file->text + file->len;
	const char *target = file->text + (offset < file->len ? offset : file->len);
	const char *p = file->text;

	*line = 1;
	*column = 1;
	while (p < target) {
		size_t n = break_at(p, end);

		if (n) {
			*line += 1;
			*column = 1;
			p += n;
		} else {
			for (p++; p < target && ((unsigned char)*p & 0xc0) == 0x80;)
				p++;
			*column += 1;
		}
	}
}

/* Fills `bytes`, which is `room` long. -1 with errno.
 * One byte more than the file should have is asked for: that one tells whether it grew
 * meanwhile. */
static ssize_t read_all(int fd, char *bytes, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = read(fd, bytes + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int read_open(int fd, size_t max, char **bytes, size_t *len, mode_t *mode,
	const char **why)
{
	struct stat st;
	size_t room;
	ssize_t n;

	/* A FIFO, a device or a folder: none has a size to rely on, and reading one may
	 * never end. */
	*why = "it is not a regular file";
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	room = (uintmax_t)st.st_size < max ? (size_t)st.st_size : max;
	*bytes = etl_realloc(NULL, room + 1, 1);
	n = read_all(fd, *bytes, room + 1);
	*why = n < 0 ? strerror(errno) : "it grows while it is read";
	/* A file of exactly `max` bytes or more is the caller's to refuse: it asked for
	 * one byte more than its limit. The memory is wiped, because secrets are read
	 * here as well. */
	if (n < 0 || ((size_t)n > room && room < max)) {
		explicit_bzero(*bytes, room + 1);
		free(ETL_TAKE(*bytes));
		return -1;
	}
	*len = (size_t)n < max ? (size_t)n : max;
	if (mode)
		*mode = st.st_mode;
	return 0;
}

/* O_NOCTTY, because a path may name a terminal; the kind of file is looked at only
 * after it is open, by the descriptor, so that nobody can exchange it in between. */
int etl_conf_file_read(const char *path, size_t max, char **bytes, size_t *len, mode_t *mode,
	const char **why)
{
	/* O_NONBLOCK: a FIFO in jobs.d must not stop the loader. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0) {
		*why = strerror(errno);
		return -1;
	}
	rc = read_open(fd, max, bytes, len, mode, why);
	close(fd);
	return rc;
}

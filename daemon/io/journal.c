/* SPDX-License-Identifier: MIT
 *
 * The structured log. A value never forges a line: the journal gets each field with its length,
 * stderr gets JSON strings, and control characters become '?' in both. Nothing is told about a
 * message that could not be written.
 */
#include "io/journal.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "time/civil.h"
#include "time/clock.h"

#define LINE_MAX_BYTES (64 * 1024)

static atomic_int max_level = ETLD_INFO;
static bool to_journal;

/* systemd sets JOURNAL_STREAM to device:inode of a stderr that is the journal. So that `etld` by
 * hand on a terminal writes lines there, and under systemd fields into the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* ETLD_LOG decides for tests and containers; else where stderr leads. */
void etld_journal_open(int level)
{
	const char *forced = getenv("ETLD_LOG"); /* "journal" or "stderr" */

	atomic_store(&max_level, level);
	to_journal = forced ? etl_streq(forced, "journal") : stderr_is_journal();
}

/* One word for the whole daemon: a level by job would hide the message that explains another job's.
 */
void etld_journal_level(int level)
{
	atomic_store(&max_level, level);
}

/* Control characters are gone after the mask, so only quotes and backslashes are left to
 * escape. */
static void json_text(struct etl_buf *line, const char *text)
{
	char *clean = etl_strdup(text);

	etl_text_mask(clean);
	etl_buf_char(line, '"');
	for (const char *p = clean; *p; p++) {
		if (*p == '"' || *p == '\\')
			etl_buf_char(line, '\\');
		etl_buf_char(line, *p);
	}
	etl_buf_char(line, '"');
	free(clean);
}

/* A line longer than LINE_MAX_BYTES is not written: half a line would break whoever reads the
 * log. */
static void write_line(enum etld_level level, const char *message_id,
	const struct etld_field *fields, size_t n, const char *message)
{
	struct etl_buf line;
	char now[ETL_TIME_TEXT_BYTES];

	etl_buf_init(&line, LINE_MAX_BYTES);
	etl_time_format_rfc3339(etl_now(etl_clock_real()), now);
	etl_buf_printf(&line, "{\"TIME\":\"%s\",\"PRIORITY\":%d,\"MESSAGE\":", now, level);
	json_text(&line, message);
	if (message_id)
		etl_buf_printf(&line, ",\"MESSAGE_ID\":\"%s\"", message_id);
	for (size_t i = 0; i < n; i++) {
		if (!fields[i].name)
			continue;
		etl_buf_printf(&line, ",\"%s\":", fields[i].name);
		if (fields[i].text)
			json_text(&line, fields[i].text);
		else
			etl_buf_printf(&line, "%lld", (long long)fields[i].number);
	}
	etl_buf_str(&line, "}\n");
	/* One write, so that lines of several threads do not mix. A log line that cannot be
	 * written has nowhere to complain. */
	if (etl_buf_ok(&line))
		(void)!write(STDERR_FILENO, line.data, line.len);
	etl_buf_fini(&line);
}

/* A field that cannot be made for want of memory is left out: a log without it is better than
 * none. */
static void send(enum etld_level level, const char *message_id, const struct etld_field *fields,
	size_t n, const char *message)
{
	struct iovec iov[ETLD_FIELDS_MAX + 4];
	char *texts[ETLD_FIELDS_MAX + 4];
	int used = 0;

	if (asprintf(&texts[used], "MESSAGE=%s", message) >= 0)
		used++;
	if (asprintf(&texts[used], "PRIORITY=%d", level) >= 0)
		used++;
	if (asprintf(&texts[used], "SYSLOG_IDENTIFIER=etld") >= 0)
		used++;
	if (message_id && asprintf(&texts[used], "MESSAGE_ID=%s", message_id) >= 0)
		used++;
	for (size_t i = 0; i < n && i < ETLD_FIELDS_MAX; i++) {
		int rc;

		if (!fields[i].name)
			continue;
		rc = fields[i].text ?
			     asprintf(&texts[used], "%s=%s", fields[i].name, fields[i].text) :
			     asprintf(&texts[used], "%s=%lld", fields[i].name,
				     (long long)fields[i].number);
		if (rc >= 0)
			used++;
	}
	for (int i = 0; i < used; i++)
		iov[i] = (struct iovec){texts[i], etl_text_mask(texts[i])};
	sd_journal_sendv(iov, used); /* answers 0 even when nobody listens: nothing to learn */
	for (int i = 0; i < used; i++)
		free(texts[i]);
}

/* The level is atomic, since a reload may change it while workers log. */
void etld_log(enum etld_level level, const char *message_id, const struct etld_field *fields,
	size_t n_fields, const char *fmt, ...)
{
	char message[2048];
	va_list ap;

	if ((int)level > atomic_load(&max_level))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (to_journal)
		send(level, message_id, fields, n_fields, message);
	else
		write_line(level, message_id, fields, n_fields, message);
}

/* SPDX-License-Identifier: MIT
 *
 * Reading Retry-After and the families of rate-limit headers. All of it comes from a
 * stranger: numbers saturate, waits are capped, nothing is allocated.
 *
 *    Retry-After: 120                             120 s
 *    Retry-After: Wed, 01 Jul 2026 10:00:00 GMT   until then, by the answer's own Date
 *    RateLimit: "day";r=0;t=3600                  3600 s, since nothing remains
 *    X-RateLimit-Remaining: 0, with
 *    X-RateLimit-Reset: 1782900000                until that second
 */
#include "source/http/hold.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "time/timefmt.h"

/* Seconds beyond this are one and the same: far in the future.
 * Ten to the fifteenth seconds fit an int64 of milliseconds, and no wait is as long. */
#define SECONDS_MAX INT64_C(1000000000000000)
/* 1e9 seconds are 31 years: no service means a wait by it. 1e11 seconds lie in the year
 * 5138: so large a number counts milliseconds. */
#define EPOCH_SECONDS_FROM INT64_C(1000000000)
#define EPOCH_MILLIS_FROM INT64_C(100000000000)

void etl_hold_begin(struct etl_hold *h)
{
	*h = (struct etl_hold){.retry_ms = -1, .spent_ms = -1};
	for (int i = 0; i < ETL_HOLD_QUOTAS; i++)
		h->quotas[i] = (struct etl_hold_quota){-1, -1};
}

/* ---- words and numbers --------------------------------------------------------------------- */

/* Part of a header: neither owned nor ended by a NUL. */
struct span {
	const char *p;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(struct span s)
{
	while (s.n && is_blank(*s.p)) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool is_word(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* "12" or "12.5", in thousandths, a fraction of them counted up; a '-' before it gives `minus`
 * and a positive number. What follows behind ',' or ';' is left alone.
 * "12" -> 12000; "1.0005" -> 1001 (up: a wait must not be too short); "-1" -> 1000 and `minus`;
 * "12, 13" -> 12000; "12x" -> none. */
static bool read_number(struct span s, int64_t *thousandths, bool *minus)
{
	int64_t whole = 0, part = 0, unit = 100;
	bool more = false;
	size_t i;

	s = trimmed(s);
	*minus = s.n && *s.p == '-';
	if (*minus) {
		s.p++;
		s.n--;
	}
	if (!s.n || !etl_is_digit(*s.p))
		return false;
	for (i = 0; i < s.n && etl_is_digit(s.p[i]); i++)
		whole = whole < SECONDS_MAX / 10 ? whole * 10 + (s.p[i] - '0') : SECONDS_MAX;
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && etl_is_digit(s.p[i]); i++, unit /= 10) {
			part += unit * (s.p[i] - '0');
			more |= !unit && s.p[i] != '0';
		}
	while (i < s.n && is_blank(s.p[i]))
		i++;
	if (i < s.n && s.p[i] != ',' && s.p[i] != ';')
		return false;
	*thousandths = whole * 1000 + part + more;
	return true;
}

/* A date in one of the three forms of RFC 9110, 5.6.7. The name of the day is not looked at.
 * Wed, 01 Jul 2026 10:00:00 GMT / Wednesday, 01-Jul-26 10:00:00 GMT / Wed Jul  1 10:00:00 2026 */
static bool read_date(struct span s, etl_wall *out)
{
	static const char *const formats[] = {
		"%d %b %Y %H:%M:%S GMT", "%d-%b-%y %H:%M:%S GMT", "%b %e %H:%M:%S %Y"};
	const char *comma;

	s = trimmed(s);
	comma = memchr(s.p, ',', s.n);
	for (int i = 0; i < 3; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_timefmt format;
		size_t skip = i < 2 ? (comma ? (size_t)(comma + 2 - s.p) : s.n) : 4;

		if (skip < s.n && etl_timefmt_compile(formats[i], &format, &err) == 0 &&
			etl_timefmt_parse(&format, s.p + skip, s.n - skip, NULL, out))
			return true;
	}
	return false;
}

/* ---- headers ------------------------------------------------------------------------------- */

/* Told twice: the smaller rest and the longer wait, as nobody says which belong together. */
static void note_remaining(struct etl_hold_quota *q, struct span value)
{
	int64_t n;
	bool minus;

	if (!read_number(value, &n, &minus) || minus) /* "-1" says "no limit" in places */
		return;
	n /= 1000;
	if (q->remaining < 0 || n < q->remaining)
		q->remaining = n;
}

/* "X-RateLimit-Reset: -3" is told of a quota that has begun anew three seconds ago: no
 * wait. */
static void note_reset(struct etl_hold_quota *q, struct span value)
{
	int64_t n;
	bool minus;

	if (!read_number(value, &n, &minus))
		return;
	if (minus) /* it is over */
		n = 0;
	if (n > q->reset_ms)
		q->reset_ms = n;
}

/* Told twice: the later one. */
static void note_date(bool *has, etl_wall *date, struct span value)
{
	etl_wall at;

	if (!read_date(value, &at) || (*has && at.ms <= date->ms))
		return;
	*has = true;
	*date = at;
}

/* A number first: a date begins with letters in each of its three forms. "Retry-After:
 * -1" asks for nothing. */
static void note_retry(struct etl_hold *h, struct span value)
{
	int64_t n;
	bool minus;

	if (!read_number(value, &n, &minus))
		note_date(&h->has_retry_at, &h->retry_at, value);
	else if (!minus && n > h->retry_ms)
		h->retry_ms = n;
}

/* The next piece of a structured field up to ',' or ';' outside of quotes, or its end.
 * "a;b";r=0, "c";r=5 has four pieces: the ';' inside of the quotes parts nothing (RFC 9651). */
static struct span next_piece(struct span *rest, char *ended_by)
{
	struct span piece = *rest;
	bool quoted = false;
	size_t i;

	for (i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		if (quoted && c == '\\' && i + 1 < rest->n)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == ',' || c == ';'))
			break;
	}
	piece.n = i;
	*ended_by = i < rest->n ? rest->p[i] : '\0';
	rest->p += i < rest->n ? i + 1 : i;
	rest->n -= i < rest->n ? i + 1 : i;
	return trimmed(piece);
}

/* Of a list of quotas each counts for itself: only those that are spent hold. */
static void end_item(struct etl_hold *h, struct etl_hold_quota *item)
{
	if (item->remaining == 0 && item->reset_ms > h->spent_ms)
		h->spent_ms = item->reset_ms;
	*item = (struct etl_hold_quota){-1, -1};
}

/* RateLimit: one quota over the whole field (revision 7), or one in each member of a list. */
static void note_field(struct etl_hold *h, struct span rest)
{
	struct etl_hold_quota *whole = &h->quotas[ETL_HOLD_DRAFT];
	struct etl_hold_quota item = {-1, -1};
	char ended_by = ',';

	while (rest.n) {
		struct span piece = next_piece(&rest, &ended_by);
		const char *equals = memchr(piece.p, '=', piece.n);
		struct span key, value;

		if (equals) {
			key = trimmed((struct span){piece.p, (size_t)(equals - piece.p)});
			value = (struct span){equals + 1, piece.n - (size_t)(equals + 1 - piece.p)};
			if (is_word(key, "remaining"))
				note_remaining(whole, value);
			else if (is_word(key, "reset"))
				note_reset(whole, value);
			else if (is_word(key, "r"))
				note_remaining(&item, value);
			else if (is_word(key, "t"))
				note_reset(&item, value);
		}
		if (ended_by != ';')
			end_item(h, &item);
	}
	end_item(h, &item);
}

/* A header is told once or several times, in any order: nothing is decided here.
 * Each family of names counts for itself: X-RateLimit-Remaining: 0 says nothing about
 * RateLimit-Reset: 60, which may be another quota. */
void etl_hold_header(
	struct etl_hold *h, const char *name, size_t name_len, const char *value, size_t value_len)
{
	static const char *const families[] = {"RateLimit-", "X-RateLimit-", "X-Rate-Limit-"};
	const struct span n = trimmed((struct span){name, name_len}), v = {value, value_len};

	if (is_word(n, "Retry-After"))
		note_retry(h, v);
	else if (is_word(n, "Date"))
		note_date(&h->has_date, &h->date, v);
	else if (is_word(n, "RateLimit"))
		note_field(h, v);
	for (int i = 0; i < ETL_HOLD_QUOTAS; i++) {
		size_t len = strlen(families[i]);
		struct span rest;

		if (n.n <= len || strncasecmp(n.p, families[i], len) != 0)
			continue;
		rest = (struct span){n.p + len, n.n - len};
		if (is_word(rest, "Remaining"))
			note_remaining(&h->quotas[i], v);
		else if (is_word(rest, "Reset"))
			note_reset(&h->quotas[i], v);
	}
}

/* ---- the verdict --------------------------------------------------------------------------- */

/* A time that is over asks for no wait. */
static int64_t until(etl_wall at, etl_wall reference)
{
	return at.ms > reference.ms ? at.ms - reference.ms : 0;
}

/* A reset as a wait: by its size it is a length or a time.
 * 3600 -> an hour; 1782900000 -> until 2026-07-01T10:00Z; 1782900000000 -> the same. */
static int64_t wait_ms(int64_t reset_ms, etl_wall reference)
{
	if (reset_ms < EPOCH_SECONDS_FROM * 1000)
		return reset_ms;
	if (reset_ms < EPOCH_MILLIS_FROM * 1000)
		return until((etl_wall){reset_ms}, reference);
	return until((etl_wall){reset_ms / 1000}, reference);
}

/* The longest wait among the spent quotas, or -1. Status 429 says that one of them is
 * spent: where no rest is told, its reset counts as well. */
static int64_t quotas_ms(
	const struct etl_hold *h, int status, etl_wall reference, const char **header)
{
	static const char *const names[] = {
		"RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"};
	int64_t longest = -1;

	for (int i = 0; i < ETL_HOLD_QUOTAS; i++) {
		const struct etl_hold_quota *q = &h->quotas[i];
		/* A quota with something left asks for nothing, whatever its reset
		 * says. */
		bool spent = q->remaining == 0 || (q->remaining < 0 && status == 429);
		int64_t wait = q->reset_ms < 0 ? -1 : wait_ms(q->reset_ms, reference);

		if (spent && wait > longest) {
			longest = wait;
			*header = names[i];
		}
	}
	if (h->spent_ms > longest) {
		longest = h->spent_ms;
		*header = "RateLimit";
	}
	return longest;
}

/* Retry-After is about this very client and goes before the quotas, which tell of an
 * account. */
etl_dur etl_hold_asked(const struct etl_hold *h, int status, etl_wall now, const char **header,
	etl_dur *told)
{
	const int64_t most = etl_dur_ms(ETL_HOLD_MAX);
	/* A service whose clock is five minutes fast names times that are five minutes
	 * late, for us; against its own Date the wait is right. */
	etl_wall reference = h->has_date ? h->date : now;
	const char *decided = NULL;
	int64_t ms = -1;

	/* In a success Retry-After means something else (RFC 9110 section 10.2.3 knows
	 * it for 3xx and 503). */
	if (status >= 400 && (h->retry_ms >= 0 || h->has_retry_at)) {
		ms = h->retry_ms >= 0 ? h->retry_ms : until(h->retry_at, reference);
		decided = "Retry-After";
	} else {
		ms = quotas_ms(h, status, reference, &decided);
	}
	if (header)
		*header = decided;
	if (told)
		*told = (etl_dur){ms < 0 ? -1 : ms < INT64_MAX / 1000 ? ms * 1000 : INT64_MAX};
	if (ms < 0)
		return (etl_dur){-1};
	return ETL_MS(ms < most ? ms : most);
}

/* an answer with status 429 asked to wait 7200 s (Retry-After); held for an hour */
void etl_hold_words(
	char out[ETL_HOLD_WORDS_BYTES], int status, etl_dur told, const char *header)
{
	snprintf(out, ETL_HOLD_WORDS_BYTES, "an answer with status %d asked to wait %lld s (%s)%s",
		status, (long long)(told.us / 1000000 + (told.us % 1000000 > 0)), header,
		told.us > ETL_HOLD_MAX.us ? "; held for an hour" : "");
}

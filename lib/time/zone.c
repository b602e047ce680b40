/* SPDX-License-Identifier: MIT
 *
 * Questions to a time zone, and where its file is. The table of steps is made by zone_tzif.c
 * and zone_rule.c; here it is only searched. Reads no environment (TZ, TZDIR) and changes no
 * process-wide state.
 */
#include "time/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "time/civil.h"
#include "time/zone_internal.h"

/* A zone file has a few KiB: what is larger is something else. */
enum { FILE_MAX_BYTES = 256 * 1024 };

static const struct etl_zone utc_zone = {.name = "UTC"};

const struct etl_zone *etl_zone_utc(void)
{
	return &utc_zone;
}

const char *etl_zone_name(const struct etl_zone *zone)
{
	return zone->name;
}

uint64_t etl_zone_digest(const struct etl_zone *zone)
{
	return zone->digest;
}

void etl_zone_free(struct etl_zone *zone)
{
	if (!zone || zone == &utc_zone)
		return;
	free(zone->steps);
	free(zone);
}

void etl_zone_add_step(struct etl_zone *zone, int64_t at, int32_t offset, bool dst)
{
	const struct etl_zone_step *last =
		zone->count ? &zone->steps[zone->count - 1] : &zone->before;

	/* The first step stays even if it changes nothing: without it a rule for the future
	 * would be taken for one that holds for all of the past as well (zone_rule.c). */
	if (zone->count && last->offset == offset && last->dst == dst)
		return;
	ETL_GROW(zone->steps, zone->count, zone->cap);
	zone->steps[zone->count++] = (struct etl_zone_step){at, offset, dst};
}

/* ---- making ---- */

static struct etl_zone *zone_new(const char *name)
{
	struct etl_zone *zone = ETL_NEW(struct etl_zone);

	snprintf(zone->name, sizeof zone->name, "%s", name);
	return zone;
}

struct etl_zone *etl_zone_parse(const void *data, size_t len, const char *name,
	struct etl_error *err)
{
	etl_cleanup(etl_zone_free) struct etl_zone *zone = zone_new(name);

	/* Of the bytes as they came: that tzdata was installed again says nothing, that
	 * the digest differs says that its rules may. */
	zone->digest = etl_hash64(data, len, 0);
	if (etl_zone_read_tzif(zone, data, len, err) != 0) {
		etl_error_prefix(err, "time zone %s", name);
		return NULL;
	}
	return ETL_TAKE(zone);
}

/* The name becomes part of a path. No dots, no leading and no double slash: what a
 * configuration names stays below the folder of the zone files. */
static bool name_is_sound(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-";
	size_t len = strlen(name);

	if (len == 0 || len > ETL_ZONE_NAME_MAX)
		return false;
	for (const char *part = name;; part++) {
		size_t n = strspn(part, letters);

		if (n == 0)
			return false;
		part += n;
		if (!*part)
			return true;
		if (*part != '/')
			return false;
	}
}

/* The whole file into `*out` (for the caller to free); its size, or -1 with errno. Without
 * O_NONBLOCK a FIFO of that name would hold up the loader for ever. */
static ssize_t read_file(const char *path, void **out)
{
	etl_cleanup(free) char *data = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		errno = EINVAL;
	} else {
		data = etl_calloc(1, (size_t)st.st_size);
		got = pread(fd, data, (size_t)st.st_size, 0);
	}
	close(fd);
	if (got >= 0)
		*out = ETL_TAKE(data);
	return got;
}

static void refuse_name(const char *name, const char *code, const char *what,
	struct etl_error *err)
{
	char near[ETL_ZONE_NAME_MAX + 1];

	if (etl_zone_nearest(name, ETL_ZONE_FOLDER "/tzdata.zi", near))
		etl_error_set(err, ETL_CONFIG, code, "%s \"%.64s\": did you mean \"%s\"?", what,
			name, near);
	else
		etl_error_set(err, ETL_CONFIG, code, "%s \"%.64s\"", what, name);
}

struct etl_zone *etl_zone_load(const char *name, struct etl_error *err)
{
	char path[sizeof ETL_ZONE_FOLDER + ETL_ZONE_NAME_MAX + 1];
	struct etl_zone *zone;
	void *data = NULL;
	ssize_t len;

	if (!name_is_sound(name)) {
		refuse_name(name, "zone.name",
			"a time zone has a name such as UTC or Europe/Paris, not", err);
		return NULL;
	}
	if (strcmp(name, "UTC") == 0)
		return zone_new("UTC");
	snprintf(path, sizeof path, "%s/%s", ETL_ZONE_FOLDER, name);
	len = read_file(path, &data);
	if (len < 0) {
		/* EINVAL is our own, for a folder such as "Europe": it is no zone
		 * either, and a hint helps. */
		if (errno == ENOENT || errno == ENOTDIR || errno == EINVAL)
			refuse_name(name, "zone.unknown", "unknown time zone", err);
		else
			etl_error_set(err, ETL_CONFIG, "zone.unreadable",
				"cannot read time zone \"%s\": %s", name, strerror(errno));
		return NULL;
	}
	zone = etl_zone_parse(data, (size_t)len, name, err);
	free(data);
	return zone;
}

/* ---- questions ---- */

/* Moves an instant into the part of time that is spelled out; `*shift` is what to add to come
 * back. The Gregorian calendar repeats itself after 400 years, weekdays too. Example: a zone
 * whose cycle begins in 2040 answers for March 2444 with the steps of March 2044, shifted by
 * 400 years. An instant before the cycle is moved up only if the rule holds for the past too;
 * else the table has its own steps for it. */
static int64_t reduce(const struct etl_zone *zone, int64_t t, int64_t *shift)
{
	int64_t cycles;

	*shift = 0;
	if (!zone->cyclic)
		return t;
	if (t < zone->base + ETL_ZONE_CYCLE && (t >= zone->base || !zone->cyclic_past))
		return t;
	cycles = (t - zone->base) / ETL_ZONE_CYCLE;
	if (t < zone->base && (t - zone->base) % ETL_ZONE_CYCLE != 0)
		cycles--;
	*shift = cycles * ETL_ZONE_CYCLE;
	return t - *shift;
}

/* How many steps lie at or before `t`.
 * Invariant: all steps below `low` lie at or before `t`, all from `high` on lie after it. */
static size_t steps_until(const struct etl_zone *zone, int64_t t)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->steps[middle].at <= t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What is in force after the first `n` steps. */
static const struct etl_zone_step *in_force(const struct etl_zone *zone, size_t n)
{
	return n ? &zone->steps[n - 1] : &zone->before;
}

int32_t etl_zone_offset(const struct etl_zone *zone, etl_wall utc, bool *dst)
{
	int64_t shift;
	int64_t t = reduce(zone, etl_wall_seconds(utc), &shift);
	const struct etl_zone_step *step = in_force(zone, steps_until(zone, t));

	if (dst)
		*dst = step->dst;
	return step->offset;
}

/* Steps that change only the daylight flag are passed over: the clock on the wall
 * does not move at them. */
bool etl_zone_next_transition(const struct etl_zone *zone, etl_wall after, etl_wall *at)
{
	int64_t shift;
	int64_t t = reduce(zone, etl_wall_seconds(after), &shift);

	for (size_t n = steps_until(zone, t); n < zone->count; n++) {
		const struct etl_zone_step *step = &zone->steps[n];

		if (step->at + shift > ETL_CIVIL_SECONDS_MAX)
			return false;
		/* Such as London in October 1968, when summer time became the standard
		 * time, or a zone that changed its name alone. */
		if (step->offset == in_force(zone, n)->offset)
			continue;
		at->ms = (step->at + shift) * 1000;
		return true;
	}
	return false;
}

/* What a look at the steps around a local time finds: no pass in a gap, two in a fold. */
struct passes {
	int count;
	int64_t at[2];
	int64_t gap_end;
	bool in_gap;
};

/* Each stretch between two steps claims the local time with its own offset; the claim counts if
 * the instant lies in the stretch. Example, Europe/Paris, 2024-03-31, step at 01:00Z from +1h
 * to +2h: 02:30 is 01:30Z by the first offset, when that has ended, and 00:30Z by the second,
 * before that has begun: no pass, a gap that ends at 01:00Z. On 2024-10-27, step at 01:00Z from
 * +2h to +1h: 02:30 is 00:30Z by the first and 01:30Z by the second: two passes. */
static void look_around(const struct etl_zone *zone, int64_t local, struct passes *found)
{
	/* A local time lies at most 26 hours from its instant: only the steps around it
	 * can matter. */
	size_t n = steps_until(zone, local - ETL_ZONE_OFFSET_MAX - 1);

	for (;; n++) {
		bool last = n == zone->count;
		int64_t u = local - in_force(zone, n)->offset;
		bool begun = n == 0 || u >= zone->steps[n - 1].at;
		bool ended = !last && u >= zone->steps[n].at;

		/* Three passes would take two steps back within one fold; no zone ever
		 * had that, and the first two are the ones that callers ask for. */
		if (begun && !ended && found->count < 2)
			found->at[found->count++] = u;
		if (last || zone->steps[n].at > local + ETL_ZONE_OFFSET_MAX)
			return;
		if (ended && !found->in_gap &&
			local - zone->steps[n].offset < zone->steps[n].at) {
			found->in_gap = true;
			found->gap_end = zone->steps[n].at;
		}
	}
}

/* Local times at the very edge of what fits are moved inside, so that adding an offset cannot
 * overflow. */
enum etl_local etl_zone_to_utc(const struct etl_zone *zone, int64_t local_seconds,
	etl_wall *first, etl_wall *second)
{
	const int64_t edge = INT64_MAX / 1000 - 2 * ETL_ZONE_OFFSET_MAX;
	struct passes found = {0};
	int64_t local = local_seconds, shift;

	if (local > edge)
		local = edge;
	if (local < -edge)
		local = -edge;
	local = reduce(zone, local, &shift);
	look_around(zone, local, &found);
	if (found.count == 0) {
		first->ms = second->ms = (found.gap_end + shift) * 1000;
		return ETL_LOCAL_GAP;
	}
	first->ms = (found.at[0] + shift) * 1000;
	second->ms = (found.at[found.count - 1] + shift) * 1000;
	return found.count == 2 ? ETL_LOCAL_FOLD : ETL_LOCAL_UNIQUE;
}

/* ---- texts ---- */

bool etl_zone_time_parse(const struct etl_zone *zone, const char *text, etl_wall *out)
{
	etl_wall local, first, second;

	if (!zone || !etl_time_parse_zoneless(text, &local))
		return etl_time_parse(text, out);
	etl_zone_to_utc(zone, etl_wall_seconds(local), &first, &second);
	out->ms = first.ms + etl_wall_ms_part(local);
	return true;
}

void etl_zone_date(const struct etl_zone *zone, etl_wall t, char out[ETL_DATE_TEXT_BYTES])
{
	struct etl_civil c;

	etl_civil_from_seconds(etl_wall_seconds(t) + etl_zone_offset(zone, t, NULL), &c);
	snprintf(out, ETL_DATE_TEXT_BYTES, "%04d-%02d-%02d", c.year, c.month, c.day);
}

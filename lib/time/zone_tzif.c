/* SPDX-License-Identifier: MIT
 *
 * The TZif file format, RFC 8536: version 1 with 32-bit times, versions 2 to 4 with a second
 * block of 64-bit times and a footer. Reads untrusted bytes: every count is checked against
 * what is there. Abbreviations and leap seconds are not kept; a file that counts leap
 * seconds is refused.
 *
 * A file: header, block of version 1 (32-bit times), header, block of 64-bit times,
 * footer. A block: times, then for each the index of its type, then types (offset,
 * daylight flag, abbreviation), then abbreviations, leap seconds and two kinds of
 * indicators, which are passed over.
 */
#include <string.h>

#include "time/zone_internal.h"

enum { HEADER = 44, TYPE_BYTES = 6 };

struct counts {
	int version; /* 1 to 4 */
	uint32_t isut, isstd, leap, time, type, chars;
};

struct bytes {
	const unsigned char *p;
	size_t len;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static int damaged(struct etl_error *err, const char *what)
{
	return etl_error_set(err, ETL_DATA, "zone.damaged", "not a sound TZif file: %s", what);
}

static int read_header(struct bytes *in, struct counts *c, struct etl_error *err)
{
	const unsigned char *p = in->p;

	if (in->len < HEADER || memcmp(p, "TZif", 4) != 0)
		return damaged(err, "no header");
	if (p[4] != 0 && (p[4] < '2' || p[4] > '4'))
		return damaged(err, "unknown version");
	*c = (struct counts){
		.version = p[4] ? p[4] - '0' : 1,
		.isut = be32(p + 20),
		.isstd = be32(p + 24),
		.leap = be32(p + 28),
		.time = be32(p + 32),
		.type = be32(p + 36),
		.chars = be32(p + 40),
	};
	in->p += HEADER;
	in->len -= HEADER;
	return 0;
}

/* The bytes of a data block whose times have `width` bytes. Counts are 32-bit and the sum is
 * 64-bit: no file can make it overflow. */
static uint64_t block_bytes(const struct counts *c, unsigned width)
{
	return (uint64_t)c->time * (width + 1) + (uint64_t)c->type * TYPE_BYTES + c->chars +
		(uint64_t)c->leap * (width + 4) + c->isstd + c->isut;
}

/* RFC 8536 section 3.2: indicators are either none or one for each type. At most 256 types, since
 * their index has one byte. */
static int check_counts(const struct counts *c, struct etl_error *err)
{
	if (c->type == 0 || c->type > 256)
		return damaged(err, "bad number of types");
	if (c->chars == 0)
		return damaged(err, "no abbreviations");
	if ((c->isut && c->isut != c->type) || (c->isstd && c->isstd != c->type))
		return damaged(err, "bad number of indicators");
	if (c->leap)
		return etl_error_set(err, ETL_CONFIG, "zone.leap_seconds",
			"the zone counts leap seconds; use its twin without \"right/\"");
	return 0;
}

/* A zone has at most a few types; each step looks its own up again instead of keeping a
 * table. */
static int read_type(const unsigned char *types, unsigned index, const struct counts *c,
	struct etl_zone_step *out, struct etl_error *err)
{
	const unsigned char *p = types + (size_t)index * TYPE_BYTES;
	int32_t offset = (int32_t)be32(p);

	if (offset < -ETL_ZONE_OFFSET_MAX || offset > ETL_ZONE_OFFSET_MAX)
		return damaged(err, "offset out of range");
	if (p[4] > 1 || p[5] >= c->chars)
		return damaged(err, "bad type");
	*out = (struct etl_zone_step){0, offset, p[4]};
	return 0;
}

/* Times have to ascend, because everything behind this file searches them by halving. */
static int read_block(struct etl_zone *zone, const struct counts *c, const unsigned char *data,
	unsigned width, struct etl_error *err)
{
	const unsigned char *index = data + (size_t)c->time * width;
	const unsigned char *types = index + c->time;
	int64_t last = 0;

	if (read_type(types, 0, c, &zone->before, err) != 0)
		return -1;
	for (uint32_t i = 0; i < c->time; i++) {
		const unsigned char *p = data + (size_t)i * width;
		int64_t at = width == 8 ? be64(p) : (int32_t)be32(p);
		struct etl_zone_step step;

		if (i && at <= last)
			return damaged(err, "times do not ascend");
		if (index[i] >= c->type)
			return damaged(err, "bad type number");
		if (read_type(types, index[i], c, &step, err) != 0)
			return -1;
		etl_zone_add_step(zone, at, step.offset, step.dst);
		last = at;
	}
	return 0;
}

/* "\n" TZ text "\n". Without a text the last step holds for ever. */
static int read_footer(struct etl_zone *zone, struct bytes in, struct etl_error *err)
{
	const unsigned char *end;

	if (in.len < 2 || in.p[0] != '\n')
		return damaged(err, "no footer");
	end = memchr(in.p + 1, '\n', in.len - 1);
	if (!end)
		return damaged(err, "footer without end");
	if (end == in.p + 1)
		return 0;
	if (!etl_zone_add_rule(zone, (const char *)in.p + 1, (size_t)(end - in.p - 1)))
		return damaged(err, "bad rule in the footer");
	return 0;
}

int etl_zone_read_tzif(struct etl_zone *zone, const unsigned char *data, size_t len,
	struct etl_error *err)
{
	struct bytes in = {data, len};
	struct counts c;
	unsigned width = 4;
	uint64_t size;

	if (read_header(&in, &c, err) != 0)
		return -1;
	if (c.version > 1) {
		/* The first block has 32-bit times for old readers, and ends in 2038: it is
		 * passed over. */
		size = block_bytes(&c, width);
		if (size > in.len)
			return damaged(err, "cut short");
		in.p += size;
		in.len -= size;
		if (read_header(&in, &c, err) != 0)
			return -1;
		width = 8;
	}
	if (check_counts(&c, err) != 0)
		return -1;
	size = block_bytes(&c, width);
	if (size > in.len)
		return damaged(err, "cut short");
	if (read_block(zone, &c, in.p, width, err) != 0)
		return -1;
	if (width == 4)
		return 0;
	return read_footer(zone, (struct bytes){in.p + size, in.len - size}, err);
}

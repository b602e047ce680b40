/* SPDX-License-Identifier: MIT
 *
 * The styles of paging. Each says where the next page is announced, and when there is none: an end is
 * what the style defines as one, never that something was not understood. A style to add is a row in
 * the table at the end, its struct in pages.h and its options in pages_options.c.
 */
#include <stddef.h>

#include "base/str.h"
#include "source/http/pages.h"

#define HAS(style) .has = offsetof(struct etl_pages_options, has_##style)

/* ---- where it stands ----------------------------------------------------------------------- */

static const char *page_param(const struct etl_pages_options *o)
{
	return o->page.param;
}

static const struct etl_pages_size *page_size(const struct etl_pages_options *o)
{
	return &o->page.size;
}

static const char *offset_param(const struct etl_pages_options *o)
{
	return o->offset.param;
}

static const struct etl_pages_size *offset_size(const struct etl_pages_options *o)
{
	return &o->offset.size;
}

static const char *last_param(const struct etl_pages_options *o)
{
	return o->last_record.param;
}

static const struct etl_pages_size *last_size(const struct etl_pages_options *o)
{
	return &o->last_record.size;
}

static const char *cursor_pointer(const struct etl_pages_options *o)
{
	return o->cursor.from;
}

static const char *cursor_param(const struct etl_pages_options *o)
{
	return o->cursor.param;
}

static const char *header_name(const struct etl_pages_options *o)
{
	return o->header.from;
}

static const char *header_param(const struct etl_pages_options *o)
{
	return o->header.param;
}

static const char *link_name(const struct etl_pages_options *o)
{
	(void)o;
	return "Link";
}

static const char *next_url_pointer(const struct etl_pages_options *o)
{
	return o->next_url;
}

/* OData 4.01 JSON, 4.5.5. */
static const char *odata_pointer(const struct etl_pages_options *o)
{
	(void)o;
	return "/@odata.nextLink";
}

/* ---- the end ------------------------------------------------------------------------------- */

/* An empty page ends what counts; with `end: short` also one that has fewer records than were asked
 * for. The owner says so, since a service that gives 50 where 100 were asked for would end there.
 * Example, size 100: pages of 100, 100, 40. The third is short; without `end: short` the fourth, empty,
 * is asked for as well. */
static bool is_last(const struct etl_pages *walk, uint64_t records)
{
	const struct etl_pages_options *o = walk->options;
	const struct etl_pages_size *size = o->style->size(o);

	return !records || (o->end == ETL_PAGES_END_SHORT && records < (uint64_t)size->value);
}

static int next_page(struct etl_pages *walk, uint64_t records, struct etl_error *err)
{
	(void)err;
	walk->number++;
	return !is_last(walk, records);
}

/* By what came and not by what was asked for: of a service that gives 50 where 100 were asked for,
 * records 50 to 99 would be lost. */
static int next_offset(struct etl_pages *walk, uint64_t records, struct etl_error *err)
{
	(void)err;
	walk->number += (int64_t)records;
	return !is_last(walk, records);
}

static int odd(const struct etl_pages *walk, const char *where, struct etl_error *err)
{
	(void)walk;
	return etl_error_set(err, ETL_DATA, "http.pages_cursor",
		"what leads to the next page ('%.100s') is no text or number, or is longer than "
		"%d bytes",
		where, ETL_PAGES_VALUE_MAX);
}

/* A record that cannot be read has no value to go on from; going on from the one before it would give
 * the same page, or none. */
static int next_last_record(struct etl_pages *walk, uint64_t records, struct etl_error *err)
{
	const char *field = walk->options->last_record.field;

	if (is_last(walk, records))
		return 0;
	if (walk->is_odd)
		return odd(walk, field, err);
	if (walk->last != ETL_PAGES_LAST_GOOD)
		return etl_error_set(err, ETL_DATA, "http.pages_cursor",
			"the last record of the page cannot be read or has no '%.100s', by which the "
			"next page is asked for",
			field);
	return 1;
}

/* Absent, null, false and "" say that there is no further page (what was told is empty then). */
static int next_told(struct etl_pages *walk, uint64_t records, struct etl_error *err)
{
	const struct etl_pages_style *style = walk->options->style;
	const char *where = style->pointer ? style->pointer(walk->options) : style->header(walk->options);

	(void)records;
	return walk->is_odd ? odd(walk, where, err) : walk->told.len > 0;
}

const struct etl_pages_style etl_pages_styles[] = {
	{.name = "page", .is = ETL_PAGES_MAY_END, HAS(page), .param = page_param, .size = page_size,
		.next = next_page},
	{.name = "offset", .is = ETL_PAGES_MAY_END, HAS(offset), .param = offset_param,
		.size = offset_size, .next = next_offset},
	{.name = "cursor", .is = ETL_PAGES_SEEKS, HAS(cursor), .pointer = cursor_pointer,
		.param = cursor_param, .next = next_told},
	{.name = "last_record", .is = ETL_PAGES_MAY_END, HAS(last_record), .param = last_param,
		.size = last_size, .next = next_last_record},
	{.name = "link", .is = ETL_PAGES_FOLLOWS, HAS(link), .header = link_name, .next = next_told},
	{.name = "next_url", .is = ETL_PAGES_SEEKS | ETL_PAGES_FOLLOWS, HAS(next_url),
		.pointer = next_url_pointer, .next = next_told},
	{.name = "odata", .is = ETL_PAGES_SEEKS | ETL_PAGES_FOLLOWS, HAS(odata),
		.pointer = odata_pointer, .next = next_told},
	{.name = "header", HAS(header), .header = header_name, .param = header_param,
		.next = next_told},
	{.name = NULL},
};

/* SPDX-License-Identifier: MIT
 *
 * Recognises announcements by name. Names are compared without case and without what is not
 * a letter or digit: "@odata.nextLink" is "odatanextlink", "next_page" is "nextpage".
 */
#include "source/http/paging.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "record/doc.h"
#include "source/http/link.h"

enum { NAME_BYTES = 48, SHOWN_VALUE = 60 };

/* A value here that is not empty leads to the next page. */
static const char *const nexts[] = {"next", "nextlink", "nexturl", "nexturi", "nexthref",
	"nextpage", "nextpageurl", "nextpageuri", "nextpagelink", "nextpagetoken", "nextcursor",
	"nexttoken", "nextoffset", "nextmarker", "nextstart", "nextkey", "nextid", "nextsince",
	"nextcontinuationtoken", "continuationtoken", "continuation", "nextrecordsurl",
	"odatanextlink", "nextresults", "nextresultsurl", "nextbatch", "nextsync", "nextpagekey",
	"nextpageid", "nextpagestart", "nextstarttoken", "nextcursorid", NULL};
/* So does a text here, unless it stands among the cursors of both directions. */
static const char *const cursors[] = {"cursor", "after", "offset", NULL};
/* true here says that there is more, */
static const char *const mores[] = {"hasmore", "hasmoreitems", "hasmorepages", "hasmoreresults",
	"hasmoredata", "hasnext", "hasnextpage", "havemore", "more", "moreitems", "moreresults",
	"moreavailable", "moredata", "morerecords", "morepages", "istruncated", "truncated",
	"incomplete", "incompleteresults", "exceededtransferlimit", "partial", "partialresults",
	"timedout", NULL};
/* and false here as well. */
static const char *const lasts[] = {"last", "lastpage", "islast", "islastpage", "isfinal",
	"done", "isdone", "complete", "iscomplete", "completed", "finished", "endofdata",
	"endofresults", "nomore", "nomorepages", NULL};
/* How many records there are in all. */
static const char *const totals[] = {"total", "totalcount", "totalresults", "totalrecords",
	"totalitems", "totalhits", "totalelements", "totalentries", "totalrows", "totalsize",
	"totalnumber", "totalmatches", "recordstotal", "resultstotal", "numfound", "found",
	"count", "odatacount", "itemcount", "recordcount", "resultcount", "rowcount",
	"xtotalcount", "xtotal", "xwptotal", "numresults", "hits", NULL};
static const char *const pages[] = {"totalpages", "pagecount", "numpages", "numberofpages",
	"pages", "lastpage", "maxpage", "xtotalpages", "xwptotalpages", NULL};
static const char *const current[] = {
	"page", "currentpage", "pagenumber", "pageno", "pageindex", "xpage", NULL};

static const char *const errors[] = {"error", "errors", "errormessage", "errorcode", "errormsg",
	"errmsg", "errcode", "errordescription", "errordetail", "errordetails", "fault", "faults",
	"faultstring", "faultcode", "exception", "exceptions", "err", "errno", "errorno",
	"errornumber", "errorstatus", NULL};
static const char *const successes[] = {
	"success", "successful", "succeeded", "ok", "issuccess", "issuccessful", NULL};
static const char *const states[] = {"status", "state", "result", "outcome", NULL};
static const char *const bad_states[] = {"error", "err", "fail", "failed", "failure",
	"unauthorized", "forbidden", "denied", "invalid", NULL};
/* Work that is not done: such a state tells why there is nothing. */
static const char *const open_states[] = {"pending", "processing", "inprogress", "running", "queued",
	"waiting", "accepted", "submitted", "started", "scheduled", "incomplete", "partial", "aborted",
	"cancelled", "canceled", "timeout", "timedout", "unavailable", "unknownerror", "notok", "nok",
	"ko", "overquerylimit", "overdailylimit", "requestdenied", "invalidrequest", "ratelimited",
	"throttled", "expired", NULL};
static const char *const codes[] = {"code", "cod", "status", "statuscode", "httpstatus", "httpcode",
	"httpstatuscode", "responsecode", "returncode", "resultcode", NULL};
/* What a service wraps its answer's own words in. */
static const char *const envelopes[] = {"meta", "metadata", "response", "responsemetadata",
	"responsestatus", "result", "header", "head", "status", "info", "body", "data", "paging",
	"pagination", "page", "pageinfo", NULL};
/* What a refusal is made of, with and without which it is one. */
static const char *const words[] = {"message", "msg", "detail", "details", "reason", NULL};
static const char *const frame[] = {"message", "msg", "detail", "details", "title", "reason",
	"info", "description", "code", "status", "statuscode", "type", "instance", "path",
	"timestamp", "documentationurl", "moreinfo", "requestid", "traceid", "correlationid",
	"help", "helpurl", "hint", "severity", NULL};

/* "has_more", "hasMore" and "Has-More" are one name: hasmore. */
static void plain_name(const char *name, size_t len, char out[NAME_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < NAME_BYTES; i++)
		if (isalnum((unsigned char)name[i]))
			out[n++] = (char)tolower((unsigned char)name[i]);
	out[n] = '\0';
}

/* Lists of thirty names are walked from the front: answers have few members beside
 * their records. */
static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (etl_streq(name, *list))
			return true;
	return false;
}

/* A value that says nothing: no cursor, no error, none left.
 * {"next": null}, {"next": ""}, {"error": 0} say nothing; {"next": "/items?page=2"} does. */
static bool is_nothing(const char *text)
{
	static const char *const nothings[] = {"", "null", "none", "nil", "false", "no", "0", "-1",
		"ok", "success", "undefined", NULL};
	char plain[NAME_BYTES];

	if (strlen(text) >= 12)
		return false;
	if (etl_streq(text, "-1"))
		return true;
	plain_name(text, strlen(text), plain);
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != ' ' && *p != '.')
			return false; /* "/" leads somewhere */
	return is_one_of(plain, nothings);
}

/* '/meta/next' is 'https://x/items?page=2': cut to SHOWN_VALUE bytes, masked, and whole
 * characters at its end. */
static void say(char out[ETL_PAGING_SAID_BYTES], const char *where, const char *value)
{
	char cut[SHOWN_VALUE + 1];

	if (*out)
		return; /* the first one is told */
	etl_text_copy(cut, sizeof cut, value);
	etl_text_mask(cut);
	snprintf(out, ETL_PAGING_SAID_BYTES, "'%.80s' is '%s'", where, cut);
	out[etl_utf8_check(out, strlen(out))] = '\0';
}

/* -1: not told. 0 is a count that some services do tell. */
void etl_paging_begin(struct etl_paging *p)
{
	*p = (struct etl_paging){.total = -1, .pages = -1, .page = -1};
}

/* ---- the body ---- */

/* A count, or one such as ">1000" of a service that counts no further.
 * {"total": 500} with 100 records: 400 are missing. ">1000" of Elasticsearch's kind is
 * 1001 at least. */
static void note_total(struct etl_paging *p, const char *where, const char *text)
{
	bool beyond = *text == '>';
	int64_t n;

	if (!etl_parse_int64(text + beyond, &n) || n < 0)
		return;
	if (beyond && n < INT64_MAX)
		n++;
	if (n <= p->total)
		return;
	p->total = n;
	*p->total_said = '\0';
	say(p->total_said, where, text);
}

/* {"page": 1, "pages": 5}: four more. A page number without a count of pages says nothing. */
static void note_pages(struct etl_paging *p, const char *name, const char *where, const char *text)
{
	int64_t n;

	if (!etl_parse_int64(text, &n) || n < 0)
		return;
	if (is_one_of(name, current)) {
		p->page = n;
	} else if (n > p->pages) {
		p->pages = n;
		*p->pages_said = '\0';
		say(p->pages_said, where, text);
	}
}

/* `outer`: the name of what `name` stands in, "" = the answer; both plain.
 *   {"next": "/items?page=2"}, {"links": {"next": {"href": "/items?page=2"}}}   leads on
 *   {"has_more": true}, {"last": false}                                          more
 *   {"links": [{"rel": "next", "href": "..."}]}                                  leads on
 *   {"total": 500}, {"hits": {"total": {"value": 500}}}                          a total */
static void note_more(struct etl_paging *p, const char *outer, const char *name,
	const char *where, const char *text, bool is_string)
{
	bool yes = !is_string && etl_streq(text, "true"), no = !is_string && etl_streq(text, "false");
	bool leads = is_one_of(name, nexts) || is_one_of(outer, nexts);

	if (leads && !is_nothing(text))
		say(p->more, where, text);
	else if (yes && is_one_of(name, mores))
		say(p->more, where, text);
	else if (no && is_one_of(name, lasts))
		say(p->more, where, text);
	else if ((etl_streq(name, "rel") || etl_streq(name, "relation")) && etl_streq(text, "next"))
		say(p->more, where, text);
	else if (is_one_of(name, totals) ||
		 (is_one_of(outer, totals) && etl_streq(name, "value")))
		note_total(p, where, text);
	else if (is_one_of(name, pages) || is_one_of(name, current))
		note_pages(p, name, where, text);
}

/* What the member `at` of the way belongs to is the answer, or what the records lie in.
 * {"meta": {"error": ...}} is about the answer, {"stations": [{"error": ...}]} about a station.
 * Two rules: on the way to the records, or inside of nothing but envelopes. */
static bool is_of_answer(const struct etl_note *note, size_t at)
{
	char outer[NAME_BYTES];

	if (at < note->on_way)
		return true;
	for (size_t i = 0; i < at; i++) {
		plain_name(note->names[i], strlen(note->names[i]), outer);
		if (!is_one_of(outer, envelopes))
			return false;
	}
	return true;
}

/* {"error": {"code": 17, "text": "quota"}}: each member inside of it is part of the
 * error. */
static bool is_in_error(const struct etl_note *note)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < note->depth; i++) {
		plain_name(note->names[i], strlen(note->names[i]), name);
		if (is_one_of(name, errors) && is_of_answer(note, i))
			return true;
	}
	return false;
}

/* What is no error beside records, but tells why there is none: a state in which work is not done,
 * a status of HTTP in the body, a "success" that is a text or a number. */
static bool is_excuse(const struct etl_note *note, const char *name, const char *value)
{
	int64_t code;

	if (is_one_of(name, successes))
		return etl_streq(value, "false") || etl_streq(value, "no") || etl_streq(value, "0");
	if (note->is_string && is_one_of(name, states) &&
		(is_one_of(value, open_states) || is_one_of(value, bad_states)))
		return true;
	return is_one_of(name, codes) && etl_parse_int64(note->text, &code) && code >= 400 && code < 600;
}

/* -1 in an error's place is a code, although it is nothing elsewhere.
 * The order is that of certainty: what is named an error; a success that is denied; a
 * state of the whole answer; what only explains why no record came. */
static void note_error(struct etl_paging *p, const struct etl_note *note, const char *name,
	const char *where)
{
	bool no = !note->is_string && etl_streq(note->text, "false");
	bool of_answer = is_of_answer(note, note->depth - 1);
	char value[NAME_BYTES];

	plain_name(note->text, strlen(note->text), value);
	if ((!is_nothing(note->text) || etl_streq(note->text, "-1")) && is_in_error(note))
		say(p->error, where, note->text);
	else if (of_answer && no && is_one_of(name, successes))
		say(p->error, where, note->text);
	else if (note->depth == 1 && note->is_string && is_one_of(name, states) &&
		 is_one_of(value, bad_states))
		say(p->error, where, note->text);
	else if (of_answer && is_excuse(note, name, value))
		say(p->excuse, where, note->text);
}

/* A cursor that is a text, such as "itr9/rec4"; a number is where the answer begins, and a date the
 * question that it answers. */
static bool leads_by_text(const struct etl_note *note, const char *name, const char *outer)
{
	int64_t number;

	return note->is_string && is_one_of(name, cursors) && !etl_streq(outer, "cursors") &&
	       is_of_answer(note, note->depth - 1) && !is_nothing(note->text) &&
	       !etl_parse_int64(note->text, &number) &&
	       !(strspn(note->text, "0123456789") == 4 && note->text[4] == '-');
}

/* depth 2, names "meta", "has_more", text "true": '/meta/has_more' is 'true'. */
void etl_paging_note(void *paging, const struct etl_note *note)
{
	struct etl_paging *p = paging;
	const char *last = note->names[note->depth - 1];
	const char *before = note->depth > 1 ? note->names[note->depth - 2] : "";
	char outer[NAME_BYTES], name[NAME_BYTES], where[ETL_PAGING_SAID_BYTES];
	size_t n = 0;

	plain_name(before, strlen(before), outer);
	plain_name(last, strlen(last), name);
	for (size_t i = 0; i < note->depth && n < sizeof where - 2; i++)
		n += (size_t)snprintf(where + n, sizeof where - n, "/%.40s",
			*note->names[i] ? note->names[i] : "*");
	note_error(p, note, name, where);
	note_more(p, outer, name, where, note->text, note->is_string);
	if (leads_by_text(note, name, outer))
		say(p->more, where, note->text);
}

/* An excuse counts only where no record came: {"status": "pending", "data": [...]} may
 * be a field that all answers have. */
const char *etl_paging_error(const struct etl_paging *p, uint64_t records)
{
	if (*p->error)
		return p->error;
	return !records && *p->excuse ? p->excuse : NULL;
}

/* What leads on counts always; a total only if it is larger than what came.
 * A count of pages without a page's number is taken for the first page. Where pages
 * count from 0, page 4 of 5 is the last and looks like the last but one: the run fails,
 * since no page may be lost; `pagination: none` says that it is the whole. */
const char *etl_paging_more(const struct etl_paging *p, uint64_t records)
{
	if (*p->more)
		return p->more;
	if (p->total >= 0 && (uint64_t)p->total > records)
		return p->total_said;
	if (p->pages > 1 && p->page < p->pages)
		return p->pages_said;
	return NULL;
}

/* ---- headers ---- */

static bool is_header(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

static const char *const counted[] = {
	"X-Total-Count", "X-Total", "X-WP-Total", "X-Total-Pages", "X-WP-TotalPages", "X-Page", NULL};
static const char *const leading[] = {"X-Next-Page", "X-Next-Cursor", "X-Next-Token",
	"X-Continuation-Token", "X-Has-More", "X-Has-Next", "X-MS-Continuation", NULL};

static bool is_header_of(const char *name, size_t len, const char *const *list)
{
	for (; *list; list++)
		if (is_header(name, len, *list))
			return true;
	return false;
}

/* Asked for each header of each answer, so that only these few are copied. */
bool etl_paging_wants(const char *name, size_t len)
{
	return is_header(name, len, "Link") || is_header(name, len, "Content-Range") ||
	       is_header_of(name, len, counted) || is_header_of(name, len, leading);
}

/* Link: <https://x/items?page=2>; rel="next", <https://x/items?page=9>; rel="last"   (RFC 8288)
 * A target that is longer than a message may be is cut; that there is one is what
 * counts. */
static void note_link(struct etl_paging *p, const char *value, size_t len)
{
	const char *end = value + len;
	struct etl_link link;

	while (etl_link_read(&value, end, &link)) {
		char target[ETL_PAGING_SAID_BYTES];
		size_t n = link.target_len < sizeof target ? link.target_len : sizeof target - 1;

		if (!link.is_next)
			continue;
		memcpy(target, link.target, n);
		target[n] = '\0';
		say(p->more, "Link: rel=next", target);
		return;
	}
}

/* "items 0-24/3573": unit, first, last, total. False if it is not of that form.
 * The example gives 0, 24, 3573; with '*' in place of "0-24" the first two are -1. A total
 * of '*' (RFC 9110 section 14.4: not known) is not of the form. */
static bool read_range(const char *text, int64_t *first, int64_t *last, int64_t *total)
{
	char copy[96], *slash, *dash, *at = copy;

	etl_text_copy(copy, sizeof copy, text);
	at += strcspn(at, "0123456789*");
	slash = strchr(at, '/');
	if (!slash)
		return false;
	*slash = '\0';
	dash = strchr(at, '-');
	*first = *last = -1;
	if (dash)
		*dash++ = '\0';
	if (dash && (!etl_parse_int64(at, first) || !etl_parse_int64(dash, last)))
		return false;
	if (!dash && !etl_streq(at, "*"))
		return false;
	return etl_parse_int64(slash + 1, total);
}

/* "items 0-24/25" is the whole, "items 0-24/3573" a part; a total of 0 is the whole of nothing. */
bool etl_paging_range_is_whole(const char *range)
{
	int64_t first, last, total;

	if (!read_range(range, &first, &last, &total))
		return false;
	return total == 0 || (first == 0 && last + 1 == total);
}

/* Values are copied and cut: a header of 8 KiB says no more than its first 255 bytes. */
void etl_paging_header(struct etl_paging *p, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	char text[256], plain[NAME_BYTES], shown[NAME_BYTES];
	int64_t first, last, total;

	if (is_header(name, name_len, "Link")) {
		note_link(p, value, value_len);
		return;
	}
	while (value_len && isspace((unsigned char)*value)) {
		value++;
		value_len--;
	}
	while (value_len && isspace((unsigned char)value[value_len - 1]))
		value_len--;
	value_len = value_len < sizeof text ? value_len : sizeof text - 1;
	memcpy(text, value, value_len);
	text[value_len] = '\0';
	plain_name(name, name_len, plain);
	snprintf(shown, sizeof shown, "%.*s", (int)(name_len < 40 ? name_len : 40), name);
	if (is_header(name, name_len, "Content-Range")) {
		if (read_range(text, &first, &last, &total) && (first > 0 || last + 1 < total))
			say(p->more, shown, text);
	} else if (is_header_of(name, name_len, leading)) {
		if (!is_nothing(text))
			say(p->more, shown, text);
	} else if (is_header_of(name, name_len, counted)) {
		if (is_one_of(plain, totals))
			note_total(p, shown, text);
		else
			note_pages(p, plain, shown, text);
	}
}

/* ---- an object where records are due ---- */

/* The same rules as for texts, on BSON: false, 0, "", null, {} and [] say nothing. */
static bool says_nothing(const struct etl_element *e)
{
	char text[16];
	const char *s;
	uint32_t len;
	double v;

	if (etl_element_text(e, &s, &len)) {
		if (len >= sizeof text)
			return false;
		memcpy(text, s, len);
		text[len] = '\0';
		return is_nothing(text);
	}
	if (etl_element_double(e, &v))
		return v == 0;
	if (e->type == BSON_TYPE_BOOL)
		return !*e->value;
	if (e->type == BSON_TYPE_DOCUMENT || e->type == BSON_TYPE_ARRAY)
		return e->value_len <= 5; /* an empty one */
	return etl_element_is_null(e);
}

/* {"error": "quota"} and {"success": false} are errors; so is {"message": "not found",
 * "code": 404}, which has nothing but what refusals are made of. {"message": "hi", "t":
 * 1, "v": 2} is a record. */
bool etl_paging_is_error(const uint8_t *bson, uint32_t len)
{
	struct etl_cursor cursor;
	struct etl_element e;
	bool only_frame = true, has_word = false, failed = false;

	etl_cursor_init(&cursor, bson, len);
	while (etl_cursor_next(&cursor, &e)) {
		char name[NAME_BYTES], value[NAME_BYTES] = "";
		const char *text;
		uint32_t n;

		plain_name(e.key, e.key_len, name);
		if (is_one_of(name, errors) && !says_nothing(&e))
			return true;
		if (is_one_of(name, successes) && e.type == BSON_TYPE_BOOL && !*e.value)
			return true;
		if (etl_element_text(&e, &text, &n))
			plain_name(text, n, value);
		failed |= is_one_of(name, states) && is_one_of(value, bad_states);
		has_word |= is_one_of(name, words);
		only_frame &= is_one_of(name, frame);
	}
	return has_word && (failed || only_frame);
}

/* SPDX-License-Identifier: MIT
 *
 * csv: rows of fields between delimiters (RFC 4180, RFC 7111 for UTF-8), by libcsv. Each row
 * becomes a record of texts under the names of its columns: what is a number or a date says a
 * transform, since a column of "007" may be either. An empty field is null; one in quotes is a
 * text without characters.
 *
 * A row that cannot be read, or has another number of fields than the header, is one reject.
 * What is wrong with the header is wrong with every row, so that the payload fails.
 *
 *    station,at,co            {"station": "7", "at": "2026-07-01", "co": null}
 *    7,2026-07-01,
 *    "8, old",2026-07-02,""   {"station": "8, old", "at": "2026-07-02", "co": ""}
 */
#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "format/csv_rows.h"
#include "format/format.h"
#include "record/doc.h"

/* Real tables have some dozens of columns; these figures bound what a payload that is
 * no CSV at all can make us keep. */
enum { COLUMNS_MAX = 4096, NAME_MAX_BYTES = 1024 };
/* Of a batch, with what one piece of a payload makes. */
enum { BATCH_HELD_MAX = 64 * 1024 * 1024 };

enum { HEADER_FIRST, HEADER_NONE };
static const char *const header_words[] = {"first", "none", NULL};
enum { EMPTY_NULL, EMPTY_ABSENT, EMPTY_TEXT };
static const char *const empty_words[] = {"null", "absent", "text", NULL};
enum { SHORT_REJECT, SHORT_FILL };
static const char *const short_words[] = {"reject", "fill", NULL};
enum { NO_ROWS_FAIL, NO_ROWS_EMPTY };
static const char *const no_rows_words[] = {"fail", "empty", NULL};

struct options {
	const char *delimiter, *quote, *comment;
	int header, empty, short_rows, no_rows;
	int64_t skip;
	struct etl_strings names, required, null_text;
};

#define ROW(member) .offset = offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "delimiter", .type = ETL_OPT_STRING, ROW(delimiter), .fallback = ",",
		.help = "one ASCII character, or the word tab"},
	{.name = "quote", .type = ETL_OPT_STRING, ROW(quote), .fallback = "\"",
		.help = "one ASCII character, or none: quotes are text"},
	{.name = "header", .type = ETL_OPT_WORD, ROW(header), .words = header_words, .fallback = "first",
		.help = "first: the first row names the columns; none: 'names' does"},
	{.name = "names", .type = ETL_OPT_STRINGS, ROW(names),
		.help = "of all columns, in their order; instead of what a header says"},
	{.name = "required", .type = ETL_OPT_STRINGS, ROW(required),
		.help = "columns that the header must have; the payload fails without them"},
	{.name = "skip", .type = ETL_OPT_INT, ROW(skip), .fallback = "0", .min = 0, .max = 1000,
		.help = "lines before the header that say nothing"},
	{.name = "comment", .type = ETL_OPT_STRING, ROW(comment),
		.help = "one ASCII character; lines that begin with it are passed over"},
	{.name = "empty", .type = ETL_OPT_WORD, ROW(empty), .words = empty_words, .fallback = "null",
		.help = "what an empty field without quotes becomes"},
	{.name = "null_text", .type = ETL_OPT_STRINGS, ROW(null_text),
		.help = "texts that stand for null, in quotes or not, such as NA"},
	{.name = "short_rows", .type = ETL_OPT_WORD, ROW(short_rows), .words = short_words,
		.fallback = "reject", .help = "fill: columns that a row lacks at its end are empty fields"},
	{.name = "no_rows", .type = ETL_OPT_WORD, ROW(no_rows), .words = no_rows_words,
		.fallback = "fail", .help = "empty: a payload without a row says that there are no records"},
	{0}};
#undef ROW

/* ---- as configured ----------------------------------------------------------------------- */

/* The character, '\0' for `none`, or -1. Bytes above ASCII are parts of characters, and a line
 * break ends rows. ";" gives ';', "tab" '\t', "none" '\0'; ";;", "" and "\xc2\xa7" give -1. */
static int one_character(const char *text, const char *word, char meaning)
{
	unsigned char c = (unsigned char)text[0];

	if (etl_streq(text, word))
		return meaning;
	return c && !text[1] && c < 0x80 && c != '\n' && c != '\r' ? c : -1;
}

static int delimiter_of(const struct options *o)
{
	return one_character(o->delimiter, "tab", '\t');
}

static int quote_of(const struct options *o)
{
	return one_character(o->quote, "none", '\0');
}

/* '\0' = no line is a comment. */
static int comment_of(const struct options *o)
{
	return o->comment ? one_character(o->comment, "none", '\0') : '\0';
}

/* Told at the key's own place, or at the mapping's where the key is not given. */
static void mind(const struct etl_node *node, const char *key, const struct etl_conf_env *env,
	const char *hint, const char *what)
{
	const struct etl_node *at = etl_node_get(node, key);

	etl_diag_add(env->diag, at ? &at->mark : node ? &node->mark : NULL, ETL_DIAG_RANGE, hint,
		"man etld.yaml, csv", "%s in %s", what, env->what);
}

/* Two columns of one name would be two fields of one name.
 * Names are few; 4096 of them take eight million comparisons, once, at load. */
static const char *twice(const struct etl_strings *names)
{
	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < i; k++)
			if (etl_streq(names->items[i], names->items[k]))
				return names->items[i];
	return NULL;
}

/* All rules are asked, so that one load shows all that is wrong. */
static void check_csv(void *opts, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct options *o = opts;
	const char *double_name = twice(&o->names);

	if (delimiter_of(o) <= 0)
		mind(node, "delimiter", env, "such as ';', or tab",
			"'delimiter' is one ASCII character that is no line break");
	if (quote_of(o) < 0)
		mind(node, "quote", env, "such as '\"', or none",
			"'quote' is one ASCII character that is no line break");
	else if (quote_of(o) == delimiter_of(o))
		mind(node, "quote", env, NULL, "'quote' and 'delimiter' are the same character");
	if (o->header == HEADER_NONE && !o->names.n)
		mind(node, "header", env, "such as names: [station, time, value]",
			"without a header 'names' has to name the columns");
	if (o->header == HEADER_NONE && o->required.n)
		mind(node, "required", env, "leave it out: 'names' says what columns there are",
			"'required' is about a header, and there is none");
	if (o->names.n > COLUMNS_MAX)
		mind(node, "names", env, NULL, "'names' has more columns than a row may have, 4096,");
	if (double_name)
		mind(node, "names", env, double_name, "'names' has a name that appears twice");
	if (comment_of(o) < 0)
		mind(node, "comment", env, "such as '#'",
			"'comment' is one ASCII character that is no line break");
	else if (comment_of(o) && comment_of(o) == delimiter_of(o))
		mind(node, "comment", env, NULL, "'comment' and 'delimiter' are the same character");
	else if (comment_of(o) && comment_of(o) == quote_of(o))
		mind(node, "comment", env, NULL, "'comment' and 'quote' are the same character");
}

static bool may_be_empty(const void *opts)
{
	return ((const struct options *)opts)->no_rows == NO_ROWS_EMPTY;
}

/* ---- one payload ------------------------------------------------------------------------- */

/* The parser and the buffers are kept from payload to payload; the names belong to one
 * payload. */
struct csv {
	const struct options *options;
	struct csv_parser parser;
	bool has_parser;
	struct etl_csv_rows rows;
	int64_t to_skip;
	bool has_names;	   /* of this payload */
	bool any;	   /* a row came that is not blank */
	char **names;	   /* owned */
	size_t n_names, names_cap;
	uint64_t position; /* of the next record */

	/* Of the row at hand. */
	struct etl_batch *out;
	struct etl_writer record;
	size_t n_fields;
	const char *fault; /* of its fields; static */
};

/* Blanks belong to the field (RFC 4180, 2.4), while libcsv drops them at the ends unless it is told
 * that there are none. */
static int is_space(unsigned char c)
{
	(void)c;
	return 0;
}

/* A row inside of quotes may have line breaks, and one outside was cut by us: to the parser none
 * is an end of row. */
static int is_line_end(unsigned char c)
{
	(void)c;
	return 0;
}

/* Memory that cannot be had ends the process as everywhere here; libcsv's own way would
 * be an error in the middle of a row. */
static void *grow(void *p, size_t size)
{
	return etl_realloc(p, size, 1);
}

/* A parser is good for many rows, until one of them breaks it. Strict: `"a"b` and `a"b` are
 * errors and no texts, for a quote at the wrong place means that the row's fields are not what
 * they seem. Without quotes the quote is a byte that UTF-8 never has. */
static void parser_open(struct csv *c)
{
	int quote = quote_of(c->options);

	if (c->has_parser)
		csv_free(&c->parser);
	csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL);
	csv_set_realloc_func(&c->parser, grow);
	csv_set_delim(&c->parser, (unsigned char)delimiter_of(c->options));
	csv_set_quote(&c->parser, quote ? (unsigned char)quote : 0xff);
	csv_set_space_func(&c->parser, is_space);
	csv_set_term_func(&c->parser, is_line_end);
	c->has_parser = true;
}

typedef void (*field_fn)(void *text, size_t len, void *ctx);

/* One row through the parser. False if a quote stands at a wrong place.
 * csv_fini gives the last field, which no line break ends here, and says whether a
 * quote is open. A parser that met an error is of no more use. */
static bool parse(struct csv *c, const struct etl_csv_row *row, field_fn fn)
{
	c->n_fields = 0;
	c->fault = NULL;
	if (csv_parse(&c->parser, row->text, row->len, fn, NULL, c) == row->len &&
		csv_fini(&c->parser, fn, NULL, c) == 0)
		return true;
	parser_open(c);
	return false;
}

/* ---- the header -------------------------------------------------------------------------- */

/* The array is kept for the next payload's names. */
static void forget_names(struct csv *c)
{
	for (size_t i = 0; i < c->n_names; i++)
		free(c->names[i]);
	c->n_names = 0;
	c->has_names = false;
}

static void add_name(struct csv *c, const char *text, size_t len)
{
	ETL_GROW(c->names, c->n_names, c->names_cap);
	c->names[c->n_names++] = etl_memdup0(text, len);
}

/* libcsv calls this for each column. A fault is told when the row is through, since a callback
 * cannot stop the parser. */
static void take_name(void *text, size_t len, void *ctx)
{
	struct csv *c = ctx;

	if (++c->n_fields > COLUMNS_MAX)
		c->fault = "it has more than 4096 columns";
	else if (len > NAME_MAX_BYTES)
		c->fault = "a name in it is longer than 1024 bytes";
	else if (text && (memchr(text, '\0', len) || etl_utf8_check(text, len) != len))
		c->fault = "a name in it is no UTF-8 text";
	else
		add_name(c, text ? text : "", text ? len : 0);
}

static int refuse_header(const struct etl_csv_row *row, const char *fault, struct etl_error *err)
{
	return etl_error_set(err, ETL_DATA, "csv.header", "the header in line %llu cannot be used: %s",
		(unsigned long long)row->line, fault);
}

/* A field has one value, so two columns of one name would lose one of them; and a column without
 * a name is one that somebody forgot. */
static int check_names(const struct csv *c, const struct etl_csv_row *row, struct etl_error *err)
{
	for (size_t i = 0; i < c->n_names; i++) {
		if (!*c->names[i])
			return etl_error_set(err, ETL_DATA, "csv.header",
				"column %zu of the header in line %llu has no name; 'names' can name all",
				i + 1, (unsigned long long)row->line);
		for (size_t k = 0; k < i; k++)
			if (etl_streq(c->names[i], c->names[k]))
				return etl_error_set(err, ETL_DATA, "csv.header",
					"the header in line %llu names column %zu and column %zu '%.80s'; "
					"'names' can name all",
					(unsigned long long)row->line, k + 1, i + 1, c->names[i]);
	}
	return 0;
}

/* required: [montant], and the header has "Montant": the header has no column 'montant'
 * (there is 'Montant'). */
static int check_required(const struct csv *c, struct etl_error *err)
{
	const struct etl_strings *required = &c->options->required;

	for (size_t i = 0; i < required->n; i++) {
		const char *near;
		size_t k = 0;

		while (k < c->n_names && !etl_streq(c->names[k], required->items[i]))
			k++;
		if (k < c->n_names)
			continue;
		near = etl_nearest(required->items[i], (const char *const *)c->names, c->n_names);
		return etl_error_set(err, ETL_DATA, "csv.header",
			"the header has no column '%.80s'%s%.80s%s", required->items[i],
			near ? " (there is '" : "", near ? near : "", near ? "')" : "");
	}
	return 0;
}

static void use_configured_names(struct csv *c)
{
	const struct etl_strings *names = &c->options->names;

	forget_names(c);
	for (size_t i = 0; i < names->n; i++)
		add_name(c, names->items[i], strlen(names->items[i]));
	c->has_names = true;
}

/* What a spreadsheet writes before the header to tell the delimiter: "sep=;".
 * `line` is 1 in the first row alone, where Excel looks for it as well. */
static bool is_separator_line(const struct etl_csv_row *row)
{
	return row->line == 1 && row->len == 5 && memcmp(row->text, "sep=", 4) == 0;
}

/* `required` is asked before `names` are put in place of the header's own: it is about
 * what the payload says, `names` about what the records are to have. */
static int take_header(struct csv *c, const struct etl_csv_row *row, struct etl_error *err)
{
	size_t n;

	forget_names(c);
	if (row->too_long || !parse(c, row, take_name))
		return refuse_header(row, row->too_long ? "it is longer than a record may be" :
			"a quote stands inside of a field, or text behind a closing one", err);
	if (c->fault)
		return refuse_header(row, c->fault, err);
	n = c->n_names;
	if (c->options->names.n && c->options->names.n != n)
		return etl_error_set(err, ETL_DATA, "csv.header",
			"the header in line %llu has %zu columns, 'names' has %zu",
			(unsigned long long)row->line, n, c->options->names.n);
	if (check_required(c, err) < 0)
		return -1;
	if (c->options->names.n)
		use_configured_names(c);
	else if (check_names(c, row, err) < 0)
		return -1;
	c->has_names = true;
	return 0;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* `absent` writes nothing: the record has no such field. */
static void write_empty(struct csv *c, const char *name)
{
	if (c->options->empty == EMPTY_NULL)
		etl_writer_null(&c->record, name);
	else if (c->options->empty == EMPTY_TEXT)
		etl_writer_text(&c->record, name, "", 0);
}

/* libcsv does not tell whether a field had quotes: "NA" and NA are the same here. */
static bool is_null_text(const struct csv *c, const char *text, size_t len)
{
	const struct etl_strings *words = &c->options->null_text;

	for (size_t i = 0; i < words->n; i++)
		if (strlen(words->items[i]) == len && memcmp(words->items[i], text, len) == 0)
			return true;
	return false;
}

/* A field beyond the last column is counted only: the row is told with both numbers. */
static void take_field(void *text, size_t len, void *ctx)
{
	struct csv *c = ctx;
	size_t i = c->n_fields++;

	if (i >= c->n_names || c->fault)
		return;
	if (!text)
		write_empty(c, c->names[i]);
	else if (is_null_text(c, text, len))
		etl_writer_null(&c->record, c->names[i]);
	else if (etl_utf8_check(text, len) != len)
		c->fault = c->names[i];
	else
		etl_writer_text(&c->record, c->names[i], text, (uint32_t)len);
}

/* The raw text is lent: the batch copies what it keeps, at most ETL_REJECT_RAW_MAX bytes. */
static void reject(struct csv *c, const struct etl_csv_row *row, const char *path, const char *message)
{
	const struct etl_reject reject = {.step = "decode", .rule = "csv", .path = path,
		.message = message, .raw = (const uint8_t *)row->text,
		.raw_len = (uint32_t)row->len, .raw_cut = row->too_long,
		.position = c->position, .time = {ETL_NO_TIME}};

	etl_batch_reject(c->out, &reject);
}

/* Says into `why` what is wrong with a row; false if nothing is. */
static bool is_bad_row(struct csv *c, const struct etl_csv_row *row, char *why, size_t size)
{
	if (row->too_long)
		snprintf(why, size, "the row in line %llu is longer than a record may be",
			(unsigned long long)row->line);
	else if (!parse(c, row, take_field))
		snprintf(why, size, "line %llu has a quote inside of a field, or text behind a closing one",
			(unsigned long long)row->line);
	else if (c->fault)
		snprintf(why, size, "line %llu is no UTF-8 text; 'charset' says what it is",
			(unsigned long long)row->line);
	else if (c->n_fields > c->n_names ||
		(c->n_fields < c->n_names && c->options->short_rows == SHORT_REJECT))
		snprintf(why, size, "line %llu has %zu field%s, and there %s %zu column%s",
			(unsigned long long)row->line, c->n_fields, c->n_fields == 1 ? "" : "s",
			c->n_names == 1 ? "is" : "are", c->n_names, c->n_names == 1 ? "" : "s");
	else
		return false;
	return true;
}

/* What a row takes as a document: its own bytes, and a type, a length and a name for
 * each column. The writer grows where that is not enough. */
static void take_record(struct csv *c, const struct etl_csv_row *row)
{
	char why[160];
	const uint8_t *doc;
	uint32_t len;

	etl_writer_begin(&c->record, c->out->arena, row->len + 24 * c->n_names);
	if (is_bad_row(c, row, why, sizeof why)) {
		reject(c, row, c->fault ? c->fault : "", why);
	} else {
		for (size_t i = c->n_fields; i < c->n_names; i++)
			write_empty(c, c->names[i]);
		doc = etl_writer_end(&c->record, &len);
		if (len > ETL_DOCUMENT_BYTES_MAX)
			reject(c, row, "", "the row makes a larger document than MongoDB takes");
		else
			etl_batch_add(c->out, doc, len, (etl_wall){ETL_NO_TIME}, c->position);
	}
	c->position++;
}

/* A piece becomes records as a whole, and each of them repeats the names. Example: a header of 4,096
 * names and `short_rows: fill` make 20 KiB and more of each row `x`, and 160 MiB of 16 KiB of such rows:
 * no budget of memory is asked in between, so that it ends here. */
static int check_width(const struct csv *c, const struct etl_csv_row *row, struct etl_error *err)
{
	if (etl_batch_held(c->out) <= BATCH_HELD_MAX)
		return 0;
	return etl_error_set(err, ETL_LIMIT, "csv.width",
		"up to line %llu a piece of the payload takes more than %d MiB as records: %zu columns are "
		"too many for rows so short; 'short_rows: reject' refuses such rows",
		(unsigned long long)row->line, BATCH_HELD_MAX >> 20, c->n_names);
}

/* The order of the rules: what is no row at all, what stands before the header, the header,
 * records. */
static int take_row(void *ctx, const struct etl_csv_row *row, struct etl_error *err)
{
	struct csv *c = ctx;

	if (!row->len && !row->too_long)
		return 0;
	c->any = true;
	if (c->rows.comment && row->len && row->text[0] == c->rows.comment)
		return 0;
	if (is_separator_line(row)) {
		if (row->text[4] == c->rows.delimiter)
			return 0;
		return etl_error_set(err, ETL_DATA, "csv.delimiter",
			"the payload says that its delimiter is '%c', and 'delimiter' is '%s'", row->text[4],
			c->options->delimiter);
	}
	if (c->to_skip > 0) {
		c->rows.plain = --c->to_skip > 0;
		return 0;
	}
	if (!c->has_names && c->options->header == HEADER_FIRST)
		return take_header(c, row, err);
	if (!c->has_names)
		use_configured_names(c);
	take_record(c, row);
	return check_width(c, row, err);
}

/* ---- the contract ------------------------------------------------------------------------ */

/* Nothing can fail here: the loader has judged the options, and memory that cannot be
 * had ends the process. */
static int open_csv(void *self, const void *opts, const struct etl_format_env *env,
	struct etl_error *err)
{
	struct csv *c = self;

	(void)env, (void)err;
	c->options = opts;
	etl_csv_rows_init(&c->rows, (char)delimiter_of(opts), (char)quote_of(opts),
		(char)comment_of(opts), ETL_DOCUMENT_BYTES_MAX);
	parser_open(c);
	return 0;
}

/* The names of an earlier payload are not those of this one: a file of July may have
 * another column. */
static void begin(void *self)
{
	struct csv *c = self;

	c->to_skip = c->options->skip;
	c->rows.plain = c->to_skip > 0;
	etl_csv_rows_begin(&c->rows);
	forget_names(c);
	c->any = false;
	c->position = 0;
}

static int decode(void *self, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	struct csv *c = self;

	c->out = out;
	return etl_csv_rows_feed(&c->rows, bytes, len, take_row, c, err);
}

/* The format proves nothing by itself: a payload that was cut behind a row looks whole, and that it
 * came whole says its source. One that was cut inside a row is found, since that row lacks fields.
 * With `short_rows: fill` such a row is filled like any other: then only the source can
 * tell that the payload was cut. */
static int end(void *self, struct etl_batch *out, struct etl_error *err)
{
	struct csv *c = self;
	size_t rejects = out->n_rejects;
	bool unended;

	c->out = out;
	if (etl_csv_rows_end(&c->rows, &unended, take_row, c, err) < 0)
		return -1;
	if (unended && out->n_rejects > rejects)
		return etl_error_set(err, ETL_DATA, "csv.cut",
			"the last row, which no line break ends, is not whole: %s",
			out->rejects[out->n_rejects - 1].message);
	if (!c->any && c->rows.line > 1 && c->options->no_rows == NO_ROWS_FAIL)
		return etl_error_set(err, ETL_DATA, "csv.no_rows",
			"the payload has blank lines alone; 'no_rows: empty' says that this stands for no "
			"records");
	if (c->any && !c->has_names && c->options->header == HEADER_FIRST)
		return etl_error_set(err, ETL_DATA, "csv.header",
			"the payload ends before its header: all its rows are comments or passed over by "
			"'skip'");
	return 0;
}

/* What is told to the run's budget of memory: both buffers grow with the longest row. */
static size_t held(const void *self)
{
	const struct csv *c = self;

	return c->rows.row.cap + c->parser.entry_size;
}

static void close_csv(void *self)
{
	struct csv *c = self;

	if (c->has_parser)
		csv_free(&c->parser);
	etl_csv_rows_fini(&c->rows);
	forget_names(c);
	free(c->names);
}

const struct etl_format_type etl_format_csv = {
	.name = "csv",
	.title = "CSV",
	.media = "text/csv",
	.summary = "rows of fields between delimiters, each a record of texts",
	.takes = ETL_FORMAT_TEXT,
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct csv),
	.check = check_csv,
	.may_be_empty = may_be_empty,
	.open = open_csv,
	.begin = begin,
	.decode = decode,
	.end = end,
	.held = held,
	.close = close_csv,
};

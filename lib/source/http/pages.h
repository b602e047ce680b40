/* SPDX-License-Identifier: MIT
 *
 * The walk over the pages of one span: how the next one is asked for (a style), what proves the end, and
 * what must not go on (guards). It sees no request and no decoder: it is told what a page held, and says
 * what the next one is asked by. Memory is bounded: eight bytes for each page, and the longest URL.
 */
#ifndef ETL_SOURCE_HTTP_PAGES_H
#define ETL_SOURCE_HTTP_PAGES_H

#include "base/buf.h"
#include "base/hash.h"
#include "conf/option.h"
#include "record/batch.h"
#include "record/layout.h"
#include "source/http/paging.h"

#define ETL_PAGES_VALUE_MAX ETL_FOUND_BYTES_MAX /* bytes of a cursor, a token, a value of a record */
#define ETL_PAGES_URL_MAX (16 * 1024)

/* ---- as configured ------------------------------------------------------------------------ */

/* How many records a page shall have, and the parameter that says so; param NULL = it is not said. */
struct etl_pages_size {
	const char *param;
	int64_t value;
};

struct etl_pages_style;

struct etl_pages_options {
	struct {
		const char *param;
		int64_t first;
		struct etl_pages_size size;
	} page, offset; /* of offset `size` is its `limit` */
	struct {
		const char *from; /* a pointer into the answer, or a header's name */
		const char *param;
	} cursor, header;
	struct {
		const char *field, *param;
		struct etl_pages_size size;
	} last_record;
	const char *next_url; /* a pointer */
	bool has_page, has_offset, has_cursor, has_header, has_last_record, has_link, has_next_url,
		has_odata;
	int end, announced;
	int64_t max_pages;
	uint64_t max_bytes; /* of all pages of a span, decompressed */
	struct etl_strings hosts; /* that may be asked beside the one of `url` */

	const struct etl_pages_style *style; /* the one of them; NULL = a configuration error */
};
enum { ETL_PAGES_END_EMPTY, ETL_PAGES_END_SHORT };
enum { ETL_PAGES_ANNOUNCED_FAIL, ETL_PAGES_ANNOUNCED_IGNORE };

struct etl_node;
struct etl_decode_spec;

/* The mapping under `pagination`: fills and checks. `query` are the parameters that the job sends
 * itself, `url` its text, `gets` whether the method is GET. Errors go to env->diag. Loader's thread. */
void etl_pages_compile(struct etl_pages_options *options, const struct etl_node *node,
	const struct etl_pairs *query, const char *url, bool gets,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env);

/* The mapping without what changes no record: who raises max_pages does not ask for other data. In the
 * tree's arena. */
const struct etl_node *etl_pages_definition(const struct etl_node *node, const struct etl_conf_env *env);

/* True if the walk sends a parameter of this name. */
bool etl_pages_has_param(const struct etl_pages_options *options, const char *name);

/* ---- the walk ------------------------------------------------------------------------------ */

/* What the request for a page has beside what the job's own one has. Lent until the walk goes on. */
struct etl_pages_ask {
	const char *url; /* instead of url and query; NULL = those */
	bool is_foreign; /* that URL is of another host: no credentials, none of the job's headers */
	struct {
		const char *name, *value;
	} params[2];
	size_t n_params;
	const char *header; /* of the answer, that has to be kept; NULL = none */
};

enum etl_pages_last { ETL_PAGES_LAST_NONE, ETL_PAGES_LAST_GOOD, ETL_PAGES_LAST_BAD };

/* Zeroed with `options` NULL it is no walk: one request is all. */
struct etl_pages {
	const struct etl_pages_options *options;

	/* The page that is asked for. */
	uint64_t page;	    /* from 1 */
	int64_t number;	    /* of styles that count: its page number or offset */
	struct etl_buf at;  /* cursor, token, value or URL that it is asked by; "" = the first one */
	struct etl_buf url; /* that was sent */
	char number_text[24], size_text[24];

	/* What came of it so far. */
	struct etl_buf told; /* by the body, a header or the last record: what the next is asked by */
	bool is_odd;	     /* what was told is no text or number, or longer than may be */
	enum etl_pages_last last;
	struct etl_hash_set content;

	/* What came before it. */
	uint64_t records, bytes, ended; /* pages that ended well */
	struct etl_hash_set content_before;
	int64_t total; /* the largest that was announced; -1 = none */
	char total_said[ETL_PAGING_SAID_BYTES];
	uint64_t *seen; /* hashes of all `at`, a table with holes of 0 */
	size_t n_seen, seen_cap;
};

/* `options` is lent; NULL = no walk. */
void etl_pages_init(struct etl_pages *walk, const struct etl_pages_options *options);
void etl_pages_fini(struct etl_pages *walk);
/* Another span: the first page is asked for. */
void etl_pages_restart(struct etl_pages *walk);

void etl_pages_ask(struct etl_pages *walk, struct etl_pages_ask *out);
/* The request was filled; `url` is what relative ones begin at. */
void etl_pages_asked(struct etl_pages *walk, const char *url);

/* A page begins, then what it says of the next one. */
void etl_pages_begin(struct etl_pages *walk);
void etl_pages_header(struct etl_pages *walk, const char *name, size_t name_len,
	const char *value, size_t value_len);
void etl_pages_found(void *walk, const struct etl_found *found); /* etl_found_fn */
/* Records from `from` and rejects from `from_rejects` on, as they came. */
void etl_pages_given(struct etl_pages *walk, const struct etl_batch *batch, size_t from,
	size_t from_rejects);

/* The page ended well with `records` (rejects too) of `bytes`. 1 = etl_pages_ask has the next one, 0 =
 * the end is proven, -1 (ETL_DATA, ETL_LIMIT) = neither is. */
int etl_pages_next(struct etl_pages *walk, const struct etl_paging *said, uint64_t records,
	uint64_t bytes, struct etl_error *err);

/* ---- a style ------------------------------------------------------------------------------- */

enum {
	ETL_PAGES_SEEKS = 1,	/* reads the body: a format that has places beside its records */
	ETL_PAGES_FOLLOWS = 2,	/* the next page is a URL: `hosts` */
	ETL_PAGES_MAY_END = 4,	/* an empty or short page is its end: `end` */
};

struct etl_pages_style {
	const char *name; /* the key under `pagination` */
	unsigned is; /* of ETL_PAGES_* */
	size_t has;  /* offset of its has_* in the options */
	/* The pointer into the answer, or the header, that leads on. NULL = none. */
	const char *(*pointer)(const struct etl_pages_options *o);
	const char *(*header)(const struct etl_pages_options *o);
	/* Its parameters, as far as they are configured. */
	const char *(*param)(const struct etl_pages_options *o);
	const struct etl_pages_size *(*size)(const struct etl_pages_options *o); /* NULL = none */
	/* The page had `records`: 1 = walk->number or walk->told has the next, 0 = the end, -1. */
	int (*next)(struct etl_pages *walk, uint64_t records, struct etl_error *err);
};

/* NULL-terminated by name. */
extern const struct etl_pages_style etl_pages_styles[];

#endif

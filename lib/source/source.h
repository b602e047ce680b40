/* SPDX-License-Identifier: MIT
 *
 * The contract of a source. One file, one const descriptor at its end, named after the file:
 * lib/source/source_foo.c ends with `const struct etl_source_type etl_source_foo`. The build
 * finds it by its file name; there is no list to edit.
 *
 * A source is sans-I/O: it turns windows into requests, and judges what comes. It sees no curl, no
 * loop and no clock, so it is tested and fuzzed without a network. What stands in a payload is not
 * its business: it hands the bytes to env->decode (format/decode.h), which makes records of them. A
 * source that has to block (a database client) implements read() instead of first/decode/next.
 * One instance serves one partition of one run and is used by one worker at a time.
 */
#ifndef ETL_SOURCE_SOURCE_H
#define ETL_SOURCE_SOURCE_H

#include "base/arena.h"
#include "base/error.h"
#include "conf/option.h"
#include "conf/secret.h"
#include "conf/template.h"
#include "format/decode.h"
#include "record/batch.h"
#include "time/object.h"
#include "time/window.h"

enum etl_ip { ETL_IP_ANY, ETL_IP_4_ONLY };

struct etl_header {
	const char *name;
	const char *value;
};

/* What a source wants fetched. All memory lies in `arena`, which is the caller's and lives
 * until the answer is finished. */
struct etl_request {
	struct etl_arena *arena;
	const char *method; /* "GET", "POST" */
	const char *url;    /* absolute, http or https; may hold a secret in its query */
	const char *url_shown; /* the same without secrets, for journal and errors */
	struct etl_header *headers;
	size_t n_headers;
	const char *body; /* NULL = none */
	size_t body_len;
	etl_dur timeout;	   /* for the whole answer; 0 = the daemon's http.timeout */
	uint64_t response_bytes_max; /* decoded bytes; 0 = no cap of the source's own */
	enum etl_ip ip;
	const char *kept_header; /* of the answer, that goes to `hints` besides; NULL = none */
};

/* An answer's head, known before the first byte of its body, and its end. */
struct etl_response {
	int status; /* HTTP status */
	etl_wall received; /* our clock when the head came */
	const char *content_type; /* "" if none */
	const char *etag;	  /* "" if none */
	const char *location;	  /* "" if none */
	const char *content_range; /* "" if none */
	const char *hints; /* "Name: value\n" of what speaks of further pages and of kept_header; "" if
			    * nothing does */
	etl_dur retry_after; /* what a refusal's headers ask for (http/hold.h); us = -1 if nothing */
};

/* What an instance may use besides its options. Lent until close. */
struct etl_source_env {
	const struct etl_vars *vars;	   /* partition and run; window: the span asked for */
	struct etl_decode *decode;	   /* makes records of its payloads or documents */
	struct etl_mongo *mongo;	   /* for sources that read MongoDB; else NULL */
	const char *database;		   /* default database */
	const char *job;
	etl_wall now; /* the wall clock when the span was opened */
	void *shared; /* what shared_new made for this job: tokens and the like */
	size_t memory_max; /* the strand's share: bytes that it may hold at once; 0 = no limit */
};

/* What the worker should do after a source looked at an answer. */
enum etl_source_verdict {
	ETL_SOURCE_BODY,   /* decode the body as it comes */
	ETL_SOURCE_RETRY,  /* forget this answer and send the request that was filled now */
};

/* What a source has: an object, or something that was found where objects are looked for. */
struct etl_listed {
	struct etl_object object; /* lent for the call; refused: a name of any bytes */
	const char *refused; /* why it can be no unit ("is a directory"), static; NULL = it can */
	const char *waits;   /* why it is not read yet ("is younger than min_age"), static; NULL = it is */
};
/* 0 = go on, 1 = enough, -1. */
typedef int (*etl_listed_fn)(void *ctx, const struct etl_listed *listed, struct etl_error *err);

struct etl_source_type {
	const char *name;    /* the key under `extract`: "http" */
	const char *summary; /* one line for the manual */
	const struct etl_option *options;
	size_t options_size; /* of the struct that the table fills */
	size_t size;	     /* of an instance; zeroed before open */
	bool whole; /* whatever window is asked for, it gives all that it has: covers: all */
	bool documents;	     /* it gives documents, no payloads: no format, no records, no attach */

	/* After the table filled `options`: cross-checks, templates. Adds to env->diag. NULL =
	 * none. `node` is the mapping under the source's name, and some options may be absent
	 * although required (that was reported). `decode`: what stands beside the source; it lives
	 * as long as the options. Loader's thread. */
	void (*check)(void *options, const struct etl_node *node,
		const struct etl_decode_spec *decode, const struct etl_conf_env *env);

	/* The part of its options, if there is one, that works on all that one request gives: what a
	 * window gets then depends on which others are asked for with it ($limit of a pipeline).
	 * Lent, as long as the configuration is being loaded. NULL = no source of this type has one. */
	const struct etl_node *(*cut)(const void *options);

	/* The host that it asks, with its port if the options name one ("api.example.org:8443"):
	 * what `limits.hosts` calls it. False if it asks none. NULL = it never asks one. */
	bool (*host)(const void *options, char *out, size_t size);

	/* State that all instances of a job share and that lives as long as its generation
	 * (tokens). Must be safe for several threads. NULL = none. */
	void *(*shared_new)(const void *options);
	void (*shared_free)(void *shared);

	int (*open)(void *self, const void *options, const struct etl_source_env *env,
		struct etl_error *err);

	/* sans-I/O kind. `now` is the wall clock at the call. */
	/* The first request for a span of windows. 0, or -1. */
	int (*first)(void *self, const struct etl_window *span, etl_wall now,
		struct etl_request *out, struct etl_error *err);
	/* An answer's head arrived. 0 with a verdict (RETRY fills `again`), or -1: HTTP errors
	 * get their kind here (401 AUTH, 429 THROTTLED with retry_after_ms, 5xx TRANSIENT, ...). */
	int (*head)(void *self, const struct etl_response *response,
		enum etl_source_verdict *verdict, struct etl_request *again,
		struct etl_error *err);
	/* A piece of the body: goes to env->decode, whose records and rejects come into `out`. */
	int (*decode)(void *self, const char *bytes, size_t len, struct etl_batch *out,
		struct etl_error *err);
	/* The transfer broke off with `err`. The source may put into it what it knows better: the
	 * status of an answer whose body was only to tell why. NULL = it never does. */
	void (*broken)(void *self, struct etl_error *err);
	/* The body ended well. 1 = `out` is the next request, 0 = proven end of pages, -1.
	 * Never 0 on a guess: it closes windows, and a closed window is not asked for again.
	 * Records held back until now go to `batch`. */
	int (*next)(void *self, etl_wall now, struct etl_batch *batch, struct etl_request *out,
		struct etl_error *err);

	/* blocking kind: fills `out` with up to a full batch, by env->decode. 1 = there may be more,
	 * 0 = proven end (out may still hold records), -1. The first call for a span begins it. */
	int (*read)(void *self, const struct etl_window *span, struct etl_batch *out,
		struct etl_error *err);

	/* Pages that ended well since the span was begun, the one after which next() gave 0 too. NULL = what
	 * it asks is never in pages. */
	uint64_t (*pages)(const void *self);

	/* What there is, for jobs with `window: object`: a page of it in order of names, from the first
	 * that is behind `after` (NULL: of all) on. 1 = there may be more behind the last one given, 0 =
	 * these were the last, -1. Holds no more than a page, however many there are. Each object is
	 * then asked for alone: env->vars->object. Of an instance that lists, env->decode is NULL. NULL =
	 * it has no objects. Blocking kind. `now`: the wall clock at the call. */
	int (*list)(void *self, const char *after, etl_wall now, etl_listed_fn fn, void *ctx,
		struct etl_error *err);

	/* Bytes that it holds of records which it has not given yet, beside its decoder's. NULL = hardly
	 * any. */
	size_t (*held)(const void *self);

	void (*close)(void *self); /* always called once after open, also when open failed */
};

/* All sources of this build, NULL-terminated, sorted by name (generated). */
extern const struct etl_source_type *const etl_sources[];
const struct etl_source_type *etl_source_find(const char *name);

#endif

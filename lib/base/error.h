/* SPDX-License-Identifier: MIT
 *
 * The error object: what went wrong, of which kind, and in which words.
 * The caller owns it and passes it last; a failing function fills it and returns -1
 * (or NULL). Its kind decides what happens next (lib/run/policy.c is the only place that
 * turns kinds into verdicts). The library never logs: an error travels up, gains context
 * on the way (etl_error_prefix), and the daemon reports it once. Any thread.
 */
#ifndef ETL_BASE_ERROR_H
#define ETL_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum etl_error_kind {
	ETL_OK = 0,
	ETL_CONFIG,    /* the configuration is wrong: refuse to load */
	ETL_TRANSIENT, /* may work if tried again: network, 5xx, server election */
	ETL_THROTTLED, /* the other side asked us to wait: 429, 503 with Retry-After */
	ETL_AUTH,      /* credentials refused: the operator has to act */
	ETL_DATA,      /* the bytes are not what was promised */
	ETL_CONFLICT,  /* somebody else has the lease or moved the ledger: commit nothing */
	ETL_PERMANENT, /* will fail the same way again: 404, missing index */
	ETL_CANCELLED, /* an operator or a deadline stopped it */
	ETL_LIMIT,     /* one of our own caps was reached: size, depth, memory */
	ETL_BUG,       /* our own mistake */
	ETL_ERROR_KIND_MAX
};

/* Bytes with the final NUL; longer text is cut between two characters. */
#define ETL_ERROR_MESSAGE_MAX 512

struct etl_error {
	enum etl_error_kind kind;
	const char *code;	/* stable, static: "http.status"; never NULL after a failure */
	int64_t retry_after_ms; /* THROTTLED: the wait we were asked for; 0 = none was named */
	int status;		/* HTTP status or driver code that caused it; 0 = none */
	char message[ETL_ERROR_MESSAGE_MAX]; /* one line of UTF-8, no control bytes */
};

/* An error object that holds no error. */
#define ETL_ERROR_INIT {.kind = ETL_OK, .code = ""}

/* Fills `err` (never NULL); what could deceive a reader becomes '?' (etl_text_mask). Returns
 * -1, so that a function can end with `return etl_error_set(...)`. */
int etl_error_set(struct etl_error *err, enum etl_error_kind kind, const char *code,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Puts "text: " before the message. Returns -1. */
int etl_error_prefix(struct etl_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Back to "no error". */
void etl_error_clear(struct etl_error *err);

/* The kind's name in lower case ("transient"); "ok" for ETL_OK. Static. */
const char *etl_error_kind_name(enum etl_error_kind kind);

#endif

/* SPDX-License-Identifier: MIT
 *
 * Small text work of HTTP: what a URL and a header may look like, and quoting a stranger's
 * bytes in a message. No state; any thread.
 */
#ifndef ETL_SOURCE_HTTP_TEXT_H
#define ETL_SOURCE_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* NULL if `url` (text or the text of a template) is an absolute http or https URL whose host
 * is literal, without user information and fragment; else the reason, static. */
const char *etl_http_url_fault(const char *url);

/* 0, or -1 (ETL_CONFIG) if the filled URL has "." or ".." as a segment of its path: such a
 * segment would be taken away on the way and another resource asked for. */
int etl_http_url_check_path(const char *url, struct etl_error *err);

/* The host (and port) of an absolute URL; false if it has none or it does not fit. */
bool etl_http_url_host(const char *url, char *out, size_t size);

/* True for a header's name (RFC 9110 token). */
bool etl_http_is_token(const char *name);

/* True if no byte is a control byte but tab: fit for a header's value. */
bool etl_http_is_header_value(const char *value);

/* A Content-Length, perhaps the second of its answer: false if it is no number or not the one
 * that was told before (RFC 9112, 6.3: the mark of a smuggled or broken answer). "5, 5" is one
 * that was sent twice. `*has` begins as false. */
bool etl_http_length_agrees(
	const char *value, size_t len, bool *has, unsigned long long *length);

/* Puts a copy of a header's value, without the blanks around it, into `*slot` (freed before). */
void etl_http_header_keep(char **slot, const char *value, size_t len);

/* A URL fit for a message: without user information and fragment, "***" for the value of each
 * parameter whose name is that of a secret (key, token, signature, ...), and at most
 * ETL_HTTP_SHOWN_BYTES - 1 bytes, "..." at its end if it was cut. Any text is taken. */
#define ETL_HTTP_SHOWN_BYTES 200
void etl_http_url_show(const char *url, char out[ETL_HTTP_SHOWN_BYTES]);

/* A user may put a key into the query in the open; it need not stand in the journal too. */
bool etl_http_looks_secret(const char *name, size_t len);

/* Writes at most 80 bytes of `bytes` fit for a message: a run of white space and control
 * bytes becomes one blank, what is no UTF-8 becomes '?'. */
#define ETL_HTTP_QUOTE_BYTES 84
void etl_http_quote(char out[ETL_HTTP_QUOTE_BYTES], const char *bytes, size_t len);

#endif

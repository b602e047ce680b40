/* SPDX-License-Identifier: MIT
 *
 * Requests and replies on the control socket, in Varlink's form: one JSON object, then a NUL
 * byte. The names of methods' interface and of errors stand here and nowhere else; what each
 * method takes and gives is in README.md. Any thread.
 */
#ifndef ETL_CTL_MESSAGE_H
#define ETL_CTL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#define ETL_CTL_INTERFACE "io.etld.Control"
#define ETL_CTL_SERVICE	  "org.varlink.service"
#define ETL_CTL_MESSAGE_MAX ((size_t)1024 * 1024) /* bytes of a request, without its NUL */
#define ETL_CTL_REPLY_MAX ((size_t)16 * 1024 * 1024) /* of a reply: 20,000 jobs and more */

/* Errors: id, name on the wire, etlctl's exit status (etlctl(1), EXIT STATUS), meaning. */
#define ETL_CTL_ERRORS(X)                                                                       \
	X(NO_SUCH_JOB, "NoSuchJob", 4, "no job has this name")                                  \
	X(NO_SUCH_RUN, "NoSuchRun", 4, "no run has this id, or several begin or end so")        \
	X(NO_SUCH_WINDOW, "NoSuchWindow", 4, "the job has no such window or partition")         \
	X(NO_SUCH_LETTER, "NoSuchLetter", 4, "no dead letter has this id, or several begin so") \
	X(INVALID_PARAMETER, "InvalidParameter", 2, "a parameter is missing, unknown or wrong") \
	X(NOT_PERMITTED, "NotPermitted", 9, "the caller may read but not change")                \
	X(BUSY, "Busy", 8, "the job is running already, here or on another server")             \
	X(NOT_READY, "NotReady", 1, "the daemon cannot do this in its state; the reason says why") \
	X(CONFIG_INVALID, "ConfigInvalid", 78, "the configuration has errors")                  \
	X(FAILED, "Failed", 1, "it was tried and failed")                                       \
	X(METHOD_NOT_FOUND, "MethodNotFound", 2, "this daemon has no such method")

enum etl_ctl_error {
	ETL_CTL_OK = 0,
#define X(id, name, exit, meaning) ETL_CTL_##id,
	ETL_CTL_ERRORS(X)
#undef X
		ETL_CTL_ERROR_MAX
};

/* "io.etld.Control.NoSuchJob"; MethodNotFound and InvalidParameter are of the interface
 * org.varlink.service, as its specification wants. Static; NULL for ETL_CTL_OK. */
const char *etl_ctl_error_name(enum etl_ctl_error error);
const char *etl_ctl_error_meaning(enum etl_ctl_error error);
int etl_ctl_error_exit(enum etl_ctl_error error); /* etlctl's exit status */

/* FAILED for a name that is not known (a newer daemon). */
enum etl_ctl_error etl_ctl_error_parse(const char *name);

/* ---- requests ---- */

struct etl_ctl_request {
	struct etl_json *json;		   /* owned; the rest points into it */
	const char *method;		   /* whole: "io.etld.Control.Run" */
	const struct etl_json *parameters; /* an object, or NULL when there were none */
	bool more;			   /* the caller reads several replies */
	bool oneway;			   /* the caller reads no reply: answer nothing */
};

/* One message without its NUL. 0, or -1 with ETL_DATA or ETL_LIMIT: what follows such a message
 * cannot be trusted, answer and close. */
int etl_ctl_request_parse(const char *text, size_t len, struct etl_ctl_request *out,
	struct etl_error *err);
void etl_ctl_request_fini(struct etl_ctl_request *request);

/* Appends a whole frame. `parameters` may be NULL; lent. False if the message would pass
 * ETL_CTL_MESSAGE_MAX or the buffer's cap; nothing is appended then. */
bool etl_ctl_request_append(struct etl_buf *out, const char *method,
	const struct etl_json *parameters, bool more);

/* ---- replies ---- */

/* These append a whole frame to what goes to a client. `parameters` and `details` are taken
 * (freed here) and may be NULL. A reply that would be too large becomes the error Failed, an
 * error that would be goes without its details. False if the buffer's cap was reached; nothing
 * is appended then. */
bool etl_ctl_reply_append(struct etl_buf *out, struct etl_json *parameters, bool continues);
bool etl_ctl_error_append(struct etl_buf *out, enum etl_ctl_error error, const char *message,
	const char *hint /* the next thing to try; may be NULL */, struct etl_json *details);

struct etl_ctl_reply {
	struct etl_json *json;		   /* owned; the rest points into it */
	const struct etl_json *parameters; /* an object, or NULL */
	bool continues;			   /* another reply follows */
	enum etl_ctl_error error;	   /* ETL_CTL_OK = none */
	const char *error_name;		   /* NULL = none */
	const char *message;		   /* of an error; never NULL then */
	const char *hint;		   /* or NULL */
};

int etl_ctl_reply_parse(const char *text, size_t len, struct etl_ctl_reply *out,
	struct etl_error *err);
void etl_ctl_reply_fini(struct etl_ctl_reply *reply); /* a zeroed or finished one is fine */

#endif

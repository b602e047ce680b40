/* SPDX-License-Identifier: MIT
 *
 * Messages to and from JSON. What a peer sends is read strictly: a known member of the wrong
 * type is an error, an unknown one is left alone (Varlink lets senders add members).
 */
#include "ctl/message.h"

#include <string.h>

#include "base/str.h"

/* The rows come from ETL_CTL_ERRORS in message.h, so that a new error cannot be without
 * its words. */
static const struct {
	const char *name;
	int exit;
	const char *meaning;
} errors[] = {
	[ETL_CTL_OK] = {NULL, 0, "no error"},
#define X(id, word, status, text) [ETL_CTL_##id] = {ETL_CTL_INTERFACE "." word, status, text},
	ETL_CTL_ERRORS(X)
#undef X
};
_Static_assert(sizeof errors / sizeof *errors == ETL_CTL_ERROR_MAX, "each error has its row");

/* Two errors have names that Varlink's own specification gives them; generic clients
 * know them. */
const char *etl_ctl_error_name(enum etl_ctl_error error)
{
	if (error == ETL_CTL_METHOD_NOT_FOUND)
		return ETL_CTL_SERVICE ".MethodNotFound";
	if (error == ETL_CTL_INVALID_PARAMETER)
		return ETL_CTL_SERVICE ".InvalidParameter";
	return errors[error].name;
}

const char *etl_ctl_error_meaning(enum etl_ctl_error error)
{
	return errors[error].meaning;
}

int etl_ctl_error_exit(enum etl_ctl_error error)
{
	return errors[error].exit;
}

/* "io.etld.Control.Busy" and "org.varlink.service.MethodNotFound" are known by what is behind the
 * last dot; "org.example.Busy" is somebody else's and counts as Failed. */
enum etl_ctl_error etl_ctl_error_parse(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (!dot || (!etl_starts_with(name, ETL_CTL_INTERFACE ".") &&
			    !etl_starts_with(name, ETL_CTL_SERVICE ".")))
		return ETL_CTL_FAILED;
	for (int i = ETL_CTL_OK + 1; i < ETL_CTL_ERROR_MAX; i++)
		if (etl_streq(dot, strrchr(errors[i].name, '.')))
			return (enum etl_ctl_error)i;
	return ETL_CTL_FAILED;
}

/* ---- members of a message --------------------------------------------------------------- */

static int wrong_type(struct etl_error *err, const char *key, enum etl_json_type wanted)
{
	return etl_error_set(err, ETL_DATA, "ctl.message", "\"%s\" of a message is not %s", key,
		etl_json_type_name(wanted));
}

/* "more": "yes" is refused: whoever sends it would wait for replies that never come. */
static int read_bool(const struct etl_json *json, const char *key, bool *out,
	struct etl_error *err)
{
	const struct etl_json *member = etl_json_get(json, key);
	enum etl_json_type type = etl_json_type(member);

	if (type != ETL_JSON_NONE && type != ETL_JSON_BOOL)
		return wrong_type(err, key, ETL_JSON_BOOL);
	*out = etl_json_as_bool(member, false);
	return 0;
}

/* null counts as absent for no member here but `error`: Varlink leaves members out. */
static int read_parameters(const struct etl_json *json, const struct etl_json **out,
	struct etl_error *err)
{
	const struct etl_json *member = etl_json_get(json, "parameters");
	enum etl_json_type type = etl_json_type(member);

	if (type != ETL_JSON_NONE && type != ETL_JSON_OBJECT)
		return wrong_type(err, "parameters", ETL_JSON_OBJECT);
	*out = member;
	return 0;
}

static struct etl_json *parse_object(const char *text, size_t len, size_t max,
	struct etl_error *err)
{
	struct etl_json *json = etl_json_parse(text, len, max, err);

	if (json && etl_json_type(json) != ETL_JSON_OBJECT) {
		etl_error_set(err, ETL_DATA, "ctl.message", "a message is no object");
		etl_json_free(ETL_TAKE(json));
	}
	return json;
}

/* ---- requests --------------------------------------------------------------------------- */

int etl_ctl_request_parse(const char *text, size_t len, struct etl_ctl_request *out,
	struct etl_error *err)
{
	etl_cleanup(etl_json_free) struct etl_json *json =
		parse_object(text, len, ETL_CTL_MESSAGE_MAX, err);
	struct etl_ctl_request request = {0};

	if (!json)
		return -1;
	request.method = etl_json_text(json, "method", NULL);
	if (!request.method)
		return wrong_type(err, "method", ETL_JSON_TEXT);
	if (read_parameters(json, &request.parameters, err) < 0 ||
		read_bool(json, "more", &request.more, err) < 0 ||
		read_bool(json, "oneway", &request.oneway, err) < 0)
		return -1;
	/* Moved only now: on every way out before it the tree is freed here and `out`
	 * is untouched. */
	request.json = ETL_TAKE(json);
	*out = request;
	return 0;
}

void etl_ctl_request_fini(struct etl_ctl_request *request)
{
	etl_json_free(request->json);
	*request = (struct etl_ctl_request){0};
}

/* Appends the message and its NUL, or nothing.
 * Printed into a buffer of its own first: the caller's may hold other replies, which
 * must stay whole if this one does not fit. */
static bool append_frame(struct etl_buf *out, const struct etl_json *message)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX);
	return etl_json_print(message, &text) && etl_buf_append(out, text.data, text.len + 1);
}

/* {"method":"io.etld.Control.Next","parameters":{"job":"airqino"}} and a NUL byte. `more` is
 * written only where it is true, as the specification's own examples do. */
bool etl_ctl_request_append(struct etl_buf *out, const char *method,
	const struct etl_json *parameters, bool more)
{
	etl_cleanup(etl_json_free) struct etl_json *message = etl_json_object();

	etl_json_add_text(message, "method", method);
	if (parameters)
		etl_json_add_item(message, "parameters", etl_json_copy(parameters));
	if (more)
		etl_json_add_bool(message, "more", true);
	return append_frame(out, message);
}

/* ---- replies ---------------------------------------------------------------------------- */

/* An answer that is too long is told as an error with advice, since a client that waits
 * for an answer must get one. */
bool etl_ctl_reply_append(struct etl_buf *out, struct etl_json *parameters, bool continues)
{
	etl_cleanup(etl_json_free) struct etl_json *message = etl_json_object();
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_json_add_item(message, "parameters", parameters ? parameters : etl_json_object());
	if (continues)
		etl_json_add_bool(message, "continues", true);
	etl_buf_init(&text, ETL_CTL_REPLY_MAX);
	if (!etl_json_print(message, &text))
		return etl_ctl_error_append(out, ETL_CTL_FAILED,
			"the answer is longer than a message may be",
			"ask for less: one job, one partition, fewer rows", NULL);
	return etl_buf_append(out, text.data, text.len + 1);
}

/* {"error":"io.etld.Control.NoSuchJob","parameters":{"job":"x","message":"...","hint":"..."}}: an
 * error always has a message that a person can read, and often the next thing to try. */
bool etl_ctl_error_append(struct etl_buf *out, enum etl_ctl_error error, const char *message,
	const char *hint, struct etl_json *details)
{
	etl_cleanup(etl_json_free) struct etl_json *whole = etl_json_object();
	struct etl_json *parameters = details ? details : etl_json_object();

	/* Details are made by methods; `message` and `hint` are ours, whatever they put
	 * there. */
	etl_json_free(etl_json_detach(parameters, "message"));
	etl_json_free(etl_json_detach(parameters, "hint"));
	etl_json_add_text(parameters, "message", message);
	if (hint)
		etl_json_add_text(parameters, "hint", hint);
	etl_json_add_text(whole, "error", etl_ctl_error_name(error));
	etl_json_add_item(whole, "parameters", parameters);
	if (append_frame(out, whole))
		return true;
	/* The details are too long, such as a method's name of a mebibyte: an answer comes even
	 * so. */
	etl_json_free(etl_json_detach(whole, "parameters"));
	etl_json_add_text(etl_json_add_object(whole, "parameters"), "message",
		etl_ctl_error_meaning(error));
	return append_frame(out, whole);
}

/* A reply of a newer daemon with an error that we do not know still has its message. */
static int read_error(struct etl_ctl_reply *reply, struct etl_error *err)
{
	const struct etl_json *member = etl_json_get(reply->json, "error");

	if (!member || etl_json_type(member) == ETL_JSON_NULL)
		return 0;
	reply->error_name = etl_json_as_text(member, NULL);
	if (!reply->error_name)
		return wrong_type(err, "error", ETL_JSON_TEXT);
	reply->error = etl_ctl_error_parse(reply->error_name);
	reply->message = etl_json_text(reply->parameters, "message",
		etl_ctl_error_meaning(reply->error));
	reply->hint = etl_json_text(reply->parameters, "hint", NULL);
	return 0;
}

int etl_ctl_reply_parse(const char *text, size_t len, struct etl_ctl_reply *out,
	struct etl_error *err)
{
	etl_cleanup(etl_json_free) struct etl_json *json =
		parse_object(text, len, ETL_CTL_REPLY_MAX, err);
	struct etl_ctl_reply reply = {.json = json};

	if (!json || read_parameters(json, &reply.parameters, err) < 0 ||
		read_bool(json, "continues", &reply.continues, err) < 0 ||
		read_error(&reply, err) < 0)
		return -1;
	json = NULL;
	*out = reply;
	return 0;
}

void etl_ctl_reply_fini(struct etl_ctl_reply *reply)
{
	etl_json_free(reply->json);
	*reply = (struct etl_ctl_reply){0};
}

/* SPDX-License-Identifier: MIT
 *
 * Driver errors as etl_errors: by domain, label and numeric code, never by their text.
 * Codes: error_codes.yml of the MongoDB server. Labels: the driver specifications on
 * retryable writes and transactions.
 */
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "base/str.h"
#include "conf/url.h"
#include "mongo/mongo.h"

struct rule {
	uint32_t code;
	enum etl_error_kind kind;
	const char *name;
};

/* What the kinds mean here: TRANSIENT is tried again with pauses, DATA becomes a dead
 * letter or fails the unit, PERMANENT and AUTH fail at once and wait for an operator.
 * Sorted by code, for people; the walk over sixty rows happens only on errors. */
static const struct rule server_rules[] = {
	{6, ETL_TRANSIENT, "mongodb.network"},	    /* HostUnreachable */
	{7, ETL_TRANSIENT, "mongodb.network"},	    /* HostNotFound */
	{11, ETL_AUTH, "mongodb.auth"},		    /* UserNotFound */
	{13, ETL_AUTH, "mongodb.auth"},		    /* Unauthorized */
	{18, ETL_AUTH, "mongodb.auth"},		    /* AuthenticationFailed */
	{20, ETL_PERMANENT, "mongodb.illegal"},	    /* IllegalOperation */
	{24, ETL_TRANSIENT, "mongodb.busy"},	    /* LockTimeout */
	{43, ETL_TRANSIENT, "mongodb.cursor"},	    /* CursorNotFound */
	{46, ETL_TRANSIENT, "mongodb.busy"},	    /* LockBusy */
	{50, ETL_TRANSIENT, "mongodb.timeout"},	    /* MaxTimeMSExpired */
	{64, ETL_TRANSIENT, "mongodb.concern"},	    /* WriteConcernTimeout */
	{85, ETL_PERMANENT, "mongodb.index"},	    /* IndexOptionsConflict */
	{86, ETL_PERMANENT, "mongodb.index"},	    /* IndexKeySpecsConflict */
	{89, ETL_TRANSIENT, "mongodb.network"},	    /* NetworkTimeout */
	{91, ETL_TRANSIENT, "mongodb.election"},    /* ShutdownInProgress */
	{100, ETL_TRANSIENT, "mongodb.concern"},    /* UnsatisfiableWriteConcern */
	{112, ETL_TRANSIENT, "mongodb.conflict"},   /* WriteConflict */
	{117, ETL_TRANSIENT, "mongodb.busy"},	    /* ConflictingOperationInProgress */
	{121, ETL_DATA, "mongodb.validation"},	    /* DocumentValidationFailure */
	{133, ETL_TRANSIENT, "mongodb.election"},   /* FailedToSatisfyReadPreference */
	{134, ETL_TRANSIENT, "mongodb.election"},   /* ReadConcernMajorityNotAvailableYet */
	{136, ETL_TRANSIENT, "mongodb.cursor"},	    /* CappedPositionLost */
	{189, ETL_TRANSIENT, "mongodb.election"},   /* PrimarySteppedDown */
	{202, ETL_TRANSIENT, "mongodb.network"},    /* NetworkInterfaceExceededTimeLimit */
	{225, ETL_TRANSIENT, "mongodb.conflict"},   /* TransactionTooOld */
	{237, ETL_TRANSIENT, "mongodb.cursor"},	    /* CursorKilled */
	{239, ETL_TRANSIENT, "mongodb.conflict"},   /* SnapshotTooOld */
	{246, ETL_TRANSIENT, "mongodb.conflict"},   /* SnapshotUnavailable */
	{251, ETL_TRANSIENT, "mongodb.conflict"},   /* NoSuchTransaction */
	{262, ETL_TRANSIENT, "mongodb.timeout"},    /* ExceededTimeLimit */
	{365, ETL_TRANSIENT, "mongodb.busy"},	    /* TemporarilyUnavailable */
	{8000, ETL_AUTH, "mongodb.auth"},	    /* AtlasError */
	{9001, ETL_TRANSIENT, "mongodb.network"},   /* SocketException */
	{10107, ETL_TRANSIENT, "mongodb.election"}, /* NotWritablePrimary */
	{10334, ETL_DATA, "mongodb.too_large"},	    /* BSONObjectTooLarge */
	{11000, ETL_DATA, "mongodb.duplicate"},	    /* DuplicateKey */
	{11001, ETL_DATA, "mongodb.duplicate"},
	{11600, ETL_TRANSIENT, "mongodb.election"}, /* InterruptedAtShutdown */
	{11601, ETL_TRANSIENT, "mongodb.interrupted"}, /* Interrupted */
	{11602, ETL_TRANSIENT, "mongodb.election"}, /* InterruptedDueToReplStateChange */
	{12582, ETL_DATA, "mongodb.duplicate"},
	{12586, ETL_TRANSIENT, "mongodb.busy"},	    /* BackgroundOperationInProgressForDatabase */
	{12587, ETL_TRANSIENT, "mongodb.busy"},	    /* BackgroundOperationInProgressForNamespace */
	{13053, ETL_TRANSIENT, "mongodb.unreachable"}, /* no suitable server */
	{13388, ETL_TRANSIENT, "mongodb.election"}, /* StaleConfig */
	{13435, ETL_TRANSIENT, "mongodb.election"}, /* NotPrimaryNoSecondaryOk */
	{13436, ETL_TRANSIENT, "mongodb.election"}, /* NotPrimaryOrSecondary */
	{14031, ETL_TRANSIENT, "mongodb.disk"},	    /* OutOfDiskSpace */
	{17280, ETL_DATA, "mongodb.too_large"},	    /* KeyTooLong */
	{17419, ETL_DATA, "mongodb.too_large"},
	{17420, ETL_DATA, "mongodb.too_large"},
};

static const struct rule *find_server_rule(uint32_t code)
{
	for (size_t i = 0; i < sizeof server_rules / sizeof *server_rules; i++)
		if (server_rules[i].code == code)
			return &server_rules[i];
	return NULL;
}

static bool has_label(const bson_t *reply, const char *label)
{
	return reply && mongoc_error_has_label(reply, label);
}

/* Kinds decide what a run does (try again, give up, call it bad data), so an unknown code of
 * the server is PERMANENT: trying again for ever what the server refuses helps nobody. */
static struct rule from_driver(const bson_error_t *error)
{
	const struct rule *known;

	switch (error->domain) {
	case MONGOC_ERROR_STREAM:
		return (struct rule){0, ETL_TRANSIENT, "mongodb.network"};
	case MONGOC_ERROR_SERVER_SELECTION:
		return (struct rule){0, ETL_TRANSIENT, "mongodb.unreachable"};
	case MONGOC_ERROR_CLIENT:
		if (error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
			return (struct rule){0, ETL_AUTH, "mongodb.auth"};
		if (error->code == MONGOC_ERROR_CLIENT_TOO_BIG)
			return (struct rule){0, ETL_DATA, "mongodb.too_large"};
		return (struct rule){0, ETL_PERMANENT, "mongodb.client"};
	case MONGOC_ERROR_SASL:
	case MONGOC_ERROR_SCRAM:
		return (struct rule){0, ETL_AUTH, "mongodb.auth"};
	case MONGOC_ERROR_PROTOCOL:
		if (error->code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION)
			return (struct rule){0, ETL_PERMANENT, "mongodb.version"};
		return (struct rule){0, ETL_TRANSIENT, "mongodb.protocol"};
	case MONGOC_ERROR_BSON:
		return (struct rule){0, ETL_DATA, "mongodb.bson"};
	default: /* an answer of the server: its own code decides */
		known = find_server_rule(error->code);
		return known ? *known : (struct rule){0, ETL_PERMANENT, "mongodb.refused"};
	}
}

/* The driver reports a connection for which we had no file descriptor like any other that
 * failed. */
static bool may_lack(const bson_error_t *error)
{
	return error->domain == MONGOC_ERROR_STREAM ||
	       error->domain == MONGOC_ERROR_SERVER_SELECTION;
}

/* Kind and name stay: for whoever decides about a retry the server cannot be reached, whatever
 * the reason. */
static void say_lack(struct etl_error *err, const struct rule *rule, const char *text)
{
	struct etl_error lack = ETL_ERROR_INIT;

	etl_descriptors_error(&lack);
	etl_error_set(err, rule->kind, rule->name, "MongoDB: %s (%s)", lack.message, text);
}

/* A label is the word of server or driver about whether a repeat is safe, so it comes before
 * the table of codes. */
int etl_mongo_error(struct etl_error *err, const bson_error_t *error, const bson_t *reply)
{
	char text[sizeof error->message];
	struct rule rule = from_driver(error);

	if (has_label(reply, "TransientTransactionError")) {
		rule.kind = ETL_TRANSIENT;
		rule.name = "txn.retry";
	} else if (has_label(reply, "RetryableWriteError") ||
		has_label(reply, "UnknownTransactionCommitResult")) {
		rule.kind = ETL_TRANSIENT;
		if (strcmp(rule.name, "mongodb.refused") == 0)
			rule.name = "mongodb.retry";
	}
	/* The driver may quote the connection string: "failed to connect to
	 * mongodb://me:pw@db1" gets stars for user and password. */
	etl_text_copy(text, sizeof text, error->message);
	etl_url_mask(text);
	if (may_lack(error) && etl_descriptors_short())
		say_lack(err, &rule, text);
	else
		etl_error_set(err, rule.kind, rule.name, "MongoDB: %s",
			*text ? text : "no details");
	/* The number stays with the error: a caller may know better what a code means
	 * for it (11000 where an index is made). */
	err->status = (int)error->code;
	return -1;
}

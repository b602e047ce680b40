/* SPDX-License-Identifier: MIT
 *
 * Why no server could be had. The driver says "no suitable server" for a name that does not
 * exist, a port where nobody listens and a replica set of another name alike; so each host of
 * the connection string is looked at once, by the driver's own sockets and clients. Only words
 * come of it: nothing here decides whether to try again.
 *
 * "No suitable servers found" becomes "db1:27017: connection refused (nothing listens there);
 * db2:27017: no such host; db3:27017: wrong replica set (it is 'rs1', the URI says 'rs0')".
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/descriptors.h"
#include "mongo/mongo.h"

#define CONNECT_MS 2000
#define HOSTS_MAX 7 /* a replica set has at most so many voting members */

/* 0, or the errno of the last address that was tried; -1: there is no such host. */
static int knock(const mongoc_host_list_t *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = host->family};
	struct addrinfo *all, *at;
	char port[8];
	int rc = ETIMEDOUT;

	if (host->family == AF_UNIX)
		return 0; /* a path needs no look-up; the driver's own message names it */
	snprintf(port, sizeof port, "%u", host->port);
	if (getaddrinfo(host->host, port, &hints, &all) != 0)
		return -1;
	/* A name may have several addresses (IPv6 first): one that answers is enough. */
	for (at = all; at && rc; at = at->ai_next) {
		mongoc_socket_t *sock =
			mongoc_socket_new(at->ai_family, at->ai_socktype, at->ai_protocol);

		if (!sock)
			continue;
		rc = 0;
		if (mongoc_socket_connect(sock, at->ai_addr, (mongoc_socklen_t)at->ai_addrlen,
			    bson_get_monotonic_time() + CONNECT_MS * 1000) != 0)
			rc = mongoc_socket_errno(sock) ? mongoc_socket_errno(sock) : ETIMEDOUT;
		mongoc_socket_destroy(sock);
	}
	freeaddrinfo(all);
	return rc;
}

/* A client for this host alone, which accepts any kind of server: the connection string's
 * client would reject a host of the wrong replica set without telling its name. TLS settings
 * are those of the connection string; credentials are left out, since hello needs none. */
static mongoc_client_t *client_of(const mongoc_uri_t *given, const mongoc_host_list_t *host)
{
	mongoc_uri_t *uri = mongoc_uri_new_for_host_port(host->host, host->port);
	mongoc_client_t *client;

	if (!uri)
		return NULL;
	if (mongoc_uri_get_tls(given)) {
		static const char *const files[] = {
			MONGOC_URI_TLSCAFILE, MONGOC_URI_TLSCERTIFICATEKEYFILE};

		mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true);
		for (size_t i = 0; i < 2; i++) {
			const char *path = mongoc_uri_get_option_as_utf8(given, files[i], NULL);

			if (path)
				mongoc_uri_set_option_as_utf8(uri, files[i], path);
		}
	}
	mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, true);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, CONNECT_MS);
	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, CONNECT_MS);
	client = mongoc_client_new_from_uri(uri);
	mongoc_uri_destroy(uri);
	return client;
}

/* Appends what a host that can be reached says of itself.
 * Only here a command is sent: hello is answered before authentication, so no
 * credentials are needed. */
static void ask_host(const mongoc_uri_t *uri, const mongoc_host_list_t *host, struct etl_buf *out)
{
	const char *wanted = mongoc_uri_get_replica_set(uri);
	mongoc_client_t *client = client_of(uri, host);
	bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
	bson_error_t error = {0};
	bson_iter_t it;
	bson_t reply = BSON_INITIALIZER;
	const char *name = NULL;
	bool ok = false;

	if (client) {
		bson_destroy(&reply);
		ok = mongoc_client_command_simple(client, "admin", hello, NULL, &reply, &error);
	}
	if (ok && bson_iter_init_find(&it, &reply, "setName") && BSON_ITER_HOLDS_UTF8(&it))
		name = bson_iter_utf8(&it, NULL);
	if (!ok && mongoc_uri_get_tls(uri))
		etl_buf_str(out,
			"no answer in TLS (does the server speak TLS, is its certificate "
			"trusted?)");
	else if (!ok)
		etl_buf_str(out, "it accepts connections and does not answer (does it want TLS?)");
	else if (wanted && !name)
		etl_buf_printf(out, "no replica set (the URI says '%s')", wanted);
	else if (wanted && strcmp(wanted, name) != 0)
		etl_buf_printf(out, "wrong replica set (it is '%s', the URI says '%s')", name,
			wanted);
	else
		etl_buf_str(out, "it answers, but no primary can be had");
	bson_destroy(&reply);
	bson_destroy(hello);
	mongoc_client_destroy(client);
}

/* The words follow the number: what cannot be reached needs a network, what refuses
 * needs a server that is started, what answers needs another setting. */
static void look_at(const mongoc_uri_t *uri, const mongoc_host_list_t *host, struct etl_buf *out)
{
	int rc = knock(host);

	etl_buf_printf(out, "%s%s: ", out->len ? "; " : "", host->host_and_port);
	if (rc < 0)
		etl_buf_str(out, "no such host");
	else if (rc == ECONNREFUSED)
		etl_buf_str(out, "connection refused (nothing listens there)");
	else if (rc == ETIMEDOUT)
		etl_buf_printf(out, "no answer within %d s", CONNECT_MS / 1000);
	else if (rc)
		etl_buf_str(out, strerrordesc_np(rc) ? strerrordesc_np(rc) : "cannot be reached");
	else
		ask_host(uri, host, out);
}

void etl_mongo_diagnose(struct etl_mongo *mongo, struct etl_error *err)
{
	const mongoc_uri_t *uri = etl_mongo_uri(mongo);
	struct etl_buf out;
	int n = 0;

	if (strcmp(err->code, "mongodb.unreachable") != 0 || etl_descriptors_short())
		return; /* nothing is found out without a descriptor, and etl_mongo_error says so */
	etl_buf_init(&out, 4096);
	for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host && n < HOSTS_MAX;
		host = host->next, n++)
		look_at(uri, host, &out);
	if (out.len)
		etl_error_set(err, err->kind, err->code, "MongoDB: %s", etl_buf_text(&out));
	etl_buf_fini(&out);
}

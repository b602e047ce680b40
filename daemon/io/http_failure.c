/* SPDX-License-Identifier: MIT
 *
 * libcurl's codes as kinds of errors, and its sockets. Starts no transfer and knows no gate: it
 * says what a code means, and the caller what follows from it.
 */
#include "io/http_failure.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/descriptors.h"

/* What each code of libcurl means: its kind (is a retry worth while?), whether the host is to
 * blame (does it count for the breaker?), and whether a descriptor that we lack may be behind
 * it. */
static const struct etld_http_failure failures[] = {
	{CURLE_COULDNT_RESOLVE_HOST, ETL_TRANSIENT, "http.resolve", true, true},
	{CURLE_COULDNT_RESOLVE_PROXY, ETL_TRANSIENT, "http.resolve"},
	{CURLE_COULDNT_CONNECT, ETL_TRANSIENT, "http.connect", true, true},
	{CURLE_OPERATION_TIMEDOUT, ETL_TRANSIENT, "http.timeout", true},
	{CURLE_PARTIAL_FILE, ETL_TRANSIENT, "http.cut", true},
	{CURLE_GOT_NOTHING, ETL_TRANSIENT, "http.cut", true},
	{CURLE_RECV_ERROR, ETL_TRANSIENT, "http.cut", true},
	{CURLE_SEND_ERROR, ETL_TRANSIENT, "http.cut", true},
	{CURLE_HTTP2, ETL_TRANSIENT, "http.cut", true},
	{CURLE_HTTP2_STREAM, ETL_TRANSIENT, "http.cut", true},
	{CURLE_SSL_CONNECT_ERROR, ETL_TRANSIENT, "http.tls", true, true},
	{CURLE_PEER_FAILED_VERIFICATION, ETL_PERMANENT, "http.certificate", true},
	{CURLE_SSL_CACERT_BADFILE, ETL_PERMANENT, "http.certificate", false, true},
	{CURLE_FAILED_INIT, ETL_TRANSIENT, "http.failed", false, true},
	{CURLE_URL_MALFORMAT, ETL_PERMANENT, "http.url"},
	/* An answer that is none, or not of the form that it says: the same comes next time. */
	{CURLE_UNSUPPORTED_PROTOCOL, ETL_DATA, "http.headers"},
	{CURLE_WEIRD_SERVER_REPLY, ETL_DATA, "http.headers"},
	/* a header longer than libcurl takes */
	{CURLE_OUT_OF_MEMORY, ETL_LIMIT, "http.headers", false, true},
	{CURLE_BAD_CONTENT_ENCODING, ETL_DATA, "http.encoding"},
	{CURLE_WRITE_ERROR, ETL_DATA, "http.encoding"}, /* our own refusals have their own words */
	{CURLE_FILESIZE_EXCEEDED, ETL_LIMIT, "http.too_large"},
};
static const struct etld_http_failure other_failure = {
	.kind = ETL_TRANSIENT, .name = "http.failed"};

const struct etld_http_failure *etld_http_failure_of(int code)
{
	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if ((int)failures[i].code == code)
			return &failures[i];
	return &other_failure;
}

/* libcurl does not tell the errno of socket(), and without it a lack of descriptors looks like
 * a host that is down. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	int *socket_errno = ctx;

	(void)purpose;
	*socket_errno = fd < 0 ? errno : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

void etld_http_open_sockets(void *easy, int *socket_errno)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, socket_errno);
}

bool etld_http_lacks(int code, int socket_errno)
{
	return etld_http_failure_of(code)->may_lack &&
		(etl_descriptors_lack(socket_errno) || etl_descriptors_short());
}

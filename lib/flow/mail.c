/* SPDX-License-Identifier: MIT
 *
 * What comes back from an extract, piece by piece, on its way to its strand.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/flow.h"

struct etl_mail *etl_mail_of_head(const struct etl_response *response)
{
	struct etl_mail *mail = ETL_NEW(struct etl_mail);

	mail->kind = ETL_MAIL_HEAD;
	mail->response = *response;
	mail->response.content_type = etl_strdup(response->content_type);
	mail->response.etag = etl_strdup(response->etag);
	mail->response.location = etl_strdup(response->location);
	mail->response.content_range = etl_strdup(response->content_range);
	mail->response.hints = etl_strdup(response->hints);
	return mail;
}

void etl_mail_free(struct etl_mail *mail)
{
	if (!mail)
		return;
	/* The mail owns its texts; they are const only for those who read them. */
	etl_free_const(mail->response.content_type);
	etl_free_const(mail->response.etag);
	etl_free_const(mail->response.location);
	etl_free_const(mail->response.content_range);
	etl_free_const(mail->response.hints);
	free(mail->data);
	free(mail);
}

/* SPDX-License-Identifier: MIT
 *
 * Looks at all jobs for a request.
 */
#include "methods/walk.h"

#include <stdlib.h>

static void on_gone(struct etld_request *request)
{
	etld_walk_drop(request->ctx);
	etl_ctl_request_fini(&request->message);
	free(request);
}

void etld_walk_start(struct etld_walk *walk, struct etld_request *request)
{
	request->ctx = walk;
	request->gone = on_gone;
	etld_walk_begin(walk, request->etld, request);
}

/* SPDX-License-Identifier: MIT
 *
 * The control socket: listens, frames, limits, and who is let in (SO_PEERCRED). What is asked goes
 * to methods/, and their answers come back by the door that control_client.c is to them. Loop
 * thread.
 */
#ifndef ETLD_CONTROL_H
#define ETLD_CONTROL_H

#include "config/generation.h"
#include "engine/engine.h"
#include "io/loop.h"

struct etld_control;
struct etld_settings;

#define ETLD_CLIENTS_MAX 64

/* Refuses to start if another daemon answers on the socket; takes over a dead one's. */
struct etld_control *etld_control_open(struct etld *etld, const struct etld_settings *settings,
	struct etl_error *err);
void etld_control_close(struct etld_control *control); /* NULL is fine */

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reply ports: sockets of the process on which a call hears of its own reply
 * only. Each is used by one call at a time, and kept for the next.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "internal.h"

#define IDLE_MAX	64	/* more are closed when they are not needed */

void ed_port_close(struct ed_port *port)
{
	close(port->fd);
	free(port);
}

static int attach(struct erldist *p, struct ed_port *port)
{
	int32_t fd = p->fd;
	int err = 0;

	port->wait_ms = -1;
	port->fd = socket(p->family, SOCK_RDM | SOCK_CLOEXEC, 0);
	if (port->fd < 0)
		return -errno;
	if (setsockopt(port->fd, SOL_ERLDIST, ERLDIST_ATTACH, &fd, sizeof(fd))) {
		err = -errno;
		close(port->fd);
	}
	return err;
}

static struct ed_port *port_new(struct erldist *p, int *err)
{
	struct ed_port *port = malloc(sizeof(*port));

	*err = port ? attach(p, port) : -ENOMEM;
	if (!*err)
		return port;
	free(port);
	if (*err == -EPIPE)
		ed_ended(p, *err);
	else
		ed_fail(&p->error, *err, "no reply port for the call: %s", *err == -EUSERS ?
			"the process has as many as it may" : ed_errno_text(*err));
	return NULL;
}

/* NULL: *err says why */
struct ed_port *ed_port_get(struct erldist *p, int *err)
{
	struct ed_port *port;

	pthread_mutex_lock(&p->lock);
	port = p->idle;
	if (port) {
		p->idle = port->next;
		p->n_idle--;
	}
	pthread_mutex_unlock(&p->lock);
	return port ? port : port_new(p, err);
}

/* Nothing asked for on the port is open, and nothing is left to read. */
void ed_port_put(struct erldist *p, struct ed_port *port)
{
	bool keep;

	pthread_mutex_lock(&p->lock);
	keep = p->n_idle < IDLE_MAX;
	if (keep) {
		port->next = p->idle;
		p->idle = port;
		p->n_idle++;
	}
	pthread_mutex_unlock(&p->lock);
	if (!keep)
		ed_port_close(port);
}

void ed_ports_close(struct erldist *p)
{
	struct ed_port *port, *next;

	for (port = p->idle; port; port = next) {
		next = port->next;
		ed_port_close(port);
	}
	p->idle = NULL;
}

/* How long a receive waits; -1: for ever. Most calls have the time of the one before */
int ed_port_wait(struct ed_port *port, int ms)
{
	struct timeval tv = { 0 };

	if (ms == port->wait_ms)
		return 0;
	if (ms >= 0) {
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
	}
	if (setsockopt(port->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		return -errno;
	port->wait_ms = ms;
	return 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/* epmd's protocol as bytes, and starting one. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define EPMD_PORT		4369
#define ALIVE2_REQ		120
#define PORT_PLEASE2_REQ	122
#define PORT2_RESP		119
#define ALIVE2_X_RESP		118
#define ALIVE2_RESP		121
#define NODE_TYPE_HIDDEN	72
#define NODE_TYPE_NORMAL	77
#define PROTOCOL_TCP		0
#define DIST_VERSION		6

/* $ERL_EPMD_PORT or the usual one */
int ed_epmd_service(void)
{
	const char *s = secure_getenv("ERL_EPMD_PORT");
	char *end;
	long port;

	if (!s || !*s)
		return EPMD_PORT;
	port = strtol(s, &end, 10);
	return *end || port < 1 || port > 65535 ? EPMD_PORT : (int)port;
}

static uint8_t *put16(uint8_t *p, unsigned int v)
{
	*p++ = (uint8_t)(v >> 8);
	*p++ = (uint8_t)v;
	return p;
}

static size_t finish(uint8_t *buf, const uint8_t *end)
{
	put16(buf, (unsigned int)(end - buf - 2));
	return (size_t)(end - buf);
}

size_t ed_epmd_alive_request(uint8_t *buf, const char *alive, size_t len, uint16_t port,
			     bool hidden)
{
	uint8_t *p = buf + 2;

	*p++ = ALIVE2_REQ;
	p = put16(p, port);
	*p++ = hidden ? NODE_TYPE_HIDDEN : NODE_TYPE_NORMAL;
	*p++ = PROTOCOL_TCP;
	p = put16(p, DIST_VERSION);
	p = put16(p, DIST_VERSION);
	p = put16(p, (unsigned int)len);
	memcpy(p, alive, len);
	p = put16(p + len, 0);
	return finish(buf, p);
}

size_t ed_epmd_port_request(uint8_t *buf, const char *alive, size_t len)
{
	uint8_t *p = buf + 2;

	*p++ = PORT_PLEASE2_REQ;
	memcpy(p, alive, len);
	return finish(buf, p + len);
}

/* Length of the answer, 0 if more bytes are needed, -EPROTO */
int ed_epmd_alive_answer(const uint8_t *buf, size_t len, struct ed_epmd_alive *a)
{
	struct ed_reader r = { buf, buf + len };
	uint8_t tag, result;
	uint16_t old;

	if (ed_read_u8(&r, &tag))
		return 0;
	if (tag != ALIVE2_X_RESP && tag != ALIVE2_RESP)
		return -EPROTO;
	if (ed_read_u8(&r, &result))
		return 0;
	a->result = result;
	if (tag == ALIVE2_X_RESP)
		return ed_read_u32(&r, &a->creation) ? 0 : 6;
	if (ed_read_u16(&r, &old))
		return 0;
	a->creation = old;
	return 4;
}

int ed_epmd_port_answer(const uint8_t *buf, size_t len, struct ed_epmd_port *a)
{
	struct ed_reader r = { buf, buf + len };
	uint8_t tag, result;

	if (ed_read_u8(&r, &tag))
		return 0;
	if (tag != PORT2_RESP)
		return -EPROTO;
	if (ed_read_u8(&r, &result))
		return 0;
	a->result = result;
	if (result)
		return 2;
	if (ed_read_u16(&r, &a->port) || ed_read_bytes(&r, 2, NULL) ||
	    ed_read_u16(&r, &a->highest) || ed_read_u16(&r, &a->lowest))
		return 0;
	return (int)(r.p - buf);
}

/*
 * As erl does it: epmd -daemon, which leaves the foreground by itself. It must
 * not inherit descriptors, or whoever waits for their end would wait for epmd.
 * With an address it listens there, and on the loopback ones, as it always does.
 */
int ed_epmd_start(struct ed_child *c, uint16_t port, const struct sockaddr *address)
{
	char number[8], text[INET6_ADDRSTRLEN];
	char *argv[] = { "epmd", "-daemon", "-port", number, NULL, NULL, NULL };

	snprintf(number, sizeof(number), "%u", port);
	if (address && !getnameinfo(address, address->sa_family == AF_INET6 ?
				    sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
				    text, sizeof(text), NULL, 0, NI_NUMERICHOST)) {
		argv[4] = "-address";
		argv[5] = text;
	}
	return ed_spawn(c, argv, -1, -1, true);
}

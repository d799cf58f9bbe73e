// SPDX-License-Identifier: LGPL-2.1-or-later
/* epmd's protocol as bytes, and starting one. */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define EPMD_PORT		4369
#define ALIVE2_REQ		120
#define PORT_PLEASE2_REQ	122
#define PORT2_RESP		119
#define ALIVE2_X_RESP		118
#define ALIVE2_RESP		121
#define NODE_TYPE_HIDDEN	72
#define PROTOCOL_TCP		0
#define DIST_VERSION		6

extern char **environ;

/* $ERL_EPMD_PORT or the usual one */
int ed_epmd_service(void)
{
	const char *s = getenv("ERL_EPMD_PORT");
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

size_t ed_epmd_alive_request(uint8_t *buf, const char *alive, size_t len, uint16_t port)
{
	uint8_t *p = buf + 2;

	*p++ = ALIVE2_REQ;
	p = put16(p, port);
	*p++ = NODE_TYPE_HIDDEN;
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
 */
int ed_epmd_start(pid_t *pid)
{
	char *const argv[] = { "epmd", "-daemon", NULL };
	posix_spawn_file_actions_t fa;
	int err, fd;

	err = posix_spawn_file_actions_init(&fa);
	if (err)
		return -err;
	for (fd = 0; !err && fd < 3; fd++)
		err = posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&fa, 3);
#endif
	if (!err)
		err = posix_spawnp(pid, "epmd", &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return -err;
}

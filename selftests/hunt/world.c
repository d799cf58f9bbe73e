// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptions of what programs do around their sockets: what every descriptor knows,
 * processes that fork, end and change users and namespaces, and netlink with every
 * command.
 */
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>

#include "hunt.h"

/* What every descriptor knows */

enum { FD_READ, FD_WRITE, FD_SHUTDOWN, FD_LISTEN, FD_ACCEPT, FD_GETSOCKNAME, FD_GETPEERNAME,
	FD_MMAP, FD_SENDFILE, FD_SPLICE, FD_FCNTL_NONBLOCK, FD_FCNTL_ASYNC, FD_STAT, FD_POLL,
	FD_SELECT_OOB };

static long call_fd(struct cursor *c)
{
	int fd = arg_fd(c), how = arg_int(c), other = arg_fd(c), n = 0;
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	uint8_t byte[64] = { 131, 106 };
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
	off_t offset = 0;
	void *m;

	switch (how) {
	case FD_READ:
		n = recv(fd, byte, sizeof(byte), MSG_DONTWAIT);
		break;
	case FD_WRITE:
		n = send(fd, byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case FD_SHUTDOWN:
		n = shutdown(fd, other & 3);
		break;
	case FD_LISTEN:
		n = listen(fd, 1);
		break;
	case FD_ACCEPT:
		fcntl(fd, F_SETFL, O_NONBLOCK);
		n = accept(fd, NULL, NULL);
		if (n >= 0)
			close(n);
		break;
	case FD_GETSOCKNAME:
		n = getsockname(fd, (void *)&a, &len);
		break;
	case FD_GETPEERNAME:
		n = getpeername(fd, (void *)&a, &len);
		break;
	case FD_MMAP:
		m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		if (m != MAP_FAILED)
			munmap(m, 4096);
		break;
	case FD_SENDFILE:
		n = sendfile(fd, other, &offset, 64);
		break;
	case FD_SPLICE:
		n = splice(other, NULL, fd, NULL, 64, SPLICE_F_NONBLOCK);
		break;
	case FD_FCNTL_NONBLOCK:
		n = fcntl(fd, F_SETFL, O_NONBLOCK);
		break;
	case FD_FCNTL_ASYNC:
		n = fcntl(fd, F_SETOWN, getpid());
		break;
	case FD_POLL:
		n = poll(&p, 1, 0);
		break;
	default:
		n = send(fd, byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return n < 0 ? -errno : n;
}

static long call_ioctl(struct cursor *c)
{
	int fd = arg_fd(c), request = arg_int(c), value = 0;

	return ioctl(fd, request, &value) < 0 ? -errno : value;
}

static long call_epoll(struct cursor *c)
{
	int fd = arg_fd(c), events = arg_int(c), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = events };

	if (ep >= 0) {
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
		epoll_wait(ep, &e, 1, 0);
	}
	return make_fd(c, ep, R_FD);
}

static long call_dup(struct cursor *c)
{
	struct result *r = arg_res(c);
	int fd = r ? dup(r->fd) : -1;

	if (!r)
		return -EBADF;
	return make_fd(c, fd, r->type);
}

/* The descriptor stays in @r: calls on a closed one must be harmless, too */
static long call_close(struct cursor *c)
{
	struct result *r = arg_res(c);

	if (!r || r->fd < 0)
		return -EBADF;
	return close(r->fd) ? -errno : 0;
}

/* In flight, then away */
static long call_pass_fd(struct cursor *c)
{
	int fd = arg_fd(c), sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	if (fcntl(fd, F_GETFD) >= 0)
		give_fd(sv[0], fd);
	close(sv[0]);
	close(sv[1]);
	return 0;
}

static long call_pipe(struct cursor *c)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	if (write(p[1], "\203j", 2) != 2)
		close(p[1]);
	return make_fd(c, p[0], R_FD);
}

/* Processes, users, namespaces */

enum { CHILD_WAITS, CHILD_EXITS, CHILD_EXECS, CHILD_CLOSES, CHILD_BINDS, CHILD_USER,
	CHILD_NAMESPACE };

static void child_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	node_open(&(struct node_config){ .name = "n1@h" });
	proc_open("bob", "n1@h");
}

static void child(struct cursor *c, int how, unsigned int ms)
{
	signal(SIGTERM, SIG_DFL);
	if (how == CHILD_CLOSES)
		close_range(3, ~0U, 0);
	else if (how == CHILD_BINDS)
		proc_open("eve", NULL);
	else if (how == CHILD_USER && !setresuid(2000, 2000, 2000))
		proc_open(NULL, "n1@h");
	else if (how == CHILD_NAMESPACE)
		child_namespace();
	if (how != CHILD_EXITS)
		sleep_ms(ms & 0xff);
	if (how == CHILD_EXECS)
		execl("/proc/self/exe", "hunt", "pause", NULL);
	_exit(ms);
}

static long call_child(struct cursor *c)
{
	int how = arg_int(c), ms = arg_int(c);
	unsigned int n = __atomic_fetch_add(&c->s->n_children, 1, __ATOMIC_RELAXED);
	pid_t pid;

	if (n >= MAX_CHILDREN)
		return -EAGAIN;
	/* not fork(): other threads may hold what it takes */
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		child(c, how, ms);
	if (pid < 0)
		return -errno;
	c->s->children[n] = pid;
	c->out->child = pid;
	make_fd(c, 0x7fffffff, R_CHILD);
	return pid;
}

static long call_kill(struct cursor *c)
{
	struct result *r = arg_res(c);
	int sig = arg_int(c);

	if (!r || r->child <= 1)
		return -ESRCH;
	return kill(r->child, sig % 65) ? -errno : 0;
}

static long call_wait(struct cursor *c)
{
	struct result *r = arg_res(c);

	if (!r || r->child <= 1)
		return -ESRCH;
	return waitpid(r->child, NULL, WNOHANG);
}

/* A thread is not what it was: the runner ends with the program */
static long changed(struct cursor *c, long err)
{
	if (err)
		return -errno;
	if (!(c->s->prog.processes >> c->worker & 1))
		c->s->changed = true;
	return 0;
}

static long call_setuid(struct cursor *c)
{
	uid_t uid = arg_int(c);

	return changed(c, syscall(SYS_setresuid, uid, uid, uid));
}

static long call_unshare(struct cursor *c)
{
	int what = arg_int(c);

	return changed(c, unshare(what));
}

/* A worker that is a process ends, with or without being asked */
static long call_die(struct cursor *c)
{
	int how = arg_int(c);

	if (!(c->s->prog.processes >> c->worker & 1))
		return -EPERM;
	if (how)
		kill(getpid(), how % 32);
	_exit(how);
}

static long call_sleep(struct cursor *c)
{
	sleep_ms(arg_int(c) & 31);
	return 0;
}

/* Netlink */

/* The numbers of the family and of its groups, asked for once, before runners are made */
static uint16_t netlink_family;
static uint32_t netlink_groups[5];

static uint32_t group_number(const char *name)
{
	uint32_t bits[8] = { 0 }, number = 0;
	socklen_t len = sizeof(bits);
	struct genl g;

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return 0;
	netlink_family = g.family;
	if (!genl_join(&g, name))
		getsockopt(g.fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, bits, &len);
	genl_close(&g);
	for (unsigned int i = 0; i < 8 * sizeof(bits); i++)
		if (bits[i / 32] >> (i & 31) & 1)
			number = i + 1;
	return number;
}

void hunt_netlink(void)
{
	static const char *const groups[] = { NULL, ERLDIST_MCGRP_NODES,
		ERLDIST_MCGRP_HANDSHAKES, ERLDIST_MCGRP_NAMES, ERLDIST_MCGRP_NAMES_ALL };

	for (unsigned int i = 1; i < ARRAY_SIZE(groups) && !netlink_groups[i]; i++)
		netlink_groups[i] = group_number(groups[i]);
}

static long call_netlink(struct cursor *c)
{
	uint64_t group = arg_int(c);
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	uint32_t *number = &netlink_groups[group % ARRAY_SIZE(netlink_groups)];

	if (fd >= 0 && bind(fd, (void *)&addr, sizeof(addr)))
		return -errno;
	if (*number)
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, number, sizeof(*number));
	return make_fd(c, fd, R_NL);
}

/* op: the command. Attributes: of which set depends on it */
static long call_netlink_ask(struct cursor *c)
{
	static __thread uint8_t out[16384];
	int fd = arg_fd(c), dump = arg_int(c);
	uint64_t node = arg_int(c), name = arg_int(c), id = arg_int(c), bend = arg_int(c);
	struct nlmsghdr n = { .nlmsg_type = netlink_family,
			      .nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK) };
	struct genlmsghdr g = { .cmd = c->op ? c->op : bend, .version = 1 };
	DEFINE_BUF(b);
	ssize_t len;

	buf_add(&b, &n, sizeof(n));
	buf_add(&b, &g, sizeof(g));
	if (node < names_count())
		attr_str(&b, 1, name_text(node));
	/* other sets of attributes have another one of this number */
	if (name < names_count() && (bend & 1 || c->op == ERLDIST_CMD_PEER_GET ||
				     c->op == ERLDIST_CMD_PEER_DISCONNECT))
		attr_str(&b, ERLDIST_A_PEER_NAME, name_text(name));
	if (c->op == ERLDIST_CMD_PROCESS_GET && id) {
		attr_u32(&b, ERLDIST_A_PROCESS_ID, id);
		attr_u32(&b, ERLDIST_A_PROCESS_SERIAL, 0);
	}
	if (bend & 1)
		attr_u64(&b, bend >> 8 & 31, id);
	((struct nlmsghdr *)b.p)->nlmsg_len = b.len;
	len = send(fd, b.p, b.len, MSG_DONTWAIT);
	if (len < 0)
		return -errno;
	for (int i = 0; i < 4; i++) {
		len = recv(fd, out, bend & 2 ? 400 : sizeof(out), MSG_DONTWAIT);
		if (len < 0 || !dump)
			break;
	}
	/* of a dump, all was read */
	return len < 0 && errno != EAGAIN ? -errno : 0;
}

#define ASK(name, command) \
	{ name, 0, 3, command, PARAMS(RES("netlink", R_NL), PICK("dump", 0, 1), \
	  PICK("node", 0, 0, 1, 2, 7, 99), PICK("name", 3, 4, 5, 1, 9, 13, 99), \
	  RANGE("id", 0, 5), \
	  ODD_FLAGS("bend", 1, 2, 0x100, 0x200, 0x400, 0x800),), call_netlink_ask }

const struct desc world_table[] = {
	/* descriptors */
	{ "fd", 0, 4, 0, PARAMS(
		RES("fd", R_ANY_FD), RANGE("how", 0, FD_SELECT_OOB), RES_MAYBE("other", R_FD),),
	  call_fd },
	{ "ioctl", 0, 2, 0, PARAMS(
		RES("socket", R_SOCKET), PICK("request", SIOCINQ, SIOCOUTQ, 0x8906, 0x8907, 0x5411,
					     0x8904, 0x89e0),), call_ioctl },
	{ "epoll", R_FD, 2, 0, PARAMS(
		RES("fd", R_ANY_FD), FLAGS("events", 1, 4, 8, 0x2000, 0x80000000, 0x10000000),),
	  call_epoll },
	{ "dup", R_FD, 1, 0, PARAMS(RES("fd", R_ANY_FD),), call_dup },
	{ "close", 0, 8, 0, PARAMS(RES("fd", R_ANY_FD),), call_close },
	{ "pass_fd", 0, 1, 0, PARAMS(RES("fd", R_ANY_FD),), call_pass_fd },
	{ "pipe", R_FD, 1, 0, NO_PARAMS, call_pipe },
	/* processes, users, namespaces */
	{ "child", R_CHILD, 2, 0, PARAMS(
		RANGE("how", 0, CHILD_NAMESPACE), PICK("ms", 5, 50, 0, 255),), call_child },
	{ "kill", 0, 2, 0, PARAMS(
		RES("child", R_CHILD), PICK("signal", SIGKILL, SIGTERM, SIGSTOP, SIGCONT),),
	  call_kill },
	{ "wait", 0, 1, 0, PARAMS(RES("child", R_CHILD),), call_wait },
	{ "setuid", 0, 1, 0, PARAMS(PICK("uid", 2000, 2001, 0, 65534),), call_setuid },
	{ "unshare", 0, 1, 0, PARAMS(
		PICK("what", CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWNET, CLONE_NEWUSER,
		     CLONE_FILES),), call_unshare },
	{ "die", 0, 1, 0, PARAMS(PICK("how", 0, SIGKILL, 3, SIGSEGV),), call_die },
	{ "sleep", 0, 4, 0, PARAMS(RANGE("ms", 0, 12),), call_sleep },
	/* netlink */
	{ "netlink", R_NL, 2, 0, PARAMS(RANGE("group", 0, 4),), call_netlink },
	ASK("family_get", ERLDIST_CMD_FAMILY_GET),
	ASK("node_get", ERLDIST_CMD_NODE_GET),
	ASK("peer_get", ERLDIST_CMD_PEER_GET),
	ASK("process_get", ERLDIST_CMD_PROCESS_GET),
	ASK("peer_disconnect", ERLDIST_CMD_PEER_DISCONNECT),
	ASK("netlink_any", 0),
	{ 0 }
};

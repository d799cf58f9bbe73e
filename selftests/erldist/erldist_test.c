// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>

#include "erldist_test.h"

void die(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	fputs("# ", stderr);
	vfprintf(stderr, f, ap);
	fprintf(stderr, " (errno %d)\n", errno);
	va_end(ap);
	_exit(1);
}

int family(void)
{
	static int number;
	struct genl_msg m;
	struct genl g;

	if (number)
		return number;
	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return -ENODEV;
	if (!genl_do(&g, ERLDIST_CMD_FAMILY_GET, NULL, &m))
		number = get_u32(&m, ERLDIST_A_FAMILY_ADDRESS_FAMILY);
	genl_close(&g);
	return number ? number : -ENODEV;
}

bool module_loaded(void)
{
	return !access("/sys/module/erldist", F_OK);
}

int enter_netns(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("loopback device");
	close(fd);
	return 0;
}

unsigned int scaled(unsigned int n)
{
	const char *s = getenv("ERLDIST_SCALE");
	double v = n * (s ? atof(s) : 1.0);

	return v < 1 ? 1 : v;
}

unsigned int whole(unsigned int n)
{
	return getenv("ERLDIST_FULL") ? n : scaled(n / 10);
}

#define AWAY_MS		100	/* how long a processor is watched */
#define AWAY_TRIES	5

struct processor {
	pthread_t thread;
	int number;
	int away;		/* percent */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

/* Ahead of all else on its processor: time that is missing passed outside of the guest. */
static void *watch_processor(void *arg)
{
	const struct sched_param first = { .sched_priority = 2 };
	uint64_t begin, last, now, away = 0;
	struct processor *x = arg;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(x->number, &one);
	x->away = 100;
	if (sched_setaffinity(0, sizeof(one), &one) ||
	    pthread_setschedparam(pthread_self(), SCHED_FIFO, &first))
		return NULL;
	begin = now_us();
	last = begin;
	do {
		now = now_us();
		/* an interrupt takes less */
		if (now - last > 2000)
			away += now - last;
		last = now;
	} while (now - begin < AWAY_MS * 1000);
	x->away = away * 100 / (now - begin);
	return NULL;
}

static int watch_processors(struct processor *x, int number)
{
	int most = 0;

	for (int i = 0; i < number; i++) {
		x[i].number = i;
		if (pthread_create(&x[i].thread, NULL, watch_processor, &x[i]))
			die("pthread_create");
	}
	for (int i = 0; i < number; i++) {
		pthread_join(x[i].thread, NULL);
		if (x[i].away > most)
			most = x[i].away;
	}
	return most;
}

int processors_away(int number)
{
	struct processor x[number];
	int least = 100;

	for (int i = 0; i < AWAY_TRIES && least; i++) {
		int away = watch_processors(x, number);

		if (away < least)
			least = away;
	}
	return least;
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

pid_t spawn(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(fn(arg));
	}
	return pid;
}

int reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int run_command(const char *f, ...)
{
	char command[200];
	va_list args;

	va_start(args, f);
	vsnprintf(command, sizeof(command), f, args);
	va_end(args);
	return system(command);
}

bool poll_for(int fd, int events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) == 1;
}

int poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

#define BPF_INSN(op, dst, src, jump, value)					\
	((struct bpf_insn){ .code = op, .dst_reg = dst, .src_reg = src,		\
			    .off = jump, .imm = value })

#define DELAY_NS	50000000
#define DELAY_ROUNDS	1000	/* the verifier follows each, which takes it long */
#define DELAY_BYTES	(1 << 19)	/* copied in each */

/* A place for as many bytes */
static int delay_map(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = DELAY_BYTES,
		.max_entries = 1,
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

/* A program that copies bytes until DELAY_NS have passed */
static int delay_program(void)
{
	int map = delay_map(), program;
	const struct bpf_insn insns[] = {
		BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_7, BPF_REG_0, 0, 0),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_7, 0, 0, DELAY_NS),
		BPF_INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		BPF_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		BPF_INSN(0, 0, 0, 0, 0),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 10, 0),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_8, BPF_REG_0, 0, 0),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_6, 0, 0, DELAY_ROUNDS),
		/* a round */
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_8, 0, 0),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, DELAY_BYTES),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_8, 0, 0),
		BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel),
		BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
		BPF_INSN(BPF_JMP | BPF_JGT | BPF_X, BPF_REG_0, BPF_REG_7, 2, 0),
		BPF_INSN(BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_6, 0, 0, 1),
		BPF_INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_6, 0, -8, 0),
		BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (uintptr_t)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (uintptr_t)"GPL",
	};

	if (map < 0)
		return -1;
	program = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
	close(map);
	return program;
}

static int kprobe(const char *function)
{
	FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	struct perf_event_attr a = {
		.size = sizeof(a),
		.kprobe_func = (uintptr_t)function,
	};
	bool known = f && fscanf(f, "%u", &a.type) == 1;

	if (f)
		fclose(f);
	if (!known)
		return -ENOENT;
	return syscall(SYS_perf_event_open, &a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

int delay_calls(const char *function)
{
	int probe = kprobe(function), program, err = 0;

	if (probe < 0)
		return probe == -1 ? -errno : probe;
	program = delay_program();
	if (program < 0 || ioctl(probe, PERF_EVENT_IOC_SET_BPF, program))
		err = -errno;
	close(program);
	if (!err)
		return probe;
	close(probe);
	return err;
}

static void tcp_pair(int domain, int sv[2])
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	void *addr = domain == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t len = domain == AF_INET ? sizeof(v4) : sizeof(v6);
	int listener = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	sv[0] = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, addr, len) || listen(listener, 1) ||
	    getsockname(listener, addr, &len) || connect(sv[0], addr, len))
		die("TCP over loopback");
	sv[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (sv[1] < 0 || setsockopt(sv[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("accept");
	close(listener);
}

void stream_pair(enum carrier carrier, int sv[2])
{
	if (carrier == CARRIER_TCP4)
		tcp_pair(AF_INET, sv);
	else if (carrier == CARRIER_TCP6)
		tcp_pair(AF_INET6, sv);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		die("socketpair");
}

void give_fd(int through, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(through, &h, 0) != 1)
		die("SCM_RIGHTS");
}

int take_fd(int through)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(through, &h, 0) != 1 || !CMSG_FIRSTHDR(&h))
		die("SCM_RIGHTS");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
	return fd;
}

/* Nodes */

static int set(int fd, int option, const void *p, socklen_t len)
{
	return setsockopt(fd, SOL_ERLDIST, option, p, len) ? -errno : 0;
}

static int set_ticktime(int fd, const struct node_config *c)
{
	struct erldist_ticktime t;
	socklen_t len = sizeof(t);

	if (!c->ticktime && !c->intensity && !c->setup && !c->retry)
		return 0;
	if (getsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &t, &len))
		return -errno;
	if (c->ticktime)
		t.ticktime = c->ticktime;
	if (c->intensity)
		t.intensity = c->intensity;
	if (c->setup)
		t.setup = c->setup;
	if (c->retry)
		t.retry = c->retry;
	return set(fd, ERLDIST_TICKTIME, &t, sizeof(t));
}

static int bind_term(int fd, const struct buf *b)
{
	struct sockaddr_erldist a = { .sed_family = family() };

	if (b->len > sizeof(a.sed_term))
		return set(fd, ERLDIST_BIND, b->p, b->len);
	if (b->len)
		memcpy(a.sed_term, b->p, b->len);
	return bind(fd, (void *)&a, 2 + b->len) ? -errno : 0;
}

static int configure(int fd, const struct node_config *c)
{
	const char *cookie = c->cookie ? c->cookie : COOKIE;
	uint32_t mode = c->mode < 0 ? 0 : c->mode, one = 1;
	int err = 0;

	if (*cookie)
		err = set(fd, ERLDIST_COOKIE, cookie, strlen(cookie));
	if (!err && c->flags)
		err = set(fd, ERLDIST_FLAGS, &c->flags, sizeof(c->flags));
	if (!err && c->creation)
		err = set(fd, ERLDIST_CREATION, &c->creation, sizeof(c->creation));
	if (!err && c->mode)
		err = set(fd, ERLDIST_MODE, &mode, sizeof(mode));
	if (!err && c->admit)
		err = set(fd, ERLDIST_ADMIT, &one, sizeof(one));
	return err ? err : set_ticktime(fd, c);
}

int node_open(const struct node_config *c)
{
	int fd = socket(family(), SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;
	DEFINE_BUF(name);

	if (fd < 0)
		return -errno;
	err = configure(fd, c);
	if (!err)
		err = bind_term(fd, fmt(&name, "a", c->name));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int node(const char *name)
{
	int fd = node_open(&(struct node_config){ .name = name });

	if (fd < 0)
		die("cannot make %s: %d", name, fd);
	return fd;
}

int node_limits(int node, struct erldist_limits *l)
{
	socklen_t len = sizeof(*l);

	return getsockopt(node, SOL_ERLDIST, ERLDIST_LIMITS, l, &len) ? -errno : 0;
}

int node_set_limits(int node, const struct erldist_limits *l)
{
	return set(node, ERLDIST_LIMITS, l, sizeof(*l));
}

int node_channel(int node, const struct channel *c)
{
	struct erldist_hand_over h = {
		.fd = c->fd,
		.role = c->role,
		.framing = c->framing ? c->framing : 2,
		.name_len = c->peer ? strlen(c->peer) : 0,
		.tag = c->tag,
		.flags = c->flags,
		.creation = c->creation,
		.data_len = c->data ? c->data->len : 0,
	};
	DEFINE_BUF(b);

	buf_add(&b, &h, sizeof(h));
	if (c->peer)
		buf_add(&b, c->peer, h.name_len);
	if (c->data)
		buf_add(&b, c->data->p, c->data->len);
	return set(node, ERLDIST_CHANNEL, b.p, b.len);
}

int node_accept(int node, int fd, uint64_t tag)
{
	struct channel c = { .fd = fd, .role = ERLDIST_ROLE_ACCEPTOR, .tag = tag };

	return node_channel(node, &c);
}

int node_dial(int node, int fd, const char *peer, uint64_t tag)
{
	struct channel c = { .fd = fd, .role = ERLDIST_ROLE_INITIATOR,
			     .peer = peer, .tag = tag };

	return node_channel(node, &c);
}

int node_peer(int node, int action, const char *name, const char *cookie,
	      uint64_t tag, int error)
{
	struct erldist_peer_request h = {
		.action = action,
		.error = error,
		.tag = tag,
		.name_len = strlen(name),
		.cookie_len = cookie ? strlen(cookie) : 0,
	};
	DEFINE_BUF(b);

	buf_add(&b, &h, sizeof(h));
	buf_add(&b, name, h.name_len);
	buf_add(&b, cookie, h.cookie_len);
	return set(node, ERLDIST_PEER, b.p, b.len);
}

int node_retry(int node, int action, const char *name, int error, uint32_t retry)
{
	struct erldist_peer_request h = {
		.action = action | ERLDIST_PEER_RETRY,
		.error = error,
		.name_len = strlen(name),
		.retry = retry,
	};
	DEFINE_BUF(b);

	buf_add(&b, &h, sizeof(h));
	buf_add(&b, name, h.name_len);
	return set(node, ERLDIST_PEER, b.p, b.len);
}

int node_event(int node, struct peer_info *i, int timeout_ms)
{
	uint8_t data[8192];
	struct genl_msg m;
	ssize_t n;

	if (!poll_for(node, POLLIN, timeout_ms))
		return -EAGAIN;
	n = recv(node, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (genl_parse(&m, data, n))
		die("event of a node socket: %zd bytes that do not parse", n);
	peer_info(i, &m);
	return 0;
}

int node_wait(int node, uint32_t pending, struct peer_info *i)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info any;
	int err;

	if (!i)
		i = &any;
	do {
		err = node_event(node, i, WAIT_MS);
		if (!err && i->pending & pending)
			return 0;
		if (!err)
			fprintf(stderr, "# other event: peer %s pending %x reason %u\n",
				i->name, i->pending, i->reason);
	} while (!err && now_ms() < end);
	return err ? err : -EAGAIN;
}

int nodes_connect(int a, int b, const char *b_name, enum carrier carrier)
{
	int sv[2], err;

	stream_pair(carrier, sv);
	err = node_accept(b, sv[1], 0);
	if (!err)
		err = node_dial(a, sv[0], b_name, 0);
	close(sv[0]);
	close(sv[1]);
	if (!err)
		err = node_wait(a, ERLDIST_PENDING_UP, NULL);
	return err ? err : node_wait(b, ERLDIST_PENDING_UP, NULL);
}

/* Processes */

int proc_bind_term(int fd, const struct buf *address)
{
	return bind_term(fd, address);
}

int proc_open(const char *name, const char *node)
{
	int fd = socket(family(), SOCK_RDM | SOCK_CLOEXEC, 0);
	int err;
	DEFINE_BUF(b);

	if (fd < 0)
		return -errno;
	if (name && node)
		fmt(&b, "{aa}", name, node);
	else if (name || node)
		fmt(&b, "a", name ? name : node);
	err = bind_term(fd, &b);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int proc_attach(int main)
{
	int fd = socket(family(), SOCK_RDM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_ERLDIST, ERLDIST_ATTACH, &main, sizeof(main)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int proc(const char *name, const char *node)
{
	int fd = proc_open(name, node);

	if (fd < 0)
		die("process %s on %s: %d", name ? name : "-", node ? node : "-", fd);
	return fd;
}

int proc_term(int fd, int option, struct buf *b)
{
	socklen_t len = 256 << 10;
	int err;

	b->len = 0;
	err = getsockopt(fd, SOL_ERLDIST, option, buf_grow(b, len), &len);
	b->len = err ? 0 : len;
	return err ? -errno : 0;
}

void proc_self(int fd, struct epid *pid)
{
	DEFINE_BUF(b);

	if (proc_term(fd, ERLDIST_SELF, &b) || scan(b.p, b.len, "p", pid) < 0)
		die("ERLDIST_SELF");
}

void proc_trap_exit(int fd, bool on)
{
	const int value = on;

	if (setsockopt(fd, SOL_ERLDIST, ERLDIST_TRAP_EXIT, &value, sizeof(value)))
		die("TRAP_EXIT");
}

int proc_connect(int fd, const struct buf *address)
{
	struct sockaddr_erldist a = { .sed_family = family() };

	if (address->len > sizeof(a.sed_term))
		return set(fd, ERLDIST_CONNECT, address->p, address->len);
	memcpy(a.sed_term, address->p, address->len);
	return connect(fd, (void *)&a, 2 + address->len) ? -errno : 0;
}

static void put_cmsg(struct msghdr *h, int type, const void *p, size_t len)
{
	struct cmsghdr *c = (void *)((char *)h->msg_control + h->msg_controllen);

	c->cmsg_level = SOL_ERLDIST;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), p, len);
	h->msg_controllen += CMSG_SPACE(len);
}

ssize_t proc_sendto(int fd, const struct to *to, const struct buf *message)
{
	struct sockaddr_erldist a = { .sed_family = family() };
	struct iovec iov = { message ? message->p : NULL,
			     message ? message->len : 0 };
	char control[2048] __aligned(8) = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control };
	struct erldist_signal sig = { .op = to->op, .flags = to->sig_flags,
				      .ref = to->ref,
				      .user_data = to->user_data };
	ssize_t n;

	if (to->dest && (to->cmsg || to->dest->len > sizeof(a.sed_term))) {
		put_cmsg(&h, ERLDIST_DEST, to->dest->p, to->dest->len);
	} else if (to->dest) {
		memcpy(a.sed_term, to->dest->p, to->dest->len);
		h.msg_name = &a;
		h.msg_namelen = 2 + to->dest->len;
	}
	if (to->op || to->sig_flags)
		put_cmsg(&h, ERLDIST_SIGNAL, &sig, sizeof(sig));
	if (!h.msg_controllen)
		h.msg_control = NULL;
	n = sendmsg(fd, &h, MSG_NOSIGNAL | to->flags);
	return n < 0 ? -errno : n;
}

ssize_t proc_send(int fd, const struct buf *dest, const struct buf *message)
{
	return proc_sendto(fd, &(struct to){ .dest = dest }, message);
}

int proc_ask(int fd, const struct to *to)
{
	ssize_t n = proc_sendto(fd, to, NULL);

	return n < 0 ? n : 0;
}

void proc_reply(int fd, const struct epid *pid, const struct slice *tag,
		const struct buf *answer)
{
	struct buf t = { (uint8_t *)tag->p, tag->len };
	struct eref ref;
	char word[512];
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	if (scan(t.p, t.len, "[a|r]", word, &ref) > 0 ||
	    scan(t.p, t.len, "[[a|r]|_]", word, &ref) > 0)
		fmt(&dest, "r", &ref);
	else
		fmt(&dest, "p", pid);
	proc_sendto(fd, &(struct to){ .dest = &dest, .sig_flags = ERLDIST_SIG_F_NOCONNECT },
		    fmt(&msg, "{tt}", &t, answer));
}

static struct erldist_refs get_refs(int fd)
{
	struct erldist_refs refs = { 0 };
	socklen_t len = sizeof(refs);

	if (getsockopt(fd, SOL_ERLDIST, ERLDIST_REFS, &refs, &len))
		die("ERLDIST_REFS: %s", strerror(errno));
	return refs;
}

uint64_t proc_refs(int fd)
{
	return get_refs(fd).first;
}

struct eref proc_ref(int fd, uint64_t n)
{
	struct eref ref = { .n = 3, .word = { n & 0x3ffff, n >> 18, 0 } };
	struct epid self;

	proc_self(fd, &self);
	snprintf(ref.node, sizeof(ref.node), "%s", self.node);
	ref.creation = self.creation;
	ref.word[2] = self.id;
	return ref;
}

void msg_free(struct msg *m)
{
	buf_free(&m->term);
	buf_free(&m->from);
	buf_free(&m->to);
}

static void read_cmsgs(struct msg *m, struct msghdr *h)
{
	struct cmsghdr *c;
	struct erldist_signal sig;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_ERLDIST)
			continue;
		if (c->cmsg_type == ERLDIST_FROM) {
			buf_add(&m->from, CMSG_DATA(c), len);
			m->from_cmsg = true;
		} else if (c->cmsg_type == ERLDIST_TO) {
			buf_add(&m->to, CMSG_DATA(c), len);
		} else if (c->cmsg_type == ERLDIST_SIGNAL && len >= sizeof(sig)) {
			memcpy(&sig, CMSG_DATA(c), sizeof(sig));
			m->op = sig.op;
			m->ref = sig.ref;
			m->user_data = sig.user_data;
		}
	}
}

int proc_recv(int fd, struct msg *m, int timeout_ms)
{
	struct sockaddr_storage a;
	char control[4096] __aligned(8);
	struct iovec iov;
	struct msghdr h = { .msg_name = &a, .msg_namelen = sizeof(a),
			    .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int size = 0;
	ssize_t n;

	m->term.len = 0;
	m->from.len = 0;
	m->to.len = 0;
	m->op = -1;
	m->ref = 0;
	m->user_data = 0;
	m->from_cmsg = false;
	if (!poll_for(fd, POLLIN, timeout_ms))
		return -ETIMEDOUT;
	ioctl(fd, SIOCINQ, &size);
	iov.iov_len = size + 1;
	iov.iov_base = buf_grow(&m->term, iov.iov_len);
	n = recvmsg(fd, &h, MSG_DONTWAIT);
	m->term.len = n < 0 ? 0 : n;
	if (n < 0)
		return -errno;
	m->flags = h.msg_flags;
	if (h.msg_namelen > 2)
		buf_add(&m->from, (char *)&a + 2, h.msg_namelen - 2);
	read_cmsgs(m, &h);
	return 0;
}

bool proc_expect(int fd, const struct buf *message)
{
	DEFINE_MSG(m);
	int err = proc_recv(fd, &m, WAIT_MS);

	if (!err && buf_eq(&m.term, message))
		return true;
	fprintf(stderr, "# recvmsg: %d\n", err);
	buf_dump("received", &m.term);
	buf_dump("expected", message);
	return false;
}

bool proc_expect_signal(int fd, const struct to *what, const struct buf *message)
{
	bool made = what->op != ERLDIST_SIG_MESSAGE;
	DEFINE_MSG(m);
	int err = proc_recv(fd, &m, WAIT_MS);

	if (!err && m.op == what->op && !(m.flags & ERLDIST_MSG_SIGNAL) == !made &&
	    m.ref == what->ref && m.user_data == what->user_data && buf_eq(&m.term, message))
		return true;
	fprintf(stderr, "# recvmsg: %d, op %d, flags %#x, ref %llu, user_data %llu\n", err, m.op,
		m.flags, (unsigned long long)m.ref, (unsigned long long)m.user_data);
	buf_dump("received", &m.term);
	buf_dump("expected", message);
	return false;
}

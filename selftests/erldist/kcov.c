// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remote coverage: what a node's works do, and its streams in a softirq, is in the
 * trace of the program that made the node.
 */
#include "kselftest_harness.h"
#include <linux/kcov.h>
#include <sys/mman.h>
#include "wire_peer.h"

#define KCOV_FILE	"/sys/kernel/debug/kcov"
#define PCS		(64 << 10)
#define INSTANCE	0x65726c64

/* A function of the module: where it lies */
struct range {
	unsigned long from, to;
};

FIXTURE(kcov) {
	int fd;
	unsigned long *area;
};

FIXTURE_SETUP(kcov)
{
	self->fd = -1;
	SETUP_ERLDIST();
	self->fd = open(KCOV_FILE, O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		SKIP(return, "the kernel has no KCOV");
	ASSERT_EQ(0, ioctl(self->fd, KCOV_INIT_TRACE, PCS));
	self->area = mmap(NULL, PCS * sizeof(*self->area), PROT_READ | PROT_WRITE,
			  MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(kcov)
{
	if (self->area)
		munmap(self->area, PCS * sizeof(*self->area));
	if (self->fd >= 0)
		close(self->fd);
}

/* By /proc/kallsyms: up to the next symbol of the module. False: there is none. */
static bool find_function(const char *name, struct range *r)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], symbol[256], module[64], type;
	unsigned long address;

	*r = (struct range){ .to = -1UL };
	for (int pass = 0; pass < 2; pass++) {
		rewind(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx %c %255s [%63[^]]", &address, &type,
				   symbol, module) != 4 || strcmp(module, "erldist"))
				continue;
			if (!pass && !strcmp(symbol, name))
				r->from = address;
			else if (pass && address > r->from && address < r->to)
				r->to = address;
		}
	}
	fclose(f);
	return r->from;
}

static unsigned long traced(FIXTURE_DATA(kcov) *self, const struct range *r)
{
	unsigned long n = __atomic_load_n(&self->area[0], __ATOMIC_ACQUIRE), in = 0;

	for (unsigned long i = 1; i <= n; i++)
		in += self->area[i] >= r->from && self->area[i] < r->to;
	return in;
}

/* A system call traces itself, if anything of the module does. */
static bool module_instrumented(FIXTURE_DATA(kcov) *self)
{
	struct range create;
	int fd;

	if (!find_function("erldist_process_socket_create", &create))
		die("no such function in /proc/kallsyms");
	if (ioctl(self->fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV_ENABLE: %m");
	self->area[0] = 0;
	fd = socket(family(), SOCK_RDM, 0);
	if (ioctl(self->fd, KCOV_DISABLE, 0))
		die("KCOV_DISABLE: %m");
	close(fd);
	return traced(self, &create);
}

static void remote_enable(FIXTURE_DATA(kcov) *self)
{
	struct kcov_remote_arg arg = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = PCS,
		.common_handle = KCOV_SUBSYSTEM_COMMON | INSTANCE,
	};

	self->area[0] = 0;
	if (ioctl(self->fd, KCOV_REMOTE_ENABLE, &arg))
		die("KCOV_REMOTE_ENABLE: %m");
}

/* Wait until the trace has something of it: a section's is added at its end. */
static bool function_traced(FIXTURE_DATA(kcov) *self, const char *name)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct range r;

	if (!find_function(name, &r))
		return false;
	while (!traced(self, &r)) {
		if (now_ms() > end)
			return false;
		sleep_ms(10);
	}
	return true;
}

TEST_F(kcov, works_and_softirqs_are_traced)
{
	DEFINE_BUF(message);
	struct epid pid;
	struct wire w;
	int node_fd, fd;

	if (!module_instrumented(self))
		SKIP(return, "the module is not instrumented: make it with ERLDIST_KCOV=1");
	remote_enable(self);
	node_fd = node("k@h");
	fd = proc("", NULL);
	proc_self(fd, &pid);
	ASSERT_EQ(0, wire_up(&w, node_fd));
	term(&message, "a", "hello");
	ASSERT_EQ(0, wire_pid_send(&w, &pid, &message));
	ASSERT_TRUE(proc_expect(fd, &message));
	/* The handshake is a work; what follows it is read in the softirq. */
	EXPECT_TRUE(function_traced(self, "erldist_rx_run"));
	EXPECT_TRUE(function_traced(self, "erldist_rx_ready"));
	EXPECT_TRUE(function_traced(self, "erldist_dispatch_message"));
	wire_close(&w);
	/* The work that closes it outlives the node. */
	close(node_fd);
	EXPECT_TRUE(function_traced(self, "channel_close"));
	EXPECT_EQ(0, ioctl(self->fd, KCOV_DISABLE, 0));
	close(fd);
}

TEST_F(kcov, another_programs_node_is_not_traced)
{
	int node_fd, other;
	struct range run;
	struct wire w;

	if (!module_instrumented(self))
		SKIP(return, "the module is not instrumented: make it with ERLDIST_KCOV=1");
	/* Made before there is a handle */
	other = node("other@h");
	remote_enable(self);
	ASSERT_TRUE(find_function("erldist_rx_run", &run));
	wire_init(&w, -1, "w@h");
	ASSERT_EQ(0, wire_connect(&w, other, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_sync(&w));
	EXPECT_EQ(0, traced(self, &run));
	wire_close(&w);
	close(other);
	/* And one that is made now is. */
	node_fd = node("k@h");
	ASSERT_EQ(0, wire_up(&w, node_fd));
	EXPECT_TRUE(function_traced(self, "erldist_rx_run"));
	EXPECT_EQ(0, ioctl(self->fd, KCOV_DISABLE, 0));
	wire_close(&w);
	close(node_fd);
}

TEST_HARNESS_MAIN

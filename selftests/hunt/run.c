// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs programs in a child, the runner. It is replaced after some programs, after one
 * that changed its user or its namespace, and when it ended or a thread does not come
 * back.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "futex.h"
#include "hunt.h"

#define PROGRAM_MS	4000
#define HUNG_MS		40000	/* how long an end by SIGKILL may take */

struct shared *shared_new(void)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return p;
}

static void forget(struct shared *s)
{
	for (unsigned int i = 0; i < MAX_CALLS; i++) {
		s->res[i].type = 0;
		s->res[i].fd = -1;
		s->res[i].child = 0;
	}
	memset(s->ret, 0, sizeof(s->ret));
	memset(s->children, 0, sizeof(s->children));
	s->n_children = 0;
	s->pairing = 0;
	s->stop = 0;
	s->retire = false;
	s->changed = false;
	s->ran_at = 0;
	s->violation[0] = 0;
}

static void show_stacks(pid_t pid)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do cat $t/comm $t/wchan $t/syscall $t/stack; done; echo l >/proc/sysrq-trigger",
		 pid);
	if (system(command))
		return;
}

static bool wait_child(pid_t pid, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	int fd = syscall(SYS_pidfd_open, pid, 0);

	do {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			close(fd);
			return true;
		}
		poll_for(fd, POLLIN, fd < 0 ? 1 : 50);
	} while (now_ms() < end);
	close(fd);
	return false;
}

/* Its children's ends are waited for, too; they are this process's since it ended */
static bool reap_rest(pid_t group)
{
	uint64_t end = now_ms() + HUNG_MS;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) != -1) {
		if (pid)
			continue;
		if (now_ms() > end)
			return false;
		kill(-group, SIGKILL);
		sleep_ms(1);
	}
	return true;
}

static bool end_runner(struct shared *s)
{
	pid_t pid = s->runner;

	s->runner = 0;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	if (!wait_child(pid, HUNG_MS)) {
		show_stacks(pid);
		return false;
	}
	kill(-pid, SIGKILL);
	return reap_rest(pid);
}

static void start_runner(struct shared *s)
{
	pid_t pid;

	/* asked for once, and not by every runner */
	hunt_family();
	hunt_netlink();
	s->ask = 0;
	s->answer = 0;
	s->programs = 0;
	memset(s->turn, 0, sizeof(s->turn));
	memset(s->done, 0, sizeof(s->done));
	memset(s->tid, 0, sizeof(s->tid));
	memset(s->pid, 0, sizeof(s->pid));
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		runner(s);
	setpgid(pid, pid);
	s->runner = pid;
}

/* How the program that was asked for last went */
static enum verdict wait_answer(struct shared *s)
{
	uint64_t end = now_ms() + PROGRAM_MS;
	uint32_t answer;

	while ((answer = load(&s->answer)) != s->ask) {
		futex_wait(&s->answer, answer, 20);
		if (load(&s->answer) == s->ask)
			break;
		if (waitpid(s->runner, NULL, WNOHANG) == s->runner) {
			pid_t pid = s->runner;

			s->runner = 0;
			kill(-pid, SIGKILL);
			return reap_rest(pid) ? RAN : HUNG;
		}
		if (now_ms() > end)
			return end_runner(s) ? TIMED_OUT : HUNG;
	}
	return s->retire && !end_runner(s) ? HUNG : RAN;
}

enum verdict run_prog(struct shared *s)
{
	enum verdict v;

	forget(s);
	if (!s->runner) {
		start_runner(s);
		s->started++;
	}
	store_wake(&s->ask, s->ask + 1);
	v = wait_answer(s);
	return v != HUNG && s->violation[0] ? VIOLATED : v;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of a process: the thread group that bound it. When it dies, so
 * does the process, whoever else still holds the descriptor.
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "channel.h"
#include "process.h"

/* {exit_status, N} and {signal, sigxxx} fit */
#define REASON_ROOM	48

/*
 * A watch. References: the process's, and the queued work's. wait is on
 * the owner's wait_pidfd from erldist_watch_new() to erldist_watch_free(). A
 * wake is but a hint: dead means that no thread is left (an exec never shows
 * that). task is held for its signal alone, which an exec shares and which
 * is valid after reaping.
 */
struct erldist_watch {
	refcount_t ref;
	struct wait_queue_entry wait;
	struct work_struct work;
	struct pid *pid;
	struct task_struct *task;
	struct erldist_process *process;	/* outlives wait; see free */
	struct erldist_blob *reason;		/* room for the one that comes */
	struct rcu_head rcu;			/* netlink looks at pid under RCU */
};

static const char *const signal_names[] = {
	[SIGHUP] = "sighup", [SIGINT] = "sigint", [SIGQUIT] = "sigquit",
	[SIGILL] = "sigill", [SIGTRAP] = "sigtrap", [SIGABRT] = "sigabrt",
	[SIGBUS] = "sigbus", [SIGFPE] = "sigfpe", [SIGKILL] = "sigkill",
	[SIGUSR1] = "sigusr1", [SIGSEGV] = "sigsegv", [SIGUSR2] = "sigusr2",
	[SIGPIPE] = "sigpipe", [SIGALRM] = "sigalrm", [SIGTERM] = "sigterm",
	[SIGSTKFLT] = "sigstkflt", [SIGCHLD] = "sigchld", [SIGCONT] = "sigcont",
	[SIGSTOP] = "sigstop", [SIGTSTP] = "sigtstp", [SIGTTIN] = "sigttin",
	[SIGTTOU] = "sigttou", [SIGURG] = "sigurg", [SIGXCPU] = "sigxcpu",
	[SIGXFSZ] = "sigxfsz", [SIGVTALRM] = "sigvtalrm",
	[SIGPROF] = "sigprof", [SIGWINCH] = "sigwinch", [SIGIO] = "sigio",
	[SIGPWR] = "sigpwr", [SIGSYS] = "sigsys",
};

static void watch_free_rcu(struct rcu_head *rcu)
{
	struct erldist_watch *watch = container_of(rcu, struct erldist_watch,
						   rcu);

	erldist_blob_put(watch->reason);
	put_task_struct(watch->task);
	put_pid(watch->pid);
	kfree(watch);
}

static void watch_put(struct erldist_watch *watch)
{
	if (refcount_dec_and_test(&watch->ref))
		call_rcu(&watch->rcu, watch_free_rcu);
}

/* tasklist_lock is held, interrupts are off. */
static int watch_wake(struct wait_queue_entry *wait, unsigned int mode,
		      int flags, void *key)
{
	struct erldist_watch *watch = container_of(wait, struct erldist_watch,
						   wait);

	refcount_inc(&watch->ref);
	/* The work was queued already: the other reference is not the last. */
	if (!queue_work(erldist_reaper_wq, &watch->work))
		refcount_dec(&watch->ref);
	return 0;
}

static bool owner_dead(const struct erldist_watch *watch)
{
	return !atomic_read(&watch->task->signal->live);
}

static void watch_work(struct work_struct *work)
{
	struct erldist_watch *watch = container_of(work, struct erldist_watch,
						   work);
	struct erldist_blob *why;

	if (owner_dead(watch)) {
		why = erldist_process_last_reason(watch->process);
		erldist_process_end(watch->process, why, EOWNERDEAD);
		erldist_blob_put(why);
	}
	watch_put(watch);
}

/**
 * erldist_watch_new() - watch the caller's thread group for a process
 * @proc: the process
 *
 * Context: process context.
 * Return: the watch, or NULL.
 */
struct erldist_watch *erldist_watch_new(struct erldist_process *proc)
{
	struct erldist_watch *watch;

	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return NULL;
	watch->reason = erldist_blob_new(NULL, REASON_ROOM, GFP_KERNEL_ACCOUNT);
	if (!watch->reason) {
		kfree(watch);
		return NULL;
	}
	refcount_set(&watch->ref, 1);
	watch->process = proc;
	watch->task = get_task_struct(current->group_leader);
	watch->pid = get_pid(task_tgid(current));
	INIT_WORK(&watch->work, watch_work);
	init_waitqueue_func_entry(&watch->wait, watch_wake);
	add_wait_queue(&watch->pid->wait_pidfd, &watch->wait);
	return watch;
}

/**
 * erldist_watch_free() - stop watching
 * @watch: the watch
 *
 * Its process is not touched by it afterwards.
 *
 * Context: process context, not the watch's own work.
 */
void erldist_watch_free(struct erldist_watch *watch)
{
	remove_wait_queue(&watch->pid->wait_pidfd, &watch->wait);
	if (cancel_work_sync(&watch->work))
		watch_put(watch);
	watch_put(watch);
}

/* {Tag, Value} with an atom or a small integer as value */
static void put_reason(struct erldist_blob *blob, const char *tag,
		       const char *name, u8 number)
{
	struct etf_atom atom = etf_ascii(tag);
	u8 *p = blob->data;

	*p++ = ETF_SMALL_TUPLE;
	*p++ = 2;
	p = etf_put_atom(p, &atom);
	if (name) {
		atom = etf_ascii(name);
		p = etf_put_atom(p, &atom);
	} else {
		*p++ = ETF_SMALL_INTEGER;
		*p++ = number;
	}
	blob->len = p - blob->data;
}

static const char *signal_name(int sig)
{
	return sig < ARRAY_SIZE(signal_names) ? signal_names[sig] : NULL;
}

/**
 * erldist_watch_reason() - how the owner died
 * @watch: the watch
 * @signal: set when a signal killed it
 *
 * Never the code of whoever runs release(): the owner may live on, or it may
 * have died long before.
 *
 * Context: process context; once for a watch that finds the owner dead.
 * Return: {signal, S} or {exit_status, N} with a reference; NULL: it is alive,
 * or ended with status 0.
 */
struct erldist_blob *erldist_watch_reason(struct erldist_watch *watch,
					  bool *signal)
{
	struct signal_struct *sig = watch->task->signal;
	int code, status;

	*signal = false;
	if (!owner_dead(watch) && !(READ_ONCE(sig->flags) & SIGNAL_GROUP_EXIT))
		return NULL;
	code = READ_ONCE(sig->group_exit_code);
	status = code >> 8 & 0xff;
	if (code & 0x7f) {
		*signal = true;
		put_reason(watch->reason, "signal", signal_name(code & 0x7f),
			   code & 0x7f);
	} else if (status) {
		put_reason(watch->reason, "exit_status", NULL, status);
	} else {
		return NULL;
	}
	return erldist_blob_get(watch->reason);
}

/**
 * erldist_watch_pid() - the owner's process id
 * @watch: the watch
 * @ns: as seen from this pid namespace
 * Return: 0 when it is not visible there.
 */
pid_t erldist_watch_pid(const struct erldist_watch *watch,
			struct pid_namespace *ns)
{
	return pid_nr_ns(watch->pid, ns);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of a process: the thread group that bound it. When it dies, so
 * does the process, whoever else still holds the descriptor.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "channel.h"
#include "kcov.h"
#include "process.h"

/* {exit_status, N} and {signal, sigxxx} fit */
#define REASON_ROOM	48

/*
 * A watch. References: the process's, the queued work's, and whoever looks at it.
 * wait is on the owner's wait_pidfd until erldist_owner_drop() or a change of
 * owner. A wake is but a hint: dead means that no thread is left (an exec never
 * shows that). task is held for its signal alone, which an exec shares and which
 * is valid after reaping.
 */
struct erldist_watch {
	refcount_t ref;
	struct wait_queue_entry wait;
	struct work_struct work;
	struct pid *pid;
	struct task_struct *task;
	struct erldist_process *process;	/* outlives wait */
	struct erldist_blob *reason;		/* room for the one that comes */
	struct rcu_head rcu;			/* process->watch is RCU */
};

static const char *const signal_names[] = {
	[SIGHUP] = "sighup", [SIGINT] = "sigint", [SIGQUIT] = "sigquit",
	[SIGILL] = "sigill", [SIGTRAP] = "sigtrap", [SIGABRT] = "sigabrt",
	[SIGBUS] = "sigbus", [SIGFPE] = "sigfpe", [SIGKILL] = "sigkill",
	[SIGUSR1] = "sigusr1", [SIGSEGV] = "sigsegv", [SIGUSR2] = "sigusr2",
	[SIGPIPE] = "sigpipe", [SIGALRM] = "sigalrm", [SIGTERM] = "sigterm",
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "sigstkflt",	/* no such signal on MIPS and others */
#endif
	[SIGCHLD] = "sigchld", [SIGCONT] = "sigcont",
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

static void watch_queue(struct erldist_watch *watch)
{
	refcount_inc(&watch->ref);
	/* The work was queued already: the other reference is not the last. */
	if (!queue_work(erldist_reaper_wq, &watch->work))
		refcount_dec(&watch->ref);
}

/* tasklist_lock is held, interrupts are off. */
static int watch_wake(struct wait_queue_entry *wait, unsigned int mode,
		      int flags, void *key)
{
	struct erldist_watch *watch = container_of(wait, struct erldist_watch,
						   wait);

	watch_queue(watch);
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

	erldist_kcov_work_start(watch->process->node);
	/* The owner may have changed meanwhile. */
	if (owner_dead(watch) &&
	    rcu_access_pointer(watch->process->watch) == watch) {
		why = erldist_process_last_reason(watch->process);
		erldist_process_end(watch->process, why, EOWNERDEAD);
		erldist_blob_put(why);
	}
	watch_put(watch);
	erldist_kcov_work_stop();
}

static struct erldist_watch *watch_new(struct erldist_process *proc,
				       struct task_struct *task,
				       struct pid *pid)
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
	watch->task = get_task_struct(task);
	watch->pid = get_pid(pid);
	INIT_WORK(&watch->work, watch_work);
	init_waitqueue_func_entry(&watch->wait, watch_wake);
	return watch;
}

static void watch_stop(struct erldist_watch *watch)
{
	remove_wait_queue(&watch->pid->wait_pidfd, &watch->wait);
	if (cancel_work_sync(&watch->work))
		watch_put(watch);
	watch_put(watch);
}

/* NULL: nobody watches any more. Process context, not the watch's own work. */
static void owner_replace(struct erldist_process *proc,
			  struct erldist_watch *watch)
{
	const struct cred *cred = NULL;
	struct erldist_watch *old;

	spin_lock_bh(&proc->lock);
	WRITE_ONCE(proc->kill_signal, 0);
	swap(proc->kill_cred, cred);
	old = rcu_replace_pointer(proc->watch, watch,
				  lockdep_is_held(&proc->lock));
	spin_unlock_bh(&proc->lock);
	put_cred(cred);
	if (old)
		watch_stop(old);
	if (!watch)
		return;
	add_wait_queue(&watch->pid->wait_pidfd, &watch->wait);
	/* It may have died before. */
	if (owner_dead(watch))
		watch_queue(watch);
}

/* A child may be reaped at any time, and have no pid any more: both are held. */
static struct task_struct *get_child(pid_t nr, struct pid **pid)
{
	struct task_struct *task;

	rcu_read_lock();
	*pid = find_vpid(nr);
	task = pid_task(*pid, PIDTYPE_TGID);
	if (task && rcu_dereference(task->real_parent)->signal ==
	    current->signal) {
		get_task_struct(task);
		get_pid(*pid);
	} else {
		task = NULL;
	}
	rcu_read_unlock();
	return task;
}

static struct task_struct *get_self(struct pid **pid)
{
	*pid = get_pid(task_tgid(current));
	return get_task_struct(current->group_leader);
}

/**
 * erldist_owner_set() - who owns a process
 * @proc: the process; the caller serialises calls
 * @owner: ERLDIST_OWNER_SELF, ERLDIST_OWNER_NONE, or the pid of a child
 *
 * Context: process context.
 * Return: 0; -ESRCH no child of the caller; -ENOMEM.
 */
int erldist_owner_set(struct erldist_process *proc, s32 owner)
{
	struct erldist_watch *watch;
	struct task_struct *task;
	struct pid *pid;

	if (owner == ERLDIST_OWNER_NONE) {
		owner_replace(proc, NULL);
		return 0;
	}
	task = owner == ERLDIST_OWNER_SELF ? get_self(&pid) :
					     get_child(owner, &pid);
	if (!task)
		return -ESRCH;
	watch = watch_new(proc, task, pid);
	if (watch) {
		WRITE_ONCE(proc->uid, task_cred_xxx(task, fsuid));
		owner_replace(proc, watch);
	}
	put_task_struct(task);
	put_pid(pid);
	return watch ? 0 : -ENOMEM;
}

/**
 * erldist_owner_drop() - the process's own socket goes: stop watching
 * @proc: the process
 *
 * Context: process context, not a watch's own work.
 */
void erldist_owner_drop(struct erldist_process *proc)
{
	owner_replace(proc, NULL);
}

static struct erldist_watch *watch_get(const struct erldist_process *proc)
{
	struct erldist_watch *watch;

	rcu_read_lock();
	watch = rcu_dereference(proc->watch);
	if (watch && !refcount_inc_not_zero(&watch->ref))
		watch = NULL;
	rcu_read_unlock();
	return watch;
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

/* Returns a reference; NULL: it is alive, or ended with status 0. */
static struct erldist_blob *watch_reason(struct erldist_watch *watch,
					 bool *signal)
{
	struct signal_struct *sig = watch->task->signal;
	int code, status;

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
 * erldist_owner_reason() - how the owner of a process died
 * @proc: the process, which ends
 * @signal: set when a signal killed it
 *
 * Never the code of whoever runs release(): the owner may live on, or it may
 * have died long before.
 *
 * Context: process context.
 * Return: {signal, S} or {exit_status, N} with a reference; NULL: there is no
 * owner, it is alive, or it ended with status 0.
 */
struct erldist_blob *erldist_owner_reason(struct erldist_process *proc,
					  bool *signal)
{
	struct erldist_watch *watch = watch_get(proc);
	struct erldist_blob *reason;

	*signal = false;
	if (!watch)
		return NULL;
	reason = watch_reason(watch, signal);
	watch_put(watch);
	return reason;
}

/**
 * erldist_owner_pid() - the owner's process id
 * @proc: the process
 * @ns: as seen from this pid namespace
 * Return: 0 when there is none, or it is not visible there.
 */
pid_t erldist_owner_pid(const struct erldist_process *proc,
			struct pid_namespace *ns)
{
	struct erldist_watch *watch;
	pid_t nr = 0;

	rcu_read_lock();
	watch = rcu_dereference(proc->watch);
	if (watch)
		nr = pid_nr_ns(watch->pid, ns);
	rcu_read_unlock();
	return nr;
}

/**
 * erldist_owner_kill_signal() - what the owner gets when exit/2 kills
 * @proc: the process
 * @signal: SIGTERM, SIGKILL, or 0: nothing
 *
 * Context: process context; the caller's credentials are what counts then.
 * Return: 0 or -EINVAL.
 */
int erldist_owner_kill_signal(struct erldist_process *proc, u32 signal)
{
	const struct cred *cred = NULL;

	if (signal && signal != SIGTERM && signal != SIGKILL)
		return -EINVAL;
	if (signal)
		cred = get_current_cred();
	spin_lock_bh(&proc->lock);
	WRITE_ONCE(proc->kill_signal, signal);
	swap(proc->kill_cred, cred);
	spin_unlock_bh(&proc->lock);
	put_cred(cred);
	return 0;
}

/*
 * As kill(2) by the program that asked for the signal, with what capabilities and
 * security modules allow it. Sent by a worker, SIGKILL would end the init of a
 * container, which no program in there can do.
 */
static void kill_as(struct pid *pid, u32 signal, const struct cred *cred)
{
	const struct cred *old;

	if (signal == SIGKILL && is_child_reaper(pid))
		return;
	old = override_creds(cred);
	kill_pid(pid, signal, 0);
	revert_creds(old);
}

/**
 * erldist_owner_kill() - exit/2 has killed the process: its owner is signalled
 * @proc: the process
 *
 * Once, if that was asked for, and if the program that did so may signal the
 * owner.
 *
 * Context: process context.
 */
void erldist_owner_kill(struct erldist_process *proc)
{
	const struct cred *cred = NULL;
	struct erldist_watch *watch;
	u32 signal;

	/* It is this owner's signal. */
	spin_lock_bh(&proc->lock);
	watch = watch_get(proc);
	signal = proc->kill_signal;
	WRITE_ONCE(proc->kill_signal, 0);
	swap(proc->kill_cred, cred);
	spin_unlock_bh(&proc->lock);
	if (watch && signal)
		kill_as(watch->pid, signal, cred);
	put_cred(cred);
	if (watch)
		watch_put(watch);
}

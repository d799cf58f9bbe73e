// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes: pids, names, how they end.
 */
#include <linux/cred.h>
#include <linux/sched/signal.h>

#include "channel.h"
#include "kcov.h"
#include "netlink.h"
#include "node.h"
#include "process.h"
#include "relation.h"
#include "spawn.h"

static u32 name_key_hash(const void *key, u32 len, u32 seed)
{
	return etf_atom_hash(key, seed);
}

static u32 name_obj_hash(const void *obj, u32 len, u32 seed)
{
	const struct erldist_name *name = obj;

	return etf_atom_hash(&name->atom, seed);
}

static int name_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct erldist_name *name = obj;

	return !etf_atom_equal(arg->key, &name->atom);
}

const struct rhashtable_params erldist_name_params = {
	.head_offset = offsetof(struct erldist_name, hash),
	.key_len = sizeof(struct etf_atom),
	.hashfn = name_key_hash,
	.obj_hashfn = name_obj_hash,
	.obj_cmpfn = name_cmp,
	.automatic_shrinking = true,
};

/* What kmalloc() would take for a process is almost half as much again. */
static struct kmem_cache *process_cache;

/**
 * erldist_processes_init() - before the first process
 * Return: 0 or -ENOMEM.
 */
int __init erldist_processes_init(void)
{
	process_cache = KMEM_CACHE(erldist_process, SLAB_ACCOUNT);
	return process_cache ? 0 : -ENOMEM;
}

/**
 * erldist_processes_exit() - after the last, and its grace period
 */
void erldist_processes_exit(void)
{
	kmem_cache_destroy(process_cache);
}

static void process_free_rcu(struct rcu_head *rcu)
{
	struct erldist_process *proc = container_of(rcu, struct erldist_process,
						    rcu);

	erldist_blob_put(proc->status);
	erldist_blob_put(proc->exit_reason);
	put_cred(proc->kill_cred);
	kmem_cache_free(process_cache, proc);
}

/**
 * erldist_process_put() - drop a reference
 * @proc: the process
 *
 * Context: any; where a node's last reference may go with it, process context.
 */
void erldist_process_put(struct erldist_process *proc)
{
	struct erldist_node *node;

	if (!refcount_dec_and_test(&proc->ref))
		return;
	node = proc->node;
	erldist_account_put(node, proc->account);
	if (proc->all_nodes)
		atomic_dec(&node->n_all_nodes);
	call_rcu(&proc->rcu, process_free_rcu);
	erldist_node_put(node);
}

static int process_count(struct erldist_process *proc,
			 struct erldist_node *node)
{
	int err;

	proc->account = erldist_account_get(node);
	if (IS_ERR(proc->account))
		return PTR_ERR(proc->account);
	err = erldist_held_take(node, proc->account, HELD_PROCESSES,
				READ_ONCE(node->limits.processes));
	if (err)
		erldist_account_put(node, proc->account);
	atomic_set(&proc->counts, 1);
	return err;
}

/*
 * References by other users and by peers can keep a process in memory. They must not
 * use up the number of its user, so the process counts until both its socket is
 * closed and its pid is free.
 */
static void process_uncount(struct erldist_process *proc)
{
	if (atomic_dec_and_test(&proc->counts))
		erldist_held_give(proc->node, proc->account, HELD_PROCESSES);
}

/**
 * erldist_process_new() - a process that nobody can find yet
 * @node: its node
 * @sk: its socket
 *
 * Context: process context.
 * Return: the process with the socket's reference; ERR_PTR: -EUSERS too many, of
 * the node or of the caller; -ENOMEM.
 */
struct erldist_process *erldist_process_new(struct erldist_node *node,
					    struct sock *sk)
{
	struct erldist_process *proc;
	int err;

	proc = kmem_cache_zalloc(process_cache, GFP_KERNEL);
	if (!proc)
		return ERR_PTR(-ENOMEM);
	err = process_count(proc, node);
	if (err) {
		kmem_cache_free(process_cache, proc);
		return ERR_PTR(err);
	}
	refcount_set(&proc->ref, 1);
	erldist_node_get(node);
	proc->node = node;
	/* So that its close, where it is not published, finds nothing to end. */
	proc->state = ERLDIST_PROCESS_STATE_ENDED;
	proc->uid = current_fsuid();
	erldist_mailbox_init(&proc->mailbox,
			     erldist_limit(&node->limits.mailbox), sk);
	spin_lock_init(&proc->lock);
	proc->relations = RB_ROOT;
	INIT_LIST_HEAD(&proc->reap);
	mutex_init(&proc->asking);
	return proc;
}

/* Ids go round; a new serial makes sure that no pid comes twice. */
static int pid_alloc(struct erldist_process *proc)
{
	struct erldist_node *node = proc->node;
	int err;

	mutex_lock(&node->conf_lock);
	err = xa_alloc_cyclic(&node->pids, &proc->id, NULL,
			      XA_LIMIT(1, ERLDIST_PROCESS_ID_MAX),
			      &node->next_id, GFP_KERNEL);
	if (err == 1)
		node->serial++;
	proc->serial = node->serial;
	mutex_unlock(&node->conf_lock);
	return min(err, 0);
}

static void name_free(struct erldist_name *name)
{
	struct erldist_process *proc = name->process;

	kfree_rcu(name, rcu);
	erldist_process_put(proc);
}

static void name_drop(struct erldist_name *name)
{
	struct erldist_process *proc = name->process;

	rhashtable_remove_fast(&proc->node->names, &name->hash,
			       erldist_name_params);
	erldist_netlink_name(proc, &name->atom, ERLDIST_CMD_NAME_DEL_NTF);
	name_free(name);
}

static struct erldist_name *name_new(struct erldist_process *proc,
				     const struct etf_atom *atom)
{
	struct erldist_name *name;
	struct etf_cursor c;

	name = kzalloc(struct_size(name, text, etf_atom_size(atom)),
		       GFP_KERNEL_ACCOUNT);
	if (!name)
		return ERR_PTR(-ENOMEM);
	c.p = name->text;
	c.end = etf_put_atom(name->text, atom);
	etf_get_atom(&c, &name->atom);
	erldist_process_get(proc);
	name->process = proc;
	return name;
}

/* Is a name taken by a process that has ended? Then it is free, or will be soon. */
static bool name_of_ended(struct erldist_node *node,
			  const struct etf_atom *atom)
{
	struct erldist_process *holder = NULL;
	struct erldist_name *name;
	bool ended;

	rcu_read_lock();
	name = rhashtable_lookup(&node->names, atom, erldist_name_params);
	if (name && erldist_process_tryget(name->process))
		holder = name->process;
	rcu_read_unlock();
	if (!holder)
		return true;
	ended = !erldist_process_alive(holder);
	if (ended) {
		/* Whoever takes the name out drops it. */
		name = xchg(&holder->name, NULL);
		if (name)
			name_drop(name);
		else
			schedule_timeout_uninterruptible(1);
	}
	erldist_process_put(holder);
	return ended;
}

static int name_register(struct erldist_process *proc,
			 const struct etf_atom *atom,
			 struct erldist_name **registered)
{
	struct erldist_name *name;
	int err;

	if (!etf_atom_valid(atom) || etf_atom_is(atom, "undefined"))
		return -EINVAL;
	if (etf_atom_is(atom, "net_kernel"))
		return -EADDRINUSE;
	name = name_new(proc, atom);
	if (IS_ERR(name))
		return PTR_ERR(name);
	do {
		err = rhashtable_lookup_insert_key(&proc->node->names,
						   &name->atom, &name->hash,
						   erldist_name_params);
	} while (err == -EEXIST && name_of_ended(proc->node, atom));
	if (err) {
		name_free(name);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	*registered = name;
	erldist_netlink_name(proc, &name->atom, ERLDIST_CMD_NAME_NEW_NTF);
	return 0;
}

/**
 * erldist_process_rename() - register, rename, or drop the name
 * @proc: the process
 * @atom: the name, or NULL: none
 *
 * Context: process context, one at a time for a process.
 * Return: 0; -EADDRINUSE; -EINVAL no name; -EPIPE the process has ended;
 * -ENOMEM.
 */
int erldist_process_rename(struct erldist_process *proc,
			   const struct etf_atom *atom)
{
	struct erldist_name *name = NULL, *old;
	int err = 0;

	if (atom)
		err = name_register(proc, atom, &name);
	if (err)
		return err;
	/* Its end sees this name, or is seen below. */
	old = xchg(&proc->name, name);
	if (old)
		name_drop(old);
	if (erldist_process_alive(proc))
		return 0;
	/* Whoever takes the name out drops it. */
	old = xchg(&proc->name, NULL);
	if (old)
		name_drop(old);
	return -EPIPE;
}

static void pid_release(struct erldist_process *proc)
{
	xa_erase(&proc->node->pids, proc->id);
	process_uncount(proc);
	erldist_process_put(proc);
}

/**
 * erldist_process_publish() - make a process exist
 * @proc: a new process
 * @name: its name, or NULL
 *
 * Context: process context.
 * Return: 0, or as erldist_process_rename(), or -ENETDOWN.
 */
int erldist_process_publish(struct erldist_process *proc,
			    const struct etf_atom *name)
{
	struct erldist_node *node = proc->node;
	int err;

	err = pid_alloc(proc);
	if (err)
		return err;
	proc->state = ERLDIST_PROCESS_STATE_ALIVE;
	atomic_inc(&proc->counts);
	erldist_process_get(proc);
	xa_store(&node->pids, proc->id, proc, GFP_KERNEL);
	/* Pairs with the grace period in erldist_node_close(). */
	smp_mb();
	if (READ_ONCE(node->dead))
		err = -ENETDOWN;
	else if (name)
		err = erldist_process_rename(proc, name);
	if (err)
		erldist_process_end_known(proc, KNOWN_NORMAL, ENETDOWN);
	return err;
}

static void process_reap(struct erldist_process *proc)
{
	struct erldist_node *node = proc->node;

	spin_lock_bh(&node->reap_lock);
	list_add_tail(&proc->reap, &node->reaped);
	spin_unlock_bh(&node->reap_lock);
	erldist_node_get(node);
	if (!queue_work(erldist_reaper_wq, &node->reaper))
		erldist_node_put(node);
}

static void process_tell(struct erldist_process *proc)
{
	bool any;

	/* What is coming for it holds memory for nothing. */
	if (READ_ONCE(proc->mailbox.remote_bytes))
		erldist_channels_sweep(proc->node);
	/* It has ended; pairs with erldist_spawn_server_set(). */
	smp_mb();
	if (erldist_spawn_server_is(proc))
		erldist_spawn_server_set(proc, false);
	spin_lock_bh(&proc->lock);
	any = !RB_EMPTY_ROOT(&proc->relations);
	spin_unlock_bh(&proc->lock);
	/* The pid goes when everyone was told. */
	if (any)
		process_reap(proc);
	else
		pid_release(proc);
}

static void reap_push(struct erldist_node *node, struct erldist_process *proc)
{
	spin_lock_bh(&node->reap_lock);
	list_add_tail(&proc->reap, &node->reaped);
	spin_unlock_bh(&node->reap_lock);
}

static struct erldist_process *reap_pop(struct erldist_node *node)
{
	struct erldist_process *proc;

	spin_lock_bh(&node->reap_lock);
	proc = list_first_entry_or_null(&node->reaped, struct erldist_process,
					reap);
	if (proc)
		list_del_init(&proc->reap);
	spin_unlock_bh(&node->reap_lock);
	return proc;
}

/**
 * erldist_process_reap() - tell of the deaths of processes
 * @work: a node's reaper
 */
void erldist_process_reap(struct work_struct *work)
{
	struct erldist_node *node = container_of(work, struct erldist_node,
						 reaper);
	struct erldist_process *proc;

	erldist_kcov_work_start(node);
	while ((proc = reap_pop(node))) {
		/* One with many relations lets the others come in between. */
		if (erldist_relations_end(proc))
			pid_release(proc);
		else
			reap_push(node, proc);
		cond_resched();
	}
	erldist_node_put(node);
	erldist_kcov_work_stop();
}

/* Who is first ends it; by another process, which must be alive at that moment. */
static bool process_ended(struct erldist_process *proc,
			  const struct erldist_process *by,
			  struct erldist_blob *why, int err)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	LIST_HEAD(queue);
	bool first;

	spin_lock_bh(&mb->lock);
	first = erldist_process_alive(proc) &&
		(!by || erldist_process_alive(by));
	if (first) {
		proc->status = erldist_blob_get(why);
		proc->err = err;
		/* status and err are there for whoever sees the state. */
		smp_store_release(&proc->state, ERLDIST_PROCESS_STATE_ENDED);
		erldist_mailbox_unrank_locked(proc);
		if (err != ENETDOWN)
			erldist_mailbox_empty_locked(proc, &queue);
	}
	spin_unlock_bh(&mb->lock);
	erldist_mailbox_discard(proc, &queue);
	return first;
}

static bool process_end(struct erldist_process *proc,
			const struct erldist_process *by,
			struct erldist_blob *why, int err)
{
	struct erldist_name *name;

	if (!process_ended(proc, by, why, err))
		return false;
	name = xchg(&proc->name, NULL);
	if (name)
		name_drop(name);
	erldist_mailbox_wake(proc);
	process_tell(proc);
	return true;
}

/**
 * erldist_process_end() - a process ends
 * @proc: the process
 * @why: the reason, a reference is taken
 * @err: positive errno that its socket returns from now on
 *
 * The first one counts. From the moment that ENDED is stored the process is not
 * found by its name, takes no message, and no relation: who gets a noproc for
 * one of them gets it for all. Whoever is woken finds the name free, and whoever
 * was not, and registers it, waits until it is. ENDED is stored before anyone
 * is told: what tests the sender's state under a receiver's lock, and finds it
 * alive, comes before the EXIT. The mailbox is dropped, but after the loss of
 * the node it may still be read.
 *
 * Context: process context.
 * Return: true if it was this that ended it.
 */
bool erldist_process_end(struct erldist_process *proc, struct erldist_blob *why,
			 int err)
{
	return process_end(proc, NULL, why, err);
}

static bool process_end_known(struct erldist_process *proc,
			      const struct erldist_process *by,
			      enum erldist_known why, int err)
{
	struct erldist_blob *blob = erldist_blob_known(why);
	bool ended = process_end(proc, by, blob, err);

	erldist_blob_put(blob);
	return ended;
}

/**
 * erldist_process_end_known() - the same, with one of the known reasons
 * @proc: the process
 * @why: which
 * @err: positive errno
 *
 * Context: process context.
 * Return: true if it was this that ended it.
 */
bool erldist_process_end_known(struct erldist_process *proc,
			       enum erldist_known why, int err)
{
	return process_end_known(proc, NULL, why, err);
}

/**
 * erldist_process_close() - the last close of a process's socket
 * @proc: the process; the socket's reference is dropped
 *
 * Killed by a signal, that is the reason; else what EXIT_REASON says; else an
 * exit status other than 0; else normal.
 *
 * Context: process context.
 */
void erldist_process_close(struct erldist_process *proc)
{
	struct erldist_blob *why = NULL;

	if (erldist_process_alive(proc)) {
		why = erldist_process_last_reason(proc);
		erldist_process_end(proc, why, EOWNERDEAD);
		erldist_blob_put(why);
	}
	erldist_queue_close(proc, &proc->mailbox.queue);
	erldist_owner_drop(proc);
	process_uncount(proc);
	erldist_process_put(proc);
}

/**
 * erldist_process_last_reason() - why a process ends that said nothing itself
 * @proc: the process
 * Return: the reason, with a reference.
 */
struct erldist_blob *erldist_process_last_reason(struct erldist_process *proc)
{
	struct erldist_blob *reason;
	bool signal = false;

	reason = erldist_owner_reason(proc, &signal);
	if (signal)
		return reason;
	spin_lock_bh(&proc->lock);
	if (proc->exit_reason) {
		erldist_blob_put(reason);
		reason = erldist_blob_get(proc->exit_reason);
	}
	spin_unlock_bh(&proc->lock);
	return reason ?: erldist_blob_known(KNOWN_NORMAL);
}

static bool blob_is(const struct erldist_blob *blob, const char *ascii)
{
	struct etf_cursor c = { blob->data, blob->data + blob->len };
	struct etf_atom atom;

	return !etf_get_atom(&c, &atom) && c.p == c.end &&
	       etf_atom_is(&atom, ascii);
}

/**
 * erldist_process_exits() - an exit signal arrives, where it is no message
 * @proc: the process
 * @from: who sent it, of the same node: what he sends comes in order, the news
 *	of his own end too; or NULL
 * @reason: the reason
 * @exit2: it was sent by exit/2; else a link broke
 *
 * As erlang:exit/2 and process_flag(trap_exit) have it: `kill` by exit/2 kills
 * always; one who traps gets a message; `normal` is ignored; all else ends the
 * process.
 *
 * Context: process context.
 * Return: false: it traps, and is to be told.
 */
bool erldist_process_exits(struct erldist_process *proc,
			   const struct erldist_process *from,
			   struct erldist_blob *reason, bool exit2)
{
	/* Processes of a node that goes end with the node, whoever was first. */
	int err = READ_ONCE(proc->node->dead) ? ENETDOWN : ECONNRESET;

	if (exit2 && blob_is(reason, "kill")) {
		if (process_end_known(proc, from, KNOWN_KILLED, err))
			erldist_owner_kill(proc);
	} else if (READ_ONCE(proc->trap_exit)) {
		return false;
	} else if (!blob_is(reason, "normal")) {
		/* It goes on to all that are linked to this one. */
		if (reason->told_once)
			reason->told_once = false;
		process_end(proc, from, reason, err);
	}
	return true;
}

/**
 * erldist_process_exit_message() - the head of {'EXIT', From, Reason}
 * @from: the sender, a term
 * @from_len: its bytes
 *
 * Context: process context.
 * Return: the message, for erldist_process_exit_signal(), or NULL.
 */
struct erldist_msg *erldist_process_exit_message(const u8 *from, u32 from_len)
{
	static const u8 head[] = { ETF_SMALL_TUPLE, 3, ETF_SMALL_ATOM_UTF8, 4,
				   'E', 'X', 'I', 'T' };
	struct erldist_msg *msg;

	msg = erldist_msg_alloc(sizeof(head) + from_len, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	memcpy(msg->data, head, sizeof(head));
	memcpy(msg->data + sizeof(head), from, from_len);
	msg->used = sizeof(head) + from_len;
	msg->op = ERLDIST_SIG_EXIT;
	msg->remote = true;
	msg->from = sizeof(head);
	msg->from_len = from_len;
	return msg;
}

/**
 * erldist_process_exit_signal() - an exit signal of the kernel's or a peer's arrives
 * @proc: the process
 * @msg: what it is told if it traps, without the reason; taken
 * @reason: the reason
 * @exit2: it was sent by exit/2; else a link broke
 *
 * Context: process context.
 */
void erldist_process_exit_signal(struct erldist_process *proc,
				 struct erldist_msg *msg,
				 struct erldist_blob *reason, bool exit2)
{
	if (erldist_process_exits(proc, NULL, reason, exit2)) {
		erldist_msg_put(msg);
		return;
	}
	erldist_msg_set_reason(msg, reason);
	erldist_mailbox_put_signal(proc, NULL, msg);
}

/**
 * erldist_process_find() - a process by its pid
 * @node: the node
 * @id: as in the pid
 * @serial: as in the pid
 *
 * Context: any.
 * Return: the process with a reference, alive or ended, or NULL.
 */
struct erldist_process *erldist_process_find(struct erldist_node *node, u32 id,
					     u32 serial)
{
	struct erldist_process *proc;

	rcu_read_lock();
	proc = xa_load(&node->pids, id);
	if (proc && (proc->serial != serial || !erldist_process_tryget(proc)))
		proc = NULL;
	rcu_read_unlock();
	return proc;
}

/**
 * erldist_process_named() - a process by its registered name
 * @node: the node
 * @name: the name
 *
 * Context: any.
 * Return: the process with a reference, or NULL; one that has ended has no name.
 */
struct erldist_process *erldist_process_named(struct erldist_node *node,
					      const struct etf_atom *name)
{
	struct erldist_process *proc = NULL;
	struct erldist_name *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&node->names, name, erldist_name_params);
	if (entry && erldist_process_alive(entry->process) &&
	    erldist_process_tryget(entry->process))
		proc = entry->process;
	rcu_read_unlock();
	return proc;
}

/**
 * erldist_process_pid() - a process's pid
 * @proc: the process
 * Return: the pid; its node points into the node.
 */
struct etf_pid erldist_process_pid(const struct erldist_process *proc)
{
	return (struct etf_pid) {
		.node = proc->node->atom,
		.id = proc->id,
		.serial = proc->serial,
		.creation = proc->node->creation,
	};
}

/**
 * erldist_process_next() - go through a node's processes
 * @node: the node
 * @id: where to begin; set to the id of what is returned
 * Return: the first process with this id or a greater one, with a reference;
 * NULL: there is none.
 */
struct erldist_process *erldist_process_next(struct erldist_node *node,
					     unsigned long *id)
{
	struct erldist_process *proc;

	rcu_read_lock();
	do {
		proc = xa_find(&node->pids, id, ULONG_MAX, XA_PRESENT);
		if (proc && erldist_process_tryget(proc))
			break;
		(*id)++;
	} while (proc);
	rcu_read_unlock();
	return proc;
}

/**
 * erldist_processes_close() - the node goes: its processes end
 * @node: the node, dead
 *
 * Context: process context.
 */
void erldist_processes_close(struct erldist_node *node)
{
	struct erldist_process *proc;
	unsigned long id = 0;

	while ((proc = erldist_process_next(node, &id))) {
		erldist_process_end_known(proc, KNOWN_NOCONNECTION, ENETDOWN);
		erldist_process_put(proc);
		id++;
		cond_resched();
	}
}

/**
 * erldist_process_overflow() - the pool is full and waiting cannot help
 * @node: the node
 *
 * The process that holds most of it, to an eighth, ends with mailbox_overflow.
 *
 * Context: process context.
 * Return: false when nobody holds anything.
 */
bool erldist_process_overflow(struct erldist_node *node)
{
	struct erldist_process *proc = erldist_mailbox_largest(node);

	if (!proc)
		return false;
	atomic64_inc(&node->overflows);
	erldist_process_end_known(proc, KNOWN_OVERFLOW, ENOBUFS);
	erldist_process_put(proc);
	return true;
}

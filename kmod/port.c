// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reply ports: more sockets of one process, each with a queue of its own.
 */
#include "node.h"
#include "process.h"
#include "relation.h"

#define PORTS_MAX	1024	/* of one process */

static void port_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct erldist_port, rcu));
}

/**
 * erldist_port_put() - drop a reference
 * @port: the port, or NULL
 *
 * Context: any; whoever calls holds the node.
 */
void erldist_port_put(struct erldist_port *port)
{
	if (!port || !refcount_dec_and_test(&port->ref))
		return;
	erldist_held_give(port->process->node, port->process->account,
			  HELD_PORTS);
	erldist_process_put(port->process);
	call_rcu(&port->rcu, port_free_rcu);
}

static int port_add(struct erldist_port *port)
{
	struct erldist_mailbox *mb = &port->process->mailbox;
	int err = 0;

	spin_lock_bh(&mb->lock);
	if (!erldist_process_alive(port->process)) {
		err = -EPIPE;
	} else if (mb->n_ports >= PORTS_MAX) {
		err = -EUSERS;
	} else {
		WRITE_ONCE(mb->n_ports, mb->n_ports + 1);
		list_add_rcu(&port->list, &mb->ports);
	}
	spin_unlock_bh(&mb->lock);
	return err;
}

/**
 * erldist_port_new() - a reply port of a process
 * @proc: the process
 * @sk: the port's socket
 *
 * Context: process context.
 * Return: the port, with the socket's reference; ERR_PTR: -EPIPE the process
 * has ended, -EUSERS it has too many, or its user, or the node; -ENOMEM.
 */
struct erldist_port *erldist_port_new(struct erldist_process *proc,
				      struct sock *sk)
{
	struct erldist_node *node = proc->node;
	struct erldist_port *port;
	int err;

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return ERR_PTR(-ENOMEM);
	err = erldist_held_take(node, proc->account, HELD_PORTS,
				READ_ONCE(node->limits.processes));
	if (err) {
		kfree(port);
		return ERR_PTR(err);
	}
	refcount_set(&port->ref, 1);
	INIT_LIST_HEAD(&port->relations);
	erldist_queue_init(&port->queue, sk);
	erldist_process_get(proc);
	port->process = proc;
	err = port_add(port);
	if (!err)
		return port;
	erldist_port_put(port);
	return ERR_PTR(err);
}

/**
 * erldist_port_close() - the port's socket goes
 * @port: the port; the socket's reference is dropped
 *
 * What was asked for on it is over: demonitored, unaliased.
 *
 * Context: process context.
 */
void erldist_port_close(struct erldist_port *port)
{
	struct erldist_mailbox *mb = &port->process->mailbox;

	spin_lock_bh(&mb->lock);
	WRITE_ONCE(mb->n_ports, mb->n_ports - 1);
	list_del_rcu(&port->list);
	spin_unlock_bh(&mb->lock);
	erldist_relations_of_port(port);
	erldist_queue_close(port->process, &port->queue);
	erldist_port_put(port);
}

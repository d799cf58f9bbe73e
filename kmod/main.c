// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module and namespace, init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>

#include "channel.h"
#include "main.h"
#include "netlink.h"
#include "node.h"
#include "process.h"

static int family = AF_ERLDIST;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "number of the address family (a vacant one)");

static bool unprivileged;
module_param(unprivileged, bool, 0644);
MODULE_PARM_DESC(unprivileged, "others than CAP_NET_ADMIN may make nodes");

static unsigned int erldist_net_id __ro_after_init;

struct workqueue_struct *erldist_wq;
struct workqueue_struct *erldist_reaper_wq;

/**
 * erldist_family() - number of the address family in use
 * Return: what socket() takes.
 */
int erldist_family(void)
{
	return family;
}

/**
 * erldist_may_make_nodes() - may the caller make a node
 *
 * Initial user namespace only: a node reaches parsers and TCP callbacks that an
 * unprivileged user namespace has no business with.
 *
 * Return: true if so.
 */
bool erldist_may_make_nodes(void)
{
	return unprivileged || capable(CAP_NET_ADMIN);
}

/**
 * erldist_net() - what this module keeps in a namespace
 * @net: the namespace
 * Return: never NULL.
 */
struct erldist_net *erldist_net(const struct net *net)
{
	return net_generic(net, erldist_net_id);
}

static int __net_init erldist_net_init(struct net *net)
{
	struct erldist_net *en = erldist_net(net);
	int i;

	mutex_init(&en->lock);
	INIT_LIST_HEAD(&en->nodes);
	for (i = 0; i < ARRAY_SIZE(en->seq_lock); i++)
		mutex_init(&en->seq_lock[i]);
	return 0;
}

static void __net_exit erldist_net_exit(struct net *net)
{
	/* A node holds its namespace: none can be left. */
	WARN_ON_ONCE(!list_empty(&erldist_net(net)->nodes));
}

static struct pernet_operations erldist_net_ops = {
	.init = erldist_net_init,
	.exit = erldist_net_exit,
	.id = &erldist_net_id,
	.size = sizeof(struct erldist_net),
};

static int erldist_create(struct net *net, struct socket *sock, int protocol,
			  int kern)
{
	if (protocol)
		return -EPROTONOSUPPORT;
	switch (sock->type) {
	case SOCK_RAW:
		return erldist_node_socket_create(net, sock, kern);
	case SOCK_RDM:
		return erldist_process_socket_create(net, sock, kern);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static struct net_proto_family erldist_family_ops __ro_after_init = {
	.create = erldist_create,
	.owner = THIS_MODULE,
};

static int __init workqueues_init(void)
{
	erldist_wq = alloc_workqueue("erldist", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!erldist_wq)
		return -ENOMEM;
	erldist_reaper_wq = alloc_workqueue("erldist_reaper",
					    WQ_UNBOUND | WQ_MEM_RECLAIM |
					    WQ_HIGHPRI, 0);
	if (!erldist_reaper_wq) {
		destroy_workqueue(erldist_wq);
		return -ENOMEM;
	}
	return 0;
}

static void workqueues_exit(void)
{
	/* Channels queue relations for the reaper, the reaper pushes. */
	drain_workqueue(erldist_wq);
	destroy_workqueue(erldist_reaper_wq);
	destroy_workqueue(erldist_wq);
}

static int __init protos_init(void)
{
	int err;

	err = proto_register(&erldist_node_proto, 0);
	if (err)
		return err;
	err = proto_register(&erldist_process_proto, 1);
	if (err)
		proto_unregister(&erldist_node_proto);
	return err;
}

static void protos_exit(void)
{
	proto_unregister(&erldist_process_proto);
	proto_unregister(&erldist_node_proto);
}

static int __init family_init(void)
{
	int err;

	erldist_family_ops.family = family;
	err = sock_register(&erldist_family_ops);
	if (err)
		pr_err("address family %d is not vacant (%d): load with family=N\n",
		       family, err);
	return err;
}

static int __init erldist_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct sockaddr_erldist) !=
		     sizeof(struct sockaddr_storage));
	if (family <= AF_UNSPEC || family >= AF_MAX) {
		pr_err("family=%d: must be 1 to %d\n", family, AF_MAX - 1);
		return -EINVAL;
	}
	err = erldist_messages_init();
	if (err)
		return err;
	err = erldist_processes_init();
	if (err)
		goto err_messages;
	err = workqueues_init();
	if (err)
		goto err_processes;
	err = register_pernet_subsys(&erldist_net_ops);
	if (err)
		goto err_workqueues;
	err = erldist_transport_init();
	if (err)
		goto err_pernet;
	err = erldist_netlink_init();
	if (err)
		goto err_transport;
	err = protos_init();
	if (err)
		goto err_netlink;
	err = family_init();
	if (err)
		goto err_protos;
	return 0;

err_protos:
	protos_exit();
err_netlink:
	erldist_netlink_exit();
err_transport:
	erldist_transport_exit();
err_pernet:
	unregister_pernet_subsys(&erldist_net_ops);
err_workqueues:
	workqueues_exit();
err_processes:
	erldist_processes_exit();
err_messages:
	erldist_messages_exit();
	return err;
}

static void __exit erldist_exit(void)
{
	sock_unregister(family);
	/*
	 * No socket is left, but a closed node's channels may still be on
	 * their way out, in works that notify, and hold namespaces.
	 */
	flush_workqueue(erldist_wq);
	flush_workqueue(erldist_reaper_wq);
	rcu_barrier();
	workqueues_exit();
	rcu_barrier();
	protos_exit();
	erldist_netlink_exit();
	erldist_transport_exit();
	unregister_pernet_subsys(&erldist_net_ops);
	rcu_barrier();
	erldist_processes_exit();
	erldist_messages_exit();
}

module_init(erldist_init);
module_exit(erldist_exit);

MODULE_DESCRIPTION("Erlang distribution: processes and nodes as sockets");
MODULE_AUTHOR("The erldist authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
/*
 * The library and the commands look the family up, which loads the module. Any
 * user may do that; making a node still needs CAP_NET_ADMIN, and without a node
 * there is no process.
 */
MODULE_ALIAS_GENL_FAMILY(ERLDIST_FAMILY_NAME);

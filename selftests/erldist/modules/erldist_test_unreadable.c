// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes for a TCP port over the loopback device looks as if it were in the
 * memory of a device. Real device memory takes a driver with
 * netdev_queue_mgmt_ops, which no card that QEMU emulates has, nor netdevsim.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>

static ushort port;
module_param(port, ushort, 0444);
MODULE_PARM_DESC(port, "of the receiver");

static bool for_port(const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct tcphdr *tcp;

	if (skb_headlen(skb) < sizeof(*ip) + sizeof(*tcp) ||
	    ip->protocol != IPPROTO_TCP || ip->ihl != 5)
		return false;
	tcp = (const struct tcphdr *)(ip + 1);
	return ntohs(tcp->dest) == port;
}

/* This is the buffer that the stack goes on with, not a copy of it. */
static int unreadable_rcv(struct sk_buff *skb, struct net_device *dev,
			  struct packet_type *type, struct net_device *orig_dev)
{
	if (skb->data_len && for_port(skb))
		skb->unreadable = 1;
	kfree_skb(skb);
	return 0;
}

static struct packet_type unreadable_type = {
	.type = htons(ETH_P_ALL),
	.func = unreadable_rcv,
};

static int __init unreadable_init(void)
{
	/* Linux 7.x warns without one; the caller of modprobe is the test. */
	unreadable_type.af_packet_net = current->nsproxy->net_ns;
	dev_add_pack(&unreadable_type);
	return 0;
}

static void __exit unreadable_exit(void)
{
	dev_remove_pack(&unreadable_type);
}

module_init(unreadable_init);
module_exit(unreadable_exit);
MODULE_DESCRIPTION("Unreadable fragments, for a test of erldist");
MODULE_LICENSE("GPL");

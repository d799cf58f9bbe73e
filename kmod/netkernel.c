// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_kernel, the one pseudo-process of a node: it answers net_adm:ping/1, and
 * tells anyone who calls it otherwise that there is nobody.
 */
#include "channel.h"
#include "process.h"

/* Longest tag that is copied back */
#define TAG_MAX		512

/* {'$gen_call', {Pid, Tag}, Request}, Tag with a reference in it */
struct gen_call {
	struct etf_pid from;
	struct etf_ref ref;
	bool alias;		/* the reference is one to reply to */
	const u8 *tag;
	size_t tag_len;
	bool is_auth;
};

static int get_atom_is(struct etf_cursor *c, const char *ascii)
{
	struct etf_atom atom;

	if (etf_get_atom(c, &atom))
		return -EBADMSG;
	return etf_atom_is(&atom, ascii) ? 0 : -EBADMSG;
}

static int get_tuple(struct etf_cursor *c, u32 arity)
{
	u32 n;

	if (etf_get_tuple(c, &n))
		return -EBADMSG;
	return n == arity ? 0 : -EBADMSG;
}

/* The head of a list of one element */
static bool get_cons(struct etf_cursor *c)
{
	if (c->end - c->p < 5 || *c->p != ETF_LIST ||
	    get_unaligned_be32(c->p + 1) != 1)
		return false;
	c->p += 5;
	return true;
}

/* Ref | [alias|Ref] | [[alias|Ref]|Label], gen.erl's reply/2 */
static int get_tag(struct etf_cursor *c, struct gen_call *call)
{
	struct etf_cursor tag = *c;
	int err;

	if (etf_skip(c))
		return -EBADMSG;
	call->tag = tag.p;
	call->tag_len = c->p - tag.p;
	call->alias = get_cons(&tag);
	if (call->alias) {
		get_cons(&tag);
		err = get_atom_is(&tag, "alias");
		if (err)
			return err;
	}
	if (etf_get_ref(&tag, &call->ref) || call->tag_len > TAG_MAX)
		return -EBADMSG;
	return 0;
}

static int get_call(struct etf_cursor *c, struct gen_call *call)
{
	int err;

	err = get_tuple(c, 3) ?: get_atom_is(c, "$gen_call") ?: get_tuple(c, 2);
	if (err || etf_get_pid(c, &call->from))
		return -EBADMSG;
	err = get_tag(c, call);
	if (err)
		return err;
	call->is_auth = !get_tuple(c, 2) && !get_atom_is(c, "is_auth");
	return 0;
}

static size_t reply_size(const struct gen_call *call)
{
	return 2 + call->tag_len + 5;
}

/* {Tag, yes} */
static u8 *put_reply(u8 *p, const struct gen_call *call)
{
	struct etf_atom yes = etf_ascii("yes");

	*p++ = ETF_SMALL_TUPLE;
	*p++ = 2;
	memcpy(p, call->tag, call->tag_len);
	return etf_put_atom(p + call->tag_len, &yes);
}

static struct etf_pid node_pid(const struct erldist_node *node)
{
	return (struct etf_pid) {
		.node = node->atom,
		.creation = node->creation,
	};
}

static void remote_yes(struct erldist_channel *ch, const struct gen_call *call,
		       struct erldist_ctl_out *out, struct erldist_msg *msg)
{
	bool alias = call->alias && ch->dflags & DFLAG_ALIAS;
	u8 *p;

	out->op = OP_SEND;
	out->to_kind = alias ? CTL_REF : CTL_PID;
	out->to = call->from;
	out->to_ref = call->ref;
	p = erldist_ctl_write(msg->data, out, ch->dflags);
	if (!ch->header_mode)
		*p++ = ETF_VERSION;
	msg->used = put_reply(p, call) - msg->data;
}

static void remote_noproc(struct erldist_channel *ch,
			  const struct gen_call *call,
			  struct erldist_ctl_out *out, struct erldist_msg *msg)
{
	struct etf_atom noproc = etf_ascii("noproc");
	u8 *p;

	out->op = OP_MONITOR_P_EXIT;
	out->from_kind = CTL_NAME;
	out->name = etf_ascii("net_kernel");
	out->to_kind = CTL_PID;
	out->to = call->from;
	out->ref = &call->ref;
	p = erldist_ctl_write(msg->data, out, ch->dflags);
	if (!ch->header_mode && ch->dflags & DFLAG_EXIT_PAYLOAD)
		*p++ = ETF_VERSION;
	msg->used = etf_put_atom(p, &noproc) - msg->data;
}

/**
 * erldist_netkernel_call() - a peer sent something to net_kernel
 * @ch: where it came in
 * @msg: the message, stays the caller's
 *
 * is_auth gets yes, to the alias if the caller gave one; any other call gets
 * DOWN with noproc, from the reference in its tag; the rest is ignored.
 *
 * Context: rx_work.
 */
void erldist_netkernel_call(struct erldist_channel *ch,
			    const struct erldist_msg *msg)
{
	struct etf_cursor c = { msg->data + msg->body, msg->data + msg->used };
	struct erldist_ctl_out out = {
		.from_kind = CTL_PID,
		.from = node_pid(ch->node),
	};
	struct erldist_msg *reply;
	struct gen_call call;

	if (msg->pieces || get_call(&c, &call) ||
	    !etf_atom_equal(&call.from.node, &ch->peer->atom))
		return;
	reply = erldist_msg_alloc(ERLDIST_CTL_SIZE + TAG_MAX, GFP_KERNEL);
	if (!reply)
		return;
	if (call.is_auth)
		remote_yes(ch, &call, &out, reply);
	else
		remote_noproc(ch, &call, &out, reply);
	erldist_send_raw(ch, 0, reply);
}

/**
 * erldist_netkernel_local() - a process sent something to its own net_kernel
 * @msg: the message, stays the caller's
 * @alias: set to where the reply is wanted; n is 0: in the sender's mailbox
 *
 * Context: process context.
 * Return: the reply to is_auth, or NULL.
 */
struct erldist_msg *erldist_netkernel_local(const struct erldist_msg *msg,
					    struct etf_ref *alias)
{
	struct etf_cursor c = { msg->data + msg->body, msg->data + msg->used };
	struct erldist_msg *reply;
	struct gen_call call;

	if (msg->pieces || get_call(&c, &call) || !call.is_auth)
		return NULL;
	reply = erldist_msg_alloc(reply_size(&call), GFP_KERNEL_ACCOUNT);
	if (!reply)
		return NULL;
	reply->used = put_reply(reply->data, &call) - reply->data;
	reply->len = reply->used;
	*alias = call.ref;
	if (!call.alias)
		alias->n = 0;
	return reply;
}

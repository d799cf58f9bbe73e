// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_kernel and rex, which every node has. net_kernel answers net_adm:ping/1,
 * and tells anyone who calls it otherwise that there is nobody. rex is here where
 * no process has that name: it tells whoever asks for rpc that there is none, as
 * erl_call and other C nodes would wait for ever (lib/kernel/src/rpc.erl).
 */
#include "channel.h"
#include "process.h"

/* Longest tag that is copied back */
#define TAG_MAX		512
/* What a reply is made of, besides a tag and the names of nodes and processes */
#define REPLY_MAX	64

enum call_kind {
	CALL_UNKNOWN,		/* of net_kernel */
	CALL_IS_AUTH,		/* likewise: ping */
	CALL_REX,
	CALL_REX_PLAIN,		/* {Pid, {call, M, F, A, GroupLeader}} */
	CALL_REX_FEATURES,	/* {Pid, features_request} */
	CALL_REX_SBCAST,	/* {Pid, {sbcast, Name, Message}} */
};

/* {'$gen_call', {Pid, Tag}, Request}, Tag with a reference in it; CALL_REX_* */
struct call {
	enum call_kind kind;
	struct etf_pid from;
	struct etf_ref ref;
	bool alias;		/* the reference is one to reply to */
	const u8 *tag;
	size_t tag_len;
	struct etf_atom name;	/* SBCAST */
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
static int get_tag(struct etf_cursor *c, struct call *call)
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

static int get_gen_call(struct etf_cursor *c, struct call *call)
{
	int err;

	err = get_atom_is(c, "$gen_call") ?: get_tuple(c, 2);
	if (err || etf_get_pid(c, &call->from))
		return -EBADMSG;
	return get_tag(c, call);
}

static int get_net_kernel(struct etf_cursor *c, struct call *call)
{
	int err = get_tuple(c, 3) ?: get_gen_call(c, call);

	if (err)
		return err;
	call->kind = !get_tuple(c, 2) && !get_atom_is(c, "is_auth") ?
		     CALL_IS_AUTH : CALL_UNKNOWN;
	return 0;
}

/* What rex answers that is not called as a gen_server */
static int get_rex_plain(struct etf_cursor *c, struct call *call)
{
	struct etf_atom atom;
	u32 arity = 0;
	bool tuple;

	if (etf_get_pid(c, &call->from))
		return -EBADMSG;
	tuple = !etf_get_tuple(c, &arity);
	if (etf_get_atom(c, &atom))
		return -EBADMSG;
	if (arity == 5 && etf_atom_is(&atom, "call"))
		call->kind = CALL_REX_PLAIN;
	else if (!tuple && etf_atom_is(&atom, "features_request"))
		call->kind = CALL_REX_FEATURES;
	else if (arity == 3 && etf_atom_is(&atom, "sbcast") &&
		 !etf_get_atom(c, &call->name))
		call->kind = CALL_REX_SBCAST;
	else
		return -EBADMSG;
	return 0;
}

static int get_rex(struct etf_cursor *c, struct call *call)
{
	u32 arity;

	call->kind = CALL_REX;
	if (etf_get_tuple(c, &arity) || arity < 2 || arity > 3)
		return -EBADMSG;
	return arity == 3 ? get_gen_call(c, call) : get_rex_plain(c, call);
}

/* All of it is at the front, however large the arguments of a function are. */
static int get_call(const struct erldist_msg *msg, const struct etf_atom *name,
		    struct call *call)
{
	struct etf_cursor c = { msg->data + msg->body, msg->data + msg->used };

	memset(call, 0, sizeof(*call));
	return etf_atom_is(name, "rex") ? get_rex(&c, call) :
					  get_net_kernel(&c, call);
}

static size_t reply_size(const struct erldist_node *node,
			 const struct call *call)
{
	return REPLY_MAX + call->tag_len + etf_atom_size(&node->atom) +
	       etf_atom_size(&call->name);
}

static u8 *put_tuple(u8 *p, u8 arity)
{
	*p++ = ETF_SMALL_TUPLE;
	*p++ = arity;
	return p;
}

static u8 *put_word(u8 *p, const char *word)
{
	struct etf_atom atom = etf_ascii(word);

	return etf_put_atom(p, &atom);
}

static u8 *put_notsup(u8 *p)
{
	return put_word(put_word(put_tuple(p, 2), "badrpc"), "notsup");
}

static u8 *put_reply(u8 *p, const struct erldist_node *node,
		     const struct call *call)
{
	switch (call->kind) {
	case CALL_REX_PLAIN:
		return put_notsup(put_word(put_tuple(p, 2), "rex"));
	case CALL_REX_FEATURES:
		p = put_word(put_tuple(p, 3), "features_reply");
		p = etf_put_atom(p, &node->atom);
		*p++ = ETF_NIL;
		return p;
	case CALL_REX_SBCAST:
		p = put_word(put_tuple(p, 3), "rex");
		p = put_tuple(etf_put_atom(p, &node->atom), 2);
		p = put_word(p, "nonexisting_name");
		return etf_put_atom(p, &call->name);
	default:
		p = put_tuple(p, 2);
		memcpy(p, call->tag, call->tag_len);
		p += call->tag_len;
		return call->kind == CALL_REX ? put_notsup(p) :
						put_word(p, "yes");
	}
}

static struct etf_pid node_pid(const struct erldist_node *node)
{
	return (struct etf_pid) {
		.node = node->atom,
		.creation = node->creation,
	};
}

static void remote_reply(struct erldist_channel *ch, const struct call *call,
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
	msg->used = put_reply(p, ch->node, call) - msg->data;
}

/* Returns false when the peer does not know monitors. */
static bool remote_noproc(struct erldist_channel *ch,
			  const struct call *call,
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
	if (!p)
		return false;
	if (!ch->header_mode && ch->dflags & DFLAG_EXIT_PAYLOAD)
		*p++ = ETF_VERSION;
	msg->used = etf_put_atom(p, &noproc) - msg->data;
	return true;
}

/**
 * erldist_netkernel_is() - does the node itself answer for a name
 * @name: the name, which no process has
 */
bool erldist_netkernel_is(const struct etf_atom *name)
{
	return etf_atom_is(name, "net_kernel") || etf_atom_is(name, "rex");
}

/**
 * erldist_netkernel_call() - a peer sent something to the node itself
 * @ch: where it came in
 * @name: of which erldist_netkernel_is()
 * @msg: the message, stays the caller's
 *
 * A reply goes to the alias if the caller gave one; calls of net_kernel other
 * than is_auth get DOWN with noproc, from the reference in the tag, if the peer
 * knows monitors; what is no call is ignored.
 *
 * Context: rx_work.
 */
void erldist_netkernel_call(struct erldist_channel *ch,
			    const struct etf_atom *name,
			    const struct erldist_msg *msg)
{
	struct erldist_ctl_out out = {
		.from_kind = CTL_PID,
		.from = node_pid(ch->node),
	};
	struct erldist_msg *reply;
	struct call call;

	if (get_call(msg, name, &call) ||
	    !etf_atom_equal(&call.from.node, &ch->peer->atom))
		return;
	reply = erldist_msg_alloc(ERLDIST_CTL_SIZE +
				  reply_size(ch->node, &call), GFP_KERNEL);
	if (!reply)
		return;
	if (call.kind != CALL_UNKNOWN) {
		remote_reply(ch, &call, &out, reply);
	} else if (!remote_noproc(ch, &call, &out, reply)) {
		erldist_msg_put(reply);
		return;
	}
	erldist_send_raw(ch, 0, reply);
}

/**
 * erldist_netkernel_local() - a process sent something to its own node
 * @node: the node
 * @name: of which erldist_netkernel_is()
 * @msg: the message, stays the caller's
 * @alias: set to where the reply is wanted; n is 0: in the sender's mailbox
 *
 * Context: process context.
 * Return: the reply, or NULL: it has none.
 */
struct erldist_msg *erldist_netkernel_local(const struct erldist_node *node,
					    const struct etf_atom *name,
					    const struct erldist_msg *msg,
					    struct etf_ref *alias)
{
	struct erldist_msg *reply;
	struct call call;

	if (get_call(msg, name, &call) || call.kind == CALL_UNKNOWN)
		return NULL;
	reply = erldist_msg_alloc(reply_size(node, &call), GFP_KERNEL_ACCOUNT);
	if (!reply)
		return NULL;
	reply->used = put_reply(reply->data, node, &call) - reply->data;
	reply->len = reply->used;
	*alias = call.ref;
	if (!call.alias)
		alias->n = 0;
	return reply;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spawn requests: to a peer, and from peers to the node's spawn server
 * (erlang:spawn_request/5; erts/emulator/beam/dist.c, erl_process.c).
 */
#include "channel.h"
#include "node.h"
#include "peer.h"
#include "process.h"
#include "relation.h"
#include "signal.h"
#include "spawn.h"

#define ARITY_MAX	255
/* Bytes of options: with all else of a request's head less than send.c's HEAD_MAX */
#define OPTIONS_MAX	512
/* Words of a heap that may be asked for: some values would kill a BEAM. */
#define HEAP_MAX	16777216

/*
 * To a peer
 */

/* What a request is made of, all of it within the payload's first part */
struct spawn_parts {
	struct etf_atom module;
	struct etf_atom function;
	const u8 *options;
	u32 options_len;
	const u8 *args;
	u32 arity;
	u8 flags;		/* SPAWN_LINKED, _MONITORED */
};

/* {Option, Value} with a value that no BEAM comes to harm by */
static int check_option(struct etf_cursor *c)
{
	static const char *const numbers[] = {
		"fullsweep_after", "min_heap_size", "min_bin_vheap_size",
		"max_heap_size",
	};
	struct etf_atom name, value;
	u32 arity;
	s64 n;
	int i;

	if (etf_get_tuple(c, &arity) || arity != 2 || etf_get_atom(c, &name))
		return -EINVAL;
	if (etf_atom_is(&name, "priority") ||
	    etf_atom_is(&name, "message_queue_data"))
		return etf_get_atom(c, &value) ? -EINVAL : 0;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (etf_atom_is(&name, numbers[i]))
			return etf_get_int(c, &n) || n < 0 || n > HEAP_MAX ?
			       -EINVAL : 0;
	}
	return -EINVAL;
}

static int one_option(struct etf_cursor *c, u8 *flags)
{
	struct etf_atom atom;

	if (etf_get_atom(c, &atom))
		return check_option(c);
	if (etf_atom_is(&atom, "link"))
		*flags |= SPAWN_LINKED;
	else if (etf_atom_is(&atom, "monitor"))
		*flags |= SPAWN_MONITORED;
	else
		return -EINVAL;
	return 0;
}

/* Elements of a proper list; no strings. */
static int list_begin(struct etf_cursor *c, u32 *n)
{
	*n = 0;
	if (c->end - c->p >= 5 && *c->p == ETF_LIST) {
		*n = get_unaligned_be32(c->p + 1);
		c->p += 5;
		return 0;
	}
	return c->p < c->end && *c->p == ETF_NIL ? 0 : -EINVAL;
}

static int list_end(struct etf_cursor *c)
{
	if (c->p == c->end || *c->p != ETF_NIL)
		return -EINVAL;
	c->p++;
	return 0;
}

static int read_options(struct etf_cursor *c, struct spawn_parts *parts)
{
	const u8 *start = c->p;
	u32 n;
	int err = list_begin(c, &n);

	while (!err && n--)
		err = one_option(c, &parts->flags);
	err = err ?: list_end(c);
	parts->options = start;
	parts->options_len = c->p - start;
	return err ?: parts->options_len > OPTIONS_MAX ? -EINVAL : 0;
}

/* The whole payload, which may be in pieces: its list must be a proper one. */
static int args_are_proper(const struct erldist_msg *msg, size_t skip, u32 n)
{
	struct erldist_blob *blob = erldist_msg_blob(msg, skip);
	struct etf_cursor c;
	int err;

	if (!blob)
		return -ENOMEM;
	c = (struct etf_cursor){ blob->data + 5, blob->data + blob->len };
	for (err = 0; !err && n; n--)
		err = etf_skip(&c);
	err = err ?: list_end(&c);
	erldist_blob_put(blob);
	return err ? -EINVAL : 0;
}

static int read_arguments(const struct erldist_msg *msg, struct etf_cursor *c,
			  struct spawn_parts *parts)
{
	parts->args = c->p;
	/* A list of small integers may come as a string. */
	if (c->end - c->p >= 3 && *c->p == ETF_STRING) {
		parts->arity = get_unaligned_be16(c->p + 1);
		return parts->arity <= ARITY_MAX ? 0 : -EINVAL;
	}
	if (list_begin(c, &parts->arity) || parts->arity > ARITY_MAX)
		return -EINVAL;
	if (!parts->arity)
		return 0;
	return args_are_proper(msg, parts->args - msg->data - msg->body,
			       parts->arity);
}

/* {Module, Function, Options, Arguments}, which is a term */
static int parse_spawn(const struct erldist_msg *msg, struct spawn_parts *parts)
{
	struct etf_cursor c = { msg->data + msg->body, msg->data + msg->used };
	u32 arity;
	int err;

	memset(parts, 0, sizeof(*parts));
	if (etf_get_tuple(&c, &arity) || arity != 4 ||
	    etf_get_atom(&c, &parts->module) ||
	    etf_get_atom(&c, &parts->function))
		return -EINVAL;
	err = read_options(&c, parts);
	return err ? -EINVAL : read_arguments(msg, &c, parts);
}

/* {M, F, Arity} and the options */
static u32 mfa_size(const struct spawn_parts *parts)
{
	return 2 + etf_atom_size(&parts->module) +
	       etf_atom_size(&parts->function) + 2 + parts->options_len;
}

static u8 *put_mfa(u8 *p, const struct spawn_parts *parts)
{
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 3;
	p = etf_put_atom(p, &parts->module);
	p = etf_put_atom(p, &parts->function);
	*p++ = ETF_SMALL_INTEGER;
	*p++ = parts->arity;
	memcpy(p, parts->options, parts->options_len);
	return p + parts->options_len;
}

/* The same payload from @from on, behind other bytes; takes over its pieces. */
static struct erldist_msg *rebuild(struct erldist_msg *msg, const u8 *from,
				   u32 before)
{
	u32 rest = msg->data + msg->used - from;
	struct erldist_msg *new;

	new = erldist_msg_alloc(before + rest, GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	memcpy(new->data + before, from, rest);
	new->used = before + rest;
	new->len = msg->len - (from - msg->data - msg->body);
	new->pieces = msg->pieces;
	if (msg->pieces)
		new->tail = msg->tail;
	msg->pieces = NULL;
	msg->tail = &msg->pieces;
	return new;
}

/* {spawn_reply, Ref, Result, Term} */
static struct erldist_msg *reply_new(const struct erldist_relation *rel,
				     const char *result, const u8 *term,
				     u32 len)
{
	struct erldist_process *proc = rel->near.process;
	struct etf_ref ref = erldist_own_ref(proc->node, proc->id,
					     rel->sequence);
	struct etf_atom tag = etf_ascii("spawn_reply");
	struct etf_atom atom = etf_ascii(result);
	struct erldist_msg *msg;
	u8 *p;

	msg = erldist_msg_alloc(2 + etf_atom_size(&tag) + etf_ref_size(&ref) +
				etf_atom_size(&atom) + len, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	p = msg->data;
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 4;
	p = etf_put_ref(etf_put_atom(p, &tag), &ref);
	p = etf_put_atom(p, &atom);
	memcpy(p, term, len);
	msg->used = p + len - msg->data;
	msg->len = msg->used;
	msg->op = ERLDIST_SIG_SPAWN_REPLY;
	msg->remote = true;
	msg->sequence = rel->sequence;
	msg->user_data = rel->user_data;
	return msg;
}

/**
 * erldist_spawn_message() - {spawn_reply, Ref, error, Error}
 * @rel: the request
 * @error: an atom of up to 16 characters
 *
 * Context: process context.
 * Return: the message, or NULL.
 */
struct erldist_msg *erldist_spawn_message(const struct erldist_relation *rel,
					  const char *error)
{
	struct etf_atom atom = etf_ascii(error);
	u8 term[2 + 16];

	return reply_new(rel, "error", term,
			 etf_put_atom(term, &atom) - term);
}

/* What the new process will be to the requester: allocated before it is asked for */
static int prepare_child(const struct erldist_ask *ask,
			 struct erldist_relation *rel, u8 flags,
			 const struct etf_ref *ref)
{
	struct erldist_relation_spec spec = {
		.type = RELATION_LINK,
		.near = ask->from,
		.peer = ask->peer,
	};
	struct erldist_relation *new;

	if (flags & SPAWN_LINKED) {
		new = erldist_relation_new(&spec);
		if (IS_ERR(new))
			return PTR_ERR(new);
		rel->link = new;
	}
	if (flags & SPAWN_MONITORED) {
		spec.type = RELATION_MONITOR;
		spec.port = ask->port;
		spec.ref = ref;
		spec.sequence = ask->sig->ref;
		spec.user_data = ask->sig->user_data;
		new = erldist_relation_new(&spec);
		if (IS_ERR(new))
			return PTR_ERR(new);
		rel->monitor = new;
	}
	return 0;
}

static int spawn_send(const struct erldist_ask *ask, struct erldist_msg *msg,
		      struct erldist_relation *rel)
{
	int err = erldist_relation_hook(rel);

	if (!err)
		err = erldist_send(ask->peer, ask->from, msg, rel,
				   ask->sig->flags & ERLDIST_SIG_F_NOCONNECT,
				   false);
	if (err < 0)
		erldist_msg_put(msg);
	if (!err || !erldist_relation_cancel(rel))
		return err == -EEXIST ? err : 0;
	if (err > 0)
		erldist_relation_tell(rel, NULL);
	return min(err, 0);
}

static int spawn_related(const struct erldist_ask *ask, struct erldist_msg *msg,
			 const struct spawn_parts *parts)
{
	struct etf_ref ref = erldist_own_ref(ask->from->node, ask->from->id,
					     ask->sig->ref);
	const struct erldist_relation_spec spec = {
		.type = RELATION_SPAWN,
		.near = ask->from,
		.port = ask->port,
		.peer = ask->peer,
		.ref = &ref,
		.sequence = ask->sig->ref,
		.user_data = ask->sig->user_data,
	};
	struct erldist_relation *rel = erldist_relation_new(&spec);
	int err;

	if (IS_ERR(rel)) {
		erldist_msg_put(msg);
		return PTR_ERR(rel);
	}
	err = prepare_child(ask, rel, parts->flags, &ref);
	if (err)
		erldist_msg_put(msg);
	else
		err = spawn_send(ask, msg, rel);
	erldist_relation_put(rel);
	return err;
}

/**
 * erldist_ask_spawn() - have a process made at a peer
 * @ask: who, and where
 * @msg: {Module, Function, Options, Arguments}; stays the caller's, its pieces
 *	may go
 *
 * Options are link, monitor, and of those with a value what is safe for the peer;
 * 512 bytes at most.
 * The answer, {spawn_reply, Ref, ok | error, Result}, comes where it was asked.
 *
 * Context: process context.
 * Return: 0; -EINVAL no such payload, the own node, or a reference that was not
 * given out; -EEXIST it is in use; else as erldist_ask_monitor().
 */
int erldist_ask_spawn(const struct erldist_ask *ask, struct erldist_msg *msg)
{
	struct spawn_parts parts;
	struct erldist_msg *request;
	u32 before;
	int err;

	if (!ask->peer || !erldist_ask_ref_valid(ask))
		return -EINVAL;
	err = parse_spawn(msg, &parts);
	if (err)
		return err;
	before = mfa_size(&parts);
	request = rebuild(msg, parts.args, before);
	if (!request)
		return -ENOMEM;
	put_mfa(request->data, &parts);
	request->ctl_op = OP_SPAWN_REQUEST;
	request->sequence = ask->sig->ref;
	request->to_len = before;
	request->body = before;
	mutex_lock(&ask->from->asking);
	err = spawn_related(ask, request, &parts);
	mutex_unlock(&ask->from->asking);
	return err;
}

static struct erldist_msg *reply_message(const struct erldist_ctl *ctl,
					 const struct erldist_relation *rel)
{
	bool ok = ctl->from_kind == CTL_PID;
	struct erldist_msg *msg;

	msg = reply_new(rel, ok ? "ok" : "error", ctl->raw_from,
			ctl->raw_from_len);
	if (msg && ok) {
		msg->from = msg->used - ctl->raw_from_len;
		msg->from_len = ctl->raw_from_len;
	}
	return msg;
}

/* What was prepared holds now. False: the requester has ended. */
static bool begin(struct erldist_relation *rel, struct erldist_channel *ch,
		  const struct etf_pid *child)
{
	int err;

	if (!rel)
		return false;
	rel->id = child->id;
	rel->serial = child->serial;
	rel->creation = child->creation;
	err = erldist_relation_hook(rel);
	if (!err)
		erldist_relation_hook_channel(rel, ch);
	return !err || err == -EEXIST;
}

/**
 * erldist_spawn_replied() - a peer answers a spawn request
 * @ch: where it came in
 * @ctl: OP_SPAWN_REPLY
 * @proc: the requester, or NULL
 *
 * A child that nobody waits for any more hears so if it is linked.
 *
 * Context: rx_work.
 * Return: 0, or minus the enum erldist_reason to close the channel with.
 */
int erldist_spawn_replied(struct erldist_channel *ch,
			  const struct erldist_ctl *ctl,
			  struct erldist_process *proc)
{
	struct erldist_relation *rel = NULL;
	struct erldist_msg *msg;
	u8 left = ctl->from_kind == CTL_PID ? ctl->flags : 0;

	if (proc)
		rel = erldist_relation_take_own(proc, &ctl->ref, ch->peer,
						RELATION_SPAWN);
	if (!rel)
		return erldist_dispatch_orphan(ch, ctl, left, proc ?
					       "abandoned" : "noproc");
	msg = reply_message(ctl, rel);
	if (!msg) {
		/* The connection ends, and this is told. */
		erldist_relation_tell(rel, NULL);
		erldist_relation_drop(rel);
		return -ERLDIST_REASON_NO_MEMORY;
	}
	if (left & SPAWN_LINKED && begin(rel->link, ch, &ctl->from))
		left &= ~SPAWN_LINKED;
	if (left & SPAWN_MONITORED && begin(rel->monitor, ch, &ctl->from))
		left &= ~SPAWN_MONITORED;
	erldist_mailbox_put_signal(proc, rel->port, msg);
	erldist_relation_drop(rel);
	return erldist_dispatch_orphan(ch, ctl, left, "noproc");
}

/**
 * erldist_spawn_refused() - the peer takes no spawn requests
 * @ch: the connection
 * @msg: the request, which was to be sent
 * @key: of the requester
 *
 * Context: process context.
 */
void erldist_spawn_refused(struct erldist_channel *ch,
			   const struct erldist_msg *msg, u64 key)
{
	struct erldist_process *proc;
	struct erldist_relation *rel;
	struct erldist_msg *notsup;
	struct etf_ref ref;

	proc = erldist_process_find(ch->node, lower_32_bits(key),
				    upper_32_bits(key));
	if (!proc)
		return;
	ref = erldist_own_ref(ch->node, proc->id, msg->sequence);
	rel = erldist_relation_take_own(proc, &ref, ch->peer, RELATION_SPAWN);
	if (rel) {
		notsup = erldist_spawn_message(rel, "notsup");
		if (notsup)
			swap(rel->told, notsup);
		erldist_msg_put(notsup);
		erldist_relation_tell(rel, NULL);
		erldist_relation_drop(rel);
	}
	erldist_process_put(proc);
}

/*
 * From a peer
 */

/**
 * erldist_spawn_server_set() - be the node's spawn server, or not any more
 * @proc: the process
 * @on: which
 *
 * Context: process context.
 * Return: 0; -EADDRINUSE there is one that is alive; -EPIPE the process has ended.
 */
int erldist_spawn_server_set(struct erldist_process *proc, bool on)
{
	struct erldist_node *node = proc->node;
	struct erldist_process *old;
	int err = 0;

	if (on && !erldist_process_alive(proc))
		return -EPIPE;

	mutex_lock(&node->conf_lock);
	old = node->spawn_server;
	if (old && old != proc && erldist_process_alive(old)) {
		err = on ? -EADDRINUSE : 0;
		old = NULL;
	} else {
		if (on)
			erldist_process_get(proc);
		WRITE_ONCE(node->spawn_server, on ? proc : NULL);
	}
	mutex_unlock(&node->conf_lock);
	if (old)
		erldist_process_put(old);
	/* Pairs with process_tell(): whichever comes second sees the other. */
	smp_mb();
	if (on && !err && !erldist_process_alive(proc)) {
		erldist_spawn_server_set(proc, false);
		return -EPIPE;
	}
	return err;
}

/**
 * erldist_spawn_server_is() - is this the node's spawn server
 * @proc: the process
 */
bool erldist_spawn_server_is(const struct erldist_process *proc)
{
	return READ_ONCE(proc->node->spawn_server) == proc;
}

static struct erldist_process *get_server(struct erldist_node *node)
{
	struct erldist_process *proc;

	mutex_lock(&node->conf_lock);
	proc = node->spawn_server;
	if (proc && erldist_process_alive(proc))
		erldist_process_get(proc);
	else
		proc = NULL;
	mutex_unlock(&node->conf_lock);
	return proc;
}

/* link and monitor, {monitor, _}; what else there is, is the server's to read */
static int asked_flags(const struct erldist_ctl_raw *raw, u8 *flags)
{
	struct etf_cursor c = { raw->p, raw->p + raw->len };
	struct etf_atom atom;
	u32 n, arity;
	int err = list_begin(&c, &n);

	*flags = 0;
	while (!err && n--) {
		struct etf_cursor tag = c;

		if (!etf_get_tuple(&tag, &arity) && !arity)
			return -EINVAL;
		if (etf_get_atom(&tag, &atom))
			atom = (struct etf_atom){};
		if (etf_atom_is(&atom, "link"))
			*flags |= SPAWN_LINKED;
		else if (etf_atom_is(&atom, "monitor"))
			*flags |= SPAWN_MONITORED;
		err = etf_skip(&c);
	}
	return err ?: list_end(&c);
}

/* {spawn_request, Ref, From, GroupLeader, {M, F, Arity}, Options, Arguments} */
static struct erldist_msg *request_message(const struct erldist_ctl *ctl,
					   struct erldist_msg *msg)
{
	struct etf_atom tag = etf_ascii("spawn_request");
	u32 before = 2 + etf_atom_size(&tag) + ctl->raw_ref_len +
		     ctl->raw_from_len;
	struct erldist_msg *new;
	u8 *p;
	int i;

	for (i = 0; i < ctl->n_raw; i++)
		before += ctl->raw[i].len;
	new = rebuild(msg, msg->data + msg->body, before);
	if (!new)
		return NULL;
	p = new->data;
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 7;
	p = etf_put_atom(p, &tag);
	memcpy(p, ctl->raw_ref, ctl->raw_ref_len);
	p += ctl->raw_ref_len;
	new->from = p - new->data;
	new->from_len = ctl->raw_from_len;
	memcpy(p, ctl->raw_from, ctl->raw_from_len);
	p += ctl->raw_from_len;
	for (i = 0; i < ctl->n_raw; i++) {
		memcpy(p, ctl->raw[i].p, ctl->raw[i].len);
		p += ctl->raw[i].len;
	}
	new->len += before;
	new->op = ERLDIST_SIG_SPAWN_REQUEST;
	new->remote = true;
	return new;
}

static int serve(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		 struct erldist_msg *msg, struct erldist_process *server)
{
	struct erldist_relation_spec spec = {
		.type = RELATION_ASKED,
		.near = server,
		.peer = ch->peer,
		.by_peer = true,
		.pid = ctl->from,
		.ref = &ctl->ref,
	};
	struct erldist_relation *rel;
	int err;

	if (asked_flags(&ctl->raw[2], &spec.spawn_flags))
		return -EINVAL;
	msg = request_message(ctl, msg);
	if (!msg)
		return -ENOMEM;
	rel = erldist_relation_new(&spec);
	if (IS_ERR(rel)) {
		erldist_msg_put(msg);
		return PTR_ERR(rel);
	}
	err = erldist_relation_hook(rel);
	if (!err) {
		erldist_relation_hook_channel(rel, ch);
		/* Where it ends meanwhile, its end is the answer. */
		erldist_mailbox_put_signal(server, NULL, msg);
	} else {
		erldist_msg_put(msg);
	}
	erldist_relation_put(rel);
	return err;
}

/**
 * erldist_spawn_requested() - a peer asks for a process
 * @ch: where it came in
 * @ctl: OP_SPAWN_REQUEST
 * @msg: the frame, its payload the arguments; its pieces may go
 *
 * Context: rx_work.
 * Return: 0; why the answer is to be an error: -EOPNOTSUPP nobody serves it,
 * -EINVAL its options, -EUSERS a limit; or -ENOMEM.
 */
int erldist_spawn_requested(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl,
			    struct erldist_msg *msg)
{
	struct erldist_process *server = get_server(ch->node);
	int err;

	if (!server)
		return -EOPNOTSUPP;
	err = serve(ch, ctl, msg, server);
	erldist_process_put(server);
	if (err == -EPIPE)
		return -EOPNOTSUPP;
	/* The same reference twice: the peer gets one answer. */
	return err == -EEXIST ? 0 : err;
}

/**
 * erldist_spawn_cancel_message() - {spawn_cancel, Ref}
 * @rel: the requester's monitor of the process that was spawned for it
 *
 * Context: process context.
 * Return: the message, or NULL.
 */
struct erldist_msg *
erldist_spawn_cancel_message(const struct erldist_relation *rel)
{
	struct etf_atom tag = etf_ascii("spawn_cancel");
	struct etf_ref ref = rel->ref_id;
	struct erldist_msg *msg;
	u8 *p;

	ref.node = rel->peer->atom;
	msg = erldist_msg_alloc(2 + etf_atom_size(&tag) + etf_ref_size(&ref),
				GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	p = msg->data;
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 2;
	p = etf_put_ref(etf_put_atom(p, &tag), &ref);
	msg->used = p - msg->data;
	msg->len = msg->used;
	msg->op = ERLDIST_SIG_SPAWN_CANCEL;
	msg->remote = true;
	msg->user_data = rel->user_data;
	return msg;
}

/* What the child of a request will be to the requester */
static int child_relations(const struct erldist_ask *ask,
			   struct erldist_relation *asked,
			   struct erldist_process *child,
			   struct erldist_relation *with[2])
{
	struct erldist_relation_spec spec = {
		.near = child,
		.peer = asked->peer,
		.by_peer = true,
		.pid = {
			.id = asked->id,
			.serial = asked->serial,
			.creation = asked->creation,
		},
		.user_data = ask->sig->user_data,
	};
	int i;

	for (i = 0; i < 2; i++) {
		if (!(asked->spawn_flags & (i ? SPAWN_MONITORED : SPAWN_LINKED)))
			continue;
		spec.type = i ? RELATION_MONITOR : RELATION_LINK;
		spec.watched = i;
		spec.ref = i ? &asked->ref_id : NULL;
		spec.cancel = i && ask->sig->flags & ERLDIST_SIG_F_CANCEL;
		with[i] = erldist_relation_new(&spec);
		if (IS_ERR(with[i])) {
			int err = PTR_ERR(with[i]);

			with[i] = NULL;
			return err;
		}
	}
	return 0;
}

static int hook_child(struct erldist_relation *with[2])
{
	int i, err = 0;

	for (i = 0; i < 2 && !err; i++)
		err = with[i] ? erldist_relation_hook(with[i]) : 0;
	/* The child has ended. */
	return err == -EPIPE ? -ESRCH : err;
}

static void drop_child(struct erldist_relation *with[2], bool cancel)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (!with[i])
			continue;
		if (cancel)
			erldist_relation_cancel(with[i]);
		erldist_relation_put(with[i]);
	}
}

/* The pid of a process of this node, or an atom */
static int parse_answer(const struct erldist_process *from,
			const struct erldist_msg *msg, struct etf_atom *name,
			struct erldist_process **child)
{
	struct etf_cursor c = { msg->data + msg->body, msg->data + msg->used };
	struct erldist_node *node = from->node;
	struct etf_pid pid;

	*child = NULL;
	if (msg->pieces)
		return -EINVAL;
	if (!etf_get_atom(&c, name))
		return etf_atom_size(name) <= ERLDIST_SPAWN_ERROR_SIZE ?
		       0 : -EINVAL;
	if (etf_get_pid(&c, &pid) || !erldist_node_is(node, &pid.node) ||
	    pid.creation != node->creation)
		return -EINVAL;
	*child = erldist_process_find(node, pid.id, pid.serial);
	return *child ? 0 : -ESRCH;
}

static int answer_with(const struct erldist_ask *ask,
		       struct erldist_process *child, struct etf_atom name)
{
	struct erldist_relation *with[2] = {};
	struct erldist_relation *rel;
	bool sent = false;
	int err = 0;

	rel = erldist_relation_take_asked(ask->from, ask->peer,
					  &ask->dest->ref);
	if (!rel)
		return -ENOENT;
	if (child)
		err = child_relations(ask, rel, child, with) ?: hook_child(with);
	if (err)
		name = etf_ascii("system_limit");
	sent = erldist_relation_answer(rel, err ? NULL : child, &name, with);
	drop_child(with, err || !sent);
	erldist_relation_drop(rel);
	return err ?: sent ? 0 : -ENOENT;
}

/**
 * erldist_ask_spawn_answer() - the spawn server answers a request
 * @ask: who, and the request: its reference
 * @msg: the pid of a process of this node, or an atom
 *
 * Link and monitor hold, if they were asked for, before this returns; so they do
 * before the child can run, if it is this that starts it.
 *
 * Context: process context.
 * Return: 0; -ENOENT no such request, or not any more; -EINVAL no such answer;
 * -ESRCH the process is not there; after -EUSERS, -ENOMEM, or -ESRCH the
 * requester is told system_limit.
 */
int erldist_ask_spawn_answer(const struct erldist_ask *ask,
			     const struct erldist_msg *msg)
{
	struct erldist_process *child;
	struct etf_atom name = {};
	int err;

	if (!ask->peer || ask->dest->kind != CTL_REF)
		return -EINVAL;
	err = parse_answer(ask->from, msg, &name, &child);
	if (err)
		return err;
	mutex_lock(&ask->from->asking);
	err = answer_with(ask, child, name);
	mutex_unlock(&ask->from->asking);
	if (child)
		erldist_process_put(child);
	return err;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/* What there is, and what happens: dumps and events. */
#include <fcntl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DUMP_TRIES	5

struct erldist_observer {
	struct ed_error error;	/* first */
	struct ed_netlink ask;
	struct ed_netlink hear;
	unsigned int groups;
	/* what a resync has told already: events up to these numbers, and things */
	uint64_t nodes_seq, names_seq;
	struct ed_mirror mirror;
};

/*
 * A dump is collected before it is delivered: one that the kernel changed under
 * way is taken again, and the callback is free to use the observer.
 */
struct copies {
	struct copy *first, **last;
};

struct copy {
	struct copy *next;
	int len;
	struct nlattr attrs[];
};

static int keep(void *user, int cmd, struct nlattr *attrs, int len)
{
	struct copies *all = user;
	struct copy *c = malloc(sizeof(*c) + (size_t)len);

	(void)cmd;
	if (!c)
		return -ENOMEM;
	c->next = NULL;
	c->len = len;
	memcpy(c->attrs, attrs, (size_t)len);
	*all->last = c;
	all->last = &c->next;
	return 0;
}

static void drop(struct copies *all)
{
	struct copy *c;

	while ((c = all->first)) {
		all->first = c->next;
		free(c);
	}
	all->last = &all->first;
}

static int collect(struct erldist_observer *o, int cmd, struct copies *all)
{
	int tries, err = -EAGAIN;

	all->first = NULL;
	all->last = &all->first;
	for (tries = 0; err == -EAGAIN && tries < DUMP_TRIES; tries++) {
		drop(all);
		err = ed_nl_talk(&o->ask, &o->error, ed_nl_request(&o->ask, cmd, NLM_F_DUMP),
				 keep, all);
	}
	if (err)
		drop(all);
	return err;
}

int erldist_nodes(struct erldist_observer *o, erldist_node_cb cb, void *user)
{
	struct erldist_node_info info;
	struct copies all;
	struct copy *c;
	int err;

	err = collect(o, ERLDIST_CMD_NODE_GET, &all);
	if (err)
		return err;
	for (c = all.first; c && !err; c = c->next)
		if (!ed_node_info(&info, c->attrs, c->len))
			err = cb(user, &info);
	drop(&all);
	return err;
}

int erldist_peers(struct erldist_observer *o, erldist_peer_cb cb, void *user)
{
	struct erldist_peer_info info;
	struct copies all;
	struct copy *c;
	int err;

	err = collect(o, ERLDIST_CMD_PEER_GET, &all);
	if (err)
		return err;
	for (c = all.first; c && !err; c = c->next)
		if (!ed_peer_info(&info, c->attrs, c->len))
			err = cb(user, &info);
	drop(&all);
	return err;
}

int erldist_processes(struct erldist_observer *o, erldist_process_cb cb, void *user)
{
	struct erldist_process_info info;
	struct copies all;
	struct copy *c;
	int err;

	err = collect(o, ERLDIST_CMD_PROCESS_GET, &all);
	if (err)
		return err;
	for (c = all.first; c && !err; c = c->next)
		if (!ed_process_info(&info, c->attrs, c->len))
			err = cb(user, &info);
	drop(&all);
	return err;
}

/* The administrator sees the names of all nodes, whatever their modes */
static int join_names(struct erldist_observer *o)
{
	int err = ed_nl_join(&o->hear, &o->error, ERLDIST_MCGRP_NAMES_ALL);

	return err ? ed_nl_join(&o->hear, &o->error, ERLDIST_MCGRP_NAMES) : 0;
}

static int join(struct erldist_observer *o)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} groups[] = {
		{ ERLDIST_OBSERVE_NODES, ERLDIST_MCGRP_NODES },
		{ ERLDIST_OBSERVE_HANDSHAKES, ERLDIST_MCGRP_HANDSHAKES },
	};
	size_t i;
	int err = 0;

	for (i = 0; !err && i < ED_ARRAY_SIZE(groups); i++)
		if (o->groups & groups[i].flag)
			err = ed_nl_join(&o->hear, &o->error, groups[i].name);
	if (!err && o->groups & ERLDIST_OBSERVE_NAMES)
		err = join_names(o);
	if (!err && nl_socket_set_nonblocking(o->hear.sock))
		err = ed_fail(&o->error, -EIO, "netlink: cannot set O_NONBLOCK");
	return err;
}

int erldist_observer_open(struct erldist_observer **op, unsigned int groups)
{
	struct erldist_observer *o = calloc(1, sizeof(*o));
	int err;

	*op = o;
	if (!o)
		return -ENOMEM;
	o->groups = groups;
	err = ed_nl_open(&o->ask, &o->error);
	if (!err)
		err = ed_nl_open(&o->hear, &o->error);
	return err ? err : join(o);
}

void erldist_observer_close(struct erldist_observer *o)
{
	if (!o)
		return;
	ed_nl_close(&o->ask);
	ed_nl_close(&o->hear);
	ed_mirror_free(&o->mirror);
	free(o);
}

int erldist_observer_fd(const struct erldist_observer *o)
{
	return o->hear.sock ? nl_socket_get_fd(o->hear.sock) : -EBADF;
}

struct delivery {
	struct erldist_observer *o;
	erldist_event_cb cb;
	void *user;
	int resync;
};

static int deliver(struct delivery *d, struct erldist_event *event)
{
	event->resync = d->resync;
	return d->cb(d->user, event);
}

static int event_type(int cmd)
{
	switch (cmd) {
	case ERLDIST_CMD_NODE_NEW_NTF:
		return ERLDIST_EVENT_NODE_NEW;
	case ERLDIST_CMD_NODE_DEL_NTF:
		return ERLDIST_EVENT_NODE_DEL;
	case ERLDIST_CMD_PEER_UP_NTF:
		return ERLDIST_EVENT_PEER_UP;
	case ERLDIST_CMD_PEER_DOWN_NTF:
		return ERLDIST_EVENT_PEER_DOWN;
	case ERLDIST_CMD_PEER_FAILED_NTF:
		return ERLDIST_EVENT_PEER_FAILED;
	case ERLDIST_CMD_NAME_NEW_NTF:
		return ERLDIST_EVENT_NAME_NEW;
	case ERLDIST_CMD_NAME_DEL_NTF:
		return ERLDIST_EVENT_NAME_DEL;
	default:
		return -1;	/* a later kernel's */
	}
}

static bool told(uint64_t seq, uint64_t resynced)
{
	return resynced && seq <= resynced;
}

static void node_fact(struct ed_fact *f, const struct erldist_node_info *info)
{
	*f = (struct ed_fact){
		.kind = ED_NODE, .node = info->name, .name = "",
		.creation = info->creation, .seq = info->seq,
	};
}

static void peer_fact(struct ed_fact *f, const struct erldist_peer_info *info)
{
	*f = (struct ed_fact){
		.kind = ED_PEER, .node = info->node, .name = info->name,
		.id = info->connection, .seq = info->seq,
	};
}

static void name_fact(struct ed_fact *f, const struct erldist_process_info *info)
{
	*f = (struct ed_fact){
		.kind = ED_NAME, .node = info->node, .name = info->name,
		.id = (uint64_t)info->serial << 32 | info->id,
		.creation = info->creation, .seq = info->seq,
	};
}

/* Delivers it if it is news */
static int change(struct delivery *d, struct erldist_event *event, const struct ed_fact *f,
		  bool begins)
{
	struct ed_mirror *m = &d->o->mirror;
	int news = begins ? ed_mirror_new(m, f) : ed_mirror_del(m, f);

	if (news < 0)
		return ed_fail(&d->o->error, news, "out of memory");
	return news ? deliver(d, event) : 0;
}

static int on_node_event(struct delivery *d, struct erldist_event *event,
			 struct nlattr *attrs, int len)
{
	struct erldist_node_info info;
	struct ed_fact f;

	if (ed_node_info(&info, attrs, len) || told(info.seq, d->o->nodes_seq))
		return 0;
	event->node = &info;
	node_fact(&f, &info);
	return change(d, event, &f, event->type == ERLDIST_EVENT_NODE_NEW);
}

static int on_peer_event(struct delivery *d, struct erldist_event *event,
			 struct nlattr *attrs, int len)
{
	struct erldist_peer_info info;
	struct ed_fact f;

	if (ed_peer_info(&info, attrs, len))
		return 0;
	event->peer = &info;
	/* failures are numbered in a group of their own, and no part of a resync */
	if (event->type == ERLDIST_EVENT_PEER_FAILED)
		return deliver(d, event);
	if (told(info.seq, d->o->nodes_seq))
		return 0;
	peer_fact(&f, &info);
	return change(d, event, &f, event->type == ERLDIST_EVENT_PEER_UP);
}

static int on_name_event(struct delivery *d, struct erldist_event *event,
			 struct nlattr *attrs, int len)
{
	struct erldist_process_info info;
	struct ed_fact f;

	if (ed_process_info(&info, attrs, len) || told(info.seq, d->o->names_seq))
		return 0;
	event->process = &info;
	/* of a node that does not tell its names */
	if (!info.name)
		return deliver(d, event);
	name_fact(&f, &info);
	return change(d, event, &f, event->type == ERLDIST_EVENT_NAME_NEW);
}

static int on_event(void *user, int cmd, struct nlattr *attrs, int len)
{
	struct erldist_event event = { .resync = 0 };
	int type = event_type(cmd);

	if (type < 0)
		return 0;
	event.type = (enum erldist_event_type)type;
	switch (event.type) {
	case ERLDIST_EVENT_NODE_NEW:
	case ERLDIST_EVENT_NODE_DEL:
		return on_node_event(user, &event, attrs, len);
	case ERLDIST_EVENT_NAME_NEW:
	case ERLDIST_EVENT_NAME_DEL:
		return on_name_event(user, &event, attrs, len);
	default:
		return on_peer_event(user, &event, attrs, len);
	}
}

/* What a dump shows */
static int is(struct delivery *d, struct erldist_event *event, const struct ed_fact *f)
{
	int err = ed_mirror_is(&d->o->mirror, f);

	return err ? ed_fail(&d->o->error, err, "out of memory") : deliver(d, event);
}

static int is_node(void *user, const struct erldist_node_info *info)
{
	struct erldist_event event = { .type = ERLDIST_EVENT_NODE_NEW, .node = info };
	struct ed_fact f;

	node_fact(&f, info);
	return is(user, &event, &f);
}

static int is_peer(void *user, const struct erldist_peer_info *info)
{
	struct erldist_event event = { .type = ERLDIST_EVENT_PEER_UP, .peer = info };
	struct ed_fact f;

	if (info->state != ERLDIST_PEER_STATE_UP)
		return 0;
	peer_fact(&f, info);
	return is(user, &event, &f);
}

static int is_process(void *user, const struct erldist_process_info *info)
{
	struct erldist_event event = { .type = ERLDIST_EVENT_NAME_NEW, .process = info };
	struct ed_fact f;

	if (!info->name)
		return 0;
	name_fact(&f, info);
	return is(user, &event, &f);
}

static int on_numbers(void *user, int cmd, struct nlattr *attrs, int len)
{
	struct erldist_observer *o = user;
	struct nlattr *a;

	(void)cmd;
	a = nla_find(attrs, len, ERLDIST_A_FAMILY_NODES_SEQ);
	if (a && nla_len(a) >= 8)
		o->nodes_seq = nla_get_u64(a);
	a = nla_find(attrs, len, ERLDIST_A_FAMILY_NAMES_SEQ);
	if (a && nla_len(a) >= 8)
		o->names_seq = nla_get_u64(a);
	return 0;
}

static int deliver_all(struct erldist_observer *o, struct delivery *d)
{
	int err = 0;

	if (o->groups & (ERLDIST_OBSERVE_NODES | ERLDIST_OBSERVE_HANDSHAKES)) {
		err = erldist_nodes(o, is_node, d);
		if (!err)
			err = erldist_peers(o, is_peer, d);
	}
	if (!err && o->groups & ERLDIST_OBSERVE_NAMES)
		err = erldist_processes(o, is_process, d);
	return err;
}

/*
 * The numbers are read before the dumps, so no event is missed. Those after them
 * that tell what a dump showed, or the end of what it did not show, are found by
 * the mirror.
 */
int erldist_observer_resync(struct erldist_observer *o, erldist_event_cb cb, void *user)
{
	struct delivery d = { .o = o, .cb = cb, .user = user };
	struct erldist_event event = { .type = ERLDIST_EVENT_RESYNC };
	int err;

	err = ed_nl_talk(&o->ask, &o->error, ed_nl_request(&o->ask, ERLDIST_CMD_FAMILY_GET, 0),
			 on_numbers, o);
	ed_mirror_begin(&o->mirror);
	if (!err)
		err = deliver(&d, &event);
	d.resync = 1;
	if (!err)
		err = deliver_all(o, &d);
	d.resync = 0;
	event.type = ERLDIST_EVENT_RESYNC_END;
	return err ? err : deliver(&d, &event);
}

int erldist_observer_dispatch(struct erldist_observer *o, erldist_event_cb cb, void *user)
{
	struct delivery d = { .o = o, .cb = cb, .user = user };
	int err = 0;

	while (!err) {
		err = ed_nl_receive(&o->hear, &o->error, on_event, &d);
		if (err == -ENOBUFS)
			err = erldist_observer_resync(o, cb, user);
	}
	return err == -EAGAIN ? 0 : err;
}

struct wanted {
	const char *peer;
	uint64_t connection;
	struct erldist_observer *o;
	unsigned int found;
};

static int disconnect_one(struct erldist_observer *o, const char *node, const char *peer,
			  uint64_t connection)
{
	struct nl_msg *msg = ed_nl_request(&o->ask, ERLDIST_CMD_PEER_DISCONNECT, NLM_F_ACK);

	if (!msg || nla_put_string(msg, ERLDIST_A_PEER_NODE, node) ||
	    nla_put_string(msg, ERLDIST_A_PEER_NAME, peer) ||
	    (connection && nla_put_u64(msg, ERLDIST_A_PEER_CONNECTION, connection))) {
		nlmsg_free(msg);
		return ed_fail(&o->error, -ENOMEM, "out of memory");
	}
	return ed_nl_talk(&o->ask, &o->error, msg, NULL, NULL);
}

static int disconnect_where_known(void *user, const struct erldist_peer_info *info)
{
	struct wanted *w = user;
	char peer[ED_NODE_SIZE];

	if (info->state == ERLDIST_PEER_STATE_DOWN ||
	    ed_node_name(NULL, peer, w->peer, info->node) || strcmp(info->name, peer))
		return 0;
	w->found++;
	return disconnect_one(w->o, info->node, info->name, w->connection);
}

int erldist_peer_disconnect(struct erldist_observer *o, const char *node, const char *peer,
			    uint64_t connection)
{
	struct wanted w = { .peer = peer, .connection = connection, .o = o };
	char local[ED_NODE_SIZE], remote[ED_NODE_SIZE];
	int err;

	if (node) {
		err = ed_local_node(&o->error, local, node);
		if (!err)
			err = ed_node_name(&o->error, remote, peer, local);
		return err ? err : disconnect_one(o, local, remote, connection);
	}
	err = erldist_peers(o, disconnect_where_known, &w);
	if (!err && !w.found)
		err = ed_fail(&o->error, -ENOTCONN, "%s is not connected", peer);
	return err;
}

struct creation {
	const char *node;
	uint32_t creation;
};

static int creation_of_node(void *user, const struct erldist_node_info *info)
{
	struct creation *c = user;

	if (!strcmp(info->name, c->node))
		c->creation = info->creation;
	return c->creation != 0;
}

static int creation_of_peer(void *user, const struct erldist_peer_info *info)
{
	struct creation *c = user;

	if (!strcmp(info->name, c->node))
		c->creation = info->creation;
	return c->creation != 0;
}

int erldist_creation_of(void *user, const char *node, uint32_t *creation)
{
	struct creation c = { .node = node };
	struct erldist_observer *own = NULL, *o = user;
	int err = 0;

	if (!o) {
		err = erldist_observer_open(&own, 0);
		o = own;
	}
	if (!err)
		err = erldist_nodes(o, creation_of_node, &c);
	if (!err)
		err = erldist_peers(o, creation_of_peer, &c);
	erldist_observer_close(own);
	if (err < 0)
		return err;
	*creation = c.creation;
	return c.creation ? 0 : -ENOENT;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liberldist: Erlang processes and nodes for native programs, on AF_ERLDIST.
 *
 * Five layers, each usable alone: processes, terms, observation, keeper, broker.
 *
 * Every function returns 0 or a length, or a negative errno; errno itself is
 * not touched on purpose. erldist_strerror() has the sentence. The library
 * prints nothing, starts no thread and installs no signal handler. A handle
 * belongs to one thread at a time, but a process's may be used by many at once,
 * with terms and messages of their own: all of its functions but
 * erldist_connect() and, of course, erldist_close().
 *
 * Terms are in the external term format without the version byte 131; where a
 * term is taken, one with the byte in front is accepted too.
 */
#ifndef ERLDIST_H
#define ERLDIST_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ei.h>

#include <linux/erldist.h>
#include <linux/erldist_netlink.h>

#ifdef __cplusplus
extern "C" {
#define ERLDIST_ZERO	{}
#else
#define ERLDIST_ZERO	{ 0 }
#endif

#ifndef ERLDIST_API
#if defined(__GNUC__)
#define ERLDIST_API	__attribute__((visibility("default")))
#else
#define ERLDIST_API
#endif
#endif

/* Bytes that hold any atom in UTF-8, with the NUL behind it */
#define ERLDIST_ATOM_SIZE	1021

/**
 * struct erldist_slice - a term, or the bytes of a binary, inside other memory
 * @term: where it begins
 * @len: its bytes
 */
struct erldist_slice {
	const char *term;
	size_t len;
};

/**
 * struct erldist_term - a term with memory of its own that grows
 * @term: the bytes, without a version byte
 * @len: how many
 * @size: private
 *
 * Begin with ERLDIST_TERM_INIT and end with erldist_term_free().
 */
struct erldist_term {
	char *term;
	size_t len;
	size_t size;
};

#define ERLDIST_TERM_INIT	ERLDIST_ZERO

/**
 * erldist_strerror() - the sentence that explains an error
 * @handle: a struct erldist, erldist_observer, erldist_keeper or erldist_broker, or
 *	NULL
 * @err: what a function returned, negative
 *
 * With a handle, the text knows what failed, and on whom, if @err is what the
 * last call on it returned; of a process, the last call of this thread on any.
 * Good until the next call with this handle, or, for NULL, until the thread's
 * next call of this function.
 *
 * Return: the text, never NULL.
 */
ERLDIST_API const char *erldist_strerror(const void *handle, int err);

/*
 * Terms
 */

/**
 * erldist_term_free() - give a term's memory back
 * @t: may be used again afterwards, it is empty
 */
ERLDIST_API void erldist_term_free(struct erldist_term *t);

/**
 * erldist_format() - build a term from Erlang syntax and arguments
 * @t: receives the term; what it held is overwritten
 * @fmt: Erlang syntax in UTF-8 with directives in place of terms
 *
 * Directives and their arguments:
 *
 * * ~i int, ~l long, ~u uint64_t, ~d double
 * * ~a atom, const char \*
 * * ~s string (a list of its characters), const char \*
 * * ~B binary with the bytes of a string, const char \*
 * * ~b binary, const void \* and size_t
 * * ~p pid, const erlang_pid \*
 * * ~r reference, const erlang_ref \*
 * * ~t any term, const void \* and size_t
 *
 * Texts are UTF-8. Example: erldist_format(&t, "{add,~i,~i}", 1, 2).
 *
 * Return: 0, -EINVAL for a mistake in @fmt or an argument, -ENOMEM.
 */
ERLDIST_API int erldist_format(struct erldist_term *t, const char *fmt, ...);

/**
 * erldist_match() - take a term apart
 * @term: the term
 * @len: its bytes
 * @pattern: Erlang syntax with directives
 *
 * What is no directive must be equal (1 and 1.0 are not); ``_`` matches any
 * term. A map pattern matches a map that has these keys, and perhaps more.
 * Directives and where they store:
 *
 * * ~i int \*, ~l long \*, ~u uint64_t \*, ~d double \* (a float or an integer)
 * * ~a atom, char \* and size_t: the memory and its size
 * * ~s text, char \* and size_t: a list of characters or a binary, as UTF-8
 * * ~b binary, struct erldist_slice \*: its bytes
 * * ~p pid, erlang_pid \*
 * * ~r reference, erlang_ref \*
 * * ~t any term, struct erldist_slice \*
 *
 * Slices point into @term. The tail of a list (``[a|~t]``) can be stored only
 * where the list ends, as in an improper one; ``|_`` ignores any tail. Directives
 * are at most 64 levels deep in the pattern. After a mismatch the arguments hold
 * anything.
 *
 * Return: 0, -ENOMSG if it does not match, -ERANGE if a number or text does not
 * fit its argument, -EINVAL for a mistake in @pattern, -EBADMSG if @term is
 * malformed, -EOPNOTSUPP for a tail that cannot be stored.
 */
ERLDIST_API int erldist_match(const void *term, size_t len, const char *pattern, ...);

/**
 * struct erldist_parse_options - how to read a term, and where it went wrong
 * @creation: tells the creation of a node, for pids and references written
 *	without one; returns 0 or a negative errno. NULL: it is 0
 * @user: for @creation
 * @offset: set on error: byte in the text
 * @what: set on error: what is wrong there
 * @node: of erldist_address(): the local node, whose host is that of nodes written
 *	without one; NULL: this host, by its short name
 */
struct erldist_parse_options {
	int (*creation)(void *user, const char *node, uint32_t *creation);
	void *user;
	size_t offset;
	const char *what;
	const char *node;
};

/**
 * erldist_parse() - read a term in Erlang syntax
 * @t: receives the term; what it held is overwritten
 * @text: the text, UTF-8, of one term; a full stop at its end is ignored
 * @options: may be NULL
 *
 * Understands what erldist_print() writes, but ports and funs that are no
 * ``fun m:f/1``. Pids are written ``<svc@host.12.0>``, or with their creation
 * ``<svc@host.12.0.1700000000>``; references ``#Ref<svc@host.1.2.3>``, or
 * ``#Ref<svc@host.1.2.3/1700000000>``. A node that would be mistaken is quoted:
 * ``<'a b@host'.12.0>``.
 *
 * Return: 0, -EINVAL with @options->what, -ENOMEM, or what @creation returned.
 */
ERLDIST_API int erldist_parse(struct erldist_term *t, const char *text,
			      struct erldist_parse_options *options);

/* Flags of erldist_print() */
#define ERLDIST_PRINT_CREATION	0x1	/* write creations of pids and references */
#define ERLDIST_PRINT_STRINGS	0x2	/* lists of printable characters as "text" */

/**
 * erldist_print() - write a term in Erlang syntax
 * @text: receives the text, to be given to free()
 * @term: the term
 * @len: its bytes
 * @flags: ERLDIST_PRINT_*
 *
 * Lists of integers are written as lists, but for ERLDIST_PRINT_STRINGS, which
 * takes a list of characters of Latin-1 for text as the Erlang shell does.
 * Binaries are written as ``<<"text">>`` where all of it is printable.
 *
 * Return: length of the text, -EBADMSG if the term is malformed, -ENOMEM.
 */
ERLDIST_API ssize_t erldist_print(char **text, const void *term, size_t len,
				  unsigned int flags);

/**
 * erldist_equal() - are two terms exactly equal (=:=)?
 * @a: a term
 * @alen: its bytes
 * @b: another
 * @blen: its bytes
 *
 * Takes time in proportion to the terms' length and the logarithm of the number
 * of keys of their maps. Where a map has a key twice, which BEAM refuses, all of
 * its pairs count. Funs are equal wherever they were made.
 *
 * Return: 1, 0, or -EBADMSG if either is malformed, -ENOMEM.
 */
ERLDIST_API int erldist_equal(const void *a, size_t alen, const void *b, size_t blen);

/**
 * erldist_check() - is this one well-formed term?
 * @term: the term
 * @len: its bytes
 *
 * The ei_decode functions take no length: check what came from a peer before
 * giving it to them. Terms may be nested as deeply as they are long, here and in
 * all functions: none of them recurses. What passes is printed and compared.
 *
 * Return: 0, -EBADMSG, or -ENOMEM where many funs are nested.
 */
ERLDIST_API int erldist_check(const void *term, size_t len);

/*
 * Processes
 */

struct erldist;

enum erldist_msg_type {
	ERLDIST_MESSAGE,	/* anything else: @term is all of it */
	ERLDIST_CALL,		/* gen_server:call: @term is the request */
	ERLDIST_CAST,		/* gen_server:cast: @term is what was cast */
	ERLDIST_EXIT,		/* made by the kernel: @term is the reason */
	ERLDIST_DOWN,		/* made by the kernel: @term is the reason */
};

/**
 * struct erldist_msg - a received message, classified
 * @type: what it is
 * @term: the term that matters for this type
 * @len: its bytes
 * @from: the sender, as the kernel knows it; an empty node: unknown
 * @raw: the whole message
 * @caller: CALL: the pid that wants the reply; EXIT: the pid that ended
 * @tag: CALL: the tag, goes back with the reply; DOWN: the reference
 * @object: DOWN: the pid or {Name, Node} that was monitored
 * @to: what was addressed, if ERLDIST_RECVTO is set on the socket
 * @user_data: DOWN, what came to an alias: what was given with the monitor or
 *	the alias; else 0
 * @ref: DOWN, what came to an alias: the number of its reference, see struct
 *	erldist_refs; else 0
 * @buf: private
 * @size: private
 *
 * Everything points into memory of the message, which the next erldist_recv()
 * into it overwrites. Begin with ERLDIST_MSG_INIT.
 */
struct erldist_msg {
	enum erldist_msg_type type;
	const char *term;
	size_t len;
	erlang_pid from;
	struct erldist_slice raw;
	struct erldist_slice caller;
	struct erldist_slice tag;
	struct erldist_slice object;
	struct erldist_slice to;
	uint64_t user_data;
	uint64_t ref;
	char *buf;
	size_t size;
};

#define ERLDIST_MSG_INIT	ERLDIST_ZERO

/**
 * erldist_msg_free() - give a message's memory back
 * @m: may be used again afterwards
 */
ERLDIST_API void erldist_msg_free(struct erldist_msg *m);

/* The node in this file, if there is one, is the default one of its machine */
#define ERLDIST_DEFAULT_FILE	"/run/erldist/default"

/* What the names of nodes that belong to one program begin with; a number follows */
#define ERLDIST_OWN_PREFIX	"erldist-"

/* In the mode of such a node, as its name may have been given by a peer */
#define ERLDIST_MODE_OWN	0100

/* Flags of erldist_open(): what to do where there is no node */
#define ERLDIST_OPEN_WAIT	0x1	/* wait until there is one */
#define ERLDIST_OPEN_PRIVATE	0x2	/* make a node for this program alone */

/**
 * erldist_open() - become an Erlang process
 * @p: receives the handle
 * @name: name to register, UTF-8, or NULL
 * @node: the local node to be on, or NULL: $ERLDIST_NODE, else the one that is
 *	marked as default, else the first this user may use
 * @flags: 0, ERLDIST_OPEN_WAIT or ERLDIST_OPEN_PRIVATE
 *
 * @node without a host is the first local node of that name, see
 * erldist_node_name(). ``unix:PATH`` asks the broker there, see
 * erldist_broker_open().
 *
 * Where the node is missing, or no node lets this user in, the call fails with
 * -EADDRNOTAVAIL. With WAIT it waits for the node, or for the broker, without limit;
 * a signal handler ends the wait with -EINTR. With PRIVATE and neither @node nor
 * $ERLDIST_NODE it makes a node for this program alone: hidden, with the cookie of
 * the home directory, unreachable for programs that connect to it. The command
 * erldist holds that node, as a child, until erldist_close() or the end of the
 * program. PRIVATE is for clients; a server is found on a node that lasts.
 *
 * On error @p holds a handle all the same, for erldist_strerror(); NULL only
 * after -ENOMEM.
 *
 * Return: 0, -EAFNOSUPPORT (module not loaded), -EADDRNOTAVAIL (no such node
 * here), -EADDRINUSE (name taken), -EACCES, -EINVAL, -EINTR, -ENOMEM. Of a broker:
 * -ENOENT, -ECONNREFUSED (none is there), -ETIMEDOUT, -EPROTO, and what it says.
 */
ERLDIST_API int erldist_open(struct erldist **p, const char *name, const char *node,
			     unsigned int flags);

/**
 * erldist_open_to() - become an Erlang process that has to do with another node
 * @p: receives the handle
 * @name: as for erldist_open()
 * @node: as for erldist_open()
 * @flags: as for erldist_open()
 * @dest: the other node, or a destination there, as for erldist_connect(). If a
 *	private node is made, @dest's node is asked to give it its name, and is connected
 *	then; it ends when this connection does. NULL, or where that gives none: as
 *	erldist_open()
 * @timeout_ms: how long that may take; -1: until the attempt is given up
 *
 * A name that is given belongs to nobody else meanwhile, whatever hosts are called,
 * and to others of that host later: there are no more atoms of them than there are
 * such nodes at a time.
 *
 * Return: as erldist_open(). That @dest cannot be reached, or is malformed, is found
 * by what is sent there.
 */
ERLDIST_API int erldist_open_to(struct erldist **p, const char *name, const char *node,
				unsigned int flags, const char *dest, int timeout_ms);

/**
 * erldist_close() - end the process
 * @p: the handle, or NULL
 *
 * With a node of its own it waits until what was sent has arrived, for 15 seconds at
 * most; a node that does not end by then is killed.
 */
ERLDIST_API void erldist_close(struct erldist *p);

/**
 * erldist_fd() - the socket, for poll() and for options
 * @p: the process
 *
 * Readable exactly when erldist_recv() would not wait: the library keeps no
 * message back. The calls follow O_NONBLOCK.
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_fd(const struct erldist *p);

/**
 * erldist_self() - the process's own pid
 * @p: the process
 * @pid: receives it
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_self(struct erldist *p, erlang_pid *pid);

/**
 * erldist_register() - take, change or drop the registered name
 * @p: the process
 * @name: UTF-8; NULL drops it
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_register(struct erldist *p, const char *name);

/**
 * erldist_trap_exit() - receive exit signals as messages, or die of them
 * @p: the process
 * @on: 0 or 1
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_trap_exit(struct erldist *p, int on);

/**
 * erldist_exit_reason() - what links and monitors are told at the end
 * @p: the process
 * @term: the reason, used when the process ends without signal or exit status
 * @len: its bytes
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_exit_reason(struct erldist *p, const void *term, size_t len);

/**
 * erldist_make_ref() - a reference nobody else has
 * @p: the process
 * @ref: receives it
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_make_ref(struct erldist *p, erlang_ref *ref);

/**
 * erldist_recv() - receive a message
 * @p: the process
 * @m: receives it
 * @timeout_ms: how long to wait; 0: not at all, -1: for ever
 *
 * Return: length of the whole message, -EAGAIN or -ETIMEDOUT if there is none,
 * -EINTR, -ENOMEM, or the error of a process that has ended: -ECONNRESET (exit
 * signal), -ENOBUFS (mailbox overflow), -ENETDOWN (its node is gone), -ECANCELED
 * (erldist_exit() by itself).
 */
ERLDIST_API ssize_t erldist_recv(struct erldist *p, struct erldist_msg *m, int timeout_ms);

/**
 * erldist_connect() - wait until a node is connected
 * @p: the process
 * @dest: ``NODE@HOST``, ``NODE`` of this host, or a destination with both name and
 *	host, a pid or ``{Name, 'Node'}`` as for erldist_send(), which becomes the default
 * @timeout_ms: how long to wait; -1: until the kernel gives up
 *
 * Return: 0, -ENOENT (the host's epmd does not know the node: it does not run),
 * -ETIMEDOUT, -EKEYREJECTED (another cookie), -ECONNREFUSED, -EHOSTUNREACH or another
 * errno that the node's keeper gave, see enum erldist_unreachable. erldist_call() and
 * erldist_rpc() give -EHOSTUNREACH for all of these. erldist_strerror() tells what to
 * look at.
 */
ERLDIST_API int erldist_connect(struct erldist *p, const char *dest, int timeout_ms);

/**
 * erldist_send() - send a message
 * @p: the process
 * @dest: ``NAME`` on the own node, ``NAME@NODE`` on a node of this host,
 *	``NAME@NODE@HOST`` (split at the last @ but one), ``{Name, 'Node@Host'}``, a pid
 *	or a reference as erldist_print() writes it; NULL: the destination given to
 *	erldist_connect()
 * @term: the message
 * @len: its bytes
 *
 * Never waits for a connection. As in Erlang, sending to where nobody is
 * succeeds. A pid written without creation is of the present one of its node.
 *
 * Return: 0, -EINVAL for a bad destination or term, -EAGAIN, -EMSGSIZE, -EPIPE.
 */
ERLDIST_API int erldist_send(struct erldist *p, const char *dest,
			     const void *term, size_t len);

/**
 * erldist_send_pid() - send a message to a pid
 * @p: the process
 * @to: the pid
 * @term: the message
 * @len: its bytes
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_send_pid(struct erldist *p, const erlang_pid *to,
				 const void *term, size_t len);

/**
 * erldist_send_term() - send a message to where a term says
 * @p: the process
 * @dest: a pid, reference, {Name, Node} or atom; bytes of a received term will do
 * @dest_len: its bytes
 * @term: the message
 * @len: its bytes
 * @flags: ERLDIST_SIG_F_NOCONNECT or 0
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_send_term(struct erldist *p, const void *dest, size_t dest_len,
				  const void *term, size_t len, unsigned int flags);

/**
 * erldist_reply() - answer a call
 * @p: the process
 * @m: the message of type ERLDIST_CALL
 * @term: the reply
 * @len: its bytes
 *
 * Goes to the alias in the tag, so that nothing is left in the mailbox of a
 * caller that has given up; to the pid if the tag has none. Does not connect:
 * -EHOSTUNREACH if the caller's node is gone.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_reply(struct erldist *p, const struct erldist_msg *m,
			      const void *term, size_t len);

/**
 * erldist_call() - gen_server:call
 * @p: the process; its mailbox is not touched
 * @dest: as for erldist_send()
 * @term: the request
 * @len: its bytes
 * @m: receives the reply, type ERLDIST_MESSAGE; or the server's end, type
 *	ERLDIST_DOWN with the reason
 * @timeout_ms: for connecting and the reply together; -1: for ever
 *
 * The server is monitored, and the reply comes to an alias on a socket of the
 * call's own, which the library keeps for the next call: no other message is
 * touched, many threads may call at once, and whatever comes to the alias after the
 * call has ended is dropped. The caller's pid is the process's.
 *
 * A server that knows no aliases (Jinterface, Pyrlang, erl_interface) sends
 * {[alias|Ref], Reply} to the pid: that is the reply, too. After the call has ended
 * it is a message in the mailbox. Of a node that knows no monitors only the loss of
 * the connection ends a call before its time.
 *
 * Return: length of the reply; -ETIMEDOUT; -EINTR (a signal handler ran; the call
 * is over). With DOWN in @m: -ESRCH (noproc: there is no such process),
 * -EHOSTUNREACH (noconnection: its node is not reached, or went), -EREMOTEIO (it
 * ended with the reason in @m). -EPROTO: not a gen_server's reply. Else an error
 * of erldist_send().
 */
ERLDIST_API ssize_t erldist_call(struct erldist *p, const char *dest,
				 const void *term, size_t len,
				 struct erldist_msg *m, int timeout_ms);

/**
 * erldist_call_term() - gen_server:call to where a term says
 * @p: the process
 * @dest: a pid, {Name, Node} or atom; bytes of a received term will do
 * @dest_len: its bytes
 * @term: the request
 * @len: its bytes
 * @m: as for erldist_call()
 * @timeout_ms: for connecting and the reply together; -1: for ever
 *
 * Return: as erldist_call().
 */
ERLDIST_API ssize_t erldist_call_term(struct erldist *p, const void *dest, size_t dest_len,
				      const void *term, size_t len,
				      struct erldist_msg *m, int timeout_ms);

/**
 * erldist_cast() - gen_server:cast
 * @p: the process
 * @dest: as for erldist_send()
 * @term: what to cast
 * @len: its bytes
 *
 * Return: as erldist_send().
 */
ERLDIST_API int erldist_cast(struct erldist *p, const char *dest,
			     const void *term, size_t len);

/**
 * erldist_rpc() - run a function on an Erlang node, as rpc:call/5
 * @p: the process
 * @node: the node, ``NODE@HOST``, or ``NODE`` of this host
 * @module: UTF-8
 * @function: UTF-8
 * @args: the arguments, a list
 * @len: its bytes
 * @m: receives the result, type ERLDIST_MESSAGE; what it is after errors see below
 * @timeout_ms: for connecting and the result together; -1: for ever
 *
 * What the function prints goes to the node's own output.
 *
 * Return: length of the result; -EREMOTEIO: {badrpc, Reason}, Reason in @m;
 * -EOPNOTSUPP: the node serves no functions (notsup); else as erldist_call(), -ESRCH
 * from one that has no process rex.
 */
ERLDIST_API ssize_t erldist_rpc(struct erldist *p, const char *node, const char *module,
				const char *function, const void *args, size_t len,
				struct erldist_msg *m, int timeout_ms);

/**
 * erldist_link() - link to a process
 * @p: the process
 * @pid: the other one
 *
 * When one ends, the other gets an exit signal with the reason: it ends too, or,
 * with erldist_trap_exit(), receives a message of type ERLDIST_EXIT. That comes
 * with noproc if there is nobody, and noconnection if the node cannot be reached.
 * A pid in a term, such as the caller of a call, is read by erldist_match() with ``~p``.
 *
 * Return: 0, -EUSERS (a limit), or another negative errno.
 */
ERLDIST_API int erldist_link(struct erldist *p, const erlang_pid *pid);

/**
 * erldist_unlink() - end a link
 * @p: the process
 * @pid: the other one
 *
 * No exit signal of the link comes afterwards; one that had come is in the mailbox.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_unlink(struct erldist *p, const erlang_pid *pid);

/**
 * erldist_monitor() - be told when a process ends
 * @p: the process
 * @dest: as for erldist_send(), but no reference
 * @ref: receives the monitor's reference, for erldist_demonitor(); may be NULL
 * @user_data: comes back with the message of type ERLDIST_DOWN
 *
 * DOWN comes once, also if there is nobody (noproc), or no connection to the node
 * (noconnection). A node that does not offer monitors (Jinterface) is not asked: the
 * monitor then is one of the connection.
 *
 * Return: 0, -EINVAL, -EUSERS (a limit), or another negative errno.
 */
ERLDIST_API int erldist_monitor(struct erldist *p, const char *dest, erlang_ref *ref,
				uint64_t user_data);

/**
 * erldist_monitor_term() - monitor what a term says
 * @p: the process
 * @dest: a pid, {Name, Node} or atom; bytes of a received term will do
 * @dest_len: its bytes
 * @ref: receives the monitor's reference; may be NULL
 * @user_data: comes back with DOWN, and with what comes to the alias
 * @flags: 0 or ERLDIST_SIG_F_NOCONNECT; ERLDIST_SIG_F_ALIAS: the reference is an
 *	alias too; with it ERLDIST_SIG_F_ONCE: for one message, which ends both
 *
 * Return: as erldist_monitor(), -EHOSTUNREACH with NOCONNECT.
 */
ERLDIST_API int erldist_monitor_term(struct erldist *p, const void *dest, size_t dest_len,
				     erlang_ref *ref, uint64_t user_data,
				     unsigned int flags);

/**
 * erldist_demonitor() - end a monitor
 * @p: the process
 * @ref: the monitor's reference; one that is over does no harm
 * @flags: ERLDIST_SIG_F_FLUSH: drop a DOWN that has come and was not received; or 0
 *
 * No DOWN of it comes afterwards. An alias that it was is none any more.
 *
 * Return: 0, -EINVAL for a reference of somebody else.
 */
ERLDIST_API int erldist_demonitor(struct erldist *p, const erlang_ref *ref,
				  unsigned int flags);

/**
 * erldist_alias() - make a reference that is an address of the process
 * @p: the process
 * @ref: receives it
 * @user_data: comes back with each message to it
 * @flags: ERLDIST_SIG_F_ONCE: until one message has come; or 0
 *
 * Messages to an alias that is none any more are dropped on arrival.
 *
 * Return: 0, -EUSERS (a limit), or another negative errno.
 */
ERLDIST_API int erldist_alias(struct erldist *p, erlang_ref *ref, uint64_t user_data,
			      unsigned int flags);

/**
 * erldist_unalias() - make a reference an address no more
 * @p: the process
 * @ref: the alias, which may be a monitor's
 *
 * Return: 0, -ENOENT: it was none, -EINVAL for a reference of somebody else.
 */
ERLDIST_API int erldist_unalias(struct erldist *p, const erlang_ref *ref);

/**
 * erldist_exit() - send an exit signal, as exit/2
 * @p: the process
 * @pid: the receiver; NULL: this process ends, with the reason
 * @reason: a term; kill cannot be trapped
 * @len: its bytes
 *
 * As in Erlang it succeeds if there is nobody. A process that has ended in this
 * way can be closed only: erldist_recv() gives -ECANCELED.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_exit(struct erldist *p, const erlang_pid *pid,
			     const void *reason, size_t len);

/**
 * erldist_exitf() - send an exit signal with a reason as for erldist_format()
 * @p: the process
 * @pid: the receiver, or NULL, as for erldist_exit()
 * @fmt: Erlang syntax with directives; their arguments follow
 *
 * Return: 0, -EINVAL for a mistake in @fmt, or another negative errno.
 */
ERLDIST_API int erldist_exitf(struct erldist *p, const erlang_pid *pid,
			      const char *fmt, ...);

/**
 * erldist_node_name() - the full name of a node
 * @node: receives it
 * @size: of @node; ERLDIST_ATOM_SIZE suffices
 * @text: ``NODE@HOST``, or ``NODE``, which is of this host
 * @local: a local node, whose host is meant then; NULL: the host's name up to its
 *	first dot
 *
 * All functions that take a node or a destination as text follow this rule, with the
 * local node that they act in.
 *
 * Return: 0, -EINVAL: it is no name of a node, -ERANGE: @node is too small.
 */
ERLDIST_API int erldist_node_name(char *node, size_t size, const char *text,
				  const char *local);

/**
 * erldist_address() - a destination as a term
 * @t: receives the term
 * @dest: text, as for erldist_send()
 * @options: as for erldist_parse()
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_address(struct erldist_term *t, const char *dest,
				struct erldist_parse_options *options);

/*
 * Functions served
 *
 * What erpc and rpc call on a BEAM, spawn/4 and its relatives run there, and
 * erl_call asks for, a node of native processes has in a table. Each request
 * that came by spawning is a process of its own, to be linked to and monitored.
 */

struct erldist_server;

/* How a function ends: as an Erlang function does */
enum erldist_end {
	ERLDIST_END_RETURN,	/* with a value */
	ERLDIST_END_THROW,	/* the exception classes */
	ERLDIST_END_EXIT,
	ERLDIST_END_ERROR,
};

/**
 * struct erldist_request - somebody runs a function
 * @module: of the function, UTF-8
 * @function: its name
 * @arity: how many arguments
 * @args: they, a proper list
 * @caller: the process that asked; an empty node: not known
 * @process: the process that the function is, to send as; what is sent to it is
 *	dropped
 * @cancel: for the function to set: called once if nobody waits for the end any more,
 *	or the process was ended by an exit signal. The request has to be ended all
 *	the same, which may be done in there
 * @user: for the function
 *
 * The library's: it is there until erldist_request_end(), and so are @args.
 */
struct erldist_request {
	const char *module;
	const char *function;
	unsigned int arity;
	struct erldist_slice args;
	erlang_pid caller;
	struct erldist *process;
	void (*cancel)(struct erldist_request *rq);
	void *user;
};

#define ERLDIST_ANY_ARITY	(-1)

/**
 * struct erldist_function - a function that others may run
 * @module: UTF-8
 * @name: UTF-8
 * @arity: how many arguments, or ERLDIST_ANY_ARITY
 * @run: the function. It ends the request, and returns 0; or keeps it to be ended
 *	later, and returns 0; or returns a negative errno, which ends it with an
 *	error: badarg for -EINVAL and what erldist_match() gives, system_limit for
 *	-ENOMEM, notsup for -EOPNOTSUPP, else the errno's name, as enoent. It should
 *	not wait: meanwhile nothing else is served
 * @data: for @run
 */
struct erldist_function {
	const char *module;
	const char *name;
	int arity;
	int (*run)(struct erldist_request *rq, void *data);
	void *data;
};

/**
 * erldist_server_open() - serve functions
 * @s: receives the handle; on error too (see erldist_open())
 * @node: the local node, or NULL: as for erldist_open()
 * @flags: 0 or ERLDIST_OPEN_WAIT
 * @functions: the table, which has to stay; may be NULL
 * @n: its length
 *
 * The server is the process rex of the node, and takes its spawn requests; this
 * is for the node's owner, and one server at a time. What is not in the table is
 * undef, but for erlang:node/0, nodes/0, nodes/1, registered/0, processes/0 and
 * whereis/1, which tell of this node.
 *
 * Return: 0, -EADDRINUSE (somebody else serves), -EACCES, or as erldist_open().
 */
ERLDIST_API int erldist_server_open(struct erldist_server **s, const char *node,
				    unsigned int flags,
				    const struct erldist_function *functions, unsigned int n);

/**
 * erldist_server_close() - serve no more
 * @s: the handle, or NULL
 *
 * Requests that are not ended are cancelled, and end with exit shutdown. They are
 * gone when it returns.
 */
ERLDIST_API void erldist_server_close(struct erldist_server *s);

/**
 * erldist_server_fd() - readable when erldist_server_dispatch() has work
 * @s: the server
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_server_fd(const struct erldist_server *s);

/**
 * erldist_server_dispatch() - run what was asked for, without waiting
 * @s: the server
 *
 * Return: 0 or a negative errno, after which the server can be closed only.
 */
ERLDIST_API int erldist_server_dispatch(struct erldist_server *s);

/**
 * erldist_request_end() - the function ends
 * @rq: the request; it is gone afterwards, or, if this is called by one of its
 *	functions, when that returns
 * @how: ERLDIST_END_*
 * @term: the value, or the reason of the exception
 * @len: its bytes
 *
 * Where nobody waits it is no error. By the thread that dispatches.
 *
 * Return: 0; -EINVAL it is no term, -EMSGSIZE it is too large, -ENOMEM: who asked was
 * told error badarg or system_limit instead; -EALREADY it was ended before.
 */
ERLDIST_API int erldist_request_end(struct erldist_request *rq, enum erldist_end how,
				    const void *term, size_t len);

/**
 * erldist_request_endf() - the same with a term as for erldist_format()
 * @rq: the request
 * @how: ERLDIST_END_*
 * @fmt: Erlang syntax with directives; their arguments follow
 *
 * Return: as erldist_request_end(); -EINVAL for a mistake in @fmt as well.
 */
ERLDIST_API int erldist_request_endf(struct erldist_request *rq, enum erldist_end how,
				     const char *fmt, ...);

/*
 * Observation
 */

struct erldist_observer;

/* What an observer subscribes to */
#define ERLDIST_OBSERVE_NODES		0x1
#define ERLDIST_OBSERVE_HANDSHAKES	0x2	/* needs CAP_NET_ADMIN */
#define ERLDIST_OBSERVE_NAMES		0x4

/* In the flags of nodes and peers: it is visible, else hidden */
#define ERLDIST_DFLAG_PUBLISHED	0x1

struct erldist_node_info {
	const char *name;
	uint32_t creation;
	uint64_t flags;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t ticktime;		/* ms */
	uint32_t intensity;
	uint32_t processes;
	uint32_t peers;
	uint32_t peers_up;
	uint32_t handshakes;
	uint64_t handshakes_failed;
	uint32_t last_reason;		/* enum erldist_reason */
	uint64_t pool_used;
	uint64_t pool_limit;
	uint64_t max_message;
	uint64_t lost;
	uint64_t no_receiver;
	uint64_t overflows;
	uint64_t seq;
	uint32_t by_admin;		/* 1: made with CAP_NET_ADMIN */
};

struct erldist_peer_info {
	const char *node;
	const char *name;
	uint32_t state;			/* enum erldist_peer_state */
	uint64_t connection;
	uint64_t tag;
	uint32_t creation;
	uint64_t flags;
	uint32_t reason;		/* enum erldist_reason */
	uint32_t error;
	uint32_t failed;		/* attempts since it was up */
	uint32_t pending;		/* enum erldist_pending; node sockets */
	uint64_t since;			/* ms that it is up, or is not */
	uint64_t rx_bytes;
	uint64_t rx_messages;
	uint64_t tx_bytes;
	uint64_t tx_messages;
	uint64_t queued;
	uint64_t lost;
	uint32_t relations;
	uint64_t stalled;		/* ms */
	uint32_t kept;			/* not up, its keeper connects it by itself */
	uint32_t retry;			/* ms until then */
	uint64_t seq;
};

struct erldist_process_info {
	const char *node;
	uint32_t id;
	uint32_t serial;
	uint32_t creation;
	const char *name;		/* NULL: none */
	uint32_t state;			/* enum erldist_process_state */
	uint32_t owner;			/* process id */
	uint32_t uid;
	uint32_t messages;
	uint64_t local_bytes;
	uint64_t remote_bytes;
	uint32_t relations;
	uint64_t seq;
};

enum erldist_event_type {
	ERLDIST_EVENT_RESYNC,		/* events were lost; forget, what is follows */
	ERLDIST_EVENT_RESYNC_END,	/* that was all there is */
	ERLDIST_EVENT_NODE_NEW,
	ERLDIST_EVENT_NODE_DEL,
	ERLDIST_EVENT_PEER_UP,
	ERLDIST_EVENT_PEER_DOWN,
	ERLDIST_EVENT_PEER_FAILED,
	ERLDIST_EVENT_NAME_NEW,
	ERLDIST_EVENT_NAME_DEL,
};

/**
 * struct erldist_event - something happened
 * @type: what
 * @resync: it is no news but what there is, between RESYNC and RESYNC_END
 * @node: NODE_NEW, NODE_DEL
 * @peer: PEER_UP, PEER_DOWN, PEER_FAILED
 * @process: NAME_NEW, NAME_DEL; of a node whose mode shuts others out the node only,
 *	with a @name of NULL, unless the observer has CAP_NET_ADMIN
 */
struct erldist_event {
	enum erldist_event_type type;
	int resync;
	const struct erldist_node_info *node;
	const struct erldist_peer_info *peer;
	const struct erldist_process_info *process;
};

/*
 * A callback that returns something else than 0 ends the walk, which returns
 * it. What it is given is good until it returns.
 */
typedef int (*erldist_node_cb)(void *user, const struct erldist_node_info *info);
typedef int (*erldist_peer_cb)(void *user, const struct erldist_peer_info *info);
typedef int (*erldist_process_cb)(void *user, const struct erldist_process_info *info);
typedef int (*erldist_event_cb)(void *user, const struct erldist_event *event);

/**
 * erldist_observer_open() - look at what there is, and at what happens
 * @o: receives the handle; on error too (see erldist_open())
 * @groups: ERLDIST_OBSERVE_* to receive events, or 0
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_observer_open(struct erldist_observer **o, unsigned int groups);

/**
 * erldist_observer_close() - end observation
 * @o: the handle, or NULL
 */
ERLDIST_API void erldist_observer_close(struct erldist_observer *o);

/**
 * erldist_observer_fd() - readable when erldist_observer_dispatch() has work
 * @o: the observer
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_observer_fd(const struct erldist_observer *o);

/**
 * erldist_observer_dispatch() - deliver the events that have arrived
 * @o: the observer
 * @cb: called for each
 * @user: for @cb
 *
 * Does not wait. Where the kernel had to drop events, it delivers RESYNC, what
 * there is, and RESYNC_END, and goes on with what came after that.
 *
 * Return: 0, what @cb returned, or a negative errno.
 */
ERLDIST_API int erldist_observer_dispatch(struct erldist_observer *o,
					  erldist_event_cb cb, void *user);

/**
 * erldist_observer_resync() - deliver what there is as after lost events
 * @o: the observer
 * @cb: called for each
 * @user: for @cb
 *
 * To begin with what there is: open with groups, resync, then dispatch. Nothing is
 * missed between, and from then on nothing is told to begin twice, or to end that
 * was not told to be. The observer remembers what there is for that.
 *
 * Return: 0, what @cb returned, or a negative errno.
 */
ERLDIST_API int erldist_observer_resync(struct erldist_observer *o,
					erldist_event_cb cb, void *user);

/**
 * erldist_nodes() - the local nodes of this network namespace
 * @o: the observer
 * @cb: called for each
 * @user: for @cb
 *
 * Return: 0, what @cb returned, or a negative errno.
 */
ERLDIST_API int erldist_nodes(struct erldist_observer *o, erldist_node_cb cb, void *user);

/**
 * erldist_peers() - the remote nodes they know
 * @o: the observer
 * @cb: called for each
 * @user: for @cb
 *
 * Return: 0, what @cb returned, or a negative errno.
 */
ERLDIST_API int erldist_peers(struct erldist_observer *o, erldist_peer_cb cb, void *user);

/**
 * erldist_processes() - their processes
 * @o: the observer
 * @cb: called for each
 * @user: for @cb
 *
 * Return: 0, what @cb returned, or a negative errno.
 */
ERLDIST_API int erldist_processes(struct erldist_observer *o, erldist_process_cb cb,
				  void *user);

/* Which nodes erldist_nodes_of() tells, as nodes/1 of Erlang */
#define ERLDIST_NODES_VISIBLE	0x1
#define ERLDIST_NODES_HIDDEN	0x2
#define ERLDIST_NODES_CONNECTED	(ERLDIST_NODES_VISIBLE | ERLDIST_NODES_HIDDEN)
#define ERLDIST_NODES_THIS	0x4
#define ERLDIST_NODES_KNOWN	0x8	/* not connected */

/* As the other callbacks */
typedef int (*erldist_name_cb)(void *user, const char *node);

/**
 * erldist_nodes_of() - the nodes that a local node is connected to, as nodes/1
 * @o: the observer
 * @node: the local node, or NULL: $ERLDIST_NODE, else the first there is
 * @which: ERLDIST_NODES_*, together
 * @cb: called for each
 * @user: for @cb
 *
 * To a hidden node all others are hidden, as in Erlang.
 *
 * Return: 0, what @cb returned, -EADDRNOTAVAIL (no such node), or a negative errno.
 */
ERLDIST_API int erldist_nodes_of(struct erldist_observer *o, const char *node,
				 unsigned int which, erldist_name_cb cb, void *user);

/**
 * erldist_node_of() - where a pid, a port or a reference is from, as node/1
 * @node: receives the name of the node, UTF-8
 * @size: of @node; ERLDIST_ATOM_SIZE suffices
 * @term: the pid, port or reference
 * @len: its bytes
 *
 * Return: 0, -EINVAL: the term is none of these, -ERANGE: @node is too small.
 */
ERLDIST_API int erldist_node_of(char *node, size_t size, const void *term, size_t len);

/**
 * erldist_peer_disconnect() - close the connection to a peer
 * @o: the observer
 * @node: the local node, or NULL: every one that knows the peer
 * @peer: the remote node
 * @connection: only if it is this one; 0: any
 *
 * Return: 0, -ENOENT, -ENOTCONN, -EPERM.
 */
ERLDIST_API int erldist_peer_disconnect(struct erldist_observer *o, const char *node,
					const char *peer, uint64_t connection);

/**
 * erldist_creation_of() - the creation of a node, for erldist_parse_options
 * @user: an observer, or NULL
 * @node: a local node, or a peer
 * @creation: receives it
 *
 * Return: 0, or -ENOENT for a node that is not known.
 */
ERLDIST_API int erldist_creation_of(void *user, const char *node, uint32_t *creation);

/**
 * erldist_reason_name() - a reason in one word, as in the netlink specification
 * @reason: enum erldist_reason
 *
 * Return: the word, never NULL.
 */
ERLDIST_API const char *erldist_reason_name(uint32_t reason);

/**
 * erldist_peer_state_name() - a peer's state in one word
 * @state: enum erldist_peer_state
 *
 * Return: the word, never NULL.
 */
ERLDIST_API const char *erldist_peer_state_name(uint32_t state);

/**
 * erldist_process_state_name() - a process's state in one word
 * @state: enum erldist_process_state
 *
 * Return: the word, never NULL.
 */
ERLDIST_API const char *erldist_process_state_name(uint32_t state);

/**
 * erldist_event_name() - an event in one word
 * @type: enum erldist_event_type
 *
 * Return: the word, never NULL.
 */
ERLDIST_API const char *erldist_event_name(enum erldist_event_type type);

/**
 * erldist_explain() - why a connection ended or did not come up, in a sentence
 * @text: receives it
 * @size: of @text
 * @info: the peer, with reason and error
 * @cookie_source: where the local node's cookie is from, or NULL: not known
 */
ERLDIST_API void erldist_explain(char *text, size_t size,
				 const struct erldist_peer_info *info,
				 const char *cookie_source);

/*
 * Keeper: a node in one object
 */

struct erldist_keeper;

/*
 * What a keeper answers for a peer that it cannot reach; others are those of
 * connect(2). They come back from erldist_connect().
 */
enum erldist_unreachable {
	ERLDIST_NO_SUCH_HOST = EADDRNOTAVAIL,	/* the host name does not resolve */
	ERLDIST_NOT_RESOLVED = ENONET,		/* no name server answers */
	ERLDIST_NO_EPMD = EHOSTDOWN,		/* no epmd answers on the host */
	ERLDIST_NOT_REGISTERED = ENOENT,	/* epmd does not know the node */
	ERLDIST_OTHER_NAMES = EPROTOTYPE,	/* long names here, short there, or so */
	ERLDIST_NO_ADDRESS = EDESTADDRREQ,	/* none is configured, epmd is not asked */
	ERLDIST_NOT_ALLOWED = EACCES,		/* the keeper's list of nodes lacks it */
	ERLDIST_NOT_BY_ITSELF = ENOTCONN,	/* the keeper connects when told to only */
	ERLDIST_REFUSED = ECONNABORTED,		/* it refused, and is left alone for a while */
	ERLDIST_EPMD_SILENT = ETIME,		/* epmd, or its host, does not answer */
};

enum erldist_keeper_event_type {
	ERLDIST_KEEPER_REGISTERED,	/* with epmd */
	ERLDIST_KEEPER_NO_EPMD,		/* epmd is missing, or refused; tried again */
	ERLDIST_KEEPER_WANTED,		/* a peer is being connected */
	ERLDIST_KEEPER_UNREACHABLE,	/* that failed before the handshake */
	ERLDIST_KEEPER_UP,
	ERLDIST_KEEPER_DOWN,
	ERLDIST_KEEPER_FAILED,		/* a handshake failed */
	ERLDIST_KEEPER_REJECTED,	/* an accepted connection was not let in */
	ERLDIST_KEEPER_ASKS,		/* one waits for erldist_keeper_answer() */
};

/**
 * struct erldist_keeper_event - news of a keeper
 * @type: what happened
 * @text: the sentence for a log; names the peer and what to look at
 * @peer: the remote node, or NULL
 * @reason: enum erldist_reason, where there is one
 * @error: a positive errno, or 0
 * @connection: number of the connection, or 0
 * @tag: ASKS: says which attempt it is, for the answer
 * @address: ASKS: where it is from, ``192.0.2.1:40000``, ``unix``
 * @flags: ASKS: the distribution flags it offers
 */
struct erldist_keeper_event {
	enum erldist_keeper_event_type type;
	const char *text;
	const char *peer;
	uint32_t reason;
	int error;
	uint64_t connection;
	uint64_t tag;
	const char *address;
	uint64_t flags;
};

/* Flags of a keeper */
#define ERLDIST_KEEPER_LONG_NAMES	0x1	/* the host part is a domain name */
#define ERLDIST_KEEPER_WITHOUT_EPMD	0x2	/* neither register nor look up */
#define ERLDIST_KEEPER_NO_EPMD_START	0x4	/* do not start epmd if it is missing */
#define ERLDIST_KEEPER_NO_LISTEN	0x8	/* accept nobody */
#define ERLDIST_KEEPER_EPMD_NORMAL	0x10	/* registered as a node that is not hidden */
#define ERLDIST_KEEPER_ASK		0x20	/* ASKS for each connection that comes */
#define ERLDIST_KEEPER_VISIBLE		0x40	/* refused: -EOPNOTSUPP */
#define ERLDIST_KEEPER_ANY_NAMES	0x80	/* connect to long and to short ones */

/* May a keeper connect what processes send to? */
enum erldist_auto_connect {
	ERLDIST_AUTO_CONNECT,
	ERLDIST_AUTO_CONNECT_ONCE,	/* not again after it was down */
	ERLDIST_AUTO_CONNECT_NEVER,
};

/**
 * struct erldist_keeper_options - what a node is like
 * @name: ``svc``, the host is filled in, or ``svc@host``
 * @cookie: the cookie, or NULL: from a file
 * @cookie_file: the file, or NULL: the one OTP uses, made if missing; for a set-uid
 *	program in the home directory of its user, whatever the environment says
 * @listen: a place, see @listens
 * @peers: ``NODE=HOST:PORT`` or ``NODE=unix:PATH``, addresses that need no epmd
 * @options: ERLDIST_KEEPER_* flags
 * @mode: permission bits, who may bind processes; 0: the kernel's default, 0600
 * @flags: distribution flags to offer; 0: the kernel's default. Nodes are hidden:
 *	ERLDIST_DFLAG_PUBLISHED is refused, as a visible one takes part in global
 * @ticktime: seconds; 0: the kernel's default
 * @setuptime: seconds within which a connection is to be made, the handshake included,
 *	at most 120; 0: the kernel's default, 7. As net_setuptime
 * @event: called from erldist_keeper_open() and _dispatch(), or NULL; of the
 *	keeper's functions it may call erldist_keeper_answer() only
 * @user: for @event
 * @listens: more places: ``ADDR:PORT``, ``[ADDR]:PORT``, ``:PORT``, ``unix:PATH``,
 *	``fd:N`` (a listening socket, which becomes the keeper's). If there is none
 *	in all: any IPv4 address, any port. epmd is told the first port
 * @cookies: ``NODE=FILE``, cookies of some nodes
 * @keep: nodes to be connected always
 * @allow: if given, only these: ``NODE``, ``HOST`` or ``NAME@``, as for
 *	net_kernel:allow
 * @admit: a program that is asked about each connection that comes: its
 *	arguments are node, address and flags, it prints ``yes``, ``no``, or
 *	``cookie`` and the cookie to use
 * @connect_with: a command that connects its standard input and output with %h,
 *	port %p; epmds are asked through it too. It is killed with the keeper
 * @epmd: ``ADDR``, ``:PORT`` or ``ADDR:PORT`` of the epmd to register with; the port
 *	is that of others too. NULL: this host's, $ERL_EPMD_PORT
 * @listen_min: with @listen_max: ports to take one of where none is given
 * @listen_max: see @listen_min
 * @dist_port: if not 0, the port of every node, which no epmd is asked for
 * @auto_connect: enum erldist_auto_connect
 * @handshakes: accepted connections that are not up yet; 0: the kernel's limit. Beyond
 *	it a new one ends another one, of the address that has most of them
 * @connections: that were accepted; 0: any number
 * @per_address: that were accepted from one address; 0: 256
 * @node_fd: if not 0, the socket of the node, which another keeper had: it goes on
 *	as it is, with its creation and its connections
 * @epmd_fd: if not 0, its connection to epmd
 * @named_by: if given, a node that is connected first, and asked to give this one
 *	its name, on the host of @name (NAME_ME, a dynamic node name). Where it gives
 *	none the name is @name. It is not connected again by itself, as the name is
 *	its to give to others then. With ERLDIST_KEEPER_NO_LISTEN only
 * @named_within: ms that this may take; 0: 7000, which is the most
 *
 * Descriptors that are given, @listens' too, become the keeper's when
 * erldist_keeper_open() succeeds.
 *
 * Lists end with NULL, or are NULL. Begin with ERLDIST_KEEPER_OPTIONS_INIT.
 */
struct erldist_keeper_options {
	const char *name;
	const char *cookie;
	const char *cookie_file;
	const char *listen;
	const char *const *peers;
	unsigned int options;
	uint32_t mode;
	uint64_t flags;
	uint32_t ticktime;
	void (*event)(void *user, const struct erldist_keeper_event *event);
	void *user;
	const char *const *listens;
	const char *const *cookies;
	const char *const *keep;
	const char *const *allow;
	const char *admit;
	const char *connect_with;
	const char *epmd;
	uint16_t listen_min;
	uint16_t listen_max;
	uint16_t dist_port;
	uint16_t auto_connect;
	uint32_t handshakes;
	uint32_t connections;
	uint32_t per_address;
	int node_fd;
	int epmd_fd;
	const char *named_by;
	uint32_t named_within;
	uint32_t setuptime;
};

#define ERLDIST_KEEPER_OPTIONS_INIT	ERLDIST_ZERO

/**
 * erldist_keeper_open() - make a node
 * @k: receives the handle; on error too (see erldist_open())
 * @options: what it is like
 *
 * Listens, registers with epmd, starting it if it is missing, and binds the
 * node. May wait some seconds for epmd. A keeper has children, which it waits for
 * by their ids: epmd -daemon, getent(1) to resolve host names, @connect_with and
 * @admit.
 *
 * Return: 0, -EPERM, -EADDRINUSE (the name or the port), -ENOKEY or -EACCES (the
 * cookie), -EINVAL, -EOPNOTSUPP, -EAFNOSUPPORT.
 */
ERLDIST_API int erldist_keeper_open(struct erldist_keeper **k,
				    const struct erldist_keeper_options *options);

/**
 * erldist_keeper_check() - look for mistakes, without making a node
 * @k: receives a handle, for erldist_keeper_node(), erldist_strerror() and
 *	erldist_keeper_close() only; on error too (see erldist_open())
 * @options: what a node would be like
 *
 * Cookie files that are named are read, the one of the home directory is neither
 * read nor made. No module is needed.
 *
 * Return: 0, or what erldist_keeper_open() would.
 */
ERLDIST_API int erldist_keeper_check(struct erldist_keeper **k,
				     const struct erldist_keeper_options *options);

/**
 * erldist_keeper_configure() - change a node
 * @k: the keeper
 * @options: all of what it is to be like
 *
 * Name, places, epmd, and distribution flags stay what they were. Cookies are read
 * again; connections stay up. After an error everything is as before, but for the
 * cookies that the kernel had taken when it refused one for lack of memory.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_keeper_configure(struct erldist_keeper *k,
					 const struct erldist_keeper_options *options);

/**
 * erldist_keeper_set_cookie() - change a cookie
 * @k: the keeper
 * @node: the remote node that it is for, or NULL: all that have none of their own
 * @cookie: the cookie; NULL: @node has none of its own
 *
 * Handshakes from now on use it.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_keeper_set_cookie(struct erldist_keeper *k, const char *node,
					  const char *cookie);

/**
 * erldist_keeper_connect() - connect a node now
 * @k: the keeper
 * @node: the node, which it need not be allowed to connect by itself
 *
 * Does not wait: UP, UNREACHABLE or FAILED tells.
 *
 * Return: 0 or a negative errno.
 */
ERLDIST_API int erldist_keeper_connect(struct erldist_keeper *k, const char *node);

/**
 * erldist_keeper_answer() - let a connection in, or not
 * @k: the keeper
 * @node: the peer of ASKS
 * @tag: of ASKS
 * @allow: 0 or 1
 * @cookie: the cookie it has to prove, now and later, or NULL: as it was
 *
 * One that is not answered in the setup time is refused.
 *
 * Return: 0, -ENOENT: it does not wait any more, or another negative errno.
 */
ERLDIST_API int erldist_keeper_answer(struct erldist_keeper *k, const char *node,
				      uint64_t tag, int allow, const char *cookie);

/**
 * erldist_keeper_give() - give the node a connection
 * @k: the keeper
 * @fd: a connected stream, good for close() only afterwards
 * @role: enum erldist_role; READY: you did the handshake
 * @node: the peer; NULL for ACCEPTOR
 * @flags: READY: the distribution flags the peer offered
 * @creation: READY: the peer's creation
 *
 * Return: 0, -EISCONN, -EALREADY (it is being connected otherwise), or another
 * negative errno.
 */
ERLDIST_API int erldist_keeper_give(struct erldist_keeper *k, int fd, int role,
				    const char *node, uint64_t flags, uint32_t creation);

/**
 * erldist_keeper_close() - end the node
 * @k: the handle, or NULL
 */
ERLDIST_API void erldist_keeper_close(struct erldist_keeper *k);

/**
 * erldist_keeper_fd() - readable when erldist_keeper_dispatch() has work
 * @k: the keeper
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_keeper_fd(const struct erldist_keeper *k);

/**
 * erldist_keeper_dispatch() - do what there is to do, without waiting
 * @k: the keeper
 *
 * Return: 0 or a negative errno, after which the node can be closed only.
 */
ERLDIST_API int erldist_keeper_dispatch(struct erldist_keeper *k);

/**
 * erldist_keeper_node() - the node's full name
 * @k: the keeper
 *
 * Return: the name.
 */
ERLDIST_API const char *erldist_keeper_node(const struct erldist_keeper *k);

/**
 * erldist_keeper_node_fd() - the node's socket, for options
 * @k: the keeper
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_keeper_node_fd(const struct erldist_keeper *k);

/**
 * erldist_keeper_epmd_fd() - the connection to epmd, to keep it for another keeper
 * @k: the keeper
 *
 * Return: the descriptor, or -ENOENT: it is not registered.
 */
ERLDIST_API int erldist_keeper_epmd_fd(const struct erldist_keeper *k);

/**
 * erldist_keeper_listen_fd() - a listening socket, to keep it for another keeper
 * @k: the keeper
 * @n: which one, 0 is the first
 *
 * Where it is a path, that stays when this keeper is closed.
 *
 * Return: the descriptor, or -ENOENT: there are no more.
 */
ERLDIST_API int erldist_keeper_listen_fd(const struct erldist_keeper *k, unsigned int n);

/**
 * erldist_keeper_port() - the first TCP port it listens on, or 0
 * @k: the keeper
 *
 * Return: the port.
 */
ERLDIST_API int erldist_keeper_port(const struct erldist_keeper *k);

/**
 * erldist_keeper_cookie_source() - where the cookie is from, for messages
 * @k: the keeper
 *
 * Return: a file name, or words.
 */
ERLDIST_API const char *erldist_keeper_cookie_source(const struct erldist_keeper *k);

/*
 * Broker: processes of a node for who is not in its network namespace
 */

struct erldist_broker;
struct ucred;

/**
 * struct erldist_broker_event - who asked, and what he got
 *
 * That too many ask at once is told once a second at most.
 *
 * @asker: his process, user and group, as in this namespace
 * @error: 0: a process; else a positive errno, why not
 * @text: the sentence for a log
 */
struct erldist_broker_event {
	const struct ucred *asker;
	int error;
	const char *text;
};

/**
 * struct erldist_broker_options - what is handed out, where, and to whom
 * @path: where to listen; who may write to it may have processes
 * @node: the local node
 * @mode: of the path; 0: 0600
 * @admit: asked about each asker, or NULL; 0: yes, or a negative errno
 * @event: called from erldist_broker_dispatch(), or NULL
 * @user: for @admit and @event
 * @listen_fd: if not 0, the socket that another broker had at @path; it becomes the
 *	broker's when erldist_broker_open() succeeds
 *
 * Begin with ERLDIST_BROKER_OPTIONS_INIT.
 */
struct erldist_broker_options {
	const char *path;
	const char *node;
	uint32_t mode;
	int (*admit)(void *user, const struct ucred *asker);
	void (*event)(void *user, const struct erldist_broker_event *event);
	void *user;
	int listen_fd;
};

#define ERLDIST_BROKER_OPTIONS_INIT	ERLDIST_ZERO

/**
 * erldist_broker_open() - hand out processes over an AF_UNIX path
 * @b: receives the handle; on error too (see erldist_open())
 * @options: which, where, and to whom
 *
 * erldist_open() with ``unix:PATH`` asks it, from any namespace that sees the path.
 * The process is then the asker's alone and ends with him; the broker is not
 * needed any more, and the node's mode is not asked. Names are registered by the
 * asker, as he is permitted to. A path that a dead broker left is taken over.
 *
 * No asker can hold up the broker. A user whose programs do not take what they asked
 * for is refused more until they do, or end; others are still served.
 *
 * Return: 0, -EADDRINUSE (the path), -EACCES, -EINVAL, -ENOENT (its directory).
 */
ERLDIST_API int erldist_broker_open(struct erldist_broker **b,
				    const struct erldist_broker_options *options);

/**
 * erldist_broker_close() - hand out no more, and remove the path
 * @b: the handle, or NULL
 *
 * What was handed out stays.
 */
ERLDIST_API void erldist_broker_close(struct erldist_broker *b);

/**
 * erldist_broker_fd() - readable when erldist_broker_dispatch() has work
 * @b: the broker
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_broker_fd(const struct erldist_broker *b);

/**
 * erldist_broker_listen_fd() - the socket at the path, to keep it for another broker
 * @b: the broker
 *
 * Return: the descriptor, or -EBADF if the handle was not opened.
 */
ERLDIST_API int erldist_broker_listen_fd(const struct erldist_broker *b);

/**
 * erldist_broker_dispatch() - do what there is to do, without waiting
 * @b: the broker
 *
 * Return: 0 or a negative errno, after which it can be closed only.
 */
ERLDIST_API int erldist_broker_dispatch(struct erldist_broker *b);

#ifdef __cplusplus
}
#endif

#endif /* ERLDIST_H */

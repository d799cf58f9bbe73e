// SPDX-License-Identifier: GPL-2.0-only
/* erldist node run: hold a node in the foreground. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

static bool json;	/* one object a line, of what goes wrong later too */

static void tell(const char *event, bool bad, const char *text)
{
	struct out o;

	if (!json) {
		say_line(bad ? STDERR_FILENO : STDOUT_FILENO, text);
	} else {
		out_begin(&o, true);
		out_time(&o);
		out_text(&o, "event", event);
		out_text(&o, "text", text);
		out_end(&o);
	}
}

/* For what a peer or a local user can cause as often as it likes */
void tell_limited(struct limit *l, const char *event, bool bad, const char *text)
{
	unsigned int left_out;

	if (!limit_pass(l, &left_out))
		return;
	if (left_out)
		complain("%u more messages of the next one's kind were left out", left_out);
	tell(event, bad, text);
}

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	static const char *const names[] = {
		[ERLDIST_KEEPER_REGISTERED] = "registered",
		[ERLDIST_KEEPER_NO_EPMD] = "no-epmd",
		[ERLDIST_KEEPER_WANTED] = "connecting",
		[ERLDIST_KEEPER_UNREACHABLE] = "unreachable",
		[ERLDIST_KEEPER_UP] = "up",
		[ERLDIST_KEEPER_DOWN] = "down",
		[ERLDIST_KEEPER_FAILED] = "failed",
		[ERLDIST_KEEPER_REJECTED] = "rejected",
		[ERLDIST_KEEPER_ASKS] = "asks",
	};
	static struct limit limits[ERLDIST_KEEPER_ASKS + 1];
	bool good = e->type == ERLDIST_KEEPER_UP || e->type == ERLDIST_KEEPER_DOWN ||
		    e->type == ERLDIST_KEEPER_WANTED || e->type == ERLDIST_KEEPER_REGISTERED;
	static struct troubles troubles;
	unsigned int repeated;
	char text[512];

	(void)user;
	if (!trouble_news(&troubles, e, &repeated))
		return;
	tell_limited(&limits[e->type], names[e->type], !good, e->text);
	if (!repeated)
		return;
	snprintf(text, sizeof(text), "%s had failed %u more times as told", e->peer, repeated);
	tell("repeated", false, text);
}

/* A node, and what else is served beside it, or NULL */
struct held {
	struct erldist_keeper *k;
	struct serve_info *info;
	struct erldist_broker *b;
	int waiter;	/* who started us in the background, or -1 */
};

static void json_start(const struct held *h)
{
	struct out o;

	out_begin(&o, true);
	out_time(&o);
	out_text(&o, "event", "running");
	out_text(&o, "name", erldist_keeper_node(h->k));
	out_number(&o, "port", (uint64_t)erldist_keeper_port(h->k));
	out_number(&o, "process", (uint64_t)getpid());
	out_text(&o, "cookie-from", erldist_keeper_cookie_source(h->k));
	out_end(&o);
}

static void text_start(const struct held *h)
{
	struct erldist_keeper *k = h->k;

	printf("%s is running", erldist_keeper_node(k));
	if (erldist_keeper_port(k))
		printf(", port %d", erldist_keeper_port(k));
	if (h->waiter >= 0)
		printf(", process %d", (int)getpid());
	printf(", cookie from %s\n", erldist_keeper_cookie_source(k));
}

/*
 * $(erldist node run svc --background) waits until all have closed the pipe. What comes
 * later goes to a terminal or a file only.
 */
static void leave_pipe(int fd)
{
	struct stat st;
	int null;

	if (fstat(fd, &st) || !S_ISFIFO(st.st_mode))
		return;
	fflush(stdout);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, fd);
	close(null);
}

static void tell_start(struct held *h)
{
	if (json)
		json_start(h);
	else
		text_start(h);
	if (h->waiter < 0)
		return;
	if (write(h->waiter, "", 1) < 0)
		complain("the command that started it is gone: %s", strerror(errno));
	close(h->waiter);
	leave_pipe(STDOUT_FILENO);
	leave_pipe(STDERR_FILENO);
}

/* Cookies are read again. What was goes on where that fails */
static void reload(struct erldist_keeper *k, const struct erldist_keeper_options *options)
{
	int err = erldist_keeper_configure(k, options);
	char text[1024];

	if (err)
		snprintf(text, sizeof(text), "%s: nothing is changed: %s",
			 erldist_keeper_node(k), erldist_strerror(k, err));
	else
		snprintf(text, sizeof(text), "%s is configured again, cookie from %s",
			 erldist_keeper_node(k), erldist_keeper_cookie_source(k));
	tell(err ? "not-configured" : "configured", err, text);
}

static int dispatch(const struct held *h)
{
	static struct limit not_served;
	int err = erldist_keeper_dispatch(h->k);
	const char *text;

	if (err)
		return complain("%s", erldist_strerror(h->k, err));
	text = h->info ? serve_info_dispatch(h->info) : NULL;
	if (text)
		tell_limited(&not_served, "not-served", true, text);
	return hand_out_dispatch(h->b);
}

static int hold(struct cli *c, const struct held *h)
{
	int err, status = 0;

	while (!status && !stop_asked()) {
		const int fds[] = {
			erldist_keeper_fd(h->k),
			h->info ? serve_info_fd(h->info) : -1,
			h->b ? erldist_broker_fd(h->b) : -1,
		};

		err = stop_wait(fds, 3);
		if (err)
			return complain("poll: %s", erldist_strerror(NULL, err));
		if (hangup_came())
			reload(h->k, &c->setup.keeper);
		status = dispatch(h);
	}
	return status;
}

/* What tells of the node only: it can be asked for by whoever has the cookie */
static int serve_info(struct held *h)
{
	int err = serve_info_open(&h->info, erldist_keeper_node(h->k));

	return err ? complain("--serve-info: %s", serve_info_error(h->info)) : 0;
}

static int take_options(struct cli *c)
{
	struct node_setup *s = &c->setup;

	inherit();
	if (inherited_listeners(s, "") || node_setup_finish(s, c->argv[0]))
		return complain("node run: %s", s->error);
	s->keeper.event = on_event;
	return 0;
}

static int take_default(const struct cli *c, const struct held *h)
{
	int err = c->setup.mark_default ? mark_default(erldist_keeper_node(h->k)) : 0;

	return err ? complain("%s: %s", ERLDIST_DEFAULT_FILE, strerror(-err)) : 0;
}

static int run(struct cli *c, struct held *h)
{
	int status = 0;

	speak_as(erldist_keeper_node(h->k));
	if (c->setup.serve_info)
		status = serve_info(h);
	if (!status)
		status = hand_out_open(c, &h->b, erldist_keeper_node(h->k));
	if (!status)
		status = take_default(c, h);
	if (status)
		return status;
	tell_start(h);
	status = hold(c, h);
	if (c->setup.mark_default)
		unmark_default(erldist_keeper_node(h->k));
	return status;
}

/* Until the child holds its node, or has ended: the exit status */
static int wait_for_child(pid_t child, int fd)
{
	int status;
	char byte;

	if (read(fd, &byte, 1) == 1)
		return 0;
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return complain("node run: the process in the background has ended");
	return WEXITSTATUS(status);
}

/* Goes on in a child, which the terminal does not end */
static int go_to_background(struct held *h)
{
	int fd[2];
	pid_t child;

	if (pipe2(fd, O_CLOEXEC))
		return complain("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return complain("fork: %s", strerror(errno));
	if (child) {
		close(fd[1]);
		exit(wait_for_child(child, fd[0]));
	}
	close(fd[0]);
	setsid();
	h->waiter = fd[1];
	return 0;
}

static int is_named(void *user, const struct erldist_node_info *n)
{
	return !strcmp(n->name, user);
}

/* A node of that name runs on this machine, which epmd or the kernel knows: the program is told */
static bool tell_running(const char *name, const char *node)
{
	struct erldist_observer *o = NULL;
	const struct holder *holder;
	struct holders all;
	bool runs;

	runs = !erldist_observer_open(&o, 0) &&
	       erldist_nodes(o, is_named, (void *)(uintptr_t)node) > 0;
	erldist_observer_close(o);
	if (!runs)
		return false;
	holders_find(&all);
	holder = holder_of(&all, node);
	/* another program is more than its node: erldistd, say */
	if (!holder)
		complain("%s is running already; 'erldist node stop %s' stops it", node, name);
	else if (strcmp(holder->program, "erldist"))
		complain("%s is running already, held by %s (pid %d)", node, holder->program,
			 (int)holder->pid);
	else
		complain("%s is running already (pid %d); 'erldist node stop %s' stops it", node,
			 (int)holder->pid, name);
	holders_free(&all);
	return true;
}

/* The text says which node it is about, if the text does not begin with its name. */
static void not_opened(const struct erldist_keeper *k, const char *name, int err)
{
	const char *text = erldist_strerror(k, err);

	if (err == -EADDRINUSE && tell_running(name, erldist_keeper_node(k)))
		return;
	if (!strncmp(text, name, strlen(name)))
		complain("%s", text);
	else
		complain("%s: %s", name, text);
}

int node_run(struct cli *c)
{
	struct held h = { .waiter = -1 };
	int err, status = 1;

	json = c->json;
	if (take_options(c) || (c->background && go_to_background(&h)))
		return 1;
	/* whoever reads what is told here may go: the node stays */
	signal(SIGPIPE, SIG_IGN);
	stop_prepare();
	stop_take_hangup();
	err = erldist_keeper_open(&h.k, &c->setup.keeper);
	if (err)
		not_opened(h.k, c->argv[0], err);
	else
		status = run(c, &h);
	serve_info_close(h.info);
	erldist_broker_close(h.b);
	erldist_keeper_close(h.k);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* erldistd: holds the nodes that the files of a directory describe. */
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "erldistd.h"

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 'k' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "user", required_argument, NULL, 'u' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage(FILE *f)
{
	fputs("usage: erldistd [--config DIR] [--log-level err|warning|notice|info|debug]\n"
	      "       erldistd [--config DIR] --check [--user USER]\n"
	      "       erldistd --version\n"
	      "Holds a node for each *.conf in DIR, " NODES_DIR " if not given.\n"
	      "--check: says what is wrong with them, and ends\n"
	      "--user:  whom root checks for, as files have to be readable; " SERVICE_USER
	      " if not given\n"
	      "See erldistd(8).\n", f);
	return f == stderr;
}

/*
 * What root can read the service may not be able to: root checks as the user of the
 * service. name: NULL: that of the unit, if there is such a user.
 */
static int become_user(const char *name)
{
	const struct passwd *pw;

	if (geteuid()) {
		if (!name)
			return 0;
		say(LOG_ERR, "--user: only root can check for another user");
		return 1;
	}
	pw = getpwnam(name ? name : SERVICE_USER);
	if (!pw && !name)
		return 0;
	if (!pw) {
		say(LOG_ERR, "--user: there is no user %s", name);
		return 1;
	}
	if (initgroups(pw->pw_name, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid)) {
		say(LOG_ERR, "cannot check as user %s: %s", pw->pw_name, strerror(errno));
		return 1;
	}
	return 0;
}

/* The exit status */
static int check(const char *dir)
{
	struct mistakes m = { .tell = true };
	struct conf *list = conf_read(dir, &m), *c;

	for (c = list; c && !m.n; c = c->next)
		printf("%s: %s\n", c->path, c->node);
	if (!list && !m.n)
		printf("there is no node in %s: each is a file NAME.conf there\n", dir);
	if (!m.n && !geteuid() && !getpwnam(SERVICE_USER))
		say(LOG_WARNING, "there is no user %s (systemd-sysusers makes it): the files were "
		    "checked as root", SERVICE_USER);
	conf_free(list);
	return m.n ? 1 : 0;
}

static void reload(const char *dir)
{
	struct timespec now;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify(-1, "RELOADING=1\nMONOTONIC_USEC=%lld%06ld", (long long)now.tv_sec,
	       now.tv_nsec / 1000);
	err = nodes_reload(dir);
	notify(-1, "READY=1\nSTATUS=%s%s", err ? "the last configuration was refused; " : "",
	       nodes_text());
}

static int hold(const char *dir, int epfd, int watchdog)
{
	int err = 0;

	while (!err && !stop_asked()) {
		err = stop_wait(&epfd, 1);
		if (err) {
			say(LOG_ERR, "poll: %s", strerror(-err));
			break;
		}
		if (hangup_came())
			reload(dir);
		if (watchdog >= 0)
			watchdog_ping(watchdog);
		err = nodes_dispatch();
	}
	return err ? 1 : 0;
}

/* Told to end: the service manager ends the nodes, unless it starts us again */
static void end(void)
{
	notify(-1, "STOPPING=1");
	if (notify_wanted())
		nodes_leave();
	else
		nodes_close();
}

/* Who is asked whom to admit, or connects for us, makes no nodes */
static void keep_privileges(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int run(const char *dir)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC), watchdog, status;

	/* the nodes stay when the reader of the log has gone */
	signal(SIGPIPE, SIG_IGN);
	keep_privileges();
	notify_open();
	inherit();
	watchdog = watchdog_open();
	if (epfd < 0 || (watchdog >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, watchdog, &ev))) {
		say(LOG_ERR, "epoll: %s", strerror(errno));
		return 1;
	}
	nodes_open(epfd);
	if (nodes_start(dir)) {
		if (!notify_wanted())
			nodes_close();
		return 1;
	}
	notify(-1, "READY=1\nSTATUS=%s", nodes_text());
	status = hold(dir, epfd, watchdog);
	end();
	return status;
}

struct args {
	const char *dir;
	const char *user;
	bool check, help, version;
};

static int take_level(const char *name)
{
	if (log_level(name) < 0) {
		say(LOG_ERR, "--log-level: %s is no level", name);
		return -1;
	}
	log_set_level(log_level(name));
	return 0;
}

static int parse(struct args *a, int argc, char **argv)
{
	int opt, err = 0;

	while (!err && (opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'c')
			a->dir = optarg;
		else if (opt == 'k')
			a->check = true;
		else if (opt == 'l')
			err = take_level(optarg);
		else if (opt == 'u')
			a->user = optarg;
		else if (opt == 'v')
			a->version = true;
		else if (opt == 'h')
			a->help = true;
		else
			err = -1;
	}
	if (!err && optind < argc) {
		say(LOG_ERR, "there is no place for %s: a directory is given with --config",
		    argv[optind]);
		err = -1;
	} else if (!err && a->user && !a->check) {
		say(LOG_ERR, "--user goes with --check");
		err = -1;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct args a = { .dir = NODES_DIR };

	log_open();
	if (parse(&a, argc, argv))
		return usage(stderr);
	if (a.help)
		return usage(stdout);
	if (a.version)
		return puts("erldistd " ERLDIST_VERSION) < 0;
	if (a.check)
		return become_user(a.user) || check(a.dir);
	stop_prepare();
	stop_take_hangup();
	return run(a.dir);
}

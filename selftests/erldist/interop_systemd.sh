#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# erldistd under systemd, with the unit it comes with: killed and restarted again
# and again under traffic with an Erlang node, which must not notice.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

UNIT=${ERLDIST_UNIT:-$HERE/../../packaging/erldistd.service.in}
# Fewer with each release but the last
RESTARTS=${RESTARTS:-50}
SYSTEMD=

# In the namespaces where systemd is the first process
inside()
{
	nsenter --target "$SYSTEMD" --pid --mount --cgroup --ipc "$@"
}

systemctl()
{
	inside /bin/systemctl --no-pager "$@"
}

# Nothing but what the unit needs is started: no udev, no journal
install_unit()
{
	local dir=/run/systemd/system

	mkdir -p "$dir"/erldistd.service.d /etc/erldist/nodes.d /usr/local/sbin
	install -m 755 "$(command -v erldistd)" /usr/local/sbin/erldistd
	sed 's|@SBINDIR@|/usr/local/sbin|' "$UNIT" > "$dir"/erldistd.service
	cat > "$dir"/erldistd.service.d/test.conf <<-END
		[Unit]
		DefaultDependencies=no
		Wants=
		After=
		[Service]
		RestartSec=100ms
		WatchdogSec=15s
		Environment=ERL_EPMD_PORT=$ERL_EPMD_PORT
		StandardOutput=append:/run/erldistd.log
		StandardError=append:/run/erldistd.log
	END
	printf '[Unit]\nDescription=Nothing\nDefaultDependencies=no\n' > "$dir"/nothing.target
	getent passwd erldist > /dev/null ||
		useradd --system --home-dir /var/lib/erldist --user-group erldist
}

boot()
{
	container=erldist unshare --pid --mount --cgroup --ipc --fork --kill-child --mount-proc \
		--propagation private /lib/systemd/systemd --system --unit=nothing.target \
		--show-status=no > "$TMP/systemd.log" 2>&1 &
	wait_for 10 pgrep -P $!
	SYSTEMD=$(pgrep -P $!)
	wait_for 60 runs && return
	systemctl is-system-running 2>&1 | sed 's/^/# /'
	return 1
}

runs()
{
	[[ $(systemctl is-system-running 2> /dev/null) =~ ^(running|degraded)$ ]]
}

conf()
{
	local file=/etc/erldist/nodes.d/$1.conf
	shift
	printf '%s\n' "$@" > "$file.new"
	chmod 400 "$file.new"
	chown erldist "$file.new"
	mv "$file.new" "$file"
}

show_log()
{
	sed 's/^/# /' /run/erldistd.log
	systemctl status erldistd.service | sed 's/^/# /'
}

main_pid()
{
	systemctl show -P MainPID erldistd.service
}

# pid of the one before
another_runs()
{
	local state
	state=$(systemctl show -p ActiveState -p MainPID erldistd.service)
	[[ $state == *ActiveState=active* && $state == *MainPID=[1-9]* ]] &&
		! grep -qx "MainPID=$1" <<< "$state"
}

creation()
{
	erldist -j node show "svc@$HOST" | jq .creation
}

connection()
{
	erldist -j peer show "b@$HOST" | jq -c "select(.node == \"svc@$HOST\" and
		.state == \"up\") | .connection"
}

# Until the file is there: a line for each time that epmd did not list the name
poll_names()
{
	local polls=0

	while [ ! -e "$TMP/stop" ]; do
		in_epmd svc || echo missing
		polls=$((polls + 1))
		sleep 0.2
	done
	echo "$polls polls"
}

# times: so often it was followed by another one
followed()
{
	[ "$(grep -c "svc@$HOST goes on" /run/erldistd.log)" -ge "$1" ]
}

# Each fifth time as an operator restarts it, else by SIGKILL
restart_once()
{
	if (($1 % 5)); then
		kill -KILL "$(pidof erldistd)"
	else
		systemctl restart erldistd.service
	fi
	wait_for 30 followed "$1"
}

restart_all()
{
	local i

	for ((i = 1; i <= $1; i++)); do
		restart_once "$i" || return
	done
}

stored()
{
	local n
	n=$(systemctl show -P NFileDescriptorStore erldistd.service)
	echo "$n descriptors are stored"
	[ "$n" = "$1" ]
}

restarts()
{
	local first_creation first traffic polls times=$RESTARTS

	start_program echo "$(echo_program)" || return
	first_creation=$(creation)
	rm -f "$TMP/stop" "$TMP/going"
	INTEROP_TIME=1300 beam traffic -- interop_daemon "svc@$HOST" "$TMP/stop" "$TMP/going" > "$TMP/traffic" &
	traffic=$!
	wait_for 60 test -e "$TMP/going"
	first=$(connection)
	poll_names > "$TMP/polls" &
	polls=$!
	[ "$OTP" = "${ERLDIST_OTP##* }" ] || times=$(((RESTARTS + 9) / 10))
	check "killed or restarted $times times, it is there again each time" restart_all "$times"
	check "it is running in the end" wait_for 20 another_runs 0
	: > "$TMP/stop"
	wait "$polls"
	wait "$traffic"
	number_results < <(sed -n 's/^\(\(not \)\?ok\) [0-9]* - OTP [^:]*:/\1 -/p; /^#/p' \
		"$TMP/traffic")
	check "epmd listed the name all the while" says "polls" cat "$TMP/polls"
	check "without exception" nonzero grep missing "$TMP/polls"
	check "the creation is the same" [ "$first_creation" = "$(creation)" ]
	check "the connection is the same" [ "$first" = "$(connection)" ]
	check "node, registration, place and path are stored, each once" stored 4
	end_child "$PROGRAM_PID"
}

# What it may do: nothing but make nodes, and the programs that it starts not even that
is_reduced()
{
	local set status

	status=$(cat "/proc/$(pidof erldistd)/status") || return
	grep -E '^(Cap|NoNewPrivs|Seccomp:)' <<< "$status"
	for set in CapPrm CapEff CapBnd; do
		grep -q "^$set:[[:space:]]0*1000$" <<< "$status" || return	# CAP_NET_ADMIN
	done
	grep -q '^CapAmb:[[:space:]]0*$' <<< "$status" &&
		grep -q '^NoNewPrivs:[[:space:]]1$' <<< "$status" &&
		grep -q '^Seccomp:[[:space:]]2$' <<< "$status"
}

# What still works after all that
afterwards()
{
	check "it accepts" says pong erldist rpc --node "svc@$HOST" "b@$HOST" net_adm ping \
		"['svc@$HOST']"
	check "it hands out" says pong erldist ping --node unix:/run/erldist/svc.sock "b@$HOST"
	end_child "$BEAM_PID"
	start_beam b -setcookie "$COOKIE" || return
	check "it connects who is kept" wait_for 20 connected
}

connected()
{
	[ -n "$(connection)" ]
}

# One that does nothing any more is not missed either
hangs()
{
	local first before
	first=$(connection)
	before=$(grep -c "svc@$HOST goes on" /run/erldistd.log)
	kill -STOP "$(pidof erldistd)"
	check "one that hangs is replaced by the watchdog" wait_for 60 followed $((before + 1))
	check "and its connection is up" [ "$first" = "$(connection)" ]
}

# As by an editor that writes a file anew
saved()
{
	local first before file=/etc/erldist/nodes.d/svc.conf
	first=$(connection)
	before=$(grep -c "svc@$HOST goes on" /run/erldistd.log)
	mv "$file" "$file~"
	kill -KILL "$(pidof erldistd)"
	check "a file that is not there at a start" logged "looking again in" /run/erldistd.log
	mv "$file~" "$file"
	check "but a moment later" wait_for 20 followed $((before + 1))
	check "does not end a node" [ "$first" = "$(connection)" ]
}

broken()
{
	local pid first
	first=$(connection)
	pid=$(main_pid)
	conf svc "cookie = $COOKIE" "kep = b"
	check "a reload with a broken file fails" nonzero systemctl reload erldistd.service
	check "and tells why" logged "svc.conf:2: kep is no key" /run/erldistd.log
	check "the daemon goes on" [ "$pid" = "$(main_pid)" ]
	check "node show has its pid, and not that of the store, which has the node too" \
		says "holder $(pidof erldistd) " erldist node show "svc@$HOST"
	check "so does a restart" nonzero systemctl restart erldistd.service
	sleep 3
	check "with the node still there, and its connection" [ "$first" = "$(connection)" ]
	check "epmd has its name" in_epmd svc
	good_conf
	check "a file that is put right is taken" wait_for 30 another_runs "$pid"
	check "with the same connection" [ "$first" = "$(connection)" ]
	good_conf "mode = 0660"
	check "a reload" systemctl reload erldistd.service
	check "changes what it says" wait_for 10 says "mode 0660" erldist node show "svc@$HOST"
	check "status tells what it holds" wait_for 10 says "1 node: svc@$HOST" \
		systemctl show -P StatusText erldistd.service
	check "and the same connection is up" [ "$first" = "$(connection)" ]
}

# log
no_cookie()
{
	grep -q "is running" "$1" && ! grep "$COOKIE" "$1"
}

nonzero()
{
	! "$@"
}

# A path is listened at by who made it, and by who comes after him
paths()
{
	good_conf "listen = 127.0.0.1:14800" "listen = unix:/run/erldist/svc.node"
	check "a path to listen at" systemctl restart erldistd.service
	check "is stored, too" stored 5
	check "another restart" systemctl restart erldistd.service
	start_node by_path --no-epmd --no-listen --peer "svc=unix:/run/erldist/svc.node"
	check "the path works" says pong erldist ping --node "by_path@$HOST" \
		--timeout $((10 * SLOW)) "svc@$HOST"
	end_child "$NODE_PID"
	conf other "cookie = $COOKIE" "no-epmd = yes" "no-listen = yes"
	rm /etc/erldist/nodes.d/svc.conf
	check "a node that ends" systemctl reload erldistd.service
	check "is gone" wait_for 10 nonzero erldist node show "svc@$HOST"
	check "takes its paths with it" nonzero ls /run/erldist/svc.node
	check "that to hand out, too" nonzero ls /run/erldist/svc.sock
	check "nothing stored but the other one's" wait_for 10 stored 1
}

# A socket unit's sockets, which systemd hands over again each time
activated()
{
	local first
	cat > /run/systemd/system/erldistd.socket <<-END
		[Unit]
		DefaultDependencies=no
		[Socket]
		ListenStream=127.0.0.1:14801
		FileDescriptorName=dist
	END
	systemctl daemon-reload
	good_conf "listen = systemd:nothing"
	check "a socket unit" systemctl start erldistd.socket
	check "that is not the one of the file" nonzero systemctl start erldistd.service
	check "told by its line" logged "svc.conf:4: listen systemd:nothing: systemd has handed" \
		/run/erldistd.log
	systemctl stop erldistd.service
	good_conf "listen = systemd:dist"
	check "that is" systemctl start erldistd.service
	check "epmd is told its port" wait_for 10 says "name svc at port 14801" epmd -names
	wait_for 20 connected
	first=$(connection)
	check "a restart" systemctl restart erldistd.service
	check "with the same connection" [ "$first" = "$(connection)" ]
	check "and the port" says "name svc at port 14801" epmd -names
	check "that works" says pong erldist rpc --node "svc@$HOST" "b@$HOST" net_adm ping \
		"['svc@$HOST']"
	check "node, registration and path are stored" stored 3
	check "a stop" systemctl stop erldistd.service erldistd.socket
	rm /run/systemd/system/erldistd.socket
	systemctl daemon-reload
}

# Places, and a registration, that are not the ones before
changed()
{
	good_conf "listen = 127.0.0.1:14800"
	check "another place" systemctl restart erldistd.service
	check "which epmd is told" wait_for 10 says "name svc at port 14800" epmd -names
	check "the old one is forgotten" stored 4
	rm /etc/erldist/nodes.d/svc.conf
	conf other "cookie = $COOKIE" "no-epmd = yes" "listen = 127.0.0.1:14800"
	check "another node takes its place" systemctl restart erldistd.service
	check "which tells so" logged "svc@$HOST ends: there is no file for it" /run/erldistd.log
	check "that is: no node" wait_for 10 nonzero erldist node show "svc@$HOST"
	check "no name" wait_for 10 nonzero in_epmd svc
	check "nothing stored but the other one, and its place" stored 2
	check "nor a path" nonzero ls /run/erldist/svc.sock
	rm /etc/erldist/nodes.d/other.conf
}

stops()
{
	rm /etc/erldist/nodes.d/other.conf
	good_conf
	check "a stop" systemctl stop erldistd.service
	check "is the end of a node" wait_for 10 nonzero erldist node show "other@$HOST"
	check "a start" systemctl start erldistd.service
	check "is the begin of another one" wait_for 10 in_epmd svc
	check "a stop of that, too" systemctl stop erldistd.service
	check "no name" wait_for 10 nonzero in_epmd svc
}

good_conf()
{
	conf svc "cookie = $COOKIE" "keep = b" "hand-out = /run/erldist/svc.sock" "$@"
}

under_systemd()
{
	: > /run/erldistd.log
	rm -f /etc/erldist/nodes.d/*
	good_conf
	start_beam b -setcookie "$COOKIE" || return
	check "it starts" systemctl start erldistd.service || return
	check "and connects" wait_for 20 connected || { show_log && return; }
	check "as a user of its own" says erldist ps -o user= -C erldistd
	check "that may make nodes, and no more" is_reduced
	check "with descriptors for all of them" \
		grep -q 'Max open files *65536 ' "/proc/$(pidof erldistd)/limits"
	restarts
	afterwards
	hangs
	saved
	broken
	changed
	paths
	stops
	activated
	check "its cookie is not in the log" no_cookie /run/erldistd.log
	[ -z "$VERBOSE" ] || show_log
}

systemd_tests()
{
	if [ -z "$SYSTEMD" ]; then
		install_unit
		boot || { report 1 "systemd starts" && return; }
	fi
	under_systemd
}

ends()
{
	[ -z "$SYSTEMD" ] || kill -KILL "$SYSTEMD"
}

[ -x /lib/systemd/systemd ] || skip "there is no systemd"
[ -r "$UNIT" ] || skip "there is no unit $UNIT"
command -v erldistd > /dev/null || skip "no erldistd in PATH"
interop systemd_tests ends

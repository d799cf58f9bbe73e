#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Without the module each command says what is missing; a module that is installed is
# loaded when it is looked for.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

SOON=$((15 * SLOW))	# seconds
KO=${ERLDIST_KO:-$ERLDIST_MODULE}

unload()
{
	rmmod erldist
}

load()
{
	if [ -n "$KO" ]; then
		insmod "$KO"
	else
		modprobe erldist
	fi
}

# By its alias for the netlink family. Nothing of it is left; depmod takes long, so what
# it wrote before is put back.
loads_by_itself()
{
	local dir status=0
	dir=/lib/modules/$(uname -r)

	mkdir -p "$dir/updates" "$TMP/modules" && cp "$dir"/modules.* "$TMP/modules/" &&
		cp "$KO" "$dir/updates/erldist.ko" && depmod || return 1
	says "there is no node" erldist status && grep -q . /sys/module/erldist/version || status=1
	rm "$dir/updates/erldist.ko"
	cp "$TMP/modules"/modules.* "$dir/"
	wait_for 10 unload
	return "$status"
}

no_module()
{
	local what="the kernel module erldist is not loaded (modprobe erldist)"

	wait_for 10 unload
	check "no module: node run" fails "$what" erldist node run svc --cookie "$COOKIE"
	check "no module: ping" fails "$what" erldist ping bob
	check "no module: send" fails "$what" erldist send "x@bob@$HOST" hello
	check "no module: status" fails "$what" erldist status
	check "no module: monitor" fails "$what" erldist monitor
	[ -z "$KO" ] || check "looking for it loads an installed one" loads_by_itself
	check "loaded again" load
}

interop_without_otp no_module

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A peer by Jinterface, which knows no monitors and no aliases: interop_jinterface.java.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

JAR=${OTP_JAR:-/usr/share/java/OtpErlang.jar}
# The program is short, and compiling its code would take longer than running it.
JAVA=(java -Xint -XX:+UseSerialGC -XX:-UsePerfData -Xmx64m)

# Prints where the class is
class_path()
{
	local source=$HERE/interop_jinterface.java

	if [ "$HERE/InteropJinterface.class" -nt "$source" ]; then
		echo "$HERE"
	else
		java -m jdk.compiler/com.sun.tools.javac.Main -cp "$JAR" -d "$TMP" "$source" &&
			echo "$TMP"
	fi
}

jinterface()
{
	local path classes

	path=$(puppet) || {
		report 1 "there is a program puppet"
		return
	}
	classes=$(class_path) || {
		report 1 "interop_jinterface.java compiles"
		return
	}
	start_node svc || return
	export ERLDIST_NODE=svc@$HOST
	peer_program "${JAVA[@]}" -cp "$JAR:$classes" InteropJinterface "java@$HOST" \
		"$ERLDIST_NODE" "$COOKIE" "$path"
}

command -v java > /dev/null || skip "no java"
[ -e "$JAR" ] || skip "no Jinterface"
interop_without_otp jinterface

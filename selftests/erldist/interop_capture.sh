#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Wireshark's dissector finds nothing malformed in what an Erlang node and a
# native one say to each other.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

NATIVE_PORT=14371
BEAM_PORT=14372
# LINK, REG_SEND, MONITOR_P, DEMONITOR_P, PAYLOAD_EXIT2, UNLINK_ID
BEAM_OPERATIONS=(op-1 op-6 op-19 op-20 op-26 op-35)
# SEND_SENDER, PAYLOAD_EXIT, PAYLOAD_MONITOR_P_EXIT, UNLINK_ID_ACK
NATIVE_OPERATIONS=(op-22 op-24 op-28 op-36)

# The capture as lines of number, ports, malformed, summary, and in words. Segments
# that two processors deliver may change places.
dissect()
{
	local options=(-r "$TMP/pcap" -Y erldp -d "tcp.port==$NATIVE_PORT,erldp"
		-d "tcp.port==$BEAM_PORT,erldp" -o tcp.reassemble_out_of_order:TRUE)

	tshark "${options[@]}" -T fields -e frame.number -e tcp.srcport -e tcp.dstport -e _ws.malformed \
		-e _ws.col.Info > "$TMP/lines" && tshark "${options[@]}" -O erldp -V > "$TMP/words"
}

start_capture()
{
	dumpcap -q -i lo -s 262144 -B 64 -f "tcp port $NATIVE_PORT or tcp port $BEAM_PORT" \
		-w "$TMP/pcap" > "$TMP/dumpcap.log" 2>&1 &
	CAPTURE_PID=$!
	children+=("$CAPTURE_PID")
	wait_for 10 grep -q '^File:' "$TMP/dumpcap.log" && return
	sed 's/^/# /' "$TMP/dumpcap.log"
	report 1 "dumpcap starts"
	return 1
}

# What is on its way to the file has a moment
end_capture()
{
	sleep $((3 * SLOW))
	kill -INT "$CAPTURE_PID"
	wait "$CAPTURE_PID"
}

nothing_dropped()
{
	cat "$TMP/dumpcap.log"
	grep -q '^Packets received/dropped on .*: [1-9][0-9]*/0 ' "$TMP/dumpcap.log"
}

nothing_malformed()
{
	[ -s "$TMP/lines" ] && ! awk -F '\t' '$4 != ""' "$TMP/lines" | grep .
}

# Src or Dst, port: the kinds of handshake messages, and the operations of
# control messages, in packets from or to that port
kinds()
{
	local field=2

	[ "$1" = Src ] || field=3
	awk -F '\t' "\$$field == $2" "$TMP/lines" | grep -o 'SEND_[NSC][A-Z_]*'
	awk "/^Transmission Control/ { ours = /$1 Port: $2,/ }"'
		/^ *ControlMessage/ { begun = ours }
		begun && /Int: / { print "op-" $2; begun = 0 }' "$TMP/words"
}

# Src or Dst, port, kinds...: they are all there
seen()
{
	local found kind missing=0

	found=$(kinds "$1" "$2" | sort | uniq -c)
	for kind in "${@:3}"; do
		grep -q " $kind$" <<< "$found" || {
			echo "no $kind"
			missing=1
		}
	done
	[ "$missing" -eq 0 ] || echo "$found"
	return "$missing"
}

# The dissector is older than operations 33 to 37
all_understood()
{
	! grep -E 'unknown header|operation' "$TMP/lines" | grep -v 'operation (3[3-7])'
}

# ALIAS_SEND, or ALTACT_SIG_SEND to a node of OTP 28 or later, which offers it
alias_operation()
{
	[ "$OTP" = 29 ] && echo op-37 || echo op-33
}

capture()
{
	local path

	start_node svc --listen ":$NATIVE_PORT" || return
	path=$(echo_program) || {
		report 1 "there is an echo program"
		return
	}
	start_program echo "$path" || return
	start_capture || return
	beam b -kernel inet_dist_listen_min "$BEAM_PORT" inet_dist_listen_max "$BEAM_PORT" \
		-- interop_capture "svc@$HOST"
	end_capture
	check "the capture is whole" nothing_dropped
	check "tshark reads the capture" dissect
	check "nothing is malformed" nothing_malformed
	check "all kinds of frames are understood" all_understood
	check "the Erlang node connects: its frames" seen Dst "$NATIVE_PORT" \
		SEND_NAME SEND_CHALLENGE_REPLY "${BEAM_OPERATIONS[@]}"
	check "those of the native node" seen Src "$NATIVE_PORT" \
		SEND_STATUS SEND_CHALLENGE SEND_CHALLENGE_ACK "${NATIVE_OPERATIONS[@]}" \
		"$(alias_operation)"
	check "the native node connects: its frames" seen Dst "$BEAM_PORT" \
		SEND_NAME SEND_CHALLENGE_REPLY "${NATIVE_OPERATIONS[@]}" \
		"$(alias_operation)"
	check "those of the Erlang node" seen Src "$BEAM_PORT" \
		SEND_STATUS SEND_CHALLENGE SEND_CHALLENGE_ACK "${BEAM_OPERATIONS[@]}"
	stop_children
	rm -f "$TMP/pcap" "$TMP/lines" "$TMP/words"
}

command -v tshark > /dev/null || skip "no tshark"
command -v dumpcap > /dev/null || skip "no dumpcap"
interop capture

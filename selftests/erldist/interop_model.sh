#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random links, unlinks, monitors, demonitors, messages, aliases, exits and losses
# of the connection, between processes of two nodes and of one, compared with a
# model of what Erlang promises (interop_signals.erl; how, says interop_model.erl):
# between a native and an Erlang node, and two native ones; between Erlang nodes,
# which says whether the model is right.
#
# ERLDIST_STEPS: operations in each mode (else 2800 times ERLDIST_SCALE, and half
# of that between Erlang nodes).
# ERLDIST_SEED: what to draw them from (else random; it is printed). ERLDIST_MODES:
# some of the modes below. To replay what failed, run it with the same seed and
# mode; what is done at once may go another way. The history of the processes
# concerned is printed, with their operations, which is where to begin.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2034,SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

SEED=${ERLDIST_SEED:-$RANDOM$RANDOM}
STEPS=${ERLDIST_STEPS:-$(awk "BEGIN { print int(2800 * ${ERLDIST_SCALE:-1}) }")}
INTEROP_TIME=${INTEROP_TIME:-$((420 + STEPS / 50))}
# b: an Erlang node, n: a native one; 1: both are the same node
MODES=${ERLDIST_MODES:-bb bb1 bn nn nn1}

# mode, node, node
model()
{
	local mode=$1 steps=$STEPS
	[[ " $MODES " == *" $mode "* ]] || return
	[[ $mode != bb* || -n $ERLDIST_STEPS ]] || steps=$((STEPS / 2))
	beam "model$mode$OTP" -- interop_model "${mode:0:2}" "$2@$HOST" "$3@$HOST" \
		"$steps" "$SEED"
}

with_release()
{
	start_node na || return
	model bb ba bb
	model bb1 ba ba
	model bn ba na
}

# What the release does not matter for
without()
{
	start_node na || return
	start_node nb || return
	model nn na nb
	model nn1 na na
}

interop with_release without

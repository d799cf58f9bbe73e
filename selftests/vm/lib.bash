# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of this directory share. Sourced, with $here set.

# The exit statuses of the harness itself; `run --help` explains them.
# shellcheck disable=SC2034
{
	E_KERNEL=240
	E_LEAK=241
	E_UNLOAD=242
	E_DEAD=243
	E_TIMEOUT=244
	E_SETUP=245
	E_CLOCK=246
}

# Nothing is written outside the cache, but for what make builds in the tree.
# shellcheck disable=SC2154
repo=$(readlink -f "$here/../..")
: "${ERLDIST_CACHE:=$HOME/.cache/erldist}"
mkdir -p "$ERLDIST_CACHE"
ERLDIST_CACHE=$(readlink -f "$ERLDIST_CACHE")
export ERLDIST_CACHE

say() {
	echo "vm: $*" >&2
}

die() {
	say "error: $*"
	exit "$E_SETUP"
}

trap 'say "$(basename "$0"), line $LINENO: failed"' ERR

die_with() { # LOG MESSAGE...
	tail -n 25 "$1" >&2
	shift
	die "$@"
}

# As root, or through sudo where that works without a question.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n -- "$@"
	fi
}

# One builder at a time; the lock ends with the calling script.
lock() { # FILE
	mkdir -p "$(dirname "$1")"
	exec 9>"$1.lock"
	flock 9
}

# Runs apt-get on the system's sources; once more after an update if it fails.
apt_get() { # LOG ARG...
	local log=$1
	shift
	apt-get -q "$@" >"$log" 2>&1 && return
	as_root apt-get -q update >>"$log" 2>&1 &&
		apt-get -q "$@" >>"$log" 2>&1
}

# An apt of its own: other sources, no installed packages. Used with APT_CONFIG.
private_apt() { # DIR SUITE...
	local dir=$1 suite
	shift
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	for suite; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"http://deb.debian.org/debian $suite main"
	done >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Acquire::Languages "none";
		APT::Sandbox::User "";
	EOF
}

# The unpacked kernel source, for the debug kernel and for kselftest's files.
kernel_source() {
	local dir=$ERLDIST_CACHE/src/linux-source-6.12
	if [ ! -e "$dir/Kconfig" ]; then
		say "unpacking linux-source-6.12"
		rm -rf "$dir.new"
		mkdir -p "$dir.new"
		tar -xf /usr/src/linux-source-6.12.tar.xz -C "$dir.new" --strip-components=1
		rm -rf "$dir"
		mv -T "$dir.new" "$dir"
	fi
	echo "$dir"
}

module_sources=(Kbuild kmod uapi selftests/erldist/modules)

# The sources of the module, for a build elsewhere. By content: a file that did
# not change keeps its time, and its object.
copy_sources() { # BUILD
	(cd "$repo" && rsync -rRc --delete --include='*/' --include=Kbuild --include='*.[ch]' \
		--exclude='*' "${module_sources[@]}" "$1/")
}

# Builds a module, which is in the cache or in /tmp, against a kernel: where that has
# a root with its own compiler, in there.
kernel_make() { # KERNEL-DIRECTORY ARGUMENT...
	local kernel=$1 own=()
	shift
	if [ ! -e "$kernel/vm/chroot" ]; then
		make -C "$kernel/vm/kdir" "$@"
		return
	fi
	[ "$(id -u)" = 0 ] || own=(--map-root-user)
	# shellcheck disable=SC2016
	unshare --mount "${own[@]}" bash -c '
		set -e
		root=$1 kdir=/usr/src/linux-headers-$2
		shift 2
		for dir in /dev /proc /tmp "$ERLDIST_CACHE"; do
			mkdir -p "$root$dir"
			mount --rbind "$dir" "$root$dir"
		done
		exec chroot "$root" env -i PATH=/usr/bin make -C "$kdir" "$@"
		' - "$(readlink -f "$kernel/vm/chroot")" "$(cat "$kernel/vm/release")" "$@"
}

# The library and the tools, in userlib/build, one builder at a time.
build_tools() {
	local log=$ERLDIST_CACHE/userlib.log
	exec 8>"$ERLDIST_CACHE/userlib.lock"
	flock 8
	make -s -C "$repo/userlib" all >"$log" 2>&1 || die_with "$log" "the library does not build"
	exec 8>&-
}

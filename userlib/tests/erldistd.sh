#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What erldistd says of its configuration: no module, no root.
build=$(realpath "$1")
n=0 bad=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ok()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
check()
{
	"$build/erldistd" --check --config "$dir" > "$dir/said" 2>&1
}
# file, content: all there is
only()
{
	rm -rf "$dir"/*.conf
	also "$@"
}
also()
{
	# shellcheck disable=SC2059
	printf "$2" > "$dir/$1"
	chmod 600 "$dir/$1"
}
# text: the one thing that is wrong
says()
{
	check
	[ $? -eq 1 ] && [ "$(wc -l < "$dir/said")" -eq 1 ] && grep -qF -- "$1" "$dir/said"
	ok $? "$(cat "$dir/said")"
}
good()
{
	check && grep -qF -- "$1" "$dir/said"
	ok $? "$2: $(cat "$dir/said")"
}

# words, argument...: the one line in front of the usage
wrong()
{
	words=$1
	shift
	"$build/erldistd" "$@" > "$dir/said" 2>&1
	[ $? -eq 1 ] && head -n 1 "$dir/said" | grep -qF -- "$words"
	ok $? "$(head -n 1 "$dir/said")"
}

wrong "there is no place for $dir: a directory is given with --config" "$dir"
wrong "--user goes with --check" --user root
wrong "$dir/none: No such file or directory; make the directory" --check --config "$dir/none"
only x.txt 'nothing'
good "there is no node in" "no file"
host=$(hostname | cut -d. -f1)
only svc.conf ''
good "svc.conf: svc@$host" "named by the file"
only svc.conf '# one\n\n ; two\n\tname = other@here \r\nkeep=b\nkeep = c@there\nno-epmd = yes\nno-listen = no'
good "svc.conf: other@here" "blanks, comments, lists, flags, no line end"
only svc.conf 'name = svc@a.example.org\n'
good "svc@a.example.org" "a long name"
also .svc.conf 'nonsense'
also svc.conf.old 'nonsense'
good "svc@a.example.org" "other files are not read"
rm "$dir/.svc.conf" "$dir/svc.conf.old"

only svc.conf 'keep = b\nkeeps = c\n'
says "svc.conf:2: keeps is no key"
only svc.conf 'keep = b\ncookie topsecret\n'
says "svc.conf:2: expected KEY = VALUE"
! grep -q topsecret "$dir/said"
ok $? "what may be a cookie is not shown"
only svc.conf 'cookie = topsecret\377\n'
says "svc.conf:1: cookie: "
! grep -q topsecret "$dir/said"
ok $? "nor what is none"
only svc.conf 'keep =\n'
says "svc.conf:1: keep: it has no value"
only svc.conf '\nno-epmd = true\n'
says "svc.conf:2: no-epmd: true is neither yes nor no"
only svc.conf 'mode = 0600\n\nmode = 0660\n'
says "svc.conf:3: mode: it is given in line 1 already"
only svc.conf 'name = a\nname = b\n'
says "svc.conf:2: name: it is given in line 1 already"
only svc.conf 'mode = rw\n'
says "svc.conf:1: mode: rw is no mode"
only svc.conf 'ticktime = -1\n'
says "svc.conf:1: ticktime: -1 is no number"
only svc.conf 'dist-port = 0\n'
says "svc.conf:1: dist-port: 0 is no port"
only svc.conf 'listen-min = 5\nlisten-max = 4\n'
says "svc.conf: listen-min 5 is more than listen-max 4"
only svc.conf 'listen = 127.0.0.1:70000\n'
says "svc.conf:1: listen: 127.0.0.1:70000: expected ADDRESS:PORT"
only svc.conf 'listen = nowhere.invalid:0\n'
says "svc.conf:1: listen: listen on nowhere.invalid:0"
only svc.conf 'epmd = x:1\n'
says "svc.conf:1: epmd: "
only svc.conf 'peer = b=nowhere\n'
says "svc.conf:1: peer: b=nowhere: expected NODE=HOST:PORT"
only svc.conf 'allow = @host\n'
says 'svc.conf:1: allow: "@host": expected a node'
only svc.conf 'keep = svc\n'
says "svc.conf:1: keep: svc@$host is this node"
only svc.conf 'keep = b\nadmit = /no/program\n'
says "svc.conf:2: admit: /no/program, which is to be asked about connections, is no program"
only svc.conf 'keep = b\nconnect-with = nc %%h %%port %%x\n'
says "svc.conf:2: connect-with: nc %h %port %x: expected a command"
only svc.conf 'admit = true\nconnect-with = nc %%h %%p 100%%%%\n'
good "svc@$host" "a program of PATH to ask, and a command"
only svc.conf 'visible = yes\n'
says "svc.conf:1: visible: svc@$host cannot be visible"
only svc.conf 'cookie-file = /no/file\n'
says "svc.conf:1: cookie-file: there is no cookie file /no/file"
only svc.conf 'keep = b\ncookie-for = b=/no/file\n'
says "svc.conf:2: cookie-for: there is no cookie file /no/file"
also cookie.txt x
only svc.conf "cookie = c\ncookie-file = $dir/cookie.txt\n"
says "svc.conf: cookie or cookie-file, not both"

# What root can read is checked for the user that is to read it
only svc.conf "cookie-file = $dir/cookie.txt\n"
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$dir"
	chmod 644 "$dir/svc.conf"
	"$build/erldistd" --check --user nobody --config "$dir" > "$dir/said" 2>&1
	[ $? -eq 1 ] && grep -qF "svc.conf:1: cookie-file: cookie file $dir/cookie.txt" "$dir/said"
	ok $? "a cookie that the service's user cannot read: $(cat "$dir/said")"
	chown nobody "$dir/cookie.txt"
	"$build/erldistd" --check --user nobody --config "$dir" > "$dir/said" 2>&1 &&
		grep -qF "svc@$host" "$dir/said"
	ok $? "one that it can: $(cat "$dir/said")"
	"$build/erldistd" --check --user nosuchuser --config "$dir" > "$dir/said" 2>&1
	[ $? -eq 1 ] && grep -qF "there is no user nosuchuser" "$dir/said"
	ok $? "no such user: $(cat "$dir/said")"
	chown root "$dir/cookie.txt"
	chmod 700 "$dir"
fi
out=$("$build/erldistd" --version) && [ "$out" = "erldistd 0.1" ]
ok $? "its version: $out"

only svc.conf 'cookie = topsecret\n'
good "svc@$host" "a cookie, in a file of one's own"
chmod 644 "$dir/svc.conf"
says "svc.conf:1: cookie: the file must be accessible by its owner only"
only svc.conf 'listen = :1\nno-listen = yes\n'
says "svc.conf: listen or no-listen, not both"
only svc.conf 'hand-out-mode = 0660\n'
says "svc.conf: hand-out-mode goes with hand-out"
only svc.conf 'name = a b@c\n'
says "svc.conf:1: name: "
only svc.conf 'name = svc@a\nlong-names = yes\n'
says "svc.conf:1: name: svc@a is a short name"
only a.conf 'name = svc\n'
also b.conf '#\nname = svc\n'
says "b.conf:2: name: svc@$host is the node of $dir/a.conf"
only a.conf 'default = yes\n'
also b.conf 'default = yes\n'
says "b.conf: default: the default is the node of $dir/a.conf"
only a.conf 'x\0y'
says "a.conf: it is no text"
rm "$dir/a.conf"
ln -s /no/file "$dir/a.conf"
says "a.conf: No such file or directory"
rm "$dir/a.conf"
mkdir "$dir/a.conf"
says "a.conf: it is no regular file"
rmdir "$dir/a.conf"

only a.conf 'one\ntwo = 2\nkeep = "\n'
also b.conf 'three'
check
[ $? -eq 1 ] && [ "$(wc -l < "$dir/said")" -eq 4 ]
ok $? "each mistake of each file is told: $(wc -l < "$dir/said")"
"$build/erldistd" --config "$dir/none" --check > "$dir/said" 2>&1
[ $? -eq 1 ] && grep -qF "$dir/none: No such file" "$dir/said"
ok $? "no directory: $(cat "$dir/said")"
"$build/erldistd" --config "$dir" > "$dir/said" 2>&1
[ $? -eq 1 ] && [ "$(wc -l < "$dir/said")" -eq 4 ]
ok $? "it does not start with mistakes"
"$build/erldistd" --log-level loud > "$dir/said" 2>&1
[ $? -eq 1 ] && grep -qF "loud is no level" "$dir/said"
ok $? "no level"
"$build/erldistd" extra > "$dir/said" 2>&1
[ $? -eq 1 ] && grep -q '^usage' "$dir/said"
ok $? "no argument is taken"


# The journal is who says so: then a line has its level in front
: > "$dir/journal"
stream=$(stat -c %d:%i "$dir/journal")
JOURNAL_STREAM=$stream "$build/erldistd" --check --config "$dir/none" \
	2> "$dir/journal"
grep -q "^<3>$dir/none: " "$dir/journal"
ok $? "to the journal: $(cat "$dir/journal")"
JOURNAL_STREAM=1:1 "$build/erldistd" --check --config "$dir/none" 2> "$dir/said"
grep -q "^erldistd: $dir/none: " "$dir/said"
ok $? "to a person: $(cat "$dir/said")"

# The table is that of erldist node run
missing=
for option in $("$build/erldist" node help | grep -o -- '--[a-z-]*' | sort -u); do
	case $option in
	--node | --timeout | --background) continue ;;	# of others, or of a command line
	esac
	key=${option#--}
	only svc.conf "$key = yes\n"
	check
	! grep -q 'is no key' "$dir/said" || missing="$missing $key"
done
[ -z "$missing" ]
ok $? "each option of erldist node run is a key$missing"
echo "1..$n"
exit $bad

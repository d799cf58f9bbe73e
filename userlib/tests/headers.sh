#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The public header compiles as C++ and as plain C; the library exports what it
# declares; pkg-config tells enough to build the examples from an installation; what is
# installed can be removed. Without kernel headers make names the package.
# shellcheck disable=SC2086
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 bad=0
ok()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
top=$(cd "$(dirname "$0")/.." && pwd)
make -s -C "$top" B="$(realpath "$build")" install DESTDIR="$dir" PREFIX=/usr > "$dir/log" 2>&1
ok $? "make install"
PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig
export PKG_CONFIG_PATH
cflags=$(pkg-config --define-variable=prefix="$dir/usr" --define-variable=includedir="$dir/usr/include" \
	--cflags erldist)
ok $? "pkg-config: $cflags"
libs=$(pkg-config --define-variable=libdir="$dir/usr/lib" --libs erldist)
static=$(pkg-config --define-variable=libdir="$dir/usr/lib" --static --libs erldist)
cat > "$dir/t.cc" <<'END'
#include <erldist.h>
int main()
{
	erldist_msg m = ERLDIST_MSG_INIT;
	erldist_term t = ERLDIST_TERM_INIT;
	erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	(void)o;
	int err = erldist_format(&t, "{ok,~i}", 1);
	erldist_term_free(&t);
	erldist_msg_free(&m);
	return err;
}
END
${CXX:-c++} -Wall -Wextra -Werror $cflags -o "$dir/t" "$dir/t.cc" $libs > "$dir/log" 2>&1 &&
	LD_LIBRARY_PATH="$dir/usr/lib" "$dir/t"
ok $? "as C++, with the shared library"
sed 's/erldist_msg m/struct erldist_msg m/; s/erldist_term t/struct erldist_term t/
     s/erldist_keeper_options o/struct erldist_keeper_options o/; s/main()/main(void)/' \
	"$dir/t.cc" > "$dir/t.c"
${CC:-cc} -std=c11 -Wall -Wextra -Werror $cflags -o "$dir/t" "$dir/t.c" $libs > "$dir/log" 2>&1
ok $? "as C11"
cat > "$dir/ei.c" <<'END'
#include <erldist.h>
int main(void)
{
	ei_x_buff x;
	int err = ei_init() || ei_x_new(&x) || ei_x_encode_long(&x, 1);

	return err || erldist_check(x.buff, (size_t)x.index) || ei_x_free(&x);
}
END
${CC:-cc} -std=c11 -Wall -Wextra -Werror $cflags -o "$dir/ei" "$dir/ei.c" $libs > "$dir/log" 2>&1 &&
	LD_LIBRARY_PATH="$dir/usr/lib" "$dir/ei"
ok $? "functions of ei, which erldist.h includes, with the shared library"
for e in echo client; do
	${CC:-cc} -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror $cflags -o "$dir/$e" \
		"$top/examples/$e.c" -Wl,-Bstatic -lerldist -Wl,-Bdynamic $static > "$dir/log" 2>&1
	ok $? "example $e, with the static library $(head -3 "$dir/log" | tr '\n' ' ')"
	lines=$(wc -l < "$top/examples/$e.c")
	[ "$lines" -le 30 ] && ! grep -q ei_decode "$top/examples/$e.c"
	ok $? "example $e has $lines lines"
done
${CC:-cc} -Wall -Wextra -Werror -o "$dir/calc" "$build/readme/calc.c" $cflags $libs > "$dir/log" 2>&1
ok $? "the program in README.md, built as it says $(head -3 "$dir/log" | tr '\n' ' ')"
sed -n 's/^ERLDIST_API [^(]*[ *]\(erldist_[a-z_]*\)(.*/\1/p' "$top/include/erldist.h" | sort > "$dir/declared"
nm -D --defined-only "$dir/usr/lib/liberldist.so.0" | sed -n 's/.* T \([a-z_]*\).*/\1/p' | sort > "$dir/exported"
diff "$dir/declared" "$dir/exported" > "$dir/log"
ok $? "what is declared is exported, and nothing else $(tr '\n' ' ' < "$dir/log")"
# Kernel headers cannot be relied on here: these do what modules_install does
headers=$dir/headers root=$dir/root
mkdir -p "$headers"
cat > "$headers/Makefile" <<'END'
kernelrelease:
	@echo 9.9-none
modules_install:
	mkdir -p $(INSTALL_MOD_PATH)/lib/modules/9.9-none/updates
	touch $(INSTALL_MOD_PATH)/lib/modules/9.9-none/updates/erldist.ko.xz
END
# target: of all that can be installed
whole()
{
	MAKEFLAGS='' make -s -C "$top/.." B="$(realpath "$build")" PREFIX=/usr DESTDIR="$root" KDIR="$headers" \
		"$1" > "$dir/log" 2>&1
}
files()
{
	(cd "$root" && find . ! -type d | sort | tr '\n' ' ')
}
whole install
installed=$(files)
for file in usr/bin/erldist usr/sbin/erldistd usr/lib/liberldist.a usr/share/man/man8/erldist.8 \
	usr/lib/systemd/system/erldistd.service lib/modules/9.9-none/updates/erldist.ko.xz; do
	case $installed in *"./$file "*) ;; *) echo "no $file" >> "$dir/log" ;; esac
done
! [ -s "$dir/log" ]
ok $? "make install KDIR= $(tr '\n' ' ' < "$dir/log")"
for file in etc/erldist/nodes.d/svc.conf usr/lib/liberldist-other.so usr/include/linux/other.h; do
	echo > "$root/$file"
done
whole uninstall
left=$(files)
[ "$left" = "./etc/erldist/nodes.d/svc.conf ./usr/include/linux/other.h ./usr/lib/liberldist-other.so " ]
ok $? "make uninstall KDIR= leaves what is not ours, and no more: $left $(tr '\n' ' ' < "$dir/log")"
rm "$root/etc/erldist/nodes.d/svc.conf"
whole uninstall && ! [ -e "$root/etc/erldist" ]
ok $? "again, and the directory for nodes goes when it is empty"
said=$(make -C "$top/.." KDIR=/lib/modules/9.9-none/build 2>&1)
case $said in *"apt install linux-headers-9.9-none)"*) named=0 ;; *) named=1 ;; esac
ok $named "without kernel headers make says: $(echo "$said" | tail -1)"
echo "1..$n"
exit $bad

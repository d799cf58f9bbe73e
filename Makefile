# SPDX-License-Identifier: GPL-2.0-only
#
# AF_ERLDIST: the kernel module (Kbuild), the library and tools (userlib), the
# tests. What is fetched or built for a test kernel is kept in ERLDIST_CACHE,
# ~/.cache/erldist unless set.

KERNELS	?= 6.12 6.1
VM	:= selftests/vm

all: module userlib

help:
	@echo 'Targets:'
	@echo '  demo       - install what is missing, build, and show a cluster in a guest'
	@echo '  check      - the tests: on the host, and in guests with 6.12, 6.1 and debug'
	@echo '               (JOBS=1: one guest at a time)'
	@echo '  check-all  - all tests on these and Linux 7, with Erlang/OTP 25, 27 and 29;'
	@echo '               nothing is shortened: some hours'
	@echo '  fuzz       - the parsers with random input, for MINUTES (10) in all; SEED=n, TARGET=name'
	@echo '  coverage   - lines of the parsers that fuzzers and unit tests reach (at least 95 %)'
	@echo '  hunt       - random programs in a guest (MINUTES=10, KERNEL=debug, SEED=of the day,'
	@echo '               THOROUGH=1: with lockdep and kmemleak)'
	@echo '  hunt-proof - put known defects back and look whether the hunt finds them'
	@echo '               (MINUTES=60, DEFECT= one of selftests/hunt/defects)'
	@echo '  failnth    - C selftests on the debug kernel while memory fails, call by call'
	@echo '               and in works (TEST=name, MINUTES=20, SEED=n)'
	@echo '  races      - C selftests on kernels with KCSAN, PREEMPT_RT and preempt=full'
	@echo '  bench      - measure it beside TIPC, TCP, ei and BEAM nodes, in guests'
	@echo '               (QUICK=1: in 4 minutes; selftests/bench/run --help: parts of it)'
	@echo ''
	@echo '  all        - module and userlib'
	@echo '  module     - erldist.ko for the kernels in KERNELS ($(KERNELS)), in the cache,'
	@echo '               or here, with KDIR=<kernel build directory>'
	@echo '  userlib    - the library, the commands erldist and erldistd, the examples'
	@echo '  install    - userlib and packaging, to PREFIX, DESTDIR; with KDIR= the module too'
	@echo '  uninstall  - remove what install puts there, with the same variables'
	@echo '  lint       - checkpatch, sparse, W=1, shellcheck'
	@echo '  ynl        - generate the netlink files from the specification'
	@echo '  ynl-check  - succeed if that would change nothing'
	@echo '  deps       - install the Debian packages that all this needs'
	@echo '  clean      - remove what was built here; the cache stays'
	@echo ''
	@echo 'One test: selftests/check --help; a command in a guest: $(VM)/run --help'

deps:
	@$(VM)/deps

ifdef KDIR
ifeq ($(wildcard $(KDIR)/Makefile),)
release	:= $(patsubst /lib/modules/%/build,%,$(filter /lib/modules/%/build,$(KDIR)))
$(error no kernel headers in $(KDIR): install them (Debian: apt install \
	linux-headers-$(or $(release),$(shell uname -r))) or give their directory with KDIR=)
endif
module:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
else
module:
	@set -e; for kernel in $(KERNELS); do $(VM)/module $$kernel; done
endif

userlib:
	$(MAKE) -C userlib all

check: deps
	@selftests/check $(if $(JOBS),--jobs $(JOBS))

check-all: deps
	@selftests/check --full $(if $(JOBS),--jobs $(JOBS))

fuzz: deps
	@selftests/hunt/fuzz/run $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(TARGET),--target $(TARGET))

coverage: deps
	@selftests/hunt/fuzz/coverage

failnth: deps
	@selftests/hunt/failnth $(addprefix --test ,$(TEST)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED))

races: deps
	@selftests/check --kernel kcsan --kernel rt --smp 4 --test '!(interop_*)'
	@selftests/check --kernel 6.12 --append preempt=full --test '!(interop_*)'

bench: deps
	@selftests/bench/run $(if $(QUICK),--quick)

hunt: deps
	@selftests/hunt/run $(if $(MINUTES),--minutes $(MINUTES)) $(if $(KERNEL),--kernel $(KERNEL)) \
		$(if $(SEED),--seed $(SEED)) $(if $(THOROUGH),--thorough)

hunt-proof: deps
	@selftests/hunt/proof $(if $(MINUTES),--minutes $(MINUTES)) $(DEFECT)

demo: deps
	@echo 'building, and starting a virtual machine: a minute or so'
	@$(VM)/run --timeout 900 -- selftests/demo

lint: deps
	@$(VM)/lint $(KERNELS)

ynl: deps
	@$(VM)/ynl

ynl-check: deps
	@$(VM)/ynl --check

# Headers of a distribution come without its key, and without what depmod wants to
# be run by modules_install
NO_KEY	= $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

RELEASE	= $(shell $(MAKE) -s --no-print-directory -C $(KDIR) kernelrelease)

install:
	$(MAKE) -C userlib install
	$(MAKE) -C packaging install
	$(if $(KDIR),$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) $(NO_KEY) \
		modules_install)
	$(if $(KDIR),$(if $(DESTDIR),,depmod $(RELEASE)))

# Where modules_install puts what is not of the kernel's own tree
uninstall:
	$(MAKE) -C userlib uninstall
	$(MAKE) -C packaging uninstall
	$(if $(KDIR),rm -f $(DESTDIR)/lib/modules/$(RELEASE)/updates/erldist.ko*)
	$(if $(KDIR),$(if $(DESTDIR),,depmod $(RELEASE)))

clean:
	$(MAKE) -C userlib clean
	$(MAKE) -C packaging clean
	$(MAKE) -C selftests/unit clean
	$(MAKE) -C selftests/hunt/fuzz clean
	$(MAKE) -C selftests/bench clean
	$(MAKE) -C selftests/hunt clean
	@$(VM)/clean

.PHONY: all help deps module userlib check check-all fuzz coverage failnth races bench hunt hunt-proof demo lint \
	ynl ynl-check install uninstall clean

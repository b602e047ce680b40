# etld: build, check, install.
#
#   make                 etld and etlctl into build/
#   make check           unit tests, 1,000 simulated histories, fuzz corpora, lint: minutes, no server
#   make mutants         bugs planted one by one: simulation and tests have to find each
#   make check-system    real etld against real parts (pytest, two shards a processor)
#   make nightly         100,000 histories, 1,000 kills, all sanitizers, fuzzing: hours
#   make check-fresh     both README commands in a bare Debian root (SUITE=bookworm or trixie)
#   make bench           the benchmarks, as ratios in one run
#   make fuzz T=NAME SECS=60      libFuzzer on tests/fuzz/fuzz_NAME.c (clang-14); fuzz-all: on each
#   make lint | man-lint | demo | install | uninstall | clean
#
# Variables: V=1 shows commands; SAN=address,undefined or SAN=thread; FAULTS=1 compiles the
# named fault points in; BUILD=DIR; ROOMS="base time" builds only these rooms of lib/;
# prefix, DESTDIR, sysconfdir, unitdir as usual; CFLAGS and LDFLAGS are appended.

prefix     ?= /usr
bindir     ?= $(prefix)/bin
sbindir    ?= $(prefix)/sbin
mandir     ?= $(prefix)/share/man
datadir    ?= $(prefix)/share
bashdir    ?= $(datadir)/bash-completion/completions
zshdir     ?= $(datadir)/zsh/vendor-completions
fishdir    ?= $(datadir)/fish/vendor_completions.d
sysconfdir ?= /etc
libdir_systemd ?= $(prefix)/lib
unitdir    ?= $(libdir_systemd)/systemd/system

VERSION := 0.1.0
ROOMS   ?= base time conf record reshape format source transform check sink mongo state plan job sched run flow ops tell ctl
SAN     ?=
FAULTS  ?=
BUILD   ?= build$(if $(SAN),-$(firstword $(subst $(comma), ,$(SAN))))$(if $(FAULTS),-faults)
comma   := ,

ifneq ($(V),1)
Q := @
say = @printf '  %-6s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2))
else
say = @:
endif

# ---- libraries -------------------------------------------------------------------------
PKGS_LIB    := libmongoc-1.0 libbson-1.0 libcjson yaml-0.1 libxxhash
PKGS_DAEMON := libcurl libsystemd
ifeq ($(shell pkg-config --exists $(PKGS_LIB) $(PKGS_DAEMON) && echo yes),)
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
$(error libraries are missing: run packaging/deps.sh)
endif
endif
PKG_CFLAGS  := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS_LIB) $(PKGS_DAEMON) 2>/dev/null))
LIBS_LIB    := $(shell pkg-config --libs $(PKGS_LIB) 2>/dev/null) -lcsv -lm -lpthread
LIBS_DAEMON := $(shell pkg-config --libs $(PKGS_DAEMON) 2>/dev/null) -lev
LIBS_CTL    := $(shell pkg-config --libs libcjson libxxhash libsystemd 2>/dev/null) -lm -lpthread
LIBS_TEST   := -lcmocka

# ---- flags -----------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wno-missing-field-initializers
ifeq ($(SAN),)
# What the compiler and its C library have of it: level 3 of the checked functions, and control flow
# enforcement on x86. The binary is marked for the shadow stack alone: the start files of the C library
# are not made for indirect branch tracking, so that the mark would be a lie.
FORTIFY := $(shell printf '\43include <stdio.h>\n' | $(CC) -O2 -D_FORTIFY_SOURCE=3 -Werror -x c -c -o /dev/null - \
	2>/dev/null && echo 3 || echo 2)
X86 := $(filter x86_64 i686,$(firstword $(subst -, ,$(shell $(CC) -dumpmachine))))
HARDEN := -O2 -D_FORTIFY_SOURCE=$(FORTIFY) -fstack-protector-strong -fstack-clash-protection \
	$(if $(X86),-fcf-protection=full)
LDHARDEN := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack $(if $(filter x86_64,$(X86)),-Wl$(comma)-z$(comma)shstk) -pie
else
HARDEN := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
LDHARDEN := -fsanitize=$(SAN) -pie
endif
ALL_CFLAGS := -std=gnu11 -g -fPIE $(HARDEN) $(WARN) $(if $(WERROR),-Werror) $(PKG_CFLAGS) \
	-D_GNU_SOURCE -DETL_VERSION='"$(VERSION)"' $(if $(FAULTS),-DETL_FAULTS) \
	-Ilib -Idaemon -I$(BUILD)/gen $(CFLAGS)
ALL_LDFLAGS := $(LDHARDEN) $(LDFLAGS)

# ---- what there is ---------------------------------------------------------------------
LIB_SRC    := $(sort $(foreach r,$(ROOMS),$(wildcard lib/$(r)/*.c lib/$(r)/*/*.c)))
REG_KINDS  := $(filter source reshape format transform check sink,$(ROOMS)) $(if $(filter run,$(ROOMS)),work)
REG_SRC    := $(REG_KINDS:%=$(BUILD)/gen/registry_%.c)
LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/%.o) $(REG_SRC:%.c=%.o)
CTL_SRC    := $(sort $(wildcard daemon/etlctl/*.c))
CTL_LIBSRC := $(sort $(wildcard lib/base/*.c lib/ctl/*.c))
FLOORS     := io config engine facts methods doors
ETLD_SRC   := $(sort $(wildcard daemon/*.c $(FLOORS:%=daemon/%/*.c)))
ETLD_OBJ   := $(ETLD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/registry_method.o
CTL_OBJ    := $(CTL_SRC:%.c=$(BUILD)/%.o) $(CTL_LIBSRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/registry_command.o
UNIT_ROOMS := $(ROOMS) $(if $(filter tell,$(ROOMS)),$(FLOORS:%=daemon/%))
UNIT_SRC   := $(sort $(foreach r,$(UNIT_ROOMS),$(wildcard tests/unit/$(r)/test_*.c)))
UNIT_BIN   := $(UNIT_SRC:%.c=$(BUILD)/%)
SIM_SRC    := $(sort $(wildcard tests/sim/sim_*.c))
SIM_BIN    := $(SIM_SRC:%.c=$(BUILD)/%)
SIM_WORLD  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(SIM_SRC),$(sort $(wildcard tests/sim/*.c))))
FUZZ_SRC   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN   := $(FUZZ_SRC:%.c=$(BUILD)/%)
BENCH_SRC  := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BIN  := $(BENCH_SRC:%.c=$(BUILD)/%)

# No rule but those below: the built-in ones would make programs of list.d.
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.PHONY: all lib unit unit-threads sim mutants fuzz-replay fuzz fuzz-all check check-system check-fresh nightly bench \
	lint man-lint demo install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/etld $(BUILD)/etlctl
lib: $(BUILD)/libetl.a

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# A change of flags rebuilds everything.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(CC) $(ALL_CFLAGS))' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The registries: arrays of descriptors, by the names or the text of the files that hold them.
$(BUILD)/gen/registry_%.c: FORCE
	@mkdir -p $(@D)
	@sh packaging/registry.sh $* > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/libetl.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/etld: $(ETLD_OBJ) $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LIB) $(LIBS_DAEMON)
$(BUILD)/etlctl: $(CTL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_CTL)

# ---- tests -----------------------------------------------------------------------------
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_TEST) $(LIBS_LIB)
# Of the daemon only what needs neither loop nor process: one object each.
define daemon_unit
$$(BUILD)/tests/unit/daemon/$(1)/test_%: $$(BUILD)/tests/unit/daemon/$(1)/test_%.o $$(BUILD)/daemon/$(1)/%.o $$(BUILD)/libetl.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS_TEST) $$(LIBS_LIB)
endef
$(foreach floor,$(filter-out facts methods doors,$(FLOORS)),$(eval $(call daemon_unit,$(floor))))
# Facts, methods and doors stand on the whole daemon.
define daemon_whole_unit
$$(BUILD)/tests/unit/daemon/$(1)/test_%: $$(BUILD)/tests/unit/daemon/$(1)/test_%.o $$(BUILD)/libetld.a $$(BUILD)/libetl.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS_TEST) $$(LIBS_LIB) $$(LIBS_DAEMON)
endef
$(foreach floor,facts methods doors,$(eval $(call daemon_whole_unit,$(floor))))
$(BUILD)/tests/sim/%: $(BUILD)/tests/sim/%.o $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_TEST) $(LIBS_LIB)
# The scheduler's simulation holds the daemon itself, without its descriptors and threads, and
# takes the place of identities, configuration files and driver.
SIM_WRAP := etl_uuid7 etl_mongo_global_init etl_mongo_global_cleanup etl_mongo_new \
	etl_mongo_new_within etl_mongo_free etl_mongo_ping etl_mongo_diagnose etl_mongo_hurry etl_state_mongodb_new etld_generation_load etld_run_start \
	etld_run_orphan etl_mongo_newest etld_sense_ask etl_sched_pause \
	etl_sched_resumed_elsewhere
$(BUILD)/libetld.a: $(ETLD_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tests/sim/sim_scheduler: $(BUILD)/tests/sim/sim_scheduler.o $(SIM_WORLD) $(BUILD)/libetld.a $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(SIM_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LIBS_LIB)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LIB)
# The peer that the wheel is measured beside.
$(BUILD)/tests/bench/bench_wheel: LIBS_LIB += -lev
# With gcc a fuzz target gets a plain main that replays files.
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libetl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LIB)

unit: $(UNIT_BIN)
	$(Q)sh tests/lib/run-unit.sh $(BUILD) $(UNIT_BIN)
# Those that make threads, themselves or by the driver: all that ThreadSanitizer can see.
UNIT_THREADS = $(shell grep -lE 'pthread_create|etl_mongo_new|mongo_tests_open' $(UNIT_SRC))
unit-threads: $(UNIT_THREADS:%.c=$(BUILD)/%)
	$(Q)sh tests/lib/run-unit.sh $(BUILD) $^
sim: export ETLD_SIM_HISTORIES ?= $(if $(SAN),300,1000)
sim: export ETLD_TEST_LIMIT ?= 21600
sim: $(SIM_BIN)
	$(Q)sh tests/lib/run-unit.sh $(BUILD) $(SIM_BIN)
# Bugs planted one by one: the scheduler's simulation has to find each of one list, a named test
# each of the other. NAME="part of a name": only such. MUTANT_SECONDS=N: as many of each list as begin in N s.
NAME ?=
MUTANT_SECONDS ?= 0
mutants: $(BUILD)/tests/sim/sim_scheduler all
	$(Q)$(MAKE) FAULTS=1 BUILD=$(BUILD)-faults all
	$(Q)packaging/mongodb-venv.sh "$${ETLD_TEST_VENV:-build/mongodb-venv}"
	$(Q)rc=0; \
	python3 tests/sim/mutants.py --build $(BUILD) --libs '$(LIBS_LIB)' \
		--objects '$(BUILD)/tests/sim/sim_scheduler.o $(SIM_WORLD)' \
		--link '$(CC) $(ALL_LDFLAGS) $(SIM_WRAP:%=-Wl,--wrap=%)' \
		$(if $(REMEMBER),--remember) --seconds $(MUTANT_SECONDS) "$(NAME)" || rc=1; \
	python3 tests/mutants/run.py --build $(BUILD) --faults $(BUILD)-faults \
		$(if $(WERROR),--make WERROR=$(WERROR)) $(if $(SAN),--make SAN=$(SAN)) \
		--seconds $(MUTANT_SECONDS) "$(NAME)" || rc=1; \
	exit $$rc
fuzz-replay: $(FUZZ_BIN)
	$(Q)sh tests/lib/run-fuzz-replay.sh $(BUILD) $(FUZZ_BIN)

# Coverage-guided fuzzing: its own build with clang and libFuzzer.
T    ?= decode_json
SECS ?= 60
fuzz fuzz-all: export LIBS_LIB := $(LIBS_LIB)
fuzz:
	$(Q)sh tests/lib/run-fuzz.sh $(T) $(SECS)
fuzz-all:
	$(Q)sh tests/lib/run-fuzz-all.sh $(SECS)

lint:
	$(Q)sh tests/lint/run.sh
man-lint:
	$(Q)sh tests/lint/man.sh
check: unit sim fuzz-replay lint
check-system: all
	$(Q)ETLD_BUILD=$(BUILD) sh tests/lib/run-system.sh $(TESTS)
nightly:
	$(Q)packaging/check.sh --nightly
SUITE ?= bookworm
check-fresh:
	$(Q)sh packaging/check-fresh.sh --suite $(SUITE)
bench: $(BENCH_BIN) all
	$(Q)sh tests/bench/run.sh $(BUILD)
demo:
	$(Q)packaging/demo.sh

# ---- install ---------------------------------------------------------------------------
INSTALL ?= install
install: all
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(unitdir) \
		$(DESTDIR)$(libdir_systemd)/sysusers.d $(DESTDIR)$(libdir_systemd)/tmpfiles.d \
		$(DESTDIR)$(libdir_systemd)/systemd/catalog $(DESTDIR)$(sysconfdir)/etld/jobs.d \
		$(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(mandir)/man8 \
		$(DESTDIR)$(datadir)/doc/etld/examples
	$(INSTALL) -m 755 $(BUILD)/etld $(DESTDIR)$(sbindir)/etld
	$(INSTALL) -m 755 $(BUILD)/etlctl $(DESTDIR)$(bindir)/etlctl
	$(INSTALL) -m 644 systemd/etld.service $(DESTDIR)$(unitdir)/etld.service
	$(INSTALL) -m 644 systemd/etld.sysusers $(DESTDIR)$(libdir_systemd)/sysusers.d/etld.conf
	$(INSTALL) -m 644 systemd/etld.tmpfiles $(DESTDIR)$(libdir_systemd)/tmpfiles.d/etld.conf
	$(INSTALL) -m 644 systemd/etld.catalog $(DESTDIR)$(libdir_systemd)/systemd/catalog/etld.catalog
	test -e $(DESTDIR)$(sysconfdir)/etld/etld.yaml || \
		$(INSTALL) -m 640 etc/etld.yaml $(DESTDIR)$(sysconfdir)/etld/etld.yaml
	$(INSTALL) -d $(DESTDIR)$(bashdir) $(DESTDIR)$(zshdir) $(DESTDIR)$(fishdir)
	$(BUILD)/etlctl completion bash >$(DESTDIR)$(bashdir)/etlctl
	$(BUILD)/etlctl completion zsh >$(DESTDIR)$(zshdir)/_etlctl
	$(BUILD)/etlctl completion fish >$(DESTDIR)$(fishdir)/etlctl.fish
	$(INSTALL) -m 644 packaging/doc/man/etlctl.1 $(DESTDIR)$(mandir)/man1/
	$(INSTALL) -m 644 packaging/doc/man/etld.yaml.5 $(DESTDIR)$(mandir)/man5/
	$(INSTALL) -m 644 packaging/doc/man/etld.8 $(DESTDIR)$(mandir)/man8/
	cp -R etc/examples/. $(DESTDIR)$(datadir)/doc/etld/examples/
uninstall:
	rm -f $(DESTDIR)$(sbindir)/etld $(DESTDIR)$(bindir)/etlctl $(DESTDIR)$(unitdir)/etld.service \
		$(DESTDIR)$(libdir_systemd)/sysusers.d/etld.conf \
		$(DESTDIR)$(libdir_systemd)/tmpfiles.d/etld.conf \
		$(DESTDIR)$(libdir_systemd)/systemd/catalog/etld.catalog \
		$(DESTDIR)$(mandir)/man1/etlctl.1 $(DESTDIR)$(mandir)/man5/etld.yaml.5 \
		$(DESTDIR)$(mandir)/man8/etld.8 $(DESTDIR)$(bashdir)/etlctl \
		$(DESTDIR)$(zshdir)/_etlctl $(DESTDIR)$(fishdir)/etlctl.fish

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# chat_rbac: build with PGXS.
#
#	make, make install, make installcheck	as for every extension
#	make demo		see it at work, in a throw-away cluster
#	make psql		the same cluster, in psql (MEMBER=name: as that member)
#	make test		all tests (TESTS="regress isolation pgtap tap attacks style": only those)
#	make test-...		more of them, some long: see CONTRIBUTING.md
#	make bench		compare with conditions written by hand
#	make indent		lay out the C code; make check-style only checks
#	make dist		the zip file for PGXN, from the last commit
#
# demo, psql, test and bench do all of their own set-up.

EXTENSION = chat_rbac
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SHLIB_LINK += -lcrypto

# The install script of this version is joined from its parts.  Older releases
# and the steps between versions are files of their own.
SQL_PARTS = $(sort $(wildcard sql/parts/*.sql))
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA = $(filter-out $(DATA_built),$(sort $(wildcard sql/$(EXTENSION)--*.sql)))

# PostgreSQL's headers count as system headers, so that -Wextra warns of our
# code only.  clang does not know all of the flags that PostgreSQL was built
# with by gcc; it need not say so.  Headers of before PostgreSQL 16 are no C23, which
# is what newer compilers take for C.
PG_CFLAGS = -std=gnu11 -Wall -Wextra -fvisibility=hidden \
	$(addprefix -isystem ,$(includedir_server) $(includedir_internal)) \
	$(if $(findstring clang,$(shell $(CC) --version)),-Wno-unknown-warning-option -Wno-ignored-optimization-argument)

# Bitcode for just-in-time inlining is not worth its build time here;
# "make with_llvm=yes" builds it all the same.
ifneq ($(origin with_llvm),command line)
override with_llvm := no
endif

# pg_regress looks for expected/ in its output folder (from 16 on: in
# expecteddir), which is this one, and only then in its input folder.
REGRESS := $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
ISOLATION := $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation $(if $(filter-out 15,$(MAJORVERSION)),--expecteddir=test/isolation)
PROVE_TESTS ?= $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

EXTRA_CLEAN = results output_iso tmp_check tmp_check_iso log \
	regression.diffs regression.out $(EXTENSION)-*.zip

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifneq ($(wildcard $(PGXS)),)

include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h)

# The folder is a prerequisite because a part may have been removed.
$(DATA_built): $(SQL_PARTS) sql/parts $(EXTENSION).control
	cat $(SQL_PARTS) >$@

else

# A fresh machine: demo, psql, test and bench still work, as they call
# scripts/setup.sh and then this file again.
all install installcheck clean:
	@echo "PostgreSQL's server headers are missing; run: scripts/setup.sh build" >&2; exit 1

endif

.PHONY: all install installcheck clean demo psql test bench indent check-style dist \
	test-attacks test-standby test-upgrade test-faults test-matrix test-core test-sanitize test-fuzz

demo:
	@scripts/setup.sh demo
	+@scripts/install.sh
	@scripts/demo.sh

psql:
	@scripts/setup.sh demo
	+@scripts/install.sh
	@scripts/demo.sh psql $(MEMBER)

test:
	@scripts/setup.sh test
	+@scripts/install.sh
	@scripts/test.sh $(TESTS)

# Parts of "make test", and their long forms.
test-attacks: TESTS = attacks
test-standby: export PROVE_TESTS = test/t/006_standby.pl test/t/024_logical.pl test/t/028_standby_whole.pl
test-upgrade: export PROVE_TESTS = test/t/009_dump.pl test/t/012_trail_dump.pl $(wildcard test/t/02[5-7]_*.pl)
test-faults: export PROVE_TESTS = $(wildcard test/t/02[1-3]_*.pl)
test-faults: export CHAT_RBAC_LONG = 1
test-standby test-upgrade test-faults: TESTS = tap
test-attacks test-standby test-upgrade test-faults: test
	@[ $@ != test-upgrade ] || scripts/pg-upgrade.sh

# What takes other servers, sources or compilers; each script gets what it needs.
test-matrix:
	@scripts/matrix.sh

test-core:
	@scripts/core-tests.sh

test-sanitize:
	@scripts/setup.sh sanitize
	@scripts/sanitize.sh ubsan asan valgrind

test-fuzz:
	@scripts/setup.sh fuzz
	+@scripts/install.sh
	@CHAT_RBAC_LONG=1 scripts/fuzz.sh

bench:
	@scripts/setup.sh bench
	+@scripts/install.sh
	@bench/run.sh

indent:
	@scripts/indent.sh

check-style:
	@status=0; \
	scripts/indent.sh --check || status=1; \
	scripts/check-layers.pl || status=1; \
	exit $$status

dist:
	@grep -q '"version": "$(EXTVERSION)"' META.json || { echo "META.json is not of version $(EXTVERSION)" >&2; exit 1; }
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ --output=$(EXTENSION)-$(EXTVERSION).zip HEAD

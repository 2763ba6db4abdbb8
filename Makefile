# Makefile - PGXS for the extension, and one name for everything else a developer does here.
#
# `make`, `make install` and `make installcheck` are those of any PGXS extension (PG_CONFIG= chooses the
# server). The rest calls small scripts that also work without a PostgreSQL in the path: see `make help`.

EXTENSION = collab
MODULE_big = collab

PG_CONFIG ?= pg_config

# The one place of the version number; `make checkver` compares those who must repeat it.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" collab.control 2>/dev/null)

CORE_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard core/*.c)))
EXTENSION_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard extension/*.c)))
OBJS = $(CORE_OBJS) $(EXTENSION_OBJS)
HDRS = $(wildcard core/*.h extension/*.h)
DATA = $(sort $(wildcard sql/collab--*.sql))

PG_CPPFLAGS = -Icore -Iextension -DCOLLAB_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu11 -Wextra -Wno-unused-parameter -Wshadow

# A test is a file: nothing to register. pg_regress reads expected/ and test/sql with --inputdir=test; the
# isolation tester needs --outputdir=. on top of it to find expected/.
TESTS = $(sort $(wildcard test/sql/*.sql))
SPECS = $(sort $(wildcard test/specs/*.spec))
REGRESS = $(patsubst test/sql/%.sql,%,$(TESTS))
REGRESS_OPTS = --inputdir=test --load-extension=$(EXTENSION) --encoding=UTF8
ISOLATION = $(patsubst test/specs/%.spec,%,$(SPECS))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=$(EXTENSION) --encoding=UTF8

EXPORTS = build/exports.map
SHLIB_LINK = -lzstd -Wl,--version-script=$(EXPORTS)

EXTRA_CLEAN = build output_iso

# Targets that need no PostgreSQL to be read; anything else includes PGXS.
OWN_TARGETS = run test bench replay fuzz proxy archiver client format format-check checkver dist help

.PHONY: $(OWN_TARGETS)

ifneq ($(filter-out $(OWN_TARGETS),$(or $(MAKECMDGOALS),all)),)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error no PostgreSQL server headers found by "$(PG_CONFIG) --pgxs": install postgresql-server-dev-15, say where with PG_CONFIG=..., or try "make run", which installs what is missing)
endif
include $(PGXS)

# PGXS tracks no header dependencies.
$(OBJS): $(HDRS) collab.control

# PostgreSQL looks up its own entry points, SQL functions and worker mains; every other name stays inside the library, where
# it cannot clash with another extension's of the same name.
$(shlib): $(EXPORTS)
$(EXPORTS): $(OBJS)
	@mkdir -p $(@D)
	@{ echo '{ global: Pg_magic_func; _PG_init; pg_finfo_*; collab_*_main;'; \
	   nm -g --defined-only $(OBJS) | sed -n 's/.* T pg_finfo_\(.*\)/\1;/p'; \
	   echo 'local: *; };'; } >$@
endif

help:
	@sed -n 's/^#? //p' Makefile

#? The extension (PG_CONFIG=/path/to/pg_config chooses the server)
#?   make                     build the extension
#?   make install             install it
#?   make installcheck        pg_regress and isolation tests against a running server that has it
#?   make clean               remove what was built
#? Everything else
#?   make run                 the demo: install what is missing, build, private cluster, proxy, URL  [PORT=8080]
#?   make test                every test, ending with one line that counts them  [SUITES="core sql ..."]
#?   make proxy               build build/proxy/collab-proxy
#?   make archiver            build build/archiver/collab-archiver
#?   make client              install the client's packages from the lock file and build its bundle
#?   make bench               print the table of figures  [BENCH_JSON=FILE] [BENCHES="core sql ..."]
#?   make bench BENCHES=peers beside ShareDB, y-websocket and Hocuspocus, a quarter of an hour  [SECONDS=4]
#?   make replay TRACE=FILE   play a recorded editing session through the proxy
#?   make fuzz                run the fuzzers  [SECONDS=600]
#?   make format              clang-format all C files; format-check only says what would change
#?   make checkver            the version number is the same wherever it must stand
#?   make dist                collab-VERSION.zip, as PGXN wants it
# Started in the background by a shell, a script would ignore Ctrl-C and could not even trap it.
run:
	@env --default-signal=INT,QUIT scripts/run.sh

test:
	@scripts/test.sh $(SUITES)

bench:
	@scripts/bench.sh $(BENCHES)

replay:
	@scripts/replay.sh "$(TRACE)"

fuzz:
	@scripts/fuzz.sh $(or $(SECONDS),600)

proxy:
	@$(MAKE) --no-print-directory -C proxy VERSION=$(EXTVERSION)

archiver:
	@$(MAKE) --no-print-directory -C archiver VERSION=$(EXTVERSION)

client:
	@scripts/npm.sh client

format:
	@scripts/format.sh

format-check:
	@scripts/format.sh --check

checkver:
	@scripts/checkver.sh

dist: checkver
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ -o $(EXTENSION)-$(EXTVERSION).zip HEAD

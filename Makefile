# nmsp: one PostgreSQL extension.
#   make, make install    build and install with PGXS (PG_CONFIG=... chooses the server)
#   make check            everything: packages, build, install, all tests (tests/check.mk)
#   make check-faults     workers and daemons killed by the hundred, disks that fail, floods (tests/faults)
#   make kea-hook, make install-kea   what Kea needs (kea-dev)
#   make demo             see it work;  make demo-stop  takes it away again
#   make fuzz, fuzz-coverage, fuzz-planted, valgrind, ubsan, asan, bench, bench-feed    harder looks (tests/check.mk)

# PGXS brings a target "check" of its own and needs the server's headers; the goals of
# tests/check.mk work without either and call make again for the rest.
TEST_GOALS = check check-codec check-sql check-daemon check-faults demo demo-stop \
             fuzz fuzz-coverage fuzz-planted bench bench-feed valgrind ubsan asan
ifneq ($(filter $(TEST_GOALS),$(MAKECMDGOALS)),)
include tests/check.mk
else

EXTENSION  = nmsp
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" nmsp.control)
MODULE_big = nmsp

# What goes into the install script, in this order. code/ = members of the extension; schema/ and
# views/ are wrapped into functions that nmsp.migrate() runs, so that tables are the user's.
SQL_CODE   = $(sort $(wildcard sql/code/*.sql)) build/template_library.sql
SQL_SCHEMA = $(sort $(wildcard sql/schema/*.sql))
SQL_VIEWS  = $(sort $(wildcard sql/views/*.sql))

CORE_SRC   = $(wildcard extension/docsis/*.c) $(wildcard extension/template/*.c)
ENGINE_SRC = $(wildcard workers/feed/*.c)
AGENT_SRC  = workers/agent.c workers/action.c $(wildcard workers/store_libpq.c) $(wildcard workers/serve/*.c)
SERVER_SRC = $(wildcard extension/pg/*.c) $(filter-out $(AGENT_SRC),$(wildcard workers/*.c))
GENERATED  = build/symbols/symbols_generated.c
OBJS = $(patsubst %.c,%.o,$(CORE_SRC) $(ENGINE_SRC) $(SERVER_SRC) $(GENERATED))

DATA       = $(wildcard sql/released/nmsp--*.sql)
DATA_built = build/nmsp--$(EXTVERSION).sql
EXTRA_CLEAN = build

WARNINGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
           -Wno-declaration-after-statement -Werror=implicit-function-declaration $(WERROR)
PG_CFLAGS   = -std=gnu11 $(WARNINGS)
PG_CPPFLAGS = -I. -Iextension/docsis
SHLIB_LINK  = -lcrypto

# JIT bitcode of code that calls libcrypto gains nothing and would make clang a build dependency.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

build/nmsp--$(EXTVERSION).sql: sql/header.sql sql/join.sh $(SQL_CODE) $(SQL_SCHEMA) $(SQL_VIEWS) nmsp.control Makefile
	@mkdir -p build
	sh sql/join.sh "$(SQL_CODE)" "$(SQL_SCHEMA)" "$(SQL_VIEWS)" > $@.tmp && mv $@.tmp $@

# The template library: each text of data/templates as a row.
build/template_library.sql: sql/templates.py $(wildcard data/templates/*.txt)
	@mkdir -p build
	python3 sql/templates.py $(wildcard data/templates/*.txt) > $@.tmp && mv $@.tmp $@

# The C tables of the codec, from the facts.
$(GENERATED): extension/symbols/generate.py $(wildcard extension/symbols/*.tsv)
	@mkdir -p build/symbols
	python3 extension/symbols/generate.py extension/symbols build/symbols

# nmsp-agent: a program of its own without a PostgreSQL server header; needs libpq, and liblber
# (libldap-dev) for the look-up of ISC dhcpd.
HAVE_LBER   := $(shell echo '\#include <lber.h>' | $(CC) -E - >/dev/null 2>&1 && echo yes)
AGENT_OBJS   = $(patsubst %.c,build/agent/%.o,$(AGENT_SRC) $(ENGINE_SRC))
AGENT_CFLAGS = -std=gnu11 -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE -fPIE $(WARNINGS) -DNMSP_VERSION='"$(EXTVERSION)"' \
               -I. -I$(shell $(PG_CONFIG) --includedir) $(if $(HAVE_LBER),-DHAVE_LBER) $(AGENT_EXTRA)
AGENT_LIBS   = -pthread -L$(shell $(PG_CONFIG) --libdir) -lpq -lcrypto $(if $(HAVE_LBER),-llber)

all: build/nmsp-agent

build/nmsp-agent: $(AGENT_OBJS)
	$(CC) -pie -Wl,-z,relro,-z,now $(AGENT_EXTRA) $^ -o $@ $(AGENT_LIBS)

build/agent/%.o: %.c $(wildcard workers/serve/*.h) $(wildcard workers/feed/*.h)
	@mkdir -p $(@D)
	$(CC) $(AGENT_CFLAGS) -c $< -o $@

install: install-agent
install-agent: build/nmsp-agent
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) build/nmsp-agent '$(DESTDIR)$(bindir)/nmsp-agent'

uninstall: uninstall-agent
uninstall-agent:
	rm -f '$(DESTDIR)$(bindir)/nmsp-agent'

.PHONY: install-agent uninstall-agent

include workers/kea/kea.mk
include workers/dhcpd/dhcpd.mk

$(OBJS): $(GENERATED) $(wildcard extension/*/*.h) $(wildcard workers/*.h) $(wildcard workers/*/*.h)

endif

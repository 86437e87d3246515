# Goals for people; included by the top Makefile in place of PGXS.
.PHONY: $(TEST_GOALS)

# WERROR: tests build with warnings as errors, releases do not.
BUILD = tests/setup.sh && $(MAKE) -s WERROR=-Werror && tests/install.sh

check:
	$(BUILD) && tests/run.sh codec sql daemon

check-codec:
	$(BUILD) && tests/run.sh codec

check-sql:
	$(BUILD) && tests/run.sh sql

check-daemon:
	$(BUILD) && tests/run.sh daemon

# The long form of tests/daemon/90_faults.t: some 25 minutes; tests/faults/*.t say what can be set.
check-faults:
	$(BUILD) && tests/faults/run.sh

demo:
	tests/demo/demo.sh

demo-stop:
	tests/demo/demo.sh stop

# ---- harder looks; tests/packages-dev.txt says what they need beside
DEV = tests/setup.sh packages-dev.txt

# Each target for FUZZ_SECONDS (60; a long run has 1800), FUZZ_JOBS at a time.
fuzz:
	$(DEV) && $(MAKE) -s -C tests/fuzz fuzz

# Lines of the readers that corpora and codec tests reach: at least 90 % of each.
fuzz-coverage:
	$(DEV) && $(MAKE) -s -C tests/fuzz coverage

# One check is taken out of a copy: the fuzzer must find it within a minute.
fuzz-planted:
	$(DEV) && $(MAKE) -s -C tests/fuzz planted

# pgTAP with the server under memcheck; pgTAP with the library under UBSAN; codec and engine under
# ASAN and UBSAN. VALGRIND_FILES: these files of tests/sql only.
valgrind:
	$(DEV) && tests/valgrind/valgrind.sh

ubsan:
	$(DEV) && tests/valgrind/ubsan.sh

asan:
	$(DEV) && tests/valgrind/asan.sh

# Speed against the floor of the digests themselves; never fails for being slow (doc/performance.md).
bench:
	$(BUILD) && tests/bench/bench.sh

# A million modems fed: ratios against the daemons' own ways (doc/performance.md). FEED_BENCH: parts.
bench-feed:
	$(DEV) && $(BUILD) && $(MAKE) -s kea-hook && python3 tests/bench/feed_bench.py

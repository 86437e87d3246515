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

demo:
	tests/demo/demo.sh

demo-stop:
	tests/demo/demo.sh stop

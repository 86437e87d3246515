"""TAP producer for the daemon stories.

    import tap

    def story(t, stack):
        t.ok(1 + 1 == 2, "arithmetic holds")
        t.is_(got, want, "same value")

    tap.main(story)

`main` hands the story an ExitStack; whatever is entered there is closed when
the story ends, fails, is interrupted (Ctrl-C) or terminated (SIGTERM). The plan
is printed at the end, so a story that dies half-way never looks complete.
"""

import contextlib
import os
import signal
import sys
import threading
import traceback


class Bail(Exception):
    """Raised to end the story: nothing after this point can be tested."""


class SkipAll(Exception):
    """Raised before the first test: the whole story does not apply here."""


def in_ci():
    """True where a missing facility is a failure, not a reason to skip."""
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


class Tap:
    """Counts and prints test lines; safe to use from several threads."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.count = 0
        self.failed = 0
        self.skipped = 0
        self._lock = threading.Lock()

    def _line(self, good, name, directive=""):
        with self._lock:
            self.count += 1
            self.failed += 0 if good else 1
            clean = str(name).replace("#", "\\#").replace("\n", " ")
            print(f"{'ok' if good else 'not ok'} {self.count} - {clean}{directive}",
                  file=self.out, flush=True)
        return good

    def ok(self, condition, name, *details):
        """One test: passes when `condition` is true; `details` are shown when it fails."""
        good = self._line(bool(condition), name)
        if not good:
            for detail in details:
                self.diag(detail)
        return good

    def is_(self, got, want, name):
        """One test: passes when `got == want`; shows both values when they differ."""
        return self.ok(got == want, name, f"     got: {got!r}", f"expected: {want!r}")

    def like(self, text, pattern, name):
        """One test: passes when the regular expression `pattern` is found in `text`."""
        import re
        return self.ok(re.search(pattern, text or ""), name,
                       f"    text: {text!r}", f" pattern: {pattern!r}")

    def raises(self, exception, call, name, pattern=None):
        """One test: passes when `call()` raises `exception` (whose text matches `pattern`)."""
        import re
        try:
            got = call()
        except exception as error:
            if pattern is None or re.search(pattern, str(error)):
                return self.ok(True, name)
            return self.ok(False, name, f"raised, but {str(error)!r} does not match {pattern!r}")
        return self.ok(False, name, f"nothing was raised, returned {got!r}")

    def skip(self, name, reason, count=1):
        """`count` tests that cannot run here. Under CI=true they fail instead."""
        for _ in range(count):
            if in_ci():
                self._line(False, f"{name} (cannot be skipped in CI: {reason})")
            else:
                self.skipped += 1
                self._line(True, name, f" # SKIP {reason}")

    def diag(self, text):
        """Free text for the reader of the log."""
        for line in str(text).splitlines() or [""]:
            print(f"# {line}", file=self.out, flush=True)

    def plan(self):
        """Prints the plan; call it once, at the end."""
        print(f"1..{self.count}", file=self.out, flush=True)
        if self.failed:
            self.diag(f"{self.failed} of {self.count} failed")


def require(reason):
    """Skips the whole story when `reason` is not None (fails it under CI=true)."""
    if reason is not None:
        raise Bail(f"needed in CI: {reason}") if in_ci() else SkipAll(reason)


def _terminate(signum, frame):
    raise SystemExit(128 + signum)


def _outcome(story, tap):
    """Runs the story with its resources; returns the exit status."""
    with contextlib.ExitStack() as stack:
        story(tap, stack)
    tap.plan()
    return 1 if tap.failed else 0


def main(story):
    """Runs `story(tap, exit_stack)`, prints the plan and exits."""
    tap = Tap()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, _terminate)
    try:
        status = _outcome(story, tap)
    except SkipAll as reason:
        print(f"1..0 # SKIP {reason}", flush=True)
        status = 0
    except Bail as reason:
        print(f"Bail out! {reason}", flush=True)
        status = 1
    except KeyboardInterrupt:
        print("Bail out! interrupted", flush=True)
        status = 130
    except SystemExit as end:
        print("Bail out! terminated", flush=True)
        status = end.code
    except Exception:
        tap.diag(traceback.format_exc())
        print(f"Bail out! the story died after {tap.count} tests", flush=True)
        status = 1
    sys.exit(status)

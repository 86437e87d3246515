"""Waiting for conditions: never a bare pause, always a fetch, a predicate and a deadline."""

import time


class Timeout(Exception):
    """The condition did not come true in time; the text holds the last value seen."""


def wait_until(fetch, predicate=bool, deadline=10.0, what="condition", interval=0.02):
    """Calls `fetch()` until `predicate(value)` holds; returns that value.

    deadline: seconds from now. Raises Timeout naming `what` and the last value
    (or the last exception of `fetch`, which counts as "not yet").
    """
    end = time.monotonic() + deadline
    while True:
        try:
            value = fetch()
            if predicate(value):
                return value
            last = repr(value)
        except Timeout:
            raise
        except Exception as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= end:
            raise Timeout(f"{what}: not reached in {deadline} s; last value: {last[:2000]}")
        time.sleep(interval)

# SPDX-License-Identifier: MIT
"""Waiting for a condition, with a limit. The only place where system tests sleep."""
import os
import time

POLL_SECONDS = 0.01
# What takes long is not asked so often: many conditions start a process.
POLL_SECONDS_MAX = 0.05
# Where a bug is planted many a condition never comes true: nobody waits for it so long.
LIMIT_MAX = float(os.environ.get("ETLD_TEST_WAIT_MAX", "inf"))
# Functions that say why no condition can come true any more, or None. Asked now and then.
HOPELESS = []
HOPELESS_SECONDS = 10


def wait_for(condition, what, limit=120.0):
    """Returns the first true value of condition(); fails with `what` after `limit` seconds, which
    end what hangs: a limit is far from what a slow and busy machine needs.
    `what` may be a function, called at the end for what was last seen."""
    limit = min(limit, LIMIT_MAX)
    end = time.monotonic() + limit
    pause = POLL_SECONDS
    asked = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what() if callable(what) else what}")
        if time.monotonic() - asked > HOPELESS_SECONDS:
            asked = time.monotonic()
            for why in filter(None, (hopeless() for hopeless in HOPELESS)):
                raise AssertionError(f"{why}: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)

# SPDX-License-Identifier: MIT
"""How many planted bugs a run tries: all, or as many as begin within some seconds."""
import time

DAY = 86400


class Budget:
    """Seconds from now on; 0 is without a limit."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.began = time.monotonic()

    def is_spent(self):
        return self.seconds > 0 and time.monotonic() - self.began >= self.seconds

    def order(self, rows):
        """Every day begins elsewhere in the list, so that some days of runs try them all."""
        if self.seconds <= 0 or not rows:
            return list(rows)
        # A step that has no factor in common with the usual lengths spreads the days over the list.
        first = int(time.time() // DAY) * 37 % len(rows)
        return [*rows[first:], *rows[:first]]

    def told(self, left, count):
        """Words for the closing line."""
        return f": {left} of {count} were left for want of time (make mutants tries all)" if left else ""

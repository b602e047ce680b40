# SPDX-License-Identifier: MIT
"""A wall clock that stands where the test put it, for one daemon and one simulator.

The daemon gets it by a preloaded library (fakeclock.c), compiled here. The monotonic clocks
stay real, so timeouts keep their length. The daemon is not told of a change, as by a kernel
that forgot to: it finds out when it next asks for the time.
"""
import mmap
import os
import pathlib
import struct
import subprocess

from airqino_sim import utc

SOURCE = pathlib.Path(__file__).with_suffix(".c")


class FakeClock:
    """`prefix` goes before the daemon's command; set() moves the daemon and the simulator."""

    def __init__(self, folder, now, sim=None):
        self.folder = pathlib.Path(folder)
        self.sim = sim
        self.library = self.folder / "fakeclock.so"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-shared",
                        "-fPIC", "-o", str(self.library), str(SOURCE), "-ldl"], check=True)
        self.path = self.folder / "clock"
        self.path.write_bytes(b"\0" * 8)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.set(now)

    @property
    def prefix(self):
        return ("env", f"LD_PRELOAD={self.library}", f"FAKECLOCK={self.path}")

    def set(self, now):
        """`now`: an instant as airqino_sim.utc() reads it, whole seconds."""
        self.now = utc(now).replace(microsecond=0)
        self.memory[:] = struct.pack("=q", int(self.now.timestamp()) * 1_000_000_000)
        if self.sim:
            self.sim.clock.set(self.now)

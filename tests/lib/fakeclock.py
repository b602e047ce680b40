# SPDX-License-Identifier: MIT
"""Wall clocks that a test turns, for one daemon and one simulator. The machine's stays alone.

FakeClock   stands where the test put it (fakeclock.c, compiled here). The monotonic clocks stay
            real, so timeouts keep their length.
FakeTime    runs, from another time or faster: Debian's libfaketime. With a rate all clocks run
            faster; without one the monotonic clocks stay real.

Both are told to the daemon on request only, as by a kernel that forgets to: set() moves the
time, step() moves it and tells, through clockstep.c, as TFD_TIMER_CANCEL_ON_SET does.
"""
import datetime as dt
import glob
import mmap
import os
import pathlib
import struct
import subprocess

from airqino_sim import utc

HERE = pathlib.Path(__file__).parent
LIBFAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def build(folder, source):
    """A library to be preloaded, made from tests/lib/SOURCE.c."""
    library = pathlib.Path(folder) / f"{source}.so"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-shared",
                    "-fPIC", "-o", str(library), str(HERE / f"{source}.c"), "-ldl"], check=True)
    return library


class Steps:
    """What tells a daemon that its clock was set."""

    def __init__(self, folder):
        self.library = build(folder, "clockstep")
        self.path = pathlib.Path(folder) / "clockstep"
        os.mkfifo(self.path)

    def tell(self):
        file = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        os.write(file, b"!")
        os.close(file)


class FakeClock:
    """`prefix` goes before the daemon's command; set() moves the daemon and the simulator."""

    def __init__(self, folder, now, sim=None):
        self.folder = pathlib.Path(folder)
        self.sim = sim
        self.library = build(self.folder, "fakeclock")
        self.steps = Steps(self.folder)
        self.path = self.folder / "clock"
        self.path.write_bytes(b"\0" * 8)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)
        self.set(now)

    @property
    def prefix(self):
        return ("env", f"LD_PRELOAD={self.steps.library}:{self.library}", f"FAKECLOCK={self.path}",
                f"CLOCKSTEP={self.steps.path}")

    def set(self, now):
        """`now`: an instant as airqino_sim.utc() reads it, whole seconds."""
        self.now = utc(now).replace(microsecond=0)
        self.memory[:] = struct.pack("=q", int(self.now.timestamp()) * 1_000_000_000)
        if self.sim:
            self.sim.clock.set(self.now)

    def step(self, now):
        """The same, and the daemon is told."""
        self.set(now)
        self.steps.tell()


class FakeTime:
    """libfaketime over a daemon: its time is ours plus `offset`, or runs `rate` times as fast
    from there. `monotonic`: all clocks move with it, as in suspend. `steps` False: the daemon watches for steps by its own descriptor, of which
    libfaketime moves the expiry. Absent (package faketime): FileNotFoundError."""

    def __init__(self, folder, offset, rate=None, steps=True, monotonic=False):
        found = sorted(glob.glob(LIBFAKETIME))
        if not found:
            raise FileNotFoundError(f"{LIBFAKETIME}: package faketime")
        self.folder = pathlib.Path(folder)
        self.library = found[0]
        self.rate = rate
        self.monotonic = monotonic or rate
        self.steps = Steps(self.folder) if steps else None
        self.path = self.folder / "faketime"
        self.set(offset)

    @property
    def prefix(self):
        settings = [f"FAKETIME_TIMESTAMP_FILE={self.path}", "FAKETIME_NO_CACHE=1"]
        if not self.monotonic:
            settings.append("FAKETIME_DONT_FAKE_MONOTONIC=1")
        if self.steps:
            settings.append(f"CLOCKSTEP={self.steps.path}")
        libraries = [self.steps.library, self.library] if self.steps else [self.library]
        return ("env", f"LD_PRELOAD={':'.join(map(str, libraries))}", *settings)

    @property
    def now(self):
        """Without a rate: what the daemon's clock shows."""
        return dt.datetime.now(dt.timezone.utc) + self.offset

    def set(self, offset):
        """`offset`: a timedelta. Written beside and renamed: it is read at any instant."""
        self.offset = offset
        text = f"{offset.total_seconds():+.0f}" + (f" x{self.rate}" if self.rate else "")
        beside = self.path.with_suffix(".new")
        beside.write_text(text + "\n")
        beside.replace(self.path)

    def step(self, offset):
        self.set(offset)
        self.steps.tell()

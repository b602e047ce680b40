#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants the bugs of planted.py one at a time and demands that the test of each row fails.

Each worker has a copy of the tree with what is built, and works there as a developer would:
writes the bug, calls make, runs the one test, takes the bug out again. A row is found when its
test fails and says so; a test that is skipped, that passes, or that only a time limit ended has
not found it. A row whose old text is not there exactly once, that does not compile, or whose test
does not exist, fails: the list is stale.

Within --seconds as many rows are tried as begin in that time; which come first changes with the
day. Those that are left are told, and still have to fit the tree.

Usage: run.py [--build DIR] [--faults DIR] [--make VAR=VALUE]... [--seconds N] [NAME...]  (make mutants)
NAME: only rows whose name holds it. Last line: "planted: N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from mongodb import MongoServer  # noqa: E402
from budget import Budget  # noqa: E402
from planted import PLANTED  # noqa: E402

WORKERS = 2
MAKE_SECONDS = 900
TEST_SECONDS = 1800  # ends what hangs: not a way to find a bug
# What a planted bug may well leave unused.
HEAD = "".join(f'#pragma GCC diagnostic ignored "-W{name}"\n' for name in (
    "unused-variable", "unused-function", "unused-parameter", "unused-but-set-variable",
    "unused-but-set-parameter", "unused-const-variable", "unused-label", "unused-value"))


class Stale(Exception):
    """The row does not fit the tree any more."""


class Survived(Exception):
    """The test did not find the bug."""


def run(command, folder, limit, **environment):
    """(status, output); the whole family ends with the limit, and the status is None."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "ETLD_BUILD"))}
    with subprocess.Popen(command, cwd=folder, env={**env, **environment}, stdin=subprocess.DEVNULL, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output


def once(source, path, old):
    """The text of the file, which has `old` once."""
    if not source.exists():
        raise Stale(f"there is no {path}")
    text = source.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise Stale(f"{path} has the text {text.count(old)} times, not once: {old.strip()[:60]!r}")
    return text


class Worker:
    """A copy of the tree, and a MongoDB for unit programs that want one."""

    def __init__(self, folder, options):
        self.folder = pathlib.Path(folder)
        self.tree = self.folder / "etld"
        self.options = options
        self.server = None
        skipped = shutil.ignore_patterns(".git", "build", "build-*", "__pycache__")
        shutil.copytree(ROOT, self.tree, symlinks=True, ignore=skipped)
        for name in (options.build, options.faults):
            if (ROOT / name).is_dir():
                # Programs of unit tests are linked anew, by who needs one.
                shutil.copytree(ROOT / name, self.tree / name, symlinks=True, ignore=shutil.ignore_patterns(
                    "mongodb-venv*", "mutants", "test_*[!.o]", "*.tap", "fuzz_*", "sim_*", "bench_*"))

    def make(self, *goals, faults=False):
        flags = [f"BUILD={self.options.faults}", "FAULTS=1"] if faults else [f"BUILD={self.options.build}"]
        status, output = run(["make", "-s", *flags, *self.options.make, *goals], self.tree, MAKE_SECONDS)
        if status != 0:
            raise Stale(f"make {' '.join(goals)}: {output.strip()[-2000:]}")

    def unit(self, name):
        room, _, program = name.partition("/")
        path = f"{self.options.build}/tests/unit/{room}/{program}"
        if not (self.tree / "tests" / "unit" / f"{name}.c").exists():
            raise Stale(f"there is no tests/unit/{name}.c")
        self.make(path)
        if not self.server:
            self.server = MongoServer(self.folder / "mongodb")
            self.server.start()
        status, output = run([str(self.tree / path)], self.tree, TEST_SECONDS, CMOCKA_MESSAGE_OUTPUT="TAP",
                             ETLD_TEST_MONGODB_URI=self.server.uri)
        failed = [line for line in output.splitlines() if line.startswith("not ok ") and "# SKIP" not in line]
        if status is None:
            raise Survived(f"only the limit of {TEST_SECONDS} s ended it")
        if status == 0:
            raise Survived("the program passes" + (", in part skipped" if "# SKIP" in output else ""))
        return failed[0] if failed else f"status {status}"

    def system(self, node):
        if not (self.tree / node.partition("::")[0]).exists():
            raise Stale(f"there is no {node.partition('::')[0]}")
        self.make("all")
        if (self.tree / self.options.faults).is_dir():
            self.make("all", faults=True)
        venv = os.environ.get("ETLD_TEST_VENV") or str(ROOT / "build" / "mongodb-venv")
        status, output = run(
            [f"{venv}/bin/python", "-m", "pytest", "-q", "-x", "-rfEs", "-p", "no:cacheprovider", "--strict-markers",
             node], self.tree, TEST_SECONDS, ETLD_TEST_VENV=venv, PYTHONDONTWRITEBYTECODE="1",
            COLUMNS="400", ETLD_TEST_WAIT_MAX="60", ETLD_BUILD=self.options.build,
            ETLD_BUILD_FAULTS=self.options.faults)
        if status is None:
            raise Survived(f"only the limit of {TEST_SECONDS} s ended it")
        if status == 0:
            raise Survived("the test is skipped" if " skipped" in output and " passed" not in output else "it passes")
        failed = re.findall(r"^(?:FAILED|ERROR) \S+(?: - (.*))?$", output, re.MULTILINE)
        if status != 1 or not failed:
            raise Stale(f"pytest ended with status {status}:\n{output.strip()[-1500:]}")
        if "error at setup" in output.lower():
            raise Stale(f"the test was not reached:\n{output.strip()[-1500:]}")
        if "TimeoutExpired" in failed[0]:
            raise Survived(f"only a time limit noticed: {failed[0]}")
        return failed[0]

    def attempt(self, name, path, old, new, test):
        """What the test said."""
        source = self.tree / path
        text = once(source, path, old)
        kind, _, what = test.partition(":")
        if kind not in ("unit", "system"):
            raise Stale(f"{test!r} is neither unit:ROOM/test_x nor system:tests/system/test_x.py::test_y")
        try:
            line = f'#line 1 "{path}"\n'
            source.write_text(HEAD + line + text.replace(old, new), encoding="utf-8")
            return self.unit(what) if kind == "unit" else self.system(what)
        finally:
            source.write_text(text, encoding="utf-8")  # newer than its object: the next make mends it

    def close(self):
        if self.server:
            self.server.stop()


def names_of(rows):
    names = [row[0] for row in rows]
    return sorted({name for name in names if names.count(name) > 1})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--faults", default="build-faults")
    parser.add_argument("--make", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    rows = [row for row in PLANTED if not options.names or any(name in row[0] for name in options.names)]
    twice = names_of(PLANTED)
    for name in twice:
        print(f"not ok - {name}: the name appears twice")
    began = time.monotonic()
    budget = Budget(options.seconds)

    def attempt(row):
        """True or False, or None for a row that fits the tree and is left."""
        worker = idle.get()
        start = time.monotonic()
        try:
            if budget.is_spent():
                once(ROOT / row[1], row[1], row[2])
                return None
            line, good = f"ok - {row[0]} ({row[1]}): {worker.attempt(*row)}", True
        except (Stale, Survived) as said:
            kind = "stale" if isinstance(said, Stale) else f"not found by {row[4]}"
            line, good = f"not ok - {row[0]} ({row[1]}): {kind}: {said}", False
        finally:
            idle.put(worker)
        print(f"{line}  [{time.monotonic() - start:.0f} s]", flush=True)
        return good

    with tempfile.TemporaryDirectory(prefix="etld-mutants-") as folder:
        os.chmod(folder, 0o755)
        workers = [Worker(f"{folder}/{number}", options) for number in range(min(WORKERS, len(rows)))]
        idle = queue.Queue()
        for worker in workers:
            idle.put(worker)
        try:
            with concurrent.futures.ThreadPoolExecutor(max(1, len(workers))) as threads:
                verdicts = list(threads.map(attempt, budget.order(rows)))
        finally:
            for worker in workers:
                worker.close()
    passed, failed = verdicts.count(True), verdicts.count(False) + len(twice)
    print(f"# {time.monotonic() - began:.0f} s{budget.told(verdicts.count(None), len(rows))}")
    print(f"planted: {passed} passed, {failed} failed")
    return 1 if failed or not (rows or options.names) else 0


if __name__ == "__main__":
    sys.exit(main())

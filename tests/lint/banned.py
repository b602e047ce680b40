# SPDX-License-Identifier: MIT
"""Functions that nobody calls: unsafe with memory, with text, or with time.

Clocks are read through lib/time/clock.h, which uses clock_gettime: time() and the loop's own
time can lag behind a slot that has come. Nobody sets a clock. libev's timers are not used: a
periodic one loses its slot when the clock jumps over it. Tests may not sleep; in
Python tests waiting is done by the helpers of tests/lib, which poll with a limit.
"""
import re

import tree

BANNED = {
    "memory and text": ["gets", "strcpy", "strcat", "sprintf", "vsprintf", "strtok",
                        "alloca", "tmpnam", "tempnam", "mktemp"],
    "numbers from text": ["atoi", "atol", "atoll", "atof"],
    "the process": ["system", "popen", "setjmp", "longjmp", "rand", "srand"],
    "time": ["time", "gettimeofday", "ftime", "localtime", "localtime_r", "gmtime", "ctime",
             "ctime_r", "asctime", "mktime", "sleep", "usleep"],
}
RAW_MEMORY = ["malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup"]
RAW_MEMORY_FILES = ("lib/base/alloc.", "lib/base/arena.")
CLOCK_READS = ["clock_gettime", "timespec_get", "bson_get_monotonic_time", "ev_now", "ev_time",
               "ev_now_update"]
CLOCK_FILES = ("lib/time/clock.", "lib/ctl/client.",  # ctl knows no room but base
               "lib/mongo/diagnose.")  # a deadline by the driver's own clock
CLOCK_SETS = ["clock_settime", "settimeofday", "stime", "adjtime", "adjtimex", "clock_adjtime"]
EV_TIMERS = ["ev_timer_init", "ev_timer_set", "ev_periodic_init", "ev_periodic_set", "ev_once"]
BSON_INSIDE = re.compile(r"^[ \t]+(?:const )?bson_t [a-z]", re.MULTILINE)
# A window's length belongs to its grid: who computes with it is wrong twice a year.
GRID_LENGTHS = re.compile(r"\bgrid(?:\.|->)(?:size|days|months|first)\b")
GRID_FILES = "lib/time/grid."
SLEEPS = ["sleep", "usleep", "nanosleep", "clock_nanosleep"]


def calls(path, names):
    text = tree.code_only(tree.read(path))
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")[ \t]*\(")
    for match in pattern.finditer(text):
        yield f"{path}:{tree.line_of(text, match.start())}: {match.group(1)}()"


def bson_inside(path):
    """A bson_t is aligned to 128 bytes, which neither calloc nor an arena gives to what holds it."""
    text = tree.code_only(tree.read(path))
    for struct in re.finditer(r"^(?:static )?struct \w+ \{.*?^\}", text, re.MULTILINE | re.DOTALL):
        for member in BSON_INSIDE.finditer(struct.group(0)):
            yield f"{path}:{tree.line_of(text, struct.start() + member.start())}: a bson_t in a struct"


def lengths(path):
    text = tree.code_only(tree.read(path))
    for match in GRID_LENGTHS.finditer(text):
        yield f"{path}:{tree.line_of(text, match.start())}: {match.group(0)}"


def main():
    report = tree.Report("banned")
    code = tree.files(".c", ".h", under="lib") + tree.files(".c", ".h", under="daemon")
    for kind, names in BANNED.items():
        report.check(kind, [p for f in code for p in calls(f, names)])
    report.check("memory comes from base/alloc.h", [
        p for f in code if not f.startswith(RAW_MEMORY_FILES) for p in calls(f, RAW_MEMORY)])
    report.check("the time comes from time/clock.h", [
        p for f in code if not f.startswith(CLOCK_FILES) for p in calls(f, CLOCK_READS)])
    report.check("lengths of windows stay in time/grid", [
        p for f in code if not f.startswith(GRID_FILES) for p in lengths(f)])
    report.check("structs point to BSON documents", [p for f in code for p in bson_inside(f)])
    report.check("libev's timers are not used", [p for f in code for p in calls(f, EV_TIMERS)])
    c_tests = tree.files(".c", ".h", under="tests")
    report.check("no test in C sleeps", [p for f in c_tests for p in calls(f, SLEEPS)])
    report.check("nobody sets a clock", [p for f in code + c_tests for p in calls(f, CLOCK_SETS)])
    python_tests = [f for f in tree.files(".py", under="tests") if "/test_" in f]
    report.check("no test in Python sleeps", [
        f"{f}:{i}: {line.strip()}" for f in python_tests
        for i, line in enumerate(tree.read(f).splitlines(), 1)
        if re.search(r"\btime\.sleep\(|\bsleep\(", line)])
    report.end()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""What the lints share: the files of the project, C text without comments, and the report.

A lint prints one line for each thing that it looked at, "ok NAME" or "fail NAME: why", and
ends with status 1 if anything failed. Called with a folder as argument it looks there instead
of at this project (tests/lint/selftest.py does).
"""
import os
import pathlib
import re
import sys

SKIPPED_FOLDERS = re.compile(r"^(\.git|build.*|__pycache__|\.pytest_cache|\.venv)$")


def root():
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1]).resolve()
    return pathlib.Path(__file__).resolve().parents[2]


ROOT = root()


def files(*suffixes, under=""):
    """Paths relative to the root, sorted; without `suffixes` all files."""
    found = []
    for folder, folders, names in os.walk(ROOT / under):
        folders[:] = [f for f in folders if not SKIPPED_FOLDERS.match(f)]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names
                  if not suffixes or name.endswith(suffixes)]
    return sorted(found)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def code_only(text, keep_strings=False):
    """C text with comments (and the inside of strings) turned to blanks; lines stay."""
    def blank(match):
        piece = match.group(0)
        if keep_strings and piece[0] in "\"'":
            return piece
        return re.sub(r"[^\n]", " ", piece)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    def __init__(self, name):
        self.name = name
        self.failed = 0

    def check(self, what, problems):
        """One result: `problems` is a list of words; empty is good."""
        problems = list(problems)
        if problems:
            self.failed += 1
            print(f"fail {self.name}: {what}")
            for problem in problems:
                print(f"     {problem}")
        else:
            print(f"ok {self.name}: {what}")

    def end(self):
        sys.exit(1 if self.failed else 0)

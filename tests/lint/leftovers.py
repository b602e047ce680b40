# SPDX-License-Identifier: MIT
"""Words that say "unfinished", commented-out code switches, and untidy text."""
import re

import tree

# Written in two pieces, so that this file does not find itself.
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "not " + "implemented",
              "un" + "implemented", "for " + "now", "temporarily " + "disabled"]
TEXT = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".1", ".5", ".8", ".service", ".catalog",
        ".sysusers", ".tmpfiles", "Makefile")
CODE = (".c", ".h", ".py", ".sh")
WIDTH = 100
WIDE_ENOUGH = 110  # Python tables


def hits(paths, pattern):
    for path in paths:
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()[:90]}"


def lines_of_code(text):
    """A comment is never left out for want of room: it does not count."""
    return sum(1 for line in tree.code_only(text, keep_strings=True).splitlines() if line.strip())


def main():
    report = tree.Report("leftovers")
    texts = [f for f in tree.files(*TEXT) if not f.startswith(("tests/fuzz/corpus/", "tests/golden/"))]
    code = [f for f in texts if f.endswith(CODE)]
    words = re.compile(r"\b(" + "|".join(UNFINISHED) + r")\b", re.I)
    report.check("no unfinished words", hits(texts, words))
    report.check("no code switched off", hits([f for f in code if f.endswith((".c", ".h"))],
                                              re.compile(r"^\s*#\s*if\s+0\b")))
    report.check("no space at line ends", hits(code, re.compile(r"[ \t]+$")))
    report.check("each file ends with one newline", [
        f for f in texts if (text := tree.read(f)) and (not text.endswith("\n") or text.endswith("\n\n"))])
    report.check("C files begin with their licence and say what they do", [
        f for f in tree.files(".c", ".h") if not tree.read(f).startswith("/* SPDX-License-Identifier: MIT\n *\n * ")])
    report.check(f"C files under 600 lines and {WIDTH} columns", [
        *(f"{f}: {n} lines" for f in tree.files(".c", ".h", under="lib") + tree.files(".c", ".h", under="daemon")
          if (n := lines_of_code(tree.read(f))) > 600),
        *(f"{f}:{i}: {len(line.expandtabs(8))} columns" for f in tree.files(".c", ".h")
          for i, line in enumerate(tree.read(f).splitlines(), 1)
          if len(line.expandtabs(8)) > WIDE_ENOUGH)])
    report.end()


if __name__ == "__main__":
    main()

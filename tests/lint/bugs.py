# SPDX-License-Identifier: MIT
"""Python files compile, and every planted bug still fits: its file has the old text exactly once,
its test exists, its name is its own. What else a row must hold shows when it is planted."""
import importlib.util
import re
import sys

import tree

LISTS = {"tests/sim/mutants.py": "MUTANTS", "tests/mutants/planted.py": "PLANTED"}


def broken_files():
    for path in tree.files(".py"):
        try:
            compile(tree.read(path), path, "exec")
        except SyntaxError as error:
            yield f"{path}:{error.lineno}: {error.msg}"


def rows_of(path, name):
    spec = importlib.util.spec_from_file_location(name.lower(), tree.ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def test_problem(test):
    kind, _, what = test.partition(":")
    path, _, node = what.partition("::")
    if kind == "unit":
        return None if (tree.ROOT / f"tests/unit/{what}.c").exists() else f"there is no tests/unit/{what}.c"
    if kind != "system" or not (tree.ROOT / path).exists():
        return f"no such test: {test}"
    name = re.escape(node.rpartition("::")[2].partition("[")[0])
    return None if re.search(rf"^\s*def {name}\(", tree.read(path), re.MULTILINE) else f"{path} has no {node}"


def misfits(rows):
    names = [row[0] for row in rows]
    for name, path, old, new, *test in rows:
        found = tree.read(path).count(old) if (tree.ROOT / path).exists() else 0
        if found != 1:
            yield f"{name}: {path} has its text {found} times: {old.strip()[:60]!r}"
        if old == new:
            yield f"{name}: changes nothing"
        if names.count(name) > 1:
            yield f"{name}: the name appears twice"
        if test and test_problem(test[0]):
            yield f"{name}: {test_problem(test[0])}"


def main():
    sys.dont_write_bytecode = True
    report = tree.Report("bugs")
    broken = list(broken_files())
    report.check("Python files compile", broken)
    for path, name in LISTS.items():
        if not broken and (tree.ROOT / path).exists():
            report.check(f"{path} fits the code", misfits(rows_of(path, name)))
    report.end()


if __name__ == "__main__":
    main()

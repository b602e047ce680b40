# SPDX-License-Identifier: MIT
"""Things that stand in two places and must agree.

Message ids: daemon/io/message_ids.h and systemd/etld.catalog, each in both languages with the
same fields, and each sent by the daemon. Commands: the table of lib/ctl, the daemon's methods, etlctl's
printers and etlctl(1); HACKING.md's example of one; the commands that texts for operators name exist. Error codes: lib/conf/diag.h and
etld.yaml(5). Options: the option tables and etld.yaml(5). Metrics: their table and etld(8).
"""
import re

import tree

IDS = "daemon/io/message_ids.h"
CATALOG = "systemd/etld.catalog"
LANGUAGES = ("en", "fr")
ALWAYS_SENT = {"MESSAGE"}
MAN = "packaging/doc/man/"
COMMAND = r'\.name = "([a-z][a-z ]*)"'


def catalog():
    """{id: {language: text}}"""
    entries = {}
    for block in re.split(r"^-- ", tree.read(CATALOG), flags=re.M)[1:]:
        head, _, text = block.partition("\n")
        number, _, language = head.partition(" ")
        entries.setdefault(number, {})[language.strip() or "en"] = text
    return entries


def fields(text):
    return set(re.findall(r"@([A-Z_]+)@", text)) - ALWAYS_SENT


def check_messages(report):
    header = tree.read(IDS)
    ids = re.findall(r'/\* (.*?) \*/\n#define (ETLD_MSG_\w+) "([0-9a-f]{32})"', header)
    said = {number: (name, set() if names == "no field" else set(names.split()))
            for names, name, number in ids}
    entries = catalog()
    problems = [f"{IDS}: {number} appears twice" for _, _, number in ids
                if [i[2] for i in ids].count(number) > 1]
    problems += [f"{IDS}: a line that is no message id: {line}" for line in header.splitlines()
                 if line.startswith("#define ETLD_MSG") and not any(n in line for n in said)]
    report.check(f"{len(said)} message ids, each once", problems or ([] if said else ["none found"]))
    report.check("each message id has its catalog entry, and no other is there",
                 [f"{said.get(n, (n,))[0]} ({n})" for n in set(said) ^ set(entries)])
    for language in LANGUAGES:
        problems = []
        for number, (name, expected) in said.items():
            text = entries.get(number, {}).get(language)
            if text is None:
                problems.append(f"{name}: no entry")
                continue
            if not re.match(r"Subject: \S", text):
                problems.append(f"{name}: no subject")
            if fields(text) - expected:
                problems.append(f"{name}: fields {fields(text) - expected} are not in {IDS}")
        report.check(f"catalog in language {language}", problems)
    report.check("each field of a message is used in its text", [
        f"{name}: {expected - set().union(*map(fields, entries.get(n, {'': ''}).values()))}"
        for n, (name, expected) in said.items()
        if expected - set().union(*map(fields, entries.get(n, {"": ""}).values()))])
    sent = "".join(tree.code_only(tree.read(f)) for f in tree.files(".c", under="daemon"))
    report.check("each message id is sent by the daemon", [
        name for name, _ in said.values() if not re.search(rf"\b{name}\b", sent)])


def table_names(under, pattern):
    found = {}
    for path in tree.files(".c", ".h", under=under):
        for name in re.findall(pattern, tree.code_only(tree.read(path), keep_strings=True)):
            found.setdefault(name, path)
    return found


def plain(path):
    """A manual page's text: escapes for the hyphen undone."""
    return tree.read(path).replace("\\-", "-")


def check_commands(report):
    commands = table_names("lib/ctl", COMMAND)
    page = plain(MAN + "etlctl.1")
    report.check("each command stands in etlctl(1)",
                 [f"{c} ({path})" for c, path in sorted(commands.items())
                  if not re.search(r"(?m)^\.(It|Ss|Sx|Ic|Cm).*\b" + r"\s+(?:Cm |Ic )?".join(c.split()) + r"\b", page)]
                 if commands else ["no command table was found in lib/ctl"])


def descriptors(kind, under):
    """The names that stand first in `const struct KIND KIND_foo = {"name", ...`, with repeats."""
    return [name for path in tree.files(".c", under=under) for name in re.findall(
        rf'const struct {kind} {kind}_\w+ = \{{\s*"([^"]+)"', tree.code_only(tree.read(path), keep_strings=True))]


def check_descriptors(report):
    """Each command has its printer, each method of the table its function, and no other is there."""
    for what, pattern, kind, under in (
            ("printer in daemon/etlctl", COMMAND, "etlctl_command", "daemon/etlctl"),
            ("method in daemon/methods", r'\.method = "(\w+)"', "etld_method", "daemon/methods")):
        rows, found = table_names("lib/ctl", pattern), descriptors(kind, under)
        report.check(f"each row of lib/ctl has its {what}, and no other is there", [
            *(f"{name} of {path} has none" for name, path in sorted(rows.items()) if name not in found),
            *(f"{name} is no row's" for name in sorted(set(found) - set(rows))),
            *(f"{name} is there twice" for name in sorted(set(found)) if found.count(name) > 1)]
            if rows else ["no command table was found in lib/ctl"])


def check_example(report):
    """HACKING.md shows where a command stands: so it is with its example."""
    page = re.sub(r"\s+", " ", tree.read("packaging/doc/HACKING.md"))
    told = re.search(r"`([a-z ]+)`, whose method is `(\w+)`: (.*?)\. `make lint`", page)
    if not told:
        report.check("the example of a command", ["packaging/doc/HACKING.md has none"])
        return
    name, method, places = told.group(1), told.group(2), set(re.findall(r"`([^`]+)`", told.group(3)))
    words = re.compile(rf'"{name}", \.(print|run)|\b{method}\b|\.It (Cm|Ic) {name}\b')
    there = {path for path in tree.files(".c", ".h", ".md", ".1", ".5", ".8", ".sh")
             if path.startswith(("lib/", "daemon/", "packaging/doc/man/")) and words.search(plain(path))}
    report.check(f"{name} stands where HACKING.md says", sorted(f"{path} is told of, and has it not" for path in places - there)
                 + sorted(f"{path} is not told of" for path in there - places))


def check_advice(report):
    """A text that sends the operator to a command which is not there is worse than none."""
    first_words = {name.split()[0] for name in table_names("lib/ctl", COMMAND)}
    for path in (CATALOG, "README.md", *tree.files("README.md", under="etc"), "packaging/demo.sh"):
        # In the catalog a command stands alone and indented; its prose may begin with the word.
        start = "^ {4}" if path == CATALOG else r"^|[`;&] *|^ *\$ |build/"
        used = re.findall(rf"(?m)(?:{start})etlctl ([a-z]+)", tree.read(path))
        report.check(f"etlctl's commands in {path}", sorted(set(used) - first_words))


def check_codes(report):
    codes = re.findall(r'X\(\w+, "(E\d{3})"', tree.read("lib/conf/diag.h"))
    page = tree.read(MAN + "etld.yaml.5")
    report.check("each error code stands in etld.yaml(5), and no other does",
                 sorted(set(codes) ^ set(re.findall(r"\bE\d{3}\b", page))) if codes else ["no codes found"])


def check_options(report):
    page = plain(MAN + "etld.yaml.5")
    for room in ("source", "reshape", "format", "transform", "check", "sink", "job", "flow", "daemon"):
        folder = room if room == "daemon" else f"lib/{room}"
        names = table_names(folder, r'\{\.name = "([a-z_0-9]+)", \.type = ETL_OPT')
        plugins = [re.sub(rf".*{room}_(\w+)\.c", r"\1", f) for f in tree.files(".c", under=folder)
                   if room not in ("job", "flow", "daemon") and f"/{room}_" in f]
        report.check(f"each {room} and its options stand in etld.yaml(5)", [
            *(p for p in plugins if not re.search(rf"\b{p}\b", page)),
            *(f"{n} ({path})" for n, path in sorted(names.items()) if not re.search(rf"\b{n}\b", page))])


def check_metrics(report):
    """The table of daemon/facts/metrics.c and its list in etld(8): names, types, helps."""
    table = tree.code_only(tree.read("daemon/facts/metrics.c"), keep_strings=True)
    rows = re.findall(r'\{"(etld_\w+)", (COUNTER|GAUGE|HISTOGRAM),\s*"([^"]*)",', table)
    said = re.findall(r"(?m)^\.It (etld_\w+) Ta (\w+) Ta (.*)$", plain(MAN + "etld.8"))
    wanted = [(name, kind.lower(), text) for name, kind, text in rows]
    report.check(f"{len(wanted)} metrics stand in etld(8) as in the table", [
        *(f".It {n} Ta {k} Ta {t}" for n, k, t in wanted if (n, k, t) not in said),
        *(f"{n} stands in etld(8) and not so in the table" for n, k, t in said if (n, k, t) not in wanted)]
        if wanted else ["no table was found in daemon/facts/metrics.c"])


def main():
    report = tree.Report("docs")
    for check in (check_messages, check_metrics, check_commands, check_descriptors, check_example, check_advice, check_codes, check_options):
        try:
            check(report)
        except FileNotFoundError as missing:
            report.check(check.__name__.replace("_", " "), [f"{missing.filename} is missing"])
    report.end()


if __name__ == "__main__":
    main()

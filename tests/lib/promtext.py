# SPDX-License-Identifier: MIT
"""A strict reader of Prometheus' text exposition format 0.0.4, with the rules that promtool
checks (units, _total, help, reserved names). It refuses what a lenient reader lets pass.

    families = parse(text)             {name: Family}
    families["x_total"].value(code="misfire")
    families["x_seconds"].quantile(0.99)
"""
import dataclasses
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (-?(?:[0-9.]+(?:e[+-]?[0-9]+)?)|NaN|[+-]Inf)")
TYPES = ("counter", "gauge", "histogram")
NOT_BASE_UNITS = ("ms", "millis", "milliseconds", "microseconds", "minutes", "hours", "kib", "kilobytes", "mebibytes", "percent")


class FormatError(Exception):
    """The text is not what a scraper would take; says where."""


@dataclasses.dataclass
class Family:
    """One metric: its samples as {(suffix, labels): value}; labels are sorted pairs."""
    name: str
    kind: str
    help: str
    samples: dict = dataclasses.field(default_factory=dict)

    def value(self, **labels):
        return self.samples[("", tuple(sorted(labels.items())))]

    def total(self):
        return sum(v for (suffix, _), v in self.samples.items() if not suffix)

    @property
    def count(self):
        return self.samples[("_count", ())]

    @property
    def sum(self):
        return self.samples[("_sum", ())]

    def buckets(self):
        """[(upper bound, cumulative count)]"""
        found = [(float(dict(labels)["le"]), value) for (suffix, labels), value in self.samples.items()
                 if suffix == "_bucket"]
        return sorted(found)

    def quantile(self, q):
        """As histogram_quantile() has it: linear within the bucket."""
        rank, below, lower = q * self.count, 0.0, 0.0
        for upper, n in self.buckets():
            if n >= rank and n > below:
                return lower if math.isinf(upper) else lower + (upper - lower) * (rank - below) / (n - below)
            below, lower = n, upper
        return float("nan")


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def labels_of(text):
    pairs = [one.split("=", 1) for one in re.findall(LABEL, text or "")]
    found = {name: unescape(value[1:-1]) for name, value in pairs}
    if len(found) != len(pairs):
        raise FormatError(f"a label appears twice: {text}")
    return found


def add_sample(family, line):
    match = SAMPLE.fullmatch(line)
    if not match:
        raise FormatError(f"no sample: {line!r}")
    name, labels, value = match.groups()
    suffix = name[len(family.name):] if name.startswith(family.name) else None
    allowed = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
    if suffix not in allowed:
        raise FormatError(f"{name} stands under {family.name}")
    key = (suffix, tuple(sorted(labels_of(labels).items())))
    if key in family.samples:
        raise FormatError(f"twice: {line!r}")
    if suffix != "_bucket" and "le" in dict(key[1]) or "quantile" in dict(key[1]):
        raise FormatError(f"a reserved label: {line!r}")
    family.samples[key] = float(value)


def check_values(family):
    for (suffix, _), value in family.samples.items():
        if family.kind != "gauge" and not (suffix == "_sum" or value == int(value)) or value < 0 and family.kind != "gauge":
            raise FormatError(f"{family.name}: {value} is no count")
    if family.kind != "histogram":
        return
    buckets = family.buckets()
    if not buckets or not math.isinf(buckets[-1][0]) or buckets[-1][1] != family.count:
        raise FormatError(f"{family.name}: the last bucket is +Inf and holds all")
    if [n for _, n in buckets] != sorted(n for _, n in buckets):
        raise FormatError(f"{family.name}: buckets are cumulative")


def check_name(family):
    """promtool check metrics."""
    words = family.name.split("_")
    problem = None
    if (family.kind == "counter") != family.name.endswith("_total"):
        problem = "_total is for counters, and for all of them"
    elif re.search(r"_(count|sum|bucket)$", family.name):
        problem = "a reserved ending"
    elif family.name != family.name.lower() or ":" in family.name:
        problem = "lower case without colons"
    elif set(words) & set(NOT_BASE_UNITS):
        problem = "seconds and bytes, nothing scaled"
    elif set(words) & set(TYPES):
        problem = "the type does not belong into the name"
    elif not family.help.strip():
        problem = "no help"
    if problem:
        raise FormatError(f"{family.name}: {problem}")


def parse(text):
    """Families in order of the text; FormatError if anything is not as it should be."""
    if not text.endswith("\n"):
        raise FormatError("the last line has no end")
    families, pending = {}, None
    current = None
    for line in text[:-1].split("\n"):
        helped = re.fullmatch(rf"# HELP ({NAME}) (.*)", line)
        typed = re.fullmatch(rf"# TYPE ({NAME}) (\w+)", line)
        if helped:
            if pending or helped.group(1) in families:
                raise FormatError(f"HELP out of place: {line!r}")
            pending = helped
        elif typed:
            if not pending or pending.group(1) != typed.group(1) or typed.group(2) not in TYPES:
                raise FormatError(f"TYPE out of place: {line!r}")
            current = families[typed.group(1)] = Family(typed.group(1), typed.group(2), pending.group(2))
            pending = None
        elif pending or not current:
            raise FormatError(f"before its TYPE: {line!r}")
        else:
            add_sample(current, line)
    for family in families.values():
        check_name(family)
        check_values(family)
    return families

# SPDX-License-Identifier: MIT
"""Cron expressions as etld.yaml(5) describes them, read once more: slow, plain, by definition.

A Cron answers "is this instant a slot?" and finds slots by looking at every minute. Zones are
Python's. Random expressions are made here too, and their spelling for other programs.
"""
import datetime as dt
import re

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
NAIVE_EPOCH = dt.datetime(1970, 1, 1)
SECOND = dt.timedelta(seconds=1)
FIELDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
NTH = re.compile(r"(\d|[A-Za-z]{3})(?:#(\d)|([Ll]))$")


# ---- zones ----

def offset_of(zone, seconds):
    """Seconds east of Greenwich at an instant."""
    return (EPOCH + dt.timedelta(seconds=seconds)).astimezone(zone).utcoffset() // SECOND


def instants_of(zone, local):
    """The instants at which a clock shows this local time, from zoneinfo's fold attribute."""
    naive = NAIVE_EPOCH + dt.timedelta(seconds=local)
    found = []
    for fold in (0, 1):
        offset = naive.replace(tzinfo=zone, fold=fold).utcoffset() // SECOND
        instant = local - offset
        if offset_of(zone, instant) == offset and instant not in found:
            found.append(instant)
    return found


def gap_end(zone, local):
    """The instant at which the clock jumped over `local`, by bisection."""
    low, high = local - 2 * 86400, local + 2 * 86400
    while high - low > 1:
        middle = (low + high) // 2
        if middle + offset_of(zone, middle) <= local:
            low = middle
        else:
            high = middle
    return high


# ---- reading ----

def number(text, kind):
    for kinds, names, first in ((4, MONTHS, 1), (5, WEEKDAYS, 0)):
        if kind == kinds and text.upper() in names:
            return names.index(text.upper()) + first
    return int(text)


def element_set(part, kind):
    low, high = FIELDS[kind]
    span, _, step = part.partition("/")
    high = 6 if kind == 5 else high  # of a star
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (number(x, kind) for x in span.split("-"))
        if kind == 5 and last == 0 < first:
            last = 7
    else:
        first = number(span, kind)
        last = max(high, first) if step else first
    return {n % 7 if kind == 5 else n for n in range(first, last + 1, int(step or 1))}


class Cron:
    def __init__(self, text):
        parts = text.split()
        self.with_seconds = len(parts) == 6
        self.parts = parts if self.with_seconds else ["0", *parts]
        self.sets, self.nth, self.last_day = [], set(), False
        for kind, field in enumerate(self.parts):
            self.sets.append(set())
            for part in field.split(","):
                self.read_element(part, kind)
        day, weekday = self.parts[3], self.parts[5]
        self.either = not day.startswith("*") and not weekday.startswith("*")
        self.wild = "*" in self.parts[2]

    def read_element(self, part, kind):
        nth = NTH.match(part) if kind == 5 else None
        if nth:
            self.nth.add((number(nth[1], kind) % 7, "L" if nth[3] else int(nth[2])))
        elif kind == 3 and part in "Ll":
            self.last_day = True
        else:
            self.sets[kind] |= element_set(part, kind)

    def matches_day(self, t):
        weekday, week = t.isoweekday() % 7, (t.day - 1) // 7 + 1
        later = t + dt.timedelta(days=1)
        by_day = t.day in self.sets[3] or (self.last_day and later.day == 1)
        by_week = (weekday in self.sets[5] or (weekday, week) in self.nth or
                   ((weekday, "L") in self.nth and (t + dt.timedelta(days=7)).month != t.month))
        return t.month in self.sets[4] and \
            (by_day or by_week if self.either else by_day and by_week)

    def matches(self, t):
        second, minute, hour = self.sets[:3]
        return t.minute in minute and t.hour in hour and t.second in second and \
            self.matches_day(t)

    def matches_local(self, local):
        return self.matches(NAIVE_EPOCH + dt.timedelta(seconds=local))

    def is_slot(self, zone, instant):
        offset, before = offset_of(zone, instant), offset_of(zone, instant - 1)
        if self.wild:
            return self.matches_local(instant + offset)
        # What the clock jumped over counts here.
        step = 1 if self.with_seconds else 60
        if any(self.matches_local(s) for s in range(instant + before, instant + offset, step)):
            return True
        return self.matches_local(instant + offset) and \
            instants_of(zone, instant + offset)[0] == instant

    def slots(self, zone, start, end):
        """Looks at every minute of (start, end]; for expressions of five fields."""
        if self.wild:
            return [s for s in range(start // 60 * 60 + 60, end + 1, 60)
                    if self.matches((EPOCH + dt.timedelta(seconds=s)).astimezone(zone))]
        found = set()
        margin = 2 * 86400
        for s in range((start - margin) // 60 * 60, end + margin, 60):
            if not self.matches_local(s):
                continue
            instants = instants_of(zone, s)
            found.add(instants[0] if instants else gap_end(zone, s))
        return sorted(s for s in found if start < s <= end)


# ---- making ----

def random_element(rng, kind):
    low, high = FIELDS[kind]
    a, b = sorted(rng.randint(low, high) for _ in range(2))
    step = rng.randint(1, max(1, high // 2))
    texts = [f"*/{step}", f"{a}", f"{a}", f"{a}-{b}", f"{a}-{b}/{step}", f"{a}/{step}"]
    if kind == 3:
        texts.append("L")
    if kind == 4:
        texts += [rng.choice(MONTHS), "oct-DEC"]
    if kind == 5:
        day = rng.choice([str(rng.randint(0, 7)), rng.choice(WEEKDAYS)])
        texts += [f"{day}#{rng.randint(1, 5)}", f"{day}L", rng.choice(WEEKDAYS), "thu-Sat"]
    return rng.choice(texts)


def random_field(rng, kind, stars):
    if rng.random() < stars:
        return "*"
    count = 1 if rng.random() < 0.7 else rng.randint(2, 3)
    return ",".join(random_element(rng, kind) for _ in range(count))


def random_cron(rng, stars=(0.1, 0.2, 0.2, 0.7, 0.7, 0.7), seconds=0.25):
    first = 0 if rng.random() < seconds else 1
    return " ".join(random_field(rng, kind, stars[kind]) for kind in range(first, 6))

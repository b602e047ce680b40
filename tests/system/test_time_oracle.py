# SPDX-License-Identifier: MIT
"""Zones and calendars of lib/time beside an independent reading.

A small C program is built against libetl.a (folder in ETLD_BUILD, default "build") and
answers questions on its standard input. Every zone of the system is compared with Python's
zoneinfo, which reads the very same files with other code; cron slots are compared with a
brute-force search in Python. The random seed is printed; ETL_TEST_SEED repeats a run.
"""
import datetime as dt
import os
import pathlib
import random
import subprocess
import sys
import zoneinfo

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZONES = pathlib.Path("/usr/share/zoneinfo")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
UTC = dt.timezone.utc

HELPER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "time/calendar.h"

static struct etl_zone *zone;
static struct etl_calendar *calendar;

static void load(const char *name)
{
	struct etl_error err = ETL_ERROR_INIT;

	etl_zone_free(zone);
	zone = etl_zone_load(name, &err);
	puts(zone ? "ok" : err.message);
}

static void transitions(void)
{
	etl_wall t = {-6000000000000};

	while (etl_zone_next_transition(zone, t, &t) && t.ms < 7300000000000)
		printf("%lld ", (long long)t.ms / 1000);
	puts("");
}

static void cron(const char *text)
{
	struct etl_error err = ETL_ERROR_INIT;

	etl_calendar_free(calendar);
	calendar = etl_calendar_cron(text, zone, &err);
	puts(calendar ? "ok" : err.message);
}

static void slots(long long from, long long until)
{
	etl_wall t = {from * 1000};

	while (etl_calendar_next(calendar, t, &t) && t.ms <= until * 1000)
		printf("%lld ", t.ms % 1000 ? -1LL : (long long)t.ms / 1000);
	puts("");
}

static void offset(long long seconds)
{
	bool dst;
	int off = etl_zone_offset(zone, (etl_wall){seconds * 1000}, &dst);

	printf("%d %d\n", off, dst);
}

static void local(long long seconds)
{
	etl_wall first, second;
	int kind = (int)etl_zone_to_utc(zone, seconds, &first, &second);

	printf("%d %lld %lld\n", kind, (long long)first.ms / 1000, (long long)second.ms / 1000);
}

int main(void)
{
	char line[512];

	while (fgets(line, sizeof line, stdin)) {
		char *arg = line + 2, *end;

		line[strcspn(line, "\n")] = '\0';
		switch (line[0]) {
		case 'z': load(arg); break;
		case 't': transitions(); break;
		case 'c': cron(arg); break;
		case 'o': offset(strtoll(arg, NULL, 10)); break;
		case 'l': local(strtoll(arg, NULL, 10)); break;
		case 's': {
			long long from = strtoll(arg, &end, 10);
			slots(from, strtoll(end, NULL, 10));
			break;
		}
		default: return 2;
		}
	}
	return 0;
}
"""


@pytest.fixture(scope="module")
def rng():
    seed = int(os.environ.get("ETL_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {seed} (ETL_TEST_SEED repeats it)", file=sys.stderr)
    return random.Random(seed)


@pytest.fixture(scope="module")
def helper(tmp_path_factory):
    build = ROOT / os.environ.get("ETLD_BUILD", "build")
    library = build / "libetl.a"
    if not library.exists():
        pytest.skip(f"{library} is not built")
    folder = tmp_path_factory.mktemp("oracle")
    source = folder / "zone_dump.c"
    source.write_text(HELPER)
    program = folder / "zone_dump"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT}/lib",
         "-o", program, source, library, "-lm", "-lpthread"],
        check=True)

    def ask(questions):
        done = subprocess.run([program], input="\n".join(questions) + "\n",
                              capture_output=True, text=True, check=True)
        answers = done.stdout.splitlines()
        assert len(answers) == len(questions)
        return answers

    return ask


def zone_names():
    if not ZONES.is_dir():
        pytest.skip(f"{ZONES} is absent")
    names = sorted(n for n in zoneinfo.available_timezones() if (ZONES / n).is_file())
    assert len(names) > 300
    return names


def read_zone(name):
    """Python's reading of the system's file, not of a package that shadows it."""
    with open(ZONES / name, "rb") as file:
        return zoneinfo.ZoneInfo.from_file(file, key=name)


def offset_of(zone, seconds):
    """Offset in seconds at an instant."""
    there = (EPOCH + dt.timedelta(seconds=seconds)).astimezone(zone)
    return there.utcoffset() // dt.timedelta(seconds=1)


def all_transitions(helper, names):
    answers = helper([q for name in names for q in (f"z {name}", "t")])
    for name, loaded in zip(names, answers[::2]):
        assert loaded == "ok", f"{name}: {loaded}"
    return {name: [int(t) for t in line.split()] for name, line in zip(names, answers[1::2])}


def test_offsets_of_every_zone(helper, rng):
    names = zone_names()
    steps = all_transitions(helper, names)
    start = int((dt.datetime(1900, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    end = int((dt.datetime(2200, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    questions, expected = [], []
    for name in names:
        zone = read_zone(name)
        instants = [rng.randrange(start, end) for _ in range(100)]
        for at in steps[name]:
            if start <= at < end:
                instants += [at - 1, at, at + 1]
        questions.append(f"z {name}")
        expected.append((name, None, "ok"))
        for instant in instants:
            questions.append(f"o {instant}")
            expected.append((name, instant, offset_of(zone, instant)))
    wrong = []
    for answer, (name, instant, offset) in zip(helper(questions), expected):
        got = answer if instant is None else int(answer.split()[0])
        if got != offset:
            wrong.append((name, instant, got, offset))
    assert len(questions) > 50000
    assert not wrong, f"{len(wrong)} of {len(questions)}: {wrong[:10]}"


def test_no_transition_is_missed(helper, rng):
    """Between two transitions that we name, Python sees no other offset."""
    names = zone_names()
    steps = all_transitions(helper, names)
    for name in rng.sample(names, 120):
        zone = read_zone(name)
        inside = [t for t in steps[name] if -2208988800 <= t < 7258118400]
        for a, b in zip(inside, inside[1:]):
            offsets = {offset_of(zone, a + (b - a) * k // 5) for k in range(5)}
            offsets.add(offset_of(zone, b - 1))
            assert len(offsets) == 1, (name, a, b, offsets)
            assert offset_of(zone, b) not in offsets, (name, b)


def local_by_python(zone, seconds):
    """Kind, first and second instant of a local time, from zoneinfo's fold attribute."""
    naive = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    found = []
    for fold in (0, 1):
        offset = naive.replace(tzinfo=zone, fold=fold).utcoffset() // dt.timedelta(seconds=1)
        instant = seconds - offset
        if offset_of(zone, instant) == offset and instant not in found:
            found.append(instant)
    return found


def test_local_times(helper, rng):
    names = zone_names()
    steps = all_transitions(helper, names)
    questions, expected = [], []
    for name in rng.sample(names, 150):
        zone = read_zone(name)
        inside = [t for t in steps[name] if -2208988800 <= t < 7258118400]
        questions.append(f"z {name}")
        expected.append(None)
        for at in rng.sample(inside, min(len(inside), 25)):
            before, after = offset_of(zone, at - 1), offset_of(zone, at)
            low, high = sorted((at + before, at + after))
            for local in (low - 1, low, (low + high) // 2, high - 1, high):
                questions.append(f"l {local}")
                expected.append((name, local, local_by_python(zone, local), at))
    kinds = [0, 0, 0]
    for answer, case in zip(helper(questions), expected):
        if case is None:
            assert answer == "ok"
            continue
        name, local, instants, at = case
        kind, first, second = (int(x) for x in answer.split())
        kinds[kind] += 1
        want = (2, *instants) if len(instants) == 2 else \
            (0, instants[0], instants[0]) if instants else (1, at, at)
        assert (kind, first, second) == want, (name, local)
    assert min(kinds) > 100, kinds


# ---- cron ----

FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]


def random_field(rng, low, high, stars):
    kind = rng.randrange(6)
    a, b = sorted(rng.randint(low, high) for _ in range(2))
    if rng.random() < stars:
        return "*"
    if kind == 0:
        return f"*/{rng.randint(1, max(1, high // 2))}"
    if kind == 1:
        return f"{a}"
    if kind == 2:
        return f"{a},{b}"
    if kind == 3:
        return f"{a}-{b}"
    if kind == 4:
        return f"{a}-{b}/{rng.randint(1, high)}"
    return f"{a}/{rng.randint(1, high)}"


def field_set(text, low, high):
    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (int(x) for x in span.split("-"))
        else:
            first = int(span)
            last = high if step else first
        found.update(range(first, last + 1, int(step or 1)))
    return found


class Cron:
    def __init__(self, text):
        parts = text.split()
        self.sets = [field_set(p, *f) for p, f in zip(parts, FIELDS)]
        self.either = not parts[2].startswith("*") and not parts[4].startswith("*")
        self.wild = "*" in parts[1]

    def matches(self, t):
        minute, hour, day, month, weekday = self.sets
        by_day, by_week = t.day in day, t.isoweekday() % 7 in weekday
        days = by_day or by_week if self.either else by_day and by_week
        return t.minute in minute and t.hour in hour and t.month in month and days

    def slots(self, zone, start, end):
        """Looks at every minute of (start, end]."""
        if self.wild:
            return [s for s in range(start // 60 * 60 + 60, end + 1, 60)
                    if self.matches((EPOCH + dt.timedelta(seconds=s)).astimezone(zone))]
        found = set()
        margin = 2 * 86400
        for s in range((start - margin) // 60 * 60, end + margin, 60):
            naive = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=s)
            if not self.matches(naive):
                continue
            instants = local_by_python(zone, s)
            found.add(instants[0] if instants else gap_end(zone, s))
        return sorted(s for s in found if start < s <= end)


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


# A few days around a change, and one stretch without any.
PLACES = [
    ("Europe/Paris", dt.datetime(2024, 3, 30, tzinfo=UTC)),
    ("Europe/Paris", dt.datetime(2031, 10, 25, tzinfo=UTC)),
    ("Australia/Lord_Howe", dt.datetime(2024, 10, 5, tzinfo=UTC)),
    ("Australia/Lord_Howe", dt.datetime(2024, 4, 6, tzinfo=UTC)),
    ("Africa/Casablanca", dt.datetime(2024, 3, 9, tzinfo=UTC)),
    ("Africa/Casablanca", dt.datetime(2024, 4, 13, tzinfo=UTC)),
    ("America/St_Johns", dt.datetime(2006, 10, 28, tzinfo=UTC)),
    ("Pacific/Apia", dt.datetime(2011, 12, 29, tzinfo=UTC)),
    ("Asia/Kolkata", dt.datetime(2026, 2, 27, tzinfo=UTC)),
    ("America/New_York", dt.datetime(2099, 3, 7, tzinfo=UTC)),
]


def test_cron_slots_beside_brute_force(helper, rng):
    zone_names()
    questions, expected, total = [], [], 0
    for i in range(120):
        name, day = PLACES[i % len(PLACES)]
        # Near the change: day and month mostly free, so that something matches.
        text = " ".join(random_field(rng, *f, 0.7 if k > 1 else 0.2)
                        for k, f in enumerate(FIELDS))
        start = int((day - EPOCH).total_seconds()) + rng.randrange(86400)
        end = start + 3 * 86400
        wanted = Cron(text).slots(read_zone(name), start, end)
        total += len(wanted)
        questions += [f"z {name}", f"c {text}", f"s {start} {end}"]
        expected += [(name, text, "ok"), (name, text, "ok"), (name, text, wanted)]
    for answer, (name, text, wanted) in zip(helper(questions), expected):
        if wanted != "ok":
            answer = [int(s) for s in answer.split()]
        assert answer == wanted, f"{text} in {name}"
    assert total > 500


def test_rare_days_beside_brute_force(helper, rng):
    """Whole days over years: day, month and weekday together."""
    questions, expected = [], []
    start = int((dt.datetime(2026, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) - 1
    end = start + 9 * 366 * 86400
    for _ in range(150):
        days = " ".join(random_field(rng, *f, 0.3) for f in FIELDS[2:])
        cron = Cron(f"7 5 {days}")
        wanted = [s + 5 * 3600 + 7 * 60 for s in range(start + 1, end, 86400)
                  if cron.matches(EPOCH + dt.timedelta(seconds=s + 5 * 3600 + 7 * 60))]
        questions += ["z UTC", f"c 7 5 {days}", f"s {start} {end}"]
        expected += ["ok", "ok", (days, wanted)]
    for answer, wanted in zip(helper(questions), expected):
        if wanted == "ok":
            assert answer == "ok"
        else:
            assert [int(s) for s in answer.split()] == wanted[1], wanted[0]

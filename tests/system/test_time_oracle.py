# SPDX-License-Identifier: MIT
"""Zones and calendars of lib/time beside an independent reading.

A small C program is built against libetl.a (folder in ETLD_BUILD, default "build") and
answers questions on its standard input. Every zone of the system is compared with Python's
zoneinfo, which reads the very same files with other code; cron slots are compared with a
brute-force search (tests/lib/cron_truth.py), with croniter and with systemd-analyze. Where
croniter gives another slot, its class must be one that etld.yaml(5) names, and the search
must find ours right. The random seed is printed; ETL_TEST_SEED repeats a run.
"""
import collections
import datetime as dt
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import zoneinfo

import pytest
from cron_truth import EPOCH, FIELDS, WEEKDAYS, Cron, instants_of, offset_of, random_cron, random_field

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZONES = pathlib.Path("/usr/share/zoneinfo")
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

static void some(long long from, long long count)
{
	etl_wall t = {from * 1000};

	for (; count && etl_calendar_next(calendar, t, &t); count--)
		printf("%lld ", (long long)t.ms / 1000);
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
		case 'n': {
			long long from = strtoll(arg, &end, 10);
			some(from, strtoll(end, NULL, 10));
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
         "-o", program, source, library, "-lxxhash", "-lm", "-lpthread"],
        check=True)

    def ask(questions):
        done = subprocess.run([program], input="\n".join(questions) + "\n",
                              capture_output=True, text=True, check=True)
        answers = done.stdout.splitlines()
        assert len(answers) == len(questions)
        return answers

    return ask


def stamp(text):
    there = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return int((there - EPOCH).total_seconds())


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
                expected.append((name, local, instants_of(zone, local), at))
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


# ---- cron beside brute force ----

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
        text = random_cron(rng, seconds=0)
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
        days = " ".join(random_field(rng, kind, 0.3) for kind in (3, 4, 5))
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


# ---- cron beside other programs ----

def for_croniter(text):
    """The same in croniter's spelling ("5L" is "L5" there), or None: it reads no list of
    weekdays in which some have a # or an L and others do not."""
    cron = Cron(text)
    if cron.nth and cron.sets[5]:
        return None
    *parts, weekday = text.split()
    if cron.nth:
        weekday = ",".join(f"L{day}" if n == "L" else f"{day}#{n}" for day, n in cron.nth)
    return " ".join([*parts, weekday])


def next_by_croniter(croniter, text, zone, after):
    """Asked anew each time: what it remembers of a clock change may not count against it."""
    start = (EPOCH + dt.timedelta(seconds=after)).astimezone(zone)
    slots = croniter.croniter(text, start, second_at_beginning=True, implement_cron_bug=True)
    try:
        return int(slots.get_next(float))
    except croniter.CroniterBadDateError:
        return None


def is_read_by(croniter, text):
    """It refuses a few that we read, such as 6-7/2 as weekday."""
    return text and croniter.croniter.is_valid(text, second_at_beginning=True)


def spans_one_value(part, kind):
    """5-5, or a step from the last value on: 23/2 as hour. It reads them as a star."""
    low, _, high = part.partition("/")[0].partition("-")
    last = {"6", "7"} if kind == 5 else {str(FIELDS[kind][1])}
    return low == high or ("/" in part and not high and low in last)


def lacks_a_day(cron, zone, after):
    """The month in which one asks has not all the days that the expression names."""
    there = (EPOCH + dt.timedelta(seconds=after)).astimezone(zone)
    later = there.replace(day=28) + dt.timedelta(days=4)
    days = (later - dt.timedelta(days=later.day)).day
    return cron.parts[3] != "*" and (max(cron.sets[3], default=0) > days or cron.last_day)


def clock_change(zone, after, until):
    """How the clock moves in these days, or None."""
    offsets = [offset_of(zone, s) for s in range(after - 86400, until + 86400, 1800)]
    steps = [b - a for a, b in zip(offsets, offsets[1:]) if a != b]
    if steps and min(steps) < 0 < max(steps):
        return "both ways"
    return ("forward" if steps[0] > 0 else "back") if steps else None


def why_different(cron, zone, after, ours, theirs):
    """The name of the class that a difference belongs to, or None. etld.yaml(5) says what we
    do: most of them are faults of croniter, which forgets the other field, the other days or
    the hour that a change of the clock adds."""
    if any(spans_one_value(part, kind)
           for kind, field in enumerate(cron.parts) for part in field.split(",")):
        return "a range of one value"
    if cron.nth and cron.either:
        return "day of month beside a weekday with # or L"
    if cron.either and (len(cron.sets[3]) == 31 or len(cron.sets[5]) == 7):
        return "all days named without a star"
    if cron.either and theirs is None:
        return "a date that never comes, or a weekday"
    until = max(ours or 0, theirs or 0)
    moved = clock_change(zone, after, min(until, after + 400 * 86400))
    if moved:
        return f"{'wild' if cron.wild else 'fixed'} hour, clock {moved}"
    return "a day that the month has not" if lacks_a_day(cron, zone, after) else None


def is_ours_right(cron, zone, after, ours, theirs):
    """By definition: ours is a slot, and theirs is none or comes later."""
    if ours is None:
        return not cron.is_slot(zone, theirs)
    if not cron.is_slot(zone, ours):
        return False
    return theirs is None or theirs <= after or theirs > ours or not cron.is_slot(zone, theirs)


def test_cron_slots_beside_croniter(helper, rng, capsys):
    croniter = pytest.importorskip("croniter", reason="croniter is not installed: packaging/mongodb-venv.sh")
    names = zone_names()
    cases, questions, unread = [], [], 0
    for name in names:
        for _ in range(16):
            text = random_cron(rng)
            start = rng.randrange(200_000_000, 4_000_000_000)
            if not is_read_by(croniter, for_croniter(text)):
                unread += 1
                continue
            cases.append((name, text, start))
            questions += [f"z {name}", f"c {text}", f"n {start} 4"]
    answers = helper(questions)
    same, different, wrong = 0, collections.Counter(), []
    for i, (name, text, start) in enumerate(cases):
        assert answers[3 * i + 1] == "ok", f"{text}: {answers[3 * i + 1]}"
        zone, after = read_zone(name), start
        for ours in [int(s) for s in answers[3 * i + 2].split()] or [None]:
            theirs = next_by_croniter(croniter, for_croniter(text), zone, after)
            if theirs == ours:
                same += 1
            else:
                cron = Cron(text)
                why = why_different(cron, zone, after, ours, theirs)
                different[why] += 1
                if why is None or not is_ours_right(cron, zone, after, ours, theirs):
                    wrong.append((name, text, after, ours, theirs, why))
            after = ours
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"
    with capsys.disabled():
        print(f"\ncroniter: {same} slots of {len(cases)} expressions alike, {unread} it cannot read")
        for why, count in different.most_common():
            print(f"croniter: {count} differ, and we are right: {why}")
    assert same > 20000 and same > 10 * sum(different.values())
    assert unread < len(cases) // 4


def for_systemd(text):
    """Every set spelled out. Only where not both day fields are restricted: there they are a
    union in cron and an intersection in systemd."""
    cron = Cron(text)
    if cron.nth or cron.last_day or cron.either:
        return None
    second, minute, hour, day, month, weekday = (",".join(f"{n:02}" for n in sorted(s)) for s in cron.sets)
    days = ",".join(WEEKDAYS[int(n)].title() for n in weekday.split(","))
    return f"{days} *-{month}-{day} {hour}:{minute}:{second} UTC"


def test_cron_slots_beside_systemd(helper, rng):
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("no systemd-analyze to compare with")
    cases = []
    while len(cases) < 150:
        text = random_cron(rng)
        if for_systemd(text):
            cases.append(text)
    start = dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(minutes=rng.randrange(5_000_000))
    done = subprocess.run(
        [program, "calendar", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC", "--iterations=4",
         *map(for_systemd, cases)],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"}, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze has no --base-time")
    assert done.returncode == 0, done.stderr
    blocks = done.stdout.strip().split("\n\n")
    assert len(blocks) == len(cases)
    seconds = int((start - EPOCH).total_seconds())
    answers = helper([q for text in cases for q in ("z UTC", f"c {text}", f"n {seconds} 4")])[2::3]
    for text, block, answer in zip(cases, blocks, answers):
        theirs = [stamp(m) for m in re.findall(r"(?:elapse|#\d+): \w{3} (.{19}) UTC$", block, re.M)]
        # It gives up sooner than we do: what it names must be ours.
        assert [int(s) for s in answer.split()][:len(theirs)] == theirs, (text, block)
        assert theirs or "never" in block, block

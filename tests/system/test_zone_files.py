# SPDX-License-Identifier: MIT
"""Time-zone files are replaced under the real daemon, as by an upgrade of tzdata: slots are
planned anew by the new file, what ran does not run again, and a damaged file is not taken."""
import datetime as dt
import subprocess
import zoneinfo

import pytest

from test_clock_steps import FORMAT, HOUR, story, utcnow  # noqa: F401  pylint: disable=unused-import
from test_journal import ID
from wait import wait_for
from zonebox import ZoneBox

pytestmark = [pytest.mark.daemon]

UTC = dt.timezone.utc
PARIS, TOKYO, LONDON = "Europe/Paris", "Asia/Tokyo", "Europe/London"
DAY = dt.timedelta(days=1)


@pytest.fixture
def zones(tmp_path):
    try:
        box = ZoneBox(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no mount namespace here: {error.stderr.strip()}")
    yield box
    box.close()


def half_past_noon(zone, day):
    return dt.datetime(day.year, day.month, day.day, 12, 30, tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)


def noon_job(zone):
    return {"cron": "30 12 * * *", "timezone": zone}


def slots_to_come(tale, n=2):
    answer = tale.etld.ctl("next", "j", "-n", n).json
    return [dt.datetime.strptime(slot, FORMAT).replace(tzinfo=UTC) for slot in answer["slots"]]


def generation(tale):
    return tale.etld.status()["daemon"]["config"]["generation"]


def wait_planned(tale, first):
    """Until the daemon plans this slot next; etlctl says the same."""
    wait_for(lambda: tale.next() == first, lambda: f"{first}: {tale.next()}\n{tale.etld.stderr_tail()}")
    assert slots_to_come(tale)[0] == first


def changed(tale):
    """The zones of each message."""
    return [entry["ETL_TIMEZONES"] for entry in tale.etld.log(MESSAGE_ID=ID["ZONES_CHANGED"])]


def test_to_the_east(story, zones):  # noqa: F811
    """12:30 of the new zone is over for today and tomorrow's is next; today's has run already,
    at what was 12:30 then, and does not run again."""
    day = utcnow() - 2 * DAY
    first = half_past_noon(PARIS, day)
    tale = story(first - HOUR, {"j": noon_job(PARIS)}, prefix=zones.prefix)
    assert tale.next() == first
    tale.step(first + dt.timedelta(minutes=1))
    tale.wait_slots(first)
    zones.replace(PARIS, zones.read(TOKYO))
    after = half_past_noon(TOKYO, day + DAY)
    wait_planned(tale, after)
    assert changed(tale) == [PARIS] and generation(tale) == 2
    tale.step(after)
    tale.wait_slots(first, after)
    assert tale.skips() == []


def test_a_slot_that_the_new_file_has_put_behind_us(story, zones):  # noqa: F811
    """Today's has not run and is over by the new file: it is a missed slot, and runs once."""
    day = utcnow() - 2 * DAY
    tale = story(half_past_noon(TOKYO, day) - HOUR, {"j": noon_job(PARIS)}, prefix=zones.prefix)
    tale.step(half_past_noon(PARIS, day) - HOUR)
    zones.replace(PARIS, zones.read(TOKYO))
    wait_planned(tale, half_past_noon(TOKYO, day + DAY))
    tale.wait_slots(half_past_noon(TOKYO, day))
    tale.etld.wait_idle()
    assert tale.skips() == []


def test_to_the_west_through_a_link(story, zones):  # noqa: F811
    """The job's zone is a link. First the file behind it changes, then the link itself."""
    day = utcnow() - 3 * DAY
    zones.replace(LONDON, zones.read(TOKYO))
    first = half_past_noon(TOKYO, day)
    tale = story(first - HOUR, {"j": noon_job("GB")}, prefix=zones.prefix)
    tale.step(first)
    tale.wait_slots(first)
    zones.replace(LONDON, zones.read(LONDON))
    second = half_past_noon(LONDON, day)
    wait_planned(tale, second)
    tale.step(second)
    tale.wait_slots(first, second)
    zones.link("GB", PARIS)
    third = half_past_noon(PARIS, day + DAY)
    wait_planned(tale, third)
    assert changed(tale) == ["GB", "GB"]
    tale.step(third)
    tale.wait_slots(first, second, third)
    assert tale.skips() == []


def test_a_folder_is_replaced(story, zones):  # noqa: F811
    day = utcnow() - 2 * DAY
    tale = story(half_past_noon(TOKYO, day) - HOUR, {"j": noon_job(PARIS)}, prefix=zones.prefix)
    fresh = zones.folder / "Europe.new"
    fresh.mkdir()
    (fresh / "Paris").write_bytes(zones.read(TOKYO))
    (zones.folder / "Europe").rename(zones.folder / "Europe.old")
    fresh.rename(zones.folder / "Europe")
    wait_planned(tale, half_past_noon(TOKYO, day))
    zones.replace(PARIS, zones.read(PARIS))  # the new folder is watched
    wait_planned(tale, half_past_noon(PARIS, day))


def test_a_damaged_file_is_not_taken(story, zones):  # noqa: F811
    """The old one goes on, and status says why; the mended file is taken by itself."""
    day = utcnow() - 2 * DAY
    first = half_past_noon(PARIS, day)
    tale = story(first - HOUR, {"j": noon_job(PARIS)}, prefix=zones.prefix)
    zones.replace(PARIS, zones.read(TOKYO)[:40])
    entry = tale.etld.wait_log(MESSAGE_ID=ID["CONFIG_RELOAD_FAILED"])
    assert f"time zone {PARIS}" in entry["MESSAGE"]
    config = tale.etld.status()["daemon"]["config"]
    assert PARIS in config["error"] and config["generation"] == 1
    assert tale.next() == first
    (zones.folder / PARIS).unlink()
    wait_for(lambda: len(tale.etld.log(MESSAGE_ID=ID["CONFIG_RELOAD_FAILED"])) == 2, tale.etld.stderr_tail)
    assert tale.next() == first
    zones.replace(PARIS, zones.read(PARIS))
    wait_for(lambda: generation(tale) == 2, tale.etld.stderr_tail)
    assert not tale.etld.status()["daemon"]["config"]["error"] and tale.next() == first
    tale.step(first)
    tale.wait_slots(first)
    assert changed(tale) == [PARIS] * 3


def test_an_upgrade_that_changes_nothing(story, zones):  # noqa: F811
    """All files are written anew, as they were: nothing is reloaded for that. Then one changes."""
    day = utcnow() - 2 * DAY
    first = half_past_noon(PARIS, day)
    tale = story(first - HOUR, {"j": noon_job(PARIS), "k": noon_job(LONDON)}, prefix=zones.prefix)
    for name in (PARIS, LONDON, TOKYO):
        zones.replace(name, zones.read(name))
    zones.replace("Europe/Rome", zones.read(TOKYO))  # nobody's
    turns = tale.etld.status()["daemon"]["loop_turns"]
    wait_for(lambda: tale.etld.status()["daemon"]["loop_turns"] > turns + 60, "two seconds and more of questions")
    zones.replace(LONDON, zones.read(TOKYO))
    wait_for(lambda: generation(tale) == 2, tale.etld.stderr_tail)
    assert changed(tale) == [LONDON]
    assert tale.next("j") == first and tale.next("k") == half_past_noon(TOKYO, day + DAY)

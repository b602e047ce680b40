# SPDX-License-Identifier: MIT
"""Sensors: slots that wait until a collection of the real MongoDB has something new enough."""
import datetime as dt
import os
import signal

import pytest

from flow import HOUR, Flow
from wait import wait_for

HOURS = 3
SENSOR = {"collection": "orders", "field": "at", "filter": {"kind": "paid"},
          "newer_than": "1h", "poke": "1s", "timeout": "1h"}


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="24h", lookback="0s")


@pytest.fixture(name="make")
def daemon(etld, flow):
    def make(uri=None, start=True, **more):
        more.setdefault("wait_for", SENSOR)
        job = flow.hourly(flow.start + HOURS * HOUR, **more)
        job["schedule"] = {"every": "2s"}
        made = etld({"hourly": job}, uri=uri)
        return made.start() if start else made
    return make


def order(db, age, kind="paid"):
    now = dt.datetime.now(dt.timezone.utc)
    db["orders"].insert_one({"at": now - dt.timedelta(seconds=age), "kind": kind})


def health(etld):
    job = etld.jobs()["hourly"]
    return job["health"], job["reason"]


def wait_blocked(etld, words):
    wait_for(lambda: health(etld)[0] == "blocked" and words in health(etld)[1],
             lambda: f"blocked with {words!r}, it is {health(etld)}")


def test_it_waits_until_the_document_appears(make, flow, db):
    etld = make()
    wait_blocked(etld, f"waits for orders newer than 1h: nothing in {db.name}.orders fits yet")
    order(db, 2 * 3600)
    order(db, 0, kind="open")  # new, but not what the filter wants
    wait_blocked(etld, f"newest {db.name}.orders is from ")
    assert ", 2h" in health(etld)[1]
    assert etld.runs("hourly") == []
    assert etld.log(ETL_JOB="hourly")[0]["MESSAGE"].startswith("hourly: waits for orders: nothing")
    order(db, 60)
    wait_for(lambda: etld.runs("hourly"), "a run")
    etld.wait_idle()
    assert etld.runs("hourly")[-1]["state"] == "ok"
    flow.check_hours(db["hourly"], flow.stations[0], flow.start, flow.start + HOURS * HOUR)
    assert health(etld) == ("ok", "")


def test_a_run_by_hand_does_not_wait(make, flow, db):
    etld = make()
    wait_blocked(etld, "fits yet")
    etld.run("hourly", ok=(0,))
    flow.check_hours(db["hourly"], flow.stations[0], flow.start, flow.start + HOURS * HOUR)
    (run,) = etld.runs("hourly")
    assert run["trigger"] == "manual"
    wait_blocked(etld, "fits yet")  # the slot waits on


def test_the_timeout_skips_the_slot(make, metadata):
    etld = make(wait_for={**SENSOR, "timeout": "1s"})
    skipped = wait_for(lambda: metadata["runs"].find_one({"state": "skipped"}), "a skipped slot")
    assert (skipped["job"], skipped["code"], skipped["slots"]) == ("hourly", "wait_for", 1)
    assert metadata["runs"].count_documents({"state": {"$ne": "skipped"}}) == 0
    line = etld.wait_log(ETL_SLOTS=1)
    assert line["ETL_REASON"] == "what it waits for did not come in time"


def test_a_wrong_field_is_told(make, db):
    etld = make(wait_for={**SENSOR, "field": "kind", "filter": {}})
    order(db, 0)
    wait_blocked(etld, f"field 'kind' of {db.name}.orders is neither a date nor an ObjectId")
    assert etld.runs("hourly") == []


def test_mongodb_goes_while_it_waits(make, own_mongodb, flow):
    """Longer than the timeout: nothing is skipped, and the slot runs when all is there again."""
    import pymongo  # pylint: disable=import-outside-toplevel
    etld = make(uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500", wait_for={**SENSOR, "timeout": "4s"})
    with pymongo.MongoClient(own_mongodb.uri, tz_aware=True) as client:
        wait_blocked(etld, "fits yet")
        own_mongodb.kill9()
        wait_for(lambda: etld.status()["daemon"]["mongodb"]["state"] == "down", "down")
        wait_for(lambda: health(etld)[0] == "unreachable" or
                 etld.jobs()["hourly"]["queued"], lambda: f"away: {health(etld)}")
        before = len(etld.log(ETL_SLOTS=1))
        late = etld.status()["daemon"]["uptime_s"] + 5
        wait_for(lambda: etld.status()["daemon"]["uptime_s"] > late, "the timeout")
        assert len(etld.log(ETL_SLOTS=1)) == before
        own_mongodb.start()
        order(client[etld.database], 0)
        wait_for(lambda: etld.status()["daemon"]["mongodb"]["state"] == "up", "up", 40)
        wait_for(lambda: [r for r in etld.runs("hourly") if r["state"] == "ok"], "a run", 40)
        flow.check_hours(client[etld.database]["hourly"], flow.stations[0], flow.start,
                         flow.start + HOURS * HOUR)


@pytest.mark.parametrize("what", ["remove", "edit", "drop the sensor"])
def test_a_reload_while_the_question_is_out(make, flow, own_mongodb, what):
    """The server hangs with the question; the configuration that it was asked with goes."""
    job = flow.hourly(flow.start + HOURS * HOUR, schedule={"cron": "0 0 1 1 *"})
    etld = make(uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500", start=False)
    etld.write_job("other", job)
    etld.start()
    wait_blocked(etld, "fits yet")
    os.kill(own_mongodb.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: etld.status()["daemon"]["workers"]["busy"], "the question is out")
        if what == "remove":
            etld.remove_job("hourly")
        else:
            sensor = {"wait_for": {**SENSOR, "collection": "bills"}} if what == "edit" else {}
            etld.write_job("hourly", {**job, "schedule": {"every": "2s"}, **sensor})
        etld.ctl("reload")
    finally:
        os.kill(own_mongodb.pid, signal.SIGCONT)
    if what == "remove":
        wait_for(lambda: not etld.status()["daemon"]["workers"]["busy"], "the answer")
        assert set(etld.jobs()) == {"other"}
    elif what == "edit":
        wait_blocked(etld, f"waits for bills newer than 1h: nothing in {etld.database}.bills")
        assert etld.runs("hourly") == []
    else:
        wait_for(lambda: etld.runs("hourly"), "it runs")
    assert etld.stop() == 0

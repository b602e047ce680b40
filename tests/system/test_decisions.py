# SPDX-License-Identifier: MIT
"""What needs a person: a window of which every record was refused (etlctl windows accept), and windows
that a check holds back (etlctl held list, release, discard). Who may, when not, what is on record, and
that all that waited for it goes on."""
import datetime as dt
import os
import pwd
import shutil
import subprocess
import threading

import pytest

from etld import Etld, faults_folder
from host_sim import HostSim
from test_proof import job as proof_job
from test_proof import stamp
from wait import wait_for

pytestmark = pytest.mark.daemon
HOURS = 4
BAD = 1  # the hour that the check minds
FAILED, USAGE, NONE, BUSY, DENIED = 1, 2, 4, 8, 9
LIMIT = 240
WHY = ("--reason", "the sensor sent $noise")


def begin():
    return dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0) - dt.timedelta(days=2)


def hour(start, i):
    return stamp(start + dt.timedelta(hours=i))


def rows_of(start, bad=1000):
    """One an hour; that of the bad hour is beyond what the check takes."""
    return [{"sensor": "a", "ts": stamp(start + dt.timedelta(hours=i, minutes=20)), "v": bad if i == BAD else i}
            for i in range(HOURS)]


def job(host, start, on_fail, **more):
    made = proof_job(host, start)
    made["window"]["end"] = hour(start, HOURS)
    made["window"]["max_span"] = "1d"
    made["check"] = [{"range": {"field": "v", "max": 100, "on_fail": on_fail}}]
    made["extract"]["covers"] = "all"
    return {**made, **more}


def daily(host, start):
    """Waits for the hours of the job "hourly"."""
    made = job(host, start, "warn", after=["hourly"])
    made["window"]["size"] = f"{HOURS}h"
    made["load"]["mongodb"]["collection"] = "days"
    del made["schedule"]
    return made


def states(metadata, name="hourly"):
    return [w["state"] for w in metadata["windows"].find({"job": name}).sort("start", 1)]


def watermark(daemon, name="hourly"):
    return daemon.jobs()[name]["watermarks"][0]["watermark"]


def audits(metadata, what):
    return list(metadata["audit"].find({"what": what}).sort("at", 1))


def test_a_refused_hour_is_accepted(etld, metadata, db):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "reject"), "daily": daily(host, start)}).start()
        daemon.run("hourly", ok=(FAILED,))
        daemon.wait_idle()
        assert states(metadata) == ["loaded", "failed", "loaded", "loaded"]
        assert watermark(daemon) == hour(start, BAD) and daemon.jobs()["hourly"]["health"] == "failing"
        assert "loaded" not in states(metadata, "daily")

        # What is told can be pasted.
        hints = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json["hints"]
        (command,) = [h for h in hints if "accept" in h]
        assert command == f"etlctl windows accept hourly {hour(start, BAD)} --reason TEXT"
        words = command.split()[1:-1]
        answer = daemon.ctl(*words, WHY[1]).json
        assert answer["schema"] == "etl.decision/1" and answer["decision"] == "accept"
        assert (answer["was"]["state"], answer["state"]) == ("failed", "skipped")
        assert answer["window"] == {"start": hour(start, BAD), "end": hour(start, BAD + 1)}
        assert answer["watermark"] == hour(start, HOURS)

        status = daemon.jobs()["hourly"]  # at once
        assert (status["health"], status["windows"]["failed"]) == ("ok", 0), status
        assert watermark(daemon) == hour(start, HOURS)
        assert daemon.ctl("status", "--check", ok=None).code == 0
        assert states(metadata) == ["loaded", "skipped", "loaded", "loaded"]
        entry = metadata["windows"].find_one({"job": "hourly", "state": "skipped"})
        assert entry["reason"] == f"accepted by {audits(metadata, 'windows accept')[0]['who']}: {WHY[1]}"
        assert entry["counts"]["rejected"] == 1 and db["rows"].count_documents({}) == HOURS - 1
        wait_for(lambda: states(metadata, "daily") == ["loaded"], daemon.stderr_tail, LIMIT)

        (record,) = audits(metadata, "windows accept")
        assert f"uid {os.getuid()} " in record["who"] and record["at"]
        details = record["details"]
        assert details["job"] == "hourly" and details["reason"] == WHY[1] and details["partition"]
        assert details["window"]["start"].replace(tzinfo=dt.timezone.utc) == start + dt.timedelta(hours=BAD)
        listed = daemon.ctl("windows", "hourly", "--state", "skipped", output="table").out
        assert WHY[1] in listed
        why = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json["because"]
        assert any(f"accepted by uid {os.getuid()}" in text and WHY[1] in text for text in why), why

        daemon.run("hourly")  # nothing asks for it any more
        assert states(metadata)[BAD] == "skipped"
        daemon.kill9()
        daemon.start()
        assert daemon.jobs()["hourly"]["health"] == "ok", "a restart forgets nothing"
        change = daemon.ctl("watermark", "history", "hourly").json["changes"][0]
        assert (change["kind"], change["window"]["start"], change["run_id"]) == ("accept", hour(start, BAD), entry["run_id"])
        shown = daemon.ctl("show", entry["run_id"]).json
        assert [(d["decision"], d["partition"], d["start"], d["reason"]) for d in shown["decisions"]] == \
            [("accept", "-", hour(start, BAD), WHY[1])]
        assert WHY[1] in daemon.ctl("show", entry["run_id"], output="table").out
        daemon.ctl("watermark", "undo", "hourly")
        assert states(metadata)[BAD] == "failed" and watermark(daemon) == hour(start, BAD)


def test_what_cannot_be_accepted(etld, metadata):
    start = begin()
    two = {"partitions": {"station": ["x", "y"]}}
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "reject"), "holding": job(host, start, "hold"),
                       "two": job(host, start, "reject", **two)}).start()
        daemon.run("hourly", ok=(FAILED,))
        daemon.run("holding", ok=(0, 6))
        bad = hour(start, BAD)
        for words, code, says in (
                (("hourly", bad), USAGE, "--reason is missing"),
                (("hourly", bad, "--reason", " "), USAGE, "a reason is needed"),
                (("hourly", bad, "--reason", "x" * 401), USAGE, "more than 400 bytes"),
                (("hourly", "-", *WHY), USAGE, "has windows"),
                (("hourly", "yesterday", *WHY), USAGE, "is not a time"),
                (("two", bad, *WHY), USAGE, "has 2 partitions"),
                (("two", bad, *WHY, "--partition", "z"), NONE, "no partition 'z'"),
                (("hurly", bad, *WHY), NONE, "did you mean 'hourly'"),
                (("hourly", hour(start, -1), *WHY), NONE, "begins at"),
                (("hourly", hour(start, HOURS), *WHY), NONE, "no such window yet"),
                (("two", bad, *WHY, "--partition", "x"), FAILED, f"etlctl run two --window {bad} --partition x"),
                (("hourly", hour(start, 0), *WHY), FAILED, "is loaded: it is closed"),
                (("holding", bad, *WHY), FAILED, "is held")):
            answer = daemon.ctl("windows", "accept", *words, ok=(code,), output="table")
            assert says in answer.err, (words, answer)
        assert not audits(metadata, "windows accept") and not metadata["watermark_changes"].count_documents({})

        host.hold = threading.Event()
        daemon.ctl("run", "hourly")
        wait_for(lambda: host.active, "a request")
        busy = daemon.ctl("windows", "accept", "hourly", bad, *WHY, ok=(BUSY,), output="table")
        assert "is running" in busy.err
        host.hold.set()
        daemon.wait_idle()
        masked = "see http://me:secret@example.org/x"
        daemon.ctl("windows", "accept", "hourly", bad, "--reason", masked)
        text = str(list(metadata["windows"].find())) + str(list(metadata["audit"].find())) + \
            str(list(metadata["watermark_changes"].find()))
        assert "secret" not in text and "example.org/x" in text
        told = daemon.stderr_path.read_text()
        assert "secret" not in told and "example.org/x" in told, "the journal has what was asked for"


def test_no_reason_shows_a_password(etld, metadata):
    start = begin()
    reason = ("--reason", "see http://me:secret@example.org/x")
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "warn")}).start()
        daemon.run("hourly", ok=(0, 6))
        daemon.ctl("watermark", "rewind", "hourly", hour(start, 1), *reason)
        daemon.ctl("pause", "hourly", *reason)
        told = [daemon.ctl("watermark", "history", "hourly").out, daemon.ctl("status", "hourly").out,
                daemon.stderr_path.read_text()]
        told += [str(list(metadata[name].find())) for name in ("audit", "pauses", "watermark_changes", "windows")]
        for text in told:
            assert "secret" not in text and "example.org/x" in text, text


def test_a_second_daemon(mongodb, database, metadata, tmp_path):
    """A run of one keeps the other's decision out; afterwards the first one's run finds it."""
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        jobs = {"hourly": job(host, start, "reject")}
        with Etld(mongodb.uri, jobs, database=database, folder=tmp_path / "one") as one, \
                Etld(mongodb.uri, jobs, database=database, folder=tmp_path / "two") as two:
            one.run("hourly", ok=(FAILED,))
            host.hold = threading.Event()
            one.ctl("run", "hourly")
            wait_for(lambda: host.active, "a request")
            busy = two.ctl("windows", "accept", "hourly", hour(start, BAD), *WHY, ok=(BUSY,), output="table")
            assert str(one.pid) in busy.err, "it names the holder"
            host.hold.set()
            one.wait_idle()
            two.ctl("windows", "accept", "hourly", hour(start, BAD), *WHY)
            one.reload()  # what others have written is read now, and not within the minute
            wait_for(lambda: one.jobs()["hourly"]["health"] == "ok", one.stderr_tail, LIMIT)
            one.run("hourly")
            assert one.jobs()["hourly"]["health"] == "ok" and watermark(one) == hour(start, HOURS)
            assert states(metadata)[BAD] == "skipped"


@pytest.mark.faults
def test_what_is_in_the_way_is_waited_for(etld, metadata):
    """Somebody else's transaction: the decision is tried again, and is one."""
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "reject")}, build=faults_folder(),
                      env={"ETLD_FAULTS": "change.before=error:1"}).start()
        daemon.run("hourly", ok=(FAILED,))
        assert daemon.ctl("windows", "accept", "hourly", hour(start, BAD), *WHY).json["state"] == "skipped"
        assert len(audits(metadata, "windows accept")) == metadata["watermark_changes"].count_documents({}) == 1
        assert daemon.status()["daemon"]["mongodb"]["state"] == "up"


def test_while_mongodb_is_unreachable(etld, own_mongodb):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        jobs = {"hourly": job(host, start, "reject")}
        daemon = etld(jobs, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=1500").start()
        daemon.run("hourly", ok=(FAILED,))
        own_mongodb.kill9()
        for _ in range(2):  # who finds it, and who comes after
            for words in (("windows", "accept", "hourly", hour(start, BAD), *WHY), ("held", "list"),
                          ("held", "release", "hourly", hour(start, BAD), *WHY)):
                answer = daemon.ctl(*words, ok=(FAILED,), output="table")
                assert "MongoDB" in answer.err, answer
        own_mongodb.restart()
        wait_for(lambda: daemon.status()["daemon"]["state"] == "ready", daemon.stderr_tail, LIMIT)
        daemon.ctl("windows", "accept", "hourly", hour(start, BAD), *WHY)
        assert daemon.jobs()["hourly"]["health"] == "ok"


def test_a_reader_may_not_decide(mongodb, database, metadata, open_folder):
    if os.getuid() != 0:
        pytest.skip("only root can ask as somebody else")
    nobody = pwd.getpwnam("nobody")
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = Etld(mongodb.uri, {"hourly": job(host, start, "reject")}, database=database, folder=open_folder,
                      config={"control": {"group": "nogroup"}})
        etlctl = shutil.copy(daemon.build / "etlctl", open_folder)
        with daemon:
            daemon.run("hourly", ok=(FAILED,))
            daemon.folder.chmod(0o755)

            def ask(*words):
                return subprocess.run([str(etlctl), "--socket", str(daemon.control), *words], cwd="/", env=daemon.env,
                                      user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], timeout=LIMIT,
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            assert ask("windows", "hourly").returncode == 0 and ask("held", "list").returncode == 0
            for words in (("windows", "accept"), ("held", "release"), ("held", "discard")):
                answer = ask(*words, "hourly", hour(start, BAD), *WHY)
                assert answer.returncode == DENIED and "may query this daemon, but not control it" in answer.stderr
            assert states(metadata)[BAD] == "failed" and not metadata["audit"].count_documents({})


# ---- held ------------------------------------------------------------------------------------

HELD = 6  # status --check


def held(daemon, *words):
    return daemon.ctl("held", "list", *words).json["held"]


def pasted(daemon, command):
    """As somebody would paste it, with a reason of theirs."""
    words = command.split()
    assert words[0] == "etlctl" and words[-2:] == ["--reason", "TEXT"], command
    return daemon.ctl(*words[1:-1], WHY[1]).json


def test_held_is_released_and_loaded(etld, metadata, db):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "hold"), "daily": daily(host, start)}).start()
        answer = daemon.run("hourly", ok=(0, HELD))
        run = answer.json["run"]
        assert "etlctl: held windows: etlctl held list hourly\n" in answer.err
        daemon.wait_idle()
        assert daemon.jobs()["hourly"]["health"] == "held" and daemon.ctl("status", "--check", ok=None).code == HELD
        assert "etlctl held list hourly" in daemon.ctl("status", "hourly", output="table").out
        assert "etlctl held list hourly" in daemon.ctl("show", run["run_id"], output="table").out
        assert "etlctl held list" in daemon.ctl("runs", "hourly", output="wide").out
        assert "etlctl held list hourly" in daemon.ctl("why", "hourly").json["hints"]
        assert "etlctl held list hourly" in daemon.ctl("why", run["run_id"]).json["hints"]

        (unit,) = held(daemon)
        assert unit["checks"] == [{"check": "range", "field": "v", "value": "1000", "limit": "max 100",
                                   "released": False}]
        assert (unit["job"], unit["start"], unit["run_id"]) == ("hourly", hour(start, BAD), run["run_id"])
        since = unit["since"]
        table = daemon.ctl("held", "list", "hourly", output="table")
        assert all(text in table.out for text in ("range v", "1000", "max 100")) and unit["release"] in table.err
        assert not held(daemon, "daily")
        daemon.run("hourly", ok=(0, HELD))
        assert held(daemon)[0]["since"] == since and held(daemon)[0]["run_id"] != run["run_id"]

        hints = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json["hints"]
        assert unit["release"] in hints and unit["discard"] in hints
        answer = pasted(daemon, unit["release"])
        assert (answer["decision"], answer["was"]["state"], answer["state"]) == ("release", "held", "pending")
        assert answer["checks"][0]["released"]
        assert daemon.jobs()["hourly"]["windows"]["held"] == 0 and not held(daemon)
        (record,) = audits(metadata, "held release")
        assert f"uid {os.getuid()} " in record["who"]
        assert record["details"]["reason"] == WHY[1] and record["details"]["check"] == "all"
        assert record["details"]["window"]["start"].replace(tzinfo=dt.timezone.utc) == start + dt.timedelta(hours=BAD)
        assert record["details"]["hash"] == metadata["windows"].find_one({"job": "hourly", "state": "pending"})["hash"]
        again = daemon.ctl("held", "release", "hourly", hour(start, BAD), *WHY, ok=(FAILED,), output="table")
        assert f"etlctl run hourly --window {hour(start, BAD)}" in again.err

        daemon.kill9()  # it is the ledger's word, not the daemon's
        daemon.start()
        daemon.run("hourly", ok=(0,))
        assert states(metadata) == ["loaded"] * HOURS and db["rows"].count_documents({"v": 1000}) == 1
        assert daemon.jobs()["hourly"]["health"] == "ok" and daemon.ctl("status", "--check", ok=None).code == 0
        assert watermark(daemon) == hour(start, HOURS)
        entry = metadata["windows"].find_one({"job": "hourly", "start": start + dt.timedelta(hours=BAD)})
        assert entry["reason"].startswith(f"released by {record['who']} at ") and "max 100" in entry["reason"]
        because = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json["because"]
        assert any("released by" in text for text in because), because
        wait_for(lambda: states(metadata, "daily") == ["loaded"], daemon.stderr_tail, LIMIT)

        daemon.run("hourly", "--window", hour(start, BAD), ok=(0,))  # the same once more: let in again
        assert states(metadata) == ["loaded"] * HOURS


def test_a_release_is_of_what_was_held(etld, metadata, db):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": job(host, start, "hold")}).start()
        daemon.run("hourly", ok=(0, HELD))
        daemon.ctl("held", "release", "hourly", hour(start, BAD), *WHY, "--check", "range")
        host.body = {"rows": rows_of(start, bad=2000)}
        daemon.run("hourly", ok=(0, HELD))
        (unit,) = held(daemon)
        assert "does not count: the content has changed since" in unit["reason"]
        assert unit["checks"][0]["value"] == "2000" and unit["released_by"] is None
        because = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json["because"]
        assert any("does not count" in text for text in because), because
        assert daemon.jobs()["hourly"]["health"] == "held" and not db["rows"].count_documents({"v": {"$gte": 1000}})

        wrong = daemon.ctl("held", "release", "hourly", hour(start, BAD), *WHY, "--check", "unique", ok=(USAGE,),
                           output="table")
        assert "held by check range v (2000, max 100)" in wrong.err
        daemon.ctl("held", "release", "hourly", hour(start, BAD), *WHY)
        daemon.ctl("watermark", "undo", "hourly")
        assert states(metadata)[BAD] == "held"
        daemon.run("hourly", ok=(0, HELD))
        assert states(metadata)[BAD] == "held"

        for words, code in ((("hourly", hour(start, 0), *WHY), FAILED), (("hourly", hour(start, HOURS), *WHY), NONE),
                            (("hourly", hour(start, -1), *WHY), NONE), (("hourly", hour(start, BAD)), USAGE),
                            (("nobody", hour(start, BAD), *WHY), NONE)):
            for decision in ("release", "discard"):
                daemon.ctl("held", decision, *words, ok=(code,))
        answer = pasted(daemon, held(daemon)[0]["discard"])
        assert (answer["decision"], answer["state"], answer["watermark"]) == ("discard", "skipped", hour(start, HOURS))
        assert daemon.jobs()["hourly"]["health"] == "ok" and not held(daemon)
        (record,) = audits(metadata, "held discard")
        entry = metadata["windows"].find_one({"job": "hourly", "state": "skipped"})
        assert entry["reason"] == f"discarded by {record['who']}: {WHY[1]}"
        daemon.run("hourly")
        assert states(metadata) == ["loaded", "skipped", "loaded", "loaded"]


def test_a_whole_job_is_released(etld, metadata, db):
    """A job without windows has one unit: its word is "-"."""
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        whole = job(host, start, "hold", window="none")
        whole["extract"]["http"].pop("query")
        whole["extract"].pop("covers")
        daemon = etld({"whole": whole}).start()
        daemon.run("whole", ok=(0, HELD))
        (unit,) = held(daemon)
        assert unit["start"] is None and unit["release"] == "etlctl held release whole - --reason TEXT"
        pasted(daemon, unit["release"])
        assert not held(daemon)
        daemon.ctl("watermark", "undo", "whole")
        assert held(daemon)[0]["released_by"] is None, "the undo takes it back"
        pasted(daemon, unit["release"])
        daemon.run("whole", ok=(0,))
        assert db["rows"].count_documents({}) == HOURS and daemon.jobs()["whole"]["health"] == "ok"
        daemon.run("whole", ok=(0,))
        assert states(metadata, "whole") == ["loaded"]


def test_another_daemon_loads_what_was_released(mongodb, database, metadata, tmp_path):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        jobs = {"hourly": job(host, start, "hold")}
        with Etld(mongodb.uri, jobs, database=database, folder=tmp_path / "one") as one, \
                Etld(mongodb.uri, jobs, database=database, folder=tmp_path / "two") as two:
            one.run("hourly", ok=(0, HELD))
            pasted(two, held(two)[0]["release"])
            one.run("hourly", ok=(0,))
            assert states(metadata) == ["loaded"] * HOURS and not held(one) and not held(two)
            assert one.jobs()["hourly"]["health"] == "ok"
            two.reload()
            wait_for(lambda: two.jobs()["hourly"]["health"] == "ok", two.stderr_tail, LIMIT)

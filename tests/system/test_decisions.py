# SPDX-License-Identifier: MIT
"""What needs a person: a window of which every record was refused (etlctl windows accept). Who may, when
not, what is on record, and that all that waited for it goes on."""
import datetime as dt
import os
import pwd
import shutil
import subprocess
import threading

import pytest

from etld import Etld
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
        assert daemon.ctl("watermark", "history", "hourly").json["changes"][0]["kind"] == "accept"
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


def test_while_mongodb_is_unreachable(etld, own_mongodb):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        jobs = {"hourly": job(host, start, "reject")}
        daemon = etld(jobs, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=1500").start()
        daemon.run("hourly", ok=(FAILED,))
        own_mongodb.kill9()
        for _ in range(2):  # who finds it, and who comes after
            answer = daemon.ctl("windows", "accept", "hourly", hour(start, BAD), *WHY, ok=(FAILED,), output="table")
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
            assert ask("windows", "hourly").returncode == 0
            answer = ask("windows", "accept", "hourly", hour(start, BAD), *WHY)
            assert answer.returncode == DENIED and "may query this daemon, but not control it" in answer.stderr
            assert states(metadata)[BAD] == "failed" and not metadata["audit"].count_documents({})

# SPDX-License-Identifier: MIT
"""A folder of files as the source (`window: object`): each is one unit of the ledger, loaded,
changed, broken, growing, gone; killed in the middle; seen by etlctl."""
import json
import os
import random
import signal
import time

import pytest

from etld import faults_folder
from hold import Hold
from wait import wait_for

POINTS = ("plan.after", "decode.before", "load.after", "commit.before", "txn.before", "txn.after", "file.opened")
SEED = int(os.environ.get("ETLD_SEED", "20261201"))
OLD = 3600  # seconds: nothing is too young to be read


class Folder:
    """Files of JSON lines, and what they hold."""

    def __init__(self, path):
        self.path = path
        self.rows = {}  # name -> list of records
        path.mkdir()

    def put(self, name, rows, age=OLD):
        self.rows[name] = rows
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows), age)

    def write(self, name, text, age=OLD):
        (self.path / name).write_text(text)
        at = time.time() - age
        os.utime(self.path / name, (at, at))

    def job(self, **more):
        return {"schedule": {"every": "1d"}, "retry": {"max": 1, "backoff": "50ms"}, "window": "object",
                "extract": {"file": {"path": str(self.path / "*.jsonl"), "min_age": "5s"}, "format": "jsonl"},
                "transform": [{"set": {"file": "{object.basename}"}}],
                "load": {"mongodb": {"collection": "rows", "key": ["id"]}}, **more}

    def check(self, db):
        """Each record is there once, with the name of its file."""
        found = {row["_id"]: (row["v"], row["file"]) for row in db.rows.find()}
        assert found == {row["id"]: (row["v"], name) for name, rows in self.rows.items() for row in rows}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "in")


def rows_of(number, count, value=0):
    return [{"id": number * 100_000 + i, "v": value} for i in range(count)]


def states(metadata):
    return {entry["object"].rsplit("/", 1)[1]: entry["state"] for entry in metadata.windows.find()}


def test_a_folder_and_what_becomes_of_its_files(etld, folder, db, metadata):
    for number in range(5):
        folder.put(f"f{number}.jsonl", rows_of(number, 10 + number))
    folder.write("broken.jsonl", '{"id": 7, "v": 1}\n{"id": ')
    folder.write("notes.txt", "not asked for")
    (folder.path / "sub.jsonl").mkdir()
    daemon = etld({"files": folder.job()})
    daemon.start()

    # The first load: the broken file fails alone, what is no file is told.
    assert daemon.run("files", ok=(1,)).code == 1
    folder.check(db)
    assert states(metadata) == {**{f"f{i}.jsonl": "loaded" for i in range(5)}, "broken.jsonl": "failed"}
    job = next(j for j in daemon.status()["jobs"] if j["name"] == "files")
    assert job["health"] == "failing" and "broken.jsonl" in job["reason"]
    assert job["watermarks"][0]["watermark"] is None and job["late_by_s"] >= 0
    listed = daemon.ctl("windows", "files").json
    assert [w["object"] for w in listed["windows"]] == [str(folder.path / "broken.jsonl")]
    assert listed["summary"][0] == {"partition": "-", "objects": 6, "failed": 1, "held": 0, "open": 1, "dirty": 0}
    run = daemon.runs("files")[0]
    assert [w["first"] for w in run["warned"]] == [f"'{folder.path}/sub.jsonl' is a folder"]

    # One is mended, one changed, one touched, one removed, one comes.
    folder.put("broken.jsonl", rows_of(7, 3))
    folder.put("f1.jsonl", rows_of(1, 11, value=5), OLD - 60)
    os.utime(folder.path / "f2.jsonl", (time.time() - 60,) * 2)
    (folder.path / "f3.jsonl").unlink()
    folder.put("f9.jsonl", rows_of(9, 2))
    assert daemon.run("files").code == 0
    folder.check(db)  # what f3.jsonl brought stays
    run = daemon.runs("files")[0]
    assert run["windows"]["loaded"] == 4 and run["objects"] == {"missing": 1, "waiting": 0}
    counts = run["counts"]
    assert (counts["inserted"], counts["updated"], counts["unchanged"]) == (5, 11, 12)
    before = metadata.windows.count_documents({})
    assert daemon.run("files").code == 0
    assert daemon.runs("files")[0]["counts"]["seen"] == 0 and metadata.windows.count_documents({}) == before

    # Words.
    why = daemon.ctl("why", "files", "--object", folder.path / "f1.jsonl").json
    assert why["subject"] == "object" and why["state"] == "loaded"
    assert any("11 records, attempt 2" in text for text in why["because"])
    table = daemon.ctl("windows", "files", "--all", output="table").out
    assert "OBJECT" in table and str(folder.path / "f9.jsonl") in table
    refused = daemon.ctl("watermark", "show", "files", ok=(2,))
    assert "no watermark" in refused.err
    one = daemon.run("files", "--object", folder.path / "f1.jsonl")
    assert one.json["run"]["counts"]["unchanged"] == 11


def test_an_operator_closes_a_broken_file(etld, folder, db, metadata):
    folder.put("a.jsonl", rows_of(1, 3))
    folder.write("it's broken.jsonl", "{")
    daemon = etld({"files": folder.job(transform=[{"set": {
        "file": "{object.name}", "written": "{object.mtime}", "day": "{object.mtime:%Y-%m-%d}"}}])})
    daemon.start()
    daemon.run("files", ok=(1,))
    name = str(folder.path / "it's broken.jsonl")
    row = db.rows.find_one()
    assert row["file"] == str(folder.path / "a.jsonl")
    assert abs(row["written"].timestamp() - (folder.path / "a.jsonl").stat().st_mtime) < 0.002
    assert row["day"] == row["written"].strftime("%Y-%m-%d")
    assert daemon.ctl("windows", "accept", "files", folder.path / "none", "--reason", "r", ok=(4,)).code == 4
    answer = daemon.ctl("windows", "accept", "files", name, "--reason", "a known bad one").json
    assert answer["object"] == name and answer["state"] == "skipped"
    assert daemon.run("files").code == 0
    assert states(metadata)["it's broken.jsonl"] == "skipped"
    job = next(j for j in daemon.status()["jobs"] if j["name"] == "files")
    assert job["health"] == "ok"
    folder.put("it's broken.jsonl", rows_of(2, 1), OLD - 9)  # it is another content now
    daemon.run("files")
    assert states(metadata)["it's broken.jsonl"] == "loaded"


def test_a_held_file_and_a_refused_record(etld, folder, db, metadata):
    folder.put("a.jsonl", rows_of(1, 3))
    folder.put("b.jsonl", rows_of(2, 2) + [{"id": 200_009, "v": 99}])
    folder.put("c.jsonl", rows_of(3, 2) + [{"id": 300_009, "v": None}])
    daemon = etld({"files": folder.job(check=[
        {"range": {"field": "v", "max": 10, "on_fail": "hold"}}, {"not_null": {"fields": ["v"], "on_fail": "reject"}}])})
    daemon.start()
    daemon.run("files", ok=(0, 5, 6))
    assert states(metadata) == {"a.jsonl": "loaded", "b.jsonl": "held", "c.jsonl": "loaded"}
    held = daemon.ctl("held", "list", "files").json["held"][0]
    assert held["object"] == str(folder.path / "b.jsonl") and held["object"] in held["release"]
    assert held["object"] in daemon.ctl("held", "list", output="table").out
    letter = daemon.ctl("dead", "list", "files").json["letters"][0]
    assert letter["object"] == str(folder.path / "c.jsonl")
    shown = daemon.ctl("dead", "show", letter["id"]).json
    assert shown["again"] == f"etlctl run files --object {folder.path / 'c.jsonl'}"
    assert daemon.ctl("held", "release", "files", held["object"], "--reason", "seen by all").json["state"] == "pending"
    daemon.run("files", ok=(0, 5, 6))
    assert states(metadata)["b.jsonl"] == "loaded"
    assert db.rows.count_documents({"file": "b.jsonl"}) == 3


@pytest.mark.faults
def test_a_file_that_grows_while_it_is_read(etld, folder, db, metadata, tmp_path):
    hold = Hold(tmp_path / "hold")
    folder.put("a.jsonl", rows_of(1, 3))
    folder.put("b.jsonl", rows_of(2, 3))
    daemon = etld({"files": folder.job()}, build=faults_folder(),
                  env={"ETLD_FAULTS": "file.opened=hold:1", "ETLD_FAULT_HOLD": str(hold.path)})
    daemon.start()
    daemon.ctl("run", "files")
    hold.enter()
    with open(folder.path / "a.jsonl", "a", encoding="utf-8") as more:
        more.write(json.dumps({"id": 100_003, "v": 0}) + "\n")
    hold.leave()
    daemon.wait_idle()
    assert states(metadata) == {"a.jsonl": "failed", "b.jsonl": "loaded"}
    assert "changed while it was read" in metadata.windows.find_one({"state": "failed"})["reason"]
    assert db.rows.count_documents({}) == 3
    folder.put("a.jsonl", rows_of(1, 4))
    assert daemon.run("files").code == 0
    folder.check(db)


@pytest.mark.faults
def test_killed_in_the_middle_of_a_folder(etld, folder, db, metadata):
    """Nothing is lost and nothing is there twice, wherever it dies."""
    print(f"ETLD_SEED={SEED}")
    rng = random.Random(SEED)
    daemon = etld({"files": folder.job(schedule={"every": "1s"})}, build=faults_folder())
    for number in range(3):
        folder.put(f"f{number}.jsonl", rows_of(number, 20))
    for version, point in enumerate(rng.sample(POINTS, len(POINTS))):
        folder.put(f"g{version}.jsonl", rows_of(50 + version, 10))
        folder.put("f0.jsonl", rows_of(0, 20, value=version + 1), OLD - version)
        daemon.env["ETLD_FAULTS"] = f"{point}=kill:{1 + version % 2}"
        daemon.start(wait=False)
        assert daemon.wait_end() == -signal.SIGKILL, daemon.stderr_tail()
        for entry in metadata.windows.find({"state": "loaded"}):
            assert db.rows.count_documents({"file": entry["object"].rsplit("/", 1)[1]}) == entry["counts"]["out"]
    daemon.env.pop("ETLD_FAULTS")
    daemon.start()
    wait_for(lambda: list(states(metadata).values()).count("loaded") == len(folder.rows) and
             metadata.windows.find_one({"object": str(folder.path / "f0.jsonl")})["size"]
             == (folder.path / "f0.jsonl").stat().st_size, daemon.stderr_tail, 60)
    wait_for(lambda: db.rows.count_documents({"file": "f0.jsonl", "v": len(POINTS)}) == 20, daemon.stderr_tail, 60)
    folder.check(db)


def test_a_big_file_goes_in_by_slices(etld, folder, db, metadata):
    folder.put("big.jsonl", rows_of(1, 4_000))
    folder.put("small.jsonl", rows_of(2, 5))
    daemon = etld({"files": folder.job()}, config={"limits": {"memory": "4MiB"}})
    daemon.start()
    assert daemon.run("files").code == 0
    assert db.rows.count_documents({}) == 4_005
    assert states(metadata) == {"big.jsonl": "loaded", "small.jsonl": "loaded"}
    assert metadata.windows.find_one({"object": {"$regex": "big"}})["counts"]["out"] == 4_000


def test_all_files_as_one_full_read(etld, folder, db):
    folder.put("a.jsonl", rows_of(1, 3))
    folder.put("b.jsonl", rows_of(2, 3))
    job = folder.job(window="none", transform=[])
    daemon = etld({"files": job})
    daemon.start()
    assert daemon.run("files").code == 0
    assert db.rows.count_documents({}) == 6
    for name in ("a.jsonl", "b.jsonl"):
        (folder.path / name).unlink()
    answer = daemon.run("files", ok=(1,))  # nothing is there: that proves nothing
    assert "no file is named" in answer.json["run"]["reason"]
    assert db.rows.count_documents({}) == 6


@pytest.mark.parametrize("change, words", [
    ({"window": {"size": "1h", "start": "2026-01-01"}}, "{object.basename}"),
    ({"extract": {"file": {"path": "in/*.jsonl"}, "format": "jsonl"}}, "not absolute"),
    ({"extract": {"file": {"path": "/in/**"}, "format": "jsonl"}}, "'**' is not understood"),
    ({"extract": {"mongodb": {"collection": "c"}}}, "lists none"),
    ({"deadline": "window.end + 1h"}, "a deadline needs windows"),
    ({"window": {"object": True}}, "unknown"),
])
def test_what_the_configuration_may_not_say(etld, folder, change, words):
    daemon = etld({"files": folder.job(**change)})
    answer = daemon.check()
    assert answer.code == 78 and words in answer.err + answer.out, answer

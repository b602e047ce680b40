# SPDX-License-Identifier: MIT
"""Commits through a proxy that loses requests and replies: data, ledger and watermark agree
exactly at the end, and no slice went in twice (tests/system/commit_driver.c)."""
import subprocess

import pymongo
import pytest

from driver import build_driver
from mongodb import MongoServer
from wireproxy import WireProxy

SLICES = 50
RECORDS = 10
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return build_driver(tmp_path_factory.mktemp("commit"), "system/commit_driver.c")


@pytest.fixture(name="server")
def own_server(tmp_path):
    server = MongoServer(tmp_path / "server")
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to break")
    with server:
        yield server


def drive(program, uri):
    done = subprocess.run([program, uri + "&socketTimeoutMS=3000", "faults", str(SLICES)],
                          capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.split()
    assert words[:4] == ["transactions", "1", "commits", str(SLICES)], done.stdout
    return int(words[5])


def assert_exact(server):
    with pymongo.MongoClient(server.uri, tz_aware=True) as client:
        db = client["faults"]
        assert sorted(d["_id"] for d in db.data.find()) == list(range(SLICES * RECORDS))
        windows = list(db.windows.find().sort("start"))
        assert [int(w["start"].timestamp() * 1000) for w in windows] == \
            [n * HOUR_MS for n in range(SLICES)]
        assert {w["state"] for w in windows} == {"loaded"}
        # A slice that went in, and was then sent again, would count as unchanged here.
        assert [w["counts"]["inserted"] for w in windows] == [RECORDS] * SLICES
        (watermark,) = db.watermarks.find()
        assert watermark["last_processed"].timestamp() * 1000 == SLICES * HOUR_MS


@pytest.mark.parametrize("command, action, every", [
    ("commitTransaction", "swallow", 9),
    ("commitTransaction", "drop", 9),
    ("commitTransaction", "cut", 9),
    ("commitTransaction", "swallow", 1),
    ("commitTransaction", "drop", 1),
    ("update", "drop", 27),
    ("update", "swallow", 27),
    ("find", "swallow", 9),
    ("find", "cut", 9),
])
def test_lost_messages(driver, server, command, action, every):
    limited = 12  # with every=1 each commit would fail for ever: the fault ends here
    with WireProxy(server.port) as proxy:
        if every == 1:
            faults = [proxy.fault(command, action, nth=n) for n in range(1, limited + 1)]
        else:
            faults = [proxy.fault(command, action, every=every)]
        drive(driver, proxy.uri)
        assert sum(f.struck for f in faults) >= 5
        assert proxy.counts["commitTransaction"] >= SLICES
    assert_exact(server)


def test_a_silent_server(driver, server):
    with WireProxy(server.port) as proxy:
        fault = proxy.fault("commitTransaction", "silent", nth=10)
        drive(driver, proxy.uri)
        assert fault.struck == 1
    assert_exact(server)


def unconfirmed(reply):
    """As a primary says it whose secondaries do not follow in time: done, and may still be undone."""
    return {**reply, "writeConcernError": {
        "code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting for replication timed out"}}


def test_commits_ask_for_the_majority_and_believe_no_less(driver, server):
    with WireProxy(server.port) as proxy:
        sent = proxy.watch("commitTransaction")
        faults = [proxy.fault("commitTransaction", "edit", nth=n, edit=unconfirmed) for n in (3, 9, 10)]
        drive(driver, proxy.uri)
        assert [f.struck for f in faults] == [1] * 3
        concerns = [(c["writeConcern"]["w"], c["writeConcern"]["j"]) for c in sent]
        assert set(concerns) == {("majority", True)}
        assert len(sent) == SLICES + 3, "asked again until the majority has it"
    assert_exact(server)


@pytest.mark.parametrize("command", ["findAndModify", "update"])
def test_a_write_that_the_majority_has_not_is_an_error(driver, tmp_path, command):
    """A lease, a watermark's claim; the ledger of a server without transactions."""
    server = MongoServer(tmp_path / "standalone", standalone=True)
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to break")
    with server, WireProxy(server.port) as proxy:
        fault = proxy.fault(command, "edit", every=1, edit=unconfirmed)
        done = subprocess.run([driver, proxy.uri, "faults", "1"], capture_output=True, text=True,
                              timeout=150, check=False)
        assert fault.struck
        assert done.returncode == 1, done.stdout + done.stderr
        assert "mongodb.concern" in done.stderr


@pytest.mark.parametrize("action", ["swallow", "drop"])
def test_the_server_dies_at_the_commit(driver, server, action):
    """swallow: it is in, and the restarted server says 251 of it. drop: it is not in."""
    def die():
        server.kill9()
        server.start()

    with WireProxy(server.port) as proxy:
        faults = [proxy.fault("commitTransaction", action, nth=n, then=die) for n in (7, 29)]
        again = drive(driver, proxy.uri)
        assert sum(f.struck for f in faults) == 2
    assert_exact(server)
    if action == "drop":
        assert again >= 2  # what died with the server had to be sent again


def test_without_transactions(driver, tmp_path):
    """A standalone server: data, then ledger, then watermark; all there, nothing twice."""
    server = MongoServer(tmp_path / "standalone", standalone=True)
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to break")
    with server, WireProxy(server.port) as proxy:
        faults = [proxy.fault("update", "swallow", every=23),  # of ledger and watermark
                  proxy.fault("insert", "swallow", every=11)]  # of the data
        done = subprocess.run([driver, proxy.uri, "faults", str(SLICES)], capture_output=True,
                              text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("transactions 0 ")
        assert all(f.struck >= 4 for f in faults), faults
        with pymongo.MongoClient(server.uri, tz_aware=True) as client:
            db = client["faults"]
            assert db.data.count_documents({}) == SLICES * RECORDS
            assert db.windows.count_documents({"state": "loaded"}) == SLICES
            (watermark,) = db.watermarks.find()
            assert watermark["last_processed"].timestamp() * 1000 == SLICES * HOUR_MS

# SPDX-License-Identifier: MIT
"""Reload and the control socket in rough hands: broken configurations, garbage, half messages,
clients that do not read, a hundred at once. The daemon lives and answers the others."""
import contextlib
import datetime as dt
import grp
import json
import os
import random
import re
import signal
import socket
import time

import pytest

from etld import ROOT
from fakeclock import FakeTime
from flow import DAY, Flow
from wait import wait_for

SEED = int(os.environ.get("ETLD_SEED", time.time_ns() % 1_000_000))
BROKEN = 78
CLIENTS = 100
STATUS = b'{"method":"io.etld.Control.Status"}\0'

GOOD_JOB = {
    "schedule": {"cron": "10 * * * *"},
    "window": {"size": "1h", "settle": "70m", "start": "2026-03-02T00:00:00Z"},
    "extract": {"http": {"url": "http://127.0.0.1:1/x", "records": "/data",
                         "time": {"field": "t", "format": "%Y-%m-%d", "timezone": "UTC"}}},
    "load": {"mongodb": {"collection": "c", "mode": "upsert", "key": ["t"]}},
}


def changed(path, value):
    job = json.loads(json.dumps(GOOD_JOB))
    place = job
    *parents, last = path.split("/")
    for name in parents:
        place = place.setdefault(name, {})
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return json.dumps(job)


# Each of them is one broken file, and a word that its error says.
BROKEN_JOBS = [
    ("", ""), ("[]", ""), ("null", ""), ("just text", ""), ("{", ""), ("a: b: c", ""), ("\t- x", ""),
    ("a: &x [*x]", ""), ("a: *nowhere", ""), ("--- {}\n--- {}\n", ""), ("a: 1\na: 2\n", ""),
    ("\x00", ""), ("!!python/object:os.system {}", ""), ("? [1]\n: 2\n", ""), ("%YAML 9.9\n---\n{}", ""),
    (changed("schedul", "x"), "schedul"), (changed("schedule/cron", "99 * * * *"), "cron"),
    (changed("schedule/cron", "* * *"), "cron"), (changed("schedule/cron", ""), "cron"),
    (changed("schedule/timezone", "Mars/Olympus"), "Mars/Olympus"), (changed("schedule/overlap", "maybe"), "overlap"),
    (changed("schedule/misfire", "pray"), "misfire"), (changed("schedule/timeout", "10"), "timeout"),
    (changed("schedule/timeout", "-1s"), "timeout"), (changed("schedule/jitter", "soon"), "jitter"),
    (changed("window/size", "1"), "size"), (changed("window/size", "0s"), "size"), (changed("window/start", "yesterday"), "start"),
    (changed("window/settle", True), "settle"), (changed("extract", None), "extract"), (changed("load", None), "load"),
    (changed("extract", {"ftp": {}}), "ftp"), (changed("extract/http/url", None), "url"),
    (changed("extract/http/url", "http://x/{nothing}"), "nothing"), (changed("extract/http/records", "data"), "records"),
    (changed("extract/http/time/timezone", "UTC+25"), "UTC+25"), (changed("extract/http/auth", {"basic": {}}), "basic"),
    (changed("load/mongodb/key", []), "key"), (changed("load/mongodb/mode", "replace_all"), "mode"),
    (changed("transform", [{"frobnicate": {}}]), "frobnicate"), (changed("check", [{"range": {"field": "x"}}]), ""),
    (changed("after", ["job"]), ""), (changed("after", ["nobody"]), "nobody"), (changed("retry/max", -1), "max"),
    (changed("retry/max", "many"), "max"), (changed("description", "${NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE"),
]
assert len(BROKEN_JOBS) >= 40


def test_broken_files_are_told(etld):
    """Whole: what a start does with them is in test_left_out.py."""
    daemon = etld({})
    daemon.env["NOTIFY_SOCKET"] = str(daemon.folder / "notify")  # as in the unit, which has all variables there are
    for number, (text, word) in enumerate(BROKEN_JOBS):
        daemon.write_job("job", text)
        answer = daemon.check()
        assert answer.code == BROKEN, (number, answer)
        assert "job.yaml:" in answer.err and "error" in answer.err.lower(), (number, answer)
        assert word in answer.err, (number, answer)


def test_a_broken_main_file_ends_the_start(etld):
    daemon = etld({"job": json.dumps(GOOD_JOB)})
    daemon.settings["limts"] = {}
    daemon.write_settings()
    daemon.start(wait=False)
    assert daemon.wait_end(10) == BROKEN
    assert "limts" in daemon.stderr_tail()
    assert not daemon.control.exists()


def loading(sim, flow):
    """A job that is at work for some seconds."""
    sim.fault("hang", station=flow.stations[0], seconds=3)
    return {"hourly": flow.hourly(flow.start + DAY)}


def test_reload_under_load(etld, sim, db, metadata):
    print(f"ETLD_SEED={SEED}")
    rng = random.Random(SEED)
    flow = Flow(sim)
    daemon = etld(loading(sim, flow)).start()
    first = daemon.status()["daemon"]["config"]["generation"]
    daemon.ctl("run", "hourly")
    good = 0
    for number in range(20):
        text, _ = rng.choice(BROKEN_JOBS)
        if number % 2:
            daemon.write_job("other", text)
            refused = daemon.ctl("reload", ok=(BROKEN,), output="table")
            assert "other.yaml:" in refused.out + refused.err
            assert daemon.status()["daemon"]["config"]["error"]
        else:
            daemon.write_job("other", json.dumps({**GOOD_JOB, "description": str(number)}))
            daemon.ctl("reload")
            good += 1
            assert daemon.jobs()["other"]["description"] == str(number)
            assert not daemon.status()["daemon"]["config"]["error"]
        assert daemon.status()["daemon"]["config"]["generation"] == first + good
    daemon.remove_job("other")
    reloads = daemon.notify.count("RELOADING")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "other" not in daemon.jobs(), "SIGHUP's reload")
    assert daemon.notify.count("RELOADING") == reloads + 1
    daemon.wait_idle()
    (run,) = metadata["runs"].find()
    assert run["state"] == "ok" and run["generation"] == first, "a run ends on its own generation"
    for station in flow.stations:
        flow.check_hours(db["hourly"], station, flow.start, flow.start + DAY)


# ---- the socket ----------------------------------------------------------------------------


def connect(daemon, timeout=10):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(daemon.control))  # waits for a place in the queue
    client.settimeout(timeout)
    return client


def ask(client, message=STATUS):
    with contextlib.suppress(BrokenPipeError):  # it was sent away already: its answer says why
        client.sendall(message)
    return read_reply(client)


def read_reply(client):
    data = b""
    while not data.endswith(b"\0"):
        piece = client.recv(65536)
        assert piece, "closed"
        data += piece
    return json.loads(data[:-1])


def is_closed(client):
    """The daemon has hung up, with or without a last word."""
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    return True


def answers(daemon):
    with connect(daemon) as client:
        return ask(client)["parameters"]["daemon"]["pid"] == daemon.pid


def test_a_hundred_clients(etld):
    daemon = etld({}).start()
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            client = stack.enter_context(connect(daemon))
            with contextlib.suppress(ConnectionError):  # who has no place is told so before it asks
                client.sendall(STATUS)
            clients.append(client)
        served = 0
        for client in clients:
            with contextlib.suppress(AssertionError, ConnectionError):
                reply = read_reply(client)
                served += "error" not in reply
                assert "error" in reply or reply["parameters"]["daemon"]["pid"] == daemon.pid
        assert served >= 16  # the others were refused at once and not left hanging
    wait_for(lambda: answers(daemon), "an answer after the rush")


def test_garbage(etld):
    print(f"ETLD_SEED={SEED}")
    rng = random.Random(SEED)
    daemon = etld({}).start()
    whole = [b"\0", b"{}\0", b"[]\0", b"null\0", b'{"method":1}\0', b'{"method":"x"}\0', b"\xff\xfe\0",
             b'{"method":"io.etld.Control.Status","parameters":[]}\0', b"{" * 10000 + b"\0",
             b'{"method":"io.etld.Control.Run","parameters":{"job":7}}\0', b'"\\ud800"\0']
    for number in range(60):
        message = rng.choice(whole) if number % 2 else rng.randbytes(rng.randint(1, 4000)) + b"\0"
        with connect(daemon) as client, contextlib.suppress(ConnectionError):
            client.sendall(message)
            client.shutdown(socket.SHUT_WR)
            is_closed(client)
        assert daemon.is_running, daemon.stderr_tail()
    assert answers(daemon)


def test_half_messages_do_not_hold_up_others(etld):
    daemon = etld({}).start()
    with contextlib.ExitStack() as stack:
        for length in range(1, 30):
            stack.enter_context(connect(daemon)).sendall(STATUS[:length])
        assert answers(daemon)
        late = stack.enter_context(connect(daemon))
        late.sendall(STATUS[:10])
        assert answers(daemon)
        assert ask(late, STATUS[10:])["parameters"]["daemon"]["pid"] == daemon.pid
    assert answers(daemon)


def test_a_message_of_two_mebibytes(etld):
    daemon = etld({}).start()
    with connect(daemon) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(b'{"method":"' + b"x" * (2 << 20) + b'"}\0')
        assert is_closed(client)
    assert answers(daemon)
    assert rss_kib(daemon) < 200 * 1024


def rss_kib(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_a_reader_that_does_not_read(etld):
    """It asks and asks and reads nothing: it is held back or dropped, the memory is bounded."""
    daemon = etld({f"job{n}": json.dumps(GOOD_JOB) for n in range(50)}).start()
    before = rss_kib(daemon)
    with connect(daemon, timeout=0.5) as greedy:
        with contextlib.suppress(OSError):
            for _ in range(5000):
                greedy.sendall(STATUS)
        assert answers(daemon)
        assert rss_kib(daemon) - before < 40 * 1024
    assert answers(daemon)


def test_the_next_request_waits_until_the_last_answer_is_read(etld):
    """What is asked to be done is noted when it is begun."""
    daemon = etld(many_jobs(LARGE)).start()
    pause = {"method": "io.etld.Control.Pause", "parameters": {"job": "job0000", "reason": "by and by"}}
    with connect(daemon) as client:
        client.sendall(STATUS + json.dumps(pause).encode() + b"\0")
        wait_for(lambda: has_answer(client), "the first answer begins")
        assert answers_one(daemon, "job0001")  # so it has had time for the second
        assert not daemon.log(ETL_METHOD=pause["method"])
        status, paused = read_replies(client, 2)
        assert len(status["parameters"]["jobs"]) == LARGE
        assert paused["parameters"]["paused"] is True
    assert len(daemon.log(ETL_METHOD=pause["method"])) == 1


def read_replies(client, count):
    data = b""
    while data.count(b"\0") < count:
        piece = client.recv(65536)
        assert piece, "closed"
        data += piece
    return [json.loads(reply) for reply in data.split(b"\0")[:count]]


# ---- places, limits, who may ----------------------------------------------------------------

PLACES = 64  # ETLD_CLIENTS_MAX
FOR_READERS = 48
REFUSED = "io.etld.Control.NotReady"
NOT_PERMITTED = "io.etld.Control.NotPermitted"
NOBODY = 65534
LARGE = 300  # jobs whose status does not fit into a socket's buffer


def many_jobs(count):
    return {f"job{n:04}": json.dumps({**GOOD_JOB, "description": "d" * 900}) for n in range(count)}


@contextlib.contextmanager
def as_user(uid, gid, groups=()):
    """Sockets that are connected meanwhile are those of this user."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be others")


@pytest.fixture
def open_etld(etld):
    """A daemon whose socket anybody can reach; its groups are `reader` and `operator`."""
    def make(jobs, **options):
        daemon = etld(jobs, config={"control": {"group": "games", "admin_group": "mail"}}, **options)
        daemon.folder.chmod(0o755)
        daemon.start()
        daemon.control.chmod(0o666)
        return daemon
    return make


def gid_of(name):
    return grp.getgrnam(name).gr_gid


def unread_answers(stack, daemon, count):
    """Clients that asked for all and read nothing: nobody may take their places."""
    clients = []
    for _ in range(count):
        clients.append(stack.enter_context(connect(daemon)))
        clients[-1].sendall(STATUS)
    return clients


def test_silent_clients_lock_nobody_out(etld):
    daemon = etld({}).start()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(daemon)) for _ in range(PLACES)]
        wait_for(lambda: "error" not in ask_new(daemon), "a place")
        # and who lost it is told when it says something
        told = []
        for client in silent:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                told.append(json.loads(client.recv(65536)[:-1]))
        assert told and all(reply["error"] == REFUSED for reply in told)
        assert len(told) < PLACES / 2, "one place is given for one client"


def ask_new(daemon):
    with connect(daemon) as client:
        return ask(client)


@pytest.mark.slow
def test_the_idle_limit_is_not_renewed_by_bytes(etld, tmp_path):
    """From when a client was let in; all clocks run thirty times as fast."""
    daemon = etld({}, prefix=FakeTime(tmp_path, dt.timedelta(0), rate=30).prefix).start()
    with connect(daemon, timeout=60) as silent, connect(daemon, timeout=60) as slow, connect(daemon, timeout=60) as served:
        slow.setblocking(False)
        began = time.monotonic()
        said = b""
        while not said and time.monotonic() - began < 60:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                slow.send(b" ")
            with contextlib.suppress(BlockingIOError, ConnectionError):
                said = slow.recv(65536)
        assert said, "single bytes kept it"
        assert b"no whole message came" in said, "it ended for another reason, as its length"
        assert read_reply(silent)["error"] == REFUSED
        with contextlib.suppress(ConnectionError, AssertionError):  # its own limit may have come first
            reply = ask(served)
            assert reply.get("error") == REFUSED or reply["parameters"]["daemon"]["pid"] == daemon.pid
    assert answers(daemon)


@pytest.mark.slow
def test_askers_that_do_not_read_have_one_bound(etld):
    """Each asks forty times for all jobs. One answer each is made at the most, and all of them
    together are bounded."""
    daemon = etld(many_jobs(1000)).start()
    daemon.wait_idle()
    before = rss_kib(daemon)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(daemon)) for _ in range(PLACES - 1)]
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(40):
                    client.send(STATUS)
        wait_for(lambda: all(has_answer(client) for client in clients), "an answer begins, or a refusal comes")
        assert peak_kib(daemon) - before < 64 * 1024  # all their answers would be 90 MiB
        assert answers_one(daemon, "job0001")
    wait_for(lambda: answers(daemon), "an answer when they have gone")


def has_answer(client):
    with contextlib.suppress(BlockingIOError):
        return client.recv(1, socket.MSG_PEEK) != b""
    return False


def peak_kib(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def answers_one(daemon, job):
    with connect(daemon) as client:
        reply = ask(client, json.dumps({"method": "io.etld.Control.Status", "parameters": {"job": job}}).encode() + b"\0")
        return reply["parameters"]["jobs"][0]["name"] == job


def test_there_are_so_many_places_and_no_more(etld):
    daemon = etld(many_jobs(LARGE)).start()
    with contextlib.ExitStack() as stack:
        unread_answers(stack, daemon, PLACES)
        replies = []
        for _ in range(5):
            replies.append(read_reply(stack.enter_context(connect(daemon))))
        assert all(reply["error"] == REFUSED for reply in replies)
        assert "too many clients" in replies[0]["parameters"]["message"]
        answer = daemon.ctl("status", ok=(1,), output="table")
        assert "too many clients" in answer.err and "start" not in answer.err
    wait_for(lambda: answers(daemon), "an answer when they have gone")


@needs_root
def test_places_are_kept_for_operators_and_root(open_etld):
    daemon = open_etld(many_jobs(LARGE))
    with contextlib.ExitStack() as stack:
        with as_user(NOBODY, NOBODY, [gid_of("games")]):
            unread_answers(stack, daemon, FOR_READERS)
            assert read_reply(connect(daemon))["error"] == REFUSED
        with as_user(NOBODY, NOBODY, [gid_of("mail")]):
            assert answers(daemon)
            unread_answers(stack, daemon, PLACES - 4 - FOR_READERS)
            assert read_reply(connect(daemon))["error"] == REFUSED
        assert answers(daemon), "root"


@needs_root
def test_who_may_not_is_told_and_logged(open_etld):
    daemon = open_etld({})
    with as_user(NOBODY, NOBODY):
        replies = [ask(connect(daemon)) for _ in range(20)]
    assert all(reply["error"] == NOT_PERMITTED for reply in replies)
    (logged,) = daemon.log(MESSAGE_ID=message_id("CLIENT_REFUSED"))  # and not twenty
    assert f"uid {NOBODY} (pid {os.getpid()})" in logged["MESSAGE"]
    with as_user(NOBODY, NOBODY, [gid_of("games")]):
        assert answers(daemon)
        assert ask(connect(daemon), b'{"method":"io.etld.Control.Reload"}\0')["error"] == NOT_PERMITTED
    with as_user(NOBODY, gid_of("mail")):
        assert "error" not in ask(connect(daemon), b'{"method":"io.etld.Control.Reload"}\0')


def message_id(name):
    text = (ROOT / "daemon" / "io" / "message_ids.h").read_text()
    return re.search(rf'ETLD_MSG_{name} "(\w+)"', text).group(1)


def test_without_descriptors_each_client_is_told(etld):
    """One is spared for that; without it accept would fail for ever, and the loop spin."""
    daemon = etld({}, prefix=("prlimit", "--nofile=48:48")).start()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(daemon)) for _ in range(60)]
        last = silent[-1]
        assert "no file descriptor left" in read_reply(last)["parameters"]["message"]
        turns = daemon_turns(silent[0], daemon)
        more = read_reply(stack.enter_context(connect(daemon)))
        assert more["error"] == REFUSED
        assert daemon_turns(silent[0], daemon) - turns < 100
    wait_for(lambda: "error" not in ask_new(daemon), "an answer when they have gone")


def daemon_turns(client, daemon):
    reply = ask(client)["parameters"]["daemon"]
    assert reply["pid"] == daemon.pid
    return reply["loop_turns"]

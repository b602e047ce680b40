# SPDX-License-Identifier: MIT
"""Every method of the control socket, taken from the interface that the daemon itself tells, with every
option on, for every sort of job, in every state of the daemon, and with hostile values. The daemon
lives, each answer is well formed, each error has a name and a text. A new method is in it by itself."""
import contextlib
import datetime as dt
import itertools
import json
import re
import socket

import pytest

from wait import wait_for

NEVER = {"cron": "0 0 1 1 *"}
NONE_RETRY = {"max": 0}
HOURS = {"size": "1h", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T06:00:00Z"}
PATIENCE_SECONDS = 60
AT_ONCE = 40
AT = dt.datetime.fromisoformat("2026-01-01T02:00:00+00:00")
AN_HOUR = dt.timedelta(hours=1)
LEFT_OUT = "leftout"  # wrong at the start: it is known, and has nothing but its name and its error
REFUSED = 2  # etlctl's status for a parameter that is not possible


def job(window, **more):
    """Its source refuses connections: what is started ends by itself."""
    extract = {"http": {"url": "http://127.0.0.1:9/{window.start}" if window != "none" else "http://127.0.0.1:9/"}}
    if window != "none":
        extract["http"]["time"] = {"field": "t"}
    return {"schedule": NEVER, "window": window, "retry": NONE_RETRY, "extract": extract,
            "load": {"mongodb": {"collection": "c", "key": ["t"]}}, **more}


def jobs():
    after = job(HOURS, after=["hourly"])
    after.pop("schedule")
    return {
        "hourly": job(HOURS, group="all"),
        "whole": job("none", group="all"),
        "behind": after,
        "behindwhole": {**after, "after": ["whole"]},
        "paused": job(HOURS),
        "parts": job(HOURS, partitions={"station": ["a", "b"]}, deadline="window.end + 20m"),
        "resting": job("none", partitions={"station": ["a", "b"]}),
        LEFT_OUT: {**job(HOURS), "schedul": NEVER},
    }


# ---- the interface, as the daemon tells it ---------------------------------------------------


class Client:
    """One connection; every answer is judged."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(daemon.control))
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, parameters, **more):
        self.send_raw(json.dumps({"method": method, "parameters": parameters, **more}).encode())

    def send_raw(self, text):
        self.socket.sendall(text + b"\0")

    def read(self):
        while b"\0" not in self.data:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise ConnectionError("closed")
            self.data += piece
        frame, self.data = self.data.split(b"\0", 1)
        return json.loads(frame)

    def ask(self, method, parameters=None, **more):
        """The last answer."""
        self.send(method, parameters or {}, **more)
        while (reply := self.read()).get("continues"):
            assert more.get("more"), f"{method} goes on although nobody asked for more"
        return reply


def interface(daemon):
    """({method: {parameter: (type, may be absent)}}, names of errors)"""
    with Client(daemon) as client:
        text = client.ask("org.varlink.service.GetInterfaceDescription",
                          {"interface": "io.etld.Control"})["parameters"]["description"]
    methods = {}
    for name, arguments in re.findall(r"^method (\w+)\((.*?)\) ->", text, re.M):
        pairs = (a.split(": ") for a in arguments.split(", ") if a)
        methods[f"io.etld.Control.{name}"] = {key: (kind.lstrip("?"), kind.startswith("?")) for key, kind in pairs}
    errors = {f"io.etld.Control.{name}" for name in re.findall(r"^error (\w+) ", text, re.M)}
    errors |= {"org.varlink.service.MethodNotFound", "org.varlink.service.InvalidParameter"}
    assert len(methods) > 20 and len(errors) > 8
    return methods, errors


def check_reply(reply, errors, asked):
    """Well formed; and a method that the interface names is there."""
    assert set(reply) <= {"parameters", "error"}, (asked, reply)
    parameters = reply["parameters"]
    if "error" not in reply:
        assert re.fullmatch(r"etl\.\w+/1", parameters["schema"]), (asked, parameters)
        assert parameters["generated_at"].endswith("Z"), (asked, parameters)
        return
    assert reply["error"] in errors, (asked, reply)
    assert parameters["message"], (asked, reply)
    assert reply["error"] != "org.varlink.service.MethodNotFound", f"{asked}: told, and nobody serves it"


# ---- what is asked for ------------------------------------------------------------------------

# By the parameter's name, else by its type: one that comes new is asked for as well.
GOOD = {
    "job": None,  # each of the jobs
    "what": None,
    "id": None,
    "window": "2026-01-01T02:00:00Z",
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-01-01T03:00:00Z",
    "time": "2026-01-01T01:00:00Z",
    "partition": "station=a",
    "state": "loaded",
    "order": "newest",
    "rate": "60/m",
    "reprocess": "all",
    "group": "all",
    "run_id": "019a0000-0000-7000-8000-000000000000",
    "letter": "0123",
    "before": "0123",
}
BY_TYPE = {"string": "x", "int": 3, "bool": True, "float": 1.5, "object": {}}


def good_value(name, kind, which):
    value = GOOD.get(name, BY_TYPE[kind])
    return which if value is None else value


def good_calls(parameters, which):
    """Nothing but what has to be there; each option alone; all at once."""
    must = {n: good_value(n, kind, which) for n, (kind, optional) in parameters.items() if not optional}
    options = {n: good_value(n, kind, which) for n, (kind, optional) in parameters.items() if optional}
    sizes = sorted({0, 1, len(options)} & set(range(len(options) + 1)))
    for size in sizes:
        for chosen in itertools.combinations(options, size):
            yield {**must, **{n: options[n] for n in chosen}}
    if "job" in options:  # all options but the job itself
        yield {**must, **{n: v for n, v in options.items() if n != "job"}}


MEBIBYTE = 1 << 20
HOSTILE = [
    "", " ", "-", "/", "//", "x" * 1024, "x" * 1025, "x" * (MEBIBYTE - 300), "\u0001", "a\u0000b", "\u202e\u009b31m",
    "%s%n%s%n", "../../etc/passwd", "$(id)", "{window.start}", "NaN", "-1", "1e999", "0/s", "1e-320/m", "nan/s",
    "0001-01-01", "0001-01-01T00:00:00Z", "0000-01-01", "1969-12-31T23:59:59.999Z", "1970-01-01", "9999-12-31",
    "9999-12-31T23:59:59.999Z", "10000-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    "2026-01-01T03:00:00Z/2026-01-01T00:00:00Z", "0001-01-01/9999-12-31", "9999-12-31/0001-01-01", "1970-01-01/1970-01-01",
    "2026-01-01T02:30:00Z", "2026-02-30", "/2026-01-01", "2026-01-01/", 0, -1, 1, 10000, 10001, 1 << 31, 1 << 63, -(1 << 63),
    1 << 64, 10 ** 300, 0.5, -0.0, 1e308, True, False, None, [], ["x"], {}, {"x": 1},
]
ENDS = ["0001-01-01", "1970-01-01", "2026-01-01T00:00:00Z", "2026-01-01T02:30:00Z", "2026-11-01", "9999-12-31T23:59:59.999Z"]


def hostile_calls(parameters, which):
    """Each value in the place of each parameter; ranges of all sorts; each parameter left out."""
    whole = {n: good_value(n, kind, which) for n, (kind, _) in parameters.items()}
    must = {n: v for n, v in whole.items() if not parameters[n][1]}
    for name in parameters:
        for value in HOSTILE:
            yield {**must, name: value}
        yield {n: v for n, v in whole.items() if n != name}
    if {"from", "to"} <= set(parameters):
        for start, end in itertools.product(ENDS, ENDS):
            yield {**must, "from": start, "to": end}
    yield {**must, "unknown": 1}
    yield {**must, "": ""}


def call_all(daemon, calls, methods, errors, which):
    """Runs one after the other, each when the one before has ended: else "busy" is all that is said.
    All the others many at once: a pause waits for MongoDB as long as that may take."""
    all_calls = [(method, call) for method, parameters in methods.items() for call in calls(parameters, which)
                 if not method.endswith(".Reload")]  # reads the disk: a test of its own
    for method, call in all_calls:
        if method.endswith(".Run"):
            with Client(daemon) as client:
                wait_not_running(client, which)
                check_reply(client.ask(method, call), errors, f"{method} {str(call)[:300]}")
    others = [call for call in all_calls if not call[0].endswith(".Run")]
    for at in range(0, len(others), AT_ONCE):
        with contextlib.ExitStack() as stack:
            asked = [(stack.enter_context(Client(daemon)), *each) for each in others[at:at + AT_ONCE]]
            for client, method, call in asked:
                client.send(method, call)
            for client, method, call in asked:
                check_reply(client.read(), errors, f"{method} {str(call)[:300]}")


def wait_not_running(client, which):
    def idle():
        (status,) = client.ask("io.etld.Control.Status", {"job": which})["parameters"]["jobs"]
        return not status["running"]
    wait_for(idle, f"the end of {which}'s run")


def followed(daemon, methods, errors, which):
    """With `more` too: it is followed to its end."""
    for method, parameters in methods.items():
        for call in good_calls(parameters, which):
            with Client(daemon) as client:
                wait_not_running(client, which)
                check_reply(client.ask(method, call, more=True), errors, f"{method} {call}")


def lives(daemon):
    assert daemon.is_running, daemon.stderr_tail()
    assert daemon.status()["daemon"]["pid"] == daemon.pid


# ---- while all is well ------------------------------------------------------------------------


@pytest.fixture
def daemon(etld, metadata):
    running = etld(jobs()).start()
    metadata["dead_letters"].insert_many([
        {"_id": f"{i}123" + "0" * 28, "job": which, "partition": "a", "run_id": GOOD["run_id"], "step": "check",
         "rule": "range", "path": "v", "message": "m", "at": dt.datetime.now(dt.timezone.utc), "window_start": AT, "window_end": AT + AN_HOUR,
         "raw": b"\xff\0"} for i, which in enumerate(jobs())])
    running.ctl("pause", "paused", "--reason", "a test")
    return running


@pytest.mark.slow
def test_every_method_with_every_option(daemon):
    methods, errors = interface(daemon)
    for which in jobs():
        call_all(daemon, good_calls, methods, errors, which)
        lives(daemon)
    followed(daemon, methods, errors, "whole")
    lives(daemon)


@pytest.mark.slow
def test_hostile_values(daemon):
    methods, errors = interface(daemon)
    for which in ("hourly", "whole"):
        call_all(daemon, hostile_calls, methods, errors, which)
        lives(daemon)


def test_what_cannot_be_read_is_answered(daemon):
    _, errors = interface(daemon)
    for text in (b"", b"{}", b"[]", b"null", b"{", b'{"method":1}', b'{"method":"x","more":1}', b"\xff\xfe", b'"\\ud800"',
                 b'{"method":"io.etld.Control.Status","parameters":[]}', b"[" * 100000,
                 b'{"method":"io.etld.Control.Next","parameters":{"job":"hourly","count":NaN}}',
                 b'{"method":"' + b"x" * (MEBIBYTE - 100) + b'"}', b'{"method":"' + b"x" * MEBIBYTE + b'"}'):
        with Client(daemon) as client:
            client.send_raw(text)
            reply = client.read()
            assert reply["error"] in errors and reply["parameters"]["message"], (text[:100], reply)
    lives(daemon)


def test_ranges_that_cannot_be_run(daemon):
    for options in (["--window", "2026-01-01T00:00:00Z"], ["--from", "2026-01-01"], ["--to", "2026-01-02"],
                    ["--from", "1970-01-01", "--to", "1970-01-01"]):
        answer = daemon.ctl("run", "whole", *options, ok=(REFUSED,), output="table")
        assert "job 'whole' has no windows: each run reads all" in answer.err
    assert not daemon.runs("whole")
    # Both ends at the epoch's zero: that was taken for a run without a range.
    answer = daemon.ctl("run", "hourly", "--from", "1970-01-01", "--to", "1970-01-01", ok=(REFUSED,), output="table")
    assert "the range ends before it begins" in answer.err
    assert not daemon.runs("hourly")


def test_a_backfill_whose_job_lost_its_windows(daemon):
    """It waits behind a pause; then a reload makes its job one that reads all."""
    daemon.ctl("backfill", "paused")
    daemon.write_job("paused", json.dumps(job("none")))
    daemon.remove_job(LEFT_OUT)  # a reload takes all or nothing
    daemon.ctl("reload")
    daemon.ctl("resume", "paused")
    (ended,) = wait_for(lambda: [b for b in daemon.ctl("backfills", "paused", "--all").json["backfills"]
                                 if b["state"] != "running"], "the backfill's end")
    assert ended["state"] == "failed"
    assert "no windows any more" in ended["reason"]
    lives(daemon)


# ---- while it is not --------------------------------------------------------------------------


def test_while_starting_and_while_mongodb_is_unreachable(etld):
    """A server that takes connections and says nothing: it is asked; then there is none."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        daemon = etld(jobs(), uri=f"mongodb://127.0.0.1:{silent.getsockname()[1]}/?serverSelectionTimeoutMS=1500")
        daemon.start(wait=False)
        daemon.wait_answer()
        methods, errors = interface(daemon)
        assert daemon.status()["daemon"]["state"] == "starting"
        call_all(daemon, good_calls, methods, errors, "whole")
        lives(daemon)
    wait_for(lambda: daemon.status()["daemon"]["state"] == "degraded", "the loss is noticed", 60)
    call_all(daemon, good_calls, methods, errors, "hourly")
    followed(daemon, methods, errors, "whole")
    lives(daemon)

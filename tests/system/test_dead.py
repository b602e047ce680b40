# SPDX-License-Identifier: MIT
"""Refused records without a shell of MongoDB: `etlctl dead list` by job, run, window and partition, page
by page; `etlctl dead show` with bytes that are no text and characters that would turn a terminal's
lines around; and what tells of refused records names the command that shows them."""
import base64
import datetime as dt
import json
import os
import shlex
import socket
import subprocess

import bson
import pytest

from host_sim import HostSim
from wait import wait_for

NO_SUCH = 4
PARTLY_REJECTED = 5
UNKNOWN = 2
NOT_READY = 1
RAW_KEPT = 65536
BIDI = "\u202eevil\u2066"
ODD = b'{"sensor":"x","ts":"%s","note":"\xff\x9b31m' + BIDI.encode() + b'"}'
START = (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
HOURS = 3


def stamp(hours, minutes=0):
    return (START + dt.timedelta(hours=hours, minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(host, **more):
    """Rows of three hours in one answer; a step of each kind may refuse them."""
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0}, "rejects": {"max": 100000, "max_ratio": 1},
            "window": {"size": "1h", "start": stamp(0), "end": stamp(HOURS), "max_span": "3h"},
            "extract": {"http": {"url": f"{host.url}/rows", "query": {"from": "{window.start}"}, "records": "/rows",
                                 "time": {"field": "ts", "format": "%Y-%m-%dT%H:%M:%SZ"}}},
            "transform": [{"cast": {"v": "double"}}],
            "check": [{"range": {"field": "v", "max": 100, "on_fail": "reject"}}],
            "load": {"mongodb": {"collection": "rows", "key": ["sensor", "ts"]}}, **more}


def row(hours, minutes=0, sensor="a", **more):
    return {"sensor": sensor, "ts": stamp(hours, minutes), "v": 1, **more}


def body(*rows):
    """Rows as dicts, or as bytes that no dict could say."""
    texts = (r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in rows)
    return b'{"rows":[' + b",".join(texts) + b"]}"


GOOD = [row(h, m) for h in range(HOURS) for m in (0, 20)]
KEYLESS = {"ts": stamp(2, 40), "v": 2}
REFUSED = [ODD % stamp(0, 30).encode(), row(0, 40, v=f"{BIDI}\u009b31m"), row(1, 40, v=5000), KEYLESS]
RULES = {"decode": "json", "transform": "cast", "check": "range", "load": "key"}


def dead(daemon, *arguments, **options):
    return daemon.ctl("dead", "list", *arguments, **options).json


def steps(reply):
    return {letter["step"] for letter in reply["letters"]}


def run_line(daemon, line, **options):
    """What was told can be pasted as it stands."""
    words = shlex.split(line)
    assert words[0] == "etlctl"
    return daemon.ctl(*words[1:], **options)


@pytest.fixture(name="host")
def a_host():
    with HostSim(body(*GOOD, *REFUSED)) as host:
        yield host


@pytest.fixture(name="daemon")
def a_daemon(etld, host):
    daemon = etld({"rows": job(host), "fine": job(host)}).start()
    daemon.run("rows", ok=(PARTLY_REJECTED,))
    return daemon


def test_a_letter_of_each_step_is_listed(daemon):
    listed = dead(daemon, "rows")
    letters = {letter["step"]: letter for letter in listed["letters"]}
    assert {step: letter["rule"] for step, letter in letters.items()} == RULES, listed
    assert (listed["total"], listed["total_is_least"], listed["truncated"], listed["before"]) == (4, False, False, None)
    assert {(r["step"], r["rule"], r["n"]) for r in listed["rules"]} == {(s, r, 1) for s, r in RULES.items()}
    run_id = daemon.runs("rows")[0]["run_id"]
    for letter in letters.values():
        assert (letter["job"], letter["partition"], letter["run_id"], letter["times"]) == ("rows", "-", run_id, 1)
        assert letter["at"] == letter["first_at"] and len(letter["id"]) == 32
    assert letters["check"]["path"] == "v" and "5000" in letters["check"]["message"]
    assert [letters[s]["window"] and letters[s]["window"]["start"] for s in ("transform", "check", "load")] == [
        stamp(0), stamp(1), stamp(2)]
    assert letters["decode"]["window"] is None  # read in a span of three: nobody knows whose it is
    assert letters["check"]["time"] == stamp(1, 40)
    text = daemon.ctl("dead", "list", output="table")
    lines = text.out.splitlines()
    assert lines[0].split() == ["ID", "JOB", "PARTITION", "WINDOW", "STEP", "RULE", "FIELD", "WHEN", "RUN", "MESSAGE"]
    assert len(lines) == 5 and all(BIDI[0] not in line and "\x9b" not in line for line in lines)
    assert f"etlctl: one of them whole: etlctl dead show {listed['letters'][0]['id'][:12]}" in text.err


def test_letters_of_a_run_a_window_and_nobody(daemon, host):
    first = daemon.runs("rows")[0]["run_id"]
    assert steps(dead(daemon, "rows", "--window", stamp(1, 59))) == {"check"}
    assert steps(dead(daemon, "rows", "--window", stamp(0))) == {"transform"}
    assert steps(dead(daemon, first[-12:])) == set(RULES)
    host.body = body(*GOOD, row(1, 40, v=5000), row(1, 50, v=6000))
    daemon.run("rows", "--from", stamp(0), "--to", stamp(HOURS), ok=(PARTLY_REJECTED,))
    second = daemon.runs("rows")[0]["run_id"]
    # What is refused again is listed under the run that refused it last.
    assert [letter["times"] for letter in sorted(dead(daemon, second)["letters"], key=lambda x: x["message"])] == [2, 1]
    assert steps(dead(daemon, first)) == {"decode", "transform", "load"}
    assert len(dead(daemon)["letters"]) == 5 and not dead(daemon, "fine")["letters"]
    empty = daemon.ctl("dead", "list", "fine", output="table")
    assert (empty.out, empty.err) == ("", "etlctl: no dead letters\n")
    assert dead(daemon, "fine")["again"] is None
    for words in (["nojob"], ["rows", "--window", "2020-01-01"], ["0123456789ab"], ["rows", "--partition", "x"],
                  ["rows", "--before", "0123456789ab"], ["rows", "--before", "none of these"]):
        daemon.ctl("dead", "list", *words, ok=(NO_SUCH,))
    daemon.ctl("dead", "show", "x", ok=(NO_SUCH,))
    for words in ([first, "--window", stamp(0)], ["--partition", "a"], ["rows", "--window", "noon"], ["rows", "-n", "0"]):
        daemon.ctl("dead", "list", *words, ok=(UNKNOWN,))


def test_show_tells_all_and_deceives_nobody(daemon):
    letters = {letter["step"]: letter["id"] for letter in dead(daemon, "rows")["letters"]}
    shown = daemon.ctl("dead", "show", letters["decode"][:12]).json["letter"]
    whole = ODD % stamp(0, 30).encode()
    assert (shown["raw_form"], shown["raw_bytes"], shown["raw_cut"]) == ("text", len(whole), False)
    assert base64.b64decode(shown["raw_base64"]) == whole
    assert BIDI in shown["raw"] and "\ufffd" in shown["raw"]
    assert [v["rule"] for v in shown["violations"]] == ["json"]
    text = daemon.ctl("dead", "show", letters["decode"], output="table").out
    assert not set(text) & set("\u202e\u2066\x9b\x1b"), ascii(text)
    assert '  | {"sensor":"x"' in text and "some of them no text" in text and "evil" in text

    shown = daemon.ctl("dead", "show", letters["transform"]).json["letter"]
    assert shown["raw_form"] == "json" and json.loads(shown["raw"])["v"] == f"{BIDI}\u009b31m"
    assert shown["raw_base64"] is None
    text = daemon.ctl("dead", "show", letters["transform"], output="table").out
    assert not set(text) & set("\u202e\u2066\x9b\x1b"), ascii(text)
    assert "refused by  cast v:" in text and f"{stamp(0)[:10]} {stamp(0)[11:16]}Z to " in text
    assert json.loads(daemon.ctl("dead", "show", letters["load"]).json["letter"]["raw"])["v"] == KEYLESS["v"]


def test_all_rules_that_a_record_breaks_are_named(etld):
    """It counts under the first. A check that remembers is not asked about what is refused already."""
    twice = row(0, 10, v=5000, w=None)
    with HostSim(body({**GOOD[0], "w": 1}, twice, {**twice, "v": 1, "w": 1})) as host:
        daemon = etld({"rows": job(host, check=[
            {"range": {"field": "v", "max": 100, "on_fail": "reject"}}, {"range": {"field": "v", "max": 10, "on_fail": "warn"}},
            {"not_null": {"fields": ["w"], "on_fail": "reject"}}, {"unique": {"fields": ["sensor", "ts"]}},
            {"range": {"field": "v", "max": 1000, "on_fail": "reject"}}])}).start()
        daemon.run("rows", ok=(PARTLY_REJECTED,))
    (first,) = dead(daemon, "rows")["letters"]
    assert (first["rule"], first["message"]) == ("range", "v is 5000, above 100")
    shown = daemon.ctl("dead", "show", first["id"]).json["letter"]
    assert [(v["rule"], v["path"]) for v in shown["violations"]] == [("range", "v"), ("not_null", "w"), ("range", "v")]
    text = daemon.ctl("dead", "show", first["id"], output="table").out
    assert "  refused by  range v: v is 5000, above 100\n              not_null w: " in text
    assert daemon.runs("rows")[0]["counts"]["inserted"] == 2  # its twin was not taken for a second one


def test_a_beginning_that_several_have_names_them(daemon, metadata):
    ids = [f"abcdef{n:026d}" for n in range(7)]
    letter = {"job": "rows", "partition": "all", "run_id": "x", "at": START, "step": "check", "rule": "range",
              "path": "", "message": "m", "position": 0}
    metadata["dead_letters"].insert_many([{**letter, "_id": i} for i in ids[:2]])
    answer = daemon.ctl("dead", "show", "abcdef", ok=(NO_SUCH,), output="table")
    assert "several dead letters begin with 'abcdef'" in answer.err and all(i in answer.err for i in ids[:2])
    metadata["dead_letters"].insert_many([{**letter, "_id": i} for i in ids[2:]])
    answer = daemon.ctl("dead", "show", "abcdef", ok=(NO_SUCH,), output="table")
    assert ids[4] in answer.err and ids[5] not in answer.err and "..." in answer.err
    # Written by an etld of before, without bytes, window or count.
    shown = daemon.ctl("dead", "show", ids[3]).json["letter"]
    assert (shown["window"], shown["raw"], shown["first_at"], shown["times"]) == (None, None, None, 0)
    assert "not kept" in daemon.ctl("dead", "show", ids[3], output="table").out


def test_bytes_that_were_cut_say_so(daemon, host):
    host.body = body(*GOOD, b'{"sensor":"long","ts":"%s","note":"\xff%s"}' % (stamp(0, 1).encode(), b"x" * RAW_KEPT))
    daemon.run("rows", "--from", stamp(0), "--to", stamp(1), ok=(PARTLY_REJECTED,))
    (letter,) = dead(daemon, daemon.runs("rows")[0]["run_id"])["letters"]
    shown = daemon.ctl("dead", "show", letter["id"]).json["letter"]
    assert (shown["raw_bytes"], shown["raw_cut"]) == (RAW_KEPT, True)
    assert f"the first {RAW_KEPT} bytes of a longer one" in daemon.ctl("dead", "show", letter["id"], output="table").out


def test_what_tells_of_refused_records_names_the_command(daemon, host):
    run_id = daemon.runs("rows")[0]["run_id"]
    command = f"etlctl dead list {run_id}"
    assert command in daemon.ctl("show", run_id, output="table").out.splitlines()
    assert f"etlctl: refused records: {command}\n" in daemon.ctl("runs", output="table").err
    assert command in daemon.ctl("why", run_id).json["hints"]
    assert command in daemon.ctl("why", "rows").json["hints"]
    assert any(command in line for line in daemon.stderr_path.read_text().splitlines())
    why = daemon.ctl("why", "rows", "--window", stamp(1)).json
    assert "1 record of it was refused: it is a dead letter" in why["because"]
    (window,) = [hint for hint in why["hints"] if hint.startswith("etlctl dead list")]
    assert steps(run_line(daemon, window).json) == {"check"}
    (again,) = [hint for hint in why["hints"] if hint.startswith("etlctl run") and hint.endswith(stamp(2))]
    # The source is mended: what the window left out is loaded.
    host.body = body(*GOOD, row(1, 40, v=50))
    run_line(daemon, again)
    wait_for(lambda: len(daemon.runs("rows")) == 2, "the run")
    assert daemon.runs("rows")[0]["counts"]["inserted"] == 1
    assert daemon.jobs()["rows"]["health"] == "rejecting", "the other windows have refused records yet"
    why = daemon.ctl("why", "rows").json  # though the newest run refused nothing
    assert daemon.jobs()["rows"]["reason"] in why["because"] and "etlctl dead list rows" in why["hints"]
    # Of the whole list: from the first such window to the end of the last one.
    assert dead(daemon, "rows")["again"] == f"etlctl run rows --from {stamp(0)} --to {stamp(HOURS)}"
    host.body = body(*GOOD)
    run_line(daemon, dead(daemon, "rows")["again"])
    wait_for(lambda: len(daemon.runs("rows")) == 3, "the run")
    assert daemon.jobs()["rows"]["health"] == "ok", daemon.jobs()["rows"]
    daemon.stop()
    daemon.start()
    assert daemon.jobs()["rows"]["health"] == "ok", "the store knows it too"
    daemon.edit_job("rows", '"max_span": "3h"', '"max_span": "1h"')
    daemon.ctl("reload")
    again = dead(daemon, "rows")["again"]
    assert again == f"etlctl backfill rows --from {stamp(0)} --to {stamp(HOURS)} --reprocess all"
    assert run_line(daemon, again).json["survey"]["wanted"] == HOURS


def test_partitions_with_names_that_a_shell_would_part(etld, host):
    daemon = etld({"parts": job(host, partitions={"station": ["a b", "c"]})}).start()
    daemon.run("parts", ok=(PARTLY_REJECTED,))
    assert len(dead(daemon, "parts")["letters"]) == 8
    one = dead(daemon, "parts", "--partition", "station=a b")
    assert {letter["partition"] for letter in one["letters"]} == {"station=a b"} == {one["partition"]}
    assert one["again"].endswith(" --partition 'station=a b'")
    assert len(one["letters"]) == 4
    one = dead(daemon, "parts", "--partition", "c", "--window", stamp(2))
    assert [letter["step"] for letter in one["letters"]] == ["load"]
    (hint,) = [h for h in daemon.ctl("why", "parts", "--window", stamp(1), "--partition", "a b").json["hints"]
               if h.startswith("etlctl dead")]
    assert {letter["partition"] for letter in run_line(daemon, hint).json["letters"]} == {"station=a b"}
    page = daemon.ctl("dead", "list", "parts", "--partition", "station=a b", "-n", "3", output="table")
    (line,) = [line for line in page.err.splitlines() if "3 of 4 dead letters" in line]
    assert len(run_line(daemon, line[line.index("etlctl dead"):]).json["letters"]) == 1
    # Of a partition that is no more nothing can be loaded; the command for all of them would not do it.
    gone = dead(daemon, "parts", "--partition", "c", "--window", stamp(2))["letters"][0]["id"]
    assert daemon.ctl("dead", "show", gone).json["again"].endswith(" --partition station=c")
    daemon.write_job("parts", job(host, partitions={"station": ["a b"]}))
    daemon.ctl("reload")
    shown = daemon.ctl("dead", "show", gone).json
    assert shown["letter"]["partition"] == "c" and shown["again"] is None


def letters_of_a_stranger(n):
    """As large as a message may be, in characters that JSON has to write twice."""
    for i in range(n):
        yield {"_id": f"{i:032x}", "job": "rows", "partition": "all", "run_id": "x", "step": "check",
               "rule": "range" if i % 4 else "cast", "path": '"' * 390, "message": '\\"' * 195, "position": i,
               "at": START + dt.timedelta(seconds=i // 7), "first_at": START, "window_start": START,
               "window_end": START + dt.timedelta(hours=1), "raw_is_bson": True,
               "raw": bson.Binary(bson.encode({"n": i}))}


@pytest.fixture(name="many")
def many_letters(metadata):
    many = 5800
    metadata["dead_letters"].insert_many(letters_of_a_stranger(many))
    yield many
    metadata["dead_letters"].delete_many({})  # the stand-in drops a full collection letter by letter


@pytest.mark.slow
def test_a_large_number_is_counted_and_read_page_by_page(etld, host, many):
    daemon = etld({"rows": job(host)}).start()
    cut = daemon.ctl("dead", "list", "rows", "-n", "40", output="table")
    assert f"40 of {many} dead letters, those behind them: etlctl dead list rows -n 40 --before " in cut.err
    assert cut.out.splitlines()[1:3] == [f"check  range     {many * 3 // 4}", f"check  cast      {many // 4}"]
    # No reply is larger than what the socket takes, whatever was asked for; no letter is lost or comes twice.
    seen, before = [], []
    while True:
        page = dead(daemon, "rows", "-n", "10000", *before)
        assert page["total"] == many
        seen += [letter["position"] for letter in page["letters"]]
        if not page["truncated"]:
            break
        assert len(page["letters"]) < 10000  # by its bytes
        before = ["--before", page["before"]]
    assert seen == list(range(many - 1, -1, -1))
    assert not dead(daemon, "rows", "--before", f"{0:032x}")["letters"]


def test_of_a_mongodb_that_is_unreachable(etld, host):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    daemon = etld({"rows": job(host)}, uri=f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=500").start()
    wait_for(lambda: daemon.status()["daemon"]["state"] == "degraded", "the loss is noticed")
    for words in (["list"], ["list", "rows"], ["show", "0123456789ab"]):
        answer = daemon.ctl("dead", *words, ok=(NOT_READY,), output="table")
        assert "MongoDB cannot be asked" in answer.err
    daemon.ctl("dead", "list", "nojob", ok=(NO_SUCH,))


def test_completion_knows_letters(daemon):
    def offered(*words):
        done = subprocess.run([daemon.build / "etlctl", "__complete", *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "ETLD_SOCKET": str(daemon.control)})
        return [line.split("\t")[0] for line in done.stdout.splitlines()]
    ids = [letter["id"] for letter in dead(daemon)["letters"]]
    assert offered("dead", "") == ["list", "show"]
    wait_for(lambda: sorted(offered("dead", "show", "")) == sorted(ids), "the letters")
    wait_for(lambda: offered("dead", "show", ids[0][:12]) == [ids[0]], "the letter")
    wait_for(lambda: offered("dead", "list", "ro") == ["rows"], "the jobs")
    assert {"--window", "--partition", "--limit", "--before"} <= set(offered("dead", "list", "--"))

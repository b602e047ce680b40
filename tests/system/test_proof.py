# SPDX-License-Identifier: MIT
"""What an ordinary mistake leaves behind: nothing is closed without proof, and people see it. A field
that the source renamed, a key that no record has, a source that ignores what it was asked for, a load
that keeps nothing; and a small good run that hides none of it."""
import datetime as dt

from host_sim import HostSim

HOURS = 6
FAILED = 1


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def job(host, start, key=("sensor", "ts"), field="ts", load=None):
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0},
            "window": {"size": "1h", "start": stamp(start), "end": stamp(start + dt.timedelta(hours=HOURS))},
            "extract": {"http": {"url": f"{host.url}/rows", "query": {"from": "{window.start}"}, "records": "/rows",
                                 "time": {"field": field, "format": "%Y-%m-%dT%H:%M:%SZ"}}},
            "load": load or {"mongodb": {"collection": "rows", "key": list(key)}}}


def windows(metadata, name):
    return [(w["state"], w.get("reason", "")) for w in metadata["windows"].find({"job": name}).sort("start", 1)]


def test_ordinary_mistakes_close_nothing(etld, metadata, db):
    start = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    rows = [{"sensor": "a", "ts": stamp(start + dt.timedelta(minutes=20 * i)), "v": i} for i in range(3 * HOURS)]
    old = [{**row, "ts": row["ts"].replace(str(start.year), str(start.year - 1), 1)} for row in rows]
    with HostSim({"rows": rows}) as host, HostSim({"rows": old}) as elsewhere:
        daemon = etld({"renamed": job(host, start, field="time"), "key": job(host, start, key=("sensr", "ts")),
                       "elsewhere": job(elsewhere, start), "nothing": job(host, start, load={"null": {}}),
                       "good": job(host, start)}).start()

        run = daemon.run("renamed", ok=(FAILED,)).json["run"]
        # Each hour is asked for alone, and this host always sends all.
        assert run["state"] == "failed" and run["counts"]["rejected"] == HOURS * len(rows), run["counts"]
        assert run["counts"].get("in", 0) == 0 and run["windows"]["loaded"] == run["windows"]["empty"] == 0
        assert metadata["dead_letters"].count_documents({"job": "renamed"}) == len(rows)  # each once

        run = daemon.run("key", ok=(FAILED,)).json["run"]
        assert run["state"] == "failed" and run["counts"]["rejected"] == len(rows), run["counts"]
        assert {state for state, _ in windows(metadata, "key")} == {"failed"}
        assert run["rejects"][0]["n"] == len(rows) and "sensr" in str(run["rejects"][0])

        run = daemon.run("elsewhere", ok=(FAILED,)).json["run"]
        assert run["counts"]["outside"] == HOURS * len(old) and run["windows"]["empty"] == 0, run
        reasons = {reason for state, reason in windows(metadata, "elsewhere") if state == "failed"}
        assert len(reasons) == HOURS and all(old[0]["ts"] in r and old[-1]["ts"] in r for r in reasons), reasons

        run = daemon.run("nothing", ok=(0, FAILED)).json["run"]
        assert not [w for w in windows(metadata, "nothing") if w[0] in ("loaded", "empty")], run
        assert "keeps nothing" in run["reason"] + str(run["partitions"]), run

        run = daemon.run("good").json["run"]
        assert run["counts"]["inserted"] == len(rows) == db["rows"].count_documents({})
        assert {state for state, _ in windows(metadata, "good")} == {"loaded"}

        jobs = daemon.jobs()
        assert [jobs[name]["health"] for name in ("renamed", "key", "elsewhere", "good")] == \
            ["failing", "failing", "failing", "ok"], jobs
        assert daemon.ctl("status", "--check", ok=None).code == FAILED
        daemon.kill9()
        daemon.start()
        jobs = daemon.jobs()
        assert [jobs[name]["health"] for name in ("renamed", "key", "elsewhere", "good")] == \
            ["failing", "failing", "failing", "ok"], "a restart forgets nothing"
        assert all(jobs[name]["last_run"] for name in ("renamed", "key", "elsewhere", "good"))

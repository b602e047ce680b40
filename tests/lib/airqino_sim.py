#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A simulator of the AirQino platform's v3 service: hourly averages, tokens, misbehaviour.

It has its own clock, serves the open hour with values that change at every call, can rewrite
history, and misbehaves on command. Python's standard library only. As a program:

    airqino_sim.py [--port 0] [--data FILE] [--now 2024-09-09T10:20:00Z] [--control]

prints "listening on http://127.0.0.1:PORT". POST /_control changes it, GET /_control tells
what was asked. As a module: `with AirqinoSim(data=..., now=...) as sim: sim.url`.
It must not be exposed: it listens on 127.0.0.1 and its credentials are public.
"""
import argparse
import base64
import binascii
import collections
import datetime as dt
import email.utils
import gzip
import hashlib
import http.server
import json
import math
import random
import struct
import sys
import threading
import time
import urllib.parse

HOUR = 3600
FIELDS = ("CO", "T", "T. int.", "NO2", "O3", "PM10", "PM2.5", "RH")
YEAR_HOURS = 365 * 24
STATION_1 = "283164601"
STATION_2 = "283181971"
DATA_PATH = "/v3/getStationHourlyAvg/"
TOKEN_PATH = "/realms/airqino/protocol/openid-connect/token"
QUERIES_KEPT = 500
USERS_ETAG = '"users-1"'
STAMP = "%Y-%m-%d %H:%M:%S"
# Coordinates as the real service gives them: the longitudes are wrong at the source.
STATIONS = {
    STATION_1: ("SMART188", 5.3693457, 0.05),
    STATION_2: ("SMART189", 5.3441, 3.957),
}


def utc(value):
    """An aware instant from ISO 8601 text (no zone = UTC), a datetime or epoch seconds."""
    if isinstance(value, (int, float)):
        return dt.datetime.fromtimestamp(value, dt.timezone.utc)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.timezone.utc)
    return value.astimezone(dt.timezone.utc)


def epoch(value):
    return int(utc(value).timestamp())


def stamp(seconds):
    return utc(seconds).strftime(STAMP)


def widen32(value):
    """The double that a float32 becomes when it is widened (5.369345664978027)."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def short32(value):
    """The shortest decimal that is the same float32: how the service writes its values."""
    wanted = struct.pack("<f", value)
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == wanted:
            return short
    return value


def chance(*key):
    """A random generator that depends on the key alone."""
    return random.Random(":".join(str(part) for part in key))


class Archive:
    """The platform's final hourly rows: from a captured year, or from a generator."""

    def __init__(self, data=None, seed=1):
        self.seed = seed
        self.captured = None
        self.first_hour = 0
        self.last_hour = None
        self.rows = {}
        self.patterns = {}
        self.lock = threading.Lock()
        if data:
            self.load(data)

    def load(self, path):
        with open(path, encoding="utf-8") as file:
            body = json.load(file)
        self.captured = {}
        for row in body["data"]:
            hour = epoch(row["timestamp"]) // HOUR
            self.captured[hour] = {k: v for k, v in row.items() if k != "timestamp"}
        self.first_hour = min(self.captured)
        self.last_hour = max(self.captured)

    def row(self, station, hour):
        """The final values of an hour (start of hour, in hours since 1970), or None."""
        key = (station, hour)
        with self.lock:
            if key not in self.rows:
                self.rows[key] = self.make(station, hour)
            return self.rows[key]

    def once(self, make, *key):
        """make(*key), remembered: a week's or a station's pattern serves many hours."""
        if (make, key) not in self.patterns:
            self.patterns[make, key] = make(*key)
        return self.patterns[make, key]

    def make(self, station, hour):
        base = self.base(hour)
        if base is None or station == STATION_1:
            return base
        if self.is_off(station, hour):
            return None
        return self.other_station(station, base)

    def base(self, hour):
        """Station 1. Outside the captured year its pattern repeats, by whole days."""
        if self.captured is not None:
            back = (hour - self.first_hour) % YEAR_HOURS + self.first_hour
            return self.captured.get(back)
        return None if self.in_long_gap(hour) else self.generate(hour)

    def in_long_gap(self, hour):
        """One gap of 9 to 135 hours in about every tenth week."""
        begin, end = self.once(self.gap_of_week, hour // 168)
        return begin <= hour % 168 < end

    def gap_of_week(self, week):
        dice = chance(self.seed, "gap", week)
        if dice.random() > 0.1:
            return 0, 0
        length = dice.randint(9, 135)
        begin = dice.randint(0, 168 - length)
        return begin, begin + length

    def generate(self, hour):
        dice = chance(self.seed, "hour", hour)
        day = math.sin(2 * math.pi * ((hour % 24) - 9) / 24)
        season = math.sin(2 * math.pi * (hour % YEAR_HOURS) / YEAR_HOURS)
        pm25 = max(0.0, 9 + 6 * season - 3 * day + dice.gauss(0, 2.5))
        values = {
            "CO": 0.0 if dice.random() < 0.9 else dice.uniform(0, 2),
            "T": 27.5 + 3.5 * day + season + dice.gauss(0, 0.6),
            "T. int.": 400 + 30 * day + dice.gauss(0, 12),
            "NO2": 20 + 2 * day + dice.gauss(0, 1),
            "O3": max(0.0, 24 + 12 * day + dice.gauss(0, 4)),
            "PM10": pm25 * dice.uniform(1.4, 2.8) + 1,
            "PM2.5": pm25,
            "RH": min(99.8, max(26.0, 78 - 14 * day + dice.gauss(0, 5))),
        }
        if dice.random() < 0.015:
            del values["RH"]
        # An hour is the mean of about 30 samples.
        return {k: short32(round(v * 30) / 30) for k, v in values.items()}

    def is_off(self, station, hour):
        """Switched off at night (20 to 7) and from Saturday 13 to Monday 7, for whole weeks."""
        week, in_week = divmod(hour + 72, 168)  # Mondays; 1970-01-01 was a Thursday
        if not self.once(self.is_off_week, station, week):
            return False
        of_day = in_week % 24
        weekend = in_week >= 5 * 24 + 13 or in_week < 7
        return weekend or of_day >= 20 or of_day < 7

    def is_off_week(self, station, week):
        odds = 0.4 if station == STATION_2 else 0.1
        return chance(self.seed, "off", station, week).random() < odds

    def other_station(self, station, base):
        """Another station's values: moved and stretched, so that none is equal by chance."""
        factor, offset = self.once(self.stretch, station)
        row = {k: short32(v * factor[k] + offset[k]) for k, v in base.items()}
        if "RH" in row:
            row["RH"] = min(row["RH"], 99.9)
        return row

    def stretch(self, station):
        dice = chance("station", station)
        factor = {f: dice.uniform(0.75, 1.3) for f in FIELDS}
        offset = {f: dice.uniform(0.05, 0.9) for f in FIELDS}
        factor["PM10"] = factor["PM2.5"] * 1.05
        offset["PM10"] = offset["PM2.5"] + 0.1
        return factor, offset


class Clock:
    """Stands where it was put, runs from there, or is the real time (start = None)."""

    def __init__(self, start=None):
        self.set(start)

    def set(self, start, running=False):
        self.start = None if start in (None, "real") else utc(start)
        self.since = time.monotonic() if running else None

    def now(self):
        if self.start is None:
            return dt.datetime.now(dt.timezone.utc)
        if self.since is None:
            return self.start
        return self.start + dt.timedelta(seconds=time.monotonic() - self.since)

    def advance(self, seconds):
        self.set(self.now() + dt.timedelta(seconds=seconds), running=self.since is not None)


class Tokens:
    """The platform's token endpoint: what was given out, and until when it holds."""

    def __init__(self, clock):
        self.clock = clock
        self.client_id = "etl"
        self.client_secret = "sim-client-secret"
        self.username = "reader"
        self.password = "sim-password"
        self.expires_in = 300       # what the answer says
        self.lifetime = None        # what is true; None = the same
        self.refresh_expires_in = 1800
        self.as_string = False      # "expires_in": "300"
        self.refuse = False
        self.refuse_refresh = False
        self.give_refresh = True
        self.access = {}
        self.refresh = {}
        self.grants = collections.Counter()
        self.number = 0

    def revoke(self):
        self.access.clear()

    def is_valid(self, token):
        return self.access.get(token, 0) > self.clock.now().timestamp()

    def refused(self, error, text, status=400):
        return status, {"error": error, "error_description": text}

    def grant(self, form, basic):
        """The answer to a form: (status, body)."""
        kind = form.get("grant_type", "")
        client, secret = basic or (form.get("client_id"), form.get("client_secret"))
        if (client, secret) != (self.client_id, self.client_secret) or self.refuse:
            return self.refused("invalid_client", "Invalid client or Invalid client credentials", 401)
        if kind == "password":
            if (form.get("username"), form.get("password")) != (self.username, self.password):
                return self.refused("invalid_grant", "Invalid user credentials", 401)
        elif kind == "refresh_token":
            until = self.refresh.pop(form.get("refresh_token"), 0)
            if self.refuse_refresh or until <= self.clock.now().timestamp():
                return self.refused("invalid_grant", "Token is not active")
        elif kind != "client_credentials":
            return self.refused("unsupported_grant_type", "Unsupported grant_type")
        self.grants[kind] += 1
        return 200, self.make(with_refresh=self.give_refresh and kind != "client_credentials")

    def make(self, with_refresh):
        self.number += 1
        now = self.clock.now().timestamp()
        lifetime = self.expires_in if self.lifetime is None else self.lifetime
        digest = hashlib.sha256(f"token {self.number}".encode()).hexdigest()
        self.access[digest] = now + lifetime
        body = {
            "access_token": digest,
            "expires_in": str(self.expires_in) if self.as_string else self.expires_in,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "openid",
        }
        if with_refresh:
            body["refresh_token"] = "r" + digest[::-1]
            body["refresh_expires_in"] = self.refresh_expires_in
            self.refresh[body["refresh_token"]] = now + self.refresh_expires_in
        return body


class Answer:
    """What goes out: status, headers, body bytes, and how the sending is spoilt."""

    def __init__(self, status=200, body=b"", kind="application/json"):
        self.status = status
        self.body = body
        self.headers = {"Content-Type": kind} if kind else {}
        self.cut = None       # send only this share of the body, then close
        self.chunked = False

    @classmethod
    def json(cls, value, status=200):
        return cls(status, json.dumps(value, separators=(",", ":")).encode())


# Faults that replace the whole answer: kind -> (body, content type).
BODIES = {
    "empty_object": (b"{}", "application/json"),
    "null": (b"null", "application/json"),
    "empty": (b"", "application/json"),
    "html": (b"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head></html>\n", "text/html"),
    "text": (b"Wrong ip address", "text/plain"),
}
# Faults of one row in the middle: kind -> what stands in front of the row's first key.
ROW_TEXTS = {
    "big_integer": b'"count":9007199254740993,',
    "lone_surrogate": b'"note":"\\ud800",',
    "nan": b'"index":NaN,',
    "bad_utf8": b'"note":"\xff\xfe",',
    "duplicate_key": b'"index":1,"index":2,',
    "null_byte_key": b'"a\\u0000b":1,',
    "deep": b'"deep":' + b"[" * 200 + b"]" * 200 + b",",
}
FAULT_KINDS = set(BODIES) | set(ROW_TEXTS) | {
    "status", "redirect", "hang", "truncate", "truncate_chunked", "chunked", "future_row",
    "close",
}


def users():
    """Ten invented users, nested as such services do."""
    names = ("Awa Kone", "Bruno Dali", "Chloe Amon", "Driss Sefu", "Elise Toure",
             "Fanta Yao", "Gael Rossi", "Hana Mori", "Ines Braga", "Jonas Falk")
    out = []
    for i, name in enumerate(names, 1):
        first, last = name.lower().split()
        out.append({
            "id": i, "name": name, "username": first,
            "email": f"{first}.{last}@example.org",
            "address": {"street": f"Rue {i * 7}", "suite": f"Apt. {100 + i}", "city": "Abidjan",
                        "zipcode": f"{10000 + i * 137}",
                        "geo": {"lat": f"{5.3 + i / 100:.4f}", "lng": f"{-4.0 - i / 100:.4f}"}},
            "phone": f"+225 01 02 03 {i:02d}", "website": f"{first}.example.org",
            "company": {"name": f"{last.title()} SA", "catchPhrase": f"Air {i}",
                        "bs": "measure the air"},
        })
    return out


class AirqinoSim:
    """The service. Thread-safe; start() and stop(), or use it in a `with`."""

    def __init__(self, port=0, data=None, now=None, seed=1, control=True):
        self.lock = threading.RLock()
        self.archive = Archive(data, seed)
        self.clock = Clock(now)
        self.tokens = Tokens(self.clock)
        self.control_open = control
        self.require_auth = False
        self.bounds = "[]"
        self.gzip = False
        self.late_hours = {}
        self.hidden = []
        self.recalibrations = []
        self.faults = []
        self.open_calls = 0
        self.counts = collections.Counter()
        self.queries = collections.deque(maxlen=QUERIES_KEPT)
        self.ended = threading.Event()
        handler = type("Handler", (Handler,), {"sim": self})
        self.server = Server(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = None

    # ---- life ----------------------------------------------------------------------
    def start(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def stop(self):
        self.ended.set()
        if self.thread:
            self.server.shutdown()
            self.thread.join()
            self.thread = None
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def now(self):
        return self.clock.now()

    @property
    def token_url(self):
        return self.url + TOKEN_PATH

    # ---- what is true --------------------------------------------------------------
    def final(self, station, hour):
        """An hour's final values after all recalibrations; None = there is no row."""
        at = hour * HOUR
        if any(h["station"] in (None, station) and h["from"] <= at < h["to"] for h in self.hidden):
            return None
        row = self.archive.row(station, hour)
        if row is None:
            return None
        row = dict(row)
        for r in self.recalibrations:
            if r["station"] in (None, station) and r["from"] <= at < r["to"] and r["field"] in row:
                row[r["field"]] = short32(row[r["field"]] * r["factor"] + r["offset"])
        return row

    def last_final_hour(self, station):
        """The newest hour whose final value is already served."""
        late = self.late_hours.get(station, self.late_hours.get(None, 0))
        return int(self.now.timestamp()) // HOUR - 1 - late

    def truth(self, station, start, end):
        """The rows of [start, end) that are final by now, as they should be stored."""
        with self.lock:
            begin = -(-epoch(start) // HOUR)
            last = min(-(-epoch(end) // HOUR) - 1, self.last_final_hour(str(station)))
            rows = []
            for hour in range(begin, last + 1):
                row = self.final(str(station), hour)
                if row is not None:
                    rows.append({"timestamp": stamp(hour * HOUR), **row})
            return rows

    def daily_means(self, station, start, end, fields=FIELDS):
        """{"2024-09-01": {"samples": 24, "CO": mean, ...}}; an absent value does not count."""
        days = {}
        for row in self.truth(station, start, end):
            days.setdefault(row["timestamp"][:10], []).append(row)
        means = {}
        for day, rows in days.items():
            means[day] = {"samples": len(rows)}
            for field in fields:
                values = [row[field] for row in rows if field in row]
                if values:
                    means[day][field] = math.fsum(values) / len(values)
        return means

    # ---- what is served ------------------------------------------------------------
    def open_row(self, station, hour):
        """The hour in progress: another value at every call, never the final one."""
        row = self.final(station, hour)
        if row is None:
            return None
        self.open_calls += 1
        step = self.open_calls % 997 + 1
        return {k: short32(v * 0.5 + step / 30 + 0.01) for k, v in row.items()}

    def in_bounds(self, at, start, end):
        after = at >= start if self.bounds[0] == "[" else at > start
        before = at <= end if self.bounds[1] == "]" else at < end
        return after and before

    def rows(self, station, start, end):
        """The rows of a request, the open hour included, the future never."""
        open_hour = int(self.now.timestamp()) // HOUR
        newest = self.last_final_hour(station)
        out = []
        for hour in range(start // HOUR, min(end // HOUR, open_hour) + 1):
            if not self.in_bounds(hour * HOUR, start, end):
                continue
            row = None
            if hour <= newest:
                row = self.final(station, hour)
            elif hour == open_hour and newest == open_hour - 1:
                row = self.open_row(station, hour)
            if row is not None:
                out.append({"timestamp": stamp(hour * HOUR), **row})
        return out

    def header(self, station):
        dice = chance("place", station)
        name, lat, lon = STATIONS.get(
            station, (f"SMART{dice.randint(200, 999)}", dice.uniform(5, 6), dice.uniform(3, 4)))
        return {"station_name": name, "station_lat": widen32(lat), "station_lon": widen32(lon)}

    def span(self, query):
        """(start, end) in epoch seconds; ValueError on unreadable text."""
        def read(names):
            for name in names:
                if name in query:
                    at = dt.datetime.strptime(query[name][-1], "%Y%m%d-%H%M")
                    return epoch(at)
            return None

        start = read(("start_date", "dt_from_string"))
        end = read(("end_date", "dt_to_string"))
        if end is None:
            end = int(self.now.timestamp()) // HOUR * HOUR
        if start is None:
            start = end // HOUR * HOUR - (YEAR_HOURS - 1) * HOUR
        return start, end

    def answer_data(self, station, query, faults):
        if not (station.isascii() and station.isdigit()):
            return Answer.json({"error": "unknown station"}, 404)
        try:
            start, end = self.span(query)
        except ValueError:
            return Answer.json({"error": "bad date"}, 400)
        rows = self.rows(station, start, end)
        kinds = [f["kind"] for f in faults]
        if "future_row" in kinds:
            ahead = (int(self.now.timestamp()) // HOUR + 48) * HOUR
            rows.append({"timestamp": stamp(ahead), "CO": 0.1, "PM2.5": 1.5})
        texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
        for kind in kinds:
            if kind in ROW_TEXTS and texts:
                i = len(texts) // 2
                texts[i] = b"{" + ROW_TEXTS[kind] + texts[i][1:]
        header = json.dumps(self.header(station), separators=(",", ":")).encode()
        return Answer(200, b'{"header":' + header + b',"data":[' + b",".join(texts) + b"]}")

    # ---- misbehaviour --------------------------------------------------------------
    def fault(self, kind, times=1, station=None, path=None, **more):
        """Arms a fault for the next `times` matching requests (None = always)."""
        if kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault '{kind}'")
        with self.lock:
            self.faults.append({"kind": kind, "times": times, "path": path,
                                "station": None if station is None else str(station), **more})

    def clear_faults(self):
        with self.lock:
            self.faults.clear()

    def take_faults(self, path, station):
        taken = []
        for fault in list(self.faults):
            if fault["station"] is not None and fault["station"] != station:
                continue
            if not path.startswith(fault["path"] or (DATA_PATH if station else "/users")):
                continue
            taken.append(fault)
            if fault["times"] is not None:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
        return taken

    def early_answer(self, faults):
        """The answer of a fault that needs no data, or None."""
        for fault in faults:
            if fault["kind"] == "status":
                answer = Answer(fault["code"], fault.get("body", "{}").encode())
                if "retry_after" in fault:
                    answer.headers["Retry-After"] = str(fault["retry_after"])
                if "retry_after_date" in fault:
                    at = self.now + dt.timedelta(seconds=fault["retry_after_date"])
                    answer.headers["Retry-After"] = email.utils.format_datetime(at, usegmt=True)
                return answer
            if fault["kind"] == "redirect":
                answer = Answer(fault.get("code", 302))
                answer.headers["Location"] = fault["location"]
                return answer
            if fault["kind"] in BODIES:
                body, kind = BODIES[fault["kind"]]
                return Answer(200, body, kind)
        return None

    def spoil(self, answer, faults):
        for fault in faults:
            if fault["kind"] in ("truncate", "truncate_chunked"):
                answer.cut = fault.get("share", 0.5)
            if fault["kind"] in ("chunked", "truncate_chunked"):
                answer.chunked = True

    def recalibrate(self, start, end, field, station=None, factor=1.0, offset=0.0):
        """Rewrites history in [start, end): value * factor + offset."""
        if field not in FIELDS:
            raise ValueError(f"unknown field '{field}'")
        with self.lock:
            self.recalibrations.append({
                "station": None if station is None else str(station), "from": epoch(start),
                "to": epoch(end), "field": field, "factor": float(factor),
                "offset": float(offset)})

    def hide(self, start, end, station=None):
        """Rows of [start, end) are absent until reveal(): late data."""
        with self.lock:
            self.hidden.append({"station": None if station is None else str(station),
                                "from": epoch(start), "to": epoch(end)})

    def reveal(self):
        with self.lock:
            self.hidden.clear()

    # ---- control -------------------------------------------------------------------
    def control(self, order):
        """Does what a POST /_control says; ValueError, KeyError or TypeError if it cannot."""
        if not isinstance(order, dict):
            raise ValueError("an object is wanted")
        actions = {
            "now": lambda v: self.clock.set(v, running=bool(order.get("running"))),
            "running": lambda v: None,
            "advance": self.clock.advance,
            "require_auth": lambda v: setattr(self, "require_auth", bool(v)),
            "bounds": self.set_bounds,
            "gzip": lambda v: setattr(self, "gzip", bool(v)),
            "late_hours": self.set_late,
            "token": self.set_token,
            "recalibrate": lambda v: self.recalibrate(
                v["from"], v["to"], v["field"], v.get("station"), v.get("factor", 1.0),
                v.get("offset", 0.0)),
            "hide": lambda v: self.hide(v["from"], v["to"], v.get("station")),
            "reveal": lambda v: self.reveal(),
            "clear_faults": lambda v: self.clear_faults(),
            "fault": lambda v: self.fault(**v),
            "reset_counts": lambda v: self.reset_counts(),
        }
        unknown = set(order) - set(actions)
        if unknown:
            raise ValueError("unknown: " + ", ".join(sorted(unknown)))
        with self.lock:
            for name, value in order.items():
                actions[name](value)

    def set_bounds(self, bounds):
        if bounds not in ("[]", "[)", "(]", "()"):
            raise ValueError("bounds are one of [] [) (] ()")
        self.bounds = bounds

    def set_late(self, value):
        if not isinstance(value, dict):
            value = {None: value}
        self.late_hours = {k: int(v) for k, v in value.items()}

    def set_token(self, settings):
        for name, value in settings.items():
            if name == "revoke":
                self.tokens.revoke()
            elif name in ("expires_in", "lifetime", "refresh_expires_in", "as_string", "refuse",
                          "refuse_refresh", "give_refresh", "client_id", "client_secret",
                          "username", "password"):
                setattr(self.tokens, name, value)
            else:
                raise ValueError(f"unknown token setting '{name}'")

    def reset_counts(self):
        self.counts.clear()
        self.queries.clear()

    def state(self):
        with self.lock:
            return {
                "now": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "require_auth": self.require_auth,
                "bounds": self.bounds,
                "gzip": self.gzip,
                "faults": list(self.faults),
                "grants": dict(self.tokens.grants),
                "counts": [{"path": p, "station": s, "status": c, "n": n}
                           for (p, s, c), n in sorted(self.counts.items(), key=str)],
                "queries": list(self.queries),
            }

    def count(self, station=None, status=None, path=None):
        """How many answers were given (status 0 = the connection was closed instead)."""
        with self.lock:
            return sum(n for (p, s, c), n in self.counts.items()
                       if (station is None or s == str(station)) and
                       (status is None or c == status) and (path is None or p == path))

    def note(self, request, station, status):
        path = DATA_PATH.rstrip("/") if station is not None else request["path"]
        with self.lock:
            self.counts[(path, station, status)] += 1
            self.queries.append({**request, "station": station, "status": status})


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that was killed is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. `sim` is set by the simulator that made this class."""

    sim = None
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # noqa: A002 - the base class names it so
        pass

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = 0
        self.serve(self.rfile.read(min(length, 1 << 20)))

    def serve(self, body):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        if url.path == "/_control":
            return self.send(self.do_control(body))
        station = None
        if url.path.startswith(DATA_PATH):
            station = urllib.parse.unquote(url.path[len(DATA_PATH):])
        with self.sim.lock:
            faults = self.sim.take_faults(url.path, station)
        for fault in faults:
            if fault["kind"] == "hang" and self.sim.ended.wait(fault.get("seconds", 35)):
                self.close_connection = True
                return None
        request = {"method": self.command, "path": url.path, "query": query,
                   "authorization": "Authorization" in self.headers,
                   "user_agent": self.headers.get("User-Agent", ""),
                   "accept_encoding": self.headers.get("Accept-Encoding", "")}
        if any(f["kind"] == "close" for f in faults):
            self.sim.note(request, station, 0)
            self.close_connection = True
            return None
        with self.sim.lock:
            answer = self.answer(url.path, station, query, body, faults)
            self.sim.spoil(answer, faults)
        self.sim.note(request, station, answer.status)
        return self.send(answer)

    def answer(self, path, station, query, body, faults):
        early = self.sim.early_answer(faults)
        if early:
            return early
        if path == TOKEN_PATH and self.command == "POST":
            return self.answer_token(body)
        if self.command != "GET":
            return Answer.json({"error": "method"}, 405)
        if path == "/users":
            return self.answer_users()
        if station is None:
            return Answer.json({"error": "no such path"}, 404)
        if self.sim.require_auth and not self.is_authorised():
            return Answer(401, b"{}")
        return self.sim.answer_data(station, query, faults)

    def answer_users(self):
        if self.headers.get("If-None-Match") == USERS_ETAG:
            answer = Answer(304, b"", None)
        else:
            answer = Answer.json(users())
        answer.headers["ETag"] = USERS_ETAG
        return answer

    def is_authorised(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.sim.tokens.is_valid(token)

    def answer_token(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        basic = None
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(text, validate=True).decode().split(":", 1)
                basic = tuple(urllib.parse.unquote_plus(part) for part in pair)
            except (binascii.Error, UnicodeDecodeError):
                basic = ("", "")
        status, value = self.sim.tokens.grant(form, basic)
        return Answer.json(value, status)

    def do_control(self, body):
        if not self.sim.control_open:
            return Answer.json({"error": "control is closed"}, 404)
        if self.command == "POST":
            try:
                self.sim.control(json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return Answer.json({"error": str(error)}, 400)
        return Answer.json(self.sim.state())

    def send(self, answer):
        body = answer.body
        if self.sim.gzip and body and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 6, mtime=0)
            answer.headers["Content-Encoding"] = "gzip"
        whole = len(body)
        if answer.cut is not None:
            body = body[:int(whole * answer.cut)]
            self.close_connection = True
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            elif answer.status not in (204, 304):
                self.send_header("Content-Length", str(whole))
            self.end_headers()
            if answer.chunked:
                self.send_chunks(body, complete=answer.cut is None)
            elif answer.status not in (204, 304):
                self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send_chunks(self, body, complete):
        for i in range(0, len(body), 8192):
            piece = body[i:i + 8192]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if complete:
            self.wfile.write(b"0\r\n\r\n")


def main(argv=None):
    parser = argparse.ArgumentParser(description="A simulator of the AirQino v3 service.")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument("--data", help="a captured year (JSON); without it rows are generated")
    parser.add_argument("--now", help="ISO 8601; without it the clock is real")
    parser.add_argument("--running", action="store_true", help="the clock runs on from --now")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--require-auth", action="store_true")
    parser.add_argument("--control", action="store_true", help="opens /_control")
    args = parser.parse_args(argv)
    sim = AirqinoSim(args.port, args.data, args.now, args.seed, args.control)
    if args.running and args.now:
        sim.clock.set(args.now, running=True)
    sim.require_auth = args.require_auth
    print(f"listening on {sim.url}", flush=True)
    try:
        sim.server.serve_forever(0.1)
    except KeyboardInterrupt:
        pass
    finally:
        sim.ended.set()
        sim.server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

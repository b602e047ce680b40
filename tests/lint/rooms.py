# SPDX-License-Identifier: MIT
"""The arrows between the rooms, and who may include which library.

Quoted includes go from a room to itself or along ARROWS; a third party's header is included
by its OWNERS alone; the rooms from plan to tell know contracts and no concrete plugin.
"""
import os
import re

import tree

UP_TO_RECORD = ["base", "time", "conf", "record"]
UP_TO_STATE = [*UP_TO_RECORD, "mongo", "reshape", "format", "source", "transform", "check", "sink", "state"]
UP_TO_RUN = [*UP_TO_STATE, "plan", "job", "sched", "run"]
LIBRARY = [*UP_TO_RUN, "flow", "ops", "tell", "ctl"]
FLOORS = ["io", "config", "engine", "facts", "methods", "doors"]  # of the daemon, upwards
ARROWS = {  # room -> the rooms whose headers it may include
    "base": [],
    "time": ["base"],
    "conf": ["base", "time"],
    "record": ["base", "time", "conf"],
    "mongo": UP_TO_RECORD,
    "reshape": UP_TO_RECORD,
    "format": [*UP_TO_RECORD, "reshape"],
    "source": [*UP_TO_RECORD, "mongo", "reshape", "format"],
    "transform": [*UP_TO_RECORD, "reshape"],
    "check": UP_TO_RECORD,
    "sink": [*UP_TO_RECORD, "mongo"],
    "state": [*UP_TO_RECORD, "mongo"],
    "plan": UP_TO_STATE,
    "job": [*UP_TO_STATE, "plan"],
    "sched": ["base", "time", "plan", "job"],
    "run": [*UP_TO_STATE, "plan", "job", "sched"],
    "flow": UP_TO_RUN,
    "ops": UP_TO_RUN,
    "tell": [*UP_TO_RUN, "flow", "ops"],
    "ctl": ["base"],
    "lib": LIBRARY,
    "daemon": [*LIBRARY, "lib", *FLOORS],
    "etlctl": ["base", "ctl"],
}
ARROWS["daemon/io"] = [*UP_TO_RECORD, "source", "lib"]
for floor in FLOORS[1:]:
    ARROWS[f"daemon/{floor}"] = [*LIBRARY, "lib", *(f"daemon/{below}" for below in FLOORS[:FLOORS.index(floor)])]
ARROWS["daemon"] = [*LIBRARY, "lib", *(f"daemon/{floor}" for floor in FLOORS)]
PLUGIN_ROOMS = ["source", "reshape", "format", "transform", "check", "sink"]
KNOW_CONTRACTS = ["plan", "job", "sched", "run", "flow", "ops", "tell"]
OWNERS = {  # how a third party's header begins -> where it may be included (path prefixes)
    "cjson/": ["lib/base/json."],
    "cJSON": ["lib/base/json."],
    "xxhash": ["lib/base/hash."],
    "yaml.h": ["lib/conf/"],
    "csv.h": ["lib/format/format_csv.c"],
    "mongoc": ["lib/mongo/", "lib/sink/", "lib/source/", "lib/state/"],
    "bson": ["lib/conf/document.", "lib/record/", "lib/mongo/", "lib/source/", "lib/transform/",
             "lib/check/", "lib/sink/", "lib/state/", "lib/job/", "lib/run/", "lib/flow/", "lib/tell/", "daemon/"],
    "ev.h": ["daemon/io/loop.", "tests/bench/bench_wheel."],  # there libev is what we measure beside
    "uthash.h": ["daemon/"],
    "utlist.h": ["daemon/"],
    "curl/": ["daemon/io/http.", "daemon/io/http_failure."],
    "systemd/": ["daemon/io/journal.", "daemon/io/notify.", "daemon/etlctl/"],
    "microhttpd": ["daemon/web."],
    "librdkafka": ["lib/sink/sink_kafka."],
    "emmintrin.h": ["lib/record/json_"],  # SSE2, behind #if
    "openssl/": ["lib/base/", "lib/source/http/"],
    "iconv.h": ["lib/format/charset."],
}
LARGEST_CIRCLE = 3
NOT_BSON = ["daemon/etlctl/"]
# Tests may use what libetl is made of; the daemon's own libraries only by right.
NOT_IN_TESTS = ["ev.h", "curl/", "systemd/", "microhttpd"]
SYSTEM = re.compile(
    r"^((sys|netinet|arpa|net|linux)/[a-z0-9_]+\.h|(aio|assert|ctype|dirent|endian|errno|fcntl|"
    r"float|fnmatch|getopt|glob|grp|inttypes|limits|locale|malloc|math|netdb|poll|pthread|pwd|"
    r"sched|semaphore|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|"
    r"stdnoreturn|string|strings|sysexits|syslog|termios|time|unistd|wchar)\.h)$")


def room_of(path):
    parts = path.split("/")
    if parts[0] == "lib":
        return parts[1] if len(parts) > 2 else "lib"
    if parts[0] == "daemon" and len(parts) > 2:
        return "etlctl" if parts[1] == "etlctl" else f"daemon/{parts[1]}"
    if parts[0] == "daemon":
        return "daemon"
    return None


def resolve(path, name, known):
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    for candidate in (beside, "lib/" + name, "daemon/" + name):
        if candidate in known:
            return candidate
    return None


def wrong_quoted(path, name, known):
    target = resolve(path, name, known)
    if target is None:
        return f'{path} includes "{name}", which is nowhere'
    here, there = room_of(path), room_of(target)
    if there != here and there not in ARROWS.get(here, []):
        return f"{path} -> {target}: {here} must not include {there}"
    if here in KNOW_CONTRACTS and there in PLUGIN_ROOMS and name != f"{there}/{there}.h":
        return f"{path} -> {target}: {here} knows only the contract {there}/{there}.h"
    return None


def wrong_angled(path, name):
    for begin, owners in OWNERS.items():
        if name.startswith(begin):
            allowed = any(path.startswith(owner) for owner in owners)
            if begin == "bson" and any(path.startswith(folder) for folder in NOT_BSON):
                allowed = False
            return None if allowed else f"{path} includes <{name}>, which belongs to {', '.join(owners)}"
    return None if SYSTEM.match(name) else f"{path} includes <{name}>, which has no owner in {__file__}"


def includes(path):
    text = tree.code_only(tree.read(path), keep_strings=True)
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', text, re.M)


def circles(known):
    """Sets of more than LARGEST_CIRCLE files (a .c with its .h) in which each leads to each by includes."""
    leads = {}
    for path in known:
        here = os.path.splitext(path)[0]
        targets = (resolve(path, name, known) for opening, name in includes(path) if opening == '"')
        leads.setdefault(here, set()).update(os.path.splitext(t)[0] for t in targets if t)
    reached = {file: reach(leads, file) for file in leads}
    sets = {frozenset([file, *(t for t in reached[file] if file in reached.get(t, ()))]) for file in leads}
    return ["a circle of " + ", ".join(sorted(s)) for s in sorted(sets, key=sorted) if len(s) > LARGEST_CIRCLE]


def reach(leads, file):
    found, ahead = set(), [file]
    while ahead:
        fresh = leads.get(ahead.pop(), set()) - found
        found |= fresh
        ahead += fresh
    return found


def main():
    report = tree.Report("rooms")
    known = {f for f in tree.files(".c", ".h") if room_of(f)}
    rooms = sorted({room_of(f) for f in known})
    report.check("every room is known", [f"no arrows for {r}" for r in rooms if r not in ARROWS])
    for room in rooms:
        problems = []
        for path in sorted(f for f in known if room_of(f) == room):
            for opening, name in includes(path):
                problem = wrong_quoted(path, name, known) if opening == '"' else wrong_angled(path, name)
                problems += [problem] if problem else []
        report.check(f"includes of {room}", problems)
    report.check("no circle of many files", circles(known))
    wrong = [wrong_angled(path, name) for path in sorted(tree.files(".c", ".h")) if path.startswith("tests/")
             for opening, name in includes(path) if opening == "<" and name.startswith(tuple(NOT_IN_TESTS))]
    report.check("the daemon's libraries in tests", [w for w in wrong if w])
    report.end()


if __name__ == "__main__":
    main()

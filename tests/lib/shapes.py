# SPDX-License-Identifier: MIT
"""Shapes of answers: which members an object has, of which types, without their values.

    shape = shapes.of(reply)                    # of one answer; shapes.of(other, shape) adds another one's
    shapes.strangers(reply, shape, "Status")    # what the reply has and the shape has not, in words
    shapes.lacks(old, new, "Status")            # what the old shape has and the new one has not
    shapes.recorded()                           # by method: what a real etld once answered (etld_shapes.txt)

A shape: {"types": {"object"}, "members": {name: shape}, "elements": shape of an array's elements or None}.
"""
import pathlib

RECORD = pathlib.Path(__file__).with_name("etld_shapes.txt")
# Names are data here, not members: what is counted, by name.
TALLIES = {"counts", "windows", "summary"}
ANY = "*"


def type_of(value):
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else "number" if type(value) in (int, float) else type(value).__name__


def of(value, found=None, name=""):
    """Of this value and of all that were looked at before."""
    found = found if found is not None else empty()
    found["types"].add(type_of(value))
    if isinstance(value, dict):
        for key, member in value.items():
            key = ANY if name in TALLIES else key
            found["members"][key] = of(member, found["members"].get(key), key)
    elif isinstance(value, list):
        for element in value:
            found["elements"] = of(element, found["elements"])
    return found


def strangers(value, shape, path):
    """Null fits everywhere: who prints an answer has to cope with it."""
    kind = type_of(value)
    if kind != "null" and kind not in shape["types"]:
        return [f"{path} is {kind}, etld says {sorted(shape['types'])}"]
    found = []
    if kind == "object":
        for name, member in value.items():
            known = shape["members"].get(name) or shape["members"].get(ANY)
            found += strangers(member, known, f"{path}.{name}") if known else [f"{path}.{name} is not etld's"]
    elif kind == "array":
        for element in value:
            found += strangers(element, shape["elements"], f"{path}[]") if shape["elements"] else [
                f"{path}[]: etld's was always empty"]
    return found


def lacks(old, new, path):
    """Where the new one has such an object at all."""
    found = [f"{path}.{name} is gone" for name in sorted(old["members"].keys() - new["members"].keys()) if new["members"]]
    for name in sorted(old["members"].keys() & new["members"].keys()):
        found += lacks(old["members"][name], new["members"][name], f"{path}.{name}")
    if old["elements"] and new["elements"]:
        found += lacks(old["elements"], new["elements"], f"{path}[]")
    return found


def news(old, new, path):
    """Members and types that the new shape has and the old one has not."""
    found = [f"{path} is {kind} now" for kind in sorted(new["types"] - old["types"])]
    for name, member in sorted(new["members"].items()):
        known = old["members"].get(name)
        found += news(known, member, f"{path}.{name}") if known else [f"{path}.{name} is new"]
    if new["elements"]:
        found += news(old["elements"], new["elements"], f"{path}[]") if old["elements"] else [f"{path}[] is new"]
    return found


def names(shape):
    """Of all members, at any depth."""
    found = set(shape["members"]) - {ANY}
    for member in shape["members"].values():
        found |= names(member)
    return found | (names(shape["elements"]) if shape["elements"] else set())


def lines(shape, path):
    yield f"{path} {'|'.join(sorted(shape['types']))}"
    for name, member in sorted(shape["members"].items()):
        yield from lines(member, f"{path}.{name}")
    if shape["elements"]:
        yield from lines(shape["elements"], f"{path}.[]")


def empty():
    return {"types": set(), "members": {}, "elements": None}


def recorded():
    found = {}
    for line in RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []:
        if line.startswith("#"):
            continue
        path, types = line.split(" ")
        method, *names_below = path.split(".")
        shape = found.setdefault(method, empty())
        for name in names_below:
            if name == "[]":
                shape["elements"] = shape["elements"] or empty()
            shape = shape["elements"] if name == "[]" else shape["members"].setdefault(name, empty())
        shape["types"] = set(types.split("|"))
    return found


def record(real):
    RECORD.write_text("# What a real etld answered: test_shapes.py with ETLD_TEST_RECORD=1\n" + "".join(
        line + "\n" for method in sorted(real) for line in lines(real[method], method)), encoding="utf-8")

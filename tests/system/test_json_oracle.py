# SPDX-License-Identifier: MIT
"""The JSON decoder against Python's json and decimal: values exact, types by the rules."""
import decimal
import json
import os
import random
import subprocess

import pytest

from driver import build_driver

INT32, INT64, DOUBLE, DECIMAL = "10", "12", "01", "13"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return build_driver(tmp_path_factory.mktemp("json"), "system/json_driver.c")


def number(rng):
    kind = rng.randrange(7)
    if kind == 0:
        return str(rng.randint(-2**33, 2**33))
    if kind == 1:
        return str(rng.choice([1, -1]) * rng.randint(2**60, 2**68))
    if kind == 2:
        return repr(rng.uniform(-1e6, 1e6))
    if kind == 3:
        return repr(rng.choice([1, -1]) * rng.random() * 10.0 ** rng.randint(-300, 300))
    if kind == 4:
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 40)))
        return f"{rng.choice(['', '-'])}{rng.randint(0, 9)}.{digits}"
    if kind == 5:
        return f"{rng.randint(0, 10**rng.randint(1, 36))}e{rng.randint(-6300, 6300)}"
    return rng.choice(["0", "-0", "-0.0", "0.0", "1.0", "1e0", "2147483647", "2147483648", "-2147483648", "-2147483649",
                       "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"])


def wanted(text):
    """(type, value) by the rules of lib/record/README.md; None = refused."""
    value = decimal.Decimal(text)
    whole = not set(text) & set(".eE")
    if whole and -2**63 <= value < 2**63 and not (value == 0 and text.startswith("-")):
        return (INT32 if -2**31 <= value < 2**31 else INT64), value
    digits = str(int("".join(map(str, value.as_tuple().digits)))).rstrip("0")
    if value == 0:
        return DOUBLE, value
    if len(digits) <= 17 and 2.2250738585072014e-308 <= abs(float(text)) <= 1.7976931348623157e308:
        return DOUBLE, float(text)
    exponent = value.adjusted() - len(digits) + 1
    if len(digits) <= 34 and exponent >= -6176 and value.adjusted() <= 6144:
        return DECIMAL, value
    return None


def ask(driver, lines):
    text = "".join(line + "\n" for line in lines)
    out = subprocess.run([driver], input=text.encode(), capture_output=True, check=True, timeout=120).stdout.decode()
    answers = out.split("\n")[:-1]  # splitlines would also cut at U+2028
    assert len(answers) == len(lines)
    return answers


def seeded():
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


def test_numbers(driver):
    rng = seeded()
    texts = [number(rng) for _ in range(4000)]
    for text, answer in zip(texts, ask(driver, [f'{{"v":{t}}}' for t in texts])):
        want = wanted(text)
        if want is None:
            assert answer == "error", text
            continue
        shown, kind = answer.split("\t")
        got = json.loads(shown, parse_float=decimal.Decimal, parse_int=decimal.Decimal)["v"]
        assert kind == want[0], text
        if kind == DOUBLE:
            assert float(got) == float(want[1]), text
            assert str(float(got)).startswith("-") == text.startswith("-"), text
        else:
            assert got == want[1], text


def value(rng, depth):
    kind = rng.randrange(7 if depth else 5)
    if kind == 0:
        return "".join(chr(rng.choice([rng.randint(1, 127), rng.randint(128, 0xD7FF), rng.randint(0xE000, 0x10FFFF)]))
                       for _ in range(rng.randint(0, 20)))
    if kind == 1:
        return rng.choice([True, False, None])
    if kind == 2:
        return rng.randint(-2**63, 2**63 - 1)
    if kind == 3:
        return rng.uniform(-1e9, 1e9)
    if kind == 4:
        return rng.randint(-99, 99) / 10
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 12))]
    return {f"k{i}é"[rng.randrange(2):]: value(rng, depth - 1) for i in range(rng.randint(0, 6))}


def test_documents(driver):
    rng = seeded()
    docs = [{f"m{i}": value(rng, 4) for i in range(rng.randint(0, 8))} for _ in range(2000)]
    lines = [json.dumps(d, ensure_ascii=rng.random() < 0.5) for d in docs]
    for doc, answer in zip(docs, ask(driver, lines)):
        assert json.loads(answer.split("\t")[0]) == doc

# SPDX-License-Identifier: MIT
"""The csv format against Python's csv module: random rows in random dialects, cut into random pieces."""
import csv
import io
import json
import os
import random
import subprocess

import pytest

from driver import build_driver

TEXTS = ["", "a", " b ", "x,y", "x;y", "tab\there", 'say "hi"', '"', "'", "two\nlines", "dos\r\nlines", "Zürich", "\U0001f600",
         "1.5", "NA", "#", "sep=;", "a" * 3000, "'; drop", ",", "\n"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return build_driver(tmp_path_factory.mktemp("format"), "system/format_driver.c")


def seeded():
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


def ask(driver, options, text, step):
    job = "{format: {csv: " + json.dumps(options) + "}}"
    out = subprocess.run([driver, job, str(step)], input=text, capture_output=True, check=True, timeout=120).stdout
    return out.decode().split("\n")[:-1]


def text(rng):
    return "".join(rng.choice(TEXTS) for _ in range(rng.randint(0, 3)))


def test_rows_as_python_writes_them(driver):
    rng = seeded()
    for _ in range(60):
        width = rng.randint(1, 6)
        names = [f"c{i}{rng.choice(['', ' é', ',', chr(34)])}" for i in range(width)]
        rows = [[text(rng) for _ in range(width)] for _ in range(rng.randint(0, 40))]
        delimiter, quote = rng.choice([(",", '"'), (";", '"'), ("\t", '"'), (",", "'"), ("|", "'")])
        quoting = rng.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=quoting,
                   lineterminator=rng.choice(["\n", "\r\n"])).writerows([names, *rows])
        payload = out.getvalue()
        if rng.random() < 0.3:
            payload = payload.rstrip("\r\n") if rows and rows[-1][-1][-1:] not in ("\r", "\n") and any(rows[-1]) \
                else payload
        options = {"delimiter": "tab" if delimiter == "\t" else delimiter, "quote": quote, "empty": "text"}
        told = ask(driver, options, payload.encode(), rng.choice([1, 2, 7, 1000, 10**6]))
        # What Python reads of its own text is the truth; a row without a field is a blank line to both.
        right = [row for row in csv.reader(io.StringIO(payload, newline=""), delimiter=delimiter, quotechar=quote) if row][1:]
        assert told[-1] == f"= {len(right)}"
        for line, row in zip(told, right):
            assert list(json.loads(line.split(" ", 1)[1]).items()) == list(zip(names, row))


def test_what_is_refused_is_refused_alone(driver):
    """Rows of another width and misplaced quotes among good rows: each is one reject, no good row is lost."""
    rng = seeded()
    good, bad, lines = 0, 0, ["a,b,c"]
    for i in range(2000):
        if rng.random() < 0.2:
            lines.append(rng.choice(["1", "1,2", "1,2,3,4", 'x"y,2,3', '"x"y,2,3', '1,2,"3"4']))
            bad += 1
        else:
            lines.append(f'{i},"q,{i}",z')
            good += 1
    told = ask(driver, {}, ("\n".join(lines) + "\n").encode(), 4096)
    assert told[-1] == f"= {good + bad}"
    assert sum(" reject " in line for line in told) == bad
    assert [json.loads(line.split(" ", 1)[1])["b"] for line in told[:good]] == \
        [f"q,{line.split(',', 1)[0]}" for line in lines[1:] if line.endswith(",z")]

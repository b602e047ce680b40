# SPDX-License-Identifier: MIT
"""Sums and means of lib/record/decimal beside Python's decimal module.

A small C program is built against libetl.a (folder in ETLD_BUILD, default "build"); it adds
the numbers of each line and prints sum and mean. Python adds them with as many digits as they
need and rounds half to even to the 34 of a Decimal128. The random seed is printed; ETL_TEST_SEED repeats a run.
"""
import decimal
import os
import pathlib
import random
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

HELPER = r"""
#include <stdio.h>
#include <string.h>

#include "record/decimal.h"

static void tell(const struct etl_decimal_sum *sum, unsigned long n, char end)
{
	char text[BSON_DECIMAL128_STRING];
	bson_decimal128_t d;

	if (etl_decimal_quotient(sum, n, &d))
		bson_decimal128_to_string(&d, text);
	else
		strcpy(text, "lost");
	printf("%s%c", text, end);
}

int main(void)
{
	static char line[1 << 20];

	while (fgets(line, sizeof line, stdin)) {
		struct etl_decimal_sum sum = {0};
		unsigned long n = 0;

		for (char *p = strtok(line, " \n"); p; p = strtok(NULL, " \n"), n++) {
			bson_decimal128_t d;

			bson_decimal128_from_string(p, &d);
			etl_decimal_add(&sum, &d, false);
		}
		tell(&sum, 1, ' ');
		tell(&sum, n, '\n');
	}
	return 0;
}
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    library = ROOT / os.environ.get("ETLD_BUILD", "build") / "libetl.a"
    if not library.exists():
        pytest.skip(f"{library} is not built")
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "sums.c").write_text(HELPER)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libbson-1.0"], check=True, capture_output=True,
                           text=True).stdout.split()
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT}/lib", "-o", folder / "sums",
                    folder / "sums.c", library, *flags, "-lxxhash", "-lm", "-lpthread"], check=True)

    def ask(lines):
        done = subprocess.run([folder / "sums"], input="".join(" ".join(line) + "\n" for line in lines),
                              capture_output=True, text=True, check=True)
        return [line.split() for line in done.stdout.splitlines()]
    return ask


EXACT = decimal.Context(prec=2000, Emin=-9999, Emax=9999)
STORED = decimal.Context(prec=34, rounding=decimal.ROUND_HALF_EVEN, Emin=-6143, Emax=6144)


def expected(line):
    total = decimal.Decimal(0).scaleb(max(decimal.Decimal(s).as_tuple().exponent for s in line))
    for text in line:
        total = EXACT.add(total, decimal.Decimal(text))
    return STORED.plus(total), STORED.divide(total, decimal.Decimal(len(line)))


def check(ask, lines):
    for line, (total, mean) in zip(lines, ask(lines), strict=True):
        right = expected(line)
        for got, want in zip((total, mean), right, strict=True):
            assert got != "lost", line
            got = decimal.Decimal(got)
            assert got == want, (line, got, want)
            assert got.as_tuple().exponent == want.as_tuple().exponent or not want, (line, got, want)


def test_chosen_sums(ask):
    check(ask, [["0.10"] * 3, ["0.1"] * 10, ["1", "-1"], ["1E+3", "0.001"], ["-0.10", "0.10"],
                ["9" * 34, "1"], ["9" * 34, "9" * 34, "5"], ["1", "1", "1"], ["2", "0", "0"], ["1E+50", "1E-50"],
                ["0.5"] * 7, ["1." + "0" * 32 + "5", "1E-34"], ["5", "0E-3"], ["-7.25", "-0.75", "1.5"]])


def test_random_sums(ask):
    seed = int(os.environ.get("ETL_TEST_SEED") or random.randrange(1 << 31))
    print(f"seed {seed} (ETL_TEST_SEED repeats it)", file=sys.stderr)
    rng = random.Random(seed)

    def number():
        digits = "".join(rng.choices("0123456789", k=rng.choice((1, 2, 5, 17, 34)))).lstrip("0") or "0"
        return ("-" if rng.random() < 0.4 else "") + f"{digits}E{rng.randint(-40, 20)}"
    check(ask, [[number() for _ in range(rng.randint(1, 40))] for _ in range(2000)])


def test_what_is_given_up(ask):
    assert ask([["1E+300", "1E-100"], ["NaN", "1"], ["Infinity"]]) == [["lost", "lost"]] * 3

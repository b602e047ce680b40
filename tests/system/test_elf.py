# SPDX-License-Identifier: MIT
"""What is built is hardened, read from the binaries themselves (binutils' readelf): the Makefile's words
are one thing, what the linker made of them another."""
import platform
import re
import subprocess

import pytest

from etld import build_folder

BINARIES = ("etld", "etlctl")


def readelf(name, *options):
    done = subprocess.run(["readelf", "-W", *options, build_folder() / name], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(params=BINARIES)
def binary(request):
    if "__asan_init" in readelf(request.param, "--dyn-syms") or "__tsan_init" in readelf(request.param, "--dyn-syms"):
        pytest.skip("a sanitizer's build is not hardened")
    return request.param


def test_position_independent(binary):
    assert re.search(r"Type:\s+DYN", readelf(binary, "-h"))
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", readelf(binary, "-d"))


def test_relocations_are_read_only_and_bound_at_the_start(binary):
    assert "GNU_RELRO" in readelf(binary, "-l")
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", readelf(binary, "-d"))
    assert "(TEXTREL)" not in readelf(binary, "-d")
    assert not re.search(r"\((RPATH|RUNPATH)\)", readelf(binary, "-d"))


def test_nothing_is_writable_and_executable(binary):
    segments = readelf(binary, "-l")
    (stack,) = re.findall(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", segments)
    assert stack == "RW"
    assert not re.search(r"LOAD\s+(?:0x\w+\s+){5}RWE", segments)


def test_functions_are_checked_and_stacks_guarded(binary):
    symbols = readelf(binary, "--dyn-syms")
    checked = set(re.findall(r"\b__(\w+)_chk\b", symbols))
    assert {"snprintf", "vsnprintf"} & checked, checked
    assert "__stack_chk_fail" in symbols
    unchecked = set(re.findall(r"\b(sprintf|strcpy|strcat|gets|vsprintf)@", symbols))
    assert not unchecked


@pytest.mark.skipif(platform.machine() != "x86_64", reason="control flow enforcement is of x86")
def test_control_flow(binary):
    assert re.search(r"x86 feature:.*\bSHSTK\b", readelf(binary, "-n"))
    # each function that may be called through a pointer begins with endbr64
    address, section = re.search(r"(\w{16})\s+\d+ FUNC\s+GLOBAL \w+\s+(\d+) main\b", readelf(binary, "-s")).groups()
    start, offset = re.search(rf"\[\s*{section}\] \.text\s+PROGBITS\s+(\w+) (\w+)", readelf(binary, "-S")).groups()
    with open(build_folder() / binary, "rb") as file:
        file.seek(int(address, 16) - int(start, 16) + int(offset, 16))
        assert file.read(4) == b"\xf3\x0f\x1e\xfa"

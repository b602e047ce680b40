# SPDX-License-Identifier: MIT
"""Small C programs that tests speak to: built from a source under tests/ against the library of this build."""
import os
import pathlib
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["libmongoc-1.0", "libbson-1.0", "libcjson", "yaml-0.1", "libxxhash"]


def build_driver(folder, source):
    """The program of `source` (under tests/), in `folder`; skips where the library was not built."""
    library = pathlib.Path(os.environ.get("ETLD_BUILD", ROOT / "build")) / "libetl.a"
    if not library.exists():
        pytest.skip(f"{library} is not built: run make lib, or name the folder in ETLD_BUILD")
    program = folder / pathlib.Path(source).stem
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *PACKAGES], check=True, capture_output=True, text=True).stdout
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-g", f"-I{ROOT}/lib", "-o", program, ROOT / "tests" / source, library,
                    *shlex.split(flags), "-lcsv", "-lm", "-lpthread",
                    *shlex.split(os.environ.get("ETLD_TEST_LDFLAGS", ""))], check=True)
    return program

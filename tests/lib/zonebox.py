# SPDX-License-Identifier: MIT
"""A daemon's own copy of the time-zone files, mounted over /usr/share/zoneinfo in a mount
namespace of its own: a test changes them as an upgrade of tzdata does. Needs root."""
import os
import pathlib
import shutil
import subprocess

ZONES = pathlib.Path("/usr/share/zoneinfo")


class ZoneBox:
    """`prefix` goes before the daemon's command; `folder` is what it sees as its zone files."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "zoneinfo"
        shutil.copytree(ZONES, self.folder, symlinks=True, ignore=shutil.ignore_patterns("right", "posix"))
        # `cat` holds the namespace open until its input ends.
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount --bind "$1" "$2" && echo $$ && exec cat', "zonebox", str(self.folder), str(ZONES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            _, err = self.process.communicate()
            raise subprocess.CalledProcessError(self.process.returncode, "unshare", stderr=err)
        self.pid = int(line)

    @property
    def prefix(self):
        return ("nsenter", "--target", str(self.pid), "--mount", "--")

    def read(self, name):
        return (ZONES / name).read_bytes()

    def replace(self, name, data):
        """As dpkg does it: written beside, then renamed."""
        beside = self.folder / f"{name}.dpkg-new"
        beside.write_bytes(data)
        beside.rename(self.folder / name)

    def link(self, name, target):
        beside = self.folder / f"{name}.dpkg-new"
        os.symlink(target, beside)
        beside.rename(self.folder / name)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()

# SPDX-License-Identifier: MIT
"""A real journald for one test (tests/lib/jbox.sh), and reading it by field."""
import json
import pathlib
import subprocess

SCRIPT = pathlib.Path(__file__).with_name("jbox.sh")
JOURNAL = "/run/log/journal"


class JournalBox:
    def __init__(self):
        # `cat` holds the mount namespace open until its input ends.
        self.process = subprocess.Popen(
            [str(SCRIPT), "sh", "-c", "echo $$; exec cat"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            _, err = self.process.communicate()
            raise subprocess.CalledProcessError(self.process.returncode, str(SCRIPT), stderr=err)
        self.pid = int(line)

    @property
    def prefix(self):
        return ["nsenter", "--target", str(self.pid), "--mount", "--"]

    def read(self, *matches, output="json"):
        """Journal entries that match (FIELD=value ...): dicts, or text for other outputs."""
        subprocess.run([*self.prefix, "journalctl", "--sync"], check=True, timeout=30)
        done = subprocess.run(
            [*self.prefix, "journalctl", "--directory", JOURNAL, "--no-pager", "--all", "-o", output,
             *matches], capture_output=True, text=True, timeout=60, check=False)
        if output != "json":
            return done.stdout
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

# SPDX-License-Identifier: MIT
"""A booted systemd in a container (tests/lib/nsbox.sh), driven from Python."""
import json
import os
import pathlib
import subprocess
import tempfile

from wait import wait_for

SCRIPT = pathlib.Path(__file__).with_name("nsbox.sh")
LIMIT_SECONDS = 300


class Box:
    """start() raises CalledProcessError with status 77 where the kernel forbids it."""

    def __init__(self, name):
        self.name = name
        self.state = tempfile.mkdtemp(prefix="etld-nsbox-")
        self.env = {**os.environ, "NSBOX_DIR": self.state}

    def script(self, *arguments, check=True):
        done = subprocess.run([str(SCRIPT), *map(str, arguments)], env=self.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS,
                              check=False)
        if check and done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
        return done

    def start(self, *options):
        # The container's PID 1 keeps the script's output open: it goes to files, not to a pipe.
        with tempfile.TemporaryFile("w+") as err:
            done = subprocess.run([str(SCRIPT), "start", self.name, *options], env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                                  timeout=LIMIT_SECONDS, check=False)
            err.seek(0)
            if done.returncode != 0:
                self.tidy()
                raise subprocess.CalledProcessError(done.returncode, "nsbox.sh start", stderr=err.read())
        return self

    def stop(self):
        try:
            self.script("stop", self.name)
        finally:
            self.tidy()

    def tidy(self):
        try:
            os.rmdir(self.state)
        except OSError:
            pass

    @property
    def root(self):
        """The container's files, seen from outside."""
        return pathlib.Path("/proc", self.script("pid", self.name).stdout.strip(), "root")

    def __call__(self, *command, check=True):
        """Runs a command inside as root."""
        done = self.script("exec", self.name, *command, check=False)
        if check:
            assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}\n{done.stderr}"
        return done

    def write(self, path, text, mode=0o644):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    # ---- systemd -------------------------------------------------------------------
    def show(self, unit, *properties):
        """{property: value}"""
        out = self("systemctl", "show", unit, "-p", ",".join(properties)).stdout
        return dict(line.partition("=")[::2] for line in out.splitlines())

    def wait_show(self, unit, limit=240.0, **wanted):
        """Until the unit's properties have these values."""
        def reached():
            return all(self.show(unit, k)[k] == v for k, v in wanted.items())
        wait_for(reached, lambda: f"{wanted}, but {self.show(unit, *wanted)}\n{self.journal_text(unit)}", limit)

    def journal(self, *matches, since=None):
        """Entries that have all FIELD=value of `matches`; `since` is a cursor from cursor()."""
        self("journalctl", "--sync")
        # With a cursor and matches together journalctl 252 finds nothing when the cursor's own
        # entry does not match: then the matching is done here.
        chosen = ["--after-cursor", since] if since else matches
        out = self("journalctl", "--no-pager", "--all", "-b", "-o", "json", *chosen).stdout
        entries = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        wanted = [match.split("=", 1) for match in matches]
        return [e for e in entries if all(e.get(k) == v for k, v in wanted)]

    def cursor(self):
        self("journalctl", "--sync")
        out = self("journalctl", "-b", "-n", "1", "-o", "json", "--no-pager").stdout
        return json.loads(out.splitlines()[-1])["__CURSOR"]

    def journal_text(self, unit, lines=30):
        return self("journalctl", "-b", "-u", unit, "-n", lines, "--no-pager", check=False).stdout

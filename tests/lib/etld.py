# SPDX-License-Identifier: MIT
"""A real etld under test: its configuration folder, its process, its notify socket, etlctl.

    with Etld(uri, jobs={"a": {...}}) as etld:
        etld.run("a")
        etld.ctl("status").json

A job is a dict (written as JSON, which is YAML) or the text of a file. Every wait has a limit.
The binaries come from the folder that ETLD_BUILD names (default: build); those with fault
points from ETLD_BUILD_FAULTS (default: build-faults).
"""
import dataclasses
import grp
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from wait import LIMIT_MAX, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "etc" / "examples" / "r1-airqino"
START_SECONDS = 240
STOP_SECONDS = 240
CTL_SECONDS = 600
# What etlctl may answer to `run --wait` although the run itself ended well.
RUN_FINE = (0, 5, 6, 7)
BUSY = 8
# A sanitizer ends the process with this, so that a report is never taken for a clean end.
SANITIZER_STATUS = 99
# The outside world must not decide what a test sees.
NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "INVOCATION_ID",
                 "CREDENTIALS_DIRECTORY", "ETLD_SOCKET", "ETLD_FAULTS", "ETLD_LOG", "http_proxy", "https_proxy",
                 "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "LISTEN_FDS", "NO_COLOR")


def build_folder():
    return ROOT / os.environ.get("ETLD_BUILD", "build")


def faults_folder():
    """The build with fault points (make FAULTS=1)."""
    return ROOT / os.environ.get("ETLD_BUILD_FAULTS", "build-faults")


def own_group():
    return grp.getgrgid(os.getgid()).gr_name


@dataclasses.dataclass
class Answer:
    """What etlctl said."""
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class NotifySocket:
    """The service manager's side of sd_notify: collects what the daemon says about itself. Like
    systemd it reads at once: a sender waits when ten messages lie unread."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.path)
        self.messages = []  # dicts, in order
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def collect(self):
        while data := self.socket.recv(65536):
            lines = data.decode(errors="replace").splitlines()
            self.messages.append(dict(line.partition("=")[::2] for line in lines if "=" in line))

    def read(self):
        return list(self.messages)

    def count(self, key, value="1"):
        return sum(1 for m in self.read() if m.get(key) == value)

    def last(self, key):
        return next((m[key] for m in reversed(self.read()) if key in m), None)

    def close(self):
        """After what was sent before was read."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self.reader.join()
        self.socket.close()


class Etld:
    def __init__(self, uri, jobs=None, *, database="etld_test", metadata=None, config=None,
                 env=None, credentials=None, folder=None, build=None, prefix=(), watchdog_usec=None):
        """`config` is merged over the main configuration file; `prefix` stands before the command
        (nsenter, faketime ...); `credentials` are written as systemd would."""
        self.made_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="etld-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.build = pathlib.Path(build) if build else build_folder()
        self.config_path = self.folder / "etc" / "etld.yaml"
        self.jobs_folder = self.folder / "etc" / "jobs.d"
        self.control = self.folder / "control"
        self.stderr_path = self.folder / "etld.stderr"
        self.prefix = [str(p) for p in prefix]
        self.watchdog_usec = watchdog_usec
        self.process = self.notify = None
        self.database = database
        self.metadata = metadata or f"{database}_metadata"
        self.uri = uri
        self.jobs_folder.mkdir(parents=True, exist_ok=True)
        self.env = {k: v for k, v in os.environ.items() if k not in NOT_PASSED_ON}
        self.env.update(TZ="UTC", LC_ALL="C.UTF-8", ETLD_LOG="stderr")
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            self.env[name] = f"{self.env.get(name, '')}:exitcode={SANITIZER_STATUS}".lstrip(":")
        self.env.update(env or {})
        if credentials is not None:
            self.write_credentials(credentials)
        self.settings = {
            "mongodb": {"uri": uri, "database": database},
            "metadata": {"database": self.metadata},
            "jobs": "jobs.d/*.yaml",
            "control": {"socket": str(self.control), "group": own_group(), "admin_group": own_group()},
        }
        for key, value in (config or {}).items():
            if isinstance(value, dict):
                self.settings[key] = {**self.settings.get(key, {}), **value}
            else:
                self.settings[key] = value
        self.write_settings()
        for name, job in (jobs or {}).items():
            self.write_job(name, job)

    @classmethod
    def airqino(cls, uri, sim, start, *, database="etld_test", env=None, **options):
        """The shipped example, word for word, with a simulator as its source. `start` is an
        ISO instant: the first window."""
        etld = cls(uri, database=database, credentials={
            "airqino_secret": sim.tokens.client_secret, "airqino_password": sim.tokens.password,
        }, **options)
        shutil.copytree(EXAMPLE, etld.config_path.parent, dirs_exist_ok=True)
        etld.env.update({
            "MONGODB_URI": uri, "AIRQINO_DATABASE": database, "ETLD_METADATA": etld.metadata,
            "ETLD_SOCKET": str(etld.control), "ETLD_GROUP": own_group(),
            "ETLD_ADMIN_GROUP": own_group(), "AIRQINO_URL": sim.url, "AIRQINO_AUTH_URL": sim.url,
            "AIRQINO_CLIENT_ID": sim.tokens.client_id, "AIRQINO_USERNAME": sim.tokens.username,
            "AIRQINO_START": start, **(env or {})})
        return etld

    # ---- configuration -------------------------------------------------------------
    def write_settings(self):
        """The daemon's own file, as `settings` says."""
        self.config_path.write_text(json.dumps(self.settings, indent=1) + "\n")

    def write_job(self, name, job):
        text = job if isinstance(job, str) else json.dumps(job, indent=1) + "\n"
        (self.jobs_folder / f"{name}.yaml").write_text(text)

    def edit_job(self, name, old, new):
        path = self.jobs_folder / f"{name}.yaml"
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path}"
        path.write_text(text.replace(old, new))

    def remove_job(self, name):
        (self.jobs_folder / f"{name}.yaml").unlink()

    def write_credentials(self, values):
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, value in values.items():
            path = folder / name
            path.write_text(value)
            path.chmod(0o600)
        self.env["CREDENTIALS_DIRECTORY"] = str(folder)

    # ---- life ----------------------------------------------------------------------
    def command(self, *arguments):
        return [*self.prefix, str(self.build / "etld"), "--config", str(self.config_path), *arguments]

    def check(self):
        """etld --check: its Answer."""
        done = subprocess.run(self.command("--check"), env=self.env, capture_output=True, text=True,
                              timeout=START_SECONDS, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, wait=True):
        """Starts the process; with `wait` returns when it said READY=1."""
        assert self.process is None, "it runs already"
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        self.notify = NotifySocket(path)
        env = {**self.env, "NOTIFY_SOCKET": str(path)}
        if self.watchdog_usec:
            env["WATCHDOG_USEC"] = str(self.watchdog_usec)
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(self.command(), env=env, stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr, start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, limit=START_SECONDS):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"etld ended with status {self.process.returncode}:\n{self.stderr_tail()}")
            return self.notify.count("READY")
        wait_for(ready, lambda: f"READY=1; {self.notify.read()}\n{self.stderr_tail()}", limit)

    def wait_answer(self, limit=START_SECONDS):
        """Until etlctl gets an answer, ready or not."""
        wait_for(lambda: self.ctl("status", ok=None).code != 3, lambda: self.stderr_tail(), limit)

    def wait_end(self, limit=STOP_SECONDS):
        """The exit status, or minus the signal."""
        limit = min(limit, LIMIT_MAX)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"etld did not end within {limit} s:\n{self.stderr_tail()}") from late
        self.process = None
        self.notify.close()
        assert code != SANITIZER_STATUS, f"a sanitizer's report:\n{self.stderr_tail(200)}"
        return code

    def stop(self, limit=STOP_SECONDS):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(limit)

    def kill9(self):
        self.process.kill()
        return self.wait_end()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        """For fixtures: ends what is left and removes the folder."""
        try:
            if self.process is not None:
                if self.process.poll() is None:
                    self.stop()
                else:
                    self.wait_end()
        except AssertionError:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
            raise
        finally:
            if self.made_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- etlctl --------------------------------------------------------------------
    def ctl(self, *arguments, ok=(0,), output="json", limit=CTL_SECONDS):
        """etlctl's Answer; `ok` lists the statuses that are fine (None = all)."""
        done = subprocess.run(
            [str(self.build / "etlctl"), "--socket", str(self.control), "-o", output,
             *map(str, arguments)],
            env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit,
            check=False)
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if ok is not None:
            assert answer.code in ok, f"etlctl {' '.join(map(str, arguments))}: {answer}\n{self.stderr_tail()}"
        return answer

    def run(self, job, *arguments, ok=RUN_FINE, limit=CTL_SECONDS):
        """etlctl run JOB --wait; tried again while the job is busy with another run, and after one that
        was going already: a test wants a run that begins now."""
        end = time.monotonic() + limit

        def attempt():
            left = max(1.0, end - time.monotonic())
            answer = self.ctl("run", job, "--wait", *arguments, ok=None, limit=left)
            if answer.code == BUSY or (answer.out and answer.json.get("joined")):
                return None
            assert answer.code in ok, f"etlctl run {job}: {answer}\n{self.stderr_tail()}"
            return answer
        return wait_for(attempt, f"{job} stays busy", limit)

    def status(self):
        return self.ctl("status", ok=None).json

    def jobs(self):
        """{name: what status says about it}"""
        return {job["name"]: job for job in self.status()["jobs"]}

    def runs(self, job=None):
        """Newest first."""
        return self.ctl("runs", *([job] if job else [])).json["runs"]

    def windows(self, job):
        return self.ctl("windows", job).json["windows"]

    def wait_idle(self, limit=CTL_SECONDS):
        """Until nothing runs and nothing is queued."""
        def busy():
            return {name: job for name, job in self.jobs().items() if job.get("running") or job.get("queued")}
        wait_for(lambda: not busy(), lambda: f"still busy: {busy()}", limit)

    # ---- what it logs --------------------------------------------------------------
    def stderr_tail(self, lines=40):
        if not self.stderr_path.exists():
            return ""
        return "\n".join(self.stderr_path.read_text(errors="replace").splitlines()[-lines:])

    def log(self, **fields):
        """The JSON lines on stderr whose fields have these values."""
        found = []
        for line in self.stderr_path.read_text(errors="replace").splitlines():
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            if all(str(entry.get(k)) == str(v) for k, v in fields.items()):
                found.append(entry)
        return found

    def wait_log(self, limit=120.0, **fields):
        """The first log line with these fields, once it is there."""
        return wait_for(lambda: self.log(**fields), lambda: f"a log line {fields}\n{self.stderr_tail()}", limit)[0]

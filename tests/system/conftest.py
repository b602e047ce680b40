# SPDX-License-Identifier: MIT
"""What the system tests share: a MongoDB for the session, simulators, daemons that are ended.

Each test gets databases of its own; nothing sleeps (tests/lib/wait.py polls with a limit). The
whole suite runs in shards (tests/lib/run-system.sh): a session is then a shard's, which gets
whole files. Two tests of different files may run at once: neither takes a name, a port or a
folder that the other could want.
"""
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import pytest
from _pytest.runner import runtestprotocol

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from airqino_sim import AirqinoSim  # noqa: E402
from etld import Etld, build_folder, faults_folder  # noqa: E402
from mongodb import MongoServer  # noqa: E402
import wait  # noqa: E402

DROP_SECONDS = 120  # ends what hangs
NUMBERS = itertools.count(1)  # of databases
CANNOT = 77  # status of nsbox.sh and jbox.sh where the kernel forbids them
MARKERS = {
    "daemon": "needs build/etld and build/etlctl",
    "systemd": "boots a real systemd in a container",
    "journal": "needs a real journald",
    "faults": "needs the build with fault points (make FAULTS=1)",
    "data": "needs the captured data",
    "sim(**options)": "options of this test's AirqinoSim",
    "slow": "takes longer than 30 s, or its file some minutes: the file begins early",
    "alone": "its file needs the machine for itself: it runs after the shards",
}


# pytest-xdist tells its workers how wide the terminal is; what etlctl prints into a pipe has no width.
os.environ.pop("COLUMNS", None)


def pytest_configure(config):
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(items):
    """Tests that use a daemon's fixture are marked by it. Files with slow tests come first, so
    that no shard begins one when the other is about to end."""
    for item in items:
        if {"etld", "airqino_etld", "box"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.daemon)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item):
    if item.get_closest_marker("faults") and not (faults_folder() / "etld").exists():
        pytest.skip("the build with fault points is absent: make FAULTS=1")
    if item.get_closest_marker("daemon"):
        missing = [n for n in ("etld", "etlctl") if not (build_folder() / n).exists()]
        assert not missing, f"{missing} not in {build_folder()}: make"


def wedged_servers():
    return [server for server in MongoServer.made if server.is_wedged()]


def why_it_is_hopeless():
    return "SecantusDB is wedged" if wedged_servers() else None


wait.HOPELESS.append(why_it_is_hopeless)


def pytest_runtest_protocol(item, nextitem):
    """A test that failed where the stand-in was wedged (tests/lib/mongodb.py) has shown nothing: it
    runs once more, on a server without data."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    wedged = wedged_servers() if any(report.failed for report in reports) else []
    if wedged:
        for server in wedged:
            MongoServer.made.remove(server)
            if server.is_running():
                server.renew()
                MongoServer.made.append(server)
        warnings.warn(f"{item.nodeid}: SecantusDB was wedged; run once more", stacklevel=1)
        item._initrequest()  # pylint: disable=protected-access
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory):
    """A MongoServer (tests/lib/mongodb.py); .uri. Shared: do not stop it, see own_mongodb."""
    with MongoServer(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
def own_mongodb(tmp_path):
    """A server that the test may stop, kill and restart."""
    server = MongoServer(tmp_path / "own-mongodb")
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to stop")
    with server:
        yield server


@pytest.fixture(scope="session")
def mongo_client(mongodb):
    import pymongo  # pylint: disable=import-outside-toplevel
    with pymongo.MongoClient(mongodb.uri, tz_aware=True) as client:
        yield client


@pytest.fixture
def database(request, mongodb, mongo_client):
    """A database name of this test's own. It and its metadata go with the server, which is the tests' own, or are
    dropped at the end: the stand-in takes seconds for that."""
    import pymongo  # pylint: disable=import-outside-toplevel
    name = re.sub(r"\W+", "_", request.node.name)[:36] + f"_{os.getpid()}_{next(NUMBERS)}"
    yield name
    if not mongodb.external:
        return
    with pymongo.timeout(DROP_SECONDS):
        for each in (name, f"{name}_metadata"):
            mongo_client.drop_database(each)


@pytest.fixture
def db(mongo_client, database):
    return mongo_client[database]


@pytest.fixture
def metadata(mongo_client, database):
    return mongo_client[f"{database}_metadata"]


@pytest.fixture(scope="session")
def data_folder():
    """The captured real inputs, or a skip."""
    folder = pathlib.Path(os.environ.get("ETLD_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the captured data is absent: {folder}")
    return folder


@pytest.fixture
def sim(request):
    """The AirQino simulator; its clock is real unless @pytest.mark.sim(now=...) says otherwise."""
    mark = request.node.get_closest_marker("sim")
    with AirqinoSim(**(mark.kwargs if mark else {})) as running:
        yield running


@pytest.fixture
def open_folder():
    """A folder that every user may enter, wherever the checkout and the test's own folders lie.
    What a test gives to another user (a socket, a copy of a program) lies in it: the checkout
    may be under a home that nobody else may enter."""
    with tempfile.TemporaryDirectory(prefix="etld-open-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture
def etld(mongodb, database):
    """Makes daemons: etld(jobs={...}, ...) is not started yet. All are ended after the test."""
    made = []

    def make(jobs=None, uri=None, **options):
        options.setdefault("database", database)
        made.append(Etld(uri or mongodb.uri, jobs, **options))
        return made[-1]
    yield make
    errors = []
    for daemon in made:
        try:
            daemon.close()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


@pytest.fixture
def airqino_etld(mongodb, database, sim):
    """Makes daemons with the shipped example and the test's simulator; not started yet."""
    made = []

    def make(start, uri=None, **options):
        options.setdefault("database", database)
        made.append(Etld.airqino(uri or mongodb.uri, sim, start, **options))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def jbox():
    """A journald of the test's own: .prefix for commands that shall see it, .read(FIELD=V ...)"""
    from jbox import JournalBox  # pylint: disable=import-outside-toplevel
    try:
        box = JournalBox()
    except subprocess.CalledProcessError as error:
        if error.returncode == CANNOT:
            pytest.skip(f"no journald here: {error.stderr.strip()}")
        raise
    with box:
        yield box

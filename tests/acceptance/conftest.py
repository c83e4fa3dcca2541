import sys
from contextlib import ExitStack, contextmanager

import pytest

from .databases import EmbeddedServer, OwnServer
from .processes import Orchestrator
from .wire import Peer


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "acceptance":
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture(scope="session")
def server():
    """The database of all tests that leave it running. Each uses sessions of its own."""
    embedded = EmbeddedServer()
    yield embedded
    embedded.remove()


@pytest.fixture(scope="module")
def own_server():
    """A database that tests may stop and restart."""
    own = OwnServer()
    yield own
    own.remove()


@contextmanager
def starting(directory, default_settings):
    """A function that starts orchestrators: with default settings and those that it is given."""
    started = []

    def start(*arguments, ready=True, **settings):
        log = directory / f"orchestrator-{len(started)}.log"
        started.append(Orchestrator(log, *arguments, **{**default_settings, **settings}))
        return started[-1].wait_ready() if ready else started[-1]

    try:
        yield start
    finally:
        for orchestrator in started:
            orchestrator.close()
            # pytest shows it where the test failed.
            sys.stderr.write(f"--- {orchestrator.log.name}\n{orchestrator.errors()}\n")
    for orchestrator in started:
        assert "Traceback" not in orchestrator.errors()


@pytest.fixture
def start(server, tmp_path):
    """Starts an orchestrator on the common database."""
    with starting(tmp_path, server.settings) as start:
        yield start


@pytest.fixture(scope="module")
def start_more(server, tmp_path_factory):
    """Starts orchestrators on the common database that live as long as the module's tests."""
    with starting(tmp_path_factory.mktemp("more"), server.settings) as start:
        yield start


@pytest.fixture
def start_on_own(own_server, tmp_path):
    """Starts an orchestrator on the database that may be stopped."""
    if not own_server.is_running():
        own_server.start()  # an earlier test failed
    with starting(tmp_path, own_server.settings) as start:
        yield start


@pytest.fixture(scope="session")
def orchestrator(server, tmp_path_factory):
    """One that no test stops."""
    with starting(tmp_path_factory.mktemp("common"), server.settings) as start:
        yield start()


@pytest.fixture
def connect():
    """Makes peers, and closes them."""
    with ExitStack() as peers:

        def connect(orchestrator, **options):
            peer = Peer(getattr(orchestrator, "endpoint", orchestrator), **options)
            peers.callback(peer.close)
            return peer

        yield connect


@pytest.fixture
def peer(connect, orchestrator):
    return connect(orchestrator)

import pytest

from memories.services import sessions, statistics
from tests.factories import Wire, make_answerer


@pytest.fixture(autouse=True)
def _forget_what_the_process_remembers():
    """A test's rows are gone when it ends; what was remembered of them must go too."""
    yield
    sessions.forget_owners()
    statistics._kept.clear()


@pytest.fixture
def wire(db):
    """Requests in, replies out, without sockets; all in the test's own transaction."""
    return Wire(make_answerer())


@pytest.fixture
def committing_wire(transactional_db):
    """The same with real commits, for what a transaction around the test would hide."""
    return Wire(make_answerer())

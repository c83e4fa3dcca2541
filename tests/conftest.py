import signal
import sys
from collections import deque
from concurrent.futures import wait

import pytest

from memories.services import sessions
from memories.services.embedding import model_threads
from memories.services.embedding import models as embedding_models
from memories.services.search import (
    lacking,
    owner_indexes,
    pending,
    query_vectors,
    statistics,
    vectors,
)
from tests.embedders import TrialEmbedder, serve_by
from tests.factories import Wire, make_answerer

# A shell starts what runs in its background with Ctrl-C ignored, and so would be every process
# that a test starts to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _forget_what_the_process_remembers(monkeypatch):
    """A test's rows are gone when it ends; what was remembered of them must go too, once no model
    works for it any more."""
    threads, begun = model_threads._threads, deque()
    submit = threads.submit

    def note(*work):
        made = submit(*work)
        begun.append(made)
        return made

    monkeypatch.setattr(threads, "submit", note)
    yield
    while begun:
        wait([begun.popleft()], timeout=15)
    sessions.forget_owners()
    statistics._kept.clear()
    vectors._kept.clear()
    owner_indexes.forget_indexes()
    lacking.forget_lacking()
    embedding_models.forget_serving()
    pending.allowance.renew()
    query_vectors.forget_hangs()


@pytest.fixture(autouse=True)
def _leave_the_interpreter_as_it_was():
    """An orchestrator that starts in this process has threads take turns more often."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture(autouse=True)
def embedders():
    """What the process has loaded; what a test adds goes with it, whether it asked for this or not:
    the next test would be served by an embedder that it does not know."""
    loaded = embedding_models.embedders._loaded
    before = dict(loaded)
    yield loaded
    loaded.clear()
    loaded.update(before)


@pytest.fixture
def trial(db, embedders):
    """The embedder of the active model. Ask for the fixture of the database before it, if any."""
    return serve_by(TrialEmbedder())


@pytest.fixture
def wire(db):
    """Requests in, replies out, without sockets; all in the test's own transaction."""
    return Wire(make_answerer())


@pytest.fixture
def committing_wire(transactional_db):
    """The same with real commits, for what a transaction around the test would hide."""
    return Wire(make_answerer())

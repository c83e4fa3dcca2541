"""A search waits for what its scope could find, within a bound."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import pytest

from memories.embedders.errors import EmbedderUnavailable, TextsRefused
from memories.models import Embedding, EmbeddingTask
from memories.services.embedding import model_threads
from memories.services.embedding.models import serving
from memories.services.embedding.tasks import MAX_ATTEMPTS
from memories.services.filters import Filter, Scope
from memories.services.search.pending import allowance, embed_pending
from memories.services.sessions import NewSession, open_sessions, owners_of_sessions
from memories.services.store import store_memories
from tests.factories import SESSION, new_memory, other_connection, store, wait_until

pytestmark = pytest.mark.django_db


def pending(seconds=5.0, scope=Scope.USER, session_id=SESSION):
    owner = owners_of_sessions([session_id]).get(session_id)
    return embed_pending(Filter(scope, session_id, owner), serving(), time.monotonic() + seconds)


def embedded():
    return set(Embedding.objects.values_list("memory_id", flat=True))


def test_what_was_just_stored_is_embedded_first(trial):
    ids = {stored.memory_id for stored in store_memories([new_memory(str(n)) for n in range(50)])}
    assert pending() == 0
    assert embedded() == ids


def test_nothing_is_waited_for_where_nothing_waits(trial, django_assert_num_queries):
    store("words")
    pending()
    query = Filter(Scope.USER, SESSION, owners_of_sessions([SESSION])[SESSION])
    current = serving()
    with django_assert_num_queries(1):
        assert embed_pending(query, current, time.monotonic() + 5) == 0


def test_only_what_the_scope_could_find_is_waited_for(trial):
    now = datetime.now(UTC)
    open_sessions([NewSession(b"", now, session_id=name, user_id="ann") for name in ("s1", "s2")])
    one, two, other = store(session_id="s1"), store(session_id="s2"), store(session_id="other")
    assert pending(scope=Scope.SESSION, session_id="s1") == 0
    assert embedded() == {one}
    assert pending(scope=Scope.USER, session_id="s1") == 0
    assert embedded() == {one, two}
    assert pending(scope=Scope.ALL) == 0
    assert embedded() == {one, two, other}


def test_the_newest_comes_first_when_time_is_short(trial):
    stored = store_memories([new_memory(str(number)) for number in range(40)])
    go_on = Event()
    trial.before = lambda _: setattr(trial, "before", lambda _: go_on.wait(10))
    assert pending(seconds=2) >= 16
    assert stored[-1].memory_id in embedded()
    assert stored[0].memory_id not in embedded()
    go_on.set()


@pytest.mark.parametrize("error", [TextsRefused("no"), EmbedderUnavailable("away")])
def test_what_failed_is_counted_and_not_waited_for(trial, settings, error):
    settings.EMBED_WAIT_SECONDS = 10

    def fail(_):
        raise error

    store("words")
    trial.before = fail
    start = time.monotonic()
    assert pending() == 1
    assert pending() == 1
    assert time.monotonic() - start < 4


def test_what_was_set_aside_is_counted_and_not_waited_for(trial):
    store("words")
    EmbeddingTask.objects.update(attempts=MAX_ATTEMPTS)
    assert pending() == 1


def test_what_another_process_has_claimed_is_waited_for_within_the_bound(trial):
    store("words")
    EmbeddingTask.objects.update(due_at=datetime(2100, 1, 1, tzinfo=UTC), attempts=1)
    start = time.monotonic()
    assert pending(seconds=0.1) == 1
    assert 0.1 <= time.monotonic() - start < 5


def test_what_searches_wait_together_is_bounded_too(trial, settings):
    """Else, where more is stored than the model follows, each would wait as long as it may."""
    settings.EMBED_WAIT_SECONDS = 1
    allowance.renew()  # an embedder that hung in another test may have taken of it a moment ago
    store("words")
    EmbeddingTask.objects.update(due_at=datetime(2100, 1, 1, tzinfo=UTC), attempts=1)
    start = time.monotonic()
    assert [pending() for _ in range(5)] == [1] * 5
    assert 1 <= time.monotonic() - start < 4
    assert wait_until(allowance.left_seconds) < 1


def test_a_burst_is_over_within_seconds(settings):
    settings.EMBED_WAIT_SECONDS = 1
    allowance.spend(1000)
    assert wait_until(allowance.left_seconds, seconds=5)


def test_a_quiet_user_is_waited_for_beside_a_noisy_one(trial):
    store_memories([new_memory(str(number)) for number in range(50)])
    an_id = store("words", session_id="quiet")
    allowance.spend(1000)
    assert pending() >= 40  # but for what time has brought back meanwhile
    allowance.spend(1000)
    assert pending(session_id="quiet") == 0
    assert an_id in embedded()


@pytest.mark.django_db(transaction=True)
def test_a_hanging_embedder_is_left_in_time_and_its_work_kept_when_it_is_done(
    transactional_db, trial
):
    go_on = Event()
    trial.before = lambda _: go_on.wait(10)
    an_id = store("words")
    start = time.monotonic()
    assert pending(seconds=0.1) == 1
    assert time.monotonic() - start < 5
    go_on.set()
    assert wait_until(embedded) == {an_id}
    wait_until(lambda: not EmbeddingTask.objects.exists())


@pytest.mark.django_db(transaction=True)
def test_memories_that_somebody_holds_are_left_in_time_and_embedded_when_they_are_free(
    transactional_db, trial
):
    an_id = store("words")
    with other_connection() as other, other.transaction():
        other.execute("SELECT 1 FROM memory_entries FOR UPDATE")
        start = time.monotonic()
        assert pending(seconds=0.3) == 1
        assert time.monotonic() - start < 5
        assert EmbeddingTask.objects.get().attempts == 0
    wait_until(lambda: pending() == 0)
    assert embedded() == {an_id}


def test_what_no_thread_has_begun_goes_back_to_the_queue(trial, monkeypatch):
    go_on = Event()
    with ThreadPoolExecutor(1) as busy:
        monkeypatch.setattr(model_threads, "_threads", busy)
        busy.submit(go_on.wait, 10)
        store("words")
        assert pending(seconds=0.05) == 1
        go_on.set()
    assert EmbeddingTask.objects.get().attempts == 0
    monkeypatch.undo()
    assert pending() == 0


def test_a_model_that_hangs_holds_up_no_exit():
    hanging = """
import time
from memories.services.embedding.model_threads import in_model_thread
begun = in_model_thread(time.monotonic)
in_model_thread(time.sleep, 30)
begun.result(10)
"""
    subprocess.run([sys.executable, "-c", hanging], check=True, timeout=20)

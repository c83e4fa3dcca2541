from threading import Event

import pytest

from memories.changes import CHANNEL, EVERYTHING
from memories.models import MemoryEntry
from memories.services.forget import Deletion, forget_memories
from tests.factories import database_now, other_connection, store, wait_until
from zmqbridge.cache import ReadCache, _now
from zmqbridge.listener import Listener

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cache():
    return ReadCache(100, 1 << 20, 60)


@pytest.fixture
def listener(cache):
    listener = Listener("of-the-test", cache)
    listener.start()
    assert listener.wait_until_heard(10)
    yield listener
    listener.stop()
    listener.thread.join(10)
    assert not listener.thread.is_alive()


def fill(cache, *memory_ids):
    for memory_id in memory_ids:
        cache.fill(cache.mark(), memory_id, b"old", None)
        assert cache.get(memory_id)


def end_its_connection():
    with other_connection() as other:
        other.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'SELECT pg_notify%'"""
        )


def test_it_trusts_the_cache_once_it_hears_itself(listener, cache):
    assert listener.hears
    fill(cache, "a")


def test_a_change_through_the_services_or_the_managers_is_heard(listener, cache):
    one, two, kept = store(), store(), store()
    fill(cache, one, two, kept)
    forget_memories([Deletion(one, database_now())])
    MemoryEntry.objects.get(id=two).delete()
    wait_until(lambda: not cache.get(one) and not cache.get(two))
    assert cache.get(kept)


def test_while_the_listener_is_held_up_the_cache_answers_nothing(listener, cache, monkeypatch):
    """By a network that vanished, say: it cannot tell of that itself while it waits."""
    fill(cache, "a")
    monkeypatch.setattr("zmqbridge.listener._SILENCE_SECONDS", 1.25)
    wait_until(lambda: cache._trusted_until < _now() + 2)  # by the next heartbeat
    let_go = Event()
    monkeypatch.setattr(cache, "forget", lambda _: let_go.wait(10))
    with other_connection() as other:
        other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, '["b"]'])
    try:
        wait_until(lambda: cache.get("a") is None)
        assert not listener.hears
    finally:
        let_go.set()
    wait_until(lambda: listener.hears)


def test_what_is_not_committed_is_not_heard(listener, cache):
    fill(cache, "a", "b")
    with other_connection() as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, '["a"]'])
        other.execute("SELECT pg_notify(%s, %s)", ["memories_changed_of-the-test", ""])
        assert cache.get("a")
        other.execute("COMMIT")
        wait_until(lambda: not cache.get("a"))
    assert cache.get("b")


@pytest.mark.parametrize("payload", [EVERYTHING, "", "no json", "5", '{"a":1}', "[1]"])
def test_what_is_no_list_of_ids_empties_the_cache(listener, cache, payload):
    """Anyone who may connect may send it: it must not end the thread, nor the process with it."""
    fill(cache, "a", "b")
    with other_connection() as other:
        other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
    wait_until(lambda: not cache.get("a") and not cache.get("b"))
    assert listener.thread.is_alive()


def test_a_lost_connection_is_distrusted_at_once_and_mended(listener, cache):
    fill(cache, "a")
    end_its_connection()
    wait_until(lambda: not listener.hears)
    assert cache.get("a") is None
    wait_until(lambda: listener.hears)
    fill(cache, "a")
    with other_connection() as other:
        other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, '["a"]'])
    wait_until(lambda: not cache.get("a"))

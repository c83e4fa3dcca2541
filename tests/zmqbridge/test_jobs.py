from datetime import UTC, datetime, timedelta
from threading import Event
from zlib import crc32

import pytest
from django.db import DatabaseError, connection

from memories.models import AccessLog, MemoryEntry, RequestKey
from memories.services.forget import expire_memories
from memories.services.requests import forget_answers
from tests.factories import (
    database_now,
    other_connection,
    run_together,
    set_expiry,
    store,
    wait_until,
)
from zmqbridge.accesses import Accesses
from zmqbridge.jobs import Job, _alone, flush_accesses


class TestJob:
    def run(self, work, until, seconds=0.01):
        stopping = Event()
        job = Job("of the test", seconds, work, stopping)
        job.start()
        try:
            wait_until(lambda: until(job))
            assert job.thread.is_alive()
        finally:
            stopping.set()
            job.thread.join(10)
        assert not job.thread.is_alive()
        return job

    def test_goes_on_at_once_while_there_is_more(self):
        left = list(range(50))
        job = self.run(lambda: bool(left and left.pop()), lambda _: not left, seconds=0.2)
        assert job.runs >= 50

    @pytest.mark.parametrize("error", [DatabaseError("away"), RuntimeError("a fault")])
    def test_a_failure_is_counted_and_tried_again(self, error):
        def fail():
            raise error

        job = self.run(fail, lambda job: job.failures >= 3)
        assert job.report() == {"runs": job.runs, "failures": job.runs}


@pytest.mark.django_db(transaction=True)
class TestAlone:
    def test_while_another_is_at_it_nothing_is_done(self):
        done = []
        with other_connection() as other:
            other.execute("SELECT pg_advisory_lock(%s)", [crc32(b"expiry")])
            assert _alone("expiry", lambda: done.append(1) or True) is False
            assert _alone("another", lambda: True) is True
            other.execute("SELECT pg_advisory_unlock_all()")
        assert done == []
        assert _alone("expiry", lambda: done.append(1) or True) is True

    def test_expiry_by_several_at_once_counts_each_memory_once(self):
        for _ in range(20):
            set_expiry(store(), database_now() - timedelta(seconds=1))
        run_together([lambda: _alone("expiry", expire_memories)] * 3)
        assert set(MemoryEntry.all_objects.values_list("version", flat=True)) == {2}


@pytest.mark.django_db
def test_accesses_are_folded_to_a_row_a_day():
    accesses = Accesses()
    one, two = store(), store()
    for _ in range(3):
        accesses.note("read", "kitchen", [one, two])
    accesses.note("read", "", [one, "mem-unknown"])
    accesses.note("search", "kitchen", [one])
    for _ in range(2):
        assert flush_accesses(accesses) is False
    accesses.note("read", "kitchen", [one])
    flush_accesses(accesses)
    logged = AccessLog.objects.values_list("memory_id", "agent_id", "action", "accesses")
    assert set(logged) == {
        (one, "kitchen", "read", 4),
        (two, "kitchen", "read", 3),
        (one, "", "read", 1),
        (one, "kitchen", "search", 1),
    }


@pytest.mark.django_db(transaction=True)
def test_flushes_of_several_orchestrators_add_up():
    ids = [store() for _ in range(20)]

    def flush():
        accesses = Accesses()
        for _ in range(5):
            accesses.note("read", "kitchen", reversed(ids))
            flush_accesses(accesses)

    run_together([flush] * 4)
    assert set(AccessLog.objects.values_list("accesses", flat=True)) == {20}
    assert AccessLog.objects.count() == 20


@pytest.mark.django_db
def test_what_cannot_be_flushed_waits():
    accesses = Accesses()
    accesses.note("read", "", [store()])

    def away(*_):
        raise DatabaseError("away")

    with connection.execute_wrapper(away), pytest.raises(DatabaseError):
        flush_accesses(accesses)
    accesses.note("read", "", [MemoryEntry.objects.get().id])
    flush_accesses(accesses)
    assert AccessLog.objects.get().accesses == 2


def test_accesses_are_bounded_and_what_is_lost_is_counted(monkeypatch):
    monkeypatch.setattr("zmqbridge.accesses._CAPACITY", 2)
    accesses = Accesses()
    accesses.note("read", "", ["a", "b", "c", "a"])
    assert accesses.lost == 1
    assert sum(accesses.take().values()) == 3


@pytest.mark.django_db
def test_answers_are_kept_for_their_days(wire):
    memory_id = wire.create()
    wire.data("update", {"memory_id": memory_id, "priority": 9})
    now = datetime.now(UTC)
    assert forget_answers(now - timedelta(days=7), 10) == 0
    assert RequestKey.objects.count() == 1
    assert forget_answers(now + timedelta(seconds=1), 10) == 1

from datetime import UTC, datetime, timedelta

import pytest

from memories import changes
from memories.errors import MemoryNotFound
from memories.models import MemoryEntry, Revision
from memories.services.filters import Filter, Scope
from memories.services.forget import Deletion, expire_memories, forget_matching, forget_memories
from memories.services.restore import Restored, restore_memories, restore_operation
from memories.services.sessions import owners_of_sessions
from tests.factories import NEVER_MADE, SESSION, database_now, set_expiry, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)


def row(an_id):
    return MemoryEntry.all_objects.get(id=an_id)


def restore(an_id):
    [result] = restore_memories([an_id], DAY, "admin")
    return result


def alive():
    return set(MemoryEntry.objects.values_list("id", flat=True))


def test_what_was_deleted_comes_back_as_it_was():
    an_id = store("kept", tags=["a"], ttl_seconds=3600)
    expires_at = row(an_id).expires_at
    forget_memories([Deletion(an_id, DAY)])
    assert restore(an_id) == Restored(an_id)
    back = row(an_id)
    assert (back.deleted_at, back.text, back.tags) == (None, "kept", ["a"])
    assert back.expires_at == expires_at


@pytest.mark.parametrize("job_has_run", [True, False])
def test_what_had_expired_loses_its_expiry(job_has_run):
    an_id = store()
    set_expiry(an_id, database_now() - timedelta(hours=1))
    if job_has_run:
        expire_memories()
    assert restore(an_id) == Restored(an_id)
    assert row(an_id).expires_at is row(an_id).deleted_at is None
    assert alive() == {an_id}


def test_what_was_deleted_and_then_would_have_expired_loses_it_too():
    an_id = store(ttl_seconds=60)
    forget_memories([Deletion(an_id, DAY)])
    set_expiry(an_id, database_now())
    restore(an_id)
    assert alive() == {an_id}


def test_a_live_one_stays_as_it_is():
    an_id = store(ttl_seconds=60)
    before = MemoryEntry.objects.filter(id=an_id).values().get()
    assert restore(an_id) == Restored(an_id)
    assert MemoryEntry.objects.filter(id=an_id).values().get() == before
    assert not Revision.objects.exists()


def test_what_never_was_is_not_found():
    for an_id in (NEVER_MADE, "foreign"):
        assert isinstance(restore(an_id), MemoryNotFound)


class TestOperation:
    def delete(self, operation_id, **conditions):
        owner = owners_of_sessions([SESSION])[SESSION]
        filter_ = Filter(Scope.SESSION, SESSION, owner, **conditions)
        return forget_matching(filter_, DAY, "", operation_id)

    def test_is_undone_whole_and_once(self):
        one, two, other = store(tags=["x"]), store(tags=["x"]), store()
        forget_memories([Deletion(other, DAY)])
        self.delete("op-1", tags=("x",))
        assert set(restore_operation("op-1", DAY)) == {one, two}
        assert alive() == {one, two}
        assert restore_operation("op-1", DAY) == []

    def test_is_undone_in_slices(self, monkeypatch):
        monkeypatch.setattr("memories.services.restore.SLICE", 2)
        made = {store(tags=["x"]) for _ in range(5)}
        self.delete("op-1", tags=("x",))
        slices = []
        monkeypatch.setattr(changes, "bring_back", noting(changes.bring_back, slices))
        assert set(restore_operation("op-1", DAY)) == made
        assert [len(each) for each in slices] == [2, 2, 1]

    def test_what_was_deleted_again_since_stays_deleted(self):
        one, two = store(tags=["x"]), store(tags=["x"])
        self.delete("op-1", tags=("x",))
        restore_memories([one], DAY)
        forget_memories([Deletion(one, DAY)])
        assert restore_operation("op-1", DAY) == [two]
        assert alive() == {two}

    def test_what_was_brought_back_by_itself_is_left_alone(self):
        one, two = store(tags=["x"]), store(tags=["x"])
        self.delete("op-1", tags=("x",))
        restore_memories([one], DAY)
        version = row(one).version
        assert restore_operation("op-1", DAY) == [two]
        assert row(one).version == version

    def test_an_unknown_one_restores_nothing(self):
        an_id = store()
        forget_memories([Deletion(an_id, DAY)])
        assert restore_operation("op-unknown", DAY) == []
        assert restore_operation("", DAY) == []
        assert not alive()


def noting(work, calls):
    """The same function, which notes what it was called with first."""

    def noted(first, *others):
        calls.append(first)
        return work(first, *others)

    return noted

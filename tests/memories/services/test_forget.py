from datetime import UTC, datetime, timedelta

import pytest

from memories.errors import MemoryNotFound
from memories.models import MemoryEntry, Revision
from memories.services.filters import Filter, Scope
from memories.services.forget import (
    EXPIRE_BATCH,
    Deleted,
    Deletion,
    expire_memories,
    forget_matching,
    forget_memories,
)
from memories.services.restore import restore_operation
from memories.services.sessions import owners_of_sessions
from memories.services.store import store_memories
from tests.factories import NEVER_MADE, SESSION, database_now, new_memory, set_expiry, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)


def alive():
    return set(MemoryEntry.objects.values_list("id", flat=True))


def forget(*ids):
    return forget_memories([Deletion(an_id, DAY, "kitchen") for an_id in ids])


def forget_all_of(**conditions):
    filter_ = Filter(Scope.SESSION, SESSION, owners_of_sessions([SESSION])[SESSION], **conditions)
    return forget_matching(filter_, DAY, "kitchen", "op-1")


def test_each_is_answered_for_itself():
    one, two = store(), store()
    results = forget(NEVER_MADE, one, "foreign")
    assert [type(result) for result in results] == [MemoryNotFound, Deleted, MemoryNotFound]
    assert isinstance(forget(one)[0], MemoryNotFound)
    assert alive() == {two}
    gone = MemoryEntry.all_objects.get(id=one)
    assert (gone.deleted_at, gone.version) == (DAY, 2)


def test_what_has_expired_is_not_found():
    an_id = store()
    set_expiry(an_id, database_now())
    assert isinstance(forget(an_id)[0], MemoryNotFound)


def test_all_that_a_filter_finds_and_nothing_else():
    doomed = [store(tags=["x"]), store(tags=["x", "y"])]
    kept = [store(tags=["xy"]), store(tags=["x"], session_id="other"), store()]
    assert set(forget_all_of(tags=("x",))) == set(doomed)
    assert alive() == set(kept)
    revisions = Revision.objects.values_list("action", "changed_by", "operation_id")
    assert set(revisions) == {("bulk_delete", "kitchen", "op-1")}
    assert forget_all_of(tags=("x",)) == []


def test_a_delete_of_one_user_touches_no_other():
    """Names that share a prefix are not the same owner."""
    store(session_id="s")
    kept = store(session_id="session")
    owner = owners_of_sessions(["s"])["s"]
    forget_matching(Filter(Scope.USER, "s", owner), DAY, "", "op-1")
    assert alive() == {kept}


def test_an_unknown_session_deletes_nothing():
    store()
    assert forget_matching(Filter(Scope.SESSION, "unknown"), DAY, "", "op-1") == []
    assert forget_matching(Filter(Scope.USER, "unknown"), DAY, "", "op-1") == []


class TestExpiry:
    def test_marks_what_is_past_as_deleted_since_it_was_found(self):
        past, now, kept, never = store(), store(), store(), store()
        set_expiry(past, database_now() - timedelta(hours=1))
        set_expiry(now, database_now())
        set_expiry(kept, database_now() + timedelta(microseconds=1))
        assert expire_memories() is False
        assert alive() >= {never}
        rows = {row.id: row for row in MemoryEntry.all_objects.all()}
        assert rows[past].deleted_at == rows[now].deleted_at == database_now()
        assert rows[past].expires_at == database_now() - timedelta(hours=1)
        assert rows[kept].deleted_at is rows[never].deleted_at is None
        assert set(Revision.objects.values_list("action", flat=True)) == {"expire"}
        expire_memories()
        assert Revision.objects.count() == 2

    def test_says_whether_there_may_be_more(self):
        store_memories([new_memory() for _ in range(EXPIRE_BATCH + 1)])
        MemoryEntry.all_objects.update(expires_at=database_now())
        assert expire_memories() is True
        assert expire_memories() is False
        assert MemoryEntry.all_objects.deleted().count() == EXPIRE_BATCH + 1


def test_many_go_in_slices_and_come_back_as_one(monkeypatch):
    monkeypatch.setattr("memories.services.forget.SLICE", 2)
    doomed = {store(tags=["x"]) for _ in range(5)}
    kept = store()
    assert set(forget_all_of(tags=("x",))) == doomed
    assert alive() == {kept}
    assert set(restore_operation("op-1", DAY)) == doomed

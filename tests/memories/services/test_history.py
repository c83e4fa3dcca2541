import json
from datetime import UTC, datetime, timedelta

import pytest

from memories.errors import MemoryNotFound
from memories.models import Revision as RevisionRow
from memories.services.forget import Deletion, forget_memories
from memories.services.history import history_of
from memories.services.restore import restore_memories
from memories.services.revise import Revision, revise_memories
from tests.factories import NEVER_MADE, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)


def later(hours):
    return DAY + timedelta(hours=hours)


def revise(memory_id, at=DAY, **values):
    [result] = revise_memories([Revision(memory_id, at, **values)])
    return result


def test_holds_what_was_before_each_change_newest_first():
    memory_id = store("first", tags=["a"], priority=3)
    revise(memory_id, later(1), content_json=b'{"text":"second"}', changed_by="kitchen")
    revise(memory_id, later(2), tags=("b",), priority=9)
    forget_memories([Deletion(memory_id, later(3), "porch")])
    restore_memories([memory_id], later(4), "admin")
    seen = history_of(memory_id)
    assert [(one.version, one.action, one.changed_by) for one in seen] == [
        (4, "restore", "admin"),
        (3, "delete", "porch"),
        (2, "update", None),
        (1, "update", "kitchen"),
    ]
    assert [json.loads(bytes(one.content))["text"] for one in seen] == ["second"] * 3 + ["first"]
    assert [(one.tags, one.priority) for one in seen] == [(["b"], 9)] * 2 + [(["a"], 3)] * 2
    assert [one.changed_at for one in seen] == [later(4), later(3), later(2), later(1)]
    assert [one.deleted_at for one in seen] == [later(3), None, None, None]


def test_what_was_never_changed_has_none():
    assert history_of(store()) == []


@pytest.mark.parametrize("memory_id", [NEVER_MADE, "foreign"])
def test_of_what_never_was(memory_id):
    with pytest.raises(MemoryNotFound):
        history_of(memory_id)


def test_a_change_that_was_refused_leaves_no_revision():
    memory_id = store()
    revise(memory_id, if_updated_at=DAY)
    revise(NEVER_MADE, priority=1)
    assert not RevisionRow.objects.exists()


def test_is_cut_at_the_reply_limit_with_the_newest_kept():
    memory_id = store("x" * 500)
    for number in range(5):
        revise(memory_id, later(number), priority=number + 1, tags=("t" * 64,) * 10)
    seen = history_of(memory_id, max_bytes=8000)
    assert [one.version for one in seen] == [5, 4]
    assert history_of(memory_id, max_bytes=10**7)[-1].version == 1
    rest = history_of(memory_id, offset=len(seen), max_bytes=10**7)
    assert [one.version for one in rest] == list(range(seen[-1].version - 1, 0, -1))
    assert history_of(memory_id, limit=1, offset=len(seen)) == rest[:1]

import json
from datetime import UTC, datetime, timedelta

import pytest

from memories.errors import MemoryNotFound, ValidationFailed
from memories.models import MemoryEntry
from memories.services.revise import Revision, revise_memories
from tests.factories import NEVER_MADE, database_now, set_expiry, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)
LATER = DAY + timedelta(hours=1)


def values_of(an_id):
    return MemoryEntry.all_objects.filter(id=an_id).values().get()


def revise(an_id, **values):
    [result] = revise_memories([Revision(an_id, LATER, **values)])
    return result


NEW = {
    "memory_type": ({"memory_type": "new"}, {"memory_type": "new"}),
    "tags": ({"tags": ("new",)}, {"tags": ["new"]}),
    "no tags": ({"tags": ()}, {"tags": []}),
    "priority": ({"priority": 10}, {"priority": 10}),
    "expiry": ({"set_ttl": True}, {"expires_at": None}),
    "content": (
        {"content_json": b'{"text":"new words here"}', "source_agent": ""},
        {
            "content": {"text": "new words here"},
            "text": "new words here",
            "source_agent": "",
            "content_version": 2,
        },
    ),
}


@pytest.mark.parametrize("field", NEW)
def test_what_is_named_is_replaced_whole_and_the_rest_stays(field):
    an_id = store("old", created_at=DAY, tags=["old"], ttl_seconds=60, source_agent="kitchen")
    before = values_of(an_id)
    given, changed = NEW[field]
    revised = revise(an_id, **given)
    after = values_of(an_id)
    derived = {"search", "words", "content_bytes"} if field == "content" else set()
    expected = before | changed | {"updated_at": LATER, "version": 2}
    assert {k: v for k, v in after.items() if k not in derived} == {
        k: v for k, v in expected.items() if k not in derived
    }
    assert (revised.memory_id, revised.updated_at) == (an_id, LATER)
    assert revised.expires_at == after["expires_at"]


def test_a_time_to_live_counts_from_now():
    an_id = store()
    revised = revise(an_id, set_ttl=True, ttl_seconds=90)
    assert revised.expires_at == database_now() + timedelta(seconds=90)


def test_what_is_not_alive_is_not_found():
    expired = store()
    set_expiry(expired, database_now())
    for an_id in (expired, NEVER_MADE, "foreign"):
        assert isinstance(revise(an_id, priority=1), MemoryNotFound)
    assert values_of(expired)["version"] == 1


def test_only_where_it_has_not_changed_since():
    an_id = store(created_at=DAY)
    assert revise(an_id, priority=9, if_updated_at=DAY).updated_at == LATER
    refused = revise(an_id, priority=1, if_updated_at=DAY)
    assert isinstance(refused, ValidationFailed)
    assert refused.details == {"field": "payload.if_updated_at", "updated_at": LATER}
    assert values_of(an_id)["priority"] == 9


def test_many_together_each_as_asked():
    ids = [store(str(number), created_at=DAY) for number in range(30)]
    results = revise_memories(
        [
            Revision(an_id, LATER, content_json=json.dumps({"n": number}).encode())
            if number % 3
            else Revision(NEVER_MADE[:-2] + f"{number:02}", LATER, priority=1)
            for number, an_id in enumerate(ids)
        ]
    )
    for number, (an_id, result) in enumerate(zip(ids, results, strict=True)):
        if number % 3:
            assert result.memory_id == an_id
            assert values_of(an_id)["content"] == {"n": number}
        else:
            assert isinstance(result, MemoryNotFound)
            assert values_of(an_id)["version"] == 1

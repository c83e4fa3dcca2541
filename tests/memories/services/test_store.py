from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from memories import ids
from memories.models import EmbeddingModel, EmbeddingTask, MemoryEntry, Session
from memories.services.fetch import fetch_memories
from memories.services.forget import Deletion, forget_memories
from memories.services.store import store_memories
from tests.factories import SESSION, database_now, new_memory, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, 8, 30, 45, 123456, UTC)


def test_what_is_stored_is_what_was_given():
    an_id = store(
        memory_type="user_preference",
        content_json=b'{"text":"tea","source_agent":"kitchen"}',
        created_at=DAY,
        tags=["b", "a"],
        priority=9,
        ttl_seconds=60,
        source_agent="kitchen",
        created_by="porch",
    )
    row = MemoryEntry.objects.get(id=an_id)
    memory = fetch_memories([an_id])[an_id].memory
    assert memory.session_id == SESSION
    assert memory.memory_type == "user_preference"
    assert (memory.tags, memory.priority, memory.source_agent) == (["b", "a"], 9, "kitchen")
    assert memory.created_at == memory.updated_at == DAY
    assert memory.expires_at == database_now() + timedelta(seconds=60)
    assert (row.text, row.created_by, row.version) == ("tea", "porch", 1)


def test_the_id_carries_the_owner():
    an_id = store()
    assert ids.owner_in(an_id) == Session.objects.get().owner_id == ids.owner_of_session(SESSION)


def test_one_that_is_there_is_answered_as_it_was_stored_even_when_deleted():
    first = new_memory("first", created_at=DAY, key=b"k" * 16)
    again = new_memory("again", created_at=DAY + timedelta(days=1), key=b"k" * 16)
    [stored] = store_memories([first])
    assert store_memories([again, again]) == [stored, stored]
    forget_memories([Deletion(stored.memory_id, DAY)])
    assert store_memories([again]) == [stored]
    assert not MemoryEntry.objects.exists()
    assert MemoryEntry.all_objects.get().text == "first"


def test_one_from_elsewhere_keeps_its_id_and_the_moment_of_its_expiry():
    an_id = store(memory_id="old-7", expires_at=DAY)
    later = store(expires_at=database_now() + timedelta(hours=1))
    assert an_id == "old-7"
    assert set(MemoryEntry.objects.values_list("id", flat=True)) == {later}
    assert MemoryEntry.all_objects.get(id="old-7").expires_at == DAY


def test_what_has_expired_already_waits_for_no_vector():
    EmbeddingModel.objects.create(name="any", kind="any", dimension=2, created_at=DAY)
    store(expires_at=DAY)
    found = store(expires_at=database_now() + timedelta(hours=1))
    assert [task.memory_id for task in EmbeddingTask.objects.all()] == [found]


def test_sessions_are_opened_on_the_way_with_what_they_hold():
    store_memories([new_memory(session_id=name) for name in ("a", "b", "a")])
    assert set(Session.objects.values_list("id", flat=True)) == {"a", "b"}


def test_all_or_nothing():
    with pytest.raises(IntegrityError), transaction.atomic():
        store_memories([new_memory(session_id="new"), new_memory(priority=11, session_id="new")])
    assert not MemoryEntry.all_objects.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"text":"a word"}', "a word"),
        (b'{"text":5}', ""),
        (b'{"text":null,"body":"a word"}', ""),
        (b'{"data":{"text":"inner"}}', ""),
    ],
)
def test_the_text_of_a_content_is_what_search_reads(content, text):
    row = MemoryEntry.objects.get(id=store(content_json=content))
    assert row.text == text
    assert row.words == (1 if text else 0)  # "a" is a stop word

from datetime import UTC, datetime

import pytest

from memories.models import MemoryEntry, Relationship, Session
from memories.services.fetch import fetch_memories
from tests.memories.importers.stores import UNIFIED, execute, extend, make, unified


def store_of(path, *memories, **tables):
    return make(path, UNIFIED, memories=memories, **tables)


def test_a_memory_comes_over_under_its_own_id(bring, tmp_path):
    brought = bring(store_of(tmp_path / "store", unified("m-1", last_accessed_at=1709290000.25)))
    assert (brought.format, brought.is_whole, brought.findings) == ("unified", True, [])
    memory = MemoryEntry.objects.get()
    assert (memory.id, memory.text, memory.memory_type) == ("m-1", "content of m-1", "entity")
    assert memory.priority == 1 + round(9 * 0.8)
    assert memory.tags == ["tea"]
    assert memory.content["metadata"] == {
        "origin": "porch",
        "memory_tier": "long",
        "importance": 0.8,
        "access_count": 3,
        "last_accessed_at": 1709290000.25,
    }
    assert memory.created_at == datetime.fromtimestamp(1709283600.5, UTC)
    assert "m-1" in fetch_memories(["m-1"])


@pytest.mark.parametrize(
    "an_id", ["mem-" + "A" * 44, "x" * 65], ids=["of another owner", "too long"]
)
def test_an_id_that_cannot_be_kept_gets_another(bring, tmp_path, an_id):
    assert bring(store_of(tmp_path / "store", unified(an_id))).is_whole
    memory = MemoryEntry.objects.get()
    assert memory.id != an_id
    assert memory.id in fetch_memories([memory.id])


@pytest.mark.parametrize("importance", [0, 0.05, 0.5, 0.72, 1])
def test_the_priority_follows_the_importance(bring, tmp_path, importance):
    bring(store_of(tmp_path / "store", unified(importance=importance)))
    assert MemoryEntry.objects.get().priority == 1 + round(9 * importance)


def test_relationships_come_from_the_table_the_lists_and_the_parents(bring, tmp_path):
    path = store_of(
        tmp_path / "store",
        unified("a", relationships='{"about": ["b", "c"]}'),
        unified("b", parent_id="a"),
        unified("c"),
        memory_relationships=[
            {
                "source_memory_id": "a",
                "target_memory_id": "b",
                "relationship_type": "before",
                "strength": 0.25,
                "created_at": 1709283600,
            }
        ],
    )
    brought = bring(path)
    assert (brought.is_whole, brought.findings) == (True, [])
    found = Relationship.objects.values_list(
        "source_id", "relationship_type", "target_id", "strength"
    )
    assert set(found) == {
        ("a", "before", "b", 0.25),
        ("a", "about", "b", 1.0),
        ("a", "about", "c", 1.0),
        ("b", "child_of", "a", 1.0),
    }
    assert bring(path).new == 0


def test_a_relationship_without_an_end_is_skipped_and_told(bring, tmp_path, told):
    path = store_of(
        tmp_path / "store",
        unified("a", parent_id="gone", relationships='{"about": ["lost"]}'),
        memory_relationships=[
            {"source_memory_id": "a", "target_memory_id": "x", "relationship_type": "before"}
        ],
    )
    brought = bring(path)
    missing = "an end of the relationship does not exist"
    assert {f for f in told(brought) if f[2] == missing} == {
        ("memory_relationships", "1", missing),
        ("memories.parent_id", "a", missing),
        ("memories.relationships", "a", missing),
    }
    assert brought.is_whole
    assert not Relationship.objects.exists()


def test_groups_become_tags(bring, tmp_path, told):
    path = store_of(
        tmp_path / "store",
        unified("a"),
        unified("b", tags=None),
        context_groups=[{"id": 1, "name": "garden"}, {"id": 2, "name": "empty"}],
        memory_group_mappings=[
            {"memory_id": "a", "group_id": 1},
            {"memory_id": "b", "group_id": 1},
            {"memory_id": "gone", "group_id": 1},
        ],
    )
    brought = bring(path)
    tags = dict(MemoryEntry.objects.values_list("id", "tags"))
    assert tags == {"a": ["tea", "group:garden"], "b": ["group:garden"]}
    assert told(brought) == [
        ("memory_group_mappings", "3", "its memory or group does not exist"),
        ("context_groups", "2", "the group has no memory"),
    ]


def test_two_sources_with_the_same_ids_never_meet(bring, tmp_path):
    first = store_of(tmp_path / "of the kitchen", unified("a", content="tea"), unified("b"))
    second = store_of(tmp_path / "of the porch", unified("a", content="coffee"))
    assert bring(first, user="anna").is_whole
    assert bring(second, user="anna").is_whole
    assert bring(first, user="anna").new == bring(second, user="anna").new == 0
    found = MemoryEntry.objects.values_list("text", "session_id")
    assert {text for text, _ in found} == {"tea", "coffee", "content of b"}
    assert len({session for _, session in found}) == 2
    assert Session.objects.filter(user_id="anna", session_type="import").count() == 2


def test_a_copy_that_has_lost_its_oldest_is_known_again(bring, tmp_path):
    path = store_of(tmp_path / "store", unified("a"), unified("b"), unified("c"))
    bring(path)
    execute(path, "DELETE FROM memories WHERE memory_id = 'a'")
    extend(path.rename(tmp_path / "moved"), memories=[unified("d")])
    assert bring(tmp_path / "moved").new == 1
    assert Session.objects.count() == 1


def test_reading_a_memory_in_the_old_store_makes_no_difference(bring, tmp_path):
    path = store_of(tmp_path / "store", unified("a"))
    bring(path)
    execute(path, "UPDATE memories SET access_count = 9, last_accessed_at = 1709299999")
    brought = bring(path)
    assert (brought.new, brought.is_whole, brought.findings) == (0, True, [])
    assert MemoryEntry.objects.get().version == 1


def test_what_was_changed_in_the_file_since_is_updated(bring, tmp_path, told):
    path = store_of(tmp_path / "store", unified("a"))
    bring(path)
    execute(path, "UPDATE memories SET content = 'now coffee', importance = 1")
    brought = bring(path)
    assert told(brought) == [("memories", "a", "changed in the file since it was imported")]
    memory = MemoryEntry.objects.get()
    assert (memory.text, memory.priority, memory.version) == ("now coffee", 10, 2)
    assert brought.is_whole


def test_a_memory_that_has_expired_is_imported_and_invisible(bring, tmp_path):
    brought = bring(store_of(tmp_path / "store", unified("a", expires_at=1709283601)))
    assert (brought.new, brought.is_whole) == (1, True)
    assert not MemoryEntry.objects.exists()
    assert MemoryEntry.all_objects.get().expires_at == datetime.fromtimestamp(1709283601, UTC)

from datetime import UTC, datetime

from memories.models import MemoryEntry, Relationship
from tests.memories.importers.stores import MANAGER, make


def entry(number, **values):
    return {
        "memory_id": number,
        "content": f"entry {number}",
        "memory_type": "user_preference",
        "importance_score": 0.3,
        "access_count": 2,
        "created_at": "2024-03-01 09:00:00",
        "metadata": '{"origin": "porch"}',
    } | values


def test_an_entry_comes_over(bring, tmp_path):
    path = make(tmp_path / "store", MANAGER, memory_entries=[entry(1)])
    brought = bring(path)
    assert (brought.format, brought.is_whole, brought.findings) == ("manager", True, [])
    memory = MemoryEntry.objects.get()
    assert (memory.text, memory.memory_type) == ("entry 1", "user_preference")
    assert memory.priority == 1 + round(9 * 0.3)
    assert memory.created_at == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert memory.content["metadata"].items() >= {"origin": "porch", "access_count": 2}.items()


def test_an_entry_expires_in_utc(bring, tmp_path):
    rows = [entry(1, expires_at="2024-03-02 09:00:00"), entry(2, expires_at="2124-03-02 09:00:00")]
    bring(make(tmp_path / "store", MANAGER, memory_entries=rows))
    assert MemoryEntry.objects.get().expires_at == datetime(2124, 3, 2, 9, tzinfo=UTC)
    assert MemoryEntry.all_objects.count() == 2


def test_categories_become_tags_and_relationships_come_over(bring, tmp_path, told):
    path = make(
        tmp_path / "store",
        MANAGER,
        memory_entries=[entry(1), entry(2)],
        memory_categories=[{"category_id": 1, "name": "food"}],
        memory_category_assignments=[
            {"memory_id": 1, "category_id": 1},
            {"memory_id": 7, "category_id": 1},
        ],
        memory_relationships=[
            {"source_memory_id": 1, "target_memory_id": 2, "relationship_type": "before"},
            {"source_memory_id": 1, "target_memory_id": 7, "relationship_type": "before"},
        ],
    )
    brought = bring(path)
    assert brought.is_whole
    assert dict(MemoryEntry.objects.values_list("text", "tags")) == {
        "entry 1": ["food"],
        "entry 2": [],
    }
    tie = Relationship.objects.get()
    assert (tie.source.text, tie.relationship_type, tie.target.text) == (
        "entry 1",
        "before",
        "entry 2",
    )
    assert ("memory_relationships", "2", "an end of the relationship does not exist") in told(
        brought
    )
    assert ("memory_category_assignments", "2", "its memory or category does not exist") in told(
        brought
    )

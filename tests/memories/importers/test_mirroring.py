"""A mirror: what the file holds after a while is what stands here, and nothing else is touched."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from threading import Event

import pytest

from memories.importers.comparing import Comparison
from memories.importers.errors import ImportRefused
from memories.importers.following import Follower, Reading
from memories.importers.kinds import opened, recognise
from memories.importers.mirror_state import opened_state
from memories.importers.mirroring import still_here
from memories.importers.report import Report
from memories.models import MemoryEntry, Relationship
from memories.models import Revision as Kept
from memories.services.forget import Deletion, forget_memories
from memories.services.restore import restore_memories
from memories.services.revise import Revision, revise_memories
from tests.memories.importers.conftest import BERLIN
from tests.memories.importers.stores import (
    UNIFIED,
    add,
    execute,
    extend,
    make,
    make_json,
    talk,
    turn,
    unified,
)

READING = Reading("", "", BERLIN)


@pytest.fixture
def round_of(db, tmp_path):
    """One round of a mirror of the file, as by a new process; what was new, changed, deleted."""

    def round_of(path, deletes_many=False):
        with opened_state(tmp_path / "mirrors", path, "") as state:
            done = Follower(path, READING, state, Event(), deletes_many).bring_over(lambda n: None)
        return done.new, done.changed, done.deleted

    return round_of


@pytest.fixture
def differences(tmp_path):
    def differences(path):
        found = []
        with (
            opened_state(tmp_path / "mirrors", path, "", alone=False) as state,
            opened(path, BERLIN, "", Report()) as source,
        ):
            for store in recognise(source):
                comparison = Comparison(store, lambda *told: found.append(told))
                comparison.go(lambda rows: None)
            return found + [(an_id, "is not gone") for an_id in still_here(state)]

    return differences


def texts():
    return set(MemoryEntry.objects.values_list("text", flat=True))


def test_each_round_brings_what_is_new_changed_and_gone(tmp_path, round_of, differences):
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified(f"m-{n}") for n in range(1, 5)])
    assert round_of(path) == (4, 0, 0)
    assert round_of(path) == (0, 0, 0)
    extend(path, memories=[unified("m-5")])
    execute(path, "UPDATE memories SET content = 'other', expires_at = 4e9 WHERE memory_id = 'm-2'")
    execute(path, "UPDATE memories SET access_count = 99 WHERE memory_id = 'm-4'")
    execute(path, "DELETE FROM memories WHERE memory_id = 'm-3'")
    assert differences(path) != []
    assert round_of(path) == (1, 1, 1)
    assert texts() == {"content of m-1", "other", "content of m-4", "content of m-5"}
    changed = MemoryEntry.objects.get(id="m-2")
    assert changed.expires_at == datetime.fromtimestamp(4e9, UTC)
    [kept] = Kept.objects.filter(memory_id="m-2")
    assert kept.content["text"] == "content of m-2"
    assert MemoryEntry.all_objects.get(id="m-3").deleted_at
    assert differences(path) == []
    assert round_of(path) == (0, 0, 0)


def test_what_comes_back_in_the_file_comes_back_here(tmp_path, round_of, differences):
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified("m-1"), unified("m-2")])
    round_of(path)
    execute(path, "DELETE FROM memories WHERE memory_id = 'm-1'")
    assert round_of(path) == (0, 0, 1)
    extend(path, memories=[unified("m-1", content="anew")])
    round_of(path)
    assert texts() == {"anew", "content of m-2"}
    assert differences(path) == []


def test_relationships_are_followed_too(tmp_path, round_of):
    tie = {"source_memory_id": "m-1", "target_memory_id": "m-2", "relationship_type": "about"}
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified("m-1"), unified("m-2")])
    round_of(path)
    extend(path, memory_relationships=[tie])
    round_of(path)
    assert [r.relationship_type for r in Relationship.objects.all()] == ["about"]
    execute(path, "DELETE FROM memory_relationships")
    round_of(path)
    assert not Relationship.objects.exists()


def test_a_turn_that_was_edited_stands_here_once(tmp_path, round_of, differences):
    """Its words are part of what tells it from others."""
    path = talk(tmp_path / "s.db", turns=3)
    round_of(path)
    execute(path, "UPDATE interactions SET content = 'edited' WHERE id = 2")
    assert round_of(path) == (1, 0, 1)
    assert texts() == {"turn 1", "edited", "turn 3"}
    assert differences(path) == []


def test_what_was_changed_or_deleted_here_stays_so_and_is_told(tmp_path, round_of, differences):
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified(f"m-{n}") for n in range(1, 4)])
    round_of(path)
    now = datetime.now(UTC)
    for an_id in ("m-1", "m-2"):
        revise_memories([Revision(an_id, now, content_json=b'{"text": "mine"}', changed_by="me")])
    forget_memories([Deletion("m-3", now, "me")])
    assert [row for _, row, _ in differences(path)] == ["m-3"]
    execute(path, "UPDATE memories SET content = 'theirs' WHERE memory_id = 'm-1'")
    execute(path, "DELETE FROM memories WHERE memory_id = 'm-2'")
    round_of(path)
    assert (
        MemoryEntry.objects.get(id="m-1").text == MemoryEntry.objects.get(id="m-2").text == "mine"
    )
    assert not MemoryEntry.objects.filter(id="m-3").exists()
    assert ("m-2", "is not gone") in differences(path)


def test_another_source_in_the_same_session_loses_nothing(tmp_path, round_of, bring):
    bring(talk(tmp_path / "old.db", turns=2))
    path = talk(tmp_path / "live.db", turns=1)
    execute(path, "UPDATE interactions SET content = 'live'")
    round_of(path)
    execute(path, "DELETE FROM interactions")
    assert round_of(path) == (0, 0, 1)
    assert texts() == {"turn 1", "turn 2"}


def test_a_list_that_drops_its_oldest_deletes_nothing(tmp_path, round_of):
    entries = [{"timestamp": 1709283600.0 + n, "memory": f"entry {n}"} for n in range(3)]
    path = make_json(tmp_path / "jarvis.json", {"anna": entries})
    round_of(path)
    entries.append({"timestamp": 1709283700.0, "memory": "entry 3"})
    make_json(path, {"anna": entries[1:]})
    assert round_of(path) == (1, 0, 0)
    assert texts() == {f"entry {n}" for n in range(4)}


def test_a_file_that_lost_nearly_all_is_asked_about(tmp_path, round_of):
    path = talk(tmp_path / "s.db", turns=150)
    round_of(path)
    execute(path, "DELETE FROM interactions WHERE id > 10")
    with pytest.raises(ImportRefused, match="140 of 150"):
        round_of(path)
    assert MemoryEntry.objects.count() == 150
    assert round_of(path, deletes_many=True) == (0, 0, 140)


def test_ties_that_vanish_nearly_all_are_asked_about(tmp_path, round_of):
    ties = [
        {"source_memory_id": "m-1", "target_memory_id": "m-2", "relationship_type": f"t{n}"}
        for n in range(120)
    ]
    memories = [unified("m-1"), unified("m-2")]
    path = make(tmp_path / "u.db", UNIFIED, memories=memories, memory_relationships=ties)
    round_of(path)
    execute(path, "DELETE FROM memory_relationships")
    with pytest.raises(ImportRefused, match="120 of 120 relationships"):
        round_of(path)
    assert Relationship.objects.count() == 120
    round_of(path, deletes_many=True)
    assert not Relationship.objects.exists()


def test_what_the_database_has_lost_comes_back_with_the_next_start(tmp_path, round_of):
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified("m-1"), unified("m-2")])
    round_of(path)
    MemoryEntry.all_objects.filter(id="m-1").hard_delete()
    assert round_of(path) == (1, 0, 0)


def test_what_had_gone_from_the_file_goes_from_another_database_too(tmp_path, round_of):
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified(f"m-{n}") for n in range(1, 4)])
    round_of(path)
    execute(path, "DELETE FROM memories WHERE memory_id = 'm-1'")
    round_of(path)
    restore_memories(["m-1"], datetime.now(UTC), "import")  # as a restored database has it
    assert round_of(path) == (0, 0, 0)
    with opened_state(tmp_path / "mirrors", path, "") as state:
        state.complete("that from before the restore")
    assert round_of(path) == (0, 0, 1)
    assert texts() == {"content of m-2", "content of m-3"}


def test_a_link_to_a_store_is_followed_into_its_wal(db, tmp_path):
    path = talk(tmp_path / "s.db")
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with (
        closing(sqlite3.connect(path)) as connection,
        opened_state(tmp_path / "mirrors", link, "") as state,
    ):
        connection.execute("PRAGMA journal_mode = WAL")
        follower = Follower(link, READING, state, Event(), False)
        follower.bring_over(lambda rows: None)
        assert not follower.has_changed()
        add(connection, interactions=[turn(9)])
        assert follower.has_changed()
        assert follower.bring_over(lambda rows: None).new == 1


def test_two_mirrors_of_one_file_are_refused(tmp_path, round_of):
    path = talk(tmp_path / "s.db")
    with (
        opened_state(tmp_path / "mirrors", path, ""),
        pytest.raises(ImportRefused, match="another process"),
    ):
        round_of(path)


def test_a_file_that_is_bad_for_a_while_costs_nothing(tmp_path, round_of):
    path = talk(tmp_path / "s.db")
    round_of(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises((ImportRefused, sqlite3.DatabaseError)):
        round_of(path)
    path.write_bytes(whole)
    extend(path, interactions=[turn(9)])
    assert round_of(path) == (1, 0, 0)

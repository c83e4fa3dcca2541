"""Who was erased here does not come back from the files that still know of it."""

from datetime import datetime
from threading import Event

import pytest

from memories.importers.following import Follower, Reading
from memories.importers.mirror_state import opened_state
from memories.models import MemoryEntry, Relationship, Session, UserProfile
from memories.services.erase import Erasure
from memories.services.named_owner import owner_of
from memories.services.proofs import ProofFile
from tests.memories.importers.conftest import BERLIN
from tests.memories.importers.stores import (
    SESSION,
    UNIFIED,
    extend,
    make,
    make_json,
    session_row,
    talk,
    turn,
    unified,
)


@pytest.fixture
def erase(db, tmp_path):
    def erase(user):
        for _ in Erasure(owner_of(user), "tester", ProofFile(tmp_path / "proofs")).steps():
            pass

    return erase


def later(session="s-1"):
    """A turn that was said after any erasure of this test."""
    return turn(1, session, timestamp=f"{datetime.now().year + 1}-03-01T09:00:00", content="new")


def test_what_is_older_than_the_erasure_stays_out_and_is_told(bring, tmp_path, told, erase):
    path = talk(tmp_path / "store", 2)
    rows = [session_row("s-2", user_id="bert")]
    extend(path, sessions=rows, interactions=[turn(3, "s-2")])
    bring(path)
    erase("anna")
    brought = bring(path)
    assert {(table, row) for table, row, _ in told(brought)} == {
        ("sessions", "s-1"),
        ("interactions", "1"),
        ("interactions", "2"),
    }
    assert all(f["found"].startswith("its owner was erased on 2") for f in brought.findings)
    assert brought.is_whole
    assert not Session.objects.filter(user_id="anna").exists()
    assert MemoryEntry.all_objects.get().text == "turn 3"
    assert bring(path, erased_too=True).new == 3
    assert MemoryEntry.objects.count() == 3


def test_what_was_said_after_it_comes_over_without_the_rest(bring, tmp_path, erase):
    path = talk(tmp_path / "store", 2)
    bring(path)
    erase("anna")
    extend(path, interactions=[later()])
    brought = bring(path)
    assert (brought.tallies["interactions"].new, brought.is_whole) == (1, True)
    session = Session.objects.get()
    assert (session.id, session.user_id, session.metadata) == ("s-1", "anna", {})
    assert MemoryEntry.all_objects.get().text == "new"
    assert bring(path).new == 0


def test_rows_without_a_session_and_their_ties_stay_out(bring, tmp_path, told, erase):
    tie = {"source_memory_id": "a", "target_memory_id": "b", "relationship_type": "about"}
    rows = [unified("a"), unified("b", parent_id="a")]
    path = make(tmp_path / "store", UNIFIED, memories=rows, memory_relationships=[tie])
    bring(path, user="anna")
    erase("anna")
    brought = bring(path, user="anna")
    assert len(told(brought)) == 4 + 1  # the tie has no time of its own, which is told too
    assert brought.is_whole
    assert not Session.objects.exists() and not Relationship.objects.exists()


def test_a_profile_stays_out(bring, tmp_path, erase):
    path = make_json(tmp_path / "store", {"anna": {"name": "Anna", "preferences": {"a": 1}}})
    bring(path)
    erase("anna")
    assert bring(path).is_whole
    assert not UserProfile.objects.exists()


@pytest.fixture
def mirrored(db, tmp_path):
    """One round; what was new, changed, deleted."""

    def mirrored(path, user=""):
        with opened_state(tmp_path / "mirrors", path, user) as state:
            reading = Reading("", user, BERLIN)
            done = Follower(path, reading, state, Event(), False).bring_over(lambda n: None)
        return done.new, done.changed, done.deleted

    return mirrored


def test_a_mirror_brings_none_of_them_back(tmp_path, erase, mirrored):
    path = talk(tmp_path / "s.db", turns=120)
    assert mirrored(path)[0] == 121
    erase("anna")
    (tmp_path / "mirrors").rename(tmp_path / "forgotten")
    assert mirrored(path) == (0, 0, 0)
    extend(path, interactions=[later()])
    assert mirrored(path) == (1, 0, 0)
    assert MemoryEntry.all_objects.get().text == "new"


def test_what_was_erased_has_not_vanished_from_the_file(tmp_path, erase, mirrored):
    ties = [
        {"source_memory_id": "m-1", "target_memory_id": "m-2", "relationship_type": f"t{n}"}
        for n in range(120)
    ]
    memories = [unified(f"m-{n}") for n in range(1, 121)]
    path = make(tmp_path / "u.db", UNIFIED, memories=memories, memory_relationships=ties)
    assert mirrored(path, "anna")[0] == 240
    erase("anna")
    assert mirrored(path, "anna") == (0, 0, 0)


def test_a_session_without_a_user_is_an_owner_too(bring, tmp_path, db):
    rows = [session_row("hall", user_id=None)]
    path = make(tmp_path / "store", SESSION, sessions=rows, interactions=[turn(1, "hall")])
    bring(path)
    for _ in Erasure(owner_of(session="hall"), "tester", ProofFile(tmp_path)).steps():
        pass
    assert bring(path).is_whole
    assert not MemoryEntry.all_objects.exists()

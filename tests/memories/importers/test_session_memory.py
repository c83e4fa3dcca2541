from datetime import UTC, datetime

import pytest

from memories.models import MemoryEntry, Session
from tests.memories.importers.stores import SESSION, execute, extend, make, session_row, talk, turn


def test_a_session_and_its_turns_come_over(bring, tmp_path):
    first = turn(1, metadata='{"tags": ["lights", "evening"], "score": 1.50000000000000000001}')
    path = make(tmp_path / "any.name", SESSION, sessions=[session_row()], interactions=[first])
    brought = bring(path)
    assert (brought.format, brought.is_whole, brought.findings) == ("session", True, [])
    session = Session.objects.get()
    assert (session.id, session.user_id, session.metadata) == (
        "s-1",
        "anna",
        {"device": "kitchen"},
    )
    assert session.created_at == datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert session.updated_at == datetime(2024, 3, 1, 8, 30, 0, 250000, tzinfo=UTC)
    memory = MemoryEntry.objects.get()
    assert (memory.session_id, memory.memory_type) == ("s-1", "conversation")
    assert memory.content.keys() == {"text", "role", "timestamp", "metadata"}
    assert memory.content["timestamp"] == first["timestamp"]
    assert (memory.text, memory.speaker) == ("turn 1", "user")
    assert memory.tags == ["conversation", "user", "lights", "evening"]
    assert memory.created_at == datetime(2024, 3, 1, 8, 0, 1, 1, tzinfo=UTC)


def test_every_digit_of_a_number_comes_over(bring, tmp_path):
    digits = "1.50000000000000000001"
    row = turn(1, metadata=f'{{"score": {digits}}}')
    path = make(tmp_path / "store", SESSION, sessions=[session_row()], interactions=[row])
    bring(path)
    found = MemoryEntry.objects.extra(select={"whole": "content::text"}).get()
    assert digits in found.whole


def test_turns_without_a_session_share_one(bring, tmp_path):
    rows = [turn(1, None), turn(2, ""), turn(3)]
    path = make(tmp_path / "store", SESSION, sessions=[session_row()], interactions=rows)
    assert bring(path).is_whole
    shared = Session.objects.exclude(id="s-1").get()
    assert MemoryEntry.objects.filter(session=shared).count() == 2
    assert shared.metadata == {"store": "session", "file": str(path)}


def test_a_user_is_given_to_those_that_name_none(bring, tmp_path):
    sessions = [session_row("a", user_id=None), session_row("b")]
    path = make(tmp_path / "store", SESSION, sessions=sessions, interactions=[turn(1, "a")])
    bring(path, user="bob")
    assert dict(Session.objects.values_list("id", "user_id")) == {"a": "bob", "b": "anna"}


def test_a_session_that_another_owner_has_is_left_alone(bring, tmp_path):
    bring(talk(tmp_path / "of anna", 2))
    rows = {"sessions": [session_row(user_id="bob")], "interactions": [turn(1, content="of bob")]}
    assert bring(make(tmp_path / "of bob", SESSION, **rows)).is_whole
    assert MemoryEntry.objects.filter(session="s-1").count() == 2
    assert MemoryEntry.objects.exclude(session="s-1").get().session.user_id == "bob"


@pytest.mark.parametrize("an_id", ["x" * 65, "two\nlines"])
def test_an_id_that_cannot_be_kept_gets_another(bring, tmp_path, an_id):
    path = make(
        tmp_path / "store",
        SESSION,
        sessions=[session_row(an_id)],
        interactions=[turn(1, an_id)],
    )
    assert bring(path).is_whole
    assert MemoryEntry.objects.get().session == Session.objects.get()


def test_what_goes_on_in_a_session_comes_over_with_a_longer_copy(bring, tmp_path):
    path = talk(tmp_path / "store", 2)
    bring(path)
    extend(path, interactions=[turn(3)])
    later = "UPDATE sessions SET last_active = '2024-03-02T09:00:00', metadata = ?"
    execute(path, later, '{"device": "porch", "turns": 3}')
    brought = bring(path)
    assert (brought.new, brought.is_whole) == (1, True)
    session = Session.objects.get()
    assert session.metadata == {"device": "porch", "turns": 3}
    assert session.updated_at == datetime(2024, 3, 2, 8, tzinfo=UTC)

"""Everything that the files of old assistants are known to hold."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from memories.changes import rows
from memories.models import MemoryEntry, Session
from memories.models import Revision as Kept
from memories.services.revise import Revision, revise_memories
from tests.memories.importers.stores import (
    SESSION,
    UNIFIED,
    execute,
    extend,
    make,
    session_row,
    talk,
    turn,
    unified,
)


def one_turn(path, **values):
    return make(path, SESSION, sessions=[session_row()], interactions=[turn(1, **values)])


@pytest.mark.parametrize("bad", ["{not json", "{'a': 1}", '{"a": NaN}', "[1]", "\U0001f600"])
def test_metadata_that_is_no_object_is_kept_as_text(bring, tmp_path, told, bad):
    brought = bring(one_turn(tmp_path / "store", metadata=bad))
    assert told(brought) == [("interactions", "1", "metadata is no JSON object")]
    assert MemoryEntry.objects.get().content["metadata"] == {"raw": bad}
    assert brought.is_whole


def test_tags_that_are_no_list_are_kept_as_text(bring, tmp_path, told):
    rows = [unified("a", tags="tea, milk"), unified("b", tags="no", metadata="neither")]
    brought = bring(make(tmp_path / "store", UNIFIED, memories=rows))
    found = {memory.id: memory for memory in MemoryEntry.objects.all()}
    assert found["a"].content["metadata"]["raw"] == "tea, milk"
    assert found["a"].tags == []
    assert found["b"].content["metadata"]["raw"] == "neither"
    assert found["b"].content["metadata"]["tags_raw"] == "no"
    assert ("memories", "a", "tags is no JSON list of texts") in told(brought)


def test_metadata_of_a_session_that_is_no_object_is_kept_as_text(bring, tmp_path):
    path = make(tmp_path / "store", SESSION, sessions=[session_row(metadata="oh")])
    assert bring(path).is_whole
    assert Session.objects.get().metadata == {"raw": "oh"}


def test_a_session_that_is_missing_is_made(bring, tmp_path, told):
    rows = [turn(1, "gone"), turn(2, "gone")]
    brought = bring(make(tmp_path / "store", SESSION, interactions=rows))
    assert told(brought) == [("interactions", "1", "its session does not exist")]
    assert brought.findings[0]["done"] == "made, and marked as recovered"
    session = Session.objects.get()
    assert (session.id, session.metadata) == ("gone", {"recovered": True})
    assert brought.is_whole


@pytest.mark.parametrize("bad", [None, ""])
def test_a_session_without_an_id_is_skipped_and_stops_nothing(bring, tmp_path, told, bad):
    rows = [session_row(bad), session_row("ok")]
    path = make(tmp_path / "store", SESSION, sessions=rows, interactions=[turn(1, "ok")])
    brought = bring(path)
    assert told(brought) == [("sessions", "1", "the session has no id")]
    assert brought.tallies["sessions"].skipped == 1
    assert brought.is_whole
    assert Session.objects.get().id == "ok"
    assert bring(path).new == 0


@pytest.mark.parametrize(
    ("raw", "text", "found"),
    [
        ("a\0b", "a\ufffdb", "U+0000"),
        (b"caf\xe9", "caf\ufffd", "invalid UTF-8"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd", "invalid UTF-8"),
    ],
)
def test_texts_that_cannot_be_kept_are_repaired(bring, tmp_path, told, raw, text, found):
    path = one_turn(tmp_path / "store")
    execute(path, "UPDATE interactions SET content = CAST(? AS TEXT)", raw)
    brought = bring(path)
    assert MemoryEntry.objects.get().text == text
    assert told(brought) == [("interactions", "1", f"{found} in content")]
    assert brought.is_whole


def test_an_escaped_nul_in_json_is_repaired(bring, tmp_path, told):
    brought = bring(one_turn(tmp_path / "store", metadata='{"a": "x\\u0000", "b": "\\\\u0000"}'))
    assert MemoryEntry.objects.get().content["metadata"] == {"a": "x\ufffd", "b": "\\u0000"}
    assert told(brought) == [("interactions", "1", "U+0000 in metadata")]


@pytest.mark.parametrize(
    "bad", [None, "", "yesterday", "2024-13-45T00:00:00", "0000-00-00", b"\xff"]
)
def test_a_time_that_cannot_be_read_is_the_neighbours(bring, tmp_path, told, bad):
    rows = [turn(1), turn(2, timestamp=bad), turn(3)]
    brought = bring(make(tmp_path / "store", SESSION, sessions=[session_row()], interactions=rows))
    times = dict(MemoryEntry.objects.values_list("text", "created_at"))
    assert times["turn 2"] == times["turn 1"]
    assert ("interactions", "2", "its time is missing or cannot be read") in told(brought)
    assert brought.is_whole


def test_the_first_row_takes_the_time_of_the_next(bring, tmp_path):
    rows = [turn(1, timestamp=""), turn(2, timestamp=""), turn(3)]
    bring(make(tmp_path / "store", SESSION, sessions=[session_row()], interactions=rows))
    assert MemoryEntry.objects.values("created_at").distinct().count() == 1


def test_a_neighbour_of_the_same_session_counts_first(bring, tmp_path):
    rows = [turn(1, "a"), turn(9, "b", timestamp=None), turn(5, "b")]
    bring(make(tmp_path / "store", SESSION, interactions=rows))
    times = dict(MemoryEntry.objects.values_list("text", "created_at"))
    assert times["turn 9"] == times["turn 5"]


def test_without_any_neighbour_it_is_the_time_of_the_file(bring, tmp_path):
    path = one_turn(tmp_path / "store", timestamp="never")
    modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    brought = bring(path)
    assert MemoryEntry.objects.get().created_at == modified_at
    assert brought.findings[-1]["done"] == "took the time when the file was last changed"
    extend(path, interactions=[turn(2)])
    assert (bring(path).new, MemoryEntry.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("importance", "priority"), [(7, 10), (-1, 1), ("high", 5), (None, 5), (float("inf"), 10)]
)
def test_an_importance_out_of_bounds_is_drawn_in(bring, tmp_path, importance, priority):
    rows = [unified(importance=importance)]
    brought = bring(make(tmp_path / "store", UNIFIED, memories=rows))
    assert MemoryEntry.objects.get().priority == priority
    assert len(brought.findings) == (importance is not None)


def test_names_that_are_too_long_are_cut(bring, tmp_path):
    row = unified(memory_type="t" * 33, tags=f'["{"x" * 65}"]')
    brought = bring(make(tmp_path / "store", UNIFIED, memories=[row]))
    memory = MemoryEntry.objects.get()
    assert (memory.memory_type, memory.tags) == ("t" * 32, ["x" * 64])
    assert len(brought.findings) == 2


def test_a_user_that_is_too_long_is_shortened(bring, tmp_path):
    rows = [session_row("a", user_id="u" * 80 + "a"), session_row("b", user_id="u" * 80 + "b")]
    assert bring(make(tmp_path / "store", SESSION, sessions=rows)).is_whole
    users = set(Session.objects.values_list("user_id", flat=True))
    assert {len(user) for user in users} == {64}
    assert len(users) == 2


def test_values_of_another_type_than_the_columns_come_over(bring, tmp_path):
    path = one_turn(tmp_path / "store", content=7, role=None, timestamp=1709283601)
    assert bring(path).is_whole
    memory = MemoryEntry.objects.get()
    assert (memory.text, memory.tags) == ("7", ["conversation"])
    assert memory.created_at == datetime.fromtimestamp(1709283601, UTC)


def test_a_number_that_postgresql_cannot_hold_is_kept_as_text(bring, tmp_path):
    metadata = f'{{"a": {"9" * 140_000}}}'
    path = one_turn(tmp_path / "store", metadata=metadata)
    execute(path, "UPDATE sessions SET metadata = ?", metadata)
    assert bring(path).is_whole
    assert MemoryEntry.objects.get().content["metadata"] == {"raw": metadata}
    assert Session.objects.get().metadata == {"raw": metadata}


def test_what_the_database_refuses_stops_nothing_else(bring, tmp_path):
    rows("ALTER TABLE memory_entries ADD CONSTRAINT picky CHECK (text <> 'turn 3')")
    brought = bring(talk(tmp_path / "store", 5))
    [finding, missing] = brought.findings
    assert (finding["table"], finding["row"], finding["done"]) == ("interactions", "3", "skipped")
    assert "picky" in finding["found"]
    assert missing["found"] == "is not here"
    assert not brought.is_whole
    assert MemoryEntry.objects.count() == 4


def test_the_reason_of_a_refusal_quotes_nothing_that_was_said(bring, tmp_path):
    rows("ALTER TABLE memory_entries ADD CONSTRAINT picky CHECK (text <> 'turn 3')")
    brought = bring(talk(tmp_path / "store", 3))
    assert "turn 3" not in brought.findings[0]["found"]


def test_what_is_too_much_for_the_server_stops_nothing_else(bring, tmp_path):
    rows(
        """
        CREATE FUNCTION too_much(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF $1 = 'turn 3' THEN RAISE 'too deep' USING ERRCODE = '54001'; END IF;
        RETURN true; END $$"""
    )
    rows("ALTER TABLE memory_entries ADD CONSTRAINT picky CHECK (too_much(text))")
    brought = bring(talk(tmp_path / "store", 5))
    assert brought.findings[0]["found"] == "the database refused it: too deep"
    assert MemoryEntry.objects.count() == 4


@pytest.mark.parametrize("later", [1709283600.5, 1709283700])
def test_two_rows_of_one_id_are_two_memories(bring, tmp_path, later):
    schema = UNIFIED.replace("memory_id TEXT PRIMARY KEY", "memory_id TEXT", 1)
    twice = unified("a", content="again", created_at=later, parent_id="a")
    path = make(tmp_path / "store", schema, memories=[unified("a"), twice])
    for new in (2, 0, 0):
        brought = bring(path)
        assert (brought.tallies["memories"].new, brought.is_whole) == (new, True)
    texts = dict(MemoryEntry.objects.values_list("text", "id"))
    assert texts["content of a"] == "a"
    assert texts["again"] not in ("", "a")
    execute(path, "UPDATE memories SET content = content || '!'")
    assert bring(path).is_whole
    assert set(MemoryEntry.objects.values_list("text", flat=True)) == {"content of a!", "again!"}


def test_a_table_of_a_missing_module_stops_nothing(bring, tmp_path, told):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'vectors', 'vectors', 0,"
            " 'CREATE VIRTUAL TABLE vectors USING no_such_module(embedding float[384])')"
        )
        connection.commit()
    brought = bring(path)
    assert brought.is_whole
    [(table, _, found)] = told(brought)
    assert (table, "no_such_module" in found) == ("vectors", True)


def test_tables_and_columns_that_are_unknown_are_told(bring, tmp_path, told):
    path = talk(tmp_path / "store", 1)
    execute(path, "ALTER TABLE interactions ADD COLUMN mood TEXT")
    execute(path, "CREATE TABLE moods (name TEXT)")
    assert set(told(bring(path))) == {
        ("moods", "", "an unknown table of 0 rows"),
        ("interactions", "", "the unknown column mood"),
    }


def test_columns_that_are_missing_are_empty(bring, tmp_path):
    path = tmp_path / "store"
    schema = """CREATE TABLE sessions (session_id TEXT);
        CREATE TABLE interactions (session_id TEXT, content TEXT);"""
    make(
        path,
        schema,
        sessions=[{"session_id": "s"}],
        interactions=[{"session_id": "s", "content": "a"}, {"session_id": "s", "content": "b"}],
    )
    assert bring(path).is_whole
    assert MemoryEntry.objects.count() == 2


def test_a_memory_that_was_changed_here_stays_so(bring, tmp_path, told):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a"), unified("b")])
    bring(path)
    now = datetime.now(UTC) + timedelta(seconds=1)
    revise_memories([Revision("a", now, content_json=b'{"text":"by hand"}', changed_by="anna")])
    brought = bring(path)
    assert (brought.new, brought.is_whole, brought.findings) == (0, True, [])
    execute(path, "UPDATE memories SET content = 'in the file'")
    brought = bring(path)
    assert {memory.id: memory.text for memory in MemoryEntry.objects.all()} == {
        "a": "by hand",
        "b": "in the file",
    }
    assert not brought.is_whole
    assert [f["done"] for f in brought.findings[:2]] == [
        "left as it is: it was changed here as well",
        "updated",
    ]


def test_an_edit_whose_revision_was_purged_stays(bring, tmp_path):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a")])
    bring(path)
    now = datetime.now(UTC) + timedelta(seconds=1)
    revise_memories([Revision("a", now, content_json=b'{"text":"by hand"}', changed_by="anna")])
    Kept.objects.all().delete()
    execute(path, "UPDATE memories SET content = 'in the file'")
    assert bring(path).is_whole
    assert MemoryEntry.objects.get().text == "by hand"


def test_what_an_import_and_a_deletion_changed_still_counts_as_the_files(bring, tmp_path):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a")])
    bring(path)
    for text in ("second", "third"):
        execute(path, "UPDATE memories SET content = ?", text)
        assert bring(path).tallies["memories"].updated == 1
        assert MemoryEntry.objects.get().text == text


def test_the_end_of_a_session_that_cannot_be_read_is_its_begin(bring, tmp_path, told):
    path = make(tmp_path / "store", SESSION, sessions=[session_row(last_active="never")])
    [finding] = bring(path).findings
    assert (finding["found"], finding["done"]) == (
        "last_active is no time",
        "took that of its begin",
    )
    session = Session.objects.get()
    assert session.updated_at == session.created_at


def test_columns_that_have_no_place_here_are_told_where_they_hold_something(bring, tmp_path, told):
    groups = [{"id": 1, "name": "home", "description": "at home"}]
    mappings = [{"memory_id": "a", "group_id": 1}]
    path = make(
        tmp_path / "store",
        UNIFIED,
        memories=[unified("a")],
        context_groups=groups,
        memory_group_mappings=mappings,
    )
    assert told(bring(path)) == [("context_groups", "", "the column description, in 1 rows")]


def test_a_memory_that_was_deleted_here_stays_so(bring, tmp_path):
    path = talk(tmp_path / "store", 2)
    bring(path)
    MemoryEntry.objects.get(text="turn 1").delete()
    brought = bring(path)
    assert (brought.new, brought.is_whole) == (0, True)
    assert MemoryEntry.objects.get().text == "turn 2"

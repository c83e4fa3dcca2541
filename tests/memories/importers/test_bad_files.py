"""What is no old store is refused in one sentence, and nothing of it is imported."""

import json
import os
import sqlite3

import pytest

from memories.importers.errors import ImportRefused
from memories.importers.kinds import opened, recognise
from memories.importers.report import Report
from memories.models import MemoryEntry, Session
from tests.memories.importers.conftest import BERLIN
from tests.memories.importers.stores import MANAGER, execute, extend, make_json, talk, turn

pytestmark = pytest.mark.django_db


def refused(bring, path, match):
    with pytest.raises(ImportRefused, match=match) as refusal:
        bring(path)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert not MemoryEntry.all_objects.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"", "0 bytes"),
        (b"\x89PNG\r\n\x1a\n", "neither a SQLite database nor a JSON object"),
        (b"   ", "neither a SQLite database nor a JSON object"),
        (b"[1, 2]", "neither a SQLite database nor a JSON object"),
        (b"{}", "an empty JSON object"),
        (b'{"a": 1}', "a JSON object with the keys a"),
        (b'{"a": {"b": 1}, "c": []}', "a JSON object with the keys"),
        (b'{"anna": [{"timestamp": 1, "memory": "x"}]', "ends in the middle"),
        (b'{"anna": [{"timestamp": 1, "memory": "x', "ends in the middle"),
        (b'{"anna": [{"timestamp": 1, "memory": "x"}]} more', "more after the end"),
        (b'{"anna": [{"timestamp": 1 "memory": "x"}]}', "no whole JSON"),
        (b'{"anna": ' + b"[" * 100_000, "nested too deeply"),
        (b"SQLite format 3\0", "damaged or cut short"),
        (b"SQLite format 3\0" + b"x" * 5000, "damaged or cut short"),
    ],
)
def test_a_file_that_is_no_store(bring, tmp_path, raw, match):
    path = tmp_path / "store"
    path.write_bytes(raw)
    refused(bring, path, match)


def test_a_store_that_is_cut_short(bring, tmp_path):
    path = talk(tmp_path / "store", 500)
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    refused(bring, path, "damaged or cut short")


def test_a_store_with_damaged_pages(bring, tmp_path):
    path = talk(tmp_path / "store", 500)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    refused(bring, path, "damaged or cut short")


def test_a_json_store_that_is_cut_after_many_rows(bring, tmp_path):
    path = tmp_path / "store"
    entries = [{"timestamp": 1, "memory": f"memory {number}"} for number in range(3000)]
    path.write_text(json.dumps({"anna": entries})[:-2])
    refused(bring, path, "ends in the middle")


def test_a_database_of_something_else(bring, tmp_path):
    path = tmp_path / "store"
    execute(path, "CREATE TABLE invoices (number INTEGER, total REAL)")
    refused(bring, path, r"it holds the tables invoices \(number, total\)")


def test_a_database_without_tables(bring, tmp_path):
    path = tmp_path / "store"
    execute(path, "PRAGMA user_version = 1")
    refused(bring, path, "it holds no tables")


def test_a_known_table_of_another_layout(bring, tmp_path):
    path = tmp_path / "store"
    execute(path, "CREATE TABLE memories (id INTEGER, body TEXT)")
    refused(bring, path, r"memories \(body, id\)")


def test_a_format_that_it_is_not(bring, tmp_path):
    path = talk(tmp_path / "store")
    with pytest.raises(ImportRefused, match="no store of the format unified, which needs"):
        bring(path, wanted="unified")


def test_what_is_no_file(bring, tmp_path):
    refused(bring, tmp_path, "is a directory")
    refused(bring, tmp_path / "absent", "does not exist")
    os.mkfifo(tmp_path / "pipe")
    refused(bring, tmp_path / "pipe", "is no file")


def test_a_store_is_told_by_its_content_whatever_its_name(bring, tmp_path):
    assert bring(talk(tmp_path / "memory.json")).format == "session"
    value = {"anna": [{"timestamp": 1, "memory": "x"}]}
    assert bring(make_json(tmp_path / "unified_memory.db", value)).format == "jarvis"


def test_an_empty_store_is_in_order(bring, tmp_path):
    path = talk(tmp_path / "store", 0)
    execute(path, "DELETE FROM sessions")
    brought = bring(path)
    assert (brought.new, brought.is_whole) == (0, True)


def test_a_store_of_two_kinds_is_read_as_both(tmp_path):
    path = talk(tmp_path / "store")
    with sqlite3.connect(path) as connection:
        connection.executescript(MANAGER)
    with opened(path, BERLIN, "", Report()) as source:
        assert [store.name for store in recognise(source)] == ["session", "manager"]


def test_a_turn_of_many_megabytes_comes_over(bring, tmp_path):
    path = talk(tmp_path / "store", 1)
    extend(path, interactions=[turn(2, content="word " * 1_000_000)])
    assert bring(path).is_whole
    assert MemoryEntry.objects.count() == 2

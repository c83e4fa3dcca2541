"""A file that its owner has open is copied whole, and left as it is."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from memories.importers.errors import ImportRefused
from memories.importers.kinds import opened
from memories.importers.report import Report
from memories.importers.snapshot import take_snapshot
from memories.models import MemoryEntry
from memoryproject.postgres.locks import locked_exclusively
from tests.memories.importers.conftest import BERLIN
from tests.memories.importers.stores import extend, talk, turn


@contextmanager
def writer(path, mode):
    program = Path(__file__).with_name("writer.py")
    process = subprocess.Popen(
        [sys.executable, program, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "of the assistant"
    folder.mkdir()
    return talk(folder / "store", 3)


@pytest.fixture
def copies(tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


def state(folder):
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in folder.iterdir()
    }


def contents(copy):
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT content FROM interactions")]


def test_nothing_changes_beside_the_source(bring, store):
    before = state(store.parent)
    bring(store)
    assert state(store.parent) == before


def test_what_stands_in_the_wal_of_an_open_store_comes_over(bring, store):
    with writer(store, "idle"):
        before = state(store.parent)
        assert set(before) == {"store", "store-wal", "store-shm"}
        bring(store)
        assert state(store.parent) == before
    assert MemoryEntry.objects.filter(text="in the WAL").exists()


def test_a_wal_whose_writer_has_died_comes_over(bring, store):
    with writer(store, "idle") as process:
        process.kill()
        process.wait()
        before = state(store.parent)
        bring(store)
        assert state(store.parent) == before
    assert MemoryEntry.objects.filter(text="in the WAL").exists()


def test_a_copy_of_what_is_written_all_the_time_is_consistent(store, copies):
    # large enough that a copy takes many of the writer's transactions
    extend(store, interactions=[turn(number, content="x" * 10_000) for number in range(4, 1000)])
    seen = []
    with writer(store, "busy"):
        for _ in range(6):
            first, *_, last = contents(take_snapshot(store, copies).path)
            assert first == last
            seen.append(first)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def test_an_interrupted_transaction_is_taken_back_in_the_copy(store, copies):
    with writer(store, "spilled") as process:
        process.kill()
        process.wait()
        assert (store.parent / "store-journal").exists()
        before = state(store.parent)
        assert contents(take_snapshot(store, copies).path) == ["turn 1", "turn 2", "turn 3"]
        assert state(store.parent) == before


@pytest.mark.parametrize("mode", ["exclusive", "spilled"])
def test_a_store_that_stays_locked_is_refused(store, copies, mode):
    with writer(store, mode), pytest.raises(ImportRefused, match="is locked by a process"):
        take_snapshot(store, copies, patience_seconds=0.1)


def test_a_lock_of_the_same_process_counts_as_well(store, copies):
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ImportRefused, match="is locked by a process"):
            take_snapshot(store, copies, patience_seconds=0.1)


def test_a_link_is_followed_to_the_wal(bring, store, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(store)
    with writer(store, "idle"):
        bring(link)
    assert MemoryEntry.objects.filter(text="in the WAL").exists()


def test_the_copies_of_killed_imports_go_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = {}
    for name in ("killed", "at-work", "just-made"):
        made[name] = tmp_path / f"memories-import-{name}"
        made[name].mkdir()
        (made[name] / "lock").touch()
        if name != "just-made":
            os.utime(made[name] / "lock", (0, 0))
    path = talk(tmp_path / "store")
    with (
        locked_exclusively(made["at-work"] / "lock"),
        opened(path, BERLIN, "", Report()),
    ):
        assert [name for name, folder in made.items() if folder.exists()] == [
            "at-work",
            "just-made",
        ]

"""The old stores, and which of them a file is: told by its tables, never by its name."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from memories.importers.contextual import Contextual
from memories.importers.episodic_memory import EpisodicMemory
from memories.importers.errors import ImportRefused
from memories.importers.jarvis import Jarvis
from memories.importers.json_tables import TABLES as JSON_TABLES
from memories.importers.json_tables import fill_tables
from memories.importers.memory_manager import MemoryManager
from memories.importers.profiles import Profiles
from memories.importers.report import Report
from memories.importers.session_memory import SessionMemory
from memories.importers.snapshot import take_snapshot
from memories.importers.source import Source, open_copy
from memories.importers.stores import OldStore
from memories.importers.unified_memory import UnifiedMemory
from memories.importers.values import clean_text
from memoryproject.postgres.locks import (
    locked_exclusively,
    open_lock_file,
    try_to_lock_exclusively,
    unlock_and_close,
)

KINDS: tuple[type[OldStore], ...] = (
    SessionMemory,
    UnifiedMemory,
    EpisodicMemory,
    MemoryManager,
    Contextual,
    Jarvis,
    Profiles,
)
_PREFIX = "memories-import-"
_LOCK = "lock"
_MADE_SECONDS = 60  # within which a lock is held that was made
BY_NAME = {kind.name: kind for kind in KINDS}


@contextmanager
def opened(path: Path, zone: tzinfo, user: str, report: Report) -> Iterator[Source]:
    """The file as it is now, in a private copy that is gone afterwards. Raises ImportRefused."""
    _remove_remains()
    with TemporaryDirectory(prefix=_PREFIX) as folder, locked_exclusively(Path(folder) / _LOCK):
        snapshot = take_snapshot(path, Path(folder))
        if snapshot.is_sqlite:
            connection = open_copy(snapshot.path, path)
        else:
            connection = open_copy(Path(folder) / "tables", path)
        try:
            if not snapshot.is_sqlite:
                fill_tables(connection, snapshot.path, path)
            yield Source(path, connection, snapshot.modified_at, zone, user, report)
        finally:
            connection.close()


def _remove_remains() -> None:
    """The copies of imports that were killed, which nobody holds any more."""
    for lock in Path(gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):  # of another account, or just gone
            if time.time() - lock.stat().st_mtime > _MADE_SECONDS:
                _remove_unless_held(lock)


def _remove_unless_held(lock: Path) -> None:
    descriptor = open_lock_file(lock)
    try:
        if try_to_lock_exclusively(descriptor):
            shutil.rmtree(lock.parent)
    finally:
        unlock_and_close(descriptor)


def recognise(source: Source, wanted: str = "") -> list[OldStore]:
    """The stores that the file holds, or the one of the name `wanted`. Raises ImportRefused."""
    try:
        kinds = [BY_NAME[wanted]] if wanted else KINDS
        found = [kind(source) for kind in kinds if kind.fits(source)]
    except sqlite3.DatabaseError as error:
        raise ImportRefused(f"{source.path} cannot be read: {error}.") from error
    if not found:
        raise ImportRefused(f"{source.path} is no {_wanted(wanted)}: it holds {_told(source)}.")
    if not source.has(*JSON_TABLES):
        _note_unknown(source, found)
    return found


def _note_unknown(source: Source, stores: list[OldStore]) -> None:
    """What an assistant may have added to its store."""
    read: dict[str, set[str]] = {}
    left_out: dict[str, set[str]] = {}
    for store in stores:
        for table, columns in (*store.counted.items(), *store.reads.items()):
            read.setdefault(table, set()).update(columns)
        for table, columns in store.left_out.items():
            left_out.setdefault(table, set()).update(columns)
    for table, found in source.tables.items():
        if table not in read:
            source.note(table, "", f"an unknown table of {source.count(table)} rows", "left out")
            continue
        without_place = found & left_out.get(table, set()) - read[table]
        for column in sorted(found - read[table] - without_place):
            source.note(table, "", f"the unknown column {column}", "left out")
        for column in sorted(without_place):
            if count := source.count_filled(table, column):
                source.note(table, "", f"the column {column}, in {count} rows", "left out")


def _wanted(wanted: str) -> str:
    if not wanted:
        return "store that is known"
    needs = "; ".join(
        f"{table} with {', '.join(sorted(columns))}"
        for table, columns in BY_NAME[wanted].needs.items()
    )
    return f"store of the format {wanted}, which needs the tables {needs}"


def _told(source: Source) -> str:
    if source.has(*JSON_TABLES):
        keys = [clean_text(key).text for (key,) in source.rows(_KEYS)]
        return f"a JSON object with the keys {', '.join(keys)}" if keys else "an empty JSON object"
    tables = [f"{name} ({', '.join(sorted(cols))})" for name, cols in source.tables.items()]
    return f"the tables {'; '.join(tables)}" if tables else "no tables"


_KEYS = """
SELECT DISTINCT CASE section WHEN '' THEN key ELSE section END FROM (
    SELECT section, key FROM lists UNION ALL SELECT section, key FROM objects
    UNION ALL SELECT section, key FROM others) LIMIT 10"""

"""The old stores, and which of them a file is: told by its tables, never by its name."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory

from memories.importers.errors import ImportRefused
from memories.importers.report import Report
from memories.importers.session_memory import SessionMemory
from memories.importers.snapshot import take_snapshot
from memories.importers.source import Source, open_copy
from memories.importers.stores import OldStore

KINDS: tuple[type[OldStore], ...] = (SessionMemory,)
BY_NAME = {kind.name: kind for kind in KINDS}


@contextmanager
def opened(path: Path, zone: tzinfo, user: str, report: Report) -> Iterator[Source]:
    """The file as it is now, in a private copy that is gone afterwards. Raises ImportRefused."""
    with TemporaryDirectory(prefix="memories-import-") as folder:
        snapshot = take_snapshot(path, Path(folder))
        connection = open_copy(snapshot.path, path)
        try:
            yield Source(path, connection, snapshot.modified_at, zone, user, report)
        finally:
            connection.close()


def recognise(source: Source, wanted: str = "") -> list[OldStore]:
    """The stores that the file holds, or the one of the name `wanted`. Raises ImportRefused."""
    try:
        kinds = [BY_NAME[wanted]] if wanted else KINDS
        found = [kind(source) for kind in kinds if kind.fits(source)]
    except sqlite3.DatabaseError as error:
        raise ImportRefused(f"{source.path} cannot be read: {error}.") from error
    if not found:
        raise ImportRefused(f"{source.path} is no {_wanted(wanted)}: it holds {_told(source)}.")
    return found


def _wanted(wanted: str) -> str:
    if not wanted:
        return "store that is known"
    needs = "; ".join(
        f"{table} with {', '.join(sorted(columns))}"
        for table, columns in BY_NAME[wanted].needs.items()
    )
    return f"store of the format {wanted}, which needs the tables {needs}"


def _told(source: Source) -> str:
    tables = [f"{name} ({', '.join(sorted(cols))})" for name, cols in source.tables.items()]
    return f"the tables {'; '.join(tables)}" if tables else "no tables"

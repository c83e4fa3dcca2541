"""What a mirror has seen of an old store, so that it knows what is new, changed and gone.

A SQLite file below DATA_DIR, one for each store that is mirrored. It is written after the database:
what was cut short between the two is brought over again, which changes nothing. It outlives the
database: after a restore its prints tell of what is no longer there, and are not believed.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from memories.importers.errors import ImportRefused

_BATCH = 1000

_DATABASE = "database"

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, print BLOB NOT NULL, round INTEGER NOT NULL,
    is_gone INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"""


class MirrorState:
    """Keys of what the file holds, each with a print of its content and the last round that saw it.
    `kind`: of the keys, by which they begin."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        [(last,)] = connection.execute("SELECT coalesce(max(round), 0) FROM seen").fetchall()
        self._round = int(last)
        self._believes = True

    def begin(self, believes: bool = True) -> None:
        """`believes` False: what was seen in earlier rounds may no longer be in the database."""
        self._round += 1
        self._believes = believes

    @property
    def database(self) -> str | None:
        """Which one the last whole round wrote to."""
        sql = "SELECT value FROM facts WHERE name = ?"
        found = self._connection.execute(sql, [_DATABASE]).fetchone()
        return str(found[0]) if found else None

    def complete(self, database: str) -> None:
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", [_DATABASE, database]
            )

    def changed(self, prints: Mapping[str, bytes]) -> set[str]:
        """Those that were not seen like this, or were gone."""
        if not self._believes:
            return set(prints)
        found = self._connection.execute(
            "SELECT s.key, s.print FROM json_each(?) n JOIN seen s ON s.key = n.value"
            " WHERE NOT s.is_gone",
            [_listed(prints)],
        )
        return prints.keys() - {key for key, value in found if prints[key] == value}

    def gone(self, keys: Iterable[str]) -> set[str]:
        found = self._connection.execute(
            "SELECT s.key FROM json_each(?) n JOIN seen s ON s.key = n.value WHERE s.is_gone",
            [_listed(keys)],
        )
        return {key for (key,) in found}

    def see(self, prints: Mapping[str, bytes]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT INTO seen VALUES (?, ?, ?, 0) ON CONFLICT (key) DO UPDATE SET"
                " print = excluded.print, round = excluded.round, is_gone = 0",
                [(key, value, self._round) for key, value in prints.items()],
            )

    def count_vanished(self, kind: str) -> tuple[int, int]:
        """How many this round did not see, and how many there were."""
        [(vanished, all_)] = self._connection.execute(
            "SELECT coalesce(sum(round < ?), 0), count(*) FROM seen"
            " WHERE NOT is_gone AND key >= ? AND key < ?",
            [self._round, kind, f"{kind}\U0010ffff"],
        ).fetchall()
        return int(vanished), int(all_)

    def vanished(self, kind: str) -> Iterator[list[str]]:
        """In batches, each of which is to be marked before the next."""
        sql = (
            "SELECT key FROM seen WHERE round < ? AND NOT is_gone AND key >= ? AND key < ? LIMIT ?"
        )
        values = [self._round, kind, f"{kind}\U0010ffff", _BATCH]
        while batch := [key for (key,) in self._connection.execute(sql, values).fetchall()]:
            yield batch

    def all_gone(self, kind: str) -> Iterator[list[str]]:
        cursor = self._connection.execute(
            "SELECT key FROM seen WHERE is_gone AND key >= ? AND key < ?",
            [kind, f"{kind}\U0010ffff"],
        )
        while batch := [key for (key,) in cursor.fetchmany(_BATCH)]:
            yield batch

    def mark_gone(self, keys: Iterable[str]) -> None:
        with self._connection:
            self._connection.executemany(
                "UPDATE seen SET is_gone = 1 WHERE key = ?", [(key,) for key in keys]
            )


@contextmanager
def opened_state(
    folder: Path, source: Path, user: str, *, alone: bool = True
) -> Iterator[MirrorState]:
    """`alone`: raises ImportRefused where another process has it open so. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = blake2b(f"{source.resolve()}\0{user}".encode(), digest_size=12).hexdigest()
    path = folder / f"{name}.sqlite"
    with path.with_suffix(".lock").open("wb") as lock:
        try:
            if alone:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportRefused(f"{source} is mirrored by another process already.") from None
        connection = sqlite3.connect(path)
        try:
            connection.executescript(_TABLES)
            yield MirrorState(connection)
        finally:
            connection.close()


def _listed(keys: Iterable[str]) -> str:
    return msgspec.json.encode(list(keys)).decode()

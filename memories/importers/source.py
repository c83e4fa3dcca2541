"""An old store that is being read: its private copy, and what every reader asks of it."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

from memories.importers.errors import ImportRefused
from memories.importers.report import Report


@dataclass(frozen=True)
class Source:
    """`user`: whose are the rows that name nobody. `zone`: of times without an offset."""

    path: Path
    connection: sqlite3.Connection
    modified_at: datetime
    zone: tzinfo
    user: str
    report: Report

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        """The columns of each table, all names in lower case."""
        names = self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\'"
        )
        columns = {name.lower(): self._columns_of(name) for (name,) in names}
        return {name: found for name, found in columns.items() if found}

    def _columns_of(self, table: str) -> frozenset[str]:
        """None of a table whose module this SQLite lacks, such as one of vectors."""
        quoted = table.replace('"', '""')
        try:
            found = self.connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
        except sqlite3.OperationalError as error:
            self.note(table, "", f"a table that cannot be read: {error}", "left out")
            return frozenset()
        return frozenset(column[1].lower() for column in found)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters)

    def columns(self, table: str, wanted: Iterable[str], alias: str = "") -> str:
        """SQL of these columns, NULL for one that is missing. `alias`: of the table, if it is not
        its first letter."""
        known = self.tables.get(table, frozenset())
        alias = alias or table[0]
        return ", ".join(f"{alias}.{each}" if each in known else "NULL" for each in wanted)

    def repeated(self, table: str, column: str) -> Mapping[Any, int]:
        """The values that stand in several rows, each with the first of these rows."""
        keys = [row[1].lower() for row in self.rows(f'PRAGMA table_info("{table}")') if row[5]]
        if keys == [column]:
            return {}
        self.index(table, column)
        return dict(
            self.rows(
                f'SELECT "{column}", min(rowid) FROM "{table}" WHERE "{column}" IS NOT NULL'
                f' GROUP BY "{column}" HAVING count(*) > 1'
            )
        )

    def has(self, *tables: str) -> bool:
        return all(table in self.tables for table in tables)

    def index(self, table: str, column: str) -> None:
        """In the private copy, so that what points to a row is found quickly."""
        self.connection.execute(
            f'CREATE INDEX IF NOT EXISTS "import_{table}_{column}" ON "{table}" ("{column}")'
        )

    def beside(self, sql: str) -> "Beside":
        """`sql` yields rowids, in their order, and values that belong to these rows of another
        query, which is read in the same order."""
        return Beside(self.rows(sql))

    def count(self, table: str) -> int:
        if table not in self.tables:
            return 0
        return int(next(self.rows(f'SELECT count(*) FROM "{table}"'))[0])

    def count_filled(self, table: str, column: str) -> int:
        sql = f"""SELECT count(*) FROM "{table}" WHERE "{column}" <> ''"""
        return int(next(self.rows(sql))[0])

    def unheard(self) -> "Source":
        """The same, for a second look at what is noted elsewhere."""
        return replace(self, report=Report())

    def note(self, table: str, row: str, found: str, done: str) -> None:
        self.report.note(str(self.path), table, row, found, done)


class Beside:
    """What belongs to the rows of a query that is read at the same time."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next: tuple[Any, ...] | None = next(rows, None)

    def of(self, rowid: int) -> list[tuple[Any, ...]]:
        """The values, without the rowid. To be asked in the order of the rowids."""
        found = []
        while self._next is not None and self._next[0] <= rowid:
            if self._next[0] == rowid:
                found.append(self._next[1:])
            self._next = next(self._rows, None)
        return found


def open_copy(path: Path, told_as: Path) -> sqlite3.Connection:
    """Open a private copy and look it through. Raises ImportRefused where it is damaged."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        connection.execute("PRAGMA temp_store = FILE")
        [(first,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ImportRefused(f"{told_as} is damaged or cut short: {error}.") from error
    if first != "ok":
        connection.close()
        raise ImportRefused(f"{told_as} is damaged or cut short: {' '.join(first.split())}.")
    return connection

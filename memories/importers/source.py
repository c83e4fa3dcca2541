"""An old store that is being read: its private copy, and what every reader asks of it."""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from memories.ids import ID_MAX_CHARACTERS, key_text
from memories.importers.errors import ImportRefused
from memories.importers.report import Report
from memories.importers.rows import own_of
from memories.importers.values import (
    TAG_MAX_CHARACTERS,
    TAGS_MAX_COUNT,
    clean_json,
    clean_text,
    encode,
    fields_of,
    number_between,
    read_time,
)

TYPE_MAX_CHARACTERS = 32
_DEFAULT_IMPORTANCE = 0.5


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
        return {
            name.lower(): frozenset(
                column[1].lower()
                for column in self.connection.execute(f'PRAGMA table_info("{name}")')
            )
            for (name,) in names
        }

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters)

    def columns(self, table: str, wanted: Iterable[str], alias: str = "") -> str:
        """SQL of these columns, NULL for one that is missing. `alias`: of the table, if it is not
        its first letter."""
        known = self.tables.get(table, frozenset())
        alias = alias or table[0]
        return ", ".join(f"{alias}.{each}" if each in known else "NULL" for each in wanted)

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

    def cells(self, table: str, row: object) -> "Cells":
        return Cells(self, table, clean_text(row).text)

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


class Cells:
    """Reads the values of one row, and notes what it has to change in them."""

    __slots__ = ("row", "source", "table")

    def __init__(self, source: Source, table: str, row: str) -> None:
        self.source = source
        self.table = table
        self.row = row

    def note(self, found: str, done: str) -> None:
        self.source.note(self.table, self.row, found, done)

    def text(self, value: object, column: str) -> str:
        if type(value) is str and value.isascii() and "\0" not in value:
            return value
        text, found = clean_text(value)
        if found:
            self.note(f"{found} in {column}", "replaced by U+FFFD")
        return text

    def short(self, value: object, column: str, most_characters: int) -> str:
        text = self.text(value, column)
        if len(text) <= most_characters:
            return text
        self.note(f"{column} has more than {most_characters} characters", "cut")
        return text[:most_characters]

    def memory_type(self, value: object, default: str) -> str:
        return self.short(value, "the type", TYPE_MAX_CHARACTERS) or default

    def user(self, value: object) -> str:
        """The row's user, or the one whose are the rows that name nobody."""
        user = self.text(value, "the user") or self.source.user
        if len(user) <= ID_MAX_CHARACTERS:
            return user
        self.note(f"the user has more than {ID_MAX_CHARACTERS} characters", "shortened")
        digest = key_text(own_of(user))
        return f"{user[: ID_MAX_CHARACTERS - len(digest) - 1]}-{digest}"

    def time(self, value: object, column: str, zone: tzinfo | None = None) -> datetime | None:
        """None where there is none; one that cannot be read is noted."""
        if value is None or value == "":
            return None
        moment = read_time(value, zone or self.source.zone)
        if moment is None:
            self.note(f"{column} is no time", "left out")
        return moment

    def fields(self, value: object, column: str) -> dict[str, msgspec.Raw]:
        """A JSON object's fields; what is none is kept as text under `raw`."""
        text = self.text(value, column)
        if not text or text in ("{}", "null"):
            return {}
        raw, found = clean_json(text.encode())
        fields = fields_of(raw)
        if fields is None:
            self.note(f"{column} is no JSON object", "kept as text")
            return {"raw": as_raw(text)}
        if found:
            self.note(f"{found} in {column}", "replaced by U+FFFD")
        return fields

    def tag_list(self, value: object) -> tuple[list[str], dict[str, msgspec.Raw]]:
        """The tags of a JSON list; what is none is kept as text, to be put among the metadata."""
        text = self.text(value, "tags")
        if not text.strip() or text == "null":
            return [], {}
        raw, found = clean_json(text.encode())
        try:
            tags = msgspec.json.decode(raw, type=list[str | int | float])
        except (ValueError, RecursionError):
            self.note("tags is no JSON list of texts", "kept as text")
            return [], {"raw": as_raw(text)}
        if found:
            self.note(f"{found} in tags", "replaced by U+FFFD")
        return [str(tag) for tag in tags], {}

    def tags(self, *found: str) -> list[str]:
        """As many of these clean texts as a memory may bear, each as long as a tag may be."""
        kept = [
            tag if len(tag) <= TAG_MAX_CHARACTERS else self.short(tag, "a tag", TAG_MAX_CHARACTERS)
            for tag in found
            if tag
        ]
        tags = list(dict.fromkeys(kept))
        if len(tags) > TAGS_MAX_COUNT:
            self.note(f"more than {TAGS_MAX_COUNT} tags", f"the first {TAGS_MAX_COUNT} kept")
        return tags[:TAGS_MAX_COUNT]

    def priority(self, importance: object) -> int:
        number, is_good = number_between(importance, 0, 1)
        if not is_good:
            self.note("the importance is not from 0 to 1", "drawn into these bounds")
        return 1 + round(9 * (_DEFAULT_IMPORTANCE if number is None else number))

    def strength(self, value: object) -> float:
        number, is_good = number_between(value, 0, 1)
        if not is_good:
            self.note("the strength is not from 0 to 1", "drawn into these bounds")
        return 1.0 if number is None else number


def as_raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(encode(value))


def merged(fields: dict[str, msgspec.Raw], more: Mapping[str, Any], prefix: str) -> Any:
    """Both; a key that is taken already is told by its prefix."""
    told = dict(fields)
    for key, value in more.items():
        if value is not None:
            told[f"{prefix}_{key}" if key in told else key] = value
    return told


def texts_in(raw: msgspec.Raw | None) -> list[str]:
    """The texts in a JSON list; of anything else none."""
    value = msgspec.json.decode(raw) if raw is not None else None
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def plain(value: object) -> Any:
    """A value of SQLite as one of JSON."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return clean_text(value).text


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

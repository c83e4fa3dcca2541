"""A JSON store as tables of the private copy, so that it is read as the other stores are.

`lists`: the keys of lists, `entries`: what stands in them, in its order. `objects`: objects by
their key. `others`: the rest. `section` is "", or the part of the file whose keys these are.
"""

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from memories.importers.errors import ImportRefused
from memories.importers.json_text import BadJson, JsonText

SECTIONS = ("sessions", "summaries")

_BATCH = 1000
_CREATE = """
CREATE TABLE sections (section TEXT, key, value, digest);
CREATE TABLE lists (section TEXT, key, value, digest);
CREATE TABLE entries (section TEXT, key, value, digest);
CREATE TABLE objects (section TEXT, key, value, digest);
CREATE TABLE others (section TEXT, key, value, digest);"""

TABLES = ("sections", "lists", "entries", "objects", "others")
Row = tuple[str, str, bytes, bytes]


def fill_tables(connection: sqlite3.Connection, copy: Path, told_as: Path) -> None:
    """Raises ImportRefused for a text that is no JSON object, or not whole."""
    connection.executescript(_CREATE)
    connection.execute("BEGIN")
    with copy.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        text = JsonText(file)
        if text.peek() != "{":
            raise ImportRefused(
                f"{told_as} is neither a SQLite database nor a JSON object: it begins with "
                f"{text.peek().encode('unicode_escape').decode()!r}."
            )
        try:
            rows = _read(text)
            while batch := list(islice(rows, _BATCH)):
                _insert(connection, batch)
        except BadJson as error:
            raise ImportRefused(f"{told_as} is no whole JSON: {error}.") from error
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, batch: list[Row]) -> None:
    for table in TABLES:
        rows = [
            (section, key, value, blake2b(value, digest_size=16).digest())
            for wanted, section, key, value in batch
            if wanted == table
        ]
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)


def _read(text: JsonText) -> Iterator[Row]:
    for key in text.members():
        if key in SECTIONS and text.peek() == "{":
            yield "sections", key, b"", b""
            for inner in text.members():
                yield from _member(text, key, inner)
        else:
            yield from _member(text, "", key)
    text.end()


def _member(text: JsonText, section: str, key: str) -> Iterator[Row]:
    begin = text.peek()
    if begin == "[":
        yield "lists", section, _bytes(key), b""
        for _ in text.elements():
            yield "entries", section, _bytes(key), _bytes(text.value())
    else:
        table = "objects" if begin == "{" else "others"
        yield table, section, _bytes(key), _bytes(text.value())


def _bytes(text: str) -> bytes:
    """As they stood in the file; half a surrogate pair, which has none, as U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()

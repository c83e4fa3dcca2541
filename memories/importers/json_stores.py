"""What the JSON stores have in common: entries with a time, in lists by a key."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from memories.importers.cells import Cells, as_raw, merged
from memories.importers.rows import MemoryName, OldMemory, SessionName, own_of
from memories.importers.source import Source
from memories.importers.stores import OldStore
from memories.importers.values import clean_json, clean_text, encode, fields_of, read_time

_LOOKED_AT = 100

# Is the object `o` followed by one of the same key? The last one counts, as for json.loads.
LATER = """SELECT 1 FROM objects l
    WHERE l.section = o.section AND l.key = o.key AND l.rowid > o.rowid"""


class Entry(NamedTuple):
    """`fields`: of its object; what is none stands under `text` alone."""

    key: str
    cells: Cells
    fields: dict[str, msgspec.Raw]
    own: bytes


class JsonStore(OldStore):
    needs = {"entries": frozenset({"digest"}), "objects": frozenset({"digest"})}

    def memories_of_users(self, kind: str) -> Iterator[OldMemory]:
        """The entries of the lists that belong to users; `kind`: their type, and the field that
        holds what they say."""
        for entry in self.entries(""):
            yield OldMemory(
                "entries",
                entry.cells.row,
                MemoryName(SessionName(entry.cells.user(entry.key)), entry.own),
                kind,
                self.memory_content(entry, kind),
                self.time_of(entry.fields),
                [],
            )

    def entries(self, section: str) -> Iterator[Entry]:
        """Equal entries of a list are told apart by their count, not by their place: a list may
        lose its oldest."""
        for key, value, digest, place, occurrence in self.source.rows(
            """
            SELECT e.key, e.value, e.digest,
                row_number() OVER (PARTITION BY e.key ORDER BY e.rowid) - 1,
                row_number() OVER (PARTITION BY e.key, e.digest ORDER BY e.rowid)
            FROM entries e WHERE e.section = ? ORDER BY e.rowid""",
            [section],
        ):
            cells = self.cells("entries", f"{clean_text(key).text}[{place}]")
            own = own_of(self.name, section, key, digest, occurrence)
            yield Entry(clean_text(key).text, cells, read_fields(cells, value), own)

    def unread_in(self, *tables: str, found: str) -> Iterator[tuple[str, str, str]]:
        """What stands by a key where this store has something else."""
        for table in tables:
            for (key,) in self.source.rows(f"SELECT key FROM {table} ORDER BY rowid"):
                yield table, clean_text(key).text, found

    def memory_content(self, entry: Entry, said: str) -> bytes:
        """`said`: the field that holds what is remembered, a text or anything else."""
        rest = {key: value for key, value in entry.fields.items() if key not in (said, "text")}
        raw = entry.fields.get(said, entry.fields.get("text", as_raw("")))
        value = msgspec.json.decode(raw)
        if not isinstance(value, str):
            rest[said] = raw
        elif said in entry.fields and "text" in entry.fields:
            rest[f"{self.name}_text"] = entry.fields["text"]
        return encode(merged({"text": as_raw(text_of(value, raw))}, rest, self.name))

    def time_of(self, fields: dict[str, msgspec.Raw], key: str = "timestamp") -> Any:
        raw = fields.get(key)
        return read_time(msgspec.json.decode(raw), self.source.zone) if raw is not None else None


def keys_in(source: Source, table: str, section: str) -> set[str]:
    """The keys of the first objects there, to tell a store by."""
    found: set[str] = set()
    for (value,) in source.rows(
        f"SELECT value FROM {table} WHERE section = ? ORDER BY rowid LIMIT {_LOOKED_AT}", [section]
    ):
        found |= (fields_of(clean_json(clean_text(value).text.encode())[0]) or {}).keys()
    return found


def read_fields(cells: Cells, value: bytes) -> dict[str, msgspec.Raw]:
    text = cells.text(value, "the value")
    raw, found = clean_json(text.encode())
    if found:
        cells.note(f"{found} in the value", "replaced by U+FFFD")
    fields = fields_of(raw)
    if fields is None:
        cells.note("the value is no JSON object that can be kept", "kept as text")
        return {"text": as_raw(_plain_text(raw, text))}
    return fields


def text_of(value: Any, raw: msgspec.Raw) -> str:
    """What search reads of anything."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    return "" if value is None else bytes(raw).decode()


def _plain_text(raw: bytes, text: str) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (ValueError, RecursionError):
        return text

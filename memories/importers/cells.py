"""The values of one old row: read, cleaned, and noted where they had to be changed."""

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from memories.ids import ID_MAX_CHARACTERS, key_text
from memories.importers.rows import own_of
from memories.importers.source import Source
from memories.importers.values import (
    clean_json,
    clean_text,
    encode,
    fields_of,
    number_between,
    read_time,
)
from memories.limits import TAG_MAX_CHARACTERS, TAGS_MAX_COUNT, TYPE_MAX_CHARACTERS

_DEFAULT_IMPORTANCE = 0.5


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

    def later_time(self, value: object, column: str, begin: datetime | None) -> datetime | None:
        """As `time`, of what began then. One that cannot be read is that of its begin, which is
        nearer than any other row's, or else the file's."""
        if value is None or value == "":
            return None
        moment = read_time(value, self.source.zone)
        if moment is not None:
            return moment
        done = "took that of its begin" if begin else "took the time when the file was last changed"
        self.note(f"{column} is no time", done)
        return begin or self.source.modified_at

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

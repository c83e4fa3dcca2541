"""Profiles: a JSON file with a name, preferences, commands and reminders for each user."""

from collections.abc import Iterator
from typing import Any

from memories.importers.json_stores import LATER, JsonStore, keys_in, read_fields
from memories.importers.rows import OldProfile
from memories.importers.source import Source
from memories.importers.values import clean_text, fields_of

_KEYS = {"preferences", "taught_commands", "reminders"}


class Profiles(JsonStore):
    name = "profiles"
    counted = {"objects": (), "entries": (), "others": ()}

    @classmethod
    def fits(cls, source: Source) -> bool:
        if not super().fits(source) or source.count("sections"):
            return False
        return bool(_KEYS & keys_in(source, "objects", ""))

    def profiles(self) -> Iterator[OldProfile]:
        for key, value in self.source.rows(
            f"SELECT o.key, o.value FROM objects o WHERE NOT EXISTS ({LATER}) ORDER BY o.rowid"
        ):
            yield self._profile(key, value)

    def unread(self) -> Iterator[tuple[str, str, str]]:
        self.source.index("objects", "key")
        for (key,) in self.source.rows(f"SELECT o.key FROM objects o WHERE EXISTS ({LATER})"):
            yield "objects", clean_text(key).text, "the user stands there again, further down"
        yield from self.unread_in("entries", "others", found="what stands there is no profile")

    def _profile(self, key: object, value: bytes) -> OldProfile:
        cells = self.cells("objects", key)
        data: dict[str, Any] = read_fields(cells, value)
        preferences = fields_of(bytes(data.get("preferences", b"")))
        if preferences is not None:
            del data["preferences"]
        return OldProfile("objects", cells.row, cells.user(key), preferences or {}, data)

"""Jarvis: a JSON file with a list of memories for each user."""

from collections.abc import Iterator

from memories.importers.json_stores import JsonStore, keys_in
from memories.importers.rows import OldMemory
from memories.importers.source import Source


class Jarvis(JsonStore):
    name = "jarvis"
    counted = {"entries": (), "objects": (), "others": ()}

    @classmethod
    def fits(cls, source: Source) -> bool:
        if not super().fits(source) or source.count("sections"):
            return False
        return "memory" in keys_in(source, "entries", "")

    def memories(self) -> Iterator[OldMemory]:
        return self.memories_of_users("memory")

    def unread(self) -> Iterator[tuple[str, str, str]]:
        return self.unread_in("objects", "others", found="what stands there is no list of memories")

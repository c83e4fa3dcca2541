"""Jarvis: a JSON file with a list of memories for each user."""

from collections.abc import Iterator

from memories.importers.json_stores import JsonStore, keys_in
from memories.importers.rows import OldMemory
from memories.importers.source import Source


class Jarvis(JsonStore):
    name = "jarvis"
    counted = {"entries": ()}

    @classmethod
    def fits(cls, source: Source) -> bool:
        return super().fits(source) and "memory" in keys_in(source, "entries", "")

    def memories(self) -> Iterator[OldMemory]:
        return self.memories_of_users("memory")

"""Jarvis: a JSON file with a list of memories for each user."""

from collections.abc import Iterator

from memories.importers.json_stores import JsonStore, keys_in
from memories.importers.rows import MemoryName, OldMemory, SessionName
from memories.importers.source import Source


class Jarvis(JsonStore):
    name = "jarvis"
    counted = {"entries": ()}

    @classmethod
    def fits(cls, source: Source) -> bool:
        return super().fits(source) and "memory" in keys_in(source, "entries", "")

    def memories(self) -> Iterator[OldMemory]:
        for entry in self.entries(""):
            yield OldMemory(
                "entries",
                entry.cells.row,
                MemoryName(SessionName(entry.cells.user(entry.key)), entry.own),
                "memory",
                self.memory_content(entry, "memory"),
                self.time_of(entry.fields),
                [],
            )

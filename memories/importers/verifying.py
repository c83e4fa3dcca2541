"""Compare an old store with what stands in the database: counts by table, and checksums."""

from collections.abc import Iterator, Sequence

from memories.importers.kept_memories import Placed, compare_memories
from memories.importers.kept_profiles import compare_profiles
from memories.importers.kept_sessions import compare_sessions
from memories.importers.kept_ties import PlacedTie, compare_ties
from memories.importers.places import Place
from memories.importers.rows import OldProfile, OldSession, OldTie, SessionName
from memories.importers.seen import Seen
from memories.importers.stores import OldStore
from memories.importers.telling import verification_lines
from memories.importers.walk import Walk


class Verification(Walk):
    """Notes each row that is not here as the file has it, and not again what an import notes."""

    title = "comparing"

    def __init__(self, store: OldStore, erased_too: bool = False) -> None:
        super().__init__(type(store)(store.source.unheard()), erased_too)
        self._heard = store.source

    def lines(self) -> Iterator[str]:
        return verification_lines(self.tallies.values())

    def is_in_order(self) -> bool:
        return not any(tally.differs for tally in self.tallies.values())

    def sessions(self, batch: Sequence[OldSession], places: dict[SessionName, Place]) -> None:
        self._compare([(s.table, s.row) for s in batch], compare_sessions(batch, places))

    def memories(self, batch: Sequence[Placed]) -> None:
        seen = compare_memories(batch, self.store.volatile)
        self._compare([(p.memory.table, p.memory.row) for p in batch], seen)

    def ties(self, batch: Sequence[tuple[OldTie, PlacedTie]]) -> None:
        seen = compare_ties([placed for _, placed in batch])
        self._compare([(tie.table, tie.row) for tie, _ in batch], seen)

    def profiles(self, batch: Sequence[OldProfile]) -> None:
        self._compare([(p.table, p.row) for p in batch], compare_profiles(batch))

    def _compare(self, told: Sequence[tuple[str, str]], seen: Sequence[Seen]) -> None:
        for (table, row), one in zip(told, seen, strict=True):
            self.tally(table).compare(one)
            if not one.is_same:
                found = "is not here as the file has it" if one.is_there else "is not here"
                self.note_difference(table, row, found)

    def note_difference(self, table: str, row: str, found: str) -> None:
        self._heard.note(table, row, found, "nothing: only compared")

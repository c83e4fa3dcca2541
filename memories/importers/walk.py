"""One way through an old store: its rows in batches, each with its place in the database."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec

from memories.ids import owner_of_user
from memories.importers.kept_memories import Placed
from memories.importers.kept_ties import PlacedTie, stored_ids
from memories.importers.places import Place, Places, memory_ids
from memories.importers.reading import read_ahead
from memories.importers.rows import (
    MemoryName,
    OldMemory,
    OldProfile,
    OldSession,
    OldTie,
    SessionName,
)
from memories.importers.stores import OldStore
from memories.importers.tally import Tally
from memories.importers.times import with_times
from memories.services.erased import NOBODY, read_erased, told

Row = TypeVar("Row", OldMemory, OldSession, OldTie)


class Walk:
    """A subclass says what becomes of each batch. `erased_too`: also what is older than the erasure
    of its owner."""

    title: ClassVar[str]

    def __init__(self, store: OldStore, erased_too: bool = False) -> None:
        self._erased = NOBODY if erased_too else read_erased()
        self.store = store
        self.source = store.source
        self.places = Places(store.name, str(store.source.path.resolve()))
        self.tallies = {t: Tally(t, store.rows_of(t)) for t in store.counted}

    def go(self, progress: Callable[[int], None]) -> None:
        """`progress` hears how many rows are done."""
        for stage in (self._sessions, self._memories, self._ties, self._profiles):
            # Closed in any case: its thread reads from a copy that is gone soon.
            with closing(stage()) as counts:
                for count in counts:
                    progress(count)

    def _sessions(self) -> Generator[int, None, None]:
        with closing(read_ahead(self._timed(self.store.sessions()))) as batches:
            for batch in batches:
                self._count(batch)
                named = [session for session in batch if self._has_id(session)]
                places = self.places.of_sessions(s.name for s in named)
                kept = [s for s in named if not self._is_erased(s, places[s.name].owner_id)]
                self.sessions(kept, places)
                yield len(batch)

    def _memories(self) -> Generator[int, None, None]:
        with closing(read_ahead(self._timed(self.store.memories()))) as batches:
            for batch in batches:
                self._count(batch)
                placed = self._placed(batch)
                erased = [p for p in placed if self._is_erased(p.memory, p.place.owner_id)]
                self.erased(erased)
                if len(erased) < len(placed):
                    gone = {one.id for one in erased}
                    self.memories([one for one in placed if one.id not in gone])
                yield len(batch)

    def _ties(self) -> Generator[int, None, None]:
        with closing(read_ahead(self._timed(self.store.ties()))) as batches:
            for batch in batches:
                self._count(batch)
                self.ties(self._placed_ties(batch))
                yield len(batch)
        for table, row, found in self.store.unread():
            self.tally(table).read += 1
            self.skip(table, row, found)

    def _profiles(self) -> Generator[int, None, None]:
        with closing(read_ahead(self.store.profiles(), rows=100)) as batches:
            for batch in batches:
                self._count(batch)
                self.profiles([one for one in batch if not self._is_erased_profile(one)])
                yield len(batch)

    def sessions(self, batch: Sequence[OldSession], places: dict[SessionName, Place]) -> None:
        raise NotImplementedError

    def memories(self, batch: Sequence[Placed]) -> None:
        raise NotImplementedError

    def erased(self, batch: Sequence[Placed]) -> None:
        """Memories of erased owners, which are told of already."""

    def erased_ties(self, batch: Sequence[PlacedTie]) -> None:
        """Theirs."""

    def ties(self, batch: Sequence[tuple[OldTie, PlacedTie]]) -> None:
        """Of those whose ends both exist."""
        raise NotImplementedError

    def profiles(self, batch: Sequence[OldProfile]) -> None:
        raise NotImplementedError

    def total(self) -> int:
        return sum(tally.rows or 0 for tally in self.tallies.values())

    def lines(self) -> Iterator[str]:
        """What there is to tell afterwards."""
        raise NotImplementedError

    def is_in_order(self) -> bool:
        return True

    def tally(self, table: str) -> Tally:
        return self.tallies.setdefault(table, Tally(table))

    def skip(self, table: str, row: str, found: str) -> None:
        self.tally(table).skipped += 1
        self.source.note(table, row, found, "skipped")

    def _has_id(self, session: OldSession) -> bool:
        """Rows that name no session share one, which is none of the file's."""
        if not session.name.own:
            self.skip(session.table, session.row, "the session has no id")
        return bool(session.name.own)

    def _is_erased(self, item: OldSession | OldMemory | OldTie, owner_id: UUID) -> bool:
        """What was said after the erasure is a new life, and comes over."""
        at = self._erased.at(owner_id)
        assert item.created_at is not None
        if at is None or item.created_at > at:
            return False
        self.skip(item.table, item.row, told(at))
        return True

    def _is_erased_profile(self, profile: OldProfile) -> bool:
        """Whatever its age is: it has no time."""
        at = self._erased.at(owner_of_user(profile.user_id))
        if at is not None:
            self.skip(profile.table, profile.row, told(at))
        return at is not None

    def _count(self, batch: Iterable[OldSession | OldMemory | OldTie | OldProfile]) -> None:
        for table, count in Counter(item.table for item in batch).items():
            self.tally(table).read += count

    def _timed(self, items: Iterable[Row]) -> Iterator[Row]:
        return with_times(items, self.source.modified_at, self._note_time)

    def _note_time(self, item: Row, done: str) -> None:
        self.source.note(item.table, item.row, "its time is missing or cannot be read", done)

    def _placed(self, batch: Sequence[OldMemory]) -> list[Placed]:
        places = self.places.of_batch(batch)
        named = [(memory.name, places[memory.name.session]) for memory in batch]
        found: dict[str, Placed] = {}
        for memory, (_, place), an_id in zip(batch, named, memory_ids(named), strict=True):
            if an_id in found:  # one statement would change a memory only once
                self.skip(memory.table, memory.row, "it stands in the file twice")
            else:
                found[an_id] = Placed(memory, place, an_id)
        return list(found.values())

    def _placed_ties(self, batch: Sequence[OldTie]) -> list[tuple[OldTie, PlacedTie]]:
        ends = {end for tie in batch for end in (tie.source, tie.target) if end is not None}
        places = self.places.of_names(end.session for end in ends)
        named = {end: places[end.session] for end in ends if end.session in places}
        found = dict(zip(named, memory_ids(list(named.items())), strict=True))
        place = partial(self._placed_tie, named=named, found=found)
        placed = [(tie, placed) for tie in batch if (placed := place(tie)) is not None]
        return self._without_erased(placed)

    def _without_erased(
        self, batch: list[tuple[OldTie, PlacedTie]]
    ) -> list[tuple[OldTie, PlacedTie]]:
        """Also without those that are younger than the erasure, of which an end is not."""
        dated = [(each, self._erased.at(each[1].owner_id)) for each in batch]
        theirs = [each[1] for each, at in dated if at is not None]
        stored = stored_ids(theirs) if theirs else set()
        kept, erased = [], []
        for (tie, placed), at in dated:
            if at is None or {placed.source_id, placed.target_id} <= stored:
                kept.append((tie, placed))
            else:
                self.skip(tie.table, tie.row, told(at))
                erased.append(placed)
        self.erased_ties(erased)
        return kept

    def _placed_tie(
        self, tie: OldTie, named: dict[MemoryName, Place], found: dict[MemoryName, str]
    ) -> PlacedTie | None:
        source, target = tie.source, tie.target
        if source is None or target is None or source not in named or target not in named:
            self.skip(tie.table, tie.row, "an end of the relationship does not exist")
            return None
        if named[source].owner_id != named[target].owner_id:
            self.skip(tie.table, tie.row, "the ends of the relationship belong to two owners")
            return None
        assert tie.created_at is not None
        return PlacedTie(
            named[source].owner_id,
            found[source],
            found[target],
            tie.relationship_type,
            tie.strength,
            msgspec.Raw(tie.metadata_json),
            tie.created_at,
        )

"""The import of one old store: every row compared, stored or brought up to date, batch by batch.

Each batch is a transaction of its own, and the ids of what it stores are told by the file alone.
So nothing has to be remembered: after a stop, or with a longer copy, the next run finds what is
there and adds the rest. Called by the command `import_memories`.
"""

from collections.abc import Callable, Iterator, Sequence

from memories.changes import rows
from memories.importers.kept_memories import Placed, compare_memories, store_old, update_old
from memories.importers.kept_profiles import compare_profiles, keep_profiles, keys_that_differ
from memories.importers.kept_sessions import compare_sessions, keep_sessions
from memories.importers.kept_ties import PlacedTie, compare_ties, keep_ties
from memories.importers.places import SOURCE_SESSION_TYPE, Place
from memories.importers.rows import OldProfile, OldSession, OldTie, SessionName
from memories.importers.seen import Seen
from memories.importers.stores import OldStore
from memories.importers.telling import import_lines
from memories.importers.values import encode
from memories.importers.walk import Walk

_MANY_ROWS = 5_000


class Import(Walk):
    """`writes` False: only count what would be done."""

    title = "importing"

    def __init__(self, store: OldStore, writes: bool, erased_too: bool = False) -> None:
        super().__init__(store, erased_too)
        self._writes = writes

    def go(self, progress: Callable[[int], None]) -> None:
        super().go(progress)
        if self._writes and sum(tally.new for tally in self.tallies.values()) >= _MANY_ROWS:
            # Until the server does it by itself, it would plan searches for the tables of before.
            rows("ANALYZE memory_entries, sessions, relationships")

    def lines(self) -> Iterator[str]:
        return import_lines(self.tallies.values(), self._writes)

    def sessions(self, batch: Sequence[OldSession], places: dict[SessionName, Place]) -> None:
        seen = compare_sessions(batch, places)
        self._count_seen([session.table for session in batch], seen)
        if self._writes:
            keep_sessions(batch, places)

    def memories(self, batch: Sequence[Placed]) -> None:
        seen = compare_memories(batch, self.store.volatile)
        self._count_seen([placed.memory.table for placed in batch], seen)
        pairs = list(zip(batch, seen, strict=True))
        for placed, one in pairs:
            if _is_newer_here(one):
                self._note_change(placed, "left as it is: it was changed here as well")
        if self._writes:
            self._make_shared_sessions(batch)
            self._make_sessions_of_erased(batch)
            self._store([placed for placed, one in pairs if not one.is_there])
            self._update([placed for placed, one in pairs if _is_to_update(one)])

    def ties(self, batch: Sequence[tuple[OldTie, PlacedTie]]) -> None:
        placed = [each for _, each in batch]
        self._count_seen([tie.table for tie, _ in batch], compare_ties(placed))
        if self._writes:
            keep_ties(placed)

    def profiles(self, batch: Sequence[OldProfile]) -> None:
        self._count_seen([profile.table for profile in batch], compare_profiles(batch))
        for profile, keys in zip(batch, keys_that_differ(batch), strict=True):
            for key in keys:
                row = f"{profile.row}: {key}"
                found = "another value stands here"
                self.source.note(profile.table, row, found, "left as it is: known here")
        if not self._writes:
            return
        for profile, refusal in zip(
            batch, keep_profiles(batch, self.source.modified_at), strict=True
        ):
            if refusal:
                self.skip(profile.table, profile.row, refusal)

    def _count_seen(self, tables: Sequence[str], seen: Sequence[Seen]) -> None:
        for table, one in zip(tables, seen, strict=True):
            tally = self.tally(table)
            tally.new += not one.is_there
            tally.known += one.is_same
            tally.updated += _is_to_update(one)
            tally.kept += _is_newer_here(one)

    def _store(self, batch: Sequence[Placed]) -> None:
        refused = store_old(batch) if batch else {}
        for placed in batch:
            if placed.id in refused:
                memory = placed.memory
                self.skip(
                    memory.table, memory.row, f"the database refused it: {refused[placed.id]}"
                )
                self.tally(memory.table).new -= 1

    def _update(self, batch: Sequence[Placed]) -> None:
        done = update_old(batch) if batch else []
        for placed, is_done in zip(batch, done, strict=True):
            self._note_change(
                placed,
                "updated" if is_done else "left as it is: it is deleted or expired here",
            )

    def _note_change(self, placed: Placed, done: str) -> None:
        memory = placed.memory
        found = "changed in the file since it was imported"
        self.source.note(memory.table, memory.row, found, done)

    def _make_shared_sessions(self, batch: Sequence[Placed]) -> None:
        """Those for rows without a session. Made with the rows that stand in them first."""
        here = {placed.place for placed in batch}
        made = {user: place for user, place in self.places.made.items() if place in here}
        if not made:
            return
        metadata = encode({"store": self.store.name, "file": str(self.source.path.resolve())})
        sessions = [
            OldSession(
                "",
                "",
                SessionName(user_id),
                metadata,
                batch[0].memory.created_at,
                session_type=SOURCE_SESSION_TYPE,
            )
            for user_id in made
        ]
        keep_sessions(sessions, {SessionName(user_id): place for user_id, place in made.items()})
        for user_id in made:
            del self.places.made[user_id]

    def _make_sessions_of_erased(self, batch: Sequence[Placed]) -> None:
        """Of what was said after the erasure in sessions from before, which were left out: bare."""
        theirs = [p for p in batch if p.memory.name.session.own and self._is_of_erased(p)]
        names = {placed.memory.name.session: placed for placed in reversed(theirs)}
        bare = [OldSession("", "", n, b"{}", p.memory.created_at) for n, p in names.items()]
        if bare:
            keep_sessions(bare, {name: placed.place for name, placed in names.items()})

    def _is_of_erased(self, placed: Placed) -> bool:
        return self._erased.at(placed.place.owner_id) is not None


def _is_to_update(seen: Seen) -> bool:
    return seen.is_there and not seen.is_same and not seen.is_changed_here


def _is_newer_here(seen: Seen) -> bool:
    return seen.is_there and not seen.is_same and seen.is_changed_here

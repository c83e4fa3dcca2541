"""One round of a mirror: what the old store holds now is made to hold here as well.

An import that skips what it has seen unchanged, and deletes what has vanished from the file. Only a
memory that this mirror brought over, and that nobody has changed here, is ever deleted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
from django.db import transaction

from memories.changes import rows
from memories.errors import MemoriesError
from memories.importers.errors import TooManyVanished
from memories.importers.importing import Import
from memories.importers.json_tables import TABLES as JSON_TABLES
from memories.importers.kept_memories import LOST_REVISIONS, Placed, told
from memories.importers.kept_ties import PlacedTie
from memories.importers.mirror_state import MirrorState
from memories.importers.rows import OldTie
from memories.importers.seen import CHANGED_BY
from memories.importers.stores import OldStore
from memories.services.forget import Deletion, forget_memories
from memories.services.owners import names_of
from memories.services.relate import Tie, unrelate_memories
from memories.services.restore import restore_memories

_MEMORY, _TIE = "memory", "tie"
_MANY = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """`deletes_many`: even if most of what was known has vanished. `is_other_database`: than that
    in which it was deleted when it had gone. `erased_too`: as of a Walk."""

    deletes_many: bool = False
    is_other_database: bool = False
    erased_too: bool = False


class Mirror(Import):
    title = "mirroring"

    def __init__(self, store: OldStore, state: MirrorState, asked: Asked) -> None:
        super().__init__(store, writes=True, erased_too=asked.erased_too)
        self._state = state
        self._asked = asked
        # A file may hold two stores, of which each has rounds of its own.
        self._memory, self._tie = (f"{kind} {store.name} " for kind in (_MEMORY, _TIE))
        self.deleted = 0

    def go(self, progress: Callable[[int], None]) -> None:
        super().go(progress)
        # A list in a JSON store drops its oldest entries by itself: that deletes nothing here.
        if not self.source.has(*JSON_TABLES):
            self._check_vanished()
            self._untie()
            self._forget()

    @property
    def changes(self) -> tuple[int, int, int]:
        """How many rows were new, changed and deleted."""
        tallies = self.tallies.values()
        return sum(t.new for t in tallies), sum(t.updated for t in tallies), self.deleted

    def memories(self, batch: Sequence[Placed]) -> None:
        prints = {self._memory + placed.id: _print(told(placed)) for placed in batch}
        changed = self._state.changed(prints)
        self._bring_back(self._state.gone(changed))
        super().memories([placed for placed in batch if self._memory + placed.id in changed])
        self._state.see(prints)

    def erased(self, batch: Sequence[Placed]) -> None:
        """They have not vanished from the file."""
        self._state.see({self._memory + placed.id: _print(told(placed)) for placed in batch})

    def erased_ties(self, batch: Sequence[PlacedTie]) -> None:
        self._state.see({self._tie + _ends(placed): b"" for placed in batch})

    def ties(self, batch: Sequence[tuple[OldTie, PlacedTie]]) -> None:
        prints = {self._tie + _ends(placed): b"" for _, placed in batch}
        changed = self._state.changed(prints)
        super().ties([each for each in batch if self._tie + _ends(each[1]) in changed])
        self._state.see(prints)

    def _bring_back(self, keys: set[str]) -> None:
        if keys:
            with transaction.atomic(savepoint=False):
                restore_memories([_id_of(key) for key in keys], datetime.now(UTC), CHANGED_BY)

    def _check_vanished(self) -> None:
        for kind, word in ((self._memory, "memories"), (self._tie, "relationships")):
            vanished, known = self._state.count_vanished(kind)
            if vanished >= _MANY and vanished * 2 > known and not self._asked.deletes_many:
                raise TooManyVanished(
                    f"{vanished} of {known} {word} have vanished from {self.source.path} at once. "
                    "None was deleted here: if that is right, say --delete-many."
                )

    def _forget(self) -> None:
        for keys in self._vanished(self._memory):
            ids = [_id_of(key) for key in keys]
            theirs = _changed_here(ids)
            now = datetime.now(UTC)
            with transaction.atomic(savepoint=False):
                gone = forget_memories(
                    [Deletion(an_id, now, CHANGED_BY) for an_id in ids if an_id not in theirs]
                )
            self.deleted += sum(not isinstance(one, MemoriesError) for one in gone)
            for an_id in theirs:
                self.source.note(
                    "memories", an_id, "gone from the file", "left as it is: it was changed here"
                )

    def _untie(self) -> None:
        """Before their ends are deleted: only ties between live memories can be."""
        for keys in self._vanished(self._tie):
            with transaction.atomic(savepoint=False):
                unrelate_memories([_tie_of(key) for key in keys])

    def _vanished(self, kind: str) -> Iterator[list[str]]:
        """Also what had gone before, where another database may still have it."""
        if self._asked.is_other_database:
            yield from list(self._state.all_gone(kind))
        for keys in self._state.vanished(kind):
            yield keys
            self._state.mark_gone(keys)


def still_here(state: MirrorState) -> Iterator[str]:
    """The memories that are gone from the file, and not from here."""
    for keys in state.all_gone(f"{_MEMORY} "):
        names = names_of([_id_of(key) for key in keys])
        found = rows(
            "SELECT id FROM memory_entries"
            " WHERE owner_id = ANY(%s) AND id = ANY(%s) AND deleted_at IS NULL",
            [[name.owner_id for name in names.values()], list(names)],
        )
        yield from (an_id for (an_id,) in found)


def _changed_here(ids: Sequence[str]) -> set[str]:
    """By another hand than an import or a mirror, or by one that is no longer known."""
    names = names_of(ids)
    found = rows(
        f"""
        SELECT m.id FROM memory_entries m
        WHERE m.owner_id = ANY(%s) AND m.id = ANY(%s) AND ({LOST_REVISIONS} OR EXISTS (
            SELECT FROM revisions r WHERE r.owner_id = m.owner_id AND r.memory_id = m.id
                AND r.changed_by <> %s))""",
        [list({name.owner_id for name in names.values()}), list(names), CHANGED_BY],
    )
    return {an_id for (an_id,) in found}


def _print(value: object) -> bytes:
    return blake2b(msgspec.json.encode(value), digest_size=16).digest()


def _id_of(key: str) -> str:
    return key.split(" ", 2)[2]


def _ends(tie: PlacedTie) -> str:
    return "\n".join((tie.source_id, tie.target_id, tie.relationship_type))


def _tie_of(key: str) -> Tie:
    return Tie(*_id_of(key).split("\n", 2))

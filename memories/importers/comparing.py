"""Whether both sides hold the same, told row by row. Called by `mirror_memories --compare`."""

from collections.abc import Callable, Sequence

from memories.changes import rows
from memories.importers.kept_memories import Placed
from memories.importers.stores import OldStore
from memories.importers.verifying import Verification


class Comparison(Verification):
    """`tell` hears the table, the row and how it differs. What was deleted here differs, too."""

    title = "comparing"

    def __init__(
        self,
        store: OldStore,
        tell: Callable[[str, str, str], None],
        erased_too: bool = False,
    ) -> None:
        super().__init__(store, erased_too)
        self._tell = tell
        self.differences = 0

    def memories(self, batch: Sequence[Placed]) -> None:
        super().memories(batch)
        deleted = _deleted_here(batch)
        for placed in batch:
            if placed.id in deleted:
                self._differ(placed.memory.table, placed.memory.row, "is deleted here")

    def note_difference(self, table: str, row: str, found: str) -> None:
        self._differ(table, row, found)

    def _differ(self, table: str, row: str, found: str) -> None:
        self.differences += 1
        self._tell(table, row, found)


def _deleted_here(batch: Sequence[Placed]) -> set[str]:
    """Expired ones aside: these are as invisible in the file."""
    found = rows(
        """
        SELECT id FROM memory_entries
        WHERE owner_id = ANY(%s) AND id = ANY(%s) AND deleted_at IS NOT NULL
            AND (expires_at IS NULL OR expires_at > now())""",
        [list({placed.place.owner_id for placed in batch}), [placed.id for placed in batch]],
    )
    return {an_id for (an_id,) in found}

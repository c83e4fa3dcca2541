"""What was found and done, counted by table of the old store."""

from dataclasses import dataclass

from memories.importers.seen import CHECKSUM_MODULUS, Seen


@dataclass(slots=True)
class Tally:
    """`rows`: in the file's table, None where what is counted is no table's rows. `read`: what
    was made of them. Then `new`, `known`, `updated` and `kept` (newer here than in the file) by
    an import, `same` and the checksums by a verification; `skipped` is told by the report."""

    table: str
    rows: int | None = None
    read: int = 0
    new: int = 0
    known: int = 0
    updated: int = 0
    kept: int = 0
    skipped: int = 0
    same: int = 0
    in_file: int = 0
    here: int = 0

    def compare(self, seen: Seen) -> None:
        self.same += seen.is_same
        self.in_file = (self.in_file + seen.in_file) % CHECKSUM_MODULUS
        self.here = (self.here + seen.here) % CHECKSUM_MODULUS

    @property
    def differs(self) -> bool:
        """Every row of the table is here as the file has it, or is told of in the report."""
        is_whole = self.rows is None or self.rows == self.read
        return not (
            is_whole and self.same == self.read - self.skipped and self.in_file == self.here
        )

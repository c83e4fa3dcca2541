"""What a reader of an old store is: how it is recognised, and what it yields."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from memories.importers.cells import Cells
from memories.importers.rows import OldMemory, OldProfile, OldSession, OldTie
from memories.importers.source import Source
from memories.importers.values import clean_text


class OldStore:
    """A subclass for each kind. Every call of a method reads the file again, from its begin.

    `needs`: the tables, and of each the columns, without which it is not this kind. `counted`:
    the tables of which each row becomes something, with the columns that are read. `reads`: the
    other tables that it knows, with theirs. `left_out`: columns that it knows and has no place
    for, by table; they are told of where they hold something. `volatile`: keys of
    `content.metadata` that the old store counts up whenever a memory is read; a difference there
    is none.
    """

    name: ClassVar[str]
    needs: ClassVar[Mapping[str, frozenset[str]]]
    counted: ClassVar[Mapping[str, tuple[str, ...]]]
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    left_out: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    volatile: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source) -> None:
        self.source = source

    def rows_of(self, table: str) -> int:
        """How many of the table this store says something of."""
        return self.source.count(table)

    def cells(self, table: str, row: object) -> Cells:
        return Cells(self.source, table, clean_text(row).text)

    @classmethod
    def fits(cls, source: Source) -> bool:
        return all(
            columns <= source.tables.get(table, frozenset()) for table, columns in cls.needs.items()
        )

    def sessions(self) -> Iterator[OldSession]:
        return iter(())

    def memories(self) -> Iterator[OldMemory]:
        return iter(())

    def unread(self) -> Iterator[tuple[str, str, str]]:
        """Table, row and reason of what nothing is made of, beside what the other methods note."""
        return iter(())

    def ties(self) -> Iterator[OldTie]:
        return iter(())

    def profiles(self) -> Iterator[OldProfile]:
        return iter(())

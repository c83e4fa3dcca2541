"""Names that rows of an old store share, such as groups and categories, tied to them by a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memories.importers.source import Beside, Source

Labels = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class LabelTables:
    """`owners`: the table of memories. `members` ties them by `memory_id` to `labels`, whose
    `label_id` its `member_label_id` names. `word`: what a label is called in the report."""

    owners: str
    labels: str
    label_id: str
    members: str
    member_label_id: str
    word: str

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Those that are read, or tell a row, by table."""
        return {
            self.labels: (self.label_id, "name"),
            self.members: ("id", "memory_id", self.member_label_id),
        }

    def beside(self, source: Source) -> Beside:
        """The names of each memory's labels, to be asked in the order of the memories' rowids."""
        if not source.has(self.labels, self.members):
            return source.beside("SELECT 0, 0 WHERE false")
        source.index(self.members, "memory_id")
        source.index(self.members, self.member_label_id)
        return source.beside(
            f"""
            SELECT m.rowid, l.name FROM {self.owners} m
            JOIN {self.members} x ON x.memory_id = m.memory_id
            JOIN {self.labels} l ON l.{self.label_id} = x.{self.member_label_id}
            ORDER BY m.rowid, x.rowid"""
        )

    def unread(self, source: Source) -> Iterator[tuple[str, str, str]]:
        """Table, row and reason of the ties that lead nowhere, and of labels that nothing bears."""
        if not source.has(self.labels, self.members):
            return
        for (row,) in source.rows(
            f"""
            SELECT x.rowid FROM {self.members} x
            WHERE NOT EXISTS (SELECT 1 FROM {self.owners} m WHERE m.memory_id = x.memory_id)
               OR NOT EXISTS (
                   SELECT 1 FROM {self.labels} l
                   WHERE l.{self.label_id} = x.{self.member_label_id})"""
        ):
            yield self.members, str(row), f"its memory or {self.word} does not exist"
        for (row,) in source.rows(
            f"""
            SELECT l.{self.label_id} FROM {self.labels} l WHERE NOT EXISTS (
                SELECT 1 FROM {self.members} x
                WHERE x.{self.member_label_id} = l.{self.label_id})"""
        ):
            yield self.labels, str(row), f"the {self.word} has no memory"

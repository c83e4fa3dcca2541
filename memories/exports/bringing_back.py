"""Brings an export back: row by row what is not here yet. What is here stays as it is.

Each batch is a transaction of its own, so that a second run finishes what a first one began.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import DataError, transaction

from memories.changes import ALIVE, QUEUE, rows
from memories.exports.errors import ExportError
from memories.exports.reading import Batch, batches_of
from memories.exports.tables import Table
from memories.exports.writing import Header
from memories.models.fields import read_json
from memories.services.erased import read_erased, told
from memories.services.words import made_of_content_sql


@dataclass(slots=True)
class Tally:
    """Rows of one kind. `differing`: not here as the file has them, afterwards."""

    read: int = 0
    known: int = 0
    differing: int = 0

    @property
    def new(self) -> int:
        return self.read - self.known


def refuse_erased(path: Path, header: Header) -> None:
    """Raises ExportError where its owner was erased here since."""
    at = read_erased().at(UUID(header.owner_id))
    if at is not None:
        raise ExportError(
            f"{path} is not brought back: {told(at)}. If it is wanted all the same: --erased-too."
        )


class BringingBack:
    """`writes` False: only compare. `note` hears the kind and key of each row that differs."""

    def __init__(
        self, path: Path, header: Header, writes: bool, note: Callable[[str, str], None]
    ) -> None:
        self._path = path
        self._owner_id = header.owner_id
        self._writes = writes
        self._note = note
        self.tallies = {kind: Tally() for kind in header.counts}

    @property
    def is_whole(self) -> bool:
        """Whether everything is here as the file has it, or nothing stands in its way."""
        return not any(tally.differing for tally in self.tallies.values())

    def steps(self) -> Iterator[int]:
        """Yields how many rows each batch had. Raises ExportError."""
        for batch in batches_of(self._path):
            try:
                self._bring(batch)
            except DataError as error:
                why = " ".join(str(error).split())
                raise ExportError(
                    f"{self._path} has a {batch.table.kind} that cannot be kept: {why}."
                ) from error
            yield len(batch.rows)

    def _bring(self, batch: Batch) -> None:
        told = f"[{','.join(row.decode() for row in batch.rows)}]"
        parameters = {"owner": self._owner_id, "told": told}
        tally = self.tallies.setdefault(batch.table.kind, Tally())
        tally.read += len(batch.rows)
        with transaction.atomic():
            rows("SET LOCAL TimeZone = 'UTC'")
            before = rows(batch.table.compare_sql(), parameters)
            tally.known += sum(is_there for is_there, _ in before)
            if self._writes and not all(is_there for is_there, _ in before):
                rows(_insert_sql(batch.table), parameters)
            after = rows(batch.table.compare_sql(), parameters) if self._writes else before
        for row, (is_there, is_same) in zip(batch.rows, after, strict=True):
            if not is_same and (is_there or self._writes):
                tally.differing += 1
                self._note(batch.table.kind, _key_of(batch.table, row))


def _key_of(table: Table, row: bytes) -> str:
    fields = read_json(row.decode())
    return " ".join(str(fields.get(column)) for column in table.key)


def _insert_sql(table: Table) -> str:
    if table.kind == "memory":
        return _insert_memories_sql(table)
    names = ", ".join(table.columns)
    return f"""
        INSERT INTO {table.name} (owner_id, {names})
        SELECT %(owner)s::uuid, {", ".join(f"n.{column}" for column in table.columns)}
        FROM {table.told_sql()} ON CONFLICT DO NOTHING"""


def _insert_memories_sql(table: Table) -> str:
    """With what is made of the content; vectors follow in the background."""
    return f"""
        WITH stored AS (
            INSERT INTO memory_entries AS m (owner_id, {", ".join(table.columns)},
                text, speaker, words, search)
            SELECT %(owner)s::uuid, {", ".join(f"n.{column}" for column in table.columns)},
                made.text, made.speaker, length(made.search), made.search
            FROM {table.told_sql()}
                CROSS JOIN LATERAL {made_of_content_sql("n.content")} made
            ON CONFLICT DO NOTHING
            RETURNING m.owner_id, m.id, m.text <> '' AND {ALIVE} AS can_be_found)
        {QUEUE.format(source="stored s", condition="s.can_be_found")}"""

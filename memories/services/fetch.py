"""Read memories by id. Called by handlers and search."""

from collections.abc import Sequence
from typing import NamedTuple

from memories.changes import ALIVE, rows
from memories.services.owners import names_of
from memories.services.results import MEMORY_COLUMN_COUNT, MEMORY_COLUMNS, Memory, memory_of

# One value for each name keeps the plan on the primary key, whatever the batch's size.
_BY_NAME = f"""
SELECT {MEMORY_COLUMNS}, extract(epoch FROM m.expires_at - now())::float
FROM unnest(%s::uuid[], %s::text[]) AS named (owner_id, id)
    JOIN memory_entries m ON m.owner_id = named.owner_id AND m.id = named.id
WHERE {ALIVE}"""


class Fetched(NamedTuple):
    """`expires_in_seconds` is by the database's clock; None: never."""

    memory: Memory
    expires_in_seconds: float | None


def fetch_memories(memory_ids: Sequence[str]) -> dict[str, Fetched]:
    """The live ones of these memories, by id."""
    names = list(names_of(memory_ids).values())
    if not names:
        return {}
    found = rows(_BY_NAME, [[name.owner_id for name in names], [name.id for name in names]])
    return {row[0]: Fetched(memory_of(row), row[MEMORY_COLUMN_COUNT]) for row in found}

"""Memories of an owner that no vector stands for: a search by meaning does not see them, so that
one that uses words too must look for them elsewhere. Called by owner_search."""

import time
from typing import NamedTuple
from uuid import UUID

from memories.bounded import BoundedDict
from memories.changes import rows
from memories.services.search.statistics import statistics_of

# Looking takes some milliseconds for an owner of 10,000, and finds something after a switch alone:
# what is stored while a model serves has a task from the start.
_KEPT_SECONDS = 30.0
# So many are looked at for the query's words.
_LOOKED_AT = 100

_kept: BoundedDict[tuple[UUID, int], tuple[float, bool]] = BoundedDict(10_000)


class Lacking(NamedTuple):
    """Live memories with a task, and how many of them hold a word of the query; counted up to a
    bound."""

    memories: int
    with_words: int

    def may_be_found(self) -> bool:
        return self.with_words > 0 or self.memories > _LOOKED_AT


def lacking_sql(words: str) -> str:
    """An array of what `Lacking` names; `words`: the SQL of an array of lexemes as tsqueries.
    Parameters: owner, model."""
    return f"""(
        SELECT ARRAY[count(*), count(*) FILTER (WHERE m.search @@ ANY({words}))]
        FROM (SELECT t.memory_id FROM embedding_tasks t
              WHERE t.owner_id = %(owner)s AND t.model_id = %(model)s LIMIT {_LOOKED_AT + 1}) t
            JOIN memory_entries m ON m.owner_id = %(owner)s AND m.id = t.memory_id
        WHERE m.deleted_at IS NULL)"""


def has_unqueued(owner_id: UUID, model_id: int, known: int) -> bool:
    """Whether live memories have neither a vector of the model nor a task, as it was some seconds
    ago at most. `known`: how many have one or the other; to count is quicker than to look."""
    kept = _kept.get((owner_id, model_id))
    if kept and kept[0] > time.monotonic():
        return kept[1]
    found = statistics_of(owner_id).memory_count > known and _look(owner_id, model_id)
    _kept.update({(owner_id, model_id): (time.monotonic() + _KEPT_SECONDS, found)})
    return found


def _look(owner_id: UUID, model_id: int) -> bool:
    [(found,)] = rows(
        """
        SELECT EXISTS (
            SELECT FROM memory_entries m
            WHERE m.owner_id = %(owner)s AND m.deleted_at IS NULL AND m.text <> ''
                AND NOT EXISTS (SELECT FROM embeddings e WHERE e.owner_id = %(owner)s
                    AND e.model_id = %(model)s AND e.memory_id = m.id)
                AND NOT EXISTS (SELECT FROM embedding_tasks t WHERE t.owner_id = %(owner)s
                    AND t.model_id = %(model)s AND t.memory_id = m.id))""",
        {"owner": owner_id, "model": model_id},
    )
    return bool(found)


def forget_lacking() -> None:
    _kept.clear()

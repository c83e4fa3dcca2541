"""What searches by meaning find, against the exact answer. Called by the command `check_recall`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from memories.changes import rows
from memories.embedders.base import Vectors
from memories.errors import MemoriesError
from memories.services.embedding.models import Serving
from memories.services.embedding.tasks import vector_text
from memories.services.filters import FILTER_COLUMNS, Filter, Scope, conditions_sql, filter_json
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchType
from memories.services.search.vectors import sample_of

CUT = 10
NEWEST_SHARES = (0.0001, 0.001, 0.01, 0.1)
# What is as near as the last of the true ones is as good: many memories say the same.
_AS_GOOD = 1e-5


class Sampled(NamedTuple):
    """A stored memory: its text is a query, and what it belongs to makes the filters."""

    memory_id: str
    owner_id: UUID
    session_id: str
    memory_type: str
    tags: list[str]
    text: str

    def filters(self, starts: Mapping[str, datetime]) -> dict[str, Filter]:
        """By what they leave of the data; `starts`: as `starts_of_newest` gives them."""
        everyone = Filter(Scope.ALL)
        filters = {name: replace(everyone, start=start) for name, start in starts.items()} | {
            "session": Filter(Scope.SESSION, self.session_id, self.owner_id),
            "owner": Filter(Scope.USER, self.session_id, self.owner_id),
            "type": replace(everyone, memory_types=(self.memory_type,)),
            "all": everyone,
        }
        if self.tags:
            filters["tag"] = replace(everyone, tags=(self.tags[0],))
        return filters


@dataclass(frozen=True, slots=True)
class Checked:
    """`share`: of all memories with a vector, what the filter leaves, from 0 to 1."""

    share: float
    recall: float
    seconds: float


def starts_of_newest() -> dict[str, datetime]:
    """Since when the newest memories were created that are this share of all, by a name for it.
    Only shares that leave more than one memory, each only once."""
    [(count, starts)] = rows(
        """
        SELECT count(*), percentile_disc(%s::float[]) WITHIN GROUP (ORDER BY created_at)
        FROM memory_entries WHERE deleted_at IS NULL""",
        [[1 - share for share in NEWEST_SHARES]],
    )
    named = zip(NEWEST_SHARES, starts or (), strict=False)
    return {f"newest {share:.2%}": start for share, start in named if share * count > 1}


def count_vectors(model_id: int) -> int:
    [(count,)] = rows("SELECT count(*) FROM embeddings WHERE model_id = %s", [model_id])
    return int(count)


def sample_memories(model_id: int, count: int) -> list[Sampled]:
    """Live memories with a vector and a text, by chance."""
    found = rows(
        """
        SELECT m.id, m.owner_id, m.session_id, m.memory_type, m.tags, left(m.text, 8000)
        FROM (SELECT owner_id, memory_id FROM embeddings WHERE model_id = %s
              ORDER BY random() LIMIT %s) e
            JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
        WHERE m.deleted_at IS NULL AND m.text <> ''
            AND (m.expires_at IS NULL OR m.expires_at > now())""",
        [model_id, count],
    )
    return [Sampled(*row) for row in found]


def vectors_of(model_id: int, memories: Sequence[Sampled]) -> list[str]:
    """Their stored vectors, for models that make none of a text."""
    found = dict(
        rows(
            """
            SELECT memory_id, embedding::text FROM embeddings
            WHERE model_id = %s AND owner_id = ANY(%s) AND memory_id = ANY(%s)""",
            [model_id, [m.owner_id for m in memories], [m.memory_id for m in memories]],
        )
    )
    return [found[memory.memory_id] for memory in memories]


def check_search(current: Serving, filter_: Filter, vector: Vectors, total: int) -> Checked | None:
    """One search by this vector; None where nothing could be found. Raises MemoriesError."""
    query = Query("?", filter_, SearchType.SEMANTIC, CUT, vector=tuple(map(float, vector)))
    start = time.perf_counter()
    [result] = search_memories([query])
    seconds = time.perf_counter() - start
    if isinstance(result, MemoriesError):
        raise result
    found = [memory.memory_id for memory in result.results]
    true = _exact(current, filter_, vector, found)
    if not true.best:
        return None
    last = min(true.best.values()) - _AS_GOOD
    good = sum(score >= last for score in true.found.values())
    return Checked(true.passing / max(total, 1), good / len(true.best), seconds)


class _Exact(NamedTuple):
    """Scores by id: of the true first ones, and of those that were found."""

    best: dict[str, float]
    found: dict[str, float]
    passing: int


def _exact(current: Serving, filter_: Filter, vector: Vectors, found: Sequence[str]) -> _Exact:
    """Every vector that the filter lets through is compared, by the score that searches order by:
    the cosine after the owner's mean is taken off both sides (search/vectors.py)."""
    sample = sample_of(filter_.searched_owner(), current.model_id, current.embedder.dimension)
    scored = rows(
        f"""
        WITH q AS (SELECT * FROM jsonb_to_record(%(filter)s::jsonb) AS q ({FILTER_COLUMNS})),
        dots AS MATERIALIZED (
            SELECT m.id, -(e.embedding <#> %(query)s::vector) AS dot,
                -(e.embedding <#> %(mean)s::vector) AS dot_with_mean
            FROM embeddings e JOIN memory_entries m
                ON m.owner_id = e.owner_id AND m.id = e.memory_id
                    AND m.content_version = e.version CROSS JOIN q
            WHERE e.model_id = %(model)s AND {conditions_sql(filter_.shape())}),
        scored AS MATERIALIZED (
            SELECT id, (dot - dot_with_mean - %(query_with_mean)s::float + %(mean_square)s::float)
                / sqrt(greatest(1 - 2 * dot_with_mean + %(mean_square)s::float, 1e-9))
                / sqrt(greatest(1 - 2 * %(query_with_mean)s::float + %(mean_square)s::float, 1e-9))
                AS score
            FROM dots)
        (SELECT id, score, true, (SELECT count(*) FROM scored) FROM scored
         ORDER BY score DESC, id LIMIT {CUT})
        UNION ALL SELECT id, score, false, 0 FROM scored WHERE id = ANY(%(found)s)""",
        {
            "filter": filter_json(filter_),
            "query": vector_text(vector),
            "mean": vector_text(sample.mean),
            "mean_square": float(sample.mean @ sample.mean),
            "query_with_mean": float(vector @ sample.mean),
            "model": current.model_id,
            "found": list(found),
        },
    )
    best = {an_id: score for an_id, score, is_best, _ in scored if is_best}
    of_found = {an_id: score for an_id, score, is_best, _ in scored if not is_best}
    return _Exact(best, of_found, max((row[3] for row in scored), default=0))

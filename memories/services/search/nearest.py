"""The memories of the same owner that mean the most similar, by their vectors. Called by admin."""

from uuid import UUID

from django.db import transaction

from memories.changes import ALIVE, rows
from memories.services.embedding.models import active_model
from memories.services.embedding.vector_index import EXACT_UP_TO, has_index

# Of an owner with a small share of all vectors, the index passes many that are others'.
_SCANNED_TUPLES = 20_000

_NEAREST = """
WITH this AS MATERIALIZED (
    SELECT e.embedding FROM embeddings e
    WHERE e.owner_id = %(owner)s AND e.model_id = {model} AND e.memory_id = %(memory)s)
SELECT m.id, (1 - (e.embedding <#> (SELECT embedding FROM this))) / 2 AS similarity
FROM embeddings e
JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
    AND m.content_version = e.version
WHERE e.owner_id = %(owner)s AND e.model_id = {model}
    AND e.memory_id <> %(memory)s AND EXISTS (SELECT 1 FROM this) AND {alive}
ORDER BY e.embedding{as_indexed} <#> (SELECT embedding{as_indexed} FROM this) LIMIT %(limit)s"""


def nearest_to(owner_id: UUID, memory_id: str, limit: int) -> list[tuple[str, float]] | None:
    """Ids of live memories with their similarity, from 0 to 1, best first; none where the memory
    has no vector. Up to EXACT_UP_TO vectors of the owner are compared one by one; of more the
    model's index answers, and None is returned while there is none."""
    model = active_model()
    if model is None:
        return []
    as_indexed = ""
    if _has_many(owner_id, model.id):
        if not has_index(model.id):
            return None
        as_indexed = f"::halfvec({model.dimension})"
    # A literal, since the planner must see that the model's partial index serves.
    sql = _NEAREST.format(model=int(model.id), alive=ALIVE, as_indexed=as_indexed)
    with transaction.atomic():
        rows("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
        rows(f"SET LOCAL hnsw.max_scan_tuples = {_SCANNED_TUPLES}")
        found = rows(sql, {"owner": owner_id, "memory": memory_id, "limit": limit})
    return sorted(found, key=lambda near: (-near[1], near[0]))


def _has_many(owner_id: UUID, model_id: int) -> bool:
    [(count,)] = rows(
        """
        SELECT count(*) FROM (SELECT 1 FROM embeddings
            WHERE owner_id = %s AND model_id = %s LIMIT %s) e""",
        [owner_id, model_id, EXACT_UP_TO + 1],
    )
    return bool(count > EXACT_UP_TO)

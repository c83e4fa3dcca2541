"""The memories of the same owner that mean the most similar, by their vectors. Called by admin."""

from uuid import UUID

from memories.changes import ALIVE, rows

_NEAREST = f"""
WITH model AS (SELECT id FROM embedding_models WHERE state = 'active'),
this AS MATERIALIZED (
    SELECT e.embedding FROM embeddings e
    WHERE e.owner_id = %(owner)s AND e.model_id = (SELECT id FROM model)
        AND e.memory_id = %(memory)s)
SELECT m.id, (1 - (e.embedding <#> (SELECT embedding FROM this))) / 2
FROM embeddings e
JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
    AND m.content_version = e.version
WHERE e.owner_id = %(owner)s AND e.model_id = (SELECT id FROM model)
    AND e.memory_id <> %(memory)s AND EXISTS (SELECT 1 FROM this) AND {ALIVE}
ORDER BY e.embedding <#> (SELECT embedding FROM this), m.id LIMIT %(limit)s"""


def nearest_to(owner_id: UUID, memory_id: str, limit: int) -> list[tuple[str, float]]:
    """Ids of live memories with their similarity, from 0 to 1, best first; none where the memory
    has no vector. Exact: it compares with all vectors of the owner."""
    return rows(_NEAREST, {"owner": owner_id, "memory": memory_id, "limit": limit})

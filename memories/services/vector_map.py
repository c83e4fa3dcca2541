"""An owner's memories in two dimensions: their vectors on the two directions in which they differ
most (principal components). Called by the admin, in the background."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from memories.changes import rows
from memories.embedders.base import Vectors

MOST_POINTS = 50_000
# Of a vector as PostgreSQL sends it: the dimension, and one number that is unused.
_HEAD_BYTES = 4
# Beyond it a few memories that are unlike all others would press the rest into one spot.
_SHOWN_PERCENT = 99.5


@dataclass(frozen=True, slots=True)
class Point:
    """`x` and `y`: -1 to 1, of the farthest somewhat beyond."""

    memory_id: str
    memory_type: str
    created_at: datetime
    x: float
    y: float


def map_memories(owner_id: UUID) -> list[Point]:
    """The newest live memories that the active model has embedded, newest first."""
    found = rows(
        """
        SELECT m.id, m.memory_type, m.created_at, vector_send(e.embedding)
        FROM embeddings e JOIN embedding_models a ON a.id = e.model_id AND a.state = 'active'
            JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
        WHERE e.owner_id = %s AND m.deleted_at IS NULL
            AND (m.expires_at IS NULL OR m.expires_at > now())
        ORDER BY m.created_at DESC, m.id LIMIT %s""",
        [owner_id, MOST_POINTS],
    )
    if not found:
        return []
    sent = b"".join(bytes(vector)[_HEAD_BYTES:] for *_, vector in found)
    places = flatten(np.frombuffer(sent, ">f4").reshape(len(found), -1).astype(np.float32))
    return [
        Point(an_id, kind, at, round(float(x), 4), round(float(y), 4))
        for (an_id, kind, at, _), (x, y) in zip(found, places, strict=True)
    ]


def flatten(vectors: Vectors) -> Vectors:
    """From shape (n, dimension) to (n, 2), the first direction having the largest variance."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # in the order of growing variance
    places = centred @ directions[:, -2:][:, ::-1]
    reach = np.percentile(np.abs(places), _SHOWN_PERCENT, axis=0)
    return np.asarray(places / np.where(reach > 0, reach, 1), np.float32)

"""An owner's memories in two dimensions: their vectors on the two directions in which they differ
most (principal components). Called by the admin, in the background."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from memories.changes import ALIVE
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
    """The newest live memories that the active model has embedded, newest first.

    At 50,000 the vectors are most of what it holds, and they are held once.
    """
    known: list[tuple[str, str, datetime]] = []
    sent = bytearray()
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_NEWEST, [owner_id, MOST_POINTS])
        while some := cursor.fetchmany(_FETCHED_ROWS):
            for *told, vector in some:
                known.append(tuple(told))
                sent += memoryview(vector)[_HEAD_BYTES:]
    if not known:
        return []
    vectors = np.frombuffer(sent, ">f4").byteswap(inplace=True).view("<f4")
    places = flatten(vectors.reshape(len(known), -1))
    return [
        Point(an_id, kind, at, round(float(x), 4), round(float(y), 4))
        for (an_id, kind, at), (x, y) in zip(known, places, strict=True)
    ]


_FETCHED_ROWS = 500
_NEWEST = f"""
SELECT m.id, m.memory_type, m.created_at, vector_send(e.embedding)
FROM embeddings e JOIN embedding_models a ON a.id = e.model_id AND a.state = 'active'
    JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
WHERE e.owner_id = %s AND {ALIVE}
ORDER BY m.created_at DESC, m.id LIMIT %s"""


def flatten(vectors: Vectors) -> Vectors:
    """From shape (n, dimension) to (n, 2), the first direction having the largest variance. The
    vectors are centred in their place."""
    vectors -= vectors.mean(axis=0)
    _, directions = np.linalg.eigh(vectors.T @ vectors)  # in the order of growing variance
    places = vectors @ directions[:, -2:][:, ::-1]
    reach = np.percentile(np.abs(places), _SHOWN_PERCENT, axis=0)
    return np.asarray(places / np.where(reach > 0, reach, 1), np.float32)

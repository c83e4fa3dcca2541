"""What a query's vector is compared with: the owner's usual direction, and how far from it the
owner's memories usually lie. Called by search.

Memories of one owner resemble each other; the mean of their vectors is taken off before cosines
are compared (Arora et al. 2017 do it for sentences). A sample serves for mean and spread.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np

from memories.bounded import BoundedDict
from memories.changes import rows
from memories.embedders.base import Vectors

SAMPLE_SIZE = 256
_KEPT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Unit vectors of some of an owner's memories, shape (n, dimension), and their mean."""

    vectors: Vectors
    mean: Vectors

    def centred_cosines(self, query: Vectors, dots: Vectors, dots_with_mean: Vectors) -> Vectors:
        """Cosines after the mean is taken off both sides, from the dot products of unit vectors
        with the query and with the mean; each of shape (m,)."""
        mean_square = float(self.mean @ self.mean)
        query_with_mean = float(query @ self.mean)
        above = dots - dots_with_mean - query_with_mean + mean_square
        below = np.sqrt(np.maximum(1 - 2 * dots_with_mean + mean_square, 1e-9))
        below *= max(1 - 2 * query_with_mean + mean_square, 1e-9) ** 0.5
        cosines: Vectors = above / below
        return cosines

    def spread(self, query: Vectors) -> tuple[float, float]:
        """Mean and standard deviation of the sample's centred cosines with the query."""
        if len(self.vectors) < 2:
            return 0.0, 1.0
        cosines = self.centred_cosines(query, self.vectors @ query, self.vectors @ self.mean)
        return float(cosines.mean()), float(cosines.std()) or 1.0


class _Kept(NamedTuple):
    """`mark`: count and highest id of the vectors when the sample was taken; each changes at
    least one of them that comes, goes or is made anew."""

    until: float
    mark: tuple[int, int | None]
    sample: Sample


_kept: BoundedDict[tuple[UUID | None, int], _Kept] = BoundedDict(2_000)


def sample_of(owner_id: UUID | None, model_id: int, dimension: int) -> Sample:
    """Of the owner's vectors, or of everyone's where it is None. One that holds all there are is
    taken anew after each change, since each changes it much."""
    kept = _kept.get((owner_id, model_id))
    if kept and _still_holds(kept, owner_id, model_id):
        return kept.sample
    taken = _take(owner_id, model_id, dimension)
    _kept.update({(owner_id, model_id): taken})
    return taken.sample


def forget_samples() -> None:
    """Drop what is remembered of vectors: an owner may have been erased."""
    _kept.clear()


def _still_holds(kept: _Kept, owner_id: UUID | None, model_id: int) -> bool:
    if len(kept.sample.vectors) == SAMPLE_SIZE:
        return kept.until > time.monotonic()
    # Reading 200 vectors takes 25 ms, counting them a fraction of one.
    [mark] = rows(
        f"SELECT count(*), max(id) FROM embeddings WHERE {_owned(owner_id)} model_id = %(model)s",
        {"owner": owner_id, "model": model_id},
    )
    return mark == kept.mark


def _take(owner_id: UUID | None, model_id: int, dimension: int) -> _Kept:
    # The order of the ids, which are digests, is as good as chance, and the same at every call.
    found = rows(
        f"""
        SELECT embedding::text, id FROM embeddings
        WHERE {_owned(owner_id)} model_id = %(model)s
        ORDER BY {"memory_id" if owner_id else "id"} LIMIT {SAMPLE_SIZE}""",
        {"owner": owner_id, "model": model_id},
    )
    mark = len(found), max((row[1] for row in found), default=None)
    return _Kept(
        time.monotonic() + _KEPT_SECONDS, mark, _sample([row[0] for row in found], dimension)
    )


def _sample(texts: Sequence[str], dimension: int) -> Sample:
    if not texts:
        return Sample(np.zeros((0, dimension), np.float32), np.zeros(dimension, np.float32))
    vectors = np.array([np.fromstring(text[1:-1], np.float32, sep=",") for text in texts])
    return Sample(vectors, vectors.mean(axis=0))


def _owned(owner_id: UUID | None) -> str:
    return "owner_id = %(owner)s AND" if owner_id else ""

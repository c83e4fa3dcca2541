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
_POINTS = 4 * SAMPLE_SIZE
_LOOK_AHEAD = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """Unit vectors of some of an owner's memories, shape (n, dimension), and their mean."""

    vectors: Vectors
    mean: Vectors

    def centred_cosines(self, query: Vectors, dots: Vectors, dots_with_mean: Vectors) -> Vectors:
        return centred_cosines(self.mean, query, dots, dots_with_mean)

    def spread(self, query: Vectors) -> tuple[float, float]:
        """Mean and standard deviation of the sample's centred cosines with the query."""
        dots, dots_with_mean = self.vectors @ query, self.vectors @ self.mean
        return usual_of(self.centred_cosines(query, dots, dots_with_mean))


def centred_cosines(
    mean: Vectors, query: Vectors, dots: Vectors, dots_with_mean: Vectors
) -> Vectors:
    """Cosines after the mean is taken off both sides, from the dot products of unit vectors with
    the query and with the mean; each of shape (m,)."""
    mean_square = float(mean @ mean)
    query_with_mean = float(query @ mean)
    above = dots - dots_with_mean - query_with_mean + mean_square
    below = np.sqrt(np.maximum(1 - 2 * dots_with_mean + mean_square, 1e-9))
    below *= max(1 - 2 * query_with_mean + mean_square, 1e-9) ** 0.5
    cosines: Vectors = above / below
    return cosines


def usual_of(cosines: Vectors) -> tuple[float, float]:
    """Their mean and standard deviation; of fewer than two, those that change nothing."""
    if len(cosines) < 2:
        return 0.0, 1.0
    return float(cosines.mean()), float(cosines.std()) or 1.0


def no_sample(dimension: int) -> Sample:
    """By which vectors are compared as they are."""
    return Sample(np.zeros((0, dimension), np.float32), np.zeros(dimension, np.float32))


class _Kept(NamedTuple):
    """`mark`: as `_mark` gave it when the sample was taken."""

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
    mark = _mark(owner_id, model_id)
    sample = _sample(_read_some(owner_id, model_id), dimension)
    until = time.monotonic() + _KEPT_SECONDS
    _kept.update({(owner_id, model_id): _Kept(until, mark, sample)})
    return sample


def forget_samples() -> None:
    """Drop what is remembered of vectors: an owner may have been erased."""
    _kept.clear()


def _still_holds(kept: _Kept, owner_id: UUID | None, model_id: int) -> bool:
    if len(kept.sample.vectors) == SAMPLE_SIZE:
        return kept.until > time.monotonic()
    # Reading 256 vectors takes 3 ms, counting them a fraction of one.
    return kept.mark == _mark(owner_id, model_id)


def _mark(owner_id: UUID | None, model_id: int) -> tuple[int, int | None]:
    """Count and highest id of the vectors, of everyone's up to a bound: each that comes, goes or is
    made anew changes one of them."""
    of_owner = """
        SELECT count(*), max(id) FROM embeddings
        WHERE owner_id = %(owner)s AND model_id = %(model)s"""
    of_everyone = f"""
        SELECT count(*), max(id) FROM (
            SELECT id FROM embeddings WHERE model_id = %(model)s
            ORDER BY id DESC LIMIT {SAMPLE_SIZE + 1}) newest"""
    parameters = {"owner": owner_id, "model": model_id}
    [(count, highest_id)] = rows(of_owner if owner_id else of_everyone, parameters)
    return count, highest_id


def read_vector(sent: bytes) -> Vectors:
    """From what pgvector's `vector_send` makes: the dimension and two bytes more, then big-endian
    numbers. As text, a vector takes ten times as long to read."""
    return np.frombuffer(sent, ">f4", offset=4)


def _read_some(owner_id: UUID | None, model_id: int) -> list[Vectors]:
    # The order of the ids, which are digests, is as good as chance, and the same at every call.
    of_owner = f"""
        SELECT vector_send(embedding) FROM embeddings
        WHERE owner_id = %(owner)s AND model_id = %(model)s
        ORDER BY memory_id LIMIT {SAMPLE_SIZE}"""
    # Evenly spread over the time in which they were made: the oldest are often one owner's. Where
    # a point falls on vectors of another model, or on a gap, it looks no further than a little.
    of_everyone = f"""
        WITH bounds AS (SELECT min(id) AS low, max(id) AS high FROM embeddings),
        near AS (
            SELECT DISTINCT ON (e.id) e.* FROM bounds b
                CROSS JOIN generate_series(0, {_POINTS - 1}) n
                CROSS JOIN LATERAL (SELECT b.low + (b.high - b.low) * n / {_POINTS - 1} AS id) point
                CROSS JOIN LATERAL (
                    SELECT id, embedding FROM embeddings
                    WHERE id >= point.id AND id < point.id + {_LOOK_AHEAD} AND model_id = %(model)s
                    ORDER BY id LIMIT 1) e)
        SELECT vector_send(embedding) FROM near ORDER BY md5(id::text) LIMIT {SAMPLE_SIZE}"""
    parameters = {"owner": owner_id, "model": model_id}
    found = rows(of_owner if owner_id else of_everyone, parameters)
    return [read_vector(sent) for (sent,) in found]


def _sample(some: Sequence[Vectors], dimension: int) -> Sample:
    if not some:
        return no_sample(dimension)
    vectors = np.array(some, np.float32)
    return Sample(vectors, vectors.mean(axis=0))

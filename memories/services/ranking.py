"""Put candidates in order: a pure function from what the database found to scores.

Vector and words are fused by weighted scores, in standard deviations (reciprocal rank fusion ranks
below the words alone), then come small priors and the neighbours in the conversation.
docs/benchmarks.md tells what each part gives.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memories.services.weights import Weights

Floats: TypeAlias = NDArray[np.floating[Any]]
Indexes: TypeAlias = NDArray[np.int64]

# A candidate this many standard deviations below the usual scores 0, the best one scores 1.
_FLOOR = -1.5
# By how much a window of three turns, at weight 1, widens the spread of the scores; measured.
_WORD_WINDOW_SPREAD = 1.3
_VECTOR_WINDOW_SPREAD = 0.35
_HALF_LIFE_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """n memories of one owner. `previous` and `next` are indexes of the neighbours in the
    conversation, -1 where there is none or it is not known; `mask` has a bit for each lexeme of
    the query; `vector_scores` are standardised, 0 where a memory has no vector."""

    session: Indexes
    previous: Indexes
    next: Indexes
    mask: Indexes
    words: Floats
    characters: Floats
    asks: NDArray[np.bool_]
    named: NDArray[np.bool_]
    priority: Floats
    age_days: Floats
    vector_scores: Floats


@dataclass(frozen=True, slots=True)
class LexicalScale:
    """What words are worth: a weight for each lexeme of the query, and the mean and standard
    deviation of the lexical score over all memories of the owner."""

    weights: Floats
    average_words: float
    mean: float
    deviation: float

    def shares(self, masks: Indexes) -> Floats:
        """The share of the query's word weight that each mask holds, from 0 to 1."""
        bits = (masks[:, np.newaxis] >> np.arange(len(self.weights))) & 1
        shares: Floats = bits @ self.weights / (self.weights.sum() or 1)
        return shares


def rank(candidates: Candidates, scale: LexicalScale, weights: Weights) -> Floats:
    """A score for each candidate, the higher the better."""
    scores = _base(candidates, scale, weights) + _priors(candidates, weights)
    return scores + _context(candidates, scores, weights)


def lexical_scores(masks: Indexes, words: Floats, scale: LexicalScale) -> Floats:
    """BM25 with each word counted once, as in `lexical`."""
    bits = (masks[:, np.newaxis] >> np.arange(len(scale.weights))) & 1
    length_norm = 1.9 / (1 + 0.9 * (0.6 + 0.4 * words / scale.average_words))
    scores: Floats = (bits @ scale.weights) * length_norm
    return scores


def names_speaker(query: str, speaker: str) -> bool:
    return bool(speaker) and bool(
        re.search(rf"(?<!\w){re.escape(speaker)}(?!\w)", query, re.IGNORECASE)
    )


def _base(candidates: Candidates, scale: LexicalScale, weights: Weights) -> Floats:
    """Vector and words, from 0 to 1."""
    fused = weights.vector * _vector(candidates, weights)
    fused = fused + weights.lexical * _lexical(candidates, scale, weights)
    best = fused.max(initial=_FLOOR + 1e-9)
    base: Floats = np.maximum((fused - _FLOOR) / (best - _FLOOR), 0)
    return base


def _vector(candidates: Candidates, weights: Weights) -> Floats:
    """Vector scores with those of the turns around, in standard deviations."""
    own = candidates.vector_scores
    around = _with_neighbours(candidates, own, np.add) - own
    spread = 1 + weights.vector_window * _VECTOR_WINDOW_SPREAD
    scores: Floats = (own + weights.vector_window * around) / spread
    return scores


def _lexical(candidates: Candidates, scale: LexicalScale, weights: Weights) -> Floats:
    """Words with those of the turns around, in standard deviations."""
    own = lexical_scores(candidates.mask, candidates.words, scale)
    around = lexical_scores(
        _with_neighbours(candidates, candidates.mask, np.bitwise_or),
        _with_neighbours(candidates, candidates.words, np.add) / 3,
        scale,
    )
    spread = 1 + weights.word_window * _WORD_WINDOW_SPREAD
    above = (own + weights.word_window * around) / spread - scale.mean
    scores: Floats = above / (scale.deviation or 1)
    return scores


def _with_neighbours(candidates: Candidates, values: Any, join: Any) -> Any:
    joined = values.copy()
    for neighbour in (candidates.previous, candidates.next):
        joined = join(joined, np.where(neighbour >= 0, values[neighbour], 0))
    return joined


def _priors(candidates: Candidates, weights: Weights) -> Floats:
    longer = np.minimum(np.log1p(candidates.characters / 100), 1.5)
    newer = 0.5 ** (candidates.age_days / _HALF_LIFE_DAYS)
    priors: Floats = (
        weights.speaker * candidates.named
        - weights.question * candidates.asks
        + weights.length * longer
        + weights.recency * newer
        + weights.priority * (candidates.priority - 5.5) / 4.5
    )
    return priors


def _context(candidates: Candidates, scores: Floats, weights: Weights) -> Floats:
    """What the turns around a candidate add to it: answers stand beside what is asked."""
    best = np.zeros(candidates.session.max(initial=-1) + 1)
    np.maximum.at(best, candidates.session, scores)
    return (
        weights.previous * _score_at(candidates.previous, scores)
        + weights.next * _score_at(candidates.next, scores)
        + weights.session * best[candidates.session]
    )


def _score_at(neighbour: Indexes, scores: Floats) -> Floats:
    beside: Floats = np.where(neighbour >= 0, scores[neighbour], 0)
    return beside

"""Put candidates in order: a pure function from what the database found to scores.

Vector and words are fused by weighted scores, in standard deviations (reciprocal rank fusion ranks
below the words alone), then come small priors and the neighbours in the conversation.
docs/benchmarks.md tells what each part gives.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memories.services.search.weights import Weights

Floats: TypeAlias = NDArray[np.floating[Any]]
Indexes: TypeAlias = NDArray[np.int64]

SIMILARITY_PLACES = 6
# A candidate this many standard deviations below the usual scores 0, the best one scores 1.
_FLOOR = -1.5
# By how much a window of three turns, at weight 1, widens the spread of the scores; measured.
_WORD_WINDOW_SPREAD = 1.3
_VECTOR_WINDOW_SPREAD = 0.35
_HALF_LIFE_DAYS = 30.0
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """n memories of one owner. `previous` and `next` are indexes of the neighbours in the
    conversation, -1 where there is none or it is not known; `mask` has a bit for each lexeme of
    the query."""

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
        shares: Floats = _weight_held(masks, self.weights) / (self.weights.sum() or 1)
        return shares


@dataclass(frozen=True, slots=True)
class Prepared:
    """Candidates with what can be said of them before the query's vector is there: their words, in
    standard deviations, and what they have in advance. Shapes (n,); `weights` as in `Wish`."""

    candidates: Candidates
    scale: LexicalScale
    weights: Weights | None
    lexical: Floats
    priors: Floats


class Compared(NamedTuple):
    """Each candidate beside the query's vector: the dot product, NaN where it has no vector, and
    the standardised score, 0 there. Shapes (n,)."""

    dots: Floats
    scores: Floats


class Wish(NamedTuple):
    """`weights`: None ranks by vectors alone."""

    limit: int
    min_similarity: float
    weights: Weights | None


class Best(NamedTuple):
    """Ids with their similarity, best first, and how many answers there are in all."""

    found: Sequence[tuple[str, float]]
    total: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Of each candidate its score, its similarity from 0 to 1, and whether it is an answer."""

    scores: Floats
    similarity: Floats
    kept: NDArray[np.bool_]

    def best(self, ids: Sequence[str], limit: int) -> Best:
        """Where scores tie, the order is that of the ids."""
        kept = np.flatnonzero(self.kept)
        total = len(kept)
        if total > limit:
            scores = self.scores[kept]
            kept = kept[scores >= np.partition(scores, -limit)[-limit]]
        order = sorted(kept.tolist(), key=lambda place: (-self.scores[place], ids[place]))
        found = [(ids[place], float(self.similarity[place])) for place in order[:limit]]
        return Best(found, total)


def prepare(candidates: Candidates, scale: LexicalScale, weights: Weights | None) -> Prepared:
    """`weights`: None ranks by vectors alone, to which neither words nor priors add anything."""
    if weights is None:
        nothing = np.zeros(len(candidates.mask))
        return Prepared(candidates, scale, weights, nothing, nothing)
    lexical, priors = _lexical(candidates, scale, weights), _priors(candidates, weights)
    return Prepared(candidates, scale, weights, lexical, priors)


def judge(
    prepared: Prepared, compared: Compared, passes: NDArray[np.bool_], min_similarity: float
) -> Judged:
    """`passes`: whether the filter lets a candidate through. An answer passes, and is near enough
    or holds one of the words: what has neither vector nor words, as what has no text, is none."""
    mask = prepared.candidates.mask
    similarity = (1 + compared.dots.astype(float)) / 2
    without = np.isnan(compared.dots)
    similarity[without] = prepared.scale.shares(mask[without])
    # As it is told: a peer that gives a score back as its least similarity gets that memory again.
    similarity = np.round(similarity.clip(0, 1), SIMILARITY_PLACES)
    near = (similarity >= min_similarity) & ~without
    if prepared.weights is None:
        return Judged(compared.scores, similarity, passes & near)
    scores = rank(prepared, prepared.weights, compared.scores)
    return Judged(scores, similarity, passes & (near | (mask != 0)))


def rank(prepared: Prepared, weights: Weights, vector_scores: Floats) -> Floats:
    """A score for each candidate, the higher the better."""
    candidates = prepared.candidates
    fused = weights.vector * _vector(candidates, vector_scores, weights)
    fused = fused + weights.lexical * prepared.lexical
    scores = _from_floor_to_best(fused) + prepared.priors
    return scores + _context(candidates, scores, weights)


def lexical_scores(masks: Indexes, words: Floats, scale: LexicalScale) -> Floats:
    """BM25 with each word counted once, as in `lexical`."""
    scores = np.zeros(len(masks))
    some = np.flatnonzero(masks)  # few hold any of the words
    length_norm = 1.9 / (1 + 0.9 * (0.6 + 0.4 * words[some] / scale.average_words))
    scores[some] = _weight_held(masks[some], scale.weights) * length_norm
    return scores


def _weight_held(masks: Indexes, weights: Floats) -> Floats:
    held = np.zeros(len(masks))
    for ordinal, weight in enumerate(weights):
        held += weight * ((masks >> ordinal) & 1)
    return held


def scale_of(masks: Indexes, words: Floats, lexeme_count: int) -> LexicalScale:
    """The scale of an owner's memories from all of them; shapes (n,)."""
    holders = np.array([np.count_nonzero(masks & (1 << n)) for n in range(lexeme_count)])
    weights = np.log1p(np.maximum(len(masks) - holders + 0.5, 0.5) / (holders + 0.5))
    average_words = float(words.mean()) if len(words) else 0.0
    unscaled = LexicalScale(weights, average_words or 1.0, 0.0, 1.0)
    scores = lexical_scores(masks, words, unscaled)
    mean, deviation = spread_of(len(scores), float(scores.sum()), float(scores @ scores))
    return replace(unscaled, mean=mean, deviation=deviation)


def spread_of(count: int, total: float, squares: float) -> tuple[float, float]:
    """Mean and standard deviation of so many scores with this sum and this sum of squares."""
    mean = total / max(count, 1)
    deviation = max(squares / max(count, 1) - mean * mean, 0.0) ** 0.5
    # Scores that are all alike leave but the noise of the subtraction.
    return mean, deviation if deviation > 1e-6 * mean else 0.0


def age_days(created_us: Indexes) -> Floats:
    """From microseconds since the epoch."""
    age: Floats = (time.time_ns() // 1000 - created_us) / _DAY_US
    return age


def names_speaker(query: str, speaker: str) -> bool:
    # Few are in it at all, and a pattern is compiled for each: labels of notes can be thousands.
    if not speaker or speaker.casefold() not in query.casefold():
        return False
    return bool(re.search(rf"(?<!\w){re.escape(speaker)}(?!\w)", query, re.IGNORECASE))


def _from_floor_to_best(fused: Floats) -> Floats:
    """From 0 to 1."""
    best = fused.max(initial=_FLOOR + 1e-9)
    scores: Floats = np.maximum((fused - _FLOOR) / (best - _FLOOR), 0)
    return scores


def _vector(candidates: Candidates, own: Floats, weights: Weights) -> Floats:
    """Vector scores with those of the turns around, in standard deviations."""
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
        joined = join(joined, _value_at(neighbour, values))
    return joined


def _priors(candidates: Candidates, weights: Weights) -> Floats:
    longer = np.minimum(np.log1p(candidates.characters / 100), 1.5)
    newer = np.exp2(-candidates.age_days / _HALF_LIFE_DAYS)
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
    context: Floats = (
        weights.previous * _value_at(candidates.previous, scores)
        + weights.next * _value_at(candidates.next, scores)
        + weights.session * best[candidates.session]
    )
    return context


def _value_at(neighbour: Indexes, values: Any) -> Any:
    """0 where there is none."""
    return np.where(neighbour >= 0, values[neighbour], 0)

"""Which sentences of a conversation say most. summary.py calls it.

The value of a sentence is the weight of its terms over a power of its length, where terms that a
chosen sentence has said already count less (concept coverage, Gillick and Favre, 2009), times what
its form tells: numbers and names up, questions down, nearness to the rest up a little. Measured on
whether a summary holds the turns that questions are asked about later, this finds twice as much as
nearness alone, which prefers small talk: that resembles itself most.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from memories.text.terms import Booleans, Floats, Integers, TermMatrix

_LENGTH_EXPONENT = 0.4
_FIXED_LENGTH_CHARACTERS = 20  # a line of its own costs a reader something, however short
_CENTRALITY_SHARE = 0.3
_NUMBER_BONUS = 0.3
_NAME_BONUS = 0.3
_QUESTION_FACTOR = 0.3
_TELLING_BONUS = 0.5
_RECENCY_BONUS = 0.1  # of two that say the same, the later one holds: plans change
_SAID_SHARE = 0.5  # how much of its weight a term loses once it is said
_ALIKE_SHARE = 0.5  # the same for a turn whose vector equals that of a chosen one
_WORTH_SAYING = 0.2  # of the best value; below it a summary ends early


@dataclass(frozen=True, slots=True)
class Candidates:
    """One entry a sentence, in order of the conversation. Where `vectors` is given, a row of unit
    length a turn, nearness is the cosine of turns."""

    turns: Integers  # which turn the sentence stands in
    terms: TermMatrix
    costs: Integers  # characters that it takes in the summary
    has_number: Booleans
    has_name: Booleans
    is_question: Booleans
    is_telling: Booleans  # has a word such as "decided" or "allergic"
    questions: Mapping[int, int]  # from a sentence to the one that must be chosen with it
    vectors: Floats | None = None


def choose_sentences(candidates: Candidates, max_sentences: int, max_characters: int) -> list[int]:
    """Indices of the best within both bounds, in order of the conversation."""
    costs, sizes = _costs_with_questions(candidates)
    factors = _form_factors(candidates) / (costs + _FIXED_LENGTH_CHARACTERS) ** _LENGTH_EXPONENT
    term_weights = candidates.terms.rarity.copy()
    likeness = np.zeros(len(costs))
    is_open = np.ones(len(costs), dtype=bool)
    chosen: set[int] = set()
    least_value = 0.0
    while True:
        is_open &= (costs <= max_characters) & (sizes <= max_sentences)
        values = candidates.terms.sum_by_row(term_weights) * factors * (1 - _ALIKE_SHARE * likeness)
        best = int(np.argmax(np.where(is_open, values, -1.0)))
        if not is_open[best] or values[best] <= least_value:
            return sorted(chosen)
        least_value = least_value or float(values[best]) * _WORTH_SAYING
        taken = {best, candidates.questions.get(best, best)}
        chosen |= taken
        is_open[list(taken)] = False
        max_characters -= int(costs[best])
        max_sentences -= int(sizes[best])
        term_weights[candidates.terms.columns_of(best)] *= 1 - _SAID_SHARE
        likeness = np.maximum(likeness, _likeness_to(candidates, best))


def _costs_with_questions(candidates: Candidates) -> tuple[Integers, Integers]:
    """What each sentence takes of both bounds, in characters and in sentences."""
    costs, sizes = candidates.costs.copy(), np.ones(len(candidates.costs), dtype=np.intp)
    for answer, question in candidates.questions.items():
        costs[answer] += candidates.costs[question]
        sizes[answer] += 1
    return costs, sizes


def _form_factors(candidates: Candidates) -> Floats:
    count = len(candidates.costs)
    factors = 1 + _CENTRALITY_SHARE * _centrality(candidates)
    factors *= 1 + _NUMBER_BONUS * candidates.has_number
    factors *= 1 + _NAME_BONUS * candidates.has_name
    factors *= 1 + _TELLING_BONUS * candidates.is_telling
    factors *= 1 + _RECENCY_BONUS * np.linspace(0, 1, count)
    return factors * np.where(candidates.is_question, _QUESTION_FACTOR, 1.0)


def _centrality(candidates: Candidates) -> Floats:
    """Nearness to all others, 0 to 1: the sum of cosines (the degree of LexRank, Erkan and Radev,
    2004)."""
    vectors = candidates.vectors
    if vectors is None:
        sums = candidates.terms.sum_of_cosines()
    else:
        sums = (vectors @ vectors.sum(axis=0))[candidates.turns]
    sums = np.maximum(sums, 0.0)
    return sums / max(float(sums.max(initial=0.0)), 1e-9)


def _likeness_to(candidates: Candidates, index: int) -> Floats:
    """Cosines with the turn of a sentence; 0 within that turn, where the terms alone tell apart."""
    if candidates.vectors is None:
        return np.zeros(len(candidates.turns))
    turn = candidates.turns[index]
    cosines = (candidates.vectors @ candidates.vectors[turn])[candidates.turns]
    return np.where(candidates.turns == turn, 0.0, np.clip(cosines, 0.0, 1.0))

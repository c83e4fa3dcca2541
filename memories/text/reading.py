# ruff: noqa: RUF001 (question marks of many scripts)
"""From turns to the sentences that a summary may choose, and what kind each of them is. summary.py
calls it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from memories.text.cutting import split_at_words
from memories.text.ranking import Candidates
from memories.text.sentences import split_sentences
from memories.text.terms import Floats, build_matrix, extract_terms
from memories.text.turns import Turn, pick_evenly

MAX_SENTENCES_READ = 10_000
_LONGEST_SENTENCE_CHARACTERS = 320
_SHORT_ANSWER_TERMS = 4

_QUESTION_END = re.compile(r"[?？؟⁇][\s\"'”’»)\]」』）]*$")
_NUMBER = re.compile(r"\d")
# A capital inside a sentence, in the scripts that have them: Latin, Greek, Cyrillic.
_NAME = re.compile(r"(?<=[\w,;:] )[A-ZÀ-ÖØ-ÞΑ-ΩА-Я][a-zà-öø-ÿά-ώа-я]")


@dataclass(frozen=True, slots=True)
class Sentence:
    turn: int  # its index
    text: str
    is_question: bool


def read_sentences(turns: Sequence[Turn]) -> Sequence[Sentence]:
    """The sentences of all turns in order, an even choice of them where there are too many."""
    sentences = [
        Sentence(index, piece, is_question=bool(_QUESTION_END.search(piece)))
        for index, turn in enumerate(turns)
        for sentence in split_sentences(turn.text)
        for piece in split_at_words(sentence, _LONGEST_SENTENCE_CHARACTERS)
    ]
    return pick_evenly(sentences, MAX_SENTENCES_READ)


def weigh_sentences(
    sentences: Sequence[Sentence], costs: Sequence[int], vectors: Floats | None
) -> Candidates:
    """What the choice needs to know. "Half past nine." says nothing alone: so short an answer is
    weighed together with its question."""
    terms, telling = extract_terms([sentence.text for sentence in sentences])
    questions = dict(_find_short_answers(sentences, terms))
    for answer, question in questions.items():
        terms[answer] = terms[question] + terms[answer]
    return Candidates(
        turns=np.array([sentence.turn for sentence in sentences]),
        terms=build_matrix(terms),
        costs=np.array(costs),
        has_number=np.array([bool(_NUMBER.search(sentence.text)) for sentence in sentences]),
        has_name=np.array([bool(_NAME.search(sentence.text)) for sentence in sentences]),
        is_question=np.array([sentence.is_question for sentence in sentences]),
        is_telling=np.array([not telling.isdisjoint(row) for row in terms]),
        questions=questions,
        vectors=vectors,
    )


def _find_short_answers(
    sentences: Sequence[Sentence], terms: Sequence[Sequence[int]]
) -> Iterator[tuple[int, int]]:
    for index in range(1, len(sentences)):
        before, here = sentences[index - 1], sentences[index]
        if not before.is_question or here.is_question or before.turn == here.turn:
            continue
        if terms[index - 1] and 0 < len(terms[index]) <= _SHORT_ANSWER_TERMS:
            yield index, index - 1

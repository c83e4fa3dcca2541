"""What the memories of one owner are searched by, kept in memory: vectors, words, and what ranking
asks of each. Knows no database; `owner_indexes` fills it, `owner_search` asks it.
"""

import time
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memories.embedders.base import Vectors
from memories.services.search.ranking import (
    Candidates,
    Compared,
    Floats,
    Indexes,
    LexicalScale,
    age_days,
    names_speaker,
    scale_of,
)
from memories.services.search.vectors import SAMPLE_SIZE, centred_cosines, usual_of

_FACTS = np.dtype(
    [
        ("vector_id", "i8"),
        ("created_us", "i8"),
        ("session", "i8"),
        ("speaker", "i8"),
        ("words", "f8"),
        ("characters", "f8"),
        ("priority", "f8"),
        ("asks", "?"),
        ("alive", "?"),
    ]
)
_FIRST_CAPACITY = 16
# Beyond this share of places whose memory is gone, reading all anew is cheaper than going on.
_MOST_GONE = 0.25
# The session of what is gone, and a vector score below all others: it never ranks nor helps others.
_NOWHERE = "\0"
_WORST_SCORE = -10.0
# About what Python's objects take for an id in a list, a dict and a sorted list; and for a word.
_ID_BYTES = 250
_WORD_BYTES = 200
# About what the words of a memory of talk take.
_WORDS_BYTES = 450
_NUMBER_BYTES = 4


class Mark(NamedTuple):
    """Of the ids of all vectors: each change of them changes one of these."""

    vectors: int
    sum_of_ids: int


class Entry(NamedTuple):
    """A memory with its vector. `vector`: float32 of length 1, shape (dimension,); `lexemes`: as
    full-text search keeps them; `created_us`: microseconds since the epoch."""

    vector_id: int
    memory_id: str
    session_id: str
    created_us: int
    words: int
    speaker: str
    asks: bool
    characters: int
    priority: int
    lexemes: Sequence[str]
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Places of the turns before and after in the same session; -1: none. Shape (n,) each."""

    previous: Indexes
    next: Indexes


def expected_bytes(memories: int, dimension: int) -> int:
    """About what the index of an owner of so many will take."""
    places = max(memories + memories // 8, _FIRST_CAPACITY)
    of_place = dimension * _NUMBER_BYTES + _FACTS.itemsize
    return places * of_place + memories * (_ID_BYTES + _WORDS_BYTES)


class OwnerIndex:
    """Each memory has a place, 0 to n - 1, in which it stays. Arrays have shape (n,) or
    (n, dimension). Whoever uses it holds `lock`, and asks no database meanwhile, but to change
    it."""

    def __init__(self, dimension: int) -> None:
        self.lock = Lock()
        self.dimension = dimension
        self.used_at = time.monotonic()
        self.vector_ids: set[int] = set()  # known, also those that stand for nothing
        self.mark = Mark(0, 0)
        self._count = 0
        self._facts = np.zeros(_FIRST_CAPACITY, _FACTS)
        self._vectors = np.zeros((_FIRST_CAPACITY, dimension), np.float32)
        self.ids: list[str] = []  # of the memories, by place
        self._sorted_ids: list[str] = []
        self._places: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._speakers: dict[str, int] = {}
        self._postings: dict[str, array[int]] = {}
        self._sampled = np.zeros(0, np.int64)
        self._dots_with_mean = np.zeros(0, np.float32)
        self._mean = np.zeros(dimension, np.float32)  # of the sampled vectors
        self.neighbours = Neighbours(np.zeros(0, np.int64), np.zeros(0, np.int64))
        self.size_bytes = self._measure()

    def __len__(self) -> int:
        return self._count

    @property
    def facts(self) -> NDArray[Any]:
        """One record a place; its fields are those of `_FACTS`."""
        return self._facts[: self._count]

    def change(self, gone: Iterable[int], new: Iterable[Entry], new_count: int) -> None:
        """Take out what has one of these vector ids, and put in what is new, about `new_count`."""
        self._take_out(gone)
        self._reserve(self._count + new_count)
        for entry in new:
            self._put_in(entry)
        self._link()
        self._take_sample()
        self.size_bytes = self._measure()

    def has_aged(self) -> bool:
        """Whether so much has gone that it should be read anew."""
        gone = self._count - self.alive_count
        return gone > max(_MOST_GONE * self._count, _FIRST_CAPACITY)

    @property
    def alive_count(self) -> int:
        return len(self._places)

    def compare(self, query: Vectors, centred: bool) -> Compared:
        """Scores are centred cosines in standard deviations from the owner's usual, or else the
        cosines as they are."""
        dots = _dots(self._vectors[: self._count], query)
        scores: Floats = dots.copy()
        if centred:
            cosines = centred_cosines(self._mean, query, dots, self._dots_with_mean)
            usual, deviation = usual_of(cosines[self._sampled])
            scores = (cosines - usual) / deviation
        scores[~self.facts["alive"]] = _WORST_SCORE
        return Compared(dots, scores)

    def masks(self, lexemes: Sequence[str]) -> Indexes:
        """A bit for each lexeme that a memory holds."""
        masks = np.zeros(self._count, np.int64)
        for ordinal, lexeme in enumerate(lexemes):
            if lexeme in self._postings:
                masks[np.frombuffer(self._postings[lexeme], np.uint32)] |= 1 << ordinal
        masks[~self.facts["alive"]] = 0
        return masks

    def candidates(self, query: str, masks: Indexes) -> Candidates:
        """All memories, as ranking takes them."""
        facts = self.facts
        return Candidates(
            session=facts["session"],
            previous=self.neighbours.previous,
            next=self.neighbours.next,
            mask=masks,
            words=facts["words"],
            characters=facts["characters"],
            asks=facts["asks"],
            named=self.spoken_by(lambda speaker: names_speaker(query, speaker)),
            priority=facts["priority"],
            age_days=age_days(facts["created_us"]),
        )

    def lexical_scale(self, masks: Indexes, lexeme_count: int) -> LexicalScale:
        """What each lexeme is worth by how many memories hold it."""
        alive = self.facts["alive"]
        return scale_of(masks[alive], self.facts["words"][alive], lexeme_count)

    def spoken_by(self, is_named: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Whether the memory's speaker is one of those named."""
        named = np.array([is_named(speaker) for speaker in self._speakers], bool)
        return named[self.facts["speaker"]] if len(named) else np.zeros(self._count, bool)

    def of_session(self, session_id: str) -> NDArray[np.bool_]:
        of_it: NDArray[np.bool_] = self.facts["session"] == self._sessions.get(session_id, -1)
        return of_it

    def places_of(self, memory_ids: Iterable[str]) -> Indexes:
        """Of those that are here."""
        places = [self._places[an_id] for an_id in memory_ids if an_id in self._places]
        return np.array(places, np.int64)

    def _take_out(self, vector_ids: Iterable[int]) -> None:
        gone = np.isin(self.facts["vector_id"], np.fromiter(vector_ids, np.int64))
        for place in np.flatnonzero(gone & self.facts["alive"]):
            memory_id = self.ids[place]
            self._facts[place]["alive"] = False
            self._facts[place]["session"] = self._sessions.setdefault(_NOWHERE, len(self._sessions))
            if self._places.get(memory_id) == place:
                del self._places[memory_id]
                del self._sorted_ids[bisect_left(self._sorted_ids, memory_id)]

    def _reserve(self, count: int) -> None:
        """Room for so many, and for an eighth more where there was none: most come in one go."""
        if count <= len(self._facts):
            return
        more = count + count // 8 - len(self._facts)
        self._facts = np.concatenate([self._facts, np.zeros(more, _FACTS)])
        self._vectors = np.concatenate(
            [self._vectors, np.zeros((more, self.dimension), np.float32)]
        )

    def _put_in(self, entry: Entry) -> None:
        place = self._count
        self._facts[place] = (
            entry.vector_id,
            entry.created_us,
            self._sessions.setdefault(entry.session_id, len(self._sessions)),
            self._speakers.setdefault(entry.speaker, len(self._speakers)),
            entry.words,
            entry.characters,
            entry.priority,
            entry.asks,
            True,
        )
        self._vectors[place] = entry.vector
        for lexeme in entry.lexemes:
            self._postings.setdefault(lexeme, array("I")).append(place)
        self.ids.append(entry.memory_id)
        self._places[entry.memory_id] = place
        insort(self._sorted_ids, entry.memory_id)
        self._count += 1

    def _link(self) -> None:
        """Who follows whom in the conversation."""
        facts = self.facts
        alive = self.places_of(self._sorted_ids)
        order = alive[np.lexsort((facts["created_us"][alive], facts["session"][alive]))]
        first, second = order[:-1], order[1:]
        together = facts["session"][first] == facts["session"][second]
        previous, following = np.full((2, self._count), -1, np.int64)
        previous[second[together]] = first[together]
        following[first[together]] = second[together]
        self.neighbours = Neighbours(previous, following)

    def _take_sample(self) -> None:
        """The same memories that `vectors.sample_of` takes: the first by their ids."""
        sampled = self.places_of(self._sorted_ids[:SAMPLE_SIZE])
        known = len(self._dots_with_mean)
        if not np.array_equal(sampled, self._sampled):
            self._sampled, known = sampled, 0
            self._mean = np.zeros(self.dimension, np.float32)
            if len(sampled):
                self._mean = self._vectors[sampled].mean(axis=0)
        new = _dots(self._vectors[known : self._count], self._mean)
        self._dots_with_mean = np.concatenate([self._dots_with_mean[:known], new])

    def _measure(self) -> int:
        postings = sum(len(places) * places.itemsize for places in self._postings.values())
        return (
            self._vectors.nbytes
            + self._facts.nbytes
            + len(self.ids) * _ID_BYTES
            + len(self._postings) * _WORD_BYTES
            + postings
        )


def _dots(vectors: Vectors, vector: Vectors) -> Vectors:
    """Not by `@`: a BLAS sums the last rows in another order, by which equal vectors would differ
    in their last bits, and what ties would change places when an index is read anew."""
    dots: Vectors = np.einsum("ij,j->i", vectors, vector)
    return dots

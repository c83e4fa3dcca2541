"""Ranks the questions of dialogues again and again, by other weights, without the orchestrator.

It reads what the orchestrator has stored (vectors, words, sessions) once, and ranks with its own
functions, so that hundreds of weights are tried in minutes. Called by `retrieval --holdout`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import psycopg

from memories.embedders.base import Embedder, Vectors
from memories.embedders.loading import load_embedder
from memories.embedders.options import EmbedderOptions
from memories.services.search.lexical import MAX_LEXEMES
from memories.services.search.owner_index import Entry, OwnerIndex
from memories.services.search.ranking import (
    Candidates,
    Floats,
    LexicalScale,
    lexical_scores,
    prepare,
    rank,
)
from memories.services.search.vectors import read_vector
from memories.services.search.weights import Weights

# Round numbers, coarse on purpose: what differs by less is noise.
GRID: Mapping[str, Sequence[float]] = {
    "vector": (0.4, 0.5, 0.6, 0.7, 0.8),  # `lexical` is what is left of 1
    "word_window": (0, 0.25, 0.5, 0.75, 1),
    "vector_window": (0, 0.15, 0.3, 0.5, 0.75),
    "speaker": (0, 0.15, 0.3, 0.4, 0.6),
    "question": (0, 0.05, 0.1, 0.2),
    "length": (0, 0.02, 0.05, 0.1),
    "previous": (0, 0.05, 0.15, 0.3),
    "next": (0, 0.05, 0.1, 0.2),
    "session": (0, 0.15, 0.3, 0.45),
}
# Where a search for weights begins: the recipe as published, not what was tuned on these data.
PLAIN = Weights(
    word_window=0, vector_window=0, speaker=0.15, question=0.05, previous=0.3, next=0.1, session=0.3
)
RRF_K = 60
_LEAST_GAIN = 0.001
_ROUNDS = 3


class Quality(NamedTuple):
    """Of a dialogue's questions, the means; `both` is what weights are chosen by."""

    recall_5: float
    recall_10: float
    recall_20: float
    mrr: float

    @property
    def both(self) -> float:
        return self.recall_10 + self.mrr


@dataclass(frozen=True)
class Asked:
    """A question: what ranking is given, and the places of its evidence."""

    candidates: Candidates
    scale: LexicalScale
    vector_scores: Floats
    evidence: Sequence[int]

    def quality(self, scores: Floats) -> Quality:
        ranks = [np.count_nonzero(scores > scores[place]) for place in self.evidence]
        recalls = [sum(r < cut for r in ranks) / len(ranks) for cut in (5, 10, 20)]
        return Quality(*recalls, 1 / (1 + min(ranks)))


Scorer = Callable[[Asked], Floats]


@dataclass(frozen=True)
class Dialogue:
    name: str
    asked: Sequence[Asked]

    def quality(self, score: Scorer) -> Quality:
        each = [asked.quality(score(asked)) for asked in self.asked]
        return Quality(*(mean(column) for column in zip(*each, strict=True)))


def by_weights(weights: Weights) -> Scorer:
    def score(asked: Asked) -> Floats:
        prepared = prepare(asked.candidates, asked.scale, weights)
        return rank(prepared, weights, asked.vector_scores)

    return score


def by_reciprocal_ranks(asked: Asked) -> Floats:
    """Reciprocal rank fusion (Cormack et al. 2009); what holds no word has no place among them."""
    lexical = lexical_scores(asked.candidates.mask, asked.candidates.words, asked.scale)
    fused = _reciprocal_ranks(asked.vector_scores)
    fused += np.where(lexical > 0, _reciprocal_ranks(lexical), 0)
    return fused


def _reciprocal_ranks(scores: Floats) -> Floats:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return 1 / (RRF_K + ranks)


class Lab:
    """The dialogues that have questions, and what any weights give for them."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self.dialogues = dialogues
        self._known: dict[Weights, list[Quality]] = {}

    def qualities(self, weights: Weights) -> list[Quality]:
        """Of each dialogue."""
        if weights not in self._known:
            score = by_weights(weights)
            self._known[weights] = [each.quality(score) for each in self.dialogues]
        return self._known[weights]

    def choose(self, among: Sequence[int], start: Weights = PLAIN) -> Weights:
        """The best weights on these dialogues, one coordinate after the other."""
        best, best_value = start, self._value(start, among)
        for _ in range(_ROUNDS):
            before = best
            for name, numbers in GRID.items():
                for number in numbers:
                    tried = _with(best, name, number)
                    value = self._value(tried, among)
                    if value > best_value + _LEAST_GAIN:
                        best, best_value = tried, value
            if best == before:
                break
        return best

    def _value(self, weights: Weights, among: Sequence[int]) -> float:
        """The mean over questions, not dialogues: a short one weighs less."""
        qualities = self.qualities(weights)
        counts = [len(self.dialogues[place].asked) for place in among]
        total = sum(
            qualities[place].both * count for place, count in zip(among, counts, strict=True)
        )
        return total / sum(counts)


def _with(weights: Weights, name: str, number: float) -> Weights:
    changed = {name: number} | ({"lexical": round(1 - number, 4)} if name == "vector" else {})
    return replace(weights, **changed)


def told(weights: Weights) -> str:
    """As SEARCH_WEIGHTS takes them; only what differs from the defaults."""
    default = Weights()
    return ",".join(
        f"{field.name}={getattr(weights, field.name):g}"
        for field in fields(Weights)
        if getattr(weights, field.name) != getattr(default, field.name)
    )


class Reader:
    """Reads stored dialogues from the database of an orchestrator."""

    def __init__(self, database: str, embedder: str, data_dir: Path) -> None:
        self._connection = psycopg.connect(database, autocommit=True)
        self._embedder_name = embedder
        self._data_dir = data_dir

    @cached_property
    def _embedder(self) -> Embedder:
        [[dimension]] = self._rows("SELECT dimension FROM embedding_models WHERE state = 'active'")
        options = EmbedderOptions(dimension=dimension)
        return load_embedder(self._embedder_name, self._data_dir, options)

    @cached_property
    def _language(self) -> str:
        [[language]] = self._rows("SELECT search_language FROM installation")
        return str(language)

    def close(self) -> None:
        self._connection.close()

    def dialogue(
        self, name: str, memory_ids: Sequence[str], questions: Sequence[tuple[str, Sequence[str]]]
    ) -> Dialogue:
        """`questions`: each with the ids of its evidence, at least one."""
        index = OwnerIndex(self._embedder.dimension)
        entries = list(self._entries(memory_ids))
        index.change([], entries, len(entries))
        vectors = self._embedder.embed_queries([text for text, _ in questions])
        asked = (
            self._asked(index, text, vector, evidence)
            for (text, evidence), vector in zip(questions, vectors, strict=True)
        )
        return Dialogue(name, [each for each in asked if each.evidence])

    def _asked(
        self, index: OwnerIndex, text: str, vector: Vectors, evidence: Sequence[str]
    ) -> Asked:
        lexemes = self._lexemes(text)
        masks = index.masks(lexemes)
        candidates = index.candidates(text, masks)
        scale = index.lexical_scale(masks, len(lexemes))
        scores = index.compare(vector, centred=True).scores
        return Asked(candidates, scale, scores, index.places_of(evidence).tolist())

    def _entries(self, memory_ids: Sequence[str]) -> Iterator[Entry]:
        found = self._rows(
            """
            SELECT e.id, m.id, m.session_id, (extract(epoch FROM m.created_at) * 1000000)::bigint,
                m.words, m.speaker, right(rtrim(m.text), 1) = '?', char_length(m.text), m.priority,
                tsvector_to_array(m.search), vector_send(e.embedding)
            FROM embeddings e JOIN memory_entries m
                ON m.owner_id = e.owner_id AND m.id = e.memory_id AND m.content_version = e.version
            WHERE m.id = ANY(%s) ORDER BY e.id""",
            list(memory_ids),
        )
        for *entry, vector in found:
            yield Entry(*entry, read_vector(vector))

    def _lexemes(self, text: str) -> list[str]:
        [[lexemes]] = self._rows(
            f"""
            SELECT ARRAY(SELECT l.lexeme FROM unnest(to_tsvector('{self._language}', %s)) l
                ORDER BY l.positions[1], l.lexeme LIMIT {MAX_LEXEMES})""",
            text,
        )
        return list(lexemes)

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters or None).fetchall()

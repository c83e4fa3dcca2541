"""The order of candidates, without a database: each part of the score by itself."""

from dataclasses import replace

import numpy as np
import pytest

from memories.services.search.ranking import Candidates, LexicalScale, names_speaker, prepare, rank
from memories.services.search.weights import Weights

NOTHING = Weights(**dict.fromkeys(Weights.__dataclass_fields__, 0.0))
SCALE = LexicalScale(np.array([2.0, 1.0]), 10.0, 0.5, 1.0)


def candidates(count=4, **columns):
    alike = {
        "session": np.arange(count),
        "previous": np.full(count, -1),
        "next": np.full(count, -1),
        "mask": np.zeros(count, np.int64),
        "words": np.full(count, 10.0),
        "characters": np.full(count, 50.0),
        "asks": np.zeros(count, bool),
        "named": np.zeros(count, bool),
        "priority": np.full(count, 5.0),
        "age_days": np.zeros(count),
    }
    return Candidates(**(alike | {name: np.array(values) for name, values in columns.items()}))


def scores_of(found, weights, vector_scores=None, scale=SCALE):
    scores = np.zeros(len(found.mask)) if vector_scores is None else np.array(vector_scores)
    return rank(prepare(found, scale, weights), weights, scores)


def order(found, vector_scores=None, **weights):
    scores = scores_of(found, replace(NOTHING, **weights), vector_scores)
    return list(np.argsort(-scores, kind="stable"))


@pytest.mark.parametrize(
    ("weights", "columns"),
    [
        ({"vector": 1}, {"vector_scores": [0.0, 1, 3, 2]}),
        ({"lexical": 1}, {"mask": [0, 0, 3, 1]}),
        ({"lexical": 1}, {"mask": [1, 1, 1, 1], "words": [30.0, 20, 5, 10]}),
        ({"lexical": 1}, {"mask": [0, 0, 1, 2]}),  # the first lexeme weighs more
        ({"speaker": 1}, {"named": [False, False, True, False]}),
        ({"question": 1}, {"asks": [True, True, False, True]}),
        ({"length": 1}, {"characters": [10.0, 20, 400, 30]}),
        ({"recency": 1}, {"age_days": [90.0, 60, 1, 30]}),
        ({"priority": 1}, {"priority": [1.0, 2, 10, 3]}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_each_weight_lifts_what_it_is_about_and_0_switches_it_off(weights, columns):
    columns = dict(columns)
    vector_scores = columns.pop("vector_scores", None)
    found = candidates(**columns)
    assert order(found, vector_scores, **weights)[0] == 2
    assert order(found, vector_scores) == [0, 1, 2, 3]


def test_neighbours_lend_of_their_score():
    """Turns 0, 1, 2 of one conversation, of which 1 fits best; 3 is alone and fits a little."""
    found = candidates(
        session=[0, 0, 0, 1],
        previous=[-1, 0, 1, -1],
        next=[1, 2, -1, -1],
    )
    fits = [0.0, 4, 0, 0.5]
    assert order(found, fits, vector=1)[:2] == [1, 3]
    assert order(found, fits, vector=1, previous=0.5)[:2] == [1, 2]
    assert order(found, fits, vector=1, next=0.5)[:2] == [1, 0]
    assert order(found, fits, vector=1, session=0.5) == [1, 0, 2, 3]


@pytest.mark.parametrize(
    ("kind", "masks", "vector_scores"),
    [
        ("word", [1, 2, 1, 0], [0.0, 0, 0, 0]),
        ("vector", [0, 0, 0, 0], [1.0, 2, 1, 0]),
    ],
)
def test_what_neighbours_hold_counts_by_the_window(kind, masks, vector_scores):
    """Turns 0 and 1 belong together, and so do 2 and 3; 0 and 2 by themselves are alike."""
    found = candidates(
        session=[0, 0, 1, 1], previous=[-1, 0, -1, 2], next=[1, -1, 3, -1], mask=masks
    )
    own = {"vector": 1} if kind == "vector" else {"lexical": 1}
    without = scores_of(found, replace(NOTHING, **own), vector_scores)
    windowed = replace(NOTHING, **own, **{f"{kind}_window": 1})
    scores = scores_of(found, windowed, vector_scores)
    assert without[0] == without[2]
    assert scores[0] > scores[2]


def test_the_best_by_words_and_meaning_is_1_and_nothing_is_below_0():
    scores = scores_of(candidates(), replace(NOTHING, vector=1), [-9.0, -1, 2, 5])
    assert scores.max() == pytest.approx(1)
    assert scores.min() == 0


@pytest.mark.parametrize("deviation", [0.0, 1.0])
def test_a_query_without_words_and_an_owner_without_spread_are_no_trouble(deviation):
    scale = LexicalScale(np.array([]), 1.0, 0.0, deviation)
    scores = scores_of(candidates(), Weights(), scale=scale)
    assert np.isfinite(scores).all()
    assert scale.shares(np.zeros(2, np.int64)).tolist() == [0, 0]


def test_no_candidates_no_scores():
    assert scores_of(candidates(0), Weights()).tolist() == []


def test_63_lexemes_are_told_apart():
    scale = LexicalScale(np.arange(1.0, 64), 10.0, 0.0, 1.0)
    masks = np.array([1 << 62, 1 << 61, (1 << 63) - 1], np.int64)
    assert scale.shares(masks) == pytest.approx(np.array([63, 62, 2016]) / 2016)


@pytest.mark.parametrize(
    ("query", "speaker", "named"),
    [
        ("What did Ann say?", "Ann", True),
        ("what did ann say?", "Ann", True),
        ("Ann's dog", "Ann", True),
        ("the annual report", "Ann", False),
        ("Joanna", "Ann", False),
        ("Was sagte Jürgen?", "Jürgen", True),
        ("a + b (c)", "(c)", True),
        ("anything", "", False),
    ],
)
def test_a_speaker_is_named_by_the_whole_name(query, speaker, named):
    assert names_speaker(query, speaker) is named

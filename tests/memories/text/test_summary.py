# ruff: noqa: RUF001 (texts in many scripts)
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memories.text.sentences import split_sentences
from memories.text.summary import summarize_turns
from memories.text.turns import MAX_CHARACTERS, Turn
from tests.memories.text.conversations import ENGLISH, EXPECTATIONS, MEETING, read_turns

ODD_TEXTS = [
    "\u202eשלום עולם\u202c مرحبا بالعالم",
    "😀" * 500,
    "ไม่มีช่องว่างระหว่างคำในภาษาไทย" * 40,
    "no end marks " * 300,
    "x" * 5000,
    "\x00\ufffd\ud800 the and of it is",
    "? ! … 。",
]


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_facts_and_decisions_stay_and_small_talk_goes(name):
    lines, max_sentences, kept, dropped = EXPECTATIONS[name]
    summary = summarize_turns(read_turns(lines), max_sentences)
    assert [word for word in kept if word not in summary] == []
    assert [word for word in dropped if word in summary] == []


def test_lines_name_their_speakers_in_the_order_of_the_conversation():
    turns = read_turns(ENGLISH)
    lines = summarize_turns(turns, 6).splitlines()
    sources = [next(i for i, turn in enumerate(turns) if _is_from(line, turn)) for line in lines]
    assert sources == sorted(set(sources))


def _is_from(line: str, turn: Turn) -> bool:
    speaker, _, said = line.partition(": ")
    return speaker == turn.speaker and all(s in turn.text for s in split_sentences(said))


def test_turns_without_speakers_stand_alone():
    for line in summarize_turns(read_turns(MEETING), 4).splitlines():
        assert line in MEETING


def test_what_was_said_twice_is_told_once():
    fact = "The spare key lies under the blue flower pot behind the garage."
    others = ["The plumber comes on Friday at ten.", "Mia starts school in Hamburg in August."]
    turns = [Turn(text) for text in [fact, others[0], fact, others[1], fact]]
    assert summarize_turns(turns, 3).count("spare key") == 1


def test_a_short_answer_keeps_its_question():
    turns = read_turns(
        "Tom: Hi!\nTom: When does the recycling centre close on weekdays?\nAssistant: At six."
    )
    summary = summarize_turns([*turns, Turn("Okay."), Turn("Bye!")], 2)
    assert "recycling centre" in summary
    assert "Assistant: At six." in summary


def test_days_are_named_where_there_are_several():
    first, second = datetime(2026, 1, 30, 9, tzinfo=UTC), datetime(2026, 1, 31, 9, tzinfo=UTC)
    turns = [
        Turn("Yesterday the boiler broke down.", "Anna", first),
        Turn("The repair costs 300 euros.", "Tom", first),
        Turn("Today the new boiler was installed by Nordtherm.", "Anna", second),
    ]
    assert summarize_turns(turns).splitlines() == [
        "[2026-01-30] Anna: Yesterday the boiler broke down.",
        "Tom: The repair costs 300 euros.",
        "[2026-01-31] Anna: Today the new boiler was installed by Nordtherm.",
    ]


def test_vectors_tell_what_is_alike_where_words_do_not():
    turns = [
        Turn("Our puppy chewed the sofa cushion."),
        Turn("The young dog destroyed some furniture."),
        Turn("The ferry to Gotland leaves early."),
    ]
    same, other = [1.0, 0.0], [0.0, 1.0]
    summary = summarize_turns(turns, 2, vectors=np.array([same, same, other]))
    assert "Gotland" in summary
    assert len(summary.splitlines()) == 2


@pytest.mark.parametrize("vectors", [[[1.0, 2.0]], [1.0, 2.0], [[], [], []]])
def test_vectors_must_match_the_turns(vectors):
    with pytest.raises(ValueError, match="2 turns need 2 rows"):
        summarize_turns([Turn("One thing."), Turn("Another thing.")], vectors=vectors)


def test_vectors_without_a_direction_do_no_harm():
    turns = read_turns(MEETING)
    vectors = np.zeros((len(turns), 4))
    vectors[1:4] = [[np.nan] * 4, [np.inf] * 4, [1e300] * 4]
    assert "decided" in summarize_turns(turns, 4, vectors=vectors)


@pytest.mark.parametrize("turns", [[], [Turn("")], [Turn(" \n", "Anna"), Turn("\u3000")]])
def test_no_text_has_no_summary(turns):
    assert summarize_turns(turns) == ""


def test_one_turn_comes_back_as_it_is_or_cut():
    assert summarize_turns([Turn("Buy milk\nCall mum")]) == "Buy milk\nCall mum"
    assert summarize_turns([Turn("Hello!", "Anna")]) == "Anna: Hello!"
    assert (
        summarize_turns([Turn("The one long thing to say")], max_characters=14) == "The one long…"
    )


def test_greetings_alone_still_give_something():
    assert summarize_turns([Turn("Hello!", "Anna"), Turn("Hi!", "Tom")]) == "Anna: Hello!"


@pytest.mark.parametrize("bounds", [{"max_sentences": 0}, {"max_characters": 0}])
def test_bounds_that_hold_nothing_are_refused(bounds):
    with pytest.raises(ValueError, match="at least 1"):
        summarize_turns([Turn("text")], **bounds)


def test_the_last_turns_of_a_huge_conversation_are_read():
    chat = [Turn(f"Okay, well, number {n}.") for n in range(20_000)]
    last = Turn("We decided to sell the house in Lisbon to the Pereira family in September.")
    assert last.text in summarize_turns([*chat, last], 3)


def test_a_turn_longer_than_the_bound_leaves_the_others_whole():
    long = Turn("blah " * (MAX_CHARACTERS // 2))
    short = Turn("The alarm code of the holiday flat in Malaga was changed to 4821.")
    assert short.text in summarize_turns([long, short], 3)


@pytest.mark.parametrize("unit", ["a. ", "字。", "… ", "?", "ab1 "], ids=ascii)
def test_no_text_takes_long(unit):
    turns = [Turn(unit * (MAX_CHARACTERS // 4 // len(unit)))] * 8
    started = time.process_time()
    summarize_turns(turns)
    assert time.process_time() - started < 10  # quadratic, it would be minutes


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_odd_text_is_summarized_like_any_other(text):
    turns = [Turn(text, "Anna"), *read_turns(MEETING)]
    assert "Nordtherm" in summarize_turns(turns, 6, max_characters=2_000)


TEXTS = st.one_of(st.text(), st.text(alphabet="aAb1 .?!\n字。é"), st.sampled_from(ODD_TEXTS))
TURNS = st.lists(
    st.builds(Turn, TEXTS, st.text(max_size=5), st.none() | st.datetimes()), max_size=12
)


@settings(deadline=None)
@given(TURNS, st.integers(1, 6), st.integers(1, 300))
def test_never_fails_keeps_its_bounds_and_says_the_same_again(turns, max_sentences, max_characters):
    summary = summarize_turns(turns, max_sentences, max_characters)
    assert len(summary) <= max_characters
    assert len(summary.splitlines()) <= max_sentences or len(turns) == 1
    assert bool(summary) == any(turn.text.strip() for turn in turns)
    assert summary == summarize_turns(turns, max_sentences, max_characters)


@settings(deadline=None)
@given(TURNS, st.data())
def test_never_fails_with_any_vectors(turns, data):
    rows = st.lists(st.floats(), min_size=3, max_size=3)
    vectors = data.draw(st.lists(rows, min_size=len(turns), max_size=len(turns)))
    assert len(summarize_turns(turns, 3, 100, vectors)) <= 100

"""An extractive summary of a conversation: its own sentences, those that say most, in their order.
Called by the services that summarize; needs no language model and no network.

Three steps: turns to sentences (reading.py), the choice (ranking.py), and here the lines.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from memories.text.cutting import cut_text
from memories.text.ranking import choose_sentences
from memories.text.reading import Sentence, read_sentences, weigh_sentences
from memories.text.terms import Floats
from memories.text.turns import MAX_TURNS, Turn, pick_evenly, shorten_turns

DEFAULT_MAX_SENTENCES = 8
DEFAULT_MAX_CHARACTERS = 1_500
_LONGEST_SPEAKER_CHARACTERS = 64


def summarize_turns(
    turns: Sequence[Turn],
    max_sentences: int = DEFAULT_MAX_SENTENCES,
    max_characters: int = DEFAULT_MAX_CHARACTERS,
    vectors: npt.ArrayLike | None = None,
) -> str:
    """Lines `speaker: sentences`, one a turn, of at most `max_characters` in all; "" for no text.
    One turn that fits comes back as it is.

    `vectors`: one row of numbers a turn; they then say how near turns are. Where the turns are of
    several days, the first line of each day begins with its date. Of more than MAX_TURNS turns an
    even choice is read; of more than MAX_CHARACTERS (turns.py) the longest turns lose their ends.
    Raises ValueError for a bound below 1 and for vectors that do not match the turns.
    """
    if max_sentences < 1 or max_characters < 1:
        raise ValueError("max_sentences and max_characters must be at least 1.")
    if not turns:
        return ""
    rows = None if vectors is None else _unit_rows(vectors, len(turns))
    read = pick_evenly(range(len(turns)), MAX_TURNS)
    turns = shorten_turns([turns[index] for index in read])
    sentences = read_sentences(turns)
    if not sentences:
        return ""
    costs = [min(cost, max_characters) for cost in _line_lengths(turns, sentences)]
    if sentences[0].turn == sentences[-1].turn and _fit(costs, max_sentences, max_characters):
        only = turns[sentences[0].turn]
        return cut_text(_introduce(only) + only.text.strip(), max_characters)
    candidates = weigh_sentences(sentences, costs, None if rows is None else rows[read])
    chosen = choose_sentences(candidates, max_sentences, max_characters) or [0]
    return cut_text(_write_lines(turns, [sentences[index] for index in chosen]), max_characters)


def _fit(costs: Sequence[int], max_sentences: int, max_characters: int) -> bool:
    return len(costs) <= max_sentences and sum(costs) <= max_characters


def _line_lengths(turns: Sequence[Turn], sentences: Iterable[Sentence]) -> Iterator[int]:
    """What each sentence takes at most: itself, a separator, its speaker and its date."""
    day_length = len("[2026-01-31] ") if _are_of_several_days(turns) else 0
    for sentence in sentences:
        yield len(sentence.text) + 2 + len(_introduce(turns[sentence.turn])) + day_length


def _write_lines(turns: Sequence[Turn], sentences: Iterable[Sentence]) -> str:
    lines = []
    shows_days, shown_day = _are_of_several_days(turns), None
    for index, spoken in groupby(sentences, key=lambda sentence: sentence.turn):
        turn = turns[index]
        line = _introduce(turn) + _join([sentence.text for sentence in spoken])
        if shows_days and turn.created_at and turn.created_at.date() != shown_day:
            shown_day = turn.created_at.date()
            line = f"[{shown_day}] {line}"
        lines.append(line)
    return "\n".join(lines)


def _are_of_several_days(turns: Iterable[Turn]) -> bool:
    return len({turn.created_at.date() for turn in turns if turn.created_at}) > 1


def _introduce(turn: Turn) -> str:
    speaker = " ".join(turn.speaker.split())[:_LONGEST_SPEAKER_CHARACTERS]
    return f"{speaker}: " if speaker else ""


def _join(texts: Sequence[str]) -> str:
    """One line; a text without an end mark gets a semicolon before the next."""
    ended = [f"{text};" if text[-1].isalnum() else text for text in texts[:-1]]
    return " ".join([*ended, texts[-1]])


def _unit_rows(vectors: npt.ArrayLike, count: int) -> Floats:
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != count:
        raise ValueError(f"vectors has shape {rows.shape}; {count} turns need {count} rows.")
    rows = np.nan_to_num(rows, posinf=0.0, neginf=0.0)
    rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0.0), 1e-300)
    lengths = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    unit: Floats = rows / np.maximum(lengths, 1e-9)
    return unit

"""What a conversation is made of, and how one that is too long is thinned. The summary and its
callers use it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import numpy as np

MAX_TURNS = 5_000
MAX_CHARACTERS = 524_288

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    text: str
    speaker: str = ""
    created_at: datetime | None = None


def pick_evenly(items: Sequence[T], count: int) -> Sequence[T]:
    """At most `count` of `items`, spread evenly, the first and the last among them."""
    if len(items) <= count:
        return items
    return [items[index] for index in np.linspace(0, len(items) - 1, count, dtype=int)]


def shorten_turns(turns: Sequence[Turn], max_characters: int = MAX_CHARACTERS) -> list[Turn]:
    """The turns, of which the longest lose their ends until all fit: short ones stay whole."""
    lengths = np.array([len(turn.text) for turn in turns], dtype=np.int64)
    if lengths.sum() <= max_characters:
        return list(turns)
    longest = bisect_right(
        range(max_characters), max_characters, key=lambda cap: int(np.minimum(lengths, cap).sum())
    )
    return [
        replace(turn, text=turn.text[: longest - 1]) if len(turn.text) >= longest else turn
        for turn in turns
    ]

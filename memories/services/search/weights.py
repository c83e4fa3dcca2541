"""The weights of a hybrid search. Called by ranking; the settings name those that differ.

Each is small, documented and switched off by 0. Scores are in units of a search's best (1.0).
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    vector: float = 0.6  # of the vector score, in standard deviations from the owner's usual
    lexical: float = 0.4  # of the words' score, likewise
    word_window: float = 0.75  # words that the turns around hold, against the memory's own
    vector_window: float = 0.3  # vector scores of the turns around, against the memory's own
    speaker: float = 0.4  # added where the query names who spoke
    question: float = 0.1  # taken off a turn that asks: answers are looked for
    length: float = 0.02  # added for longer texts, which say more
    previous: float = 0.15  # share of the score of the turn before
    next: float = 0.05  # share of the score of the turn after
    session: float = 0.3  # share of the score of the session's best turn
    recency: float = 0.02  # added to what is new, halved every 30 days
    priority: float = 0.02  # added at priority 10, taken off at priority 1


def read_weights(text: str) -> Weights:
    """From `name=number,name=number`. Raises ValueError, with what is wrong and what would do."""
    return Weights(**dict(_read_weight(item) for item in text.split(",") if item.strip()))


def _read_weight(item: str) -> tuple[str, float]:
    name, _, number = (part.strip() for part in item.partition("="))
    if name not in Weights.__dataclass_fields__:
        known = ", ".join(Weights.__dataclass_fields__)
        raise ValueError(f"names {name!r}, which is no weight; the names are {known}")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise ValueError(f"gives {name} the weight {number!r}; write a number, as in {name}=0.1")
    return name, weight

"""The weights of a hybrid search. Called by ranking; the settings name those that differ.

Each is small, documented and switched off by 0. Scores are in units of a search's best (1.0).
"""

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

"""Long texts: where they are cut, and how the vectors of their parts become one.

Used by the embedders whose model has a window.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from memories.embedders.base import Vectors, unit_rows
from memories.embedders.options import MAX_PARTS

Spans: TypeAlias = Sequence[tuple[int, int]]  # start and end of each token, in characters


# Beyond this many characters for each token that can be used, a text is not even tokenised.
_CHARACTERS_A_TOKEN = 16
# A cut before this share of the window would waste more of it than a sentence is worth.
_LEAST_FILL = 0.25
_CLOSING = "\"'”’»)]"  # noqa: RUF001 - typographic quotes close sentences as well
_WIDE_ENDS = "。！？"  # noqa: RUF001 - full-width marks end sentences without a space
_ENDS = ".!?…"

# For models whose tokenizer is not at hand: single ideographs and kana, three letters, one sign.
_ESTIMATED_TOKEN = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|\w{1,3}|[^\w\s]")


def split_text(
    text: str,
    max_tokens: int,
    token_spans: Callable[[str], Spans],
    max_parts: int = MAX_PARTS,
) -> list[str]:
    """At least one part; each has at most `max_tokens` tokens and ends with a sentence where it
    can, else with a word, else with a token. What comes after `max_parts` parts is left out."""
    text = embeddable(text)[: max_parts * max_tokens * _CHARACTERS_A_TOKEN]
    if len(text.encode()) <= max_tokens:
        return [text]  # no tokenizer makes two tokens of a byte
    spans = token_spans(text)
    if len(spans) <= max_tokens:
        return [text]
    parts: list[str] = []
    first = 0
    while first < len(spans) and len(parts) < max_parts:
        last = min(first + max_tokens, len(spans))
        if last < len(spans):
            last = _best_cut(text, spans, first, last)
        parts.append(text[spans[first][0] : spans[last - 1][1]])
        first = last
    return parts


def first_part(text: str, max_tokens: int, token_spans: Callable[[str], Spans]) -> str:
    return split_text(text, max_tokens, token_spans, max_parts=1)[0]


def embeddable(text: str) -> str:
    """Without what tokenizers cannot take: lone surrogates and U+0000."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def estimated_spans(text: str) -> Spans:
    """Tokens of a usual subword tokenizer, rather too many than too few."""
    return [match.span() for match in _ESTIMATED_TOKEN.finditer(text)]


def embed_in_parts(
    texts: Sequence[str],
    split: Callable[[str], list[str]],
    embed: Callable[[list[str]], Vectors],
) -> Vectors:
    """One vector a text: the mean of its parts' vectors, weighted by their length in characters."""
    parts_of_texts = [split(text) for text in texts]
    parts = [part for parts_of_text in parts_of_texts for part in parts_of_text]
    vectors = embed(parts)
    if len(parts) == len(texts):
        return vectors
    weights = np.array([[max(len(part), 1)] for part in parts], dtype=np.float32)
    starts = np.cumsum([0] + [len(parts_of_text) for parts_of_text in parts_of_texts[:-1]])
    return unit_rows(np.add.reduceat(vectors * weights, starts, axis=0))


def _best_cut(text: str, spans: Spans, first: int, last: int) -> int:
    """The token before which to cut, at most `last`."""
    earliest = first + max(1, int((last - first) * _LEAST_FILL))
    candidates = range(last, earliest - 1, -1)
    for cut in candidates:
        if _ends_sentence(text, spans[cut - 1][1], spans[cut][0]):
            return cut
    for cut in candidates:
        if spans[cut - 1][1] < spans[cut][0]:
            return cut
    return last


def _ends_sentence(text: str, token_end: int, next_start: int) -> bool:
    mark = text[max(0, token_end - 4) : token_end].rstrip(_CLOSING)[-1:]
    if not mark:
        return False
    gap = text[token_end:next_start]
    return "\n" in gap or mark in _WIDE_ENDS or (mark in _ENDS and gap != "")

"""What differs between two versions of a memory, as a person reads it. Called by the history."""

import difflib
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

# Of longer ones the beginnings are compared, and this is said.
MAX_CHARACTERS = 8_000
# Pairs of places that hold the same token: beyond it a comparison takes a good part of a second.
_MOST_PAIRS = 60_000
_PAGE_SECONDS = 0.5
_CONTEXT_CHARACTERS = 80
_ALIKE = 0.6
Opcodes = list[tuple[str, int, int, int, int]]
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


class Piece(NamedTuple):
    """A stretch of text that both have, that only the earlier one has, or only the later one."""

    kind: Literal["same", "gone", "new"]
    text: str


class Patience:
    """What all comparisons of a page may cost together. Where it is over, or one alone would take
    long, all is said to be gone and all to be new."""

    def __init__(self, seconds: float = _PAGE_SECONDS) -> None:
        self._left_seconds = seconds

    def compare(self, before: Sequence[str], after: Sequence[str], alike: float) -> Opcodes | None:
        """None where they are not compared, or less alike than that."""
        began = time.thread_time()
        try:
            return None if self._left_seconds <= 0 else _compare(before, after, alike)
        finally:
            self._left_seconds -= time.thread_time() - began


def _compare(before: Sequence[str], after: Sequence[str], alike: float) -> Opcodes | None:
    """What both begin and end with is set apart: in long texts difflib leaves out what is frequent,
    and would find the rest of one changed word anywhere."""
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    earlier, later = before[head : len(before) - tail], after[head : len(after) - tail]
    if _count_pairs(earlier, later) > _MOST_PAIRS:
        return None
    opcodes = difflib.SequenceMatcher(None, earlier, later).get_opcodes()
    same = head + tail + sum(b - a for what, a, b, _, _ in opcodes if what == "equal")
    if 2 * same < alike * (len(before) + len(after)):
        return None
    middle = [(what, a + head, b + head, c + head, d + head) for what, a, b, c, d in opcodes]
    ends = (len(before) - tail, len(before), len(after) - tail, len(after))
    return [("equal", 0, head, 0, head), *middle, ("equal", *ends)]


def difference(before: str, after: str, patience: Patience | None = None) -> list[Piece]:
    """Line by line, and word by word where lines are alike; long stretches that both have are cut
    in their middle. `patience`: of the page."""
    patience = patience or Patience()
    pieces = list(_joined(_by_lines(before, after, patience)))
    last = len(pieces) - 1
    return [
        piece._replace(text=_shortened(piece.text, place == 0, place == last))
        if piece.kind == "same"
        else piece
        for place, piece in enumerate(pieces)
    ]


def _by_lines(before: str, after: str, patience: Patience) -> Iterator[Piece]:
    earlier, later = before.splitlines(True), after.splitlines(True)
    opcodes = patience.compare(earlier, later, 0.0)
    if opcodes is None:
        yield from _by_words(before, after, patience)
        return
    for what, a, b, c, d in opcodes:
        gone, new = "".join(earlier[a:b]), "".join(later[c:d])
        if what == "equal":
            yield Piece("same", gone)
        elif what == "replace":
            yield from _by_words(gone, new, patience)
        else:
            yield from _replaced(gone, new)


def _by_words(before: str, after: str, patience: Patience) -> Iterator[Piece]:
    """Of lines that share little, all is said to be gone and all to be new: a word here and there
    that both have tells nothing."""
    earlier, later = _TOKEN.findall(before), _TOKEN.findall(after)
    opcodes = patience.compare(earlier, later, _ALIKE)
    if opcodes is None:
        yield from _replaced(before, after)
        return
    for what, a, b, c, d in opcodes:
        gone, new = "".join(earlier[a:b]), "".join(later[c:d])
        yield from [Piece("same", gone)] if what == "equal" else _replaced(gone, new)


def _count_pairs(before: Sequence[str], after: Sequence[str]) -> int:
    """Without the tokens that difflib itself leaves out, since they are everywhere."""
    earlier, later = Counter(before), Counter(after)
    everywhere = len(after) // 100 + 1 if len(after) >= 200 else len(after)
    return sum(
        count * later[token] for token, count in earlier.items() if later[token] <= everywhere
    )


def _replaced(gone: str, new: str) -> Iterator[Piece]:
    if gone:
        yield Piece("gone", gone)
    if new:
        yield Piece("new", new)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece, and none that is empty."""
    pieces = (piece for piece in pieces if piece.text)
    for kind, group in groupby(pieces, key=lambda piece: piece.kind):
        yield Piece(kind, "".join(piece.text for piece in group))


def _shortened(text: str, is_first: bool, is_last: bool) -> str:
    if len(text) <= 2 * _CONTEXT_CHARACTERS + 3:
        return text
    head = "" if is_first else text[:_CONTEXT_CHARACTERS]
    tail = "" if is_last else text[-_CONTEXT_CHARACTERS:]
    return f"{head} … {tail}"

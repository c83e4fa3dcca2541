"""What differs between two versions of a memory, as a person reads it. Called by the history."""

import difflib
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal, NamedTuple

# Beyond it the comparison would take seconds; what is said is then that it is cut.
MAX_CHARACTERS = 8_000
_CONTEXT_CHARACTERS = 80
_ALIKE = 0.6
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


class Piece(NamedTuple):
    """A stretch of text that both have, that only the earlier one has, or only the later one."""

    kind: Literal["same", "gone", "new"]
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """Line by line, and word by word where lines are alike; long stretches that both have are cut
    in their middle."""
    pieces = list(_joined(_by_lines(before.splitlines(True), after.splitlines(True))))
    last = len(pieces) - 1
    return [
        piece._replace(text=_shortened(piece.text, place == 0, place == last))
        if piece.kind == "same"
        else piece
        for place, piece in enumerate(pieces)
    ]


def _by_lines(before: list[str], after: list[str]) -> Iterator[Piece]:
    matcher = difflib.SequenceMatcher(None, before, after)
    for what, a, b, c, d in matcher.get_opcodes():
        gone, new = "".join(before[a:b]), "".join(after[c:d])
        if what == "equal":
            yield Piece("same", gone)
        elif what == "replace":
            yield from _by_words(gone, new)
        else:
            yield from _replaced(gone, new)


def _by_words(before: str, after: str) -> Iterator[Piece]:
    """Of lines that share little, all is said to be gone and all to be new: a word here and there
    that both have tells nothing."""
    earlier, later = _TOKEN.findall(before), _TOKEN.findall(after)
    matcher = difflib.SequenceMatcher(None, earlier, later)
    if matcher.ratio() < _ALIKE:
        yield from _replaced(before, after)
        return
    for what, a, b, c, d in matcher.get_opcodes():
        gone, new = "".join(earlier[a:b]), "".join(later[c:d])
        yield from [Piece("same", gone)] if what == "equal" else _replaced(gone, new)


def _replaced(gone: str, new: str) -> Iterator[Piece]:
    if gone:
        yield Piece("gone", gone)
    if new:
        yield Piece("new", new)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece."""
    for kind, group in groupby(pieces, key=lambda piece: piece.kind):
        yield Piece(kind, "".join(piece.text for piece in group))


def _shortened(text: str, is_first: bool, is_last: bool) -> str:
    if len(text) <= 2 * _CONTEXT_CHARACTERS + 3:
        return text
    head = "" if is_first else text[:_CONTEXT_CHARACTERS]
    tail = "" if is_last else text[-_CONTEXT_CHARACTERS:]
    return f"{head} … {tail}"

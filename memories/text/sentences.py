# ruff: noqa: RUF001 (end marks of many scripts)
"""Where sentences end, in any script and without knowing the language. The summary and the cutting
of texts call it.

In spirit the rules of Unicode's UAX #29, section 5, narrowed by lists of abbreviations. The time
grows with the length of the text alone, whatever it holds.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from memories.text.words import AFTER_ORDINALS, BEFORE_NUMBERS, NEVER_FINAL, SOMETIMES_FINAL

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# A run of end marks, what closes after it, and the space that follows. Possessive: a run that does
# not end a sentence is never read twice, or a megabyte of dots would take hours.
_END_MARKS = re.compile(
    r"""([.!?…‽؟۔।॥።፧։。！？｡．]++)["'”’»›)\]}」』）】〉》]*+(\s++|$)?""",
)
_NEED_NO_SPACE = frozenset("。！？｡")
_OPENERS = "\"'“„«»([’"
_WORD = re.compile(r"\w+")
_LOOK_AROUND_CHARACTERS = 20


def split_sentences(text: str) -> list[str]:
    """The sentences of `text` in order, stripped, none empty. A line break always ends one."""
    parts = (text[start:end].strip() for start, end in pairwise([0, *find_sentence_ends(text)]))
    return [part for part in parts if part]


def find_sentence_ends(text: str) -> Iterator[int]:
    """Offsets behind each sentence; the space that follows belongs to this one or the next."""
    is_caseless = text == text.lower()  # typed or heard without capitals: a small letter says less
    for found in _LINE.finditer(text):
        for end in _find_ends_in_line(found[0], is_caseless):
            yield found.start() + end
        yield found.end()


def _find_ends_in_line(line: str, is_caseless: bool) -> Iterator[int]:
    start = 0
    for match in _END_MARKS.finditer(line):
        if _ends_sentence(line, start, match, is_caseless):
            start = match.end()
            yield start


def _ends_sentence(line: str, start: int, match: re.Match[str], is_caseless: bool) -> bool:
    marks = match[1]
    if match[2] is None:  # no space follows: "3.50" and "example.com", but also "です。次"
        return marks[-1] in _NEED_NO_SPACE
    end = match.end()
    following = _WORD.search(line, end, end + _LOOK_AROUND_CHARACTERS)
    if following is None:
        return True
    is_quoted = match.end(1) < match.start(2)
    if marks == "." and not is_quoted:
        before = line[max(start, match.start() - _LOOK_AROUND_CHARACTERS) : match.start()]
        return _dot_ends_sentence(before.strip(), following[0], is_caseless)
    is_sure = marks[-1] not in ".…" and not is_quoted
    return is_sure or not following[0][0].islower()


def _dot_ends_sentence(before: str, following: str, is_caseless: bool) -> bool:
    """Claim that a lone dot between the text `before` and the word `following` is a full stop."""
    word = before.rpartition(" ")[2].lstrip(_OPENERS)
    lowered = word.lower()
    if lowered in NEVER_FINAL or (len(word) == 1 and word.isupper() and word != "I"):
        return False
    if following[0].isdigit() and lowered in BEFORE_NUMBERS:
        return False
    if lowered in SOMETIMES_FINAL or _has_inner_dots(word):
        return following[0].isupper()
    if word.isdigit() and (word == before or following.lower() in AFTER_ORDINALS):
        return False  # the number of a list ("1. Milk") or an ordinal ("am 3. Mai")
    return is_caseless or not following[0].islower()


def _has_inner_dots(word: str) -> bool:
    """Claim that `word` is short for several: "p.m", "U.S"."""
    return "." in word and word.replace(".", "").isalpha()

"""Shortens a text for a reader: the summary, prompts and lists call it."""

import unicodedata

from memories.text.sentences import find_sentence_ends

ELLIPSIS = "…"
_LOOK_AHEAD_CHARACTERS = 24
_JOINER = "\u200d"
_LONGEST_GRAPHEME_CHARACTERS = 32


def cut_text(text: str, max_characters: int) -> str:
    """`text`, stripped, in at most `max_characters`; where it was cut, an ellipsis says so.

    Cuts behind a sentence or else a word where that keeps at least half, else between graphemes.
    Raises ValueError for a `max_characters` below 1.
    """
    if max_characters < 1:
        raise ValueError(f"max_characters is {max_characters}; it must be at least 1.")
    text = text.strip()
    if len(text) <= max_characters:
        return text
    half = max_characters // 2
    if (end := _last_sentence_end(text, max_characters - 2)) > half:
        return f"{text[:end]} {ELLIPSIS}"
    if (end := _last_word_end(text, max_characters - 1)) > half:
        return text[:end] + ELLIPSIS
    return text[: _grapheme_end(text, max_characters - 1)] + ELLIPSIS


def split_at_words(text: str, max_characters: int) -> list[str]:
    """Pieces of at most `max_characters`, stripped, cut between words where there are any."""
    pieces = []
    while len(text) > max_characters:
        head = text[: max_characters + 1]
        end = _last_word_end(head, max_characters) or _grapheme_end(head, max_characters)
        pieces.append(text[:end].strip())
        text = text[end:]
    return [piece for piece in [*pieces, text.strip()] if piece]


def _last_sentence_end(text: str, limit: int) -> int:
    last = 0
    for end in find_sentence_ends(text[: limit + _LOOK_AHEAD_CHARACTERS]):
        stripped = len(text[last:end].rstrip()) + last
        if stripped > limit:
            break
        last = stripped
    return last


def _last_word_end(text: str, limit: int) -> int:
    for end in range(limit, limit // 2, -1):
        if text[end].isspace() and not text[end - 1].isspace():
            return end
    return 0


def _grapheme_end(text: str, limit: int) -> int:
    """The last boundary at or before `limit`; `limit` itself where a grapheme is absurdly long."""
    for end in range(limit, max(0, limit - _LONGEST_GRAPHEME_CHARACTERS), -1):
        if not _joins(text, end):
            return end
    return limit


def _joins(text: str, index: int) -> bool:
    """Claim that the character at `index` belongs to the one before it: UAX #29, the usual."""
    character = text[index]
    if character == _JOINER or text[index - 1] == _JOINER:
        return True
    if unicodedata.category(character).startswith("M") or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True  # an accent or vowel sign, a variation selector, a skin tone
    if "\u1160" <= character <= "\u11ff" or "\U000e0020" <= character <= "\U000e007f":
        return True  # the rest of a Hangul syllable; a tag of a flag
    return _is_flag_letter(character) and _flag_letters_before(text, index) % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_letters_before(text: str, index: int) -> int:
    count = 0
    while count < index and _is_flag_letter(text[index - 1 - count]):
        count += 1
    return count

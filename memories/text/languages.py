"""Guesses what language a text is in, so that its words can be stemmed. terms.py calls it."""

from collections.abc import Sequence

from memories.text.words import FUNCTION_WORDS

_LEAST_WORDS = 3
_LEAST_SHARE = 0.1


def guess_language(words: Sequence[str]) -> str | None:
    """Snowball's name of the language whose commonest words are most often among `words` (small
    letters); None where too few are of any that words.toml knows."""
    counts = {
        language: sum(word in common for word in words)
        for language, common in FUNCTION_WORDS.items()
    }
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] >= max(_LEAST_WORDS, _LEAST_SHARE * len(words)) else None

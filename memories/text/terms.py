"""The terms of sentences: stems, where the language is known. The summary calls it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import Stemmer  # type: ignore[import-not-found]

from memories.text.languages import guess_language
from memories.text.words import FILLERS, FUNCTION_WORDS, TELLING_BEGINNINGS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]

# Vowel signs and accents of scripts whose words `\w` alone would tear apart.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0970-\u0dff\u0e00-\u0eff"
)
_WORD = re.compile(rf"[\w{_MARKS}]+")
# Scripts that put no space between words: pairs of characters stand for them.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_HIRAGANA_PAIR = re.compile("[\u3040-\u309f]{1,2}")  # the grammar of Japanese, not its matter
_WORDS_TO_GUESS_BY = 2000
_LONGEST_WORD_CHARACTERS = 32


def extract_terms(texts: Sequence[str]) -> tuple[list[list[int]], frozenset[int]]:
    """For each text the numbers of its terms, without the words that say nothing; and which of
    these numbers mark what people want to be reminded of."""
    words = [_WORD.findall(text.lower()) for text in texts]
    language = guess_language(list(islice(chain.from_iterable(words), _WORDS_TO_GUESS_BY)))
    vocabulary = _Vocabulary(language)
    rows = [list(chain.from_iterable(map(vocabulary.__getitem__, found))) for found in words]
    return rows, frozenset(vocabulary.telling)


class _Vocabulary(dict[str, tuple[int, ...]]):
    """From a word to the numbers of its terms, made when it is first seen."""

    def __init__(self, language: str | None) -> None:
        super().__init__()
        self.telling: set[int] = set()
        self._empty = FILLERS | FUNCTION_WORDS.get(language or "", frozenset())
        self._stemmer = Stemmer.Stemmer(language) if language else None
        self._numbers: dict[str, int] = {}

    def __missing__(self, word: str) -> tuple[int, ...]:
        numbers = tuple(
            self._numbers.setdefault(term, len(self._numbers)) for term in self._terms(word)
        )
        if word.startswith(TELLING_BEGINNINGS):
            self.telling.update(numbers)
        self[word] = numbers
        return numbers

    def _terms(self, word: str) -> list[str]:
        if word in self._empty:
            return []
        if _UNSPACED.search(word):
            pairs = [word[start : start + 2] for start in range(max(1, len(word) - 1))]
            return [pair for pair in pairs if not _HIRAGANA_PAIR.fullmatch(pair)]
        if len(word) == 1 and not word.isdigit():
            return []
        word = word[:_LONGEST_WORD_CHARACTERS]
        return [self._stemmer.stemWord(word) if self._stemmer else word]


@dataclass(frozen=True, slots=True)
class TermMatrix:
    """Which row (a sentence) holds which term, sparse: entry i says that row `rows[i]` holds the
    term `columns[i]`. Sorted by row; the entries of row r are `starts[r]:starts[r + 1]`."""

    rows: Integers
    columns: Integers
    starts: Integers
    rarity: Floats  # of each term: its inverse document frequency

    def columns_of(self, row: int) -> Integers:
        return self.columns[self.starts[row] : self.starts[row + 1]]

    def sum_by_row(self, weights: Floats) -> Floats:
        """For each row the sum of its terms' `weights`."""
        return self._add_up(weights[self.columns])

    def sum_of_cosines(self) -> Floats:
        """For each row the sum of its cosines with all others."""
        lengths = np.sqrt(self.sum_by_row(self.rarity**2))
        shares = self.rarity[self.columns] / lengths[self.rows]
        total = np.bincount(self.columns, shares, len(self.rarity))
        with_itself = np.diff(self.starts) > 0
        return self._add_up(shares * total[self.columns]) - with_itself

    def _add_up(self, entries: Floats) -> Floats:
        return np.bincount(self.rows, entries, len(self.starts) - 1).astype(np.float64)


def build_matrix(terms: Sequence[Sequence[int]]) -> TermMatrix:
    """A row for each of `terms`; how often a row holds a term does not count."""
    row_count = len(terms)
    flat = np.fromiter(chain.from_iterable(terms), dtype=np.intp)
    column_count = int(flat.max(initial=-1)) + 1
    rows = np.repeat(np.arange(row_count), [len(row) for row in terms])
    rows, columns = np.divmod(np.unique(rows * column_count + flat), max(1, column_count))
    frequencies = np.bincount(columns, minlength=column_count)
    return TermMatrix(
        rows,
        columns,
        starts=np.searchsorted(rows, np.arange(row_count + 1)),
        rarity=np.log1p(row_count / np.maximum(1, frequencies)),
    )

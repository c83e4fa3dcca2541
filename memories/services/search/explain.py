"""Why a search found a memory: the words of the query that it holds, where they stand. Called by
admin."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from memories.changes import rows
from memories.services.search.lexical import lexemes_cte, read_query
from memories.services.words import language

# Longer texts are looked at from their beginning alone: to mark words is slow.
LOOKED_AT_CHARACTERS = 20_000
PASSAGE_CHARACTERS = 240
_BEFORE_CHARACTERS = 60
_OPEN, _CLOSE = "\x02", "\x03"
_MARKED = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Passage:
    """`parts`: pieces of the text that follow each other, each with whether it is a word that
    matched. `words`: those words, each once."""

    parts: tuple[tuple[str, bool], ...]
    words: tuple[str, ...]


def explain_matches(query: str, memories: Sequence[tuple[UUID, str]]) -> dict[str, Passage]:
    """A passage for each memory, given by owner and id, around the query's words; the beginning of
    its text where it holds none of them."""
    found = rows(
        f"""
        WITH {lexemes_cte()},
        words AS (SELECT coalesce(string_agg(query::text, ' | '), '')::tsquery AS any FROM lexemes)
        SELECT m.id, ts_headline('{language()}',
            translate(left(m.text, {LOOKED_AT_CHARACTERS}), '{_OPEN}{_CLOSE}', ''), w.any,
            'StartSel={_OPEN}, StopSel={_CLOSE}, HighlightAll=true')
        FROM words w CROSS JOIN memory_entries m
        WHERE m.owner_id = ANY(%(owners)s) AND m.id = ANY(%(ids)s)""",
        {
            "words": read_query(query).words,
            "owners": [owner_id for owner_id, _ in memories],
            "ids": [an_id for _, an_id in memories],
        },
    )
    return {an_id: _passage(marked) for an_id, marked in found}


def _passage(marked: str) -> Passage:
    """PostgreSQL could cut as well, but begins with the word and drops the point at the end."""
    pieces = _MARKED.split(marked)  # those at odd places were marked
    words = dict.fromkeys(piece.lower() for piece in pieces[1::2])
    if len(pieces) > 1 and len(pieces[0]) > _BEFORE_CHARACTERS:
        pieces[0] = "… " + pieces[0][-_BEFORE_CHARACTERS:].partition(" ")[2]
    return Passage(tuple(_shortened(pieces)), tuple(words))


def _shortened(pieces: Sequence[str]) -> Iterator[tuple[str, bool]]:
    left = PASSAGE_CHARACTERS
    for place, piece in enumerate(pieces):
        if len(piece) > left:
            yield f"{piece[:left]} …", bool(place % 2)
            return
        if piece:
            yield piece, bool(place % 2)
        left -= len(piece)

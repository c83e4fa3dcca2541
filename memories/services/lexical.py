"""The lexical arm of a search: memories that hold any of the query's words, the rarest counting
most. Called by `search`.

The score is BM25's (Robertson & Zaragoza 2009) with k1 = 0.9 and b = 0.4 and each word counted
once: the sum over the words found of idf x 1.9 / (1 + 0.9 x (0.6 + 0.4 x length / average)), where
idf = ln(1 + (N - df + 0.5) / (df + 0.5)) within the owner.
`ts_rank` knows no rarity, and ranks worse.
"""

import re
from dataclasses import dataclass

from memories.services.filters import FILTER_COLUMNS, FilterRow, conditions_sql
from memories.services.words import language

# A query is a question, not a document: its first words are looked up, one index scan each.
MAX_QUERY_CHARACTERS = 8_000
MAX_LEXEMES = 64

_TERM = re.compile(
    r'(?P<minus>-?)"(?P<phrase>[^"]*)"|(?<!\S)-(?P<excluded>[^\s"]+)|(?P<word>[^\s"]+)'
)


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """`words`: what is looked for; `must`: its "phrases" and -exclusions as a web search."""

    words: str
    must: str


class LexicalRow(FilterRow, kw_only=True):
    words: str
    must: str
    memory_count: int
    average_words: float


LEXICAL_COLUMNS = f"""{FILTER_COLUMNS}, words text, must text, memory_count float,
    average_words float"""


# A lexeme as the text of a tsquery, in which quotes and backslashes are doubled.
_QUOTED = r"'''' || replace(replace(l.lexeme, '\', '\\'), '''', '''''') || ''''"


def read_query(query: str) -> LexicalQuery:
    """Take a query apart. No query is an error: what is no phrase and no exclusion is words."""
    words, must = [], []
    for term in _TERM.finditer(query[:MAX_QUERY_CHARACTERS]):
        if term["excluded"]:
            must.append(f'-"{term["excluded"]}"')
        elif term["minus"]:
            must.append(f'-"{term["phrase"]}"')
        elif term["phrase"] is not None:
            words.append(term["phrase"])
            must.append(f'"{term["phrase"]}"')
        else:
            words.append(term["word"])
    return LexicalQuery(" ".join(words), " ".join(must))


def lexical_sql(shape: tuple[str, ...], has_must: bool) -> str:
    """CTEs up to `ranked` (id, lexical, share), from one row of parameters `q`.

    Rarity is counted over all that the owner has, so that a filter changes which memories are
    found, never how they rank.
    """
    owned = "m.owner_id = q.owner_id AND" if "owner" in shape else ""
    passes = conditions_sql(shape)
    if has_must:
        passes += f" AND m.search @@ websearch_to_tsquery('{language()}', q.must)"
    return f"""
    lexemes AS MATERIALIZED (
        SELECT l.lexeme, ({_QUOTED})::tsquery AS query
        FROM q CROSS JOIN LATERAL unnest(to_tsvector('{language()}', q.words)) l
        ORDER BY l.positions[1] LIMIT {MAX_LEXEMES}),
    hits AS MATERIALIZED (
        SELECT l.lexeme, m.id, m.words, {passes} AS passes
        FROM q CROSS JOIN lexemes l
            JOIN memory_entries m ON {owned} m.search @@ l.query AND m.deleted_at IS NULL),
    weights AS (
        SELECT l.lexeme, ln(1 + greatest(q.memory_count - count(h.id) + 0.5, 0.5)
            / (count(h.id) + 0.5)) AS weight
        FROM q CROSS JOIN lexemes l LEFT JOIN hits h USING (lexeme)
        GROUP BY l.lexeme, q.memory_count),
    ranked AS (
        SELECT h.id,
            sum(w.weight) * 1.9 / (1 + 0.9 * (0.6 + 0.4 * h.words / q.average_words)) AS lexical,
            sum(w.weight) / (SELECT sum(weight) FROM weights) AS share
        FROM q CROSS JOIN hits h JOIN weights w USING (lexeme)
        WHERE h.passes
        GROUP BY h.id, h.words, q.average_words)"""

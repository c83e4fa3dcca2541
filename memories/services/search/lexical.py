"""The lexical arm of a search: memories that hold any of the query's words, the rarest counting
most. Called by `search`.

The score is BM25's (Robertson & Zaragoza 2009) with k1 = 0.9 and b = 0.4 and each word counted
once: the sum over the words found of idf x 1.9 / (1 + 0.9 x (0.6 + 0.4 x length / average)), where
idf = ln(1 + (N - df + 0.5) / (df + 0.5)) within the owner.
`ts_rank` knows no rarity, and ranks worse.
"""

import re
from dataclasses import dataclass

from memories.changes import rows_planned_anew
from memories.services.filters import (
    FILTER_COLUMNS,
    Filter,
    Scope,
    conditions_sql,
    filter_json,
)
from memories.services.search.statistics import statistics_of
from memories.services.words import language, words_in_sql

# A query is a question, not a document: its first words are looked up, one index scan each.
MAX_QUERY_CHARACTERS = 8_000
MAX_LEXEMES = 63  # as many bits as a bigint has without its sign

_TERM = re.compile(
    r'(?P<minus>-?)"(?P<phrase>[^"]*)"|(?<!\S)-(?P<excluded>[^\s"]+)|(?P<word>[^\s"]+)'
)


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """`words`: what is looked for; `must`: its "phrases" and -exclusions as a web search."""

    words: str
    must: str


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


def must_sql() -> str:
    """The condition that a memory `m` has the query's phrases and none of its exclusions.

    The index knows no stop words: alone they ask it for nothing, where a tsquery of none would
    match nothing. A phrase or an exclusion that has some is looked for in the text, word for word.
    """
    must = f"websearch_to_tsquery('{language()}', %(must)s)"
    known = f"websearch_to_tsquery('{language()}', t.term[1])"
    exact = "websearch_to_tsquery('simple', t.term[1])"
    return f"""(numnode({must}) = 0 OR m.search @@ {must}) AND NOT EXISTS (
        SELECT FROM regexp_matches(%(must)s, '-?"[^"]*"', 'g') AS t (term)
        WHERE numnode({known}) < numnode({exact})
            AND NOT {words_in_sql("simple", "m.text")} @@ {exact})"""


def lexical_ctes(owned: bool) -> str:
    """CTEs `lexemes` (ordinal, query), `weights` (ordinal, weight) and `scored` (row, mask,
    lexical): every memory of the owner, or of all, that holds a lexeme; bit N of the mask stands
    for ordinal N. `row` is the memory's ctid, which stands for the same row throughout one
    statement, and is grouped and joined in half the time of an id. Parameters: words, owner,
    memory_count, average_words.

    Rarity is counted over all that the owner has, so that a filter changes which memories are
    found, never how they rank.
    """
    of_owner = "m.owner_id = %(owner)s AND" if owned else ""
    return f"""
    {lexemes_cte()},
    hits AS MATERIALIZED (
        SELECT l.ordinal, m.ctid AS row, m.words::float AS words FROM lexemes l
        JOIN memory_entries m ON {of_owner} m.search @@ l.query AND m.deleted_at IS NULL),
    weights AS MATERIALIZED (
        SELECT l.ordinal, ln(1 + greatest(%(memory_count)s::float - count(h.row) + 0.5, 0.5)
            / (count(h.row) + 0.5)) AS weight
        FROM lexemes l LEFT JOIN hits h USING (ordinal) GROUP BY l.ordinal),
    scored AS MATERIALIZED (
        SELECT h.row, bit_or(1::bigint << h.ordinal) AS mask,
            sum(w.weight) * 1.9
                / (1 + 0.9 * (0.6 + 0.4 * (min(h.words) / %(average_words)s::float))) AS lexical
        FROM hits h JOIN weights w USING (ordinal) GROUP BY h.row)"""


def lexemes_sql() -> str:
    """An array of the query's words as full-text search keeps them. Parameter: words."""
    return f"""ARRAY(SELECT l.lexeme FROM unnest(to_tsvector('{language()}', %(words)s)) l
        ORDER BY l.positions[1], l.lexeme LIMIT {MAX_LEXEMES})"""


def lexeme_queries_sql() -> str:
    """An array of the same as queries. Parameter: words."""
    return f"ARRAY(SELECT ({_QUOTED})::tsquery FROM unnest({lexemes_sql()}) l (lexeme))"


def lexemes_cte() -> str:
    """CTE `lexemes` (ordinal, query): each of them. Parameter: words."""
    return f"""
    lexemes AS MATERIALIZED (
        SELECT l.ordinal::int - 1 AS ordinal, ({_QUOTED})::tsquery AS query
        FROM unnest({lexemes_sql()}) WITH ORDINALITY AS l (lexeme, ordinal))"""


def find_by_words(
    query: LexicalQuery, filter_: Filter, limit: int
) -> tuple[list[tuple[str, float]], int]:
    """Ids with the share of the query's word weight that they hold, best first, and how many there
    are in all."""
    owned = filter_.scope is not Scope.ALL
    statistics = statistics_of(filter_.searched_owner())
    conditions = conditions_sql(filter_.shape())
    if query.must:
        conditions += f" AND {must_sql()}"
    found = rows_planned_anew(
        f"""
        WITH q AS (SELECT * FROM jsonb_to_record(%(filter)s::jsonb) AS q ({FILTER_COLUMNS})),
        {lexical_ctes(owned)},
        best AS (
            SELECT m.id, s.mask, s.lexical, count(*) OVER () AS total
            FROM scored s JOIN memory_entries m ON m.ctid = s.row CROSS JOIN q
            WHERE {conditions} ORDER BY s.lexical DESC, m.id LIMIT %(limit)s)
        SELECT b.id, (SELECT sum(w.weight) FILTER (WHERE b.mask >> w.ordinal & 1 = 1)
                / sum(w.weight) FROM weights w)::float, b.total
        FROM best b ORDER BY b.lexical DESC, b.id""",
        {
            "words": query.words,
            "must": query.must,
            "owner": filter_.owner_id,
            "filter": filter_json(filter_),
            "memory_count": statistics.memory_count,
            "average_words": statistics.average_words,
            "limit": limit,
        },
    )
    return [(an_id, share) for an_id, share, _ in found], found[0][2] if found else 0

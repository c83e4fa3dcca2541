"""What the database finds for a search: the candidates of both arms, and what ranking asks of them.

For an owner of few memories all of them are candidates. Else they are the best of each arm, and
the turns beside the most promising. Called by search.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import transaction

from memories.changes import rows, rows_planned_anew
from memories.services.embedding.vector_index import EXACT_UP_TO, has_index
from memories.services.search.ask import ASKS, CREATED_US, FILTER_CTE, Ask
from memories.services.search.lexical import lexemes_cte, lexical_ctes
from memories.services.search.ranking import (
    Candidates,
    Compared,
    LexicalScale,
    age_days,
    lexical_scores,
    names_speaker,
    spread_of,
)

# Up to so many memories every one is ranked: as quick as choosing, and it finds more.
ALL_UP_TO = 1_000
# Chosen by each arm. A few are spare, since an expired memory may still be among them.
ARM_SIZE = 100
_SPARE = 28
# Candidates whose neighbours in the conversation are looked at.
ANCHORS = 40


class Row(NamedTuple):
    """A candidate. `created_us`: microseconds since the epoch, since dates are slow to read in
    numbers; `passes`: the filter lets it through; `near`: the vector arm chose it; `mask`: the
    lexemes that it holds."""

    id: str
    owner_id: UUID
    session_id: str
    created_us: int
    passes: bool
    near: bool
    words: int
    mask: int
    speaker: str
    asks: bool
    characters: int
    priority: int
    dot: float | None
    dot_with_mean: float | None


@dataclass(slots=True)
class Pool:
    """The candidates and, by their ids, who follows whom in the conversation. `passing`: how many
    memories the filter lets through, the candidates among them, counted up to EXACT_UP_TO; 0 where
    all are candidates."""

    rows: dict[str, Row]
    scale: LexicalScale
    next: dict[str, str]
    passing: int = 0


def find_candidates(ask: Ask) -> Pool:
    if ask.owned() and ask.statistics.memory_count <= ALL_UP_TO:
        pool = _read_pool(ask, _ALL)
        pool.next = _follow_each_other(pool.rows.values())
        return pool
    passing = _count_passing(ask)
    approximate = passing > EXACT_UP_TO and has_index(ask.model_id)
    pool = _read_pool(ask, _arms_sql(ask, approximate, ask.is_plain()), approximate=approximate)
    if approximate and _compared(pool) < ARM_SIZE:
        # The index gave up: its bounds of work and memory were reached before enough had passed.
        approximate = False
        pool = _read_pool(ask, _arms_sql(ask, approximate, False))
    if sum(not row.passes for row in pool.rows.values()) > _SPARE:
        # So many have expired since the job last ran that they may have crowded others out.
        pool = _read_pool(ask, _arms_sql(ask, approximate, False), approximate=approximate)
    _add_neighbours(ask, pool)
    pool.passing = min(passing, EXACT_UP_TO)
    return pool


def _compared(pool: Pool) -> int:
    """How many the vector arm found. Those that the words found would hide that it gave up."""
    return sum(row.near and row.passes for row in pool.rows.values())


def to_rank(ask: Ask, pool: Pool) -> Candidates:
    """The candidates in the order of `pool.rows`, as ranking takes them."""
    found = list(pool.rows.values())
    place = {row.id: index for index, row in enumerate(found)}
    sessions = {session: index for index, session in enumerate({row.session_id for row in found})}
    following = np.full(len(found), -1)
    before = np.full(len(found), -1)
    for earlier, later in pool.next.items():
        following[place[earlier]], before[place[later]] = place[later], place[earlier]
    speakers = {row.speaker for row in found}
    named = {speaker for speaker in speakers if names_speaker(ask.text, speaker)}
    return Candidates(
        session=np.array([sessions[row.session_id] for row in found], np.int64),
        previous=before,
        next=following,
        mask=np.array([row.mask for row in found], np.int64),
        words=np.array([row.words for row in found], float),
        characters=np.array([row.characters for row in found], float),
        asks=np.array([row.asks for row in found], bool),
        named=np.array([row.speaker in named for row in found], bool),
        priority=np.array([row.priority for row in found], float),
        age_days=age_days(np.array([row.created_us for row in found], np.int64)),
    )


def compare(ask: Ask, found: Sequence[Row]) -> Compared:
    """Scores are centred cosines, in standard deviations from the owner's usual."""
    dots = np.array([row.dot for row in found], float)  # None becomes NaN
    dots_with_mean = np.array([row.dot_with_mean for row in found], float)
    usual, deviation = ask.sample.spread(ask.vector)
    cosines = ask.sample.centred_cosines(ask.vector, dots, dots_with_mean)
    return Compared(dots, np.nan_to_num((cosines - usual) / deviation))


# What is read of each candidate, `m`, with its vector `e`.
_COLUMNS = f"""m.id, m.owner_id, m.session_id, {CREATED_US}, {{passes}}, {{near}}, m.words,
    {{mask}}, m.speaker, {ASKS}, char_length(m.text), m.priority,
    -(e.embedding <#> %(query)s::vector), -(e.embedding <#> %(mean)s::vector)"""

# By its version: a vector that was kept while the memory changed is unseen by the change's own
# statement, which cannot remove it, and would answer for what the memory said before.
_VECTOR_OF = """LEFT JOIN embeddings e ON e.owner_id = m.owner_id AND e.model_id = %(model)s
    AND e.memory_id = m.id AND e.version = m.content_version"""

_ALL = """SELECT m.id, true AS near FROM memory_entries m
    WHERE m.owner_id = %(owner)s AND m.deleted_at IS NULL AND m.text <> ''"""


def _read_pool(ask: Ask, pool_sql: str, *, approximate: bool = False) -> Pool:
    passes = f"({ask.conditions()})"
    columns = _COLUMNS.format(passes=passes, near="p.near", mask="coalesce(s.mask, 0)")
    owned = "m.owner_id = %(owner)s AND" if ask.owned() else ""
    sql = f"""
    WITH {FILTER_CTE}, {lexical_ctes(ask.owned())},
    totals AS MATERIALIZED (
        SELECT (SELECT array_agg(weight::float ORDER BY ordinal) FROM weights) AS weights,
            coalesce(sum(lexical), 0)::float AS lexical_sum,
            coalesce(sum(lexical * lexical), 0)::float AS lexical_squares
        FROM scored),
    pool AS MATERIALIZED ({pool_sql})
    SELECT {columns}, CASE WHEN row_number() OVER () = 1
            THEN ARRAY[t.lexical_sum, t.lexical_squares] || t.weights END
    FROM totals t CROSS JOIN q CROSS JOIN pool p JOIN memory_entries m ON {owned} m.id = p.id
        {_VECTOR_OF} LEFT JOIN scored s ON s.row = m.ctid"""
    parameters = ask.parameters  # waits for the vector, before a transaction is open
    with transaction.atomic() if approximate else nullcontext():
        if approximate:
            _scan_on()
        found = rows_planned_anew(sql, parameters)
    width = len(Row._fields)
    totals = next((row[width] for row in found if row[width]), [0.0, 0.0])
    return Pool({row[0]: Row(*row[:width]) for row in found}, _scale(ask, *totals), {})


def _scale(ask: Ask, lexical_sum: float, lexical_squares: float, *weights: float) -> LexicalScale:
    mean, deviation = spread_of(ask.statistics.memory_count, lexical_sum, lexical_squares)
    return LexicalScale(np.array(weights), ask.statistics.average_words, mean, deviation)


def _arms_sql(ask: Ask, approximate: bool, plain: bool) -> str:
    """`plain`: without the filter, which lets everything through but what has expired."""
    if plain:
        words = f"""SELECT m.id FROM (
                SELECT row FROM scored ORDER BY lexical DESC, row LIMIT {ARM_SIZE + _SPARE}) s
            JOIN memory_entries m ON m.ctid = s.row"""
    else:
        words = f"""SELECT m.id FROM scored s JOIN memory_entries m ON m.ctid = s.row
            CROSS JOIN q WHERE {ask.conditions()} ORDER BY s.lexical DESC, m.id LIMIT {ARM_SIZE}"""
    return f"""SELECT id, bool_or(near) AS near FROM (
            (SELECT id, false AS near FROM ({words}) by_words) UNION ALL
            (SELECT memory_id, true FROM ({_vector_arm_sql(ask, approximate, plain)}) by_vector)
        ) chosen GROUP BY id"""


def _vector_arm_sql(ask: Ask, approximate: bool, plain: bool) -> str:
    if plain and not approximate:
        # The vectors of what was deleted are gone, so that no other table need be read.
        return f"""SELECT e.memory_id FROM embeddings e
            WHERE e.owner_id = %(owner)s AND e.model_id = %(model)s
            ORDER BY e.embedding <#> %(direction)s::vector, e.memory_id
            LIMIT {ARM_SIZE + _SPARE}"""
    order = "e.embedding <#> %(direction)s::vector, e.memory_id"
    model = "%(model)s"
    if approximate:
        # Literals, since the planner must see that the model's partial index serves.
        dimension, model = len(ask.vector), str(int(ask.model_id))
        order = f"e.embedding::halfvec({dimension}) <#> %(direction)s::halfvec({dimension})"
    return f"""SELECT e.memory_id FROM embeddings e
            JOIN memory_entries m ON m.owner_id = e.owner_id AND m.id = e.memory_id
                AND m.content_version = e.version CROSS JOIN q
        WHERE e.model_id = {model} AND {ask.conditions()}
        ORDER BY {order} LIMIT {ARM_SIZE}"""


def _scan_on() -> None:
    """Have the index go on until enough have passed the filter, not stop at its first find."""
    rows("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
    rows("SET LOCAL hnsw.ef_search = 200")
    rows("SET LOCAL hnsw.max_scan_tuples = 200000")
    # The planner cannot see how much the filter lets through, guesses little, and would compare
    # an owner's 40,000 vectors one by one in 120 ms instead of asking the index.
    rows("SET LOCAL enable_sort = off")


def _count_passing(ask: Ask) -> int:
    """What has a text and passes the filter, counted up to one more than are compared exactly."""
    if ask.is_plain():
        return ask.statistics.memory_count
    [(count,)] = rows(
        f"""
        WITH {FILTER_CTE} SELECT count(*) FROM (
            SELECT 1 FROM memory_entries m CROSS JOIN q WHERE {ask.conditions()} AND m.text <> ''
            LIMIT {EXACT_UP_TO + 1}) matching""",
        ask.asked,
    )
    return int(count)


def _follow_each_other(found: Any) -> dict[str, str]:
    ordered = sorted(found, key=lambda row: (row.session_id, row.created_us, row.id))
    return {a.id: b.id for a, b in pairwise(ordered) if a.session_id == b.session_id}


def _add_neighbours(ask: Ask, pool: Pool) -> None:
    """The turns before and after the most promising candidates, which become candidates too."""
    found = list(pool.rows.values())
    if not found:
        return
    masks = np.array([row.mask for row in found], np.int64)
    words = np.array([row.words for row in found], float)
    lexical = lexical_scores(masks, words, pool.scale) / (pool.scale.deviation or 1)
    order = np.argsort(-(0.6 * compare(ask, found).scores + 0.4 * lexical), kind="stable")
    anchors = [found[index] for index in order[:ANCHORS]]
    for anchor_id, comes_after, *columns in _read_neighbours(ask, anchors):
        neighbour = Row(*columns)
        pool.rows.setdefault(neighbour.id, neighbour)
        first, second = (anchor_id, neighbour.id) if comes_after else (neighbour.id, anchor_id)
        pool.next[first] = second


def _read_neighbours(ask: Ask, anchors: Sequence[Row]) -> list[tuple[Any, ...]]:
    holds = """(SELECT coalesce(bit_or(1::bigint << l.ordinal), 0) FROM lexemes l
        WHERE m.search @@ l.query)"""
    columns = _COLUMNS.format(passes=f"({ask.conditions()})", near="false", mask=holds)
    same_session = """FROM memory_entries m WHERE m.owner_id = a.owner_id
        AND m.session_id = a.session_id AND m.deleted_at IS NULL AND m.text <> ''"""
    return rows(
        f"""
        WITH {FILTER_CTE}, {lexemes_cte()},
        anchors AS (
            SELECT a.*, 'epoch'::timestamptz + created_us * interval '1 microsecond' AS created_at
            FROM unnest(%(ids)s::text[], %(owners)s::uuid[], %(sessions)s::text[],
                %(times)s::bigint[]) AS a (id, owner_id, session_id, created_us))
        SELECT a.id, m.comes_after, {columns}
        FROM anchors a CROSS JOIN q CROSS JOIN LATERAL (
            (SELECT false AS comes_after, m.* {same_session} AND m.created_at < a.created_at
             ORDER BY m.created_at DESC, m.id LIMIT 1)
            UNION ALL
            (SELECT true AS comes_after, m.* {same_session} AND m.created_at > a.created_at
             ORDER BY m.created_at, m.id DESC LIMIT 1)) m
            {_VECTOR_OF}""",
        ask.parameters
        | {
            "ids": [row.id for row in anchors],
            "owners": [row.owner_id for row in anchors],
            "sessions": [row.session_id for row in anchors],
            "times": [row.created_us for row in anchors],
        },
    )

"""Read memories by filter or in the order of their ids: `batch_read`. Called by handlers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from memories.changes import Name, rows
from memories.services.filters import (
    FILTER_COLUMNS,
    Filter,
    FilterRow,
    conditions_sql,
    filter_json,
    filter_row,
)
from memories.services.owners import names_of
from memories.services.results import (
    MEMORY_COLUMN_COUNT,
    MEMORY_COLUMNS,
    Page,
    PageInfo,
    memory_of,
    within,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A page of what a filter finds. No page holds more than `max_bytes` of content."""

    filter: Filter
    limit: int = 10
    offset: int = 0
    sort_field: str = "created_at"
    descending: bool = True
    max_bytes: int = 15 << 20


class _Row(FilterRow, kw_only=True):
    ordinal: int
    limit: int
    offset: int
    max_bytes: int


def select_memories(selections: Sequence[Selection]) -> list[Page]:
    """A page for each selection; one statement for those of one shape and order."""
    pages: dict[int, Page] = {}
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for ordinal, selection in enumerate(selections):
        if selection.filter.finds_nothing():
            pages[ordinal] = _page(selection, [], 0)
        else:
            alike[selection.filter.shape(), _order_sql(selection)].append(ordinal)
    for (shape, order), ordinals in alike.items():
        pages |= _select_alike(conditions_sql(shape), order, ordinals, selections)
    return [pages[ordinal] for ordinal in range(len(selections))]


def select_named(memory_ids: Sequence[str], filter_: Filter, max_bytes: int) -> Page:
    """Those memories in the order asked for; what is not alive is named in `missing`, what the
    filter leaves out is neither there nor missing."""
    wanted = list(dict.fromkeys(memory_ids))
    names = names_of(wanted)
    found = _look_up([names[an_id] for an_id in wanted if an_id in names], filter_, max_bytes)
    alive = {row[MEMORY_COLUMN_COUNT] for row in found}
    passed = [row for row in found if row[-1]]
    kept = within([memory_of(row) for row in passed if row[0]], max_bytes)
    return Page(
        kept,
        len(passed),
        PageInfo(limit=len(wanted), offset=0, has_more=len(kept) < len(passed)),
        missing=[an_id for an_id in wanted if an_id not in alive],
    )


def _look_up(names: Sequence[Name], filter_: Filter, max_bytes: int) -> list[tuple[Any, ...]]:
    """Of those that are alive, in their order, the id and whether it passes the filter; before
    these the columns of a memory, for as many as pass and fit. A thousand contents of a megabyte
    are not read to be thrown away."""
    passes = conditions_sql(filter_.shape())
    return rows(
        f"""
        SELECT {MEMORY_COLUMNS}, n.id, n.passes
        FROM (
            SELECT m.owner_id, m.id, {passes} AS passes, named.place,
                sum(m.content_bytes) FILTER (WHERE {passes}) OVER (ORDER BY named.place)
                    - m.content_bytes AS bytes_ahead
            FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS named (owner_id, id, place)
                JOIN memory_entries m ON m.owner_id = named.owner_id AND m.id = named.id
                CROSS JOIN jsonb_to_record(%s::jsonb) AS q ({FILTER_COLUMNS})
            WHERE {conditions_sql(["alive"])}) n
            LEFT JOIN memory_entries m ON m.owner_id = n.owner_id AND m.id = n.id
                AND n.passes AND n.bytes_ahead < %s
        ORDER BY n.place""",
        [
            [name.owner_id for name in names],
            [name.id for name in names],
            filter_json(filter_),
            max_bytes,
        ],
    )


def _select_alike(
    conditions: str, order: str, ordinals: Sequence[int], selections: Sequence[Selection]
) -> dict[int, Page]:
    asked = {ordinal: _row(ordinal, selections[ordinal]) for ordinal in ordinals}
    found: dict[int, list[tuple[Any, ...]]] = {ordinal: [] for ordinal in ordinals}
    for ordinal, *row in rows(_page_sql(conditions, order), [_as_json(asked.values())]):
        found[ordinal].append(tuple(row))
    totals = {ordinal: _total_seen(asked[ordinal], found[ordinal]) for ordinal in ordinals}
    if uncounted := [asked[ordinal] for ordinal, total in totals.items() if total is None]:
        totals |= dict(rows(_count_sql(conditions), [_as_json(uncounted)]))
    return {
        ordinal: _page(selections[ordinal], found[ordinal], totals[ordinal] or 0)
        for ordinal in ordinals
    }


_PARAMETERS = f"""jsonb_to_recordset(%s::jsonb) AS q (ordinal int, "limit" int, "offset" int,
    max_bytes bigint, {FILTER_COLUMNS})"""


def _page_sql(conditions: str, order: str) -> str:
    # One row more than asked for tells whether there are more; the sum of what stands ahead keeps
    # a page of megabyte contents from being read whole.
    return f"""
    SELECT q.ordinal, {MEMORY_COLUMNS}, m.reached
    FROM {_PARAMETERS} CROSS JOIN LATERAL (
        SELECT m.*, count(*) OVER () AS reached, row_number() OVER (ORDER BY {order}) AS place,
            sum(m.content_bytes) OVER (ORDER BY {order}) - m.content_bytes AS bytes_ahead
        FROM (SELECT m.* FROM memory_entries m WHERE {conditions}
              ORDER BY {order} LIMIT q."limit" + 1 OFFSET q."offset") m) m
    WHERE m.bytes_ahead < q.max_bytes
    ORDER BY q.ordinal, m.place"""


def _count_sql(conditions: str) -> str:
    return f"""
    SELECT q.ordinal, (SELECT count(*) FROM memory_entries m WHERE {conditions})
    FROM {_PARAMETERS}"""


def _order_sql(selection: Selection) -> str:
    """The order that the indexes have, or just its reverse, with ties broken by id."""
    way, back = ("DESC", "ASC") if selection.descending else ("ASC", "DESC")
    if selection.sort_field == "created_at":
        return f"m.created_at {way}, m.id {back}"
    return f"m.{selection.sort_field} {way} NULLS LAST, m.id {back}"


def _total_seen(asked: _Row, found: Sequence[tuple[Any, ...]]) -> int | None:
    """How many matches there are, where the page itself tells; else they must be counted."""
    reached = found[0][MEMORY_COLUMN_COUNT] if found else 0
    if reached > asked.limit or (not reached and asked.offset):
        return None
    return asked.offset + reached


def _page(selection: Selection, found: Sequence[tuple[Any, ...]], total: int) -> Page:
    memories = within([memory_of(row) for row in found[: selection.limit]], selection.max_bytes)
    has_more = selection.offset + len(memories) < total and bool(memories)
    return Page(memories, total, PageInfo(selection.limit, selection.offset, has_more))


def _row(ordinal: int, selection: Selection) -> _Row:
    return _Row(
        ordinal=ordinal,
        limit=selection.limit,
        offset=selection.offset,
        max_bytes=selection.max_bytes,
        **msgspec.structs.asdict(filter_row(selection.filter)),
    )


def _as_json(parameters: Iterable[_Row]) -> str:
    return msgspec.json.encode(list(parameters)).decode()

"""Actions that read and find memories."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from memories.errors import MemoriesError, MemoryNotFound, ValidationFailed
from memories.services import backups, fetch, history, select, stats, summarize
from memories.services.filters import Filter, Scope
from memories.services.results import Page
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchResults, SearchType
from zmqbridge import payloads
from zmqbridge.handlers.base import (
    About,
    Ask,
    Handler,
    LaneName,
    about_session,
    as_it_is,
    one_by_one,
)
from zmqbridge.handlers.filtering import filter_of, with_owners
from zmqbridge.protocol import MAX_REPLY_BYTES, Request

# Leaves room in a reply for what stands around a page of memories.
MAX_PAGE_BYTES = MAX_REPLY_BYTES - (64 << 10)
# Of the pages of a batch together: a hundred of the largest would be more than a machine has.
_PAGES_BYTES = 64 << 20
# A longer payload is not read on the server's thread.
_LONG_BYTES = 16 << 10


def _prepare_read(ask: Ask) -> str:
    memory_id: str = ask.payload.memory_id
    return memory_id


def _serve_read(memory_ids: Sequence[str]) -> list[Any]:
    found = fetch.fetch_memories(memory_ids)
    return [found.get(an_id) or MemoryNotFound(memory_id=an_id) for an_id in memory_ids]


@dataclass(frozen=True, slots=True)
class _Naming:
    """A batch_read that names its memories by id."""

    memory_ids: list[str]
    filter: Filter
    max_bytes: int = MAX_PAGE_BYTES


def _prepare_batch_read(ask: Ask) -> _Naming | select.Selection:
    payload: payloads.BatchReadPayload = ask.payload
    page = payload.filter or payloads.PageFilter()
    if payload.memory_ids is not None:
        return _Naming(payload.memory_ids, filter_of(ask, page, Scope.ALL))
    if payload.filter is None:
        raise ValidationFailed("payload.filter", "A batch_read names memory_ids or a filter.")
    sort = page.sort or payloads.Sort()
    return select.Selection(
        filter=filter_of(ask, page, Scope.SESSION),
        limit=page.limit or 10,
        offset=page.offset or 0,
        sort_field=sort.field or "created_at",
        descending=sort.order != "asc",
        max_bytes=MAX_PAGE_BYTES,
    )


def _serve_batch_read(items: Sequence[_Naming | select.Selection]) -> list[Page]:
    filters = with_owners([item.filter for item in items])
    max_bytes = min(MAX_PAGE_BYTES, _PAGES_BYTES // len(items))
    items = [
        replace(item, filter=filter_, max_bytes=max_bytes)
        for item, filter_ in zip(items, filters, strict=True)
    ]
    pages = iter(select.select_memories([i for i in items if isinstance(i, select.Selection)]))
    return [
        select.select_named(item.memory_ids, item.filter, item.max_bytes)
        if isinstance(item, _Naming)
        else next(pages)
        for item in items
    ]


def _prepare_search(ask: Ask) -> Query:
    payload: payloads.SearchPayload = ask.payload
    filters = payload.filters or payloads.SearchFilters()
    way = SearchType(payload.search_type or "hybrid")
    # A session without a user is its own owner, so scope `user` is right for it as well.
    return Query(
        text=payload.query,
        filter=filter_of(ask, filters, Scope.USER, "payload.filters"),
        search_type=way,
        limit=filters.limit or 5,
        min_similarity=filters.min_similarity or 0.0,
        vector=None if payload.query_embedding is None else tuple(payload.query_embedding),
        # Who embeds by himself is told what is nearest to his vector, in his own space.
        centred=payload.query_embedding is None or way is not SearchType.SEMANTIC,
        deadline=_deadline(ask.request, payload.deadline_ms),
        max_bytes=MAX_PAGE_BYTES,
    )


def _deadline(request: Request, deadline_ms: int | None) -> float | None:
    """By this process's monotonic clock: the time of waiting in the lane counts."""
    if deadline_ms is None:
        return None
    waited = datetime.now(UTC) - request.received_at
    return time.monotonic() + deadline_ms / 1000 - waited.total_seconds()


class _Way(msgspec.Struct):
    search_type: str | None = None


_decode_way = msgspec.json.Decoder(_Way).decode


def _choose_search_lane(request: Request) -> LaneName:
    """What needs no model does not wait behind what waits for one."""
    if len(request.payload) > _LONG_BYTES:
        return LaneName.SEARCH
    try:
        by_words = _decode_way(request.payload).search_type == SearchType.KEYWORD
    except (ValueError, RecursionError):
        return LaneName.SEARCH  # which says what is wrong with it
    return LaneName.WORDS if by_words else LaneName.SEARCH


def _serve_search(queries: Sequence[Query]) -> list[SearchResults | MemoriesError]:
    filters = with_owners([query.filter for query in queries])
    return search_memories(
        [replace(query, filter=filter_) for query, filter_ in zip(queries, filters, strict=True)]
    )


def _prepare_summarize(ask: Ask) -> Filter:
    return filter_of(ask, ask.payload, Scope.SESSION, "payload")


def _summarize(filter_: Filter) -> dict[str, Any]:
    summary = summarize.summarize_memories(with_owners([filter_])[0])
    return {
        "summary": summary.text,
        "method": summary.method,
        "memory_count": summary.memory_count,
        "time_range": {"start": filter_.start or summary.start, "end": filter_.end or summary.end},
    }


def _history(ask: Ask) -> dict[str, Any]:
    payload: payloads.HistoryPayload = ask.payload
    memory_id = payload.memory_id
    revisions = history.history_of(memory_id, payload.limit, payload.offset or 0)
    data: dict[str, Any] = {"memory_id": memory_id, "revisions": revisions}
    # The first revision is version 1: where it is not the last here, the reply was cut.
    if revisions and revisions[-1].version > 1:
        data["has_more"] = True
    return data


def _stats(_: Ask) -> dict[str, Any]:
    return {"counts": stats.count_rows(), "backups": backups.see_backups()}


def _about_memory(ask: Ask, _: Any) -> About:
    return About([ask.payload.memory_id])


def _about_page(_: Ask, page: Page) -> About:
    return About([memory.memory_id for memory in page.memories])


def _about_results(_: Ask, results: SearchResults) -> About:
    return About([memory.memory_id for memory in results.results])


HANDLERS = {
    "read": Handler(
        payload=payloads.ReadPayload, prepare=_prepare_read, serve=_serve_read, about=_about_memory
    ),
    "batch_read": Handler(
        payload=payloads.BatchReadPayload,
        prepare=_prepare_batch_read,
        serve=_serve_batch_read,
        about=_about_page,
    ),
    "search": Handler(
        payload=payloads.SearchPayload,
        prepare=_prepare_search,
        serve=_serve_search,
        about=_about_results,
        lane=LaneName.SEARCH,
        choose_lane=_choose_search_lane,
    ),
    "summarize": Handler(
        payload=payloads.SummarizePayload,
        prepare=_prepare_summarize,
        serve=one_by_one(_summarize),
        about=about_session,
        lane=LaneName.HEAVY,
    ),
    "history": Handler(
        payload=payloads.HistoryPayload,
        prepare=as_it_is,
        serve=one_by_one(_history),
        about=_about_memory,
    ),
    "stats": Handler(payload=payloads.Empty, prepare=as_it_is, serve=one_by_one(_stats)),
}

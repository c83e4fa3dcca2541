"""From the filter of a payload to the filter of the core."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from memories.services.filters import Filter, Scope
from memories.services.sessions import owners_of_sessions
from zmqbridge.handlers.base import Ask
from zmqbridge.payloads import BulkDeleteFilter, FilterPayload
from zmqbridge.protocol import parse_time


def filter_of(
    ask: Ask, payload: FilterPayload | BulkDeleteFilter, scope: Scope, root: str = "payload.filter"
) -> Filter:
    """`scope` is the default. The owner is not known yet: `with_owners` finds it."""
    time_range = getattr(payload, "time_range", None)
    start = time_range and time_range.start
    end = time_range and time_range.end
    return Filter(
        scope=Scope(payload.scope) if payload.scope else scope,
        session_id=ask.request.session_id,
        memory_types=tuple(filter(None, [payload.memory_type, *(payload.memory_types or ())])),
        tags=tuple(payload.tags or ()),
        all_tags=payload.tags_match == "all",
        start=time_if_any(start, f"{root}.time_range.start"),
        end=time_if_any(end, f"{root}.time_range.end"),
    )


def time_if_any(text: str | None, field: str) -> datetime | None:
    return None if text is None else parse_time(text, field)


def with_owners(filters: Sequence[Filter]) -> list[Filter]:
    """Each filter with the owner of its session, which is looked up for all at once."""
    owners = owners_of_sessions({filter_.session_id for filter_ in filters})
    return [replace(filter_, owner_id=owners.get(filter_.session_id)) for filter_ in filters]

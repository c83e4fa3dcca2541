"""Actions that change memories which exist."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from django.conf import settings

from memories.content import read_content
from memories.errors import MemoriesError, PermissionDenied, ValidationFailed
from memories.ids import new_operation_id
from memories.services import forget, restore, revise
from memories.services.filters import Filter, Scope
from zmqbridge import payloads
from zmqbridge.handlers.base import (
    EVERYTHING,
    Ask,
    Changed,
    Handler,
    LaneName,
    left_out_as,
    one_by_one,
)
from zmqbridge.handlers.filtering import filter_of, time_if_any, with_owners
from zmqbridge.protocol import Request, parse_time


def _prepare_update(ask: Ask) -> revise.Revision:
    payload: payloads.UpdatePayload = ask.payload
    content_json = left_out_as(b"", payload.content)
    content = read_content(content_json) if content_json else None
    named = (content, payload.tags, payload.priority, payload.memory_type)
    if payload.ttl is msgspec.UNSET and all(value is None for value in named):
        raise ValidationFailed("payload", "An update names at least one field to change.")
    return revise.Revision(
        memory_id=payload.memory_id,
        at=ask.request.received_at,
        memory_type=payload.memory_type,
        content_json=content.json if content else None,
        tags=None if payload.tags is None else tuple(dict.fromkeys(payload.tags)),
        priority=payload.priority,
        source_agent=content.source_agent if content else None,
        set_ttl=payload.ttl is not msgspec.UNSET,
        ttl_seconds=None if payload.ttl is msgspec.UNSET else payload.ttl,
        if_updated_at=parse_time(payload.if_updated_at, "payload.if_updated_at")
        if payload.if_updated_at is not None
        else None,
        changed_by=payload.acting_agent,
    )


def _serve_update(revisions: Sequence[revise.Revision]) -> list[Any]:
    return [_changed(revised) for revised in revise.revise_memories(revisions)]


def _changed(result: Any) -> Any:
    return result if isinstance(result, MemoriesError) else Changed(result, [result.memory_id])


def _prepare_delete(ask: Ask) -> forget.Deletion:
    return forget.Deletion(ask.payload.memory_id, ask.request.received_at, ask.payload.acting_agent)


def _serve_delete(deletions: Sequence[forget.Deletion]) -> list[Any]:
    results = forget.forget_memories(deletions)
    return [
        result if isinstance(result, MemoriesError) else Changed(result, [deletion.memory_id])
        for deletion, result in zip(deletions, results, strict=True)
    ]


def _prepare_bulk_delete(ask: Ask) -> tuple[Ask, Filter]:
    filter_: payloads.BulkDeleteFilter = ask.payload.filter
    before = time_if_any(filter_.older_than, "payload.filter.older_than")
    if not (filter_.memory_type or filter_.memory_types or filter_.tags or before):
        raise ValidationFailed(
            "payload.filter", "The filter names none of memory_type, tags and older_than."
        )
    if filter_.scope == Scope.ALL.value and not settings.BULK_DELETE_ALL_ALLOWED:
        raise PermissionDenied("A bulk_delete with scope all is not allowed here.")
    # What arrives after this request is not its to delete, even where it is served first.
    return ask, replace(
        filter_of(ask, filter_, Scope.SESSION),
        before=before,
        end=ask.request.received_at,
    )


def _bulk_delete(item: tuple[Ask, Filter]) -> Changed:
    ask, filter_ = item
    filter_ = with_owners([filter_])[0]
    operation_id = new_operation_id(filter_.searched_owner())
    gone = forget.forget_matching(
        filter_, ask.request.received_at, ask.payload.acting_agent, operation_id
    )
    applied = {"scope": filter_.scope} | {
        name: value
        for name, value in msgspec.structs.asdict(ask.payload.filter).items()
        if value is not None
    }
    data = {"deleted_count": len(gone), "filter_applied": applied, "operation_id": operation_id}
    return Changed(data, gone)


def _prepare_restore(ask: Ask) -> Ask:
    if (ask.payload.memory_id is None) == (ask.payload.operation_id is None):
        raise ValidationFailed(
            "payload.memory_id", "A restore names a memory_id or an operation_id, not both."
        )
    return ask


def _restore(ask: Ask) -> Any:
    payload, at = ask.payload, ask.request.received_at
    if payload.memory_id is not None:
        [result] = restore.restore_memories([payload.memory_id], at, payload.acting_agent)
        return _changed(result)
    ids = restore.restore_operation(payload.operation_id, at, payload.acting_agent)
    return Changed({"restored_count": len(ids)}, ids)


def _touched_by_restore(ask: Ask) -> list[str]:
    return [ask.payload.memory_id or EVERYTHING]


def _touched_memory(item: revise.Revision | forget.Deletion) -> list[str]:
    return [item.memory_id]


def _choose_restore_lane(request: Request) -> LaneName:
    """An operation may have touched any number of memories. A payload that has the field elsewhere
    is served there as well."""
    return LaneName.BULK if b'"operation_id"' in request.payload else LaneName.WRITES


HANDLERS = {
    "update": Handler(
        payload=payloads.UpdatePayload,
        prepare=_prepare_update,
        serve=_serve_update,
        lane=LaneName.WRITES,
        changes=True,
        touches=_touched_memory,
        keyed=True,
    ),
    "delete": Handler(
        payload=payloads.DeletePayload,
        prepare=_prepare_delete,
        serve=_serve_delete,
        lane=LaneName.WRITES,
        changes=True,
        touches=_touched_memory,
        keyed=True,
    ),
    "bulk_delete": Handler(
        payload=payloads.BulkDeletePayload,
        prepare=_prepare_bulk_delete,
        serve=one_by_one(_bulk_delete),
        lane=LaneName.BULK,
        changes=True,
        touches=lambda _: [EVERYTHING],
        keyed=True,
    ),
    "restore": Handler(
        payload=payloads.RestorePayload,
        prepare=_prepare_restore,
        serve=one_by_one(_restore),
        lane=LaneName.WRITES,
        choose_lane=_choose_restore_lane,
        changes=True,
        touches=_touched_by_restore,
        keyed=True,
    ),
}

"""Actions that store and change memories."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import msgspec
from django.conf import settings

from memories.content import read_content
from memories.errors import MemoriesError, PermissionDenied, ValidationFailed
from memories.ids import new_operation_id
from memories.services import forget, restore, revise, store
from memories.services.embedding.given_vectors import read_given
from memories.services.filters import Filter, Scope
from memories.services.results import Stored
from zmqbridge import payloads
from zmqbridge.handlers.base import (
    EVERYTHING,
    Ask,
    Changed,
    Handler,
    LaneName,
    left_out_as,
    one_by_one,
    session_named,
)
from zmqbridge.handlers.filtering import filter_of, time_if_any, with_owners
from zmqbridge.protocol import Request, parse_time, request_key

_LARGE_BATCH_BYTES = 64 << 10


def _new_memory(
    ask: Ask, payload: payloads.CreatePayload, key: bytes, place: int
) -> store.NewMemory:
    at = ask.request.received_at + timedelta(microseconds=place)
    content = read_content(bytes(payload.content))
    if payload.created_at is not None:
        created_at = parse_time(payload.created_at, "payload.created_at")
        if created_at > at:
            raise ValidationFailed("payload.created_at", "payload.created_at is in the future.")
        at = created_at
    return store.NewMemory(
        key=key,
        session_id=ask.request.session_id,
        memory_type=payload.memory_type,
        content_json=content.json,
        created_at=at,
        tags=tuple(dict.fromkeys(payload.tags or ())),
        priority=payload.priority or 5,
        ttl_seconds=payload.ttl,
        source_agent=content.source_agent,
        created_by=payload.acting_agent or ask.payload.acting_agent,
    )


class _Creation(msgspec.Struct, frozen=True):
    """Memories to store, and the vectors that came with some of them, by their places."""

    members: list[store.NewMemory]
    vectors: dict[int, list[float]]
    is_batch: bool


def _prepare_create(ask: Ask) -> _Creation:
    payload: payloads.CreatePayload = ask.payload
    member = _new_memory(ask, payload, request_key(ask.request), 0)
    return _Creation([member], _vectors_in([payload]), False)


def _prepare_batch_create(ask: Ask) -> _Creation:
    key = request_key(ask.request)
    members = []
    for place, payload in enumerate(ask.payload.memories):
        own = blake2b(key + place.to_bytes(4), digest_size=16).digest()
        try:
            members.append(_new_memory(ask, payload, own, place))
        except ValidationFailed as error:
            at = f"payload.memories[{place}]"
            field = str(error.details["field"]).replace("payload", at, 1)
            raise ValidationFailed(field, f"{error.message} ({field})") from None
    return _Creation(members, _vectors_in(ask.payload.memories), True)


def _vectors_in(given: Sequence[payloads.CreatePayload]) -> dict[int, list[float]]:
    return {
        place: payload.embedding
        for place, payload in enumerate(given)
        if payload.embedding is not None
    }


def _with_vectors(creation: _Creation) -> list[store.NewMemory] | MemoriesError:
    """Read here and not when it is prepared: only the database knows the active model."""
    if not creation.vectors:
        return creation.members
    members = list(creation.members)
    for place, values in creation.vectors.items():
        at = f"payload.memories[{place}]" if creation.is_batch else "payload"
        try:
            vector = read_given(values, f"{at}.embedding")
            members[place] = msgspec.structs.replace(members[place], vector=vector)
        except MemoriesError as error:
            return error
    return members


def _store_all(creations: Sequence[_Creation]) -> list[list[Stored] | MemoriesError]:
    """What cannot be stored harms nothing else in the batch."""
    read = [_with_vectors(creation) for creation in creations]
    new = [memory for members in read if isinstance(members, list) for memory in members]
    stored = iter(store.store_memories(new) if new else [])
    return [
        [next(stored) for _ in members]
        if isinstance(members, list)
        # Sent again after the model was changed, its vector no longer fits what it has stored.
        else store.find_stored(creation.members) or members
        for creation, members in zip(creations, read, strict=True)
    ]


def _serve_create(creations: Sequence[_Creation]) -> list[Stored | MemoriesError]:
    return [
        members[0] if isinstance(members, list) else members for members in _store_all(creations)
    ]


def _serve_batch_create(creations: Sequence[_Creation]) -> list[dict[str, Any] | MemoriesError]:
    return [
        {"memory_ids": [m.memory_id for m in members], "created_at": members[0].created_at}
        if isinstance(members, list)
        else members
        for members in _store_all(creations)
    ]


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


def _used_sessions(creation: _Creation) -> list[str]:
    return [session_named(creation.members[0].session_id)]


def _touched_memory(item: revise.Revision | forget.Deletion) -> list[str]:
    return [item.memory_id]


def _choose_batch_lane(request: Request) -> LaneName:
    return LaneName.BULK if len(request.payload) > _LARGE_BATCH_BYTES else LaneName.WRITES


def _choose_restore_lane(request: Request) -> LaneName:
    """An operation may have touched any number of memories. A payload that has the field elsewhere
    is served there as well."""
    return LaneName.BULK if b'"operation_id"' in request.payload else LaneName.WRITES


def _changing(payload: type[payloads.Payload], **kwargs: Any) -> Handler:
    lane = kwargs.pop("lane", LaneName.WRITES)
    return Handler(payload=payload, lane=lane, changes=True, **kwargs)


HANDLERS = {
    "create": _changing(
        payloads.CreatePayload,
        prepare=_prepare_create,
        serve=_serve_create,
        uses=_used_sessions,
        atomic=True,
    ),
    "batch_create": _changing(
        payloads.BatchCreatePayload,
        prepare=_prepare_batch_create,
        serve=_serve_batch_create,
        choose_lane=_choose_batch_lane,
        uses=_used_sessions,
        atomic=True,
    ),
    "update": _changing(
        payloads.UpdatePayload,
        prepare=_prepare_update,
        serve=_serve_update,
        touches=_touched_memory,
        keyed=True,
    ),
    "delete": _changing(
        payloads.DeletePayload,
        prepare=_prepare_delete,
        serve=_serve_delete,
        touches=_touched_memory,
        keyed=True,
    ),
    "bulk_delete": _changing(
        payloads.BulkDeletePayload,
        prepare=_prepare_bulk_delete,
        serve=one_by_one(_bulk_delete),
        lane=LaneName.BULK,
        touches=lambda _: [EVERYTHING],
        keyed=True,
    ),
    "restore": _changing(
        payloads.RestorePayload,
        prepare=_prepare_restore,
        serve=one_by_one(_restore),
        choose_lane=_choose_restore_lane,
        touches=_touched_by_restore,
        keyed=True,
    ),
}

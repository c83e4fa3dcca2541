"""Actions that store new memories."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from memories.content import read_content
from memories.errors import MemoriesError, ValidationFailed
from memories.services import store
from memories.services.embedding.given_vectors import read_given
from memories.services.results import Stored
from zmqbridge import payloads
from zmqbridge.handlers.base import Ask, Handler, LaneName, session_named
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


def _used_sessions(creation: _Creation) -> list[str]:
    return [session_named(creation.members[0].session_id)]


def _choose_batch_lane(request: Request) -> LaneName:
    return LaneName.BULK if len(request.payload) > _LARGE_BATCH_BYTES else LaneName.WRITES


HANDLERS = {
    "create": Handler(
        payload=payloads.CreatePayload,
        prepare=_prepare_create,
        serve=_serve_create,
        lane=LaneName.WRITES,
        changes=True,
        uses=_used_sessions,
        atomic=True,
    ),
    "batch_create": Handler(
        payload=payloads.BatchCreatePayload,
        prepare=_prepare_batch_create,
        serve=_serve_batch_create,
        lane=LaneName.WRITES,
        choose_lane=_choose_batch_lane,
        changes=True,
        uses=_used_sessions,
        atomic=True,
    ),
}

"""Actions on the relationships between memories."""

import msgspec

from memories.content import read_object
from memories.errors import ValidationFailed
from memories.services import relate
from memories.services.relate import NewTie, Related, RelationshipSeen, Removed, Tie
from zmqbridge import payloads
from zmqbridge.handlers.base import About, Ask, Handler, LaneName, as_it_is, left_out_as, one_by_one
from zmqbridge.handlers.reading import MAX_PAGE_BYTES
from zmqbridge.protocol import explain


def _tie(payload: payloads.RelatePayload | payloads.UnrelatePayload) -> Tie:
    if payload.source_id == payload.target_id:
        raise ValidationFailed("payload.target_id", "A memory is not tied to itself.")
    return Tie(payload.source_id, payload.target_id, payload.relationship_type)


def _prepare_relate(ask: Ask) -> NewTie:
    payload: payloads.RelatePayload = ask.payload
    metadata = left_out_as(b"{}", payload.metadata)
    read_object(metadata, "payload.metadata")
    _check_agent(payload)
    return NewTie(
        _tie(payload),
        ask.request.received_at,
        strength=1.0 if payload.strength is None else payload.strength,
        metadata_json=metadata.decode(),
    )


def _check_agent(payload: payloads.RelatePayload) -> None:
    try:
        _ = payload.acting_agent
    except msgspec.ValidationError as error:
        message, field = explain(error, "payload.metadata")
        raise ValidationFailed(field, message) from None


def _prepare_unrelate(ask: Ask) -> Tie:
    return _tie(ask.payload)


def _related(ask: Ask) -> Related:
    payload: payloads.RelatedPayload = ask.payload
    return relate.find_related(
        payload.memory_id, payload.relationship_type, payload.depth or 1, MAX_PAGE_BYTES
    )


def _touched(item: NewTie | Tie) -> list[str]:
    tie = item.tie if isinstance(item, NewTie) else item
    return [f"relationship {tie.source_id} {tie.target_id} {tie.relationship_type}"]


def _used(item: NewTie | Tie) -> list[str]:
    """Both memories: one that is deleted in the same batch is tied before that or not at all."""
    tie = item.tie if isinstance(item, NewTie) else item
    return [tie.source_id, tie.target_id]


def _about_both(ask: Ask, _: RelationshipSeen | Removed) -> About:
    return About([ask.payload.source_id, ask.payload.target_id])


def _about_related(_: Ask, result: Related) -> About:
    return About([memory.memory_id for memory in result.memories])


HANDLERS = {
    "relate": Handler(
        payload=payloads.RelatePayload,
        prepare=_prepare_relate,
        serve=relate.relate_memories,
        lane=LaneName.WRITES,
        changes=True,
        keyed=True,
        touches=_touched,
        uses=_used,
        about=_about_both,
    ),
    "unrelate": Handler(
        payload=payloads.UnrelatePayload,
        prepare=_prepare_unrelate,
        serve=relate.unrelate_memories,
        lane=LaneName.WRITES,
        changes=True,
        keyed=True,
        touches=_touched,
        uses=_used,
        about=_about_both,
    ),
    "related": Handler(
        payload=payloads.RelatedPayload,
        prepare=as_it_is,
        serve=one_by_one(_related),
        about=_about_related,
    ),
}

"""Actions on sessions."""

from typing import Any

import msgspec

from memories.content import read_object
from memories.errors import ValidationFailed
from memories.services import sessions
from memories.services.results import SessionSeen
from zmqbridge import payloads
from zmqbridge.handlers.base import (
    About,
    Ask,
    Handler,
    LaneName,
    about_session,
    about_user,
    as_it_is,
    left_out_as,
    one_by_one,
    session_named,
)
from zmqbridge.protocol import request_key


class _SessionType(msgspec.Struct):
    session_type: payloads.MemoryType | None = None


_read_session_type = msgspec.json.Decoder(_SessionType)


def _prepare_create_session(ask: Ask) -> sessions.NewSession:
    payload: payloads.CreateSessionPayload = ask.payload
    metadata = left_out_as(b"{}", payload.session_metadata)
    read_object(metadata, "payload.session_metadata")
    try:
        hinted = _read_session_type.decode(metadata).session_type
    except msgspec.ValidationError as error:
        raise ValidationFailed("payload.session_metadata.session_type", str(error)) from None
    return sessions.NewSession(
        key=request_key(ask.request),
        at=ask.request.received_at,
        session_id=ask.request.session_id,
        user_id=payload.user_id or "",
        session_type=payload.session_type or hinted or "conversation",
        metadata_json=metadata.decode(),
    )


def _end_session(ask: Ask) -> sessions.EndedSession:
    return sessions.end_session(
        ask.request.session_id,
        ask.request.received_at,
        ask.payload.summary,
        bool(ask.payload.archive),
    )


def _get_session(ask: Ask) -> SessionSeen:
    return sessions.get_session(ask.payload.session_id or ask.request.session_id)


def _list_sessions(ask: Ask) -> dict[str, Any]:
    payload: payloads.ListSessionsPayload = ask.payload
    limit, offset = payload.limit or 10, payload.offset or 0
    page, total = sessions.list_sessions(payload.user_id, limit, offset, bool(payload.archived))
    has_more = offset + len(page) < total
    info = {"limit": limit, "offset": offset, "has_more": has_more}
    return {"sessions": page, "total_count": total, "page_info": info}


def _touched(item: Ask | sessions.NewSession) -> list[str]:
    session_id = item.id() if isinstance(item, sessions.NewSession) else item.request.session_id
    return [session_named(session_id)]


def _about_result(_: Ask, result: sessions.OpenedSession | SessionSeen) -> About:
    return About(session_id=result.session_id)


HANDLERS = {
    "create_session": Handler(
        payload=payloads.CreateSessionPayload,
        prepare=_prepare_create_session,
        serve=sessions.open_sessions,
        lane=LaneName.WRITES,
        changes=True,
        touches=_touched,
        about=_about_result,
    ),
    "end_session": Handler(
        payload=payloads.EndSessionPayload,
        prepare=as_it_is,
        serve=one_by_one(_end_session),
        lane=LaneName.WRITES,
        changes=True,
        keyed=True,
        touches=_touched,
        about=about_session,
    ),
    "get_session": Handler(
        payload=payloads.GetSessionPayload,
        prepare=as_it_is,
        serve=one_by_one(_get_session),
        about=_about_result,
    ),
    "list_sessions": Handler(
        payload=payloads.ListSessionsPayload,
        prepare=as_it_is,
        serve=one_by_one(_list_sessions),
        about=about_user,
    ),
}

"""Sessions: open, end, look at, list; and who owns one. Called by handlers, admin and importers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import transaction

from memories import ids
from memories.bounded import BoundedDict
from memories.changes import ALIVE, rows
from memories.errors import MemoriesError, SessionNotFound, ValidationFailed
from memories.services.results import SessionSeen, raw, within

# A session never changes its owner, so what was once committed may be remembered for good.
_owners: BoundedDict[str, UUID] = BoundedDict(100_000)
_era = 0  # how often all of them were forgotten


class OpenedSession(msgspec.Struct, frozen=True):
    session_id: str
    created_at: datetime


class EndedSession(msgspec.Struct, frozen=True):
    session_id: str
    ended_at: datetime
    is_archived: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """`key` makes the id where `session_id` is "", so that a repeated request opens no second."""

    key: bytes
    at: datetime
    session_id: str = ""
    user_id: str = ""
    session_type: str = "conversation"
    metadata_json: str = "{}"

    def owner_id(self) -> UUID:
        if self.user_id:
            return ids.owner_of_user(self.user_id)
        if self.session_id:
            # Whatever it looks like: a made-up id that holds an owner is not that owner's.
            return ids.owner_of_session(self.session_id)
        return ids.owner_of_session(ids.key_text(self.key))

    def id(self) -> str:
        return self.session_id or ids.session_id(self.owner_id(), self.key)


def open_sessions(new: Sequence[NewSession]) -> list[OpenedSession | MemoriesError]:
    """Make the sessions that do not exist yet; one that does is answered as it stands."""
    _insert(new)
    found = _found([session.id() for session in new])
    return [_opened(session, found[session.id()]) for session in new]


def owners_of_sessions(session_ids: Iterable[str]) -> dict[str, UUID]:
    """The owner of each session; unknown sessions are left out."""
    wanted = set(session_ids)
    known = {an_id: owner for an_id in wanted if (owner := _owners.get(an_id))}
    if unknown := sorted(wanted - known.keys()):
        era = _era
        found = {an_id: session.owner_id for an_id, session in _found(unknown).items()}
        transaction.on_commit(partial(_remember, found, era))
        known |= found
    return known


def owners_of_opened_sessions(session_ids: Iterable[str], at: datetime) -> dict[str, UUID]:
    """The owner of each session; unknown sessions are opened, in the caller's transaction."""
    wanted = set(session_ids)
    known = owners_of_sessions(wanted)
    if unknown := sorted(wanted - known.keys()):
        _insert([NewSession(b"", at, session_id=an_id) for an_id in unknown])
        known |= owners_of_sessions(unknown)
    return known


def forget_owners() -> None:
    """Drop what is remembered of sessions: one of them may have been erased."""
    global _era
    _era += 1
    _owners.clear()


def _remember(found: dict[str, UUID], era: int) -> None:
    """Unless all was forgotten since it was looked up: it may be of before an erasure."""
    if era == _era:
        _owners.update(found)


def end_session(
    session_id: str, at: datetime, summary: str | None = None, archive: bool = False
) -> EndedSession:
    """End it, or once more what has ended: the first end stays. Raises SessionNotFound."""
    ended = rows(
        """
        UPDATE sessions SET ended_at = coalesce(ended_at, %(at)s), updated_at = %(at)s,
            summary = coalesce(%(summary)s, summary), is_archived = is_archived OR %(archive)s
        WHERE id = %(id)s AND owner_id = %(owner)s
        RETURNING id, ended_at, is_archived""",
        {
            "at": at,
            "summary": summary,
            "archive": archive,
            "id": session_id,
            "owner": _owner_of(session_id),
        },
    )
    if not ended:
        raise SessionNotFound(session_id=session_id)
    return EndedSession(*ended[0])


_SEEN = f"""
SELECT s.id, nullif(s.user_id, ''), s.session_type, s.metadata::text, nullif(s.summary, ''),
    s.created_at, s.updated_at, s.ended_at, s.is_archived, c.memory_count, c.last_memory_at
FROM {{sessions}} s CROSS JOIN LATERAL (
    SELECT count(*) AS memory_count, max(m.created_at) AS last_memory_at FROM memory_entries m
    WHERE m.owner_id = s.owner_id AND m.session_id = s.id AND {ALIVE}) c
"""


def get_session(session_id: str) -> SessionSeen:
    """Raises SessionNotFound."""
    found = rows(
        f"{_SEEN.format(sessions='sessions')} WHERE s.id = %s AND s.owner_id = %s",
        [session_id, _owner_of(session_id)],
    )
    if not found:
        raise SessionNotFound(session_id=session_id)
    return _seen(*found[0])


# What stands ahead is summed up, so that a page of megabytes of metadata is not read whole.
_PAGE = """(
    SELECT s.*, sum(octet_length(s.metadata::text) + octet_length(s.summary)) OVER (
        ORDER BY s.created_at DESC, s.id ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS ahead
    FROM (SELECT * FROM sessions s {where}
          ORDER BY s.created_at DESC, s.id LIMIT %(limit)s OFFSET %(offset)s) s)"""


def list_sessions(
    user_id: str | None, limit: int, offset: int, archived: bool, max_bytes: int = 15 << 20
) -> tuple[list[SessionSeen], int]:
    """A page of sessions, newest first, of at most `max_bytes`, and how many there are in all."""
    conditions = [] if archived else ["NOT s.is_archived"]
    params: dict[str, Any] = {"limit": limit, "offset": offset, "max_bytes": max_bytes}
    if user_id is not None:
        conditions.append("s.owner_id = %(owner)s")
        params["owner"] = ids.owner_of_user(user_id)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    page = rows(
        f"""{_SEEN.format(sessions=_PAGE.format(where=where))}
        WHERE coalesce(s.ahead, 0) < %(max_bytes)s ORDER BY s.created_at DESC, s.id""",
        params,
    )
    [(total,)] = rows(f"SELECT count(*) FROM sessions s {where}", params)
    return within([_seen(*row) for row in page], max_bytes), total


def _seen(an_id: str, user_id: str, kind: str, metadata: str, *rest: Any) -> SessionSeen:
    return SessionSeen(an_id, user_id, kind, raw(metadata), *rest)


def _owner_of(session_id: str) -> UUID | None:
    return owners_of_sessions([session_id]).get(session_id)


class _Found(NamedTuple):
    owner_id: UUID
    user_id: str
    created_at: datetime


def _opened(session: NewSession, found: _Found) -> OpenedSession | MemoriesError:
    """Without a user every session that has none is as asked for, one that was made here too."""
    is_other = found.owner_id != session.owner_id() if session.user_id else found.user_id != ""
    if is_other:
        return ValidationFailed(
            "session_id", f"The session {session.session_id} is in use by another owner."
        )
    return OpenedSession(session.id(), found.created_at)


def _found(session_ids: Sequence[str]) -> dict[str, _Found]:
    return {
        an_id: _Found(*session)
        for an_id, *session in rows(
            "SELECT id, owner_id, user_id, created_at FROM sessions WHERE id = ANY(%s)",
            [list(session_ids)],
        )
    }


_INSERT = """
INSERT INTO sessions (id, owner_id, user_id, session_type, metadata, summary, created_at,
    updated_at, is_archived)
SELECT n.id, n.owner_id, n.user_id, n.session_type, n.metadata, '', n.at, n.at, false
FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::timestamptz[])
    AS n (id, owner_id, user_id, session_type, metadata, at)
ORDER BY n.id
ON CONFLICT (id) DO NOTHING"""


def _insert(new: Sequence[NewSession]) -> None:
    columns = zip(
        *(
            (s.id(), s.owner_id(), s.user_id, s.session_type, s.metadata_json, s.at)
            for s in {s.id(): s for s in reversed(new)}.values()
        ),
        strict=True,
    )
    rows(_INSERT, [list(column) for column in columns])

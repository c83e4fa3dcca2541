"""Exactly once: the answers of changes that were made, found again by the request's key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from memories import ids
from memories.changes import rows


class KeyedRequest(NamedTuple):
    """`key`: 16 bytes that tell a request from every other. Its session spreads the keys: whoever
    makes up an id that holds an owner gets no more by it than the answers to its own requests."""

    key: bytes
    session_id: str

    def owner_id(self) -> UUID:
        return ids.owner_in(self.session_id) or ids.owner_of_session(self.session_id)


def answers_before(requests: Sequence[KeyedRequest]) -> dict[bytes, bytes]:
    """The JSON text of the answer of each request that was already carried out."""
    texts = {ids.key_text(request.key): request.key for request in requests}
    found = rows(
        "SELECT id, answer::text FROM request_keys WHERE id = ANY(%s) AND owner_id = ANY(%s)",
        [list(texts), list({request.owner_id() for request in requests})],
    )
    return {texts[key]: answer.encode() for key, answer in found}


def keep_answers(answers: Mapping[KeyedRequest, Any], at: datetime) -> None:
    """Keep the answer of each request in this transaction.

    A key that another orchestrator keeps at the same time raises IntegrityError: the transaction
    is then repeated, and finds that answer.
    """
    if not answers:
        return
    rows(
        """
        INSERT INTO request_keys (id, owner_id, answer, created_at)
        SELECT n.id, n.owner_id, n.answer, %s
        FROM unnest(%s::text[], %s::uuid[], %s::jsonb[]) AS n (id, owner_id, answer)""",
        [
            at,
            [ids.key_text(request.key) for request in answers],
            [request.owner_id() for request in answers],
            [msgspec.json.encode(answer).decode() for answer in answers.values()],
        ],
    )


# The answers that an owner was given or that tell of one. A key is its session's, which need not
# be the owner of what was changed: an answer names that by ids, or by the user.
FORGET_OWNER = """
DELETE FROM request_keys
WHERE owner_id = ANY(%(owners)s) OR position(%(part)s IN answer::text) > 0
    OR answer ->> 'user_id' = %(user)s
    OR coalesce(answer ->> 'memory_id', answer ->> 'source_id') IN (
        SELECT id COLLATE "default" FROM memory_entries WHERE owner_id = %(owner)s)"""


def owners_of_keys(owner_id: UUID, session_ids: Sequence[str]) -> list[UUID]:
    """Under which owners the keys of these sessions stand, and `owner_id`."""
    found = {KeyedRequest(b"", session_id).owner_id() for session_id in session_ids}
    return list(found | {owner_id})

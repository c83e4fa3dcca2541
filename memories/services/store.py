"""Store new memories: one statement for all of a batch. Called by handlers and importers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from memories import ids
from memories.changes import QUEUE, rows
from memories.services.embedding.given_vectors import GivenVector
from memories.services.results import Stored
from memories.services.sessions import owners_of_opened_sessions, owners_of_sessions
from memories.services.words import made_of_content_sql


class NewMemory(msgspec.Struct, frozen=True):
    """`content_json` is the content's JSON text. `key`: 16 bytes from which the id is made, so
    that a repeated request finds its memory there; a memory from elsewhere may keep its
    `memory_id`. `ttl_seconds` counts from the commit, `expires_at` is a moment that may be past.
    `vector`: one that need not be made."""

    key: bytes
    session_id: str
    memory_type: str
    content_json: bytes
    created_at: datetime
    tags: Sequence[str] = ()
    priority: int = 5
    ttl_seconds: int | None = None
    source_agent: str = ""
    created_by: str = ""
    vector: GivenVector | None = None
    memory_id: str = ""
    expires_at: datetime | None = None


class _Row(msgspec.Struct):
    id: str
    owner_id: UUID
    session_id: str
    memory_type: str
    content: msgspec.Raw
    content_bytes: int
    tags: Sequence[str]
    priority: int
    ttl: int | None
    source_agent: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None


def store_memories(new: Sequence[NewMemory]) -> list[Stored]:
    """Store what is not there yet, opening sessions on the way; all or nothing.

    A memory whose id exists, deleted or not, is answered as it was stored the first time.
    """
    session_ids = {memory.session_id for memory in new}
    owners = owners_of_sessions(session_ids)
    if len(owners) == len(session_ids):
        return _insert(new, owners)
    with transaction.atomic(savepoint=False):
        owners = owners_of_opened_sessions(session_ids, at=new[0].created_at)
        return _insert(new, owners)


def find_stored(new: Sequence[NewMemory]) -> list[Stored] | None:
    """What these were answered before, or None where one of them is not stored."""
    owners = owners_of_sessions({memory.session_id for memory in new})
    if any(memory.session_id not in owners for memory in new):
        return None
    batch = [_row(memory, owners[memory.session_id]) for memory in new]
    before = _stored_before(batch)
    if any(row.id not in before for row in batch):
        return None
    return [Stored(row.id, before[row.id]) for row in batch]


def _insert(new: Sequence[NewMemory], owners: Mapping[str, UUID]) -> list[Stored]:
    batch = [_row(memory, owners[memory.session_id]) for memory in new]
    inserted = {row[0] for row in _insert_rows(batch, _vectors_by_id(new, batch))}
    # Of a request that came twice in one batch the first is stored.
    stored = {row.id: row.created_at for row in reversed(batch) if row.id in inserted}
    if len(inserted) < len(batch):
        stored |= _stored_before([row for row in batch if row.id not in inserted])
    return [Stored(row.id, stored[row.id]) for row in batch]


def _vectors_by_id(new: Sequence[NewMemory], batch: Sequence[_Row]) -> dict[str, GivenVector]:
    """Of a request that came twice the first's, as its memory."""
    pairs = zip(reversed(new), reversed(batch), strict=True)
    return {row.id: memory.vector for memory, row in pairs if memory.vector is not None}


def _insert_rows(
    batch: Sequence[_Row], vectors: Mapping[str, GivenVector]
) -> list[tuple[Any, ...]]:
    parameters = [msgspec.json.encode(batch).decode()]
    if not vectors:
        return rows(_insert_sql(), parameters)
    given = [{"id": an_id, **vector._asdict()} for an_id, vector in vectors.items()]
    return rows(_insert_with_vectors_sql(), [*parameters, msgspec.json.encode(given).decode()])


def _row(memory: NewMemory, owner_id: UUID) -> _Row:
    return _Row(
        memory.memory_id or ids.memory_id(owner_id, memory.key),
        owner_id,
        memory.session_id,
        memory.memory_type,
        msgspec.Raw(memory.content_json),
        len(memory.content_json),
        memory.tags,
        memory.priority,
        memory.ttl_seconds,
        memory.source_agent,
        memory.created_by,
        memory.created_at,
        memory.expires_at,
    )


@cache
def _insert_sql() -> str:
    return f"""
    WITH stored AS ({_stored_sql()}),
    queued AS ({QUEUE.format(source="stored s", condition="s.can_be_found")})
    SELECT id FROM stored"""


@cache
def _insert_with_vectors_sql() -> str:
    """A statement of its own, so that creates without vectors do not pay for them."""
    unmade = "s.can_be_found AND NOT EXISTS (SELECT FROM g WHERE g.id = s.id AND g.model_id = e.id)"
    return f"""
    WITH stored AS ({_stored_sql()}),
    g AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%s::jsonb) AS g (id text, model_id bigint, text text)),
    given AS (
        INSERT INTO embeddings (owner_id, memory_id, model_id, version, embedding)
        SELECT s.owner_id, s.id, g.model_id, 1, g.text::vector FROM stored s JOIN g USING (id)),
    queued AS ({QUEUE.format(source="stored s", condition=unmade)})
    SELECT id FROM stored"""


def _stored_sql() -> str:
    # One JSON parameter for the whole batch: twice the rows a second of bulk_create, which sends
    # and parses a placeholder for every value (docs/benchmarks.md).
    return f"""
        INSERT INTO memory_entries (id, owner_id, session_id, memory_type, content, content_bytes,
            text, speaker, words, search, tags, priority, source_agent, created_by, version,
            content_version, created_at, updated_at, expires_at)
        SELECT n.id, n.owner_id, n.session_id, n.memory_type, n.content, n.content_bytes,
            made.text, made.speaker, length(made.search), made.search, n.tags, n.priority,
            n.source_agent, n.created_by, 1, 1, n.created_at, n.created_at,
            coalesce(n.expires_at, now() + n.ttl * interval '1 second')
        FROM jsonb_to_recordset(%s::jsonb) AS n (id text, owner_id uuid, session_id text,
                memory_type text, content jsonb, content_bytes int, tags text[], priority int,
                ttl bigint, source_agent text, created_by text, created_at timestamptz,
                expires_at timestamptz)
            CROSS JOIN LATERAL {made_of_content_sql("n.content")} made
        ON CONFLICT (id) DO NOTHING
        RETURNING id, owner_id,
            text <> '' AND (expires_at IS NULL OR expires_at > now()) AS can_be_found"""


def _stored_before(batch: Sequence[_Row]) -> dict[str, datetime]:
    return dict(
        rows(
            "SELECT id, created_at FROM memory_entries WHERE id = ANY(%s) AND owner_id = ANY(%s)",
            [[row.id for row in batch], list({row.owner_id for row in batch})],
        )
    )

"""Change memories that exist: `update`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from memories.changes import (
    ALIVE,
    FORGET_TASKS,
    KEPT,
    LOCKED,
    QUEUE,
    rows,
    settle_changes,
)
from memories.errors import MemoriesError, MemoryNotFound, ValidationFailed
from memories.services.owners import names_of
from memories.services.results import Revised
from memories.services.words import made_of_content_sql


@dataclass(frozen=True, slots=True)
class Revision:
    """New values for the fields that are not None, whole. `ttl_seconds` counts from the commit,
    `expires_at` is a moment; `set_ttl` without either removes the expiry. Nothing happens
    where the memory has changed since `if_updated_at`."""

    memory_id: str
    at: datetime
    memory_type: str | None = None
    content_json: bytes | None = None
    tags: tuple[str, ...] | None = None
    priority: int | None = None
    source_agent: str | None = None
    set_ttl: bool = False
    ttl_seconds: int | None = None
    expires_at: datetime | None = None
    if_updated_at: datetime | None = None
    changed_by: str = ""


class _Row(msgspec.Struct):
    id: str
    owner_id: UUID
    changed_at: datetime
    changed_by: str
    memory_type: str | None
    content: msgspec.Raw | None
    content_bytes: int | None
    tags: tuple[str, ...] | None
    priority: int | None
    source_agent: str | None
    set_ttl: bool
    ttl: int | None
    expires_at: datetime | None
    if_updated_at: datetime | None


def revise_memories(revisions: Sequence[Revision]) -> list[Revised | MemoriesError]:
    """Change each memory, none of which may occur twice; keeps what they held before."""
    names = names_of({revision.memory_id for revision in revisions})
    batch = [_row(r, names[r.memory_id].owner_id) for r in revisions if r.memory_id in names]
    with transaction.atomic(savepoint=False):
        seen = {row[0]: row[1:] for row in _change(batch)}
        _mark_vectors([row for row in batch if row.priority is not None])
        settle_changes([names[an_id] for an_id, row in seen.items() if row[1]])
    return [_result(revision, seen.get(revision.memory_id)) for revision in revisions]


def _mark_vectors(batch: Sequence[_Row]) -> None:
    """A vector's new id tells the indexes in memory, which keep the priority. A statement of its
    own, after the rows are locked: the one before would not see a vector that was stored while it
    waited for them."""
    if batch:
        rows(
            """
            UPDATE embeddings v SET id = DEFAULT
            FROM unnest(%s::uuid[], %s::text[]) AS named (owner_id, memory_id)
            WHERE v.owner_id = named.owner_id AND v.memory_id = named.memory_id""",
            [[row.owner_id for row in batch], [row.id for row in batch]],
        )


def _result(revision: Revision, seen: Any) -> Revised | MemoriesError:
    if seen is None:
        return MemoryNotFound(memory_id=revision.memory_id)
    updated_before, updated_at, expires_at = seen
    if updated_at is None:
        return ValidationFailed(
            "payload.if_updated_at",
            f"The memory has changed since: it was updated at {updated_before.isoformat()}.",
            updated_at=updated_before,
        )
    return Revised(revision.memory_id, updated_at, expires_at)


def _row(revision: Revision, owner_id: UUID) -> _Row:
    content = revision.content_json
    return _Row(
        revision.memory_id,
        owner_id,
        revision.at,
        revision.changed_by,
        revision.memory_type,
        msgspec.Raw(content) if content is not None else None,
        len(content) if content is not None else None,
        revision.tags,
        revision.priority,
        revision.source_agent,
        revision.set_ttl,
        revision.ttl_seconds,
        revision.expires_at,
        revision.if_updated_at,
    )


def _change(batch: Sequence[_Row]) -> list[tuple[Any, ...]]:
    """For each live memory its id, when it was updated before, and what it is now."""
    if not batch:
        return []
    changes = msgspec.json.encode(batch).decode()
    return rows(_update_sql(), {"changes": changes, "action": "update", "operation_id": ""})


@cache
def _update_sql() -> str:
    return f"""
    WITH named AS (
        SELECT n.*, made.text, made.speaker, made.search
        FROM jsonb_to_recordset(%(changes)s::jsonb) AS n (id text, owner_id uuid,
                changed_at timestamptz, changed_by text, memory_type text, content jsonb,
                content_bytes int, tags text[], priority int, source_agent text, set_ttl boolean,
                ttl bigint, expires_at timestamptz, if_updated_at timestamptz)
            CROSS JOIN LATERAL {made_of_content_sql("n.content")} made),
    seen AS ({LOCKED.format(condition=ALIVE)}),
    before AS (
        SELECT seen.* FROM seen
        JOIN named ON seen.owner_id = named.owner_id AND seen.id = named.id
        WHERE named.if_updated_at IS NULL OR named.if_updated_at = seen.updated_at),
    kept AS ({KEPT}),
    said AS (
        SELECT b.owner_id, b.id, n.text FROM before b
        JOIN named n ON b.owner_id = n.owner_id AND b.id = n.id WHERE n.content IS NOT NULL),
    outdated AS ({FORGET_TASKS.format(source="said s")}),
    queued AS ({QUEUE.format(source="said s", condition="s.text <> ''")}),
    changed AS (
        UPDATE memory_entries m SET
            memory_type = coalesce(n.memory_type, m.memory_type),
            content = coalesce(n.content, m.content),
            content_bytes = coalesce(n.content_bytes, m.content_bytes),
            text = CASE WHEN n.content IS NULL THEN m.text ELSE n.text END,
            speaker = CASE WHEN n.content IS NULL THEN m.speaker ELSE n.speaker END,
            search = CASE WHEN n.content IS NULL THEN m.search ELSE n.search END,
            words = CASE WHEN n.content IS NULL THEN m.words ELSE length(n.search) END,
            tags = coalesce(n.tags, m.tags),
            priority = coalesce(n.priority, m.priority),
            source_agent = coalesce(n.source_agent, m.source_agent),
            expires_at = CASE WHEN NOT n.set_ttl THEN m.expires_at
                ELSE coalesce(n.expires_at, now() + n.ttl * interval '1 second') END,
            updated_at = n.changed_at,
            version = m.version + 1,
            content_version =
                CASE WHEN n.content IS NULL THEN m.content_version ELSE m.version + 1 END
        FROM before b JOIN named n ON b.owner_id = n.owner_id AND b.id = n.id
        WHERE m.owner_id = b.owner_id AND m.id = b.id
        RETURNING m.id, m.updated_at, m.expires_at)
    SELECT seen.id, seen.updated_at, changed.updated_at, changed.expires_at
    FROM seen LEFT JOIN changed USING (id)"""

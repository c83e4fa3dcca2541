"""The statements that change memories which exist.

Each keeps what the memory held before, counts its version up and tells the caches, all in the
caller's transaction. The services call them, and so do the managers, so that a soft delete from
a shell is as safe as one over the wire.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from memories.deadlines import limit_statement

CHANNEL = "memories_changed"
EVERYTHING = "*"

_NOTIFY_MAX_BYTES = 7900  # PostgreSQL refuses a payload of 8000
_NOTIFY_MAX_IDS = 10_000  # beyond, a cache is quicker emptied than searched


class Name(NamedTuple):
    """An id with its owner: every statement names both."""

    owner_id: UUID
    id: str


class Target(NamedTuple):
    """A memory that is to change, when and by whom."""

    owner_id: UUID
    id: str
    changed_at: datetime
    changed_by: str = ""


def rows(sql: str, params: dict[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    return _rows(sql, params, prepare=None)


def rows_planned_anew(
    sql: str, params: dict[str, Any] | Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Run one statement with a plan for these very values, and return its rows.

    PostgreSQL plans a prepared statement without its values after some runs. A search depends on
    them: how much a word or an owner brings decides its plan, and without it takes 2 to 5 times
    as long.
    """
    return _rows(sql, params, prepare=False)


def _rows(
    sql: str, params: dict[str, Any] | Sequence[Any], *, prepare: bool | None
) -> list[tuple[Any, ...]]:
    """On psycopg's own cursor: Django's takes a tenth of the time of a single create. Where
    somebody looks on (a test, a log of queries), Django's, which tells them."""
    limit_statement()
    if connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as watched:
            watched.execute(sql, params)
            return watched.fetchall() if watched.description else []
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        cursor = connection.connection.execute(sql, params, prepare=prepare)
        return cursor.fetchall() if cursor.description else []


# The steps of a changing statement. `named`: the targets. LOCKED: their rows, locked in the order
# of their ids, since two batches that meet in another order would deadlock. KEPT: what the rows
# in `before` hold, kept as revisions.
LOCKED = """
SELECT m.* FROM memory_entries m
JOIN named ON m.owner_id = named.owner_id AND m.id = named.id
WHERE {condition} ORDER BY m.id FOR UPDATE OF m"""

KEPT = """
INSERT INTO revisions (owner_id, memory_id, version, action, memory_type, content, tags,
    priority, updated_at, expires_at, deleted_at, changed_at, changed_by, operation_id)
SELECT b.owner_id, b.id, b.version, %(action)s, b.memory_type, b.content, b.tags,
    b.priority, b.updated_at, b.expires_at, b.deleted_at, named.changed_at, named.changed_by,
    %(operation_id)s
FROM before b JOIN named ON b.owner_id = named.owner_id AND b.id = named.id"""

# Have the vectors made of the memories `s` (owner_id, id), by every model that makes them itself.
QUEUE = """
INSERT INTO embedding_tasks (owner_id, memory_id, model_id, due_at, attempts, error)
SELECT s.owner_id, s.id, e.id, now(), 0, ''
FROM {source} CROSS JOIN embedding_models e
WHERE {condition} AND e.state <> 'retired' AND e.kind <> 'given'"""

# What a memory said before is no longer to be embedded, or shown as what could not be.
FORGET_TASKS = """
DELETE FROM embedding_tasks t USING {source}
WHERE t.owner_id = s.owner_id AND t.memory_id = s.id"""

ALIVE = "m.deleted_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > now())"

_CHANGE = f"""
WITH named AS (
    SELECT * FROM unnest(%(owners)s::uuid[], %(ids)s::text[], %(at)s::timestamptz[], %(by)s::text[])
        AS n (owner_id, id, changed_at, changed_by)),
before AS ({LOCKED}),
kept AS ({KEPT}),
tasks AS ({{tasks}})
UPDATE memory_entries m SET {{changes}}, version = m.version + 1
FROM before b JOIN named ON b.owner_id = named.owner_id AND b.id = named.id
WHERE m.owner_id = b.owner_id AND m.id = b.id
RETURNING m.owner_id, m.id"""

_FORGET = FORGET_TASKS.format(source="before s")
_DELETE = _CHANGE.format(condition=ALIVE, changes="deleted_at = named.changed_at", tasks=_FORGET)
_EXPIRE = _CHANGE.format(
    condition="m.deleted_at IS NULL AND m.expires_at <= now()",
    # Since it was found expired: a store that was imported long after its memories had expired,
    # or was not served for a while, has its whole grace period before the purge.
    changes="deleted_at = named.changed_at",
    tasks=_FORGET,
)
# Only what is gone is brought back: a live memory stays as it is, its expiry included.
_RESTORE = _CHANGE.format(
    condition="m.deleted_at IS NOT NULL OR m.expires_at <= now()",
    changes="deleted_at = NULL, expires_at = CASE WHEN m.expires_at > now() THEN m.expires_at END",
    tasks=QUEUE.format(source="before s", condition="s.text <> ''"),
)


def delete_softly(
    targets: Sequence[Target], action: str = "delete", operation_id: str = ""
) -> list[str]:
    """Returns the ids of those that were alive."""
    return _change(_DELETE, targets, action, operation_id)


def delete_expired(targets: Sequence[Target]) -> list[str]:
    """Mark what has expired as deleted. Returns the ids that it marked."""
    return _change(_EXPIRE, targets, "expire", "")


def bring_back(targets: Sequence[Target], operation_id: str = "") -> list[str]:
    """Returns the ids of those that were deleted or expired."""
    return _change(_RESTORE, targets, "restore", operation_id)


_NOTIFY = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) payload"


def settle_changes(names: Sequence[Name]) -> None:
    """The last step of a change, in its transaction: what these memories said before is found no
    more, and every cache is told to forget them when it commits.

    A statement of its own, since that of the change would not see a vector that was kept while it
    waited for the rows.
    """
    if payloads := list(_payloads([name.id for name in names])):
        rows(
            f"""
            WITH outdated AS (
                DELETE FROM embeddings v
                USING unnest(%s::uuid[], %s::text[]) AS named (owner_id, id), memory_entries m
                WHERE m.owner_id = named.owner_id AND m.id = named.id
                    AND v.owner_id = named.owner_id AND v.memory_id = named.id
                    AND (m.deleted_at IS NOT NULL OR m.content_version <> v.version))
            {_NOTIFY}""",
            [[name.owner_id for name in names], [name.id for name in names], CHANNEL, payloads],
        )


def notify_changed(ids: Sequence[str]) -> None:
    """Tell every cache, when this transaction commits, to forget these memories."""
    if payloads := list(_payloads(ids)):
        rows(_NOTIFY, [CHANNEL, payloads])


def _change(sql: str, targets: Sequence[Target], action: str, operation_id: str) -> list[str]:
    if not targets:
        return []
    owners, ids, at, by = (list(column) for column in zip(*targets, strict=True))
    parameters = {"owners": owners, "ids": ids, "at": at, "by": by}
    with transaction.atomic(savepoint=False):
        changed = rows(sql, parameters | {"action": action, "operation_id": operation_id})
        settle_changes([Name(*row) for row in changed])
    return [row[1] for row in changed]


def _payloads(ids: Sequence[str]) -> Iterator[str]:
    """The ids as JSON lists, in as few as PostgreSQL's limit allows; of too many, EVERYTHING."""
    if len(ids) > _NOTIFY_MAX_IDS:
        yield EVERYTHING
        return
    chunk: list[str] = []
    size_bytes = 2
    for an_id in map(json.dumps, ids):
        if size_bytes + len(an_id) + 1 > _NOTIFY_MAX_BYTES:
            yield f"[{','.join(chunk)}]"
            chunk, size_bytes = [], 2
        chunk.append(an_id)
        size_bytes += len(an_id) + 1
    if chunk:
        yield f"[{','.join(chunk)}]"

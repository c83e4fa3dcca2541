"""What a memory held before each of its changes. Called by handlers and admin."""

from typing import Any

from memories.changes import rows
from memories.errors import MemoryNotFound
from memories.services.owners import names_of
from memories.services.results import FRAME_BYTES, RevisionSeen, raw


def history_of(
    memory_id: str, limit: int | None = None, offset: int = 0, max_bytes: int = 15 << 20
) -> list[RevisionSeen]:
    """Newest first, of a deleted memory too; as many as fit into a reply of `max_bytes`.

    Raises MemoryNotFound where there never was one.
    """
    name = names_of([memory_id]).get(memory_id)
    if name is None or not rows(
        "SELECT 1 FROM memory_entries WHERE owner_id = %s AND id = %s", list(name)
    ):
        raise MemoryNotFound(memory_id=memory_id)
    found = rows(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT *, sum(octet_length(content::text) + octet_length(to_json(tags)::text)
                + {FRAME_BYTES}) OVER (ORDER BY version DESC) AS bytes
            FROM (SELECT * FROM revisions WHERE owner_id = %s AND memory_id = %s
                ORDER BY version DESC LIMIT %s OFFSET %s) page) r
        WHERE bytes <= %s ORDER BY version DESC""",
        [*name, limit, offset, max_bytes],
    )
    return [_seen(*row) for row in found]


def revision_of(memory_id: str, version: int) -> RevisionSeen | None:
    """What the memory held in that version, however large."""
    name = names_of([memory_id]).get(memory_id)
    if name is None:
        return None
    found = rows(
        f"""
        SELECT {_COLUMNS} FROM revisions
        WHERE owner_id = %s AND memory_id = %s AND version = %s""",
        [*name, version],
    )
    return _seen(*found[0]) if found else None


_COLUMNS = """version, action, memory_type, content::text, tags, priority, updated_at, expires_at,
    deleted_at, changed_at, nullif(changed_by, ''), nullif(operation_id, '')"""


def _seen(version: int, action: str, kind: str, content: str, *rest: Any) -> RevisionSeen:
    return RevisionSeen(version, action, kind, raw(content), *rest)

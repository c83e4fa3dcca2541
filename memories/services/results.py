"""What services return: frozen structs whose fields are those of the wire."""

from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

FRAME_BYTES = 2000  # ids, names and times of one result at their longest
_CHARACTER_BYTES = 6  # of a character in JSON, such as \u0001


class Memory(msgspec.Struct, frozen=True):
    """A live memory. `content` is JSON text, kept as PostgreSQL wrote it: every digit counts."""

    memory_id: str
    session_id: str
    memory_type: str
    content: msgspec.Raw
    tags: list[str]
    source_agent: str | None
    priority: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None

    def reply_bytes(self) -> int:
        tags = _CHARACTER_BYTES * sum(map(len, self.tags)) + 3 * len(self.tags)
        return len(bytes(self.content)) + tags + FRAME_BYTES


class Stored(msgspec.Struct, frozen=True):
    memory_id: str
    created_at: datetime


class Revised(msgspec.Struct, frozen=True):
    memory_id: str
    updated_at: datetime
    expires_at: datetime | None


class PageInfo(msgspec.Struct, frozen=True):
    limit: int
    offset: int
    has_more: bool


class Page(msgspec.Struct, frozen=True, omit_defaults=True):
    """`missing`: asked for by id and not there; None where no ids were given."""

    memories: list[Memory]
    total_count: int
    page_info: PageInfo
    missing: list[str] | None = None


class RevisionSeen(msgspec.Struct, frozen=True):
    """What a memory held before `action` changed it."""

    version: int
    action: str
    memory_type: str
    content: msgspec.Raw
    tags: list[str]
    priority: int
    updated_at: datetime
    expires_at: datetime | None
    deleted_at: datetime | None
    changed_at: datetime
    changed_by: str | None
    operation_id: str | None


class SessionSeen(msgspec.Struct, frozen=True):
    session_id: str
    user_id: str | None
    session_type: str
    session_metadata: msgspec.Raw
    summary: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    is_archived: bool
    memory_count: int
    last_memory_at: datetime | None

    def reply_bytes(self) -> int:
        summary = _CHARACTER_BYTES * len(self.summary or "")
        return len(bytes(self.session_metadata)) + summary + FRAME_BYTES


def raw(json_text: str) -> msgspec.Raw:
    return msgspec.Raw(json_text.encode())


# The columns of a Memory, in its order, of a row `m`.
MEMORY_COLUMNS = """m.id, m.session_id, m.memory_type, m.content::text, m.tags,
    nullif(m.source_agent, ''), m.priority, m.created_at, m.updated_at, m.expires_at"""
MEMORY_COLUMN_COUNT = 10


def memory_of(row: tuple[Any, ...]) -> Memory:
    """A Memory from the first columns of a row that begins with MEMORY_COLUMNS."""
    identity, session, kind, content, *rest = row[:MEMORY_COLUMN_COUNT]
    return Memory(identity, session, kind, raw(content), *rest)


class Sized(Protocol):
    def reply_bytes(self) -> int:
        """At most so many bytes does it take in a reply."""


T = TypeVar("T", bound=Sized)


def within(items: list[T], max_bytes: int) -> list[T]:
    """As many of the first as fit into a reply of `max_bytes`; one always does."""
    left = max_bytes
    for place, item in enumerate(items):
        left -= item.reply_bytes()
        if left < 0:
            return items[: max(place, 1)]
    return items

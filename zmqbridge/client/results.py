"""What the calls of the client return: frozen structs whose fields are those of the wire.

Times are aware datetimes in UTC. A field that a later orchestrator adds is ignored.
"""

from datetime import datetime
from typing import Any

import msgspec


class Memory(msgspec.Struct, frozen=True):
    """A live memory. `expires_at` is None where it never expires."""

    memory_id: str
    session_id: str
    memory_type: str
    content: dict[str, Any]
    tags: list[str]
    source_agent: str | None
    priority: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None

    @property
    def text(self) -> str:
        """`content.text`; "" where there is none."""
        text = self.content.get("text")
        return text if isinstance(text, str) else ""


class Stored(msgspec.Struct, frozen=True):
    memory_id: str
    created_at: datetime


class BatchStored(msgspec.Struct, frozen=True):
    """`memory_ids` are in the order of what was sent."""

    memory_ids: list[str]
    created_at: datetime


class Updated(msgspec.Struct, frozen=True):
    memory_id: str
    updated_at: datetime
    expires_at: datetime | None


class Deleted(msgspec.Struct, frozen=True):
    deleted: bool


class PageInfo(msgspec.Struct, frozen=True):
    limit: int
    offset: int
    has_more: bool


class Page(msgspec.Struct, frozen=True):
    """`total_count` counts all matches. `missing`: asked for by id and not there."""

    memories: list[Memory]
    total_count: int
    page_info: PageInfo
    missing: list[str] = []


class Found(Memory, frozen=True):
    """A memory that a search found. `similarity_score` is between 0 and 1."""

    similarity_score: float


class SearchMetadata(msgspec.Struct, frozen=True):
    """How the search was run. `partial`: an arm could not take part. `pending`: memories that had
    no vector yet and could not be waited for."""

    search_type: str
    embedding_model: str | None = None
    query_embedding_dimension: int | None = None
    partial: bool = False
    pending: int = 0


class SearchResults(msgspec.Struct, frozen=True):
    """`results`: best first. `total_count`: how many passed, before the limit."""

    results: list[Found]
    total_count: int
    search_metadata: SearchMetadata


class OpenedSession(msgspec.Struct, frozen=True):
    session_id: str
    created_at: datetime


class EndedSession(msgspec.Struct, frozen=True):
    session_id: str
    ended_at: datetime
    is_archived: bool


class Session(msgspec.Struct, frozen=True):
    session_id: str
    user_id: str | None
    session_type: str
    session_metadata: dict[str, Any]
    summary: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    is_archived: bool
    memory_count: int
    last_memory_at: datetime | None = None


class Sessions(msgspec.Struct, frozen=True):
    """A page of sessions, newest first."""

    sessions: list[Session]
    total_count: int
    page_info: PageInfo


class BulkDeleted(msgspec.Struct, frozen=True):
    """`operation_id` is what `restore_operation` takes."""

    deleted_count: int
    filter_applied: dict[str, Any]
    operation_id: str | None = None


class Restored(msgspec.Struct, frozen=True):
    memory_id: str
    restored: bool


class RestoredOperation(msgspec.Struct, frozen=True):
    restored_count: int


class TimeRange(msgspec.Struct, frozen=True):
    start: datetime | None = None
    end: datetime | None = None


class Summary(msgspec.Struct, frozen=True):
    """`method`: "extractive", in the memories' own words, or "model", by a language model."""

    summary: str
    memory_count: int
    time_range: TimeRange | None = None
    method: str = "extractive"


class Revision(msgspec.Struct, frozen=True):
    """What a memory held before `action` changed it, when, and by whom."""

    version: int
    action: str
    memory_type: str
    content: dict[str, Any]
    tags: list[str]
    priority: int
    updated_at: datetime
    expires_at: datetime | None
    deleted_at: datetime | None
    changed_at: datetime
    changed_by: str | None
    operation_id: str | None = None


class History(msgspec.Struct, frozen=True):
    """`revisions`: newest first. `has_more`: the oldest is not among them."""

    revisions: list[Revision]
    has_more: bool = False


class Relationship(msgspec.Struct, frozen=True):
    source_id: str
    target_id: str
    relationship_type: str
    strength: float
    metadata: dict[str, Any]
    created_at: datetime


class Removed(msgspec.Struct, frozen=True):
    """`removed` is False where there was nothing to remove."""

    removed: bool


class RelatedMemory(Memory, frozen=True):
    """`depth`: how many relationships away; type and strength are those of the last of them."""

    relationship_type: str
    strength: float
    depth: int


class Related(msgspec.Struct, frozen=True):
    """`memories`: the nearest first. `has_more`: some did not fit."""

    memories: list[RelatedMemory]
    has_more: bool


class Context(msgspec.Struct, frozen=True):
    """`text` is ready for a prompt; `memories` are those in it. `search_metadata`: of the query."""

    text: str
    token_count: int
    memories: list[Memory]
    search_metadata: SearchMetadata | None = None


class Profile(msgspec.Struct, frozen=True):
    """Both times are None where the user has no profile."""

    user_id: str
    preferences: dict[str, Any]
    profile_data: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None


class AgentState(msgspec.Struct, frozen=True):
    """`state` is None where the agent has none in this session."""

    agent_id: str
    state: dict[str, Any] | None
    updated_at: datetime | None
    expires_at: datetime | None


class Health(msgspec.Struct, frozen=True):
    """`status`: "ok", or "degraded" with what is wrong under `problems`."""

    status: str
    problems: dict[str, Any] = {}

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

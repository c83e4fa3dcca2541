"""The payload of each action, as types that decode and check it. Called by handlers.

A field that is null counts as left out, but for `ttl` of an update, where null means "never".
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from memories.limits import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    RELATIONSHIP_TYPE_MAX_CHARACTERS,
    TAG_MAX_CHARACTERS,
    TAGS_MAX_COUNT,
    TYPE_MAX_CHARACTERS,
)
from zmqbridge.protocol import ID_MAX_CHARACTERS

MAX_TTL_SECONDS = 200_000_000_000  # some 6000 years: what a date of PostgreSQL and Python can hold

Id = Annotated[str, Meta(min_length=1, max_length=ID_MAX_CHARACTERS)]
MemoryType = Annotated[str, Meta(min_length=1, max_length=TYPE_MAX_CHARACTERS)]
Tag = Annotated[str, Meta(min_length=1, max_length=TAG_MAX_CHARACTERS)]
Tags = Annotated[list[Tag], Meta(max_length=TAGS_MAX_COUNT)]
Priority = Annotated[int, Meta(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)]
Ttl = Annotated[int, Meta(gt=0, le=MAX_TTL_SECONDS)]
Text = Annotated[str, Meta(max_length=100_000)]
Vector = Annotated[list[float], Meta(max_length=16_000)]
Scope = Literal["session", "user", "all"]
Offset = Annotated[int, Meta(ge=0, le=1_000_000_000)]
RelationshipType = Annotated[str, Meta(min_length=1, max_length=RELATIONSHIP_TYPE_MAX_CHARACTERS)]


class Metadata(msgspec.Struct, frozen=True):
    agent_id: Annotated[str, Meta(max_length=ID_MAX_CHARACTERS)] | None = None


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    metadata: Metadata | None = None

    @property
    def acting_agent(self) -> str:
        """The acting agent, for the audit log."""
        return (self.metadata and self.metadata.agent_id) or ""


class Empty(Payload, frozen=True):
    pass


class CreatePayload(Payload, frozen=True, kw_only=True):
    memory_type: MemoryType
    content: msgspec.Raw
    tags: Tags | None = None
    ttl: Ttl | None = None
    priority: Priority | None = None
    created_at: str | None = None
    embedding: Vector | None = None


class BatchCreatePayload(Payload, frozen=True, kw_only=True):
    memories: Annotated[list[CreatePayload], Meta(min_length=1, max_length=1000)]


class ReadPayload(Payload, frozen=True, kw_only=True):
    memory_id: Id
    fresh: bool | None = None


class UpdatePayload(Payload, frozen=True, kw_only=True):
    memory_id: Id
    content: msgspec.Raw = msgspec.Raw()
    tags: Tags | None = None
    ttl: Ttl | UnsetType | None = UNSET
    priority: Priority | None = None
    memory_type: MemoryType | None = None
    if_updated_at: str | None = None


class DeletePayload(Payload, frozen=True, kw_only=True):
    memory_id: Id


class TimeRange(msgspec.Struct, frozen=True):
    start: str | None = None
    end: str | None = None


class FilterPayload(msgspec.Struct, frozen=True, kw_only=True):
    memory_type: MemoryType | None = None
    memory_types: list[MemoryType] | None = None
    tags: Tags | None = None
    tags_match: Literal["any", "all"] | None = None
    time_range: TimeRange | None = None
    scope: Scope | None = None


class Sort(msgspec.Struct, frozen=True):
    field: Literal["created_at", "updated_at", "priority", "expires_at"] | None = None
    order: Literal["asc", "desc"] | None = None


class PageFilter(FilterPayload, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    offset: Offset | None = None
    sort: Sort | None = None


class BatchReadPayload(Payload, frozen=True, kw_only=True):
    memory_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)] | None = None
    filter: PageFilter | None = None


class SearchFilters(FilterPayload, frozen=True, kw_only=True):
    min_similarity: Annotated[float, Meta(ge=0, le=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] | None = None


class SearchPayload(Payload, frozen=True, kw_only=True):
    query: Annotated[str, Meta(min_length=1)]
    search_type: Literal["semantic", "keyword", "hybrid"] | None = None
    filters: SearchFilters | None = None
    deadline_ms: Annotated[int, Meta(gt=0, le=600_000)] | None = None
    query_embedding: Vector | None = None


class CreateSessionPayload(Payload, frozen=True, kw_only=True):
    user_id: Annotated[str, Meta(max_length=ID_MAX_CHARACTERS)] | None = None
    session_metadata: msgspec.Raw = msgspec.Raw()
    session_type: MemoryType | None = None


class EndSessionPayload(Payload, frozen=True, kw_only=True):
    summary: Text | None = None
    archive: bool | None = None


class BulkDeleteFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    memory_type: MemoryType | None = None
    # Empty lists are refused: to take them as left out would delete more than was meant.
    memory_types: Annotated[list[MemoryType], Meta(min_length=1)] | None = None
    tags: Annotated[list[Tag], Meta(min_length=1, max_length=TAGS_MAX_COUNT)] | None = None
    tags_match: Literal["any", "all"] | None = None
    older_than: str | None = None
    scope: Scope | None = None


class BulkDeletePayload(Payload, frozen=True, kw_only=True):
    filter: BulkDeleteFilter


class SummarizePayload(FilterPayload, frozen=True, kw_only=True):
    metadata: Metadata | None = None

    acting_agent = Payload.acting_agent


class ContextPayload(Payload, frozen=True, kw_only=True):
    query: Text | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    recent: Annotated[int, Meta(ge=0, le=1000)] | None = None


class RestorePayload(Payload, frozen=True, kw_only=True):
    memory_id: Id | None = None
    operation_id: Id | None = None


class HistoryPayload(Payload, frozen=True, kw_only=True):
    memory_id: Id
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    offset: Offset | None = None


class GetSessionPayload(Payload, frozen=True, kw_only=True):
    session_id: Id | None = None


class ListSessionsPayload(Payload, frozen=True, kw_only=True):
    user_id: Annotated[str, Meta(max_length=ID_MAX_CHARACTERS)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    offset: Offset | None = None
    archived: bool | None = None


class RelatePayload(msgspec.Struct, frozen=True, kw_only=True):
    """Its `metadata` is the relationship's own, kept whole, and may name the agent as well."""

    source_id: Id
    target_id: Id
    relationship_type: RelationshipType
    strength: Annotated[float, Meta(ge=0, le=1)] | None = None
    metadata: msgspec.Raw = msgspec.Raw()

    @property
    def acting_agent(self) -> str:
        """The acting agent, for the audit log. Raises msgspec.ValidationError."""
        named = msgspec.json.decode(bytes(self.metadata) or b"null", type=Metadata | None)
        return (named and named.agent_id) or ""


class UnrelatePayload(Payload, frozen=True, kw_only=True):
    source_id: Id
    target_id: Id
    relationship_type: RelationshipType


class RelatedPayload(Payload, frozen=True, kw_only=True):
    memory_id: Id
    relationship_type: RelationshipType | None = None
    depth: Annotated[int, Meta(ge=1, le=3)] | None = None


class GetProfilePayload(Payload, frozen=True, kw_only=True):
    user_id: Id


class UpdateProfilePayload(Payload, frozen=True, kw_only=True):
    user_id: Id
    preferences: msgspec.Raw = msgspec.Raw()
    profile_data: msgspec.Raw = msgspec.Raw()


class GetStatePayload(Payload, frozen=True, kw_only=True):
    agent_id: Id


class SetStatePayload(Payload, frozen=True, kw_only=True):
    agent_id: Id
    state: msgspec.Raw
    ttl: Ttl | None = None

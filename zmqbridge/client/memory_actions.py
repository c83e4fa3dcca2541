"""The actions on memories, each described once for both clients: method, payload, result.

Every method takes the keywords of `Options`; those that act in a session also `session_id`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Unpack

import msgspec
from msgspec import UNSET, UnsetType

from zmqbridge.client import results as r
from zmqbridge.client.calls import Call, SessionOptions, action, given, span

Content = str | Mapping[str, Any]
Scope = Literal["session", "user", "all"]
TagsMatch = Literal["any", "all"]
SearchType = Literal["semantic", "keyword", "hybrid"]
SortField = Literal["created_at", "updated_at", "priority", "expires_at"]


class NewMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A memory to store. A plain text stands for `{"text": text}`. `ttl_seconds`: from now, None
    for ever. `created_at`: when it was said, where that was earlier; aware. `embedding`: as long
    as the dimension of the orchestrator's model."""

    content: Content
    memory_type: str = "conversation"
    tags: Sequence[str] | None = None
    priority: int | None = None
    ttl_seconds: int | None = None
    created_at: datetime | None = None
    embedding: Sequence[float] | None = None

    def payload(self) -> dict[str, Any]:
        return given(
            content=self.content,
            memory_type=self.memory_type,
            tags=self.tags,
            priority=self.priority,
            ttl=self.ttl_seconds,
            created_at=self.created_at,
            embedding=self.embedding,
        )


class MemoryActions:
    """Store, read, change and find memories."""

    @action
    def create(
        self,
        content: Content,
        *,
        memory_type: str = "conversation",
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        ttl_seconds: int | None = None,
        created_at: datetime | None = None,
        embedding: Sequence[float] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Stored]:
        """Store a memory in the session. Once this returns, it is on disk. See NewMemory."""
        memory = NewMemory(
            content=content,
            memory_type=memory_type,
            tags=tags,
            priority=priority,
            ttl_seconds=ttl_seconds,
            created_at=created_at,
            embedding=embedding,
        )
        return Call("create", r.Stored, memory.payload(), options, needs_session=True)

    @action
    def batch_create(
        self, memories: Sequence[NewMemory], **options: Unpack[SessionOptions]
    ) -> Call[r.BatchStored]:
        """Store 1 to 1000 memories in the session, in this order; all of them or none."""
        payload = {"memories": [memory.payload() for memory in memories]}
        return Call("batch_create", r.BatchStored, payload, options, needs_session=True)

    @action
    def read(
        self, memory_id: str, *, fresh: bool | None = None, **options: Unpack[SessionOptions]
    ) -> Call[r.Memory]:
        """One memory, of any session. `fresh`: past the cache, should another orchestrator have
        changed it within the last 2 s. Raises MemoryNotFound."""
        return Call("read", r.Memory, given(memory_id=memory_id, fresh=fresh), options)

    @action
    def update(
        self,
        memory_id: str,
        *,
        content: Content | None = None,
        memory_type: str | None = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        ttl_seconds: int | UnsetType | None = UNSET,
        if_updated_at: datetime | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Updated]:
        """Replace the fields that are given, whole. `ttl_seconds=None` removes the expiry.

        Raises MemoryNotFound, and ValidationFailed (`details["updated_at"]`) where the memory was
        changed after `if_updated_at`.
        """
        payload = given(
            memory_id=memory_id,
            content=content,
            memory_type=memory_type,
            tags=tags,
            priority=priority,
            if_updated_at=if_updated_at,
        )
        if ttl_seconds is not UNSET:
            payload["ttl"] = ttl_seconds
        return Call("update", r.Updated, payload, options)

    @action
    def delete(self, memory_id: str, **options: Unpack[SessionOptions]) -> Call[r.Deleted]:
        """Delete softly: `restore` brings it back. Raises MemoryNotFound, the second time too."""
        return Call("delete", r.Deleted, {"memory_id": memory_id}, options)

    @action
    def batch_read(
        self,
        memory_ids: Sequence[str] | None = None,
        *,
        memory_types: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        tags_match: TagsMatch | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        scope: Scope | None = None,
        limit: int | None = None,
        offset: int | None = None,
        sort_by: SortField | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Page]:
        """Memories by id, in that order, or a page of those that match: the newest 10 of the
        session where nothing else is said. `start` and `end` are inclusive, on `created_at`."""
        filters = given(
            memory_types=memory_types,
            tags=tags,
            tags_match=tags_match,
            time_range=span(start, end),
            scope=scope,
            limit=limit,
            offset=offset,
            sort=given(field=sort_by, order=order) or None,
        )
        payload = given(memory_ids=memory_ids)
        if filters or memory_ids is None:
            payload["filter"] = filters or {"limit": 10}
        return Call("batch_read", r.Page, payload, options, needs_session=memory_ids is None)

    @action
    def search(
        self,
        query: str,
        *,
        search_type: SearchType | None = None,
        memory_types: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        tags_match: TagsMatch | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        min_similarity: float | None = None,
        scope: Scope | None = None,
        limit: int | None = None,
        deadline_ms: int | None = None,
        query_embedding: Sequence[float] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.SearchResults]:
        """The memories that answer the query, best first: 5 of the session's user, hybrid, where
        nothing else is said."""
        filters = given(
            memory_types=memory_types,
            tags=tags,
            tags_match=tags_match,
            time_range=span(start, end),
            min_similarity=min_similarity,
            scope=scope,
            limit=limit,
        )
        payload = given(
            query=query,
            search_type=search_type,
            filters=filters or None,
            deadline_ms=deadline_ms,
            query_embedding=query_embedding,
        )
        return Call("search", r.SearchResults, payload, options, needs_session=True)

    @action
    def bulk_delete(
        self,
        *,
        memory_type: str | None = None,
        tags: Sequence[str] | None = None,
        tags_match: TagsMatch | None = None,
        older_than: datetime | None = None,
        scope: Scope | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.BulkDeleted]:
        """Delete softly whatever matches, in the session where no scope is named. One of type,
        tags and `older_than` has to be given. `restore_operation` brings it back."""
        filters = given(
            memory_type=memory_type,
            tags=tags,
            tags_match=tags_match,
            older_than=older_than,
            scope=scope,
        )
        return Call("bulk_delete", r.BulkDeleted, {"filter": filters}, options, needs_session=True)

    @action
    def restore(self, memory_id: str, **options: Unpack[SessionOptions]) -> Call[r.Restored]:
        """Bring back a deleted memory; an expired one loses its expiry."""
        return Call("restore", r.Restored, {"memory_id": memory_id}, options)

    @action
    def restore_operation(
        self, operation_id: str, **options: Unpack[SessionOptions]
    ) -> Call[r.RestoredOperation]:
        """Bring back what one `bulk_delete` deleted."""
        return Call("restore", r.RestoredOperation, {"operation_id": operation_id}, options)

    @action
    def history(
        self,
        memory_id: str,
        *,
        limit: int | None = None,
        offset: int | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.History]:
        """What a memory held before each change, newest first; of a deleted one too."""
        payload = given(memory_id=memory_id, limit=limit, offset=offset)
        return Call("history", r.History, payload, options)

    @action
    def relate(
        self,
        source_id: str,
        target_id: str,
        relationship_type: str,
        *,
        strength: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Relationship]:
        """Tie two memories, from source to target; tied already, they get the new strength and
        metadata. `strength`: 0 to 1. Raises MemoryNotFound."""
        payload = given(
            source_id=source_id,
            target_id=target_id,
            relationship_type=relationship_type,
            strength=strength,
            metadata=metadata,
        )
        return Call("relate", r.Relationship, payload, options)

    @action
    def unrelate(
        self,
        source_id: str,
        target_id: str,
        relationship_type: str,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Removed]:
        """Untie two memories. Raises MemoryNotFound."""
        payload = given(
            source_id=source_id, target_id=target_id, relationship_type=relationship_type
        )
        return Call("unrelate", r.Removed, payload, options)

    @action
    def related(
        self,
        memory_id: str,
        *,
        relationship_type: str | None = None,
        depth: int | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Related]:
        """The memories that relationships lead to from one, up to `depth` (1 to 3) away.

        Raises MemoryNotFound."""
        payload = given(memory_id=memory_id, relationship_type=relationship_type, depth=depth)
        return Call("related", r.Related, payload, options)

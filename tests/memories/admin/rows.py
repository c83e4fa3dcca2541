"""Rows for every table, for tests that look at all of them."""

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from memories.models import (
    AccessLog,
    AgentState,
    Backup,
    Embedding,
    EmbeddingModel,
    EmbeddingTask,
    Erasure,
    ImportReport,
    Installation,
    MemoryEntry,
    Orchestrator,
    Relationship,
    RequestKey,
    RetentionPolicy,
    Revision,
    Session,
    UserProfile,
)
from memories.services.forget import Deletion, forget_memories
from memories.services.sessions import NewSession, open_sessions
from tests.factories import set_expiry, store

LISTED = (
    AccessLog,
    AgentState,
    Backup,
    Embedding,
    EmbeddingModel,
    EmbeddingTask,
    Erasure,
    ImportReport,
    Installation,
    MemoryEntry,
    Orchestrator,
    Relationship,
    RequestKey,
    RetentionPolicy,
    Revision,
    Session,
    UserProfile,
)


def fill_tables(count):
    """Add `count` rows to every table but the installation's, which has its one."""
    Installation.objects.get_or_create(id=1, search_language="english")
    for _ in range(count):
        _add_one()


def open_session(session_id, user_id):
    [opened] = open_sessions([NewSession(b"", timezone.now(), session_id, user_id)])
    return opened.session_id


def delete(*memory_ids):
    forget_memories([Deletion(an_id, timezone.now()) for an_id in memory_ids])


def expire(memory_id):
    set_expiry(memory_id, timezone.now() - timedelta(seconds=1))


def _add_one():
    now, name = timezone.now(), uuid4().hex
    memory = MemoryEntry.objects.get(pk=store(session_id=name))
    delete(memory.pk)
    memory.restore()
    owner = {"owner_id": memory.owner_id}
    model = EmbeddingModel.objects.create(name=name, kind="given", dimension=3, created_at=now)
    Embedding.objects.create(memory=memory, model=model, version=1, embedding=[1, 2, 3], **owner)
    EmbeddingTask.objects.create(memory=memory, model=model, due_at=now, **owner)
    Backup.objects.create(kind="dump", made_at=now, host="here", path=f"/{name}.dump")
    Relationship.objects.create(
        source=memory, target=memory, relationship_type="self", created_at=now, **owner
    )
    AgentState.objects.create(
        session_id=name, agent_id="agent", state={"a": 1}, updated_at=now, **owner
    )
    AccessLog.objects.create(
        memory_id=memory.pk, action="read", day=now.date(), accesses=2, last_at=now, **owner
    )
    RequestKey.objects.create(id=name[:22], answer={"deleted": True}, created_at=now, **owner)
    UserProfile.objects.create(user_id=name, created_at=now, updated_at=now, **owner)
    RetentionPolicy.objects.create(name=name, older_than_days=30, created_at=now)
    Erasure.objects.create(
        id=name, owner_digest="0" * 64, counts={"sessions": 1}, erased_at=now, erased_by="anna"
    )
    ImportReport.objects.create(
        source="old.db",
        began_at=now,
        ended_at=now,
        host="here",
        path=f"/{name}.jsonl",
        findings=[{"table": "turns", "found": "no time", "done": "skipped", "count": 2}],
        finding_count=2,
    )
    Orchestrator.objects.create(
        instance=name,
        endpoints=["tcp://127.0.0.1:5570"],
        version="1",
        stats={"lanes": {"writes": {"depth": 3}}},
        started_at=now,
        seen_at=now,
    )

"""What belongs to one memory, as tables on its page: each newest first, and bounded."""

from typing import Any

from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from memories.admin.expressions import beginning
from memories.admin.rendering import excerpt, isolated, link, list_link, moment, table
from memories.models import AccessLog, Embedding, EmbeddingTask, MemoryEntry, Relationship, Revision

PANEL_ROWS = 20


def revisions_of(memory: MemoryEntry) -> SafeString:
    found = (
        _of(memory, Revision)
        .only("version", "action", "tags", "priority", "changed_at", "changed_by")
        .annotate(content_beginning=beginning("content"))
        .order_by("-version")
    )
    rows = (
        [
            link(Revision, revision.pk, str(revision.version)),
            isolated(revision.action),
            moment(revision.changed_at),
            isolated(revision.changed_by),
            excerpt(revision.content_beginning),
            excerpt(", ".join(revision.tags)),
            revision.priority,
        ]
        for revision in found[:PANEL_ROWS]
    )
    headings = ["Version", "Then", "At", "By", "It held", "Tags", "Priority"]
    return format_html(
        "{}{}", table(headings, rows), list_link(Revision, "All revisions", q=memory.pk)
    )


def relationships_of(memory: MemoryEntry) -> SafeString:
    either = Q(source_id=memory.pk) | Q(target_id=memory.pk)
    found = Relationship.objects.filter(either, owner_id=memory.owner_id).defer("metadata")
    rows = (
        [
            link(Relationship, tie.pk, tie.relationship_type),
            link(MemoryEntry, tie.source_id),
            link(MemoryEntry, tie.target_id),
            tie.strength,
        ]
        for tie in found.order_by("-pk")[:PANEL_ROWS]
    )
    return table(["Type", "From", "To", "Strength"], rows)


def accesses_of(memory: MemoryEntry) -> SafeString:
    rows = (
        [access.day, isolated(access.action), isolated(access.agent_id), access.accesses]
        for access in _of(memory, AccessLog).order_by("-day", "-last_at")[:PANEL_ROWS]
    )
    return table(["Day", "Action", "Agent", "Times"], rows)


def vectors_of(memory: MemoryEntry) -> SafeString:
    """Which models have embedded it, and which still have to. No vector is read."""
    made = _of(memory, Embedding).select_related("model").only("version", "model__name")
    waiting = _of(memory, EmbeddingTask).select_related("model").only("error", "model__name")
    rows = [[isolated(vector.model.name), f"of version {vector.version}"] for vector in made]
    rows += [[isolated(task.model.name), excerpt(task.error or "waiting")] for task in waiting]
    return table(["Model", "Vector"], rows)


def _of(memory: MemoryEntry, model: Any) -> Any:
    return model.objects.filter(owner_id=memory.owner_id, memory_id=memory.pk)

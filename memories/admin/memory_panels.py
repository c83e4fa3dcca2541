"""What belongs to one memory, around the form of its page. Everything is bounded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.admin.utils import quote
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from memories.admin.expressions import beginning
from memories.admin.memory_history import Step, steps_of
from memories.admin.relationship_picture import Picture, beginnings_of, picture_of
from memories.admin.rendering import excerpt, isolated, link, list_link, table
from memories.models import AccessLog, Embedding, EmbeddingTask, MemoryEntry, Relationship, Revision
from memories.services.search.nearest import nearest_to

_Shown = TypeVar("_Shown")
PANEL_ROWS = 20
NEAREST = 8
TEXT_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Panels:
    """`may_change`: the account may; `may_edit`: it may, and the memory is alive. What stands in
    another table is None where the account may not look at that."""

    quoted_id: str
    read_at: str
    may_change: bool
    may_edit: bool
    text: str
    steps: list[Step] | None
    all_revisions: SafeString
    picture: Picture | None
    relationships: SafeString | None
    nearest: SafeString | None
    accesses: SafeString | None
    vectors: SafeString | None


def panels_of(memory: Any, user: Any) -> Panels:
    """`memory`: as the page's query read it, with `has_expired`."""
    may_change = user.has_perm("memories.change_memoryentry")

    def seen(model: str, panel: Callable[[Any], _Shown]) -> _Shown | None:
        return panel(memory) if user.has_perm(f"memories.view_{model}") else None

    return Panels(
        quoted_id=quote(memory.pk),
        read_at=memory.updated_at.isoformat(),
        may_change=may_change,
        may_edit=may_change and not (memory.deleted_at or memory.has_expired),
        text=_text_of(memory),
        steps=seen("revision", steps_of),
        all_revisions=list_link(Revision, _("All revisions"), q=memory.pk),
        picture=seen("relationship", picture_of),
        relationships=seen("relationship", _relationships_of),
        nearest=seen("embedding", _nearest_of),
        accesses=seen("accesslog", _accesses_of),
        vectors=seen("embedding", _vectors_of),
    )


def _text_of(memory: MemoryEntry) -> str:
    if len(memory.text) > TEXT_CHARACTERS:
        told = _("… and %(count)s characters more") % {
            "count": f"{len(memory.text) - TEXT_CHARACTERS:,}"
        }
        return f"{memory.text[:TEXT_CHARACTERS]} {told}"
    return memory.text or _("It has no text.")


def _relationships_of(memory: MemoryEntry) -> SafeString:
    either = Q(source_id=memory.pk) | Q(target_id=memory.pk)
    found = Relationship.objects.filter(either, owner_id=memory.owner_id).defer("metadata")
    ties = list(found.order_by("-pk")[:PANEL_ROWS])
    others = {tie.source_id for tie in ties} | {tie.target_id for tie in ties}
    texts = {an_id: row.beginning for an_id, row in beginnings_of(memory, others).items()}
    texts[memory.pk] = _("this memory")
    rows = (
        [
            link(Relationship, tie.pk, tie.relationship_type),
            link(MemoryEntry, tie.source_id, texts.get(tie.source_id, "")),
            link(MemoryEntry, tie.target_id, texts.get(tie.target_id, "")),
            f"{tie.strength:.2g}",
        ]
        for tie in ties
    )
    return table([_("Type"), _("From"), _("To"), _("Strength")], rows)


def _nearest_of(memory: MemoryEntry) -> SafeString:
    near = nearest_to(memory.owner_id, memory.pk, NEAREST)
    if near is None:
        told = _("The owner has too many memories to compare them before an index is built.")
        return format_html("{}", told)
    found = MemoryEntry.objects.filter(owner_id=memory.owner_id, pk__in=[pk for pk, _score in near])
    shown = found.only("owner_id", "created_at").annotate(beginning=beginning("text"))
    texts = {row.pk: row for row in shown}
    rows = (
        [
            f"{similarity:.0%}",
            link(MemoryEntry, an_id, texts[an_id].beginning or an_id),
            f"{localtime(texts[an_id].created_at):%Y-%m-%d}",
        ]
        for an_id, similarity in near
        if an_id in texts
    )
    return table([_("Similarity"), _("Memory"), _("Day")], rows)


def _accesses_of(memory: MemoryEntry) -> SafeString:
    rows = (
        [access.day, isolated(access.action), isolated(access.agent_id), access.accesses]
        for access in _of(memory, AccessLog).order_by("-day", "-last_at")[:PANEL_ROWS]
    )
    return table([_("Day"), _("Action"), _("Agent"), _("Times")], rows)


def _vectors_of(memory: MemoryEntry) -> SafeString:
    """Which models have embedded it, and which still have to. No vector is read."""
    made = _of(memory, Embedding).select_related("model").only("version", "model__name")
    waiting = _of(memory, EmbeddingTask).select_related("model").only("error", "model__name")
    rows = [[isolated(vector.model.name), f"of version {vector.version}"] for vector in made]
    rows += [[isolated(task.model.name), excerpt(task.error or _("waiting"))] for task in waiting]
    return table([_("Model"), _("Vector")], rows)


def _of(memory: MemoryEntry, model: Any) -> Any:
    return model.objects.filter(owner_id=memory.owner_id, memory_id=memory.pk)

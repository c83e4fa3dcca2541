"""A session as it was said: its live memories as turns, oldest at the top. Called by the page of a
session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import Left

from memories.admin.expressions import beginning
from memories.models import AccessLog, MemoryEntry, Session

TURNS = 100
_TURN_CHARACTERS = 4_000
_ANSWERS = {"assistant", "agent", "system", "tool", "bot"}
# The accesses in which a memory was found for somebody, rather than asked for by its id.
_RECALLS = ("search", "context")


@dataclass(frozen=True, slots=True)
class Turn:
    """`text` may be cut off; a memory without one shows the beginning of its content instead, as
    `is_data`. `recalls`: how often a search or a context found it."""

    memory_id: str
    speaker: str
    is_answer: bool
    at: datetime
    text: str
    is_cut: bool
    is_data: bool
    memory_type: str
    tags: Sequence[str]
    hidden_tags: int
    agent: str
    priority: int
    recalls: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`earlier`: the memory before which there is more, "" where there is not. `is_latest`: the
    end of the session is shown."""

    turns: list[Turn]
    earlier: str
    is_latest: bool


def read_dialogue(session: Session, before: str = "") -> Dialogue:
    """The last turns, or those before the memory of that id."""
    of_session = {"owner_id": session.owner_id, "session_id": session.pk}
    found = MemoryEntry.objects.filter(_older(session, before), **of_session)
    read = list(
        found.only(*_FIELDS)
        .annotate(said=Left("text", _TURN_CHARACTERS + 1), data=beginning("content"))
        .order_by("-created_at", "id")[: TURNS + 1]
    )
    shown = read[:TURNS]
    recalls = _count_recalls(session, [memory.pk for memory in shown])
    turns = [_turn(memory, recalls.get(memory.pk, 0)) for memory in reversed(shown)]
    return Dialogue(turns, shown[-1].pk if len(read) > TURNS else "", not before)


_FIELDS = ("owner_id", "speaker", "created_at", "memory_type", "tags", "source_agent", "priority")


def _older(session: Session, before: str) -> Q:
    if not before or "\0" in before:
        return Q()
    at = (
        MemoryEntry.all_objects.filter(owner_id=session.owner_id, pk=before)
        .values_list("created_at", flat=True)
        .first()
    )
    if at is None:
        return Q()
    # The first condition says the same more loosely: it is the one that the index can use.
    return Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(pk__gt=before))


def _count_recalls(session: Session, memory_ids: Sequence[str]) -> dict[str, int]:
    counted = AccessLog.objects.filter(
        owner_id=session.owner_id, memory_id__in=memory_ids, action__in=_RECALLS
    )
    return dict(counted.values_list("memory_id").annotate(times=Sum("accesses")))


def _turn(memory: Any, recalls: int) -> Turn:
    said = memory.said.removeprefix(f"{memory.speaker}:").lstrip() if memory.said else ""
    return Turn(
        memory_id=memory.pk,
        speaker=memory.speaker or memory.source_agent,
        is_answer=memory.speaker.lower() in _ANSWERS,
        at=memory.created_at,
        text=said[:_TURN_CHARACTERS] or memory.data,
        is_cut=len(memory.said) > _TURN_CHARACTERS,
        is_data=not said,
        memory_type=memory.memory_type,
        tags=memory.tags[:_SHOWN_TAGS],
        hidden_tags=max(0, len(memory.tags) - _SHOWN_TAGS),
        agent=memory.source_agent,
        priority=memory.priority,
        recalls=recalls,
    )


_SHOWN_TAGS = 12

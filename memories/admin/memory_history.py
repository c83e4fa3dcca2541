"""The history of a memory on its page: what each change did, readable, and the way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db.models import F, Func, TextField, Value
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext as _

from memories.admin.differences import MAX_CHARACTERS, Patience, Piece, difference
from memories.content import read_content
from memories.errors import MemoriesError, MemoryNotFound
from memories.models import MemoryEntry, Revision
from memories.services.history import revision_of
from memories.services.results import Revised
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories

SHOWN = 20
_MOST_VERSION = 2**31 - 1
_FIELDS = (
    "memory_type",
    "tags",
    "priority",
    "expires_at",
    "deleted_at",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A change: from `version` to the next one. `content`: None where it stayed. `is_cut`: only
    the beginnings were compared."""

    version: int
    action: str
    at: datetime
    by: str
    operation_id: str
    fields: Sequence[tuple[str, Any, Any]]
    content: Sequence[Piece] | None
    is_cut: bool


def steps_of(memory: MemoryEntry) -> list[Step]:
    """The latest SHOWN changes, newest first."""
    of_memory = {"owner_id": memory.owner_id, "memory_id": memory.pk}
    revisions = Revision.objects.filter(**of_memory).order_by("-version")
    kept = list(revisions.defer("content").annotate(held=_beginning("content"))[:SHOWN])
    now = (
        MemoryEntry.all_objects.filter(owner_id=memory.owner_id, pk=memory.pk)
        .only("owner_id", *_FIELDS)
        .annotate(held=_beginning("content"))
        .first()
    )
    patience = Patience()
    return [_step(*pair, patience) for pair in pairwise([now, *kept])] if now else []


def _beginning(field: str) -> Left:
    indented = Func(F(field), function="jsonb_pretty", output_field=TextField())
    return Left(indented, Value(MAX_CHARACTERS + 1))


def _step(after: Any, before: Any, patience: Patience) -> Step:
    changed = [
        (name.replace("_", " "), *values)
        for name in _FIELDS
        if (values := (getattr(before, name), getattr(after, name)))[0] != values[1]
    ]
    is_cut = max(len(before.held), len(after.held)) > MAX_CHARACTERS
    return Step(
        before.version,
        before.action,
        before.changed_at,
        before.changed_by,
        before.operation_id,
        changed,
        None
        if before.held == after.held and not is_cut
        else difference(before.held, after.held, patience),
        is_cut,
    )


def bring_back(memory_id: str, version: int, read_at: datetime, by: str) -> Revised | MemoriesError:
    """Give a live memory the content, tags, type and priority that a version of it had; its expiry
    stays. Nothing happens where it has changed since `read_at`. To be called in a transaction."""
    kept = revision_of(memory_id, version) if version <= _MOST_VERSION else None
    if kept is None:
        return MemoryNotFound(_("There is no such version any more."), memory_id=memory_id)
    content = read_content(bytes(kept.content), "content")
    change = Change(
        memory_id,
        timezone.now(),
        memory_type=kept.memory_type,
        content_json=content.json,
        tags=tuple(kept.tags),
        priority=kept.priority,
        source_agent=content.source_agent,
        if_updated_at=read_at,
        changed_by=by,
    )
    [result] = revise_memories([change])
    return result

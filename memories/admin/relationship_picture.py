"""The relationships of a memory as a picture: what leads to it on the left, where it leads to on
the right. Measures are those of the picture's own grid; a template draws it."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import F, Q
from django.urls import reverse

from memories.admin.expressions import beginning
from memories.models import MemoryEntry, Relationship

SHOWN_A_SIDE = 12
WIDTH = 1080
_BOX_WIDTH, _BOX_HEIGHT, _GAP = 260, 46, 14
_LINE_CHARACTERS = 34


@dataclass(frozen=True, slots=True)
class Box:
    """A memory. `lines`: the beginning of its text."""

    x: int
    y: int
    lines: Sequence[str]
    url: str
    is_gone: bool

    width = _BOX_WIDTH
    height = _BOX_HEIGHT

    @property
    def middle(self) -> int:
        return self.y + _BOX_HEIGHT // 2

    @property
    def right(self) -> int:
        return self.x + _BOX_WIDTH


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box's right edge to another's left. `label` stands beside the outer box."""

    x1: int
    y1: int
    x2: int
    y2: int
    label: str
    leads_away: bool

    @property
    def path(self) -> str:
        """Level at both ends, so that a label can stand on it."""
        middle = (self.x1 + self.x2) // 2
        ends = f"{self.x2} {self.y2}"
        return f"M{self.x1} {self.y1}C{middle} {self.y1} {middle} {self.y2} {ends}"

    @property
    def label_x(self) -> int:
        return self.x2 - 10 if self.leads_away else self.x1 + 6

    @property
    def label_y(self) -> int:
        return (self.y2 if self.leads_away else self.y1) - 6


@dataclass(frozen=True, slots=True)
class Picture:
    height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    hidden_count: int
    width = WIDTH


def picture_of(memory: MemoryEntry) -> Picture | None:
    """None where it has no relationships to others."""
    leading_here = _ties(memory, Q(target_id=memory.pk), "source_id")
    leading_away = _ties(memory, Q(source_id=memory.pk), "target_id")
    if not (leading_here or leading_away):
        return None
    shown_here, shown_away = leading_here[:SHOWN_A_SIDE], leading_away[:SHOWN_A_SIDE]
    texts = beginnings_of(memory, [tie.other_id for tie in (*shown_here, *shown_away)])
    rows = max(len(shown_here), len(shown_away), 1)
    height = rows * (_BOX_HEIGHT + _GAP) + _GAP
    own = _box((WIDTH - _BOX_WIDTH) // 2, (height - _BOX_HEIGHT) // 2, memory.pk, memory)
    left = _column(0, height, shown_here, texts)
    right = _column(WIDTH - _BOX_WIDTH, height, shown_away, texts)
    arrows = [
        Arrow(box.right, box.middle, own.x, own.middle, tie.label, leads_away=False)
        for box, tie in zip(left, shown_here, strict=True)
    ] + [
        Arrow(own.right, own.middle, box.x, box.middle, tie.label, leads_away=True)
        for box, tie in zip(right, shown_away, strict=True)
    ]
    hidden = len(leading_here) + len(leading_away) - len(shown_here) - len(shown_away)
    return Picture(height, [own, *left, *right], arrows, hidden)


@dataclass(frozen=True, slots=True)
class _Tie:
    other_id: str
    label: str


def _ties(memory: MemoryEntry, condition: Q, other: str) -> list[_Tie]:
    """The strongest first, and no more than are needed to count some that are not shown."""
    found = (
        Relationship.objects.filter(condition, owner_id=memory.owner_id)
        .exclude(source_id=F("target_id"))
        .order_by("-strength", "pk")
        .values_list(other, "relationship_type", "strength")
    )
    return [
        _Tie(an_id, f"{kind[:16]} {strength:.2g}")
        for an_id, kind, strength in found[: 5 * SHOWN_A_SIDE]
    ]


def beginnings_of(memory: MemoryEntry, memory_ids: Iterable[str]) -> dict[str, Any]:
    """Other memories of its owner, in any state, with the `beginning` of their texts."""
    found = MemoryEntry.all_objects.filter(owner_id=memory.owner_id, pk__in=memory_ids)
    shortened = found.only("owner_id", "deleted_at").annotate(beginning=beginning("text"))
    return {row.pk: row for row in shortened}


def _column(x: int, height: int, ties: Sequence[_Tie], texts: dict[str, Any]) -> list[Box]:
    step = _BOX_HEIGHT + _GAP
    top = (height - len(ties) * step + _GAP) // 2
    return [
        _box(x, top + place * step, tie.other_id, texts.get(tie.other_id))
        for place, tie in enumerate(ties)
    ]


def _box(x: int, y: int, memory_id: str, memory: Any) -> Box:
    """`memory` is None where there is only a name."""
    text = " ".join(getattr(memory, "beginning", getattr(memory, "text", ""))[:200].split())
    url = reverse("admin:memories_memoryentry_change", args=[quote(memory_id)])
    is_gone = memory is None or memory.deleted_at is not None
    shown = textwrap.wrap(text, _LINE_CHARACTERS)[:2] or [memory_id[:_LINE_CHARACTERS]]
    return Box(x, y, shown, url, is_gone)

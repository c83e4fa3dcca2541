"""Charts in the form of the library that comes with the theme. Called by the home page and the
pages of users."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

COLOURS = ("primary-600", "primary-300", "orange-500", "green-500", "blue-500", "red-500")

# A grey that can be read on white and on black.
_TICKS = "#8a8f98"
OPTIONS = json.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "scales": {
            "x": {"stacked": True, "grid": {"display": False}, "ticks": {"color": _TICKS}},
            "y": {
                "stacked": True,
                "beginAtZero": True,
                "border": {"display": False},
                "grid": {},
                "ticks": {"color": _TICKS, "precision": 0, "maxTicksLimit": 5},
            },
        },
        "plugins": {
            "legend": {"position": "bottom", "labels": {"boxWidth": 12, "color": _TICKS}},
        },
    }
)


_NAMED_KINDS = 10


def largest(counts: Mapping[str, int]) -> list[str]:
    """The kinds that a chart names, the largest first: types are free text, and may be many."""
    return sorted(counts, key=lambda kind: (-counts[kind], kind))[:_NAMED_KINDS]


def stacked_bars(
    places: Sequence[Any], labels: Sequence[str], counts: Mapping[tuple[Any, str], int]
) -> str:
    """A bar for each place, a stack of types: `counts` by place and type. The largest types have
    a colour of their own; those after the tenth are one."""
    totals: Counter[str] = Counter()
    for (_, kind), count in counts.items():
        totals[kind] += count
    named = largest(totals)
    shown: Counter[tuple[Any, str | None]] = Counter()
    for (place, kind), count in counts.items():
        shown[place, kind if kind in named else None] += count
    kinds: list[str | None] = [*named, *([None] if len(totals) > len(named) else [])]
    datasets = [
        {
            "label": gettext("other") if kind is None else kind,
            "data": [shown[place, kind] for place in places],
            "backgroundColor": f"var(--color-{COLOURS[min(rank, len(COLOURS) - 1)]})",
            "maxBarThickness": 40,
        }
        for rank, kind in enumerate(kinds)
    ]
    return json.dumps({"labels": list(labels), "datasets": datasets})

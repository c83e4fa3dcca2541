"""Charts in the form of the library that comes with the theme. Called by the home page and the
pages of users."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

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


def stacked_bars(
    places: Sequence[Any], labels: Sequence[str], counts: Mapping[tuple[Any, str], int]
) -> str:
    """A bar for each place, a stack of types: `counts` by place and type. The largest types have
    a colour of their own."""
    totals: dict[str, int] = {}
    for (_, kind), count in counts.items():
        totals[kind] = totals.get(kind, 0) + count
    kinds = sorted(totals, key=lambda kind: (-totals[kind], kind))
    datasets = [
        {
            "label": kind,
            "data": [counts.get((place, kind), 0) for place in places],
            "backgroundColor": f"var(--color-{COLOURS[min(rank, len(COLOURS) - 1)]})",
            "maxBarThickness": 40,
        }
        for rank, kind in enumerate(kinds)
    ]
    return json.dumps({"labels": list(labels), "datasets": datasets})

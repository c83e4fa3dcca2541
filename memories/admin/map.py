"""The map: an owner's memories as points, near each other where they mean alike.

A thread computes it, one map at a time, and the page asks until it is there. It is kept in this
process for a while, by ids alone: no text outlives its memory here.
"""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views import View

from memories.admin import charts
from memories.admin.pages import AdminPage
from memories.admin.user_page import known_owner, name_of
from memories.services.vector_map import MOST_POINTS, Point, map_memories

_KEPT_SECONDS = 300
_KEPT_MAPS = 8
SEES = ("memories.view_memoryentry", "memories.view_embedding")


class MapPage(AdminPage):
    permission_required = SEES
    template_name = "memories/map.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        name = name_of(known_owner(self.kwargs["owner_id"]))
        title = _("Map of %(name)s") % {"name": name}
        return super().get_context_data(name=name, most_points=MOST_POINTS, **kwargs) | {
            "title": title
        }


class MapPoints(PermissionRequiredMixin, View):
    """The points as JSON; 202 while they are computed."""

    permission_required = SEES
    raise_exception = True

    def get(self, request: HttpRequest, owner_id: UUID) -> JsonResponse:
        known_owner(owner_id)
        computed = _maps.of(owner_id)
        if not computed.done():
            return JsonResponse({}, status=202)
        return JsonResponse(_written(computed.result()))


map_points = admin.site.admin_view(MapPoints.as_view())


class _Maps:
    """The latest maps, computed or on the way."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "map")
        self._kept: dict[UUID, tuple[float, Future[list[Point]]]] = {}
        self._lock = Lock()

    def of(self, owner_id: UUID) -> Future[list[Point]]:
        with self._lock:
            until, computed = self._kept.get(owner_id, (0.0, None))
            if computed is None or (computed.done() and until < time.monotonic()):
                computed = self._thread.submit(_compute, owner_id)
                self._kept.pop(owner_id, None)
                self._kept[owner_id] = time.monotonic() + _KEPT_SECONDS, computed
                while len(self._kept) > _KEPT_MAPS:
                    del self._kept[next(iter(self._kept))]
            elif computed.done() and computed.exception():
                del self._kept[owner_id]  # told once; whoever asks again has it tried again
            return computed

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()


_maps = _Maps()
forget_maps = _maps.forget


def _compute(owner_id: UUID) -> list[Point]:
    try:
        return map_memories(owner_id)
    finally:
        connection.close()


def _written(points: Sequence[Point]) -> dict[str, Any]:
    """The largest types have a colour and a name of their own. The ids are quoted as in the
    admin's addresses."""
    named = charts.largest(Counter(point.memory_type for point in points))
    places = {kind: place for place, kind in enumerate(named)}
    return {
        "types": [
            *named,
            *([_("other")] if any(p.memory_type not in places for p in points) else []),
        ],
        "points": [
            [
                p.x,
                p.y,
                places.get(p.memory_type, len(named)),
                round(p.created_at.timestamp()),
                quote(p.memory_id),
            ]
            for p in points
        ],
    }

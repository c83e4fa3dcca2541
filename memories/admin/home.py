"""The home page: is it well, how busy is it, what came in, what takes room, what needs a hand.

The theme calls `add_figures`; the page asks for `LivePart` again every few seconds.
"""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import View

from memories.admin import charts
from memories.admin.charts import stacked_bars
from memories.admin.home_checks import SEES, Check, look_after, look_for_work
from memories.admin.limits import PAGE_SECONDS, TookTooLong, limited_time
from memories.admin.traffic import measure_traffic
from memories.models import Orchestrator
from memories.services.overview import (
    Arrivals,
    Queue,
    TableSize,
    count_arrivals,
    look_at_queue,
    measure_tables,
)

DAYS = 14


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the page shows to those who may look at everything; the others see a greeting."""
    if not request.user.has_perms(SEES):
        return context
    context["title"] = _("Home")
    try:
        with limited_time():
            return context | _figures() | {"may_see": True}
    except TookTooLong:
        return context | {"too_slow_seconds": PAGE_SECONDS}


def _figures() -> dict[str, Any]:
    arrivals = count_arrivals(_first_day(), timezone.get_current_timezone_name())
    queue = look_at_queue()
    return live_figures(queue) | {
        "chart": _chart(arrivals),
        "chart_options": charts.OPTIONS,
        "arrivals": arrivals,
        "arrived": sum(arrivals.counts.values()),
        "days": DAYS,
        "tables": _bars(measure_tables()),
        "work": look_for_work(queue),
    }


def live_figures(queue: Queue) -> dict[str, Any]:
    orchestrators = list(Orchestrator.objects.filter(stopped_at=None).order_by("-seen_at")[:50])
    checks: list[Check] = look_after(orchestrators, queue)
    return {"checks": checks, "traffic": measure_traffic(orchestrators)}


class LivePart(PermissionRequiredMixin, View):
    """What is well and how busy it is, as a piece of the page."""

    permission_required = SEES
    raise_exception = True

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            with limited_time():
                figures = live_figures(look_at_queue())
        except TookTooLong:
            return HttpResponse(status=503)
        return render(request, "memories/home_live.html", figures)


live_part = admin.site.admin_view(LivePart.as_view())


def _first_day() -> Any:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def _chart(arrivals: Arrivals) -> str:
    first = _first_day().date()
    days = [first + timedelta(days=ahead) for ahead in range(DAYS)]
    return stacked_bars(days, [f"{day:%b} {day.day}" for day in days], arrivals.counts)


def _bars(tables: list[TableSize]) -> list[dict[str, Any]]:
    """Each with its share of the largest, in percent, for its bar."""
    largest = max((table.data_bytes + table.index_bytes for table in tables), default=0) or 1
    return [
        {
            "table": table,
            "total_bytes": table.data_bytes + table.index_bytes,
            "data_percent": round(100 * table.data_bytes / largest, 1),
            "index_percent": round(100 * table.index_bytes / largest, 1),
        }
        for table in tables
    ]

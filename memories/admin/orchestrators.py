"""Orchestrators: who lives, and how it fares."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from memories.admin.inspection import InspectionAdmin
from memories.admin.rendering import flattened, isolated, table
from memories.models import Orchestrator
from memories.services.orchestrators import is_heard, running_orchestrators


def those_alive(orchestrators: Iterable[Orchestrator]) -> list[Orchestrator]:
    """By the database's clock, which their rows bear: this machine's may be another."""
    running = set(running_orchestrators())
    return [one for one in orchestrators if one.instance in running]


@admin.register(Orchestrator)
class OrchestratorAdmin(InspectionAdmin):
    list_display = ("instance", "state", "listens_on", "version", "started_at", "seen_at")
    list_fields = ("endpoints", "version", "started_at", "seen_at", "stopped_at")
    ordering = ("-seen_at", "pk")
    fields = (
        ("instance", "state", "version"),
        "listens_on",
        ("started_at", "seen_at", "stopped_at"),
        "how_it_fares",
    )

    def everything(self) -> Any:
        return super().everything().annotate(is_heard=is_heard())

    @display(label={"alive": "success", "silent": "danger", "stopped": "info"})
    def state(self, row: Any) -> str:
        if row.stopped_at:
            return "stopped"
        return "alive" if row.is_heard else "silent"

    @admin.display(description=gettext_lazy("endpoints"))
    def listens_on(self, row: Orchestrator) -> SafeString:
        return isolated(" ".join(map(str, row.endpoints)))

    @admin.display
    def how_it_fares(self, row: Orchestrator) -> SafeString:
        return table(["What", "Value"], flattened(row.stats))

"""Orchestrators: who lives, and how it fares."""

from datetime import timedelta

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from memories.admin.inspection import InspectionAdmin
from memories.admin.rendering import flattened, isolated, table
from memories.models import Orchestrator

_SILENCE_SECONDS = 10  # each writes its row more often than that


@admin.register(Orchestrator)
class OrchestratorAdmin(InspectionAdmin):
    list_display = ("instance", "lives", "listens_on", "version", "started_at", "seen_at")
    list_fields = ("endpoints", "version", "started_at", "seen_at", "stopped_at")
    ordering = ("-seen_at", "pk")
    fields = (
        ("instance", "lives", "version"),
        "listens_on",
        ("started_at", "seen_at", "stopped_at"),
        "how_it_fares",
    )

    @admin.display(boolean=True)
    def lives(self, row: Orchestrator) -> bool:
        heard = timezone.now() - row.seen_at < timedelta(seconds=_SILENCE_SECONDS)
        return heard and row.stopped_at is None

    @admin.display(description="endpoints")
    def listens_on(self, row: Orchestrator) -> SafeString:
        return isolated(" ".join(map(str, row.endpoints)))

    @admin.display
    def how_it_fares(self, row: Orchestrator) -> SafeString:
        return table(["What", "Value"], flattened(row.stats))

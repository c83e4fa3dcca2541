"""The access log."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memories.admin.filters import LastAtFilter
from memories.admin.finding import of_memory
from memories.admin.inspection import InspectionAdmin
from memories.admin.rendering import link
from memories.models import AccessLog, MemoryEntry


@admin.register(AccessLog)
class AccessLogAdmin(InspectionAdmin):
    list_display = ("id", "last_at", "action", "of_memory", "agent_id", "day", "accesses")
    list_fields = ("owner_id", "memory_id", "agent_id", "action", "day", "accesses", "last_at")
    list_filter = (LastAtFilter,)
    ordering = ("-last_at", "pk")
    search_help_text = gettext_lazy("The id of a memory.")
    fields = ("of_memory", "owner_id", "agent_id", "action", "day", "accesses", "last_at")

    def named(self, term: str) -> Q:
        return of_memory(term, "memory_id")

    @admin.display(description=gettext_lazy("memory"))
    def of_memory(self, access: AccessLog) -> SafeString:
        """What concerns a session or a profile is of none."""
        return link(MemoryEntry, access.memory_id) if access.memory_id else SafeString("-")

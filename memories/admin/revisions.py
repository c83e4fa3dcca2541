"""Revisions: what memories held before each change."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memories.admin.expressions import beginning
from memories.admin.finding import of_memory
from memories.admin.inspection import InspectionAdmin, shown_json
from memories.admin.rendering import excerpt, link
from memories.models import MemoryEntry, Revision


@admin.register(Revision)
class RevisionAdmin(InspectionAdmin):
    list_display = ("id", "of_memory", "version", "action", "changed_at", "changed_by", "held")
    list_fields = ("owner_id", "memory_id", "version", "action", "changed_at", "changed_by")
    ordering = ("-pk",)
    change_form_outer_before_template = "memories/revision.html"
    search_help_text = gettext_lazy("The id of a memory, or the operation_id of a bulk delete.")
    json_fields = ("content",)
    fields = (
        "of_memory",
        ("version", "owner_id"),
        ("action", "changed_at"),
        ("changed_by", "operation_id"),
        ("memory_type", "priority"),
        "tags",
        "content_shown",
        "updated_at",
        ("expires_at", "deleted_at"),
    )

    content_shown = shown_json("content")

    def named(self, term: str) -> Q:
        return Q(operation_id=term) if term.startswith("op-") else of_memory(term, "memory_id")

    def for_list(self, queryset: QuerySet[Any]) -> Any:
        return super().for_list(queryset).annotate(content_beginning=beginning("content"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """With a button that restores this version, where the memory is alive."""
        revision = kwargs.get("obj")
        if revision and request.user.has_perm("memories.change_memoryentry"):
            alive = MemoryEntry.objects.filter(owner_id=revision.owner_id, pk=revision.memory_id)
            read_at = alive.values_list("updated_at", flat=True).first()
            context["read_at"] = read_at.isoformat() if read_at else ""
            context["quoted_id"] = quote(revision.memory_id)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("memory"))
    def of_memory(self, revision: Revision) -> SafeString:
        return link(MemoryEntry, revision.memory_id)

    @admin.display(description=gettext_lazy("it held"))
    def held(self, revision: Any) -> SafeString:
        return excerpt(revision.content_beginning)

"""Relationships between memories."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memories.admin.finding import of_memory
from memories.admin.inspection import InspectionAdmin, shown_json
from memories.admin.rendering import link
from memories.models import MemoryEntry, Relationship


@admin.register(Relationship)
class RelationshipAdmin(InspectionAdmin):
    list_display = ("id", "relationship_type", "from_memory", "to_memory", "strength", "created_at")
    list_fields = (
        "owner_id",
        "relationship_type",
        "source_id",
        "target_id",
        "strength",
        "created_at",
    )
    ordering = ("-pk",)
    search_help_text = gettext_lazy("The id of a memory at either end.")
    json_fields = ("metadata",)
    fields = (
        ("relationship_type", "strength"),
        "from_memory",
        "to_memory",
        ("owner_id", "created_at"),
        "metadata_shown",
    )

    metadata_shown = shown_json("metadata")

    def named(self, term: str) -> Q:
        return of_memory(term, "source_id", "target_id")

    @admin.display(description=gettext_lazy("from"))
    def from_memory(self, tie: Relationship) -> SafeString:
        return link(MemoryEntry, tie.source_id)

    @admin.display(description=gettext_lazy("to"))
    def to_memory(self, tie: Relationship) -> SafeString:
        return link(MemoryEntry, tie.target_id)

"""Request keys: the answers by which a repeated change is recognised."""

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy

from memories.admin.filters import AgeFilter
from memories.admin.inspection import InspectionAdmin, shown_json
from memories.models import RequestKey


@admin.register(RequestKey)
class RequestKeyAdmin(InspectionAdmin):
    list_display = ("id", "created_at", "owner_id")
    list_fields = ("created_at", "owner_id")
    list_filter = (AgeFilter,)
    ordering = ("-created_at", "pk")
    search_help_text = gettext_lazy("A key.")
    json_fields = ("answer",)
    fields = ("id", "created_at", "owner_id", "answer_shown")

    answer_shown = shown_json("answer")

    def named(self, term: str) -> Q:
        return Q(pk=term)

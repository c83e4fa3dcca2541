"""What is deleted by its age, and the proofs that owners were erased."""

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy

from memories.admin.inspection import InspectionAdmin, shown_json
from memories.models import Erasure, RetentionPolicy


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(InspectionAdmin):
    list_display = ("name", "older_than_days", "is_active", "passed_at", "passed_count")
    list_fields = list_display
    ordering = ("name", "pk")
    search_help_text = gettext_lazy("The name of a policy.")
    fields = (
        "name",
        "older_than_days",
        "memory_types",
        "tags",
        "max_priority",
        "is_active",
        "created_at",
        "passed_at",
        "passed_count",
        "passed_operation_id",
    )

    def named(self, term: str) -> Q:
        return Q(name=term)


@admin.register(Erasure)
class ErasureAdmin(InspectionAdmin):
    list_display = ("id", "erased_at", "erased_by")
    list_fields = ("erased_at", "erased_by")
    ordering = ("-erased_at", "pk")
    search_help_text = gettext_lazy("The digest of an owner.")
    json_fields = ("counts",)
    fields = ("id", "owner_digest", "erased_at", "erased_by", "counts_shown")

    counts_shown = shown_json("counts")

    def named(self, term: str) -> Q:
        return Q(owner_digest=term)

"""User profiles."""

from django.contrib import admin
from django.db.models import Q

from memories.admin.inspection import InspectionAdmin, shown_json
from memories.models import UserProfile


@admin.register(UserProfile)
class UserProfileAdmin(InspectionAdmin):
    list_display = ("user_id", "created_at", "updated_at")
    list_fields = ("owner_id", "created_at", "updated_at")
    ordering = ("pk",)
    search_help_text = "The beginning of a user's id."
    json_fields = ("preferences", "profile_data")
    fields = (
        "user_id",
        "owner_id",
        ("created_at", "updated_at"),
        "preferences_shown",
        "profile_data_shown",
    )

    preferences_shown = shown_json("preferences")
    profile_data_shown = shown_json("profile_data")

    def named(self, term: str) -> Q:
        return Q(pk__startswith=term)

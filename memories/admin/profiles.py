"""User profiles."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memories.admin.inspection import InspectionAdmin, shown_json
from memories.admin.rendering import user_link
from memories.models import UserProfile


@admin.register(UserProfile)
class UserProfileAdmin(InspectionAdmin):
    list_display = ("user_id", "created_at", "updated_at")
    list_fields = ("owner_id", "created_at", "updated_at")
    ordering = ("pk",)
    search_help_text = gettext_lazy("The beginning of a user's id.")
    json_fields = ("preferences", "profile_data")
    fields = (
        "of_user",
        "owner_id",
        ("created_at", "updated_at"),
        "preferences_shown",
        "profile_data_shown",
    )

    preferences_shown = shown_json("preferences")
    profile_data_shown = shown_json("profile_data")

    @admin.display(description=gettext_lazy("user"))
    def of_user(self, profile: UserProfile) -> SafeString:
        return user_link(profile.owner_id, profile.user_id)

    def named(self, term: str) -> Q:
        return Q(pk__startswith=term)

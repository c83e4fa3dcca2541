"""What is fixed for this database."""

from django.contrib import admin

from memories.admin.inspection import InspectionAdmin
from memories.models import Installation


@admin.register(Installation)
class InstallationAdmin(InspectionAdmin):
    list_display = ("id", "search_language")
    list_fields = list_display
    ordering = ("pk",)
    fields = ("search_language",)
